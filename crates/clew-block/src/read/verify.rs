//! Whether every byte of a block is what was written, and what each column takes.

use std::sync::Arc;

use clew_model::{Span, TraceId};

use super::bitmap::Bitmap;
use super::cache::Cache;
use super::damage::ReadError;
use super::data::Data;
use super::spans::SpanReader;
use super::{Block, Fault};
use crate::sidecar::{Codec, Section, SectionId};
use crate::{BlockMeta, BlockName};

/// Enough for the parts of one large block.
const CACHE_BYTES: u64 = 64 << 20;
/// Bytes of the Parquet file that are read at once.
const STEP_BYTES: u64 = 1 << 20;
/// Rows that are decoded at once.
const STEP_ROWS: usize = 8192;

/// Something wrong with a block.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// Bytes that cannot be read or do not match their checksum.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// Parts that contradict each other, although each is whole.
    #[error("block {name}: {detail}")]
    Content {
        /// The block.
        name: BlockName,
        /// What does not agree.
        detail: String,
    },
}

/// What a column, or a section of the sidecar, takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnSize {
    /// Its name; sections have theirs after `sidecar:`.
    pub name: String,
    /// Bytes in the file.
    pub compressed_bytes: u64,
    /// Bytes before compression.
    pub uncompressed_bytes: u64,
}

/// Reads every byte of the block past all caches, decodes every row, and compares what the sidecar says with the rows.
pub fn verify(block: &Block) -> Vec<Problem> {
    // What lies in the shared cache was read some time ago.
    let (meta, ranges) = (Arc::clone(&block.meta), Arc::clone(&block.ranges));
    let fresh = Block::new(meta, block.side_bytes, ranges, Arc::new(Cache::new(CACHE_BYTES)));
    let mut check = Check { block: &fresh, problems: Vec::new() };
    check.sections();
    check.pieces();
    match fresh.data() {
        Ok(data) => {
            check.rows(&data);
            check.summaries();
        }
        Err(error) => check.read(error),
    }
    let mut problems = check.problems;
    problems.extend(fresh.damage().into_iter().map(Problem::Read));
    problems.sort();
    problems.dedup();
    fresh.damage().iter().for_each(|error| block.damage.note(error));
    problems
}

struct Check<'b> {
    block: &'b Block,
    problems: Vec<Problem>,
}

impl Check<'_> {
    fn read(&mut self, error: ReadError) {
        self.block.damage.note(&error);
        self.problems.push(Problem::Read(error));
    }

    fn content(&mut self, detail: impl Into<String>) {
        self.problems.push(Problem::Content { name: self.block.meta.name, detail: detail.into() });
    }

    /// Each section's checksum; what has checksums of its own is decoded with them, too.
    fn sections(&mut self) {
        for id in SectionId::ALL {
            match self.block.section(id) {
                Ok(section) => self.section(&section),
                Err(_) if id.is_optional() => {}
                Err(error) => self.read(error),
            }
        }
        self.verdicts();
        // That what is searched is sorted is found out when it is decoded.
        if let Err(error) = self.block.dropped() {
            self.read(error);
        }
        if let Err(error) = self.block.fence() {
            self.read(error);
        }
        if let Err(error) = self.block.stored_summaries() {
            self.read(error);
        }
        match self.block.groups() {
            Ok((groups, _)) => {
                for (number, group) in groups.groups.iter().enumerate() {
                    if let Err(error) = self.block.bloom(number, group) {
                        self.read(error);
                    }
                }
            }
            Err(error) => self.read(error),
        }
        for tenant in 0..self.block.meta.tenants.len() {
            if let Err(Fault::Lost(error)) = self.block.tenant_ids(tenant, &|| false) {
                self.read(error);
            }
        }
    }

    /// As many verdicts as traces, and as many rows of dropped ones as the catalog says.
    fn verdicts(&mut self) {
        let Some(verdicts) = self.block.verdicts() else { return };
        if verdicts.codes.len() != self.block.first_trace(self.block.meta.tenants.len()) {
            self.content("the verdicts in the sidecar are not as many as its traces");
        }
    }

    fn section(&mut self, section: &Section) {
        let stored = match self.block.side(section.offset, section.stored_bytes) {
            Ok(stored) => stored,
            Err(error) => return self.read(error),
        };
        match section.unpack(&stored) {
            Ok(plain) if section.id == SectionId::Meta => {
                let meta: Option<BlockMeta> = serde_json::from_slice(&plain).ok();
                if meta.as_ref() != Some(&*self.block.meta) {
                    self.content("the sidecar's meta is not what the catalog says");
                }
            }
            Ok(_) => {}
            Err(error) => self.read(self.block.side_error((section.offset, section.stored_bytes), &error)),
        }
    }

    /// Each piece of the Parquet file.
    fn pieces(&mut self) {
        let Ok(data) = self.block.data() else { return };
        let length = data.pieces.length;
        for from in (0..length).step_by(STEP_BYTES as usize) {
            if let Err(error) = data.pieces.read(from, STEP_BYTES.min(length - from)) {
                self.read(error);
            }
        }
    }

    /// Every row, and the columns and ids that repeat what rows say.
    fn rows(&mut self, data: &Data) {
        let mut reader = SpanReader::new(data);
        let mut traces: Vec<(usize, TraceId, u64)> = Vec::new();
        for group in 0..data.footer.group_count() {
            let count = data.footer.row_count(group);
            for from in (0..count).step_by(STEP_ROWS) {
                let rows = from..(from + STEP_ROWS).min(count);
                let first = data.footer.first_rows[group];
                match reader.read(first + rows.start as u64..first + rows.end as u64) {
                    Ok(spans) => {
                        if let Err(error) = self.repeats(data, group, rows, &spans, &mut traces) {
                            self.read(error);
                        }
                    }
                    Err(error) => self.read(error),
                }
            }
        }
        if self.problems.is_empty() {
            self.ids(&traces);
        }
    }

    /// Compares the columns that are made from others, and counts the rows of each trace.
    fn repeats(
        &mut self,
        data: &Data,
        group: usize,
        rows: std::ops::Range<usize>,
        spans: &[Span],
        traces: &mut Vec<(usize, TraceId, u64)>,
    ) -> Result<(), ReadError> {
        let map = Bitmap::of_range(data.footer.row_count(group), rows.clone());
        let mut wrong: Vec<&str> = Vec::new();
        data.for_each(group, "service", &map, |row, page, at| {
            if page.bytes(at) != spans[row - rows.start].service().as_bytes() {
                wrong.push("service");
            }
        })?;
        data.for_each(group, "error", &map, |row, page, at| {
            if page.truth(at) != spans[row - rows.start].is_error() {
                wrong.push("error");
            }
        })?;
        let mut tenants = Vec::with_capacity(spans.len());
        data.for_each(group, "tenant", &map, |_, page, at| {
            let number =
                self.block.meta.tenants.binary_search_by(|part| part.tenant.as_str().as_bytes().cmp(page.bytes(at)));
            tenants.push(number.unwrap_or(usize::MAX));
        })?;
        if tenants.contains(&usize::MAX) || tenants.len() != spans.len() {
            wrong.push("tenant");
        }
        if spans.windows(2).any(|pair| {
            let key = |span: &Span| (span.start_unix_nanos, span.span_id);
            pair[0].trace_id == pair[1].trace_id && key(&pair[0]) > key(&pair[1])
        }) && tenants.windows(2).all(|pair| pair[0] == pair[1])
        {
            wrong.push("order");
        }
        wrong.dedup();
        for what in wrong {
            self.content(format!("row group {group}: the {what} of some rows is not what their spans say"));
        }
        for (tenant, span) in tenants.into_iter().zip(spans) {
            match traces.last_mut() {
                Some(last) if last.0 == tenant && last.1 == span.trace_id => last.2 += 1,
                _ => traces.push((tenant, span.trace_id, 1)),
            }
        }
        Ok(())
    }

    /// Compares the ids with the traces of the rows.
    fn ids(&mut self, traces: &[(usize, TraceId, u64)]) {
        let mut listed = Vec::with_capacity(traces.len());
        for tenant in 0..self.block.meta.tenants.len() {
            let Ok(ids) = self.block.tenant_ids(tenant, &|| false) else { return };
            listed.extend(ids.ids.iter().enumerate().map(|(number, id)| {
                let rows = ids.rows(number);
                (tenant, *id, rows.end - rows.start)
            }));
        }
        if listed != traces {
            self.content("the ids and rows in the sidecar are not those of the rows' traces");
        }
        let rows_of = |tenant| traces.iter().filter(|trace| trace.0 == tenant).map(|trace| trace.2).sum::<u64>();
        for (number, part) in self.block.meta.tenants.iter().enumerate() {
            if rows_of(number) != part.row_count {
                self.content(format!("the tenant {} has another number of rows than the catalog says", part.tenant));
            }
        }
    }

    /// Compares summaries and names with ones made from the rows.
    fn summaries(&mut self) {
        if !self.problems.is_empty() {
            return;
        }
        let (Ok(stored), Ok(names)) = (self.block.stored_summaries(), self.block.names()) else { return };
        let remade = match self.block.remade(&|| false) {
            Ok(remade) => remade,
            Err(Fault::Lost(error)) => return self.read(error),
            Err(Fault::Expired) => return,
        };
        let are_same = names.services == remade.names.services
            && names.operations == remade.names.operations
            && names.tenants == remade.names.tenants;
        if !are_same {
            self.content("the sidecar's services and operations are not those of the rows");
        }
        let made = &remade.summaries;
        let count = stored.extents().len().max(made.extents().len());
        let id = TraceId::default();
        let differs = |number: &usize| {
            stored.extents().get(*number) != made.extents().get(*number)
                || stored.summary(*number, id, &names) != made.summary(*number, id, &remade.names)
        };
        let different = (0..count).filter(differs).count();
        if different > 0 {
            self.content(format!("{different} summaries in the sidecar are not those of the rows' traces"));
        }
        self.groups();
    }

    /// Compares what is said of row groups with their rows.
    fn groups(&mut self) {
        let (Ok(data), Ok((groups, names))) = (self.block.data(), self.block.groups()) else { return };
        if groups.groups.len() != data.footer.group_count() {
            return self.content("the sidecar has another number of row groups");
        }
        for (number, group) in groups.groups.iter().enumerate() {
            let count = data.footer.row_count(number);
            let map = Bitmap::of_range(count, 0..count);
            let (mut errors, mut unknown) = (0, false);
            let services: Vec<_> =
                group.services.iter().filter_map(|code| names.services.get(*code as usize)).collect();
            let read = data.for_each(number, "error", &map, |_, page, at| errors += u32::from(page.truth(at)));
            let read = read.and_then(|()| {
                data.for_each(number, "service", &map, |_, page, at| {
                    unknown |= !services.iter().any(|service| service.as_bytes() == page.bytes(at));
                })
            });
            let (mut durations, mut zones) = ((u64::MAX, 0), Vec::new());
            let read = read.and_then(|()| {
                data.for_each(number, "duration_nanos", &map, |row, page, at| {
                    let duration = page.number(at);
                    durations = (durations.0.min(duration), durations.1.max(duration));
                    zones.resize(row / groups.zone_rows as usize + 1, (u64::MAX, 0));
                    let zone = &mut zones[row / groups.zone_rows as usize];
                    *zone = (zone.0.min(duration), zone.1.max(duration));
                })
            });
            if let Err(error) = read {
                self.read(error);
            } else if (group.row_count as usize, group.error_count, group.duration_nanos) != (count, errors, durations)
                || unknown
                || group.durations_nanos != zones
            {
                self.content(format!("row group {number} does not hold what the sidecar says"));
            }
        }
    }
}

impl Block {
    /// What each column takes, in the file's order, then each section of the sidecar, as far as it can be read.
    pub fn columns(&self) -> Result<Vec<ColumnSize>, ReadError> {
        let data = self.data()?;
        let column = |(leaf, name): (usize, &str)| {
            let chunks = (0..data.footer.group_count()).filter_map(|group| data.footer.chunk(group, leaf));
            let (mut compressed_bytes, mut uncompressed_bytes) = (0, 0);
            for chunk in chunks {
                compressed_bytes += chunk.compressed_size() as u64;
                uncompressed_bytes += chunk.uncompressed_size() as u64;
            }
            ColumnSize { name: name.to_owned(), compressed_bytes, uncompressed_bytes }
        };
        let mut sizes: Vec<_> = data.footer.names().map(column).collect();
        let header = self.header()?;
        sizes.extend(header.sections.iter().map(|section| ColumnSize {
            name: format!("sidecar:{}", section.id.as_str()),
            compressed_bytes: section.stored_bytes,
            uncompressed_bytes: if section.codec == Codec::Plain { section.stored_bytes } else { section.plain_bytes },
        }));
        Ok(sizes)
    }
}
