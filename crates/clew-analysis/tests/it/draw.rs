//! Traces as text, both ways.
//!
//! One line is one span: `name | words`, indented by two spaces below its parent. Words: `10-50` is its time in
//! milliseconds (`1.5-2` works); a kind; `@shop` its service (its parent's, else `app`); `host=h1`; `id=7` (else the
//! number of its line); `orphan` names a parent that is nowhere; `parent=7` names any; `link=7` links to a span of the
//! trace; `error` or `error=declined`, underscores standing for spaces; `odd` notes an odd time.

use std::collections::BTreeMap;
use std::sync::Arc;

use clew_analysis::{Explained, Options, Segment, SegmentKind, explain};
use clew_model::{Attribute, Kind, Link, Notes, Resource, Span, SpanId, StatusCode, TraceId};

pub(crate) const MILLI: u64 = 1_000_000;
/// When drawn traces begin, in unix nanoseconds.
pub(crate) const EPOCH: u64 = 1_800_000_000_000_000_000;
pub(crate) const TRACE: TraceId = TraceId([7; 16]);

pub(crate) fn id(number: u64) -> SpanId {
    SpanId::from_u64(number)
}

pub(crate) fn resource(service: &str, host: Option<&str>) -> Arc<Resource> {
    let mut attributes = vec![Attribute::new("service.name", service)];
    attributes.extend(host.map(|host| Attribute::new("host.name", host)));
    Arc::new(Resource { attributes, ..Resource::default() })
}

pub(crate) fn spans(drawing: &str) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    let mut open: Vec<(usize, usize)> = Vec::new();
    for line in drawing.lines().filter(|line| !line.trim().is_empty()) {
        let indent = line.len() - line.trim_start().len();
        open.retain(|(other, _)| *other < indent);
        let parent = open.last().map(|(_, index)| &spans[*index]);
        let span = span(line.trim(), spans.len() as u64 + 1, parent);
        open.push((indent, spans.len()));
        spans.push(span);
    }
    spans
}

fn span(line: &str, number: u64, parent: Option<&Span>) -> Span {
    let (name, words) = line.split_once('|').expect("a line is `name | words`");
    let mut span = Span {
        trace_id: TRACE,
        span_id: id(number),
        parent_span_id: parent.map(|parent| parent.span_id),
        name: name.trim().to_owned(),
        kind: Kind::Internal,
        ..Span::default()
    };
    let (mut service, mut host) = (parent.map_or("app", Span::service), None);
    for word in words.split_whitespace() {
        let number = |text: &str| id(text.parse().expect("an id is a number"));
        match word.split_once('=').unwrap_or((word, "")) {
            ("host", name) => host = Some(name),
            ("id", text) => span.span_id = number(text),
            ("parent", text) => span.parent_span_id = Some(number(text)),
            ("orphan", _) => span.parent_span_id = Some(id(999)),
            ("link", text) => {
                span.links.push(Link { trace_id: TRACE, span_id: number(text), ..Link::default() });
            }
            ("error", message) => {
                span.status.code = StatusCode::Error;
                span.status.message = message.replace('_', " ");
            }
            ("odd", _) => span.notes |= Notes::ODD_TIME,
            (word, _) => match (word.strip_prefix('@'), Kind::ALL.iter().find(|kind| kind.as_str() == word)) {
                (Some(name), _) => service = name,
                (None, Some(kind)) => span.kind = *kind,
                (None, None) => {
                    let (from, to) = word.split_once('-').unwrap_or_else(|| panic!("what is {word:?}?"));
                    span.start_unix_nanos = EPOCH + nanos(from);
                    span.duration_nanos = nanos(to) - nanos(from);
                }
            },
        }
    }
    let inherited = parent.filter(|parent| parent.service() == service && host.is_none());
    span.resource = inherited.map_or_else(|| resource(service, host), |parent| Arc::clone(&parent.resource));
    span
}

fn nanos(millis: &str) -> u64 {
    (millis.parse::<f64>().expect("a time is in milliseconds") * MILLI as f64).round() as u64
}

pub(crate) fn explained(drawing: &str) -> Explained {
    let explained = explain(spans(drawing), &Options::default());
    assert_tiled(&explained);
    explained
}

/// The thread as text: `a 0-10, b 10-50, a 50-60 gap`; the second horizon after a bar, by the same clock.
pub(crate) fn thread(drawing: &str) -> String {
    let explained = explained(drawing);
    let mut text = segments(&explained, &explained.thread.segments, 0);
    if let Some(tail) = &explained.thread.async_tail {
        text += " | ";
        text += &segments(&explained, &tail.segments, tail.from_unix_nanos - explained.thread.from_unix_nanos);
    }
    text
}

fn segments(explained: &Explained, segments: &[Segment], offset: u64) -> String {
    let texts = segments.iter().map(|segment| {
        let name = segment.span.map_or("-", |span| explained.spans[span].name.as_str());
        let kind = match segment.kind {
            SegmentKind::SelfTime => "",
            SegmentKind::Gap => " gap",
            SegmentKind::Wait => " wait",
            SegmentKind::Transit => " transit",
        };
        format!("{name} {}-{}{kind}", millis(segment.from_nanos + offset), millis(segment.to_nanos + offset))
    });
    texts.collect::<Vec<_>>().join(", ")
}

fn millis(nanos: u64) -> f64 {
    nanos as f64 / MILLI as f64
}

/// The tree as text: `a(b c(d)) e`, marks after a star: `a*orphan`.
pub(crate) fn tree(explained: &Explained) -> String {
    let mut text = String::new();
    let mut depth = 0;
    for (span, node) in explained.spans.iter().zip(&explained.tree.nodes) {
        match node.depth.checked_sub(depth) {
            Some(0) if !text.is_empty() => text += " ",
            Some(0) => {}
            Some(_) => text += "(",
            None => {
                text += &")".repeat(depth - node.depth);
                text += " ";
            }
        }
        depth = node.depth;
        text += &span.name;
        for mark in node.marks.names() {
            text += "*";
            text += mark;
        }
    }
    text + &")".repeat(depth)
}

/// The self times in whole milliseconds, by name.
pub(crate) fn self_millis(explained: &Explained) -> BTreeMap<String, u64> {
    let names = explained.spans.iter().map(|span| span.name.clone());
    names.zip(explained.self_nanos.iter().map(|nanos| nanos / MILLI)).collect()
}

/// Every promise that a thread makes about its segments.
pub(crate) fn assert_tiled(explained: &Explained) {
    let thread = &explained.thread;
    let first = (&thread.segments, thread.from_unix_nanos, thread.total_nanos);
    let tail = thread.async_tail.as_ref().map(|tail| (&tail.segments, tail.from_unix_nanos, tail.total_nanos));
    for (segments, from_unix_nanos, total_nanos) in [Some(first), tail].into_iter().flatten() {
        let mut cursor = 0;
        for segment in segments {
            assert_eq!(segment.from_nanos, cursor, "segments touch: {segments:?}");
            assert!(segment.to_nanos > cursor, "segments have a length: {segments:?}");
            assert_eq!(segment.span_id, segment.span.map(|span| explained.spans[span].span_id));
            if let Some(span) = segment.span.map(|span| &explained.spans[span]) {
                let (start, end) = (span.start_unix_nanos, span.end_unix_nanos());
                let inside = from_unix_nanos + segment.from_nanos >= start && from_unix_nanos + segment.to_nanos <= end;
                assert!(inside, "segments lie in their spans: {segments:?}");
            }
            assert!(segment.span.is_some() || segment.kind == SegmentKind::Gap, "all but holes have an owner");
            cursor = segment.to_nanos;
        }
        assert_eq!(cursor, total_nanos, "segments reach the end: {segments:?}");
    }
}
