//! Which spans have an id.

use std::hash::BuildHasher;

use clew_model::{Span, SpanId};
use foldhash::fast::RandomState;

use crate::lineage::earlier;

/// The spans of a trace by their ids: what a link or a parent id means.
///
/// Its table has open addresses and is as large as the trace at hand asks for, which a map that is used again would not be:
/// after one large trace, it would be cleared at that size for all small ones.
#[derive(Debug, Default)]
pub(crate) struct Holders {
    all: Vec<Held>,
    /// Numbers of those in `all`, or [`EMPTY`], at the place of the hash of their id or behind it. At most half of it is used.
    table: Vec<u32>,
    is_any_shared: bool,
    hasher: RandomState,
}

/// The spans that carry one id; of several the first in canonical order, so that the order of the spans does not matter.
#[derive(Debug)]
pub(crate) struct Held {
    id: SpanId,
    pub(crate) first: usize,
    pub(crate) caller: Option<usize>,
    pub(crate) callee: Option<usize>,
    pub(crate) is_shared: bool,
}

/// A place in the table of which no id is.
const EMPTY: u32 = u32::MAX;

impl Holders {
    /// Becomes those of these spans.
    pub(crate) fn fill(&mut self, spans: &[Span]) {
        self.all.clear();
        self.is_any_shared = false;
        self.table.clear();
        self.table.resize((2 * spans.len()).next_power_of_two(), EMPTY);
        for (index, span) in spans.iter().enumerate() {
            let place = self.place(span.span_id);
            if self.table[place] == EMPTY {
                self.table[place] = self.all.len() as u32;
                let (caller, callee) = (span.kind.is_caller(), span.kind.is_callee());
                let (caller, callee) = (caller.then_some(index), callee.then_some(index));
                self.all.push(Held { id: span.span_id, first: index, caller, callee, is_shared: false });
            } else {
                self.is_any_shared = true;
                self.all[self.table[place] as usize].share(spans, index);
            }
        }
    }

    /// Whether several spans have one id.
    pub(crate) fn is_any_shared(&self) -> bool {
        self.is_any_shared
    }

    /// The spans that have that id.
    pub(crate) fn of(&self, id: SpanId) -> Option<&Held> {
        self.all.get(self.table[self.place(id)] as usize)
    }

    /// Where the id is in the table, or would be. The table is not empty, and has an empty place.
    fn place(&self, id: SpanId) -> usize {
        let mask = self.table.len() - 1;
        let mut place = self.hasher.hash_one(id) as usize & mask;
        while self.all.get(self.table[place] as usize).is_some_and(|held| held.id != id) {
            place = (place + 1) & mask;
        }
        place
    }
}

impl Held {
    fn share(&mut self, spans: &[Span], index: usize) {
        self.is_shared = true;
        self.first = earlier(spans, self.first, index);
        let half = match spans[index].kind {
            kind if kind.is_caller() => &mut self.caller,
            kind if kind.is_callee() => &mut self.callee,
            _ => return,
        };
        *half = Some(half.map_or(index, |other| earlier(spans, other, index)));
    }
}
