//! Random values and spans for the tests.

use std::sync::Arc;

use clew_model::{
    Attribute, Event, Kind, Link, Notes, Resource, Scope, Span, SpanId, Status, StatusCode, TraceId, Value,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

pub(crate) fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => select(vec!["", "a", "b", "true", "0", "200", "-0", "0.5", "NaN", "00ff", "[]", "1e300"]).prop_map(str::to_owned),
        2 => "[a-c]{1,3}",
        1 => ".{0,20}",
        1 => select(vec!["\u{0}\u{1f}\"\\/\u{7f}", "\u{1f600}\u{fffd}\u{2028}", "\r\n\t\u{8}\u{c}"]).prop_map(str::to_owned),
    ]
}

pub(crate) fn int() -> impl Strategy<Value = i64> {
    let edges = [i64::MIN, i64::MAX, 0, 1, -1, 200, 1 << 53, (1 << 53) + 1, (1 << 53) - 1, -(1 << 53)];
    prop_oneof![2 => select(edges.to_vec()), 1 => any::<i64>(), 2 => -3_i64..4]
}

pub(crate) fn double() -> impl Strategy<Value = f64> {
    let edges = [
        0.0,
        -0.0,
        f64::NAN,
        f64::INFINITY,
        f64::NEG_INFINITY,
        f64::MIN_POSITIVE,
        5e-324,
        f64::MAX,
        200.0,
        1.0,
        0.5,
        9_007_199_254_740_992.0,
        1e300,
        -1.0,
        0.1,
    ];
    prop_oneof![3 => select(edges.to_vec()), 1 => any::<f64>(), 1 => any::<u64>().prop_map(f64::from_bits)]
}

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Empty),
        text().prop_map(Value::String),
        any::<bool>().prop_map(Value::Bool),
        int().prop_map(Value::Int),
        double().prop_map(Value::Double),
        vec(select(vec![0_u8, 255, 7, 62, 63]), 0..5).prop_map(Value::Bytes),
    ]
}

pub(crate) fn value() -> impl Strategy<Value = Value> {
    scalar().prop_recursive(4, 16, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::Array),
            vec((text(), inner), 0..4).prop_map(|entries| {
                Value::Map(entries.into_iter().map(|(key, value)| Attribute { key, value }).collect())
            }),
        ]
    })
}

fn key() -> impl Strategy<Value = String> {
    let keys = ["a", "A", "b", "error", "service.name", "", "x y", "a:string", "line\nbreak", "\u{df}"];
    prop_oneof![
        20 => select(keys.to_vec()).prop_map(str::to_owned),
        1 => Just("k".repeat(201)),
        1 => Just("k".repeat(200)),
    ]
}

pub(crate) fn attributes() -> impl Strategy<Value = Vec<Attribute>> {
    vec((key(), value()).prop_map(|(key, value)| Attribute { key, value }), 0..6)
}

pub(crate) fn resource() -> impl Strategy<Value = Resource> {
    (attributes(), 0_u32..2, text()).prop_map(|(attributes, dropped_attributes_count, schema_url)| Resource {
        attributes,
        dropped_attributes_count,
        schema_url,
    })
}

pub(crate) fn scope() -> impl Strategy<Value = Scope> {
    (text(), text(), attributes(), 0_u32..2, text()).prop_map(
        |(name, version, attributes, dropped_attributes_count, schema_url)| Scope {
            name,
            version,
            attributes,
            dropped_attributes_count,
            schema_url,
        },
    )
}

pub(crate) fn events() -> impl Strategy<Value = Vec<Event>> {
    let event = (any::<u64>(), text(), attributes(), any::<u32>()).prop_map(
        |(time_unix_nanos, name, attributes, dropped_attributes_count)| Event {
            time_unix_nanos,
            name,
            attributes,
            dropped_attributes_count,
        },
    );
    vec(event, 0..3)
}

pub(crate) fn links() -> impl Strategy<Value = Vec<Link>> {
    let link = (0_u8..5, 0_u8..8, text(), attributes(), any::<(u32, u32)>()).prop_map(
        |(trace, span, trace_state, attributes, (dropped_attributes_count, flags))| Link {
            trace_id: trace_id(trace),
            span_id: span_id(span),
            trace_state,
            attributes,
            dropped_attributes_count,
            flags,
        },
    );
    vec(link, 0..3)
}

pub(crate) fn trace_id(number: u8) -> TraceId {
    TraceId([number; 16])
}

pub(crate) fn span_id(number: u8) -> SpanId {
    SpanId([number; 8])
}

fn time() -> impl Strategy<Value = u64> {
    prop_oneof![8 => 0_u64..40, 1 => any::<u64>(), 1 => Just(u64::MAX)]
}

/// A span of few ids, so that they repeat, and everything else at random. Its resource and scope are few, too.
fn span(
    resources: Vec<Arc<Resource>>,
    scopes: Vec<Arc<Scope>>,
    trace_count: u8,
    span_ids: u8,
) -> impl Strategy<Value = Span> {
    let ids = (1..=trace_count, 1..=span_ids, option::of(1..=span_ids.saturating_add(2)));
    let names =
        (text(), select(Kind::ALL.to_vec()), 0_u64..3, text(), prop_oneof![4 => Just(String::new()), 1 => text()]);
    let times = (time(), time(), 0_u64..3);
    let numbers =
        (0_u32..3, prop_oneof![3 => Just(0_u16), 1 => Just(2), 1 => 0_u16..4096], 0_u32..2, 0_u32..2, 0_u32..2);
    let lists = (
        attributes(),
        prop_oneof![3 => Just(Vec::new()), 1 => events()],
        prop_oneof![3 => Just(Vec::new()), 1 => links()],
    );
    let context = (select(resources), select(scopes));
    (ids, names, times, numbers, lists, context).prop_map(|(ids, names, times, numbers, lists, context)| Span {
        trace_id: trace_id(ids.0),
        span_id: span_id(ids.1),
        parent_span_id: ids.2.map(span_id),
        trace_state: names.4,
        flags: numbers.0,
        name: names.0,
        kind: names.1,
        start_unix_nanos: times.0,
        duration_nanos: times.1,
        status: Status { code: StatusCode::from_number(names.2).unwrap(), message: names.3 },
        attributes: lists.0,
        dropped_attributes_count: numbers.2,
        events: lists.1,
        dropped_events_count: numbers.3,
        links: lists.2,
        dropped_links_count: numbers.4,
        resource: context.0,
        scope: context.1,
        received_unix_nanos: times.2,
        notes: Notes(numbers.1),
    })
}

/// Spans in the order of a block. Some are there twice, and some traces are long.
pub(crate) fn spans() -> impl Strategy<Value = Vec<Span>> {
    let contexts = (vec(resource().prop_map(Arc::new), 1..4), vec(scope().prop_map(Arc::new), 1..3));
    let sizes = prop_oneof![3 => Just((4_u8, 6_u8, 20_usize)), 1 => Just((2, 200, 60)), 1 => Just((200, 3, 40))];
    (contexts, sizes)
        .prop_flat_map(|((resources, scopes), (traces, ids, count))| {
            vec((span(resources, scopes, traces, ids), 0_u8..10), 1..count)
        })
        .prop_map(|drawn| {
            let mut spans = Vec::new();
            for (span, again) in drawn {
                if again == 0 {
                    spans.push(Span { received_unix_nanos: 9, ..span.clone() });
                }
                spans.push(span);
            }
            spans.sort_by_key(|span| (span.trace_id, span.start_unix_nanos, span.span_id));
            spans
        })
}
