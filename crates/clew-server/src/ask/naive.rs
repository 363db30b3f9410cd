//! A source for tests: a list of spans, asked in the plainest way.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use clew_model::identity::distinct;
use clew_model::scan::{
    AttributeScope, Condition, Enough, Expired, Extent, ExtentsAnswer, Field, Incomplete, NewestAnswer, Op, RowsAnswer,
    ScanAnswer, ScanError, ScanRequest, SpanFilter, SpanRow, SpanSource, TraceMatch,
};
use clew_model::{
    Attribute, Event, Kind, Link, Notes, Resource, Scope, Span, SpanId, Status, StatusCode, Tenant, TraceId, Value,
};

/// Spans of one tenant.
#[derive(Default)]
pub(crate) struct Naive {
    pub tenant: Tenant,
    pub spans: Mutex<Vec<Span>>,
    pub incomplete: Option<Incomplete>,
}

impl Naive {
    pub(crate) fn of(spans: Vec<Span>) -> Arc<Self> {
        Arc::new(Self { spans: Mutex::new(spans), ..Self::default() })
    }

    fn traces(&self, tenant: &Tenant) -> BTreeMap<TraceId, Vec<Span>> {
        let mut traces: BTreeMap<TraceId, Vec<Span>> = BTreeMap::new();
        for span in self.spans.lock().unwrap().iter().filter(|_| *tenant == self.tenant) {
            traces.entry(span.trace_id).or_default().push(span.clone());
        }
        traces
    }
}

impl SpanSource for Naive {
    fn scan(&self, request: &ScanRequest, expired: Expired<'_>) -> Result<ScanAnswer, ScanError> {
        if expired() {
            return Err(ScanError::Expired);
        }
        let traces = self.traces(&request.tenant);
        let matches = traces.into_iter().filter_map(|(id, spans)| found(request, id, &spans)).collect();
        Ok(ScanAnswer { matches, incomplete: self.incomplete.clone(), scanned_count: 0 })
    }

    fn scan_newest(
        &self,
        request: &ScanRequest,
        enough: &Enough,
        expired: Expired<'_>,
    ) -> Result<NewestAnswer, ScanError> {
        let mut answer = self.scan(request, expired)?;
        let mut starts: Vec<u64> = answer.matches.iter().map(|found| found.extent.start_unix_nanos).collect();
        starts.sort_unstable_by_key(|start| Reverse(*start));
        let last = enough.newest.checked_sub(1).and_then(|last| starts.get(last).copied()).unwrap_or(0);
        let floor = last.max(enough.floor_unix_nanos);
        // A source may leave out what it may leave out, so this one always does.
        let (mut at, all) = (0, answer.matches.len());
        answer.matches.retain(|found| {
            at += 1;
            at <= enough.count || found.extent.is_odd || found.extent.start_unix_nanos >= floor
        });
        let left_out_before_unix_nanos = (answer.matches.len() < all).then_some(floor);
        Ok(NewestAnswer { answer, left_out_before_unix_nanos })
    }

    fn extents(&self, tenant: &Tenant, ids: &[TraceId], _: Expired<'_>) -> Result<ExtentsAnswer, ScanError> {
        let mut traces = self.traces(tenant);
        let extents = ids.iter().filter_map(|id| Some((*id, extent(&traces.remove(id)?)?)));
        Ok(ExtentsAnswer { extents: extents.collect(), incomplete: self.incomplete.clone() })
    }

    fn rows(&self, tenant: &Tenant, ids: &[TraceId], _: Expired<'_>) -> Result<RowsAnswer, ScanError> {
        let mut traces = self.traces(tenant);
        let spans = ids.iter().filter_map(|id| traces.remove(id)).flat_map(distinct).collect();
        Ok(RowsAnswer { spans, incomplete: self.incomplete.clone() })
    }

    fn services(&self, tenant: &Tenant) -> Result<Vec<String>, ScanError> {
        let spans = self.traces(tenant).into_values().flatten();
        let mut names: Vec<String> = spans.map(|span| span.service().to_owned()).collect();
        names.sort();
        names.dedup();
        Ok(names)
    }

    fn operations(&self, tenant: &Tenant, service: &str) -> Result<Vec<String>, ScanError> {
        let spans = self.traces(tenant).into_values().flatten();
        let mut names: Vec<String> = spans.filter(|span| span.service() == service).map(|span| span.name).collect();
        names.sort();
        names.dedup();
        Ok(names)
    }

    fn tenants(&self) -> Result<Vec<Tenant>, ScanError> {
        Ok(vec![self.tenant.clone()])
    }
}

fn found(request: &ScanRequest, trace_id: TraceId, spans: &[Span]) -> Option<TraceMatch> {
    let extent = extent(spans)?;
    // A source may leave out what it may leave out, so this one always does.
    if !extent.is_odd && !extent.meets(request.range) {
        return None;
    }
    let mut filters_met = 0;
    let mut matched: Vec<&Span> = Vec::new();
    for span in spans {
        let met = (0..).zip(&request.filters).filter(|(_, filter)| meets(span, filter));
        let bits = met.fold(0, |bits, (n, _)| bits | 1 << n);
        filters_met |= bits;
        matched.extend((bits != 0).then_some(span));
    }
    if filters_met == 0 && !request.filters.is_empty() {
        return None;
    }
    matched.sort_by_key(|span| (span.start_unix_nanos, span.span_id));
    let rows = matched.iter().take(request.rows_per_trace as usize).map(|span| SpanRow {
        span_id: span.span_id,
        start_unix_nanos: span.start_unix_nanos,
        duration_nanos: span.duration_nanos,
    });
    let (rows, matched_count) = (rows.collect(), matched.len() as u32);
    Some(TraceMatch { trace_id, extent, filters_met, matched_count, rows })
}

fn extent(spans: &[Span]) -> Option<Extent> {
    spans.iter().map(Extent::of).reduce(Extent::merge)
}

fn meets(span: &Span, filter: &SpanFilter) -> bool {
    filter.conditions.iter().all(|condition| values(span, &condition.field).iter().any(|value| holds(value, condition)))
}

fn values(span: &Span, field: &Field) -> Vec<Value> {
    let number = |number: u64| Value::Int(number as i64);
    match field {
        Field::Service => vec![span.service().into()],
        Field::Name => vec![span.name.as_str().into()],
        Field::Kind => vec![span.kind.as_str().into()],
        Field::Status => vec![span.status.code.as_str().into()],
        Field::Error => vec![span.is_error().into()],
        Field::Duration => vec![number(span.duration_nanos)],
        Field::Start => vec![number(span.start_unix_nanos)],
        Field::Attribute { scope, key } => {
            let lists: Vec<&[Attribute]> = match scope {
                AttributeScope::Any => vec![&span.attributes, &span.resource.attributes, &span.scope.attributes],
                AttributeScope::Span => vec![&span.attributes],
                AttributeScope::Resource => vec![&span.resource.attributes],
                AttributeScope::Instrumentation => vec![&span.scope.attributes],
            };
            let all = lists.into_iter().flatten().filter(|attribute| attribute.key == *key);
            all.map(|attribute| attribute.value.clone()).collect()
        }
    }
}

fn holds(value: &Value, condition: &Condition) -> bool {
    let int = |value: &Value| if let Value::Int(number) = value { *number } else { panic!("{value:?} is no number") };
    match condition.op {
        Op::Eq => *value == condition.value,
        Op::TextEq => value.to_string() == condition.value.to_string(),
        Op::Ge => int(value) >= int(&condition.value),
        Op::Le => int(value) <= int(&condition.value),
        other => panic!("no search asks for {other:?}"),
    }
}

/// A seeded source of chance (splitmix64).
pub(crate) struct Chance(pub u64);

impl Chance {
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }

    pub(crate) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len() as u64) as usize]
    }
}

pub(crate) const SERVICES: [&str; 4] = ["frontend", "checkout", "payments", "email"];
pub(crate) const OPERATIONS: [&str; 3] = ["GET /", "charge", "send"];
/// Starts of random spans lie within a second after this.
pub(crate) const EPOCH: u64 = 1_700_000_000_000_000_000;

/// A random span of the trace; span ids count up from 1.
pub(crate) fn random_span(chance: &mut Chance, trace: u64, span: u64) -> Span {
    let service = Attribute::new("service.name", *chance.pick(&SERVICES));
    let resource = Resource { attributes: vec![service, Attribute::new("region", "eu")], ..Resource::default() };
    let mut made = Span {
        trace_id: TraceId(u128::from(trace + 1).to_be_bytes()),
        span_id: SpanId::from_u64(span + 1),
        parent_span_id: (span > 0).then(|| SpanId::from_u64(chance.below(span) + 1)),
        name: (*chance.pick(&OPERATIONS)).to_owned(),
        kind: *chance.pick(&Kind::ALL),
        start_unix_nanos: EPOCH + chance.below(1_000) * 1_000_000,
        duration_nanos: chance.below(400) * 1_000_000,
        resource: Arc::new(resource),
        ..Span::default()
    };
    made.status.code = *chance.pick(&[StatusCode::Unset, StatusCode::Unset, StatusCode::Ok, StatusCode::Error]);
    match chance.below(6) {
        0 => made.attributes.push(Attribute::new("error", true)),
        1 => made.attributes.push(Attribute::new("code", 500_i64)),
        2 => made.attributes.push(Attribute::new("code", "500")),
        3 => made.attributes.push(Attribute::new("code", 200_i64)),
        _ => {}
    }
    made
}

/// Random spans of `trace_count` traces, some of them by a clock that stands in 1970.
pub(crate) fn random_spans(chance: &mut Chance, trace_count: u64) -> Vec<Span> {
    let mut spans = Vec::new();
    for trace in 0..trace_count {
        let span_count = 1 + chance.below(6);
        spans.extend((0..span_count).map(|span| random_span(chance, trace, span)));
    }
    for span in &mut spans {
        if chance.below(12) == 0 {
            (span.start_unix_nanos, span.notes) = (1 + chance.below(5), Notes::ODD_TIME);
        }
    }
    spans
}

/// A small shop's checkout: a failed call with an exception, a message that is taken up later, odd values.
pub(crate) fn known_trace() -> Vec<Span> {
    let resource = |service: &str, host: &str| {
        let attributes = vec![Attribute::new("service.name", service), Attribute::new("host.name", host)];
        Arc::new(Resource { attributes, ..Resource::default() })
    };
    let (shop, pay, mail) = (resource("frontend", "a"), resource("payments", "b"), resource("email", "c"));
    let scope = |name: &str| Arc::new(Scope { name: name.into(), version: "1.2".into(), ..Scope::default() });
    let (http, kafka) = (scope("http"), scope("kafka"));
    let millis = |millis: u64| millis * 1_000_000;
    let span = |id: u64, parent: u64, name: &str, kind: Kind, from: u64, to: u64| Span {
        trace_id: TraceId::parse_lenient("4bf92f3577b34da6a3ce929d0e0e4736").unwrap(),
        span_id: SpanId::from_u64(id),
        parent_span_id: (parent > 0).then(|| SpanId::from_u64(parent)),
        name: name.into(),
        kind,
        start_unix_nanos: EPOCH + millis(from) + 1,
        duration_nanos: millis(to - from),
        ..Span::default()
    };
    let mut root = span(1, 0, "POST /checkout", Kind::Server, 0, 100);
    root.attributes = vec![
        Attribute::new("http.response.status_code", 500_i64),
        Attribute::new("big", i64::MAX),
        Attribute::new("ratio", 0.5),
        Attribute::new("raw", Value::Bytes(vec![1, 254])),
        Attribute::new("tags", Value::Array(vec!["a".into(), true.into()])),
    ];
    root.trace_state = "vendor=1".into();
    let mut call = span(2, 1, "POST /charge", Kind::Client, 10, 70);
    call.status.code = StatusCode::Error;
    let mut charge = span(3, 2, "charge", Kind::Server, 12, 68);
    charge.status = Status { code: StatusCode::Error, message: "card refused".into() };
    let exception = vec![Attribute::new("exception.type", "CardRefused")];
    let time_unix_nanos = EPOCH + millis(60);
    charge.events =
        vec![Event { time_unix_nanos, name: "exception".into(), attributes: exception, ..Event::default() }];
    charge.notes = Notes::VALUE_CUT;
    let mut publish = span(4, 1, "orders send", Kind::Producer, 75, 80);
    publish.status.code = StatusCode::Ok;
    let mut take = span(5, 4, "orders process", Kind::Consumer, 120, 150);
    let (trace_id, span_id) = (take.trace_id, publish.span_id);
    take.links = vec![Link { trace_id, span_id, ..Link::default() }];
    for (span, resource, scope) in [
        (&mut root, &shop, &http),
        (&mut call, &shop, &http),
        (&mut charge, &pay, &http),
        (&mut publish, &shop, &kafka),
        (&mut take, &mail, &kafka),
    ] {
        (span.resource, span.scope) = (Arc::clone(resource), Arc::clone(scope));
    }
    vec![take, charge, root, publish, call]
}
