//! Names as numbers, so that counting a span compares and copies none.

use std::hash::BuildHasher;
use std::sync::Arc;

use clew_model::{Resource, Span};
use foldhash::fast::RandomState;
use hashbrown::HashTable;

/// Resources whose service is remembered; a power of two. They are kept alive, so that their address means them alone.
const RESOURCES: usize = 128;

/// Names, each once.
#[derive(Debug, Default)]
pub(crate) struct Names {
    texts: Vec<Arc<str>>,
    numbers: HashTable<u32>,
    hasher: RandomState,
    /// By address: each has one place, which it may have to leave to another.
    services: Vec<Option<(Arc<Resource>, u32)>>,
}

impl Names {
    /// The number of a name, which is new if nobody asked before.
    pub(crate) fn number(&mut self, text: &str) -> u32 {
        let Self { texts, numbers, hasher, .. } = self;
        let is_it = |number: &u32| &*texts[*number as usize] == text;
        let hash = hasher.hash_one(text);
        if let Some(number) = numbers.find(hash, is_it) {
            return *number;
        }
        let number = texts.len() as u32;
        numbers.insert_unique(hash, number, |number| hasher.hash_one(&*texts[*number as usize]));
        texts.push(text.into());
        number
    }

    /// The number of a span's service.
    pub(crate) fn service(&mut self, span: &Span) -> u32 {
        if self.services.is_empty() {
            self.services.resize(RESOURCES, None);
        }
        // Addresses of what is allocated alike differ above their lowest bits.
        let address = Arc::as_ptr(&span.resource).addr();
        let place = (address >> 4 ^ address >> 11) % RESOURCES;
        if let Some((resource, number)) = &self.services[place]
            && Arc::ptr_eq(resource, &span.resource)
        {
            return *number;
        }
        let number = self.number(span.service());
        self.services[place] = Some((span.resource.clone(), number));
        number
    }

    /// The name of a number.
    pub(crate) fn text(&self, number: u32) -> &Arc<str> {
        &self.texts[number as usize]
    }
}
