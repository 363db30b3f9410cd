//! Problems: what a caller did that cannot be answered, as an RFC 9457 problem document.

use std::borrow::Cow;

use axum::response::{IntoResponse, Response};
use clew_model::{RefuseClass, RefuseReason};
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};

/// The media type of a problem document (RFC 9457, section 6.1).
pub const PROBLEM_JSON: &str = "application/problem+json";

/// A problem document, and the headers that go with it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Problem {
    /// HTTP status code.
    pub status: u16,
    /// What kind of problem, in a few words; the same for all problems of its kind.
    pub title: Cow<'static, str>,
    /// What is wrong with this request and what to do about it.
    pub detail: String,
    /// The parameter or header at fault.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameter: Option<String>,
    /// Headers of the response besides its content type.
    #[serde(skip)]
    pub headers: HeaderMap,
}

impl Problem {
    /// A problem titled with the status' own phrase.
    pub fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        let title = Cow::Borrowed(status.canonical_reason().unwrap_or("Error"));
        Self { status: status.as_u16(), title, detail: detail.into(), parameter: None, headers: HeaderMap::new() }
    }

    /// 400: the named parameter (or header) cannot be used.
    pub fn parameter(name: impl Into<String>, detail: impl Into<String>) -> Self {
        let problem = Self::new(StatusCode::BAD_REQUEST, detail);
        Self { title: "Invalid parameter".into(), parameter: Some(name.into()), ..problem }
    }

    /// 404.
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, detail)
    }

    /// 503 with the number of seconds after which a retry makes sense.
    pub fn unavailable(detail: impl Into<String>, retry_seconds: u64) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, detail).header(RETRY_AFTER, &retry_seconds.to_string())
    }

    /// 415 for what is no JSON: a POST of it is one that no page of another origin makes unasked.
    #[expect(clippy::result_large_err, reason = "once a request, and on its way to becoming the answer")]
    pub(crate) fn unless_json(headers: &HeaderMap, detail: &str) -> Result<(), Self> {
        let essence = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()?.split(';').next());
        if essence.is_some_and(|essence| essence.trim().eq_ignore_ascii_case("application/json")) {
            return Ok(());
        }
        Err(Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail))
    }

    /// The problem of a refused request.
    pub fn refused(reason: RefuseReason) -> Self {
        let status = match reason.class() {
            RefuseClass::Client => StatusCode::BAD_REQUEST,
            RefuseClass::Quota => StatusCode::TOO_MANY_REQUESTS,
            RefuseClass::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        };
        Self::new(status, reason.sentence())
    }

    /// The same problem under another title.
    #[must_use]
    pub fn titled(self, title: impl Into<Cow<'static, str>>) -> Self {
        Self { title: title.into(), ..self }
    }

    /// The same problem with a header; a value that is not a header value is left out.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(name, value);
        }
        self
    }

    /// The status as a type; 500 if the number is none.
    pub fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = self.status_code();
        let body = serde_json::to_vec(&self).unwrap_or_default();
        let mut response = (status, body).into_response();
        response.headers_mut().extend(self.headers);
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_names_its_parameter() {
        let problem = Problem::parameter("limit", "limit must be a number from 1 to 1000, not `many`");
        let text = serde_json::to_string(&problem).unwrap();
        assert_eq!(
            text,
            r#"{"status":400,"title":"Invalid parameter","detail":"limit must be a number from 1 to 1000, not `many`","parameter":"limit"}"#
        );
        assert_eq!(serde_json::from_str::<Problem>(&text).unwrap(), problem);
    }

    #[test]
    fn the_response_is_a_problem_document_with_its_headers() {
        let response = Problem::unavailable("too many queries at once; retry later", 2).into_response();
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(response.headers()[CONTENT_TYPE], PROBLEM_JSON);
        assert_eq!(response.headers()[RETRY_AFTER], "2");
    }
}
