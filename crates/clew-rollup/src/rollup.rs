//! The figures of one tenant, minute by minute.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use clew_model::Span;
use serde::{Deserialize, Serialize};

use crate::key::OTHER;
use crate::{EdgeFigures, EdgeKey, Figures, SeriesKey, Tally};

/// Figures by unix minute: of series by the start of the span, of edges by the start of the caller.
///
/// Nothing of which every number is 0 stays in it, so that rollups of the same spans are equal, however they came about.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Rollup {
    minutes: BTreeMap<u64, Minute>,
}

/// The figures of one minute.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Minute {
    /// Of spans.
    pub series: BTreeMap<SeriesKey, Figures>,
    /// Of calls.
    pub edges: BTreeMap<EdgeKey, EdgeFigures>,
}

impl Rollup {
    /// Nanoseconds of a minute.
    pub const MINUTE_NANOS: u64 = 60_000_000_000;

    /// The figures of one trace: all of its spans, in any order, identical ones once.
    ///
    /// `keeps_exemplars` is false for a trace that will not be kept, to which nobody should be led.
    pub fn of_trace(spans: &[Span], keeps_exemplars: bool) -> Self {
        let mut tally = Tally::default();
        tally.add(spans, keeps_exemplars);
        tally.into_rollup()
    }

    /// From minutes of which none is empty, and no figures are 0.
    pub(crate) fn of_minutes(minutes: BTreeMap<u64, Minute>) -> Self {
        Self { minutes }
    }

    /// Adds the figures of another.
    pub fn add(&mut self, other: &Self) {
        self.add_minutes(other, 0..u64::MAX);
    }

    /// Adds the figures that another has of these minutes.
    pub fn add_minutes(&mut self, other: &Self, unix_minutes: Range<u64>) {
        self.merge(other, unix_minutes, Figures::add, EdgeFigures::add);
    }

    /// Forgets the minutes before that one.
    pub fn forget_before(&mut self, unix_minute: u64) {
        self.minutes = self.minutes.split_off(&unix_minute);
    }

    /// Takes the figures of another back; what is 0 by then is gone.
    ///
    /// Numbers are exact: `a + b - b == a`. Exemplars of `other` are left out, and what they had displaced does not come
    /// back.
    pub fn subtract(&mut self, other: &Self) {
        self.merge(other, 0..u64::MAX, Figures::subtract, EdgeFigures::subtract);
    }

    /// Folds all but the `series_per_minute` largest series of each minute into `(other)`, by role and status, so that
    /// totals of those stay what they were. Returns how many series were folded; `(other)` itself is neither counted nor
    /// folded. Of series of the same size, those stay that are first by name.
    pub fn cap(&mut self, series_per_minute: usize) -> usize {
        let mut folded = 0;
        for minute in self.minutes.values_mut() {
            let is_other = |key: &SeriesKey| &*key.service == OTHER && &*key.operation == OTHER;
            let size = |figures: &Figures| figures.received.unsigned_abs();
            for key in smallest(&minute.series, series_per_minute, is_other, size) {
                let Some(figures) = minute.series.remove(&key) else { continue };
                let other = SeriesKey { service: OTHER.into(), operation: OTHER.into(), ..key };
                minute.series.entry(other).or_default().add(&figures);
                folded += 1;
            }
            minute.series.retain(|_, figures| !figures.is_zero());
        }
        folded
    }

    /// Folds all but the `edges_per_minute` largest edges of each minute into one from `(other)` to `(other)` for each
    /// connection. Returns how many were folded, as [`Self::cap`] does.
    pub fn cap_edges(&mut self, edges_per_minute: usize) -> usize {
        let mut folded = 0;
        for minute in self.minutes.values_mut() {
            let is_other = |key: &EdgeKey| &*key.caller == OTHER && &*key.callee == OTHER;
            let size = |figures: &EdgeFigures| figures.received.unsigned_abs();
            for key in smallest(&minute.edges, edges_per_minute, is_other, size) {
                let Some(figures) = minute.edges.remove(&key) else { continue };
                let other = EdgeKey { caller: OTHER.into(), callee: OTHER.into(), ..key };
                minute.edges.entry(other).or_default().add(&figures);
                folded += 1;
            }
            minute.edges.retain(|_, figures| !figures.is_zero());
        }
        folded
    }

    /// Whether there are no figures.
    pub fn is_empty(&self) -> bool {
        self.minutes.is_empty()
    }

    /// Series, each as often as it has a minute.
    pub fn series_count(&self) -> usize {
        self.minutes.values().map(|minute| minute.series.len()).sum()
    }

    /// Edges, each as often as it has a minute.
    pub fn edge_count(&self) -> usize {
        self.minutes.values().map(|minute| minute.edges.len()).sum()
    }

    /// About how much memory it takes, in bytes. A name that many share is counted in parts.
    pub fn bytes(&self) -> usize {
        let name = |name: &Arc<str>| (name.len() + 2 * size_of::<usize>()).div_ceil(Arc::strong_count(name));
        let of_series = |(key, figures): (&SeriesKey, &Figures)| {
            size_of::<(SeriesKey, Figures)>() + name(&key.service) + name(&key.operation) + figures.heap_bytes()
        };
        let of_edge = |(key, figures): (&EdgeKey, &EdgeFigures)| {
            size_of::<(EdgeKey, EdgeFigures)>() + name(&key.caller) + name(&key.callee) + figures.heap_bytes()
        };
        let of_minute = |minute: &Minute| {
            let series: usize = minute.series.iter().map(of_series).sum();
            let edges: usize = minute.edges.iter().map(of_edge).sum();
            size_of::<(u64, Minute)>() + series + edges
        };
        size_of::<Self>() + self.minutes.values().map(of_minute).sum::<usize>()
    }

    /// The minutes from the first to before the second that have figures, rising.
    pub fn minutes(&self, unix_minutes: Range<u64>) -> impl Iterator<Item = (u64, &Minute)> {
        // A range that ends before it begins is empty; a map would panic.
        let unix_minutes = unix_minutes.start..unix_minutes.end.max(unix_minutes.start);
        self.minutes.range(unix_minutes).map(|(unix_minute, minute)| (*unix_minute, minute))
    }

    /// The series of those minutes, by minute and key; of one service, or of one operation, if so asked.
    pub fn series<'a>(
        &'a self,
        unix_minutes: Range<u64>,
        service: Option<&'a str>,
        operation: Option<&'a str>,
    ) -> impl Iterator<Item = (u64, &'a SeriesKey, &'a Figures)> {
        let is_asked = move |key: &SeriesKey| {
            service.is_none_or(|service| &*key.service == service)
                && operation.is_none_or(|operation| &*key.operation == operation)
        };
        self.minutes(unix_minutes).flat_map(move |(unix_minute, minute)| {
            let series = minute.series.iter().filter(move |(key, _)| is_asked(key));
            series.map(move |(key, figures)| (unix_minute, key, figures))
        })
    }

    /// The edges of those minutes, by minute and key; those that begin or end at one name, if so asked.
    pub fn edges<'a>(
        &'a self,
        unix_minutes: Range<u64>,
        service: Option<&'a str>,
    ) -> impl Iterator<Item = (u64, &'a EdgeKey, &'a EdgeFigures)> {
        let is_asked =
            move |key: &EdgeKey| service.is_none_or(|service| &*key.caller == service || &*key.callee == service);
        self.minutes(unix_minutes).flat_map(move |(unix_minute, minute)| {
            let edges = minute.edges.iter().filter(move |(key, _)| is_asked(key));
            edges.map(move |(key, figures)| (unix_minute, key, figures))
        })
    }

    fn merge(
        &mut self,
        other: &Self,
        unix_minutes: Range<u64>,
        of_series: impl Fn(&mut Figures, &Figures),
        of_edge: impl Fn(&mut EdgeFigures, &EdgeFigures),
    ) {
        for (unix_minute, theirs) in other.minutes(unix_minutes) {
            let mut minute = self.minutes.remove(&unix_minute).unwrap_or_default();
            // Most minutes have the series of the one before, with which a new one then shares its names.
            let before = self.minutes.range(..unix_minute).next_back().map(|(_, before)| before);
            let series_before = before.map(|before| &before.series);
            merge_maps(&mut minute.series, &theirs.series, series_before, &of_series, Figures::is_zero);
            let edges_before = before.map(|before| &before.edges);
            merge_maps(&mut minute.edges, &theirs.edges, edges_before, &of_edge, EdgeFigures::is_zero);
            if !minute.series.is_empty() || !minute.edges.is_empty() {
                self.minutes.insert(unix_minute, minute);
            }
        }
    }
}

/// Merges the figures of each key; what is 0 by then is left out. New keys are copies of those that `before` has.
fn merge_maps<K: Ord + Clone, V: Default>(
    into: &mut BTreeMap<K, V>,
    from: &BTreeMap<K, V>,
    before: Option<&BTreeMap<K, V>>,
    merge: impl Fn(&mut V, &V),
    is_zero: impl Fn(&V) -> bool,
) {
    for (key, theirs) in from {
        if let Some(figures) = into.get_mut(key) {
            merge(figures, theirs);
            if is_zero(figures) {
                into.remove(key);
            }
            continue;
        }
        let mut figures = V::default();
        merge(&mut figures, theirs);
        let known = before.and_then(|before| before.get_key_value(key)).map(|(known, _)| known);
        into.insert(known.unwrap_or(key).clone(), figures);
    }
}

/// The keys of all but so many of the largest.
fn smallest<K: Ord + Clone, V>(
    all: &BTreeMap<K, V>,
    kept: usize,
    is_exempt: impl Fn(&K) -> bool,
    size: impl Fn(&V) -> u64,
) -> Vec<K> {
    if all.len() <= kept {
        return Vec::new();
    }
    let mut ranked: Vec<(Reverse<u64>, &K)> =
        all.iter().filter(|(key, _)| !is_exempt(key)).map(|(key, value)| (Reverse(size(value)), key)).collect();
    ranked.sort_unstable();
    ranked.into_iter().skip(kept).map(|(_, key)| key.clone()).collect()
}
