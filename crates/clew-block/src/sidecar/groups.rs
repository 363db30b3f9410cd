//! Section `groups`: what each row group of the Parquet file holds, so that a question passes over most of them.

use std::ops::Range;

use clew_model::scan::AttributeScope;

use super::bytes::{self, Bytes, SideError};
use super::names::Names;
use crate::AttributeType;

const HAS_ZONE: u8 = 1;
const HAS_ODD: u8 = 2;

/// The row groups, in their order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Groups {
    /// How many rows each of [`Group::durations_nanos`] is about.
    pub zone_rows: u32,
    /// One for each.
    pub groups: Vec<Group>,
}

/// What a row group holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Group {
    /// Its rows.
    pub row_count: u32,
    /// The times of its spans, those with odd times left out; `None` when there are no others.
    pub zone: Option<Zone>,
    /// Whether spans with odd times are in it.
    pub has_odd: bool,
    /// Its shortest and longest span, in nanoseconds.
    pub duration_nanos: (u64, u64),
    /// The same of each [`Groups::zone_rows`] of its rows; the last ones may be fewer.
    pub durations_nanos: Vec<(u64, u64)>,
    /// Failed spans.
    pub error_count: u32,
    /// Its services: rising numbers of [`Names::services`].
    pub services: Vec<u32>,
    /// The keys of its spans, their resources and scopes: rising numbers of [`Names::keys`].
    pub keys: Vec<u32>,
    /// Its filter's bytes in the section `blooms`.
    pub bloom: Range<u64>,
    /// CRC32C of the filter's bytes.
    pub bloom_checksum: u32,
}

/// A range of times, both ends in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Zone {
    /// First start, in unix nanoseconds.
    pub start_unix_nanos: u64,
    /// Last end, in unix nanoseconds.
    pub end_unix_nanos: u64,
}

impl Groups {
    /// The section's plain bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        bytes::varint(&mut out, u64::from(self.zone_rows));
        bytes::varint(&mut out, self.groups.len() as u64);
        for group in &self.groups {
            out.extend(group.row_count.to_le_bytes());
            out.push(HAS_ZONE * u8::from(group.zone.is_some()) + HAS_ODD * u8::from(group.has_odd));
            let zone = group.zone.unwrap_or(Zone { start_unix_nanos: 0, end_unix_nanos: 0 });
            let (shortest, longest) = group.duration_nanos;
            let numbers = [zone.start_unix_nanos, zone.end_unix_nanos, shortest, longest];
            out.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
            out.extend(group.error_count.to_le_bytes());
            bytes::rising(&mut out, &group.services);
            bytes::rising(&mut out, &group.keys);
            out.extend(group.bloom.start.to_le_bytes());
            out.extend(group.bloom.end.to_le_bytes());
            out.extend(group.bloom_checksum.to_le_bytes());
            for (shortest, longest) in &group.durations_nanos {
                bytes::varint(&mut out, *shortest);
                bytes::varint(&mut out, longest.wrapping_sub(*shortest));
            }
        }
        out
    }

    /// The section of these plain bytes.
    pub fn decode(plain: &[u8], names: &Names) -> Result<Self, SideError> {
        let mut bytes = Bytes::new("groups", plain);
        let zone_rows = bytes.varint_u32()?;
        if zone_rows == 0 {
            return Err(bytes.problem("zones have no rows"));
        }
        let count = bytes.count(4 + 1 + 4 * 8 + 4 + 1 + 1 + 20)?;
        let groups = (0..count).map(|_| Group::decode(&mut bytes, names, zone_rows)).collect::<Result<_, _>>()?;
        bytes.end()?;
        Ok(Self { zone_rows, groups })
    }
}

impl Group {
    fn decode(bytes: &mut Bytes<'_>, names: &Names, zone_rows: u32) -> Result<Self, SideError> {
        let (row_count, flags) = (bytes.u32()?, bytes.u8()?);
        let zone = Zone { start_unix_nanos: bytes.u64()?, end_unix_nanos: bytes.u64()? };
        let mut group = Self {
            row_count,
            zone: (flags & HAS_ZONE != 0).then_some(zone),
            has_odd: flags & HAS_ODD != 0,
            duration_nanos: (bytes.u64()?, bytes.u64()?),
            durations_nanos: Vec::new(),
            error_count: bytes.u32()?,
            services: bytes.rising(names.services.len())?,
            keys: bytes.rising(names.keys.len())?,
            bloom: bytes.u64()?..bytes.u64()?,
            bloom_checksum: bytes.u32()?,
        };
        // As many as the rest can hold at most, whatever the number of rows says.
        for _ in 0..row_count.div_ceil(zone_rows) {
            let shortest = bytes.varint()?;
            group.durations_nanos.push((shortest, shortest.wrapping_add(bytes.varint()?)));
        }
        let is_range = group.bloom.start <= group.bloom.end;
        if is_range { Ok(group) } else { Err(bytes.problem("a filter ends before it begins")) }
    }

    /// The types that a key's values have in it.
    pub fn types_of(&self, names: &Names, scope: AttributeScope, key: &str) -> Vec<AttributeType> {
        let mut types: Vec<_> = (names.keys.iter().enumerate())
            .filter(|(_, known)| known.key == key && (scope == AttributeScope::Any || known.scope == scope))
            .filter(|(code, _)| self.keys.binary_search(&(*code as u32)).is_ok())
            .map(|(_, known)| known.value_type)
            .collect();
        types.sort_unstable();
        types.dedup();
        types
    }
}
