//! prost's messages are the oracle; their tags are those of Prometheus' prompb/remote.proto and prompb/types.proto.

use prost::Message;

use super::*;

#[derive(Clone, PartialEq, Message)]
struct OracleRequest {
    #[prost(message, repeated, tag = "1")]
    timeseries: Vec<TimeSeries>,
}

#[derive(Clone, PartialEq, Message)]
struct TimeSeries {
    #[prost(message, repeated, tag = "1")]
    labels: Vec<Label>,
    #[prost(message, repeated, tag = "2")]
    samples: Vec<Sample>,
    #[prost(message, repeated, tag = "3")]
    exemplars: Vec<Exemplar>,
}

#[derive(Clone, PartialEq, Message)]
struct Label {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    value: String,
}

#[derive(Clone, PartialEq, Message)]
struct Sample {
    #[prost(double, tag = "1")]
    value: f64,
    #[prost(int64, tag = "2")]
    timestamp: i64,
}

#[derive(Clone, PartialEq, Message)]
struct Exemplar {
    #[prost(message, repeated, tag = "1")]
    labels: Vec<Label>,
    #[prost(double, tag = "2")]
    value: f64,
    #[prost(int64, tag = "3")]
    timestamp: i64,
}

fn owned(labels: &[(&str, &str)]) -> Vec<Label> {
    labels.iter().map(|(name, value)| Label { name: (*name).to_owned(), value: (*value).to_owned() }).collect()
}

fn decoded(body: &[u8]) -> OracleRequest {
    let message = snap::raw::Decoder::new().decompress_vec(body).unwrap();
    OracleRequest::decode(&message[..]).unwrap()
}

#[test]
fn an_oracle_reads_what_was_written_with_labels_by_name_and_none_empty() {
    let mut request = WriteRequest::default();
    let labels = [("server", "b"), ("__name__", "calls_total"), ("connection_type", ""), ("client", "a \u{e9}")];
    let exemplar = Point { labels: &[("trace_id", "0a"), ("span_id", "0b")], value: 0.25, unix_millis: 1_699 };
    request.push(&Point { labels: &labels, value: 3.0, unix_millis: 1_700_000_000_123 }, Some(&exemplar));
    request.push(&Point { labels: &[("__name__", "up")], value: f64::INFINITY, unix_millis: 0 }, None);
    assert_eq!(request.sample_count(), 2);
    let first = TimeSeries {
        labels: owned(&[("__name__", "calls_total"), ("client", "a \u{e9}"), ("server", "b")]),
        samples: vec![Sample { value: 3.0, timestamp: 1_700_000_000_123 }],
        exemplars: vec![Exemplar {
            labels: owned(&[("span_id", "0b"), ("trace_id", "0a")]),
            value: 0.25,
            timestamp: 1_699,
        }],
    };
    let second = TimeSeries {
        labels: owned(&[("__name__", "up")]),
        samples: vec![Sample { value: f64::INFINITY, timestamp: 0 }],
        exemplars: vec![],
    };
    assert_eq!(decoded(&request.finish()), OracleRequest { timeseries: vec![first, second] });
}

#[test]
fn the_bytes_are_these() {
    let mut request = WriteRequest::default();
    request.push(&Point { labels: &[("__name__", "up")], value: 1.0, unix_millis: 300 }, None);
    let label = b"\x0a\x0e\x0a\x08__name__\x12\x02up";
    let sample = b"\x12\x0c\x09\0\0\0\0\0\0\xf0\x3f\x10\xac\x02";
    let message = [&b"\x0a\x1e"[..], label, sample].concat();
    // Snappy: the length, then one literal of all, since nothing repeats (its format_description.txt).
    let body = [&[message.len() as u8, (message.len() as u8 - 1) << 2], &message[..]].concat();
    assert_eq!(request.finish(), body);
}
