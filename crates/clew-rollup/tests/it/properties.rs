//! What holds for every trace.

use clew_model::{Kind, Link, Span, SpanId, Status, StatusCode, TraceId, identity};
use clew_rollup::Rollup;
use proptest::prelude::*;

use crate::draw::{Drawn, TRACE, span};
use crate::reference;

/// Attributes that edges read, and some that they do not.
const ATTRIBUTES: [(&str, &str); 16] = [
    ("db.system", "redis"),
    ("db.namespace", "shop"),
    ("db.name", ""),
    ("db.statement", "GET"),
    ("messaging.system", "kafka"),
    ("messaging.destination.name", "orders"),
    ("messaging.operation.type", "receive"),
    ("rpc.system", "grpc"),
    ("http.route", "/"),
    ("server.address", "host"),
    ("server.address", "a"),
    ("net.peer.name", "host"),
    ("network.peer.address", "10.0.0.1"),
    ("peer.service", "b"),
    ("error", "true"),
    ("thread.name", "main"),
];

fn any_span() -> impl Strategy<Value = Span> {
    let place = (1_u64..14, 0_u64..16, 0_usize..6, 0_usize..3);
    let time = (prop_oneof![0_u64..3, Just(u64::MAX)], prop_oneof![0_u64..100, Just(u64::MAX)]);
    let links = prop::collection::vec((any::<bool>(), 1_u64..16), 0..3);
    let attributes = prop::collection::vec(prop::sample::select(&ATTRIBUTES), 0..4);
    let rest =
        (0_usize..3, prop::sample::select(&["", "ot=th:c", "ot=th:8;rv:00000000000001", "x=y,ot=th:fd70a"]), 0_u8..3);
    (place, time, links, attributes, rest).prop_map(
        |((id, parent, kind, service), (start, duration), links, attributes, rest)| {
            let (status, state, name) = rest;
            let mut drawn = span(["a", "b", "c"][service], Kind::ALL[kind], id, parent);
            drawn.start_unix_nanos = start.saturating_mul(Rollup::MINUTE_NANOS / 2);
            drawn.duration_nanos = duration;
            drawn.name = format!("op {name}");
            let code = [StatusCode::Unset, StatusCode::Ok, StatusCode::Error][status];
            drawn.status = Status { code, ..Status::default() };
            state.clone_into(&mut drawn.trace_state);
            for (is_here, id) in links {
                let trace_id = if is_here { TRACE } else { TraceId([9; 16]) };
                drawn.links.push(Link { trace_id, span_id: SpanId::from_u64(id), ..Link::default() });
            }
            attributes.into_iter().fold(drawn, |drawn, (key, value)| drawn.with(key, value))
        },
    )
}

pub(crate) fn any_trace() -> impl Strategy<Value = Vec<Span>> {
    prop::collection::vec(any_span(), 0..24).prop_map(identity::distinct)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn figures_are_those_of_a_naive_count(spans in any_trace()) {
        let rollup = Rollup::of_trace(&spans, true);
        let mut series = reference::Series::new();
        for (minute, key, figures) in rollup.series(0..u64::MAX, None, None) {
            let key = (minute, key.service.to_string(), key.operation.to_string(), key.kind, key.status);
            prop_assert_eq!(figures.received, figures.duration.count());
            series.insert(key, (figures.received, figures.errors, figures.duration.sum_nanos()));
        }
        prop_assert_eq!(series, reference::series(&spans));
        let mut edges = reference::Edges::new();
        for (minute, key, figures) in rollup.edges(0..u64::MAX, None) {
            let key = (minute, key.caller.to_string(), key.callee.to_string(), key.connection);
            edges.insert(key, (figures.received, figures.errors));
        }
        prop_assert_eq!(edges, reference::edges(&spans));
    }
}

proptest! {
    #[test]
    fn order_does_not_matter(spans in any_trace(), order in any::<u64>()) {
        let mut shuffled = spans.clone();
        shuffled.sort_by_key(|span| {
            (span.span_id.to_u64() ^ span.duration_nanos ^ span.name.len() as u64).wrapping_mul(order | 1)
        });
        let (rollup, other) = (Rollup::of_trace(&spans, true), Rollup::of_trace(&shuffled, true));
        prop_assert_eq!(&rollup, &other);
        prop_assert_eq!(postcard::to_stdvec(&rollup).unwrap(), postcard::to_stdvec(&other).unwrap(), "and exemplars");
    }

    #[test]
    fn what_is_taken_back_was_never_there(left in any_trace(), right in any_trace()) {
        let (left, right) = (Rollup::of_trace(&left, true), Rollup::of_trace(&right, true));
        let mut sum = left.clone();
        sum.add(&right);
        let mut other = right.clone();
        other.add(&left);
        prop_assert_eq!(&sum, &other);
        sum.subtract(&right);
        prop_assert_eq!(&sum, &left);
        sum.subtract(&left);
        prop_assert!(sum.is_empty());
    }

    #[test]
    fn the_sum_of_what_each_part_changed_is_the_whole(spans in any_trace(), cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..4)) {
        let mut ends: Vec<usize> = cuts.iter().map(|cut| cut.index(spans.len() + 1)).collect();
        ends.push(spans.len());
        ends.sort_unstable();
        let mut sum = Rollup::default();
        let mut counted = 0;
        for end in ends {
            let mut delta = Rollup::of_trace(&spans[..end], true);
            delta.subtract(&Rollup::of_trace(&spans[..counted], true));
            sum.add(&delta);
            counted = end;
        }
        prop_assert_eq!(sum, Rollup::of_trace(&spans, true));
    }

    #[test]
    fn caps_change_no_total(spans in any_trace(), cap in 0_usize..6) {
        let mut rollup = Rollup::of_trace(&spans, true);
        let series = |rollup: &Rollup| {
            let mut total = clew_rollup::Figures::default();
            rollup.series(0..u64::MAX, None, None).for_each(|(_, _, figures)| total.add(figures));
            total
        };
        let edges = |rollup: &Rollup| {
            let mut total = clew_rollup::EdgeFigures::default();
            rollup.edges(0..u64::MAX, None).for_each(|(_, _, figures)| total.add(figures));
            total
        };
        let before = (series(&rollup), edges(&rollup));
        rollup.cap(cap);
        rollup.cap_edges(cap);
        prop_assert_eq!((series(&rollup), edges(&rollup)), before);
        for (_, minute) in rollup.minutes(0..u64::MAX) {
            let is_other = |name: &str| name == "(other)";
            prop_assert!(minute.series.keys().filter(|key| !is_other(&key.service)).count() <= cap);
            prop_assert!(minute.edges.keys().filter(|key| !is_other(&key.caller)).count() <= cap);
        }
    }

    #[test]
    fn bytes_come_back(spans in any_trace()) {
        let rollup = Rollup::of_trace(&spans, true);
        let bytes = postcard::to_stdvec(&rollup).unwrap();
        let back: Rollup = postcard::from_bytes(&bytes).unwrap();
        prop_assert_eq!(&back, &rollup);
        prop_assert_eq!(postcard::to_stdvec(&back).unwrap(), bytes);
    }

    #[test]
    fn bytes_that_are_cut_or_changed_do_not_panic(spans in any_trace(), at in any::<prop::sample::Index>(), bits in 1_u8..) {
        let mut bytes = postcard::to_stdvec(&Rollup::of_trace(&spans, true)).unwrap();
        let at = at.index(bytes.len());
        let _ = postcard::from_bytes::<Rollup>(&bytes[..at]);
        bytes[at] ^= bits;
        if let Ok(mut odd) = postcard::from_bytes::<Rollup>(&bytes) {
            let copy = odd.clone();
            odd.add(&copy);
            odd.subtract(&copy);
            odd.cap(1);
            odd.series(0..u64::MAX, None, None).for_each(|(_, _, figures)| {
 let _ = figures.duration.quantile(0.9);
});
        }
    }
}
