//! Things that many spans share, each written once and pointed to by position.

use std::collections::HashMap;
use std::fmt::Debug;
use std::sync::Arc;

use clew_model::Span;
use foldhash::fast::RandomState;

/// The distinct values seen so far, in order of first sight.
#[derive(Debug)]
pub(crate) struct Table<'a, T> {
    /// Position by address: spans of one source share their resource, so this answers nearly always.
    by_address: HashMap<*const T, u32>,
    /// Position by content, for equal values at different addresses.
    by_text: HashMap<String, u32>,
    /// The values.
    pub distinct: Vec<&'a T>,
}

impl<'a, T: Debug> Table<'a, T> {
    pub(crate) fn new() -> Self {
        Self { by_address: HashMap::new(), by_text: HashMap::new(), distinct: Vec::new() }
    }

    /// The position of the value, which is added if it is new.
    pub(crate) fn position(&mut self, value: &'a Arc<T>) -> u32 {
        let address = Arc::as_ptr(value);
        if let Some(position) = self.by_address.get(&address) {
            return *position;
        }
        let next = self.distinct.len() as u32;
        let position = *self.by_text.entry(format!("{value:?}")).or_insert(next);
        if position == next {
            self.distinct.push(value);
        }
        self.by_address.insert(address, position);
        position
    }
}

/// Distinct texts, in order of first sight.
#[derive(Debug, Default)]
pub(crate) struct Words<'a> {
    positions: HashMap<&'a str, u32, RandomState>,
    /// The texts.
    pub distinct: Vec<&'a str>,
}

impl<'a> Words<'a> {
    /// The position of the text, which is added if it is new.
    pub(crate) fn position(&mut self, text: &'a str) -> u32 {
        let next = self.distinct.len() as u32;
        let position = *self.positions.entry(text).or_insert(next);
        if position == next {
            self.distinct.push(text);
        }
        position
    }

    /// The texts, owned.
    pub(crate) fn into_texts(self) -> Vec<String> {
        self.distinct.into_iter().map(str::to_owned).collect()
    }
}

/// The spans with those of one resource and scope side by side, so that an encoder writes each of these once.
pub(crate) fn grouped(spans: Vec<Span>) -> Vec<Span> {
    let (mut resources, mut scopes) = (Table::new(), Table::new());
    let key = |span| -> (u32, u32) {
        let span: &Span = span;
        (resources.position(&span.resource), scopes.position(&span.scope))
    };
    let keys: Vec<_> = spans.iter().map(key).collect();
    let mut keyed: Vec<_> = keys.into_iter().zip(spans).collect();
    keyed.sort_by_key(|(key, _)| *key);
    keyed.into_iter().map(|(_, span)| span).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_have_one_position_wherever_they_lie() {
        let (a, b, twin) = (Arc::new("a".to_owned()), Arc::new("b".to_owned()), Arc::new("a".to_owned()));
        let mut table = Table::new();
        assert_eq!([&a, &b, &twin, &a].map(|value| table.position(value)), [0, 1, 0, 0]);
        assert_eq!(table.distinct, ["a", "b"]);
        let mut words = Words::default();
        assert_eq!(["x", "y", "x"].map(|word| words.position(word)), [0, 1, 0]);
        assert_eq!(words.into_texts(), ["x", "y"]);
    }
}
