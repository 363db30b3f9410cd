//! What tells two states of an explained trace apart.

use clew_analysis::Explained;
use clew_model::scan::{Incomplete, TraceState};
use xxhash_rust::xxh3::Xxh3;

/// A number; another one when anything that is shown of the trace's spans is another.
///
/// A span is told by its ids, times, notes and when it came: two that differ otherwise alone differ in that, since what was
/// received once does not change, and of what was received twice the first stays.
pub(crate) fn of_spans(explained: &Explained, incomplete: Option<&Incomplete>, is_corrected: bool) -> u64 {
    let mut hash = Xxh3::new();
    let mut number = |number: u64| hash.update(&number.to_le_bytes());
    number(u64::from(is_corrected));
    for span in &explained.spans {
        number(span.span_id.to_u64());
        number(span.parent_span_id.map_or(0, clew_model::SpanId::to_u64));
        number(span.start_unix_nanos);
        number(span.duration_nanos);
        number(span.received_unix_nanos);
        number(u64::from(span.notes.0) << 8 | span.kind as u64);
    }
    if let Some(incomplete) = incomplete {
        hash.update(incomplete.reason.as_bytes());
        hash.update(&[0]);
        hash.update(incomplete.detail.as_bytes());
    }
    hash.digest()
}

/// Sixteen hexadecimal digits for these spans of a trace that has come so far.
pub(crate) fn with_state(of_spans: u64, state: &TraceState) -> String {
    let mut hash = Xxh3::new();
    hash.update(&of_spans.to_le_bytes());
    hash.update(&state.late_span_count.to_le_bytes());
    hash.update(&[u8::from(state.is_settled), u8::from(state.verdict.is_some())]);
    if let Some(verdict) = &state.verdict {
        hash.update(&[u8::from(verdict.keep)]);
        hash.update(&verdict.weight.to_le_bytes());
        hash.update(verdict.rule.as_bytes());
    }
    format!("{:016x}", hash.digest())
}
