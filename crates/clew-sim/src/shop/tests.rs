use std::collections::{HashMap, HashSet};

use clew_model::value::find;
use clew_model::{Kind, SpanId};

use super::*;

const NOW: u64 = 1_763_600_000_000_000_000;

fn visits(seed: u64, count: usize) -> Vec<(Story, Vec<Span>)> {
    let mut shop = Shop::new(seed);
    let mut all = Vec::new();
    for _ in 0..count {
        let spans = shop.next_trace(NOW);
        all.push((shop.story(), spans));
    }
    all
}

fn of_story(story: Story) -> Vec<Span> {
    visits(1, 12).into_iter().find(|(told, _)| *told == story).expect("each planted story comes within twelve visits").1
}

#[test]
fn the_same_seed_tells_the_same_stories() {
    assert_eq!(visits(7, 24), visits(7, 24));
    assert_ne!(visits(7, 1), visits(8, 1));
}

#[test]
fn the_same_seed_at_another_time_tells_them_under_other_ids() {
    let (one, two) = (Shop::new(7).next_trace(NOW), Shop::new(7).next_trace(NOW + 1));
    assert_ne!(one[0].trace_id, two[0].trace_id);
    let told = |spans: &[Span]| spans.iter().map(|span| (span.name.clone(), span.duration_nanos)).collect::<Vec<_>>();
    assert_eq!(told(&one), told(&two));
}

#[test]
fn every_service_sends_and_every_trace_hangs_together() {
    let mut services = HashSet::new();
    for (_, spans) in visits(1, 60) {
        let ids: HashSet<SpanId> = spans.iter().map(|span| span.span_id).collect();
        assert_eq!(ids.len(), spans.len());
        assert_eq!(spans.iter().filter(|span| span.parent_span_id.is_none()).count(), 1);
        for span in &spans {
            assert!(span.parent_span_id.is_none_or(|parent| ids.contains(&parent)));
            assert!(span.trace_id == spans[0].trace_id && span.duration_nanos > 0);
            services.insert(span.service().to_owned());
        }
    }
    assert_eq!(services.len(), Service::ALL.len());
}

#[test]
fn the_slow_query_dominates_its_trace() {
    let spans = of_story(Story::SlowQuery);
    let slow = spans.iter().find(|span| span.name == "SELECT products").expect("the query");
    assert!(slow.duration_nanos * 10 > spans[0].duration_nanos * 9);
    assert!(find(&slow.attributes, "db.query.text").is_some());
}

#[test]
fn a_declined_card_is_an_exception_that_travels_up() {
    let spans = of_story(Story::Declined);
    let thrown = |span: &&Span| span.events.iter().any(|event| event.name == "exception");
    let origin = spans.iter().find(thrown).expect("an exception");
    assert!(origin.service() == "payment" && origin.is_error());
    assert!(spans[0].is_error(), "the shopper sees it");
    assert!(spans.iter().all(|span| span.service() != "email"), "nothing is sent after it");
}

#[test]
fn the_cart_asks_once_per_product() {
    let spans = of_story(Story::RepeatedQuery);
    let mut by_parent: HashMap<_, usize> = HashMap::new();
    for span in spans.iter().filter(|span| span.name == "SELECT products") {
        *by_parent.entry(span.parent_span_id).or_default() += 1;
    }
    assert!(by_parent.values().any(|count| *count >= 12), "{by_parent:?}");
}

#[test]
fn orders_go_on_after_the_reply_with_links() {
    let spans = of_story(Story::Checkout);
    let consumers: Vec<_> = spans.iter().filter(|span| span.kind == Kind::Consumer).collect();
    assert_eq!(consumers.len(), 2);
    let producer = spans.iter().find(|span| span.kind == Kind::Producer).expect("a producer");
    for consumer in consumers {
        assert_eq!(consumer.links[0].span_id, producer.span_id);
        assert!(consumer.start_unix_nanos > producer.end_unix_nanos());
    }
    assert!(spans.iter().any(|span| span.end_unix_nanos() > spans[0].end_unix_nanos()), "an async tail");
}

#[test]
fn the_quote_host_runs_ahead() {
    let spans = of_story(Story::Checkout);
    let quote = spans.iter().find(|span| span.service() == "quote").expect("a quote");
    let caller = spans.iter().find(|span| Some(span.span_id) == quote.parent_span_id).expect("its caller");
    assert!(quote.start_unix_nanos > caller.end_unix_nanos());
}

#[test]
fn the_gap_is_time_in_no_child() {
    let spans = of_story(Story::Gap);
    let order = spans.iter().find(|span| span.kind == Kind::Server && span.name.ends_with("PlaceOrder")).expect("it");
    let mut children: Vec<_> = spans.iter().filter(|span| span.parent_span_id == Some(order.span_id)).collect();
    children.sort_by_key(|span| span.start_unix_nanos);
    let gap = children.windows(2).map(|pair| pair[1].start_unix_nanos.saturating_sub(pair[0].end_unix_nanos())).max();
    assert!(gap > Some(40_000_000), "{gap:?}");
}
