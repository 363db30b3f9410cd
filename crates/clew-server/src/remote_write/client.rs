//! One connection to the receiver, over plain HTTP/1.1, and when a request is sent again.

use std::time::Duration;

use bytes::Bytes;
use clew_wire::remote_write::{CONTENT_ENCODING, CONTENT_TYPE, VERSION};
use http::header::{self, HeaderMap};
use http::{HeaderValue, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::requests::Request;
use super::{Outcome, RemoteWrite, WriteFigures};

/// The wait after the first request that could not be taken; it doubles from one to the next.
const WAIT_FIRST: Duration = Duration::from_secs(1);
/// The longest wait that is not asked for.
const WAIT_MAX: Duration = Duration::from_secs(30);
/// The longest wait that a receiver can ask for.
const ASKED_MAX: Duration = Duration::from_mins(10);
/// The longest wait for an answer.
const ANSWER_TIME: Duration = Duration::from_secs(30);
/// Bytes of an answer that are read. A longer one costs its connection.
const ANSWER_BYTES: usize = 8 << 10;
/// Characters of an answer that are shown.
const WORDS_MAX: usize = 200;

/// Whoever sends.
pub(super) struct Client {
    url: Uri,
    authorization: Option<HeaderValue>,
    connection: Option<SendRequest<Full<Bytes>>>,
    not_before: Instant,
}

/// A request that was not delivered.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Failed {
    /// What was said, or what happened.
    pub(super) what: String,
    /// Whether there is no time left in this round.
    pub(super) is_over: bool,
}

/// What one attempt came to, if not to a request that was taken.
struct Miss {
    outcome: Outcome,
    what: String,
    asked_wait: Option<Duration>,
}

impl Client {
    /// Not connected yet.
    pub(super) fn new(settings: &RemoteWrite) -> Self {
        Self {
            url: settings.url.clone(),
            authorization: settings.authorization.clone(),
            connection: None,
            not_before: Instant::now(),
        }
    }

    /// The receiver wants to be left alone until then.
    pub(super) fn not_before(&self) -> Instant {
        self.not_before
    }

    /// Closes the connection: rounds are so far apart that the other side may close it meanwhile.
    pub(super) fn hang_up(&mut self) {
        self.connection = None;
    }

    /// Sends a request, again and again if need be, as long as it is not over.
    pub(super) async fn deliver(
        &mut self,
        request: Request,
        over: Instant,
        figures: &WriteFigures,
    ) -> Result<(), Failed> {
        let mut wait = WAIT_FIRST;
        loop {
            let Err(miss) = self.attempt(request.body.clone(), over).await else {
                figures.attempt(Outcome::Taken);
                return Ok(());
            };
            figures.attempt(miss.outcome);
            if miss.outcome == Outcome::Refused {
                return Err(Failed { what: miss.what, is_over: false });
            }
            let now = Instant::now();
            let asked = miss.asked_wait.map(|asked| asked.min(ASKED_MAX));
            if let Some(asked) = asked {
                self.not_before = now + asked;
            }
            let again = now + asked.unwrap_or(wait);
            if again >= over {
                return Err(Failed { what: miss.what, is_over: true });
            }
            tokio::time::sleep_until(again).await;
            wait = (wait * 2).min(WAIT_MAX);
        }
    }

    async fn attempt(&mut self, body: Bytes, over: Instant) -> Result<(), Miss> {
        let unanswered = |what| Miss { outcome: Outcome::Unanswered, what, asked_wait: None };
        // Taken out, so that a connection is of no more use unless its answer was read to the end.
        let connection = self.connection.take();
        let exchange = self.exchange(connection, body);
        let answered = tokio::time::timeout_at(over.min(Instant::now() + ANSWER_TIME), exchange).await;
        let answer = match answered {
            Ok(Ok(answer)) => answer,
            Ok(Err(what)) => return Err(unanswered(what)),
            Err(_) => return Err(unanswered("there was no answer in time".to_owned())),
        };
        self.connection = answer.connection;
        if answer.status.is_success() {
            return Ok(());
        }
        let is_later = answer.status.is_server_error() || answer.status == StatusCode::TOO_MANY_REQUESTS;
        Err(Miss {
            outcome: if is_later { Outcome::Later } else { Outcome::Refused },
            what: format!("the receiver answered {}: {}", answer.status, answer.words)
                .trim_end_matches(": ")
                .to_owned(),
            asked_wait: retry_after(&answer.headers),
        })
    }

    /// One request and its answer, on a connection of before or a new one.
    async fn exchange(&self, kept: Option<SendRequest<Full<Bytes>>>, body: Bytes) -> Result<Answer, String> {
        let kept = kept.filter(|kept| !kept.is_closed());
        let mut connection = match kept {
            Some(kept) => kept,
            None => self.connect().await.map_err(|error| format!("cannot connect to {}: {error}", self.url))?,
        };
        let broke = |error: hyper::Error| format!("the connection broke: {error}");
        connection.ready().await.map_err(broke)?;
        let response = connection.send_request(self.request(body)).await.map_err(broke)?;
        let (parts, body) = response.into_parts();
        let read = Limited::new(body, ANSWER_BYTES).collect().await.ok().map(http_body_util::Collected::to_bytes);
        let connection = read.is_some().then_some(connection);
        let words = words(&read.unwrap_or_default());
        Ok(Answer { status: parts.status, headers: parts.headers, words, connection })
    }

    async fn connect(&self) -> std::io::Result<SendRequest<Full<Bytes>>> {
        let (host, port) = (self.url.host().unwrap_or_default(), self.url.port_u16().unwrap_or(80));
        let stream = TcpStream::connect(format!("{host}:{port}")).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(std::io::Error::other)?;
        // The connection ends with its sender; what it failed with reaches the sender's caller.
        tokio::spawn(connection);
        Ok(sender)
    }

    fn request(&self, body: Bytes) -> http::Request<Full<Bytes>> {
        let mut request = http::Request::new(Full::new(body));
        *request.method_mut() = http::Method::POST;
        let path = self.url.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
        *request.uri_mut() = path.parse().expect("it is the path of an address that was parsed");
        let authority = self.url.authority().map_or("", http::uri::Authority::as_str);
        let host = HeaderValue::from_str(authority).expect("an authority has visible characters only");
        let headers = request.headers_mut();
        headers.insert(header::HOST, host);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE));
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(CONTENT_ENCODING));
        headers.insert(VERSION.0, HeaderValue::from_static(VERSION.1));
        let agent = HeaderValue::from_static(concat!("clew/", env!("CARGO_PKG_VERSION")));
        headers.insert(header::USER_AGENT, agent);
        if let Some(authorization) = &self.authorization {
            headers.insert(header::AUTHORIZATION, authorization.clone());
        }
        request
    }
}

/// What the receiver said.
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    words: String,
    /// If it can be used again.
    connection: Option<SendRequest<Full<Bytes>>>,
}

/// The wait that the receiver asks for, in whole seconds. One that is asked for as a date is not understood.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}

/// The first line of an answer, without what could do harm in a log.
fn words(answer: &[u8]) -> String {
    let text = String::from_utf8_lossy(answer);
    let line = text.lines().next().unwrap_or_default().trim();
    line.chars().filter(|character| !character.is_control()).take(WORDS_MAX).collect()
}
