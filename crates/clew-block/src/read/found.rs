//! What a scan finds: the traces of matching rows, and how far the newest ones reach.

use std::ops::Range;
use std::sync::Arc;

use clew_model::SpanId;
use clew_model::scan::{Enough, Expired, Extent, SpanRow, TimeRange, TraceMatch};

use super::bitmap::Bitmap;
use super::ids::TenantIds;
use super::{Block, Fault};
use crate::sidecar::Summaries;

/// Matching rows of a trace that are read beyond those asked for: rows of equal start and span id are ordered by their
/// duration, which the block's order does not know.
const SPARE_ROWS: usize = 8;

/// All traces of a tenant.
pub(super) struct TenantTraces {
    pub(super) ids: Arc<TenantIds>,
    summaries: Arc<Summaries>,
    /// Their numbers among all traces of the block.
    numbers: Range<usize>,
}

impl TenantTraces {
    pub(super) fn of(block: &Block, tenant: usize, expired: Expired<'_>) -> Result<Self, Fault> {
        let ids = block.tenant_ids(tenant, expired)?;
        let (summaries, _) = block.known_summaries(expired)?;
        let first = block.first_trace(tenant);
        let numbers = first..first + ids.ids.len();
        if summaries.extents().len() < numbers.end {
            return Err(Fault::Lost(block.side_error((0, block.side_bytes), &"a trace has no summary")));
        }
        Ok(Self { ids, summaries, numbers })
    }

    /// Of each its extent.
    pub(super) fn extents(&self) -> &[Extent] {
        &self.summaries.extents()[self.numbers.clone()]
    }
}

/// Whether a question about that range may concern the trace.
pub(super) fn meets(extent: &Extent, range: TimeRange) -> bool {
    extent.is_odd || extent.meets(range)
}

/// The start that is the last of the newest ones of these and no less than what the question says; 0 when they are too few.
pub(super) fn floor(extents: impl Iterator<Item = Extent>, enough: &Enough) -> u64 {
    let mut starts: Vec<u64> = extents.filter(|extent| !extent.is_odd).map(|extent| extent.start_unix_nanos).collect();
    let own = match enough.newest.checked_sub(1) {
        Some(last) if last < starts.len() => {
            let (_, start, _) = starts.select_nth_unstable_by_key(last, |start| std::cmp::Reverse(*start));
            *start
        }
        _ => 0,
    };
    own.max(enough.floor_unix_nanos)
}

/// Whether the trace begins there or later, for all that is known here.
pub(super) fn is_from(extent: &Extent, floor_unix_nanos: u64) -> bool {
    extent.is_odd || extent.start_unix_nanos >= floor_unix_nanos
}

/// Start, span id and duration of a row that is shown.
pub(super) type ShownRow = (u64, u64, u64);

/// The rows of a row group that met filters.
pub(super) struct Matched {
    /// The group's first row.
    pub(super) first: u64,
    /// By the filter's number.
    pub(super) filters: Vec<(usize, Bitmap)>,
    pub(super) any: Bitmap,
}

/// Matching rows by their traces.
pub(super) struct Traces {
    /// All traces of the tenant, once there was a match.
    all: Option<TenantTraces>,
    rows_per_trace: usize,
    found: Vec<Found>,
    /// Rows that are read further.
    pub(super) picked: Vec<u32>,
}

/// A trace with matching rows.
struct Found {
    number: usize,
    filters_met: u64,
    matched_count: u32,
    picked: Range<usize>,
}

impl Traces {
    /// Of so many rows of each trace more is told than that they are there.
    pub(super) fn new(rows_per_trace: usize) -> Self {
        Self { all: None, rows_per_trace, found: Vec::new(), picked: Vec::new() }
    }

    /// How many there are.
    pub(super) fn count(&self) -> u64 {
        self.found.len() as u64
    }

    /// The start before which nothing is wanted any more.
    pub(super) fn floor(&self, enough: &Enough) -> u64 {
        let extents = self.all.as_ref().map_or(&[][..], TenantTraces::extents);
        floor(self.found.iter().map(|found| extents[found.number]), enough)
    }

    /// Adds the rows of the next row group; `all` gives all traces of the tenant, once.
    pub(super) fn push(
        &mut self,
        matched: &Matched,
        all: impl FnOnce() -> Result<TenantTraces, Fault>,
    ) -> Result<(), Fault> {
        let all = match &mut self.all {
            Some(all) => all,
            none => none.insert(all()?),
        };
        let ids = &all.ids;
        let base = matched.first as u32;
        let picked_max = if self.rows_per_trace == 0 { 0 } else { self.rows_per_trace.saturating_add(SPARE_ROWS) };
        let mut number = self.found.last().map_or(0, |found| found.number);
        // The end of the trace at hand, from which on rows are of another.
        let mut end = if self.found.is_empty() { 0 } else { ids.rows[number + 1] };
        for at in matched.any.iter() {
            let row = base + at as u32;
            if row >= end {
                number += ids.rows[number..].partition_point(|first| *first <= row) - 1;
                end = ids.rows[number + 1];
                let picked = self.picked.len()..self.picked.len();
                self.found.push(Found { number, filters_met: 0, matched_count: 0, picked });
            }
            let Some(found) = self.found.last_mut() else { continue };
            let met = matched.filters.iter().filter(|(_, rows)| rows.contains(at));
            found.filters_met |= met.fold(0, |met, (filter, _)| met | 1 << filter);
            found.matched_count += 1;
            if found.picked.len() < picked_max {
                self.picked.push(row);
                found.picked.end += 1;
            }
        }
        Ok(())
    }

    /// Those that the range concerns, with what was read of the picked rows.
    pub(super) fn into_matches(self, rows: &[Option<ShownRow>], range: TimeRange) -> Vec<TraceMatch> {
        let mut matches = Vec::with_capacity(self.found.len());
        let Some(all) = &self.all else { return matches };
        for found in self.found {
            let extent = all.extents()[found.number];
            if !meets(&extent, range) {
                continue;
            }
            let mut first: Vec<_> = rows[found.picked].iter().flatten().copied().collect();
            first.sort_unstable();
            first.truncate(self.rows_per_trace);
            let row = |(start_unix_nanos, span_id, duration_nanos)| SpanRow {
                span_id: SpanId::from_u64(span_id),
                start_unix_nanos,
                duration_nanos,
            };
            matches.push(TraceMatch {
                trace_id: all.ids.ids[found.number],
                extent,
                filters_met: found.filters_met,
                matched_count: found.matched_count,
                rows: first.into_iter().map(row).collect(),
            });
        }
        matches
    }
}
