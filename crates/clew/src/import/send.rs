//! Sends batches; what is refused for now is sent again, at the time that the server names.

use std::time::Duration;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use prost::Message as _;
use ureq::http::header::RETRY_AFTER;
use ureq::http::{HeaderMap, StatusCode};
use ureq::{Agent, Body};

use crate::client::{self, Server};
use crate::exit::{self, Failure};
use crate::otlp_answer::{rejected, words};

/// The wait after the first refusal that names none; it doubles from one to the next.
const WAIT_FIRST: Duration = Duration::from_millis(250);
/// The longest wait, whatever the server names.
const WAIT_MAX: Duration = Duration::from_secs(30);
/// How long all waits for one batch may be together.
const PATIENCE: Duration = Duration::from_mins(2);
/// The longest wait for an answer.
const ANSWER_TIME: Duration = Duration::from_mins(1);

/// What became of a batch.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// Stored, but for the rejected; the words are of these, or of mended ones.
    Stored { rejected: u64, why: String },
    /// Longer than the server takes.
    TooLarge(String),
}

/// The sender of an import: one batch at a time.
pub(super) struct Sender {
    server: Server,
    agent: Agent,
    /// Whether this server has answered: one that never did is not waited for.
    has_answered: bool,
}

impl Sender {
    pub(super) fn new(server: Server) -> Self {
        Self { server, agent: client::agent(Some(ANSWER_TIME)), has_answered: false }
    }

    /// Sends a batch until it is stored, or refused for good, or the patience is over.
    pub(super) fn send(&mut self, body: &[u8]) -> Result<Answer, Failure> {
        let (mut waited, mut next) = (Duration::ZERO, WAIT_FIRST);
        loop {
            let (failure, named) = match self.server.post_otlp(&self.agent, body) {
                Ok(response) => {
                    let (head, mut body) = response.into_parts();
                    self.has_answered = true;
                    match judge(head.status, &answer(&mut body)) {
                        Judged::Answer(answer) => return Ok(answer),
                        Judged::Failed(failure) => return Err(failure),
                        Judged::Later(why) => (Failure::Unreachable(why), retry_after(&head.headers)),
                    }
                }
                Err(failure) if self.has_answered => (failure, None),
                Err(failure) => return Err(failure),
            };
            if waited >= PATIENCE {
                return Err(failure);
            }
            let wait = named.unwrap_or(next).min(WAIT_MAX);
            if waited.is_zero() {
                exit::explain(format_args!("{failure}; trying again for {} s", PATIENCE.as_secs()));
            }
            pause(wait);
            waited += wait.max(Duration::from_millis(1));
            next = (next * 2).min(WAIT_MAX);
        }
    }
}

/// What an answer means for its batch.
enum Judged {
    Answer(Answer),
    Later(String),
    Failed(Failure),
}

fn judge(status: StatusCode, answer: &[u8]) -> Judged {
    match status {
        StatusCode::OK => match ExportTraceServiceResponse::decode(answer) {
            Ok(response) => {
                let why = response.partial_success.as_ref().map(|partial| crate::render::clean(&partial.error_message));
                Judged::Answer(Answer::Stored { rejected: rejected(&response), why: why.unwrap_or_default() })
            }
            Err(_) => Judged::Failed(Failure::Failed(anyhow::anyhow!("the server does not answer as OTLP asks for"))),
        },
        StatusCode::PAYLOAD_TOO_LARGE => Judged::Answer(Answer::TooLarge(words(answer))),
        StatusCode::TOO_MANY_REQUESTS
        | StatusCode::BAD_GATEWAY
        | StatusCode::SERVICE_UNAVAILABLE
        | StatusCode::GATEWAY_TIMEOUT => Judged::Later(format!("the server refused for now: {}", words(answer))),
        status => Judged::Failed(Failure::Failed(anyhow::anyhow!("the server answered {status}: {}", words(answer)))),
    }
}

/// An answer that cannot be read says nothing.
fn answer(body: &mut Body) -> Vec<u8> {
    body.with_config().limit(1 << 20).read_to_vec().unwrap_or_default()
}

/// The wait that the server names, in whole seconds.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}

#[expect(clippy::disallowed_methods, reason = "the edge of the process: the wait that a server asked for")]
fn pause(wait: Duration) {
    std::thread::sleep(wait);
}
