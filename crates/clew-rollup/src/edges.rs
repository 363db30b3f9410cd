//! Who called whom. The README has the rules in words.

use clew_model::{Kind, Span, StatusCode};

use crate::Connection;
use crate::figures::Call;
use crate::lineage::{Lineage, earlier};
use crate::names::Names;
use crate::peer::Peer;

/// Finds the calls of traces, one after the other in the same memory.
#[derive(Debug, Default)]
pub(crate) struct Edges {
    lineage: Lineage,
    found: Found,
}

/// One call, and the numbers of its names.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Edge {
    pub(crate) caller: u32,
    pub(crate) callee: u32,
    pub(crate) connection: Connection,
    caller_span: Option<usize>,
    callee_span: Option<usize>,
    is_message: bool,
}

#[derive(Debug, Default)]
struct Found {
    edges: Vec<Edge>,
    /// Of spans that call or send: whether the other side has a span.
    is_answered: Vec<bool>,
    entries: Entries,
    /// The spans that one links to.
    linked: Vec<usize>,
    /// For names that are put together.
    text: String,
}

/// The spans that stand at the beginning of a service's part in a trace without a role that says so.
#[derive(Debug, Default)]
struct Entries {
    indices: Vec<usize>,
    /// Those that have a callee below, which stands for the call.
    is_represented: Vec<bool>,
    /// Callers and the numbers of the services in which a server or consumer answers them.
    served: Vec<(usize, u32)>,
    /// Callers, the numbers of the services in which nobody says that he answers, and spans there.
    candidates: Vec<(usize, u32, usize)>,
}

/// The calls of one trace.
struct Calls<'a> {
    spans: &'a [Span],
    lineage: &'a Lineage,
    names: &'a mut Names,
    found: &'a mut Found,
}

impl Edges {
    /// The calls of a trace, in no order. Of each span there is the number of its service.
    pub(crate) fn of(&mut self, spans: &[Span], services: &[u32], names: &mut Names) -> &[Edge] {
        self.lineage.fill(spans, services);
        self.found.clear(spans.len());
        let mut calls = Calls { spans, lineage: &self.lineage, names, found: &mut self.found };
        calls.pair_callees();
        calls.pair_entries();
        calls.answer_outer_callers();
        calls.name_unseen_callees();
        &self.found.edges
    }
}

impl Edge {
    /// The call itself. `statuses` are how the spans ended.
    pub(crate) fn call<'a>(&self, spans: &'a [Span], statuses: &[StatusCode]) -> Call<'a> {
        let is_error = |index: usize| statuses[index] == StatusCode::Error;
        Call {
            caller: self.caller_span.map(|index| &spans[index]),
            callee: self.callee_span.map(|index| &spans[index]),
            is_message: self.is_message,
            is_error: self.caller_span.is_some_and(is_error) || self.callee_span.is_some_and(is_error),
        }
    }
}

impl Found {
    fn clear(&mut self, span_count: usize) {
        self.edges.clear();
        self.is_answered.clear();
        self.is_answered.resize(span_count, false);
        self.entries.indices.clear();
        self.entries.is_represented.clear();
        self.entries.is_represented.resize(span_count, false);
        self.entries.served.clear();
        self.entries.candidates.clear();
    }
}

impl Calls<'_> {
    /// Finds the callers of servers and consumers. Notes what else may have been called.
    fn pair_callees(&mut self) {
        for index in 0..self.spans.len() {
            let caller = match self.lineage.role(index) {
                Kind::Server => self.caller(index),
                Kind::Consumer => self.sender(index),
                _ => {
                    if self.lineage.parent_elsewhere(index).is_some() {
                        self.found.entries.indices.push(index);
                    }
                    continue;
                }
            };
            let Some(caller) = caller else { continue };
            self.pair(caller, index);
            if let Some(top) = self.lineage.top(index) {
                self.found.entries.is_represented[top] = true;
            }
            self.found.entries.served.push((caller, self.lineage.service(index)));
        }
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
        let span = &self.spans[index];
        let mut linked = std::mem::take(&mut self.found.linked);
        linked.clear();
        for link in span.links.iter().filter(|link| link.trace_id == span.trace_id) {
            linked.extend(self.lineage.with_id(link.span_id).filter(|other| *other != index));
        }
        linked.sort_unstable();
        linked.dedup();
        for other in &linked {
            let is_sender = self.lineage.role(*other).is_caller();
            if is_sender || !self.lineage.is_same_service(*other, index) {
                self.found.is_answered[*other] |= is_sender;
                self.push(*other, index, Connection::Link, is_sender);
            }
        }
        let is_any = !linked.is_empty();
        self.found.linked = linked;
        is_any
    }

    /// Finds the callers of spans without a callee's role whose parent is of another service.
    fn pair_entries(&mut self) {
        let mut entries = std::mem::take(&mut self.found.entries);
        entries.served.sort_unstable();
        for index in entries.indices.iter().copied() {
            let Some(parent) = self.lineage.parent_elsewhere(index) else { continue };
            if entries.is_represented[index] {
                continue;
            }
            let caller = self.lineage.calling(parent);
            let service = self.lineage.service(index);
            if !self.lineage.role(caller).is_caller() {
                self.pair(caller, index);
            } else if entries.served.binary_search(&(caller, service)).is_err() {
                entries.candidates.push((caller, service, index));
            }
        }
        // A caller makes one call: where no server says that it took it, the first span of the service does.
        entries.candidates.sort_unstable();
        for alike in entries.candidates.chunk_by(|left, right| (left.0, left.1) == (right.0, right.1)) {
            let indices = alike.iter().map(|(.., index)| *index);
            let first = indices.reduce(|first, index| earlier(self.spans, first, index));
            if let Some(first) = first {
                self.pair(alike[0].0, first);
            }
        }
        self.found.entries = entries;
    }

    /// A call that is carried by another one is answered when that is.
    fn answer_outer_callers(&mut self) {
        for index in 0..self.spans.len() {
            let mut at = index;
            while self.found.is_answered[at] {
                let Some(outer) = self.lineage.outer_caller(at) else { break };
                if self.found.is_answered[outer] || !self.is_carrier_of(at, outer) {
                    break;
                }
                self.found.is_answered[outer] = true;
                at = outer;
            }
        }
    }

    /// Makes edges of calls and messages whose other side has no span.
    fn name_unseen_callees(&mut self) {
        for index in 0..self.spans.len() {
            if self.found.is_answered[index] || !self.lineage.role(index).is_caller() || self.is_carrier(index) {
                continue;
            }
            let Some(callee) = self.unseen(index) else { continue };
            let caller = self.lineage.service(index);
            if callee != caller {
                let peer = &self.lineage.peers[index];
                self.found.edges.push(Edge {
                    caller,
                    callee,
                    connection: peer.connection(peer),
                    caller_span: Some(index),
                    callee_span: None,
                    is_message: false,
                });
            }
        }
    }

    /// The number of the name that a span has for the other side.
    fn unseen(&mut self, index: usize) -> Option<u32> {
        let name = self.lineage.peers[index].name(&self.spans[index], &mut self.found.text)?;
        Some(self.names.number(name))
    }

    fn is_carrier_of(&self, index: usize, outer: usize) -> bool {
        let peers = &self.lineage.peers;
        peers[index].is_carrier_of(&self.spans[index], &peers[outer], &self.spans[outer])
    }

    /// Whether another span stands for this call, which carries that one.
    fn is_carrier(&mut self, index: usize) -> bool {
        let Some(outer) = self.lineage.outer_caller(index) else { return false };
        let is_named = |text: &mut String| self.lineage.peers[outer].name(&self.spans[outer], text).is_some();
        self.is_carrier_of(index, outer) && (self.found.is_answered[outer] || is_named(&mut self.found.text))
    }

    fn name_unseen_sender(&mut self, index: usize) {
        let callee = self.lineage.service(index);
        let Some(caller) = self.unseen(index).filter(|caller| *caller != callee) else { return };
        let peer = &self.lineage.peers[index];
        self.found.edges.push(Edge {
            caller,
            callee,
            connection: peer.connection(peer),
            caller_span: None,
            callee_span: Some(index),
            is_message: true,
        });
    }

    fn pair(&mut self, caller: usize, callee: usize) {
        self.found.is_answered[caller] = true;
        let connection = self.peer(caller).connection(&self.peer(callee));
        let is_message = self.lineage.role(caller).is_caller() && self.lineage.role(callee) == Kind::Consumer;
        self.push(caller, callee, connection, is_message);
    }

    fn push(&mut self, caller: usize, callee: usize, connection: Connection, is_message: bool) {
        self.found.edges.push(Edge {
            caller: self.lineage.service(caller),
            callee: self.lineage.service(callee),
            connection,
            caller_span: Some(caller),
            callee_span: Some(callee),
            is_message,
        });
    }

    /// What a span's attributes say, whatever its role.
    fn peer(&self, index: usize) -> Peer {
        match self.spans[index].kind {
            Kind::Internal | Kind::Unspecified => Peer::of(&self.spans[index]),
            _ => self.lineage.peers[index],
        }
    }
}
