//! The whole server at 50 k spans a second, with settling and without, in turns.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context as _;

use crate::measure::requests::scratch;
use crate::measure::server::{Loaded, Server};
use crate::reader::Reader;

/// Rounds of each.
const ROUNDS: usize = 3;

/// How long one round loads.
const DURATION: &str = "60s";

/// Traces are complete after so many seconds here, so that most of a round is spent settling.
const IDLE_SECONDS: f64 = 10.0;

/// How often it is looked whether the load has ended.
const TICK: Duration = Duration::from_millis(200);

/// Ticks from one question about the watermark to the next.
const ASK_TICKS: u32 = 10;

const LOAD: [&str; 4] = ["--rate", "50000", "--duration", DURATION];

/// One round.
struct Round {
    loaded: Loaded,
    /// CPU nanoseconds of looks for each settled span.
    settle_nanos: f64,
    settled_spans: f64,
    /// The most seconds by which what is counted was behind, beyond the time in which traces are not complete.
    behind_seconds: f64,
    rss_mib: f64,
}

/// Measures and prints.
pub(crate) fn run() -> anyhow::Result<()> {
    println!(
        "{:<24}{:>9}{:>13}{:>11}{:>11}{:>16}{:>10}{:>10}",
        "50 k spans/s", "spans/s", "spans/CPU-s", "ack p50", "ack p99", "settle ns/span", "behind", "peak MiB"
    );
    let (mut with, mut without) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        with.push(round("settling", &["--settle-idle", "10s"])?);
        without.push(round("without", &["--settle-every", "1h"])?);
    }
    let median = |rounds: &[Round], of: fn(&Round) -> f64| {
        let mut all: Vec<f64> = rounds.iter().map(of).collect();
        all.sort_by(f64::total_cmp);
        all[all.len() / 2]
    };
    let ratio = |of: fn(&Round) -> f64| median(&with, of) / median(&without, of);
    println!("\n{:<44}{:>9}{:>10}", "medians", "measured", "goal");
    println!("{:<44}{:>8.2}x{:>10}", "ack p99, settling / without", ratio(|round| round.loaded.ack_p99_ms), "1.3x");
    println!("{:<44}{:>8.2}x", "ack p50, settling / without", ratio(|round| round.loaded.ack_p50_ms));
    println!("{:<44}{:>7.0} ns", "settling, CPU a span", median(&with, |round| round.settle_nanos));
    println!("{:<44}{:>8.1} s{:>10}", "behind", median(&with, |round| round.behind_seconds), "120 s");
    println!();
    Ok(())
}

/// How long ago that was received of which all before is counted. Not from `/metrics`, which is megabytes once there are span
/// metrics, and would be what is measured.
fn watermark_age_seconds(reader: &Reader) -> anyhow::Result<f64> {
    let figures = reader.json("/v1/figures")?;
    let watermark: jiff::Timestamp = figures["settle"]["watermark"].as_str().context("a watermark")?.parse()?;
    Ok(jiff::Timestamp::now().duration_since(watermark).as_secs_f64())
}

fn round(name: &str, flags: &[&str]) -> anyhow::Result<Round> {
    let folder = scratch()?;
    let server = Server::start(folder.path(), flags)?;
    let (is_done, mut behind_seconds) = (AtomicBool::new(false), 0.0_f64);
    let reader = Reader::new(&server.address);
    let loaded = std::thread::scope(|scope| -> anyhow::Result<Loaded> {
        let load = scope.spawn(|| {
            let loaded = server.load(&LOAD);
            is_done.store(true, Ordering::Release);
            loaded
        });
        let mut ticks = 0;
        while !is_done.load(Ordering::Acquire) {
            if ticks % ASK_TICKS == 0 {
                behind_seconds = behind_seconds.max(watermark_age_seconds(&reader)? - IDLE_SECONDS);
            }
            ticks += 1;
            std::thread::sleep(TICK);
        }
        load.join().unwrap_or_else(|_| anyhow::bail!("the load panicked"))
    })?;
    let settled_spans = reader.sum("traces_span_metrics_calls_total")?;
    let settle_nanos = reader.metric("clew_settle_cpu_seconds_total")? * 1e9 / settled_spans.max(1.0);
    let round = Round { loaded, settle_nanos, settled_spans, behind_seconds, rss_mib: server.memory_mib("VmHWM")? };
    let Loaded { spans_per_second, nanos, ack_p50_ms, ack_p99_ms } = round.loaded;
    print!("{name:<24}{spans_per_second:>9.0}{:>13.0}{ack_p50_ms:>8.2} ms{ack_p99_ms:>8.2} ms", 1e9 / nanos);
    if round.settled_spans > 0.0 {
        println!("{:>16.0}{:>8.1} s{:>10.0}", round.settle_nanos, round.behind_seconds, round.rss_mib);
    } else {
        println!("{:>16}{:>10}{:>10.0}", "", "", round.rss_mib);
    }
    Ok(round)
}
