//! What the live head says of itself.

use clew_model::{Attribute, Span, SpanId};

use super::*;

/// Spans of ten attributes: eight texts, of which one never comes again, and two numbers.
fn spans(batch: u64) -> Vec<Span> {
    let span = |number: u64| Span {
        trace_id: TraceId((u128::from(number / 16 + 1) << 64 | u128::from(number / 16 + 1)).to_be_bytes()),
        span_id: SpanId::from_u64(number + 1),
        start_unix_nanos: RECEIVED,
        name: format!("operation-{}", number % 50),
        attributes: (0..7)
            .map(|key| Attribute::new(format!("key-{key}"), format!("value-{}", number % 10)))
            .chain([Attribute::new("request.id", format!("{number:016x}"))])
            .chain([Attribute::new("one", 1), Attribute::new("number", number as i64)])
            .collect(),
        ..Span::default()
    };
    (batch * 1000..(batch + 1) * 1000).map(span).collect()
}

#[test]
fn bytes_are_those_that_spans_take() {
    let live = Live::new(2);
    assert_eq!(live.bytes(), 0);
    let mut before = 0;
    let mut count = 0_u64;
    while live.bytes() < 40 << 20 {
        live.insert(&of_default_tenant(&spans(count / 1000))).unwrap();
        count += 1000;
        assert!(live.bytes() >= before, "what is held does not shrink");
        before = live.bytes();
    }
    assert_eq!((live.span_count(), live.trace_count()), (count, count.div_ceil(16)));
    // By hand: the row's eight columns (4 of 4 bytes, 4 of 8), a word for each text and two for each number; the
    // request id's 16 bytes and where they end; and a 16th of a trace: 48 bytes and its place in the index.
    let row = (4 * 4 + 4 * 8) + (8 + 2 * 2) * 4 + (16 + 4) + (48 + 8) / 16;
    let expected = (count * row) as f64;
    let share = live.bytes() as f64 / expected;
    assert!((0.95..1.25).contains(&share), "{} bytes for {count} spans, by hand {expected}", live.bytes());
}

#[test]
fn a_tenant_of_few_spans_takes_few_bytes() {
    let live = live(8, 14);
    for number in 0..100 {
        let tenant = Tenant::new(&format!("tenant-{number}")).unwrap();
        live.insert(&batch(otlp::encode(&spans(number)[..5]), Tenants::one(tenant), &[])).unwrap();
    }
    assert!(live.bytes() / 100 < 16 << 10, "{} bytes a tenant", live.bytes() / 100);
}

#[test]
fn an_unreadable_body_is_an_error_and_the_head_lives() {
    let live = live(2, 4);
    let mut body = otlp::encode(&spans(0)[..3]);
    body.truncate(body.len() - 1);
    assert!(live.insert(&batch(body, Tenants::one(Tenant::default()), &[])).is_err());
    live.insert(&of_default_tenant(&spans(0)[..3])).unwrap();
    let rows = live.rows(&Tenant::default(), &[spans(0)[0].trace_id], &|| false).unwrap().spans;
    assert_eq!(rows.len(), 3);
}
