mod attributes;
mod damage;
mod oracle;
mod questions;
mod random;
mod reads;

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use clew_model::{Span, Tenant};

use super::{Block, Cache, Ranges};
use crate::sidecar::{Header, Packed, Requests, SectionId, SideBytes};
use crate::{BlockFile, BlockMeta, BlockName, WriteOptions, write_spans};

/// The two files of a block, in memory.
pub(super) struct Files {
    data: Mutex<Bytes>,
    side: Mutex<Bytes>,
    /// What was read of the Parquet file, and what was announced of it.
    asked: Mutex<Vec<Asked>>,
}

/// Bytes of the Parquet file that were asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Asked {
    /// To be had at once.
    Read(Range<u64>),
    /// For later.
    Announced(Range<u64>),
}

impl Files {
    fn new(data: Bytes, side: Bytes) -> Self {
        Self { data: Mutex::new(data), side: Mutex::new(side), asked: Mutex::default() }
    }

    fn of(&self, file: BlockFile) -> &Mutex<Bytes> {
        match file {
            BlockFile::Data => &self.data,
            BlockFile::Side => &self.side,
        }
    }

    fn bytes(&self, file: BlockFile) -> Bytes {
        self.of(file).lock().unwrap().clone()
    }

    fn replace(&self, file: BlockFile, bytes: impl Into<Bytes>) {
        *self.of(file).lock().unwrap() = bytes.into();
    }
}

impl Ranges for Files {
    fn read(&self, _: BlockName, file: BlockFile, offset: u64, length: usize) -> io::Result<Bytes> {
        let bytes = self.bytes(file);
        let end = (offset as usize).checked_add(length).filter(|end| *end <= bytes.len());
        let end = end.ok_or_else(|| io::Error::new(io::ErrorKind::UnexpectedEof, "the file ends"))?;
        if file == BlockFile::Data {
            self.asked.lock().unwrap().push(Asked::Read(offset..end as u64));
        }
        Ok(bytes.slice(offset as usize..end))
    }

    fn will_read(&self, _: BlockName, file: BlockFile, ranges: &[Range<u64>]) {
        assert_eq!(file, BlockFile::Data);
        self.asked.lock().unwrap().extend(ranges.iter().cloned().map(Asked::Announced));
    }
}

/// A block and its files.
pub(super) struct Written {
    files: Arc<Files>,
    meta: Arc<BlockMeta>,
    side_bytes: u64,
}

impl Written {
    /// A block of these spans with small row groups and pages.
    fn of(tenants: &BTreeMap<Tenant, Vec<Span>>, row_group_rows: usize, page_rows: usize) -> Self {
        let mut options = WriteOptions::new(BlockName(7));
        (options.row_group_rows, options.page_rows) = (row_group_rows, page_rows);
        options.zone_rows = page_rows.div_ceil(2);
        let sorted = |spans: &Vec<Span>| {
            let mut spans = spans.clone();
            spans.sort_by_key(|span| (span.trace_id, span.start_unix_nanos, span.span_id));
            spans
        };
        let tenants: Vec<_> = tenants.iter().map(|(tenant, spans)| (tenant.clone(), sorted(spans))).collect();
        let finished = write_spans(&tenants, &Requests::default(), Vec::new(), options).unwrap();
        let side_bytes = finished.side.count();
        let files = Files::new(finished.sink.into(), finished.side.into_vec().into());
        Self { files: Arc::new(files), meta: Arc::new(finished.meta), side_bytes }
    }

    /// The block, read afresh.
    fn open(&self) -> Block {
        let ranges: Arc<dyn Ranges> = self.files.clone();
        Block::new(Arc::clone(&self.meta), self.side_bytes, ranges, Arc::new(Cache::new(64 << 20)))
    }

    /// The same block, whose sidecar lacks a section.
    fn without(&self, lost: SectionId) -> Self {
        let side = self.files.bytes(BlockFile::Side);
        let header = Header::decode(&side).unwrap();
        let kept = header.sections.iter().filter(|section| section.id != lost).map(|section| {
            let range = section.range();
            let plain = section.unpack(&side[range.start as usize..range.end as usize]).unwrap();
            Packed::new(section.id, section.codec, plain.into_owned())
        });
        let side = SideBytes::of(kept.collect()).into_vec();
        let side_bytes = side.len() as u64;
        let files = Files::new(self.files.bytes(BlockFile::Data), side.into());
        Self { files: Arc::new(files), meta: Arc::clone(&self.meta), side_bytes }
    }
}

/// All that a span is; NaN equals itself here.
fn shown<T: std::fmt::Debug>(things: &[T]) -> Vec<String> {
    things.iter().map(|thing| format!("{thing:?}")).collect()
}
