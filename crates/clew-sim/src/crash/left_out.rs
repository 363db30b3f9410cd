//! What is promised of traces that merges left out: for their time it is known of them, and nothing that comes late of one is
//! kept unless it brings an error.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use clew_model::scan::SpanSource as _;
use clew_model::{Tenant, TraceId, Verdict};
use clew_store::view::View;

/// Whose trace.
pub(super) type Whose = (Tenant, TraceId);

/// The traces that were left out.
#[derive(Debug, Clone, Default)]
pub(super) struct LeftOut {
    /// In which unix hour each was.
    traces: BTreeMap<Whose, u32>,
    /// Those of an earlier hour are forgotten, even if the clock is set back.
    since: u32,
    /// Blocks go as a whole, or are about to, and nobody has told that it is done: they may be gone after a start.
    is_in_doubt: bool,
    /// What is wrong with a record, once there is one.
    wrong: Option<String>,
}

/// Of these traces, those of which anything is there.
pub(super) fn visible(view: &View, traces: impl IntoIterator<Item = Whose>) -> BTreeSet<Whose> {
    let is_there = |(tenant, id): &Whose| {
        // One that cannot be looked for is told elsewhere.
        view.extents(tenant, &[*id], &|| false).is_ok_and(|found| !found.extents.is_empty())
    };
    traces.into_iter().filter(is_there).collect()
}

impl LeftOut {
    /// It is known of traces of these hours only, from now on.
    pub(super) fn pass(&mut self, hours: Option<RangeInclusive<u32>>) {
        self.since = self.since.max(hours.map_or(u32::MAX, |hours| *hours.start()));
        self.traces.retain(|_, hour| *hour >= self.since);
    }

    /// A merge that was planned in that hour was committed: of these traces, which were there and not to be kept, some may have
    /// been left out.
    pub(super) fn merged(&mut self, before: BTreeSet<Whose>, view: &View, hour: u32) {
        let after = visible(view, before.iter().cloned());
        self.traces.extend(before.into_iter().filter(|trace| !after.contains(trace)).map(|trace| (trace, hour)));
        self.pass(Some(self.since..=hour));
    }

    /// Blocks may go as a whole, and what they know with them.
    pub(super) fn blocks_go(&mut self) {
        self.is_in_doubt = true;
    }

    /// A start: this is what is there.
    pub(super) fn restarted(&mut self, view: &View) {
        if self.is_in_doubt {
            self.blocks_went(view);
        }
    }

    /// They have gone.
    pub(super) fn blocks_went(&mut self, view: &View) {
        self.is_in_doubt = false;
        self.traces.retain(|(tenant, id), hour| view.was_dropped(tenant, *id, *hour..=u32::MAX));
    }

    /// T3: whether the blocks know of them.
    pub(super) fn are_known(&self, view: &View) -> Result<(), String> {
        match self.traces.iter().find(|((tenant, id), hour)| !view.was_dropped(tenant, *id, **hour..=u32::MAX)) {
            Some(_) if view.blocks.iter().any(|block| !block.damage().is_empty()) => {
                Err("L6: what blocks know of traces that were left out cannot be read".to_owned())
            }
            Some(((tenant, id), hour)) => {
                Err(format!("T3: nobody knows that trace {id} of tenant {tenant} was left out in hour {hour}"))
            }
            None => self.wrong.clone().map_or(Ok(()), Err),
        }
    }

    /// A trace was settled that may fail or not.
    pub(super) fn settled(&mut self, trace: &Whose, verdict: &Verdict, may_fail: bool) {
        if verdict.keep && self.traces.remove(trace).is_some() && !may_fail {
            let (tenant, id) = trace;
            self.wrong = Some(format!(
                "T3: trace {id} of tenant {tenant} was left out, and what came late is kept: {verdict:?}"
            ));
        }
    }
}
