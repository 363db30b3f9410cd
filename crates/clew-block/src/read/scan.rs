//! Which traces have a span that meets a filter.
//!
//! Row group after row group: the sidecar says which of them can matter; filters narrow sets of rows; of the rows that
//! are left, only the first ones of each trace are read further. Without filters the sidecar answers alone.

use std::ops::Range;
use std::sync::Arc;

use clew_model::SpanId;
use clew_model::scan::{Expired, ScanAnswer, ScanError, ScanRequest, SpanRow, TimeRange, TraceMatch};

use super::bitmap::Bitmap;
use super::damage::{Lack, ReadError};
use super::data::Data;
use super::filter::{Filter, Known};
use super::ids::TenantIds;
use super::{Block, Fault};
use crate::sidecar::{Groups, Names, TraceSummary};

/// As many as [`TraceMatch::filters_met`] has bits.
const FILTERS_MAX: usize = 64;

/// Matching rows of a trace that are read beyond those asked for: rows of equal start and span id are ordered by their
/// duration, which the block's order does not know.
const SPARE_ROWS: usize = 8;

/// Answers [`clew_model::scan::SpanSource::scan`].
pub(super) fn scan(block: &Block, request: &ScanRequest, expired: Expired<'_>) -> Result<ScanAnswer, ScanError> {
    if request.filters.len() > FILTERS_MAX {
        let found = request.filters.len();
        return Err(ScanError::Request(format!("a scan takes at most {FILTERS_MAX} filters, not {found}")));
    }
    let mut answer = ScanAnswer::default();
    let Some(tenant) = block.tenant_number(&request.tenant) else { return Ok(answer) };
    let part = &block.meta.tenants[tenant];
    if !part.has_odd_traces && !part.extent.is_odd && !part.extent.meets(request.range) {
        return Ok(answer);
    }
    let mut lack = Lack::default();
    match answered(block, tenant, request, expired, &mut answer, &mut lack) {
        Ok(()) => {}
        Err(Fault::Expired) => return Err(ScanError::Expired),
        Err(Fault::Lost(error)) => lack.add(error),
    }
    answer.incomplete = lack.into_incomplete();
    Ok(answer)
}

fn answered(
    block: &Block,
    tenant: usize,
    request: &ScanRequest,
    expired: Expired<'_>,
    answer: &mut ScanAnswer,
    lack: &mut Lack,
) -> Result<(), Fault> {
    if request.filters.is_empty() {
        let (ids, summaries) = Summaries::of(block, tenant, expired)?;
        let all = ids.ids.iter().zip(summaries.all());
        let inside = all.filter(|(_, summary)| meets(summary, request.range));
        answer.matches = inside.map(|(id, summary)| found(*id, summary)).collect();
        return Ok(());
    }
    let mut filters: Vec<Filter<'_>> = request.filters.iter().map(Filter::new).collect();
    let known = block.groups().ok();
    let mut scan = Scan { block, tenant, expired, lack, known, groups: Vec::new(), scanned_count: 0, inside: None };
    scan.plan(&filters)?;
    if scan.groups.is_empty() {
        return Ok(());
    }
    let data = block.data()?;
    let matched = scan.matched(&data, &mut filters, request.range)?;
    answer.scanned_count = scan.scanned_count;
    if !matched.is_empty() {
        let (ids, summaries) = Summaries::of(block, tenant, expired)?;
        let mut traces = Traces::new(&ids, &data, request.rows_per_trace as usize);
        for group in &matched {
            traces.push(group);
        }
        let rows = scan.rows(&data, &traces.picked);
        answer.matches = traces.into_matches(&summaries, &rows, request.range);
    }
    Ok(())
}

/// The summaries of a tenant's traces.
struct Summaries {
    all: Arc<crate::sidecar::Traces>,
    numbers: Range<usize>,
}

impl Summaries {
    /// These and the ids.
    fn of(block: &Block, tenant: usize, expired: Expired<'_>) -> Result<(Arc<TenantIds>, Self), Fault> {
        let ids = block.tenant_ids(tenant, expired)?;
        let (all, _) = block.known_traces(expired)?;
        let first = block.first_trace(tenant);
        let numbers = first..first + ids.ids.len();
        if all.traces.len() < numbers.end {
            return Err(Fault::Lost(block.side_error((0, block.side_bytes), &"a trace has no summary")));
        }
        Ok((ids, Self { all, numbers }))
    }

    fn all(&self) -> &[TraceSummary] {
        &self.all.traces[self.numbers.clone()]
    }
}

/// Whether a question about that range may concern the trace.
fn meets(summary: &TraceSummary, range: TimeRange) -> bool {
    summary.extent.is_odd || summary.extent.meets(range)
}

fn found(trace_id: clew_model::TraceId, summary: &TraceSummary) -> TraceMatch {
    TraceMatch { trace_id, extent: summary.extent, filters_met: 0, matched_count: 0, rows: Vec::new() }
}

/// A scan under way.
struct Scan<'s> {
    block: &'s Block,
    tenant: usize,
    expired: Expired<'s>,
    lack: &'s mut Lack,
    /// What the sidecar says of the row groups, if it says so.
    known: Option<(Arc<Groups>, Arc<Names>)>,
    /// The row groups to look at, each with the filters that may be met there. Without a footer nobody knows how many
    /// there are, so none is named.
    groups: Vec<(usize, u64)>,
    scanned_count: u64,
    /// The rows of the tenant's traces that lie in the range; `None` when all do.
    inside: Option<Vec<Range<u64>>>,
}

/// The rows of a row group that met filters.
struct Matched {
    group: usize,
    /// By the filter's number.
    filters: Vec<(usize, Bitmap)>,
    any: Bitmap,
}

impl Scan<'_> {
    /// Which row groups may matter, by the sidecar alone.
    fn plan(&mut self, filters: &[Filter<'_>]) -> Result<(), Fault> {
        let all = u64::MAX >> (64 - filters.len());
        let Some((groups, names)) = &self.known else {
            let count = self.block.data()?.footer.group_count();
            self.groups = (0..count).map(|group| (group, all)).collect();
            return Ok(());
        };
        let rows = self.block.tenant_rows(self.tenant);
        let mut first = 0;
        for (number, group) in groups.groups.iter().enumerate() {
            let end = first + u64::from(group.row_count);
            let is_outside = end <= rows.start || rows.end <= first;
            first = end;
            if is_outside {
                continue;
            }
            if (self.expired)() {
                return Err(Fault::Expired);
            }
            let known = Known { group, names };
            let bloom = || self.block.bloom(number, group).ok();
            let may_meet = |filter: &usize| filters[*filter].may_meet(known, bloom);
            let met = (0..filters.len()).filter(may_meet).fold(0, |met, filter| met | 1 << filter);
            if met != 0 {
                self.groups.push((number, met));
            }
        }
        Ok(())
    }

    /// The rows that meet filters.
    fn matched(&mut self, data: &Data, filters: &mut [Filter<'_>], range: TimeRange) -> Result<Vec<Matched>, Fault> {
        self.inside = self.rows_inside(range)?;
        let mut matched = Vec::new();
        for (group, may_meet) in std::mem::take(&mut self.groups) {
            if (self.expired)() {
                return Err(Fault::Expired);
            }
            let base = self.base(data, group);
            if base.is_empty() {
                continue;
            }
            self.scanned_count += base.count() as u64;
            let mut found = Matched { group, filters: Vec::new(), any: Bitmap::none(base.row_count()) };
            for (number, filter) in filters.iter_mut().enumerate().filter(|(number, _)| may_meet >> number & 1 == 1) {
                let mut rows = base.clone();
                let known = self
                    .known
                    .as_ref()
                    .and_then(|(groups, names)| groups.groups.get(group).map(|group| Known { group, names }));
                match filter.narrow(data, group, known, &mut rows) {
                    Ok(()) if !rows.is_empty() => {
                        found.any.unite(&rows);
                        found.filters.push((number, rows));
                    }
                    Ok(()) => {}
                    Err(error) => self.lose(error),
                }
            }
            if !found.filters.is_empty() {
                matched.push(found);
            }
        }
        Ok(matched)
    }

    /// The ranges of rows whose traces lie in the time range.
    fn rows_inside(&self, range: TimeRange) -> Result<Option<Vec<Range<u64>>>, Fault> {
        let extent = self.block.meta.tenants[self.tenant].extent;
        let has_all = range.from_unix_nanos <= extent.start_unix_nanos && extent.end_unix_nanos < range.to_unix_nanos;
        if range == TimeRange::ALL || has_all {
            // Odd traces are never outside.
            return Ok(None);
        }
        let (ids, summaries) = Summaries::of(self.block, self.tenant, self.expired)?;
        let mut inside: Vec<Range<u64>> = Vec::new();
        let inside_range = summaries.all().iter().enumerate().filter(|(_, summary)| meets(summary, range));
        for (number, _) in inside_range {
            let rows = ids.rows(number);
            match inside.last_mut().filter(|last| last.end == rows.start) {
                Some(last) => last.end = rows.end,
                None => inside.push(rows),
            }
        }
        Ok(Some(inside))
    }

    /// The rows of a group that the question is about.
    fn base(&self, data: &Data, group: usize) -> Bitmap {
        let (first, end) = (data.footer.first_rows[group], data.footer.first_rows[group + 1]);
        let mut base = Bitmap::none(data.footer.row_count(group));
        let mut add = |rows: &Range<u64>| {
            let rows = rows.start.max(first)..rows.end.min(end);
            if rows.start < rows.end {
                base.set_range((rows.start - first) as usize..(rows.end - first) as usize);
            }
        };
        match &self.inside {
            None => add(&self.block.tenant_rows(self.tenant)),
            Some(inside) => {
                let from = inside.partition_point(|rows| rows.end <= first);
                inside[from..].iter().take_while(|rows| rows.start < end).for_each(add);
            }
        }
        base
    }

    fn lose(&mut self, error: ReadError) {
        self.block.damage.note(&error);
        self.lack.add(error);
    }

    /// Of these rows, which rise, start, span id and duration; `None` for rows that cannot be read.
    fn rows(&mut self, data: &Data, picked: &[u32]) -> Vec<Option<(u64, u64, u64)>> {
        let mut rows = Vec::with_capacity(picked.len());
        for picked in picked.chunk_by(|one, next| group_of(data, *one) == group_of(data, *next)) {
            let group = group_of(data, picked[0]);
            let mut map = Bitmap::none(data.footer.row_count(group));
            for row in picked {
                map.set((u64::from(*row) - data.footer.first_rows[group]) as usize);
            }
            match values(data, group, &map) {
                Ok(values) => rows.extend(values.into_iter().map(Some)),
                Err(error) => {
                    rows.extend(picked.iter().map(|_| None));
                    self.lose(error);
                }
            }
        }
        rows
    }
}

fn group_of(data: &Data, row: u32) -> usize {
    data.footer.group_of(u64::from(row))
}

/// Start, span id and duration of rows.
fn values(data: &Data, group: usize, map: &Bitmap) -> Result<Vec<(u64, u64, u64)>, ReadError> {
    let mut values = Vec::with_capacity(map.count());
    data.for_each(group, "start_unix_nanos", map, |_, page, at| values.push((page.number(at), 0, 0)))?;
    let mut next = 0;
    data.for_each(group, "span_id", map, |_, page, at| {
        values[next].1 = SpanId(page.bytes(at).try_into().unwrap_or_default()).to_u64();
        next += 1;
    })?;
    next = 0;
    data.for_each(group, "duration_nanos", map, |_, page, at| {
        values[next].2 = page.number(at);
        next += 1;
    })?;
    Ok(values)
}

/// Matching rows by their traces.
struct Traces<'t> {
    ids: &'t TenantIds,
    data: &'t Data,
    rows_per_trace: usize,
    found: Vec<Found>,
    /// Rows that are read further.
    picked: Vec<u32>,
}

/// A trace with matching rows.
struct Found {
    number: usize,
    filters_met: u64,
    matched_count: u32,
    picked: Range<usize>,
}

impl<'t> Traces<'t> {
    fn new(ids: &'t TenantIds, data: &'t Data, rows_per_trace: usize) -> Self {
        Self { ids, data, rows_per_trace, found: Vec::new(), picked: Vec::new() }
    }

    /// Adds the rows of the next row group.
    fn push(&mut self, matched: &Matched) {
        let base = self.data.footer.first_rows[matched.group] as u32;
        let picked_max = if self.rows_per_trace == 0 { 0 } else { self.rows_per_trace.saturating_add(SPARE_ROWS) };
        let mut number = self.found.last().map_or(0, |found| found.number);
        // The end of the trace at hand, from which on rows are of another.
        let mut end = if self.found.is_empty() { 0 } else { self.ids.rows[number + 1] };
        for at in matched.any.iter() {
            let row = base + at as u32;
            if row >= end {
                number += self.ids.rows[number..].partition_point(|first| *first <= row) - 1;
                end = self.ids.rows[number + 1];
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
    }

    fn into_matches(
        self,
        summaries: &Summaries,
        rows: &[Option<(u64, u64, u64)>],
        range: TimeRange,
    ) -> Vec<TraceMatch> {
        let mut matches = Vec::with_capacity(self.found.len());
        for found in self.found {
            let summary = &summaries.all()[found.number];
            if !meets(summary, range) {
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
                trace_id: self.ids.ids[found.number],
                extent: summary.extent,
                filters_met: found.filters_met,
                matched_count: found.matched_count,
                rows: first.into_iter().map(row).collect(),
            });
        }
        matches
    }
}
