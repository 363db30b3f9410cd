#![doc = include_str!("../README.md")]

#[cfg(test)]
mod draw;
pub mod json;
pub mod merge;
pub mod meta;
pub mod plan;
pub mod read;
pub mod row;
pub mod schema;
pub mod sidecar;
pub mod spans;
pub mod writer;

pub use merge::{Merge, MergeError, Merged};
pub use meta::{BlockFile, BlockMeta, BlockName, TenantMeta};
pub use plan::Plan;
pub use read::{Block, Cache, CacheFigures, ColumnSize, Problem, Ranges, ReadError, verify};
pub use row::{AttributeType, ResourceCode, Row, ScopeCode, ShapeCode};
pub use spans::{SpanCodes, write_spans};
pub use writer::{Finished, WriteError, WriteOptions, Writer};
