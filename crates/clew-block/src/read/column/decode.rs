//! The values of Parquet pages, as far as our own files have them: plain, dictionary codes, byte stream split, deltas.
//!
//! Values stay what they are stored as: a code is not looked up, a text is not copied. `None` for bytes that are no such page.

use bytes::Bytes;
use parquet::basic::{Encoding, Type};

use super::bits::Bits;
use super::header::varint;
use super::runs::{Packed, VALUES_MAX, Wanted, bits, hybrid};

/// The values of a page or of a dictionary, without those that are null.
#[derive(Debug, Clone)]
pub(in crate::read) enum Values {
    /// Places in the column chunk's dictionary.
    Codes(Vec<u32>),
    /// Integers, or the bits of doubles.
    Numbers(Vec<u64>),
    /// Integers or the bits of doubles, whose bytes lie apart: all first ones, then all second ones.
    Split(Split),
    /// The same, as they are stored.
    Packed(Packed),
    /// Truth values.
    Bools(Bits),
    /// Texts or bytes.
    Texts(Texts),
    /// Ids: so many bytes each.
    Fixed(Bytes, usize),
}

/// Numbers that are put together when they are asked for: of most pages only a few are.
#[derive(Debug, Clone)]
pub(in crate::read) struct Split {
    bytes: Bytes,
    /// How many bytes a number has.
    width: usize,
    /// How many numbers the page has.
    stream: usize,
    /// The first one that is wanted, and how many are.
    first: usize,
    count: usize,
}

impl Split {
    /// A number; 0 beyond the last.
    #[inline]
    fn get(&self, at: usize) -> u64 {
        let at = at + self.first;
        if at >= self.stream {
            return 0;
        }
        let byte = |plane: usize| u64::from(self.bytes[plane * self.stream + at]) << (8 * plane);
        if self.width == 8 { (0..8).map(byte).sum() } else { (0..self.width).map(byte).sum() }
    }
}

/// Texts in one buffer.
#[derive(Debug, Clone)]
pub(in crate::read) struct Texts {
    bytes: Bytes,
    ranges: Vec<(u32, u32)>,
}

impl Texts {
    /// The bytes of a text; empty beyond the last.
    #[inline]
    fn get(&self, index: usize) -> &[u8] {
        let range = self.ranges.get(index);
        range.map_or(&[], |(from, to)| self.bytes.get(*from as usize..*to as usize).unwrap_or_default())
    }
}

impl Values {
    /// How many.
    pub(in crate::read) fn len(&self) -> usize {
        match self {
            Self::Codes(codes) => codes.len(),
            Self::Packed(packed) => packed.wanted.count,
            Self::Numbers(numbers) => numbers.len(),
            Self::Split(split) => split.count,
            Self::Bools(truths) => truths.len(),
            Self::Texts(texts) => texts.ranges.len(),
            Self::Fixed(bytes, width) => bytes.len() / width.max(&1),
        }
    }

    /// The bytes of a text or an id; empty when it is none.
    #[inline]
    pub(in crate::read) fn bytes(&self, at: usize) -> &[u8] {
        match self {
            Self::Texts(texts) => texts.get(at),
            Self::Fixed(bytes, width) => {
                at.checked_mul(*width).and_then(|from| bytes.get(from..from + width)).unwrap_or_default()
            }
            _ => &[],
        }
    }

    /// An integer, or the bits of a double; 0 when it is none.
    #[inline]
    pub(in crate::read) fn number(&self, at: usize) -> u64 {
        match self {
            Self::Numbers(numbers) => numbers.get(at).copied().unwrap_or(0),
            Self::Split(split) => split.get(at),
            _ => 0,
        }
    }

    /// A truth value.
    #[inline]
    pub(in crate::read) fn truth(&self, at: usize) -> bool {
        matches!(self, Self::Bools(truths) if truths.get(at))
    }

    /// About how many bytes of memory they take.
    pub(super) fn memory_bytes(&self) -> usize {
        match self {
            Self::Codes(codes) => codes.len() * 4,
            Self::Packed(packed) => packed.bytes.len(),
            Self::Numbers(numbers) => numbers.len() * 8,
            Self::Split(split) => split.bytes.len(),
            Self::Bools(truths) => truths.len() / 8,
            Self::Texts(texts) => texts.bytes.len() + texts.ranges.len() * 8,
            Self::Fixed(bytes, _) => bytes.len(),
        }
    }

    /// Those values of a page that are wanted, from a byte on. Texts and ids need the bytes as something to keep.
    pub(super) fn decode(
        page: &[u8],
        from: usize,
        keep: Option<&Bytes>,
        encoding: Encoding,
        physical: Type,
        width: usize,
        wanted: Wanted,
    ) -> Option<Self> {
        let Wanted { skip, count } = wanted;
        let end = skip.checked_add(count).filter(|end| *end <= VALUES_MAX)?;
        let bytes = page.get(from..)?;
        match (encoding, physical) {
            (Encoding::RLE_DICTIONARY, _) => {
                if count == 0 {
                    return Some(Self::Codes(Vec::new()));
                }
                let (bits, runs) = bytes.split_first()?;
                hybrid(runs, u32::from(*bits), wanted).map(Self::Codes)
            }
            (Encoding::PLAIN, Type::BYTE_ARRAY) => texts(keep?, from, wanted).map(Self::Texts),
            (Encoding::PLAIN, Type::FIXED_LEN_BYTE_ARRAY) => {
                let (first, end) = (skip.checked_mul(width)?, end.checked_mul(width)?);
                (bytes.len() >= end)
                    .then(|| keep.map(|keep| Self::Fixed(keep.slice(from + first..from + end), width)))?
            }
            (Encoding::PLAIN, Type::BOOLEAN) => {
                let mut truths = Bits::with_capacity(count);
                truths.push_bytes(bytes, skip, count)?;
                Some(Self::Bools(truths))
            }
            (Encoding::RLE, Type::BOOLEAN) => bits(bytes.get(4..)?, wanted).map(|(truths, _)| Self::Bools(truths)),
            (Encoding::PLAIN, Type::INT64 | Type::DOUBLE) => {
                let (words, _) = bytes.get(skip.checked_mul(8)?..end.checked_mul(8)?)?.as_chunks::<8>();
                Some(Self::Numbers(words.iter().map(|word| u64::from_le_bytes(*word)).collect()))
            }
            (Encoding::PLAIN, Type::INT32) => {
                let (words, _) = bytes.get(skip.checked_mul(4)?..end.checked_mul(4)?)?.as_chunks::<4>();
                Some(Self::Numbers(words.iter().map(|word| u64::from(u32::from_le_bytes(*word))).collect()))
            }
            (Encoding::BYTE_STREAM_SPLIT, Type::INT64 | Type::DOUBLE) => split(keep?.slice(from..), 8, wanted),
            (Encoding::BYTE_STREAM_SPLIT, Type::INT32) => split(keep?.slice(from..), 4, wanted),
            (Encoding::DELTA_BINARY_PACKED, Type::INT64) => deltas(bytes, end).map(|mut numbers| {
                numbers.drain(..skip.min(numbers.len()));
                Self::Numbers(numbers)
            }),
            (Encoding::DELTA_BINARY_PACKED, Type::INT32) => {
                let numbers = deltas(bytes, end)?;
                Some(Self::Numbers(numbers.into_iter().skip(skip).map(|number| u64::from(number as u32)).collect()))
            }
            _ => None,
        }
    }
}

/// The definition levels of some rows of a page.
pub(super) struct Levels {
    /// Of each row that is wanted, whether there is a value.
    pub(super) is_set: Bits,
    /// The values of the rows before, and of these.
    pub(super) values: Wanted,
    /// Where values begin in the page.
    pub(super) end: usize,
}

/// The definition levels of the rows that are wanted.
pub(super) fn levels(bytes: &[u8], rows: Wanted) -> Option<Levels> {
    let length = u32::from_le_bytes(*bytes.first_chunk()?) as usize;
    let end = length.checked_add(4)?;
    let (levels, skip) = bits(bytes.get(4..end)?, rows)?;
    let values = Wanted { skip, count: levels.ones() };
    Some(Levels { is_set: levels, values, end })
}

fn texts(bytes: &Bytes, from: usize, wanted: Wanted) -> Option<Texts> {
    let Wanted { skip, count } = wanted;
    // Each takes four bytes at least: what is set aside stays in proportion to what was read.
    if bytes.len() < from.checked_add(count.checked_mul(4)?)? {
        return None;
    }
    let range = |at: usize| {
        let length = u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?) as usize;
        let end = (at + 4).checked_add(length).filter(|end| *end <= bytes.len())?;
        Some((at as u32 + 4, u32::try_from(end).ok()?))
    };
    let mut at = from;
    for _ in 0..skip {
        at = range(at)?.1 as usize;
    }
    let mut ranges = Vec::with_capacity(count);
    for _ in 0..count {
        let text = range(at)?;
        at = text.1 as usize;
        ranges.push(text);
    }
    Some(Texts { bytes: bytes.clone(), ranges })
}

/// The number of values of the whole page gives the length of a stream.
fn split(bytes: Bytes, width: usize, wanted: Wanted) -> Option<Values> {
    let stream = bytes.len() / width;
    let Wanted { skip: first, count } = wanted;
    (stream >= first + count).then_some(Values::Split(Split { bytes, width, stream, first, count }))
}

/// Differences in blocks, each with its least one and the widths of the rest.
fn deltas(mut input: &[u8], count: usize) -> Option<Vec<u64>> {
    let input = &mut input;
    let block = usize::try_from(varint(input)?).ok().filter(|block| *block <= VALUES_MAX)?;
    let parts = usize::try_from(varint(input)?).ok().filter(|parts| (1..=block).contains(parts))?;
    let total = usize::try_from(varint(input)?).ok()?;
    let mut last = zigzag(varint(input)?);
    if count > total {
        return None;
    }
    let mut numbers = Vec::with_capacity(count + 8);
    if count > 0 {
        numbers.push(last);
    }
    let part = block / parts;
    if part == 0 || part % 8 != 0 {
        return None;
    }
    while numbers.len() < count {
        let least = zigzag(varint(input)?);
        let widths = input.get(..parts)?;
        *input = &input[parts..];
        for width in widths {
            if numbers.len() >= count {
                break;
            }
            let width = usize::from(*width);
            let length = part.checked_mul(width)? / 8;
            let packed = input.get(..length)?;
            *input = &input[length..];
            for at in 0..part.min(count - numbers.len()) {
                last = last.wrapping_add(least).wrapping_add(packed_at(packed, at * width, width)?);
                numbers.push(last);
            }
        }
    }
    Some(numbers)
}

/// The number of `width` bits, at most 64, that begins at a bit.
#[inline]
fn packed_at(packed: &[u8], bit: usize, width: usize) -> Option<u64> {
    if width == 0 {
        return Some(0);
    }
    if width > 64 {
        return None;
    }
    let from = bit / 8;
    let bytes = &packed[from..packed.len().min(from + 16)];
    let mut word = [0; 16];
    word[..bytes.len()].copy_from_slice(bytes);
    Some((u128::from_le_bytes(word) >> (bit % 8)) as u64 & (u64::MAX >> (64 - width)))
}

fn zigzag(number: u64) -> u64 {
    (number >> 1) ^ (number & 1).wrapping_neg()
}

#[cfg(test)]
#[path = "decode/tests.rs"]
mod tests;
