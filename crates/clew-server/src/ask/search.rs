//! Executing a search: whole traces are judged, never the parts in which they are stored.

use std::collections::HashMap;

use clew_model::identity::sorted;
use clew_model::scan::{
    Expired, Incomplete, RowsAnswer, ScanAnswer, ScanRequest, SpanSource, SummariesAnswer, TraceMatch,
};
use clew_model::{Span, SpanTest, Summary, TraceId};

use super::cursor::Cursor;
use super::error::AskError;
use super::question::{Question, Sort, TOTAL_BOUND, TotalMode};
use super::shape::{Matched, MatchedSpan, SearchAnswer, SummaryShape, Total, TotalRelation};
use super::show;
use super::when::to_rfc3339;

/// Matching spans that a summary shows.
const MATCHED_SPANS: usize = 3;
/// Traces that are summed up between two looks at the time.
const TRACES_AT_ONCE: usize = 32;

/// The page of the answer that the question asks for.
pub(crate) fn run(
    source: &dyn SpanSource,
    question: &Question,
    expired: Expired<'_>,
) -> Result<SearchAnswer, AskError> {
    let ScanAnswer { mut matches, mut incomplete, .. } = scan(source, question, expired)?;
    matches.retain(|found| is_answer(question, found));
    let total = total(question.total, matches.len());
    let is_last = cut_page(question, &mut matches);
    let cursor = matches.last().filter(|_| !is_last).map(|last| Cursor {
        question: question.hash,
        range: question.range,
        key: key(question.sort, last),
        trace_id: last.trace_id,
    });
    let mut traces = Vec::with_capacity(matches.len());
    for chunk in matches.chunks(TRACES_AT_ONCE) {
        if expired() {
            return Err(AskError::Expired);
        }
        traces.extend(summaries(source, question, chunk, &mut incomplete, expired)?);
    }
    let cursor = cursor.map(|cursor| cursor.encode());
    Ok(SearchAnswer { traces, total, cursor, incomplete: incomplete.map(Into::into) })
}

/// The traces that have spans as the question wants them.
pub(super) fn scan(source: &dyn SpanSource, question: &Question, expired: Expired<'_>) -> Result<ScanAnswer, AskError> {
    let request = ScanRequest {
        tenant: question.tenant.clone(),
        range: question.range,
        filters: question.filters.clone(),
        // Which spans are shown is decided when all rows of the trace are here: only then are identical ones one.
        rows_per_trace: 0,
    };
    Ok(source.scan(&request, expired)?)
}

/// Whether the whole trace is an answer.
pub(super) fn is_answer(question: &Question, found: &TraceMatch) -> bool {
    let (min, max) = question.duration_nanos;
    question.is_met_by(found.filters_met)
        && question.range.contains(found.extent.start_unix_nanos)
        && (min..=max).contains(&found.extent.nanos())
}

fn total(mode: TotalMode, count: usize) -> Option<Total> {
    let count = count as u64;
    match mode {
        TotalMode::None => None,
        TotalMode::Bounded if count > TOTAL_BOUND => Some(Total { value: TOTAL_BOUND, relation: TotalRelation::Gte }),
        TotalMode::Bounded | TotalMode::Exact => Some(Total { value: count, relation: TotalRelation::Eq }),
    }
}

/// Leaves the page in `matches`, in order; `true` when nothing comes after it.
fn cut_page(question: &Question, matches: &mut Vec<TraceMatch>) -> bool {
    let rank = |found: &TraceMatch| (rank(question.sort, key(question.sort, found)), found.trace_id);
    if let Some(after) = &question.after {
        let last = (self::rank(question.sort, after.key), after.trace_id);
        matches.retain(|found| rank(found) > last);
    }
    let is_last = matches.len() <= question.limit;
    if !is_last {
        matches.select_nth_unstable_by_key(question.limit, rank);
        matches.truncate(question.limit);
    }
    matches.sort_unstable_by_key(rank);
    is_last
}

/// What the sort looks at.
fn key(sort: Sort, found: &TraceMatch) -> u64 {
    match sort {
        Sort::Start | Sort::StartDown => found.extent.start_unix_nanos,
        Sort::Duration | Sort::DurationDown => found.extent.nanos(),
    }
}

/// A key turned so that less is earlier in the answer.
fn rank(sort: Sort, key: u64) -> u64 {
    match sort {
        Sort::Start | Sort::Duration => key,
        Sort::StartDown | Sort::DurationDown => !key,
    }
}

/// The traces as a page shows them.
fn summaries(
    source: &dyn SpanSource,
    question: &Question,
    found: &[TraceMatch],
    incomplete: &mut Option<Incomplete>,
    expired: Expired<'_>,
) -> Result<Vec<SummaryShape>, AskError> {
    let ids: Vec<TraceId> = found.iter().map(|found| found.trace_id).collect();
    let SummariesAnswer { summaries, incomplete: missing } = source.summaries(&question.tenant, &ids, expired)?;
    *incomplete = incomplete.take().or(missing);
    let mut matched = HashMap::new();
    if !question.filters.is_empty() {
        let with_attributes = question.asks_for_attributes();
        let RowsAnswer { spans, incomplete: missing } =
            source.outlines(&question.tenant, &ids, with_attributes, expired)?;
        *incomplete = incomplete.take().or(missing);
        let tests: Vec<SpanTest<'_>> = question.shown_filters().map(SpanTest::new).collect();
        matched = self::matched(&tests, &spans);
    }
    let mut summaries: HashMap<TraceId, Summary> =
        summaries.into_iter().map(|summary| (summary.trace_id, summary)).collect();
    // A trace may be over between the scan and this look.
    let shapes = ids.iter().filter_map(|id| {
        let mut shape = show::summary(&summaries.remove(id)?, incomplete.as_ref());
        shape.matched = matched.remove(id);
        Some(shape)
    });
    Ok(shapes.collect())
}

/// Which spans of each trace meet one of the filters.
fn matched(tests: &[SpanTest<'_>], spans: &[Span]) -> HashMap<TraceId, Matched> {
    let traces = spans.chunk_by(|one, next| one.trace_id == next.trace_id);
    let of_trace = |spans: &[Span]| {
        let is_match = |span: &&Span| tests.iter().any(|test| test.is_met_by(span));
        let matched: Vec<Span> = sorted(spans.iter().filter(is_match).cloned().collect());
        let spans = matched.iter().take(MATCHED_SPANS).map(matched_span).collect();
        Some((matched.first()?.trace_id, Matched { count: matched.len() as u64, spans }))
    };
    traces.filter_map(of_trace).collect()
}

fn matched_span(span: &Span) -> MatchedSpan {
    MatchedSpan {
        span_id: span.span_id,
        service: span.service().to_owned(),
        name: span.name.clone(),
        start: to_rfc3339(span.start_unix_nanos),
        duration_nanos: span.duration_nanos,
        error: span.is_error(),
    }
}

#[cfg(test)]
#[path = "search/tests.rs"]
mod tests;
