//! Which files of settlements become one, and what of them anybody needs. Pure.

use std::ops::Range;

use crate::catalog::SettleEntry;

const MINUTE_NANOS: u64 = 60_000_000_000;

/// Stretches of time whose files become one, the longest first, in nanoseconds.
const STRETCHES_NANOS: [u64; 3] = [24 * 60 * MINUTE_NANOS, 60 * MINUTE_NANOS, 5 * MINUTE_NANOS];

/// What is still needed of settlements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Needs {
    /// Now, in unix nanoseconds.
    pub(super) now: u64,
    /// Who follows the feed, and the next start, need records of what was counted through then or later.
    pub(super) records_from: u64,
    /// Verdicts of traces are looked up in records from then on: what was received before lies in merged blocks.
    pub(super) verdicts_from: u64,
    /// Figures of spans that were counted through then or earlier are over, whatever the spans say of their time: as elsewhere,
    /// what has an odd time lives as long as its neighbours.
    pub(super) figures_from: u64,
}

impl Needs {
    /// Whether the records of a settlement are needed.
    pub(super) fn records(&self, through_unix_nanos: u64, is_special: bool) -> bool {
        through_unix_nanos > self.records_from || (is_special && through_unix_nanos > self.verdicts_from)
    }

    /// Whether any record of a file is needed.
    pub(super) fn records_of(&self, entry: &SettleEntry) -> bool {
        entry.kept_count > 0 && self.records(entry.through_unix_nanos, entry.is_special)
    }

    /// What a file adds to one that it becomes a part of, at most, in bytes.
    pub(super) fn bytes_of(&self, entry: &SettleEntry) -> u64 {
        let dropped = if self.records_of(entry) { 0 } else { entry.record_bytes };
        entry.bytes.saturating_sub(dropped)
    }

    /// Whether all of a file is over.
    pub(super) fn is_over(&self, entry: &SettleEntry) -> bool {
        entry.through_unix_nanos <= self.figures_from && !self.records_of(entry)
    }

    /// The longest stretch of time that is over and that a file lies in: its length and its start.
    pub(super) fn stretch(&self, entry: &SettleEntry) -> Option<(u64, u64)> {
        let stretches = STRETCHES_NANOS.iter().map(|nanos| (*nanos, entry.through_unix_nanos / nanos * nanos));
        stretches.into_iter().find(|(nanos, start)| start.saturating_add(*nanos) <= self.now)
    }

    /// Whether a file lies in a day that is over: nothing is merged with it any more but others of that day.
    pub(super) fn is_day_over(&self, entry: &SettleEntry) -> bool {
        self.stretch(entry).is_some_and(|(nanos, _)| nanos == STRETCHES_NANOS[0])
    }

    /// Neighbours that become one file: of one stretch, and of no more than `file_bytes` together. A single file is named when
    /// it holds records that nobody needs any more. `is_left_alone` names files that cannot be read.
    pub(super) fn plan(
        &self,
        files: &[SettleEntry],
        file_bytes: u64,
        is_left_alone: impl Fn(&SettleEntry) -> bool,
    ) -> Vec<Range<usize>> {
        let key = |entry: &SettleEntry| self.stretch(entry).filter(|_| !is_left_alone(entry));
        let mut plan = Vec::new();
        let mut at = 0;
        while let Some(first) = files.get(at) {
            let (own, mut bytes, from) = (key(first), self.bytes_of(first), at);
            at += 1;
            if own.is_none() {
                continue;
            }
            while let Some(next) = files.get(at).filter(|next| key(next) == own) {
                if bytes.saturating_add(self.bytes_of(next)) > file_bytes {
                    break;
                }
                bytes += self.bytes_of(next);
                at += 1;
            }
            let holds_more = first.kept_count > 0 && !self.records_of(first) && self.is_day_over(first);
            if at - from > 1 || holds_more {
                plan.push(from..at);
            }
        }
        plan
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;
    const DAY: u64 = 24 * 3600 * SECOND;

    fn entry(through_seconds: u64, bytes: u64) -> SettleEntry {
        let minute = through_seconds / 60;
        SettleEntry {
            number: through_seconds,
            bytes,
            first_sequence: through_seconds,
            record_count: 5,
            kept_count: 0,
            record_bytes: 0,
            through_unix_nanos: through_seconds * SECOND,
            minutes: (minute, minute),
            tenants: Vec::new(),
            is_special: false,
        }
    }

    fn needs(now_seconds: u64) -> Needs {
        let now = now_seconds * SECOND;
        Needs { now, records_from: now.saturating_sub(3600 * SECOND), verdicts_from: u64::MAX, figures_from: 0 }
    }

    /// Files as they come every five seconds and are merged every minute; answers how many there are at most, how many are left,
    /// and how often what is written was written, if merging made nothing smaller.
    fn live(seconds: u64, file_bytes: u64, bytes: u64) -> (usize, usize, u64) {
        let mut files: Vec<SettleEntry> = Vec::new();
        let (mut most, mut written, mut made) = (0, 0, 0);
        for now in (0..seconds).step_by(5) {
            files.push(entry(now, bytes));
            made += bytes;
            most = most.max(files.len());
            if now % 60 == 0 {
                for range in needs(now).plan(&files, file_bytes, |_| false).into_iter().rev() {
                    let bytes = files[range.clone()].iter().map(|entry| entry.bytes).sum();
                    written += bytes;
                    let last = files[range.end - 1].clone();
                    files.splice(range, [SettleEntry { bytes, ..last }]);
                }
            }
        }
        (most, files.len(), (made + written) / made)
    }

    #[test]
    fn a_day_has_some_tens_of_files_and_a_day_that_is_over_has_one() {
        let (most, left, times) = live(10 * 24 * 3600, u64::MAX, 1000);
        assert!(most < 130 && left < 110, "{most} at most, {left} in the end");
        assert!(times <= 4, "written {times} times");
        let (most, ..) = live(3600, u64::MAX, 1000);
        assert!(most < 90, "{most}");
    }

    #[test]
    fn a_file_that_has_its_bytes_is_left_alone() {
        let files: Vec<_> = (0..12).map(|number| entry(number * 5, 300)).collect();
        let plan = needs(400).plan(&files, 1000, |_| false);
        assert_eq!(plan, [0..3, 3..6, 6..9, 9..12]);
        assert!(needs(400).plan(&files, 599, |_| false).is_empty());
        // Those that cannot be read part the others.
        assert_eq!(needs(400).plan(&files[..6], 1000, |entry| entry.number == 10), [0..2, 3..6]);
    }

    #[test]
    fn only_what_lies_in_one_stretch_that_is_over_is_merged() {
        let files: Vec<_> = [290, 295, 300, 305].map(|seconds| entry(seconds, 1)).into();
        assert_eq!(needs(310).plan(&files, 1000, |_| false), vec![(0..2)]);
        assert_eq!(needs(600).plan(&files, 1000, |_| false), [0..2, 2..4]);
        assert_eq!(needs(3600).plan(&files, 1000, |_| false), vec![(0..4)]);
        assert!(needs(299).plan(&files, 1000, |_| false).is_empty());
    }

    #[test]
    fn records_are_needed_for_the_feed_and_special_ones_for_verdicts() {
        let needs = Needs { verdicts_from: 100, records_from: 500, ..needs(10) };
        let asked = [(501, false), (500, false), (500, true), (101, true), (100, true)];
        assert_eq!(asked.map(|(through, special)| needs.records(through, special)), [true, false, true, true, false]);
    }

    #[test]
    fn records_that_nobody_needs_do_not_count_and_leave_a_day_that_is_over() {
        let full = |seconds| SettleEntry { kept_count: 5, record_bytes: 900, ..entry(seconds, 1000) };
        let now = needs(2 * DAY / SECOND);
        assert_eq!(now.plan(&[full(5), full(10)], 500, |_| false), vec![(0..2)]);
        assert_eq!(now.plan(&[full(5)], 500, |_| false), vec![(0..1)]);
        assert!(Needs { records_from: 0, ..now }.plan(&[full(5)], 500, |_| false).is_empty());
        assert!(needs(7200).plan(&[full(5)], 500, |_| false).is_empty(), "it is merged with others of its day");
    }

    #[test]
    fn a_file_is_over_some_time_after_it_was_settled_whatever_minutes_it_speaks_of() {
        let kept = |seconds: u64| Needs { figures_from: seconds * SECOND, ..needs(DAY / SECOND) };
        let minute = |first, last| SettleEntry { minutes: (first, last), ..entry(6000, 1) };
        for (first, last) in [(0, 0), (10, 90), (10, 5000), (u64::MAX, 0)] {
            assert!(kept(6000).is_over(&minute(first, last)));
            assert!(!kept(5999).is_over(&minute(first, last)));
        }
        let needed = SettleEntry { kept_count: 1, ..minute(10, 90) };
        assert!(!Needs { records_from: 0, ..kept(6000) }.is_over(&needed));
    }
}
