//! Where an error began.

use clew_model::Span;
use clew_model::value::{Value, find};

use crate::tree::Tree;

/// Of the failed spans, which rise, the one that the others merely passed on: it has no failed child. Of several, the one with the longest
/// unbroken chain of failed ancestors, then the deepest, then the one that ended first.
pub fn origin(spans: &[Span], tree: &Tree, failed: &[usize]) -> Option<usize> {
    let mut chain = vec![0_usize; spans.len()];
    let mut passes_on = vec![false; spans.len()];
    for &index in failed {
        chain[index] = 1;
        if let Some(parent) = tree.nodes[index].parent.filter(|parent| chain[*parent] > 0) {
            chain[index] += chain[parent];
            passes_on[parent] = true;
        }
    }
    let origins = failed.iter().copied().filter(|index| !passes_on[*index]);
    origins.min_by_key(|index| {
        use std::cmp::Reverse;
        (Reverse(chain[*index]), Reverse(tree.nodes[*index].depth), spans[*index].end_unix_nanos(), *index)
    })
}

/// What a failed span says about it: its status message, else the message or type of its last exception event, else
/// `error.type`. Empty when it says nothing.
pub fn message(span: &Span) -> &str {
    let text = |attributes, key| find(attributes, key).and_then(Value::as_str).filter(|text: &&str| !text.is_empty());
    let exception = span.events.iter().rev().find(|event| event.name == "exception");
    let exception = exception.map(|event| &event.attributes);
    Some(span.status.message.as_str())
        .filter(|message| !message.is_empty())
        .or_else(|| exception.and_then(|attributes| text(attributes, "exception.message")))
        .or_else(|| exception.and_then(|attributes| text(attributes, "exception.type")))
        .or_else(|| text(&span.attributes, "error.type"))
        .unwrap_or_default()
}
