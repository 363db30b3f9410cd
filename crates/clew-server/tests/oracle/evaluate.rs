//! What the documents say an answer is, worked out the plainest way over a list of spans.

use std::collections::{BTreeMap, BTreeSet};

use clew_model::{Attribute, Notes, Span, StatusCode, Tenant, TraceId};

use super::generate::{Query, When};

/// A span that was acknowledged.
#[derive(Debug, Clone)]
pub(crate) struct Held {
    pub(crate) tenant: Tenant,
    pub(crate) span: Span,
    /// All of it but when it was received: spans with the same content are one.
    pub(crate) content: String,
}

/// A trace of one tenant: its spans, identical ones once.
#[derive(Debug, Clone)]
pub(crate) struct Trace<'h> {
    pub(crate) id: TraceId,
    pub(crate) spans: Vec<&'h Span>,
    pub(crate) start: u64,
    pub(crate) duration: u64,
}

/// What a search finds: every trace, in order.
pub(crate) struct Found<'h> {
    pub(crate) trace: Trace<'h>,
    /// What the order looks at first, and then the id.
    pub(crate) key: u64,
    /// The spans that met the conditions; `None` when there were none.
    pub(crate) matched: Option<Vec<&'h Span>>,
}

impl Held {
    pub(crate) fn new(tenant: Tenant, span: Span) -> Self {
        Self { tenant, content: content(&span), span }
    }
}

/// All of a span but when it was received.
pub(crate) fn content(span: &Span) -> String {
    format!("{:?}", Span { received_unix_nanos: 0, ..span.clone() })
}

/// The tenant's traces, by id.
pub(crate) fn traces<'h>(held: &'h [Held], tenant: &Tenant) -> Vec<Trace<'h>> {
    let mut spans: BTreeMap<TraceId, BTreeMap<&str, &Span>> = BTreeMap::new();
    for held in held.iter().filter(|held| held.tenant == *tenant) {
        spans.entry(held.span.trace_id).or_default().insert(&held.content, &held.span);
    }
    spans.into_iter().map(|(id, spans)| Trace::of(id, spans.into_values().collect())).collect()
}

/// The services that sent spans, sorted.
pub(crate) fn services(held: &[Held], tenant: &Tenant) -> Vec<String> {
    let spans = held.iter().filter(|held| held.tenant == *tenant);
    let names: BTreeSet<String> = spans.map(|held| service(&held.span)).collect();
    names.into_iter().collect()
}

/// The operations of a service, sorted.
pub(crate) fn operations(held: &[Held], tenant: &Tenant, of: &str) -> Vec<String> {
    let spans = held.iter().filter(|held| held.tenant == *tenant && service(&held.span) == of);
    let names: BTreeSet<String> = spans.map(|held| held.span.name.clone()).collect();
    names.into_iter().collect()
}

/// The instants that a question asked at `now` is about: from the first up to, not including, the second. No end is
/// `None`.
pub(crate) fn range(query: &Query, now: u64) -> (u64, Option<u64>) {
    let at = |when: &When| match when {
        When::At { unix_nanos, .. } => *unix_nanos,
        When::Now => now,
        When::SecondsAgo(seconds) => now - seconds * 1_000_000_000,
    };
    let since = query.since_seconds.map(|seconds| now - seconds * 1_000_000_000);
    // The last of all instants is no end.
    (query.from.as_ref().map(at).or(since).unwrap_or(0), query.to.as_ref().map(at).filter(|to| *to < u64::MAX))
}

/// All traces that a question is answered with, in order.
pub(crate) fn search<'h>(held: &'h [Held], query: &Query, range: (u64, Option<u64>)) -> Vec<Found<'h>> {
    let traces = traces(held, &query.tenant).into_iter();
    let mut found: Vec<Found> = traces.filter_map(|trace| find(trace, query, range)).collect();
    let is_down = matches!(query.sort.as_deref(), None | Some("-start" | "-duration"));
    found.sort_by(|one, two| {
        let by_key = one.key.cmp(&two.key);
        (if is_down { by_key.reverse() } else { by_key }).then(one.trace.id.cmp(&two.trace.id))
    });
    found
}

fn find<'h>(trace: Trace<'h>, query: &Query, (from, to): (u64, Option<u64>)) -> Option<Found<'h>> {
    let is_in_range = from <= trace.start && to.is_none_or(|to| trace.start < to);
    let is_long_enough = query.min_nanos.is_none_or(|min| min <= trace.duration);
    let is_short_enough = query.max_nanos.is_none_or(|max| trace.duration <= max);
    let is_touched = |service: &String| trace.spans.iter().any(|span| self::service(span) == *service);
    let matched: Vec<&Span> = trace.spans.iter().copied().filter(|span| meets(span, query)).collect();
    let is_met = query.services.iter().all(is_touched) && !matched.is_empty();
    let asks_of_spans = !query.services.is_empty() || query.has_conditions();
    let key = match query.sort.as_deref() {
        Some("duration" | "-duration") => trace.duration,
        _ => trace.start,
    };
    let is_found = is_in_range && is_long_enough && is_short_enough && is_met;
    is_found.then_some(Found { trace, key, matched: asks_of_spans.then_some(matched) })
}

/// Whether one span is of one of the services asked for and meets all conditions.
fn meets(span: &Span, query: &Query) -> bool {
    let has_status = |status: &String| match status.as_str() {
        "error" => is_error(span),
        "ok" => span.status.code == StatusCode::Ok,
        _ => span.status.code == StatusCode::Unset,
    };
    let lists = [&span.attributes, &span.resource.attributes, &span.scope.attributes];
    let has_attribute = |(key, text): &(String, String)| {
        lists.iter().any(|list| first(list, key).is_some_and(|attribute| attribute.value.to_string() == *text))
    };
    (query.services.is_empty() || query.services.contains(&service(span)))
        && query.operation.as_ref().is_none_or(|name| span.name == *name)
        && query.status.as_ref().is_none_or(has_status)
        && query.kind.is_none_or(|kind| span.kind == kind)
        && query.min_span_nanos.is_none_or(|min| min <= span.duration_nanos)
        && query.max_span_nanos.is_none_or(|max| span.duration_nanos <= max)
        && query.attributes.iter().all(has_attribute)
}

/// The service that a span's resource names, or what stands for none.
pub(crate) fn service(span: &Span) -> String {
    match first(&span.resource.attributes, "service.name") {
        Some(Attribute { value: clew_model::Value::String(name), .. }) if !name.is_empty() => name.clone(),
        _ => "unknown_service".to_owned(),
    }
}

/// Whether a span failed: status ERROR, or an attribute `error` that is true.
pub(crate) fn is_error(span: &Span) -> bool {
    span.status.code == StatusCode::Error || first(&span.attributes, "error").is_some_and(is_yes)
}

fn is_yes(attribute: &Attribute) -> bool {
    let text = attribute.value.to_string();
    match attribute.value {
        clew_model::Value::Bool(truth) => truth,
        clew_model::Value::String(_) => text.to_lowercase() == "true",
        _ => false,
    }
}

/// Of a key that a list has more than once, the first counts.
fn first<'s>(list: &'s [Attribute], key: &str) -> Option<&'s Attribute> {
    list.iter().find(|attribute| attribute.key == key)
}

impl<'h> Trace<'h> {
    fn of(id: TraceId, spans: Vec<&'h Span>) -> Self {
        // Odd times say nothing unless there are no others.
        let all_odd = spans.iter().all(|span| is_odd(span));
        let counted = || spans.iter().filter(|span| all_odd || !is_odd(span));
        let start = counted().map(|span| span.start_unix_nanos).min().unwrap();
        let end = counted().map(|span| span.start_unix_nanos.saturating_add(span.duration_nanos)).max().unwrap();
        Self { id, spans, start, duration: end - start }
    }

    /// The spans that may stand for the trace: more than one only if they are equal in all that the documents name.
    pub(crate) fn roots(&self) -> Vec<&'h Span> {
        let spans = || self.spans.iter().copied();
        // The far half of a call whose near half has the same id is part of that one.
        let is_half = |span: &Span| {
            span.kind.is_callee() && spans().any(|other| other.span_id == span.span_id && other.kind.is_caller())
        };
        let is_known = |id| spans().any(|span| span.span_id == id);
        let follows = |span: &Span| {
            span.links
                .iter()
                .any(|link| link.trace_id == self.id && link.span_id != span.span_id && is_known(link.span_id))
        };
        let is_parentless = |span: &Span| span.parent_span_id.is_none() && !is_half(span);
        let is_orphan = |span: &Span| span.parent_span_id.is_some_and(|parent| !is_known(parent)) && !is_half(span);
        let choices: [Vec<&Span>; 4] = [
            spans().filter(|span| is_parentless(span) && !follows(span)).collect(),
            spans().filter(|span| is_parentless(span)).collect(),
            spans().filter(|span| is_orphan(span)).collect(),
            spans().collect(),
        ];
        let mut chosen = choices.into_iter().find(|spans| !spans.is_empty()).unwrap();
        if chosen.iter().any(|span| !is_odd(span)) {
            chosen.retain(|span| !is_odd(span));
        }
        let first = chosen.iter().map(|span| (span.start_unix_nanos, span.span_id)).min().unwrap();
        chosen.retain(|span| (span.start_unix_nanos, span.span_id) == first);
        chosen
    }
}

fn is_odd(span: &Span) -> bool {
    span.notes.contains(Notes::ODD_TIME)
}
