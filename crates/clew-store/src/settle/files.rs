//! The files of settlements on a disk.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use quick_cache::Weighter;
use quick_cache::sync::Cache;

use super::record::{Facts, HEADER_BYTES, Header, RecordError, Records, Rollups, Section, encode};
use crate::port::{Disk, Entry};

/// The folder of the settlements, in the data folder.
pub(crate) const SETTLED_FOLDER: &str = "settled";

/// What a file is called until its bytes are durable.
const UNNAMED_ENDING: &str = ".tmp";

const ENDING: &str = ".settled";

/// Digits of a file's number in its name.
const NAME_DIGITS: usize = 16;

/// About how large the figures of a file are, from which the cache derives how many it may have to track.
const USUAL_ROLLUPS_BYTES: u64 = 64 << 10;

/// Reads, makes and removes the files of settlements. Clones share what they hold in memory.
#[derive(Clone)]
pub(crate) struct SettleFiles {
    disk: Arc<dyn Disk>,
    folder: PathBuf,
    rollups: Arc<Cache<u64, Arc<Rollups>, Weights>>,
    /// What is wrong with files, by number, as far as they were read.
    damage: Arc<Mutex<BTreeMap<u64, String>>>,
}

/// What a file takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Made {
    /// All of it.
    pub(crate) bytes: u64,
    /// Its records.
    pub(crate) record_bytes: u64,
}

/// A file that was read to its last byte: what can be read of it.
#[derive(Debug)]
pub(crate) struct Whole {
    pub(crate) facts: Facts,
    /// As the header says.
    pub(crate) bytes: u64,
    pub(crate) record_bytes: u64,
    pub(crate) records: Result<Records, SettleReadError>,
    pub(crate) rollups: Result<Rollups, SettleReadError>,
}

#[derive(Clone)]
struct Weights;

impl Weighter<u64, Arc<Rollups>> for Weights {
    fn weight(&self, _: &u64, rollups: &Arc<Rollups>) -> u64 {
        rollups.iter().map(|(_, rollup)| rollup.bytes() as u64).sum::<u64>() + 128
    }
}

/// A file that could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum SettleReadError {
    /// The disk failed.
    #[error("{0}")]
    Disk(#[from] io::Error),
    /// The bytes are not what was written.
    #[error("{0}")]
    Bytes(#[from] RecordError),
}

impl SettleReadError {
    /// Whether the file is not what it was, rather than the disk not what it should be.
    pub(crate) fn is_damage(&self) -> bool {
        match self {
            Self::Disk(error) => error.kind() == io::ErrorKind::NotFound,
            Self::Bytes(_) => true,
        }
    }
}

/// The name of a file.
pub(crate) fn file_name(number: u64) -> String {
    format!("{number:0NAME_DIGITS$x}{ENDING}")
}

/// The number of the file of that name; `None` for other files.
pub(crate) fn file_number(name: &str) -> Option<u64> {
    let number = u64::from_str_radix(name.strip_suffix(ENDING)?, 16).ok()?;
    (file_name(number) == name).then_some(number)
}

impl SettleFiles {
    /// The settlements of a data folder. Of their figures so many bytes are held in memory.
    pub(crate) fn new(disk: Arc<dyn Disk>, data_dir: &Path, cache_bytes: u64) -> Self {
        let items = (cache_bytes / USUAL_ROLLUPS_BYTES).max(16) as usize;
        let rollups = Arc::new(Cache::with_weighter(items, cache_bytes, Weights));
        Self { disk, folder: data_dir.join(SETTLED_FOLDER), rollups, damage: Arc::default() }
    }

    /// Makes a file, durable when this returns. What a crash leaves of one that is not made to the end has no name that
    /// counts, and the next start sweeps it.
    pub(crate) fn make(&self, number: u64, facts: Facts, records: &Records, rollups: &Rollups) -> io::Result<Made> {
        let (bytes, record_bytes) = encode(facts, records, rollups);
        let unnamed = self.folder.join(file_name(number) + UNNAMED_ENDING);
        let mut file = self.disk.create(&unnamed, 0)?;
        file.write_at(0, &bytes)?;
        file.sync_data()?;
        drop(file);
        self.disk.rename(&unnamed, &self.folder.join(file_name(number)))?;
        self.disk.sync_folder(&self.folder)?;
        Ok(Made { bytes: bytes.len() as u64, record_bytes })
    }

    /// Removes what there is of a file, under any name.
    pub(crate) fn remove(&self, number: u64) -> io::Result<()> {
        self.rollups.remove(&number);
        self.lock().remove(&number);
        self.disk.remove(&self.folder.join(file_name(number)))?;
        self.disk.remove(&self.folder.join(file_name(number) + UNNAMED_ENDING))
    }

    /// Makes removals durable.
    pub(crate) fn sync(&self) -> io::Result<()> {
        self.disk.sync_folder(&self.folder)
    }

    /// The files in the folder.
    pub(crate) fn list(&self) -> io::Result<Vec<Entry>> {
        self.disk.list(&self.folder)
    }

    /// Removes a file of the folder by its own name.
    pub(crate) fn remove_file(&self, name: &str) -> io::Result<()> {
        self.disk.remove(&self.folder.join(name))
    }

    /// The records of a file.
    pub(crate) fn records(&self, number: u64) -> Result<Records, SettleReadError> {
        self.section(number, |header| header.records)
    }

    /// The figures of a file, from memory if they are there.
    pub(crate) fn rollups(&self, number: u64) -> Result<Arc<Rollups>, SettleReadError> {
        self.rollups.get_or_insert_with(&number, || self.section(number, |header| header.rollups).map(Arc::new))
    }

    /// All that can be read of a file; an error when that is nothing.
    pub(crate) fn whole(&self, number: u64) -> Result<Whole, SettleReadError> {
        let path = self.path(number);
        let header = Header::decode(&self.disk.read(&path, 0, HEADER_BYTES)?)?;
        Ok(Whole {
            facts: header.facts,
            bytes: header.file_bytes(),
            record_bytes: header.records.stored_bytes,
            records: self.decode(&path, &header.records),
            rollups: self.decode(&path, &header.rollups),
        })
    }

    /// Tells everybody what is wrong with a file.
    pub(crate) fn note_damage(&self, number: u64, what: String) {
        self.lock().entry(number).or_insert(what);
    }

    /// What is wrong with a file, as far as it was read; in a sentence.
    pub(crate) fn damage(&self, number: u64) -> Option<String> {
        self.lock().get(&number).cloned()
    }

    /// The folder.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    fn path(&self, number: u64) -> PathBuf {
        self.folder.join(file_name(number))
    }

    fn section<T: for<'de> serde::Deserialize<'de>>(
        &self,
        number: u64,
        which: impl Fn(&Header) -> Section,
    ) -> Result<T, SettleReadError> {
        let path = self.path(number);
        let read = || self.decode(&path, &which(&Header::decode(&self.disk.read(&path, 0, HEADER_BYTES)?)?));
        read().inspect_err(|error| {
            // What the disk fails to do it may do the next time.
            if error.is_damage() {
                self.note_damage(number, format!("settled/{} cannot be read: {error}", file_name(number)));
            }
        })
    }

    fn decode<T: for<'de> serde::Deserialize<'de>>(
        &self,
        path: &Path,
        section: &Section,
    ) -> Result<T, SettleReadError> {
        let stored = self.disk.read(path, section.offset, section.stored_bytes as usize)?;
        Ok(section.decode(&stored)?)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, String>> {
        self.damage.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for SettleFiles {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SettleFiles").field("folder", &self.folder).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_names_are_read_back_and_others_are_not_ours() {
        assert_eq!(file_number(&file_name(0x2a)), Some(0x2a));
        for other in ["2a.settled", "000000000000002A.settled", "000000000000002a.settled.tmp", "000000000000002a.side"]
        {
            assert_eq!(file_number(other), None, "{other}");
        }
    }
}
