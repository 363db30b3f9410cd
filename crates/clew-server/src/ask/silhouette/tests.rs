use std::sync::Arc;

use clew_model::scan::SpanSource;
use clew_model::{Notes, Tenant, summarize};
use clew_store::view::Together;

use super::super::search;
use super::super::search::tests::{scatter, stored};
use super::*;
use crate::ask::naive::{Chance, EPOCH, Naive, random_span, random_spans};
use crate::ask::params::Params;
use crate::ask::question::{Question, TOTAL_BOUND};
use crate::ask::shape::SearchAnswer;

fn ask(sources: &[Arc<dyn SpanSource>], query: &str) -> SearchAnswer {
    let params = Params::of(&format!("/v1/traces/search?limit=1000&{query}").parse().unwrap()).unwrap();
    let question = Question::parse(&params, Tenant::default(), EPOCH).unwrap();
    search::run(&Together::of(sources.iter().map(AsRef::as_ref)), &question, TOTAL_BOUND, &|| false).unwrap()
}

/// Bars as (service, start, duration, whether it failed), one by one.
fn bars(shape: &SilhouetteShape, services: &[String]) -> Vec<(String, u64, u64, bool)> {
    let bar = |at: usize| {
        let is_failed = shape.errors.contains(&(at as u32));
        (services[shape.services[at] as usize].clone(), shape.starts[at], shape.durations[at], is_failed)
    };
    (0..shape.starts.len()).map(bar).collect()
}

#[test]
fn the_bars_are_the_spans_wherever_they_lie_and_whatever_was_asked() {
    for seed in 0..60 {
        let mut chance = Chance(seed);
        let spans = random_spans(&mut chance, 20);
        let store = stored(&spans);
        let real: [Arc<dyn SpanSource>; 1] = [store.spans()];
        for sources in [&real[..], &scatter(&mut chance, &spans)] {
            for query in ["", "status=error", "attr.code=500", "service=checkout&service=email"] {
                for trace in ask(sources, &format!("{query}&silhouette=true")).traces {
                    let own: Vec<&Span> =
                        spans.iter().filter(|span| span.trace_id.to_string() == trace.trace_id).collect();
                    let is_odd = |span: &Span| span.notes.contains(Notes::ODD_TIME);
                    let all_odd = own.iter().all(|span| is_odd(span));
                    let own = own.into_iter().filter(|span| all_odd || !is_odd(span));
                    let start = own.clone().map(|span| span.start_unix_nanos).min().unwrap();
                    let bar = |span: &Span| {
                        let offset = span.start_unix_nanos - start;
                        (span.service().to_owned(), offset, span.duration_nanos, span.is_error())
                    };
                    let mut wanted: Vec<_> = own.map(bar).collect();
                    let mut found = bars(trace.silhouette.as_ref().unwrap(), &trace.services);
                    assert!(found.is_sorted_by_key(|bar| bar.1), "{found:?}");
                    wanted.sort();
                    found.sort();
                    assert_eq!(found, wanted, "seed {seed}: {query}");
                }
            }
        }
        assert!(ask(&real, "").traces.iter().all(|trace| trace.silhouette.is_none()));
        store.close().unwrap();
    }
}

#[test]
fn of_many_spans_the_longest_are_shown_by_start() {
    let mut chance = Chance(1);
    let span = |number: u64| Span {
        duration_nanos: (number * 7919) % 1000,
        start_unix_nanos: EPOCH + (number * 31) % 500,
        ..random_span(&mut chance, 0, number)
    };
    let spans: Vec<Span> = (0..1000).map(span).collect();
    let shape = of(&spans, &summarize(&spans));
    assert_eq!(shape.starts.len(), BARS_MAX);
    let mut longest = shape.durations.clone();
    longest.sort_unstable();
    assert_eq!(longest, (1000 - BARS_MAX as u64..1000).collect::<Vec<_>>());
    assert!(shape.starts.is_sorted());
}

#[test]
fn a_page_reads_a_bounded_number_of_spans_for_bars_alone() {
    let mut chance = Chance(1);
    let sizes = [60_000, 100_000, 50_000, 10];
    let ids: Vec<TraceId> = (0..4).map(|trace| random_span(&mut chance, trace, 0).trace_id).collect();
    let summary = |(id, span_count): (&TraceId, usize)| (*id, Summary { span_count, ..Summary::default() });
    let summaries: HashMap<TraceId, Summary> = ids.iter().zip(sizes).map(summary).collect();
    let mut room = SPANS_MAX;
    assert_eq!(that_fit(&ids, &summaries, &mut room), ids[..2], "in order, and none after the first that does not fit");
    assert_eq!(that_fit(&ids[3..], &summaries, &mut room), [], "nor on the rest of the page");
    let sources = [Naive::of((0..3).map(|trace| random_span(&mut chance, trace, 0)).collect()) as Arc<dyn SpanSource>];
    assert!(ask(&sources, "silhouette=true").traces.iter().all(|trace| trace.silhouette.is_some()));
}
