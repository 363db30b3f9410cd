//! The log as it is found at the start: every readable batch, what is damaged, and where to go on.
//!
//! Damage stays where it is until `clew check --repair`, so each start finds and reports the same, and counts it once.

use std::ops::Range;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use serde::Serialize;

use super::frame::{BatchHeader, FrameError};
use super::machine::Resume;
use super::pieces::{Memory, Pieces};
use super::segment::{Found, SEGMENT_HEADER_BYTES, SEGMENT_VERSION, Scan, segment_first, segment_name};
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

    /// Where it begins in the log.
    pub fn position(&self) -> Option<u64> {
        Some(segment_first(&self.segment)?.saturating_add(self.offset))
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
    /// Position of its frame in the log.
    pub position: u64,
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

/// A segment's bytes, as far as the disk gives them.
pub(crate) struct SegmentBytes {
    /// Zeros where the disk gives none.
    pub(crate) bytes: Bytes,
    /// Where that is, and what the disk says.
    unreadable: Vec<(Range<u64>, String)>,
}

/// Where reading a whole segment fails, it is read in pieces of this length.
const PIECE_BYTES: u64 = 64 * 1024;

/// No more pieces are tried after so many have failed: a dying disk may take seconds for each.
const FAILED_PIECES_MAX: usize = 16;

/// What cannot be read today may hold sequence numbers above those that can, and be readable again tomorrow. More than
/// any segment holds.
const HIDDEN_SEQUENCES: u64 = 1 << 40;

/// Reads the log from a position on, before which everything is sealed, and gives each batch to `sink` in order; copies damaged
/// bytes aside and cuts a torn tail. Requests received since `repeats_since_unix_nanos` are remembered. May be interrupted and
/// begun again at any point.
pub fn recover(
    data_dir: &Path,
    disk: &dyn Disk,
    from: u64,
    repeats_since_unix_nanos: u64,
    sink: &mut dyn FnMut(Replayed),
) -> Result<Recovered, OpenError> {
    let mut recovery = Recovery::begin(data_dir, disk, from, repeats_since_unix_nanos)?;
    while let Some(batch) = recovery.next_batch()? {
        sink(batch);
    }
    Ok(recovery.finish())
}

/// The same, batch by batch.
pub(crate) struct Recovery<'d> {
    data_dir: &'d Path,
    disk: &'d dyn Disk,
    repeats_since_unix_nanos: u64,
    files: std::vec::IntoIter<SegmentFile>,
    segment: Option<Pieces>,
    memory: Memory,
    recovered: Recovered,
}

impl<'d> Recovery<'d> {
    /// Nothing was read yet.
    pub(crate) fn begin(
        data_dir: &'d Path,
        disk: &'d dyn Disk,
        from: u64,
        repeats_since_unix_nanos: u64,
    ) -> Result<Self, OpenError> {
        // A cut is a boundary of segments, so what begins before it is sealed to its end.
        let files: Vec<SegmentFile> =
            segment_files(data_dir, disk)?.into_iter().filter(|file| file.first >= from).collect();
        let mut recovered = Recovered { segments: files.len() as u64, ..Recovered::default() };
        recovered.resume.end = from;
        recovered.damage.extend(missing_start(&files, from));
        let (files, segment, memory) = (files.into_iter(), None, Memory::default());
        Ok(Self { data_dir, disk, repeats_since_unix_nanos, files, segment, memory, recovered })
    }

    /// The next batch, or `None` after the last: then the log can be written again.
    pub(crate) fn next_batch(&mut self) -> Result<Option<Replayed>, OpenError> {
        loop {
            let Some(segment) = &mut self.segment else {
                let Some(file) = self.files.next() else { return Ok(None) };
                self.segment = Some(Pieces::new(file, self.recovered.resume.sequence));
                continue;
            };
            let found = segment.scan.step().map_err(|newer| newer_segment(self.data_dir, &segment.file, newer.0))?;
            let recovered = &mut self.recovered;
            match found {
                Some(Found::Batch { offset, header, stored }) => {
                    recovered.batches += 1;
                    recovered.spans += u64::from(header.span_count);
                    recovered.log_bytes += segment.scan.offset() - offset;
                    if header.received_unix_nanos >= self.repeats_since_unix_nanos {
                        recovered.resume.stored.push((header.body_hash, header.received_unix_nanos));
                    }
                    let (name, position) = (segment.file.name.clone(), segment.file.first + offset);
                    return Ok(Some(Replayed { segment: name, offset, position, header: *header, stored }));
                }
                Some(Found::Filler { .. }) => {}
                Some(Found::Damaged { range, held, error }) => {
                    let mut damage = damage(&segment.file, &segment.unreadable, range, held.as_deref(), error);
                    let (from, bytes) = segment.scan.shown();
                    if let Err(error) = set_aside(self.data_dir, self.disk, &damage, from, bytes) {
                        damage.what = format!("{} (and its bytes could not be set aside: {error})", damage.what);
                    }
                    recovered.damage.push(damage);
                }
                Some(Found::Torn { range }) => recovered.torn_bytes += range.end - range.start,
                None if segment.scan.is_starved() => segment.read_on(self.data_dir, self.disk, &mut self.memory),
                None => {
                    recovered.resume.sequence = segment.scan.sequence();
                    recovered.resume.end = segment.file.first + segment.scan.offset();
                    if segment.file.next_first.is_none() {
                        settle(self.data_dir, self.disk, segment)?;
                    }
                    self.segment = None;
                }
            }
        }
    }

    /// What was found.
    pub(crate) fn finish(mut self) -> Recovered {
        if !self.recovered.damage.is_empty() {
            self.recovered.resume.sequence += HIDDEN_SEQUENCES;
        }
        self.recovered
    }
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

/// The log begins where the blocks end; whatever is between that and its first segment is missing.
pub(crate) fn missing_start(files: &[SegmentFile], from: u64) -> Option<Damage> {
    let first = files.first().filter(|file| file.first > from)?;
    Some(Damage::new(&segment_name(from), 0, first.first - from, None, "the file is missing".to_owned()))
}

/// The bytes of a segment, as far as they belong to the log and the disk gives them.
pub(crate) fn read_segment(data_dir: &Path, disk: &dyn Disk, file: &SegmentFile) -> SegmentBytes {
    let path = segment_path(data_dir, &file.name);
    let length = file.next_first.map_or(file.length, |next| file.length.min(next - file.first));
    let (bytes, unreadable) = match disk.read(&path, 0, length as usize) {
        Ok(bytes) => (bytes, Vec::new()),
        Err(_) => read_pieces(&path, disk, 0..length),
    };
    SegmentBytes { bytes: bytes.into(), unreadable }
}

/// Reads what can be read of a range, and says what cannot.
pub(crate) fn read_pieces(path: &Path, disk: &dyn Disk, range: Range<u64>) -> (Vec<u8>, Vec<(Range<u64>, String)>) {
    let mut bytes = Vec::new();
    let mut unreadable: Vec<(Range<u64>, String)> = Vec::new();
    loop {
        let start = range.start + bytes.len() as u64;
        let most = PIECE_BYTES.min(range.end.saturating_sub(start));
        if most == 0 {
            break;
        }
        match disk.read(path, start, most as usize) {
            // The file is shorter than it was.
            Ok(piece) if piece.is_empty() => break,
            Ok(piece) => bytes.extend(piece),
            Err(error) => {
                let end = if unreadable.len() + 1 == FAILED_PIECES_MAX { range.end } else { start + most };
                bytes.resize((end - range.start) as usize, 0);
                unreadable.push((start..end, error.to_string()));
            }
        }
    }
    (bytes, unreadable)
}

/// The damage that a range of a segment is; `held` is what its header says, and `unreadable` what the disk does not give.
fn damage(
    file: &SegmentFile,
    unreadable: &[(Range<u64>, String)],
    range: Range<u64>,
    held: Option<&BatchHeader>,
    error: FrameError,
) -> Damage {
    let touches = |(of, _): &&(Range<u64>, String)| of.start < range.end && range.start < of.end;
    let what = match unreadable.iter().find(touches) {
        Some((_, disk_error)) => format!("the disk cannot read it: {disk_error}"),
        None => error.to_string(),
    };
    Damage::new(&file.name, range.start, range.end - range.start, held, what)
}

impl SegmentBytes {
    /// A scan; `sequence` is that of the last frame before.
    pub(crate) fn scan(&self, file: &SegmentFile, sequence: u64) -> Scan {
        let scan = Scan::new(self.bytes.clone(), file.first, file.next_first, sequence);
        scan.unreadable_until(self.unreadable_end())
    }

    /// The damage that a range is; `held` is what its header says.
    pub(crate) fn damage(
        &self,
        file: &SegmentFile,
        range: Range<u64>,
        held: Option<&BatchHeader>,
        error: FrameError,
    ) -> Damage {
        damage(file, &self.unreadable, range, held, error)
    }

    fn unreadable_end(&self) -> u64 {
        self.unreadable.last().map_or(0, |(range, _)| range.end)
    }
}

pub(crate) fn segment_path(data_dir: &Path, name: &str) -> PathBuf {
    data_dir.join(LOG_FOLDER).join(name)
}

pub(crate) fn newer_segment(data_dir: &Path, file: &SegmentFile, found: u32) -> OpenError {
    let path = segment_path(data_dir, &file.name).display().to_string();
    OpenError::Newer { path, found, known: SEGMENT_VERSION }
}

/// Copies damaged bytes to the folder `aside`, once; `bytes` are those of the segment from an offset on.
pub(crate) fn set_aside(
    data_dir: &Path,
    disk: &dyn Disk,
    damage: &Damage,
    from: u64,
    bytes: &[u8],
) -> std::io::Result<()> {
    let start = damage.offset.saturating_sub(from) as usize;
    let end = bytes.len().min(start.saturating_add(damage.length as usize));
    let worth_keeping = |damaged: &&[u8]| damaged.iter().any(|byte| *byte != 0);
    let Some(damaged) = bytes.get(start..end).filter(worth_keeping) else { return Ok(()) };
    keep_aside(data_dir, disk, damage, damaged)
}

/// Puts bytes that belong to a damaged place into the folder `aside`, once.
pub(crate) fn keep_aside(data_dir: &Path, disk: &dyn Disk, damage: &Damage, damaged: &[u8]) -> std::io::Result<()> {
    let (folder, name) = (data_dir.join(ASIDE_FOLDER), damage.aside_name());
    let length = damaged.len() as u64;
    if disk.list(&folder)?.iter().any(|entry| entry.name == name && entry.length == length) {
        return Ok(());
    }
    put_file(disk, &folder, &name, length, &[(0, damaged)])?;
    Ok(())
}

/// Moves a damaged file to the folder `aside`, where nothing is ever removed; that needs no room. A name that is taken gets
/// a number.
pub(crate) fn move_aside(data_dir: &Path, disk: &dyn Disk, path: &Path, name: &str) -> std::io::Result<()> {
    let aside = data_dir.join(ASIDE_FOLDER);
    let taken = disk.list(&aside)?;
    let is_free = |name: &String| !taken.iter().any(|entry| entry.name == *name && entry.length > 0);
    let mut names = (0_u64..).map(|copy| if copy == 0 { name.to_owned() } else { format!("{copy}-{name}") });
    let Some(free) = names.find(is_free) else { return Ok(()) };
    // Makes the folder, should it not be there.
    disk.create(&aside.join(&free), 0)?;
    disk.rename(path, &aside.join(&free))?;
    disk.sync_folder(&aside)
}

/// Makes the end of the log durable and cuts what is behind it: a torn tail, and room that nobody will use.
///
/// What no frame calls synced may stand in the machine's memory alone: its writer died before the sync, or the sync failed,
/// after which a later one says nothing about the same bytes. So they are written again before anything builds on them.
fn settle(data_dir: &Path, disk: &dyn Disk, segment: &Pieces) -> Result<(), OpenError> {
    let Pieces { file, scan, unreadable, .. } = segment;
    let path = segment_path(data_dir, &file.name);
    let end = scan.offset();
    // Never zeros in the place of what the disk could not read.
    let from = scan.synced_offset().max(SEGMENT_HEADER_BYTES as u64).max(segment.unreadable_end());
    let settle = || {
        let mut open = disk.open(&path)?;
        for (offset, part) in segment.tail(from..end) {
            open.write_at(offset, part)?;
        }
        if file.length > end {
            open.set_length(end)?;
        }
        open.sync_data()
    };
    match settle() {
        Err(error) if unreadable.is_empty() => Err(OpenError::at(&path)(error)),
        Err(error) => {
            tracing::error!(%error, segment = file.name, "the last segment can neither be read nor written");
            Ok(())
        }
        Ok(()) => Ok(()),
    }
}
