//! The whole server as a process of its own, loaded by `clew load` over loopback.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use anyhow::Context;
use serde_json::Value;

const CLEW: &str = env!("CARGO_BIN_EXE_clew");

/// Starts a server per case, loads it, and prints what it took; `calibration` is in nanoseconds a span.
pub(crate) fn run(calibration: f64) -> anyhow::Result<()> {
    println!(
        "\n{:<26}{:>10}{:>13}{:>9}{:>11}{:>11}{:>9}",
        "whole server", "spans/s", "spans/CPU-s", "ratio", "ack p50", "ack p99", "RSS MiB"
    );
    let idle = Server::start()?;
    println!("{:<26}{:>63.0}", "idle", idle.rss_mib()?);
    drop(idle);
    let case = |name, flags: &[&str]| case(name, flags, calibration);
    case("50 k spans/s, HTTP", &["--rate", "50000", "--protocol", "http"])?;
    case("50 k spans/s, gRPC", &["--rate", "50000", "--protocol", "grpc"])?;
    case("as fast as it goes, HTTP", &["--rate", "max", "--protocol", "http"])?;
    case("as fast as it goes, gRPC", &["--rate", "max", "--protocol", "grpc"])?;
    case("as fast as it goes, gzip", &["--rate", "max", "--protocol", "http", "--compression", "gzip"])?;
    case("as fast as it goes, zstd", &["--rate", "max", "--protocol", "http", "--compression", "zstd"])
}

fn case(name: &str, flags: &[&str], calibration: f64) -> anyhow::Result<()> {
    let server = Server::start()?;
    let before = cpu_nanos(server.process.id())?;
    let output = Command::new(CLEW)
        .args(["load", "--endpoint", &server.address, "--duration", "5s", "--json"])
        .args(flags)
        .stderr(Stdio::inherit())
        .output()?;
    let cpu = (cpu_nanos(server.process.id())? - before) as f64;
    let report: Value = serde_json::from_slice(&output.stdout).context("clew load --json prints JSON")?;
    let figure = |path: &str| {
        let value = report.pointer(path).and_then(Value::as_f64);
        value.with_context(|| format!("clew load reports no {path}: {report}"))
    };
    let cost = cpu / figure("/acknowledgedSpans")?;
    println!(
        "{name:<26}{:>10.0}{:>13.0}{:>8.2}x{:>8.2} ms{:>8.2} ms{:>9.0}",
        figure("/acknowledgedSpansPerSecond")?,
        1e9 / cost,
        calibration / cost,
        figure("/ackLatency/p50Nanos")? / 1e6,
        figure("/ackLatency/p99Nanos")? / 1e6,
        server.rss_mib()?,
    );
    Ok(())
}

struct Server {
    process: Child,
    address: String,
    _folder: tempfile::TempDir,
}

impl Server {
    fn start() -> anyhow::Result<Self> {
        let folder = tempfile::tempdir_in(std::env::current_dir()?)?;
        let mut process = Command::new(CLEW)
            .args(["serve", "--listen", "127.0.0.1:0", "--live-bytes", "8GiB", "--data-dir"])
            .arg(folder.path().join("data"))
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
        Ok(Self { process, address, _folder: folder })
    }

    fn rss_mib(&self) -> anyhow::Result<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("Linux tells VmRSS")?;
        let kib: f64 = line.trim().trim_end_matches(" kB").parse()?;
        Ok(kib / 1024.0)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// CPU time of all threads of a process so far, to a scheduler tick (10 ms).
fn cpu_nanos(process: u32) -> anyhow::Result<u64> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat"))?;
    let (_, after_name) = stat.rsplit_once(')').context("the name is in parentheses")?;
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    // proc(5): utime and stime are fields 14 and 15; the state after the name is field 3.
    let ticks: u64 = fields[11].parse::<u64>()? + fields[12].parse::<u64>()?;
    Ok(ticks * 10_000_000)
}
