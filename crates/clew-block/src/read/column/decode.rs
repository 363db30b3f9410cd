//! The values of Parquet pages, as far as our own files have them: plain, dictionary codes, byte stream split, deltas.
//!
//! Values stay what they are stored as: a code is not looked up, a text is not copied. `None` for bytes that are no such page.

use bytes::Bytes;
use parquet::basic::{Encoding, Type};

use super::header::varint;

/// Most values of one page; no page of ours comes near, and no memory is set aside for more.
const VALUES_MAX: usize = 1 << 24;

/// The values of a page or of a dictionary, without those that are null.
#[derive(Debug, Clone)]
pub(in crate::read) enum Values {
    /// Places in the column chunk's dictionary.
    Codes(Vec<u32>),
    /// Integers, or the bits of doubles.
    Numbers(Vec<u64>),
    /// Integers or the bits of doubles, whose bytes lie apart: all first ones, then all second ones.
    Split(Split),
    /// Truth values.
    Bools(Vec<bool>),
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
    /// How many are wanted.
    count: usize,
}

impl Split {
    /// A number; 0 beyond the last.
    #[inline]
    fn get(&self, at: usize) -> u64 {
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
        matches!(self, Self::Bools(truths) if truths.get(at) == Some(&true))
    }

    /// The first `count` values that a page has from a byte on. Texts and ids need the bytes as something to keep.
    pub(super) fn decode(
        page: &[u8],
        from: usize,
        keep: Option<&Bytes>,
        encoding: Encoding,
        physical: Type,
        width: usize,
        count: usize,
    ) -> Option<Self> {
        if count > VALUES_MAX {
            return None;
        }
        let bytes = page.get(from..)?;
        match (encoding, physical) {
            (Encoding::RLE_DICTIONARY, _) => {
                if count == 0 {
                    return Some(Self::Codes(Vec::new()));
                }
                let (bits, runs) = bytes.split_first()?;
                hybrid(runs, u32::from(*bits), count).map(Self::Codes)
            }
            (Encoding::PLAIN, Type::BYTE_ARRAY) => texts(keep?, from, count).map(Self::Texts),
            (Encoding::PLAIN, Type::FIXED_LEN_BYTE_ARRAY) => {
                let length = count.checked_mul(width)?;
                (bytes.len() >= length).then(|| keep.map(|keep| Self::Fixed(keep.slice(from..from + length), width)))?
            }
            (Encoding::PLAIN, Type::BOOLEAN) => {
                let bits = bytes.get(..count.div_ceil(8))?;
                Some(Self::Bools((0..count).map(|at| bits[at / 8] >> (at % 8) & 1 == 1).collect()))
            }
            (Encoding::RLE, Type::BOOLEAN) => {
                let codes = hybrid(bytes.get(4..)?, 1, count)?;
                Some(Self::Bools(codes.into_iter().map(|code| code == 1).collect()))
            }
            (Encoding::PLAIN, Type::INT64 | Type::DOUBLE) => {
                let (words, _) = bytes.get(..count.checked_mul(8)?)?.as_chunks::<8>();
                Some(Self::Numbers(words.iter().map(|word| u64::from_le_bytes(*word)).collect()))
            }
            (Encoding::PLAIN, Type::INT32) => {
                let (words, _) = bytes.get(..count.checked_mul(4)?)?.as_chunks::<4>();
                Some(Self::Numbers(words.iter().map(|word| u64::from(u32::from_le_bytes(*word))).collect()))
            }
            (Encoding::BYTE_STREAM_SPLIT, Type::INT64 | Type::DOUBLE) => split(keep?.slice(from..), 8, count),
            (Encoding::BYTE_STREAM_SPLIT, Type::INT32) => split(keep?.slice(from..), 4, count),
            (Encoding::DELTA_BINARY_PACKED, Type::INT64) => deltas(bytes, count).map(Self::Numbers),
            (Encoding::DELTA_BINARY_PACKED, Type::INT32) => {
                let numbers = deltas(bytes, count)?;
                Some(Self::Numbers(numbers.into_iter().map(|number| u64::from(number as u32)).collect()))
            }
            _ => None,
        }
    }
}

/// The definition levels of the first `count` rows, 1 where there is a value, and where the values begin.
pub(super) fn levels(bytes: &[u8], count: usize) -> Option<(Vec<u32>, usize)> {
    let length = u32::from_le_bytes(*bytes.first_chunk()?) as usize;
    let end = length.checked_add(4)?;
    Some((hybrid(bytes.get(4..end)?, 1, count)?, end))
}

/// Runs of equal numbers and of packed ones, `bits` wide.
fn hybrid(mut input: &[u8], bits: u32, count: usize) -> Option<Vec<u32>> {
    if bits > 32 || count > VALUES_MAX {
        return None;
    }
    let mut numbers = Vec::with_capacity(count + 8);
    while numbers.len() < count {
        let header = varint(&mut input)?;
        let run = usize::try_from(header >> 1).ok().filter(|run| *run > 0)?;
        let left = count - numbers.len();
        if header & 1 == 0 {
            let width = bits.div_ceil(8) as usize;
            let mut number = [0; 4];
            number[..width].copy_from_slice(input.get(..width)?);
            input = &input[width..];
            numbers.resize(numbers.len() + run.min(left), u32::from_le_bytes(number));
        } else {
            // The last group may be cut short where its values end.
            let eights = run.min(left.div_ceil(8));
            let width = bits as usize;
            let packed = &input[..input.len().min(eights.checked_mul(width)?)];
            if (packed.len() * 8) < left.min(eights * 8).checked_mul(width)? {
                return None;
            }
            unpack(packed, width, eights, &mut numbers);
            input = &input[input.len().min(run.checked_mul(width)?)..];
        }
    }
    numbers.truncate(count);
    Some(numbers)
}

/// Adds eight numbers of `width` bits, at most 32, for each of `eights` groups.
fn unpack(packed: &[u8], width: usize, eights: usize, numbers: &mut Vec<u32>) {
    let mask = (1_u64 << width) - 1;
    for eight in 0..eights {
        let from = packed.len().min(eight * width);
        // A whole group and some bytes after it, which most groups have, or a copy that has them.
        let mut padded = [0; 40];
        let group = packed.get(from..from + 40).and_then(|group| group.first_chunk()).unwrap_or_else(|| {
            let group = &packed[from..packed.len().min(from + width)];
            padded[..group.len()].copy_from_slice(group);
            &padded
        });
        numbers.extend_from_slice(&eight_of(group, width, mask));
    }
}

#[inline]
fn eight_of(group: &[u8; 40], width: usize, mask: u64) -> [u32; 8] {
    std::array::from_fn(|at| {
        let bit = at * width;
        let word: [u8; 8] = group[bit / 8..bit / 8 + 8].try_into().unwrap_or_default();
        (u64::from_le_bytes(word) >> (bit % 8) & mask) as u32
    })
}

fn texts(bytes: &Bytes, from: usize, count: usize) -> Option<Texts> {
    // Each takes four bytes at least: what is set aside stays in proportion to what was read.
    if bytes.len() < from.checked_add(count.checked_mul(4)?)? {
        return None;
    }
    let mut ranges = Vec::with_capacity(count);
    let mut at = from;
    for _ in 0..count {
        let length = u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?) as usize;
        let end = (at + 4).checked_add(length).filter(|end| *end <= bytes.len())?;
        ranges.push((at as u32 + 4, u32::try_from(end).ok()?));
        at = end;
    }
    Some(Texts { bytes: bytes.clone(), ranges })
}

/// The number of values of the whole page gives the length of a stream.
fn split(bytes: Bytes, width: usize, count: usize) -> Option<Values> {
    let stream = bytes.len() / width;
    (stream >= count).then_some(Values::Split(Split { bytes, width, stream, count }))
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
mod tests {
    use super::*;

    fn numbers(encoding: Encoding, bytes: &[u8], count: usize) -> Option<Vec<u64>> {
        let bytes = Bytes::copy_from_slice(bytes);
        let values = Values::decode(&bytes, 0, Some(&bytes), encoding, Type::INT64, 8, count)?;
        Some((0..values.len()).map(|at| values.number(at)).collect())
    }

    #[test]
    fn runs_and_packed_numbers() {
        // The example of the format's description: 0 to 7, three bits wide; then a run of five fours.
        let packed = [0b11, 0b1000_1000, 0b1100_0110, 0b1111_1010, 5 << 1, 4];
        assert_eq!(hybrid(&packed, 3, 13).unwrap(), [0, 1, 2, 3, 4, 5, 6, 7, 4, 4, 4, 4, 4]);
        assert_eq!(hybrid(&packed, 3, 14), None);
        assert_eq!(hybrid(&packed[..2], 3, 3), None, "two bytes are too few for three groups of three bits");
        assert_eq!(hybrid(&[200, 1], 0, 100).unwrap(), [0; 100]);
        assert_eq!(hybrid(&[0, 0], 8, 1), None, "an empty run would never end");
    }

    #[test]
    fn deltas_of_any_width() {
        // One block of 8 in one part: 7, then -2 + (0, 1, 2, 3).
        let bytes = [8, 1, 5, 14, 3, 2, 0b1110_0100, 0];
        assert_eq!(numbers(Encoding::DELTA_BINARY_PACKED, &bytes, 5).unwrap(), [7, 5, 4, 4, 5]);
        assert_eq!(numbers(Encoding::DELTA_BINARY_PACKED, &bytes, 6), None);
        assert_eq!(numbers(Encoding::DELTA_BINARY_PACKED, &bytes[..6], 5), None);
    }

    #[test]
    fn streams_of_bytes() {
        let (one, two) = (0x0102_0304_0506_0708_u64.to_le_bytes(), u64::MAX.to_le_bytes());
        let split: Vec<u8> = (0..8).flat_map(|at| [one[at], two[at]]).collect();
        assert_eq!(numbers(Encoding::BYTE_STREAM_SPLIT, &split, 2).unwrap(), [0x0102_0304_0506_0708, u64::MAX]);
        assert_eq!(numbers(Encoding::BYTE_STREAM_SPLIT, &split, 1).unwrap(), [0x0102_0304_0506_0708]);
        assert_eq!(numbers(Encoding::BYTE_STREAM_SPLIT, &split, 3), None);
    }
}
