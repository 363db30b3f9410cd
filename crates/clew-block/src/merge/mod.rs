//! Several blocks into one, trace by trace, with bounded memory: rows are pulled from each, and identical spans are written
//! once.
//!
//! | File | What |
//! |---|---|
//! | `cursor` | the rows of one block |

mod cursor;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashSet};
use std::io::Write;
use std::ops::{Range, RangeInclusive};

use clew_model::identity::distinct_indices;
use clew_model::scan::Expired;
use clew_model::{SpanId, Tenant, TraceId, ValueRef, Verdict};

use self::cursor::Cursor;
use crate::read::Fault;
use crate::sidecar::{DroppedBuilder, Fingerprint, Requests};
use crate::{Block, Finished, Plan, ReadError, Row, WriteError, WriteOptions, Writer};

/// Blocks that are to become one.
pub struct Merge<'m> {
    /// The blocks. Of spans that are equal in start and id, those of the first block come first.
    pub inputs: &'m [Block],
    /// Whether a trace, as far as it lies in the block of that place among the inputs, is kept.
    pub keep: &'m dyn Fn(usize, &Tenant, TraceId) -> bool,
    /// What was decided about a trace of which an input that holds it does not say that.
    pub verdict_of: &'m dyn Fn(&Tenant, TraceId) -> Option<Verdict>,
    /// Whether a trace that is not to be kept is left out of what is written, as far as the input of that place goes. What is
    /// in another input that keeps it stays whole.
    pub drops: &'m dyn Fn(usize, &Tenant, TraceId) -> bool,
    /// The unix hours of whose dropped traces the block is to know, by what its inputs know; what is left out now is of the last
    /// one. `None` when it is to know of none.
    pub remembers: Option<RangeInclusive<u32>>,
    /// Bytes that the rows of all inputs may take in memory, about. One trace is in memory as a whole whatever it takes.
    pub memory_bytes: u64,
    /// Whether to stop.
    pub stopped: Expired<'m>,
}

/// Blocks as one.
#[derive(Debug)]
pub struct Merged<W> {
    /// The block; `None` when no trace was kept.
    pub finished: Option<Finished<W>>,
    /// Rows of the inputs.
    pub read_rows: u64,
    /// Rows that were left out by what was decided about their traces, by the rule that did.
    pub dropped_rows: BTreeMap<String, u64>,
    /// Dropped traces that the block had no room to know of.
    pub forgotten_count: u64,
}

/// Why blocks did not become one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MergeError {
    /// It was told to stop.
    #[error("the merge was stopped")]
    Stopped,
    /// The inputs have too many different resources, scopes and keys.
    #[error(
        "the blocks' resources, scopes and keys have {text_bytes} bytes, and a merge of them takes at most {limit_bytes}"
    )]
    TooVaried {
        /// Bytes of their texts, or more.
        text_bytes: u64,
        /// The bound.
        limit_bytes: u64,
    },
    /// An input cannot be read. What of it can be is not written without the rest.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The block cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
}

impl From<Fault> for MergeError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Expired => Self::Stopped,
            Fault::Lost(error) => Self::Read(error),
        }
    }
}

/// Resources, scopes and keys of all inputs may have so many times the bytes that rows may take: they are in memory, too.
const TEXTS_FACTOR: u64 = 4;

/// Traces between two looks at whether to stop.
const TRACES_AT_ONCE: u32 = 256;

impl Merge<'_> {
    /// Reads the inputs twice, once for what they hold of shapes, resources and scopes, and writes the block to a sink, with
    /// these requests. What the sink has after an error is of no use.
    ///
    /// Should nothing be left because all was dropped, and is to be known of, the smallest trace stays, for which the inputs are
    /// read a third time: what is known lives in a block, and there is none without rows.
    pub fn write<W: Write + Send>(
        &self,
        sink: W,
        options: WriteOptions,
        requests: &Requests,
    ) -> Result<Merged<W>, MergeError> {
        let mut plan = Plan::new();
        let (mut opened, mut read_rows) = (Vec::new(), 0);
        // What one block has was in memory as a whole when it was made, and must leave it some day.
        let is_one = self.inputs.len() == 1;
        let limit_bytes = if is_one { u64::MAX } else { self.memory_bytes.saturating_mul(TEXTS_FACTOR) };
        for block in self.inputs {
            let data = block.data()?;
            let codes = block.plan(&data, &mut plan, limit_bytes, self.stopped)?;
            if plan.text_bytes() > limit_bytes {
                return Err(MergeError::TooVaried { text_bytes: plan.text_bytes(), limit_bytes });
            }
            read_rows += block.meta().row_count;
            opened.push((block, data, codes));
        }
        let share = self.memory_bytes / opened.len().max(1) as u64;
        let cursors = || opened.iter().map(|(block, data, codes)| Cursor::new(block, data, codes, share)).collect();
        let writer = Writer::new(plan, sink, options)?;
        let (tenant, seen, dropped) = (None, HashSet::default(), self.known()?);
        let mut run = Run { merge: self, cursors: cursors(), writer, tenant, seen, dropped, stays: None };
        run.traces()?;
        if run.writer.row_count() == 0
            && let Some((_, tenant, id)) = run.dropped.smallest.take()
        {
            // Not in memory twice.
            run.dropped = Dropped::default();
            (run.cursors, run.dropped, run.stays) = (cursors(), self.known()?, Some((tenant, id)));
            run.traces()?;
        }
        let Run { mut writer, dropped: Dropped { rows, known, .. }, .. } = run;
        let forgotten_count = known.lost_count();
        writer.dropped(known.finish());
        let finished = if writer.row_count() == 0 { None } else { Some(writer.finish(requests)?) };
        Ok(Merged { finished, read_rows, dropped_rows: rows, forgotten_count })
    }

    /// What the inputs know of dropped traces, as far as it is to be known any longer.
    fn known(&self) -> Result<Dropped, ReadError> {
        let mut dropped = Dropped::default();
        if let Some(hours) = &self.remembers {
            for block in self.inputs {
                if let Some(known) = block.dropped()? {
                    dropped.known.add(&known, *hours.start());
                }
            }
        }
        Ok(dropped)
    }
}

/// What a merge leaves out since it is not to be kept.
#[derive(Default)]
struct Dropped {
    /// Rows, by the rule that decided.
    rows: BTreeMap<String, u64>,
    known: DroppedBuilder,
    /// The trace of the fewest rows, if it is to be known that any was left out.
    smallest: Option<(usize, Tenant, TraceId)>,
}

/// A merge under way.
struct Run<'m, 'd, W: Write + Send> {
    merge: &'m Merge<'m>,
    cursors: Vec<Cursor<'d>>,
    writer: Writer<W>,
    tenant: Option<&'d Tenant>,
    /// Of the trace under way.
    seen: HashSet<SpanId, foldhash::fast::RandomState>,
    dropped: Dropped,
    /// What is written although it could be left out.
    stays: Option<(Tenant, TraceId)>,
}

impl<W: Write + Send> Run<'_, '_, W> {
    fn traces(&mut self) -> Result<(), MergeError> {
        let mut sources = Vec::new();
        let mut count = 0_u32;
        loop {
            if count.is_multiple_of(TRACES_AT_ONCE) && (self.merge.stopped)() {
                return Err(MergeError::Stopped);
            }
            count = count.wrapping_add(1);
            let mut next = None;
            sources.clear();
            for (at, cursor) in self.cursors.iter_mut().enumerate() {
                let Some(own) = cursor.next()? else { continue };
                if next.is_none_or(|next| own < next) {
                    next = Some(own);
                    sources.clear();
                }
                if next == Some(own) {
                    sources.push(at);
                }
            }
            let Some((tenant, id)) = next else { return Ok(()) };
            for at in &sources {
                self.cursors[*at].load()?;
            }
            let kept: Vec<usize> = sources.iter().copied().filter(|at| (self.merge.keep)(*at, tenant, id)).collect();
            let verdict = self.verdict(tenant, id, &kept);
            if let Some(verdict) = verdict.as_ref().filter(|verdict| !verdict.keep)
                && kept.iter().all(|at| (self.merge.drops)(*at, tenant, id))
                && self.stays.as_ref().is_none_or(|(whose, stays)| (whose, *stays) != (tenant, id))
            {
                let row_count = kept.iter().map(|at| self.cursors[*at].row_count()).sum();
                self.dropped.add(self.merge.remembers.as_ref(), (tenant, id), row_count, &verdict.rule);
            } else if !kept.is_empty() {
                self.writer.verdict(verdict.as_ref());
                if self.tenant != Some(tenant) {
                    self.writer.tenant(tenant)?;
                    self.tenant = Some(tenant);
                }
                self.trace(id, &kept)?;
            }
            for at in &sources {
                self.cursors[*at].pass();
            }
        }
    }

    /// What was decided about a trace that is in these inputs: what is known beside them was decided last. Should they say
    /// different things, it is kept.
    fn verdict(&self, tenant: &Tenant, id: TraceId, sources: &[usize]) -> Option<Verdict> {
        if let Some(last) = (self.merge.verdict_of)(tenant, id) {
            return Some(last);
        }
        let mut found: Option<&Verdict> = None;
        for verdict in sources.iter().filter_map(|at| self.cursors[*at].verdict()) {
            if found.is_none() || verdict.keep {
                found = Some(verdict);
            }
        }
        found.cloned()
    }

    /// Writes what these inputs have of a trace.
    fn trace(&mut self, id: TraceId, sources: &[usize]) -> Result<(), MergeError> {
        let count = sources.iter().map(|at| self.cursors[*at].row_count()).sum();
        let mut values: Vec<ValueRef<'_>> = Vec::with_capacity(count * 10);
        let mut bounds: Vec<Range<usize>> = Vec::with_capacity(count);
        for at in sources {
            self.cursors[*at].values(&mut values, &mut bounds);
        }
        let mut rows: Vec<Row<'_>> = Vec::with_capacity(count);
        let mut from = 0;
        for at in sources {
            let cursor = &self.cursors[*at];
            cursor.rows(&values, &bounds[from..], &mut rows)?;
            from += cursor.row_count();
        }
        self.seen.clear();
        if !rows.iter().all(|row| self.seen.insert(row.span_id)) {
            self.writer.distinct(id, &mut rows);
        }
        if sources.len() > 1 {
            rows.sort_by_key(|row| (row.start_unix_nanos, row.span_id));
        }
        Ok(self.writer.trace(id, &rows)?)
    }
}

impl Dropped {
    /// A trace of so many rows is left out by a rule.
    fn add(&mut self, hours: Option<&RangeInclusive<u32>>, trace: (&Tenant, TraceId), row_count: usize, rule: &str) {
        if row_count == 0 {
            return;
        }
        if let Some(rows) = self.rows.get_mut(rule) {
            *rows += row_count as u64;
        } else {
            self.rows.insert(rule.to_owned(), row_count as u64);
        }
        let (Some(hours), (tenant, id)) = (hours, trace) else { return };
        self.known.push(*hours.end(), Fingerprint::of(tenant, id));
        if self.smallest.as_ref().is_none_or(|(least, ..)| row_count < *least) {
            self.smallest = Some((row_count, tenant.clone(), id));
        }
    }
}

impl<W: Write + Send> Writer<W> {
    /// Leaves out rows of spans that are there already, keeping those that were received first, in the order of starts and
    /// span ids.
    fn distinct(&self, id: TraceId, rows: &mut Vec<Row<'_>>) {
        rows.sort_by_key(|row| row.received_unix_nanos);
        let spans: Vec<_> = self.spans_of(id, rows);
        let first = distinct_indices(&spans);
        *rows = first.into_iter().map(|at| rows[at]).collect();
        rows.sort_by_key(|row| (row.start_unix_nanos, row.span_id));
    }
}
