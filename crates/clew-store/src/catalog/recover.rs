//! The catalog as it is found at the start. Reads, and writes nothing: [`super::Catalog::open`] does.

use std::ops::Range;
use std::path::Path;

use super::codec::{
    CATALOG_VERSION, CodecError, FILE_HEADER_BYTES, FileHeader, FrameHeader, FrameKind, file_name, file_number,
    has_later_frame, read_frame,
};
use super::{CATALOG_FOLDER, CatalogDamage, Edit, State};
use crate::OpenError;
use crate::log::recover::read_pieces;
use crate::port::{Disk, Entry};

/// What was found.
#[derive(Debug, Default)]
pub struct Recovered {
    /// The state after the last edit that counts.
    pub state: State,
    /// Whether there is no catalog at all: a new data folder, or one that has lost it.
    pub is_new: bool,
    /// Bytes of an edit that was being written, and never committed.
    pub torn_bytes: u64,
    /// What was synced and cannot be read. The state is then that before the damage.
    pub damage: Vec<CatalogDamage>,
    /// The highest number of a file; 0 when there is none.
    pub(super) number: u64,
    /// The highest sequence number.
    pub(super) sequence: u64,
    /// Where the newest file goes on, unless it is damaged.
    pub(super) tail: Option<Tail>,
}

/// The end of a file that goes on.
#[derive(Debug)]
pub(super) struct Tail {
    pub(super) length: u64,
    /// Where the next frame will stand.
    pub(super) end: u64,
    /// Sequence number of the last frame.
    pub(super) sequence: u64,
    /// Whether a marker says that the last frame was synced.
    pub(super) has_marker: bool,
    /// What is to be written and synced before anything builds on the file, and where: the last frame, unless it is known to
    /// be synced, and zeros in place of torn bytes.
    pub(super) rewrite: Option<(u64, Vec<u8>)>,
}

/// No file is longer; one that says so is not read.
const FILE_BYTES_MAX: u64 = 1 << 32;

impl Recovered {
    /// The name of the newest file, if there is any.
    pub fn file(&self) -> Option<String> {
        (self.number > 0).then(|| file_name(self.number))
    }

    /// Tells that an edit was lost, as whoever compares with the log finds out: the catalog is damaged from its end on.
    pub fn lose(&mut self, what: String) {
        let offset = self.tail.as_ref().map_or(0, |tail| tail.end);
        self.damage.push(CatalogDamage { file: file_name(self.number.max(1)), offset, what });
    }
}

/// Reads the newest file that can be read; damage of newer ones is told. May be interrupted and begun again. Only a newer
/// clew's catalog, and a folder that cannot be listed, are errors.
pub fn recover(data_dir: &Path, disk: &dyn Disk) -> Result<Recovered, OpenError> {
    let folder = data_dir.join(CATALOG_FOLDER);
    let entries = disk.list(&folder).map_err(OpenError::at(&folder))?;
    let mut files: Vec<(u64, Entry)> =
        entries.into_iter().filter_map(|entry| file_number(&entry.name).map(|number| (number, entry))).collect();
    files.sort();
    let number = files.last().map_or(0, |(number, _)| *number);
    let mut recovered = Recovered { is_new: files.is_empty(), number, ..Recovered::default() };
    for (number, entry) in files.iter().rev() {
        let path = folder.join(&entry.name);
        let newer = |found| OpenError::Newer { path: path.display().to_string(), found, known: CATALOG_VERSION };
        let mut reader = Reader { number: *number, name: &entry.name, damage: Vec::new() };
        let bytes = reader.bytes(&path, disk, entry.length);
        let content = reader.read(&bytes).map_err(newer)?;
        let is_whole = reader.damage.is_empty();
        recovered.damage.append(&mut reader.damage);
        if let Some(content) = content {
            recovered.sequence = content.sequence_max;
            recovered.torn_bytes = content.torn.len() as u64;
            recovered.tail = is_whole.then(|| content.tail(&bytes));
            recovered.state = content.state;
            break;
        }
    }
    Ok(recovered)
}

/// Reads one file.
struct Reader<'a> {
    number: u64,
    name: &'a str,
    damage: Vec<CatalogDamage>,
}

/// What a file says.
struct Content {
    state: State,
    /// Of the last frame that counts.
    sequence: u64,
    /// Of it, and of a torn one whose header can be read.
    sequence_max: u64,
    /// Where the last frame that counts begins, and where it ends.
    last: Range<usize>,
    has_marker: bool,
    torn: Range<usize>,
}

impl Reader<'_> {
    /// The bytes of the file, as far as the disk gives them, zeros where it gives none.
    fn bytes(&mut self, path: &Path, disk: &dyn Disk, length: u64) -> Vec<u8> {
        if length > FILE_BYTES_MAX {
            self.damaged(0, format!("it has {length} bytes, and no catalog has so many"));
            return Vec::new();
        }
        let length = length as usize;
        disk.read(path, 0, length).unwrap_or_else(|_| {
            let (bytes, unreadable) = read_pieces(path, disk, 0..length as u64);
            for (range, error) in unreadable {
                self.damaged(range.start as usize, format!("the disk cannot read it: {error}"));
            }
            bytes
        })
    }

    /// Reads it; `None` when its first frame does not tell a state. The error is the version of a newer clew.
    fn read(&mut self, bytes: &[u8]) -> Result<Option<Content>, u32> {
        match FileHeader::read(bytes) {
            Err(CodecError::Newer(version)) => return Err(version),
            Err(_) => self.damaged(0, "its header's checksum does not match".to_owned()),
            Ok(header) if header.number != self.number => {
                self.damaged(0, format!("its header says that it is file {}", header.number));
            }
            Ok(header) if header.length != bytes.len() as u64 => {
                self.damaged(bytes.len(), format!("it was made with {} bytes", header.length));
            }
            Ok(_) => {}
        }
        let Some(mut content) = self.first_frame(bytes)? else { return Ok(None) };
        loop {
            let end = content.last.end;
            match read_frame(bytes, end, content.sequence) {
                Err(CodecError::Newer(version)) => return Err(version),
                Ok((header, payload)) if header.kind == FrameKind::Edit => {
                    let applied = edit(payload).and_then(|edit| content.apply(edit));
                    if let Err(what) = applied {
                        self.damaged(end, what);
                        return Ok(Some(content));
                    }
                    content.sequence = header.sequence;
                    content.last = end..header.end(end);
                }
                Ok((header, _)) if header.kind == FrameKind::Marker && header.sequence == content.sequence => {
                    content.has_marker = true;
                    self.after(&mut content, bytes, header.end(end), None);
                    return Ok(Some(content));
                }
                Ok(_) | Err(CodecError::Nonsense) => {
                    self.damaged(end, "the frame is whole but makes no sense".to_owned());
                    return Ok(Some(content));
                }
                Err(error) => {
                    let header = if let CodecError::Payload(header) = error { Some(header) } else { None };
                    self.after(&mut content, bytes, end, header);
                    return Ok(Some(content));
                }
            }
        }
    }

    /// The state that the file begins with: it was synced before the file got its name, so there is nothing torn about it.
    fn first_frame(&mut self, bytes: &[u8]) -> Result<Option<Content>, u32> {
        let start = FILE_HEADER_BYTES;
        let what = match read_frame(bytes, start, 0) {
            Err(CodecError::Newer(version)) => return Err(version),
            Err(CodecError::Nonsense) => "the state is whole but makes no sense".to_owned(),
            Err(CodecError::NoHeader | CodecError::Payload(_)) => "the state's checksum does not match".to_owned(),
            Ok((header, _)) if header.kind != FrameKind::State => "it does not begin with a state".to_owned(),
            Ok((header, payload)) => match serde_json::from_slice::<State>(payload) {
                Ok(state) if state.is_sound() => {
                    let sequence = header.sequence;
                    return Ok(Some(Content {
                        state,
                        sequence,
                        sequence_max: sequence,
                        last: start..header.end(start),
                        has_marker: false,
                        torn: 0..0,
                    }));
                }
                Ok(_) => "the state's blocks have numbers that were not given".to_owned(),
                Err(error) => format!("the state cannot be read: {error}"),
            },
        };
        self.damaged(start, what);
        Ok(None)
    }

    /// No frame can be read at an offset: the end, a torn tail, or damage. `header` is what stands there if it can be trusted.
    fn after(&mut self, content: &mut Content, bytes: &[u8], offset: usize, header: Option<FrameHeader>) {
        content.sequence_max = content.sequence.max(header.map_or(0, |header| header.sequence));
        let rest = bytes.get(offset..).unwrap_or(&[]);
        let Some(last) = rest.iter().rposition(|byte| *byte != 0) else { return };
        let used = offset + last + 1;
        let frame_end = header.map_or(usize::MAX, |header| header.end(offset));
        let search_from = if header.is_some() { frame_end } else { offset };
        if has_later_frame(bytes, search_from, content.sequence) {
            self.damaged(offset, "its checksum does not match, and a later frame says that it was synced".to_owned());
        } else if used > frame_end {
            self.damaged(offset, "its checksum does not match, and there are bytes behind it".to_owned());
        } else {
            content.torn = offset..used;
        }
    }

    fn damaged(&mut self, offset: usize, what: String) {
        self.damage.push(CatalogDamage { file: self.name.to_owned(), offset: offset as u64, what });
    }
}

impl Content {
    fn apply(&mut self, edit: Edit) -> Result<(), String> {
        self.state.apply(edit).map_err(|error| format!("the edit does not fit the state: {error}"))
    }

    fn tail(&self, bytes: &[u8]) -> Tail {
        let (end, is_first) = (self.last.end, self.last.start == FILE_HEADER_BYTES);
        // The first frame was synced before the file had its name.
        let from = if self.has_marker || is_first { self.torn.start.max(end) } else { self.last.start };
        let mut unsure = bytes.get(from..self.torn.end.max(end)).unwrap_or(&[]).to_vec();
        let known = end.saturating_sub(from).min(unsure.len());
        unsure[known..].fill(0);
        Tail {
            length: bytes.len() as u64,
            end: end as u64,
            sequence: self.sequence,
            has_marker: self.has_marker,
            rewrite: (!unsure.is_empty()).then_some((from as u64, unsure)),
        }
    }
}

fn edit(payload: &[u8]) -> Result<Edit, String> {
    serde_json::from_slice(payload).map_err(|error| format!("the edit cannot be read: {error}"))
}
