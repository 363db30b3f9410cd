//! What a span costs in a block: nanoseconds of one core to write, bytes by column and by section of the sidecar.
#![allow(clippy::print_stdout, reason = "a benchmark is an edge: it prints")]

mod workload;

use std::collections::BTreeMap;

use clew_block::sidecar::{Header, Requests};
use clew_block::{BlockName, Finished, Plan, Row, WriteOptions, Writer};
use clew_model::{Span, Tenant, ValueRef};
use parquet::file::reader::{FileReader, SerializedFileReader};

type Failure = Box<dyn std::error::Error>;

const SPANS: usize = 260_000;
const ROUNDS: usize = 5;

fn main() -> Result<(), Failure> {
    // `cargo test --benches` starts benchmarks with `--test`: there is nothing to prove here, only to measure.
    if std::env::args().any(|argument| argument == "--test") {
        return Ok(());
    }
    let spans = workload::spans(SPANS);
    let attributes: usize = spans.iter().map(|span| span.attributes.len()).sum();
    println!("{} spans of {:.2} attributes", spans.len(), attributes as f64 / spans.len() as f64);
    let mut options = WriteOptions::new(BlockName(1));
    let mut numbers = std::env::args().skip(1).filter_map(|argument| argument.parse().ok());
    options.row_group_rows = numbers.next().unwrap_or(options.row_group_rows);
    options.page_rows = numbers.next().unwrap_or(options.page_rows);
    let values: Vec<Vec<ValueRef<'_>>> =
        spans.iter().map(|span| span.attributes.iter().map(|attribute| (&attribute.value).into()).collect()).collect();
    for _ in 0..ROUNDS {
        let (nanos, _) = write(&spans, &values, &options)?;
        println!("{:.0} ns a span", nanos as f64 / spans.len() as f64);
    }
    report(&write(&spans, &values, &options)?.1, spans.len())
}

fn write(
    spans: &[Span],
    values: &[Vec<ValueRef<'_>>],
    options: &WriteOptions,
) -> Result<(i128, Finished<Vec<u8>>), Failure> {
    let mut plan = Plan::new();
    let codes: Vec<_> = spans.iter().map(|span| plan.span(span)).collect();
    let rows: Vec<Row<'_>> =
        spans.iter().zip(codes).zip(values).map(|((span, codes), values)| Row::of(span, codes, values)).collect();
    let begun = cpu_nanos();
    let mut writer = Writer::new(plan, Vec::new(), options.clone())?;
    writer.tenant(&Tenant::default())?;
    let mut from = 0;
    for trace in spans.chunk_by(|one, next| one.trace_id == next.trace_id) {
        writer.trace(trace[0].trace_id, &rows[from..from + trace.len()])?;
        from += trace.len();
    }
    let finished = writer.finish(&Requests::default())?;
    Ok((cpu_nanos() - begun, finished))
}

/// What this thread has computed so far: unlike time, it says the same on a busy machine.
fn cpu_nanos() -> i128 {
    let spent = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    i128::from(spent.tv_sec) * 1_000_000_000 + i128::from(spent.tv_nsec)
}

fn report(finished: &Finished<Vec<u8>>, spans: usize) -> Result<(), Failure> {
    let per_span = |bytes: u64| bytes as f64 / spans as f64;
    let reader = SerializedFileReader::new(bytes::Bytes::from(finished.sink.clone()))?;
    let mut columns: BTreeMap<String, u64> = BTreeMap::new();
    for group in reader.metadata().row_groups() {
        for column in group.columns() {
            *columns.entry(column.column_path().string()).or_default() += column.compressed_size() as u64;
        }
    }
    let in_columns: u64 = columns.values().sum();
    let mut columns: Vec<_> = columns.into_iter().collect();
    columns.sort_by_key(|(_, bytes)| std::cmp::Reverse(*bytes));
    for (name, bytes) in &columns {
        println!("{:8.3}  {name}", per_span(*bytes));
    }
    println!("{:8.3}  footer and indexes", per_span(finished.meta.data_bytes - in_columns));
    println!("{:8.3}  data in all, {} row groups", per_span(finished.meta.data_bytes), reader.num_row_groups());
    for section in &Header::decode(&finished.side)?.sections {
        println!("{:8.3}  {}", per_span(section.stored_bytes), section.id.as_str());
    }
    println!("{:8.3}  sidecar in all", per_span(finished.side.len() as u64));
    Ok(())
}
