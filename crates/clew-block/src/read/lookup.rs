//! What is asked of traces by their ids.

use std::cell::Cell;
use std::collections::HashSet;
use std::ops::Range;

use clew_model::identity::{distinct, has_repeats};
use clew_model::scan::{Expired, ExtentsAnswer, RowsAnswer, ScanError, SummariesAnswer};
use clew_model::{Span, Tenant, TraceId};
use foldhash::fast::RandomState;

use super::damage::{Lack, ReadError};
use super::ids::{Place, TenantIds};
use super::spans::{Depth, SpanReader};
use super::{Block, Fault};

/// From so many ids on, all ids of the tenant are read at once, and kept: lists ask for some traces several times.
const MANY_IDS: usize = 16;

/// Ids between two looks at the time.
const IDS_AT_ONCE: usize = 1024;

/// Places of traces, by slices or by all ids of the tenant, whichever takes less.
pub(super) struct Places<'b> {
    block: &'b Block,
    tenant: usize,
    all: Option<std::sync::Arc<TenantIds>>,
    /// The trace that was asked for last and its place among all: who asks for many asks in order.
    last: Cell<(TraceId, usize)>,
}

impl<'b> Places<'b> {
    /// For a question about so many ids.
    pub(super) fn new(block: &'b Block, tenant: usize, count: usize, expired: Expired<'_>) -> Result<Self, Fault> {
        let all = if count < MANY_IDS { None } else { Some(block.tenant_ids(tenant, expired)?) };
        Ok(Self { block, tenant, all, last: Cell::default() })
    }

    /// The place of a trace, if the tenant has it.
    pub(super) fn find(&self, id: TraceId, expired: Expired<'_>) -> Result<Option<Place>, Fault> {
        match &self.all {
            Some(all) => {
                let (last, near) = self.last.get();
                let found = all.number_from(if last <= id { near } else { 0 }, id);
                self.last.set((id, found.unwrap_or_else(|place| place)));
                Ok(found.ok().map(|number| Place { number, rows: all.rows(number) }))
            }
            None => self.block.find(self.tenant, id, expired),
        }
    }
}

/// Answers [`clew_model::scan::SpanSource::extents`].
pub(super) fn extents(
    block: &Block,
    tenant: &Tenant,
    ids: &[TraceId],
    expired: Expired<'_>,
) -> Result<ExtentsAnswer, ScanError> {
    let mut answer = ExtentsAnswer::default();
    let Some(tenant) = block.tenant_number(tenant) else { return Ok(answer) };
    let found = with_numbers(block, tenant, ids, expired, |id, number, (summaries, _)| {
        answer.extents.extend(summaries.extents().get(number).map(|extent| (id, *extent)));
    });
    answer.incomplete = lacking(found)?;
    answer.extents.sort_by_key(|(id, _)| *id);
    Ok(answer)
}

/// Answers [`clew_model::scan::SpanSource::summaries`].
pub(super) fn summaries(
    block: &Block,
    tenant: &Tenant,
    ids: &[TraceId],
    expired: Expired<'_>,
) -> Result<SummariesAnswer, ScanError> {
    let mut answer = SummariesAnswer::default();
    let Some(tenant) = block.tenant_number(tenant) else { return Ok(answer) };
    let ids = once(ids);
    let found = with_numbers(block, tenant, &ids, expired, |id, number, (summaries, names)| {
        answer.summaries.extend(summaries.summary(number, id, names));
    });
    answer.incomplete = lacking(found)?;
    Ok(answer)
}

type Known = (std::sync::Arc<crate::sidecar::Summaries>, std::sync::Arc<crate::sidecar::Names>);

/// Calls `each` with the ids that the tenant has, the number of their summary, and all summaries.
fn with_numbers(
    block: &Block,
    tenant: usize,
    ids: &[TraceId],
    expired: Expired<'_>,
    mut each: impl FnMut(TraceId, usize, &Known),
) -> Result<(), Fault> {
    let places = Places::new(block, tenant, ids.len(), expired)?;
    let first = block.first_trace(tenant);
    let mut known = None;
    for ids in ids.chunks(IDS_AT_ONCE) {
        if expired() {
            return Err(Fault::Expired);
        }
        for id in ids {
            let Some(place) = places.find(*id, expired)? else { continue };
            let known = match &mut known {
                Some(known) => known,
                none => none.insert(block.known_summaries(expired)?),
            };
            each(*id, first + place.number, known);
        }
    }
    Ok(())
}

/// Answers [`clew_model::scan::SpanSource::rows`] and its outlines. A trace's spans are ordered by start and span id.
pub(super) fn rows(
    block: &Block,
    tenant: &Tenant,
    ids: &[TraceId],
    depth: Depth,
    expired: Expired<'_>,
) -> Result<RowsAnswer, ScanError> {
    let mut answer = RowsAnswer::default();
    let Some(tenant) = block.tenant_number(tenant) else { return Ok(answer) };
    let mut lack = Lack::default();
    let found = spans(block, tenant, &once(ids), depth, expired, &mut answer, &mut lack);
    if let Some(lost) = lost(found)? {
        lack.add(lost);
    }
    answer.incomplete = lack.into_incomplete();
    Ok(answer)
}

fn spans(
    block: &Block,
    tenant: usize,
    ids: &[TraceId],
    depth: Depth,
    expired: Expired<'_>,
    answer: &mut RowsAnswer,
    lack: &mut Lack,
) -> Result<(), Fault> {
    let places = Places::new(block, tenant, ids.len(), expired)?;
    let mut found = Vec::new();
    for id in ids {
        found.extend(places.find(*id, expired)?.map(|place| (*id, place.rows)));
    }
    if found.is_empty() {
        return Ok(());
    }
    let data = block.data()?;
    let mut reader = SpanReader::new(&data);
    reader.set_depth(depth);
    for run in runs(found) {
        if expired() {
            return Err(Fault::Expired);
        }
        let mut lost = Vec::new();
        let mut spans = run.read(block, &mut reader, expired, &mut lost)?;
        if depth != Depth::Whole && spans.chunk_by(is_one_trace).any(has_repeats) {
            // Only whole spans tell whether they are the same.
            reader.set_depth(Depth::Whole);
            spans = run.read(block, &mut reader, expired, &mut lost)?;
            reader.set_depth(depth);
        }
        for error in lost {
            lack.add(error);
        }
        answer.spans.append(&mut in_order(spans));
    }
    Ok(())
}

/// The spans of traces that follow each other: each trace's by start and span id, identical ones once.
fn in_order(mut spans: Vec<Span>) -> Vec<Span> {
    if spans.chunk_by(is_one_trace).any(has_repeats) {
        let mut rest = spans.into_iter().peekable();
        spans = Vec::new();
        while let Some(first) = rest.next() {
            let id = first.trace_id;
            let mut trace = vec![first];
            trace.extend(std::iter::from_fn(|| rest.next_if(|span| span.trace_id == id)));
            spans.append(&mut distinct(trace));
        }
    }
    let place = |span: &Span| (span.start_unix_nanos, span.span_id);
    for trace in spans.chunk_by_mut(is_one_trace) {
        // Spans are large: those that are in order, as nearly all are, stay where they are.
        if !trace.is_sorted_by_key(place) {
            trace.sort_by_cached_key(place);
        }
    }
    spans
}

/// Traces that are read at once, with what lies between them.
struct Run {
    traces: Vec<(TraceId, Range<u64>)>,
    rows: Range<u64>,
}

/// Rows between two traces that are read with them: about as many as take as long as another read.
const GAP_ROWS: u64 = 128;

/// Rows of a run at most, if it has more than one trace: all of them are in memory.
const RUN_ROWS: u64 = 8192;

/// Puts traces together that lie close to each other in the order that they are asked for, which is mostly that of their ids.
fn runs(found: Vec<(TraceId, Range<u64>)>) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for (id, rows) in found {
        let joins = |run: &&mut Run| {
            rows.start >= run.rows.end && rows.start - run.rows.end <= GAP_ROWS && rows.end - run.rows.start <= RUN_ROWS
        };
        match runs.last_mut().filter(joins) {
            Some(run) => {
                run.rows.end = rows.end;
                run.traces.push((id, rows));
            }
            None => runs.push(Run { rows: rows.clone(), traces: vec![(id, rows)] }),
        }
    }
    runs
}

impl Run {
    /// Its traces' spans.
    fn read(
        &self,
        block: &Block,
        reader: &mut SpanReader<'_>,
        expired: Expired<'_>,
        lost: &mut Vec<ReadError>,
    ) -> Result<Vec<Span>, Fault> {
        // Of one trace the ids need not be read.
        let only = (self.traces.len() == 1).then(|| self.traces[0].0);
        reader.of_trace(only);
        let between = self.traces.windows(2).map(|pair| pair[0].1.end..pair[1].1.start);
        reader.leave_out(between.filter(|gap| !gap.is_empty()).collect());
        block.trace(reader, self.rows.clone(), expired, lost)
    }
}

fn is_one_trace(one: &Span, next: &Span) -> bool {
    one.trace_id == next.trace_id
}

/// The ids without repeats.
pub(super) fn once(ids: &[TraceId]) -> Vec<TraceId> {
    let mut asked: HashSet<TraceId, RandomState> = HashSet::with_capacity_and_hasher(ids.len(), RandomState::default());
    ids.iter().copied().filter(|id| asked.insert(*id)).collect()
}

/// What could not be read, unless time ran out.
fn lost(found: Result<(), Fault>) -> Result<Option<ReadError>, ScanError> {
    match found {
        Ok(()) => Ok(None),
        Err(Fault::Expired) => Err(ScanError::Expired),
        Err(Fault::Lost(error)) => Ok(Some(error)),
    }
}

fn lacking(found: Result<(), Fault>) -> Result<Option<clew_model::scan::Incomplete>, ScanError> {
    let mut lack = Lack::default();
    if let Some(error) = lost(found)? {
        lack.add(error);
    }
    Ok(lack.into_incomplete())
}
