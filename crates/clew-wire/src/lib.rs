#![doc = include_str!("../README.md")]

pub mod otlp;
pub mod otlp_json;
mod writer;
