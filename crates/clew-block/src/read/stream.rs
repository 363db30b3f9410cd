//! All spans of a block, trace after trace, with bounded memory.

use std::ops::Range;

use clew_model::scan::Expired;
use clew_model::{Span, Tenant, TraceId};

use super::damage::ReadError;
use super::spans::SpanReader;
use super::{Block, Fault};

/// Rows that are read at once: as many as two pages have, so that none is inflated twice for long.
const STEP_ROWS: u64 = 8192;

/// Where rows cannot be read, so many are given up at once.
const LOST_ROWS: u64 = 256;

impl Block {
    /// Calls `each` with every trace of a tenant, or of all, by tenant and id, and its spans by start and span id, repeats
    /// included. Only one trace and some thousand spans are in memory at a time. Answers which places could not be read:
    /// spans are missing because of them.
    pub fn for_each_trace<E>(
        &self,
        tenant: Option<&Tenant>,
        mut each: impl FnMut(&Tenant, TraceId, Vec<Span>) -> Result<(), E>,
    ) -> Result<Vec<ReadError>, E> {
        let mut lost = Vec::new();
        for (number, part) in self.meta.tenants.iter().enumerate() {
            if tenant.is_none_or(|tenant| part.tenant == *tenant) {
                let mut each = |id, spans| each(&part.tenant, id, spans).map_err(Stop::Caller);
                match self.stream(number, &|| false, &mut each) {
                    Ok(places) => lost.extend(places),
                    Err(Stop::Caller(error)) => return Err(error),
                    Err(Stop::Fault(Fault::Lost(error))) => lost.push(error),
                    Err(Stop::Fault(Fault::Expired)) => {}
                }
            }
        }
        lost.dedup();
        Ok(lost)
    }

    /// The traces of the tenant of that number, and which places could not be read.
    pub(super) fn stream<E: From<Fault>>(
        &self,
        tenant: usize,
        expired: Expired<'_>,
        each: &mut impl FnMut(TraceId, Vec<Span>) -> Result<(), E>,
    ) -> Result<Vec<ReadError>, E> {
        let data = self.data().map_err(Fault::Lost)?;
        let mut reader = SpanReader::new(&data);
        let (mut lost, mut held) = (Vec::new(), Vec::new());
        let all = self.tenant_rows(tenant);
        for group in 0..data.footer.group_count() {
            let rows = &data.footer.first_rows[group..group + 2];
            let mut from = rows[0].max(all.start);
            while from < rows[1].min(all.end) {
                if expired() {
                    return Err(Fault::Expired.into());
                }
                let to = (from + STEP_ROWS).min(rows[1]).min(all.end);
                self.salvage(&mut reader, from..to, &mut lost, &mut held);
                from = to;
                // All but the last trace, which may go on.
                let last = held.last().map(|span: &Span| span.trace_id);
                let whole = held.partition_point(|span| Some(span.trace_id) != last);
                let rest = held.split_off(whole);
                give(std::mem::replace(&mut held, rest), each)?;
            }
        }
        give(held, each)?;
        Ok(lost)
    }

    /// The spans of a trace, or of those parts of it that can be read.
    pub(super) fn trace(
        &self,
        reader: &mut SpanReader<'_>,
        rows: Range<u64>,
        expired: Expired<'_>,
        lost: &mut Vec<ReadError>,
    ) -> Result<Vec<Span>, Fault> {
        let mut spans = Vec::new();
        for from in rows.clone().step_by(STEP_ROWS as usize) {
            if expired() {
                return Err(Fault::Expired);
            }
            self.salvage(reader, from..(from + STEP_ROWS).min(rows.end), lost, &mut spans);
        }
        Ok(spans)
    }

    /// The spans of these rows, or of those parts of them that can be read.
    fn salvage(&self, reader: &mut SpanReader<'_>, rows: Range<u64>, lost: &mut Vec<ReadError>, into: &mut Vec<Span>) {
        let mut left = vec![rows];
        while let Some(rows) = left.pop() {
            match reader.read(rows.clone()) {
                Ok(mut spans) => into.append(&mut spans),
                Err(error) if rows.end - rows.start <= LOST_ROWS => {
                    self.damage.note(&error);
                    if lost.last() != Some(&error) {
                        lost.push(error);
                    }
                }
                Err(_) => {
                    let middle = rows.start + (rows.end - rows.start) / 2;
                    left.extend([middle..rows.end, rows.start..middle]);
                }
            }
        }
    }
}

/// Why a stream ended early.
enum Stop<E> {
    Fault(Fault),
    Caller(E),
}

impl<E> From<Fault> for Stop<E> {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// Gives away whole traces.
fn give<E>(spans: Vec<Span>, each: &mut impl FnMut(TraceId, Vec<Span>) -> Result<(), E>) -> Result<(), E> {
    let mut spans = spans.into_iter().peekable();
    while let Some(first) = spans.next() {
        let id = first.trace_id;
        let mut trace = vec![first];
        while let Some(next) = spans.next_if(|next| next.trace_id == id) {
            trace.push(next);
        }
        each(id, trace)?;
    }
    Ok(())
}
