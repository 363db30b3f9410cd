//! The read half: one block answers the questions of a [`SpanSource`].
//!
//! A [`Block`] holds what the catalog knows of it and opens nothing; what it parses goes through a [`Cache`] that all
//! blocks share. Every byte is verified before it counts: pieces of the Parquet file and sections of the sidecar have
//! checksums. What of the sidecar is missing or damaged is made again from the Parquet file; what of that file cannot be
//! read is left out, and the answer says so. Both are remembered as the block's [`Block::damage`].

mod attributes;
mod bitmap;
mod cache;
pub(crate) mod codes;
mod column;
mod damage;
pub(crate) mod data;
mod filter;
mod footer;
mod found;
mod ids;
mod lookup;
mod matched;
mod pieces;
mod ranges;
mod remade;
pub(crate) mod rows;
mod scan;
mod side;
mod span_attribute;
mod spans;
mod stream;
#[cfg(test)]
mod tests;
mod verify;

use std::sync::Arc;

use bytes::Bytes;
use clew_model::attributes::{AttributesRequest, KeysAnswer, ValuesAnswer};
use clew_model::scan::{
    Enough, Expired, ExtentsAnswer, MatchedAnswer, MatchedRequest, NewestAnswer, RowsAnswer, ScanAnswer, ScanError,
    ScanRequest, SpanSource, SummariesAnswer, TraceVersion,
};
use clew_model::{Tenant, TraceId};

pub use self::cache::{Cache, CacheFigures};
use self::damage::Damage;
pub use self::damage::ReadError;
pub use self::ranges::Ranges;
use self::spans::Depth;
pub use self::verify::{ColumnSize, Problem, verify};
use crate::{BlockFile, BlockMeta};

/// About as many as footers have.
const FOOTER_BYTES: u64 = 128 << 10;

/// The bytes of a Bloom filter.
type Bloom = Arc<Bytes>;

/// A block that can be asked.
pub struct Block {
    meta: Arc<BlockMeta>,
    side_bytes: u64,
    pub(crate) ranges: Arc<dyn Ranges>,
    cache: Arc<Cache>,
    damage: Arc<Damage>,
}

/// Why a question got no answer, or not all of it.
#[derive(Debug)]
pub(crate) enum Fault {
    /// Its time ran out.
    Expired,
    /// Something could not be read.
    Lost(ReadError),
}

impl Block {
    /// The block of that catalog entry, whose sidecar has so many bytes. Opens nothing.
    pub fn new(meta: Arc<BlockMeta>, side_bytes: u64, ranges: Arc<dyn Ranges>, cache: Arc<Cache>) -> Self {
        Self { meta, side_bytes, ranges, cache, damage: Arc::default() }
    }

    /// The same block with a cache of its own, for whoever reads all of it once: what questions ask for stays where it is.
    /// What is found damaged is remembered by both.
    #[must_use]
    pub fn apart(&self, cache: Arc<Cache>) -> Self {
        let (meta, ranges, damage) = (Arc::clone(&self.meta), Arc::clone(&self.ranges), Arc::clone(&self.damage));
        Self { meta, side_bytes: self.side_bytes, ranges, cache, damage }
    }

    /// What the catalog knows of it.
    pub fn meta(&self) -> &Arc<BlockMeta> {
        &self.meta
    }

    /// Length of its sidecar, in bytes.
    pub fn side_bytes(&self) -> u64 {
        self.side_bytes
    }

    /// Lets the disk fetch what the first questions read of it: the sidecar and the end of the Parquet file. Opens nothing.
    pub fn announce(&self) {
        let (name, end, side) = (self.meta.name, self.meta.data_bytes, 0..self.side_bytes);
        let footer = end.saturating_sub(FOOTER_BYTES)..end;
        self.ranges.will_read(name, BlockFile::Side, &[side]);
        self.ranges.will_read(name, BlockFile::Data, &[footer]);
    }

    /// Reads into the cache what first questions want of it: all of the sidecar but its filters, and the end of the Parquet
    /// file. What cannot be read is among the damage.
    pub fn prepare(&self) {
        // Each notes its own failure, and a question makes again what it misses.
        let _ = (self.groups(), self.data(), self.stored_summaries());
        for tenant in 0..self.meta.tenants.len() {
            let _ = self.tenant_ids(tenant, &|| true);
        }
    }

    /// What was found damaged so far, each place once and by place, the first 64 of them.
    pub fn damage(&self) -> Vec<ReadError> {
        self.damage.places()
    }

    /// The tenant's number among those of the block.
    fn tenant_number(&self, tenant: &Tenant) -> Option<usize> {
        self.meta.tenants.binary_search_by(|part| part.tenant.cmp(tenant)).ok()
    }

    /// The tenant's first row and the row after its last.
    pub(crate) fn tenant_rows(&self, number: usize) -> std::ops::Range<u64> {
        let before: u64 = self.meta.tenants[..number].iter().map(|tenant| tenant.row_count).sum();
        before..before + self.meta.tenants[number].row_count
    }

    /// The number of the tenant's first trace among all of the block.
    fn first_trace(&self, number: usize) -> usize {
        self.meta.tenants[..number].iter().map(|tenant| tenant.trace_count as usize).sum()
    }
}

impl SpanSource for Block {
    /// Sorted by trace id.
    fn scan(&self, request: &ScanRequest, expired: Expired<'_>) -> Result<ScanAnswer, ScanError> {
        scan::scan(self, request, expired)
    }

    fn scan_newest(
        &self,
        request: &ScanRequest,
        enough: &Enough,
        expired: Expired<'_>,
    ) -> Result<NewestAnswer, ScanError> {
        scan::newest(self, request, enough, expired)
    }

    fn extents(&self, tenant: &Tenant, ids: &[TraceId], expired: Expired<'_>) -> Result<ExtentsAnswer, ScanError> {
        lookup::extents(self, tenant, ids, expired)
    }

    fn summaries(&self, tenant: &Tenant, ids: &[TraceId], expired: Expired<'_>) -> Result<SummariesAnswer, ScanError> {
        lookup::summaries(self, tenant, ids, expired)
    }

    /// Its name: what is in it never changes.
    fn version(&self, tenant: &Tenant, id: TraceId, expired: Expired<'_>) -> Result<Option<TraceVersion>, ScanError> {
        let Some(number) = self.tenant_number(tenant) else { return Ok(Some(TraceVersion::default())) };
        match self.find(number, id, expired) {
            Ok(place) => Ok(Some(TraceVersion(place.map(|_| (self.meta.name.0, 0)).into_iter().collect()))),
            Err(Fault::Expired) => Err(ScanError::Expired),
            Err(Fault::Lost(_)) => Ok(None),
        }
    }

    fn rows(&self, tenant: &Tenant, ids: &[TraceId], expired: Expired<'_>) -> Result<RowsAnswer, ScanError> {
        lookup::rows(self, tenant, ids, Depth::Whole, expired)
    }

    fn outlines(&self, tenant: &Tenant, ids: &[TraceId], expired: Expired<'_>) -> Result<RowsAnswer, ScanError> {
        lookup::rows(self, tenant, ids, Depth::Outline, expired)
    }

    fn figured(&self, tenant: &Tenant, ids: &[TraceId], expired: Expired<'_>) -> Result<RowsAnswer, ScanError> {
        lookup::rows(self, tenant, ids, Depth::Figures, expired)
    }

    fn matched(&self, request: &MatchedRequest<'_>, expired: Expired<'_>) -> Result<MatchedAnswer, ScanError> {
        matched::matched(self, request, expired)
    }

    /// Fails when neither the sidecar nor all rows can be read.
    fn services(&self, tenant: &Tenant) -> Result<Vec<String>, ScanError> {
        let Some(number) = self.tenant_number(tenant) else { return Ok(Vec::new()) };
        let names = self.known_names(&|| false).map_err(Fault::into_scan)?;
        Ok(names.services_of(number).into_iter().map(str::to_owned).collect())
    }

    /// Fails when neither the sidecar nor all rows can be read.
    fn operations(&self, tenant: &Tenant, service: &str) -> Result<Vec<String>, ScanError> {
        let Some(number) = self.tenant_number(tenant) else { return Ok(Vec::new()) };
        let names = self.known_names(&|| false).map_err(Fault::into_scan)?;
        Ok(names.operations_of(number, service).into_iter().map(str::to_owned).collect())
    }

    fn attribute_keys(&self, request: &AttributesRequest, expired: Expired<'_>) -> Result<KeysAnswer, ScanError> {
        attributes::keys(self, request, expired)
    }

    fn attribute_values(
        &self,
        key: &str,
        request: &AttributesRequest,
        expired: Expired<'_>,
    ) -> Result<ValuesAnswer, ScanError> {
        attributes::values(self, key, request, expired)
    }

    fn tenants(&self) -> Result<Vec<Tenant>, ScanError> {
        Ok(self.meta.tenants.iter().map(|part| part.tenant.clone()).collect())
    }
}

impl From<ReadError> for Fault {
    fn from(error: ReadError) -> Self {
        Self::Lost(error)
    }
}

impl Fault {
    /// As the failure of a question that has no way to say that something is missing.
    fn into_scan(self) -> ScanError {
        match self {
            Self::Expired => ScanError::Expired,
            Self::Lost(error) => ScanError::Storage(error.to_string()),
        }
    }
}

impl std::fmt::Debug for Block {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Block").field("name", &self.meta.name).finish_non_exhaustive()
    }
}
