//! The real server as a process of its own, and `clew load` to load it.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::Context;
use serde_json::Value;

const CLEW: &str = env!("CARGO_BIN_EXE_clew");

/// A running server.
pub(crate) struct Server {
    process: Child,
    /// Where it listens, as a URL.
    pub(crate) address: String,
}

/// What a load took.
pub(crate) struct Loaded {
    pub(crate) spans_per_second: f64,
    /// CPU nanoseconds of the server for each acknowledged span.
    pub(crate) nanos: f64,
    pub(crate) ack_p50_ms: f64,
    pub(crate) ack_p99_ms: f64,
}

impl Server {
    /// Starts it on a data folder.
    pub(crate) fn start(folder: &Path, flags: &[&str]) -> anyhow::Result<Self> {
        // Another build's, to compare.
        let program = std::env::var_os("BENCH_SERVER").unwrap_or_else(|| CLEW.into());
        let mut process = Command::new(program)
            .args(["serve", "--listen", "127.0.0.1:0"])
            .args(flags)
            .arg("--data-dir")
            .arg(folder.join("data"))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let output = process.stdout.take().context("its output is piped")?;
        let mut lines = BufReader::new(output).lines();
        let address = loop {
            let line = lines.next().context("the greeting names an address")??;
            if let Some((_, rest)) = line.split_once("http://") {
                break format!(
                    "http://{}",
                    rest.split(|c: char| c.is_whitespace() || c == '/').next().unwrap_or_default()
                );
            }
        };
        // The rest of the greeting is read on, so that the server never waits for this pipe.
        std::thread::spawn(move || lines.for_each(drop));
        Ok(Self { process, address })
    }

    /// A line of its status that counts memory (`VmRSS`, `VmHWM`), in MiB.
    pub(crate) fn memory_mib(&self, name: &str) -> anyhow::Result<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        let line = line.with_context(|| format!("Linux tells {name}"))?;
        let kib: f64 = line.trim().trim_end_matches(" kB").parse()?;
        Ok(kib / 1024.0)
    }

    /// Lets `clew load` send to it.
    pub(crate) fn load(&self, flags: &[&str]) -> anyhow::Result<Loaded> {
        let before = self.cpu_nanos()?;
        let output = Command::new(CLEW)
            .args(["load", "--endpoint", &self.address, "--json"])
            .args(flags)
            .stderr(Stdio::inherit())
            .output()?;
        let cpu = (self.cpu_nanos()? - before) as f64;
        let report: Value = serde_json::from_slice(&output.stdout).context("clew load --json prints JSON")?;
        let figure = |path: &str| {
            let value = report.pointer(path).and_then(Value::as_f64);
            value.with_context(|| format!("clew load reports no {path}: {report}"))
        };
        Ok(Loaded {
            spans_per_second: figure("/acknowledgedSpansPerSecond")?,
            nanos: cpu / figure("/acknowledgedSpans")?,
            ack_p50_ms: figure("/ackLatency/p50Nanos")? / 1e6,
            ack_p99_ms: figure("/ackLatency/p99Nanos")? / 1e6,
        })
    }

    /// Kills it, as a crash would; what it acknowledged is there when it starts again.
    pub(crate) fn stop(&mut self) -> anyhow::Result<()> {
        self.process.kill()?;
        self.process.wait()?;
        Ok(())
    }

    /// CPU time of all its threads so far, to a scheduler tick (10 ms).
    pub(crate) fn cpu_nanos(&self) -> anyhow::Result<u64> {
        stat_cpu_nanos(&fs::read_to_string(format!("/proc/{}/stat", self.process.id()))?)
    }
}

/// The CPU time that a `stat` file of `/proc` tells.
fn stat_cpu_nanos(stat: &str) -> anyhow::Result<u64> {
    let (_, after_name) = stat.rsplit_once(')').context("the name is in parentheses")?;
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    // proc(5): utime and stime are fields 14 and 15; the state after the name is field 3.
    let ticks: u64 = fields[11].parse::<u64>()? + fields[12].parse::<u64>()?;
    Ok(ticks * 10_000_000)
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.stop();
    }
}
