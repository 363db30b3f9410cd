#![doc = include_str!("../README.md")]

pub mod meta;
pub mod row;

pub use meta::{BlockFile, BlockMeta, BlockName, TenantMeta};
pub use row::{AttributeType, ResourceCode, Row, ScopeCode, ShapeCode};
