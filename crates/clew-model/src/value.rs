//! Attribute values: OpenTelemetry's AnyValue and KeyValue.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A value as OpenTelemetry's `AnyValue` knows it.
///
/// Nesting is bounded where values are read (`clew_wire`'s `Limits::depth`), so that walking or dropping one may recurse.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub enum Value {
    /// No value was set.
    #[default]
    Empty,
    /// Text.
    String(String),
    /// A truth value.
    Bool(bool),
    /// A signed integer.
    Int(i64),
    /// A floating-point number.
    Double(f64),
    /// Opaque bytes.
    Bytes(Vec<u8>),
    /// Values in order.
    Array(Vec<Value>),
    /// Keys and values in order; keys may repeat.
    Map(Vec<Attribute>),
}

/// A key and its value.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Attribute {
    /// The key, as sent.
    pub key: String,
    /// The value.
    pub value: Value,
}

impl Attribute {
    /// A key and a value.
    pub fn new(key: impl Into<String>, value: impl Into<Value>) -> Self {
        Self { key: key.into(), value: value.into() }
    }
}

impl Value {
    /// The text of a `String`, else `None`.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// The word for this value's type, as the API shows it.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::String(_) => "string",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Double(_) => "double",
            Self::Bytes(_) => "bytes",
            Self::Array(_) => "array",
            Self::Map(_) => "map",
        }
    }
}

/// The text form used to compare with what a user typed: text as it is, numbers and truth values in Rust's shortest
/// form, bytes in hex, arrays and maps in a JSON-like form.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => Ok(()),
            Self::String(text) => f.write_str(text),
            Self::Bool(truth) => write!(f, "{truth}"),
            Self::Int(number) => write!(f, "{number}"),
            Self::Double(number) => write!(f, "{number}"),
            Self::Bytes(bytes) => bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}")),
            Self::Array(values) => {
                f.write_str("[")?;
                for (position, value) in values.iter().enumerate() {
                    f.write_str(if position == 0 { "" } else { "," })?;
                    quoted(value, f)?;
                }
                f.write_str("]")
            }
            Self::Map(entries) => {
                f.write_str("{")?;
                for (position, entry) in entries.iter().enumerate() {
                    f.write_str(if position == 0 { "" } else { "," })?;
                    write!(f, "{:?}:", entry.key)?;
                    quoted(&entry.value, f)?;
                }
                f.write_str("}")
            }
        }
    }
}

fn quoted(value: &Value, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match value {
        Value::String(text) => write!(f, "{text:?}"),
        Value::Empty => f.write_str("null"),
        other => fmt::Display::fmt(other, f),
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::String(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::String(text)
    }
}

impl From<bool> for Value {
    fn from(truth: bool) -> Self {
        Self::Bool(truth)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Self::Double(number)
    }
}

/// The value of the first attribute with that key.
pub fn find<'a>(attributes: &'a [Attribute], key: &str) -> Option<&'a Value> {
    attributes.iter().find(|attribute| attribute.key == key).map(|attribute| &attribute.value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_form_is_what_a_user_types() {
        assert_eq!(Value::from(200_i64).to_string(), "200");
        assert_eq!(Value::from(0.5).to_string(), "0.5");
        let nested = Value::Array(vec!["a".into(), Value::Map(vec![Attribute::new("k", true)]), Value::Empty]);
        assert_eq!(nested.to_string(), r#"["a",{"k":true},null]"#);
    }
}
