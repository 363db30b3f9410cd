//! Answers against what they should be.

use std::collections::BTreeMap;

use clew_model::{Notes, Span, Tenant, TraceId};
use clew_server::ask::shape::{
    MatchedSpan, OperationsAnswer, RootShape, SearchAnswer, ServicesAnswer, SpanShape, StateShape, SummaryShape, Total,
    TotalRelation, TraceAnswer, attributes,
};
use clew_server::ask::when::to_rfc3339;
use clew_server::{Problem, ServerConfig};
use http::StatusCode;
use serde::de::DeserializeOwned;

use super::evaluate::{self, Found, Held, Trace};
use super::generate::{Ask, Query, escaped};
use super::pictures;
use super::world::{Act, Answer, World};

/// Traces on a page when the question does not say.
const LIMIT_DEFAULT: usize = 20;
/// Matching spans that are shown of a trace.
const SHOWN_MAX: usize = 3;

/// A question, its answer, and how they compare: how many comparisons were made, or what is wrong.
pub(crate) async fn compare(world: &mut World, ask: &Ask) -> Result<usize, String> {
    match ask {
        Ask::Search(query) => {
            let range = evaluate::range(query, world.now());
            page(world, query, range, query.limit, None).await?;
            if refused(query, range).is_none() {
                pictures::heatmap(world, query, range).await?;
            }
            Ok(2)
        }
        Ask::Walk { query, limits, meanwhile } => walk(world, query, limits, meanwhile).await,
        Ask::Trace { tenant, id } => {
            trace(world, tenant, *id).await?;
            Ok(2)
        }
        Ask::Names { tenant, service } => {
            names(world, tenant, service).await?;
            pictures::attributes(world, tenant, service).await?;
            Ok(4)
        }
    }
}

/// The bytes that a question is answered with.
pub(crate) async fn answered(world: &World, ask: &Ask) -> Vec<(StatusCode, bytes::Bytes)> {
    let (tenant, paths) = match ask {
        Ask::Search(query) | Ask::Walk { query, .. } => (&query.tenant, vec![query.path(query.limit, None)]),
        Ask::Trace { tenant, id } => {
            (tenant, vec![format!("/v1/traces/{id}"), format!("/v1/traces/{id}?shape=skeleton")])
        }
        Ask::Names { tenant, service } => (tenant, vec!["/v1/services".to_owned(), operations_path(service)]),
    };
    let mut answers = Vec::new();
    for path in paths {
        let answer = world.get(&path, Some(tenant)).await;
        answers.push((answer.status, answer.body));
    }
    answers
}

/// Where a page ended: what its last trace was ordered by, and its id.
type End = (u64, TraceId);

struct Page {
    ids: Vec<TraceId>,
    next: Option<(String, End)>,
}

/// All pages. Each must be what comes behind the page before by the time it is asked for, in the range that the first
/// page was about; then whatever does not change meanwhile comes once.
async fn walk(world: &mut World, query: &Query, limits: &[usize], meanwhile: &[Act]) -> Result<usize, String> {
    let range = evaluate::range(query, world.now());
    if refused(query, range).is_some() {
        return page(world, query, range, query.limit, None).await.map(|_| 1);
    }
    let before = ids_and_keys(&world.held, query, range);
    let mut seen: BTreeMap<TraceId, usize> = BTreeMap::new();
    let (mut meanwhile, mut limits) = (meanwhile.iter(), limits.iter().cycle());
    let (mut after, mut pages) = (None, 0);
    loop {
        let page = page(world, query, range, limits.next().copied(), after.as_ref()).await?;
        pages += 1;
        page.ids.iter().for_each(|id| *seen.entry(*id).or_default() += 1);
        after = page.next;
        if after.is_none() {
            break;
        }
        if let Some(act) = meanwhile.next() {
            world.act(act).await?;
        }
    }
    let now = ids_and_keys(&world.held, query, range);
    for (id, key) in before.iter().filter(|(id, key)| now.get(id) == Some(key)) {
        if seen.get(id) != Some(&1) {
            return Err(format!("{id} with key {key} never changed and was listed {:?} times", seen.get(id)));
        }
    }
    Ok(pages)
}

fn ids_and_keys(held: &[Held], query: &Query, range: (u64, Option<u64>)) -> BTreeMap<TraceId, u64> {
    evaluate::search(held, query, range).iter().map(|found| (found.trace.id, found.key)).collect()
}

async fn page(
    world: &World,
    query: &Query,
    range: (u64, Option<u64>),
    limit: Option<usize>,
    after: Option<&(String, End)>,
) -> Result<Page, String> {
    let path = query.path(limit, after.map(|(cursor, _)| cursor.as_str()));
    let answer = world.get(&path, query.by_header.then_some(&query.tenant)).await;
    let what = |error: String| format!("{path}\n{error}");
    if let Some(parameter) = refused(query, range) {
        return refusal(&answer, parameter).map(|()| Page { ids: Vec::new(), next: None }).map_err(what);
    }
    let answer: SearchAnswer = json(&answer).map_err(what)?;
    let found = evaluate::search(&world.held, query, range);
    let total = total(query, found.len() as u64, world.total_bound);
    check_page(&answer, query, &found, total, limit, after.map(|(_, end)| *end)).map_err(what)
}

/// The parameter that a question is refused for.
fn refused(query: &Query, (from, to): (u64, Option<u64>)) -> Option<&'static str> {
    let is_too_long = |nanos: u64| i64::try_from(nanos).is_err();
    if query.min_span_nanos.is_some_and(is_too_long) {
        Some("minSpanDurationMs")
    } else if query.max_span_nanos.is_some_and(|max| max < u64::MAX && is_too_long(max)) {
        Some("maxSpanDurationMs")
    } else {
        to.is_some_and(|to| to <= from).then_some("to")
    }
}

/// What is told of the number of answers.
fn total(query: &Query, count: u64, bound: u64) -> Option<Total> {
    let exact = Total { value: count, relation: TotalRelation::Eq };
    match query.total.as_deref() {
        Some("none") => None,
        Some("exact") => Some(exact),
        _ if count > bound => Some(Total { value: bound, relation: TotalRelation::Gte }),
        _ => Some(exact),
    }
}

fn check_page(
    answer: &SearchAnswer,
    query: &Query,
    found: &[Found<'_>],
    total: Option<Total>,
    limit: Option<usize>,
    after: Option<End>,
) -> Result<Page, String> {
    let is_down = matches!(query.sort.as_deref(), None | Some("-start" | "-duration"));
    let is_behind = |found: &&Found<'_>| {
        after.is_none_or(|(key, id)| match found.key.cmp(&key) {
            std::cmp::Ordering::Equal => found.trace.id > id,
            order => order.is_gt() != is_down,
        })
    };
    let rest: Vec<&Found<'_>> = found.iter().filter(is_behind).collect();
    let wanted = &rest[..rest.len().min(limit.unwrap_or(LIMIT_DEFAULT))];
    let ids = |traces: &[SummaryShape]| traces.iter().map(|trace| trace.trace_id.clone()).collect::<Vec<_>>();
    let wanted_ids: Vec<String> = wanted.iter().map(|found| found.trace.id.to_string()).collect();
    same("traces", &ids(&answer.traces), &wanted_ids)?;
    for (summary, found) in answer.traces.iter().zip(wanted) {
        check_summary(summary, &found.trace)?;
        check_matched(summary, found)?;
    }
    same("total", &answer.total, &total)?;
    same("cursor", &answer.cursor.is_some(), &(wanted.len() < rest.len()))?;
    same("incomplete", &answer.incomplete, &None)?;
    let next = answer.cursor.clone().zip(wanted.last().map(|found| (found.key, found.trace.id)));
    Ok(Page { ids: wanted.iter().map(|found| found.trace.id).collect(), next })
}

fn check_summary(summary: &SummaryShape, trace: &Trace<'_>) -> Result<(), String> {
    let services: std::collections::BTreeSet<String> = trace.spans.iter().map(|span| evaluate::service(span)).collect();
    let shape = |root: &Span| SummaryShape {
        trace_id: trace.id.to_string(),
        root: Some(RootShape { service: evaluate::service(root), operation: root.name.clone(), span_id: root.span_id }),
        start: to_rfc3339(trace.start),
        duration_nanos: trace.duration,
        span_count: trace.spans.len() as u64,
        error_count: trace.spans.iter().filter(|span| evaluate::is_error(span)).count() as u64,
        services: services.iter().cloned().collect(),
        state: StateShape { root_seen: root.parent_span_id.is_none(), ..StateShape::default() },
        matched: None,
        silhouette: None,
    };
    let wanted: Vec<SummaryShape> = trace.roots().into_iter().map(shape).collect();
    let told = SummaryShape { matched: None, ..summary.clone() };
    if wanted.contains(&told) { Ok(()) } else { Err(format!("summary\n  is     {told:?}\n  not of {wanted:?}")) }
}

/// The number of matching spans, and the first few by start.
fn check_matched(summary: &SummaryShape, found: &Found<'_>) -> Result<(), String> {
    let (told, wanted) = match (&summary.matched, &found.matched) {
        (None, None) => return Ok(()),
        (Some(told), Some(wanted)) => (told, wanted),
        (told, wanted) => return Err(format!("matched of {} is {told:?}, not {wanted:?}", summary.trace_id)),
    };
    same("matched.count", &told.count, &(wanted.len() as u64))?;
    let mut wanted: Vec<MatchedSpan> = wanted.iter().map(|span| matched_span(span)).collect();
    wanted.sort_by(|one, two| (&one.start, one.span_id).cmp(&(&two.start, two.span_id)));
    let place = |spans: &[MatchedSpan]| -> Vec<_> {
        spans.iter().take(SHOWN_MAX).map(|span| (span.start.clone(), span.span_id)).collect()
    };
    same("matched.spans", &place(&told.spans), &place(&wanted))?;
    for span in &told.spans {
        // Spans that are equal in start and id may come in any order, each once.
        let Some(at) = wanted.iter().position(|other| other == span) else {
            return Err(format!("matched of {} has {span:?}, which is not one of {wanted:?}", summary.trace_id));
        };
        wanted.remove(at);
    }
    Ok(())
}

fn matched_span(span: &Span) -> MatchedSpan {
    MatchedSpan {
        span_id: span.span_id,
        service: evaluate::service(span),
        name: span.name.clone(),
        start: to_rfc3339(span.start_unix_nanos),
        duration_nanos: span.duration_nanos,
        error: evaluate::is_error(span),
    }
}

async fn trace(world: &World, tenant: &Tenant, id: TraceId) -> Result<(), String> {
    let traces = evaluate::traces(&world.held, tenant);
    let wanted = traces.iter().find(|trace| trace.id == id);
    let path = match id.to_string().strip_prefix("0000000000000000") {
        Some(short) => format!("/v1/traces/{short}"),
        None => format!("/v1/traces/{id}"),
    };
    let what = |error: String| format!("{path} of {tenant}\n{error}");
    let native = world.get(&path, Some(tenant)).await;
    let otlp = world.get(&format!("{path}?format=protobuf&tenant={tenant}"), None).await;
    let Some(wanted) = wanted else {
        same("status", &native.status, &StatusCode::NOT_FOUND).map_err(what)?;
        return same("status", &otlp.status, &StatusCode::NOT_FOUND).map_err(what);
    };
    json(&native).and_then(|told: TraceAnswer| check_trace(&told, wanted)).map_err(what)?;
    same("status", &otlp.status, &StatusCode::OK).map_err(what)?;
    let told = clew_wire::otlp::spans(&otlp.body, &ServerConfig::default().limits, 0, &[]);
    let told = told.map_err(|error| what(error.to_string()))?;
    // Notes depend on when and how a span was read.
    let contents = |spans: &mut dyn Iterator<Item = &Span>| {
        let plain = spans.map(|span| evaluate::content(&Span { notes: Notes::default(), ..span.clone() }));
        let mut contents: Vec<String> = plain.collect();
        contents.sort();
        contents
    };
    let (told, wanted) = (contents(&mut told.iter()), contents(&mut wanted.spans.iter().copied()));
    same("spans", &told, &wanted).map_err(what)
}

fn check_trace(told: &TraceAnswer, wanted: &Trace<'_>) -> Result<(), String> {
    check_summary(&told.summary, wanted)?;
    same("id", &told.trace_id, &wanted.id.to_string())?;
    same("state", &told.state, &told.summary.state)?;
    let resources: Vec<_> = told.resources.iter().map(|resource| &resource.service).collect();
    let line = |span: &SpanShape| {
        let service = &resources[span.resource as usize];
        assert_eq!(**service, span.service, "a span's resource names its service");
        let SpanShape { span_id, parent_span_id, service, name, kind, start, duration_nanos, .. } = span;
        let SpanShape { status, error, notes, attributes, events, links, .. } = span;
        let lists = (attributes, events.len(), links.len(), notes);
        format!("{:?}", ((span_id, parent_span_id, service, name, kind), (start, duration_nanos, status, error), lists))
    };
    let wanted_line = |span: &&Span| {
        let (start, service) = (to_rfc3339(span.start_unix_nanos), evaluate::service(span));
        let notes: Vec<String> = span.notes.names().map(str::to_owned).collect();
        let lists = (attributes(&span.attributes), span.events.len(), span.links.len(), notes);
        let who = (span.span_id, span.parent_span_id, service, &span.name, span.kind.as_str());
        let how = (start, span.duration_nanos, span.status.code.as_str(), evaluate::is_error(span));
        format!("{:?}", (who, how, lists))
    };
    let sorted = |mut lines: Vec<String>| {
        lines.sort();
        lines
    };
    let lines = sorted(told.spans.iter().map(line).collect());
    same("spans", &lines, &sorted(wanted.spans.iter().map(wanted_line).collect()))
}

async fn names(world: &World, tenant: &Tenant, service: &str) -> Result<(), String> {
    let what = |error: String| format!("names of {tenant}, {service}\n{error}");
    let services: ServicesAnswer = json(&world.get("/v1/services", Some(tenant)).await).map_err(what)?;
    same("services", &services.services, &evaluate::services(&world.held, tenant)).map_err(what)?;
    let path = format!("{}?tenant={tenant}", operations_path(service));
    let operations: OperationsAnswer = json(&world.get(&path, None).await).map_err(what)?;
    same("operations", &operations.operations, &evaluate::operations(&world.held, tenant, service)).map_err(what)
}

fn operations_path(service: &str) -> String {
    format!("/v1/services/{}/operations", escaped(service))
}

fn refusal(answer: &Answer, parameter: &str) -> Result<(), String> {
    same("status", &answer.status, &StatusCode::BAD_REQUEST)?;
    let problem: Problem = serde_json::from_slice(&answer.body).map_err(|error| error.to_string())?;
    same("parameter", &problem.parameter.as_deref(), &Some(parameter))
}

pub(crate) fn json<T: DeserializeOwned>(answer: &Answer) -> Result<T, String> {
    if answer.status != StatusCode::OK {
        return Err(format!("{} {}", answer.status, String::from_utf8_lossy(&answer.body)));
    }
    serde_json::from_slice(&answer.body).map_err(|error| format!("{error} in {:?}", answer.body))
}

pub(crate) fn same<T: PartialEq + std::fmt::Debug>(what: &str, told: &T, wanted: &T) -> Result<(), String> {
    if told == wanted { Ok(()) } else { Err(format!("{what}\n  is  {told:?}\n  not {wanted:?}")) }
}
