//! What a catalog keeps of a block, and the block's sidecar says of itself.

use std::fmt;
use std::ops::Range;

use clew_model::Tenant;
use clew_model::scan::Extent;
use serde::{Deserialize, Serialize};

/// A block's number, from which its files have their names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BlockName(pub u64);

/// One of the two files of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BlockFile {
    /// The Parquet file.
    Data,
    /// The sidecar.
    Side,
}

/// What is known of a block without reading it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BlockMeta {
    /// Its name.
    pub name: BlockName,
    /// How often its spans were merged: 0 as sealed.
    pub level: u8,
    /// The positions of the log that it covers, from and to.
    pub log: Range<u64>,
    /// When it was made, in unix nanoseconds.
    pub created_unix_nanos: u64,
    /// Spans in it.
    pub row_count: u64,
    /// Length of its Parquet file.
    pub data_bytes: u64,
    /// Rows of traces that are not to be kept for long.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub dropped_row_count: u64,
    /// Whose spans, by name; their rows and traces follow each other.
    pub tenants: Vec<TenantMeta>,
    /// Blocks that it stands in place of. Should both be found without a catalog, these count no more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub replaces: Vec<BlockName>,
}

/// One tenant's part of a block.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TenantMeta {
    /// Whose.
    pub tenant: Tenant,
    /// How many rows.
    pub row_count: u64,
    /// How many traces.
    pub trace_count: u64,
    /// First and last receive time, in unix nanoseconds.
    pub received_unix_nanos: (u64, u64),
    /// From first start to last end of its traces; traces that have only odd times are left out unless there are no others.
    #[serde(with = "extent")]
    pub extent: Extent,
    /// Whether any trace has only odd times: no range excludes it.
    pub has_odd_traces: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// An extent in the words of the rest of the document.
mod extent {
    use clew_model::scan::Extent;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    #[serde(rename_all = "camelCase", deny_unknown_fields)]
    struct Shape {
        start_unix_nanos: u64,
        end_unix_nanos: u64,
        is_odd: bool,
    }

    pub(super) fn serialize<S: Serializer>(extent: &Extent, serializer: S) -> Result<S::Ok, S::Error> {
        let Extent { start_unix_nanos, end_unix_nanos, is_odd } = *extent;
        Shape { start_unix_nanos, end_unix_nanos, is_odd }.serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Extent, D::Error> {
        let Shape { start_unix_nanos, end_unix_nanos, is_odd } = Shape::deserialize(deserializer)?;
        Ok(Extent { start_unix_nanos, end_unix_nanos, is_odd })
    }
}

impl BlockName {
    /// The name of one of its files.
    pub fn file_name(self, file: BlockFile) -> String {
        match file {
            BlockFile::Data => format!("{self}.parquet"),
            BlockFile::Side => format!("{self}.side"),
        }
    }

    /// The block and the file of that name; `None` for files that are not a block's.
    pub fn of_file(name: &str) -> Option<(Self, BlockFile)> {
        let (digits, extension) = name.split_once('.')?;
        let file = match extension {
            "parquet" => BlockFile::Data,
            "side" => BlockFile::Side,
            _ => return None,
        };
        let number = u64::from_str_radix(digits, 16).ok()?;
        (Self(number).to_string() == digits).then_some((Self(number), file))
    }
}

impl fmt::Display for BlockName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl BlockMeta {
    /// The part of a tenant.
    pub fn tenant(&self, tenant: &Tenant) -> Option<&TenantMeta> {
        let at = self.tenants.binary_search_by(|part| part.tenant.cmp(tenant)).ok()?;
        self.tenants.get(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_names_are_read_back_and_others_are_not_ours() {
        let name = BlockName(0x2a);
        for file in [BlockFile::Data, BlockFile::Side] {
            assert_eq!(BlockName::of_file(&name.file_name(file)), Some((name, file)));
        }
        for other in
            ["2a.parquet", "000000000000002A.side", "000000000000002a.tmp", "next.tmp", "+00000000000002a.side"]
        {
            assert_eq!(BlockName::of_file(other), None, "{other}");
        }
    }
}
