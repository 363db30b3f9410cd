//! The table of one key's values.
//!
//! Of a row these are up to three: the first in its own list, that of its resource and that of its scope. A key of a span's
//! own has a column per type, and what has no column is in `rest`; where a row has it more than once, the row's shape says
//! which came first.

use std::hash::BuildHasher;

use clew_model::scan::AttributeScope;
use clew_model::value::find;
use clew_model::{Attribute, Value};
use foldhash::fast::{FixedState, RandomState};
use hashbrown::HashMap;

use super::super::bitmap::Bitmap;
use super::super::cache::Part;
use super::super::column;
use super::super::damage::ReadError;
use super::super::data::Data;
use super::super::filter::Known;
use super::super::span_attribute::{contains, key_text};
use super::super::spans::{Token, tokens};
use super::Subject;
use super::coded::{ABSENT, UNCOUNTED, coded};
use super::table::{Builder, Table};
use crate::AttributeType;
use crate::json::{read_attributes, read_resource, read_scope, read_value};

/// The values of a key.
pub(super) struct Values<'k> {
    pub(super) key: &'k str,
}

/// Values so far: the word for a value's type is its mark.
type Texts = Builder<&'static str>;

/// Own values of rows in one column: its number among the attribute columns, and the values by row.
struct Own {
    column: usize,
    of_row: Vec<u32>,
}

/// Own values in `rest`: by row the place among `found`, which has the entry's place in its list and the value.
struct Rest {
    of_row: Vec<u32>,
    found: Vec<(usize, u32)>,
}

impl Subject for Values<'_> {
    type Mark = &'static str;

    fn key(&self) -> &str {
        self.key
    }

    fn part(&self, tenant: u32, group: u32) -> Part {
        Part::Values { tenant, group, key_hash: FixedState::default().hash_one(self.key) }
    }

    fn may_be_in(&self, known: Known<'_>) -> bool {
        !known.group.types_of(known.names, AttributeScope::Any, self.key).is_empty()
    }

    fn make(
        &self,
        data: &Data,
        group: usize,
        known: Option<Known<'_>>,
        rows: &Bitmap,
    ) -> Result<Table<&'static str>, ReadError> {
        let types = |scope| known.map(|known| known.group.types_of(known.names, scope, self.key));
        let may_have = |scope| types(scope).is_none_or(|types| !types.is_empty());
        let mut texts: Texts = Builder::new(self.key);
        // Per number of a resource, its service and value.
        let mut resources: Vec<(u32, u32)> = Vec::new();
        let has_resource = may_have(AttributeScope::Resource);
        let name = if has_resource { "resource" } else { "service" };
        let of_resource = coded(&mut data.intrinsic(group, name)?, rows, |values, at| {
            let text = values.bytes(at);
            let resource = if has_resource {
                let resource = read_resource(text).ok()?;
                (texts.service(resource.service()), first(&mut texts, &resource.attributes, self.key))
            } else {
                (texts.service(std::str::from_utf8(text).ok()?), ABSENT)
            };
            resources.push(resource);
            Some(resources.len() as u32 - 1)
        })?;
        let of_scope = if may_have(AttributeScope::Instrumentation) {
            coded(&mut data.intrinsic(group, "scope")?, rows, |values, at| {
                Some(first(&mut texts, &read_scope(values.bytes(at)).ok()?.attributes, self.key))
            })?
        } else {
            vec![ABSENT; rows.row_count()]
        };
        let own = if may_have(AttributeScope::Span) {
            self.own(data, group, types(AttributeScope::Span).as_deref(), rows, &mut texts)?
        } else {
            vec![ABSENT; rows.row_count()]
        };
        let mut counts: HashMap<[u32; 3], u32, RandomState> = HashMap::default();
        for row in rows.iter() {
            *counts.entry([of_resource[row], of_scope[row], own[row]]).or_default() += 1;
        }
        for ([resource, scope, own], count) in counts {
            let Some((service, of_resource)) = resources.get(resource as usize) else { continue };
            let mut values = [own, *of_resource, scope];
            values.sort_unstable();
            for same in values.chunk_by(|one, next| one == next).filter(|same| same[0] != ABSENT) {
                texts.add(*service, same[0], count);
            }
        }
        Ok(texts.finish())
    }
}

impl Values<'_> {
    /// The rows' own values: of each the first.
    fn own(
        &self,
        data: &Data,
        group: usize,
        types: Option<&[AttributeType]>,
        rows: &Bitmap,
        texts: &mut Texts,
    ) -> Result<Vec<u32>, ReadError> {
        let is_there = |kind: AttributeType| types.is_none_or(|types| types.contains(&kind));
        let columns = data.footer.attributes.iter().enumerate();
        let columns: Vec<_> = columns.filter(|(_, column)| column.key == self.key && is_there(column.kind)).collect();
        let mut all = Vec::with_capacity(columns.len());
        for (number, column) in &columns {
            let of_row = coded(&mut data.column(group, column.leaf)?, rows, |values, at| {
                let value = value(column.kind, values, at)?;
                Some(texts.text(&value.to_string(), value.type_name()))
            })?;
            all.push(Own { column: *number, of_row });
        }
        // A type with a column is in `rest` only behind one that is in the column.
        let has_column = |kind: &AttributeType| columns.iter().any(|(_, column)| column.kind == *kind);
        let has_rest = types.is_none_or(|types| !types.iter().all(has_column));
        if let (1, false) = (all.len(), has_rest) {
            return Ok(all.swap_remove(0).of_row);
        }
        let rest = if has_rest {
            self.rest(data, group, rows, texts)?
        } else {
            Rest { of_row: Vec::new(), found: Vec::new() }
        };
        let mut own = vec![ABSENT; rows.row_count()];
        let mut twice = Bitmap::none(rows.row_count());
        for row in rows.iter() {
            let in_columns = all.iter().map(|own| own.of_row[row]).filter(|value| *value != ABSENT);
            let mut values = in_columns.chain(rest.of(row).map(|(_, value)| value));
            own[row] = values.next().unwrap_or(ABSENT);
            if values.next().is_some() {
                twice.set(row);
            }
        }
        if !twice.is_empty() {
            first_ones((data, group), &all, &rest, &twice, &mut own)?;
        }
        Ok(own)
    }

    /// The values in `rest`.
    fn rest(&self, data: &Data, group: usize, rows: &Bitmap, texts: &mut Texts) -> Result<Rest, ReadError> {
        let needle = key_text(self.key);
        let mut found = Vec::new();
        let of_row = coded(&mut data.intrinsic(group, "rest")?, rows, |values, at| {
            let text = values.bytes(at);
            if !contains(text, &needle) {
                return Some(ABSENT);
            }
            let attributes = read_attributes(text).ok()?;
            let Some(entry) = attributes.iter().position(|attribute| attribute.key == self.key) else {
                return Some(ABSENT);
            };
            let value = &attributes[entry].value;
            found.push((entry, texts.text(&value.to_string(), value.type_name())));
            Some(found.len() as u32 - 1)
        })?;
        Ok(Rest { of_row, found })
    }
}

impl Rest {
    /// The entry's place in its list, and the value.
    fn of(&self, row: usize) -> Option<(usize, u32)> {
        self.of_row.get(row).and_then(|at| self.found.get(*at as usize)).copied()
    }
}

/// Of rows that have the key more than once, the value that comes first in their list.
fn first_ones(
    (data, group): (&Data, usize),
    all: &[Own],
    rest: &Rest,
    rows: &Bitmap,
    own: &mut [u32],
) -> Result<(), ReadError> {
    let mut shapes: Vec<Vec<Token>> = Vec::new();
    let of_shape = coded(&mut data.intrinsic(group, "shape")?, rows, |values, at| {
        shapes.push(tokens(values.bytes(at), data.footer.attributes.len())?);
        Some(shapes.len() as u32 - 1)
    })?;
    for row in rows.iter() {
        let Some(shape) = shapes.get(of_shape[row] as usize) else { continue };
        let mut entries = 0;
        let first = shape.iter().find_map(|token| match token {
            Token::Column(number) => {
                let column = all.iter().find(|own| own.column == *number)?;
                Some(column.of_row[row]).filter(|value| *value != ABSENT)
            }
            Token::Rest => {
                entries += 1;
                rest.of(row).filter(|(entry, _)| entry + 1 == entries).map(|(_, value)| value)
            }
        });
        own[row] = first.unwrap_or(UNCOUNTED);
    }
    Ok(())
}

/// The number of the first value of the key in a list.
fn first(texts: &mut Texts, attributes: &[Attribute], key: &str) -> u32 {
    find(attributes, key).map_or(ABSENT, |value| texts.text(&value.to_string(), value.type_name()))
}

/// A value of a column of that type.
fn value(kind: AttributeType, values: &column::Values, at: usize) -> Option<Value> {
    match kind {
        AttributeType::String => Some(String::from_utf8_lossy(values.bytes(at)).into_owned().into()),
        AttributeType::Int => Some(Value::Int(values.number(at) as i64)),
        AttributeType::Double => Some(Value::Double(f64::from_bits(values.number(at)))),
        AttributeType::Bool => Some(Value::Bool(values.truth(at))),
        AttributeType::Bytes => Some(Value::Bytes(values.bytes(at).to_vec())),
        AttributeType::Json | AttributeType::Empty => read_value(values.bytes(at)).ok(),
    }
}
