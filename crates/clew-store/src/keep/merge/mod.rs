//! Blocks become fewer and larger: those that were sealed in one hour become one of level 1, and those of a day one of level 2.
//!
//! A merge is planned and committed by the keeper, and runs without it, so that seals go on meanwhile: on a thread of its own in
//! a store, step by step in the simulator. What it reads and leaves out is decided when it is planned, and its block gets its
//! name then. So a deletion that comes in between speaks of that block too, which has the lower name; and when an input is gone
//! at the commit (it expired, or was written anew), the block is thrown away.
//!
//! | File | What |
//! |---|---|
//! | `policy` | which blocks become one next; pure |
//! | `job` | one merge: planned, run, committed |
//! | `thread` | the thread that a store runs merges on |

pub mod job;
pub mod policy;
pub(crate) mod thread;

pub use self::job::{MergeDone, MergeJob};
pub use self::policy::MergePolicy;
