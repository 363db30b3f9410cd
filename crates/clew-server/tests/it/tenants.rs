//! Whose spans: token, header, attribute, default; how many tenants; how fast each.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use clew_model::Tenant;
use clew_server::ServerConfig;
use clew_store::port::ManualClock;
use http::StatusCode;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message as _;
use tonic::Code;

use crate::server::{Server, config};
use crate::wire::{
    Answer, START, TRACE_SERVICE, TRACES, Way, export, frame, grpc, post, resource_spans, span, trace_id,
};

async fn send_as(server: &Server, headers: &[(&str, &str)], request: &ExportTraceServiceRequest) -> Answer {
    let mut all = vec![("content-type", "application/x-protobuf")];
    all.extend_from_slice(headers);
    post(server.address, TRACES, &all, request.encode_to_vec().into()).await
}

fn names(server: &Server, tenant: &str, traces: std::ops::Range<u64>) -> Vec<String> {
    let ids: Vec<_> = traces.map(trace_id).collect();
    server.spans_of(tenant, &ids).into_iter().map(|span| span.name).collect()
}

fn by_attribute(tenants: &[&str], first: u64) -> ExportTraceServiceRequest {
    let resource = |(number, tenant): (usize, &&str)| {
        let number = first + number as u64;
        resource_spans(&[("service.name", "shop"), ("team", tenant)], vec![span(number, tenant)])
    };
    ExportTraceServiceRequest { resource_spans: tenants.iter().enumerate().map(resource).collect() }
}

#[tokio::test(flavor = "multi_thread")]
async fn token_then_header_then_attribute_then_default() {
    let tokens = HashMap::from([("s3cret".to_owned(), Tenant::new("paid").unwrap())]);
    let tenant_attribute = Some("team".to_owned());
    let server = Server::with(ServerConfig { tokens, tenant_attribute, ..config() }).await;
    let mut several = by_attribute(&["red", "blue"], 10);
    several.resource_spans.push(resource_spans(&[("service.name", "shop")], vec![span(12, "none")]));
    assert_eq!(send_as(&server, &[], &several).await.partial_success().0, 0, "one request may hold several tenants");
    for (tenant, name) in [("red", "red"), ("blue", "blue"), ("default", "none")] {
        assert_eq!(names(&server, tenant, 10..13), [name], "{tenant}");
        assert_eq!(server.figure(&format!("clew_spans_received_total{{tenant=\"{tenant}\"}}")).await, 1.0);
    }
    let header = ("x-scope-orgid", "green");
    send_as(&server, &[header], &by_attribute(&["red"], 20)).await.partial_success();
    assert_eq!(names(&server, "green", 20..21), ["red"], "the header goes before the attribute");
    send_as(&server, &[header, ("authorization", "Bearer s3cret")], &by_attribute(&["red"], 30))
        .await
        .partial_success();
    assert_eq!(names(&server, "paid", 30..31), ["red"], "the token goes before the header");
    let framed = frame(0, &by_attribute(&["red"], 40).encode_to_vec());
    grpc(server.address, TRACE_SERVICE, &[header], framed).await.partial_success();
    assert_eq!(names(&server, "green", 40..41), ["red"], "gRPC metadata are headers");
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_names_and_tokens_are_refused_or_rejected() {
    let tokens = HashMap::from([("s3cret".to_owned(), Tenant::new("paid").unwrap())]);
    let server = Server::with(ServerConfig { tokens, tenant_attribute: Some("team".to_owned()), ..config() }).await;
    let request = export("shop", vec![span(1, "s")]);
    let answer = send_as(&server, &[("x-scope-orgid", "../etc")], &request).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    let answer = send_as(&server, &[("authorization", "Bearer guess")], &request).await;
    assert_eq!((answer.status, answer.header("www-authenticate")), (StatusCode::UNAUTHORIZED, "Bearer"));
    let framed = frame(0, &request.encode_to_vec());
    let answer = grpc(server.address, TRACE_SERVICE, &[("x-scope-orgid", "a|b")], framed).await;
    assert_eq!(answer.grpc_status().code(), Code::InvalidArgument);
    let refused = "clew_requests_refused_total{tenant=\"(other)\",reason=\"bad_tenant\"}";
    assert_eq!(server.figure(refused).await, 3.0);
    let (rejected, message) = send_as(&server, &[], &by_attribute(&["good", "not good"], 5)).await.partial_success();
    assert!(rejected == 1 && message.contains("tenant name is not valid"), "{message}");
    assert_eq!(names(&server, "good", 5..7), ["good"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_tenants_than_configured() {
    let server = Server::with(ServerConfig { tenants: 2, tenant_attribute: Some("team".to_owned()), ..config() }).await;
    send_as(&server, &[], &by_attribute(&["one"], 1)).await.partial_success();
    let (rejected, message) = send_as(&server, &[], &by_attribute(&["one", "two", "three"], 2)).await.partial_success();
    assert_eq!(rejected, 1, "{message}");
    assert!(message.contains("holds as many tenants as it is configured for"), "{message}");
    assert_eq!(names(&server, "two", 2..5), ["two"]);
    assert!(names(&server, "three", 2..5).is_empty());
    let answer = send_as(&server, &[("x-scope-orgid", "four")], &export("shop", vec![span(9, "s")])).await;
    assert_eq!((answer.status, answer.header("retry-after")), (StatusCode::TOO_MANY_REQUESTS, "60"));
    let refused = "clew_requests_refused_total{tenant=\"four\",reason=\"too_many_tenants\"}";
    assert_eq!(server.figure(refused).await, 1.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spent_quota_names_the_wait_and_the_wait_suffices() {
    let clock = Arc::new(ManualClock::new(START));
    let limited = ServerConfig { tenant_spans_per_second: Some(10), ..config() };
    let server = Server::with_clock(limited, Arc::clone(&clock) as _).await;
    let batch = |first: u64| export("shop", (first..first + 30).map(|number| span(number, "s")).collect());
    send_as(&server, &[], &batch(0)).await.partial_success();
    let answer = send_as(&server, &[], &batch(100)).await;
    assert_eq!((answer.status, answer.header("retry-after")), (StatusCode::TOO_MANY_REQUESTS, "3"));
    let answer = Way::Grpc.send(server.address, &batch(100)).await.grpc_status();
    assert_eq!(answer.code(), Code::ResourceExhausted);
    assert_eq!(retry_delay(answer.details()), Duration::from_millis(2100), "one span above a debt of twenty");
    assert_eq!(server.refused("tenant_quota").await, 2.0);
    let refused = "clew_spans_refused_total{tenant=\"default\",reason=\"tenant_quota\"}";
    assert_eq!(server.figure(refused).await, 60.0);
    send_as(&server, &[("x-scope-orgid", "other")], &batch(200)).await.partial_success();
    clock.advance_nanos(2_100_000_000);
    assert_eq!(send_as(&server, &[], &batch(100)).await.partial_success().0, 0);
    assert_eq!(names(&server, "default", 100..130).len(), 30);
}

/// The delay of the `RetryInfo` among a status' details, read with prost.
fn retry_delay(details: &[u8]) -> Duration {
    #[derive(Clone, PartialEq, prost::Message)]
    struct Status {
        #[prost(int32, tag = "1")]
        code: i32,
        #[prost(message, repeated, tag = "3")]
        details: Vec<Any>,
    }
    #[derive(Clone, PartialEq, prost::Message)]
    struct Any {
        #[prost(string, tag = "1")]
        type_url: String,
        #[prost(bytes = "vec", tag = "2")]
        value: Vec<u8>,
    }
    #[derive(Clone, PartialEq, prost::Message)]
    struct RetryInfo {
        #[prost(message, optional, tag = "1")]
        delay: Option<Delay>,
    }
    #[derive(Clone, PartialEq, prost::Message)]
    struct Delay {
        #[prost(int64, tag = "1")]
        seconds: i64,
        #[prost(int32, tag = "2")]
        nanos: i32,
    }
    let status = Status::decode(details).unwrap();
    assert_eq!(status.code, Code::ResourceExhausted as i32);
    assert_eq!(status.details[0].type_url, "type.googleapis.com/google.rpc.RetryInfo");
    let delay = RetryInfo::decode(&status.details[0].value[..]).unwrap().delay.unwrap();
    Duration::new(delay.seconds as u64, delay.nanos as u32)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_that_was_rejected_for_its_quota_is_not_taken_for_repeated() {
    let clock = Arc::new(ManualClock::new(START));
    let limited =
        ServerConfig { tenant_spans_per_second: Some(1), tenant_attribute: Some("team".to_owned()), ..config() };
    let server = Server::with_clock(limited, Arc::clone(&clock) as _).await;
    send_as(&server, &[], &by_attribute(&["red"], 0)).await.partial_success();
    let both = by_attribute(&["red", "blue"], 10);
    let (rejected, message) = send_as(&server, &[], &both).await.partial_success();
    assert!(rejected == 1 && message.contains("quota"), "{message}");
    clock.advance_nanos(2_000_000_000);
    assert_eq!(send_as(&server, &[], &both).await.partial_success().0, 0, "the same body again, the quota refilled");
    assert_eq!(names(&server, "red", 10..12), ["red"], "what was told to be stored is stored");
    assert_eq!(names(&server, "blue", 10..12), ["blue"], "and so is what was stored before, once");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_sent_again_is_acknowledged_and_not_stored_twice() {
    let server = Server::start().await;
    let body = Bytes::from(export("shop", vec![span(1, "s")]).encode_to_vec());
    for _ in 0..3 {
        assert_eq!(Way::Protobuf.send_bytes(server.address, body.clone()).await.partial_success().0, 0);
    }
    assert_eq!(server.figure("clew_batches_repeated_total").await, 2.0);
    assert_eq!(server.figure("clew_spans_received_total{tenant=\"default\"}").await, 1.0);
    assert_eq!(names(&server, "default", 1..2), ["s"]);
}
