//! Which traces have a span that meets a filter.
//!
//! Row group after row group: the sidecar says which of them can matter; filters narrow sets of rows; of the rows that
//! are left, only the first ones of each trace are read further. Without filters the sidecar answers alone.
//!
//! Who wants the newest traces and a bounded count of all gets no more row groups read in full once the count is there: of
//! the rest, only traces that begin no earlier than the last of the newest ones found are looked at.

use std::ops::Range;
use std::sync::Arc;

use clew_model::scan::{
    Enough, Expired, Extent, NewestAnswer, ScanAnswer, ScanError, ScanRequest, TimeRange, TraceMatch,
};
use clew_model::{SpanId, TraceId};

use super::bitmap::Bitmap;
use super::damage::{Lack, ReadError};
use super::data::Data;
use super::filter::{Filter, Known};
use super::found::{Matched, ShownRow, TenantTraces, Traces, floor, is_from, meets};
use super::{Block, Fault};
use crate::sidecar::{Groups, Names};

/// As many as [`TraceMatch::filters_met`] has bits.
const FILTERS_MAX: usize = 64;

/// Row groups that are announced to the disk before they are read.
pub(super) const GROUPS_AHEAD: usize = 8;

/// Answers [`clew_model::scan::SpanSource::scan`].
pub(super) fn scan(block: &Block, request: &ScanRequest, expired: Expired<'_>) -> Result<ScanAnswer, ScanError> {
    let all = Enough { count: u64::MAX, newest: 0, floor_unix_nanos: 0 };
    Ok(newest(block, request, &all, expired)?.answer)
}

/// Answers [`clew_model::scan::SpanSource::scan_newest`].
pub(super) fn newest(
    block: &Block,
    request: &ScanRequest,
    enough: &Enough,
    expired: Expired<'_>,
) -> Result<NewestAnswer, ScanError> {
    if request.filters.len() > FILTERS_MAX {
        let found = request.filters.len();
        return Err(ScanError::Request(format!("a scan takes at most {FILTERS_MAX} filters, not {found}")));
    }
    let mut answer = NewestAnswer::default();
    let Some(tenant) = block.tenant_number(&request.tenant) else { return Ok(answer) };
    let part = &block.meta.tenants[tenant];
    let is_odd = part.has_odd_traces || part.extent.is_odd;
    if !is_odd && !part.extent.meets(request.range) {
        return Ok(answer);
    }
    if enough.count == 0 && !is_odd && part.extent.end_unix_nanos < enough.floor_unix_nanos {
        answer.left_out_before_unix_nanos = Some(enough.floor_unix_nanos);
        return Ok(answer);
    }
    let mut lack = Lack::default();
    let found = if request.filters.is_empty() {
        all_traces(block, tenant, request, enough, expired, &mut answer)
    } else {
        matching(block, tenant, request, enough, expired, &mut answer, &mut lack)
    };
    match found {
        Ok(()) => {}
        Err(Fault::Expired) => return Err(ScanError::Expired),
        Err(Fault::Lost(error)) => lack.add(error),
    }
    answer.answer.incomplete = lack.into_incomplete();
    Ok(answer)
}

/// Every trace is a match.
fn all_traces(
    block: &Block,
    tenant: usize,
    request: &ScanRequest,
    enough: &Enough,
    expired: Expired<'_>,
    answer: &mut NewestAnswer,
) -> Result<(), Fault> {
    let traces = TenantTraces::of(block, tenant, expired)?;
    let all = traces.ids.ids.iter().zip(traces.extents());
    let inside: Vec<_> = all.filter(|(_, extent)| meets(extent, request.range)).collect();
    let count = usize::try_from(enough.count).unwrap_or(usize::MAX).min(inside.len());
    let (counted, rest) = inside.split_at(count);
    let found = |(id, extent): &(&TraceId, &Extent)| TraceMatch {
        trace_id: **id,
        extent: **extent,
        filters_met: 0,
        matched_count: 0,
        rows: Vec::new(),
    };
    answer.answer.matches = counted.iter().map(found).collect();
    if !rest.is_empty() {
        let floor = floor(counted.iter().map(|(_, extent)| **extent), enough);
        answer.answer.matches.extend(rest.iter().filter(|(_, extent)| is_from(extent, floor)).map(found));
        answer.left_out_before_unix_nanos = (floor > 0).then_some(floor);
    }
    Ok(())
}

/// The traces with rows that meet filters.
fn matching(
    block: &Block,
    tenant: usize,
    request: &ScanRequest,
    enough: &Enough,
    expired: Expired<'_>,
    answer: &mut NewestAnswer,
    lack: &mut Lack,
) -> Result<(), Fault> {
    let mut filters: Vec<Filter<'_>> = request.filters.iter().map(Filter::new).collect();
    let known = block.groups().ok();
    let mut scan =
        Scan { block, tenant, expired, lack, known, data: None, scanned_count: 0, inside: None, announced: 0 };
    let groups = scan.groups()?;
    scan.inside = scan.rows_inside(request.range)?;
    let mut traces = Traces::new(request.rows_per_trace as usize);
    let mut groups = groups.into_iter();
    while traces.count() < enough.count {
        let Some(group) = groups.next() else { break };
        scan.look(group, &mut filters, &mut traces)?;
    }
    if groups.len() > 0 {
        let floor = traces.floor(enough);
        if floor > 0 {
            scan.inside = Some(scan.rows_where(|extent| meets(extent, request.range) && is_from(extent, floor))?);
            answer.left_out_before_unix_nanos = Some(floor);
        }
        for group in groups {
            scan.look(group, &mut filters, &mut traces)?;
        }
    }
    let rows = scan.rows(&traces.picked)?;
    answer.answer.scanned_count = scan.scanned_count;
    answer.answer.matches = traces.into_matches(&rows, request.range);
    Ok(())
}

/// A scan under way.
struct Scan<'s> {
    block: &'s Block,
    tenant: usize,
    expired: Expired<'s>,
    lack: &'s mut Lack,
    /// What the sidecar says of the row groups, if it says so.
    known: Option<(Arc<Groups>, Arc<Names>)>,
    /// The Parquet file, once it was needed.
    data: Option<Data>,
    scanned_count: u64,
    /// The rows of the tenant's traces that the question is about; `None` when all are.
    inside: Option<Vec<Range<u64>>>,
    /// Row groups before that one were announced to the disk.
    announced: usize,
}

impl Scan<'_> {
    /// The row groups that hold rows of the tenant, with those rows.
    fn groups(&mut self) -> Result<Vec<(usize, Range<u64>)>, Fault> {
        let firsts: Vec<u64> = match &self.known {
            Some((groups, _)) => {
                let ends = groups.groups.iter().scan(0, |end, group| {
                    *end += u64::from(group.row_count);
                    Some(*end)
                });
                std::iter::once(0).chain(ends).collect()
            }
            None => self.data()?.footer.first_rows.clone(),
        };
        let rows = self.block.tenant_rows(self.tenant);
        let own = firsts.windows(2).map(|ends| ends[0].max(rows.start)..ends[1].min(rows.end));
        Ok(own.enumerate().filter(|(_, rows)| !rows.is_empty()).collect())
    }

    /// The Parquet file.
    fn data(&mut self) -> Result<&Data, Fault> {
        if self.data.is_none() {
            self.data = Some(self.block.data()?);
        }
        Ok(self.data.as_ref().expect("it was opened"))
    }

    /// Adds the traces of a row group that have rows which meet filters.
    fn look(
        &mut self,
        (group, rows): (usize, Range<u64>),
        filters: &mut [Filter<'_>],
        traces: &mut Traces,
    ) -> Result<(), Fault> {
        if (self.expired)() {
            return Err(Fault::Expired);
        }
        if self.inside.as_ref().is_some_and(|inside| !touches(inside, &rows)) {
            return Ok(());
        }
        let may_meet = self.may_meet(group, filters);
        if may_meet == 0 {
            return Ok(());
        }
        self.data()?;
        self.announce(group, filters);
        let matched = self.matched(group, may_meet, filters)?;
        if let Some(matched) = matched {
            traces.push(&matched, || TenantTraces::of(self.block, self.tenant, self.expired))?;
        }
        Ok(())
    }

    /// Lets the disk fetch what is going to be read of this row group and the next ones: at first the columns that the filters
    /// name, then those that were read as a whole.
    fn announce(&mut self, group: usize, filters: &[Filter<'_>]) {
        let (Some((groups, _)), Some(data)) = (&self.known, &self.data) else { return };
        if group < self.announced {
            return;
        }
        let next = group..groups.groups.len().min(group + GROUPS_AHEAD);
        let met = next.clone().filter(|group| self.may_meet(*group, filters) != 0);
        if self.announced == 0 {
            data.announce_groups(met, &filters.iter().flat_map(|filter| filter.leaves(data)).collect());
        } else {
            data.announce_groups(met, &data.read_whole.borrow());
        }
        self.announced = next.end;
    }

    /// Which filters rows of the group may meet, by the sidecar alone.
    fn may_meet(&self, number: usize, filters: &[Filter<'_>]) -> u64 {
        let known = self.known.as_ref().and_then(|known| Known::of(known, number));
        let Some(known) = known else { return u64::MAX };
        let bloom = || self.block.bloom(number, known.group).ok();
        let may_meet = |filter: &usize| filters[*filter].may_meet(known, bloom);
        (0..filters.len()).filter(may_meet).fold(0, |met, filter| met | 1 << filter)
    }

    /// The rows that meet filters; `None` when none does.
    fn matched(&mut self, group: usize, may_meet: u64, filters: &mut [Filter<'_>]) -> Result<Option<Matched>, Fault> {
        let Some(data) = self.data.take() else { return Ok(None) };
        if group >= data.footer.group_count() {
            let error = data.damaged("a row group that the sidecar names is not in it");
            self.data = Some(data);
            return Err(Fault::Lost(error));
        }
        let base = self.base(&data, group);
        let mut found =
            Matched { first: data.footer.first_rows[group], filters: Vec::new(), any: Bitmap::none(base.row_count()) };
        if !base.is_empty() {
            self.scanned_count += base.count() as u64;
            for (number, filter) in filters.iter_mut().enumerate().filter(|(number, _)| may_meet >> number & 1 == 1) {
                let mut rows = base.clone();
                let known = self.known.as_ref().and_then(|known| Known::of(known, group));
                match filter.narrow(&data, group, known, &mut rows) {
                    Ok(()) if !rows.is_empty() => {
                        found.any.unite(&rows);
                        found.filters.push((number, rows));
                    }
                    Ok(()) => {}
                    Err(error) => self.lose(error),
                }
            }
        }
        self.data = Some(data);
        Ok((!found.filters.is_empty()).then_some(found))
    }

    /// The ranges of rows whose traces lie in the time range.
    fn rows_inside(&self, range: TimeRange) -> Result<Option<Vec<Range<u64>>>, Fault> {
        let extent = self.block.meta.tenants[self.tenant].extent;
        let has_all = range.from_unix_nanos <= extent.start_unix_nanos && extent.end_unix_nanos < range.to_unix_nanos;
        if range == TimeRange::ALL || has_all {
            // Odd traces are never outside.
            return Ok(None);
        }
        self.rows_where(|extent| meets(extent, range)).map(Some)
    }

    /// The ranges of rows whose traces are such.
    fn rows_where(&self, is_inside: impl Fn(&Extent) -> bool) -> Result<Vec<Range<u64>>, Fault> {
        let traces = TenantTraces::of(self.block, self.tenant, self.expired)?;
        let mut inside: Vec<Range<u64>> = Vec::new();
        for (number, _) in traces.extents().iter().enumerate().filter(|(_, extent)| is_inside(extent)) {
            let rows = traces.ids.rows(number);
            match inside.last_mut().filter(|last| last.end == rows.start) {
                Some(last) => last.end = rows.end,
                None => inside.push(rows),
            }
        }
        Ok(inside)
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
    fn rows(&mut self, picked: &[u32]) -> Result<Vec<Option<ShownRow>>, Fault> {
        let mut rows = Vec::with_capacity(picked.len());
        if picked.is_empty() {
            return Ok(rows);
        }
        self.data()?;
        let Some(data) = self.data.take() else { return Ok(rows) };
        for picked in picked.chunk_by(|one, next| group_of(&data, *one) == group_of(&data, *next)) {
            let group = group_of(&data, picked[0]);
            let mut map = Bitmap::none(data.footer.row_count(group));
            for row in picked {
                map.set((u64::from(*row) - data.footer.first_rows[group]) as usize);
            }
            match values(&data, group, &map) {
                Ok(values) => rows.extend(values.into_iter().map(Some)),
                Err(error) => {
                    rows.extend(picked.iter().map(|_| None));
                    self.lose(error);
                }
            }
        }
        Ok(rows)
    }
}

/// Whether one of the ranges, which rise, has rows of that one.
fn touches(inside: &[Range<u64>], rows: &Range<u64>) -> bool {
    let from = inside.partition_point(|own| own.end <= rows.start);
    inside.get(from).is_some_and(|own| own.start < rows.end)
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
