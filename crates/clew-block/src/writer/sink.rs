//! The sink of the Parquet file, which takes the checksums of what passes.

use std::io::{self, Write};

use crate::sidecar::{PIECE_BYTES, Sums};

/// A writer that sums up each piece.
#[derive(Debug)]
pub(super) struct Summed<W> {
    inner: W,
    sums: Sums,
    /// Checksum of the piece under way, and its length so far.
    piece: (u32, usize),
}

impl<W: Write> Summed<W> {
    pub(super) fn new(inner: W) -> Self {
        Self { inner, sums: Sums::default(), piece: (0, 0) }
    }

    pub(super) fn finish(mut self) -> io::Result<(W, Sums)> {
        self.inner.flush()?;
        if self.piece.1 > 0 {
            self.sums.sums.push(self.piece.0);
        }
        Ok((self.inner, self.sums))
    }

    fn sum(&mut self, mut bytes: &[u8]) {
        self.sums.file_bytes += bytes.len() as u64;
        while !bytes.is_empty() {
            let (sum, length) = self.piece;
            let (head, rest) = bytes.split_at(bytes.len().min(PIECE_BYTES - length));
            self.piece = (crc32c::crc32c_append(sum, head), length + head.len());
            if self.piece.1 == PIECE_BYTES {
                self.sums.sums.push(self.piece.0);
                self.piece = (0, 0);
            }
            bytes = rest;
        }
    }
}

impl<W: Write> Write for Summed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.sum(bytes.get(..written).unwrap_or(bytes));
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_summed_however_they_are_cut() {
        let bytes: Vec<u8> = (0..PIECE_BYTES * 2 + 77).map(|at| (at * 31 % 251) as u8).collect();
        let expected: Vec<u32> = bytes.chunks(PIECE_BYTES).map(crc32c::crc32c).collect();
        for cut in [1, 1000, PIECE_BYTES, bytes.len()] {
            let mut sink = Summed::new(Vec::new());
            bytes.chunks(cut).for_each(|part| sink.write_all(part).unwrap());
            let (written, sums) = sink.finish().unwrap();
            assert_eq!(written, bytes);
            assert_eq!(sums, Sums { file_bytes: bytes.len() as u64, sums: expected.clone() });
        }
    }
}
