//! Figures by minute and key.

use clew_model::Kind::{Client, Internal, Server};
use clew_model::{Kind, Span, StatusCode};
use clew_rollup::{Figures, Rollup, SeriesKey, Weight};

use crate::draw::{Drawn, MINUTE, span};

fn named(mut span: Span, name: &str) -> Span {
    name.clone_into(&mut span.name);
    span
}

fn later(mut span: Span, minutes: u64) -> Span {
    span.start_unix_nanos += minutes * Rollup::MINUTE_NANOS;
    span
}

fn total(rollup: &Rollup) -> Figures {
    let mut total = Figures::default();
    rollup.series(0..u64::MAX, None, None).for_each(|(_, _, figures)| total.add(figures));
    total
}

#[test]
fn a_series_is_service_operation_kind_and_status() {
    let base = || named(span("web", Server, 1, 0), "GET /");
    let mut ok = base();
    ok.status.code = StatusCode::Ok;
    let spans = [base(), base(), named(base(), "GET /cart"), Span { kind: Internal, ..base() }, ok, base().failed()];
    let rollup = Rollup::of_trace(&spans, true);
    let received = |(minute, key, figures): (u64, &SeriesKey, &Figures)| {
        assert_eq!((minute, &*key.service), (MINUTE, "web"));
        (key.operation.to_string(), key.kind, key.status, figures.received, figures.errors)
    };
    let found: Vec<_> = rollup.series(0..u64::MAX, None, None).map(received).collect();
    let get = |kind: Kind, status, received, errors| ("GET /".to_owned(), kind, status, received, errors);
    let cart = ("GET /cart".to_owned(), Server, StatusCode::Unset, 1, 0);
    let expected = [
        get(Internal, StatusCode::Unset, 1, 0),
        get(Server, StatusCode::Unset, 2, 0),
        get(Server, StatusCode::Ok, 1, 0),
        get(Server, StatusCode::Error, 1, 1),
        cart,
    ];
    assert_eq!(found, expected);
}

#[test]
fn whatever_fails_has_the_status_error() {
    let mut odd = span("web", Server, 1, 0).with("error", "TRUE");
    odd.status.code = StatusCode::Ok;
    let rollup = Rollup::of_trace(&[odd], true);
    let (_, key, figures) = rollup.series(0..u64::MAX, None, None).next().unwrap();
    assert_eq!((key.status, figures.errors), (StatusCode::Error, 1));
}

#[test]
fn minutes_begin_where_they_begin() {
    let at = |nanos: u64| Span { start_unix_nanos: nanos, ..span("web", Server, 1, 0) };
    let minute = Rollup::MINUTE_NANOS;
    let rollup = Rollup::of_trace(&[at(0), at(minute - 1), at(minute), at(u64::MAX)], true);
    let found: Vec<(u64, i64)> =
        rollup.series(0..u64::MAX, None, None).map(|(minute, _, figures)| (minute, figures.received)).collect();
    assert_eq!(found, [(0, 2), (1, 1), (u64::MAX / minute, 1)]);
}

#[test]
fn sampled_spans_stand_for_others() {
    let sampled = |state: &str| Span { trace_state: state.to_owned(), ..span("web", Server, 1, 0) };
    let rollup = Rollup::of_trace(&[sampled("ot=th:c"), sampled("ot=th:c").failed(), sampled("")], true);
    let total = total(&rollup);
    assert_eq!((total.received, total.weighted.to_f64(), total.weighted_errors.to_f64()), (3, 9.0, 4.0));
    assert_eq!((total.duration.count(), total.weighted_duration().count()), (3, 9));
    let plain = Rollup::of_trace(&[sampled("")], true);
    let (_, _, figures) = plain.series(0..u64::MAX, None, None).next().unwrap();
    assert!(figures.unreceived.is_zero() && *figures.weighted_duration() == figures.duration);
}

#[test]
fn weights_are_exact_and_bounded() {
    assert_eq!(Weight::of(1.0), Weight::ONE);
    assert_eq!(Weight::of(f64::NAN), Weight::ONE);
    assert_eq!(Weight::of(-1.0), Weight::default());
    assert_eq!(Weight::of(f64::INFINITY), Weight::of(2_f64.powi(56)));
    assert_eq!((Weight::of(2.5).to_i64(), Weight::of(2.49).to_i64(), Weight::of(0.25).to_f64()), (3, 2, 0.25));
    let mut sum = Weight::default();
    (0..10).for_each(|_| sum.add(Weight::of(0.1)));
    (0..10).for_each(|_| sum.subtract(Weight::of(0.1)));
    assert!(sum.is_zero());
}

#[test]
fn nothing_remains_of_what_is_taken_back() {
    let spans = [span("web", Client, 1, 0), later(span("api", Server, 2, 1), 1)];
    let rollup = Rollup::of_trace(&spans, true);
    let mut sum = rollup.clone();
    sum.subtract(&rollup);
    assert!(sum.is_empty() && sum == Rollup::default());
    sum.subtract(&rollup);
    assert_eq!((sum.series_count(), total(&sum).received), (2, -2), "a debt is kept");
    sum.add(&rollup);
    assert!(sum.is_empty());
}

#[test]
fn the_largest_series_stay_and_totals_do_not_change() {
    let mut spans = Vec::new();
    for (name, count) in [("a", 5), ("b", 3), ("c", 3), ("d", 1), ("e", 1)] {
        let one = || named(span("web", Server, 1, 0), name);
        spans.extend((0..count).map(|_| one()));
    }
    spans.push(named(span("web", Server, 1, 0), "f").failed());
    spans.push(later(named(span("web", Server, 1, 0), "g"), 1));
    let mut rollup = Rollup::of_trace(&spans, true);
    let before = total(&rollup);
    assert_eq!(rollup.cap(2), 4);
    let words = |rollup: &Rollup| -> Vec<String> {
        let word = |(_, key, figures): (u64, &SeriesKey, &Figures)| {
            format!("{} {} {} {}", key.service, key.operation, key.status.as_str(), figures.received)
        };
        rollup.series(0..u64::MAX, None, None).map(word).collect()
    };
    let expected =
        ["(other) (other) unset 5", "(other) (other) error 1", "web a unset 5", "web b unset 3", "web g unset 1"];
    assert_eq!(words(&rollup), expected);
    assert_eq!(total(&rollup), before);
    assert_eq!(rollup.cap(2), 0, "what was folded is not folded again");
    assert_eq!(rollup.cap(0), 3);
    assert_eq!(total(&rollup), before);
}

#[test]
fn the_largest_edges_stay() {
    let call = |id: u64, host: &str| span("web", Client, id, 0).with("server.address", host);
    let spans = [call(1, "a"), call(2, "a"), call(3, "b"), call(4, "c")];
    let mut rollup = Rollup::of_trace(&spans, true);
    assert_eq!(rollup.cap_edges(1), 2);
    let found: Vec<String> = rollup
        .edges(0..u64::MAX, None)
        .map(|(_, key, figures)| format!("{} {} {}", key.caller, key.callee, figures.received))
        .collect();
    assert_eq!(found, ["(other) (other) 2", "web a 2"]);
    assert_eq!((rollup.edge_count(), rollup.cap_edges(1)), (2, 0));
}

#[test]
fn questions_are_about_minutes_services_and_operations() {
    let spans = [
        named(span("web", Client, 1, 0), "GET"),
        named(span("api", Server, 2, 1), "GET"),
        later(named(span("api", Client, 3, 2).with("db.system", "redis"), "SET"), 1),
    ];
    let rollup = Rollup::of_trace(&spans, true);
    let count = |minutes, service, operation| rollup.series(minutes, service, operation).count();
    let all = || 0..u64::MAX;
    assert_eq!((count(all(), None, None), count(MINUTE..MINUTE + 1, None, None)), (3, 2));
    assert_eq!((count(MINUTE + 1..MINUTE + 2, None, None), count(MINUTE..MINUTE, None, None)), (1, 0));
    #[expect(clippy::reversed_empty_ranges, reason = "that is what is asked")]
    let reversed = 9..3;
    assert_eq!(count(reversed, None, None), 0);
    assert_eq!((count(all(), Some("api"), None), count(all(), None, Some("GET"))), (2, 2));
    assert_eq!((count(all(), Some("api"), Some("GET")), count(all(), Some("ap"), None)), (1, 0));
    let edges = |service| rollup.edges(0..u64::MAX, service).count();
    assert_eq!((edges(None), edges(Some("web")), edges(Some("api")), edges(Some("redis"))), (2, 1, 2, 1));
    assert_eq!(rollup.minutes(0..u64::MAX).map(|(minute, _)| minute).collect::<Vec<_>>(), [MINUTE, MINUTE + 1]);
}

#[test]
fn a_new_minute_shares_the_names_of_the_one_before() {
    let name = "a long name of an operation, of which there is but one";
    let one = || named(span("web", Server, 1, 0), name);
    let mut rollup = Rollup::of_trace(&[one()], true);
    rollup.add(&Rollup::of_trace(&[later(one(), 1)], true));
    let names: Vec<_> = rollup.series(0..u64::MAX, None, None).map(|(_, key, _)| key.operation.clone()).collect();
    assert!(std::sync::Arc::ptr_eq(&names[0], &names[1]));
}

#[test]
fn bytes_of_memory_grow_with_what_is_in_it() {
    let mut sum = Rollup::default();
    let mut last = sum.bytes();
    for id in 1..50 {
        sum.add(&Rollup::of_trace(&[named(span("web", Server, id, 0), &format!("operation {id}"))], true));
        assert!(sum.bytes() > last + 200);
        last = sum.bytes();
    }
    assert!(last < 50 * 500, "{last}");
}
