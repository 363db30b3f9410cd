//! All rows of chosen traces, as whole spans.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use clew_model::identity::{distinct, has_repeats};
use clew_model::relation::{Need, needs};
use clew_model::scan::{Expired, RowsAnswer, ScanError};
use clew_model::{Attribute, Event, Link, Resource, Scope, Span, SpanId, Status, Tenant, TraceId, Value};
use clew_wire::otlp::decode_value;
use foldhash::fast::RandomState;

use super::chunk::{Cell, Chunk, Column, Extra, List, NONE};
use super::dictionary::owned;
use super::{Head, Live, read};

/// Rows read under one lock, and between two looks at the time.
const SLICE_ROWS: usize = 512;

/// How much of a span is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Depth {
    /// All of it.
    Whole,
    /// What [`clew_model::scan::SpanSource::figured`] asks for.
    Figures,
}

/// Answers [`clew_model::scan::SpanSource::rows`], or no more than figures are taken from. A trace's spans are ordered by start
/// and span id.
pub(super) fn rows(
    live: &Live,
    tenant: &Tenant,
    ids: &[TraceId],
    depth: Depth,
    expired: Expired<'_>,
) -> Result<RowsAnswer, ScanError> {
    let mut answer = RowsAnswer::default();
    let Some(head) = live.head(tenant) else { return Ok(answer) };
    let mut reader = Reader {
        live,
        head: &head,
        depth,
        resources: Shared::default(),
        scopes: Shared::default(),
        needed: HashMap::default(),
    };
    let mut asked = HashSet::with_capacity(ids.len());
    for id in ids.iter().filter(|id| asked.insert(**id)) {
        reader.depth = depth;
        let mut spans = reader.trace(*id, expired)?;
        if depth != Depth::Whole && has_repeats(&spans) {
            // Only whole spans tell whether they are the same.
            reader.depth = Depth::Whole;
            spans = reader.trace(*id, expired)?;
        }
        // The chain of rows runs backwards; of the same span sent twice, the first stays.
        spans.reverse();
        spans = distinct(spans);
        // Spans are large: their keys are sorted, and each span is moved once.
        spans.sort_by_cached_key(|span| (span.start_unix_nanos, span.span_id));
        answer.spans.append(&mut spans);
    }
    Ok(answer)
}

/// Reads spans of one answer, which share their resources and scopes.
struct Reader<'l> {
    live: &'l Live,
    head: &'l Head,
    depth: Depth,
    resources: Shared<Resource>,
    scopes: Shared<Scope>,
    /// By shape, what figures need.
    needed: HashMap<Place, Arc<[Needed]>, RandomState>,
}

/// A shard, a chunk of it, and a number within that.
type Place = ((usize, u32), u32);

/// An attribute that figures are taken from.
struct Needed {
    column: Column,
    key: String,
    is_read: bool,
}

impl Reader<'_> {
    fn trace(&mut self, id: TraceId, expired: Expired<'_>) -> Result<Vec<Span>, ScanError> {
        let mut spans = Vec::new();
        let hash = self.live.growth.trace_hash(id);
        let number = self.head.shard_of(hash);
        let lock = &self.head.shards[number];
        let mut next = read(lock).find(hash, id).map_or(NONE, |trace| trace.last_row);
        while next != NONE {
            if expired() {
                return Err(ScanError::Expired);
            }
            let chunk_number = next >> self.live.growth.chunk_bits;
            let place = (number, chunk_number);
            let shard = read(lock);
            next = match shard.chunk(chunk_number) {
                Some(Ok(full)) => {
                    drop(shard);
                    self.slice(&full, place, id, next, &mut spans)
                }
                Some(Err(growing)) => self.slice(growing, place, id, next, &mut spans),
                None => NONE,
            };
        }
        Ok(spans)
    }

    /// Reads rows of the trace backwards from `next`, as long as they lie in this chunk. Answers where to go on.
    fn slice(
        &mut self,
        chunk: &Chunk,
        place: (usize, u32),
        trace_id: TraceId,
        mut next: u32,
        spans: &mut Vec<Span>,
    ) -> u32 {
        let bits = self.live.growth.chunk_bits;
        for _ in 0..SLICE_ROWS {
            if next == NONE || next >> bits != place.1 {
                break;
            }
            let row = (next & ((1 << bits) - 1)) as usize;
            let class = chunk.classes[chunk.rows.class[row] as usize];
            let resource = self.resources.get((place, class.resource), chunk);
            let mut span = span(chunk, row, trace_id, resource);
            if self.depth == Depth::Whole {
                span.scope = self.scopes.get((place, class.scope), chunk);
                complete(&mut span, chunk, row);
            } else {
                let list = list(chunk, row);
                let needed = self.needed.entry((place, list.shape)).or_insert_with(|| needed(chunk, list.shape));
                span.attributes = figured_attributes(chunk, list, needed);
            }
            spans.push(span);
            next = chunk.rows.previous[row];
        }
        next
    }
}

/// Resources or scopes of an answer: each content once, however many chunks have it.
#[derive(Default)]
struct Shared<T> {
    by_place: HashMap<Place, Arc<T>, RandomState>,
    by_hash: HashMap<u64, Vec<Arc<T>>, RandomState>,
}

/// What an [`super::chunk::Origin`] can be read as.
pub(super) trait FromOrigin: PartialEq {
    fn read(chunk: &Chunk, origin: u32) -> Self;
}

impl<T: FromOrigin> Shared<T> {
    fn get(&mut self, place: Place, chunk: &Chunk) -> Arc<T> {
        if let Some(known) = self.by_place.get(&place) {
            return Arc::clone(known);
        }
        let content = T::read(chunk, place.1);
        let alike = self.by_hash.entry(chunk.origins[place.1 as usize].hash).or_default();
        let shared = alike.iter().find(|known| ***known == content).cloned().unwrap_or_else(|| {
            alike.push(Arc::new(content));
            Arc::clone(&alike[alike.len() - 1])
        });
        self.by_place.insert(place, Arc::clone(&shared));
        shared
    }
}

impl FromOrigin for Resource {
    fn read(chunk: &Chunk, origin: u32) -> Self {
        let origin = chunk.origins[origin as usize];
        Self {
            attributes: attributes(chunk, origin.attributes),
            dropped_attributes_count: origin.dropped_attributes_count,
            schema_url: chunk.dictionary.text(origin.schema_url),
        }
    }
}

impl FromOrigin for Scope {
    fn read(chunk: &Chunk, origin: u32) -> Self {
        let origin = chunk.origins[origin as usize];
        Self {
            name: chunk.dictionary.text(origin.name),
            version: chunk.dictionary.text(origin.version),
            attributes: attributes(chunk, origin.attributes),
            dropped_attributes_count: origin.dropped_attributes_count,
            schema_url: chunk.dictionary.text(origin.schema_url),
        }
    }
}

/// A span without its scope, its attributes, its events and the message of its status.
fn span(chunk: &Chunk, row: usize, trace_id: TraceId, resource: Arc<Resource>) -> Span {
    let (rows, dictionary) = (&chunk.rows, &chunk.dictionary);
    let class = chunk.classes[rows.class[row] as usize];
    let extra = extra(chunk, row);
    let batch = chunk.received.partition_point(|(from, _)| *from as usize <= row);
    Span {
        trace_id,
        span_id: SpanId::from_u64(rows.span_id[row]),
        parent_span_id: Some(rows.parent_span_id[row]).filter(|id| *id != 0).map(SpanId::from_u64),
        trace_state: dictionary.text(extra.trace_state),
        flags: class.flags,
        name: dictionary.text(class.name),
        kind: class.kind,
        start_unix_nanos: rows.start_unix_nanos[row],
        duration_nanos: rows.duration_nanos[row],
        status: Status { code: class.status, message: String::new() },
        links: links(chunk, extra),
        resource,
        received_unix_nanos: chunk.received[batch - 1].1,
        notes: class.notes,
        ..Span::default()
    }
}

/// What [`span`] leaves out, but for the scope.
fn complete(span: &mut Span, chunk: &Chunk, row: usize) {
    let extra = extra(chunk, row);
    span.status.message = chunk.dictionary.text(extra.status_message);
    span.attributes = attributes(chunk, list(chunk, row));
    span.dropped_attributes_count = extra.dropped_attributes_count;
    span.events = events(chunk, extra);
    span.dropped_events_count = extra.dropped_events_count;
    span.dropped_links_count = extra.dropped_links_count;
}

fn extra(chunk: &Chunk, row: usize) -> Extra {
    let found = chunk.extras.binary_search_by_key(&(row as u32), |extra| extra.row);
    found.map_or_else(|_| Extra::default(), |index| chunk.extras[index])
}

/// Where the attributes of a row are.
fn list(chunk: &Chunk, row: usize) -> List {
    let class = chunk.classes[chunk.rows.class[row] as usize];
    List { shape: class.shape, words_from: chunk.rows.words_from[row] }
}

/// Of the attributes of a shape those that figures are taken from.
fn needed(chunk: &Chunk, shape: u32) -> Arc<[Needed]> {
    let columns = chunk.columns(shape);
    let keys: Vec<String> = columns.iter().map(|column| chunk.dictionary.text(column.key)).collect();
    let needs = needs(&keys);
    let all = columns.iter().zip(keys).zip(needs).filter(|(_, need)| *need != Need::Nothing);
    all.map(|((column, key), need)| Needed { column: *column, key, is_read: need == Need::Value }).collect()
}

/// Of these attributes what is needed.
fn figured_attributes(chunk: &Chunk, list: List, needed: &[Needed]) -> Vec<Attribute> {
    let attribute = |needed: &Needed| Attribute {
        key: needed.key.clone(),
        value: if needed.is_read { value(chunk.cell(needed.column, list.words_from)) } else { Value::Empty },
    };
    needed.iter().map(attribute).collect()
}

fn attributes(chunk: &Chunk, list: List) -> Vec<Attribute> {
    let columns = chunk.columns(list.shape).iter();
    let attribute = |column: &Column| Attribute {
        key: chunk.dictionary.text(column.key),
        value: value(chunk.cell(*column, list.words_from)),
    };
    columns.map(attribute).collect()
}

fn value(cell: Cell<'_>) -> Value {
    match cell {
        Cell::Empty => Value::Empty,
        Cell::String(bytes) => Value::String(owned(bytes)),
        Cell::Bool(truth) => Value::Bool(truth),
        Cell::Int(number) => Value::Int(number),
        Cell::Double(number) => Value::Double(number),
        Cell::Bytes(bytes) => Value::Bytes(bytes.to_vec()),
        Cell::Nested(message) => decode_value(message),
    }
}

pub(super) fn events(chunk: &Chunk, extra: Extra) -> Vec<Event> {
    let rows = chunk.events[extra.events_from as usize..extra.events_to as usize].iter();
    let event = |row: &super::chunk::EventRow| Event {
        time_unix_nanos: row.time_unix_nanos,
        name: chunk.dictionary.text(row.name),
        attributes: attributes(chunk, row.attributes),
        dropped_attributes_count: row.dropped_attributes_count,
    };
    rows.map(event).collect()
}

pub(super) fn links(chunk: &Chunk, extra: Extra) -> Vec<Link> {
    let rows = chunk.links[extra.links_from as usize..extra.links_to as usize].iter();
    let link = |row: &super::chunk::LinkRow| Link {
        trace_id: row.trace_id,
        span_id: row.span_id,
        trace_state: chunk.dictionary.text(row.trace_state),
        attributes: attributes(chunk, row.attributes),
        dropped_attributes_count: row.dropped_attributes_count,
        flags: row.flags,
    };
    rows.map(link).collect()
}
