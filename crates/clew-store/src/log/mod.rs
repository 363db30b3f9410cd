//! The log: batches as they were received, synced before they are acknowledged, and replayed after a crash.
//!
//! Invariants (shared with tests and the simulation; the crate's README tells them):
//! L1 an acknowledged batch survives any crash; L2 replay is idempotent; L3 nothing is acknowledged before its sync;
//! L4 after a failed sync nothing is taken; L5 replay needs the frame alone; L6 damage is never silent.
//!
//! | File | What |
//! |---|---|
//! | `frame` | one batch in bytes |
//! | `segment` | the bytes of one file: frames, torn tail, damage |
//! | `repeat` | requests that were stored before |
//! | `machine` | events in, effects out: group commit, refusals, markers |
//! | `writer` | carries the machine's effects out on a disk |
//! | `pieces` | a segment that is read piece by piece |
//! | `recover` | the log as it is found at the start |
//!
//! It does not know what a span is, and never looks into a body.

pub mod frame;
pub mod machine;
mod pieces;
pub mod recover;
mod repeat;
pub mod segment;
pub mod writer;

pub use machine::{Effect, Event, Failure, Inserted, Machine, Resume, Status};
pub(crate) use recover::Recovery;
pub use recover::{Damage, Recovered, Replayed, recover};
pub use writer::Writer;
