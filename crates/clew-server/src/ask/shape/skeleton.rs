//! A trace in columns: all that is needed to draw it, and nothing that is only needed to read one span.

use std::collections::BTreeMap;

use clew_model::SpanId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{BottleneckShape, GapShape, GroupShape, SkewShape, StateShape, SummaryShape};

/// A trace in columns. Details of single spans are asked for by `?span=ID`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Skeleton {
    /// 32 lower-case hexadecimal characters.
    pub trace_id: String,
    /// Another one when anything else in this answer is another; also the `ETag`.
    pub version: String,
    /// How far the trace has come.
    pub state: StateShape,
    /// Whether it is pinned, and so kept; absent when it is not.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub pinned: bool,
    /// The trace in a few figures.
    pub summary: SummaryShape,
    /// Where the time went.
    pub thread: SkeletonThread,
    /// Whether times are `sent` or, as `clock=corrected` asks for, `corrected` for skew.
    pub clock: String,
    /// Pairs of instances whose clocks disagree.
    pub skews: Vec<SkewShape>,
    /// Position of the failed span that the other failed spans merely passed on; `null` when none failed.
    pub error_origin: Option<u32>,
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
    /// Positions of the spans whose place is special, by how: `orphan`, `duplicate_id`, `shared_id`, `cycle_broken`, `async`,
    /// `overhang`, `early`, `clock_suspect`; those that no span has are left out.
    pub marks: BTreeMap<String, Vec<u32>>,
    /// Positions of the spans that were mended, by how: `end_before_start`, `value_cut` and others.
    pub notes: BTreeMap<String, Vec<u32>>,
    /// Siblings that are alike, five or more, by their first span.
    pub groups: Vec<GroupShape>,
    /// Names that `events.names` points to.
    pub event_names: Vec<String>,
    /// Events of all spans, the first 20,000.
    pub events: SkeletonEvents,
    /// How many events more there are.
    pub events_left_out: u64,
    /// Links of all spans, the first 5,000.
    pub links: Vec<SkeletonLink>,
    /// How many links more there are.
    pub links_left_out: u64,
}

/// The critical path, its pieces in columns: there may be more of them than spans.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SkeletonThread {
    /// It all in one sentence.
    pub sentence: String,
    /// Where its offsets count from.
    pub start: String,
    /// Its length: the root's duration, or without one root from the first start to the last end.
    pub total_nanos: u64,
    /// Its pieces in order.
    pub segments: SkeletonSegments,
    /// What most of it went to; `null` when the thread has no length.
    pub bottleneck: Option<BottleneckShape>,
    /// Holes worth naming.
    pub gaps: Vec<GapShape>,
    /// What went on after the root ended; `null` when nothing did.
    pub async_tail: Option<SkeletonTail>,
}

/// The second horizon, its pieces in columns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SkeletonTail {
    /// The root's end, where its offsets count from.
    pub start: String,
    /// Its length.
    pub total_nanos: u64,
    /// Its pieces in order.
    pub segments: SkeletonSegments,
    /// What most of it went to.
    pub bottleneck: Option<BottleneckShape>,
    /// Its holes.
    pub gaps: Vec<GapShape>,
}

/// One entry per piece of a thread in each column. Pieces tile their horizon: each begins where the one before it ends, and
/// the first at 0.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SkeletonSegments {
    /// Position of the span it belongs to; -1 between the roots of a trace that has several.
    pub spans: Vec<i64>,
    /// Offset of the first instant after it, in nanoseconds.
    pub ends: Vec<u64>,
    /// What the time was: 0 `self`, 1 `gap`, 2 `wait`, 3 `transit`.
    pub kinds: Vec<u8>,
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
}

/// One entry per event in each column but the last, by span and then in the sender's order.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SkeletonEvents {
    /// Position of the span.
    pub spans: Vec<u32>,
    /// When: offset in nanoseconds from [`Skeleton::start`], below zero for an event before it.
    pub offsets: Vec<i64>,
    /// Position in [`Skeleton::event_names`].
    pub names: Vec<u32>,
    /// Positions, in these columns, of the events that are exceptions.
    pub exceptions: Vec<u32>,
}

/// A link of a span.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SkeletonLink {
    /// Position of the span that has it.
    pub span: u32,
    /// The other span's trace.
    pub trace_id: String,
    /// The other span.
    #[schema(value_type = String)]
    pub span_id: SpanId,
    /// The other span's position; `null` when it is not here.
    pub to: Option<u32>,
}
