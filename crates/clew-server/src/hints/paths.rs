//! What a request to a path where nothing answers was meant to be.

use super::Hint;

/// A mistake with a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Astray {
    pub(crate) hint: Hint,
    /// The nearest path, or the protocol that was spoken.
    pub(crate) detail: &'static str,
}

/// The paths of OTLP over HTTP.
const OTLP: [&str; 4] = ["/v1/traces", "/v1/metrics", "/v1/logs", "/v1development/profiles"];

/// Where other systems take spans, by the end of the path: agents put prefixes before.
const FOREIGN: [(&str, &str); 10] = [
    ("/api/v2/spans", "Zipkin v2"),
    ("/api/v1/spans", "Zipkin v1"),
    ("/v0.3/traces", "Datadog's protocol"),
    ("/v0.4/traces", "Datadog's protocol"),
    ("/v0.5/traces", "Datadog's protocol"),
    ("/v0.7/traces", "Datadog's protocol"),
    ("/intake/v2/events", "Elastic APM's protocol"),
    ("/v3/segments", "SkyWalking's protocol"),
    ("/services/collector/event", "Splunk's HEC"),
    ("/envelope/", "Sentry's protocol"),
];

/// Paths that browsers and robots ask everybody for.
const ASKED_OF_EVERYBODY: [&str; 5] =
    ["/favicon.ico", "/robots.txt", "/apple-touch-icon.png", "/apple-touch-icon-precomposed.png", "/manifest.json"];

/// What a request to `path` was meant to be; `None` when nobody has to know. `nearest` is the nearest path that is served.
pub(crate) fn astray(is_post: bool, path: &str, nearest: &'static str) -> Option<Astray> {
    if ASKED_OF_EVERYBODY.contains(&path) || path.starts_with("/.well-known/") {
        return None;
    }
    let path = path.trim_end_matches('/');
    if is_post && path.is_empty() {
        return Some(Astray { hint: Hint::PostToRoot, detail: OTLP[0] });
    }
    if is_post && let Some(doubled) = doubled(path) {
        return Some(Astray { hint: Hint::DoubledPath, detail: doubled });
    }
    if is_post && let Some(protocol) = foreign(path) {
        return Some(Astray { hint: Hint::ForeignProtocol, detail: protocol });
    }
    Some(Astray { hint: Hint::WrongPath, detail: nearest })
}

/// The path that an exporter added to a base address that ended with one already.
fn doubled(path: &str) -> Option<&'static str> {
    OTLP.into_iter().find(|end| {
        let base = path.strip_suffix(end);
        base.is_some_and(|base| OTLP.iter().any(|other| base.ends_with(other)))
    })
}

fn foreign(path: &str) -> Option<&'static str> {
    // Jaeger's clients send Thrift there, and its UI asks there by GET.
    if path == "/api/traces" {
        return Some("Jaeger's Thrift over HTTP");
    }
    let found = FOREIGN.into_iter().find(|(end, _)| path.ends_with(end.trim_end_matches('/')));
    found.map(|(_, protocol)| protocol)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_tell_what_was_meant() {
        let told = |is_post, path| astray(is_post, path, "/near").map(|astray| (astray.hint, astray.detail));
        assert_eq!(told(true, "/"), Some((Hint::PostToRoot, "/v1/traces")));
        assert_eq!(told(false, "/"), Some((Hint::WrongPath, "/near")));
        assert_eq!(told(true, "/v1/traces/v1/traces"), Some((Hint::DoubledPath, "/v1/traces")));
        assert_eq!(told(true, "/x/v1/traces/v1/metrics/"), Some((Hint::DoubledPath, "/v1/metrics")));
        assert_eq!(told(true, "/x/v1/traces"), Some((Hint::WrongPath, "/near")), "a prefix is not the path twice");
        assert_eq!(told(true, "/api/v2/spans"), Some((Hint::ForeignProtocol, "Zipkin v2")));
        assert_eq!(told(true, "/api/7/envelope/"), Some((Hint::ForeignProtocol, "Sentry's protocol")));
        assert_eq!(told(true, "/api/traces"), Some((Hint::ForeignProtocol, "Jaeger's Thrift over HTTP")));
        assert_eq!(
            told(false, "/api/traces"),
            Some((Hint::WrongPath, "/near")),
            "a reader speaks no sender's protocol"
        );
        assert_eq!(told(false, "/favicon.ico"), None);
        assert_eq!(told(false, "/.well-known/anything"), None);
    }
}
