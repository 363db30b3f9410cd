//! What tells two states of an explained trace apart.

use clew_analysis::Explained;
use clew_model::scan::Incomplete;
use xxhash_rust::xxh3::Xxh3;

/// Sixteen hexadecimal digits; others when anything that is shown of the trace is another.
///
/// A span is told by its ids, times, notes and when it came: two that differ otherwise alone differ in that, since what was
/// received once does not change, and of what was received twice the first stays.
pub(crate) fn version(explained: &Explained, incomplete: Option<&Incomplete>, is_corrected: bool) -> String {
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
    format!("{:016x}", hash.digest())
}
