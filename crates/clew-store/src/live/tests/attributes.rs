//! Keys and values of attributes against a plain list of spans.

use clew_model::attributes::{AttributesRequest, KeyCount, KeyTally, ValueCount, ValueTally, add_keys, add_values};

use super::*;

fn request(tenant: &Tenant) -> AttributesRequest {
    let (contains, without) = (String::new(), Vec::new());
    AttributesRequest { tenant: tenant.clone(), service: None, contains, without, effort: u64::MAX }
}

fn keys(live: &Live, request: &AttributesRequest) -> (Vec<KeyCount>, u64, bool) {
    let mut answer = live.attribute_keys(request, &|| false).unwrap();
    answer.keys.sort();
    (answer.keys, answer.looked.span_count, answer.looked.is_sample)
}

fn values(live: &Live, key: &str, request: &AttributesRequest) -> (Vec<ValueCount>, u64, bool) {
    let mut answer = live.attribute_values(key, request, &|| false).unwrap();
    answer.values.sort();
    (answer.values, answer.looked.span_count, answer.looked.is_sample)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn counts_are_those_of_a_list(
        batches in prop::collection::vec(input::batch(), 1..8),
        without in prop::collection::vec(0_u8..8, 0..3),
        contains in prop::sample::select(vec!["", "e", "serv", "7", "no"]),
        shards in 1_usize..4,
        chunk_bits in 0_u32..6,
    ) {
        let live = live(shards, chunk_bits);
        let mut oracle = Oracle::default();
        for batch in &batches {
            live.insert(batch).unwrap();
            oracle.insert(batch);
        }
        for tenant in input::tenants() {
            let spans = oracle.spans(&tenant);
            let services = oracle.services(&tenant).into_iter().map(Some).chain([None, Some("nobody".to_owned())]);
            for service in services {
                let without: Vec<TraceId> = without.iter().copied().map(input::trace_id).collect();
                let request = AttributesRequest { service, contains: contains.into(), without, ..request(&tenant) };
                let looked = spans.iter().filter(|span| !request.without.contains(&span.trace_id)).count() as u64;
                let mut tally = KeyTally::default();
                for span in spans {
                    add_keys(&mut tally, &request, span);
                }
                let mut wanted = tally.into_keys();
                wanted.sort();
                prop_assert_eq!(keys(&live, &request), (wanted, looked, false), "{:?}", request);
                for key in ["k", "error", "service.name", "longer.than.sixteen.bytes", "", "none"] {
                    let mut tally = ValueTally::default();
                    for span in spans {
                        add_values(&mut tally, key, &request, span);
                    }
                    let mut wanted = tally.into_values();
                    wanted.sort();
                    prop_assert_eq!(values(&live, key, &request), (wanted, looked, false), "{} {:?}", key, request);
                }
            }
        }
    }
}

#[test]
fn the_effort_bounds_what_is_looked_at_and_a_deadline_ends_it() {
    let live = live(1, 4);
    let span = |number: u64| clew_model::Span {
        trace_id: input::trace_id(1),
        span_id: clew_model::SpanId::from_u64(number + 1),
        start_unix_nanos: RECEIVED,
        attributes: vec![clew_model::Attribute::new("id", format!("value {number}"))],
        ..clew_model::Span::default()
    };
    let spans: Vec<clew_model::Span> = (0..100).map(span).collect();
    live.insert(&of_default_tenant(&spans)).unwrap();
    let request = AttributesRequest { effort: 40, ..request(&Tenant::default()) };
    let (found, looked, is_sample) = values(&live, "id", &request);
    assert!(is_sample && looked < 100 && looked == found.len() as u64, "{looked} of 100, {} found", found.len());
    assert!(found.iter().any(|value| value.text == "value 99"), "what was sent last is looked at first");
    let (_, looked, is_sample) = keys(&live, &AttributesRequest { effort: 1 << 20, ..request.clone() });
    assert_eq!((looked, is_sample), (100, false));
    assert!(live.attribute_keys(&AttributesRequest { effort: u64::MAX, ..request }, &|| true).is_err());
}
