//! The Host check: which names a request to a loopback door may be addressed to.
//!
//! A page on the web can make its own name resolve to 127.0.0.1 and then talk to a server there as if it were its own
//! (DNS rebinding). Its requests still carry the page's name, so a loopback door answers only to names of this machine.

use std::net::IpAddr;

use http::header::HOST;
use http::{Request, StatusCode};

use crate::problem::Problem;

/// The problem with a request to a loopback door that is addressed to a foreign name.
pub(crate) fn foreign<B>(request: &Request<B>, names: &[String]) -> Option<Problem> {
    let hosts = request.headers().get_all(HOST).iter().map(|value| value.to_str().unwrap_or("?"));
    let authority = request.uri().authority().map(http::uri::Authority::as_str);
    for addressed in hosts.chain(authority) {
        let name = without_port(addressed);
        if !(is_local(name) || names.iter().any(|known| known.eq_ignore_ascii_case(name))) {
            let detail = format!(
                "this door listens on loopback and answers to localhost only, not to `{}`; \
                 to allow that name, add it to the setting hosts",
                name.escape_debug()
            );
            return Some(Problem { parameter: Some("Host".to_owned()), ..Problem::new(StatusCode::FORBIDDEN, detail) });
        }
    }
    None
}

/// The name that a request is addressed to.
pub(crate) fn addressed<B>(request: &Request<B>) -> &str {
    let host = request.headers().get(HOST).and_then(|value| value.to_str().ok());
    host.or_else(|| request.uri().authority().map(http::uri::Authority::as_str)).unwrap_or("?")
}

fn without_port(addressed: &str) -> &str {
    let after_user = addressed.rsplit_once('@').map_or(addressed, |(_, host)| host);
    if after_user.starts_with('[') {
        return after_user.split_inclusive(']').next().unwrap_or(after_user);
    }
    after_user.split(':').next().unwrap_or(after_user)
}

fn is_local(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    if name.eq_ignore_ascii_case("localhost") {
        return true;
    }
    let bare = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(host: &str) -> bool {
        let request = Request::builder().header(HOST, host).body(()).unwrap();
        foreign(&request, &["clew.internal".to_owned()]).is_none()
    }

    #[test]
    fn names_of_this_machine_are_allowed() {
        for host in
            ["localhost", "LOCALHOST:4318", "127.0.0.1:8080", "127.8.9.1", "[::1]:4317", "[::1]", "Clew.Internal:1"]
        {
            assert!(allowed(host), "{host}");
        }
        assert!(
            foreign(&Request::builder().uri("/v1/traces").body(()).unwrap(), &[]).is_none(),
            "HTTP/1.0 names no host"
        );
    }

    #[test]
    fn other_names_are_not() {
        for host in
            ["evil.example", "localhost.evil.example:4318", "10.0.0.1", "", "[2001:db8::1]:80", "127.0.0.1.nip.io"]
        {
            assert!(!allowed(host), "{host}");
        }
    }

    #[test]
    fn every_host_header_counts() {
        let request = Request::builder().header(HOST, "localhost").header(HOST, "evil.example").body(()).unwrap();
        assert_eq!(foreign(&request, &[]).unwrap().status, 403);
    }

    #[test]
    fn the_authority_of_http2_counts_as_well() {
        let request = Request::builder().uri("http://evil.example:4317/v1/traces").body(()).unwrap();
        let problem = foreign(&request, &[]).unwrap();
        assert_eq!((problem.status, problem.parameter.as_deref()), (403, Some("Host")));
        assert!(problem.detail.contains("the setting hosts"), "{}", problem.detail);
    }
}
