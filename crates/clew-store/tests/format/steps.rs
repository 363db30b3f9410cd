//! What was done to make a data folder, read from the file beside it: one step a line, as JSON.
//!
//! | Member | What |
//! |---|---|
//! | `send` | an OTLP/JSON request; with `tenant`, `encoding` and `receivedUnixNano` |
//! | `seal` | all that was sent so far goes to a block |
//! | `delete` | the id of a trace of `tenant` |

use bytes::Bytes;
use clew_model::{Span, Tenant, TraceId};
use clew_store::{Batch, Encoding, Protocol, Source, Tenants};
use clew_wire::otlp::{self, Limits};
use clew_wire::otlp_json;
use serde_json::Value;

/// The file of the steps, in the folder of a format.
pub(crate) const STEPS_FILE: &str = "steps.jsonl";

/// The data folder that they make, in the folder of a format.
pub(crate) const DATA_FOLDER: &str = "data";

/// One step.
pub(crate) enum Step {
    /// A request.
    Send(Box<Batch>),
    /// A block is made.
    Seal,
    /// A trace is deleted.
    Delete(Tenant, TraceId),
}

/// The steps of a file's text.
///
/// # Panics
/// When it is not one.
pub(crate) fn read(text: &str) -> Vec<Step> {
    let step = |(number, line): (usize, &str)| {
        let step: Value = serde_json::from_str(line).expect("each line is a JSON object");
        let tenant = step["tenant"].as_str().map_or_else(Tenant::default, |name| Tenant::new(name).expect("a tenant"));
        if step["seal"] == true {
            return Step::Seal;
        }
        if let Some(id) = step["delete"].as_str() {
            return Step::Delete(tenant, TraceId::parse_lenient(id).expect("a trace id"));
        }
        let body = Bytes::from(otlp_json::to_protobuf(step["send"].to_string().as_bytes()).expect("OTLP/JSON"));
        let received_unix_nanos = step["receivedUnixNano"].as_str().and_then(|text| text.parse().ok()).expect("a time");
        let (encoding, stored) = packed(step["encoding"].as_str(), &body);
        let mut batch = Batch {
            protocol: Protocol::OtlpJson,
            encoding,
            stored,
            body,
            tenants: Tenants::one(tenant),
            rejected: Vec::new(),
            limits: Limits::default(),
            received_unix_nanos,
            body_hash: number as u128 + 1,
            span_count: 0,
            source: Source::default(),
        };
        batch.span_count = u32::try_from(spans(&batch).len()).expect("a few spans");
        Step::Send(Box::new(batch))
    };
    text.lines().enumerate().map(step).collect()
}

/// The spans of a request.
///
/// # Panics
/// When it has none.
pub(crate) fn spans(batch: &Batch) -> Vec<Span> {
    otlp::spans(&batch.body, &batch.limits, batch.received_unix_nanos, &[]).expect("a request")
}

fn packed(encoding: Option<&str>, body: &Bytes) -> (Encoding, Bytes) {
    match encoding {
        Some("zstd") => (Encoding::Zstd, zstd::encode_all(&body[..], 1).expect("packs to memory").into()),
        Some("gzip") => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            std::io::Write::write_all(&mut encoder, body).expect("packs to memory");
            (Encoding::Gzip, encoder.finish().expect("packs to memory").into())
        }
        _ => (Encoding::Identity, body.clone()),
    }
}
