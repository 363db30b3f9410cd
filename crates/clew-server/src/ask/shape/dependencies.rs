//! The answer about who calls whom.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{ExemplarShape, IncompleteShape};

/// Services, what they call, and how well that goes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DependenciesAnswer {
    /// Where the range begins: the beginning of a minute.
    pub from: String,
    /// Where it ends: the end of a minute, which may not be over yet.
    pub to: String,
    /// Services and what else is called, by name.
    pub nodes: Vec<NodeShape>,
    /// Calls, those that happen most first.
    pub edges: Vec<EdgeShape>,
    /// How many edges there are; more than are here when `limit` cut them.
    pub edge_count: u64,
    /// Why something may be missing; `null` when nothing is known to be.
    pub incomplete: Option<IncompleteShape>,
}

/// A service, or something that services call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NodeShape {
    /// Its name; `(other)` for what is counted together.
    pub name: String,
    /// `service` (it sends spans), `database`, `queue` (a topic or queue of a broker) or `external`.
    pub kind: String,
    /// `healthy`, `degraded` or `unhealthy` by the settings `health.*`, or `unknown` without requests.
    pub health: String,
    /// What it was asked for: of a service its server and consumer spans, of others the calls as callers saw them.
    pub requests: RequestsShape,
}

/// Requests in figures.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RequestsShape {
    /// How many were received.
    pub received: u64,
    /// How many they stand for; the same where nobody samples before clew.
    pub weighted: f64,
    /// Weighted ones that failed.
    pub errors: f64,
    /// Weighted ones a second.
    pub per_second: f64,
    /// Failed ones as a share of all, 0 to 1.
    pub error_rate: f64,
    /// Mean duration; `null` when none is known.
    pub mean_nanos: Option<u64>,
    /// 99th percentile of the durations.
    pub p99_nanos: Option<u64>,
}

/// Calls from one to another.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct EdgeShape {
    /// Who calls, or the topic or queue that a message comes from.
    pub caller: String,
    /// Who is called.
    pub callee: String,
    /// In what way: `http`, `rpc`, `database`, `messaging`, `link` or `other`.
    pub connection: String,
    /// Calls that were received: pairs of spans, or one span where the other side has none.
    pub received: u64,
    /// Calls that they stand for.
    pub weighted: f64,
    /// Weighted ones of which either side failed.
    pub errors: f64,
    /// Weighted ones a second.
    pub per_second: f64,
    /// Failed ones as a share of all, 0 to 1.
    pub error_rate: f64,
    /// Durations as callers saw them.
    pub caller_side: SideShape,
    /// Durations as callees saw them.
    pub callee_side: SideShape,
    /// Of messages: from the end of the sender's span to the start of the receiver's.
    pub latency: SideShape,
    /// A few of the calls, at most three, by the caller's span if it has one.
    pub exemplars: Vec<ExemplarShape>,
}

/// Durations, as one side of calls saw them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SideShape {
    /// The mean; `null` when no span of that side was received.
    pub mean_nanos: Option<u64>,
    /// The 99th percentile.
    pub p99_nanos: Option<u64>,
}
