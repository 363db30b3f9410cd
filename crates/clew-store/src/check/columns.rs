//! What each column, and each section of the sidecar, takes over all blocks.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use serde::Serialize;

use super::{CheckError, blocks, lock};
use crate::catalog;
use crate::keep::files::BlockFiles;
use crate::port::Disk;

/// What blocks take.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ColumnsReport {
    /// Blocks.
    pub blocks: u64,
    /// Their spans.
    pub spans: u64,
    /// Bytes of their Parquet files.
    pub data_bytes: u64,
    /// Bytes of their sidecars.
    pub side_bytes: u64,
    /// Each column and section; those that take most come first. They add up to all bytes.
    pub columns: Vec<ColumnTotal>,
    /// Blocks that could not be read, and why.
    pub problems: Vec<String>,
}

/// What a column or section takes over all blocks.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ColumnTotal {
    /// Its name; sections have theirs after `sidecar:`. What belongs to no column is in brackets.
    pub name: String,
    /// Bytes in the files.
    pub bytes: u64,
    /// Bytes before compression.
    pub plain_bytes: u64,
}

/// Adds up what columns take; reads no rows. Refuses when a server holds the folder's lock.
pub fn columns(data_dir: &Path, disk: &Arc<dyn Disk>) -> Result<ColumnsReport, CheckError> {
    let _lock = lock(data_dir, &**disk)?;
    let state = catalog::recover(data_dir, &**disk)?.state;
    let files = BlockFiles::new(Arc::clone(disk), data_dir);
    let mut report = ColumnsReport::default();
    let mut totals: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    let (mut in_data, mut in_side) = (0, 0);
    for entry in state.blocks.values() {
        let sizes = match blocks::open(&files, entry).columns() {
            Ok(sizes) => sizes,
            Err(error) => {
                report.problems.push(error.to_string());
                continue;
            }
        };
        report.blocks += 1;
        report.spans += entry.meta.row_count;
        report.data_bytes += entry.meta.data_bytes;
        report.side_bytes += entry.side_bytes;
        for size in sizes {
            let of = if size.name.starts_with("sidecar:") { &mut in_side } else { &mut in_data };
            *of += size.compressed_bytes;
            let total = totals.entry(size.name).or_default();
            *total = (total.0 + size.compressed_bytes, total.1 + size.uncompressed_bytes);
        }
    }
    for (name, bytes) in [
        ("(parquet metadata)", report.data_bytes.saturating_sub(in_data)),
        ("(sidecar headers)", report.side_bytes.saturating_sub(in_side)),
    ] {
        totals.insert(name.to_owned(), (bytes, bytes));
    }
    let total = |(name, (bytes, plain_bytes))| ColumnTotal { name, bytes, plain_bytes };
    report.columns = totals.into_iter().map(total).collect();
    report.columns.sort_by(|a, b| b.bytes.cmp(&a.bytes).then_with(|| a.name.cmp(&b.name)));
    Ok(report)
}
