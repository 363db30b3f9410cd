//! Questions over HTTP to the real server on one kept connection, so that reading the request and writing JSON count.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context;
use clew_model::{Attribute, Span, TraceId};
use clew_sim::seed::Seed;
use clew_sim::workload::Workload;
use serde_json::{Value, json};

use crate::folder::forget_pages;
use crate::measure::cpu::unix_nanos;
use crate::measure::requests::scratch;
use crate::measure::server::Server;
use crate::reader::{Reader, Times};
use crate::{APART_NANOS, REQUEST_SPANS};

/// Warm questions of a kind.
const QUESTIONS: usize = 200;
/// Time for those of a kind, should they be slow; at least [`LEAST_QUESTIONS`] are asked.
const PATIENCE: Duration = Duration::from_secs(30);
const LEAST_QUESTIONS: usize = 20;
/// Cold questions of a kind, each to a server of its own.
const COLD_QUESTIONS: usize = 5;
/// Spans are sealed after a second or two, for when all are to lie in blocks soon.
const SOON: [&str; 2] = ["--live-seal-age", "2s"];
/// What lies in a folder that is kept.
const KEPT: &str = "kept.json";
/// One span of so many has the rare value.
const PLANT_EVERY: u64 = 100_000;

/// A question that is measured.
struct Kind {
    name: &'static str,
    path: &'static str,
    /// What its p99 should not exceed, in milliseconds.
    goal: f64,
}

const SEARCHES: [Kind; 10] = [
    Kind { name: "service and span duration, none", path: "service=orders&minSpanDurationMs=100000", goal: 50.0 },
    Kind { name: "service and span duration, few", path: "service=orders&minSpanDurationMs=230", goal: 50.0 },
    Kind { name: "service and span duration, most", path: "service=orders&minSpanDurationMs=0.001", goal: 50.0 },
    Kind { name: "errors of a service", path: "service=orders&status=error", goal: 30.0 },
    Kind { name: "errors", path: "status=error", goal: 30.0 },
    Kind { name: "rare value, planted", path: "attr.order.code=o-4711", goal: 50.0 },
    Kind { name: "rare value of a filled key", path: "attr.enduser.id=u-001234", goal: 50.0 },
    Kind { name: "value that most traces have", path: "attr.server.address=edge.internal", goal: 50.0 },
    Kind { name: "absent value", path: "attr.order.code=o-0", goal: 5.0 },
    Kind { name: "absent key", path: "attr.no.such.key=1", goal: 5.0 },
];

/// Measures and prints. With a folder, what is asked is made there once and kept for later runs.
pub(crate) fn run(is_large: bool, kept: Option<&Path>) -> anyhow::Result<Value> {
    println!(
        "{:<36}{:>9}{:>9}{:>9}{:>9}{:>7}{:>10}{:>10}{:>7}",
        "question (ms)", "matches", "CPU", "p50", "p99", "goal", "cold p50", "cold max", "asked"
    );
    let temporary = scratch()?;
    let folder = kept.unwrap_or(temporary.path());
    let mut bench = Bench::begin(folder, "1m")?;
    bench.fill(1_000_000)?;
    bench.by_id("by id, in blocks of 1 M spans", 5.0)?;
    if kept.is_none() {
        // Leaves other traces behind than those that the folder says it holds.
        bench.unsettled()?;
    }
    if kept.is_some() {
        bench = bench.next(folder, "2m")?;
    }
    bench.fill(2_000_000)?;
    for kind in &SEARCHES {
        bench.search(kind)?;
    }
    if is_large {
        if kept.is_some() {
            bench = bench.next(folder, "10m")?;
        }
        bench.fill(10_000_000)?;
        bench.by_id("by id, in blocks of 10 M spans", 10.0)?;
        bench.search(&SEARCHES[1])?;
        bench.search(&SEARCHES[3])?;
        bench.search(&SEARCHES[5])?;
    }
    bench.restart(&[])?;
    println!("\npeak memory of any of the servers: {:.0} MiB\n", bench.peak_mib);
    Ok(json!({ "rows": bench.rows, "peakMib": bench.peak_mib }))
}

struct Bench {
    folder: PathBuf,
    server: Server,
    peak_mib: f64,
    source: Source,
    rows: Vec<Value>,
}

/// The spans that are sent.
struct Source {
    workload: Workload,
    seed: Seed,
    sent_spans: u64,
    now_unix_nanos: u64,
    /// Some of the traces.
    ids: Vec<TraceId>,
}

impl Source {
    fn new() -> Self {
        Self {
            workload: Workload::new(7),
            seed: Seed::new(8),
            sent_spans: 0,
            now_unix_nanos: unix_nanos() - 3_600_000_000_000,
            ids: Vec::new(),
        }
    }

    /// Where a run before ended in that folder; else the beginning.
    fn of(folder: &Path) -> anyhow::Result<Self> {
        let mut source = Self::new();
        let Ok(text) = fs::read_to_string(folder.join(KEPT)) else { return Ok(source) };
        let kept: Value = serde_json::from_str(&text)?;
        source.sent_spans = kept["sentSpans"].as_u64().context("the folder says how many spans it has")?;
        let ids = kept["traceIds"].as_array().context("the folder names traces")?.iter();
        source.ids = ids.filter_map(|id| id.as_str()?.parse().ok()).collect();
        Ok(source)
    }

    fn keep(&self, folder: &Path) -> anyhow::Result<()> {
        let ids: Vec<String> = self.ids.iter().map(ToString::to_string).collect();
        Ok(fs::write(folder.join(KEPT), json!({ "sentSpans": self.sent_spans, "traceIds": ids }).to_string())?)
    }

    fn next_request(&mut self) -> Vec<u8> {
        let mut spans = self.workload.next_request(REQUEST_SPANS, self.now_unix_nanos);
        self.now_unix_nanos += APART_NANOS;
        let planted = self.sent_spans.next_multiple_of(PLANT_EVERY) - self.sent_spans;
        if let Some(span) = spans.get_mut(planted as usize) {
            span.attributes.push(Attribute::new("order.code", "o-4711"));
        }
        self.sent_spans += spans.len() as u64;
        self.ids.push(spans[spans.len() / 2].trace_id);
        clew_wire::otlp::encode(&spans)
    }

    fn any_id(&mut self) -> TraceId {
        *self.seed.pick(&self.ids)
    }
}

impl Bench {
    /// On what lies there, if anything does.
    fn begin(folder: &Path, name: &str) -> anyhow::Result<Self> {
        let folder = folder.join(name);
        fs::create_dir_all(&folder)?;
        let (server, source) = (Server::start(&folder, &[])?, Source::of(&folder)?);
        Ok(Self { folder, server, peak_mib: 0.0, source, rows: Vec::new() })
    }

    /// Goes on in another folder.
    fn next(mut self, folder: &Path, name: &str) -> anyhow::Result<Self> {
        self.restart(&[])?;
        let next = Self::begin(folder, name)?;
        Ok(Self { rows: self.rows, peak_mib: self.peak_mib, ..next })
    }

    /// Sends until so many spans were sent, to a server that seals as it does by default, and waits until all are in blocks.
    fn fill(&mut self, spans: u64) -> anyhow::Result<()> {
        if self.source.sent_spans < spans {
            self.restart(&[])?;
            let reader = self.reader();
            while self.source.sent_spans < spans {
                reader.send(&self.source.next_request())?;
            }
            self.restart(&SOON)?;
            self.reader().await_sealed()?;
            self.source.keep(&self.folder)?;
        }
        let reader = self.reader();
        println!("{:<36}{:>9.0} blocks", format!("  {} M spans in", spans / 1_000_000), reader.metric("clew_blocks")?);
        Ok(())
    }

    /// Another server on the same folder, with the pages of the blocks out of the machine's cache.
    fn restart(&mut self, flags: &[&str]) -> anyhow::Result<()> {
        self.peak_mib = self.peak_mib.max(self.server.memory_mib("VmHWM")?);
        self.server.stop()?;
        forget_pages(&self.folder.join("data"))?;
        self.server = Server::start(&self.folder, flags)?;
        Ok(())
    }

    fn reader(&self) -> Reader {
        Reader::new(&self.server.address)
    }

    fn by_id(&mut self, name: &str, goal: f64) -> anyhow::Result<()> {
        let cold = self.cold(|source| format!("/v1/traces/{}", source.any_id()))?;
        let reader = self.reader();
        let mut millis = Vec::with_capacity(QUESTIONS);
        let before = self.server.cpu_nanos()?;
        for _ in 0..QUESTIONS {
            millis.push(reader.ask(&format!("/v1/traces/{}", self.source.any_id()))?.1);
        }
        let cpu = self.server.cpu_nanos()? - before;
        self.show(name, 1.0, &Times::of(millis, cpu), Some(&cold), goal);
        Ok(())
    }

    /// Traces whose services sent apart, so that each lies in two blocks and in the live head.
    fn unsettled(&mut self) -> anyhow::Result<()> {
        let reader = self.reader();
        let mut parts: [Vec<Span>; 3] = Default::default();
        let mut counts: BTreeMap<TraceId, usize> = BTreeMap::new();
        for _ in 0..3_000 {
            let trace = self.source.workload.next_trace(self.source.now_unix_nanos);
            counts.insert(trace[0].trace_id, trace.len());
            for span in trace {
                let part = span.service().bytes().map(usize::from).sum::<usize>() % 3;
                parts[part].push(span);
            }
        }
        for (number, part) in parts.iter().enumerate() {
            if number > 0 {
                reader.await_sealed()?;
            }
            for spans in part.chunks(REQUEST_SPANS) {
                reader.send(&clew_wire::otlp::encode(spans))?;
            }
        }
        let mut millis = Vec::with_capacity(QUESTIONS);
        let ids: Vec<(&TraceId, &usize)> = counts.iter().filter(|(_, count)| **count >= 8).collect();
        let (began, before) = (Instant::now(), self.server.cpu_nanos()?);
        // As long as the last part is surely live.
        while millis.len() < QUESTIONS && began.elapsed() < Duration::from_millis(1_200) {
            let (id, count) = *self.source.seed.pick(&ids);
            let (body, took) = reader.ask(&format!("/v1/traces/{id}"))?;
            let found: Value = serde_json::from_slice(&body)?;
            let found = found["spans"].as_array().map_or(0, Vec::len);
            anyhow::ensure!(found == *count, "{id} has {count} spans and the answer {found}");
            millis.push(took);
        }
        let cpu = self.server.cpu_nanos()? - before;
        anyhow::ensure!(reader.metric("clew_live_spans")? > 0.0, "the last part was live");
        self.show("by id, in two blocks and live", 1.0, &Times::of(millis, cpu), None, 5.0);
        Ok(())
    }

    fn search(&mut self, kind: &Kind) -> anyhow::Result<()> {
        let path = format!("/v1/traces/search?limit=20&{}", kind.path);
        let cold = self.cold(|_| path.clone())?;
        let reader = self.reader();
        let matches = reader.json(&format!("{path}&total=exact"))?["total"]["value"].as_f64().unwrap_or(f64::NAN);
        let (began, before) = (Instant::now(), self.server.cpu_nanos()?);
        let mut millis = Vec::with_capacity(QUESTIONS);
        while millis.len() < QUESTIONS && (millis.len() < LEAST_QUESTIONS || began.elapsed() < PATIENCE) {
            millis.push(reader.ask(&path)?.1);
        }
        let cpu = self.server.cpu_nanos()? - before;
        self.show(kind.name, matches, &Times::of(millis, cpu), Some(&cold), kind.goal);
        Ok(())
    }

    /// First questions to servers that were just started, with the pages of the blocks out of the machine's cache.
    fn cold(&mut self, path: impl Fn(&mut Source) -> String) -> anyhow::Result<Times> {
        let mut millis = Vec::with_capacity(COLD_QUESTIONS);
        for _ in 0..COLD_QUESTIONS {
            self.restart(&SOON)?;
            let reader = self.reader();
            // Opens the connection.
            reader.ask("/v1/ready")?;
            millis.push(reader.ask(&path(&mut self.source))?.1);
        }
        Ok(Times::of(millis, 0))
    }

    fn show(&mut self, name: &str, matches: f64, warm: &Times, cold: Option<&Times>, goal: f64) {
        let (p50, p99) = (warm.percentile(50), warm.percentile(99));
        let cold = cold.map(|cold| (cold.percentile(50), cold.percentile(100)));
        let cold_text = cold.map_or(format!("{:>20}", ""), |(p50, max)| format!("{p50:>10.2}{max:>10.2}"));
        println!(
            "{name:<36}{matches:>9.0}{:>9.2}{p50:>9.2}{p99:>9.2}{goal:>7.0}{cold_text}{:>7}",
            warm.cpu_millis,
            warm.count()
        );
        self.rows.push(json!({
            "question": name,
            "spans": self.source.sent_spans,
            "matches": matches,
            "asked": warm.count(),
            "cpuMillis": warm.cpu_millis,
            "p50Millis": p50,
            "p99Millis": p99,
            "goalMillis": goal,
            "isMet": p99 <= goal,
            "coldP50Millis": cold.map(|cold| cold.0),
            "coldMaxMillis": cold.map(|cold| cold.1),
        }));
    }
}
