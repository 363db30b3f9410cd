//! Zipkin's JSON, version 2, to spans.
//!
//! Translations follow OpenTelemetry's for Zipkin, backwards: tags that OTLP has fields for become these fields, annotations
//! become events, the local endpoint is the resource. A client and a server may share a span's id, and the analysis tells
//! such halves apart. Source: Zipkin's `zipkin2-api.yaml`.

use std::collections::HashMap;
use std::sync::Arc;

use clew_model::{Attribute, Event, Kind, Resource, Scope, Span, SpanId, StatusCode, Value};

use crate::json::Json;
use crate::lenient::{self, Scalar};
use crate::otlp::WireError;

/// Lists in lists are read to this depth: Zipkin's `/traces` answers with a list of traces, which are lists of spans.
const LISTS_MAX: usize = 3;

/// The spans of a text: a list of spans, a list of such lists, or one span. Spans whose ids cannot be read have ids of
/// zeros, which admission rejects and counts, as it does those without any time.
pub fn spans(json: &[u8]) -> Result<Vec<Span>, WireError> {
    let mut json = Json::new(json);
    let mut reader = Reader::default();
    match json.peek()? {
        b'[' => reader.list(&mut json)?,
        b'{' => reader.span(&mut json)?,
        _ => return Err(json.expected("an object or an array")),
    }
    json.end()?;
    Ok(reader.spans)
}

#[derive(Default)]
struct Reader {
    spans: Vec<Span>,
    resources: HashMap<(String, Vec<String>), Arc<Resource>>,
    scopes: HashMap<(String, String), Arc<Scope>>,
}

#[derive(Default)]
struct Endpoint {
    service: String,
    addresses: Vec<String>,
    port: Option<i64>,
}

impl Reader {
    /// Spans, in lists of lists or not.
    fn list(&mut self, json: &mut Json<'_>) -> Result<(), WireError> {
        json.punctuation(b'[', "an array")?;
        let mut is_first = vec![true];
        while let Some(first) = is_first.last_mut() {
            if !json.next_entry(first, b']')? {
                is_first.pop();
                continue;
            }
            match json.peek()? {
                b'[' if is_first.len() < LISTS_MAX => {
                    json.punctuation(b'[', "an array")?;
                    is_first.push(true);
                }
                _ => self.span(json)?,
            }
        }
        Ok(())
    }

    fn span(&mut self, json: &mut Json<'_>) -> Result<(), WireError> {
        let mut span = Span { kind: Kind::Internal, ..Span::default() };
        let (mut local, mut remote, mut is_debug) = (Endpoint::default(), Endpoint::default(), false);
        let (mut tags, mut start) = (Vec::new(), None);
        json.members(|json, name| {
            match name {
                b"traceId" => span.trace_id = lenient::trace_id(&json.text()?),
                b"id" => span.span_id = lenient::span_id(&json.text()?),
                b"parentId" => {
                    span.parent_span_id = Some(lenient::span_id(&json.text()?)).filter(|id| *id != SpanId::default());
                }
                b"name" => span.name = json.scalar()?.into_text(),
                b"kind" => span.kind = kind_of(&json.text()?),
                b"timestamp" => start = json.scalar()?.micros(),
                b"duration" => span.duration_nanos = json.scalar()?.micros().unwrap_or_default(),
                b"debug" => is_debug = json.scalar()? == Scalar::Bool(true),
                b"localEndpoint" => local = endpoint(json)?,
                b"remoteEndpoint" => remote = endpoint(json)?,
                b"annotations" => json.entries(|json| {
                    span.events.push(annotation(json)?);
                    Ok(())
                })?,
                b"tags" => json.members(|json, name| {
                    let (key, value) = (String::from_utf8_lossy(name).into_owned(), json.scalar()?.into_value());
                    tags.push(Attribute { key, value });
                    Ok(())
                })?,
                _ => json.skip_value()?,
            }
            Ok(())
        })?;
        // A span that was never finished may have no time but those of its annotations.
        let first = span.events.iter().map(|event| event.time_unix_nanos).filter(|time| *time > 0).min();
        span.start_unix_nanos = start.filter(|start| *start > 0).or(first).unwrap_or_default();
        span.duration_nanos = span.duration_nanos.min(u64::MAX - span.start_unix_nanos);
        self.tag(&mut span, tags);
        if is_debug {
            span.flags = 1;
            span.attributes.push(Attribute::new("zipkin.debug", true));
        }
        span.attributes.extend(local.port.map(|port| Attribute::new("network.local.port", port)));
        remote.add_to(&mut span);
        span.resource = self.resource(local);
        self.spans.push(span);
        Ok(())
    }

    /// Puts tags that OTLP has fields for into these, and the others into the attributes.
    fn tag(&mut self, span: &mut Span, tags: Vec<Attribute>) {
        let (mut scope, mut error, mut status) = ((String::new(), String::new()), None, None);
        for Attribute { key, value } in tags {
            match (key.as_str(), &value) {
                ("otel.status_code", Value::String(code)) if code == "OK" => status = Some(StatusCode::Ok),
                ("otel.status_code", Value::String(code)) if code == "ERROR" => status = Some(StatusCode::Error),
                ("otel.status_description", Value::String(text)) => span.status.message.clone_from(text),
                ("otel.scope.name" | "otel.library.name", Value::String(text)) => scope.0.clone_from(text),
                ("otel.scope.version" | "otel.library.version", Value::String(text)) => scope.1.clone_from(text),
                ("w3c.tracestate", Value::String(text)) => span.trace_state.clone_from(text),
                // To have the tag is to have failed, whatever it says.
                ("error", value) if !is_false(value) => error = Some(value.to_string()),
                _ => span.attributes.push(Attribute { key, value }),
            }
        }
        if let Some(text) = &error
            && span.status.message.is_empty()
            && !text.eq_ignore_ascii_case("true")
        {
            span.status.message.clone_from(text);
        }
        let unsaid = if error.is_some() { StatusCode::Error } else { StatusCode::Unset };
        span.status.code = status.unwrap_or(unsaid);
        if scope != (String::new(), String::new()) {
            let (name, version) = scope.clone();
            let make = || Arc::new(Scope { name, version, ..Scope::default() });
            span.scope = Arc::clone(self.scopes.entry(scope).or_insert_with(make));
        }
    }

    fn resource(&mut self, Endpoint { service, addresses, .. }: Endpoint) -> Arc<Resource> {
        let key = (service, addresses);
        if let Some(known) = self.resources.get(&key) {
            return Arc::clone(known);
        }
        let mut attributes = Vec::new();
        if !key.0.is_empty() {
            attributes.push(Attribute::new("service.name", key.0.as_str()));
        }
        if !key.1.is_empty() {
            let addresses = key.1.iter().map(|address| Value::from(address.as_str())).collect();
            attributes.push(Attribute { key: "host.ip".to_owned(), value: Value::Array(addresses) });
        }
        let resource = Arc::new(Resource { attributes, ..Resource::default() });
        self.resources.insert(key, Arc::clone(&resource));
        resource
    }
}

impl Endpoint {
    /// Says on the span whom it called.
    fn add_to(self, span: &mut Span) {
        if !self.service.is_empty() {
            span.attributes.push(Attribute::new("peer.service", self.service));
        }
        if let Some(address) = self.addresses.into_iter().next() {
            span.attributes.push(Attribute::new("network.peer.address", address));
        }
        span.attributes.extend(self.port.map(|port| Attribute::new("network.peer.port", port)));
    }
}

fn endpoint(json: &mut Json<'_>) -> Result<Endpoint, WireError> {
    let mut endpoint = Endpoint::default();
    let (mut ipv4, mut ipv6) = (String::new(), String::new());
    json.members(|json, name| {
        match name {
            b"serviceName" => endpoint.service = json.text()?,
            b"ipv4" => ipv4 = json.text()?,
            b"ipv6" => ipv6 = json.text()?,
            b"port" => endpoint.port = json.scalar()?.whole().filter(|port| *port > 0),
            _ => json.skip_value()?,
        }
        Ok(())
    })?;
    endpoint.addresses = [ipv4, ipv6].into_iter().filter(|address| !address.is_empty()).collect();
    Ok(endpoint)
}

/// An annotation. OpenTelemetry writes an event with attributes as `"name": {"key": value, ...}`.
fn annotation(json: &mut Json<'_>) -> Result<Event, WireError> {
    let mut event = Event::default();
    json.members(|json, name| {
        match name {
            b"timestamp" => event.time_unix_nanos = json.scalar()?.micros().unwrap_or_default(),
            b"value" => event.name = json.scalar()?.into_text(),
            _ => json.skip_value()?,
        }
        Ok(())
    })?;
    if let Some((name, attributes)) = named(&event.name) {
        (event.name, event.attributes) = (name, attributes);
    }
    Ok(event)
}

/// The name and the attributes that OpenTelemetry wrote into an annotation's text.
fn named(text: &str) -> Option<(String, Vec<Attribute>)> {
    if !text.starts_with('"') {
        return None;
    }
    let mut json = Json::new(text.as_bytes());
    let name = String::from_utf8(json.name().ok()?.into_owned()).ok()?;
    let mut attributes = Vec::new();
    if json.peek().ok()? != b'{' {
        return None;
    }
    let read = json.members(|json, name| {
        let (key, value) = (String::from_utf8_lossy(name).into_owned(), json.scalar()?.into_value());
        attributes.push(Attribute { key, value });
        Ok(())
    });
    read.and_then(|()| json.end()).ok()?;
    Some((name, attributes))
}

fn is_false(value: &Value) -> bool {
    matches!(value, Value::Bool(false)) || value.as_str().is_some_and(|text| text.eq_ignore_ascii_case("false"))
}

/// A span without a kind is work inside its process.
fn kind_of(word: &str) -> Kind {
    let known = Kind::ALL.into_iter().find(|kind| kind.as_str().eq_ignore_ascii_case(word));
    known.unwrap_or(Kind::Internal)
}
