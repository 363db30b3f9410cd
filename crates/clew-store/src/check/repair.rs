//! The repair of the catalog, of blocks and of what was settled.
//!
//! Each step is one edit of the catalog and leaves a folder that a server can open, so that a repair that is interrupted
//! can be begun again.

mod settled;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::path::Path;
use std::sync::Arc;

use clew_block::sidecar::{Header, SectionId};
use clew_block::{BlockFile, BlockMeta, BlockName, Ranges as _, WriteOptions};
use clew_model::Tenant;

use super::blocks::{self, is_named, listed, open};
use super::{CheckError, CheckReport, StrayFile};
use crate::OpenError;
use crate::catalog::{BlockEntry, CATALOG_FILE_BYTES, Catalog, Deletion, Edit, Recovered, State};
use crate::keep::files::BlockFiles;
use crate::keep::rewrite::Anew;
use crate::keep::{KeepError, is_deleted};
use crate::log::recover::{LOG_FOLDER, move_aside, segment_files};
use crate::port::{Disk, Entry};
use crate::settle::files::SettleFiles;

/// Repairs the catalog, the blocks and the settlements, and reports what was found; answers up to where the log is sealed then.
pub(super) fn repair(
    data_dir: &Path,
    disk: &Arc<dyn Disk>,
    files: &BlockFiles,
    settled: &SettleFiles,
    recovered: Recovered,
    report: &mut CheckReport,
) -> Result<u64, CheckError> {
    let catalog = Catalog::open(data_dir, Arc::clone(disk), CATALOG_FILE_BYTES, recovered)?;
    let mut repair = Repair { data_dir, disk: &**disk, files, catalog, report };
    // What the log lost before it was sealed is told in the catalog, which is whole for all that.
    let is_whole = repair.catalog.state().lost.iter().all(|lost| lost.file.starts_with(LOG_FOLDER));
    repair.strays(is_whole)?;
    repair.blocks()?;
    repair.settled(settled, is_whole)?;
    Ok(repair.catalog.state().sealed_through)
}

struct Repair<'r> {
    data_dir: &'r Path,
    disk: &'r dyn Disk,
    files: &'r BlockFiles,
    catalog: Catalog,
    report: &'r mut CheckReport,
}

impl Repair<'_> {
    /// Takes blocks in that a damaged catalog forgot, and clears away what belongs to no block.
    fn strays(&mut self, is_whole: bool) -> Result<(), CheckError> {
        let listed = listed(self.files)?;
        let is_stray = |state: &State, file: &&Entry| !is_named(state, &file.name);
        let before = self.catalog.state();
        let stray = listed.iter().filter(|file| is_stray(before, file));
        self.report.stray_files = stray.map(|file| StrayFile { name: file.name.clone(), bytes: file.length }).collect();
        if !is_whole {
            self.rebuild(&listed)?;
        } else if !before.lost.is_empty() {
            let edit = Edit { acknowledges_lost: true, ..Edit::default() };
            self.catalog.commit(edit).map_err(KeepError::from)?;
            self.report.repairs.push("what the log lost before it was sealed is told no more".to_owned());
        }
        if is_whole {
            self.replacements(&listed)?;
        }
        let state = self.catalog.state();
        let adopted = |name: BlockName| state.blocks.values().any(|entry| entry.meta.replaces.contains(&name));
        let mut cleared = false;
        for file in listed.iter().filter(|file| is_stray(state, file)) {
            // Without a whole catalog nobody knows that such a file was never needed.
            let keeps = !is_whole && BlockName::of_file(&file.name).is_some_and(|(name, _)| !adopted(name));
            if keeps {
                self.set_aside(self.files.folder(), &file.name)?;
            } else {
                self.files.remove_file(&file.name).map_err(KeepError::from)?;
            }
            let what = if keeps { "it was moved to aside/" } else { "it was removed" };
            self.report.repairs.push(format!("blocks/{} belongs to no block: {what}", file.name));
            cleared = true;
        }
        if cleared {
            self.files.sync().map_err(KeepError::from)?;
        }
        Ok(())
    }

    /// Makes the catalog again from the blocks that there are.
    fn rebuild(&mut self, listed: &[Entry]) -> Result<(), CheckError> {
        let old = self.catalog.state().clone();
        let log_first = segment_files(self.data_dir, self.disk)?.first().map(|file| file.first);
        let mut entries = Vec::new();
        for entry in self.found(listed, &old) {
            // What the log still has comes back from there, and whole.
            let is_in_log = log_first.is_some_and(|first| entry.meta.log.start >= first.max(old.sealed_through));
            let is_known = old.blocks.contains_key(&entry.meta.name);
            if is_known || !is_in_log || blocks::problems(self.files, &entry, listed).is_empty() {
                entries.push(entry);
            }
        }
        let rebuilt = State::rebuild(entries, log_first);
        let sealed_through = rebuilt.sealed_through.max(old.sealed_through);
        let state = State { sealed_through, deletions: old.deletions.clone(), ..rebuilt };
        let state = State { settled: old.settled.clone(), pinned: old.pinned.clone(), ..state };
        for (name, entry) in old.blocks.iter().filter(|(name, _)| !state.blocks.contains_key(*name)) {
            self.report.repairs.push(format!(
                "block {name} of {} spans, which the catalog named, has no file any more or was replaced: it left the \
                 catalog",
                entry.meta.row_count
            ));
        }
        let count = |known| state.blocks.keys().filter(|name| old.blocks.contains_key(*name) == known).count();
        self.report.repairs.push(format!(
            "the catalog was made again from {} blocks, {} of which it had forgotten; should a lost edit have deleted \
             spans, delete them again, and should one have pinned traces, pin them again",
            state.blocks.len(),
            count(false)
        ));
        self.catalog.replace(state).map_err(KeepError::from)?;
        Ok(())
    }

    /// Takes blocks in that stand in the place of missing ones, as in a copy whose catalog is older than its blocks.
    fn replacements(&mut self, listed: &[Entry]) -> Result<(), CheckError> {
        let state = self.catalog.state().clone();
        let found = self.found(listed, &state);
        let is_there = |name: &BlockName| found.iter().any(|entry| entry.meta.name == *name);
        let mut missing: Vec<BlockName> = state.blocks.keys().filter(|name| !is_there(name)).copied().collect();
        for entry in found.iter().filter(|entry| !state.blocks.contains_key(&entry.meta.name)) {
            let replaces = &entry.meta.replaces;
            let (removed, left): (Vec<_>, Vec<_>) = missing.iter().partition(|name| replaces.contains(name));
            if removed.is_empty() || !blocks::problems(self.files, entry, listed).is_empty() {
                continue;
            }
            let (old, new) = (removed.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "), entry.meta.name);
            self.report.repairs.push(format!("block {new} took the place of {old}, whose files are missing"));
            let edit = Edit { added: vec![entry.clone()], removed, ..Edit::default() };
            self.catalog.commit(edit).map_err(KeepError::from)?;
            missing = left;
        }
        Ok(())
    }

    /// The blocks whose Parquet file is there: as their sidecars say, or as the catalog knew.
    fn found(&self, listed: &[Entry], old: &State) -> Vec<BlockEntry> {
        let sides: BTreeMap<BlockName, u64> = listed.iter().filter_map(|file| of(file, BlockFile::Side)).collect();
        let data = listed.iter().filter_map(|file| of(file, BlockFile::Data));
        let entry = |(name, _)| {
            let known = old.blocks.get(&name).cloned();
            known.or_else(|| {
                let side_bytes = *sides.get(&name)?;
                Some(BlockEntry { meta: self.meta(name, side_bytes)?, side_bytes })
            })
        };
        data.filter_map(entry).collect()
    }

    /// What a sidecar says of its block.
    fn meta(&self, name: BlockName, side_bytes: u64) -> Option<BlockMeta> {
        let read = |offset, length| self.files.read(name, BlockFile::Side, offset, usize::try_from(length).ok()?).ok();
        let start = read(0, side_bytes.min(Header::BYTES_MAX as u64))?;
        let section = *Header::decode(&start).ok()?.section(SectionId::Meta)?;
        let stored = read(section.offset, section.stored_bytes.min(side_bytes))?;
        let meta: BlockMeta = serde_json::from_slice(&section.unpack(&stored).ok()?).ok()?;
        (meta.name == name).then_some(meta)
    }

    /// Reads every block, and writes those anew that are damaged.
    fn blocks(&mut self) -> Result<(), CheckError> {
        let entries: Vec<BlockEntry> = self.catalog.state().blocks.values().cloned().collect();
        let strays = std::mem::take(&mut self.report.stray_files);
        blocks::check(self.files, &self.catalog.state().clone(), self.report)?;
        self.report.stray_files = strays;
        let damaged: Vec<bool> = self.report.blocks.iter().map(|block| !block.problems.is_empty()).collect();
        for (entry, _) in entries.iter().zip(damaged).filter(|(_, is_damaged)| *is_damaged) {
            self.mend(entry)?;
        }
        Ok(())
    }

    /// Puts what can be read of a block in its place.
    fn mend(&mut self, old: &BlockEntry) -> Result<(), CheckError> {
        let (block, meta) = (open(self.files, old), &old.meta);
        let mut rows = 0;
        let count = |_: &Tenant, _, spans: Vec<_>| {
            rows += spans.len() as u64;
            Ok::<(), Infallible>(())
        };
        let Ok(_lost) = block.for_each_trace(None, count);
        let name = self.catalog.next_block();
        let options = WriteOptions {
            level: meta.level,
            log: meta.log.clone(),
            created_unix_nanos: meta.created_unix_nanos,
            replaces: vec![meta.name],
            ..WriteOptions::new(name)
        };
        let deletions: Vec<Deletion> = self.catalog.state().deletions.clone();
        let covering = || deletions.iter().filter(|deletion| deletion.covers_block(meta.name));
        let keep = |tenant: &Tenant, id| !is_deleted(covering(), tenant, id);
        let requests = block.requests().unwrap_or_default();
        let anew = Anew { block: &block, keep: &keep };
        let written = if rows == 0 { Ok(None) } else { anew.write(self.files, options, &requests) };
        let new = written.inspect_err(|_| {
            // Should that fail too, the next start sweeps it.
            let _ = self.files.remove(name);
        })?;
        let added = new.iter().cloned().collect();
        let edit = Edit { added, removed: vec![meta.name], ..Edit::default() };
        self.catalog.commit(edit).map_err(KeepError::from)?;
        let lost = meta.row_count.saturating_sub(rows);
        self.report.lost_spans += lost;
        let left = new.map_or_else(|| "left the catalog".to_owned(), |_| format!("was written anew as {name}"));
        self.report
            .repairs
            .push(format!("block {} {left}; {lost} of its {} spans are lost", meta.name, meta.row_count));
        if lost == 0 {
            self.files.remove(meta.name).map_err(KeepError::from)?;
        } else {
            let present = listed(self.files)?;
            for file in [BlockFile::Data, BlockFile::Side].map(|file| meta.name.file_name(file)) {
                if present.iter().any(|entry| entry.name == file) {
                    self.set_aside(self.files.folder(), &file)?;
                }
            }
        }
        Ok(self.files.sync().map_err(KeepError::from)?)
    }

    fn set_aside(&self, folder: &Path, file: &str) -> Result<(), OpenError> {
        let path = folder.join(file);
        move_aside(self.data_dir, self.disk, &path, file).map_err(OpenError::at(&path))
    }
}

fn of(entry: &Entry, which: BlockFile) -> Option<(BlockName, u64)> {
    BlockName::of_file(&entry.name).filter(|(_, file)| *file == which).map(|(name, _)| (name, entry.length))
}
