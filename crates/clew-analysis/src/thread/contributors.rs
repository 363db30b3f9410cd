//! Who the time of a horizon belongs to.

use std::cmp::Reverse;
use std::collections::HashMap;

use clew_model::Span;
use foldhash::fast::RandomState;

use super::{Bottleneck, Gap, Segment, SegmentKind};
use crate::tree::Tree;

/// All kinds, in the order of their numbers.
const KINDS: [SegmentKind; 4] = [SegmentKind::SelfTime, SegmentKind::Gap, SegmentKind::Wait, SegmentKind::Transit];

/// A number for each span's call path: service and operation, from the root down. Equal siblings have the same.
pub(super) fn call_paths(spans: &[Span], tree: &Tree) -> Vec<usize> {
    let mut numbers: HashMap<(Option<usize>, &str, &str), usize, RandomState> = HashMap::default();
    let mut paths: Vec<usize> = Vec::with_capacity(spans.len());
    for (span, node) in spans.iter().zip(&tree.nodes) {
        let above = node.parent.map(|parent| paths[parent]);
        let next = numbers.len();
        paths.push(*numbers.entry((above, span.service(), &span.name)).or_insert(next));
    }
    paths
}

/// The contributors of a horizon, the largest first.
///
/// Each span's own segments are summed, then those of one call path; a gap stands for itself.
pub(super) fn rank(
    spans: &[Span],
    segments: &[Segment],
    gaps: &[Gap],
    total_nanos: u64,
    paths: &[usize],
) -> Vec<Bottleneck> {
    let mut by_span = vec![[0_u64; KINDS.len()]; spans.len()];
    for segment in segments {
        if let Some(span) = segment.span {
            by_span[span][segment.kind as usize] += segment.to_nanos - segment.from_nanos;
        }
    }
    let sums = by_span.into_iter().enumerate();
    let sums = sums.flat_map(|(span, sums)| KINDS.into_iter().zip(sums).map(move |(kind, nanos)| (span, kind, nanos)));
    let own = sums.filter(|(_, kind, nanos)| *nanos > 0 && *kind != SegmentKind::Gap);
    let mut by_path: HashMap<(usize, SegmentKind), (Bottleneck, u64), RandomState> = HashMap::default();
    for (span, kind, nanos) in own {
        let single = || Bottleneck {
            kind,
            span: Some(span),
            span_id: Some(spans[span].span_id),
            span_count: 0,
            nanos: 0,
            share: 0.0,
            gap: None,
            beside: None,
        };
        let (sum, most) = by_path.entry((paths[span], kind)).or_insert_with(|| (single(), 0));
        sum.span_count += 1;
        sum.nanos += nanos;
        if nanos > *most {
            *most = nanos;
            (sum.span, sum.span_id) = (Some(span), Some(spans[span].span_id));
        }
    }
    let of_gaps = gaps.iter().enumerate().map(|(index, gap)| Bottleneck {
        kind: SegmentKind::Gap,
        span: gap.span,
        span_id: gap.span_id,
        span_count: usize::from(gap.span.is_some()),
        nanos: gap.to_nanos - gap.from_nanos,
        share: 0.0,
        gap: Some(index),
        beside: None,
    });
    let mut ranked: Vec<Bottleneck> = by_path.into_values().map(|(sum, _)| sum).chain(of_gaps).collect();
    for contributor in &mut ranked {
        contributor.share = contributor.nanos as f64 / total_nanos as f64;
    }
    ranked.sort_by_key(|contributor| (Reverse(contributor.nanos), contributor.kind, contributor.span));
    ranked
}
