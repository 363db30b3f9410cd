//! The catalog's files in bytes; `docs/format.md` draws them. All numbers are little-endian.
//!
//! A frame's header can be trusted by itself, and its payload is JSON: no payload holds the magic that a frame begins with,
//! since its first byte is in no UTF-8 text.

use serde::Serialize;

/// What a file starts with.
const FILE_MAGIC: [u8; 8] = *b"clew cat";

/// The newest version of files and frames known here. Anything that an edit or a state can newly say is a new version: one
/// that is not known is refused by name, never read in part.
pub const CATALOG_VERSION: u32 = 2;

/// The oldest version that is read; what it could not say has defaults.
const CATALOG_VERSION_MIN: u32 = 1;

/// Length of a file's header.
pub(super) const FILE_HEADER_BYTES: usize = 32;

/// What a frame starts with.
pub(super) const FRAME_MAGIC: [u8; 4] = *b"\xffclE";

/// Length of a frame's header.
pub(super) const FRAME_HEADER_BYTES: usize = 40;

/// Where a frame's header has its own checksum.
const CRC_AT: usize = 8;

/// Sequence numbers stay below it, so that the next one always exists.
const SEQUENCE_MAX: u64 = 1 << 62;

/// Digits of a file's number in its name.
const NAME_DIGITS: usize = 20;

/// What a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FrameKind {
    /// The whole state: the first frame of a file, and no other.
    State = 1,
    /// One edit.
    Edit = 2,
    /// No payload: the frame before it was synced. It has that frame's sequence number, and the next frame takes its place.
    Marker = 3,
}

/// A file's header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FileHeader {
    /// The file's number, as in its name.
    pub(super) number: u64,
    /// Its length, which never changes.
    pub(super) length: u64,
}

/// A frame's header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FrameHeader {
    pub(super) kind: FrameKind,
    /// Rises from frame to frame, over all files, and is never used twice.
    pub(super) sequence: u64,
    payload_bytes: u64,
    payload_crc: u32,
}

/// Bytes that are not what is to stand there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CodecError {
    /// No header stands here, or it is damaged.
    NoHeader,
    /// The header is whole, the payload is damaged or cut off.
    Payload(FrameHeader),
    /// The header is whole and says something that cannot be.
    Nonsense,
    /// Written by a newer clew.
    Newer(u32),
}

/// The name of a file.
pub(super) fn file_name(number: u64) -> String {
    format!("{number:0NAME_DIGITS$}.edits")
}

/// The number of the file of that name; `None` for other files, and for numbers that no catalog reaches.
pub(super) fn file_number(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".edits")?;
    let number = digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?;
    number.filter(|number| digits.len() == NAME_DIGITS && *number < u64::MAX >> 1)
}

/// The text of an edit or a state.
pub(super) fn payload(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("numbers, texts and lists have a JSON form")
}

impl FileHeader {
    pub(super) fn write(self) -> [u8; FILE_HEADER_BYTES] {
        let mut header = [0; FILE_HEADER_BYTES];
        header[..8].copy_from_slice(&FILE_MAGIC);
        header[8..12].copy_from_slice(&CATALOG_VERSION.to_le_bytes());
        header[12..20].copy_from_slice(&self.number.to_le_bytes());
        header[20..28].copy_from_slice(&self.length.to_le_bytes());
        let crc = crc32c::crc32c(&header[..28]);
        header[28..].copy_from_slice(&crc.to_le_bytes());
        header
    }

    pub(super) fn read(bytes: &[u8]) -> Result<Self, CodecError> {
        let header = bytes.get(..FILE_HEADER_BYTES).ok_or(CodecError::NoHeader)?;
        if header[..8] != FILE_MAGIC || number(header, 28, 4) != u64::from(crc32c::crc32c(&header[..28])) {
            return Err(CodecError::NoHeader);
        }
        match number(header, 8, 4) as u32 {
            version if !is_known(version) => Err(CodecError::Newer(version)),
            _ => Ok(Self { number: number(header, 12, 8), length: number(header, 20, 8) }),
        }
    }
}

/// Appends a frame that is to stand at an offset of its file.
pub(super) fn write_frame(out: &mut Vec<u8>, kind: FrameKind, offset: u64, sequence: u64, payload: &[u8]) {
    let mut header = [0; FRAME_HEADER_BYTES];
    header[..4].copy_from_slice(&FRAME_MAGIC);
    header[4] = CATALOG_VERSION as u8;
    header[5] = kind as u8;
    header[12..16].copy_from_slice(&crc32c::crc32c(payload).to_le_bytes());
    header[16..24].copy_from_slice(&(payload.len() as u64).to_le_bytes());
    header[24..32].copy_from_slice(&sequence.to_le_bytes());
    header[32..40].copy_from_slice(&offset.to_le_bytes());
    let crc = header_crc(&header);
    header[CRC_AT..CRC_AT + 4].copy_from_slice(&crc.to_le_bytes());
    out.extend(header);
    out.extend_from_slice(payload);
}

impl FrameHeader {
    /// The header at an offset of a file's bytes, whatever its payload. `last` is the sequence number of the frame before.
    pub(super) fn read(bytes: &[u8], offset: usize, last: u64) -> Result<Self, CodecError> {
        let end = offset.saturating_add(FRAME_HEADER_BYTES);
        let header = bytes.get(offset..end).ok_or(CodecError::NoHeader)?;
        let stands_here = header[..4] == FRAME_MAGIC && number(header, 32, 8) == offset as u64;
        if !stands_here || number(header, CRC_AT, 4) != u64::from(header_crc(header)) {
            return Err(CodecError::NoHeader);
        }
        if !is_known(u32::from(header[4])) {
            return Err(CodecError::Newer(header[4].into()));
        }
        let kind = match header[5] {
            1 => FrameKind::State,
            2 => FrameKind::Edit,
            3 => FrameKind::Marker,
            _ => return Err(CodecError::Nonsense),
        };
        let sequence = number(header, 24, 8);
        // One that is not above is stale; a marker has the number of the frame that it speaks of.
        let is_fresh = sequence > last || (kind == FrameKind::Marker && sequence == last);
        if !is_fresh || sequence >= SEQUENCE_MAX {
            return Err(CodecError::NoHeader);
        }
        Ok(Self { kind, sequence, payload_bytes: number(header, 16, 8), payload_crc: number(header, 12, 4) as u32 })
    }

    /// Where the frame ends that begins at an offset.
    pub(super) fn end(&self, offset: usize) -> usize {
        offset.saturating_add(FRAME_HEADER_BYTES).saturating_add(self.payload_bytes as usize)
    }
}

/// The whole frame at an offset of a file's bytes.
pub(super) fn read_frame(bytes: &[u8], offset: usize, last: u64) -> Result<(FrameHeader, &[u8]), CodecError> {
    let header = FrameHeader::read(bytes, offset, last)?;
    let payload = bytes.get(offset + FRAME_HEADER_BYTES..header.end(offset)).ok_or(CodecError::Payload(header))?;
    if crc32c::crc32c(payload) == header.payload_crc { Ok((header, payload)) } else { Err(CodecError::Payload(header)) }
}

/// Whether the header of a later frame stands in its place at or after an offset.
pub(super) fn has_later_frame(bytes: &[u8], from: usize, last: u64) -> bool {
    let rest = bytes.get(from..).unwrap_or(&[]);
    let places = rest.windows(FRAME_MAGIC.len()).enumerate().filter(|(_, window)| *window == FRAME_MAGIC);
    places.map(|(at, _)| from + at).any(|at| match FrameHeader::read(bytes, at, last) {
        Ok(header) => header.sequence > last,
        Err(CodecError::Newer(_) | CodecError::Nonsense) => true,
        Err(CodecError::NoHeader | CodecError::Payload(_)) => false,
    })
}

/// Whether files and frames of that version are read here.
fn is_known(version: u32) -> bool {
    (CATALOG_VERSION_MIN..=CATALOG_VERSION).contains(&version)
}

/// The number of up to eight bytes at an offset; the bytes are there.
fn number(bytes: &[u8], at: usize, length: usize) -> u64 {
    bytes[at..at + length].iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// CRC32C of a header without its own field.
fn header_crc(header: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&header[..CRC_AT]), &header[CRC_AT + 4..FRAME_HEADER_BYTES])
}
