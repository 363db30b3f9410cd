//! Executing a search: whole traces are judged, never the parts in which they are stored.

use std::collections::HashMap;

use clew_model::scan::{
    Expired, Incomplete, MatchedAnswer, MatchedRequest, MatchedSpans, RowsAnswer, ScanAnswer, ScanRequest, ShownSpan,
    SpanFilter, SpanSource, SummariesAnswer, TraceMatch,
};
use clew_model::{Summary, TraceId};

use super::cursor::Cursor;
use super::error::AskError;
use super::newest::{self, Listed};
use super::question::{Question, Sort, TotalMode};
use super::shape::{Matched, MatchedSpan, SearchAnswer, SummaryShape, Total, TotalRelation};
use super::when::to_rfc3339;
use super::{show, silhouette};

/// Matching spans that a summary shows.
const MATCHED_SPANS: usize = 3;
/// Traces that are summed up between two looks at the time.
const TRACES_AT_ONCE: usize = 32;

/// The page of the answer that the question asks for. A bounded total ends at `total_bound`.
pub(crate) fn run(
    source: &dyn SpanSource,
    question: &Question,
    total_bound: u64,
    expired: Expired<'_>,
) -> Result<SearchAnswer, AskError> {
    let Listed { page: matches, is_last, count, mut incomplete } = page(source, question, total_bound, expired)?;
    let total = total(question.total, count, total_bound);
    let cursor = matches.last().filter(|_| !is_last).map(|last| Cursor {
        question: question.hash,
        range: question.range,
        key: key(question.sort, last),
        trace_id: last.trace_id,
    });
    let mut traces = Vec::with_capacity(matches.len());
    let mut room = silhouette::SPANS_MAX;
    for chunk in matches.chunks(TRACES_AT_ONCE) {
        if expired() {
            return Err(AskError::Expired);
        }
        traces.extend(summaries(source, question, chunk, (&mut room, &mut incomplete), expired)?);
    }
    let cursor = cursor.map(|cursor| cursor.encode());
    Ok(SearchAnswer { traces, total, cursor, incomplete: incomplete.map(Into::into) })
}

/// The traces of the page.
fn page(
    source: &dyn SpanSource,
    question: &Question,
    total_bound: u64,
    expired: Expired<'_>,
) -> Result<Listed, AskError> {
    let request = request(question);
    if let Some(listed) = newest::list(source, question, &request, total_bound, expired)? {
        return Ok(listed);
    }
    let ScanAnswer { mut matches, incomplete, .. } = source.scan(&request, expired)?;
    matches.retain(|found| is_answer(question, found));
    let count = matches.len();
    let is_last = cut_page(question, &mut matches);
    Ok(Listed { page: matches, is_last, count, incomplete })
}

/// The traces that have spans as the question wants them.
pub(super) fn scan(source: &dyn SpanSource, question: &Question, expired: Expired<'_>) -> Result<ScanAnswer, AskError> {
    Ok(source.scan(&request(question), expired)?)
}

fn request(question: &Question) -> ScanRequest {
    ScanRequest {
        tenant: question.tenant.clone(),
        range: question.range,
        filters: question.filters.clone(),
        // Which spans are shown is decided later, for those traces that are: a source may hold a span twice.
        rows_per_trace: 0,
    }
}

/// Whether the whole trace is an answer.
pub(super) fn is_answer(question: &Question, found: &TraceMatch) -> bool {
    let (min, max) = question.duration_nanos;
    question.is_met_by(found.filters_met)
        && question.range.contains(found.extent.start_unix_nanos)
        && (min..=max).contains(&found.extent.nanos())
}

fn total(mode: TotalMode, count: usize, bound: u64) -> Option<Total> {
    let count = count as u64;
    match mode {
        TotalMode::None => None,
        TotalMode::Bounded if count > bound => Some(Total { value: bound, relation: TotalRelation::Gte }),
        TotalMode::Bounded | TotalMode::Exact => Some(Total { value: count, relation: TotalRelation::Eq }),
    }
}

/// Leaves the page in `matches`, in order; `true` when nothing comes after it.
fn cut_page(question: &Question, matches: &mut Vec<TraceMatch>) -> bool {
    let rank = |found: &TraceMatch| rank_of(question.sort, found);
    if question.after.is_some() {
        matches.retain(|found| is_behind_cursor(question, found));
    }
    let is_last = matches.len() <= question.limit;
    if !is_last {
        matches.select_nth_unstable_by_key(question.limit, rank);
        matches.truncate(question.limit);
    }
    matches.sort_unstable_by_key(rank);
    is_last
}

/// What traces are ordered by.
pub(super) fn rank_of(sort: Sort, found: &TraceMatch) -> (u64, TraceId) {
    (rank(sort, key(sort, found)), found.trace_id)
}

/// Whether the trace comes after the page before.
pub(super) fn is_behind_cursor(question: &Question, found: &TraceMatch) -> bool {
    let sort = question.sort;
    question.after.as_ref().is_none_or(|after| rank_of(sort, found) > (rank(sort, after.key), after.trace_id))
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

/// The traces as a page shows them. The numbers are how many spans may still be read for silhouettes alone.
fn summaries(
    source: &dyn SpanSource,
    question: &Question,
    found: &[TraceMatch],
    (room, incomplete): (&mut u64, &mut Option<Incomplete>),
    expired: Expired<'_>,
) -> Result<Vec<SummaryShape>, AskError> {
    let ids: Vec<TraceId> = found.iter().map(|found| found.trace_id).collect();
    let SummariesAnswer { summaries, incomplete: missing } = source.summaries(&question.tenant, &ids, expired)?;
    *incomplete = incomplete.take().or(missing);
    let mut summaries: HashMap<TraceId, Summary> =
        summaries.into_iter().map(|summary| (summary.trace_id, summary)).collect();
    let (mut matched, mut silhouettes) = (HashMap::new(), HashMap::new());
    if !question.filters.is_empty() {
        let filters: Vec<SpanFilter> = question.shown_filters().cloned().collect();
        let tenant = &question.tenant;
        let request = MatchedRequest { tenant, ids: &ids, filters: &filters, shown_per_trace: MATCHED_SPANS };
        let MatchedAnswer { traces, incomplete: missing } = source.matched(&request, expired)?;
        *incomplete = incomplete.take().or(missing);
        matched = traces.into_iter().map(|trace| (trace.trace_id, self::matched(trace))).collect();
    }
    if question.silhouette {
        let drawn = silhouette::that_fit(&ids, &summaries, room);
        let RowsAnswer { spans, incomplete: missing } = source.outlines(&question.tenant, &drawn, expired)?;
        *incomplete = incomplete.take().or(missing);
        silhouettes = silhouette::of_traces(&spans, &summaries);
    }
    // A trace may be over between the scan and this look.
    let states = source.trace_states(&question.tenant, &ids);
    let shapes = ids.iter().zip(&states).filter_map(|(id, state)| {
        let mut shape = show::summary(&summaries.remove(id)?, state, incomplete.as_ref());
        shape.matched = matched.remove(id);
        shape.silhouette = silhouettes.remove(id);
        Some(shape)
    });
    Ok(shapes.collect())
}

/// As the answer says it.
fn matched(found: MatchedSpans) -> Matched {
    let shape = |span: ShownSpan| MatchedSpan {
        span_id: span.span_id,
        service: span.service,
        name: span.name,
        start: to_rfc3339(span.start_unix_nanos),
        duration_nanos: span.duration_nanos,
        error: span.is_error,
    };
    Matched { count: found.count, spans: found.shown.into_iter().map(shape).collect() }
}

#[cfg(test)]
#[path = "search/tests.rs"]
pub(super) mod tests;
