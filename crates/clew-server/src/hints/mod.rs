//! Hints: usual mistakes of senders and readers, noticed as requests pass, and said in a sentence with the way to mend them.
//!
//! A span that does not show up is mostly one that was sent to the wrong place, in a wrong form, or with a wrong date. The
//! doors see that; here it is counted, kept with one example, shown by `GET /v1/figures`, and written to the log at most
//! once a minute each.
//!
//! Memory is bounded: one example for each hint, each of its texts cut. An example holds what a request says of itself
//! before any of its data: method, path without its query, and user agent; nothing of a span but a date.

mod odd_times;
mod paths;
mod words;

use std::sync::{Mutex, PoisonError};

use clew_store::port::Clock;
use http::header::USER_AGENT;
use http::{HeaderMap, HeaderValue, Request};

pub(crate) use odd_times::first_odd_time;
pub(crate) use paths::{Astray, astray};

/// The longest text of an example, in characters.
const TEXT_CHARS_MAX: usize = 120;

/// An example stays at least this long, so that a flood of mistakes costs no more than counting.
const EXAMPLE_NANOS: u64 = 1_000_000_000;

/// A hint is written to the log at most this often.
const LOG_NANOS: u64 = 60_000_000_000;

/// A usual mistake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Hint {
    /// A POST to `/`: the exporter was given a whole URL without a path.
    PostToRoot,
    /// A base address that holds the path already, so that the path is there twice.
    DoubledPath,
    /// A protocol that is not OTLP, by its usual path.
    ForeignProtocol,
    /// Any other path where nothing answers.
    WrongPath,
    /// What answers there knows other methods.
    WrongMethod,
    /// gRPC for a service or method that is not here.
    GrpcWrongPath,
    /// gRPC over HTTP/1.1, which cannot carry it.
    GrpcOverHttp1,
    /// A name that a door on loopback does not answer to.
    ForeignHost,
    /// A web page of an origin that is not configured.
    CorsRefused,
    /// TLS at a port that speaks plain text.
    Tls,
    /// A compression that is not known.
    UnsupportedEncoding,
    /// A content type that is not known.
    UnsupportedMedia,
    /// Protobuf that is called JSON, or the other way round.
    WrongSyntax,
    /// A body that cannot be read.
    Undecodable,
    /// A body larger than the bound.
    TooLarge,
    /// A token or a tenant's name that is none.
    WrongTenant,
    /// Spans without a start time.
    MissingStart,
    /// Spans whose ids are not ids.
    BadIds,
    /// Spans dated long ago or far ahead.
    OddTimes,
    /// Spans that name no service.
    MissingServiceName,
    /// Metrics.
    MetricsSent,
    /// Logs.
    LogsSent,
    /// Profiles.
    ProfilesSent,
}

/// One request that made a mistake, as far as it is safe to show.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Example {
    /// Its method and path.
    pub(crate) request: String,
    /// Its user agent; empty when it names none.
    pub(crate) agent: String,
    /// What is wrong with it: the nearest path, the compression, the date.
    pub(crate) detail: String,
}

/// What was noticed of one mistake.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Seen {
    count: u64,
    last_unix_nanos: u64,
    example: Example,
    /// By the monotonic clock; `None` before the first.
    example_nanos: Option<u64>,
    logged_nanos: Option<u64>,
}

/// A hint, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Noticed {
    pub(crate) hint: Hint,
    pub(crate) count: u64,
    pub(crate) last_unix_nanos: u64,
    pub(crate) sentence: String,
    pub(crate) fix: String,
    pub(crate) example: Example,
}

/// All hints of one server.
#[derive(Debug)]
pub(crate) struct Hints {
    seen: [Mutex<Seen>; Hint::ALL.len()],
}

impl Hints {
    /// Nothing noticed yet.
    pub(crate) fn new() -> Self {
        Self { seen: Hint::ALL.map(|_| Mutex::default()) }
    }

    /// Counts a mistake that was made `count` times. The example is asked for at most once a second.
    pub(crate) fn notice(&self, clock: &dyn Clock, hint: Hint, count: u64, example: impl FnOnce() -> Example) {
        if count == 0 {
            return;
        }
        let now_nanos = clock.monotonic_nanos();
        let is_over = |then: Option<u64>, wait| then.is_none_or(|then| now_nanos.saturating_sub(then) >= wait);
        let mut seen = self.seen[hint as usize].lock().unwrap_or_else(PoisonError::into_inner);
        seen.count = seen.count.saturating_add(count);
        seen.last_unix_nanos = clock.unix_nanos();
        if is_over(seen.example_nanos, EXAMPLE_NANOS) {
            seen.example = example();
            seen.example_nanos = Some(now_nanos);
        }
        if is_over(seen.logged_nanos, LOG_NANOS) {
            seen.logged_nanos = Some(now_nanos);
            let noticed = noticed(hint, &seen);
            drop(seen);
            let Noticed { sentence, fix, example: Example { request, agent, .. }, .. } = noticed;
            tracing::warn!(hint = hint.name(), request, agent, "{sentence}; {fix}");
        }
    }

    /// What was noticed since the start, the latest first.
    pub(crate) fn read(&self) -> Vec<Noticed> {
        let mut all: Vec<Noticed> = Vec::new();
        for (hint, seen) in Hint::ALL.into_iter().zip(&self.seen) {
            let seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
            if seen.count > 0 {
                all.push(noticed(hint, &seen));
            }
        }
        all.sort_by_key(|noticed| std::cmp::Reverse(noticed.last_unix_nanos));
        all
    }
}

fn noticed(hint: Hint, seen: &Seen) -> Noticed {
    let Seen { count, last_unix_nanos, example, .. } = seen.clone();
    let (sentence, fix) = words::said(hint, count, &example);
    Noticed { hint, count, last_unix_nanos, sentence, fix, example }
}

impl Example {
    /// Of a request, and what is wrong with it.
    pub(crate) fn of<B>(request: &Request<B>, detail: impl AsRef<[u8]>) -> Self {
        let said = format!("{} {}", request.method(), request.uri().path());
        Self::new(said, request.headers().get(USER_AGENT), detail)
    }

    /// Of an export request by its place and sender.
    pub(crate) fn new(request: impl AsRef<[u8]>, agent: Option<&HeaderValue>, detail: impl AsRef<[u8]>) -> Self {
        let agent = agent.map_or(&b""[..], HeaderValue::as_bytes);
        Self { request: bounded(request.as_ref()), agent: bounded(agent), detail: bounded(detail.as_ref()) }
    }
}

/// The user agent of a request, to be kept while the request is taken apart.
pub(crate) fn agent(headers: &HeaderMap) -> Option<HeaderValue> {
    headers.get(USER_AGENT).cloned()
}

/// What a stranger said, short and printable.
fn bounded(bytes: &[u8]) -> String {
    // A character of escaped text takes at most ten of these.
    let start = &bytes[..bytes.len().min(TEXT_CHARS_MAX * 4)];
    let text = String::from_utf8_lossy(start);
    let shown: String = text.chars().take(TEXT_CHARS_MAX).flat_map(char::escape_debug).collect();
    let shown = shown.replace("\\'", "'").replace("\\\"", "\"");
    match shown.char_indices().nth(TEXT_CHARS_MAX) {
        Some((end, _)) => format!("{}...", &shown[..end]),
        None => shown,
    }
}

#[cfg(test)]
mod tests;
