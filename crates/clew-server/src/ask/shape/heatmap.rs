//! The answer to a heatmap.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::IncompleteShape;

/// How the matches of a question lie over time and duration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct HeatmapAnswer {
    /// Where the first column begins: the `from` asked for, or the first start of a match.
    pub from: String,
    /// Where the last column ends, or goes on a little: the `to` asked for, or now.
    pub to: String,
    /// How many columns.
    pub columns: u32,
    /// How many rows.
    pub rows: u32,
    /// How wide a column is.
    pub column_nanos: u64,
    /// Where rows begin, in nanoseconds of a trace's duration, evenly on a logarithmic scale; at last where the last row
    /// ends. The first is 0 when a match is shorter than a microsecond.
    pub bounds: Vec<u64>,
    /// The cells that are not empty.
    pub cells: HeatmapCells,
    /// Traces that match.
    pub total: u64,
    /// Those of them that have a failed span.
    pub errors: u64,
    /// Those of the matches that are in no cell: without a `from` or a `to`, those with odd times and those from the future.
    pub unplaced: u64,
    /// Why traces may be missing; `null` when nothing is known to be.
    pub incomplete: Option<IncompleteShape>,
}

/// One entry per cell in each, by column and row.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct HeatmapCells {
    /// Which column, from 0 on: by the trace's start.
    pub columns: Vec<u32>,
    /// Which row, from 0 on: by the trace's duration.
    pub rows: Vec<u32>,
    /// Traces in it.
    pub counts: Vec<u64>,
    /// Those of them that have a failed span.
    pub errors: Vec<u64>,
}
