//! What was acknowledged is found at once, by id and by search, while others send.

use std::sync::Arc;

use clew_model::{Attribute, Resource, Span, SpanId, TraceId};

use crate::server::{Running, get, post};

const SENDERS: u64 = 8;
const SENDS: u64 = 10_000;

#[test]
fn ten_thousand_spans_are_each_found_at_their_acknowledgement() {
    let folder = tempfile::tempdir().unwrap();
    // Little memory and old age at once, so that spans are sealed all the time.
    let flags = ["--listen", "127.0.0.1:0", "--live-bytes", "4MiB", "--live-seal-apart", "0s", "--live-seal-age", "1s"];
    let server = Running::start_with(folder.path(), &flags);
    std::thread::scope(|scope| {
        for sender in 0..SENDERS {
            let address = server.address.as_str();
            scope.spawn(move || send_and_ask(address, sender));
        }
    });
    assert!(server.figure("clew_seal_seconds_count") >= 1.0, "no seal while others sent");
    server.stop();
}

fn send_and_ask(address: &str, sender: u64) {
    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
    for number in 0..SENDS / SENDERS {
        let id = TraceId((u128::from(sender + 1) << 64 | u128::from(number + 1)).to_be_bytes());
        let body = clew_wire::otlp::encode(&[span(id, sender, number)]);
        assert_eq!(post(&agent, address, &body).unwrap(), 200);
        let ask = |path: &str| {
            let mut response = agent.get(format!("http://{address}{path}")).call().unwrap();
            response.body_mut().read_to_string().unwrap()
        };
        // By id and by search in turn: each of the two has to follow the acknowledgement directly in half of the sends.
        let by_id = |text: String| assert!(text.contains("\"spanCount\":1"), "{id} by id: {text}");
        let by_search = |text: String| assert!(text.contains(&id.to_string()), "{id} by search: {text}");
        let (trace, search) =
            (format!("/v1/traces/{id}"), format!("/v1/traces/search?attr.order.id={sender}-{number}&total=none"));
        if number % 2 == 0 {
            by_id(ask(&trace));
            by_search(ask(&search));
        } else {
            by_search(ask(&search));
            by_id(ask(&trace));
        }
    }
    assert_eq!(get(address, "/v1/ready").0, 200);
}

fn span(trace_id: TraceId, sender: u64, number: u64) -> Span {
    let resource = Resource { attributes: vec![Attribute::new("service.name", "orders")], ..Resource::default() };
    Span {
        trace_id,
        span_id: SpanId((number + 1).to_be_bytes()),
        name: "place order".to_owned(),
        start_unix_nanos: 1_763_600_000_000_000_000 + number,
        duration_nanos: 1_000_000,
        attributes: vec![Attribute::new("order.id", format!("{sender}-{number}"))],
        resource: Arc::new(resource),
        ..Span::default()
    }
}
