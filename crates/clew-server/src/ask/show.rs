//! From spans and what the analysis says of them to the shapes of the native API.

mod skeleton;

use std::collections::HashSet;

use clew_analysis::{AsyncTail, Bottleneck, Explained, Gap, Segment, SegmentKind, Skew, SkewEvidence, Thread};
use clew_model::scan::{Incomplete, TraceState};
use clew_model::{Event, Link, Resource, Scope, Span, SpanId, Summary, Verdict};

use super::opened::Opened;
use super::shape::{
    BottleneckShape, EventShape, GapShape, LinkShape, ResourceShape, RootShape, ScopeShape, SegmentShape, SkewShape,
    SpanShape, StateShape, SummaryShape, TailShape, ThreadShape, TraceAnswer, VerdictShape, attributes,
};
use super::table::Table;
use super::when::to_rfc3339;

pub(crate) use skeleton::skeleton;

/// The whole trace; with `only`, the details of those spans alone, and of the thread their part.
pub(crate) fn trace(opened: &Opened, state: &TraceState, only: Option<&HashSet<SpanId>>) -> TraceAnswer {
    let explained = &opened.explained;
    let (mut resources, mut scopes) = (Table::new(), Table::new());
    let is_shown = |span: &Span| only.is_none_or(|only| only.contains(&span.span_id));
    let shown = explained.spans.iter().enumerate().filter(|(_, span)| is_shown(span));
    let spans = shown.map(|(index, span)| {
        let (resource, scope) = (resources.position(&span.resource), scopes.position(&span.scope));
        SpanShape { resource, scope, ..self::span(explained, index) }
    });
    let spans: Vec<SpanShape> = spans.collect();
    let summary = summary(&explained.summary, state, opened.incomplete.as_ref());
    TraceAnswer {
        trace_id: summary.trace_id.clone(),
        state: summary.state.clone(),
        pinned: false,
        thread: of_spans(thread(explained), &spans, only.is_some()),
        resources: resources.distinct.into_iter().map(resource).collect(),
        scopes: scopes.distinct.into_iter().map(scope).collect(),
        spans,
        skews: explained.skews.iter().map(skew).collect(),
        clock: clock(opened.is_corrected),
        error_origin: explained.error_origin.map(position),
        groups: if only.is_none() { skeleton::groups(explained) } else { Vec::new() },
        summary,
    }
}

/// The word for times as they were sent, or moved.
fn clock(is_corrected: bool) -> String {
    if is_corrected { "corrected" } else { "sent" }.to_owned()
}

/// A trace in a few figures.
pub(crate) fn summary(summary: &Summary, state: &TraceState, incomplete: Option<&Incomplete>) -> SummaryShape {
    let root = summary.root.as_ref().map(|root| RootShape {
        service: root.service.clone(),
        operation: root.operation.clone(),
        span_id: root.span_id,
    });
    SummaryShape {
        trace_id: summary.trace_id.to_string(),
        root,
        start: to_rfc3339(summary.start_unix_nanos),
        duration_nanos: summary.duration_nanos,
        span_count: summary.span_count as u64,
        error_count: summary.error_count as u64,
        services: summary.services.clone(),
        state: StateShape {
            root_seen: summary.root_seen,
            settled: state.is_settled,
            verdict: state.verdict.as_ref().map(verdict),
            late_spans: state.late_span_count,
            incomplete: incomplete.cloned().map(Into::into),
        },
        matched: None,
        silhouette: None,
    }
}

fn verdict(verdict: &Verdict) -> VerdictShape {
    VerdictShape { keep: verdict.keep, rule: verdict.rule.clone(), weight: verdict.weight }
}

/// The span at `index`, its resource and scope aside.
fn span(explained: &Explained, index: usize) -> SpanShape {
    let (span, node) = (&explained.spans[index], &explained.tree.nodes[index]);
    SpanShape {
        span_id: span.span_id,
        parent_span_id: span.parent_span_id,
        parent: node.parent.map(position),
        depth: position(node.depth),
        service: span.service().to_owned(),
        name: span.name.clone(),
        kind: span.kind.as_str().to_owned(),
        start: to_rfc3339(span.start_unix_nanos),
        duration_nanos: span.duration_nanos,
        self_nanos: explained.self_nanos[index],
        status: span.status.code.as_str().to_owned(),
        status_message: span.status.message.clone(),
        error: span.is_error(),
        marks: node.marks.names().map(str::to_owned).collect(),
        notes: span.notes.names().map(str::to_owned).collect(),
        resource: 0,
        scope: 0,
        attributes: attributes(&span.attributes),
        events: span.events.iter().map(event).collect(),
        links: span.links.iter().map(link).collect(),
        trace_state: span.trace_state.clone(),
        flags: span.flags,
        dropped_attributes_count: span.dropped_attributes_count,
        dropped_events_count: span.dropped_events_count,
        dropped_links_count: span.dropped_links_count,
    }
}

fn event(event: &Event) -> EventShape {
    EventShape {
        time: to_rfc3339(event.time_unix_nanos),
        name: event.name.clone(),
        attributes: attributes(&event.attributes),
        dropped_attributes_count: event.dropped_attributes_count,
    }
}

fn link(link: &Link) -> LinkShape {
    LinkShape {
        trace_id: link.trace_id.to_string(),
        span_id: link.span_id,
        trace_state: link.trace_state.clone(),
        flags: link.flags,
        attributes: attributes(&link.attributes),
        dropped_attributes_count: link.dropped_attributes_count,
    }
}

fn resource(resource: &Resource) -> ResourceShape {
    ResourceShape {
        service: resource.service().to_owned(),
        attributes: attributes(&resource.attributes),
        schema_url: resource.schema_url.clone(),
        dropped_attributes_count: resource.dropped_attributes_count,
    }
}

fn scope(scope: &Scope) -> ScopeShape {
    ScopeShape {
        name: scope.name.clone(),
        version: scope.version.clone(),
        attributes: attributes(&scope.attributes),
        schema_url: scope.schema_url.clone(),
        dropped_attributes_count: scope.dropped_attributes_count,
    }
}

fn thread(explained: &Explained) -> ThreadShape {
    let thread: &Thread = &explained.thread;
    ThreadShape {
        sentence: thread.sentence.clone(),
        start: to_rfc3339(thread.from_unix_nanos),
        total_nanos: thread.total_nanos,
        segments: thread.segments.iter().map(segment).collect(),
        bottleneck: thread.bottleneck.as_ref().map(bottleneck),
        gaps: gaps(explained, &thread.gaps),
        async_tail: thread.async_tail.as_ref().map(|tail| async_tail(explained, tail)),
    }
}

/// With `is_some`, the thread without segments and gaps of other spans than these.
fn of_spans(mut thread: ThreadShape, spans: &[SpanShape], is_some: bool) -> ThreadShape {
    if is_some {
        let shown: HashSet<SpanId> = spans.iter().map(|span| span.span_id).collect();
        let is_shown = |id: Option<SpanId>| id.is_some_and(|id| shown.contains(&id));
        thread.segments.retain(|segment| is_shown(segment.span_id));
        thread.gaps.retain(|gap| is_shown(gap.span_id));
        if let Some(tail) = &mut thread.async_tail {
            tail.segments.retain(|segment| is_shown(segment.span_id));
            tail.gaps.retain(|gap| is_shown(gap.span_id));
        }
    }
    thread
}

fn async_tail(explained: &Explained, tail: &AsyncTail) -> TailShape {
    TailShape {
        start: to_rfc3339(tail.from_unix_nanos),
        total_nanos: tail.total_nanos,
        segments: tail.segments.iter().map(segment).collect(),
        bottleneck: tail.bottleneck.as_ref().map(bottleneck),
        gaps: gaps(explained, &tail.gaps),
    }
}

fn segment(segment: &Segment) -> SegmentShape {
    SegmentShape {
        span: segment.span.map(position),
        span_id: segment.span_id,
        from_nanos: segment.from_nanos,
        to_nanos: segment.to_nanos,
        kind: kind(segment.kind).to_owned(),
    }
}

fn bottleneck(bottleneck: &Bottleneck) -> BottleneckShape {
    BottleneckShape {
        kind: kind(bottleneck.kind).to_owned(),
        span: bottleneck.span.map(position),
        span_id: bottleneck.span_id,
        span_count: bottleneck.span_count as u64,
        nanos: bottleneck.nanos,
        share: bottleneck.share,
    }
}

fn gaps(explained: &Explained, gaps: &[Gap]) -> Vec<GapShape> {
    let id = |index: Option<usize>| index.map(|index| explained.spans[index].span_id);
    let shape = |gap: &Gap| GapShape {
        span: gap.span.map(position),
        span_id: gap.span_id,
        before_span_id: id(gap.before),
        after_span_id: id(gap.after),
        from_nanos: gap.from_nanos,
        to_nanos: gap.to_nanos,
    };
    gaps.iter().map(shape).collect()
}

fn skew(skew: &Skew) -> SkewShape {
    let evidence = match skew.evidence {
        SkewEvidence::Containment => "containment",
        SkewEvidence::Order => "order",
    };
    SkewShape {
        reference: skew.reference.clone(),
        instance: skew.instance.clone(),
        offset_nanos: skew.offset_nanos,
        edge_count: skew.edge_count as u64,
        evidence: evidence.to_owned(),
        corrected: skew.is_corrected,
    }
}

fn kind(kind: SegmentKind) -> &'static str {
    match kind {
        SegmentKind::SelfTime => "self",
        SegmentKind::Gap => "gap",
        SegmentKind::Wait => "wait",
        SegmentKind::Transit => "transit",
    }
}

/// A trace that fits into memory has fewer than 2^32 spans.
fn position(index: usize) -> u32 {
    index as u32
}
