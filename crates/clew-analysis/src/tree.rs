//! How the spans of a trace hang together.

use std::collections::HashMap;
use std::ops::{BitOr, BitOrAssign};

use clew_model::{Kind, Span, SpanId, identity};
use foldhash::fast::RandomState;
use serde::{Serialize, Serializer};

/// A forest over spans in depth-first order: a node comes before its children, and its subtree is one range.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Tree {
    /// One node per span, in the order of the spans.
    pub nodes: Vec<Node>,
    /// The nodes without a parent in the tree, by (start, span id). [`Marks::ORPHAN`] and [`Marks::CYCLE_BROKEN`] tell
    /// which of them are no real roots.
    pub roots: Vec<usize>,
}

/// A span's place in the tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Node {
    /// Index of the parent.
    pub parent: Option<usize>,
    /// Number of ancestors.
    pub depth: usize,
    /// Number of children.
    pub child_count: usize,
    /// Number of spans in the subtree, the span itself included: it is `index..index + subtree_count`.
    pub subtree_count: usize,
    /// What is special about it.
    pub marks: Marks,
}

/// What is special about a span's place: a set of flags, written as a list of names.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Marks(pub u16);

impl Marks {
    /// Its parent is named but was not received.
    pub const ORPHAN: Self = Self(1);
    /// Other spans have its id, with other content.
    pub const DUPLICATE_ID: Self = Self(1 << 1);
    /// Caller and callee share one id, as Zipkin's clients do; the callee hangs below the caller.
    pub const SHARED_ID: Self = Self(1 << 2);
    /// Its parent is itself or one of its descendants; it was made a root.
    pub const CYCLE_BROKEN: Self = Self(1 << 3);
    /// Its parent did not wait for it: a message, a follow-up, or work that began when the parent had ended.
    pub const ASYNC: Self = Self(1 << 4);
    /// Its parent waited for it, or seemed to, and yet it ended after its parent.
    pub const OVERHANG: Self = Self(1 << 5);
    /// It began before its parent.
    pub const EARLY: Self = Self(1 << 6);
    /// It began before its caller in another service, or after that had ended: one of the two clocks is off.
    pub const CLOCK_SUSPECT: Self = Self(1 << 7);

    const NAMES: [(Self, &'static str); 8] = [
        (Self::ORPHAN, "orphan"),
        (Self::DUPLICATE_ID, "duplicate_id"),
        (Self::SHARED_ID, "shared_id"),
        (Self::CYCLE_BROKEN, "cycle_broken"),
        (Self::ASYNC, "async"),
        (Self::OVERHANG, "overhang"),
        (Self::EARLY, "early"),
        (Self::CLOCK_SUSPECT, "clock_suspect"),
    ];

    /// Whether all of `other`'s flags are set.
    pub fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The names of the flags that are set.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Self::NAMES.into_iter().filter(move |(mark, _)| self.contains(*mark)).map(|(_, name)| name)
    }
}

impl BitOr for Marks {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitOrAssign for Marks {
    fn bitor_assign(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

impl std::fmt::Debug for Marks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.names()).finish()
    }
}

impl Serialize for Marks {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.names())
    }
}

impl Tree {
    /// The children of a node, by (start, span id).
    pub fn children(&self, index: usize) -> impl Iterator<Item = usize> + '_ {
        let end = index + self.nodes[index].subtree_count;
        let first = Some(index + 1).filter(|first| *first < end);
        std::iter::successors(first, move |child| {
            Some(child + self.nodes[*child].subtree_count).filter(|next| *next < end)
        })
    }

    /// Whether a node has all of these marks.
    pub fn has(&self, index: usize, marks: Marks) -> bool {
        self.nodes[index].marks.contains(marks)
    }
}

/// Orders the spans depth-first and says how they hang together. The spans must be distinct.
pub(crate) fn assemble(spans: Vec<Span>) -> (Vec<Span>, Tree) {
    let spans = identity::sorted(spans);
    let (mut parents, mut marks) = parents(&spans);
    break_cycles(&mut parents, &mut marks);
    let order = depth_first(&parents);

    let mut position = vec![0; spans.len()];
    for (new, old) in order.iter().enumerate() {
        position[*old] = new;
    }
    let mut nodes: Vec<Node> = Vec::with_capacity(spans.len());
    let mut roots = Vec::new();
    for (index, old) in order.iter().enumerate() {
        let parent = parents[*old].map(|parent| position[parent]);
        let depth = parent.map_or(0, |parent| nodes[parent].depth + 1);
        nodes.push(Node { parent, depth, child_count: 0, subtree_count: 1, marks: marks[*old] });
        if parent.is_none() {
            roots.push(index);
        }
    }
    for index in (0..nodes.len()).rev() {
        if let Some(parent) = nodes[index].parent {
            nodes[parent].subtree_count += nodes[index].subtree_count;
            nodes[parent].child_count += 1;
        }
    }
    let spans = identity::reordered(spans, &order);
    for index in 0..nodes.len() {
        if let Some(parent) = nodes[index].parent {
            nodes[index].marks |= timing(&spans[parent], &spans[index]);
        }
    }
    (spans, Tree { nodes, roots })
}

/// The spans that carry one id.
struct Holders {
    first: usize,
    caller: Option<usize>,
    callee: Option<usize>,
    count: u32,
}

/// The parent of each span, and what is odd about it. Cycles are still in.
fn parents(spans: &[Span]) -> (Vec<Option<usize>>, Vec<Marks>) {
    let mut holders: HashMap<SpanId, Holders, RandomState> =
        HashMap::with_capacity_and_hasher(spans.len(), RandomState::default());
    for (index, span) in spans.iter().enumerate() {
        let held = holders.entry(span.span_id);
        let held = held.or_insert(Holders { first: index, caller: None, callee: None, count: 0 });
        held.count += 1;
        if span.kind.is_caller() {
            held.caller.get_or_insert(index);
        } else if span.kind.is_callee() {
            held.callee.get_or_insert(index);
        }
    }
    // Of the spans that share an id, the one of a given service; the callee's half if that service has both.
    let mut of_service: HashMap<(SpanId, &str), usize> = HashMap::new();
    let is_shared = holders.len() < spans.len();
    for (index, span) in spans.iter().enumerate().filter(|(_, span)| is_shared && holders[&span.span_id].count > 1) {
        let slot = of_service.entry((span.span_id, span.service())).or_insert(index);
        if span.kind.is_callee() && !spans[*slot].kind.is_callee() {
            *slot = index;
        }
    }

    let mut parents = vec![None; spans.len()];
    let mut marks = vec![Marks::default(); spans.len()];
    for (index, span) in spans.iter().enumerate() {
        let own = is_shared.then(|| &holders[&span.span_id]).filter(|own| own.count > 1);
        // A caller with that id is another span than this callee, so that there are two.
        let caller = own.and_then(|own| own.caller).filter(|_| span.kind.is_callee());
        if let Some(own) = own {
            let is_pair = own.count == 2 && own.caller.is_some() && own.callee.is_some();
            marks[index] |= if is_pair { Marks::SHARED_ID } else { Marks::DUPLICATE_ID };
        }
        if caller.is_some() {
            marks[index] |= Marks::SHARED_ID;
            parents[index] = caller;
            continue;
        }
        let Some(parent_id) = span.parent_span_id else { continue };
        match holders.get(&parent_id) {
            None => marks[index] |= Marks::ORPHAN,
            Some(_) if parent_id == span.span_id => marks[index] |= Marks::CYCLE_BROKEN,
            Some(held) if held.count == 1 => parents[index] = Some(held.first),
            Some(held) => {
                let same_service = of_service.get(&(parent_id, span.service())).copied();
                parents[index] = same_service.or(held.callee).or(Some(held.first));
            }
        }
    }
    (parents, marks)
}

/// Cuts every cycle at its first span in canonical order, which becomes a root.
fn break_cycles(parents: &mut [Option<usize>], marks: &mut [Marks]) {
    const UNSEEN: usize = usize::MAX;
    let mut seen_by = vec![UNSEEN; parents.len()];
    for start in 0..parents.len() {
        let mut at = start;
        while seen_by[at] == UNSEEN {
            seen_by[at] = start;
            match parents[at] {
                Some(parent) => at = parent,
                None => break,
            }
        }
        if seen_by[at] != start || parents[at].is_none() {
            continue;
        }
        // `at` was met twice in this walk, so it lies on a cycle.
        let (mut first, mut member) = (at, parents[at]);
        while let Some(index) = member.filter(|index| *index != at) {
            first = first.min(index);
            member = parents[index];
        }
        parents[first] = None;
        marks[first] |= Marks::CYCLE_BROKEN;
    }
}

/// The indices in depth-first order; siblings keep their order.
fn depth_first(parents: &[Option<usize>]) -> Vec<usize> {
    // Children of `p` are `children[starts[p]..starts[p + 1]]`.
    let mut starts = vec![0; parents.len() + 1];
    for parent in parents.iter().flatten() {
        starts[parent + 1] += 1;
    }
    for index in 0..parents.len() {
        starts[index + 1] += starts[index];
    }
    let mut next = starts.clone();
    let mut children = vec![0; starts[parents.len()]];
    for (index, parent) in parents.iter().enumerate() {
        if let Some(parent) = *parent {
            children[next[parent]] = index;
            next[parent] += 1;
        }
    }
    let mut order = Vec::with_capacity(parents.len());
    let mut stack: Vec<usize> = (0..parents.len()).rev().filter(|index| parents[*index].is_none()).collect();
    while let Some(index) = stack.pop() {
        order.push(index);
        stack.extend(children[starts[index]..starts[index + 1]].iter().rev());
    }
    order
}

/// How a child lies to its parent in time.
fn timing(parent: &Span, child: &Span) -> Marks {
    let mut marks = Marks::default();
    let (start, end) = (child.start_unix_nanos, child.end_unix_nanos());
    let (parent_start, parent_end) = (parent.start_unix_nanos, parent.end_unix_nanos());
    let is_late = start >= parent_end && end > parent_end;
    let is_remote_call = child.kind.is_callee() && parent.kind.is_caller() && child.service() != parent.service();
    let is_message = is_message(parent, child) || follows_from(parent, child);
    if start < parent_start {
        marks |= Marks::EARLY;
    }
    if is_remote_call && (start < parent_start || is_late && !is_message) {
        marks |= Marks::CLOCK_SUSPECT;
    }
    if is_message || is_late {
        marks |= Marks::ASYNC;
    } else if end > parent_end && start < parent_end {
        marks |= Marks::OVERHANG;
    }
    marks
}

/// Whether the child was reached by a message: a consumer, or anything below a producer, unless both are of one service
/// and no producer is involved (a loop that polls waits for its receive span).
fn is_message(parent: &Span, child: &Span) -> bool {
    let is_remote = child.service() != parent.service();
    match child.kind {
        Kind::Consumer => is_remote || parent.kind == Kind::Producer,
        _ => is_remote && parent.kind == Kind::Producer,
    }
}

/// Whether the child says, as OpenTracing bridges write it, that it merely follows its parent.
fn follows_from(parent: &Span, child: &Span) -> bool {
    child.links.iter().any(|link| {
        let kind = clew_model::value::find(&link.attributes, "opentracing.ref_type");
        link.span_id == parent.span_id && kind.and_then(clew_model::Value::as_str) == Some("follows_from")
    })
}
