//! The thread by its definition: recursive, quadratic, for small traces of one service and one root.

use clew_model::Span;

/// A child clipped to a window.
#[derive(Clone, Copy)]
struct Clipped {
    from: u64,
    to: u64,
    span: usize,
    is_background: bool,
}

/// For each nanosecond of the root's duration, the span on the thread and whether a child of that span ran.
pub(crate) fn thread(spans: &[Span]) -> Vec<(usize, bool)> {
    let root = spans.iter().position(|span| span.parent_span_id.is_none()).expect("there is a root");
    let mut out = Vec::new();
    window(spans, root, spans[root].start_unix_nanos, spans[root].end_unix_nanos(), &mut out);
    out.sort_unstable();
    out.into_iter().map(|(_, span, is_covered)| (span, is_covered)).collect()
}

fn window(spans: &[Span], owner: usize, from: u64, to: u64, out: &mut Vec<(u64, usize, bool)>) {
    let parent = &spans[owner];
    let children: Vec<Clipped> = (0..spans.len())
        .filter(|span| spans[*span].parent_span_id == Some(parent.span_id))
        .filter(|span| spans[*span].start_unix_nanos < parent.end_unix_nanos())
        .map(|span| Clipped {
            from: spans[span].start_unix_nanos.max(from),
            to: spans[span].end_unix_nanos().min(to),
            span,
            is_background: spans[span].end_unix_nanos() > parent.end_unix_nanos(),
        })
        .filter(|child| child.from < child.to)
        .collect();
    let any_foreground = children.iter().any(|child| !child.is_background);
    let mut cursor = to;
    loop {
        let fitting = children.iter().filter(|child| child.to <= cursor && !(any_foreground && child.is_background));
        let order = |child: &Clipped| {
            let span = &spans[child.span];
            (child.to, std::cmp::Reverse((child.from, span.start_unix_nanos, span.span_id)))
        };
        let last = fitting.copied().max_by_key(order);
        let own_from = last.map_or(from, |child| child.to);
        for nano in own_from..cursor {
            let is_covered = children.iter().any(|child| child.from <= nano && nano < child.to);
            out.push((nano, owner, is_covered));
        }
        let Some(child) = last else { return };
        window(spans, child.span, child.from, child.to, out);
        cursor = child.from;
    }
}
