//! A batch: one export request, admitted and about to become durable.

use bytes::Bytes;
use clew_model::{RefuseReason, RejectReason, Tenant};
use clew_wire::otlp::Limits;

/// How the request was spoken. The stored body is always an OTLP `ExportTraceServiceRequest`; this says what it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// OTLP protobuf, stored as received.
    Otlp = 1,
    /// OTLP/JSON, translated to protobuf before the log.
    OtlpJson = 2,
}

/// How the stored body is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// Not at all.
    Identity = 0,
    /// gzip.
    Gzip = 1,
    /// zstd.
    Zstd = 2,
}

/// Where the batch came from: a position in a topic, or this server's own doors (all zero).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Source {
    /// Which incarnation of the topic.
    pub topic_epoch: u32,
    /// Which partition.
    pub partition: u32,
    /// Which offset in it.
    pub offset: u64,
}

/// Whose spans a batch holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tenants {
    /// At least one.
    pub names: Vec<Tenant>,
    /// For each `ResourceSpans` of the body, in order, the index into `names`; empty when there is one name for all.
    pub of_group: Vec<u16>,
}

impl Tenants {
    /// One tenant for all.
    pub fn one(tenant: Tenant) -> Self {
        Self { names: vec![tenant], of_group: Vec::new() }
    }

    /// The tenant of the `group`th `ResourceSpans`.
    pub fn of(&self, group: u32) -> &Tenant {
        let index = self.of_group.get(group as usize).map_or(0, |index| usize::from(*index));
        self.names.get(index).unwrap_or(&self.names[0])
    }
}

/// One export request, admitted. The log keeps all of it but `body`, so that a replay needs nothing else.
#[derive(Debug, Clone)]
pub struct Batch {
    /// How it was spoken.
    pub protocol: Protocol,
    /// How `stored` is compressed.
    pub encoding: Encoding,
    /// What goes to the log: the body as received, or translated to OTLP protobuf.
    pub stored: Bytes,
    /// The same, decompressed; shares `stored`'s memory when that is not compressed.
    pub body: Bytes,
    /// Whose spans.
    pub tenants: Tenants,
    /// Spans of the body that are not kept, by rising ordinal.
    pub rejected: Vec<(u32, RejectReason)>,
    /// The limits it was admitted with.
    pub limits: Limits,
    /// When it was received, by clew's clock.
    pub received_unix_nanos: u64,
    /// XXH3-128 of the body as received together with the request's tenant, to know a request that is sent again.
    pub body_hash: u128,
    /// How many spans are kept.
    pub span_count: u32,
    /// Where from.
    pub source: Source,
}

/// What became of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Its bytes are synced and its spans are visible.
    Stored,
    /// The same request was stored before; its spans are durable and visible.
    Repeated,
    /// It was not stored.
    Refused(RefuseReason),
}
