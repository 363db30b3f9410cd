//! What each hint says: what was seen, and how to mend it.

use super::{Example, Hint};
use crate::receive::TRACE_METHOD;

impl Hint {
    /// Every hint.
    pub(crate) const ALL: [Self; 23] = [
        Self::PostToRoot,
        Self::DoubledPath,
        Self::ForeignProtocol,
        Self::WrongPath,
        Self::WrongMethod,
        Self::GrpcWrongPath,
        Self::GrpcOverHttp1,
        Self::ForeignHost,
        Self::CorsRefused,
        Self::Tls,
        Self::UnsupportedEncoding,
        Self::UnsupportedMedia,
        Self::WrongSyntax,
        Self::Undecodable,
        Self::TooLarge,
        Self::WrongTenant,
        Self::MissingStart,
        Self::BadIds,
        Self::OddTimes,
        Self::MissingServiceName,
        Self::MetricsSent,
        Self::LogsSent,
        Self::ProfilesSent,
    ];

    /// The name, which stays.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::PostToRoot => "post_to_root",
            Self::DoubledPath => "doubled_path",
            Self::ForeignProtocol => "foreign_protocol",
            Self::WrongPath => "wrong_path",
            Self::WrongMethod => "wrong_method",
            Self::GrpcWrongPath => "grpc_wrong_path",
            Self::GrpcOverHttp1 => "grpc_over_http1",
            Self::ForeignHost => "foreign_host",
            Self::CorsRefused => "cors_refused",
            Self::Tls => "tls",
            Self::UnsupportedEncoding => "unsupported_encoding",
            Self::UnsupportedMedia => "unsupported_media",
            Self::WrongSyntax => "wrong_syntax",
            Self::Undecodable => "undecodable",
            Self::TooLarge => "too_large",
            Self::WrongTenant => "wrong_tenant",
            Self::MissingStart => "missing_start",
            Self::BadIds => "bad_ids",
            Self::OddTimes => "odd_times",
            Self::MissingServiceName => "missing_service_name",
            Self::MetricsSent => "metrics_sent",
            Self::LogsSent => "logs_sent",
            Self::ProfilesSent => "profiles_sent",
        }
    }
}

/// The sentence and the fix. Both begin in lower case or with a number and end without a stop, as log lines do.
pub(super) fn said(hint: Hint, count: u64, example: &Example) -> (String, String) {
    match hint {
        Hint::PostToRoot
        | Hint::DoubledPath
        | Hint::ForeignProtocol
        | Hint::WrongPath
        | Hint::WrongMethod
        | Hint::GrpcWrongPath
        | Hint::GrpcOverHttp1 => of_place(hint, count, example),
        Hint::ForeignHost | Hint::CorsRefused | Hint::Tls | Hint::WrongTenant => of_connection(hint, count, example),
        Hint::UnsupportedEncoding | Hint::UnsupportedMedia | Hint::WrongSyntax | Hint::Undecodable | Hint::TooLarge => {
            of_body(hint, count, example)
        }
        Hint::MissingStart
        | Hint::BadIds
        | Hint::OddTimes
        | Hint::MissingServiceName
        | Hint::MetricsSent
        | Hint::LogsSent
        | Hint::ProfilesSent => of_items(hint, count, example),
    }
}

fn of_place(hint: Hint, count: u64, Example { request, detail, .. }: &Example) -> (String, String) {
    let requests = counted(count, "request", "requests");
    let calls = counted(count, "gRPC call", "gRPC calls");
    match hint {
        Hint::PostToRoot => (
            format!("{} posted to /, where nothing is taken", counted(count, "request was", "requests were")),
            "let the exporter's URL end with /v1/traces; or give the SDK the base address alone, in \
             OTEL_EXPORTER_OTLP_ENDPOINT, to which it adds the path"
                .to_owned(),
        ),
        Hint::DoubledPath => (
            format!("{requests} came to a place that names the path twice, such as {request}"),
            "OTEL_EXPORTER_OTLP_ENDPOINT is a base address: leave /v1/traces out of it, or set \
             OTEL_EXPORTER_OTLP_TRACES_ENDPOINT, which is taken as it is"
                .to_owned(),
        ),
        Hint::ForeignProtocol => (
            format!("{requests} spoke {detail}, which is not taken here, such as {request}"),
            "send OTLP (OTEL_TRACES_EXPORTER=otlp); an OpenTelemetry Collector translates what cannot".to_owned(),
        ),
        Hint::WrongPath => (
            format!("{requests} came to paths where nothing answers, such as {request}"),
            format!("did you mean {detail}? OTLP is taken at /v1/traces"),
        ),
        Hint::WrongMethod if request.ends_with(" /v1/traces") => (
            format!("{requests} used a method that is not answered there, such as {request}"),
            "spans are sent by POST; to search, GET /v1/traces/search".to_owned(),
        ),
        Hint::WrongMethod => (
            format!("{requests} used a method that is not answered there, such as {request}"),
            "the Allow header of the answer says which are; /v1/openapi.json describes them all".to_owned(),
        ),
        Hint::GrpcOverHttp1 => (
            format!("{calls} came over HTTP/1.1, which cannot carry gRPC"),
            "a proxy on the way speaks HTTP/1.1: let it pass HTTP/2, or set \
             OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf"
                .to_owned(),
        ),
        _ => (
            format!("{calls} asked for what is not here, such as {request}"),
            format!("use an OTLP exporter: clew takes {TRACE_METHOD}"),
        ),
    }
}

fn of_connection(hint: Hint, count: u64, Example { detail, .. }: &Example) -> (String, String) {
    let requests = counted(count, "request", "requests");
    match hint {
        Hint::ForeignHost => (
            format!("{requests} to a door on loopback named another host than localhost, such as {detail}"),
            "to allow that name, add it to the setting hosts; or listen at an address that is not loopback".to_owned(),
        ),
        Hint::CorsRefused => (
            format!("{requests} of web pages were refused, such as those of {detail}"),
            "to allow that origin, add it to the setting cors.origins".to_owned(),
        ),
        Hint::WrongTenant => (
            format!("{requests} did not name a tenant in a way that can be used: {detail}"),
            "X-Scope-OrgID takes one name of 1 to 64 characters of A-Z a-z 0-9 _ . -, and a bearer token must be one of \
             the setting tenant.tokens"
                .to_owned(),
        ),
        _ => (
            format!("{} began with TLS, which is not spoken here", counted(count, "connection", "connections")),
            "use http:// in place of https:// (for gRPC: OTEL_EXPORTER_OTLP_INSECURE=true), or let a proxy before clew \
             end TLS"
                .to_owned(),
        ),
    }
}

fn of_body(hint: Hint, count: u64, Example { detail, .. }: &Example) -> (String, String) {
    let requests = counted(count, "request", "requests");
    let were = counted(count, "request was", "requests were");
    match hint {
        Hint::UnsupportedEncoding => (
            format!("{were} compressed in a way that is not known here, such as {detail}"),
            "use gzip, zstd or none (OTEL_EXPORTER_OTLP_COMPRESSION=gzip)".to_owned(),
        ),
        Hint::UnsupportedMedia => (
            format!("{requests} had a content type that is not known here, such as {detail}"),
            "send application/x-protobuf or application/json (OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf)".to_owned(),
        ),
        Hint::WrongSyntax => (
            format!("{requests} held something else than the content type says: {detail}"),
            "protobuf is application/x-protobuf, and JSON is application/json".to_owned(),
        ),
        Hint::TooLarge => (
            format!("{were} too large: {detail}"),
            "let the sender make smaller batches (OTEL_BSP_MAX_EXPORT_BATCH_SIZE), or raise limits.request_bytes"
                .to_owned(),
        ),
        _ => (
            format!("{requests} could not be read: {detail}"),
            "send OTLP export requests as they are; look for a proxy on the way that changes or cuts bodies".to_owned(),
        ),
    }
}

fn of_items(hint: Hint, count: u64, Example { detail, .. }: &Example) -> (String, String) {
    let spans = counted(count, "span", "spans");
    match hint {
        Hint::MissingStart => (
            format!("{spans} had no start time and could not be kept"),
            "set startTimeUnixNano: unix time in nanoseconds, in OTLP/JSON as a string".to_owned(),
        ),
        Hint::BadIds => (
            format!("{spans} had ids that are none and could not be kept"),
            "a trace id is 16 bytes and a span id 8, not all zeros; OTLP/JSON writes them in hexadecimal, not in base64"
                .to_owned(),
        ),
        Hint::OddTimes => odd_times(&counted(count, "span is", "spans are"), detail),
        Hint::MissingServiceName => (
            format!("{spans} named no service, and are shown as unknown_service"),
            "set OTEL_SERVICE_NAME for the sender, or service.name on its resource".to_owned(),
        ),
        Hint::MetricsSent => (
            format!("{} sent; clew keeps traces", counted(count, "metric point was", "metric points were")),
            "set OTEL_METRICS_EXPORTER=none to stop sending them, or leave it: they are answered and dropped".to_owned(),
        ),
        Hint::LogsSent => (
            format!("{} sent; clew keeps traces", counted(count, "log record was", "log records were")),
            "set OTEL_LOGS_EXPORTER=none to stop sending them, or leave it: they are answered and dropped".to_owned(),
        ),
        _ => (
            format!("{} sent; clew keeps traces", counted(count, "profile was", "profiles were")),
            "switch the exporter of profiles off to stop sending them".to_owned(),
        ),
    }
}

/// `detail` is the date of such a span, and after a `|` the unit that its number seems to count.
fn odd_times(spans_are: &str, detail: &str) -> (String, String) {
    let (date, unit) = detail.split_once('|').unwrap_or((detail, ""));
    let such_as = if date.is_empty() { String::new() } else { format!(", such as {date}") };
    let fix = match unit {
        "" => "set the clock of the sender; times of OTLP are unix time in nanoseconds".to_owned(),
        unit => format!("the number is the time of now in {unit}: startTimeUnixNano counts nanoseconds"),
    };
    (format!("{spans_are} dated before the year 2000 or more than a day ahead{such_as}"), fix)
}

fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}
