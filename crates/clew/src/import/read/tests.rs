use std::io::Write as _;
use std::sync::Arc;

use clew_model::{Attribute, Resource, Span, SpanId, TraceId};
use clew_wire::otlp_json::JsonShape;

use super::*;

fn span(number: u64) -> Span {
    let resource = Resource { attributes: vec![Attribute::new("service.name", "s")], ..Resource::default() };
    Span {
        trace_id: TraceId([1; 16]),
        span_id: SpanId::from_u64(number),
        name: "op".to_owned(),
        start_unix_nanos: 1_770_000_000_000_000_000,
        resource: Arc::new(resource),
        ..Span::default()
    }
}

fn lines(count: u64) -> Vec<u8> {
    let line = |number| otlp_json::encode(&[span(number)], JsonShape::Otlp).to_string() + "\n";
    (1..=count).map(line).collect::<String>().into_bytes()
}

fn framed(messages: impl IntoIterator<Item = Vec<u8>>) -> Vec<u8> {
    let frame = |message: Vec<u8>| [&(message.len() as u32).to_be_bytes()[..], &message].concat();
    messages.into_iter().flat_map(frame).collect()
}

fn delimited(count: u64) -> Vec<u8> {
    let messages = (1..=count).map(|number| otlp::encode(&[span(number)]));
    messages.flat_map(|message| [vec![u8::try_from(message.len()).unwrap()], message].concat()).collect()
}

/// Numbers of spans by message, with the word for it, to the end or to what stops it.
fn read(file: &[u8]) -> (Vec<Result<u64, String>>, Option<String>) {
    /// A reader that gives little at a time, as pipes do.
    struct Slowly(io::Cursor<Vec<u8>>);
    impl Read for Slowly {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            let few = out.len().min(3);
            self.0.read(&mut out[..few])
        }
    }
    let mut messages = Messages::open(Box::new(Slowly(io::Cursor::new(file.to_vec())))).unwrap();
    let mut found = Vec::new();
    loop {
        match messages.next() {
            Ok(Some(message)) => {
                let named = |why| format!("{} {}: {why}", messages.unit(), message.number);
                found.push(message.otlp.map(|otlp| otlp.span_count).map_err(named));
            }
            Ok(None) => return (found, None),
            Err(why) => return (found, Some(why)),
        }
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd_of(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 1).unwrap()
}

#[test]
fn every_form_is_seen_from_its_content() {
    let protobuf = || (1..=3).map(|number| otlp::encode(&[span(number)]));
    let json = || lines(3).split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect::<Vec<_>>();
    let plain = [
        lines(3),
        [b"\n\n".to_vec(), lines(3)].concat(),
        lines(3).strip_suffix(b"\n").unwrap().to_vec(),
        framed(protobuf()),
        delimited(3),
        // The Collector's own compression: message by message, protobuf or JSON.
        framed(protobuf().map(|message| zstd_of(&message))),
        framed(json().iter().map(|line| zstd_of(line))),
    ];
    for (number, file) in plain.iter().enumerate() {
        for file in [file.clone(), gzip(file), zstd_of(file), [gzip(file), gzip(b"")].concat()] {
            assert_eq!(read(&file), (vec![Ok(1); 3], None), "form {number}");
        }
    }
    for empty in [&b""[..], b"\n\n", &gzip(b"")] {
        assert_eq!(read(empty), (Vec::new(), None));
    }
}

#[test]
fn a_varint_of_any_length_is_no_line() {
    // Lengths whose bytes are whitespace or an opening brace too.
    for length in [9, 10, 13, 32, 123, 127, 300, 20_000] {
        // An empty ResourceSpans, then a field that nobody knows.
        let mut message = vec![FIRST_TAG, 0, 0x7a];
        let length_bytes = if length > 16_390 {
            3
        } else if length > 132 {
            2
        } else {
            1
        };
        push_varint(&mut message, length - 3 - length_bytes);
        message.resize(length, b'x');
        let mut file = Vec::new();
        push_varint(&mut file, message.len());
        file.extend(&message);
        assert_eq!(Framing::of(&file[..file.len().min(16)]), Framing::Varint, "{length}");
        assert_eq!(read(&file), (vec![Ok(0)], None), "{length}");
    }
    for text in [&b"{\"resourceSpans\":[]}"[..], b"  {", b"\n{}", b"{}", b"[", b"x", b"\xef\xbb\xbf{"] {
        assert_eq!(Framing::of(text), Framing::Lines, "{text:?}");
    }
}

fn push_varint(bytes: &mut Vec<u8>, mut value: usize) {
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

#[test]
fn a_bad_line_is_named_and_its_neighbours_are_read() {
    let good = lines(1);
    let file =
        [&good[..], b"{\"resourceSpans\":7}\n", b"\n", b"nonsense\n", &good, b"{\"resourceMetrics\":[]}\n"].concat();
    let (found, end) = read(&file);
    assert_eq!(end, None);
    assert_eq!((&found[0], &found[3], &found[4]), (&Ok(1), &Ok(1), &Ok(0)));
    assert!(found[1].as_ref().is_err_and(|why| why.starts_with("line 2: is not OTLP/JSON")), "{found:?}");
    assert!(found[2].as_ref().is_err_and(|why| why.starts_with("line 4: ")), "{found:?}");
    let bad = framed([otlp::encode(&[span(1)]), vec![FIRST_TAG, 200], otlp::encode(&[span(2)])]);
    let (found, end) = read(&bad);
    assert!(found[1].as_ref().is_err_and(|why| why.starts_with("message 2: is not OTLP")), "{found:?}");
    assert_eq!((found.len(), &found[2], end), (3, &Ok(1), None));
}

#[test]
fn a_file_that_ends_too_soon_says_where() {
    let whole = framed((1..=2).map(|number| otlp::encode(&[span(number)])));
    for cut in [1, 3, 4, 20] {
        let (found, end) = read(&whole[..whole.len() / 2 + cut]);
        assert_eq!(found, [Ok(1)]);
        assert_eq!(end.as_deref(), Some("message 2: the file ends in the middle of it"));
    }
    let (_, end) = read(&[0x00, 0x00, 0x00, 0x01, 0x0a, 0x7f, 0xff, 0xff, 0xff, 1]);
    assert!(end.is_some_and(|why| why.contains("message 2: claims 2147483647 bytes")), "no such memory is asked for");
    for compressed in [gzip(&lines(500)), zstd_of(&lines(500))] {
        let (_, end) = read(&compressed[..compressed.len() - 20]);
        assert!(end.is_some_and(|why| why.starts_with("line ")), "a cut archive is not a whole one");
    }
}

#[test]
fn a_long_message_goes_in_parts() {
    let mut spans: Vec<Span> = (1..=100).map(span).collect();
    spans[7].span_id = SpanId([0; 8]);
    let otlp = Otlp::read(otlp::encode(&spans), Framing::FourBytes).unwrap();
    let (length, span_count) = (otlp.body.len(), otlp.span_count);
    let parts = otlp.parts(length / 10);
    assert_eq!((span_count, parts.rejected), (100, 1));
    assert!(parts.why.contains("span id"), "{}", parts.why);
    assert!(parts.bodies.len() >= 10, "{}", parts.bodies.len());
    assert_eq!(parts.bodies.iter().map(|(_, spans)| spans).sum::<u64>(), 99);
}
