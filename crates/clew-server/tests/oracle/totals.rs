//! Totals beyond the bound, of traces of which each lies on both sides of a seal.

use clew_model::{Span, SpanId, TraceId};
use clew_server::ask::shape::{SearchAnswer, Total, TotalRelation};

use super::generate::BEGIN;
use super::history::runtime;
use super::world::{Act, Form, Sent, World};

const BOUND: u64 = 10_000;

#[test]
fn a_trace_in_two_parts_counts_once_and_the_bound_is_told() {
    runtime().block_on(async {
        let mut world = World::new(BEGIN, BOUND);
        for part in 0..2 {
            for first in (0..BOUND).step_by(2_500) {
                let spans = (first..first + 2_500).map(|number| span(number, part)).collect();
                world.act(&send(spans)).await.unwrap();
            }
            for act in [Act::Seal, Act::Restart] {
                world.act(&act).await.unwrap();
            }
        }
        let eq = |value| Some(Total { value, relation: TotalRelation::Eq });
        for mode in ["exact", "bounded"] {
            assert_eq!(total(&world, mode).await, eq(BOUND), "{mode}");
        }
        world.act(&send(vec![span(BOUND, 0)])).await.unwrap();
        assert_eq!(total(&world, "exact").await, eq(BOUND + 1));
        let bounded = Total { value: BOUND, relation: TotalRelation::Gte };
        assert_eq!(total(&world, "bounded").await, Some(bounded));
        assert_eq!(total(&world, "none").await, None);
    });
}

async fn total(world: &World, mode: &str) -> Option<Total> {
    let answer = world.get(&format!("/v1/traces/search?operation=work&limit=1&total={mode}"), None).await;
    let answer: SearchAnswer = serde_json::from_slice(&answer.body).unwrap();
    answer.total
}

fn send(spans: Vec<Span>) -> Act {
    Act::Send(Sent { tenant: None, form: Form::Protobuf, spans })
}

fn span(trace: u64, part: u64) -> Span {
    Span {
        trace_id: TraceId(u128::from(trace + 1).to_be_bytes()),
        span_id: SpanId::from_u64(part + 1),
        name: "work".to_owned(),
        start_unix_nanos: BEGIN - trace,
        ..Span::default()
    }
}
