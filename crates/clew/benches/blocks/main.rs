//! What blocks cost and answer: a seal, a server that seals under load, and questions.
//!
//! Run by `cargo xtask bench blocks`. Words choose what is measured (`seal`, `server`, `questions`; none is all), `--large`
//! adds questions at 10 M spans, `--folder DIR` keeps the blocks that are asked there, so that the next run with it makes none,
//! and `--json FILE` writes the figures down. Every speed is printed with its ratio to a
//! calibration of the same run (prost decoding the same requests into owned messages), since a machine's absolute figures
//! wander.
#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a benchmark is an edge: it times, prints and starts processes"
)]

mod folder;
#[path = "../measure/mod.rs"]
mod measure;
mod questions;
#[path = "../measure/reader.rs"]
#[allow(dead_code, reason = "shared with benchmarks that use more of it")]
mod reader;
mod seal;
mod server;

use std::path::Path;

use clew_sim::workload::Workload;
use serde_json::json;

/// Spans of one request: a busy exporter's batch.
const REQUEST_SPANS: usize = 512;
/// Requests that a seal is measured on; about 260 k spans.
const REQUESTS: usize = 512;
/// Time from one request to the next at 50 k spans a second.
const APART_NANOS: u64 = 10_240_000;

fn main() -> anyhow::Result<()> {
    let mut words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    // `cargo test --benches` starts benchmarks with `--test`: there is nothing to prove here, only to measure.
    if words.iter().any(|word| word == "--test") {
        return Ok(());
    }
    let (file, folder) = (option(&mut words, "--json")?, option(&mut words, "--folder")?);
    let is_large = words.iter().any(|word| word == "--large");
    words.retain(|word| word != "--large");
    let known = ["seal", "server", "questions"];
    if let Some(unknown) = words.iter().find(|word| !known.contains(&word.as_str())) {
        anyhow::bail!("`{unknown}` is not one of {}, --large, --folder DIR and --json FILE", known.join(", "));
    }
    let is_wanted = |name: &str| words.is_empty() || words.iter().any(|word| word == name);

    let requests = requests();
    let spans = REQUESTS * REQUEST_SPANS;
    let bytes: usize = requests.iter().map(Vec::len).sum();
    let calibration = measure::cpu::calibrate(&requests, spans);
    println!("{REQUESTS} requests of {REQUEST_SPANS} spans, {:.0} bytes a span", bytes as f64 / spans as f64);
    println!("calibration: prost decode, owned, {calibration:.0} ns a span\n");
    let mut figures = json!({ "calibrationNanos": calibration });
    if is_wanted("seal") {
        figures["seal"] = seal::run(&requests, calibration)?;
    }
    drop(requests);
    if is_wanted("server") {
        figures["server"] = server::run(calibration)?;
    }
    if is_wanted("questions") {
        figures["questions"] = questions::run(is_large, folder.as_deref().map(Path::new))?;
    }
    if let Some(file) = file {
        std::fs::write(&file, serde_json::to_string_pretty(&figures)? + "\n")?;
    }
    Ok(())
}

/// Takes an option and its value out of the words.
fn option(words: &mut Vec<String>, name: &str) -> anyhow::Result<Option<String>> {
    let Some(at) = words.iter().position(|word| word == name) else { return Ok(None) };
    anyhow::ensure!(at + 1 < words.len(), "{name} needs a value");
    Ok(words.drain(at..at + 2).nth(1))
}

fn requests() -> Vec<Vec<u8>> {
    let mut workload = Workload::new(1);
    let begin = measure::cpu::unix_nanos();
    let request = |number: usize| {
        let start_unix_nanos = begin + number as u64 * APART_NANOS;
        clew_wire::otlp::encode(&workload.next_request(REQUEST_SPANS, start_unix_nanos))
    };
    (0..REQUESTS).map(request).collect()
}
