//! The thread: the critical path of a trace, in segments that tile its horizon exactly.

mod contributors;
mod horizon;
pub(crate) mod sentence;
mod walk;

use clew_model::{Span, SpanId};
use serde::{Deserialize, Serialize};

use crate::tree::Tree;
use horizon::Horizon;

/// Where the time of a trace went.
///
/// The horizon is the root's duration. Without a received root, or with several, it is first start to last end.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Thread {
    /// All of it in one sentence.
    pub sentence: String,
    /// Start of the horizon, in unix nanoseconds.
    pub from_unix_nanos: u64,
    /// Length of the horizon; the sum of its segments.
    pub total_nanos: u64,
    /// By time, without holes or overlaps, none of length zero.
    pub segments: Vec<Segment>,
    /// What most of the time went to. `None` when the horizon has no length, or has only holes too small to name.
    pub bottleneck: Option<Bottleneck>,
    /// Holes on the thread worth naming, by time.
    pub gaps: Vec<Gap>,
    /// A second horizon, when work went on after the root.
    pub async_tail: Option<AsyncTail>,
}

/// The horizon after the root's end: work that the root did not wait for.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AsyncTail {
    /// The root's end, in unix nanoseconds.
    pub from_unix_nanos: u64,
    /// Until the last end; the sum of its segments.
    pub total_nanos: u64,
    /// As in [`Thread`], relative to this horizon's start.
    pub segments: Vec<Segment>,
    /// As in [`Thread`].
    pub bottleneck: Option<Bottleneck>,
    /// As in [`Thread`], relative to this horizon's start.
    pub gaps: Vec<Gap>,
}

/// A stretch of a horizon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Segment {
    /// Index of the span it belongs to; `None` between the roots of a horizon that has no span of its own.
    pub span: Option<usize>,
    /// That span's id.
    pub span_id: Option<SpanId>,
    /// Start, relative to the horizon's.
    pub from_nanos: u64,
    /// End, likewise.
    pub to_nanos: u64,
    /// What happened in it.
    pub kind: SegmentKind,
}

/// What happened in a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum SegmentKind {
    /// The span's own work: no synchronous child ran.
    #[serde(rename = "self")]
    SelfTime,
    /// A hole worth naming: the span has children, none ran, and nothing says what happened.
    #[serde(rename = "gap")]
    Gap,
    /// The span had children running that are not on the thread, because what came next did not wait for them.
    #[serde(rename = "wait")]
    Wait,
    /// The span is a client's call, and its server's span had not begun or had ended: connecting, the network, queues.
    #[serde(rename = "transit")]
    Transit,
}

/// A hole on the thread of at least 5 % of the horizon; inside a span also of at least 100 us, since less is what creating
/// spans and scheduling threads costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Gap {
    /// Index of the span it lies in; `None` between roots.
    pub span: Option<usize>,
    /// That span's id.
    pub span_id: Option<SpanId>,
    /// Start, relative to the horizon's.
    pub from_nanos: u64,
    /// End, likewise.
    pub to_nanos: u64,
    /// Index of the child that ended before it; `None` when the hole begins with the span.
    pub before: Option<usize>,
    /// Index of the child that began after it; `None` when the hole ends with the span.
    pub after: Option<usize>,
}

/// A contributor to the thread: one span, equal siblings taken together, or a gap.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Bottleneck {
    /// What kind of segments it is made of.
    pub kind: SegmentKind,
    /// Index of the span; of several, the one that gave most. `None` for a gap between roots.
    pub span: Option<usize>,
    /// That span's id.
    pub span_id: Option<SpanId>,
    /// How many spans of the same call path (service and operation, from the root down) it sums up.
    pub span_count: usize,
    /// Its time on the thread.
    pub nanos: u64,
    /// Its share of the horizon, above 0 up to 1.
    pub share: f64,
    /// Index into the horizon's gaps when `kind` is [`SegmentKind::Gap`].
    pub gap: Option<usize>,
    /// Index of the child that ran through most of the span's longest wait when `kind` is [`SegmentKind::Wait`]; of the
    /// server's span on the other side when it is [`SegmentKind::Transit`].
    pub beside: Option<usize>,
}

/// Follows the thread of an assembled trace.
pub(crate) fn follow(spans: &[Span], tree: &Tree, error_origin: Option<usize>) -> Thread {
    let horizons = horizon::horizons(spans, tree);
    let paths = contributors::call_paths(spans, tree);
    let first = Followed::of(spans, tree, &horizons.first, &paths);
    let tail = horizons.tail.as_ref().map(|tail| Followed::of(spans, tree, tail, &paths));
    let sentence = sentence::compose(&sentence::Facts {
        spans,
        total_nanos: first.total_nanos,
        root_count: horizons.root_count,
        contributors: &first.contributors,
        gaps: &first.gaps,
        tail: tail.as_ref().map(|tail| (tail.total_nanos, tail.contributors.as_slice(), tail.gaps.as_slice())),
        error_origin,
    });
    Thread {
        sentence,
        from_unix_nanos: horizons.first.from,
        total_nanos: first.total_nanos,
        segments: first.segments,
        bottleneck: first.contributors.into_iter().next(),
        gaps: first.gaps,
        async_tail: horizons.tail.zip(tail).map(|(horizon, tail)| AsyncTail {
            from_unix_nanos: horizon.from,
            total_nanos: tail.total_nanos,
            segments: tail.segments,
            bottleneck: tail.contributors.into_iter().next(),
            gaps: tail.gaps,
        }),
    }
}

/// One horizon, followed.
struct Followed {
    total_nanos: u64,
    segments: Vec<Segment>,
    gaps: Vec<Gap>,
    /// The largest first.
    contributors: Vec<Bottleneck>,
}

impl Followed {
    fn of(spans: &[Span], tree: &Tree, horizon: &Horizon, paths: &[usize]) -> Self {
        let total_nanos = horizon.to - horizon.from;
        let stretches = walk::walk(spans, tree, horizon);
        let id = |span: Option<usize>| span.map(|index| spans[index].span_id);
        let segments: Vec<Segment> = stretches
            .iter()
            .map(|stretch| Segment {
                span: stretch.owner,
                span_id: id(stretch.owner),
                from_nanos: stretch.from - horizon.from,
                to_nanos: stretch.to - horizon.from,
                kind: stretch.kind,
            })
            .collect();
        let gaps: Vec<Gap> = stretches
            .iter()
            .filter(|stretch| stretch.kind == SegmentKind::Gap && stretch.to - stretch.from >= horizon.gap_nanos_min())
            .map(|stretch| Gap {
                span: stretch.owner,
                span_id: id(stretch.owner),
                from_nanos: stretch.from - horizon.from,
                to_nanos: stretch.to - horizon.from,
                before: stretch.before,
                after: stretch.after,
            })
            .collect();
        let mut contributors = contributors::rank(spans, &segments, &gaps, total_nanos, paths);
        // The sentence speaks of two at most.
        for contributor in contributors.iter_mut().take(2) {
            contributor.beside = contributor.span.and_then(|owner| match contributor.kind {
                SegmentKind::Wait => walk::beside(owner, &stretches, spans, tree, horizon),
                SegmentKind::Transit => walk::callee(owner, &stretches),
                SegmentKind::SelfTime | SegmentKind::Gap => None,
            });
        }
        Self { total_nanos, segments, gaps, contributors }
    }
}
