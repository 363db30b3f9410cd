//! OTLP/JSON to OTLP protobuf, in one pass over the text: each member becomes its field as it is met.
//!
//! A text that is no JSON is refused whole. A member of the wrong type inside a span spoils that span alone: it is
//! written as bytes that admission rejects, so that its neighbours are kept and it is counted.

use super::schema::{Field, Message, REQUEST, SPAN, Shape};
use crate::base64;
use crate::json::Json;
use crate::otlp::WireError;
use crate::writer::Writer;

/// Objects and arrays below this depth are stepped over. A level of an attribute's nesting takes at most four, so that
/// this is deeper than any value is kept, and admission notes the cut.
const FRAMES_MAX: usize = 256;

/// A field number that no enumeration of OTLP has.
const UNKNOWN_NUMBER: u64 = 127;

/// A span message that cannot be read: a tag of field 0.
const UNREADABLE: &[u8] = &[0];

/// Translates an OTLP/JSON export request to `ExportTraceServiceRequest` bytes.
///
/// Ids are hexadecimal in either case; 64-bit integers are strings or numbers; enumerations numbers or names; member
/// names in lowerCamelCase or as in the `.proto` files; unknown members are ignored; `null` is an absent member.
/// Source: the OTLP specification, "JSON Protobuf Encoding".
pub fn to_protobuf(json: &[u8]) -> Result<Vec<u8>, WireError> {
    let mut translator = Translator {
        json: Json::new(json),
        writer: Writer::default(),
        frames: Vec::new(),
        span: None,
        is_spoilt: false,
    };
    translator.request()?;
    Ok(translator.writer.finish())
}

struct Translator<'a> {
    json: Json<'a>,
    writer: Writer,
    frames: Vec<Frame>,
    /// Position in `frames` of the span that is being read.
    span: Option<usize>,
    /// Whether that span has a member of the wrong type.
    is_spoilt: bool,
}

/// An object or array that has begun.
struct Frame {
    kind: FrameKind,
    is_first: bool,
}

#[derive(Clone, Copy)]
enum FrameKind {
    Object(&'static Message),
    /// Of messages of that field.
    Array(&'static Field, &'static Message),
}

impl Translator<'_> {
    fn request(&mut self) -> Result<(), WireError> {
        self.json.punctuation(b'{', "an object")?;
        self.frames.push(Frame { kind: FrameKind::Object(&REQUEST), is_first: true });
        while let Some(frame) = self.frames.last_mut() {
            match frame.kind {
                FrameKind::Object(message) => {
                    if self.json.next_entry(&mut frame.is_first, b'}')? {
                        self.member(message)?;
                    } else {
                        self.end_object();
                    }
                }
                FrameKind::Array(field, message) => {
                    if self.json.next_entry(&mut frame.is_first, b']')? {
                        self.element(field, message)?;
                    } else {
                        self.frames.pop();
                    }
                }
            }
        }
        self.json.end()
    }

    fn member(&mut self, message: &'static Message) -> Result<(), WireError> {
        let name = self.json.name()?;
        let Some(field) = message.field(&name) else { return self.json.skip_value() };
        match (field.shape, self.json.peek()?) {
            (_, b'n') => self.json.literal("null"),
            (Shape::One(message), b'{') => self.begin_object(field, message),
            (Shape::Many(message), b'[') if self.frames.len() < FRAMES_MAX => {
                self.json.punctuation(b'[', "an array")?;
                self.frames.push(Frame { kind: FrameKind::Array(field, message), is_first: true });
                Ok(())
            }
            (Shape::Many(_), b'[') => self.json.skip_value(),
            (Shape::One(_) | Shape::Many(_), _) => self.wrong(field),
            (_, b'"') => self.string(field),
            (_, b'-' | b'0'..=b'9') => self.number(field),
            (Shape::Bool, first @ (b't' | b'f')) => {
                self.json.literal(if first == b't' { "true" } else { "false" })?;
                self.writer.varint(field.number, u64::from(first == b't'));
                Ok(())
            }
            _ => self.wrong(field),
        }
    }

    fn element(&mut self, field: &'static Field, message: &'static Message) -> Result<(), WireError> {
        match self.json.peek()? {
            b'{' => self.begin_object(field, message),
            b'n' => {
                self.writer.open(field.number);
                self.writer.close();
                self.json.literal("null")
            }
            _ if is_span(message) => {
                self.writer.bytes(field.number, UNREADABLE);
                self.json.skip_value()
            }
            _ => self.wrong(field),
        }
    }

    fn begin_object(&mut self, field: &Field, message: &'static Message) -> Result<(), WireError> {
        if self.frames.len() >= FRAMES_MAX {
            return self.json.skip_value();
        }
        self.json.punctuation(b'{', "an object")?;
        if is_span(message) {
            self.span = Some(self.frames.len());
            self.is_spoilt = false;
        }
        self.writer.open(field.number);
        self.frames.push(Frame { kind: FrameKind::Object(message), is_first: true });
        Ok(())
    }

    fn end_object(&mut self) {
        self.frames.pop();
        if self.span == Some(self.frames.len()) {
            self.span = None;
            if self.is_spoilt {
                self.writer.clear();
                self.writer.raw(UNREADABLE);
            }
        }
        self.writer.close();
    }

    /// A member whose value has the wrong type: outside of spans nothing can be kept, as whose spans they are is unknown.
    fn wrong(&mut self, field: &Field) -> Result<(), WireError> {
        if self.span.is_none() {
            return Err(self.json.expected(&format!("{} as {:?}", field.shape.expected(), field.name)));
        }
        self.is_spoilt = true;
        self.json.skip_value()
    }

    fn string(&mut self, field: &Field) -> Result<(), WireError> {
        let start = self.json.mark();
        let string = self.json.string()?;
        if self.write_string(field, &string).is_none() {
            self.json.return_to(start);
            return self.wrong(field);
        }
        Ok(())
    }

    fn number(&mut self, field: &Field) -> Result<(), WireError> {
        let start = self.json.mark();
        let number = self.json.number()?;
        if self.write_number(field, number).is_none() {
            self.json.return_to(start);
            return self.wrong(field);
        }
        Ok(())
    }

    /// Writes a string as the field; `None` when the field takes no such string.
    fn write_string(&mut self, field: &Field, string: &[u8]) -> Option<()> {
        match field.shape {
            Shape::Text => self.writer.bytes(field.number, string),
            Shape::Id => self.writer.bytes(field.number, &id(string)),
            Shape::Bytes => self.writer.bytes(field.number, &base64::decode(string)?),
            Shape::Enum(names) => match names.iter().position(|name| name.as_bytes() == string) {
                Some(number) => self.writer.varint(field.number, number as u64),
                None => return self.write_number(field, str::from_utf8(string).ok()?),
            },
            Shape::Double => {
                let number = match string {
                    b"NaN" => f64::NAN,
                    b"Infinity" => f64::INFINITY,
                    b"-Infinity" => f64::NEG_INFINITY,
                    text => finite(str::from_utf8(text).ok()?)?,
                };
                self.writer.fixed64(field.number, number.to_bits());
            }
            _ => return self.write_number(field, str::from_utf8(string).ok()?),
        }
        Some(())
    }

    /// Writes a number as the field; `None` when the field takes no such number.
    fn write_number(&mut self, field: &Field, text: &str) -> Option<()> {
        match field.shape {
            Shape::Int64 => self.writer.varint(field.number, i64::try_from(integer(text)?).ok()? as u64),
            Shape::Uint32 => self.writer.varint(field.number, u64::from(u32::try_from(integer(text)?).ok()?)),
            Shape::Fixed32 => self.writer.fixed32(field.number, u32::try_from(integer(text)?).ok()?),
            Shape::Fixed64 => self.writer.fixed64(field.number, u64::try_from(integer(text)?).ok()?),
            Shape::Double => self.writer.fixed64(field.number, finite(text)?.to_bits()),
            Shape::Enum(_) => {
                let number = integer(text).and_then(|number| u64::try_from(number).ok());
                self.writer.varint(field.number, number.unwrap_or(UNKNOWN_NUMBER).min(UNKNOWN_NUMBER));
            }
            _ => return None,
        }
        Some(())
    }
}

fn is_span(message: &'static Message) -> bool {
    std::ptr::eq(message, &raw const SPAN)
}

/// The bytes of hexadecimal text; text that is none becomes one byte, which is the length of no id.
fn id(text: &[u8]) -> Vec<u8> {
    let digit = |digit: u8| char::from(digit).to_digit(16);
    let byte = |pair: &[u8]| match pair {
        [high, low] => Some((digit(*high)? * 16 + digit(*low)?) as u8),
        _ => None,
    };
    text.chunks(2).map(byte).collect::<Option<_>>().unwrap_or_else(|| vec![0])
}

/// A whole number, also in the form of a decimal fraction or with an exponent.
fn integer(text: &str) -> Option<i128> {
    const BOUND: f64 = u64::MAX as f64;
    let whole = |number: &f64| number.fract() == 0.0 && number.abs() <= BOUND;
    text.parse().ok().or_else(|| finite(text).filter(whole).map(|number| number as i128))
}

fn finite(text: &str) -> Option<f64> {
    text.parse().ok().filter(|number: &f64| number.is_finite())
}
