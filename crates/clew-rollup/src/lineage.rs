//! How the spans of a trace hang together, as far as calls ask for it.

use std::cmp::Ordering;
use std::collections::HashMap;

use clew_model::{Kind, Span, SpanId, identity};
use foldhash::fast::RandomState;

use crate::holders::Holders;
use crate::peer::Peer;

/// The spans of a trace with their services, roles and parents. It is filled with one trace after the other, in the same
/// memory.
#[derive(Debug, Default)]
pub(crate) struct Lineage {
    /// Of spans that are not [`plain`], what their attributes say about the other side; of others nothing.
    pub(crate) peers: Vec<Peer>,
    /// Kinds, but a client that receives messages is a consumer.
    roles: Vec<Kind>,
    services: Vec<u32>,
    holders: Holders,
    parents: Vec<Option<usize>>,
    /// Of a plain span the highest that is reached from it over plain spans of its service; none in a circle of those.
    tops: Vec<Option<usize>>,
    is_known: Vec<bool>,
    way: Vec<usize>,
}

/// Whether a span of that role takes no part in calls.
fn plain(kind: Kind) -> bool {
    matches!(kind, Kind::Internal | Kind::Unspecified)
}

impl Lineage {
    /// Becomes that of these spans, whose services have these numbers.
    pub(crate) fn fill(&mut self, spans: &[Span], services: &[u32]) {
        self.services.clear();
        self.services.extend(services);
        self.peers.clear();
        self.peers.extend(spans.iter().map(|span| if plain(span.kind) { Peer::default() } else { Peer::of(span) }));
        let role = |(span, peer): (&Span, &Peer)| match span.kind {
            Kind::Client if peer.is_receiver => Kind::Consumer,
            kind => kind,
        };
        self.roles.clear();
        self.roles.extend(spans.iter().zip(&self.peers).map(role));
        self.find_parents(spans);
        self.find_tops();
    }

    /// The role of a span: its kind, but a client that receives messages is a consumer.
    pub(crate) fn role(&self, index: usize) -> Kind {
        self.roles[index]
    }

    /// The number of a span's service.
    pub(crate) fn service(&self, index: usize) -> u32 {
        self.services[index]
    }

    /// Whether two spans are of one service.
    pub(crate) fn is_same_service(&self, left: usize, right: usize) -> bool {
        self.service(left) == self.service(right)
    }

    /// The span of an id: the one that calls or sends if several have it, else the first.
    pub(crate) fn with_id(&self, id: SpanId) -> Option<usize> {
        self.holders.of(id).map(|held| held.caller.unwrap_or(held.first))
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
        if plain(self.role(index)) { self.outer_caller(index).unwrap_or(index) } else { index }
    }

    fn is_plain_of(&self, index: usize, other: usize) -> bool {
        plain(self.role(index)) && self.is_same_service(index, other)
    }

    /// The parent of each span: the caller of the same id of a callee (Zipkin's two halves of a call), else who has the parent
    /// id; of several the one of the same service, else the callee, else the first. Nobody is a parent of its own.
    fn find_parents(&mut self, spans: &[Span]) {
        let Self { holders, services, parents, .. } = self;
        holders.fill(spans);
        parents.clear();
        if !holders.is_any_shared() {
            let parent_id = |span: &Span| span.parent_span_id.filter(|parent_id| *parent_id != span.span_id);
            let parent = |span| parent_id(span).and_then(|id| holders.of(id)).map(|held| held.first);
            parents.extend(spans.iter().map(parent));
            return;
        }
        let of_service = of_service(spans, services, holders);
        let parent = |(span, service): (&Span, &u32)| {
            if span.kind.is_callee() {
                let caller = holders.of(span.span_id).and_then(|own| own.caller);
                if caller.is_some() {
                    return caller;
                }
            }
            let parent_id = span.parent_span_id.filter(|parent_id| *parent_id != span.span_id)?;
            let held = holders.of(parent_id)?;
            if !held.is_shared {
                return Some(held.first);
            }
            let same_service = of_service.get(&(parent_id, *service)).copied();
            same_service.or(held.callee).or(Some(held.first))
        };
        parents.extend(spans.iter().zip(&*services).map(parent));
    }

    /// Each span is walked over once: a way that meets a known one ends there.
    fn find_tops(&mut self) {
        let count = self.roles.len();
        self.tops.clear();
        self.tops.resize(count, None);
        self.is_known.clear();
        self.is_known.resize(count, false);
        let mut way = std::mem::take(&mut self.way);
        for start in 0..count {
            if !plain(self.roles[start]) || self.is_known[start] {
                continue;
            }
            let mut at = start;
            let top = loop {
                self.is_known[at] = true;
                way.push(at);
                match self.parents[at].filter(|parent| self.is_plain_of(*parent, at)) {
                    None => break Some(at),
                    // Of a span on this very way nothing is known yet, which is what a circle is to have.
                    Some(parent) if self.is_known[parent] => break self.tops[parent],
                    Some(parent) => at = parent,
                }
            };
            way.drain(..).for_each(|index| self.tops[index] = top);
        }
        self.way = way;
    }
}

/// Of the spans that share an id, the one of a given service; the callee's half if that service has both.
fn of_service(spans: &[Span], services: &[u32], holders: &Holders) -> HashMap<(SpanId, u32), usize, RandomState> {
    let mut of_service: HashMap<(SpanId, u32), usize, RandomState> = HashMap::default();
    for (index, span) in spans.iter().enumerate() {
        if holders.of(span.span_id).is_some_and(|held| held.is_shared) {
            let slot = of_service.entry((span.span_id, services[index])).or_insert(index);
            *slot = match (spans[*slot].kind.is_callee(), span.kind.is_callee()) {
                (true, false) => *slot,
                (false, true) => index,
                _ => earlier(spans, *slot, index),
            };
        }
    }
    of_service
}

/// Which of two spans comes first in canonical order.
pub(crate) fn earlier(spans: &[Span], left: usize, right: usize) -> usize {
    if left == right {
        return left;
    }
    match identity::canonical(&spans[left], &spans[right]) {
        Ordering::Greater => right,
        Ordering::Less | Ordering::Equal => left,
    }
}
