//! What the walker shows: borrowed views of a body's parts, valid during the call that receives them.

use std::borrow::Cow;
use std::ops::Range;

pub use super::text::Text;
use clew_model::{Kind, Notes, RejectReason, SpanId, StatusCode, Tenant, TraceId};
use serde::{Deserialize, Serialize};

/// How much of odd input is kept. The log stores the limits with each batch, so that a replay cuts exactly as admission did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Longest text or bytes value, name, message or key, in bytes; the rest is cut ([`Notes::VALUE_CUT`]).
    pub value_bytes: u32,
    /// Most attributes of one span, event, link, resource or scope.
    pub attributes: u32,
    /// Most events of one span.
    pub events: u32,
    /// Most links of one span.
    pub links: u32,
    /// Deepest nesting of arrays and maps in a value; what lies deeper reads as empty ([`Notes::NESTING_CUT`]). Numbers
    /// above 48 mean 48, as values are read by recursion.
    pub depth: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { value_bytes: 64 * 1024, attributes: 1024, events: 1024, links: 1024, depth: 32 }
    }
}

/// A body that cannot be read at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WireError {
    /// The body ends in the middle of a field.
    #[error("the message ends at byte {offset} in the middle of {what}")]
    Truncated {
        /// Where, from the start of the body.
        offset: usize,
        /// Of what.
        what: &'static str,
    },
    /// The bytes are not the message that was announced.
    #[error("{what} at byte {offset}")]
    Malformed {
        /// Where, from the start of the body.
        offset: usize,
        /// What is wrong.
        what: String,
    },
}

/// What admission is told.
#[derive(Debug, Clone, Copy)]
pub struct AdmitOptions<'a> {
    /// The limits that will be stored with the batch.
    pub limits: Limits,
    /// When the request was received; odd times are judged against it.
    pub received_unix_nanos: u64,
    /// The resource attribute that names the tenant, when one is configured.
    pub tenant_attribute: Option<&'a str>,
}

/// What one look over a body found. Nothing here refers to the body.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Admission {
    /// Spans in the body, rejected ones included.
    pub span_count: u32,
    /// Rejected spans, by rising ordinal.
    pub rejected: Vec<Rejected>,
    /// How many kept spans carry each note.
    pub notes: NoteCounts,
    /// The `ResourceSpans` messages, in order.
    pub groups: Vec<Group>,
}

/// One span that is not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rejected {
    /// Zero-based position among all spans of the body.
    pub ordinal: u32,
    /// Why.
    pub reason: RejectReason,
}

/// One `ResourceSpans` message.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Group {
    /// The tenant that its resource names; `None` when none is configured or named.
    pub tenant: Option<Tenant>,
    /// Ordinal of its first span.
    pub first_span: u32,
    /// How many spans it has, rejected ones included.
    pub span_count: u32,
}

/// How many spans carry each note, in the order of [`Notes::NAMES`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct NoteCounts(pub [u32; Notes::NAMES.len()]);

impl NoteCounts {
    /// Counts the notes of one span.
    pub fn add(&mut self, notes: Notes) {
        if notes.is_empty() {
            return;
        }
        for (count, (note, _)) in self.0.iter_mut().zip(Notes::NAMES) {
            *count += u32::from(notes.contains(note));
        }
    }
}

/// A value, borrowed from the body where it can be.
#[derive(Debug, Clone, PartialEq)]
pub enum ValueView<'a> {
    /// No value was set.
    Empty,
    /// Text, mended and cut.
    String(Text<'a>),
    /// A truth value.
    Bool(bool),
    /// A signed integer.
    Int(i64),
    /// A floating-point number.
    Double(f64),
    /// Bytes, cut.
    Bytes(&'a [u8]),
    /// An array or map: the bytes of an `AnyValue` message, mended and cut, so that `decode_value` always succeeds.
    Nested(Cow<'a, [u8]>),
}

/// A key and its value.
#[derive(Debug, Clone, PartialEq)]
pub struct KeyValueView<'a> {
    /// The key, mended and cut.
    pub key: Text<'a>,
    /// The value.
    pub value: ValueView<'a>,
}

/// The resource of the spans that follow.
#[derive(Debug, Clone)]
pub struct ResourceView<'a, 's> {
    /// Zero-based position of its `ResourceSpans` message: the index into [`Admission::groups`].
    pub group: u32,
    /// Its attributes.
    pub attributes: &'s [KeyValueView<'a>],
    /// How many attributes were left out, by the sender or here.
    pub dropped_attributes_count: u32,
    /// Schema URL.
    pub schema_url: Cow<'a, str>,
    /// Notes that each of its spans inherits.
    pub notes: Notes,
}

/// The instrumentation scope of the spans that follow.
#[derive(Debug, Clone)]
pub struct ScopeView<'a, 's> {
    /// Name.
    pub name: Cow<'a, str>,
    /// Version.
    pub version: Cow<'a, str>,
    /// Its attributes.
    pub attributes: &'s [KeyValueView<'a>],
    /// How many attributes were left out, by the sender or here.
    pub dropped_attributes_count: u32,
    /// Schema URL of the scope's spans.
    pub schema_url: Cow<'a, str>,
    /// Notes that each of its spans inherits.
    pub notes: Notes,
}

/// A span that is kept.
#[derive(Debug, Clone)]
pub struct SpanView<'a, 's> {
    /// Its trace.
    pub trace_id: TraceId,
    /// Itself.
    pub span_id: SpanId,
    /// Its parent.
    pub parent_span_id: Option<SpanId>,
    /// W3C trace state.
    pub trace_state: Cow<'a, str>,
    /// Flags as sent.
    pub flags: u32,
    /// The operation.
    pub name: Cow<'a, str>,
    /// Its role.
    pub kind: Kind,
    /// Start in unix nanoseconds.
    pub start_unix_nanos: u64,
    /// Length in nanoseconds.
    pub duration_nanos: u64,
    /// Status code.
    pub status_code: StatusCode,
    /// Status message.
    pub status_message: Cow<'a, str>,
    /// Its attributes.
    pub attributes: &'s [KeyValueView<'a>],
    /// Spans of one walk whose number is the same have the same keys and types of attributes, in the same order; 0 says
    /// nothing. Below [`SpanView::SHAPES_MAX`].
    pub shape: u32,
    /// Attributes left out, by the sender or here.
    pub dropped_attributes_count: u32,
    /// Its events.
    pub events: &'s [EventView<'a>],
    /// Events left out, by the sender or here.
    pub dropped_events_count: u32,
    /// Its links.
    pub links: &'s [LinkView<'a>],
    /// Links left out, by the sender or here.
    pub dropped_links_count: u32,
    /// The attributes of all its events and links, which refer to ranges of it.
    pub nested_attributes: &'s [KeyValueView<'a>],
    /// How odd input was mended, its resource's and scope's notes included.
    pub notes: Notes,
}

impl SpanView<'_, '_> {
    /// [`SpanView::shape`] is less.
    pub const SHAPES_MAX: u32 = 2048;
}

/// An event of a span.
#[derive(Debug, Clone)]
pub struct EventView<'a> {
    /// When, in unix nanoseconds.
    pub time_unix_nanos: u64,
    /// What.
    pub name: Cow<'a, str>,
    /// Its part of [`SpanView::nested_attributes`].
    pub attributes: Range<usize>,
    /// Attributes left out, by the sender or here.
    pub dropped_attributes_count: u32,
}

/// A link of a span.
#[derive(Debug, Clone)]
pub struct LinkView<'a> {
    /// The other span's trace.
    pub trace_id: TraceId,
    /// The other span.
    pub span_id: SpanId,
    /// Its trace state.
    pub trace_state: Cow<'a, str>,
    /// Its flags.
    pub flags: u32,
    /// Its part of [`SpanView::nested_attributes`].
    pub attributes: Range<usize>,
    /// Attributes left out, by the sender or here.
    pub dropped_attributes_count: u32,
}

/// Receives the parts of a body in order: a resource, a scope, its spans, the next scope, and so on.
pub trait SpanSink<'a> {
    /// A resource begins. Also called, with an empty view, for a `ResourceSpans` message without one.
    fn resource(&mut self, resource: &ResourceView<'a, '_>);

    /// A scope begins. Also called, with an empty view, for a `ScopeSpans` message without one.
    fn scope(&mut self, scope: &ScopeView<'a, '_>);

    /// A kept span of the current resource and scope.
    fn span(&mut self, ordinal: u32, span: &SpanView<'a, '_>);
}
