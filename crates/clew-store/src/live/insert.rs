//! From a batch's bytes to rows: the walk's sink.

use std::sync::atomic::Ordering;
use std::sync::{Arc, RwLockWriteGuard};

use clew_wire::otlp::{ResourceView, ScopeView, SpanSink, SpanView};

use super::builder::OriginView;
use super::shard::{BatchCodes, Shard};
use super::{Head, Live};
use crate::batch::Tenants;

/// Puts each span that the walk shows into its tenant's shard.
///
/// One shard is locked at a time and for one span, so that no order of locks is needed and readers never wait for a body; or
/// all of them are held, in the order of their numbers, for one body.
pub(super) struct Inserter<'l, 'a> {
    live: &'l Live,
    tenants: &'l Tenants,
    received_unix_nanos: u64,
    group: u32,
    /// The tenant of the current group, once it has a span.
    head: Option<Arc<Head>>,
    /// All shards of the only tenant, when they are locked for the whole batch.
    held: Vec<RwLockWriteGuard<'l, Shard>>,
    resource: OriginView<'a>,
    scope: OriginView<'a>,
    /// Per shard of `head`, what the batch's parts are called there.
    codes: Vec<BatchCodes>,
    /// The shards of `head` that spans were put into and that were not yet asked how much they grew.
    touched: Vec<bool>,
    grown_bytes: isize,
    span_count: u64,
    trace_count: u64,
}

impl<'l> Inserter<'l, '_> {
    /// A sink for the body of a batch of these tenants.
    pub(super) fn new(live: &'l Live, tenants: &'l Tenants, received_unix_nanos: u64) -> Self {
        Self {
            live,
            tenants,
            received_unix_nanos,
            group: 0,
            head: None,
            held: Vec::new(),
            resource: OriginView::default(),
            scope: OriginView::default(),
            codes: vec![BatchCodes::default(); live.shards],
            touched: vec![false; live.shards],
            grown_bytes: 0,
            span_count: 0,
            trace_count: 0,
        }
    }

    /// The same with all shards of the batch's only tenant.
    pub(super) fn holding(self, shards: Vec<RwLockWriteGuard<'l, Shard>>) -> Self {
        Self { held: shards, ..self }
    }

    /// Adds what was inserted to the figures.
    pub(super) fn account(mut self) {
        self.measure();
        let figures = &self.live.figures;
        figures.span_count.fetch_add(self.span_count, Ordering::Relaxed);
        figures.trace_count.fetch_add(self.trace_count, Ordering::Relaxed);
        figures.bytes.fetch_add(self.grown_bytes, Ordering::Relaxed);
    }

    /// Asks the touched shards how much they grew: once for many spans, since it takes as long as storing a short one.
    fn measure(&mut self) {
        let Some(head) = &self.head else { return };
        for (number, touched) in self.touched.iter_mut().enumerate() {
            if std::mem::take(touched) {
                self.grown_bytes += match self.held.get_mut(number) {
                    Some(shard) => shard.grown_bytes(),
                    None => super::write(&head.shards[number]).grown_bytes(),
                };
            }
        }
    }
}

impl<'a> SpanSink<'a> for Inserter<'_, 'a> {
    fn resource(&mut self, resource: &ResourceView<'a, '_>) {
        self.resource.set_resource(&self.live.growth.hashes, resource);
        self.codes.iter_mut().for_each(BatchCodes::resource);
        self.group = resource.group;
        let tenant = self.tenants.of(self.group);
        if self.head.as_ref().is_some_and(|head| head.tenant != *tenant) {
            self.measure();
            self.head = None;
            self.codes.iter_mut().for_each(BatchCodes::clear);
        }
    }

    fn scope(&mut self, scope: &ScopeView<'a, '_>) {
        self.scope.set_scope(&self.live.growth.hashes, scope);
        self.codes.iter_mut().for_each(BatchCodes::scope);
    }

    fn span(&mut self, _ordinal: u32, span: &SpanView<'a, '_>) {
        let (live, tenants, group) = (self.live, self.tenants, self.group);
        let head = self.head.get_or_insert_with(|| live.head_of(tenants.of(group)));
        let hash = live.growth.trace_hash(span.trace_id);
        let number = head.shard_of(hash);
        let origins = (&self.resource, &self.scope);
        let place = (hash, self.received_unix_nanos);
        let codes = &mut self.codes[number];
        let is_new_trace = match self.held.get_mut(number) {
            Some(shard) => shard.push(&live.growth, span, origins, codes, place),
            None => super::write(&head.shards[number]).push(&live.growth, span, origins, codes, place),
        };
        self.touched[number] = true;
        self.span_count += 1;
        self.trace_count += u64::from(is_new_trace);
    }
}
