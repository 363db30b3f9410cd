//! Clocks that disagree.

use clew_analysis::{Marks, Options, SkewEvidence, explain};

use crate::draw::{MILLI, assert_tiled, explained, spans, tree};

const LATE: &str = "
GET / | server @web host=h1 0-100
  call | client @web host=h1 10-90
    serve | server @api host=h2 1020-1080
      query | client @api host=h2 1030-1070";

#[test]
fn a_clock_ahead_is_noted_and_left_alone() {
    let told = explained(LATE);
    let [skew] = told.skews.as_slice() else { panic!("{:?}", told.skews) };
    assert_eq!((skew.reference.as_str(), skew.instance.as_str()), ("web@h1", "api@h2"));
    assert_eq!((skew.offset_nanos, skew.edge_count), (1000 * MILLI as i64, 1));
    assert_eq!((skew.evidence, skew.is_corrected), (SkewEvidence::Containment, false));
    assert!(told.tree.has(2, Marks::CLOCK_SUSPECT));
    assert!(told.thread.async_tail.is_none());
}

#[test]
fn correction_moves_the_whole_instance() {
    let told = explain(spans(LATE), &Options { correct_skew: true });
    assert_tiled(&told);
    assert!(told.skews[0].is_corrected);
    assert_eq!(tree(&told), "GET /(call(serve(query)))");
    assert_eq!(told.spans[3].start_unix_nanos, told.spans[0].start_unix_nanos + 30 * MILLI);
    let names: Vec<&str> = told.thread.segments.iter().map(|s| told.spans[s.span.unwrap()].name.as_str()).collect();
    assert_eq!(names, ["GET /", "call", "serve", "query", "serve", "call", "GET /"]);
}

#[test]
fn one_estimate_for_all_calls_between_two_instances() {
    // Middles 1005, 995 and, from the other direction, 1000.
    let drawing = "
root | @a 0-1000
  c1 | client @a 0-100
    s1 | server @b 1015-1095
      back | client @b 1020-1090
        s4 | server @a 40-70
  c2 | client @a 200-300
    s2 | server @b 1205-1285";
    let told = explained(drawing);
    let [skew] = told.skews.as_slice() else { panic!("{:?}", told.skews) };
    assert_eq!((skew.offset_nanos, skew.edge_count), (1000 * MILLI as i64, 3));
    let corrected = explain(spans(drawing), &Options { correct_skew: true });
    let starts: Vec<u64> =
        corrected.spans.iter().map(|span| (span.start_unix_nanos - told.spans[0].start_unix_nanos) / MILLI).collect();
    assert_eq!(starts, [0, 0, 15, 20, 40, 200, 205]);
}

#[test]
fn timeouts_and_same_hosts_are_no_evidence() {
    for drawing in [
        "call | client @web 0-100\n  serve | server @api 10-600",
        "call | client @web host=h1 0-100\n  serve | server @api host=h1 200-210",
        "call | client @web 0-100\n  serve | server @api 10-90",
        "call | @web 0-100\n  work | @api 200-210",
    ] {
        assert_eq!(explained(drawing).skews, [], "{drawing}");
    }
}

#[test]
fn most_calls_must_disagree() {
    let drawing = "
root | @a 0-1000
  c1 | client @a 0-100
    s1 | server @b 50-140
  c2 | client @a 200-300
    s2 | server @b 210-290
  c3 | client @a 400-500
    s3 | server @b 410-490";
    assert_eq!(explained(drawing).skews, []);
}

#[test]
fn a_message_before_it_was_sent_is_noted_and_never_moved() {
    let drawing = "
order | server @shop 200-300
  publish | producer @shop 210-220
    consume | consumer @mail 110-150";
    let told = explain(spans(drawing), &Options { correct_skew: true });
    let [skew] = told.skews.as_slice() else { panic!("{:?}", told.skews) };
    assert_eq!((skew.offset_nanos, skew.evidence), (-100 * MILLI as i64, SkewEvidence::Order));
    assert!(!skew.is_corrected);
    assert_eq!(told.spans, explained(drawing).spans);
}

#[test]
fn a_consumer_moves_with_its_instance_when_calls_prove_the_clock() {
    let drawing = "
order | server @shop 0-300
  call | client @shop 10-90
    serve | server @mail 1020-1080
  publish | producer @shop 100-110
    consume | consumer @mail 1150-1200";
    let told = explain(spans(drawing), &Options { correct_skew: true });
    let consume = told.spans.iter().find(|span| span.name == "consume").unwrap();
    assert_eq!(consume.start_unix_nanos - told.spans[0].start_unix_nanos, 150 * MILLI);
}
