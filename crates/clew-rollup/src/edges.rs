//! Who called whom. The README has the rules in words.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use clew_model::{Kind, Span, SpanId, StatusCode};
use foldhash::fast::RandomState;

use crate::Connection;
use crate::figures::Call;
use crate::lineage::{Lineage, Services, earlier};
use crate::peer::Peer;

/// One call and its names.
pub(crate) struct Edge<'a> {
    pub(crate) caller: Cow<'a, str>,
    pub(crate) callee: Cow<'a, str>,
    pub(crate) connection: Connection,
    pub(crate) call: Call<'a>,
}

/// The calls of a trace, in no order. `statuses` are how its spans ended.
pub(crate) fn of<'a>(spans: &'a [Span], services: &'a Services<'a>, statuses: &'a [StatusCode]) -> Vec<Edge<'a>> {
    let lineage = Lineage::of(spans, services);
    let is_answered = vec![false; spans.len()];
    let mut calls =
        Calls { lineage, services, statuses, is_answered, edges: Vec::with_capacity(spans.len() / 2), by_id: None };
    let entries = calls.pair_callees();
    calls.pair_entries(entries);
    calls.answer_outer_callers();
    calls.name_unseen_callees();
    calls.edges
}

struct Calls<'a> {
    lineage: Lineage<'a>,
    services: &'a Services<'a>,
    statuses: &'a [StatusCode],
    /// Of spans that call or send: whether the other side has a span.
    is_answered: Vec<bool>,
    edges: Vec<Edge<'a>>,
    /// Made when the first link asks.
    by_id: Option<HashMap<SpanId, usize, RandomState>>,
}

/// The spans that stand at the beginning of a service's part in a trace without a role that says so.
struct Entries {
    indices: Vec<usize>,
    /// Those that have a callee below, which stands for the call.
    is_represented: Vec<bool>,
    /// Callers and the numbers of the services in which a server or consumer answers them.
    served: Vec<(usize, u32)>,
}

impl<'a> Calls<'a> {
    /// Finds the callers of servers and consumers. Returns what else may have been called.
    fn pair_callees(&mut self) -> Entries {
        let count = self.lineage.spans.len();
        let mut entries = Entries { indices: Vec::new(), is_represented: Vec::new(), served: Vec::new() };
        for index in 0..count {
            let caller = match self.lineage.role(index) {
                Kind::Server => self.caller(index),
                Kind::Consumer => self.sender(index),
                _ => {
                    if self.lineage.parent_elsewhere(index).is_some() {
                        entries.indices.push(index);
                    }
                    continue;
                }
            };
            let Some(caller) = caller else { continue };
            self.pair(caller, index);
            if let Some(top) = self.lineage.top(index) {
                entries.is_represented.resize(count, false);
                entries.is_represented[top] = true;
            }
            entries.served.push((caller, self.lineage.service(index)));
        }
        entries
    }

    /// The caller of a server or consumer: the nearest ancestor of another service, or one that calls or sends.
    fn caller(&self, index: usize) -> Option<usize> {
        let above = self.lineage.above(index)?;
        if !self.lineage.is_same_service(above, index) {
            return Some(self.lineage.calling(above));
        }
        Some(above).filter(|above| self.lineage.role(*above).is_caller())
    }

    /// The sender of what a consumer receives, if it is known by parents. Else an edge from a link, or from a broker, is made
    /// here.
    fn sender(&mut self, index: usize) -> Option<usize> {
        let caller = self.caller(index);
        if caller.is_some_and(|caller| self.lineage.role(caller).is_caller()) {
            return caller;
        }
        if self.pair_links(index) {
            return None;
        }
        if caller.is_none() && !self.is_below_consumer(index) {
            self.name_unseen_sender(index);
        }
        caller
    }

    fn is_below_consumer(&self, index: usize) -> bool {
        self.lineage.above(index).is_some_and(|above| self.lineage.role(above) == Kind::Consumer)
    }

    /// Makes an edge of each span of the trace that a consumer links to. Returns whether there are any.
    fn pair_links(&mut self, index: usize) -> bool {
        let span = &self.lineage.spans[index];
        let mut linked = Vec::new();
        for link in span.links.iter().filter(|link| link.trace_id == span.trace_id) {
            linked.extend(self.with_id(link.span_id).filter(|other| *other != index));
        }
        linked.sort_unstable();
        linked.dedup();
        for other in &linked {
            let is_sender = self.lineage.role(*other).is_caller();
            if is_sender || !self.lineage.is_same_service(*other, index) {
                self.is_answered[*other] |= is_sender;
                self.push(*other, index, Connection::Link, is_sender);
            }
        }
        !linked.is_empty()
    }

    /// The span of an id: the one that calls or sends if several have it, else the first.
    fn with_id(&mut self, id: SpanId) -> Option<usize> {
        let spans = self.lineage.spans;
        let by_id = self.by_id.get_or_insert_with(|| {
            let mut by_id = HashMap::with_capacity_and_hasher(spans.len(), RandomState::default());
            for (index, span) in spans.iter().enumerate() {
                let slot = by_id.entry(span.span_id).or_insert(index);
                if *slot != index {
                    *slot = match (spans[*slot].kind.is_caller(), span.kind.is_caller()) {
                        (true, false) => *slot,
                        (false, true) => index,
                        _ => earlier(spans, *slot, index),
                    };
                }
            }
            by_id
        });
        by_id.get(&id).copied()
    }

    /// Finds the callers of spans without a callee's role whose parent is of another service.
    fn pair_entries(&mut self, entries: Entries) {
        if entries.indices.is_empty() {
            return;
        }
        let served: HashSet<(usize, u32), RandomState> = entries.served.into_iter().collect();
        let mut only: HashMap<(usize, u32), usize, RandomState> = HashMap::default();
        for index in entries.indices {
            let Some(parent) = self.lineage.parent_elsewhere(index) else { continue };
            if entries.is_represented.get(index).copied().unwrap_or_default() {
                continue;
            }
            let caller = self.lineage.calling(parent);
            if !self.lineage.role(caller).is_caller() {
                self.pair(caller, index);
                continue;
            }
            // A caller makes one call: where no server says that it took it, the first span of the service does.
            let key = (caller, self.lineage.service(index));
            if !served.contains(&key) {
                let first = only.entry(key).or_insert(index);
                *first = earlier(self.lineage.spans, *first, index);
            }
        }
        for ((caller, _), index) in only {
            self.pair(caller, index);
        }
    }

    /// A call that is carried by another one is answered when that is.
    fn answer_outer_callers(&mut self) {
        for index in 0..self.lineage.spans.len() {
            let mut at = index;
            while self.is_answered[at] {
                let Some(outer) = self.lineage.outer_caller(at) else { break };
                if self.is_answered[outer] || !self.lineage.peers[at].is_carrier_of(&self.lineage.peers[outer]) {
                    break;
                }
                self.is_answered[outer] = true;
                at = outer;
            }
        }
    }

    /// Makes edges of calls and messages whose other side has no span.
    fn name_unseen_callees(&mut self) {
        for index in 0..self.lineage.spans.len() {
            if self.is_answered[index] || !self.lineage.role(index).is_caller() {
                continue;
            }
            let peer = &self.lineage.peers[index];
            let Some(callee) = peer.name() else { continue };
            let caller = self.name(index);
            if callee == caller || self.is_carrier(index) {
                continue;
            }
            let connection = peer.connection(peer);
            let call = self.call(Some(index), None, false);
            self.edges.push(Edge { caller: caller.into(), callee, connection, call });
        }
    }

    /// Whether another span stands for this call, which carries that one.
    fn is_carrier(&self, index: usize) -> bool {
        let Some(outer) = self.lineage.outer_caller(index) else { return false };
        let peer = &self.lineage.peers[outer];
        self.lineage.peers[index].is_carrier_of(peer) && (self.is_answered[outer] || peer.name().is_some())
    }

    fn name_unseen_sender(&mut self, index: usize) {
        let peer = &self.lineage.peers[index];
        let callee = self.name(index);
        if let Some(caller) = peer.name().filter(|caller| caller != callee) {
            let connection = peer.connection(peer);
            let call = self.call(None, Some(index), true);
            self.edges.push(Edge { caller, callee: callee.into(), connection, call });
        }
    }

    fn pair(&mut self, caller: usize, callee: usize) {
        self.is_answered[caller] = true;
        let connection = self.peer(caller).connection(&self.peer(callee));
        let is_message = self.lineage.role(caller).is_caller() && self.lineage.role(callee) == Kind::Consumer;
        self.push(caller, callee, connection, is_message);
    }

    fn push(&mut self, caller: usize, callee: usize, connection: Connection, is_message: bool) {
        self.edges.push(Edge {
            caller: self.name(caller).into(),
            callee: self.name(callee).into(),
            connection,
            call: self.call(Some(caller), Some(callee), is_message),
        });
    }

    fn call(&self, caller: Option<usize>, callee: Option<usize>, is_message: bool) -> Call<'a> {
        let spans = self.lineage.spans;
        let is_error = caller.iter().chain(&callee).any(|index| self.statuses[*index] == StatusCode::Error);
        Call {
            caller: caller.map(|index| &spans[index]),
            callee: callee.map(|index| &spans[index]),
            is_message,
            is_error,
        }
    }

    fn name(&self, index: usize) -> &'a str {
        self.services.name(self.lineage.service(index))
    }

    /// What a span's attributes say, whatever its role.
    fn peer(&self, index: usize) -> Cow<'_, Peer<'a>> {
        match self.lineage.spans[index].kind {
            Kind::Internal | Kind::Unspecified => Cow::Owned(Peer::of(&self.lineage.spans[index])),
            _ => Cow::Borrowed(&self.lineage.peers[index]),
        }
    }
}
