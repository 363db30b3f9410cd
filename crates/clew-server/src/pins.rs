//! Pins: traces that are kept whatever their verdict, their age and the room that there is.
//!
//! A page of another origin cannot pin: a POST of JSON is preflighted, as a DELETE is.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::routing::{get, post};
use axum::{Json, Router};
use clew_model::{Tenant, TraceId};
use clew_store::catalog::Pin;
use clew_store::keep::KeepError;
use http::{HeaderMap, StatusCode, Uri};
use http_body_util::{BodyExt as _, Limited};
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;
use utoipa::ToSchema;

use crate::app::App;
use crate::ask::gate;
use crate::ask::openapi::{ProblemDocument, Refusals};
use crate::ask::params::{Named, Params};
use crate::ask::when::to_rfc3339;
use crate::delete::no_trace;
use crate::problem::Problem;

/// Enough for a note in any spelling of JSON.
const BODY_BYTES_MAX: usize = 4096;

/// What may be said with a pin; everything may be left out.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct PinRequest {
    /// Why, in a line of at most 200 characters.
    #[schema(max_length = 200)]
    pub note: Option<String>,
}

/// A pinned trace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PinShape {
    /// Whose.
    pub tenant: String,
    /// 32 lower-case hexadecimal characters.
    pub trace_id: String,
    /// When it was pinned.
    pub at: String,
    /// Why; absent when nobody said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// What was pinned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PinAnswer {
    /// What was pinned.
    pub pinned: PinShape,
}

/// Whose pin was taken off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UnpinAnswer {
    /// The pin as it was.
    pub unpinned: PinShape,
}

/// All pins of a tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PinsAnswer {
    /// The newest first.
    pub pins: Vec<PinShape>,
}

/// The doors.
pub(crate) fn routes() -> Router<Arc<App>> {
    Router::new().route("/v1/traces/{id}/pin", post(pin).delete(unpin)).route("/v1/pins", get(pins))
}

/// Pins a trace: it is kept until the pin is taken off or the trace is deleted. One that is pinned has the new note. Needs
/// `Content-Type: application/json`; the body may be empty.
#[utoipa::path(
    post,
    path = "/v1/traces/{id}/pin",
    tag = "operate",
    params(
        ("id" = String, Path, description = "32 hexadecimal digits, or 16 of a 64-bit id"),
        ("tenant" = Option<String>, Query, description = "Whose trace; over the header `X-Scope-OrgID`"),
    ),
    request_body = PinRequest,
    responses(
        (status = 200, description = "It is pinned", body = PinAnswer),
        (status = 404, description = "There is no such trace here", body = ProblemDocument,
            content_type = "application/problem+json"),
        (status = 409, description = "As many traces are pinned as `retention.pins` allows", body = ProblemDocument,
            content_type = "application/problem+json"),
        (status = 415, description = "The content type is not `application/json`", body = ProblemDocument,
            content_type = "application/problem+json"),
        Refusals,
    )
)]
pub(crate) async fn pin(
    State(app): State<Arc<App>>,
    Named(id): Named,
    headers: HeaderMap,
    uri: Uri,
    body: Body,
) -> Result<Json<PinAnswer>, Problem> {
    Problem::unless_json(&headers, "a trace is pinned with Content-Type: application/json")?;
    let (tenant, id) = which(&app, &id, &headers, &uri)?;
    let note = note(body).await?;
    let asked = tenant.clone();
    gate::run(&app, move |gate::Asked { source, expired }| {
        let answer = source.summaries(&asked, &[id], expired)?;
        if answer.summaries.is_empty() { Err(no_trace(id, &asked, answer.incomplete)) } else { Ok(()) }
    })
    .await?;
    let (sender, receiver) = oneshot::channel();
    app.store.pin(tenant.clone(), id, note, move |result| drop(sender.send(result)));
    done(receiver.await)?;
    let pin = app.store.view().pins.get(&tenant, id).map(shape);
    let gone = || Problem::not_found(format!("trace {id} of tenant {tenant} was pinned, and let go by somebody else"));
    Ok(Json(PinAnswer { pinned: pin.ok_or_else(gone)? }))
}

/// Takes a trace's pin off. What keeps other traces decides about it from then on.
#[utoipa::path(
    delete,
    path = "/v1/traces/{id}/pin",
    tag = "operate",
    params(
        ("id" = String, Path, description = "32 hexadecimal digits, or 16 of a 64-bit id"),
        ("tenant" = Option<String>, Query, description = "Whose trace; over the header `X-Scope-OrgID`"),
    ),
    responses(
        (status = 200, description = "It is not pinned any more", body = UnpinAnswer),
        (status = 404, description = "The trace is not pinned", body = ProblemDocument,
            content_type = "application/problem+json"),
        Refusals,
    )
)]
pub(crate) async fn unpin(
    State(app): State<Arc<App>>,
    Named(id): Named,
    headers: HeaderMap,
    uri: Uri,
) -> Result<Json<UnpinAnswer>, Problem> {
    let (tenant, id) = which(&app, &id, &headers, &uri)?;
    let pin = app.store.view().pins.get(&tenant, id).map(shape);
    let none = || Problem::not_found(format!("trace {id} of tenant {tenant} is not pinned"));
    let unpinned = pin.ok_or_else(none)?;
    let (sender, receiver) = oneshot::channel();
    app.store.unpin(tenant, id, move |result| drop(sender.send(result)));
    done(receiver.await)?;
    Ok(Json(UnpinAnswer { unpinned }))
}

/// The pinned traces of a tenant.
#[utoipa::path(
    get,
    path = "/v1/pins",
    tag = "operate",
    params(("tenant" = Option<String>, Query, description = "Whose; over the header `X-Scope-OrgID`")),
    responses((status = 200, description = "All of them, the newest first", body = PinsAnswer), Refusals)
)]
pub(crate) async fn pins(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    uri: Uri,
) -> Result<Json<PinsAnswer>, Problem> {
    let params = Params::of(&uri)?;
    params.only(&["tenant"], false)?;
    let tenant = gate::tenant(&app, &headers, &params)?;
    let view = app.store.view();
    let mut pins: Vec<&Pin> = view.pins.of_tenant(&tenant).collect();
    pins.sort_by_key(|pin| (std::cmp::Reverse(pin.at_unix_nanos), pin.trace_id));
    Ok(Json(PinsAnswer { pins: pins.into_iter().map(shape).collect() }))
}

#[expect(clippy::result_large_err, reason = "once a request, and on its way to becoming the answer")]
fn which(app: &App, id: &str, headers: &HeaderMap, uri: &Uri) -> Result<(Tenant, TraceId), Problem> {
    let params = Params::of(uri)?;
    params.only(&["tenant"], false)?;
    Ok((gate::tenant(app, headers, &params)?, gate::trace_id(id)?))
}

async fn note(body: Body) -> Result<Option<String>, Problem> {
    let wrong = |detail: String| Problem::parameter("body", detail);
    let body = Limited::new(body, BODY_BYTES_MAX).collect().await;
    let body = body.map_err(|error| wrong(format!("the body cannot be read: {error}")))?.to_bytes();
    if body.trim_ascii().is_empty() {
        return Ok(None);
    }
    let request: PinRequest =
        serde_json::from_slice(&body).map_err(|error| wrong(format!("expected {{\"note\":\"why\"}}: {error}")))?;
    let note = request.note.map(|note| note.trim().to_owned()).filter(|note| !note.is_empty());
    if note.as_ref().is_some_and(|note| note.chars().count() > Pin::NOTE_CHARS_MAX) {
        let detail = format!("a note has at most {} characters", Pin::NOTE_CHARS_MAX);
        return Err(Problem::parameter("note", detail));
    }
    if note.as_ref().is_some_and(|note| note.chars().any(char::is_control)) {
        return Err(Problem::parameter("note", "a note is one line without control characters"));
    }
    Ok(note)
}

#[expect(clippy::result_large_err, reason = "once a request, and on its way to becoming the answer")]
fn done(result: Result<Result<(), KeepError>, oneshot::error::RecvError>) -> Result<(), Problem> {
    match result.unwrap_or(Err(KeepError::Stopping)) {
        Ok(()) => Ok(()),
        Err(error @ KeepError::PinsFull(_)) => Err(Problem::new(StatusCode::CONFLICT, error.to_string())),
        Err(error) => {
            let detail = format!("the pin was not changed: {error}");
            Err(Problem::new(StatusCode::INTERNAL_SERVER_ERROR, detail))
        }
    }
}

fn shape(pin: &Pin) -> PinShape {
    PinShape {
        tenant: pin.tenant.to_string(),
        trace_id: pin.trace_id.to_string(),
        at: to_rfc3339(pin.at_unix_nanos),
        note: pin.note.clone(),
    }
}
