//! What is not counted yet: the traces that have spans which no settle has counted.
//!
//! A span is counted iff it was received before [`Book::seen_before`] and its trace is not pending, or is pending and the span
//! was received before [`Pending::first_uncounted`]. Pure: it is told what arrived, and says which traces are complete.
//!
//! Its memory is bounded: when there is no room for what arrived, it is not told, and [`Book::seen_before`] stays behind what was
//! received. The traces of a block that was sealed in the meantime are told from the block once there is room.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use clew_block::BlockName;
use clew_model::{Tenant, TraceId};

use super::pending::{PENDING_BYTES, Pending, PendingTraces};

/// When a trace is complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Completion {
    /// So long after its last span was received, once its root was seen.
    pub idle: Duration,
    /// So long after its first span was received, in any case.
    pub age: Duration,
}

impl Default for Completion {
    fn default() -> Self {
        Self { idle: Duration::from_secs(30), age: Duration::from_mins(5) }
    }
}

/// A trace of which spans arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrival {
    /// The trace.
    pub trace_id: TraceId,
    /// When the last of its spans was received, in unix nanoseconds.
    pub last_received: u64,
    /// Whether a span of it has no parent.
    pub root_seen: bool,
}

/// The traces that are complete, or were asked for, of one tenant: by id, with the instant from which on their spans are not counted.
pub type Due = Vec<(TraceId, u64)>;

/// All pending traces, by tenant.
pub type Uncounted = BTreeMap<Tenant, PendingTraces>;

/// All pending traces, and how far they tell of what arrived.
#[derive(Debug, Clone, Default)]
pub struct Book {
    tenants: Uncounted,
    seen_before: u64,
    /// Blocks whose traces are in it although some of their spans were received at `seen_before` or later.
    read: BTreeSet<BlockName>,
}

impl Book {
    /// A book of nothing; all that was received before that instant is counted.
    pub fn new(seen_before: u64) -> Self {
        Self { seen_before, ..Self::default() }
    }

    /// What was received before is in the book, or counted.
    pub fn seen_before(&self) -> u64 {
        self.seen_before
    }

    /// Whether it takes less memory than that.
    pub fn has_room(&self, bytes: usize) -> bool {
        self.len().saturating_mul(PENDING_BYTES) < bytes
    }

    /// Takes in what arrived in a tenant since [`Book::seen_before`], each trace once. May be told twice.
    pub fn arrived(&mut self, tenant: &Tenant, arrivals: impl IntoIterator<Item = Arrival>) {
        let seen_before = self.seen_before;
        let recent = arrivals.into_iter().filter(|arrival| arrival.last_received >= seen_before);
        self.note(tenant, recent.map(|arrival| (arrival, seen_before, seen_before)));
    }

    /// Takes in traces, each once, with the instant from which on its spans are not counted, and about when the first of these
    /// came.
    pub fn note(&mut self, tenant: &Tenant, traces: impl IntoIterator<Item = (Arrival, u64, u64)>) {
        let pending = |(arrival, first_uncounted, since): (Arrival, u64, u64)| {
            let Arrival { trace_id, last_received, root_seen } = arrival;
            (trace_id, Pending::new(first_uncounted, since, last_received, root_seen))
        };
        let mut news: Vec<(TraceId, Pending)> = traces.into_iter().map(pending).collect();
        if news.is_empty() {
            return;
        }
        news.sort_unstable_by_key(|(id, _)| *id);
        let put = |known: Option<Pending>, new| Some(known.map_or(new, |known| known.with(new)));
        self.tenants.entry(tenant.clone()).or_default().update(news, put);
    }

    /// Everything received before that instant has been told now.
    pub fn seen(&mut self, before: u64) {
        self.seen_before = self.seen_before.max(before);
    }

    /// The traces of a block have been told, although it has spans that were received at [`Book::seen_before`] or later.
    pub fn has_read(&mut self, block: BlockName) {
        self.read.insert(block);
    }

    /// The blocks of which that is so.
    pub fn read(&self) -> &BTreeSet<BlockName> {
        &self.read
    }

    /// Forgets of which blocks it was told but for these.
    pub fn retain_read(&mut self, is_needed: impl FnMut(&BlockName) -> bool) {
        self.read.retain(is_needed);
    }

    /// The traces that are complete by what was seen, by tenant and id: at most `max`, the oldest of all first.
    pub fn complete(&self, rule: impl Fn(&Tenant) -> Completion, max: usize) -> BTreeMap<Tenant, Due> {
        let now = self.seen_before;
        self.oldest(max, |tenant| {
            let rule = rule(tenant);
            let (idle, age) = (nanos(rule.idle), nanos(rule.age));
            move |pending| {
                (pending.root_seen && pending.last_received.saturating_add(idle) <= now)
                    || pending.since().saturating_add(age) <= now
            }
        })
    }

    /// The oldest pending traces: so many that the rest takes an eighth less than that many bytes, and at most `max`.
    pub fn beyond(&self, bytes: usize, max: usize) -> BTreeMap<Tenant, Due> {
        let excess = self.len().saturating_sub((bytes - bytes / 8) / PENDING_BYTES);
        self.oldest(excess.min(max), |_| |_: &Pending| true)
    }

    /// Traces that have been idle for long enough and have no root: it may have been counted before. Each is named once.
    pub fn unprobed(&mut self, rule: impl Fn(&Tenant) -> Completion) -> BTreeMap<Tenant, Vec<TraceId>> {
        let (now, mut unprobed) = (self.seen_before, BTreeMap::new());
        for (tenant, traces) in &mut self.tenants {
            let idle = nanos(rule(tenant).idle);
            let is_due = |pending: &Pending| {
                !pending.root_seen && !pending.is_probed && pending.last_received.saturating_add(idle) <= now
            };
            let mut ids: Vec<TraceId> = Vec::new();
            traces.change(is_due, |id, pending| {
                pending.is_probed = true;
                ids.push(id);
            });
            if !ids.is_empty() {
                unprobed.insert(tenant.clone(), ids);
            }
        }
        unprobed
    }

    /// The roots of these traces are there, which are given by rising id.
    pub fn rooted(&mut self, tenant: &Tenant, ids: &[TraceId]) {
        let Some(traces) = self.tenants.get_mut(tenant) else { return };
        traces.update(ids.iter().map(|id| (*id, ())), |known, ()| {
            let mut pending = known?;
            pending.root_seen = true;
            Some(pending)
        });
    }

    /// What these traces, by rising id, had received before that instant is counted, or is not there any more.
    pub fn counted(&mut self, tenant: &Tenant, ids: &[TraceId], before: u64) {
        let Some(traces) = self.tenants.get_mut(tenant) else { return };
        traces.update(ids.iter().map(|id| (*id, ())), |known, ()| known?.counted(before));
        if traces.is_empty() {
            self.tenants.remove(tenant);
        }
    }

    /// The instant before which everything that was received is counted, once `done` is, up to the instant `before`. Ids rise.
    pub fn watermark_after(&self, done: &BTreeMap<Tenant, Vec<TraceId>>, before: u64) -> u64 {
        let mut watermark = before.min(self.seen_before);
        for (tenant, traces) in &self.tenants {
            let mut done = done.get(tenant).map_or(&[][..], Vec::as_slice).iter().peekable();
            for (id, pending) in traces.iter() {
                while done.next_if(|done| *done < id).is_some() {}
                if pending.first_uncounted < watermark && done.next_if_eq(&id).is_none() {
                    watermark = pending.first_uncounted;
                }
            }
        }
        watermark
    }

    /// How many traces are pending.
    pub fn len(&self) -> usize {
        self.tenants.values().map(PendingTraces::len).sum()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.tenants.is_empty()
    }

    /// All of them, for readers, who share what does not change.
    pub fn snapshot(&self) -> Uncounted {
        self.tenants.clone()
    }

    /// At most `max` of those that `is_meant` says of a tenant, the oldest first; of equals, the first by tenant and id.
    fn oldest<M: Fn(&Pending) -> bool>(&self, max: usize, is_meant: impl Fn(&Tenant) -> M) -> BTreeMap<Tenant, Due> {
        let meant = || {
            self.tenants.iter().flat_map(|(tenant, traces)| {
                let is_meant = is_meant(tenant);
                traces.iter().filter(move |(_, pending)| is_meant(pending)).map(move |entry| (tenant, entry))
            })
        };
        let mut ages: Vec<u64> = meant().map(|(_, (_, pending))| pending.since()).collect();
        let (mut last, mut equals) = (u64::MAX, usize::MAX);
        if ages.len() > max {
            let Some(at) = max.checked_sub(1) else { return BTreeMap::new() };
            last = *ages.select_nth_unstable(at).1;
            equals = ages[..max].iter().filter(|since| **since == last).count();
        }
        let mut due: BTreeMap<Tenant, Due> = BTreeMap::new();
        for (tenant, (id, pending)) in meant().filter(|(_, (_, pending))| pending.since() <= last) {
            if pending.since() == last {
                let Some(left) = equals.checked_sub(1) else { continue };
                equals = left;
            }
            match due.get_mut(tenant) {
                Some(list) => list.push((*id, pending.first_uncounted)),
                None => drop(due.insert(tenant.clone(), vec![(*id, pending.first_uncounted)])),
            }
        }
        due
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn id(number: u8) -> TraceId {
        TraceId([number; 16])
    }

    fn arrival(number: u8, last_received: u64, root_seen: bool) -> Arrival {
        Arrival { trace_id: id(number), last_received, root_seen }
    }

    fn complete(book: &mut Book, now: u64) -> Vec<(TraceId, u64)> {
        book.seen(now);
        book.complete(|_| Completion::default(), 100).into_values().flatten().collect()
    }

    #[test]
    fn a_trace_is_complete_when_it_is_idle_with_its_root_or_old() {
        let (tenant, mut book) = (Tenant::default(), Book::new(SECOND));
        book.arrived(&tenant, [arrival(1, 2 * SECOND, true), arrival(2, 2 * SECOND, false)]);
        book.seen(3 * SECOND);
        assert_eq!(complete(&mut book, 32 * SECOND - 1), []);
        assert_eq!(complete(&mut book, 32 * SECOND), [(id(1), SECOND)]);
        assert_eq!(complete(&mut book, 301 * SECOND), [(id(1), SECOND), (id(2), SECOND)]);
    }

    #[test]
    fn a_root_that_was_counted_before_is_asked_for_once() {
        let (tenant, mut book) = (Tenant::default(), Book::new(0));
        book.arrived(&tenant, [arrival(1, SECOND, false)]);
        book.seen(31 * SECOND - 1);
        assert!(book.unprobed(|_| Completion::default()).is_empty());
        book.seen(31 * SECOND);
        assert_eq!(book.unprobed(|_| Completion::default())[&tenant], [id(1)]);
        assert!(book.unprobed(|_| Completion::default()).is_empty());
        book.rooted(&tenant, &[id(1)]);
        assert_eq!(complete(&mut book, 31 * SECOND), [(id(1), 0)]);
    }

    #[test]
    fn what_came_while_a_trace_was_settled_stays_pending() {
        let (tenant, mut book) = (Tenant::default(), Book::new(0));
        book.arrived(&tenant, [arrival(1, SECOND, true), arrival(2, SECOND, true)]);
        book.seen(10 * SECOND);
        book.arrived(&tenant, [arrival(2, 11 * SECOND, false)]);
        book.counted(&tenant, &[id(1), id(2)], 10 * SECOND);
        let left: Vec<_> =
            book.snapshot()[&tenant].iter().map(|(id, pending)| (*id, pending.first_uncounted)).collect();
        assert_eq!(left, [(id(2), 10 * SECOND)]);
        // Told again, what was seen and counted is not pending anew.
        book.arrived(&tenant, [arrival(1, SECOND, true)]);
        assert_eq!(book.len(), 1);
    }

    #[test]
    fn the_watermark_is_the_oldest_that_is_left() {
        let (tenant, mut book) = (Tenant::default(), Book::new(5));
        book.arrived(&tenant, [arrival(1, 6, true)]);
        book.seen(20);
        book.arrived(&tenant, [arrival(2, 30, true)]);
        book.seen(40);
        let done = |ids: &[TraceId]| BTreeMap::from([(tenant.clone(), ids.to_vec())]);
        assert_eq!(book.watermark_after(&done(&[]), 40), 5);
        assert_eq!(book.watermark_after(&done(&[id(1)]), 40), 20);
        assert_eq!(book.watermark_after(&done(&[id(1), id(2)]), 40), 40);
    }

    #[test]
    fn memory_is_bounded_by_settling_the_oldest_early() {
        let (tenant, mut book) = (Tenant::default(), Book::new(0));
        for number in 0..10 {
            let since = u64::from(number) * SECOND;
            book.note(&tenant, [(arrival(number, 100 * SECOND, false), 0, since)]);
        }
        assert!(book.has_room(10 * PENDING_BYTES + 1) && !book.has_room(10 * PENDING_BYTES));
        let early = book.beyond(8 * PENDING_BYTES, 100);
        assert_eq!(early[&tenant], [(id(0), 0), (id(1), 0), (id(2), 0)]);
        assert_eq!(book.beyond(8 * PENDING_BYTES, 1)[&tenant], [(id(0), 0)]);
        assert!(book.beyond(100 * PENDING_BYTES, 100).is_empty());
        book.seen(u64::MAX);
        let most = book.complete(|_| Completion::default(), 2);
        assert_eq!(most[&tenant], [(id(0), 0), (id(1), 0)]);
    }

    #[test]
    fn of_traces_of_one_age_the_first_are_taken() {
        let (tenant, other) = (Tenant::default(), Tenant::new("other").unwrap());
        let mut book = Book::new(0);
        book.arrived(&other, [arrival(1, 5, true), arrival(2, 5, true)]);
        book.arrived(&tenant, [arrival(4, 5, true), arrival(3, 5, true)]);
        book.seen(u64::MAX);
        let due = book.complete(|_| Completion::default(), 3);
        assert_eq!(due[&tenant], [(id(3), 0), (id(4), 0)]);
        assert_eq!(due[&other], [(id(1), 0)]);
    }

    #[test]
    fn blocks_that_were_told_are_known_until_they_are_not_needed() {
        let (one, two) = (BlockName(1), BlockName(2));
        let mut book = Book::new(0);
        book.has_read(one);
        book.has_read(two);
        book.retain_read(|name| *name == two);
        assert_eq!(book.read().iter().collect::<Vec<_>>(), [&two]);
    }
}
