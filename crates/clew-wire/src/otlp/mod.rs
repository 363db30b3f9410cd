//! OTLP: bytes to spans without an object per span, and back.

#![expect(
    clippy::inline_always,
    reason = "a call per field costs more than the field; measured, half the time of a walk"
)]

mod encode;
mod owned;
mod reader;
mod request;
mod shapes;
mod span;
mod text;
mod value;
pub mod view;

pub(crate) use encode::is_same;
pub use encode::{encode, encode_value};
pub use owned::{decode_value, spans};
pub use request::{admit, walk};
pub use view::{
    Admission, AdmitOptions, EventView, Group, KeyValueView, Limits, LinkView, NoteCounts, Rejected, ResourceView,
    ScopeView, SpanSink, SpanView, Text, ValueView, WireError,
};
