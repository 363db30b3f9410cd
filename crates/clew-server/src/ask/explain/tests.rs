use super::*;
use crate::ask::naive::{Naive, known_trace};

#[test]
fn traces_come_in_both_forms_the_earliest_first() {
    let mut spans = known_trace();
    let (late, early) = (TraceId([1; 16]), TraceId([9; 16]));
    for (id, shift) in [(late, 5), (early, 0)] {
        spans.extend(known_trace().into_iter().map(|span| Span {
            trace_id: id,
            start_unix_nanos: span.start_unix_nanos + shift - 2,
            ..span
        }));
    }
    let source = Naive::of(Vec::new());
    let asked = Asked { source: &*source, expired: &|| false };
    let file = FileSpans { spans, problems: vec!["one".to_owned()] };
    let text = answer(file, false, &asked).unwrap();
    let explained: ExplainAnswer = serde_json::from_slice(&text).unwrap();
    assert_eq!(serde_json::to_vec(&explained).unwrap(), text, "what is written is what is read");
    let ids: Vec<_> = explained.traces.iter().map(|trace| trace.full.trace_id.as_str()).collect();
    let known = known_trace()[0].trace_id.to_string();
    assert_eq!(ids, [&early.to_string(), &known, &late.to_string()]);
    for trace in &explained.traces {
        assert_eq!(trace.skeleton.trace_id, trace.full.trace_id);
        assert_eq!(trace.skeleton.spans.starts.len(), trace.full.spans.len());
    }
    assert_eq!(explained.problems, ["one"]);
}

#[test]
fn of_very_many_traces_the_first_are_shown_and_time_is_kept() {
    let one = |number: u128| Span { trace_id: TraceId(number.to_be_bytes()), ..known_trace()[0].clone() };
    let source = Naive::of(Vec::new());
    let asked = Asked { source: &*source, expired: &|| false };
    let file = || FileSpans { spans: (1..=1_001).map(one).collect(), problems: Vec::new() };
    let explained: ExplainAnswer = serde_json::from_slice(&answer(file(), false, &asked).unwrap()).unwrap();
    assert_eq!(explained.traces.len(), 1_000);
    assert!(explained.problems[0].starts_with("the file holds 1001 traces"), "{:?}", explained.problems);
    let late = Asked { source: &*source, expired: &|| true };
    assert_eq!(answer(file(), false, &late), Err(AskError::Expired));
}
