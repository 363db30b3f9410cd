//! A page of the newest traces, without a look at every match: a scan ends when it has enough, and only what may come onto
//! the page is completed. Whatever this cannot decide is left to a whole scan.

use std::cmp::Reverse;
use std::collections::HashMap;

use clew_model::scan::{
    Enough, Expired, Extent, ExtentsAnswer, Incomplete, NewestAnswer, ScanRequest, SpanSource, TimeRange, TraceMatch,
};
use clew_model::{Tenant, TraceId};

use super::error::AskError;
use super::question::{Question, Sort, TotalMode};
use super::search::{is_answer, is_behind_cursor, rank_of};

/// Traces that are completed beyond the page at first.
const COMPLETED: usize = 8;

/// A page.
pub(super) struct Listed {
    /// Its traces, in order.
    pub(super) page: Vec<TraceMatch>,
    /// Whether nothing comes after it.
    pub(super) is_last: bool,
    /// How many traces there are at least: all, or more than a bounded total counts.
    pub(super) count: usize,
    /// Why something may be missing.
    pub(super) incomplete: Option<Incomplete>,
}

/// The page that the question asks for; `None` when only a whole scan can tell.
///
/// A trace begins no later than any part of it. So what was left out of a scan, or is not complete yet, comes after whatever
/// is complete and begins later. Of lengths nothing like that is known.
pub(super) fn list(
    source: &dyn SpanSource,
    question: &Question,
    request: &ScanRequest,
    total_bound: u64,
    expired: Expired<'_>,
) -> Result<Option<Listed>, AskError> {
    let is_bounded = question.duration_nanos != (0, u64::MAX);
    let is_exact = question.total == TotalMode::Exact;
    if question.sort != Sort::StartDown || is_exact || is_bounded || question.filters.len() > 1 {
        return Ok(None);
    }
    // More than the page has: the start of a trace that goes on elsewhere may be earlier than it seems.
    let newest = question.limit * 2;
    let bound = usize::try_from(total_bound).unwrap_or(usize::MAX);
    let counted = if question.total == TotalMode::None { 0 } else { bound.saturating_add(1) };
    let enough = Enough { count: counted.max(newest) as u64, newest, floor_unix_nanos: 0 };
    let NewestAnswer { answer, left_out_before_unix_nanos } = source.scan_newest(request, &enough, expired)?;
    let mut order: Vec<u32> = (0..answer.matches.len() as u32).collect();
    // Of odd times nothing is known before they are complete.
    order.sort_unstable_by_key(|at| {
        let found = &answer.matches[*at as usize];
        (!found.extent.is_odd, Reverse(found.extent.start_unix_nanos))
    });
    let mut newest = Newest {
        question,
        matches: answer.matches,
        order,
        complete: 0,
        left_out_before_unix_nanos: left_out_before_unix_nanos.unwrap_or(0),
        incomplete: answer.incomplete,
    };
    // A trace may begin before the range in another part.
    let mut step = if question.range == TimeRange::ALL { question.limit + COMPLETED } else { usize::MAX };
    loop {
        newest.complete(source, &question.tenant, step, expired)?;
        if let Some((page, is_last)) = newest.page() {
            let is_short = newest.left_out_before_unix_nanos > 0 && newest.matches.len() < counted;
            let Newest { matches, incomplete, .. } = newest;
            return Ok((!is_short).then_some(Listed { page, is_last, count: matches.len(), incomplete }));
        }
        if newest.complete == newest.order.len() {
            return Ok(None);
        }
        step = newest.complete;
    }
}

/// Matches on their way onto a page.
struct Newest<'q> {
    question: &'q Question,
    matches: Vec<TraceMatch>,
    /// Which of the matches come first as far as it seemed.
    order: Vec<u32>,
    /// How many of those are complete.
    complete: usize,
    /// Matches that are not here begin before that.
    left_out_before_unix_nanos: u64,
    incomplete: Option<Incomplete>,
}

impl Newest<'_> {
    /// Completes the extents of so many more.
    fn complete(
        &mut self,
        source: &dyn SpanSource,
        tenant: &Tenant,
        count: usize,
        expired: Expired<'_>,
    ) -> Result<(), AskError> {
        let end = self.complete.saturating_add(count).min(self.order.len());
        let next = &self.order[self.complete..end];
        let mut ids: Vec<TraceId> = next.iter().map(|at| self.matches[*at as usize].trace_id).collect();
        ids.sort_unstable();
        let ExtentsAnswer { extents, incomplete } = source.extents(tenant, &ids, expired)?;
        self.incomplete = self.incomplete.take().or(incomplete);
        let extents: HashMap<TraceId, Extent> = extents.into_iter().collect();
        for at in next {
            let found = &mut self.matches[*at as usize];
            if let Some(extent) = extents.get(&found.trace_id) {
                found.extent = *extent;
            }
        }
        self.complete = end;
        if end == self.order.len() {
            let question = self.question;
            self.matches.retain(|found| is_answer(question, found));
            self.order = (0..self.matches.len() as u32).collect();
            self.complete = self.order.len();
        }
        Ok(())
    }

    /// The page, and whether nothing comes after it, if what is complete can tell.
    fn page(&self) -> Option<(Vec<TraceMatch>, bool)> {
        let (question, limit) = (self.question, self.question.limit);
        let mut first: Vec<&TraceMatch> = self.order[..self.complete]
            .iter()
            .map(|at| &self.matches[*at as usize])
            .filter(|found| is_answer(question, found))
            .filter(|found| is_behind_cursor(question, found))
            .collect();
        first.sort_unstable_by_key(|found| rank_of(question.sort, found));
        let next = self.order.get(self.complete).map(|at| self.matches[*at as usize].extent);
        let next = next.map(|next| if next.is_odd { u64::MAX } else { next.start_unix_nanos });
        let is_last = first.len() <= limit;
        if is_last && (next.is_some() || self.left_out_before_unix_nanos > 0) {
            return None;
        }
        first.truncate(limit);
        let last = first.last().map_or(0, |last| last.extent.start_unix_nanos);
        let is_told = is_last || (next.is_none_or(|next| next < last) && self.left_out_before_unix_nanos <= last);
        is_told.then(|| (first.into_iter().cloned().collect(), is_last))
    }
}
