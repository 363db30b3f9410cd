//! Finds the class of a span among those of a chunk that grows.
//!
//! What a class is made of comes in two halves: where the span is from, which is the same for all spans of a scope's message,
//! and what it is, of which there are few. So a class is found by two small numbers, and of the tables only a few lines are
//! in use at a time.

use std::hash::{BuildHasher, Hasher};

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use super::chunk::{Class, heap};
use super::dictionary::SPREAD;

/// A class without its resource and scope.
type Family = Class;

/// The tables.
#[derive(Debug)]
pub(super) struct Classes {
    hashes: RandomState,
    /// Resources with scopes.
    pairs: Vec<(u32, u32)>,
    pair_numbers: HashTable<u32>,
    families: Vec<Family>,
    family_numbers: HashTable<Known>,
    /// By [`Classes::slot`], the number of the family that was last looked up.
    recent: Box<[u32; RECENT]>,
    /// Per near pair, by number of family, the class; [`UNKNOWN`] where there is none yet.
    near: Vec<[u32; NEAR_FAMILIES]>,
    /// The classes of all others, by number of pair and of family.
    far: HashTable<(u64, u32)>,
}

/// An entry of a table: where what has this hash lies.
#[derive(Debug, Clone, Copy)]
struct Known {
    hash: u64,
    number: u32,
}

/// A power of two.
const RECENT: usize = 64;

/// Families of a pair that are found without hashing.
const NEAR_FAMILIES: usize = 64;

/// Pairs that have such.
const NEAR_PAIRS: usize = 256;

/// No class.
const UNKNOWN: u32 = u32::MAX;

impl Classes {
    /// Knows none yet.
    pub(super) fn new(hashes: RandomState) -> Self {
        Self {
            hashes,
            pairs: Vec::new(),
            pair_numbers: HashTable::new(),
            families: Vec::new(),
            family_numbers: HashTable::new(),
            recent: Box::new([u32::MAX; RECENT]),
            near: Vec::new(),
            far: HashTable::new(),
        }
    }

    /// The number of a resource with a scope, new or known.
    pub(super) fn pair(&mut self, resource: u32, scope: u32) -> u32 {
        let hash = |(resource, scope): (u32, u32)| spread(u64::from(resource) << 32 | u64::from(scope));
        let (pair, pairs) = ((resource, scope), &mut self.pairs);
        if let Some(number) = self.pair_numbers.find(hash(pair), |number| pairs[*number as usize] == pair) {
            return *number;
        }
        let number = pairs.len() as u32;
        pairs.push(pair);
        self.pair_numbers.insert_unique(hash(pair), number, |number| hash(pairs[*number as usize]));
        number
    }

    /// The number of a class, whose resource and scope are those of the pair: the class is put behind the others if it is new.
    #[inline]
    pub(super) fn class(&mut self, classes: &mut Vec<Class>, pair: u32, family: Family) -> u32 {
        let number = self.family(family);
        if let Some(near) = self.near.get_mut(pair as usize)
            && let Some(class) = near.get_mut(number as usize)
        {
            if *class == UNKNOWN {
                *class = add(classes, self.pairs[pair as usize], family);
            }
            return *class;
        }
        self.far_class(classes, pair, number)
    }

    #[cold]
    fn far_class(&mut self, classes: &mut Vec<Class>, pair: u32, family: u32) -> u32 {
        let (place, class) = (self.pairs[pair as usize], self.families[family as usize]);
        if (family as usize) < NEAR_FAMILIES && (pair as usize) < NEAR_PAIRS {
            self.near.resize(pair as usize + 1, [UNKNOWN; NEAR_FAMILIES]);
            let class = add(classes, place, class);
            self.near[pair as usize][family as usize] = class;
            return class;
        }
        let key = u64::from(pair) << 32 | u64::from(family);
        if let Some((_, class)) = self.far.find(spread(key), |known| known.0 == key) {
            return *class;
        }
        let class = add(classes, place, class);
        self.far.insert_unique(spread(key), (key, class), |known| spread(known.0));
        class
    }

    #[inline]
    fn family(&mut self, family: Family) -> u32 {
        let slot = Self::slot(&family);
        let recent = self.recent[slot];
        if self.families.get(recent as usize) == Some(&family) {
            return recent;
        }
        let number = self.look_up_family(family);
        self.recent[slot] = number;
        number
    }

    fn look_up_family(&mut self, family: Family) -> u32 {
        let mut hasher = self.hashes.build_hasher();
        hasher.write_u64(u64::from(family.name) | u64::from(family.shape) << 32);
        let small = u64::from(family.notes.0) | (family.kind as u64) << 16 | (family.status as u64) << 20;
        hasher.write_u64(small | u64::from(family.error) << 24 | u64::from(family.flags) << 32);
        let hash = hasher.finish();
        let families = &mut self.families;
        let same = |known: &Known| known.hash == hash && families[known.number as usize] == family;
        if let Some(known) = self.family_numbers.find(hash, same) {
            return known.number;
        }
        let number = families.len() as u32;
        families.push(family);
        self.family_numbers.insert_unique(hash, Known { hash, number }, |known| known.hash);
        number
    }

    /// A slot of [`Classes::recent`].
    #[inline]
    fn slot(family: &Family) -> usize {
        let parts = u64::from(family.name) << 24 ^ u64::from(family.shape) << 8;
        let parts = parts ^ (family.kind as u64) << 4 ^ family.status as u64;
        (parts.wrapping_mul(SPREAD) >> (u64::BITS - RECENT.ilog2())) as usize
    }

    /// Heap bytes held.
    pub(super) fn heap_bytes(&self) -> usize {
        heap(&self.pairs)
            + self.pair_numbers.allocation_size()
            + heap(&self.families)
            + self.family_numbers.allocation_size()
            + size_of_val(&*self.recent)
            + heap(&self.near)
            + self.far.allocation_size()
    }
}

fn add(classes: &mut Vec<Class>, (resource, scope): (u32, u32), family: Family) -> u32 {
    classes.push(Class { resource, scope, ..family });
    classes.len() as u32 - 1
}

/// Numbers that count up differ in their low bits alone; a table looks at the highest, too.
#[inline]
fn spread(number: u64) -> u64 {
    let spread = number.wrapping_mul(SPREAD);
    spread ^ spread >> 32
}

#[cfg(test)]
#[path = "classes/tests.rs"]
mod tests;
