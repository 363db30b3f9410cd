//! A trace's spans as tree rows.

use std::collections::{HashMap, HashSet};

use clew_model::SpanId;
use clew_server::ask::shape::{GapShape, SpanShape, TraceAnswer};

use super::screen::Screen;

/// Neighbours that are alike fold into one row from this number on.
const FOLD_FROM: usize = 5;
/// Deeper rows are drawn at this depth, or at the one whose branches take a quarter of the screen.
const DEPTH_DRAWN: usize = 24;
/// A gap shorter than this share of the thread has no line.
const GAP_SHARE_MIN: f64 = 0.01;

/// One line of the picture.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Row<'a> {
    /// The branches of the tree left of it.
    pub(super) branches: String,
    /// What it shows.
    pub(super) kind: RowKind<'a>,
}

/// What a line shows.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum RowKind<'a> {
    /// A span, or neighbours that are alike.
    Spans {
        /// Positions of the span, or of all that are alike.
        alike: Vec<usize>,
        /// Positions of the spans beneath them that have no row of their own.
        hidden: Vec<usize>,
    },
    /// Time that no span explains.
    Gap {
        /// Which.
        gap: &'a GapShape,
        /// Where its offsets count from.
        horizon_start: &'a str,
    },
}

/// The tree's shape.
struct Tree<'a> {
    answer: &'a TraceAnswer,
    children: Vec<Vec<usize>>,
    /// Positions of spans that failed, or beneath which one failed.
    troubled: Vec<bool>,
    /// Gaps worth a line, by the span in which they lie.
    gaps: HashMap<Option<usize>, Vec<(&'a GapShape, &'a str)>>,
    fold: bool,
}

/// The rows in order: parents before children. `fold` says whether neighbours that are alike share a row.
pub(super) fn rows<'a>(answer: &'a TraceAnswer, screen: &Screen, fold: bool) -> Vec<Row<'a>> {
    let tree = Tree::new(answer, fold);
    let mut rows = Vec::new();
    let roots = (0..answer.spans.len()).filter(|index| parent_of(&answer.spans, *index).is_none()).collect::<Vec<_>>();
    let mut waiting: Vec<(Row<'a>, Option<String>)> = tree.lines(&roots, None, "", true, screen);
    waiting.reverse();
    while let Some((row, below)) = waiting.pop() {
        if let (Some(below), RowKind::Spans { alike, .. }) = (below, &row.kind) {
            let mut lines = tree.lines(&tree.children[alike[0]], Some(alike[0]), &below, false, screen);
            lines.reverse();
            waiting.extend(lines);
        }
        rows.push(row);
    }
    rows
}

/// Whether a gap of the thread is long enough for a line.
pub(super) fn has_line(answer: &TraceAnswer, from_nanos: u64, to_nanos: u64) -> bool {
    to_nanos.saturating_sub(from_nanos) as f64 >= answer.thread.total_nanos as f64 * GAP_SHARE_MIN
}

/// A parent lies before its child; anything else would be a cycle.
pub(super) fn parent_of(spans: &[SpanShape], index: usize) -> Option<usize> {
    spans[index].parent.map(|parent| parent as usize).filter(|parent| *parent < index)
}

impl<'a> Tree<'a> {
    fn new(answer: &'a TraceAnswer, fold: bool) -> Self {
        let spans = &answer.spans;
        let mut children = vec![Vec::new(); spans.len()];
        let mut troubled: Vec<bool> = spans.iter().map(|span| span.error).collect();
        for index in (0..spans.len()).rev() {
            if let Some(parent) = parent_of(spans, index) {
                children[parent].push(index);
                troubled[parent] |= troubled[index];
            }
        }
        for list in &mut children {
            list.reverse();
        }
        let tail = answer.thread.async_tail.as_ref().map(|tail| (&tail.start, &tail.gaps));
        let mut gaps: HashMap<_, Vec<_>> = HashMap::new();
        for (start, list) in [(&answer.thread.start, &answer.thread.gaps)].into_iter().chain(tail) {
            for gap in list {
                if has_line(answer, gap.from_nanos, gap.to_nanos) {
                    gaps.entry(gap.span.map(|span| span as usize)).or_default().push((gap, start.as_str()));
                }
            }
        }
        Self { answer, children, troubled, gaps, fold }
    }

    /// The lines of `siblings`, each with the branches of what lies below it, or `None` when that is folded away.
    fn lines(
        &self,
        siblings: &[usize],
        parent: Option<usize>,
        branches: &str,
        top: bool,
        screen: &Screen,
    ) -> Vec<(Row<'a>, Option<String>)> {
        let kinds = self.with_gaps(siblings, parent);
        let last = kinds.len().saturating_sub(1);
        let grows = branches.chars().count() + 2 <= (2 * DEPTH_DRAWN).min(screen.width / 4);
        let place = |(position, kind): (usize, RowKind<'a>)| {
            let is_last = position == last;
            let (own, below) = match (top, is_last) {
                (true, _) => ("", ""),
                (_, true) => (screen.glyph("\u{2514} ", "`-"), "  "),
                (_, false) => (screen.glyph("\u{251c} ", "|-"), screen.glyph("\u{2502} ", "| ")),
            };
            let below = if grows { format!("{branches}{below}") } else { branches.to_owned() };
            let open = matches!(&kind, RowKind::Spans { alike, .. } if alike.len() == 1);
            (Row { branches: format!("{branches}{own}"), kind }, open.then_some(below))
        };
        kinds.into_iter().enumerate().map(place).collect()
    }

    /// Siblings, folded, with the gaps between them.
    fn with_gaps(&self, siblings: &[usize], parent: Option<usize>) -> Vec<RowKind<'a>> {
        let gaps = self.gaps.get(&parent).map_or(&[][..], Vec::as_slice);
        let here: HashSet<SpanId> = siblings.iter().map(|index| self.answer.spans[*index].span_id).collect();
        let mut before: HashMap<SpanId, Vec<RowKind<'a>>> = HashMap::new();
        let mut at_end = Vec::new();
        for (gap, horizon_start) in gaps {
            let after = gap.after_span_id.filter(|after| here.contains(after));
            after
                .map_or(&mut at_end, |after| before.entry(after).or_default())
                .push(RowKind::Gap { gap, horizon_start });
        }
        let mut kinds = Vec::new();
        let mut run: Vec<usize> = Vec::new();
        for &index in siblings {
            let gaps = before.remove(&self.answer.spans[index].span_id);
            if gaps.is_some() || run.last().is_some_and(|last| !self.alike(*last, index)) {
                self.close(&mut run, &mut kinds);
            }
            kinds.extend(gaps.into_iter().flatten());
            run.push(index);
        }
        self.close(&mut run, &mut kinds);
        kinds.extend(at_end);
        kinds
    }

    fn alike(&self, left: usize, right: usize) -> bool {
        let (one, two) = (&self.answer.spans[left], &self.answer.spans[right]);
        let key = |span: &'a SpanShape| (&span.service, &span.name, &span.kind);
        key(one) == key(two) && self.troubled[left] == self.troubled[right]
    }

    /// Ends a run of neighbours that are alike: one row when they are many, else a row each.
    fn close(&self, run: &mut Vec<usize>, kinds: &mut Vec<RowKind<'a>>) {
        if self.fold && run.len() >= FOLD_FROM {
            let alike = std::mem::take(run);
            let hidden = self.beneath(&alike);
            kinds.push(RowKind::Spans { alike, hidden });
        } else {
            kinds.extend(run.drain(..).map(|index| RowKind::Spans { alike: vec![index], hidden: Vec::new() }));
        }
    }

    fn beneath(&self, tops: &[usize]) -> Vec<usize> {
        let mut found = Vec::new();
        let mut waiting: Vec<usize> = tops.iter().flat_map(|top| self.children[*top].iter().copied()).collect();
        while let Some(index) = waiting.pop() {
            found.push(index);
            waiting.extend(&self.children[index]);
        }
        found
    }
}
