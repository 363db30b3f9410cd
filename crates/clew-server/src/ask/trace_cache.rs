//! Explained traces that were asked for lately, so that a reader who looks around in one does not wait for it each time.
//!
//! Bounded in bytes; the one that nobody asked for longest goes first. A trace is kept under the version that the source had
//! before it was read, and answers only while the source has that version: what arrived, expired or was deleted since is
//! another version, so that nothing old is ever shown. An answer that may lack something is not kept, since the next
//! reading may find more.

use std::collections::{BTreeMap, HashMap};
use std::ops::Deref;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use clew_model::scan::{TraceState, TraceVersion};
use clew_model::{Tenant, TraceId};

use super::error::AskError;
use super::gate::Asked;
use super::opened::Opened;

/// Which trace, and how its times are shown.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    pub(crate) tenant: Tenant,
    pub(crate) id: TraceId,
    pub(crate) is_corrected: bool,
}

/// Explained traces within a bound.
#[derive(Debug)]
pub struct TraceCache {
    bytes_max: usize,
    kept: Mutex<Kept>,
    hits: AtomicU64,
    misses: AtomicU64,
}

/// What the cache holds now, and what became of questions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TraceCacheFigures {
    /// Traces that were found in it, up to date.
    pub hits: u64,
    /// Traces that had to be read.
    pub misses: u64,
    /// Traces in it.
    pub traces: u64,
    /// Their memory, about.
    pub bytes: u64,
    /// The bound.
    pub limit_bytes: u64,
}

#[derive(Debug, Default)]
struct Kept {
    entries: HashMap<Key, Entry>,
    /// By when they were asked for last.
    order: BTreeMap<u64, Key>,
    /// Counts questions.
    clock: u64,
    bytes: usize,
}

#[derive(Debug)]
struct Entry {
    version: TraceVersion,
    opened: Arc<Opened>,
    bytes: usize,
    asked: u64,
}

impl TraceCache {
    /// An empty cache that holds so many bytes at most; none turns it off.
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self { bytes_max, kept: Mutex::default(), hits: AtomicU64::new(0), misses: AtomicU64::new(0) }
    }

    /// The trace as it is now, explained.
    pub(crate) fn open(&self, asked: &Asked<'_>, key: Key) -> Result<Held, AskError> {
        // Before the spans are read: what comes in between makes this version an old one.
        let version = asked.source.version(&key.tenant, key.id, asked.expired)?;
        if let Some(opened) = version.as_ref().and_then(|version| self.get(&key, version)) {
            self.hits.fetch_add(1, Ordering::Relaxed);
            return Ok(Held::of(asked, &key, opened));
        }
        self.misses.fetch_add(1, Ordering::Relaxed);
        let opened = Arc::new(Opened::open(asked, &key)?);
        let held = Held::of(asked, &key, Arc::clone(&opened));
        if let (Some(version), None) = (version, &opened.incomplete) {
            self.put(key, version, opened);
        }
        Ok(held)
    }

    /// Figures for `/metrics`.
    pub fn figures(&self) -> TraceCacheFigures {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        TraceCacheFigures {
            hits: self.hits.load(Ordering::Relaxed),
            misses: self.misses.load(Ordering::Relaxed),
            traces: kept.entries.len() as u64,
            bytes: kept.bytes as u64,
            limit_bytes: self.bytes_max as u64,
        }
    }

    fn get(&self, key: &Key, version: &TraceVersion) -> Option<Arc<Opened>> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.entries.get(key)?.version != *version {
            let old = kept.remove(key);
            drop(kept);
            let_go(old);
            return None;
        }
        kept.touch(key)
    }

    fn put(&self, key: Key, version: TraceVersion, opened: Arc<Opened>) {
        let bytes = opened.bytes();
        if bytes > self.bytes_max {
            return;
        }
        let mut gone = Vec::new();
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        gone.extend(kept.remove(&key));
        while kept.bytes + bytes > self.bytes_max {
            let Some(oldest) = kept.order.first_key_value().map(|(_, key)| key.clone()) else { break };
            gone.extend(kept.remove(&oldest));
        }
        kept.clock += 1;
        let asked = kept.clock;
        kept.bytes += bytes;
        kept.order.insert(asked, key.clone());
        kept.entries.insert(key, Entry { version, opened, bytes, asked });
        drop(kept);
        if !gone.is_empty() {
            let_go(gone);
        }
    }
}

/// A trace while it is looked at.
#[derive(Debug)]
pub(crate) struct Held {
    opened: Option<Arc<Opened>>,
    /// How far it has come now: a trace is settled without any change of its spans, so that this is never kept.
    pub(crate) state: TraceState,
}

impl Held {
    fn of(asked: &Asked<'_>, key: &Key, opened: Arc<Opened>) -> Self {
        let state = asked.source.trace_state(&key.tenant, &opened.explained.spans);
        Self { opened: Some(opened), state }
    }
}

impl Deref for Held {
    type Target = Opened;

    fn deref(&self) -> &Opened {
        self.opened.as_ref().expect("taken by the drop alone")
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(opened) = self.opened.take().and_then(Arc::into_inner) {
            let_go(opened);
        }
    }
}

/// Frees what nobody needs any more without keeping anybody waiting: a large trace is some million pieces of memory.
fn let_go<T: Send + 'static>(gone: T) {
    // Without a runtime, as in tests, it is freed right here.
    if let Ok(runtime) = tokio::runtime::Handle::try_current() {
        runtime.spawn_blocking(move || drop(gone));
    }
}

impl Kept {
    fn remove(&mut self, key: &Key) -> Option<Entry> {
        let entry = self.entries.remove(key)?;
        self.order.remove(&entry.asked);
        self.bytes -= entry.bytes;
        Some(entry)
    }

    /// The trace of that key, which is the one asked for last now.
    fn touch(&mut self, key: &Key) -> Option<Arc<Opened>> {
        self.clock += 1;
        let entry = self.entries.get_mut(key)?;
        let before = std::mem::replace(&mut entry.asked, self.clock);
        let key = self.order.remove(&before)?;
        self.order.insert(self.clock, key);
        Some(Arc::clone(&entry.opened))
    }
}

#[cfg(test)]
#[path = "trace_cache/tests.rs"]
mod tests;
