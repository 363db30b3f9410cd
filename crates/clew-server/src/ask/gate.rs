//! The way in for every question: whose spans it may see, how many run at once, how long each may take, and off the
//! threads that serve connections.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clew_model::scan::{Expired, RowsAnswer, SpanSource};
use clew_model::{Tenant, TraceId};
use clew_store::view::View;
use http::HeaderMap;
use tokio::sync::OwnedSemaphorePermit;

use super::error::AskError;
use super::params::Params;
use crate::app::App;
use crate::tenants::{self, TENANT_HEADER, TenantProblem};

/// What a question runs on.
pub(crate) struct Asked<'a> {
    /// Where the spans are.
    pub source: &'a dyn SpanSource,
    /// Whether the question must stop.
    pub expired: Expired<'a>,
}

/// The tenant that a question is about: a token's, else the parameter's, else the header's, else the default one.
pub(crate) fn tenant(app: &App, headers: &HeaderMap, params: &Params) -> Result<Tenant, AskError> {
    let named = named(app, headers)?;
    let asked = params.tenant()?;
    let by_token = !app.config.tokens.is_empty() && tenants::bearer(headers).is_some();
    match (asked, named) {
        (Some(asked), Some(named)) if by_token && asked != named => {
            Err(AskError::parameter("tenant", "the token belongs to another tenant; leave the parameter out"))
        }
        (asked, named) => Ok(asked.or(named).unwrap_or_default()),
    }
}

/// The tenant that token or header name.
pub(crate) fn named(app: &App, headers: &HeaderMap) -> Result<Option<Tenant>, AskError> {
    tenants::named(&app.config.tokens, headers).map_err(|problem| match problem {
        TenantProblem::UnknownToken => AskError::Unauthorized(problem.to_string()),
        TenantProblem::BadName => AskError::parameter(TENANT_HEADER, problem.to_string()),
    })
}

/// One of the places for questions, until it is dropped.
pub(crate) fn place(app: &App) -> Result<OwnedSemaphorePermit, AskError> {
    let limit = app.config.query_concurrency;
    Arc::clone(&app.queries).try_acquire_owned().map_err(|_| AskError::Busy { limit })
}

/// Runs a question on a thread of its own, if there is a free place, until it is answered, too late or unwanted.
pub(crate) async fn run<T: Send + 'static>(
    app: &Arc<App>,
    work: impl FnOnce(&Asked<'_>) -> Result<T, AskError> + Send + 'static,
) -> Result<T, AskError> {
    run_on_view(app, |view, expired| work(&Asked { source: view, expired })).await
}

/// The same for a question about more than spans.
pub(crate) async fn run_on_view<T: Send + 'static>(
    app: &Arc<App>,
    work: impl FnOnce(&View, Expired<'_>) -> Result<T, AskError> + Send + 'static,
) -> Result<T, AskError> {
    let permit = place(app)?;
    let unwanted = Arc::new(AtomicBool::new(false));
    // Dropped with this future when the client goes away or the time is over.
    let _guard = SetOnDrop(Arc::clone(&unwanted));
    let timeout = app.config.query_timeout;
    let (clock, view) = (Arc::clone(&app.clock), app.store.view());
    let deadline = clock.monotonic_nanos().saturating_add(u64::try_from(timeout.as_nanos()).unwrap_or(u64::MAX));
    let answer = tokio::task::spawn_blocking(move || {
        // The place is free again when the work has stopped, not when its asker stopped waiting.
        let _permit = permit;
        let expired = || unwanted.load(Ordering::Relaxed) || clock.monotonic_nanos() >= deadline;
        work(&view, &expired)
    });
    match tokio::time::timeout(timeout, answer).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(error)) => {
            tracing::error!(%error, "a question died");
            Err(AskError::Failed("the question could not be answered; the server's log says why".to_owned()))
        }
        Err(_) => Err(AskError::Expired),
    }
}

/// All spans of a trace, at least one, and why some may be missing; not found when there are none.
pub(crate) fn fetch(asked: &Asked<'_>, tenant: &Tenant, id: TraceId) -> Result<RowsAnswer, AskError> {
    let answer = asked.source.rows(tenant, &[id], asked.expired)?;
    if answer.spans.is_empty() {
        let lost = answer.incomplete.map(|incomplete| format!("; {}", incomplete.detail)).unwrap_or_default();
        return Err(AskError::NotFound(format!("there is no trace {id} of tenant {tenant} here{lost}")));
    }
    Ok(answer)
}

/// The id that a path names.
pub(crate) fn trace_id(text: &str) -> Result<TraceId, AskError> {
    let wrong = |error| {
        AskError::parameter("id", format!("`{text}` is not a trace id of 32 or 16 hexadecimal digits: {error}"))
    };
    TraceId::parse_lenient(text).map_err(wrong)
}

/// Says that nobody waits any more.
pub(crate) struct SetOnDrop(pub Arc<AtomicBool>);

impl Drop for SetOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
