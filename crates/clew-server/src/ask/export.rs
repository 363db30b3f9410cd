//! Whole traces as a stream of OTLP, oldest first, in bounded memory.
//!
//! The range is asked for window by window, so that the matches of a scan are few; the spans of a few traces are read at
//! once; and a piece waits until the client has taken the one before. An export that lacks something, for whatever
//! reason, does not end as a whole transfer does: the stream breaks, which every HTTP client tells from an end.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use clew_model::identity::sorted;
use clew_model::scan::{Incomplete, RowsAnswer, ScanAnswer, TimeRange, TraceMatch};
use clew_model::{Span, TraceId};
use clew_wire::otlp_json::JsonShape;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue, VARY};
use http::{HeaderMap, Uri};
use hyper::body::Frame;
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use super::accept;
use super::error::AskError;
use super::gate::{self, Asked, SetOnDrop};
use super::openapi::{ProblemDocument, Refusals};
use super::params::Params;
use super::question::{Question, with_filters};
use super::search;
use super::table::grouped;
use super::trace::{PROTOBUF, json};
use crate::app::App;

/// Every parameter but `attr.KEY`: the filters of a search, and the form.
pub(crate) const PARAMETERS: [&str; 13] = with_filters(["format"]);

/// Media type of JSON objects, one a line.
const NDJSON: &str = "application/x-ndjson";
/// Header that says why an export will lack something, when that is known at its beginning.
const INCOMPLETE: HeaderName = HeaderName::from_static("clew-incomplete");
/// Pieces that wait for the client, besides the one that is being made.
const PIECES_WAITING: usize = 2;
/// Bytes after which a piece is handed over.
const PIECE_BYTES: usize = 256 * 1024;
/// A longer message is cut in two between spans: receivers refuse what is too long, 4 MiB over gRPC as a rule.
const MESSAGE_BYTES_MAX: usize = 4 << 20;
/// Spans of a message at most; a longer trace takes several messages, one after the other.
const MESSAGE_SPANS_MAX: usize = 2048;
/// Spans that are read at once, as far as whole traces allow.
const SPANS_AT_ONCE: usize = 4096;
/// Traces that are read at once at most.
const TRACES_AT_ONCE_MAX: usize = 256;

/// Whole traces as OTLP, oldest first.
///
/// The filters are those of `/v1/traces/search`. Each line of JSON, and each message of protobuf, is a `TracesData` (which
/// is an `ExportTraceServiceRequest` too) with the spans of one trace; a long trace takes several in a row. A protobuf
/// message comes after its length in four bytes, big-endian. Identical spans come once. There is no time limit, but a
/// client that takes nothing for `limits.idle_timeout` is left. An export that is not complete breaks off: the transfer
/// ends as a broken connection does, after all that there is; `Clew-Incomplete` says why if it is known at the beginning.
#[utoipa::path(
    get,
    path = "/v1/export",
    tag = "ask",
    params(
        ("service" = Option<Vec<String>>, Query, description = "As in a search"),
        ("operation" = Option<String>, Query, description = "As in a search"),
        ("status" = Option<String>, Query, description = "As in a search"),
        ("kind" = Option<String>, Query, description = "As in a search"),
        ("minDurationMs" = Option<f64>, Query, description = "As in a search"),
        ("maxDurationMs" = Option<f64>, Query, description = "As in a search"),
        ("minSpanDurationMs" = Option<f64>, Query, description = "As in a search"),
        ("maxSpanDurationMs" = Option<f64>, Query, description = "As in a search"),
        ("attr.KEY" = Option<String>, Query, description = "As in a search"),
        ("from" = Option<String>, Query, description = "The trace starts at this instant or later; as in a search"),
        ("to" = Option<String>, Query, description = "The trace starts before this instant"),
        ("since" = Option<String>, Query, description = "In place of `from`: how far to look back, such as `1d`"),
        ("format" = Option<String>, Query, description = "`json` (default) or `protobuf`; over `Accept`"),
        ("tenant" = Option<String>, Query, description = "Whose traces; over the header `X-Scope-OrgID`"),
    ),
    responses(
        (status = 200, description = "The traces", content(
            (String = "application/x-ndjson"),
            (Vec<u8> = "application/x-protobuf"),
        )),
        (status = 406, description = "No accepted media type is served", body = ProblemDocument,
            content_type = "application/problem+json"),
        Refusals,
    )
)]
pub(crate) async fn export(State(app): State<Arc<App>>, headers: HeaderMap, uri: Uri) -> Result<Response, AskError> {
    let params = Params::of(&uri)?;
    params.only(&PARAMETERS, true)?;
    let form = Form::wished(&params, &headers)?;
    let tenant = gate::tenant(&app, &headers, &params)?;
    let now_unix_nanos = app.clock.unix_nanos();
    let question = Question::read(&params, tenant, now_unix_nanos)?;
    let permit = gate::place(&app)?;
    let unwanted = Arc::new(AtomicBool::new(false));
    let guard = SetOnDrop(Arc::clone(&unwanted));
    let (sender, mut pieces) = mpsc::channel(PIECES_WAITING);
    let (source, patience) = (app.store.spans(), app.config.header_timeout);
    tokio::task::spawn_blocking(move || {
        // The place is free again when the work has stopped, not when its client has gone.
        let _permit = permit;
        let expired = || unwanted.load(Ordering::Relaxed);
        let mut outlet = Outlet { sender, patience, piece: Vec::new() };
        let asked = Asked { source: &*source, expired: &expired };
        let done = run(&asked, &question, now_unix_nanos, form, &mut outlet).and_then(|missing| outlet.finish(missing));
        if let Err(error) = done {
            outlet.cut(error);
        }
    });
    let missing = match pieces.recv().await {
        Some(Ok(Piece::Begin(missing))) => missing,
        Some(Err(error)) => return Err(error),
        Some(Ok(Piece::Data(_))) | None => {
            return Err(AskError::Failed("the export died; the server's log says why".to_owned()));
        }
    };
    let body = Body::new(ExportBody { pieces, is_over: false, _guard: guard });
    let mut response = ([(CONTENT_TYPE, form.media_type()), (VARY, "accept")], body).into_response();
    if let Some(missing) = missing.and_then(|missing| HeaderValue::from_str(&missing.detail).ok()) {
        response.headers_mut().insert(INCOMPLETE, missing);
    }
    Ok(response)
}

/// How traces are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Lines,
    Protobuf,
}

impl Form {
    fn wished(params: &Params, headers: &HeaderMap) -> Result<Self, AskError> {
        if let Some(form) = params.word("format", &[("json", Self::Lines), ("protobuf", Self::Protobuf)])? {
            return Ok(form);
        }
        let served = [
            (NDJSON, Self::Lines),
            ("application/jsonl", Self::Lines),
            ("application/json", Self::Lines),
            (PROTOBUF, Self::Protobuf),
            ("application/protobuf", Self::Protobuf),
            ("text/html", Self::Lines),
        ];
        accept::choose(headers, &served).ok_or_else(|| {
            let detail = format!("nothing that the Accept header names is served; served are {NDJSON}, {PROTOBUF}");
            AskError::NotAcceptable(detail)
        })
    }

    fn media_type(self) -> &'static str {
        match self {
            Self::Lines => NDJSON,
            Self::Protobuf => PROTOBUF,
        }
    }

    /// Adds these spans of one trace to `out`, in as many messages as they need.
    fn write(self, spans: &[Span], out: &mut Vec<u8>) -> Result<(), AskError> {
        let mut waiting: Vec<&[Span]> = spans.chunks(MESSAGE_SPANS_MAX).rev().collect();
        while let Some(part) = waiting.pop() {
            let message = match self {
                Self::Lines => json(&clew_wire::otlp_json::encode(part, JsonShape::Otlp))?,
                Self::Protobuf => clew_wire::otlp::encode(part),
            };
            if message.len() > MESSAGE_BYTES_MAX && part.len() > 1 {
                let (first, second) = part.split_at(part.len() / 2);
                waiting.extend([second, first]);
                continue;
            }
            match self {
                Self::Lines => {
                    out.extend_from_slice(&message);
                    out.push(b'\n');
                }
                Self::Protobuf => {
                    let length = u32::try_from(message.len());
                    let length =
                        length.map_err(|_| AskError::Failed("a span is longer than its length field".to_owned()))?;
                    out.extend_from_slice(&length.to_be_bytes());
                    out.extend_from_slice(&message);
                }
            }
        }
        Ok(())
    }
}

/// Sends all traces that the question asks for; says what may be missing.
fn run(
    asked: &Asked<'_>,
    question: &Question,
    now_unix_nanos: u64,
    form: Form,
    outlet: &mut Outlet,
) -> Result<Option<Incomplete>, AskError> {
    let mut missing = None;
    let mut traces_at_once = 1;
    for (number, range) in windows(question.range, now_unix_nanos).enumerate() {
        let window = Question { range, ..question.clone() };
        let ScanAnswer { mut matches, incomplete: lost, .. } = search::scan(asked.source, &window, asked.expired)?;
        missing = missing.or(lost);
        if number == 0 {
            // Not before: what fails at once is refused, with a status of its own.
            outlet.send(Piece::Begin(missing.clone()))?;
        }
        matches.retain(|found| search::is_answer(&window, found));
        matches.sort_unstable_by_key(|found| (found.extent.start_unix_nanos, found.trace_id));
        let mut rest = &matches[..];
        while !rest.is_empty() {
            let (some, after) = rest.split_at(traces_at_once.min(rest.len()));
            let (span_count, lost) = write_traces(asked, question, some, form, outlet)?;
            missing = missing.or(lost);
            traces_at_once = (some.len() * SPANS_AT_ONCE / span_count.max(1)).clamp(1, TRACES_AT_ONCE_MAX);
            rest = after;
        }
    }
    Ok(missing)
}

/// Sends these traces; says how many spans they have, and what may be missing.
fn write_traces(
    asked: &Asked<'_>,
    question: &Question,
    found: &[TraceMatch],
    form: Form,
    outlet: &mut Outlet,
) -> Result<(usize, Option<Incomplete>), AskError> {
    let ids: Vec<TraceId> = found.iter().map(|found| found.trace_id).collect();
    let RowsAnswer { spans, incomplete: missing } = asked.source.rows(&question.tenant, &ids, asked.expired)?;
    let mut span_count = 0;
    for spans in spans.chunk_by(|one, next| one.trace_id == next.trace_id) {
        let spans = grouped(sorted(spans.to_vec()));
        span_count += spans.len();
        form.write(&spans, &mut outlet.piece)?;
        outlet.flush_beyond(PIECE_BYTES)?;
    }
    Ok((span_count, missing))
}

/// The range in windows, oldest first. A window is a sixteenth as long as it is old: of traces that came evenly over
/// any length of time, each holds few, and ten years take 180 of them.
fn windows(range: TimeRange, now_unix_nanos: u64) -> impl Iterator<Item = TimeRange> {
    const HOUR: u64 = 3_600_000_000_000;
    const TEN_YEARS: u64 = 10 * 365 * 24 * HOUR;
    let mut ages = vec![HOUR];
    while let Some(age) = ages.last().filter(|age| **age < TEN_YEARS) {
        ages.push(age + age / 16);
    }
    let bounds = ages.into_iter().rev().map(move |age| now_unix_nanos.saturating_sub(age));
    let mut bounds: Vec<u64> =
        bounds.filter(|bound| range.from_unix_nanos < *bound && *bound < range.to_unix_nanos).collect();
    bounds.dedup();
    bounds.insert(0, range.from_unix_nanos);
    bounds.push(range.to_unix_nanos);
    let count = bounds.len() - 1;
    (0..count).map(move |at| TimeRange { from_unix_nanos: bounds[at], to_unix_nanos: bounds[at + 1] })
}

/// What goes from the thread of an export to its response.
enum Piece {
    /// The first: the question can be answered, with what may be missing as far as that is known.
    Begin(Option<Incomplete>),
    Data(Bytes),
}

/// The way to the client. Each call waits for it, and fails when it has gone or takes nothing any more.
struct Outlet {
    sender: mpsc::Sender<Result<Piece, AskError>>,
    patience: Duration,
    piece: Vec<u8>,
}

impl Outlet {
    fn send(&self, piece: Piece) -> Result<(), AskError> {
        // This thread may wait: it is none of those that serve connections.
        let sent = Handle::current()
            .block_on(async { tokio::time::timeout(self.patience, self.sender.send(Ok(piece))).await });
        match sent {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(AskError::Expired),
            Err(_) => Err(AskError::Failed("the client took nothing for limits.idle_timeout".to_owned())),
        }
    }

    /// Sends what has gathered, if that is more than so many bytes.
    fn flush_beyond(&mut self, bytes: usize) -> Result<(), AskError> {
        if self.piece.len() <= bytes {
            return Ok(());
        }
        let piece = std::mem::take(&mut self.piece);
        self.send(Piece::Data(piece.into()))
    }

    /// Sends the rest; an export that lacks something is an error after all the same.
    fn finish(&mut self, missing: Option<Incomplete>) -> Result<(), AskError> {
        self.flush_beyond(0)?;
        missing.map_or(Ok(()), |missing| Err(AskError::Failed(missing.detail)))
    }

    /// Breaks the stream, unless its client has left it.
    fn cut(&self, error: AskError) {
        if self.sender.is_closed() {
            return;
        }
        tracing::warn!(%error, "an export is not complete and was cut");
        let _ = Handle::current()
            .block_on(async { tokio::time::timeout(self.patience, self.sender.send(Err(error))).await });
    }
}

/// The body of an export.
struct ExportBody {
    pieces: mpsc::Receiver<Result<Piece, AskError>>,
    is_over: bool,
    /// Stops the scan when the client goes.
    _guard: SetOnDrop,
}

/// The stream ended before its end.
#[derive(Debug)]
struct Cut(AskError);

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the export is not complete: {}", self.0)
    }
}

impl std::error::Error for Cut {}

impl HttpBody for ExportBody {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        if self.is_over {
            return Poll::Ready(None);
        }
        self.pieces.poll_recv(context).map(|piece| match piece {
            Some(Ok(Piece::Data(data))) => Some(Ok(Frame::data(data))),
            Some(Ok(Piece::Begin(_))) => Some(Ok(Frame::data(Bytes::new()))),
            Some(Err(error)) => {
                self.is_over = true;
                Some(Err(Cut(error)))
            }
            None => None,
        })
    }
}

#[cfg(test)]
#[path = "export/tests.rs"]
mod tests;
