//! The catalog: what it says, what it lost, and whether blocks and log agree with it.

use std::path::Path;

use serde::Serialize;

use super::CheckReport;
use crate::OpenError;
use crate::catalog::{self, CatalogDamage, Recovered};
use crate::keep::files::BlockFiles;
use crate::keep::start::lost_edit;
use crate::port::Disk;

/// The catalog.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CatalogReport {
    /// Its newest file; none in a new data folder, or when it is lost.
    pub file: Option<String>,
    /// Blocks that it names.
    pub blocks: u64,
    /// Position in the log before which everything is in blocks, or was given up.
    pub sealed_through: u64,
    /// Deletions whose spans are hidden, and not yet removed from the disk.
    pub deletions: u64,
    /// Bytes of an edit that was being written, and never committed.
    pub torn_bytes: u64,
    /// What cannot be read.
    pub damage: Vec<CatalogDamage>,
    /// What was lost before, and told at each start since.
    pub lost: Vec<CatalogDamage>,
}

impl CatalogReport {
    /// Whether nothing is damaged or lost.
    pub fn is_clean(&self) -> bool {
        self.damage.is_empty() && self.lost.is_empty()
    }
}

/// Reads the catalog, and compares it with what is there.
pub(super) fn check(
    data_dir: &Path,
    disk: &dyn Disk,
    files: &BlockFiles,
    report: &mut CheckReport,
) -> Result<Recovered, OpenError> {
    let mut recovered = catalog::recover(data_dir, disk)?;
    let listed = files.list().map_err(OpenError::at(files.folder()))?;
    if let Some(what) = lost_edit(data_dir, disk, &recovered, &listed)? {
        recovered.lose(what);
    }
    report.catalog = CatalogReport {
        file: recovered.file(),
        blocks: recovered.state.blocks.len() as u64,
        sealed_through: recovered.state.sealed_through,
        deletions: recovered.state.deletions.len() as u64,
        torn_bytes: recovered.torn_bytes,
        damage: recovered.damage.clone(),
        lost: recovered.state.lost.clone(),
    };
    Ok(recovered)
}
