//! What is given to a store, and where it lives.

use bytes::Bytes;
use clew_model::Tenant;
use clew_store::{Batch, Encoding, Protocol, Source, Tenants};
use clew_wire::otlp::Limits;
use tempfile::TempDir;

/// A request of so many spans of the default tenant, as a door hands it on. Its number tells it from all others.
pub(crate) fn batch(body: Bytes, span_count: usize, received_unix_nanos: u64, number: u64) -> Batch {
    Batch {
        protocol: Protocol::Otlp,
        encoding: Encoding::Identity,
        stored: body.clone(),
        tenants: Tenants::one(Tenant::default()),
        rejected: Vec::new(),
        limits: Limits::default(),
        received_unix_nanos,
        // As a hash, it cannot be compressed.
        body_hash: u128::from(number.wrapping_mul(0x9e37_79b9_7f4a_7c15)) << 64
            | u128::from(number.wrapping_mul(0xd6e8_feb8_6659_fd93)),
        span_count: span_count as u32,
        source: Source::default(),
        body,
    }
}

/// An empty folder on the disk of the build, which goes when it is dropped.
pub(crate) fn scratch() -> std::io::Result<TempDir> {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))
}
