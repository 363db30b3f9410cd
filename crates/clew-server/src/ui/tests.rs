use axum::body::Body;
use http::header::{
    ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, HeaderName, IF_NONE_MATCH,
    REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use http::{Method, Request, StatusCode};
use http_body_util::BodyExt as _;
use tower::ServiceExt as _;

use super::*;

const TEXT: &str = "in words";
const BROWSER: (HeaderName, &str) = (ACCEPT, "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8");
const PACKED: (HeaderName, &str) = (ACCEPT_ENCODING, "gzip, deflate, br, zstd");

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Answer {
    fn header(&self, name: HeaderName) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

async fn ask(method: Method, path: &str, headers: &[(HeaderName, &str)]) -> Answer {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(name, *value);
    }
    let router: Router = routes(TEXT);
    let response = router.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes().to_vec();
    Answer { status: parts.status, headers: parts.headers, body }
}

async fn get(path: &str, headers: &[(HeaderName, &str)]) -> Answer {
    ask(Method::GET, path, headers).await
}

/// The files that the built page refers to.
fn referred(html: &str) -> Vec<&str> {
    let after = |attribute: &'static str| html.split(attribute).skip(1).filter_map(|rest| rest.split('"').next());
    after("src=\"").chain(after("href=\"")).filter(|path| !path.starts_with("..") && *path != "./").collect()
}

#[tokio::test]
async fn the_root_is_text_for_whoever_does_not_name_html() {
    for accept in [&[][..], &[(ACCEPT, "*/*")], &[(ACCEPT, "application/json")], &[(ACCEPT, "text/html;q=0, */*")]] {
        let answer = get("/", accept).await;
        assert_eq!((answer.status, answer.text()), (StatusCode::OK, TEXT), "{accept:?}");
        assert_eq!(answer.header(CONTENT_TYPE), "text/plain; charset=utf-8");
    }
    for accept in [BROWSER, (ACCEPT, "text/html")] {
        let answer = get("/", &[accept]).await;
        assert!(answer.text().starts_with("<!doctype html>"), "{}", answer.text());
        assert_eq!(answer.header(CONTENT_TYPE), "text/html; charset=utf-8");
        assert!(answer.header(VARY).contains("accept,"), "a cache must not mix them up");
    }
}

#[tokio::test]
async fn the_page_knows_the_way_to_the_root_whatever_stands_before_it() {
    for (path, base) in [
        ("/", "./"),
        ("/start", "./"),
        ("/operate?tenant=a/b", "./"),
        ("/view", "./"),
        ("/t/4bf92f3577b34da6a3ce929d0e0e4736?span=00f067aa0ba902b7", "../"),
        ("/t/4bf92f3577b34da6a3ce929d0e0e4736/", "../../"),
    ] {
        let answer = get(path, &[BROWSER, PACKED]).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}");
        let packed = answer.header(CONTENT_ENCODING) == "br";
        assert_eq!(packed, base == "./", "{path}: what was changed cannot be the packed file");
        let html = get(path, &[BROWSER]).await;
        let bases: Vec<&str> = html.text().split("<base href=\"").skip(1).collect();
        assert_eq!(bases.len(), 1, "{path}");
        assert!(bases[0].starts_with(&format!("{base}\"")), "{path}: {}", bases[0]);
        assert!(!html.text().split("<base").next().unwrap().contains("href="), "a reference before the base");
    }
}

#[tokio::test]
async fn all_that_the_page_refers_to_is_here_and_relative() {
    let page = get("/", &[BROWSER]).await;
    let referred = referred(page.text());
    assert!(referred.iter().any(|path| path.ends_with(".js")), "{referred:?}");
    for path in referred {
        let path = path.strip_prefix("./").unwrap_or_else(|| panic!("{path} is not relative"));
        let answer = get(&format!("/{path}"), &[]).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}");
    }
}

#[tokio::test]
async fn every_file_is_sent_as_it_is_and_packed() {
    for path in files().paths().filter(|path| !path.ends_with(".html")) {
        let address = format!("/{path}");
        let plain = get(&address, &[]).await;
        assert_eq!((plain.status, &plain.body[..]), (StatusCode::OK, embedded(path).unwrap()), "{path}");
        assert_eq!(plain.header(CONTENT_ENCODING), "");
        assert_ne!(plain.header(CONTENT_TYPE), "application/octet-stream", "{path} has a type that nobody knows");
        let packed = get(&address, &[PACKED]).await;
        assert_eq!(packed.header(CONTENT_ENCODING), "br", "{path} has no twin");
        assert_eq!(packed.header(CONTENT_TYPE), plain.header(CONTENT_TYPE));
        assert_ne!(packed.header(ETAG), plain.header(ETAG));
        assert!(packed.body.len() < plain.body.len() && !packed.body.is_empty(), "{path}");
        let kept = if path.starts_with("assets/") { "public, max-age=31536000, immutable" } else { "no-cache" };
        assert_eq!((plain.header(CACHE_CONTROL), packed.header(CACHE_CONTROL)), (kept, kept), "{path}");
        for refusing in ["gzip", "br;q=0", "*;q=0", "br;q=0, *", "identity"] {
            let answer = get(&address, &[(ACCEPT_ENCODING, refusing)]).await;
            assert_eq!(answer.header(CONTENT_ENCODING), "", "{refusing}");
        }
        for taking in ["br", "*", "BR;q=0.1", "gzip;q=0, br; q=1.0"] {
            assert_eq!(get(&address, &[(ACCEPT_ENCODING, taking)]).await.header(CONTENT_ENCODING), "br", "{taking}");
        }
    }
}

#[tokio::test]
async fn what_the_client_has_is_not_sent_again() {
    let addresses = files().paths().filter(|path| !path.ends_with(".html")).map(|path| format!("/{path}"));
    for address in ["/", "/t/1"].map(str::to_owned).into_iter().chain(addresses) {
        let first = get(&address, &[BROWSER, PACKED]).await;
        let tag = first.header(ETAG);
        assert!(tag.starts_with('"') && tag.ends_with('"'), "{tag}");
        for known in [tag, &format!("\"x\", W/{tag}"), "*"] {
            let again = get(&address, &[BROWSER, PACKED, (IF_NONE_MATCH, known)]).await;
            assert_eq!((again.status, again.body.len()), (StatusCode::NOT_MODIFIED, 0), "{address} {known}");
            assert_eq!((again.header(ETAG), again.header(CACHE_CONTROL)), (tag, first.header(CACHE_CONTROL)));
        }
        let other = get(&address, &[BROWSER, PACKED, (IF_NONE_MATCH, "\"other\"")]).await;
        assert_eq!((other.status, &other.body), (StatusCode::OK, &first.body));
    }
    let (shallow, deep) = (get("/", &[BROWSER]).await, get("/t/1", &[BROWSER]).await);
    assert_ne!(shallow.header(ETAG), deep.header(ETAG), "other bytes");
}

#[tokio::test]
async fn every_answer_says_what_a_page_may_do() {
    let script = files().paths().find(|path| path.ends_with(".js")).unwrap();
    for address in ["/", "/start", "/t/1", &format!("/{script}")] {
        let answer = get(address, &[BROWSER]).await;
        let policy = answer.header(CONTENT_SECURITY_POLICY);
        assert_eq!(
            policy,
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; font-src 'self'; \
             connect-src 'self'; base-uri 'self'; form-action 'none'; frame-ancestors 'none'",
            "{address}"
        );
        assert_eq!(answer.header(X_CONTENT_TYPE_OPTIONS), "nosniff");
        assert_eq!(answer.header(REFERRER_POLICY), "no-referrer");
    }
    let page = get("/", &[BROWSER]).await;
    for inline in ["<style", " style=", " onload=", "<script>"] {
        assert!(!page.text().contains(inline), "the policy forbids {inline}");
    }
}

#[tokio::test]
async fn head_is_get_without_its_body() {
    let script = files().paths().find(|path| path.ends_with(".js")).unwrap();
    for address in ["/", "/t/1", &format!("/{script}")] {
        let (head, get) = (ask(Method::HEAD, address, &[BROWSER]).await, get(address, &[BROWSER]).await);
        assert_eq!((head.status, head.body.len()), (StatusCode::OK, 0));
        assert_eq!(head.header(http::header::CONTENT_LENGTH), get.body.len().to_string(), "{address}");
        assert_eq!((head.header(ETAG), head.header(CONTENT_TYPE)), (get.header(ETAG), get.header(CONTENT_TYPE)));
    }
    assert_eq!(ask(Method::POST, "/start", &[]).await.status, StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn a_file_of_another_version_is_a_problem_that_is_not_kept() {
    for address in ["/assets/index-00000000.js", "/assets/..%2findex.html", "/assets/%"] {
        let answer = get(address, &[BROWSER]).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{address}");
        assert!(answer.text().contains("reload"), "{}", answer.text());
        assert_eq!(answer.header(CACHE_CONTROL), "no-cache");
    }
    for address in ["/viewer.html", "/index.html", "/icon.svg.br"] {
        assert_eq!(get(address, &[BROWSER]).await.status, StatusCode::NOT_FOUND, "{address}");
    }
}
