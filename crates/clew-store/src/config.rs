//! What the store is told when it opens.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clew_model::Tenant;

use crate::keep::{MergePolicy, Retention};
use crate::port::{Clock, Disk, RealDisk, SystemClock};
use crate::settle::Completion;

/// Settings of a [`crate::Store`]. None of them changes what a replay brings back.
#[derive(Debug, Clone)]
pub struct StoreConfig {
    /// The data folder; made when it does not exist.
    pub data_dir: PathBuf,
    /// Length of a segment file in bytes; a larger single batch gets a larger segment of its own.
    pub segment_bytes: u64,
    /// Most bytes written and synced as one group; a larger single batch is a group of its own.
    pub group_bytes: usize,
    /// Most bytes offered and not yet answered; beyond it offers are refused.
    pub queue_bytes: usize,
    /// Bound on the memory of live spans in bytes; beyond it offers are refused. They are sealed before that.
    pub live_bytes: usize,
    /// Shards of the live head.
    pub live_shards: usize,
    /// Threads that make synced batches visible.
    pub workers: usize,
    /// How long a request is known again when it is sent once more, by receive time.
    pub repeat_window: Duration,
    /// Most requests remembered for that; the oldest are forgotten first. About 100 bytes of memory each.
    pub repeat_batches: usize,
    /// Seals are at least this far apart while memory allows it.
    pub seal_apart: Duration,
    /// Spans are sealed at the latest this long after they came.
    pub seal_age: Duration,
    /// Spans of a block that are read together. Fewer make a trace cheaper to read and a block larger.
    pub block_group_rows: usize,
    /// Bound on the memory for parts of sidecars and of blocks' metadata, in bytes.
    pub cache_bytes: usize,
    /// How far blocks are merged; with blocks of 0 bytes they are not.
    pub merge: MergePolicy,
    /// Bytes that a merge may take in memory for what it reads, about; what it writes takes some more.
    pub merge_memory_bytes: usize,
    /// How long and how much is kept.
    pub retention: Retention,
    /// Most traces that may be pinned; a few hundred bytes of the catalog each.
    pub pins_max: usize,
    /// When traces are settled, and what that may take.
    pub settle: SettleConfig,
    /// How often it is looked for spans that are over.
    pub look_over_every: Duration,
    /// How long a deletion waits for others before blocks are written without what was deleted.
    pub purge_after: Duration,
    /// Bytes of edits after which the catalog begins a new file.
    pub catalog_bytes: u64,
    /// How long the log is quiet before a marker says that the last batches were synced.
    pub idle_marker_after: Duration,
    /// How long offers are refused without another try after the disk was found full.
    pub disk_full_pause: Duration,
}

/// When traces are settled, and what that may take.
#[derive(Debug, Clone, PartialEq)]
pub struct SettleConfig {
    /// When a trace is complete.
    pub completion: Completion,
    /// Tenants with rules of their own.
    pub tenants: BTreeMap<Tenant, Completion>,
    /// How often it is looked for complete traces.
    pub every: Duration,
    /// Bound on the memory for traces that are not settled, in bytes; beyond it the oldest are settled early.
    pub pending_bytes: usize,
    /// Most series of a tenant and minute in one settlement; the smallest of the rest are counted as `(other)`.
    pub series_per_minute: usize,
    /// Records of settled traces are kept at least so long, for those who follow them.
    pub feed_age: Duration,
    /// Traces that were left out, since they were not to be kept, are known for so long after that, so that what comes late of
    /// them is not kept either; not at all if it is zero.
    pub dropped_for: Duration,
    /// Bound on the bytes of a file that others are merged into.
    pub file_bytes: u64,
    /// Bound on the memory for figures that were read, in bytes.
    pub cache_bytes: usize,
    /// Figures are kept so long, by the minute that they speak of.
    pub figures_age: Duration,
    /// Most series, and most edges, that have counters of their own since the start; later ones are counted as `(other)`.
    pub metric_series: usize,
}

impl SettleConfig {
    /// When a tenant's traces are complete.
    pub fn completion(&self, tenant: &Tenant) -> Completion {
        self.tenants.get(tenant).copied().unwrap_or(self.completion)
    }

    /// The unix hours of whose dropped traces is known at that time, the last of which is the current one; `None` when that is
    /// of none. An hour is over as a whole, once that is so of its end.
    pub fn dropped_hours(&self, unix_nanos: u64) -> Option<RangeInclusive<u32>> {
        let dropped_nanos = u64::try_from(self.dropped_for.as_nanos()).unwrap_or(u64::MAX);
        let hour = |nanos: u64| u32::try_from(nanos / HOUR_NANOS).unwrap_or(u32::MAX);
        (dropped_nanos > 0).then(|| hour(unix_nanos.saturating_sub(dropped_nanos))..=hour(unix_nanos))
    }
}

/// Dropped traces are forgotten hour by hour.
pub(crate) const HOUR_NANOS: u64 = 3_600_000_000_000;

impl Default for SettleConfig {
    fn default() -> Self {
        Self {
            completion: Completion::default(),
            tenants: BTreeMap::new(),
            every: Duration::from_secs(5),
            pending_bytes: 128 << 20,
            series_per_minute: 5000,
            feed_age: Duration::from_hours(1),
            dropped_for: Duration::from_hours(6),
            file_bytes: 4 << 20,
            cache_bytes: 32 << 20,
            figures_age: Duration::from_hours(30 * 24),
            metric_series: 10_000,
        }
    }
}

impl StoreConfig {
    /// The defaults, for a data folder.
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        Self {
            data_dir: data_dir.into(),
            segment_bytes: 64 << 20,
            group_bytes: 4 << 20,
            queue_bytes: 64 << 20,
            live_bytes: 224 << 20,
            live_shards: 4,
            workers: cores.clamp(1, 8),
            repeat_window: Duration::from_mins(10),
            repeat_batches: 256 * 1024,
            seal_apart: Duration::from_secs(15),
            seal_age: Duration::from_mins(2),
            block_group_rows: 32 * 1024,
            cache_bytes: 64 << 20,
            merge: MergePolicy { fan_in: 16, block_bytes: 256 << 20, full_for: Duration::from_hours(1) },
            merge_memory_bytes: 8 << 20,
            retention: Retention::default(),
            pins_max: 10_000,
            settle: SettleConfig::default(),
            look_over_every: Duration::from_mins(1),
            purge_after: Duration::from_mins(10),
            catalog_bytes: 1 << 20,
            idle_marker_after: Duration::from_secs(1),
            disk_full_pause: Duration::from_millis(250),
        }
    }
}

/// What the store touches the world through.
#[derive(Clone)]
pub struct Ports {
    /// The disk.
    pub disk: Arc<dyn Disk>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
}

impl Ports {
    /// The machine's own disk and clock.
    pub fn real() -> Self {
        Self { disk: Arc::new(RealDisk::new()), clock: Arc::new(SystemClock::new()) }
    }
}
