//! Filters that random input seldom makes.

use clew_model::scan::{AttributeScope, Condition, Field, Op, SpanFilter};
use clew_model::{Attribute, Event, Kind, Link, Notes, Resource, Scope, Span, SpanId, Status, StatusCode, Value};

use super::*;

fn filter(key: &str, op: Op, value: impl Into<Value>) -> SpanFilter {
    let field = Field::Attribute { scope: AttributeScope::Any, key: key.to_owned() };
    SpanFilter { conditions: vec![Condition { field, op, value: value.into() }] }
}

fn span(number: u64, attributes: Vec<Attribute>) -> Span {
    Span {
        trace_id: TraceId((u128::from(number) + 1).to_be_bytes()),
        span_id: SpanId::from_u64(number + 1),
        start_unix_nanos: RECEIVED - number,
        attributes,
        ..Span::default()
    }
}

/// Values that do not come again are stored without looking them up; those that do all the same are found all the same.
#[test]
fn values_that_seldom_come_again_are_found() {
    let live = live(2, 13);
    let id = |number: u64| format!("request-{:05}", number % 9_000);
    let spans: Vec<Span> =
        (0..10_000).map(|number| span(number, vec![Attribute::new("request.id", id(number))])).collect();
    spans.chunks(500).for_each(|spans| live.insert(&of_default_tenant(spans)).unwrap());
    let tenant = Tenant::default();
    for number in (0..10_000).step_by(97) {
        let mut numbers = vec![number % 9_000];
        numbers.extend(Some(number % 9_000 + 9_000).filter(|twin| *twin < 10_000));
        for op in [Op::Eq, Op::TextEq] {
            let request = every_trace(&tenant, vec![filter("request.id", op, id(number))]);
            let mut found = live.scan(&request, &|| false).unwrap().matches;
            found.sort_by_key(|found| found.trace_id);
            let found: Vec<u64> = found.iter().map(|found| found.trace_id.low_u64() - 1).collect();
            assert_eq!(found, numbers);
        }
    }
    let others = every_trace(&tenant, vec![filter("request.id", Op::Ne, id(5))]);
    assert_eq!(live.scan(&others, &|| false).unwrap().matches.len(), 9_998);
    let ids: Vec<TraceId> = spans.iter().map(|span| span.trace_id).collect();
    let rows = live.rows(&tenant, &ids, &|| false).unwrap().spans;
    assert!(rows.iter().zip(&spans).all(|(row, span)| row.attributes == span.attributes));
    assert_eq!(rows.len(), spans.len());
}

#[test]
fn what_was_sent_comes_back_whole() {
    let nested =
        Value::Map(vec![Attribute::new("list", Value::Array(vec![Value::Int(-1), Value::Bytes(vec![0, 255])]))]);
    let attributes = vec![
        Attribute::new("text", "t"),
        Attribute::new("int", i64::MIN),
        Attribute::new("double", f64::MIN_POSITIVE),
        Attribute::new("bool", true),
        Attribute::new("bytes", Value::Bytes(vec![1, 2, 3])),
        Attribute::new("nested", nested),
        Attribute::new("text", "again"),
        Attribute::new("empty", Value::Empty),
    ];
    let (trace_id, span_id) = (input::trace_id(1), SpanId::from_u64(u64::MAX));
    let sent = Span {
        trace_id,
        span_id,
        parent_span_id: Some(SpanId::from_u64(2)),
        trace_state: "vendor=1".to_owned(),
        flags: 0x301,
        name: "GET /".to_owned(),
        kind: Kind::Server,
        start_unix_nanos: RECEIVED - 5,
        duration_nanos: 4,
        status: Status { code: StatusCode::Error, message: "out of stock".to_owned() },
        attributes: attributes.clone(),
        dropped_attributes_count: 1,
        events: vec![
            Event {
                time_unix_nanos: 7,
                name: "e".to_owned(),
                attributes: attributes.clone(),
                dropped_attributes_count: 2,
            },
            Event::default(),
        ],
        dropped_events_count: 3,
        links: vec![Link {
            trace_id,
            span_id,
            trace_state: "l".to_owned(),
            attributes: attributes.clone(),
            dropped_attributes_count: 4,
            flags: 1,
        }],
        dropped_links_count: 5,
        resource: Arc::new(Resource {
            attributes: vec![Attribute::new("service.name", "shop"), attributes[5].clone()],
            dropped_attributes_count: 6,
            schema_url: "https://resource".to_owned(),
        }),
        scope: Arc::new(Scope {
            name: "lib".to_owned(),
            version: "2".to_owned(),
            attributes,
            dropped_attributes_count: 7,
            schema_url: "https://scope".to_owned(),
        }),
        received_unix_nanos: RECEIVED,
        notes: Notes::default(),
    };
    let other = Span { span_id: SpanId::from_u64(9), start_unix_nanos: RECEIVED, ..sent.clone() };
    let live = live(4, 0);
    live.insert(&of_default_tenant(&[sent.clone(), other.clone(), sent.clone()])).unwrap();
    let rows = live.rows(&Tenant::default(), &[trace_id, trace_id], &|| false).unwrap().spans;
    assert_eq!(rows, [sent, other]);
    assert!(Arc::ptr_eq(&rows[0].resource, &rows[1].resource), "chunks share what an answer shares");
    assert!(Arc::ptr_eq(&rows[0].scope, &rows[1].scope));
    assert_eq!(live.span_count(), 3);
}

#[test]
fn at_most_64_filters() {
    let live = live(1, 4);
    live.insert(&of_default_tenant(&[span(0, vec![Attribute::new("k", 63)])])).unwrap();
    let request =
        |count: i64| every_trace(&Tenant::default(), (0..count).map(|number| filter("k", Op::Eq, number)).collect());
    assert_eq!(live.scan(&request(64), &|| false).unwrap().matches[0].filters_met, 1 << 63);
    assert!(matches!(live.scan(&request(65), &|| false), Err(ScanError::Request(_))));
}

#[test]
fn an_expired_question_says_so() {
    let live = live(1, 2);
    let spans: Vec<Span> =
        (0..20).map(|number| Span { trace_id: input::trace_id(0), ..span(number, vec![]) }).collect();
    live.insert(&of_default_tenant(&spans)).unwrap();
    let tenant = Tenant::default();
    let asked = AtomicU64::new(0);
    let expires = || asked.fetch_add(1, Ordering::Relaxed) == 3;
    let request = every_trace(&tenant, vec![filter("k", Op::Exists, true)]);
    assert_eq!(live.scan(&request, &expires), Err(ScanError::Expired));
    asked.store(0, Ordering::Relaxed);
    assert_eq!(live.rows(&tenant, &[input::trace_id(0)], &expires), Err(ScanError::Expired));
}

#[test]
fn chunks_outside_of_the_range_are_not_looked_at() {
    let live = live(1, 3);
    let spans: Vec<Span> = (0..64).map(|number| span(number, vec![])).collect();
    live.insert(&of_default_tenant(&spans)).unwrap();
    let range = TimeRange { from_unix_nanos: RECEIVED - 3, to_unix_nanos: RECEIVED + 1 };
    let request = ScanRequest { range, ..every_trace(&Tenant::default(), vec![SpanFilter::default()]) };
    let answer = live.scan(&request, &|| false).unwrap();
    assert_eq!((answer.matches.len(), answer.scanned_count), (4, 8));
}
