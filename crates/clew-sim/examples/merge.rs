//! What a merge costs: CPU time a span, bytes, and the most memory.
//!
//! ```console
//! $ cargo run --release -p clew-sim --example merge -- write FOLDER BLOCKS SPANS
//! $ cargo run --release -p clew-sim --example merge -- read FOLDER MEMORY_MIB
//! ```
//!
//! The first makes blocks of so many spans each, as seals would; the second makes one block of them, in a process of its own,
//! so that the peak that it prints is the merge's.
#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a development tool reads files, times and prints; it is not part of the core"
)]

use std::error::Error;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use clew_block::sidecar::{Requests, SideBytes};
use clew_block::{Block, BlockFile, BlockMeta, BlockName, Cache, Finished, Merge, Ranges, WriteOptions, write_spans};
use clew_model::{Span, Tenant, Verdict};
use clew_sim::workload::Workload;
use clew_store::port::{Disk, DiskFile, RealDisk};

/// When the first block's spans were received.
const EPOCH_UNIX_NANOS: u64 = 1_790_000_000_000_000_000;

type Done = Result<(), Box<dyn Error>>;

fn main() -> Done {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["write", folder, blocks, spans] => write(Path::new(folder), blocks.parse()?, spans.parse()?),
        ["read", folder, memory_mib] => read(Path::new(folder), memory_mib.parse::<u64>()? << 20),
        _ => Err("usage: write FOLDER BLOCKS SPANS | read FOLDER MEMORY_MIB".into()),
    }
}

/// A file that grows.
struct Sink(Box<dyn DiskFile>, u64);

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write_at(self.1, bytes)?;
        self.1 += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Files(RealDisk, PathBuf);

impl Files {
    fn sink(&self, name: BlockName, file: BlockFile) -> io::Result<io::BufWriter<Sink>> {
        let file = self.0.create(&self.1.join(name.file_name(file)), 0)?;
        Ok(io::BufWriter::with_capacity(1 << 20, Sink(file, 0)))
    }

    fn put_side(&self, name: BlockName, side: &SideBytes) -> io::Result<()> {
        let mut sink = self.sink(name, BlockFile::Side)?;
        side.write_to(&mut sink)?;
        sink.flush()
    }
}

impl Ranges for Files {
    fn read(&self, name: BlockName, file: BlockFile, offset: u64, length: usize) -> io::Result<Bytes> {
        Ok(self.0.read(&self.1.join(name.file_name(file)), offset, length)?.into())
    }
}

/// Blocks of a load, one trace in twenty of which goes on in the next block.
fn write(folder: &Path, blocks: u64, spans: usize) -> Done {
    let files = Files(RealDisk::new(), folder.to_owned());
    let mut workload = Workload::new(1);
    let mut rest: Vec<Span> = Vec::new();
    for number in 0..blocks {
        let received = EPOCH_UNIX_NANOS + number * 20_000_000_000;
        let mut all = std::mem::take(&mut rest);
        for trace in 0.. {
            if all.len() >= spans {
                break;
            }
            let mut trace_spans = workload.next_trace(received + trace * 350_000);
            if trace % 20 == 0 {
                rest.extend(trace_spans.split_off(trace_spans.len() / 2));
            }
            all.append(&mut trace_spans);
        }
        for span in &mut all {
            span.received_unix_nanos = received;
        }
        all.sort_by_key(|span| (span.trace_id, span.start_unix_nanos, span.span_id));
        let count = all.len();
        let name = BlockName(number);
        let sink = files.sink(name, BlockFile::Data)?;
        let tenants = [(Tenant::default(), all)];
        let started = cpu_nanos()?;
        let Finished { meta, side, mut sink, .. } =
            write_spans(&tenants, &Requests::default(), sink, WriteOptions::new(name))?;
        sink.flush()?;
        files.put_side(name, &side)?;
        println!(
            "block {name}: {count} spans, {:.1} bytes a span and {:.1} of sidecar, {} ns a span",
            meta.data_bytes as f64 / count as f64,
            side.count() as f64 / count as f64,
            (cpu_nanos()? - started) / count as u64,
        );
        let meta = (meta, side.count());
        let mut sink = io::BufWriter::new(Sink(files.0.create(&folder.join(format!("{name}.json")), 0)?, 0));
        sink.write_all(serde_json::to_string(&meta)?.as_bytes())?;
        sink.flush()?;
    }
    Ok(())
}

/// One block of all blocks of the folder.
fn read(folder: &Path, memory_bytes: u64) -> Done {
    let files = Arc::new(Files(RealDisk::new(), folder.to_owned()));
    let cache = Arc::new(Cache::new(memory_bytes / 4));
    let mut inputs = Vec::new();
    for entry in files
        .0
        .list(folder)?
        .into_iter()
        .filter(|entry| Path::new(&entry.name).extension().is_some_and(|ending| ending == "json"))
    {
        let text = files.0.read(&folder.join(&entry.name), 0, entry.length as usize)?;
        let (meta, side_bytes): (BlockMeta, u64) = serde_json::from_slice(&text)?;
        inputs.push(Block::new(Arc::new(meta), side_bytes, files.clone(), Arc::clone(&cache)));
    }
    let name = BlockName(1 << 40);
    let before = memory("VmHWM")?;
    let started = cpu_nanos()?;
    let merge = Merge {
        inputs: &inputs,
        keep: &|_, _, _| true,
        verdict_of: &|_, _| Some(Verdict::keep_all()),
        drops: &|_, _, _| false,
        remembers: None,
        memory_bytes,
        stopped: &|| false,
    };
    let sink = files.sink(name, BlockFile::Data)?;
    let merged = merge.write(sink, WriteOptions::new(name), &Requests::default())?;
    let Finished { meta, side, mut sink, .. } = merged.finished.ok_or("there are no spans")?;
    sink.flush()?;
    files.put_side(name, &side)?;
    let read_bytes: u64 = inputs.iter().map(|block| block.meta().data_bytes + block.side_bytes()).sum();
    println!(
        "{} blocks, {} rows and {} MiB read; {} spans, {} MiB and {} MiB of sidecar written; {:.0} ns a row; \
         {} MiB of memory at most, {} before",
        inputs.len(),
        merged.read_rows,
        read_bytes >> 20,
        meta.row_count,
        meta.data_bytes >> 20,
        side.count() >> 20,
        (cpu_nanos()? - started) as f64 / merged.read_rows as f64,
        memory("VmHWM")? >> 10,
        before >> 10,
    );
    Ok(())
}

/// CPU time of this thread, which does all.
fn cpu_nanos() -> Result<u64, Box<dyn Error>> {
    let figures = std::fs::read_to_string("/proc/self/schedstat")?;
    Ok(figures.split_whitespace().next().ok_or("no such figure")?.parse()?)
}

/// A figure of this process, in KiB.
fn memory(name: &str) -> Result<u64, Box<dyn Error>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix(name)).ok_or("no such figure")?;
    Ok(line.trim_matches(|c: char| !c.is_ascii_digit()).parse()?)
}
