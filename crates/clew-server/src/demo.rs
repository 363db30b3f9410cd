//! `POST /v1/demo`: the server sends itself the traces of a story, for whoever has nothing to send yet.
//!
//! Which traces is not known here: the binary hands them in as a [`Demo`]. They enter as any sender's spans do: bounded,
//! admitted, logged, synced, counted. One demo runs at a time. A page of another origin cannot start one: the content type
//! that is asked for makes its browser ask first (CORS), and a door on loopback answers to its own names only.

use std::sync::{Arc, OnceLock};

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use axum::{Json, Router};
use bytes::Bytes;
use clew_model::{Tenant, TraceId};
use http::{HeaderMap, StatusCode, Uri};
use http_body_util::{BodyExt as _, Limited};
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use utoipa::ToSchema;

use crate::app::App;
use crate::ask::gate;
use crate::ask::openapi::{ProblemDocument, Refusals};
use crate::ask::params::Params;
use crate::problem::Problem;
use crate::receive;

/// The most traces of one request.
const TRACES_MAX: u64 = 1000;

/// The longest time that they are spread over: a day.
const SECONDS_MAX: u64 = 24 * 3600;

/// The largest body.
const BODY_BYTES_MAX: usize = 4096;

/// How long before now the last trace starts, so that it is over when it is sent.
const AGO_NANOS: u64 = 5_000_000_000;

const NANOS_PER_SECOND: u64 = 1_000_000_000;

/// A story in traces.
pub trait Demo: Send + Sync {
    /// The story of that seed from its beginning: a function that gives one visit after another, each starting at the unix
    /// time in nanoseconds that it is given.
    fn visits(&self, seed: u64) -> Box<dyn FnMut(u64) -> Visit + Send>;
}

/// One trace of a story.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Visit {
    /// Its id.
    pub trace_id: TraceId,
    /// What is wrong in it, in a few words; `None` when nothing was planted.
    pub about: Option<&'static str>,
    /// What its services export, one request for each service.
    pub exports: Vec<VisitExport>,
}

/// The spans of one service in a visit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VisitExport {
    /// An `ExportTraceServiceRequest` in protobuf.
    pub body: Bytes,
    /// How many spans it holds.
    pub span_count: u64,
}

/// What is asked for; everything may be left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct DemoRequest {
    /// Chance's seed; 1 unless it is given.
    pub seed: u64,
    /// How many traces, 1 to 1000; 120 unless it is given.
    #[schema(minimum = 1, maximum = 1000)]
    pub count: u64,
    /// The traces start evenly spread over so many seconds up to now, at most a day; 600 unless it is given.
    #[schema(maximum = 86400)]
    pub over_seconds: u64,
}

impl Default for DemoRequest {
    fn default() -> Self {
        Self { seed: 1, count: 120, over_seconds: 600 }
    }
}

/// What was stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DemoAnswer {
    /// Traces.
    pub traces: u64,
    /// Their spans.
    pub spans: u64,
    /// The id of the first.
    pub first_trace_id: String,
    /// The first trace of each fault that was planted.
    pub examples: Vec<DemoExample>,
}

/// A trace in which something was planted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DemoExample {
    /// Its id.
    pub trace_id: String,
    /// What, in a few words.
    pub about: String,
}

/// Where a demo is kept, and the one place to run it.
pub(crate) struct DemoRoom {
    demo: OnceLock<Arc<dyn Demo>>,
    place: Arc<Semaphore>,
}

impl DemoRoom {
    /// Without a demo.
    pub(crate) fn new() -> Self {
        Self { demo: OnceLock::new(), place: Arc::new(Semaphore::new(1)) }
    }

    /// Takes the demo; the first one stays.
    pub(crate) fn open(&self, demo: Arc<dyn Demo>) {
        self.demo.get_or_init(|| demo);
    }
}

/// The door.
pub(crate) fn routes() -> Router<Arc<App>> {
    Router::new().route("/v1/demo", post(demo))
}

/// Sends the traces of a simulated astronomy shop, as its services would, to this very server. The answer comes when they
/// are stored and can be found. Needs `Content-Type: application/json`; the body may be empty.
#[utoipa::path(
    post,
    path = "/v1/demo",
    tag = "operate",
    params(("tenant" = Option<String>, Query, description = "Whose traces; over the header `X-Scope-OrgID`")),
    request_body = DemoRequest,
    responses(
        (status = 200, description = "They are stored", body = DemoAnswer),
        (status = 404, description = "This server has no demo", body = ProblemDocument,
            content_type = "application/problem+json"),
        (status = 409, description = "A demo is running", body = ProblemDocument,
            content_type = "application/problem+json"),
        (status = 415, description = "The content type is not `application/json`", body = ProblemDocument,
            content_type = "application/problem+json"),
        Refusals,
    )
)]
pub(crate) async fn demo(State(app): State<Arc<App>>, headers: HeaderMap, uri: Uri, body: Body) -> Response {
    match asked(&app, &headers, &uri, body).await {
        Ok(answer) => Json(answer).into_response(),
        Err(problem) => problem.into_response(),
    }
}

async fn asked(app: &Arc<App>, headers: &HeaderMap, uri: &Uri, body: Body) -> Result<DemoAnswer, Problem> {
    Problem::unless_json(headers, "a demo is asked for with Content-Type: application/json")?;
    let params = Params::of(uri)?;
    params.only(&["tenant"], false)?;
    let tenant = gate::tenant(app, headers, &params)?;
    let request = read(body).await?;
    let demo = app.demo.demo.get().cloned().ok_or_else(|| Problem::not_found("this server has no demo"))?;
    let place = Arc::clone(&app.demo.place).try_acquire_owned();
    let place = place.map_err(|_| Problem::new(StatusCode::CONFLICT, "a demo is running; wait until it is over"))?;
    let app = Arc::clone(app);
    // On a task of its own: a demo that was begun is told to its end even if whoever asked for it leaves.
    let told = tokio::spawn(async move {
        let _place = place;
        tell(&app, &tenant, request, demo.visits(request.seed)).await
    });
    match told.await {
        Ok(told) => told,
        Err(_) => Err(Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the demo broke off; the server's log says why")),
    }
}

async fn read(body: Body) -> Result<DemoRequest, Problem> {
    let wrong = |detail: String| Problem::parameter("body", detail);
    let body = Limited::new(body, BODY_BYTES_MAX).collect().await;
    let body = body.map_err(|error| wrong(format!("the body cannot be read: {error}")))?.to_bytes();
    if body.trim_ascii().is_empty() {
        return Ok(DemoRequest::default());
    }
    let request: DemoRequest = serde_json::from_slice(&body)
        .map_err(|error| wrong(format!("expected {{\"seed\":1,\"count\":120}}: {error}")))?;
    if !(1..=TRACES_MAX).contains(&request.count) {
        return Err(Problem::parameter("count", format!("count must be 1 to {TRACES_MAX}, not {}", request.count)));
    }
    if request.over_seconds > SECONDS_MAX {
        let detail = format!("overSeconds must be 0 to {SECONDS_MAX}, not {}", request.over_seconds);
        return Err(Problem::parameter("overSeconds", detail));
    }
    Ok(request)
}

/// Sends visit after visit, the services of each at once.
async fn tell(
    app: &Arc<App>,
    tenant: &Tenant,
    request: DemoRequest,
    mut next: Box<dyn FnMut(u64) -> Visit + Send>,
) -> Result<DemoAnswer, Problem> {
    let last = app.clock.unix_nanos().saturating_sub(AGO_NANOS);
    let apart = request.over_seconds * NANOS_PER_SECOND / request.count;
    let (mut spans, mut first, mut examples) = (0, None, Vec::<DemoExample>::new());
    for number in 0..request.count {
        let visit = next(last.saturating_sub(apart * (request.count - 1 - number)));
        first.get_or_insert(visit.trace_id);
        if let Some(about) = visit.about.filter(|about| examples.iter().all(|told| told.about != *about)) {
            examples.push(DemoExample { trace_id: visit.trace_id.to_string(), about: about.to_owned() });
        }
        let mut sending = JoinSet::new();
        for export in visit.exports {
            let (app, tenant) = (Arc::clone(app), tenant.clone());
            sending.spawn(async move {
                let rejected = receive::store_own(&app, tenant, export.body).await;
                rejected.map(|rejected| export.span_count.saturating_sub(rejected))
            });
        }
        while let Some(stored) = sending.join_next().await {
            let stored = match stored {
                Ok(stored) => stored,
                Err(_) => Err(Problem::unavailable("the request could not be processed", 1)),
            };
            spans += stored.map_err(|problem| Problem {
                detail: format!("{}; {number} of {} traces were stored before", problem.detail, request.count),
                ..problem
            })?;
        }
    }
    let first_trace_id = first.map(|id| id.to_string()).unwrap_or_default();
    Ok(DemoAnswer { traces: request.count, spans, first_trace_id, examples })
}
