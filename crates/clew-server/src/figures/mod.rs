//! clew's own figures: counted here as requests pass, shown on `/metrics` and by `/v1/figures` together with the store's,
//! and sent by the remote write.

pub(crate) mod json;
pub(crate) mod page;
mod process;
mod prometheus;
mod shape;
mod span_metrics;
mod text;

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use clew_model::{Notes, RefuseReason, RejectReason, Tenant};
use clew_store::Histogram;
use clew_wire::otlp::NoteCounts;

pub(crate) use json::routes;
pub use prometheus::render;
pub(crate) use prometheus::write;
pub use shape::*;
pub use text::Format;

/// The label of all tenants beyond those that have one of their own. Parentheses keep it apart from any tenant's name.
pub const OTHER_TENANTS: &str = "(other)";

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds to it.
    pub fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    /// What it is now.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Counters and histograms of one server.
#[derive(Debug)]
pub struct Figures {
    /// From the last byte of a request's body to its acknowledgement.
    pub ack: Histogram,
    /// How long searches took.
    pub search: Histogram,
    /// How long fetches of one trace took.
    pub fetch: Histogram,
    /// Kept spans that carry each note, in the order of [`Notes::NAMES`].
    notes: [Counter; Notes::NAMES.len()],
    /// Requests that reached no operation, in the order of [`Misdirected::ALL`].
    misdirected: [Counter; Misdirected::ALL.len()],
    /// Metric points, log records and profiles turned away.
    other_signals: [Counter; 3],
    /// Export requests for spans that came to their end or were refused.
    requests: Counter,
    /// When the last of them came, in unix nanoseconds; 0 before the first.
    last_request: AtomicU64,
    /// When the last spans were received that were stored, in unix nanoseconds; 0 before the first.
    last_received: AtomicU64,
    tenants: RwLock<HashMap<Tenant, Arc<TenantFigures>>>,
    other_tenants: Arc<TenantFigures>,
    tenant_labels: usize,
}

/// Counters of one tenant.
#[derive(Debug, Default)]
pub struct TenantFigures {
    /// Spans stored.
    pub received: Counter,
    rejected: [Counter; RejectReason::ALL.len()],
    refused_requests: [Counter; RefuseReason::ALL.len()],
    refused_spans: [Counter; RefuseReason::ALL.len()],
}

impl TenantFigures {
    /// Counts spans that were not kept.
    pub fn reject(&self, reason: RejectReason, span_count: u64) {
        count_at(&self.rejected, &RejectReason::ALL, reason, span_count);
    }

    /// Counts a refused request, and its spans as far as they are known.
    pub fn refuse(&self, reason: RefuseReason, span_count: u64) {
        count_at(&self.refused_requests, &RefuseReason::ALL, reason, 1);
        count_at(&self.refused_spans, &RefuseReason::ALL, reason, span_count);
    }
}

/// Why a request reached no operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Misdirected {
    /// Nothing answers at that path.
    Path,
    /// What answers there knows other methods.
    Method,
    /// The host is not one of this server's names.
    Host,
    /// gRPC for a service or method that is not here, or over HTTP/1.1.
    Service,
}

impl Misdirected {
    /// Every reason.
    pub const ALL: [Self; 4] = [Self::Path, Self::Method, Self::Host, Self::Service];

    /// The name in figures.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Path => "path",
            Self::Method => "method",
            Self::Host => "host",
            Self::Service => "service",
        }
    }
}

impl Figures {
    /// Nothing counted yet; at most `tenant_labels` tenants get a label of their own.
    pub fn new(tenant_labels: usize) -> Self {
        let figures = Self {
            ack: Histogram::new(),
            search: Histogram::new(),
            fetch: Histogram::new(),
            notes: Default::default(),
            misdirected: Default::default(),
            other_signals: Default::default(),
            requests: Counter::default(),
            last_request: AtomicU64::new(0),
            last_received: AtomicU64::new(0),
            tenants: RwLock::default(),
            other_tenants: Arc::default(),
            tenant_labels: tenant_labels.max(1),
        };
        figures.tenant(&Tenant::default());
        figures
    }

    /// The counters of a tenant: its own, or those of all others once the labels are given away.
    pub fn tenant(&self, tenant: &Tenant) -> Arc<TenantFigures> {
        if let Some(figures) = self.tenants.read().unwrap_or_else(PoisonError::into_inner).get(tenant) {
            return Arc::clone(figures);
        }
        let mut tenants = self.tenants.write().unwrap_or_else(PoisonError::into_inner);
        if tenants.len() >= self.tenant_labels && !tenants.contains_key(tenant) {
            return Arc::clone(&self.other_tenants);
        }
        Arc::clone(tenants.entry(tenant.clone()).or_default())
    }

    /// The counters for requests whose tenant is not known.
    pub fn unknown_tenant(&self) -> Arc<TenantFigures> {
        Arc::clone(&self.other_tenants)
    }

    /// Counts an export request, whatever becomes of it.
    pub(crate) fn request(&self, now_unix_nanos: u64) {
        self.requests.add(1);
        self.last_request.fetch_max(now_unix_nanos, Ordering::Relaxed);
    }

    /// Remembers when spans were received that are stored now.
    pub(crate) fn store(&self, received_unix_nanos: u64) {
        self.last_received.fetch_max(received_unix_nanos, Ordering::Relaxed);
    }

    /// Counts the notes of kept spans.
    pub fn note(&self, notes: &NoteCounts) {
        for (counter, count) in self.notes.iter().zip(notes.0) {
            counter.add(u64::from(count));
        }
    }

    /// Counts a request that reached no operation.
    pub fn misdirect(&self, reason: Misdirected) {
        count_at(&self.misdirected, &Misdirected::ALL, reason, 1);
    }

    /// Counts items of another signal that were turned away; `signal` is an index into [`OTHER_SIGNALS`].
    pub fn turn_away(&self, signal: usize, item_count: u64) {
        if let Some(counter) = self.other_signals.get(signal) {
            counter.add(item_count);
        }
    }

    /// Figures by tenant, those of tenants without a label summed up under one.
    fn folded<'t>(&self, figures: impl Iterator<Item = (&'t Tenant, u64)>) -> BTreeMap<String, u64> {
        let tenants = self.tenants.read().unwrap_or_else(PoisonError::into_inner);
        let mut folded = BTreeMap::new();
        for (tenant, value) in figures {
            let has_room = folded.len() < self.tenant_labels;
            let label = if has_room || tenants.contains_key(tenant) { tenant.as_str() } else { OTHER_TENANTS };
            *folded.entry(label.to_owned()).or_default() += value;
        }
        folded
    }

    /// Every tenant with a label, by name, and the rest if it has counted anything.
    fn labelled_tenants(&self) -> Vec<(String, Arc<TenantFigures>)> {
        let tenants = self.tenants.read().unwrap_or_else(PoisonError::into_inner);
        let mut labelled: Vec<_> =
            tenants.iter().map(|(tenant, figures)| (tenant.to_string(), Arc::clone(figures))).collect();
        labelled.sort_by(|a, b| a.0.cmp(&b.0));
        labelled.push((OTHER_TENANTS.to_owned(), Arc::clone(&self.other_tenants)));
        labelled
    }
}

/// The signals that clew does not keep, as figures name them.
pub const OTHER_SIGNALS: [&str; 3] = ["metrics", "logs", "profiles"];

fn count_at<T: PartialEq + Copy, const N: usize>(counters: &[Counter; N], all: &[T; N], which: T, count: u64) {
    if let Some(place) = all.iter().position(|reason| *reason == which) {
        counters[place].add(count);
    }
}

#[cfg(test)]
mod tests;
