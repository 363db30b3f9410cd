use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use clew_model::{Attribute, Notes, Resource, Span, StatusCode, Tenant};
use clew_store::view::Together;

use super::*;
use crate::ask::naive::{Chance, EPOCH, Naive, OPERATIONS, SERVICES, random_span, random_spans};
use crate::ask::params::Params;
use crate::ask::question::TOTAL_BOUND;
use crate::ask::shape::TotalRelation;

const NEVER: Expired<'static> = &|| false;

fn question(query: &str) -> Question {
    let params = Params::of(&format!("/v1/traces/search?{query}").parse().unwrap()).unwrap();
    Question::parse(&params, Tenant::default(), EPOCH + 500_000_000).unwrap()
}

fn ask(sources: &[Arc<dyn SpanSource>], query: &str) -> SearchAnswer {
    ask_bounded(sources, query, TOTAL_BOUND)
}

fn ask_bounded(sources: &[Arc<dyn SpanSource>], query: &str, total_bound: u64) -> SearchAnswer {
    run(&together(sources), &question(query), total_bound, NEVER).unwrap()
}

fn together(sources: &[Arc<dyn SpanSource>]) -> Together<'_> {
    Together::of(sources.iter().map(AsRef::as_ref))
}

fn ids(answer: &SearchAnswer) -> Vec<String> {
    answer.traces.iter().map(|trace| trace.trace_id.clone()).collect()
}

/// The documented meaning of the parameters, evaluated on whole traces.
#[derive(Debug, Default)]
struct Wanted {
    services: Vec<&'static str>,
    operation: Option<&'static str>,
    status: Option<&'static str>,
    code: Option<&'static str>,
    span_millis: Option<(u64, u64)>,
    trace_millis: Option<(u64, u64)>,
    start_millis: Option<(u64, u64)>,
}

impl Wanted {
    fn random(chance: &mut Chance) -> Self {
        let mut services: Vec<_> = (0..chance.below(4)).map(|_| *chance.pick(&SERVICES)).collect();
        services.sort_unstable();
        services.dedup();
        let mut millis = |bound: u64| {
            let low = chance.below(bound);
            (chance.below(3) == 0).then(|| (low, low + chance.below(bound)))
        };
        let (span_millis, trace_millis, start_millis) = (millis(300), millis(800), millis(600));
        Self {
            services,
            operation: (chance.below(3) == 0).then(|| *chance.pick(&OPERATIONS)),
            status: (chance.below(3) == 0).then(|| *chance.pick(&["error", "ok", "unset"])),
            code: (chance.below(4) == 0).then(|| *chance.pick(&["500", "200", "404"])),
            span_millis,
            trace_millis,
            start_millis,
        }
    }

    fn query(&self) -> String {
        let mut query: Vec<String> = self.services.iter().map(|service| format!("service={service}")).collect();
        query.extend(self.operation.map(|name| format!("operation={}", name.replace(' ', "%20"))));
        query.extend(self.status.map(|status| format!("status={status}")));
        query.extend(self.code.map(|code| format!("attr.code={code}")));
        query.extend(self.span_millis.map(|(min, max)| format!("minSpanDurationMs={min}&maxSpanDurationMs={max}")));
        query.extend(self.trace_millis.map(|(min, max)| format!("minDurationMs={min}&maxDurationMs={max}")));
        query.extend(self.start_millis.map(|(from, to)| {
            let at = |millis: u64| to_rfc3339(EPOCH + millis * 1_000_000);
            format!("from={}&to={}", at(from), at(to + 1))
        }));
        query.join("&")
    }

    fn is_met_by_span(&self, span: &Span) -> bool {
        let is_within = |(min, max): (u64, u64)| (min..=max).contains(&(span.duration_nanos / 1_000_000));
        let has_code = |code: &str| span.attributes.iter().any(|a| a.key == "code" && a.value.to_string() == code);
        (self.services.is_empty() || self.services.contains(&span.service()))
            && self.operation.is_none_or(|name| span.name == name)
            && self.status.is_none_or(|status| match status {
                "error" => span.is_error(),
                "ok" => span.status.code == StatusCode::Ok,
                _ => span.status.code == StatusCode::Unset,
            })
            && self.code.is_none_or(has_code)
            && self.span_millis.is_none_or(is_within)
    }

    fn is_met_by(&self, spans: &[&Span]) -> bool {
        let is_odd = |span: &Span| span.notes.contains(Notes::ODD_TIME);
        let all_odd = spans.iter().all(|span| is_odd(span));
        let counted: Vec<&Span> = spans.iter().copied().filter(|span| all_odd || !is_odd(span)).collect();
        let start = counted.iter().map(|span| span.start_unix_nanos).min().unwrap();
        let end = counted.iter().map(|span| span.end_unix_nanos()).max().unwrap();
        let is_within = |millis: u64, (min, max): (u64, u64)| (min..=max).contains(&millis);
        self.services.iter().all(|service| spans.iter().any(|span| span.service() == *service))
            && spans.iter().any(|span| self.is_met_by_span(span))
            && self.trace_millis.is_none_or(|bounds| is_within((end - start) / 1_000_000, bounds))
            && self.start_millis.is_none_or(|bounds| start >= EPOCH && is_within((start - EPOCH) / 1_000_000, bounds))
    }
}

fn by_trace(spans: &[Span]) -> BTreeMap<String, Vec<&Span>> {
    let mut traces: BTreeMap<String, Vec<&Span>> = BTreeMap::new();
    for span in spans {
        traces.entry(span.trace_id.to_string()).or_default().push(span);
    }
    traces
}

/// Spreads the spans over up to three sources, some of them twice, as blocks cut before a trace was whole hold them.
pub(crate) fn scatter(chance: &mut Chance, spans: &[Span]) -> Vec<Arc<dyn SpanSource>> {
    let source_count = 1 + chance.below(3) as usize;
    let mut parts = vec![Vec::new(); source_count];
    for span in spans {
        for _ in 0..=u64::from(chance.below(8) == 0) {
            parts[chance.below(source_count as u64) as usize].push(span.clone());
        }
    }
    parts.into_iter().map(|part| Naive::of(part) as Arc<dyn SpanSource>).collect()
}

#[test]
fn answers_are_those_of_a_plain_look_at_whole_traces_however_they_are_cut() {
    let mut answered = 0;
    for seed in 0..400 {
        let mut chance = Chance(seed);
        let spans = random_spans(&mut chance, 20);
        let sources = scatter(&mut chance, &spans);
        let wanted = Wanted::random(&mut chance);
        let traces = by_trace(&spans);
        let expected: BTreeSet<&String> =
            traces.iter().filter(|(_, spans)| wanted.is_met_by(spans)).map(|(id, _)| id).collect();
        let answer = ask(&sources, &format!("{}&limit=1000&total=exact", wanted.query()));
        let found = ids(&answer);
        assert_eq!(found.iter().collect::<BTreeSet<_>>(), expected, "seed {seed}: {wanted:?}");
        assert_eq!(found.len(), expected.len(), "seed {seed}: a trace is listed twice");
        assert_eq!(answer.total, Some(Total { value: expected.len() as u64, relation: TotalRelation::Eq }));
        assert_eq!(answer.cursor, None);
        for trace in &answer.traces {
            assert_eq!(trace.span_count as usize, traces[&trace.trace_id].len(), "seed {seed}");
        }
        answered += expected.len();
    }
    assert!(answered > 500, "the questions must be ones that some traces answer; these found {answered}");
}

#[test]
fn every_order_is_total_and_pages_join() {
    for (seed, sort) in (0..).zip(["start", "-start", "duration", "-duration"]) {
        let mut chance = Chance(seed);
        let spans = random_spans(&mut chance, 50);
        let sources = scatter(&mut chance, &spans);
        let whole = ask(&sources, &format!("sort={sort}&limit=1000"));
        let figure = |trace: &SummaryShape| match sort {
            "start" | "-start" => super::super::when::from_rfc3339(&trace.start).unwrap(),
            _ => trace.duration_nanos,
        };
        let figures: Vec<u64> = whole.traces.iter().map(figure).collect();
        let is_ordered = if sort.starts_with('-') { figures.is_sorted_by(|a, b| a >= b) } else { figures.is_sorted() };
        assert!(is_ordered, "{sort}: {figures:?}");
        let (mut joined, mut cursor) = (Vec::new(), None);
        loop {
            let after = cursor.map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
            let page = ask(&sources, &format!("sort={sort}&limit=7{after}"));
            assert_eq!(page.total, whole.total, "the total does not shrink from page to page");
            joined.extend(ids(&page));
            cursor = page.cursor;
            if cursor.is_none() {
                break;
            }
            assert_eq!(page.traces.len(), 7);
        }
        assert_eq!(joined, ids(&whole), "{sort}");
    }
}

/// Pages so small, and totals bounded so low, that sources leave out whatever they may.
#[test]
fn pages_of_scans_that_had_enough_are_those_of_whole_scans() {
    let mut left_out = 0;
    for seed in 0..300 {
        let mut chance = Chance(seed);
        let spans = random_spans(&mut chance, 30);
        let sources = scatter(&mut chance, &spans);
        let wanted = if chance.below(3) == 0 { Wanted::default() } else { Wanted::random(&mut chance) };
        let (limit, bound) = (1 + chance.below(4), chance.below(12));
        let total = *chance.pick(&["bounded", "none"]);
        let whole = ask(&sources, &format!("{}&limit=1000&total=exact", wanted.query()));
        let count = whole.traces.len() as u64;
        let expected = match total {
            "none" => None,
            _ if count > bound => Some(Total { value: bound, relation: TotalRelation::Gte }),
            _ => Some(Total { value: count, relation: TotalRelation::Eq }),
        };
        left_out += u64::from(count > bound && total == "bounded");
        let (mut joined, mut cursor) = (Vec::new(), None);
        loop {
            let after = cursor.map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
            let query = format!("{}&limit={limit}&total={total}{after}", wanted.query());
            let page = ask_bounded(&sources, &query, bound);
            assert_eq!(page.total, expected, "seed {seed}: {query}");
            joined.extend(page.traces);
            cursor = page.cursor;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(joined, whole.traces, "seed {seed}: {wanted:?}");
    }
    assert!(left_out > 50, "{left_out} questions had more answers than were counted");
}

#[test]
fn a_walk_covers_every_match_once_while_data_arrives() {
    for (seed, sort) in (0..20).flat_map(|seed| ["-start", "start", "-duration", "duration"].map(|sort| (seed, sort))) {
        let mut chance = Chance(seed);
        let source = Naive::of(random_spans(&mut chance, 40));
        let sources: [Arc<dyn SpanSource>; 1] = [Arc::clone(&source) as _];
        let query = format!("status=error&sort={sort}&since=1h&limit=3");
        let before: BTreeSet<String> =
            ids(&ask(&sources, &query.replace("limit=3", "limit=1000"))).into_iter().collect();
        let (mut seen, mut cursor, mut next_trace) = (BTreeMap::new(), None, 1_000);
        loop {
            let after = cursor.map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
            let page = ask(&sources, &format!("{query}{after}"));
            for id in ids(&page) {
                *seen.entry(id).or_insert(0) += 1;
            }
            cursor = page.cursor;
            if cursor.is_none() {
                break;
            }
            let arrived: Vec<Span> = (0..4).map(|n| random_span(&mut chance, next_trace + n, 0)).collect();
            next_trace += 4;
            if next_trace < 1_100 {
                source.spans.lock().unwrap().extend(arrived);
            }
        }
        assert!(seen.values().all(|count| *count == 1), "seed {seed} {sort}: a trace came twice");
        assert!(before.iter().all(|id| seen.contains_key(id)), "seed {seed} {sort}: a trace was passed over");
    }
}

#[test]
fn totals_say_how_far_they_count() {
    let mut chance = Chance(1);
    let many = TOTAL_BOUND + 1;
    let spans = (0..many).map(|trace| random_span(&mut chance, trace, 0)).collect();
    let sources: [Arc<dyn SpanSource>; 1] = [Naive::of(spans)];
    let total = |mode: &str| ask(&sources, &format!("limit=1&total={mode}")).total;
    assert_eq!(total("bounded"), Some(Total { value: TOTAL_BOUND, relation: TotalRelation::Gte }));
    assert_eq!(total("exact"), Some(Total { value: many, relation: TotalRelation::Eq }));
    assert_eq!(total("none"), None);
    let text = serde_json::to_string(&total("bounded")).unwrap();
    assert_eq!(text, r#"{"value":10000,"relation":"gte"}"#);
}

#[test]
fn matched_spans_are_shown_when_something_was_asked_of_spans() {
    let mut chance = Chance(5);
    let mut spans: Vec<Span> = (0..6).map(|span| random_span(&mut chance, 0, span)).collect();
    spans.iter_mut().zip(0..).for_each(|(span, n)| {
        span.name = if n == 0 { "root".into() } else { "work".into() };
        span.start_unix_nanos = EPOCH + n;
    });
    let (left, right) = spans.split_at(3);
    let sources: [Arc<dyn SpanSource>; 2] = [Naive::of(left.to_vec()), Naive::of(right.to_vec())];
    let answer = ask(&sources, "operation=work");
    let matched = answer.traces[0].matched.as_ref().unwrap();
    assert_eq!(matched.count, 5);
    let starts: Vec<&str> = matched.spans.iter().map(|span| span.start.as_str()).collect();
    assert_eq!(starts, [1, 2, 3].map(|n| to_rfc3339(EPOCH + n)));
    assert_eq!(ask(&sources, "").traces[0].matched, None);
}

#[test]
fn tenants_never_meet_and_gaps_in_the_data_are_told() {
    let mut chance = Chance(9);
    let spans = random_spans(&mut chance, 3);
    let tenant = Tenant::new("other").unwrap();
    let other = Naive { tenant, spans: spans.clone().into(), incomplete: None };
    assert_eq!(ask(&[Arc::new(other) as _], "").traces, []);
    let incomplete = Some(Incomplete { reason: "corruption".into(), detail: "a segment is damaged".into() });
    let damaged = Naive { incomplete, spans: spans.into(), ..Naive::default() };
    let answer = ask(&[Arc::new(damaged) as _], "");
    assert_eq!(answer.incomplete.as_ref().unwrap().reason, "corruption");
    assert_eq!(answer.traces[0].state.incomplete, answer.incomplete);
}

#[test]
fn a_question_that_takes_too_long_is_an_error_and_not_a_short_answer() {
    let sources: [Arc<dyn SpanSource>; 1] = [Naive::of(random_spans(&mut Chance(2), 3))];
    assert_eq!(run(&together(&sources), &question(""), TOTAL_BOUND, &|| true), Err(AskError::Expired));
    let calls = std::sync::atomic::AtomicU32::new(0);
    let late = || calls.fetch_add(1, std::sync::atomic::Ordering::Relaxed) > 0;
    assert_eq!(run(&together(&sources), &question(""), TOTAL_BOUND, &late), Err(AskError::Expired));
}

/// The spans in an open store, acknowledged.
pub(crate) fn stored(spans: &[Span]) -> clew_store::Store {
    use clew_store::port::{ManualClock, MemoryDisk};
    use clew_store::{Batch, Encoding, Outcome, Ports, Protocol, Source, Store, StoreConfig, Tenants};

    let clock = Arc::new(ManualClock::new(EPOCH));
    let ports = Ports { disk: Arc::new(MemoryDisk::new()), clock };
    let store = Store::open(StoreConfig::new("/data"), ports).unwrap();
    for part in spans.chunks(7) {
        let body = bytes::Bytes::from(clew_wire::otlp::encode(part));
        let batch = Batch {
            protocol: Protocol::Otlp,
            encoding: Encoding::Identity,
            stored: body.clone(),
            body_hash: xxhash_rust::xxh3::xxh3_128(&body),
            body,
            tenants: Tenants::one(Tenant::default()),
            rejected: Vec::new(),
            limits: clew_wire::otlp::Limits::default(),
            received_unix_nanos: EPOCH,
            span_count: part.len() as u32,
            source: Source::default(),
        };
        let (reply, outcome) = std::sync::mpsc::channel();
        store.offer(batch, Box::new(move |outcome| reply.send(outcome).unwrap()));
        assert_eq!(outcome.recv().unwrap(), Outcome::Stored);
    }
    store
}

#[test]
fn a_store_answers_as_a_plain_list_does() {
    for seed in 0..8 {
        let mut chance = Chance(seed);
        let spans = random_spans(&mut chance, 60);
        let store = stored(&spans);
        let real: [Arc<dyn SpanSource>; 1] = [store.spans()];
        let plain: [Arc<dyn SpanSource>; 1] = [Naive::of(spans)];
        for _ in 0..60 {
            let sort = *chance.pick(&["start", "-start", "duration", "-duration"]);
            let query = format!("{}&limit=9&total=exact&sort={sort}", Wanted::random(&mut chance).query());
            assert_eq!(ask(&real, &query), ask(&plain, &query), "seed {seed}: {query}");
        }
        store.close().unwrap();
    }
}

/// The near and the far half of a call that share their id, as Zipkin's clients send them, and both of them once more.
#[test]
fn a_matched_span_is_the_one_that_matched_and_is_there_once() {
    let half = |name: &str, code: StatusCode| {
        let mut span = random_span(&mut Chance(3), 0, 0);
        (span.name, span.start_unix_nanos, span.status.code) = (name.to_owned(), EPOCH, code);
        span.attributes.clear();
        span
    };
    let halves = [half("call", StatusCode::Error), half("serve", StatusCode::Ok)];
    let sources = [Naive::of(halves.to_vec()) as Arc<dyn SpanSource>, Naive::of([&halves[..], &halves[..]].concat())];
    for (query, name) in [("operation=call", "call"), ("operation=serve", "serve"), ("status=error", "call")] {
        let answer = ask(&sources, query);
        let matched = answer.traces[0].matched.as_ref().unwrap();
        let names: Vec<&str> = matched.spans.iter().map(|span| span.name.as_str()).collect();
        assert_eq!((matched.count, names), (1, vec![name]), "{query}");
    }
}

#[test]
fn of_several_services_the_spans_that_met_the_conditions_are_shown() {
    let mut chance = Chance(7);
    let spans: Vec<Span> = (0..)
        .zip(["frontend", "checkout"])
        .map(|(number, service)| {
            let mut span = random_span(&mut chance, 0, number);
            let name = Attribute::new("service.name", service);
            span.resource = Arc::new(Resource { attributes: vec![name], ..Resource::default() });
            span.status.code = if service == "checkout" { StatusCode::Error } else { StatusCode::Ok };
            span.attributes.clear();
            span
        })
        .collect();
    let sources: [Arc<dyn SpanSource>; 1] = [Naive::of(spans)];
    let matched = |query: &str| {
        let matched = ask(&sources, query).traces[0].matched.clone().unwrap();
        (matched.count, matched.spans.into_iter().map(|span| span.service).collect::<Vec<_>>())
    };
    assert_eq!(matched("service=checkout&service=frontend&status=error"), (1, vec!["checkout".to_owned()]));
    assert_eq!(matched("service=checkout&service=frontend").0, 2);
}
