//! A set of rows of one row group.

use std::ops::Range;

use super::column::Bits;

/// Which of the rows of a row group are in; one bit each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Bitmap {
    words: Vec<u64>,
    row_count: usize,
}

impl Bitmap {
    /// No row.
    pub(super) fn none(row_count: usize) -> Self {
        Self { words: vec![0; row_count.div_ceil(64)], row_count }
    }

    /// The rows of a range.
    pub(super) fn of_range(row_count: usize, rows: Range<usize>) -> Self {
        let mut made = Self::none(row_count);
        made.set_range(rows);
        made
    }

    /// How many rows there are, in or out.
    pub(super) fn row_count(&self) -> usize {
        self.row_count
    }

    /// Adds a row.
    #[inline]
    pub(super) fn set(&mut self, row: usize) {
        self.words[row / 64] |= 1 << (row % 64);
    }

    /// Adds a range of rows.
    pub(super) fn set_range(&mut self, rows: Range<usize>) {
        let rows = rows.start..rows.end.min(self.row_count);
        if rows.is_empty() {
            return;
        }
        let (first, last) = (rows.start / 64, (rows.end - 1) / 64);
        let (from, to) = (u64::MAX << (rows.start % 64), u64::MAX >> (63 - (rows.end - 1) % 64));
        if first == last {
            self.words[first] |= from & to;
            return;
        }
        self.words[first] |= from;
        self.words[first + 1..last].fill(u64::MAX);
        self.words[last] |= to;
    }

    /// Leaves out a range of rows.
    pub(super) fn clear_range(&mut self, rows: Range<usize>) {
        let rows = rows.start..rows.end.min(self.row_count);
        if rows.is_empty() {
            return;
        }
        let (first, last) = (rows.start / 64, (rows.end - 1) / 64);
        let (from, to) = (u64::MAX << (rows.start % 64), u64::MAX >> (63 - (rows.end - 1) % 64));
        if first == last {
            self.words[first] &= !(from & to);
            return;
        }
        self.words[first] &= !from;
        self.words[first + 1..last].fill(0);
        self.words[last] &= !to;
    }

    /// Adds those rows from `first` on whose bit is set.
    pub(super) fn set_bits(&mut self, first: usize, bits: &Bits) {
        let (at, shift) = (first / 64, first % 64);
        for (word, at) in bits.words().iter().zip(at..) {
            // Zeros behind the last bit are of no row.
            if let Some(low) = self.words.get_mut(at) {
                *low |= word << shift;
            }
            if let Some(high) = self.words.get_mut(at + 1).filter(|_| shift > 0) {
                *high |= word >> (64 - shift);
            }
        }
    }

    /// Which of the 64 rows from `first` on are in.
    #[inline]
    pub(super) fn word_from(&self, first: usize) -> u64 {
        let (at, shift) = (first / 64, first % 64);
        let low = self.words.get(at).map_or(0, |word| word >> shift);
        let high = if shift == 0 { 0 } else { self.words.get(at + 1).map_or(0, |word| word << (64 - shift)) };
        low | high
    }

    /// Whether the row is in.
    #[inline]
    pub(super) fn contains(&self, row: usize) -> bool {
        self.words[row / 64] >> (row % 64) & 1 == 1
    }

    /// Whether no row is in.
    pub(super) fn is_empty(&self) -> bool {
        self.words.iter().all(|word| *word == 0)
    }

    /// How many rows are in.
    pub(super) fn count(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// The first row that is in, from `start` on.
    pub(super) fn first_from(&self, start: usize) -> Option<usize> {
        let mut at = start / 64;
        let mut word = self.words.get(at)? & (u64::MAX << (start % 64));
        while word == 0 {
            at += 1;
            word = *self.words.get(at)?;
        }
        Some(at * 64 + word.trailing_zeros() as usize)
    }

    /// The last row that is in, below `end`.
    pub(super) fn last_below(&self, end: usize) -> Option<usize> {
        let end = end.min(self.row_count);
        let mut at = end.div_ceil(64);
        while at > 0 {
            at -= 1;
            let mut word = self.words[at];
            if at == end / 64 {
                word &= (1 << (end % 64)) - 1;
            }
            if word != 0 {
                return Some(at * 64 + 63 - word.leading_zeros() as usize);
            }
        }
        None
    }

    /// Leaves out the rows that are not in `other`.
    pub(super) fn intersect(&mut self, other: &Self) {
        self.words.iter_mut().zip(&other.words).for_each(|(word, other)| *word &= other);
    }

    /// Adds the rows of `other`.
    pub(super) fn unite(&mut self, other: &Self) {
        self.words.iter_mut().zip(&other.words).for_each(|(word, other)| *word |= other);
    }

    /// Leaves out the rows that are in `other`.
    pub(super) fn subtract(&mut self, other: &Self) {
        self.words.iter_mut().zip(&other.words).for_each(|(word, other)| *word &= !other);
    }

    /// The rows that are in, rising.
    pub(super) fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        self.iter_in(0..self.row_count)
    }

    /// The rows of the range that are in, rising.
    pub(super) fn iter_in(&self, rows: Range<usize>) -> impl Iterator<Item = usize> + '_ {
        let first = rows.start / 64;
        let words = self.words.iter().enumerate().take(rows.end.div_ceil(64)).skip(first);
        let ones = words.flat_map(move |(at, word)| {
            let mut left = if at == first { word & (u64::MAX << (rows.start % 64)) } else { *word };
            std::iter::from_fn(move || {
                let bit = (left != 0).then(|| left.trailing_zeros() as usize)?;
                left &= left - 1;
                Some(at * 64 + bit)
            })
        });
        ones.take_while(move |row| *row < rows.end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_and_rows_are_those_of_a_plain_set() {
        for (from, to) in [(0, 0), (0, 1), (3, 64), (63, 65), (64, 128), (5, 190), (130, 199), (0, 200)] {
            let map = Bitmap::of_range(200, from..to);
            assert_eq!(map.iter().collect::<Vec<_>>(), (from..to).collect::<Vec<_>>());
            assert_eq!((map.count(), map.is_empty()), (to - from, from == to));
            for (low, high) in [(0, 200), (10, 70), (64, 64), (64, 65), (63, 129), (190, 200)] {
                let inside: Vec<_> = (from.max(low)..to.min(high)).collect();
                assert_eq!(map.iter_in(low..high).collect::<Vec<_>>(), inside, "{from}..{to} in {low}..{high}");
            }
            for start in [0, 1, 63, 64, 65, 128, 199, 200, 300] {
                assert_eq!(map.first_from(start), (from.max(start)..to).next(), "{from}..{to} from {start}");
            }
            for end in [0, 1, 63, 64, 65, 128, 200] {
                assert_eq!(map.last_below(end), (from..to.min(end)).last(), "{from}..{to} below {end}");
            }
        }
    }

    #[test]
    fn ranges_are_left_out() {
        for (from, to) in [(0, 0), (0, 1), (3, 64), (63, 65), (64, 128), (5, 190), (130, 250), (0, 200), (200, 300)] {
            let mut map = Bitmap::of_range(200, 1..199);
            map.clear_range(from..to);
            let left: Vec<_> = (1..199).filter(|row| !(from..to).contains(row)).collect();
            assert_eq!(map.iter().collect::<Vec<_>>(), left, "{from}..{to}");
        }
    }

    #[test]
    fn bits_are_set_and_read_from_any_row_on() {
        for (from, count) in [(0, 0), (0, 1), (3, 61), (63, 2), (64, 64), (5, 185), (0, 200), (100, 70)] {
            let is_in = |row: &usize| row % 3 == 1;
            let mut bits = Bits::default();
            (from..from + count).for_each(|row| bits.push_word(u64::from(is_in(&row)), 1));
            let mut map = Bitmap::of_range(200, 10..12);
            map.set_bits(from, &bits);
            let mut plain: Vec<usize> = (10..12).chain((from..from + count).filter(is_in)).collect();
            plain.sort_unstable();
            plain.dedup();
            assert_eq!(map.iter().collect::<Vec<_>>(), plain, "{count} from {from}");
            for first in [0, 1, 63, 64, 100, 190, 300] {
                let word = (0..64).filter(|bit| plain.contains(&(first + bit))).fold(0, |word, bit| word | 1 << bit);
                assert_eq!(map.word_from(first), word, "from {first}");
            }
        }
    }

    #[test]
    fn sets_combine() {
        let (low, high) = (Bitmap::of_range(100, 0..70), Bitmap::of_range(100, 60..100));
        let combined = |with: fn(&mut Bitmap, &Bitmap)| {
            let mut made = low.clone();
            with(&mut made, &high);
            made
        };
        assert_eq!(combined(Bitmap::intersect), Bitmap::of_range(100, 60..70));
        assert_eq!(combined(Bitmap::unite), Bitmap::of_range(100, 0..100));
        assert_eq!(combined(Bitmap::subtract), Bitmap::of_range(100, 0..60));
        assert!(low.contains(69) && !low.contains(70));
    }
}
