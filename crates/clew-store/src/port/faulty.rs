//! A disk that fails and crashes on demand.

use std::collections::BTreeSet;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::memory::{Fate, MemoryFile};
use super::{Disk, DiskFile, Entry, MemoryDisk, Space};

/// Something that was asked of the disk and changes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// A file was made.
    Create,
    /// Bytes were written: how many.
    Write(usize),
    /// A file was synced.
    Sync,
    /// A file was cut or extended.
    SetLength,
    /// A file was renamed.
    Rename,
    /// A file was removed.
    Remove,
    /// A folder was synced.
    SyncFolder,
}

/// What is to go wrong at one effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The effect fails as on a full disk; of a write, this many bytes were written.
    Full {
        /// Bytes written before the disk was full.
        written_bytes: usize,
    },
    /// The effect fails as on a broken disk, and nothing of it is done. Bytes whose sync fails can be read until a crash,
    /// and no later sync makes them durable.
    Broken,
    /// The machine dies before the effect; each later one fails too, until [`FaultyDisk::restart`].
    Crash,
}

/// What is to go wrong at one read. The next one of the same bytes is well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadFault {
    /// It fails.
    Broken,
    /// It ends halfway, as if the file did.
    Short,
}

/// What a crash leaves of bytes that were written but not synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// Nothing.
    Nothing,
    /// Everything.
    All,
    /// Of the last write to each file this part, in 1/256, of its first bytes; all writes before it.
    Prefix(u8),
    /// Of each write every sector of 512 bytes whose bit is set, by sector number modulo 64.
    Sectors(u64),
}

/// How a crash goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Crash {
    /// What is left of bytes that were not synced.
    pub bytes: Kept,
    /// Whether names that were not synced are left, and removed ones gone.
    pub names: bool,
}

/// A [`MemoryDisk`] that records effects and lets chosen ones fail.
#[derive(Clone, Default)]
pub struct FaultyDisk {
    disk: MemoryDisk,
    script: Arc<Mutex<Script>>,
    released: Arc<Condvar>,
}

#[derive(Default)]
struct Script {
    effects: Vec<Effect>,
    faults: Vec<(usize, Fault)>,
    unreadable: Vec<(PathBuf, Range<u64>)>,
    reads: usize,
    read_faults: Vec<(usize, ReadFault)>,
    copied: BTreeSet<usize>,
    copies: Vec<(usize, MemoryDisk)>,
    full: bool,
    held: bool,
    dead: bool,
}

impl FaultyDisk {
    /// A disk that behaves until told otherwise.
    pub fn new(disk: MemoryDisk) -> Self {
        Self { disk, ..Self::default() }
    }

    /// Lets the effect of that number, counted from zero since the disk was made, go wrong.
    pub fn fail_at(&self, effect: usize, fault: Fault) {
        self.script().faults.push((effect, fault));
    }

    /// Lets the next effect go wrong; see [`FaultyDisk::fail_at`].
    pub fn fail_next(&self, fault: Fault) {
        let next = self.script().effects.len();
        self.fail_at(next, fault);
    }

    /// Keeps a copy of the disk as it is before the effect of that number; see [`FaultyDisk::take_copies`].
    pub fn copy_at(&self, effect: usize) {
        self.script().copied.insert(effect);
    }

    /// The copies that were kept, with the numbers of their effects. [`FaultyDisk::restart`] makes of each what a crash at
    /// that effect leaves, while the disk itself went on.
    pub fn take_copies(&self) -> Vec<(usize, Self)> {
        let copies = std::mem::take(&mut self.script().copies);
        copies.into_iter().map(|(effect, disk)| (effect, Self::new(disk))).collect()
    }

    /// Lets each read of a file that touches the range fail.
    pub fn set_unreadable(&self, path: &Path, range: Range<u64>) {
        self.script().unreadable.push((path.to_owned(), range));
    }

    /// Lets the read of that number, counted from zero since the disk was made, go wrong.
    pub fn fail_read_at(&self, read: usize, fault: ReadFault) {
        self.script().read_faults.push((read, fault));
    }

    /// How many reads there were.
    pub fn reads(&self) -> usize {
        self.script().reads
    }

    /// Flips one bit of a file, synced or not.
    pub fn flip_bit(&self, path: &Path, offset: usize, bit: u8) {
        self.disk.flip_bit(path, offset, bit);
    }

    /// Whether there is no room: while there is none, each create fails as on a full disk. For a disk that fills up by and
    /// by, see [`MemoryDisk::set_capacity`].
    pub fn set_full(&self, full: bool) {
        self.script().full = full;
    }

    /// Whether syncs wait: while they are held, none returns.
    pub fn set_held(&self, held: bool) {
        self.script().held = held;
        self.released.notify_all();
    }

    /// What was done so far.
    pub fn effects(&self) -> Vec<Effect> {
        self.script().effects.clone()
    }

    /// Whether the machine has died.
    pub fn is_dead(&self) -> bool {
        self.script().dead
    }

    /// The disk as it is found after the crash, behaving again.
    #[must_use]
    pub fn restart(&self, crash: Crash) -> Self {
        let disk = self.disk.fork();
        disk.crash_with(crash.names, |last| match crash.bytes {
            Kept::Nothing => Fate::Lost,
            Kept::Prefix(part) if last => Fate::TornPrefix(part),
            Kept::All | Kept::Prefix(_) => Fate::Kept,
            Kept::Sectors(mask) => Fate::TornSectors(mask),
        });
        Self::new(disk)
    }

    /// The disk below.
    pub fn memory(&self) -> &MemoryDisk {
        &self.disk
    }

    fn script(&self) -> MutexGuard<'_, Script> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records an effect, and tells what goes wrong with it.
    fn enter(&self, effect: Effect) -> Result<(), Fault> {
        let mut script = self.script();
        if script.dead {
            return Err(Fault::Crash);
        }
        let number = script.effects.len();
        let grows = matches!(effect, Effect::Create);
        if script.copied.contains(&number) {
            script.copies.push((number, self.disk.fork()));
        }
        script.effects.push(effect);
        if let Some(&(_, fault)) = script.faults.iter().find(|(at, _)| *at == number) {
            script.dead |= fault == Fault::Crash;
            return Err(fault);
        }
        if script.full && grows { Err(Fault::Full { written_bytes: 0 }) } else { Ok(()) }
    }
}

impl From<Fault> for io::Error {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Full { .. } => Self::new(io::ErrorKind::StorageFull, "no space left on device"),
            Fault::Broken => Self::other("input/output error"),
            Fault::Crash => Self::other("the machine is dead"),
        }
    }
}

impl Disk for FaultyDisk {
    fn list(&self, folder: &Path) -> io::Result<Vec<Entry>> {
        self.disk.list(folder)
    }

    fn read_into(&self, path: &Path, offset: u64, length: usize, bytes: &mut Vec<u8>) -> io::Result<()> {
        let end = offset.saturating_add(length as u64);
        let touched = |(of, range): &(PathBuf, Range<u64>)| of == path && range.start < end && offset < range.end;
        let fault = {
            let mut script = self.script();
            let number = script.reads;
            script.reads += 1;
            let fault = script.read_faults.iter().find(|(at, _)| *at == number).map(|(_, fault)| *fault);
            fault.or_else(|| script.unreadable.iter().any(touched).then_some(ReadFault::Broken))
        };
        if fault == Some(ReadFault::Broken) {
            return Err(Fault::Broken.into());
        }
        self.disk.read_into(path, offset, length, bytes)?;
        if fault == Some(ReadFault::Short) {
            bytes.truncate(bytes.len() / 2);
        }
        Ok(())
    }

    fn create(&self, path: &Path, length: u64) -> io::Result<Box<dyn DiskFile>> {
        self.enter(Effect::Create)?;
        Ok(Box::new(FaultyFile { file: self.disk.create_file(path, length)?, disk: self.clone() }))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(FaultyFile { file: self.disk.open_file(path)?, disk: self.clone() }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.enter(Effect::Rename)?;
        self.disk.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.enter(Effect::Remove)?;
        Disk::remove(&self.disk, path)
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        self.enter(Effect::SyncFolder)?;
        self.disk.sync_folder(folder)
    }

    fn space(&self, folder: &Path) -> io::Result<Space> {
        let space = self.disk.space(folder)?;
        Ok(if self.script().full { Space { available_bytes: 0, ..space } } else { space })
    }

    fn lock(&self, path: &Path, holder: &str) -> io::Result<Box<dyn Send + Sync>> {
        self.disk.lock(path, holder)
    }
}

struct FaultyFile {
    file: MemoryFile,
    disk: FaultyDisk,
}

impl DiskFile for FaultyFile {
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        match self.disk.enter(Effect::Write(bytes.len())) {
            Ok(()) => self.file.write_at(offset, bytes),
            Err(fault) => {
                if let Fault::Full { written_bytes } = fault {
                    self.file.write_at(offset, &bytes[..written_bytes.min(bytes.len())])?;
                }
                Err(fault.into())
            }
        }
    }

    fn sync_data(&mut self) -> io::Result<()> {
        let held = self.disk.released.wait_while(self.disk.script(), |script| script.held);
        drop(held.unwrap_or_else(PoisonError::into_inner));
        if let Err(fault) = self.disk.enter(Effect::Sync) {
            if fault == Fault::Broken {
                self.file.fail_sync();
            }
            return Err(fault.into());
        }
        self.file.sync_data()
    }

    fn set_length(&mut self, length: u64) -> io::Result<()> {
        self.disk.enter(Effect::SetLength)?;
        self.file.set_length(length)
    }
}
