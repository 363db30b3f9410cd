//! What a load run found.

use std::fmt::Write as _;

use serde::Serialize;

use super::histogram::Histogram;
use crate::render::{bytes, count, duration};

/// Counts of one connection, or of all.
#[derive(Debug, Clone)]
pub(super) struct Tally {
    pub(super) requests: u64,
    pub(super) acknowledged_spans: u64,
    pub(super) rejected_spans: u64,
    pub(super) refused_spans: u64,
    pub(super) unanswered_spans: u64,
    pub(super) acknowledged_bytes: u64,
    pub(super) latency: Histogram,
    pub(super) last_error: Option<String>,
}

/// The report, as `--json` prints it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Report {
    /// How long it ran.
    seconds: f64,
    /// Requests that were answered.
    requests: u64,
    /// Spans that were acknowledged.
    acknowledged_spans: u64,
    /// The same a second.
    acknowledged_spans_per_second: f64,
    /// Spans that were rejected one by one.
    rejected_spans: u64,
    /// Spans of requests that were refused for now.
    refused_spans: u64,
    /// Spans of requests that were never answered.
    unanswered_spans: u64,
    /// Bytes of acknowledged requests before compression.
    acknowledged_bytes: u64,
    /// From the request's first byte to its acknowledgement.
    ack_latency: Latency,
    /// What the last refusal or broken connection said.
    last_error: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_field_names, reason = "units last")]
struct Latency {
    p50_nanos: u64,
    p90_nanos: u64,
    p99_nanos: u64,
    max_nanos: u64,
}

impl Tally {
    pub(super) fn new() -> Self {
        Self {
            requests: 0,
            acknowledged_spans: 0,
            rejected_spans: 0,
            refused_spans: 0,
            unanswered_spans: 0,
            acknowledged_bytes: 0,
            latency: Histogram::new(),
            last_error: None,
        }
    }

    pub(super) fn add(&mut self, other: Self) {
        self.requests += other.requests;
        self.acknowledged_spans += other.acknowledged_spans;
        self.rejected_spans += other.rejected_spans;
        self.refused_spans += other.refused_spans;
        self.unanswered_spans += other.unanswered_spans;
        self.acknowledged_bytes += other.acknowledged_bytes;
        self.latency.add(&other.latency);
        self.last_error = other.last_error.or(self.last_error.take());
    }

    pub(super) fn report(self, seconds: f64) -> Report {
        let ack_latency = Latency {
            p50_nanos: self.latency.percentile(50.0),
            p90_nanos: self.latency.percentile(90.0),
            p99_nanos: self.latency.percentile(99.0),
            max_nanos: self.latency.max(),
        };
        Report {
            seconds,
            requests: self.requests,
            acknowledged_spans: self.acknowledged_spans,
            acknowledged_spans_per_second: self.acknowledged_spans as f64 / seconds.max(1e-9),
            rejected_spans: self.rejected_spans,
            refused_spans: self.refused_spans,
            unanswered_spans: self.unanswered_spans,
            acknowledged_bytes: self.acknowledged_bytes,
            ack_latency,
            last_error: self.last_error,
        }
    }
}

impl Report {
    /// Whether anything was acknowledged.
    pub(super) fn is_empty(&self) -> bool {
        self.acknowledged_spans == 0
    }

    /// Whether anybody answered.
    pub(super) fn was_answered(&self) -> bool {
        self.requests > 0
    }

    /// For people.
    pub(super) fn text(&self) -> String {
        let latency = &self.ack_latency;
        let mut text = String::new();
        let _ = writeln!(
            text,
            "acknowledged  {} spans, {} spans/s, {} in {} requests, {:.1} s",
            count(self.acknowledged_spans),
            count(self.acknowledged_spans_per_second as u64),
            bytes(self.acknowledged_bytes),
            count(self.requests),
            self.seconds
        );
        let others = [
            ("rejected", self.rejected_spans),
            ("refused for now", self.refused_spans),
            ("never answered", self.unanswered_spans),
        ];
        let others = others.map(|(word, spans)| format!("{} {word}", count(spans)));
        let _ = writeln!(text, "not stored    {}", others.join(", "));
        if self.is_empty() {
            let _ = writeln!(text, "ack latency   none");
        } else {
            let _ = writeln!(
                text,
                "ack latency   p50 {}, p90 {}, p99 {}, max {}",
                duration(latency.p50_nanos),
                duration(latency.p90_nanos),
                duration(latency.p99_nanos),
                duration(latency.max_nanos)
            );
        }
        if let Some(error) = &self.last_error {
            let _ = writeln!(text, "last error    {error}");
        }
        text
    }
}
