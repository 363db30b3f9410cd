//! The figures of a search page.

use clew_analysis::{Options, explain};
use clew_model::{RootRef, Summary, summarize};

use crate::draw::{EPOCH, MILLI, TRACE, id, spans};

#[test]
fn a_whole_trace() {
    let spans = spans(
        "
GET / | server @web 0-100
  call | client @web 10-90
    serve | server @api error=no 20-80",
    );
    let summary = summarize(&spans);
    let root = RootRef { service: "web".to_owned(), operation: "GET /".to_owned(), span_id: id(1) };
    let expected = Summary {
        trace_id: TRACE,
        root: Some(root),
        start_unix_nanos: EPOCH,
        duration_nanos: 100 * MILLI,
        span_count: 3,
        error_count: 1,
        services: vec!["api".to_owned(), "web".to_owned()],
        root_seen: true,
    };
    assert_eq!(summary, expected);
    assert_eq!(explain(spans, &Options::default()).summary, expected);
}

#[test]
fn which_span_stands_for_the_trace() {
    let cases = [
        ("a | orphan 5-10\n  b | 0-3\nc | orphan 2-9", "c", false),
        ("a | orphan 0-10\nb | 5-7", "b", true),
        ("a | link=2 0-10\nb | 5-7", "b", true),
        ("a | link=2 0-10", "a", true),
        ("a | parent=2 5-10\nb | parent=1 0-10", "b", false),
        ("a | 5-10\nb | 2-10", "b", true),
        ("a | 5-10\nb | odd 2-10", "a", true),
    ];
    for (drawing, operation, root_seen) in cases {
        let summary = summarize(&spans(drawing));
        assert_eq!((summary.root.unwrap().operation.as_str(), summary.root_seen), (operation, root_seen), "{drawing}");
    }
}

#[test]
fn no_spans() {
    assert_eq!(summarize(&[]), Summary::default());
}

#[test]
fn odd_times_count_when_there_are_no_others() {
    assert_eq!(summarize(&spans("a | odd 0-100")).duration_nanos, 100 * MILLI);
}
