//! The parts, on one thread each, in CPU nanoseconds a span.

use std::fs;
use std::hint::black_box;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::mpsc;
use std::time::Instant;

use clew_model::{Span, summarize};
use clew_rollup::{Rollup, Tally};
use clew_sim::workload::Workload;
use clew_store::live::Live;
use clew_store::{Batch, Outcome, Ports, Store, StoreConfig};
use clew_wire::otlp::{self, AdmitOptions, Limits, ResourceView, ScopeView, SpanSink, SpanView};

use crate::measure::cpu::{ROUNDS, calibrate, fastest, fastest_of, process_cpu_nanos, thread_cpu_nanos, unix_nanos};
use crate::measure::requests::{batch, scratch};

/// Spans that the replay is measured on.
const REPLAY_SPANS: usize = 1_000_000;
/// Traces that figures are measured on: they stay in the cache, as those do that were just read; and how often each is.
const FIGURED_TRACES: usize = 100;
const FIGURED_ROUNDS: usize = 60;

/// Measures and prints each part; returns the calibration in nanoseconds a span.
pub(crate) fn run(requests: &[Vec<u8>], request_spans: usize) -> anyhow::Result<f64> {
    let spans = requests.len() * request_spans;
    let calibration = calibrate(requests, spans);
    println!("{:<44}{:>10}{:>12}{:>10}", "part (one thread)", "ns/span", "spans/s", "ratio");
    let show = |part: &str, nanos: f64| {
        println!("{part:<44}{nanos:>10.0}{:>12.0}{:>9.2}x", 1e9 / nanos, calibration / nanos);
    };
    show("calibration: prost decode, owned", calibration);
    show("walk: admit", fastest(spans, || admit_all(requests)));
    show("walk: every view to a sink", fastest(spans, || walk_all(requests)));
    let batches: Vec<Batch> = (0..)
        .zip(requests)
        .map(|(number, request)| batch(request.clone().into(), request_spans, unix_nanos(), number))
        .collect();
    let mut live = Live::new(live_shards());
    let head = fastest_of((0..ROUNDS).map(|_| {
        live = Live::new(live_shards());
        let before = thread_cpu_nanos();
        for batch in &batches {
            live.insert(batch).expect("an admitted batch can be inserted");
        }
        (thread_cpu_nanos() - before) as f64 / spans as f64
    }));
    show("head: walk, intern, append, index", head);
    println!("{:<44}{:>10.0}", "head: bytes of memory a span", live.bytes() as f64 / live.span_count() as f64);
    figures(&show);
    let scratch = scratch()?;
    replay(requests, request_spans, scratch.path(), &show)?;
    sync_of_the_folder(scratch.path())?;
    Ok(calibration)
}

/// What figures take, of whole traces as settling hands them over.
fn figures(show: &impl Fn(&str, f64)) {
    let mut workload = Workload::new(1);
    let start_unix_nanos = unix_nanos();
    let traces: Vec<Vec<Span>> = (0..FIGURED_TRACES).map(|_| workload.next_trace(start_unix_nanos)).collect();
    let spans = traces.iter().map(Vec::len).sum::<usize>() * FIGURED_ROUNDS;
    let each = || (0..FIGURED_ROUNDS).flat_map(|_| &traces);
    let tally = fastest(spans, || {
        let mut tally = Tally::default();
        for trace in each() {
            tally.add(trace, true);
        }
        black_box(tally.into_rollup());
    });
    show("tally: figures of whole traces", tally);
    let sum = fastest(spans, || {
        let mut sum = Rollup::default();
        for trace in each() {
            sum.add(&Rollup::of_trace(trace, true));
        }
        black_box(sum);
    });
    show("tally: the same, each trace by itself", sum);
    let summaries = fastest(spans, || each().for_each(|trace| drop(black_box(summarize(trace)))));
    show("summaries of whole traces", summaries);
}

fn live_shards() -> usize {
    StoreConfig::new(".").live_shards
}

fn admit_all(requests: &[Vec<u8>]) {
    let options = AdmitOptions { limits: Limits::default(), received_unix_nanos: unix_nanos(), tenant_attribute: None };
    for request in requests {
        black_box(otlp::admit(request, &options).expect("our own request is valid"));
    }
}

fn walk_all(requests: &[Vec<u8>]) {
    let received_unix_nanos = unix_nanos();
    for request in requests {
        let mut sink = Count(0);
        otlp::walk(request, &Limits::default(), received_unix_nanos, &[], &mut sink).expect("our own request is valid");
        black_box(sink.0);
    }
}

struct Count(u64);

impl<'a> SpanSink<'a> for Count {
    fn resource(&mut self, resource: &ResourceView<'a, '_>) {
        self.0 += resource.attributes.len() as u64;
    }

    fn scope(&mut self, scope: &ScopeView<'a, '_>) {
        self.0 += scope.attributes.len() as u64;
    }

    fn span(&mut self, _ordinal: u32, span: &SpanView<'a, '_>) {
        self.0 += span.attributes.len() as u64 + span.duration_nanos;
    }
}

/// Writes a log of [`REPLAY_SPANS`] through the store, then opens it anew.
fn replay(requests: &[Vec<u8>], request_spans: usize, folder: &Path, show: &impl Fn(&str, f64)) -> anyhow::Result<()> {
    let config = || StoreConfig { live_bytes: usize::MAX / 2, ..StoreConfig::new(folder.join("data")) };
    let store = Store::open(config(), Ports::real())?;
    let before = process_cpu_nanos();
    let mut sent = 0;
    for (number, request) in (0..).zip(requests.iter().cycle()) {
        let (reply, outcome) = mpsc::channel();
        store.offer(
            batch(request.clone().into(), request_spans, unix_nanos(), number),
            Box::new(move |outcome| reply.send(outcome).expect("the bench waits for it")),
        );
        anyhow::ensure!(outcome.recv()? == Outcome::Stored, "the store refused a batch");
        sent += request_spans;
        if sent >= REPLAY_SPANS {
            break;
        }
    }
    show("log and head: offer to reply (all threads)", (process_cpu_nanos() - before) as f64 / sent as f64);
    store.close()?;
    drop(store);
    for (part, workers) in
        [("replay: log to head, one worker", 1), ("replay: a worker for each core", config().workers)]
    {
        let mut wall_seconds = f64::INFINITY;
        let mut cpu_nanos = f64::INFINITY;
        for _ in 0..ROUNDS {
            let (before, began) = (process_cpu_nanos(), Instant::now());
            let store = Store::open(StoreConfig { workers, ..config() }, Ports::real())?;
            wall_seconds = wall_seconds.min(began.elapsed().as_secs_f64());
            cpu_nanos = cpu_nanos.min((process_cpu_nanos() - before) as f64);
            anyhow::ensure!(store.figures().live_spans == sent as u64, "not everything was replayed");
            store.close()?;
        }
        show(part, cpu_nanos / sent as f64);
        println!("{:<44}{:>10.2} s for {sent} spans", "  by the clock", wall_seconds);
    }
    Ok(())
}

/// `fdatasync` of 128 KiB appended to a file of the folder: what the disk itself takes before any of our code.
fn sync_of_the_folder(folder: &Path) -> anyhow::Result<()> {
    let file = fs::File::create(folder.join("sync"))?;
    let piece = vec![7; 128 * 1024];
    file.set_len(0)?;
    let mut nanos: Vec<u128> = (0..200_u64)
        .map(|index| {
            file.write_all_at(&piece, index * piece.len() as u64).expect("the disk takes 25 MiB");
            let before = Instant::now();
            file.sync_data().expect("the disk syncs");
            before.elapsed().as_nanos()
        })
        .collect();
    nanos.sort_unstable();
    let at = |share: usize| nanos[nanos.len() * share / 100] as f64 / 1e6;
    println!("{:<44}{:>10.2} ms p50{:>10.2} ms p99", "the folder's own fdatasync (128 KiB)", at(50), at(99));
    Ok(())
}
