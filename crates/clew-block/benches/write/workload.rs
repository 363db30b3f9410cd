//! A load like `clew_sim`'s, which stands above this crate: 8.35 attributes a span, 17.6 spans a trace with a long tail.

use std::sync::Arc;

use clew_model::{Attribute, Event, Kind, Resource, Scope, Span, SpanId, Status, StatusCode, TraceId, Value};

const SERVICES: u64 = 12;
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
const QUERIES: [(&str, &str, &str); 3] = [
    ("SELECT", "orders", "SELECT id, state, total FROM orders WHERE account_id = $1 LIMIT 20"),
    ("INSERT", "orders", "INSERT INTO orders (id, account_id, total) VALUES ($1, $2, $3)"),
    ("UPDATE", "stock", "UPDATE stock SET quantity = quantity - $1 WHERE sku = $2"),
];
const STEPS: [&str; 5] = ["validate", "render", "merge basket", "compute totals", "serialize"];

/// SplitMix64.
struct Seed(u64);

impl Seed {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(bound)) >> 64) as u64
    }

    fn percent(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

/// At least so many spans of whole traces, in the order of a block.
pub(crate) fn spans(count: usize) -> Vec<Span> {
    let mut seed = Seed(1);
    let members: Vec<_> = (0..SERVICES).map(|number| member(number, &mut seed)).collect();
    let mut spans = Vec::with_capacity(count + 200);
    let mut now = 1_764_000_000_000_000_000_u64;
    while spans.len() < count {
        // Some 20 k spans a second, received 512 at a time.
        now += seed.below(1_700_000);
        trace(&mut spans, &members, &mut seed, now);
    }
    for (at, span) in spans.iter_mut().enumerate() {
        span.received_unix_nanos = 1_764_000_000_200_000_000 + at as u64 / 512 * 25_000_000;
    }
    spans.sort_by_key(|span| (span.trace_id, span.start_unix_nanos, span.span_id));
    spans
}

fn member(number: u64, seed: &mut Seed) -> (Arc<Resource>, Arc<Scope>) {
    let service = format!("service-{number}");
    let attributes = vec![
        Attribute::new("service.name", service.as_str()),
        Attribute::new("service.version", "1.14.2"),
        Attribute::new("service.instance.id", format!("{service}-{:010x}", seed.below(1 << 40))),
        Attribute::new("host.name", format!("node-{}", seed.below(6))),
        Attribute::new("telemetry.sdk.name", "opentelemetry"),
        Attribute::new("telemetry.sdk.language", "java"),
        Attribute::new("telemetry.sdk.version", "1.54.0"),
    ];
    let scope =
        Scope { name: "io.opentelemetry.instrumentation".to_owned(), version: "2.20.0".to_owned(), ..Scope::default() };
    (Arc::new(Resource { attributes, ..Resource::default() }), Arc::new(scope))
}

fn trace(spans: &mut Vec<Span>, members: &[(Arc<Resource>, Arc<Scope>)], seed: &mut Seed, now: u64) {
    let size = if seed.percent(10) { 21 + seed.below(112) } else { 2 + seed.below(19) };
    let mut id = [0; 16];
    id[..8].copy_from_slice(&seed.next().to_be_bytes());
    id[8..].copy_from_slice(&seed.next().to_be_bytes());
    let first = spans.len();
    for index in 0..size {
        let parent = spans
            .get(first + seed.below(index) as usize)
            .map(|span: &Span| (span.span_id, span.start_unix_nanos, span.duration_nanos));
        let length = parent.map_or_else(|| 36_000_000 + seed.below(48_000_000), |(_, _, length)| length);
        let offset = if parent.is_some() { seed.below(length / 2 + 1) } else { 0 };
        let room = length - offset;
        let mut span = Span {
            trace_id: TraceId(id),
            span_id: SpanId(seed.next().to_be_bytes()),
            parent_span_id: parent.map(|(id, _, _)| id),
            flags: 0x101,
            start_unix_nanos: parent.map_or(now, |(_, start, _)| start) + offset,
            duration_nanos: if parent.is_some() { room / 4 + seed.below(room / 2 + 1) } else { room },
            ..Span::default()
        };
        (span.resource, span.scope) = members[seed.below(SERVICES) as usize].clone();
        describe(&mut span, index == 0, seed);
        fail(&mut span, seed);
        spans.push(span);
    }
}

fn fail(span: &mut Span, seed: &mut Seed) {
    if seed.percent(3) {
        span.status = Status { code: StatusCode::Error, message: "upstream timed out".to_owned() };
        let attributes = vec![
            Attribute::new("exception.type", "java.util.concurrent.TimeoutException"),
            Attribute::new("exception.message", "no reply within 250 ms"),
        ];
        let time_unix_nanos = span.end_unix_nanos();
        span.events.push(Event { time_unix_nanos, name: "exception".to_owned(), attributes, ..Event::default() });
    }
}

fn describe(span: &mut Span, is_root: bool, seed: &mut Seed) {
    let chance = if is_root { 0 } else { seed.below(100) };
    let address = format!("10.0.{}.{}", seed.below(8), seed.below(250));
    let mut set = |key: &str, value: Value| span.attributes.push(Attribute { key: key.to_owned(), value });
    match chance {
        0..=29 => {
            let route = ROUTES[seed.below(8) as usize];
            set("http.request.method", "GET".into());
            set("http.route", route.into());
            set("http.response.status_code", Value::Int(if seed.percent(4) { 503 } else { 200 }));
            set("url.path", format!("{}{:07}", route.trim_end_matches("{id}"), seed.below(10_000_000)).into());
            set("url.scheme", "http".into());
            set("server.address", "edge.internal".into());
            set("server.port", Value::Int(8080));
            set("client.address", address.into());
            set("user_agent.original", "okhttp/4.12.0".into());
            set("enduser.id", format!("u-{:06}", seed.below(200_000)).into());
            (span.kind, span.name) = (Kind::Server, format!("GET {route}"));
        }
        30..=54 => {
            let (operation, table, text) = QUERIES[seed.below(3) as usize];
            set("db.system.name", "postgresql".into());
            set("db.namespace", "shop".into());
            set("db.operation.name", operation.into());
            set("db.collection.name", table.into());
            set("db.query.text", text.into());
            set("db.response.returned_rows", Value::Int(seed.below(200) as i64));
            set("server.address", "postgres.internal".into());
            set("server.port", Value::Int(5432));
            set("thread.name", format!("pool-1-thread-{}", seed.below(32)).into());
            (span.kind, span.name) = (Kind::Client, format!("{operation} {table}"));
        }
        55..=79 => {
            set("rpc.system", "grpc".into());
            set("rpc.service", "clew.Stock".into());
            set("rpc.method", "Reserve".into());
            set("rpc.grpc.status_code", Value::Int(0));
            set("server.address", "mesh.internal".into());
            set("server.port", Value::Int(9000));
            set("network.peer.address", address.into());
            set("thread.id", Value::Int(seed.below(400) as i64));
            span.kind = if seed.percent(50) { Kind::Client } else { Kind::Server };
            "clew.Stock/Reserve".clone_into(&mut span.name);
        }
        _ => {
            let step = STEPS[seed.below(5) as usize];
            set("code.function.name", format!("com.example.shop.{}", step.replace(' ', "_")).into());
            set("thread.name", format!("worker-{}", seed.below(16)).into());
            set("app.items", Value::Int(seed.below(40) as i64));
            set("app.cache.hit", Value::Bool(seed.percent(80)));
            set("app.share", Value::Double(seed.below(1000) as f64 / 1000.0));
            if seed.percent(50) {
                set("app.sku", format!("sku-{:06}", seed.below(50_000)).into());
            }
            (span.kind, span.name) = (Kind::Internal, step.to_owned());
        }
    }
}
