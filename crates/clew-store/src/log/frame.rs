//! One frame: a header that can be trusted by itself, and a body. Bytes in, bytes out; `docs/format.md` draws them.
//!
//! The header's CRC covers the header, which holds the body's CRC, so that a frame's length can be believed even when
//! its body is damaged. All numbers are little-endian.

use std::io::Read as _;

use bytes::Bytes;
use clew_model::{RejectReason, Tenant};
use clew_wire::otlp::Limits;

use crate::{Batch, Encoding, Protocol, Source, Tenants};

/// What a frame starts with.
pub const MAGIC: [u8; 4] = *b"clwF";

/// The newest version known here.
pub const VERSION: u8 = 1;

/// Length of the header that all frames share; a marker or gap has no more.
pub const SHARED_BYTES: usize = 56;

/// Length of a batch's header up to its tenants.
const BATCH_FIXED_BYTES: usize = SHARED_BYTES + 80;

/// Where the header's own checksum stands.
const CRC_AT: usize = 12;

/// What a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameKind {
    /// One batch: its body follows.
    Batch = 1,
    /// No body: says that everything before it is synced.
    Marker = 2,
    /// Stands where damage was repaired; its body is not looked at.
    Gap = 3,
}

/// Where a frame stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Position of its first byte in the log.
    pub position: u64,
    /// Rises from frame to frame and is never used twice, so that what a failed write left behind is known as stale.
    pub sequence: u64,
    /// Everything before this position was synced before this frame was written.
    pub synced: u64,
}

/// The part of a header that all frames share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// What it is.
    pub kind: FrameKind,
    /// Where it stands.
    pub place: Place,
    /// Length of the whole header in bytes.
    pub header_bytes: u32,
    /// Length of the body in bytes.
    pub body_bytes: u64,
    body_crc: u32,
}

/// The rest of a batch's header: all that a replay needs beside the body.
#[derive(Debug, Clone, PartialEq)]
pub struct BatchHeader {
    /// How it was spoken.
    pub protocol: Protocol,
    /// How the body is compressed.
    pub encoding: Encoding,
    /// Length of the body when decompressed.
    pub plain_bytes: u32,
    /// Whose spans.
    pub tenants: Tenants,
    /// Spans of the body that are not kept.
    pub rejected: Vec<(u32, RejectReason)>,
    /// The limits it was admitted with.
    pub limits: Limits,
    /// When it was received.
    pub received_unix_nanos: u64,
    /// Hash of the request.
    pub body_hash: u128,
    /// How many spans are kept.
    pub span_count: u32,
    /// Where from.
    pub source: Source,
}

/// Bytes that are not a frame of this version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The bytes end before the header does.
    #[error("the header is cut off")]
    Short,
    /// No frame starts here.
    #[error("no frame starts here")]
    NoFrame,
    /// The header is damaged.
    #[error("the header's checksum does not match")]
    HeaderDamaged,
    /// The body is damaged or cut off.
    #[error("the body's checksum does not match")]
    BodyDamaged,
    /// The header is whole, but says something that cannot be.
    #[error("the header is whole but makes no sense: {0}")]
    Nonsense(&'static str),
    /// Written by a newer clew.
    #[error("the frame has version {0}")]
    Newer(u8),
}

/// A stored body that cannot be decompressed to what was admitted.
#[derive(Debug, thiserror::Error)]
#[error("the stored body cannot be decompressed: {0}")]
pub struct DecompressError(String);

impl Header {
    /// Reads the shared part at the start of `bytes`; the whole header must be there, and its checksum must match.
    pub fn read(bytes: &[u8]) -> Result<Self, FrameError> {
        let mut fields = Fields(bytes.get(..SHARED_BYTES).ok_or(FrameError::Short)?);
        if fields.array::<4>()? != MAGIC {
            return Err(FrameError::NoFrame);
        }
        let (version, kind, _reserved) = (fields.u8()?, fields.u8()?, fields.u16()?);
        let (header_bytes, crc) = (fields.u32()?, fields.u32()?);
        let (body_bytes, body_crc, _reserved) = (fields.u64()?, fields.u32()?, fields.u32()?);
        if (header_bytes as usize) < SHARED_BYTES {
            return Err(FrameError::NoFrame);
        }
        let header = bytes.get(..header_bytes as usize).ok_or(FrameError::Short)?;
        if header_crc(header) != crc {
            return Err(FrameError::HeaderDamaged);
        }
        if version != VERSION {
            return Err(FrameError::Newer(version));
        }
        let kind = match kind {
            1 => FrameKind::Batch,
            2 => FrameKind::Marker,
            3 => FrameKind::Gap,
            _ => return Err(FrameError::Nonsense("unknown kind")),
        };
        let place = Place { position: fields.u64()?, sequence: fields.u64()?, synced: fields.u64()? };
        Ok(Self { kind, place, header_bytes, body_bytes, body_crc })
    }

    /// The position that the bytes at the start of `bytes` would have if they were a frame: a cheap first look.
    pub(super) fn claimed_position(bytes: &[u8]) -> Option<u64> {
        Fields(bytes.get(32..40)?).u64().ok()
    }

    /// Length of the frame in bytes.
    pub fn frame_bytes(&self) -> u64 {
        self.body_bytes.saturating_add(self.header_bytes.into())
    }

    /// Whether the body is what was written. A gap's is not looked at.
    pub fn fits(&self, body: &[u8]) -> bool {
        self.kind == FrameKind::Gap || (body.len() as u64 == self.body_bytes && crc32c::crc32c(body) == self.body_crc)
    }
}

impl BatchHeader {
    /// Reads the rest of the header of a batch; `header` is the whole header.
    pub fn read(header: &[u8]) -> Result<Self, FrameError> {
        let mut fields = Fields(header.get(SHARED_BYTES..).ok_or(FrameError::Short)?);
        let protocol = match fields.u8()? {
            1 => Protocol::Otlp,
            2 => Protocol::OtlpJson,
            _ => return Err(FrameError::Nonsense("unknown protocol")),
        };
        let encoding = match fields.u8()? {
            0 => Encoding::Identity,
            1 => Encoding::Gzip,
            2 => Encoding::Zstd,
            _ => return Err(FrameError::Nonsense("unknown content encoding")),
        };
        let tenant_count = fields.u16()?;
        let (span_count, plain_bytes) = (fields.u32()?, fields.u32()?);
        let received_unix_nanos = fields.u64()?;
        let body_hash = u128::from_le_bytes(fields.array()?);
        let source = Source { topic_epoch: fields.u32()?, partition: fields.u32()?, offset: fields.u64()? };
        let limits = Limits {
            value_bytes: fields.u32()?,
            attributes: fields.u32()?,
            events: fields.u32()?,
            links: fields.u32()?,
            depth: fields.u32()?,
        };
        let (group_count, rejected_count) = (fields.u32()?, fields.u32()?);
        let tenants = read_tenants(&mut fields, tenant_count, group_count)?;
        let rejected = read_rejected(&mut fields, rejected_count)?;
        if !fields.0.is_empty() {
            return Err(FrameError::Nonsense("bytes after its end"));
        }
        Ok(Self {
            protocol,
            encoding,
            plain_bytes,
            tenants,
            rejected,
            limits,
            received_unix_nanos,
            body_hash,
            span_count,
            source,
        })
    }

    /// The batch as it was admitted.
    pub fn into_batch(self, stored: Bytes) -> Result<Batch, DecompressError> {
        let body = decompress(self.encoding, &stored, self.plain_bytes as usize)?;
        Ok(Batch {
            protocol: self.protocol,
            encoding: self.encoding,
            stored,
            body,
            tenants: self.tenants,
            rejected: self.rejected,
            limits: self.limits,
            received_unix_nanos: self.received_unix_nanos,
            body_hash: self.body_hash,
            span_count: self.span_count,
            source: self.source,
        })
    }
}

/// Length of a batch's frame in bytes; `None` when a batch is too large for one.
pub fn batch_bytes(batch: &Batch) -> Option<u64> {
    let header = batch_header_bytes(&batch.tenants, &batch.rejected);
    let fits = u32::try_from(header).is_ok()
        && u32::try_from(batch.stored.len()).is_ok()
        && u32::try_from(batch.body.len()).is_ok()
        && u16::try_from(batch.tenants.names.len()).is_ok()
        && !batch.tenants.names.is_empty();
    fits.then_some((header + batch.stored.len()) as u64)
}

/// Length of the header of a batch's frame in bytes.
pub(super) fn batch_header_bytes(tenants: &Tenants, rejected: &[(u32, RejectReason)]) -> usize {
    let names: usize = tenants.names.iter().map(|name| 1 + name.as_str().len()).sum();
    let mut next = 0;
    let ordinals: usize = rejected.iter().map(|(ordinal, _)| 1 + varint_bytes(delta(&mut next, *ordinal))).sum();
    BATCH_FIXED_BYTES + names + 2 * tenants.of_group.len() + ordinals
}

/// Appends a batch's frame. The batch must fit ([`batch_bytes`]).
pub fn write_batch(out: &mut Vec<u8>, place: Place, batch: &Batch) {
    let start = out.len();
    begin(out, FrameKind::Batch, place, batch.stored.len() as u64, crc32c::crc32c(&batch.stored));
    out.extend([batch.protocol as u8, batch.encoding as u8]);
    out.extend((batch.tenants.names.len() as u16).to_le_bytes());
    out.extend(batch.span_count.to_le_bytes());
    out.extend((batch.body.len() as u32).to_le_bytes());
    out.extend(batch.received_unix_nanos.to_le_bytes());
    out.extend(batch.body_hash.to_le_bytes());
    out.extend(batch.source.topic_epoch.to_le_bytes());
    out.extend(batch.source.partition.to_le_bytes());
    out.extend(batch.source.offset.to_le_bytes());
    let Limits { value_bytes, attributes, events, links, depth } = batch.limits;
    for limit in [value_bytes, attributes, events, links, depth] {
        out.extend(limit.to_le_bytes());
    }
    out.extend((batch.tenants.of_group.len() as u32).to_le_bytes());
    out.extend((batch.rejected.len() as u32).to_le_bytes());
    for name in &batch.tenants.names {
        out.push(name.as_str().len() as u8);
        out.extend(name.as_str().as_bytes());
    }
    for group in &batch.tenants.of_group {
        out.extend(group.to_le_bytes());
    }
    let mut next = 0;
    for (ordinal, reason) in &batch.rejected {
        write_varint(out, delta(&mut next, *ordinal));
        out.push(*reason as u8);
    }
    finish(out, start);
    out.extend_from_slice(&batch.stored);
}

/// Appends a marker.
pub fn write_marker(out: &mut Vec<u8>, place: Place) {
    let start = out.len();
    begin(out, FrameKind::Marker, place, 0, crc32c::crc32c(&[]));
    finish(out, start);
}

/// Appends the header of a gap; its body is whatever stands behind it.
pub fn write_gap(out: &mut Vec<u8>, place: Place, body_bytes: u64) {
    let start = out.len();
    begin(out, FrameKind::Gap, place, body_bytes, 0);
    finish(out, start);
}

fn begin(out: &mut Vec<u8>, kind: FrameKind, place: Place, body_bytes: u64, body_crc: u32) {
    out.extend(MAGIC);
    out.extend([VERSION, kind as u8, 0, 0]);
    // The header's length and checksum come last.
    out.extend([0; 8]);
    out.extend(body_bytes.to_le_bytes());
    out.extend(body_crc.to_le_bytes());
    out.extend([0; 4]);
    out.extend(place.position.to_le_bytes());
    out.extend(place.sequence.to_le_bytes());
    out.extend(place.synced.to_le_bytes());
}

fn finish(out: &mut [u8], start: usize) {
    let header = &mut out[start..];
    let length = header.len() as u32;
    header[8..12].copy_from_slice(&length.to_le_bytes());
    let crc = header_crc(header);
    header[CRC_AT..CRC_AT + 4].copy_from_slice(&crc.to_le_bytes());
}

/// CRC32C of a header without its own field.
fn header_crc(header: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&header[..CRC_AT]), &header[CRC_AT + 4..])
}

fn read_tenants(fields: &mut Fields<'_>, names: u16, groups: u32) -> Result<Tenants, FrameError> {
    let mut tenants = Tenants { names: Vec::new(), of_group: Vec::new() };
    for _ in 0..names {
        let length = usize::from(fields.u8()?);
        let name = std::str::from_utf8(fields.take(length)?).ok().and_then(|name| Tenant::new(name).ok());
        tenants.names.push(name.ok_or(FrameError::Nonsense("bad tenant name"))?);
    }
    if tenants.names.is_empty() {
        return Err(FrameError::Nonsense("no tenant"));
    }
    for _ in 0..groups {
        tenants.of_group.push(fields.u16()?);
    }
    Ok(tenants)
}

fn read_rejected(fields: &mut Fields<'_>, count: u32) -> Result<Vec<(u32, RejectReason)>, FrameError> {
    let mut rejected = Vec::new();
    let mut next = 0_u32;
    for _ in 0..count {
        let ordinal = next.checked_add(fields.varint()?).ok_or(FrameError::Nonsense("ordinal too large"))?;
        let reason = RejectReason::from_number(fields.u8()?).ok_or(FrameError::Nonsense("unknown reason"))?;
        rejected.push((ordinal, reason));
        next = ordinal.saturating_add(1);
    }
    Ok(rejected)
}

/// How far an ordinal lies beyond the first that could follow the one before.
fn delta(next: &mut u32, ordinal: u32) -> u32 {
    let delta = ordinal.saturating_sub(*next);
    *next = ordinal.saturating_add(1);
    delta
}

fn varint_bytes(value: u32) -> usize {
    (32 - (value | 1).leading_zeros() as usize).div_ceil(7)
}

fn write_varint(out: &mut Vec<u8>, mut value: u32) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn decompress(encoding: Encoding, stored: &Bytes, plain_bytes: usize) -> Result<Bytes, DecompressError> {
    let failed = |error: std::io::Error| DecompressError(error.to_string());
    let mut plain = Vec::with_capacity(plain_bytes.min(1 << 26));
    // One byte more than announced tells a body that is too long.
    let most = plain_bytes as u64 + 1;
    match encoding {
        Encoding::Identity if stored.len() == plain_bytes => return Ok(stored.clone()),
        Encoding::Identity => Ok(0),
        Encoding::Gzip => flate2::read::MultiGzDecoder::new(&stored[..]).take(most).read_to_end(&mut plain),
        Encoding::Zstd => zstd::Decoder::new(&stored[..]).map_err(failed)?.take(most).read_to_end(&mut plain),
    }
    .map_err(failed)?;
    if plain.len() == plain_bytes {
        Ok(plain.into())
    } else {
        Err(DecompressError(format!("it has not the {plain_bytes} bytes that its header says")))
    }
}

/// A reader of fields that never looks beyond its bytes.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], FrameError> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(FrameError::Nonsense("it is too short"))?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], FrameError> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(FrameError::Nonsense("it is too short"))?;
        self.0 = rest;
        Ok(*taken)
    }

    fn u8(&mut self) -> Result<u8, FrameError> {
        self.array().map(u8::from_le_bytes)
    }

    fn u16(&mut self) -> Result<u16, FrameError> {
        self.array().map(u16::from_le_bytes)
    }

    fn u32(&mut self) -> Result<u32, FrameError> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Result<u64, FrameError> {
        self.array().map(u64::from_le_bytes)
    }

    fn varint(&mut self) -> Result<u32, FrameError> {
        let mut value = 0_u64;
        for shift in (0..35).step_by(7) {
            let byte = self.u8()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return u32::try_from(value).map_err(|_| FrameError::Nonsense("number too large"));
            }
        }
        Err(FrameError::Nonsense("number too long"))
    }
}

#[cfg(test)]
mod tests;
