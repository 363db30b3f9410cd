//! Why a question gets no answer: one list, one mapping to status codes.

use axum::response::{IntoResponse, Response};
use clew_model::scan::ScanError;
use http::StatusCode;
use http::header::WWW_AUTHENTICATE;

use crate::problem::Problem;

/// When a question that found the server busy is worth asking again.
const RETRY_SECONDS: u64 = 1;

/// Why a question gets no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AskError {
    /// A parameter is unknown, malformed or out of range.
    #[error("{detail}")]
    Parameter {
        /// The parameter's name as the client wrote it.
        name: String,
        /// What is wrong and what is accepted.
        detail: String,
    },
    /// The token is missing or unknown.
    #[error("{0}")]
    Unauthorized(String),
    /// There is nothing of that name or id.
    #[error("{0}")]
    NotFound(String),
    /// None of the media types that the client accepts is served.
    #[error("{0}")]
    NotAcceptable(String),
    /// A body is larger than allowed.
    #[error("{0}")]
    TooLarge(String),
    /// There is no room for a body now.
    #[error("{0}")]
    Full(String),
    /// As many questions as allowed are being answered.
    #[error("{limit} questions are being answered, as many as query.concurrency allows; retry after a second")]
    Busy {
        /// The limit.
        limit: usize,
    },
    /// As many streams of settled traces as allowed are open.
    #[error("{limit} streams of settled traces are open, as many as query.live_streams allows; retry later")]
    Streams {
        /// The limit.
        limit: usize,
    },
    /// The question took too long.
    #[error("no answer within query.timeout; narrow the time range or add conditions")]
    Expired,
    /// Storage failed, or the question's thread died.
    #[error("{0}")]
    Failed(String),
}

impl AskError {
    /// A wrong value of the parameter.
    pub(crate) fn parameter(name: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::Parameter { name: name.into(), detail: detail.into() }
    }

    /// The HTTP status.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Parameter { .. } => StatusCode::BAD_REQUEST,
            Self::Unauthorized(_) => StatusCode::UNAUTHORIZED,
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::NotAcceptable(_) => StatusCode::NOT_ACCEPTABLE,
            Self::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Busy { .. } | Self::Streams { .. } | Self::Full(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Expired => StatusCode::GATEWAY_TIMEOUT,
            Self::Failed(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl From<AskError> for Problem {
    fn from(error: AskError) -> Self {
        let detail = error.to_string();
        match error {
            AskError::Parameter { name, .. } => Self::parameter(name, detail),
            AskError::Busy { .. } | AskError::Streams { .. } | AskError::Full(_) => {
                Self::unavailable(detail, RETRY_SECONDS)
            }
            AskError::Unauthorized(_) => Self::new(error.status(), detail).header(WWW_AUTHENTICATE, "Bearer"),
            other => Self::new(other.status(), detail),
        }
    }
}

impl IntoResponse for AskError {
    fn into_response(self) -> Response {
        Problem::from(self).into_response()
    }
}

impl From<ScanError> for AskError {
    fn from(error: ScanError) -> Self {
        match error {
            ScanError::Expired => Self::Expired,
            other => Self::Failed(other.to_string()),
        }
    }
}
