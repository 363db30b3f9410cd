//! Links, followed.

use std::collections::HashMap;

use clew_model::{Span, SpanId, TraceId};
use foldhash::fast::RandomState;
use serde::Serialize;

/// A link from one span to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Relation {
    /// Index of the span that has the link.
    pub from: usize,
    /// The trace it points to.
    pub trace_id: TraceId,
    /// The span it points to.
    pub span_id: SpanId,
    /// Index of that span when it is among these; of several with its id, the first.
    pub to: Option<usize>,
}

/// The links of these spans, in order.
pub fn relations(spans: &[Span]) -> Vec<Relation> {
    let mut by_id: HashMap<(TraceId, SpanId), usize, RandomState> = HashMap::default();
    if spans.iter().any(|span| !span.links.is_empty()) {
        for (index, span) in spans.iter().enumerate() {
            by_id.entry((span.trace_id, span.span_id)).or_insert(index);
        }
    }
    let links = spans.iter().enumerate().flat_map(|(from, span)| span.links.iter().map(move |link| (from, link)));
    links
        .map(|(from, link)| {
            let (trace_id, span_id) = (link.trace_id, link.span_id);
            Relation { from, trace_id, span_id, to: by_id.get(&(trace_id, span_id)).copied() }
        })
        .collect()
}
