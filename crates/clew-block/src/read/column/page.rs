//! The values of some rows of a column, which follow each other.

use std::ops::Range;
use std::sync::Arc;

use super::super::bitmap::Bitmap;
use super::bits::Bits;
use super::decode::Values;

/// A part of a page.
pub(in crate::read) struct Page {
    /// The rows, within their row group.
    pub(in crate::read) rows: Range<usize>,
    /// Which of the rows have a value; `None` when each has one.
    pub(super) levels: Option<Bits>,
    /// The values of the rows that have one.
    pub(in crate::read) values: Values,
    /// What codes stand for.
    pub(in crate::read) dictionary: Option<Arc<Values>>,
}

impl Page {
    /// Calls `each` with every row that has a value, within its row group, and the place of the value.
    #[inline]
    pub(in crate::read) fn for_each(&self, mut each: impl FnMut(usize, usize)) {
        let Some(levels) = &self.levels else {
            return self.rows.clone().enumerate().for_each(|(at, row)| each(row, at));
        };
        let mut at = 0;
        for (number, word) in levels.words().iter().enumerate() {
            let mut left = *word;
            while left != 0 {
                each(self.rows.start + number * 64 + left.trailing_zeros() as usize, at);
                left &= left - 1;
                at += 1;
            }
        }
    }

    /// Whether some of the rows may have no value.
    pub(in crate::read) fn has_nulls(&self) -> bool {
        self.levels.is_some()
    }

    /// Adds the rows that have a value.
    pub(in crate::read) fn add_present(&self, to: &mut Bitmap) {
        match &self.levels {
            None => to.set_range(self.rows.clone()),
            Some(levels) => to.set_bits(self.rows.start, levels),
        }
    }

    /// Adds the rows whose value is met, of which there is a bit for each value.
    pub(in crate::read) fn add_met(&self, to: &mut Bitmap, met: &Bits) {
        match &self.levels {
            None => to.set_bits(self.rows.start, met),
            Some(levels) => to.set_bits(self.rows.start, &met.spread(levels)),
        }
    }

    /// Calls `each` with those of the rows that have a value, and the place of the value.
    #[inline]
    pub(in crate::read) fn for_each_in(&self, rows: &Bitmap, mut each: impl FnMut(usize, usize)) {
        let first = self.rows.start;
        let Some(levels) = &self.levels else {
            return rows.iter_in(self.rows.clone()).for_each(|row| each(row, row - first));
        };
        let mut before = 0;
        for (number, word) in levels.words().iter().enumerate() {
            let start = first + number * 64;
            let mut left = word & rows.word_from(start);
            while left != 0 {
                let bit = left.trailing_zeros();
                // As many values as there are set levels below.
                each(start + bit as usize, before + (word & !(u64::MAX << bit)).count_ones() as usize);
                left &= left - 1;
            }
            before += word.count_ones() as usize;
        }
    }

    /// The code of a value and what it is a code of; `None` where values stand by themselves.
    #[inline]
    pub(in crate::read) fn code(&self, at: usize) -> Option<(u32, &Arc<Values>)> {
        match (&self.values, &self.dictionary) {
            (Values::Codes(codes), Some(dictionary)) => codes.get(at).map(|code| (*code, dictionary)),
            _ => None,
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
    pub(in crate::read) fn bytes(&self, at: usize) -> &[u8] {
        let (values, at) = self.resolve(at);
        values.bytes(at)
    }

    /// An integer, or the bits of a double; 0 when it is none.
    #[inline]
    pub(in crate::read) fn number(&self, at: usize) -> u64 {
        let (values, at) = self.resolve(at);
        values.number(at)
    }

    /// A truth value.
    pub(in crate::read) fn truth(&self, at: usize) -> bool {
        self.values.truth(at)
    }
}
