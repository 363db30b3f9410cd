//! The log as it is found at the start: every readable batch, what is damaged, and where to go on.
//!
//! Damage stays where it is until `clew check --repair`, so each start finds and reports the same, and counts it once.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use serde::Serialize;

use super::frame::BatchHeader;
use super::machine::Resume;
use super::segment::{Found, SEGMENT_VERSION, Scan, segment_first, segment_name};
use super::writer::put_file;
use crate::OpenError;
use crate::port::Disk;

/// The folder of the segments, in the data folder.
pub(crate) const LOG_FOLDER: &str = "log";

/// The folder of copies of damaged bytes, in the data folder.
pub(crate) const ASIDE_FOLDER: &str = "aside";

/// A range of the log that was synced and cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Damage {
    /// File name of the segment.
    pub segment: String,
    /// Offset in that file.
    pub offset: u64,
    /// Length in bytes.
    pub length: u64,
    /// The tenants whose spans it held, when its header can be read.
    pub tenants: Option<Vec<String>>,
    /// When its batch was received, when its header can be read.
    pub received_unix_nanos: Option<u64>,
    /// How many spans it held, when its header can be read.
    pub spans: Option<u32>,
    /// What is wrong, in words.
    pub what: String,
}

impl Damage {
    /// Damage of a range; `held` is what its header says.
    pub(crate) fn new(segment: &str, offset: u64, length: u64, held: Option<&BatchHeader>, what: String) -> Self {
        let names = |held: &BatchHeader| held.tenants.names.iter().map(ToString::to_string).collect();
        Self {
            segment: segment.to_owned(),
            offset,
            length,
            tenants: held.map(names),
            received_unix_nanos: held.map(|held| held.received_unix_nanos),
            spans: held.map(|held| held.span_count),
            what,
        }
    }

    /// The name of the file that its bytes are copied to.
    pub(crate) fn aside_name(&self) -> String {
        format!("{}-{}.bin", self.segment.trim_end_matches(".seg"), self.offset)
    }
}

impl std::fmt::Display for Damage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { segment, offset, length, what, .. } = self;
        write!(f, "{LOG_FOLDER}/{segment} at offset {offset}, {length} bytes: {what}")?;
        match (&self.tenants, self.spans, self.received_unix_nanos) {
            (Some(tenants), Some(spans), Some(received)) => {
                write!(f, "; it held {spans} spans of tenant {}, received at {received} unix ns", tenants.join(", "))
            }
            _ => f.write_str("; what it held is not known"),
        }
    }
}

/// A batch of the log.
#[derive(Debug)]
pub struct Replayed {
    /// File name of its segment.
    pub segment: String,
    /// Offset of its frame in that file.
    pub offset: u64,
    /// Its header.
    pub header: BatchHeader,
    /// Its stored body.
    pub stored: Bytes,
}

impl Replayed {
    /// The damage that its frame is when its body cannot be read though its checksum matches.
    pub fn unreadable(&self, what: &str) -> Damage {
        let length = self.header_bytes() + self.stored.len() as u64;
        Damage::new(&self.segment, self.offset, length, Some(&self.header), what.to_owned())
    }

    fn header_bytes(&self) -> u64 {
        super::frame::batch_header_bytes(&self.header.tenants, &self.header.rejected) as u64
    }
}

/// What was found.
#[derive(Debug, Default)]
pub struct Recovered {
    /// Where the log goes on.
    pub resume: Resume,
    /// What was synced and cannot be read.
    pub damage: Vec<Damage>,
    /// Bytes of a torn tail that were cut.
    pub torn_bytes: u64,
    /// Segments.
    pub segments: u64,
    /// Bytes of all readable frames.
    pub log_bytes: u64,
    /// Readable batches.
    pub batches: u64,
    /// Their kept spans.
    pub spans: u64,
}

/// A segment file.
#[derive(Debug, Clone)]
pub(crate) struct SegmentFile {
    pub(crate) name: String,
    pub(crate) first: u64,
    pub(crate) next_first: Option<u64>,
    pub(crate) length: u64,
}

/// Reads the log and gives each batch to `sink` in order; copies damaged bytes aside and cuts a torn tail. Requests
/// received since `repeats_since_unix_nanos` are remembered. May be interrupted and begun again at any point.
pub fn recover(
    data_dir: &Path,
    disk: &dyn Disk,
    repeats_since_unix_nanos: u64,
    sink: &mut dyn FnMut(Replayed),
) -> Result<Recovered, OpenError> {
    let files = segment_files(data_dir, disk)?;
    let mut recovered = Recovered { segments: files.len() as u64, ..Recovered::default() };
    recovered.damage.extend(missing_start(&files));
    for file in &files {
        let bytes = read_segment(data_dir, disk, file)?;
        let mut scan = Scan::new(bytes.clone(), file.first, file.next_first, recovered.resume.sequence);
        while let Some(found) = scan.step().map_err(|newer| newer_segment(data_dir, file, newer.0))? {
            match found {
                Found::Batch { offset, header, stored } => {
                    recovered.batches += 1;
                    recovered.spans += u64::from(header.span_count);
                    recovered.log_bytes += scan.offset() - offset;
                    if header.received_unix_nanos >= repeats_since_unix_nanos {
                        recovered.resume.stored.push((header.body_hash, header.received_unix_nanos));
                    }
                    sink(Replayed { segment: file.name.clone(), offset, header: *header, stored });
                }
                Found::Filler { .. } => {}
                Found::Damaged { range, held, error } => {
                    let length = range.end - range.start;
                    let mut damage = Damage::new(&file.name, range.start, length, held.as_deref(), error.to_string());
                    if let Err(error) = set_aside(data_dir, disk, &damage, &bytes) {
                        damage.what = format!("{} (and its bytes could not be set aside: {error})", damage.what);
                    }
                    recovered.damage.push(damage);
                }
                Found::Torn { range } => recovered.torn_bytes += range.end - range.start,
            }
        }
        recovered.resume.sequence = scan.sequence();
        recovered.resume.end = file.first + scan.offset();
        if file.next_first.is_none() {
            cut(data_dir, disk, file, scan.offset())?;
        }
    }
    Ok(recovered)
}

/// The segments in order.
pub(crate) fn segment_files(data_dir: &Path, disk: &dyn Disk) -> Result<Vec<SegmentFile>, OpenError> {
    let folder = data_dir.join(LOG_FOLDER);
    let entries = disk.list(&folder).map_err(OpenError::at(&folder))?;
    let mut files: Vec<SegmentFile> = entries
        .into_iter()
        .filter_map(|entry| {
            let first = segment_first(&entry.name)?;
            Some(SegmentFile { name: entry.name, first, next_first: None, length: entry.length })
        })
        .collect();
    files.sort_by_key(|file| file.first);
    for index in 1..files.len() {
        files[index - 1].next_first = Some(files[index].first);
    }
    Ok(files)
}

/// The log begins at position 0; whatever is before its first segment is missing.
pub(crate) fn missing_start(files: &[SegmentFile]) -> Option<Damage> {
    let first = files.first().filter(|file| file.first > 0)?;
    Some(Damage::new(&segment_name(0), 0, first.first, None, "the file is missing".to_owned()))
}

/// The bytes of a segment, as far as they belong to the log.
pub(crate) fn read_segment(data_dir: &Path, disk: &dyn Disk, file: &SegmentFile) -> Result<Bytes, OpenError> {
    let path = segment_path(data_dir, &file.name);
    let length = file.next_first.map_or(file.length, |next| file.length.min(next - file.first));
    disk.read(&path, 0, length as usize).map(Bytes::from).map_err(OpenError::at(&path))
}

pub(crate) fn segment_path(data_dir: &Path, name: &str) -> PathBuf {
    data_dir.join(LOG_FOLDER).join(name)
}

pub(crate) fn newer_segment(data_dir: &Path, file: &SegmentFile, found: u32) -> OpenError {
    let path = segment_path(data_dir, &file.name).display().to_string();
    OpenError::Newer { path, found, known: SEGMENT_VERSION }
}

/// Copies damaged bytes to the folder `aside`, once.
pub(crate) fn set_aside(data_dir: &Path, disk: &dyn Disk, damage: &Damage, bytes: &[u8]) -> std::io::Result<()> {
    let end = bytes.len().min((damage.offset + damage.length) as usize);
    let Some(damaged) = bytes.get(damage.offset as usize..end).filter(|damaged| !damaged.is_empty()) else {
        return Ok(());
    };
    let (folder, name) = (data_dir.join(ASIDE_FOLDER), damage.aside_name());
    let length = damaged.len() as u64;
    if disk.list(&folder)?.iter().any(|entry| entry.name == name && entry.length == length) {
        return Ok(());
    }
    put_file(disk, &folder, &name, length, &[(0, damaged)])?;
    Ok(())
}

/// Cuts the last segment after its last frame: its room goes back to the disk, and a torn tail goes.
fn cut(data_dir: &Path, disk: &dyn Disk, file: &SegmentFile, end: u64) -> Result<(), OpenError> {
    if file.length <= end {
        return Ok(());
    }
    let path = segment_path(data_dir, &file.name);
    let cut = || {
        let mut open = disk.open(&path)?;
        open.set_length(end)?;
        open.sync_data()
    };
    cut().map_err(OpenError::at(&path))
}
