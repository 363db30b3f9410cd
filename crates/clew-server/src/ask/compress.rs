//! Answers made smaller for clients that accept it, off the serving threads and at levels that cost less than they save on
//! any network: of a skeleton of 50,000 spans, zstd leaves less than a third (span ids are random).

use axum::body::{Body, HttpBody as _};
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, VARY};
use http::{HeaderMap, HeaderValue};
use http_body_util::BodyExt as _;

/// Shorter answers are sent as they are.
const BYTES_MIN: u64 = 8 * 1024;
/// Longer ones are compressed on a thread of their own.
const HEAVY_BYTES: usize = 64 * 1024;
const ZSTD_LEVEL: i32 = 1;

/// A content coding (RFC 9110, section 8.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Coding {
    Zstd,
    Gzip,
}

/// Compresses JSON, HTML and figures whose length is known. Streams are left alone.
pub(crate) async fn compressed(request: Request, next: Next) -> Response {
    let coding = Coding::accepted(request.headers());
    let mut response = next.run(request).await;
    if !is_text(response.headers()) || response.body().size_hint().exact().is_none_or(|length| length < BYTES_MIN) {
        return response;
    }
    response.headers_mut().append(VARY, HeaderValue::from_static("accept-encoding"));
    let Some(coding) = coding else { return response };
    let (mut head, body) = response.into_parts();
    // Its length is known, so it is in memory already.
    let Ok(body) = body.collect().await else { return Response::from_parts(head, Body::empty()) };
    let body = body.to_bytes();
    let packed = match body.len() {
        HEAVY_BYTES.. => {
            let body = body.clone();
            tokio::task::spawn_blocking(move || coding.encode(&body)).await.ok().flatten()
        }
        _ => coding.encode(&body),
    };
    let Some(packed) = packed else { return Response::from_parts(head, Body::from(body)) };
    head.headers.insert(CONTENT_ENCODING, HeaderValue::from_static(coding.name()));
    head.headers.remove(CONTENT_LENGTH);
    Response::from_parts(head, Body::from(packed))
}

/// Whether the answer is text that is not encoded yet.
fn is_text(headers: &HeaderMap) -> bool {
    let media_type = headers.get(CONTENT_TYPE).map_or(&b""[..], |value| value.as_bytes());
    let texts: [&[u8]; 4] = [b"application/json", b"text/html", b"text/plain", b"application/openmetrics-text"];
    !headers.contains_key(CONTENT_ENCODING) && texts.iter().any(|text| media_type.starts_with(text))
}

impl Coding {
    /// The fastest that the client accepts.
    fn accepted(headers: &HeaderMap) -> Option<Self> {
        let values = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
        let accepted: Vec<&str> = values.flat_map(|value| value.split(',')).filter_map(wanted).collect();
        [Self::Zstd, Self::Gzip]
            .into_iter()
            .find(|coding| accepted.iter().any(|name| name.eq_ignore_ascii_case(coding.name())))
    }

    fn name(self) -> &'static str {
        match self {
            Self::Zstd => "zstd",
            Self::Gzip => "gzip",
        }
    }

    /// The body in this coding; `None` when it cannot be encoded, which is told by sending it as it is.
    fn encode(self, body: &Bytes) -> Option<Vec<u8>> {
        match self {
            Self::Zstd => zstd::bulk::compress(body, ZSTD_LEVEL).ok(),
            Self::Gzip => {
                use std::io::Write as _;
                let packed = Vec::with_capacity(body.len() / 4);
                let mut encoder = flate2::write::GzEncoder::new(packed, flate2::Compression::fast());
                encoder.write_all(body).ok()?;
                encoder.finish().ok()
            }
        }
    }
}

/// The name of a coding that is not refused by a quality of 0.
fn wanted(text: &str) -> Option<&str> {
    let mut parts = text.split(';').map(str::trim);
    let name = parts.next()?;
    let is_refused = parts.any(|part| {
        let quality = part.strip_prefix("q=").or_else(|| part.strip_prefix("Q="));
        quality.is_some_and(|quality| quality.trim().parse() == Ok(0.0))
    });
    (!is_refused).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepted(value: &'static str) -> Option<Coding> {
        Coding::accepted(&[(ACCEPT_ENCODING, HeaderValue::from_static(value))].into_iter().collect())
    }

    #[test]
    fn the_fastest_accepted_coding_is_taken() {
        assert_eq!(accepted("gzip, deflate, br, zstd"), Some(Coding::Zstd));
        assert_eq!(accepted("gzip, deflate, br"), Some(Coding::Gzip));
        assert_eq!(accepted("GZIP;q=0.5, zstd;q=0"), Some(Coding::Gzip));
        assert_eq!(accepted("br"), None);
        assert_eq!(accepted("gzip;q=0.000"), None);
        assert_eq!(Coding::accepted(&HeaderMap::new()), None);
    }

    #[test]
    fn what_is_packed_comes_back() {
        let body = Bytes::from("clew ".repeat(10_000));
        assert_eq!(zstd::decode_all(&Coding::Zstd.encode(&body).unwrap()[..]).unwrap(), body);
        let packed = Coding::Gzip.encode(&body).unwrap();
        let mut plain = Vec::new();
        std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&packed[..]), &mut plain).unwrap();
        assert!(plain == body && packed.len() < body.len() / 10);
    }
}
