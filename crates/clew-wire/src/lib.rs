#![doc = include_str!("../README.md")]

mod base64;
pub mod jaeger_json;
mod json;
mod lenient;
pub mod otlp;
pub mod otlp_json;
pub mod remote_write;
mod sniff;
mod writer;
pub mod zipkin_json;

pub use sniff::{JsonKind, json_kind};
