//! Commits edits on a disk.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clew_block::BlockName;

use super::codec::{self, FILE_HEADER_BYTES, FRAME_HEADER_BYTES, FileHeader, FrameKind, file_name, file_number};
use super::recover::Tail;
use super::{CATALOG_FOLDER, Edit, EditError, Recovered, State};
use crate::OpenError;
use crate::log::recover::move_aside;
use crate::log::writer::{PutError, UNNAMED_FILE, put_file};
use crate::port::{Disk, DiskFile, Entry};

/// How far a file is filled before a new one is made, when the state is small. In bytes.
pub const CATALOG_FILE_BYTES: u64 = 1 << 20;

/// A new file is made at the latest when the old one is so many times as long as the state.
const STATES_PER_FILE: u64 = 4;

/// Lengths of files are multiples of it.
const LENGTH_STEP_BYTES: u64 = 4096;

/// After damage, blocks may have files and frames may have sequence numbers that nobody knows of: more than there are.
const HIDDEN_BLOCKS: u64 = 1 << 20;
const HIDDEN_SEQUENCES: u64 = 1 << 40;

/// The catalog, open for edits.
pub struct Catalog {
    disk: Arc<dyn Disk>,
    data_dir: PathBuf,
    file_bytes: u64,
    state: State,
    /// The next name that is given out.
    next_block: u64,
    /// The next number of a settlement's file that is given out.
    next_settlement: u64,
    /// Number of the newest file.
    number: u64,
    /// The last sequence number that was used.
    sequence: u64,
    /// `None` as long as there was no room for one.
    file: Option<CurrentFile>,
    failed: Option<String>,
}

struct CurrentFile {
    file: Box<dyn DiskFile>,
    length: u64,
    /// Where the next frame will stand.
    end: u64,
    /// Sequence number of the last frame.
    sequence: u64,
    /// A new file is made when this one is filled so far; the rest is for times when there is no room for one.
    checkpoint_at: u64,
}

/// Why an edit was not committed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CommitError {
    /// The disk is full. The edit does not count, and never will; it may be tried again.
    #[error("the disk has no room for the catalog")]
    Full,
    /// The disk failed, now or before. Whether the edit counts is known after a restart; nothing is taken until then.
    #[error("the catalog takes nothing until a restart: {0}")]
    Failed(String),
    /// The state cannot take the edit: a bug of whoever made it. It does not count.
    #[error("the catalog cannot take an edit: {0}")]
    Invalid(#[from] EditError),
}

impl Catalog {
    /// Goes on with what was found: makes it durable, cuts a torn tail; writes a new file if there is none, or after damage,
    /// whose loss is then in the state. A new file needs room: without it the catalog opens all the same, and the first
    /// edit tries again. `file_bytes` is how far a file is filled: [`CATALOG_FILE_BYTES`].
    pub fn open(
        data_dir: &Path,
        disk: Arc<dyn Disk>,
        file_bytes: u64,
        recovered: Recovered,
    ) -> Result<Self, OpenError> {
        let Recovered { mut state, damage, number, mut sequence, tail, .. } = recovered;
        let is_damaged = !damage.is_empty();
        if is_damaged {
            state.skip_blocks(HIDDEN_BLOCKS);
            sequence += HIDDEN_SEQUENCES;
        }
        state.lost.extend(damage);
        let (next_block, next_settlement) = (state.next_block, state.settled.next_file);
        let (data_dir, failed, file) = (data_dir.to_owned(), None, None);
        let mut catalog =
            Self { disk, data_dir, file_bytes, state, next_block, next_settlement, number, sequence, file, failed };
        let path = catalog.folder().join(file_name(number));
        let failed = match tail.filter(|_| !is_damaged) {
            Some(tail) => catalog.resume(&path, tail).err(),
            None => match catalog.checkpoint(catalog.state.clone()) {
                Err(CommitError::Failed(what)) => Some(io::Error::other(what)),
                Err(CommitError::Full | CommitError::Invalid(_)) | Ok(()) => None,
            },
        };
        failed.map_or(Ok(catalog), |error| Err(OpenError::at(&path)(error)))
    }

    /// What it knows: the state after the last committed edit.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Why it takes nothing until a restart, if so.
    pub fn failure(&self) -> Option<&str> {
        self.failed.as_deref()
    }

    /// A name for a block that is to be made. It is never given out again, unless no edit adds a block of that name or a
    /// later one before a restart: then the block's files are left over.
    pub fn next_block(&mut self) -> BlockName {
        let name = BlockName(self.next_block.max(self.state.next_block));
        self.next_block = name.0 + 1;
        name
    }

    /// A number for the file of a settlement that is to be made, under the same terms.
    pub fn next_settlement(&mut self) -> u64 {
        let number = self.next_settlement.max(self.state.settled.next_file);
        self.next_settlement = number + 1;
        number
    }

    /// Applies an edit and makes it durable. Blocks the thread for a sync.
    pub fn commit(&mut self, edit: Edit) -> Result<(), CommitError> {
        self.refuse_after_failure()?;
        self.state.check(&edit)?;
        let payload = codec::payload(&edit);
        // A marker must find room behind it.
        let frame_bytes = (payload.len() + 2 * FRAME_HEADER_BYTES) as u64;
        let Some(current) = self.file.take_if(|file| file.end + frame_bytes <= file.length) else {
            let mut next = self.state.clone();
            next.apply(edit)?;
            return self.checkpoint(next);
        };
        self.append(current, &payload)?;
        self.state.apply(edit)?;
        self.checkpoint_if_due();
        Ok(())
    }

    /// Puts another state in place of all that is known, as a repair does. Names stay unused that were used before.
    pub fn replace(&mut self, mut state: State) -> Result<(), CommitError> {
        self.refuse_after_failure()?;
        state.next_block = state.next_block.max(self.state.next_block);
        self.checkpoint(state)
    }

    fn folder(&self) -> PathBuf {
        self.data_dir.join(CATALOG_FOLDER)
    }

    fn refuse_after_failure(&self) -> Result<(), CommitError> {
        self.failed.clone().map_or(Ok(()), |what| Err(CommitError::Failed(what)))
    }

    /// After this nothing is taken until a restart: what a failed sync left on the disk is unknown.
    fn fail(&mut self, error: &io::Error) -> CommitError {
        CommitError::Failed(self.failed.insert(error.to_string()).clone())
    }

    /// Goes on at the end of a file that was found.
    fn resume(&mut self, path: &Path, tail: Tail) -> io::Result<()> {
        let Tail { length, end, sequence, has_marker, rewrite } = tail;
        let mut file = self.disk.open(path)?;
        if let Some((offset, bytes)) = rewrite {
            file.write_at(offset, &bytes)?;
            file.sync_data()?;
        }
        // Its name may be in the machine's memory alone.
        self.disk.sync_folder(&self.folder())?;
        let mut current = CurrentFile { file, length, end, sequence, checkpoint_at: length / 5 * 4 };
        if !has_marker {
            current.mark()?;
        }
        self.file = Some(current);
        self.remove_older();
        Ok(())
    }

    /// Writes one frame and syncs it.
    fn append(&mut self, mut current: CurrentFile, payload: &[u8]) -> Result<(), CommitError> {
        self.sequence += 1;
        let mut frame = Vec::with_capacity(FRAME_HEADER_BYTES + payload.len());
        codec::write_frame(&mut frame, FrameKind::Edit, current.end, self.sequence, payload);
        match current.file.write_at(current.end, &frame) {
            Err(error) if is_full(&error) => {
                // All of it may have been written: it must not count after a crash.
                let undone = current.erase(frame.len());
                self.file = Some(current);
                return Err(undone.map_or_else(|error| self.fail(&error), |()| CommitError::Full));
            }
            result => result.and_then(|()| current.file.sync_data()).map_err(|error| self.fail(&error))?,
        }
        current.end += frame.len() as u64;
        current.sequence = self.sequence;
        if let Err(error) = current.mark() {
            // The edit is committed; the next will not be.
            self.fail(&error);
        }
        self.file = Some(current);
        Ok(())
    }

    fn checkpoint_if_due(&mut self) {
        if self.failed.is_some() || self.file.as_ref().is_none_or(|file| file.end < file.checkpoint_at) {
            return;
        }
        if let (Err(CommitError::Full), Some(file)) = (self.checkpoint(self.state.clone()), &mut self.file) {
            file.checkpoint_at = file.end.midpoint(file.length) + 1;
        }
    }

    /// Begins a new file with a state, which counts when the file has its name for good.
    fn checkpoint(&mut self, state: State) -> Result<(), CommitError> {
        self.sequence += 1;
        let number = self.number + 1;
        let mut frame = Vec::new();
        codec::write_frame(
            &mut frame,
            FrameKind::State,
            FILE_HEADER_BYTES as u64,
            self.sequence,
            &codec::payload(&state),
        );
        let filled = self.file_bytes.max(STATES_PER_FILE * frame.len() as u64) + FILE_HEADER_BYTES as u64;
        let length = (filled + filled / 4).next_multiple_of(LENGTH_STEP_BYTES);
        let header = FileHeader { number, length }.write();
        let parts: [(u64, &[u8]); 2] = [(0, &header), (FILE_HEADER_BYTES as u64, &frame)];
        let folder = self.folder();
        let file = match put_file(&*self.disk, &folder, &file_name(number), length, &parts) {
            Ok(file) => file,
            Err(PutError::Unnamed(error)) if is_full(&error) => {
                // The next try makes it anew; until then others may need the room.
                let _ = self.disk.remove(&folder.join(UNNAMED_FILE));
                return Err(CommitError::Full);
            }
            // The name may stand: edits written to the old file from now on would be dead by it.
            Err(PutError::Unnamed(error) | PutError::Named(error)) => return Err(self.fail(&error)),
        };
        let end = (FILE_HEADER_BYTES + frame.len()) as u64;
        self.file = Some(CurrentFile { file, length, end, sequence: self.sequence, checkpoint_at: length / 5 * 4 });
        self.number = number;
        self.state = state;
        self.remove_older();
        Ok(())
    }

    /// Removes the files before the newest; those that are known to be damaged are put aside. A newer file is durable, so it
    /// does not matter whether this comes to an end, nor whether it is: the next start, or the next file, does it again.
    fn remove_older(&self) {
        let remove = || {
            let folder = self.folder();
            let is_older = |entry: &Entry| file_number(&entry.name).is_some_and(|number| number < self.number);
            for entry in self.disk.list(&folder)?.into_iter().filter(is_older) {
                let path = folder.join(&entry.name);
                if self.state.lost.iter().any(|lost| lost.file == entry.name) {
                    move_aside(&self.data_dir, &*self.disk, &path, &format!("catalog-{}", entry.name))?;
                } else {
                    self.disk.remove(&path)?;
                }
            }
            Ok::<(), io::Error>(())
        };
        if let Err(error) = remove() {
            tracing::warn!(%error, "an old file of the catalog could not be removed");
        }
    }
}

impl CurrentFile {
    /// Writes a marker behind the last frame, which is synced. When it becomes durable does not matter.
    fn mark(&mut self) -> io::Result<()> {
        let marker = self.marker();
        match self.file.write_at(self.end, &marker) {
            Err(error) if is_full(&error) => Ok(()),
            result => result,
        }
    }

    /// Brings back what stood behind the last frame before a write of this many bytes.
    fn erase(&mut self, length: usize) -> io::Result<()> {
        let mut bytes = self.marker();
        bytes.resize(bytes.len().max(length), 0);
        self.file.write_at(self.end, &bytes)?;
        self.file.sync_data()
    }

    fn marker(&self) -> Vec<u8> {
        let mut marker = Vec::with_capacity(FRAME_HEADER_BYTES);
        codec::write_frame(&mut marker, FrameKind::Marker, self.end, self.sequence, &[]);
        marker
    }
}

fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}
