use std::collections::BTreeMap;

use clew_model::relation::{Need, needs};
use clew_model::scan::{
    Enough, Expired, Extent, MatchedAnswer, MatchedRequest, NewestAnswer, ScanRequest, SpanSource, TimeRange,
    TraceMatch,
};
use clew_model::{Attribute, Span, Tenant, Value};

use super::oracle::Oracle;
use super::random::{Chance, EPOCH, request, tenants};
use super::{Written, shown};
use crate::read::{Block, verify};
use crate::sidecar::SectionId;

const NEVER: Expired<'static> = &|| false;

fn all(block: &Block, tenant: &Tenant) -> Vec<Span> {
    let mut all = Vec::new();
    let lost = block.for_each_trace(Some(tenant), |of, id, spans| {
        assert!(of == tenant && spans.iter().all(|span| span.trace_id == id));
        all.extend(spans);
        Ok::<_, ()>(())
    });
    assert_eq!(lost, Ok(Vec::new()));
    all
}

/// The spans with no more of them than what figures are taken from.
fn lean(mut spans: Vec<Span>) -> Vec<Span> {
    for span in &mut spans {
        let keys: Vec<String> = span.attributes.iter().map(|attribute| attribute.key.clone()).collect();
        let needed = std::mem::take(&mut span.attributes).into_iter().zip(needs(&keys));
        for (mut attribute, need) in needed.filter(|(_, need)| *need != Need::Nothing) {
            if need == Need::Presence {
                attribute.value = Value::Empty;
            }
            span.attributes.push(attribute);
        }
        (span.scope, span.events) = Default::default();
        span.status.message.clear();
        (span.dropped_attributes_count, span.dropped_events_count, span.dropped_links_count) = (0, 0, 0);
    }
    spans
}

/// Every question, with some random ones among them; the answers must be those of the plain list.
pub(super) fn check(block: &Block, oracle: &Oracle, chance: &mut Chance, rounds: u64) {
    assert_eq!(block.tenants().unwrap(), oracle.0.keys().cloned().collect::<Vec<_>>());
    for tenant in oracle.0.keys() {
        let mut ids = oracle.ids(tenant);
        ids.reverse();
        ids.push(clew_model::TraceId([0xff; 16]));
        ids.push(clew_model::TraceId([0; 16]));
        ids.push(ids[0]);
        let found = block.rows(tenant, &ids, NEVER).unwrap();
        assert_eq!(found.incomplete, None);
        assert_eq!(shown(&found.spans), shown(&oracle.rows(tenant, &ids)));
        assert_eq!(shown(&all(block, tenant)), shown(&oracle.all(tenant)));
        let figured = block.figured(tenant, &ids, NEVER).unwrap().spans;
        assert_eq!(shown(&lean(figured)), shown(&lean(oracle.rows(tenant, &ids))));
        let mut extents = oracle.extents(tenant);
        ids.pop();
        assert_eq!(block.extents(tenant, &ids, NEVER).unwrap().extents, extents);
        extents.truncate(3);
        let few = oracle.ids(tenant)[..3].to_vec();
        assert_eq!(block.extents(tenant, &few, NEVER).unwrap().extents, extents);
        ids.reverse();
        assert_eq!(block.summaries(tenant, &ids, NEVER).unwrap().summaries, oracle.summaries(tenant));
        let services = block.services(tenant).unwrap();
        assert_eq!(services, oracle.services(tenant));
        for service in services.iter().map(String::as_str).chain(["nobody"]) {
            assert_eq!(block.operations(tenant, service).unwrap(), oracle.operations(tenant, service));
        }
        for round in 0..rounds {
            let request = request(chance, tenant);
            let answer = block.scan(&request, NEVER).unwrap();
            assert_eq!(answer.incomplete, None);
            assert_eq!(answer.matches, oracle.scan(&request), "round {round}: {request:#?}");
            check_newest(block, oracle, chance, &request);
            let ids: Vec<_> = ids.iter().copied().filter(|_| chance.below(4) > 0).collect();
            let asked = MatchedRequest {
                tenant,
                ids: &ids,
                filters: &request.filters,
                shown_per_trace: request.rows_per_trace as usize,
            };
            let mut answer = block.matched(&asked, NEVER).unwrap();
            answer.traces.sort_by_key(|trace| trace.trace_id);
            assert_eq!(answer, MatchedAnswer { traces: oracle.matched(&asked), incomplete: None }, "{asked:#?}");
        }
    }
    let stranger: Tenant = Tenant::new("stranger").unwrap();
    assert_eq!(block.rows(&stranger, &oracle.ids(&stranger), NEVER).unwrap().spans, []);
    assert_eq!(block.scan(&request(chance, &stranger), NEVER).unwrap().matches, []);
}

/// What is left out of a scan that has enough is what may be.
fn check_newest(block: &Block, oracle: &Oracle, chance: &mut Chance, request: &ScanRequest) {
    let request = ScanRequest { filters: request.filters.iter().take(1).cloned().collect(), ..request.clone() };
    let floor_unix_nanos = [0, EPOCH + chance.below(50) * 1_000_000][chance.below(2) as usize];
    let enough = Enough { count: chance.below(12), newest: chance.below(6) as usize, floor_unix_nanos };
    let NewestAnswer { answer, left_out_before_unix_nanos } = block.scan_newest(&request, &enough, NEVER).unwrap();
    let all = oracle.scan(&request);
    let said = format!("{request:#?}, {enough:?}, left out before {left_out_before_unix_nanos:?}");
    assert!(answer.incomplete.is_none() && answer.matches.is_sorted_by_key(|found| found.trace_id));
    let extents = |matches: &[TraceMatch]| -> BTreeMap<_, _> {
        matches.iter().map(|found| (found.trace_id, (found.extent, found.filters_met))).collect()
    };
    let (found, all) = (extents(&answer.matches), extents(&all));
    assert!(found.iter().all(|(id, found)| all.get(id) == Some(found)), "{said}");
    let left_out: Vec<_> =
        all.iter().filter(|(id, _)| !found.contains_key(id)).map(|(_, (extent, _))| extent).collect();
    let Some(before) = left_out_before_unix_nanos else { return assert_eq!(left_out.len(), 0, "{said}") };
    assert!(left_out.iter().all(|extent| !extent.is_odd && extent.start_unix_nanos < before), "{said}");
    assert!(found.len() as u64 >= enough.count.min(all.len() as u64), "{said}");
    let is_newer = |(extent, _): &&(Extent, u64)| extent.is_odd || extent.start_unix_nanos >= before;
    let newer = found.values().filter(is_newer).count();
    assert!(newer >= enough.newest.min(all.len()) || before <= enough.floor_unix_nanos, "{said}");
}

#[test]
fn answers_are_those_of_a_plain_list() {
    for (seed, traces, group_rows, page_rows) in
        [(1, 60, 64, 16), (2, 150, 1000, 100), (3, 300, 128, 50), (4, 3, 10_000, 10_000), (5, 90, 7, 3)]
    {
        println!("seed {seed}");
        let mut chance = Chance(seed);
        let oracle = Oracle(tenants(&mut chance, traces));
        let written = Written::of(&oracle.0, group_rows, page_rows);
        let block = written.open();
        check(&block, &oracle, &mut chance, 150);
        assert_eq!(block.damage(), []);
        assert_eq!(verify(&block), []);
    }
}

#[test]
fn a_missing_section_is_made_up_for_and_reported() {
    let mut chance = Chance(11);
    let oracle = Oracle(tenants(&mut chance, 60));
    let written = Written::of(&oracle.0, 64, 16);
    // Of this block nothing was decided and nothing was left out, so that it has no such section to lose.
    for lost in SectionId::ALL.into_iter().filter(|id| !id.is_optional()) {
        println!("without {}", lost.as_str());
        let block = written.without(lost).open();
        check(&block, &oracle, &mut chance, 60);
        let is_asked_for = !matches!(lost, SectionId::Meta | SectionId::Requests);
        assert_eq!(block.damage().is_empty(), !is_asked_for, "{:?}", block.damage());
        let problems = verify(&block);
        assert!(problems.iter().any(|problem| problem.to_string().contains(lost.as_str())), "{problems:?}");
    }
}

#[test]
fn large_things_come_back() {
    let tenant: Tenant = Tenant::new("acme").unwrap();
    let wide = (0..10_000).map(|number| Attribute::new(format!("key-{number}"), number)).collect();
    let mut nested = Value::from(true);
    for _ in 0..60 {
        nested = Value::Array(vec![nested]);
    }
    let lists = [wide, vec![Attribute::new("long", "x".repeat(3_000_000))], vec![Attribute::new("deep", nested)]];
    let span = |(number, attributes): (u64, Vec<Attribute>)| Span {
        trace_id: clew_model::TraceId([1; 16]),
        span_id: clew_model::SpanId::from_u64(number + 1),
        start_unix_nanos: EPOCH + number,
        attributes,
        ..Span::default()
    };
    let spans: Vec<Span> = (0..).zip(lists).map(span).collect();
    let oracle = Oracle([(tenant.clone(), spans)].into());
    let block = Written::of(&oracle.0, 1000, 100).open();
    let ids = oracle.ids(&tenant);
    assert_eq!(block.rows(&tenant, &ids, NEVER).unwrap().spans, oracle.rows(&tenant, &ids));
    assert_eq!(verify(&block), []);
}

#[test]
fn a_question_ends_when_its_time_is_over() {
    let mut chance = Chance(21);
    let oracle = Oracle(tenants(&mut chance, 20));
    let block = Written::of(&oracle.0, 64, 16).open();
    let tenant = oracle.0.keys().next().unwrap();
    let late: Expired<'_> = &|| true;
    let mut asked = request(&mut chance, tenant);
    asked.filters = vec![clew_model::scan::SpanFilter::default()];
    asked.range = TimeRange::ALL;
    assert!(block.scan(&asked, late).is_err());
    assert!(block.rows(tenant, &oracle.ids(tenant), late).is_err());
    assert!(block.extents(tenant, &oracle.ids(tenant), late).is_err());
    asked.filters = vec![clew_model::scan::SpanFilter::default(); 65];
    assert!(block.scan(&asked, NEVER).is_err());
}
