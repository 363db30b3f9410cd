//! What of the sidecar is lost, made again from the Parquet file: slow, once, and kept in the cache like the original.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use clew_model::scan::{Expired, Extent};
use clew_model::{Span, TraceId, summarize};

use super::bitmap::Bitmap;
use super::cache::Part;
use super::side::names_bytes;
use super::{Block, Fault};
use crate::sidecar::ids::{IdsBuilder, SlicePlace};
use crate::sidecar::{Fence, Names, Operation, SideError, Slice, Summaries, TraceSummary, Traces};

/// Ids and fence.
pub(super) struct RemadeIds {
    pub(super) fence: Fence,
    ids: Vec<u8>,
}

/// Names, without those of keys, and summaries.
pub(super) struct Remade {
    pub(super) names: Arc<Names>,
    pub(super) summaries: Arc<Summaries>,
}

impl RemadeIds {
    pub(super) fn slice(&self, place: &SlicePlace) -> Result<Slice, SideError> {
        let bytes = self.ids.get(place.bytes.start as usize..place.bytes.end as usize);
        Slice::decode(place, bytes.unwrap_or_default())
    }
}

impl Block {
    /// The ids, from the column of trace ids.
    pub(super) fn remade_ids(&self, expired: Expired<'_>) -> Result<Arc<RemadeIds>, Fault> {
        self.cache.get(self.meta.name, Part::RemadeIds, || {
            let data = self.data()?;
            let mut builder = IdsBuilder::default();
            for tenant in 0..self.meta.tenants.len() {
                builder.tenant();
                let (mut last, mut first_row, mut row) = (None, 0, 0);
                for (group, rows) in data.parts(self.tenant_rows(tenant)) {
                    if expired() {
                        return Err(Fault::Expired);
                    }
                    let map = Bitmap::of_range(data.footer.row_count(group), rows);
                    let base = data.footer.first_rows[group] as u32;
                    let result = data.for_each(group, "trace_id", &map, |at, page, value| {
                        row = base + at as u32;
                        let id = TraceId(page.bytes(value).try_into().unwrap_or_default());
                        if last != Some(id) {
                            if let Some(last) = last {
                                builder.push(last, first_row..row);
                            }
                            (last, first_row) = (Some(id), row);
                        }
                    });
                    self.noting(result)?;
                }
                if let Some(last) = last {
                    builder.push(last, first_row..row + 1);
                }
            }
            let (ids, fence) = builder.finish();
            let fence = Fence::decode(&fence).map_err(|err| self.side_error((0, 0), &err))?;
            let bytes = ids.len() + fence.memory_bytes();
            Ok((RemadeIds { fence, ids }, bytes as u64))
        })
    }

    /// Names, from the sidecar or from the rows.
    pub(super) fn known_names(&self, expired: Expired<'_>) -> Result<Arc<Names>, Fault> {
        match self.names() {
            Ok(names) if names.tenants.len() == self.meta.tenants.len() => Ok(names),
            _ => Ok(Arc::clone(&self.remade(expired)?.names)),
        }
    }

    /// Summaries and the names in them, from the sidecar or from the rows.
    pub(super) fn known_summaries(&self, expired: Expired<'_>) -> Result<(Arc<Summaries>, Arc<Names>), Fault> {
        let count = self.first_trace(self.meta.tenants.len());
        match (self.stored_summaries(), self.names()) {
            (Ok(summaries), Ok(names)) if summaries.extents().len() == count => Ok((summaries, names)),
            _ => {
                let remade = self.remade(expired)?;
                Ok((Arc::clone(&remade.summaries), Arc::clone(&remade.names)))
            }
        }
    }

    pub(super) fn remade(&self, expired: Expired<'_>) -> Result<Arc<Remade>, Fault> {
        self.cache.get(self.meta.name, Part::Remade, || {
            let mut making = Making::default();
            for tenant in 0..self.meta.tenants.len() {
                making.tenants.push(BTreeSet::new());
                let lost = self.stream(tenant, expired, &mut |_, spans| {
                    making.push(&spans);
                    Ok::<_, Fault>(())
                })?;
                if let Some(lost) = lost.into_iter().next() {
                    return Err(Fault::Lost(lost));
                }
            }
            let remade = making.finish();
            let bytes = names_bytes(&remade.names) + remade.summaries.memory_bytes();
            Ok((remade, bytes as u64))
        })
    }
}

/// Names and summaries while they grow; names have numbers by their first appearance.
#[derive(Default)]
struct Making {
    services: HashMap<String, u32>,
    operations: HashMap<(u32, String), u32>,
    sets: HashMap<Vec<u32>, u32>,
    tenants: Vec<BTreeSet<u32>>,
    traces: Vec<TraceSummary>,
}

impl Making {
    /// Adds all spans of a trace.
    fn push(&mut self, spans: &[Span]) {
        for span in spans {
            let operation = self.operation(span.service(), &span.name);
            self.tenants.last_mut().expect("a tenant is begun before its traces").insert(operation);
        }
        let summary = summarize(spans);
        let Some(root) = summary.root else { return };
        let Some(extent) = spans.iter().map(Extent::of).reduce(Extent::merge) else { return };
        let set = summary.services.iter().map(|service| self.service(service)).collect();
        let (next, root_operation) = (self.sets.len() as u32, self.operation(&root.service, &root.operation));
        self.traces.push(TraceSummary {
            extent,
            root_operation,
            root_span_id: root.span_id,
            span_count: summary.span_count as u32,
            error_count: summary.error_count as u32,
            root_seen: summary.root_seen,
            service_set: *self.sets.entry(set).or_insert(next),
        });
    }

    fn service(&mut self, name: &str) -> u32 {
        let next = self.services.len() as u32;
        if let Some(known) = self.services.get(name) {
            return *known;
        }
        self.services.insert(name.to_owned(), next);
        next
    }

    fn operation(&mut self, service: &str, name: &str) -> u32 {
        let (service, next) = (self.service(service), self.operations.len() as u32);
        *self.operations.entry((service, name.to_owned())).or_insert(next)
    }

    /// With numbers in the order of the names.
    fn finish(self) -> Remade {
        let (services, service_codes) = ranked(self.services);
        let operations = self.operations.into_iter();
        let operations = operations
            .map(|((service, name), code)| (Operation { service: service_codes[service as usize], name }, code));
        let (operations, codes) = ranked(operations.collect());
        let recoded = |operations: BTreeSet<u32>| {
            let mut operations: Vec<u32> = operations.into_iter().map(|code| codes[code as usize]).collect();
            operations.sort_unstable();
            operations
        };
        let tenants = self.tenants.into_iter().map(recoded).collect();
        let mut sets = vec![Vec::new(); self.sets.len()];
        for (set, number) in self.sets {
            let mut set: Vec<u32> = set.into_iter().map(|code| service_codes[code as usize]).collect();
            set.sort_unstable();
            sets[number as usize] = set;
        }
        let mut traces = self.traces;
        for trace in &mut traces {
            trace.root_operation = codes[trace.root_operation as usize];
        }
        let names = Names { services, operations, keys: Vec::new(), tenants };
        let traces = Traces { traces, service_sets: sets };
        let summaries = Summaries::decode(traces.encode()).expect("such a section was just written");
        Remade { names: Arc::new(names), summaries: Arc::new(summaries) }
    }
}

/// The names in order, and for each old number the new one.
fn ranked<T: Ord>(names: HashMap<T, u32>) -> (Vec<T>, Vec<u32>) {
    let mut names: Vec<(T, u32)> = names.into_iter().collect();
    names.sort_unstable();
    let mut codes = vec![0; names.len()];
    names.iter().enumerate().for_each(|(new, (_, old))| codes[*old as usize] = new as u32);
    (names.into_iter().map(|(name, _)| name).collect(), codes)
}
