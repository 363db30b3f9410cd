//! How the matches of a question lie over time and duration: counted over all of them, whatever their number.

#![allow(unused_qualifications, reason = "utoipa writes the path of a handler's parameter type a second time")]

use std::collections::HashSet;
use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use clew_model::TraceId;
use clew_model::scan::{Condition, Expired, Extent, Field, Incomplete, Op, SpanFilter, SpanSource, TimeRange};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, Uri};

use super::error::AskError;
use super::gate;
use super::openapi::Refusals;
use super::params::Params;
use super::question::{Question, with_filters};
use super::search;
use super::shape::{HeatmapAnswer, HeatmapCells};
use super::trace::{JSON, json};
use super::when::to_rfc3339;
use crate::app::App;

/// Every parameter but `attr.KEY`: the filters of a search, and how fine the answer is.
pub(crate) const PARAMETERS: [&str; 14] = with_filters(["columns", "rows"]);

const COLUMNS_DEFAULT: u64 = 120;
const COLUMNS_MAX: u64 = 500;
const ROWS_DEFAULT: u64 = 32;
const ROWS_MAX: u64 = 100;

/// Shorter traces share the first row: a logarithm has no zero.
const SHORTEST_NANOS: u64 = 1_000;
/// The rows' bounds when there is no match.
const DURATIONS_DEFAULT: (u64, u64) = (1_000_000, 1_000_000_000);
/// The length of an open range when there is no match.
const RANGE_DEFAULT_NANOS: u64 = 3_600_000_000_000;
/// How far beyond now an open range goes to hold what senders with a fast clock sent. A trace beyond it would squeeze all
/// others into a few columns.
const FUTURE_NANOS: u64 = 60_000_000_000;

/// How many traces meet the conditions, by start and duration.
///
/// Counted over all matches. A column is a stretch of time, in which a trace starts; a row is a range of durations. Of the
/// cells only those that are not empty are listed.
#[utoipa::path(
    get,
    path = "/v1/traces/heatmap",
    tag = "ask",
    params(
        ("service" = Option<Vec<String>>, Query, description = "As in a search"),
        ("operation" = Option<String>, Query, description = "As in a search"),
        ("status" = Option<String>, Query, description = "As in a search"),
        ("kind" = Option<String>, Query, description = "As in a search"),
        ("minDurationMs" = Option<f64>, Query, description = "As in a search"),
        ("maxDurationMs" = Option<f64>, Query, description = "As in a search"),
        ("minSpanDurationMs" = Option<f64>, Query, description = "As in a search"),
        ("maxSpanDurationMs" = Option<f64>, Query, description = "As in a search"),
        ("attr.KEY" = Option<String>, Query, description = "As in a search"),
        ("from" = Option<String>, Query, description = "The trace starts at this instant or later; as in a search"),
        ("to" = Option<String>, Query, description = "The trace starts before this instant"),
        ("since" = Option<String>, Query, description = "In place of `from`: how far to look back, such as `1h`"),
        ("columns" = Option<u32>, Query, description = "1 to 500, by default 120"),
        ("rows" = Option<u32>, Query, description = "1 to 100, by default 32"),
        ("tenant" = Option<String>, Query, description = "Whose traces; over the header `X-Scope-OrgID`"),
    ),
    responses((status = 200, description = "The cells that are not empty", body = HeatmapAnswer), Refusals)
)]
pub(crate) async fn heatmap(State(app): State<Arc<App>>, headers: HeaderMap, uri: Uri) -> Result<Response, AskError> {
    let params = Params::of(&uri)?;
    params.only(&PARAMETERS, true)?;
    let columns = params.number("columns", 1, COLUMNS_MAX)?.unwrap_or(COLUMNS_DEFAULT);
    let rows = params.number("rows", 1, ROWS_MAX)?.unwrap_or(ROWS_DEFAULT);
    let tenant = gate::tenant(&app, &headers, &params)?;
    let now_unix_nanos = app.clock.unix_nanos();
    let question = Question::read(&params, tenant, now_unix_nanos)?;
    let grid = Grid { columns, rows, now_unix_nanos };
    let work = move |asked: &gate::Asked<'_>| json(&run(asked.source, &question, grid, asked.expired)?);
    let answer = gate::run(&app, work).await?;
    Ok(([(CONTENT_TYPE, JSON)], answer).into_response())
}

/// How fine the answer is, and when it is given.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Grid {
    columns: u64,
    rows: u64,
    now_unix_nanos: u64,
}

/// A match: where it lies, and whether one of its spans failed.
struct Match {
    extent: Extent,
    is_failed: bool,
}

/// All matches of the question, in the cells of the grid.
pub(crate) fn run(
    source: &dyn SpanSource,
    question: &Question,
    grid: Grid,
    expired: Expired<'_>,
) -> Result<HeatmapAnswer, AskError> {
    let (matches, incomplete) = matches(source, question, expired)?;
    let (from, to) = time_axis(question.range, &matches, grid.now_unix_nanos);
    let column_nanos = (to - from).div_ceil(grid.columns).max(1);
    let is_placed = |found: &&Match| (from..to).contains(&found.extent.start_unix_nanos);
    let bounds = duration_axis(matches.iter().filter(is_placed).map(|found| found.extent.nanos()), grid.rows);
    // A column after the other, as many (traces, failed ones) in each as there are rows.
    let mut cells = vec![(0_u64, 0_u64); (grid.columns * grid.rows) as usize];
    let mut unplaced = 0;
    for found in &matches {
        if !is_placed(&found) {
            unplaced += 1;
            continue;
        }
        let column = (found.extent.start_unix_nanos - from) / column_nanos;
        let row = bounds.partition_point(|bound| *bound <= found.extent.nanos()).saturating_sub(1) as u64;
        let cell = &mut cells[(column * grid.rows + row.min(grid.rows - 1)) as usize];
        *cell = (cell.0 + 1, cell.1 + u64::from(found.is_failed));
    }
    let mut shown = HeatmapCells::default();
    for (at, (count, errors)) in (0_u64..).zip(cells).filter(|(_, (count, _))| *count > 0) {
        shown.columns.push((at / grid.rows) as u32);
        shown.rows.push((at % grid.rows) as u32);
        shown.counts.push(count);
        shown.errors.push(errors);
    }
    Ok(HeatmapAnswer {
        from: to_rfc3339(from),
        to: to_rfc3339(to),
        columns: grid.columns as u32,
        rows: grid.rows as u32,
        column_nanos,
        bounds,
        cells: shown,
        total: matches.len() as u64,
        errors: matches.iter().filter(|found| found.is_failed).count() as u64,
        unplaced,
        incomplete: incomplete.map(Into::into),
    })
}

/// All matches. Whether a span failed is one filter more, which has no part in the question.
fn matches(
    source: &dyn SpanSource,
    question: &Question,
    expired: Expired<'_>,
) -> Result<(Vec<Match>, Option<Incomplete>), AskError> {
    let condition = Condition { field: Field::Error, op: Op::Eq, value: true.into() };
    let failed = SpanFilter { conditions: vec![condition] };
    let mut asked = question.clone();
    let failed_bit = asked.filters.len();
    asked.filters.push(failed);
    let scanned = search::scan(source, &asked, expired)?;
    let mut incomplete = scanned.incomplete;
    if !question.filters.is_empty() {
        let own = scanned.matches.into_iter().filter(|found| search::is_answer(question, found));
        let own = own.map(|found| Match { extent: found.extent, is_failed: found.filters_met >> failed_bit & 1 == 1 });
        return Ok((own.collect(), incomplete));
    }
    // Without filters every trace is a match, and a source tells them at once; with one it would tell the failed ones only.
    let failed: HashSet<TraceId> = scanned.matches.into_iter().map(|found| found.trace_id).collect();
    let scanned = search::scan(source, question, expired)?;
    incomplete = incomplete.or(scanned.incomplete);
    let own = scanned.matches.into_iter().filter(|found| search::is_answer(question, found));
    let own = own.map(|found| Match { extent: found.extent, is_failed: failed.contains(&found.trace_id) });
    Ok((own.collect(), incomplete))
}

/// From where to where columns go: as asked; where nothing was asked, as the matches lie.
fn time_axis(range: TimeRange, matches: &[Match], now_unix_nanos: u64) -> (u64, u64) {
    let all_odd = matches.iter().all(|found| found.extent.is_odd);
    let starts =
        || matches.iter().filter(|found| all_odd || !found.extent.is_odd).map(|found| found.extent.start_unix_nanos);
    let open_end = || {
        let soon = now_unix_nanos.saturating_add(FUTURE_NANOS);
        let last = starts().filter(|start| *start <= soon).max().unwrap_or(0);
        last.max(now_unix_nanos).saturating_add(1)
    };
    let has_end = range.to_unix_nanos < TimeRange::ALL.to_unix_nanos;
    let to = if has_end { range.to_unix_nanos } else { open_end() };
    let from = match range.from_unix_nanos {
        0 => starts().min().filter(|start| *start < to).unwrap_or(to.saturating_sub(RANGE_DEFAULT_NANOS)),
        from => from,
    };
    (from, to.max(from.saturating_add(1)))
}

/// Where rows begin, and where the last one ends.
fn duration_axis(durations: impl Iterator<Item = u64> + Clone, rows: u64) -> Vec<u64> {
    let (shortest, longest) = (durations.clone().min(), durations.max());
    let (low, high) = match (shortest, longest) {
        (Some(shortest), Some(longest)) => {
            (round_below(shortest.max(SHORTEST_NANOS)), round_above(longest.max(SHORTEST_NANOS)))
        }
        _ => DURATIONS_DEFAULT,
    };
    let ratio = high as f64 / low as f64;
    let bound = |row: u64| match row {
        0 if shortest.is_some_and(|shortest| shortest < low) => 0,
        0 => low,
        row if row == rows => high,
        row => (low as f64 * ratio.powf(row as f64 / rows as f64)).round() as u64,
    };
    (0..=rows).map(bound).collect()
}

/// 1, 2 or 5 with zeros: bounds that stay where they are while traces come.
fn round_numbers() -> impl Iterator<Item = u64> {
    let powers = std::iter::successors(Some(1_u64), |power| power.checked_mul(10));
    powers.flat_map(|power| [1, 2, 5].into_iter().filter_map(move |factor| power.checked_mul(factor)))
}

/// The last round number that is not above it.
fn round_below(nanos: u64) -> u64 {
    round_numbers().take_while(|round| *round <= nanos).last().unwrap_or(1)
}

/// The first round number above it.
fn round_above(nanos: u64) -> u64 {
    round_numbers().find(|round| *round > nanos).unwrap_or(u64::MAX)
}

#[cfg(test)]
#[path = "heatmap/tests.rs"]
mod tests;
