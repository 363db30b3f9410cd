//! Grafana Tempo's query API: what its data source asks of one trace. Shapes and status codes follow Tempo's HTTP
//! documentation; bodies are OTLP with Tempo's names.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use clew_model::identity::distinct;
use clew_model::scan::Incomplete;
use clew_model::{Span, Tenant, TraceId};
use clew_wire::otlp_json::JsonShape;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, StatusCode, Uri};
use serde_json::json;

use super::error::AskError;
use super::gate::{self, Asked};
use super::params::{Named, Params};
use super::table::grouped;
use super::trace::{JSON, json as json_bytes};
use crate::app::App;
use crate::problem::Problem;

/// The media type that Tempo's clients ask and answer protobuf with.
const PROTOBUF: &str = "application/protobuf";

/// `GET /tempo/api/echo`: what Grafana's connection test asks.
pub(crate) async fn echo() -> &'static str {
    "echo"
}

/// `GET /tempo/api/traces/{id}`: the trace; 404 when there is none.
pub(crate) async fn trace_v1(State(app): State<Arc<App>>, Named(id): Named, headers: HeaderMap, uri: Uri) -> Response {
    let is_protobuf = wants_protobuf(&headers);
    let answer = fetch(&app, &id, &headers, &uri, move |found| {
        let Some((spans, _)) = found else { return Err(AskError::NotFound("trace not found".to_owned())) };
        if is_protobuf {
            return Ok(clew_wire::otlp::encode(&spans));
        }
        json_bytes(&clew_wire::otlp_json::encode(&spans, JsonShape::Tempo))
    });
    reply(answer.await, is_protobuf)
}

/// `GET /tempo/api/v2/traces/{id}`: the trace and how complete it is; an empty one when there is none.
pub(crate) async fn trace_v2(State(app): State<Arc<App>>, Named(id): Named, headers: HeaderMap, uri: Uri) -> Response {
    let is_protobuf = wants_protobuf(&headers);
    let answer = fetch(&app, &id, &headers, &uri, move |found| {
        let (spans, incomplete) = found.unwrap_or_default();
        if is_protobuf {
            return Ok(by_id_protobuf(&clew_wire::otlp::encode(&spans), incomplete.as_ref()));
        }
        by_id_json(&spans, incomplete.as_ref())
    });
    reply(answer.await, is_protobuf)
}

type Found = Option<(Vec<Span>, Option<Incomplete>)>;

/// Finds the trace, and has the answer made of it off the serving threads.
async fn fetch(
    app: &Arc<App>,
    id: &str,
    headers: &HeaderMap,
    uri: &Uri,
    answer: impl FnOnce(Found) -> Result<Vec<u8>, AskError> + Send + 'static,
) -> Result<Vec<u8>, AskError> {
    let params = Params::of(uri)?;
    // Grafana's time range and switches of other versions narrow nothing here: a trace is a trace.
    let tenant = gate::tenant(app, headers, &params)?;
    let id = gate::trace_id(id)?;
    let begun = app.clock.monotonic_nanos();
    let bytes = gate::run(app, move |asked| answer(find(asked, &tenant, id)?)).await;
    app.figures.fetch.observe_nanos(app.clock.monotonic_nanos().saturating_sub(begun));
    bytes
}

fn find(asked: &Asked<'_>, tenant: &Tenant, id: TraceId) -> Result<Found, AskError> {
    match gate::fetch(asked, tenant, id) {
        Ok(fetched) => Ok(Some((grouped(distinct(fetched.spans)), fetched.incomplete))),
        Err(AskError::NotFound(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Tempo's `TraceByIDResponse` in JSON; what has its default value is left out.
fn by_id_json(spans: &[Span], incomplete: Option<&Incomplete>) -> Result<Vec<u8>, AskError> {
    let batches = clew_wire::otlp_json::encode(spans, JsonShape::Tempo);
    let trace = match batches.get("batches") {
        Some(batches) if !spans.is_empty() => json!({ "resourceSpans": batches }),
        _ => json!({}),
    };
    let mut answer = json!({ "trace": trace, "metrics": {} });
    if let Some(incomplete) = incomplete {
        answer["status"] = json!("PARTIAL");
        answer["message"] = json!(incomplete.detail);
    }
    json_bytes(&answer)
}

/// Tempo's `TraceByIDResponse`: field 1 the trace (always there, since clients look into it), 2 metrics, 3 the status
/// (0 complete, 1 partial), 4 a message.
fn by_id_protobuf(trace: &[u8], incomplete: Option<&Incomplete>) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(trace.len() + 16);
    field(&mut bytes, 1, trace);
    field(&mut bytes, 2, &[]);
    if let Some(incomplete) = incomplete {
        bytes.extend([3 << 3, 1]);
        field(&mut bytes, 4, incomplete.detail.as_bytes());
    }
    bytes
}

/// A length-delimited protobuf field.
fn field(bytes: &mut Vec<u8>, number: u8, content: &[u8]) {
    bytes.push(number << 3 | 2);
    let mut length = content.len();
    while length >= 0x80 {
        bytes.push(length as u8 | 0x80);
        length >>= 7;
    }
    bytes.push(length as u8);
    bytes.extend_from_slice(content);
}

/// Tempo looks for the word anywhere in the header, and so do its clients' expectations.
fn wants_protobuf(headers: &HeaderMap) -> bool {
    headers.get(ACCEPT).and_then(|accept| accept.to_str().ok()).is_some_and(|accept| accept.contains(PROTOBUF))
}

/// The answer, or the error as Tempo says it: plain text, and nothing for "not found".
fn reply(answer: Result<Vec<u8>, AskError>, is_protobuf: bool) -> Response {
    match answer {
        Ok(body) => ([(CONTENT_TYPE, if is_protobuf { PROTOBUF } else { JSON })], body).into_response(),
        Err(AskError::NotFound(_)) => StatusCode::NOT_FOUND.into_response(),
        Err(error) => {
            let problem = Problem::from(error);
            (problem.status_code(), problem.headers, problem.detail).into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::trace::v1::TracesData;
    use prost::Message;

    use super::*;
    use crate::ask::naive::known_trace;

    /// Tempo's message as its `tempo.proto` describes it.
    #[derive(Clone, PartialEq, Message)]
    struct TraceByIdResponse {
        #[prost(message, optional, tag = "1")]
        trace: Option<TracesData>,
        #[prost(message, optional, tag = "2")]
        metrics: Option<Metrics>,
        #[prost(int32, tag = "3")]
        status: i32,
        #[prost(string, tag = "4")]
        message: String,
    }

    #[derive(Clone, PartialEq, Message)]
    struct Metrics {}

    fn incomplete() -> Incomplete {
        Incomplete { reason: "corruption".into(), detail: "x".repeat(300) }
    }

    #[test]
    fn a_known_trace_reads_as_tempo_shows_it() {
        let spans = grouped(distinct(known_trace()));
        let batches = clew_wire::otlp_json::encode(&spans, JsonShape::Tempo);
        insta::assert_snapshot!(serde_json::to_string_pretty(&batches).unwrap());
        let v2: serde_json::Value = serde_json::from_slice(&by_id_json(&spans, None).unwrap()).unwrap();
        assert_eq!(v2["trace"]["resourceSpans"], batches["batches"]);
        assert_eq!(v2.get("status"), None);
        let partial: serde_json::Value =
            serde_json::from_slice(&by_id_json(&[], Some(&incomplete())).unwrap()).unwrap();
        assert_eq!(partial["trace"], json!({}));
        assert_eq!(partial["status"], "PARTIAL");
    }

    #[test]
    fn the_protobuf_answer_always_has_a_trace() {
        let spans = grouped(distinct(known_trace()));
        let encoded = clew_wire::otlp::encode(&spans);
        let answer = TraceByIdResponse::decode(&*by_id_protobuf(&encoded, Some(&incomplete()))).unwrap();
        assert_eq!(answer.trace, Some(TracesData::decode(&*encoded).unwrap()));
        assert_eq!(answer.trace.unwrap().resource_spans.len(), 3, "one group for each resource");
        assert_eq!((answer.status, answer.message), (1, incomplete().detail));
        let empty = TraceByIdResponse::decode(&*by_id_protobuf(&[], None)).unwrap();
        assert_eq!((empty.trace, empty.status), (Some(TracesData::default()), 0));
    }
}
