//! A condition on an attribute of the span itself.
//!
//! A key has a column per type, and what has no column is in `rest`. Where a span has the key more than once, the first
//! one in the sender's order decides, and the span's shape says which that is.

use clew_model::{Test, ValueRef};

use super::bitmap::Bitmap;
use super::column::{Page, Values};
use super::damage::ReadError;
use super::data::Data;
use super::filter;
use super::spans::{Token, tokens};
use crate::AttributeType;
use crate::json::{read_attributes, read_value};

/// Where values of a key lie in a row group.
pub(super) struct Sources<'k> {
    key: &'k str,
    /// Their columns: the number among the attribute columns, and the type.
    columns: Vec<(usize, AttributeType)>,
    has_rest: bool,
}

/// An attribute of the key in `rest`: the row, which entry, and whether it is met.
struct RestEntry {
    row: usize,
    entry: usize,
    is_met: bool,
}

/// What one column says.
struct Answer {
    column: usize,
    present: Bitmap,
    met: Bitmap,
}

impl<'k> Sources<'k> {
    /// The sources of the key, whose values have these types in the row group, if that is known.
    pub(super) fn of(data: &Data, key: &'k str, types: Option<&[AttributeType]>) -> Self {
        let is_there = |kind: &AttributeType| types.is_none_or(|types| types.contains(kind));
        let columns = data.footer.attributes.iter().enumerate();
        let columns: Vec<_> = columns
            .filter(|(_, column)| column.key == key && is_there(&column.kind))
            .map(|(number, column)| (number, column.kind))
            .collect();
        // A type with a column is in `rest` only behind one that is in the column.
        let has_column = |kind: &AttributeType| columns.iter().any(|(_, column)| column == kind);
        let has_rest = types.is_none_or(|types| !types.iter().all(has_column));
        Self { key, columns, has_rest }
    }
}

/// Those of the rows whose first attribute of the key meets the test.
pub(super) fn narrow(
    sources: &Sources<'_>,
    test: &Test<'_>,
    (data, group): (&Data, usize),
    rows: &Bitmap,
) -> Result<Bitmap, ReadError> {
    if let ([column], false) = (&sources.columns[..], sources.has_rest) {
        // No row has the key anywhere else before.
        return of_column(data, group, *column, test, rows, None);
    }
    let mut answers = Vec::with_capacity(sources.columns.len());
    for (column, kind) in &sources.columns {
        let mut present = Bitmap::none(rows.row_count());
        let met = of_column(data, group, (*column, *kind), test, rows, Some(&mut present))?;
        present.intersect(rows);
        answers.push(Answer { column: *column, present, met });
    }
    let rest = if sources.has_rest { of_rest(data, group, sources.key, test, rows)? } else { Vec::new() };
    // Rows that have the key more than once.
    let (mut seen, mut twice) = (Bitmap::none(rows.row_count()), Bitmap::none(rows.row_count()));
    let mut met = Bitmap::none(rows.row_count());
    for answer in &answers {
        let mut again = answer.present.clone();
        again.intersect(&seen);
        twice.unite(&again);
        seen.unite(&answer.present);
        met.unite(&answer.met);
    }
    for entry in &rest {
        if seen.contains(entry.row) {
            twice.set(entry.row);
        } else if entry.is_met {
            met.set(entry.row);
        }
    }
    if !twice.is_empty() {
        met.subtract(&twice);
        met.unite(&of_shapes((data, group), &answers, &rest, &twice)?);
    }
    Ok(met)
}

/// The rows whose value in the column is met. `present` learns which have one.
fn of_column(
    data: &Data,
    group: usize,
    (number, kind): (usize, AttributeType),
    test: &Test<'_>,
    rows: &Bitmap,
    present: Option<&mut Bitmap>,
) -> Result<Bitmap, ReadError> {
    let mut column = data.column(group, data.footer.attributes[number].leaf)?;
    let mut is_wrong = false;
    let is_met = |values: &Values, at: usize| match kind {
        AttributeType::String => test.is_met_by(ValueRef::String(values.bytes(at))),
        AttributeType::Int => test.is_met_by(ValueRef::Int(values.number(at) as i64)),
        AttributeType::Double => test.is_met_by(ValueRef::Double(f64::from_bits(values.number(at)))),
        AttributeType::Bool => test.is_met_by(ValueRef::Bool(values.truth(at))),
        AttributeType::Bytes => test.is_met_by(ValueRef::Bytes(values.bytes(at))),
        AttributeType::Json | AttributeType::Empty => {
            let value = read_value(values.bytes(at));
            is_wrong |= value.is_err();
            value.is_ok_and(|value| test.is_met_by((&value).into()))
        }
    };
    let met = filter::narrow(&mut column, rows, present, is_met)?;
    if is_wrong { Err(column.damaged("a value is malformed")) } else { Ok(met) }
}

/// The first attribute of the key in the rest of each row that has one there.
fn of_rest(data: &Data, group: usize, key: &str, test: &Test<'_>, rows: &Bitmap) -> Result<Vec<RestEntry>, ReadError> {
    let needle = key_text(key);
    let mut column = data.intrinsic(group, "rest")?;
    let (mut found, mut is_wrong) = (Vec::new(), false);
    let mut read = |page: &Page, at: usize| {
        let text = page.bytes(at);
        if !contains(text, &needle) {
            return None;
        }
        let Ok(attributes) = read_attributes(text) else {
            is_wrong = true;
            return None;
        };
        let mut attributes = attributes.iter().enumerate();
        let (entry, attribute) = attributes.find(|(_, attribute)| attribute.key == key)?;
        Some((entry, test.is_met_by((&attribute.value).into())))
    };
    while let Some(page) = column.next(rows)? {
        page.for_each(|row, at| {
            if rows.contains(row) {
                found.extend(read(&page, at).map(|(entry, is_met)| RestEntry { row, entry, is_met }));
            }
        });
    }
    if is_wrong { Err(column.damaged("a text is malformed")) } else { Ok(found) }
}

/// Those of the rows, all of which have the key more than once, whose first one is met.
fn of_shapes(
    (data, group): (&Data, usize),
    answers: &[Answer],
    rest: &[RestEntry],
    rows: &Bitmap,
) -> Result<Bitmap, ReadError> {
    let mut met = Bitmap::none(rows.row_count());
    let mut column = data.intrinsic(group, "shape")?;
    let mut is_wrong = false;
    while let Some(page) = column.next(rows)? {
        page.for_each(|row, at| {
            if !rows.contains(row) {
                return;
            }
            let Some(tokens) = tokens(page.bytes(at), data.footer.attributes.len()) else {
                is_wrong = true;
                return;
            };
            let in_rest = rest.binary_search_by_key(&row, |entry| entry.row).ok().map(|at| &rest[at]);
            let mut entry = 0;
            let first = tokens.into_iter().find_map(|token| match token {
                Token::Column(number) => {
                    answers.iter().find(|answer| answer.column == number).map(|answer| answer.met.contains(row))
                }
                Token::Rest => {
                    entry += 1;
                    in_rest.filter(|found| found.entry + 1 == entry).map(|found| found.is_met)
                }
            });
            if first == Some(true) {
                met.set(row);
            }
        });
    }
    if is_wrong { Err(column.damaged("a shape is malformed")) } else { Ok(met) }
}

/// How the key looks in JSON text.
pub(super) fn key_text(key: &str) -> Vec<u8> {
    serde_json::to_vec(key).unwrap_or_default()
}

/// Whether a text has another in it.
pub(super) fn contains(text: &[u8], needle: &[u8]) -> bool {
    let Some((first, rest)) = needle.split_first() else { return true };
    let mut text = text;
    while let Some(at) = text.iter().position(|byte| byte == first) {
        text = &text[at + 1..];
        if text.starts_with(rest) {
            return true;
        }
    }
    false
}
