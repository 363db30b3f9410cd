//! Each usual mistake, made over a real connection, lights its hint and no other.

use std::net::SocketAddr;

use bytes::Bytes;
use clew_server::ServerConfig;
use http::StatusCode;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use prost::Message as _;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::server::{Server, config};
use crate::wire::{
    TRACE_SERVICE, TRACES, Way, export, frame, get, grpc, http1, post, request, resource_spans, span, to_json,
};

const PROTOBUF: (&str, &str) = ("content-type", "application/x-protobuf");
const JSON: (&str, &str) = ("content-type", "application/json");
const AGENT: (&str, &str) = ("user-agent", "OTel-OTLP-Exporter-Python/1.30");

async fn hints(address: SocketAddr) -> Vec<Value> {
    let answer = get(address, "/v1/figures").await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    answer.json()["hints"].as_array().unwrap().clone()
}

/// The only hint that is lit, which must be this one; its sentence and its fix hold these words.
async fn only(server: &Server, name: &str, count: u64, sentence: &str, fix: &str) -> Value {
    let hints = hints(server.address).await;
    assert_eq!(hints.len(), 1, "{hints:?}");
    let hint = &hints[0];
    assert_eq!((&hint["name"], &hint["count"]), (&name.into(), &count.into()), "{hint}");
    assert!(hint["sentence"].as_str().unwrap().contains(sentence), "{hint}");
    assert!(hint["fix"].as_str().unwrap().contains(fix), "{hint}");
    assert!(hint["last"].as_str().unwrap().starts_with("20"), "{hint}");
    hint.clone()
}

fn good() -> Bytes {
    export("shop", vec![span(1, "s")]).encode_to_vec().into()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sent_well_lights_nothing() {
    let server = Server::start().await;
    for way in Way::ALL {
        way.send(server.address, &export("shop", vec![span(1, "s")])).await.partial_success();
    }
    for path in ["/", "/v1/services", "/favicon.ico", "/.well-known/security.txt"] {
        get(server.address, path).await;
    }
    assert_eq!(hints(server.address).await, [] as [Value; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_post_to_the_root() {
    let server = Server::start().await;
    post(server.address, "/?token=s3cret", &[PROTOBUF, AGENT], good()).await;
    let hint = only(&server, "post_to_root", 1, "posted to /", "/v1/traces").await;
    assert_eq!(hint["example"]["request"], "POST /", "without its query");
    assert_eq!(hint["example"]["userAgent"], AGENT.1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_that_is_there_twice() {
    let server = Server::start().await;
    let answer = post(server.address, "/v1/traces/v1/traces", &[PROTOBUF], good()).await;
    assert!(answer.text().contains("did you mean /v1/traces?"), "{answer:?}");
    only(&server, "doubled_path", 1, "names the path twice", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_protocol() {
    let server = Server::start().await;
    post(server.address, "/api/v2/spans", &[JSON], Bytes::from_static(b"[]")).await;
    only(&server, "foreign_protocol", 1, "Zipkin v2", "OTEL_TRACES_EXPORTER=otlp").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_path_names_the_nearest() {
    let server = Server::start().await;
    for _ in 0..3 {
        post(server.address, "/v1/trace", &[PROTOBUF], good()).await;
    }
    let hint = only(&server, "wrong_path", 3, "POST /v1/trace", "did you mean /v1/traces?").await;
    assert_eq!(hint["example"]["userAgent"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_method() {
    let server = Server::start().await;
    get(server.address, TRACES).await;
    only(&server, "wrong_method", 1, "GET /v1/traces", "/v1/traces/search").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn grpc_to_what_is_not_here() {
    let server = Server::start().await;
    grpc(server.address, "/jaeger.api_v2.CollectorService/PostSpans", &[], frame(0, b"")).await;
    only(&server, "grpc_wrong_path", 1, "PostSpans", "TraceService/Export").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn grpc_over_http1() {
    let server = Server::start().await;
    post(server.address, TRACE_SERVICE, &[("content-type", "application/grpc")], frame(0, &good())).await;
    only(&server, "grpc_over_http1", 1, "HTTP/1.1", "http/protobuf").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_host() {
    let server = Server::start().await;
    let headers = [("host", "clew.internal:4318"), PROTOBUF];
    let answer = http1(server.address, request("POST", TRACES, &headers, good())).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    only(&server, "foreign_host", 1, "clew.internal", "the setting hosts").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_preflight_that_is_refused() {
    let preflight = [("origin", "https://shop.example"), ("access-control-request-method", "POST")];
    let server = Server::start().await;
    http1(server.address, request("OPTIONS", TRACES, &preflight, Bytes::new())).await;
    only(&server, "cors_refused", 1, "https://shop.example", "cors.origins").await;
    let origins = vec!["https://other.example".to_owned()];
    let server = Server::with(ServerConfig { cors_origins: origins, ..config() }).await;
    http1(server.address, request("OPTIONS", TRACES, &preflight, Bytes::new())).await;
    only(&server, "cors_refused", 1, "https://shop.example", "cors.origins").await;
    let origins = vec!["https://shop.example".to_owned()];
    let server = Server::with(ServerConfig { cors_origins: origins, ..config() }).await;
    http1(server.address, request("OPTIONS", TRACES, &preflight, Bytes::new())).await;
    assert_eq!(hints(server.address).await, [] as [Value; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn tls() {
    let server = Server::start().await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    // A handshake record of 512 bytes that begins a ClientHello.
    let mut hello = vec![0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3];
    hello.resize(5 + 512, 7);
    stream.write_all(&hello).await.unwrap();
    let mut answer = Vec::new();
    // Answered or cut off, but not left waiting.
    let _ = stream.read_to_end(&mut answer).await;
    let hint = only(&server, "tls", 1, "1 connection began with TLS", "http://").await;
    assert_eq!(hint["example"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compression_that_is_not_known() {
    let server = Server::start().await;
    post(server.address, TRACES, &[PROTOBUF, ("content-encoding", "br")], good()).await;
    grpc(server.address, TRACE_SERVICE, &[("grpc-encoding", "snappy")], frame(1, &good())).await;
    only(&server, "unsupported_encoding", 2, "content-encoding br", "gzip").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_content_type_that_is_not_known() {
    let server = Server::start().await;
    post(server.address, TRACES, &[("content-type", "text/xml")], good()).await;
    only(&server, "unsupported_media", 1, "text/xml", "application/x-protobuf").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn protobuf_that_is_called_json_and_the_reverse() {
    let server = Server::start().await;
    post(server.address, TRACES, &[JSON], good()).await;
    only(&server, "wrong_syntax", 1, "is it protobuf?", "application/x-protobuf").await;
    let server = Server::start().await;
    let json = to_json(&export("shop", vec![span(1, "s")])).to_string();
    post(server.address, TRACES, &[PROTOBUF], json.into()).await;
    only(&server, "wrong_syntax", 1, "begins like JSON", "application/json").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_cannot_be_read() {
    let server = Server::start().await;
    post(server.address, TRACES, &[PROTOBUF], Bytes::from_static(b"\xff\xff\xff")).await;
    post(server.address, TRACES, &[JSON], Bytes::from_static(b"{\"resourceSpans\":[")).await;
    only(&server, "undecodable", 2, "could not be read", "proxy").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_too_large() {
    let server = Server::with(ServerConfig { request_bytes: 1000, ..config() }).await;
    post(server.address, TRACES, &[PROTOBUF], vec![0; 1001].into()).await;
    only(&server, "too_large", 1, "limits.request_bytes", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_that_is_none() {
    let server = Server::start().await;
    post(server.address, TRACES, &[PROTOBUF, ("x-scope-orgid", "../etc")], good()).await;
    only(&server, "wrong_tenant", 1, "X-Scope-OrgID", "1 to 64 characters").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn spans_dated_1970_are_told_what_they_seem_to_count() {
    let dated = |start| {
        let mut odd = span(1, "s");
        (odd.start_time_unix_nano, odd.end_time_unix_nano) = (start, start + 5);
        export("shop", vec![odd.clone(), odd, span(2, "s")])
    };
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos() as u64;
    for (start, date, fix) in [
        (now / 1_000_000, "such as 1970-01-01T00:", "in milliseconds: startTimeUnixNano counts nanoseconds"),
        (now / 1_000, "such as 1970-01-2", "in microseconds"),
        (77, "such as 1970-01-01T00:00:00.000000077Z", "the clock of the sender"),
        (now + 40 * 24 * 3_600_000_000_000, "such as 20", "the clock of the sender"),
    ] {
        let server = Server::start().await;
        Way::Grpc.send(server.address, &dated(start)).await.partial_success();
        let hint = only(&server, "odd_times", 2, date, fix).await;
        assert_eq!(hint["example"]["request"], TRACE_SERVICE);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn spans_without_a_start_or_with_ids_that_are_none() {
    let server = Server::start().await;
    let mut bad = span(1, "s");
    bad.start_time_unix_nano = 0;
    Way::Protobuf.send(server.address, &export("shop", vec![bad, span(2, "s")])).await.partial_success();
    only(&server, "missing_start", 1, "no start time", "nanoseconds").await;
    let server = Server::start().await;
    let mut bad = span(1, "s");
    bad.trace_id = vec![1; 8];
    Way::Protobuf.send(server.address, &export("shop", vec![bad, span(2, "s")])).await.partial_success();
    only(&server, "bad_ids", 1, "could not be kept", "hexadecimal").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn spans_that_name_no_service() {
    let server = Server::start().await;
    let mut request = export("shop", vec![span(3, "s")]);
    request.resource_spans.push(resource_spans(&[("host.name", "a")], vec![span(1, "s"), span(2, "s")]));
    Way::Json.send(server.address, &request).await.partial_success();
    only(&server, "missing_service_name", 2, "unknown_service", "OTEL_SERVICE_NAME").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_logs_and_profiles() {
    let server = Server::start().await;
    let metrics = br#"{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"gauge":{"dataPoints":[{},{}]}}]}]}]}"#;
    post(server.address, "/v1/metrics", &[JSON], Bytes::from_static(metrics)).await;
    only(&server, "metrics_sent", 2, "metric points", "OTEL_METRICS_EXPORTER=none").await;
    let server = Server::start().await;
    let scope = ScopeLogs { log_records: vec![LogRecord::default(); 3], ..ScopeLogs::default() };
    let resource = ResourceLogs { scope_logs: vec![scope], ..ResourceLogs::default() };
    let logs = ExportLogsServiceRequest { resource_logs: vec![resource] }.encode_to_vec();
    post(server.address, "/v1/logs", &[PROTOBUF], logs.into()).await;
    only(&server, "logs_sent", 3, "log records", "OTEL_LOGS_EXPORTER=none").await;
    let server = Server::start().await;
    let profiles = br#"{"resourceProfiles":[{"scopeProfiles":[{"profiles":[{}]}]}]}"#;
    post(server.address, "/v1development/profiles", &[JSON], Bytes::from_static(profiles)).await;
    only(&server, "profiles_sent", 1, "1 profile was sent", "profiles off").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn examples_of_strangers_are_short_and_escaped() {
    let server = Server::start().await;
    let path = format!("/{}", "x".repeat(4000));
    let agent = "<script>alert(1)</script>".repeat(100);
    post(server.address, &path, &[("user-agent", &agent)], Bytes::new()).await;
    let hint = only(&server, "wrong_path", 1, "POST /xxx", "did you mean").await;
    for text in [&hint["example"]["request"], &hint["example"]["userAgent"]] {
        assert!(text.as_str().unwrap().len() < 130, "{text}");
    }
    assert!(hint.to_string().len() < 1000, "{hint}");
}
