//! Numbers in runs: Parquet's mixture of equal ones and of packed ones, for codes and levels.

use bytes::Bytes;

use super::bits::Bits;
use super::header::varint;

/// Most values of one page; no page of ours comes near, and no memory is set aside for more.
pub(super) const VALUES_MAX: usize = 1 << 24;

/// So many of 64 codes are looked at one by one: all eight of an eight at once cost as much as three.
const SINGLY_MAX: u32 = 16;

/// Which rows or values of a page are wanted: so many after so many others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) skip: usize,
    pub(super) count: usize,
}

/// Codes as they are stored.
#[derive(Debug, Clone)]
pub(in crate::read) struct Packed {
    pub(super) bytes: Bytes,
    /// Where their runs begin.
    from: usize,
    bits: u32,
    pub(super) wanted: Wanted,
}

impl Packed {
    /// Those codes of a page that are wanted, from a byte on.
    pub(super) fn new(bytes: &Bytes, from: usize, wanted: Wanted) -> Option<Self> {
        let bits = if wanted.count == 0 { 0 } else { u32::from(*bytes.get(from)?) };
        (bits <= 32).then(|| Self { bytes: bytes.clone(), from: from + 1, bits, wanted })
    }

    /// Which codes are met, of which `entries` says so, where `asked` has one for the 64 codes from a place on; `None` when
    /// one of those is beyond the entries, or when there are too few codes.
    pub(in crate::read) fn met(&self, entries: &[bool], asked: impl Fn(usize) -> u64) -> Option<Bits> {
        let Wanted { mut skip, count } = self.wanted;
        let mut met = Bits::with_capacity(count);
        let mut input = self.bytes.get(self.from..).unwrap_or_default();
        while met.len() < count {
            let Run { length, kind } = run(&mut input, self.bits)?;
            let passed = skip.min(length);
            skip -= passed;
            let taken = (length - passed).min(count - met.len());
            match kind {
                RunKind::Equal(code) if taken > 0 => met.push_equal(*entries.get(code as usize)?, taken),
                RunKind::Packed(packed) if taken > 0 => {
                    self.met_packed(packed, (passed, taken), entries, &asked, &mut met)?;
                }
                _ => {}
            }
        }
        Some(met)
    }

    fn met_packed(
        &self,
        packed: &[u8],
        (passed, taken): (usize, usize),
        entries: &[bool],
        asked: &impl Fn(usize) -> u64,
        met: &mut Bits,
    ) -> Option<()> {
        let (width, lead) = (self.bits as usize, passed % 8);
        let packed = packed.get(passed / 8 * width..)?;
        let (mut from, end) = (lead, lead + taken);
        if packed.len() * 8 < end * width {
            return None;
        }
        while from < end {
            // All but the first begin with an eight.
            let count = (end - from).min(64 - from % 8);
            let mut asked = asked(met.len()) & u64::MAX >> (64 - count);
            let mut word = 0;
            if asked.count_ones() <= SINGLY_MAX {
                while asked != 0 {
                    let at = asked.trailing_zeros() as usize;
                    word |= u64::from(*entries.get(code_at(packed, from + at, width))?) << at;
                    asked &= asked - 1;
                }
            } else {
                let mask = (1_u64 << width) - 1;
                for eight in from / 8..(from + count).div_ceil(8) {
                    let group = eight_of(&group_at(packed, eight, width), width, mask);
                    let (first, own) = (eight * 8, from.max(eight * 8)..(from + count).min(eight * 8 + 8));
                    for at in own {
                        word |= u64::from(*entries.get(group[at - first] as usize)?) << (at - from);
                    }
                }
            }
            met.push_word(word, count);
            from += count;
        }
        Some(())
    }
}

/// A run of equal numbers, or of packed ones.
struct Run<'p> {
    length: usize,
    kind: RunKind<'p>,
}

enum RunKind<'p> {
    Equal(u32),
    /// The last run of a page may be cut short where its values end.
    Packed(&'p [u8]),
}

/// The next run of numbers `bits` wide.
fn run<'p>(input: &mut &'p [u8], bits: u32) -> Option<Run<'p>> {
    let header = varint(input)?;
    let run = usize::try_from(header >> 1).ok().filter(|run| (1..=VALUES_MAX).contains(run))?;
    if header & 1 == 0 {
        let mut number = [0; 4];
        let (stored, rest) = input.split_at_checked(bits.div_ceil(8) as usize)?;
        number[..stored.len()].copy_from_slice(stored);
        *input = rest;
        return Some(Run { length: run, kind: RunKind::Equal(u32::from_le_bytes(number)) });
    }
    let (packed, rest) = input.split_at(input.len().min(run.checked_mul(bits as usize)?));
    *input = rest;
    Some(Run { length: run * 8, kind: RunKind::Packed(packed) })
}

/// The wanted ones of numbers `bits` wide, in runs.
pub(super) fn hybrid(mut input: &[u8], bits: u32, wanted: Wanted) -> Option<Vec<u32>> {
    let Wanted { mut skip, count } = wanted;
    if bits > 32 || count > VALUES_MAX {
        return None;
    }
    let mut numbers = Vec::with_capacity(count + 16);
    while numbers.len() < count {
        let Run { length, kind } = run(&mut input, bits)?;
        let passed = skip.min(length);
        skip -= passed;
        let taken = (length - passed).min(count - numbers.len());
        if taken == 0 {
            continue;
        }
        let end = numbers.len() + taken;
        match kind {
            RunKind::Equal(number) => numbers.resize(end, number),
            RunKind::Packed(packed) => {
                let (width, lead) = (bits as usize, passed % 8);
                let packed = packed.get(passed / 8 * width..)?;
                if packed.len() * 8 < (lead + taken) * width {
                    return None;
                }
                unpack(packed, width, lead, taken, &mut numbers);
            }
        }
    }
    Some(numbers)
}

/// The wanted ones of bits in runs, and how many of those before are set.
pub(super) fn bits(mut input: &[u8], wanted: Wanted) -> Option<(Bits, usize)> {
    let Wanted { mut skip, count } = wanted;
    if count > VALUES_MAX {
        return None;
    }
    let (mut bits, mut ones) = (Bits::with_capacity(count), 0);
    while skip > 0 || bits.len() < count {
        let Run { length, kind } = run(&mut input, 1)?;
        let passed = skip.min(length);
        skip -= passed;
        let taken = (length - passed).min(count - bits.len());
        match kind {
            RunKind::Equal(number) => {
                ones += if number == 1 { passed } else { 0 };
                bits.push_equal(number == 1, taken);
            }
            RunKind::Packed(packed) => {
                let (whole, rest) = (packed.get(..passed / 8)?, passed % 8);
                ones += whole.iter().map(|byte| byte.count_ones() as usize).sum::<usize>();
                if rest > 0 {
                    ones += (packed.get(passed / 8)? & ((1 << rest) - 1)).count_ones() as usize;
                }
                bits.push_bytes(packed, passed, taken)?;
            }
        }
    }
    Some((bits, ones))
}

/// Adds `count` numbers of `width` bits, at most 32, that follow `lead` others, which are fewer than eight.
fn unpack(packed: &[u8], width: usize, lead: usize, count: usize, numbers: &mut Vec<u32>) {
    let mask = (1_u64 << width) - 1;
    let start = numbers.len();
    for eight in 0..(lead + count).div_ceil(8) {
        let group = eight_of(&group_at(packed, eight, width), width, mask);
        numbers.extend_from_slice(if eight == 0 { &group[lead..] } else { &group });
    }
    numbers.truncate(start + count);
}

/// A group of eight numbers and some bytes after it.
#[inline]
fn group_at(packed: &[u8], eight: usize, width: usize) -> [u8; 40] {
    let from = packed.len().min(eight * width);
    if let Some(group) = packed.get(from..from + 40).and_then(|group| group.first_chunk()) {
        return *group;
    }
    let mut padded = [0; 40];
    let group = &packed[from..packed.len().min(from + width)];
    padded[..group.len()].copy_from_slice(group);
    padded
}

/// One number.
#[inline]
fn code_at(packed: &[u8], at: usize, width: usize) -> usize {
    let bit = at * width;
    let mut word = [0; 8];
    if let Some(held) = packed.get(bit / 8..bit / 8 + 8) {
        word.copy_from_slice(held);
    } else {
        let held = packed.get(bit / 8..).unwrap_or_default();
        word[..held.len()].copy_from_slice(held);
    }
    (u64::from_le_bytes(word) >> (bit % 8) & ((1 << width) - 1)) as usize
}

#[inline]
fn eight_of(group: &[u8; 40], width: usize, mask: u64) -> [u32; 8] {
    std::array::from_fn(|at| {
        let bit = at * width;
        let word: [u8; 8] = group[bit / 8..bit / 8 + 8].try_into().unwrap_or_default();
        (u64::from_le_bytes(word) >> (bit % 8) & mask) as u32
    })
}
