//! A trace in a few bars, for a list: its longest spans.

use std::cmp::Reverse;
use std::collections::HashMap;

use clew_model::{Span, Summary, TraceId};

use super::shape::SilhouetteShape;

/// Bars of a trace at most: more are narrower than a list can show.
const BARS_MAX: usize = 48;
/// Spans of a page that are read for nothing but silhouettes: some dozen of the largest usual traces.
pub(super) const SPANS_MAX: u64 = 200_000;

/// The first of the traces that have no more spans together than there is room for. What they take is taken from it.
pub(super) fn that_fit(ids: &[TraceId], summaries: &HashMap<TraceId, Summary>, room: &mut u64) -> Vec<TraceId> {
    let fits = |id: &&TraceId| {
        let left = room.checked_sub(summaries.get(id).map_or(0, |summary| summary.span_count as u64));
        *room = left.unwrap_or(0);
        left.is_some()
    };
    ids.iter().take_while(fits).copied().collect()
}

/// The silhouettes of these traces, whose spans follow each other.
pub(super) fn of_traces(spans: &[Span], summaries: &HashMap<TraceId, Summary>) -> HashMap<TraceId, SilhouetteShape> {
    let traces = spans.chunk_by(|one, next| one.trace_id == next.trace_id);
    let of_trace = |spans: &[Span]| {
        let id = spans.first()?.trace_id;
        Some((id, of(spans, summaries.get(&id)?)))
    };
    traces.filter_map(of_trace).collect()
}

fn of(spans: &[Span], summary: &Summary) -> SilhouetteShape {
    let start = summary.start_unix_nanos;
    let end = start.saturating_add(summary.duration_nanos);
    // A span outside of the trace's extent has odd times, which say nothing.
    let is_inside = |span: &&Span| start <= span.start_unix_nanos && span.end_unix_nanos() <= end;
    let mut bars: Vec<&Span> = spans.iter().filter(is_inside).collect();
    if bars.len() > BARS_MAX {
        let rank = |span: &&Span| (Reverse(span.duration_nanos), span.start_unix_nanos, span.span_id);
        bars.select_nth_unstable_by_key(BARS_MAX, rank);
        bars.truncate(BARS_MAX);
    }
    bars.sort_by_key(|span| (span.start_unix_nanos, Reverse(span.duration_nanos), span.span_id));
    let mut shape = SilhouetteShape::default();
    for (position, span) in (0..).zip(bars) {
        let service = summary.services.binary_search_by(|service| service.as_str().cmp(span.service()));
        shape.services.push(service.unwrap_or(0) as u32);
        shape.starts.push(span.start_unix_nanos - start);
        shape.durations.push(span.duration_nanos);
        shape.errors.extend(span.is_error().then_some(position));
    }
    shape
}

#[cfg(test)]
#[path = "silhouette/tests.rs"]
mod tests;
