//! The answer to "the whole trace": its spans and what the analysis says of them.

use clew_model::SpanId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{AttributeShape, Skeleton, StateShape, SummaryShape};

/// A whole trace, explained.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TraceAnswer {
    /// 32 lower-case hexadecimal characters.
    pub trace_id: String,
    /// How far the trace has come.
    pub state: StateShape,
    /// Whether it is pinned, and so kept; absent when it is not.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub pinned: bool,
    /// The trace in a few figures.
    pub summary: SummaryShape,
    /// Where the time went.
    pub thread: ThreadShape,
    /// Who sent the spans: [`SpanShape::resource`] points here.
    pub resources: Vec<ResourceShape>,
    /// Which libraries made the spans: [`SpanShape::scope`] points here.
    pub scopes: Vec<ScopeShape>,
    /// The spans, parents before children, children by start.
    pub spans: Vec<SpanShape>,
    /// Pairs of instances whose clocks disagree.
    pub skews: Vec<SkewShape>,
    /// Whether times are `sent` or, as `clock=corrected` asks for, `corrected` for skew.
    pub clock: String,
    /// Position of the failed span that the other failed spans merely passed on; `null` when none failed.
    pub error_origin: Option<u32>,
    /// Siblings that are alike, five or more, by their first span; none with `span=`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<GroupShape>,
}

/// A trace in either of the forms that `shape` chooses from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum TraceForms {
    /// `shape=full`.
    Full(Box<TraceAnswer>),
    /// `shape=skeleton`.
    Skeleton(Box<Skeleton>),
}

/// Siblings of one service, operation and kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct GroupShape {
    /// Position of their parent; -1 when it is not here.
    pub parent: i64,
    /// Their positions, rising.
    pub spans: Vec<u32>,
    /// Their operation.
    pub name: String,
    /// Their service.
    pub service: String,
    /// How many they are.
    pub count: u64,
    /// The sum of their lengths.
    pub total_nanos: u64,
    /// `repeated`, or `n_plus_one`: calls to a database one after the other, which one call could have made.
    pub kind: String,
    /// That, in words.
    pub sentence: String,
}

/// The critical path: what the trace was waiting for at each moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ThreadShape {
    /// It all in one sentence.
    pub sentence: String,
    /// Where its offsets count from.
    pub start: String,
    /// Its length: the root's duration, or without one root from the first start to the last end.
    pub total_nanos: u64,
    /// Its pieces in order; together they cover `0..totalNanos` exactly.
    pub segments: Vec<SegmentShape>,
    /// What most of it went to; `null` when the thread has no length.
    pub bottleneck: Option<BottleneckShape>,
    /// Holes worth naming.
    pub gaps: Vec<GapShape>,
    /// What went on after the root ended; `null` when nothing did.
    pub async_tail: Option<TailShape>,
}

/// A piece of the thread.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SegmentShape {
    /// Position in the trace's spans of the one it belongs to; `null` between the roots of a trace that has several.
    pub span: Option<u32>,
    /// That span's id.
    #[schema(value_type = Option<String>)]
    pub span_id: Option<SpanId>,
    /// Offset of its first instant from the horizon's start.
    pub from_nanos: u64,
    /// Offset of the first instant after it.
    pub to_nanos: u64,
    /// What the time was: `self` (the span's own work), `gap` (a hole that nothing explains), `wait` (only children
    /// ran that the span did not wait for) or `transit` (a call on its way to its server, or back).
    pub kind: String,
}

/// What most of a horizon went to: one span, equal siblings taken together, or a gap.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct BottleneckShape {
    /// What its segments are: as in [`SegmentShape`].
    pub kind: String,
    /// Position in the trace's spans; of several, the one that gave most.
    pub span: Option<u32>,
    /// That span's id.
    #[schema(value_type = Option<String>)]
    pub span_id: Option<SpanId>,
    /// How many spans of the same call path it sums up.
    pub span_count: u64,
    /// Its time.
    pub nanos: u64,
    /// The same as a share of the horizon, above 0 up to 1.
    pub share: f64,
}

/// A hole worth naming: time inside a span in which no child ran and that nothing explains.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct GapShape {
    /// Position of the span it lies in; `null` between the roots of a trace that has several.
    pub span: Option<u32>,
    /// That span's id.
    #[schema(value_type = Option<String>)]
    pub span_id: Option<SpanId>,
    /// The child that ended before it; `null` when it begins with the span.
    #[schema(value_type = Option<String>)]
    pub before_span_id: Option<SpanId>,
    /// The child that began after it; `null` when it ends with the span.
    #[schema(value_type = Option<String>)]
    pub after_span_id: Option<SpanId>,
    /// Offset of its first instant from the horizon's start.
    pub from_nanos: u64,
    /// Offset of the first instant after it.
    pub to_nanos: u64,
}

/// The second horizon: from the root's end to the last end, for work that the root did not wait for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TailShape {
    /// The root's end, where its offsets count from.
    pub start: String,
    /// Its length.
    pub total_nanos: u64,
    /// Its pieces in order; together they cover `0..totalNanos` exactly.
    pub segments: Vec<SegmentShape>,
    /// What most of it went to.
    pub bottleneck: Option<BottleneckShape>,
    /// Its holes.
    pub gaps: Vec<GapShape>,
}

/// A span, explained.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SpanShape {
    /// Its id, 16 lower-case hexadecimal characters.
    #[schema(value_type = String)]
    pub span_id: SpanId,
    /// Its parent's id as sent; `null` for a root.
    #[schema(value_type = Option<String>)]
    pub parent_span_id: Option<SpanId>,
    /// Position in `spans` of the parent that the analysis found; `null` when there is none here.
    pub parent: Option<u32>,
    /// How deep it lies: 0 for a root.
    pub depth: u32,
    /// Its service.
    pub service: String,
    /// Its operation.
    pub name: String,
    /// Its role: `server`, `client`, `internal`, `producer`, `consumer` or `unspecified`.
    pub kind: String,
    /// Its start.
    pub start: String,
    /// Its length.
    pub duration_nanos: u64,
    /// Its length without the time in which a child ran.
    pub self_nanos: u64,
    /// How it ended: `ok`, `error` or `unset`.
    pub status: String,
    /// The sender's words for that.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub status_message: String,
    /// Whether it failed: status ERROR, or an attribute `error` that is true.
    pub error: bool,
    /// What is special about its place: `orphan`, `duplicate_id`, `shared_id`, `cycle_broken`, `async`, `overhang`,
    /// `early`, `clock_suspect`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub marks: Vec<String>,
    /// How odd input was mended: `end_before_start`, `value_cut` and others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// Position in `resources`.
    pub resource: u32,
    /// Position in `scopes`.
    pub scope: u32,
    /// Its attributes, in the sender's order.
    pub attributes: Vec<AttributeShape>,
    /// Its events, in the sender's order.
    pub events: Vec<EventShape>,
    /// Its links, in the sender's order.
    pub links: Vec<LinkShape>,
    /// W3C trace state.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub trace_state: String,
    /// W3C trace flags and OTLP's remote bits.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub flags: u32,
    /// Attributes that were left out, by the sender or here.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub dropped_attributes_count: u32,
    /// Events that were left out, by the sender or here.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub dropped_events_count: u32,
    /// Links that were left out, by the sender or here.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub dropped_links_count: u32,
}

/// Something that happened at one moment of a span.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct EventShape {
    /// When.
    pub time: String,
    /// What.
    pub name: String,
    /// Details.
    pub attributes: Vec<AttributeShape>,
    /// Attributes that were left out, by the sender or here.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub dropped_attributes_count: u32,
}

/// A pointer to a span that caused or relates to this one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LinkShape {
    /// The other span's trace.
    pub trace_id: String,
    /// The other span.
    #[schema(value_type = String)]
    pub span_id: SpanId,
    /// Its trace state.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub trace_state: String,
    /// Its flags.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub flags: u32,
    /// Details.
    pub attributes: Vec<AttributeShape>,
    /// Attributes that were left out, by the sender or here.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub dropped_attributes_count: u32,
}

/// Who sent spans.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ResourceShape {
    /// `service.name`, or `unknown_service`.
    pub service: String,
    /// Its attributes, in the sender's order.
    pub attributes: Vec<AttributeShape>,
    /// Schema URL.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub schema_url: String,
    /// Attributes that were left out, by the sender or here.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub dropped_attributes_count: u32,
}

/// Which library made spans.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ScopeShape {
    /// Name of the instrumentation.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its attributes, in the sender's order.
    pub attributes: Vec<AttributeShape>,
    /// Schema URL.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub schema_url: String,
    /// Attributes that were left out, by the sender or here.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub dropped_attributes_count: u32,
}

/// Two clocks that disagree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SkewShape {
    /// The instance whose clock is the measure: a service, or `service@place`.
    pub reference: String,
    /// The instance whose clock is off.
    pub instance: String,
    /// The clock of `instance` minus the clock of `reference`.
    pub offset_nanos: i64,
    /// How many calls or messages say so.
    pub edge_count: u64,
    /// What kind of evidence they are: `containment` (an estimate) or `order` (the least offset that explains them).
    pub evidence: String,
    /// Whether the spans of `instance` were moved.
    pub corrected: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}
