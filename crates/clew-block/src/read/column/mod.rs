//! One column of one row group, page by page.
//!
//! Arrow's reader sets up builders and codecs per column and looks every dictionary code up; a trace wants some eighteen
//! rows of forty columns, and a filter wants the codes. So pages are found by the offset index and decoded here.

mod decode;
mod header;

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use parquet::basic::{Compression, Encoding, Type};
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::page_index::offset_index::PageLocation;

pub(super) use self::decode::Values;
use self::header::PageHeader;
use super::bitmap::Bitmap;
use super::damage::ReadError;
use super::data::Data;
use crate::BlockFile;

/// No page of ours comes near, and no memory is set aside for more.
const PAGE_BYTES_MAX: usize = 1 << 30;
/// A column of so many bytes is read at once, whichever of its pages is wanted.
const AT_ONCE_BYTES: u64 = 48 << 10;
/// A page may hold this many bytes for each that is stored before its length counts as damage.
const RATIO_MAX: usize = 1 << 16;

/// A column of a row group.
pub(super) struct Column<'d> {
    data: &'d Data,
    chunk: &'d ColumnChunkMetaData,
    pages: &'d [PageLocation],
    row_count: usize,
    /// The page to look at next.
    next: usize,
    width: usize,
    is_optional: bool,
    dictionary: Option<Arc<Values>>,
}

/// The values of some rows, which follow each other.
pub(super) struct Page {
    /// The rows, within their row group.
    pub(super) rows: Range<usize>,
    /// Per row 1 where there is a value; `None` when each has one.
    levels: Option<Vec<u32>>,
    /// The values of the rows that have one.
    pub(super) values: Values,
    /// What codes stand for.
    pub(super) dictionary: Option<Arc<Values>>,
}

impl<'d> Column<'d> {
    /// The column with that number among the file's columns.
    pub(super) fn open(data: &'d Data, group: usize, leaf: usize) -> Result<Self, ReadError> {
        let footer = &data.footer;
        let chunk = footer.chunk(group, leaf).ok_or_else(|| data.damaged("a column is not in the footer"))?;
        let pages = footer.pages(group, leaf).ok_or_else(|| data.damaged("a column has no offset index"))?;
        let descriptor = chunk.column_descr();
        let width = usize::try_from(descriptor.type_length()).unwrap_or(0);
        let (row_count, is_optional) = (footer.row_count(group), descriptor.max_def_level() > 0);
        Ok(Self { data, chunk, pages, row_count, next: 0, width, is_optional, dictionary: None })
    }

    /// The next page that has a row which is in, from its first row through the last that is in; `None` after the last.
    pub(super) fn next(&mut self, rows: &Bitmap) -> Result<Option<Page>, ReadError> {
        let row_of = |page: &PageLocation| usize::try_from(page.first_row_index).unwrap_or(usize::MAX);
        while let Some(page) = self.pages.get(self.next) {
            let from = row_of(page);
            let to = self.pages.get(self.next + 1).map_or(self.row_count, row_of);
            if from > to || to > self.row_count || (self.next == 0 && from != 0) {
                return Err(self.damaged("its offset index is out of order"));
            }
            self.next += 1;
            if let Some(last) = rows.last_below(to).filter(|last| *last >= from) {
                return self.page(page, from..last + 1, to - from).map(Some);
            }
        }
        Ok(None)
    }

    /// A page, of which only some first rows are wanted.
    fn page(&mut self, page: &PageLocation, rows: Range<usize>, row_count: usize) -> Result<Page, ReadError> {
        let (offset, length) = (page.offset as u64, page.compressed_page_size as u64);
        let (header, stored) = self.stored(offset, length, false)?;
        if header.value_count != row_count {
            return Err(self.damaged("a page has another number of rows than the offset index says"));
        }
        let encoding = encoding(header.encoding).ok_or_else(|| self.damaged("an encoding is not ours"))?;
        let (levels, values) = self.inflated(&header, &stored, encoding, |bytes, keep| {
            let (levels, from) = if self.is_optional { decode::levels(bytes, rows.len())? } else { (Vec::new(), 0) };
            let ones = || levels.iter().map(|level| *level as usize).sum();
            let count = if self.is_optional { ones() } else { rows.len() };
            let values = Values::decode(bytes, from, keep, encoding, self.chunk.column_type(), self.width, count)?;
            // No nulls among the rows, as is common in a full column: no need to look at each.
            Some(((count < rows.len()).then_some(levels), values))
        })?;
        let mut dictionary = None;
        if let Values::Codes(codes) = &values {
            let known = self.dictionary()?;
            if codes.iter().max().is_some_and(|code| *code as usize >= known.len()) {
                return Err(self.damaged("a code is beyond its dictionary"));
            }
            dictionary = Some(known);
        }
        Ok(Page { rows, levels, values, dictionary })
    }

    fn dictionary(&mut self) -> Result<Arc<Values>, ReadError> {
        if let Some(dictionary) = &self.dictionary {
            return Ok(Arc::clone(dictionary));
        }
        let (from, _) = self.chunk.byte_range();
        let to = self.pages.first().map_or(from, |page| page.offset as u64);
        let length = to.checked_sub(from).filter(|length| *length > 0);
        let length = length.ok_or_else(|| self.damaged("a dictionary is missing"))?;
        let (header, stored) = self.stored(from, length, true)?;
        let values = self.inflated(&header, &stored, Encoding::PLAIN, |bytes, keep| {
            let physical = self.chunk.column_type();
            Values::decode(bytes, 0, keep, Encoding::PLAIN, physical, self.width, header.value_count)
        })?;
        let values = Arc::new(values);
        self.dictionary = Some(Arc::clone(&values));
        Ok(values)
    }

    /// A page's header and stored bytes.
    fn stored(&self, offset: u64, length: u64, is_dictionary: bool) -> Result<(PageHeader, Bytes), ReadError> {
        let (from, all) = self.chunk.byte_range();
        let end = from.saturating_add(all);
        let bytes = if all <= AT_ONCE_BYTES && from <= offset && offset.saturating_add(length) <= end {
            // Its other pages, and often other columns, lie in the same pieces.
            match self.data.pieces.read(from, all) {
                Ok(bytes) => bytes.slice((offset - from) as usize..(offset - from + length) as usize),
                Err(_) => self.data.pieces.read(offset, length)?,
            }
        } else {
            self.data.pieces.read(offset, length)?
        };
        let header =
            PageHeader::read(&bytes, is_dictionary).ok_or_else(|| self.damaged("a page's header is malformed"))?;
        let end = header.length.checked_add(header.stored_bytes).filter(|end| *end <= bytes.len());
        let end = end.ok_or_else(|| self.damaged("a page is longer than its place"))?;
        Ok((header, bytes.slice(header.length..end)))
    }

    /// What `decode` makes of a page's plain bytes. Texts, ids and split numbers keep the bytes, which are given a second time for that;
    /// for other values the room in which they were inflated is used again.
    fn inflated<T>(
        &self,
        header: &PageHeader,
        stored: &Bytes,
        encoding: Encoding,
        decode: impl FnOnce(&[u8], Option<&Bytes>) -> Option<T>,
    ) -> Result<T, ReadError> {
        let malformed = || self.damaged("a page is malformed");
        let is_bytes = matches!(self.chunk.column_type(), Type::BYTE_ARRAY | Type::FIXED_LEN_BYTE_ARRAY);
        let is_kept = encoding == Encoding::BYTE_STREAM_SPLIT || (encoding == Encoding::PLAIN && is_bytes);
        match self.chunk.compression() {
            Compression::UNCOMPRESSED => decode(stored, Some(stored)).ok_or_else(malformed),
            Compression::ZSTD(_) => {
                let plain = header.plain_bytes;
                if plain > PAGE_BYTES_MAX || plain > stored.len().saturating_mul(RATIO_MAX) {
                    return Err(malformed());
                }
                if is_kept {
                    let mut bytes = Vec::with_capacity(plain);
                    self.data.inflate(stored, plain, &mut bytes).ok_or_else(malformed)?;
                    let bytes = Bytes::from(bytes);
                    return decode(&bytes, Some(&bytes)).ok_or_else(malformed);
                }
                let mut room = self.data.room.take();
                let inflated = self.data.inflate(stored, plain, &mut room);
                let decoded = inflated.and_then(|()| decode(&room, None));
                self.data.room.replace(room);
                decoded.ok_or_else(malformed)
            }
            _ => Err(self.damaged("a codec is not ours")),
        }
    }

    /// An error about something in this column.
    pub(super) fn damaged(&self, what: &str) -> ReadError {
        let (offset, length) = self.chunk.byte_range();
        let detail = format!("{}: {what}", self.chunk.column_descr().name());
        ReadError { name: self.data.pieces.name, file: BlockFile::Data, offset, length, detail }
    }
}

/// The encodings of the format by their numbers, as far as our files have them.
fn encoding(number: i64) -> Option<Encoding> {
    match number {
        0 => Some(Encoding::PLAIN),
        2 | 8 => Some(Encoding::RLE_DICTIONARY),
        3 => Some(Encoding::RLE),
        5 => Some(Encoding::DELTA_BINARY_PACKED),
        9 => Some(Encoding::BYTE_STREAM_SPLIT),
        _ => None,
    }
}

impl Page {
    /// Calls `each` with every row that has a value, within its row group, and the place of the value.
    #[inline]
    pub(super) fn for_each(&self, mut each: impl FnMut(usize, usize)) {
        match &self.levels {
            None => self.rows.clone().enumerate().for_each(|(at, row)| each(row, at)),
            Some(levels) => {
                let mut at = 0;
                for (row, level) in self.rows.clone().zip(levels) {
                    if *level != 0 {
                        each(row, at);
                        at += 1;
                    }
                }
            }
        }
    }

    /// Adds the rows that have a value.
    pub(super) fn add_present(&self, to: &mut Bitmap) {
        match &self.levels {
            None => to.set_range(self.rows.clone()),
            Some(levels) => to.set_each(self.rows.start, levels.iter().map(|level| *level != 0)),
        }
    }

    /// Adds the rows that have a value for whose place `is_in` says so. A word of the set at a time, so this is for when most
    /// rows are asked about.
    #[inline]
    pub(super) fn add_where(&self, to: &mut Bitmap, mut is_in: impl FnMut(usize) -> bool) {
        let Some(levels) = &self.levels else {
            return to.set_each(self.rows.start, (0..self.rows.len()).map(is_in));
        };
        let mut at = 0;
        let of_level = |level: &u32| {
            let is_present = *level != 0;
            let is_in = is_present && is_in(at);
            at += usize::from(is_present);
            is_in
        };
        to.set_each(self.rows.start, levels.iter().map(of_level));
    }

    /// Calls `each` with those of the rows that have a value, and the place of the value.
    #[inline]
    pub(super) fn for_each_in(&self, rows: &Bitmap, mut each: impl FnMut(usize, usize)) {
        let first = self.rows.start;
        let mut wanted = rows.iter_in(self.rows.clone());
        let Some(levels) = &self.levels else { return wanted.for_each(|row| each(row, row - first)) };
        // Rows before the first one wanted only count.
        let Some(from) = wanted.next() else { return };
        let mut at = levels[..from - first].iter().map(|level| *level as usize).sum();
        for (row, level) in (from..self.rows.end).zip(&levels[from - first..]) {
            if *level != 0 {
                if rows.contains(row) {
                    each(row, at);
                }
                at += 1;
            }
        }
    }

    /// The values that are not codes, and where the value with that place is among them.
    #[inline]
    fn resolve(&self, at: usize) -> (&Values, usize) {
        match (&self.values, &self.dictionary) {
            (Values::Codes(codes), Some(dictionary)) => {
                (dictionary, codes.get(at).map_or(usize::MAX, |code| *code as usize))
            }
            (values, _) => (values, at),
        }
    }

    /// The bytes of a text or an id; empty when it is none.
    pub(super) fn bytes(&self, at: usize) -> &[u8] {
        let (values, at) = self.resolve(at);
        values.bytes(at)
    }

    /// An integer, or the bits of a double; 0 when it is none.
    #[inline]
    pub(super) fn number(&self, at: usize) -> u64 {
        let (values, at) = self.resolve(at);
        values.number(at)
    }

    /// A truth value.
    pub(super) fn truth(&self, at: usize) -> bool {
        self.values.truth(at)
    }
}
