//! Jaeger's query API, in the JSON that its UI and Grafana's Jaeger data source read.
//!
//! Names and translations follow `jaegertracing/jaeger` (`internal/uimodel`) and the OpenTelemetry Collector's Jaeger
//! translator (`pkg/translator/jaeger`): what OTLP has as fields becomes tags, and times are whole microseconds.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use clew_model::{Attribute, Event, Kind, Span, StatusCode, TraceId, Value, value};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, Uri};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::error::AskError;
use super::gate;
use super::params::{Named, Params};
use super::shape::value_json;
use super::table::Table;
use crate::app::App;
use crate::problem::Problem;

const NANOS_PER_MICRO: u64 = 1_000;

/// `GET /jaeger/api/traces/{id}`.
pub(crate) async fn trace(State(app): State<Arc<App>>, Named(id): Named, headers: HeaderMap, uri: Uri) -> Response {
    let answer = async {
        let params = Params::of(&uri)?;
        // Grafana sends the time range along and UIs their display options; a trace is a trace whatever they say.
        params.only(&["start", "end", "raw", "prettyPrint", "tenant"], false)?;
        let id = gate::trace_id(&id)?;
        let tenant = gate::tenant(&app, &headers, &params)?;
        let begun = app.clock.monotonic_nanos();
        let answer = gate::run(&app, move |asked| {
            let spans = clew_model::identity::distinct(gate::fetch(asked, &tenant, id)?.spans);
            Ok(json_body(&Envelope::of(vec![trace_json(id, &spans)])))
        });
        let answer = answer.await;
        app.figures.fetch.observe_nanos(app.clock.monotonic_nanos().saturating_sub(begun));
        answer
    };
    reply(answer.await)
}

/// `GET /jaeger/api/services`.
pub(crate) async fn services(State(app): State<Arc<App>>, headers: HeaderMap, uri: Uri) -> Response {
    let answer = async {
        let params = Params::of(&uri)?;
        params.only(&["tenant"], false)?;
        let tenant = gate::tenant(&app, &headers, &params)?;
        gate::run(&app, move |asked| Ok(json_body(&Envelope::list(asked.source.services(&tenant)?)))).await
    };
    reply(answer.await)
}

/// `GET /jaeger/api/services/{service}/operations`.
pub(crate) async fn operations(
    State(app): State<Arc<App>>,
    Named(service): Named,
    headers: HeaderMap,
    uri: Uri,
) -> Response {
    let answer = async {
        let params = Params::of(&uri)?;
        params.only(&["tenant"], false)?;
        let tenant = gate::tenant(&app, &headers, &params)?;
        let work =
            move |asked: &gate::Asked<'_>| Ok(json_body(&Envelope::list(asked.source.operations(&tenant, &service)?)));
        gate::run(&app, work).await
    };
    reply(answer.await)
}

/// What Jaeger wraps every answer in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Envelope<T> {
    /// The answer; `null` when there is none.
    pub data: Option<Vec<T>>,
    /// How many there are; Jaeger leaves it 0 for traces.
    pub total: usize,
    /// Always 0.
    pub limit: usize,
    /// Always 0.
    pub offset: usize,
    /// What went wrong; `null` when nothing did.
    pub errors: Option<Vec<JaegerError>>,
}

impl<T> Envelope<T> {
    fn of(data: Vec<T>) -> Self {
        Self { data: Some(data), total: 0, limit: 0, offset: 0, errors: None }
    }

    fn list(data: Vec<T>) -> Self {
        Self { total: data.len(), ..Self::of(data) }
    }
}

/// What went wrong, as Jaeger says it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JaegerError {
    /// HTTP status.
    pub code: u16,
    /// In words.
    pub msg: String,
}

/// A trace.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JaegerTrace {
    /// 32 hexadecimal characters, or 16 when the high half is zero.
    #[serde(rename = "traceID")]
    pub trace_id: String,
    /// Its spans.
    pub spans: Vec<JaegerSpan>,
    /// Who sent them, by [`JaegerSpan::process_id`].
    pub processes: BTreeMap<String, Process>,
    /// Always `null`.
    pub warnings: Option<Vec<String>>,
}

/// A span.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JaegerSpan {
    /// As in [`JaegerTrace`].
    #[serde(rename = "traceID")]
    pub trace_id: String,
    /// 16 hexadecimal characters.
    #[serde(rename = "spanID")]
    pub span_id: String,
    /// The operation.
    pub operation_name: String,
    /// The parent, then the links.
    pub references: Vec<Reference>,
    /// Start in unix microseconds.
    pub start_time: u64,
    /// Length in microseconds.
    pub duration: u64,
    /// Attributes, and OTLP's fields that Jaeger has no field for.
    pub tags: Vec<KeyValue>,
    /// Events.
    pub logs: Vec<Log>,
    /// Key of [`JaegerTrace::processes`].
    #[serde(rename = "processID")]
    pub process_id: String,
    /// How odd input was mended; `null` when it was not.
    pub warnings: Option<Vec<String>>,
}

/// A pointer to another span.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Reference {
    /// `CHILD_OF` or `FOLLOWS_FROM`.
    pub ref_type: String,
    /// Its trace.
    #[serde(rename = "traceID")]
    pub trace_id: String,
    /// Itself.
    #[serde(rename = "spanID")]
    pub span_id: String,
}

/// A key, a value and the value's type: `string`, `bool`, `int64`, `float64` or `binary`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KeyValue {
    /// The key.
    pub key: String,
    /// The type.
    #[serde(rename = "type")]
    pub kind: String,
    /// The value; integers that JavaScript would round are text, bytes are base64.
    pub value: serde_json::Value,
}

/// An event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Log {
    /// When, in unix microseconds.
    pub timestamp: u64,
    /// Its name under `event`, then its attributes.
    pub fields: Vec<KeyValue>,
}

/// Who sent spans.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Process {
    /// The service.
    pub service_name: String,
    /// The resource's other attributes.
    pub tags: Vec<KeyValue>,
}

/// What the door answers for a trace with these spans, for whoever reads it back.
#[cfg(test)]
pub(super) fn answer(spans: &[Span]) -> Vec<u8> {
    json_body(&Envelope::of(vec![trace_json(spans[0].trace_id, spans)]))
}

/// The trace in Jaeger's shape; spans in the order given.
fn trace_json(id: TraceId, spans: &[Span]) -> JaegerTrace {
    let mut resources = Table::new();
    let trace_id = trace_id_text(id);
    let spans = spans.iter().map(|span| {
        let process_id = process_id(resources.position(&span.resource));
        span_json(&trace_id, process_id, span)
    });
    let spans = spans.collect();
    let processes = resources.distinct.iter().zip(0..).map(|(resource, position)| {
        let process = Process {
            service_name: resource.service().to_owned(),
            tags: resource.attributes.iter().filter(|a| a.key != "service.name").map(key_value).collect(),
        };
        (process_id(position), process)
    });
    JaegerTrace { trace_id, spans, processes: processes.collect(), warnings: None }
}

fn process_id(position: u32) -> String {
    format!("p{}", position + 1)
}

fn span_json(trace_id: &str, process_id: String, span: &Span) -> JaegerSpan {
    let reference = |ref_type: &str, trace_id: String, span_id: String| Reference {
        ref_type: ref_type.to_owned(),
        trace_id,
        span_id,
    };
    let parent = span.parent_span_id.map(|parent| reference("CHILD_OF", trace_id.to_owned(), parent.to_string()));
    let links = span.links.iter().map(|link| {
        let is_child = value::find(&link.attributes, "opentracing.ref_type")
            .is_some_and(|value| value.as_str() == Some("child_of"));
        let ref_type = if is_child { "CHILD_OF" } else { "FOLLOWS_FROM" };
        reference(ref_type, trace_id_text(link.trace_id), link.span_id.to_string())
    });
    let warnings: Vec<String> = span.notes.names().map(str::to_owned).collect();
    JaegerSpan {
        trace_id: trace_id.to_owned(),
        span_id: span.span_id.to_string(),
        operation_name: span.name.clone(),
        references: parent.into_iter().chain(links).collect(),
        start_time: span.start_unix_nanos / NANOS_PER_MICRO,
        duration: span.duration_nanos / NANOS_PER_MICRO,
        tags: tags(span),
        logs: span.events.iter().map(log).collect(),
        process_id,
        warnings: (!warnings.is_empty()).then_some(warnings),
    }
}

/// The scope's tags, the span's attributes, then the tags of OTLP's fields, in the order of the Collector's translator.
fn tags(span: &Span) -> Vec<KeyValue> {
    let text = |key: &str, value: &str| (!value.is_empty()).then(|| key_value(&Attribute::new(key, value)));
    let kind = if span.kind == Kind::Unspecified { "" } else { span.kind.as_str() };
    let status = match span.status.code {
        StatusCode::Unset => "",
        StatusCode::Ok => "OK",
        StatusCode::Error => "ERROR",
    };
    let error = (span.status.code == StatusCode::Error).then(|| key_value(&Attribute::new("error", true)));
    let before = [text("otel.scope.name", &span.scope.name), text("otel.scope.version", &span.scope.version)];
    let after = [
        text("span.kind", kind),
        text("otel.status_code", status),
        error,
        text("otel.status_description", &span.status.message),
        text("w3c.tracestate", &span.trace_state),
    ];
    let attributes = span.attributes.iter().map(key_value);
    before.into_iter().flatten().chain(attributes).chain(after.into_iter().flatten()).collect()
}

fn log(event: &Event) -> Log {
    let name = (!event.name.is_empty()).then(|| key_value(&Attribute::new("event", event.name.as_str())));
    let fields = name.into_iter().chain(event.attributes.iter().map(key_value)).collect();
    Log { timestamp: event.time_unix_nanos / NANOS_PER_MICRO, fields }
}

fn key_value(attribute: &Attribute) -> KeyValue {
    let (kind, value) = match &attribute.value {
        Value::Bool(truth) => ("bool", json!(truth)),
        Value::Int(_) => ("int64", value_json(&attribute.value)),
        Value::Double(_) => ("float64", value_json(&attribute.value)),
        Value::Bytes(bytes) => ("binary", json!(base64(bytes))),
        other => ("string", json!(other.to_string())),
    };
    KeyValue { key: attribute.key.clone(), kind: kind.to_owned(), value }
}

/// Jaeger prints an id whose high half is zero as the 64-bit id that it was.
fn trace_id_text(id: TraceId) -> String {
    let text = id.to_string();
    text.strip_prefix("0000000000000000").map(str::to_owned).unwrap_or(text)
}

/// Standard base64 with padding (RFC 4648 section 4).
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let group = (0..3).fold(0, |group, at| group << 8 | u32::from(chunk.get(at).copied().unwrap_or(0)));
        for place in 0..4 {
            let digit = DIGITS[(group >> (18 - 6 * place)) as usize & 63];
            text.push(if place <= chunk.len() { digit as char } else { '=' });
        }
    }
    text
}

fn json_body<T: Serialize>(answer: &T) -> Vec<u8> {
    serde_json::to_vec(answer).unwrap_or_default()
}

/// The answer, or the error in Jaeger's shape.
fn reply(answer: Result<Vec<u8>, AskError>) -> Response {
    let (status, headers, body) = match answer {
        Ok(body) => (http::StatusCode::OK, HeaderMap::new(), body),
        Err(error) => {
            let problem = Problem::from(error);
            let msg = match problem.status_code() {
                http::StatusCode::NOT_FOUND => "trace not found".to_owned(),
                _ => problem.detail.clone(),
            };
            let error = JaegerError { code: problem.status, msg };
            let body = Envelope::<()> { data: None, total: 0, limit: 0, offset: 0, errors: Some(vec![error]) };
            (problem.status_code(), problem.headers, json_body(&body))
        }
    };
    (status, headers, [(CONTENT_TYPE, "application/json")], body).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ask::naive::known_trace;

    #[test]
    fn a_known_trace_reads_as_jaeger_shows_it() {
        let spans = clew_model::identity::distinct(known_trace());
        let trace = trace_json(spans[0].trace_id, &spans);
        insta::assert_snapshot!(serde_json::to_string_pretty(&Envelope::of(vec![trace])).unwrap());
    }

    #[test]
    fn base64_pads() {
        for (bytes, text) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")] {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
        assert_eq!(base64(&[255, 254, 253]), "//79");
    }

    #[test]
    fn short_ids_print_short() {
        let id = TraceId::parse_lenient("a3ce929d0e0e4736").unwrap();
        assert_eq!(trace_id_text(id), "a3ce929d0e0e4736");
        assert_eq!(trace_id_text(TraceId([1; 16])), "01010101010101010101010101010101");
    }

    #[test]
    fn integers_that_javascript_rounds_are_text() {
        assert_eq!(key_value(&Attribute::new("n", i64::MAX)).value, json!("9223372036854775807"));
        assert_eq!(key_value(&Attribute::new("n", 5_i64)).value, json!(5));
    }
}
