//! A span on its way into a block, borrowed from wherever it lies.

use clew_model::{Event, Kind, Link, Notes, SpanId, StatusCode, ValueRef};
use serde::{Deserialize, Serialize};

/// The type of an attribute's column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AttributeType {
    /// Text.
    String,
    /// A signed integer.
    Int,
    /// A floating-point number.
    Double,
    /// A truth value.
    Bool,
    /// Opaque bytes.
    Bytes,
    /// An array or a map, as OTLP/JSON.
    Json,
    /// A key without a value; never has a column.
    Empty,
}

/// The keys and types of an attribute list, by the number that a plan gave them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ShapeCode(pub u32);

/// A resource, by the number that a plan gave it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ResourceCode(pub u32);

/// An instrumentation scope, by the number that a plan gave it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ScopeCode(pub u32);

/// One span. Texts are UTF-8.
#[derive(Debug, Clone, Copy)]
pub struct Row<'a> {
    /// Itself.
    pub span_id: SpanId,
    /// Its parent.
    pub parent_span_id: Option<SpanId>,
    /// Start in unix nanoseconds.
    pub start_unix_nanos: u64,
    /// Length in nanoseconds.
    pub duration_nanos: u64,
    /// When it was received, in unix nanoseconds.
    pub received_unix_nanos: u64,
    /// The operation.
    pub name: &'a [u8],
    /// Its role.
    pub kind: Kind,
    /// Its status code.
    pub status: StatusCode,
    /// Its status message.
    pub status_message: &'a [u8],
    /// W3C trace state.
    pub trace_state: &'a [u8],
    /// [`clew_model::Span::is_error`].
    pub is_error: bool,
    /// Flags as sent.
    pub flags: u32,
    /// How odd input was mended.
    pub notes: Notes,
    /// Who sent it.
    pub resource: ResourceCode,
    /// Which library made it.
    pub scope: ScopeCode,
    /// The keys and types of its attributes.
    pub shape: ShapeCode,
    /// The values of its attributes, one for each key of the shape.
    pub values: &'a [ValueRef<'a>],
    /// Its events.
    pub events: &'a [Event],
    /// Its links.
    pub links: &'a [Link],
    /// Attributes that were left out.
    pub dropped_attributes_count: u32,
    /// Events that were left out.
    pub dropped_events_count: u32,
    /// Links that were left out.
    pub dropped_links_count: u32,
}

impl AttributeType {
    /// All types, in the order of their numbers in sidecars.
    pub const ALL: [Self; 7] =
        [Self::String, Self::Int, Self::Double, Self::Bool, Self::Bytes, Self::Json, Self::Empty];

    /// The type of that word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.as_str() == word)
    }

    /// The word in column names.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Int => "int",
            Self::Double => "double",
            Self::Bool => "bool",
            Self::Bytes => "bytes",
            Self::Json => "json",
            Self::Empty => "empty",
        }
    }

    /// The type of a value.
    pub fn of(value: ValueRef<'_>) -> Self {
        match value {
            ValueRef::Empty => Self::Empty,
            ValueRef::String(_) => Self::String,
            ValueRef::Bool(_) => Self::Bool,
            ValueRef::Int(_) => Self::Int,
            ValueRef::Double(_) => Self::Double,
            ValueRef::Bytes(_) => Self::Bytes,
            ValueRef::Nested(_) => Self::Json,
        }
    }
}
