//! What was taken between two cuts: live spans, and the stretch of the log that holds them.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use clew_block::sidecar::{Request, Requests};

use crate::Batch;
use crate::live::Live;

/// The spans of one stretch of the log. The last generation grows; all others wait to be sealed.
#[derive(Debug)]
pub struct Generation {
    /// Its spans.
    pub live: Live,
    /// Position in the log of its first byte.
    pub from: u64,
    /// Position after its last byte; [`u64::MAX`] while it grows.
    to: AtomicU64,
    /// Batches that are in the log and not yet in `live`.
    inserting: AtomicUsize,
    /// A batch could not be made visible because clew failed: only a replay can tell what it holds.
    broken: AtomicBool,
    /// Monotonic time of its first batch; [`u64::MAX`] before.
    began_nanos: AtomicU64,
    /// Receive time of its oldest batch in unix nanoseconds; [`u64::MAX`] before.
    received_from: AtomicU64,
    /// The requests that its batches came in, to know them again.
    requests: Mutex<Vec<Request>>,
}

impl Generation {
    /// An empty generation that grows.
    pub fn new(live: Live, from: u64) -> Self {
        Self {
            live,
            from,
            to: AtomicU64::new(u64::MAX),
            inserting: AtomicUsize::new(0),
            broken: AtomicBool::new(false),
            began_nanos: AtomicU64::new(u64::MAX),
            received_from: AtomicU64::new(u64::MAX),
            requests: Mutex::default(),
        }
    }

    /// Notes that a batch is in the log and on its way into `live`.
    pub fn begin(&self, batch: &Batch, now_nanos: u64) {
        self.inserting.fetch_add(1, Ordering::SeqCst);
        self.began_nanos.fetch_min(now_nanos, Ordering::Relaxed);
        self.received_from.fetch_min(batch.received_unix_nanos, Ordering::Relaxed);
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        requests.push(Request { hash: batch.body_hash, received_unix_nanos: batch.received_unix_nanos });
    }

    /// Notes what became of a batch that was on its way; answers whether the generation is complete now.
    pub fn end(&self, is_broken: bool) -> bool {
        if is_broken {
            self.broken.store(true, Ordering::SeqCst);
        }
        self.inserting.fetch_sub(1, Ordering::SeqCst);
        self.is_complete()
    }

    /// Ends the growing: no batch begins after this.
    pub fn cut(&self, to: u64) {
        self.to.store(to, Ordering::SeqCst);
    }

    /// Position after its last byte; `None` while it grows.
    pub fn to(&self) -> Option<u64> {
        Some(self.to.load(Ordering::SeqCst)).filter(|to| *to != u64::MAX)
    }

    /// Whether it was cut and all its spans are visible, so that it can be sealed.
    pub fn is_complete(&self) -> bool {
        self.to().is_some() && self.inserting.load(Ordering::SeqCst) == 0 && !self.broken.load(Ordering::SeqCst)
    }

    /// Monotonic time of its first batch; `None` before.
    pub fn began_nanos(&self) -> Option<u64> {
        Some(self.began_nanos.load(Ordering::Relaxed)).filter(|began| *began != u64::MAX)
    }

    /// When its oldest batch was received, in unix nanoseconds; [`u64::MAX`] before.
    pub fn received_from(&self) -> u64 {
        self.received_from.load(Ordering::Relaxed)
    }

    /// The requests that its batches came in.
    pub fn requests(&self) -> Requests {
        Requests { requests: self.requests.lock().unwrap_or_else(PoisonError::into_inner).clone() }
    }
}
