//! What a settlement says, in bytes; `docs/format.md` draws them. A file has two sections, since who reads figures reads no
//! records: each is postcard, packed with zstd, behind a checksum.

use clew_model::{Summary, Tenant, TraceId, Verdict};
use clew_rollup::Rollup;
use serde::{Deserialize, Serialize};

/// What a file begins with.
const MAGIC: [u8; 8] = *b"clew stl";

/// The newest version known here.
pub const SETTLE_VERSION: u32 = 1;

/// Magic, version, then of both sections the stored length, the plain length and the checksum, then the header's checksum.
pub(super) const HEADER_BYTES: usize = 8 + 4 + 2 * (8 + 8 + 4) + 4;

/// No section comes near; a length beyond it is damage.
const PLAIN_BYTES_MAX: u64 = 1 << 30;

const ZSTD_LEVEL: i32 = 1;

/// A trace that was settled.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The trace, as it was when it was settled.
    pub summary: Summary,
    /// Its verdict: a position in [`Records::verdicts`].
    pub verdict: u16,
    /// Spans that came after it had been settled before; 0 the first time.
    pub late_span_count: u64,
    /// When its last span was received, in unix nanoseconds.
    pub last_received_unix_nanos: u64,
}

/// The records of one settlement, or of several that were merged.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Records {
    /// The verdicts that records name.
    pub verdicts: Vec<Verdict>,
    /// By settlement; in each by tenant and trace id.
    pub settlements: Vec<SettledRecords>,
}

/// The records of one settlement.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct SettledRecords {
    /// What was received before is counted, of these traces.
    pub through_unix_nanos: u64,
    /// By tenant.
    pub tenants: Vec<(Tenant, Vec<Record>)>,
}

/// What a settlement says of a tenant.
#[derive(Debug, Clone, PartialEq)]
pub struct SettledTenant {
    /// Whose.
    pub tenant: Tenant,
    /// The traces that were settled, by id.
    pub records: Vec<Record>,
    /// The figures of the spans that were counted.
    pub rollup: Rollup,
}

/// The figures of a file: by tenant.
pub type Rollups = Vec<(Tenant, Rollup)>;

/// Bytes that are no settlement.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// Damaged.
    #[error("the file of a settlement is damaged: {0}")]
    Damaged(&'static str),
    /// Written by a newer clew.
    #[error("the file of a settlement has version {0}, newer than {SETTLE_VERSION} that this clew knows")]
    Newer(u32),
}

/// Where a section lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Section {
    pub(super) offset: u64,
    pub(super) stored_bytes: u64,
    plain_bytes: u64,
    checksum: u32,
}

/// Where both lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Header {
    pub(super) records: Section,
    pub(super) rollups: Section,
}

impl Records {
    /// The trace's last record, and from when it is.
    pub fn of(&self, tenant: &Tenant, id: TraceId) -> Option<(u64, &Record)> {
        self.settlements.iter().rev().find_map(|settled| {
            let (_, records) = settled.tenants.iter().find(|(owner, _)| owner == tenant)?;
            let at = records.binary_search_by_key(&id, |record| record.summary.trace_id).ok()?;
            Some((settled.through_unix_nanos, &records[at]))
        })
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.settlements.iter().flat_map(|settled| &settled.tenants).map(|(_, records)| records.len()).sum()
    }
}

/// The bytes of a file.
pub(super) fn encode(records: &Records, rollups: &Rollups) -> Vec<u8> {
    let sections = [pack(records), pack(rollups)];
    let mut out = Vec::with_capacity(HEADER_BYTES + sections.iter().map(|(stored, _)| stored.len()).sum::<usize>());
    out.extend(MAGIC);
    out.extend(SETTLE_VERSION.to_le_bytes());
    for (stored, plain_bytes) in &sections {
        out.extend((stored.len() as u64).to_le_bytes());
        out.extend(plain_bytes.to_le_bytes());
        out.extend(crc32c::crc32c(stored).to_le_bytes());
    }
    out.extend(crc32c::crc32c(&out).to_le_bytes());
    sections.into_iter().for_each(|(stored, _)| out.extend(stored));
    out
}

fn pack(value: &impl Serialize) -> (Vec<u8>, u64) {
    let plain = postcard::to_stdvec(value).expect("lists, numbers and texts have a form in postcard");
    let stored = zstd::bulk::compress(&plain, ZSTD_LEVEL).expect("zstd packs any bytes into a buffer of its own size");
    (stored, plain.len() as u64)
}

impl Header {
    /// The header at the start of a file.
    pub(super) fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
        let damaged = RecordError::Damaged("its header");
        let header: &[u8; HEADER_BYTES] = bytes.first_chunk().ok_or(damaged.clone())?;
        let number = |at: usize, length: usize| {
            header[at..at + length].iter().rev().fold(0_u64, |number, byte| number << 8 | u64::from(*byte))
        };
        let (body, end) = (&header[..HEADER_BYTES - 4], HEADER_BYTES - 4);
        if header[..8] != MAGIC || number(end, 4) != u64::from(crc32c::crc32c(body)) {
            return Err(damaged);
        }
        match number(8, 4) as u32 {
            SETTLE_VERSION => {}
            newer => return Err(RecordError::Newer(newer)),
        }
        let section = |at: usize, offset: u64| Section {
            offset,
            stored_bytes: number(at, 8),
            plain_bytes: number(at + 8, 8),
            checksum: number(at + 16, 4) as u32,
        };
        let records = section(12, HEADER_BYTES as u64);
        let rollups = section(32, (HEADER_BYTES as u64).saturating_add(records.stored_bytes));
        let most = records.plain_bytes.max(rollups.plain_bytes);
        if most > PLAIN_BYTES_MAX { Err(damaged) } else { Ok(Self { records, rollups }) }
    }
}

impl Section {
    /// What the stored bytes of the section say.
    pub(super) fn decode<T: for<'de> Deserialize<'de>>(&self, stored: &[u8]) -> Result<T, RecordError> {
        if stored.len() as u64 != self.stored_bytes || crc32c::crc32c(stored) != self.checksum {
            return Err(RecordError::Damaged("a section"));
        }
        let plain = zstd::bulk::decompress(stored, self.plain_bytes as usize);
        let plain = plain.map_err(|_| RecordError::Damaged("a section does not unpack"))?;
        postcard::from_bytes(&plain).map_err(|_| RecordError::Damaged("a section does not read"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{NOW_UNIX_NANOS, spans};

    fn file() -> (Records, Rollups) {
        let record = |number: u64| Record {
            summary: clew_model::summarize(&spans(number, 3)),
            verdict: 0,
            late_span_count: number,
            last_received_unix_nanos: NOW_UNIX_NANOS,
        };
        let tenants = vec![(Tenant::default(), vec![record(1), record(2)])];
        let settlements = vec![SettledRecords { through_unix_nanos: 7, tenants }];
        let records = Records { verdicts: vec![Verdict::keep_all()], settlements };
        (records, vec![(Tenant::default(), Rollup::of_trace(&spans(1, 3), true))])
    }

    fn decode(bytes: &[u8]) -> Result<(Records, Rollups), RecordError> {
        let header = Header::decode(bytes)?;
        let part = |section: &Section| {
            let (from, to) = (section.offset as usize, section.offset.saturating_add(section.stored_bytes) as usize);
            bytes.get(from..to).ok_or(RecordError::Damaged("its end"))
        };
        Ok((header.records.decode(part(&header.records)?)?, header.rollups.decode(part(&header.rollups)?)?))
    }

    #[test]
    fn what_is_written_is_read_back() {
        let (records, rollups) = file();
        assert_eq!(decode(&encode(&records, &rollups)), Ok((records, rollups)));
    }

    #[test]
    fn every_flipped_byte_and_every_cut_is_noticed() {
        let (records, rollups) = file();
        let bytes = encode(&records, &rollups);
        for at in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[at] ^= 0x55;
            assert!(decode(&flipped).is_err(), "byte {at}");
            assert!(decode(&bytes[..at]).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn a_record_is_found_by_tenant_and_id() {
        let (records, _) = file();
        let id = spans(2, 1)[0].trace_id;
        assert_eq!(
            records.of(&Tenant::default(), id).map(|(through, found)| (through, found.late_span_count)),
            Some((7, 2))
        );
        assert!(records.of(&Tenant::new("other").unwrap(), id).is_none());
        assert_eq!(records.count(), 2);
    }
}
