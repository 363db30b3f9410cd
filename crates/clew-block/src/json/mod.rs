//! The parts of a span that have no columns of their own, as OTLP/JSON text: both directions, and nothing is lost.
//!
//! Names are in lowerCamelCase, ids in hex, 64-bit integers in quotes, bytes in base64, members with their default value
//! left out. Doubles are in their shortest form that reads back the same; the bits of a NaN are not kept, that it is one
//! is.

mod read;
mod write;

#[cfg(test)]
mod tests;

pub use read::{DEPTH_MAX, JsonError, read_attributes, read_events, read_links, read_resource, read_scope, read_value};
pub use write::{write_attributes, write_entries, write_events, write_links, write_resource, write_scope, write_value};
