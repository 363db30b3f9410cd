//! What the end of the Parquet file says: row groups, columns, pages.

use std::collections::HashMap;
use std::ops::Range;

use parquet::basic::Type;
use parquet::file::metadata::{
    ColumnChunkMetaData, PageIndexPolicy, ParquetMetaData, ParquetMetaDataOptions, ParquetMetaDataReader,
    ParquetStatisticsPolicy,
};
use parquet::file::page_index::offset_index::PageLocation;

use super::damage::ReadError;
use super::pieces::Pieces;
use crate::schema::{FORMAT, FORMAT_KEY, SpanColumn};
use crate::{AttributeType, BlockFile};

/// Footer and offset index.
pub(super) struct Footer {
    meta: ParquetMetaData,
    /// The number of each column.
    leaves: HashMap<String, usize>,
    /// The `span.*` columns in their order: key, type, number among all columns.
    pub(super) attributes: Vec<AttributeColumn>,
    /// The first row of each row group, and at the end the number of rows.
    pub(super) first_rows: Vec<u64>,
}

/// A column of attribute values.
pub(super) struct AttributeColumn {
    /// Their key.
    pub(super) key: String,
    /// Their type.
    pub(super) kind: AttributeType,
    /// Its number among all columns.
    pub(super) leaf: usize,
}

impl Footer {
    /// Reads it.
    pub(super) fn read(pieces: &Pieces) -> Result<Self, ReadError> {
        let options = ParquetMetaDataOptions::new()
            .with_column_stats_policy(ParquetStatisticsPolicy::SkipAll)
            .with_size_stats_policy(ParquetStatisticsPolicy::SkipAll);
        let reader = ParquetMetaDataReader::new()
            .with_column_index_policy(PageIndexPolicy::Skip)
            .with_offset_index_policy(PageIndexPolicy::Required)
            .with_prefetch_hint(Some(64 << 10))
            .with_metadata_options(Some(options));
        let place = (pieces.name, 0, pieces.length);
        let meta = reader.parse_and_finish(pieces).map_err(|err| ReadError::of_parquet(err, place, "footer"))?;
        match format(&meta) {
            None => return Err(whole(pieces, "the footer is not that of a block")),
            Some(FORMAT) => {}
            Some(other) => {
                let detail = format!("the file has format {}, and this clew knows {FORMAT}", other.escape_debug());
                return Err(whole(pieces, &detail));
            }
        }
        Self::of(meta).ok_or_else(|| whole(pieces, "the footer is not that of a block"))
    }

    fn of(meta: ParquetMetaData) -> Option<Self> {
        let columns = meta.file_metadata().schema_descr().columns();
        let mut leaves = HashMap::with_capacity(columns.len());
        let mut attributes = Vec::new();
        for (leaf, column) in columns.iter().enumerate() {
            let name = column.name();
            if let Some(SpanColumn { key, value_type: kind }) = SpanColumn::parse(name) {
                if physical(kind) != column.physical_type() {
                    return None;
                }
                attributes.push(AttributeColumn { key, kind, leaf });
            } else {
                leaves.insert(name.to_owned(), leaf);
            }
        }
        let mut first_rows = vec![0];
        for group in meta.row_groups() {
            let rows = u64::try_from(group.num_rows()).ok().filter(|rows| (1..1 << 31).contains(rows))?;
            first_rows.push(first_rows[first_rows.len() - 1] + rows);
            // Parquet's reader takes such places for granted.
            let is_sane = |chunk: &ColumnChunkMetaData| {
                chunk.data_page_offset() >= 0
                    && chunk.compressed_size() >= 0
                    && chunk.dictionary_page_offset().is_none_or(|offset| offset >= 0)
            };
            if group.columns().len() != columns.len() || !group.columns().iter().all(is_sane) {
                return None;
            }
        }
        Some(Self { meta, leaves, attributes, first_rows })
    }

    /// Bytes that it takes in memory, about.
    pub(super) fn memory_bytes(&self) -> u64 {
        let names: usize = self.attributes.iter().map(|column| column.key.len() + 64).sum();
        (self.meta.memory_size() + names + self.leaves.len() * 64 + self.first_rows.len() * 8) as u64
    }

    /// How many row groups.
    pub(super) fn group_count(&self) -> usize {
        self.meta.row_groups().len()
    }

    /// Rows of a row group.
    pub(super) fn row_count(&self, group: usize) -> usize {
        self.meta.row_groups().get(group).map_or(0, |group| usize::try_from(group.num_rows()).unwrap_or(0))
    }

    /// The row group of a row.
    pub(super) fn group_of(&self, row: u64) -> usize {
        self.first_rows.partition_point(|first| *first <= row) - 1
    }

    /// The number of an intrinsic column.
    pub(super) fn leaf(&self, name: &str) -> Option<usize> {
        self.leaves.get(name).copied()
    }

    pub(super) fn chunk(&self, group: usize, leaf: usize) -> Option<&ColumnChunkMetaData> {
        self.meta.row_groups().get(group)?.columns().get(leaf)
    }

    /// Where a row group lies.
    pub(super) fn bytes(&self, group: usize) -> Option<Range<u64>> {
        let columns = self.meta.row_groups().get(group)?.columns().iter();
        let ranges = columns.map(ColumnChunkMetaData::byte_range);
        ranges
            .map(|(from, length)| from..from.saturating_add(length))
            .reduce(|one, two| one.start.min(two.start)..one.end.max(two.end))
    }

    /// Bytes of a row group before compression.
    pub(super) fn plain_bytes(&self, group: usize) -> u64 {
        let columns = self.meta.row_groups().get(group).map_or(&[][..], |group| group.columns());
        columns.iter().map(|chunk| u64::try_from(chunk.uncompressed_size()).unwrap_or(0)).sum()
    }

    pub(super) fn pages(&self, group: usize, leaf: usize) -> Option<&[PageLocation]> {
        let pages = self.meta.page_index()?.offset_index(group, leaf)?.page_locations().as_slice();
        let are_sane = pages.iter().all(|page| page.offset >= 0 && page.compressed_page_size >= 0);
        (!pages.is_empty() && are_sane).then_some(pages)
    }

    /// All columns by name and number.
    pub(super) fn names(&self) -> impl Iterator<Item = (usize, &str)> {
        self.meta.file_metadata().schema_descr().columns().iter().map(|column| column.name()).enumerate()
    }
}

/// The format that the file says it has.
fn format(meta: &ParquetMetaData) -> Option<&str> {
    let pairs = meta.file_metadata().key_value_metadata()?;
    pairs.iter().find(|pair| pair.key == FORMAT_KEY)?.value.as_deref()
}

/// An error about the whole file.
pub(super) fn whole(pieces: &Pieces, what: &str) -> ReadError {
    let (name, length) = (pieces.name, pieces.length);
    ReadError { name, file: BlockFile::Data, offset: 0, length, detail: what.to_owned() }
}

fn physical(kind: AttributeType) -> Type {
    match kind {
        AttributeType::Int => Type::INT64,
        AttributeType::Double => Type::DOUBLE,
        AttributeType::Bool => Type::BOOLEAN,
        _ => Type::BYTE_ARRAY,
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Arc;

    use bytes::Bytes;
    use clew_model::{Span, Tenant};

    use super::super::ranges::Ranges;
    use super::*;
    use crate::sidecar::Requests;
    use crate::{BlockName, WriteOptions, draw, write_spans};

    struct Memory(Bytes);

    impl Ranges for Memory {
        fn read(&self, _: BlockName, _: BlockFile, offset: u64, length: usize) -> io::Result<Bytes> {
            Ok(self.0.slice(offset as usize..offset as usize + length))
        }
    }

    fn read(file: Vec<u8>) -> Result<Footer, String> {
        let length = file.len() as u64;
        let ranges = Arc::new(Memory(file.into()));
        let pieces = Pieces { name: BlockName(42), length, ranges, sums: None, last: Arc::default() };
        Footer::read(&pieces).map_err(|error| error.to_string())
    }

    #[test]
    fn another_format_is_refused_by_name() {
        let span = Span { trace_id: draw::trace_id(1), span_id: draw::span_id(1), ..Span::default() };
        let options = WriteOptions::new(BlockName(42));
        let requests = Requests { requests: Vec::new() };
        let written = write_spans(&[(Tenant::default(), vec![span])], &requests, Vec::new(), options).unwrap();
        let file: Vec<u8> = written.sink;
        assert_eq!(read(file.clone()).map(|footer| footer.group_count()), Ok(1));
        let key = file.windows(FORMAT_KEY.len()).rposition(|window| window == FORMAT_KEY.as_bytes()).unwrap();
        // The value follows as text: a byte of type, one of length.
        let value = key + FORMAT_KEY.len() + 2;
        assert_eq!(&file[value..=value], FORMAT.as_bytes());
        let with = |at: usize, byte: u8| {
            let mut other = file.clone();
            other[at] = byte;
            read(other).err().unwrap()
        };
        let error = with(value, b'2');
        assert!(error.contains("format 2") && error.contains("000000000000002a.parquet"), "{error}");
        let error = with(key, b'C');
        assert!(error.contains("not that of a block"), "{error}");
    }
}
