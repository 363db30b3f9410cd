//! The whole server as it is started by default, which seals under load.

use serde_json::{Value, json};

use crate::measure::requests::scratch;
use crate::measure::server::{Loaded, Server};
use crate::reader::Reader;

/// Starts a server per case, loads it for a minute, and prints what it took; `calibration` is in nanoseconds a span.
pub(crate) fn run(calibration: f64) -> anyhow::Result<Value> {
    println!(
        "{:<28}{:>9}{:>13}{:>8}{:>11}{:>11}{:>9}{:>7}{:>10}",
        "server that seals", "spans/s", "spans/CPU-s", "ratio", "ack p50", "ack p99", "peak MiB", "seals", "seal mean"
    );
    let cases = [
        ("50 k spans/s, HTTP", ["--rate", "50000", "--protocol", "http"]),
        ("50 k spans/s, gRPC", ["--rate", "50000", "--protocol", "grpc"]),
        ("as fast as it goes, HTTP", ["--rate", "max", "--protocol", "http"]),
        ("as fast as it goes, gRPC", ["--rate", "max", "--protocol", "grpc"]),
    ];
    let rows = cases.into_iter().map(|(name, flags)| case(name, &flags, calibration));
    let rows = rows.collect::<anyhow::Result<Vec<Value>>>()?;
    println!("goals: 150 k spans/CPU-s, ack p99 of 15 ms at 50 k spans/s, 512 MiB\n");
    Ok(json!(rows))
}

fn case(name: &str, flags: &[&str], calibration: f64) -> anyhow::Result<Value> {
    let folder = scratch()?;
    let server = Server::start(folder.path(), &[])?;
    let Loaded { spans_per_second, nanos, ack_p50_ms, ack_p99_ms } =
        server.load(&[flags, &["--duration", "45s"]].concat())?;
    let rss_mib = server.memory_mib("VmHWM")?;
    let reader = Reader::new(&server.address);
    let seals = reader.metric("clew_seal_seconds_count")?;
    let seal_seconds = reader.metric("clew_seal_seconds_sum")? / seals.max(1.0);
    println!(
        "{name:<28}{spans_per_second:>9.0}{:>13.0}{:>7.2}x{ack_p50_ms:>8.2} ms{ack_p99_ms:>8.2} ms{rss_mib:>9.0}{seals:>7.0}{seal_seconds:>8.2} s",
        1e9 / nanos,
        calibration / nanos,
    );
    Ok(json!({
        "case": name,
        "spansPerSecond": spans_per_second,
        "spansPerCpuSecond": 1e9 / nanos,
        "ratio": calibration / nanos,
        "ackP50Millis": ack_p50_ms,
        "ackP99Millis": ack_p99_ms,
        "peakRssMib": rss_mib,
        "seals": seals,
        "sealSeconds": seal_seconds,
    }))
}
