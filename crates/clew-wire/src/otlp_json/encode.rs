//! Spans to JSON.

use clew_model::{Attribute, Event, Kind, Link, Resource, Scope, Span, Status, StatusCode, Value};
use serde_json::{Map, Value as Json, json};

use super::schema::{KINDS, STATUS_CODES};
use crate::base64;
use crate::otlp::is_same;

/// Which JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JsonShape {
    /// OTLP/JSON: `resourceSpans`, ids in hexadecimal, enumerations as numbers.
    Otlp,
    /// As Grafana Tempo's `/api/traces/{id}` answers: `batches`, and protobuf's own JSON mapping, so ids in base64 and
    /// enumerations as names.
    Tempo,
}

/// The spans as one JSON document. Members with default values are left out; 64-bit integers are strings.
///
/// Consecutive spans of the same or an equal resource and scope share a group, as in [`crate::otlp::encode`].
pub fn encode(spans: &[Span], shape: JsonShape) -> Json {
    let groups = spans.chunk_by(|a, b| is_same(&a.resource, &b.resource));
    let groups: Vec<Json> = groups.map(|group| shape.resource_spans(group)).collect();
    match shape {
        JsonShape::Otlp => json!({ "resourceSpans": groups }),
        JsonShape::Tempo => json!({ "batches": groups }),
    }
}

impl JsonShape {
    fn resource_spans(self, group: &[Span]) -> Json {
        let scopes = group.chunk_by(|a, b| is_same(&a.scope, &b.scope));
        let mut members = Members::default();
        members.always("resource", resource(&group[0].resource));
        members.always("scopeSpans", scopes.map(|group| self.scope_spans(group)).collect());
        members.text("schemaUrl", &group[0].resource.schema_url);
        members.json()
    }

    fn scope_spans(self, group: &[Span]) -> Json {
        let mut members = Members::default();
        members.always("scope", scope(&group[0].scope));
        members.always("spans", group.iter().map(|span| self.span(span)).collect());
        members.text("schemaUrl", &group[0].scope.schema_url);
        members.json()
    }

    fn span(self, span: &Span) -> Json {
        let mut members = Members::default();
        members.always("traceId", self.id(&span.trace_id.0));
        members.always("spanId", self.id(&span.span_id.0));
        members.text("traceState", &span.trace_state);
        if let Some(parent) = span.parent_span_id {
            members.always("parentSpanId", self.id(&parent.0));
        }
        members.number("flags", span.flags);
        members.text("name", &span.name);
        if span.kind != Kind::Unspecified {
            members.always("kind", self.enumeration(span.kind as usize, &KINDS));
        }
        members.always("startTimeUnixNano", span.start_unix_nanos.to_string().into());
        members.always("endTimeUnixNano", span.end_unix_nanos().to_string().into());
        members.list("attributes", span.attributes.iter().map(attribute));
        members.number("droppedAttributesCount", span.dropped_attributes_count);
        members.list("events", span.events.iter().map(event));
        members.number("droppedEventsCount", span.dropped_events_count);
        members.list("links", span.links.iter().map(|link| self.link(link)));
        members.number("droppedLinksCount", span.dropped_links_count);
        members.always("status", self.status(&span.status));
        members.json()
    }

    fn link(self, link: &Link) -> Json {
        let mut members = Members::default();
        members.always("traceId", self.id(&link.trace_id.0));
        members.always("spanId", self.id(&link.span_id.0));
        members.text("traceState", &link.trace_state);
        members.list("attributes", link.attributes.iter().map(attribute));
        members.number("droppedAttributesCount", link.dropped_attributes_count);
        members.number("flags", link.flags);
        members.json()
    }

    fn status(self, status: &Status) -> Json {
        let mut members = Members::default();
        members.text("message", &status.message);
        if status.code != StatusCode::Unset {
            members.always("code", self.enumeration(status.code as usize, &STATUS_CODES));
        }
        members.json()
    }

    fn id(self, bytes: &[u8]) -> Json {
        match self {
            Self::Otlp => {
                let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
                digits.filter_map(|digit| char::from_digit(digit.into(), 16)).collect::<String>().into()
            }
            Self::Tempo => base64::encode(bytes).into(),
        }
    }

    fn enumeration(self, number: usize, names: &[&str]) -> Json {
        match self {
            Self::Otlp => number.into(),
            Self::Tempo => names[number].into(),
        }
    }
}

fn resource(resource: &Resource) -> Json {
    let mut members = Members::default();
    members.list("attributes", resource.attributes.iter().map(attribute));
    members.number("droppedAttributesCount", resource.dropped_attributes_count);
    members.json()
}

fn scope(scope: &Scope) -> Json {
    let mut members = Members::default();
    members.text("name", &scope.name);
    members.text("version", &scope.version);
    members.list("attributes", scope.attributes.iter().map(attribute));
    members.number("droppedAttributesCount", scope.dropped_attributes_count);
    members.json()
}

fn event(event: &Event) -> Json {
    let mut members = Members::default();
    members.always("timeUnixNano", event.time_unix_nanos.to_string().into());
    members.text("name", &event.name);
    members.list("attributes", event.attributes.iter().map(attribute));
    members.number("droppedAttributesCount", event.dropped_attributes_count);
    members.json()
}

fn attribute(attribute: &Attribute) -> Json {
    json!({ "key": attribute.key, "value": any_value(&attribute.value) })
}

/// Recurses as deep as the value, which was bounded when it was read.
fn any_value(value: &Value) -> Json {
    match value {
        Value::Empty => json!({}),
        Value::String(text) => json!({ "stringValue": text }),
        Value::Bool(truth) => json!({ "boolValue": truth }),
        Value::Int(number) => json!({ "intValue": number.to_string() }),
        Value::Double(number) => json!({ "doubleValue": double(*number) }),
        Value::Bytes(bytes) => json!({ "bytesValue": base64::encode(bytes) }),
        Value::Array(values) => {
            json!({ "arrayValue": { "values": values.iter().map(any_value).collect::<Vec<_>>() } })
        }
        Value::Map(entries) => {
            json!({ "kvlistValue": { "values": entries.iter().map(attribute).collect::<Vec<_>>() } })
        }
    }
}

/// JSON has no word for what is not finite; protobuf's mapping has three.
fn double(number: f64) -> Json {
    if number.is_nan() {
        "NaN".into()
    } else if number.is_infinite() {
        if number > 0.0 { "Infinity".into() } else { "-Infinity".into() }
    } else {
        number.into()
    }
}

/// The members of an object.
#[derive(Default)]
struct Members(Map<String, Json>);

impl Members {
    fn always(&mut self, name: &str, value: Json) {
        self.0.insert(name.to_owned(), value);
    }

    fn text(&mut self, name: &str, text: &str) {
        if !text.is_empty() {
            self.always(name, text.into());
        }
    }

    fn number(&mut self, name: &str, number: u32) {
        if number != 0 {
            self.always(name, number.into());
        }
    }

    fn list(&mut self, name: &str, values: impl ExactSizeIterator<Item = Json>) {
        if values.len() > 0 {
            self.always(name, values.collect());
        }
    }

    fn json(self) -> Json {
        Json::Object(self.0)
    }
}
