//! Spans in short, and edges in words.

use std::sync::Arc;

use clew_model::{Attribute, Kind, Link, Resource, Span, SpanId, StatusCode, TraceId, Value};
use clew_rollup::Rollup;

pub(crate) const TRACE: TraceId = TraceId([7; 16]);
/// The minute in which drawn spans start.
pub(crate) const MINUTE: u64 = 29_400_000;

/// A span of 1 ms that starts as many milliseconds into the minute as its id says.
pub(crate) fn span(service: &str, kind: Kind, id: u64, parent: u64) -> Span {
    let attributes = vec![Attribute::new("service.name", service)];
    Span {
        trace_id: TRACE,
        span_id: SpanId::from_u64(id),
        parent_span_id: (parent != 0).then(|| SpanId::from_u64(parent)),
        name: format!("op {id}"),
        kind,
        start_unix_nanos: MINUTE * Rollup::MINUTE_NANOS + id * 1_000_000,
        duration_nanos: 1_000_000,
        resource: Arc::new(Resource { attributes, ..Resource::default() }),
        ..Span::default()
    }
}

pub(crate) trait Drawn: Sized {
    fn with(self, key: &str, value: impl Into<Value>) -> Self;
    fn failed(self) -> Self;
    fn linked(self, trace_id: TraceId, id: u64) -> Self;
}

impl Drawn for Span {
    fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.attributes.push(Attribute::new(key, value));
        self
    }

    fn failed(mut self) -> Self {
        self.status.code = StatusCode::Error;
        self
    }

    fn linked(mut self, trace_id: TraceId, id: u64) -> Self {
        self.links.push(Link { trace_id, span_id: SpanId::from_u64(id), ..Link::default() });
        self
    }
}

/// The edges of a trace: `caller -> callee connection`, with the number if it is not 1 and the failures if there are any.
pub(crate) fn edges(spans: &[Span]) -> Vec<String> {
    let rollup = Rollup::of_trace(spans, true);
    let words = |(_, key, figures): (u64, &clew_rollup::EdgeKey, &clew_rollup::EdgeFigures)| {
        let mut words = format!("{} -> {} {}", key.caller, key.callee, key.connection.as_str());
        if figures.received != 1 {
            words = format!("{words} x{}", figures.received);
        }
        if figures.errors != 0 {
            words = format!("{words} failed {}", figures.errors);
        }
        words
    };
    rollup.edges(0..u64::MAX, None).map(words).collect()
}
