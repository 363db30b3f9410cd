//! Rows as whole spans.
//!
//! The intrinsic columns of the rows are read first, one after the other; then only those attribute columns that the
//! rows' shapes name.

mod part;

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use clew_model::relation::{Need, need, needs};
use clew_model::{Attribute, Kind, Notes, Resource, Scope, Span, SpanId, StatusCode, TraceId, Value};

use self::part::{Part, Rows, Wanted};
use super::bitmap::Bitmap;
use super::codes::Memo;
use super::column::Page;
use super::damage::ReadError;
use super::data::Data;
use super::footer::AttributeColumn;
use crate::AttributeType;
use crate::json::{read_attributes, read_events, read_links, read_resource, read_scope, read_value};

/// Resources, scopes and shapes that are kept from one range of rows to the next.
const KEPT_MAX: usize = 4096;

/// What texts stand for.
type Kept<T> = HashMap<Box<[u8]>, T, foldhash::fast::RandomState>;

/// Where the values of a span's attributes lie, and what is needed of each.
type Shape = Arc<[(Token, Need)]>;

/// Reads the spans of one block, which share their resources and scopes.
pub(super) struct SpanReader<'d> {
    data: &'d Data,
    resources: Kept<Arc<Resource>>,
    scopes: Kept<Arc<Scope>>,
    shapes: Kept<Shape>,
    trace_id: Option<TraceId>,
    /// What is read of a span.
    depth: Depth,
    /// Rows that nobody asked for, rising.
    gaps: Vec<Range<u64>>,
}

/// Where the value of one attribute of a span lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token {
    /// In the attribute column with that number.
    Column(usize),
    /// In the next entry of `rest`.
    Rest,
}

/// What is read of a span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Depth {
    /// All of it.
    Whole,
    /// What [`clew_model::scan::SpanSource::figured`] asks for.
    Figures,
    /// What [`clew_model::scan::SpanSource::outlines`] asks for.
    Outline,
}

impl<'d> SpanReader<'d> {
    pub(super) fn new(data: &'d Data) -> Self {
        let (resources, scopes, shapes) = (Kept::default(), Kept::default(), Kept::default());
        Self { data, resources, scopes, shapes, trace_id: None, depth: Depth::Whole, gaps: Vec::new() }
    }

    /// Gives no spans of these rows from now on. They rise.
    pub(super) fn leave_out(&mut self, gaps: Vec<Range<u64>>) {
        self.gaps = gaps;
    }

    /// All rows that are read from now on are known to be of this trace; `None` when their column has to say.
    pub(super) fn of_trace(&mut self, trace_id: Option<TraceId>) {
        self.trace_id = trace_id;
    }

    /// Reads no more than that of each span from now on.
    pub(super) fn set_depth(&mut self, depth: Depth) {
        self.depth = depth;
        self.shapes.clear();
    }

    /// The spans of these rows, in their order.
    pub(super) fn read(&mut self, rows: Range<u64>) -> Result<Vec<Span>, ReadError> {
        let there: usize = self.data.parts(rows.clone()).map(|(_, rows)| rows.len()).sum();
        if there as u64 != rows.end - rows.start {
            return Err(self.data.damaged("rows that the sidecar names are not in it"));
        }
        let rows = Rows::new(rows, &self.gaps);
        let mut spans = vec![Span { trace_id: self.trace_id.unwrap_or_default(), ..Span::default() }; rows.count];
        // Rows whose parent lies so many rows away.
        let mut parents: Vec<(u64, i32)> = Vec::new();
        for (group, own) in self.data.parts(rows.all.clone()) {
            let first_row = self.data.footer.first_rows[group];
            let map = self.map(group, own);
            let mut part = Part { group, first_row, map, rows: &rows, spans: &mut spans };
            if !part.map.is_empty() {
                self.part(&mut part, &mut parents)?;
            }
        }
        self.resolve(&parents, &rows, &mut spans)?;
        Ok(spans)
    }

    /// Those of a group's rows that are read.
    fn map(&self, group: usize, rows: Range<usize>) -> Bitmap {
        let mut map = Bitmap::of_range(self.data.footer.row_count(group), rows);
        let within = |row: u64| row.saturating_sub(self.data.footer.first_rows[group]) as usize;
        self.gaps.iter().for_each(|gap| map.clear_range(within(gap.start)..within(gap.end)));
        map
    }

    fn part(&mut self, part: &mut Part<'_>, parents: &mut Vec<(u64, i32)>) -> Result<(), ReadError> {
        let data = self.data;
        if self.depth != Depth::Outline {
            data.fetch(part.group);
        }
        if self.trace_id.is_none() {
            part.each(data, "trace_id", |span, page, at| {
                span.trace_id = TraceId(page.bytes(at).try_into().unwrap_or_default());
            })?;
        }
        if self.depth == Depth::Outline {
            return self.outline(part);
        }
        self.ids(part, parents)?;
        self.times(part)?;
        self.words(part)?;
        self.resource(part)?;
        if self.depth == Depth::Whole {
            self.numbers(part)?;
            self.messages(part)?;
            self.scope(part)?;
            self.events(part)?;
        }
        self.links(part)?;
        self.attributes(part)
    }

    /// What is drawn of a span.
    fn outline(&mut self, part: &mut Part<'_>) -> Result<(), ReadError> {
        let data = self.data;
        part.each(data, "span_id", |span, page, at| span.span_id = span_id(page, at))?;
        part.each(data, "start_unix_nanos", |span, page, at| span.start_unix_nanos = page.number(at))?;
        part.each(data, "duration_nanos", |span, page, at| span.duration_nanos = page.number(at))?;
        part.each(data, "error", |span, page, at| {
            if page.truth(at) {
                span.status.code = StatusCode::Error;
            }
        })?;
        self.resource(part)
    }

    fn ids(&self, part: &mut Part<'_>, parents: &mut Vec<(u64, i32)>) -> Result<(), ReadError> {
        let data = self.data;
        part.each(data, "span_id", |span, page, at| span.span_id = span_id(page, at))?;
        part.each(data, "parent_span_id", |span, page, at| span.parent_span_id = Some(span_id(page, at)))?;
        data.for_each(part.group, "parent_offset", &part.map, |row, page, at| {
            parents.push((part.first_row + row as u64, page.number(at) as u32 as i32));
        })
    }

    /// Looks parents up by their rows.
    fn resolve(&self, offsets: &[(u64, i32)], rows: &Rows, spans: &mut [Span]) -> Result<(), ReadError> {
        let end = self.data.footer.first_rows[self.data.footer.group_count()];
        let mut outside = Vec::new();
        let mut parents = Vec::with_capacity(offsets.len());
        for (row, offset) in offsets {
            let parent = row.checked_add_signed(i64::from(*offset)).filter(|parent| *parent < end);
            let Some(parent) = parent else {
                return Err(self.data.damaged("a parent's row is not in it"));
            };
            let Some(at) = rows.place(*row) else { continue };
            match rows.place(parent) {
                Some(parent) => parents.push((at, spans[parent].span_id)),
                None => outside.push((parent, at)),
            }
        }
        outside.sort_unstable();
        let ids = self.span_ids_of(&outside)?;
        parents.extend(outside.iter().zip(ids).map(|((_, at), id)| (*at, id)));
        for (at, id) in parents {
            spans[at].parent_span_id = Some(id);
        }
        Ok(())
    }

    /// The ids of rows that were not asked for, which rise and may repeat.
    fn span_ids_of(&self, rows: &[(u64, usize)]) -> Result<Vec<SpanId>, ReadError> {
        let mut ids = Vec::with_capacity(rows.len());
        let firsts = &self.data.footer.first_rows;
        for rows in rows.chunk_by(|one, next| self.data.footer.group_of(one.0) == self.data.footer.group_of(next.0)) {
            let group = self.data.footer.group_of(rows[0].0);
            let mut map = Bitmap::none(self.data.footer.row_count(group));
            for (row, _) in rows {
                map.set((row - firsts[group]) as usize);
            }
            let mut wanted = rows.iter().map(|(row, _)| (row - firsts[group]) as usize).peekable();
            self.data.for_each(group, "span_id", &map, |row, page, at| {
                while wanted.next_if_eq(&row).is_some() {
                    ids.push(span_id(page, at));
                }
            })?;
        }
        Ok(ids)
    }

    fn times(&self, part: &mut Part<'_>) -> Result<(), ReadError> {
        let data = self.data;
        part.each(data, "start_unix_nanos", |span, page, at| span.start_unix_nanos = page.number(at))?;
        part.each(data, "duration_nanos", |span, page, at| span.duration_nanos = page.number(at))?;
        part.each(data, "received_unix_nanos", |span, page, at| span.received_unix_nanos = page.number(at))?;
        part.each(data, "flags", |span, page, at| span.flags = page.number(at) as u32)?;
        part.each(data, "notes", |span, page, at| span.notes = Notes(page.number(at) as u16))
    }

    fn numbers(&self, part: &mut Part<'_>) -> Result<(), ReadError> {
        let data = self.data;
        let count = |page: &Page, at| page.number(at) as u32;
        part.each(data, "dropped_attributes", |span, page, at| span.dropped_attributes_count = count(page, at))?;
        part.each(data, "dropped_events", |span, page, at| span.dropped_events_count = count(page, at))?;
        part.each(data, "dropped_links", |span, page, at| span.dropped_links_count = count(page, at))
    }

    fn words(&self, part: &mut Part<'_>) -> Result<(), ReadError> {
        let (data, mut names) = (self.data, Memo::new());
        let name = |bytes: &[u8]| Some(text(bytes));
        part.each(data, "name", |span, page, at| span.name = names.get(page, at, name).unwrap_or_default())?;
        part.each(data, "trace_state", |span, page, at| span.trace_state = text(page.bytes(at)))?;
        self.codes(part)
    }

    fn messages(&self, part: &mut Part<'_>) -> Result<(), ReadError> {
        part.each(self.data, "status_message", |span, page, at| span.status.message = text(page.bytes(at)))
    }

    fn codes(&self, part: &mut Part<'_>) -> Result<(), ReadError> {
        let (data, mut unknown) = (self.data, false);
        let mut kinds = Memo::new();
        part.each(data, "kind", |span, page, at| {
            let kind = |text: &[u8]| Kind::ALL.into_iter().find(|kind| kind.as_str().as_bytes() == text);
            let kind = kinds.get(page, at, kind);
            unknown |= kind.is_none();
            span.kind = kind.unwrap_or_default();
        })?;
        let mut codes = Memo::new();
        part.each(data, "status", |span, page, at| {
            let all = [StatusCode::Unset, StatusCode::Ok, StatusCode::Error];
            let code = |text: &[u8]| all.into_iter().find(|code| code.as_str().as_bytes() == text);
            let code = codes.get(page, at, code);
            unknown |= code.is_none();
            span.status.code = code.unwrap_or_default();
        })?;
        if unknown { Err(self.data.malformed(part.group, "kind")) } else { Ok(()) }
    }

    fn resource(&mut self, part: &mut Part<'_>) -> Result<(), ReadError> {
        let (data, resources, mut is_wrong, mut memo) = (self.data, &mut self.resources, false, Memo::new());
        part.each(data, "resource", |span, page, at| {
            let resource = |text: &[u8]| kept(resources, text, |text| read_resource(text).ok().map(Arc::new));
            match memo.get(page, at, resource) {
                Some(resource) => span.resource = resource,
                None => is_wrong = true,
            }
        })?;
        if is_wrong { Err(self.data.malformed(part.group, "resource")) } else { Ok(()) }
    }

    fn scope(&mut self, part: &mut Part<'_>) -> Result<(), ReadError> {
        let (data, scopes, mut is_wrong, mut memo) = (self.data, &mut self.scopes, false, Memo::new());
        part.each(data, "scope", |span, page, at| {
            let scope = |text: &[u8]| kept(scopes, text, |text| read_scope(text).ok().map(Arc::new));
            match memo.get(page, at, scope) {
                Some(scope) => span.scope = scope,
                None => is_wrong = true,
            }
        })?;
        if is_wrong { Err(self.data.malformed(part.group, "scope")) } else { Ok(()) }
    }

    fn events(&self, part: &mut Part<'_>) -> Result<(), ReadError> {
        let mut is_wrong = false;
        part.each(self.data, "events", |span, page, at| {
            let events = read_events(page.bytes(at));
            is_wrong |= events.is_err();
            span.events = events.unwrap_or_default();
        })?;
        if is_wrong { Err(self.data.malformed(part.group, "events")) } else { Ok(()) }
    }

    fn links(&self, part: &mut Part<'_>) -> Result<(), ReadError> {
        let mut is_wrong = false;
        part.each(self.data, "links", |span, page, at| {
            let links = read_links(page.bytes(at));
            is_wrong |= links.is_err();
            span.links = links.unwrap_or_default();
        })?;
        if is_wrong { Err(self.data.malformed(part.group, "links")) } else { Ok(()) }
    }

    fn attributes(&mut self, part: &mut Part<'_>) -> Result<(), ReadError> {
        let data = self.data;
        let columns = &data.footer.attributes;
        // Per column and for the rest, which row has a value there and the value's place in its span.
        let mut wanted: Vec<Vec<Wanted>> = vec![Vec::new(); columns.len()];
        let mut rest: Vec<Wanted> = Vec::new();
        let is_whole = self.depth == Depth::Whole;
        let (shapes, mut is_wrong, mut row_count, mut memo) = (&mut self.shapes, false, 0, Memo::new());
        part.each_row(data, "shape", |row, span, page, at| {
            let shape = |text: &[u8]| kept(shapes, text, |text| shape(text, columns, is_whole));
            match memo.get(page, at, shape) {
                Some(shape) => {
                    span.attributes.reserve_exact(shape.len());
                    for (token, need) in shape.iter() {
                        let place = span.attributes.len();
                        let mut attribute = Attribute::default();
                        match token {
                            Token::Column(column) if *need == Need::Value => wanted[*column].push((row, place)),
                            Token::Column(column) => attribute.key.clone_from(&columns[*column].key),
                            Token::Rest => rest.push((row, place)),
                        }
                        span.attributes.push(attribute);
                    }
                }
                None => is_wrong = true,
            }
            row_count += 1;
        })?;
        if is_wrong || row_count != part.map.count() {
            return Err(self.data.malformed(part.group, "shape"));
        }
        for (column, wanted) in wanted.iter().enumerate().filter(|(_, wanted)| !wanted.is_empty()) {
            self.column(part, column, wanted)?;
        }
        self.rest(part, &rest)?;
        if !is_whole {
            // What lies in no column has no key before it is read.
            for (row, _) in rest {
                part.span(row).attributes.retain(|attribute| need(&attribute.key) != Need::Nothing);
            }
        }
        Ok(())
    }

    /// Puts the values of a column where they belong.
    fn column(&self, part: &mut Part<'_>, number: usize, wanted: &[Wanted]) -> Result<(), ReadError> {
        let described = &self.data.footer.attributes[number];
        let map = part.map_of(wanted);
        let mut column = self.data.column(part.group, described.leaf)?;
        let mut wanted = wanted.iter().peekable();
        let mut is_wrong = false;
        while let Some(page) = column.next(&map)? {
            page.for_each_in(&map, |row, at| {
                let Some((row, place)) = wanted.next_if(|(wanted, _)| *wanted == row) else { return };
                match value(described.kind, &page, at) {
                    Some(value) => {
                        part.span(*row).attributes[*place] = Attribute { key: described.key.clone(), value };
                    }
                    None => is_wrong = true,
                }
            });
        }
        if is_wrong || wanted.next().is_some() {
            return Err(column.damaged("a value that a span has is not in it"));
        }
        Ok(())
    }

    /// Puts the attributes that have no column where they belong.
    fn rest(&self, part: &mut Part<'_>, wanted: &[Wanted]) -> Result<(), ReadError> {
        if wanted.is_empty() {
            return Ok(());
        }
        let map = part.map_of(wanted);
        let (mut wanted, mut is_wrong) = (wanted.iter().peekable(), false);
        self.data.for_each(part.group, "rest", &map, |row, page, at| {
            let Ok(attributes) = read_attributes(page.bytes(at)) else {
                is_wrong = true;
                return;
            };
            for attribute in attributes {
                match wanted.next_if(|(wanted, _)| *wanted == row) {
                    Some((row, place)) => part.span(*row).attributes[*place] = attribute,
                    None => is_wrong = true,
                }
            }
        })?;
        if is_wrong || wanted.next().is_some() { Err(self.data.malformed(part.group, "rest")) } else { Ok(()) }
    }
}

/// What the text stands for, read once.
fn kept<T: Clone>(known: &mut Kept<T>, text: &[u8], read: impl FnOnce(&[u8]) -> Option<T>) -> Option<T> {
    if let Some(kept) = known.get(text) {
        return Some(kept.clone());
    }
    let made = read(text)?;
    if known.len() >= KEPT_MAX {
        known.clear();
    }
    known.insert(text.into(), made.clone());
    Some(made)
}

/// A shape's text; of what figures need nothing of, only if all is read.
fn shape(text: &[u8], columns: &[AttributeColumn], is_whole: bool) -> Option<Shape> {
    let tokens = tokens(text, columns.len())?;
    // What lies in no column has no key before it is read.
    let key = |token: &Token| if let Token::Column(column) = token { columns[*column].key.as_str() } else { "" };
    let needs = needs(&tokens.iter().map(key).collect::<Vec<_>>());
    let needed = tokens.into_iter().zip(needs).map(|(token, need)| match token {
        Token::Column(_) if !is_whole => (token, need),
        _ => (token, Need::Value),
    });
    Some(needed.filter(|(_, need)| *need != Need::Nothing).collect())
}

/// A shape's text.
pub(super) fn tokens(text: &[u8], columns: usize) -> Option<Vec<Token>> {
    if text.is_empty() {
        return Some(Vec::new());
    }
    let token = |token: &[u8]| match token {
        b"r" => Some(Token::Rest),
        digits => {
            let number = std::str::from_utf8(digits).ok()?.parse().ok();
            number.filter(|number| *number < columns).map(Token::Column)
        }
    };
    text.split(|byte| *byte == b',').map(token).collect()
}

/// The value of an attribute column; `None` when it is malformed.
fn value(kind: AttributeType, page: &Page, at: usize) -> Option<Value> {
    Some(match kind {
        AttributeType::String => Value::String(text(page.bytes(at))),
        AttributeType::Int => Value::Int(page.number(at) as i64),
        AttributeType::Double => Value::Double(f64::from_bits(page.number(at))),
        AttributeType::Bool => Value::Bool(page.truth(at)),
        AttributeType::Bytes => Value::Bytes(page.bytes(at).to_vec()),
        AttributeType::Json => read_value(page.bytes(at)).ok()?,
        AttributeType::Empty => return None,
    })
}

fn span_id(page: &Page, at: usize) -> SpanId {
    SpanId(page.bytes(at).try_into().unwrap_or_default())
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_are_tokens() {
        assert_eq!(tokens(b"", 0), Some(Vec::new()));
        assert_eq!(tokens(b"2,r,0", 3), Some(vec![Token::Column(2), Token::Rest, Token::Column(0)]));
        for wrong in ["3", "r,", ",", "x", "-1", "r r"] {
            assert_eq!(tokens(wrong.as_bytes(), 3), None, "{wrong:?}");
        }
    }
}
