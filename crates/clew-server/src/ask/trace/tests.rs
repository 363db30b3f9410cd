use http::HeaderValue;
use http::header::ACCEPT;

use super::*;
use crate::ask::naive::{Chance, Naive, known_trace, random_span};
use crate::ask::shape::{Skeleton, TraceAnswer};

fn wish(query: &str, accept: Option<&str>) -> Result<Wish, AskError> {
    let params = Params::of(&format!("/x?{query}").parse().unwrap()).unwrap();
    let accept = accept.map(|accept| (ACCEPT, HeaderValue::from_str(accept).unwrap()));
    Wish::parse(&params, &accept.into_iter().collect())
}

fn grant(query: &str, spans: Vec<clew_model::Span>) -> (&'static str, Vec<u8>) {
    let id = spans[0].trace_id;
    let source = Naive::of(spans);
    let asked = Asked { source: &*source, expired: &|| false };
    wish(query, None).unwrap().grant(&asked, &Tenant::default(), id).unwrap()
}

#[test]
fn a_known_trace_is_explained() {
    let (media_type, body) = grant("", known_trace());
    assert_eq!(media_type, JSON);
    let answer: TraceAnswer = serde_json::from_slice(&body).unwrap();
    assert_eq!(serde_json::to_vec(&answer).unwrap(), body, "what is written is what is read");
    let mut shown = answer.clone();
    // The words are the analysis' own and are tested there.
    shown.thread.sentence = "(a sentence)".to_owned();
    insta::assert_snapshot!(serde_json::to_string_pretty(&shown).unwrap());
    let segments = &answer.thread.segments;
    assert_eq!(segments.iter().map(|segment| segment.to_nanos - segment.from_nanos).sum::<u64>(), 100_000_000);
}

#[test]
fn a_known_trace_has_a_skeleton() {
    let (_, body) = grant("shape=skeleton", known_trace());
    let skeleton: Skeleton = serde_json::from_slice(&body).unwrap();
    insta::assert_snapshot!(serde_json::to_string_pretty(&skeleton.spans).unwrap());
    let full: TraceAnswer = serde_json::from_slice(&grant("", known_trace()).1).unwrap();
    assert_eq!((&skeleton.thread, &skeleton.summary), (&full.thread, &full.summary));
    for (index, span) in full.spans.iter().enumerate() {
        let columns = &skeleton.spans;
        assert_eq!(columns.ids[index * 16..][..16], span.span_id.to_string());
        assert_eq!(columns.parents[index], span.parent.map_or(-1, i64::from));
        assert_eq!(skeleton.services[columns.services[index] as usize], span.service);
        assert_eq!(skeleton.names[columns.names[index] as usize], span.name);
        assert_eq!(skeleton.kinds[columns.kinds[index] as usize], span.kind);
        assert_eq!((columns.durations[index], columns.selfs[index]), (span.duration_nanos, span.self_nanos));
        assert_eq!(columns.errors.contains(&(index as u32)), span.error);
    }
}

#[test]
fn otlp_is_what_was_sent() {
    let spans = grouped(distinct(known_trace()));
    let (media_type, body) = grant("format=protobuf", known_trace());
    assert_eq!((media_type, body), (PROTOBUF, clew_wire::otlp::encode(&spans)));
    let (media_type, body) = grant("format=otlp&span=0000000000000003", known_trace());
    let otlp: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(media_type, JSON);
    assert_eq!(otlp["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["spanId"], "0000000000000003");
    assert_eq!(otlp["resourceSpans"].as_array().unwrap().len(), 1);
}

#[test]
fn details_of_single_spans_come_alone_and_keep_the_whole_thread() {
    let whole: TraceAnswer = serde_json::from_slice(&grant("", known_trace()).1).unwrap();
    let (_, body) = grant("span=0000000000000003&span=0000000000000001", known_trace());
    let some: TraceAnswer = serde_json::from_slice(&body).unwrap();
    assert_eq!(some.spans.len(), 2);
    assert_eq!((&some.thread, &some.summary), (&whole.thread, &whole.summary));
    assert_eq!(some.resources.len(), 2);
    assert!(body.starts_with(br#"{"traceId":"4bf92f3577b34da6a3ce929d0e0e4736","state":{"rootSeen":true"#));
}

#[test]
fn the_first_served_media_type_wins() {
    let form = |accept: &str| wish("", Some(accept)).map(|wish| wish.form);
    assert_eq!(form("application/json"), Ok(Form::Full));
    assert_eq!(form("image/png, application/x-protobuf;q=0.9, */*;q=0.1"), Ok(Form::OtlpProtobuf));
    assert_eq!(form("text/html,application/xhtml+xml,*/*;q=0.8"), Ok(Form::Full));
    assert_eq!(form("application/vnd.otlp+json"), Ok(Form::OtlpJson));
    assert!(matches!(form("image/png"), Err(AskError::NotAcceptable(_))));
    assert_eq!(wish("format=otlp", Some("image/png")).unwrap().form, Form::OtlpJson);
}

#[test]
fn wishes_that_exclude_each_other_are_refused_by_name() {
    let refused = |query: &str| match wish(query, None).unwrap_err() {
        AskError::Parameter { name, .. } => name,
        other => panic!("{other:?} names no parameter"),
    };
    assert_eq!(refused("shape=skeleton&span=0000000000000003"), "span");
    assert_eq!(refused("shape=skeleton&format=otlp"), "shape");
    assert_eq!(refused("clock=corrected&format=protobuf"), "clock");
    assert_eq!(refused("span=3"), "span");
    assert_eq!(refused("shape=tree"), "shape");
    let many: Vec<String> = (1..=1001).map(|id| format!("span={id:016x}")).collect();
    assert_eq!(refused(&many.join("&")), "span");
}

#[test]
fn a_skeleton_of_fifty_thousand_spans_is_small() {
    let mut chance = Chance(3);
    let spans: Vec<_> = (0..50_000).map(|span| random_span(&mut chance, 0, span)).collect();
    let (_, body) = grant("shape=skeleton", spans);
    let skeleton: Skeleton = serde_json::from_slice(&body).unwrap();
    assert_eq!(skeleton.spans.starts.len(), 50_000);
    let columns = serde_json::to_vec(&skeleton.spans).unwrap().len();
    assert!(columns < 3_500_000, "{columns} bytes");
}
