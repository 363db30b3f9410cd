//! Requests of Prometheus' remote write, version 1.0: <https://prometheus.io/docs/specs/prw/remote_write_spec/>. Written only.

use crate::writer::Writer;

// Numbers of fields, from prompb/remote.proto and prompb/types.proto of Prometheus. Times are in milliseconds.
const WRITE_REQUEST_TIMESERIES: u32 = 1;
const TIME_SERIES_LABELS: u32 = 1;
const TIME_SERIES_SAMPLES: u32 = 2;
const TIME_SERIES_EXEMPLARS: u32 = 3;
const LABEL_NAME: u32 = 1;
const LABEL_VALUE: u32 = 2;
const SAMPLE_VALUE: u32 = 1;
const SAMPLE_TIMESTAMP: u32 = 2;
const EXEMPLAR_LABELS: u32 = 1;
const EXEMPLAR_VALUE: u32 = 2;
const EXEMPLAR_TIMESTAMP: u32 = 3;

/// The value of `Content-Type`.
pub const CONTENT_TYPE: &str = "application/x-protobuf";

/// The value of `Content-Encoding`.
pub const CONTENT_ENCODING: &str = "snappy";

/// The header that names the version of the protocol, and its value, which the specification of 1.0 fixes.
pub const VERSION: (&str, &str) = ("x-prometheus-remote-write-version", "0.1.0");

/// A request being written: series with one sample each.
#[derive(Default)]
pub struct WriteRequest {
    writer: Writer,
    sample_count: usize,
}

/// A number at a time, with what tells it from others.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point<'a> {
    /// In any order, each name once. Those without a value are left out, since Prometheus knows no difference and the
    /// specification forbids them.
    pub labels: &'a [(&'a str, &'a str)],
    /// The number.
    pub value: f64,
    /// When.
    pub unix_millis: u64,
}

impl WriteRequest {
    /// Appends a series with one sample and, perhaps, an exemplar. The name of the series is its label `__name__`.
    pub fn push(&mut self, sample: &Point<'_>, exemplar: Option<&Point<'_>>) {
        let writer = &mut self.writer;
        writer.open(WRITE_REQUEST_TIMESERIES);
        labels(writer, TIME_SERIES_LABELS, sample.labels);
        writer.open(TIME_SERIES_SAMPLES);
        writer.fixed64(SAMPLE_VALUE, sample.value.to_bits());
        writer.varint(SAMPLE_TIMESTAMP, sample.unix_millis);
        writer.close();
        if let Some(exemplar) = exemplar {
            writer.open(TIME_SERIES_EXEMPLARS);
            labels(writer, EXEMPLAR_LABELS, exemplar.labels);
            writer.fixed64(EXEMPLAR_VALUE, exemplar.value.to_bits());
            writer.varint(EXEMPLAR_TIMESTAMP, exemplar.unix_millis);
            writer.close();
        }
        writer.close();
        self.sample_count += 1;
    }

    /// How many samples there are.
    pub fn sample_count(&self) -> usize {
        self.sample_count
    }

    /// Bytes written so far, about as many as the message will have.
    pub fn byte_count(&self) -> usize {
        self.writer.byte_count()
    }

    /// The message in Snappy's block format, which is what the body of a request is.
    pub fn finish(self) -> Vec<u8> {
        let message = self.writer.finish();
        snap::raw::Encoder::new().compress_vec(&message).expect("whoever writes a request ends it long before 4 GiB")
    }
}

/// Labels by name, as the specification asks for them.
fn labels(writer: &mut Writer, field: u32, labels: &[(&str, &str)]) {
    let mut sorted: Vec<_> = labels.iter().filter(|(_, value)| !value.is_empty()).collect();
    sorted.sort_unstable();
    for (name, value) in sorted {
        writer.open(field);
        writer.bytes(LABEL_NAME, name.as_bytes());
        writer.bytes(LABEL_VALUE, value.as_bytes());
        writer.close();
    }
}

#[cfg(test)]
#[path = "remote_write/tests.rs"]
mod tests;
