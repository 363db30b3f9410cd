//! The blocks: every byte of those that the catalog names, and the files that it does not name.

use std::collections::BTreeMap;
use std::sync::Arc;

use clew_block::{Block, BlockFile, BlockName, Cache, verify};
use serde::Serialize;

use super::CheckReport;
use crate::OpenError;
use crate::catalog::{BlockEntry, State};
use crate::keep::files::BlockFiles;
use crate::port::Entry;

/// Enough for the parts of one block at a time.
const CACHE_BYTES: u64 = 64 << 20;

/// One block.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BlockReport {
    /// Its name, which its two files have.
    pub name: String,
    /// Spans in it.
    pub rows: u64,
    /// Their traces.
    pub traces: u64,
    /// Their tenants.
    pub tenants: u64,
    /// Bytes of both files.
    pub bytes: u64,
    /// What is wrong with it, in sentences.
    pub problems: Vec<String>,
}

/// A file that the catalog does not name.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StrayFile {
    /// Its name.
    pub name: String,
    /// Its length.
    pub bytes: u64,
}

/// The files of the blocks' folder, by name.
pub(super) fn listed(files: &BlockFiles) -> Result<Vec<Entry>, OpenError> {
    files.list().map_err(OpenError::at(files.folder()))
}

/// Whether the state names the block of that file.
pub(super) fn is_named(state: &State, file: &str) -> bool {
    BlockName::of_file(file).is_some_and(|(name, _)| state.blocks.contains_key(&name))
}

/// A block to be read by itself.
pub(super) fn open(files: &BlockFiles, entry: &BlockEntry) -> Block {
    let cache = Arc::new(Cache::new(CACHE_BYTES));
    Block::new(Arc::new(entry.meta.clone()), entry.side_bytes, Arc::new(files.clone()), cache)
}

/// Reads every block of a state, and names the files that belong to none.
pub(super) fn check(files: &BlockFiles, state: &State, report: &mut CheckReport) -> Result<(), OpenError> {
    let listed = listed(files)?;
    for entry in state.blocks.values() {
        report.blocks.push(check_block(files, entry, &listed));
    }
    let stray = listed.into_iter().filter(|file| !is_named(state, &file.name));
    report.stray_files = stray.map(|Entry { name, length }| StrayFile { name, bytes: length }).collect();
    Ok(())
}

fn check_block(files: &BlockFiles, entry: &BlockEntry, listed: &[Entry]) -> BlockReport {
    let meta = &entry.meta;
    BlockReport {
        name: meta.name.to_string(),
        rows: meta.row_count,
        traces: meta.tenants.iter().map(|part| part.trace_count).sum(),
        tenants: meta.tenants.len() as u64,
        bytes: entry.bytes(),
        problems: problems(files, entry, listed),
    }
}

/// What is wrong with a block; every byte of it is read.
pub(super) fn problems(files: &BlockFiles, entry: &BlockEntry, listed: &[Entry]) -> Vec<String> {
    let meta = &entry.meta;
    let present: BTreeMap<&str, u64> = listed.iter().map(|file| (file.name.as_str(), file.length)).collect();
    let mut problems = Vec::new();
    for (file, length) in [(BlockFile::Data, meta.data_bytes), (BlockFile::Side, entry.side_bytes)] {
        let name = meta.name.file_name(file);
        match present.get(name.as_str()) {
            Some(found) if *found == length => {}
            Some(found) => problems.push(format!("{name} has {found} bytes, not {length}")),
            None if file == BlockFile::Data => return vec![format!("{name} is missing: its spans are lost")],
            None => problems.push(format!("{name} is missing: it can be made again")),
        }
    }
    problems.extend(verify(&open(files, entry)).iter().map(ToString::to_string));
    problems
}
