use std::collections::{BTreeMap, HashSet};

use clew_wire::otlp::{Limits, encode, spans as decode};

use super::*;

const NOW: u64 = 1_763_600_000_000_000_000;

fn assert_near(what: &str, found: f64, wanted: f64) {
    assert!((found / wanted - 1.0).abs() < 0.05, "{what}: {found:.2}, wanted {wanted}");
}

#[test]
fn spans_and_traces_have_the_sizes_that_were_announced() {
    let mut workload = Workload::new(1);
    let traces: Vec<_> = (0..4_000).map(|_| workload.next_trace(NOW)).collect();
    let span_count: usize = traces.iter().map(Vec::len).sum();
    assert_near("spans per trace", span_count as f64 / traces.len() as f64, 17.6);
    let attributes: usize = traces.iter().flatten().map(|span| span.attributes.len()).sum();
    assert_near("attributes per span", attributes as f64 / span_count as f64, 8.35);
    let requests: Vec<_> = (0..40).map(|_| encode(&workload.next_request(512, NOW))).collect();
    let bytes: usize = requests.iter().map(Vec::len).sum();
    assert_near("bytes per span", bytes as f64 / (40.0 * 512.0), 379.0);
}

#[test]
fn the_same_seed_gives_the_same_spans_and_parents_come_first() {
    let (mut one, mut two) = (Workload::new(3), Workload::new(3));
    let spans = one.next_trace(NOW);
    assert_eq!(spans, two.next_trace(NOW));
    let mut seen = HashSet::new();
    for span in one.next_trace(NOW) {
        assert!(span.parent_span_id.is_none_or(|parent| seen.contains(&parent)));
        assert!(seen.insert(span.span_id));
    }
}

#[test]
fn a_stamped_request_differs_in_ids_and_times_alone() {
    let spans = Workload::new(5).next_request(64, NOW);
    let template = Template::new(&spans, NOW);
    let mut seed = Seed::new(9);
    let (first, second) = (template.stamp(&mut seed, NOW + 7), template.stamp(&mut seed, NOW + 7));
    assert!(first.traces.iter().all(|trace| !second.traces.contains(trace)));
    let sent = decode(&first.body, &Limits::default(), NOW, &[]).expect("readable");
    let mut counts: BTreeMap<TraceId, u32> = BTreeMap::new();
    let ids: HashSet<SpanId> = sent.iter().map(|span| span.span_id).collect();
    for (sent, drawn) in sent.iter().zip(&spans) {
        *counts.entry(sent.trace_id).or_default() += 1;
        assert!(sent.span_id != drawn.span_id && sent.start_unix_nanos == drawn.start_unix_nanos + 7);
        assert!(sent.parent_span_id.is_none_or(|parent| ids.contains(&parent)));
        assert_eq!(sent.parent_span_id.is_some(), drawn.parent_span_id.is_some());
        assert_eq!(
            (&sent.attributes, &sent.name, sent.duration_nanos),
            (&drawn.attributes, &drawn.name, drawn.duration_nanos)
        );
        assert!(sent.events.iter().zip(&drawn.events).all(|(s, d)| s.time_unix_nanos == d.time_unix_nanos + 7));
    }
    let mut told = first.traces.clone();
    told.sort_unstable();
    assert_eq!(told, counts.into_iter().collect::<Vec<_>>());
}
