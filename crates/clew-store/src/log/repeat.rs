//! Requests that are known again when they are sent once more: a lost answer makes a client resend.

use std::collections::{HashMap, VecDeque};

/// The requests of the last while, by the hash of their body.
#[derive(Debug)]
pub(super) struct Repeats {
    window_nanos: u64,
    capacity: usize,
    in_flight: HashMap<u128, Vec<u64>>,
    stored: HashMap<u128, u64>,
    by_age: VecDeque<(u64, u128)>,
}

/// What is known of a request.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Known {
    /// Nothing: it is taken as in flight from now on.
    New,
    /// It is stored and visible.
    Stored,
    /// The first one is still on its way: the ticket waits for it.
    Parked,
}

impl Repeats {
    pub(super) fn new(window_nanos: u64, capacity: usize) -> Self {
        Self { window_nanos, capacity, in_flight: HashMap::new(), stored: HashMap::new(), by_age: VecDeque::new() }
    }

    /// Looks a request up, and remembers it when it is new.
    pub(super) fn look(&mut self, hash: u128, received_unix_nanos: u64, ticket: u64) -> Known {
        if let Some(parked) = self.in_flight.get_mut(&hash) {
            parked.push(ticket);
            return Known::Parked;
        }
        match self.stored.get(&hash) {
            Some(stored) if received_unix_nanos <= stored.saturating_add(self.window_nanos) => Known::Stored,
            _ => {
                self.in_flight.insert(hash, Vec::new());
                Known::New
            }
        }
    }

    /// The request is stored and visible; returns the tickets that waited for it.
    pub(super) fn stored(&mut self, hash: u128, received_unix_nanos: u64) -> Vec<u64> {
        while let Some(&(oldest, hash)) = self.by_age.front() {
            let expired = oldest.saturating_add(self.window_nanos) < received_unix_nanos;
            if !expired && self.by_age.len() < self.capacity {
                break;
            }
            self.by_age.pop_front();
            // A request that was stored again after its window has a younger entry.
            if self.stored.get(&hash) == Some(&oldest) {
                self.stored.remove(&hash);
            }
        }
        self.stored.insert(hash, received_unix_nanos);
        self.by_age.push_back((received_unix_nanos, hash));
        self.in_flight.remove(&hash).unwrap_or_default()
    }

    /// The request was not stored; returns the tickets that waited for it.
    pub(super) fn forget(&mut self, hash: u128) -> Vec<u64> {
        self.in_flight.remove(&hash).unwrap_or_default()
    }
}
