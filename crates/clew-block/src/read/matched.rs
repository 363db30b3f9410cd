//! Which spans of known traces meet a filter, and what a list shows of them: only the columns that filters ask for and the
//! few values that are shown are read.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::ops::Range;

use clew_model::scan::{Expired, MatchedAnswer, MatchedRequest, MatchedSpans, ScanError, ShownSpan};
use clew_model::{SpanId, TraceId};

use super::bitmap::Bitmap;
use super::damage::{Lack, ReadError};
use super::data::Data;
use super::filter::{Filter, Known};
use super::lookup::{self, Places, once};
use super::spans::Depth;
use super::{Block, Fault};

/// The columns of what is shown.
const SHOWN: [&str; 6] = ["span_id", "start_unix_nanos", "duration_nanos", "service", "name", "error"];

/// Answers [`clew_model::scan::SpanSource::matched`].
pub(super) fn matched(
    block: &Block,
    request: &MatchedRequest<'_>,
    expired: Expired<'_>,
) -> Result<MatchedAnswer, ScanError> {
    let mut answer = MatchedAnswer::default();
    let Some(tenant) = block.tenant_number(request.tenant) else { return Ok(answer) };
    let mut look = Look { block, request, expired, lack: Lack::default(), whole: Vec::new() };
    match look.traces(tenant, &mut answer.traces) {
        Ok(()) => {}
        Err(Fault::Expired) => return Err(ScanError::Expired),
        Err(Fault::Lost(error)) => look.lack.add(error),
    }
    let Look { lack, whole, .. } = look;
    answer.incomplete = lack.into_incomplete();
    if !whole.is_empty() {
        let rows = lookup::rows(block, request.tenant, &whole, Depth::Whole, expired)?;
        answer.incomplete = answer.incomplete.or(rows.incomplete);
        let traces = rows.spans.chunk_by(|one, next| one.trace_id == next.trace_id);
        answer.traces.extend(traces.filter_map(|spans| request.of_trace(spans)));
    }
    Ok(answer)
}

/// A look under way.
struct Look<'l> {
    block: &'l Block,
    request: &'l MatchedRequest<'l>,
    expired: Expired<'l>,
    lack: Lack,
    /// Traces in which ids repeat: only whole spans tell which are the same.
    whole: Vec<TraceId>,
}

/// A row that met a filter.
struct Met {
    row: u64,
    span_id: SpanId,
}

impl Look<'_> {
    fn traces(&mut self, tenant: usize, into: &mut Vec<MatchedSpans>) -> Result<(), Fault> {
        let ids = once(self.request.ids);
        let places = Places::new(self.block, tenant, ids.len(), self.expired)?;
        let mut found: Vec<(Range<u64>, TraceId)> = Vec::with_capacity(ids.len());
        for id in ids {
            found.extend(places.find(id, self.expired)?.map(|place| (place.rows, id)));
        }
        if found.is_empty() {
            return Ok(());
        }
        // Ids and rows have one order.
        found.sort_unstable_by_key(|(rows, _)| rows.start);
        let data = self.block.data()?;
        let met = self.met(&data, found.iter().map(|(rows, _)| rows.clone()))?;
        let mut met = &met[..];
        let mut shown: Vec<u64> = Vec::new();
        let first = into.len();
        for (rows, trace_id) in found {
            let (own, rest) = met.split_at(met.partition_point(|met| met.row < rows.end));
            met = rest;
            let mut seen = HashSet::with_capacity(own.len());
            if !own.iter().all(|met| seen.insert(met.span_id)) {
                self.whole.push(trace_id);
            } else if !own.is_empty() {
                // Rows of a trace are in canonical order, as far as no id repeats.
                shown.extend(own.iter().take(self.request.shown_per_trace).map(|met| met.row));
                into.push(MatchedSpans { trace_id, count: own.len() as u64, shown: Vec::new() });
            }
        }
        let mut spans = self.shown(&data, &shown).into_iter();
        for trace in &mut into[first..] {
            let count = usize::try_from(trace.count).unwrap_or(usize::MAX).min(self.request.shown_per_trace);
            trace.shown = spans.by_ref().take(count).flatten().collect();
        }
        Ok(())
    }

    /// Those of the rows that meet a filter, rising.
    fn met(&mut self, data: &Data, rows: impl Iterator<Item = Range<u64>>) -> Result<Vec<Met>, Fault> {
        let mut groups: BTreeMap<usize, Bitmap> = BTreeMap::new();
        for (group, rows) in rows.flat_map(|rows| data.parts(rows)) {
            let none = || Bitmap::none(data.footer.row_count(group));
            groups.entry(group).or_insert_with(none).set_range(rows);
        }
        let known = self.block.groups().ok();
        let mut filters: Vec<Filter<'_>> = self.request.filters.iter().map(Filter::new).collect();
        let mut leaves: BTreeSet<usize> = SHOWN.iter().filter_map(|name| data.footer.leaf(name)).collect();
        leaves.extend(filters.iter().flat_map(|filter| filter.leaves(data)));
        data.announce_rows(groups.iter(), &leaves);
        let mut met = Vec::new();
        for (group, rows) in groups {
            if (self.expired)() {
                return Err(Fault::Expired);
            }
            let known = known.as_ref().and_then(|known| Known::of(known, group));
            let read = in_group(data, group, known, &mut filters, &rows, &mut met);
            read.unwrap_or_else(|error| self.lose(error));
        }
        Ok(met)
    }

    /// What is shown of these rows, which rise; `None` for rows that cannot be read.
    fn shown(&mut self, data: &Data, rows: &[u64]) -> Vec<Option<ShownSpan>> {
        let groups = rows.chunk_by(|one, next| data.footer.group_of(*one) == data.footer.group_of(*next));
        let maps: Vec<(usize, Bitmap)> = groups
            .map(|rows| {
                let group = data.footer.group_of(rows[0]);
                let mut map = Bitmap::none(data.footer.row_count(group));
                for row in rows {
                    map.set((row - data.footer.first_rows[group]) as usize);
                }
                (group, map)
            })
            .collect();
        let mut shown = Vec::with_capacity(rows.len());
        for (group, map) in maps {
            match values(data, group, &map) {
                Ok(values) => shown.extend(values.into_iter().map(Some)),
                Err(error) => {
                    shown.extend((0..map.count()).map(|_| None));
                    self.lose(error);
                }
            }
        }
        shown
    }

    fn lose(&mut self, error: ReadError) {
        self.block.damage.note(&error);
        self.lack.add(error);
    }
}

/// Adds those of the rows of a row group that meet one of the filters.
fn in_group(
    data: &Data,
    group: usize,
    known: Option<Known<'_>>,
    filters: &mut [Filter<'_>],
    rows: &Bitmap,
    into: &mut Vec<Met>,
) -> Result<(), ReadError> {
    let mut any = Bitmap::none(rows.row_count());
    for filter in filters {
        let mut met = rows.clone();
        filter.narrow(data, group, known, &mut met)?;
        any.unite(&met);
    }
    let first = data.footer.first_rows[group];
    data.for_each(group, "span_id", &any, |row, page, at| {
        let span_id = SpanId(page.bytes(at).try_into().unwrap_or_default());
        into.push(Met { row: first + row as u64, span_id });
    })
}

/// What is shown of the rows of a row group.
fn values(data: &Data, group: usize, map: &Bitmap) -> Result<Vec<ShownSpan>, ReadError> {
    let shown = |span_id| ShownSpan {
        span_id,
        service: String::new(),
        name: String::new(),
        start_unix_nanos: 0,
        duration_nanos: 0,
        is_error: false,
    };
    let mut spans: Vec<ShownSpan> = Vec::with_capacity(map.count());
    data.for_each(group, "span_id", map, |_, page, at| {
        spans.push(shown(SpanId(page.bytes(at).try_into().unwrap_or_default())));
    })?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    // None of these columns has nulls, so that each is called once for each row.
    let mut each = |name, set: &dyn Fn(&mut ShownSpan, &super::column::Page, usize)| {
        let mut next = 0;
        data.for_each(group, name, map, |_, page, at| {
            if let Some(span) = spans.get_mut(next) {
                set(span, page, at);
            }
            next += 1;
        })
    };
    each("start_unix_nanos", &|span, page, at| span.start_unix_nanos = page.number(at))?;
    each("duration_nanos", &|span, page, at| span.duration_nanos = page.number(at))?;
    each("service", &|span, page, at| span.service = text(page.bytes(at)))?;
    each("name", &|span, page, at| span.name = text(page.bytes(at)))?;
    each("error", &|span, page, at| span.is_error = page.truth(at))?;
    Ok(spans)
}
