//! Answers to requests that were taken: all of it, or all but what a partial success counts.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::{BufMut as _, Bytes, BytesMut};
use clew_model::{Notes, RejectReason};
use clew_wire::otlp::NoteCounts;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{HeaderMap, HeaderName};
use http_body_util::{BodyExt as _, Full};

use super::proto::Writer;
use super::signal::{Signal, Syntax};

/// Notes that say that something of a span was lost; the sender is told of these.
const LOSSES: [Notes; 7] = [
    Notes::TEXT_REPLACED,
    Notes::VALUE_CUT,
    Notes::NESTING_CUT,
    Notes::ATTRIBUTES_CUT,
    Notes::EVENTS_CUT,
    Notes::LINKS_CUT,
    Notes::BAD_REFERENCE,
];

/// How much of a request was not kept, and why. The default is that all was kept.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct PartialSuccess {
    /// Items that were not kept.
    pub(crate) rejected: u64,
    /// Why, in words; set alone it is a warning.
    pub(crate) message: String,
}

impl PartialSuccess {
    /// For spans: the counts by reason, and what was cut from kept ones.
    pub(crate) fn of_spans(span_count: u32, rejected: &[(u32, RejectReason)], notes: &NoteCounts) -> Self {
        let mut sentences = Vec::new();
        let count = |reason| rejected.iter().filter(|(_, other)| *other == reason).count();
        let counts = RejectReason::ALL.map(|reason| (reason, count(reason)));
        let reasons: Vec<_> = counts.iter().filter(|(_, count)| *count > 0).collect();
        if !reasons.is_empty() {
            let words: Vec<_> =
                reasons.iter().map(|(reason, count)| format!("{count}: {}", reason.sentence())).collect();
            sentences.push(format!("{} of {span_count} spans were not kept ({})", rejected.len(), words.join("; ")));
        }
        let counted = Notes::NAMES.iter().zip(notes.0).filter(|((note, _), count)| *count > 0 && LOSSES.contains(note));
        let words: Vec<_> = counted.map(|((_, name), count)| format!("{name} {count}")).collect();
        if !words.is_empty() {
            sentences.push(format!("of the spans that were kept, some were mended ({})", words.join(", ")));
        }
        Self { rejected: rejected.len() as u64, message: sentences.join("; ") }
    }

    /// An `Export...ServiceResponse`: `partial_success` = 1 of {rejected = 1, `error_message` = 2}, for every signal.
    fn to_protobuf(&self) -> Vec<u8> {
        let partial = Writer::default().number(1, self.rejected).bytes(2, self.message.as_bytes()).finish();
        Writer::default().bytes(1, &partial).finish()
    }

    /// The same in OTLP's JSON mapping, where 64-bit integers are strings.
    fn to_json(&self, signal: Signal) -> serde_json::Value {
        if *self == Self::default() {
            return serde_json::json!({});
        }
        let rejected = self.rejected.to_string();
        serde_json::json!({ "partialSuccess": { signal.rejected_field(): rejected, "errorMessage": self.message } })
    }

    /// The answer over HTTP.
    pub(crate) fn over_http(&self, signal: Signal, syntax: Syntax) -> Response {
        let body = match syntax {
            Syntax::Protobuf => self.to_protobuf(),
            Syntax::Json => self.to_json(signal).to_string().into_bytes(),
        };
        ([(CONTENT_TYPE, HeaderValue::from_static(syntax.content_type()))], body).into_response()
    }

    /// The answer over gRPC: one uncompressed message and the status as trailers.
    pub(crate) fn over_grpc(&self) -> Response {
        let message = self.to_protobuf();
        let mut frame = BytesMut::with_capacity(5 + message.len());
        frame.put_u8(0);
        frame.put_u32(message.len() as u32);
        frame.extend_from_slice(&message);
        let status = (HeaderName::from_static("grpc-status"), HeaderValue::from_static("0"));
        let trailers = HeaderMap::from_iter([status]);
        let body = Full::<Bytes>::new(frame.freeze()).with_trailers(std::future::ready(Some(Ok(trailers))));
        ([(CONTENT_TYPE, HeaderValue::from_static("application/grpc"))], Body::new(body)).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_counted_in_words() {
        let rejected = [(0, RejectReason::BadSpanId), (3, RejectReason::MissingStart), (4, RejectReason::BadSpanId)];
        let mut notes = NoteCounts::default();
        notes.add(Notes::VALUE_CUT | Notes::ODD_TIME);
        let partial = PartialSuccess::of_spans(9, &rejected, &notes);
        assert_eq!(partial.rejected, 3);
        assert_eq!(
            partial.message,
            "3 of 9 spans were not kept (2: span id is not 8 bytes or is all zeros; 1: start time is missing); \
             of the spans that were kept, some were mended (value_cut 1)"
        );
    }

    #[test]
    fn nothing_to_report_is_an_empty_message() {
        let mut notes = NoteCounts::default();
        notes.add(Notes::ODD_TIME);
        let partial = PartialSuccess::of_spans(9, &[], &notes);
        assert_eq!(partial, PartialSuccess::default());
        assert!(partial.to_protobuf().is_empty());
        assert_eq!(partial.to_json(Signal::Traces).to_string(), "{}");
    }
}
