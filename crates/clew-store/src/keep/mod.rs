//! What happens to spans after they are live: they are sealed into blocks, expire, and are deleted.
//!
//! One owner, the [`Keeper`], changes the catalog and the view; each change is one edit of the catalog, synced before anything
//! shows it or relies on it. It runs on a thread of its own in a store and step by step in the simulator; all it touches is
//! the ports.
//!
//! Invariants:
//! - B1 a block never changes after its edit; its name is used once.
//! - B2 every acknowledged span is in the log or in a block that the catalog names: files are made and synced first, then the
//!   edit, then the view, and the log is freed last.
//! - R1 nothing is removed under a reader: a removed block's files stay until no view holds it.
//!
//! | File | What |
//! |---|---|
//! | `policy` | when to cut |
//! | `retention` | which spans are over |
//! | `files` | the files of blocks |
//! | `seal` | from a generation to a block |
//! | `settle` | the edits of settlements |
//! | `figures` | the files of settlements as they grow old |
//! | `pin` | traces that are kept whatever else is decided |
//! | `rewrite` | a block without some of its spans |
//! | `merge` | several blocks into one |
//! | `start` | the blocks as they are found at the start |
//! | `thread` | the thread that a store runs it on |

pub(crate) mod figures;
pub(crate) mod files;
pub mod merge;
pub mod pin;
pub mod policy;
pub mod retention;
pub(crate) mod rewrite;
mod seal;
mod settle;
pub(crate) mod start;
pub(crate) mod thread;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Mutex};

use clew_block::{Block, BlockName, Cache, WriteError, WriteOptions};
use clew_model::{Tenant, TraceId};

use self::files::BlockFiles;
pub use self::merge::{Decided, MergeDone, MergeJob, MergePolicy, Undecided};
pub use self::pin::Pins;
use self::pin::{PinnedParts, Spared};
pub use self::policy::{Growth, SealPolicy};
use self::retention::{Held, NO_CLASSES, Over};
pub use self::retention::{Retention, SizeLimit, TenantRetention};
pub use self::seal::SealDone;
pub use self::settle::SettleDone;
pub use self::start::{Found, open};
use crate::catalog::{BlockEntry, Catalog, CommitError, Deletion, Edit, SettleEntry};
use crate::figures::Histogram;
use crate::log::recover::{LOG_FOLDER, segment_files};
use crate::settle::Book;
use crate::settle::files::SettleFiles;
use crate::settle::thread::lock;
use crate::view::{ViewCell, position};
use crate::{Ports, StoreConfig};

/// Why a seal, an expiry or a deletion did not come about. What was acknowledged is safe, and readers see what they saw.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeepError {
    /// The disk is full.
    #[error("the disk is full: {0}")]
    Full(String),
    /// The disk failed.
    #[error("the disk failed: {0}")]
    Disk(String),
    /// The catalog takes nothing until a restart.
    #[error("the catalog takes no more until a restart: {0}")]
    Poisoned(String),
    /// A block cannot be read.
    #[error("a block cannot be read: {0}")]
    Block(String),
    /// The file of a settlement cannot be read.
    #[error("figures cannot be read: {0}")]
    Figures(String),
    /// As many traces are pinned as allowed.
    #[error("{0} traces are pinned, as many as retention.pins allows; take a pin off")]
    PinsFull(usize),
    /// The log takes nothing, so nothing can be cut off from what follows.
    #[error("the log takes no more until a restart")]
    LogFailed,
    /// The store is stopping.
    #[error("the store is stopping")]
    Stopping,
}

impl From<io::Error> for KeepError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full(error.to_string()),
            _ => Self::Disk(error.to_string()),
        }
    }
}

impl From<WriteError> for KeepError {
    fn from(error: WriteError) -> Self {
        // What the disk said comes back through Parquet's writer.
        let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(&error);
        while let Some(inner) = cause {
            if let Some(disk) = inner.downcast_ref::<io::Error>() {
                return io::Error::new(disk.kind(), disk.to_string()).into();
            }
            cause = inner.source();
        }
        Self::Block(error.to_string())
    }
}

impl From<CommitError> for KeepError {
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::Full => Self::Full(error.to_string()),
            CommitError::Failed(what) => Self::Poisoned(what),
            CommitError::Invalid(_) => Self::Poisoned(error.to_string()),
        }
    }
}

/// What was done since the start.
#[derive(Debug, Default)]
pub struct KeepCounters {
    /// Seals, and how long they took.
    pub seal_seconds: Histogram,
    /// Figures that only grow.
    pub totals: Mutex<KeepTotals>,
    /// Of the last block that was sealed, the keys of spans' attributes with most distinct values, and how many of these 32 Ki
    /// spans had at most.
    pub various_keys: Mutex<Vec<(String, u64)>>,
    /// Spans of traces that were not to be kept, left out of blocks, by the rule that decided so.
    dropped_by_rule: Mutex<BTreeMap<String, u64>>,
}

impl KeepCounters {
    /// The sums now.
    pub fn totals(&self) -> KeepTotals {
        *self.totals.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Spans of traces that were not to be kept, left out of blocks, by the rule that decided so.
    pub fn dropped_by_rule(&self) -> BTreeMap<String, u64> {
        self.dropped_by_rule.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    fn add_dropped(&self, spans: BTreeMap<String, u64>) {
        let mut all = self.dropped_by_rule.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        for (rule, count) in spans {
            *all.entry(rule).or_default() += count;
        }
    }
}

/// Sums since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct KeepTotals {
    /// Spans sealed.
    pub sealed_spans: u64,
    /// Bytes of blocks and sidecars written.
    pub block_written_bytes: u64,
    /// Blocks removed because they were over.
    pub expired_blocks: u64,
    /// Blocks written anew without some of their spans.
    pub rewritten_blocks: u64,
    /// Merges that were committed.
    pub merges: u64,
    /// Blocks that others took the place of by these.
    pub merged_blocks: u64,
    /// Rows of those blocks.
    pub merged_rows: u64,
    /// Merges and rewrites that were thrown away, since something had come in between.
    pub unused_merges: u64,
    /// Spans of traces that were not to be kept, left out of blocks.
    pub dropped_spans: u64,
    /// Bytes of blocks and sidecars written by merges; they are among `block_written_bytes`.
    pub merge_written_bytes: u64,
    /// Writes of blocks, sidecars or the catalog that failed.
    pub write_errors: u64,
    /// Segments of the log that were freed.
    pub freed_segments: u64,
}

/// The owner of the catalog and of the view.
pub struct Keeper {
    catalog: Catalog,
    files: BlockFiles,
    ports: Ports,
    config: StoreConfig,
    cache: Arc<Cache>,
    view: Arc<ViewCell>,
    counters: Arc<KeepCounters>,
    /// Removed blocks whose files somebody may still read.
    graveyard: Vec<Arc<Block>>,
    /// Names of removed blocks whose files are still to be removed.
    corpses: Vec<BlockName>,
    /// What retention need not look at again.
    pinned_parts: PinnedParts,
    settle_files: SettleFiles,
    /// Files of settlements that do not count any more and that somebody may still read.
    settled_graveyard: Vec<Arc<SettleEntry>>,
    /// What is not counted yet.
    book: Arc<Mutex<Book>>,
    /// Blocks that a merge failed at, which are not tried again.
    unmergeable: BTreeSet<BlockName>,
    /// Blocks that are to be written anew: some of their spans are over, or were deleted.
    stale: BTreeSet<BlockName>,
    decided: Arc<dyn Decided>,
}

impl Keeper {
    /// Where its changes are seen.
    pub fn view(&self) -> &Arc<ViewCell> {
        &self.view
    }

    /// What parts of blocks it has in memory.
    pub fn cache(&self) -> &Arc<Cache> {
        &self.cache
    }

    /// What is not counted yet.
    pub fn book(&self) -> &Arc<Mutex<Book>> {
        &self.book
    }

    /// What the judge remembered when it was committed last.
    pub fn judge_state(&self) -> &[u8] {
        &self.catalog.state().settled.judge
    }

    /// What it counted.
    pub fn counters(&self) -> &Arc<KeepCounters> {
        &self.counters
    }

    /// Position in the log before which everything is in blocks, or was given up.
    pub fn sealed_through(&self) -> u64 {
        self.catalog.state().sealed_through
    }

    /// Deletes a trace, or all that a tenant has, from everything up to a position of the log at which it was cut. It is gone
    /// from answers when this returns, and from the disk with the next rewrite.
    pub fn delete(&mut self, tenant: Tenant, trace_id: Option<TraceId>, through: u64) -> Result<(), KeepError> {
        // Not by the clock, which may be set back: whatever is counted from now on and not deleted was received later than what
        // was seen, and whatever is counted by now earlier.
        let at_unix_nanos = lock(&self.book).seen_before();
        let below = self.catalog.next_block();
        let deletion = Deletion { tenant, trace_id, through, below, at_unix_nanos };
        self.commit(Edit { deletion: Some(deletion), ..Edit::default() })?;
        self.show(Vec::new(), &[]);
        // The pins of what is deleted are gone with it.
        self.show_pins();
        Ok(())
    }

    /// Who says what was decided about traces, from now on.
    pub fn set_decided(&mut self, decided: Arc<dyn Decided>) {
        self.decided = decided;
    }

    /// Removes what is over by age or size; answers how many blocks were touched.
    pub fn expire(&mut self) -> Result<usize, KeepError> {
        let mut touched = 0;
        loop {
            let (count, has_more) = self.expire_once()?;
            touched += count;
            // What kept a block may have been deleted, and the one written in its place is over. Each time there are fewer spans,
            // or more is known of what is pinned.
            if !has_more {
                return Ok(touched);
            }
        }
    }

    /// Removes blocks all of whose spans are over, and finds those that are to be written anew, since some of their spans are
    /// over or deleted; forgets deletions that nothing is left of. Short, so that seals need not wait.
    pub fn look_over(&mut self) -> Result<(), KeepError> {
        let (_, parts, _) = self.expire_whole()?;
        let deleted = self.purge_due()?;
        self.tend_figures()?;
        self.stale = parts.into_keys().chain(deleted).collect();
        Ok(())
    }

    /// Removes blocks all of whose spans are over; answers how many, which tenants' spans are over in others, and whether it was
    /// found out that some of them are pinned.
    fn expire_whole(&mut self) -> Result<(usize, Over, bool), KeepError> {
        let over = self.over()?;
        let Spared { gone, parts, has_learned } = self.spare(over);
        if !gone.is_empty() {
            self.commit(Edit { removed: gone.clone(), ..Edit::default() })?;
            self.show(Vec::new(), &gone);
            self.count(|totals| totals.expired_blocks += gone.len() as u64);
        }
        Ok((gone.len(), parts, has_learned))
    }

    /// What is over now, but for what is pinned as a whole.
    fn over(&self) -> Result<Over, KeepError> {
        let now = self.ports.clock.unix_nanos();
        let available = self.ports.disk.space(&self.config.data_dir)?.available_bytes;
        let classes = self.classes();
        let classes_of = |entry: &BlockEntry| classes.get(&entry.meta.name).unwrap_or(NO_CLASSES);
        let entries = self.catalog.state().blocks.values();
        let held = entries.map(|entry| Held { meta: &entry.meta, bytes: entry.bytes(), classes: classes_of(entry) });
        let held: Vec<Held<'_>> = held.collect();
        Ok(self.config.retention.over(&held, &self.pinned_parts, available, now))
    }

    /// The retention classes that traces of each block may have. What is not merged does not say.
    fn classes(&self) -> BTreeMap<BlockName, BTreeSet<String>> {
        let known = &self.config.retention.classes;
        if known.is_empty() {
            return BTreeMap::new();
        }
        let of = |block: &Arc<Block>| {
            let own = (block.meta().level > 0).then(|| block.classes());
            let is_own = |class: &&String| own.as_ref().is_none_or(|own| own.contains(*class));
            (block.meta().name, known.keys().filter(is_own).cloned().collect())
        };
        self.view.view().blocks.iter().map(of).collect()
    }

    /// Removes what is over by what is known of the blocks now; answers how many were touched, and whether more may be over.
    fn expire_once(&mut self) -> Result<(usize, bool), KeepError> {
        let view = self.view.view();
        let (gone, parts, mut has_more) = self.expire_whole()?;
        let touched = gone + parts.len();
        for (name, tenants) in parts {
            let Ok(at) = position(&view.blocks, name) else { continue };
            match self.rewrite(&view.blocks[at], tenants) {
                // Its spans stay until all of it is over: to leave out what can be read would lose the rest.
                Err(KeepError::Block(error)) => {
                    tracing::warn!(block = %name, error, "a block with spans that are over cannot be written anew");
                }
                result => {
                    result?;
                    has_more = true;
                }
            }
        }
        Ok((touched, has_more))
    }

    /// Removes the files of removed blocks, and of settlements, that nobody reads any more.
    pub fn bury(&mut self) {
        self.bury_settled();
        let (dead, read): (Vec<_>, Vec<_>) = self.graveyard.drain(..).partition(|block| Arc::strong_count(block) == 1);
        self.graveyard = read;
        self.corpses.extend(dead.iter().map(|block| block.meta().name));
        let before = self.corpses.len();
        self.corpses.retain(|name| match self.files.remove(*name) {
            Ok(()) => false,
            Err(error) => {
                tracing::warn!(block = %name, %error, "the files of a removed block could not be removed, to be tried again");
                true
            }
        });
        if self.corpses.len() < before
            && let Err(error) = self.files.sync()
        {
            tracing::warn!(%error, "removed files may come back after a power cut; the next start sweeps them");
        }
    }

    /// Removes the segments of the log that blocks stand in for. Until that succeeds they only take room.
    pub fn free_log(&mut self) {
        let through = self.sealed_through();
        let free = || -> io::Result<u64> {
            let folder = self.config.data_dir.join(LOG_FOLDER);
            let files = segment_files(&self.config.data_dir, &*self.ports.disk).map_err(io::Error::other)?;
            // A cut is a boundary of segments, so one that begins before it ends there at the latest.
            let sealed: Vec<_> = files.into_iter().filter(|file| file.first < through).collect();
            for file in &sealed {
                self.ports.disk.remove(&folder.join(&file.name))?;
            }
            if !sealed.is_empty() {
                self.ports.disk.sync_folder(&folder)?;
            }
            Ok(sealed.len() as u64)
        };
        match free() {
            Ok(freed) => self.count(|totals| totals.freed_segments += freed),
            Err(error) => tracing::warn!(%error, "sealed segments of the log could not be removed, to be tried again"),
        }
    }

    /// Commits an edit.
    fn commit(&mut self, edit: Edit) -> Result<(), KeepError> {
        let result = self.catalog.commit(edit);
        if result.is_err() {
            self.count(|totals| totals.write_errors += 1);
        }
        result.map_err(KeepError::from)
    }

    /// Shows blocks that an edit added, in place of those that it removed.
    fn show(&mut self, added: Vec<Arc<Block>>, removed: &[BlockName]) {
        let deletions: Arc<[Deletion]> = self.catalog.state().deletions.clone().into();
        let mut dead = Vec::new();
        self.view.change(|view| {
            let (gone, left) = view.blocks.drain(..).partition(|block| removed.contains(&block.meta().name));
            (dead, view.blocks) = (gone, left);
            view.blocks.extend(added);
            view.blocks.sort_by_key(|block| block.meta().name);
            view.deletions = deletions;
        });
        self.graveyard.extend(dead);
    }

    /// How a block is written.
    fn options(&self, name: BlockName) -> WriteOptions {
        WriteOptions {
            created_unix_nanos: self.ports.clock.unix_nanos(),
            row_group_rows: self.config.block_group_rows,
            ..WriteOptions::new(name)
        }
    }

    fn block(&self, entry: &BlockEntry) -> Arc<Block> {
        let ranges = Arc::new(self.files.clone());
        Arc::new(Block::new(Arc::new(entry.meta.clone()), entry.side_bytes, ranges, Arc::clone(&self.cache)))
    }

    fn count(&self, add: impl FnOnce(&mut KeepTotals)) {
        add(&mut self.counters.totals.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
    }
}

impl Deletion {
    /// Whether it speaks of a block of that name.
    pub fn covers_block(&self, name: BlockName) -> bool {
        name < self.below
    }

    /// Whether it speaks of spans of the log up to that position; `None` is a log that still grows.
    pub fn covers_log(&self, to: Option<u64>) -> bool {
        to.is_some_and(|to| to <= self.through)
    }
}

/// Whether a trace is deleted by any of the deletions.
pub(crate) fn is_deleted<'d>(
    mut deletions: impl Iterator<Item = &'d Deletion>,
    tenant: &Tenant,
    trace_id: TraceId,
) -> bool {
    deletions.any(|deletion| deletion.tenant == *tenant && deletion.trace_id.is_none_or(|id| id == trace_id))
}
