//! Sections `ids` and `fence`: which traces there are, and where their rows begin.
//!
//! The ids lie in slices of [`SLICE_IDS`], which are read alone; the fence, which is kept in memory, says which one may
//! hold an id. So what a block costs in memory is a few bytes per slice, however many traces it has.

use std::ops::Range;

use clew_model::TraceId;

use super::bytes::{self, Bytes, SideError};

/// Ids of a slice; only the last one of a tenant may have fewer.
pub const SLICE_IDS: usize = 64;

const ID_BYTES: usize = 16;
const ROW_BYTES: usize = 4;

/// A trace and its rows in the block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceRows {
    /// The trace.
    pub trace_id: TraceId,
    /// Its rows.
    pub rows: Range<u32>,
}

/// Some traces of one tenant, sorted by id, whose rows follow each other.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Slice {
    ids: Vec<TraceId>,
    /// The first row of each, and the end of the last.
    rows: Vec<u32>,
}

/// What is kept of the ids.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Fence {
    tenants: Vec<TenantFence>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct TenantFence {
    trace_count: u32,
    /// Offset of its first slice in the section.
    offset: u64,
    /// The first id of each slice, and the checksum of the slice.
    slices: Vec<(TraceId, u32)>,
}

/// Where a slice lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlicePlace {
    /// Number of its first trace among those of the tenant.
    pub first_trace: usize,
    /// Its bytes in the section.
    pub bytes: Range<u64>,
    checksum: u32,
}

/// Both sections while they grow.
#[derive(Debug, Default)]
pub(crate) struct IdsBuilder {
    ids: Vec<u8>,
    fence: Fence,
    slice: Slice,
}

impl IdsBuilder {
    /// Begins the next tenant.
    pub(crate) fn tenant(&mut self) {
        self.close_slice();
        let offset = self.ids.len() as u64;
        self.fence.tenants.push(TenantFence { offset, ..TenantFence::default() });
    }

    /// Adds a trace of that tenant, whose rows follow those of the one before.
    pub(crate) fn push(&mut self, trace_id: TraceId, rows: Range<u32>) {
        if self.slice.ids.len() == SLICE_IDS {
            self.close_slice();
        }
        if self.slice.ids.is_empty() {
            self.slice.rows.push(rows.start);
        }
        self.slice.ids.push(trace_id);
        self.slice.rows.push(rows.end);
    }

    fn close_slice(&mut self) {
        let Some(first) = self.slice.ids.first() else { return };
        let tenant = self.fence.tenants.last_mut().expect("a tenant is begun before its traces");
        let from = self.ids.len();
        bytes::make_room(&mut self.ids, self.slice.ids.len() * (ID_BYTES + ROW_BYTES) + ROW_BYTES);
        self.ids.extend(self.slice.ids.iter().flat_map(|id| id.0));
        self.ids.extend(self.slice.rows.iter().flat_map(|row| row.to_le_bytes()));
        tenant.slices.push((*first, crc32c::crc32c(&self.ids[from..])));
        tenant.trace_count += self.slice.ids.len() as u32;
        self.slice.ids.clear();
        self.slice.rows.clear();
    }

    /// The plain bytes of `ids` and of `fence`.
    pub(crate) fn finish(mut self) -> (Vec<u8>, Vec<u8>) {
        self.close_slice();
        let fence = self.fence.encode();
        (self.ids, fence)
    }
}

impl Fence {
    fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        out.extend((self.tenants.len() as u32).to_le_bytes());
        for tenant in &self.tenants {
            out.extend(tenant.trace_count.to_le_bytes());
            for (first, checksum) in &tenant.slices {
                out.extend(first.0);
                out.extend(checksum.to_le_bytes());
            }
        }
        out
    }

    /// The fence of these plain bytes.
    pub fn decode(plain: &[u8]) -> Result<Self, SideError> {
        let mut bytes = Bytes::new("fence", plain);
        let mut tenants = Vec::new();
        let mut offset = 0;
        for _ in 0..bytes.u32()? {
            let trace_count = bytes.u32()?;
            let mut slices = Vec::new();
            for _ in 0..(trace_count as usize).div_ceil(SLICE_IDS) {
                let first = bytes.take(ID_BYTES)?.try_into().expect("as many bytes as were taken");
                slices.push((TraceId(first), bytes.u32()?));
            }
            let tenant = TenantFence { trace_count, offset, slices };
            offset = tenant.offset_of(tenant.slices.len());
            tenants.push(tenant);
        }
        bytes.end()?;
        Ok(Self { tenants })
    }

    /// How many traces the tenant of that number has; tenants are in the order of [`crate::BlockMeta::tenants`].
    pub fn trace_count(&self, tenant: usize) -> usize {
        self.tenants.get(tenant).map_or(0, |tenant| tenant.trace_count as usize)
    }

    /// The slice that holds the id, if the tenant's part has it.
    pub fn slice_of(&self, tenant: usize, trace_id: TraceId) -> Option<SlicePlace> {
        let slices = &self.tenants.get(tenant)?.slices;
        let after = slices.partition_point(|(first, _)| *first <= trace_id);
        self.slice(tenant, after.checked_sub(1)?)
    }

    /// All slices of a tenant, by id.
    pub fn slices(&self, tenant: usize) -> impl Iterator<Item = SlicePlace> {
        (0..).map_while(move |slice| self.slice(tenant, slice))
    }

    fn slice(&self, tenant: usize, slice: usize) -> Option<SlicePlace> {
        let tenant = self.tenants.get(tenant)?;
        let (_, checksum) = *tenant.slices.get(slice)?;
        let bytes = tenant.offset_of(slice)..tenant.offset_of(slice + 1);
        Some(SlicePlace { first_trace: slice * SLICE_IDS, bytes, checksum })
    }

    /// How many bytes of memory it takes.
    pub fn memory_bytes(&self) -> usize {
        self.tenants.iter().map(|tenant| size_of::<TenantFence>() + tenant.slices.len() * 20).sum()
    }
}

impl TenantFence {
    /// Where a slice begins, or the end of all when it is one too far.
    fn offset_of(&self, slice: usize) -> u64 {
        let ids = (slice * SLICE_IDS).min(self.trace_count as usize);
        self.offset + (ids * (ID_BYTES + ROW_BYTES) + slice * ROW_BYTES) as u64
    }
}

impl SlicePlace {
    /// Adds the ids of the slice of these bytes, verified, and the first row of each; answers the end of the last. Whether they
    /// rise is for the caller to see.
    pub(crate) fn read_into(
        &self,
        stored: &[u8],
        ids: &mut Vec<TraceId>,
        rows: &mut Vec<u32>,
    ) -> Result<u32, SideError> {
        let mut bytes = Bytes::new("ids", stored);
        let count = stored.len().saturating_sub(ROW_BYTES) / (ID_BYTES + ROW_BYTES);
        let fits = stored.len() as u64 == self.bytes.end.saturating_sub(self.bytes.start);
        if !fits || crc32c::crc32c(stored) != self.checksum {
            return Err(bytes.problem("the checksum of a slice does not match"));
        }
        let (own, _) = bytes.take(count * ID_BYTES)?.as_chunks();
        ids.extend(own.iter().copied().map(TraceId));
        let (firsts, _) = bytes.take(count * ROW_BYTES)?.as_chunks();
        rows.extend(firsts.iter().copied().map(u32::from_le_bytes));
        let end = bytes.u32()?;
        bytes.end()?;
        Ok(end)
    }
}

impl Slice {
    /// The slice of these bytes, verified.
    pub fn decode(place: &SlicePlace, stored: &[u8]) -> Result<Self, SideError> {
        let mut slice = Self::default();
        let end = place.read_into(stored, &mut slice.ids, &mut slice.rows)?;
        slice.rows.push(end);
        let is_sorted = slice.ids.is_sorted() && slice.rows.is_sorted();
        is_sorted.then_some(slice).ok_or(Bytes::new("ids", stored).problem("a slice is not sorted"))
    }

    /// The rows of a trace, and its number in the slice.
    pub fn find(&self, trace_id: TraceId) -> Option<(usize, Range<u32>)> {
        let at = self.ids.binary_search(&trace_id).ok()?;
        Some((at, self.rows[at]..self.rows[at + 1]))
    }

    /// Its traces, by id.
    pub fn traces(&self) -> impl ExactSizeIterator<Item = TraceRows> {
        let rows = self.rows.windows(2).map(|pair| pair[0]..pair[1]);
        self.ids.iter().zip(rows).map(|(id, rows)| TraceRows { trace_id: *id, rows })
    }
}
