//! What a server holds at once: bounded, waited for, and refused with a hint when the wait was in vain.

use std::sync::Arc;
use std::time::Duration;

use clew_server::ServerConfig;
use clew_store::Ports;
use clew_store::port::{Fault, FaultyDisk, MemoryDisk, SystemClock};
use http::StatusCode;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tonic::Code;

use crate::server::{Server, config, eventually};
use crate::wire::{Way, export, get, span, trace_id};

fn tight(wait: Duration) -> ServerConfig {
    ServerConfig { request_bytes: 8 << 10, in_flight_bytes: 8 << 10, in_flight_wait: wait, ..config() }
}

/// A sender that holds all bytes in flight until it is dropped or goes on.
async fn holder(server: &Server) -> TcpStream {
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let head =
        "POST /v1/traces HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 8192\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    eventually("the bytes are held", async || server.app.in_flight.bytes() == 8 << 10).await;
    stream
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_server_refuses_with_a_hint() {
    let server = Server::with(tight(Duration::from_millis(20))).await;
    let held = holder(&server).await;
    let request = export("shop", vec![span(1, "s")]);
    for way in [Way::Protobuf, Way::Json] {
        let answer = way.send(server.address, &request).await;
        assert_eq!((answer.status, answer.header("retry-after")), (StatusCode::SERVICE_UNAVAILABLE, "1"), "{way:?}");
    }
    let status = Way::Grpc.send(server.address, &request).await.grpc_status();
    assert_eq!(status.code(), Code::Unavailable);
    assert!(status.details().windows(9).any(|window| window == b"RetryInfo"), "{status:?}");
    assert_eq!(server.refused("in_flight_full").await, 3.0);
    drop(held);
    eventually("room is there again", async || Way::Json.send(server.address, &request).await.status == StatusCode::OK)
        .await;
    assert_eq!(server.spans_of("default", &[trace_id(1)]).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_short_wait_is_not_noticed() {
    let server = Server::with(tight(Duration::from_secs(30))).await;
    let held = holder(&server).await;
    let address = server.address;
    let mut waiting =
        tokio::spawn(async move { Way::Protobuf.send(address, &export("shop", vec![span(1, "s")])).await });
    assert!(tokio::time::timeout(Duration::from_millis(50), &mut waiting).await.is_err(), "it waits for its bytes");
    drop(held);
    assert_eq!(waiting.await.unwrap().partial_success().0, 0);
    assert_eq!(server.refused("in_flight_full").await, 0.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn full_live_spans_refuse_with_a_hint() {
    let clock = Arc::new(SystemClock::new());
    // No room at all, so that there is nothing to seal, which would make some.
    let server = Server::with_store(config(), clock, Ports::real(), |store| store.live_bytes = 0).await;
    let batch = |first: u64| export("shop", (first..first + 1000).map(|number| span(number, "s")).collect());
    let refused = async |first: u64| Way::Protobuf.send(server.address, &batch(first)).await.status != StatusCode::OK;
    let mut first = 0;
    eventually("live spans are full", async || {
        first += 1000;
        refused(first).await
    })
    .await;
    let answer = Way::Json.send(server.address, &batch(first + 1000)).await;
    assert_eq!((answer.status, answer.header("retry-after")), (StatusCode::SERVICE_UNAVAILABLE, "10"));
    assert_eq!(Way::Grpc.send(server.address, &batch(first + 2000)).await.grpc_status().code(), Code::Unavailable);
    assert_eq!(server.refused("live_full").await, 3.0);
    assert_eq!(server.figure("clew_spans_refused_total{tenant=\"default\",reason=\"live_full\"}").await, 3000.0);
    let health = get(server.address, "/v1/health").await;
    assert_eq!((health.status, health.json()["status"].as_str()), (StatusCode::OK, Some("degraded")));
    assert_eq!(health.json()["reasons"][0]["name"], "live_full");
    assert_eq!(get(server.address, "/v1/ready").await.status, StatusCode::OK, "it still answers questions");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_refuses_and_service_resumes_by_itself() {
    let disk = FaultyDisk::new(MemoryDisk::default());
    let clock: Arc<SystemClock> = Arc::new(SystemClock::new());
    let ports = Ports { disk: Arc::new(disk.clone()), clock: clock.clone() };
    let server = Server::with_store(config(), clock, ports, |store| {
        store.segment_bytes = 64 << 10;
        store.disk_full_pause = Duration::from_millis(10);
    })
    .await;
    let batch = |first: u64| export("shop", (first..first + 1000).map(|number| span(number, "s")).collect());
    disk.set_full(true);
    let mut first = 0;
    let mut answer = Way::Protobuf.send(server.address, &batch(first)).await;
    while answer.status == StatusCode::OK {
        first += 1000;
        answer = Way::Protobuf.send(server.address, &batch(first)).await;
    }
    assert_eq!((answer.status, answer.header("retry-after")), (StatusCode::SERVICE_UNAVAILABLE, "10"));
    assert!(server.refused("disk_full").await >= 1.0);
    assert_eq!(get(server.address, "/v1/health").await.json()["reasons"][0]["name"], "disk_full");
    disk.set_full(false);
    let again = async || Way::Protobuf.send(server.address, &batch(first)).await.status == StatusCode::OK;
    eventually("service resumes", again).await;
    assert_eq!(server.spans_of("default", &[trace_id(first)]).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_log_is_not_ready_and_takes_nothing() {
    let disk = FaultyDisk::new(MemoryDisk::default());
    let clock: Arc<SystemClock> = Arc::new(SystemClock::new());
    let ports = Ports { disk: Arc::new(disk.clone()), clock: clock.clone() };
    let server = Server::with_store(config(), clock, ports, |_| {}).await;
    let request = |number| export("shop", vec![span(number, "s")]);
    Way::Protobuf.send(server.address, &request(1)).await.partial_success();
    // Whatever comes first, a write or a sync, the one after it fails as well.
    disk.fail_next(Fault::Broken);
    disk.fail_at(disk.effects().len() + 1, Fault::Broken);
    let status = Way::Grpc.send(server.address, &request(2)).await.grpc_status();
    assert_eq!(status.code(), Code::Unavailable);
    let answer = Way::Json.send(server.address, &request(3)).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(server.refused("log_failed").await, 2.0);
    assert_eq!(get(server.address, "/v1/ready").await.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(get(server.address, "/v1/health").await.json()["reasons"][0]["name"], "log_failed");
    assert_eq!(server.spans_of("default", &[trace_id(1)]).len(), 1, "readers go on");
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_beyond_the_bound_wait() {
    let server = Server::with(ServerConfig { connections: 1, ..config() }).await;
    let first = TcpStream::connect(server.address).await.unwrap();
    let address = server.address;
    let mut second =
        tokio::spawn(async move { Way::Protobuf.send(address, &export("shop", vec![span(1, "s")])).await });
    assert!(tokio::time::timeout(Duration::from_millis(50), &mut second).await.is_err(), "it waits for its place");
    drop(first);
    assert_eq!(second.await.unwrap().partial_success().0, 0);
}
