//! The figures a search page shows about a trace.

use std::collections::HashSet;
use std::sync::Arc;

use foldhash::fast::RandomState;
use serde::{Deserialize, Serialize};

use crate::identity::{distinct_indices, has_repeats};
use crate::{Notes, Resource, Span, SpanId, TraceId};

/// A trace in short.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// The trace; zeros when there are no spans.
    pub trace_id: TraceId,
    /// The root, or the earliest span without a received parent while `root_seen` is false. `None` without spans.
    pub root: Option<RootRef>,
    /// First start, in unix nanoseconds. Spans with [`Notes::ODD_TIME`] are left out here and in the duration unless there
    /// are no others.
    pub start_unix_nanos: u64,
    /// Last end minus first start, in nanoseconds.
    pub duration_nanos: u64,
    /// Spans, identical ones once.
    pub span_count: usize,
    /// Failed spans.
    pub error_count: usize,
    /// The services that sent spans, sorted.
    pub services: Vec<String>,
    /// Whether `root` has no parent.
    pub root_seen: bool,
}

/// A root in short.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RootRef {
    /// Its service.
    pub service: String,
    /// Its operation.
    pub operation: String,
    /// Itself.
    pub span_id: SpanId,
}

/// The summary of the spans of one trace, given in any order and with repeats.
pub fn summarize(spans: &[Span]) -> Summary {
    let has_repeats = has_repeats(spans);
    let spans: Vec<&Span> = if has_repeats {
        distinct_indices(spans).into_iter().map(|index| &spans[index]).collect()
    } else {
        spans.iter().collect()
    };
    let Some(first) = spans.first() else { return Summary::default() };
    let (start_unix_nanos, end_unix_nanos) = extent(spans.iter().copied());
    let root = if has_repeats { root(&spans) } else { root_of_distinct(&spans) };
    Summary {
        trace_id: first.trace_id,
        root: root.map(|root| RootRef {
            service: root.service().to_owned(),
            operation: root.name.clone(),
            span_id: root.span_id,
        }),
        start_unix_nanos,
        duration_nanos: end_unix_nanos - start_unix_nanos,
        span_count: spans.len(),
        error_count: spans.iter().filter(|span| span.is_error()).count(),
        services: services(&spans),
        root_seen: root.is_some_and(|root| root.parent_span_id.is_none()),
    }
}

/// First start and last end, odd times left out if there are others; `(0, 0)` without spans.
pub fn extent<'a>(spans: impl Iterator<Item = &'a Span> + Clone) -> (u64, u64) {
    let is_odd = |span: &&Span| span.notes.contains(Notes::ODD_TIME);
    let all_odd = spans.clone().all(|span| is_odd(&span));
    let counted = spans.filter(|span| all_odd || !is_odd(span));
    let bounds = counted.map(|span| (span.start_unix_nanos, span.end_unix_nanos()));
    bounds.reduce(|(start, end), other| (start.min(other.0), end.max(other.1))).unwrap_or((0, 0))
}

/// The services that sent spans, sorted. Spans share resources, so that few names are looked for and compared.
fn services(spans: &[&Span]) -> Vec<String> {
    let mut resources: Vec<&Arc<Resource>> = spans.iter().map(|span| &span.resource).collect();
    resources.sort_unstable_by_key(|resource| Arc::as_ptr(resource).addr());
    resources.dedup_by(|left, right| Arc::ptr_eq(left, right));
    let mut services: Vec<&str> = resources.into_iter().map(|resource| resource.service()).collect();
    services.sort_unstable();
    services.dedup();
    services.into_iter().map(str::to_owned).collect()
}

/// As [`root`], of spans of which no two have one id: those without a parent stand before all others then, and whom those
/// have for parents need not be asked.
fn root_of_distinct<'a>(spans: &[&'a Span]) -> Option<&'a Span> {
    let mut parentless = spans.iter().copied().filter(|span| span.parent_span_id.is_none());
    match (parentless.next(), parentless.next()) {
        (Some(only), None) => Some(only),
        _ => root(spans),
    }
}

/// The span that stands for the trace: of those without a parent the earliest, one that follows up another span of the
/// trace by a link only for want of others; else the earliest whose parent was not received; else the earliest. The far
/// half of a call whose near half has the same id stands behind them all, and of equals those with odd times stand last.
fn root<'a>(spans: &[&'a Span]) -> Option<&'a Span> {
    let ids: HashSet<SpanId, RandomState> = spans.iter().map(|span| span.span_id).collect();
    // Of callers, those alone count whose id several spans have.
    let callers: HashSet<SpanId, RandomState> = if ids.len() < spans.len() {
        spans.iter().filter(|span| span.kind.is_caller()).map(|span| span.span_id).collect()
    } else {
        HashSet::default()
    };
    let rank = |span: &Span| match span.parent_span_id {
        _ if span.kind.is_callee() && callers.contains(&span.span_id) => 3,
        None => u8::from(is_follow_up(span, |id| ids.contains(&id))),
        Some(parent) if !ids.contains(&parent) => 2,
        Some(_) => 3,
    };
    let is_odd = |span: &Span| span.notes.contains(Notes::ODD_TIME);
    spans.iter().copied().min_by(|left, right| {
        let key = |span: &Span| (rank(span), is_odd(span));
        key(left).cmp(&key(right)).then_with(|| crate::identity::canonical(left, right))
    })
}

/// Whether a span without a parent links to another span of its trace, and so continues that one's work.
pub fn is_follow_up(span: &Span, is_known: impl Fn(SpanId) -> bool) -> bool {
    let others = span.links.iter().filter(|link| link.trace_id == span.trace_id && link.span_id != span.span_id);
    span.parent_span_id.is_none() && others.into_iter().any(|link| is_known(link.span_id))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{Attribute, Kind, Link};

    fn any_span() -> impl Strategy<Value = Span> {
        let links = prop::collection::vec(1_u64..9, 0..2);
        let fields = (0_u64..4, 0_u64..3, 0_usize..6, any::<bool>(), links, 0_usize..3);
        fields.prop_map(|(parent, start_unix_nanos, kind, is_odd, links, service)| {
            let link = |id| Link { span_id: SpanId::from_u64(id), ..Link::default() };
            let attributes = vec![Attribute::new("service.name", ["a", "b", "c"][service])];
            Span {
                parent_span_id: (parent != 0).then(|| SpanId::from_u64(parent)),
                start_unix_nanos,
                kind: Kind::ALL[kind],
                notes: if is_odd { Notes::ODD_TIME } else { Notes::default() },
                links: links.into_iter().map(link).collect(),
                resource: Arc::new(Resource { attributes, ..Resource::default() }),
                ..Span::default()
            }
        })
    }

    proptest! {
        #[test]
        fn without_repeats_the_root_and_services_are_found_all_the_same(mut spans in prop::collection::vec(any_span(), 0..8)) {
            (1..).zip(&mut spans).for_each(|(id, span)| span.span_id = SpanId::from_u64(id));
            let all: Vec<&Span> = spans.iter().collect();
            prop_assert_eq!(root_of_distinct(&all), root(&all));
            let named: std::collections::BTreeSet<&str> = spans.iter().map(Span::service).collect();
            prop_assert_eq!(services(&all), named.into_iter().collect::<Vec<_>>());
        }
    }
}
