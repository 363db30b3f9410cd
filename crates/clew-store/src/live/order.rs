//! Rows in the order of a block: by tenant, trace, start and span id.
//!
//! Nothing is copied but numbers: texts are borrowed from the chunks' dictionaries, and what chunks share among their rows
//! (shapes, resources, scopes) is told to the block's plan once a chunk.

use std::borrow::Cow;
use std::io::Write;
use std::sync::RwLockReadGuard;

use clew_block::{AttributeType, Plan, ResourceCode, Row, ScopeCode, ShapeCode, WriteError, Writer};
use clew_model::{Event, Link, Resource, Scope, SpanId, Tenant, TraceId, Value, ValueRef};
use clew_wire::otlp::decode_value;

use super::chunk::{Cell, CellKind, Chunk, Class, Column, Extra, NONE};
use super::rows::{FromOrigin, events, links};
use super::shard::Shard;
use super::{Head, Live, read};

/// Which traces are written.
pub(crate) type Keep<'k> = &'k dyn Fn(&Tenant, TraceId) -> bool;

/// A row's events and links.
type Lists = (Vec<Event>, Vec<Link>);

/// A row's place: what it is sorted by, then chunk and row.
type Place = (u64, u64, u32, u32);

/// All shards of a tenant, locked against inserts.
struct Held<'l> {
    tenant: &'l Tenant,
    shards: Vec<RwLockReadGuard<'l, Shard>>,
    /// Per shard and chunk.
    codes: Vec<Vec<Codes>>,
}

/// What a chunk's shapes, resources and scopes are called in the plan; `None` for those that no span has.
struct Codes {
    shapes: Vec<Option<ShapeCode>>,
    resources: Vec<Option<ResourceCode>>,
    scopes: Vec<Option<ScopeCode>>,
}

/// What the rows of one trace borrow, used again from trace to trace.
#[derive(Default)]
struct Arena {
    places: Vec<Place>,
    /// Arrays and maps of all rows.
    nested: Vec<Value>,
    /// Events and links of the rows that have any.
    extras: Vec<Lists>,
}

/// Writes what `keep` says to a block, unless it is told to stop. Nobody may insert meanwhile.
pub(crate) fn write<W: Write + Send>(
    live: &Live,
    keep: Keep<'_>,
    stopped: &dyn Fn() -> bool,
    begin: impl FnOnce(Plan) -> Result<Writer<W>, WriteError>,
) -> Result<Option<Writer<W>>, WriteError> {
    let heads: Vec<_> = read(&live.heads).values().cloned().collect();
    let mut plan = Plan::default();
    let held: Vec<Held<'_>> = heads.iter().map(|head| Held::new(head, &mut plan)).collect();
    let mut writer = begin(plan)?;
    let mut arena = Arena::default();
    for held in &held {
        let mut traces: Vec<(TraceId, u32, u32)> = Vec::new();
        for (number, shard) in (0..).zip(&held.shards) {
            let ids = (0..).zip(shard.traces()).map(|(ordinal, trace)| (trace.id, number, ordinal));
            traces.extend(ids.filter(|(id, ..)| keep(held.tenant, *id)));
        }
        if traces.is_empty() {
            continue;
        }
        traces.sort_unstable();
        writer.tenant(held.tenant)?;
        for (id, shard, ordinal) in traces {
            if stopped() {
                return Ok(None);
            }
            held.trace(live.growth.chunk_bits, shard, ordinal, &mut arena);
            held.write(&mut writer, id, shard, &mut arena)?;
        }
    }
    Ok(Some(writer))
}

impl<'l> Held<'l> {
    fn new(head: &'l Head, plan: &mut Plan) -> Self {
        let shards: Vec<_> = head.shards.iter().map(read).collect();
        let chunks = |shard: &Shard, plan: &mut Plan| {
            let chunks = (0..shard.chunk_count()).filter_map(|number| shard.chunk_ref(number));
            chunks.map(|chunk| Codes::new(chunk, plan)).collect()
        };
        let codes = shards.iter().map(|shard| chunks(shard, plan)).collect();
        Self { tenant: &head.tenant, shards, codes }
    }

    /// Finds the rows of a trace and puts them in order.
    fn trace(&self, chunk_bits: u32, shard: u32, ordinal: u32, arena: &mut Arena) {
        let shard = &self.shards[shard as usize];
        arena.places.clear();
        let mut next = shard.traces()[ordinal as usize].last_row;
        while next != NONE {
            let (chunk, row) = (next >> chunk_bits, next & ((1 << chunk_bits) - 1));
            let Some(held) = shard.chunk_ref(chunk) else { break };
            let (rows, at) = (&held.rows, row as usize);
            arena.places.push((rows.start_unix_nanos[at], rows.span_id[at], chunk, row));
            next = rows.previous[at];
        }
        // Of rows that are equal in it, the one that came first stays first.
        arena.places.reverse();
        arena.places.sort_by_key(|(start, span_id, ..)| (*start, *span_id));
    }

    /// Writes the rows that were found.
    fn write<W: Write + Send>(
        &self,
        writer: &mut Writer<W>,
        id: TraceId,
        shard: u32,
        arena: &mut Arena,
    ) -> Result<(), WriteError> {
        let (shard, codes) = (&self.shards[shard as usize], &self.codes[shard as usize]);
        let chunk = |number: u32| shard.chunk_ref(number);
        let Arena { places, nested, extras } = arena;
        nested.clear();
        extras.clear();
        for (.., number, row) in &*places {
            let Some(chunk) = chunk(*number) else { continue };
            chunk.nested(*row as usize, nested);
            if let Some(extra) = chunk.extra(*row) {
                extras.push((events(chunk, extra), links(chunk, extra)));
            }
        }
        let mut values: Vec<ValueRef<'_>> = Vec::with_capacity(places.len() * 8);
        let mut bounds = Vec::with_capacity(places.len());
        let mut arrays = nested.iter();
        for (.., number, row) in &*places {
            let from = values.len();
            if let Some(chunk) = chunk(*number) {
                chunk.values(*row as usize, &mut arrays, &mut values);
            }
            bounds.push(from..values.len());
        }
        let mut extras = extras.iter();
        let mut rows = Vec::with_capacity(places.len());
        for ((.., number, row), bounds) in places.iter().zip(bounds) {
            let Some(chunk) = chunk(*number) else { continue };
            let extra = chunk.extra(*row).and_then(|extra| Some((extra, extras.next()?)));
            rows.push(codes[*number as usize].row(chunk, *row as usize, &values[bounds], extra));
        }
        writer.trace(id, &rows)
    }
}

impl Codes {
    fn new(chunk: &Chunk, plan: &mut Plan) -> Self {
        let mut codes = Self {
            shapes: vec![None; chunk.shapes.len()],
            resources: vec![None; chunk.origins.len()],
            scopes: vec![None; chunk.origins.len()],
        };
        let mut counts = vec![0_u64; chunk.classes.len()];
        for class in &chunk.rows.class {
            counts[*class as usize] += 1;
        }
        for (Class { shape, resource, scope, .. }, count) in chunk.classes.iter().zip(counts) {
            let (shape, resource, scope) = (*shape, *resource, *scope);
            let code = *codes.shapes[shape as usize].get_or_insert_with(|| {
                let keys = chunk.keys(shape);
                let keys: Vec<(&str, AttributeType)> = keys.iter().map(|(key, kind)| (key.as_ref(), *kind)).collect();
                plan.shape(&keys)
            });
            plan.count(code, count);
            codes.resources[resource as usize]
                .get_or_insert_with(|| plan.resource(&<Resource as FromOrigin>::read(chunk, resource)));
            codes.scopes[scope as usize].get_or_insert_with(|| plan.scope(&<Scope as FromOrigin>::read(chunk, scope)));
        }
        codes
    }

    /// A row of the chunk that these codes are for.
    fn row<'a>(
        &self,
        chunk: &'a Chunk,
        row: usize,
        values: &'a [ValueRef<'a>],
        extra: Option<(Extra, &'a Lists)>,
    ) -> Row<'a> {
        let (rows, dictionary) = (&chunk.rows, &chunk.dictionary);
        let class = chunk.classes[rows.class[row] as usize];
        let batch = chunk.received.partition_point(|(from, _)| *from as usize <= row);
        let known = "the codes were made from all classes of the chunk";
        let (extra, (events, links)) = extra
            .map_or((Extra::default(), (&[][..], &[][..])), |(extra, (events, links))| {
                (extra, (events.as_slice(), links.as_slice()))
            });
        Row {
            span_id: SpanId::from_u64(rows.span_id[row]),
            parent_span_id: Some(rows.parent_span_id[row]).filter(|id| *id != 0).map(SpanId::from_u64),
            start_unix_nanos: rows.start_unix_nanos[row],
            duration_nanos: rows.duration_nanos[row],
            received_unix_nanos: chunk.received[batch - 1].1,
            name: dictionary.get(class.name),
            kind: class.kind,
            status: class.status,
            status_message: dictionary.get(extra.status_message),
            trace_state: dictionary.get(extra.trace_state),
            is_error: class.error,
            flags: class.flags,
            notes: class.notes,
            resource: self.resources[class.resource as usize].expect(known),
            scope: self.scopes[class.scope as usize].expect(known),
            shape: self.shapes[class.shape as usize].expect(known),
            values,
            events,
            links,
            dropped_attributes_count: extra.dropped_attributes_count,
            dropped_events_count: extra.dropped_events_count,
            dropped_links_count: extra.dropped_links_count,
        }
    }
}

impl Chunk {
    /// The keys and types of a shape, as a plan is told them.
    fn keys(&self, shape: u32) -> Vec<(Cow<'_, str>, AttributeType)> {
        let kind = |kind| match kind {
            CellKind::Empty => AttributeType::Empty,
            CellKind::String => AttributeType::String,
            CellKind::Bool => AttributeType::Bool,
            CellKind::Int => AttributeType::Int,
            CellKind::Double => AttributeType::Double,
            CellKind::Bytes => AttributeType::Bytes,
            CellKind::Nested => AttributeType::Json,
        };
        let key = |column: &Column| String::from_utf8_lossy(self.dictionary.get(column.key));
        self.columns(shape).iter().map(|column| (key(column), kind(column.kind))).collect()
    }

    /// What few rows have, if this one does.
    fn extra(&self, row: u32) -> Option<Extra> {
        let at = self.extras.binary_search_by_key(&row, |extra| extra.row).ok()?;
        Some(self.extras[at])
    }

    /// Appends the row's arrays and maps.
    fn nested(&self, row: usize, nested: &mut Vec<Value>) {
        let shape = self.classes[self.rows.class[row] as usize].shape;
        for column in self.columns(shape).iter().filter(|column| column.kind == CellKind::Nested) {
            if let Cell::Nested(message) = self.cell(*column, self.rows.words_from[row]) {
                nested.push(decode_value(message));
            }
        }
    }

    /// Appends the row's values; `nested` are its arrays and maps, in order.
    fn values<'a>(&'a self, row: usize, nested: &mut impl Iterator<Item = &'a Value>, values: &mut Vec<ValueRef<'a>>) {
        let shape = self.classes[self.rows.class[row] as usize].shape;
        for column in self.columns(shape) {
            values.push(match self.cell(*column, self.rows.words_from[row]) {
                Cell::Empty => ValueRef::Empty,
                Cell::String(bytes) => ValueRef::String(bytes),
                Cell::Bool(truth) => ValueRef::Bool(truth),
                Cell::Int(number) => ValueRef::Int(number),
                Cell::Double(number) => ValueRef::Double(number),
                Cell::Bytes(bytes) => ValueRef::Bytes(bytes),
                Cell::Nested(_) => nested.next().map_or(ValueRef::Empty, ValueRef::Nested),
            });
        }
    }
}
