//! OTLP over HTTP: <https://opentelemetry.io/docs/specs/otlp/#otlphttp>.

use std::sync::Arc;

use axum::extract::Request;
use axum::response::Response;
use clew_model::{RefuseReason, Tenant};
use http::header::CONTENT_TYPE;

use super::answer::PartialSuccess;
use super::body::{self, Bounds};
use super::refusal::Refusal;
use super::signal::{self, Signal, Syntax};
use super::{Envelope, figures_of, notice_refusal, take};
use crate::app::App;
use crate::hints;
use crate::tenants::{TenantProblem, named};

/// Takes one export request.
pub(super) async fn export(app: Arc<App>, signal: Signal, request: Request) -> Response {
    let tenant = named(&app.config.tokens, request.headers());
    let figures = figures_of(&app, &tenant);
    let syntax = Syntax::of(request.headers());
    let agent = hints::agent(request.headers());
    if signal == Signal::Traces {
        app.figures.request(app.clock.unix_nanos());
    }
    match receive(&app, signal, syntax, tenant, request).await {
        Ok(partial) => partial.over_http(signal, syntax.unwrap_or(Syntax::Json)),
        Err(refusal) => {
            figures.refuse(refusal.reason, refusal.span_count);
            notice_refusal(&app, &refusal, signal.path(), agent.as_ref());
            refusal.over_http(syntax.unwrap_or(Syntax::Json))
        }
    }
}

async fn receive(
    app: &Arc<App>,
    signal: Signal,
    syntax: Option<Syntax>,
    tenant: Result<Option<Tenant>, TenantProblem>,
    request: Request,
) -> Result<PartialSuccess, Refusal> {
    let (head, mut body) = request.into_parts();
    let mut hold = app.in_flight.hold();
    let bounds = Bounds { bytes_max: app.config.request_bytes, time_max: app.config.body_timeout };
    let read = async {
        let syntax = syntax.ok_or_else(|| {
            let value = head.headers.get(CONTENT_TYPE).map_or(&b"none"[..], |value| value.as_bytes());
            let refusal = Refusal::new(RefuseReason::UnsupportedMedia);
            refusal.because(format!("content-type {}", signal::shown(value)))
        })?;
        let encoding = signal::content_encoding(&head.headers)?;
        Ok((tenant?, syntax, encoding, body::read(&mut body, bounds, &mut hold).await?))
    };
    let read: Result<_, Refusal> = read.await;
    if let Err(refusal) = &read
        && body::worth_draining(head.version, &head.headers, refusal.reason)
    {
        body::drain(&mut body, app.config.request_bytes).await;
    }
    let (tenant, syntax, encoding, body) = read?;
    let (place, agent) = (signal.path(), hints::agent(&head.headers));
    let complete_nanos = app.clock.monotonic_nanos();
    take(app, Envelope { signal, syntax, tenant, encoding, body, hold, place, agent, complete_nanos }).await
}
