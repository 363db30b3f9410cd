//! A seeded load of the size that tracing back ends meet: per span 379 bytes on the wire and 8.35 attributes, per trace
//! 17.6 spans with a long tail. `tests.rs` holds the averages to within 5 %.

mod template;

use std::sync::Arc;

use clew_model::{Attribute, Event, Kind, Resource, Scope, Span, SpanId, Status, StatusCode, TraceId, Value};

use crate::seed::Seed;

pub use template::{Stamped, Template};

const SERVICES: [&str; 12] = [
    "gateway",
    "accounts",
    "basket",
    "billing",
    "catalog",
    "delivery",
    "identity",
    "inventory",
    "notify",
    "orders",
    "pricing",
    "search",
];
const ROUTES: [&str; 8] = [
    "/api/v1/accounts/{id}",
    "/api/v1/basket/{id}/items",
    "/api/v1/orders",
    "/api/v1/orders/{id}",
    "/api/v1/catalog/search",
    "/api/v1/prices/{sku}",
    "/api/v1/stock/{sku}",
    "/internal/session",
];
const QUERIES: [(&str, &str, &str); 6] = [
    ("SELECT", "orders", "SELECT id, state, total FROM orders WHERE account_id = $1 LIMIT 20"),
    ("SELECT", "stock", "SELECT sku, quantity FROM stock WHERE sku = ANY($1)"),
    ("INSERT", "orders", "INSERT INTO orders (id, account_id, total) VALUES ($1, $2, $3)"),
    ("UPDATE", "stock", "UPDATE stock SET quantity = quantity - $1 WHERE sku = $2"),
    ("SELECT", "accounts", "SELECT id, email FROM accounts WHERE id = $1"),
    ("SELECT", "prices", "SELECT sku, net, currency FROM prices WHERE sku = $1"),
];
const METHODS: [(&str, &str); 4] =
    [("clew.Stock", "Reserve"), ("clew.Pricing", "Quote"), ("clew.Identity", "Verify"), ("clew.Orders", "Place")];
const STEPS: [&str; 5] = ["validate", "render", "merge basket", "compute totals", "serialize"];

/// A stream of traces.
#[derive(Debug)]
pub struct Workload {
    seed: Seed,
    members: Vec<(Arc<Resource>, Arc<Scope>)>,
}

impl Workload {
    /// The stream of that seed.
    pub fn new(seed: u64) -> Self {
        let mut seed = Seed::new(seed);
        let members = SERVICES.iter().map(|service| member(service, &mut seed)).collect();
        Self { seed, members }
    }

    /// The spans of one trace that starts at `now_unix_nanos`; the root first, parents before children.
    pub fn next_trace(&mut self, now_unix_nanos: u64) -> Vec<Span> {
        let seed = &mut self.seed;
        let size = if seed.percent(10) { seed.between(21, 132) } else { seed.between(2, 20) };
        let trace_id = TraceId(seed.bytes());
        let mut spans: Vec<Span> = Vec::with_capacity(size as usize);
        for index in 0..size {
            let parent = spans.get(seed.below(index) as usize);
            let mut span = span_under(parent, seed, now_unix_nanos);
            span.trace_id = trace_id;
            let member = &self.members[seed.below(self.members.len() as u64) as usize];
            (span.resource, span.scope) = member.clone();
            spans.push(span);
        }
        spans
    }

    /// Exactly `span_count` spans of whole traces (the last one is cut short), ordered by service as exporters send them.
    pub fn next_request(&mut self, span_count: usize, now_unix_nanos: u64) -> Vec<Span> {
        let mut spans = Vec::with_capacity(span_count);
        while spans.len() < span_count {
            spans.extend(self.next_trace(now_unix_nanos));
        }
        spans.truncate(span_count);
        spans.sort_by(|left, right| left.service().cmp(right.service()));
        spans
    }
}

fn member(service: &str, seed: &mut Seed) -> (Arc<Resource>, Arc<Scope>) {
    let attributes = vec![
        Attribute::new("service.name", service),
        Attribute::new("service.version", "1.14.2"),
        Attribute::new("service.instance.id", format!("{service}-{:010x}", seed.below(1 << 40))),
        Attribute::new("host.name", format!("node-{}", seed.between(1, 6))),
        Attribute::new("telemetry.sdk.name", "opentelemetry"),
        Attribute::new("telemetry.sdk.language", "java"),
        Attribute::new("telemetry.sdk.version", "1.54.0"),
    ];
    let scope =
        Scope { name: "io.opentelemetry.instrumentation".to_owned(), version: "2.20.0".to_owned(), ..Scope::default() };
    (Arc::new(Resource { attributes, ..Resource::default() }), Arc::new(scope))
}

fn span_under(parent: Option<&Span>, seed: &mut Seed, now_unix_nanos: u64) -> Span {
    let (begin, length) = parent
        .map_or((now_unix_nanos, seed.around(60_000_000)), |parent| (parent.start_unix_nanos, parent.duration_nanos));
    let offset = if parent.is_some() { seed.below(length / 2 + 1) } else { 0 };
    let room = length - offset;
    let mut span = Span {
        span_id: SpanId(seed.bytes()),
        parent_span_id: parent.map(|parent| parent.span_id),
        flags: 0x101,
        start_unix_nanos: begin + offset,
        duration_nanos: if parent.is_some() { room / 4 + seed.below(room / 2 + 1) } else { room },
        ..Span::default()
    };
    describe(&mut span, parent.is_none(), seed);
    if seed.percent(3) {
        span.status = Status { code: StatusCode::Error, message: "upstream timed out".to_owned() };
        let attributes = vec![
            Attribute::new("exception.type", "java.util.concurrent.TimeoutException"),
            Attribute::new("exception.message", "no reply within 250 ms"),
        ];
        let time_unix_nanos = span.end_unix_nanos();
        span.events.push(Event { time_unix_nanos, name: "exception".to_owned(), attributes, ..Event::default() });
    }
    span
}

/// Names the span and gives it 10, 9, 8 or 5 to 6 attributes.
fn describe(span: &mut Span, is_root: bool, seed: &mut Seed) {
    let chance = if is_root { 0 } else { seed.below(100) };
    match chance {
        0..=29 => describe_http(span, seed),
        30..=54 => describe_query(span, seed),
        55..=79 => describe_rpc(span, seed),
        _ => describe_step(span, seed),
    }
}

fn describe_http(span: &mut Span, seed: &mut Seed) {
    let route = *seed.pick(&ROUTES);
    let mut set = |key: &str, value: Value| span.attributes.push(Attribute { key: key.to_owned(), value });
    set("http.request.method", "GET".into());
    set("http.route", route.into());
    set("http.response.status_code", Value::Int(if seed.percent(4) { 503 } else { 200 }));
    set("url.path", format!("{}{:07}", route.trim_end_matches("{id}"), seed.below(10_000_000)).into());
    set("url.scheme", "http".into());
    set("server.address", "edge.internal".into());
    set("server.port", Value::Int(8080));
    set("client.address", address(seed));
    set("user_agent.original", "okhttp/4.12.0".into());
    set("enduser.id", format!("u-{:06}", seed.below(200_000)).into());
    span.kind = Kind::Server;
    span.name = format!("GET {route}");
}

fn describe_query(span: &mut Span, seed: &mut Seed) {
    let (operation, table, text) = *seed.pick(&QUERIES);
    let mut set = |key: &str, value: Value| span.attributes.push(Attribute { key: key.to_owned(), value });
    set("db.system.name", "postgresql".into());
    set("db.namespace", "shop".into());
    set("db.operation.name", operation.into());
    set("db.collection.name", table.into());
    set("db.query.text", text.into());
    set("db.response.returned_rows", Value::Int(seed.below(200) as i64));
    set("server.address", "postgres.internal".into());
    set("server.port", Value::Int(5432));
    set("thread.name", format!("pool-1-thread-{}", seed.below(32)).into());
    span.kind = Kind::Client;
    span.name = format!("{operation} {table}");
}

fn describe_rpc(span: &mut Span, seed: &mut Seed) {
    let (service, method) = *seed.pick(&METHODS);
    let mut set = |key: &str, value: Value| span.attributes.push(Attribute { key: key.to_owned(), value });
    set("rpc.system", "grpc".into());
    set("rpc.service", service.into());
    set("rpc.method", method.into());
    set("rpc.grpc.status_code", Value::Int(0));
    set("server.address", "mesh.internal".into());
    set("server.port", Value::Int(9000));
    set("network.peer.address", address(seed));
    set("thread.id", Value::Int(seed.below(400) as i64));
    span.kind = if seed.percent(50) { Kind::Client } else { Kind::Server };
    span.name = format!("{service}/{method}");
}

fn describe_step(span: &mut Span, seed: &mut Seed) {
    let step = *seed.pick(&STEPS);
    let mut set = |key: &str, value: Value| span.attributes.push(Attribute { key: key.to_owned(), value });
    set("code.function.name", format!("com.example.shop.{}", step.replace(' ', "_")).into());
    set("thread.name", format!("worker-{}", seed.below(16)).into());
    set("app.items", Value::Int(seed.below(40) as i64));
    set("app.cache.hit", Value::Bool(seed.percent(80)));
    set("app.share", Value::Double(seed.below(1000) as f64 / 1000.0));
    if seed.percent(50) {
        set("app.sku", format!("sku-{:06}", seed.below(50_000)).into());
    }
    span.kind = Kind::Internal;
    step.clone_into(&mut span.name);
}

fn address(seed: &mut Seed) -> Value {
    format!("10.0.{}.{}", seed.below(8), seed.below(250)).into()
}

#[cfg(test)]
mod tests;
