//! Where a block's bytes come from.

use std::io;
use std::ops::Range;

use bytes::Bytes;

use crate::{BlockFile, BlockName};

/// Ranges of a block's two files, wherever they are kept.
pub trait Ranges: Send + Sync {
    /// Exactly `length` bytes from `offset` on; an error of kind `UnexpectedEof` when the file ends before.
    fn read(&self, name: BlockName, file: BlockFile, offset: u64, length: usize) -> io::Result<Bytes>;

    /// A hint: these bytes are going to be read. Returns at once, whatever becomes of it.
    fn will_read(&self, _name: BlockName, _file: BlockFile, _ranges: &[Range<u64>]) {}
}
