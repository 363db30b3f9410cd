//! Which keys and values attributes have.
//!
//! What is asked of a row group, of one tenant and about one subject, does not depend on who asks or on what was typed so
//! far: it is a small table, made once from the columns' dictionaries and codes, and kept in the cache. So the first
//! question reads as far as its effort goes, and those that follow read on from there.
//!
//! | File | What |
//! |---|---|
//! | `coded` | a column as small numbers |
//! | `table` | counts by service and text |
//! | `keys` | the table of a row group's keys |
//! | `values` | the table of one key's values |

mod coded;
mod keys;
mod table;
mod values;

use std::collections::BTreeSet;
use std::hash::Hash;
use std::ops::Range;
use std::sync::Arc;

use clew_model::TraceId;
use clew_model::attributes::{AttributesRequest, KeyTally, KeysAnswer, Looked, TEXT_EFFORT, ValueTally, ValuesAnswer};
use clew_model::scan::{Expired, ScanError};

use self::keys::Keys;
use self::table::Table;
use self::values::Values;
use super::bitmap::Bitmap;
use super::cache::Part;
use super::damage::{Lack, ReadError};
use super::data::Data;
use super::filter::Known;
use super::{Block, Fault};
use crate::sidecar::Groups;

/// Bytes of a table that is kept at most: what seldom comes again is not worth more.
const KEPT_BYTES_MAX: u64 = 1 << 20;

/// What a table is about.
trait Subject {
    /// What a text is marked with.
    type Mark: Copy + Eq + Hash + Send + Sync + 'static;

    /// The key whose values it is about; nothing when it is about keys.
    fn key(&self) -> &str;

    /// Where a table is kept.
    fn part(&self, tenant: u32, group: u32) -> Part;

    /// Whether a row group may have something to count, as far as the sidecar says.
    fn may_be_in(&self, known: Known<'_>) -> bool;

    /// The table of those rows of a group.
    fn make(
        &self,
        data: &Data,
        group: usize,
        known: Option<Known<'_>>,
        rows: &Bitmap,
    ) -> Result<Table<Self::Mark>, ReadError>;
}

/// Answers [`clew_model::scan::SpanSource::attribute_keys`].
pub(super) fn keys(block: &Block, request: &AttributesRequest, expired: Expired<'_>) -> Result<KeysAnswer, ScanError> {
    let mut tally = KeyTally::default();
    let mut counting = Counting::new(block, request, expired);
    counting.count(&Keys, |key, scopes, count| tally.add(key, scopes, count))?;
    counting.looked.is_sample |= tally.is_cut();
    let (looked, incomplete) = (counting.looked, counting.lack.into_incomplete());
    Ok(KeysAnswer { keys: tally.into_keys(), looked, incomplete })
}

/// Answers [`clew_model::scan::SpanSource::attribute_values`].
pub(super) fn values(
    block: &Block,
    key: &str,
    request: &AttributesRequest,
    expired: Expired<'_>,
) -> Result<ValuesAnswer, ScanError> {
    let mut tally = ValueTally::default();
    let mut counting = Counting::new(block, request, expired);
    counting.count(&Values { key }, |text, type_name, count| tally.add(text, type_name, count))?;
    counting.looked.is_sample |= tally.is_cut();
    let (looked, incomplete) = (counting.looked, counting.lack.into_incomplete());
    Ok(ValuesAnswer { values: tally.into_values(), looked, incomplete })
}

/// A question under way.
struct Counting<'c> {
    block: &'c Block,
    request: &'c AttributesRequest,
    expired: Expired<'c>,
    looked: Looked,
    lack: Lack,
    /// Opened when the first table has to be made.
    data: Option<Data>,
}

/// Why a table is not from the cache and does not go there.
enum Unkept<T> {
    Lost(ReadError),
    Large(Table<T>),
}

impl<'c> Counting<'c> {
    fn new(block: &'c Block, request: &'c AttributesRequest, expired: Expired<'c>) -> Self {
        Self { block, request, expired, looked: Looked::default(), lack: Lack::default(), data: None }
    }

    /// Adds what the tenant's rows have of the subject, group after group, until the effort is spent.
    fn count<S: Subject>(&mut self, subject: &S, mut add: impl FnMut(&str, S::Mark, u64)) -> Result<(), ScanError> {
        let Some(tenant) = self.block.tenant_number(&self.request.tenant) else { return Ok(()) };
        match self.groups(subject, tenant, &mut add) {
            Ok(()) => {}
            Err(Fault::Expired) => return Err(ScanError::Expired),
            Err(Fault::Lost(error)) => self.lack.add(error),
        }
        Ok(())
    }

    fn groups<S: Subject>(
        &mut self,
        subject: &S,
        tenant: usize,
        add: &mut impl FnMut(&str, S::Mark, u64),
    ) -> Result<(), Fault> {
        let left_out = self.left_out(tenant)?;
        let known = self.block.groups().ok();
        let firsts = self.first_rows(known.as_ref().map(|(groups, _)| &**groups))?;
        let rows = self.block.tenant_rows(tenant);
        for (group, bounds) in firsts.windows(2).enumerate() {
            let own = bounds[0].max(rows.start)..bounds[1].min(rows.end);
            if own.is_empty() {
                continue;
            }
            if (self.expired)() {
                return Err(Fault::Expired);
            }
            if self.looked.effort >= self.request.effort {
                self.looked.is_sample = true;
                break;
            }
            let known = known.as_ref().and_then(|known| Known::of(known, group));
            let place = Place { tenant, group, first: bounds[0], own, left_out: &left_out };
            if known.is_some_and(|known| !subject.may_be_in(known) || !self.may_be_asked(known)) {
                self.looked.span_count += place.count();
                self.looked.effort += 1;
                continue;
            }
            match self.table(subject, &place, known) {
                Ok(table) => {
                    self.looked.span_count += place.count();
                    self.looked.effort += table.len() * TEXT_EFFORT;
                    table.tell(self.request, &mut *add);
                }
                Err(error) => {
                    self.block.damage.note(&error);
                    self.lack.add(error);
                }
            }
        }
        Ok(())
    }

    /// The table of a group, kept or made.
    fn table<S: Subject>(
        &mut self,
        subject: &S,
        place: &Place<'_>,
        known: Option<Known<'_>>,
    ) -> Result<Arc<Table<S::Mark>>, ReadError> {
        if self.data.is_none() && !place.is_whole() {
            self.data = Some(self.block.data()?);
        }
        let (block, data, effort) = (self.block, &mut self.data, &mut self.looked.effort);
        let mut make = || {
            let data = match &mut *data {
                Some(data) => data,
                none => none.insert(block.data()?),
            };
            let rows = place.rows(data)?;
            *effort += rows.count() as u64;
            subject.make(data, place.group, known, &rows)
        };
        if !place.is_whole() {
            return make().map(Arc::new);
        }
        let part = subject.part(place.tenant as u32, place.group as u32);
        let kept = block.cache.get(block.meta.name, part, || {
            let table = make().map_err(Unkept::Lost)?;
            let bytes = table.bytes();
            if bytes > KEPT_BYTES_MAX { Err(Unkept::Large(table)) } else { Ok((table, bytes)) }
        });
        match kept {
            // Keys are told apart by a hash of theirs.
            Ok(table) if *table.key == *subject.key() => Ok(table),
            Ok(_) => make().map(Arc::new),
            Err(Unkept::Large(table)) => Ok(Arc::new(table)),
            Err(Unkept::Lost(error)) => Err(error),
        }
    }

    /// Whether the service asked for may be in a row group.
    fn may_be_asked(&self, known: Known<'_>) -> bool {
        let Some(asked) = &self.request.service else { return true };
        let mut services =
            known.group.services.iter().filter_map(|service| known.names.services.get(*service as usize));
        services.any(|service| service == asked)
    }

    /// The first row of each group, and the number of rows.
    fn first_rows(&mut self, groups: Option<&Groups>) -> Result<Vec<u64>, ReadError> {
        if let Some(groups) = groups {
            let mut firsts = vec![0];
            for group in &groups.groups {
                firsts.push(firsts[firsts.len() - 1] + u64::from(group.row_count));
            }
            return Ok(firsts);
        }
        let data = self.block.data()?;
        let firsts = data.footer.first_rows.clone();
        self.data = Some(data);
        Ok(firsts)
    }

    /// The rows of traces that do not count.
    fn left_out(&self, tenant: usize) -> Result<Vec<Range<u64>>, Fault> {
        let mut rows = Vec::new();
        let ids: BTreeSet<&TraceId> = self.request.without.iter().collect();
        for id in ids {
            rows.extend(self.block.find(tenant, *id, self.expired)?.map(|place| place.rows));
        }
        Ok(rows)
    }
}

/// A tenant's rows in a row group.
struct Place<'p> {
    tenant: usize,
    group: usize,
    /// The group's first row.
    first: u64,
    /// Those of the tenant, in the block.
    own: Range<u64>,
    /// Rows that do not count, of all groups; each trace's follow each other, and no two are of one trace.
    left_out: &'p [Range<u64>],
}

impl Place<'_> {
    fn left_out(&self) -> impl Iterator<Item = Range<u64>> + '_ {
        let here = self.left_out.iter().map(|rows| rows.start.max(self.own.start)..rows.end.min(self.own.end));
        here.filter(|rows| !rows.is_empty())
    }

    /// Whether all of the tenant's rows count.
    fn is_whole(&self) -> bool {
        self.left_out().next().is_none()
    }

    /// How many rows count.
    fn count(&self) -> u64 {
        let left_out: u64 = self.left_out().map(|rows| rows.end - rows.start).sum();
        (self.own.end - self.own.start).saturating_sub(left_out)
    }

    /// The rows that count, within the group.
    fn rows(&self, data: &Data) -> Result<Bitmap, ReadError> {
        let row_count = data.footer.row_count(self.group);
        let within = |rows: Range<u64>| (rows.start - self.first) as usize..(rows.end - self.first) as usize;
        let own = within(self.own.clone());
        if own.end > row_count {
            return Err(data.damaged("rows that the sidecar names are not in it"));
        }
        let mut rows = Bitmap::of_range(row_count, own);
        for left_out in self.left_out() {
            rows.subtract(&Bitmap::of_range(row_count, within(left_out)));
        }
        Ok(rows)
    }
}
