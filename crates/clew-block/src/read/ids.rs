//! Where a trace lies: its number and its rows.

use std::ops::Range;
use std::sync::Arc;

use clew_model::TraceId;
use clew_model::scan::Expired;

use super::cache::Part;
use super::damage::ReadError;
use super::{Block, Fault};
use crate::sidecar::ids::SlicePlace;
use crate::sidecar::{SectionId, Slice};

/// All traces of a tenant, by id.
pub(super) struct TenantIds {
    /// Their ids.
    pub(super) ids: Vec<TraceId>,
    /// The first row of each, and the end of the last.
    pub(super) rows: Vec<u32>,
}

/// A trace in the block.
pub(super) struct Place {
    /// Its number among the tenant's.
    pub(super) number: usize,
    /// Its rows in the block.
    pub(super) rows: Range<u64>,
}

impl TenantIds {
    /// The number of a trace that lies at or behind the place `near`, the sooner found the nearer; else its place.
    pub(super) fn number_from(&self, near: usize, id: TraceId) -> Result<usize, usize> {
        let ids = &self.ids[near..];
        let mut reach = 1;
        while ids.get(reach).is_some_and(|other| *other < id) {
            reach *= 2;
        }
        let from = reach / 2;
        let to = ids.len().min(reach + 1);
        let found = ids[from..to].binary_search(&id);
        found.map(|at| near + from + at).map_err(|at| near + from + at)
    }

    /// Its rows.
    pub(super) fn rows(&self, number: usize) -> Range<u64> {
        u64::from(self.rows[number])..u64::from(self.rows[number + 1])
    }

    fn push(&mut self, slice: &Slice) {
        for trace in slice.traces() {
            self.ids.push(trace.trace_id);
            self.rows.push(trace.rows.start);
        }
    }

    /// Adds the end of the last; `None` unless the traces rise and are as many as they should be, in as many rows.
    fn finish(mut self, count: u64, rows: Range<u64>) -> Option<Self> {
        let (first, last) = (u32::try_from(rows.start).ok()?, u32::try_from(rows.end).ok()?);
        let begins = self.rows.first().is_none_or(|row| *row == first);
        self.rows.push(last);
        let is_whole = self.ids.len() as u64 == count && begins && self.rows.is_sorted() && self.ids.is_sorted();
        is_whole.then_some(self)
    }
}

impl Block {
    /// The place of a trace, by all ids if they are at hand, else by one slice of them.
    pub(super) fn find(&self, tenant: usize, id: TraceId, expired: Expired<'_>) -> Result<Option<Place>, Fault> {
        if let Some(all) = self.cache.held::<TenantIds>(self.meta.name, Part::Ids(tenant as u32)) {
            let found = all.ids.binary_search(&id).ok();
            return Ok(found.map(|number| Place { number, rows: all.rows(number) }));
        }
        let end = self.tenant_rows(tenant);
        let of = |place: &SlicePlace, slice: &Slice| {
            let (at, rows) = slice.find(id)?;
            Some(Place { number: place.first_trace + at, rows: u64::from(rows.start)..u64::from(rows.end) })
        };
        if let Ok(fence) = self.fence() {
            let Some(place) = fence.slice_of(tenant, id) else { return Ok(None) };
            if let Ok(slice) = self.slice(&place) {
                return Ok(of(&place, &slice).filter(|place| place.rows.end <= end.end));
            }
        }
        let remade = self.remade_ids(expired)?;
        let Some(place) = remade.fence.slice_of(tenant, id) else { return Ok(None) };
        let slice = remade.slice(&place).map_err(|err| Fault::Lost(self.side_error((0, 0), &err)))?;
        Ok(of(&place, &slice))
    }

    /// A slice of the ids, verified.
    pub(super) fn slice(&self, place: &SlicePlace) -> Result<Slice, ReadError> {
        let read = || {
            let section = self.section(SectionId::Ids)?;
            let (offset, length) =
                (section.offset.saturating_add(place.bytes.start), place.bytes.end - place.bytes.start);
            let stored = self.side(offset, length)?;
            Slice::decode(place, &stored).map_err(|err| self.side_error((offset, length), &err))
        };
        self.noting(read())
    }

    /// All traces of a tenant.
    pub(super) fn tenant_ids(&self, tenant: usize, expired: Expired<'_>) -> Result<Arc<TenantIds>, Fault> {
        self.cache.get(self.meta.name, Part::Ids(tenant as u32), || {
            let ids = match self.stored_ids(tenant) {
                Ok(ids) => ids,
                Err(_) => self.ids_from_rows(tenant, expired)?,
            };
            let bytes = ids.ids.len() * 20;
            Ok((ids, bytes as u64))
        })
    }

    /// The traces of a tenant as the sidecar says, read at once.
    fn stored_ids(&self, tenant: usize) -> Result<TenantIds, ReadError> {
        let fence = self.fence()?;
        let read = || {
            let section = self.section(SectionId::Ids)?;
            let places: Vec<SlicePlace> = fence.slices(tenant).collect();
            let count = fence.trace_count(tenant);
            let mut ids = TenantIds { ids: Vec::with_capacity(count), rows: Vec::with_capacity(count + 1) };
            if let (Some(first), Some(last)) = (places.first(), places.last()) {
                let base = first.bytes.start;
                let stored = self.side(section.offset.saturating_add(base), last.bytes.end - base)?;
                for place in &places {
                    let bytes = &stored[(place.bytes.start - base) as usize..(place.bytes.end - base) as usize];
                    let wrong = |err| {
                        let offset = section.offset + place.bytes.start;
                        self.side_error((offset, bytes.len() as u64), &err)
                    };
                    place.read_into(bytes, &mut ids.ids, &mut ids.rows).map_err(wrong)?;
                }
            }
            let part = &self.meta.tenants[tenant];
            let ids = ids.finish(part.trace_count, self.tenant_rows(tenant));
            let place = (section.offset, section.stored_bytes);
            ids.ok_or_else(|| self.side_error(place, &"the ids are not those of the block's traces"))
        };
        self.noting(read())
    }

    fn ids_from_rows(&self, tenant: usize, expired: Expired<'_>) -> Result<TenantIds, Fault> {
        let remade = self.remade_ids(expired)?;
        let mut ids = TenantIds { ids: Vec::new(), rows: Vec::new() };
        for place in remade.fence.slices(tenant) {
            ids.push(&remade.slice(&place).map_err(|err| Fault::Lost(self.side_error((0, 0), &err)))?);
        }
        let count = remade.fence.trace_count(tenant) as u64;
        let ids = ids.finish(count, self.tenant_rows(tenant));
        ids.ok_or_else(|| Fault::Lost(self.side_error((0, 0), &"the trace ids of the rows are out of order")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_is_found_from_any_place_before_it() {
        let id = |number: u8| TraceId([number; 16]);
        for count in 0..20_u8 {
            let ids: Vec<TraceId> = (0..count).map(|number| id(number * 2 + 1)).collect();
            let all = TenantIds { rows: (0..=u32::from(count)).collect(), ids };
            for asked in 0..=count * 2 + 1 {
                let expected = all.ids.binary_search(&id(asked));
                let (Ok(place) | Err(place)) = expected;
                for near in 0..=place {
                    assert_eq!(all.number_from(near, id(asked)), expected, "{asked} of {count} from {near}");
                }
            }
        }
    }
}
