//! The ports the store runs on: [`Clock`] and [`Disk`]. Each has a real, a memory and, for the disk, a faulty
//! implementation, so that the simulator runs the very code that ships.

mod clock;
mod faulty;
mod memory;
mod real;

use std::io;
use std::ops::Range;
use std::path::Path;

pub use clock::{ManualClock, SystemClock};
pub use faulty::{Crash, Effect, Fault, FaultyDisk, Kept, ReadFault};
pub use memory::MemoryDisk;
pub use real::RealDisk;

/// Where time comes from.
pub trait Clock: Send + Sync {
    /// Wall time in unix nanoseconds. May jump.
    fn unix_nanos(&self) -> u64;

    /// Nanoseconds since some fixed moment of this process. Never goes back; measures and waits use it.
    fn monotonic_nanos(&self) -> u64;
}

/// A file in a folder.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// Its name, without the folder.
    pub name: String,
    /// Its length in bytes.
    pub length: u64,
}

/// How much room there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    /// Bytes of the file system.
    pub total_bytes: u64,
    /// Bytes of it that this process may still fill.
    pub available_bytes: u64,
}

/// A local disk: blocking, and used at coarse grain (whole groups, segments, blocks).
///
/// Nothing is durable until the method that says so has returned. A crash may undo, tear or keep whatever was not
/// made durable, in any combination.
pub trait Disk: Send + Sync {
    /// The files of a folder, sorted by name; a folder that does not exist is empty.
    fn list(&self, folder: &Path) -> io::Result<Vec<Entry>>;

    /// Puts the bytes `offset .. offset + length`, fewer at the end of the file, in place of what `bytes` held. `NotFound`
    /// when there is no such file.
    fn read_into(&self, path: &Path, offset: u64, length: usize, bytes: &mut Vec<u8>) -> io::Result<()>;

    /// As [`Disk::read_into`], into memory of its own.
    fn read(&self, path: &Path, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.read_into(path, offset, length, &mut bytes)?;
        Ok(bytes)
    }

    /// A hint: these bytes are going to be read. Returns at once, whatever becomes of it.
    fn will_read(&self, _path: &Path, _ranges: &[Range<u64>]) {}

    /// A new file of `length` zeros, its blocks reserved, in place of any file of that name; missing folders are made. A
    /// file that is written as a stream begins with a length of 0 and grows with its writes. `StorageFull` when the blocks cannot be had. Durability: the bytes by [`DiskFile::sync_data`], the name by
    /// [`Disk::sync_folder`].
    fn create(&self, path: &Path, length: u64) -> io::Result<Box<dyn DiskFile>>;

    /// An existing file, to be written.
    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;

    /// Renames, replacing any file of the new name at once: a crash leaves the old or the new one. Durability: by
    /// [`Disk::sync_folder`].
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file and frees its room. One that is not there is `Ok`, so that a sweep that was interrupted can be begun
    /// again. Durability: by [`Disk::sync_folder`]; until then a crash may bring the file back, whole as it was synced.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Makes the names in a folder durable: files made, replaced, renamed and removed there before, and the folder itself.
    fn sync_folder(&self, folder: &Path) -> io::Result<()>;

    /// The room of the file system that holds a folder; of one that does not exist yet, of the nearest folder above it.
    /// Others share the room, so that there may be less a moment later.
    fn space(&self, folder: &Path) -> io::Result<Space>;

    /// Locks a file for this process until the guard is dropped or the process dies, and writes `holder` into it
    /// if there is room. A lock held by another is `WouldBlock`; its holder's text can be read from the file.
    fn lock(&self, path: &Path, holder: &str) -> io::Result<Box<dyn Send + Sync>>;
}

/// A file open for writing.
pub trait DiskFile: Send {
    /// Writes all bytes at an offset; beyond the end the file grows. `StorageFull` when the room for that cannot be had. After
    /// an error any part of the bytes may have been written. Durability: by [`DiskFile::sync_data`].
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()>;

    /// Makes the bytes and the length durable. After an error nobody knows what is durable, and a later success says
    /// nothing about the bytes written before: the caller must not write to this file again.
    fn sync_data(&mut self) -> io::Result<()>;

    /// Cuts the file, or extends it with zeros; `StorageFull` as in [`DiskFile::write_at`]. Durability: by [`DiskFile::sync_data`].
    fn set_length(&mut self, length: u64) -> io::Result<()>;
}

#[cfg(test)]
mod tests;
