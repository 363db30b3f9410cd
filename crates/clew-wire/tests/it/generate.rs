//! Requests of any shape, odd ones included, and ways to damage their bytes.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use crate::NOW;

/// A request as senders could make it.
pub(crate) fn request() -> impl Strategy<Value = ExportTraceServiceRequest> {
    vec(resource_spans(), 0..3).prop_map(|resource_spans| ExportTraceServiceRequest { resource_spans })
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        select(vec!["", "a", "service.name", "GET /cart", "h\u{e9}", "\u{1f9f6} thread"]).prop_map(str::to_owned),
        vec(any::<char>(), 0..6).prop_map(|chars| chars.into_iter().collect()),
    ]
}

fn id(length: usize) -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        12 => vec(any::<u8>(), length),
        1 => vec(any::<u8>(), 0..20),
        1 => Just(vec![0; length]),
        1 => Just(Vec::new()),
    ]
}

fn time() -> impl Strategy<Value = u64> {
    prop_oneof![10 => NOW - 1_000_000..NOW, 1 => Just(0), 1 => any::<u64>()]
}

fn number() -> impl Strategy<Value = u32> {
    prop_oneof![3 => Just(0), 1 => any::<u32>()]
}

fn any_value() -> impl Strategy<Value = AnyValue> {
    let leaf = prop_oneof![
        Just(None),
        text().prop_map(|text| Some(Value::StringValue(text))),
        any::<bool>().prop_map(|truth| Some(Value::BoolValue(truth))),
        any::<i64>().prop_map(|number| Some(Value::IntValue(number))),
        any::<f64>().prop_map(|number| Some(Value::DoubleValue(number))),
        vec(any::<u8>(), 0..6).prop_map(|bytes| Some(Value::BytesValue(bytes))),
    ];
    let leaf = leaf.prop_map(|value| AnyValue { value });
    leaf.prop_recursive(3, 12, 3, |inner| {
        let entry = (text(), option::of(inner.clone()));
        let entry = entry.prop_map(|(key, value)| KeyValue { key, value, ..KeyValue::default() });
        prop_oneof![
            vec(inner, 0..3).prop_map(|values| Value::ArrayValue(ArrayValue { values })),
            vec(entry, 0..3).prop_map(|values| Value::KvlistValue(KeyValueList { values })),
        ]
        .prop_map(|value| AnyValue { value: Some(value) })
    })
}

fn attributes() -> impl Strategy<Value = Vec<KeyValue>> {
    let attribute = (text(), option::weighted(0.9, any_value()));
    vec(attribute.prop_map(|(key, value)| KeyValue { key, value, ..KeyValue::default() }), 0..4)
}

prop_compose! {
    fn event()(
        time_unix_nano in time(), name in text(), attributes in attributes(), dropped_attributes_count in number(),
    ) -> Event {
        Event { time_unix_nano, name, attributes, dropped_attributes_count }
    }
}

prop_compose! {
    fn link()(
        trace_id in id(16), span_id in id(8), trace_state in text(), attributes in attributes(),
        dropped_attributes_count in number(), flags in number(),
    ) -> Link {
        Link { trace_id, span_id, trace_state, attributes, dropped_attributes_count, flags }
    }
}

prop_compose! {
    fn status()(message in text(), code in prop_oneof![0..3, any::<i32>()]) -> Status {
        Status { message, code }
    }
}

prop_compose! {
    fn span()(
        (trace_id, span_id, parent_span_id) in (id(16), id(8), id(8)),
        (trace_state, name) in (text(), text()),
        (flags, kind) in (number(), prop_oneof![5 => 0..6, 1 => any::<i32>()]),
        (start_time_unix_nano, end_time_unix_nano) in (time(), time()),
        (attributes, events, links) in (attributes(), vec(event(), 0..2), vec(link(), 0..2)),
        (dropped_attributes_count, dropped_events_count, dropped_links_count) in (number(), number(), number()),
        status in option::of(status()),
    ) -> Span {
        Span {
            trace_id, span_id, parent_span_id, trace_state, flags, name, kind, start_time_unix_nano, end_time_unix_nano,
            attributes, dropped_attributes_count, events, dropped_events_count, links, dropped_links_count, status,
        }
    }
}

prop_compose! {
    fn scope_spans()(
        scope in option::of((text(), text(), attributes(), number())), spans in vec(span(), 0..4), schema_url in text(),
    ) -> ScopeSpans {
        let scope = scope.map(|(name, version, attributes, dropped_attributes_count)| {
            InstrumentationScope { name, version, attributes, dropped_attributes_count }
        });
        ScopeSpans { scope, spans, schema_url }
    }
}

prop_compose! {
    fn resource_spans()(
        resource in option::of((attributes(), number())), scope_spans in vec(scope_spans(), 0..3), schema_url in text(),
    ) -> ResourceSpans {
        let resource = resource.map(|(attributes, dropped_attributes_count)| {
            Resource { attributes, dropped_attributes_count, ..Resource::default() }
        });
        ResourceSpans { resource, scope_spans, schema_url }
    }
}

/// One damage to a body; positions are taken modulo its length.
#[derive(Debug, Clone)]
pub(crate) enum Damage {
    Set(usize, u8),
    Flip(usize, u8),
    Insert(usize, u8),
    Remove(usize),
    Repeat(usize, usize, usize),
    Truncate(usize),
}

/// Several damages.
pub(crate) fn damages() -> impl Strategy<Value = Vec<Damage>> {
    let at = any::<usize>;
    let byte = || prop_oneof![any::<u8>(), 0..32_u8, Just(0x80), Just(0xff)];
    let damage = prop_oneof![
        4 => (at(), byte()).prop_map(|(at, byte)| Damage::Set(at, byte)),
        4 => (at(), 0..8_u8).prop_map(|(at, bit)| Damage::Flip(at, bit)),
        2 => (at(), byte()).prop_map(|(at, byte)| Damage::Insert(at, byte)),
        2 => at().prop_map(Damage::Remove),
        2 => (at(), 1..24_usize, at()).prop_map(|(from, length, to)| Damage::Repeat(from, length, to)),
        1 => at().prop_map(Damage::Truncate),
    ];
    vec(damage, 1..4)
}

/// The body, damaged.
pub(crate) fn damaged(body: &[u8], damages: &[Damage]) -> Vec<u8> {
    let mut body = body.to_vec();
    for damage in damages {
        let length = body.len();
        if length == 0 {
            break;
        }
        match *damage {
            Damage::Set(at, byte) => body[at % length] = byte,
            Damage::Flip(at, bit) => body[at % length] ^= 1 << bit,
            Damage::Insert(at, byte) => body.insert(at % length, byte),
            Damage::Remove(at) => drop(body.remove(at % length)),
            Damage::Repeat(from, count, to) => {
                let from = from % length;
                let part = body[from..length.min(from + count)].to_vec();
                let to = to % length;
                body.splice(to..to, part);
            }
            Damage::Truncate(at) => body.truncate(at % length),
        }
    }
    body
}
