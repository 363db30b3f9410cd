//! What the row group under way holds.

use clew_model::scan::AttributeScope;
use clew_model::{Notes, ValueRef};
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

use super::layout::Layout;
use crate::row::Row;
use crate::sidecar::bloom::Bloom;
use crate::sidecar::{Group, Key, Zone};

/// Hashes seen last, by their low bits: most values repeat soon, and these stay in the nearest cache.
const RECENT: usize = 4096;

/// A row group while rows are added.
#[derive(Debug)]
pub(super) struct GroupBuilder {
    group: Group,
    zone_rows: usize,
    shapes: Vec<bool>,
    resources: Vec<bool>,
    scopes: Vec<bool>,
    recent: Vec<u64>,
    hashes: HashTable<u64>,
    /// Distinct values so far, by number of the layout's keys.
    values: Vec<u32>,
}

impl GroupBuilder {
    pub(super) fn new(layout: &Layout, zone_rows: usize) -> Self {
        Self {
            group: empty(),
            zone_rows,
            shapes: vec![false; layout.shapes.len()],
            resources: vec![false; layout.resources.len()],
            scopes: vec![false; layout.scopes.len()],
            recent: vec![0; RECENT],
            hashes: HashTable::new(),
            values: vec![0; layout.keys.len()],
        }
    }

    pub(super) fn rows(&self) -> usize {
        self.group.row_count as usize
    }

    pub(super) fn push(&mut self, layout: &Layout, row: &Row<'_>) {
        let group = &mut self.group;
        group.row_count += 1;
        if row.notes.contains(Notes::ODD_TIME) {
            group.has_odd = true;
        } else {
            let zone = group.zone.get_or_insert(Zone { start_unix_nanos: u64::MAX, end_unix_nanos: 0 });
            zone.start_unix_nanos = zone.start_unix_nanos.min(row.start_unix_nanos);
            zone.end_unix_nanos = zone.end_unix_nanos.max(row.start_unix_nanos.saturating_add(row.duration_nanos));
        }
        if (group.row_count as usize - 1).is_multiple_of(self.zone_rows) {
            group.durations_nanos.push(NO_DURATIONS);
        }
        for (shortest, longest) in group.durations_nanos.last_mut().into_iter().chain([&mut group.duration_nanos]) {
            (*shortest, *longest) = ((*shortest).min(row.duration_nanos), (*longest).max(row.duration_nanos));
        }
        group.error_count += u32::from(row.is_error);
        self.shapes[row.shape.0 as usize] = true;
        self.resources[row.resource.0 as usize] = true;
        self.scopes[row.scope.0 as usize] = true;
        for (key, value) in layout.shapes[row.shape.0 as usize].keys.iter().zip(row.values) {
            self.add(layout, *key, *value);
        }
    }

    fn add(&mut self, layout: &Layout, key: u32, value: ValueRef<'_>) {
        if let Some(hash) = layout.keys[key as usize].hash.with(value) {
            let recent = &mut self.recent[hash as usize % RECENT];
            if *recent != hash {
                *recent = hash;
                self.values[key as usize] += u32::from(insert(&mut self.hashes, hash));
            }
        }
    }

    /// The group, apart from its services and where its filter lies, and the filter. The next group begins.
    pub(super) fn finish(&mut self, layout: &Layout) -> (Finished, Bloom) {
        let values = std::mem::replace(&mut self.values, vec![0; layout.keys.len()]);
        let mut services = Vec::new();
        let mut keys: Vec<Key> = Vec::new();
        for (at, resource) in layout.resources.iter().enumerate().filter(|(at, _)| self.resources[*at]) {
            services.push(layout.service_of_resource[at]);
            keys.extend(resource.keys.iter().cloned());
            for hash in &resource.hashes {
                insert(&mut self.hashes, *hash);
            }
        }
        for (_, scope) in layout.scopes.iter().enumerate().filter(|(at, _)| self.scopes[*at]) {
            keys.extend(scope.keys.iter().cloned());
            for hash in &scope.hashes {
                insert(&mut self.hashes, *hash);
            }
        }
        let mut of_spans = vec![false; layout.keys.len()];
        for (_, shape) in layout.shapes.iter().enumerate().filter(|(at, _)| self.shapes[*at]) {
            shape.keys.iter().for_each(|key| of_spans[*key as usize] = true);
        }
        let of_spans = layout.keys.iter().zip(of_spans).filter(|(_, is_there)| *is_there);
        keys.extend(of_spans.map(|(key, _)| Key {
            scope: AttributeScope::Span,
            key: key.key.as_ref().to_owned(),
            value_type: key.value_type,
        }));
        services.sort_unstable();
        services.dedup();
        let bloom = Bloom::of(self.hashes.iter().copied());
        self.hashes.clear();
        self.recent.fill(0);
        for seen in [&mut self.shapes, &mut self.resources, &mut self.scopes] {
            seen.fill(false);
        }
        (Finished { group: std::mem::replace(&mut self.group, empty()), services, keys, values }, bloom)
    }
}

/// A finished row group, with names that have no numbers yet.
#[derive(Debug)]
pub(super) struct Finished {
    pub(super) group: Group,
    /// By number of the layout's services.
    pub(super) services: Vec<u32>,
    pub(super) keys: Vec<Key>,
    /// Distinct values in spans' own attributes, by number of the layout's keys.
    pub(super) values: Vec<u32>,
}

/// The shortest and the longest of no spans.
const NO_DURATIONS: (u64, u64) = (u64::MAX, 0);

fn empty() -> Group {
    Group { duration_nanos: NO_DURATIONS, ..Group::default() }
}

/// Adds a hash; whether it is new.
fn insert(hashes: &mut HashTable<u64>, hash: u64) -> bool {
    // The hashes are spread already; their high bits choose the block of the filter, so the table takes them turned.
    let entry = hashes.entry(hash, |known| *known == hash, |known| *known);
    let is_new = matches!(entry, Entry::Vacant(_));
    entry.or_insert(hash);
    is_new
}
