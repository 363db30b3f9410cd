//! A few spans to look at.

use clew_model::{SpanId, TraceId};
use clew_rollup::{Exemplar, Exemplars, Rollup};
use proptest::prelude::*;

use crate::draw::{Drawn, span};
use clew_model::Kind::Server;

fn exemplar(id: u8, duration_nanos: u64, is_error: bool) -> Exemplar {
    let (trace_id, span_id) = (TraceId([id; 16]), SpanId([id; 8]));
    Exemplar { trace_id, span_id, start_unix_nanos: u64::from(id), duration_nanos, is_error }
}

fn of(all: &[Exemplar]) -> Exemplars {
    let mut exemplars = Exemplars::default();
    for exemplar in all {
        exemplars.offer(*exemplar);
    }
    exemplars
}

#[test]
fn a_trace_that_is_dropped_leads_nowhere() {
    let spans = [span("web", Server, 1, 0).failed(), span("api", Server, 2, 1)];
    let (kept, dropped) = (Rollup::of_trace(&spans, true), Rollup::of_trace(&spans, false));
    assert!(kept.series(0..u64::MAX, None, None).all(|(_, _, figures)| figures.exemplars.iter().len() == 1));
    assert!(kept.edges(0..u64::MAX, None).all(|(_, _, figures)| figures.exemplars.failed().is_some()));
    assert!(dropped.series(0..u64::MAX, None, None).all(|(_, _, figures)| figures.exemplars.is_empty()));
    assert!(dropped.edges(0..u64::MAX, None).all(|(_, _, figures)| figures.exemplars.is_empty()));
    assert_eq!(kept, dropped, "exemplars are no figures");
}

#[test]
fn taking_figures_back_takes_their_exemplars() {
    let (one, other) = (exemplar(1, 10, false), exemplar(2, 20, false));
    let mut exemplars = of(&[one, other]);
    exemplars.subtract(&of(&[other]));
    assert_eq!(exemplars.iter().collect::<Vec<_>>(), [&one]);
}

#[test]
fn ids_are_bytes_in_bytes_and_hex_in_text() {
    let one = exemplar(0xab, 10, true);
    let bytes = postcard::to_stdvec(&one).unwrap();
    assert!(bytes.len() < 32, "{}", bytes.len());
    assert_eq!(postcard::from_bytes::<Exemplar>(&bytes).unwrap(), one);
    let text = serde_json::to_string(&one).unwrap();
    assert!(text.contains(r#""span_id":"abababababababab""#), "{text}");
    assert_eq!(serde_json::from_str::<Exemplar>(&text).unwrap(), one);
}

fn any_exemplar() -> impl Strategy<Value = Exemplar> {
    (1_u8..40, 0_u64..6, any::<bool>()).prop_map(|(id, duration, is_error)| exemplar(id, duration, is_error))
}

proptest! {
    #[test]
    fn order_and_parts_do_not_choose(mut all in prop::collection::vec(any_exemplar(), 0..30), cut in any::<prop::sample::Index>()) {
        let forth = of(&all);
        let (left, right) = all.split_at(cut.index(all.len() + 1));
        let mut parts = of(right);
        parts.add(&of(left));
        prop_assert_eq!(&parts, &forth);
        let slowest = all.iter().map(|exemplar| exemplar.duration_nanos).max();
        prop_assert_eq!(forth.slowest().map(|exemplar| exemplar.duration_nanos), slowest);
        prop_assert_eq!(forth.failed().is_some(), all.iter().any(|exemplar| exemplar.is_error));
        prop_assert!(forth.failed().is_none_or(|exemplar| exemplar.is_error));
        prop_assert!(forth.iter().len() <= 3 && forth.typical().is_some() != all.is_empty());
        all.reverse();
        prop_assert_eq!(&of(&all), &forth);
    }
}
