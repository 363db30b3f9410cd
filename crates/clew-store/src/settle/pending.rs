//! Pending traces by id, in pages that snapshots share: a reader's snapshot costs a pointer a page, and a change copies the pages
//! that it touches.

use std::sync::Arc;

use clew_model::TraceId;

/// Traces of a page at most.
const PAGE_TRACES: usize = 512;

/// What a pending trace takes in memory, in bytes: its entry, and a second one while readers still hold the page of before.
pub(crate) const PENDING_BYTES: usize = 2 * size_of::<Entry>();

const MILLI_NANOS: u64 = 1_000_000;

/// A trace with spans that are not counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pending {
    /// Spans of it that were received before are counted, in unix nanoseconds.
    pub first_uncounted: u64,
    /// When its last span was received, in unix nanoseconds.
    pub last_received: u64,
    /// How long after `first_uncounted` the first of those that are not counted was received, about, in milliseconds.
    since_millis: u32,
    /// Whether a span without a parent is among those that are not counted.
    pub root_seen: bool,
    /// Whether it was looked for a root among those that are.
    pub is_probed: bool,
}

type Entry = (TraceId, Pending);

/// Pending traces of one tenant.
#[derive(Debug, Clone, Default)]
pub struct PendingTraces {
    /// None is empty; ids rise, in each and from one to the next.
    pages: Vec<Arc<Vec<Entry>>>,
}

impl Pending {
    /// A trace whose spans are not counted from an instant on, of which the first was received `since`.
    pub(super) fn new(first_uncounted: u64, since: u64, last_received: u64, root_seen: bool) -> Self {
        let since_millis = since.saturating_sub(first_uncounted) / MILLI_NANOS;
        let since_millis = u32::try_from(since_millis).unwrap_or(u32::MAX);
        Self { first_uncounted, last_received, since_millis, root_seen, is_probed: false }
    }

    /// When the first of its spans that are not counted was received, about, in unix nanoseconds.
    pub fn since(&self) -> u64 {
        self.first_uncounted.saturating_add(u64::from(self.since_millis) * MILLI_NANOS)
    }

    /// The same trace with what is known from elsewhere.
    pub(super) fn with(self, other: Self) -> Self {
        let since = self.since().min(other.since());
        Self {
            is_probed: self.is_probed,
            ..Self::new(
                self.first_uncounted.min(other.first_uncounted),
                since,
                self.last_received.max(other.last_received),
                self.root_seen || other.root_seen,
            )
        }
    }

    /// What is left of it once that which was received before an instant is counted.
    pub(super) fn counted(self, before: u64) -> Option<Self> {
        if self.last_received < before {
            return None;
        }
        let first_uncounted = before.max(self.first_uncounted);
        let left = Self::new(first_uncounted, before.max(self.since()), self.last_received, self.root_seen);
        Some(Self { is_probed: self.is_probed, ..left })
    }
}

impl PendingTraces {
    /// What is known of a trace.
    pub fn get(&self, id: TraceId) -> Option<&Pending> {
        let page = self.pages.partition_point(|page| page[0].0 <= id).checked_sub(1)?;
        let page = &self.pages[page];
        let at = page.binary_search_by_key(&id, |(id, _)| *id).ok()?;
        Some(&page[at].1)
    }

    /// All of them, by id.
    pub fn iter(&self) -> impl Iterator<Item = &(TraceId, Pending)> {
        self.pages.iter().flat_map(|page| page.iter())
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.pages.iter().map(|page| page.len()).sum()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.pages.is_empty()
    }

    /// Changes what is known of the traces that `changes` names, by rising id: `change` is given what is known, and answers what
    /// is from now on.
    pub(super) fn update<C>(
        &mut self,
        changes: impl IntoIterator<Item = (TraceId, C)>,
        mut change: impl FnMut(Option<Pending>, C) -> Option<Pending>,
    ) {
        let mut changes = changes.into_iter().peekable();
        let mut old = std::mem::take(&mut self.pages).into_iter().peekable();
        while let Some(page) = old.next() {
            let next = old.peek().map(|next| next[0].0);
            let is_here = |change: &(TraceId, C)| next.is_none_or(|next| change.0 < next);
            if changes.peek().is_some_and(is_here) {
                let here = std::iter::from_fn(|| changes.next_if(is_here));
                self.append(merged(&page, here, &mut change));
            } else {
                self.pages.push(page);
            }
        }
        self.append(merged(&[], changes, &mut change));
    }

    /// Changes those that `is_meant` says, in place.
    pub(super) fn change(
        &mut self,
        is_meant: impl Fn(&Pending) -> bool,
        mut change: impl FnMut(TraceId, &mut Pending),
    ) {
        for page in &mut self.pages {
            if !page.iter().any(|(_, pending)| is_meant(pending)) {
                continue;
            }
            for (id, pending) in Arc::make_mut(page).iter_mut().filter(|(_, pending)| is_meant(pending)) {
                change(*id, pending);
            }
        }
    }

    /// Adds entries at the end, in pages that are neither large nor many.
    fn append(&mut self, mut entries: Vec<Entry>) {
        if let Some(last) = self.pages.last_mut()
            && last.len() + entries.len() <= PAGE_TRACES
        {
            if !entries.is_empty() {
                Arc::make_mut(last).append(&mut entries);
            }
            return;
        }
        // Halves, so that a page that grew does not grow out of it with the next one.
        while entries.len() > PAGE_TRACES {
            let rest = entries.split_off(PAGE_TRACES / 2);
            self.push(std::mem::replace(&mut entries, rest));
        }
        self.push(entries);
    }

    fn push(&mut self, mut page: Vec<Entry>) {
        if !page.is_empty() {
            page.shrink_to_fit();
            self.pages.push(Arc::new(page));
        }
    }
}

/// The entries of a page with changes, both by rising id.
fn merged<C>(
    page: &[Entry],
    changes: impl Iterator<Item = (TraceId, C)>,
    mut change: impl FnMut(Option<Pending>, C) -> Option<Pending>,
) -> Vec<Entry> {
    let mut entries = Vec::with_capacity(page.len() + changes.size_hint().0);
    let mut left = page;
    for (id, what) in changes {
        let before = left.partition_point(|(known, _)| *known < id);
        entries.extend_from_slice(&left[..before]);
        left = &left[before..];
        let mut known = None;
        if let Some((_, pending)) = left.first().filter(|(known, _)| *known == id) {
            known = Some(*pending);
            left = &left[1..];
        }
        if let Some(pending) = change(known, what) {
            entries.push((id, pending));
        }
    }
    entries.extend_from_slice(left);
    entries
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn id(number: u16) -> TraceId {
        let mut bytes = [0; 16];
        bytes[..2].copy_from_slice(&number.to_be_bytes());
        TraceId(bytes)
    }

    fn pending(last_received: u64) -> Pending {
        Pending::new(0, 0, last_received, false)
    }

    #[test]
    fn an_entry_is_small() {
        assert_eq!(size_of::<Entry>(), 40);
    }

    #[test]
    fn what_is_known_from_two_places_is_put_together() {
        let (one, other) = (Pending::new(5, 9_000_005, 20, true), Pending::new(7, 2_000_007, 10, false));
        assert_eq!(one.with(other), other.with(one));
        assert_eq!((one.with(other).first_uncounted, one.with(other).last_received), (5, 20));
        assert!(one.with(other).root_seen);
        assert_eq!(one.with(other).since(), 2_000_005, "to the millisecond");
        assert_eq!(one.counted(21), None);
        assert_eq!(one.counted(20).unwrap().first_uncounted, 20);
    }

    #[test]
    fn a_snapshot_shares_the_pages_that_stay() {
        let mut traces = PendingTraces::default();
        traces.update((0..4000).map(|number| (id(number), ())), |_, ()| Some(pending(1)));
        let snapshot = traces.clone();
        traces.update([(id(2000), ())], |_, ()| None);
        let is_shared = |page: &&Arc<Vec<Entry>>| snapshot.pages.iter().any(|other| Arc::ptr_eq(page, other));
        assert_eq!(traces.pages.iter().filter(|page| !is_shared(page)).count(), 1);
        assert_eq!((snapshot.len(), traces.len()), (4000, 3999));
    }

    proptest! {
        /// The same as a map, whatever comes and goes, in pages of a sound size.
        #[test]
        fn pages_are_a_map(rounds in proptest::collection::vec((0_u16..3000, 1_u16..2500, any::<bool>()), 1..12)) {
            let (mut traces, mut model) = (PendingTraces::default(), BTreeMap::new());
            for (round, (from, count, is_gone)) in rounds.into_iter().enumerate() {
                let step = 1 + round % 3;
                let ids: Vec<TraceId> = (from..from.saturating_add(count)).step_by(step).map(id).collect();
                let received = round as u64;
                let change = |known: Option<Pending>, ()| {
                    let known = known.map_or(pending(received), |known| known.with(pending(received)));
                    (!is_gone).then_some(known)
                };
                traces.update(ids.iter().map(|id| (*id, ())), change);
                for id in ids {
                    match change(model.get(&id).copied(), ()) {
                        Some(pending) => drop(model.insert(id, pending)),
                        None => drop(model.remove(&id)),
                    }
                }
                prop_assert!(traces.iter().map(|(id, pending)| (id, pending)).eq(model.iter()));
                prop_assert_eq!((traces.len(), traces.is_empty()), (model.len(), model.is_empty()));
                for number in (0..3000).step_by(97) {
                    prop_assert_eq!(traces.get(id(number)), model.get(&id(number)));
                }
                prop_assert!(traces.pages.iter().all(|page| (1..=PAGE_TRACES).contains(&page.len())));
                let pairs = traces.pages.windows(2).filter(|pair| pair[0].len() + pair[1].len() <= PAGE_TRACES / 2);
                prop_assert!(pairs.count() <= traces.pages.len() / 2 + 1, "small pages are joined");
            }
        }
    }
}
