//! Jaeger's JSON, as its query service and its UI write it.

use clew_model::{Attribute, Kind, Span, SpanId, StatusCode, TraceId, Value};
use clew_wire::jaeger_json::spans;
use clew_wire::otlp::{self, AdmitOptions, Limits};
use proptest::prelude::*;

const HOT_ROD: &str = r#"{
  "data": [{
    "traceID": "3e72a3b7d1cbbc12",
    "spans": [
      {
        "traceID": "3e72a3b7d1cbbc12", "spanID": "3e72a3b7d1cbbc12", "flags": 1, "operationName": "HTTP GET /dispatch",
        "references": [], "startTime": 1600000000000000, "duration": 700123,
        "tags": [
          {"key": "sampler.type", "type": "string", "value": "const"},
          {"key": "span.kind", "type": "string", "value": "server"},
          {"key": "http.status_code", "type": "int64", "value": 500},
          {"key": "ratio", "type": "float64", "value": 2},
          {"key": "big", "type": "int64", "value": "9223372036854775807"},
          {"key": "error", "type": "bool", "value": true},
          {"key": "token", "type": "binary", "value": "AP8="},
          {"type": "bool", "value": "true", "key": "late.type"}
        ],
        "logs": [
          {"timestamp": 1600000000000500, "fields": [
            {"key": "event", "type": "string", "value": "exception"},
            {"key": "exception.message", "type": "string", "value": "boom"}]},
          {"timestamp": 1600000000000600, "fields": [{"key": "level", "type": "string", "value": "info"}]}
        ],
        "processID": "p1", "warnings": null
      },
      {
        "processID": "p2", "traceID": "3e72a3b7d1cbbc12", "spanID": "a1", "flags": 3, "operationName": "SQL SELECT",
        "references": [
          {"refType": "FOLLOWS_FROM", "traceID": "3e72a3b7d1cbbc12", "spanID": "77"},
          {"refType": "CHILD_OF", "traceID": "99", "spanID": "88"},
          {"refType": "CHILD_OF", "traceID": "3e72a3b7d1cbbc12", "spanID": "3e72a3b7d1cbbc12"}
        ],
        "startTime": 1600000000000100, "duration": 50,
        "tags": [
          {"key": "otel.scope.name", "type": "string", "value": "pg"},
          {"key": "otel.scope.version", "type": "string", "value": "1.1"},
          {"key": "otel.status_code", "type": "string", "value": "ERROR"},
          {"key": "otel.status_description", "type": "string", "value": "timed out"},
          {"key": "w3c.tracestate", "type": "string", "value": "a=1"}
        ],
        "logs": [], "warnings": ["clock skew adjusted"]
      },
      {
        "traceID": "3e72a3b7d1cbbc12", "spanID": "a2", "operationName": "notify", "startTime": 1600000000000200,
        "duration": 10, "processID": "p1",
        "references": [{"refType": "FOLLOWS_FROM", "traceID": "3e72a3b7d1cbbc12", "spanID": "a1"}]
      }
    ],
    "processes": {
      "p1": {"serviceName": "frontend", "tags": [{"key": "hostname", "type": "string", "value": "web-1"}]},
      "p2": {"serviceName": "mysql", "tags": [{"key": "ip", "type": "string", "value": "10.0.0.9"}]}
    },
    "warnings": null
  }],
  "total": 0, "limit": 0, "offset": 0, "errors": null
}"#;

fn read(json: &str) -> Vec<Span> {
    spans(json.as_bytes()).unwrap()
}

fn value(span: &Span, key: &str) -> Value {
    clew_model::value::find(&span.attributes, key).cloned().unwrap_or_else(|| panic!("{key}: {:?}", span.attributes))
}

#[test]
fn an_answer_of_the_query_service_is_read() {
    let [root, query, follower] = &read(HOT_ROD)[..] else { panic!("three spans") };
    assert_eq!(root.trace_id.to_string(), "00000000000000003e72a3b7d1cbbc12");
    assert_eq!((root.span_id.to_string().as_str(), root.parent_span_id), ("3e72a3b7d1cbbc12", None));
    assert_eq!((root.name.as_str(), root.kind, root.flags), ("HTTP GET /dispatch", Kind::Server, 1));
    assert_eq!((root.start_unix_nanos, root.duration_nanos), (1_600_000_000_000_000_000, 700_123_000));
    assert_eq!((root.status.code, root.service()), (StatusCode::Error, "frontend"));
    assert_eq!(root.resource.attributes[1], Attribute::new("host.name", "web-1"));
    let keys: Vec<_> = root.attributes.iter().map(|attribute| attribute.key.as_str()).collect();
    assert_eq!(keys, ["sampler.type", "http.status_code", "ratio", "big", "token", "late.type"]);
    assert_eq!(value(root, "http.status_code"), Value::Int(500));
    assert_eq!(value(root, "ratio"), Value::Double(2.0));
    assert_eq!(value(root, "big"), Value::Int(i64::MAX));
    assert_eq!(value(root, "token"), Value::Bytes(vec![0, 255]));
    assert_eq!(value(root, "late.type"), Value::Bool(true));
    assert_eq!(
        (root.events[0].name.as_str(), root.events[0].time_unix_nanos),
        ("exception", 1_600_000_000_000_500_000)
    );
    assert_eq!(root.events[0].attributes, [Attribute::new("exception.message", "boom")]);
    assert_eq!((root.events[1].name.as_str(), root.events[1].attributes.len()), ("", 1));

    assert_eq!((query.span_id, query.parent_span_id), (SpanId::from_u64(0xa1), Some(root.span_id)));
    assert_eq!((query.scope.name.as_str(), query.scope.version.as_str()), ("pg", "1.1"));
    assert_eq!((query.status.code, query.status.message.as_str()), (StatusCode::Error, "timed out"));
    assert_eq!((query.trace_state.as_str(), query.service(), query.flags), ("a=1", "mysql", 1));
    assert_eq!(value(query, "jaeger.debug"), Value::Bool(true));
    assert_eq!(value(query, "jaeger.warnings"), Value::Array(vec!["clock skew adjusted".into()]));
    let kind = |span: &Span, at: usize| span.links[at].attributes[0].value.to_string();
    assert_eq!((kind(query, 0), query.links[0].span_id), ("follows_from".to_owned(), SpanId::from_u64(0x77)));
    assert_eq!((kind(query, 1), query.links[1].trace_id.to_string().ends_with("99")), ("child_of".to_owned(), true));
    assert_eq!(query.links.len(), 2);

    assert_eq!((follower.parent_span_id, follower.links.len()), (Some(SpanId::from_u64(0xa1)), 1));
    assert_eq!((kind(follower, 0), follower.links[0].span_id), ("follows_from".to_owned(), SpanId::from_u64(0xa1)));
    assert_eq!(std::sync::Arc::as_ptr(&root.resource), std::sync::Arc::as_ptr(&follower.resource));
}

#[test]
fn traces_come_in_other_wrappings_too() {
    let envelope: serde_json::Value = serde_json::from_str(HOT_ROD).unwrap();
    let whole = read(HOT_ROD);
    assert_eq!(read(&envelope["data"].to_string()), whole, "a list of traces");
    assert_eq!(read(&envelope["data"][0].to_string()), whole, "one trace");
    let document = r#"{"traceID": "5", "spanID": "6", "parentSpanID": "7", "operationName": "op", "startTime": 12,
        "duration": 3, "process": {"serviceName": "s", "tags": []}, "tags": []}"#;
    let [span] = &read(document)[..] else { panic!("one span") };
    assert_eq!((span.service(), span.parent_span_id), ("s", Some(SpanId::from_u64(7))));
    assert_eq!((span.start_unix_nanos, span.duration_nanos), (12_000, 3_000));
    assert_eq!(read(r#"{"data": null, "errors": [{"code": 404, "msg": "trace not found"}]}"#), []);
}

#[test]
fn a_bad_span_costs_no_neighbour() {
    let json = r#"{"traceID": "1", "processes": 7, "spans": [
        5,
        {"traceID": "xyz", "spanID": "1", "startTime": 1},
        {"traceID": "1", "spanID": "11111111111111111", "startTime": 1},
        {"traceID": "1", "spanID": "2", "startTime": -4, "duration": "x", "tags": 5, "logs": {}, "references": null},
        {"traceID": "1", "spanID": "3", "startTime": 9, "duration": 18446744073709551615, "operationName": 5,
         "tags": [3, {"key": "a"}, {"key": "n", "type": "int64", "value": "x"}, {"value": {"deep": [1]}, "key": "d"}]}
    ]}"#;
    let body = otlp::encode(&read(json));
    let options = AdmitOptions { limits: Limits::default(), received_unix_nanos: 1 << 60, tenant_attribute: None };
    let admission = otlp::admit(&body, &options).unwrap();
    let reasons: Vec<_> =
        admission.rejected.iter().map(|rejected| (rejected.ordinal, rejected.reason.as_str())).collect();
    assert_eq!(reasons, [(0, "bad_trace_id"), (1, "bad_trace_id"), (2, "bad_span_id"), (3, "missing_start")]);
    let kept = otlp::spans(&body, &Limits::default(), 1 << 60, &[0, 1, 2, 3]).unwrap();
    assert_eq!((kept[0].name.as_str(), kept[0].end_unix_nanos()), ("5", u64::MAX));
    assert_eq!(value(&kept[0], "n"), Value::String("x".to_owned()));
    assert_eq!(value(&kept[0], "d"), Value::String(r#"{"deep": [1]}"#.to_owned()));
    assert_eq!(value(&kept[0], "a"), Value::Empty);
}

#[test]
fn what_is_no_json_says_where() {
    for (json, what) in
        [("", "JSON text"), ("7", "an object or an array"), (r#"{"data": [}"#, "a value"), ("[] x", "end of the text")]
    {
        let error = spans(json.as_bytes()).unwrap_err().to_string();
        assert!(error.contains(what), "{json}: {error}");
    }
}

#[test]
fn nothing_recurses_on_nesting() {
    let deep = format!("{}{}", "[".repeat(200_000), "]".repeat(200_000));
    assert_eq!(read(&format!(r#"{{"data": [{{"spans": {deep}}}]}}"#)).len(), 1);
    assert_eq!(
        read(&format!(r#"{{"x": {deep}, "data": {}1{}}}"#, r#"[{"data": "#.repeat(1_000), "}]".repeat(1_000))),
        []
    );
}

proptest! {
    #[test]
    fn mutated_texts_never_panic(at in 0..HOT_ROD.len(), byte: u8, cut in 0..HOT_ROD.len()) {
        let mut bytes = HOT_ROD.as_bytes().to_vec();
        bytes[at] = byte;
        let _ = spans(&bytes);
        let _ = spans(&bytes[..cut]);
    }
}

#[test]
fn ids_of_a_trace_are_kept_whole() {
    let json = r#"[{"traceID": "x", "spans": [{"traceID": "463ac35c9f6413ad48485a3953bb6124", "spanID": "1"}]}]"#;
    assert_eq!(read(json)[0].trace_id, TraceId::parse_lenient("463ac35c9f6413ad48485a3953bb6124").unwrap());
}
