use std::io::Write as _;

use clew_wire::otlp_json::JsonShape;

use super::*;
use crate::ask::jaeger;
use crate::ask::naive::known_trace;
use clew_model::identity::{distinct, sorted};

const MIB: usize = 1 << 20;
const NOW: u64 = 1_800_000_000_000_000_000;

fn read_now(bytes: &[u8]) -> Result<FileSpans, FileError> {
    read(bytes, &Limits::default(), NOW, MIB)
}

fn known() -> Vec<Span> {
    sorted(distinct(known_trace()))
}

fn json_text(spans: &[Span]) -> Vec<u8> {
    serde_json::to_vec(&otlp_json::encode(spans, JsonShape::Otlp)).unwrap()
}

fn framed(messages: &[Vec<u8>], length: impl Fn(usize) -> Vec<u8>) -> Vec<u8> {
    messages.iter().flat_map(|message| [length(message.len()), message.clone()].concat()).collect()
}

fn varint(mut length: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while length >= 0x80 {
        bytes.push(length as u8 | 0x80);
        length >>= 7;
    }
    bytes.push(length as u8);
    bytes
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// What all forms of OTLP keep, in one order.
fn bare(spans: Vec<Span>) -> Vec<Span> {
    let mut spans = spans;
    for span in &mut spans {
        (span.received_unix_nanos, span.notes) = (0, clew_model::Notes::default());
    }
    sorted(spans)
}

#[test]
fn every_form_of_otlp_is_told_by_its_content() {
    let spans = known();
    let halves = spans.split_at(spans.len() / 2);
    let lines = [json_text(halves.0), b"\n\n".to_vec(), json_text(halves.1), b"\n".to_vec()].concat();
    let messages = [otlp::encode(halves.0), otlp::encode(halves.1)];
    let packed = messages.each_ref().map(|message| zstd::encode_all(&message[..], 1).unwrap());
    let pretty = serde_json::to_vec_pretty(&otlp_json::encode(&spans, JsonShape::Otlp)).unwrap();
    let files = [
        ("an object", json_text(&spans)),
        ("an object, pretty", pretty),
        ("lines", lines.clone()),
        ("with a mark", [UTF8_MARK, &json_text(&spans)].concat()),
        ("a message", otlp::encode(&spans)),
        ("lengths of four bytes", framed(&messages, |length| (length as u32).to_be_bytes().to_vec())),
        ("the same, packed one by one", framed(&packed, |length| (length as u32).to_be_bytes().to_vec())),
        ("varints", framed(&messages, varint)),
        ("gzip", gzip(&lines)),
        ("zstd", zstd::encode_all(&otlp::encode(&spans)[..], 1).unwrap()),
    ];
    for (form, bytes) in files {
        let file = read_now(&bytes).unwrap_or_else(|error| panic!("{form}: {error}"));
        assert_eq!(bare(file.spans), bare(spans.clone()), "{form}");
        assert_eq!(file.problems, [""; 0], "{form}");
    }
}

#[test]
fn a_message_whose_length_reads_as_json_is_no_json() {
    let span = |name: usize| {
        let mut span = Span { trace_id: clew_model::TraceId([1; 16]), start_unix_nanos: 5, ..known()[0].clone() };
        span.name = "n".repeat(name);
        otlp::encode(&[span])
    };
    let message = (0..123).map(span).find(|message| message.len() == 123);
    // Whatever the known trace's first span is, a length of 123 begins with a brace.
    let Some(message) = message else { return assert!(span(0).len() > 123, "a shorter span reaches 123 bytes") };
    let file = read_now(&framed(&[message], varint)).unwrap();
    assert_eq!(file.spans.len(), 1);
}

#[test]
fn what_jaeger_s_door_answers_is_read_back() {
    let spans = known();
    let answer = jaeger::answer(&spans);
    let file = read_now(&answer).unwrap();
    let shape = |spans: &[Span]| {
        let mut shape: Vec<_> = spans
            .iter()
            .map(|span| {
                let kind = if span.kind == clew_model::Kind::Unspecified { 0 } else { span.kind as u8 };
                let parent = span.parent_span_id;
                (span.span_id, parent, span.name.clone(), kind, span.service().to_owned(), span.status.clone())
            })
            .collect();
        shape.sort_by_key(|span| (span.0, span.3));
        shape
    };
    assert_eq!(shape(&file.spans), shape(&spans));
    let micros = |spans: &[Span]| spans.iter().map(|span| span.duration_nanos / 1000).sum::<u64>();
    assert_eq!(micros(&file.spans), micros(&spans));
    let count =
        |spans: &[Span]| spans.iter().map(|span| (span.events.len(), span.attributes.len())).collect::<Vec<_>>();
    assert_eq!(count(&sorted(file.spans)).len(), count(&spans).len());
}

#[test]
fn zipkin_s_file_is_read_and_mended_like_spans_that_are_sent() {
    let zipkin = br#"[{"traceId": "a", "id": "b", "name": "get", "timestamp": 1700000000000000, "duration": 5,
        "localEndpoint": {"serviceName": "web"}}, {"traceId": "a", "id": "c"}, 5]"#;
    let file = read_now(zipkin).unwrap();
    assert_eq!((file.spans.len(), file.spans[0].service()), (1, "web"));
    let problems =
        ["1 span was left out: start time is missing", "1 span was left out: trace id is not 16 bytes or is all zeros"];
    assert_eq!(file.problems, problems);
    let limits = Limits { value_bytes: 2, ..Limits::default() };
    assert_eq!(read(zipkin, &limits, NOW, MIB).unwrap().spans[0].name, "ge");
}

#[test]
fn what_is_not_read_is_named() {
    for (bytes, named) in [
        (&b""[..], "the file is empty"),
        (b" \n", "the file is empty"),
        (b"hello, world", "none of the files"),
        (b"<!doctype html>", "a web page"),
        (b"PAR1....", "a Parquet file"),
        (b"[]", "it is an empty list"),
        (br#"{"data": []}"#, "it is an empty list"),
        (br#"{"resourceSpans": []}"#, "OTLP/JSON, and no span in it"),
        (br#"{"resourceMetrics": []}"#, "metrics, logs or profiles"),
        (br#"{"batches": []}"#, "Tempo's own JSON"),
        (br#"{"traceEvents": []}"#, "Chrome"),
        (br#"{"traceId": "1", "summary": {}}"#, "as clew explains it"),
        (br#"[{"traceId": "1", "id": "2", "binaryAnnotations": []}]"#, "version 1"),
        (br#"{"name": "x"}"#, "JSON of another kind"),
        (br#"{"resourceSpans": [{"#, "OTLP/JSON, and the message ends"),
        (b"{oops", "JSON, and expected the name of a member"),
        (br#"{"resourceSpans": 5}"#, "OTLP/JSON, and expected an array"),
        (br#"[{"traceId": "zz", "id": "1"}]"#, "Zipkin's JSON, and no span in it can be shown; 1 span was left out"),
        (&[0x1f, 0x8b, 8, 0], "packed by gzip"),
        (&[0x28, 0xb5, 0x2f, 0xfd, 9, 9], "packed by zstd"),
        (&[0, 0, 0, 200, 1, 2], "none of the files"),
        (&[0x0a, 0x03, 1, 2], "none of the files"),
        (&[0xff; 40], "none of the files"),
    ] {
        let error = read_now(bytes).expect_err("nothing to show").to_string();
        assert!(error.contains(named), "{:?}: {error}", String::from_utf8_lossy(bytes));
    }
}

#[test]
fn a_line_that_is_cut_spares_the_others() {
    let whole = json_text(&known());
    let lines = [&whole[..], b"\n", &whole[..whole.len() / 2]].concat();
    let file = read_now(&lines).unwrap();
    assert_eq!(file.spans.len(), known().len());
    assert!(file.problems[0].starts_with("line 2: the message ends at byte"), "{:?}", file.problems);
    let frames = framed(&[otlp::encode(&known()), otlp::encode(&known())], varint);
    let error = read_now(&frames[..frames.len() - 1]).unwrap_err().to_string();
    assert!(error.contains("message 2 is cut off"), "{error}");
}

#[test]
fn a_bomb_stops_at_the_bound() {
    let zeros = vec![b' '; 8 * MIB];
    for bomb in [gzip(&zeros), zstd::encode_all(&zeros[..], 1).unwrap()] {
        let error = read_now(&bomb).unwrap_err();
        assert!(matches!(&error, FileError::TooLarge(what) if what.contains("query.explain_bytes")), "{error}");
    }
}
