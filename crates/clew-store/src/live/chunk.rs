//! Up to some ten thousand spans of one tenant and shard, as columns.
//!
//! What spans repeat is stored once: strings in the dictionary, the keys and types of an attribute list as a [`Shape`],
//! resources and scopes as [`Origin`]s, and all that a span has in common with others as its [`Class`]. A row keeps its
//! class and what is its own. Questions about classes are answered once per class, and then by one look per row.

use clew_model::{Kind, Notes, SpanId, StatusCode, TraceId};

use super::dictionary::Dictionary;

/// No row: the end of a trace's chain.
pub(super) const NONE: u32 = u32::MAX;

/// The columns. Nothing changes in a chunk that is behind an `Arc`.
#[derive(Debug)]
pub(super) struct Chunk {
    pub(super) rows: Rows,
    /// The values of all attribute lists, in words; how to read them says the shape.
    pub(super) words: Vec<u32>,
    pub(super) dictionary: Dictionary,
    pub(super) shapes: Vec<Shape>,
    /// The columns of all shapes, end to end.
    pub(super) columns: Vec<Column>,
    pub(super) classes: Vec<Class>,
    pub(super) origins: Vec<Origin>,
    /// What few rows have, by rising row.
    pub(super) extras: Vec<Extra>,
    pub(super) events: Vec<EventRow>,
    pub(super) links: Vec<LinkRow>,
    /// When rows were received: from this row on, until the next entry.
    pub(super) received: Vec<(u32, u64)>,
}

/// One entry per span in each.
#[derive(Debug, Default)]
pub(super) struct Rows {
    /// Index into the shard's traces.
    pub(super) trace: Vec<u32>,
    pub(super) class: Vec<u32>,
    pub(super) span_id: Vec<u64>,
    /// 0 for a root.
    pub(super) parent_span_id: Vec<u64>,
    pub(super) start_unix_nanos: Vec<u64>,
    pub(super) duration_nanos: Vec<u64>,
    /// The shard's row number of the row before it in its trace, or [`NONE`].
    pub(super) previous: Vec<u32>,
    /// Where its values begin in [`Chunk::words`].
    pub(super) words_from: Vec<u32>,
}

/// What a span shares with others of its operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Class {
    pub(super) resource: u32,
    pub(super) scope: u32,
    pub(super) name: u32,
    pub(super) shape: u32,
    pub(super) flags: u32,
    pub(super) notes: Notes,
    pub(super) kind: Kind,
    pub(super) status: StatusCode,
    /// [`clew_model::Span::is_error`].
    pub(super) error: bool,
}

/// The keys and types of an attribute list: a range of [`Chunk::columns`].
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    pub(super) columns_from: u32,
    pub(super) columns_to: u32,
    /// The first column with the key `error`.
    pub(super) error: Option<Column>,
}

/// A key of a shape, and where its value lies.
#[derive(Debug, Clone, Copy)]
pub(super) struct Column {
    pub(super) key: u32,
    /// Words after the list's first.
    pub(super) offset: u32,
    pub(super) kind: CellKind,
}

/// How a value is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum CellKind {
    Empty,
    String,
    Bool,
    Int,
    Double,
    Bytes,
    Nested,
}

impl CellKind {
    /// How many words a value takes.
    pub(super) fn words(self) -> u32 {
        match self {
            Self::Empty => 0,
            Self::String | Self::Bool | Self::Bytes | Self::Nested => 1,
            Self::Int | Self::Double => 2,
        }
    }
}

/// A value, borrowed from its chunk.
#[derive(Debug, Clone, Copy)]
pub(super) enum Cell<'c> {
    Empty,
    String(&'c [u8]),
    Bool(bool),
    Int(i64),
    Double(f64),
    Bytes(&'c [u8]),
    /// An `AnyValue` message.
    Nested(&'c [u8]),
}

/// An attribute list.
#[derive(Debug, Clone, Copy)]
pub(super) struct List {
    pub(super) shape: u32,
    pub(super) words_from: u32,
}

/// A resource, or a scope. Only a scope has a name and a version.
#[derive(Debug, Clone, Copy)]
pub(super) struct Origin {
    /// Hash of its content, equal in all chunks.
    pub(super) hash: u64,
    pub(super) name: u32,
    pub(super) version: u32,
    pub(super) schema_url: u32,
    pub(super) dropped_attributes_count: u32,
    pub(super) attributes: List,
}

/// What few rows have.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Extra {
    pub(super) row: u32,
    pub(super) trace_state: u32,
    pub(super) status_message: u32,
    pub(super) dropped_attributes_count: u32,
    pub(super) dropped_events_count: u32,
    pub(super) dropped_links_count: u32,
    pub(super) events_from: u32,
    pub(super) events_to: u32,
    pub(super) links_from: u32,
    pub(super) links_to: u32,
}

/// An event.
#[derive(Debug, Clone, Copy)]
pub(super) struct EventRow {
    pub(super) time_unix_nanos: u64,
    pub(super) name: u32,
    pub(super) attributes: List,
    pub(super) dropped_attributes_count: u32,
}

/// A link.
#[derive(Debug, Clone, Copy)]
pub(super) struct LinkRow {
    pub(super) trace_id: TraceId,
    pub(super) span_id: SpanId,
    pub(super) trace_state: u32,
    pub(super) flags: u32,
    pub(super) attributes: List,
    pub(super) dropped_attributes_count: u32,
}

impl Chunk {
    /// How many spans it holds.
    #[inline]
    pub(super) fn row_count(&self) -> usize {
        self.rows.trace.len()
    }

    /// The keys of a shape.
    #[inline]
    pub(super) fn columns(&self, shape: u32) -> &[Column] {
        let shape = self.shapes[shape as usize];
        &self.columns[shape.columns_from as usize..shape.columns_to as usize]
    }

    /// The first column of that key.
    pub(super) fn column(&self, shape: u32, key: &[u8]) -> Option<Column> {
        self.columns(shape).iter().find(|column| self.dictionary.get(column.key) == key).copied()
    }

    /// The value of a column in the list whose words begin there.
    #[inline]
    pub(super) fn cell(&self, column: Column, words_from: u32) -> Cell<'_> {
        let at = (words_from + column.offset) as usize;
        let bytes = || self.dictionary.get(self.words[at]);
        let wide = || u64::from(self.words[at]) | u64::from(self.words[at + 1]) << 32;
        match column.kind {
            CellKind::Empty => Cell::Empty,
            CellKind::String => Cell::String(bytes()),
            CellKind::Bool => Cell::Bool(self.words[at] != 0),
            CellKind::Int => Cell::Int(wide() as i64),
            CellKind::Double => Cell::Double(f64::from_bits(wide())),
            CellKind::Bytes => Cell::Bytes(bytes()),
            CellKind::Nested => Cell::Nested(bytes()),
        }
    }

    /// The value of the first attribute with that key.
    pub(super) fn find(&self, list: List, key: &[u8]) -> Option<Cell<'_>> {
        self.column(list.shape, key).map(|column| self.cell(column, list.words_from))
    }

    /// The service of a resource, as [`clew_model::Resource::service`] reads it.
    pub(super) fn service(&self, resource: u32) -> &[u8] {
        match self.find(self.origins[resource as usize].attributes, b"service.name") {
            Some(Cell::String(name)) if !name.is_empty() => name,
            _ => clew_model::Resource::UNKNOWN_SERVICE.as_bytes(),
        }
    }

    /// Heap bytes held.
    pub(super) fn heap_bytes(&self) -> usize {
        self.rows.heap_bytes()
            + self.dictionary.heap_bytes()
            + heap(&self.words)
            + heap(&self.shapes)
            + heap(&self.columns)
            + heap(&self.classes)
            + heap(&self.origins)
            + heap(&self.extras)
            + heap(&self.events)
            + heap(&self.links)
            + heap(&self.received)
    }
}

impl Rows {
    /// Columns with room for that many spans.
    pub(super) fn with_capacity(count: usize) -> Self {
        Self {
            trace: Vec::with_capacity(count),
            class: Vec::with_capacity(count),
            span_id: Vec::with_capacity(count),
            parent_span_id: Vec::with_capacity(count),
            start_unix_nanos: Vec::with_capacity(count),
            duration_nanos: Vec::with_capacity(count),
            previous: Vec::with_capacity(count),
            words_from: Vec::with_capacity(count),
        }
    }

    fn heap_bytes(&self) -> usize {
        // The columns grow together, so one pair of capacities stands for all.
        4 * heap(&self.trace) + 4 * heap(&self.span_id)
    }
}

/// Heap bytes of a column.
#[inline]
pub(super) fn heap<T>(column: &Vec<T>) -> usize {
    column.capacity() * size_of::<T>()
}

/// Gives back the room of a column that has much more than it needs.
pub(super) fn trim<T>(column: &mut Vec<T>) {
    if column.capacity() > column.len() + column.len() / 8 {
        column.shrink_to_fit();
    }
}
