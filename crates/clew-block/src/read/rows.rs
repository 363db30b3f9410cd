//! Rows of a block as columns, to be written on: nothing is copied but numbers, texts stay where pages have them.

use std::ops::Range;

use clew_model::{Event, Kind, Link, Notes, SpanId, StatusCode, TraceId, Value, ValueRef};

use super::bitmap::Bitmap;
use super::codes::{Codes, Memo, rest_keys};
use super::column::Page;
use super::damage::ReadError;
use super::data::Data;
use super::spans::Token;
use crate::json::{read_attributes, read_events, read_links, read_value};
use crate::{AttributeType, ResourceCode, Row, ScopeCode, ShapeCode};

/// Bytes that a row takes beside what its pages have: about 130 of numbers, and 12 for each of some eight attributes.
const ROW_BYTES: u64 = 256;

/// Rows that follow each other, of one tenant and one row group.
#[derive(Default)]
pub(crate) struct Rows {
    fixed: Vec<Fixed>,
    cells: Vec<Cell>,
    /// Values that are not in pages as they are.
    values: Vec<Value>,
    /// Of rows that have any, by row.
    events: Vec<(u32, Vec<Event>)>,
    links: Vec<(u32, Vec<Link>)>,
    pages: Vec<Page>,
}

/// What all rows have.
#[derive(Clone, Copy)]
struct Fixed {
    trace_id: TraceId,
    span_id: SpanId,
    parent: Parent,
    start_unix_nanos: u64,
    duration_nanos: u64,
    received_unix_nanos: u64,
    flags: u32,
    notes: u16,
    kind: Kind,
    status: StatusCode,
    is_error: bool,
    name: Text,
    status_message: Text,
    trace_state: Text,
    /// Attributes, events and links.
    dropped_counts: [u32; 3],
    resource: ResourceCode,
    scope: ScopeCode,
    shape: ShapeCode,
    /// Its first cell.
    cells_from: u32,
}

/// Where a row's parent is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Parent {
    /// There is none.
    None,
    /// So many rows away, in the same trace.
    Offset(i32),
    /// In no row of the block.
    Id(SpanId),
}

/// A text: which page, and which of its values.
#[derive(Debug, Clone, Copy)]
struct Text {
    page: u32,
    at: u32,
}

/// The value of an attribute.
#[derive(Debug, Clone, Copy)]
enum Cell {
    Missing,
    String(Text),
    Bytes(Text),
    Int(i64),
    Double(f64),
    Bool(bool),
    /// One of `values`.
    Own(u32),
}

/// Reads the rows of one block.
pub(crate) struct RowReader<'d> {
    data: &'d Data,
    codes: &'d Codes,
    /// What rows that are read at once may take.
    memory_bytes: u64,
}

/// The rows that are wanted.
struct Wanted {
    group: usize,
    /// Within their group.
    rows: Range<usize>,
    map: Bitmap,
}

impl Text {
    const NONE: Self = Self { page: u32::MAX, at: 0 };
}

impl Fixed {
    const EMPTY: Self = Self {
        trace_id: TraceId([0; 16]),
        span_id: SpanId([0; 8]),
        parent: Parent::None,
        start_unix_nanos: 0,
        duration_nanos: 0,
        received_unix_nanos: 0,
        flags: 0,
        notes: 0,
        kind: Kind::Unspecified,
        status: StatusCode::Unset,
        is_error: false,
        name: Text::NONE,
        status_message: Text::NONE,
        trace_state: Text::NONE,
        dropped_counts: [0; 3],
        resource: ResourceCode(0),
        scope: ScopeCode(0),
        shape: ShapeCode(0),
        cells_from: 0,
    };
}

impl Rows {
    pub(crate) fn len(&self) -> usize {
        self.fixed.len()
    }

    pub(crate) fn trace_id(&self, row: usize) -> Option<TraceId> {
        self.fixed.get(row).map(|fixed| fixed.trace_id)
    }

    pub(crate) fn span_id(&self, row: usize) -> SpanId {
        self.fixed[row].span_id
    }

    pub(crate) fn parent(&self, row: usize) -> Parent {
        self.fixed[row].parent
    }

    /// Appends the values of a row's attributes.
    pub(crate) fn values<'r>(&'r self, row: usize, values: &mut Vec<ValueRef<'r>>) {
        let from = self.fixed[row].cells_from as usize;
        let to = self.fixed.get(row + 1).map_or(self.cells.len(), |next| next.cells_from as usize);
        values.extend(self.cells[from..to].iter().map(|cell| match cell {
            Cell::Missing => ValueRef::Empty,
            Cell::String(text) => ValueRef::String(self.text(*text)),
            Cell::Bytes(text) => ValueRef::Bytes(self.text(*text)),
            Cell::Int(number) => ValueRef::Int(*number),
            Cell::Double(number) => ValueRef::Double(*number),
            Cell::Bool(truth) => ValueRef::Bool(*truth),
            Cell::Own(at) => ValueRef::from(&self.values[*at as usize]),
        }));
    }

    /// A row, as a writer takes it.
    pub(crate) fn row<'r>(&'r self, row: usize, parent: Option<SpanId>, values: &'r [ValueRef<'r>]) -> Row<'r> {
        let fixed = &self.fixed[row];
        let [dropped_attributes_count, dropped_events_count, dropped_links_count] = fixed.dropped_counts;
        Row {
            span_id: fixed.span_id,
            parent_span_id: parent,
            start_unix_nanos: fixed.start_unix_nanos,
            duration_nanos: fixed.duration_nanos,
            received_unix_nanos: fixed.received_unix_nanos,
            name: self.text(fixed.name),
            kind: fixed.kind,
            status: fixed.status,
            status_message: self.text(fixed.status_message),
            trace_state: self.text(fixed.trace_state),
            is_error: fixed.is_error,
            flags: fixed.flags,
            notes: Notes(fixed.notes),
            resource: fixed.resource,
            scope: fixed.scope,
            shape: fixed.shape,
            values,
            events: list(&self.events, row),
            links: list(&self.links, row),
            dropped_attributes_count,
            dropped_events_count,
            dropped_links_count,
        }
    }

    fn text(&self, text: Text) -> &[u8] {
        self.pages.get(text.page as usize).map_or(&[], |page| page.bytes(text.at as usize))
    }
}

fn list<T>(lists: &[(u32, Vec<T>)], row: usize) -> &[T] {
    let at = lists.binary_search_by_key(&(row as u32), |(of, _)| *of);
    at.map_or(&[], |at| &lists[at].1)
}

impl<'d> RowReader<'d> {
    /// A reader whose rows take about so many bytes at once.
    pub(crate) fn new(data: &'d Data, codes: &'d Codes, memory_bytes: u64) -> Self {
        Self { data, codes, memory_bytes }
    }

    /// The end of the first of these rows that are read at once: all of one row group.
    pub(crate) fn end(&self, rows: Range<u64>) -> u64 {
        let footer = &self.data.footer;
        let group = footer.group_of(rows.start);
        let plain = footer.plain_bytes(group) / footer.row_count(group).max(1) as u64;
        // What JSON is read to takes more than its text.
        let count = (self.memory_bytes / (ROW_BYTES + 2 * plain)).clamp(ROWS_MIN, ROWS_MAX);
        (rows.start + count).min(rows.end).min(footer.first_rows[group + 1])
    }

    /// These rows, all of one row group.
    pub(crate) fn read(&self, rows: Range<u64>) -> Result<Rows, ReadError> {
        let data = self.data;
        let wrong = || data.damaged("rows that the sidecar names are not in it");
        let (group, within) = data.parts(rows.clone()).next().ok_or_else(wrong)?;
        if within.len() as u64 != rows.end - rows.start {
            return Err(wrong());
        }
        // Held while other rows of the group are read; else columns are read again each time.
        if data.footer.bytes(group).is_some_and(|bytes| bytes.end - bytes.start <= self.memory_bytes / 2) {
            data.fetch(group);
        }
        let map = Bitmap::of_range(data.footer.row_count(group), within.clone());
        let wanted = Wanted { group, rows: within, map };
        let mut read = Rows { fixed: vec![Fixed::EMPTY; wanted.rows.len()], ..Rows::default() };
        self.numbers(&wanted, &mut read)?;
        self.texts(&wanted, &mut read)?;
        self.words(&wanted, &mut read)?;
        self.lists(&wanted, &mut read)?;
        self.attributes(&wanted, &mut read)?;
        Ok(read)
    }

    /// Calls `set` with each row that has a value in the column.
    fn each(
        &self,
        wanted: &Wanted,
        name: &str,
        rows: &mut [Fixed],
        mut set: impl FnMut(&mut Fixed, &Page, usize),
    ) -> Result<(), ReadError> {
        let first = wanted.rows.start;
        self.data.for_each(wanted.group, name, &wanted.map, |row, page, at| set(&mut rows[row - first], page, at))
    }

    fn numbers(&self, wanted: &Wanted, read: &mut Rows) -> Result<(), ReadError> {
        let rows = &mut read.fixed;
        let span_id = |page: &Page, at| SpanId(page.bytes(at).try_into().unwrap_or_default());
        self.each(wanted, "trace_id", rows, |row, page, at| {
            row.trace_id = TraceId(page.bytes(at).try_into().unwrap_or_default());
        })?;
        self.each(wanted, "span_id", rows, |row, page, at| row.span_id = span_id(page, at))?;
        self.each(wanted, "parent_span_id", rows, |row, page, at| row.parent = Parent::Id(span_id(page, at)))?;
        self.each(wanted, "parent_offset", rows, |row, page, at| {
            row.parent = Parent::Offset(page.number(at) as u32 as i32);
        })?;
        self.each(wanted, "start_unix_nanos", rows, |row, page, at| row.start_unix_nanos = page.number(at))?;
        self.each(wanted, "duration_nanos", rows, |row, page, at| row.duration_nanos = page.number(at))?;
        self.each(wanted, "received_unix_nanos", rows, |row, page, at| row.received_unix_nanos = page.number(at))?;
        self.each(wanted, "flags", rows, |row, page, at| row.flags = page.number(at) as u32)?;
        self.each(wanted, "notes", rows, |row, page, at| row.notes = page.number(at) as u16)?;
        self.each(wanted, "error", rows, |row, page, at| row.is_error = page.truth(at))?;
        for (place, name) in ["dropped_attributes", "dropped_events", "dropped_links"].into_iter().enumerate() {
            self.each(wanted, name, rows, |row, page, at| row.dropped_counts[place] = page.number(at) as u32)?;
        }
        Ok(())
    }

    fn texts(&self, wanted: &Wanted, read: &mut Rows) -> Result<(), ReadError> {
        let first = wanted.rows.start;
        let Rows { fixed: rows, pages, .. } = read;
        for name in ["name", "status_message", "trace_state"] {
            let mut column = self.data.intrinsic(wanted.group, name)?;
            while let Some(page) = column.next(&wanted.map)? {
                let number = pages.len() as u32;
                page.for_each_in(&wanted.map, |row, at| {
                    let row = &mut rows[row - first];
                    let text = Text { page: number, at: at as u32 };
                    match name {
                        "name" => row.name = text,
                        "status_message" => row.status_message = text,
                        _ => row.trace_state = text,
                    }
                });
                pages.push(page);
            }
        }
        Ok(())
    }

    fn words(&self, wanted: &Wanted, read: &mut Rows) -> Result<(), ReadError> {
        let (rows, codes, mut is_wrong) = (&mut read.fixed, self.codes, false);
        let mut kinds = Memo::new();
        self.each(wanted, "kind", rows, |row, page, at| {
            let kind = |text: &[u8]| Kind::ALL.into_iter().find(|kind| kind.as_str().as_bytes() == text);
            put(&mut row.kind, kinds.get(page, at, kind), &mut is_wrong);
        })?;
        let mut statuses = Memo::new();
        self.each(wanted, "status", rows, |row, page, at| {
            let all = [StatusCode::Unset, StatusCode::Ok, StatusCode::Error];
            let status = |text: &[u8]| all.into_iter().find(|status| status.as_str().as_bytes() == text);
            put(&mut row.status, statuses.get(page, at, status), &mut is_wrong);
        })?;
        let mut resources = Memo::new();
        self.each(wanted, "resource", rows, |row, page, at| {
            let code = |text: &[u8]| codes.resources.get(text).copied();
            put(&mut row.resource, resources.get(page, at, code), &mut is_wrong);
        })?;
        let mut scopes = Memo::new();
        self.each(wanted, "scope", rows, |row, page, at| {
            let code = |text: &[u8]| codes.scopes.get(text).copied();
            put(&mut row.scope, scopes.get(page, at, code), &mut is_wrong);
        })?;
        if is_wrong { Err(self.data.malformed(wanted.group, "kind")) } else { Ok(()) }
    }

    fn lists(&self, wanted: &Wanted, read: &mut Rows) -> Result<(), ReadError> {
        let (data, first, mut is_wrong) = (self.data, wanted.rows.start, false);
        data.for_each(wanted.group, "events", &wanted.map, |row, page, at| {
            let events = read_events(page.bytes(at));
            is_wrong |= events.is_err();
            read.events.push(((row - first) as u32, events.unwrap_or_default()));
        })?;
        data.for_each(wanted.group, "links", &wanted.map, |row, page, at| {
            let links = read_links(page.bytes(at));
            is_wrong |= links.is_err();
            read.links.push(((row - first) as u32, links.unwrap_or_default()));
        })?;
        if is_wrong { Err(data.malformed(wanted.group, "events")) } else { Ok(()) }
    }

    fn attributes(&self, wanted: &Wanted, read: &mut Rows) -> Result<(), ReadError> {
        let (data, codes, first) = (self.data, self.codes, wanted.rows.start);
        // Per column, which row has a value there and the value's cell.
        let mut of_column: Vec<Vec<(u32, u32)>> = vec![Vec::new(); data.footer.attributes.len()];
        // Rows that have values elsewhere, and their shapes.
        let mut with_rest: Vec<(usize, u32)> = Vec::new();
        let (mut shapes, mut is_wrong, mut cells) = (Memo::new(), false, 0_u32);
        let rows = &mut read.fixed;
        data.for_each(wanted.group, "shape", &wanted.map, |row, page, at| {
            let Some(place) = shapes.get(page, at, |text| codes.shape_places.get(text).copied()) else {
                is_wrong = true;
                return;
            };
            let shape = &codes.shapes[place as usize];
            rows[row - first].cells_from = cells;
            for (cell, token) in (cells..).zip(&*shape.tokens) {
                if let Token::Column(column) = token {
                    of_column[*column].push((row as u32, cell));
                }
            }
            match shape.code {
                Some(code) => rows[row - first].shape = code,
                None => with_rest.push((row, place)),
            }
            cells += shape.tokens.len() as u32;
        })?;
        if is_wrong {
            return Err(data.malformed(wanted.group, "shape"));
        }
        read.cells = vec![Cell::Missing; cells as usize];
        for (column, wanted_cells) in of_column.iter().enumerate().filter(|(_, cells)| !cells.is_empty()) {
            self.column(wanted, column, wanted_cells, read)?;
        }
        self.rest(wanted, &with_rest, read)
    }

    /// Puts the values of a column into their cells.
    fn column(&self, wanted: &Wanted, number: usize, cells: &[(u32, u32)], read: &mut Rows) -> Result<(), ReadError> {
        let described = &self.data.footer.attributes[number];
        let mut map = Bitmap::none(wanted.map.row_count());
        for (row, _) in cells {
            map.set(*row as usize);
        }
        let mut column = self.data.column(wanted.group, described.leaf)?;
        let mut cells = cells.iter().peekable();
        let mut is_wrong = false;
        while let Some(page) = column.next(&map)? {
            let text = |at: usize| Text { page: read.pages.len() as u32, at: at as u32 };
            let values = &mut read.values;
            let targets = &mut read.cells;
            page.for_each_in(&map, |row, at| {
                let Some((_, cell)) = cells.next_if(|(of, _)| *of as usize == row) else { return };
                targets[*cell as usize] = match described.kind {
                    AttributeType::String => Cell::String(text(at)),
                    AttributeType::Bytes => Cell::Bytes(text(at)),
                    AttributeType::Int => Cell::Int(page.number(at) as i64),
                    AttributeType::Double => Cell::Double(f64::from_bits(page.number(at))),
                    AttributeType::Bool => Cell::Bool(page.truth(at)),
                    AttributeType::Json | AttributeType::Empty => {
                        let value = read_value(page.bytes(at));
                        is_wrong |= value.is_err();
                        values.push(value.unwrap_or_default());
                        Cell::Own(values.len() as u32 - 1)
                    }
                };
            });
            if matches!(described.kind, AttributeType::String | AttributeType::Bytes) {
                read.pages.push(page);
            }
        }
        if is_wrong || cells.next().is_some() {
            return Err(column.damaged("a value that a span has is not in it"));
        }
        Ok(())
    }

    /// Puts the values that have no column into their cells, and gives the rows their shapes.
    fn rest(&self, wanted: &Wanted, with_rest: &[(usize, u32)], read: &mut Rows) -> Result<(), ReadError> {
        if with_rest.is_empty() {
            return Ok(());
        }
        let (codes, first) = (self.codes, wanted.rows.start);
        let mut map = Bitmap::none(wanted.map.row_count());
        for (row, _) in with_rest {
            map.set(*row);
        }
        let mut with_rest = with_rest.iter().peekable();
        let mut put_row = |row: usize, text: &[u8]| -> Option<()> {
            let (_, shape) = with_rest.next_if(|(of, _)| *of == row)?;
            let shape = &codes.shapes[*shape as usize];
            let attributes = read_attributes(text).ok()?;
            let fixed = &mut read.fixed[row - first];
            fixed.shape = *shape.with_rest.get(&rest_keys(&attributes))?;
            let mut attributes = attributes.into_iter();
            for (cell, _) in (fixed.cells_from..).zip(&*shape.tokens).filter(|(_, token)| **token == Token::Rest) {
                read.values.push(attributes.next()?.value);
                read.cells[cell as usize] = Cell::Own(read.values.len() as u32 - 1);
            }
            Some(())
        };
        let mut is_wrong = false;
        self.data.for_each(wanted.group, "rest", &map, |row, page, at| {
            is_wrong |= put_row(row, page.bytes(at)).is_none();
        })?;
        let is_wrong = is_wrong || with_rest.next().is_some();
        if is_wrong { Err(self.data.malformed(wanted.group, "rest")) } else { Ok(()) }
    }
}

/// Rows that are read at once: fewer inflate pages again and again, more are of no use.
const ROWS_MIN: u64 = 64;
const ROWS_MAX: u64 = 8192;

fn put<T>(place: &mut T, value: Option<T>, is_wrong: &mut bool) {
    match value {
        Some(value) => *place = value,
        None => *is_wrong = true,
    }
}
