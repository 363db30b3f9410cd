//! Refusals: one reason, and how each protocol says it.
//!
//! OTLP over HTTP answers with a `google.rpc.Status` message in the syntax of the request, and `Retry-After` where a
//! retry makes sense; over gRPC with a status and, likewise, `RetryInfo` in its details
//! (<https://opentelemetry.io/docs/specs/otlp/#failures>).

use std::time::Duration;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use clew_model::RefuseReason;
use clew_wire::otlp::WireError;
use http::header::{ACCEPT_ENCODING, CONNECTION, CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderName, StatusCode};
use tonic::Code;

use super::in_flight::Full;
use super::proto::Writer;
use super::signal::Syntax;
use crate::hints::Hint;
use crate::problem::Problem;
use crate::tenants::TenantProblem;

/// A request that is refused as a whole.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Refusal {
    /// Why, for counters.
    pub(crate) reason: RefuseReason,
    /// What the sender is told.
    pub(crate) message: String,
    /// When a retry makes sense, if ever.
    pub(crate) retry_after: Option<Duration>,
    /// Spans of the request, as far as they were counted.
    pub(crate) span_count: u64,
    /// The usual mistake that it is, if it is one.
    pub(crate) hint: Option<Hint>,
    /// What the hint says of this request.
    pub(crate) detail: String,
    status: StatusCode,
    code: Code,
}

impl Refusal {
    /// The refusal for a reason.
    pub(crate) fn new(reason: RefuseReason) -> Self {
        let (status, code, retry_seconds) = match reason {
            RefuseReason::Malformed | RefuseReason::Truncated | RefuseReason::BadTenant => {
                (StatusCode::BAD_REQUEST, Code::InvalidArgument, None)
            }
            RefuseReason::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, Code::InvalidArgument, None),
            RefuseReason::UnsupportedMedia => (StatusCode::UNSUPPORTED_MEDIA_TYPE, Code::Unimplemented, None),
            RefuseReason::SlowSender => (StatusCode::REQUEST_TIMEOUT, Code::DeadlineExceeded, None),
            RefuseReason::TenantQuota => (StatusCode::TOO_MANY_REQUESTS, Code::ResourceExhausted, Some(1)),
            RefuseReason::TooManyTenants => (StatusCode::TOO_MANY_REQUESTS, Code::ResourceExhausted, Some(60)),
            RefuseReason::InFlightFull => (StatusCode::SERVICE_UNAVAILABLE, Code::Unavailable, Some(1)),
            RefuseReason::LiveFull | RefuseReason::DiskFull | RefuseReason::LogFailed => {
                (StatusCode::SERVICE_UNAVAILABLE, Code::Unavailable, Some(10))
            }
            RefuseReason::Stopping => (StatusCode::SERVICE_UNAVAILABLE, Code::Unavailable, Some(2)),
        };
        let hint = match reason {
            RefuseReason::Malformed | RefuseReason::Truncated => Some(Hint::Undecodable),
            RefuseReason::TooLarge => Some(Hint::TooLarge),
            RefuseReason::UnsupportedMedia => Some(Hint::UnsupportedMedia),
            RefuseReason::BadTenant => Some(Hint::WrongTenant),
            _ => None,
        };
        let retry_after = retry_seconds.map(Duration::from_secs);
        let (message, detail) = (reason.sentence().to_owned(), String::new());
        Self { reason, message, retry_after, span_count: 0, hint, detail, status, code }
    }

    /// The refusal of a compression that is not known.
    pub(crate) fn unsupported_encoding(named: &str) -> Self {
        Self { hint: Some(Hint::UnsupportedEncoding), ..Self::new(RefuseReason::UnsupportedMedia).because(named) }
    }

    /// The same for a body that was announced as one thing and begins like another.
    pub(crate) fn looking_at(self, syntax: Syntax, body: &[u8]) -> Self {
        let begins_as_json = body.trim_ascii_start().first() == Some(&b'{');
        let detail = match syntax {
            Syntax::Protobuf if begins_as_json => "it was announced as protobuf and begins like JSON",
            Syntax::Json if !begins_as_json && !body.is_empty() => {
                "it was announced as JSON and does not begin like it; is it protobuf?"
            }
            _ => return self,
        };
        Self { hint: Some(Hint::WrongSyntax), detail: detail.to_owned(), ..self }
    }

    /// The same with more words about this request.
    pub(crate) fn because(self, detail: impl std::fmt::Display) -> Self {
        let detail = detail.to_string();
        Self { message: format!("{}: {detail}", self.message), detail, ..self }
    }

    /// The same for a request whose spans were counted.
    pub(crate) fn of_spans(self, span_count: u32) -> Self {
        Self { span_count: span_count.into(), ..self }
    }

    /// The same with the time after which a retry passes.
    pub(crate) fn retry_after(self, wait: Duration) -> Self {
        Self { retry_after: Some(wait), ..self }
    }

    /// The answer over HTTP.
    pub(crate) fn over_http(&self, syntax: Syntax) -> Response {
        let body = match syntax {
            Syntax::Protobuf => self.status_message(&[]),
            Syntax::Json => {
                let status = serde_json::json!({ "code": self.code as i32, "message": self.message });
                status.to_string().into_bytes()
            }
        };
        let mut response = (self.status, body).into_response();
        let mut set = |name: HeaderName, value: HeaderValue| response.headers_mut().insert(name, value);
        set(CONTENT_TYPE, HeaderValue::from_static(syntax.content_type()));
        if let Some(wait) = self.retry_after {
            set(RETRY_AFTER, HeaderValue::from(wait.as_millis().div_ceil(1000) as u64));
        }
        match self.status {
            StatusCode::UNSUPPORTED_MEDIA_TYPE => {
                set(ACCEPT_ENCODING, HeaderValue::from_static("gzip, zstd, identity"));
            }
            StatusCode::UNAUTHORIZED => {
                set(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            StatusCode::REQUEST_TIMEOUT => {
                set(CONNECTION, HeaderValue::from_static("close"));
            }
            _ => {}
        }
        response
    }

    /// The same for whoever asked for something else than to send.
    pub(crate) fn into_problem(self) -> Problem {
        let problem = Problem::new(self.status, self.message);
        match self.retry_after {
            Some(wait) => problem.header(RETRY_AFTER, &wait.as_millis().div_ceil(1000).to_string()),
            None => problem,
        }
    }

    /// The answer over gRPC.
    pub(crate) fn over_grpc(&self) -> Response {
        let details = self.retry_after.map_or_else(Bytes::new, |wait| self.status_message(&retry_info(wait)).into());
        let mut response = tonic::Status::with_details(self.code, &self.message, details).into_http::<Body>();
        if self.code == Code::Unimplemented {
            let accepted = HeaderValue::from_static("identity,gzip,zstd");
            response.headers_mut().insert("grpc-accept-encoding", accepted);
        }
        response
    }

    /// A `google.rpc.Status`: code = 1, message = 2, details = 3.
    fn status_message(&self, detail: &[u8]) -> Vec<u8> {
        Writer::default().number(1, self.code as u64).bytes(2, self.message.as_bytes()).bytes(3, detail).finish()
    }
}

/// A `google.protobuf.Any` of a `google.rpc.RetryInfo` with its one field, the delay.
fn retry_info(wait: Duration) -> Vec<u8> {
    let delay = Writer::default().number(1, wait.as_secs()).number(2, u64::from(wait.subsec_nanos())).finish();
    let info = Writer::default().bytes(1, &delay).finish();
    Writer::default().bytes(1, b"type.googleapis.com/google.rpc.RetryInfo").bytes(2, &info).finish()
}

impl From<RefuseReason> for Refusal {
    fn from(reason: RefuseReason) -> Self {
        Self::new(reason)
    }
}

impl From<Full> for Refusal {
    fn from(_: Full) -> Self {
        Self::new(RefuseReason::InFlightFull)
    }
}

impl From<WireError> for Refusal {
    fn from(error: WireError) -> Self {
        let reason = match error {
            WireError::Truncated { .. } => RefuseReason::Truncated,
            _ => RefuseReason::Malformed,
        };
        Self::new(reason).because(error)
    }
}

impl From<TenantProblem> for Refusal {
    fn from(problem: TenantProblem) -> Self {
        let (message, detail) = (problem.to_string(), problem.to_string());
        let refusal = Self { message, detail, ..Self::new(RefuseReason::BadTenant) };
        match problem {
            TenantProblem::BadName => refusal,
            TenantProblem::UnknownToken => {
                Self { status: StatusCode::UNAUTHORIZED, code: Code::Unauthenticated, ..refusal }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clew_model::RefuseClass;

    #[test]
    fn every_reason_has_the_status_of_its_class() {
        for reason in RefuseReason::ALL {
            let refusal = Refusal::new(reason);
            let (status, retry) = (refusal.status.as_u16(), refusal.retry_after.is_some());
            match reason.class() {
                RefuseClass::Client => assert!((400..429).contains(&status) && !retry, "{reason:?}"),
                RefuseClass::Quota => assert!(status == 429 && retry, "{reason:?}"),
                RefuseClass::Unavailable => assert!(status == 503 && retry, "{reason:?}"),
            }
        }
    }

    #[test]
    fn retry_after_is_rounded_up() {
        let refusal = Refusal::new(RefuseReason::TenantQuota).retry_after(Duration::from_millis(1001));
        let response = refusal.over_http(Syntax::Json);
        assert_eq!(response.headers()[RETRY_AFTER], "2");
        assert_eq!(response.headers()[CONTENT_TYPE], "application/json");
    }
}
