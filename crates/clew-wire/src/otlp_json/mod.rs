//! OTLP/JSON to OTLP protobuf, and spans to the two JSON shapes that readers ask for.

mod decode;
mod encode;
mod schema;

pub use decode::to_protobuf;
pub use encode::{JsonShape, encode};
