//! Which blocks become one next, decided from what the catalog knows of them: no disk, no clock, no threads.

use std::collections::BTreeMap;
use std::time::Duration;

use clew_block::{BlockMeta, BlockName};
use clew_model::Tenant;

use crate::keep::retention::{Held, NO_CLASSES, Retention};

/// How long the windows of receive time are, by the level of the blocks that are merged within them.
const WINDOWS: [Duration; 2] = [Duration::from_hours(1), Duration::from_hours(24)];

/// Spans outlive their age at most by one so many'th of it for being in one block with younger ones.
const AGE_SHARE: u32 = 6;

/// A block is at most one so many'th of what all blocks may take, so that what goes by size goes in small parts.
const SIZE_SHARE: u64 = 16;

/// How far blocks are merged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MergePolicy {
    /// So many blocks of one level and window become one before their window is over; more never do at once.
    pub fan_in: usize,
    /// Bytes of a block, both of its files, beyond which none is merged: inputs have no more than that together. One that has
    /// more than half of it is never merged again.
    pub block_bytes: u64,
    /// Every trace is kept so long, whatever its verdict is.
    pub full_for: Duration,
}

/// Blocks that are to become one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Group {
    /// Their names, oldest first.
    pub(crate) inputs: Vec<BlockName>,
    /// The level of the one that they become.
    pub(crate) level: u8,
    /// Their bytes.
    pub(crate) bytes: u64,
}

/// A block is written anew without traces that are not to be kept when these have one so many'th of its rows.
const DROPPED_SHARE: u64 = 10;

/// One that will be merged waits for that unless they have one so many'th.
const DROPPED_SHARE_SMALL: u64 = 2;

/// A group while blocks are added to it.
#[derive(Default)]
struct Gathering<'b> {
    names: Vec<BlockName>,
    bytes: u64,
    /// Of each tenant, the receive times at which its parts of the first and of the last block end.
    ends: BTreeMap<&'b Tenant, (u64, u64)>,
}

impl MergePolicy {
    /// With blocks as small as a bound on the bytes of all blocks asks for.
    pub(crate) fn within(self, all_bytes: u64) -> Self {
        Self { block_bytes: self.block_bytes.min(all_bytes / SIZE_SHARE), ..self }
    }

    /// The blocks that become one next, if any do. Only those are looked at all of whose spans were received before
    /// `settled_through_unix_nanos`; sealed blocks come before merged ones, and old windows before young ones.
    ///
    /// Within a window, blocks are gathered by receive time as long as they have room in one block and no tenant's spans are
    /// kept much longer than they would be alone. A group is due when it is about full, when it has `fan_in` blocks, and when
    /// its window is over. Sealed blocks are due even alone; merged ones need company.
    pub(crate) fn next(
        &self,
        blocks: &[Held<'_>],
        retention: &Retention,
        settled_through_unix_nanos: u64,
    ) -> Option<Group> {
        (0_u8..).zip(WINDOWS).find_map(|(level, window)| {
            let window_nanos = window.as_nanos() as u64;
            let half = self.block_bytes / 2;
            let mut windows: BTreeMap<u64, Vec<&Held<'_>>> = BTreeMap::new();
            for held in blocks {
                let end = held.received_unix_nanos();
                let is_small = level == 0 || held.bytes <= half;
                if held.meta.level == level && end < settled_through_unix_nanos && is_small {
                    windows.entry(end / window_nanos).or_default().push(held);
                }
            }
            windows.into_iter().find_map(|(window, mut members)| {
                members.sort_by_key(|held| (held.received_unix_nanos(), held.meta.name));
                let is_over = (window + 1).saturating_mul(window_nanos) <= settled_through_unix_nanos;
                self.due(&members, retention, is_over, if level == 0 { 1 } else { 2 }, level + 1)
            })
        })
    }

    /// A merged block of which much is not to be kept, if its time has come and it was written before that.
    pub(crate) fn thinned(&self, blocks: &[Held<'_>], now_unix_nanos: u64) -> Option<Group> {
        let is_due = |held: &&Held<'_>| {
            let meta = held.meta;
            let is_small = usize::from(meta.level) < WINDOWS.len() && held.bytes <= self.block_bytes / 2;
            let share = if is_small { DROPPED_SHARE_SMALL } else { DROPPED_SHARE };
            let full_until = self.full_until_unix_nanos(meta);
            meta.level > 0
                && meta.dropped_row_count > 0
                && meta.dropped_row_count.saturating_mul(share) >= meta.row_count
                && full_until <= now_unix_nanos
                && meta.created_unix_nanos < full_until
        };
        let oldest = blocks.iter().filter(is_due).min_by_key(|held| (held.received_unix_nanos(), held.meta.name))?;
        Some(Group { inputs: vec![oldest.meta.name], level: oldest.meta.level, bytes: oldest.bytes })
    }

    /// Until when all of a block's traces are kept.
    pub(crate) fn full_until_unix_nanos(&self, meta: &BlockMeta) -> u64 {
        let full_nanos = u64::try_from(self.full_for.as_nanos()).unwrap_or(u64::MAX);
        Held { meta, bytes: 0, classes: NO_CLASSES }.received_unix_nanos().saturating_add(full_nanos)
    }

    /// The first group of a window that is due and has at least so many blocks.
    fn due(
        &self,
        members: &[&Held<'_>],
        retention: &Retention,
        is_over: bool,
        least: usize,
        level: u8,
    ) -> Option<Group> {
        let mut group = Gathering::default();
        for held in members {
            if !group.takes(held, self, retention) {
                if group.names.len() >= least {
                    return Some(group.finish(level));
                }
                group = Gathering::default();
            }
            group.add(held);
        }
        let is_due = is_over || group.bytes >= self.block_bytes / 4 * 3 || group.names.len() >= self.fan_in;
        (is_due && group.names.len() >= least).then(|| group.finish(level))
    }
}

impl<'b> Gathering<'b> {
    /// Whether there is room for a block; there is for the first one.
    fn takes(&self, held: &Held<'_>, policy: &MergePolicy, retention: &Retention) -> bool {
        let keeps_age = |(tenant, end): (&Tenant, u64)| {
            let first = self.ends.get(tenant).map_or(end, |(first, _)| *first);
            Duration::from_nanos(end.saturating_sub(first)) <= retention.age_of(tenant) / AGE_SHARE
        };
        let mut parts = held.meta.tenants.iter().map(|part| (&part.tenant, part.received_unix_nanos.1));
        self.names.is_empty()
            || (self.names.len() < policy.fan_in.max(2)
                && self.bytes.saturating_add(held.bytes) <= policy.block_bytes
                && parts.all(keeps_age))
    }

    fn add(&mut self, held: &Held<'b>) {
        self.names.push(held.meta.name);
        self.bytes = self.bytes.saturating_add(held.bytes);
        for part in &held.meta.tenants {
            let end = part.received_unix_nanos.1;
            let ends = self.ends.entry(&part.tenant).or_insert((end, end));
            *ends = (ends.0.min(end), ends.1.max(end));
        }
    }

    fn finish(self, level: u8) -> Group {
        Group { inputs: self.names, level, bytes: self.bytes }
    }
}

#[cfg(test)]
#[path = "policy/tests.rs"]
mod tests;
