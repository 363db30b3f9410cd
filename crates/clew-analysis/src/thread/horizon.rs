//! Which stretch of time the thread must explain, and which spans may explain it.

use std::collections::HashSet;

use clew_model::summary::{extent, is_follow_up};
use clew_model::{Notes, Span, SpanId};

use crate::tree::{Marks, Tree};

/// A stretch of time to tile.
pub(super) struct Horizon {
    /// Start, in unix nanoseconds.
    pub(super) from: u64,
    /// End, in unix nanoseconds; not before `from`.
    pub(super) to: u64,
    /// The span whose duration it is.
    pub(super) owner: Option<usize>,
    /// What runs in it beside the owner's own children: all there is when it has no owner, else orphans that lie within.
    /// Clipped to the horizon, none empty.
    pub(super) parts: Vec<Part>,
}

/// A stretch of one span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) span: usize,
    pub(super) from: u64,
    pub(super) to: u64,
}

impl Part {
    /// What of it lies in `from..to`, if anything.
    pub(super) fn clip(self, from: u64, to: u64) -> Option<Self> {
        let part = Self { span: self.span, from: self.from.max(from), to: self.to.min(to) };
        (part.from < part.to).then_some(part)
    }
}

/// How far two spans may overlap and still count as one after the other: instrumentation often opens the next span a
/// moment before it closes the last, and clocks tick in steps of up to a millisecond.
pub(super) fn slack(part: Part) -> u64 {
    const SLACK_NANOS_MAX: u64 = 1_000_000;
    ((part.to - part.from) / 20).min(SLACK_NANOS_MAX)
}

impl Horizon {
    /// From how long on a hole is a gap.
    pub(super) fn gap_nanos_min(&self) -> u64 {
        const FLOOR_NANOS: u64 = 100_000;
        let floor_nanos = if self.owner.is_some() { FLOOR_NANOS } else { 1 };
        ((self.to - self.from) / 20).max(floor_nanos)
    }
}

/// The horizons of a trace.
pub(super) struct Horizons {
    pub(super) first: Horizon,
    pub(super) tail: Option<Horizon>,
    /// How many real roots were received.
    pub(super) root_count: usize,
}

/// Finds the horizons: a single root makes its own, with a tail for what goes on after it; otherwise there is one from
/// first start to last end.
pub(super) fn horizons(spans: &[Span], tree: &Tree) -> Horizons {
    let roots = real_roots(spans, tree);
    let root_count = roots.len();
    let is_odd = |index: usize| spans[index].notes.contains(Notes::ODD_TIME);
    let all_odd = (0..spans.len()).all(is_odd);
    let &[root] = roots.as_slice() else { return ownerless(spans, tree, root_count) };
    if is_odd(root) && !all_odd {
        return ownerless(spans, tree, root_count);
    }
    let (from, to) = (spans[root].start_unix_nanos, spans[root].end_unix_nanos());
    // A span whose parent is missing most likely ran below the root, if it ran while the root did.
    let lies_within = |index: &usize| spans[*index].start_unix_nanos >= from && spans[*index].end_unix_nanos() <= to;
    let orphans = tree.roots.iter().copied().filter(|index| *index != root);
    let orphans = orphans.filter(|index| !is_detached(*index, spans, tree)).filter(lies_within);
    let parts = orphans.filter_map(|index| whole(index, spans).clip(from, to)).collect();
    let first = Horizon { from, to, owner: Some(root), parts };

    let doubts = doubts(spans, tree);
    let outside = parts_outside(spans, tree).into_iter();
    let outside = outside.filter(|part| part.span != root && (all_odd || !is_odd(part.span)));
    let after = outside.filter_map(|part| part.clip(to, u64::MAX));
    let parts: Vec<Part> = after.filter(|part| part.to - to > doubts[part.span]).collect();
    // A call that ends a hair after the root is no work that goes on.
    let goes_on = |part: &Part| {
        let waits = tree.nodes[part.span].parent.is_some() && !tree.has(part.span, Marks::ASYNC);
        !waits || part.to - to > slack(whole(part.span, spans))
    };
    let end = parts.iter().map(|part| part.to).max().filter(|_| parts.iter().any(goes_on));
    let tail = end.map(|end| Horizon { from: to, to: end, owner: None, parts });
    Horizons { first, tail, root_count }
}

fn ownerless(spans: &[Span], tree: &Tree, root_count: usize) -> Horizons {
    let (from, to) = extent(spans.iter());
    let parts = parts_outside(spans, tree).into_iter().filter_map(|part| part.clip(from, to)).collect();
    Horizons { first: Horizon { from, to, owner: None, parts }, tail: None, root_count }
}

/// The roots that were sent as roots. One that links to another span of the trace continues that one's work, and counts
/// only if there are no others.
fn real_roots(spans: &[Span], tree: &Tree) -> Vec<usize> {
    let sent: Vec<usize> = tree.roots.iter().copied().filter(|index| spans[*index].parent_span_id.is_none()).collect();
    if sent.len() < 2 {
        return sent;
    }
    let ids: HashSet<SpanId> = spans.iter().map(|span| span.span_id).collect();
    let first: Vec<usize> =
        sent.iter().copied().filter(|index| !is_follow_up(&spans[*index], |id| ids.contains(&id))).collect();
    if first.is_empty() { sent[..1].to_vec() } else { first }
}

/// Whether nobody in the tree waits for the node: a message's receiver, a follow-up.
fn is_detached(index: usize, spans: &[Span], tree: &Tree) -> bool {
    let is_root = tree.nodes[index].parent.is_none();
    is_root && (spans[index].kind == clew_model::Kind::Consumer || spans[index].parent_span_id.is_none())
        || tree.has(index, Marks::ASYNC)
}

fn whole(index: usize, spans: &[Span]) -> Part {
    Part { span: index, from: spans[index].start_unix_nanos, to: spans[index].end_unix_nanos() }
}

/// Of every span what lies outside its parent: all of it when nobody waits for it. Each instant of each span is here or
/// inside its parent.
fn parts_outside(spans: &[Span], tree: &Tree) -> Vec<Part> {
    let mut parts = Vec::new();
    for (index, node) in tree.nodes.iter().enumerate() {
        let all = whole(index, spans);
        match node.parent.filter(|_| !node.marks.contains(Marks::ASYNC)) {
            None => parts.extend(all.clip(0, u64::MAX)),
            Some(parent) => {
                let around = whole(parent, spans);
                parts.extend(all.clip(0, around.from));
                parts.extend(all.clip(around.to, u64::MAX));
            }
        }
    }
    parts
}

/// How far each span's times may be off: the largest contradiction between two clocks on its way from the root, in
/// nanoseconds. What seems to go on after the root for no longer than that may be nothing but the clock.
fn doubts(spans: &[Span], tree: &Tree) -> Vec<u64> {
    let mut doubts = vec![0_u64; spans.len()];
    for (index, node) in tree.nodes.iter().enumerate() {
        let Some(parent) = node.parent else { continue };
        doubts[index] = doubts[parent];
        if node.marks.contains(Marks::CLOCK_SUSPECT) {
            let (caller, callee) = (&spans[parent], &spans[index]);
            let early = caller.start_unix_nanos.saturating_sub(callee.start_unix_nanos);
            let late = callee.end_unix_nanos().saturating_sub(caller.end_unix_nanos());
            let contradiction = if node.marks.contains(Marks::EARLY) { early } else { late };
            doubts[index] = doubts[index].max(contradiction);
        }
    }
    doubts
}
