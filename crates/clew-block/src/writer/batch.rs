//! The rows of one batch, column by column.

use arrow_array::types::{Float64Type, Int32Type, Int64Type, UInt32Type, UInt64Type};
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{ArrowError, SchemaRef};
use clew_model::{Kind, SpanId, StatusCode, TraceId, ValueRef};

use super::columns::{Codes, Fixed, Numbers, Texts, Truths};
use super::layout::{Layout, Slot};
use crate::row::{AttributeType, Row};
use crate::{json, schema};

const STATUS_CODES: [StatusCode; 3] = [StatusCode::Unset, StatusCode::Ok, StatusCode::Error];

/// Rows that were not given to Parquet yet.
#[derive(Debug)]
pub(super) struct Batch {
    rows: usize,
    /// Bytes of the texts whose length senders choose.
    byte_count: usize,
    schema: SchemaRef,
    tenants: Codes,
    trace_ids: Fixed<16>,
    span_ids: Fixed<8>,
    parent_offsets: Numbers<Int32Type>,
    parent_span_ids: Fixed<8>,
    starts: Numbers<UInt64Type>,
    durations: Numbers<UInt64Type>,
    received: Numbers<UInt64Type>,
    services: Codes,
    names: Texts,
    kinds: Codes,
    statuses: Codes,
    status_messages: Texts,
    trace_states: Texts,
    errors: Truths,
    flags: Numbers<UInt32Type>,
    notes: Numbers<UInt32Type>,
    dropped_attributes: Numbers<UInt32Type>,
    dropped_events: Numbers<UInt32Type>,
    dropped_links: Numbers<UInt32Type>,
    resources: Codes,
    scopes: Codes,
    shapes: Codes,
    attributes: Vec<Attributes>,
    rest: Texts,
    events: Texts,
    links: Texts,
}

/// A column of span attributes.
#[derive(Debug)]
enum Attributes {
    Texts(Texts),
    Bytes(Texts),
    Ints(Numbers<Int64Type>),
    Doubles(Numbers<Float64Type>),
    Truths(Truths),
}

/// Where a row's parent is said.
#[derive(Debug, Clone, Copy)]
pub(super) enum Parent {
    /// There is none.
    None,
    /// So many rows away.
    Offset(i32),
    /// Not in this block.
    Id(SpanId),
}

impl Batch {
    pub(super) fn new(layout: &Layout) -> Self {
        let columns: Vec<_> = layout.columns.clone();
        Self {
            rows: 0,
            byte_count: 0,
            schema: schema::arrow(&columns),
            tenants: Codes::new(std::iter::empty::<&str>()),
            trace_ids: Fixed::new(),
            span_ids: Fixed::new(),
            parent_offsets: Numbers::new(),
            parent_span_ids: Fixed::new(),
            starts: Numbers::new(),
            durations: Numbers::new(),
            received: Numbers::new(),
            services: Codes::new(&layout.services),
            names: Texts::new(),
            kinds: Codes::new(Kind::ALL.map(Kind::as_str)),
            statuses: Codes::new(STATUS_CODES.map(StatusCode::as_str)),
            status_messages: Texts::new(),
            trace_states: Texts::new(),
            errors: Truths::new(),
            flags: Numbers::new(),
            notes: Numbers::new(),
            dropped_attributes: Numbers::new(),
            dropped_events: Numbers::new(),
            dropped_links: Numbers::new(),
            resources: Codes::new(layout.resources.iter().map(|resource| resource.text.as_str())),
            scopes: Codes::new(layout.scopes.iter().map(|scope| scope.text.as_str())),
            shapes: Codes::new(layout.shapes.iter().map(|shape| shape.text.as_str())),
            attributes: columns.iter().map(|column| Attributes::new(column.value_type)).collect(),
            rest: Texts::new(),
            events: Texts::new(),
            links: Texts::new(),
        }
    }

    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    pub(super) fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    /// Whose rows the next ones are. The batch must be empty.
    pub(super) fn tenant(&mut self, name: &str) {
        debug_assert_eq!(self.rows, 0, "a batch is of one tenant");
        self.tenants = Codes::new([name]);
    }

    /// Adds a row; its values have the types of its shape.
    pub(super) fn push(&mut self, layout: &Layout, trace_id: TraceId, row: &Row<'_>, parent: Parent, service: u32) {
        let at = self.rows;
        self.tenants.put(0);
        self.trace_ids.put(at, trace_id.0);
        self.span_ids.put(at, row.span_id.0);
        match parent {
            Parent::None => {}
            Parent::Offset(offset) => self.parent_offsets.put(at, offset),
            Parent::Id(id) => self.parent_span_ids.put(at, id.0),
        }
        self.starts.put(at, row.start_unix_nanos);
        self.durations.put(at, row.duration_nanos);
        self.received.put(at, row.received_unix_nanos);
        self.services.put(service);
        self.names.put(at, row.name);
        self.kinds.put(row.kind as u32);
        self.statuses.put(row.status as u32);
        put_unless_empty(&mut self.status_messages, at, row.status_message);
        put_unless_empty(&mut self.trace_states, at, row.trace_state);
        self.errors.put(at, row.is_error);
        self.flags.put(at, row.flags);
        self.notes.put(at, u32::from(row.notes.0));
        let dropped = [
            (&mut self.dropped_attributes, row.dropped_attributes_count),
            (&mut self.dropped_events, row.dropped_events_count),
            (&mut self.dropped_links, row.dropped_links_count),
        ];
        for (column, count) in dropped.into_iter().filter(|(_, count)| *count != 0) {
            column.put(at, count);
        }
        self.resources.put(row.resource.0);
        self.scopes.put(row.scope.0);
        self.shapes.put(row.shape.0);
        self.push_attributes(layout, row);
        self.byte_count += row.name.len() + row.status_message.len() + row.trace_state.len();
        if !row.events.is_empty() {
            self.byte_count += self.events.put_with(at, |out| json::write_events(out, row.events));
        }
        if !row.links.is_empty() {
            self.byte_count += self.links.put_with(at, |out| json::write_links(out, row.links));
        }
        self.rows += 1;
    }

    fn push_attributes(&mut self, layout: &Layout, row: &Row<'_>) {
        let shape = &layout.shapes[row.shape.0 as usize];
        for (slot, value) in shape.slots.iter().zip(row.values) {
            if let Slot::Column(column) = slot {
                self.byte_count += self.attributes[*column as usize].put(self.rows, *value);
            }
        }
        if shape.has_rest {
            let entries = shape.slots.iter().zip(&shape.keys).zip(row.values);
            let rest = entries.filter(|((slot, _), _)| **slot == Slot::Rest);
            let rest = rest.map(|((_, key), value)| (layout.keys[*key as usize].key.as_ref(), *value));
            self.byte_count += self.rest.put_with(self.rows, |out| json::write_entries(out, rest));
        }
    }

    /// Bytes of the texts whose length senders choose: no column has more.
    pub(super) fn byte_count(&self) -> usize {
        self.byte_count
    }

    /// The rows for Parquet; the batch is empty afterwards.
    pub(super) fn finish(&mut self) -> Result<RecordBatch, ArrowError> {
        let rows = std::mem::take(&mut self.rows);
        self.byte_count = 0;
        let mut columns = vec![
            self.tenants.finish()?,
            self.trace_ids.finish(rows)?,
            self.span_ids.finish(rows)?,
            self.parent_offsets.finish(rows),
            self.parent_span_ids.finish(rows)?,
            self.starts.finish(rows),
            self.durations.finish(rows),
            self.received.finish(rows),
            self.services.finish()?,
            self.names.texts(rows)?,
            self.kinds.finish()?,
            self.statuses.finish()?,
            self.status_messages.texts(rows)?,
            self.trace_states.texts(rows)?,
            self.errors.finish(rows),
            self.flags.finish(rows),
            self.notes.finish(rows),
            self.dropped_attributes.finish(rows),
            self.dropped_events.finish(rows),
            self.dropped_links.finish(rows),
            self.resources.finish()?,
            self.scopes.finish()?,
            self.shapes.finish()?,
        ];
        for column in &mut self.attributes {
            columns.push(column.finish(rows)?);
        }
        columns.extend([self.rest.texts(rows)?, self.events.texts(rows)?, self.links.texts(rows)?]);
        RecordBatch::try_new(self.schema.clone(), columns)
    }
}

impl Attributes {
    fn new(value_type: AttributeType) -> Self {
        match value_type {
            AttributeType::String | AttributeType::Json | AttributeType::Empty => Self::Texts(Texts::new()),
            AttributeType::Bytes => Self::Bytes(Texts::new()),
            AttributeType::Int => Self::Ints(Numbers::new()),
            AttributeType::Double => Self::Doubles(Numbers::new()),
            AttributeType::Bool => Self::Truths(Truths::new()),
        }
    }

    /// The value of a row; returns how many bytes of text it took.
    fn put(&mut self, row: usize, value: ValueRef<'_>) -> usize {
        match (self, value) {
            (Self::Texts(texts), ValueRef::String(bytes)) | (Self::Bytes(texts), ValueRef::Bytes(bytes)) => {
                texts.put(row, bytes);
                return bytes.len();
            }
            (Self::Texts(texts), nested) => return texts.put_with(row, |out| json::write_value(out, nested)),
            (Self::Ints(numbers), ValueRef::Int(number)) => numbers.put(row, number),
            (Self::Doubles(numbers), ValueRef::Double(number)) => numbers.put(row, number),
            (Self::Truths(truths), ValueRef::Bool(truth)) => truths.put(row, truth),
            // The writer has checked the row's types.
            _ => {}
        }
        0
    }

    fn finish(&mut self, rows: usize) -> Result<ArrayRef, ArrowError> {
        match self {
            Self::Texts(texts) => texts.texts(rows),
            Self::Bytes(texts) => texts.bytes(rows),
            Self::Ints(numbers) => Ok(numbers.finish(rows)),
            Self::Doubles(numbers) => Ok(numbers.finish(rows)),
            Self::Truths(truths) => Ok(truths.finish(rows)),
        }
    }
}

fn put_unless_empty(texts: &mut Texts, row: usize, text: &[u8]) {
    if !text.is_empty() {
        texts.put(row, text);
    }
}
