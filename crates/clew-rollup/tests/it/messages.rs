//! Who called whom: messages.

use clew_model::Kind::{Client, Consumer, Internal, Producer, Server};
use clew_model::{Span, TraceId};
use clew_rollup::Rollup;

use crate::draw::{Drawn, TRACE, edges, span};

const ELSEWHERE: TraceId = TraceId([9; 16]);

fn producer() -> Span {
    span("shop", Producer, 1, 0).with("messaging.system", "kafka").with("messaging.destination.name", "orders")
}

fn consumer(id: u64, parent: u64) -> Span {
    span("mail", Consumer, id, parent).with("messaging.system", "kafka").with("messaging.destination.name", "orders")
}

/// The sum of the latencies of all edges, and how many there are.
fn latency(spans: &[Span]) -> (i128, i64) {
    let rollup = Rollup::of_trace(spans, true);
    let edges = rollup.edges(0..u64::MAX, None);
    edges.fold((0, 0), |sum, (_, _, figures)| (sum.0 + figures.latency.sum_nanos(), sum.1 + figures.latency.count()))
}

#[test]
fn a_message_goes_from_its_producer_to_its_consumer() {
    let spans = [producer(), consumer(5, 1)];
    assert_eq!(edges(&spans), ["shop -> mail messaging"]);
    // From the end of one, at 2 ms, to the start of the other, at 5 ms.
    assert_eq!(latency(&spans), (3_000_000, 1));
}

#[test]
fn a_consumer_that_began_before_the_producer_ended_waited_for_nothing() {
    let mut slow = producer();
    slow.duration_nanos = u64::MAX;
    assert_eq!(latency(&[slow, consumer(5, 1)]), (0, 1));
}

#[test]
fn each_consumer_has_its_message() {
    let other = span("audit", Consumer, 3, 1);
    assert_eq!(edges(&[producer(), consumer(2, 1), other]), ["shop -> audit messaging", "shop -> mail messaging"]);
}

#[test]
fn a_message_nobody_was_seen_to_take_goes_to_its_topic() {
    assert_eq!(edges(&[producer()]), ["shop -> orders messaging"]);
    let system = span("shop", Producer, 1, 0).with("messaging.system", "kafka");
    assert_eq!(edges(&[system]), ["shop -> kafka messaging"]);
    let old = span("shop", Producer, 1, 0).with("messaging.destination", "orders").with("messaging.system", "kafka");
    assert_eq!(edges(&[old]), ["shop -> orders messaging"]);
    let zipkin = span("shop", Producer, 1, 0).with("peer.service", "broker");
    assert_eq!(edges(&[zipkin]), ["shop -> broker messaging"]);
    assert_eq!(edges(&[span("shop", Producer, 1, 0)]), [""; 0]);
    // Some libraries send as clients.
    let client = span("shop", Client, 1, 0).with("messaging.destination.name", "orders");
    assert_eq!(edges(&[client]), ["shop -> orders messaging"]);
}

#[test]
fn a_message_nobody_was_seen_to_send_comes_from_its_topic() {
    let expected = ["orders -> mail messaging"];
    assert_eq!(edges(&[consumer(2, 0)]), expected);
    assert_eq!(edges(&[consumer(2, 99)]), expected);
    assert_eq!(edges(&[consumer(2, 0).linked(ELSEWHERE, 1)]), expected);
    assert_eq!(edges(&[span("mail", Server, 1, 0), consumer(2, 1)]), expected);
    assert_eq!(edges(&[span("mail", Consumer, 2, 0)]), [""; 0]);
    assert_eq!(latency(&[consumer(2, 0)]), (0, 0));
}

#[test]
fn a_link_within_the_trace_is_an_edge() {
    let spans = [producer(), consumer(5, 0).linked(TRACE, 1)];
    assert_eq!(edges(&spans), ["shop -> mail link"]);
    assert_eq!(latency(&spans), (3_000_000, 1));
    let handler = span("shop", Server, 1, 0);
    assert_eq!(edges(&[handler.clone(), consumer(5, 0).linked(TRACE, 1)]), ["shop -> mail link"]);
    assert_eq!(latency(&[handler, consumer(5, 0).linked(TRACE, 1)]), (0, 0));
    // A parent that sent nothing does not hide the link; one that did does.
    let spans = [span("job", Internal, 7, 0), producer(), consumer(8, 7).linked(TRACE, 1)];
    assert_eq!(edges(&spans), ["shop -> mail link"]);
    assert_eq!(edges(&[producer(), consumer(8, 1).linked(TRACE, 1)]), ["shop -> mail messaging"]);
}

#[test]
fn a_batch_has_an_edge_for_each_span_that_it_links_to() {
    let second = span("shop", Producer, 2, 0);
    let batch = consumer(5, 0).linked(TRACE, 1).linked(TRACE, 2).linked(TRACE, 2).linked(ELSEWHERE, 3).linked(TRACE, 5);
    assert_eq!(edges(&[producer(), second, batch]), ["shop -> mail link x2"]);
}

#[test]
fn a_link_to_a_span_that_was_not_received_is_one_to_another_trace() {
    assert_eq!(edges(&[consumer(5, 0).linked(TRACE, 77)]), ["orders -> mail messaging"]);
}

#[test]
fn what_is_processed_was_received_once() {
    let receive = consumer(2, 0);
    let step = span("mail", Internal, 3, 2);
    let process = consumer(4, 3).linked(ELSEWHERE, 9);
    assert_eq!(edges(&[receive.clone(), step, process]), ["orders -> mail messaging"]);
    // By a link to the span that received it, too.
    assert_eq!(edges(&[receive, consumer(4, 0).linked(TRACE, 2)]), ["orders -> mail messaging"]);
}

#[test]
fn a_client_that_receives_is_a_consumer() {
    let receive = || span("mail", Client, 2, 0).with("messaging.destination.name", "orders");
    let receive = || receive().with("messaging.operation.type", "receive");
    assert_eq!(edges(&[receive()]), ["orders -> mail messaging"]);
    assert_eq!(edges(&[producer(), receive().linked(TRACE, 1)]), ["shop -> mail link"]);
    assert_eq!(edges(&[receive(), consumer(3, 2)]), ["orders -> mail messaging"]);
}

#[test]
fn a_service_sends_messages_to_itself() {
    let own = span("shop", Consumer, 2, 1);
    assert_eq!(edges(&[producer(), own]), ["shop -> shop messaging"]);
    assert_eq!(edges(&[producer(), span("shop", Consumer, 2, 0).linked(TRACE, 1)]), ["shop -> shop link"]);
}

#[test]
fn a_consumer_without_a_producer_is_called_by_its_parent_elsewhere() {
    assert_eq!(edges(&[span("shop", Server, 1, 0), consumer(2, 1)]), ["shop -> mail messaging"]);
    assert_eq!(latency(&[span("shop", Server, 1, 0), consumer(2, 1)]), (0, 0));
    assert_eq!(edges(&[span("shop", Client, 1, 0), consumer(2, 1)]), ["shop -> mail messaging"]);
}

#[test]
fn the_request_that_carries_a_message_is_not_counted_beside_it() {
    let request = span("shop", Client, 2, 1).with("http.request.method", "POST").with("server.address", "sqs");
    assert_eq!(edges(&[producer(), request.clone()]), ["shop -> orders messaging"]);
    assert_eq!(edges(&[producer(), request, consumer(5, 1)]), ["shop -> mail messaging"]);
}

#[test]
fn a_link_to_a_step_below_a_call_does_not_answer_that() {
    let query = span("shop", Client, 1, 0).with("db.system", "redis");
    let spans = [query, span("shop", Internal, 2, 1), span("mail", Consumer, 5, 0).linked(TRACE, 2)];
    assert_eq!(edges(&spans), ["shop -> mail link", "shop -> redis database"]);
}
