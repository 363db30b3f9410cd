//! `kill -9` of the real server under load, after a seal and around the next: nothing that was acknowledged is lost.

use std::collections::HashMap;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::server::{Running, clew};

const ROUNDS: usize = 20;
/// Acknowledged spans a second that a round must reach to count as under load.
const SPANS_PER_SECOND: u64 = 5_000;

#[test]
fn twenty_kills_under_load_lose_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let mut all: HashMap<String, u64> = HashMap::new();
    for round in 0..ROUNDS {
        let acked = folder.path().join(format!("acked-{round}"));
        let begin = Instant::now();
        kill_under_load(&data, &acked, round);
        let seconds = begin.elapsed().as_secs_f64();
        let fresh = acknowledged(&acked);
        let spans: u64 = fresh.values().sum();
        assert!(
            spans as f64 >= SPANS_PER_SECOND as f64 * LOAD.as_secs_f64(),
            "round {round}: {spans} in {seconds:.1} s"
        );
        all.extend(fresh.clone());
        let server = Running::start_with(&data, &FLAGS);
        assert_eq!(missing(&server, &fresh), 0, "round {round}");
        server.kill();
    }
    let server = Running::start_with(&data, &FLAGS);
    assert_eq!(missing(&server, &all), 0, "after all rounds");
    let health = server.get("/v1/health").1;
    assert_eq!(health["status"], "ok", "{health}");
    server.stop();
}

const LOAD: Duration = Duration::from_millis(500);
/// Little memory for live spans, so that some thousand of them are sealed.
#[rustfmt::skip]
const FLAGS: [&str; 8] = [
    "--listen", "127.0.0.1:0", "--log-segment-bytes", "4MiB", "--live-bytes", "4MiB", "--live-seal-apart", "0s",
];

/// Starts a server and a load generator, and kills the server in the middle.
fn kill_under_load(data: &Path, acked: &Path, round: usize) {
    let server = Running::start_with(data, &FLAGS);
    let mut load = clew()
        .args(["load", "--duration", "20s", "--rate", "12000", "--batch", "100", "--endpoint", &server.address])
        .args(["--seed", &round.to_string(), "--acked-file"])
        .arg(acked)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // Under load from the first acknowledgement on; the kill comes at another moment in each round.
    let deadline = Instant::now() + Duration::from_secs(10);
    while std::fs::metadata(acked).map_or(0, |file| file.len()) == 0 {
        assert!(Instant::now() < deadline, "no acknowledgement within 10 s");
        std::thread::sleep(Duration::from_millis(2));
    }
    std::thread::sleep(LOAD);
    while server.figure("clew_seal_seconds_count") < 1.0 {
        assert!(Instant::now() < deadline, "no seal within 10 s");
        std::thread::sleep(Duration::from_millis(2));
    }
    std::thread::sleep(Duration::from_millis(round as u64 * 7));
    server.kill();
    load.kill().unwrap();
    load.wait().unwrap();
}

/// Acknowledged spans by trace. The generator may have been killed in the middle of its last line.
pub(crate) fn acknowledged(file: &Path) -> HashMap<String, u64> {
    let text = std::fs::read_to_string(file).unwrap();
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    whole
        .lines()
        .map(|line| line.split_once(' ').unwrap())
        .map(|(id, spans)| (id.to_owned(), spans.parse().unwrap()))
        .collect()
}

/// Acknowledged spans that the server does not have exactly once.
pub(crate) fn missing(server: &Running, acknowledged: &HashMap<String, u64>) -> u64 {
    let found = span_counts(server);
    let lost = |(id, spans): (&String, &u64)| spans.abs_diff(found.get(id).copied().unwrap_or(0));
    acknowledged.iter().map(lost).sum()
}

/// All traces and their spans, page by page.
pub(crate) fn span_counts(server: &Running) -> HashMap<String, u64> {
    let mut found = HashMap::new();
    let mut cursor = String::new();
    loop {
        let (status, page) = server.get(&format!("/v1/traces/search?limit=1000&total=none&cursor={cursor}"));
        assert_eq!(status, 200, "{page}");
        for trace in page["traces"].as_array().unwrap() {
            found.insert(trace["traceId"].as_str().unwrap().to_owned(), trace["spanCount"].as_u64().unwrap());
        }
        match page["cursor"].clone() {
            Value::String(next) => cursor = next,
            _ => return found,
        }
    }
}
