//! The figures a search page shows about a trace.

use std::collections::{BTreeSet, HashSet};

use foldhash::fast::RandomState;
use serde::{Deserialize, Serialize};

use crate::identity::distinct_indices;
use crate::{Notes, Span, SpanId, TraceId};

/// A trace in short.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// The trace; zeros when there are no spans.
    pub trace_id: TraceId,
    /// The root, or the earliest span without a received parent while `root_seen` is false. `None` without spans.
    pub root: Option<RootRef>,
    /// First start, in unix nanoseconds. Spans with [`Notes::ODD_TIME`] are left out here and in the duration unless there
    /// are no others.
    pub start_unix_nanos: u64,
    /// Last end minus first start, in nanoseconds.
    pub duration_nanos: u64,
    /// Spans, identical ones once.
    pub span_count: usize,
    /// Failed spans.
    pub error_count: usize,
    /// The services that sent spans, sorted.
    pub services: Vec<String>,
    /// Whether `root` has no parent.
    pub root_seen: bool,
}

/// A root in short.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RootRef {
    /// Its service.
    pub service: String,
    /// Its operation.
    pub operation: String,
    /// Itself.
    pub span_id: SpanId,
}

/// The summary of the spans of one trace, given in any order and with repeats.
pub fn summarize(spans: &[Span]) -> Summary {
    let spans: Vec<&Span> = distinct_indices(spans).into_iter().map(|index| &spans[index]).collect();
    let Some(first) = spans.first() else { return Summary::default() };
    let (start_unix_nanos, end_unix_nanos) = extent(spans.iter().copied());
    let services: BTreeSet<&str> = spans.iter().map(|span| span.service()).collect();
    let root = root(&spans);
    Summary {
        trace_id: first.trace_id,
        root: root.map(|root| RootRef {
            service: root.service().to_owned(),
            operation: root.name.clone(),
            span_id: root.span_id,
        }),
        start_unix_nanos,
        duration_nanos: end_unix_nanos - start_unix_nanos,
        span_count: spans.len(),
        error_count: spans.iter().filter(|span| span.is_error()).count(),
        services: services.into_iter().map(str::to_owned).collect(),
        root_seen: root.is_some_and(|root| root.parent_span_id.is_none()),
    }
}

/// First start and last end, odd times left out if there are others; `(0, 0)` without spans.
pub fn extent<'a>(spans: impl Iterator<Item = &'a Span> + Clone) -> (u64, u64) {
    let is_odd = |span: &&Span| span.notes.contains(Notes::ODD_TIME);
    let all_odd = spans.clone().all(|span| is_odd(&span));
    let counted = spans.filter(|span| all_odd || !is_odd(span));
    let bounds = counted.map(|span| (span.start_unix_nanos, span.end_unix_nanos()));
    bounds.reduce(|(start, end), other| (start.min(other.0), end.max(other.1))).unwrap_or((0, 0))
}

/// The span that stands for the trace: of those without a parent the earliest, one that follows up another span of the
/// trace by a link only for want of others; else the earliest whose parent was not received; else the earliest. The far
/// half of a call whose near half has the same id stands behind them all, and of equals those with odd times stand last.
fn root<'a>(spans: &[&'a Span]) -> Option<&'a Span> {
    let ids: HashSet<SpanId, RandomState> = spans.iter().map(|span| span.span_id).collect();
    // Of callers, those alone count whose id several spans have.
    let callers: HashSet<SpanId, RandomState> = if ids.len() < spans.len() {
        spans.iter().filter(|span| span.kind.is_caller()).map(|span| span.span_id).collect()
    } else {
        HashSet::default()
    };
    let rank = |span: &Span| match span.parent_span_id {
        _ if span.kind.is_callee() && callers.contains(&span.span_id) => 3,
        None => u8::from(is_follow_up(span, |id| ids.contains(&id))),
        Some(parent) if !ids.contains(&parent) => 2,
        Some(_) => 3,
    };
    let is_odd = |span: &Span| span.notes.contains(Notes::ODD_TIME);
    spans.iter().copied().min_by(|left, right| {
        let key = |span: &Span| (rank(span), is_odd(span));
        key(left).cmp(&key(right)).then_with(|| crate::identity::canonical(left, right))
    })
}

/// Whether a span without a parent links to another span of its trace, and so continues that one's work.
pub fn is_follow_up(span: &Span, is_known: impl Fn(SpanId) -> bool) -> bool {
    let others = span.links.iter().filter(|link| link.trace_id == span.trace_id && link.span_id != span.span_id);
    span.parent_span_id.is_none() && others.into_iter().any(|link| is_known(link.span_id))
}
