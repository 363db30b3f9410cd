//! Spans that were sent twice.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher};

use clew_model::{Attribute, Span, SpanId, Value};
use foldhash::fast::RandomState;

/// A span is compared with this many earlier ones of the same hash at most. Unlike spans share a hash when only their
/// resources or scopes differ, or when they hold a NaN, which equals nothing: then each would be compared with all.
const COMPARED_MAX: usize = 16;

/// Leaves the first of each span that is there several times ([`Span::is_same_as`]); the order stays. Spans of the
/// same start and id lie side by side.
pub(super) fn remove_resent(spans: Vec<Span>) -> Vec<Span> {
    let key = |span: &Span| (span.start_unix_nanos, span.span_id);
    let hashes = RandomState::default();
    let mut kept: Vec<Span> = Vec::with_capacity(spans.len());
    // Of the run of spans with one key: its key, and where in `kept` those of a hash are.
    let mut run_key: Option<(u64, SpanId)> = None;
    let mut run: HashMap<u64, Vec<usize>> = HashMap::new();
    for span in spans {
        if run_key != Some(key(&span)) {
            run_key = Some(key(&span));
            run.clear();
            kept.push(span);
            continue;
        }
        if run.is_empty() {
            let first = kept.len() - 1;
            run.insert(hash(&hashes, &kept[first]), vec![first]);
        }
        let alike = run.entry(hash(&hashes, &span)).or_default();
        if !alike.iter().take(COMPARED_MAX).any(|index| kept[*index].is_same_as(&span)) {
            alike.push(kept.len());
            kept.push(span);
        }
    }
    kept
}

/// Equal for spans that are the same.
fn hash(hashes: &RandomState, span: &Span) -> u64 {
    let mut hasher = hashes.build_hasher();
    hasher.write_u64(span.duration_nanos);
    hasher.write_u64(span.parent_span_id.map_or(0, SpanId::to_u64));
    hasher.write_u32(span.flags);
    hasher.write_u8(span.kind as u8);
    hasher.write_u8(span.status.code as u8);
    for text in [&span.name, &span.trace_state, &span.status.message] {
        add_text(&mut hasher, text);
    }
    add_attributes(&mut hasher, &span.attributes);
    for event in &span.events {
        hasher.write_u64(event.time_unix_nanos);
        add_text(&mut hasher, &event.name);
        add_attributes(&mut hasher, &event.attributes);
    }
    for link in &span.links {
        hasher.write(&link.trace_id.0);
        hasher.write_u64(link.span_id.to_u64());
        add_attributes(&mut hasher, &link.attributes);
    }
    hasher.finish()
}

fn add_text(hasher: &mut impl Hasher, text: &str) {
    hasher.write_usize(text.len());
    hasher.write(text.as_bytes());
}

fn add_attributes(hasher: &mut impl Hasher, attributes: &[Attribute]) {
    hasher.write_usize(attributes.len());
    for attribute in attributes {
        add_text(hasher, &attribute.key);
        add_value(hasher, &attribute.value);
    }
}

/// The nesting of values is bounded where they are read.
fn add_value(hasher: &mut impl Hasher, value: &Value) {
    match value {
        Value::Empty => hasher.write_u8(0),
        Value::String(text) => add_text(hasher, text),
        Value::Bool(truth) => hasher.write_u8(1 + u8::from(*truth)),
        Value::Int(number) => hasher.write_i64(*number),
        // The two zeros are equal.
        Value::Double(number) => hasher.write_u64((number + 0.0).to_bits()),
        Value::Bytes(bytes) => hasher.write(bytes),
        Value::Array(values) => values.iter().for_each(|value| add_value(hasher, value)),
        Value::Map(entries) => add_attributes(hasher, entries),
    }
}
