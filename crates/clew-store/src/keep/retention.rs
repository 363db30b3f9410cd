//! Which spans are over: by age and by size, tenant by tenant.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use clew_block::{BlockMeta, BlockName};
use clew_model::Tenant;

use super::pin::PinnedParts;

/// How long and how much is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retention {
    /// Spans are kept this long after they were received.
    pub age: Duration,
    /// As many bytes as blocks may take, or the share of what they could take.
    pub size: SizeLimit,
    /// Tenants with limits of their own.
    pub tenants: BTreeMap<Tenant, TenantRetention>,
}

/// A bound on the bytes of blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SizeLimit {
    /// So many bytes.
    Bytes(u64),
    /// This share, in percent, of what the file system has for them: what they take and what is free. The rest is the room
    /// that the log, the next seals and others need.
    Percent(u8),
}

/// One tenant's own limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TenantRetention {
    /// In place of the common age.
    pub age: Option<Duration>,
    /// Most bytes of blocks.
    pub bytes: Option<u64>,
}

impl Default for Retention {
    fn default() -> Self {
        Self { age: Duration::from_hours(7 * 24), size: SizeLimit::Percent(80), tenants: BTreeMap::new() }
    }
}

/// A block as retention looks at it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Held<'b> {
    pub(crate) meta: &'b BlockMeta,
    /// Bytes of both files.
    pub(crate) bytes: u64,
}

/// Tenants of a block whose spans are over.
pub(crate) type Over = BTreeMap<BlockName, BTreeSet<Tenant>>;

impl SizeLimit {
    /// The bound in bytes, when blocks take `used` and `available` are free.
    pub fn bytes(self, used: u64, available: u64) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Percent(percent) => {
                let could = u128::from(used) + u128::from(available);
                u64::try_from(could * u128::from(percent) / 100).unwrap_or(u64::MAX)
            }
        }
    }
}

impl Held<'_> {
    /// The part of its bytes that is a tenant's, by its rows.
    fn bytes_of(&self, tenant: &Tenant) -> u64 {
        let rows = self.meta.tenant(tenant).map_or(0, |part| part.row_count);
        let share = u128::from(self.bytes) * u128::from(rows) / u128::from(self.meta.row_count.max(1));
        u64::try_from(share).unwrap_or(u64::MAX)
    }

    /// When its youngest span was received: what is oldest goes first.
    pub(crate) fn received_unix_nanos(&self) -> u64 {
        self.meta.tenants.iter().map(|part| part.received_unix_nanos.1).max().unwrap_or(0)
    }
}

impl Retention {
    /// How long a tenant's spans are kept.
    pub fn age_of(&self, tenant: &Tenant) -> Duration {
        self.tenants.get(tenant).and_then(|own| own.age).unwrap_or(self.age)
    }

    /// What is over now, but for parts that are pinned as a whole; `available_bytes` are free on the file system.
    pub(crate) fn over(
        &self,
        blocks: &[Held<'_>],
        pinned: &PinnedParts,
        available_bytes: u64,
        now_unix_nanos: u64,
    ) -> Over {
        let is_pinned =
            |held: &Held<'_>, tenant: &Tenant| pinned.get(&held.meta.name).is_some_and(|own| own.contains(tenant));
        let mut over = Over::new();
        let mut by_age: Vec<&Held<'_>> = blocks.iter().collect();
        by_age.sort_by_key(|held| (held.received_unix_nanos(), held.meta.name));
        for held in &by_age {
            for part in &held.meta.tenants {
                let age = u64::try_from(self.age_of(&part.tenant).as_nanos()).unwrap_or(u64::MAX);
                let oldest_kept = now_unix_nanos.saturating_sub(age);
                if part.received_unix_nanos.1 < oldest_kept && !is_pinned(held, &part.tenant) {
                    over.entry(held.meta.name).or_default().insert(part.tenant.clone());
                }
            }
        }
        for (tenant, own) in &self.tenants {
            if let Some(most) = own.bytes {
                let own = |held: &Held<'_>| if is_pinned(held, tenant) { Vec::new() } else { vec![tenant.clone()] };
                shrink(&by_age, &mut over, most, |held| held.bytes_of(tenant), own);
            }
        }
        let used = blocks.iter().map(|held| held.bytes).sum();
        let everybody = |held: &Held<'_>| {
            let tenants = held.meta.tenants.iter().map(|part| part.tenant.clone());
            tenants.filter(|tenant| !is_pinned(held, tenant)).collect()
        };
        shrink(&by_age, &mut over, self.size.bytes(used, available_bytes), |held| held.bytes, everybody);
        over
    }
}

/// Marks the oldest blocks' tenants as over until what is left has at most `most` bytes. Where there are none to be marked,
/// everything is pinned: its bytes count, and stay.
fn shrink(
    by_age: &[&Held<'_>],
    over: &mut Over,
    most: u64,
    bytes: impl Fn(&Held<'_>) -> u64,
    tenants: impl Fn(&Held<'_>) -> Vec<Tenant>,
) {
    let is_over = |over: &Over, held: &Held<'_>| {
        over.get(&held.meta.name).is_some_and(|gone| tenants(held).iter().all(|tenant| gone.contains(tenant)))
    };
    let mut left: u64 = by_age.iter().filter(|held| !is_over(over, held)).map(|held| bytes(held)).sum();
    for held in by_age {
        if left <= most {
            return;
        }
        let marked = tenants(held);
        if !marked.is_empty() && !is_over(over, held) && bytes(held) > 0 {
            left -= bytes(held);
            over.entry(held.meta.name).or_default().extend(marked);
        }
    }
}

#[cfg(test)]
#[path = "retention/tests.rs"]
mod tests;
