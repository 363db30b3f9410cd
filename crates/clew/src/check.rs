//! `clew check`: reads a data folder that no server uses, and repairs it.

use std::fmt::Write as _;

use anyhow::Context as _;
use clew_store::port::RealDisk;
use clew_store::{CheckReport, Damage};

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
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    settings: Settings,
}

/// Checks and prints; damage is a failure, repaired or not.
pub(crate) fn run(options: Options) -> Result<(), Failure> {
    let config = config::load(options.settings.file.as_ref(), options.settings.flags)?;
    let report = clew_store::check(&config.data_dir, &RealDisk::new(), options.repair).map_err(anyhow::Error::from)?;
    let text = if options.json { serde_json::to_string(&report).context("the report")? + "\n" } else { text(&report) };
    exit::print(text)?;
    if report.is_clean() {
        return Ok(());
    }
    let advice = if report.repaired_segments > 0 {
        "was found and repaired"
    } else {
        "was found; `clew check --repair` saves what can be saved"
    };
    Err(Failure::Failed(anyhow::anyhow!("damage {advice}")))
}

fn text(report: &CheckReport) -> String {
    let mut text = String::new();
    for segment in &report.segments {
        let _ = write!(
            text,
            "{}  {} batches, {} spans, {}",
            segment.name,
            count(segment.batches),
            count(segment.spans),
            bytes(segment.bytes)
        );
        if segment.torn_bytes > 0 {
            let _ = write!(text, ", a torn tail of {} that was never acknowledged", bytes(segment.torn_bytes));
        }
        text.push('\n');
        segment.damage.iter().for_each(|damage| text += &line(damage));
    }
    let spans = report.segments.iter().map(|segment| segment.spans).sum();
    let _ = writeln!(text, "{} segments, {} spans readable", report.segments.len(), count(spans));
    text
}

fn line(damage: &Damage) -> String {
    let spans = damage.spans.map_or_else(|| "an unknown number of spans".to_owned(), |spans| format!("{spans} spans"));
    let tenants = damage.tenants.as_ref().map_or_else(String::new, |names| format!(" of {}", names.join(", ")));
    format!("  damaged: {} bytes at {}: {}; held {spans}{tenants}\n", damage.length, damage.offset, damage.what)
}
