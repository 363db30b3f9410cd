//! The same questions to a plain list of spans.

use std::collections::{BTreeMap, BTreeSet};

use clew_model::identity::distinct;
use clew_model::scan::{
    AttributeScope, Condition, Extent, Field, MatchedRequest, MatchedSpans, ScanRequest, SpanRow, TraceMatch,
};
use clew_model::value::find;
use clew_model::{Attribute, Span, Summary, Tenant, Test, TraceId, ValueRef, summarize};

pub(super) struct Oracle(pub(super) BTreeMap<Tenant, Vec<Span>>);

impl Oracle {
    fn traces(&self, tenant: &Tenant) -> BTreeMap<TraceId, Vec<Span>> {
        let mut traces: BTreeMap<TraceId, Vec<Span>> = BTreeMap::new();
        for span in self.0.get(tenant).into_iter().flatten() {
            traces.entry(span.trace_id).or_default().push(span.clone());
        }
        for spans in traces.values_mut() {
            spans.sort_by_key(|span| (span.start_unix_nanos, span.span_id));
        }
        traces
    }

    pub(super) fn ids(&self, tenant: &Tenant) -> Vec<TraceId> {
        self.traces(tenant).into_keys().collect()
    }

    /// Repeats included.
    pub(super) fn all(&self, tenant: &Tenant) -> Vec<Span> {
        self.traces(tenant).into_values().flatten().collect()
    }

    pub(super) fn rows(&self, tenant: &Tenant, ids: &[TraceId]) -> Vec<Span> {
        let mut traces = self.traces(tenant);
        let mut rows = Vec::new();
        for id in ids {
            let mut spans = distinct(traces.remove(id).unwrap_or_default());
            spans.sort_by_key(|span| (span.start_unix_nanos, span.span_id));
            rows.append(&mut spans);
        }
        rows
    }

    pub(super) fn extents(&self, tenant: &Tenant) -> Vec<(TraceId, Extent)> {
        let extent =
            |(id, spans): (TraceId, Vec<Span>)| (id, spans.iter().map(Extent::of).reduce(Extent::merge).unwrap());
        self.traces(tenant).into_iter().map(extent).collect()
    }

    pub(super) fn summaries(&self, tenant: &Tenant) -> Vec<Summary> {
        self.traces(tenant).into_values().map(|spans| summarize(&spans)).collect()
    }

    pub(super) fn services(&self, tenant: &Tenant) -> Vec<String> {
        let services: BTreeSet<_> = self.0[tenant].iter().map(|span| span.service().to_owned()).collect();
        services.into_iter().collect()
    }

    pub(super) fn operations(&self, tenant: &Tenant, service: &str) -> Vec<String> {
        let of = self.0[tenant].iter().filter(|span| span.service() == service);
        of.map(|span| span.name.clone()).collect::<BTreeSet<_>>().into_iter().collect()
    }

    pub(super) fn matched(&self, request: &MatchedRequest<'_>) -> Vec<MatchedSpans> {
        let traces = self.traces(request.tenant).into_iter().filter(|(id, _)| request.ids.contains(id));
        traces.filter_map(|(_, spans)| request.of_trace(&distinct(spans))).collect()
    }

    pub(super) fn scan(&self, request: &ScanRequest) -> Vec<TraceMatch> {
        let traces = self.traces(&request.tenant).into_iter();
        traces.filter_map(|(id, spans)| match_of(id, &spans, request)).collect()
    }
}

fn match_of(trace_id: TraceId, spans: &[Span], request: &ScanRequest) -> Option<TraceMatch> {
    let extent = spans.iter().map(Extent::of).reduce(Extent::merge)?;
    if !extent.is_odd && !extent.meets(request.range) {
        return None;
    }
    let (mut filters_met, mut matched_count, mut rows) = (0, 0, Vec::new());
    for span in spans {
        let is_met =
            |filter: &usize| request.filters[*filter].conditions.iter().all(|condition| meets(span, condition));
        let met = (0..request.filters.len()).filter(is_met).fold(0, |met, filter| met | 1 << filter);
        filters_met |= met;
        if met != 0 {
            matched_count += 1;
            let (start_unix_nanos, duration_nanos) = (span.start_unix_nanos, span.duration_nanos);
            rows.push(SpanRow { span_id: span.span_id, start_unix_nanos, duration_nanos });
        }
    }
    rows.sort_by_key(|row| (row.start_unix_nanos, row.span_id, row.duration_nanos));
    rows.truncate(request.rows_per_trace as usize);
    let is_match = request.filters.is_empty() || matched_count > 0;
    is_match.then_some(TraceMatch { trace_id, extent, filters_met, matched_count, rows })
}

fn meets(span: &Span, condition: &Condition) -> bool {
    let test = Test::new(condition);
    let text = |text: &str| test.is_met_by(ValueRef::String(text.as_bytes()));
    match &condition.field {
        Field::Service => text(span.service()),
        Field::Name => text(&span.name),
        Field::Kind => text(span.kind.as_str()),
        Field::Status => text(span.status.code.as_str()),
        Field::Error => test.is_met_by(ValueRef::Bool(span.is_error())),
        Field::Duration => test.nanos(span.duration_nanos),
        Field::Start => test.nanos(span.start_unix_nanos),
        Field::Attribute { scope, key } => {
            let lists: &[&[Attribute]] = match scope {
                AttributeScope::Any => &[&span.attributes, &span.resource.attributes, &span.scope.attributes],
                AttributeScope::Span => &[&span.attributes],
                AttributeScope::Resource => &[&span.resource.attributes],
                AttributeScope::Instrumentation => &[&span.scope.attributes],
            };
            lists.iter().filter_map(|list| find(list, key)).any(|value| test.is_met_by(value.into()))
        }
    }
}
