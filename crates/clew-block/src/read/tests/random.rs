//! Spans as odd as senders make them, and questions about them.

use std::collections::BTreeMap;
use std::sync::Arc;

use clew_model::scan::{AttributeScope, Condition, Field, Op, ScanRequest, SpanFilter, TimeRange};
use clew_model::{
    Attribute, Event, Kind, Link, Notes, Resource, Scope, Span, SpanId, StatusCode, Tenant, TraceId, Value,
};

pub(super) const EPOCH: u64 = 1_700_000_000_000_000_000;

/// A seeded source of chance (splitmix64).
pub(super) struct Chance(pub u64);

impl Chance {
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }

    pub(super) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len() as u64) as usize]
    }

    fn in_(&mut self, of: u64) -> bool {
        self.below(of) == 0
    }
}

const KEYS: [&str; 13] = [
    "a",
    "b",
    "A",
    "db.system",
    "http.status_code",
    "user",
    "error",
    "",
    "k\"uote",
    "\u{1}ctl",
    "span:b",
    "host",
    "r\u{e9}gion",
];
const SERVICES: [&str; 5] = ["frontend", "checkout", "payments", "", "e-mail"];
const NAMES: [&str; 5] = ["GET /", "charge", "", "send \u{1f600}", "a\nb"];

fn value(chance: &mut Chance, depth: u32) -> Value {
    match chance.below(if depth > 2 { 10 } else { 13 }) {
        0 => Value::Empty,
        1 => (*chance.pick(&["x", "y", "200", "true", "", "TRUE", "0.5", "NaN"])).into(),
        2 => (*chance.pick(&["x", "y"])).into(),
        3 => (chance.below(2) == 0).into(),
        4 => Value::Int(*chance.pick(&[0, 200, 500, -1, i64::MAX, i64::MIN])),
        5 => Value::Int(200),
        6 => Value::Double(*chance.pick(&[0.5, 200.0, -0.0, f64::NAN, f64::INFINITY, f64::MIN_POSITIVE, 1e300])),
        7 => Value::Bytes(vec![0xab; chance.below(3) as usize]),
        8 => format!("user-{}", chance.below(5000)).into(),
        9 => Value::Int(chance.below(1 << 40) as i64),
        10 => Value::Array((0..chance.below(3)).map(|_| value(chance, depth + 1)).collect()),
        11 => Value::Map(attributes(chance, 3, depth + 1)),
        _ => "z".repeat(chance.below(300) as usize).into(),
    }
}

fn attributes(chance: &mut Chance, max: u64, depth: u32) -> Vec<Attribute> {
    let count = chance.below(max + 1);
    (0..count).map(|_| Attribute::new(*chance.pick(&KEYS), value(chance, depth))).collect()
}

fn resources(chance: &mut Chance) -> Vec<(Arc<Resource>, Arc<Scope>)> {
    let origin = |chance: &mut Chance| {
        let mut list = attributes(chance, 3, 0);
        list.push(Attribute::new("service.name", *chance.pick(&SERVICES)));
        let resource =
            Resource { attributes: list, dropped_attributes_count: chance.below(2) as u32, schema_url: "s".into() };
        let name = (*chance.pick(&["http", "", "kafka"])).to_owned();
        let scope = Scope { name, version: "1".into(), attributes: attributes(chance, 2, 0), ..Scope::default() };
        (Arc::new(resource), Arc::new(scope))
    };
    (0..8).map(|_| origin(chance)).collect()
}

fn span(chance: &mut Chance, trace_id: TraceId, number: u64, origin: &(Arc<Resource>, Arc<Scope>)) -> Span {
    let (resource, scope) = origin;
    let mut span = Span {
        trace_id,
        span_id: SpanId::from_u64(number + 1),
        parent_span_id: (number > 0).then(|| SpanId::from_u64(chance.below(number + 2) + 1)),
        name: (*chance.pick(&NAMES)).to_owned(),
        kind: *chance.pick(&Kind::ALL),
        flags: chance.below(3) as u32 * 0x4000_0001,
        start_unix_nanos: EPOCH + chance.below(50) * 1_000_000,
        duration_nanos: chance.below(400) * 1_000,
        attributes: attributes(chance, 5, 0),
        resource: Arc::clone(resource),
        scope: Arc::clone(scope),
        received_unix_nanos: EPOCH + 1_000_000_000 + chance.below(3),
        ..Span::default()
    };
    span.status.code = *chance.pick(&[StatusCode::Unset, StatusCode::Ok, StatusCode::Error]);
    if chance.in_(4) {
        span.status.message = "card refused".into();
        span.trace_state = "v=1".into();
    }
    if chance.in_(5) {
        let details = attributes(chance, 3, 0);
        let event =
            Event { time_unix_nanos: u64::MAX, name: "ex".into(), attributes: details, dropped_attributes_count: 2 };
        span.events = vec![event.clone(), Event::default(), event];
        let link = Link { trace_id, span_id: SpanId::from_u64(chance.below(5) + 1), flags: 3, ..Link::default() };
        span.links = vec![Link { attributes: attributes(chance, 2, 0), ..link }];
        (span.dropped_attributes_count, span.dropped_events_count, span.dropped_links_count) = (1, 2, u32::MAX);
    }
    if chance.in_(9) {
        (span.start_unix_nanos, span.notes) = (1 + chance.below(3), Notes::ODD_TIME);
    }
    if chance.in_(40) {
        (span.start_unix_nanos, span.duration_nanos) = (u64::MAX - 1, u64::MAX);
    }
    span
}

/// Spans of two tenants; some traces have many, some spans come twice, some share their id.
pub(super) fn tenants(chance: &mut Chance, trace_count: u64) -> BTreeMap<Tenant, Vec<Span>> {
    let origins = resources(chance);
    let mut all = BTreeMap::new();
    for tenant in ["acme", "zeta"] {
        let mut spans: Vec<Span> = Vec::new();
        for _ in 0..trace_count {
            // Ids that spread, and that both tenants have.
            let trace_id = TraceId((u128::from(chance.below(1000) + 1) << 64 | 5).to_be_bytes());
            let is_odd = chance.in_(10);
            let span_count = if chance.in_(30) { 60 } else { 1 + chance.below(6) };
            for number in 0..span_count {
                let origin = chance.pick(&origins).clone();
                let mut made = span(chance, trace_id, number, &origin);
                if is_odd {
                    made.notes = Notes::ODD_TIME;
                }
                if chance.in_(12) {
                    let mut twin = made.clone();
                    twin.received_unix_nanos += chance.below(2);
                    twin.duration_nanos += chance.below(2);
                    spans.push(twin);
                }
                spans.push(made);
            }
        }
        all.insert(Tenant::new(tenant).unwrap(), spans);
    }
    all
}

fn condition(chance: &mut Chance) -> Condition {
    let op =
        *chance.pick(&[Op::Eq, Op::Ne, Op::Lt, Op::Le, Op::Gt, Op::Ge, Op::TextEq, Op::TextEq, Op::Eq, Op::Exists]);
    let scopes = [AttributeScope::Any, AttributeScope::Span, AttributeScope::Resource, AttributeScope::Instrumentation];
    let (field, value) = match chance.below(12) {
        0 => (Field::Service, (*chance.pick(&["frontend", "checkout", "nobody", "unknown_service"])).into()),
        1 => (Field::Name, (*chance.pick(&NAMES)).into()),
        2 => (Field::Kind, (*chance.pick(&["server", "client", "x"])).into()),
        3 => (Field::Status, (*chance.pick(&["error", "ok"])).into()),
        4 => (Field::Error, (*chance.pick(&[true, false])).into()),
        5 => (Field::Duration, Value::Int(chance.below(400) as i64 * 1_000)),
        6 => (Field::Start, Value::Int((EPOCH + chance.below(50) * 1_000_000) as i64)),
        _ => {
            let key = (*chance.pick(&KEYS)).to_owned();
            (Field::Attribute { scope: *chance.pick(&scopes), key }, value(chance, 2))
        }
    };
    Condition { field, op, value }
}

/// A question with up to three filters of up to three conditions.
pub(super) fn request(chance: &mut Chance, tenant: &Tenant) -> ScanRequest {
    let filter =
        |chance: &mut Chance| SpanFilter { conditions: (0..chance.below(4)).map(|_| condition(chance)).collect() };
    let from_unix_nanos = EPOCH + chance.below(50) * 1_000_000;
    let range = match chance.below(3) {
        0 => TimeRange::ALL,
        1 => TimeRange { from_unix_nanos, to_unix_nanos: from_unix_nanos + chance.below(20) * 1_000_000 },
        _ => TimeRange { from_unix_nanos, to_unix_nanos: u64::MAX },
    };
    let filters = (0..chance.below(4)).map(|_| filter(chance)).collect();
    ScanRequest { tenant: tenant.clone(), range, filters, rows_per_trace: chance.below(5) as u32 }
}
