//! What is kept survives being written and read again, in each form.

use std::sync::Arc;

use clew_model::{Notes, Span, Value};
use clew_wire::otlp::{Limits, decode_value, encode, encode_value, spans};
use clew_wire::otlp_json::{self, JsonShape};
use opentelemetry_proto::tonic::trace::v1::TracesData;
use proptest::prelude::*;
use prost::Message;

use crate::generate::request;
use crate::{NOW, kept};

/// The notes of times and references are about what was sent, not about what was kept.
fn without_notes(spans: &[Span]) -> Vec<Span> {
    spans.iter().map(|span| Span { notes: Notes::default(), ..span.clone() }).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn spans_survive_protobuf_and_json(request in request()) {
        let (_, sent) = kept(&request.encode_to_vec(), Limits::default()).unwrap();

        let body = encode(&sent);
        let read = spans(&body, &Limits::default(), NOW, &[]).unwrap();
        prop_assert_eq!(without_notes(&read), without_notes(&sent));
        prop_assert!(TracesData::decode(&*body).is_ok());

        let json = otlp_json::encode(&sent, JsonShape::Otlp).to_string();
        let body = otlp_json::to_protobuf(json.as_bytes()).unwrap();
        let read = spans(&body, &Limits::default(), NOW, &[]).unwrap();
        prop_assert_eq!(without_notes(&read), without_notes(&sent));

        for span in &sent {
            for attribute in &span.attributes {
                prop_assert_eq!(&decode_value(&encode_value(&attribute.value)), &attribute.value);
            }
        }
    }
}

#[test]
fn spans_of_one_resource_share_it() {
    let resource = |name: &str| {
        let attributes = vec![clew_model::Attribute::new("service.name", name)];
        Arc::new(clew_model::Resource { attributes, ..clew_model::Resource::default() })
    };
    let (a, b) = (resource("a"), resource("b"));
    let span = |number: u8, resource: &Arc<clew_model::Resource>| Span {
        trace_id: clew_model::TraceId([number; 16]),
        span_id: clew_model::SpanId([number; 8]),
        name: "s".into(),
        start_unix_nanos: NOW,
        resource: Arc::clone(resource),
        received_unix_nanos: NOW,
        ..Span::default()
    };
    // The second is equal to the first, though it is not the same.
    let sent = [span(1, &a), span(2, &resource("a")), span(3, &b), span(4, &a)];
    let body = encode(&sent);
    assert_eq!(TracesData::decode(&*body).unwrap().resource_spans.len(), 3);
    let read = spans(&body, &Limits::default(), NOW, &[]).unwrap();
    assert_eq!(read, sent);
    assert!(Arc::ptr_eq(&read[0].resource, &read[1].resource));
    assert!(!Arc::ptr_eq(&read[0].resource, &read[3].resource));
}

#[test]
fn bytes_that_are_no_value_read_as_empty() {
    for bytes in [&b""[..], b"\x0a\xff", b"\x00", b"\x2a\x02\x0a\x05", b"\xff\xff\xff\xff"] {
        assert_eq!(decode_value(bytes), Value::Empty, "{bytes:x?}");
    }
}
