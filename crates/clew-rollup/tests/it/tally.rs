//! Many traces counted at once, against the sum of each, and against spans that are recorded one by one.

use std::collections::BTreeMap;

use clew_model::{Kind, Span, SpanId, StatusCode};
use clew_rollup::{Exemplar, Figures, Rollup, SeriesKey, Tally, Weight, key};
use proptest::prelude::*;

use crate::draw::{Drawn, MINUTE, span};
use crate::properties::any_trace;

fn tally(traces: &[(Vec<Span>, bool)]) -> Rollup {
    let mut tally = Tally::default();
    for (spans, keeps_exemplars) in traces {
        tally.add(spans, *keeps_exemplars);
    }
    tally.into_rollup()
}

/// Equal bytes are equal figures and equal exemplars.
fn bytes(rollup: &Rollup) -> Vec<u8> {
    postcard::to_stdvec(rollup).expect("figures are plain data")
}

/// The series as they are defined: each span is recorded where it belongs.
fn naive(traces: &[(Vec<Span>, bool)]) -> BTreeMap<(u64, SeriesKey), Figures> {
    let mut all: BTreeMap<(u64, SeriesKey), Figures> = BTreeMap::new();
    for (span, keeps_exemplars) in traces.iter().flat_map(|(spans, keeps)| spans.iter().map(|span| (span, *keeps))) {
        let (service, operation) = (span.service().into(), span.name.as_str().into());
        let key = SeriesKey { service, operation, kind: span.kind, status: key::status_of(span) };
        let figures = all.entry((span.start_unix_nanos / Rollup::MINUTE_NANOS, key)).or_default();
        let weight = Weight::of(span.adjusted_count());
        figures.received += 1;
        figures.weighted.add(weight);
        figures.duration.record(span.duration_nanos, 1);
        figures.unreceived.record(span.duration_nanos, weight.to_i64() - 1);
        if span.is_error() {
            figures.errors += 1;
            figures.weighted_errors.add(weight);
        }
        if keeps_exemplars {
            figures.exemplars.offer(Exemplar::of(span, span.is_error()));
        }
    }
    all
}

/// Series with their exemplars, which equality of figures does not ask for.
fn shown<'a>(series: impl Iterator<Item = (u64, &'a SeriesKey, &'a Figures)>) -> Vec<String> {
    series.map(|each| format!("{each:?}")).collect()
}

#[test]
fn nothing_is_nothing() {
    assert!(tally(&[]).is_empty());
    assert!(tally(&[(Vec::new(), true)]).is_empty());
}

#[test]
fn services_are_told_apart_by_name_and_not_by_resource() {
    let spans = |name: &str| (vec![span(name, Kind::Server, 1, 0)], true);
    let rollup = tally(&[spans("web"), spans("api"), spans("web")]);
    let services: Vec<(&str, i64)> =
        rollup.series(0..u64::MAX, None, None).map(|(_, key, figures)| (&*key.service, figures.received)).collect();
    assert_eq!(services, [("api", 1), ("web", 2)]);
}

#[test]
fn a_name_is_in_memory_once_for_all_minutes() {
    let late = |minutes: u64| {
        let mut late = span("web", Kind::Server, 1, 0);
        late.start_unix_nanos += minutes * Rollup::MINUTE_NANOS;
        (vec![late], true)
    };
    let rollup = tally(&[late(0), late(1)]);
    let keys: Vec<&SeriesKey> = rollup.series(MINUTE..MINUTE + 2, None, None).map(|(_, key, _)| key).collect();
    assert!(std::sync::Arc::ptr_eq(&keys[0].operation, &keys[1].operation));
}

#[test]
fn figures_of_before_are_added_to() {
    let (one, other) = (vec![span("web", Kind::Client, 1, 0).failed()], vec![span("api", Kind::Server, 2, 1)]);
    let mut tally = Tally::default();
    tally.add_rollup(&Rollup::of_trace(&one, true));
    tally.add(&other, true);
    tally.add_rollup(&Rollup::of_trace(&other, true));
    let mut sum = Rollup::of_trace(&one, true);
    sum.add(&Rollup::of_trace(&other, true));
    sum.add(&Rollup::of_trace(&other, true));
    assert_eq!(bytes(&tally.into_rollup()), bytes(&sum));
}

proptest! {
    #[test]
    fn a_tally_is_the_sum_of_its_traces(traces in prop::collection::vec((any_trace(), any::<bool>()), 0..12)) {
        let mut sum = Rollup::default();
        for (spans, keeps_exemplars) in &traces {
            sum.add(&Rollup::of_trace(spans, *keeps_exemplars));
        }
        let mut turned = traces.clone();
        turned.reverse();
        let rollup = tally(&traces);
        prop_assert_eq!(&rollup, &sum);
        prop_assert_eq!(bytes(&rollup), bytes(&sum), "and exemplars");
        prop_assert_eq!(bytes(&tally(&turned)), bytes(&sum), "in any order");
    }

    #[test]
    fn series_are_those_of_spans_that_are_recorded_one_by_one(traces in prop::collection::vec((any_trace(), any::<bool>()), 0..12)) {
        let naive = naive(&traces);
        let series = naive.iter().map(|((minute, key), figures)| (*minute, key, figures));
        prop_assert_eq!(shown(tally(&traces).series(0..u64::MAX, None, None)), shown(series));
    }

    #[test]
    fn many_durations_are_counted_as_one_by_one(durations in prop::collection::vec((0_u64..64, any::<u64>(), any::<bool>()), 0..900)) {
        let spans = |(at, (shift, bits, is_error)): (usize, &(u64, u64, bool))| {
            let mut client = span("web", Kind::Client, at as u64 * 2 + 1, 0);
            client.name = "get".to_owned();
            client.start_unix_nanos = MINUTE * Rollup::MINUTE_NANOS;
            client.duration_nanos = bits >> shift;
            client.status.code = if *is_error { StatusCode::Error } else { StatusCode::Unset };
            let server = Span { span_id: SpanId::from_u64(at as u64 * 2 + 2), parent_span_id: Some(client.span_id), ..client.clone() };
            (vec![client, Span { kind: Kind::Server, ..server }], true)
        };
        let traces: Vec<(Vec<Span>, bool)> = durations.iter().enumerate().map(spans).collect();
        let (rollup, naive) = (tally(&traces), naive(&traces));
        let series = naive.iter().map(|((minute, key), figures)| (*minute, key, figures));
        prop_assert_eq!(shown(rollup.series(0..u64::MAX, None, None)), shown(series));
        // Both sides of a call took as long as the spans of either kind.
        let mut sides = clew_rollup::Histogram::default();
        naive.iter().filter(|((_, key), _)| key.kind == Kind::Client).for_each(|(_, figures)| sides.add(&figures.duration));
        for (_, _, edge) in rollup.edges(0..u64::MAX, None) {
            prop_assert_eq!((&edge.caller_duration, &edge.callee_duration), (&sides, &sides));
        }
    }
}
