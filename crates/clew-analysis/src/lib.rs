#![doc = include_str!("../README.md")]

pub mod errors;
pub mod relations;
pub mod repeats;
pub mod self_time;
pub mod skew;
pub mod thread;
pub mod tree;

use clew_model::{Span, Summary, identity, summarize};
use serde::Serialize;

pub use relations::{Relation, relations};
pub use repeats::{Repeat, RepeatKind, repeats};
pub use skew::{Skew, SkewEvidence};
pub use thread::sentence::duration_text;
pub use thread::{AsyncTail, Bottleneck, Gap, Segment, SegmentKind, Thread};
pub use tree::{Marks, Node, Tree};

/// What [`explain`] may do beyond looking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Options {
    /// Move the spans of instances whose clock is known to be off, before anything else is computed.
    pub correct_skew: bool,
}

/// A trace, explained. Every index in it points into `spans`.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Explained {
    /// The spans, identical ones once, in tree order: depth-first, children by (start, span id).
    pub spans: Vec<Span>,
    /// How they hang together; `tree.nodes[i]` is about `spans[i]`.
    pub tree: Tree,
    /// Of each span, the time that no synchronous child covers.
    pub self_nanos: Vec<u64>,
    /// Where the time went.
    pub thread: Thread,
    /// The figures a search page shows.
    pub summary: Summary,
    /// Clocks that disagree.
    pub skews: Vec<Skew>,
    /// Links between spans, resolved where the other span is in this trace.
    pub relations: Vec<Relation>,
    /// Groups of siblings that are alike.
    pub repeats: Vec<Repeat>,
    /// The spans that failed, rising.
    pub failed: Vec<usize>,
    /// The span where the error that matters most began.
    pub error_origin: Option<usize>,
    /// How many spans were left out because the same span was there already.
    pub duplicate_count: usize,
}

/// Explains the spans of one trace, given in any order and with repeats.
///
/// The answer does not depend on the order. Near-linear in the number of spans, whatever their shape.
pub fn explain(spans: Vec<Span>, options: &Options) -> Explained {
    let received_count = spans.len();
    let spans = identity::distinct(spans);
    let duplicate_count = received_count - spans.len();
    let (mut spans, mut tree) = tree::assemble(spans);
    let mut skews = skew::detect(&spans, &tree);
    if options.correct_skew && skew::correct(&mut spans, &tree, &mut skews) {
        (spans, tree) = tree::assemble(spans);
    }
    let self_nanos = self_time::self_nanos(&spans, &tree);
    let summary = summarize(&spans);
    let failed: Vec<usize> = (0..spans.len()).filter(|index| spans[*index].is_error()).collect();
    let error_origin = errors::origin(&spans, &tree, &failed);
    let thread = thread::follow(&spans, &tree, error_origin);
    let relations = relations(&spans);
    let repeats = repeats(&spans, &tree);
    Explained {
        spans,
        tree,
        self_nanos,
        thread,
        summary,
        skews,
        relations,
        repeats,
        failed,
        error_origin,
        duplicate_count,
    }
}
