//! Writing a block: rows in, a Parquet file out as they come, and a sidecar at the end.
//!
//! In memory are one row group, as Parquet packs it, and the sidecar.

mod batch;
mod columns;
mod fold;
mod group;
mod layout;
mod side;
mod sink;

#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::io::Write;
use std::ops::Range;

use arrow_schema::ArrowError;
use clew_model::{Span, Tenant, TraceId, Verdict};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::errors::ParquetError;

use crate::meta::{BlockMeta, BlockName};
use crate::plan::Plan;
use crate::row::{AttributeType, Row};
use crate::schema;
use crate::sidecar::{Dropped, Requests, SideBytes, TraceSummary};
use batch::Batch;
use fold::{Family, Short};
use group::GroupBuilder;
use layout::Layout;
use side::SideBuilder;
use sink::Summed;

/// Rows given to Parquet at once: enough to make little of what a call costs, few enough to stay in the cache.
const BATCH_ROWS: usize = 4096;
/// A batch ends early when its texts have so many bytes, long before offsets of 32 bits could overflow: what is added
/// beyond is one span, which came in one request.
const BATCH_BYTES: usize = 32 << 20;
/// Keys that are told for their distinct values.
const VARIOUS_KEYS: usize = 10;

/// What a block is, apart from its rows.
#[derive(Debug, Clone)]
pub struct WriteOptions {
    /// Its name.
    pub name: BlockName,
    /// How often its spans were merged.
    pub level: u8,
    /// The positions of the log that it covers.
    pub log: Range<u64>,
    /// When it is made, in unix nanoseconds.
    pub created_unix_nanos: u64,
    /// Blocks that it stands in place of.
    pub replaces: Vec<BlockName>,
    /// Rows of a row group: more make fewer dictionaries and a smaller file; fewer, point reads that inflate less. Of a
    /// load with 8.4 attributes, 16 Ki, 32 Ki and 64 Ki rows take 32.4, 30.8 and 30.3 bytes a span.
    pub row_group_rows: usize,
    /// Plain bytes of a data page, about: what a point read inflates of each column, so that few bytes are worth more pages.
    /// Rows are no measure of that: a page of a column that few rows have, or that is one code for all, has next to none.
    pub page_bytes: usize,
    /// Rows of a data page at most.
    pub page_rows: usize,
    /// Rows whose shortest and longest spans are told apart in the sidecar.
    pub zone_rows: usize,
}

/// A block under way.
#[derive(Debug)]
pub struct Writer<W: Write + Send> {
    options: WriteOptions,
    layout: Layout,
    out: ArrowWriter<Summed<W>>,
    batch: Batch,
    group: GroupBuilder,
    side: SideBuilder,
    family: Family,
    tenant: Option<CurrentTenant>,
    row_count: u32,
    /// Services of the trace under way.
    services: Vec<u32>,
    operations: Vec<u32>,
    /// Most distinct values of a row group, by number of the layout's keys.
    values: Vec<u32>,
    /// Of the next trace.
    verdict: Option<Verdict>,
}

#[derive(Debug)]
struct CurrentTenant {
    tenant: Tenant,
    last_trace: Option<TraceId>,
}

/// A written block.
#[derive(Debug)]
pub struct Finished<W> {
    /// What a catalog keeps of it.
    pub meta: BlockMeta,
    /// The bytes of its sidecar.
    pub side: SideBytes,
    /// The sink, which holds the Parquet file.
    pub sink: W,
    /// The keys of spans' own attributes that have most distinct values, and how many of these a row group holds at most;
    /// the most first.
    pub various_keys: Vec<(String, u64)>,
}

/// A block that could not be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// The sink failed, or Parquet refused.
    #[error("the block's data file: {0}")]
    Parquet(#[from] ParquetError),
    /// A column cannot be made: a text is not UTF-8.
    #[error("a column of the block: {0}")]
    Column(#[from] ArrowError),
    /// Rows that are not as the plan and their order promise.
    #[error("{0}")]
    Rows(&'static str),
}

impl WriteOptions {
    /// A block of that name, as sealed from no log.
    pub fn new(name: BlockName) -> Self {
        Self {
            name,
            level: 0,
            log: 0..0,
            created_unix_nanos: 0,
            replaces: Vec::new(),
            row_group_rows: 32 * 1024,
            page_bytes: 8 * 1024,
            page_rows: 32 * 1024,
            zone_rows: 1024,
        }
    }
}

impl<W: Write + Send> Writer<W> {
    /// A block of what was planned, into that sink.
    pub fn new(plan: Plan, sink: W, options: WriteOptions) -> Result<Self, WriteError> {
        if options.row_group_rows == 0 || options.page_rows == 0 || options.zone_rows == 0 {
            return Err(WriteError::Rows("row groups, pages and zones have at least one row"));
        }
        let layout = Layout::new(plan);
        let batch = Batch::new(&layout);
        let writing = ArrowWriterOptions::new()
            .with_properties(schema::properties(options.name, &options))
            .with_skip_arrow_metadata(true)
            .with_schema_root(schema::ROOT.to_owned());
        let out = ArrowWriter::try_new_with_options(Summed::new(sink), batch.schema(), writing)?;
        Ok(Self {
            group: GroupBuilder::new(&layout, options.zone_rows),
            values: vec![0; layout.keys.len()],
            options,
            layout,
            out,
            batch,
            side: SideBuilder::default(),
            family: Family::default(),
            tenant: None,
            row_count: 0,
            services: Vec::new(),
            operations: Vec::new(),
            verdict: None,
        })
    }

    /// Whose traces follow. Tenants come in the order of their names.
    pub fn tenant(&mut self, tenant: &Tenant) -> Result<(), WriteError> {
        if self.tenant.as_ref().is_some_and(|current| current.tenant >= *tenant) {
            return Err(WriteError::Rows("tenants are not in the order of their names"));
        }
        self.flush_batch()?;
        self.batch.tenant(tenant.as_str());
        self.tenant = Some(CurrentTenant { tenant: tenant.clone(), last_trace: None });
        Ok(())
    }

    /// What was decided about the next trace; `None` when nothing is known.
    pub fn verdict(&mut self, verdict: Option<&Verdict>) {
        // Nearly always it is that of the trace before.
        if self.verdict.as_ref() != verdict {
            self.verdict = verdict.cloned();
        }
    }

    /// Which traces were left out of the block, or of those that it stands in place of; `None` when there were none.
    pub fn dropped(&mut self, dropped: Option<Dropped>) {
        self.side.dropped(dropped);
    }

    /// All rows of a trace, sorted by start and span id. Traces come in the order of their ids.
    pub fn trace(&mut self, trace_id: TraceId, rows: &[Row<'_>]) -> Result<(), WriteError> {
        let [first, ..] = rows else { return Ok(()) };
        self.check(trace_id, rows)?;
        let extent = fold::extent(rows);
        let current = self.tenant.as_mut().ok_or(WriteError::Rows("a trace comes before its tenant"))?;
        if current.last_trace.replace(trace_id).is_none() {
            self.side.tenant(&current.tenant, first.received_unix_nanos, extent);
        }
        let from = self.row_count;
        self.row_count += rows.len() as u32;
        self.family.find(rows);
        self.services.clear();
        self.operations.clear();
        for (at, row) in rows.iter().enumerate() {
            let service = self.layout.service_of_resource[row.resource.0 as usize];
            if !self.services.contains(&service) {
                self.services.push(service);
            }
            self.operations.push(self.side.operation(service, row.name));
            self.side.received(row.received_unix_nanos);
            self.batch.push(&self.layout, trace_id, row, self.family.parent(at), service);
            self.group.push(&self.layout, row);
            if self.group.rows() == self.options.row_group_rows {
                self.flush_group()?;
            } else if self.batch.rows() == BATCH_ROWS || self.batch.byte_count() > BATCH_BYTES {
                self.flush_batch()?;
            }
        }
        let trace = match self.family.fold(trace_id, rows) {
            Short::Folded { root, span_count, error_count, root_seen } => {
                let (root_operation, root_span_id) = (self.operations[root], rows[root].span_id);
                TraceSummary {
                    extent,
                    root_operation,
                    root_span_id,
                    span_count,
                    error_count,
                    root_seen,
                    service_set: 0,
                }
            }
            Short::Whole => {
                let summary = fold::summary(&self.layout, trace_id, rows);
                self.side.numbered(&self.layout, &summary, extent)
            }
        };
        self.services.sort_unstable();
        self.side.verdict(self.verdict.as_ref(), rows.len());
        self.side.trace(trace_id, from..self.row_count, &self.services, trace);
        Ok(())
    }

    /// Rows as whole spans, to tell whether they are the same.
    pub(crate) fn spans_of(&self, trace_id: TraceId, rows: &[Row<'_>]) -> Vec<Span> {
        fold::spans(&self.layout, trace_id, rows)
    }

    /// Rows written so far.
    pub fn row_count(&self) -> u64 {
        u64::from(self.row_count)
    }

    /// Ends the block; it holds the spans of these requests.
    pub fn finish(mut self, requests: &Requests) -> Result<Finished<W>, WriteError> {
        self.flush_group()?;
        let (sink, sums) = self.out.into_inner()?.finish().map_err(ParquetError::from)?;
        let options = self.options;
        let meta = BlockMeta {
            name: options.name,
            level: options.level,
            log: options.log,
            created_unix_nanos: options.created_unix_nanos,
            row_count: u64::from(self.row_count),
            data_bytes: sums.file_bytes,
            dropped_row_count: self.side.dropped_row_count(),
            tenants: self.side.take_tenants(),
            replaces: options.replaces,
        };
        let various_keys = various_keys(&self.layout, &self.values);
        let side = self.side.finish(&self.layout, &meta, &sums, requests, options.zone_rows);
        Ok(Finished { meta, side, sink, various_keys })
    }

    /// What would make a file that no one can read back.
    fn check(&self, trace_id: TraceId, rows: &[Row<'_>]) -> Result<(), WriteError> {
        let last_trace = self.tenant.as_ref().and_then(|current| current.last_trace);
        if last_trace.is_some_and(|last| last >= trace_id) {
            return Err(WriteError::Rows("traces are not in the order of their ids"));
        }
        if !rows.is_sorted_by_key(|row| (row.start_unix_nanos, row.span_id)) {
            return Err(WriteError::Rows("rows are not in the order of their starts and span ids"));
        }
        if u32::try_from(self.row_count as usize + rows.len()).is_err() {
            return Err(WriteError::Rows("a block has less than 2^32 rows"));
        }
        let Layout { keys, shapes, resources, scopes, .. } = &self.layout;
        let fits = |row: &Row<'_>| {
            let shape = shapes.get(row.shape.0 as usize);
            (row.resource.0 as usize) < resources.len()
                && (row.scope.0 as usize) < scopes.len()
                && shape.is_some_and(|shape| {
                    let types = shape.keys.iter().map(|key| keys[*key as usize].value_type);
                    shape.keys.len() == row.values.len()
                        && types.zip(row.values).all(|(value_type, value)| value_type == AttributeType::of(*value))
                })
        };
        if rows.iter().all(fits) { Ok(()) } else { Err(WriteError::Rows("a row is not as planned")) }
    }

    fn flush_batch(&mut self) -> Result<(), WriteError> {
        if self.batch.rows() > 0 {
            self.out.write(&self.batch.finish()?)?;
        }
        Ok(())
    }

    fn flush_group(&mut self) -> Result<(), WriteError> {
        self.flush_batch()?;
        self.out.flush()?;
        if self.group.rows() > 0 {
            let finished = self.group.finish(&self.layout);
            self.values.iter_mut().zip(&finished.0.values).for_each(|(most, values)| *most = (*most).max(*values));
            self.side.group(finished);
        }
        Ok(())
    }
}

/// The keys with most distinct values; one whose values have several types counts all of them.
fn various_keys(layout: &Layout, values: &[u32]) -> Vec<(String, u64)> {
    let mut by_key: BTreeMap<&str, u64> = BTreeMap::new();
    for (key, values) in layout.keys.iter().zip(values).filter(|(_, values)| **values > 0) {
        *by_key.entry(&*key.key).or_default() += u64::from(*values);
    }
    let mut ranked: Vec<(&str, u64)> = by_key.into_iter().collect();
    ranked.sort_by_key(|(key, values)| (Reverse(*values), *key));
    ranked.into_iter().take(VARIOUS_KEYS).map(|(key, values)| (key.to_owned(), values)).collect()
}
