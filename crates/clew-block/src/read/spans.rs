//! Rows as whole spans.
//!
//! The intrinsic columns of the rows are read first, one after the other; then only those attribute columns that the
//! rows' shapes name.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use clew_model::relation::{Need, need};
use clew_model::{Attribute, Kind, Notes, Resource, Scope, Span, SpanId, StatusCode, TraceId, Value};

use super::bitmap::Bitmap;
use super::column::Page;
use super::damage::ReadError;
use super::data::Data;
use crate::AttributeType;
use crate::json::{read_attributes, read_events, read_links, read_resource, read_scope, read_value};

/// Resources, scopes and shapes that are kept from one range of rows to the next.
const KEPT_MAX: usize = 4096;

/// What texts stand for.
type Kept<T> = HashMap<Box<[u8]>, T, foldhash::fast::RandomState>;

/// Reads the spans of one block, which share their resources and scopes.
pub(super) struct SpanReader<'d> {
    data: &'d Data,
    resources: Kept<Arc<Resource>>,
    scopes: Kept<Arc<Scope>>,
    shapes: Kept<Arc<[Token]>>,
    trace_id: Option<TraceId>,
    /// What is read of a span.
    depth: Depth,
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

/// What [`SpanReader::read`] gives, and what it still owes.
#[derive(Default)]
struct Found {
    spans: Vec<Span>,
    /// Places among `spans` whose parent lies so many rows away.
    parents: Vec<(usize, i32)>,
}

/// A part of the rows, all in one row group.
struct Part<'p> {
    group: usize,
    /// The rows, within their group.
    rows: Range<usize>,
    map: Bitmap,
    spans: &'p mut [Span],
}

impl<'d> SpanReader<'d> {
    pub(super) fn new(data: &'d Data) -> Self {
        let (resources, scopes, shapes) = (Kept::default(), Kept::default(), Kept::default());
        Self { data, resources, scopes, shapes, trace_id: None, depth: Depth::Whole }
    }

    /// All rows that are read from now on are known to be of this trace; `None` when their column has to say.
    pub(super) fn of_trace(&mut self, trace_id: Option<TraceId>) {
        self.trace_id = trace_id;
    }

    /// Reads no more than that of each span from now on.
    pub(super) fn set_depth(&mut self, depth: Depth) {
        self.depth = depth;
    }

    /// The spans of these rows, in their order.
    pub(super) fn read(&mut self, rows: Range<u64>) -> Result<Vec<Span>, ReadError> {
        let mut spans = self.read_rows(rows.clone())?;
        if let Some(trace_id) = self.trace_id {
            for span in &mut spans {
                span.trace_id = trace_id;
            }
            return Ok(spans);
        }
        let mut from = 0;
        for (group, part) in self.data.parts(rows) {
            let map = Bitmap::of_range(self.data.footer.row_count(group), part.clone());
            self.data.for_each(group, "trace_id", &map, |row, page, at| {
                spans[from + row - part.start].trace_id = TraceId(page.bytes(at).try_into().unwrap_or_default());
            })?;
            from += part.len();
        }
        Ok(spans)
    }

    fn read_rows(&mut self, rows: Range<u64>) -> Result<Vec<Span>, ReadError> {
        let parts: Vec<_> = self.data.parts(rows.clone()).collect();
        let found: usize = parts.iter().map(|(_, rows)| rows.len()).sum();
        if found as u64 != rows.end - rows.start {
            return Err(self.data.damaged("rows that the sidecar names are not in it"));
        }
        let mut answer = Found { spans: vec![Span::default(); found], parents: Vec::new() };
        let mut from = 0;
        for (group, rows) in parts {
            let map = Bitmap::of_range(self.data.footer.row_count(group), rows.clone());
            let to = from + rows.len();
            let mut part = Part { group, rows, map, spans: &mut answer.spans[from..to] };
            if self.depth == Depth::Outline {
                self.outline(&mut part)?;
                from = to;
                continue;
            }
            self.data.fetch(group);
            self.ids(&mut part, from, &mut answer.parents)?;
            self.times(&mut part)?;
            self.words(&mut part)?;
            self.resource(&mut part)?;
            if self.depth == Depth::Whole {
                self.numbers(&mut part)?;
                self.messages(&mut part)?;
                self.scope(&mut part)?;
                self.events(&mut part)?;
            }
            self.links(&mut part)?;
            self.attributes(&mut part)?;
            from = to;
        }
        self.resolve(rows.start, &mut answer)?;
        Ok(answer.spans)
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

    fn ids(&self, part: &mut Part<'_>, from: usize, parents: &mut Vec<(usize, i32)>) -> Result<(), ReadError> {
        let data = self.data;
        part.each(data, "span_id", |span, page, at| span.span_id = span_id(page, at))?;
        part.each(data, "parent_span_id", |span, page, at| span.parent_span_id = Some(span_id(page, at)))?;
        let first = part.rows.start;
        data.for_each(part.group, "parent_offset", &part.map, |row, page, at| {
            parents.push((from + row - first, page.number(at) as u32 as i32));
        })
    }

    /// Looks parents up by their rows.
    fn resolve(&self, first_row: u64, found: &mut Found) -> Result<(), ReadError> {
        let end = self.data.footer.first_rows[self.data.footer.group_count()];
        let mut outside = Vec::new();
        let mut parents = Vec::with_capacity(found.parents.len());
        for (at, offset) in std::mem::take(&mut found.parents) {
            let row = (first_row + at as u64).checked_add_signed(i64::from(offset)).filter(|row| *row < end);
            let Some(row) = row else {
                return Err(self.data.damaged("a parent's row is not in it"));
            };
            match row.checked_sub(first_row).and_then(|at| found.spans.get(at as usize)) {
                Some(parent) => parents.push((at, parent.span_id)),
                None => outside.push((row, at)),
            }
        }
        outside.sort_unstable();
        let ids = self.span_ids_of(&outside)?;
        parents.extend(outside.iter().zip(ids).map(|((_, at), id)| (*at, id)));
        for (at, id) in parents {
            found.spans[at].parent_span_id = Some(id);
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
        let data = self.data;
        part.each(data, "name", |span, page, at| span.name = text(page.bytes(at)))?;
        part.each(data, "trace_state", |span, page, at| span.trace_state = text(page.bytes(at)))?;
        self.codes(part)
    }

    fn messages(&self, part: &mut Part<'_>) -> Result<(), ReadError> {
        part.each(self.data, "status_message", |span, page, at| span.status.message = text(page.bytes(at)))
    }

    fn codes(&self, part: &mut Part<'_>) -> Result<(), ReadError> {
        let (data, mut unknown) = (self.data, false);
        part.each(data, "kind", |span, page, at| {
            let kind = Kind::ALL.into_iter().find(|kind| kind.as_str().as_bytes() == page.bytes(at));
            unknown |= kind.is_none();
            span.kind = kind.unwrap_or_default();
        })?;
        part.each(data, "status", |span, page, at| {
            let codes = [StatusCode::Unset, StatusCode::Ok, StatusCode::Error];
            let code = codes.into_iter().find(|code| code.as_str().as_bytes() == page.bytes(at));
            unknown |= code.is_none();
            span.status.code = code.unwrap_or_default();
        })?;
        if unknown { Err(self.data.malformed(part.group, "kind")) } else { Ok(()) }
    }

    fn resource(&mut self, part: &mut Part<'_>) -> Result<(), ReadError> {
        let (data, resources, mut is_wrong) = (self.data, &mut self.resources, false);
        part.each(data, "resource", |span, page, at| {
            match kept(resources, page.bytes(at), |text| read_resource(text).ok().map(Arc::new)) {
                Some(resource) => span.resource = resource,
                None => is_wrong = true,
            }
        })?;
        if is_wrong { Err(self.data.malformed(part.group, "resource")) } else { Ok(()) }
    }

    fn scope(&mut self, part: &mut Part<'_>) -> Result<(), ReadError> {
        let (data, scopes, mut is_wrong) = (self.data, &mut self.scopes, false);
        part.each(data, "scope", |span, page, at| {
            match kept(scopes, page.bytes(at), |text| read_scope(text).ok().map(Arc::new)) {
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
        // Per column and for the rest, which row of the part has a value there and the value's place in its span.
        let mut wanted: Vec<Vec<(usize, usize)>> = vec![Vec::new(); columns.len()];
        let mut rest: Vec<(usize, usize)> = Vec::new();
        let is_whole = self.depth == Depth::Whole;
        let needs: Vec<Need> =
            columns.iter().map(|column| if is_whole { Need::Value } else { need(&column.key) }).collect();
        let (shapes, mut is_wrong, mut row) = (&mut self.shapes, false, 0);
        part.each(data, "shape", |span, page, at| {
            match kept(shapes, page.bytes(at), |text| tokens(text, columns.len()).map(Arc::from)) {
                Some(tokens) => {
                    for token in tokens.iter() {
                        let place = span.attributes.len();
                        match token {
                            Token::Column(column) => match needs[*column] {
                                Need::Nothing => continue,
                                Need::Presence => {
                                    let key = columns[*column].key.clone();
                                    span.attributes.push(Attribute { key, value: Value::Empty });
                                    continue;
                                }
                                Need::Value => wanted[*column].push((row, place)),
                            },
                            Token::Rest => rest.push((row, place)),
                        }
                        span.attributes.push(Attribute::default());
                    }
                }
                None => is_wrong = true,
            }
            row += 1;
        })?;
        if is_wrong || row != part.rows.len() {
            return Err(self.data.malformed(part.group, "shape"));
        }
        for (column, wanted) in wanted.iter().enumerate().filter(|(_, wanted)| !wanted.is_empty()) {
            self.column(part, column, wanted)?;
        }
        self.rest(part, &rest)?;
        if !is_whole {
            // What lies in no column has no key before it is read.
            for (row, _) in rest {
                part.spans[row].attributes.retain(|attribute| need(&attribute.key) != Need::Nothing);
            }
        }
        Ok(())
    }

    /// Puts the values of a column where they belong.
    fn column(&self, part: &mut Part<'_>, number: usize, wanted: &[(usize, usize)]) -> Result<(), ReadError> {
        let described = &self.data.footer.attributes[number];
        let mut map = Bitmap::none(part.map.row_count());
        for (row, _) in wanted {
            map.set(part.rows.start + row);
        }
        let mut column = self.data.column(part.group, described.leaf)?;
        let mut wanted = wanted.iter().peekable();
        let mut is_wrong = false;
        while let Some(page) = column.next(&map)? {
            page.for_each_in(&map, |row, at| {
                let Some((row, place)) = wanted.next_if(|(wanted, _)| part.rows.start + wanted == row) else { return };
                match value(described.kind, &page, at) {
                    Some(value) => {
                        part.spans[*row].attributes[*place] = Attribute { key: described.key.clone(), value };
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
    fn rest(&self, part: &mut Part<'_>, wanted: &[(usize, usize)]) -> Result<(), ReadError> {
        if wanted.is_empty() {
            return Ok(());
        }
        let mut map = Bitmap::none(part.map.row_count());
        for (row, _) in wanted {
            map.set(part.rows.start + row);
        }
        let (mut wanted, mut is_wrong) = (wanted.iter().peekable(), false);
        self.data.for_each(part.group, "rest", &map, |row, page, at| {
            let Ok(attributes) = read_attributes(page.bytes(at)) else {
                is_wrong = true;
                return;
            };
            for attribute in attributes {
                match wanted.next_if(|(wanted, _)| part.rows.start + wanted == row) {
                    Some((row, place)) => part.spans[*row].attributes[*place] = attribute,
                    None => is_wrong = true,
                }
            }
        })?;
        if is_wrong || wanted.next().is_some() { Err(self.data.malformed(part.group, "rest")) } else { Ok(()) }
    }
}

impl Part<'_> {
    /// Calls `set` with each span that has a value in the column.
    fn each(&mut self, data: &Data, name: &str, mut set: impl FnMut(&mut Span, &Page, usize)) -> Result<(), ReadError> {
        let first = self.rows.start;
        data.for_each(self.group, name, &self.map, |row, page, at| set(&mut self.spans[row - first], page, at))
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
