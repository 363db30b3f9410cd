//! A block of spans that are objects: for rewrites, and for tests.

use std::collections::HashMap;
use std::io::Write;
use std::sync::Arc;

use clew_model::{Resource, Scope, Span, Tenant, ValueRef};

use crate::plan::Plan;
use crate::row::{ResourceCode, Row, ScopeCode, ShapeCode};
use crate::sidecar::Requests;
use crate::writer::{Finished, WriteError, WriteOptions, Writer};

/// The numbers that a plan gave the parts of a span.
#[derive(Debug, Clone, Copy)]
pub struct SpanCodes {
    /// Of its resource.
    pub resource: ResourceCode,
    /// Of its scope.
    pub scope: ScopeCode,
    /// Of its attributes' keys and types.
    pub shape: ShapeCode,
}

/// Resources and scopes that spans share, by address, so that each is looked at once. What is held here keeps its
/// address to itself.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    resources: HashMap<usize, (Arc<Resource>, ResourceCode)>,
    scopes: HashMap<usize, (Arc<Scope>, ScopeCode)>,
}

/// More are not held: then the spans share little.
const SHARED_MAX: usize = 4096;

impl Plan {
    /// Plans one row of that span.
    pub fn span(&mut self, span: &Span) -> SpanCodes {
        let shape = self.shape_of(&span.attributes);
        self.count(shape, 1);
        let (resource, scope) = (Arc::as_ptr(&span.resource) as usize, Arc::as_ptr(&span.scope) as usize);
        let resource = if let Some((_, code)) = self.shared.resources.get(&resource) {
            *code
        } else {
            let code = self.resource(&span.resource);
            hold(&mut self.shared.resources, resource, (span.resource.clone(), code));
            code
        };
        let scope = if let Some((_, code)) = self.shared.scopes.get(&scope) {
            *code
        } else {
            let code = self.scope(&span.scope);
            hold(&mut self.shared.scopes, scope, (span.scope.clone(), code));
            code
        };
        SpanCodes { resource, scope, shape }
    }
}

fn hold<T>(held: &mut HashMap<usize, T>, address: usize, item: T) {
    if held.len() == SHARED_MAX {
        held.clear();
    }
    held.insert(address, item);
}

impl<'a> Row<'a> {
    /// The row of a span, whose attribute values are `values`.
    pub fn of(span: &'a Span, codes: SpanCodes, values: &'a [ValueRef<'a>]) -> Self {
        Self {
            span_id: span.span_id,
            parent_span_id: span.parent_span_id,
            start_unix_nanos: span.start_unix_nanos,
            duration_nanos: span.duration_nanos,
            received_unix_nanos: span.received_unix_nanos,
            name: span.name.as_bytes(),
            kind: span.kind,
            status: span.status.code,
            status_message: span.status.message.as_bytes(),
            trace_state: span.trace_state.as_bytes(),
            is_error: span.is_error(),
            flags: span.flags,
            notes: span.notes,
            resource: codes.resource,
            scope: codes.scope,
            shape: codes.shape,
            values,
            events: &span.events,
            links: &span.links,
            dropped_attributes_count: span.dropped_attributes_count,
            dropped_events_count: span.dropped_events_count,
            dropped_links_count: span.dropped_links_count,
        }
    }
}

/// Writes a block of these spans, which are in the order of a block: tenants by name, each tenant's spans by trace id,
/// start and span id.
pub fn write_spans<W: Write + Send>(
    tenants: &[(Tenant, Vec<Span>)],
    requests: &Requests,
    sink: W,
    options: WriteOptions,
) -> Result<Finished<W>, WriteError> {
    let mut plan = Plan::new();
    let codes: Vec<Vec<SpanCodes>> =
        tenants.iter().map(|(_, spans)| spans.iter().map(|span| plan.span(span)).collect()).collect();
    let mut writer = Writer::new(plan, sink, options)?;
    for ((tenant, spans), codes) in tenants.iter().zip(codes) {
        writer.tenant(tenant)?;
        let mut codes = codes.as_slice();
        for trace in spans.chunk_by(|one, next| one.trace_id == next.trace_id) {
            let (of_trace, rest) = codes.split_at(trace.len());
            codes = rest;
            writer.spans(trace, of_trace)?;
        }
    }
    writer.finish(requests)
}

impl<W: Write + Send> Writer<W> {
    /// All spans of a trace, with their codes, sorted by start and span id: [`Writer::trace`] for spans that are objects.
    pub fn spans(&mut self, trace: &[Span], codes: &[SpanCodes]) -> Result<(), WriteError> {
        let Some(first) = trace.first() else { return Ok(()) };
        let values: Vec<Vec<ValueRef<'_>>> = trace
            .iter()
            .map(|span| span.attributes.iter().map(|attribute| (&attribute.value).into()).collect())
            .collect();
        let rows: Vec<Row<'_>> = (trace.iter().zip(codes).zip(&values))
            .map(|((span, codes), values)| Row::of(span, *codes, values))
            .collect();
        if rows.len() < trace.len() {
            return Err(WriteError::Rows("a span has no codes"));
        }
        self.trace(first.trace_id, &rows)
    }
}
