//! A disk in memory that knows what is synced and what is not.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Disk, DiskFile, Entry, Space};

/// A disk in memory. Clones share it. Bytes and names, removed ones too, are pending until they are synced;
/// [`MemoryDisk::crash`] decides what becomes of pending ones.
#[derive(Debug, Clone, Default)]
pub struct MemoryDisk {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    files: Vec<Content>,
    names: BTreeMap<PathBuf, usize>,
    /// What a crash would leave of the names.
    durable_names: BTreeMap<PathBuf, usize>,
    locks: BTreeSet<PathBuf>,
    boots: u64,
    /// How many bytes all files together may have.
    capacity: Option<u64>,
}

/// How large a disk without a capacity says that it is.
const UNBOUNDED_BYTES: u64 = 1 << 50;

/// A file: what is durable, and what was done since.
#[derive(Debug, Default, Clone)]
struct Content {
    bytes: Vec<u8>,
    durable: Vec<u8>,
    pending: Vec<Change>,
}

#[derive(Debug, Clone)]
enum Change {
    Write { offset: usize, bytes: Vec<u8> },
    Length(usize),
}

/// What a crash does to one pending change.
#[derive(Debug, Clone, Copy)]
pub(super) enum Fate {
    /// As if it had never been made.
    Lost,
    /// As if it had been synced.
    Kept,
    /// Of a write, this part of its first bytes, in 1/256.
    TornPrefix(u8),
    /// Of a write, the sectors of 512 bytes whose bit is set, by sector number in the file modulo 64.
    TornSectors(u64),
}

impl MemoryDisk {
    /// An empty disk.
    pub fn new() -> Self {
        Self::default()
    }

    /// Bounds what all files together may have, in bytes; `None` lifts the bound. What is there already stays.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.state().capacity = bytes;
    }

    /// Forgets whatever was not synced, and all locks, as a power cut would.
    pub fn crash(&self) {
        self.crash_with(false, |_| Fate::Lost);
    }

    /// A power cut; pending names are kept or lost, and `fate` decides about each pending change of bytes, told whether
    /// it is the last of its file.
    pub(super) fn crash_with(&self, keep_names: bool, mut fate: impl FnMut(bool) -> Fate) {
        let mut state = self.state();
        let names = if keep_names { state.names.clone() } else { state.durable_names.clone() };
        for file in &mut state.files {
            let pending = std::mem::take(&mut file.pending);
            let count = pending.len();
            for (index, change) in pending.into_iter().enumerate() {
                change.apply(&mut file.durable, &fate(index + 1 == count));
            }
            file.bytes = file.durable.clone();
        }
        state.names = names.clone();
        state.durable_names = names;
        state.locks.clear();
        state.boots += 1;
    }

    /// A disk of its own with the same content, pending changes included.
    #[must_use]
    pub fn fork(&self) -> Self {
        let state = self.state();
        let copy = State {
            files: state.files.clone(),
            names: state.names.clone(),
            durable_names: state.durable_names.clone(),
            locks: state.locks.clone(),
            boots: state.boots,
            capacity: state.capacity,
        };
        Self { state: Arc::new(Mutex::new(copy)) }
    }

    /// Flips one bit of a file, on the platter: synced or not.
    pub fn flip_bit(&self, path: &Path, offset: usize, bit: u8) {
        let mut state = self.state();
        if let Some(&file) = state.names.get(path) {
            let file = &mut state.files[file];
            for bytes in [&mut file.bytes, &mut file.durable] {
                if let Some(byte) = bytes.get_mut(offset) {
                    *byte ^= 1 << (bit & 7);
                }
            }
        }
    }

    /// Loses a file for good, as an operator might.
    pub fn lose(&self, path: &Path) {
        let mut state = self.state();
        state.names.remove(path);
        state.durable_names.remove(path);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Change {
    /// What can be done of it when the file, now of `length` bytes, can have no more than `longest`.
    fn fitting(self, longest: u64, length: u64) -> (Option<Self>, io::Result<()>) {
        let end = match &self {
            Self::Write { offset, bytes } => *offset as u64 + bytes.len() as u64,
            Self::Length(end) => *end as u64,
        };
        if end <= longest.max(length) {
            return (Some(self), Ok(()));
        }
        let part = match self {
            Self::Write { offset, mut bytes } if longest > offset as u64 => {
                bytes.truncate((longest - offset as u64) as usize);
                Some(Self::Write { offset, bytes })
            }
            Self::Write { .. } | Self::Length(_) => None,
        };
        (part, Err(io::Error::new(io::ErrorKind::StorageFull, "no space left on device")))
    }

    fn apply(self, bytes: &mut Vec<u8>, fate: &Fate) {
        match (self, fate) {
            (_, Fate::Lost) => {}
            (Self::Length(length), _) => bytes.resize(length, 0),
            (Self::Write { offset, bytes: new }, fate) => {
                let end = offset + new.len();
                if bytes.len() < end {
                    bytes.resize(end, 0);
                }
                let prefix = match fate {
                    Fate::TornPrefix(part) => new.len() * usize::from(*part) / 256,
                    _ => new.len(),
                };
                let Fate::TornSectors(mask) = fate else {
                    return bytes[offset..offset + prefix].copy_from_slice(&new[..prefix]);
                };
                for (index, byte) in new.into_iter().enumerate() {
                    if mask >> ((offset + index) / 512 % 64) & 1 == 1 {
                        bytes[offset + index] = byte;
                    }
                }
            }
        }
    }
}

impl State {
    fn find(&self, path: &Path) -> io::Result<usize> {
        self.names.get(path).copied().ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "no such file"))
    }

    fn space(&self) -> Space {
        let total_bytes = self.capacity.unwrap_or(UNBOUNDED_BYTES);
        let named: BTreeSet<usize> = self.names.values().copied().collect();
        let used: u64 = named.into_iter().map(|file| self.files[file].bytes.len() as u64).sum();
        Space { total_bytes, available_bytes: total_bytes.saturating_sub(used) }
    }

    /// The longest that a file can become.
    fn longest(&self, file: usize) -> u64 {
        let available = if self.capacity.is_some() { self.space().available_bytes } else { u64::MAX };
        available.saturating_add(self.files[file].bytes.len() as u64)
    }

    /// Frees the memory of files that no name can bring back.
    fn forget_unnamed(&mut self) {
        let named: BTreeSet<usize> = self.names.values().chain(self.durable_names.values()).copied().collect();
        for (index, file) in self.files.iter_mut().enumerate() {
            if !named.contains(&index) {
                *file = Content::default();
            }
        }
    }
}

impl Disk for MemoryDisk {
    fn list(&self, folder: &Path) -> io::Result<Vec<Entry>> {
        let state = self.state();
        let inside = state.names.iter().filter(|(path, _)| path.parent() == Some(folder));
        let name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        Ok(inside
            .map(|(path, file)| Entry { name: name(path), length: state.files[*file].bytes.len() as u64 })
            .collect())
    }

    fn read_into(&self, path: &Path, offset: u64, length: usize, bytes: &mut Vec<u8>) -> io::Result<()> {
        let state = self.state();
        let file = &state.files[state.find(path)?].bytes;
        let from = file.len().min(offset as usize);
        let to = file.len().min(from.saturating_add(length));
        bytes.clear();
        bytes.extend_from_slice(&file[from..to]);
        Ok(())
    }

    fn create(&self, path: &Path, length: u64) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(self.create_file(path, length)?))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(self.open_file(path)?))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.state();
        let file = state.find(from)?;
        state.names.remove(from);
        state.names.insert(to.to_owned(), file);
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.state().names.remove(path);
        Ok(())
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        let mut state = self.state();
        let State { names, durable_names, .. } = &mut *state;
        durable_names.retain(|path, _| path.parent() != Some(folder));
        let inside = names.iter().filter(|(path, _)| path.parent() == Some(folder));
        durable_names.extend(inside.map(|(path, file)| (path.clone(), *file)));
        state.forget_unnamed();
        Ok(())
    }

    fn space(&self, _: &Path) -> io::Result<Space> {
        Ok(self.state().space())
    }

    fn lock(&self, path: &Path, holder: &str) -> io::Result<Box<dyn Send + Sync>> {
        if !self.state().locks.insert(path.to_owned()) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let mut file = self.create(path, 0)?;
        file.write_at(0, holder.as_bytes())?;
        Ok(Box::new(MemoryLock { disk: self.clone(), path: path.to_owned(), boot: self.state().boots }))
    }
}

impl MemoryDisk {
    pub(super) fn create_file(&self, path: &Path, length: u64) -> io::Result<MemoryFile> {
        let mut state = self.state();
        state.files.push(Content::default());
        let file = state.files.len() - 1;
        state.names.insert(path.to_owned(), file);
        let mut handle = MemoryFile { disk: self.clone(), file, boot: state.boots };
        drop(state);
        handle.set_length(length)?;
        Ok(handle)
    }

    pub(super) fn open_file(&self, path: &Path) -> io::Result<MemoryFile> {
        let state = self.state();
        Ok(MemoryFile { disk: self.clone(), file: state.find(path)?, boot: state.boots })
    }
}

struct MemoryLock {
    disk: MemoryDisk,
    path: PathBuf,
    boot: u64,
}

impl Drop for MemoryLock {
    fn drop(&mut self) {
        let mut state = self.disk.state();
        if state.boots == self.boot {
            state.locks.remove(&self.path);
        }
    }
}

pub(super) struct MemoryFile {
    disk: MemoryDisk,
    file: usize,
    boot: u64,
}

impl MemoryFile {
    /// What a sync that fails does at worst: whatever was pending can still be read, is not durable, and no later sync
    /// makes it so.
    pub(super) fn fail_sync(&mut self) {
        self.disk.state().files[self.file].pending.clear();
    }

    /// What a full disk takes of a change goes into the file; the rest is the error.
    fn change(&self, change: Change) -> io::Result<()> {
        let mut state = self.disk.state();
        if state.boots != self.boot {
            return Err(io::Error::other("the file was open before the crash"));
        }
        let (change, result) = change.fitting(state.longest(self.file), state.files[self.file].bytes.len() as u64);
        let file = &mut state.files[self.file];
        if let Some(change) = change {
            change.clone().apply(&mut file.bytes, &Fate::Kept);
            file.pending.push(change);
        }
        result
    }
}

impl DiskFile for MemoryFile {
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.change(Change::Write { offset: offset as usize, bytes: bytes.to_vec() })
    }

    fn sync_data(&mut self) -> io::Result<()> {
        let mut state = self.disk.state();
        if state.boots != self.boot {
            return Err(io::Error::other("the file was open before the crash"));
        }
        let file = &mut state.files[self.file];
        for change in std::mem::take(&mut file.pending) {
            change.apply(&mut file.durable, &Fate::Kept);
        }
        Ok(())
    }

    fn set_length(&mut self, length: u64) -> io::Result<()> {
        self.change(Change::Length(length as usize))
    }
}
