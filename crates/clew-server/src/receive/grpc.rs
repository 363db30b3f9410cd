//! OTLP over gRPC: unary calls with one message each way, framed here rather than by a gRPC library, so that both
//! protocols share one bounded path for reading, decompression and refusal, and bodies are stored as they came.
//!
//! The framing is that of <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>.

use std::sync::Arc;

use axum::body::Body;
use axum::response::{IntoResponse as _, Response};
use bytes::{Buf as _, Bytes};
use clew_model::{RefuseReason, Tenant};
use clew_store::Encoding;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderMap, Request, StatusCode, Version};

use super::answer::PartialSuccess;
use super::body::{self, Bounds, too_large};
use super::refusal::Refusal;
use super::signal::{Signal, Syntax, encoding_of_name, shown};
use super::{Envelope, figures_of, notice_refusal, take};
use crate::app::App;
use crate::figures::Misdirected;
use crate::hints::{self, Example, Hint};
use crate::problem::Problem;
use crate::tenants::{TenantProblem, named};

/// Length of the prefix of a message: whether it is compressed, and its length.
const PREFIX_BYTES: usize = 5;

/// Whether a request is gRPC.
pub(crate) fn is_grpc(headers: &HeaderMap) -> bool {
    let value = headers.get(CONTENT_TYPE).map_or(&b""[..], |value| value.as_bytes());
    let Some((start, rest)) = value.split_at_checked(b"application/grpc".len()) else {
        return false;
    };
    start.eq_ignore_ascii_case(b"application/grpc") && matches!(rest.first(), None | Some(b'+' | b';' | b' '))
}

/// Answers a gRPC call.
pub(crate) async fn call(app: Arc<App>, request: Request<Body>) -> Response {
    if request.version() < Version::HTTP_2 {
        app.figures.misdirect(Misdirected::Service);
        app.notice(Hint::GrpcOverHttp1, 1, || Example::of(&request, ""));
        let detail = "gRPC needs HTTP/2; over HTTP/1.1 send OTLP/HTTP (application/x-protobuf) to /v1/traces";
        return Problem::new(StatusCode::BAD_REQUEST, detail).into_response();
    }
    let Some(signal) = Signal::ALL.into_iter().find(|signal| signal.method() == request.uri().path()) else {
        app.figures.misdirect(Misdirected::Service);
        app.notice(Hint::GrpcWrongPath, 1, || Example::of(&request, ""));
        let message = format!(
            "{} is not served here; clew takes {}",
            shown(request.uri().path().as_bytes()),
            Signal::Traces.method()
        );
        return tonic::Status::unimplemented(message).into_http::<Body>();
    };
    // On a task of its own, so that a request that was received is counted even if its sender leaves.
    let answer = tokio::spawn(export(app, signal, request)).await;
    answer.unwrap_or_else(|_| tonic::Status::internal("the request could not be processed").into_http::<Body>())
}

async fn export(app: Arc<App>, signal: Signal, request: Request<Body>) -> Response {
    let tenant = named(&app.config.tokens, request.headers());
    let figures = figures_of(&app, &tenant);
    let agent = hints::agent(request.headers());
    if signal == Signal::Traces {
        app.figures.request(app.clock.unix_nanos());
    }
    match receive(&app, signal, tenant, request).await {
        Ok(partial) => partial.over_grpc(),
        Err(refusal) => {
            figures.refuse(refusal.reason, refusal.span_count);
            notice_refusal(&app, &refusal, signal.method(), agent.as_ref());
            refusal.over_grpc()
        }
    }
}

async fn receive(
    app: &Arc<App>,
    signal: Signal,
    tenant: Result<Option<Tenant>, TenantProblem>,
    request: Request<Body>,
) -> Result<PartialSuccess, Refusal> {
    let tenant = tenant?;
    let (head, mut body) = request.into_parts();
    let bytes_max = app.config.request_bytes;
    let bounds = Bounds { bytes_max: bytes_max.saturating_add(PREFIX_BYTES), time_max: app.config.body_timeout };
    let mut hold = app.in_flight.hold();
    let framed = body::read(&mut body, bounds, &mut hold).await?;
    let complete_nanos = app.clock.monotonic_nanos();
    let (encoding, body) = message(&head, framed, bytes_max)?;
    let (syntax, place, agent) = (Syntax::Protobuf, signal.method(), hints::agent(&head.headers));
    take(app, Envelope { signal, syntax, tenant, encoding, body, hold, place, agent, complete_nanos }).await
}

/// The one message of a unary call, still compressed.
fn message(head: &Parts, mut framed: Bytes, bytes_max: usize) -> Result<(Encoding, Bytes), Refusal> {
    let truncated = || Refusal::new(RefuseReason::Truncated).because("the gRPC message breaks off");
    let malformed = |why| Refusal::new(RefuseReason::Malformed).because(why);
    if framed.len() < PREFIX_BYTES {
        return Err(truncated());
    }
    let (flag, length) = (framed.get_u8(), framed.get_u32() as usize);
    if length > bytes_max {
        return Err(too_large(bytes_max));
    }
    match framed.len() {
        there if there < length => return Err(truncated()),
        there if there > length => return Err(malformed("the call holds more than one gRPC message")),
        _ => {}
    }
    let name = head.headers.get("grpc-encoding").map_or(&b""[..], |value| value.as_bytes());
    let encoding = match flag {
        0 => Some(Encoding::Identity),
        1 => std::str::from_utf8(name).ok().filter(|name| !name.is_empty()).and_then(encoding_of_name),
        _ => return Err(malformed("the gRPC message's compressed flag is neither 0 nor 1")),
    };
    let encoding =
        encoding.ok_or_else(|| Refusal::unsupported_encoding(&format!("grpc-encoding `{}`", shown(name))))?;
    Ok((encoding, framed))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(content_type: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(CONTENT_TYPE, http::HeaderValue::from_static(content_type))])
    }

    #[test]
    fn grpc_is_told_by_its_content_type() {
        for yes in ["application/grpc", "application/grpc+proto", "Application/gRPC; charset=utf-8"] {
            assert!(is_grpc(&headers(yes)), "{yes}");
        }
        for no in ["application/grpc-web+proto", "application/json", "application/grpcx", "text"] {
            assert!(!is_grpc(&headers(no)), "{no}");
        }
        assert!(!is_grpc(&HeaderMap::new()));
    }

    #[test]
    fn frames_are_read_or_typed() {
        let head =
            |encoding: &str| Request::builder().header("grpc-encoding", encoding).body(()).unwrap().into_parts().0;
        let read = |encoding: &str, frame: &'static [u8]| {
            message(&head(encoding), Bytes::from_static(frame), 10).map_err(|refusal| refusal.reason)
        };
        assert_eq!(read("gzip", b"\0\0\0\0\x02ab"), Ok((Encoding::Identity, Bytes::from_static(b"ab"))));
        assert_eq!(read("zstd", b"\x01\0\0\0\x02ab"), Ok((Encoding::Zstd, Bytes::from_static(b"ab"))));
        assert_eq!(read("snappy", b"\x01\0\0\0\x02ab"), Err(RefuseReason::UnsupportedMedia));
        assert_eq!(read("", b"\x01\0\0\0\x02ab"), Err(RefuseReason::UnsupportedMedia));
        assert_eq!(read("gzip", b"\x02\0\0\0\x02ab"), Err(RefuseReason::Malformed));
        assert_eq!(read("gzip", b"\0\0\0\0\x01ab"), Err(RefuseReason::Malformed));
        assert_eq!(read("gzip", b"\0\0\0\0\x03ab"), Err(RefuseReason::Truncated));
        assert_eq!(read("gzip", b"\0\0"), Err(RefuseReason::Truncated));
        assert_eq!(read("gzip", b"\0\0\0\0\x0b"), Err(RefuseReason::TooLarge));
    }
}
