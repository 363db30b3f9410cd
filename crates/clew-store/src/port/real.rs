//! The machine's disk.
#![expect(clippy::disallowed_methods, reason = "this is the Disk port")]

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::num::NonZeroU64;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use rustix::buffer::spare_capacity;
use rustix::fs::{Advice, FallocateFlags, FlockOperation, fadvise, fallocate, flock, statvfs};
use rustix::io::{Errno, pread};

use super::{Disk, DiskFile, Entry, Space};

/// A read of more bytes asks the file first how many there are, so that no length makes it take memory for nothing.
const SHORT_BYTES: usize = 64 << 10;

/// The machine's disk.
#[derive(Debug, Clone, Default)]
pub struct RealDisk {}

impl RealDisk {
    /// The machine's disk.
    pub fn new() -> Self {
        Self {}
    }
}

impl Disk for RealDisk {
    fn list(&self, folder: &Path) -> io::Result<Vec<Entry>> {
        let listing = match fs::read_dir(folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            listing => listing?,
        };
        let mut entries = Vec::new();
        for entry in listing {
            let entry = entry?;
            let metadata = entry.metadata()?;
            // A name that is not Unicode is not one of ours.
            if let (true, Ok(name)) = (metadata.is_file(), entry.file_name().into_string()) {
                entries.push(Entry { name, length: metadata.len() });
            }
        }
        entries.sort();
        Ok(entries)
    }

    fn read_into(&self, path: &Path, offset: u64, length: usize, bytes: &mut Vec<u8>) -> io::Result<()> {
        let file = File::open(path)?;
        // Of a few bytes it is not worth a call to learn how many there are.
        let length = if length <= SHORT_BYTES { length } else { length.min(available(&file, offset)?) };
        bytes.clear();
        bytes.shrink_to(length);
        bytes.try_reserve_exact(length).map_err(io::Error::other)?;
        while bytes.len() < length {
            let at = offset.checked_add(bytes.len() as u64).ok_or(io::ErrorKind::InvalidInput)?;
            match pread(&file, spare_capacity(bytes), at) {
                Ok(0) => break,
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        // An allocator may have given more room.
        bytes.truncate(length);
        Ok(())
    }

    fn will_read(&self, path: &Path, ranges: &[Range<u64>]) {
        let Ok(file) = File::open(path) else { return };
        for range in ranges {
            if let Some(length) = NonZeroU64::new(range.end.saturating_sub(range.start)) {
                // A hint that is not taken costs time, and nothing else.
                let _ = fadvise(&file, range.start, Some(length), Advice::WillNeed);
            }
        }
    }

    fn create(&self, path: &Path, length: u64) -> io::Result<Box<dyn DiskFile>> {
        if let Some(folder) = path.parent() {
            create_folders(folder)?;
        }
        let file = OpenOptions::new().write(true).create(true).truncate(true).open(path)?;
        reserve(&file, length).inspect_err(|_| {
            // The room it took must not stay taken; if even that fails, the next create truncates it.
            let _ = file.set_len(0);
        })?;
        Ok(Box::new(RealFile { file }))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(RealFile { file: OpenOptions::new().write(true).open(path)? }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        match fs::remove_file(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            result => result,
        }
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        File::open(folder)?.sync_all()
    }

    fn space(&self, folder: &Path) -> io::Result<Space> {
        let existing = folder.ancestors().find(|path| path.is_dir()).unwrap_or(Path::new("."));
        let figures = statvfs(existing)?;
        Ok(Space {
            total_bytes: figures.f_blocks.saturating_mul(figures.f_frsize),
            available_bytes: figures.f_bavail.saturating_mul(figures.f_frsize),
        })
    }

    fn lock(&self, path: &Path, holder: &str) -> io::Result<Box<dyn Send + Sync>> {
        if let Some(folder) = path.parent() {
            create_folders(folder)?;
        }
        let mut file = OpenOptions::new().write(true).create(true).truncate(false).open(path)?;
        flock(&file, FlockOperation::NonBlockingLockExclusive).map_err(io::Error::from)?;
        // The text is a courtesy: on a full disk the lock holds without it.
        let _ = file.set_len(0).and_then(|()| file.write_all(holder.as_bytes()));
        Ok(Box::new(file))
    }
}

/// How many bytes a file has from an offset on.
fn available(file: &File, offset: u64) -> io::Result<usize> {
    Ok(usize::try_from(file.metadata()?.len().saturating_sub(offset)).unwrap_or(usize::MAX))
}

/// Makes a folder and those above it; each new name is made durable in its own folder.
fn create_folders(folder: &Path) -> io::Result<()> {
    if folder.as_os_str().is_empty() || folder.is_dir() {
        return Ok(());
    }
    let mut missing: Vec<&Path> =
        folder.ancestors().take_while(|path| !path.as_os_str().is_empty() && !path.is_dir()).collect();
    missing.reverse();
    fs::create_dir_all(folder)?;
    for path in missing {
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(parent)?.sync_all()?;
    }
    Ok(())
}

/// Reserves blocks; where the file system cannot, the length is set and a full disk shows at the write.
fn reserve(file: &File, length: u64) -> io::Result<()> {
    if length == 0 {
        return Ok(());
    }
    loop {
        match fallocate(file, FallocateFlags::empty(), 0, length) {
            Err(Errno::INTR) => {}
            Err(Errno::OPNOTSUPP | Errno::NOSYS) => return file.set_len(length),
            result => return result.map_err(io::Error::from),
        }
    }
}

struct RealFile {
    file: File,
}

impl DiskFile for RealFile {
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all_at(bytes, offset)
    }

    fn sync_data(&mut self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn set_length(&mut self, length: u64) -> io::Result<()> {
        self.file.set_len(length)
    }
}
