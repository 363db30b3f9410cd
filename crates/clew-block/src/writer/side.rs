//! The sidecar of the block under way.

use std::collections::{BTreeMap, HashMap};
use std::hash::BuildHasher;
use std::ops::Range;

use clew_model::scan::Extent;
use clew_model::{Summary, Tenant, TraceId, Verdict};
use foldhash::fast::FixedState;
use hashbrown::HashTable;

use super::group::Finished;
use super::layout::Layout;
use crate::meta::{BlockMeta, TenantMeta};
use crate::sidecar::bloom::Bloom;
use crate::sidecar::ids::IdsBuilder;
use crate::sidecar::traces::TracesBuilder;
use crate::sidecar::verdicts::VerdictsBuilder;
use crate::sidecar::{
    Codec, Dropped, Group, Groups, Key, Names, Operation, Packed, Requests, SectionId, SideBytes, Sums, TraceSummary,
};

/// Everything but the Parquet file. Services and operations have provisional numbers until the end.
#[derive(Debug, Default)]
pub(super) struct SideBuilder {
    ids: IdsBuilder,
    traces: TracesBuilder,
    service_sets: Vec<Vec<u32>>,
    set_numbers: HashMap<Vec<u32>, u32>,
    operations: Vec<Operation>,
    operation_numbers: HashTable<u32>,
    hasher: FixedState,
    tenants: Vec<TenantMeta>,
    /// Of each tenant, which operations it has.
    tenant_operations: Vec<Vec<bool>>,
    groups: Vec<Finished>,
    blooms: Vec<u8>,
    verdicts: VerdictsBuilder,
    /// Rows of traces that are not to be kept.
    dropped_row_count: u64,
    /// Traces that were left out.
    dropped: Option<Dropped>,
}

impl SideBuilder {
    /// Begins the next tenant, with its first row's time of receipt and its first trace's extent.
    pub(super) fn tenant(&mut self, tenant: &Tenant, received_unix_nanos: u64, extent: Extent) {
        self.ids.tenant();
        self.tenants.push(TenantMeta {
            tenant: tenant.clone(),
            row_count: 0,
            trace_count: 0,
            received_unix_nanos: (received_unix_nanos, received_unix_nanos),
            extent,
            has_odd_traces: false,
        });
        self.tenant_operations.push(vec![false; self.operations.len()]);
    }

    /// The number of an operation of the tenant under way.
    pub(super) fn operation(&mut self, service: u32, name: &[u8]) -> u32 {
        let hash = |service: u32, name: &[u8]| self.hasher.hash_one((service, name));
        let operations = &mut self.operations;
        let known = self.operation_numbers.find(hash(service, name), |number| {
            let operation = &operations[*number as usize];
            operation.service == service && operation.name.as_bytes() == name
        });
        let number = known.copied().unwrap_or_else(|| {
            let number = operations.len() as u32;
            operations.push(Operation { service, name: String::from_utf8_lossy(name).into_owned() });
            self.operation_numbers.insert_unique(hash(service, name), number, |number| {
                let operation = &operations[*number as usize];
                hash(operation.service, operation.name.as_bytes())
            });
            number
        });
        if let Some(of_tenant) = self.tenant_operations.last_mut() {
            if of_tenant.len() <= number as usize {
                of_tenant.resize(number as usize + 1, false);
            }
            of_tenant[number as usize] = true;
        }
        number
    }

    /// Notes when a row was received.
    pub(super) fn received(&mut self, unix_nanos: u64) {
        if let Some(tenant) = self.tenants.last_mut() {
            let (first, last) = tenant.received_unix_nanos;
            tenant.received_unix_nanos = (first.min(unix_nanos), last.max(unix_nanos));
        }
    }

    /// Says what was decided about the next trace.
    pub(super) fn verdict(&mut self, verdict: Option<&Verdict>, row_count: usize) {
        self.verdicts.push(verdict);
        if verdict.is_some_and(|verdict| !verdict.keep) {
            self.dropped_row_count += row_count as u64;
        }
    }

    /// Rows of traces that are not to be kept.
    pub(super) fn dropped_row_count(&self) -> u64 {
        self.dropped_row_count
    }

    /// Says which traces were left out.
    pub(super) fn dropped(&mut self, dropped: Option<Dropped>) {
        self.dropped = dropped;
    }

    /// Adds a trace of the tenant under way, whose services are sorted; their set gets its number here.
    pub(super) fn trace(&mut self, trace_id: TraceId, rows: Range<u32>, services: &[u32], trace: TraceSummary) {
        if let Some(tenant) = self.tenants.last_mut() {
            tenant.row_count += u64::from(rows.end - rows.start);
            tenant.trace_count += 1;
            tenant.extent = tenant.extent.merge(trace.extent);
            tenant.has_odd_traces |= trace.extent.is_odd;
        }
        self.ids.push(trace_id, rows);
        let sets = &mut self.service_sets;
        let service_set = self.set_numbers.get(services).copied().unwrap_or_else(|| {
            let number = sets.len() as u32;
            sets.push(services.to_vec());
            self.set_numbers.insert(services.to_vec(), number);
            number
        });
        self.traces.push(&TraceSummary { service_set, ..trace });
    }

    /// A whole summary, with numbers for its names.
    pub(super) fn numbered(&mut self, layout: &Layout, summary: &Summary, extent: Extent) -> TraceSummary {
        let root = summary.root.clone().unwrap_or_default();
        let service = layout.services.binary_search(&root.service).unwrap_or(0) as u32;
        TraceSummary {
            extent,
            root_operation: self.operation(service, root.operation.as_bytes()),
            root_span_id: root.span_id,
            span_count: summary.span_count as u32,
            error_count: summary.error_count as u32,
            root_seen: summary.root_seen,
            service_set: 0,
        }
    }

    /// Adds a finished row group and its filter.
    pub(super) fn group(&mut self, (mut finished, bloom): (Finished, Bloom)) {
        let from = self.blooms.len();
        bloom.encode(&mut self.blooms);
        finished.group.bloom = from as u64..self.blooms.len() as u64;
        finished.group.bloom_checksum = crc32c::crc32c(&self.blooms[from..]);
        self.groups.push(finished);
    }

    /// The tenants, which the caller puts into the block's meta.
    pub(super) fn take_tenants(&mut self) -> Vec<TenantMeta> {
        std::mem::take(&mut self.tenants)
    }

    /// The bytes of the sidecar.
    pub(super) fn finish(
        mut self,
        layout: &Layout,
        meta: &BlockMeta,
        sums: &Sums,
        requests: &Requests,
        zone_rows: usize,
    ) -> SideBytes {
        let verdicts = std::mem::take(&mut self.verdicts).finish();
        let (traces, mut service_sets) = (std::mem::take(&mut self.traces), std::mem::take(&mut self.service_sets));
        let (names, numbers) = self.number_names(layout);
        for set in &mut service_sets {
            for service in set {
                *service = numbers.services[*service as usize];
            }
        }
        let traces = traces.encode(&service_sets, &numbers.operations);
        let groups = self.groups.iter().map(|finished| {
            let services = finished.services.iter().map(|service| numbers.services[*service as usize]);
            let mut keys: Vec<u32> = finished.keys.iter().map(|key| numbers.keys[&key.order()]).collect();
            keys.sort_unstable();
            keys.dedup();
            Group { services: services.collect(), keys, ..finished.group.clone() }
        });
        let groups = Groups { zone_rows: zone_rows as u32, groups: groups.collect() };
        let (groups, names) = (groups.encode(), names.encode());
        // Packed and let go one after the other: some are as large as all else in memory.
        let (plain, zstd) = (Codec::Plain, Codec::Zstd);
        let packed_traces = Packed::new(SectionId::Traces, zstd, traces);
        let packed_verdicts = verdicts.map(|verdicts| Packed::new(SectionId::Verdicts, zstd, verdicts.encode()));
        let (ids, fence) = self.ids.finish();
        let meta = serde_json::to_vec(meta).expect("names and numbers are always JSON");
        let mut sections = vec![
            Packed::new(SectionId::Meta, plain, meta),
            Packed::new(SectionId::Fence, plain, fence),
            Packed::new(SectionId::Groups, zstd, groups),
            Packed::new(SectionId::Names, zstd, names),
            Packed::new(SectionId::Sums, plain, sums.encode()),
            Packed::new(SectionId::Requests, plain, requests.encode()),
        ];
        sections.extend(packed_verdicts);
        sections.extend(self.dropped.map(|dropped| Packed::new(SectionId::Dropped, plain, dropped.encode())));
        sections.push(packed_traces);
        sections.push(Packed::new(SectionId::Ids, plain, ids));
        sections.push(Packed::new(SectionId::Blooms, plain, self.blooms));
        SideBytes::of(sections)
    }

    /// All names, sorted, and what the provisional numbers become. Services keep their order, which was sorted.
    fn number_names(&self, layout: &Layout) -> (Names, Numbers<'_>) {
        let mut is_used = vec![false; layout.services.len()];
        self.operations.iter().for_each(|operation| is_used[operation.service as usize] = true);
        let mut names = Names::default();
        let mut numbers = Numbers { services: vec![0; is_used.len()], ..Numbers::default() };
        for (at, service) in layout.services.iter().enumerate().filter(|(at, _)| is_used[*at]) {
            numbers.services[at] = names.services.len() as u32;
            names.services.push(service.clone());
        }
        let mut order: Vec<u32> = (0..self.operations.len() as u32).collect();
        order.sort_unstable_by_key(|at| &self.operations[*at as usize]);
        numbers.operations = vec![0; order.len()];
        for at in order {
            let Operation { service, name } = &self.operations[at as usize];
            numbers.operations[at as usize] = names.operations.len() as u32;
            names.operations.push(Operation { service: numbers.services[*service as usize], name: name.clone() });
        }
        for operations in &self.tenant_operations {
            let there = operations.iter().enumerate().filter(|(_, is_there)| **is_there);
            let mut there: Vec<u32> = there.map(|(at, _)| numbers.operations[at]).collect();
            there.sort_unstable();
            names.tenants.push(there);
        }
        let keys: BTreeMap<_, &Key> =
            self.groups.iter().flat_map(|group| &group.keys).map(|key| (key.order(), key)).collect();
        names.keys = keys.values().map(|key| (*key).clone()).collect();
        numbers.keys = keys.into_keys().zip(0..).collect();
        (names, numbers)
    }
}

/// The final numbers, by provisional ones.
#[derive(Debug, Default)]
struct Numbers<'k> {
    services: Vec<u32>,
    operations: Vec<u32>,
    keys: BTreeMap<(u8, &'k str, crate::AttributeType), u32>,
}
