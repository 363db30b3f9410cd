//! One file as a response: encoding, validators, headers.

use axum::response::{IntoResponse, Response};
use http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH,
    REFERRER_POLICY, VARY, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use super::files::File;

/// What a page of this server may do: use what is of this server.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; \
                      font-src 'self'; connect-src 'self'; base-uri 'self'; form-action 'none'; frame-ancestors 'none'";

/// A file on its way out.
pub(super) struct Sent<'f> {
    pub(super) file: &'f File,
    /// Whether it is the client's page, and not a file that the page asks for.
    pub(super) is_page: bool,
}

impl Sent<'_> {
    /// The response to a request with these headers.
    pub(super) fn answer(&self, asked: &HeaderMap) -> Response {
        let brotli = self.file.brotli.as_ref().filter(|_| accepts_brotli(asked));
        // One tag for one sequence of bytes: a packed file is another (RFC 9110, section 8.8.3).
        let tag = format!("\"{}{}\"", self.file.tag, if brotli.is_some() { "-br" } else { "" });
        let mut headers = HeaderMap::new();
        let mut set = |name: HeaderName, value: &'static str| headers.insert(name, HeaderValue::from_static(value));
        let kept = if self.file.is_immutable { "public, max-age=31536000, immutable" } else { "no-cache" };
        set(CACHE_CONTROL, kept);
        set(VARY, if self.is_page { "accept, accept-encoding" } else { "accept-encoding" });
        set(CONTENT_SECURITY_POLICY, POLICY);
        set(X_CONTENT_TYPE_OPTIONS, "nosniff");
        set(REFERRER_POLICY, "no-referrer");
        if let Ok(tag) = HeaderValue::from_str(&tag) {
            headers.insert(ETAG, tag);
        }
        if is_known(asked, &tag) {
            return (StatusCode::NOT_MODIFIED, headers).into_response();
        }
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(self.file.media_type));
        if brotli.is_some() {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static("br"));
        }
        (headers, brotli.unwrap_or(&self.file.plain).clone()).into_response()
    }
}

/// Whether the client takes brotli: it names it, or anything, and not with a weight of zero.
fn accepts_brotli(asked: &HeaderMap) -> bool {
    let mut any = false;
    for part in list(asked, ACCEPT_ENCODING) {
        let (name, weight) = part.split_once(';').unwrap_or((part, ""));
        let weight = weight.trim().trim_start_matches(['q', 'Q']).trim_start_matches('=');
        let is_taken = weight.trim().parse::<f32>().map_or(true, |weight| weight > 0.0);
        match name.trim() {
            name if name.eq_ignore_ascii_case("br") => return is_taken,
            "*" => any = is_taken,
            _ => {}
        }
    }
    any
}

/// Whether the client has these bytes already.
fn is_known(asked: &HeaderMap, tag: &str) -> bool {
    list(asked, IF_NONE_MATCH).any(|known| known == "*" || known.trim_start_matches("W/") == tag)
}

/// The parts of a header that is a list.
fn list(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = &str> {
    let values = headers.get_all(name).into_iter().map(|value| value.to_str().unwrap_or_default());
    values.flat_map(|value| value.split(',')).map(str::trim)
}
