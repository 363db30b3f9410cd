//! The walk back from the end of a horizon to its start.
//!
//! In a span's window, from its end: the child that finished last was waited for, so the thread goes through it; then
//! the child that finished last before that one began; and so on to the window's start. What lies between the children
//! taken belongs to the span itself. Children are clipped to the window. Each child taken is a window of its own.

use std::cmp::Reverse;

use clew_model::{Kind, Span};

use super::SegmentKind;
use super::horizon::{Horizon, Part, slack};
use crate::tree::{Marks, Tree};

/// A stretch of the thread, in unix nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stretch {
    pub(super) owner: Option<usize>,
    pub(super) from: u64,
    pub(super) to: u64,
    pub(super) kind: SegmentKind,
    /// The child that ended before a hole.
    pub(super) before: Option<usize>,
    /// The child that began after a hole.
    pub(super) after: Option<usize>,
}

/// A time in which no child ran.
struct Hole {
    from: u64,
    to: u64,
    before: Option<usize>,
    after: Option<usize>,
}

impl Hole {
    /// Whether the owner is a call that was on its way to its server, or back.
    fn is_transit(&self, owner: usize, spans: &[Span]) -> bool {
        let mut beside = self.before.iter().chain(&self.after).peekable();
        spans[owner].kind == Kind::Client
            && beside.peek().is_some()
            && beside.all(|child| spans[*child].kind == Kind::Server)
    }
}

/// Tiles a horizon with stretches, by time.
pub(super) fn walk(spans: &[Span], tree: &Tree, horizon: &Horizon) -> Vec<Stretch> {
    let mut stretches = Vec::new();
    let mut parts = horizon.parts.clone();
    if let Some(span) = horizon.owner {
        parts.extend(child_parts(spans, tree, Part { span, from: horizon.from, to: horizon.to }));
    }
    let (own, mut windows) = step(horizon.owner, (horizon.from, horizon.to), parts, spans, tree);
    stretches.extend(own.classify(spans, horizon.owner, horizon.gap_nanos_min()));
    // Below an owner each span has one window. After it, spans that overhang each other in a row could make windows
    // without bound: no trace of a real system comes near this number, and beyond it a window is not looked into.
    let mut looks_left = 32 * spans.len();
    while let Some(window) = windows.pop() {
        let child_count = tree.nodes[window.span].child_count;
        let Some(left) = looks_left.checked_sub(child_count) else {
            stretches.push(unexplored(window));
            continue;
        };
        looks_left = left;
        let parts = child_parts(spans, tree, window);
        let (own, taken) = step(Some(window.span), (window.from, window.to), parts, spans, tree);
        windows.extend(taken);
        stretches.extend(own.classify(spans, Some(window.span), horizon.gap_nanos_min()));
    }
    stretches.sort_unstable_by_key(|stretch| stretch.from);
    // Two windows of one span may touch.
    stretches.dedup_by(|next, last| {
        let is_same = (next.owner, next.kind) == (last.owner, last.kind) && next.from == last.to;
        if is_same {
            (last.to, last.after) = (next.to, next.after);
        }
        is_same
    });
    stretches
}

fn unexplored(window: Part) -> Stretch {
    let Part { span, from, to } = window;
    Stretch { owner: Some(span), from, to, kind: SegmentKind::Wait, before: None, after: None }
}

/// The child that ran through most of a span's longest wait.
pub(super) fn beside(
    owner: usize,
    stretches: &[Stretch],
    spans: &[Span],
    tree: &Tree,
    horizon: &Horizon,
) -> Option<usize> {
    let waits = stretches.iter().filter(|stretch| stretch.owner == Some(owner) && stretch.kind == SegmentKind::Wait);
    let wait = waits.max_by_key(|stretch| (stretch.to - stretch.from, Reverse(stretch.from)))?;
    let window = Part { span: owner, from: wait.from, to: wait.to };
    let adopted = horizon.parts.iter().filter(|_| horizon.owner == Some(owner));
    let adopted = adopted.filter_map(|part| part.clip(wait.from, wait.to));
    let parts = child_parts(spans, tree, window).into_iter().chain(adopted);
    parts.max_by_key(|part| (part.to - part.from, Reverse(part.span))).map(|part| part.span)
}

/// The server's span at the other end of a span's longest transit.
pub(super) fn callee(owner: usize, stretches: &[Stretch]) -> Option<usize> {
    let transits =
        stretches.iter().filter(|stretch| stretch.owner == Some(owner) && stretch.kind == SegmentKind::Transit);
    let longest = transits.max_by_key(|stretch| (stretch.to - stretch.from, Reverse(stretch.from)))?;
    longest.before.or(longest.after)
}

/// The synchronous children of a window's span, clipped to the window.
fn child_parts(spans: &[Span], tree: &Tree, window: Part) -> Vec<Part> {
    let children = tree.children(window.span).filter(|child| !tree.has(*child, Marks::ASYNC));
    let whole = children.map(|child| Part {
        span: child,
        from: spans[child].start_unix_nanos,
        to: spans[child].end_unix_nanos(),
    });
    whole.filter_map(|part| part.clip(window.from, window.to)).collect()
}

/// What a window's span keeps for itself.
struct Own {
    /// Between the children taken, by time.
    stretches: Vec<(u64, u64)>,
    /// Where no child ran, by time.
    holes: Vec<Hole>,
    has_parts: bool,
}

/// Chooses the children of a window that the thread goes through.
fn step(
    owner: Option<usize>,
    (from, to): (u64, u64),
    mut parts: Vec<Part>,
    spans: &[Span],
    tree: &Tree,
) -> (Own, Vec<Part>) {
    let holes = holes(from, to, &mut parts);
    let has_parts = !parts.is_empty();
    // A child that outlives its parent by the same clock was not waited for; it is followed only for want of others.
    let is_background = |part: &Part| owner.is_some_and(|owner| outlives(&spans[owner], &spans[part.span], part, tree));
    if parts.iter().any(|part| !is_background(part)) {
        parts.retain(|part| !is_background(part));
    }
    parts.sort_unstable_by(|left, right| {
        let key = |part: &Part| (Reverse(part.to), part.from, part.span);
        key(left).cmp(&key(right))
    });
    let mut taken = Vec::new();
    let mut stretches = Vec::new();
    let mut cursor = to;
    for part in parts {
        // Ends only get earlier, and so does the cursor: a child passed over once never fits again.
        let fits = owner.is_none() || part.to <= cursor.saturating_add(slack(part));
        if part.from >= cursor || !fits {
            continue;
        }
        let end = part.to.min(cursor);
        if end < cursor {
            stretches.push((end, cursor));
        }
        taken.push(Part { to: end, ..part });
        cursor = part.from;
    }
    if from < cursor {
        stretches.push((from, cursor));
    }
    stretches.reverse();
    (Own { stretches, holes, has_parts }, taken)
}

/// Whether a child ended after its parent, both by one service's clock, by more than [`slack`].
fn outlives(parent: &Span, child: &Span, part: &Part, tree: &Tree) -> bool {
    tree.has(part.span, Marks::OVERHANG)
        && child.end_unix_nanos() > parent.end_unix_nanos().saturating_add(slack(*part))
        && child.service() == parent.service()
}

/// The holes between the parts of a window. Sorts the parts by start.
fn holes(from: u64, to: u64, parts: &mut [Part]) -> Vec<Hole> {
    parts.sort_unstable_by_key(|part| (part.from, part.to, part.span));
    let mut holes = Vec::new();
    let (mut cursor, mut before) = (from, None);
    for part in parts.iter() {
        if part.from > cursor {
            holes.push(Hole { from: cursor, to: part.from, before, after: Some(part.span) });
        }
        if part.to > cursor {
            (cursor, before) = (part.to, Some(part.span));
        }
    }
    if cursor < to {
        holes.push(Hole { from: cursor, to, before, after: None });
    }
    holes
}

impl Own {
    /// Says of each own stretch what happened in it, cutting it where children start and end.
    fn classify(self, spans: &[Span], owner: Option<usize>, gap_nanos_min: u64) -> Vec<Stretch> {
        let mut out = Vec::new();
        let mut holes = self.holes.iter().peekable();
        for (from, to) in self.stretches {
            let mut cursor = from;
            let mut push = |from: u64, to: u64, kind: SegmentKind, hole: Option<&Hole>| {
                if from < to {
                    let (before, after) = hole.map_or((None, None), |hole| (hole.before, hole.after));
                    out.push(Stretch { owner, from, to, kind, before, after });
                }
            };
            // A hole never reaches over an own stretch: where a taken child begins or ends, a hole does too.
            while let Some(hole) = holes.next_if(|hole| hole.to <= to) {
                let is_long = self.has_parts && hole.to - hole.from >= gap_nanos_min;
                let kind = match owner {
                    Some(owner) if hole.is_transit(owner, spans) => SegmentKind::Transit,
                    Some(_) if !is_long => SegmentKind::SelfTime,
                    _ => SegmentKind::Gap,
                };
                push(cursor, hole.from, SegmentKind::Wait, None);
                push(hole.from, hole.to, kind, Some(hole));
                cursor = hole.to;
            }
            push(cursor, to, SegmentKind::Wait, None);
        }
        out
    }
}
