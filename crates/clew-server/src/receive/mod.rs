//! Receive and admit: OTLP in, over HTTP and gRPC.
//!
//! Owns the way of an export request from its first byte to its answer: bytes in flight, reading, decompression,
//! admission, tenants and quotas, the offer to the store, and the words of every answer.
//!
//! Invariants: a span of a request that was answered with success is durable and visible, or counted in that answer's
//! partial success; a refused request left nothing behind; both are counted by tenant and reason.
//!
//! Read in this order: `signal`, `http`, `grpc`, `body`, `in_flight`, `inflate`, `spans`, `refusal`, `answer`,
//! `other_signals`, `own`, `proto`. It does not know how spans are read (clew-wire) or kept (clew-store).

mod answer;
mod body;
mod grpc;
mod http;
mod in_flight;
mod inflate;
mod other_signals;
mod own;
mod proto;
mod refusal;
mod signal;
mod spans;

use std::sync::Arc;

use ::http::HeaderValue;
use axum::Router;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use bytes::Bytes;
use clew_model::{RefuseReason, Tenant};
use clew_store::Encoding;

use self::answer::PartialSuccess;
use self::refusal::Refusal;
use self::signal::{Signal, Syntax};
use crate::app::App;
use crate::figures::TenantFigures;
use crate::hints::{Example, Hint};
use crate::problem::Problem;
use crate::tenants::TenantProblem;

pub(crate) use grpc::{call as grpc_call, is_grpc};
pub use in_flight::{Full, Hold, InFlight};
pub(crate) use own::store_own;

/// The gRPC method that takes spans.
pub(crate) const TRACE_METHOD: &str = Signal::Traces.method();

/// Bodies that may become larger than this are inflated and read on a thread of their own.
const HEAVY_BYTES: usize = 256 * 1024;

/// The doors for OTLP over HTTP.
pub(crate) fn routes() -> Router<Arc<App>> {
    Signal::ALL.into_iter().fold(Router::new(), |router, signal| {
        let export = move |State(app): State<Arc<App>>, request: Request| async move {
            // On a task of its own, so that a request that was received is counted even if its sender leaves.
            let answer = tokio::spawn(http::export(app, signal, request)).await;
            answer.unwrap_or_else(|_| failed())
        };
        router.route(signal.path(), post(export))
    })
}

fn failed() -> Response {
    Problem::new(::http::StatusCode::INTERNAL_SERVER_ERROR, "the request could not be processed").into_response()
}

/// A request that was read, whatever protocol brought it.
struct Envelope {
    signal: Signal,
    syntax: Syntax,
    /// By token or header.
    tenant: Option<Tenant>,
    encoding: Encoding,
    /// As received.
    body: Bytes,
    hold: Hold,
    /// What it asked for: a path, or a gRPC method.
    place: &'static str,
    /// The sender's user agent.
    agent: Option<HeaderValue>,
    /// When its last byte had come, by the monotonic clock.
    complete_nanos: u64,
}

async fn take(app: &Arc<App>, mut envelope: Envelope) -> Result<PartialSuccess, Refusal> {
    let request_bytes = app.config.request_bytes;
    let expected = inflate::expected_bytes(envelope.encoding, &envelope.body, request_bytes);
    if envelope.encoding != Encoding::Identity {
        envelope.hold.grow_to(envelope.body.len() + expected).await?;
    }
    if envelope.signal == Signal::Traces {
        return spans::store(app, envelope, expected > HEAVY_BYTES).await;
    }
    let (signal, place, agent) = (envelope.signal, envelope.place, envelope.agent.clone());
    let mut turn_away = move || {
        let body = inflate::inflate(envelope.encoding, &envelope.body, request_bytes, &mut envelope.hold)?;
        other_signals::turn_away(signal, envelope.syntax, &body)
    };
    let partial = if expected > HEAVY_BYTES {
        let turned_away = tokio::task::spawn_blocking(turn_away).await;
        turned_away.map_err(|_| Refusal::new(RefuseReason::Malformed).because("it cannot be processed"))??
    } else {
        turn_away()?
    };
    app.figures.turn_away(signal as usize - 1, partial.rejected);
    let hint = match signal {
        Signal::Metrics => Hint::MetricsSent,
        Signal::Logs => Hint::LogsSent,
        Signal::Traces | Signal::Profiles => Hint::ProfilesSent,
    };
    app.notice(hint, partial.rejected, || Example::new(place, agent.as_ref(), ""));
    Ok(partial)
}

/// Counts the mistake that a request was refused for, if it is a usual one.
fn notice_refusal(app: &App, refusal: &Refusal, place: &str, agent: Option<&HeaderValue>) {
    if let Some(hint) = refusal.hint {
        app.notice(hint, 1, || Example::new(place, agent, &refusal.detail));
    }
}

fn figures_of(app: &App, tenant: &Result<Option<Tenant>, TenantProblem>) -> Arc<TenantFigures> {
    match tenant {
        Ok(Some(tenant)) => app.figures.tenant(tenant),
        Ok(None) => app.figures.tenant(&Tenant::default()),
        Err(_) => app.figures.unknown_tenant(),
    }
}
