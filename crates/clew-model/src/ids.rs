//! Trace and span ids: bytes inside, lower-case hex outside.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// 16 bytes that name a trace; never all zero in a stored span.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct TraceId(pub [u8; 16]);

/// 8 bytes that name a span within its trace; never all zero in a stored span.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct SpanId(pub [u8; 8]);

/// A text that is not an id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IdError {
    /// The text has the wrong number of characters.
    #[error("expected {expected} hexadecimal characters, found {found}")]
    Length {
        /// How many characters the id has.
        expected: usize,
        /// How many the text has.
        found: usize,
    },
    /// A character is not a hexadecimal digit.
    #[error("character {position} is not a hexadecimal digit")]
    Digit {
        /// Zero-based position of the first bad character.
        position: usize,
    },
    /// All bytes are zero, which OpenTelemetry reserves for "no id".
    #[error("an id of zeros is not valid")]
    Zero,
}

// As one number: ids are hashed a hundred thousand times for a large trace, and an array would be by its length and bytes.
impl Hash for TraceId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u128(u128::from_ne_bytes(self.0));
    }
}

impl Hash for SpanId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(u64::from_ne_bytes(self.0));
    }
}

impl TraceId {
    /// The id of these bytes; `None` unless there are 16 and one is not zero.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        let id: [u8; 16] = bytes.try_into().ok()?;
        (id != [0; 16]).then_some(Self(id))
    }

    /// The low eight bytes as a number: the random part of every common id format, so it spreads over shards.
    #[inline]
    pub fn low_u64(self) -> u64 {
        let [_, _, _, _, _, _, _, _, low @ ..] = self.0;
        u64::from_be_bytes(low)
    }

    /// The id a user typed: 32 hexadecimal characters, or 16 (a 64-bit id) padded with zeros on the left.
    pub fn parse_lenient(text: &str) -> Result<Self, IdError> {
        let mut bytes = [0; 16];
        if text.len() == 16 {
            decode_hex(text, &mut bytes[8..])?;
        } else {
            decode_hex(text, &mut bytes)?;
        }
        Self::from_slice(&bytes).ok_or(IdError::Zero)
    }
}

impl SpanId {
    /// The id of these bytes; `None` unless there are 8 and one is not zero.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        let id: [u8; 8] = bytes.try_into().ok()?;
        (id != [0; 8]).then_some(Self(id))
    }

    /// The id as a number, for columns.
    #[inline]
    pub fn to_u64(self) -> u64 {
        u64::from_be_bytes(self.0)
    }

    /// The id of a column's number.
    pub fn from_u64(number: u64) -> Self {
        Self(number.to_be_bytes())
    }
}

fn decode_hex(text: &str, out: &mut [u8]) -> Result<(), IdError> {
    let text = text.as_bytes();
    if text.len() != out.len() * 2 {
        return Err(IdError::Length { expected: out.len() * 2, found: text.len() });
    }
    for (position, (pair, byte)) in text.chunks_exact(2).zip(out).enumerate() {
        let digit = |offset: usize| {
            let digit = (pair[offset] as char).to_digit(16);
            digit.ok_or(IdError::Digit { position: position * 2 + offset })
        };
        *byte = (digit(0)? * 16 + digit(1)?) as u8;
    }
    Ok(())
}

macro_rules! hex_text {
    ($id:ident) => {
        impl fmt::Display for $id {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $id {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $id {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                let mut id = Self::default();
                decode_hex(text, &mut id.0)?;
                if id == Self::default() { Err(IdError::Zero) } else { Ok(id) }
            }
        }

        /// Hexadecimal text where people read it, bare bytes elsewhere.
        impl Serialize for $id {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                if serializer.is_human_readable() { serializer.collect_str(self) } else { self.0.serialize(serializer) }
            }
        }

        impl<'de> Deserialize<'de> for $id {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                if !deserializer.is_human_readable() {
                    return Deserialize::deserialize(deserializer).map(Self);
                }
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

hex_text!(TraceId);
hex_text!(SpanId);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_round_trips_in_either_case() {
        let id: TraceId = "4BF92F3577B34DA6A3CE929D0E0E4736".parse().unwrap();
        assert_eq!(id.to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
        let span: SpanId = "00f067aa0ba902b7".parse().unwrap();
        assert_eq!(SpanId::from_u64(span.to_u64()), span);
    }

    #[test]
    fn bad_text_says_what_is_wrong() {
        assert_eq!("12".parse::<SpanId>(), Err(IdError::Length { expected: 16, found: 2 }));
        assert_eq!("000000000000000g".parse::<SpanId>(), Err(IdError::Digit { position: 15 }));
        assert_eq!("0000000000000000".parse::<SpanId>(), Err(IdError::Zero));
        assert!("00000000000000\u{e9}".parse::<SpanId>().is_err());
    }

    #[test]
    fn short_trace_ids_are_padded() {
        let id = TraceId::parse_lenient("a3ce929d0e0e4736").unwrap();
        assert_eq!(id.to_string(), "0000000000000000a3ce929d0e0e4736");
    }
}
