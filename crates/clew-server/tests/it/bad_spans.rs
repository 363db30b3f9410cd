//! Odd and unusable spans: what cannot be used is rejected alone and told, all else is kept and marked.

use clew_model::{Notes, Value};
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, any_value};
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;

use crate::server::Server;
use crate::wire::{START, Way, attribute, export, span, text, trace_id};

/// Sends a good span, the one that `spoil` has changed, and another good one in each way. The odd one must be rejected.
async fn rejected(reason: &str, words: &str, spoil: impl Fn(&mut Span)) {
    let server = Server::start().await;
    for (turn, way) in Way::ALL.into_iter().enumerate() {
        let (before, odd, after) = (turn as u64 * 10, turn as u64 * 10 + 1, turn as u64 * 10 + 2);
        let mut spoilt = span(odd, "odd");
        spoil(&mut spoilt);
        let request = export("shop", vec![span(before, "before"), spoilt, span(after, "after")]);
        let (count, message) = way.send(server.address, &request).await.partial_success();
        assert_eq!(count, 1, "{way:?}: {message}");
        assert!(message.contains(&format!("1 of 3 spans were not kept (1: {words}")), "{way:?}: {message}");
        assert_eq!(server.rejected(reason).await, (turn + 1) as f64, "{way:?}");
        let stored = server.spans_of("default", &[trace_id(before), trace_id(odd), trace_id(after)]);
        let names: Vec<_> = stored.iter().map(|span| span.name.as_str()).collect();
        assert_eq!(names, ["before", "after"], "{way:?}");
    }
    assert_eq!(server.figure("clew_spans_received_total{tenant=\"default\"}").await, 6.0);
}

/// The same, but the odd one must be kept and marked; `check` looks at it.
async fn kept(note: Notes, name: &str, spoil: impl Fn(&mut Span), check: impl Fn(&clew_model::Span)) {
    let server = Server::start().await;
    for (turn, way) in Way::ALL.into_iter().enumerate() {
        let (odd, after) = (turn as u64 * 10 + 1, turn as u64 * 10 + 2);
        let mut spoilt = span(odd, "odd");
        spoil(&mut spoilt);
        let request = export("shop", vec![spoilt, span(after, "after")]);
        let (count, message) = way.send(server.address, &request).await.partial_success();
        assert_eq!(count, 0, "{way:?}: {message}");
        let stored = server.spans_of("default", &[trace_id(odd), trace_id(after)]);
        assert_eq!(stored.len(), 2, "{way:?}");
        assert!(stored[0].notes.contains(note), "{way:?}: {:?}", stored[0].notes);
        assert!(stored[1].notes.is_empty(), "{way:?}: {:?}", stored[1].notes);
        check(&stored[0]);
        let counted = server.figure(&format!("clew_span_notes_total{{note=\"{name}\"}}")).await;
        assert_eq!(counted, (turn + 1) as f64, "{way:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_trace_ids() {
    rejected("bad_trace_id", "trace id is not 16 bytes", |span| span.trace_id = vec![1; 15]).await;
    rejected("bad_trace_id", "trace id is not 16 bytes", |span| span.trace_id = vec![0; 16]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_span_ids() {
    rejected("bad_span_id", "span id is not 8 bytes", |span| span.span_id = Vec::new()).await;
    rejected("bad_span_id", "span id is not 8 bytes", |span| span.span_id = vec![0; 8]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_start() {
    rejected("missing_start", "start time is missing", |span| span.start_time_unix_nano = 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_before_the_start() {
    let spoil = |span: &mut Span| span.end_time_unix_nano = START - 1;
    kept(Notes::END_BEFORE_START, "end_before_start", spoil, |span| assert_eq!(span.duration_nanos, 0)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn times_of_1970_and_of_the_far_future() {
    for start in [1, u64::MAX - 5] {
        let spoil = |span: &mut Span| (span.start_time_unix_nano, span.end_time_unix_nano) = (start, start + 4);
        kept(Notes::ODD_TIME, "odd_time", spoil, |span| {
            assert_eq!((span.start_unix_nanos, span.duration_nanos), (start, 4));
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_name() {
    kept(Notes::EMPTY_NAME, "empty_name", |span| span.name.clear(), |span| assert_eq!(span.name, "")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn values_beyond_64_kib() {
    let spoil = |span: &mut Span| span.attributes.push(attribute("big", text(&"x".repeat(64 * 1024 + 1))));
    kept(Notes::VALUE_CUT, "value_cut", spoil, |span| {
        let Value::String(text) = &span.attributes[0].value else { panic!("a text was sent") };
        assert_eq!(text.len(), 64 * 1024);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_attributes() {
    let spoil = |span: &mut Span| {
        span.attributes = (0..10_000).map(|number| attribute(&format!("key.{number}"), text("v"))).collect();
    };
    kept(Notes::ATTRIBUTES_CUT, "attributes_cut", spoil, |span| {
        assert_eq!((span.attributes.len(), span.dropped_attributes_count), (1024, 10_000 - 1024));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_levels() {
    let nested = || {
        (0..200).fold(text("deep"), |value, _| AnyValue {
            value: Some(any_value::Value::ArrayValue(ArrayValue { values: vec![value] })),
        })
    };
    kept(
        Notes::NESTING_CUT,
        "nesting_cut",
        |span| span.attributes.push(attribute("nested", nested())),
        |span| {
            let mut value = &span.attributes[0].value;
            let mut depth = 0;
            while let Value::Array(values) = value {
                let Some(inner) = values.first() else { break };
                (value, depth) = (inner, depth + 1);
            }
            assert_eq!((value, depth > 25 && depth < 40), (&Value::Empty, true), "cut at {depth}");
        },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn text_that_is_not_utf8() {
    let server = Server::start().await;
    for (turn, way) in [Way::Protobuf, Way::Grpc].into_iter().enumerate() {
        let (odd, after) = (turn as u64 * 10, turn as u64 * 10 + 1);
        let request = export("shop", vec![span(odd, "ab~~cd"), span(after, "after")]);
        let body: Vec<u8> =
            request.encode_to_vec().iter().map(|byte| if *byte == b'~' { 0xff } else { *byte }).collect();
        let (count, message) = way.send_bytes(server.address, body.into()).await.partial_success();
        assert_eq!(count, 0);
        assert!(message.contains("text_replaced 1"), "{message}");
        let stored = server.spans_of("default", &[trace_id(odd), trace_id(after)]);
        assert_eq!(stored[0].name, "ab\u{fffd}\u{fffd}cd");
        assert!(stored[0].notes.contains(Notes::TEXT_REPLACED) && stored[1].notes.is_empty());
        assert_eq!(server.figure("clew_span_notes_total{note=\"text_replaced\"}").await, (turn + 1) as f64);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn all_spans_unusable_is_still_a_partial_success() {
    let server = Server::start().await;
    for way in Way::ALL {
        let spoilt = Span { span_id: Vec::new(), ..span(1, "odd") };
        let (count, _) =
            way.send(server.address, &export("shop", vec![spoilt.clone(), spoilt])).await.partial_success();
        assert_eq!(count, 2, "{way:?}");
    }
    assert_eq!(server.rejected("bad_span_id").await, 6.0);
    let (count, message) = Way::Json.send(server.address, &export("shop", Vec::new())).await.partial_success();
    assert_eq!((count, message.as_str()), (0, ""), "no spans are no failure");
}
