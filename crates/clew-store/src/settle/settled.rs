//! What readers see of settlements: the verdicts, the figures, and how far a trace has come.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use clew_block::{Block, BlockName};
use clew_model::identity::{distinct, has_repeats};
use clew_model::scan::{Expired, Incomplete, ScanError, SpanSource as _, TimeRange, TraceState};
use clew_model::{Span, Tenant, TraceId, Verdict};
use clew_rollup::{Rollup, Tally};
use foldhash::fast::RandomState;

use super::book::{Book, Uncounted};
use super::files::{SettleFiles, SettleReadError};
use super::pass::count;
use super::pending::PendingTraces;
use super::record::{Record, Records, SettledRecords};
use super::sources::{self, is_late};
use crate::Generation;
use crate::catalog::{Deletion, SettleEntry};
use crate::view::View;

/// Traces whose spans are read together.
const READ_TRACES: usize = 1024;

/// After so many records a feed begins no other file: whoever wants few of them comes back.
const FEED_RECORDS: u64 = 64 * 1024;

const MINUTE_NANOS: u64 = 60_000_000_000;

/// What was settled, as of one moment.
#[derive(Debug, Clone, Default)]
pub struct Settled {
    /// The files, by their first record.
    pub(crate) entries: Arc<[Arc<SettleEntry>]>,
    /// The number of the next record.
    pub(crate) next_sequence: u64,
    /// Where they are read; `None` in a view of no store.
    pub(crate) files: Option<SettleFiles>,
    /// The traces that have spans which are not counted, and from when on.
    pub(crate) uncounted: Arc<Uncounted>,
    /// Blocks whose traces are among these although some of their spans were received at `through_unix_nanos` or later.
    pub(crate) read: Arc<BTreeSet<BlockName>>,
    /// What was received then or later is not counted, whatever its trace.
    pub(crate) through_unix_nanos: u64,
    /// All that was received before is counted.
    pub(crate) watermark_unix_nanos: u64,
    /// Verdicts of settled traces that are not what every trace has, newest last.
    pub(crate) special: Vec<Arc<Special>>,
    /// Traces that are kept against what older blocks say, and the rule that keeps them.
    pub(crate) reversed: Arc<BTreeMap<(Tenant, TraceId), String>>,
    /// Another number after each time that there were others.
    pub(crate) reversals: u64,
}

/// What one settlement said that is not what every trace has.
#[derive(Debug, Default)]
pub struct Special {
    pub(crate) through_unix_nanos: u64,
    verdicts: Vec<Verdict>,
    tenants: BTreeMap<Tenant, HashMap<TraceId, (u16, u64), RandomState>>,
}

/// Figures of a tenant.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct FiguresAnswer {
    /// The figures, up to now.
    pub rollup: Rollup,
    /// Set when something may be missing.
    pub incomplete: Option<Incomplete>,
}

/// Records as they were settled.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct FeedAnswer {
    /// The number of each record, whose it is, and its verdict.
    pub records: Vec<(u64, Tenant, Record, Verdict)>,
    /// The number of the next record that was not looked at.
    pub next: u64,
    /// Records between what was asked for and the first one here that are not kept any more.
    pub lost_count: u64,
}

impl Special {
    /// Of these records, by settlement; none of one whose traces are all as every trace.
    pub(crate) fn of(records: &Records) -> Vec<Arc<Self>> {
        let is_plain: Vec<bool> = records.verdicts.iter().map(Verdict::is_keep_all).collect();
        let is_special = |record: &Record| {
            let is_plain = is_plain.get(usize::from(record.verdict)).copied().unwrap_or(true);
            !is_plain || record.late_span_count > 0
        };
        let of = |settled: &SettledRecords| {
            let (through_unix_nanos, verdicts) = (settled.through_unix_nanos, records.verdicts.clone());
            let mut special = Self { through_unix_nanos, verdicts, ..Self::default() };
            for (tenant, records) in &settled.tenants {
                for (_, record) in records.iter().filter(|(_, record)| is_special(record)) {
                    let own = special.tenants.entry(tenant.clone()).or_default();
                    own.insert(record.summary.trace_id, (record.verdict, record.late_span_count));
                }
            }
            (!special.tenants.is_empty()).then(|| Arc::new(special))
        };
        records.settlements.iter().filter_map(of).collect()
    }

    fn find(&self, tenant: &Tenant, id: TraceId) -> Option<(&Verdict, u64)> {
        let (verdict, late) = self.tenants.get(tenant)?.get(&id)?;
        Some((self.verdicts.get(usize::from(*verdict))?, *late))
    }
}

impl Settled {
    /// From which receive time on the spans of a trace are not counted.
    fn first_uncounted(&self, tenant: &Tenant, id: TraceId) -> u64 {
        let pending = self.uncounted.get(tenant).and_then(|traces| traces.get(id));
        pending.map_or(self.through_unix_nanos, |pending| pending.first_uncounted.min(self.through_unix_nanos))
    }

    /// Whether a trace has spans that are known not to be counted.
    fn is_pending(&self, tenant: &Tenant, id: TraceId) -> bool {
        self.uncounted.get(tenant).is_some_and(|traces| traces.get(id).is_some())
    }

    /// Nothing was complete, and all that was received before that instant is counted.
    pub(crate) fn pass_watermark(&mut self, watermark_unix_nanos: u64) {
        self.watermark_unix_nanos = self.watermark_unix_nanos.max(watermark_unix_nanos);
    }

    /// All that was received before is counted, in unix nanoseconds.
    pub fn watermark_unix_nanos(&self) -> u64 {
        self.watermark_unix_nanos
    }

    /// What is wrong with files, as far as they were read; in sentences.
    pub(crate) fn damage(&self) -> Vec<String> {
        let Some(files) = &self.files else { return Vec::new() };
        self.entries.iter().filter_map(|entry| files.damage(entry.number)).collect()
    }

    /// The number of the next record that will be settled.
    pub fn next_sequence(&self) -> u64 {
        self.next_sequence
    }
}

impl View {
    /// Shows what a book says.
    pub(crate) fn show_book(&mut self, book: &Book) {
        self.settled.uncounted = Arc::new(book.snapshot());
        self.settled.read = Arc::new(book.read().clone());
        self.settled.through_unix_nanos = book.seen_before();
    }

    /// Blocks with spans that the book has not seen. One that was written anew since is among them, at the cost of a look.
    fn unread(&self) -> impl Iterator<Item = &Arc<Block>> {
        let settled = &self.settled;
        let is_read = |block: &Block| settled.read.contains(&block.meta().name);
        self.blocks.iter().filter(move |block| is_late(block, settled.through_unix_nanos) && !is_read(block))
    }

    /// How far a trace has come, of which these are all spans.
    pub(crate) fn state_by_spans(&self, tenant: &Tenant, spans: &[Span]) -> TraceState {
        let Some(first) = spans.first() else { return TraceState::default() };
        let from = self.settled.first_uncounted(tenant, first.trace_id);
        let is_counted = |span: &Span| span.received_unix_nanos < from;
        if !spans.iter().any(is_counted) {
            return TraceState::default();
        }
        self.state(tenant, first.trace_id, spans.iter().all(is_counted))
    }

    /// How far a trace has come that is there, by what is known without its spans.
    pub(crate) fn state_by_id(&self, tenant: &Tenant, id: TraceId) -> TraceState {
        let through = self.settled.through_unix_nanos;
        let grows = |generation: &Arc<Generation>| {
            generation.live.last_received(tenant, id).is_some_and(|received| received >= through)
        };
        // What cannot be looked at is not known to be counted.
        let lacks = |block: &Block| block.extents(tenant, &[id], &|| false).is_ok_and(|found| found.extents.is_empty());
        let is_settled = !self.settled.is_pending(tenant, id)
            && !self.generations.iter().any(grows)
            && self.unread().all(|block| lacks(block));
        if is_settled || self.prior_verdict(tenant, id).is_some() {
            return self.state(tenant, id, is_settled);
        }
        TraceState::default()
    }

    /// The state of a trace that was settled at least once.
    fn state(&self, tenant: &Tenant, id: TraceId, is_settled: bool) -> TraceState {
        let late_span_count = self.special(tenant, id).map(|(_, late)| late).sum();
        let verdict = self.prior_verdict(tenant, id).unwrap_or_else(Verdict::keep_all);
        TraceState { is_settled, verdict: Some(verdict), late_span_count }
    }

    /// What was decided about a trace when it was settled last; `None` when that is not known, as of a trace that was never
    /// settled, or that is kept as every trace is.
    pub fn prior_verdict(&self, tenant: &Tenant, id: TraceId) -> Option<Verdict> {
        let mut merged = self.blocks.iter().rev().filter(|block| block.meta().level > 0);
        self.settled_verdict(tenant, id).or_else(|| merged.find_map(|block| block.verdict(tenant, id)))
    }

    /// The same for what settlements say of it, not the blocks that it was merged into.
    pub(crate) fn settled_verdict(&self, tenant: &Tenant, id: TraceId) -> Option<Verdict> {
        let last = self.special(tenant, id).next().map(|(verdict, _)| verdict.clone());
        last.or_else(|| {
            let rule = self.settled.reversed.get(&(tenant.clone(), id))?;
            Some(Verdict { rule: rule.clone(), ..Verdict::keep_all() })
        })
    }

    /// What settlements said of a trace, the last first.
    fn special(&self, tenant: &Tenant, id: TraceId) -> impl Iterator<Item = (&Verdict, u64)> {
        self.settled.special.iter().rev().filter_map(move |special| special.find(tenant, id))
    }

    /// The figures of a tenant's spans, by the minute of their start: those that are counted, and those that are not yet, which
    /// are read and counted now. Minutes that the range touches are whole.
    pub fn figures(&self, tenant: &Tenant, range: TimeRange, expired: Expired<'_>) -> Result<FiguresAnswer, ScanError> {
        let (from, to) = (range.from_unix_nanos / MINUTE_NANOS, range.to_unix_nanos.div_ceil(MINUTE_NANOS));
        let mut answer = FiguresAnswer::default();
        let covers = |entry: &SettleEntry| {
            let through = entry.through_unix_nanos;
            self.deletions.iter().any(|deletion| deletion.covers_settled(tenant, None, through))
        };
        let concerns = |entry: &&Arc<SettleEntry>| {
            entry.tenants.binary_search(tenant).is_ok() && entry.minutes.0 < to && entry.minutes.1 >= from
        };
        for entry in self.settled.entries.iter().filter(concerns).filter(|entry| !covers(entry)) {
            if expired() {
                return Err(ScanError::Expired);
            }
            let Some(files) = &self.settled.files else { continue };
            match files.rollups(entry.number) {
                Ok(rollups) => {
                    let own = rollups.iter().filter(|(owner, _)| owner == tenant);
                    own.for_each(|(_, rollup)| answer.rollup.add_minutes(rollup, from..to));
                }
                Err(error) => answer.incomplete = Some(unread(entry.number, &error)),
            }
        }
        self.add_uncounted(tenant, (from, to), &mut answer, expired)?;
        Ok(answer)
    }

    /// Adds the spans that no settlement has counted.
    fn add_uncounted(
        &self,
        tenant: &Tenant,
        (from, to): (u64, u64),
        answer: &mut FiguresAnswer,
        expired: Expired<'_>,
    ) -> Result<(), ScanError> {
        let pending = self.settled.uncounted.get(tenant).into_iter().flat_map(PendingTraces::iter);
        let mut ids: Vec<TraceId> = pending.map(|(id, _)| *id).collect();
        for block in self.unread() {
            for part in block.meta().tenants.iter().filter(|part| part.tenant == *tenant) {
                ids.extend(sources::arrivals(block, part, expired)?.into_iter().map(|arrival| arrival.trace_id));
            }
        }
        for generation in &self.generations {
            let arrivals = generation.live.arrivals_of(tenant, self.settled.through_unix_nanos);
            ids.extend(arrivals.into_iter().map(|arrival| arrival.trace_id));
        }
        ids.sort_unstable();
        ids.dedup();
        let mut tally = Tally::default();
        for chunk in ids.chunks(READ_TRACES) {
            let read = self.figured(tenant, chunk, expired)?;
            answer.incomplete = answer.incomplete.take().or(read.incomplete);
            for trace in read.spans.chunk_by(|one, next| one.trace_id == next.trace_id) {
                let repeated = has_repeats(trace).then(|| distinct(trace.to_vec()));
                let trace = repeated.as_deref().unwrap_or(trace);
                let first_uncounted = self.settled.first_uncounted(tenant, trace[0].trace_id);
                if trace.iter().all(|span| span.received_unix_nanos >= first_uncounted) {
                    tally.add(trace, true);
                } else {
                    tally.add_rollup(&count(trace, first_uncounted, true));
                }
            }
        }
        answer.rollup.add_minutes(&tally.into_rollup(), from..to);
        Ok(())
    }

    /// Records from a number on, at most so many of those that `wants` takes. There may be more, whatever their number, as long as [`FeedAnswer::next`] is not [`Settled::next_sequence`].
    pub fn feed(
        &self,
        from: u64,
        most: usize,
        wants: &dyn Fn(&Tenant, &Record, &Verdict) -> bool,
    ) -> Result<FeedAnswer, ScanError> {
        let mut answer = FeedAnswer { next: from, ..FeedAnswer::default() };
        let Some(files) = &self.settled.files else { return Ok(answer) };
        for entry in self.settled.entries.iter() {
            // Numbers tell what is lost: between one record and the next, or up to the end.
            if entry.first_sequence + entry.record_count <= from || entry.kept_count == 0 {
                continue;
            }
            if answer.records.len() >= most || answer.next - from > FEED_RECORDS {
                return Ok(answer);
            }
            let records = match files.records(entry.number) {
                Ok(records) => records,
                // Whoever follows the feed does not wait for what never comes back; the health tells it.
                Err(error) if error.is_damage() => continue,
                Err(error) => return Err(ScanError::Storage(error.to_string())),
            };
            for (number, tenant, through, record) in records.iter().filter(|(number, ..)| *number >= from) {
                if answer.records.len() >= most {
                    return Ok(answer);
                }
                answer.lost_count += number.saturating_sub(answer.next);
                answer.next = number + 1;
                let id = Some(record.summary.trace_id);
                if self.deletions.iter().any(|deletion| deletion.covers_settled(tenant, id, through)) {
                    continue;
                }
                let keep_all = Verdict::keep_all();
                let verdict = records.verdict(record).unwrap_or(&keep_all);
                if wants(tenant, record, verdict) {
                    answer.records.push((number, tenant.clone(), record.clone(), verdict.clone()));
                }
            }
        }
        answer.lost_count += self.settled.next_sequence.saturating_sub(answer.next);
        answer.next = answer.next.max(self.settled.next_sequence);
        Ok(answer)
    }
}

impl Deletion {
    /// Whether it speaks of what was settled of a tenant up to that instant; of what is known of a trace, if one is named.
    pub(crate) fn covers_settled(&self, tenant: &Tenant, id: Option<TraceId>, through_unix_nanos: u64) -> bool {
        self.tenant == *tenant
            && through_unix_nanos <= self.at_unix_nanos
            && self.trace_id.is_none_or(|deleted| id == Some(deleted))
    }
}

fn unread(number: u64, error: &SettleReadError) -> Incomplete {
    let detail = format!("figures of settled/{} could not be read: {error}", super::files::file_name(number));
    Incomplete { reason: "corruption".to_owned(), detail }
}
