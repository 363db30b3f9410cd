//! A request encoded once and sent many times, each time with ids and times of its own.

use std::collections::{HashMap, HashSet};

use clew_model::{Span, TraceId};

use crate::seed::Seed;

/// An encoded `ExportTraceServiceRequest` whose ids and times can be patched in place.
///
/// Ids are patched by XOR with one mask per request: parents stay parents, and distinct ids stay distinct.
#[derive(Debug, Clone)]
pub struct Template {
    body: Vec<u8>,
    trace_id_offsets: Vec<usize>,
    span_id_offsets: Vec<usize>,
    time_offsets: Vec<usize>,
    base_unix_nanos: u64,
    traces: Vec<(TraceId, u32)>,
    span_count: u32,
}

/// A request with ids of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamped {
    /// The encoded request.
    pub body: Vec<u8>,
    /// Its traces and how many of their spans it holds.
    pub traces: Vec<(TraceId, u32)>,
}

impl Template {
    /// The template of these spans, whose times are relative to `base_unix_nanos`.
    pub fn new(spans: &[Span], base_unix_nanos: u64) -> Self {
        let body = clew_wire::otlp::encode(spans);
        let mut per_trace: HashMap<TraceId, u32> = HashMap::new();
        for span in spans {
            *per_trace.entry(span.trace_id).or_default() += 1;
        }
        let trace_ids = per_trace.keys().map(|id| id.0).collect();
        let span_ids = spans.iter().map(|span| span.span_id.0).collect();
        let times = spans.iter().flat_map(times_of).map(u64::to_le_bytes).collect();
        let mut traces: Vec<_> = per_trace.into_iter().collect();
        traces.sort_unstable();
        Self {
            // `trace_id = 1`; `span_id = 2`, `parent_span_id = 4`; the times of spans (7, 8) and events (1), all fixed64.
            trace_id_offsets: offsets(&body, &[&[0x0a, 16]], &trace_ids),
            span_id_offsets: offsets(&body, &[&[0x12, 8], &[0x22, 8]], &span_ids),
            time_offsets: offsets(&body, &[&[0x39], &[0x41], &[0x09]], &times),
            body,
            base_unix_nanos,
            traces,
            span_count: spans.len() as u32,
        }
    }

    /// How many spans a request has.
    pub fn span_count(&self) -> u32 {
        self.span_count
    }

    /// How many bytes a request has.
    pub fn byte_count(&self) -> usize {
        self.body.len()
    }

    /// A request with fresh ids, moved to `now_unix_nanos`.
    pub fn stamp(&self, seed: &mut Seed, now_unix_nanos: u64) -> Stamped {
        let mut body = self.body.clone();
        let (trace_mask, span_mask) = (seed.bytes::<16>(), seed.bytes::<8>());
        self.trace_id_offsets.iter().for_each(|offset| xor(&mut body[*offset..offset + 16], &trace_mask));
        self.span_id_offsets.iter().for_each(|offset| xor(&mut body[*offset..offset + 8], &span_mask));
        let moved = now_unix_nanos.wrapping_sub(self.base_unix_nanos);
        for offset in &self.time_offsets {
            let time: &mut [u8; 8] = (&mut body[*offset..offset + 8]).try_into().expect("eight bytes");
            *time = u64::from_le_bytes(*time).wrapping_add(moved).to_le_bytes();
        }
        let masked = |(id, count): &(TraceId, u32)| {
            let mut id = *id;
            xor(&mut id.0, &trace_mask);
            (id, *count)
        };
        Stamped { body, traces: self.traces.iter().map(masked).collect() }
    }
}

fn times_of(span: &Span) -> Vec<u64> {
    let events = span.events.iter().map(|event| event.time_unix_nanos);
    [span.start_unix_nanos, span.end_unix_nanos()].into_iter().chain(events).collect()
}

/// Where one of `values` stands in `body` right behind one of `heads` (a field's tag and length).
fn offsets<const N: usize>(body: &[u8], heads: &[&[u8]], values: &HashSet<[u8; N]>) -> Vec<usize> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < body.len() {
        let head = heads.iter().find(|head| body[at..].starts_with(head));
        let value = head.and_then(|head| body.get(at + head.len()..at + head.len() + N));
        let known = value.is_some_and(|value| values.contains(value));
        match head.filter(|_| known) {
            Some(head) => {
                found.push(at + head.len());
                at += head.len() + N;
            }
            None => at += 1,
        }
    }
    found
}

fn xor(bytes: &mut [u8], mask: &[u8]) {
    bytes.iter_mut().zip(mask).for_each(|(byte, mask)| *byte ^= mask);
}
