//! What the rows of a block are called in the plan of another one: shapes, resources and scopes by number. Reads the columns
//! that tell them and no values of attributes.

use std::collections::HashMap;
use std::sync::Arc;

use clew_model::scan::Expired;

use super::bitmap::Bitmap;
use super::column::Page;
use super::damage::ReadError;
use super::data::Data;
use super::spans::{Token, tokens};
use super::{Block, Fault};
use crate::json::{read_attributes, read_resource, read_scope};
use crate::{AttributeType, Plan, ResourceCode, ScopeCode, ShapeCode};

/// The numbers of texts.
type ByText<T> = HashMap<Box<[u8]>, T, foldhash::fast::RandomState>;

/// Keys and types of attributes that have no column.
pub(crate) type RestKeys = Vec<(String, AttributeType)>;

/// Of a block, what a plan calls its parts.
#[derive(Debug, Default)]
pub(crate) struct Codes {
    pub(super) resources: ByText<ResourceCode>,
    pub(super) scopes: ByText<ScopeCode>,
    /// Places in `shapes`.
    pub(super) shape_places: ByText<u32>,
    pub(super) shapes: Vec<KnownShape>,
}

/// A text of the column `shape`.
#[derive(Debug)]
pub(super) struct KnownShape {
    pub(super) tokens: Arc<[Token]>,
    /// Its number, if all its attributes have columns.
    pub(super) code: Option<ShapeCode>,
    /// Its number by those that have none.
    pub(super) with_rest: HashMap<RestKeys, ShapeCode>,
}

/// Numbers by the codes of a dictionary, so that a text is looked up once for many rows.
pub(super) struct Memo<T> {
    known: Vec<Option<T>>,
    dictionary: usize,
}

impl<T: Clone> Memo<T> {
    pub(super) fn new() -> Self {
        Self { known: Vec::new(), dictionary: 0 }
    }

    /// What a value stands for; `find` is asked about each text once if the page has codes.
    #[inline]
    pub(super) fn get(&mut self, page: &Page, at: usize, find: impl FnOnce(&[u8]) -> Option<T>) -> Option<T> {
        let Some((code, dictionary)) = page.code(at) else { return find(page.bytes(at)) };
        let address = Arc::as_ptr(dictionary) as usize;
        if self.dictionary != address {
            (self.dictionary, self.known) = (address, vec![None; dictionary.len()]);
        }
        let known = self.known.get_mut(code as usize)?;
        if known.is_none() {
            *known = find(page.bytes(at));
        }
        known.clone()
    }
}

impl Block {
    /// Adds all rows to a plan, unless that gets more bytes of texts; answers what it calls their parts. Rows that are left
    /// out later make a worse choice of columns, no more.
    pub(crate) fn plan(
        &self,
        data: &Data,
        plan: &mut Plan,
        limit_bytes: u64,
        expired: Expired<'_>,
    ) -> Result<Codes, Fault> {
        let mut codes = Codes::default();
        for group in 0..data.footer.group_count() {
            if expired() {
                return Err(Fault::Expired);
            }
            let planned = codes.add_group(data, group, plan);
            self.noting(planned)?;
            if plan.text_bytes() > limit_bytes {
                break;
            }
        }
        Ok(codes)
    }
}

impl Codes {
    fn add_group(&mut self, data: &Data, group: usize, plan: &mut Plan) -> Result<(), ReadError> {
        let rows = Bitmap::of_range(data.footer.row_count(group), 0..data.footer.row_count(group));
        let (mut memo, mut is_wrong) = (Memo::new(), false);
        data.for_each(group, "resource", &rows, |_, page, at| {
            let known = &mut self.resources;
            let find = |text: &[u8]| {
                known.get(text).copied().or_else(|| {
                    let code = plan.resource(&read_resource(text).ok()?);
                    known.insert(text.into(), code);
                    Some(code)
                })
            };
            is_wrong |= memo.get(page, at, find).is_none();
        })?;
        let mut memo = Memo::new();
        data.for_each(group, "scope", &rows, |_, page, at| {
            let known = &mut self.scopes;
            let find = |text: &[u8]| {
                known.get(text).copied().or_else(|| {
                    let code = plan.scope(&read_scope(text).ok()?);
                    known.insert(text.into(), code);
                    Some(code)
                })
            };
            is_wrong |= memo.get(page, at, find).is_none();
        })?;
        if is_wrong {
            return Err(data.malformed(group, "resource"));
        }
        self.add_shapes(data, group, &rows, plan)
    }

    fn add_shapes(&mut self, data: &Data, group: usize, rows: &Bitmap, plan: &mut Plan) -> Result<(), ReadError> {
        let (mut memo, mut is_wrong) = (Memo::new(), false);
        let mut counts = vec![0_u64; self.shapes.len()];
        let (mut with_rest, mut shape_of) = (Bitmap::none(rows.row_count()), Vec::new());
        data.for_each(group, "shape", rows, |row, page, at| {
            let Some(shape) = memo.get(page, at, |text| self.shape(data, text, plan)) else {
                is_wrong = true;
                return;
            };
            counts.resize(self.shapes.len(), 0);
            counts[shape as usize] += 1;
            if self.shapes[shape as usize].code.is_none() {
                with_rest.set(row);
                shape_of.push((row, shape));
            }
        })?;
        for (shape, count) in self.shapes.iter().zip(counts) {
            if let Some(code) = shape.code {
                plan.count(code, count);
            }
        }
        let mut shape_of = shape_of.into_iter().peekable();
        data.for_each(group, "rest", &with_rest, |row, page, at| {
            let shape = shape_of.next_if(|(of, _)| *of == row);
            let code = shape.and_then(|(_, shape)| self.with_rest(data, shape, page.bytes(at), plan));
            match code {
                Some(code) => plan.count(code, 1),
                None => is_wrong = true,
            }
        })?;
        if is_wrong || shape_of.next().is_some() { Err(data.malformed(group, "shape")) } else { Ok(()) }
    }

    /// The place of a text among the shapes.
    fn shape(&mut self, data: &Data, text: &[u8], plan: &mut Plan) -> Option<u32> {
        if let Some(place) = self.shape_places.get(text) {
            return Some(*place);
        }
        let columns = &data.footer.attributes;
        let tokens: Arc<[Token]> = tokens(text, columns.len())?.into();
        let in_column = |token: &Token| match token {
            Token::Column(column) => Some((columns[*column].key.as_str(), columns[*column].kind)),
            Token::Rest => None,
        };
        let keys: Option<Vec<_>> = tokens.iter().map(in_column).collect();
        let code = keys.map(|keys| plan.shape(&keys));
        let place = self.shapes.len() as u32;
        self.shape_places.insert(text.into(), place);
        self.shapes.push(KnownShape { tokens, code, with_rest: HashMap::new() });
        Some(place)
    }

    /// The number of a shape with attributes that have no column.
    fn with_rest(&mut self, data: &Data, shape: u32, rest: &[u8], plan: &mut Plan) -> Option<ShapeCode> {
        let rest: RestKeys = rest_keys(&read_attributes(rest).ok()?);
        let shape = &mut self.shapes[shape as usize];
        if let Some(code) = shape.with_rest.get(&rest) {
            return Some(*code);
        }
        let (columns, mut next) = (&data.footer.attributes, rest.iter());
        let keys = shape.tokens.iter().map(|token| match token {
            Token::Column(column) => Some((columns[*column].key.as_str(), columns[*column].kind)),
            Token::Rest => next.next().map(|(key, value_type)| (key.as_str(), *value_type)),
        });
        let keys = keys.collect::<Option<Vec<_>>>()?;
        if next.next().is_some() {
            return None;
        }
        let code = plan.shape(&keys);
        shape.with_rest.insert(rest, code);
        Some(code)
    }
}

/// The keys and types of attributes.
pub(super) fn rest_keys(attributes: &[clew_model::Attribute]) -> RestKeys {
    let key = |attribute: &clew_model::Attribute| (attribute.key.clone(), AttributeType::of((&attribute.value).into()));
    attributes.iter().map(key).collect()
}
