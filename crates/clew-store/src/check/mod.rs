//! `clew check`: reads a data folder that no server uses down to its last byte, and repairs it.
//!
//! | File | What |
//! |---|---|
//! | `log` | every frame of the log that is not in blocks yet |
//! | `catalog` | what the catalog says, and what it lost |
//! | `blocks` | every byte of the blocks that the catalog names, and files that it does not name |
//! | `settled` | every byte of the files of settlements, and files that the catalog does not name |
//! | `repair` | the catalog from the blocks, and blocks without what cannot be read |
//! | `columns` | what each column takes |
//!
//! A repair acknowledges a loss: what it cannot read is left out, told in the report, and kept in the folder `aside`.

mod blocks;
mod catalog;
mod columns;
mod log;
mod repair;
mod settled;

use std::path::Path;
use std::sync::Arc;

use serde::Serialize;

pub use self::blocks::{BlockReport, StrayFile};
pub use self::catalog::CatalogReport;
pub use self::columns::{ColumnTotal, ColumnsReport, columns};
pub use self::log::SegmentReport;
pub use self::settled::SettledReport;
use crate::keep::KeepError;
use crate::keep::files::BlockFiles;
use crate::port::Disk;
use crate::settle::files::SettleFiles;
use crate::{OpenError, folder};

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CheckReport {
    /// Each segment of the log that is not sealed, in order.
    pub segments: Vec<SegmentReport>,
    /// Segments whose spans are in blocks; the next start removes them.
    pub freed_segments: Vec<String>,
    /// Segments that were rewritten without what cannot be read.
    pub repaired_segments: u64,
    /// The catalog, as it was found.
    pub catalog: CatalogReport,
    /// Each block that the catalog names, as it was found; after a repair of the catalog, as that names them.
    pub blocks: Vec<BlockReport>,
    /// Files of blocks that the catalog does not name.
    pub stray_files: Vec<StrayFile>,
    /// Each file of settlements that the catalog names, in the same way.
    pub settled: Vec<SettledReport>,
    /// Files of settlements that the catalog does not name.
    pub stray_settled_files: Vec<StrayFile>,
    /// What a repair did to the catalog, the blocks and the settlements, in sentences.
    pub repairs: Vec<String>,
    /// Spans of blocks that a repair found to be lost.
    pub lost_spans: u64,
}

impl CheckReport {
    /// Whether nothing is damaged. A torn tail is no damage, and neither is a file that a crash left behind.
    pub fn is_clean(&self) -> bool {
        self.segments.iter().all(|segment| segment.damage.is_empty())
            && self.catalog.is_clean()
            && self.blocks.iter().all(|block| block.problems.is_empty())
            && self.settled.iter().all(|file| file.problems.is_empty())
    }

    /// Whether a repair changed anything.
    pub fn is_repaired(&self) -> bool {
        self.repaired_segments > 0 || !self.repairs.is_empty()
    }
}

/// Why a check could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckError {
    /// The folder or its disk cannot be used.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// There is nothing to check.
    #[error("{path} is not a clew data folder: it has no FORMAT file")]
    NoFolder {
        /// The folder.
        path: String,
    },
    /// A repair did not come to its end. What it did counts, and it may be begun again.
    #[error("the repair did not come to its end: {0}")]
    Repair(#[from] KeepError),
}

/// Checks a data folder: the log down to its spans, the catalog, and every byte of every block
/// and of every file of settlements.
///
/// With `repair`, damaged bytes go to the folder `aside`; in the log, gaps take their place; a catalog that lost something is
/// made again from the blocks; a damaged block or file of settlements is written
/// anew without what cannot be read, or leaves the catalog. The next
/// start finds no damage; the report still names it. Refuses when a server holds the folder's lock.
pub fn check(data_dir: &Path, disk: &Arc<dyn Disk>, repair: bool) -> Result<CheckReport, CheckError> {
    let _lock = lock(data_dir, &**disk)?;
    let files = BlockFiles::new(Arc::clone(disk), data_dir);
    let settled = SettleFiles::new(Arc::clone(disk), data_dir, 0);
    let mut report = CheckReport::default();
    let recovered = catalog::check(data_dir, &**disk, &files, &mut report)?;
    let sealed_through = if repair {
        repair::repair(data_dir, disk, &files, &settled, recovered, &mut report)?
    } else {
        blocks::check(&files, &recovered.state, &mut report)?;
        settled::check(&settled, &recovered.state.settled, &mut report)?;
        recovered.state.sealed_through
    };
    log::check(data_dir, &**disk, sealed_through, repair, &mut report)?;
    Ok(report)
}

/// Locks a folder, if it is a data folder.
fn lock(data_dir: &Path, disk: &dyn Disk) -> Result<Box<dyn Send + Sync>, CheckError> {
    if folder::format(data_dir, disk)?.is_none() {
        return Err(CheckError::NoFolder { path: data_dir.display().to_string() });
    }
    Ok(folder::lock(data_dir, disk)?)
}
