//! Which spans are the same: a span is (span id, kind, content).

use std::cell::OnceCell;
use std::cmp::Ordering;
use std::collections::HashSet;
use std::hash::{DefaultHasher, Hasher};

use foldhash::fast::RandomState;

use crate::{Attribute, Span, SpanId, Value};

/// Traces up to these sizes, which nearly all are, are searched for repeated ids without a set of them.
const SMALL: usize = 32;
const MEDIUM: usize = 256;

/// Leaves out spans that are there already, keeping the copy that was received first, and the order of what is kept.
///
/// Content is everything but the time of receipt; floating-point values are the same when their bits are. How a span was
/// mended is content: one that was odd when it came first, and is no longer, is another.
pub fn distinct(mut spans: Vec<Span>) -> Vec<Span> {
    let repeated = repeated_ids(&spans);
    if repeated.is_empty() {
        return spans;
    }
    // The stable sort makes the first copy the earliest received; what remains equal after it is the same in all fields.
    let mut order: Vec<usize> = (0..spans.len()).filter(|index| repeated.contains(&spans[*index].span_id)).collect();
    order.sort_by_key(|index| spans[*index].received_unix_nanos);
    let (mut seen, mut is_copy) = (HashSet::new(), vec![false; spans.len()]);
    for index in order {
        is_copy[index] = !seen.insert(fingerprint(&spans[index]));
    }
    let mut is_copy = is_copy.into_iter();
    spans.retain(|_| !is_copy.next().unwrap_or_default());
    spans
}

/// The positions, rising, of the first copy of each span.
pub fn distinct_indices(spans: &[Span]) -> Vec<usize> {
    let repeated = repeated_ids(spans);
    let mut seen = HashSet::new();
    (0..spans.len())
        .filter(|index| {
            // Without repeats, as nearly always, no id is looked up.
            repeated.is_empty()
                || !repeated.contains(&spans[*index].span_id)
                || seen.insert(fingerprint(&spans[*index]))
        })
        .collect()
}

/// Whether several spans have one id.
pub fn has_repeats(spans: &[Span]) -> bool {
    !repeated_ids(spans).is_empty()
}

/// The ids that several spans have.
fn repeated_ids(spans: &[Span]) -> HashSet<SpanId, RandomState> {
    let is_any = if spans.len() <= SMALL {
        is_any_repeated::<{ 4 * SMALL }>(spans)
    } else {
        spans.len() > MEDIUM || is_any_repeated::<{ 4 * MEDIUM }>(spans)
    };
    if !is_any {
        return HashSet::default();
    }
    let mut seen = HashSet::with_capacity_and_hasher(spans.len(), RandomState::default());
    spans.iter().map(|span| span.span_id).filter(|id| !seen.insert(*id)).collect()
}

/// Whether an id is there twice, found in a table on the stack that has more places than there are spans.
///
/// Who chooses ids can make them meet in one place, which is why it is for few of them only.
fn is_any_repeated<const PLACES: usize>(spans: &[Span]) -> bool {
    // No stored span has an id of zeros, which is an empty place here; it is an id like others all the same.
    let mut table = [0_u64; PLACES];
    let mut is_zero_there = false;
    spans.iter().any(|span| {
        let id = u64::from_ne_bytes(span.span_id.0);
        if id == 0 {
            return std::mem::replace(&mut is_zero_there, true);
        }
        // The high bits of a product with an odd number (2^64 over the golden ratio) depend on all bits of the id.
        let mut place = (id.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as usize % PLACES;
        while table[place] != 0 && table[place] != id {
            place = (place + 1) % PLACES;
        }
        std::mem::replace(&mut table[place], id) == id
    })
}

/// The spans in [`canonical`] order.
pub fn sorted(spans: Vec<Span>) -> Vec<Span> {
    let fingerprints: Vec<OnceCell<(u64, u64)>> = vec![OnceCell::new(); spans.len()];
    let mut order: Vec<usize> = (0..spans.len()).collect();
    order.sort_unstable_by(|left, right| {
        let print = |index: &usize| *fingerprints[*index].get_or_init(|| fingerprint(&spans[*index]));
        by_fields(&spans[*left], &spans[*right]).then_with(|| print(left).cmp(&print(right)))
    });
    if order.is_sorted() { spans } else { reordered(spans, &order) }
}

/// The spans in another order, which names each once.
pub fn reordered(spans: Vec<Span>, order: &[usize]) -> Vec<Span> {
    let mut taken: Vec<Option<Span>> = spans.into_iter().map(Some).collect();
    order.iter().filter_map(|index| taken[*index].take()).collect()
}

/// The order in which spans are looked at wherever an order is needed: by start and span id, then by all the rest, so
/// that no two different spans are equal.
pub fn canonical(left: &Span, right: &Span) -> Ordering {
    by_fields(left, right).then_with(|| fingerprint(left).cmp(&fingerprint(right)))
}

fn by_fields(left: &Span, right: &Span) -> Ordering {
    let key = |span: &Span| (span.start_unix_nanos, span.span_id, span.kind, span.duration_nanos, span.parent_span_id);
    key(left).cmp(&key(right)).then_with(|| left.name.cmp(&right.name))
}

/// 128 bits of everything but the time of receipt.
fn fingerprint(span: &Span) -> (u64, u64) {
    let mut bytes = Vec::with_capacity(512);
    let text = |bytes: &mut Vec<u8>, text: &str| {
        bytes.extend((text.len() as u64).to_le_bytes());
        bytes.extend(text.as_bytes());
    };
    bytes.extend(span.trace_id.0);
    bytes.extend(span.span_id.0);
    bytes.push(u8::from(span.parent_span_id.is_some()));
    bytes.extend(span.parent_span_id.unwrap_or_default().0);
    text(&mut bytes, &span.trace_state);
    bytes.extend(span.flags.to_le_bytes());
    text(&mut bytes, &span.name);
    bytes.extend([span.kind as u8, span.status.code as u8]);
    bytes.extend(span.start_unix_nanos.to_le_bytes());
    bytes.extend(span.duration_nanos.to_le_bytes());
    text(&mut bytes, &span.status.message);
    attributes(&mut bytes, &span.attributes, span.dropped_attributes_count);
    bytes.extend((span.events.len() as u64).to_le_bytes());
    for event in &span.events {
        bytes.extend(event.time_unix_nanos.to_le_bytes());
        text(&mut bytes, &event.name);
        attributes(&mut bytes, &event.attributes, event.dropped_attributes_count);
    }
    bytes.extend((span.links.len() as u64).to_le_bytes());
    for link in &span.links {
        bytes.extend(link.trace_id.0);
        bytes.extend(link.span_id.0);
        text(&mut bytes, &link.trace_state);
        attributes(&mut bytes, &link.attributes, link.dropped_attributes_count);
        bytes.extend(link.flags.to_le_bytes());
    }
    bytes.extend(span.dropped_events_count.to_le_bytes());
    bytes.extend(span.dropped_links_count.to_le_bytes());
    attributes(&mut bytes, &span.resource.attributes, span.resource.dropped_attributes_count);
    text(&mut bytes, &span.resource.schema_url);
    text(&mut bytes, &span.scope.name);
    text(&mut bytes, &span.scope.version);
    attributes(&mut bytes, &span.scope.attributes, span.scope.dropped_attributes_count);
    text(&mut bytes, &span.scope.schema_url);
    bytes.extend(span.notes.0.to_le_bytes());
    (hash(0, &bytes), hash(1, &bytes))
}

fn hash(seed: u8, bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write_u8(seed);
    hasher.write(bytes);
    hasher.finish()
}

fn attributes(bytes: &mut Vec<u8>, attributes: &[Attribute], dropped_count: u32) {
    bytes.extend(dropped_count.to_le_bytes());
    entries(bytes, attributes);
}

fn entries(bytes: &mut Vec<u8>, attributes: &[Attribute]) {
    bytes.extend((attributes.len() as u64).to_le_bytes());
    for attribute in attributes {
        bytes.extend((attribute.key.len() as u64).to_le_bytes());
        bytes.extend(attribute.key.as_bytes());
        value(bytes, &attribute.value);
    }
}

/// Recurses as deep as a `Value` does, which is bounded where values are read.
fn value(bytes: &mut Vec<u8>, of: &Value) {
    match of {
        Value::Empty => bytes.push(0),
        Value::String(text) => tagged(bytes, 1, text.as_bytes()),
        Value::Bool(truth) => tagged(bytes, 2, &[u8::from(*truth)]),
        Value::Int(number) => tagged(bytes, 3, &number.to_le_bytes()),
        Value::Double(number) => tagged(bytes, 4, &number.to_bits().to_le_bytes()),
        Value::Bytes(content) => tagged(bytes, 5, content),
        Value::Array(values) => {
            tagged(bytes, 6, &(values.len() as u64).to_le_bytes());
            for inner in values {
                value(bytes, inner);
            }
        }
        Value::Map(inner) => {
            bytes.push(7);
            entries(bytes, inner);
        }
    }
}

fn tagged(bytes: &mut Vec<u8>, tag: u8, content: &[u8]) {
    bytes.push(tag);
    bytes.extend((content.len() as u64).to_le_bytes());
    bytes.extend(content);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn spans(ids: impl IntoIterator<Item = u64>) -> Vec<Span> {
        let span = |id| Span { span_id: SpanId::from_u64(id), ..Span::default() };
        ids.into_iter().map(span).collect()
    }

    #[test]
    fn one_repeat_is_found_in_traces_of_any_size() {
        for count in [2, SMALL, SMALL + 1, MEDIUM, MEDIUM + 1] {
            let mut spans = spans(0..count as u64);
            assert!(!has_repeats(&spans), "{count}");
            spans[count - 1].span_id = spans[count / 2 - 1].span_id;
            assert_eq!(repeated_ids(&spans).into_iter().collect::<Vec<_>>(), [spans[count - 1].span_id], "{count}");
        }
        assert!(!has_repeats(&[]));
    }

    proptest! {
        #[test]
        fn repeats_are_those_of_a_naive_search(ids in prop::collection::vec(0_u64..500, 0..40), shift in 0_u32..56) {
            let spans = spans(ids.iter().map(|id| id << shift));
            let is_repeated = |at: usize| spans[..at].iter().any(|other| other.span_id == spans[at].span_id);
            let naive: HashSet<SpanId, RandomState> =
                (0..spans.len()).filter(|at| is_repeated(*at)).map(|at| spans[at].span_id).collect();
            prop_assert_eq!(repeated_ids(&spans), naive);
        }
    }
}
