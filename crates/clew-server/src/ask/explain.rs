//! A file of traces, explained and not kept: what is dropped on the web page.

use std::io::Write as _;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use clew_model::identity::sorted;
use clew_model::scan::TraceState;
use clew_model::{Span, TraceId};
use http::header::CONTENT_TYPE;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};

use super::error::AskError;
use super::file::{self, FileSpans};
use super::gate::{self, Asked};
use super::openapi::{ProblemDocument, Refusals};
use super::opened::Opened;
use super::params::Params;
use super::shape::{ExplainAnswer, Skeleton, TraceAnswer};
use super::show;
use super::trace::JSON;
use crate::app::App;
use crate::receive::Hold;

/// Traces that are explained at most; more are counted.
const TRACES_MAX: usize = 1_000;

/// The traces of a file, explained. Nothing is kept.
///
/// Told apart by content: OTLP as JSON (also one object a line, as `clew export` writes it) or protobuf (also framed),
/// Zipkin's JSON of version 2, and Jaeger's JSON, each also compressed by gzip or zstd.
#[utoipa::path(
    post,
    path = "/v1/explain",
    tag = "ask",
    params(("clock" = Option<String>, Query, description = "`sent` (default), or `corrected`")),
    request_body(content(
        (serde_json::Value = "application/json"),
        (Vec<u8> = "application/octet-stream"),
    ), description = "The file, at most `query.explain_bytes`"),
    responses(
        (status = 200, description = "Its traces, the earliest first", body = ExplainAnswer),
        (status = 413, description = "It is larger than `query.explain_bytes`, also when decompressed",
            body = ProblemDocument, content_type = "application/problem+json"),
        Refusals,
    )
)]
pub(crate) async fn explain(State(app): State<Arc<App>>, request: Request) -> Result<Response, AskError> {
    let (head, body) = request.into_parts();
    let params = Params::of(&head.uri)?;
    params.only(&["clock", "tenant"], false)?;
    gate::tenant(&app, &head.headers, &params)?;
    let is_corrected = params.word("clock", &[("sent", false), ("corrected", true)])?.unwrap_or(false);
    let mut hold = app.explaining.hold();
    let body = read(&app, body, &mut hold).await?;
    let (limits, now, bytes_max) = (app.config.limits, app.clock.unix_nanos(), app.config.explain_bytes);
    let answer = gate::run(&app, move |asked| {
        // Held until its spans are let go of.
        let _hold = hold;
        let file = file::read(&body, &limits, now, bytes_max)?;
        drop(body);
        answer(file, is_corrected, asked)
    });
    Ok(([(CONTENT_TYPE, JSON)], answer.await?).into_response())
}

/// The whole body, when there is room for it.
async fn read(app: &App, body: Body, hold: &mut Hold) -> Result<Bytes, AskError> {
    use axum::body::HttpBody as _;
    let bytes_max = app.config.explain_bytes;
    let too_large = || AskError::TooLarge(format!("the limit is {bytes_max} bytes (query.explain_bytes)"));
    let announced = body.size_hint().exact().unwrap_or(bytes_max as u64);
    let announced = usize::try_from(announced).ok().filter(|length| *length <= bytes_max).ok_or_else(too_large)?;
    let busy = |_| AskError::Full("other files are being explained; retry after a second".to_owned());
    hold.grow_to(announced).await.map_err(busy)?;
    let whole = tokio::time::timeout(app.config.body_timeout, Limited::new(body, bytes_max).collect()).await;
    let broken = |what: String| AskError::parameter("body", format!("the body broke off: {what}"));
    match whole {
        Err(_) => Err(broken("it did not come within limits.read_timeout".to_owned())),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
        Ok(Err(error)) => Err(broken(error.to_string())),
        Ok(Ok(whole)) => Ok(whole.to_bytes()),
    }
}

/// The answer, written trace by trace so that each is let go of when it is written.
fn answer(file: FileSpans, is_corrected: bool, asked: &Asked<'_>) -> Result<Vec<u8>, AskError> {
    let FileSpans { spans, mut problems } = file;
    let mut traces = by_trace(spans);
    if traces.len() > TRACES_MAX {
        let count = traces.len();
        problems.push(format!("the file holds {count} traces; the first {TRACES_MAX} are shown, import it to see all"));
        traces.truncate(TRACES_MAX);
    }
    let mut text = Vec::new();
    let failed = |error: std::io::Error| AskError::Failed(format!("the answer cannot be written: {error}"));
    // What is not kept is never settled.
    let state = TraceState::default();
    text.extend_from_slice(br#"{"traces":["#);
    for (number, (_, spans)) in traces.into_iter().enumerate() {
        if (asked.expired)() {
            return Err(AskError::Expired);
        }
        if number > 0 {
            text.push(b',');
        }
        let opened = Opened::of(spans, None, is_corrected);
        write_trace(&mut text, &show::skeleton(&opened, &state), &show::trace(&opened, &state, None))
            .map_err(failed)?;
    }
    text.extend_from_slice(br#"],"problems":"#);
    serde_json::to_writer(&mut text, &problems).map_err(|error| failed(error.into()))?;
    text.push(b'}');
    Ok(text)
}

/// Both forms of a trace, as [`super::shape::ExplainedTrace`] has them.
pub(super) fn write_trace(text: &mut Vec<u8>, skeleton: &Skeleton, full: &TraceAnswer) -> std::io::Result<()> {
    text.write_all(br#"{"skeleton":"#)?;
    serde_json::to_writer(&mut *text, skeleton)?;
    text.write_all(br#","full":"#)?;
    serde_json::to_writer(&mut *text, full)?;
    text.write_all(b"}")
}

/// The spans by trace, the trace that begins first at the beginning.
fn by_trace(spans: Vec<Span>) -> Vec<(TraceId, Vec<Span>)> {
    let mut traces: Vec<(TraceId, Vec<Span>)> = Vec::new();
    let mut places = std::collections::HashMap::new();
    for span in sorted(spans) {
        let place = *places.entry(span.trace_id).or_insert(traces.len());
        if place == traces.len() {
            traces.push((span.trace_id, Vec::new()));
        }
        traces[place].1.push(span);
    }
    traces
}

#[cfg(test)]
#[path = "explain/tests.rs"]
mod tests;
