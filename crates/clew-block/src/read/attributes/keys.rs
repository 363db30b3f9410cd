//! The table of a row group's keys: which keys a row has, its shape, resource and scope say.

use clew_model::Attribute;
use clew_model::attributes::Scopes;
use foldhash::fast::RandomState;
use hashbrown::HashMap;

use super::super::bitmap::Bitmap;
use super::super::cache::Part;
use super::super::damage::ReadError;
use super::super::data::Data;
use super::super::filter::Known;
use super::super::spans::{Token, tokens};
use super::Subject;
use super::coded::{ABSENT, coded};
use super::table::{Builder, Table};
use crate::json::{read_attributes, read_resource, read_scope};

/// All keys.
pub(super) struct Keys;

/// A resource: the number of its service, and its keys.
type Resource = (u32, Vec<Box<str>>);

impl Subject for Keys {
    type Mark = Scopes;

    fn key(&self) -> &'static str {
        ""
    }

    fn part(&self, tenant: u32, group: u32) -> Part {
        Part::Keys { tenant, group }
    }

    fn may_be_in(&self, known: Known<'_>) -> bool {
        !known.group.keys.is_empty()
    }

    fn make(
        &self,
        data: &Data,
        group: usize,
        _known: Option<Known<'_>>,
        rows: &Bitmap,
    ) -> Result<Table<Scopes>, ReadError> {
        let mut builder = Builder::new("");
        let (mut resources, mut scopes): (Vec<Resource>, Vec<Vec<Box<str>>>) = (Vec::new(), Vec::new());
        let (mut shapes, mut rests): (Vec<Vec<Token>>, Vec<Vec<Box<str>>>) = (Vec::new(), Vec::new());
        let of_resource = coded(&mut data.intrinsic(group, "resource")?, rows, |values, at| {
            let resource = read_resource(values.bytes(at)).ok()?;
            let service = builder.service(resource.service());
            Some(pushed(&mut resources, (service, keys(&resource.attributes))))
        })?;
        let of_scope = coded(&mut data.intrinsic(group, "scope")?, rows, |values, at| {
            Some(pushed(&mut scopes, keys(&read_scope(values.bytes(at)).ok()?.attributes)))
        })?;
        let columns = &data.footer.attributes;
        let of_shape = coded(&mut data.intrinsic(group, "shape")?, rows, |values, at| {
            Some(pushed(&mut shapes, tokens(values.bytes(at), columns.len())?))
        })?;
        let has_rest = |shape: u32| shapes.get(shape as usize).is_some_and(|shape| shape.contains(&Token::Rest));
        let mut with_rest = Bitmap::none(rows.row_count());
        rows.iter().filter(|row| has_rest(of_shape[*row])).for_each(|row| with_rest.set(row));
        let of_rest = if with_rest.is_empty() {
            Vec::new()
        } else {
            coded(&mut data.intrinsic(group, "rest")?, &with_rest, |values, at| {
                Some(pushed(&mut rests, keys(&read_attributes(values.bytes(at)).ok()?)))
            })?
        };
        let mut counts: HashMap<[u32; 4], u32, RandomState> = HashMap::default();
        for row in rows.iter() {
            let rest = of_rest.get(row).copied().unwrap_or(ABSENT);
            *counts.entry([of_resource[row], of_scope[row], of_shape[row], rest]).or_default() += 1;
        }
        let mut own: Vec<(&str, Scopes)> = Vec::new();
        for ([resource, scope, shape, rest], count) in counts {
            let Some((service, of_resource)) = resources.get(resource as usize) else { continue };
            let of_column = |token: &Token| match token {
                Token::Column(number) => columns.get(*number).map(|column| column.key.as_str()),
                Token::Rest => None,
            };
            own.clear();
            own.extend(of_resource.iter().map(|key| (&**key, Scopes::RESOURCE)));
            own.extend(scopes.get(scope as usize).into_iter().flatten().map(|key| (&**key, Scopes::SCOPE)));
            own.extend(rests.get(rest as usize).into_iter().flatten().map(|key| (&**key, Scopes::SPAN)));
            let tokens = shapes.get(shape as usize).into_iter().flatten();
            own.extend(tokens.filter_map(of_column).map(|key| (key, Scopes::SPAN)));
            own.sort_unstable();
            for same in own.chunk_by(|one, next| one.0 == next.0) {
                let scopes = same.iter().fold(Scopes::default(), |scopes, (_, scope)| scopes.and(*scope));
                let text = builder.text(same[0].0, scopes);
                builder.add(*service, text, count);
            }
        }
        Ok(builder.finish())
    }
}

fn keys(attributes: &[Attribute]) -> Vec<Box<str>> {
    attributes.iter().map(|attribute| attribute.key.as_str().into()).collect()
}

/// Adds an item, whose number is answered.
fn pushed<T>(list: &mut Vec<T>, item: T) -> u32 {
    list.push(item);
    list.len() as u32 - 1
}
