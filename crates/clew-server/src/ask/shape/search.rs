//! The answer to a search.

use clew_model::SpanId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{IncompleteShape, SummaryShape};

/// The answer to a search: one page of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SearchAnswer {
    /// The page, in the order asked for.
    pub traces: Vec<SummaryShape>,
    /// How many traces match in all; `null` with `total=none`.
    pub total: Option<Total>,
    /// Ask again with `cursor=` this for the next page; `null` when this was the last.
    pub cursor: Option<String>,
    /// Why traces may be missing; `null` when nothing is known to be.
    pub incomplete: Option<IncompleteShape>,
}

/// How many traces match.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Total {
    /// The number, or the bound.
    pub value: u64,
    /// What the number says.
    pub relation: TotalRelation,
}

/// What the number of a total says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum TotalRelation {
    /// So many.
    Eq,
    /// So many or more.
    Gte,
}

/// The spans of a trace that met the question's conditions; of several services with conditions, spans of any of them that
/// met the others, too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Matched {
    /// How many there are, identical ones counted once.
    pub count: u64,
    /// The first few by start.
    pub spans: Vec<MatchedSpan>,
}

/// A span that met the question's conditions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MatchedSpan {
    /// Its id.
    #[schema(value_type = String)]
    pub span_id: SpanId,
    /// Its service.
    pub service: String,
    /// Its operation.
    pub name: String,
    /// Its start.
    pub start: String,
    /// Its length.
    pub duration_nanos: u64,
    /// Whether it failed.
    pub error: bool,
}

/// A trace in a few bars: its longest spans, 48 at most, by start. One entry per span in each column but the last.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct SilhouetteShape {
    /// Position in the summary's `services`.
    pub services: Vec<u32>,
    /// Start in nanoseconds after the trace's start.
    pub starts: Vec<u64>,
    /// Length in nanoseconds.
    pub durations: Vec<u64>,
    /// Positions of the spans that failed.
    pub errors: Vec<u32>,
}
