//! Reading: one pass, bounded in depth; any bytes give a value or a typed error.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clew_model::{Attribute, Event, Link, Resource, Scope, SpanId, TraceId, Value};

/// How many arrays and objects may lie in one another. An OpenTelemetry value takes up to four of them per level, and the
/// walkers of values recurse, so the bound lies where 64 levels fit and no stack is in danger.
pub const DEPTH_MAX: usize = 4 * 64 + 8;

/// A text that is not the OTLP/JSON of what was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not OTLP/JSON at byte {offset}: expected {expected}")]
pub struct JsonError {
    /// Where in the text.
    pub offset: usize,
    /// What should be there.
    pub expected: &'static str,
}

type Read<T> = Result<T, JsonError>;

/// The value of a text as [`super::write_value`] writes it.
pub fn read_value(text: &[u8]) -> Read<Value> {
    whole(text, Json::value)
}

/// The attributes of a text as [`super::write_attributes`] writes it.
pub fn read_attributes(text: &[u8]) -> Read<Vec<Attribute>> {
    whole(text, Json::attributes)
}

/// The resource of a text as [`super::write_resource`] writes it.
pub fn read_resource(text: &[u8]) -> Read<Resource> {
    whole(text, |json| {
        let mut resource = Resource::default();
        json.object(|json, name| {
            match name {
                "attributes" => resource.attributes = json.attributes()?,
                "droppedAttributesCount" => resource.dropped_attributes_count = json.count()?,
                "schemaUrl" => resource.schema_url = json.text()?.into_owned(),
                _ => json.skip_value()?,
            }
            Ok(())
        })?;
        Ok(resource)
    })
}

/// The scope of a text as [`super::write_scope`] writes it.
pub fn read_scope(text: &[u8]) -> Read<Scope> {
    whole(text, |json| {
        let mut scope = Scope::default();
        json.object(|json, name| {
            match name {
                "name" => scope.name = json.text()?.into_owned(),
                "version" => scope.version = json.text()?.into_owned(),
                "attributes" => scope.attributes = json.attributes()?,
                "droppedAttributesCount" => scope.dropped_attributes_count = json.count()?,
                "schemaUrl" => scope.schema_url = json.text()?.into_owned(),
                _ => json.skip_value()?,
            }
            Ok(())
        })?;
        Ok(scope)
    })
}

/// The events of a text as [`super::write_events`] writes it.
pub fn read_events(text: &[u8]) -> Read<Vec<Event>> {
    whole(text, |json| {
        json.list(|json| {
            let mut event = Event::default();
            json.object(|json, name| {
                match name {
                    "timeUnixNano" => event.time_unix_nanos = json.integer()?,
                    "name" => event.name = json.text()?.into_owned(),
                    "attributes" => event.attributes = json.attributes()?,
                    "droppedAttributesCount" => event.dropped_attributes_count = json.count()?,
                    _ => json.skip_value()?,
                }
                Ok(())
            })?;
            Ok(event)
        })
    })
}

/// The links of a text as [`super::write_links`] writes it.
pub fn read_links(text: &[u8]) -> Read<Vec<Link>> {
    whole(text, |json| {
        json.list(|json| {
            let mut link = Link::default();
            json.object(|json, name| {
                match name {
                    // Ids of zeros are written as they are, so that whatever a link holds comes back.
                    "traceId" => link.trace_id = TraceId(json.hex()?),
                    "spanId" => link.span_id = SpanId(json.hex()?),
                    "traceState" => link.trace_state = json.text()?.into_owned(),
                    "attributes" => link.attributes = json.attributes()?,
                    "droppedAttributesCount" => link.dropped_attributes_count = json.count()?,
                    "flags" => link.flags = json.count()?,
                    _ => json.skip_value()?,
                }
                Ok(())
            })?;
            Ok(link)
        })
    })
}

fn whole<'t, T>(text: &'t [u8], read: impl FnOnce(&mut Json<'t>) -> Read<T>) -> Read<T> {
    let mut json = Json { text, at: 0, depth: 0 };
    let found = read(&mut json)?;
    json.space();
    if json.at == text.len() { Ok(found) } else { Err(json.expected("the end")) }
}

struct Json<'t> {
    text: &'t [u8],
    at: usize,
    depth: usize,
}

impl<'t> Json<'t> {
    fn value(&mut self) -> Read<Value> {
        let mut value = Value::Empty;
        self.object(|json, name| {
            value = match name {
                "stringValue" => Value::String(json.text()?.into_owned()),
                "boolValue" => Value::Bool(json.truth()?),
                "intValue" => Value::Int(json.integer()?),
                "doubleValue" => Value::Double(json.double()?),
                "bytesValue" => Value::Bytes(json.bytes()?),
                "arrayValue" => Value::Array(json.values(Self::value)?),
                "kvlistValue" => Value::Map(json.values(Self::attribute)?),
                _ => return json.skip_value(),
            };
            Ok(())
        })?;
        Ok(value)
    }

    /// The list that is the member `values` of an object.
    fn values<T>(&mut self, item: impl Fn(&mut Self) -> Read<T>) -> Read<Vec<T>> {
        let mut values = Vec::new();
        self.object(|json, name| {
            if name == "values" {
                values = json.list(&item)?;
                Ok(())
            } else {
                json.skip_value()
            }
        })?;
        Ok(values)
    }

    fn attributes(&mut self) -> Read<Vec<Attribute>> {
        self.list(Self::attribute)
    }

    fn attribute(&mut self) -> Read<Attribute> {
        let mut attribute = Attribute::default();
        self.object(|json, name| {
            match name {
                "key" => attribute.key = json.text()?.into_owned(),
                "value" => attribute.value = json.value()?,
                _ => json.skip_value()?,
            }
            Ok(())
        })?;
        Ok(attribute)
    }

    fn object(&mut self, mut member: impl FnMut(&mut Self, &str) -> Read<()>) -> Read<()> {
        self.enclosed(b'{', b'}', "an object", |json| {
            let name = json.text()?;
            json.space();
            json.byte(b':', "a colon")?;
            member(json, &name)
        })
    }

    fn list<T>(&mut self, mut item: impl FnMut(&mut Self) -> Read<T>) -> Read<Vec<T>> {
        let mut items = Vec::new();
        self.enclosed(b'[', b']', "an array", |json| {
            items.push(item(json)?);
            Ok(())
        })?;
        Ok(items)
    }

    fn enclosed(
        &mut self,
        open: u8,
        close: u8,
        what: &'static str,
        mut item: impl FnMut(&mut Self) -> Read<()>,
    ) -> Read<()> {
        self.space();
        self.byte(open, what)?;
        if self.depth == DEPTH_MAX {
            return Err(self.expected("less nesting"));
        }
        self.depth += 1;
        self.space();
        if !self.skip_byte(close) {
            loop {
                item(self)?;
                self.space();
                if self.skip_byte(close) {
                    break;
                }
                self.byte(b',', "a comma or the end of the list")?;
            }
        }
        self.depth -= 1;
        Ok(())
    }

    fn text(&mut self) -> Read<Cow<'t, str>> {
        self.space();
        self.byte(b'"', "a text")?;
        let start = self.at;
        let mut owned: Option<Vec<u8>> = None;
        loop {
            let rest = self.text.get(self.at..).unwrap_or_default();
            let Some(plain) = rest.iter().position(|byte| *byte < 0x20 || *byte == b'"' || *byte == b'\\') else {
                return Err(self.expected("the end of a text"));
            };
            if let Some(owned) = &mut owned {
                owned.extend_from_slice(&rest[..plain]);
            }
            self.at += plain;
            match rest[plain] {
                b'"' => break,
                b'\\' => {
                    let before = &self.text[start..self.at];
                    let owned = owned.get_or_insert_with(|| before.to_vec());
                    self.at += 1;
                    let character = self.escaped()?;
                    owned.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                }
                _ => return Err(self.expected("no control character")),
            }
        }
        let plain = &self.text[start..self.at];
        self.at += 1;
        let bad = JsonError { offset: start, expected: "UTF-8" };
        match owned {
            Some(owned) => Ok(Cow::Owned(String::from_utf8(owned).map_err(|_| bad)?)),
            None => Ok(Cow::Borrowed(std::str::from_utf8(plain).map_err(|_| bad)?)),
        }
    }

    /// What follows a backslash.
    fn escaped(&mut self) -> Read<char> {
        let escape = self.peek();
        self.at += 1;
        Ok(match escape {
            Some(plain @ (b'"' | b'\\' | b'/')) => char::from(plain),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                let mut code = self.code_unit()?;
                if (0xd800..0xdc00).contains(&code) && self.text[self.at..].starts_with(b"\\u") {
                    self.at += 2;
                    let low = self.code_unit()?;
                    if !(0xdc00..0xe000).contains(&low) {
                        return Err(self.expected("a pair of surrogates"));
                    }
                    code = 0x1_0000 + ((code - 0xd800) << 10) + (low - 0xdc00);
                }
                char::from_u32(code).ok_or(self.expected("a pair of surrogates"))?
            }
            _ => return Err(self.expected("an escaped character")),
        })
    }

    fn code_unit(&mut self) -> Read<u32> {
        let digits = self.text.get(self.at..self.at + 4).ok_or(self.expected("four hexadecimal digits"))?;
        let mut code = 0;
        for digit in digits {
            code = code * 16 + char::from(*digit).to_digit(16).ok_or(self.expected("a hexadecimal digit"))?;
        }
        self.at += 4;
        Ok(code)
    }

    fn hex<const N: usize>(&mut self) -> Read<[u8; N]> {
        let text = self.text()?;
        let mut bytes = [0; N];
        let digit = |byte: u8| char::from(byte).to_digit(16);
        let pairs = text.as_bytes().chunks_exact(2).zip(&mut bytes);
        let fits = text.len() == N * 2;
        let all = fits
            && pairs.into_iter().all(|(pair, byte)| match (digit(pair[0]), digit(pair[1])) {
                (Some(high), Some(low)) => {
                    *byte = (high * 16 + low) as u8;
                    true
                }
                _ => false,
            });
        if all { Ok(bytes) } else { Err(self.expected("an id in hexadecimal digits")) }
    }

    fn bytes(&mut self) -> Read<Vec<u8>> {
        let text = self.text()?;
        STANDARD.decode(text.as_bytes()).map_err(|_| self.expected("base64"))
    }

    fn truth(&mut self) -> Read<bool> {
        match self.word()? {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err(self.expected("true or false")),
        }
    }

    fn count(&mut self) -> Read<u32> {
        self.integer()
    }

    /// An integer, in quotes or not.
    fn integer<T: std::str::FromStr>(&mut self) -> Read<T> {
        self.space();
        let number = if self.peek() == Some(b'"') { self.text()? } else { Cow::Borrowed(self.word()?) };
        number.parse().map_err(|_| self.expected("an integer that fits"))
    }

    fn double(&mut self) -> Read<f64> {
        self.space();
        if self.peek() == Some(b'"') {
            return match self.text()?.as_ref() {
                "NaN" => Ok(f64::NAN),
                "Infinity" => Ok(f64::INFINITY),
                "-Infinity" => Ok(f64::NEG_INFINITY),
                _ => Err(self.expected("NaN, Infinity or -Infinity")),
            };
        }
        let word = self.word()?;
        let number = word.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte));
        word.parse().ok().filter(|_| number).ok_or(self.expected("a number"))
    }

    /// A number, truth value or null, as it is written.
    fn word(&mut self) -> Read<&'t str> {
        self.space();
        let rest = &self.text[self.at..];
        let end = rest.iter().position(|byte| !(byte.is_ascii_alphanumeric() || b"+-.".contains(byte)));
        let word = &rest[..end.unwrap_or(rest.len())];
        self.at += word.len();
        std::str::from_utf8(word).ok().filter(|word| !word.is_empty()).ok_or(self.expected("a value"))
    }

    /// Passes over a member that this version does not know.
    fn skip_value(&mut self) -> Read<()> {
        self.space();
        match self.peek() {
            Some(b'{') => self.object(|json, _| json.skip_value()),
            Some(b'[') => self.enclosed(b'[', b']', "an array", Self::skip_value),
            Some(b'"') => self.text().map(drop),
            _ => self.word().map(drop),
        }
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn skip_byte(&mut self, byte: u8) -> bool {
        let is_next = self.peek() == Some(byte);
        self.at += usize::from(is_next);
        is_next
    }

    fn byte(&mut self, byte: u8, expected: &'static str) -> Read<()> {
        if self.skip_byte(byte) { Ok(()) } else { Err(self.expected(expected)) }
    }

    fn expected(&self, expected: &'static str) -> JsonError {
        JsonError { offset: self.at.min(self.text.len()), expected }
    }
}
