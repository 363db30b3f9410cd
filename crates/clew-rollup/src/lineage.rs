//! How the spans of a trace hang together, as far as calls ask for it.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::Arc;

use clew_model::{Kind, Resource, Span, SpanId, identity};
use foldhash::fast::RandomState;

use crate::peer::Peer;

/// Services of a trace for which there is room at once.
const SERVICES: usize = 14;

/// The services of a trace, as numbers.
pub(crate) struct Services<'a> {
    of_span: Vec<u32>,
    names: Vec<Arc<str>>,
    /// Of each service its place among all, by name.
    ranks: Vec<u32>,
    numbers: HashMap<&'a str, u32, RandomState>,
}

/// The spans of a trace with their services, roles and parents.
pub(crate) struct Lineage<'a> {
    pub(crate) spans: &'a [Span],
    /// Of spans that are not [`plain`], what their attributes say about the other side; of others nothing.
    pub(crate) peers: Vec<Peer<'a>>,
    services: &'a Services<'a>,
    parents: Vec<Option<usize>>,
    /// Of a plain span the highest that is reached from it over plain spans of its service; none in a circle of those.
    tops: Vec<Option<usize>>,
}

/// The spans that carry one id; of several the first in canonical order, so that the order of the spans does not matter.
struct Holders {
    first: usize,
    caller: Option<usize>,
    callee: Option<usize>,
    is_shared: bool,
}

impl<'a> Services<'a> {
    pub(crate) fn of(spans: &'a [Span]) -> Self {
        let mut services = Self {
            of_span: Vec::with_capacity(spans.len()),
            names: Vec::new(),
            ranks: Vec::new(),
            numbers: HashMap::with_capacity_and_hasher(SERVICES, RandomState::default()),
        };
        // Spans that come together mostly share their resource, whose attributes then need not be searched again.
        let mut last: Option<(&'a Arc<Resource>, u32)> = None;
        for span in spans {
            let number = match last {
                Some((resource, number)) if Arc::ptr_eq(resource, &span.resource) => number,
                _ => services.number(span.service()),
            };
            last = Some((&span.resource, number));
            services.of_span.push(number);
        }
        let mut by_name: Vec<u32> = (0..services.names.len() as u32).collect();
        by_name.sort_unstable_by_key(|number| services.name(*number));
        services.ranks = vec![0; by_name.len()];
        for (rank, number) in (0..).zip(by_name) {
            services.ranks[number as usize] = rank;
        }
        services
    }

    fn number(&mut self, name: &'a str) -> u32 {
        let next = self.names.len() as u32;
        let number = *self.numbers.entry(name).or_insert(next);
        if number == next {
            self.names.push(name.into());
        }
        number
    }

    /// The number of a span's service.
    pub(crate) fn of_span(&self, index: usize) -> u32 {
        self.of_span[index]
    }

    /// The place of a span's service among all, by name.
    pub(crate) fn rank(&self, index: usize) -> u32 {
        self.ranks[self.of_span[index] as usize]
    }

    /// A service's name.
    pub(crate) fn name(&self, number: u32) -> &Arc<str> {
        &self.names[number as usize]
    }

    /// A name, shared with the service that has it.
    pub(crate) fn share(&self, name: &str) -> Arc<str> {
        self.numbers.get(name).map_or_else(|| name.into(), |number| self.name(*number).clone())
    }
}

/// Whether a span of that role takes no part in calls.
fn plain(kind: Kind) -> bool {
    matches!(kind, Kind::Internal | Kind::Unspecified)
}

impl<'a> Lineage<'a> {
    pub(crate) fn of(spans: &'a [Span], services: &'a Services<'a>) -> Self {
        let peer = |span: &'a Span| if plain(span.kind) { Peer::default() } else { Peer::of(span) };
        let peers = spans.iter().map(peer).collect();
        let parents = parents(spans, services);
        let mut lineage = Self { spans, peers, services, parents, tops: vec![None; spans.len()] };
        lineage.find_tops();
        lineage
    }

    /// The role of a span: its kind, but a client that receives messages is a consumer.
    pub(crate) fn role(&self, index: usize) -> Kind {
        match self.spans[index].kind {
            Kind::Client if self.peers[index].is_receiver => Kind::Consumer,
            kind => kind,
        }
    }

    /// The number of a span's service.
    pub(crate) fn service(&self, index: usize) -> u32 {
        self.services.of_span(index)
    }

    /// Whether two spans are of one service.
    pub(crate) fn is_same_service(&self, left: usize, right: usize) -> bool {
        self.service(left) == self.service(right)
    }

    /// The span through which a span's service was entered, if its parent is of another one.
    pub(crate) fn parent_elsewhere(&self, index: usize) -> Option<usize> {
        self.parents[index].filter(|parent| !self.is_same_service(index, *parent))
    }

    /// Over which plain span of its own service the way up from a span leaves it, if there is one.
    pub(crate) fn top(&self, index: usize) -> Option<usize> {
        self.parents[index].filter(|parent| self.is_plain_of(*parent, index)).and_then(|parent| self.tops[parent])
    }

    /// The nearest ancestor that is not a plain span of the same service.
    pub(crate) fn above(&self, index: usize) -> Option<usize> {
        let parent = self.parents[index]?;
        if self.is_plain_of(parent, index) { self.parents[self.tops[parent]?] } else { Some(parent) }
    }

    /// The nearest ancestor of the same service that calls or sends, with nothing but plain spans between.
    pub(crate) fn outer_caller(&self, index: usize) -> Option<usize> {
        let is_outer = |above: &usize| *above != index && self.is_same_service(*above, index);
        self.above(index).filter(|above| is_outer(above) && self.role(*above).is_caller())
    }

    /// Which of a service's spans is the caller, when the way up from another service's span ends at this one.
    pub(crate) fn calling(&self, index: usize) -> usize {
        if plain(self.spans[index].kind) { self.outer_caller(index).unwrap_or(index) } else { index }
    }

    fn is_plain_of(&self, index: usize, other: usize) -> bool {
        plain(self.spans[index].kind) && self.is_same_service(index, other)
    }

    /// Each span is walked over once: a way that meets a known one ends there.
    fn find_tops(&mut self) {
        let mut is_known = vec![false; self.spans.len()];
        let mut way = Vec::new();
        for start in 0..self.spans.len() {
            if !plain(self.spans[start].kind) || is_known[start] {
                continue;
            }
            let mut at = start;
            let top = loop {
                is_known[at] = true;
                way.push(at);
                match self.parents[at].filter(|parent| self.is_plain_of(*parent, at)) {
                    None => break Some(at),
                    // Of a span on this very way nothing is known yet, which is what a circle is to have.
                    Some(parent) if is_known[parent] => break self.tops[parent],
                    Some(parent) => at = parent,
                }
            };
            way.drain(..).for_each(|index| self.tops[index] = top);
        }
    }
}

/// The spans by their ids, and which span a link or a parent id means.
fn holders(spans: &[Span]) -> HashMap<SpanId, Holders, RandomState> {
    let mut holders: HashMap<SpanId, Holders, RandomState> =
        HashMap::with_capacity_and_hasher(spans.len(), RandomState::default());
    for (index, span) in spans.iter().enumerate() {
        let alone = Holders { first: index, caller: None, callee: None, is_shared: false };
        let mut is_shared = true;
        let held = holders.entry(span.span_id).or_insert_with(|| {
            is_shared = false;
            alone
        });
        if is_shared {
            held.is_shared = true;
            held.first = earlier(spans, held.first, index);
        }
        let half = match span.kind {
            kind if kind.is_caller() => &mut held.caller,
            kind if kind.is_callee() => &mut held.callee,
            _ => continue,
        };
        *half = Some(half.map_or(index, |other| earlier(spans, other, index)));
    }
    holders
}

/// Which of two spans comes first in canonical order.
pub(crate) fn earlier(spans: &[Span], left: usize, right: usize) -> usize {
    match identity::canonical(&spans[left], &spans[right]) {
        Ordering::Greater => right,
        Ordering::Less | Ordering::Equal => left,
    }
}

/// The parent of each span: the caller of the same id of a callee (Zipkin's two halves of a call), else who has the parent
/// id; of several the one of the same service, else the callee, else the first. Nobody is a parent of its own.
fn parents(spans: &[Span], services: &Services<'_>) -> Vec<Option<usize>> {
    let holders = holders(spans);
    // Of the spans that share an id, the one of a given service; the callee's half if that service has both.
    let mut of_service: HashMap<(SpanId, u32), usize, RandomState> = HashMap::default();
    let is_any_shared = holders.len() < spans.len();
    for (index, span) in spans.iter().enumerate() {
        if is_any_shared && holders[&span.span_id].is_shared {
            let slot = of_service.entry((span.span_id, services.of_span(index))).or_insert(index);
            *slot = match (spans[*slot].kind.is_callee(), span.kind.is_callee()) {
                (true, false) => *slot,
                (false, true) => index,
                _ => earlier(spans, *slot, index),
            };
        }
    }
    let parent = |(index, span): (usize, &Span)| {
        if is_any_shared && span.kind.is_callee() {
            let caller = holders.get(&span.span_id).and_then(|own| own.caller);
            if caller.is_some() {
                return caller;
            }
        }
        let parent_id = span.parent_span_id.filter(|parent_id| *parent_id != span.span_id)?;
        let held = holders.get(&parent_id)?;
        if !held.is_shared {
            return Some(held.first);
        }
        let same_service = of_service.get(&(parent_id, services.of_span(index))).copied();
        same_service.or(held.callee).or(Some(held.first))
    };
    spans.iter().enumerate().map(parent).collect()
}
