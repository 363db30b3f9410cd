//! Writers and readers at the same time.

use std::thread;

use clew_model::scan::{AttributeScope, Condition, Field, Op, SpanFilter};
use clew_model::{Attribute, Span, SpanId};

use super::*;

const WRITERS: u64 = 4;
const BATCHES: u64 = 2_500;

/// The spans of one batch: two spans of a trace of its own, and one of a trace that all its writer's batches share.
fn spans(writer: u64, number: u64) -> Vec<Span> {
    let own = TraceId((u128::from(writer + 1) << 64 | u128::from(number + 1)).to_be_bytes());
    let shared = TraceId((u128::from(writer + 1) << 64 | 0xffff_ffff).to_be_bytes());
    let span = |trace_id: TraceId, id: u64| Span {
        trace_id,
        span_id: SpanId::from_u64(number * 4 + id),
        start_unix_nanos: RECEIVED - number,
        name: format!("operation-{}", number % 7),
        attributes: vec![Attribute::new("number", number as i64), Attribute::new("text", format!("text-{number}"))],
        received_unix_nanos: RECEIVED,
        ..Span::default()
    };
    vec![span(own, 1), span(shared, 2), span(own, 3)]
}

fn write_and_check(live: &Live, tenant: &Tenant, writer: u64) {
    let field = Field::Attribute { scope: AttributeScope::Span, key: "text".to_owned() };
    for number in 0..BATCHES {
        let sent = spans(writer, number);
        live.insert(&batch(otlp::encode(&sent), Tenants::one(tenant.clone()), &[])).unwrap();
        let rows = live.rows(tenant, &[sent[0].trace_id], &|| false).unwrap().spans;
        let ids: Vec<SpanId> = rows.iter().map(|row| row.span_id).collect();
        assert_eq!(ids, [sent[0].span_id, sent[2].span_id]);
        if number % 16 == 0 {
            let value = format!("text-{number}").into();
            let condition = Condition { field: field.clone(), op: Op::Eq, value };
            let request = every_trace(tenant, vec![SpanFilter { conditions: vec![condition] }]);
            let found = live.scan(&request, &|| false).unwrap().matches;
            let own = found.iter().find(|found| found.trace_id == sent[0].trace_id).expect("found at once");
            assert_eq!(own.matched_count, 2);
            let shared = live.rows(tenant, &[sent[1].trace_id], &|| false).unwrap().spans;
            assert_eq!(shared.len() as u64, number + 1);
        }
    }
}

#[test]
fn a_span_is_found_as_soon_as_its_insert_returns() {
    let live = live(3, 8);
    let tenants = [Tenant::default(), Tenant::new("other").unwrap()];
    thread::scope(|scope| {
        for writer in 0..WRITERS {
            // Two writers per tenant, so that they meet in its shards.
            let (live, tenant) = (&live, &tenants[writer as usize % 2]);
            scope.spawn(move || write_and_check(live, tenant, writer));
        }
    });
    assert_eq!(live.span_count(), WRITERS * BATCHES * 3);
    assert_eq!(live.trace_count(), WRITERS * (BATCHES + 1));
    for (index, tenant) in tenants.iter().enumerate() {
        let writers = [index as u64, index as u64 + 2];
        let mut ids: Vec<TraceId> = live
            .scan(&every_trace(tenant, vec![SpanFilter::default()]), &|| false)
            .unwrap()
            .matches
            .iter()
            .map(|found| found.trace_id)
            .collect();
        ids.sort();
        let mut expected: Vec<TraceId> = writers
            .iter()
            .flat_map(|writer| (0..BATCHES).flat_map(|number| spans(*writer, number)))
            .map(|span| span.trace_id)
            .collect();
        expected.sort();
        expected.dedup();
        assert_eq!(ids, expected, "no tenant sees the other's traces");
    }
}
