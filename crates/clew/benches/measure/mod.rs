//! What the benchmarks share: clocks, the calibration, requests, and the server as a process.

pub(crate) mod cpu;
#[allow(dead_code, reason = "not every benchmark has a store of its own")]
pub(crate) mod requests;
pub(crate) mod server;
