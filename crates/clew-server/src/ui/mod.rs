//! The web UI: the files of `ui/dist`, as they were when this binary was built.
//!
//! The client's own addresses (a trace, the first minute, ...) are answered with the one page that there is. It refers to
//! everything relative to its `<base>`, which says how far up the client's root is from the address asked for: so the UI
//! works below any prefix that a proxy takes off, and no setting says which.
//!
//! | File | What |
//! |---|---|
//! | `files` | what was embedded, and the media types |
//! | `answer` | one file as a response: encoding, validators, headers |
//!
//! Invariants: nothing that is served lets a page load, run or send anything that is not of this server, or be framed; a
//! file whose name carries the hash of its content is kept for ever, all others are asked about each time.

#![allow(clippy::case_sensitive_file_extension_comparisons, reason = "names of our own files, in lower case")]

mod answer;
mod files;

use axum::Router;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::header::{ACCEPT, CACHE_CONTROL, VARY};
use http::{HeaderMap, HeaderValue, Uri};

use self::answer::Sent;
use self::files::{Files, files};
use crate::ask::accept;
use crate::problem::Problem;

/// The client's addresses besides its root. `/t/` is a trace.
const CLIENT_ROUTES: [&str; 4] = ["/start", "/operate", "/view", "/t/{*rest}"];

/// What the root is answered with.
#[derive(Clone, Copy)]
enum Root {
    Text,
    Page,
}

/// The client's addresses and its files. Who asks for `/` and does not name HTML among what it accepts, as `curl` does
/// not, is answered with `text`.
pub(crate) fn routes<S: Clone + Send + Sync + 'static>(text: &'static str) -> Router<S> {
    let mut router =
        Router::new().route("/", get(async move |uri: Uri, headers: HeaderMap| root(&uri, &headers, text)));
    for route in CLIENT_ROUTES {
        router = router.route(route, get(async |uri: Uri, headers: HeaderMap| page(files(), &uri, &headers)));
    }
    for name in files().beside_page() {
        router = router.route(&format!("/{name}"), get(file));
    }
    router.route("/assets/{*name}", get(file))
}

/// The bytes of an embedded file, by its path in `ui/dist`.
pub(crate) fn embedded(path: &str) -> Option<&'static [u8]> {
    files().get(path).map(|file| &*file.plain)
}

fn root(uri: &Uri, headers: &HeaderMap, text: &'static str) -> Response {
    // The first one is what whoever has no preference gets.
    match accept::choose(headers, &[("text/plain", Root::Text), ("text/html", Root::Page)]) {
        Some(Root::Page) => page(files(), uri, headers),
        _ => ([(VARY, HeaderValue::from(ACCEPT))], text).into_response(),
    }
}

fn page(files: &Files, uri: &Uri, headers: &HeaderMap) -> Response {
    match files.page(uri.path()) {
        Some(page) => Sent { file: &page, is_page: true }.answer(headers),
        None => {
            Problem::not_found("this clew was built without its web page; the API answers all the same").into_response()
        }
    }
}

async fn file(uri: Uri, headers: HeaderMap) -> Response {
    if let Some(file) = files().get(uri.path().trim_start_matches('/')) {
        return Sent { file, is_page: false }.answer(&headers);
    }
    let detail = format!("there is no file {} here; the page that asks is of another version, reload it", uri.path());
    Problem::not_found(detail).header(CACHE_CONTROL, "no-cache").into_response()
}

#[cfg(test)]
mod tests;
