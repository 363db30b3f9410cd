//! Section `sums`: checksums of the Parquet file, piece by piece.

use super::bytes::{Bytes, SideError};

/// Length of a piece; only the last one may be shorter. Small enough that a point read verifies little more than it needs.
pub const PIECE_BYTES: usize = 4 * 1024;

/// CRC32C of each piece of the Parquet file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sums {
    /// Length of the file.
    pub file_bytes: u64,
    /// One for each [`PIECE_BYTES`] of it.
    pub sums: Vec<u32>,
}

impl Sums {
    /// The section's plain bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(12 + self.sums.len() * 4);
        out.extend((PIECE_BYTES as u32).to_le_bytes());
        out.extend(self.file_bytes.to_le_bytes());
        out.extend(self.sums.iter().flat_map(|sum| sum.to_le_bytes()));
        out
    }

    /// The section of these plain bytes.
    pub fn decode(plain: &[u8]) -> Result<Self, SideError> {
        let mut bytes = Bytes::new("sums", plain);
        if bytes.u32()? as usize != PIECE_BYTES {
            return Err(bytes.problem("its pieces have another length"));
        }
        let file_bytes = bytes.u64()?;
        let count = file_bytes.div_ceil(PIECE_BYTES as u64);
        if count != ((plain.len() - 12) / 4) as u64 {
            return Err(bytes.problem("it has not as many checksums as the file has pieces"));
        }
        let sums = (0..count).map(|_| bytes.u32()).collect::<Result<_, _>>()?;
        bytes.end()?;
        Ok(Self { file_bytes, sums })
    }

    /// Whether these are the bytes of that piece.
    pub fn is_whole(&self, piece: usize, bytes: &[u8]) -> bool {
        self.sums.get(piece).is_some_and(|sum| crc32c::crc32c(bytes) == *sum)
    }
}
