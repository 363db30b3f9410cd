//! What is not counted yet: the traces that have spans which no settle has counted.
//!
//! A span is counted iff it was received before [`Book::seen_before`] and its trace is not pending, or is pending and the span
//! was received before [`Pending::first_uncounted`]. Pure: it is told what arrived, and says which traces are complete.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use clew_model::{Tenant, TraceId};
use foldhash::fast::RandomState;

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

/// A trace with spans that are not counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pending {
    /// Spans of it that were received before are counted, in unix nanoseconds.
    pub first_uncounted: u64,
    /// When the first of those that are not counted was received, about, in unix nanoseconds.
    pub since: u64,
    /// When its last span was received, in unix nanoseconds.
    pub last_received: u64,
    /// Whether a span without a parent is among those that are not counted.
    pub root_seen: bool,
    /// Whether it was looked for a root among those that are.
    pub is_probed: bool,
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

type Traces = HashMap<TraceId, Pending, RandomState>;

/// The traces that are complete, or were asked for, of one tenant: by id, with the instant from which on their spans are not counted.
pub type Due = Vec<(TraceId, u64)>;

/// All pending traces.
#[derive(Debug, Clone, Default)]
pub struct Book {
    tenants: BTreeMap<Tenant, Traces>,
    seen_before: u64,
}

/// What a pending trace takes in memory, about, in bytes.
const PENDING_BYTES: usize = size_of::<(TraceId, Pending)>() * 2;

impl Book {
    /// A book of nothing; all that was received before that instant is counted.
    pub fn new(seen_before: u64) -> Self {
        Self { tenants: BTreeMap::new(), seen_before }
    }

    /// What was received before is in the book, or counted.
    pub fn seen_before(&self) -> u64 {
        self.seen_before
    }

    /// Takes in what arrived in a tenant since [`Book::seen_before`]. May be told twice.
    pub fn arrived(&mut self, tenant: &Tenant, arrivals: impl IntoIterator<Item = Arrival>) {
        let seen_before = self.seen_before;
        for arrival in arrivals {
            if arrival.last_received >= seen_before {
                self.note(tenant, arrival, seen_before, seen_before);
            }
        }
    }

    /// Takes in a trace whose spans are not counted from that instant on; `since` is about when the first of these came.
    pub fn note(&mut self, tenant: &Tenant, arrival: Arrival, first_uncounted: u64, since: u64) {
        if !self.tenants.contains_key(tenant) {
            self.tenants.insert(tenant.clone(), Traces::default());
        }
        let Some(traces) = self.tenants.get_mut(tenant) else { return };
        let Arrival { trace_id, last_received, root_seen } = arrival;
        let pending = traces.entry(trace_id).or_insert(Pending {
            first_uncounted,
            since,
            last_received,
            root_seen: false,
            is_probed: false,
        });
        pending.first_uncounted = pending.first_uncounted.min(first_uncounted);
        pending.since = pending.since.min(since);
        pending.last_received = pending.last_received.max(last_received);
        pending.root_seen |= root_seen;
    }

    /// Everything received before that instant has been told now.
    pub fn seen(&mut self, before: u64) {
        self.seen_before = self.seen_before.max(before);
    }

    /// The traces that are complete at that instant, by tenant and id: at most `max`, the oldest of all first.
    pub fn complete(&self, now: u64, rule: impl Fn(&Tenant) -> Completion, max: usize) -> BTreeMap<Tenant, Due> {
        let mut all: Vec<(&Pending, &Tenant, TraceId)> = Vec::new();
        for (tenant, traces) in &self.tenants {
            let rule = rule(tenant);
            let (idle, age) = (nanos(rule.idle), nanos(rule.age));
            let is_complete = |pending: &Pending| {
                (pending.root_seen && pending.last_received.saturating_add(idle) <= now)
                    || pending.since.saturating_add(age) <= now
            };
            let complete = traces.iter().filter(|(_, pending)| is_complete(pending));
            all.extend(complete.map(|(id, pending)| (pending, tenant, *id)));
        }
        oldest(all, max)
    }

    /// The oldest pending traces, so many that the rest takes no more than that many bytes.
    pub fn beyond(&self, bytes: usize) -> BTreeMap<Tenant, Due> {
        let excess = self.len().saturating_sub(bytes / PENDING_BYTES);
        if excess == 0 {
            return BTreeMap::new();
        }
        let all = self
            .tenants
            .iter()
            .flat_map(|(tenant, traces)| traces.iter().map(move |(id, pending)| (pending, tenant, *id)));
        oldest(all.collect(), excess)
    }

    /// Traces that have been idle for long enough and have no root: it may have been counted before. Each is named once.
    pub fn unprobed(&mut self, now: u64, rule: impl Fn(&Tenant) -> Completion) -> BTreeMap<Tenant, Vec<TraceId>> {
        let mut unprobed = BTreeMap::new();
        for (tenant, traces) in &mut self.tenants {
            let idle = nanos(rule(tenant).idle);
            let is_due = |pending: &Pending| {
                !pending.root_seen && !pending.is_probed && pending.last_received.saturating_add(idle) <= now
            };
            let mut ids: Vec<TraceId> = Vec::new();
            for (id, pending) in traces.iter_mut().filter(|(_, pending)| is_due(pending)) {
                pending.is_probed = true;
                ids.push(*id);
            }
            if !ids.is_empty() {
                ids.sort_unstable();
                unprobed.insert(tenant.clone(), ids);
            }
        }
        unprobed
    }

    /// The roots of these traces are there.
    pub fn rooted(&mut self, tenant: &Tenant, ids: &[TraceId]) {
        let Some(traces) = self.tenants.get_mut(tenant) else { return };
        for id in ids {
            if let Some(pending) = traces.get_mut(id) {
                pending.root_seen = true;
            }
        }
    }

    /// What these traces had received before that instant is counted, or is not there any more.
    pub fn counted<'d>(&mut self, tenant: &Tenant, ids: impl IntoIterator<Item = &'d TraceId>, before: u64) {
        let Some(traces) = self.tenants.get_mut(tenant) else { return };
        for id in ids {
            let Some(pending) = traces.get_mut(id) else { continue };
            if pending.last_received < before {
                traces.remove(id);
            } else {
                let (first_uncounted, since) = (before.max(pending.first_uncounted), before.max(pending.since));
                *pending = Pending { first_uncounted, since, ..*pending };
            }
        }
        if traces.is_empty() {
            self.tenants.remove(tenant);
        }
    }

    /// The instant before which everything that was received is counted, once `done` is, up to the instant `before`.
    pub fn watermark_after(&self, done: &BTreeMap<Tenant, Vec<TraceId>>, before: u64) -> u64 {
        let mut watermark = before.min(self.seen_before);
        for (tenant, traces) in &self.tenants {
            let done = done.get(tenant).map_or(&[][..], Vec::as_slice);
            for (id, pending) in traces {
                if pending.first_uncounted < watermark && done.binary_search(id).is_err() {
                    watermark = pending.first_uncounted;
                }
            }
        }
        watermark
    }

    /// How many traces are pending.
    pub fn len(&self) -> usize {
        self.tenants.values().map(HashMap::len).sum()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.tenants.is_empty()
    }

    /// All of them, for readers: by tenant and id, with the instant from which on their spans are not counted.
    pub fn snapshot(&self) -> BTreeMap<Tenant, Due> {
        let of = |traces: &Traces| {
            let mut list: Due = traces.iter().map(|(id, pending)| (*id, pending.first_uncounted)).collect();
            list.sort_unstable();
            list
        };
        self.tenants.iter().map(|(tenant, traces)| (tenant.clone(), of(traces))).collect()
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// At most `max` of them, the oldest first, by tenant and id.
fn oldest(mut all: Vec<(&Pending, &Tenant, TraceId)>, max: usize) -> BTreeMap<Tenant, Due> {
    if all.len() > max {
        all.select_nth_unstable_by_key(max, |(pending, _, id)| (pending.since, *id));
        all.truncate(max);
    }
    let mut due: BTreeMap<Tenant, Due> = BTreeMap::new();
    for (pending, tenant, id) in all {
        let first_uncounted = pending.first_uncounted;
        match due.get_mut(tenant) {
            Some(list) => list.push((id, first_uncounted)),
            None => drop(due.insert(tenant.clone(), vec![(id, first_uncounted)])),
        }
    }
    for list in due.values_mut() {
        list.sort_unstable();
    }
    due
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

    fn complete(book: &Book, now: u64) -> Vec<(TraceId, u64)> {
        book.complete(now, |_| Completion::default(), 100).into_values().flatten().collect()
    }

    #[test]
    fn a_trace_is_complete_when_it_is_idle_with_its_root_or_old() {
        let (tenant, mut book) = (Tenant::default(), Book::new(SECOND));
        book.arrived(&tenant, [arrival(1, 2 * SECOND, true), arrival(2, 2 * SECOND, false)]);
        book.seen(3 * SECOND);
        assert_eq!(complete(&book, 32 * SECOND - 1), []);
        assert_eq!(complete(&book, 32 * SECOND), [(id(1), SECOND)]);
        assert_eq!(complete(&book, 301 * SECOND), [(id(1), SECOND), (id(2), SECOND)]);
    }

    #[test]
    fn a_root_that_was_counted_before_is_asked_for_once() {
        let (tenant, mut book) = (Tenant::default(), Book::new(0));
        book.arrived(&tenant, [arrival(1, SECOND, false)]);
        assert!(book.unprobed(31 * SECOND - 1, |_| Completion::default()).is_empty());
        assert_eq!(book.unprobed(31 * SECOND, |_| Completion::default())[&tenant], [id(1)]);
        assert!(book.unprobed(31 * SECOND, |_| Completion::default()).is_empty());
        book.rooted(&tenant, &[id(1)]);
        assert_eq!(complete(&book, 31 * SECOND), [(id(1), 0)]);
    }

    #[test]
    fn what_came_while_a_trace_was_settled_stays_pending() {
        let (tenant, mut book) = (Tenant::default(), Book::new(0));
        book.arrived(&tenant, [arrival(1, SECOND, true), arrival(2, SECOND, true)]);
        book.seen(10 * SECOND);
        book.arrived(&tenant, [arrival(2, 11 * SECOND, false)]);
        book.counted(&tenant, &[id(1), id(2)], 10 * SECOND);
        assert_eq!(book.snapshot()[&tenant], [(id(2), 10 * SECOND)]);
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
            book.note(&tenant, arrival(number, 100, false), 0, u64::from(number));
        }
        assert!(book.beyond(10 * PENDING_BYTES).is_empty());
        let early = book.beyond(7 * PENDING_BYTES);
        assert_eq!(early[&tenant], [(id(0), 0), (id(1), 0), (id(2), 0)]);
        let most = book.complete(u64::MAX, |_| Completion::default(), 2);
        assert_eq!(most[&tenant], [(id(0), 0), (id(1), 0)]);
    }
}
