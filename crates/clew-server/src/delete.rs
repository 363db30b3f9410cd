//! Deletion: one trace, or all that a tenant has.
//!
//! A page of another origin cannot get here: a DELETE is preflighted, CORS allows GET and POST alone, and a door on
//! loopback answers to its own names only.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::delete;
use axum::{Json, Router};
use clew_model::scan::Incomplete;
use clew_model::{Tenant, TraceId};
use clew_store::Store;
use clew_store::keep::KeepError;
use http::{HeaderMap, Uri};
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;
use utoipa::ToSchema;

use crate::app::App;
use crate::ask::error::AskError;
use crate::ask::gate;
use crate::ask::openapi::{ProblemDocument, Refusals};
use crate::ask::params::{Named, Params};

/// What was deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DeleteAnswer {
    /// What was deleted.
    pub deleted: Deleted,
}

/// A trace, or everything of a tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Deleted {
    /// Whose.
    pub tenant: String,
    /// Which trace; absent when it was everything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<String>,
    /// How many spans it had; absent when it was everything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub span_count: Option<u64>,
}

/// The doors that delete.
pub(crate) fn routes() -> Router<Arc<App>> {
    Router::new().route("/v1/traces/{id}", delete(trace)).route("/v1/tenants/{tenant}", delete(tenant))
}

/// Deletes one trace. It is out of every answer that begins afterwards; spans of it that come later are kept.
#[utoipa::path(
    delete,
    path = "/v1/traces/{id}",
    tag = "operate",
    params(
        ("id" = String, Path, description = "32 hexadecimal digits, or 16 of a 64-bit id"),
        ("tenant" = Option<String>, Query, description = "Whose trace; over the header `X-Scope-OrgID`"),
    ),
    responses(
        (status = 200, description = "It is deleted", body = DeleteAnswer),
        (status = 404, description = "There is no such trace here", body = ProblemDocument,
            content_type = "application/problem+json"),
        Refusals,
    )
)]
pub(crate) async fn trace(
    State(app): State<Arc<App>>,
    Named(id): Named,
    headers: HeaderMap,
    uri: Uri,
) -> Result<Json<DeleteAnswer>, AskError> {
    let params = Params::of(&uri)?;
    params.only(&["tenant"], false)?;
    let id = gate::trace_id(&id)?;
    let tenant = gate::tenant(&app, &headers, &params)?;
    let asked = tenant.clone();
    let span_count = gate::run(&app, move |gate::Asked { source, expired }| {
        let answer = source.summaries(&asked, &[id], expired)?;
        match answer.summaries.first() {
            Some(summary) => Ok(summary.span_count as u64),
            None => Err(no_trace(id, &asked, answer.incomplete)),
        }
    });
    let span_count = span_count.await?;
    delete_from(&app.store, &tenant, Some(id)).await?;
    let (tenant, trace_id) = (tenant.to_string(), Some(id.to_string()));
    Ok(Json(DeleteAnswer { deleted: Deleted { tenant, trace_id, span_count: Some(span_count) } }))
}

/// Deletes everything of a tenant. Spans of it that come later are kept.
#[utoipa::path(
    delete,
    path = "/v1/tenants/{tenant}",
    tag = "operate",
    params(
        ("tenant" = String, Path, description = "The tenant; a token or an `X-Scope-OrgID` header must name the same"),
        ("confirm" = String, Query, description = "The tenant's name once more"),
    ),
    responses(
        (status = 200, description = "It is deleted", body = DeleteAnswer),
        (status = 404, description = "There is no such tenant here", body = ProblemDocument,
            content_type = "application/problem+json"),
        Refusals,
    )
)]
pub(crate) async fn tenant(
    State(app): State<Arc<App>>,
    Named(name): Named,
    headers: HeaderMap,
    uri: Uri,
) -> Result<Json<DeleteAnswer>, AskError> {
    let params = Params::of(&uri)?;
    params.only(&["confirm"], false)?;
    let tenant = Tenant::new(&name).map_err(|error| AskError::parameter("tenant", error.to_string()))?;
    if gate::named(&app, &headers)?.is_some_and(|named| named != tenant) {
        let detail = format!("the token or X-Scope-OrgID header speaks for another tenant than `{tenant}`");
        return Err(AskError::parameter("tenant", detail));
    }
    if params.one("confirm")? != Some(tenant.as_str()) {
        let detail = format!("deletes everything of `{tenant}`: to confirm, repeat the name, as in ?confirm={tenant}");
        return Err(AskError::parameter("confirm", detail));
    }
    let asked = tenant.clone();
    gate::run(&app, move |gate::Asked { source, .. }| {
        let held = source.tenants()?.contains(&asked);
        if held { Ok(()) } else { Err(AskError::NotFound(format!("there is no tenant `{asked}` here"))) }
    })
    .await?;
    delete_from(&app.store, &tenant, None).await?;
    let deleted = Deleted { tenant: tenant.to_string(), trace_id: None, span_count: None };
    Ok(Json(DeleteAnswer { deleted }))
}

pub(crate) fn no_trace(id: TraceId, tenant: &Tenant, missing: Option<Incomplete>) -> AskError {
    let lost = missing.map(|missing| format!("; {}", missing.detail)).unwrap_or_default();
    AskError::NotFound(format!("there is no trace {id} of tenant {tenant} here{lost}"))
}

/// What is told when a deletion is durable and in force, or why it is neither.
type Done = Box<dyn FnOnce(Result<(), String>) + Send>;

/// Whoever can delete spans.
trait Deletes {
    /// Deletes a trace, or everything of the tenant; never blocks, and calls `done` exactly once.
    fn delete(&self, tenant: &Tenant, trace_id: Option<TraceId>, done: Done);
}

impl Deletes for Store {
    fn delete(&self, tenant: &Tenant, trace_id: Option<TraceId>, done: Done) {
        let answer = |result: Result<(), KeepError>| done(result.map_err(|error| error.to_string()));
        Store::delete(self, tenant.clone(), trace_id, answer);
    }
}

async fn delete_from(store: &impl Deletes, tenant: &Tenant, trace_id: Option<TraceId>) -> Result<(), AskError> {
    let (sender, receiver) = oneshot::channel();
    // The client may have gone; what was asked for is done all the same.
    Deletes::delete(store, tenant, trace_id, Box::new(move |result| drop(sender.send(result))));
    let result = receiver.await.unwrap_or_else(|_| Err("the server is stopping".to_owned()));
    result.map_err(|why| AskError::Failed(format!("not deleted: {why}")))
}

#[cfg(test)]
#[path = "delete/tests.rs"]
mod tests;
