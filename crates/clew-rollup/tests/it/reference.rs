//! The rules of the README as they are read: slow, and without any shortcut.

use std::collections::BTreeMap;

use clew_model::{Kind, Span, StatusCode, Value, identity};
use clew_rollup::{Connection, Rollup};

/// Minute, service, operation, kind and status; received, failed, and the sum of durations.
pub(crate) type Series = BTreeMap<(u64, String, String, Kind, StatusCode), (i64, i64, i128)>;
/// Minute, caller, callee and connection; received and failed.
pub(crate) type Edges = BTreeMap<(u64, String, String, Connection), (i64, i64)>;

pub(crate) fn series(spans: &[Span]) -> Series {
    let mut series = Series::new();
    for span in spans {
        let status = if span.is_error() { StatusCode::Error } else { span.status.code };
        let minute = span.start_unix_nanos / Rollup::MINUTE_NANOS;
        let key = (minute, span.service().to_owned(), span.name.clone(), span.kind, status);
        let figures = series.entry(key).or_default();
        figures.0 += 1;
        figures.1 += i64::from(span.is_error());
        figures.2 += i128::from(span.duration_nanos);
    }
    series
}

pub(crate) fn edges(spans: &[Span]) -> Edges {
    // In canonical order, "the first" is the one with the lowest place.
    let mut sorted: Vec<&Span> = spans.iter().collect();
    sorted.sort_by(|left, right| identity::canonical(left, right));
    let trace = Trace { spans: sorted };
    let mut edges = Edges::new();
    let mut add = |caller: Option<usize>, callee: Option<usize>, names: (String, String), connection| {
        let sides: Vec<&Span> = [caller, callee].into_iter().flatten().map(|index| trace.spans[index]).collect();
        let minute = sides[0].start_unix_nanos / Rollup::MINUTE_NANOS;
        let figures = edges.entry((minute, names.0, names.1, connection)).or_default();
        figures.0 += 1;
        figures.1 += i64::from(sides.iter().any(|span| span.is_error()));
    };
    let name = |index: usize| trace.spans[index].service().to_owned();
    let pairs = trace.pairs();
    for (caller, callee, is_link) in &pairs {
        let connection = match is_link {
            true => Connection::Link,
            false => connection(&[trace.spans[*caller], trace.spans[*callee]]),
        };
        add(Some(*caller), Some(*callee), (name(*caller), name(*callee)), connection);
    }
    for index in 0..trace.spans.len() {
        let Some(other) = other_side(trace.spans[index]).filter(|other| *other != name(index)) else { continue };
        let connection = connection(&[trace.spans[index]]);
        if trace.role(index) == Kind::Consumer && trace.comes_from_nobody(index) {
            add(None, Some(index), (other, name(index)), connection);
        } else if trace.role(index).is_caller() && !trace.is_answered(index, &pairs) && !trace.is_carried(index, &pairs)
        {
            add(Some(index), None, (name(index), other), connection);
        }
    }
    edges
}

struct Trace<'a> {
    spans: Vec<&'a Span>,
}

impl Trace<'_> {
    fn role(&self, index: usize) -> Kind {
        let span = self.spans[index];
        let operation = ["messaging.operation.type", "messaging.operation"];
        let receives = span
            .attributes
            .iter()
            .any(|attribute| operation.contains(&attribute.key.as_str()) && attribute.value == Value::from("receive"));
        if span.kind == Kind::Client && receives { Kind::Consumer } else { span.kind }
    }

    fn is_step(&self, index: usize) -> bool {
        matches!(self.spans[index].kind, Kind::Internal | Kind::Unspecified)
    }

    fn same(&self, left: usize, right: usize) -> bool {
        self.spans[left].service() == self.spans[right].service()
    }

    fn all(&self, is_wanted: impl Fn(&Span) -> bool) -> Vec<usize> {
        (0..self.spans.len()).filter(|index| is_wanted(self.spans[*index])).collect()
    }

    fn parent(&self, index: usize) -> Option<usize> {
        let span = self.spans[index];
        if span.kind.is_callee() {
            let halves = self.all(|other| other.span_id == span.span_id && other.kind.is_caller());
            if let Some(caller) = halves.first() {
                return Some(*caller);
            }
        }
        let parent_id = span.parent_span_id.filter(|parent_id| *parent_id != span.span_id)?;
        let held = self.all(|other| other.span_id == parent_id);
        let own: Vec<usize> = held.iter().copied().filter(|other| self.same(*other, index)).collect();
        let callee = |of: &[usize]| of.iter().copied().find(|other| self.spans[*other].kind.is_callee());
        callee(&own).or(own.first().copied()).or(callee(&held)).or(held.first().copied())
    }

    /// The way up from a span: steps of its own service, and the first that is none.
    fn way(&self, index: usize) -> (Vec<usize>, Option<usize>) {
        let mut steps = Vec::new();
        let mut at = self.parent(index);
        while let Some(parent) = at.filter(|parent| self.is_step(*parent) && self.same(*parent, index)) {
            if steps.contains(&parent) {
                return (Vec::new(), None);
            }
            steps.push(parent);
            at = self.parent(parent);
        }
        (steps, at)
    }

    fn outer(&self, index: usize) -> Option<usize> {
        let above = self.way(index).1?;
        (above != index && self.same(above, index) && self.role(above).is_caller()).then_some(above)
    }

    fn caller(&self, index: usize) -> Option<usize> {
        let above = self.way(index).1?;
        match self.same(above, index) {
            true => self.role(above).is_caller().then_some(above),
            false if self.is_step(above) => self.outer(above).or(Some(above)),
            false => Some(above),
        }
    }

    fn linked(&self, index: usize) -> Vec<usize> {
        let span = self.spans[index];
        let mut linked = Vec::new();
        for link in span.links.iter().filter(|link| link.trace_id == span.trace_id) {
            let held = self.all(|other| other.span_id == link.span_id);
            let sender = held.iter().copied().find(|other| self.spans[*other].kind.is_caller());
            linked.extend(sender.or(held.first().copied()).filter(|other| *other != index));
        }
        linked.sort_unstable();
        linked.dedup();
        linked
    }

    fn has_sender(&self, index: usize) -> bool {
        self.caller(index).is_some_and(|caller| self.role(caller).is_caller())
    }

    fn comes_from_nobody(&self, index: usize) -> bool {
        let is_below = self.way(index).1.is_some_and(|above| self.role(above) == Kind::Consumer);
        self.caller(index).is_none() && self.linked(index).is_empty() && !is_below
    }

    /// Caller, callee, and whether it is by a link.
    fn pairs(&self) -> Vec<(usize, usize, bool)> {
        let mut pairs = Vec::new();
        let mut represented = Vec::new();
        for index in 0..self.spans.len() {
            let caller = match self.role(index) {
                Kind::Server => self.caller(index),
                Kind::Consumer if self.has_sender(index) || self.linked(index).is_empty() => self.caller(index),
                Kind::Consumer => {
                    for other in self.linked(index) {
                        if self.role(other).is_caller() || !self.same(other, index) {
                            pairs.push((other, index, true));
                        }
                    }
                    None
                }
                _ => None,
            };
            if let Some(caller) = caller {
                pairs.push((caller, index, false));
                represented.extend(self.way(index).0.last().copied());
            }
        }
        let mut entries: Vec<(usize, usize, bool)> = Vec::new();
        for index in 0..self.spans.len() {
            let Some(parent) = self.parent(index).filter(|parent| !self.same(*parent, index)) else { continue };
            if matches!(self.role(index), Kind::Server | Kind::Consumer) || represented.contains(&index) {
                continue;
            }
            let caller = if self.is_step(parent) { self.outer(parent).unwrap_or(parent) } else { parent };
            let is_taken = |pair: &&(usize, usize, bool)| pair.0 == caller && self.same(pair.1, index) && !pair.2;
            if !self.role(caller).is_caller() || !pairs.iter().chain(&entries).any(|pair| is_taken(&pair)) {
                entries.push((caller, index, false));
            }
        }
        pairs.extend(entries);
        pairs
    }

    fn is_answered(&self, index: usize, pairs: &[(usize, usize, bool)]) -> bool {
        // Whoever is reached from an answered call over calls that each carries the one above.
        let callers = pairs.iter().map(|pair| pair.0);
        let mut answered: Vec<usize> = callers.filter(|caller| self.role(*caller).is_caller()).collect();
        let mut at = 0;
        while let Some(inner) = answered.get(at).copied() {
            at += 1;
            let outer = self.outer(inner).filter(|outer| carries(self.spans[inner], self.spans[*outer]));
            answered.extend(outer.filter(|outer| !answered.contains(outer)));
        }
        answered.contains(&index)
    }

    fn is_carried(&self, index: usize, pairs: &[(usize, usize, bool)]) -> bool {
        let outer = self.outer(index).filter(|outer| carries(self.spans[index], self.spans[*outer]));
        outer.is_some_and(|outer| self.is_answered(outer, pairs) || other_side(self.spans[outer]).is_some())
    }
}

fn text(span: &Span, keys: &[&str]) -> Option<String> {
    let of = |key: &&str| {
        let mut values = span.attributes.iter().filter(|attribute| attribute.key == **key);
        values.find_map(|attribute| attribute.value.as_str().filter(|text| !text.is_empty())).map(str::to_owned)
    };
    keys.iter().find_map(of)
}

fn has(span: &Span, family: &str) -> bool {
    span.attributes.iter().any(|attribute| attribute.key.starts_with(&format!("{family}.")))
}

fn is_message(span: &Span) -> bool {
    has(span, "messaging") || matches!(span.kind, Kind::Producer | Kind::Consumer)
}

fn is_database(span: &Span) -> bool {
    text(span, &["db.system.name", "db.system", "db.namespace", "db.name"]).is_some()
}

fn connection(sides: &[&Span]) -> Connection {
    let any = |is: &dyn Fn(&Span) -> bool| sides.iter().any(|span| is(span));
    if any(&|span| has(span, "db")) {
        Connection::Database
    } else if any(&is_message) {
        Connection::Messaging
    } else if any(&|span| has(span, "rpc")) {
        Connection::Rpc
    } else if any(&|span| has(span, "http") || has(span, "url")) {
        Connection::Http
    } else {
        Connection::Other
    }
}

fn carries(inner: &Span, outer: &Span) -> bool {
    let host = |span: &Span| text(span, &["server.address", "net.peer.name"]);
    if is_database(inner) || is_database(outer) {
        is_database(outer)
    } else if is_message(inner) || is_message(outer) {
        is_message(outer)
    } else {
        host(inner).is_some() && host(inner) == host(outer)
    }
}

fn other_side(span: &Span) -> Option<String> {
    if is_database(span) {
        let system = text(span, &["db.system.name", "db.system"]);
        let namespace = text(span, &["db.namespace", "db.name"]);
        let full = namespace.map(|namespace| match &system {
            Some(system) => format!("{system}/{namespace}"),
            None => namespace,
        });
        let host = text(span, &["server.address", "net.peer.name", "network.peer.address"]);
        return text(span, &["peer.service"]).or(full).or(host).or(system);
    }
    let topic = text(span, &["messaging.destination.name", "messaging.destination", "messaging.system"]);
    if is_message(span) && topic.is_some() {
        return topic;
    }
    let port =
        span.attributes.iter().find(|attribute| attribute.key == "server.port").map(|port| port.value.to_string());
    let with_port = |address: String| match &port {
        Some(port) => format!("{address}:{port}"),
        None => address,
    };
    let address = text(span, &["server.address"]).map(with_port);
    text(span, &["peer.service"]).or(address).or_else(|| text(span, &["net.peer.name"]))
}
