//! Which spans are over: by age and by size, tenant by tenant, and class by class.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use clew_block::{BlockMeta, BlockName, TenantMeta};
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
    /// How long traces are kept whose verdict names one of these classes, in place of their tenant's age. What verdicts name
    /// beside these is as if they named none. For want of room they go as any others.
    pub classes: BTreeMap<String, Duration>,
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
        Self {
            age: Duration::from_hours(7 * 24),
            size: SizeLimit::Percent(80),
            tenants: BTreeMap::new(),
            classes: BTreeMap::new(),
        }
    }
}

/// A block as retention looks at it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Held<'b> {
    pub(crate) meta: &'b BlockMeta,
    /// Bytes of both files.
    pub(crate) bytes: u64,
    /// The retention classes that traces of it may have.
    pub(crate) classes: &'b BTreeSet<String>,
}

/// Tenants of a block with spans that are over, and which of their traces stay.
pub(crate) type Over = BTreeMap<BlockName, BTreeMap<Tenant, Staying>>;

/// Retention classes whose traces stay, the empty name among them; none when all of a tenant's part is over.
pub(crate) type Staying = BTreeSet<String>;

/// No class at all.
pub(crate) const NO_CLASSES: &BTreeSet<String> = &BTreeSet::new();

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

    /// How long a tenant's traces of a class are kept; the empty name is no class.
    fn age_of_class(&self, tenant: &Tenant, class: &str) -> Duration {
        self.classes.get(class).copied().unwrap_or_else(|| self.age_of(tenant))
    }

    /// Which traces of a part stay by their age; `None` when all do, or those that do not are gone by now.
    fn staying(&self, held: &Held<'_>, part: &TenantMeta, now_unix_nanos: u64) -> Option<Staying> {
        let (mut staying, mut last_over) = (Staying::new(), None);
        let none = String::new();
        for class in held.classes.iter().chain([&none]) {
            let age = self.age_of_class(&part.tenant, class).as_nanos();
            let until = part.received_unix_nanos.1.saturating_add(u64::try_from(age).unwrap_or(u64::MAX));
            if until < now_unix_nanos {
                last_over = last_over.max(Some(until));
            } else {
                staying.insert(class.clone());
            }
        }
        // A block that was written since then was written without them.
        let is_new = last_over.is_some_and(|until| staying.is_empty() || held.meta.created_unix_nanos <= until);
        is_new.then_some(staying)
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
                let staying = self.staying(held, part, now_unix_nanos);
                if let Some(staying) = staying.filter(|_| !is_pinned(held, &part.tenant)) {
                    over.entry(held.meta.name).or_default().insert(part.tenant.clone(), staying);
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
        let gone = over.get(&held.meta.name);
        gone.is_some_and(|gone| tenants(held).iter().all(|tenant| gone.get(tenant).is_some_and(BTreeSet::is_empty)))
    };
    let mut left: u64 = by_age.iter().filter(|held| !is_over(over, held)).map(|held| bytes(held)).sum();
    for held in by_age {
        if left <= most {
            return;
        }
        let marked = tenants(held);
        if !marked.is_empty() && !is_over(over, held) && bytes(held) > 0 {
            left -= bytes(held);
            let marked = marked.into_iter().map(|tenant| (tenant, Staying::new()));
            over.entry(held.meta.name).or_default().extend(marked);
        }
    }
}

#[cfg(test)]
#[path = "retention/tests.rs"]
mod tests;
