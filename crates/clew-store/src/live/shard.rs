//! The part of a tenant's traces that shares a lock: which traces there are, and the chunks that hold their spans.

use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;

use clew_model::scan::{Extent, TimeRange};
use clew_model::{Notes, TraceId};
use clew_wire::otlp::SpanView;
use foldhash::fast::RandomState;
use hashbrown::HashTable;

use super::builder::{Builder, OriginView, Place};
use super::chunk::{Chunk, NONE, heap};

/// How a shard grows.
#[derive(Debug)]
pub(super) struct Growth {
    /// A chunk holds at most `1 << chunk_bits` rows; a row's number is its chunk's, shifted by this, and its own.
    pub(super) chunk_bits: u32,
    pub(super) hashes: RandomState,
}

/// One tenant's part of the traces.
#[derive(Debug, Default)]
pub(super) struct Shard {
    /// The traces, by ordinal.
    traces: Vec<Trace>,
    /// Their ordinals, by the hash of their id.
    index: HashTable<u32>,
    /// Full chunks.
    frozen: Vec<Arc<Chunk>>,
    /// Per chunk, the growing one included: no trace that has a row in it reaches out of this.
    covers: Vec<Cover>,
    /// The growing chunk, number `frozen.len()`.
    active: Option<Box<Builder>>,
    /// Heap bytes of the frozen chunks.
    frozen_bytes: usize,
    /// Heap bytes when last told.
    told_bytes: usize,
    /// Ordinal of the trace of the last span, which the next one is often of, too.
    last_trace: u32,
}

/// What is known of a trace without looking at its rows.
#[derive(Debug, Clone, Copy)]
pub(super) struct Trace {
    pub(super) id: TraceId,
    pub(super) extent: Extent,
    /// When its last span was received, in unix nanoseconds.
    pub(super) last_received: u64,
    /// Its last row; each row names the one before it.
    pub(super) last_row: u32,
    /// Whether a span of it has no parent.
    pub(super) root_seen: bool,
    /// The chunk of its first row.
    first_chunk: u32,
}

/// A closed range of unix nanoseconds.
#[derive(Debug, Clone, Copy)]
struct Cover {
    start_unix_nanos: u64,
    end_unix_nanos: u64,
}

/// What a batch's parts are called in the growing chunk.
#[derive(Debug, Clone, Default)]
pub(super) struct BatchCodes {
    /// The number of the chunk.
    chunk: u32,
    /// Of the current resource.
    resource: Option<u32>,
    /// Of the current scope.
    scope: Option<u32>,
    /// Of the current resource and scope together.
    pair: Option<u32>,
    /// By [`SpanView::shape`].
    shapes: Vec<u32>,
}

impl BatchCodes {
    /// The next resource begins.
    pub(super) fn resource(&mut self) {
        (self.resource, self.scope, self.pair) = (None, None, None);
    }

    /// The next scope begins.
    pub(super) fn scope(&mut self) {
        (self.scope, self.pair) = (None, None);
    }

    /// The next tenant begins, in another shard.
    pub(super) fn clear(&mut self) {
        self.resource();
        self.shapes.clear();
    }
}

impl Growth {
    /// The hash of a trace id.
    #[inline]
    pub(super) fn trace_hash(&self, id: TraceId) -> u64 {
        let mut hasher = self.hashes.build_hasher();
        hasher.write_u128(u128::from_le_bytes(id.0));
        hasher.finish()
    }
}

impl Shard {
    /// Appends a span. Answers whether its trace is new.
    pub(super) fn push(
        &mut self,
        growth: &Growth,
        span: &SpanView<'_, '_>,
        (resource, scope): (&OriginView<'_>, &OriginView<'_>),
        codes: &mut BatchCodes,
        (trace_hash, received_unix_nanos): (u64, u64),
    ) -> bool {
        self.make_room(growth);
        let chunk = self.frozen.len() as u32;
        let count_before = self.traces.len();
        let ordinal = self.trace(growth, trace_hash, span, chunk);
        let Some(active) = &mut self.active else { return false };
        if codes.chunk != chunk {
            codes.clear();
            codes.chunk = chunk;
        }
        let pair = codes.pair.unwrap_or_else(|| {
            let resource = *codes.resource.get_or_insert_with(|| active.origin(resource));
            let scope = *codes.scope.get_or_insert_with(|| active.origin(scope));
            active.pair(resource, scope)
        });
        codes.pair = Some(pair);
        let row = chunk << growth.chunk_bits | active.chunk().row_count() as u32;
        let trace = &mut self.traces[ordinal as usize];
        let previous = std::mem::replace(&mut trace.last_row, row);
        trace.last_received = trace.last_received.max(received_unix_nanos);
        trace.root_seen |= span.parent_span_id.is_none();
        active.push(span, Place { trace: ordinal, previous, pair, received_unix_nanos }, &mut codes.shapes);
        self.traces.len() > count_before
    }

    /// How many heap bytes there are more than when last asked.
    pub(super) fn grown_bytes(&mut self) -> isize {
        let tables = heap(&self.traces) + self.index.allocation_size() + heap(&self.frozen) + heap(&self.covers);
        let active = self.active.as_ref().map_or(0, |active| size_of::<Builder>() + active.heap_bytes());
        let bytes = self.frozen_bytes + tables + active;
        let before = std::mem::replace(&mut self.told_bytes, bytes);
        bytes as isize - before as isize
    }

    /// The traces, by ordinal.
    pub(super) fn traces(&self) -> &[Trace] {
        &self.traces
    }

    /// The trace of that id.
    pub(super) fn find(&self, hash: u64, id: TraceId) -> Option<&Trace> {
        let ordinal = self.index.find(hash, |ordinal| self.traces[*ordinal as usize].id == id)?;
        Some(&self.traces[*ordinal as usize])
    }

    /// The full chunks that have rows of traces that reach into the range.
    pub(super) fn frozen(&self, range: TimeRange) -> impl Iterator<Item = &Arc<Chunk>> {
        let pairs = self.frozen.iter().zip(&self.covers);
        pairs.filter(move |(_, cover)| cover.meets(range)).map(|(chunk, _)| chunk)
    }

    /// The growing chunk, under the same condition.
    pub(super) fn active(&self, range: TimeRange) -> Option<&Chunk> {
        let cover = self.covers.get(self.frozen.len())?;
        self.active.as_ref().filter(|_| cover.meets(range)).map(|active| active.chunk())
    }

    /// The chunk of that number: full, or growing.
    pub(super) fn chunk(&self, number: u32) -> Option<Result<Arc<Chunk>, &Chunk>> {
        if let Some(chunk) = self.frozen.get(number as usize) {
            return Some(Ok(Arc::clone(chunk)));
        }
        self.active.as_ref().map(|active| Err(active.chunk()))
    }

    /// How many chunks there are, the growing one included.
    pub(super) fn chunk_count(&self) -> u32 {
        self.frozen.len() as u32 + u32::from(self.active.is_some())
    }

    /// The chunk of that number, for whoever holds the lock.
    pub(super) fn chunk_ref(&self, number: u32) -> Option<&Chunk> {
        let full = self.frozen.get(number as usize).map(AsRef::as_ref);
        full.or_else(|| self.active.as_ref().map(|active| active.chunk()))
    }

    /// Sees to it that there is a growing chunk with room for a row.
    #[inline]
    fn make_room(&mut self, growth: &Growth) {
        if self.active.as_ref().is_some_and(|active| !active.is_full(1 << growth.chunk_bits)) {
            return;
        }
        if let Some(full) = self.active.take() {
            let chunk = Arc::new(full.finish());
            self.frozen_bytes += size_of::<Chunk>() + chunk.heap_bytes();
            self.frozen.push(chunk);
        }
        let before = self.frozen.last().map(AsRef::as_ref);
        self.active = Some(Box::new(Builder::new(&growth.hashes, before)));
        self.covers.push(Cover { start_unix_nanos: u64::MAX, end_unix_nanos: 0 });
    }

    /// The ordinal of the span's trace, new or known, which now includes the span's times.
    fn trace(&mut self, growth: &Growth, hash: u64, span: &SpanView<'_, '_>, chunk: u32) -> u32 {
        let extent = Extent {
            start_unix_nanos: span.start_unix_nanos,
            end_unix_nanos: span.start_unix_nanos.saturating_add(span.duration_nanos),
            is_odd: span.notes.contains(Notes::ODD_TIME),
        };
        let traces = &mut self.traces;
        let is_last = traces.get(self.last_trace as usize).is_some_and(|trace| trace.id == span.trace_id);
        let found = if is_last {
            Some(self.last_trace)
        } else {
            self.index.find(hash, |ordinal| traces[*ordinal as usize].id == span.trace_id).copied()
        };
        self.last_trace = found.unwrap_or(traces.len() as u32);
        let Some(ordinal) = found else {
            let ordinal = traces.len() as u32;
            traces.push(Trace {
                id: span.trace_id,
                extent,
                last_received: 0,
                last_row: NONE,
                root_seen: false,
                first_chunk: chunk,
            });
            self.index.insert_unique(hash, ordinal, |ordinal| growth.trace_hash(traces[*ordinal as usize].id));
            self.covers[chunk as usize].widen(extent);
            return ordinal;
        };
        let trace = &mut traces[ordinal as usize];
        let before = trace.extent;
        trace.extent = before.merge(extent);
        // Up to the chunk of its last row, they cover what it was before.
        let last_chunk = (trace.last_row >> growth.chunk_bits).min(chunk);
        let from = if trace.extent == before { last_chunk } else { trace.first_chunk };
        for cover in &mut self.covers[from as usize..=chunk as usize] {
            cover.widen(trace.extent);
        }
        ordinal
    }
}

impl Trace {
    /// Whether a question about that range may concern it. Odd times place a trace nowhere: another source may know better.
    pub(super) fn meets(&self, range: TimeRange) -> bool {
        self.extent.is_odd || self.extent.meets(range)
    }
}

impl Cover {
    fn meets(self, range: TimeRange) -> bool {
        self.start_unix_nanos < range.to_unix_nanos && range.from_unix_nanos <= self.end_unix_nanos
    }

    #[inline]
    fn widen(&mut self, extent: Extent) {
        if extent.is_odd {
            *self = Self { start_unix_nanos: 0, end_unix_nanos: u64::MAX };
        }
        self.start_unix_nanos = self.start_unix_nanos.min(extent.start_unix_nanos);
        self.end_unix_nanos = self.end_unix_nanos.max(extent.end_unix_nanos);
    }
}
