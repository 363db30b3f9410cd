//! What settling costs: CPU time a span, acknowledgements beside it, how far it stays behind, and how often bytes are written.
//!
//! Run by `cargo xtask bench settle`. Words choose what is measured (`server`, `week`; none is both); `--days N` says how long the
//! week is, which is two days otherwise.
#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a benchmark is an edge: it times, prints and starts processes"
)]

#[path = "../measure/mod.rs"]
#[allow(dead_code, reason = "shared with benchmarks that use more of it")]
mod measure;
#[path = "../measure/reader.rs"]
#[allow(dead_code, reason = "shared with benchmarks that use more of it")]
mod reader;
mod server;
mod week;

fn main() -> anyhow::Result<()> {
    let mut words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    // `cargo test --benches` starts benchmarks with `--test`: there is nothing to prove here, only to measure.
    if words.iter().any(|word| word == "--test") {
        return Ok(());
    }
    let mut days = 2;
    if let Some(at) = words.iter().position(|word| word == "--days") {
        anyhow::ensure!(at + 1 < words.len(), "--days needs a value");
        days = words.drain(at..at + 2).nth(1).unwrap_or_default().parse()?;
    }
    if let Some(unknown) = words.iter().find(|word| !["server", "week"].contains(&word.as_str())) {
        anyhow::bail!("`{unknown}` is not one of server, week and --days N");
    }
    let is_wanted = |name: &str| words.is_empty() || words.iter().any(|word| word == name);
    if is_wanted("server") {
        server::run()?;
    }
    if is_wanted("week") {
        week::run(days)?;
    }
    Ok(())
}
