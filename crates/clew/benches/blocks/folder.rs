//! A data folder whose pages can be dropped from the machine's cache.

use std::fs::{self, File};
use std::path::Path;

use rustix::fs::{Advice, fadvise};

/// Asks the kernel to forget the pages of the blocks in that data folder; they are synced, so it can.
pub(crate) fn forget_pages(data: &Path) -> anyhow::Result<()> {
    let blocks = data.join("blocks");
    if !blocks.is_dir() {
        // Nothing was sealed yet.
        return Ok(());
    }
    for entry in fs::read_dir(blocks)? {
        fadvise(File::open(entry?.path())?, 0, None, Advice::DontNeed)?;
    }
    Ok(())
}
