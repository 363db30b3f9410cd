//! Bits, one after the other: which rows of a page have a value, which of its values are true or met.

/// A row of bits. Those behind the last are zeros.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::read) struct Bits {
    words: Vec<u64>,
    len: usize,
}

impl Bits {
    /// None yet, and room for so many.
    pub(super) fn with_capacity(len: usize) -> Self {
        Self { words: Vec::with_capacity(len.div_ceil(64) + 1), len: 0 }
    }

    /// How many.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// The bits by 64, the first one lowest.
    pub(in crate::read) fn words(&self) -> &[u64] {
        &self.words
    }

    /// How many are set.
    pub(super) fn ones(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// A bit; not set beyond the last.
    #[inline]
    pub(super) fn get(&self, at: usize) -> bool {
        self.words.get(at / 64).is_some_and(|word| word >> (at % 64) & 1 == 1)
    }

    /// The first one that is set, or that is not.
    pub(in crate::read) fn first(&self, is_set: bool) -> Option<usize> {
        let flip = if is_set { 0 } else { u64::MAX };
        let (at, word) = self.words.iter().map(|word| word ^ flip).enumerate().find(|(_, word)| *word != 0)?;
        Some(at * 64 + word.trailing_zeros() as usize).filter(|at| *at < self.len)
    }

    /// All turned.
    pub(in crate::read) fn inverted(&self) -> Self {
        let mut inverted = Self { words: self.words.iter().map(|word| !word).collect(), len: self.len };
        if let (Some(last), rest @ 1..) = (inverted.words.last_mut(), self.len % 64) {
            *last &= low(rest);
        }
        inverted
    }

    /// Adds the lowest `count` bits of a word, at most 64; the others are zeros.
    #[inline]
    pub(in crate::read) fn push_word(&mut self, word: u64, count: usize) {
        let at = self.len % 64;
        match self.words.last_mut() {
            Some(last) if at > 0 => {
                *last |= word << at;
                if at + count > 64 {
                    self.words.push(word >> (64 - at));
                }
            }
            _ => self.words.extend((count > 0).then_some(word)),
        }
        self.len += count;
    }

    /// Adds `count` equal bits.
    pub(super) fn push_equal(&mut self, is_set: bool, count: usize) {
        let word = if is_set { u64::MAX } else { 0 };
        for from in (0..count).step_by(64) {
            let count = (count - from).min(64);
            self.push_word(word & low(count), count);
        }
    }

    /// Adds `count` bits of the bytes, from the bit `from` on; `None` when they are not there.
    pub(super) fn push_bytes(&mut self, bytes: &[u8], from: usize, count: usize) -> Option<()> {
        let end = from.checked_add(count).filter(|end| end.div_ceil(8) <= bytes.len())?;
        // With fewer than 57 at a time eight bytes hold all of them.
        for from in (from..end).step_by(56) {
            let count = (end - from).min(56);
            let mut word = [0; 8];
            let held = &bytes[from / 8..bytes.len().min(from / 8 + 8)];
            word[..held.len()].copy_from_slice(held);
            self.push_word(u64::from_le_bytes(word) >> (from % 8) & low(count), count);
        }
        Some(())
    }

    /// So many bits from a place on, at most 64.
    #[inline]
    fn word_at(&self, at: usize, count: usize) -> u64 {
        let (word, shift) = (at / 64, at % 64);
        let low_part = self.words.get(word).map_or(0, |word| word >> shift);
        let high_part = if shift == 0 { 0 } else { self.words.get(word + 1).map_or(0, |word| word << (64 - shift)) };
        (low_part | high_part) & low(count)
    }

    /// Spreads these over the places that are set in `present`: the first one to the first place, and so on.
    pub(in crate::read) fn spread(&self, present: &Self) -> Self {
        let (mut at, mut spread) = (0, Self::with_capacity(present.len));
        for (number, places) in present.words.iter().enumerate() {
            let count = places.count_ones() as usize;
            let mut own = self.word_at(at, count);
            at += count;
            let mut word = 0;
            if own == low(count) {
                word = *places;
            } else {
                let mut left = *places;
                while own != 0 {
                    let place = left & left.wrapping_neg();
                    word |= if own & 1 == 1 { place } else { 0 };
                    left ^= place;
                    own >>= 1;
                }
            }
            spread.push_word(word, (present.len - number * 64).min(64));
        }
        spread
    }
}

/// That many lowest bits, at most 64.
#[inline]
fn low(count: usize) -> u64 {
    if count == 0 { 0 } else { u64::MAX >> (64 - count) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bits(of: &[bool]) -> Bits {
        let mut bits = Bits::default();
        for bit in of {
            bits.push_word(u64::from(*bit), 1);
        }
        bits
    }

    fn list(bits: &Bits) -> Vec<bool> {
        (0..bits.len()).map(|at| bits.get(at)).collect()
    }

    fn drawn(seed: u64, count: usize) -> Vec<bool> {
        (0..count as u64)
            .map(|at| (at + 1).wrapping_mul(seed | 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 61 < 3)
            .collect()
    }

    #[test]
    fn runs_and_bytes_come_one_after_the_other() {
        let bytes = [0b1010_0110, 0xff, 0, 0b0001_1001, 7, 0x80, 3, 0xf0, 0x5a, 0xa5, 1, 2, 3, 4, 5, 6];
        let plain: Vec<bool> = (0..bytes.len() * 8).map(|at| bytes[at / 8] >> (at % 8) & 1 == 1).collect();
        for (lead, from, count) in [(0, 0, 128), (3, 5, 70), (64, 1, 63), (63, 7, 121), (130, 127, 1), (1, 0, 0)] {
            let mut made = Bits::with_capacity(lead + count);
            made.push_equal(true, lead);
            made.push_bytes(&bytes, from, count).unwrap();
            made.push_equal(false, 5);
            let expected: Vec<bool> = vec![true; lead]
                .into_iter()
                .chain(plain[from..from + count].iter().copied())
                .chain([false; 5])
                .collect();
            assert_eq!(list(&made), expected, "{lead}, {from}, {count}");
            assert_eq!(made.ones(), expected.iter().filter(|bit| **bit).count());
            assert_eq!(list(&made.inverted()), expected.iter().map(|bit| !bit).collect::<Vec<_>>());
            for is_set in [true, false] {
                assert_eq!(made.first(is_set), expected.iter().position(|bit| *bit == is_set));
                assert_eq!(made.inverted().first(is_set), expected.iter().position(|bit| *bit != is_set));
            }
        }
        assert_eq!(Bits::default().push_bytes(&bytes, 121, 8), None);
        assert_eq!(bits(&[]).first(true), None);
        assert_eq!(bits(&[true]).first(false), None);
    }

    #[test]
    fn spread_bits_lie_in_the_places_given() {
        for (seed, count) in [(1, 0), (2, 1), (3, 64), (4, 65), (5, 200), (6, 640)] {
            let present = drawn(seed, count);
            for values in [drawn(seed + 9, count), vec![true; count], vec![false; count]] {
                let mut next = values.iter();
                let expected: Vec<bool> = present.iter().map(|is_there| *is_there && *next.next().unwrap()).collect();
                let ones = present.iter().filter(|bit| **bit).count();
                assert_eq!(list(&bits(&values[..ones]).spread(&bits(&present))), expected, "{seed}");
            }
        }
    }
}
