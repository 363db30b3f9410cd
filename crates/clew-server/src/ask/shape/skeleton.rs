//! A trace in columns: all that is needed to draw it, and nothing that is only needed to read one span.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{StateShape, SummaryShape, ThreadShape};

/// A trace in columns. Details of single spans are asked for by `?span=ID`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Skeleton {
    /// 32 lower-case hexadecimal characters.
    pub trace_id: String,
    /// How far the trace has come.
    pub state: StateShape,
    /// The trace in a few figures.
    pub summary: SummaryShape,
    /// Where the time went.
    pub thread: ThreadShape,
    /// Where `spans.starts` count from: the first start of all spans.
    pub start: String,
    /// Names that `spans.services` points to.
    pub services: Vec<String>,
    /// Names that `spans.names` points to.
    pub names: Vec<String>,
    /// Names that `spans.kinds` points to.
    pub kinds: Vec<String>,
    /// The spans, parents before children, children by start.
    pub spans: SkeletonSpans,
}

/// One entry per span in each column.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SkeletonSpans {
    /// Ids, 16 hexadecimal characters each, without anything between them.
    pub ids: String,
    /// Position of the parent that the analysis found; -1 when there is none here.
    pub parents: Vec<i64>,
    /// Offset of the start in nanoseconds.
    pub starts: Vec<u64>,
    /// Length in nanoseconds.
    pub durations: Vec<u64>,
    /// Self time in nanoseconds.
    pub selfs: Vec<u64>,
    /// Position in [`Skeleton::services`].
    pub services: Vec<u32>,
    /// Position in [`Skeleton::names`].
    pub names: Vec<u32>,
    /// Position in [`Skeleton::kinds`].
    pub kinds: Vec<u8>,
    /// Positions of the spans that failed.
    pub errors: Vec<u32>,
    /// Positions of the spans with a mark or a note.
    pub marked: Vec<u32>,
}
