//! Which attributes spans have: the part of the scan contract that completions ask.
//!
//! Work is bounded, not time: a request says how much effort may be spent, a source looks at its spans until that is done,
//! and the answer says how many they were. A span that a source holds twice counts twice.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::scan::{Expired, Incomplete, RowsAnswer, ScanAnswer, ScanError, ScanRequest, SpanSource, TimeRange};
use crate::value::find;
use crate::{Attribute, Span, Tenant, TraceId};

/// Longer keys and values are left out, in bytes: nobody picks one from a list.
pub const TEXT_BYTES_MAX: usize = 1024;
/// Keys, or values, that are held apart at once at most; and their bytes together.
const TEXTS_MAX: usize = 20_000;
const TEXTS_BYTES_MAX: usize = 4 << 20;
/// Effort of a text that is held apart; that of a span is 1, whose values are numbers by then.
pub const TEXT_EFFORT: u64 = 16;
/// Traces that are read at once by a source that has no better way.
const TRACES_AT_ONCE: usize = 64;

/// Which spans, which texts, and how much work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttributesRequest {
    /// Whose spans. A source never answers with another tenant's.
    pub tenant: Tenant,
    /// The service that sent the spans; `None` is any.
    pub service: Option<String>,
    /// In lower case: only texts that have it somewhere, whatever their case, are answered.
    pub contains: String,
    /// Traces whose spans do not count.
    pub without: Vec<TraceId>,
    /// About how much may be spent: one for each span that is looked at, [`TEXT_EFFORT`] for each text.
    pub effort: u64,
}

/// The lists of a span in which an attribute can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Scopes(pub u8);

/// A key, and the spans that have it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct KeyCount {
    /// The key.
    pub key: String,
    /// Where it was seen.
    pub scopes: Scopes,
    /// Spans that have it themselves, or whose resource or scope has it.
    pub span_count: u64,
}

/// A value of a key, and the spans that have it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ValueCount {
    /// The value's text form.
    pub text: String,
    /// The word for its type ([`crate::Value::type_name`]).
    pub type_name: String,
    /// Spans of which it is the first value of the key, in their own list or that of their resource or scope.
    pub span_count: u64,
}

/// What an answer is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Looked {
    /// Spans that were looked at, of whatever service.
    pub span_count: u64,
    /// Whether something was left out: spans, since the effort was spent, or texts, since they were too many.
    pub is_sample: bool,
    /// What was spent.
    pub effort: u64,
}

/// A source's answer to "which keys are there".
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct KeysAnswer {
    /// The keys, each once, in no order.
    pub keys: Vec<KeyCount>,
    /// What they are about.
    pub looked: Looked,
    /// Set when something may be missing.
    pub incomplete: Option<Incomplete>,
}

/// A source's answer to "which values has this key".
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ValuesAnswer {
    /// The values, each once, in no order.
    pub values: Vec<ValueCount>,
    /// What they are about.
    pub looked: Looked,
    /// Set when something may be missing.
    pub incomplete: Option<Incomplete>,
}

impl Scopes {
    /// The span's own list.
    pub const SPAN: Self = Self(1);
    /// The list of its resource.
    pub const RESOURCE: Self = Self(2);
    /// The list of its instrumentation scope.
    pub const SCOPE: Self = Self(4);

    /// Both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Their words.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        let all = [(Self::SPAN, "span"), (Self::RESOURCE, "resource"), (Self::SCOPE, "scope")];
        all.into_iter().filter(move |(scope, _)| self.0 & scope.0 != 0).map(|(_, name)| name)
    }
}

impl AttributesRequest {
    /// Whether that span's attributes may be in the answer.
    pub fn is_about(&self, span: &Span) -> bool {
        let is_asked = self.service.as_deref().is_none_or(|service| span.service() == service);
        is_asked && !self.without.contains(&span.trace_id)
    }

    /// Whether that text may be in the answer.
    pub fn wants(&self, text: &str) -> bool {
        text.len() <= TEXT_BYTES_MAX && position(text, &self.contains).is_some()
    }
}

/// Where a text has a lower-case one in it, whatever its own case; 0 is its beginning.
pub fn position(text: &str, lower: &str) -> Option<usize> {
    if lower.is_empty() {
        return Some(0);
    }
    if text.is_ascii() {
        return text.as_bytes().windows(lower.len()).position(|part| part.eq_ignore_ascii_case(lower.as_bytes()));
    }
    text.to_lowercase().find(lower)
}

/// Counts of texts, bounded.
#[derive(Debug, Clone, Default)]
pub struct Tally<T> {
    counts: HashMap<String, T>,
    bytes: usize,
    is_cut: bool,
}

/// Keys, counted.
pub type KeyTally = Tally<(Scopes, u64)>;
/// Values, counted: of each text the types that it has.
pub type ValueTally = Tally<Vec<(&'static str, u64)>>;

impl<T: Default> Tally<T> {
    /// The count of a text; `None` when there is no room for one more.
    fn count(&mut self, text: &str) -> Option<&mut T> {
        if !self.counts.contains_key(text) {
            if self.counts.len() >= TEXTS_MAX || self.bytes + text.len() > TEXTS_BYTES_MAX {
                self.is_cut = true;
                return None;
            }
            self.bytes += text.len();
            self.counts.insert(text.to_owned(), T::default());
        }
        self.counts.get_mut(text)
    }

    /// Whether a text was left out.
    pub fn is_cut(&self) -> bool {
        self.is_cut
    }
}

impl KeyTally {
    /// Adds spans that have a key.
    pub fn add(&mut self, key: &str, scopes: Scopes, span_count: u64) {
        if let Some((known, count)) = self.count(key) {
            *known = known.and(scopes);
            *count += span_count;
        }
    }

    /// All of them.
    pub fn into_keys(self) -> Vec<KeyCount> {
        let key = |(key, (scopes, span_count))| KeyCount { key, scopes, span_count };
        self.counts.into_iter().map(key).collect()
    }
}

impl ValueTally {
    /// Adds spans that have a value. A type whose name is none counts as [`crate::Value::Empty`]'s.
    pub fn add(&mut self, text: &str, type_name: &str, span_count: u64) {
        let Some(counts) = self.count(text) else { return };
        let name = TYPE_NAMES.into_iter().find(|name| *name == type_name).unwrap_or("empty");
        match counts.iter_mut().find(|(known, _)| *known == name) {
            Some((_, count)) => *count += span_count,
            None => counts.push((name, span_count)),
        }
    }

    /// All of them.
    pub fn into_values(self) -> Vec<ValueCount> {
        let mut values = Vec::with_capacity(self.counts.len());
        for (text, counts) in self.counts {
            for (type_name, span_count) in counts {
                values.push(ValueCount { text: text.clone(), type_name: type_name.to_owned(), span_count });
            }
        }
        values
    }
}

const TYPE_NAMES: [&str; 8] = ["string", "int", "double", "bool", "bytes", "array", "map", "empty"];

/// Adds the keys of a span to those of others, if the request is about it.
pub fn add_keys(tally: &mut KeyTally, request: &AttributesRequest, span: &Span) {
    if !request.is_about(span) {
        return;
    }
    let lists = lists(span);
    for (at, (list, scopes)) in lists.iter().enumerate() {
        for (place, attribute) in list.iter().enumerate() {
            let is_repeat = find_before(&lists[..at], &list[..place], &attribute.key);
            if request.wants(&attribute.key) {
                tally.add(&attribute.key, *scopes, u64::from(!is_repeat));
            }
        }
    }
}

/// Adds the values that a span has of the key to those of others, if the request is about it.
pub fn add_values(tally: &mut ValueTally, key: &str, request: &AttributesRequest, span: &Span) {
    if !request.is_about(span) {
        return;
    }
    let mut values: Vec<(String, &str)> = Vec::new();
    for value in lists(span).into_iter().filter_map(|(list, _)| find(list, key)) {
        let value = (value.to_string(), value.type_name());
        if !values.contains(&value) && request.wants(&value.0) {
            values.push(value);
        }
    }
    for (text, type_name) in &values {
        tally.add(text, type_name, 1);
    }
}

/// The keys of a source that has no better way than to read its spans.
pub fn keys_by_reading(
    source: &(impl SpanSource + ?Sized),
    request: &AttributesRequest,
    expired: Expired<'_>,
) -> Result<KeysAnswer, ScanError> {
    let mut tally = KeyTally::default();
    let (mut looked, incomplete) = read(source, request, expired, |span| add_keys(&mut tally, request, span))?;
    looked.is_sample |= tally.is_cut();
    Ok(KeysAnswer { keys: tally.into_keys(), looked, incomplete })
}

/// The values of a key in a source that has no better way than to read its spans.
pub fn values_by_reading(
    source: &(impl SpanSource + ?Sized),
    key: &str,
    request: &AttributesRequest,
    expired: Expired<'_>,
) -> Result<ValuesAnswer, ScanError> {
    let mut tally = ValueTally::default();
    let (mut looked, incomplete) = read(source, request, expired, |span| add_values(&mut tally, key, request, span))?;
    looked.is_sample |= tally.is_cut();
    Ok(ValuesAnswer { values: tally.into_values(), looked, incomplete })
}

fn lists(span: &Span) -> [(&[Attribute], Scopes); 3] {
    [
        (&span.attributes, Scopes::SPAN),
        (&span.resource.attributes, Scopes::RESOURCE),
        (&span.scope.attributes, Scopes::SCOPE),
    ]
}

/// Whether whole lists, or the beginning of another, have the key.
fn find_before(lists: &[(&[Attribute], Scopes)], beginning: &[Attribute], key: &str) -> bool {
    find(beginning, key).is_some() || lists.iter().any(|(list, _)| find(list, key).is_some())
}

/// Shows the spans of the request, until its effort is spent.
fn read(
    source: &(impl SpanSource + ?Sized),
    request: &AttributesRequest,
    expired: Expired<'_>,
    mut show: impl FnMut(&Span),
) -> Result<(Looked, Option<Incomplete>), ScanError> {
    let tenant = &request.tenant;
    let all = ScanRequest { tenant: tenant.clone(), range: TimeRange::ALL, filters: Vec::new(), rows_per_trace: 0 };
    let ScanAnswer { matches, mut incomplete, .. } = source.scan(&all, expired)?;
    let ids = matches.iter().map(|found| found.trace_id).filter(|id| !request.without.contains(id));
    let ids: Vec<TraceId> = ids.collect();
    let mut looked = Looked::default();
    for ids in ids.chunks(TRACES_AT_ONCE) {
        if looked.effort >= request.effort {
            looked.is_sample = true;
            break;
        }
        let RowsAnswer { spans, incomplete: missing } = source.rows(tenant, ids, expired)?;
        incomplete = incomplete.or(missing);
        looked.span_count += spans.len() as u64;
        looked.effort += spans.len() as u64;
        spans.iter().for_each(&mut show);
    }
    Ok((looked, incomplete))
}

#[cfg(test)]
#[path = "attributes/tests.rs"]
mod tests;
