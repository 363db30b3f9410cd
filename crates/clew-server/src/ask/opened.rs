//! A trace that was read and explained.

use std::collections::HashSet;
use std::sync::Arc;

use clew_analysis::{Explained, Node, Options, Segment};
use clew_model::scan::{Incomplete, TraceState};
use clew_model::{Attribute, Event, Link, Span, Value};

use super::error::AskError;
use super::gate::{self, Asked};
use super::trace_cache::Key;
use super::version;

/// What allocators add to each piece of memory, about.
const ALLOCATION_BYTES: usize = 16;

/// A trace, explained.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) explained: Explained,
    /// Why spans may be missing.
    pub(crate) incomplete: Option<Incomplete>,
    /// What tells its spans from any others that the trace had or will have.
    spans_version: u64,
    /// Whether times are corrected for skew.
    pub(crate) is_corrected: bool,
}

impl Opened {
    /// Reads and explains.
    pub(crate) fn open(asked: &Asked<'_>, key: &Key) -> Result<Self, AskError> {
        let fetched = gate::fetch(asked, &key.tenant, key.id)?;
        Ok(Self::of(fetched.spans, fetched.incomplete, key.is_corrected))
    }

    /// Explains spans of one trace.
    pub(crate) fn of(spans: Vec<Span>, incomplete: Option<Incomplete>, is_corrected: bool) -> Self {
        let explained = clew_analysis::explain(spans, &Options { correct_skew: is_corrected });
        let spans_version = version::of_spans(&explained, incomplete.as_ref(), is_corrected);
        Self { explained, incomplete, spans_version, is_corrected }
    }

    /// What tells it, as it is shown in that state, from all else that may be shown of the trace.
    pub(crate) fn version(&self, state: &TraceState) -> String {
        version::with_state(self.spans_version, state)
    }

    /// The memory that it takes, about.
    pub(crate) fn bytes(&self) -> usize {
        let explained = &self.explained;
        let mut shared = HashSet::new();
        let spans: usize = explained.spans.iter().map(|span| span_bytes(span, &mut shared)).sum();
        let tail = explained.thread.async_tail.as_ref().map_or(0, |tail| tail.segments.len());
        let repeated: usize = explained.repeats.iter().map(|repeat| repeat.spans.len()).sum();
        size_of::<Self>()
            + spans
            + explained.tree.nodes.len() * (size_of::<Node>() + size_of::<u64>())
            + (explained.thread.segments.len() + tail) * size_of::<Segment>()
            + explained.relations.len() * size_of::<clew_analysis::Relation>()
            + (repeated + explained.tree.roots.len()) * size_of::<usize>()
    }
}

fn span_bytes(span: &Span, shared: &mut HashSet<usize>) -> usize {
    let mut bytes = size_of::<Span>()
        + text(&span.name)
        + text(&span.trace_state)
        + text(&span.status.message)
        + attributes(&span.attributes);
    for event in &span.events {
        bytes += size_of::<Event>() + text(&event.name) + attributes(&event.attributes);
    }
    for link in &span.links {
        bytes += size_of::<Link>() + text(&link.trace_state) + attributes(&link.attributes);
    }
    if shared.insert(Arc::as_ptr(&span.resource) as usize) {
        bytes += attributes(&span.resource.attributes);
    }
    if shared.insert(Arc::as_ptr(&span.scope) as usize) {
        bytes += attributes(&span.scope.attributes);
    }
    bytes
}

fn text(text: &str) -> usize {
    if text.is_empty() { 0 } else { text.len() + ALLOCATION_BYTES }
}

/// Recurses as deep as a value does, which is bounded where values are read.
fn attributes(list: &[Attribute]) -> usize {
    let each = |attribute: &Attribute| size_of::<Attribute>() + text(&attribute.key) + value(&attribute.value);
    ALLOCATION_BYTES + list.iter().map(each).sum::<usize>()
}

fn value(of: &Value) -> usize {
    match of {
        Value::String(content) => text(content),
        Value::Bytes(bytes) => bytes.len() + ALLOCATION_BYTES,
        Value::Array(values) => values.iter().map(|inner| size_of::<Value>() + value(inner)).sum(),
        Value::Map(entries) => attributes(entries),
        Value::Empty | Value::Bool(_) | Value::Int(_) | Value::Double(_) => 0,
    }
}
