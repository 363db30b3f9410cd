//! What the answers to OTLP requests say.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use prost::Message as _;

use crate::render::clean;

/// `google.rpc.Status`, which OTLP/HTTP answers failures with.
#[derive(Clone, PartialEq, prost::Message)]
struct RpcStatus {
    #[prost(string, tag = "2")]
    message: String,
}

/// Text of a foreign answer that is worth showing.
const FOREIGN_TEXT: usize = 120;

/// How many spans of a request were rejected.
pub(crate) fn rejected(response: &ExportTraceServiceResponse) -> u64 {
    response.partial_success.as_ref().map_or(0, |partial| partial.rejected_spans.max(0) as u64)
}

/// What a refusal says, in one line.
pub(crate) fn words(answer: &[u8]) -> String {
    let text = RpcStatus::decode(answer)
        .map_or_else(|_| String::from_utf8_lossy(answer).into_owned(), |status| status.message);
    let line: String = clean(&text.split_whitespace().collect::<Vec<_>>().join(" "));
    line.chars().take(FOREIGN_TEXT).collect()
}
