//! The files of blocks on a disk.

use std::io::{self, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use clew_block::sidecar::SideBytes;
use clew_block::{BlockFile, BlockName, Ranges};

use crate::port::{Disk, DiskFile, Entry};

/// The folder of the blocks, in the data folder.
pub(crate) const BLOCKS_FOLDER: &str = "blocks";

/// Bytes that a sink gathers before it writes them.
const BUFFER_BYTES: usize = 1 << 20;

/// A long file is synced each time that so many bytes were written: all at once, a disk would let the log wait.
const SYNC_BYTES: u64 = 16 << 20;

/// What a file is called until its bytes are durable.
const UNNAMED_ENDING: &str = ".tmp";

/// Reads, makes and removes the files of blocks.
#[derive(Clone)]
pub(crate) struct BlockFiles {
    disk: Arc<dyn Disk>,
    folder: PathBuf,
}

/// A file that is being made, as a sink of bytes.
pub(crate) struct Sink {
    file: Box<dyn DiskFile>,
    buffer: Vec<u8>,
    written: u64,
    synced: u64,
}

impl BlockFiles {
    /// The blocks of a data folder.
    pub(crate) fn new(disk: Arc<dyn Disk>, data_dir: &Path) -> Self {
        Self { disk, folder: data_dir.join(BLOCKS_FOLDER) }
    }

    /// Begins a file under a name that means nothing.
    pub(crate) fn begin(&self, name: BlockName, file: BlockFile) -> io::Result<Sink> {
        let file = self.disk.create(&self.unnamed(name, file), 0)?;
        Ok(Sink { file, buffer: Vec::with_capacity(BUFFER_BYTES), written: 0, synced: 0 })
    }

    /// Makes both files of a block durable and gives them their names. What the disk kept of a block that is not made to the
    /// end has no name, and the next start sweeps it.
    pub(crate) fn finish(&self, name: BlockName, data: Sink, side: &SideBytes) -> io::Result<()> {
        let mut sink = self.begin(name, BlockFile::Side)?;
        side.write_to(&mut sink)?;
        for (sink, file) in [(data, BlockFile::Data), (sink, BlockFile::Side)] {
            sink.sync()?;
            self.disk.rename(&self.unnamed(name, file), &self.path(name, file))?;
        }
        self.disk.sync_folder(&self.folder)
    }

    /// Removes what there is of a block, under any name.
    pub(crate) fn remove(&self, name: BlockName) -> io::Result<()> {
        for file in [BlockFile::Data, BlockFile::Side] {
            self.disk.remove(&self.path(name, file))?;
            self.disk.remove(&self.unnamed(name, file))?;
        }
        Ok(())
    }

    /// The folder.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The files in the folder.
    pub(crate) fn list(&self) -> io::Result<Vec<Entry>> {
        self.disk.list(&self.folder)
    }

    /// Removes a file of the folder by its own name.
    pub(crate) fn remove_file(&self, name: &str) -> io::Result<()> {
        self.disk.remove(&self.folder.join(name))
    }

    /// Makes removals durable.
    pub(crate) fn sync(&self) -> io::Result<()> {
        self.disk.sync_folder(&self.folder)
    }

    fn path(&self, name: BlockName, file: BlockFile) -> PathBuf {
        self.folder.join(name.file_name(file))
    }

    fn unnamed(&self, name: BlockName, file: BlockFile) -> PathBuf {
        self.folder.join(name.file_name(file) + UNNAMED_ENDING)
    }
}

impl Ranges for BlockFiles {
    fn read(&self, name: BlockName, file: BlockFile, offset: u64, length: usize) -> io::Result<Bytes> {
        let bytes = self.disk.read(&self.path(name, file), offset, length)?;
        if bytes.len() < length { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(bytes.into()) }
    }

    fn will_read(&self, name: BlockName, file: BlockFile, ranges: &[Range<u64>]) {
        self.disk.will_read(&self.path(name, file), ranges);
    }
}

impl Sink {
    /// Writes what was gathered and makes the file durable.
    fn sync(mut self) -> io::Result<()> {
        self.flush()?;
        self.file.sync_data()
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= BUFFER_BYTES {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if !self.buffer.is_empty() {
            self.file.write_at(self.written, &self.buffer)?;
            self.written += self.buffer.len() as u64;
            self.buffer.clear();
            if self.written - self.synced >= SYNC_BYTES {
                self.file.sync_data()?;
                self.synced = self.written;
            }
        }
        Ok(())
    }
}
