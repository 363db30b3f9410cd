//! Executing a search over sources: whole traces are judged after all sources have answered, never before.

use std::collections::HashMap;
use std::sync::Arc;

use clew_model::scan::{Expired, Extent, Incomplete, ScanRequest, SpanSource, TimeRange, TraceMatch};
use clew_model::{Span, SpanId, TraceId};

use super::cursor::Cursor;
use super::error::AskError;
use super::question::{Question, Sort, TOTAL_BOUND, TotalMode};
use super::shape::{Matched, MatchedSpan, SearchAnswer, SummaryShape, Total, TotalRelation};
use super::show;
use super::when::to_rfc3339;

/// Matching spans that a summary shows.
const MATCHED_SPANS: u32 = 3;
/// Traces whose spans are read at once to be summed up.
const TRACES_AT_ONCE: usize = 32;

/// The page of the answer that the question asks for.
pub(crate) fn run(
    sources: &[Arc<dyn SpanSource>],
    question: &Question,
    expired: Expired<'_>,
) -> Result<SearchAnswer, AskError> {
    let (mut matches, mut incomplete) = scan(sources, question, expired)?;
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
        let ids: Vec<TraceId> = chunk.iter().map(|found| found.trace_id).collect();
        let (mut spans, missing) = rows(sources, question, &ids, expired)?;
        incomplete = incomplete.or(missing);
        for found in chunk {
            // A trace may expire between the scan and this look.
            let Some(spans) = spans.remove(&found.trace_id) else { continue };
            traces.push(summary(question, found, &spans, incomplete.as_ref()));
        }
    }
    let cursor = cursor.map(|cursor| cursor.encode());
    Ok(SearchAnswer { traces, total, cursor, incomplete: incomplete.map(Into::into) })
}

/// What all sources found, merged by trace.
///
/// A source answers for the parts of traces that it holds: it leaves out a part that lies outside the range, and one
/// without a span that meets a filter. Of several sources each is asked without an end of the range, since all parts of
/// a trace that begins in it lie after its beginning, and then for the extents of what it left out.
fn scan(
    sources: &[Arc<dyn SpanSource>],
    question: &Question,
    expired: Expired<'_>,
) -> Result<(Vec<TraceMatch>, Option<Incomplete>), AskError> {
    let is_alone = sources.len() == 1;
    let open_end = TimeRange { to_unix_nanos: TimeRange::ALL.to_unix_nanos, ..question.range };
    let request = ScanRequest {
        tenant: question.tenant.clone(),
        range: if is_alone { question.range } else { open_end },
        filters: question.filters.clone(),
        rows_per_trace: if question.filters.is_empty() { 0 } else { MATCHED_SPANS },
    };
    let (mut matches, mut incomplete) = scan_all(sources, &request, expired)?;
    if is_alone {
        return Ok((matches, incomplete));
    }
    matches.retain(|found| question.is_met_by(found.filters_met));
    let ids: Vec<TraceId> = matches.iter().map(|found| found.trace_id).collect();
    let mut wholes: HashMap<TraceId, Extent> = HashMap::with_capacity(ids.len());
    for source in sources {
        let answer = source.extents(&question.tenant, &ids, expired)?;
        incomplete = incomplete.or(answer.incomplete);
        for (id, part) in answer.extents {
            wholes.entry(id).and_modify(|whole| *whole = whole.merge(part)).or_insert(part);
        }
    }
    for found in &mut matches {
        found.extent = wholes.get(&found.trace_id).copied().unwrap_or(found.extent);
    }
    Ok((matches, incomplete))
}

/// The answers of all sources to one request, merged by trace.
fn scan_all(
    sources: &[Arc<dyn SpanSource>],
    request: &ScanRequest,
    expired: Expired<'_>,
) -> Result<(Vec<TraceMatch>, Option<Incomplete>), AskError> {
    let mut incomplete = None;
    let mut parts = Vec::with_capacity(sources.len());
    for source in sources {
        let answer = source.scan(request, expired)?;
        incomplete = incomplete.or(answer.incomplete);
        parts.push(answer.matches);
    }
    Ok((merge(parts), incomplete))
}

/// One match for each trace, from the parts that the sources hold.
fn merge(mut parts: Vec<Vec<TraceMatch>>) -> Vec<TraceMatch> {
    let Some(mut all) = parts.pop() else { return Vec::new() };
    if parts.is_empty() {
        return all;
    }
    let mut position: HashMap<TraceId, usize> =
        all.iter().enumerate().map(|(at, found)| (found.trace_id, at)).collect();
    for part in parts.into_iter().flatten() {
        let Some(at) = position.get(&part.trace_id) else {
            position.insert(part.trace_id, all.len());
            all.push(part);
            continue;
        };
        let whole = &mut all[*at];
        whole.extent = whole.extent.merge(part.extent);
        whole.filters_met |= part.filters_met;
        whole.matched_count = whole.matched_count.saturating_add(part.matched_count);
        whole.rows.extend(part.rows);
        whole.rows.sort_by_key(|row| (row.start_unix_nanos, row.span_id));
        whole.rows.dedup();
        whole.rows.truncate(MATCHED_SPANS as usize);
    }
    all
}

/// Whether the whole trace is an answer.
fn is_answer(question: &Question, found: &TraceMatch) -> bool {
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

/// The spans of some traces.
type Spans = HashMap<TraceId, Vec<Span>>;

/// All spans of these traces, from all sources.
fn rows(
    sources: &[Arc<dyn SpanSource>],
    question: &Question,
    ids: &[TraceId],
    expired: Expired<'_>,
) -> Result<(Spans, Option<Incomplete>), AskError> {
    let mut incomplete = None;
    let mut by_trace = Spans::with_capacity(ids.len());
    for source in sources {
        let answer = source.rows(&question.tenant, ids, expired)?;
        incomplete = incomplete.or(answer.incomplete);
        for span in answer.spans {
            by_trace.entry(span.trace_id).or_default().push(span);
        }
    }
    Ok((by_trace, incomplete))
}

fn summary(question: &Question, found: &TraceMatch, spans: &[Span], incomplete: Option<&Incomplete>) -> SummaryShape {
    let mut shape = show::summary(&clew_analysis::summarize(spans), incomplete);
    if !question.filters.is_empty() {
        let by_id: HashMap<SpanId, &Span> = spans.iter().map(|span| (span.span_id, span)).collect();
        let shown = found.rows.iter().filter_map(|row| by_id.get(&row.span_id).copied());
        let spans = shown.map(matched_span).collect();
        shape.matched = Some(Matched { count: u64::from(found.matched_count), spans });
    }
    shape
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
