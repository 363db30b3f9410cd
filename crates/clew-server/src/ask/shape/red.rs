//! The answer about rates, errors and durations.

use clew_model::SpanId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::IncompleteShape;

/// Rates, errors and durations of groups of spans.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RedAnswer {
    /// Where the range begins: the beginning of a minute.
    pub from: String,
    /// Where it ends: the end of a minute, which may not be over yet.
    pub to: String,
    /// How long a point of a series is; the first and the last may be cut by the range.
    pub step_seconds: u64,
    /// Where the points of every series begin.
    pub starts: Vec<String>,
    /// What tells groups apart: `service`, `operation`, `kind`, `status`.
    pub group_by: Vec<String>,
    /// The groups, those with most spans first.
    pub groups: Vec<RedGroup>,
    /// How many groups there are; more than are here when `limit` cut them.
    pub group_count: u64,
    /// Why spans may be missing; `null` when nothing is known to be.
    pub incomplete: Option<IncompleteShape>,
}

/// Spans that are counted together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RedGroup {
    /// Their service, if groups are by it; `(other)` for series beyond `figures.series_per_minute`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// Their operation, if groups are by it; `(other)` likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    /// Their kind, if groups are by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Their status, if groups are by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// Of the spans that were received.
    pub received: RedFigures,
    /// Of the spans that they stand for; the same where nobody samples before clew.
    pub weighted: RedFigures,
    /// Over time.
    pub series: RedSeries,
    /// A few of the spans, at most three, to open their traces. Figures are kept longer than spans, so that a trace may be gone.
    pub exemplars: Vec<ExemplarShape>,
}

/// Figures of spans.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RedFigures {
    /// How many.
    pub count: f64,
    /// Those that failed: status ERROR, or an attribute `error` that is true.
    pub errors: f64,
    /// How many a second; of a range that is not over, of the time until now.
    pub per_second: f64,
    /// Failed ones as a share of all, 0 to 1.
    pub error_rate: f64,
    /// Mean duration; `null` without spans.
    pub mean_nanos: Option<u64>,
    /// Median.
    pub p50_nanos: Option<u64>,
    /// 90th percentile.
    pub p90_nanos: Option<u64>,
    /// 95th percentile.
    pub p95_nanos: Option<u64>,
    /// 99th percentile.
    pub p99_nanos: Option<u64>,
}

/// Figures over time: one entry a point in each, those of all but `received` weighted.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RedSeries {
    /// Spans that were received.
    pub received: Vec<u64>,
    /// Spans that they stand for.
    pub weighted: Vec<f64>,
    /// Those that failed.
    pub errors: Vec<f64>,
    /// Spans a second.
    pub per_second: Vec<f64>,
    /// Failed ones as a share of all.
    pub error_rate: Vec<f64>,
    /// Mean duration; `null` without spans.
    pub mean_nanos: Vec<Option<u64>>,
    /// Median.
    pub p50_nanos: Vec<Option<u64>>,
    /// 90th percentile.
    pub p90_nanos: Vec<Option<u64>>,
    /// 95th percentile.
    pub p95_nanos: Vec<Option<u64>>,
    /// 99th percentile.
    pub p99_nanos: Vec<Option<u64>>,
}

/// A span that figures are about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExemplarShape {
    /// What it is an example of: `slowest`, `failed`, `typical`.
    pub of: Vec<String>,
    /// Its trace, 32 lower-case hexadecimal characters.
    pub trace_id: String,
    /// Itself.
    #[schema(value_type = String)]
    pub span_id: SpanId,
    /// Its start.
    pub start: String,
    /// Its length.
    pub duration_nanos: u64,
    /// Whether it failed.
    pub error: bool,
}
