use std::sync::Arc;

use clew_model::{Attribute, Resource, SpanId};

use super::*;

const HOUR: u64 = 3_600_000_000_000;
const NOW: u64 = 1_800_000_000_000_000_000;

fn spans(count: u64, text_bytes: usize) -> Vec<Span> {
    let resource = Arc::new(Resource { attributes: vec![Attribute::new("service.name", "s")], ..Resource::default() });
    let span = |number: u64| Span {
        trace_id: TraceId([7; 16]),
        span_id: SpanId::from_u64(number),
        name: "x".repeat(text_bytes),
        start_unix_nanos: NOW + number,
        resource: Arc::clone(&resource),
        ..Span::default()
    };
    (1..=count).map(span).collect()
}

#[test]
fn windows_tile_the_range_and_grow_with_age() {
    for range in [
        TimeRange::ALL,
        TimeRange { from_unix_nanos: NOW - 3 * HOUR, to_unix_nanos: NOW - HOUR },
        TimeRange { from_unix_nanos: NOW + HOUR, to_unix_nanos: NOW + 2 * HOUR },
        TimeRange { from_unix_nanos: 0, to_unix_nanos: 1 },
    ] {
        for now in [NOW, 0, HOUR] {
            let windows: Vec<_> = windows(range, now).collect();
            assert_eq!(windows[0].from_unix_nanos, range.from_unix_nanos);
            assert_eq!(windows[windows.len() - 1].to_unix_nanos, range.to_unix_nanos);
            assert!(windows.iter().all(|window| window.from_unix_nanos < window.to_unix_nanos), "{windows:?}");
            assert!(windows.windows(2).all(|pair| pair[0].to_unix_nanos == pair[1].from_unix_nanos));
            assert!(windows.len() < 200, "{}", windows.len());
        }
    }
    let week = TimeRange { from_unix_nanos: NOW - 7 * 24 * HOUR, to_unix_nanos: NOW };
    let longest = windows(week, NOW).map(|window| window.to_unix_nanos - window.from_unix_nanos).max();
    assert!(longest.is_some_and(|nanos| nanos < 12 * HOUR), "{longest:?}");
}

#[test]
fn a_long_trace_takes_several_messages_none_of_them_too_long() {
    // By number of spans, and by bytes.
    for spans in [spans(5_000, 1), spans(100, 200_000)] {
        let mut out = Vec::new();
        Form::Protobuf.write(&spans, &mut out).unwrap();
        let (mut rest, mut read, mut messages) = (&out[..], Vec::new(), 0);
        while let Some((length, after)) = rest.split_first_chunk::<4>() {
            let (message, after) = after.split_at(u32::from_be_bytes(*length) as usize);
            assert!(message.len() <= MESSAGE_BYTES_MAX);
            let limits = clew_wire::otlp::Limits { value_bytes: u32::MAX, ..clew_wire::otlp::Limits::default() };
            read.extend(clew_wire::otlp::spans(message, &limits, 0, &[]).unwrap());
            (rest, messages) = (after, messages + 1);
        }
        assert!(messages > 2, "{messages}");
        assert!(read.iter().map(|span| span.span_id).eq(spans.iter().map(|span| span.span_id)), "in order, each once");
        let mut lines = Vec::new();
        Form::Lines.write(&spans, &mut lines).unwrap();
        assert!(lines.split_inclusive(|byte| *byte == b'\n').count() > 2);
        assert_eq!(lines.last(), Some(&b'\n'));
    }
}

#[test]
fn one_span_that_is_too_long_still_comes() {
    let mut out = Vec::new();
    Form::Protobuf.write(&spans(1, MESSAGE_BYTES_MAX + 1), &mut out).unwrap();
    assert!(out.len() > MESSAGE_BYTES_MAX);
}

#[tokio::test]
async fn a_client_that_has_gone_or_stands_still_ends_the_export() {
    let (sender, receiver) = mpsc::channel(1);
    let outlet = Outlet { sender, patience: Duration::from_millis(10), piece: Vec::new() };
    let outlet = tokio::task::spawn_blocking(move || {
        outlet.send(Piece::Data(Bytes::from_static(b"taken"))).unwrap();
        let stalled = outlet.send(Piece::Data(Bytes::from_static(b"never taken"))).unwrap_err();
        assert!(stalled.to_string().contains("limits.idle_timeout"), "{stalled}");
        outlet
    });
    let outlet = outlet.await.unwrap();
    drop(receiver);
    tokio::task::spawn_blocking(move || {
        assert_eq!(outlet.send(Piece::Begin(None)), Err(AskError::Expired));
    })
    .await
    .unwrap();
}
