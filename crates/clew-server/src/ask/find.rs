//! Find in a trace: which of its spans have a text in them, anywhere.
//!
//! Every text of every span is looked at, where it lies: a hundred thousand spans take less time than a reader notices, and
//! no index has to be made, kept and bounded.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use clew_model::{Attribute, Kind, Resource, Scope, Span, Value};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, Uri};

use super::error::AskError;
use super::gate::{self, Asked};
use super::openapi::{ProblemDocument, Refusals};
use super::params::{Named, Params};
use super::shape::FindAnswer;
use super::trace::{JSON, json};
use super::trace_cache::Key;
use crate::app::App;

/// The longest text, in bytes.
const TEXT_BYTES_MAX: usize = 4096;
/// Fewer hexadecimal digits are no part of an id: they are in too many by chance.
const ID_DIGITS_MIN: usize = 6;
/// Spans between two looks at the time.
const SPANS_AT_ONCE: usize = 4096;

/// Which spans of a trace have a text in them.
///
/// Upper and lower case are the same. Looked at are operations, services, kinds, status messages, keys and values of
/// attributes on the span, its resource, scope, events and links, and names of events; ids from six digits on. With `=`, a
/// key that ends with what stands before it and a value that begins with what stands after it count as well.
#[utoipa::path(
    get,
    path = "/v1/traces/{id}/find",
    tag = "ask",
    params(
        ("id" = String, Path, description = "32 hexadecimal digits, or 16 of a 64-bit id"),
        ("text" = String, Query, description = "What to look for, at most 4096 bytes"),
        ("clock" = Option<String>, Query, description = "As for the trace: positions are those of that answer"),
        ("tenant" = Option<String>, Query, description = "Whose trace; over the header `X-Scope-OrgID`"),
    ),
    responses(
        (status = 200, description = "Positions of the spans, rising", body = FindAnswer),
        (status = 404, description = "There is no such trace here", body = ProblemDocument,
            content_type = "application/problem+json"),
        Refusals,
    )
)]
pub(crate) async fn find(
    State(app): State<Arc<App>>,
    Named(id): Named,
    headers: HeaderMap,
    uri: Uri,
) -> Result<Response, AskError> {
    let params = Params::of(&uri)?;
    params.only(&["text", "clock", "tenant"], false)?;
    let text = params.one("text")?.ok_or_else(|| AskError::parameter("text", "say what to look for: text=TEXT"))?;
    if text.len() > TEXT_BYTES_MAX {
        return Err(AskError::parameter("text", format!("at most {TEXT_BYTES_MAX} bytes are looked for")));
    }
    let needle = Needle::of(text);
    let is_corrected = params.word("clock", &[("sent", false), ("corrected", true)])?.unwrap_or(false);
    let key = Key { tenant: gate::tenant(&app, &headers, &params)?, id: gate::trace_id(&id)?, is_corrected };
    let holder = Arc::clone(&app);
    let answer = gate::run(&app, move |asked| {
        let opened = holder.traces.open(asked, key)?;
        json(&found(&opened.explained.spans, &needle, asked)?)
    });
    Ok(([(CONTENT_TYPE, JSON)], answer.await?).into_response())
}

/// The spans with that text.
fn found(spans: &[Span], needle: &Needle, asked: &Asked<'_>) -> Result<FindAnswer, AskError> {
    let mut look = Look::new(needle);
    let mut positions = Vec::new();
    for (index, span) in spans.iter().enumerate() {
        if index.is_multiple_of(SPANS_AT_ONCE) && (asked.expired)() {
            return Err(AskError::Expired);
        }
        if look.meets(span) {
            positions.push(index as u32);
        }
    }
    Ok(FindAnswer { total: positions.len() as u64, spans: positions })
}

/// What is looked for.
struct Needle {
    /// In lower case.
    text: String,
    /// Its first byte in both cases, if it is ASCII throughout.
    ascii: Option<(u8, u8)>,
    /// The end of a key and the beginning of its value.
    pair: Option<(Box<Needle>, Box<Needle>)>,
    /// Whether it may be a part of an id.
    is_id: bool,
    /// Whether it may be a part of what numbers and truth values are written as.
    is_number: bool,
}

impl Needle {
    fn of(text: &str) -> Self {
        let pair = text.split_once('=').filter(|(key, _)| !key.is_empty());
        let pair = pair.map(|(key, value)| (Box::new(Self::plain(key)), Box::new(Self::plain(value))));
        Self { pair, ..Self::plain(text) }
    }

    fn plain(text: &str) -> Self {
        let text = folded(text);
        let first = text.bytes().next().filter(|_| text.is_ascii());
        let is_id = text.len() >= ID_DIGITS_MIN && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        // Letters of `true`, `false`, `NaN`, `inf` and exponents.
        let is_number = text.bytes().all(|byte| byte.is_ascii_digit() || b"-+.truefalsnin".contains(&byte));
        Self { ascii: first.map(|first| (first, first.to_ascii_uppercase())), pair: None, is_id, is_number, text }
    }

    /// Whether the text has it in it.
    #[inline]
    fn is_in(&self, text: &str) -> bool {
        let Some((lower, upper)) = self.ascii else { return self.text.is_empty() || self.is_in_folded(text) };
        let (text, length) = (text.as_bytes(), self.text.len());
        let Some(last) = text.len().checked_sub(length) else { return false };
        let rest = &self.text.as_bytes()[1..];
        // Each byte of ASCII stands for itself in UTF-8, so that bytes can be compared.
        memchr::memchr2_iter(lower, upper, &text[..=last])
            .any(|at| text[at + 1..at + length].eq_ignore_ascii_case(rest))
    }

    #[cold]
    fn is_in_folded(&self, text: &str) -> bool {
        !text.is_ascii() && folded(text).contains(&self.text)
    }

    fn begins(&self, text: &str) -> bool {
        folded(text).starts_with(&self.text)
    }

    fn ends(&self, text: &str) -> bool {
        folded(text).ends_with(&self.text)
    }
}

/// The text in lower case, letter by letter.
fn folded(text: &str) -> String {
    text.chars().flat_map(char::to_lowercase).collect()
}

/// A look through spans, which remembers what it saw of what they share.
struct Look<'n> {
    needle: &'n Needle,
    kinds: [bool; Kind::ALL.len()],
    resources: HashMap<*const Resource, bool>,
    scopes: HashMap<*const Scope, bool>,
}

impl<'n> Look<'n> {
    fn new(needle: &'n Needle) -> Self {
        let kinds = Kind::ALL.map(|kind| needle.is_in(kind.as_str()));
        Self { needle, kinds, resources: HashMap::new(), scopes: HashMap::new() }
    }

    fn meets(&mut self, span: &Span) -> bool {
        self.kinds[span.kind as usize]
            || self.needle.is_in(&span.name)
            || self.of_resource(&span.resource)
            || self.of_scope(&span.scope)
            || self.needle.is_in(&span.status.message)
            || self.needle.is_in(&span.trace_state)
            || self.any(&span.attributes)
            || span.events.iter().any(|event| self.needle.is_in(&event.name) || self.any(&event.attributes))
            || span.links.iter().any(|link| self.needle.is_in(&link.trace_state) || self.any(&link.attributes))
            || self.needle.is_id && self.any_id(span)
    }

    fn of_resource(&mut self, resource: &Arc<Resource>) -> bool {
        let address = Arc::as_ptr(resource);
        if let Some(known) = self.resources.get(&address) {
            return *known;
        }
        let is_met = self.needle.is_in(resource.service()) || self.any(&resource.attributes);
        self.resources.insert(address, is_met);
        is_met
    }

    fn of_scope(&mut self, scope: &Arc<Scope>) -> bool {
        let address = Arc::as_ptr(scope);
        if let Some(known) = self.scopes.get(&address) {
            return *known;
        }
        let texts = [&scope.name, &scope.version];
        let is_met = texts.iter().any(|text| self.needle.is_in(text)) || self.any(&scope.attributes);
        self.scopes.insert(address, is_met);
        is_met
    }

    /// Its own and those that it points to; the trace's is in every span.
    fn any_id(&self, span: &Span) -> bool {
        let parent = span.parent_span_id.is_some_and(|id| self.needle.is_in(&id.to_string()));
        let linked = |link: &clew_model::Link| {
            self.needle.is_in(&link.span_id.to_string())
                || link.trace_id != span.trace_id && self.needle.is_in(&link.trace_id.to_string())
        };
        self.needle.is_in(&span.span_id.to_string()) || parent || span.links.iter().any(linked)
    }

    #[inline]
    fn any(&self, attributes: &[Attribute]) -> bool {
        attributes.iter().any(|attribute| self.has(attribute))
    }

    #[inline]
    fn has(&self, attribute: &Attribute) -> bool {
        let Attribute { key, value } = attribute;
        self.needle.is_in(key)
            || match value {
                Value::String(text) => self.needle.is_in(text),
                Value::Empty => false,
                Value::Bool(_) | Value::Int(_) | Value::Double(_) => {
                    self.needle.is_number && self.needle.is_in(&value.to_string())
                }
                Value::Bytes(_) | Value::Array(_) | Value::Map(_) => self.needle.is_in(&value.to_string()),
            }
            || self
                .needle
                .pair
                .as_ref()
                .is_some_and(|(before, after)| before.ends(key) && after.begins(&value.to_string()))
    }
}

#[cfg(test)]
#[path = "find/tests.rs"]
mod tests;
