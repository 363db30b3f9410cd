//! What questions to blocks cost: a trace by its id, and scans of two million spans, on one core and a warm page cache.
#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a benchmark is an edge: it does IO, times and prints"
)]

#[path = "../write/workload.rs"]
mod workload;

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use clew_block::sidecar::Requests;
use clew_block::{Block, BlockFile, BlockName, Cache, Ranges, WriteOptions, write_spans};
use clew_model::scan::{AttributeScope, Condition, Field, Op, ScanRequest, SpanFilter, SpanSource, TimeRange};
use clew_model::{Span, Tenant, TraceId, Value};

const SPANS: usize = 667_000;
const BLOCKS: u64 = 3;
const ROUNDS: usize = 9;
const LOOKUPS: usize = 2000;

/// The same two files under every name.
struct Files {
    data: File,
    side: File,
}

impl Ranges for Files {
    fn read(&self, _: BlockName, file: BlockFile, offset: u64, length: usize) -> io::Result<Bytes> {
        let mut bytes = vec![0; length];
        let file = if file == BlockFile::Data { &self.data } else { &self.side };
        file.read_exact_at(&mut bytes, offset)?;
        Ok(bytes.into())
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // `cargo test --benches` starts benchmarks with `--test`: there is nothing to prove here, only to measure.
    if std::env::args().any(|argument| argument == "--test") {
        return Ok(());
    }
    let folder = std::env::temp_dir().join(format!("clew-block-read-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let measured = measure(&folder);
    std::fs::remove_dir_all(&folder)?;
    measured
}

fn measure(folder: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let spans = workload::spans(SPANS);
    let mut ids: Vec<TraceId> = spans.iter().map(|span| span.trace_id).collect();
    ids.dedup();
    let rare = rare_user(&spans);
    let finished =
        write_spans(&[(Tenant::default(), spans)], &Requests::default(), Vec::new(), WriteOptions::new(BlockName(1)))?;
    let write = |name: &str, bytes: &[u8]| -> io::Result<(PathBuf, File)> {
        let path = folder.join(name);
        std::fs::write(&path, bytes)?;
        Ok((path.clone(), File::open(path)?))
    };
    let (data, side) = (write("data", &finished.sink)?.1, write("side", &finished.side)?.1);
    let ranges: Arc<dyn Ranges> = Arc::new(Files { data, side });
    let cache = Arc::new(Cache::new(256 << 20));
    let blocks: Vec<Block> = (1..=BLOCKS)
        .map(|name| {
            let mut meta = finished.meta.clone();
            meta.name = BlockName(name);
            Block::new(Arc::new(meta), finished.side.len() as u64, Arc::clone(&ranges), Arc::clone(&cache))
        })
        .collect();
    println!("{} blocks of {} spans, {} traces", blocks.len(), finished.meta.row_count, ids.len());
    lookups(&blocks[0], &ids)?;
    scans(&blocks, &rare)?;
    let begun = core_nanos();
    let mut count = 0;
    let _ = blocks[0].for_each_trace(None, |_, _, spans| {
        count += spans.len();
        Ok::<_, io::Error>(())
    })?;
    println!("stream: {:.0} ns a span", (core_nanos() - begun) as f64 / count as f64);
    println!("{:?}, damage {}", cache.figures(), blocks[0].damage().len());
    Ok(())
}

/// Nanoseconds that this thread had a core: a busy machine does not lengthen them.
fn core_nanos() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

/// A user that few spans have.
fn rare_user(spans: &[Span]) -> String {
    let users = spans.iter().flat_map(|span| &span.attributes).filter(|attribute| attribute.key == "enduser.id");
    users.map(|attribute| attribute.value.to_string()).next().unwrap_or_default()
}

fn lookups(block: &Block, ids: &[TraceId]) -> Result<(), Box<dyn std::error::Error>> {
    let mut nanos = Vec::new();
    let mut rows = 0;
    for at in 0..LOOKUPS {
        let id = ids[at * 7919 % ids.len()];
        let begun = core_nanos();
        rows += block.rows(&Tenant::default(), &[id], &|| false)?.spans.len();
        nanos.push(core_nanos() - begun);
    }
    nanos.sort_unstable();
    let at = |share: usize| nanos[(nanos.len() - 1) * share / 1000] as f64 / 1e6;
    println!("by id ({} rows): p50 {:.2} ms, p99 {:.2} ms, max {:.2} ms", rows / LOOKUPS, at(500), at(990), at(1000));
    Ok(())
}

fn scans(blocks: &[Block], rare: &str) -> Result<(), Box<dyn std::error::Error>> {
    let condition = |field: Field, op: Op, value: Value| Condition { field, op, value };
    let attribute = |key: &str| Field::Attribute { scope: AttributeScope::Any, key: key.to_owned() };
    let service = || condition(Field::Service, Op::Eq, "service-3".into());
    let questions = [
        ("service and duration", vec![service(), condition(Field::Duration, Op::Gt, Value::Int(40_000_000))]),
        ("duration alone", vec![condition(Field::Duration, Op::Gt, Value::Int(70_000_000))]),
        ("errors of a service", vec![service(), condition(Field::Error, Op::Eq, true.into())]),
        ("rare value", vec![condition(attribute("enduser.id"), Op::TextEq, rare.into())]),
        ("absent value", vec![condition(attribute("enduser.id"), Op::TextEq, "u-nobody".into())]),
        ("absent key", vec![condition(attribute("no.such.key"), Op::Exists, Value::Empty)]),
        ("status code 503", vec![condition(attribute("http.response.status_code"), Op::Eq, Value::Int(503))]),
        ("a service, 10^5 matches", vec![service()]),
        ("resource attribute", vec![condition(attribute("host.name"), Op::TextEq, "node-2".into())]),
        ("everything", vec![]),
    ];
    for (what, conditions) in questions {
        let filters = if conditions.is_empty() { vec![] } else { vec![SpanFilter { conditions }] };
        let request = ScanRequest { tenant: Tenant::default(), range: TimeRange::ALL, filters, rows_per_trace: 3 };
        let mut nanos = Vec::new();
        let (mut traces, mut rows) = (0, 0);
        for _ in 0..ROUNDS {
            (traces, rows) = (0, 0);
            let begun = core_nanos();
            for block in blocks {
                let answer = block.scan(&request, &|| false)?;
                traces += answer.matches.len();
                rows += answer.matches.iter().map(|found| found.matched_count as usize).sum::<usize>();
            }
            nanos.push((core_nanos() - begun) as f64 / 1e6);
        }
        let first = nanos[0];
        nanos.sort_by(f64::total_cmp);
        println!("{what}: {:.2} ms (first {first:.2}), {traces} traces, {rows} rows", nanos[ROUNDS / 2]);
    }
    Ok(())
}
