//! Clocks that disagree: noted always, corrected only on request.
//!
//! Method. A clock belongs to an instance ([`instance`]). A call from a client span in one instance to its server span in
//! another says that the server's work lay inside the client's, so the server's clock is ahead by something between
//! `server.end - client.end` and `server.start - client.start`; the middle of the two assumes equal ways there and back,
//! as NTP does (RFC 5905, section 8). All calls between two instances, in both directions, are evidence about the same
//! two clocks: the estimate is the median of their middles, and the clocks are said to disagree when at least half of
//! the calls cannot be explained by equal clocks. Calls whose server outlives its client (a timeout) say nothing.
//!
//! A message that is received before it was sent shows that clocks disagree, but not by how much. That is noted
//! ([`SkewEvidence::Order`]) and never corrected.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use clew_model::value::find;
use clew_model::{Kind, Span, Value};
use foldhash::fast::RandomState;
use serde::Serialize;

use crate::tree::{Marks, Tree};

/// Two clocks that disagree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Skew {
    /// The instance whose clock is the measure: the caller in the first call between the two.
    pub reference: String,
    /// The instance whose clock is off.
    pub instance: String,
    /// The clock of `instance` minus the clock of `reference`.
    pub offset_nanos: i64,
    /// How many calls or messages the estimate rests on.
    pub edge_count: usize,
    /// What kind of evidence it is.
    pub evidence: SkewEvidence,
    /// Whether spans of `instance` were moved.
    pub is_corrected: bool,
}

/// What an estimate rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SkewEvidence {
    /// Calls that must lie inside their callers: an estimate.
    Containment,
    /// Messages received before they were sent: the least offset that explains one of them.
    Order,
}

/// Whose clock a span's times were read from: the service with the first of its resource's `host.id`, `host.name`,
/// `k8s.pod.uid`, `service.instance.id`, or the service alone.
pub fn instance(span: &Span) -> String {
    let keys = ["host.id", "host.name", "k8s.pod.uid", "service.instance.id"];
    let place = keys.iter().find_map(|key| host(span, key));
    place.map_or_else(|| span.service().to_owned(), |place| format!("{}@{place}", span.service()))
}

fn host<'a>(span: &'a Span, key: &str) -> Option<&'a str> {
    find(&span.resource.attributes, key).and_then(Value::as_str).filter(|text| !text.is_empty())
}

/// Whether two spans are known to read the same clock although their instances differ.
fn share_host(left: &Span, right: &Span) -> bool {
    ["host.id", "host.name"].iter().any(|key| host(left, key).is_some_and(|name| host(right, key) == Some(name)))
}

/// What the calls and messages between two instances say about the second one's clock relative to the first one's.
#[derive(Default)]
struct Evidence {
    /// Middles of the possible offsets, in doubled nanoseconds so that halving loses nothing.
    doubled_middles: Vec<i128>,
    /// How many of them exclude equal clocks.
    contradiction_count: usize,
    /// Offsets of messages that were received before they were sent.
    message_offsets: Vec<i128>,
    /// Whether the caller in the first call is the second instance.
    is_flipped: Option<bool>,
}

/// The pairs of instances whose clocks disagree, in the order of their names.
pub(crate) fn detect(spans: &[Span], tree: &Tree) -> Vec<Skew> {
    let instances = Instances::of(spans);
    let mut pairs: BTreeMap<(&str, &str), Evidence> = BTreeMap::new();
    for (index, node) in tree.nodes.iter().enumerate() {
        let Some(parent_index) = node.parent else { continue };
        let (parent, child) = (&spans[parent_index], &spans[index]);
        let (caller, callee) = (instances.name(parent_index), instances.name(index));
        if !parent.kind.is_caller() || !child.kind.is_callee() || caller == callee || share_host(parent, child) {
            continue;
        }
        let is_flipped = callee < caller;
        let pair = if is_flipped { (callee, caller) } else { (caller, callee) };
        let evidence = pairs.entry(pair).or_default();
        evidence.is_flipped.get_or_insert(is_flipped);
        evidence.add(parent, child, if is_flipped { -1 } else { 1 });
    }
    pairs.into_iter().filter_map(|(pair, evidence)| evidence.conclude(pair)).collect()
}

impl Evidence {
    fn add(&mut self, caller: &Span, callee: &Span, sign: i128) {
        let most = i128::from(callee.start_unix_nanos) - i128::from(caller.start_unix_nanos);
        let least = i128::from(callee.end_unix_nanos()) - i128::from(caller.end_unix_nanos());
        if callee.kind == Kind::Consumer || caller.kind == Kind::Producer {
            if most < 0 {
                self.message_offsets.push(most * sign);
            }
        } else if least <= most {
            self.doubled_middles.push((least + most) * sign);
            self.contradiction_count += usize::from(least > 0 || most < 0);
        }
    }

    fn conclude(mut self, (first, second): (&str, &str)) -> Option<Skew> {
        let call_count = self.doubled_middles.len();
        let (offset, edge_count, evidence) =
            if self.contradiction_count > 0 && self.contradiction_count * 2 >= call_count {
                self.doubled_middles.sort_unstable();
                let (low, high) = (self.doubled_middles[(call_count - 1) / 2], self.doubled_middles[call_count / 2]);
                ((low + high) / 4, call_count, SkewEvidence::Containment)
            } else if call_count == 0 {
                let largest = self.message_offsets.iter().copied().max_by_key(|offset| (offset.abs(), *offset))?;
                (largest, self.message_offsets.len(), SkewEvidence::Order)
            } else {
                return None;
            };
        let is_flipped = self.is_flipped.unwrap_or_default();
        let (reference, instance, offset) = if is_flipped { (second, first, -offset) } else { (first, second, offset) };
        let offset_nanos = i64::try_from(offset).unwrap_or(if offset < 0 { i64::MIN } else { i64::MAX });
        let (reference, instance) = (reference.to_owned(), instance.to_owned());
        Some(Skew { reference, instance, offset_nanos, edge_count, evidence, is_corrected: false })
    }
}

/// Moves the spans, and their events, of instances whose clock is known to be off relative to the first root's instance.
/// Returns whether any was moved.
///
/// An instance's offset is the sum along the calls that lead to it; a pair of instances whose clocks agree adds nothing.
pub(crate) fn correct(spans: &mut [Span], tree: &Tree, skews: &mut [Skew]) -> bool {
    let instances = Instances::of(spans);
    let offsets = offsets(&instances, tree, skews);
    let by_name = |name: &str| offsets[instances.numbers[name]];
    for skew in skews.iter_mut().filter(|skew| skew.evidence == SkewEvidence::Containment) {
        let applied = by_name(&skew.instance).saturating_sub(by_name(&skew.reference));
        skew.is_corrected = applied == skew.offset_nanos;
    }
    for (span, instance) in spans.iter_mut().zip(&instances.of_span) {
        let shift = offsets[*instance].saturating_neg();
        span.start_unix_nanos = span.start_unix_nanos.saturating_add_signed(shift);
        for event in &mut span.events {
            event.time_unix_nanos = event.time_unix_nanos.saturating_add_signed(shift);
        }
    }
    instances.of_span.iter().any(|instance| offsets[*instance] != 0)
}

/// The offset of each instance from the first root's: found breadth-first over the calls between instances. Messages
/// lead nowhere, so an instance that only receives some keeps its times.
fn offsets(instances: &Instances, tree: &Tree, skews: &[Skew]) -> Vec<i64> {
    let mut steps: BTreeMap<(usize, usize), i64> = BTreeMap::new();
    for skew in skews.iter().filter(|skew| skew.evidence == SkewEvidence::Containment) {
        let pair = (instances.numbers[skew.reference.as_str()], instances.numbers[skew.instance.as_str()]);
        steps.insert(pair, skew.offset_nanos);
        steps.insert((pair.1, pair.0), skew.offset_nanos.saturating_neg());
    }
    for (index, node) in tree.nodes.iter().enumerate() {
        let Some(parent) = node.parent.filter(|_| !node.marks.contains(Marks::ASYNC)) else { continue };
        let (from, to) = (instances.of_span[parent], instances.of_span[index]);
        steps.entry((from, to)).or_insert(0);
        steps.entry((to, from)).or_insert(0);
    }
    let mut offsets = vec![0_i64; instances.numbers.len()];
    let Some(first) = tree.roots.first().map(|root| instances.of_span[*root]) else { return offsets };
    let mut reached = BTreeSet::from([first]);
    let mut queue = VecDeque::from([first]);
    while let Some(from) = queue.pop_front() {
        for ((_, to), step) in steps.range((from, 0)..=(from, usize::MAX)) {
            if reached.insert(*to) {
                offsets[*to] = offsets[from].saturating_add(*step);
                queue.push_back(*to);
            }
        }
    }
    offsets
}

/// The instances of a trace, and which one each span is of.
struct Instances {
    numbers: HashMap<Arc<str>, usize>,
    names: Vec<Arc<str>>,
    of_span: Vec<usize>,
}

impl Instances {
    fn of(spans: &[Span]) -> Self {
        let (mut numbers, mut names) = (HashMap::new(), Vec::new());
        let mut by_resource: HashMap<_, usize, RandomState> = HashMap::default();
        let mut of_span = Vec::with_capacity(spans.len());
        for span in spans {
            let number = *by_resource.entry(Arc::as_ptr(&span.resource)).or_insert_with(|| {
                let name: Arc<str> = instance(span).into();
                *numbers.entry(Arc::clone(&name)).or_insert_with(|| {
                    names.push(name);
                    names.len() - 1
                })
            });
            of_span.push(number);
        }
        Self { numbers, names, of_span }
    }

    fn name(&self, span: usize) -> &str {
        &self.names[self.of_span[span]]
    }
}
