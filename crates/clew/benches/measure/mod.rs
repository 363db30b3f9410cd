//! What the benchmarks share: clocks, the calibration, and the server as a process.

pub(crate) mod cpu;
pub(crate) mod server;
