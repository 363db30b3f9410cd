//! Large and crooked traces: nothing recurses, and time is near-linear.

use clew_model::{Kind, Span, SpanId};
use clew_rollup::Rollup;

use crate::draw::{Drawn, TRACE, span};

const SPANS: u64 = 10_000;

fn received(spans: &[Span]) -> i64 {
    let rollup = Rollup::of_trace(spans, true);
    assert_eq!(
        rollup.series(0..u64::MAX, None, None).map(|(_, _, figures)| figures.received).sum::<i64>(),
        spans.len() as i64
    );
    rollup.edges(0..u64::MAX, None).map(|(_, _, figures)| figures.received).sum()
}

#[test]
fn a_chain_of_calls() {
    let link = |id: u64| {
        let kind = if id.is_multiple_of(2) { Kind::Server } else { Kind::Client };
        span(["a", "b", "c"][(id / 2 % 3) as usize], kind, id, id - 1)
    };
    assert_eq!(received(&(1..=SPANS).map(link).collect::<Vec<_>>()), SPANS as i64 / 2);
}

#[test]
fn a_long_way_of_steps_that_many_take() {
    let mut spans = vec![span("a", Kind::Client, 1, 0)];
    spans.extend((2..=SPANS).map(|id| span("a", Kind::Internal, id, id - 1)));
    spans.extend((1..=SPANS).map(|id| span("b", Kind::Server, SPANS + id, SPANS)));
    // From below, too, so that the way is not known when it is asked first.
    spans.reverse();
    assert_eq!(received(&spans), SPANS as i64);
}

#[test]
fn a_long_way_of_clients_that_carry_each_other() {
    let client = |id: u64| span("a", Kind::Client, id, id - 1).with("db.system", "x");
    let mut spans: Vec<Span> = (1..=SPANS).map(client).collect();
    assert_eq!(received(&spans), 1);
    spans.push(span("b", Kind::Server, SPANS + 1, SPANS));
    assert_eq!(received(&spans), 1);
}

#[test]
fn one_circle_of_all() {
    let step = |id: u64| span("a", Kind::Internal, id, id % SPANS + 1);
    let mut spans: Vec<Span> = (1..=SPANS).map(step).collect();
    spans.extend((1..=SPANS).map(|id| span("a", Kind::Server, SPANS + id, id)));
    assert_eq!(received(&spans), 0);
}

#[test]
fn one_id_for_all() {
    let same = |at: u64| {
        let mut span = span(["a", "b"][(at % 2) as usize], Kind::ALL[(at % 6) as usize], 1, 1);
        span.duration_nanos = at;
        span
    };
    received(&(0..SPANS).map(same).collect::<Vec<_>>());
}

#[test]
fn links_from_all_to_all() {
    let linked = |id: u64| {
        let span = span(["a", "b"][(id % 2) as usize], Kind::Consumer, id, 0);
        (1..=100).fold(span, |span, other| span.linked(TRACE, other))
    };
    assert_eq!(received(&(1..=100).map(linked).collect::<Vec<_>>()), 100 * 50);
    let mut span = span("a", Kind::Consumer, 1, 0);
    span.parent_span_id = Some(SpanId::from_u64(1));
    assert_eq!(received(&[span]), 0);
}
