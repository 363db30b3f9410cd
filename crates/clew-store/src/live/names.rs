//! Services and operations, read from the classes and resources of a tenant's chunks: exact, at once, and kept nowhere else.

use std::collections::{BTreeSet, HashSet};

use clew_model::scan::TimeRange;

use super::chunk::Chunk;
use super::{Head, read};

/// The tenant's services, sorted.
pub(super) fn services(head: &Head) -> Vec<String> {
    let mut services = BTreeSet::new();
    visit(head, |chunk| {
        let resources: HashSet<u32> = chunk.classes.iter().map(|class| class.resource).collect();
        for resource in resources {
            insert(&mut services, chunk.service(resource));
        }
    });
    services.into_iter().collect()
}

/// The operations of one of its services, sorted.
pub(super) fn operations(head: &Head, service: &str) -> Vec<String> {
    let mut operations = BTreeSet::new();
    visit(head, |chunk| {
        let is_asked: Vec<bool> =
            (0..chunk.origins.len() as u32).map(|origin| chunk.service(origin) == service.as_bytes()).collect();
        let asked = chunk.classes.iter().filter(|class| is_asked[class.resource as usize]);
        let names: HashSet<u32> = asked.map(|class| class.name).collect();
        for name in names {
            insert(&mut operations, chunk.dictionary.get(name));
        }
    });
    operations.into_iter().collect()
}

fn visit(head: &Head, mut look: impl FnMut(&Chunk)) {
    for shard in &head.shards {
        let full: Vec<_> = {
            let shard = read(shard);
            if let Some(active) = shard.active(TimeRange::ALL) {
                look(active);
            }
            shard.frozen(TimeRange::ALL).cloned().collect()
        };
        for chunk in &full {
            look(chunk);
        }
    }
}

fn insert(names: &mut BTreeSet<String>, name: &[u8]) {
    let name = String::from_utf8_lossy(name);
    if !names.contains(name.as_ref()) {
        names.insert(name.into_owned());
    }
}
