//! Random spans, batches and questions, from few words so that they meet.

use std::sync::Arc;

use clew_model::scan::{AttributeScope, Condition, Field, Op, ScanRequest, SpanFilter, TimeRange};
use clew_model::{
    Attribute, Event, Kind, Link, Resource, Scope, Span, SpanId, Status, StatusCode, Tenant, TraceId, Value,
};
use clew_wire::otlp::{AdmitOptions, Limits, admit, encode};
use proptest::prelude::*;
use proptest::sample::select;

use crate::Batch;
use crate::batch::Tenants;

/// When all batches are received, in unix nanoseconds.
pub(super) const RECEIVED: u64 = 1_790_000_000_000_000_000;

const KEYS: [&str; 6] = ["k", "error", "service.name", "http.response.status_code", "longer.than.sixteen.bytes", ""];
const TEXTS: [&str; 9] =
    ["", "a", "b", "true", "7", "7.5", "NaN", "[\"a\",7]", "a text that is longer than thirty-two bytes"];

pub(super) fn tenants() -> Vec<Tenant> {
    ["default", "a", "b"].map(|name| Tenant::new(name).unwrap()).to_vec()
}

pub(super) fn trace_id(number: u8) -> TraceId {
    TraceId([number + 1; 16])
}

/// A batch of spans of several tenants, with some rejected.
pub(super) fn batch() -> impl Strategy<Value = Batch> {
    let groups = prop::collection::vec(0_u16..3, 40);
    (prop::collection::vec(span(), 0..40), groups, prop::collection::btree_set(0_u32..40, 0..4)).prop_map(
        |(spans, of_group, rejected)| {
            let body = encode(&spans);
            let options =
                AdmitOptions { limits: Limits::default(), received_unix_nanos: RECEIVED, tenant_attribute: None };
            let admission = admit(&body, &options).unwrap();
            let tenants = Tenants { names: tenants(), of_group: of_group[..admission.groups.len()].to_vec() };
            super::batch(body, tenants, &rejected.into_iter().collect::<Vec<_>>())
        },
    )
}

pub(super) fn request() -> impl Strategy<Value = ScanRequest> {
    let filter = prop::collection::vec(condition(), 0..4).prop_map(|conditions| SpanFilter { conditions });
    let range = prop_oneof![
        2 => Just(TimeRange::ALL),
        1 => (start(), start()).prop_map(|(one, two)| TimeRange {
            from_unix_nanos: one.min(two),
            to_unix_nanos: one.max(two),
        }),
    ];
    (select(tenants()), range, prop::collection::vec(filter, 0..4), 0_u32..5)
        .prop_map(|(tenant, range, filters, rows_per_trace)| ScanRequest { tenant, range, filters, rows_per_trace })
}

fn condition() -> impl Strategy<Value = Condition> {
    let scopes =
        vec![AttributeScope::Any, AttributeScope::Span, AttributeScope::Resource, AttributeScope::Instrumentation];
    let field = prop_oneof![
        select(vec![
            Field::Service,
            Field::Name,
            Field::Kind,
            Field::Status,
            Field::Error,
            Field::Duration,
            Field::Start,
        ]),
        (select(scopes), select(&KEYS[..])).prop_map(|(scope, key)| Field::Attribute { scope, key: key.to_owned() }),
    ];
    let ops = vec![Op::Eq, Op::Ne, Op::Lt, Op::Le, Op::Gt, Op::Ge, Op::TextEq, Op::Exists];
    let literal = prop_oneof![
        4 => value(),
        1 => select(vec!["server", "client", "unset", "error", "x", "y", "shop", "unknown_service"]).prop_map(Value::from),
        1 => start().prop_map(|start| Value::Int(start as i64)),
    ];
    (field, select(ops), literal).prop_map(|(field, op, value)| Condition { field, op, value })
}

pub(super) fn span() -> impl Strategy<Value = Span> {
    let ids = (0_u8..8, 1_u64..12, prop::option::of(1_u64..12), select(vec!["", "a=b"]), 0_u32..3);
    let what = (select(vec!["", "x", "y", "GET /"]), select(Kind::ALL.to_vec()), start(), 0_u64..12, status());
    let lists = (attributes(), prop::collection::vec(event(), 0..3), prop::collection::vec(link(), 0..3));
    let origins = (select(resources()), select(scopes()), prop::array::uniform3(select(vec![0_u32, 0, 0, 2])));
    (ids, what, lists, origins).prop_map(|(ids, what, (attributes, events, links), (resource, scope, dropped))| Span {
        trace_id: trace_id(ids.0),
        span_id: SpanId::from_u64(ids.1),
        parent_span_id: ids.2.map(SpanId::from_u64),
        trace_state: ids.3.to_owned(),
        flags: ids.4,
        name: what.0.to_owned(),
        kind: what.1,
        start_unix_nanos: what.2,
        duration_nanos: what.3,
        status: what.4,
        attributes,
        dropped_attributes_count: dropped[0],
        events,
        dropped_events_count: dropped[1],
        links,
        dropped_links_count: dropped[2],
        resource,
        scope,
        ..Span::default()
    })
}

/// Mostly in the minute before receipt, now and then in 1970 or far ahead.
fn start() -> impl Strategy<Value = u64> {
    prop_oneof![
        8 => (0_u64..60).prop_map(|seconds| RECEIVED - seconds * 1_000_000_000),
        1 => 1_u64..20,
        1 => Just(RECEIVED + 100 * 86_400 * 1_000_000_000),
    ]
}

fn status() -> impl Strategy<Value = Status> {
    let codes = select(vec![StatusCode::Unset, StatusCode::Ok, StatusCode::Error]);
    (codes, select(vec!["", "out of stock"])).prop_map(|(code, message)| Status { code, message: message.to_owned() })
}

fn attributes() -> impl Strategy<Value = Vec<Attribute>> {
    prop::collection::vec((select(&KEYS[..]), value()).prop_map(|(key, value)| Attribute::new(key, value)), 0..5)
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        1 => Just(Value::Empty),
        4 => select(&TEXTS[..]).prop_map(Value::from),
        2 => any::<bool>().prop_map(Value::from),
        3 => (-2_i64..10).prop_map(Value::from),
        3 => select(vec![-0.0, 0.0, 1.0, 7.0, 7.5, 1e300, f64::INFINITY]).prop_map(Value::from),
        1 => prop::collection::vec(any::<u8>(), 0..3).prop_map(Value::Bytes),
        1 => Just(Value::Array(vec!["a".into(), Value::Int(7)])),
        1 => Just(Value::Map(vec![Attribute::new("m", Value::Array(vec![Value::Empty, true.into()]))])),
    ]
}

fn event() -> impl Strategy<Value = Event> {
    (start(), select(&TEXTS[..]), attributes(), 0_u32..2).prop_map(|(time_unix_nanos, name, attributes, dropped)| {
        Event { time_unix_nanos, name: name.to_owned(), attributes, dropped_attributes_count: dropped }
    })
}

fn link() -> impl Strategy<Value = Link> {
    (0_u8..8, 1_u64..12, attributes(), 0_u32..2).prop_map(|(trace, span, attributes, flags)| Link {
        trace_id: trace_id(trace),
        span_id: SpanId::from_u64(span),
        trace_state: if flags == 1 { "c=d".to_owned() } else { String::new() },
        attributes,
        dropped_attributes_count: flags * 3,
        flags,
    })
}

fn resources() -> Vec<Arc<Resource>> {
    let resource = |attributes, dropped_attributes_count, schema_url: &str| {
        Arc::new(Resource { attributes, dropped_attributes_count, schema_url: schema_url.to_owned() })
    };
    vec![
        Arc::default(),
        resource(vec![Attribute::new("service.name", "shop"), Attribute::new("k", 7)], 0, ""),
        resource(vec![Attribute::new("service.name", "shop"), Attribute::new("k", "a")], 3, "https://schema"),
        resource(vec![Attribute::new("k", 7.5), Attribute::new("service.name", "cart")], 0, ""),
        resource(vec![Attribute::new("service.name", ""), Attribute::new("service.name", "second")], 0, ""),
        resource(vec![Attribute::new("service.name", Value::Array(vec!["a".into(), Value::Int(7)]))], 0, ""),
    ]
}

fn scopes() -> Vec<Arc<Scope>> {
    let named = Scope { name: "lib".to_owned(), version: "1.0".to_owned(), ..Scope::default() };
    let rich = Scope {
        attributes: vec![Attribute::new("k", true), Attribute::new("error", "true")],
        dropped_attributes_count: 1,
        schema_url: "https://schema".to_owned(),
        ..named.clone()
    };
    vec![Arc::default(), Arc::new(named), Arc::new(rich)]
}
