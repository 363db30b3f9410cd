//! The way in for every question: whose spans it may see, how many run at once, how long each may take, and off the
//! threads that serve connections.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clew_model::scan::{Expired, Incomplete, SpanSource};
use clew_model::{Span, Tenant, TraceId};
use http::HeaderMap;

use super::error::AskError;
use super::params::Params;
use crate::app::App;
use crate::tenants::{self, TENANT_HEADER, TenantProblem};

/// What a question runs on.
pub(crate) struct Asked<'a> {
    /// Where the spans are.
    pub sources: &'a [Arc<dyn SpanSource>],
    /// Whether the question must stop.
    pub expired: Expired<'a>,
}

/// The tenant that a question is about: a token's, else the parameter's, else the header's, else the default one.
pub(crate) fn tenant(app: &App, headers: &HeaderMap, params: &Params) -> Result<Tenant, AskError> {
    let named = tenants::named(&app.config.tokens, headers).map_err(|problem| match problem {
        TenantProblem::UnknownToken => AskError::Unauthorized(problem.to_string()),
        TenantProblem::BadName => AskError::parameter(TENANT_HEADER, problem.to_string()),
    })?;
    let asked = params.tenant()?;
    let by_token = !app.config.tokens.is_empty() && tenants::bearer(headers).is_some();
    match (asked, named) {
        (Some(asked), Some(named)) if by_token && asked != named => {
            Err(AskError::parameter("tenant", "the token belongs to another tenant; leave the parameter out"))
        }
        (asked, named) => Ok(asked.or(named).unwrap_or_default()),
    }
}

/// Runs a question on a thread of its own, if there is a free place, until it is answered, too late or unwanted.
pub(crate) async fn run<T: Send + 'static>(
    app: &Arc<App>,
    work: impl FnOnce(&Asked<'_>) -> Result<T, AskError> + Send + 'static,
) -> Result<T, AskError> {
    let limit = app.config.query_concurrency;
    let permit = Arc::clone(&app.queries).try_acquire_owned().map_err(|_| AskError::Busy { limit })?;
    let unwanted = Arc::new(AtomicBool::new(false));
    // Dropped with this future when the client goes away or the time is over.
    let _guard = SetOnDrop(Arc::clone(&unwanted));
    let timeout = app.config.query_timeout;
    let (clock, source) = (Arc::clone(&app.clock), app.store.spans());
    let deadline = clock.monotonic_nanos().saturating_add(u64::try_from(timeout.as_nanos()).unwrap_or(u64::MAX));
    let answer = tokio::task::spawn_blocking(move || {
        // The place is free again when the work has stopped, not when its asker stopped waiting.
        let _permit = permit;
        let expired = || unwanted.load(Ordering::Relaxed) || clock.monotonic_nanos() >= deadline;
        work(&Asked { sources: &[source], expired: &expired })
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

/// All spans of a trace, and why some may be missing; not found when there are none.
pub(crate) fn fetch(asked: &Asked<'_>, tenant: &Tenant, id: TraceId) -> Result<Fetched, AskError> {
    let mut fetched = Fetched { spans: Vec::new(), incomplete: None };
    for source in asked.sources {
        let answer = source.rows(tenant, &[id], asked.expired)?;
        fetched.spans.extend(answer.spans);
        fetched.incomplete = fetched.incomplete.or(answer.incomplete);
    }
    if fetched.spans.is_empty() {
        let lost = fetched.incomplete.map(|incomplete| format!("; {}", incomplete.detail)).unwrap_or_default();
        return Err(AskError::NotFound(format!("there is no trace {id} of tenant {tenant} here{lost}")));
    }
    Ok(fetched)
}

/// A trace as it lies in the sources: spans in any order, identical ones from different sources more than once.
pub(crate) struct Fetched {
    /// At least one.
    pub spans: Vec<Span>,
    /// Why some may be missing.
    pub incomplete: Option<Incomplete>,
}

/// The id that a path names.
pub(crate) fn trace_id(text: &str) -> Result<TraceId, AskError> {
    let wrong = |error| {
        AskError::parameter("id", format!("`{text}` is not a trace id of 32 or 16 hexadecimal digits: {error}"))
    };
    TraceId::parse_lenient(text).map_err(wrong)
}

struct SetOnDrop(Arc<AtomicBool>);

impl Drop for SetOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
