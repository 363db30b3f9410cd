//! A chunk that still grows: interns what repeats and appends what does not.

use std::borrow::Cow;
use std::hash::{BuildHasher, Hasher};

use clew_model::{SpanId, StatusCode};
use clew_wire::otlp::{KeyValueView, ResourceView, ScopeView, SpanView, ValueView};
use foldhash::fast::RandomState;
use hashbrown::HashTable;

use super::chunk::{
    Cell, CellKind, Chunk, Class, Column, EventRow, Extra, LinkRow, List, Origin, Rows, Shape, heap, trim,
};
use super::classes::Classes;
use super::dictionary::{Dictionary, Habit, Interner, SPREAD, is_same};

/// A chunk is full at this many bytes of strings or of values, whatever its rows, so that 32-bit offsets suffice.
const POOL_BYTES_MAX: usize = 64 << 20;

/// A growing chunk, readable at any moment, and the tables that find what it already holds.
#[derive(Debug)]
pub(super) struct Builder {
    chunk: Chunk,
    strings: Interner,
    shapes: HashTable<Known>,
    classes: Classes,
    origins: HashTable<Known>,
    hashes: RandomState,
    /// One per column.
    habits: Vec<Habit>,
    /// By [`outline`], the shape that was last looked up: most lists have it, and its keys need no hashing.
    recent_shapes: Box<[u32; RECENT_SHAPES]>,
}

/// No shape.
const UNKNOWN: u32 = u32::MAX;

/// A power of two.
const RECENT_SHAPES: usize = 64;

/// An entry of a table: where what has this hash lies.
#[derive(Debug, Clone, Copy)]
struct Known {
    hash: u64,
    index: u32,
}

/// A resource or scope on its way into chunks: the walker's view, kept while its spans come.
#[derive(Debug, Default)]
pub(super) struct OriginView<'a> {
    hash: u64,
    name: Cow<'a, str>,
    version: Cow<'a, str>,
    schema_url: Cow<'a, str>,
    dropped_attributes_count: u32,
    attributes: Vec<KeyValueView<'a>>,
}

/// Where a span belongs: what its chunk, shard and batch know of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) trace: u32,
    pub(super) previous: u32,
    /// Of its resource and scope.
    pub(super) pair: u32,
    pub(super) received_unix_nanos: u64,
}

impl Builder {
    /// An empty chunk with as much room as `before` came to need; without one it starts small.
    pub(super) fn new(hashes: &RandomState, before: Option<&Chunk>) -> Self {
        // A little more than was needed, lest one string too many doubles a column.
        let room = |count: fn(&Chunk) -> usize| before.map_or(0, |before| count(before) + count(before) / 16);
        let strings = room(|before| before.dictionary.len());
        let arena_bytes = room(|before| before.dictionary.arena_bytes());
        let chunk = Chunk {
            rows: Rows::with_capacity(before.map_or(0, Chunk::row_count)),
            words: Vec::with_capacity(room(|before| before.words.len())),
            dictionary: Dictionary::with_capacity(strings, arena_bytes),
            shapes: Vec::new(),
            columns: Vec::new(),
            classes: Vec::new(),
            origins: Vec::new(),
            extras: Vec::new(),
            events: Vec::new(),
            links: Vec::new(),
            received: Vec::new(),
        };
        Self {
            chunk,
            strings: Interner::new(hashes.clone()),
            shapes: HashTable::new(),
            classes: Classes::new(hashes.clone()),
            origins: HashTable::new(),
            hashes: hashes.clone(),
            habits: Vec::new(),
            recent_shapes: Box::new([UNKNOWN; RECENT_SHAPES]),
        }
    }

    /// What has been built so far.
    pub(super) fn chunk(&self) -> &Chunk {
        &self.chunk
    }

    /// Ends the growing: tables and unused room go.
    pub(super) fn finish(self) -> Chunk {
        let mut chunk = self.chunk;
        chunk.dictionary.trim();
        trim(&mut chunk.words);
        chunk
    }

    /// Whether the next span must go elsewhere.
    #[inline]
    pub(super) fn is_full(&self, rows_max: usize) -> bool {
        self.chunk.row_count() >= rows_max
            || self.chunk.dictionary.arena_bytes() >= POOL_BYTES_MAX
            || self.chunk.words.len() >= POOL_BYTES_MAX / size_of::<u32>()
    }

    /// Heap bytes held.
    pub(super) fn heap_bytes(&self) -> usize {
        self.chunk.heap_bytes()
            + self.strings.heap_bytes()
            + heap(&self.habits)
            + size_of_val(&*self.recent_shapes)
            + self.shapes.allocation_size()
            + self.classes.heap_bytes()
            + self.origins.allocation_size()
    }

    /// Appends a span; `shapes` are those of its batch that this chunk has, by [`SpanView::shape`].
    pub(super) fn push(&mut self, span: &SpanView<'_, '_>, place: Place, shapes: &mut Vec<u32>) {
        let shape = self.shape_of(span, shapes);
        let list = self.list_of(shape, span.attributes);
        let family = Class {
            resource: 0,
            scope: 0,
            name: self.intern(span.name.as_bytes()),
            shape,
            flags: span.flags,
            notes: span.notes,
            kind: span.kind,
            status: span.status_code,
            error: span.status_code == StatusCode::Error || self.says_error(list),
        };
        let class = self.classes.class(&mut self.chunk.classes, place.pair, family);
        self.extra(span);
        let row = self.chunk.row_count() as u32;
        if self.chunk.received.last().is_none_or(|(_, last)| *last != place.received_unix_nanos) {
            self.chunk.received.push((row, place.received_unix_nanos));
        }
        let rows = &mut self.chunk.rows;
        rows.trace.push(place.trace);
        rows.class.push(class);
        rows.span_id.push(span.span_id.to_u64());
        rows.parent_span_id.push(span.parent_span_id.map_or(0, SpanId::to_u64));
        rows.start_unix_nanos.push(span.start_unix_nanos);
        rows.duration_nanos.push(span.duration_nanos);
        rows.previous.push(place.previous);
        rows.words_from.push(list.words_from);
    }

    /// The number of a resource with a scope.
    pub(super) fn pair(&mut self, resource: u32, scope: u32) -> u32 {
        self.classes.pair(resource, scope)
    }

    /// The code of a resource or scope, new or known.
    pub(super) fn origin(&mut self, view: &OriginView<'_>) -> u32 {
        let same = |known: &Known| known.hash == view.hash && self.is_origin(known.index, view);
        if let Some(known) = self.origins.find(view.hash, same) {
            return known.index;
        }
        let origin = Origin {
            hash: view.hash,
            name: self.intern(view.name.as_bytes()),
            version: self.intern(view.version.as_bytes()),
            schema_url: self.intern(view.schema_url.as_bytes()),
            dropped_attributes_count: view.dropped_attributes_count,
            attributes: self.list(&view.attributes),
        };
        let index = self.chunk.origins.len() as u32;
        self.chunk.origins.push(origin);
        self.origins.insert_unique(view.hash, Known { hash: view.hash, index }, |known| known.hash);
        index
    }

    #[inline]
    fn intern(&mut self, text: &[u8]) -> u32 {
        self.strings.intern(&mut self.chunk.dictionary, text)
    }

    /// Stores an attribute list.
    fn list(&mut self, attributes: &[KeyValueView<'_>]) -> List {
        let shape = self.shape(attributes);
        self.list_of(shape, attributes)
    }

    /// Stores an attribute list of that shape.
    #[inline]
    fn list_of(&mut self, shape: u32, attributes: &[KeyValueView<'_>]) -> List {
        let words_from = self.chunk.words.len() as u32;
        let (chunk, strings) = (&mut self.chunk, &mut self.strings);
        let habits = &mut self.habits[chunk.shapes[shape as usize].columns_from as usize..];
        for (attribute, habit) in attributes.iter().zip(habits) {
            let mut intern = |bytes| strings.intern_value(&mut chunk.dictionary, bytes, habit);
            match &attribute.value {
                ValueView::Empty => {}
                ValueView::String(text) => chunk.words.push(intern(text.as_bytes())),
                ValueView::Bool(truth) => chunk.words.push(u32::from(*truth)),
                ValueView::Int(number) => push_wide(&mut chunk.words, *number as u64),
                ValueView::Double(number) => push_wide(&mut chunk.words, number.to_bits()),
                ValueView::Bytes(bytes) => chunk.words.push(intern(bytes)),
                ValueView::Nested(bytes) => chunk.words.push(intern(bytes)),
            }
        }
        List { shape, words_from }
    }

    /// The code of the keys and types of a span's attributes, new or known.
    #[inline]
    fn shape_of(&mut self, span: &SpanView<'_, '_>, shapes: &mut Vec<u32>) -> u32 {
        let number = span.shape as usize;
        if number == 0 {
            return self.shape(span.attributes);
        }
        if let Some(shape) = shapes.get(number).filter(|shape| **shape != UNKNOWN) {
            return *shape;
        }
        let shape = self.shape(span.attributes);
        if shapes.len() <= number {
            shapes.resize(number + 1, UNKNOWN);
        }
        shapes[number] = shape;
        shape
    }

    /// The code of the keys and types of an attribute list, new or known.
    #[inline]
    fn shape(&mut self, attributes: &[KeyValueView<'_>]) -> u32 {
        let slot = outline(attributes);
        let recent = self.recent_shapes[slot];
        if (recent as usize) < self.chunk.shapes.len() && self.is_shape(recent, attributes) {
            return recent;
        }
        let shape = self.look_up_shape(attributes);
        self.recent_shapes[slot] = shape;
        shape
    }

    fn look_up_shape(&mut self, attributes: &[KeyValueView<'_>]) -> u32 {
        let mut hasher = self.hashes.build_hasher();
        for attribute in attributes {
            hasher.write(attribute.key.as_bytes());
            hasher.write_u8(kind(&attribute.value) as u8);
        }
        let hash = hasher.finish();
        let same = |known: &Known| known.hash == hash && self.is_shape(known.index, attributes);
        if let Some(known) = self.shapes.find(hash, same) {
            return known.index;
        }
        let columns_from = self.chunk.columns.len() as u32;
        let mut offset = 0;
        for attribute in attributes {
            let kind = kind(&attribute.value);
            let key = self.intern(attribute.key.as_bytes());
            self.chunk.columns.push(Column { key, offset, kind });
            self.habits.push(Habit::default());
            offset += kind.words();
        }
        let index = self.chunk.shapes.len() as u32;
        let columns_to = self.chunk.columns.len() as u32;
        self.chunk.shapes.push(Shape { columns_from, columns_to, error: None });
        self.chunk.shapes[index as usize].error = self.chunk.column(index, b"error");
        self.shapes.insert_unique(hash, Known { hash, index }, |known| known.hash);
        index
    }

    #[inline]
    fn is_shape(&self, shape: u32, attributes: &[KeyValueView<'_>]) -> bool {
        let columns = self.chunk.columns(shape);
        let dictionary = &self.chunk.dictionary;
        columns.len() == attributes.len()
            && columns.iter().zip(attributes).all(|(column, attribute)| {
                column.kind == kind(&attribute.value) && is_same(dictionary.get(column.key), attribute.key.as_bytes())
            })
    }

    fn is_origin(&self, origin: u32, view: &OriginView<'_>) -> bool {
        let origin = &self.chunk.origins[origin as usize];
        let is_text = |code, text: &str| self.chunk.dictionary.get(code) == text.as_bytes();
        let columns = self.chunk.columns(origin.attributes.shape);
        let mut pairs = columns.iter().zip(&view.attributes);
        is_text(origin.name, &view.name)
            && is_text(origin.version, &view.version)
            && is_text(origin.schema_url, &view.schema_url)
            && origin.dropped_attributes_count == view.dropped_attributes_count
            && self.is_shape(origin.attributes.shape, &view.attributes)
            && pairs.all(|(column, attribute)| {
                is_cell(self.chunk.cell(*column, origin.attributes.words_from), &attribute.value)
            })
    }

    /// Whether an attribute `error` is true, as [`clew_model::span::is_true`] reads it.
    fn says_error(&self, list: List) -> bool {
        let Some(column) = self.chunk.shapes[list.shape as usize].error else { return false };
        match self.chunk.cell(column, list.words_from) {
            Cell::Bool(truth) => truth,
            Cell::String(text) => text.eq_ignore_ascii_case(b"true"),
            _ => false,
        }
    }

    /// Stores what few spans have, if this one does.
    fn extra(&mut self, span: &SpanView<'_, '_>) {
        let dropped = span.dropped_attributes_count | span.dropped_events_count | span.dropped_links_count;
        let texts = !span.trace_state.is_empty() || !span.status_message.is_empty();
        if dropped == 0 && !texts && span.events.is_empty() && span.links.is_empty() {
            return;
        }
        let events_from = self.chunk.events.len() as u32;
        for event in span.events {
            let name = self.intern(event.name.as_bytes());
            let attributes = self.list(&span.nested_attributes[event.attributes.clone()]);
            let dropped_attributes_count = event.dropped_attributes_count;
            let time_unix_nanos = event.time_unix_nanos;
            self.chunk.events.push(EventRow { time_unix_nanos, name, attributes, dropped_attributes_count });
        }
        let links_from = self.chunk.links.len() as u32;
        for link in span.links {
            let row = LinkRow {
                trace_id: link.trace_id,
                span_id: link.span_id,
                trace_state: self.intern(link.trace_state.as_bytes()),
                flags: link.flags,
                attributes: self.list(&span.nested_attributes[link.attributes.clone()]),
                dropped_attributes_count: link.dropped_attributes_count,
            };
            self.chunk.links.push(row);
        }
        let extra = Extra {
            row: self.chunk.row_count() as u32,
            trace_state: self.intern(span.trace_state.as_bytes()),
            status_message: self.intern(span.status_message.as_bytes()),
            dropped_attributes_count: span.dropped_attributes_count,
            dropped_events_count: span.dropped_events_count,
            dropped_links_count: span.dropped_links_count,
            events_from,
            events_to: self.chunk.events.len() as u32,
            links_from,
            links_to: self.chunk.links.len() as u32,
        };
        self.chunk.extras.push(extra);
    }
}

impl<'a> OriginView<'a> {
    /// Becomes that resource.
    pub(super) fn set_resource(&mut self, hashes: &RandomState, resource: &ResourceView<'a, '_>) {
        self.name = Cow::Borrowed("");
        self.version = Cow::Borrowed("");
        self.schema_url.clone_from(&resource.schema_url);
        self.set(hashes, resource.attributes, resource.dropped_attributes_count);
    }

    /// Becomes that scope.
    pub(super) fn set_scope(&mut self, hashes: &RandomState, scope: &ScopeView<'a, '_>) {
        self.name.clone_from(&scope.name);
        self.version.clone_from(&scope.version);
        self.schema_url.clone_from(&scope.schema_url);
        self.set(hashes, scope.attributes, scope.dropped_attributes_count);
    }

    fn set(&mut self, hashes: &RandomState, attributes: &[KeyValueView<'a>], dropped: u32) {
        self.attributes.clear();
        self.attributes.extend_from_slice(attributes);
        self.dropped_attributes_count = dropped;

        let mut hasher = hashes.build_hasher();
        for text in [&self.name, &self.version, &self.schema_url] {
            hasher.write(text.as_bytes());
            hasher.write_u8(0xff);
        }
        hasher.write_u32(dropped);
        for attribute in attributes {
            hasher.write(attribute.key.as_bytes());
            hasher.write_u8(kind(&attribute.value) as u8);
            match &attribute.value {
                ValueView::Empty => {}
                ValueView::String(text) => hasher.write(text.as_bytes()),
                ValueView::Bool(truth) => hasher.write_u8(u8::from(*truth)),
                ValueView::Int(number) => hasher.write_i64(*number),
                ValueView::Double(number) => hasher.write_u64(number.to_bits()),
                ValueView::Bytes(bytes) => hasher.write(bytes),
                ValueView::Nested(bytes) => hasher.write(bytes),
            }
        }
        self.hash = hasher.finish();
    }
}

/// A slot of [`Builder::recent_shapes`], from the types of an attribute list and the lengths of its keys.
#[inline]
fn outline(attributes: &[KeyValueView<'_>]) -> usize {
    let add = |all: u64, attribute: &KeyValueView<'_>| {
        all.rotate_left(7) ^ ((attribute.key.as_bytes().len() as u64) << 3 | kind(&attribute.value) as u64)
    };
    (attributes.iter().fold(1, add).wrapping_mul(SPREAD) >> (u64::BITS - RECENT_SHAPES.ilog2())) as usize
}

#[inline]
fn kind(value: &ValueView<'_>) -> CellKind {
    match value {
        ValueView::Empty => CellKind::Empty,
        ValueView::String(_) => CellKind::String,
        ValueView::Bool(_) => CellKind::Bool,
        ValueView::Int(_) => CellKind::Int,
        ValueView::Double(_) => CellKind::Double,
        ValueView::Bytes(_) => CellKind::Bytes,
        ValueView::Nested(_) => CellKind::Nested,
    }
}

/// Whether a stored value is that value, bit by bit.
fn is_cell(cell: Cell<'_>, value: &ValueView<'_>) -> bool {
    match (cell, value) {
        (Cell::Empty, ValueView::Empty) => true,
        (Cell::String(stored), ValueView::String(text)) => stored == text.as_bytes(),
        (Cell::Bool(stored), ValueView::Bool(truth)) => stored == *truth,
        (Cell::Int(stored), ValueView::Int(number)) => stored == *number,
        (Cell::Double(stored), ValueView::Double(number)) => stored.to_bits() == number.to_bits(),
        (Cell::Bytes(stored), ValueView::Bytes(bytes)) => stored == *bytes,
        (Cell::Nested(stored), ValueView::Nested(bytes)) => stored == bytes.as_ref(),
        _ => false,
    }
}

#[inline]
fn push_wide(words: &mut Vec<u32>, bits: u64) {
    words.extend_from_slice(&[bits as u32, (bits >> 32) as u32]);
}
