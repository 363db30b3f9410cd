//! What figures are about.

use std::sync::Arc;

use clew_model::{Kind, Span, StatusCode};
use serde::{Deserialize, Serialize};

/// The service and the operation into which the smallest series of a minute are folded, and the two ends of such edges.
pub const OTHER: &str = "(other)";

/// Spans that are counted together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SeriesKey {
    /// The service that sent them.
    pub service: Arc<str>,
    /// Their operation.
    pub operation: Arc<str>,
    /// Their role.
    pub kind: Kind,
    /// How they ended: [`status_of`].
    pub status: StatusCode,
}

/// Calls, or messages, that are counted together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct EdgeKey {
    /// The service that calls, or the topic or queue that a message comes from.
    pub caller: Arc<str>,
    /// The service that is called; or a database, a topic or queue, or a host of which there are no spans.
    pub callee: Arc<str>,
    /// In what way.
    pub connection: Connection,
}

/// In what way one service reaches another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Connection {
    /// HTTP.
    Http,
    /// A remote procedure call.
    Rpc,
    /// A call of a database.
    Database,
    /// A message.
    Messaging,
    /// A link within the trace from the span that receives to the one that caused it.
    Link,
    /// Something else, or nothing that was said.
    Other,
}

impl Connection {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Http, Self::Rpc, Self::Database, Self::Messaging, Self::Link, Self::Other];

    /// Lower-case word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Rpc => "rpc",
            Self::Database => "database",
            Self::Messaging => "messaging",
            Self::Link => "link",
            Self::Other => "other",
        }
    }
}

/// How a span ended, as series count it: [`StatusCode::Error`] whenever [`Span::is_error`] says so.
pub fn status_of(span: &Span) -> StatusCode {
    if span.is_error() { StatusCode::Error } else { span.status.code }
}
