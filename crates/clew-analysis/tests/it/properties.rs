//! What holds for every trace.

use clew_analysis::{Explained, Marks, Options, SegmentKind, explain};
use clew_model::summarize;
use clew_model::{Kind, Link, Notes, Span, StatusCode};
use proptest::prelude::*;

use crate::draw::{TRACE, assert_tiled, id, resource};
use crate::reference;

/// Any time: small ones that meet each other, and the ends of the range.
fn time() -> impl Strategy<Value = u64> {
    prop_oneof![6 => 0_u64..60, 1 => 0_u64..1_000_000_000, 1 => Just(0), 1 => Just(u64::MAX), 1 => any::<u64>()]
}

/// A span of a hostile trace: few ids, any parent, any kind, any time.
fn hostile_span() -> impl Strategy<Value = Span> {
    let times = (time(), time());
    let place = (1_u64..12, proptest::option::of(1_u64..14), 0_usize..6, 0_usize..3);
    let rest = (any::<bool>(), proptest::option::of(1_u64..14), 0_u8..8, any::<u64>());
    (times, place, rest).prop_map(|((start, duration), (own, parent, kind, service), (error, link, note, received))| {
        Span {
            trace_id: TRACE,
            span_id: id(own),
            parent_span_id: parent.map(id),
            name: format!("op{}", own % 3),
            kind: Kind::ALL[kind],
            start_unix_nanos: start,
            duration_nanos: duration,
            status: clew_model::Status {
                code: if error { StatusCode::Error } else { StatusCode::Unset },
                ..Default::default()
            },
            links: link.map(|to| Link { trace_id: TRACE, span_id: id(to), ..Link::default() }).into_iter().collect(),
            resource: resource(["web", "api", "db"][service], None),
            received_unix_nanos: received,
            notes: if note == 0 { Notes::ODD_TIME } else { Notes::default() },
            ..Span::default()
        }
    })
}

fn hostile_trace() -> impl Strategy<Value = Vec<Span>> {
    proptest::collection::vec(hostile_span(), 0..24)
}

/// A trace of one service and one root that starts first, with children anywhere.
fn plain_trace() -> impl Strategy<Value = Vec<Span>> {
    let rest = proptest::collection::vec((any::<proptest::sample::Index>(), 0_u64..18, 1_u64..19), 0..9);
    (1_u64..19, rest).prop_map(|(root_nanos, rest)| {
        let plain = |number: u64, parent: Option<u64>, start: u64, duration: u64| Span {
            trace_id: TRACE,
            span_id: id(number),
            parent_span_id: parent.map(id),
            name: "op".to_owned(),
            start_unix_nanos: 100 + start,
            duration_nanos: duration,
            resource: resource("app", None),
            ..Span::default()
        };
        let mut spans = vec![plain(1, None, 0, root_nanos)];
        for (above, start, duration) in rest {
            let parent = above.index(spans.len()) as u64 + 1;
            spans.push(plain(spans.len() as u64 + 1, Some(parent), start, duration));
        }
        spans
    })
}

fn assert_sound(explained: &Explained) {
    assert_tiled(explained);
    let count = explained.spans.len();
    assert_eq!((explained.tree.nodes.len(), explained.self_nanos.len()), (count, count));
    for (index, (span, node)) in explained.spans.iter().zip(&explained.tree.nodes).enumerate() {
        assert!(explained.self_nanos[index] <= span.end_unix_nanos() - span.start_unix_nanos);
        assert!(node.parent.is_none_or(|parent| parent < index), "a parent comes first");
        assert_eq!(node.child_count, explained.tree.children(index).count());
        let is_cut = node.marks.contains(Marks::ORPHAN) || node.marks.contains(Marks::CYCLE_BROKEN);
        assert_eq!(node.parent.is_none(), is_cut || span.parent_span_id.is_none() && node.parent.is_none());
    }
    let thread = &explained.thread;
    let gaps = thread.segments.iter().filter(|segment| segment.kind == SegmentKind::Gap);
    let gaps: Vec<(u64, u64)> = gaps.map(|segment| (segment.from_nanos, segment.to_nanos)).collect();
    assert!(thread.gaps.iter().all(|gap| gaps.contains(&(gap.from_nanos, gap.to_nanos))));
    assert!(thread.bottleneck.iter().all(|bottleneck| bottleneck.share > 0.0 && bottleneck.share <= 1.0));
    assert!(thread.sentence.chars().count() <= 300, "{}", thread.sentence);
    assert!(!thread.sentence.contains('\n'));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_trace_is_explained_soundly(spans in hostile_trace(), correct_skew in any::<bool>()) {
        assert_sound(&explain(spans, &Options { correct_skew }));
    }

    #[test]
    fn the_order_of_arrival_does_not_matter(
        (spans, shuffled) in hostile_trace().prop_flat_map(|spans| (Just(spans.clone()), Just(spans).prop_shuffle())),
        correct_skew in any::<bool>(),
    ) {
        let options = Options { correct_skew };
        prop_assert_eq!(summarize(&spans), summarize(&shuffled));
        prop_assert_eq!(format!("{:?}", explain(spans, &options)), format!("{:?}", explain(shuffled, &options)));
    }

    #[test]
    fn a_trace_sent_twice_is_the_same_trace(spans in hostile_trace()) {
        let once = explain(spans.clone(), &Options::default());
        let mut twice = spans.clone();
        twice.extend(spans.into_iter().map(|span| Span { received_unix_nanos: u64::MAX, ..span }));
        let twice = explain(twice, &Options::default());
        prop_assert_eq!(once.thread, twice.thread);
        prop_assert_eq!(once.spans, twice.spans);
    }

    #[test]
    fn the_summary_is_the_same_with_and_without_the_thread(spans in hostile_trace()) {
        let summary = summarize(&spans);
        prop_assert_eq!(summary, explain(spans, &Options::default()).summary);
    }

    #[test]
    fn the_thread_is_the_one_of_its_definition(spans in plain_trace()) {
        let explained = explain(spans.clone(), &Options::default());
        assert_sound(&explained);
        let expected: Vec<(u64, bool)> =
            reference::thread(&spans).into_iter().map(|(span, covered)| (spans[span].span_id.to_u64(), covered)).collect();
        let mut found = Vec::new();
        for segment in &explained.thread.segments {
            let is_covered = segment.kind == SegmentKind::Wait;
            for _ in segment.from_nanos..segment.to_nanos {
                found.push((segment.span_id.unwrap().to_u64(), is_covered));
            }
        }
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn self_time_is_the_time_in_no_child(spans in plain_trace()) {
        let explained = explain(spans, &Options::default());
        for (index, span) in explained.spans.iter().enumerate() {
            let is_free = |nano: &u64| explained.tree.children(index).all(|child| {
                let child = &explained.spans[child];
                !(child.start_unix_nanos..child.end_unix_nanos()).contains(nano)
            });
            let free = (span.start_unix_nanos..span.end_unix_nanos()).filter(is_free).count();
            prop_assert_eq!(explained.self_nanos[index], free as u64);
        }
    }
}
