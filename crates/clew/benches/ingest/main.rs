//! What a span costs: walk, log, head and replay one by one, then the whole server with durable acknowledgements.
//!
//! Run by `cargo xtask bench ingest`, which takes the argument `parts` to leave the whole server out. Every speed is printed with its ratio to a calibration of the same run (prost
//! decoding the same requests into owned messages), since a machine's absolute figures wander.
#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a benchmark is an edge: it times, prints and starts processes"
)]

#[path = "../measure/mod.rs"]
mod measure;
mod parts;
mod server;

use clew_sim::workload::Workload;

/// Spans of one request: a busy exporter's batch.
const REQUEST_SPANS: usize = 512;
/// Requests that the parts are measured on; about 100 k spans.
const REQUESTS: usize = 200;

fn main() -> anyhow::Result<()> {
    // `cargo test --benches` starts benchmarks with `--test`: there is nothing to prove here, only to measure.
    if std::env::args().any(|argument| argument == "--test") {
        return Ok(());
    }
    let requests = requests();
    let bytes: usize = requests.iter().map(Vec::len).sum();
    let spans = (REQUESTS * REQUEST_SPANS) as f64;
    println!("{REQUESTS} requests of {REQUEST_SPANS} spans, {:.0} bytes a span\n", bytes as f64 / spans);
    let calibration = parts::run(&requests, REQUEST_SPANS)?;
    if std::env::args().any(|argument| argument == "parts") { Ok(()) } else { server::run(calibration) }
}

fn requests() -> Vec<Vec<u8>> {
    let mut workload = Workload::new(1);
    let start_unix_nanos = measure::cpu::unix_nanos();
    let request = |_| clew_wire::otlp::encode(&workload.next_request(REQUEST_SPANS, start_unix_nanos));
    (0..REQUESTS).map(request).collect()
}
