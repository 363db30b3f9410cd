//! Whole traces as OTLP, over real connections.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use clew_model::{Attribute, Kind, Resource, Scope, Span, SpanId, TraceId, Value};
use clew_server::ServerConfig;
use clew_wire::otlp::Limits;
use http::StatusCode;
use http_body_util::BodyExt as _;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::server::{Server, config, eventually};
use crate::wire::{Way, get, http1, request};

const START: u64 = 1_770_000_000_000_000_000;

fn trace_id(number: u64) -> TraceId {
    TraceId(u128::from(number).to_be_bytes())
}

fn span(trace: u64, id: u64, service: &str) -> Span {
    let resource = Resource { attributes: vec![Attribute::new("service.name", service)], ..Resource::default() };
    Span {
        trace_id: trace_id(trace),
        span_id: SpanId::from_u64(id),
        name: format!("op {id}"),
        kind: Kind::Server,
        // Later traces have smaller ids, so that order by start and order by id differ.
        start_unix_nanos: START - trace * 1_000_000 + id,
        duration_nanos: 5,
        attributes: vec![
            Attribute::new("double", Value::Double(f64::INFINITY)),
            Attribute::new("bytes", Value::Bytes(vec![0, 255])),
            Attribute::new("nested", Value::Array(vec![Value::Int(i64::MIN), Value::Empty])),
        ],
        resource: Arc::new(resource),
        scope: Arc::new(Scope { name: "lib".to_owned(), ..Scope::default() }),
        ..Span::default()
    }
}

async fn send(address: SocketAddr, spans: &[Span]) {
    let answer = Way::Protobuf.send_bytes(address, clew_wire::otlp::encode(spans).into()).await;
    assert_eq!(answer.partial_success(), (0, String::new()));
}

/// The spans of each message, in the order in which they came.
fn read(media_type: &str, body: &[u8]) -> Vec<Vec<Span>> {
    let spans = |message: &[u8]| {
        let spans = clew_wire::otlp::spans(message, &Limits::default(), START, &[]).unwrap();
        spans.into_iter().map(|span| Span { received_unix_nanos: 0, ..span }).collect()
    };
    let mut messages = Vec::new();
    if media_type == "application/x-ndjson" {
        for line in body.split_inclusive(|byte| *byte == b'\n') {
            assert_eq!(line.last(), Some(&b'\n'));
            messages.push(spans(&clew_wire::otlp_json::to_protobuf(line).unwrap()));
        }
        return messages;
    }
    assert_eq!(media_type, "application/x-protobuf");
    let mut rest = body;
    while let Some((length, after)) = rest.split_first_chunk::<4>() {
        let (message, after) = after.split_at(u32::from_be_bytes(*length) as usize);
        messages.push(spans(message));
        rest = after;
    }
    assert!(rest.is_empty());
    messages
}

#[tokio::test(flavor = "multi_thread")]
async fn every_trace_comes_whole_and_once_the_oldest_first() {
    let server = Server::start().await;
    // Each trace in two requests, one of its spans twice.
    for number in 1..=300 {
        send(server.address, &[span(number, 1, "front"), span(number, 2, "back")]).await;
        send(server.address, &[span(number, 2, "back"), span(number, 3, "back")]).await;
    }
    for accept in ["application/x-ndjson", "application/x-protobuf", "*/*"] {
        let answer = http1(server.address, request("GET", "/v1/export", &[("accept", accept)], Bytes::new())).await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        assert_eq!(answer.header("clew-incomplete"), "");
        let messages = read(answer.header("content-type"), &answer.body);
        let ids: Vec<TraceId> = messages.iter().map(|spans| spans[0].trace_id).collect();
        assert!(ids.iter().copied().eq((1..=300).rev().map(trace_id)), "{accept}: oldest first");
        for (number, mut spans) in (1..=300).rev().zip(messages) {
            spans.sort_by_key(|span| span.span_id);
            assert_eq!(spans, [span(number, 1, "front"), span(number, 2, "back"), span(number, 3, "back")], "{accept}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_filters_are_those_of_a_search() {
    let server = Server::start().await;
    send(server.address, &[span(1, 1, "a"), span(2, 1, "b"), span(3, 1, "a")]).await;
    for (query, expected) in [
        ("service=a", &[3, 1][..]),
        ("service=b&operation=op%201&attr.service.name=b", &[2]),
        ("service=nobody", &[]),
        ("minDurationMs=1", &[]),
        ("from=2000-01-01T00:00:00Z&to=2001-01-01T00:00:00Z", &[]),
        ("from=2026-01-01T00:00:00Z&format=protobuf", &[3, 2, 1]),
        ("tenant=other", &[]),
    ] {
        let answer = get(server.address, &format!("/v1/export?{query}")).await;
        assert_eq!(answer.status, StatusCode::OK, "{query} {answer:?}");
        let ids = read(answer.header("content-type"), &answer.body).into_iter().map(|spans| spans[0].trace_id);
        assert!(ids.eq(expected.iter().copied().map(trace_id)), "{query}");
    }
    for (query, parameter) in
        [("limit=1", "limit"), ("sort=start", "sort"), ("q=%7B%7D", "q"), ("format=xml", "format"), ("to=x", "to")]
    {
        let answer = get(server.address, &format!("/v1/export?{query}")).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{query}");
        assert_eq!(answer.json()["parameter"], parameter, "{query}");
    }
    let image = http1(server.address, request("GET", "/v1/export", &[("accept", "image/png")], Bytes::new())).await;
    assert_eq!(image.status, StatusCode::NOT_ACCEPTABLE);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_gives_its_place_back() {
    let server = Server::with(ServerConfig { query_concurrency: 1, ..config() }).await;
    // More than connections and channels hold, so that the export waits for its client.
    for number in 1..=64 {
        let mut spans = vec![span(number, 1, "s")];
        spans[0].attributes = (0..8).map(|key| Attribute::new(format!("k{key}"), "x".repeat(60_000))).collect();
        send(server.address, &spans).await;
    }
    let stream = TokioIo::new(TcpStream::connect(server.address).await.unwrap());
    let (mut sender, connection) = hyper::client::conn::http1::handshake(stream).await.unwrap();
    let connection = tokio::spawn(connection);
    let host = server.address.to_string();
    let mut response =
        sender.send_request(request("GET", "/v1/export", &[("host", &host)], Bytes::new())).await.unwrap();
    assert!(response.body_mut().frame().await.unwrap().unwrap().into_data().is_ok_and(|data| !data.is_empty()));
    let busy = get(server.address, "/v1/export").await;
    assert_eq!((busy.status, busy.header("retry-after")), (StatusCode::SERVICE_UNAVAILABLE, "1"));
    drop((response, sender));
    connection.abort();
    eventually("a free place", async || get(server.address, "/v1/services").await.status == StatusCode::OK).await;
    let whole = get(server.address, "/v1/export").await;
    assert_eq!(read("application/x-ndjson", &whole.body).len(), 64);
}
