//! Counts by service and text.

use std::hash::Hash;

use clew_model::attributes::{AttributesRequest, TEXT_BYTES_MAX};
use foldhash::fast::RandomState;
use hashbrown::HashMap;

use super::coded::UNCOUNTED;

/// How many rows of which service have which text. Texts are marked: keys with where they lie, values with their type.
pub(super) struct Table<M> {
    /// The key whose values the texts are; empty when they are keys.
    pub(super) key: Box<str>,
    services: Vec<Box<str>>,
    texts: Vec<(Box<str>, M)>,
    entries: Vec<Entry>,
}

struct Entry {
    service: u32,
    text: u32,
    count: u32,
}

/// A table under way.
pub(super) struct Builder<M> {
    key: Box<str>,
    services: Vec<Box<str>>,
    texts: Vec<(Box<str>, M)>,
    numbers: HashMap<String, Vec<(M, u32)>, RandomState>,
    counts: HashMap<(u32, u32), u32, RandomState>,
}

impl<M: Copy + Eq + Hash> Builder<M> {
    /// An empty table about the values of that key, or about keys.
    pub(super) fn new(key: &str) -> Self {
        let (services, texts) = (Vec::new(), Vec::new());
        Self { key: key.into(), services, texts, numbers: HashMap::default(), counts: HashMap::default() }
    }

    /// The number of a service. A row group has few.
    pub(super) fn service(&mut self, name: &str) -> u32 {
        let known = self.services.iter().position(|known| **known == *name);
        known.unwrap_or_else(|| {
            self.services.push(name.into());
            self.services.len() - 1
        }) as u32
    }

    /// The number of a text with that mark; [`UNCOUNTED`] when it is too long.
    pub(super) fn text(&mut self, text: &str, mark: M) -> u32 {
        if text.len() > TEXT_BYTES_MAX {
            return UNCOUNTED;
        }
        let marks = self.numbers.entry_ref(text).or_default();
        if let Some((_, number)) = marks.iter().find(|(known, _)| *known == mark) {
            return *number;
        }
        let number = self.texts.len() as u32;
        marks.push((mark, number));
        self.texts.push((text.into(), mark));
        number
    }

    /// Adds rows of a service that have a text, both by number.
    pub(super) fn add(&mut self, service: u32, text: u32, count: u32) {
        if text != UNCOUNTED {
            *self.counts.entry((service, text)).or_default() += count;
        }
    }

    /// The table.
    pub(super) fn finish(self) -> Table<M> {
        let entry = |((service, text), count)| Entry { service, text, count };
        let entries = self.counts.into_iter().map(entry).collect();
        Table { key: self.key, services: self.services, texts: self.texts, entries }
    }
}

impl<M: Copy> Table<M> {
    /// How many counts it has.
    pub(super) fn len(&self) -> u64 {
        self.entries.len() as u64
    }

    /// Bytes that it takes in memory, about.
    pub(super) fn bytes(&self) -> u64 {
        let texts: usize = self.texts.iter().map(|(text, _)| text.len() + size_of::<(Box<str>, M)>()).sum();
        let services: usize = self.services.iter().map(|service| service.len() + size_of::<Box<str>>()).sum();
        (texts + services + self.entries.len() * size_of::<Entry>() + self.key.len()) as u64
    }

    /// Calls `add` with what the request is about.
    pub(super) fn tell(&self, request: &AttributesRequest, mut add: impl FnMut(&str, M, u64)) {
        let is_asked = |service: &str| request.service.as_deref().is_none_or(|asked| asked == service);
        let are_asked: Vec<bool> = self.services.iter().map(|service| is_asked(service)).collect();
        for entry in self.entries.iter().filter(|entry| are_asked[entry.service as usize]) {
            let (text, mark) = &self.texts[entry.text as usize];
            if request.wants(text) {
                add(text, *mark, u64::from(entry.count));
            }
        }
    }
}
