//! Siblings that do the same thing again and again, such as the queries of an N+1.

use std::collections::HashMap;

use clew_model::{Kind, Span, SpanId};
use foldhash::fast::RandomState;
use serde::{Deserialize, Serialize};

use crate::thread::sentence::{cut, duration_text};
use crate::tree::Tree;

/// From so many on, siblings that are alike are a group.
const COUNT_MIN: usize = 5;

/// One in so many may begin before the one before it has ended: clocks and asynchronous clients are not exact.
const OVERLAPS_ONE_IN: usize = 10;

/// How long the name of a sentence gets at most, in characters.
const NAME_CHARS_MAX: usize = 48;

/// Keys that calls to a database have: OpenTelemetry's `db.*` (older and newer conventions and OpenTracing's alike), and
/// `sql.*` as Zipkin's instrumentations write it.
const DATABASE_KEYS: [&str; 2] = ["db.", "sql."];

/// Siblings of one service, operation and kind, at least five.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Repeat {
    /// Index of their parent; `None` for roots, and for spans whose parent was not received.
    pub parent: Option<usize>,
    /// Their indices, rising.
    pub spans: Vec<usize>,
    /// The sum of their durations.
    pub total_nanos: u64,
    /// What they are.
    pub kind: RepeatKind,
    /// That, in words.
    pub sentence: String,
}

/// What repeated siblings are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RepeatKind {
    /// The same work several times.
    Repeated,
    /// Calls to a database one after the other, which one call could have made: "N+1".
    NPlusOne,
}

impl RepeatKind {
    /// Its name, as the API has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Repeated => "repeated",
            Self::NPlusOne => "n_plus_one",
        }
    }
}

/// What makes siblings alike.
type Likeness<'a> = (&'a str, &'a str, Kind);

/// All groups of repeated siblings, by their first span.
pub fn repeats(spans: &[Span], tree: &Tree) -> Vec<Repeat> {
    let mut found = Vec::new();
    for (parent, node) in tree.nodes.iter().enumerate().filter(|(_, node)| node.child_count >= COUNT_MIN) {
        debug_assert!(node.subtree_count > node.child_count, "children are part of the subtree");
        let mut alike: HashMap<Likeness<'_>, Vec<usize>, RandomState> = HashMap::default();
        for child in tree.children(parent) {
            alike.entry(likeness(&spans[child])).or_default().push(child);
        }
        found.extend(alike.into_values().filter_map(|group| repeat(spans, Some(parent), group)));
    }
    if tree.roots.len() >= COUNT_MIN {
        // Spans without a received parent are siblings when they name the same one, or none.
        let mut alike: HashMap<(Option<SpanId>, Likeness<'_>), Vec<usize>, RandomState> = HashMap::default();
        for root in &tree.roots {
            let span = &spans[*root];
            alike.entry((span.parent_span_id, likeness(span))).or_default().push(*root);
        }
        found.extend(alike.into_values().filter_map(|group| repeat(spans, None, group)));
    }
    found.sort_unstable_by_key(|repeat| repeat.spans[0]);
    found
}

fn likeness(span: &Span) -> Likeness<'_> {
    (span.service(), &span.name, span.kind)
}

fn repeat(spans: &[Span], parent: Option<usize>, group: Vec<usize>) -> Option<Repeat> {
    if group.len() < COUNT_MIN {
        return None;
    }
    let total_nanos = group.iter().fold(0_u64, |sum, index| sum.saturating_add(spans[*index].duration_nanos));
    let is_database = |index: &usize| is_database_call(&spans[*index]);
    let database_count = group.iter().filter(|index| is_database(index)).count();
    let is_query = database_count * 2 > group.len() && is_one_after_another(spans, &group);
    let kind = if is_query { RepeatKind::NPlusOne } else { RepeatKind::Repeated };
    let name = cut(&spans[group[0]].name, NAME_CHARS_MAX);
    let (count, total) = (group.len(), duration_text(total_nanos));
    let why = if is_query { ": one query per item (N+1)" } else { "" };
    let sentence = format!("{count} x {name}{why}, {total} in all");
    Some(Repeat { parent, spans: group, total_nanos, kind, sentence })
}

fn is_database_call(span: &Span) -> bool {
    let says_so = |key: &str| DATABASE_KEYS.iter().any(|prefix| key.starts_with(prefix));
    !span.kind.is_callee() && span.attributes.iter().any(|attribute| says_so(&attribute.key))
}

/// Whether each began when those before it had ended, with few exceptions. Siblings are ordered by start.
fn is_one_after_another(spans: &[Span], group: &[usize]) -> bool {
    let (mut overlap_count, mut end_unix_nanos) = (0, 0);
    for index in group {
        let span = &spans[*index];
        overlap_count += usize::from(span.start_unix_nanos < end_unix_nanos);
        end_unix_nanos = end_unix_nanos.max(span.end_unix_nanos());
    }
    overlap_count * OVERLAPS_ONE_IN < group.len()
}
