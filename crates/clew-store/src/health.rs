//! What is wrong, if anything.

/// One reason why the store is not well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HealthReason {
    /// A short, stable name: `log_failed`, `disk_full`, `live_full`, `corruption`, `catalog_failed`, `keep_failed`,
    /// `worker_failed`.
    pub name: &'static str,
    /// What happened and what to do, in a sentence or two.
    pub detail: String,
}

impl HealthReason {
    /// The log takes nothing until a restart.
    pub const LOG_FAILED: &'static str = "log_failed";
    /// The disk had no room for the last group.
    pub const DISK_FULL: &'static str = "disk_full";
    /// Live spans fill their bound.
    pub const LIVE_FULL: &'static str = "live_full";
    /// The log, the catalog or a block is damaged.
    pub const CORRUPTION: &'static str = "corruption";
    /// The catalog takes nothing until a restart.
    pub const CATALOG_FAILED: &'static str = "catalog_failed";
    /// Spans could not be sealed, or removed when they were over; it is tried again.
    pub const KEEP_FAILED: &'static str = "keep_failed";
    /// More traces wait to be settled than there is room for.
    pub const SETTLE_BEHIND: &'static str = "settle_behind";
    /// A batch is in the log but could not be made visible.
    pub const WORKER_FAILED: &'static str = "worker_failed";
}
