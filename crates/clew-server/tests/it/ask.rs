//! The doors that answer questions, over a real store.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, HttpBody};
use bytes::Bytes;
use clew_model::{Attribute, Kind, Resource, Span, SpanId, StatusCode, Tenant, TraceId};
use clew_server::ask::shape::{SearchAnswer, ServicesAnswer, TraceAnswer};
use clew_server::{App, Problem, ServerConfig, ask};
use clew_store::port::{Clock as _, ManualClock, MemoryDisk};
use clew_store::{Batch, Encoding, Outcome, Ports, Protocol, Source, Store, StoreConfig, Tenants};
use clew_wire::otlp::Limits;
use http::header::{
    ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, ETAG, IF_NONE_MATCH, RETRY_AFTER, VARY,
};
use http::{HeaderMap, Request, StatusCode as Status};
use http_body_util::BodyExt;
use hyper::body::Frame;
use opentelemetry_proto::tonic::trace::v1::TracesData;
use prost::Message;
use serde_json::{Value, json};
use tower::ServiceExt;

pub(crate) const EPOCH: u64 = 1_700_000_000_000_000_000;
pub(crate) const ID: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

/// A body that does not say how long it is.
struct Unannounced(Option<Bytes>);

impl HttpBody for Unannounced {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::convert::Infallible>>> {
        Poll::Ready(self.0.take().map(|bytes| Ok(Frame::data(bytes))))
    }
}

/// A server's state, and what a client sees of it.
pub(crate) struct Shop {
    pub(crate) app: Arc<App>,
    /// Stands until it is moved.
    pub(crate) clock: Arc<ManualClock>,
}

pub(crate) struct Answer {
    pub(crate) status: Status,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Shop {
    pub(crate) fn open(config: ServerConfig) -> Self {
        let clock = Arc::new(ManualClock::new(EPOCH + 1_000_000_000));
        let ports = Ports { disk: Arc::new(MemoryDisk::new()), clock: Arc::clone(&clock) as _ };
        let store = Store::open(StoreConfig::new("/data"), ports).unwrap();
        Self { app: App::new(config, store, Arc::clone(&clock) as _).unwrap(), clock }
    }

    /// Lets time pass, and settles the traces that are complete then.
    pub(crate) async fn settle_after(&self, seconds: u64) {
        self.clock.advance_nanos(seconds * 1_000_000_000);
        let (settled, answer) = tokio::sync::oneshot::channel();
        self.app.store.settle(|result| settled.send(result).unwrap());
        answer.await.unwrap().unwrap();
    }

    pub(crate) fn send(&self, tenant: &str, spans: &[Span]) {
        let body = Bytes::from(clew_wire::otlp::encode(spans));
        let batch = Batch {
            protocol: Protocol::Otlp,
            encoding: Encoding::Identity,
            stored: body.clone(),
            body_hash: xxhash_rust::xxh3::xxh3_128(&body),
            body,
            tenants: Tenants::one(Tenant::new(tenant).unwrap()),
            rejected: Vec::new(),
            limits: Limits::default(),
            received_unix_nanos: self.clock.unix_nanos(),
            span_count: spans.len() as u32,
            source: Source::default(),
        };
        let (reply, outcome) = std::sync::mpsc::channel();
        self.app.store.offer(batch, Box::new(move |outcome| reply.send(outcome).unwrap()));
        assert_eq!(outcome.recv().unwrap(), Outcome::Stored);
    }

    pub(crate) async fn get(&self, path: &str, headers: &[(http::HeaderName, &str)]) -> Answer {
        let mut request = Request::get(path);
        for (name, value) in headers {
            request = request.header(name, *value);
        }
        let router = ask::routes().with_state(Arc::clone(&self.app));
        let response = router.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        Answer { status, headers, body: response.into_body().collect().await.unwrap().to_bytes() }
    }

    async fn post(&self, path: &str, body: impl Into<Body>) -> Answer {
        let router = ask::routes().with_state(Arc::clone(&self.app));
        let response = router.oneshot(Request::post(path).body(body.into()).unwrap()).await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        Answer { status, headers, body: response.into_body().collect().await.unwrap().to_bytes() }
    }

    pub(crate) async fn search(&self, query: &str) -> SearchAnswer {
        let answer = self.get(&format!("/v1/traces/search?{query}"), &[]).await;
        assert_eq!(answer.status, Status::OK, "{:?}", answer.body);
        serde_json::from_slice(&answer.body).unwrap()
    }
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.status, Status::OK, "{:?}", self.body);
        assert_eq!(self.headers[CONTENT_TYPE], "application/json");
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(crate) fn problem(&self, status: Status) -> Problem {
        assert_eq!(self.status, status, "{:?}", self.body);
        assert_eq!(self.headers[CONTENT_TYPE], "application/problem+json");
        serde_json::from_slice(&self.body).unwrap()
    }
}

pub(crate) fn trace_id(number: u64) -> TraceId {
    TraceId(u128::from(number).to_be_bytes())
}

pub(crate) fn span(trace_id: TraceId, id: u64, parent: u64, service: &str, name: &str, millis: (u64, u64)) -> Span {
    let attributes = vec![Attribute::new("service.name", service)];
    Span {
        trace_id,
        span_id: SpanId::from_u64(id),
        parent_span_id: (parent > 0).then(|| SpanId::from_u64(parent)),
        name: name.into(),
        kind: Kind::Server,
        start_unix_nanos: EPOCH + millis.0 * 1_000_000,
        duration_nanos: millis.1 * 1_000_000,
        resource: Arc::new(Resource { attributes, ..Resource::default() }),
        ..Span::default()
    }
}

/// Frontend waits for checkout, which fails.
pub(crate) fn checkout() -> Vec<Span> {
    let id: TraceId = ID.parse().unwrap();
    let mut failed = span(id, 2, 1, "checkout", "place order", (10, 60));
    failed.status.code = StatusCode::Error;
    failed.attributes.push(Attribute::new("http.response.status_code", 500_i64));
    vec![span(id, 1, 0, "frontend", "POST /checkout", (0, 100)), failed]
}

pub(crate) fn shop() -> Shop {
    let shop = Shop::open(ServerConfig::default());
    shop.send("default", &checkout());
    shop
}

#[tokio::test]
async fn a_trace_is_found_and_explained() {
    let shop = shop();
    for query in [
        "service=checkout&status=error",
        "service=frontend&service=checkout",
        "attr.http.response.status_code=500&minSpanDurationMs=60&maxSpanDurationMs=60",
        "operation=POST%20/checkout&minDurationMs=100&maxDurationMs=100&kind=server",
        "since=1h&sort=-duration&total=exact",
    ] {
        let answer = shop.search(query).await;
        assert_eq!(answer.traces.len(), 1, "{query}");
        let trace = &answer.traces[0];
        assert_eq!((trace.trace_id.as_str(), trace.span_count, trace.error_count), (ID, 2, 1));
        assert_eq!((trace.start.as_str(), trace.duration_nanos), ("2023-11-14T22:13:20.000000000Z", 100_000_000));
        assert_eq!(trace.root.as_ref().unwrap().service, "frontend");
    }
    for query in ["service=frontend&status=error", "service=nobody", "minDurationMs=100.001", "to=-1h"] {
        assert_eq!(shop.search(query).await.traces, [], "{query}");
    }
    let trace: TraceAnswer = serde_json::from_slice(&shop.get(&format!("/v1/traces/{ID}"), &[]).await.body).unwrap();
    assert_eq!(trace.spans.iter().map(|span| span.self_nanos).collect::<Vec<_>>(), [40_000_000, 60_000_000]);
    assert_eq!(trace.thread.bottleneck.unwrap().span_id, Some(SpanId::from_u64(2)));
    assert!(trace.thread.sentence.contains("checkout"), "{}", trace.thread.sentence);
    let skeleton = shop.get(&format!("/v1/traces/{ID}?shape=skeleton"), &[]).await.json();
    assert_eq!(skeleton["spans"]["parents"], json!([-1, 0]));
    let upper = shop.get(&format!("/v1/traces/{}", ID.to_uppercase()), &[]).await;
    assert_eq!(upper.json()["traceId"], ID);
    let encoded = shop.get(&format!("/v1/traces/%34{}", &ID[1..]), &[]).await;
    assert_eq!(encoded.json()["traceId"], ID);
}

#[tokio::test]
async fn v1_an_opened_trace_grows_and_its_version_tells() {
    let shop = shop();
    let path = format!("/v1/traces/{ID}?shape=skeleton");
    let first = shop.get(&path, &[]).await;
    let (tag, version) = (first.headers[ETAG].to_str().unwrap().to_owned(), first.json()["version"].clone());
    assert_eq!(tag, format!("W/\"{}\"", version.as_str().unwrap()));
    let same = shop.get(&path, &[(IF_NONE_MATCH, &tag)]).await;
    assert_eq!((same.status, same.body.len(), same.headers[ETAG].to_str().unwrap()), (Status::NOT_MODIFIED, 0, &*tag));
    let figures = shop.app.traces.figures();
    assert_eq!((figures.hits, figures.misses, figures.traces), (1, 1, 1));
    let late = span(ID.parse().unwrap(), 3, 2, "payment", "charge", (20, 30));
    shop.send("default", &[late]);
    let grown = shop.get(&path, &[(IF_NONE_MATCH, &tag)]).await.json();
    assert_eq!(grown["summary"]["spanCount"], 3);
    assert_ne!(grown["version"], version);
    let found = shop.get(&format!("/v1/traces/{ID}/find?text=CHARGE"), &[]).await.json();
    assert_eq!(found, json!({"spans": [2], "total": 1}));
    let details = shop.get(&format!("/v1/traces/{ID}?span=0000000000000003"), &[]).await.json();
    assert_eq!(details["spans"][0]["name"], "charge");
    assert_eq!(shop.app.traces.figures().hits, 3);
    // Nobody else's, and not by a token of nothing.
    assert_eq!(shop.get(&format!("/v1/traces/{ID}/find?text=charge&tenant=b"), &[]).await.status, Status::NOT_FOUND);
    let problem = shop.get(&format!("/v1/traces/{ID}/find"), &[]).await.problem(Status::BAD_REQUEST);
    assert_eq!(problem.parameter.as_deref(), Some("text"));
}

#[tokio::test]
async fn long_answers_are_packed_for_who_accepts_it() {
    let shop = Shop::open(ServerConfig::default());
    let id = ID.parse().unwrap();
    let spans: Vec<Span> = (1..=400).map(|n| span(id, n, n / 2, "shop", "operation", (n, 5))).collect();
    shop.send("default", &spans);
    let path = format!("/v1/traces/{ID}?shape=skeleton");
    let plain = shop.get(&path, &[]).await;
    assert!(plain.headers.get(CONTENT_ENCODING).is_none());
    let packed = shop.get(&path, &[(ACCEPT_ENCODING, "gzip, br, zstd")]).await;
    assert_eq!(packed.headers[CONTENT_ENCODING], "zstd");
    assert_eq!(packed.headers.get_all(VARY).iter().collect::<Vec<_>>(), ["accept", "accept-encoding"]);
    assert_eq!(zstd::decode_all(&packed.body[..]).unwrap(), plain.body);
    assert!(packed.body.len() * 3 < plain.body.len(), "{} of {}", packed.body.len(), plain.body.len());
    let short = shop.get("/v1/services", &[(ACCEPT_ENCODING, "zstd")]).await;
    assert_eq!(short.json()["services"], json!(["shop"]));
}

#[tokio::test]
async fn a_file_is_explained_and_not_kept() {
    let shop = Shop::open(ServerConfig { explain_bytes: 1 << 20, ..ServerConfig::default() });
    let file = clew_wire::otlp::encode(&checkout());
    let answer = shop.post("/v1/explain", file.clone()).await;
    assert_eq!(answer.json()["traces"][0]["full"]["spans"].as_array().unwrap().len(), 2);
    assert_eq!(answer.json()["traces"][0]["skeleton"]["spans"]["parents"], json!([-1, 0]));
    assert_eq!(shop.get(&format!("/v1/traces/{ID}"), &[]).await.status, Status::NOT_FOUND);
    assert_eq!((shop.app.explaining.bytes(), shop.app.store.figures().live_spans), (0, 0));
    let problem = shop.post("/v1/explain", "hello").await.problem(Status::BAD_REQUEST);
    assert_eq!(problem.parameter.as_deref(), Some("body"));
    let problem = shop.post("/v1/explain", vec![b' '; (1 << 20) + 1]).await.problem(Status::PAYLOAD_TOO_LARGE);
    assert!(problem.detail.contains("query.explain_bytes"), "{}", problem.detail);
    // Without an announced length the whole room is taken, and given back.
    let streamed = Body::new(Unannounced(Some(file.into())));
    assert_eq!(shop.post("/v1/explain", streamed).await.status, Status::OK);
    let mut taken = shop.app.explaining.hold();
    taken.grow_to(1 << 20).await.unwrap();
    let answer = shop.post("/v1/explain", "{}").await;
    assert_eq!(answer.headers[RETRY_AFTER], "1");
    answer.problem(Status::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn a_trace_is_downloaded_as_a_page() {
    let shop = shop();
    let page = shop.get(&format!("/v1/traces/{ID}?format=html"), &[]).await;
    assert_eq!((page.status, &page.headers[CONTENT_TYPE]), (Status::OK, &"text/html; charset=utf-8".parse().unwrap()));
    let name = format!("attachment; filename=\"clew-trace-{ID}.html\"");
    assert_eq!(page.headers[http::header::CONTENT_DISPOSITION], name.as_str());
    let policy = page.headers[http::header::CONTENT_SECURITY_POLICY].to_str().unwrap();
    assert!(policy.starts_with("default-src 'none';"), "{policy}");
    let text = std::str::from_utf8(&page.body).unwrap();
    assert!(text.contains("POST /checkout") && text.contains("Content-Security-Policy"));
}

#[tokio::test]
async fn names_are_listed() {
    let shop = shop();
    let services: ServicesAnswer = serde_json::from_slice(&shop.get("/v1/services", &[]).await.body).unwrap();
    assert_eq!(services.services, ["checkout", "frontend"]);
    let operations = shop.get("/v1/services/frontend/operations", &[]).await.json();
    assert_eq!(operations, json!({"operations": ["POST /checkout"]}));
    assert_eq!(shop.get("/v1/services/x%2Fy/operations", &[]).await.json(), json!({"operations": []}));
    shop.send("default", &[span(trace_id(7), 1, 0, "a/b \u{e9}%", "op", (0, 1))]);
    let operations = shop.get("/v1/services/a%2Fb%20%C3%A9%25/operations", &[]).await.json();
    assert_eq!(operations, json!({"operations": ["op"]}));
    let operations = shop.get("/jaeger/api/services/a%2Fb%20%c3%a9%25/operations", &[]).await.json();
    assert_eq!(operations["data"], json!(["op"]));
}

#[tokio::test]
async fn otlp_comes_back_as_it_was_sent() {
    let shop = shop();
    let names = |data: TracesData| {
        let spans = data.resource_spans.into_iter().flat_map(|r| r.scope_spans).flat_map(|s| s.spans);
        spans.map(|span| span.name).collect::<Vec<_>>()
    };
    let native = shop.get(&format!("/v1/traces/{ID}"), &[(ACCEPT, "application/x-protobuf")]).await;
    assert_eq!(native.headers[CONTENT_TYPE], "application/x-protobuf");
    assert_eq!(names(TracesData::decode(native.body).unwrap()), ["POST /checkout", "place order"]);
    let tempo = shop.get(&format!("/tempo/api/traces/{ID}"), &[(ACCEPT, "application/protobuf")]).await;
    assert_eq!(tempo.headers[CONTENT_TYPE], "application/protobuf");
    assert_eq!(names(TracesData::decode(tempo.body).unwrap()).len(), 2);
    let tempo = shop.get(&format!("/tempo/api/traces/{ID}?start=1&end=2"), &[]).await.json();
    assert_eq!(tempo["batches"][0]["scopeSpans"][0]["spans"][0]["name"], "POST /checkout");
    let tempo = shop.get(&format!("/tempo/api/v2/traces/{ID}"), &[]).await.json();
    assert_eq!(tempo["trace"]["resourceSpans"].as_array().unwrap().len(), 2);
    assert_eq!(shop.get("/tempo/api/echo", &[]).await.body, "echo");
    let otlp = shop.get(&format!("/v1/traces/{ID}?format=otlp"), &[]).await.json();
    assert_eq!(otlp["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["traceId"], ID);
}

#[tokio::test]
async fn jaeger_reads_its_own_shape() {
    let shop = shop();
    let answer = shop.get(&format!("/jaeger/api/traces/{ID}"), &[]).await.json();
    let trace = &answer["data"][0];
    assert_eq!((&answer["errors"], &trace["traceID"]), (&Value::Null, &json!(ID)));
    let failed = trace["spans"].as_array().unwrap().iter().find(|span| span["spanID"] == "0000000000000002").unwrap();
    let reference = json!([{"refType": "CHILD_OF", "traceID": ID, "spanID": "0000000000000001"}]);
    assert_eq!((&failed["references"], &failed["duration"]), (&reference, &json!(60_000)));
    assert_eq!(failed["startTime"], json!(EPOCH / 1000 + 10_000));
    assert_eq!(trace["processes"][failed["processID"].as_str().unwrap()]["serviceName"], "checkout");
    let services = shop.get("/jaeger/api/services", &[]).await.json();
    assert_eq!((&services["data"], &services["total"]), (&json!(["checkout", "frontend"]), &json!(2)));
    let operations = shop.get("/jaeger/api/services/checkout/operations", &[]).await.json();
    assert_eq!(operations["data"], json!(["place order"]));
    let missing = shop.get("/jaeger/api/traces/1234567890abcdef", &[]).await;
    assert_eq!(missing.status, Status::NOT_FOUND);
    let error: Value = serde_json::from_slice(&missing.body).unwrap();
    assert_eq!(error["errors"], json!([{"code": 404, "msg": "trace not found"}]));
    assert_eq!(error["data"], Value::Null);
}

#[tokio::test]
async fn what_is_not_there_is_told_in_each_door_s_own_way() {
    let shop = shop();
    let problem = shop.get("/v1/traces/1234567890abcdef", &[]).await.problem(Status::NOT_FOUND);
    assert!(problem.detail.contains("00000000000000001234567890abcdef"), "{}", problem.detail);
    let tempo = shop.get("/tempo/api/traces/1234567890abcdef", &[]).await;
    assert_eq!((tempo.status, tempo.body.len()), (Status::NOT_FOUND, 0));
    let tempo = shop.get("/tempo/api/v2/traces/1234567890abcdef", &[]).await.json();
    assert_eq!(tempo, json!({"trace": {}, "metrics": {}}));
}

#[tokio::test]
async fn wrong_parameters_are_named() {
    let shop = shop();
    for (path, name) in [
        ("/v1/traces/search?limit=0", "limit"),
        ("/v1/traces/search?servce=a", "servce"),
        ("/v1/traces/search?q=%7B%7D", "q"),
        ("/v1/traces/search?tenant=a%2Fb", "tenant"),
        ("/v1/traces/search?cursor=x", "cursor"),
        ("/v1/traces/xyz", "id"),
        ("/v1/traces/00000000000000000000000000000000", "id"),
        ("/v1/traces/1234567890abcdef?shape=tree", "shape"),
        ("/v1/services?limit=5", "limit"),
        ("/v1/traces/search?minDurationMs=-5", "minDurationMs"),
        ("/v1/traces/search?minDurationMs=9&maxDurationMs=3", "maxDurationMs"),
        ("/v1/traces/search?from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z", "to"),
        ("/v1/traces/search?attr.=x", "attr."),
        ("/v1/traces/%ff", "path"),
        ("/v1/services/%ff/operations", "path"),
    ] {
        let problem = shop.get(path, &[]).await.problem(Status::BAD_REQUEST);
        assert_eq!(problem.parameter.as_deref(), Some(name), "{path}");
    }
    let services: Vec<String> = (0..65).map(|n| format!("service=s{n}")).collect();
    let problem = shop.get(&format!("/v1/traces/search?{}", services.join("&")), &[]).await;
    assert_eq!(problem.problem(Status::BAD_REQUEST).parameter.as_deref(), Some("service"));
    let problem = shop.get(&format!("/v1/traces/{ID}"), &[(ACCEPT, "image/png")]).await.problem(Status::NOT_ACCEPTABLE);
    assert!(problem.detail.contains("application/x-protobuf"), "{}", problem.detail);
}

#[tokio::test]
async fn tenants_see_their_own() {
    let tenant_header = http::HeaderName::from_static("x-scope-orgid");
    let mut shop = Shop::open(ServerConfig::default());
    shop.send("a", &checkout());
    let path = format!("/v1/traces/{ID}");
    assert_eq!(shop.get(&path, &[]).await.status, Status::NOT_FOUND);
    assert_eq!(shop.get(&path, &[(tenant_header.clone(), "a")]).await.status, Status::OK);
    assert_eq!(shop.get(&format!("{path}?tenant=a"), &[(tenant_header.clone(), "b")]).await.status, Status::OK);
    assert_eq!(shop.get(&format!("/jaeger/api/traces/{ID}?tenant=b"), &[]).await.status, Status::NOT_FOUND);
    let problem = shop.get(&path, &[(tenant_header.clone(), "a/b")]).await.problem(Status::BAD_REQUEST);
    assert_eq!(problem.parameter.as_deref(), Some("x-scope-orgid"));

    let tokens = [("secret-a", "a"), ("secret-b", "b")];
    let tokens = tokens.map(|(token, tenant)| (token.to_owned(), Tenant::new(tenant).unwrap())).into();
    shop = Shop::open(ServerConfig { tokens, ..ServerConfig::default() });
    shop.send("a", &checkout());
    let token = |token: &'static str| [(AUTHORIZATION, token)];
    assert_eq!(shop.get(&path, &token("Bearer secret-a")).await.status, Status::OK);
    assert_eq!(shop.get(&path, &token("Bearer secret-b")).await.status, Status::NOT_FOUND);
    let borrowed = shop.get(&format!("{path}?tenant=a"), &token("Bearer secret-b")).await.problem(Status::BAD_REQUEST);
    assert_eq!(borrowed.parameter.as_deref(), Some("tenant"));
    shop.get(&path, &token("Bearer guess")).await.problem(Status::UNAUTHORIZED);
}

#[tokio::test]
async fn a_busy_server_says_when_to_ask_again() {
    let shop = shop();
    let places = shop.app.config.query_concurrency;
    let taken = shop.app.queries.clone().acquire_many_owned(places as u32).await.unwrap();
    let answer = shop.get("/v1/services", &[]).await;
    assert_eq!(answer.headers[RETRY_AFTER], "1");
    assert!(answer.problem(Status::SERVICE_UNAVAILABLE).detail.contains("query.concurrency"));
    drop(taken);
    assert_eq!(shop.get("/v1/services", &[]).await.status, Status::OK);
    // Every place is free again, whatever became of the question that held it.
    for _ in 0..2 * places {
        assert_eq!(shop.get("/v1/traces/search", &[]).await.status, Status::OK);
    }
}

#[tokio::test]
async fn a_question_that_takes_too_long_is_told_so() {
    let shop = Shop::open(ServerConfig { query_timeout: Duration::ZERO, ..ServerConfig::default() });
    shop.send("default", &checkout());
    let problem = shop.get("/v1/traces/search", &[]).await.problem(Status::GATEWAY_TIMEOUT);
    assert!(problem.detail.contains("query.timeout"), "{}", problem.detail);
}

#[tokio::test]
async fn pages_cover_every_trace_once_while_more_arrive() {
    let shop = Shop::open(ServerConfig::default());
    let one = |n: u64| vec![span(trace_id(n), 1, 0, "s", "op", (n % 7, n % 5))];
    (1..=50).for_each(|n| shop.send("default", &one(n)));
    let (mut seen, mut cursor, mut next) = (Vec::new(), String::new(), 51);
    loop {
        let page = shop.search(&format!("service=s&sort=-duration&limit=4{cursor}")).await;
        seen.extend(page.traces.iter().map(|trace| trace.trace_id.clone()));
        let Some(after) = page.cursor else { break };
        cursor = format!("&cursor={after}");
        if next < 60 {
            shop.send("default", &one(next));
            next += 1;
        }
    }
    let count = seen.len();
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), count, "a trace came twice");
    assert!((1..=50).all(|n| seen.contains(&trace_id(n).to_string())), "a trace was passed over");
}

#[tokio::test]
async fn the_description_and_the_latencies_are_there() {
    let shop = shop();
    let described = shop.get("/v1/openapi.json", &[]).await.json();
    assert_eq!(described["openapi"], "3.1.0");
    assert!(described["paths"]["/v1/traces/search"]["get"].is_object());
    shop.search("service=checkout").await;
    shop.get(&format!("/v1/traces/{ID}"), &[]).await;
    shop.get(&format!("/tempo/api/traces/{ID}"), &[]).await;
    shop.get(&format!("/jaeger/api/traces/{ID}"), &[]).await;
    assert_eq!(shop.app.figures.search.read().count(), 1);
    assert_eq!(shop.app.figures.fetch.read().count(), 3);
}
