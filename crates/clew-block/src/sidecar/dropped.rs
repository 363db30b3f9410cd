//! Section `dropped`: which traces were left out of the block, or of those that it was merged from, since they were not to be
//! kept. Blocks that nothing was left out of have none.
//!
//! A trace is a fingerprint of 40 bits, about 3 bytes in the section, by the hour in which it was left out. Whole hours are
//! forgotten when they are over. A trace that was never there is taken for one that was left out about n times in 2^40, n
//! being the number of fingerprints.

use std::collections::BTreeMap;
use std::ops::Range;

use clew_model::{Tenant, TraceId};

use super::bytes::{self, Bytes, SideError};

/// Fingerprints of a block at most: 13 MB of its sidecar. While they are gathered each takes 5 bytes of memory, and 3 more when the
/// section is made: 34 MB. Beyond it whole hours are forgotten, the oldest first.
pub const FINGERPRINTS_MAX: usize = 1 << 22;

/// Bytes of a bucket in the table before the fingerprints: its number and where it ends.
const BUCKET_BYTES: usize = 2 + 4;
/// Bytes of a fingerprint in its bucket.
const LOW_BYTES: usize = 3;
/// Bytes of an hour at least: the hour, and two counts.
const HOUR_BYTES_MIN: usize = 3 * 4;

/// 40 bits for a trace of a tenant, the high ones first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint([u8; 5]);

/// The traces that were left out, as they lie in the section.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Dropped {
    plain: Vec<u8>,
    /// By the hour.
    hours: Vec<Group>,
}

/// Where the fingerprints of one hour lie in the section.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Group {
    unix_hour: u32,
    bucket_count: usize,
    count: usize,
    /// The byte at which the numbers of its buckets begin; their ends follow, and the fingerprints.
    at: usize,
}

/// The section while it grows.
#[derive(Debug)]
pub struct DroppedBuilder {
    /// In any order, perhaps twice.
    hours: BTreeMap<u32, Vec<Fingerprint>>,
    count: usize,
    limit: usize,
    lost_count: u64,
}

impl Fingerprint {
    /// The fingerprint of a trace. It is part of the format: it never changes.
    ///
    /// The tenant's name, in pieces of 8 bytes of which the last is filled up with zeros, then its length, then the two halves
    /// of the id are mixed in one after the other; both halves, since ids of 64 bits are filled up with zeros in front.
    pub fn of(tenant: &Tenant, id: TraceId) -> Self {
        let name = tenant.as_str().as_bytes();
        let piece = |piece: &[u8]| {
            let mut word = [0; 8];
            word[..piece.len()].copy_from_slice(piece);
            u64::from_le_bytes(word)
        };
        let id = u128::from_be_bytes(id.0);
        let words = name.chunks(8).map(piece).chain([name.len() as u64, (id >> 64) as u64, id as u64]);
        let [high @ .., _, _, _] = words.fold(0, mix).to_be_bytes();
        Self(high)
    }

    /// Its high 16 bits.
    fn bucket(self) -> u16 {
        u16::from_be_bytes([self.0[0], self.0[1]])
    }

    /// Its low 24 bits.
    fn low(self) -> u32 {
        u32::from_be_bytes([0, self.0[2], self.0[3], self.0[4]])
    }

    fn from_parts(bucket: u16, low: u32) -> Self {
        let ([high, next], [_, low @ ..]) = (bucket.to_be_bytes(), low.to_be_bytes());
        Self([high, next, low[0], low[1], low[2]])
    }
}

/// Source: SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014): its increment and finalizer.
fn mix(state: u64, word: u64) -> u64 {
    let mut z = (state ^ word).wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl Dropped {
    /// The section's plain bytes.
    pub fn encode(self) -> Vec<u8> {
        self.plain
    }

    /// The section of these plain bytes. They stay as they are; that they are sorted is found out here.
    pub fn decode(plain: Vec<u8>) -> Result<Self, SideError> {
        let mut bytes = Bytes::new("dropped", &plain);
        let hour_count = bytes.u32()? as usize;
        if hour_count > plain.len() / HOUR_BYTES_MIN {
            return Err(bytes.problem("a count is beyond the end"));
        }
        let mut hours: Vec<Group> = Vec::with_capacity(hour_count);
        for _ in 0..hour_count {
            let (unix_hour, bucket_count, count) = (bytes.u32()?, bytes.u32()? as usize, bytes.u32()? as usize);
            let hour = Group { unix_hour, bucket_count, count, at: bytes.at() };
            if hours.last().is_some_and(|last| last.unix_hour >= unix_hour) {
                return Err(bytes.problem("its hours do not rise"));
            }
            let length = bucket_count.checked_mul(BUCKET_BYTES).zip(count.checked_mul(LOW_BYTES));
            let length = length.and_then(|(table, lows)| table.checked_add(lows));
            bytes.take(length.ok_or(bytes.problem("a count is beyond the end"))?)?;
            if !hour.is_sorted(&plain) {
                return Err(bytes.problem("its fingerprints are not sorted"));
            }
            hours.push(hour);
        }
        bytes.end()?;
        Ok(Self { plain, hours })
    }

    /// Whether a trace was left out in one of the unix hours from `since` on, or seems to be.
    pub fn holds(&self, fingerprint: Fingerprint, since: u32) -> bool {
        let mut young = self.hours.iter().filter(|hour| hour.unix_hour >= since);
        young.any(|hour| hour.holds(&self.plain, fingerprint))
    }

    /// How many fingerprints there are.
    pub fn count(&self) -> usize {
        self.hours.iter().map(|hour| hour.count).sum()
    }

    /// All of them, by the unix hour.
    fn each(&self) -> impl Iterator<Item = (u32, Fingerprint)> {
        self.hours.iter().flat_map(move |hour| {
            let buckets =
                (0..hour.bucket_count).map(move |at| (hour.number(&self.plain, at), hour.lows(&self.plain, at)));
            buckets.flat_map(move |(number, lows)| {
                lows.map(move |low| (hour.unix_hour, Fingerprint::from_parts(number, hour.low(&self.plain, low))))
            })
        })
    }

    /// What it takes in memory.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.plain.len() + self.hours.len() * size_of::<Group>()
    }
}

impl Group {
    /// The number of its bucket of that place.
    fn number(&self, plain: &[u8], place: usize) -> u16 {
        let at = self.at + place * 2;
        u16::from_le_bytes([plain[at], plain[at + 1]])
    }

    /// Which fingerprints are in its bucket of that place.
    fn lows(&self, plain: &[u8], place: usize) -> Range<usize> {
        let end = |place: usize| {
            let at = self.at + self.bucket_count * 2 + place * 4;
            u32::from_le_bytes([plain[at], plain[at + 1], plain[at + 2], plain[at + 3]]) as usize
        };
        place.checked_sub(1).map_or(0, end)..end(place)
    }

    /// The low bits of its fingerprint of that place.
    fn low(&self, plain: &[u8], place: usize) -> u32 {
        let at = self.at + self.bucket_count * BUCKET_BYTES + place * LOW_BYTES;
        u32::from_le_bytes([plain[at], plain[at + 1], plain[at + 2], 0])
    }

    fn holds(&self, plain: &[u8], fingerprint: Fingerprint) -> bool {
        let bucket = find(0..self.bucket_count, fingerprint.bucket(), |place| self.number(plain, place));
        let lows = bucket.map_or(0..0, |place| self.lows(plain, place));
        find(lows, fingerprint.low(), |place| self.low(plain, place)).is_some()
    }

    /// Whether all is as searches take it to be; its bytes are there.
    fn is_sorted(&self, plain: &[u8]) -> bool {
        let mut before = (None, 0);
        for place in 0..self.bucket_count {
            let (number, lows) = (self.number(plain, place), self.lows(plain, place));
            let is_whole = lows.start == before.1 && lows.start < lows.end && lows.end <= self.count;
            if before.0.is_some_and(|last| last >= number) || !is_whole {
                return false;
            }
            before = (Some(number), lows.end);
            if !lows.map(|low| self.low(plain, low)).is_sorted_by(|one, next| one < next) {
                return false;
            }
        }
        before.1 == self.count
    }
}

/// The place of a number among rising ones.
fn find<N: Copy + Ord>(places: Range<usize>, number: N, at: impl Fn(usize) -> N) -> Option<usize> {
    let Range { mut start, mut end } = places;
    while start < end {
        let middle = start + (end - start) / 2;
        match at(middle).cmp(&number) {
            std::cmp::Ordering::Equal => return Some(middle),
            std::cmp::Ordering::Less => start = middle + 1,
            std::cmp::Ordering::Greater => end = middle,
        }
    }
    None
}

impl Default for DroppedBuilder {
    fn default() -> Self {
        Self::with_limit(FINGERPRINTS_MAX)
    }
}

impl DroppedBuilder {
    /// One of at most so many fingerprints.
    pub(crate) fn with_limit(limit: usize) -> Self {
        Self { hours: BTreeMap::new(), count: 0, limit, lost_count: 0 }
    }

    /// Adds a trace that was left out in that unix hour.
    pub fn push(&mut self, unix_hour: u32, fingerprint: Fingerprint) {
        if self.count >= self.limit {
            // Those of an hour are forgotten together, and never for older ones.
            let oldest = self.hours.first_entry().filter(|oldest| *oldest.key() < unix_hour);
            let Some(oldest) = oldest else { return self.lost_count += 1 };
            let forgotten = oldest.remove().len();
            self.count -= forgotten;
            self.lost_count += forgotten as u64;
        }
        let own = self.hours.entry(unix_hour).or_default();
        bytes::make_room(own, 1);
        own.push(fingerprint);
        self.count += 1;
    }

    /// Adds what another block knows of the unix hours from `since` on.
    pub fn add(&mut self, other: &Dropped, since: u32) {
        other.each().filter(|(hour, _)| *hour >= since).for_each(|(hour, fingerprint)| self.push(hour, fingerprint));
    }

    /// How many there was no room for.
    pub fn lost_count(&self) -> u64 {
        self.lost_count
    }

    /// The section; `None` when there is nothing in it.
    pub fn finish(self) -> Option<Dropped> {
        if self.hours.is_empty() {
            return None;
        }
        let (mut plain, mut hours) = (Vec::new(), Vec::new());
        plain.extend((self.hours.len() as u32).to_le_bytes());
        for (unix_hour, mut fingerprints) in self.hours {
            fingerprints.sort_unstable();
            fingerprints.dedup();
            let buckets = || fingerprints.chunk_by(|one, next| one.bucket() == next.bucket());
            let (bucket_count, count) = (buckets().count(), fingerprints.len());
            bytes::make_room(&mut plain, HOUR_BYTES_MIN + bucket_count * BUCKET_BYTES + count * LOW_BYTES);
            for number in [unix_hour, bucket_count as u32, count as u32] {
                plain.extend(number.to_le_bytes());
            }
            hours.push(Group { unix_hour, bucket_count, count, at: plain.len() });
            buckets().for_each(|bucket| plain.extend(bucket[0].bucket().to_le_bytes()));
            let mut end = 0;
            for bucket in buckets() {
                end += bucket.len() as u32;
                plain.extend(end.to_le_bytes());
            }
            for fingerprint in &fingerprints {
                plain.extend(&fingerprint.low().to_le_bytes()[..LOW_BYTES]);
            }
        }
        Some(Dropped { plain, hours })
    }
}

#[cfg(test)]
#[path = "dropped/tests.rs"]
mod tests;
