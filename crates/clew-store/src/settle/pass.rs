//! One look: what is complete is read, judged and rolled up. What comes of it counts once the keeper has committed it.

use std::collections::BTreeMap;

use clew_model::identity::{distinct, has_repeats};
use clew_model::scan::{Expired, ScanError, SpanSource as _};
use clew_model::{Span, Tenant, TraceId, Verdict, summarize};
use clew_rollup::{Rollup, Tally};

use super::book::{Book, Due};
use super::judge::{Judge, Recent, Whole};
use super::past::Past;
use super::record::{Record, SettledTenant, code_of};
use crate::StoreConfig;
use crate::view::{View, ViewCell};

/// Traces that are read together, from one view: about as many spans as fit into ten megabytes.
const READ_TRACES: usize = 1024;

/// Traces of one settlement at most: what it writes is held in memory.
const PASS_TRACES: usize = 16 * 1024;

/// Looks that are given up in a row because something cannot be read, which may be over by the next one. Then what cannot be read
/// is taken for lost, as the health tells, and the rest is settled.
const UNREAD_LOOKS: u32 = 3;

/// What one look decided, to be committed.
#[derive(Debug, Default)]
pub struct Settlement {
    /// What was received before is counted, of the traces that were complete.
    pub through_unix_nanos: u64,
    /// The verdicts that records name.
    pub verdicts: Vec<Verdict>,
    /// By tenant; those only of which something was counted.
    pub tenants: Vec<SettledTenant>,
    /// All traces that were complete, by tenant and id, those too of which nothing was left to count.
    pub done: BTreeMap<Tenant, Vec<TraceId>>,
    /// What the judge remembers now.
    pub judge_state: Vec<u8>,
    /// Traces that were settled before they were complete, since memory for pending ones is bounded.
    pub early_count: u64,
    /// Identical spans that were left out.
    pub duplicate_count: u64,
    /// Traces that were to be dropped and are kept now, and the rule that keeps them.
    pub reversed: Vec<(Tenant, TraceId, String)>,
    /// Whether there is more to be settled at once.
    pub has_more: bool,
    /// Whether some spans, or what is known of dropped traces, could not be read, time and again: they are taken for lost.
    pub lacks_spans: bool,
    /// Whether there was no room for all that arrived; what there was no room for is settled later.
    pub is_behind: bool,
}

/// Judges and counts.
pub struct Settler {
    judge: Box<dyn Judge>,
    recent: Recent,
    config: StoreConfig,
    /// How the book was when it had no room last: how many traces were in it, and what it had seen.
    full: Option<(usize, u64)>,
    /// How many looks in a row could not read something.
    unread_looks: u32,
}

impl Settler {
    /// One that asks that judge, which goes on with what was committed.
    pub fn new(mut judge: Box<dyn Judge>, config: StoreConfig, judge_state: &[u8]) -> Self {
        judge.resume(judge_state);
        Self { judge, recent: Recent::default(), config, full: None, unread_looks: 0 }
    }

    /// Settles what is due, as far as it was received before `through`; each view that is taken now shows that, and the book
    /// knows of it. Nothing is counted yet: [`Settler::commit`] or [`Settler::give_up`] ends it.
    pub fn look(
        &mut self,
        views: &ViewCell,
        due: BTreeMap<Tenant, Due>,
        through: u64,
        expired: Expired<'_>,
    ) -> Result<Settlement, ScanError> {
        let mut settlement = Settlement { through_unix_nanos: through, ..Settlement::default() };
        settlement.has_more = due.values().map(Vec::len).sum::<usize>() >= PASS_TRACES;
        for (tenant, due) in due {
            let mut settled = SettledTenant { tenant: tenant.clone(), records: Vec::new(), rollup: Rollup::default() };
            let mut tally = Tally::default();
            for chunk in due.chunks(READ_TRACES) {
                // Short-lived, so that what is sealed meanwhile need not stay in memory for it.
                let view = views.view();
                self.settle(&view, chunk, &mut settled, &mut tally, &mut settlement, expired)?;
            }
            settlement.done.insert(tenant, due.into_iter().map(|(id, _)| id).collect());
            if !settled.records.is_empty() {
                settled.rollup = tally.into_rollup();
                settled.rollup.cap(self.config.settle.series_per_minute);
                settled.rollup.cap_edges(self.config.settle.series_per_minute);
                settlement.tenants.push(settled);
            }
        }
        if !settlement.lacks_spans {
            self.unread_looks = 0;
        }
        settlement.judge_state = self.judge.state();
        Ok(settlement)
    }

    /// The traces that are due by what the book has seen, and how many of them are early: when it has no room and nothing is
    /// complete.
    pub fn due(&self, book: &Book) -> (BTreeMap<Tenant, Due>, u64) {
        let complete = book.complete(|tenant| self.config.settle.completion(tenant), PASS_TRACES);
        if !complete.is_empty() || book.has_room(self.pending_bytes()) {
            return (complete, 0);
        }
        let early = book.beyond(self.pending_bytes(), PASS_TRACES);
        let early_count = early.values().map(|due| due.len() as u64).sum();
        (early, early_count)
    }

    /// Traces that have been idle for long enough and whose root may have been counted before.
    pub(crate) fn unprobed(&self, book: &mut Book) -> BTreeMap<Tenant, Vec<TraceId>> {
        book.unprobed(|tenant| self.config.settle.completion(tenant))
    }

    /// How much the book may take in: until it takes so many bytes, and then so many parts of a view.
    pub(crate) fn allowance(&mut self, book: &Book) -> (usize, u32) {
        let bytes = self.pending_bytes();
        let now = (!book.has_room(bytes)).then(|| (book.len(), book.seen_before()));
        let is_stuck = now.is_some() && now == self.full;
        self.full = now;
        (bytes, u32::from(now.is_none() || is_stuck))
    }

    /// Memory for traces that are not settled.
    fn pending_bytes(&self) -> usize {
        self.config.settle.pending_bytes
    }

    /// The settlement is committed.
    pub fn commit(&mut self, settlement: &Settlement) {
        for settled in &settlement.tenants {
            self.recent.add(&settled.tenant, &settled.rollup, settlement.through_unix_nanos);
        }
    }

    /// The settlement was not committed: the judge goes on from what was committed last.
    pub fn give_up(&mut self, judge_state: &[u8]) {
        self.judge.resume(judge_state);
    }

    /// Settles some traces of a tenant.
    fn settle(
        &mut self,
        view: &View,
        due: &[(TraceId, u64)],
        into: &mut SettledTenant,
        tally: &mut Tally,
        settlement: &mut Settlement,
        expired: Expired<'_>,
    ) -> Result<(), ScanError> {
        let tenant = into.tenant.clone();
        let ids: Vec<TraceId> = due.iter().map(|(id, _)| *id).collect();
        let read = if self.judge.wants_whole() {
            view.rows(&tenant, &ids, expired)?
        } else {
            view.figured(&tenant, &ids, expired)?
        };
        let past = Past::of(view, self.config.settle.dropped_hours(settlement.through_unix_nanos));
        let unread = read.incomplete.map(|incomplete| incomplete.detail);
        if let Some(detail) = unread.or_else(|| past.unread.as_ref().map(ToString::to_string)) {
            if self.unread_looks < UNREAD_LOOKS {
                self.unread_looks += 1;
                return Err(ScanError::Storage(detail));
            }
            settlement.lacks_spans = true;
        }
        let mut traces = read.spans.chunk_by(|one, next| one.trace_id == next.trace_id).peekable();
        let through = settlement.through_unix_nanos;
        for (id, first_uncounted) in due {
            let Some(trace) = traces.next_if(|trace| trace[0].trace_id == *id) else { continue };
            // What comes later is another settlement's.
            let is_seen = |span: &&Span| span.received_unix_nanos < through;
            let is_plain = trace.iter().all(|span| is_seen(&span)) && !has_repeats(trace);
            let mut mended = Vec::new();
            if !is_plain {
                let seen: Vec<Span> = trace.iter().filter(is_seen).cloned().collect();
                let seen_count = seen.len();
                mended = distinct(seen);
                settlement.duplicate_count += (seen_count - mended.len()) as u64;
            }
            let trace = if is_plain { trace } else { &mended };
            if trace.is_empty() {
                continue;
            }
            if let Some(record) = self.judged(&past, &tenant, trace, *first_uncounted, tally, settlement) {
                into.records.push(record);
            }
        }
        Ok(())
    }

    /// The record of a trace, whose figures are added; `None` when nothing of it is left to count.
    fn judged(
        &mut self,
        past: &Past<'_>,
        tenant: &Tenant,
        trace: &[Span],
        first_uncounted: u64,
        tally: &mut Tally,
        settlement: &mut Settlement,
    ) -> Option<Record> {
        let is_new = |span: &&Span| span.received_unix_nanos >= first_uncounted;
        let new_count = trace.iter().filter(is_new).count() as u64;
        if new_count == 0 {
            return None;
        }
        let is_there = new_count < trace.len() as u64;
        let prior = past.verdict(tenant, trace[0].trace_id, is_there);
        // What comes of a trace that was left out is as late as what comes of one that is there.
        let is_late = is_there || prior.is_some();
        let summary = summarize(trace);
        let whole = Whole { tenant, spans: trace, summary: &summary };
        let was_dropped = prior.as_ref().is_some_and(|prior| !prior.keep);
        let verdict = match prior {
            // A trace that was to be dropped is judged again when a late span brings an error.
            Some(prior) if prior.keep || !trace.iter().filter(is_new).any(Span::is_error) => prior,
            _ => self.judge.judge(whole, &self.recent),
        };
        if was_dropped && verdict.keep {
            settlement.reversed.push((tenant.clone(), summary.trace_id, verdict.rule.clone()));
        }
        if is_there {
            tally.add_rollup(&count(trace, first_uncounted, verdict.keep));
        } else {
            tally.add(trace, verdict.keep);
        }
        let late_span_count = if is_late { new_count } else { 0 };
        let last_received_unix_nanos = trace.iter().map(|span| span.received_unix_nanos).max().unwrap_or(0);
        let verdict = code_of(&mut settlement.verdicts, verdict);
        Some(Record { summary, verdict, late_span_count, last_received_unix_nanos })
    }
}

impl Settlement {
    /// Whether nothing was complete.
    pub fn is_empty(&self) -> bool {
        self.done.is_empty()
    }
}

/// What the distinct spans of a trace add to the figures when those are counted that were received at `first_uncounted` or
/// later. It is the difference of the trace with them and without them, so that all that is ever added is the whole trace.
pub(crate) fn count(trace: &[Span], first_uncounted: u64, keeps_exemplars: bool) -> Rollup {
    let mut delta = Rollup::of_trace(trace, keeps_exemplars);
    let old = trace.iter().filter(|span| span.received_unix_nanos < first_uncounted);
    let old: Vec<Span> = old.cloned().collect();
    if !old.is_empty() {
        delta.subtract(&Rollup::of_trace(&old, keeps_exemplars));
    }
    delta
}
