//! What a settlement says, in bytes; `docs/format.md` draws them. A file has two sections, since who reads figures reads no
//! records: each is postcard, packed with zstd, behind a checksum. Its header says what a catalog would have to know of it.

use clew_model::{Summary, Tenant, TraceId, Verdict};
use clew_rollup::Rollup;
use serde::{Deserialize, Serialize};

/// What a file begins with.
const MAGIC: [u8; 8] = *b"clew stl";

/// The newest version known here.
pub const SETTLE_VERSION: u32 = 1;

/// Magic, version, the facts, then of both sections the stored length, the plain length and the checksum, then the header's
/// checksum.
pub(super) const HEADER_BYTES: usize = 8 + 4 + 4 * 8 + 2 * (8 + 8 + 4) + 4;

/// Where the sections are told.
const SECTIONS_AT: usize = 8 + 4 + 4 * 8;

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
    /// By tenant and trace id, each with its number. Numbers rise; those of records that were deleted are left out.
    pub tenants: Vec<(Tenant, Vec<(u64, Record)>)>,
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

/// What a file says of itself, beside what it holds: enough to take it in when no catalog names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Facts {
    /// The number of the first record that was ever in it, or in those that it was merged from.
    pub first_sequence: u64,
    /// How many numbers are its records'. Fewer records may be left.
    pub record_count: u64,
    /// What was received before is counted, of the traces in it; of several settlements, the latest.
    pub through_unix_nanos: u64,
    /// All that was received before was counted, once it was made.
    pub watermark_unix_nanos: u64,
}

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

/// The facts, and where both sections lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Header {
    pub(super) facts: Facts,
    pub(super) records: Section,
    pub(super) rollups: Section,
}

impl Records {
    /// The trace's last record, and from when it is.
    pub fn of(&self, tenant: &Tenant, id: TraceId) -> Option<(u64, &Record)> {
        self.settlements.iter().rev().find_map(|settled| {
            let (_, records) = settled.tenants.iter().find(|(owner, _)| owner == tenant)?;
            let at = records.binary_search_by_key(&id, |(_, record)| record.summary.trace_id).ok()?;
            Some((settled.through_unix_nanos, &records[at].1))
        })
    }

    /// All records with their numbers, tenants and when they were settled, in the order of their numbers.
    pub fn iter(&self) -> impl Iterator<Item = (u64, &Tenant, u64, &Record)> {
        let all = self.settlements.iter().flat_map(|settled| {
            settled.tenants.iter().map(|(tenant, records)| (settled.through_unix_nanos, tenant, records))
        });
        all.flat_map(|(through, tenant, records)| {
            records.iter().map(move |(number, record)| (*number, tenant, through, record))
        })
    }

    /// The verdict of a record.
    pub fn verdict(&self, record: &Record) -> Option<&Verdict> {
        self.verdicts.get(usize::from(record.verdict))
    }

    /// Adds settlements that come after those that are here, and of which `keeps` names the records that are to stay.
    pub fn append(&mut self, later: Self, keeps: impl Fn(u64, &Tenant, &Record) -> bool) {
        let codes: Vec<u16> = later.verdicts.into_iter().map(|verdict| code_of(&mut self.verdicts, verdict)).collect();
        for mut settled in later.settlements {
            let through = settled.through_unix_nanos;
            for (tenant, records) in &mut settled.tenants {
                records.retain_mut(|(_, record)| {
                    record.verdict = codes.get(usize::from(record.verdict)).copied().unwrap_or_default();
                    keeps(through, tenant, record)
                });
            }
            settled.tenants.retain(|(_, records)| !records.is_empty());
            if !settled.tenants.is_empty() {
                self.settlements.push(settled);
            }
        }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.settlements.iter().flat_map(|settled| &settled.tenants).map(|(_, records)| records.len()).sum()
    }
}

/// The number of a verdict in a list, which may grow by it.
pub(super) fn code_of(verdicts: &mut Vec<Verdict>, verdict: Verdict) -> u16 {
    if let Some(known) = verdicts.iter().position(|known| *known == verdict) {
        return known as u16;
    }
    // Of a judge with so many words the last traces are kept, which one place is left for.
    let keep_all = Verdict::keep_all();
    if verdicts.len() + 1 >= usize::from(u16::MAX) && verdict != keep_all {
        return code_of(verdicts, keep_all);
    }
    verdicts.push(verdict);
    (verdicts.len() - 1) as u16
}

/// The bytes of a file, and how many of them are its records.
pub(super) fn encode(facts: Facts, records: &Records, rollups: &Rollups) -> (Vec<u8>, u64) {
    let sections = [pack(records), pack(rollups)];
    let mut out = Vec::with_capacity(HEADER_BYTES + sections.iter().map(|(stored, _)| stored.len()).sum::<usize>());
    out.extend(MAGIC);
    out.extend(SETTLE_VERSION.to_le_bytes());
    let Facts { first_sequence, record_count, through_unix_nanos, watermark_unix_nanos } = facts;
    for fact in [first_sequence, record_count, through_unix_nanos, watermark_unix_nanos] {
        out.extend(fact.to_le_bytes());
    }
    for (stored, plain_bytes) in &sections {
        out.extend((stored.len() as u64).to_le_bytes());
        out.extend(plain_bytes.to_le_bytes());
        out.extend(crc32c::crc32c(stored).to_le_bytes());
    }
    out.extend(crc32c::crc32c(&out).to_le_bytes());
    let record_bytes = sections[0].0.len() as u64;
    for (stored, _) in sections {
        out.extend(stored);
    }
    (out, record_bytes)
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
        let fact = |at: usize| number(12 + at * 8, 8);
        let facts = Facts {
            first_sequence: fact(0),
            record_count: fact(1),
            through_unix_nanos: fact(2),
            watermark_unix_nanos: fact(3),
        };
        let records = section(SECTIONS_AT, HEADER_BYTES as u64);
        let rollups = section(SECTIONS_AT + 20, (HEADER_BYTES as u64).saturating_add(records.stored_bytes));
        let most = records.plain_bytes.max(rollups.plain_bytes);
        // No number that is given is near the end, so that sums of them stay numbers.
        let is_sound = most <= PLAIN_BYTES_MAX && facts.first_sequence.max(facts.record_count) < 1 << 62;
        if is_sound { Ok(Self { facts, records, rollups }) } else { Err(damaged) }
    }

    /// How long the file is.
    pub(super) fn file_bytes(&self) -> u64 {
        self.rollups.offset.saturating_add(self.rollups.stored_bytes)
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
        let tenants = vec![(Tenant::default(), vec![(30, record(1)), (31, record(2))])];
        let settlements = vec![SettledRecords { through_unix_nanos: 7, tenants }];
        let records = Records { verdicts: vec![Verdict::keep_all()], settlements };
        (records, vec![(Tenant::default(), Rollup::of_trace(&spans(1, 3), true))])
    }

    const FACTS: Facts = Facts { first_sequence: 30, record_count: 2, through_unix_nanos: 7, watermark_unix_nanos: 5 };

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
        let (bytes, record_bytes) = encode(FACTS, &records, &rollups);
        let header = Header::decode(&bytes).unwrap();
        assert_eq!((header.facts, header.records.stored_bytes), (FACTS, record_bytes));
        assert_eq!(header.file_bytes(), bytes.len() as u64);
        assert_eq!(decode(&bytes), Ok((records, rollups)));
    }

    #[test]
    fn every_flipped_byte_and_every_cut_is_noticed() {
        let (records, rollups) = file();
        let (bytes, _) = encode(FACTS, &records, &rollups);
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

    #[test]
    fn settlements_are_appended_with_their_own_verdicts_and_without_what_is_not_kept() {
        let (mut records, _) = file();
        let (mut later, _) = file();
        let drops = Verdict { keep: false, ..Verdict::keep_all() };
        later.verdicts = vec![drops.clone(), Verdict::keep_all()];
        later.settlements[0].through_unix_nanos = 9;
        later.settlements[0].tenants[0].1[1].1.verdict = 1;
        let id = |number| spans(number, 1)[0].trace_id;
        records.append(later.clone(), |through, _, _| through != 9);
        assert_eq!((records.count(), records.settlements.len()), (2, 1));
        records.append(later, |_, tenant, record| *tenant == Tenant::default() && record.summary.trace_id == id(1));
        let all: Vec<_> =
            records.iter().map(|(number, _, through, record)| (number, through, record.verdict)).collect();
        assert_eq!(all, [(30, 7, 0), (31, 7, 0), (30, 9, 1)]);
        let (_, record) = records.of(&Tenant::default(), id(1)).unwrap();
        assert_eq!(records.verdict(record), Some(&drops));
    }
}
