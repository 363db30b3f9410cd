//! Zipkin's JSON of version 2.

use clew_model::{Attribute, Kind, Span, SpanId, StatusCode, Value};
use clew_wire::otlp::{self, AdmitOptions, Limits};
use clew_wire::zipkin_json::spans;
use proptest::prelude::*;

const PAIR: &str = r#"[
  {
    "traceId": "5982fe77008310cc80f1da5e10147517", "parentId": "90394f6bcffb5d13", "id": "bd7a977555f6b982", "kind": "CLIENT",
    "name": "get /api", "timestamp": 1502787600000000, "duration": 200123,
    "localEndpoint": {"serviceName": "frontend", "ipv4": "127.0.0.1", "port": 8081},
    "remoteEndpoint": {"serviceName": "backend", "ipv4": "192.168.99.101", "port": 9000},
    "annotations": [
      {"timestamp": 1502787600000100, "value": "ws"},
      {"timestamp": 1502787600000200, "value": "\"message\": {\"id\": 7, \"type\": \"SENT\"}"},
      {"timestamp": 1502787600000300, "value": "\"half"}
    ],
    "tags": {"clnt/finagle.version": "6.45.0", "error": "timed out", "http.path": "/api", "n": 5}
  },
  {
    "traceId": "5982fe77008310cc80f1da5e10147517", "parentId": "90394f6bcffb5d13", "id": "bd7a977555f6b982", "kind": "SERVER",
    "name": "get /api", "timestamp": 1502787600050000, "duration": 100000, "shared": true, "debug": true,
    "localEndpoint": {"serviceName": "backend", "ipv4": "192.168.99.101", "ipv6": "::1", "port": 9000},
    "tags": {"error": "", "otel.status_code": "OK", "otel.scope.name": "brave", "w3c.tracestate": "a=1"}
  },
  {"traceId": "463ac35c9f6413ad", "id": "1", "name": "local", "annotations": [{"timestamp": 30, "value": "a"}, {"timestamp": 20, "value": "b"}],
   "tags": {"error": "false"}}
]"#;

fn read(json: &str) -> Vec<Span> {
    spans(json.as_bytes()).unwrap()
}

fn value(span: &Span, key: &str) -> Value {
    clew_model::value::find(&span.attributes, key).cloned().unwrap_or_else(|| panic!("{key}: {:?}", span.attributes))
}

#[test]
fn both_halves_of_a_call_are_read() {
    let [client, server, local] = &read(PAIR)[..] else { panic!("three spans") };
    assert_eq!(client.trace_id.to_string(), "5982fe77008310cc80f1da5e10147517");
    assert_eq!((client.span_id, client.kind, client.name.as_str()), (server.span_id, Kind::Client, "get /api"));
    assert_eq!(client.parent_span_id.unwrap().to_string(), "90394f6bcffb5d13");
    assert_eq!((client.start_unix_nanos, client.duration_nanos), (1_502_787_600_000_000_000, 200_123_000));
    assert_eq!(client.service(), "frontend");
    let host = Attribute { key: "host.ip".to_owned(), value: Value::Array(vec!["127.0.0.1".into()]) };
    assert_eq!(client.resource.attributes[1], host);
    assert_eq!(value(client, "peer.service"), "backend".into());
    assert_eq!(value(client, "network.peer.address"), "192.168.99.101".into());
    assert_eq!(
        (value(client, "network.peer.port"), value(client, "network.local.port")),
        (Value::Int(9000), Value::Int(8081))
    );
    assert_eq!((client.status.code, client.status.message.as_str()), (StatusCode::Error, "timed out"));
    assert_eq!((value(client, "n"), value(client, "http.path")), (Value::Int(5), "/api".into()));
    let names: Vec<_> = client.events.iter().map(|event| event.name.as_str()).collect();
    assert_eq!(names, ["ws", "message", "\"half"]);
    assert_eq!(client.events[1].attributes, [Attribute::new("id", 7_i64), Attribute::new("type", "SENT")]);
    assert_eq!(client.events[0].time_unix_nanos, 1_502_787_600_000_100_000);

    assert_eq!((server.kind, server.service(), server.flags), (Kind::Server, "backend", 1));
    assert_eq!(value(server, "zipkin.debug"), Value::Bool(true));
    assert_eq!(
        (server.status.code, server.status.message.as_str()),
        (StatusCode::Ok, ""),
        "OpenTelemetry's word counts"
    );
    assert_eq!((server.scope.name.as_str(), server.trace_state.as_str()), ("brave", "a=1"));

    assert_eq!((local.kind, local.start_unix_nanos, local.duration_nanos), (Kind::Internal, 20_000, 0));
    assert_eq!(
        (local.span_id, local.trace_id.to_string().as_str()),
        (SpanId::from_u64(1), "0000000000000000463ac35c9f6413ad")
    );
    assert_eq!((local.status.code, value(local, "error")), (StatusCode::Unset, "false".into()));
}

#[test]
fn an_empty_error_tag_is_an_error_without_words() {
    for text in ["", "true", "TRUE"] {
        let span = &read(&format!(r#"{{"traceId": "1", "id": "2", "tags": {{"error": "{text}"}}}}"#))[0];
        assert_eq!((span.status.code, span.status.message.as_str()), (StatusCode::Error, ""), "{text}");
    }
}

#[test]
fn lists_of_lists_and_single_spans_are_read() {
    let whole = read(PAIR);
    assert_eq!(read(&format!("[{PAIR}, [], {PAIR}]")).len(), 6);
    assert_eq!(read(&format!("[{PAIR}]")), whole);
    let list: serde_json::Value = serde_json::from_str(PAIR).unwrap();
    assert_eq!(read(&list[0].to_string()), whole[..1]);
    assert_eq!(read("[]"), []);
}

#[test]
fn a_bad_span_costs_no_neighbour() {
    let json = r#"[
        7,
        {"traceId": "1", "id": "zz", "timestamp": 1},
        {"traceId": "1", "id": "2"},
        {"traceId": "1", "id": "3", "timestamp": "5", "duration": -1, "kind": 4, "tags": [], "annotations": 5,
         "localEndpoint": "x", "parentId": "0", "unknown": {"a": [1, {"b": null}]}}
    ]"#;
    let body = otlp::encode(&read(json));
    let options = AdmitOptions { limits: Limits::default(), received_unix_nanos: 1 << 60, tenant_attribute: None };
    let rejected = otlp::admit(&body, &options).unwrap().rejected;
    let reasons: Vec<_> = rejected.iter().map(|rejected| rejected.reason.as_str()).collect();
    assert_eq!(reasons, ["bad_trace_id", "bad_span_id", "missing_start"]);
    let kept = otlp::spans(&body, &Limits::default(), 1 << 60, &[0, 1, 2]).unwrap();
    assert_eq!((kept[0].start_unix_nanos, kept[0].duration_nanos, kept[0].parent_span_id), (5_000, 0, None));
    assert_eq!((kept[0].kind, kept[0].service()), (Kind::Internal, "unknown_service"));
}

#[test]
fn spans_of_one_endpoint_share_a_resource() {
    let one = r#"{"traceId": "1", "id": "2", "localEndpoint": {"serviceName": "a", "ipv4": "1.2.3.4", "port": 1}}"#;
    let two = r#"{"traceId": "1", "id": "3", "localEndpoint": {"serviceName": "a", "ipv4": "1.2.3.4", "port": 2}}"#;
    let spans = read(&format!("[{one}, {two}]"));
    assert!(std::sync::Arc::ptr_eq(&spans[0].resource, &spans[1].resource));
}

#[test]
fn nothing_recurses_on_nesting() {
    let deep = format!("{}{}", "[".repeat(200_000), "]".repeat(200_000));
    assert_eq!(read(&deep).len(), 1, "a span that is none");
    assert_eq!(read(&format!(r#"[{{"tags": {{"a": {deep}}}}}]"#)).len(), 1);
}

proptest! {
    #[test]
    fn mutated_texts_never_panic(at in 0..PAIR.len(), byte: u8, cut in 0..PAIR.len()) {
        let mut bytes = PAIR.as_bytes().to_vec();
        bytes[at] = byte;
        let _ = spans(&bytes);
        let _ = spans(&bytes[..cut]);
    }
}
