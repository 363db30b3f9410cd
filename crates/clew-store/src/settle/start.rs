//! The book as it is found at the start.
//!
//! All that was received before the watermark is counted. Of what came later, a trace is counted as far as the last settlement
//! that names it reaches. A block says of a trace only that it has spans of it, so a trace may be pending of which nothing is left to
//! count: its next settlement finds that out.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use clew_block::Block;
use clew_model::{Tenant, TraceId};
use foldhash::fast::RandomState;

use super::book::{Arrival, Book};
use super::files::SettleFiles;
use super::settled::Special;
use super::sources::{self, is_late};
use crate::catalog::SettleState;
use crate::view::View;

/// Up to when each trace is counted that was settled since the watermark.
type Counted = BTreeMap<Tenant, HashMap<TraceId, u64, RandomState>>;

/// What is known of settlements at the start.
pub(crate) struct Found {
    /// What is not counted.
    pub(crate) book: Book,
    /// The latest time at which anything was received or counted, in unix nanoseconds.
    pub(crate) last_unix_nanos: u64,
    /// Verdicts of traces that lie in parts which are not merged.
    pub(crate) special: Vec<Arc<Special>>,
    /// What could not be read, in sentences.
    pub(crate) lost: Vec<String>,
}

/// Looks at what a view of the start holds. Once the book takes that many bytes, what can wait is told to it later.
pub(crate) fn find(
    view: &View,
    state: &SettleState,
    files: &SettleFiles,
    now_unix_nanos: u64,
    pending_bytes: usize,
) -> Found {
    let watermark = state.watermark_unix_nanos;
    let last_unix_nanos = watermark.max(now_unix_nanos);
    let mut found = Found { book: Book::new(watermark), last_unix_nanos, special: Vec::new(), lost: Vec::new() };
    let counted = counted(state, files, &mut found);
    // What was received later than anything was counted may wait until there is room.
    let counted_before = counted.values().flat_map(HashMap::values).copied().fold(watermark, u64::max);
    let mut waits_from = u64::MAX;
    for block in &view.blocks {
        let parts = &block.meta().tenants;
        let ends = parts.iter().map(|part| part.received_unix_nanos.1);
        found.last_unix_nanos = ends.fold(found.last_unix_nanos, u64::max);
        if !is_late(block, watermark) {
            continue;
        }
        let from = parts.iter().map(|part| part.received_unix_nanos.0).min().unwrap_or(0);
        if from >= counted_before && !found.book.has_room(pending_bytes) {
            waits_from = waits_from.min(from);
        } else {
            note_block(block, watermark, &counted, &mut found);
        }
    }
    for generation in &view.generations {
        let from = generation.received_from();
        let is_waiting = from >= counted_before && !found.book.has_room(pending_bytes);
        if is_waiting {
            waits_from = waits_from.min(from);
        }
        for (tenant, arrivals) in generation.live.arrivals(0) {
            let last = arrivals.iter().map(|arrival| arrival.last_received).max();
            found.last_unix_nanos = found.last_unix_nanos.max(last.unwrap_or(0));
            if !is_waiting {
                note(&mut found.book, &tenant, arrivals, watermark, &counted);
            }
        }
    }
    found.book.seen(found.last_unix_nanos.min(waits_from));
    found
}

/// What settlements say: up to when traces are counted, and what is not as of every trace.
fn counted(state: &SettleState, files: &SettleFiles, found: &mut Found) -> Counted {
    let watermark = state.watermark_unix_nanos;
    let mut counted = Counted::new();
    for entry in &state.files {
        found.last_unix_nanos = found.last_unix_nanos.max(entry.through_unix_nanos);
        let is_late = entry.through_unix_nanos > watermark;
        if entry.kept_count == 0 || (!is_late && !entry.is_special) {
            continue;
        }
        match files.records(entry.number) {
            Ok(records) => {
                found.special.extend(Special::of(&records));
                for settled in records.settlements.into_iter().filter(|settled| settled.through_unix_nanos > watermark) {
                    for (tenant, records) in settled.tenants {
                        let own = counted.entry(tenant).or_default();
                        for (_, record) in records {
                            let through = own.entry(record.summary.trace_id).or_default();
                            *through = settled.through_unix_nanos.max(*through);
                        }
                    }
                }
            }
            Err(error) => found.lost.push(format!(
                "settled/{} cannot be read: {error}; some traces may be counted twice in figures, and lose their verdicts",
                super::files::file_name(entry.number)
            )),
        }
    }
    counted
}

fn note_block(block: &Block, watermark: u64, counted: &Counted, found: &mut Found) {
    for part in block.meta().tenants.iter().filter(|part| part.received_unix_nanos.1 >= watermark) {
        match sources::arrivals(block, part, &|| false) {
            Ok(arrivals) => note(&mut found.book, &part.tenant, arrivals, watermark, counted),
            Err(error) => {
                let name = block.meta().name;
                found.lost.push(format!("block {name} cannot be looked at for traces that are not counted: {error}"));
            }
        }
    }
    found.book.has_read(block.meta().name);
}

/// Takes traces in, as far as they are not counted.
fn note(book: &mut Book, tenant: &Tenant, arrivals: Vec<Arrival>, watermark: u64, counted: &Counted) {
    let own = counted.get(tenant);
    let pending = arrivals.into_iter().filter_map(|arrival| {
        let through = own.and_then(|own| own.get(&arrival.trace_id)).copied();
        let first_uncounted = through.unwrap_or(watermark).max(watermark);
        // When its first span came nobody knows: it is given the time that any trace has.
        (arrival.last_received >= first_uncounted).then_some((arrival, first_uncounted, arrival.last_received))
    });
    book.note(tenant, pending);
}
