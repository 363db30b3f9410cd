//! Faults that are planted on the way to the disk, as a store's own mistakes would look from there.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use clew_block::{BlockFile, BlockName};
use clew_store::port::{Disk, DiskFile, Entry, FaultyDisk, Space};

/// A mistake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Plant {
    /// The files of a block are not synced.
    SkipSync,
    /// A log's group is acknowledged before its sync, which comes with the next write.
    PublishBeforeSync,
    /// The log is freed when a block is begun.
    FreeLogEarly,
    /// An edit of the catalog is not written.
    DropEdit,
    /// Every second block has the name of the one before it.
    ReuseName,
    /// The blocks that another one is made of are removed when its bytes are durable, before it counts.
    RemoveInputsEarly,
    /// The files of settlements are not synced.
    SkipSettleSync,
    /// Every second settlement has the file of the one before it.
    ReuseSettlement,
}

/// A disk with a mistake on the way to it.
struct Planted {
    plant: Plant,
    disk: FaultyDisk,
    edits: Arc<AtomicUsize>,
    /// Which blocks were read since one was begun.
    inputs: Mutex<BTreeSet<BlockName>>,
}

struct PlantedFile {
    plant: Plant,
    path: PathBuf,
    file: Box<dyn DiskFile>,
    edits: Arc<AtomicUsize>,
    /// Whether it has more in it than what it gets before it has its name.
    is_named: bool,
    owes_sync: bool,
}

impl Plant {
    /// A way to the disk with this mistake.
    pub(crate) fn on(self, disk: &FaultyDisk) -> Arc<dyn Disk> {
        Arc::new(Planted { plant: self, disk: disk.clone(), edits: Arc::default(), inputs: Mutex::default() })
    }
}

fn is_in(path: &Path, folder: &str) -> bool {
    path.parent().is_some_and(|parent| parent.ends_with(folder))
}

impl Planted {
    /// Where a file really is.
    fn place(&self, path: &Path) -> PathBuf {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let (plain, ending) = name.strip_suffix(".tmp").map_or((name, ""), |plain| (plain, ".tmp"));
        if let Some(number) = plain.strip_suffix(".settled").filter(|_| self.plant == Plant::ReuseSettlement) {
            let number = u64::from_str_radix(number, 16).unwrap_or_default();
            return path.with_file_name(format!("{:016x}.settled{ending}", number & !1));
        }
        match BlockName::of_file(plain) {
            Some((BlockName(number), file)) if self.plant == Plant::ReuseName && number % 2 == 1 => {
                path.with_file_name(BlockName(number - 1).file_name(file) + ending)
            }
            _ => path.to_owned(),
        }
    }

    fn wrap(&self, path: &Path, file: Box<dyn DiskFile>, is_named: bool) -> Box<dyn DiskFile> {
        let (path, edits) = (path.to_owned(), Arc::clone(&self.edits));
        Box::new(PlantedFile { plant: self.plant, path, file, edits, is_named, owes_sync: false })
    }

    fn inputs(&self) -> MutexGuard<'_, BTreeSet<BlockName>> {
        self.inputs.lock().expect("nobody panics with it")
    }

    fn remove_inputs(&self, folder: &Path) -> io::Result<()> {
        for name in std::mem::take(&mut *self.inputs()) {
            for file in [BlockFile::Data, BlockFile::Side] {
                self.disk.remove(&folder.join(name.file_name(file)))?;
            }
        }
        self.disk.sync_folder(folder)
    }

    fn free_log(&self) -> io::Result<()> {
        let folder = Path::new(clew_sim::crash::DATA_DIR).join("log");
        for entry in self.disk.list(&folder)? {
            self.disk.remove(&folder.join(entry.name))?;
        }
        self.disk.sync_folder(&folder)
    }
}

impl Disk for Planted {
    fn list(&self, folder: &Path) -> io::Result<Vec<Entry>> {
        self.disk.list(folder)
    }

    fn read_into(&self, path: &Path, offset: u64, length: usize, bytes: &mut Vec<u8>) -> io::Result<()> {
        let name = path.file_name().and_then(|name| name.to_str()).and_then(BlockName::of_file);
        self.inputs().extend(name.map(|(name, _)| name));
        self.disk.read_into(&self.place(path), offset, length, bytes)
    }

    fn create(&self, path: &Path, length: u64) -> io::Result<Box<dyn DiskFile>> {
        if self.plant == Plant::FreeLogEarly && path.to_string_lossy().ends_with(".parquet.tmp") {
            self.free_log()?;
        }
        if path.to_string_lossy().ends_with(".parquet.tmp") {
            self.inputs().clear();
        }
        Ok(self.wrap(path, self.disk.create(&self.place(path), length)?, false))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(self.wrap(path, self.disk.open(&self.place(path))?, true))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.disk.rename(&self.place(from), &self.place(to))?;
        match to.parent() {
            Some(folder) if self.plant == Plant::RemoveInputsEarly && to.to_string_lossy().ends_with(".side") => {
                self.remove_inputs(folder)
            }
            _ => Ok(()),
        }
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.disk.remove(&self.place(path))
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        self.disk.sync_folder(folder)
    }

    fn space(&self, folder: &Path) -> io::Result<Space> {
        self.disk.space(folder)
    }

    fn lock(&self, path: &Path, holder: &str) -> io::Result<Box<dyn Send + Sync>> {
        self.disk.lock(path, holder)
    }
}

impl DiskFile for PlantedFile {
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        if std::mem::take(&mut self.owes_sync) {
            self.file.sync_data()?;
        }
        // A marker is short.
        if self.plant == Plant::DropEdit && self.is_named && is_in(&self.path, "catalog") && bytes.len() > 100 {
            let edit = self.edits.fetch_add(1, Ordering::Relaxed);
            if edit % 3 == 2 {
                return Ok(());
            }
        }
        self.file.write_at(offset, bytes)
    }

    fn sync_data(&mut self) -> io::Result<()> {
        match self.plant {
            Plant::SkipSync if is_in(&self.path, "blocks") => return Ok(()),
            Plant::SkipSettleSync if is_in(&self.path, "settled") => return Ok(()),
            Plant::PublishBeforeSync if self.is_named && is_in(&self.path, "log") => self.owes_sync = true,
            _ => self.file.sync_data()?,
        }
        self.is_named = true;
        Ok(())
    }

    fn set_length(&mut self, length: u64) -> io::Result<()> {
        self.file.set_length(length)
    }
}
