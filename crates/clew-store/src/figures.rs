//! Plain numbers for `/metrics`.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use clew_block::CacheFigures;
use clew_model::Tenant;

use crate::keep::KeepTotals;
use crate::settle::SettleTotals;

/// Counts of observed durations in fixed buckets; written from any thread.
#[derive(Debug)]
pub struct Histogram {
    counts: [AtomicU64; Histogram::BUCKETS],
    sum_nanos: AtomicU64,
}

impl Histogram {
    /// Upper bounds of all buckets but the last, which has none, in seconds.
    pub const BOUNDS_SECONDS: [f64; Self::BUCKETS - 1] = [
        0.000_1, 0.000_25, 0.000_5, 0.001, 0.002, 0.003, 0.005, 0.01, 0.015, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
        10.0,
    ];

    const BUCKETS: usize = 18;

    /// Nothing observed yet.
    pub fn new() -> Self {
        Self { counts: [const { AtomicU64::new(0) }; Self::BUCKETS], sum_nanos: AtomicU64::new(0) }
    }

    /// Counts one duration.
    pub fn observe_nanos(&self, nanos: u64) {
        let seconds = nanos as f64 / 1e9;
        let bucket = Self::BOUNDS_SECONDS.partition_point(|bound| *bound < seconds);
        self.counts[bucket].fetch_add(1, Ordering::Relaxed);
        self.sum_nanos.fetch_add(nanos, Ordering::Relaxed);
    }

    /// The counts now.
    pub fn read(&self) -> HistogramFigures {
        HistogramFigures {
            counts: self.counts.iter().map(|count| count.load(Ordering::Relaxed)).collect(),
            sum_seconds: self.sum_nanos.load(Ordering::Relaxed) as f64 / 1e9,
        }
    }
}

impl Default for Histogram {
    fn default() -> Self {
        Self::new()
    }
}

/// A histogram's counts at one moment.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct HistogramFigures {
    /// How many observations fell into each bucket (not cumulative): one for each of [`Histogram::BOUNDS_SECONDS`], and
    /// a last one for what lies above them all.
    pub counts: Vec<u64>,
    /// The sum of all observations in seconds.
    pub sum_seconds: f64,
}

impl HistogramFigures {
    /// The number of observations.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// An estimate of the value below which this share of all observations lies: within its bucket as if they were spread
    /// evenly. Of what lies above all bounds only the last bound is known. `None` when nothing was observed.
    pub fn quantile_seconds(&self, share: f64) -> Option<f64> {
        let rank = share.clamp(0.0, 1.0) * self.count() as f64;
        let bounds = Histogram::BOUNDS_SECONDS;
        let (mut below, mut from) = (0.0, 0.0);
        for (position, count) in self.counts.iter().enumerate() {
            let to = bounds.get(position).copied().unwrap_or(from);
            let here = *count as f64;
            if here > 0.0 && below + here >= rank {
                return Some(from + (to - from) * (rank - below).max(0.0) / here);
            }
            (below, from) = (below + here, to);
        }
        None
    }
}

#[cfg(test)]
#[path = "figures/tests.rs"]
mod tests;

/// The store's figures at one moment.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct StoreFigures {
    /// Group commits: successful syncs of the log.
    pub syncs: u64,
    /// Length of a sync.
    pub sync_seconds: HistogramFigures,
    /// From the offer to the reply, of batches that were stored.
    pub ack_seconds: HistogramFigures,
    /// Bytes of frames written since the start.
    pub log_written_bytes: u64,
    /// Bytes of frames in the log, replayed and written.
    pub log_bytes: u64,
    /// Segment files of the log.
    pub segments: u64,
    /// Batches offered and not yet answered.
    pub queue_batches: u64,
    /// Their bytes.
    pub queue_bytes: u64,
    /// Batches stored since the start.
    pub stored_batches: u64,
    /// Their spans.
    pub stored_spans: u64,
    /// Batches that had been stored before.
    pub repeated_batches: u64,
    /// Batches refused by the store, all reasons.
    pub refused_batches: u64,
    /// Memory of live spans in bytes.
    pub live_bytes: u64,
    /// Live spans.
    pub live_spans: u64,
    /// Live traces.
    pub live_traces: u64,
    /// Spans brought back by the replay at the start.
    pub replay_spans: u64,
    /// Batches brought back by it.
    pub replay_batches: u64,
    /// How long it took.
    pub replay_seconds: f64,
    /// Bytes of a torn tail cut at the start.
    pub torn_bytes: u64,
    /// Damaged ranges of the log.
    pub corrupt_ranges: u64,
    /// Their bytes.
    pub corrupt_bytes: u64,
    /// Damaged places of blocks, found so far.
    pub corrupt_block_places: u64,
    /// How long seals took, from a complete generation to a block that is shown.
    pub seal_seconds: HistogramFigures,
    /// What the keeper did since the start.
    pub kept: KeepTotals,
    /// Of the last block that was sealed, the keys of spans' attributes with most distinct values, and how many of these 32 Ki
    /// spans had at most.
    pub various_keys: Vec<(String, u64)>,
    /// Spans of traces that were not to be kept, left out of blocks since the start, by the rule that decided so.
    pub dropped_spans: BTreeMap<String, u64>,
    /// Blocks that are shown.
    pub blocks: u64,
    /// Spans in them.
    pub block_spans: u64,
    /// Bytes of their Parquet files.
    pub block_data_bytes: u64,
    /// Bytes of their sidecars.
    pub block_side_bytes: u64,
    /// Files of settlements.
    pub settled_files: u64,
    /// Their bytes.
    pub settled_bytes: u64,
    /// Files of settlements that were found to be damaged.
    pub corrupt_settled_files: u64,
    /// When the first and the last span of blocks were received, in unix nanoseconds; `None` without blocks.
    pub block_received_unix_nanos: Option<(u64, u64)>,
    /// Bytes of blocks by tenant, by rows.
    pub tenant_bytes: BTreeMap<Tenant, u64>,
    /// The cache of sidecars and footers.
    pub cache: CacheFigures,
    /// Settling.
    pub settle: SettleFigures,
    /// Bytes that are free on the data folder's file system; `None` when it does not say.
    pub available_bytes: Option<u64>,
}

/// What was settled since the start, and what waits.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SettleFigures {
    /// How long traces waited to be settled after they were complete.
    pub delay_seconds: HistogramFigures,
    /// How long looks took that settled something.
    pub look_seconds: HistogramFigures,
    /// CPU time of looks, in nanoseconds.
    pub cpu_nanos: u64,
    /// Sums since the start.
    pub totals: SettleTotals,
    /// Traces that have spans which no settlement has counted, as of the last look.
    pub pending_traces: u64,
    /// All that was received before is counted, in unix nanoseconds.
    pub watermark_unix_nanos: u64,
    /// When the oldest span was received that no block holds, in unix nanoseconds; `None` when all spans are in blocks.
    pub unsealed_from_unix_nanos: Option<u64>,
}
