//! The Parquet file, read by whole pieces whose checksums the sidecar knows.

use std::io::{self, Read};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::{Buf, Bytes};
use parquet::errors::{ParquetError, Result};
use parquet::file::reader::{ChunkReader, Length};

use super::damage::ReadError;
use super::ranges::Ranges;
use crate::sidecar::{PIECE_BYTES, Sums};
use crate::{BlockFile, BlockName};

const PIECE: u64 = PIECE_BYTES as u64;

/// Bytes that a sequential reader takes at once.
const STEP_BYTES: u64 = 64 << 10;

/// A block's Parquet file.
#[derive(Clone)]
pub(super) struct Pieces {
    pub(super) name: BlockName,
    pub(super) length: u64,
    pub(super) ranges: Arc<dyn Ranges>,
    /// CRC32C of each piece; `None` when the sidecar's list is lost, and bytes are taken as they come.
    pub(super) sums: Option<Arc<Sums>>,
    /// The pieces that were read last, and where they lie: columns that follow each other often share some.
    pub(super) last: Arc<Mutex<(u64, Bytes)>>,
}

impl Pieces {
    /// These bytes, verified together with the rest of the pieces in which they lie.
    pub(super) fn read(&self, offset: u64, length: u64) -> std::result::Result<Bytes, ReadError> {
        let error =
            |offset, length, detail| ReadError { name: self.name, file: BlockFile::Data, offset, length, detail };
        let end = offset.checked_add(length).filter(|end| *end <= self.length);
        let Some(end) = end else {
            return Err(error(offset, length, format!("the file has {} bytes only", self.length)));
        };
        let (first, last) = (offset / PIECE, end.div_ceil(PIECE));
        let (from, to) = (first * PIECE, (last * PIECE).min(self.length));
        if let Some(bytes) = self.held(offset, length) {
            return Ok(bytes);
        }
        let wrong = |err: io::Error| error(from, to - from, format!("cannot be read: {err}"));
        let bytes = self.ranges.read(self.name, BlockFile::Data, from, (to - from) as usize).map_err(wrong)?;
        if bytes.len() as u64 != to - from {
            return Err(error(from, to - from, format!("only {} bytes were read", bytes.len())));
        }
        if let Some(sums) = &self.sums {
            for (piece, number) in bytes.chunks(PIECE_BYTES).zip(first..) {
                if !sums.is_whole(number as usize, piece) {
                    let detail = "they do not match their checksum".to_owned();
                    return Err(error(number * PIECE, piece.len() as u64, detail));
                }
            }
        }
        let start = (offset - from) as usize;
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = (from, bytes.clone());
        Ok(bytes.slice(start..start + length as usize))
    }
}

impl Pieces {
    /// The bytes, if they were read last.
    fn held(&self, offset: u64, length: u64) -> Option<Bytes> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let start = usize::try_from(offset.checked_sub(last.0)?).ok()?;
        let end = start.checked_add(usize::try_from(length).ok()?)?;
        (end <= last.1.len()).then(|| last.1.slice(start..end))
    }
}

impl Length for Pieces {
    fn len(&self) -> u64 {
        self.length
    }
}

impl ChunkReader for Pieces {
    type T = PiecesReader;

    fn get_read(&self, start: u64) -> Result<PiecesReader> {
        Ok(PiecesReader { pieces: self.clone(), next: start, held: Bytes::new() })
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes> {
        self.read(start, length as u64).map_err(|err| ParquetError::External(Box::new(err)))
    }
}

/// Reads on from some place of the file.
pub(super) struct PiecesReader {
    pieces: Pieces,
    next: u64,
    held: Bytes,
}

impl Read for PiecesReader {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.held.is_empty() && self.next < self.pieces.length {
            let length = (STEP_BYTES - self.next % PIECE).min(self.pieces.length - self.next);
            self.held = self.pieces.read(self.next, length).map_err(io::Error::other)?;
            self.next += length;
        }
        let count = into.len().min(self.held.len());
        self.held.copy_to_slice(&mut into[..count]);
        Ok(count)
    }
}
