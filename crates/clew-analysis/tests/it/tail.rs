//! The second horizon.

use clew_model::TraceId;

use crate::draw::{explained, id, spans, thread};

#[test]
fn a_message_makes_a_second_horizon() {
    let drawing = "
order | server @shop 0-100
  publish | producer @shop 80-90
    consume | consumer @mail 150-400
      send | client @mail 160-390";
    assert_eq!(
        thread(drawing),
        "order 0-80 gap, publish 80-90, order 90-100 gap | - 100-150 gap, consume 150-160, send 160-390, consume 390-400"
    );
}

#[test]
fn a_message_received_while_the_root_runs_explains_only_what_comes_after() {
    let drawing = "
order | server @shop 0-100
  publish | producer @shop 10-20
    consume | consumer @mail 30-160";
    assert_eq!(thread(drawing), "order 0-10 gap, publish 10-20, order 20-100 gap | consume 100-160");
}

#[test]
fn what_a_producer_reaches_is_not_waited_for_whatever_its_kind() {
    let drawing = "
enqueue | producer @shop 0-50
  job | internal @worker 10-40";
    assert_eq!(thread(drawing), "enqueue 0-50");
    assert!(explained(drawing).tree.has(1, clew_analysis::Marks::ASYNC));
}

#[test]
fn a_loop_that_polls_waits_for_its_receive_span() {
    let drawing = "
poll | 0-100
  receive | consumer 0-90";
    assert_eq!(thread(drawing), "receive 0-90, poll 90-100 gap");
}

#[test]
fn a_root_that_follows_up_by_a_link_is_no_second_root() {
    let drawing = "
order | 0-100
batch | consumer @mail link=1 150-200";
    assert_eq!(thread(drawing), "order 0-100 | - 100-150 gap, batch 150-200");
    let told = explained(drawing);
    assert_eq!(told.relations.len(), 1);
    assert_eq!((told.relations[0].from, told.relations[0].to), (1, Some(0)));
}

#[test]
fn a_skewed_clock_makes_no_second_horizon() {
    let drawing = "
call | client @web 0-100
  serve | server @api 5000-5080
    query | client @api 5010-5070";
    assert_eq!(thread(drawing), "call 0-100");
    let early = "
call | client @web 10-100
  serve | server @api 0-105";
    assert_eq!(thread(early), "serve 0-90");
    // What goes on for longer than the clocks contradict each other is real.
    let longer = "
call | client @web 10-100
  serve | server @api 0-150";
    assert_eq!(thread(longer), "serve 0-90 | serve 90-140");
}

#[test]
fn a_server_that_outlives_its_caller_went_on_working() {
    let drawing = "
call | client @web 0-100
  serve | server @api 10-600";
    assert_eq!(thread(drawing), "call 0-10 transit, serve 10-100 | serve 100-600");
}

#[test]
fn links_to_other_traces_are_listed() {
    let mut spans = spans("batch | consumer @mail 0-10 link=5");
    spans[0].links[0].trace_id = TraceId([9; 16]);
    let relations = clew_analysis::relations(&spans);
    assert_eq!((relations[0].trace_id, relations[0].span_id), (TraceId([9; 16]), id(5)));
    assert_eq!(relations[0].to, None);
    // Nor does it make a follow-up of the root.
    assert_eq!(thread("batch | consumer @mail 0-10 link=5"), "batch 0-10");
}
