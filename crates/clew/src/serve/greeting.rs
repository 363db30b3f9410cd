//! What the first start says.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;

use clew_server::{Address, Purpose};

use crate::render::count;

/// The facts of a start.
pub(super) struct Greeting {
    pub(super) version: &'static str,
    pub(super) addresses: Vec<Address>,
    pub(super) api: SocketAddr,
    pub(super) data_dir: PathBuf,
    /// For how long, and how much.
    pub(super) keeps: (String, String),
    /// Blocks that were found, and their spans.
    pub(super) blocks: (u64, u64),
    /// Spans and seconds.
    pub(super) replayed: (u64, f64),
}

impl Greeting {
    /// What listens where, where the data lives, how much is kept, the page to open, and three lines to paste.
    pub(super) fn text(&self) -> String {
        let mut text = format!("clew {} is ready\n\n", self.version);
        for (place, purpose) in self.places() {
            let what = if purpose == Purpose::Otlp { "OTLP, gRPC and HTTP" } else { "web page, API, and OTLP" };
            let _ = writeln!(text, "  {:<28} {what}", format!("http://{place}"));
        }
        let _ = writeln!(text, "\n  data    {}", self.data_dir.display());
        let (spans, seconds) = self.replayed;
        if spans > 0 {
            let _ = writeln!(text, "          {} spans replayed in {seconds:.2} s", count(spans));
        }
        if self.blocks.0 > 0 {
            let blocks = if self.blocks.0 == 1 { "block" } else { "blocks" };
            let _ = writeln!(text, "          {} spans in {} {blocks}", count(self.blocks.1), count(self.blocks.0));
        }
        let (age, size) = &self.keeps;
        let _ = writeln!(text, "  keeps   spans for {age}, in {size}; the oldest go first");
        text + &self.lines_to_paste()
    }

    /// What listens where; both loopback addresses of a port are `localhost`.
    fn places(&self) -> Vec<(String, Purpose)> {
        let has = |ip: IpAddr, port| self.addresses.iter().any(|door| door.address == SocketAddr::new(ip, port));
        let (four, six) = (IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST));
        let place = |door: &Address| {
            let (ip, port) = (door.address.ip(), door.address.port());
            match has(four, port) && has(six, port) {
                true if ip == six => None,
                true if ip == four => Some((format!("localhost:{port}"), door.purpose)),
                _ => Some((door.address.to_string(), door.purpose)),
            }
        };
        self.addresses.iter().filter_map(place).collect()
    }

    /// The web page, as a browser on this machine names it: every door has it, and the API's is announced for it.
    fn page(&self, api: SocketAddr) -> String {
        let both = self.places().into_iter().map(|(place, _)| place);
        let mut local = both.filter(|place| *place == format!("localhost:{}", api.port()));
        local.next().unwrap_or_else(|| api.to_string())
    }

    /// Options are shown only where the defaults would miss this server.
    fn lines_to_paste(&self) -> String {
        let api = reachable(self.api);
        let otlp = self
            .addresses
            .iter()
            .find(|door| door.purpose == Purpose::Otlp)
            .map_or(api, |door| reachable(door.address));
        let http = self.addresses.iter().map(|door| reachable(door.address)).find(|address| address.port() == 4318);
        let option = |needed: bool, text: String| if needed { text } else { String::new() };
        let endpoint = option(otlp.port() != 4317, format!(" --endpoint http://{otlp}"));
        let server = option(api.port() != 8080, format!(" --server http://{api}"));
        let page = self.page(api);
        format!(
            "\nOpen http://{page}/ in a browser, or try\n  \
             OTEL_EXPORTER_OTLP_ENDPOINT=http://{} OTEL_SERVICE_NAME=my-service your-program\n  \
             clew demo{endpoint}\n  \
             clew search --status error{server}\n",
            http.unwrap_or(otlp)
        )
    }
}

/// The address as a client on this machine names it.
fn reachable(address: SocketAddr) -> SocketAddr {
    let any = address.ip().is_unspecified();
    if any { SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), address.port()) } else { address }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn greeting(addresses: &[(&str, Purpose)], replayed: (u64, f64)) -> Greeting {
        let addresses: Vec<_> = addresses
            .iter()
            .map(|(address, purpose)| Address { address: address.parse().unwrap(), purpose: *purpose })
            .collect();
        let api = addresses.iter().find(|door| door.purpose == Purpose::Api).unwrap_or(&addresses[0]).address;
        let data_dir = "/srv/clew-data".into();
        Greeting {
            version: "0.1.0",
            addresses,
            api,
            data_dir,
            keeps: ("7d".to_owned(), "80% of the room on its disk".to_owned()),
            blocks: (replayed.0 / 600_000, replayed.0),
            replayed,
        }
    }

    #[test]
    fn the_first_start() {
        let doors =
            [("127.0.0.1:8080", Purpose::Api), ("127.0.0.1:4317", Purpose::Otlp), ("127.0.0.1:4318", Purpose::Otlp)];
        insta::assert_snapshot!(greeting(&doors, (0, 0.0)).text(), @r"
        clew 0.1.0 is ready

          http://127.0.0.1:8080        web page, API, and OTLP
          http://127.0.0.1:4317        OTLP, gRPC and HTTP
          http://127.0.0.1:4318        OTLP, gRPC and HTTP

          data    /srv/clew-data
          keeps   spans for 7d, in 80% of the room on its disk; the oldest go first

        Open http://127.0.0.1:8080/ in a browser, or try
          OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318 OTEL_SERVICE_NAME=my-service your-program
          clew demo
          clew search --status error
        ");
    }

    #[test]
    fn both_loopback_addresses_are_one_line() {
        let doors = [("127.0.0.1:8080", Purpose::Api), ("[::1]:8080", Purpose::Api), ("[::1]:4318", Purpose::Otlp)];
        let text = greeting(&doors, (0, 0.0)).text();
        assert!(
            text.contains("  http://localhost:8080        web page, API, and OTLP\n  http://[::1]:4318 "),
            "{text}"
        );
        assert!(text.contains("\nOpen http://localhost:8080/ in a browser"), "{text}");
        assert!(!text.contains("127.0.0.1:8080") && !text.contains("[::1]:8080"), "{text}");
    }

    #[test]
    fn a_later_start_on_another_port() {
        insta::assert_snapshot!(greeting(&[("0.0.0.0:18080", Purpose::Api)], (1_234_567, 0.81)).text(), @r"
        clew 0.1.0 is ready

          http://0.0.0.0:18080         web page, API, and OTLP

          data    /srv/clew-data
                  1,234,567 spans replayed in 0.81 s
                  1,234,567 spans in 2 blocks
          keeps   spans for 7d, in 80% of the room on its disk; the oldest go first

        Open http://127.0.0.1:18080/ in a browser, or try
          OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:18080 OTEL_SERVICE_NAME=my-service your-program
          clew demo --endpoint http://127.0.0.1:18080
          clew search --status error --server http://127.0.0.1:18080
        ");
    }
}
