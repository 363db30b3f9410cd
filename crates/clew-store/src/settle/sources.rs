//! Where the book learns what arrived: from the live head, and from blocks that were sealed while it had no room.

use std::collections::HashMap;
use std::sync::Mutex;

use clew_block::{Block, TenantMeta};
use clew_model::TraceId;
use clew_model::scan::{Expired, ScanError, ScanRequest, SpanSource as _, TimeRange};

use super::book::{Arrival, Book};
use super::thread::lock;
use crate::Generation;
use crate::view::View;

/// What the book is told of as a whole.
enum Source<'v> {
    Block(&'v Block),
    Live(&'v Generation),
}

/// Tells the book what a view holds that arrived before `now` and that it does not know, the oldest first, as long as it takes
/// less than that many bytes, and then `more` parts of the view. Answers whether that was all.
///
/// One more is needed for the book to get on: what was received together lies in two neighbours, and is not counted before both
/// are known.
pub(crate) fn take_in(
    book: &Mutex<Book>,
    view: &View,
    now: u64,
    (bytes, mut more): (usize, u32),
    expired: Expired<'_>,
) -> Result<bool, ScanError> {
    let mut sources = sources(view, &lock(book));
    sources.sort_by_key(|(received_from, _)| *received_from);
    let mut sources = sources.into_iter().peekable();
    while lock(book).has_room(bytes) || more > 0 {
        if !lock(book).has_room(bytes) {
            more -= 1;
        }
        match sources.next() {
            Some((_, Source::Block(block))) => tell_block(book, block, expired)?,
            Some((_, Source::Live(generation))) => tell_live(book, generation),
            None => break,
        }
    }
    let left = sources.peek().map(|(received_from, _)| *received_from);
    let mut book = lock(book);
    book.seen(left.map_or(now, |received_from| received_from.min(now)));
    let seen_before = book.seen_before();
    let newest = view.blocks.last().map(|block| block.meta().name);
    let is_late = |name| view.blocks.iter().any(|block| block.meta().name == name && is_late(block, seen_before));
    book.retain_read(|name| newest.is_none_or(|newest| *name > newest) || is_late(*name));
    Ok(left.is_none())
}

/// Whether a block has spans that were received at that instant or later, and not counted: merged ones are.
pub(crate) fn is_late(block: &Block, unix_nanos: u64) -> bool {
    let meta = block.meta();
    meta.level == 0 && meta.tenants.iter().any(|part| part.received_unix_nanos.1 >= unix_nanos)
}

/// The traces of a tenant's part of a block, which says of a trace only that it has spans of it: each may have been received
/// with the last.
pub(crate) fn arrivals(block: &Block, part: &TenantMeta, expired: Expired<'_>) -> Result<Vec<Arrival>, ScanError> {
    let request =
        ScanRequest { tenant: part.tenant.clone(), range: TimeRange::ALL, filters: Vec::new(), rows_per_trace: 0 };
    let ids: Vec<TraceId> = block.scan(&request, expired)?.matches.into_iter().map(|found| found.trace_id).collect();
    // Without summaries no root is known; what has been idle for long is asked again.
    let summaries = block.summaries(&part.tenant, &ids, expired).map(|answer| answer.summaries).unwrap_or_default();
    let roots: HashMap<TraceId, bool> =
        summaries.into_iter().map(|summary| (summary.trace_id, summary.root_seen)).collect();
    let last_received = part.received_unix_nanos.1;
    let arrival = |trace_id| {
        let root_seen = roots.get(&trace_id).copied().unwrap_or_default();
        Arrival { trace_id, last_received, root_seen }
    };
    Ok(ids.into_iter().map(arrival).collect())
}

/// What holds spans that the book has not seen, with the time at which its first one was received.
fn sources<'v>(view: &'v View, book: &Book) -> Vec<(u64, Source<'v>)> {
    let seen_before = book.seen_before();
    let blocks =
        view.blocks.iter().filter(|block| is_late(block, seen_before) && !book.read().contains(&block.meta().name));
    let blocks = blocks.map(|block| {
        let from = block.meta().tenants.iter().map(|part| part.received_unix_nanos.0).min();
        (from.unwrap_or(0), Source::Block(block))
    });
    let live = view.generations.iter().map(|generation| (generation.received_from(), Source::Live(generation)));
    blocks.chain(live).collect()
}

fn tell_block(book: &Mutex<Book>, block: &Block, expired: Expired<'_>) -> Result<(), ScanError> {
    for part in &block.meta().tenants {
        let arrivals = match arrivals(block, part, expired) {
            Ok(arrivals) => arrivals,
            Err(ScanError::Expired) => return Err(ScanError::Expired),
            Err(error) => {
                // The block tells its damage; what cannot be read cannot be counted either.
                tracing::warn!(block = %block.meta().name, %error, "a block cannot be looked at for traces to settle");
                continue;
            }
        };
        lock(book).arrived(&part.tenant, arrivals);
    }
    lock(book).has_read(block.meta().name);
    Ok(())
}

fn tell_live(book: &Mutex<Book>, generation: &Generation) {
    let seen_before = lock(book).seen_before();
    for (tenant, arrivals) in generation.live.arrivals(seen_before) {
        lock(book).arrived(&tenant, arrivals);
    }
}
