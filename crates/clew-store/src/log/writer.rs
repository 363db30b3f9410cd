//! Carries the machine's effects out on a disk.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::machine::{Effect, Failure};
use super::segment::{segment_header, segment_name};
use crate::port::{Clock, Disk, DiskFile};

/// Writes the current segment.
pub struct Writer {
    disk: Arc<dyn Disk>,
    clock: Arc<dyn Clock>,
    folder: PathBuf,
    current: Option<Box<dyn DiskFile>>,
}

impl Writer {
    /// A writer of segments in the log's folder.
    pub fn new(disk: Arc<dyn Disk>, clock: Arc<dyn Clock>, folder: PathBuf) -> Self {
        Self { disk, clock, folder, current: None }
    }

    /// Carries out an effect on the disk; others are none of its business and succeed.
    pub fn run(&mut self, effect: &Effect) -> Result<(), Failure> {
        match effect {
            Effect::CreateSegment { first, length } => self.create(*first, *length),
            Effect::Write { offset, bytes } => {
                self.current()?.write_at(*offset, bytes).map_err(|error| failure(&error))
            }
            Effect::Sync => self.current()?.sync_data().map_err(|error| failure(&error)),
            Effect::Trim { length } => self.current()?.set_length(*length).map_err(|error| failure(&error)),
            Effect::Cut { .. } | Effect::Insert { .. } | Effect::Reply { .. } => Ok(()),
        }
    }

    fn create(&mut self, first: u64, length: u64) -> Result<(), Failure> {
        let header = segment_header(first, self.clock.unix_nanos());
        let name = segment_name(first);
        let file =
            put_file(&*self.disk, &self.folder, &name, length, &[(0, &header)]).map_err(|error| match error {
                PutError::Unnamed(error) => failure(&error),
                // The name may stand: frames written to the old segment from now on would be dead by it.
                PutError::Named(error) => Failure::Broken(error.to_string()),
            })?;
        self.current = Some(file);
        Ok(())
    }

    fn current(&mut self) -> Result<&mut Box<dyn DiskFile>, Failure> {
        self.current.as_mut().ok_or_else(|| Failure::Broken("there is no segment to write to".to_owned()))
    }
}

/// What a file is called until its bytes are durable.
pub(crate) const UNNAMED_FILE: &str = "next.tmp";

/// How far [`put_file`] came.
#[derive(Debug)]
pub(crate) enum PutError {
    /// The file does not have its name.
    Unnamed(io::Error),
    /// It has, but the name may not be durable.
    Named(io::Error),
}

impl From<PutError> for io::Error {
    fn from(error: PutError) -> Self {
        let (PutError::Unnamed(error) | PutError::Named(error)) = error;
        error
    }
}

/// Makes a file of `length` bytes, zeros but for `parts`, that has its name only when its bytes are durable.
pub(crate) fn put_file(
    disk: &dyn Disk,
    folder: &Path,
    name: &str,
    length: u64,
    parts: &[(u64, &[u8])],
) -> Result<Box<dyn DiskFile>, PutError> {
    let unnamed = folder.join(UNNAMED_FILE);
    let fill = || {
        let mut file = disk.create(&unnamed, length)?;
        for (offset, bytes) in parts {
            file.write_at(*offset, bytes)?;
        }
        file.sync_data()?;
        disk.rename(&unnamed, &folder.join(name))?;
        Ok(file)
    };
    let file = fill().map_err(PutError::Unnamed)?;
    disk.sync_folder(folder).map_err(PutError::Named)?;
    Ok(file)
}

fn failure(error: &io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Failure::Full,
        _ => Failure::Broken(error.to_string()),
    }
}
