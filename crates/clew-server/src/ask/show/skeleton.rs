//! A trace in columns.

use std::collections::BTreeMap;

use clew_analysis::{AsyncTail, Explained, Repeat, Segment, SegmentKind};
use clew_model::scan::TraceState;

use super::{bottleneck, clock, gaps, position, skew, summary};
use crate::ask::opened::Opened;
use crate::ask::shape::{
    GroupShape, Skeleton, SkeletonEvents, SkeletonLink, SkeletonSegments, SkeletonSpans, SkeletonTail, SkeletonThread,
};
use crate::ask::table::Words;
use crate::ask::when::to_rfc3339;

/// Events and links that a skeleton has at most; the rest is counted.
const EVENTS_MAX: usize = 20_000;
const LINKS_MAX: usize = 5_000;

/// OpenTelemetry's name of an event that is an exception.
const EXCEPTION: &str = "exception";

/// Positions by a name.
type Positions = BTreeMap<String, Vec<u32>>;

/// The trace in columns.
pub(crate) fn skeleton(opened: &Opened, state: &TraceState) -> Skeleton {
    let explained = &opened.explained;
    let (mut services, mut names) = (Words::default(), Words::default());
    let start = explained.spans.iter().map(|span| span.start_unix_nanos).min().unwrap_or_default();
    let mut columns = SkeletonSpans::with_capacity(explained.spans.len());
    let (mut marks, mut notes) = (Positions::new(), Positions::new());
    for (index, span) in explained.spans.iter().enumerate() {
        let node = &explained.tree.nodes[index];
        push_hex(&mut columns.ids, span.span_id.0);
        columns.parents.push(node.parent.map_or(-1, |parent| parent as i64));
        columns.starts.push(span.start_unix_nanos - start);
        columns.durations.push(span.duration_nanos);
        columns.selfs.push(explained.self_nanos[index]);
        columns.services.push(services.position(span.service()));
        columns.names.push(names.position(&span.name));
        columns.kinds.push(span.kind as u8);
        node.marks.names().for_each(|name| note(&mut marks, name, index));
        span.notes.names().for_each(|name| note(&mut notes, name, index));
    }
    columns.errors = explained.failed.iter().map(|index| position(*index)).collect();
    let (event_names, events, events_left_out) = events(explained, start);
    let summary = summary(&explained.summary, state, opened.incomplete.as_ref());
    Skeleton {
        trace_id: summary.trace_id.clone(),
        version: opened.version(state),
        pinned: false,
        state: summary.state.clone(),
        thread: thread(explained),
        clock: clock(opened.is_corrected),
        skews: explained.skews.iter().map(skew).collect(),
        error_origin: explained.error_origin.map(position),
        start: to_rfc3339(start),
        services: services.into_texts(),
        names: names.into_texts(),
        kinds: clew_model::Kind::ALL.map(|kind| kind.as_str().to_owned()).to_vec(),
        spans: columns,
        marks,
        notes,
        groups: groups(explained),
        event_names,
        events,
        events_left_out,
        links: links(explained),
        links_left_out: explained.relations.len().saturating_sub(LINKS_MAX) as u64,
        summary,
    }
}

impl SkeletonSpans {
    fn with_capacity(count: usize) -> Self {
        Self {
            ids: String::with_capacity(16 * count),
            parents: Vec::with_capacity(count),
            starts: Vec::with_capacity(count),
            durations: Vec::with_capacity(count),
            selfs: Vec::with_capacity(count),
            services: Vec::with_capacity(count),
            names: Vec::with_capacity(count),
            kinds: Vec::with_capacity(count),
            errors: Vec::new(),
        }
    }
}

/// Groups of siblings that are alike.
pub(super) fn groups(explained: &Explained) -> Vec<GroupShape> {
    let shape = |repeat: &Repeat| {
        let first = &explained.spans[repeat.spans[0]];
        GroupShape {
            parent: repeat.parent.map_or(-1, |parent| parent as i64),
            spans: repeat.spans.iter().map(|index| position(*index)).collect(),
            name: first.name.clone(),
            service: first.service().to_owned(),
            count: repeat.spans.len() as u64,
            total_nanos: repeat.total_nanos,
            kind: repeat.kind.as_str().to_owned(),
            sentence: repeat.sentence.clone(),
        }
    };
    explained.repeats.iter().map(shape).collect()
}

fn thread(explained: &Explained) -> SkeletonThread {
    let thread = &explained.thread;
    SkeletonThread {
        sentence: thread.sentence.clone(),
        start: to_rfc3339(thread.from_unix_nanos),
        total_nanos: thread.total_nanos,
        segments: segments(&thread.segments),
        bottleneck: thread.bottleneck.as_ref().map(bottleneck),
        gaps: gaps(explained, &thread.gaps),
        async_tail: thread.async_tail.as_ref().map(|tail| async_tail(explained, tail)),
    }
}

fn async_tail(explained: &Explained, tail: &AsyncTail) -> SkeletonTail {
    SkeletonTail {
        start: to_rfc3339(tail.from_unix_nanos),
        total_nanos: tail.total_nanos,
        segments: segments(&tail.segments),
        bottleneck: tail.bottleneck.as_ref().map(bottleneck),
        gaps: gaps(explained, &tail.gaps),
    }
}

fn segments(segments: &[Segment]) -> SkeletonSegments {
    let kind = |segment: &Segment| match segment.kind {
        SegmentKind::SelfTime => 0,
        SegmentKind::Gap => 1,
        SegmentKind::Wait => 2,
        SegmentKind::Transit => 3,
    };
    SkeletonSegments {
        spans: segments.iter().map(|segment| segment.span.map_or(-1, |span| span as i64)).collect(),
        ends: segments.iter().map(|segment| segment.to_nanos).collect(),
        kinds: segments.iter().map(kind).collect(),
    }
}

fn note(positions: &mut Positions, name: &str, index: usize) {
    match positions.get_mut(name) {
        Some(known) => known.push(position(index)),
        None => drop(positions.insert(name.to_owned(), vec![position(index)])),
    }
}

/// The names of events, the first of them, and how many there are besides.
fn events(explained: &Explained, start_unix_nanos: u64) -> (Vec<String>, SkeletonEvents, u64) {
    let (mut names, mut columns) = (Words::default(), SkeletonEvents::default());
    let all =
        explained.spans.iter().enumerate().flat_map(|(at, span)| span.events.iter().map(move |event| (at, event)));
    let mut count = 0;
    for (index, event) in all {
        count += 1;
        if count > EVENTS_MAX {
            continue;
        }
        columns.exceptions.extend((event.name == EXCEPTION).then(|| position(columns.spans.len())));
        columns.spans.push(position(index));
        columns.offsets.push(event.time_unix_nanos.wrapping_sub(start_unix_nanos) as i64);
        columns.names.push(names.position(&event.name));
    }
    (names.into_texts(), columns, count.saturating_sub(EVENTS_MAX) as u64)
}

fn links(explained: &Explained) -> Vec<SkeletonLink> {
    let shape = |relation: &clew_analysis::Relation| SkeletonLink {
        span: position(relation.from),
        trace_id: relation.trace_id.to_string(),
        span_id: relation.span_id,
        to: relation.to.map(position),
    };
    explained.relations.iter().take(LINKS_MAX).map(shape).collect()
}

/// Appends 16 hexadecimal digits.
fn push_hex(text: &mut String, bytes: [u8; 8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
}
