//! Section `traces`: a summary of each trace, in the order of the ids, tenant after tenant.

use std::sync::OnceLock;

use clew_model::scan::Extent;
use clew_model::{RootRef, SpanId, Summary, TraceId};

use super::bytes::{self, Bytes, SideError, from_planes};
use super::names::Names;

const IS_ODD: u8 = 1;
const ROOT_SEEN: u8 = 2;
/// Bytes of a number of 32 bits at most.
const VARINT_BYTES_MAX: usize = 5;
/// Bytes of a trace apart from its counts, which are of variable length.
const FIXED_BYTES: usize = 8 + 8 + 1 + 4 + 8 + 4;

/// The part of a trace that is in the block, in short: [`clew_model::summarize`] of its spans, names by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceSummary {
    /// From its first start to its last end.
    pub extent: Extent,
    /// The root's operation: a number of [`Names::operations`].
    pub root_operation: u32,
    /// The root itself.
    pub root_span_id: SpanId,
    /// Spans, identical ones once.
    pub span_count: u32,
    /// Failed ones among them.
    pub error_count: u32,
    /// Whether a span without a parent is there.
    pub root_seen: bool,
    /// Which services sent them: a number of [`Traces::service_sets`].
    pub service_set: u32,
}

/// All summaries of a block, as they are written.
#[derive(Debug, Default)]
pub struct Traces {
    /// Of each trace, in the order of the ids, tenant after tenant.
    pub traces: Vec<TraceSummary>,
    /// Sets of services, each by rising numbers of [`Names::services`]. Few, since traces take few ways.
    pub service_sets: Vec<Vec<u32>>,
}

/// The section while it grows: in memory as in the file, since a block may have many traces.
#[derive(Debug, Default)]
pub(crate) struct TracesBuilder {
    starts: Vec<[u8; 8]>,
    ends: Vec<[u8; 8]>,
    flags: Vec<u8>,
    operations: Vec<u32>,
    sets: Vec<[u8; 4]>,
    roots: Vec<u8>,
    /// Of spans and of errors, as they are in the file.
    counts: [Vec<u8>; 2],
}

impl TracesBuilder {
    /// Adds the next trace.
    pub(crate) fn push(&mut self, trace: &TraceSummary) {
        push(&mut self.starts, trace.extent.start_unix_nanos.to_le_bytes());
        push(&mut self.ends, trace.extent.end_unix_nanos.to_le_bytes());
        push(&mut self.flags, IS_ODD * u8::from(trace.extent.is_odd) + ROOT_SEEN * u8::from(trace.root_seen));
        push(&mut self.operations, trace.root_operation);
        push(&mut self.sets, trace.service_set.to_le_bytes());
        trace.root_span_id.0.into_iter().for_each(|byte| push(&mut self.roots, byte));
        for (counts, count) in self.counts.iter_mut().zip([trace.span_count, trace.error_count]) {
            bytes::make_room(counts, VARINT_BYTES_MAX);
            bytes::varint(counts, u64::from(count));
        }
    }

    /// The section's plain bytes, with other numbers for operations.
    pub(crate) fn encode(self, service_sets: &[Vec<u32>], operations: &[u32]) -> Vec<u8> {
        let count = self.flags.len();
        let mut out = Vec::with_capacity(count * (FIXED_BYTES + 3));
        bytes::varint(&mut out, service_sets.len() as u64);
        for set in service_sets {
            bytes::rising(&mut out, set);
        }
        bytes::varint(&mut out, count as u64);
        bytes::planes(&mut out, &self.starts.iter().copied());
        bytes::planes(&mut out, &self.ends.iter().copied());
        drop((self.starts, self.ends));
        out.extend(self.flags);
        bytes::planes(&mut out, &self.operations.iter().map(|number| operations[*number as usize].to_le_bytes()));
        bytes::planes(&mut out, &self.sets.iter().copied());
        out.extend(self.roots);
        self.counts.into_iter().for_each(|counts| out.extend(counts));
        out
    }
}

fn push<T>(list: &mut Vec<T>, item: T) {
    bytes::make_room(list, 1);
    list.push(item);
}

impl Traces {
    /// The section's plain bytes: a column after the other.
    pub fn encode(&self) -> Vec<u8> {
        let mut builder = TracesBuilder::default();
        self.traces.iter().for_each(|trace| builder.push(trace));
        let all = self.traces.iter().map(|trace| trace.root_operation).max().map_or(0, |last| last + 1);
        builder.encode(&self.service_sets, &(0..all).collect::<Vec<_>>())
    }
}

/// The section as it is read: extents at hand, for questions that look at all traces, and the rest where it lies, for those that
/// show some.
#[derive(Debug, Clone)]
pub struct Summaries {
    extents: Vec<Extent>,
    service_sets: Vec<Vec<u32>>,
    plain: Vec<u8>,
    /// Where the flags begin in the plain bytes.
    flags: usize,
    /// Numbers of spans and of failed ones, once somebody asked; `None` when they are malformed.
    counts: OnceLock<Option<Vec<(u32, u32)>>>,
}

impl Summaries {
    /// The section of these plain bytes. What is malformed behind the extents shows when it is asked for.
    pub fn decode(plain: Vec<u8>) -> Result<Self, SideError> {
        let mut bytes = Bytes::new("traces", &plain);
        let sets = bytes.count(1)?;
        let service_sets = (0..sets).map(|_| bytes.rising(usize::MAX)).collect::<Result<Vec<_>, _>>()?;
        let count = bytes.count(FIXED_BYTES + 2)?;
        let (starts, ends) = (bytes.take(count * 8)?, bytes.take(count * 8)?);
        let flags = bytes.at();
        let extent = |(at, flags): (usize, &u8)| Extent {
            start_unix_nanos: u64::from_le_bytes(from_planes(starts, count, at)),
            end_unix_nanos: u64::from_le_bytes(from_planes(ends, count, at)),
            is_odd: flags & IS_ODD != 0,
        };
        let extents = bytes.take(count)?.iter().enumerate().map(extent).collect();
        Ok(Self { extents, service_sets, plain, flags, counts: OnceLock::new() })
    }

    /// The extent of each trace.
    pub fn extents(&self) -> &[Extent] {
        &self.extents
    }

    /// A trace's numbers; `None` when there is no such trace or the section is malformed.
    pub fn trace(&self, number: usize) -> Option<TraceSummary> {
        let (count, extent) = (self.extents.len(), *self.extents.get(number)?);
        let mut bytes = Bytes::new("traces", self.plain.get(self.flags..)?);
        let flags = bytes.take(count).ok()?;
        let (operations, sets) = (bytes.take(count * 4).ok()?, bytes.take(count * 4).ok()?);
        let roots = bytes.take(count * 8).ok()?;
        let counts = self.counts.get_or_init(|| counts(&mut bytes, count).ok());
        let (span_count, error_count) = *counts.as_ref()?.get(number)?;
        Some(TraceSummary {
            extent,
            root_operation: u32::from_le_bytes(from_planes(operations, count, number)),
            root_span_id: SpanId(roots[number * 8..][..8].try_into().ok()?),
            span_count,
            error_count,
            root_seen: flags[number] & ROOT_SEEN != 0,
            service_set: u32::from_le_bytes(from_planes(sets, count, number)),
        })
    }

    /// The summary of a trace, with its names; `None` as for [`Self::trace`], or when a name is not there.
    pub fn summary(&self, number: usize, trace_id: TraceId, names: &Names) -> Option<Summary> {
        let trace = self.trace(number)?;
        let service = |code: u32| names.services.get(code as usize).cloned();
        let operation = names.operations.get(trace.root_operation as usize)?;
        let services = self.service_sets.get(trace.service_set as usize)?;
        Some(Summary {
            trace_id,
            root: Some(RootRef {
                service: service(operation.service)?,
                operation: operation.name.clone(),
                span_id: trace.root_span_id,
            }),
            start_unix_nanos: trace.extent.start_unix_nanos,
            duration_nanos: trace.extent.nanos(),
            span_count: trace.span_count as usize,
            error_count: trace.error_count as usize,
            services: services.iter().map(|code| service(*code)).collect::<Option<_>>()?,
            root_seen: trace.root_seen,
        })
    }

    /// How many bytes of memory it takes, or will.
    pub fn memory_bytes(&self) -> usize {
        let sets: usize = self.service_sets.iter().map(|set| set.len() * 4 + 24).sum();
        self.plain.len() + self.extents.len() * (size_of::<Extent>() + 8) + sets
    }
}

/// Numbers of spans and of failed ones, from the end of the section.
fn counts(bytes: &mut Bytes<'_>, count: usize) -> Result<Vec<(u32, u32)>, SideError> {
    let mut counts = (0..count).map(|_| Ok((bytes.varint_u32()?, 0))).collect::<Result<Vec<_>, SideError>>()?;
    for (_, errors) in &mut counts {
        *errors = bytes.varint_u32()?;
    }
    bytes.end()?;
    Ok(counts)
}
