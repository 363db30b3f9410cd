//! Which rows are read, and where their spans are.

use std::ops::Range;

use clew_model::Span;

use super::super::bitmap::Bitmap;
use super::super::column::Page;
use super::super::damage::ReadError;
use super::super::data::Data;

/// Which of a range of rows are read, and which of the spans each is.
pub(super) struct Rows {
    pub(super) all: Range<u64>,
    /// The place of each row's span, or [`Self::GAP`]; `None` when all rows are read.
    places: Option<Vec<u32>>,
    pub(super) count: usize,
}

/// Those of them that lie in one row group.
pub(super) struct Part<'p> {
    pub(super) group: usize,
    /// The group's first row.
    pub(super) first_row: u64,
    /// The rows that are read, within their group.
    pub(super) map: Bitmap,
    pub(super) rows: &'p Rows,
    /// Those of all rows.
    pub(super) spans: &'p mut [Span],
}

/// A row of a group and the place of one of its attributes.
pub(super) type Wanted = (usize, usize);

impl Rows {
    /// Stands for a row that is not read.
    const GAP: u32 = u32::MAX;

    /// A range without gaps, which rise.
    pub(super) fn new(all: Range<u64>, gaps: &[Range<u64>]) -> Self {
        let length = (all.end - all.start) as usize;
        let within = |gap: &Range<u64>| gap.start.max(all.start)..gap.end.min(all.end);
        let own: Vec<_> = gaps.iter().map(within).filter(|gap| !gap.is_empty()).collect();
        if own.is_empty() {
            return Self { all, places: None, count: length };
        }
        let mut places = Vec::with_capacity(length);
        let (mut count, mut row) = (0, all.start);
        for gap in own.into_iter().chain(std::iter::once(all.end..all.end)) {
            let read = gap.start.saturating_sub(row) as u32;
            places.extend(count..count + read);
            places.extend(std::iter::repeat_n(Self::GAP, (gap.end - gap.start) as usize));
            count += read;
            row = gap.end;
        }
        Self { all, places: Some(places), count: count as usize }
    }

    /// The place of a row's span, if it is read.
    pub(super) fn place(&self, row: u64) -> Option<usize> {
        let at = row.checked_sub(self.all.start).filter(|_| row < self.all.end)? as usize;
        match &self.places {
            None => Some(at),
            Some(places) => places.get(at).filter(|place| **place != Self::GAP).map(|place| *place as usize),
        }
    }
}

impl Part<'_> {
    /// Calls `set` with each span that has a value in the column.
    pub(super) fn each(
        &mut self,
        data: &Data,
        name: &str,
        mut set: impl FnMut(&mut Span, &Page, usize),
    ) -> Result<(), ReadError> {
        self.each_row(data, name, |_, span, page, at| set(span, page, at))
    }

    /// The same with the row within its group.
    pub(super) fn each_row(
        &mut self,
        data: &Data,
        name: &str,
        mut set: impl FnMut(usize, &mut Span, &Page, usize),
    ) -> Result<(), ReadError> {
        let Self { first_row, map, rows, spans, .. } = self;
        data.for_each(self.group, name, map, |row, page, at| {
            if let Some(place) = rows.place(*first_row + row as u64) {
                set(row, &mut spans[place], page, at);
            }
        })
    }

    /// The span of a row that is read.
    pub(super) fn span(&mut self, row: usize) -> &mut Span {
        let place = self.rows.place(self.first_row + row as u64);
        &mut self.spans[place.expect("only rows that are read are wanted")]
    }

    /// Rows of the group, as a set.
    pub(super) fn map_of(&self, wanted: &[Wanted]) -> Bitmap {
        let mut map = Bitmap::none(self.map.row_count());
        for (row, _) in wanted {
            map.set(*row);
        }
        map
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_between_gaps_follow_each_other() {
        let places = |rows: Range<u64>, gaps: &[Range<u64>]| {
            let made = Rows::new(rows.clone(), gaps);
            let places: Vec<_> = rows.clone().filter_map(|row| made.place(row)).collect();
            assert_eq!(places, (0..made.count).collect::<Vec<_>>());
            assert_eq!((made.place(rows.start.wrapping_sub(1)), made.place(rows.end)), (None, None));
            rows.filter(|row| made.place(*row).is_some()).collect::<Vec<_>>()
        };
        assert_eq!(places(5..9, &[]), [5, 6, 7, 8]);
        assert_eq!(places(5..9, &[0..3, 20..30]), [5, 6, 7, 8]);
        assert_eq!(places(5..15, &[2..6, 7..9, 9..10, 14..20]), [6, 10, 11, 12, 13]);
        assert_eq!(places(5..9, &[0..7, 7..20]), [0_u64; 0]);
    }
}
