//! The JSON of `GET /v1/figures`: clew's own figures, as a page shows them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::router::Health;

/// clew's own figures now. Counts are since the start of the process.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FiguresAnswer {
    /// Of clew.
    pub version: String,
    /// Time since the server started.
    pub uptime_seconds: f64,
    /// The server's clock, RFC 3339.
    pub now: String,
    /// The open doors. Each answers everything.
    pub doors: Vec<DoorShape>,
    /// Where the data lies.
    pub data_dir: String,
    /// Spans in.
    pub spans: SpanFigures,
    /// From the last byte of a request to its acknowledgement.
    pub ack: LatencyFigures,
    /// Searches.
    pub search: LatencyFigures,
    /// Fetches of one trace, with its explanation.
    pub fetch: LatencyFigures,
    /// Spans in memory that are in no block yet.
    pub live: LiveFigures,
    /// The log.
    pub log: LogFigures,
    /// Traces that were settled, and those that wait.
    pub settle: SettleShape,
    /// Blocks.
    pub blocks: BlockFigures,
    /// How long and how much is kept.
    pub retention: RetentionFigures,
    /// Memory.
    pub memory: MemoryFigures,
    /// As `GET /v1/health` answers.
    pub health: Health,
    /// Usual mistakes of senders and readers that were noticed, the latest first.
    pub hints: Vec<HintShape>,
}

/// An open door.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DoorShape {
    /// Address and port.
    pub address: String,
    /// What it is announced for: `otlp` or `api`.
    pub purpose: String,
}

/// Spans in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SpanFigures {
    /// Spans stored: synced to disk and visible.
    pub received: u64,
    /// When the last of them were received; `null` when there were none since the start.
    pub last_received: Option<String>,
    /// Export requests for spans, whatever became of them.
    pub requests: u64,
    /// When the last of them came; `null` before the first.
    pub last_request: Option<String>,
    /// By tenant, those that sent anything. Tenants beyond those that have a label of their own are summed up as `(other)`.
    pub tenants: Vec<TenantShape>,
}

/// One tenant's spans.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TenantShape {
    /// Whose.
    pub tenant: String,
    /// Spans stored.
    pub received: u64,
    /// Spans of accepted requests that were not kept, by reason; reasons that never occurred are left out.
    pub rejected: Vec<RejectedShape>,
    /// Requests refused as a whole, likewise.
    pub refused: Vec<RefusedShape>,
}

/// Spans that were not kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RejectedShape {
    /// The reason's name, as in `/metrics`.
    pub reason: String,
    /// The reason in words.
    pub sentence: String,
    /// How many spans.
    pub spans: u64,
}

/// Requests that were refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RefusedShape {
    /// The reason's name, as in `/metrics`.
    pub reason: String,
    /// The reason in words.
    pub sentence: String,
    /// How many requests.
    pub requests: u64,
    /// Their spans, as far as they could be counted.
    pub spans: u64,
}

/// How long something took. Percentiles are estimates: each lies in the bucket that the count puts it in, and within it as
/// if observations were spread evenly.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LatencyFigures {
    /// How many were observed.
    pub count: u64,
    /// The mean, exactly; `null` when nothing was observed.
    pub mean_nanos: Option<u64>,
    /// The median, estimated from the buckets.
    pub p50_nanos: Option<u64>,
    /// The 99th percentile, estimated from the buckets.
    pub p99_nanos: Option<u64>,
    /// The counts by length, from which a reader that asks twice can tell what was between. Buckets where nothing is are
    /// there too.
    pub buckets: Vec<BucketShape>,
}

/// How many took no longer than a bound, and longer than the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct BucketShape {
    /// The bound; `null` for all that is longer.
    pub to_nanos: Option<u64>,
    /// How many.
    pub count: u64,
}

/// Spans in memory that are in no block yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LiveFigures {
    /// How many.
    pub spans: u64,
    /// Of how many traces.
    pub traces: u64,
    /// Their memory.
    pub bytes: u64,
    /// Its bound (`live.bytes`).
    pub limit_bytes: u64,
}

/// The log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LogFigures {
    /// Bytes of its files.
    pub bytes: u64,
    /// How many files.
    pub segments: u64,
    /// Group commits since the start.
    pub syncs: u64,
    /// How long one sync took.
    pub sync: LatencyFigures,
}

/// Traces that were settled since the start, and those that wait.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SettleShape {
    /// From when a trace was complete until it was settled.
    pub delay: LatencyFigures,
    /// How long looks took that settled something.
    pub look: LatencyFigures,
    /// Traces with spans that no settlement has counted, as of the last look; most of them wait to be complete.
    pub pending_traces: u64,
    /// All that was received before is counted.
    pub watermark: String,
    /// How old the oldest span is that no block holds; `null` when all are in blocks.
    pub seal_lag_seconds: Option<f64>,
    /// Traces settled; one that was settled again counts again.
    pub traces: u64,
    /// Those that were settled again, since spans of them came late.
    pub late_traces: u64,
    /// Those that were settled before they were complete, for want of memory (`settle.pending_bytes`).
    pub early_traces: u64,
    /// Those that had no root.
    pub rootless_traces: u64,
    /// Spans that came after their trace had been settled.
    pub late_spans: u64,
    /// Identical spans left out.
    pub duplicate_spans: u64,
    /// Traces by the rule of their verdict.
    pub rules: Vec<RuleShape>,
    /// Open streams of settled traces.
    pub live_streams: u64,
}

/// The verdicts of a rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RuleShape {
    /// Its name.
    pub rule: String,
    /// Traces kept.
    pub kept: u64,
    /// Traces to be dropped.
    pub dropped: u64,
}

/// Blocks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BlockFigures {
    /// How many.
    pub count: u64,
    /// Spans in them.
    pub spans: u64,
    /// Bytes on disk.
    pub bytes: u64,
    /// The same by kind of file.
    pub kinds: Vec<KindShape>,
    /// When their first span was received; `null` without blocks.
    pub oldest: Option<String>,
    /// When their last span was received.
    pub newest: Option<String>,
    /// The keys of spans' attributes with most distinct values, as of the last seal: the most first, ten at most.
    pub various_keys: Vec<VariousKeyShape>,
}

/// A key of attributes that has many values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct VariousKeyShape {
    /// The key.
    pub key: String,
    /// Distinct values among 32 Ki spans, at most.
    pub values: u64,
}

/// Bytes of one kind of file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct KindShape {
    /// `data` (Parquet) or `sidecar`.
    pub kind: String,
    /// Bytes on disk.
    pub bytes: u64,
}

/// How long and how much is kept.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RetentionFigures {
    /// Spans are kept this long after they were received (`retention.age`).
    pub age_seconds: f64,
    /// What blocks may take (`retention.size`); of a share, what it is of what they take and what is free now.
    pub limit_bytes: u64,
    /// What they take.
    pub used_bytes: u64,
    /// Bytes free on the file system; `null` when it does not say.
    pub available_bytes: Option<u64>,
}

/// Memory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MemoryFigures {
    /// Resident memory of the process; `null` where the system does not say.
    pub resident_bytes: Option<u64>,
    /// What it is bounded by, part by part. They are not all of it: code, threads and what the allocator holds are not here.
    pub parts: Vec<MemoryPart>,
}

/// A bounded part of memory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MemoryPart {
    /// `live`, `block_cache`, `in_flight`, `log_queue`.
    pub name: String,
    /// What it takes.
    pub bytes: u64,
    /// What it may take.
    pub limit_bytes: u64,
    /// The setting that says so.
    pub setting: String,
}

/// A usual mistake that was noticed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HintShape {
    /// A short, stable name, such as `post_to_root` or `odd_times`.
    pub name: String,
    /// How often: requests, connections, or spans and other items.
    pub count: u64,
    /// When last, RFC 3339.
    pub last: String,
    /// What was seen.
    pub sentence: String,
    /// How to mend it.
    pub fix: String,
    /// One request that made it, as far as it is safe to show; `null` for what came before any request.
    pub example: Option<HintExample>,
}

/// A request that made a mistake.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct HintExample {
    /// Its method and path, or what it exported to, cut short.
    pub request: String,
    /// Its user agent, cut short; `null` when it names none.
    pub user_agent: Option<String>,
}
