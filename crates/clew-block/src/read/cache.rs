//! The parsed parts of blocks that are kept in memory: one cache for all blocks, bounded in bytes, so that memory does
//! not grow with the number of blocks.

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use quick_cache::sync::DefaultLifecycle;
use quick_cache::{DefaultHashBuilder, OptionsBuilder, Weighter};

use crate::BlockName;

/// What is counted for an item besides its content: key, pointers, bookkeeping.
const ITEM_BYTES: u64 = 128;

/// About how large an item is, from which the cache derives how many it may have to track.
const USUAL_ITEM_BYTES: u64 = 64 << 10;

/// The parts of a block that are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Part {
    Header,
    Footer,
    Sums,
    Fence,
    /// All ids of the tenant of that number.
    Ids(u32),
    Traces,
    Groups,
    Names,
    Verdicts,
    Dropped,
    /// The filter of a row group.
    Bloom(u32),
    /// What the codes of a column of a row group stand for.
    Dictionary {
        group: u32,
        leaf: u32,
    },
    /// Ids and fence, made from the Parquet file.
    RemadeIds,
    /// Names and traces, made from the Parquet file.
    Remade,
    /// Which keys a tenant's rows of a row group have.
    Keys {
        tenant: u32,
        group: u32,
    },
    /// Which values a key has there.
    Values {
        tenant: u32,
        group: u32,
        key_hash: u64,
    },
}

/// Parts of blocks, shared by all blocks of a process.
pub struct Cache {
    items: quick_cache::sync::Cache<(BlockName, Part), Item, Weights>,
    hit_count: AtomicU64,
    miss_count: AtomicU64,
}

/// How a [`Cache`] fares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CacheFigures {
    /// Parts that were there.
    pub hit_count: u64,
    /// Parts that had to be read.
    pub miss_count: u64,
    /// Bytes held, about.
    pub held_bytes: u64,
    /// Bytes that may be held.
    pub limit_bytes: u64,
}

#[derive(Clone)]
struct Item {
    bytes: u64,
    content: Arc<dyn Any + Send + Sync>,
}

#[derive(Clone)]
struct Weights;

impl Weighter<(BlockName, Part), Item> for Weights {
    fn weight(&self, _: &(BlockName, Part), item: &Item) -> u64 {
        item.bytes
    }
}

impl Cache {
    /// A cache of at most so many bytes.
    pub fn new(limit_bytes: u64) -> Self {
        let mut options = OptionsBuilder::new();
        // A part may be as large as its share of the bytes: few shares, for few readers at a time.
        options.shards(2).weight_capacity(limit_bytes);
        options.estimated_items_capacity((limit_bytes / USUAL_ITEM_BYTES).max(16) as usize);
        let options = options.build().expect("both capacities were given");
        let items = quick_cache::sync::Cache::with_options(
            options,
            Weights,
            DefaultHashBuilder::default(),
            DefaultLifecycle::default(),
        );
        Self { items, hit_count: AtomicU64::new(0), miss_count: AtomicU64::new(0) }
    }

    /// How it fares.
    pub fn figures(&self) -> CacheFigures {
        CacheFigures {
            hit_count: self.hit_count.load(Ordering::Relaxed),
            miss_count: self.miss_count.load(Ordering::Relaxed),
            held_bytes: self.items.weight(),
            limit_bytes: self.items.capacity(),
        }
    }

    /// Forgets a block whose files are gone.
    pub fn forget(&self, name: BlockName) {
        self.items.retain(|key, _| key.0 != name);
    }

    /// The part, if it is there.
    pub(super) fn held<T: Send + Sync + 'static>(&self, name: BlockName, part: Part) -> Option<Arc<T>> {
        let item = self.items.get(&(name, part))?;
        self.hit_count.fetch_add(1, Ordering::Relaxed);
        Some(item.content.downcast().expect("each part has one type"))
    }

    /// The part, which `load` reads, with its size in bytes, when it is not there. Whoever wants it meanwhile waits.
    pub(super) fn get<T: Send + Sync + 'static, E>(
        &self,
        name: BlockName,
        part: Part,
        load: impl FnOnce() -> Result<(T, u64), E>,
    ) -> Result<Arc<T>, E> {
        let mut is_hit = true;
        let item = self.items.get_or_insert_with(&(name, part), || {
            is_hit = false;
            let (content, bytes) = load()?;
            Ok(Item { bytes: bytes + ITEM_BYTES, content: Arc::new(content) })
        })?;
        let count = if is_hit { &self.hit_count } else { &self.miss_count };
        count.fetch_add(1, Ordering::Relaxed);
        Ok(item.content.downcast().expect("each part has one type"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holds_no_more_than_its_limit() {
        let cache = Cache::new(1 << 20);
        let load = || Ok::<_, ()>((7_u32, 64 << 10));
        for number in 0..1000 {
            assert_eq!(*cache.get(BlockName(number), Part::Footer, load).unwrap(), 7);
        }
        let figures = cache.figures();
        assert!(figures.held_bytes <= figures.limit_bytes && figures.held_bytes > 0, "{figures:?}");
        assert_eq!((figures.hit_count, figures.miss_count), (0, 1000));
    }

    #[test]
    fn a_part_is_loaded_once_and_a_failure_is_not_kept() {
        let cache = Cache::new(1 << 20);
        assert_eq!(cache.get::<u32, _>(BlockName(1), Part::Sums, || Err("no")), Err("no"));
        assert_eq!(cache.get(BlockName(1), Part::Sums, || Ok::<_, ()>((1_u32, 4))), Ok(Arc::new(1)));
        assert_eq!(cache.get(BlockName(1), Part::Sums, || Ok::<_, ()>((2_u32, 4))), Ok(Arc::new(1)));
        assert_eq!(cache.get(BlockName(2), Part::Sums, || Ok::<_, ()>((2_u32, 4))), Ok(Arc::new(2)));
        cache.forget(BlockName(1));
        assert_eq!(cache.get(BlockName(1), Part::Sums, || Ok::<_, ()>((3_u32, 4))), Ok(Arc::new(3)));
        assert_eq!(cache.figures().hit_count, 1);
    }
}
