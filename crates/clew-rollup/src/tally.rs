//! From whole traces to figures, many of them at once.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, Hash};

use clew_model::{Kind, Span, StatusCode};
use foldhash::fast::RandomState;
use hashbrown::HashTable;

use crate::edges::Edges;
use crate::key::status_of;
use crate::names::Names;
use crate::{Connection, EdgeFigures, EdgeKey, Figures, Minute, Rollup, SeriesKey, running};

/// Counts whole traces. What it comes to is the sum of their [`Rollup::of_trace`], exemplars included, for a fraction of the
/// work: names are numbers until the end, and nothing is made for a trace alone.
#[derive(Debug, Default)]
pub struct Tally {
    names: Names,
    series: Slots<SeriesPlace, running::Series>,
    edges: Slots<EdgePlace, running::Edge>,
    calls: Edges,
    /// Of the spans of the trace that is being added.
    services: Vec<u32>,
    statuses: Vec<StatusCode>,
    /// What was added in the form of figures.
    counted: Rollup,
}

/// A minute of a series, with its names as numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct SeriesPlace {
    unix_minute: u64,
    service: u32,
    operation: u32,
    kind: Kind,
    status: StatusCode,
}

/// A minute of an edge, with its names as numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct EdgePlace {
    unix_minute: u64,
    caller: u32,
    callee: u32,
    connection: Connection,
}

/// What is counted at each place.
#[derive(Debug)]
struct Slots<K, V> {
    all: Vec<(K, V)>,
    numbers: HashTable<u32>,
    hasher: RandomState,
}

/// What a minute is made of.
type Lists = (Vec<(SeriesKey, Figures)>, Vec<(EdgeKey, EdgeFigures)>);

impl Tally {
    /// Adds the figures of one trace: all of its spans, in any order, identical ones once.
    ///
    /// `keeps_exemplars` is false for a trace that will not be kept, to which nobody should be led.
    pub fn add(&mut self, spans: &[Span], keeps_exemplars: bool) {
        self.services.clear();
        self.statuses.clear();
        for span in spans {
            let service = self.names.service(span);
            let status = status_of(span);
            self.services.push(service);
            self.statuses.push(status);
            let place = SeriesPlace {
                unix_minute: span.start_unix_nanos / Rollup::MINUTE_NANOS,
                service,
                operation: self.names.number(&span.name),
                kind: span.kind,
                status,
            };
            self.series.at(place).record(span, status == StatusCode::Error, keeps_exemplars);
        }
        for edge in self.calls.of(spans, &self.services, &mut self.names) {
            let call = edge.call(spans, &self.statuses);
            let (caller, callee, connection) = (edge.caller, edge.callee, edge.connection);
            let place = EdgePlace { unix_minute: call.unix_minute(), caller, callee, connection };
            self.edges.at(place).record(&call, keeps_exemplars);
        }
    }

    /// Adds figures that are known already: what a trace's later spans change, which is a difference of whole traces.
    pub fn add_rollup(&mut self, rollup: &Rollup) {
        self.counted.add(rollup);
    }

    /// The figures of all that was added.
    pub fn into_rollup(self) -> Rollup {
        let name = |number| self.names.text(number).clone();
        let mut minutes: BTreeMap<u64, Lists> = BTreeMap::new();
        for (place, series) in self.series.all {
            let SeriesPlace { unix_minute, service, operation, kind, status } = place;
            let key = SeriesKey { service: name(service), operation: name(operation), kind, status };
            minutes.entry(unix_minute).or_default().0.push((key, series.into_figures()));
        }
        for (place, edge) in self.edges.all {
            let EdgePlace { unix_minute, caller, callee, connection } = place;
            let key = EdgeKey { caller: name(caller), callee: name(callee), connection };
            minutes.entry(unix_minute).or_default().1.push((key, edge.into_figures()));
        }
        let minute = |(unix_minute, (series, edges)): (u64, Lists)| {
            (unix_minute, Minute { series: series.into_iter().collect(), edges: edges.into_iter().collect() })
        };
        let mut rollup = Rollup::of_minutes(minutes.into_iter().map(minute).collect());
        rollup.add(&self.counted);
        rollup
    }
}

impl<K: Copy + Eq + Hash, V: Default> Slots<K, V> {
    /// What is counted there, nothing at first.
    fn at(&mut self, place: K) -> &mut V {
        let Self { all, numbers, hasher } = self;
        let hash = hasher.hash_one(place);
        let found = numbers.find(hash, |number| all[*number as usize].0 == place).copied();
        let number = found.unwrap_or_else(|| {
            let next = all.len() as u32;
            numbers.insert_unique(hash, next, |number| hasher.hash_one(all[*number as usize].0));
            all.push((place, V::default()));
            next
        });
        &mut all[number as usize].1
    }
}

impl<K, V> Default for Slots<K, V> {
    fn default() -> Self {
        Self { all: Vec::new(), numbers: HashTable::new(), hasher: RandomState::default() }
    }
}
