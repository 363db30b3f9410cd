//! One segment: a header, then frames without a hole. Reads a segment's bytes and says what is in them.
//!
//! A position counts bytes over the whole log, segment headers included. A segment is named by the position of its
//! first byte; it ends where the next begins, so that whatever a cut or a failed write left behind it is dead by name.
//! Invariant: a segment gets its name only after everything before it was synced.

use std::ops::Range;

use bytes::Bytes;

use super::frame::{BatchHeader, FrameError, FrameKind, Header, MAGIC, SHARED_BYTES};

/// What a segment file starts with.
const SEGMENT_MAGIC: [u8; 8] = *b"clew log";

/// The newest version known here.
pub const SEGMENT_VERSION: u32 = 1;

/// Length of a segment's header.
pub const SEGMENT_HEADER_BYTES: usize = 32;

/// The file name of the segment that begins at a position.
pub fn segment_name(first: u64) -> String {
    format!("{first:020}.seg")
}

/// The position at which the segment of that name begins; `None` for other files, and for positions that no log reaches,
/// so that sums of positions and lengths have room.
pub fn segment_first(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".seg")?;
    let first = digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?;
    first.filter(|first| digits.len() == 20 && *first <= u64::MAX >> 1)
}

/// The header of the segment that begins at a position.
pub fn segment_header(first: u64, created_unix_nanos: u64) -> [u8; SEGMENT_HEADER_BYTES] {
    let mut header = [0; SEGMENT_HEADER_BYTES];
    header[..8].copy_from_slice(&SEGMENT_MAGIC);
    header[8..12].copy_from_slice(&SEGMENT_VERSION.to_le_bytes());
    header[12..20].copy_from_slice(&first.to_le_bytes());
    header[20..28].copy_from_slice(&created_unix_nanos.to_le_bytes());
    let crc = crc32c::crc32c(&header[..28]);
    header[28..].copy_from_slice(&crc.to_le_bytes());
    header
}

/// Something in a segment; offsets are in the file.
#[derive(Debug, Clone, PartialEq)]
pub enum Found {
    /// A batch.
    Batch {
        /// Where its frame begins.
        offset: u64,
        /// Its header.
        header: Box<BatchHeader>,
        /// Its stored body.
        stored: Bytes,
    },
    /// A marker, or a gap where damage was repaired.
    Filler {
        /// Whether it is a marker.
        marker: bool,
    },
    /// Bytes that were synced and cannot be read.
    Damaged {
        /// Where; the end may lie beyond the end of the file.
        range: Range<u64>,
        /// What it held, when its header can be read.
        held: Option<Box<BatchHeader>>,
        /// What is wrong.
        error: FrameError,
    },
    /// Bytes that were being written when the machine died, up to the last that is not zero: never acknowledged.
    Torn {
        /// Where.
        range: Range<u64>,
    },
}

/// A newer clew wrote this.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Newer(pub u32);

/// Walks over a segment's bytes from frame to frame.
#[derive(Debug)]
pub struct Scan {
    /// Bytes of the segment, from `base` on.
    bytes: Bytes,
    base: usize,
    /// Whether they end where the segment does.
    is_rest: bool,
    /// Whether the last step needed more of them.
    is_starved: bool,
    first: u64,
    offset: usize,
    limit: Option<usize>,
    unreadable_end: usize,
    sequence: u64,
    synced: u64,
    ended: bool,
}

impl Scan {
    /// A scan over the bytes of the segment that begins at `first`. `next_first` is where the next segment begins, if
    /// there is one; `sequence` is that of the last frame before.
    pub fn new(bytes: Bytes, first: u64, next_first: Option<u64>, sequence: u64) -> Self {
        let mut scan = Self::in_pieces(first, next_first, sequence);
        scan.show(bytes, true, 0);
        scan
    }

    /// A scan of which nothing was shown yet.
    pub(crate) fn in_pieces(first: u64, next_first: Option<u64>, sequence: u64) -> Self {
        let limit = next_first.map(|next| next.saturating_sub(first) as usize);
        Self {
            bytes: Bytes::new(),
            base: 0,
            is_rest: false,
            is_starved: false,
            first,
            offset: 0,
            limit,
            unreadable_end: 0,
            sequence,
            synced: first,
            ended: false,
        }
    }

    /// Shows the segment's bytes from where the scan stands: all that there are, or some of them, with which it goes on as
    /// long as they hold whole frames. As for [`Scan::unreadable_until`].
    pub(crate) fn show(&mut self, bytes: Bytes, is_rest: bool, unreadable_end: u64) {
        (self.bytes, self.base, self.is_rest, self.is_starved) = (bytes, self.offset, is_rest, false);
        self.unreadable_end = unreadable_end as usize;
    }

    /// Whether the scan has stopped because it must be shown more.
    pub(crate) fn is_starved(&self) -> bool {
        self.is_starved
    }

    /// What was shown last, and at which offset it begins.
    pub(crate) fn shown(&self) -> (u64, &[u8]) {
        (self.base as u64, &self.bytes)
    }

    /// How many bytes were shown from where the scan stands, if they begin there.
    pub(crate) fn shown_bytes(&self) -> u64 {
        if self.base == self.offset { self.bytes.len() as u64 } else { 0 }
    }

    /// The length of the frame where the scan stands, if its header can be read.
    pub(crate) fn claimed_frame_bytes(&self) -> Option<u64> {
        self.header(self.offset).ok().map(|header| header.frame_bytes())
    }

    /// Nobody knows what stands in some places before that offset, since the disk would not say: they are damage, and
    /// neither a torn tail nor the end of the log.
    #[must_use]
    pub fn unreadable_until(mut self, offset: u64) -> Self {
        self.unreadable_end = offset as usize;
        self
    }

    /// Where the scan stands: after it has ended, the offset at which the segment's frames end.
    pub fn offset(&self) -> u64 {
        self.offset as u64
    }

    /// The sequence number of the last frame that was read.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// The offset before which the frames that were read say that everything was synced.
    pub fn synced_offset(&self) -> u64 {
        (self.synced - self.first).min(self.offset())
    }

    /// The next thing, or `None` at the end.
    pub fn step(&mut self) -> Result<Option<Found>, Newer> {
        if self.offset == 0 {
            if !self.is_rest && self.bytes.len() < SEGMENT_HEADER_BYTES {
                self.is_starved = true;
                return Ok(None);
            }
            let found = self.segment_header()?;
            self.offset = SEGMENT_HEADER_BYTES;
            if found.is_some() {
                return Ok(found);
            }
        }
        if self.ended || self.limit.is_some_and(|limit| self.offset >= limit) {
            return Ok(None);
        }
        match self.frame(self.offset) {
            Ok(header) => Ok(Some(self.take(&header))),
            Err(FrameError::Newer(version)) => Err(Newer(version.into())),
            Err(_) if !self.is_rest => {
                self.is_starved = true;
                Ok(None)
            }
            Err(error) => Ok(self.bad_frame(error)),
        }
    }

    /// The bytes from an offset on, as far as they were shown.
    fn rest(&self, offset: usize) -> &[u8] {
        offset.checked_sub(self.base).and_then(|at| self.bytes.get(at..)).unwrap_or(&[])
    }

    /// The bytes of a range, if all of them were shown.
    fn range(&self, range: Range<usize>) -> Option<&[u8]> {
        self.bytes.get(range.start.checked_sub(self.base)?..range.end.checked_sub(self.base)?)
    }

    /// The offset at which the shown bytes end.
    fn end(&self) -> usize {
        self.base + self.bytes.len()
    }

    fn segment_header(&self) -> Result<Option<Found>, Newer> {
        let header = self.bytes.get(..SEGMENT_HEADER_BYTES).unwrap_or(&[]);
        let number = |at: usize, length: usize| {
            header[at..at + length].iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
        };
        let whole = !header.is_empty()
            && header[..8] == SEGMENT_MAGIC
            && number(28, 4) == u64::from(crc32c::crc32c(&header[..28]));
        if whole && number(8, 4) != u64::from(SEGMENT_VERSION) {
            return Err(Newer(number(8, 4) as u32));
        }
        if whole && number(12, 8) == self.first {
            return Ok(None);
        }
        let range = 0..SEGMENT_HEADER_BYTES as u64;
        Ok(Some(Found::Damaged { range, held: None, error: FrameError::HeaderDamaged }))
    }

    /// The frame at an offset: whole, in its place, and not stale.
    fn frame(&self, offset: usize) -> Result<Header, FrameError> {
        let header = self.header(offset)?;
        let body = offset + header.header_bytes as usize;
        let body_end = body.saturating_add(header.body_bytes as usize);
        if body_end > self.limit.unwrap_or(self.end()) {
            return Err(FrameError::BodyDamaged);
        }
        let bytes = if header.kind == FrameKind::Gap { Some(&[][..]) } else { self.range(body..body_end) };
        if !bytes.is_some_and(|bytes| header.fits(bytes)) {
            return Err(FrameError::BodyDamaged);
        }
        if header.kind == FrameKind::Batch {
            BatchHeader::read(self.range(offset..body).unwrap_or(&[]))?;
        }
        Ok(header)
    }

    /// The header at an offset, whatever its body.
    fn header(&self, offset: usize) -> Result<Header, FrameError> {
        let bytes = self.rest(offset);
        // Before its checksum is computed over a length that may be anything: does it claim to stand here?
        if Header::claimed_position(bytes).is_some_and(|claimed| claimed != self.first + offset as u64) {
            return Err(FrameError::NoFrame);
        }
        let header = Header::read(bytes)?;
        // A gap takes no number of its own: it may stand for bytes that had none.
        let (last, sequence) = (self.sequence, header.place.sequence);
        let fresh = if header.kind == FrameKind::Gap { sequence >= last } else { sequence > last };
        if fresh { Ok(header) } else { Err(FrameError::NoFrame) }
    }

    fn take(&mut self, header: &Header) -> Found {
        let offset = self.offset;
        let body = offset + header.header_bytes as usize;
        self.offset = body.saturating_add(header.body_bytes as usize);
        self.sequence = header.place.sequence;
        self.synced = self.synced.max(header.place.synced);
        match header.kind {
            FrameKind::Batch => match BatchHeader::read(self.range(offset..body).unwrap_or(&[])) {
                Ok(batch) => Found::Batch {
                    offset: offset as u64,
                    header: Box::new(batch),
                    stored: self.bytes.slice(body - self.base..self.offset - self.base),
                },
                Err(error) => Found::Damaged { range: offset as u64..self.offset as u64, held: None, error },
            },
            FrameKind::Marker => Found::Filler { marker: true },
            FrameKind::Gap => Found::Filler { marker: false },
        }
    }

    /// No frame can be read where one must be or may be: the end, a torn tail, or damage.
    fn bad_frame(&mut self, error: FrameError) -> Option<Found> {
        let start = self.offset;
        let rest = self.rest(start);
        let used = rest.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        let hidden = start < self.unreadable_end;
        if self.limit.is_none() && used == 0 && !hidden {
            self.ended = true;
            return None;
        }
        let trusted = self.header(start).ok();
        let from = trusted.map_or(start + SHARED_BYTES, |header| start.saturating_add(header.frame_bytes() as usize));
        let next = self.next_frame(from);
        let end = match (self.limit, next) {
            (Some(limit), next) => next.map_or(limit, |(offset, _)| offset),
            (None, Some((offset, header))) if hidden || self.is_synced_beyond(start, offset, &header) => offset,
            (None, None) if hidden => self.unreadable_end.max(start + used),
            (None, _) => {
                self.ended = true;
                return Some(Found::Torn { range: start as u64..(start + used) as u64 });
            }
        };
        let held = trusted
            .filter(|header| header.kind == FrameKind::Batch)
            .and_then(|header| BatchHeader::read(self.range(start..start + header.header_bytes as usize)?).ok());
        self.offset = end;
        Some(Found::Damaged { range: start as u64..end as u64, held: held.map(Box::new), error })
    }

    /// The first whole frame at or after an offset.
    fn next_frame(&self, from: usize) -> Option<(usize, Header)> {
        let end = self.limit.unwrap_or(self.end()).min(self.end());
        let mut at = from;
        while at.saturating_add(SHARED_BYTES) <= end {
            let found = self.range(at..end)?.windows(MAGIC.len()).position(|window| window == MAGIC)?;
            at += found;
            if let Ok(header) = self.frame(at) {
                return Some((at, header));
            }
            at += 1;
        }
        None
    }

    /// Whether the frame at `offset`, or a whole one after it, says that `start` was synced.
    fn is_synced_beyond(&self, start: usize, offset: usize, header: &Header) -> bool {
        let position = self.first + start as u64;
        let mut frame = Some((offset, *header));
        while let Some((offset, header)) = frame {
            if header.place.synced > position {
                return true;
            }
            frame = self.next_frame(offset.saturating_add(header.frame_bytes() as usize));
        }
        false
    }
}

#[cfg(test)]
mod tests;
