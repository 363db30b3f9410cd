//! A span as readers see it: owned, complete, one shape for every protocol.

use std::ops::{BitOr, BitOrAssign};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::value::{Attribute, Value, find};
use crate::{SpanId, TraceId};

/// What role the span plays in a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Not said.
    #[default]
    Unspecified = 0,
    /// Work inside one process.
    Internal = 1,
    /// The callee of a synchronous call.
    Server = 2,
    /// The caller of a synchronous call.
    Client = 3,
    /// Sends a message.
    Producer = 4,
    /// Receives a message.
    Consumer = 5,
}

impl Kind {
    /// All kinds, in the order of their OTLP numbers.
    pub const ALL: [Self; 6] =
        [Self::Unspecified, Self::Internal, Self::Server, Self::Client, Self::Producer, Self::Consumer];

    /// The kind of an OTLP number; `None` for numbers this version does not know.
    pub fn from_number(number: u64) -> Option<Self> {
        Self::ALL.get(usize::try_from(number).ok()?).copied()
    }

    /// Whether the span is the near half of a call or message.
    pub fn is_caller(self) -> bool {
        matches!(self, Self::Client | Self::Producer)
    }

    /// Whether the span is the far half of a call or message.
    pub fn is_callee(self) -> bool {
        matches!(self, Self::Server | Self::Consumer)
    }

    /// Lower-case word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unspecified => "unspecified",
            Self::Internal => "internal",
            Self::Server => "server",
            Self::Client => "client",
            Self::Producer => "producer",
            Self::Consumer => "consumer",
        }
    }
}

/// How the span says it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StatusCode {
    /// Not said.
    #[default]
    Unset = 0,
    /// Explicitly fine.
    Ok = 1,
    /// Failed.
    Error = 2,
}

impl StatusCode {
    /// The code of an OTLP number; `None` for numbers this version does not know.
    pub fn from_number(number: u64) -> Option<Self> {
        [Self::Unset, Self::Ok, Self::Error].get(usize::try_from(number).ok()?).copied()
    }

    /// Lower-case word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unset => "unset",
            Self::Ok => "ok",
            Self::Error => "error",
        }
    }
}

/// Status code and message.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Status {
    /// The code.
    pub code: StatusCode,
    /// The sender's words; empty when there are none.
    pub message: String,
}

/// Who sent the span.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Resource {
    /// Attributes such as `service.name`.
    pub attributes: Vec<Attribute>,
    /// How many attributes the sender left out.
    pub dropped_attributes_count: u32,
    /// Schema URL of the resource; empty when there is none.
    pub schema_url: String,
}

impl Resource {
    /// The service of spans whose resource names none (OpenTelemetry's default).
    pub const UNKNOWN_SERVICE: &'static str = "unknown_service";

    /// `service.name`, or [`Self::UNKNOWN_SERVICE`].
    pub fn service(&self) -> &str {
        let name = find(&self.attributes, "service.name").and_then(Value::as_str);
        name.filter(|name| !name.is_empty()).unwrap_or(Self::UNKNOWN_SERVICE)
    }
}

/// Which library made the span.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Scope {
    /// Name of the instrumentation.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its attributes.
    pub attributes: Vec<Attribute>,
    /// How many attributes the sender left out.
    pub dropped_attributes_count: u32,
    /// Schema URL of the scope's spans; empty when there is none.
    pub schema_url: String,
}

/// Something that happened at one moment of a span.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Event {
    /// When, in unix nanoseconds.
    pub time_unix_nanos: u64,
    /// What.
    pub name: String,
    /// Details.
    pub attributes: Vec<Attribute>,
    /// How many attributes the sender left out.
    pub dropped_attributes_count: u32,
}

/// A pointer to a span that caused or relates to this one.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Link {
    /// The other span's trace.
    pub trace_id: TraceId,
    /// The other span.
    pub span_id: SpanId,
    /// The other span's trace state.
    pub trace_state: String,
    /// Details.
    pub attributes: Vec<Attribute>,
    /// How many attributes the sender left out.
    pub dropped_attributes_count: u32,
    /// W3C trace flags of the other span.
    pub flags: u32,
}

/// A finished span. Ids are never zero; odd input was mended and `notes` says how.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Span {
    /// Its trace.
    pub trace_id: TraceId,
    /// Itself.
    pub span_id: SpanId,
    /// Its parent; `None` for a root.
    pub parent_span_id: Option<SpanId>,
    /// W3C trace state, as sent.
    pub trace_state: String,
    /// W3C trace flags and OTLP's remote bits.
    pub flags: u32,
    /// The operation.
    pub name: String,
    /// Its role.
    pub kind: Kind,
    /// Start, in unix nanoseconds by the sender's clock.
    pub start_unix_nanos: u64,
    /// Length in nanoseconds; 0 when the sender's end lay before its start.
    pub duration_nanos: u64,
    /// How it ended.
    pub status: Status,
    /// Its attributes.
    pub attributes: Vec<Attribute>,
    /// How many attributes the sender left out.
    pub dropped_attributes_count: u32,
    /// Its events, in the sender's order.
    pub events: Vec<Event>,
    /// How many events the sender left out.
    pub dropped_events_count: u32,
    /// Its links, in the sender's order.
    pub links: Vec<Link>,
    /// How many links the sender left out.
    pub dropped_links_count: u32,
    /// Who sent it; shared by the spans of one resource.
    pub resource: Arc<Resource>,
    /// Which library made it; shared by the spans of one scope.
    pub scope: Arc<Scope>,
    /// When clew received it, in unix nanoseconds by clew's clock.
    pub received_unix_nanos: u64,
    /// How odd input was mended.
    pub notes: Notes,
}

impl Span {
    /// End, in unix nanoseconds.
    pub fn end_unix_nanos(&self) -> u64 {
        self.start_unix_nanos.saturating_add(self.duration_nanos)
    }

    /// The sending service.
    pub fn service(&self) -> &str {
        self.resource.service()
    }

    /// Whether the span failed: OpenTelemetry's ERROR, or an attribute `error` that is true.
    pub fn is_error(&self) -> bool {
        self.status.code == StatusCode::Error || find(&self.attributes, "error").is_some_and(is_true)
    }

    /// Whether two spans are the same span sent twice: same ids, kind and content; when they were received is no content.
    pub fn is_same_as(&self, other: &Self) -> bool {
        let mut twin = other.clone();
        twin.received_unix_nanos = self.received_unix_nanos;
        *self == twin
    }
}

/// Whether a value says yes: `true`, or the text `true` in any case (as Jaeger and Zipkin clients send it).
pub fn is_true(value: &Value) -> bool {
    match value {
        Value::Bool(truth) => *truth,
        Value::String(text) => text.eq_ignore_ascii_case("true"),
        _ => false,
    }
}

/// How odd input was mended: a set of flags, kept with the span.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Notes(pub u16);

impl Notes {
    /// The end lay before the start; the duration is 0.
    pub const END_BEFORE_START: Self = Self(1);
    /// The start is before 2000 or more than a day after receipt; it does not widen time ranges.
    pub const ODD_TIME: Self = Self(1 << 1);
    /// The name is empty.
    pub const EMPTY_NAME: Self = Self(1 << 2);
    /// Bytes that are not UTF-8 were replaced.
    pub const TEXT_REPLACED: Self = Self(1 << 3);
    /// A value was longer than allowed and was cut.
    pub const VALUE_CUT: Self = Self(1 << 4);
    /// A value was nested deeper than allowed; the depth was cut.
    pub const NESTING_CUT: Self = Self(1 << 5);
    /// There were more attributes than allowed; the rest was dropped and counted.
    pub const ATTRIBUTES_CUT: Self = Self(1 << 6);
    /// There were more events than allowed; the rest was dropped and counted.
    pub const EVENTS_CUT: Self = Self(1 << 7);
    /// There were more links than allowed; the rest was dropped and counted.
    pub const LINKS_CUT: Self = Self(1 << 8);
    /// The kind or status is a number this version does not know; it reads as unspecified or unset.
    pub const UNKNOWN_ENUM: Self = Self(1 << 9);
    /// The resource names no service.
    pub const NO_SERVICE: Self = Self(1 << 10);
    /// The parent id or a link's id was not an id; it was dropped.
    pub const BAD_REFERENCE: Self = Self(1 << 11);

    /// Every note and its name in counters, answers and documents.
    pub const NAMES: [(Self, &'static str); 12] = [
        (Self::END_BEFORE_START, "end_before_start"),
        (Self::ODD_TIME, "odd_time"),
        (Self::EMPTY_NAME, "empty_name"),
        (Self::TEXT_REPLACED, "text_replaced"),
        (Self::VALUE_CUT, "value_cut"),
        (Self::NESTING_CUT, "nesting_cut"),
        (Self::ATTRIBUTES_CUT, "attributes_cut"),
        (Self::EVENTS_CUT, "events_cut"),
        (Self::LINKS_CUT, "links_cut"),
        (Self::UNKNOWN_ENUM, "unknown_enum"),
        (Self::NO_SERVICE, "no_service"),
        (Self::BAD_REFERENCE, "bad_reference"),
    ];

    /// Whether all of `other`'s flags are set.
    pub fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether no flag is set.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The names of the flags that are set.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Self::NAMES.into_iter().filter(move |(note, _)| self.contains(*note)).map(|(_, name)| name)
    }
}

impl BitOr for Notes {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitOrAssign for Notes {
    fn bitor_assign(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

impl std::fmt::Debug for Notes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.names()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_the_status_or_the_attribute() {
        let mut span = Span::default();
        assert!(!span.is_error());
        span.attributes.push(Attribute::new("error", "TRUE"));
        assert!(span.is_error());
        span.attributes[0].value = false.into();
        assert!(!span.is_error());
        span.status.code = StatusCode::Error;
        assert!(span.is_error());
    }

    #[test]
    fn a_resend_is_the_same_span_whenever_it_came() {
        let span = Span { received_unix_nanos: 1, ..Span::default() };
        let resent = Span { received_unix_nanos: 2, ..Span::default() };
        assert!(span.is_same_as(&resent));
        assert!(!span.is_same_as(&Span { duration_nanos: 1, ..resent }));
    }

    #[test]
    fn notes_have_names() {
        let notes = Notes::ODD_TIME | Notes::VALUE_CUT;
        assert_eq!(notes.names().collect::<Vec<_>>(), ["odd_time", "value_cut"]);
    }
}
