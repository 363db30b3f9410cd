//! Doors: every one speaks everything, to those it should.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use clew_server::{BindError, Listen, Purpose, ServerConfig, bind};
use clew_store::port::SystemClock;
use clew_store::{Ports, Store, StoreConfig};
use http::StatusCode;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use prost::Message as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tonic::codec::CompressionEncoding;

use crate::server::{Server, config, eventually};
use crate::wire::{
    TRACE_SERVICE, TRACES, Way, export, frame, get, grpc, gzip, http1, http2, post, request, span, trace_id, zstd,
};

fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

fn store() -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(StoreConfig::new(folder.path()), Ports::real()).unwrap();
    (folder, store)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_door_speaks_everything() {
    let (_folder, store) = store();
    let doors = [Purpose::Otlp, Purpose::Otlp, Purpose::Api].map(|purpose| Listen::asked(loopback(0), purpose));
    let config = ServerConfig { listen: doors.to_vec(), ..ServerConfig::default() };
    let server = bind(config, store.clone(), std::sync::Arc::new(SystemClock::new())).await.unwrap();
    let addresses = server.addresses();
    assert_eq!(server.api_address(), addresses[2].address);
    assert!(server.warnings().is_empty());
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let served = tokio::spawn(server.serve(async { drop(stopped.await) }));
    let mut number = 0;
    for door in &addresses {
        for way in Way::ALL {
            number += 1;
            let (rejected, _) =
                way.send(door.address, &export("shop", vec![span(number, "s")])).await.partial_success();
            assert_eq!(rejected, 0, "{way:?} at {door:?}");
        }
        for path in ["/", "/v1/health", "/v1/ready", "/metrics", "/v1/services"] {
            assert_eq!(get(door.address, path).await.status, StatusCode::OK, "{path} at {door:?}");
        }
    }
    let ids: Vec<_> = (1..=number).map(trace_id).collect();
    let rows = store.spans().rows(&clew_model::Tenant::default(), &ids, &|| false).unwrap();
    assert_eq!(rows.spans.len(), 9);
    drop(stop);
    assert_eq!(served.await.unwrap(), 0);
    store.close().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn compressed_bodies_are_taken_in_every_way() {
    let mut server = Server::start().await;
    let body = |number| export("shop", vec![span(number, "s")]).encode_to_vec();
    let json = |number| crate::wire::to_json(&export("shop", vec![span(number, "s")])).to_string();
    let mut number = 0;
    for (name, compress) in [("gzip", gzip as fn(&[u8]) -> Bytes), ("zstd", zstd)] {
        let headers = [("content-type", "application/x-protobuf"), ("content-encoding", name)];
        post(server.address, TRACES, &headers, compress(&body(number + 1))).await.partial_success();
        let headers = [("content-type", "application/json; charset=utf-8"), ("content-encoding", name)];
        post(server.address, TRACES, &headers, compress(json(number + 2).as_bytes())).await.partial_success();
        let framed = frame(1, &compress(&body(number + 3)));
        grpc(server.address, TRACE_SERVICE, &[("grpc-encoding", name)], framed).await.partial_success();
        number += 3;
    }
    let two_members = [gzip(&body(7)), gzip(&body(8))].concat();
    let headers = [("content-type", "application/x-protobuf"), ("content-encoding", "gzip")];
    post(server.address, TRACES, &headers, two_members.into()).await.partial_success();
    let ids: Vec<_> = (1..=8).map(trace_id).collect();
    assert_eq!(server.spans_of("default", &ids).len(), 8);
    let reopened = server.reopened_store().await;
    let rows = reopened.spans().rows(&clew_model::Tenant::default(), &ids, &|| false).unwrap();
    assert_eq!(rows.spans.len(), 8, "the log holds bodies as they came, and replays them all");
    reopened.close().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_default_door_opens_on_ipv6_loopback_as_well() {
    let (_folder, store) = store();
    let default = Listen { address: loopback(0), purpose: Purpose::Otlp, asked_for: false };
    let config = ServerConfig { listen: vec![default], ..ServerConfig::default() };
    let server = bind(config, store.clone(), std::sync::Arc::new(SystemClock::new())).await.unwrap();
    let addresses = server.addresses();
    let has_ipv6 = tokio::net::TcpListener::bind("[::1]:0").await.is_ok();
    assert_eq!(addresses.len(), if has_ipv6 { 2 } else { 1 });
    assert!(addresses.iter().all(|door| door.address.port() == addresses[0].address.port()));
    store.close().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn large_bodies_are_taken_whole() {
    let server = Server::start().await;
    let spans: Vec<_> = (0..20_000).map(|number| span(number, "s")).collect();
    let request = export("shop", spans);
    for way in Way::ALL {
        assert_eq!(way.send(server.address, &request).await.partial_success(), (0, String::new()), "{way:?}");
    }
    let stored = server.spans_of("default", &(0..20_000).map(trace_id).collect::<Vec<_>>());
    assert_eq!(stored.len(), 20_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grpc_library_is_understood() {
    let server = Server::start().await;
    let url = format!("http://{}", server.address);
    for encoding in [None, Some(CompressionEncoding::Gzip), Some(CompressionEncoding::Zstd)] {
        let mut client = TraceServiceClient::connect(url.clone()).await.unwrap();
        if let Some(encoding) = encoding {
            client = client.send_compressed(encoding);
        }
        for number in 1..=3 {
            let response = client.export(export("shop", vec![span(number, "s")])).await.unwrap();
            assert_eq!(response.into_inner().partial_success, None);
        }
        let mut spoilt = span(4, "odd");
        spoilt.span_id.clear();
        let response = client.export(export("shop", vec![spoilt])).await.unwrap().into_inner();
        assert_eq!(response.partial_success.unwrap().rejected_spans, 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn http2_with_prior_knowledge_needs_no_grpc() {
    let server = Server::start().await;
    let uri = |path: &str| format!("http://{}{path}", server.address);
    let body = Bytes::from(export("shop", vec![span(1, "s")]).encode_to_vec());
    let headers = [("content-type", "application/x-protobuf")];
    http2(server.address, request("POST", &uri(TRACES), &headers, body)).await.partial_success();
    assert_eq!(server.spans_of("default", &[trace_id(1)]).len(), 1);
    let health = http2(server.address, request("GET", &uri("/v1/health"), &[], Bytes::new())).await;
    assert_eq!(health.json(), serde_json::json!({ "status": "ok", "reasons": [] }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_host_is_told_what_to_set() {
    let server = Server::with(ServerConfig { hosts: vec!["clew.test".to_owned()], ..config() }).await;
    let with_host = |host| http1(server.address, request("GET", "/v1/health", &[("host", host)], Bytes::new()));
    assert_eq!(with_host("clew.test:8080").await.status, StatusCode::OK);
    let answer = with_host("evil.example").await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    assert_eq!(answer.json()["parameter"], "Host");
    assert!(answer.json()["detail"].as_str().unwrap().contains("the setting hosts"), "{answer:?}");
    let headers = [("content-type", "application/grpc"), ("te", "trailers")];
    let call = request("POST", &format!("http://evil.example{TRACE_SERVICE}"), &headers, frame(0, b""));
    assert_eq!(http2(server.address, call).await.grpc_status().code(), tonic::Code::PermissionDenied);
    assert_eq!(server.figure("clew_requests_misdirected_total{reason=\"host\"}").await, 2.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_configured_origins_only_may_send() {
    let preflight = [
        ("origin", "https://shop.example"),
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", "content-type,x-custom"),
    ];
    let closed = Server::start().await;
    let answer = http1(closed.address, request("OPTIONS", TRACES, &preflight, Bytes::new())).await;
    assert_eq!(answer.header("access-control-allow-origin"), "", "CORS is off unless configured");
    let open = Server::with(ServerConfig { cors_origins: vec!["https://shop.example".to_owned()], ..config() }).await;
    let answer = http1(open.address, request("OPTIONS", TRACES, &preflight, Bytes::new())).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.header("access-control-allow-origin"), "https://shop.example");
    assert_eq!(answer.header("access-control-allow-headers"), "content-type,x-custom");
    let headers = [("content-type", "application/json"), ("origin", "https://shop.example")];
    let answer = post(open.address, TRACES, &headers, Bytes::from_static(b"{}")).await;
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (StatusCode::OK, "https://shop.example"));
    let headers = [("content-type", "application/json"), ("origin", "https://other.example")];
    let answer = post(open.address, TRACES, &headers, Bytes::from_static(b"{}")).await;
    assert_eq!(answer.header("access-control-allow-origin"), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taken_default_is_skipped_and_a_taken_wish_is_an_error() {
    let taken = tokio::net::TcpListener::bind(loopback(0)).await.unwrap();
    let taken = taken.local_addr().map(|address| (taken, address)).unwrap();
    let default = |address| Listen { address, purpose: Purpose::Api, asked_for: false };
    let clock = || std::sync::Arc::new(SystemClock::new());
    let (_folder, store) = store();
    let skipping =
        ServerConfig { listen: vec![default(taken.1), Listen::asked(loopback(0), Purpose::Otlp)], ..config() };
    let server = bind(skipping, store.clone(), clock()).await.unwrap();
    assert_eq!(server.api_address(), server.addresses()[0].address, "the API is announced where a door is open");
    assert!(server.warnings()[0].contains(&taken.1.to_string()), "{:?}", server.warnings());
    let asking = ServerConfig { listen: vec![Listen::asked(taken.1, Purpose::Api)], ..config() };
    let error = bind(asking, store.clone(), clock()).await.err().unwrap();
    assert!(matches!(error, BindError::Taken { address } if address == taken.1));
    assert!(error.to_string().contains("ss -ltnp"), "{error}");
    let nothing = ServerConfig { listen: vec![default(taken.1)], ..config() };
    assert!(matches!(bind(nothing, store.clone(), clock()).await.err().unwrap(), BindError::NoDoor(_)));
    store.close().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_door_beyond_loopback_warns_and_takes_any_host() {
    let (_folder, store) = store();
    let any = SocketAddr::from(([0, 0, 0, 0], 0));
    let config = ServerConfig { listen: vec![Listen::asked(any, Purpose::Otlp)], ..ServerConfig::default() };
    let server = bind(config, store.clone(), std::sync::Arc::new(SystemClock::new())).await.unwrap();
    assert!(server.warnings()[0].contains("nothing guards it"), "{:?}", server.warnings());
    let address = loopback(server.addresses()[0].address.port());
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let served = tokio::spawn(server.serve(async { drop(stopped.await) }));
    let answer = http1(address, request("GET", "/v1/ready", &[("host", "clew.example")], Bytes::new())).await;
    assert_eq!(answer.status, StatusCode::OK);
    drop(stop);
    served.await.unwrap();
    store.close().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn stopping_finishes_what_is_in_flight() {
    let mut server = Server::start().await;
    let body = crate::wire::to_json(&export("shop", vec![span(1, "last")])).to_string();
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let head = format!(
        "POST /v1/traces HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&body.as_bytes()[..10]).await.unwrap();
    eventually("the request is in flight", async || server.app.in_flight.bytes() == body.len()).await;
    let idle = TcpStream::connect(server.address).await.unwrap();
    let served = server.stop();
    eventually("the door is shut", async || TcpStream::connect(server.address).await.is_err()).await;
    stream.write_all(&body.as_bytes()[10..]).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert_eq!(served.await.unwrap(), 0, "no connection was cut off");
    assert_eq!(server.spans_of("default", &[trace_id(1)]).len(), 1);
    drop(idle);
}

#[tokio::test(flavor = "multi_thread")]
async fn stopping_waits_no_longer_than_its_grace() {
    let mut server = Server::with(ServerConfig { stop_grace: Duration::from_millis(100), ..config() }).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let head =
        "POST /v1/traces HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{";
    stream.write_all(head.as_bytes()).await.unwrap();
    eventually("the request is in flight", async || server.app.in_flight.bytes() == 9).await;
    assert_eq!(server.stop().await.unwrap(), 1, "one connection was cut off");
}
