//! The sidecar of a block: what answers most questions without opening the Parquet file.
//!
//! A header names the sections; each is encoded and decoded by a module of its own, from bytes to a struct and back.
//! Any of them may be missing or damaged: readers fall back on the Parquet file, and say so.

pub mod bloom;
pub(crate) mod bytes;
pub mod dropped;
pub mod groups;
pub mod header;
pub mod ids;
pub mod names;
pub mod probe;
pub mod requests;
pub mod sums;
pub mod traces;
pub mod verdicts;

#[cfg(test)]
mod tests;

pub use bytes::SideError;
pub use dropped::{Dropped, DroppedBuilder, Fingerprint};
pub use groups::{Group, Groups, Zone};
pub use header::{Codec, Header, Packed, Section, SectionId, SideBytes};
pub use ids::{Fence, SLICE_IDS, Slice, TraceRows};
pub use names::{Key, Names, Operation};
pub use probe::Probe;
pub use requests::{Request, Requests};
pub use sums::{PIECE_BYTES, Sums};
pub use traces::{Summaries, TraceSummary, Traces};
pub use verdicts::Verdicts;
