use std::collections::{BTreeMap, BTreeSet};

use clew_model::{Event, Link, Span};
use http::HeaderValue;
use http::header::ACCEPT;

use super::*;
use crate::ask::naive::{Chance, Naive, known_trace, random_span};
use crate::ask::shape::{SegmentShape, Skeleton, SkeletonSegments, TraceAnswer};

fn wish(query: &str, accept: Option<&str>) -> Result<Wish, AskError> {
    let params = Params::of(&format!("/x?{query}").parse().unwrap()).unwrap();
    let accept = accept.map(|accept| (ACCEPT, HeaderValue::from_str(accept).unwrap()));
    Wish::parse(&params, &accept.into_iter().collect())
}

fn grant(query: &str, spans: Vec<Span>) -> (&'static str, Vec<u8>) {
    let id = spans[0].trace_id;
    let source = Naive::of(spans);
    let asked = Asked { source: &*source, expired: &|| false };
    match wish(query, None).unwrap().grant(&TraceCache::new(1 << 20), &asked, Tenant::default(), id, false).unwrap() {
        Granted::Whole { media_type, body, .. } => (media_type, body),
        other => panic!("{other:?}"),
    }
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
    let (thread, whole) = (&skeleton.thread, &full.thread);
    assert_eq!(
        (&thread.sentence, &thread.start, thread.total_nanos),
        (&whole.sentence, &whole.start, whole.total_nanos)
    );
    assert_eq!((&thread.bottleneck, &thread.gaps, &skeleton.summary), (&whole.bottleneck, &whole.gaps, &full.summary));
    assert_eq!(in_rows(&thread.segments), of_rows(&whole.segments));
    assert_eq!(thread.async_tail.is_some(), whole.async_tail.is_some());
    for (tail, whole) in thread.async_tail.iter().zip(&whole.async_tail) {
        let figures = (&tail.start, tail.total_nanos, &tail.bottleneck);
        assert_eq!(figures, (&whole.start, whole.total_nanos, &whole.bottleneck));
        assert_eq!((in_rows(&tail.segments), &tail.gaps), (of_rows(&whole.segments), &whole.gaps));
    }
    assert_eq!((&skeleton.clock, skeleton.error_origin), (&full.clock, full.error_origin));
    assert_eq!((&skeleton.skews, &skeleton.groups), (&full.skews, &full.groups));
    for (index, span) in full.spans.iter().enumerate() {
        let columns = &skeleton.spans;
        assert_eq!(columns.ids[index * 16..][..16], span.span_id.to_string());
        assert_eq!(columns.parents[index], span.parent.map_or(-1, i64::from));
        assert_eq!(skeleton.services[columns.services[index] as usize], span.service);
        assert_eq!(skeleton.names[columns.names[index] as usize], span.name);
        assert_eq!(skeleton.kinds[columns.kinds[index] as usize], span.kind);
        assert_eq!((columns.durations[index], columns.selfs[index]), (span.duration_nanos, span.self_nanos));
        assert_eq!(columns.errors.contains(&(index as u32)), span.error);
        let named = |positions: &BTreeMap<String, Vec<u32>>| -> BTreeSet<String> {
            let here = positions.iter().filter(|(_, spans)| spans.contains(&(index as u32)));
            here.map(|(name, _)| name.clone()).collect()
        };
        assert_eq!(named(&skeleton.marks), span.marks.iter().cloned().collect());
        assert_eq!(named(&skeleton.notes), span.notes.iter().cloned().collect());
    }
    let events = full.spans.iter().flat_map(|span| &span.events).map(|event| event.name.as_str());
    let names = skeleton.events.names.iter().map(|name| skeleton.event_names[*name as usize].as_str());
    assert!(names.eq(events) && !skeleton.events.names.is_empty());
    let links = full.spans.iter().flat_map(|span| &span.links).map(|link| (link.trace_id.as_str(), link.span_id));
    assert!(skeleton.links.iter().map(|link| (link.trace_id.as_str(), link.span_id)).eq(links));
}

/// Span, begin, end and kind of each piece, from columns in which a piece begins where the one before it ends.
fn in_rows(segments: &SkeletonSegments) -> Vec<(Option<u32>, u64, u64, String)> {
    let begins = std::iter::once(&0).chain(&segments.ends);
    let spans = segments.spans.iter().map(|span| u32::try_from(*span).ok());
    let kinds = segments.kinds.iter().map(|kind| ["self", "gap", "wait", "transit"][usize::from(*kind)].to_owned());
    spans
        .zip(begins.zip(&segments.ends))
        .zip(kinds)
        .map(|((span, (from, to)), kind)| (span, *from, *to, kind))
        .collect()
}

fn of_rows(segments: &[SegmentShape]) -> Vec<(Option<u32>, u64, u64, String)> {
    segments.iter().map(|one| (one.span, one.from_nanos, one.to_nanos, one.kind.clone())).collect()
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
fn details_of_single_spans_come_alone_with_their_part_of_the_thread() {
    let whole: TraceAnswer = serde_json::from_slice(&grant("", known_trace()).1).unwrap();
    let (_, body) = grant("span=0000000000000003&span=0000000000000001", known_trace());
    let some: TraceAnswer = serde_json::from_slice(&body).unwrap();
    assert_eq!(some.spans.len(), 2);
    assert_eq!((&some.thread.sentence, &some.summary), (&whole.thread.sentence, &whole.summary));
    let of_them = |segment: &&SegmentShape| some.spans.iter().any(|span| Some(span.span_id) == segment.span_id);
    let own: Vec<_> = whole.thread.segments.iter().filter(of_them).cloned().collect();
    assert_eq!(some.thread.segments, own);
    assert!(own.len() < whole.thread.segments.len());
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
    assert_eq!(refused("format=html&shape=skeleton"), "shape");
    assert_eq!(refused("format=html&span=0000000000000003"), "span");
    assert_eq!(refused("span=3"), "span");
    assert_eq!(refused("shape=tree"), "shape");
    let many: Vec<String> = (1..=1001).map(|id| format!("span={id:016x}")).collect();
    assert_eq!(refused(&many.join("&")), "span");
}

fn skeleton(spans: Vec<Span>) -> Skeleton {
    serde_json::from_slice(&grant("shape=skeleton", spans).1).unwrap()
}

#[test]
fn a_skeleton_has_a_version_that_changes_with_the_trace_alone() {
    let first = skeleton(known_trace());
    let mut turned = known_trace();
    turned.reverse();
    assert_eq!(skeleton(turned).version, first.version);
    let mut grown = known_trace();
    grown.push(Span { span_id: SpanId::from_u64(99), ..grown[0].clone() });
    assert_ne!(skeleton(grown).version, first.version);
    let corrected: Skeleton =
        serde_json::from_slice(&grant("shape=skeleton&clock=corrected", known_trace()).1).unwrap();
    assert_ne!(corrected.version, first.version);
    assert_eq!(corrected.clock, "corrected");

    let source = Naive::of(known_trace());
    let asked = Asked { source: &*source, expired: &|| false };
    let id = known_trace()[0].trace_id;
    for (tag, is_known) in
        [("\"{}\"", true), ("W/\"{}\"", true), ("\"x\", \"{}\"", true), ("*", true), ("\"x{}\"", false)]
    {
        let tag = HeaderValue::from_str(&tag.replace("{}", &first.version)).unwrap();
        let headers = [(IF_NONE_MATCH, tag)].into_iter().collect();
        let params = Params::of(&"/x?shape=skeleton".parse().unwrap()).unwrap();
        let granted = Wish::parse(&params, &headers)
            .unwrap()
            .grant(&TraceCache::new(1 << 20), &asked, Tenant::default(), id, false)
            .unwrap();
        assert_eq!(matches!(granted, Granted::Unchanged { version } if version == first.version), is_known);
    }
}

#[test]
fn of_many_events_and_links_a_skeleton_has_the_first_and_counts_the_rest() {
    let mut spans = known_trace();
    let start = spans.iter().map(|span| span.start_unix_nanos).min().unwrap();
    let (event_count, link_count): (usize, usize) =
        (spans.iter().map(|span| span.events.len()).sum(), spans.iter().map(|span| span.links.len()).sum());
    let early = Event { time_unix_nanos: start - 5, name: "exception".to_owned(), ..Event::default() };
    spans[0].events.extend(vec![early; 20_001]);
    let to_itself = Link { trace_id: spans[0].trace_id, span_id: spans[0].span_id, ..Link::default() };
    spans[0].links.extend(vec![to_itself; 5_000]);
    let skeleton = skeleton(spans);
    assert_eq!(skeleton.events.spans.len(), 20_000);
    assert_eq!(skeleton.events_left_out, event_count as u64 + 1);
    assert!(skeleton.events.offsets.contains(&-5));
    let exceptions = &skeleton.events.exceptions;
    assert!(
        exceptions.iter().all(|at| skeleton.event_names[skeleton.events.names[*at as usize] as usize] == "exception")
    );
    assert!(exceptions.len() > 19_000);
    assert_eq!((skeleton.links.len(), skeleton.links_left_out), (5_000, link_count as u64));
    assert!(skeleton.links.iter().any(|link| link.to == Some(link.span)));
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
