//! Keys and values of attributes against a plain list of spans.

use clew_model::attributes::{
    AttributesRequest, KeyCount, KeyTally, Looked, TEXT_EFFORT, ValueCount, ValueTally, add_keys, add_values,
};
use clew_model::scan::{Expired, ScanError, SpanSource};
use clew_model::{Attribute, Resource, Span, SpanId, Tenant, TraceId};

use super::Written;
use super::oracle::Oracle;
use super::random::{Chance, tenants};
use crate::BlockFile;
use crate::read::Block;
use crate::sidecar::SectionId;

const NEVER: Expired<'static> = &|| false;
const KEYS: [&str; 8] = ["a", "b", "A", "user", "service.name", "", "k\"uote", "none"];

fn request(tenant: &Tenant) -> AttributesRequest {
    let (contains, without) = (String::new(), Vec::new());
    AttributesRequest { tenant: tenant.clone(), service: None, contains, without, effort: u64::MAX }
}

fn keys(block: &Block, request: &AttributesRequest) -> (Vec<KeyCount>, Looked) {
    let mut answer = block.attribute_keys(request, NEVER).unwrap();
    assert_eq!(answer.incomplete, None);
    answer.keys.sort();
    (answer.keys, answer.looked)
}

fn values(block: &Block, key: &str, request: &AttributesRequest) -> (Vec<ValueCount>, Looked) {
    let mut answer = block.attribute_values(key, request, NEVER).unwrap();
    assert_eq!(answer.incomplete, None);
    answer.values.sort();
    (answer.values, answer.looked)
}

fn plain_keys(spans: &[Span], request: &AttributesRequest) -> Vec<KeyCount> {
    let mut tally = KeyTally::default();
    for span in spans {
        add_keys(&mut tally, request, span);
    }
    let mut keys = tally.into_keys();
    keys.sort();
    keys
}

fn plain_values(spans: &[Span], key: &str, request: &AttributesRequest) -> Vec<ValueCount> {
    let mut tally = ValueTally::default();
    for span in spans {
        add_values(&mut tally, key, request, span);
    }
    let mut values = tally.into_values();
    values.sort();
    values
}

/// Random questions; the answers must be those of the plain list, also when their tables are kept already.
fn check(block: &Block, oracle: &Oracle, chance: &mut Chance) {
    for tenant in oracle.0.keys() {
        let spans = oracle.all(tenant);
        for _ in 0..12 {
            let services = [None, None, Some("checkout"), Some("unknown_service"), Some("nobody")];
            let ids = oracle.ids(tenant);
            let without = (0..chance.below(4)).map(|_| *chance.pick(&ids)).collect();
            let request = AttributesRequest {
                service: chance.pick(&services).map(str::to_owned),
                contains: (*chance.pick(&["", "", "a", "user-1", "\u{e9}", "zz"])).to_owned(),
                without,
                ..request(tenant)
            };
            let looked = spans.iter().filter(|span| !request.without.contains(&span.trace_id)).count() as u64;
            let (found, of_keys) = keys(block, &request);
            assert_eq!(found, plain_keys(&spans, &request), "{request:?}");
            let key = *chance.pick(&KEYS);
            let (found, of_values) = values(block, key, &request);
            assert_eq!(found, plain_values(&spans, key, &request), "{key}: {request:?}");
            for of in [of_keys, of_values] {
                assert_eq!((of.span_count, of.is_sample), (looked, false), "{request:?}");
            }
        }
    }
    let stranger = block.attribute_keys(&request(&Tenant::new("stranger").unwrap()), NEVER).unwrap();
    assert_eq!((stranger.keys, stranger.looked), (Vec::new(), Looked::default()));
}

#[test]
fn counts_are_those_of_a_list() {
    for seed in 0..60 {
        let mut chance = Chance(seed);
        let oracle = Oracle(tenants(&mut chance, 1 + seed % 40 + 3));
        let (row_group_rows, page_rows) = (1 + chance.below(60) as usize, 1 + chance.below(20) as usize);
        let written = Written::of(&oracle.0, row_group_rows, page_rows);
        check(&written.open(), &oracle, &mut chance);
        if seed % 10 == 0 {
            for lost in [SectionId::Groups, SectionId::Names, SectionId::Ids, SectionId::Sums] {
                check(&written.without(lost).open(), &oracle, &mut chance);
            }
        }
    }
}

fn with_value(number: u64, value: String) -> Span {
    let service = Attribute::new("service.name", "shop");
    Span {
        trace_id: TraceId(u128::from(number + 1).to_be_bytes()),
        span_id: SpanId::from_u64(number + 1),
        attributes: vec![Attribute::new("id", value)],
        resource: Resource { attributes: vec![service], ..Resource::default() }.into(),
        ..Span::default()
    }
}

#[test]
fn what_one_question_leaves_out_the_next_one_reads() {
    let tenant = Tenant::default();
    let spans: Vec<Span> = (0..1000).map(|number| with_value(number, format!("v{}", number % 3))).collect();
    let written = Written::of(&[(tenant.clone(), spans)].into(), 100, 10);
    let block = written.open();
    let request = AttributesRequest { effort: 10 * 3 * TEXT_EFFORT + 100, ..request(&tenant) };
    let mut last = 0;
    for round in 0..10 {
        let (found, looked) = values(&block, "id", &request);
        assert_eq!(found.len(), 3);
        assert_eq!(found.iter().map(|value| value.span_count).sum::<u64>(), looked.span_count);
        assert!(looked.span_count > last || !looked.is_sample, "round {round}: {looked:?}");
        last = looked.span_count;
    }
    let (_, looked) = values(&block, "id", &request);
    assert_eq!((looked.span_count, looked.is_sample, looked.effort), (1000, false, 10 * 3 * TEXT_EFFORT));
    assert_eq!(keys(&block, &AttributesRequest { effort: u64::MAX, ..request.clone() }).1.span_count, 1000);
    assert_eq!(block.attribute_keys(&request, &|| true), Err(ScanError::Expired));
}

#[test]
fn texts_beyond_what_anybody_picks_are_left_out() {
    let tenant = Tenant::default();
    let spans = vec![with_value(0, "x".repeat(1024)), with_value(1, "x".repeat(1025)), with_value(2, "y".to_owned())];
    let written = Written::of(&[(tenant.clone(), spans)].into(), 100, 10);
    let (found, looked) = values(&written.open(), "id", &request(&tenant));
    let lengths: Vec<usize> = found.iter().map(|value| value.text.len()).collect();
    assert_eq!((lengths, looked.span_count, looked.is_sample), (vec![1024, 1], 3, false));
}

#[test]
fn a_row_group_that_cannot_be_read_is_told_and_the_others_count() {
    let tenant = Tenant::default();
    let spans: Vec<Span> = (0..4000).map(|number| with_value(number, format!("value number {number}"))).collect();
    let written = Written::of(&[(tenant.clone(), spans)].into(), 1000, 500);
    let mut data = written.files.bytes(BlockFile::Data).to_vec();
    // Most of the first of four row groups.
    let quarter = data.len() / 4;
    data[100..quarter].fill(0x55);
    written.files.replace(BlockFile::Data, data);
    let block = written.open();
    let answer = block.attribute_values("id", &request(&tenant), NEVER).unwrap();
    let incomplete = answer.incomplete.expect("a piece is damaged");
    assert_eq!(incomplete.reason, "corruption");
    assert!(answer.looked.span_count < 4000 && answer.values.len() as u64 == answer.looked.span_count);
    assert!(!block.damage().is_empty());
}
