//! The same questions to a plain list of spans.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use clew_model::scan::{AttributeScope, Condition, Extent, Field, Op, ScanRequest, SpanRow, TraceMatch};
use clew_model::value::find;
use clew_model::{Attribute, Notes, Span, Tenant, TraceId, Value};
use clew_wire::otlp::{AdmitOptions, admit, spans};

use crate::Batch;

/// Each tenant's spans in the order of their arrival.
#[derive(Default)]
pub(super) struct Oracle {
    of_tenant: BTreeMap<Tenant, Vec<Span>>,
}

impl Oracle {
    pub(super) fn insert(&mut self, batch: &Batch) {
        let received_unix_nanos = batch.received_unix_nanos;
        let options = AdmitOptions { limits: batch.limits, received_unix_nanos, tenant_attribute: None };
        let groups = admit(&batch.body, &options).unwrap().groups;
        let all = spans(&batch.body, &batch.limits, received_unix_nanos, &[]).unwrap();
        for (ordinal, span) in all.into_iter().enumerate() {
            let ordinal = ordinal as u32;
            let is_in = |group: &clew_wire::otlp::Group| {
                (group.first_span..group.first_span + group.span_count).contains(&ordinal)
            };
            let group = groups.iter().position(is_in).unwrap();
            if !batch.rejected.iter().any(|(rejected, _)| *rejected == ordinal) {
                self.of_tenant.entry(batch.tenants.of(group as u32).clone()).or_default().push(span);
            }
        }
    }

    pub(super) fn tenants(&self) -> Vec<Tenant> {
        self.of_tenant.keys().cloned().collect()
    }

    pub(super) fn span_count(&self) -> u64 {
        self.of_tenant.values().map(|spans| spans.len() as u64).sum()
    }

    pub(super) fn trace_count(&self) -> u64 {
        self.of_tenant.keys().map(|tenant| self.traces(tenant).len() as u64).sum()
    }

    pub(super) fn services(&self, tenant: &Tenant) -> Vec<String> {
        let services: BTreeSet<_> = self.spans(tenant).iter().map(|span| span.service().to_owned()).collect();
        services.into_iter().collect()
    }

    pub(super) fn operations(&self, tenant: &Tenant, service: &str) -> Vec<String> {
        let spans = self.spans(tenant).iter().filter(|span| span.service() == service);
        let operations: BTreeSet<_> = spans.map(|span| span.name.clone()).collect();
        operations.into_iter().collect()
    }

    pub(super) fn rows(&self, tenant: &Tenant, ids: &[TraceId]) -> Vec<Span> {
        let traces = self.traces(tenant);
        let mut rows: Vec<Span> = Vec::new();
        for id in ids {
            let mut kept: Vec<Span> = Vec::new();
            for span in traces.get(id).into_iter().flatten() {
                if !kept.iter().any(|earlier| earlier.is_same_as(span)) {
                    kept.push((*span).clone());
                }
            }
            kept.sort_by_key(|span| (span.start_unix_nanos, span.span_id));
            rows.append(&mut kept);
        }
        rows
    }

    pub(super) fn scan(&self, request: &ScanRequest) -> Vec<TraceMatch> {
        let traces = self.traces(&request.tenant).into_iter();
        traces.filter_map(|(id, spans)| match_of(id, &spans, request)).collect()
    }

    pub(super) fn extents(&self, tenant: &Tenant, ids: &[TraceId]) -> Vec<(TraceId, Extent)> {
        let traces = self.traces(tenant);
        ids.iter().filter_map(|id| Some((*id, extent(traces.get(id)?)))).collect()
    }

    pub(super) fn spans(&self, tenant: &Tenant) -> &[Span] {
        self.of_tenant.get(tenant).map_or(&[], Vec::as_slice)
    }

    fn traces(&self, tenant: &Tenant) -> BTreeMap<TraceId, Vec<&Span>> {
        let mut traces: BTreeMap<TraceId, Vec<&Span>> = BTreeMap::new();
        for span in self.spans(tenant) {
            traces.entry(span.trace_id).or_default().push(span);
        }
        traces
    }
}

fn match_of(trace_id: TraceId, spans: &[&Span], request: &ScanRequest) -> Option<TraceMatch> {
    let extent = extent(spans);
    let is_before = extent.end_unix_nanos < request.range.from_unix_nanos;
    if !extent.is_odd && (is_before || extent.start_unix_nanos >= request.range.to_unix_nanos) {
        return None;
    }
    let (mut filters_met, mut matched_count, mut rows) = (0, 0, Vec::new());
    for span in spans {
        let is_met =
            |filter: &usize| request.filters[*filter].conditions.iter().all(|condition| meets(span, condition));
        let met: Vec<usize> = (0..request.filters.len()).filter(is_met).collect();
        filters_met |= met.iter().map(|filter| 1 << filter).sum::<u64>();
        if !met.is_empty() {
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

fn extent(spans: &[&Span]) -> Extent {
    let is_plain = |span: &&&Span| !span.notes.contains(Notes::ODD_TIME);
    let is_odd = !spans.iter().any(|span| is_plain(&span));
    let counted = || spans.iter().filter(|span| is_odd || is_plain(span));
    Extent {
        start_unix_nanos: counted().map(|span| span.start_unix_nanos).min().unwrap(),
        end_unix_nanos: counted().map(|span| span.end_unix_nanos()).max().unwrap(),
        is_odd,
    }
}

fn meets(span: &Span, condition: &Condition) -> bool {
    let value: Value = match &condition.field {
        Field::Service => span.service().into(),
        Field::Name => span.name.as_str().into(),
        Field::Kind => span.kind.as_str().into(),
        Field::Status => span.status.code.as_str().into(),
        Field::Error => span.is_error().into(),
        Field::Duration => Value::Int(span.duration_nanos as i64),
        Field::Start => Value::Int(span.start_unix_nanos as i64),
        Field::Attribute { scope, key } => {
            let lists: &[&[Attribute]] = match scope {
                AttributeScope::Any => &[&span.attributes, &span.resource.attributes, &span.scope.attributes],
                AttributeScope::Span => &[&span.attributes],
                AttributeScope::Resource => &[&span.resource.attributes],
                AttributeScope::Instrumentation => &[&span.scope.attributes],
            };
            return lists.iter().filter_map(|list| find(list, key)).any(|value| compares(value, condition));
        }
    };
    compares(&value, condition)
}

fn compares(value: &Value, condition: &Condition) -> bool {
    let order = order(value, &condition.value);
    let is_equal = match order {
        Some(order) => order.is_eq(),
        None => *value == condition.value,
    };
    match condition.op {
        Op::Exists => true,
        Op::TextEq => value.to_string() == condition.value.to_string(),
        Op::Eq => is_equal,
        Op::Ne => !is_equal,
        Op::Lt => order == Some(Ordering::Less),
        Op::Le => matches!(order, Some(Ordering::Less | Ordering::Equal)),
        Op::Gt => order == Some(Ordering::Greater),
        Op::Ge => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
    }
}

/// Numbers in the tests are small, or far apart.
fn order(one: &Value, two: &Value) -> Option<Ordering> {
    match (one, two) {
        (Value::Int(one), Value::Int(two)) => Some(one.cmp(two)),
        (Value::Int(one), Value::Double(two)) => (*one as f64).partial_cmp(two),
        (Value::Double(one), Value::Int(two)) => one.partial_cmp(&(*two as f64)),
        (Value::Double(one), Value::Double(two)) => one.partial_cmp(two),
        (Value::String(one), Value::String(two)) => Some(one.cmp(two)),
        (Value::Bool(one), Value::Bool(two)) => Some(one.cmp(two)),
        (Value::Bytes(one), Value::Bytes(two)) => Some(one.cmp(two)),
        _ => None,
    }
}
