//! What was decided about traces before, for one look: about those that are there, and about those that were left out.

use std::ops::RangeInclusive;
use std::sync::Arc;

use clew_block::sidecar::{Dropped, Fingerprint};
use clew_block::{Block, ReadError};
use clew_model::{Tenant, TraceId, Verdict};

use crate::config::HOUR_NANOS;
use crate::view::View;

/// What a view knows. It holds what its blocks say of dropped traces: about 3 bytes for each.
pub(super) struct Past<'v> {
    view: &'v View,
    dropped: Vec<Arc<Dropped>>,
    /// Those that were dropped in an earlier hour are forgotten.
    since: u32,
    /// What could not be read of it.
    pub(super) unread: Option<ReadError>,
}

impl<'v> Past<'v> {
    /// What is known of the traces that were dropped in these unix hours, if of any.
    pub(super) fn of(view: &'v View, hours: Option<RangeInclusive<u32>>) -> Self {
        let mut past = Self { view, dropped: Vec::new(), since: 0, unread: None };
        let Some(since) = hours.map(|hours| *hours.start()) else { return past };
        past.since = since;
        // Nothing was left out of a block that stands in place of none, and one that was made before knows of nothing that is not
        // forgotten; an hour more, since the clock may have been set back.
        let may_know = |block: &&Arc<Block>| {
            let meta = block.meta();
            !meta.replaces.is_empty() && meta.created_unix_nanos / HOUR_NANOS + 1 >= u64::from(since)
        };
        for block in view.blocks.iter().filter(may_know) {
            match block.dropped() {
                Ok(dropped) => past.dropped.extend(dropped),
                // It is among the damage of its block, too.
                Err(error) => past.unread = Some(error),
            }
        }
        past
    }

    /// What was decided about a trace of which something older is there, or nothing; `None` when that is not known.
    pub(super) fn verdict(&self, tenant: &Tenant, id: TraceId, is_there: bool) -> Option<Verdict> {
        if is_there {
            return self.view.prior_verdict(tenant, id);
        }
        self.was_dropped(tenant, id).then(Verdict::dropped_before)
    }

    fn was_dropped(&self, tenant: &Tenant, id: TraceId) -> bool {
        if self.dropped.is_empty() {
            return false;
        }
        let fingerprint = Fingerprint::of(tenant, id);
        self.dropped.iter().any(|dropped| dropped.holds(fingerprint, self.since))
    }
}

impl View {
    /// Whether a trace was left out of a block in one of these unix hours, since it was not to be kept. It seems so of another one
    /// about once in 2^40 for each that was.
    pub fn was_dropped(&self, tenant: &Tenant, id: TraceId, hours: RangeInclusive<u32>) -> bool {
        Past::of(self, Some(hours)).was_dropped(tenant, id)
    }
}

#[cfg(test)]
#[path = "past/tests.rs"]
mod tests;
