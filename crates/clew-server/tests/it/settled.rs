//! What is known of whole traces once they are settled: their state, figures by the minute, and who calls whom.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use clew_server::ServerConfig;
use clew_server::ask::shape::{DependenciesAnswer, RedAnswer, StateShape, SummaryShape, TraceAnswer};
use http::StatusCode as Status;
use http::header::{CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::ask::{ID, Shop, checkout, shop, span, trace_id};

async fn state(shop: &Shop) -> StateShape {
    let trace: TraceAnswer = serde_json::from_slice(&shop.get(&format!("/v1/traces/{ID}"), &[]).await.body).unwrap();
    assert_eq!(trace.state, trace.summary.state);
    trace.state
}

#[tokio::test]
async fn the_state_of_a_trace_is_told_by_itself_and_in_lists() {
    let shop = shop();
    let path = format!("/v1/traces/{ID}");
    let first = shop.get(&path, &[]).await;
    let before = state(&shop).await;
    assert!(before.root_seen && !before.settled && before.verdict.is_none());
    assert_eq!(shop.search("").await.traces[0].state, before);

    shop.settle_after(31).await;
    let settled = state(&shop).await;
    let verdict = settled.verdict.clone().unwrap();
    assert!(settled.settled && verdict.keep && verdict.rule == "all");
    assert_eq!(shop.search("").await.traces[0].state, settled);
    let tag = first.headers[ETAG].to_str().unwrap();
    let again = shop.get(&path, &[(IF_NONE_MATCH, tag)]).await;
    assert_eq!(again.status, Status::OK, "an answer that says that it is settled is another one");
    assert_eq!(shop.app.traces.figures().misses, 1, "though its spans are the same");

    let late = span(ID.parse().unwrap(), 3, 2, "payment", "charge", (20, 30));
    shop.send("default", std::slice::from_ref(&late));
    let grown = state(&shop).await;
    assert!(!grown.settled && grown.verdict == Some(verdict), "{grown:?}");
    assert!(!shop.search("").await.traces[0].state.settled);
    shop.settle_after(31).await;
    let settled = state(&shop).await;
    assert_eq!((settled.settled, settled.late_spans), (true, 1));
    assert_eq!(shop.search("").await.traces[0].state, settled);
}

#[tokio::test]
async fn figures_and_the_graph_are_up_to_now_and_stay_when_traces_are_settled() {
    let shop = shop();
    let mut answers = Vec::new();
    for _ in 0..2 {
        let red = shop.get("/v1/metrics/red?from=1700000000&groupBy=service", &[]).await.json();
        let red: RedAnswer = serde_json::from_value(red).unwrap();
        let groups: Vec<_> = red
            .groups
            .iter()
            .map(|group| (group.service.clone().unwrap(), group.received.count, group.received.errors))
            .collect();
        assert_eq!(groups, [("checkout".to_owned(), 1.0, 1.0), ("frontend".to_owned(), 1.0, 0.0)]);
        let graph = shop.get("/v1/dependencies?from=1700000000", &[]).await.json();
        let graph: DependenciesAnswer = serde_json::from_value(graph).unwrap();
        let edges: Vec<_> = graph.edges.iter().map(|edge| (&*edge.caller, &*edge.callee, edge.received)).collect();
        assert_eq!(edges, [("frontend", "checkout", 1)]);
        let health: Vec<_> = graph.nodes.iter().map(|node| (&*node.name, &*node.health)).collect();
        assert_eq!(health, [("checkout", "unhealthy"), ("frontend", "healthy")]);
        answers.push((red.groups[0].weighted.p99_nanos, red.groups[0].exemplars.clone()));
        shop.settle_after(31).await;
    }
    assert_eq!(answers[0], answers[1]);
    assert_eq!(answers[0].1[0].trace_id, ID);
}

#[tokio::test]
async fn figures_of_another_tenant_are_not_told_and_wrong_questions_are_refused() {
    let shop = Shop::open(ServerConfig::default());
    shop.send("acme", &checkout());
    for path in ["/v1/metrics/red", "/v1/dependencies"] {
        let answer = shop.get(&format!("{path}?from=1700000000"), &[]).await.json();
        let list = answer.get("groups").or(answer.get("edges")).unwrap();
        assert_eq!(list.as_array().map(Vec::len), Some(0), "{path}");
        let own = shop.get(&format!("{path}?from=1700000000&tenant=acme"), &[]).await.json();
        let list = own.get("groups").or(own.get("edges")).unwrap();
        assert!(!list.as_array().unwrap().is_empty(), "{path}");
        let problem = shop.get(&format!("{path}?limit=many"), &[]).await.problem(Status::BAD_REQUEST);
        assert_eq!(problem.parameter.as_deref(), Some("limit"));
    }
}

/// A stream of settled traces, and what it said.
struct Told {
    body: axum::body::Body,
    text: String,
}

impl Told {
    async fn open(shop: &Shop, query: &str, seen: Option<&str>) -> Self {
        let mut request = http::Request::get(format!("/v1/live?{query}"));
        if let Some(seen) = seen {
            request = request.header("Last-Event-ID", seen);
        }
        let router = clew_server::ask::routes().with_state(Arc::clone(&shop.app));
        let response = router.oneshot(request.body(axum::body::Body::empty()).unwrap()).await.unwrap();
        assert_eq!(response.status(), Status::OK);
        assert_eq!(response.headers()[CONTENT_TYPE], "text/event-stream");
        Self { body: response.into_body(), text: String::new() }
    }

    /// Reads until so many events came; their names, numbers and data.
    async fn events(&mut self, count: usize) -> Vec<(String, u64, Value)> {
        let read = async {
            while self.text.matches("\ndata: ").count() < count {
                let frame = self.body.frame().await.expect("the stream goes on").unwrap();
                self.text += std::str::from_utf8(&frame.into_data().unwrap()).unwrap();
            }
        };
        tokio::time::timeout(Duration::from_secs(10), read).await.expect("the events come");
        let events = self.text.split("\n\n").filter(|event| event.contains("data: "));
        let field = |event: &str, name: &str| {
            event.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": ")).unwrap().to_owned()
        };
        events
            .map(|event| {
                let data = serde_json::from_str(&field(event, "data")).unwrap();
                (field(event, "event"), field(event, "id").parse().unwrap(), data)
            })
            .collect()
    }
}

fn numbered(number: u64) -> Vec<clew_model::Span> {
    vec![span(trace_id(number), 1, 0, "frontend", "GET /", (0, number))]
}

#[tokio::test]
async fn settled_traces_are_told_as_they_come_and_from_where_a_client_was() {
    let shop = shop();
    let mut all = Told::open(&shop, "", None).await;
    let mut failed = Told::open(&shop, "service=checkout&status=error&minDurationMs=100", None).await;
    shop.send("default", &numbered(7));
    shop.send("acme", &numbered(8));
    shop.settle_after(31).await;
    let told = all.events(2).await;
    let mut ids: Vec<&str> = told.iter().map(|(_, _, data)| data["traceId"].as_str().unwrap()).collect();
    ids.sort_unstable();
    let seventh = trace_id(7).to_string();
    assert_eq!(ids, [seventh.as_str(), ID]);
    let (name, _, data) = &failed.events(1).await[0];
    assert_eq!((name.as_str(), data["traceId"].as_str()), ("trace", Some(ID)));
    assert_eq!((&data["errorCount"], &data["state"]["verdict"]["rule"]), (&json!(1), &json!("all")));
    let told_row: SummaryShape = serde_json::from_value(data.clone()).unwrap();
    let listed = shop.search("minDurationMs=100").await.traces;
    assert_eq!(listed, [told_row], "as a search lists it");

    // What is settled while nobody listens comes to who says what it saw last.
    drop((all, failed.body));
    shop.send("default", &numbered(9));
    shop.settle_after(31).await;
    let last = told.iter().map(|(_, number, _)| *number).max().unwrap();
    let mut back = Told::open(&shop, "from=0", Some(&last.to_string())).await;
    let missed = back.events(1).await;
    assert_eq!(missed.len(), 1);
    assert_eq!(missed[0].2["traceId"], trace_id(9).to_string());
    let mut first = Told::open(&shop, "from=0", None).await;
    assert_eq!(first.events(3).await.len(), 3);
}

#[tokio::test]
async fn a_stream_that_begins_at_a_deleted_trace_tells_the_others() {
    let shop = Shop::open(ServerConfig::default());
    for number in 1..=3 {
        shop.send("default", &numbered(number));
    }
    shop.settle_after(31).await;
    let answer = ask_to_delete(&shop, &trace_id(2).to_string()).await;
    assert_eq!(answer, Status::OK);
    shop.send("default", &numbered(4));
    shop.settle_after(31).await;
    let mut told = Told::open(&shop, "from=0", None).await;
    let ids: Vec<Value> = told.events(3).await.into_iter().map(|(_, _, data)| data["traceId"].clone()).collect();
    assert_eq!(ids, [1, 3, 4].map(|number| json!(trace_id(number).to_string())));
}

async fn ask_to_delete(shop: &Shop, id: &str) -> Status {
    let router = clew_server::router(Arc::clone(&shop.app));
    let request = http::Request::delete(format!("/v1/traces/{id}")).body(axum::body::Body::empty()).unwrap();
    router.oneshot(request).await.unwrap().status()
}

#[tokio::test]
async fn streams_are_bounded_and_end_with_the_server() {
    let shop = Shop::open(ServerConfig { live_streams: 1, ..ServerConfig::default() });
    let mut only = Told::open(&shop, "", None).await;
    let refused = shop.get("/v1/live", &[]).await.problem(Status::SERVICE_UNAVAILABLE);
    assert!(refused.detail.contains("query.live_streams"), "{refused:?}");
    // A stream holds no place for questions.
    assert_eq!(shop.app.queries.available_permits(), shop.app.config.query_concurrency);
    shop.app.stopping.store(true, Ordering::Relaxed);
    let end = async { while only.body.frame().await.is_some() {} };
    tokio::time::timeout(Duration::from_secs(10), end).await.expect("the stream ends");
    shop.app.stopping.store(false, Ordering::Relaxed);
    // Its place is free again, for a stream that looks for itself.
    let mut next = loop {
        let router = clew_server::ask::routes().with_state(Arc::clone(&shop.app));
        let request = http::Request::get("/v1/live").body(axum::body::Body::empty()).unwrap();
        let response = router.oneshot(request).await.unwrap();
        if response.status() == Status::OK {
            break Told { body: response.into_body(), text: String::new() };
        }
        tokio::task::yield_now().await;
    };
    shop.send("default", &numbered(1));
    shop.settle_after(31).await;
    assert_eq!(next.events(1).await.len(), 1);
}

/// A page of figures; what was accepted is in its content type.
async fn page(shop: &Shop, accept: &str) -> (String, String) {
    let router = clew_server::router(Arc::clone(&shop.app));
    let request = http::Request::get("/metrics").header("accept", accept).body(axum::body::Body::empty()).unwrap();
    let response = router.oneshot(request).await.unwrap();
    let media_type = response.headers()[CONTENT_TYPE].to_str().unwrap().to_owned();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (media_type, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn span_metrics_have_the_names_of_opentelemetrys_connectors() {
    let shop = shop();
    let (media_type, before) = page(&shop, "text/plain").await;
    assert!(media_type.starts_with("text/plain; version=0.0.4"));
    assert!(!before.contains("service_name="), "nothing is settled: {before}");
    shop.settle_after(31).await;
    let text = page(&shop, "*/*").await.1;
    let labels = r#"service_name="checkout",span_name="place order",span_kind="SPAN_KIND_SERVER",status_code="STATUS_CODE_ERROR""#;
    for line in [
        format!("traces_span_metrics_calls_total{{{labels}}} 1"),
        format!("traces_span_metrics_duration_milliseconds_bucket{{{labels},le=\"50\"}} 0"),
        format!("traces_span_metrics_duration_milliseconds_bucket{{{labels},le=\"100\"}} 1"),
        format!("traces_span_metrics_duration_milliseconds_bucket{{{labels},le=\"+Inf\"}} 1"),
        format!("traces_span_metrics_duration_milliseconds_sum{{{labels}}} 60"),
        format!("traces_span_metrics_duration_milliseconds_count{{{labels}}} 1"),
        r#"traces_service_graph_request_total{client="frontend",server="checkout",connection_type=""} 1"#.to_owned(),
        r#"traces_service_graph_request_failed_total{client="frontend",server="checkout",connection_type=""} 1"#.to_owned(),
        r#"traces_service_graph_request_server_seconds_sum{client="frontend",server="checkout",connection_type=""} 0.06"#
            .to_owned(),
        r#"clew_traces_judged_total{rule="all",verdict="keep"} 1"#.to_owned(),
        "clew_traces_settled_total 1".to_owned(),
        "clew_settle_delay_seconds_count 1".to_owned(),
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
    let accept = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
    let (media_type, open) = page(&shop, accept).await;
    assert_eq!(media_type, "application/openmetrics-text; version=1.0.0; charset=utf-8");
    assert!(open.ends_with("# EOF\n") && open.contains("# TYPE traces_span_metrics_calls counter\n"), "{open}");
    let exemplar = format!(
        "traces_span_metrics_duration_milliseconds_bucket{{{labels},le=\"100\"}} 1 # \
         {{trace_id=\"{ID}\",span_id=\"0000000000000002\"}} 60 1700000000.010000000"
    );
    assert!(open.lines().any(|found| found == exemplar), "{exemplar} is not in\n{open}");

    // A second tenant makes them be told apart.
    let mut others = checkout();
    others[0].duration_nanos += 1;
    shop.send("acme", &others);
    shop.settle_after(31).await;
    let text = page(&shop, "*/*").await.1;
    for tenant in ["acme", "default"] {
        let line = format!("traces_span_metrics_calls_total{{tenant=\"{tenant}\",{labels}}} 1");
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
}

#[tokio::test]
async fn figures_say_how_far_settling_has_come() {
    let shop = shop();
    let figures = async || -> Value {
        let router = clew_server::router(Arc::clone(&shop.app));
        let request = http::Request::get("/v1/figures").body(axum::body::Body::empty()).unwrap();
        let body = router.oneshot(request).await.unwrap().into_body().collect().await.unwrap().to_bytes();
        serde_json::from_slice::<Value>(&body).unwrap()["settle"].take()
    };
    shop.settle_after(1).await;
    let waiting = figures().await;
    assert_eq!((&waiting["pendingTraces"], &waiting["traces"]), (&json!(1), &json!(0)), "{waiting}");
    assert_eq!(waiting["sealLagSeconds"], json!(1.0));
    shop.settle_after(34).await;
    let settled = figures().await;
    assert_eq!((&settled["pendingTraces"], &settled["traces"]), (&json!(0), &json!(1)), "{settled}");
    assert_eq!(settled["rules"], json!([{"rule": "all", "kept": 1, "dropped": 0}]));
    assert_eq!((&settled["delay"]["count"], &settled["delay"]["meanNanos"]), (&json!(1), &json!(5_000_000_000_u64)));
    let late = span(ID.parse().unwrap(), 3, 2, "payment", "charge", (20, 30));
    shop.send("default", std::slice::from_ref(&late));
    shop.settle_after(31).await;
    let settled = figures().await;
    assert_eq!((&settled["lateTraces"], &settled["lateSpans"], &settled["traces"]), (&json!(1), &json!(1), &json!(2)));
}
