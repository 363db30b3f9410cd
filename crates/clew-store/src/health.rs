//! What is wrong, if anything.

/// One reason why the store is not well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HealthReason {
    /// A short, stable name: `log_failed`, `disk_full`, `live_full`, `corruption`, `worker_failed`.
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
    /// The log holds damaged ranges.
    pub const CORRUPTION: &'static str = "corruption";
    /// A batch is in the log but could not be made visible.
    pub const WORKER_FAILED: &'static str = "worker_failed";
}
