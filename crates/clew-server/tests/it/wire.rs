//! Senders: OTLP messages, and three ways to send them.

use std::io::Write as _;
use std::net::SocketAddr;

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use clew_model::TraceId;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message as _;
use serde_json::json;
use tokio::net::TcpStream;

pub(crate) const TRACES: &str = "/v1/traces";
pub(crate) const TRACE_SERVICE: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";

/// Nanoseconds of a day in 2026, near enough to any test's now.
pub(crate) const START: u64 = 1_770_000_000_000_000_000;

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) trailers: HeaderMap,
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.to_vec()).unwrap()
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error} in {:?}", self.body))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The gRPC status, from trailers or from headers when there is nothing else.
    pub(crate) fn grpc_status(&self) -> tonic::Status {
        let status =
            tonic::Status::from_header_map(&self.trailers).or_else(|| tonic::Status::from_header_map(&self.headers));
        status.unwrap_or_else(|| panic!("no gRPC status in {self:?}"))
    }

    /// Rejected spans and message of a success, in any protocol.
    pub(crate) fn partial_success(&self) -> (i64, String) {
        assert_eq!(self.status, StatusCode::OK, "{self:?}");
        let response = match self.header("content-type") {
            "application/json" => {
                let partial = &self.json()["partialSuccess"];
                let rejected = partial["rejectedSpans"].as_str().unwrap_or("0").parse().unwrap();
                return (rejected, partial["errorMessage"].as_str().unwrap_or("").to_owned());
            }
            "application/grpc" => {
                assert_eq!(self.grpc_status().code(), tonic::Code::Ok, "{self:?}");
                let mut frame = self.body.clone();
                assert_eq!((frame.get_u8(), frame.get_u32() as usize), (0, frame.len()));
                ExportTraceServiceResponse::decode(frame).unwrap()
            }
            "application/x-protobuf" => ExportTraceServiceResponse::decode(self.body.clone()).unwrap(),
            other => panic!("content-type {other}"),
        };
        response.partial_success.map(|partial| (partial.rejected_spans, partial.error_message)).unwrap_or_default()
    }
}

/// A way to send spans.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Way {
    Protobuf,
    Json,
    Grpc,
}

impl Way {
    pub(crate) const ALL: [Self; 3] = [Self::Protobuf, Self::Json, Self::Grpc];

    /// Sends the request.
    pub(crate) async fn send(self, address: SocketAddr, request: &ExportTraceServiceRequest) -> Answer {
        match self {
            Self::Protobuf | Self::Grpc => self.send_bytes(address, request.encode_to_vec().into()).await,
            Self::Json => self.send_bytes(address, to_json(request).to_string().into()).await,
        }
    }

    /// Sends bytes as if they were a request.
    pub(crate) async fn send_bytes(self, address: SocketAddr, body: Bytes) -> Answer {
        match self {
            Self::Protobuf => post(address, TRACES, &[("content-type", "application/x-protobuf")], body).await,
            Self::Json => post(address, TRACES, &[("content-type", "application/json")], body).await,
            Self::Grpc => grpc(address, TRACE_SERVICE, &[], frame(0, &body)).await,
        }
    }
}

/// A POST over HTTP/1.1.
pub(crate) async fn post(address: SocketAddr, path: &str, headers: &[(&str, &str)], body: Bytes) -> Answer {
    http1(address, request("POST", path, headers, body)).await
}

/// A GET over HTTP/1.1.
pub(crate) async fn get(address: SocketAddr, path: &str) -> Answer {
    http1(address, request("GET", path, &[], Bytes::new())).await
}

/// A gRPC call with one framed message.
pub(crate) async fn grpc(address: SocketAddr, method: &str, headers: &[(&str, &str)], framed: Bytes) -> Answer {
    let mut all = vec![("content-type", "application/grpc"), ("te", "trailers")];
    all.extend_from_slice(headers);
    http2(address, request("POST", &format!("http://{address}{method}"), &all, framed)).await
}

pub(crate) fn request(method: &str, uri: &str, headers: &[(&str, &str)], body: Bytes) -> Request<Full<Bytes>> {
    let request = Request::builder().method(method).uri(uri);
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    request.body(Full::new(body)).unwrap()
}

/// One request on a connection of its own; a Host header is added when there is none.
pub(crate) async fn http1(address: SocketAddr, mut request: Request<Full<Bytes>>) -> Answer {
    let host = address.to_string().parse().unwrap();
    request.headers_mut().entry("host").or_insert(host);
    let stream = TokioIo::new(TcpStream::connect(address).await.unwrap());
    let (mut sender, connection) = hyper::client::conn::http1::handshake(stream).await.unwrap();
    tokio::spawn(connection);
    answer(sender.send_request(request).await.unwrap()).await
}

/// One request over HTTP/2 with prior knowledge.
pub(crate) async fn http2(address: SocketAddr, request: Request<Full<Bytes>>) -> Answer {
    let stream = TokioIo::new(TcpStream::connect(address).await.unwrap());
    let (mut sender, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), stream).await.unwrap();
    tokio::spawn(connection);
    answer(sender.send_request(request).await.unwrap()).await
}

async fn answer(response: http::Response<hyper::body::Incoming>) -> Answer {
    let (head, body) = response.into_parts();
    let body = body.collect().await.unwrap();
    let trailers = body.trailers().cloned().unwrap_or_default();
    Answer { status: head.status, headers: head.headers, body: body.to_bytes(), trailers }
}

/// A gRPC message with its prefix.
pub(crate) fn frame(flag: u8, message: &[u8]) -> Bytes {
    let mut framed = BytesMut::new();
    framed.put_u8(flag);
    framed.put_u32(message.len() as u32);
    framed.put_slice(message);
    framed.freeze()
}

pub(crate) fn gzip(bytes: &[u8]) -> Bytes {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap().into()
}

pub(crate) fn zstd(bytes: &[u8]) -> Bytes {
    zstd::encode_all(bytes, 1).unwrap().into()
}

/// The id of a test's `number`th trace.
pub(crate) fn trace_id(number: u64) -> TraceId {
    let mut id = [0xab; 16];
    id[8..].copy_from_slice(&number.to_be_bytes());
    TraceId(id)
}

/// A good span.
pub(crate) fn span(trace: u64, name: &str) -> Span {
    Span {
        trace_id: trace_id(trace).0.to_vec(),
        span_id: (trace * 1000 + name.len() as u64 + 1).to_be_bytes().to_vec(),
        name: name.to_owned(),
        kind: 2,
        start_time_unix_nano: START,
        end_time_unix_nano: START + 1_000_000,
        ..Span::default()
    }
}

/// A request of one resource.
pub(crate) fn export(service: &str, spans: Vec<Span>) -> ExportTraceServiceRequest {
    ExportTraceServiceRequest { resource_spans: vec![resource_spans(&[("service.name", service)], spans)] }
}

pub(crate) fn resource_spans(attributes: &[(&str, &str)], spans: Vec<Span>) -> ResourceSpans {
    let attributes = attributes.iter().map(|(key, value)| attribute(key, text(value))).collect();
    ResourceSpans {
        resource: Some(Resource { attributes, ..Resource::default() }),
        scope_spans: vec![ScopeSpans { spans, ..ScopeSpans::default() }],
        ..ResourceSpans::default()
    }
}

pub(crate) fn attribute(key: &str, value: AnyValue) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(value), ..KeyValue::default() }
}

pub(crate) fn text(value: &str) -> AnyValue {
    AnyValue { value: Some(Value::StringValue(value.to_owned())) }
}

/// OTLP's JSON mapping of what these tests send.
pub(crate) fn to_json(request: &ExportTraceServiceRequest) -> serde_json::Value {
    let resources = request.resource_spans.iter().map(|resource| {
        let attributes = resource.resource.iter().flat_map(|resource| &resource.attributes).map(key_value_json);
        let scopes = resource.scope_spans.iter().map(|scope| {
            json!({ "spans": scope.spans.iter().map(span_json).collect::<Vec<_>>() })
        });
        json!({ "resource": { "attributes": attributes.collect::<Vec<_>>() }, "scopeSpans": scopes.collect::<Vec<_>>() })
    });
    json!({ "resourceSpans": resources.collect::<Vec<_>>() })
}

fn span_json(span: &Span) -> serde_json::Value {
    let digit = |half: u8| char::from_digit(u32::from(half), 16).unwrap();
    let hex = |bytes: &[u8]| bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect::<String>();
    json!({
        "traceId": hex(&span.trace_id),
        "spanId": hex(&span.span_id),
        "name": span.name,
        "kind": span.kind,
        "startTimeUnixNano": span.start_time_unix_nano.to_string(),
        "endTimeUnixNano": span.end_time_unix_nano.to_string(),
        "attributes": span.attributes.iter().map(key_value_json).collect::<Vec<_>>(),
    })
}

fn key_value_json(attribute: &KeyValue) -> serde_json::Value {
    json!({ "key": attribute.key, "value": attribute.value.as_ref().map(value_json) })
}

fn value_json(value: &AnyValue) -> serde_json::Value {
    match value.value.as_ref().unwrap() {
        Value::StringValue(text) => json!({ "stringValue": text }),
        Value::IntValue(number) => json!({ "intValue": number.to_string() }),
        Value::ArrayValue(array) => {
            json!({ "arrayValue": { "values": array.values.iter().map(value_json).collect::<Vec<_>>() } })
        }
        other => panic!("the tests send no {other:?}"),
    }
}
