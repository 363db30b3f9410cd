//! The JSON that the native API answers with. Readers such as the command line use the same types, so that what is
//! written is what is read. Times are RFC 3339 in UTC with nine digits; lengths carry their unit in their name.

mod attributes;
mod dependencies;
mod heatmap;
mod red;
mod search;
mod skeleton;
mod trace;
mod value;

use clew_model::SpanId;
use clew_model::scan::Incomplete;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use attributes::{AttributeKeyShape, AttributeValueShape, AttributeValuesAnswer, AttributesAnswer, SampledShape};
pub use dependencies::{DependenciesAnswer, EdgeShape, NodeShape, RequestsShape, SideShape};
pub use heatmap::{HeatmapAnswer, HeatmapCells};
pub use red::{ExemplarShape, RedAnswer, RedFigures, RedGroup, RedSeries};
pub use search::{Matched, MatchedSpan, SearchAnswer, SilhouetteShape, Total, TotalRelation};
pub use skeleton::{
    Skeleton, SkeletonEvents, SkeletonLink, SkeletonSegments, SkeletonSpans, SkeletonTail, SkeletonThread,
};
pub use trace::{
    BottleneckShape, EventShape, GapShape, GroupShape, LinkShape, ResourceShape, ScopeShape, SegmentShape, SkewShape,
    SpanShape, TailShape, ThreadShape, TraceAnswer, TraceForms,
};
pub use value::{AttributeShape, attributes, value_json};

/// The tenants that hold spans.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TenantsAnswer {
    /// Their names, sorted.
    pub tenants: Vec<String>,
}

/// The services that sent spans.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ServicesAnswer {
    /// Their names, sorted.
    pub services: Vec<String>,
}

/// The traces of a file, explained.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ExplainAnswer {
    /// The earliest first.
    pub traces: Vec<ExplainedTrace>,
    /// What of the file could not be used, in sentences.
    pub problems: Vec<String>,
}

/// A trace in both of its forms.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ExplainedTrace {
    /// As `shape=skeleton` answers.
    pub skeleton: Skeleton,
    /// As `shape=full` answers.
    pub full: TraceAnswer,
}

/// The spans of a trace that have a text in them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FindAnswer {
    /// Their positions in the trace's spans, rising.
    pub spans: Vec<u32>,
    /// How many they are.
    pub total: u64,
}

/// The operations of a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OperationsAnswer {
    /// Their names, sorted.
    pub operations: Vec<String>,
}

/// A trace in a few figures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SummaryShape {
    /// 32 lower-case hexadecimal characters.
    pub trace_id: String,
    /// The root, or the first span that has no parent here; `null` when there is none.
    pub root: Option<RootShape>,
    /// First start of the trace's spans. Those whose start is odd (before 2000, or more than a day after it came) count here
    /// and in the length for want of others only.
    pub start: String,
    /// From the first start to the last end.
    pub duration_nanos: u64,
    /// Spans, identical ones counted once.
    pub span_count: u64,
    /// Spans that failed: status ERROR, or an attribute `error` that is true.
    pub error_count: u64,
    /// Services that took part.
    pub services: Vec<String>,
    /// How far the trace has come.
    pub state: StateShape,
    /// What met the question's conditions; absent when there were none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub matched: Option<Matched>,
    /// The trace in a few bars; absent unless asked for by `silhouette=true`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub silhouette: Option<SilhouetteShape>,
}

/// Traces that were settled and cannot be told any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LiveGap {
    /// How many, of all tenants; one that was settled twice counts twice.
    pub lost: u64,
}

/// The root of a trace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RootShape {
    /// Its service.
    pub service: String,
    /// Its operation.
    pub operation: String,
    /// Its id.
    #[schema(value_type = String)]
    pub span_id: SpanId,
}

/// How far a trace has come.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct StateShape {
    /// Whether the root is here: a span without a parent.
    pub root_seen: bool,
    /// Whether the trace is settled, so that its verdict stands and its figures count. In lists it is not for some seconds after
    /// anything of it came, also when that had come before.
    pub settled: bool,
    /// The verdict of tail sampling; `null` until the trace is settled. Spans that come later make it wait for another look;
    /// meanwhile the verdict is told of the trace itself, and in lists only if it is not what every trace has.
    pub verdict: Option<VerdictShape>,
    /// Spans that came after the trace was settled.
    pub late_spans: u64,
    /// Why spans may be missing; `null` when nothing is known to be.
    pub incomplete: Option<IncompleteShape>,
}

/// What tail sampling decided.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct VerdictShape {
    /// Whether the trace is kept beyond the full retention.
    pub keep: bool,
    /// The rule that decided.
    pub rule: String,
    /// How many traces this one stands for.
    pub weight: f64,
}

/// Why an answer may lack something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct IncompleteShape {
    /// A short name: `deadline`, `corruption`, `budget`.
    pub reason: String,
    /// What may be missing and what to do, in one sentence.
    pub detail: String,
}

impl From<Incomplete> for IncompleteShape {
    fn from(incomplete: Incomplete) -> Self {
        Self { reason: incomplete.reason, detail: incomplete.detail }
    }
}
