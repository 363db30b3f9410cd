//! The live head: the spans that no block holds yet, in memory, searchable as soon as they are inserted.
//!
//! A tenant's traces are spread over shards by trace id, each behind its own lock; a shard knows its traces and holds
//! their spans in chunks of columns. A chunk grows until it is full and is then never changed again.
//!
//! Invariants:
//! - A span whose insert has returned is found by every scan and fetch that begins afterwards.
//! - All spans of a trace lie in one shard of its tenant; nothing reads across tenants.
//! - Full chunks are read without a lock; a lock is held for one span when writing (for one batch by a replay that is alone),
//!   and for the work of one growing chunk at most when reading.
//!
//! | File | What |
//! |---|---|
//! | `dictionary` | strings by number |
//! | `chunk` | the columns |
//! | `builder` | a chunk that grows |
//! | `classes` | its classes, by what they are made of |
//! | `shard` | traces and chunks behind one lock |
//! | `insert` | from a batch to rows |
//! | `scan` | which traces have spans that meet a filter |
//! | `rows` | whole spans |
//! | `names` | services and operations |
//! | `attributes` | which keys and values of attributes there are |
//! | `order` | rows in the order of a block |
//!
//! It does not decide when it is sealed, and never drops a span.

mod attributes;
mod builder;
mod chunk;
mod classes;
mod dictionary;
mod insert;
mod names;
pub(crate) mod order;
mod rows;
mod scan;
mod shard;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicIsize, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use clew_model::attributes::{AttributesRequest, KeysAnswer, ValuesAnswer};
use clew_model::scan::{
    Expired, ExtentsAnswer, RowsAnswer, ScanAnswer, ScanError, ScanRequest, SpanSource, TraceVersion,
};
use clew_model::{Tenant, TraceId};
use clew_wire::otlp::{self, WireError};
use foldhash::fast::RandomState;

use self::insert::Inserter;
use self::shard::{Growth, Shard};
use crate::Batch;
use crate::settle::Arrival;

/// A chunk holds this many rows, as a power of two.
const CHUNK_BITS: u32 = 14;

/// Set in the number of what is no block: names of blocks count up from 1.
const NOT_A_BLOCK: u64 = 1 << 63;

/// The largest body that offsets of 32 bits are sure to hold, in bytes. Doors admit far smaller ones.
const BODY_BYTES_MAX: usize = 256 << 20;

/// Spans in memory, searchable as soon as [`Live::insert`] returns.
#[derive(Debug)]
pub struct Live {
    /// Tells it from every other one of this process, and from every block.
    number: u64,
    /// Shards per tenant.
    shards: usize,
    growth: Growth,
    heads: RwLock<BTreeMap<Tenant, Arc<Head>>>,
    figures: Figures,
}

/// What one tenant has.
#[derive(Debug)]
struct Head {
    tenant: Tenant,
    shards: Box<[RwLock<Shard>]>,
}

#[derive(Debug, Default)]
struct Figures {
    bytes: AtomicIsize,
    span_count: AtomicU64,
    trace_count: AtomicU64,
}

impl Live {
    /// An empty live head of that many shards per tenant; spans of one trace share a shard. Twice the writing threads are
    /// plenty: each shard has a growing chunk and its tables, and inserts slow down once those of all shards leave the
    /// processor's caches.
    pub fn new(shards: usize) -> Self {
        Self::with_chunk_bits(shards, CHUNK_BITS)
    }

    fn with_chunk_bits(shards: usize, chunk_bits: u32) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let growth = Growth { chunk_bits, hashes: RandomState::default() };
        let number = NOT_A_BLOCK | NEXT.fetch_add(1, Ordering::Relaxed);
        Self { number, shards: shards.max(1), growth, heads: RwLock::default(), figures: Figures::default() }
    }

    /// Makes all kept spans of the batch visible. May be called from many threads.
    ///
    /// A batch that was admitted is readable; should one not be, the spans before the unreadable place are visible.
    pub fn insert(&self, batch: &Batch) -> Result<(), WireError> {
        Self::insert_from(batch, Inserter::new(self, &batch.tenants, batch.received_unix_nanos))
    }

    /// The same for a thread that is alone: nobody else inserts or asks meanwhile, or they wait for all of the batch. The
    /// shards are locked once and not for each span.
    pub(crate) fn insert_alone(&self, batch: &Batch) -> Result<(), WireError> {
        match &*batch.tenants.names {
            [tenant] if batch.span_count > 0 => {
                let head = self.head_of(tenant);
                let shards = head.shards.iter().map(write).collect();
                let inserter = Inserter::new(self, &batch.tenants, batch.received_unix_nanos);
                Self::insert_from(batch, inserter.holding(shards))
            }
            _ => self.insert(batch),
        }
    }

    fn insert_from<'b>(batch: &'b Batch, mut inserter: Inserter<'b, 'b>) -> Result<(), WireError> {
        if batch.body.len() > BODY_BYTES_MAX {
            let what = format!("a body of {} bytes is larger than {BODY_BYTES_MAX}", batch.body.len());
            return Err(WireError::Malformed { offset: 0, what });
        }
        let rejected: Vec<u32> = batch.rejected.iter().map(|(ordinal, _)| *ordinal).collect();
        let walked = otlp::walk(&batch.body, &batch.limits, batch.received_unix_nanos, &rejected, &mut inserter);
        inserter.account();
        walked
    }

    /// Heap bytes held: all that columns, dictionaries and tables have allocated.
    pub fn bytes(&self) -> usize {
        usize::try_from(self.figures.bytes.load(Ordering::Relaxed)).unwrap_or(0)
    }

    /// Spans held, duplicates included.
    pub fn span_count(&self) -> u64 {
        self.figures.span_count.load(Ordering::Relaxed)
    }

    /// Traces held, over all tenants.
    pub fn trace_count(&self) -> u64 {
        self.figures.trace_count.load(Ordering::Relaxed)
    }

    /// The traces of which spans were received at that instant or later, by tenant.
    pub fn arrivals(&self, since_unix_nanos: u64) -> Vec<(Tenant, Vec<Arrival>)> {
        let tenants: Vec<Tenant> = read(&self.heads).keys().cloned().collect();
        let of = |tenant: Tenant| {
            let arrivals = self.arrivals_of(&tenant, since_unix_nanos);
            (tenant, arrivals)
        };
        tenants.into_iter().map(of).filter(|(_, arrivals)| !arrivals.is_empty()).collect()
    }

    /// The same of one tenant.
    pub fn arrivals_of(&self, tenant: &Tenant, since_unix_nanos: u64) -> Vec<Arrival> {
        let mut arrivals = Vec::new();
        for shard in self.head(tenant).iter().flat_map(|head| &head.shards) {
            let shard = read(shard);
            let recent = shard.traces().iter().filter(|trace| trace.last_received >= since_unix_nanos);
            arrivals.extend(recent.map(|trace| Arrival {
                trace_id: trace.id,
                last_received: trace.last_received,
                root_seen: trace.root_seen,
            }));
        }
        arrivals
    }

    /// When the last span of a trace was received, in unix nanoseconds; `None` for a trace that is not here.
    pub fn last_received(&self, tenant: &Tenant, id: TraceId) -> Option<u64> {
        let head = self.head(tenant)?;
        let hash = self.growth.trace_hash(id);
        let shard = read(&head.shards[head.shard_of(hash)]);
        shard.find(hash, id).map(|trace| trace.last_received)
    }

    fn head(&self, tenant: &Tenant) -> Option<Arc<Head>> {
        read(&self.heads).get(tenant).cloned()
    }

    /// What that tenant has, made if there is nothing yet.
    fn head_of(&self, tenant: &Tenant) -> Arc<Head> {
        if let Some(head) = self.head(tenant) {
            return head;
        }
        let make = || {
            let shards: Box<[RwLock<Shard>]> = (0..self.shards).map(|_| RwLock::default()).collect();
            self.figures.bytes.fetch_add((size_of::<Head>() + size_of_val(&*shards)) as isize, Ordering::Relaxed);
            Arc::new(Head { tenant: tenant.clone(), shards })
        };
        Arc::clone(write(&self.heads).entry(tenant.clone()).or_insert_with(make))
    }
}

impl Head {
    /// The number of the shard of a trace whose id has that hash.
    fn shard_of(&self, trace_hash: u64) -> usize {
        // From other bits than the shard's own table looks at first.
        let middle = (trace_hash >> 24) & 0xffff_ffff;
        ((middle * self.shards.len() as u64) >> 32) as usize
    }
}

impl SpanSource for Live {
    fn scan(&self, request: &ScanRequest, expired: Expired<'_>) -> Result<ScanAnswer, ScanError> {
        scan::scan(self, request, expired)
    }

    fn extents(&self, tenant: &Tenant, ids: &[TraceId], expired: Expired<'_>) -> Result<ExtentsAnswer, ScanError> {
        scan::extents(self, tenant, ids, expired)
    }

    /// Its number, and the trace's last row: rows are appended and stay.
    fn version(&self, tenant: &Tenant, id: TraceId, _: Expired<'_>) -> Result<Option<TraceVersion>, ScanError> {
        let Some(head) = self.head(tenant) else { return Ok(Some(TraceVersion::default())) };
        let hash = self.growth.trace_hash(id);
        let shard = read(&head.shards[head.shard_of(hash)]);
        let last_row = shard.find(hash, id).map(|trace| u64::from(trace.last_row));
        Ok(Some(TraceVersion(last_row.map(|row| (self.number, row)).into_iter().collect())))
    }

    fn figured(&self, tenant: &Tenant, ids: &[TraceId], expired: Expired<'_>) -> Result<RowsAnswer, ScanError> {
        rows::rows(self, tenant, ids, rows::Depth::Figures, expired)
    }

    fn rows(&self, tenant: &Tenant, ids: &[TraceId], expired: Expired<'_>) -> Result<RowsAnswer, ScanError> {
        rows::rows(self, tenant, ids, rows::Depth::Whole, expired)
    }

    fn services(&self, tenant: &Tenant) -> Result<Vec<String>, ScanError> {
        Ok(self.head(tenant).map(|head| names::services(&head)).unwrap_or_default())
    }

    fn operations(&self, tenant: &Tenant, service: &str) -> Result<Vec<String>, ScanError> {
        Ok(self.head(tenant).map(|head| names::operations(&head, service)).unwrap_or_default())
    }

    fn attribute_keys(&self, request: &AttributesRequest, expired: Expired<'_>) -> Result<KeysAnswer, ScanError> {
        attributes::keys(self, request, expired)
    }

    fn attribute_values(
        &self,
        key: &str,
        request: &AttributesRequest,
        expired: Expired<'_>,
    ) -> Result<ValuesAnswer, ScanError> {
        attributes::values(self, key, request, expired)
    }

    fn tenants(&self) -> Result<Vec<Tenant>, ScanError> {
        Ok(read(&self.heads).keys().cloned().collect())
    }
}

/// A lock is poisoned only by a bug that has already crashed its thread; what it guards is appended to in one piece.
fn read<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

fn write<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}
