//! Jaeger's JSON to spans: what its query API answers, what its UI downloads, and documents of its storage.
//!
//! Translations follow the OpenTelemetry Collector's Jaeger translator (`pkg/translator/jaeger`): tags that OTLP has fields
//! for become these fields, further references become links, and logs become events. Source: `jaegertracing/jaeger`,
//! `internal/uimodel`.

use std::collections::HashMap;
use std::sync::Arc;

use clew_model::{Attribute, Event, Kind, Link, Resource, Scope, Span, SpanId, StatusCode, TraceId, Value, span};

use crate::base64;
use crate::json::Json;
use crate::lenient::{self, Scalar};
use crate::otlp::WireError;

/// Bits of a span's `flags`.
const SAMPLED: i64 = 1;
const DEBUG: i64 = 2;

/// OpenTelemetry's key for what a link was in OpenTracing.
const REFERENCE_TYPE: &str = "opentracing.ref_type";

/// The spans of a text: `{"data": [TRACE, ...]}`, `[TRACE, ...]`, one trace, or one span with its `process`. Spans whose
/// ids cannot be read have ids of zeros, which admission rejects and counts.
pub fn spans(json: &[u8]) -> Result<Vec<Span>, WireError> {
    let mut json = Json::new(json);
    let mut reader = Reader::default();
    match json.peek()? {
        b'[' => json.entries(|json| reader.trace(json, false))?,
        b'{' => reader.trace(&mut json, true)?,
        _ => return Err(json.expected("an object or an array")),
    }
    json.end()?;
    Ok(reader.spans)
}

#[derive(Default)]
struct Reader {
    spans: Vec<Span>,
    scopes: HashMap<(String, String), Arc<Scope>>,
}

/// A span, and where the rest of it is.
#[derive(Default)]
struct Read {
    span: Span,
    /// By key of the trace's processes, or with the span.
    process_id: String,
    process: Option<Arc<Resource>>,
}

#[derive(Default)]
struct Reference {
    is_follower: bool,
    trace_id: TraceId,
    span_id: SpanId,
}

impl Reader {
    /// A trace, a span alone, or, unless it lies in one, an envelope of traces.
    fn trace(&mut self, json: &mut Json<'_>, is_outer: bool) -> Result<(), WireError> {
        let mark = json.mark();
        let (mut read, mut processes, mut is_span) = (Vec::new(), HashMap::new(), false);
        json.members(|json, name| match name {
            b"data" if is_outer => json.entries(|json| self.trace(json, false)),
            b"spans" => json.entries(|json| {
                read.push(self.span(json)?);
                Ok(())
            }),
            b"processes" => json.members(|json, name| {
                let process = process(json)?;
                processes.insert(String::from_utf8_lossy(name).into_owned(), process);
                Ok(())
            }),
            b"spanID" => {
                is_span = true;
                json.skip_value()
            }
            _ => json.skip_value(),
        })?;
        if is_span {
            let end = json.mark();
            json.return_to(mark);
            read.push(self.span(json)?);
            json.return_to(end);
        }
        self.finish(read, &processes);
        Ok(())
    }

    /// Gives spans their processes, which may come after them.
    fn finish(&mut self, read: Vec<Read>, processes: &HashMap<String, Arc<Resource>>) {
        self.spans.extend(read.into_iter().map(|Read { mut span, process_id, process }| {
            if let Some(resource) = process.or_else(|| processes.get(&process_id).cloned()) {
                span.resource = resource;
            }
            span
        }));
    }

    fn span(&mut self, json: &mut Json<'_>) -> Result<Read, WireError> {
        let mut read = Read::default();
        let (mut references, mut tags, mut parent, mut flags) = (Vec::new(), Vec::new(), SpanId::default(), 0);
        let Read { span, process_id, process } = &mut read;
        json.members(|json, name| {
            match name {
                b"traceID" => span.trace_id = lenient::trace_id(&json.text()?),
                b"spanID" => span.span_id = lenient::span_id(&json.text()?),
                b"parentSpanID" => parent = lenient::span_id(&json.text()?),
                b"operationName" => span.name = json.scalar()?.into_text(),
                b"flags" => flags = json.scalar()?.whole().unwrap_or_default(),
                b"startTime" => span.start_unix_nanos = json.scalar()?.micros().unwrap_or_default(),
                b"duration" => span.duration_nanos = json.scalar()?.micros().unwrap_or_default(),
                b"references" => json.entries(|json| {
                    references.push(reference(json)?);
                    Ok(())
                })?,
                b"tags" => tags.append(&mut key_values(json)?),
                b"logs" => json.entries(|json| {
                    span.events.push(event(json)?);
                    Ok(())
                })?,
                b"processID" => *process_id = json.text()?,
                b"process" if json.peek()? == b'{' => *process = Some(self::process(json)?),
                b"warnings" => {
                    let mut warnings = Vec::new();
                    json.entries(|json| {
                        warnings.push(Value::String(json.scalar()?.into_text()));
                        Ok(())
                    })?;
                    if !warnings.is_empty() {
                        tags.push(Attribute { key: "jaeger.warnings".to_owned(), value: Value::Array(warnings) });
                    }
                }
                _ => json.skip_value()?,
            }
            Ok(())
        })?;
        // A start of 0 is none; an end beyond all times is the last one.
        span.duration_nanos = span.duration_nanos.min(u64::MAX - span.start_unix_nanos);
        span.flags = u32::from(flags & (SAMPLED | DEBUG) != 0);
        if flags & DEBUG != 0 {
            tags.push(Attribute::new("jaeger.debug", true));
        }
        refer(span, references, parent);
        self.tag(span, tags);
        Ok(read)
    }

    /// Puts tags that OTLP has fields for into these, and the others into the attributes.
    fn tag(&mut self, span: &mut Span, tags: Vec<Attribute>) {
        let (mut scope, mut is_error, mut status) = ((String::new(), String::new()), false, None);
        for Attribute { key, value } in tags {
            match (key.as_str(), &value) {
                ("span.kind", Value::String(kind)) => match kind_of(kind) {
                    Some(kind) => span.kind = kind,
                    None => span.attributes.push(Attribute { key, value }),
                },
                ("error", value) if span::is_true(value) => is_error = true,
                ("otel.status_code", Value::String(code)) if code == "OK" => status = Some(StatusCode::Ok),
                ("otel.status_code", Value::String(code)) if code == "ERROR" => status = Some(StatusCode::Error),
                ("otel.status_description", Value::String(text)) => span.status.message.clone_from(text),
                ("otel.scope.name" | "otel.library.name", Value::String(text)) => scope.0.clone_from(text),
                ("otel.scope.version" | "otel.library.version", Value::String(text)) => scope.1.clone_from(text),
                ("w3c.tracestate", Value::String(text)) => span.trace_state.clone_from(text),
                _ => span.attributes.push(Attribute { key, value }),
            }
        }
        span.status.code = status.unwrap_or(if is_error { StatusCode::Error } else { StatusCode::Unset });
        if scope != (String::new(), String::new()) {
            let (name, version) = scope.clone();
            let make = || Arc::new(Scope { name, version, ..Scope::default() });
            span.scope = Arc::clone(self.scopes.entry(scope).or_insert_with(make));
        }
    }
}

/// Whom the span says it belongs to: the first `CHILD_OF` within its trace is the parent, else the first `FOLLOWS_FROM`; all
/// others are links.
fn refer(span: &mut Span, references: Vec<Reference>, parent: SpanId) {
    let own = |reference: &&Reference| reference.trace_id == span.trace_id && reference.span_id != SpanId::default();
    let child_of = references.iter().position(|reference| !reference.is_follower && own(&reference));
    let follows = references.iter().position(|reference| own(&reference));
    let chosen = child_of.or(follows.filter(|_| parent == SpanId::default()));
    span.parent_span_id = match chosen {
        Some(at) => Some(references[at].span_id),
        None => Some(parent).filter(|parent| *parent != SpanId::default()),
    };
    for (at, reference) in references.into_iter().enumerate() {
        // A parent that merely came before is a link as well, which says so.
        if Some(at) == chosen && !reference.is_follower || reference.span_id == SpanId::default() {
            continue;
        }
        let kind = if reference.is_follower { "follows_from" } else { "child_of" };
        span.links.push(Link {
            trace_id: reference.trace_id,
            span_id: reference.span_id,
            attributes: vec![Attribute::new(REFERENCE_TYPE, kind)],
            ..Link::default()
        });
    }
}

fn reference(json: &mut Json<'_>) -> Result<Reference, WireError> {
    let mut reference = Reference::default();
    json.members(|json, name| {
        match name {
            b"refType" => reference.is_follower = json.text()?.eq_ignore_ascii_case("FOLLOWS_FROM"),
            b"traceID" => reference.trace_id = lenient::trace_id(&json.text()?),
            b"spanID" => reference.span_id = lenient::span_id(&json.text()?),
            _ => json.skip_value()?,
        }
        Ok(())
    })?;
    Ok(reference)
}

/// A log: its field `event` is the event's name.
fn event(json: &mut Json<'_>) -> Result<Event, WireError> {
    let mut event = Event::default();
    json.members(|json, name| {
        match name {
            b"timestamp" => event.time_unix_nanos = json.scalar()?.micros().unwrap_or_default(),
            b"fields" => event.attributes = key_values(json)?,
            _ => json.skip_value()?,
        }
        Ok(())
    })?;
    let name = event.attributes.iter().position(|field| field.key == "event" && field.value.as_str().is_some());
    if let Some(at) = name
        && let Value::String(name) = event.attributes.remove(at).value
    {
        event.name = name;
    }
    Ok(event)
}

fn process(json: &mut Json<'_>) -> Result<Arc<Resource>, WireError> {
    let (mut service, mut tags) = (String::new(), Vec::new());
    json.members(|json, name| {
        match name {
            b"serviceName" => service = json.scalar()?.into_text(),
            b"tags" => tags = key_values(json)?,
            _ => json.skip_value()?,
        }
        Ok(())
    })?;
    let has_host = tags.iter().any(|tag| tag.key == "host.name");
    for tag in tags.iter_mut().filter(|tag| tag.key == "hostname" && !has_host) {
        "host.name".clone_into(&mut tag.key);
    }
    if !service.is_empty() {
        tags.retain(|tag| tag.key != "service.name");
        tags.insert(0, Attribute::new("service.name", service));
    }
    Ok(Arc::new(Resource { attributes: tags, ..Resource::default() }))
}

fn key_values(json: &mut Json<'_>) -> Result<Vec<Attribute>, WireError> {
    let mut tags = Vec::new();
    json.entries(|json| {
        let (mut key, mut kind, mut value) = (String::new(), String::new(), Scalar::Null);
        json.members(|json, name| {
            match name {
                b"key" => key = json.text()?,
                b"type" => kind = json.text()?,
                b"value" => value = json.scalar()?,
                _ => json.skip_value()?,
            }
            Ok(())
        })?;
        let value = typed(&kind, value);
        tags.push(Attribute { key, value });
        Ok(())
    })?;
    Ok(tags)
}

/// The value in the type that is named, or, if it is not of that type, as JSON has it.
fn typed(kind: &str, value: Scalar) -> Value {
    let read = match (kind.to_ascii_lowercase().as_str(), &value) {
        ("string", Scalar::Number(_) | Scalar::Bool(_)) => Some(Value::String(value.clone().into_text())),
        ("int64", Scalar::Text(text) | Scalar::Number(text)) => text.parse().ok().map(Value::Int),
        ("float64", Scalar::Text(text) | Scalar::Number(text)) => text.parse().ok().map(Value::Double),
        ("bool", Scalar::Text(text)) => text.to_ascii_lowercase().parse().ok().map(Value::Bool),
        ("binary", Scalar::Text(text)) => base64::decode(text.as_bytes()).map(Value::Bytes),
        _ => None,
    };
    read.unwrap_or_else(|| value.into_value())
}

fn kind_of(word: &str) -> Option<Kind> {
    Kind::ALL.into_iter().find(|kind| kind.as_str().eq_ignore_ascii_case(word))
}
