//! From a complete generation to a block: nanoseconds and bytes a span, against `zstd -19 --long=27` of the requests.

use std::path::Path;

use clew_store::{Generation, Live, Ports, StoreConfig, keep};
use serde_json::{Value, json};
use zstd::zstd_safe::CParameter;

use crate::measure::cpu::{ROUNDS, fastest_of, process_cpu_nanos, unix_nanos};
use crate::measure::requests::{batch, scratch};
use crate::{APART_NANOS, REQUEST_SPANS};

/// Columns that are shown.
const COLUMNS_SHOWN: usize = 12;
/// What `zstd --long` looks back over: 128 MiB.
const WINDOW_LOG: u32 = 27;

/// Measures and prints; `calibration` is in nanoseconds a span.
pub(crate) fn run(requests: &[Vec<u8>], calibration: f64) -> anyhow::Result<Value> {
    let generation = generation(requests)?;
    let spans = generation.live.span_count() as f64;
    let mut columns = Vec::new();
    let mut data_bytes = 0;
    let mut side_bytes = 0;
    let mut rounds = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        let folder = scratch()?;
        let nanos;
        (nanos, data_bytes, side_bytes, columns) = seal(&generation, folder.path())?;
        rounds.push(nanos / spans);
    }
    let nanos = fastest_of(rounds.into_iter());
    println!("{:<44}{:>10}{:>12}{:>10}", "seal (all threads)", "ns/span", "spans/s", "ratio");
    println!(
        "{:<44}{nanos:>10.0}{:>12.0}{:>9.2}x\n",
        "a generation to a block on disk",
        1e9 / nanos,
        calibration / nanos
    );
    let whole = (data_bytes + side_bytes) as f64 / spans;
    let packed = packed(requests)? as f64 / spans;
    println!("{:<44}{:>10}", "size", "bytes/span");
    let show = |name: &str, bytes: f64| println!("{name:<44}{bytes:>10.2}");
    show("block", whole);
    show("  data", data_bytes as f64 / spans);
    show("  sidecar", side_bytes as f64 / spans);
    show("zstd -19 --long=27 of the requests", packed);
    println!("{:<44}{:>9.3}x  (goal: 1.0)\n", "block / zstd", whole / packed);
    columns.sort_by_key(|(_, bytes)| std::cmp::Reverse(*bytes));
    let (sections, columns): (Vec<_>, Vec<_>) = columns.into_iter().partition(|(name, _)| name.starts_with("sidecar:"));
    for (name, bytes) in columns.iter().take(COLUMNS_SHOWN) {
        show(name, *bytes as f64 / spans);
    }
    let others = data_bytes - columns.iter().take(COLUMNS_SHOWN).map(|(_, bytes)| bytes).sum::<u64>();
    show("other columns and the footer", others as f64 / spans);
    for (name, bytes) in &sections {
        show(name, *bytes as f64 / spans);
    }
    println!();
    let parts: serde_json::Map<String, Value> =
        columns.into_iter().chain(sections).map(|(name, bytes)| (name, json!(bytes as f64 / spans))).collect();
    Ok(json!({
        "spans": spans,
        "sealNanos": nanos,
        "sealRatio": calibration / nanos,
        "dataBytes": data_bytes as f64 / spans,
        "sideBytes": side_bytes as f64 / spans,
        "zstdBytes": packed,
        "blockToZstd": whole / packed,
        "bytesByPart": parts,
    }))
}

/// CPU nanoseconds, bytes of data and of sidecar, and bytes of each column and section.
type Sealed = (f64, u64, u64, Vec<(String, u64)>);

fn seal(generation: &std::sync::Arc<Generation>, folder: &Path) -> anyhow::Result<Sealed> {
    let config = StoreConfig::new(folder.join("data"));
    std::fs::create_dir_all(&config.data_dir)?;
    let mut keeper = keep::open(&config, &Ports::real())?.keeper;
    let before = process_cpu_nanos();
    keeper.seal(generation)?;
    let nanos = (process_cpu_nanos() - before) as f64;
    let view = keeper.view().view();
    anyhow::ensure!(view.blocks.len() == 1, "a seal makes one block");
    let block = &view.blocks[0];
    anyhow::ensure!(block.meta().row_count == generation.live.span_count(), "the block holds every span");
    let columns = block.columns()?.into_iter().map(|column| (column.name, column.compressed_bytes)).collect();
    Ok((nanos, block.meta().data_bytes, block.side_bytes(), columns))
}

/// All requests, live and complete.
fn generation(requests: &[Vec<u8>]) -> anyhow::Result<std::sync::Arc<Generation>> {
    let generation = Generation::new(Live::new(StoreConfig::new(".").live_shards), 0);
    let begin = unix_nanos();
    for (number, request) in (0..).zip(requests) {
        let received_unix_nanos = begin + number * APART_NANOS;
        let batch = batch(request.clone().into(), REQUEST_SPANS, received_unix_nanos, number);
        generation.begin(&batch, number);
        generation.live.insert(&batch)?;
        generation.end(false);
    }
    generation.cut(requests.iter().map(|request| request.len() as u64).sum());
    Ok(std::sync::Arc::new(generation))
}

/// Bytes of the requests, one after the other, as `zstd -19 --long=27` packs them.
fn packed(requests: &[Vec<u8>]) -> anyhow::Result<usize> {
    let mut compressor = zstd::bulk::Compressor::new(19)?;
    compressor.set_parameter(CParameter::WindowLog(WINDOW_LOG))?;
    compressor.set_parameter(CParameter::EnableLongDistanceMatching(true))?;
    Ok(compressor.compress(&requests.concat())?.len())
}
