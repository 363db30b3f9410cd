//! Owned spans and values, for whoever needs a few of them whole.

use std::ops::Range;
use std::sync::Arc;

use clew_model::{Attribute, Event, Link, Notes, Resource, Scope, Span, Status, Value};

use super::reader::Reader;
use super::request::walk;
use super::value::{DEPTH_MAX, Mender};
use super::view::{KeyValueView, Limits, ResourceView, ScopeView, SpanSink, SpanView, ValueView, WireError};

/// The value of an `AnyValue` message, such as the bytes of [`ValueView::Nested`]. Bytes that cannot be read, and what
/// lies deeper than any limit allows, read as [`Value::Empty`].
pub fn decode_value(any_value_message: &[u8]) -> Value {
    let mut value = Value::Empty;
    let mut notes = Notes::default();
    let mut mender = Mender { bytes_max: u32::MAX, notes: &mut notes };
    match mender.merge(&mut value, Reader::new(any_value_message, 0), DEPTH_MAX) {
        Ok(()) => value,
        Err(_) => Value::Empty,
    }
}

/// The kept spans of an admitted body, owned. Spans of one resource or scope message share it.
pub fn spans(body: &[u8], limits: &Limits, received_unix_nanos: u64, rejected: &[u32]) -> Result<Vec<Span>, WireError> {
    let mut owner = Owner { received_unix_nanos, ..Owner::default() };
    walk(body, limits, received_unix_nanos, rejected, &mut owner)?;
    Ok(owner.spans)
}

#[derive(Default)]
struct Owner {
    spans: Vec<Span>,
    resource: Arc<Resource>,
    scope: Arc<Scope>,
    received_unix_nanos: u64,
}

impl<'a> SpanSink<'a> for Owner {
    fn resource(&mut self, resource: &ResourceView<'a, '_>) {
        self.resource = Arc::new(resource.to_resource());
    }

    fn scope(&mut self, scope: &ScopeView<'a, '_>) {
        self.scope = Arc::new(scope.to_scope());
    }

    fn span(&mut self, _: u32, span: &SpanView<'a, '_>) {
        self.spans.push(span.to_span(&self.resource, &self.scope, self.received_unix_nanos));
    }
}

impl ValueView<'_> {
    /// The value, owned.
    pub fn to_value(&self) -> Value {
        match self {
            Self::Empty => Value::Empty,
            Self::String(text) => Value::String(text.as_str().to_owned()),
            Self::Bool(truth) => Value::Bool(*truth),
            Self::Int(number) => Value::Int(*number),
            Self::Double(number) => Value::Double(*number),
            Self::Bytes(bytes) => Value::Bytes(bytes.to_vec()),
            Self::Nested(message) => decode_value(message),
        }
    }
}

impl KeyValueView<'_> {
    /// The attribute, owned.
    pub fn to_attribute(&self) -> Attribute {
        Attribute { key: self.key.as_str().to_owned(), value: self.value.to_value() }
    }
}

impl ResourceView<'_, '_> {
    /// The resource, owned.
    pub fn to_resource(&self) -> Resource {
        Resource {
            attributes: owned(self.attributes),
            dropped_attributes_count: self.dropped_attributes_count,
            schema_url: self.schema_url.as_ref().to_owned(),
        }
    }
}

impl ScopeView<'_, '_> {
    /// The scope, owned.
    pub fn to_scope(&self) -> Scope {
        Scope {
            name: self.name.as_ref().to_owned(),
            version: self.version.as_ref().to_owned(),
            attributes: owned(self.attributes),
            dropped_attributes_count: self.dropped_attributes_count,
            schema_url: self.schema_url.as_ref().to_owned(),
        }
    }
}

impl SpanView<'_, '_> {
    /// The span, owned.
    pub fn to_span(&self, resource: &Arc<Resource>, scope: &Arc<Scope>, received_unix_nanos: u64) -> Span {
        Span {
            trace_id: self.trace_id,
            span_id: self.span_id,
            parent_span_id: self.parent_span_id,
            trace_state: self.trace_state.as_ref().to_owned(),
            flags: self.flags,
            name: self.name.as_ref().to_owned(),
            kind: self.kind,
            start_unix_nanos: self.start_unix_nanos,
            duration_nanos: self.duration_nanos,
            status: Status { code: self.status_code, message: self.status_message.as_ref().to_owned() },
            attributes: owned(self.attributes),
            dropped_attributes_count: self.dropped_attributes_count,
            events: self.owned_events(),
            dropped_events_count: self.dropped_events_count,
            links: self.owned_links(),
            dropped_links_count: self.dropped_links_count,
            resource: Arc::clone(resource),
            scope: Arc::clone(scope),
            received_unix_nanos,
            notes: self.notes,
        }
    }

    fn owned_events(&self) -> Vec<Event> {
        let event = |event: &super::EventView<'_>| Event {
            time_unix_nanos: event.time_unix_nanos,
            name: event.name.as_ref().to_owned(),
            attributes: self.nested(&event.attributes),
            dropped_attributes_count: event.dropped_attributes_count,
        };
        self.events.iter().map(event).collect()
    }

    fn owned_links(&self) -> Vec<Link> {
        let link = |link: &super::LinkView<'_>| Link {
            trace_id: link.trace_id,
            span_id: link.span_id,
            trace_state: link.trace_state.as_ref().to_owned(),
            attributes: self.nested(&link.attributes),
            dropped_attributes_count: link.dropped_attributes_count,
            flags: link.flags,
        };
        self.links.iter().map(link).collect()
    }

    fn nested(&self, range: &Range<usize>) -> Vec<Attribute> {
        owned(&self.nested_attributes[range.clone()])
    }
}

fn owned(attributes: &[KeyValueView<'_>]) -> Vec<Attribute> {
    attributes.iter().map(KeyValueView::to_attribute).collect()
}
