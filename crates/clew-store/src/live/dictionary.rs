//! Byte strings by number: the texts, keys and opaque values of a chunk.
//!
//! A string that comes again has one number, with one exception: values of an attribute that seldom come again (request
//! ids, say) are not looked up, which would cost more than it saves ([`Habit`]). So equal numbers mean equal strings, but
//! unlike numbers say nothing.

use std::hash::{BuildHasher, Hasher};

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use super::chunk::trim;

/// 2^64 by the golden ratio: a product's high bits depend on all bits below.
pub(super) const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

/// Code of the empty string, in every dictionary.
pub(super) const EMPTY: u32 = 0;

/// The strings, end to end.
#[derive(Debug)]
pub(super) struct Dictionary {
    arena: Vec<u8>,
    /// String `code` is `arena[bounds[code]..bounds[code + 1]]`.
    bounds: Vec<u32>,
}

/// The text of these bytes. What was stored is UTF-8: that the whole is, is seen faster than where it might not be.
pub(super) fn owned(bytes: &[u8]) -> String {
    str::from_utf8(bytes).map_or_else(|_| String::from_utf8_lossy(bytes).into_owned(), str::to_owned)
}

impl Dictionary {
    /// Holds the empty string; has room for that many strings and bytes.
    pub(super) fn with_capacity(strings: usize, bytes: usize) -> Self {
        let mut bounds = Vec::with_capacity(strings + 2);
        bounds.extend([0, 0]);
        Self { arena: Vec::with_capacity(bytes), bounds }
    }

    /// The string of a code that this dictionary gave out.
    #[inline]
    pub(super) fn get(&self, code: u32) -> &[u8] {
        let code = code as usize;
        &self.arena[self.bounds[code] as usize..self.bounds[code + 1] as usize]
    }

    /// The same as text.
    pub(super) fn text(&self, code: u32) -> String {
        owned(self.get(code))
    }

    /// The codes of a string: one, unless it is a value that was not looked up.
    pub(super) fn codes(&self, bytes: &[u8]) -> impl Iterator<Item = u32> {
        let is_same = move |bounds: &[u32]| {
            let [from, to] = [bounds[0] as usize, bounds[1] as usize];
            to - from == bytes.len() && self.arena[from..to] == *bytes
        };
        (0..).zip(self.bounds.windows(2)).filter(move |(_, bounds)| is_same(bounds)).map(|(code, _)| code)
    }

    /// How many strings there are.
    pub(super) fn len(&self) -> usize {
        self.bounds.len() - 1
    }

    /// How many bytes the strings have together.
    pub(super) fn arena_bytes(&self) -> usize {
        self.arena.len()
    }

    /// Heap bytes held.
    pub(super) fn heap_bytes(&self) -> usize {
        self.arena.capacity() + self.bounds.capacity() * size_of::<u32>()
    }

    /// Gives back unused room.
    pub(super) fn trim(&mut self) {
        trim(&mut self.arena);
        trim(&mut self.bounds);
    }

    fn push(&mut self, bytes: &[u8]) -> u32 {
        let code = self.len() as u32;
        self.arena.extend_from_slice(bytes);
        self.bounds.push(self.arena.len() as u32);
        code
    }
}

/// Finds the code of a string of a dictionary that still grows.
#[derive(Debug)]
pub(super) struct Interner {
    table: HashTable<Entry>,
    hashes: RandomState,
    /// By [`glance`], the code of the string that was last looked up: what comes often is found without hashing it.
    recent: Box<[u32; RECENT]>,
}

/// A power of two.
const RECENT: usize = 256;

/// Keeping half of the hash beside the code lets the table grow without reading strings, and settles most mismatches.
#[derive(Debug, Clone, Copy)]
struct Entry {
    hash: u32,
    code: u32,
}

impl Interner {
    /// Knows no strings yet.
    pub(super) fn new(hashes: RandomState) -> Self {
        Self { table: HashTable::new(), hashes, recent: Box::new([EMPTY; RECENT]) }
    }

    /// The code of a string, new or known.
    #[inline]
    pub(super) fn intern(&mut self, dictionary: &mut Dictionary, bytes: &[u8]) -> u32 {
        if bytes.is_empty() {
            return EMPTY;
        }
        let slot = glance(bytes);
        let recent = self.recent[slot];
        if is_same(dictionary.get(recent), bytes) {
            return recent;
        }
        let code = self.look_up(dictionary, bytes);
        self.recent[slot] = code;
        code
    }

    fn look_up(&mut self, dictionary: &mut Dictionary, bytes: &[u8]) -> u32 {
        let mut hasher = self.hashes.build_hasher();
        hasher.write(bytes);
        let hash = (hasher.finish() >> 32) as u32;
        let same = |entry: &Entry| entry.hash == hash && is_same(dictionary.get(entry.code), bytes);
        if let Some(entry) = self.table.find(spread(hash), same) {
            return entry.code;
        }
        let code = dictionary.push(bytes);
        self.table.insert_unique(spread(hash), Entry { hash, code }, |entry| spread(entry.hash));
        code
    }

    /// The code of a value of an attribute with that habit: known, if the habit is that values come again.
    #[inline]
    pub(super) fn intern_value(&mut self, dictionary: &mut Dictionary, bytes: &[u8], habit: &mut Habit) -> u32 {
        if is_same(dictionary.get(habit.last), bytes) {
            return habit.last;
        }
        let code = if habit.skipped > 0 {
            habit.skipped -= 1;
            dictionary.push(bytes)
        } else {
            let known_below = dictionary.len() as u32;
            let code = self.intern(dictionary, bytes);
            habit.learn(code < known_below);
            code
        };
        habit.last = code;
        code
    }

    /// Heap bytes held.
    pub(super) fn heap_bytes(&self) -> usize {
        self.table.allocation_size() + size_of_val(&*self.recent)
    }
}

/// Whether the values of an attribute come again, as far as is known.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Habit {
    /// Values that were looked up since the last judgement.
    asked: u16,
    /// How many of them were known.
    known: u16,
    /// How many are still to be stored without looking.
    skipped: u16,
    /// Code of the last one: many attributes have one value for long.
    last: u32,
}

impl Habit {
    /// Values looked up before a judgement.
    const ASKED: u16 = 64;
    /// Looking up pays from this many known ones among them: an entry takes about as many bytes as a short string.
    const KNOWN_MIN: u16 = 16;
    /// Values stored without looking before the next try.
    const SKIPPED: u16 = 960;

    #[inline]
    fn learn(&mut self, is_known: bool) {
        self.asked += 1;
        self.known += u16::from(is_known);
        if self.asked == Self::ASKED {
            let skipped = if self.known < Self::KNOWN_MIN { Self::SKIPPED } else { 0 };
            *self = Self { skipped, last: self.last, ..Self::default() };
        }
    }
}

/// A slot of [`Interner::recent`], from a string's length and ends. Whoever makes strings collide here makes them be
/// hashed as if there were no slots.
#[inline]
fn glance(bytes: &[u8]) -> usize {
    let ends = match (bytes.first_chunk(), bytes.last_chunk()) {
        (Some(first), Some(last)) => u64::from_le_bytes(*first) ^ u64::from_le_bytes(*last).rotate_left(29),
        _ => bytes.iter().fold(0, |all, byte| all << 8 | u64::from(*byte)),
    };
    ((ends ^ bytes.len() as u64).wrapping_mul(SPREAD) >> (u64::BITS - RECENT.ilog2())) as usize
}

/// Equality of short strings, word by word instead of by a call.
#[inline]
pub(super) fn is_same(one: &[u8], two: &[u8]) -> bool {
    if one.len() != two.len() {
        return false;
    }
    let word = |bytes: &[u8]| bytes.first_chunk().map(|word: &[u8; 8]| u64::from_le_bytes(*word));
    let last = |bytes: &[u8]| bytes.last_chunk().map(|word: &[u8; 8]| u64::from_le_bytes(*word));
    match one.len() {
        8..=16 => word(one) == word(two) && last(one) == last(two),
        17..=32 => {
            word(one) == word(two)
                && word(&one[8..]) == word(&two[8..])
                && last(one) == last(two)
                && last(&one[..one.len() - 8]) == last(&two[..two.len() - 8])
        }
        0..8 => one.iter().zip(two).all(|(one, two)| one == two),
        _ => one == two,
    }
}

/// Fills 64 bits from 32: the table looks at the lowest and the highest.
#[inline]
fn spread(hash: u32) -> u64 {
    u64::from(hash).wrapping_mul(SPREAD)
}
