//! The one router behind every door, and the answers that belong to no other module: health, figures, and the words for
//! requests that reach nothing.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use clew_store::HealthReason;
use http::header::{ACCESS_CONTROL_REQUEST_METHOD, CONTENT_TYPE, ORIGIN, RETRY_AFTER, VARY};
use http::{HeaderMap, HeaderName, Method, StatusCode};
use serde::{Deserialize, Serialize};
use tower::ServiceExt as _;
use tower_http::cors::{AllowHeaders, AllowOrigin, CorsLayer};
use utoipa::ToSchema;

use crate::app::App;
use crate::figures::{self, Format, Misdirected};
use crate::hints::{self, Astray, Example, Hint};
use crate::problem::Problem;
use crate::{ask, delete, demo, hosts, pins, receive, ui};

/// Paths that a lost sender or reader may have meant.
const KNOWN_PATHS: [&str; 29] = [
    "/v1/traces",
    "/v1/metrics",
    "/v1/logs",
    "/v1development/profiles",
    "/v1/traces/search",
    "/v1/traces/heatmap",
    "/v1/metrics/red",
    "/v1/dependencies",
    "/v1/live",
    "/v1/tenants",
    "/v1/attributes",
    "/v1/attributes/values",
    "/v1/export",
    "/v1/explain",
    "/v1/services",
    "/v1/health",
    "/v1/ready",
    "/v1/openapi.json",
    "/v1/figures",
    "/v1/demo",
    "/metrics",
    "/v1/services/{service}/operations",
    "/v1/traces/{id}",
    "/v1/traces/{id}/find",
    "/v1/traces/{id}/pin",
    "/v1/pins",
    "/v1/tenants/{tenant}",
    "/tempo/api/traces/{id}",
    "/jaeger/api/traces/{id}",
];

const INDEX: &str = "\
clew keeps traces and says where the time went.

Send     POST /v1/traces                  OTLP over HTTP (protobuf or JSON) and gRPC, on every port
Search   GET  /v1/traces/search?service=  also operation=, status=error, minDurationMs=, attr.KEY=VALUE, limit=
Picture  GET  /v1/traces/heatmap          all matches of a search, counted over time and duration
Explain  GET  /v1/traces/{id}             one trace and its critical path
Find     GET  /v1/traces/{id}/find?text=  which of its spans have a text in them
Figures  GET  /v1/metrics/red           rates, errors and durations: service=, groupBy=, step=
Graph    GET  /v1/dependencies          who calls whom, and how well that goes
Live     GET  /v1/live                  traces as they are settled, as server-sent events
View     POST /v1/explain                 the traces of a file (OTLP, Jaeger, Zipkin), explained and not kept
Export   GET  /v1/export?since=1d         whole traces as OTLP, oldest first; the filters of a search
Delete   DELETE /v1/traces/{id}           and /v1/tenants/{tenant}?confirm={tenant}
Pin      POST /v1/traces/{id}/pin         keeps a trace whatever its age; DELETE takes the pin off; GET /v1/pins
Names    GET  /v1/services                /v1/services/{service}/operations, /v1/tenants
         GET  /v1/attributes              /v1/attributes/values?key= , for completions
State    GET  /v1/health  /v1/ready  /metrics  /v1/figures
API      GET  /v1/openapi.json

On the command line: clew search, clew trace ID, clew tail, clew export, clew import, clew demo, clew --help.
";

/// Everything that clew answers over HTTP, one per server.
#[derive(Clone)]
pub(crate) struct Doorway {
    app: Arc<App>,
    router: Router,
}

impl Doorway {
    /// The router of an app.
    pub(crate) fn new(app: Arc<App>) -> Self {
        let router = router(Arc::clone(&app));
        let router = match cors(&app.config.cors_origins) {
            Some(cors) => router.layer(cors),
            None => router,
        };
        Self { app, router }
    }

    /// Answers one request that came to a door, on loopback or not.
    pub(crate) async fn answer(self, request: Request<Body>, loopback: bool) -> Response {
        if loopback && let Some(problem) = hosts::foreign(&request, &self.app.config.hosts) {
            self.app.figures.misdirect(Misdirected::Host);
            self.app.notice(Hint::ForeignHost, 1, || Example::of(&request, hosts::addressed(&request)));
            return if receive::is_grpc(request.headers()) {
                tonic::Status::permission_denied(problem.detail).into_http::<Body>()
            } else {
                problem.into_response()
            };
        }
        if receive::is_grpc(request.headers()) {
            return receive::grpc_call(self.app, request).await;
        }
        if is_preflight(&request) && !allows(&self.app.config.cors_origins, request.headers()) {
            let origin = request.headers().get(ORIGIN).map_or(&b""[..], |origin| origin.as_bytes());
            self.app.notice(Hint::CorsRefused, 1, || Example::of(&request, origin));
        }
        self.router.oneshot(request).await.unwrap_or_else(|never| match never {})
    }
}

impl Doorway {
    /// A connection began with TLS.
    pub(crate) fn knocked_with_tls(&self) {
        self.app.notice(Hint::Tls, 1, Example::default);
    }
}

/// All that is answered over plain HTTP, for whoever has no need of a door: no gRPC, no check of the Host header, no CORS.
pub fn router(app: Arc<App>) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .layer(axum::middleware::from_fn(ask::compress::compressed))
        .route("/v1/health", get(health))
        .route("/v1/ready", get(ready))
        .merge(figures::routes())
        .merge(demo::routes())
        .merge(receive::routes())
        .merge(ask::routes())
        .merge(delete::routes())
        .merge(pins::routes())
        .merge(ui::routes(INDEX))
        .fallback(unknown_path)
        .method_not_allowed_fallback(wrong_method)
        .with_state(app)
}

/// The answer of `GET /v1/health`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Health {
    /// `ok` or `degraded`.
    pub status: String,
    /// Why it is degraded.
    pub reasons: Vec<Reason>,
}

/// One reason why the server is not well.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Reason {
    /// A short, stable name.
    pub name: String,
    /// What happened and what to do.
    pub detail: String,
}

impl Health {
    pub(crate) fn of(reasons: Vec<HealthReason>) -> Self {
        let status = if reasons.is_empty() { "ok" } else { "degraded" }.to_owned();
        let reason = |reason: HealthReason| Reason { name: reason.name.to_owned(), detail: reason.detail };
        Self { status, reasons: reasons.into_iter().map(reason).collect() }
    }
}

async fn health(State(app): State<Arc<App>>) -> Json<Health> {
    Json(Health::of(app.health()))
}

async fn ready(State(app): State<Arc<App>>) -> Result<Json<Health>, Problem> {
    if app.stopping.load(Ordering::Relaxed) {
        return Err(Problem::unavailable("the server is stopping", 2));
    }
    let reasons = app.health();
    if let Some(failed) = reasons.iter().find(|reason| reason.name == HealthReason::LOG_FAILED) {
        return Err(Problem::unavailable(failed.detail.clone(), 10));
    }
    Ok(Json(Health::of(reasons)))
}

async fn metrics(State(app): State<Arc<App>>, headers: HeaderMap) -> Result<Response, Problem> {
    let served = Format::ALL.map(|format| (format.media_type(), format));
    let format = ask::accept::choose(&headers, &served).unwrap_or_default();
    // It lists a folder, and may have many series.
    let page = tokio::task::spawn_blocking(move || figures::render(&app, format)).await;
    let failed =
        |_| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the page could not be written; see the server's log");
    let headers = [(CONTENT_TYPE, format.content_type()), (VARY, "accept")];
    Ok((headers, page.map_err(failed)?).into_response())
}

async fn unknown_path(State(app): State<Arc<App>>, request: Request) -> Problem {
    app.figures.misdirect(Misdirected::Path);
    let path = request.uri().path();
    let nearest = nearest(path);
    let astray = hints::astray(request.method() == Method::POST, path, nearest);
    if let Some(Astray { hint, detail }) = astray {
        app.notice(hint, 1, || Example::of(&request, detail));
    }
    let meant = astray.filter(|astray| astray.hint != Hint::ForeignProtocol).map_or(nearest, |astray| astray.detail);
    Problem::not_found(format!("nothing answers at {path}; did you mean {meant}?"))
}

async fn wrong_method(State(app): State<Arc<App>>, request: Request) -> Response {
    app.figures.misdirect(Misdirected::Method);
    let (method, uri) = (request.method(), request.uri());
    let is_to_root = uri.path() == "/" && method == Method::POST;
    if !is_preflight(&request) {
        let hint = if is_to_root { Hint::PostToRoot } else { Hint::WrongMethod };
        app.notice(hint, 1, || Example::of(&request, ""));
    }
    if is_to_root {
        let detail =
            "spans are taken at /v1/traces; set the exporter's endpoint to end with it, or its base to this server";
        return Problem::not_found(detail).into_response();
    }
    let detail = match uri.path() {
        "/v1/traces" => "spans are sent here by POST; to search, GET /v1/traces/search".to_owned(),
        path => format!("{method} is not answered at {path}; the Allow header says what is"),
    };
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, detail).into_response()
}

fn nearest(path: &str) -> &'static str {
    let distance = |known: &&str| strsim::damerau_levenshtein(known, path.trim_end_matches('/'));
    KNOWN_PATHS.into_iter().min_by_key(|known| distance(known)).unwrap_or("/")
}

/// Whether a browser asks whether a page of another origin may make a request (CORS).
fn is_preflight<B>(request: &http::Request<B>) -> bool {
    let asks = |name| request.headers().contains_key(name);
    request.method() == Method::OPTIONS && asks(ORIGIN) && asks(ACCESS_CONTROL_REQUEST_METHOD)
}

/// Whether CORS is on for the origin that a request names.
fn allows(origins: &[String], headers: &HeaderMap) -> bool {
    let origin = headers.get(ORIGIN).and_then(|origin| origin.to_str().ok()).unwrap_or_default();
    origins.iter().any(|allowed| allowed == "*" || allowed == origin)
}

/// CORS for browser SDKs, whose exporters send headers of their own choice. No page of another origin deletes: a DELETE is
/// preflighted, and the answer does not allow it.
fn cors(origins: &[String]) -> Option<CorsLayer> {
    let origin = match origins {
        [] => return None,
        origins if origins.iter().any(|origin| origin == "*") => AllowOrigin::any(),
        origins => AllowOrigin::list(origins.iter().filter_map(|origin| origin.parse().ok())),
    };
    let exposed: [HeaderName; 2] = [RETRY_AFTER, http::header::ALLOW];
    let cors = CorsLayer::new().allow_origin(origin).allow_methods([Method::GET, Method::POST]).expose_headers(exposed);
    Some(cors.allow_headers(AllowHeaders::mirror_request()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typo_finds_its_path() {
        assert_eq!(nearest("/v1/trace"), "/v1/traces");
        assert_eq!(nearest("/v1/traces/"), "/v1/traces");
        assert_eq!(nearest("/v1/heath"), "/v1/health");
        assert_eq!(nearest("/opentelemetry/v1/metrics"), "/v1/metrics");
    }
}
