//! What a body means, said by prost and plain code.
//!
//! The messages are OTLP's with two changes: texts are bytes, so that prost does not refuse what clew mends, and spans
//! are bytes, so that each is judged alone.

use std::sync::Arc;

use clew_model::{
    Attribute, Event, Kind, Link, Notes, RejectReason, Resource, Scope, Span, SpanId, StatusCode, TraceId,
};
use prost::{Message, Oneof};

use crate::NOW;

#[derive(Clone, PartialEq, Message)]
struct Request {
    #[prost(message, repeated, tag = "1")]
    resource_spans: Vec<ResourceSpans>,
}

#[derive(Clone, PartialEq, Message)]
struct ResourceSpans {
    #[prost(message, optional, tag = "1")]
    resource: Option<ResourceMessage>,
    #[prost(message, repeated, tag = "2")]
    scope_spans: Vec<ScopeSpans>,
    #[prost(bytes = "vec", tag = "3")]
    schema_url: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
struct ResourceMessage {
    #[prost(message, repeated, tag = "1")]
    attributes: Vec<KeyValue>,
    #[prost(uint32, tag = "2")]
    dropped_attributes_count: u32,
}

#[derive(Clone, PartialEq, Message)]
struct ScopeSpans {
    #[prost(message, optional, tag = "1")]
    scope: Option<ScopeMessage>,
    #[prost(bytes = "vec", repeated, tag = "2")]
    spans: Vec<Vec<u8>>,
    #[prost(bytes = "vec", tag = "3")]
    schema_url: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
struct ScopeMessage {
    #[prost(bytes = "vec", tag = "1")]
    name: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    version: Vec<u8>,
    #[prost(message, repeated, tag = "3")]
    attributes: Vec<KeyValue>,
    #[prost(uint32, tag = "4")]
    dropped_attributes_count: u32,
}

#[derive(Clone, PartialEq, Message)]
struct SpanMessage {
    #[prost(bytes = "vec", tag = "1")]
    trace_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    span_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "3")]
    trace_state: Vec<u8>,
    #[prost(bytes = "vec", tag = "4")]
    parent_span_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "5")]
    name: Vec<u8>,
    #[prost(int32, tag = "6")]
    kind: i32,
    #[prost(fixed64, tag = "7")]
    start: u64,
    #[prost(fixed64, tag = "8")]
    end: u64,
    #[prost(message, repeated, tag = "9")]
    attributes: Vec<KeyValue>,
    #[prost(uint32, tag = "10")]
    dropped_attributes_count: u32,
    #[prost(message, repeated, tag = "11")]
    events: Vec<EventMessage>,
    #[prost(uint32, tag = "12")]
    dropped_events_count: u32,
    #[prost(message, repeated, tag = "13")]
    links: Vec<LinkMessage>,
    #[prost(uint32, tag = "14")]
    dropped_links_count: u32,
    #[prost(message, optional, tag = "15")]
    status: Option<StatusMessage>,
    #[prost(fixed32, tag = "16")]
    flags: u32,
}

#[derive(Clone, PartialEq, Message)]
struct EventMessage {
    #[prost(fixed64, tag = "1")]
    time: u64,
    #[prost(bytes = "vec", tag = "2")]
    name: Vec<u8>,
    #[prost(message, repeated, tag = "3")]
    attributes: Vec<KeyValue>,
    #[prost(uint32, tag = "4")]
    dropped_attributes_count: u32,
}

#[derive(Clone, PartialEq, Message)]
struct LinkMessage {
    #[prost(bytes = "vec", tag = "1")]
    trace_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    span_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "3")]
    trace_state: Vec<u8>,
    #[prost(message, repeated, tag = "4")]
    attributes: Vec<KeyValue>,
    #[prost(uint32, tag = "5")]
    dropped_attributes_count: u32,
    #[prost(fixed32, tag = "6")]
    flags: u32,
}

#[derive(Clone, PartialEq, Message)]
struct StatusMessage {
    #[prost(bytes = "vec", tag = "2")]
    message: Vec<u8>,
    #[prost(int32, tag = "3")]
    code: i32,
}

#[derive(Clone, PartialEq, Message)]
struct KeyValue {
    #[prost(bytes = "vec", tag = "1")]
    key: Vec<u8>,
    #[prost(message, optional, tag = "2")]
    value: Option<AnyValue>,
}

#[derive(Clone, PartialEq, Message)]
struct AnyValue {
    #[prost(oneof = "Value", tags = "1, 2, 3, 4, 5, 6, 7, 8")]
    value: Option<Value>,
}

#[derive(Clone, PartialEq, Oneof)]
enum Value {
    #[prost(bytes, tag = "1")]
    String(Vec<u8>),
    #[prost(bool, tag = "2")]
    Bool(bool),
    #[prost(int64, tag = "3")]
    Int(i64),
    #[prost(double, tag = "4")]
    Double(f64),
    #[prost(message, tag = "5")]
    Array(ArrayValue),
    #[prost(message, tag = "6")]
    Map(KeyValueList),
    #[prost(bytes, tag = "7")]
    Bytes(Vec<u8>),
    #[prost(int32, tag = "8")]
    Index(i32),
}

#[derive(Clone, PartialEq, Message)]
struct ArrayValue {
    #[prost(message, repeated, tag = "1")]
    values: Vec<AnyValue>,
}

#[derive(Clone, PartialEq, Message)]
struct KeyValueList {
    #[prost(message, repeated, tag = "1")]
    values: Vec<KeyValue>,
}

/// What clew should find in a body.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    pub(crate) rejected: Vec<(u32, RejectReason)>,
    pub(crate) spans: Vec<Span>,
    pub(crate) span_count: u32,
}

/// The verdict; `None` when the body's framing is unreadable.
pub(crate) fn verdict(body: &[u8]) -> Option<Verdict> {
    let request = Request::decode(body).ok()?;
    let mut verdict = Verdict::default();
    for group in request.resource_spans {
        let mut reader = Mender::default();
        let resource = reader.resource(group.resource.unwrap_or_default(), &group.schema_url);
        let resource = Arc::new(resource);
        for group in group.scope_spans {
            let mut reader = reader;
            let scope = Arc::new(reader.scope(group.scope.unwrap_or_default(), &group.schema_url));
            for span in group.spans {
                match SpanMessage::decode(&*span)
                    .map_err(|_| RejectReason::Undecodable)
                    .and_then(|span| reader.span(span))
                {
                    Ok(mut span) => {
                        span.resource = Arc::clone(&resource);
                        span.scope = Arc::clone(&scope);
                        verdict.spans.push(span);
                    }
                    Err(reason) => verdict.rejected.push((verdict.span_count, reason)),
                }
                verdict.span_count += 1;
            }
        }
    }
    Some(verdict)
}

/// Mends as clew does, and remembers how.
#[derive(Default, Clone, Copy)]
struct Mender {
    notes: Notes,
}

impl Mender {
    fn text(&mut self, bytes: &[u8]) -> String {
        let text = String::from_utf8_lossy(bytes).into_owned();
        if text.as_bytes() != bytes {
            self.notes |= Notes::TEXT_REPLACED;
        }
        text
    }

    fn value(&mut self, value: Option<AnyValue>) -> clew_model::Value {
        use clew_model::Value as Model;
        match value.and_then(|value| value.value) {
            None | Some(Value::Index(_)) => Model::Empty,
            Some(Value::String(bytes)) => Model::String(self.text(&bytes)),
            Some(Value::Bool(truth)) => Model::Bool(truth),
            Some(Value::Int(number)) => Model::Int(number),
            Some(Value::Double(number)) => Model::Double(number),
            Some(Value::Bytes(bytes)) => Model::Bytes(bytes),
            Some(Value::Array(list)) => {
                Model::Array(list.values.into_iter().map(|value| self.value(Some(value))).collect())
            }
            Some(Value::Map(list)) => Model::Map(self.attributes(list.values)),
        }
    }

    fn attributes(&mut self, pairs: Vec<KeyValue>) -> Vec<Attribute> {
        let attribute = |pair: KeyValue| Attribute { key: self.text(&pair.key), value: self.value(pair.value) };
        pairs.into_iter().map(attribute).collect()
    }

    fn resource(&mut self, message: ResourceMessage, schema_url: &[u8]) -> Resource {
        let resource = Resource {
            attributes: self.attributes(message.attributes),
            dropped_attributes_count: message.dropped_attributes_count,
            schema_url: self.text(schema_url),
        };
        let service = resource.attributes.iter().find(|attribute| attribute.key == "service.name");
        if service.and_then(|service| service.value.as_str()).is_none_or(str::is_empty) {
            self.notes |= Notes::NO_SERVICE;
        }
        resource
    }

    fn scope(&mut self, message: ScopeMessage, schema_url: &[u8]) -> Scope {
        Scope {
            name: self.text(&message.name),
            version: self.text(&message.version),
            attributes: self.attributes(message.attributes),
            dropped_attributes_count: message.dropped_attributes_count,
            schema_url: self.text(schema_url),
        }
    }

    fn span(mut self, message: SpanMessage) -> Result<Span, RejectReason> {
        let status = message.status.unwrap_or_default();
        let kind = u64::try_from(message.kind).ok().and_then(Kind::from_number);
        let code = u64::try_from(status.code).ok().and_then(StatusCode::from_number);
        let parent_span_id = SpanId::from_slice(&message.parent_span_id);
        let is_root = message.parent_span_id.is_empty() || message.parent_span_id == [0; 8];
        let mut span = Span {
            trace_id: TraceId::from_slice(&message.trace_id).ok_or(RejectReason::BadTraceId)?,
            span_id: SpanId::from_slice(&message.span_id).ok_or(RejectReason::BadSpanId)?,
            parent_span_id,
            trace_state: self.text(&message.trace_state),
            flags: message.flags,
            name: self.text(&message.name),
            kind: kind.unwrap_or_default(),
            start_unix_nanos: message.start,
            duration_nanos: message.end.saturating_sub(message.start),
            attributes: self.attributes(message.attributes),
            dropped_attributes_count: message.dropped_attributes_count,
            dropped_events_count: message.dropped_events_count,
            dropped_links_count: message.dropped_links_count,
            received_unix_nanos: NOW,
            ..Span::default()
        };
        if message.start == 0 {
            return Err(RejectReason::MissingStart);
        }
        span.status.code = code.unwrap_or_default();
        span.status.message = self.text(&status.message);
        for event in message.events {
            span.events.push(self.event(event));
        }
        let mut has_bad_links = false;
        for link in message.links {
            if let Some(link) = self.link(link) {
                span.links.push(link);
            } else {
                has_bad_links = true;
                span.dropped_links_count = span.dropped_links_count.saturating_add(1);
            }
        }
        let odd = message.start < 946_684_800_000_000_000 || message.start > NOW + 86_400_000_000_000;
        for (is_set, note) in [
            (message.end < message.start, Notes::END_BEFORE_START),
            (odd, Notes::ODD_TIME),
            (message.name.is_empty(), Notes::EMPTY_NAME),
            (kind.is_none() || code.is_none(), Notes::UNKNOWN_ENUM),
            (has_bad_links || parent_span_id.is_none() && !is_root, Notes::BAD_REFERENCE),
        ] {
            if is_set {
                self.notes |= note;
            }
        }
        span.notes = self.notes;
        Ok(span)
    }

    fn event(&mut self, event: EventMessage) -> Event {
        Event {
            time_unix_nanos: event.time,
            name: self.text(&event.name),
            attributes: self.attributes(event.attributes),
            dropped_attributes_count: event.dropped_attributes_count,
        }
    }

    fn link(&mut self, link: LinkMessage) -> Option<Link> {
        // Mending what is not kept is not noted.
        let (trace_id, span_id) = (TraceId::from_slice(&link.trace_id)?, SpanId::from_slice(&link.span_id)?);
        Some(Link {
            trace_id,
            span_id,
            trace_state: self.text(&link.trace_state),
            attributes: self.attributes(link.attributes),
            dropped_attributes_count: link.dropped_attributes_count,
            flags: link.flags,
        })
    }
}
