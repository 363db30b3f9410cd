//! The whole server as a process of its own, loaded by `clew load` over loopback.

use crate::measure::requests::scratch;
use crate::measure::server::{Loaded, Server};

/// Nothing is sealed: what is measured is the front half.
const UNSEALED: [&str; 2] = ["--live-bytes", "8GiB"];

/// Starts a server per case, loads it, and prints what it took; `calibration` is in nanoseconds a span.
pub(crate) fn run(calibration: f64) -> anyhow::Result<()> {
    println!(
        "\n{:<26}{:>10}{:>13}{:>9}{:>11}{:>11}{:>9}",
        "whole server", "spans/s", "spans/CPU-s", "ratio", "ack p50", "ack p99", "RSS MiB"
    );
    let folder = scratch()?;
    let idle = Server::start(folder.path(), &UNSEALED)?;
    println!("{:<26}{:>63.0}", "idle", idle.memory_mib("VmRSS")?);
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
    let folder = scratch()?;
    let server = Server::start(folder.path(), &UNSEALED)?;
    let Loaded { spans_per_second, nanos, ack_p50_ms, ack_p99_ms } =
        server.load(&[flags, &["--duration", "5s"]].concat())?;
    println!(
        "{name:<26}{spans_per_second:>10.0}{:>13.0}{:>8.2}x{ack_p50_ms:>8.2} ms{ack_p99_ms:>8.2} ms{:>9.0}",
        1e9 / nanos,
        calibration / nanos,
        server.memory_mib("VmRSS")?,
    );
    Ok(())
}
