//! From a generation to a block.

use std::ops::Range;
use std::sync::{Arc, PoisonError};

use clew_block::{BlockFile, BlockMeta, BlockName, Finished, WriteOptions, Writer};

use super::{KeepError, Keeper, is_deleted};
use crate::Generation;
use crate::catalog::{BlockEntry, CatalogDamage, Deletion, Edit};
use crate::live::order;
use crate::log::Damage;
use crate::log::recover::LOG_FOLDER;
use crate::settle::thread::lock;

/// A block that is to take the place of a generation, its files made.
pub struct SealDone {
    generation: Arc<Generation>,
    name: BlockName,
    /// `None` when the generation holds nothing.
    entry: Option<BlockEntry>,
    /// The generation's end in the log.
    to: u64,
    started_nanos: u64,
}

impl Keeper {
    /// Puts a complete generation into a block and shows that in its place. Without effect on what readers see until it
    /// succeeds; may be tried again.
    pub fn seal(&mut self, generation: &Arc<Generation>) -> Result<(), KeepError> {
        match self.make_seal(generation, &|| false)? {
            Some(done) => self.commit_seal(done)?,
            None => return Ok(()),
        }
        self.free_log();
        Ok(())
    }

    /// Makes the files of a complete generation's block, unless it is told to stop; `None` when it is not complete.
    pub fn make_seal(
        &mut self,
        generation: &Arc<Generation>,
        stopped: &(dyn Fn() -> bool + Sync),
    ) -> Result<Option<SealDone>, KeepError> {
        let Some(to) = generation.to().filter(|_| generation.is_complete()) else { return Ok(None) };
        let started_nanos = self.ports.clock.monotonic_nanos();
        let name = self.catalog.next_block();
        let written = self.write(generation, name, to, stopped).inspect_err(|error| match error {
            KeepError::Stopping => self.discard(name),
            _ => self.give_up(name),
        })?;
        let entry = written.map(|(meta, side_bytes)| BlockEntry { meta, side_bytes });
        Ok(Some(SealDone { generation: Arc::clone(generation), name, entry, to, started_nanos }))
    }

    /// Shows a block in the place of its generation. The log that it stands in for may be freed then.
    pub fn commit_seal(&mut self, done: SealDone) -> Result<(), KeepError> {
        let SealDone { generation, name, entry, to, started_nanos } = done;
        let generation = &generation;
        let (spans, bytes) = entry.as_ref().map_or((0, 0), |entry| (entry.meta.row_count, entry.bytes()));
        let sealed = Edit {
            added: entry.iter().cloned().collect(),
            sealed_through: Some(to),
            lost: self.damage_of(generation.from..to),
            ..Edit::default()
        };
        self.commit(sealed).inspect_err(|error| self.give_up_after(error, name))?;
        let block = entry.as_ref().map(|entry| self.block(entry));
        // What arrived since it was looked last would have to be read from the block.
        let mut book = lock(&self.book);
        if book.has_room(self.config.settle.pending_bytes) {
            for (tenant, arrivals) in generation.live.arrivals(book.seen_before()) {
                book.arrived(&tenant, arrivals);
            }
            book.has_read(name);
        }
        self.view.change(|view| {
            view.generations.retain(|other| !Arc::ptr_eq(other, generation));
            view.blocks.extend(block);
            view.show_book(&book);
        });
        drop(book);
        self.counters.seal_seconds.observe_nanos(self.ports.clock.monotonic_nanos().saturating_sub(started_nanos));
        self.count(|totals| {
            totals.sealed_spans += spans;
            totals.block_written_bytes += bytes;
        });
        Ok(())
    }

    /// What the log lost in that range. Its segments go, and with them the place where each start would find it, so the
    /// catalog goes on telling it.
    fn damage_of(&self, log: Range<u64>) -> Vec<CatalogDamage> {
        let view = self.view.view();
        let inside = view.damage.iter().filter(|damage| damage.position().is_some_and(|at| log.contains(&at)));
        let told = |damage: &Damage| CatalogDamage {
            file: format!("{LOG_FOLDER}/{}", damage.segment),
            offset: damage.offset,
            what: damage.to_string(),
        };
        inside.map(told).collect()
    }

    /// Makes the files of a block; `None` when the generation holds nothing.
    fn write(
        &self,
        generation: &Generation,
        name: BlockName,
        to: u64,
        stopped: &dyn Fn() -> bool,
    ) -> Result<Option<(BlockMeta, u64)>, KeepError> {
        let state = self.catalog.state();
        let deletions: Vec<&Deletion> =
            state.deletions.iter().filter(|deletion| deletion.covers_log(Some(to))).collect();
        let keep = |tenant: &_, id| !is_deleted(deletions.iter().copied(), tenant, id);
        let options = WriteOptions { log: generation.from..to, ..self.options(name) };
        let sink = self.files.begin(name, BlockFile::Data)?;
        let writer = order::write(&generation.live, &keep, stopped, |plan| Writer::new(plan, sink, options))?;
        let writer = writer.ok_or(KeepError::Stopping)?;
        if writer.row_count() == 0 {
            // The file that was begun has no name.
            self.files.remove(name)?;
            return Ok(None);
        }
        let Finished { meta, side, sink, various_keys } = writer.finish(&generation.requests())?;
        *self.counters.various_keys.lock().unwrap_or_else(PoisonError::into_inner) = various_keys;
        self.files.finish(name, sink, &side)?;
        Ok(Some((meta, side.count())))
    }

    /// Removes what there is of a block whose edit was refused. An edit whose sync failed may count after a restart: then
    /// the catalog names the block, and the log may not be there any more.
    pub(super) fn give_up_after(&self, error: &KeepError, name: BlockName) {
        if !matches!(error, KeepError::Poisoned(_)) {
            self.give_up(name);
        }
    }

    /// Removes what there is of a block whose write failed.
    pub(super) fn give_up(&self, name: BlockName) {
        self.count(|totals| totals.write_errors += 1);
        self.discard(name);
    }

    /// Removes what there is of a block that did not come about.
    pub(super) fn discard(&self, name: BlockName) {
        // Should that fail, the next start sweeps it.
        let _ = self.files.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::port::{Disk as _, FaultyDisk, ManualClock, MemoryDisk};
    use crate::start::{Started, start};
    use crate::testing::{NOW_UNIX_NANOS, all_spans, batch};
    use crate::{Ports, StoreConfig};

    #[test]
    fn a_seal_that_is_given_up_leaves_nothing_behind_and_is_done_again() {
        let disk = FaultyDisk::new(MemoryDisk::new());
        let ports = Ports { disk: Arc::new(disk.clone()), clock: Arc::new(ManualClock::new(NOW_UNIX_NANOS)) };
        let Started { mut keeper, growing, .. } = start(&StoreConfig::new("/data"), &ports).unwrap();
        let batch = batch(1, 3);
        growing.begin(&batch, 0);
        growing.live.insert(&batch).unwrap();
        growing.end(false);
        keeper.view().cut(1, 100);
        let given_up = keeper.make_seal(&growing, &|| true);
        assert!(matches!(given_up, Err(KeepError::Stopping)));
        assert_eq!(disk.list("/data/blocks".as_ref()).unwrap(), []);
        assert_eq!(keeper.counters().totals().write_errors, 0);
        keeper.seal(&growing).unwrap();
        let view = keeper.view().view();
        assert_eq!((view.blocks.len(), view.generations.len()), (1, 1));
        assert_eq!(all_spans(&*view).len(), 3);
    }
}
