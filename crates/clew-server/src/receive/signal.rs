//! Signals: what OTLP carries, and the names each goes by. clew keeps one of them.

use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};

use clew_store::Encoding;

use super::refusal::Refusal;

/// What an export request carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signal {
    /// Spans: the signal that clew keeps.
    Traces,
    /// Metric data points.
    Metrics,
    /// Log records.
    Logs,
    /// Profiles (in development).
    Profiles,
}

impl Signal {
    /// Every signal.
    pub(crate) const ALL: [Self; 4] = [Self::Traces, Self::Metrics, Self::Logs, Self::Profiles];

    /// Where OTLP/HTTP takes it.
    pub(crate) const fn path(self) -> &'static str {
        match self {
            Self::Traces => "/v1/traces",
            Self::Metrics => "/v1/metrics",
            Self::Logs => "/v1/logs",
            Self::Profiles => "/v1development/profiles",
        }
    }

    /// Where OTLP/gRPC takes it.
    pub(crate) const fn method(self) -> &'static str {
        match self {
            Self::Traces => "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
            Self::Metrics => "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
            Self::Logs => "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
            Self::Profiles => "/opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export",
        }
    }

    /// The field of a partial success that counts what was not kept, in JSON.
    pub(crate) const fn rejected_field(self) -> &'static str {
        match self {
            Self::Traces => "rejectedSpans",
            Self::Metrics => "rejectedDataPoints",
            Self::Logs => "rejectedLogRecords",
            Self::Profiles => "rejectedProfiles",
        }
    }
}

/// How a message is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Syntax {
    /// Protobuf.
    Protobuf,
    /// OTLP's JSON mapping.
    Json,
}

impl Syntax {
    /// The content type of requests and answers.
    pub(crate) const fn content_type(self) -> &'static str {
        match self {
            Self::Protobuf => "application/x-protobuf",
            Self::Json => "application/json",
        }
    }

    /// By content type, whose parameters are not looked at; `None` when it is neither.
    pub(crate) fn of(headers: &HeaderMap) -> Option<Self> {
        let value = headers.get(CONTENT_TYPE)?.to_str().ok()?;
        let essence = value.split(';').next()?.trim();
        if essence.eq_ignore_ascii_case("application/x-protobuf")
            || essence.eq_ignore_ascii_case("application/protobuf")
        {
            return Some(Self::Protobuf);
        }
        essence.eq_ignore_ascii_case("application/json").then_some(Self::Json)
    }
}

/// The encoding of an HTTP body.
pub(crate) fn content_encoding(headers: &HeaderMap) -> Result<Encoding, Refusal> {
    let mut values = headers.get_all(CONTENT_ENCODING).iter();
    let Some(value) = values.next() else {
        return Ok(Encoding::Identity);
    };
    let encoding = value.to_str().ok().filter(|_| values.next().is_none()).and_then(encoding_of_name);
    encoding.ok_or_else(|| Refusal::unsupported_encoding(&format!("content-encoding {}", shown(value.as_bytes()))))
}

/// The encoding of that name, in HTTP or gRPC.
pub(crate) fn encoding_of_name(name: &str) -> Option<Encoding> {
    match name.trim().to_ascii_lowercase().as_str() {
        "" | "identity" => Some(Encoding::Identity),
        "gzip" | "x-gzip" => Some(Encoding::Gzip),
        "zstd" => Some(Encoding::Zstd),
        _ => None,
    }
}

/// A header's value as a message may repeat it: short and printable.
pub(crate) fn shown(value: &[u8]) -> String {
    let text: String = String::from_utf8_lossy(value).chars().take(60).collect();
    text.escape_debug().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: &http::HeaderName, values: &[&str]) -> HeaderMap {
        values.iter().map(|value| (name.clone(), value.parse().unwrap())).collect()
    }

    #[test]
    fn content_types_may_have_parameters() {
        let syntax = |value: &str| Syntax::of(&headers(&CONTENT_TYPE, &[value]));
        assert_eq!(syntax("application/json; charset=utf-8"), Some(Syntax::Json));
        assert_eq!(syntax("Application/X-Protobuf"), Some(Syntax::Protobuf));
        assert_eq!(syntax("text/plain"), None);
        assert_eq!(Syntax::of(&HeaderMap::new()), None);
    }

    #[test]
    fn one_known_encoding_or_none() {
        let encoding = |values: &[&str]| content_encoding(&headers(&CONTENT_ENCODING, values)).ok();
        assert_eq!(encoding(&[]), Some(Encoding::Identity));
        assert_eq!(encoding(&["GZIP"]), Some(Encoding::Gzip));
        assert_eq!(encoding(&["zstd"]), Some(Encoding::Zstd));
        assert_eq!(encoding(&["br"]), None);
        assert_eq!(encoding(&["gzip, gzip"]), None);
        assert_eq!(encoding(&["gzip", "gzip"]), None);
    }
}
