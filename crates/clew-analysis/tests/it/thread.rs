//! Horizons, gaps, orphans, several roots.

use clew_analysis::{SegmentKind, explain};
use clew_model::Span;

use crate::draw::{EPOCH, MILLI, assert_tiled, explained, spans, thread};

/// The registration trace that shows why gaps matter: 81 ms of the root are its own, 75 of them in one hole.
pub(crate) const REGISTER: &str = "
POST /auth/register | server @auth 0-90
  findByEmail | @auth 2-8
    Repository.query | @auth 3-7.5
      SELECT users | client @auth 3.5-7
  save | @auth 83-88.5
    Transaction.commit | @auth 84-88";

#[test]
fn the_hole_between_two_calls_is_the_finding() {
    let explained = explained(REGISTER);
    let names: Vec<&str> =
        explained.thread.segments.iter().map(|s| explained.spans[s.span.unwrap()].name.as_str()).collect();
    assert!(names.contains(&"save") && names.contains(&"Transaction.commit") && names.contains(&"SELECT users"));

    let [gap] = explained.thread.gaps.as_slice() else { panic!("{:?}", explained.thread.gaps) };
    let name = |span: Option<usize>| explained.spans[span.unwrap()].name.as_str();
    assert_eq!((gap.to_nanos - gap.from_nanos) / MILLI, 75);
    assert_eq!((name(gap.span), name(gap.before), name(gap.after)), ("POST /auth/register", "findByEmail", "save"));

    let bottleneck = explained.thread.bottleneck.as_ref().unwrap();
    assert_eq!((bottleneck.kind, bottleneck.gap), (SegmentKind::Gap, Some(0)));
    assert!((bottleneck.share - 75.0 / 90.0).abs() < 1e-9);
}

#[test]
fn a_call_is_on_its_way_around_its_server() {
    let call = "a | client @web 0-100\n  b | server @shop 1-60";
    assert_eq!(thread(call), "a 0-1 transit, b 1-60, a 60-100 transit");
    let retried = "a | client @web 0-100\n  b | server @shop 10-20\n  c | server @shop 50-90";
    assert_eq!(thread(retried), "a 0-10 transit, b 10-20, a 20-50 transit, c 50-90, a 90-100 transit");
    let proxied = "a | client @web 0-100\n  dial | @web 0-20\n  b | server @shop 50-90";
    assert_eq!(thread(proxied), "dial 0-20, a 20-50 gap, b 50-90, a 90-100 transit");
    assert_eq!(thread("a | server @web 0-100\n  b | server @shop 50-90"), "a 0-50 gap, b 50-90, a 90-100 gap");
}

#[test]
fn a_leaf_is_all_its_own_and_no_gap() {
    assert_eq!(thread("a | 0-100"), "a 0-100");
}

#[test]
fn small_holes_are_the_spans_own_time() {
    let drawing = "
a | 0-100
  b | 4-50
  c | 53-100";
    assert_eq!(thread(drawing), "a 0-4, b 4-50, a 50-53, c 53-100");
    // 5 % of 1 ms, but less than 100 us.
    assert_eq!(thread("a | 0-1\n  b | 0.09-1"), "a 0-0.09, b 0.09-1");
    assert_eq!(thread("a | 0-1\n  b | 0.1-1"), "a 0-0.1 gap, b 0.1-1");
}

#[test]
fn no_spans_no_thread() {
    let explained = explain(Vec::new(), &clew_analysis::Options::default());
    assert_tiled(&explained);
    assert_eq!(explained.thread.sentence, "no spans");
    assert_eq!(explained.thread.total_nanos, 0);
}

#[test]
fn a_root_without_length_leaves_all_to_the_second_horizon() {
    let drawing = "
a | 0-0
  b | 0-50";
    assert_eq!(thread(drawing), " | b 0-50");
}

#[test]
fn without_a_root_the_horizon_is_first_start_to_last_end() {
    let drawing = "
b | orphan 10-40
c | orphan 50-60";
    assert_eq!(thread(drawing), "b 0-30, - 30-40 gap, c 40-50");
}

#[test]
fn several_roots_are_followed_one_into_the_other() {
    let drawing = "
a | 0-60
b | 50-100
  c | 55-120";
    assert_eq!(thread(drawing), "a 0-50, b 50-55, c 55-120");
}

#[test]
fn messages_of_several_roots_are_inside_the_one_horizon() {
    let drawing = "
a | producer 0-10
  b | consumer @mail 40-50
c | 20-30";
    assert_eq!(thread(drawing), "a 0-10, - 10-20 gap, c 20-30, - 30-40 gap, b 40-50");
}

#[test]
fn an_orphan_inside_the_root_explains_its_time() {
    let drawing = "
a | 0-100
  b | 0-20
c | orphan @db 25-95";
    let told = explained(drawing);
    assert_eq!(thread(drawing), "b 0-20, a 20-25 gap, c 25-95, a 95-100 gap");
    // Self time stays a matter of known children.
    assert_eq!(told.self_nanos[0], 80 * MILLI);
}

#[test]
fn an_orphan_that_leaves_the_root_is_work_of_its_own() {
    let drawing = "
a | 0-100
c | orphan @mail 90-150";
    assert_eq!(thread(drawing), "a 0-100 | c 100-150");
}

#[test]
fn an_odd_clock_does_not_stretch_the_horizon() {
    let mut spans = spans(
        "
a | 0-100
  b | 10-90
    c | odd 20-30",
    );
    let last: &mut Span = spans.last_mut().unwrap();
    last.start_unix_nanos = 0;
    let told = explain(spans.clone(), &clew_analysis::Options::default());
    assert_eq!((told.thread.total_nanos, told.thread.async_tail.is_none()), (100 * MILLI, true));
    assert_eq!((told.summary.start_unix_nanos, told.summary.duration_nanos), (EPOCH, 100 * MILLI));

    // A root with an odd clock: the others make the horizon.
    spans[0].start_unix_nanos = 0;
    spans[0].notes |= clew_model::Notes::ODD_TIME;
    let told = explain(spans, &clew_analysis::Options::default());
    assert_tiled(&told);
    assert_eq!((told.thread.from_unix_nanos, told.thread.total_nanos), (EPOCH + 10 * MILLI, 80 * MILLI));
}

#[test]
fn the_json_has_the_names_clients_rely_on() {
    let json = serde_json::to_value(&explained(REGISTER).thread).unwrap();
    assert_eq!(json["totalNanos"], 90 * MILLI);
    let kinds: Vec<&str> = json["segments"].as_array().unwrap().iter().map(|s| s["kind"].as_str().unwrap()).collect();
    assert!(kinds.contains(&"self") && kinds.contains(&"gap"), "{kinds:?}");
    let first = serde_json::json!({"span": 0, "spanId": "0000000000000001", "fromNanos": 0, "toNanos": 2 * MILLI, "kind": "self"});
    assert_eq!(json["segments"][0], first);
    assert_eq!(json["bottleneck"]["spanId"], "0000000000000001");
    assert_eq!(json["gaps"][0]["toNanos"], 83 * MILLI);
    let marks = serde_json::to_value(explained("a | orphan 0-1").tree).unwrap();
    assert_eq!(marks["nodes"][0]["marks"], serde_json::json!(["orphan"]));
}
