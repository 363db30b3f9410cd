//! Attributes in JSON: the value as JSON has it, and the type that it had.

use clew_model::{Attribute, Value};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

/// The largest whole number that every JSON reader keeps exactly (2^53 - 1, RFC 8259 section 6).
const SAFE_INTEGER_MAX: u64 = (1 << 53) - 1;

/// An attribute.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AttributeShape {
    /// Its key, as sent.
    pub key: String,
    /// Its value. Integers beyond 2^53 - 1, not-a-number and infinities are text; bytes are text in hexadecimal.
    pub value: serde_json::Value,
    /// The value's type: `string`, `bool`, `int`, `double`, `bytes`, `array`, `map` or `empty`.
    #[serde(rename = "type")]
    pub kind: String,
}

/// The attributes, in the sender's order.
pub fn attributes(attributes: &[Attribute]) -> Vec<AttributeShape> {
    let shape = |attribute: &Attribute| AttributeShape {
        key: attribute.key.clone(),
        value: value_json(&attribute.value),
        kind: attribute.value.type_name().to_owned(),
    };
    attributes.iter().map(shape).collect()
}

/// The value as JSON. Nesting is bounded where values are read, so that this may recurse.
pub fn value_json(value: &Value) -> serde_json::Value {
    match value {
        Value::Empty => serde_json::Value::Null,
        Value::String(text) => json!(text),
        Value::Bool(truth) => json!(truth),
        Value::Int(number) if number.unsigned_abs() > SAFE_INTEGER_MAX => json!(number.to_string()),
        Value::Int(number) => json!(number),
        Value::Double(number) if !number.is_finite() => json!(number.to_string()),
        Value::Double(number) => json!(number),
        Value::Bytes(_) => json!(value.to_string()),
        Value::Array(values) => values.iter().map(value_json).collect(),
        Value::Map(entries) => {
            let entries = entries.iter().map(|entry| (entry.key.clone(), value_json(&entry.value)));
            serde_json::Value::Object(entries.collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_keep_what_json_cannot_say() {
        let nested = Value::Map(vec![Attribute::new("list", Value::Array(vec![1_i64.into(), Value::Empty]))]);
        let list = [
            Attribute::new("big", i64::MAX),
            Attribute::new("small", -7_i64),
            Attribute::new("nan", f64::NAN),
            Attribute::new("bytes", Value::Bytes(vec![0, 255])),
            Attribute::new("nested", nested),
        ];
        let shapes = serde_json::to_value(attributes(&list)).unwrap();
        assert_eq!(
            shapes,
            json!([
                {"key": "big", "value": "9223372036854775807", "type": "int"},
                {"key": "small", "value": -7, "type": "int"},
                {"key": "nan", "value": "NaN", "type": "double"},
                {"key": "bytes", "value": "00ff", "type": "bytes"},
                {"key": "nested", "value": {"list": [1, null]}, "type": "map"},
            ])
        );
    }
}
