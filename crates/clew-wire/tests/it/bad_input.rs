//! Each kind of bad input has its answer, and its neighbours are kept.

use clew_model::{Notes, RejectReason, Span, Tenant, Value};
use clew_wire::otlp::{AdmitOptions, Limits, WireError, admit};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span as SentSpan, Status};
use prost::Message;

use crate::{NOW, kept, reasons};

const DAY: u64 = 86_400_000_000_000;

fn string(text: impl Into<String>) -> AnyValue {
    AnyValue { value: Some(Any::StringValue(text.into())) }
}

fn pair(key: &str, value: AnyValue) -> KeyValue {
    KeyValue { key: key.into(), value: Some(value), ..KeyValue::default() }
}

fn good(number: u8) -> SentSpan {
    SentSpan {
        trace_id: vec![number; 16],
        span_id: vec![number; 8],
        name: "good".into(),
        start_time_unix_nano: NOW - 1000,
        end_time_unix_nano: NOW,
        ..SentSpan::default()
    }
}

fn group(attributes: Vec<KeyValue>, spans: Vec<SentSpan>) -> ResourceSpans {
    ResourceSpans {
        resource: Some(Resource { attributes, ..Resource::default() }),
        scope_spans: vec![ScopeSpans { spans, ..ScopeSpans::default() }],
        ..ResourceSpans::default()
    }
}

fn body(resource_spans: Vec<ResourceSpans>) -> Vec<u8> {
    ExportTraceServiceRequest { resource_spans }.encode_to_vec()
}

fn service() -> Vec<KeyValue> {
    vec![pair("service.name", string("shop"))]
}

/// The span with that oddity, between two good ones.
fn sent_between_good_ones(odd: impl FnOnce(&mut SentSpan)) -> Vec<u8> {
    let mut span = good(2);
    odd(&mut span);
    body(vec![group(service(), vec![good(1), span, good(3)])])
}

fn rejected_between_good_ones(odd: impl FnOnce(&mut SentSpan)) -> RejectReason {
    let (admission, spans) = kept(&sent_between_good_ones(odd), Limits::default()).unwrap();
    assert_eq!(admission.span_count, 3);
    assert_eq!(spans.iter().map(|span| span.trace_id.0[0]).collect::<Vec<_>>(), [1, 3], "neighbours are kept");
    let [(1, reason)] = reasons(&admission)[..] else { panic!("{admission:?}") };
    reason
}

fn kept_between_good_ones(odd: impl FnOnce(&mut SentSpan)) -> Span {
    let (admission, mut spans) = kept(&sent_between_good_ones(odd), Limits::default()).unwrap();
    assert_eq!((admission.rejected.len(), spans.len()), (0, 3));
    assert!(spans[0].notes.is_empty() && spans[2].notes.is_empty(), "neighbours are not noted");
    let counted: u32 = admission.notes.0.iter().sum();
    assert_eq!(counted as usize, spans[1].notes.names().count());
    spans.swap_remove(1)
}

#[test]
fn ids_that_are_none_reject_their_span() {
    for bad in [vec![], vec![0; 16], vec![1; 15], vec![1; 17], vec![1; 8]] {
        assert_eq!(rejected_between_good_ones(|span| span.trace_id = bad), RejectReason::BadTraceId);
    }
    for bad in [vec![], vec![0; 8], vec![1; 7], vec![1; 9], vec![1; 16]] {
        assert_eq!(rejected_between_good_ones(|span| span.span_id = bad), RejectReason::BadSpanId);
    }
}

#[test]
fn a_span_without_start_is_rejected() {
    assert_eq!(rejected_between_good_ones(|span| span.start_time_unix_nano = 0), RejectReason::MissingStart);
}

#[test]
fn a_span_that_cannot_be_decoded_is_rejected() {
    let spans = [good(1).encode_to_vec(), vec![0x0a, 0x10, 1, 2], good(3).encode_to_vec()];
    let mut scope = Vec::new();
    for span in &spans {
        scope.push(0x12);
        prost::encode_length_delimiter(span.len(), &mut scope).unwrap();
        scope.extend(span);
    }
    let mut group = vec![0x12];
    prost::encode_length_delimiter(scope.len(), &mut group).unwrap();
    group.extend(scope);
    let mut body = vec![0x0a];
    prost::encode_length_delimiter(group.len(), &mut body).unwrap();
    body.extend(group);
    let (admission, spans) = kept(&body, Limits::default()).unwrap();
    assert_eq!(reasons(&admission), [(1, RejectReason::Undecodable)]);
    assert_eq!(spans.len(), 2);
    assert!(spans[0].notes == Notes::NO_SERVICE);
}

#[test]
fn odd_times_are_kept_and_noted() {
    let span = kept_between_good_ones(|span| span.end_time_unix_nano = span.start_time_unix_nano - 1);
    assert_eq!((span.duration_nanos, span.notes), (0, Notes::END_BEFORE_START));
    let span = kept_between_good_ones(|span| span.end_time_unix_nano = 0);
    assert_eq!((span.duration_nanos, span.notes), (0, Notes::END_BEFORE_START));

    for (start, is_odd) in [
        (1, true),
        (946_684_799_999_999_999, true),
        (946_684_800_000_000_000, false),
        (NOW + DAY, false),
        (NOW + DAY + 1, true),
        (u64::MAX, true),
    ] {
        let span = kept_between_good_ones(|span| {
            span.start_time_unix_nano = start;
            span.end_time_unix_nano = start;
        });
        assert_eq!((span.start_unix_nanos, span.notes.contains(Notes::ODD_TIME)), (start, is_odd));
    }
}

#[test]
fn odd_fields_are_kept_and_noted() {
    let span = kept_between_good_ones(|span| span.name = String::new());
    assert_eq!((span.name.as_str(), span.notes), ("", Notes::EMPTY_NAME));
    let span = kept_between_good_ones(|span| span.kind = 6);
    assert_eq!((span.kind, span.notes), (clew_model::Kind::Unspecified, Notes::UNKNOWN_ENUM));
    let span = kept_between_good_ones(|span| span.status = Some(Status { code: -1, message: "m".into() }));
    assert_eq!((span.status.code, span.notes), (clew_model::StatusCode::Unset, Notes::UNKNOWN_ENUM));
    assert_eq!(span.status.message, "m");
}

#[test]
fn references_that_lead_nowhere_are_dropped_and_noted() {
    for (parent, notes) in [
        (vec![], Notes::default()),
        (vec![0; 8], Notes::default()),
        (vec![1; 7], Notes::BAD_REFERENCE),
        (vec![0; 16], Notes::BAD_REFERENCE),
    ] {
        let span = kept_between_good_ones(|span| span.parent_span_id = parent);
        assert_eq!((span.parent_span_id, span.notes), (None, notes));
    }
    let span = kept_between_good_ones(|span| {
        let attributes = vec![pair("k", string("v"))];
        // Mending what is not kept is not noted.
        let long = vec![pair("k", string("v".repeat(70_000)))];
        let bad = Link { trace_id: vec![1; 3], span_id: vec![1; 8], attributes: long, ..Link::default() };
        let good = Link { trace_id: vec![1; 16], span_id: vec![9; 8], attributes, ..Link::default() };
        span.links = vec![bad.clone(), good, bad];
        span.dropped_links_count = 5;
    });
    assert_eq!((span.links.len(), span.dropped_links_count, span.notes), (1, 7, Notes::BAD_REFERENCE));
    assert_eq!(span.links[0].attributes, [clew_model::Attribute::new("k", "v")]);
}

#[test]
fn values_are_cut_at_64_kib_between_characters() {
    let max = 64 * 1024;
    let with_value = |text: String| kept_between_good_ones(|span| span.attributes = vec![pair("k", string(text))]);
    let span = with_value("x".repeat(max));
    assert_eq!((span.attributes[0].value.as_str().unwrap().len(), span.notes), (max, Notes::default()));
    let span = with_value("x".repeat(max + 1));
    assert_eq!((span.attributes[0].value.as_str().unwrap().len(), span.notes), (max, Notes::VALUE_CUT));
    // Two bytes each, from an odd position: the last character would cross the cut.
    let span = with_value(format!("x{}", "\u{e9}".repeat(max / 2)));
    assert_eq!((span.attributes[0].value.as_str().unwrap().len(), span.notes), (max - 1, Notes::VALUE_CUT));

    let bytes = |length| AnyValue { value: Some(Any::BytesValue(vec![7; length])) };
    let span = kept_between_good_ones(|span| span.attributes = vec![pair("k", bytes(max)), pair("l", bytes(max + 1))]);
    assert_eq!(span.attributes[1].value, Value::Bytes(vec![7; max]));
    assert_eq!((span.attributes[0].value == span.attributes[1].value, span.notes), (true, Notes::VALUE_CUT));

    // Inside of a list, and names, keys and messages alike.
    let list = ArrayValue { values: vec![string("y".repeat(max + 9))] };
    let list = AnyValue { value: Some(Any::ArrayValue(list)) };
    let span = kept_between_good_ones(|span| span.attributes = vec![pair("k", list)]);
    assert_eq!(
        (&span.attributes[0].value, span.notes),
        (&Value::Array(vec!["y".repeat(max).into()]), Notes::VALUE_CUT)
    );
    let span = kept_between_good_ones(|span| span.name = "n".repeat(max + 1));
    assert_eq!((span.name.len(), span.notes), (max, Notes::VALUE_CUT));
}

#[test]
fn too_many_attributes_events_and_links_are_dropped_and_counted() {
    let span = kept_between_good_ones(|span| {
        span.attributes = (0..10_000).map(|number| pair(&number.to_string(), string("v"))).collect();
        span.dropped_attributes_count = 3;
    });
    assert_eq!((span.attributes.len(), span.dropped_attributes_count), (1024, 10_000 - 1024 + 3));
    assert_eq!((span.attributes[1023].key.as_str(), span.notes), ("1023", Notes::ATTRIBUTES_CUT));

    let span = kept_between_good_ones(|span| {
        span.dropped_attributes_count = u32::MAX;
        span.attributes = vec![pair("k", AnyValue::default()); 1025];
    });
    assert_eq!(span.dropped_attributes_count, u32::MAX);

    let span = kept_between_good_ones(|span| {
        let attributes = vec![pair("k", AnyValue::default()); 1030];
        span.events = vec![Event { name: "e".into(), ..Event::default() }; 1025];
        span.events[0].attributes = attributes;
        span.links = vec![Link { trace_id: vec![1; 16], span_id: vec![1; 8], ..Link::default() }; 1026];
    });
    assert_eq!((span.events.len(), span.dropped_events_count), (1024, 1));
    assert_eq!((span.links.len(), span.dropped_links_count), (1024, 2));
    assert_eq!((span.events[0].attributes.len(), span.events[0].dropped_attributes_count), (1024, 6));
    assert_eq!(span.notes, Notes::ATTRIBUTES_CUT | Notes::EVENTS_CUT | Notes::LINKS_CUT);
}

/// An `AnyValue` of so many arrays within each other, written by hand as prost itself recurses.
fn nested(levels: usize) -> Vec<u8> {
    let mut message = b"\x0a\x01x".to_vec();
    for _ in 0..levels {
        for tag in [0x0a, 0x2a] {
            let mut outer = vec![tag];
            prost::encode_length_delimiter(message.len(), &mut outer).unwrap();
            outer.append(&mut message);
            message = outer;
        }
    }
    message
}

fn levels(mut value: &Value) -> (usize, &Value) {
    for level in 0.. {
        match value {
            Value::Array(values) if values.len() == 1 => value = &values[0],
            _ => return (level, value),
        }
    }
    unreachable!("levels end");
}

#[test]
fn deep_nesting_is_emptied_and_noted() {
    for (sent, kept_levels, limit) in [(32, 32, 32), (33, 32, 32), (200, 32, 32), (10_000, 32, 32), (200, 48, 1_000)] {
        let value = nested(sent);
        let mut pair = vec![0x0a, 1, b'k', 0x12];
        prost::encode_length_delimiter(value.len(), &mut pair).unwrap();
        pair.extend(value);
        let mut span = good(2).encode_to_vec();
        span.push(0x4a);
        prost::encode_length_delimiter(pair.len(), &mut span).unwrap();
        span.extend(pair);
        let mut spans = vec![0x12];
        prost::encode_length_delimiter(span.len(), &mut spans).unwrap();
        spans.extend(span);
        spans.extend(ScopeSpans { spans: vec![good(3)], ..ScopeSpans::default() }.encode_to_vec());
        let mut group = group(service(), vec![]).resource.unwrap().encode_to_vec();
        group.splice(0..0, [0x0a, group.len() as u8]);
        group.push(0x12);
        prost::encode_length_delimiter(spans.len(), &mut group).unwrap();
        group.extend(spans);
        let mut body = vec![0x0a];
        prost::encode_length_delimiter(group.len(), &mut body).unwrap();
        body.extend(group);

        let (admission, spans) = kept(&body, Limits { depth: limit, ..Limits::default() }).unwrap();
        assert_eq!((admission.rejected.len(), spans.len()), (0, 2));
        let innermost = if kept_levels == sent { "x".into() } else { Value::Empty };
        assert_eq!(levels(&spans[0].attributes[0].value), (kept_levels, &innermost), "{sent}");
        let notes = if kept_levels == sent { Notes::default() } else { Notes::NESTING_CUT };
        assert_eq!((spans[0].notes, spans[1].notes), (notes, Notes::default()), "{sent}");
    }
}

#[test]
fn bytes_that_are_no_text_are_replaced_and_noted() {
    let sent = sent_between_good_ones(|span| {
        span.name = "b@@d".into();
        span.attributes = vec![pair("k@@", string("v@@")), pair("l", string("fine"))];
    });
    let sent: Vec<u8> = sent.iter().map(|byte| if *byte == b'@' { 0xff } else { *byte }).collect();
    let (admission, spans) = kept(&sent, Limits::default()).unwrap();
    assert_eq!((admission.rejected.len(), spans.len()), (0, 3));
    assert_eq!(spans[1].name, "b\u{fffd}\u{fffd}d");
    assert_eq!(spans[1].attributes[0], clew_model::Attribute::new("k\u{fffd}\u{fffd}", "v\u{fffd}\u{fffd}"));
    assert_eq!(
        spans.iter().map(|span| span.notes).collect::<Vec<_>>(),
        [Notes::default(), Notes::TEXT_REPLACED, Notes::default()]
    );
}

#[test]
fn bodies_that_are_no_request_are_refused_and_say_where() {
    let whole = sent_between_good_ones(|_| {});
    let end = whole.len() - 1;
    let error = kept(&whole[..end], Limits::default()).unwrap_err();
    assert_eq!(error, WireError::Truncated { offset: end, what: "a field of the request" });
    assert_eq!(error.to_string(), format!("the message ends at byte {end} in the middle of a field of the request"));

    assert!(kept(b"{\"resourceSpans\":[]}", Limits::default()).is_err());
    let error = kept(&[0x17], Limits::default()).unwrap_err();
    assert_eq!(error.to_string(), "a tag with an unknown wire type in the request at byte 1");
    // A resource that claims to be longer than its group.
    let error = kept(&[0x0a, 0x03, 0x0a, 0x7f, 0x00], Limits::default()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "a field that reaches past the end of its message in a ResourceSpans message at byte 5"
    );
    assert_eq!(kept(b"", Limits::default()).unwrap().0.span_count, 0);
}

#[test]
fn a_resource_names_the_tenant_wherever_it_lies() {
    let tenant = |name: &str| vec![pair("service.name", string("shop")), pair("team", string(name))];
    let mut number = vec![pair("team", AnyValue { value: Some(Any::IntValue(7)) })];
    number.extend(service());
    let mut groups: Vec<Vec<u8>> = [tenant("red"), tenant("no/path"), service(), number, tenant("blue")]
        .map(|attributes| group(attributes, vec![good(1), good(2)]).encode_to_vec())
        .to_vec();
    // The last group's resource comes after its spans.
    let resource_end = 2 + groups[4][1] as usize;
    groups[4].rotate_left(resource_end);
    let mut body = Vec::new();
    for group in &groups {
        body.push(0x0a);
        prost::encode_length_delimiter(group.len(), &mut body).unwrap();
        body.extend(group);
    }
    let options = AdmitOptions { limits: Limits::default(), received_unix_nanos: NOW, tenant_attribute: Some("team") };
    let admission = admit(&body, &options).unwrap();
    let bad = RejectReason::BadTenant;
    assert_eq!(reasons(&admission), [(2, bad), (3, bad), (6, bad), (7, bad)]);
    let tenants: Vec<_> = admission.groups.iter().map(|group| group.tenant.as_ref().map(Tenant::as_str)).collect();
    assert_eq!(tenants, [Some("red"), None, None, None, Some("blue")]);
    let firsts: Vec<_> = admission.groups.iter().map(|group| (group.first_span, group.span_count)).collect();
    assert_eq!(firsts, [(0, 2), (2, 2), (4, 2), (6, 2), (8, 2)]);
    // A resource that follows its spans is theirs all the same.
    assert_eq!(kept(&body, Limits::default()).unwrap().1[8].service(), "shop");
}

#[test]
fn a_missing_service_is_noted_on_every_span() {
    let empty = vec![pair("service.name", string(""))];
    let body =
        body(vec![group(vec![], vec![good(1), good(2)]), group(service(), vec![good(3)]), group(empty, vec![good(4)])]);
    let (_, spans) = kept(&body, Limits::default()).unwrap();
    let noted: Vec<bool> = spans.iter().map(|span| span.notes.contains(Notes::NO_SERVICE)).collect();
    assert_eq!(noted, [true, true, false, true]);
}
