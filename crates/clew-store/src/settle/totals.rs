//! Counters of spans and calls since the start, for whoever reads counters and takes differences, as Prometheus does.
//!
//! Each settlement's figures are added once, when it is committed. Figures can be taken back (a call to a host that turns out
//! to be a service is counted anew), counters cannot: each shows the most that its sum ever was, so that what was taken back
//! is made up for by what comes next. Nothing of it is kept: after a restart all begin at 0.

use std::collections::BTreeMap;
use std::sync::Arc;

use clew_model::Tenant;
use clew_rollup::{
    Connection, EdgeFigures, EdgeKey, Exemplar, Exemplars, Figures, Histogram, Rollup, SeriesKey, Weight,
};

/// Upper bounds of all buckets of durations but the last, which has none, in nanoseconds.
pub const BOUNDS_NANOS: [u64; BUCKETS - 1] = [
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    25_000_000,
    50_000_000,
    100_000_000,
    250_000_000,
    500_000_000,
    1_000_000_000,
    2_500_000_000,
    5_000_000_000,
    10_000_000_000,
    30_000_000_000,
    60_000_000_000,
];

const BUCKETS: usize = 19;

/// The counters of all tenants.
#[derive(Debug, Clone)]
pub struct SpanTotals {
    tenants: BTreeMap<Tenant, TenantTotals>,
    /// Bound on series, and on edges: later ones are counted as `(other)`.
    series_max: usize,
    series_count: usize,
    edge_count: usize,
}

/// The counters of one tenant.
#[derive(Debug, Clone, Default)]
pub struct TenantTotals {
    /// Of spans: how long they took, and so how many there were. Sampled ones count for those that they stand for.
    pub series: BTreeMap<SeriesKey, Durations>,
    /// Of calls.
    pub edges: BTreeMap<EdgeName, EdgeTotals>,
}

/// Calls that are counted together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EdgeName {
    /// Who calls.
    pub client: Arc<str>,
    /// Who is called.
    pub server: Arc<str>,
    /// In what way.
    pub connection: ConnectionType,
}

/// In what way, in the words of OpenTelemetry's service graph connector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ConnectionType {
    /// A call between two services.
    Direct,
    /// A message.
    MessagingSystem,
    /// A call of a database.
    Database,
    /// A call of something that sends no spans.
    VirtualNode,
}

/// The counters of an edge.
#[derive(Debug, Clone, Default)]
pub struct EdgeTotals {
    /// Calls, those that are sampled for all that they stand for.
    pub requests: Rising<Weight>,
    /// Those that failed.
    pub failed: Rising<Weight>,
    /// How long callers saw them take; of calls that were received.
    pub client: Durations,
    /// How long callees saw them take.
    pub server: Durations,
    /// How long messages were on their way.
    pub messaging: Durations,
}

/// A sum of which parts are taken back at times.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rising<T> {
    sum: T,
    most: T,
}

/// How many took how long.
#[derive(Debug, Clone, Default)]
pub struct Durations {
    buckets: [Rising<i64>; BUCKETS],
    sum_nanos: Rising<i128>,
    /// The latest span of each bucket, as far as there is one to look at; by bucket.
    exemplars: Vec<(u8, Exemplar)>,
}

impl SpanTotals {
    /// Nothing counted yet. Of so many series, and of so many edges, each has counters of its own.
    pub fn new(series_max: usize) -> Self {
        Self { tenants: BTreeMap::new(), series_max, series_count: 0, edge_count: 0 }
    }

    /// By tenant.
    pub fn tenants(&self) -> impl ExactSizeIterator<Item = (&Tenant, &TenantTotals)> {
        self.tenants.iter()
    }

    /// How many series have counters of their own, and how many edges.
    pub fn counts(&self) -> (usize, usize) {
        (self.series_count, self.edge_count)
    }

    /// Adds the figures of a settlement.
    pub fn add(&mut self, tenant: &Tenant, rollup: &Rollup) {
        let Self { tenants, series_max, series_count, edge_count } = self;
        let own = tenants.entry(tenant.clone()).or_default();
        for (_, minute) in rollup.minutes(0..u64::MAX) {
            for (key, figures) in &minute.series {
                let name = key.clone();
                let other = || SeriesKey { service: OTHER.into(), operation: OTHER.into(), ..name.clone() };
                counted(&mut own.series, key, other, (*series_max, series_count)).add_series(figures);
            }
            for (key, figures) in &minute.edges {
                let name = EdgeName::of(key, figures);
                let other = || EdgeName { client: OTHER.into(), server: OTHER.into(), ..name.clone() };
                counted(&mut own.edges, &name, other, (*series_max, edge_count)).add(figures);
            }
        }
    }
}

const OTHER: &str = clew_rollup::key::OTHER;

/// The counters of a name, or of all others when there is no room for more names.
fn counted<'t, K: Ord + Clone, V: Default>(
    totals: &'t mut BTreeMap<K, V>,
    name: &K,
    other: impl FnOnce() -> K,
    (max, count): (usize, &mut usize),
) -> &'t mut V {
    if totals.contains_key(name) {
        return totals.entry(name.clone()).or_default();
    }
    if *count >= max {
        return totals.entry(other()).or_default();
    }
    *count += 1;
    totals.entry(name.clone()).or_default()
}

impl EdgeName {
    fn of(key: &EdgeKey, figures: &EdgeFigures) -> Self {
        // Whoever is called and has a span of it is a service.
        let is_seen = !figures.callee_duration.is_zero();
        let connection = match key.connection {
            Connection::Database => ConnectionType::Database,
            Connection::Messaging | Connection::Link => ConnectionType::MessagingSystem,
            Connection::Http | Connection::Rpc | Connection::Other if is_seen => ConnectionType::Direct,
            Connection::Http | Connection::Rpc | Connection::Other => ConnectionType::VirtualNode,
        };
        Self { client: Arc::clone(&key.caller), server: Arc::clone(&key.callee), connection }
    }
}

impl ConnectionType {
    /// The value of the label `connection_type`; empty for a call between services.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Direct => "",
            Self::MessagingSystem => "messaging_system",
            Self::Database => "database",
            Self::VirtualNode => "virtual_node",
        }
    }
}

impl EdgeTotals {
    fn add(&mut self, figures: &EdgeFigures) {
        self.requests.add(|sum| sum.add(figures.weighted));
        self.failed.add(|sum| sum.add(figures.weighted_errors));
        self.client.add(&figures.caller_duration, &figures.exemplars);
        self.server.add(&figures.callee_duration, &Exemplars::default());
        self.messaging.add(&figures.latency, &Exemplars::default());
    }
}

impl<T: Copy + Ord> Rising<T> {
    fn add(&mut self, add: impl FnOnce(&mut T)) {
        add(&mut self.sum);
        self.most = self.most.max(self.sum);
    }

    /// The most that the sum ever was.
    pub fn get(&self) -> T {
        self.most
    }
}

impl Durations {
    fn add_series(&mut self, figures: &Figures) {
        self.add(&figures.weighted_duration(), &figures.exemplars);
    }

    fn add(&mut self, durations: &Histogram, exemplars: &Exemplars) {
        let mut below = 0;
        let up_to = durations.classic(&BOUNDS_NANOS).into_iter().chain([durations.count()]);
        for (bucket, up_to) in self.buckets.iter_mut().zip(up_to) {
            bucket.add(|sum| *sum = sum.wrapping_add(up_to.wrapping_sub(below)));
            below = up_to;
        }
        self.sum_nanos.add(|sum| *sum = sum.wrapping_add(durations.sum_nanos()));
        exemplars.iter().for_each(|exemplar| self.offer(exemplar));
    }

    /// The later span of its bucket stays: readers take no older one after it.
    fn offer(&mut self, exemplar: &Exemplar) {
        let bucket = BOUNDS_NANOS.partition_point(|bound| *bound < exemplar.duration_nanos) as u8;
        match self.exemplars.binary_search_by_key(&bucket, |(bucket, _)| *bucket) {
            Ok(at) if self.exemplars[at].1.start_unix_nanos < exemplar.start_unix_nanos => {
                self.exemplars[at].1 = *exemplar;
            }
            Ok(_) => {}
            Err(at) => self.exemplars.insert(at, (bucket, *exemplar)),
        }
    }

    /// How many took no longer than each of [`BOUNDS_NANOS`], and at last how many there are.
    pub fn up_to(&self) -> [u64; BUCKETS] {
        let mut sum = 0;
        self.buckets.map(|bucket| {
            sum += bucket.get().max(0) as u64;
            sum
        })
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.up_to()[BUCKETS - 1]
    }

    /// How long they took together, in nanoseconds.
    pub fn sum_nanos(&self) -> u128 {
        self.sum_nanos.get().max(0) as u128
    }

    /// The latest span of a bucket.
    pub fn exemplar(&self, bucket: usize) -> Option<&Exemplar> {
        let at = self.exemplars.binary_search_by_key(&bucket, |(bucket, _)| usize::from(*bucket)).ok()?;
        Some(&self.exemplars[at].1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::spans;

    fn tenant() -> Tenant {
        Tenant::default()
    }

    fn of(totals: &SpanTotals) -> &TenantTotals {
        totals.tenants().next().unwrap().1
    }

    fn rollup(number: u64, millis: u64) -> Rollup {
        let mut trace = spans(number, 3);
        for span in &mut trace {
            span.duration_nanos = millis * 1_000_000;
        }
        Rollup::of_trace(&trace, true)
    }

    #[test]
    fn what_is_added_is_counted_in_classic_buckets() {
        let mut totals = SpanTotals::new(100);
        // Three traces of one service, of three operations each.
        for (number, millis) in [(3, 3), (6, 3), (9, 70_000)] {
            totals.add(&tenant(), &rollup(number, millis));
        }
        assert_eq!(of(&totals).series.len(), 3);
        for durations in of(&totals).series.values() {
            let mut expected = [2; BUCKETS];
            expected[..5].fill(0);
            expected[BUCKETS - 1] = 3;
            assert_eq!((durations.up_to(), durations.sum_nanos()), (expected, 70_006_000_000));
            let shown: Vec<u64> =
                (0..BUCKETS).filter_map(|at| Some(durations.exemplar(at)?.duration_nanos / 1_000_000)).collect();
            assert_eq!(shown, [3, 70_000]);
        }
    }

    #[test]
    fn no_number_decreases_when_figures_are_taken_back_and_all_is_made_up_for() {
        let mut totals = SpanTotals::new(100);
        let (early, whole) = (rollup(1, 3), rollup(1, 90));
        let mut taken_back = Rollup::default();
        taken_back.subtract(&early);
        let seen =
            |totals: &SpanTotals| -> Vec<[u64; BUCKETS]> { of(totals).series.values().map(Durations::up_to).collect() };
        totals.add(&tenant(), &early);
        let mut last = seen(&totals);
        for delta in [&taken_back, &whole, &early] {
            totals.add(&tenant(), delta);
            let now = seen(&totals);
            assert!(last.iter().zip(&now).all(|(last, now)| last.iter().zip(now).all(|(last, now)| last <= now)));
            last = now;
        }
        // Early ones that came again are those that were taken back.
        let counts: u64 = of(&totals).series.values().map(Durations::count).sum();
        assert_eq!(counts, 6);
    }

    #[test]
    fn series_beyond_the_bound_are_counted_together() {
        let mut totals = SpanTotals::new(2);
        for number in 0..20 {
            let mut trace = spans(number, 2);
            for span in &mut trace {
                span.name = format!("operation {number}");
            }
            totals.add(&tenant(), &Rollup::of_trace(&trace, true));
        }
        let series = &of(&totals).series;
        let others = series.keys().filter(|key| &*key.service == OTHER).count();
        assert_eq!(series.len() - others, 2);
        assert!((1..=18).contains(&others));
        assert_eq!(series.values().map(Durations::count).sum::<u64>(), 40);
        assert_eq!(totals.counts().0, 2);
    }

    #[test]
    fn who_is_called_without_a_span_of_it_is_virtual() {
        let key = |connection| EdgeKey { caller: "a".into(), callee: "b".into(), connection };
        let mut seen = EdgeFigures::default();
        seen.callee_duration.record(1, 1);
        let of = |connection, figures: &EdgeFigures| EdgeName::of(&key(connection), figures).connection.as_str();
        assert_eq!((of(Connection::Http, &seen), of(Connection::Rpc, &EdgeFigures::default())), ("", "virtual_node"));
        assert_eq!(of(Connection::Database, &EdgeFigures::default()), "database");
        assert_eq!([Connection::Link, Connection::Messaging].map(|way| of(way, &seen)), ["messaging_system"; 2]);
    }
}
