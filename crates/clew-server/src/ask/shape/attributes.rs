//! The answers to questions for keys and values of attributes.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::IncompleteShape;

/// The keys of attributes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AttributesAnswer {
    /// The keys: those that begin with what was asked for first, and then by how many spans have them.
    pub attributes: Vec<AttributeKeyShape>,
    /// What was looked at, when that is not all there is; else `null`.
    pub sampled: Option<SampledShape>,
    /// Why keys may be missing; `null` when nothing is known to be.
    pub incomplete: Option<IncompleteShape>,
}

/// A key of attributes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AttributeKeyShape {
    /// The key.
    pub key: String,
    /// Where it was seen: `span`, `resource`, `scope`.
    pub scopes: Vec<String>,
    /// Spans that have it, or whose resource or scope has it, of those looked at.
    pub span_count: u64,
}

/// The values of a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AttributeValuesAnswer {
    /// The values: those that begin with what was asked for first, and then by how many spans have them.
    pub values: Vec<AttributeValueShape>,
    /// What was looked at, when that is not all there is; else `null`.
    pub sampled: Option<SampledShape>,
    /// Why values may be missing; `null` when nothing is known to be.
    pub incomplete: Option<IncompleteShape>,
}

/// A value of a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AttributeValueShape {
    /// The value's text form, by which `attr.KEY=` finds it.
    pub value: String,
    /// Its type: `string`, `bool`, `int`, `double`, `bytes`, `array`, `map` or `empty`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Spans that have it, or whose resource or scope has it, of those looked at.
    pub span_count: u64,
}

/// The part that an answer is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SampledShape {
    /// Spans that were looked at, the newest first.
    pub span_count: u64,
}
