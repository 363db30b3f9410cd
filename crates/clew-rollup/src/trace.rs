//! From the spans of one trace to its figures.

use std::collections::BTreeMap;

use clew_model::{Kind, Span, StatusCode};

use crate::edges::{self, Edge};
use crate::key::status_of;
use crate::lineage::Services;
use crate::{EdgeFigures, EdgeKey, Figures, Minute, Rollup, SeriesKey};

/// The figures of a trace, by unix minute.
pub(crate) fn minutes(spans: &[Span], keeps_exemplars: bool) -> BTreeMap<u64, Minute> {
    let services = Services::of(spans);
    let statuses: Vec<StatusCode> = spans.iter().map(status_of).collect();
    let mut minutes = BTreeMap::new();
    count_series(&mut minutes, spans, &services, &statuses, keeps_exemplars);
    count_edges(&mut minutes, edges::of(spans, &services, &statuses), &services, keeps_exemplars);
    minutes
}

/// What is counted together, without a copy of any name: it sorts as the keys do.
type SeriesRef<'a> = (u64, u32, &'a str, Kind, StatusCode);

fn count_series(
    minutes: &mut BTreeMap<u64, Minute>,
    spans: &[Span],
    services: &Services<'_>,
    statuses: &[StatusCode],
    keeps_exemplars: bool,
) {
    let mut keyed: Vec<(SeriesRef<'_>, usize)> = Vec::with_capacity(spans.len());
    for (index, span) in spans.iter().enumerate() {
        let unix_minute = span.start_unix_nanos / Rollup::MINUTE_NANOS;
        let key = (unix_minute, services.rank(index), span.name.as_str(), span.kind, statuses[index]);
        keyed.push((key, index));
    }
    keyed.sort_unstable();
    let count = |alike: &[(SeriesRef<'_>, usize)]| {
        let ((_, _, operation, kind, status), index) = alike[0];
        let service = services.name(services.of_span(index)).clone();
        let mut figures = Figures::default();
        for (_, index) in alike {
            figures.record(&spans[*index], status == StatusCode::Error, keeps_exemplars);
        }
        (SeriesKey { service, operation: operation.into(), kind, status }, figures)
    };
    for minute in keyed.chunk_by(|left, right| left.0.0 == right.0.0) {
        // Made from what is sorted, a map compares no names but neighbours', and takes the room of the list.
        let mut series = Vec::with_capacity(minute.len());
        series.extend(minute.chunk_by(|left, right| left.0 == right.0).map(count));
        minutes.entry(minute[0].0.0).or_default().series = series.into_iter().collect();
    }
}

fn count_edges(
    minutes: &mut BTreeMap<u64, Minute>,
    mut edges: Vec<Edge<'_>>,
    services: &Services<'_>,
    keeps_exemplars: bool,
) {
    edges.sort_unstable_by(|left, right| key(left).cmp(&key(right)));
    for alike in edges.chunk_by(|left, right| key(left) == key(right)) {
        let Some(first) = alike.first() else { continue };
        let mut figures = EdgeFigures::default();
        for edge in alike {
            figures.record(&edge.call, keeps_exemplars);
        }
        let (caller, callee) = (services.share(&first.caller), services.share(&first.callee));
        let key = EdgeKey { caller, callee, connection: first.connection };
        minutes.entry(first.call.unix_minute()).or_default().edges.insert(key, figures);
    }
}

fn key<'e>(edge: &'e Edge<'_>) -> (u64, &'e str, &'e str, crate::Connection) {
    (edge.call.unix_minute(), &edge.caller, &edge.callee, edge.connection)
}
