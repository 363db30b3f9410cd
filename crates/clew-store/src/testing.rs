//! Batches and spans for this crate's own tests.

use std::sync::Arc;

use bytes::Bytes;
use clew_model::scan::{ScanRequest, SpanSource, TimeRange};
use clew_model::{Attribute, RejectReason, Resource, Span, SpanId, Tenant, TraceId, Value};
use clew_wire::otlp::{self, Limits};

use crate::{Batch, Encoding, Protocol, Source, Tenants};

pub(crate) const NOW_UNIX_NANOS: u64 = 1_790_000_000_000_000_000;

/// `count` spans of one trace, named by `number`.
pub(crate) fn spans(number: u64, count: u64) -> Vec<Span> {
    let service = Attribute { key: "service.name".to_owned(), value: Value::String(format!("service-{}", number % 3)) };
    let resource = Arc::new(Resource { attributes: vec![service], ..Resource::default() });
    let mut trace_id = [7; 16];
    trace_id[..8].copy_from_slice(&number.to_le_bytes());
    (0..count)
        .map(|index| Span {
            trace_id: TraceId::from_slice(&trace_id).unwrap(),
            span_id: SpanId::from_u64(number << 20 | (index + 1)),
            name: format!("operation {index}"),
            start_unix_nanos: NOW_UNIX_NANOS + index,
            duration_nanos: 1000,
            resource: Arc::clone(&resource),
            ..Span::default()
        })
        .collect()
}

/// A batch of `count` spans; `number` is its hash too.
pub(crate) fn batch(number: u64, count: u64) -> Batch {
    encoded(number, &spans(number, count), Encoding::Identity)
}

pub(crate) fn encoded(number: u64, spans: &[Span], encoding: Encoding) -> Batch {
    let body = Bytes::from(otlp::encode(spans));
    let stored = match encoding {
        Encoding::Identity => body.clone(),
        Encoding::Gzip => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            std::io::Write::write_all(&mut encoder, &body).unwrap();
            encoder.finish().unwrap().into()
        }
        Encoding::Zstd => zstd::encode_all(&body[..], 1).unwrap().into(),
    };
    Batch {
        protocol: Protocol::Otlp,
        encoding,
        stored,
        body,
        tenants: Tenants::one(Tenant::default()),
        rejected: Vec::new(),
        limits: Limits::default(),
        received_unix_nanos: NOW_UNIX_NANOS,
        body_hash: number.into(),
        span_count: spans.len() as u32,
        source: Source::default(),
    }
}

/// Leaves out the first span.
pub(crate) fn reject_first(mut batch: Batch) -> Batch {
    batch.rejected.push((0, RejectReason::TenantQuota));
    batch.span_count -= 1;
    batch
}

/// All spans of the default tenant, by trace and span id.
pub(crate) fn all_spans(source: &dyn SpanSource) -> Vec<Span> {
    let tenant = Tenant::default();
    let request = ScanRequest { tenant: tenant.clone(), range: TimeRange::ALL, filters: Vec::new(), rows_per_trace: 0 };
    let answer = source.scan(&request, &|| false).unwrap();
    let ids: Vec<TraceId> = answer.matches.iter().map(|found| found.trace_id).collect();
    let mut spans = source.rows(&tenant, &ids, &|| false).unwrap().spans;
    spans.sort_by_key(|span| (span.trace_id, span.span_id));
    spans
}
