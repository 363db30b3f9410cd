use clew_model::{Attribute, Kind, Resource, Span, SpanId, StatusCode, TraceId};

use super::*;

const MINUTE: u64 = Rollup::MINUTE_NANOS;
const NOW: u64 = 1_000 * MINUTE + 30_000_000_000;
const MILLI: u64 = 1_000_000;

fn span(id: u64, parent: u64, service: &str, kind: Kind, millis: u64) -> Span {
    let resource = Resource { attributes: vec![Attribute::new("service.name", service)], ..Resource::default() };
    Span {
        trace_id: TraceId(7_u128.to_be_bytes()),
        span_id: SpanId::from_u64(id),
        parent_span_id: (parent > 0).then(|| SpanId::from_u64(parent)),
        kind,
        start_unix_nanos: 999 * MINUTE + id,
        duration_nanos: millis * MILLI,
        resource: Arc::new(resource),
        ..Span::default()
    }
}

fn ask(rollup: &Rollup, query: &str) -> DependenciesAnswer {
    let params = Params::of(&format!("/x?{query}").parse().unwrap()).unwrap();
    answer(rollup, &Question::parse(&params, HealthLimits::default(), NOW).unwrap(), None)
}

/// `load` calls `shop` calls `pay`, which fails.
fn shop() -> Rollup {
    let mut trace = vec![
        span(1, 0, "load", Kind::Client, 120),
        span(2, 1, "shop", Kind::Server, 100),
        span(3, 2, "shop", Kind::Client, 80),
        span(4, 3, "pay", Kind::Server, 60),
    ];
    trace[3].status.code = StatusCode::Error;
    Rollup::of_trace(&trace, true)
}

#[test]
fn nodes_and_edges_have_the_figures_of_both_sides() {
    let answer = ask(&shop(), "");
    let nodes: Vec<(&str, &str, &str, u64)> =
        answer.nodes.iter().map(|node| (&*node.name, &*node.kind, &*node.health, node.requests.received)).collect();
    assert_eq!(
        nodes,
        [("load", "service", "unknown", 0), ("pay", "service", "unhealthy", 1), ("shop", "service", "healthy", 1),]
    );
    let close =
        |found: Option<u64>, millis: u64| found.is_some_and(|found| found.abs_diff(millis * MILLI) <= 2 * MILLI);
    let edge = answer.edges.iter().find(|edge| edge.callee == "pay").unwrap();
    assert_eq!((&*edge.caller, edge.received, edge.errors, edge.error_rate), ("shop", 1, 1.0, 1.0));
    assert_eq!((edge.caller_side.mean_nanos, edge.callee_side.mean_nanos), (Some(80 * MILLI), Some(60 * MILLI)));
    assert!(close(edge.caller_side.p99_nanos, 80) && close(edge.callee_side.p99_nanos, 60));
    assert_eq!(edge.exemplars[0].span_id, SpanId::from_u64(3));
    // An hour, of which half a minute is still to come.
    assert!((edge.per_second - 1.0 / 3570.0).abs() < 1e-12, "{edge:?}");
    assert_eq!((answer.edge_count, answer.edges.len()), (2, 2));
    assert_eq!(ask(&shop(), "to=59880").edge_count, 0, "a minute before");
}

#[test]
fn one_service_is_shown_with_its_neighbours() {
    let names = |query: &str| ask(&shop(), query).nodes.into_iter().map(|node| node.name).collect::<Vec<_>>();
    assert_eq!(names("service=pay"), ["pay", "shop"]);
    assert_eq!(names("service=shop"), ["load", "pay", "shop"]);
    assert_eq!(names("service=none"), Vec::<String>::new());
    let cut = ask(&shop(), "limit=1");
    assert_eq!((cut.edges.len(), cut.edge_count), (1, 2));
}

#[test]
fn what_sends_no_spans_is_a_node_by_the_calls_that_reach_it() {
    let services = BTreeMap::from([("shop", Requests::default())]);
    let figures = |received| EdgeFigures { received, weighted: Weight::of(received as f64), ..EdgeFigures::default() };
    let key =
        |caller: &str, callee: &str, connection| EdgeKey { caller: caller.into(), callee: callee.into(), connection };
    let keys = [
        key("shop", "orders-db", Connection::Database),
        key("shop", "orders", Connection::Messaging),
        key("shop", "api.example.com", Connection::Http),
        key("invoices", "shop", Connection::Messaging),
    ];
    let edges: BTreeMap<&EdgeKey, EdgeFigures> = keys.iter().map(|key| (key, figures(3))).collect();
    let others = others(&edges, &services);
    let found: Vec<_> = others.iter().map(|(name, (kind, requests))| (*name, *kind, requests.received)).collect();
    assert_eq!(
        found,
        [
            ("api.example.com", "external", 3),
            ("invoices", "queue", 0),
            ("orders", "queue", 3),
            ("orders-db", "database", 3),
        ]
    );
}

#[test]
fn health_is_by_thresholds_that_must_be_passed() {
    let limits = HealthLimits::default();
    let of = |error_rate: f64, millis: u64| {
        let requests =
            RequestsShape { received: 1, error_rate, mean_nanos: Some(millis * MILLI), ..Default::default() };
        health(&requests, limits)
    };
    assert_eq!((of(0.01, 500), of(0.0101, 0), of(0.0, 501)), ("healthy", "degraded", "degraded"));
    assert_eq!((of(0.05, 1000), of(0.0501, 0), of(0.0, 1001)), ("degraded", "unhealthy", "unhealthy"));
    assert_eq!(health(&RequestsShape::default(), limits), "unknown");
}
