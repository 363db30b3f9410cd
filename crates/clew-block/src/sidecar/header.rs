//! The header: which sections there are, where, and how to know that they are whole.

use std::borrow::Cow;
use std::io::{self, Write};
use std::ops::Range;

use super::bytes::{Bytes, SideError};

const MAGIC: &[u8; 9] = b"clew side";
const VERSION: u32 = 1;
/// Magic, version and number of sections.
const HEAD_BYTES: usize = 9 + 4 + 4;
const ENTRY_BYTES: usize = 4 + 8 + 8 + 8 + 4 + 4;
/// More sections than any version has, so that a damaged count is known as such.
const SECTIONS_MAX: usize = 64;
/// No section of a block of 2^32 rows comes near; a length beyond it is damage.
const PLAIN_BYTES_MAX: u64 = 1 << 30;
/// zstd packs no more bytes into one; a length beyond it is damage.
const RATIO_MAX: u64 = 1 << 16;
/// Higher levels save next to nothing on what sections hold.
const ZSTD_LEVEL: i32 = 1;

/// The header of a sidecar.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Header {
    /// The sections, in the order of their bytes. Ones that this version does not know are left out.
    pub sections: Vec<Section>,
}

/// A section's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Section {
    /// What it holds.
    pub id: SectionId,
    /// Its first byte in the file.
    pub offset: u64,
    /// Its length in the file.
    pub stored_bytes: u64,
    /// Its length when unpacked.
    pub plain_bytes: u64,
    /// CRC32C of the stored bytes.
    pub checksum: u32,
    /// How it is packed.
    pub codec: Codec,
}

/// What a section holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SectionId {
    /// JSON of the [`crate::BlockMeta`].
    Meta = 1,
    /// Trace ids and their first rows, in slices: [`super::Slice`].
    Ids = 2,
    /// What is kept of the ids: [`super::Fence`].
    Fence = 3,
    /// Summaries of the traces: [`super::Traces`].
    Traces = 4,
    /// What the row groups hold: [`super::Groups`].
    Groups = 5,
    /// Services, operations and keys: [`super::Names`].
    Names = 6,
    /// Bloom filters; [`super::Group::bloom`] says where.
    Blooms = 7,
    /// Checksums of the Parquet file: [`super::Sums`].
    Sums = 8,
    /// Requests whose spans are in the block: [`super::Requests`].
    Requests = 9,
    /// What was decided about the traces: [`super::Verdicts`]. Blocks of which nothing is known have none.
    Verdicts = 10,
    /// Traces that were left out: [`super::Dropped`]. Blocks that nothing was left out of have none.
    Dropped = 11,
}

/// How a section is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Codec {
    /// Not at all; parts of it can be read alone.
    Plain = 0,
    /// zstd.
    Zstd = 1,
}

/// A section's bytes, packed.
#[derive(Debug)]
pub struct Packed {
    id: SectionId,
    codec: Codec,
    plain_bytes: u64,
    stored: Vec<u8>,
}

/// The bytes of a sidecar, in parts, so that none of them is in memory twice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SideBytes {
    parts: Vec<Vec<u8>>,
}

impl Packed {
    /// A section of these plain bytes.
    pub fn new(id: SectionId, codec: Codec, plain: Vec<u8>) -> Self {
        let plain_bytes = plain.len() as u64;
        let stored = match codec {
            Codec::Plain => plain,
            Codec::Zstd => {
                zstd::bulk::compress(&plain, ZSTD_LEVEL).expect("zstd packs any bytes into a buffer of its own size")
            }
        };
        Self { id, codec, plain_bytes, stored }
    }
}

impl SideBytes {
    /// The sidecar of these sections.
    pub fn of(sections: Vec<Packed>) -> Self {
        let mut offset = (HEAD_BYTES + sections.len() * ENTRY_BYTES + 4) as u64;
        let mut head = Vec::new();
        head.extend(MAGIC);
        head.extend(VERSION.to_le_bytes());
        head.extend((sections.len() as u32).to_le_bytes());
        for Packed { id, codec, plain_bytes, stored } in &sections {
            head.extend((*id as u32).to_le_bytes());
            head.extend(offset.to_le_bytes());
            head.extend((stored.len() as u64).to_le_bytes());
            head.extend(plain_bytes.to_le_bytes());
            head.extend(crc32c::crc32c(stored).to_le_bytes());
            head.extend((*codec as u32).to_le_bytes());
            offset += stored.len() as u64;
        }
        head.extend(crc32c::crc32c(&head).to_le_bytes());
        let parts = [head].into_iter().chain(sections.into_iter().map(|section| section.stored)).collect();
        Self { parts }
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.parts.iter().map(|part| part.len() as u64).sum()
    }

    /// Writes all of them.
    pub fn write_to(&self, sink: &mut impl Write) -> io::Result<()> {
        self.parts.iter().try_for_each(|part| sink.write_all(part))
    }

    /// All of them in one.
    pub fn into_vec(self) -> Vec<u8> {
        self.parts.concat()
    }
}

impl Header {
    /// How many bytes at the start of a sidecar hold any header.
    pub const BYTES_MAX: usize = HEAD_BYTES + SECTIONS_MAX * ENTRY_BYTES + 4;

    /// The header at the start of these bytes, of which [`Self::BYTES_MAX`] are enough.
    pub fn decode(start: &[u8]) -> Result<Self, SideError> {
        let mut bytes = Bytes::new("header", start);
        if bytes.take(MAGIC.len())? != MAGIC {
            return Err(bytes.problem("it is no sidecar"));
        }
        match bytes.u32()? {
            VERSION => {}
            0 => return Err(bytes.problem("its version is not known")),
            _ => return Err(bytes.problem("its version is newer than this clew knows")),
        }
        let count = bytes.u32()? as usize;
        if count > SECTIONS_MAX {
            return Err(bytes.problem("it has too many sections"));
        }
        let checked = HEAD_BYTES + count * ENTRY_BYTES;
        let mut sections = Vec::with_capacity(count);
        for _ in 0..count {
            let (id, offset, stored_bytes) = (bytes.u32()?, bytes.u64()?, bytes.u64()?);
            let (plain_bytes, checksum, codec) = (bytes.u64()?, bytes.u32()?, bytes.u32()?);
            if let (Some(id), Some(codec)) = (SectionId::from_number(id), Codec::from_number(codec)) {
                sections.push(Section { id, offset, stored_bytes, plain_bytes, checksum, codec });
            }
        }
        let checksum = bytes.u32()?;
        let sound = start.get(..checked).is_some_and(|head| crc32c::crc32c(head) == checksum);
        if sound { Ok(Self { sections }) } else { Err(bytes.problem("its checksum does not match")) }
    }

    /// The section of that id.
    pub fn section(&self, id: SectionId) -> Option<&Section> {
        self.sections.iter().find(|section| section.id == id)
    }
}

impl Section {
    /// Where it lies in the file.
    pub fn range(&self) -> Range<u64> {
        self.offset..self.offset.saturating_add(self.stored_bytes)
    }

    /// Its plain bytes from its stored ones, verified. What is taken of memory grows with what is really there, whatever the
    /// header says.
    pub fn unpack<'b>(&self, stored: &'b [u8]) -> Result<Cow<'b, [u8]>, SideError> {
        let problem = |problem| SideError { section: self.id.as_str(), offset: 0, problem };
        if stored.len() as u64 != self.stored_bytes {
            return Err(problem("its length does not match"));
        }
        if crc32c::crc32c(stored) != self.checksum {
            return Err(problem("its checksum does not match"));
        }
        match self.codec {
            Codec::Plain => Ok(Cow::Borrowed(stored)),
            Codec::Zstd if self.plain_bytes > PLAIN_BYTES_MAX.min(self.stored_bytes.saturating_mul(RATIO_MAX)) => {
                Err(problem("its length is beyond all bounds"))
            }
            Codec::Zstd => {
                let plain = zstd::bulk::decompress(stored, self.plain_bytes as usize);
                let plain = plain.map_err(|_| problem("zstd cannot unpack it"))?;
                let fits = plain.len() as u64 == self.plain_bytes;
                if fits { Ok(Cow::Owned(plain)) } else { Err(problem("its length does not match")) }
            }
        }
    }
}

impl SectionId {
    /// Every section, in the order of their numbers.
    pub const ALL: [Self; 11] = [
        Self::Meta,
        Self::Ids,
        Self::Fence,
        Self::Traces,
        Self::Groups,
        Self::Names,
        Self::Blooms,
        Self::Sums,
        Self::Requests,
        Self::Verdicts,
        Self::Dropped,
    ];

    /// Whether whole blocks may be without it: those of which there is nothing that it could say.
    pub fn is_optional(self) -> bool {
        matches!(self, Self::Verdicts | Self::Dropped)
    }

    fn from_number(number: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|id| *id as u32 == number)
    }

    /// Its name in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Meta => "meta",
            Self::Ids => "ids",
            Self::Fence => "fence",
            Self::Traces => "traces",
            Self::Groups => "groups",
            Self::Names => "names",
            Self::Blooms => "blooms",
            Self::Sums => "sums",
            Self::Requests => "requests",
            Self::Verdicts => "verdicts",
            Self::Dropped => "dropped",
        }
    }
}

impl Codec {
    fn from_number(number: u32) -> Option<Self> {
        [Self::Plain, Self::Zstd].get(number as usize).copied()
    }
}
