#![expect(clippy::float_cmp, reason = "whole numbers as floating-point ones")]

use clew_model::{Notes, Span};

use super::*;
use crate::ask::naive::{Chance, EPOCH, random_spans};

const MINUTE: u64 = Rollup::MINUTE_NANOS;
/// Ten minutes and ten seconds after the minute of the first spans began.
const NOW: u64 = EPOCH / MINUTE * MINUTE + 10 * MINUTE + 10_000_000_000;

fn question(query: &str) -> Result<Question, AskError> {
    Question::parse(&Params::of(&format!("/x?{query}").parse().unwrap()).unwrap(), NOW)
}

fn ask(rollup: &Rollup, query: &str) -> RedAnswer {
    answer(rollup, &question(query).unwrap(), None)
}

/// Spans over ten minutes, some of which stand for four.
fn spans(seed: u64) -> Vec<Span> {
    let mut chance = Chance(seed);
    let mut spans = random_spans(&mut chance, 60);
    spans.retain(|span| !span.notes.contains(Notes::ODD_TIME));
    for span in &mut spans {
        span.start_unix_nanos += chance.below(10) * MINUTE;
        if chance.below(3) == 0 {
            span.trace_state = "ot=th:c".to_owned();
        }
    }
    spans
}

fn rollup(spans: &[Span]) -> Rollup {
    let mut rollup = Rollup::default();
    for span in spans {
        rollup.add(&Rollup::of_trace(std::slice::from_ref(span), true));
    }
    rollup
}

/// The duration of rank `ceil(share * n)`.
fn ranked(mut nanos: Vec<u64>, share: f64) -> Option<u64> {
    nanos.sort_unstable();
    nanos.get(((share * nanos.len() as f64).ceil() as usize).saturating_sub(1)).copied()
}

fn close(found: Option<u64>, exact: Option<u64>) -> bool {
    match (found, exact) {
        (Some(found), Some(exact)) => found.abs_diff(exact) as f64 <= exact as f64 * Histogram::RELATIVE_ERROR,
        (found, exact) => found == exact,
    }
}

#[test]
fn figures_are_those_of_the_spans() {
    for seed in 0..8 {
        let spans = spans(seed);
        let answer = ask(&rollup(&spans), "since=10m&step=2m&groupBy=service,status&kind=server");
        let is_asked = |span: &&Span| span.kind == Kind::Server;
        assert_eq!(answer.groups.iter().map(|group| group.received.count).sum::<f64>(), {
            spans.iter().filter(is_asked).count() as f64
        });
        for group in &answer.groups {
            let own = spans.iter().filter(is_asked).filter(|span| {
                let status = clew_rollup::key::status_of(span);
                group.service.as_deref() == Some(span.service()) && group.status.as_deref() == Some(status.as_str())
            });
            let own: Vec<&Span> = own.collect();
            let nanos = |spans: &[&Span]| -> Vec<u64> { spans.iter().map(|span| span.duration_nanos).collect() };
            let behind = |spans: &[&Span]| -> Vec<u64> {
                let each = |span: &&Span| vec![span.duration_nanos; span.adjusted_count() as usize];
                spans.iter().flat_map(each).collect()
            };
            let (RedFigures { count, errors, mean_nanos, .. }, failed) = (group.received, group.status.as_deref());
            assert_eq!((count, errors), (own.len() as f64, if failed == Some("error") { count } else { 0.0 }));
            assert_eq!(mean_nanos, Some(nanos(&own).iter().sum::<u64>() / own.len() as u64), "seed {seed}");
            for (share, received, weighted) in [
                (0.5, group.received.p50_nanos, group.weighted.p50_nanos),
                (0.9, group.received.p90_nanos, group.weighted.p90_nanos),
                (0.95, group.received.p95_nanos, group.weighted.p95_nanos),
                (0.99, group.received.p99_nanos, group.weighted.p99_nanos),
            ] {
                assert!(close(received, ranked(nanos(&own), share)), "seed {seed}: {share} of {group:?}");
                assert!(close(weighted, ranked(behind(&own), share)), "seed {seed}: {share} of {group:?}");
            }
            let seconds = 610.0;
            assert!((group.weighted.per_second - behind(&own).len() as f64 / seconds).abs() < 1e-9, "{group:?}");
            assert_eq!(group.exemplars.iter().filter(|found| found.of.contains(&"slowest".to_owned())).count(), 1);
            // Point by point.
            for (at, start) in answer.starts.iter().enumerate() {
                let from = crate::ask::when::from_rfc3339(start).unwrap();
                let to = answer.starts.get(at + 1).map_or(u64::MAX, |to| crate::ask::when::from_rfc3339(to).unwrap());
                let mut here = own.clone();
                here.retain(|span| (from..to).contains(&span.start_unix_nanos));
                assert_eq!(group.series.received[at], here.len() as u64);
                assert_eq!(group.series.weighted[at], behind(&here).len() as f64);
                assert!(close(group.series.p50_nanos[at], ranked(behind(&here), 0.5)));
            }
        }
    }
}

#[test]
fn points_begin_at_multiples_of_the_step_and_their_rates_are_of_the_time_that_has_passed() {
    let minute = NOW / MINUTE;
    let span = |minute: u64| Span { start_unix_nanos: minute * MINUTE, duration_nanos: 5, ..Span::default() };
    let spans: Vec<Span> = (minute - 10..=minute).map(span).collect();
    let answer = ask(&rollup(&spans), "since=10m&step=5m");
    let (first, last) = (minute - 10, minute + 1);
    let begin = |number: u64| to_rfc3339(number * MINUTE);
    let expected: Vec<String> =
        [first].into_iter().chain((first / 5 + 1..last.div_ceil(5)).map(|n| n * 5)).map(begin).collect();
    assert_eq!(answer.starts, expected);
    let series = &answer.groups[0].series;
    assert_eq!(series.received.iter().sum::<u64>(), 11);
    let begun = expected.last().map(|start| crate::ask::when::from_rfc3339(start).unwrap()).unwrap();
    let passed = (NOW - begun) as f64 / 1e9;
    let last = *series.received.last().unwrap() as f64;
    assert!((series.per_second.last().unwrap() - last / passed).abs() < 1e-9);
}

#[test]
fn there_are_about_a_hundred_points_unless_a_step_is_given() {
    for (range, step) in [("since=1h", 1), ("since=2h", 2), ("since=1d", 15), ("since=30d", 720), ("since=2y", 10_080)]
    {
        let range = range.replace("2y", "104w");
        let question = question(&range).unwrap();
        let points = question.bounds().len() - 1;
        assert!(points <= 120, "{range}: {points}");
        assert!(question.step <= step, "{range}: {}", question.step);
    }
    assert_eq!(question("from=0&step=1d").map(|_| ()).unwrap_err(), {
        let detail = "a step of 1d makes more than 1500 points; take a longer one";
        AskError::parameter("step", detail)
    });
}

#[test]
fn what_cannot_be_asked_is_refused_by_name() {
    for (query, name) in [
        ("step=30s", "step"),
        ("step=0m", "step"),
        ("step=x", "step"),
        ("groupBy=service,host", "groupBy"),
        ("kind=web", "kind"),
        ("status=failed", "status"),
        ("limit=0", "limit"),
        ("from=never", "from"),
        ("servise=a", "servise"),
        ("service=a&service=b", "service"),
    ] {
        assert!(matches!(question(query), Err(AskError::Parameter { name: at, .. }) if at == name), "{query}");
    }
}

#[test]
fn the_largest_groups_come_first_and_the_rest_is_counted() {
    let spans = spans(1);
    let all = ask(&rollup(&spans), "since=1h&limit=1000&groupBy=service&groupBy=operation,kind,status");
    assert_eq!(all.group_by, ["service", "operation", "kind", "status"]);
    let counts: Vec<f64> = all.groups.iter().map(|group| group.received.count).collect();
    assert!(counts.is_sorted_by(|one, two| one >= two) && counts.len() > 10);
    let some = ask(&rollup(&spans), "since=1h&groupBy=service,operation,kind,status&limit=3");
    assert!(some.groups == all.groups[..3]);
    assert_eq!(some.group_count, all.groups.len() as u64);
}
