//! What the JSON of other systems has in common: members in any order and of unexpected types, ids of any length, times in
//! microseconds. What cannot be used is left out, so that a bad member costs itself and no span.

use clew_model::{SpanId, TraceId, Value};

use crate::json::Json;
use crate::otlp::WireError;

const NANOS_PER_MICRO: u64 = 1_000;

/// A value as JSON has it; objects and arrays as their text.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Scalar {
    Null,
    Text(String),
    Number(String),
    Bool(bool),
    Nested(String),
}

impl Scalar {
    /// The value in the type that JSON gives it.
    pub(crate) fn into_value(self) -> Value {
        match self {
            Self::Null => Value::Empty,
            Self::Text(text) | Self::Nested(text) => Value::String(text),
            Self::Bool(truth) => Value::Bool(truth),
            Self::Number(number) => {
                let whole = number.parse().map(Value::Int);
                whole.or_else(|_| number.parse().map(Value::Double)).unwrap_or(Value::String(number))
            }
        }
    }

    /// The text, or what a number or a truth value is written as.
    pub(crate) fn into_text(self) -> String {
        match self {
            Self::Null => String::new(),
            Self::Text(text) | Self::Number(text) | Self::Nested(text) => text,
            Self::Bool(truth) => truth.to_string(),
        }
    }

    /// Microseconds as nanoseconds, from a number or the text of one; `None` when it is none or below zero.
    pub(crate) fn micros(&self) -> Option<u64> {
        let (Self::Number(text) | Self::Text(text)) = self else { return None };
        if let Ok(micros) = text.parse::<u64>() {
            return Some(micros.saturating_mul(NANOS_PER_MICRO));
        }
        let micros = text.parse::<f64>().ok().filter(|micros| *micros >= 0.0)?;
        Some((micros * NANOS_PER_MICRO as f64) as u64)
    }

    /// A whole number.
    pub(crate) fn whole(&self) -> Option<i64> {
        let (Self::Number(text) | Self::Text(text)) = self else { return None };
        text.parse().ok()
    }
}

impl<'a> Json<'a> {
    /// Calls `each` with the name of each member of an object, for it to read the value. Something else is stepped over.
    pub(crate) fn members(
        &mut self,
        mut each: impl FnMut(&mut Self, &[u8]) -> Result<(), WireError>,
    ) -> Result<(), WireError> {
        if self.peek()? != b'{' {
            return self.skip_value();
        }
        self.punctuation(b'{', "an object")?;
        let mut is_first = true;
        while self.next_entry(&mut is_first, b'}')? {
            let name = self.name()?;
            each(self, &name)?;
        }
        Ok(())
    }

    /// Calls `each` for each entry of an array, for it to read the entry. Something else is stepped over.
    pub(crate) fn entries(
        &mut self,
        mut each: impl FnMut(&mut Self) -> Result<(), WireError>,
    ) -> Result<(), WireError> {
        if self.peek()? != b'[' {
            return self.skip_value();
        }
        self.punctuation(b'[', "an array")?;
        let mut is_first = true;
        while self.next_entry(&mut is_first, b']')? {
            each(self)?;
        }
        Ok(())
    }

    /// Any value.
    pub(crate) fn scalar(&mut self) -> Result<Scalar, WireError> {
        Ok(match self.peek()? {
            b'"' => Scalar::Text(text(&self.string()?)),
            b'-' | b'0'..=b'9' => Scalar::Number(self.number()?.to_owned()),
            b't' => self.literal("true").map(|()| Scalar::Bool(true))?,
            b'f' => self.literal("false").map(|()| Scalar::Bool(false))?,
            b'n' => self.literal("null").map(|()| Scalar::Null)?,
            _ => Scalar::Nested(text(self.raw_value()?)),
        })
    }

    /// The text of a string; empty for anything else.
    pub(crate) fn text(&mut self) -> Result<String, WireError> {
        match self.peek()? {
            b'"' => Ok(text(&self.string()?)),
            _ => self.skip_value().map(|()| String::new()),
        }
    }

    /// Steps over a value and gives its bytes.
    fn raw_value(&mut self) -> Result<&'a [u8], WireError> {
        self.peek()?;
        let from = self.mark();
        self.skip_value()?;
        Ok(self.between(from, self.mark()))
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The trace id of up to 32 hexadecimal digits; zeros, which name none, for anything else.
pub(crate) fn trace_id(digits: &str) -> TraceId {
    TraceId(id(digits).unwrap_or_default())
}

/// The span id of up to 16 hexadecimal digits; zeros, which name none, for anything else.
pub(crate) fn span_id(digits: &str) -> SpanId {
    SpanId(id(digits).unwrap_or_default())
}

/// Leading zeros may be missing, as old clients leave them out.
fn id<const N: usize>(digits: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    let places = (0..2 * N).rev();
    if digits.len() > 2 * N {
        return None;
    }
    for (place, digit) in places.zip(digits.bytes().rev()) {
        let digit = char::from(digit).to_digit(16)? as u8;
        bytes[place / 2] |= if place % 2 == 0 { digit << 4 } else { digit };
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_any_length_are_filled_up_on_the_left() {
        assert_eq!(span_id("a1").to_string(), "00000000000000a1");
        assert_eq!(span_id("1A2b3"), span_id("000000000001a2b3"));
        assert_eq!(trace_id("463ac35c9f6413ad").to_string(), "0000000000000000463ac35c9f6413ad");
        for bad in ["", "x", "12345678901234567", "\u{e9}1"] {
            assert_eq!(span_id(bad), SpanId::default(), "{bad}");
        }
    }

    #[test]
    fn microseconds_come_in_any_form() {
        let micros = |text: &str| Json::new(text.as_bytes()).scalar().unwrap().micros();
        assert_eq!(micros("1502787600000000"), Some(1_502_787_600_000_000_000));
        assert_eq!(micros("\"12\""), Some(12_000));
        assert_eq!(micros("1.5"), Some(1_500));
        assert_eq!(micros("1e3"), Some(1_000_000));
        assert_eq!(micros("99999999999999999999"), Some(u64::MAX));
        assert_eq!((micros("-5"), micros("null"), micros("\"x\""), micros("{}")), (None, None, None, None));
    }

    #[test]
    fn values_of_every_type_are_read() {
        let values = br#"["a\ud800b", -7, 1.5, true, null, {"k": [1]}, 1e999]"#;
        let mut read = Vec::new();
        let mut entry = |json: &mut Json<'_>| {
            read.push(json.scalar()?.into_value());
            Ok(())
        };
        Json::new(values).entries(&mut entry).unwrap();
        let expected = [
            Value::String("a\u{fffd}\u{fffd}\u{fffd}b".to_owned()),
            Value::Int(-7),
            Value::Double(1.5),
            Value::Bool(true),
            Value::Empty,
            Value::String(r#"{"k": [1]}"#.to_owned()),
            Value::Double(f64::INFINITY),
        ];
        assert_eq!(read, expected);
    }
}
