//! The Parquet file of a block, opened for one question.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use super::bitmap::Bitmap;
use super::cache::Cache;
use super::column::{Column, Page};
use super::damage::ReadError;
use super::footer::{Footer, whole};
use super::pieces::Pieces;
use crate::BlockFile;

/// A row group of more bytes is not read at once: one of some 30 thousand usual spans has a million.
const AT_ONCE_BYTES: u64 = 4 << 20;

/// To fetch so many bytes between two places along with them takes a disk less than to be told twice.
const GAP_BYTES: u64 = 48 << 10;

/// The file and what its end says.
pub(crate) struct Data {
    pub(super) pieces: Arc<Pieces>,
    pub(super) footer: Arc<Footer>,
    /// Where dictionaries are kept.
    pub(super) cache: Arc<Cache>,
    /// Columns of which all pages of a row group were read at once.
    pub(super) read_whole: RefCell<BTreeSet<usize>>,
    /// What inflates pages, once there was one. To make it costs more than a small page does.
    inflater: RefCell<Option<zstd::bulk::Decompressor<'static>>>,
    /// Where pages are inflated that are not kept.
    pub(super) room: RefCell<Vec<u8>>,
}

impl Data {
    pub(super) fn new(pieces: Arc<Pieces>, footer: Arc<Footer>, cache: Arc<Cache>) -> Self {
        Self {
            pieces,
            footer,
            cache,
            read_whole: RefCell::default(),
            inflater: RefCell::new(None),
            room: RefCell::new(Vec::new()),
        }
    }

    /// Inflates bytes that must give exactly `plain` ones.
    pub(super) fn inflate(&self, stored: &[u8], plain: usize, into: &mut Vec<u8>) -> Option<()> {
        into.clear();
        // A page without values has no bytes, however it is stored.
        if plain == 0 {
            return Some(());
        }
        into.reserve_exact(plain);
        let mut inflater = self.inflater.borrow_mut();
        let inflater = match &mut *inflater {
            Some(inflater) => inflater,
            none => none.insert(zstd::bulk::Decompressor::new().ok()?),
        };
        let length = inflater.decompress_to_buffer(stored, into).ok()?;
        (length == plain).then_some(())
    }

    /// An error about the whole file.
    pub(crate) fn damaged(&self, what: &str) -> ReadError {
        whole(&self.pieces, what)
    }

    /// Gets all of a row group at once if it is not large, for a read of many of its columns.
    pub(super) fn fetch(&self, group: usize) {
        if let Some(bytes) = self.footer.bytes(group).filter(|bytes| bytes.end - bytes.start <= AT_ONCE_BYTES) {
            // What cannot be had so may be had in part.
            let _ = self.pieces.fetch(bytes.start, bytes.end - bytes.start);
        }
    }

    /// Lets the disk fetch these columns of those row groups.
    pub(super) fn announce_groups(&self, groups: impl Iterator<Item = usize>, leaves: &BTreeSet<usize>) {
        let chunks = groups.flat_map(|group| leaves.iter().filter_map(move |leaf| self.footer.chunk(group, *leaf)));
        let place = |(from, length): (u64, u64)| from..from.saturating_add(length);
        self.announce(chunks.map(|chunk| place(chunk.byte_range())).collect());
    }

    /// Lets the disk fetch what these columns have of the rows of row groups.
    pub(super) fn announce_rows<'r>(
        &self,
        groups: impl Iterator<Item = (&'r usize, &'r Bitmap)>,
        leaves: &BTreeSet<usize>,
    ) {
        let columns = groups.flat_map(|(group, rows)| leaves.iter().map(move |leaf| (*group, *leaf, rows)));
        let places = columns.filter_map(|(group, leaf, rows)| Some(self.column(group, leaf).ok()?.places(rows)));
        self.announce(places.flatten().collect());
    }

    fn announce(&self, places: Vec<Range<u64>>) {
        let places = joined(places);
        if !places.is_empty() {
            self.pieces.ranges.will_read(self.pieces.name, BlockFile::Data, &places);
        }
    }

    /// A column of a row group by its number.
    pub(super) fn column(&self, group: usize, leaf: usize) -> Result<Column<'_>, ReadError> {
        Column::open(self, group, leaf)
    }

    /// A column that every block has.
    pub(super) fn intrinsic(&self, group: usize, name: &str) -> Result<Column<'_>, ReadError> {
        let leaf = self.footer.leaf(name);
        let leaf = leaf.ok_or_else(|| self.damaged(&format!("there is no column {name}")))?;
        self.column(group, leaf)
    }

    /// An error about values of such a column.
    pub(super) fn malformed(&self, group: usize, name: &str) -> ReadError {
        match self.intrinsic(group, name) {
            Ok(column) => column.damaged("a value is malformed"),
            Err(error) => error,
        }
    }

    /// Calls `each` with those of the rows that have a value in the column, and where it lies in its page.
    pub(super) fn for_each(
        &self,
        group: usize,
        name: &str,
        rows: &Bitmap,
        mut each: impl FnMut(usize, &Page, usize),
    ) -> Result<(), ReadError> {
        let mut column = self.intrinsic(group, name)?;
        while let Some(page) = column.next(rows)? {
            page.for_each_in(rows, |row, at| each(row, &page, at));
        }
        Ok(())
    }

    /// The parts of a range of rows that lie in one row group each: the group, and the rows within it.
    pub(super) fn parts(&self, rows: Range<u64>) -> impl Iterator<Item = (usize, Range<usize>)> + '_ {
        let firsts = &self.footer.first_rows;
        let groups = if rows.is_empty() { 0..0 } else { self.footer.group_of(rows.start)..self.footer.group_count() };
        groups.map_while(move |group| {
            let (from, to) = (firsts[group], firsts[group + 1]);
            let (start, end) = (rows.start.max(from), rows.end.min(to));
            (start < end).then(|| (group, (start - from) as usize..(end - from) as usize))
        })
    }
}

/// The places by rising offset without empty ones, those that lie close to each other as one.
fn joined(mut places: Vec<Range<u64>>) -> Vec<Range<u64>> {
    places.sort_unstable_by_key(|place| place.start);
    let mut joined: Vec<Range<u64>> = Vec::with_capacity(places.len());
    for place in places.into_iter().filter(|place| !place.is_empty()) {
        match joined.last_mut().filter(|last| place.start <= last.end.saturating_add(GAP_BYTES)) {
            Some(last) => last.end = last.end.max(place.end),
            None => joined.push(place),
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_close_to_each_other_are_one() {
        let far = 40 + GAP_BYTES;
        let places = vec![far + 1..far + 9, 5..30, 0..10, 20..25, 30..40, 7..7, far + 9..far + 10];
        assert_eq!(joined(places), [0..40, far + 1..far + 10]);
        assert_eq!(joined(vec![0..40, far..far + 9, 2 * far + 10..3 * far]), [0..far + 9, 2 * far + 10..3 * far]);
    }
}
