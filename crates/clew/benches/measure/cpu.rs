//! CPU time, and the calibration that every speed is compared with.

use std::hint::black_box;
use std::time::{SystemTime, UNIX_EPOCH};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;
use rustix::time::{ClockId, clock_gettime};

/// Rounds of each measurement; the fastest counts, since noise only ever adds.
pub(crate) const ROUNDS: usize = 5;

/// Wall clock, unix nanoseconds.
pub(crate) fn unix_nanos() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is past 1970").as_nanos() as u64
}

/// What prost takes to decode the requests into owned messages, in CPU nanoseconds a span.
pub(crate) fn calibrate(requests: &[Vec<u8>], spans: usize) -> f64 {
    fastest(spans, || {
        for request in requests {
            black_box(ExportTraceServiceRequest::decode(request.as_slice()).expect("our own request is valid"));
        }
    })
}

/// CPU nanoseconds a span of the fastest of [`ROUNDS`] rounds, on this thread.
pub(crate) fn fastest(spans: usize, mut work: impl FnMut()) -> f64 {
    fastest_of((0..ROUNDS).map(|_| {
        let before = thread_cpu_nanos();
        work();
        (thread_cpu_nanos() - before) as f64 / spans as f64
    }))
}

/// The least of them.
pub(crate) fn fastest_of(rounds: impl Iterator<Item = f64>) -> f64 {
    rounds.fold(f64::INFINITY, f64::min)
}

/// CPU time of this thread so far.
pub(crate) fn thread_cpu_nanos() -> u64 {
    cpu_nanos(ClockId::ThreadCPUTime)
}

/// CPU time of all threads of this process so far.
pub(crate) fn process_cpu_nanos() -> u64 {
    cpu_nanos(ClockId::ProcessCPUTime)
}

fn cpu_nanos(clock: ClockId) -> u64 {
    let time = clock_gettime(clock);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}
