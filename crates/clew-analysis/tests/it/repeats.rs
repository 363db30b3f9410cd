//! Siblings that repeat.

use std::fmt::Write as _;

use clew_analysis::{Explained, Options, RepeatKind, explain};
use clew_model::{Attribute, Span};

use crate::draw::{EPOCH, TRACE, id, resource, spans};

/// A root with `count` children of a millisecond each, one every `step_nanos`.
fn parent_of(count: u64, step_nanos: u64, change: impl Fn(u64, &mut Span)) -> Explained {
    let service = resource("catalog", None);
    let root = Span {
        trace_id: TRACE,
        span_id: id(1),
        name: "list".to_owned(),
        start_unix_nanos: EPOCH,
        duration_nanos: count * 2_000_000,
        resource: service.clone(),
        ..Span::default()
    };
    let child = |number: u64| {
        let mut span = Span {
            span_id: id(number + 2),
            parent_span_id: Some(id(1)),
            name: "SELECT products".to_owned(),
            kind: clew_model::Kind::Client,
            start_unix_nanos: EPOCH + number * step_nanos,
            duration_nanos: 1_000_000,
            attributes: vec![Attribute::new("http.route", "/"), Attribute::new("db.system.name", "postgresql")],
            ..root.clone()
        };
        change(number, &mut span);
        span
    };
    explain((0..count).map(child).chain([root.clone()]).collect(), &Options::default())
}

#[test]
fn queries_one_after_another_are_an_n_plus_one() {
    let explained = parent_of(312, 1_500_000, |_, _| {});
    let [repeat] = &explained.repeats[..] else { panic!("one group: {:?}", explained.repeats) };
    assert_eq!((repeat.parent, repeat.spans.len(), repeat.total_nanos), (Some(0), 312, 312_000_000));
    assert_eq!(repeat.spans, (1..=312).collect::<Vec<_>>());
    assert_eq!(repeat.kind, RepeatKind::NPlusOne);
    assert_eq!(repeat.sentence, "312 x SELECT products: one query per item (N+1), 312 ms in all");
}

#[test]
fn four_are_no_group_and_five_are() {
    assert!(parent_of(4, 2_000_000, |_, _| {}).repeats.is_empty());
    assert_eq!(parent_of(5, 2_000_000, |_, _| {}).repeats[0].spans, [1, 2, 3, 4, 5]);
    let different = parent_of(8, 2_000_000, |number, span| span.name = format!("SELECT {}", number % 2));
    assert!(different.repeats.is_empty(), "four of each: {:?}", different.repeats);
    let kinds = parent_of(8, 2_000_000, |number, span| {
        span.kind = if number < 4 { clew_model::Kind::Internal } else { clew_model::Kind::Client };
    });
    assert!(kinds.repeats.is_empty(), "four of each: {:?}", kinds.repeats);
}

#[test]
fn what_runs_side_by_side_or_calls_no_database_only_repeats() {
    let side_by_side = parent_of(20, 10_000, |_, _| {});
    assert_eq!(side_by_side.repeats[0].kind, RepeatKind::Repeated);
    assert_eq!(side_by_side.repeats[0].sentence, "20 x SELECT products, 20.0 ms in all");
    // One pair in ten may touch.
    let nearly = parent_of(11, 2_000_000, |number, span| span.duration_nanos += u64::from(number == 3) * 1_500_000);
    assert_eq!(nearly.repeats[0].kind, RepeatKind::NPlusOne);
    let twice = parent_of(11, 2_000_000, |number, span| span.duration_nanos += u64::from(number % 3 == 0) * 1_500_000);
    assert_eq!(twice.repeats[0].kind, RepeatKind::Repeated);
    let http = parent_of(20, 2_000_000, |_, span| span.attributes.truncate(1));
    assert_eq!(http.repeats[0].kind, RepeatKind::Repeated);
    let zipkin = parent_of(20, 2_000_000, |_, span| span.attributes[1].key = "sql.query".to_owned());
    assert_eq!(zipkin.repeats[0].kind, RepeatKind::NPlusOne);
    // The server's half of a call says which database it is, and asks none.
    let server = parent_of(20, 2_000_000, |_, span| span.kind = clew_model::Kind::Server);
    assert_eq!(server.repeats[0].kind, RepeatKind::Repeated);
}

#[test]
fn spans_without_a_received_parent_are_siblings_by_its_name() {
    let lines = "poll | 0-1\npoll | 2-3\npoll | 4-5\npoll | 6-7\npoll | 8-9\nother | parent=500 0-1\n";
    let explained = explain(spans(lines), &Options::default());
    assert_eq!(explained.repeats.iter().map(|repeat| repeat.spans.len()).collect::<Vec<_>>(), [5]);
    assert_eq!(explained.repeats[0].parent, None);
    let orphans = |parents: [u64; 6]| {
        let lines: String = parents.map(|parent| format!("poll | parent={parent} 0-1\n")).concat();
        explain(spans(&lines), &Options::default()).repeats.len()
    };
    assert_eq!((orphans([500; 6]), orphans([500, 500, 500, 501, 501, 501])), (1, 0));
}

#[test]
fn a_hundred_thousand_siblings_are_one_group_of_one_length() {
    let explained = parent_of(100_000, 2_000_000, |number, span| {
        span.name = if number % 2 == 0 { "even".to_owned() } else { "odd".to_owned() };
    });
    let counts: Vec<_> = explained.repeats.iter().map(|repeat| (repeat.spans[0], repeat.spans.len())).collect();
    assert_eq!(counts, [(1, 50_000), (2, 50_000)]);
    // Each of its own name: as many candidates as spans, and no group.
    assert!(parent_of(100_000, 2_000_000, |number, span| span.name = number.to_string()).repeats.is_empty());
}

#[test]
fn groups_below_different_parents_are_told_apart_and_come_by_their_first_span() {
    let mut drawing = String::from("root | 0-100\n");
    for parent in 0..3 {
        writeln!(drawing, "  part | {}-{}", parent * 30, parent * 30 + 29).unwrap();
        for call in 0..5 + parent {
            let from = parent * 30 + call * 3;
            writeln!(drawing, "    call | {from}-{}", from + 2).unwrap();
        }
    }
    let explained = explain(spans(&drawing), &Options::default());
    let shapes: Vec<_> =
        explained.repeats.iter().map(|repeat| (repeat.parent.unwrap(), repeat.spans[0], repeat.spans.len())).collect();
    assert_eq!(shapes, [(1, 2, 5), (7, 8, 6), (14, 15, 7)]);
}
