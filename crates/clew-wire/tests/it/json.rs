//! OTLP/JSON as the specification has it and as senders bend it.

use std::sync::Arc;

use clew_model::{
    Attribute, Event, Kind, Notes, RejectReason, Resource, Scope, Span, SpanId, Status, StatusCode, TraceId, Value,
};
use clew_wire::otlp::{Limits, WireError};
use clew_wire::otlp_json::{JsonShape, encode, to_protobuf};
use proptest::prelude::*;
use serde_json::json;

use crate::{NOW, kept, reasons};

/// A request with spans whose members are given as text.
fn request(spans: &[&str]) -> String {
    let resource = r#"{"attributes":[{"key":"service.name","value":{"stringValue":"shop"}}]}"#;
    format!(r#"{{"resourceSpans":[{{"resource":{resource},"scopeSpans":[{{"spans":[{}]}}]}}]}}"#, spans.join(","))
}

const GOOD: &str = r#"{"traceId":"5B8EFFF798038103D269B633813FC60C","spanId":"EEE19B7EC3C1B174",
    "name":"good","startTimeUnixNano":"1759999999000000000","endTimeUnixNano":1759999999000000001}"#;

/// The good span with one more member.
fn with(member: &str) -> String {
    format!("{},{member}}}", GOOD.trim_end_matches('}'))
}

fn read(json: &str) -> Vec<Span> {
    kept(&to_protobuf(json.as_bytes()).unwrap(), Limits::default()).unwrap().1
}

fn read_value(value: &str) -> Value {
    let spans = read(&request(&[&with(&format!(r#""attributes":[{{"key":"k","value":{value}}}]"#))]));
    spans[0].attributes[0].value.clone()
}

#[test]
fn the_shape_of_the_specification_is_read() {
    let json = r#"{ "resourceSpans": [ {
        "resource": { "attributes": [ { "key": "service.name", "value": { "stringValue": "my.service" } } ] },
        "scopeSpans": [ {
          "scope": { "name": "my.library", "version": "1.0.0",
            "attributes": [ { "key": "my.scope.attribute", "value": { "stringValue": "some scope attribute" } } ] },
          "spans": [ {
            "traceId": "5B8EFFF798038103D269B633813FC60C", "spanId": "EEE19B7EC3C1B174",
            "parentSpanId": "eee19b7ec3c1b173", "name": "I'm a server span",
            "startTimeUnixNano": "1544712660000000000", "endTimeUnixNano": "1544712661000000000", "kind": 2,
            "attributes": [ { "key": "my.span.attr", "value": { "stringValue": "some value" } } ] } ] } ] } ] }"#;
    let expected = Span {
        trace_id: "5b8efff798038103d269b633813fc60c".parse().unwrap(),
        span_id: "eee19b7ec3c1b174".parse().unwrap(),
        parent_span_id: Some("EEE19B7EC3C1B173".parse().unwrap()),
        name: "I'm a server span".into(),
        kind: Kind::Server,
        start_unix_nanos: 1_544_712_660_000_000_000,
        duration_nanos: 1_000_000_000,
        attributes: vec![Attribute::new("my.span.attr", "some value")],
        resource: Arc::new(Resource {
            attributes: vec![Attribute::new("service.name", "my.service")],
            ..Resource::default()
        }),
        scope: Arc::new(Scope {
            name: "my.library".into(),
            version: "1.0.0".into(),
            attributes: vec![Attribute::new("my.scope.attribute", "some scope attribute")],
            ..Scope::default()
        }),
        received_unix_nanos: NOW,
        ..Span::default()
    };
    assert_eq!(read(json), [expected]);
}

#[test]
fn values_of_every_type_are_read() {
    for (json, value) in [
        (r#"{"stringValue":"a\"\u00e9\ud83e\uddf6\n"}"#, Value::from("a\"\u{e9}\u{1f9f6}\n")),
        (r#"{"boolValue":true}"#, true.into()),
        (r#"{"intValue":"-9223372036854775808"}"#, i64::MIN.into()),
        (r#"{"intValue":55}"#, 55_i64.into()),
        (r#"{"int_value":1e3}"#, 1000_i64.into()),
        (r#"{"doubleValue":-0.25e1}"#, (-2.5).into()),
        (r#"{"doubleValue":"Infinity"}"#, f64::INFINITY.into()),
        (r#"{"doubleValue":"-Infinity"}"#, f64::NEG_INFINITY.into()),
        (r#"{"doubleValue":"3.5"}"#, 3.5.into()),
        (r#"{"bytesValue":"-_-_aA"}"#, Value::Bytes(vec![0xfb, 0xff, 0xbf, 0x68])),
        (
            r#"{"arrayValue":{"values":[{"intValue":1},{},{"stringValue":""}]}}"#,
            Value::Array(vec![1_i64.into(), Value::Empty, "".into()]),
        ),
        (
            r#"{"kvlistValue":{"values":[{"key":"a","value":{"boolValue":false}}]}}"#,
            Value::Map(vec![Attribute::new("a", false)]),
        ),
        (r#"{"arrayValue":{}}"#, Value::Array(vec![])),
        ("{}", Value::Empty),
        ("null", Value::Empty),
        (r#"{"stringValue":null}"#, Value::Empty),
        (r#"{"newValue":{"a":[1,{"b":"]}"}]}}"#, Value::Empty),
    ] {
        assert_eq!(read_value(json), value, "{json}");
    }
    assert!(matches!(read_value(r#"{"doubleValue":"NaN"}"#), Value::Double(number) if number.is_nan()));
}

#[test]
fn names_of_members_and_enumerations_are_read_in_both_forms() {
    let camel = request(&[&with(
        r#""kind":"SPAN_KIND_CONSUMER","status":{"code":"STATUS_CODE_ERROR","message":"m"},"droppedLinksCount":"7","flags":257"#,
    )]);
    let snake = camel
        .replace("resourceSpans", "resource_spans")
        .replace("scopeSpans", "scope_spans")
        .replace("traceId", "trace_id")
        .replace("startTimeUnixNano", "start_time_unix_nano")
        .replace("droppedLinksCount", "dropped_links_count")
        .replace("\"SPAN_KIND_CONSUMER\"", "5")
        .replace("\"STATUS_CODE_ERROR\"", "2");
    let spans = read(&camel);
    assert_eq!((spans[0].kind, spans[0].dropped_links_count, spans[0].flags), (Kind::Consumer, 7, 257));
    assert_eq!(spans[0].status, Status { code: StatusCode::Error, message: "m".into() });
    assert_eq!(read(&snake), spans);
    for unknown in [r#""kind":"SPAN_KIND_NEW""#, r#""kind":-1"#, r#""kind":99"#] {
        assert_eq!(read(&request(&[&with(unknown)]))[0].notes, Notes::UNKNOWN_ENUM, "{unknown}");
    }
}

#[test]
fn what_is_unknown_or_null_is_ignored() {
    let spans = read(&request(&[
        &with(r#""events":null,"status":null,"parentSpanId":null,"new":[{"a":[[],{"b":null}]},"\\\"",-1.5e-3,true]"#),
        GOOD,
    ]));
    assert_eq!(spans[0], spans[1]);
    assert_eq!(read(r#" { "resourceSpans" : null , "other" : {} } "#), []);
}

#[test]
fn a_bad_span_spares_its_neighbours() {
    for (bad, reason) in [
        (GOOD.replace("5B8E", "xyz!"), RejectReason::BadTraceId),
        (GOOD.replace("5B8E", ""), RejectReason::BadTraceId),
        (GOOD.replace("\"EEE19B7EC3C1B174\"", "\"\""), RejectReason::BadSpanId),
        (GOOD.replace("\"EEE19B7EC3C1B174\"", "null"), RejectReason::BadSpanId),
        (GOOD.replace("\"1759999999000000000\"", "0"), RejectReason::MissingStart),
        (GOOD.replace("\"1759999999000000000\"", "-1"), RejectReason::Undecodable),
        (GOOD.replace("\"1759999999000000000\"", "1.5"), RejectReason::Undecodable),
        (GOOD.replace("\"1759999999000000000\"", "\"soon\""), RejectReason::Undecodable),
        (GOOD.replace("1759999999000000001", "1E759999999000000001"), RejectReason::Undecodable),
        (GOOD.replace("\"good\"", "[{\"a\":1}]"), RejectReason::Undecodable),
        (with(r#""attributes":{}"#), RejectReason::Undecodable),
        (with(r#""attributes":[1]"#), RejectReason::Undecodable),
        (with(r#""attributes":[{"key":"k","value":{"boolValue":1}}],"links":[{}]"#), RejectReason::Undecodable),
        (with(r#""attributes":[{"key":"k","value":{"bytesValue":"*"}}]"#), RejectReason::Undecodable),
        (with(r#""status":{"code":true}"#), RejectReason::Undecodable),
        ("7".to_owned(), RejectReason::Undecodable),
        ("null".to_owned(), RejectReason::BadTraceId),
    ] {
        let body = to_protobuf(request(&[GOOD, &bad, GOOD]).as_bytes()).unwrap();
        let (admission, spans) = kept(&body, Limits::default()).unwrap();
        assert_eq!(reasons(&admission), [(1, reason)], "{bad}");
        assert_eq!((spans.len(), &spans[0]), (2, &spans[1]), "{bad}");
        assert_eq!((spans[0].name.as_str(), spans[0].notes), ("good", Notes::default()), "{bad}");
    }
    let spans = read(&request(&[&with(r#""parentSpanId":"no id""#)]));
    assert_eq!((spans[0].parent_span_id, spans[0].notes), (None, Notes::BAD_REFERENCE));
}

#[test]
fn text_that_is_no_unicode_is_mended_and_noted() {
    let mut json = request(&[&GOOD.replace("good", "b@d"), &GOOD.replace("good", "\\ud800x")]).into_bytes();
    let at = json.iter().position(|byte| *byte == b'@').unwrap();
    json[at] = 0xff;
    let (_, spans) = kept(&to_protobuf(&json).unwrap(), Limits::default()).unwrap();
    assert_eq!((spans[0].name.as_str(), spans[0].notes), ("b\u{fffd}d", Notes::TEXT_REPLACED));
    assert!(spans[1].name.ends_with("\u{fffd}x") && spans[1].notes == Notes::TEXT_REPLACED);
}

#[test]
fn deep_nesting_is_cut_and_noted_whatever_its_form() {
    let array = |levels: usize| {
        let (open, close) = (r#"{"arrayValue":{"values":["#.repeat(levels), "]}}".repeat(levels));
        format!(r#"{open}{{"stringValue":"x"}}{close}"#)
    };
    let map = |levels: usize| {
        let (open, close) = (r#"{"kvlistValue":{"values":[{"key":"k","value":"#.repeat(levels), "}]}}".repeat(levels));
        format!(r#"{open}{{"stringValue":"x"}}{close}"#)
    };
    for (value, is_cut) in [
        (array(32), false),
        (map(32), false),
        (array(33), true),
        (map(33), true),
        (array(200), true),
        (map(10_000), true),
    ] {
        let json = request(&[&with(&format!(r#""attributes":[{{"key":"k","value":{value}}}]"#)), GOOD]);
        let spans = read(&json);
        let notes = if is_cut { Notes::NESTING_CUT } else { Notes::default() };
        assert_eq!((spans[0].notes, spans[1].notes), (notes, Notes::default()));
    }
    // A limit beyond the hard one is held to it, and what the translation itself leaves out is noted too.
    for value in [array(60), array(10_000), map(60), map(10_000)] {
        let json = request(&[&with(&format!(r#""attributes":[{{"key":"k","value":{value}}}]"#))]);
        let limits = Limits { depth: u32::MAX, ..Limits::default() };
        let (_, spans) = kept(&to_protobuf(json.as_bytes()).unwrap(), limits).unwrap();
        assert_eq!(spans[0].notes, Notes::NESTING_CUT);
    }
    let open = "[".repeat(1_000_000);
    assert!(matches!(to_protobuf(format!(r#"{{"x":{open}"#).as_bytes()), Err(WireError::Truncated { .. })));
}

#[test]
fn text_that_is_no_json_is_refused_and_says_where() {
    for (json, error) in [
        ("", "the message ends at byte 0 in the middle of the JSON text"),
        ("[]", "expected an object (line 1, column 1) at byte 0"),
        (
            "{\"resourceSpans\":\n  7}",
            "expected an array of objects as \"resourceSpans\" (line 2, column 3) at byte 20",
        ),
        (r#"{"resourceSpans":["#, "the message ends at byte 18 in the middle of the JSON text"),
        (r#"{"a":1,}"#, "expected the name of a member (line 1, column 8) at byte 7"),
        (r#"{"a" 1}"#, "expected `:` (line 1, column 6) at byte 5"),
        (r#"{"a":1 "b":2}"#, "expected `,` or `}` (line 1, column 8) at byte 7"),
        (r#"{"a":[1 2]}"#, "expected `,` or `]` (line 1, column 9) at byte 8"),
        (r#"{"a":01}"#, "expected `,` or `}` (line 1, column 7) at byte 6"),
        (r#"{"a":tru}"#, "expected a value (line 1, column 6) at byte 5"),
        (r#"{"a":"\x"}"#, "expected an escape that JSON knows (line 1, column 8) at byte 7"),
        ("{\"a\":\"\n\"}", "expected no control character in a string (line 1, column 7) at byte 6"),
        ("{} x", "expected the end of the text (line 1, column 4) at byte 3"),
        (
            r#"{"resourceSpans":[{"resource":{"droppedAttributesCount":"x"}}]}"#,
            "expected a whole number without sign, or a string with one as \"droppedAttributesCount\" (line 1, column 57) at byte 56",
        ),
    ] {
        assert_eq!(to_protobuf(json.as_bytes()).unwrap_err().to_string(), error, "{json}");
    }
}

#[test]
fn spans_are_written_in_both_shapes() {
    let span = Span {
        trace_id: "5b8efff798038103d269b633813fc60c".parse::<TraceId>().unwrap(),
        span_id: "eee19b7ec3c1b173".parse::<SpanId>().unwrap(),
        parent_span_id: Some("eee19b7ec3c1b174".parse().unwrap()),
        name: "op".into(),
        kind: Kind::Server,
        start_unix_nanos: NOW,
        duration_nanos: 5,
        status: Status { code: StatusCode::Error, message: "no".into() },
        attributes: vec![Attribute::new("n", 7_i64), Attribute::new("d", f64::NAN)],
        events: vec![Event { time_unix_nanos: NOW, name: "e".into(), ..Event::default() }],
        ..Span::default()
    };
    let shared = json!({
        "name": "op", "startTimeUnixNano": "1760000000000000000", "endTimeUnixNano": "1760000000000000005",
        "attributes": [{ "key": "n", "value": { "intValue": "7" } }, { "key": "d", "value": { "doubleValue": "NaN" } }],
        "events": [{ "timeUnixNano": "1760000000000000000", "name": "e" }],
    });
    let span_with = |members: serde_json::Value| {
        let mut span = shared.clone();
        span.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        json!([{ "resource": {}, "scopeSpans": [{ "scope": {}, "spans": [span] }] }])
    };
    let otlp = span_with(json!({
        "traceId": "5b8efff798038103d269b633813fc60c", "spanId": "eee19b7ec3c1b173",
        "parentSpanId": "eee19b7ec3c1b174", "kind": 2, "status": { "code": 2, "message": "no" },
    }));
    let tempo = span_with(json!({
        "traceId": "W47/95gDgQPSabYzgT/GDA==", "spanId": "7uGbfsPBsXM=", "parentSpanId": "7uGbfsPBsXQ=",
        "kind": "SPAN_KIND_SERVER", "status": { "code": "STATUS_CODE_ERROR", "message": "no" },
    }));
    assert_eq!(encode(std::slice::from_ref(&span), JsonShape::Otlp), json!({ "resourceSpans": otlp }));
    assert_eq!(encode(&[span], JsonShape::Tempo), json!({ "batches": tempo }));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn damaged_text_is_read_or_refused(damages in crate::generate::damages()) {
        let value = r#"{"kvlistValue":{"values":[{"key":"\u00e9","value":{"doubleValue":1.5e-3}}]}}"#;
        let json = request(&[GOOD, &with(&format!(r#""attributes":[{{"key":"k","value":{value}}}],"x":[null,true]"#))]);
        let json = crate::generate::damaged(json.as_bytes(), &damages);
        match to_protobuf(&json) {
            // What is translated is a request, and what is read as a request was JSON to serde_json as well.
            Ok(body) => {
                prop_assert!(kept(&body, Limits::default()).is_ok());
                let text = String::from_utf8_lossy(&json).replace("\\ud", "\\u0");
                // A number beyond all floats is JSON by its grammar (RFC 8259), and serde_json's own limit.
                let fault = serde_json::from_str::<serde_json::Value>(&text).err().map(|error| error.to_string());
                let is_ours = fault.as_ref().is_none_or(|fault| fault.starts_with("number out of range"));
                prop_assert!(is_ours, "{fault:?}: {text}");
            }
            Err(error) => prop_assert!(!error.to_string().is_empty()),
        }
    }
}
