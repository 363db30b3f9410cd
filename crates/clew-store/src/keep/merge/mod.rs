//! Blocks become fewer and larger: those that were sealed in one hour become one of level 1, and those of a day one of level 2.
//!
//! What was decided about traces comes along, and those that are not to be kept are left out when their time has come.
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

use clew_model::{Tenant, TraceId, Verdict};

pub mod job;
pub mod policy;
pub(crate) mod thread;

pub use self::job::{MergeDone, MergeJob};
pub use self::policy::MergePolicy;

/// What was decided about traces, for whoever writes blocks.
pub trait Decided: Send + Sync {
    /// The verdict of a trace of which its block does not say it; `None` when there is none yet.
    fn verdict(&self, tenant: &Tenant, id: TraceId) -> Option<Verdict>;

    /// Whether a trace stays, whatever its verdict is.
    fn is_pinned(&self, tenant: &Tenant, id: TraceId) -> bool;

    /// Another number after each time that a trace was pinned: what was left out before does not count then.
    fn pins_version(&self) -> u64;
}

/// Nothing was decided, and nothing is pinned.
#[derive(Debug, Clone, Copy, Default)]
pub struct Undecided;

impl Decided for Undecided {
    fn verdict(&self, _: &Tenant, _: TraceId) -> Option<Verdict> {
        None
    }

    fn is_pinned(&self, _: &Tenant, _: TraceId) -> bool {
        false
    }

    fn pins_version(&self) -> u64 {
        0
    }
}

#[cfg(test)]
mod tests;
