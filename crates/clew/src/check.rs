//! `clew check`: reads a data folder that no server uses, and repairs it.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use clew_store::port::{Disk, RealDisk};
use clew_store::{BlockReport, CatalogReport, CheckReport, ColumnsReport, Damage, SegmentReport, SettledReport};

use crate::cli::Settings;
use crate::config;
use crate::exit::{self, Failure};
use crate::render::{bytes, count};

/// What to check.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Options {
    /// Rewrite damaged files without what cannot be read, and set the originals aside
    #[arg(long)]
    repair: bool,
    /// Show what each column and each section of the sidecars takes, and check nothing
    #[arg(long, conflicts_with = "repair")]
    columns: bool,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    settings: Settings,
}

/// Checks and prints; damage is a failure, repaired or not.
pub(crate) fn run(options: Options) -> Result<(), Failure> {
    let config = config::load(options.settings.file.as_ref(), options.settings.flags)?;
    let disk: Arc<dyn Disk> = Arc::new(RealDisk::new());
    if options.columns {
        return columns(&config.data_dir, &disk, options.json);
    }
    let report = clew_store::check(&config.data_dir, &disk, options.repair).map_err(anyhow::Error::from)?;
    let text = if options.json { serde_json::to_string(&report).context("the report")? + "\n" } else { text(&report) };
    exit::print(text)?;
    if report.is_clean() {
        return Ok(());
    }
    let advice = if report.is_repaired() {
        "was found and repaired"
    } else {
        "was found; `clew check --repair` saves what can be saved"
    };
    Err(Failure::Failed(anyhow::anyhow!("damage {advice}")))
}

fn columns(data_dir: &Path, disk: &Arc<dyn Disk>, json: bool) -> Result<(), Failure> {
    let report = clew_store::columns(data_dir, disk).map_err(anyhow::Error::from)?;
    let text = if json { serde_json::to_string(&report).context("the report")? + "\n" } else { table(&report) };
    exit::print(text)?;
    match report.problems.as_slice() {
        [] => Ok(()),
        problems => Err(Failure::Failed(anyhow::anyhow!("{} blocks could not be read", problems.len()))),
    }
}

fn text(report: &CheckReport) -> String {
    let mut text = "log\n".to_owned();
    report.segments.iter().for_each(|segment| text += &segment_lines(segment));
    if !report.freed_segments.is_empty() {
        let _ = writeln!(text, "  {} sealed segments, which the next start removes", report.freed_segments.len());
    }
    text += "catalog\n";
    text += &catalog_lines(&report.catalog);
    text += "blocks\n";
    report.blocks.iter().for_each(|block| text += &block_lines(block));
    for file in &report.stray_files {
        let _ = writeln!(text, "  {}  {}, belongs to no block that is known", file.name, bytes(file.bytes));
    }
    text += "settled\n";
    report.settled.iter().for_each(|file| text += &settled_lines(file));
    for file in &report.stray_settled_files {
        let _ = writeln!(text, "  {}  {}, is named by nothing that is known", file.name, bytes(file.bytes));
    }
    if report.is_repaired() {
        text += "repaired\n";
        if report.repaired_segments > 0 {
            let _ = writeln!(text, "  {} segments of the log were rewritten", count(report.repaired_segments));
        }
        for what in &report.repairs {
            let _ = writeln!(text, "  {what}");
        }
    }
    let spans = report.segments.iter().map(|segment| segment.spans).sum();
    let _ = writeln!(text, "{}, {} readable", counted(report.segments.len() as u64, "segment"), counted(spans, "span"));
    let (whole, damaged): (Vec<_>, Vec<_>) = report.blocks.iter().partition(|block| block.problems.is_empty());
    let rows = whole.iter().map(|block| block.rows).sum();
    let _ = writeln!(text, "{} blocks, {} spans verified, {} blocks damaged", whole.len(), count(rows), damaged.len());
    let damaged = report.settled.iter().filter(|file| !file.problems.is_empty()).count();
    let whole = report.settled.len() - damaged;
    let _ = writeln!(text, "{whole} files of settlements verified, {damaged} damaged");
    text
}

fn segment_lines(segment: &SegmentReport) -> String {
    let mut text = format!(
        "  {}  {} batches, {} spans, {}",
        segment.name,
        count(segment.batches),
        count(segment.spans),
        bytes(segment.bytes)
    );
    if segment.torn_bytes > 0 {
        let _ = write!(text, ", a torn tail of {} that was never acknowledged", bytes(segment.torn_bytes));
    }
    text.push('\n');
    segment.damage.iter().for_each(|damage| text += &damage_line(damage));
    text
}

fn damage_line(damage: &Damage) -> String {
    let spans = damage.spans.map_or_else(|| "an unknown number of spans".to_owned(), |spans| format!("{spans} spans"));
    let tenants = damage.tenants.as_ref().map_or_else(String::new, |names| format!(" of {}", names.join(", ")));
    format!("    damaged: {} bytes at {}: {}; held {spans}{tenants}\n", damage.length, damage.offset, damage.what)
}

fn catalog_lines(catalog: &CatalogReport) -> String {
    let file = catalog.file.as_deref().unwrap_or("(no file)");
    let mut text = format!(
        "  {file}  {} blocks, the log is sealed through position {}",
        count(catalog.blocks),
        catalog.sealed_through
    );
    if catalog.deletions > 0 {
        let _ = write!(text, ", {} deletions to be carried out", count(catalog.deletions));
    }
    if catalog.torn_bytes > 0 {
        let _ = write!(text, ", a torn tail of {} that was never committed", bytes(catalog.torn_bytes));
    }
    text.push('\n');
    for damage in &catalog.damage {
        let _ = writeln!(text, "    damaged: {damage}");
    }
    for lost in &catalog.lost {
        let _ = writeln!(text, "    lost before: {lost}");
    }
    text
}

fn settled_lines(file: &SettledReport) -> String {
    let minutes = file.minutes.map_or(0, |(first, last)| (last - first).saturating_add(1));
    let mut text = format!(
        "  {}  {}, {}, {}, {}\n",
        file.name,
        counted(file.traces, "trace"),
        counted(file.records, "record"),
        counted(minutes, "minute"),
        bytes(file.bytes)
    );
    for problem in &file.problems {
        let _ = writeln!(text, "    damaged: {problem}");
    }
    text
}

fn block_lines(block: &BlockReport) -> String {
    let mut text = format!(
        "  {}  {}, {}, {}, {}\n",
        block.name,
        counted(block.rows, "span"),
        counted(block.traces, "trace"),
        counted(block.tenants, "tenant"),
        bytes(block.bytes)
    );
    for problem in &block.problems {
        let _ = writeln!(text, "    damaged: {problem}");
    }
    text
}

/// How many there are of what has that name.
fn counted(number: u64, name: &str) -> String {
    format!("{} {name}{}", count(number), if number == 1 { "" } else { "s" })
}

/// Each column: its bytes, its share, and what of it falls to a span.
fn table(report: &ColumnsReport) -> String {
    let all = report.data_bytes + report.side_bytes;
    let line = |name: &str, bytes: u64, plain_bytes: u64| {
        let (share, each) = (bytes as f64 * 100.0 / all.max(1) as f64, bytes as f64 / report.spans.max(1) as f64);
        format!("{:>15} {:>15} {share:>7.2} % {each:>10.3}  {name}\n", count(bytes), count(plain_bytes))
    };
    let mut text = format!("{:>15} {:>15} {:>9} {:>10}  COLUMN\n", "BYTES", "UNCOMPRESSED", "SHARE", "BYTES/SPAN");
    for column in &report.columns {
        text += &line(&column.name, column.bytes, column.plain_bytes);
    }
    let plain = |side: bool| {
        let own = report.columns.iter().filter(|column| is_side(&column.name) == side);
        own.map(|column| column.plain_bytes).sum::<u64>()
    };
    text += &line("all Parquet files", report.data_bytes, plain(false));
    text += &line("all sidecars", report.side_bytes, plain(true));
    text += &line("all", all, plain(false) + plain(true));
    for problem in &report.problems {
        let _ = writeln!(text, "not counted: {problem}");
    }
    let _ = writeln!(text, "{} blocks, {} spans", count(report.blocks), count(report.spans));
    text
}

fn is_side(column: &str) -> bool {
    column.starts_with("sidecar:") || column == "(sidecar headers)"
}
