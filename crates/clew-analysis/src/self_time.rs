//! Self time: what of a span no synchronous child covers.

use clew_model::Span;

use crate::tree::{Marks, Tree};

/// The self time of each span: its duration less the union of its synchronous children, each clipped to it.
///
/// Children that overlap count once, so it is never negative; children that overhang count up to their parent's end;
/// children that the parent did not wait for ([`Marks::ASYNC`]) do not count.
pub fn self_nanos(spans: &[Span], tree: &Tree) -> Vec<u64> {
    (0..spans.len()).map(|index| of(index, spans, tree)).collect()
}

fn of(index: usize, spans: &[Span], tree: &Tree) -> u64 {
    let end = spans[index].end_unix_nanos();
    let mut free_nanos = 0;
    // All before this instant is accounted for. Children come by start, so one pass makes their union.
    let mut cursor = spans[index].start_unix_nanos;
    for child in tree.children(index).filter(|child| !tree.has(*child, Marks::ASYNC)) {
        let child_start = spans[child].start_unix_nanos.min(end);
        free_nanos += child_start.saturating_sub(cursor);
        cursor = cursor.max(spans[child].end_unix_nanos().min(end));
    }
    free_nanos + end.saturating_sub(cursor)
}
