//! Prints how long the figures of a trace take: `cargo run --release -p clew-rollup --example speed`.
#![allow(clippy::disallowed_methods, reason = "it measures")]
#![allow(clippy::print_stdout, reason = "it prints")]

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clew_model::{Attribute, Kind, Resource, Span, SpanId, TraceId, Value};
use clew_rollup::{Rollup, Tally};

/// How long each figure is measured. The fastest run counts: others were disturbed by what else the machine did.
const MEASURED: Duration = Duration::from_millis(500);

fn main() {
    for span_count in [20, 200, 10_000] {
        let traces: Vec<Vec<Span>> = (1..=64).take(200_000 / span_count).map(|id| trace(id, span_count)).collect();
        let total = (traces.len() * span_count) as u32;
        let of_trace = measure(|| traces.iter().for_each(|spans| drop(black_box(Rollup::of_trace(spans, true)))));
        let rollups: Vec<Rollup> = traces.iter().map(|spans| Rollup::of_trace(spans, true)).collect();
        let mut sum = Rollup::default();
        let add = measure(|| rollups.iter().for_each(|rollup| sum.add(rollup)));
        let tally = measure(|| {
            let mut tally = Tally::default();
            for spans in &traces {
                tally.add(spans, true);
            }
            drop(black_box(tally.into_rollup()));
        });
        println!(
            "{span_count} spans: of_trace {} ns a span, add {} ns, tally {} ns, {} series and {} edges in {} KiB",
            of_trace.as_nanos() / u128::from(total),
            add.as_nanos() / u128::from(total),
            tally.as_nanos() / u128::from(total),
            sum.series_count(),
            sum.edge_count(),
            sum.bytes() / 1024,
        );
    }
}

/// The time of the fastest run.
fn measure(mut run: impl FnMut()) -> Duration {
    let begin = Instant::now();
    let mut fastest = Duration::MAX;
    while begin.elapsed() < MEASURED {
        let start = Instant::now();
        run();
        fastest = fastest.min(start.elapsed());
    }
    fastest
}

/// Services that call each other in a chain: each has a server, two steps inside, a query of a database and a client that
/// calls the next.
fn trace(id: u8, span_count: usize) -> Vec<Span> {
    let names = ["frontend", "checkout", "cart", "payment", "shipping", "currency", "quote", "email"];
    let resources = names.map(|name| {
        let mut attributes: Vec<Attribute> = ["host.name", "process.pid", "telemetry.sdk.name", "os.type"]
            .map(|key| Attribute::new(key, "some value"))
            .into();
        attributes.push(Attribute::new("service.name", name));
        Arc::new(Resource { attributes, ..Resource::default() })
    });
    let kinds = [Kind::Server, Kind::Internal, Kind::Client, Kind::Internal, Kind::Client];
    let keys = [
        ["http.request.method", "url.path", "url.scheme", "http.response.status_code", "user_agent.original"],
        ["code.function", "thread.id", "thread.name", "app.order", "app.user"],
        ["db.system.name", "db.namespace", "db.query.text", "db.operation.name", "server.address"],
    ];
    let span = |index: usize| {
        let (service, step) = (index / kinds.len(), index % kinds.len());
        let parent = match step {
            0 => index.checked_sub(1),
            _ => Some(service * kinds.len() + [0, 0, 1, 0, 3][step]),
        };
        let keys = keys[[0, 1, 2, 1, 0][step]];
        Span {
            trace_id: TraceId([id; 16]),
            span_id: SpanId::from_u64(index as u64 + 1),
            parent_span_id: parent.map(|parent| SpanId::from_u64(parent as u64 + 1)),
            name: format!("operation {step} of {}", service % 12),
            kind: kinds[step],
            start_unix_nanos: 1_764_000_000_000_000_000 + index as u64 * 1_000_000,
            duration_nanos: 1_000_000 + (index as u64 * 7919 + u64::from(id) * 104_729) % 90_000_000,
            attributes: keys.map(|key| Attribute::new(key, Value::from("a value of some length"))).into(),
            resource: resources[service % resources.len()].clone(),
            ..Span::default()
        }
    };
    (0..span_count).map(span).collect()
}
