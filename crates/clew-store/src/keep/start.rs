//! The blocks as they are found at the start: those that the catalog names, without what a crash left half-made.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use clew_block::{Block, BlockFile, BlockName, Cache};

use super::files::BlockFiles;
use super::pin::{PinnedParts, Pins};
use super::settle::BySettlement;
use super::{KeepCounters, Keeper, Undecided};
use crate::catalog::{self, Catalog, Recovered, State};
use crate::log::recover::segment_files;
use crate::port::{Disk, Entry};
use crate::settle::files::{SETTLED_FOLDER, SettleFiles, file_number};
use crate::view::{View, ViewCell};
use crate::{OpenError, Ports, StoreConfig};

/// What was found.
pub struct Found {
    /// The owner of it all; its view shows the blocks, and no generation yet.
    pub keeper: Keeper,
    /// What is wrong, in sentences.
    pub lost: Vec<String>,
}

/// Reads the catalog, and sweeps files that it does not name.
pub fn open(config: &StoreConfig, ports: &Ports) -> Result<Found, OpenError> {
    let files = BlockFiles::new(Arc::clone(&ports.disk), &config.data_dir);
    let folder = config.data_dir.join(super::files::BLOCKS_FOLDER);
    let listed = files.list().map_err(OpenError::at(&folder))?;
    let present: BTreeMap<&str, u64> = listed.iter().map(|entry| (entry.name.as_str(), entry.length)).collect();
    let mut recovered = catalog::recover(&config.data_dir, &*ports.disk)?;
    if let Some(what) = lost_edit(&config.data_dir, &*ports.disk, &recovered, &listed)? {
        recovered.lose(what);
    }
    let catalog = Catalog::open(&config.data_dir, Arc::clone(&ports.disk), config.catalog_bytes, recovered)?;
    let state = catalog.state();
    let mut lost: Vec<String> = state.lost.iter().map(ToString::to_string).collect();
    for entry in state.blocks.values() {
        for (file, length) in [(BlockFile::Data, entry.meta.data_bytes), (BlockFile::Side, entry.side_bytes)] {
            let name = entry.meta.name.file_name(file);
            match present.get(name.as_str()) {
                Some(found) if *found == length => {}
                Some(found) => lost.push(format!("blocks/{name} has {found} bytes, not {length}")),
                None => lost
                    .push(format!("blocks/{name} is missing; it belongs to a block of {} spans", entry.meta.row_count)),
            }
        }
    }
    let stray: Vec<&str> = present.keys().copied().filter(|name| !is_named(state, name)).collect();
    // Where a block is missing, one that stands in its place may be there: a copy of a folder in use can come to that.
    if lost.is_empty() {
        for name in &stray {
            files.remove_file(name).map_err(OpenError::at(&folder.join(name)))?;
        }
        if !stray.is_empty() {
            files.sync().map_err(OpenError::at(&folder))?;
        }
    } else if !stray.is_empty() {
        lost.push(format!("{} files in blocks/ belong to no known block and were left alone", stray.len()));
    }
    let mut keeper = Keeper {
        catalog,
        files,
        ports: ports.clone(),
        config: config.clone(),
        cache: Arc::new(Cache::new(config.cache_bytes as u64)),
        view: Arc::default(),
        counters: Arc::new(KeepCounters::default()),
        graveyard: Vec::new(),
        corpses: Vec::new(),
        settle_files: SettleFiles::new(Arc::clone(&ports.disk), &config.data_dir, config.settle.cache_bytes as u64),
        pinned_parts: PinnedParts::new(),
        settled_graveyard: Vec::new(),
        book: Arc::default(),
        unmergeable: BTreeSet::new(),
        stale: BTreeSet::new(),
        decided: Arc::new(Undecided),
    };
    keeper.sweep_settled().map_err(OpenError::at(&config.data_dir.join(SETTLED_FOLDER)))?;
    let blocks: Vec<Arc<Block>> = keeper.catalog.state().blocks.values().map(|entry| keeper.block(entry)).collect();
    announce(&blocks, config.cache_bytes as u64);
    let deletions = keeper.catalog.state().deletions.clone().into();
    let pins = Arc::new(Pins::of(&keeper.catalog.state().pinned));
    let view = View { blocks, deletions, pins, lost: lost.clone().into(), ..View::default() };
    keeper.view = Arc::new(ViewCell::new(view));
    keeper.decided = Arc::new(BySettlement(Arc::clone(&keeper.view)));
    Ok(Found { keeper, lost })
}

/// Lets the disk fetch the sidecars of the newest blocks, as many as the cache would hold, while the rest of the start goes on.
fn announce(blocks: &[Arc<Block>], cache_bytes: u64) {
    let mut left = cache_bytes;
    for block in blocks.iter().rev() {
        let Some(rest) = left.checked_sub(block.side_bytes()) else { break };
        left = rest;
        block.announce();
    }
}

/// Whether the catalog names the block of that file.
fn is_named(state: &State, file: &str) -> bool {
    BlockName::of_file(file).is_some_and(|(name, _)| state.blocks.contains_key(&name))
}

/// The sign that an edit of the catalog, or all of them, is gone without a trace: the log was freed further than the catalog
/// knows, or there are blocks and no catalog. A torn last edit and a rotten one look alike, but only a committed one frees the log.
pub(crate) fn lost_edit(
    data_dir: &Path,
    disk: &dyn Disk,
    recovered: &Recovered,
    listed: &[Entry],
) -> Result<Option<String>, OpenError> {
    let what = "stop the server and run `clew check --repair`, which looks for blocks that were named";
    let blocks = listed.iter().filter(|entry| BlockName::of_file(&entry.name).is_some()).count();
    let settled = data_dir.join(SETTLED_FOLDER);
    let settled_files = disk.list(&settled).map_err(OpenError::at(&settled))?;
    let settled_count = settled_files.iter().filter(|entry| file_number(&entry.name).is_some()).count();
    if recovered.is_new && blocks == 0 && settled_count > 0 {
        return Ok(Some(format!("the catalog is gone, and {settled_count} files of settlements are there; {what}")));
    }
    if recovered.is_new && blocks > 0 {
        return Ok(Some(format!("the catalog is gone, and {blocks} files of blocks are there; {what}")));
    }
    let named = |name: BlockName| recovered.state.blocks.contains_key(&name);
    let is_stray = |entry: &Entry| BlockName::of_file(&entry.name).is_some_and(|(name, _)| !named(name));
    if !listed.iter().any(is_stray) {
        // If something is missing, it is not blocks: the log will tell.
        return Ok(None);
    }
    let sealed_through = recovered.state.sealed_through;
    let files = segment_files(data_dir, disk)?;
    let first = files.first().map(|file| file.first).filter(|first| *first > sealed_through);
    Ok(first.map(|first| {
        format!("the log begins at position {first}, and blocks are known up to {sealed_through} only; {what}")
    }))
}
