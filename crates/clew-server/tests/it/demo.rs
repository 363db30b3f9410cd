//! `POST /v1/demo`: a story enters as any sender's spans do, and only when it is asked for properly.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use clew_model::TraceId;
use clew_server::{Demo, ServerConfig, Visit, VisitExport};
use http::StatusCode;
use prost::Message as _;

use crate::server::{Server, config};
use crate::wire::{export, get, post, span, trace_id};

const JSON: (&str, &str) = ("content-type", "application/json");

/// Two services a visit, three spans in all; every second visit has a fault.
struct TwoServices {
    started: Arc<AtomicU64>,
}

impl Demo for TwoServices {
    fn visits(&self, seed: u64) -> Box<dyn FnMut(u64) -> Visit + Send> {
        self.started.fetch_add(1, Ordering::SeqCst);
        let mut number = seed * 10_000;
        Box::new(move |start| {
            number += 1;
            let at = |name: &str| {
                let mut span = span(number, name);
                (span.start_time_unix_nano, span.end_time_unix_nano) = (start, start + 1_000);
                span
            };
            let of = |service: &str, spans: Vec<_>| VisitExport {
                span_count: spans.len() as u64,
                body: export(service, spans).encode_to_vec().into(),
            };
            let about = number.is_multiple_of(2).then_some("a slow query");
            let exports = vec![of("front", vec![at("a")]), of("back", vec![at("bb"), at("ccc")])];
            Visit { trace_id: trace_id(number), about, exports }
        })
    }
}

async fn with_demo(config: ServerConfig) -> (Server, Arc<AtomicU64>) {
    let server = Server::with(config).await;
    let started = Arc::new(AtomicU64::new(0));
    server.offer_demo(Arc::new(TwoServices { started: Arc::clone(&started) }));
    (server, started)
}

fn ids(numbers: std::ops::RangeInclusive<u64>) -> Vec<TraceId> {
    numbers.map(trace_id).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_demo_is_stored_like_any_senders_spans_and_spread_over_the_time_before_now() {
    let (server, _) = with_demo(config()).await;
    let body = Bytes::from_static(br#"{"seed":1,"count":4,"overSeconds":400}"#);
    let answer = post(server.address, "/v1/demo?tenant=shop", &[JSON], body).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    let told = answer.json();
    assert_eq!((&told["traces"], &told["spans"]), (&4.into(), &12.into()));
    assert_eq!(told["firstTraceId"], trace_id(10_001).to_string());
    assert_eq!(told["examples"].as_array().unwrap().len(), 1, "each fault once: {told}");
    assert_eq!(told["examples"][0]["traceId"], trace_id(10_002).to_string());
    let spans = server.spans_of("shop", &ids(10_001..=10_004));
    assert_eq!(spans.len(), 12);
    let mut starts: Vec<u64> = spans.iter().map(|span| span.start_unix_nanos / 1_000_000_000).collect();
    starts.sort_unstable();
    starts.dedup();
    assert_eq!(starts.windows(2).map(|pair| pair[1] - pair[0]).collect::<Vec<_>>(), [100, 100, 100]);
    assert_eq!(server.spans_of("default", &ids(10_001..=10_004)).len(), 0, "the tenant that was named has them");
    let figures = server.figures().await;
    assert_eq!(figures["clew_spans_received_total{tenant=\"shop\"}"], 12.0);
    assert_eq!(figures["clew_ack_seconds_count"], 8.0, "one request for each service of each visit");
    let reopened = { server }.reopened_store().await;
    let shop = clew_model::Tenant::new("shop").unwrap();
    let rows = reopened.spans().rows(&shop, &ids(10_001..=10_004), &|| false).unwrap();
    assert_eq!(rows.spans.len(), 12, "they are in the log");
    reopened.close().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_may_be_left_out() {
    let (server, _) = with_demo(config()).await;
    let told = post(server.address, "/v1/demo", &[JSON], Bytes::new()).await.json();
    assert_eq!((&told["traces"], &told["spans"]), (&120.into(), &360.into()), "{told}");
}

/// A path, headers, a body; the status and a part of the detail that answer them.
type Wrong<'c> = (&'c str, &'c [(&'c str, &'c str)], &'c [u8], u16, &'c str);

#[tokio::test(flavor = "multi_thread")]
async fn what_is_asked_for_in_a_wrong_way_starts_nothing() {
    let (server, started) = with_demo(config()).await;
    let cases: [Wrong<'_>; 9] = [
        ("/v1/demo", &[], b"{}", 415, "application/json"),
        ("/v1/demo", &[("content-type", "text/plain")], b"{}", 415, "application/json"),
        ("/v1/demo", &[("content-type", "application/x-www-form-urlencoded")], b"", 415, "application/json"),
        ("/v1/demo", &[JSON], br#"{"count":0}"#, 400, "1 to 1000"),
        ("/v1/demo", &[JSON], br#"{"count":1001}"#, 400, "1 to 1000"),
        ("/v1/demo", &[JSON], br#"{"overSeconds":86401}"#, 400, "86400"),
        ("/v1/demo", &[JSON], br#"{"rate":5}"#, 400, "rate"),
        ("/v1/demo?count=5", &[JSON], b"{}", 400, "count"),
        ("/v1/demo", &[JSON, ("host", "evil.example")], b"{}", 403, "evil.example"),
    ];
    for (path, headers, body, status, word) in cases {
        let answer = post(server.address, path, headers, Bytes::from_static(body)).await;
        assert_eq!(answer.status.as_u16(), status, "{path} {body:?}: {answer:?}");
        assert!(answer.text().contains(word), "{answer:?}");
    }
    let large = post(server.address, "/v1/demo", &[JSON], vec![b' '; 100_000].into()).await;
    assert_eq!(large.status, StatusCode::BAD_REQUEST);
    assert_eq!(get(server.address, "/v1/demo").await.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(started.load(Ordering::SeqCst), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_another_origin_cannot_start_one() {
    let (server, started) = with_demo(config()).await;
    let preflight = [
        ("origin", "https://evil.example"),
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", "content-type"),
    ];
    let asked = crate::wire::request("OPTIONS", "/v1/demo", &preflight, Bytes::new());
    let answer = crate::wire::http1(server.address, asked).await;
    assert_eq!(answer.header("access-control-allow-origin"), "");
    assert_eq!(started.load(Ordering::SeqCst), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_demo_runs_at_a_time() {
    let (server, started) = with_demo(config()).await;
    let ask = || post(server.address, "/v1/demo", &[JSON], Bytes::from_static(br#"{"count":400}"#));
    let answers = tokio::join!(ask(), ask(), ask(), ask());
    let mut statuses = [answers.0.status, answers.1.status, answers.2.status, answers.3.status].map(|it| it.as_u16());
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409, 409, 409]);
    assert_eq!(started.load(Ordering::SeqCst), 1);
    assert_eq!(ask().await.status, StatusCode::OK, "afterwards there is room again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_told_with_what_was_stored_before() {
    let quota = ServerConfig { tenant_spans_per_second: Some(10), ..config() };
    let (server, _) = with_demo(quota).await;
    let answer = post(server.address, "/v1/demo", &[JSON], Bytes::from_static(br#"{"count":200}"#)).await;
    assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS, "{answer:?}");
    assert!(answer.text().contains("of 200 traces were stored before"), "{answer:?}");
    assert!(answer.header("retry-after").parse::<u64>().unwrap() >= 1, "{answer:?}");
    assert!(server.refused("tenant_quota").await >= 1.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_a_demo_says_so() {
    let server = Server::start().await;
    let answer = post(server.address, "/v1/demo", &[JSON], Bytes::new()).await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    assert!(answer.text().contains("has no demo"), "{answer:?}");
}
