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
    /// The pieces that were read last: columns that follow each other often share some.
    pub(super) last: Arc<Mutex<Held>>,
}

/// Pieces in memory, one after the other.
#[derive(Default)]
pub(super) struct Held {
    /// Where they lie in the file.
    from: u64,
    bytes: Bytes,
    /// Which of them were verified.
    verified: Vec<bool>,
}

impl Pieces {
    /// These bytes, verified together with the rest of the pieces in which they lie.
    pub(super) fn read(&self, offset: u64, length: u64) -> std::result::Result<Bytes, ReadError> {
        let (from, to) = self.whole_pieces(offset, length)?;
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if from < last.from || to > last.from + last.bytes.len() as u64 {
            *last = self.hold(from, to)?;
        }
        let first = ((from - last.from) / PIECE) as usize;
        let Held { from: base, bytes, verified } = &mut *last;
        let count = (to - from).div_ceil(PIECE) as usize;
        for (at, is_verified) in verified.iter_mut().enumerate().skip(first).take(count) {
            if !*is_verified {
                let start = at * PIECE_BYTES;
                self.verify(*base + start as u64, &bytes[start..bytes.len().min(start + PIECE_BYTES)])?;
                *is_verified = true;
            }
        }
        let start = (offset - *base) as usize;
        Ok(bytes.slice(start..start + length as usize))
    }

    /// Gets all these bytes at once, for several reads to come. Each verifies what it needs.
    pub(super) fn fetch(&self, offset: u64, length: u64) -> std::result::Result<(), ReadError> {
        let (from, to) = self.whole_pieces(offset, length)?;
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if from < last.from || to > last.from + last.bytes.len() as u64 {
            *last = self.hold(from, to)?;
        }
        Ok(())
    }

    /// The first byte of the first piece that these bytes touch, and the end of the last.
    fn whole_pieces(&self, offset: u64, length: u64) -> std::result::Result<(u64, u64), ReadError> {
        let end = offset.checked_add(length).filter(|end| *end <= self.length);
        let end = end.ok_or_else(|| self.error(offset, length, format!("the file has {} bytes only", self.length)))?;
        Ok((offset / PIECE * PIECE, (end.div_ceil(PIECE) * PIECE).min(self.length)))
    }

    fn hold(&self, from: u64, to: u64) -> std::result::Result<Held, ReadError> {
        let wrong = |err: io::Error| self.error(from, to - from, format!("cannot be read: {err}"));
        let bytes = self.ranges.read(self.name, BlockFile::Data, from, (to - from) as usize).map_err(wrong)?;
        if bytes.len() as u64 != to - from {
            return Err(self.error(from, to - from, format!("only {} bytes were read", bytes.len())));
        }
        let verified = vec![false; bytes.len().div_ceil(PIECE_BYTES)];
        Ok(Held { from, bytes, verified })
    }

    fn verify(&self, offset: u64, piece: &[u8]) -> std::result::Result<(), ReadError> {
        match &self.sums {
            Some(sums) if !sums.is_whole((offset / PIECE) as usize, piece) => {
                Err(self.error(offset, piece.len() as u64, "they do not match their checksum".to_owned()))
            }
            _ => Ok(()),
        }
    }

    fn error(&self, offset: u64, length: u64, detail: String) -> ReadError {
        ReadError { name: self.name, file: BlockFile::Data, offset, length, detail }
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
