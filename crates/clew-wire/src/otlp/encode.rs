//! Spans and values to OTLP protobuf.

use std::sync::Arc;

use clew_model::{Attribute, Event, Kind, Link, Resource, Scope, Span, Status, StatusCode, Value};

use crate::writer::Writer;

/// The spans as an `ExportTraceServiceRequest`, which is also a `TracesData` and Grafana Tempo's `Trace`.
///
/// Consecutive spans of the same or an equal resource share a `ResourceSpans`, and those of an equal scope a `ScopeSpans`.
pub fn encode(spans: &[Span]) -> Vec<u8> {
    let mut writer = Writer::default();
    for group in spans.chunk_by(|a, b| is_same(&a.resource, &b.resource)) {
        writer.open(1);
        write_resource(&mut writer, &group[0].resource);
        for group in group.chunk_by(|a, b| is_same(&a.scope, &b.scope)) {
            writer.open(2);
            write_scope(&mut writer, &group[0].scope);
            for span in group {
                writer.open(2);
                write_span(&mut writer, span);
                writer.close();
            }
            text(&mut writer, 3, &group[0].scope.schema_url);
            writer.close();
        }
        text(&mut writer, 3, &group[0].resource.schema_url);
        writer.close();
    }
    writer.finish()
}

/// The value as an `AnyValue` message.
pub fn encode_value(value: &Value) -> Vec<u8> {
    let mut writer = Writer::default();
    write_value(&mut writer, value);
    writer.finish()
}

/// Whether two spans can share a group.
pub(crate) fn is_same<T: PartialEq>(a: &Arc<T>, b: &Arc<T>) -> bool {
    Arc::ptr_eq(a, b) || a == b
}

fn write_resource(writer: &mut Writer, resource: &Resource) {
    writer.open(1);
    attributes(writer, 1, &resource.attributes);
    number(writer, 2, resource.dropped_attributes_count);
    writer.close();
}

fn write_scope(writer: &mut Writer, scope: &Scope) {
    writer.open(1);
    text(writer, 1, &scope.name);
    text(writer, 2, &scope.version);
    attributes(writer, 3, &scope.attributes);
    number(writer, 4, scope.dropped_attributes_count);
    writer.close();
}

fn write_span(writer: &mut Writer, span: &Span) {
    writer.bytes(1, &span.trace_id.0);
    writer.bytes(2, &span.span_id.0);
    text(writer, 3, &span.trace_state);
    if let Some(parent) = span.parent_span_id {
        writer.bytes(4, &parent.0);
    }
    text(writer, 5, &span.name);
    if span.kind != Kind::Unspecified {
        writer.varint(6, span.kind as u64);
    }
    writer.fixed64(7, span.start_unix_nanos);
    writer.fixed64(8, span.end_unix_nanos());
    attributes(writer, 9, &span.attributes);
    number(writer, 10, span.dropped_attributes_count);
    for event in &span.events {
        writer.open(11);
        write_event(writer, event);
        writer.close();
    }
    number(writer, 12, span.dropped_events_count);
    for link in &span.links {
        writer.open(13);
        write_link(writer, link);
        writer.close();
    }
    number(writer, 14, span.dropped_links_count);
    if span.status != Status::default() {
        writer.open(15);
        text(writer, 2, &span.status.message);
        if span.status.code != StatusCode::Unset {
            writer.varint(3, span.status.code as u64);
        }
        writer.close();
    }
    if span.flags != 0 {
        writer.fixed32(16, span.flags);
    }
}

fn write_event(writer: &mut Writer, event: &Event) {
    if event.time_unix_nanos != 0 {
        writer.fixed64(1, event.time_unix_nanos);
    }
    text(writer, 2, &event.name);
    attributes(writer, 3, &event.attributes);
    number(writer, 4, event.dropped_attributes_count);
}

fn write_link(writer: &mut Writer, link: &Link) {
    writer.bytes(1, &link.trace_id.0);
    writer.bytes(2, &link.span_id.0);
    text(writer, 3, &link.trace_state);
    attributes(writer, 4, &link.attributes);
    number(writer, 5, link.dropped_attributes_count);
    if link.flags != 0 {
        writer.fixed32(6, link.flags);
    }
}

fn attributes(writer: &mut Writer, field: u32, attributes: &[Attribute]) {
    for attribute in attributes {
        writer.open(field);
        text(writer, 1, &attribute.key);
        writer.open(2);
        write_value(writer, &attribute.value);
        writer.close();
        writer.close();
    }
}

/// Recurses as deep as the value, which was bounded when it was read.
fn write_value(writer: &mut Writer, value: &Value) {
    match value {
        Value::Empty => {}
        Value::String(text) => writer.bytes(1, text.as_bytes()),
        Value::Bool(truth) => writer.varint(2, u64::from(*truth)),
        Value::Int(number) => writer.varint(3, *number as u64),
        Value::Double(number) => writer.fixed64(4, number.to_bits()),
        Value::Bytes(bytes) => writer.bytes(7, bytes),
        Value::Array(values) => {
            writer.open(5);
            for value in values {
                writer.open(1);
                write_value(writer, value);
                writer.close();
            }
            writer.close();
        }
        Value::Map(entries) => {
            writer.open(6);
            attributes(writer, 1, entries);
            writer.close();
        }
    }
}

fn text(writer: &mut Writer, field: u32, text: &str) {
    if !text.is_empty() {
        writer.bytes(field, text.as_bytes());
    }
}

fn number(writer: &mut Writer, field: u32, number: u32) {
    if number != 0 {
        writer.varint(field, u64::from(number));
    }
}
