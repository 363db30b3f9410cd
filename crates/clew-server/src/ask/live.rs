//! Traces as they are settled, as server-sent events (WHATWG HTML, section 9.2).
//!
//! One task looks whether something was settled, for all streams, reads it once and hands it to all. A stream that begins
//! further back, or that fell behind, reads for itself until it has caught up; only while it reads it takes a place for
//! questions. What a client does not take makes its stream wait, and then read what it missed.

#![allow(unused_qualifications, reason = "utoipa writes the path of a handler's parameter type a second time")]

mod room;

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use clew_model::scan::{Expired, SpanSource as _, TraceState};
use clew_model::{Summary, Tenant, TraceId, Verdict};
use clew_store::settle::Record;
use clew_store::view::View;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName};
use http::{HeaderMap, Uri};
use hyper::body::Frame;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{OwnedSemaphorePermit, broadcast, mpsc};

pub(crate) use self::room::LiveRoom;
use self::room::Page;
use super::error::AskError;
use super::gate;
use super::openapi::Refusals;
use super::params::Params;
use super::question;
use super::shape::{LiveGap, SummaryShape};
use super::show;
use crate::app::App;

/// Every parameter.
pub(crate) const PARAMETERS: [&str; 7] =
    ["service", "operation", "status", "minDurationMs", "maxDurationMs", "from", "tenant"];

/// The header in which a client that comes back says what it saw last.
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// Keeps a proxy such as nginx from holding events back.
const NO_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");
const EVENT_STREAM: &str = "text/event-stream";

/// A stream says at least so often that it is there.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// After so long a client that lost its stream should come back, in milliseconds.
const RETRY_MILLIS: u64 = 1000;
/// How long a stream waits for a place to read.
const BUSY_WAIT: Duration = Duration::from_millis(250);
/// Records that a stream reads at once for itself.
const READ_AT_ONCE: usize = 256;
/// Pieces that wait for a client.
const PIECES_WAITING: usize = 4;
/// Bytes after which a piece is handed over.
const PIECE_BYTES: usize = 64 * 1024;

/// Traces as they are settled, as server-sent events.
///
/// `event: trace` has the trace as a search lists it, with its verdict; a trace of which spans come later is told again.
/// `event: gap` says how many traces were settled that cannot be told any more. The `id` is a number that only grows: a
/// client that comes back with `Last-Event-ID` gets what it missed, as far as the trace is still kept. A comment comes at
/// least every 15 seconds. All conditions are on the whole trace.
#[utoipa::path(
    get,
    path = "/v1/live",
    tag = "ask",
    params(
        ("service" = Option<Vec<String>>, Query, description = "The trace touches this service; repeated, all of them"),
        ("operation" = Option<String>, Query, description = "The operation of the trace's root, exactly"),
        ("status" = Option<String>, Query, description = "`error`: a span of it failed; `ok`: none did"),
        ("minDurationMs" = Option<f64>, Query, description = "It lasts at least this many milliseconds"),
        ("maxDurationMs" = Option<f64>, Query, description = "It lasts at most this many milliseconds"),
        ("from" = Option<u64>, Query, description = "The number of the first trace, 0 for all that is known; by default what is settled from now on"),
        ("Last-Event-ID" = Option<u64>, Header, description = "The number of the last trace that was seen; over `from`"),
        ("tenant" = Option<String>, Query, description = "Whose traces; over the header `X-Scope-OrgID`"),
    ),
    responses(
        (status = 200, description = "Events: `trace` with a `SummaryShape`, `gap` with a `LiveGap`",
            content_type = "text/event-stream", body = String),
        Refusals,
    )
)]
pub(crate) async fn live(State(app): State<Arc<App>>, headers: HeaderMap, uri: Uri) -> Result<Response, AskError> {
    let params = Params::of(&uri)?;
    params.only(&PARAMETERS, false)?;
    let tenant = gate::tenant(&app, &headers, &params)?;
    let wanted = Arc::new(Wanted::parse(&params, tenant)?);
    let from = from(&params, &headers)?;
    let (place, pages) = app.live.enter(&app)?;
    // After the pages: whatever is settled from here on is in one of them.
    let next = from.unwrap_or_else(|| app.store.view().settled.next_sequence());
    let (sender, pieces) = mpsc::channel(PIECES_WAITING);
    let outlet = Outlet { sender, patience: app.config.header_timeout, piece: Vec::new() };
    let stream = Stream { app, wanted, next, pages, outlet, _place: place };
    tokio::spawn(stream.run());
    let headers = [(CONTENT_TYPE, EVENT_STREAM), (CACHE_CONTROL, "no-store"), (NO_BUFFERING, "no")];
    Ok((headers, Body::new(LiveBody(pieces))).into_response())
}

/// Which traces a client wants.
#[derive(Debug, Clone, PartialEq)]
struct Wanted {
    tenant: Tenant,
    services: Vec<String>,
    operation: Option<String>,
    is_failed: Option<bool>,
    duration_nanos: (u64, u64),
}

impl Wanted {
    fn parse(params: &Params, tenant: Tenant) -> Result<Self, AskError> {
        Ok(Self {
            tenant,
            services: params.all("service").map(str::to_owned).collect(),
            operation: params.one("operation")?.map(str::to_owned),
            is_failed: params.word("status", &[("error", true), ("ok", false)])?,
            duration_nanos: question::bounds(params, "minDurationMs", "maxDurationMs")?.unwrap_or((0, u64::MAX)),
        })
    }

    fn takes(&self, tenant: &Tenant, summary: &Summary) -> bool {
        let (min, max) = self.duration_nanos;
        let operation = summary.root.as_ref().map(|root| root.operation.as_str());
        *tenant == self.tenant
            && self.services.iter().all(|service| summary.services.contains(service))
            && self.operation.as_deref().is_none_or(|wanted| operation == Some(wanted))
            && self.is_failed.is_none_or(|is_failed| is_failed == (summary.error_count > 0))
            && (min..=max).contains(&summary.duration_nanos)
    }
}

/// The number of the first record that is asked for.
fn from(params: &Params, headers: &HeaderMap) -> Result<Option<u64>, AskError> {
    let from = params.number("from", 0, u64::MAX)?;
    let Some(seen) = headers.get(LAST_EVENT_ID) else { return Ok(from) };
    let wrong = || AskError::parameter("Last-Event-ID", "expected the `id` of an event of this stream, a whole number");
    let seen: u64 = seen.to_str().ok().and_then(|text| text.parse().ok()).ok_or_else(wrong)?;
    Ok(Some(seen.saturating_add(1)))
}

/// What a stream read for itself.
struct Missed {
    records: Vec<(u64, Record, Verdict)>,
    next: u64,
    lost_count: u64,
}

/// The records from a number on that are wanted, as far as their traces are still here.
fn read(view: &View, wanted: &Wanted, from: u64, expired: Expired<'_>) -> Result<Missed, AskError> {
    let takes = |tenant: &Tenant, record: &Record, _: &Verdict| wanted.takes(tenant, &record.summary);
    let found = view.feed(from, READ_AT_ONCE, &takes)?;
    let ids: Vec<TraceId> = found.records.iter().map(|(_, _, record, _)| record.summary.trace_id).collect();
    let held = view.extents(&wanted.tenant, &ids, expired)?.extents;
    let is_held = |record: &Record| held.iter().any(|(id, _)| *id == record.summary.trace_id);
    let records = found.records.into_iter().filter(|(_, _, record, _)| is_held(record));
    Ok(Missed {
        records: records.map(|(number, _, record, verdict)| (number, record, verdict)).collect(),
        next: found.next,
        lost_count: found.lost_count,
    })
}

/// A client's stream.
struct Stream {
    app: Arc<App>,
    wanted: Arc<Wanted>,
    /// The number of the next record to look at.
    next: u64,
    pages: broadcast::Receiver<Arc<Page>>,
    outlet: Outlet,
    _place: OwnedSemaphorePermit,
}

/// The stream is over: its client has gone, or the server stops.
struct Over;

impl Stream {
    async fn run(mut self) {
        let gone = self.outlet.sender.clone();
        tokio::select! {
            _ = self.told() => {}
            () = gone.closed() => {}
        }
    }

    async fn told(&mut self) -> Result<(), Over> {
        self.outlet.piece = format!("retry: {RETRY_MILLIS}\n").into_bytes();
        self.beat().await?;
        loop {
            self.catch_up().await?;
            self.follow().await?;
        }
    }

    /// Says that the stream is there, and how far it has come.
    async fn beat(&mut self) -> Result<(), Over> {
        self.outlet.piece.extend_from_slice(b":\n");
        if let Some(seen) = self.next.checked_sub(1) {
            self.outlet.piece.extend_from_slice(format!("id: {seen}\n").as_bytes());
        }
        self.outlet.piece.push(b'\n');
        self.outlet.flush_beyond(0).await
    }

    /// Reads what was settled before the pages that come now.
    async fn catch_up(&mut self) -> Result<(), Over> {
        loop {
            let target = self.app.store.view().settled.next_sequence();
            if self.next >= target {
                // A number that there is not yet is another data folder's.
                self.next = target;
                return Ok(());
            }
            let (wanted, from) = (Arc::clone(&self.wanted), self.next);
            let missed = gate::run_on_view(&self.app, move |view, expired| read(view, &wanted, from, expired)).await;
            match missed {
                Ok(Missed { records, next, lost_count }) => {
                    // What stands still would be asked for again and again.
                    self.next = if next > from { next } else { target };
                    self.gap(lost_count).await?;
                    for (number, record, verdict) in &records {
                        self.tell(*number, record, verdict).await?;
                    }
                    self.outlet.flush_beyond(0).await?;
                }
                Err(AskError::Busy { .. }) => tokio::time::sleep(BUSY_WAIT).await,
                Err(error) => {
                    tracing::warn!(%error, "a stream of settled traces could not read, and was ended");
                    return Err(Over);
                }
            }
        }
    }

    /// Passes pages on until one is missing.
    async fn follow(&mut self) -> Result<(), Over> {
        loop {
            match tokio::time::timeout(HEARTBEAT, self.pages.recv()).await {
                Err(_) => self.beat().await?,
                Ok(Ok(page)) if page.next <= self.next => {}
                Ok(Ok(page)) if page.from > self.next => return Ok(()),
                Ok(Ok(page)) => {
                    for (number, tenant, record, verdict) in &page.records {
                        if *number >= self.next && self.wanted.takes(tenant, &record.summary) {
                            self.tell(*number, record, verdict).await?;
                        }
                    }
                    self.next = page.next;
                    self.outlet.flush_beyond(0).await?;
                }
                Ok(Err(RecvError::Lagged(_))) => return Ok(()),
                Ok(Err(RecvError::Closed)) => return Err(Over),
            }
        }
    }

    /// Says what is lost. It lies anywhere among what comes next, so that it has no number.
    async fn gap(&mut self, lost: u64) -> Result<(), Over> {
        if lost > 0 {
            self.outlet.event("gap", None, &LiveGap { lost });
        }
        self.outlet.flush_beyond(PIECE_BYTES).await
    }

    async fn tell(&mut self, number: u64, record: &Record, verdict: &Verdict) -> Result<(), Over> {
        self.outlet.event("trace", Some(number), &shape(record, verdict));
        self.outlet.flush_beyond(PIECE_BYTES).await
    }
}

/// The trace as a list shows it.
fn shape(record: &Record, verdict: &Verdict) -> SummaryShape {
    let state =
        TraceState { is_settled: true, verdict: Some(verdict.clone()), late_span_count: record.late_span_count };
    show::summary(&record.summary, &state, None)
}

/// The way to the client.
struct Outlet {
    sender: mpsc::Sender<Bytes>,
    patience: Duration,
    piece: Vec<u8>,
}

impl Outlet {
    /// Adds an event to the piece.
    fn event(&mut self, name: &str, number: Option<u64>, data: &impl serde::Serialize) {
        let id = number.map(|number| format!("id: {number}\n")).unwrap_or_default();
        self.piece.extend_from_slice(format!("event: {name}\n{id}data: ").as_bytes());
        // JSON of one line; shapes of numbers, texts and lists can always be written.
        let written = serde_json::to_vec(data).unwrap_or_default();
        self.piece.extend_from_slice(&written);
        self.piece.extend_from_slice(b"\n\n");
    }

    /// Hands over what has gathered, if that is more than so many bytes, as soon as the client takes it.
    async fn flush_beyond(&mut self, bytes: usize) -> Result<(), Over> {
        if self.piece.len() <= bytes {
            return Ok(());
        }
        let piece = Bytes::from(std::mem::take(&mut self.piece));
        match tokio::time::timeout(self.patience, self.sender.send(piece)).await {
            Ok(Ok(())) => Ok(()),
            _ => Err(Over),
        }
    }
}

/// The body of a stream.
struct LiveBody(mpsc::Receiver<Bytes>);

impl HttpBody for LiveBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(context).map(|piece| piece.map(|piece| Ok(Frame::data(piece))))
    }
}

#[cfg(test)]
mod tests;
