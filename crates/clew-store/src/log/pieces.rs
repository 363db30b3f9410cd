//! A segment that is read piece by piece, each into memory that an earlier one has left: what was just read is checked and
//! used while it is in the processor's caches, and no page of memory is asked for that the last piece did not need.
//!
//! As long as frame follows frame a piece is enough. At whatever is no frame the rest of the segment is read, since what it
//! means depends on all that follows.

use std::collections::VecDeque;
use std::ops::Range;
use std::path::Path;

use bytes::Bytes;

use super::recover::{SegmentFile, read_pieces, segment_path};
use super::segment::Scan;
use crate::port::Disk;

/// Bytes of a piece, unless a frame is longer: it fits a core's second cache together with what inserting needs.
const PIECE_BYTES: u64 = 512 * 1024;

/// Pieces whose memory is remembered; those that hold batches on their way are still in use.
const REMEMBERED: usize = 16;

/// Memory of pieces, used again when nobody holds it.
#[derive(Default)]
pub(super) struct Memory(VecDeque<Bytes>);

/// A segment under way.
pub(super) struct Pieces {
    pub(super) file: SegmentFile,
    pub(super) scan: Scan,
    /// Bytes of the file that belong to the log.
    length: u64,
    piece_bytes: u64,
    /// Where the disk gave nothing, and what it said.
    pub(super) unreadable: Vec<(Range<u64>, String)>,
    /// The last segment's pieces from where nobody says that it was synced: where each begins, and what was read.
    tail: Vec<(u64, Bytes)>,
}

impl Pieces {
    /// The segment, of which nothing was read yet; `sequence` is that of the last frame before.
    pub(super) fn new(file: SegmentFile, sequence: u64) -> Self {
        let length = file.next_first.map_or(file.length, |next| file.length.min(next - file.first));
        let scan = Scan::in_pieces(file.first, file.next_first, sequence);
        Self { file, scan, length, piece_bytes: PIECE_BYTES, unreadable: Vec::new(), tail: Vec::new() }
    }

    /// Reads on where the scan stands and cannot go on.
    pub(super) fn read_on(&mut self, data_dir: &Path, disk: &dyn Disk, memory: &mut Memory) {
        let path = segment_path(data_dir, &self.file.name);
        let from = self.scan.offset();
        let rest = self.length.saturating_sub(from);
        let shown = self.scan.shown_bytes();
        let most = match self.scan.claimed_frame_bytes() {
            Some(frame) if frame > shown => frame.max(self.piece_bytes),
            None if shown == 0 => self.piece_bytes,
            // A piece from here on was seen, and it does not begin with a frame.
            _ => rest,
        };
        let most = most.min(rest);
        let mut bytes = memory.take();
        let (bytes, is_rest) = if disk.read_into(&path, from, most as usize, &mut bytes).is_ok() {
            let is_short = (bytes.len() as u64) < most;
            (bytes, is_short || most == rest)
        } else {
            let (bytes, unreadable) = read_pieces(&path, disk, from..self.length);
            self.unreadable = unreadable;
            (bytes, true)
        };
        let bytes = memory.keep(bytes);
        if self.file.next_first.is_none() {
            let synced = self.scan.synced_offset();
            self.tail.retain(|(begin, piece)| begin + piece.len() as u64 > synced);
            self.tail.push((from, bytes.clone()));
        }
        self.scan.show(bytes, is_rest, self.unreadable_end());
    }

    /// The end of the last place where the disk gave nothing; 0 when there is none.
    pub(super) fn unreadable_end(&self) -> u64 {
        self.unreadable.last().map_or(0, |(range, _)| range.end)
    }

    /// What was read of that range of the last segment, whose start is not before what is known to be synced: parts in order,
    /// and where each begins.
    pub(super) fn tail(&self, range: Range<u64>) -> impl Iterator<Item = (u64, &[u8])> {
        let ends = self.tail.iter().skip(1).map(|(begin, _)| *begin).chain([u64::MAX]);
        self.tail.iter().zip(ends).filter_map(move |((begin, bytes), end)| {
            // Where pieces overlap, frames were read in the later one.
            let from = range.start.max(*begin);
            let to = range.end.min(end).min(begin + bytes.len() as u64);
            let part = bytes.get(from.checked_sub(*begin)? as usize..to.checked_sub(*begin)? as usize)?;
            (!part.is_empty()).then_some((from, part))
        })
    }
}

impl Memory {
    /// Empty memory, that of an earlier piece if one is free.
    fn take(&mut self) -> Vec<u8> {
        for _ in 0..self.0.len() {
            let Some(bytes) = self.0.pop_front() else { break };
            match bytes.try_into_mut() {
                Ok(mut free) => {
                    free.clear();
                    return free.into();
                }
                Err(used) => self.0.push_back(used),
            }
        }
        Vec::new()
    }

    fn keep(&mut self, bytes: Vec<u8>) -> Bytes {
        let bytes = Bytes::from(bytes);
        // A rest may be as long as a segment: such memory is not kept for pieces.
        if bytes.len() as u64 <= 2 * PIECE_BYTES {
            self.0.truncate(REMEMBERED - 1);
            self.0.push_back(bytes.clone());
        }
        bytes
    }
}

#[cfg(test)]
#[path = "pieces/tests.rs"]
mod tests;
