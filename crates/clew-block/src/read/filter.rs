//! A filter of a scan, asked of the rows of a row group: first whether any can meet it, then which do.
//!
//! Conditions narrow a set of rows one after the other, the cheapest first; what a dictionary holds is compared once per
//! entry, and pages without a row that is left are not opened.

use std::collections::HashMap;
use std::sync::Arc;

use clew_model::scan::{AttributeScope, Condition, Field, Op, SpanFilter};
use clew_model::{Attribute, Test, Value, ValueRef};

use super::bitmap::Bitmap;
use super::column::{Column, Values};
use super::damage::ReadError;
use super::data::Data;
use super::span_attribute::{self, Sources};
use crate::json::{read_resource, read_scope};
use crate::sidecar::{Group, Groups, Names, Probe};

/// Texts of resources and scopes whose answer is kept.
const KEPT_MAX: usize = 1 << 14;

/// A filter, made ready.
pub(super) struct Filter<'r> {
    questions: Vec<Question<'r>>,
}

/// A condition, made ready.
pub(super) struct Question<'r> {
    condition: &'r Condition,
    pub(super) test: Test<'r>,
    probe: Option<Probe>,
    /// Which resources meet it, by their text.
    resources: HashMap<Box<[u8]>, bool>,
    /// Which scopes do.
    scopes: HashMap<Box<[u8]>, bool>,
}

/// What the sidecar says of a row group.
#[derive(Clone, Copy)]
pub(super) struct Known<'g> {
    pub(super) group: &'g Group,
    pub(super) names: &'g Names,
    /// [`Groups::zone_rows`].
    zone_rows: u32,
}

impl<'g> Known<'g> {
    /// What is known of the row group of that number.
    pub(super) fn of((groups, names): &'g (Arc<Groups>, Arc<Names>), number: usize) -> Option<Self> {
        let group = groups.groups.get(number)?;
        Some(Self { group, names, zone_rows: groups.zone_rows })
    }
}

impl<'r> Filter<'r> {
    pub(super) fn new(filter: &'r SpanFilter) -> Self {
        let mut questions: Vec<_> = filter.conditions.iter().map(Question::new).collect();
        questions.sort_by_key(Question::cost);
        Self { questions }
    }

    /// Whether a row of the group may meet it, as far as the sidecar says. `bloom` reads the group's filter, once.
    pub(super) fn may_meet(&self, known: Known<'_>, mut bloom: impl FnMut() -> Option<super::Bloom>) -> bool {
        let Known { group, names, .. } = known;
        if !self.questions.iter().all(|question| question.may_meet(known)) {
            return false;
        }
        let mut asking = self
            .questions
            .iter()
            .filter_map(|question| question.probe.as_ref())
            .filter(|probe| probe.asks_filter(group, names))
            .peekable();
        if asking.peek().is_none() {
            return true;
        }
        let Some(bloom) = bloom() else { return true };
        asking.all(|probe| probe.may_meet_filtered(group, names, &bloom))
    }

    /// The numbers of the columns that it looks at first of all.
    pub(super) fn leaves(&self, data: &Data) -> Vec<usize> {
        self.questions.iter().flat_map(|question| question.leaves(data)).collect()
    }

    /// Leaves only those of the rows that meet it.
    pub(super) fn narrow(
        &mut self,
        data: &Data,
        group: usize,
        known: Option<Known<'_>>,
        rows: &mut Bitmap,
    ) -> Result<(), ReadError> {
        for question in &self.questions {
            if let Some(known) = &known {
                question.pass_over(known, rows);
            }
        }
        for question in &mut self.questions {
            if rows.is_empty() {
                break;
            }
            *rows = question.of_rows(data, group, known, rows)?;
        }
        Ok(())
    }
}

impl<'r> Question<'r> {
    fn new(condition: &'r Condition) -> Self {
        let (resources, scopes) = (HashMap::new(), HashMap::new());
        Self { condition, test: Test::new(condition), probe: Probe::new(condition), resources, scopes }
    }

    fn cost(&self) -> u8 {
        match &self.condition.field {
            Field::Error => 0,
            Field::Kind | Field::Status => 1,
            Field::Service | Field::Name => 2,
            Field::Attribute { scope: AttributeScope::Resource | AttributeScope::Instrumentation, .. } => 3,
            Field::Duration | Field::Start => 4,
            Field::Attribute { .. } => 5,
        }
    }

    /// Whether a row of the group may meet it, without its Bloom filter.
    fn may_meet(&self, known: Known<'_>) -> bool {
        let Known { group, names, .. } = known;
        match &self.condition.field {
            Field::Service => {
                let mut services = group.services.iter().filter_map(|code| names.services.get(*code as usize));
                services.any(|service| self.test.is_met_by(ValueRef::String(service.as_bytes())))
            }
            Field::Error => {
                let is_met = |truth| self.test.is_met_by(ValueRef::Bool(truth));
                group.error_count > 0 && is_met(true) || group.error_count < group.row_count && is_met(false)
            }
            Field::Duration => self.may_lie(group.duration_nanos),
            Field::Start => match group.zone {
                Some(zone) if !group.has_odd => self.may_lie((zone.start_unix_nanos, zone.end_unix_nanos)),
                _ => true,
            },
            Field::Name | Field::Kind | Field::Status => true,
            Field::Attribute { .. } => self.probe.as_ref().is_none_or(|probe| probe.may_meet(group, names)),
        }
    }

    /// Leaves out rows none of which can meet it, as far as the sidecar says.
    fn pass_over(&self, known: &Known<'_>, rows: &mut Bitmap) {
        if self.condition.field != Field::Duration {
            return;
        }
        let zone = known.zone_rows as usize;
        for (number, durations) in known.group.durations_nanos.iter().enumerate() {
            if !self.may_lie(*durations) {
                rows.clear_range(number * zone..(number + 1) * zone);
            }
        }
    }

    /// Whether a number from `low` to `high` may meet it.
    fn may_lie(&self, (low, high): (u64, u64)) -> bool {
        match (self.condition.op, &self.condition.value) {
            (Op::Lt | Op::Le, _) => self.test.nanos(low),
            (Op::Gt | Op::Ge, _) => self.test.nanos(high),
            (Op::Eq, Value::Int(number)) => u64::try_from(*number).is_ok_and(|number| (low..=high).contains(&number)),
            _ => true,
        }
    }

    /// The column of what is asked, or those of a key; not what else may hold a value.
    fn leaves(&self, data: &Data) -> Vec<usize> {
        let attributes = data.footer.attributes.iter();
        match &self.condition.field {
            Field::Attribute { key, .. } => {
                attributes.filter(|column| column.key == *key).map(|column| column.leaf).collect()
            }
            field => column_of(field).and_then(|name| data.footer.leaf(name)).into_iter().collect(),
        }
    }

    fn of_rows(
        &mut self,
        data: &Data,
        group: usize,
        known: Option<Known<'_>>,
        rows: &Bitmap,
    ) -> Result<Bitmap, ReadError> {
        let name = match &self.condition.field {
            Field::Attribute { scope, key } => return self.of_attribute(*scope, key, (data, group), known, rows),
            field => column_of(field).unwrap_or_default(),
        };
        let test = &self.test;
        let mut column = data.intrinsic(group, name)?;
        match &self.condition.field {
            Field::Error => {
                narrow(&mut column, rows, None, |values, at| test.is_met_by(ValueRef::Bool(values.truth(at))))
            }
            Field::Duration | Field::Start => {
                narrow(&mut column, rows, None, |values, at| test.nanos(values.number(at)))
            }
            _ => narrow(&mut column, rows, None, |values, at| test.is_met_by(ValueRef::String(values.bytes(at)))),
        }
    }

    fn of_attribute(
        &mut self,
        scope: AttributeScope,
        key: &str,
        (data, group): (&Data, usize),
        known: Option<Known<'_>>,
        rows: &Bitmap,
    ) -> Result<Bitmap, ReadError> {
        let is_asked = |of| scope == AttributeScope::Any || scope == of;
        let is_there = |of| known.is_none_or(|known| !known.group.types_of(known.names, of, key).is_empty());
        let mut met = Bitmap::none(rows.row_count());
        let Self { test, resources, scopes, .. } = self;
        if is_asked(AttributeScope::Resource) && is_there(AttributeScope::Resource) {
            let list = |text: &[u8]| read_resource(text).ok().map(|resource| resource.attributes);
            met.unite(&of_origin(data, group, "resource", rows, |text| first_meets(resources, text, key, test, list))?);
        }
        if is_asked(AttributeScope::Instrumentation) && is_there(AttributeScope::Instrumentation) {
            let list = |text: &[u8]| read_scope(text).ok().map(|scope| scope.attributes);
            met.unite(&of_origin(data, group, "scope", rows, |text| first_meets(scopes, text, key, test, list))?);
        }
        if is_asked(AttributeScope::Span) && is_there(AttributeScope::Span) {
            let mut left = rows.clone();
            left.subtract(&met);
            if !left.is_empty() {
                let types = known.map(|known| known.group.types_of(known.names, AttributeScope::Span, key));
                let sources = Sources::of(data, key, types.as_deref());
                met.unite(&span_attribute::narrow(&sources, test, (data, group), &left)?);
            }
        }
        Ok(met)
    }
}

/// The column that a field has to itself.
fn column_of(field: &Field) -> Option<&'static str> {
    match field {
        Field::Service => Some("service"),
        Field::Name => Some("name"),
        Field::Kind => Some("kind"),
        Field::Status => Some("status"),
        Field::Error => Some("error"),
        Field::Duration => Some("duration_nanos"),
        Field::Start => Some("start_unix_nanos"),
        Field::Attribute { .. } => None,
    }
}

/// Those of the rows whose value in the column is met. `present` learns which rows have a value.
pub(super) fn narrow(
    column: &mut Column<'_>,
    rows: &Bitmap,
    mut present: Option<&mut Bitmap>,
    mut is_met: impl FnMut(&Values, usize) -> bool,
) -> Result<Bitmap, ReadError> {
    let mut met = Bitmap::none(rows.row_count());
    // Per entry of the dictionary whether it is met, and whether any is.
    let mut entries: Option<(Vec<bool>, bool)> = None;
    column.pack();
    while let Some(page) = column.next(rows)? {
        if let Some(present) = &mut present {
            page.add_present(present);
        }
        match (&page.values, &page.dictionary) {
            (Values::Packed(codes), Some(dictionary)) => {
                let (entries, any) = entries.get_or_insert_with(|| {
                    let entries: Vec<bool> = (0..dictionary.len()).map(|at| is_met(dictionary, at)).collect();
                    let any = entries.contains(&true);
                    (entries, any)
                });
                if *any {
                    let first = page.rows.start;
                    // Of nulls among the rows nothing is known here.
                    let asked = |at| if page.has_nulls() { u64::MAX } else { rows.word_from(first + at) };
                    let codes = codes.met(entries, asked);
                    page.add_met(&mut met, &codes.ok_or_else(|| column.damaged("its codes are malformed"))?);
                }
            }
            (Values::Bools(truths), _) => {
                // There are two of them at most to be compared.
                let mut is_met = |truth| truths.first(truth).is_some_and(|at| is_met(&page.values, at));
                match (is_met(true), is_met(false)) {
                    (true, true) => page.add_present(&mut met),
                    (true, false) => page.add_met(&mut met, truths),
                    (false, true) => page.add_met(&mut met, &truths.inverted()),
                    (false, false) => {}
                }
            }
            (values, _) => page.for_each_in(rows, |row, at| {
                if is_met(values, at) {
                    met.set(row);
                }
            }),
        }
    }
    met.intersect(rows);
    Ok(met)
}

/// Those of the rows whose resource or scope is met; a text that is malformed is damage.
fn of_origin(
    data: &Data,
    group: usize,
    name: &str,
    rows: &Bitmap,
    mut meets: impl FnMut(&[u8]) -> Option<bool>,
) -> Result<Bitmap, ReadError> {
    let mut column = data.intrinsic(group, name)?;
    let mut is_wrong = false;
    let met = narrow(&mut column, rows, None, |values, at| {
        let is_met = meets(values.bytes(at));
        is_wrong |= is_met.is_none();
        is_met == Some(true)
    })?;
    if is_wrong { Err(column.damaged("a text is malformed")) } else { Ok(met) }
}

/// Whether the first attribute of that key meets the test, in the list that a text stands for.
fn first_meets(
    kept: &mut HashMap<Box<[u8]>, bool>,
    text: &[u8],
    key: &str,
    test: &Test<'_>,
    list: impl FnOnce(&[u8]) -> Option<Vec<Attribute>>,
) -> Option<bool> {
    if let Some(is_met) = kept.get(text) {
        return Some(*is_met);
    }
    let attributes = list(text)?;
    let is_met = clew_model::value::find(&attributes, key).is_some_and(|value| test.is_met_by(value.into()));
    if kept.len() >= KEPT_MAX {
        kept.clear();
    }
    kept.insert(text.into(), is_met);
    Some(is_met)
}
