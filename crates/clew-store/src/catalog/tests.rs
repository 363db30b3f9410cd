use std::path::{Path, PathBuf};
use std::sync::Arc;

use clew_block::{BlockMeta, BlockName};
use clew_model::{Tenant, TraceId};
use proptest::prelude::*;

use super::*;
use crate::OpenError;
use crate::port::{Crash, Disk, Effect, Fault, FaultyDisk, Kept, MemoryDisk};

mod codec;
mod crash;
mod rot;
mod rules;

const DATA_DIR: &str = "/data";

/// Small, so that a script of edits fills several files.
const FILE_BYTES: u64 = 3000;

fn folder() -> PathBuf {
    Path::new(DATA_DIR).join(CATALOG_FOLDER)
}

fn entry(number: u64) -> BlockEntry {
    let meta = BlockMeta {
        name: BlockName(number),
        level: 0,
        log: number * 100..number * 100 + 100,
        created_unix_nanos: 7,
        row_count: 3,
        data_bytes: 1000,
        dropped_row_count: 0,
        tenants: Vec::new(),
        replaces: Vec::new(),
    };
    BlockEntry { meta, side_bytes: 10 }
}

fn deletion(number: u64) -> Deletion {
    Deletion {
        tenant: Tenant::default(),
        trace_id: number.is_multiple_of(2).then_some(TraceId([number as u8 + 1; 16])),
        through: number,
        below: BlockName(0),
        at_unix_nanos: number,
    }
}

/// Edits as a store makes them: seals, merges, deletions that come and go.
fn edits(count: u64) -> Vec<Edit> {
    let edit = |number: u64| match number % 5 {
        3 => Edit {
            added: vec![entry(number)],
            removed: vec![BlockName(number - 2), BlockName(number - 1)],
            ..Edit::default()
        },
        4 => Edit {
            removed: (number.checked_sub(6)).into_iter().chain([number - 4]).map(BlockName).collect(),
            deletion: Some(deletion(number)),
            forgotten_deletions: number.checked_sub(5).map(deletion).into_iter().collect(),
            ..Edit::default()
        },
        _ => Edit { added: vec![entry(number)], sealed_through: Some(number * 100), ..Edit::default() },
    };
    (0..count).map(edit).collect()
}

/// The state after each number of edits.
fn states(edits: &[Edit]) -> Vec<State> {
    let mut state = State::default();
    let mut states = vec![state.clone()];
    for edit in edits {
        state.apply(edit.clone()).unwrap();
        states.push(state.clone());
    }
    states
}

fn open(disk: &FaultyDisk) -> Result<Catalog, OpenError> {
    let recovered = recover(Path::new(DATA_DIR), disk)?;
    Catalog::open(Path::new(DATA_DIR), Arc::new(disk.clone()), FILE_BYTES, recovered)
}

/// Commits edits until one fails; how many were committed.
fn commit_all(catalog: &mut Catalog, edits: &[Edit]) -> (usize, Option<CommitError>) {
    for (index, edit) in edits.iter().enumerate() {
        if let Err(error) = catalog.commit(edit.clone()) {
            return (index, Some(error));
        }
    }
    (edits.len(), None)
}

/// A disk with a catalog to which the edits were committed.
fn disk_with(edits: &[Edit]) -> FaultyDisk {
    let disk = FaultyDisk::new(MemoryDisk::new());
    assert_eq!(commit_all(&mut open(&disk).unwrap(), edits), (edits.len(), None));
    disk
}

/// The only file, and its bytes.
fn only_file(disk: &FaultyDisk) -> (PathBuf, Vec<u8>) {
    let files = disk.list(&folder()).unwrap();
    assert_eq!(files.len(), 1, "{files:?}");
    let path = folder().join(&files[0].name);
    let bytes = disk.read(&path, 0, usize::MAX).unwrap();
    (path, bytes)
}
