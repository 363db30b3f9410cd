//! The shop's visits as exports, for whoever sends them: `clew demo` over gRPC, and a server that was asked for a demo to
//! itself.

use clew_model::Span;
use clew_server::{Demo, Visit, VisitExport};
use clew_sim::shop::{Shop, Story};

/// The astronomy shop of `clew-sim`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ShopDemo;

impl Demo for ShopDemo {
    fn visits(&self, seed: u64) -> Box<dyn FnMut(u64) -> Visit + Send> {
        let mut shop = Shop::new(seed);
        Box::new(move |start_unix_nanos| {
            let spans = shop.next_trace(start_unix_nanos);
            Visit { trace_id: spans[0].trace_id, about: about(shop.story()), exports: exports(&spans) }
        })
    }
}

/// What was planted in a trace, in a few words.
fn about(story: Story) -> Option<&'static str> {
    match story {
        Story::SlowQuery => Some("a slow query"),
        Story::Declined => Some("a declined card"),
        Story::RepeatedQuery => Some("one query per product (N+1)"),
        Story::Gap => Some("time that no span explains"),
        Story::Browse | Story::Product | Story::AddToCart | Story::Picture | Story::Checkout => None,
    }
}

/// Each service exports its own spans.
fn exports(spans: &[Span]) -> Vec<VisitExport> {
    let mut spans: Vec<&Span> = spans.iter().collect();
    spans.sort_by(|left, right| left.service().cmp(right.service()));
    let of_services = spans.chunk_by(|left, right| left.service() == right.service());
    let export = |spans: &[&Span]| {
        let owned: Vec<Span> = spans.iter().map(|span| (*span).clone()).collect();
        VisitExport { body: clew_wire::otlp::encode(&owned).into(), span_count: owned.len() as u64 }
    };
    of_services.map(export).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn visits_plant_their_faults_and_each_service_sends_its_own_spans() {
        let mut next = ShopDemo.visits(1);
        let visits: Vec<Visit> = (0..12).map(|number| next(1_770_000_000_000_000_000 + number)).collect();
        let mut planted: Vec<_> = visits.iter().filter_map(|visit| visit.about).collect();
        planted.sort_unstable();
        let expected = ["a declined card", "a slow query", "one query per product (N+1)", "time that no span explains"];
        assert_eq!(planted, expected);
        for visit in &visits {
            assert!(visit.exports.len() > 1 && visit.exports.iter().all(|export| export.span_count > 0), "{visit:?}");
        }
    }
}
