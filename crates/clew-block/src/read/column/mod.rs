//! One column of one row group, page by page.
//!
//! Arrow's reader sets up builders and codecs per column and looks every dictionary code up; a trace wants some eighteen
//! rows of forty columns, and a filter wants the codes. So pages are found by the offset index and decoded here.

mod bits;
mod decode;
mod header;
mod page;
mod runs;

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use parquet::basic::{Compression, Encoding, Type};
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::page_index::offset_index::PageLocation;

pub(super) use self::bits::Bits;
use self::decode::Levels;
pub(super) use self::decode::Values;
use self::header::PageHeader;
pub(super) use self::page::Page;
use self::runs::{Packed, Wanted};
use super::bitmap::Bitmap;
use super::cache::Part;
use super::damage::ReadError;
use super::data::Data;
use crate::BlockFile;

/// No page of ours comes near, and no memory is set aside for more.
const PAGE_BYTES_MAX: usize = 1 << 30;
/// A column of which at least one page in so many is wanted is read at once.
const AT_ONCE_SHARE: usize = 16;
/// A column of more bytes never is.
const AT_ONCE_BYTES: u64 = 4 << 20;
/// A page may hold this many bytes for each that is stored before its length counts as damage.
const RATIO_MAX: usize = 1 << 16;

/// A column of a row group.
pub(super) struct Column<'d> {
    data: &'d Data,
    group: usize,
    leaf: usize,
    chunk: &'d ColumnChunkMetaData,
    pages: &'d [PageLocation],
    row_count: usize,
    /// The page to look at next.
    next: usize,
    /// Where the rows that are in begin and end, once that is known.
    bounds: Option<Range<usize>>,
    width: usize,
    is_optional: bool,
    /// Whether codes stay as they are stored.
    is_packed: bool,
    dictionary: Option<Arc<Values>>,
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
        Ok(Self {
            data,
            group,
            leaf,
            chunk,
            pages,
            row_count,
            next: 0,
            bounds: None,
            width,
            is_optional,
            is_packed: false,
            dictionary: None,
        })
    }

    /// Leaves codes as they are stored from now on, for whoever asks about most of them.
    pub(super) fn pack(&mut self) {
        self.is_packed = true;
    }

    /// The next page that has a row which is in, from the first through the last of those; `None` after the last. The rows are
    /// the same from call to call.
    pub(super) fn next(&mut self, rows: &Bitmap) -> Result<Option<Page>, ReadError> {
        let bounds = match &self.bounds {
            Some(bounds) => bounds.clone(),
            None => self.begin(rows),
        };
        while let Some(page) = self.pages.get(self.next) {
            let (from, to) = self.rows_of(self.next, page);
            if from >= bounds.end {
                break;
            }
            if from > to || to > self.row_count || (self.next == 0 && from != 0) {
                return Err(self.damaged("its offset index is out of order"));
            }
            self.next += 1;
            if to <= bounds.start {
                continue;
            }
            if let Some(first) = rows.first_from(from).filter(|first| *first < to) {
                let last = rows.last_below(to).unwrap_or(first);
                let wanted = Wanted { skip: first - from, count: last + 1 - first };
                return self.page(page, first, wanted, to - from).map(Some);
            }
        }
        Ok(None)
    }

    /// The first row of a page and the end of its rows.
    fn rows_of(&self, number: usize, page: &PageLocation) -> (usize, usize) {
        let row_of = |page: &PageLocation| usize::try_from(page.first_row_index).unwrap_or(usize::MAX);
        (row_of(page), self.pages.get(number + 1).map_or(self.row_count, row_of))
    }

    /// Where the rows that are in begin and end. When many pages have some, all are read at once.
    fn begin(&mut self, rows: &Bitmap) -> Range<usize> {
        let first = rows.first_from(0).unwrap_or(self.row_count);
        let bounds = first..rows.last_below(self.row_count).map_or(0, |last| last + 1);
        let wanted = self.wanted(rows).count();
        if self.is_at_once(wanted) {
            if wanted > 1 {
                let (from, length) = self.chunk.byte_range();
                // What cannot be had so may be had in part.
                let _ = self.data.pieces.fetch(from, length);
            }
            self.data.read_whole.borrow_mut().insert(self.leaf);
        }
        self.bounds = Some(bounds.clone());
        bounds
    }

    /// The pages that have rows which are in.
    fn wanted(&self, rows: &Bitmap) -> impl Iterator<Item = &'d PageLocation> {
        let pages = self.pages.iter().enumerate().filter(|(number, page)| {
            let (from, to) = self.rows_of(*number, page);
            rows.first_from(from).is_some_and(|row| row < to)
        });
        pages.map(|(_, page)| page)
    }

    /// Whether the column is read at once for so many of its pages.
    fn is_at_once(&self, wanted: usize) -> bool {
        let (_, length) = self.chunk.byte_range();
        wanted > 0 && wanted * AT_ONCE_SHARE >= self.pages.len() && length <= AT_ONCE_BYTES
    }

    /// Where what is read for the rows which are in lies.
    pub(super) fn places(&self, rows: &Bitmap) -> Vec<Range<u64>> {
        let (from, length) = self.chunk.byte_range();
        let mut places: Vec<Range<u64>> = self.wanted(rows).map(bytes_of).collect();
        if self.is_at_once(places.len()) {
            places.clear();
            places.push(from..from.saturating_add(length));
            return places;
        }
        if let Some(first) = self.pages.first().filter(|_| !places.is_empty()) {
            // The dictionary, if there is one, lies before the pages.
            places.push(from..bytes_of(first).start);
        }
        places
    }

    /// A page, of which only some rows are wanted, the first of which is `first` in its row group.
    fn page(&mut self, page: &PageLocation, first: usize, wanted: Wanted, row_count: usize) -> Result<Page, ReadError> {
        let (offset, length) = (page.offset as u64, page.compressed_page_size as u64);
        let (header, stored) = self.stored(offset, length, false)?;
        if header.value_count != row_count {
            return Err(self.damaged("a page has another number of rows than the offset index says"));
        }
        let encoding = encoding(header.encoding).ok_or_else(|| self.damaged("an encoding is not ours"))?;
        let (levels, values) = self.inflated(&header, &stored, encoding, |bytes, keep| {
            let of = |from, values| match (encoding, keep) {
                (Encoding::RLE_DICTIONARY, Some(keep)) if self.is_packed => {
                    Packed::new(keep, from, values).map(Values::Packed)
                }
                _ => Values::decode(bytes, from, keep, encoding, self.chunk.column_type(), self.width, values),
            };
            if !self.is_optional {
                return Some((None, of(0, wanted)?));
            }
            let Levels { is_set: levels, values, end } = decode::levels(bytes, wanted)?;
            // No nulls among the rows, as is common in a full column: no need to look at each.
            Some(((values.count < wanted.count).then_some(levels), of(end, values)?))
        })?;
        let mut dictionary = None;
        if matches!(values, Values::Codes(_) | Values::Packed(_)) {
            dictionary = Some(self.dictionary()?);
        }
        if let (Values::Codes(codes), Some(known)) = (&values, &dictionary)
            && codes.iter().max().is_some_and(|code| *code as usize >= known.len())
        {
            return Err(self.damaged("a code is beyond its dictionary"));
        }
        Ok(Page { rows: first..first + wanted.count, levels, values, dictionary })
    }

    fn dictionary(&mut self) -> Result<Arc<Values>, ReadError> {
        if let Some(dictionary) = &self.dictionary {
            return Ok(Arc::clone(dictionary));
        }
        let (group, leaf) = (self.group as u32, self.leaf as u32);
        let data = self.data;
        let values = data.cache.get(data.pieces.name, Part::Dictionary { group, leaf }, || {
            let values = self.stored_dictionary()?;
            let bytes = values.memory_bytes() as u64;
            Ok::<_, ReadError>((values, bytes))
        })?;
        self.dictionary = Some(Arc::clone(&values));
        Ok(values)
    }

    fn stored_dictionary(&self) -> Result<Values, ReadError> {
        let (from, _) = self.chunk.byte_range();
        let to = self.pages.first().map_or(from, |page| page.offset as u64);
        let length = to.checked_sub(from).filter(|length| *length > 0);
        let length = length.ok_or_else(|| self.damaged("a dictionary is missing"))?;
        let (header, stored) = self.stored(from, length, true)?;
        self.inflated(&header, &stored, Encoding::PLAIN, |bytes, keep| {
            let (physical, wanted) = (self.chunk.column_type(), Wanted { skip: 0, count: header.value_count });
            Values::decode(bytes, 0, keep, Encoding::PLAIN, physical, self.width, wanted)
        })
    }

    /// A page's header and stored bytes.
    fn stored(&self, offset: u64, length: u64, is_dictionary: bool) -> Result<(PageHeader, Bytes), ReadError> {
        let bytes = self.data.pieces.read(offset, length)?;
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
        let is_packed = self.is_packed && encoding == Encoding::RLE_DICTIONARY;
        let is_split = encoding == Encoding::BYTE_STREAM_SPLIT;
        let is_kept = is_packed || is_split || (encoding == Encoding::PLAIN && is_bytes);
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

/// Where a page lies.
fn bytes_of(page: &PageLocation) -> Range<u64> {
    let from = page.offset as u64;
    from..from.saturating_add(page.compressed_page_size as u64)
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
