//! Tests of the wire room against its contract, with prost as the oracle of what bytes mean.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod bad_input;
mod differential;
mod generate;
mod jaeger;
mod json;
mod oracle;
mod round_trip;
mod zipkin;

use clew_model::{RejectReason, Span};
use clew_wire::otlp::{Admission, AdmitOptions, Limits, WireError, admit, spans};

/// 2025-10-09, the receive time of all tests.
const NOW: u64 = 1_760_000_000_000_000_000;

fn admitted(body: &[u8], limits: Limits) -> Result<Admission, WireError> {
    admit(body, &AdmitOptions { limits, received_unix_nanos: NOW, tenant_attribute: None })
}

/// Admits a body and reads back what was kept.
fn kept(body: &[u8], limits: Limits) -> Result<(Admission, Vec<Span>), WireError> {
    let admission = admitted(body, limits)?;
    let rejected: Vec<u32> = admission.rejected.iter().map(|rejected| rejected.ordinal).collect();
    let spans = spans(body, &limits, NOW, &rejected)?;
    Ok((admission, spans))
}

fn reasons(admission: &Admission) -> Vec<(u32, RejectReason)> {
    admission.rejected.iter().map(|rejected| (rejected.ordinal, rejected.reason)).collect()
}
