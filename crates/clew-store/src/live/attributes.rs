//! Which attributes spans have, by the chunks' own dictionaries: keys are counted by class, values by their place in the
//! dictionary, and only what is there at least once becomes text.

use std::collections::HashSet;
use std::sync::Arc;

use clew_model::attributes::{
    AttributesRequest, KeyTally, KeysAnswer, Looked, Scopes, TEXT_EFFORT, ValueTally, ValuesAnswer,
};
use clew_model::scan::{Expired, ScanError, TimeRange};
use clew_model::{TraceId, Value};
use clew_wire::otlp::decode_value;
use foldhash::fast::RandomState;
use hashbrown::HashMap;

use super::chunk::{Cell, CellKind, Chunk, Column};
use super::shard::Shard;
use super::{Live, read};

/// No resource or scope with the key.
const NONE: u32 = u32::MAX;

/// Answers [`clew_model::scan::SpanSource::attribute_keys`].
pub(super) fn keys(live: &Live, request: &AttributesRequest, expired: Expired<'_>) -> Result<KeysAnswer, ScanError> {
    let mut tally = KeyTally::default();
    let mut looked =
        visit(live, request, expired, |chunk, rows| Keys::default().count(chunk, rows, request, &mut tally))?;
    looked.is_sample |= tally.is_cut();
    Ok(KeysAnswer { keys: tally.into_keys(), looked, incomplete: None })
}

/// Answers [`clew_model::scan::SpanSource::attribute_values`].
pub(super) fn values(
    live: &Live,
    key: &str,
    request: &AttributesRequest,
    expired: Expired<'_>,
) -> Result<ValuesAnswer, ScanError> {
    let mut tally = ValueTally::default();
    let count = |chunk: &Chunk, rows: &Rows| Values::new(chunk, key.as_bytes()).count(rows, request, &mut tally);
    let mut looked = visit(live, request, expired, count)?;
    looked.is_sample |= tally.is_cut();
    Ok(ValuesAnswer { values: tally.into_values(), looked, incomplete: None })
}

/// Shows the tenant's chunks until the effort is spent. `look` answers how many texts it handled.
fn visit(
    live: &Live,
    request: &AttributesRequest,
    expired: Expired<'_>,
    mut look: impl FnMut(&Chunk, &Rows) -> u64,
) -> Result<Looked, ScanError> {
    let mut looked = Looked::default();
    let Some(head) = live.head(&request.tenant) else { return Ok(looked) };
    let mut show = |chunk: &Chunk, without: &HashSet<u32>, looked: &mut Looked| {
        if looked.effort >= request.effort {
            looked.is_sample = true;
            return;
        }
        let rows = Rows::of(chunk, without);
        let texts = look(chunk, &rows);
        looked.span_count += rows.count;
        looked.effort += chunk.row_count() as u64 + texts * TEXT_EFFORT;
    };
    for shard in &head.shards {
        // What grows is looked at, and what is full is listed, under one lock.
        let (full, without): (Vec<Arc<Chunk>>, _) = {
            let shard = read(shard);
            let without = ordinals(live, &shard, &request.without);
            if let Some(active) = shard.active(TimeRange::ALL) {
                show(active, &without, &mut looked);
            }
            (shard.frozen(TimeRange::ALL).cloned().collect(), without)
        };
        // The newest first: if not all can be looked at, they say most about what is sent now.
        for chunk in full.iter().rev() {
            if expired() {
                return Err(ScanError::Expired);
            }
            show(chunk, &without, &mut looked);
        }
    }
    Ok(looked)
}

/// The numbers of these traces in the shard.
fn ordinals(live: &Live, shard: &Shard, ids: &[TraceId]) -> HashSet<u32> {
    let bits = live.growth.chunk_bits;
    let ordinal = |id: &TraceId| {
        let last = shard.find(live.growth.trace_hash(*id), *id)?.last_row;
        let chunk = shard.chunk_ref(last >> bits)?;
        chunk.rows.trace.get((last & ((1 << bits) - 1)) as usize).copied()
    };
    ids.iter().filter_map(ordinal).collect()
}

/// The rows of a chunk that count.
struct Rows {
    count: u64,
    /// How many there are of each class.
    of_class: Vec<u64>,
    /// Those that do not count, rising.
    left_out: Vec<u32>,
}

impl Rows {
    fn of(chunk: &Chunk, without: &HashSet<u32>) -> Self {
        let mut of_class = vec![0; chunk.classes.len()];
        chunk.rows.class.iter().for_each(|class| of_class[*class as usize] += 1);
        let mut left_out = Vec::new();
        if !without.is_empty() {
            let traces = (0..).zip(&chunk.rows.trace);
            left_out.extend(traces.filter(|(_, trace)| without.contains(*trace)).map(|(row, _)| row));
        }
        for row in &left_out {
            of_class[chunk.rows.class[*row as usize] as usize] -= 1;
        }
        Self { count: (chunk.row_count() - left_out.len()) as u64, of_class, left_out }
    }
}

/// Whether each resource of a chunk is of the service asked for.
fn are_asked(chunk: &Chunk, request: &AttributesRequest) -> Vec<bool> {
    let is_asked = |origin: u32| {
        let asked = request.service.as_ref();
        asked.is_none_or(|service| chunk.service(origin) == service.as_bytes())
    };
    (0..chunk.origins.len() as u32).map(is_asked).collect()
}

/// Keys of a chunk by their codes: where they were seen, and how often.
#[derive(Default)]
struct Keys {
    counts: HashMap<u32, (Scopes, u64), RandomState>,
    of_class: Vec<(u32, Scopes)>,
}

impl Keys {
    fn count(mut self, chunk: &Chunk, rows: &Rows, request: &AttributesRequest, tally: &mut KeyTally) -> u64 {
        let is_asked = are_asked(chunk, request);
        for (class, count) in chunk.classes.iter().zip(&rows.of_class) {
            if *count == 0 || !is_asked[class.resource as usize] {
                continue;
            }
            let (resource, scope) = (chunk.origins[class.resource as usize], chunk.origins[class.scope as usize]);
            let lists = [
                (class.shape, Scopes::SPAN),
                (resource.attributes.shape, Scopes::RESOURCE),
                (scope.attributes.shape, Scopes::SCOPE),
            ];
            self.of_class.clear();
            for (shape, scopes) in lists {
                self.of_class.extend(chunk.columns(shape).iter().map(|column| (column.key, scopes)));
            }
            self.of_class.sort_unstable();
            for keys in self.of_class.chunk_by(|one, next| one.0 == next.0) {
                let scopes = keys.iter().fold(Scopes::default(), |scopes, (_, scope)| scopes.and(*scope));
                let (known, total) = self.counts.entry(keys[0].0).or_default();
                (*known, *total) = (known.and(scopes), *total + count);
            }
        }
        for (code, (scopes, count)) in &self.counts {
            let key = String::from_utf8_lossy(chunk.dictionary.get(*code));
            if request.wants(&key) {
                tally.add(&key, *scopes, *count);
            }
        }
        self.counts.len() as u64
    }
}

/// The values of a key in a chunk, as they are stored.
struct Values<'c> {
    chunk: &'c Chunk,
    key: &'c [u8],
    /// Per shape, its first column of the key.
    columns: Vec<Option<Column>>,
    /// Per string of the dictionary, how many spans have it as their own value and no other one.
    strings: Vec<u64>,
    /// The same for whatever is no such string.
    others: HashMap<Stored, u64, RandomState>,
}

/// What a span has as values of the key: those of its resource and scope, by their numbers, and its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Stored {
    resource: u32,
    scope: u32,
    own: Option<(u8, u64)>,
}

impl<'c> Values<'c> {
    fn new(chunk: &'c Chunk, key: &'c [u8]) -> Self {
        let columns = (0..chunk.shapes.len() as u32).map(|shape| chunk.column(shape, key)).collect();
        Self { chunk, key, columns, strings: Vec::new(), others: HashMap::default() }
    }

    fn count(mut self, rows: &Rows, request: &AttributesRequest, tally: &mut ValueTally) -> u64 {
        let chunk = self.chunk;
        let is_asked = are_asked(chunk, request);
        let has = |origin: u32| {
            let shape = chunk.origins[origin as usize].attributes.shape;
            if self.columns[shape as usize].is_some() { origin } else { NONE }
        };
        // Per class, the own value's column and the rest; `None` when there is nothing to count, or all is counted.
        let mut open: Vec<Option<(Column, u32, u32)>> = Vec::with_capacity(chunk.classes.len());
        let mut any = false;
        for (class, count) in chunk.classes.iter().zip(&rows.of_class) {
            let is_left = *count > 0 && is_asked[class.resource as usize];
            let (resource, scope) = (has(class.resource), has(class.scope));
            let column = self.columns[class.shape as usize].filter(|_| is_left);
            if is_left && column.is_none() && (resource, scope) != (NONE, NONE) {
                *self.others.entry(Stored { resource, scope, own: None }).or_default() += count;
            }
            any |= column.is_some();
            open.push(column.map(|column| (column, resource, scope)));
        }
        if any {
            self.rows(&rows.left_out, &open);
        }
        self.tell(request, tally)
    }

    /// Counts rows whose own value decides.
    fn rows(&mut self, left_out: &[u32], open: &[Option<(Column, u32, u32)>]) {
        self.strings = vec![0; self.chunk.dictionary.len()];
        let mut left_out = left_out.iter().map(|row| *row as usize).peekable();
        for (row, class) in self.chunk.rows.class.iter().enumerate() {
            if left_out.next_if_eq(&row).is_some() {
                continue;
            }
            let Some((column, resource, scope)) = open[*class as usize] else { continue };
            let words = &self.chunk.words[(self.chunk.rows.words_from[row] + column.offset) as usize..];
            let raw = match column.kind.words() {
                0 => 0,
                1 => u64::from(words[0]),
                _ => u64::from(words[0]) | u64::from(words[1]) << 32,
            };
            if column.kind == CellKind::String && (resource, scope) == (NONE, NONE) {
                self.strings[raw as usize] += 1;
            } else {
                let own = Some((column.kind as u8, raw));
                *self.others.entry(Stored { resource, scope, own }).or_default() += 1;
            }
        }
    }

    /// Adds what was counted as text.
    fn tell(self, request: &AttributesRequest, tally: &mut ValueTally) -> u64 {
        let chunk = self.chunk;
        let mut texts = 0;
        for (code, count) in (0..).zip(&self.strings).filter(|(_, count)| **count > 0) {
            texts += 1;
            let text = String::from_utf8_lossy(chunk.dictionary.get(code));
            if request.wants(&text) {
                tally.add(&text, "string", *count);
            }
        }
        let of_origin = |origin: u32| {
            let origin = chunk.origins.get(origin as usize)?;
            chunk.find(origin.attributes, self.key).map(text)
        };
        for (stored, count) in &self.others {
            let own = stored.own.map(|(kind, raw)| text(own(chunk, kind, raw)));
            let mut all: Vec<(String, &str)> = Vec::with_capacity(3);
            for value in [own, of_origin(stored.resource), of_origin(stored.scope)].into_iter().flatten() {
                texts += 1;
                if !all.contains(&value) && request.wants(&value.0) {
                    all.push(value);
                }
            }
            for (text, type_name) in &all {
                tally.add(text, type_name, *count);
            }
        }
        texts
    }
}

/// A value as it was taken from its words.
fn own(chunk: &Chunk, kind: u8, raw: u64) -> Cell<'_> {
    let bytes = || chunk.dictionary.get(raw as u32);
    match kind {
        kind if kind == CellKind::String as u8 => Cell::String(bytes()),
        kind if kind == CellKind::Bool as u8 => Cell::Bool(raw != 0),
        kind if kind == CellKind::Int as u8 => Cell::Int(raw as i64),
        kind if kind == CellKind::Double as u8 => Cell::Double(f64::from_bits(raw)),
        kind if kind == CellKind::Bytes as u8 => Cell::Bytes(bytes()),
        kind if kind == CellKind::Nested as u8 => Cell::Nested(bytes()),
        _ => Cell::Empty,
    }
}

/// A value's text form and type.
fn text(cell: Cell<'_>) -> (String, &'static str) {
    let value = match cell {
        Cell::Empty => Value::Empty,
        Cell::String(bytes) => Value::String(String::from_utf8_lossy(bytes).into_owned()),
        Cell::Bool(truth) => Value::Bool(truth),
        Cell::Int(number) => Value::Int(number),
        Cell::Double(number) => Value::Double(number),
        Cell::Bytes(bytes) => Value::Bytes(bytes.to_vec()),
        Cell::Nested(message) => decode_value(message),
    };
    (value.to_string(), value.type_name())
}
