//! Requests that cannot be read: a typed answer in the request's own syntax, a counter, nothing stored, and a server
//! that goes on.

use std::time::Duration;

use bytes::Bytes;
use clew_server::{Problem, ServerConfig};
use http::StatusCode;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tonic::Code;

use crate::server::{Server, config, eventually};
use crate::wire::{
    Answer, START, TRACE_SERVICE, TRACES, Way, export, frame, get, grpc, gzip, post, request, span, trace_id, zstd,
};

const PROTOBUF: (&str, &str) = ("content-type", "application/x-protobuf");
const JSON: (&str, &str) = ("content-type", "application/json");

/// `google.rpc.Status`, as the specification wants it in every refusal's body.
#[derive(Clone, PartialEq, Message)]
struct RpcStatus {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
}

/// The code and message of a refusal over HTTP, in the syntax of its content type.
fn rpc_status(answer: &Answer) -> (Code, String) {
    if answer.header("content-type") == "application/x-protobuf" {
        let status = RpcStatus::decode(answer.body.clone()).unwrap();
        return (Code::from(status.code), status.message);
    }
    assert_eq!(answer.header("content-type"), "application/json");
    let status = answer.json();
    (Code::from(status["code"].as_i64().unwrap() as i32), status["message"].as_str().unwrap().to_owned())
}

fn small() -> ExportTraceServiceRequest {
    export("shop", vec![span(1, "good")])
}

/// The server still takes spans.
async fn goes_on(server: &Server) {
    let (rejected, _) =
        Way::Protobuf.send(server.address, &export("shop", vec![span(99, "next")])).await.partial_success();
    assert_eq!((rejected, server.spans_of("default", &[trace_id(99)]).len()), (0, 1));
    assert!(server.spans_of("default", &[trace_id(1)]).is_empty(), "what was refused left nothing");
    let deadline = "no byte is in flight any more";
    eventually(deadline, async || server.figure("clew_in_flight_bytes").await == 0.0).await;
}

async fn refused_everywhere(reason: &str, status: StatusCode, code: Code, words: &str, bodies: [Bytes; 3]) {
    let server = Server::start().await;
    for (turn, (way, body)) in Way::ALL.into_iter().zip(bodies).enumerate() {
        let answer = way.send_bytes(server.address, body).await;
        let (found, message) = if way == Way::Grpc {
            (answer.grpc_status().code(), answer.grpc_status().message().to_owned())
        } else {
            assert_eq!(answer.status, status, "{way:?} {answer:?}");
            rpc_status(&answer)
        };
        assert_eq!(found, code, "{way:?}: {message}");
        assert!(message.contains(words), "{way:?}: {message}");
        assert_eq!(server.refused(reason).await, (turn + 1) as f64, "{way:?}");
    }
    goes_on(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn truncated_messages() {
    let whole = small().encode_to_vec();
    let cut = Bytes::copy_from_slice(&whole[..whole.len() - 3]);
    let json = crate::wire::to_json(&small()).to_string();
    let cut_json = Bytes::copy_from_slice(&json.as_bytes()[..json.len() / 2]);
    let status = StatusCode::BAD_REQUEST;
    let words = "in the middle of";
    refused_everywhere("truncated", status, Code::InvalidArgument, words, [cut.clone(), cut_json, cut]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_that_are_something_else() {
    let noise = Bytes::from_static(b"\x0b\x0b\x0b\x0b");
    let bodies = [noise.clone(), Bytes::from_static(b"[1, 2, 3]"), noise];
    let status = StatusCode::BAD_REQUEST;
    refused_everywhere("malformed", status, Code::InvalidArgument, "not a readable message", bodies).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_end_before_their_announced_length() {
    let server = Server::start().await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let head =
        "POST /v1/traces HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{";
    stream.write_all(head.as_bytes()).await.unwrap();
    drop(stream);
    eventually("the broken body is counted", async || server.refused("truncated").await == 1.0).await;
    goes_on(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn compressed_bodies_that_break_off() {
    let server = Server::start().await;
    // Incompressible, so that half of the body is the middle of the data.
    let noise: Vec<_> =
        (0..200).map(|number| span(1, &format!("{:x}", u64::wrapping_mul(number, 0x9e37_79b9_7f4a_7c15)))).collect();
    let body = export("shop", noise).encode_to_vec();
    for (name, whole) in [("gzip", gzip(&body)), ("zstd", zstd(&body))] {
        let before = server.refused("truncated").await;
        let half = whole.slice(..whole.len() / 2);
        let answer = post(server.address, TRACES, &[PROTOBUF, ("content-encoding", name)], half.clone()).await;
        assert_eq!((answer.status, rpc_status(&answer).0), (StatusCode::BAD_REQUEST, Code::InvalidArgument), "{name}");
        let answer = grpc(server.address, TRACE_SERVICE, &[("grpc-encoding", name)], frame(1, &half)).await;
        assert_eq!(answer.grpc_status().code(), Code::InvalidArgument, "{name}");
        assert_eq!(server.refused("truncated").await, before + 2.0, "{name}");
    }
    let answer = post(server.address, TRACES, &[PROTOBUF, ("content-encoding", "gzip")], body.into()).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert_eq!(server.refused("malformed").await, 1.0);
    goes_on(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_over_16_mib_and_bombs() {
    let server = Server::start().await;
    let too_large = vec![0; (16 << 20) + 1];
    for way in Way::ALL {
        let answer = way.send_bytes(server.address, too_large.clone().into()).await;
        match way {
            Way::Grpc => assert_eq!(answer.grpc_status().code(), Code::InvalidArgument),
            _ => assert_eq!(
                (answer.status, rpc_status(&answer).0),
                (StatusCode::PAYLOAD_TOO_LARGE, Code::InvalidArgument)
            ),
        }
    }
    assert_eq!(server.refused("too_large").await, 3.0);
    let bombs = vec![0; 512 << 20];
    for (name, bomb) in [("gzip", gzip(&bombs)), ("zstd", zstd(&bombs))] {
        for content_type in [PROTOBUF, JSON] {
            let answer = post(server.address, TRACES, &[content_type, ("content-encoding", name)], bomb.clone()).await;
            assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE, "{name}");
            assert!(rpc_status(&answer).1.contains("16777216 bytes"), "{name}: {answer:?}");
        }
        let answer = grpc(server.address, TRACE_SERVICE, &[("grpc-encoding", name)], frame(1, &bomb)).await;
        assert_eq!(answer.grpc_status().code(), Code::InvalidArgument, "{name}");
    }
    assert_eq!(server.refused("too_large").await, 9.0);
    goes_on(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unannounced_bodies_stop_at_the_bound() {
    let server = Server::with(ServerConfig { request_bytes: 64 * 1024, ..config() }).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let head = "POST /v1/traces HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let chunk = format!("4000\r\n{}\r\n", "x".repeat(0x4000));
    for _ in 0..5 {
        stream.write_all(chunk.as_bytes()).await.unwrap();
    }
    stream.write_all(b"0\r\n\r\n").await.unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 413");
    assert_eq!(server.refused("too_large").await, 1.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_content_types_and_encodings() {
    let server = Server::start().await;
    let body = Bytes::from(small().encode_to_vec());
    let form = ("content-type", "application/x-www-form-urlencoded");
    for headers in
        [&[form][..], &[], &[PROTOBUF, ("content-encoding", "br")], &[PROTOBUF, ("content-encoding", "gzip, gzip")]]
    {
        let answer = post(server.address, TRACES, headers, body.clone()).await;
        assert_eq!(answer.status, StatusCode::UNSUPPORTED_MEDIA_TYPE, "{headers:?}");
        assert_eq!(answer.header("accept-encoding"), "gzip, zstd, identity");
        assert!(rpc_status(&answer).1.contains("send application/x-protobuf"), "{answer:?}");
    }
    let answer = grpc(server.address, TRACE_SERVICE, &[("grpc-encoding", "snappy")], frame(1, &body)).await;
    assert_eq!(answer.grpc_status().code(), Code::Unimplemented);
    assert_eq!(answer.header("grpc-accept-encoding"), "identity,gzip,zstd");
    assert_eq!(server.refused("unsupported_media").await, 5.0);
    goes_on(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_paths_methods_and_services() {
    let server = Server::start().await;
    let misdirected =
        async |reason| server.figure(&format!("clew_requests_misdirected_total{{reason=\"{reason}\"}}")).await;
    for (path, hint) in [
        ("/v1/trace", "/v1/traces"),
        ("/", "/v1/traces"),
        ("/v1/traces/v1/traces", "/v1/traces"),
        ("/v1/log", "/v1/logs"),
    ] {
        let answer = post(server.address, path, &[PROTOBUF], Bytes::new()).await;
        assert_eq!(answer.header("content-type"), "application/problem+json");
        let problem: Problem = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(problem.status, 404, "{path}");
        assert!(problem.detail.contains(hint), "{path}: {}", problem.detail);
    }
    let answer = get(server.address, TRACES).await;
    assert_eq!((answer.status, answer.header("allow")), (StatusCode::METHOD_NOT_ALLOWED, "POST"));
    assert!(answer.text().contains("GET /v1/traces/search"), "{answer:?}");
    let answer = post(server.address, "/v1/health", &[], Bytes::new()).await;
    assert_eq!((answer.status, answer.header("allow")), (StatusCode::METHOD_NOT_ALLOWED, "GET,HEAD"));
    let answer = grpc(server.address, "/jaeger.api_v2.CollectorService/PostSpans", &[], frame(0, b"")).await;
    assert_eq!(answer.grpc_status().code(), Code::Unimplemented);
    assert!(answer.grpc_status().message().contains(TRACE_SERVICE), "{answer:?}");
    let answer = post(server.address, TRACE_SERVICE, &[("content-type", "application/grpc")], frame(0, b"")).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert!(answer.text().contains("gRPC needs HTTP/2"), "{answer:?}");
    assert_eq!([misdirected("path").await, misdirected("method").await, misdirected("service").await], [3.0, 3.0, 2.0]);
    goes_on(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_senders() {
    let server = Server::with(ServerConfig { body_timeout: Duration::from_millis(100), ..config() }).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let head =
        "POST /v1/traces HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{";
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    assert!(answer.contains("the body came too slowly"), "{answer}");
    assert_eq!(server.refused("slow_sender").await, 1.0);
    goes_on(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_headers_and_silent_connections_are_closed() {
    let server = Server::with(ServerConfig { header_timeout: Duration::from_millis(100), ..config() }).await;
    for start in ["", "P", "PRI * HT", "POST /v1/traces HTTP/1.1\r\nHost: loc"] {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(start.as_bytes()).await.unwrap();
        let mut rest = Vec::new();
        let closed = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut rest)).await;
        closed.expect("the connection is closed long before").unwrap();
        assert!(rest.is_empty() || rest.starts_with(b"HTTP/1.1 408"), "{start:?}: {rest:?}");
    }
    goes_on(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sender_that_writes_all_before_it_reads_sees_why_it_is_refused() {
    let server = Server::with(ServerConfig { request_bytes: 1 << 20, ..config() }).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let length = 3 << 20;
    let head = format!(
        "POST /v1/traces HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&vec![b' '; length]).await.unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 413");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_over_http2_is_refused_alike() {
    let server = Server::start().await;
    let uri = format!("http://{}{TRACES}", server.address);
    let answer = crate::wire::http2(
        server.address,
        request("POST", &uri, &[JSON], Bytes::from_static(b"{\"resourceSpans\":7}")),
    )
    .await;
    assert_eq!((answer.status, rpc_status(&answer).0), (StatusCode::BAD_REQUEST, Code::InvalidArgument));
    assert!(START > 0 && server.refused("malformed").await == 1.0);
}
