//! Writing: straight into the buffer of a column, without a tree in between.

use std::io::Write as _;

use base64::display::Base64Display;
use base64::engine::general_purpose::STANDARD;
use clew_model::{Attribute, Event, Link, Resource, Scope, Value, ValueRef};

/// Appends a value: `{"stringValue":"x"}`, or `{}` when there is none.
pub fn write_value(out: &mut Vec<u8>, value: ValueRef<'_>) {
    match value {
        ValueRef::Empty => out.extend(b"{"),
        ValueRef::String(text) => {
            out.extend(b"{\"stringValue\":");
            quote(out, text);
        }
        ValueRef::Bool(truth) => {
            out.extend(b"{\"boolValue\":");
            out.extend(if truth { b"true".as_slice() } else { b"false" });
        }
        ValueRef::Int(number) => print(out, format_args!("{{\"intValue\":\"{number}\"")),
        ValueRef::Double(number) if number.is_nan() => out.extend(b"{\"doubleValue\":\"NaN\""),
        ValueRef::Double(number) if number.is_infinite() => {
            let sign = if number < 0.0 { "-" } else { "" };
            print(out, format_args!("{{\"doubleValue\":\"{sign}Infinity\""));
        }
        // The debug form has an exponent where the plain one would write hundreds of zeros.
        ValueRef::Double(number) => print(out, format_args!("{{\"doubleValue\":{number:?}")),
        ValueRef::Bytes(bytes) => {
            print(out, format_args!("{{\"bytesValue\":\"{}\"", Base64Display::new(bytes, &STANDARD)));
        }
        ValueRef::Nested(Value::Map(entries)) => {
            out.extend(b"{\"kvlistValue\":{\"values\":");
            write_attributes(out, entries);
            out.push(b'}');
        }
        ValueRef::Nested(Value::Array(values)) => {
            out.extend(b"{\"arrayValue\":{\"values\":");
            list(out, values, |out, value| write_value(out, value.into()));
            out.push(b'}');
        }
        ValueRef::Nested(scalar) => return write_value(out, scalar.into()),
    }
    out.push(b'}');
}

/// Appends an array of keys and values.
pub fn write_attributes(out: &mut Vec<u8>, attributes: &[Attribute]) {
    write_entries(out, attributes.iter().map(|attribute| (attribute.key.as_str(), (&attribute.value).into())));
}

/// Appends an array of keys and values that lie elsewhere.
pub fn write_entries<'v>(out: &mut Vec<u8>, entries: impl IntoIterator<Item = (&'v str, ValueRef<'v>)>) {
    list(out, entries, |out, (key, value)| {
        out.extend(b"{\"key\":");
        quote(out, key.as_bytes());
        out.extend(b",\"value\":");
        write_value(out, value);
        out.push(b'}');
    });
}

/// Appends a resource.
pub fn write_resource(out: &mut Vec<u8>, resource: &Resource) {
    let mut object = Object::open(out);
    object.attributes(&resource.attributes, resource.dropped_attributes_count);
    object.text("schemaUrl", &resource.schema_url);
    object.close();
}

/// Appends an instrumentation scope.
pub fn write_scope(out: &mut Vec<u8>, scope: &Scope) {
    let mut object = Object::open(out);
    object.text("name", &scope.name);
    object.text("version", &scope.version);
    object.attributes(&scope.attributes, scope.dropped_attributes_count);
    object.text("schemaUrl", &scope.schema_url);
    object.close();
}

/// Appends an array of events.
pub fn write_events(out: &mut Vec<u8>, events: &[Event]) {
    list(out, events, |out, event| {
        let mut object = Object::open(out);
        if event.time_unix_nanos != 0 {
            object.print("timeUnixNano", format_args!("\"{}\"", event.time_unix_nanos));
        }
        object.text("name", &event.name);
        object.attributes(&event.attributes, event.dropped_attributes_count);
        object.close();
    });
}

/// Appends an array of links.
pub fn write_links(out: &mut Vec<u8>, links: &[Link]) {
    list(out, links, |out, link| {
        let mut object = Object::open(out);
        object.print("traceId", format_args!("\"{}\"", link.trace_id));
        object.print("spanId", format_args!("\"{}\"", link.span_id));
        object.text("traceState", &link.trace_state);
        object.attributes(&link.attributes, link.dropped_attributes_count);
        object.count("flags", link.flags);
        object.close();
    });
}

/// An object whose members with default values are left out.
struct Object<'o> {
    out: &'o mut Vec<u8>,
    is_empty: bool,
}

impl<'o> Object<'o> {
    fn open(out: &'o mut Vec<u8>) -> Self {
        out.push(b'{');
        Self { out, is_empty: true }
    }

    fn close(self) {
        self.out.push(b'}');
    }

    fn member(&mut self, name: &str) -> &mut Vec<u8> {
        if !self.is_empty {
            self.out.push(b',');
        }
        self.is_empty = false;
        self.out.push(b'"');
        self.out.extend(name.as_bytes());
        self.out.extend(b"\":");
        self.out
    }

    fn print(&mut self, name: &str, value: std::fmt::Arguments<'_>) {
        print(self.member(name), value);
    }

    fn text(&mut self, name: &str, text: &str) {
        if !text.is_empty() {
            quote(self.member(name), text.as_bytes());
        }
    }

    fn count(&mut self, name: &str, count: u32) {
        if count != 0 {
            self.print(name, format_args!("{count}"));
        }
    }

    fn attributes(&mut self, attributes: &[Attribute], dropped_count: u32) {
        if !attributes.is_empty() {
            write_attributes(self.member("attributes"), attributes);
        }
        self.count("droppedAttributesCount", dropped_count);
    }
}

fn print(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("a vector takes all that is written");
}

fn list<T>(out: &mut Vec<u8>, items: impl IntoIterator<Item = T>, mut write: impl FnMut(&mut Vec<u8>, T)) {
    out.push(b'[');
    for (position, item) in items.into_iter().enumerate() {
        if position > 0 {
            out.push(b',');
        }
        write(out, item);
    }
    out.push(b']');
}

/// Appends a text in quotes; runs without special characters are copied whole.
fn quote(out: &mut Vec<u8>, text: &[u8]) {
    out.push(b'"');
    let mut plain = 0;
    for (at, byte) in text.iter().enumerate() {
        if *byte >= 0x20 && *byte != b'"' && *byte != b'\\' {
            continue;
        }
        out.extend_from_slice(&text[plain..at]);
        plain = at + 1;
        match byte {
            b'"' => out.extend(b"\\\""),
            b'\\' => out.extend(b"\\\\"),
            b'\n' => out.extend(b"\\n"),
            b'\t' => out.extend(b"\\t"),
            b'\r' => out.extend(b"\\r"),
            control => print(out, format_args!("\\u{control:04x}")),
        }
    }
    out.extend_from_slice(&text[plain..]);
    out.push(b'"');
}
