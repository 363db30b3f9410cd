//! Never silent: whatever is sent, sent = stored + reported, and the counters say the same.

use std::sync::Arc;

use clew_server::ServerConfig;
use clew_store::Ports;
use clew_store::port::{FaultyDisk, MemoryDisk, SystemClock};
use http::StatusCode;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::Span;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use prost::Message as _;
use tokio::io::AsyncWriteExt as _;

use crate::server::{Server, config, eventually};
use crate::wire::{Answer, START, Way, attribute, resource_spans, span, text, trace_id};

/// How a span is spoilt.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Spoil {
    Nothing,
    TraceId(usize),
    SpanId(usize),
    Start,
    EndFirst,
    Year1970,
    NoName,
    LongValue,
}

impl Spoil {
    fn keeps(self) -> bool {
        !matches!(self, Self::TraceId(_) | Self::SpanId(_) | Self::Start)
    }

    fn apply(self, mut span: Span) -> Span {
        match self {
            Self::Nothing => {}
            Self::TraceId(length) => span.trace_id = vec![1; length],
            Self::SpanId(length) => span.span_id = vec![1; length],
            Self::Start => span.start_time_unix_nano = 0,
            Self::EndFirst => span.end_time_unix_nano = START - 7,
            Self::Year1970 => span.start_time_unix_nano = 1,
            Self::NoName => span.name.clear(),
            Self::LongValue => span.attributes.push(attribute("long", text(&"x".repeat(70_000)))),
        }
        span
    }
}

fn spoil() -> impl Strategy<Value = Spoil> {
    prop_oneof![
        6 => Just(Spoil::Nothing),
        1 => (0_usize..16).prop_map(Spoil::TraceId),
        1 => (0_usize..8).prop_map(Spoil::SpanId),
        1 => Just(Spoil::Start),
        1 => Just(Spoil::EndFirst),
        1 => Just(Spoil::Year1970),
        1 => Just(Spoil::NoName),
        1 => Just(Spoil::LongValue),
    ]
}

#[derive(Debug, Clone)]
struct Sent {
    way: Way,
    /// For each resource a team (a tenant's name or not) and its spans.
    resources: Vec<(&'static str, Vec<Spoil>)>,
    /// How many bytes are cut off the end of the body.
    cut: usize,
}

fn sent() -> impl Strategy<Value = Sent> {
    let way = prop_oneof![Just(Way::Protobuf), Just(Way::Json), Just(Way::Grpc)];
    let team = prop_oneof![3 => Just("red"), 2 => Just("blue"), 1 => Just("green"), 1 => Just("no good")];
    let resources = prop::collection::vec((team, prop::collection::vec(spoil(), 0..6)), 0..4);
    let cut = prop_oneof![5 => Just(0_usize), 1 => 1_usize..40];
    (way, resources, cut).prop_map(|(way, resources, cut)| Sent { way, resources, cut })
}

/// What the totals must be in the end.
#[derive(Debug, Default, PartialEq)]
struct Totals {
    stored: u64,
    rejected: u64,
    refused_requests: u64,
}

async fn send(server: &Server, sent: &Sent, next_trace: &mut u64, totals: &mut Totals) {
    let mut request = ExportTraceServiceRequest::default();
    let mut kept = Vec::new();
    let mut span_count = 0;
    for (team, spoils) in &sent.resources {
        let spans = spoils.iter().map(|spoil| {
            *next_trace += 1;
            span_count += 1;
            if spoil.keeps() && *team != "no good" && *team != "green" {
                kept.push((*team, trace_id(*next_trace)));
            }
            spoil.apply(span(*next_trace, "s"))
        });
        request.resource_spans.push(resource_spans(&[("service.name", "shop"), ("team", team)], spans.collect()));
    }
    let mut body = match sent.way {
        Way::Json => crate::wire::to_json(&request).to_string().into_bytes(),
        Way::Protobuf | Way::Grpc => request.encode_to_vec(),
    };
    body.truncate(body.len().saturating_sub(sent.cut).max(1));
    let answer = sent.way.send_bytes(server.address, body.into()).await;
    if was_refused(&answer, sent.way) {
        totals.refused_requests += 1;
        assert!(
            kept.iter().all(|(team, id)| server.spans_of(team, &[*id]).is_empty()),
            "refused, yet stored: {sent:?}"
        );
        return;
    }
    if sent.cut > 0 {
        // The cut fell between two fields, so that what was left is a smaller request: nothing can be said of it.
        let stored = kept.iter().filter(|(team, id)| !server.spans_of(team, &[*id]).is_empty()).count() as u64;
        totals.stored += stored;
        totals.rejected += answer.partial_success().0 as u64;
        return;
    }
    let (rejected, message) = answer.partial_success();
    for (team, id) in &kept {
        assert_eq!(server.spans_of(team, &[*id]).len(), 1, "told to be stored, yet not there: {sent:?}");
    }
    assert_eq!(kept.len() as u64 + rejected as u64, span_count, "{message}: {sent:?}");
    assert_eq!(rejected > 0, message.contains("not kept"), "{message}");
    totals.stored += kept.len() as u64;
    totals.rejected += rejected as u64;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sender_that_leaves_changes_no_count() {
    let disk = FaultyDisk::new(MemoryDisk::default());
    let clock = Arc::new(SystemClock::new());
    let ports = Ports { disk: Arc::new(disk.clone()), clock: Arc::clone(&clock) as _ };
    let server = Server::with_store(config(), clock, ports, |_| {}).await;
    let body = crate::wire::to_json(&ExportTraceServiceRequest {
        resource_spans: vec![resource_spans(&[], vec![span(1, "s"), Spoil::Start.apply(span(2, "s"))])],
    });
    let body = body.to_string();
    let length = body.len();
    let head = format!(
        "POST /v1/traces HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    );
    disk.set_held(true);
    let mut stream = tokio::net::TcpStream::connect(server.address).await.unwrap();
    stream.write_all((head + &body).as_bytes()).await.unwrap();
    eventually("the batch is with the store", async || server.figure("clew_queue_batches").await == 1.0).await;
    drop(stream);
    disk.set_held(false);
    let received = async || server.figure("clew_spans_received_total{tenant=\"default\"}").await == 1.0;
    eventually("the span is stored and counted", received).await;
    assert_eq!(server.rejected("missing_start").await, 1.0);
    assert_eq!(server.spans_of("default", &[trace_id(1)]).len(), 1);
}

fn was_refused(answer: &Answer, way: Way) -> bool {
    match way {
        Way::Grpc => answer.grpc_status().code() != tonic::Code::Ok,
        Way::Protobuf | Way::Json => answer.status != StatusCode::OK,
    }
}

/// The tenants are red and blue; green comes too late.
#[test]
fn sent_is_stored_plus_reported() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut runner =
        TestRunner::new(ProptestConfig { cases: 4, failure_persistence: None, ..ProptestConfig::default() });
    let requests = prop::collection::vec(sent(), 100);
    let outcome = runner.run(&requests, |requests| {
        runtime.block_on(async {
            let limited = ServerConfig { tenants: 2, tenant_attribute: Some("team".to_owned()), ..config() };
            let server = Server::with(limited).await;
            let (mut next_trace, mut totals) = (0, Totals::default());
            for team in ["red", "blue"] {
                let first = Sent { way: Way::Protobuf, resources: vec![(team, vec![Spoil::Nothing])], cut: 0 };
                send(&server, &first, &mut next_trace, &mut totals).await;
            }
            for sent in &requests {
                send(&server, sent, &mut next_trace, &mut totals).await;
            }
            let figures = server.figures().await;
            let sum = |name: &str| {
                let samples = figures.iter().filter(|(sample, _)| sample.starts_with(name));
                samples.map(|(_, value)| *value as u64).sum::<u64>()
            };
            let counted = Totals {
                stored: sum("clew_spans_received_total"),
                rejected: sum("clew_spans_rejected_total"),
                refused_requests: sum("clew_requests_refused_total"),
            };
            assert_eq!(counted, totals);
        });
        Ok(())
    });
    outcome.unwrap();
}
