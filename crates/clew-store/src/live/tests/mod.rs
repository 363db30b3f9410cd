//! The live head against a plain list of spans.

mod attributes;
mod figures;
mod filters;
mod input;
mod oracle;
mod together;

use proptest::prelude::*;

use super::*;
use crate::batch::Tenants;
use crate::{Encoding, Protocol, Source};
use clew_model::RejectReason;
use clew_model::scan::TimeRange;
use clew_wire::otlp::Limits;
use input::RECEIVED;
use oracle::Oracle;

/// A live head whose chunks hold `1 << chunk_bits` rows.
fn live(shards: usize, chunk_bits: u32) -> Live {
    Live::with_chunk_bits(shards, chunk_bits)
}

fn batch(body: Vec<u8>, tenants: Tenants, rejected: &[u32]) -> Batch {
    let body = bytes::Bytes::from(body);
    Batch {
        protocol: Protocol::Otlp,
        encoding: Encoding::Identity,
        stored: body.clone(),
        body,
        tenants,
        rejected: rejected.iter().map(|ordinal| (*ordinal, RejectReason::TenantQuota)).collect(),
        limits: Limits::default(),
        received_unix_nanos: RECEIVED,
        body_hash: 0,
        span_count: 0,
        source: Source::default(),
    }
}

fn of_default_tenant(spans: &[clew_model::Span]) -> Batch {
    batch(otlp::encode(spans), Tenants::one(Tenant::default()), &[])
}

fn every_trace(tenant: &Tenant, filters: Vec<clew_model::scan::SpanFilter>) -> ScanRequest {
    ScanRequest { tenant: tenant.clone(), range: TimeRange::ALL, filters, rows_per_trace: 3 }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn answers_are_those_of_a_list(
        batches in prop::collection::vec(input::batch(), 1..8),
        requests in prop::collection::vec(input::request(), 1..12),
        shards in 1_usize..4,
        chunk_bits in 0_u32..6,
    ) {
        let live = live(shards, chunk_bits);
        let mut oracle = Oracle::default();
        for batch in &batches {
            live.insert(batch).unwrap();
            oracle.insert(batch);
        }
        prop_assert_eq!(live.tenants().unwrap(), oracle.tenants());
        prop_assert_eq!(live.span_count(), oracle.span_count());
        prop_assert_eq!(live.trace_count(), oracle.trace_count());
        for request in &requests {
            let mut answer = live.scan(request, &|| false).unwrap();
            answer.matches.sort_by_key(|found| found.trace_id);
            prop_assert_eq!(answer.matches, oracle.scan(request), "{:?}", request);
            prop_assert_eq!(answer.incomplete, None);
        }
        for tenant in input::tenants() {
            let services = oracle.services(&tenant);
            prop_assert_eq!(&live.services(&tenant).unwrap(), &services);
            for service in services.iter().map(String::as_str).chain(["nobody"]) {
                prop_assert_eq!(live.operations(&tenant, service).unwrap(), oracle.operations(&tenant, service));
            }
            let ids: Vec<TraceId> = (0..8).rev().map(input::trace_id).collect();
            let rows = live.rows(&tenant, &ids, &|| false).unwrap();
            prop_assert_eq!(rows.spans, oracle.rows(&tenant, &ids));
            let extents = live.extents(&tenant, &ids, &|| false).unwrap();
            prop_assert_eq!(extents.extents, oracle.extents(&tenant, &ids));
        }
    }
}
