//! Section `blooms`: split-block Bloom filters over the attributes of a row group.
//!
//! A filter is a row of blocks of eight 32-bit lanes; a pair of key and value sets one bit in each lane of one block, so
//! that a question touches 32 bytes. With 12 bits for each pair one in about 200 absent ones seems to be there.

use clew_model::ValueRef;
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use super::bytes::make_room;

const LANES: usize = 8;
/// Bytes of a block.
pub const BLOCK_BYTES: usize = LANES * 4;
const BITS_PER_PAIR: usize = 12;
/// Odd numbers, one per lane, of the Parquet format's filter.
const SALTS: [u32; LANES] =
    [0x47b6_137b, 0x4497_4d91, 0x8824_ad5b, 0xa2b7_289d, 0x7054_95c7, 0x2df1_424b, 0x9efc_4947, 0x5c6b_fb31];

/// A filter while it is filled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bloom {
    blocks: Vec<[u32; LANES]>,
}

/// The hash of a key, from which hashes of its pairs are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyHash(u64);

impl Bloom {
    /// The filter of these distinct hashes.
    pub fn of(hashes: impl ExactSizeIterator<Item = u64>) -> Self {
        let blocks = (hashes.len() * BITS_PER_PAIR).div_ceil(BLOCK_BYTES * 8).max(1);
        let mut bloom = Self { blocks: vec![[0; LANES]; blocks] };
        for hash in hashes {
            let block = &mut bloom.blocks[block_of(hash, blocks)];
            block.iter_mut().zip(bits(hash)).for_each(|(lane, bit)| *lane |= bit);
        }
        bloom
    }

    /// Its bytes.
    pub fn encode(&self, out: &mut Vec<u8>) {
        make_room(out, self.blocks.len() * BLOCK_BYTES);
        out.extend(self.blocks.iter().flatten().flat_map(|lane| lane.to_le_bytes()));
    }
}

/// Whether the filter of these bytes may hold a hash. A filter without blocks may hold any.
pub fn may_hold(filter: &[u8], hash: u64) -> bool {
    let (blocks, _) = filter.as_chunks::<BLOCK_BYTES>();
    let Some(block) = blocks.get(block_of(hash, blocks.len())) else { return true };
    let (lanes, _) = block.as_chunks::<4>();
    lanes.iter().zip(bits(hash)).all(|(lane, bit)| u32::from_le_bytes(*lane) & bit != 0)
}

impl KeyHash {
    /// The hash of that key.
    pub fn new(key: &str) -> Self {
        Self(xxh3_64(key.as_bytes()))
    }

    /// The hash of the pair; `None` for values that no filter holds.
    pub fn with(self, value: ValueRef<'_>) -> Option<u64> {
        // The type is a part of the seed: 1 and true differ, as they do in answers.
        let typed = |tag: u64, bytes: &[u8]| Some(xxh3_64_with_seed(bytes, self.0.wrapping_add(tag)));
        match value {
            ValueRef::String(text) => typed(1, text),
            ValueRef::Int(number) => typed(2, &number.to_le_bytes()),
            // All NaNs have one text, so they have one hash.
            ValueRef::Double(number) if number.is_nan() => typed(3, &f64::NAN.to_bits().to_le_bytes()),
            ValueRef::Double(number) => typed(3, &number.to_bits().to_le_bytes()),
            ValueRef::Bool(truth) => typed(4, &[u8::from(truth)]),
            ValueRef::Empty | ValueRef::Bytes(_) | ValueRef::Nested(_) => None,
        }
    }
}

fn block_of(hash: u64, blocks: usize) -> usize {
    (((hash >> 32) * blocks as u64) >> 32) as usize
}

fn bits(hash: u64) -> impl Iterator<Item = u32> {
    SALTS.iter().map(move |salt| 1 << ((hash as u32).wrapping_mul(*salt) >> 27))
}
