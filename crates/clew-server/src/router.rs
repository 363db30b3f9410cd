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
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderName, Method, StatusCode, Uri};
use serde::{Deserialize, Serialize};
use tower::ServiceExt as _;
use tower_http::cors::{AllowHeaders, AllowOrigin, CorsLayer};

use crate::app::App;
use crate::figures::{self, Misdirected};
use crate::problem::Problem;
use crate::{ask, delete, hosts, receive};

/// Paths that a lost sender or reader may have meant.
const KNOWN_PATHS: [&str; 16] = [
    "/v1/traces",
    "/v1/metrics",
    "/v1/logs",
    "/v1development/profiles",
    "/v1/traces/search",
    "/v1/export",
    "/v1/services",
    "/v1/health",
    "/v1/ready",
    "/v1/openapi.json",
    "/metrics",
    "/v1/services/{service}/operations",
    "/v1/traces/{id}",
    "/v1/tenants/{tenant}",
    "/tempo/api/traces/{id}",
    "/jaeger/api/traces/{id}",
];

const INDEX: &str = "\
clew keeps traces and says where the time went.

Send     POST /v1/traces                  OTLP over HTTP (protobuf or JSON) and gRPC, on every port
Search   GET  /v1/traces/search?service=  also operation=, status=error, minDurationMs=, attr.KEY=VALUE, limit=
Explain  GET  /v1/traces/{id}             one trace and its critical path
Export   GET  /v1/export?since=1d         whole traces as OTLP, oldest first; the filters of a search
Delete   DELETE /v1/traces/{id}           and /v1/tenants/{tenant}?confirm={tenant}
Names    GET  /v1/services                /v1/services/{service}/operations
State    GET  /v1/health  /v1/ready  /metrics
API      GET  /v1/openapi.json

On the command line: clew search, clew trace ID, clew export, clew import, clew demo, clew --help.
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
            return if receive::is_grpc(request.headers()) {
                tonic::Status::permission_denied(problem.detail).into_http::<Body>()
            } else {
                problem.into_response()
            };
        }
        if receive::is_grpc(request.headers()) {
            return receive::grpc_call(self.app, request).await;
        }
        self.router.oneshot(request).await.unwrap_or_else(|never| match never {})
    }
}

/// All that is answered over plain HTTP, for whoever has no need of a door: no gRPC, no check of the Host header, no CORS.
pub fn router(app: Arc<App>) -> Router {
    Router::new()
        .route("/", get(async || INDEX))
        .route("/metrics", get(metrics))
        .route("/v1/health", get(health))
        .route("/v1/ready", get(ready))
        .merge(receive::routes())
        .merge(ask::routes())
        .merge(delete::routes())
        .fallback(unknown_path)
        .method_not_allowed_fallback(wrong_method)
        .with_state(app)
}

/// The answer of `GET /v1/health`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// `ok` or `degraded`.
    pub status: String,
    /// Why it is degraded.
    pub reasons: Vec<Reason>,
}

/// One reason why the server is not well.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// A short, stable name.
    pub name: String,
    /// What happened and what to do.
    pub detail: String,
}

impl Health {
    fn of(reasons: Vec<HealthReason>) -> Self {
        let status = if reasons.is_empty() { "ok" } else { "degraded" }.to_owned();
        let reason = |reason: HealthReason| Reason { name: reason.name.to_owned(), detail: reason.detail };
        Self { status, reasons: reasons.into_iter().map(reason).collect() }
    }
}

async fn health(State(app): State<Arc<App>>) -> Json<Health> {
    Json(Health::of(app.store.health()))
}

async fn ready(State(app): State<Arc<App>>) -> Result<Json<Health>, Problem> {
    if app.stopping.load(Ordering::Relaxed) {
        return Err(Problem::unavailable("the server is stopping", 2));
    }
    let reasons = app.store.health();
    if let Some(failed) = reasons.iter().find(|reason| reason.name == HealthReason::LOG_FAILED) {
        return Err(Problem::unavailable(failed.detail.clone(), 10));
    }
    Ok(Json(Health::of(reasons)))
}

async fn metrics(State(app): State<Arc<App>>) -> impl IntoResponse {
    ([(CONTENT_TYPE, figures::CONTENT_TYPE)], figures::render(&app))
}

async fn unknown_path(State(app): State<Arc<App>>, request: Request) -> Problem {
    app.figures.misdirect(Misdirected::Path);
    let path = request.uri().path();
    let nearest = if path == "/" && request.method() == Method::POST { "/v1/traces" } else { nearest(path) };
    Problem::not_found(format!("nothing answers at {path}; did you mean {nearest}?"))
}

async fn wrong_method(State(app): State<Arc<App>>, method: Method, uri: Uri) -> Response {
    app.figures.misdirect(Misdirected::Method);
    if uri.path() == "/" && method == Method::POST {
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
