//! One whole trace: explained, in columns, or as OTLP.

use std::collections::HashSet;
use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use clew_analysis::Options;
use clew_model::identity::distinct;
use clew_model::{SpanId, Tenant, TraceId};
use clew_wire::otlp_json::JsonShape;
use http::header::{CONTENT_TYPE, VARY};
use http::{HeaderMap, Uri};
use serde::Serialize;

use super::accept;
use super::error::AskError;
use super::gate::{self, Asked};
use super::openapi::{ProblemDocument, Refusals};
use super::params::{Named, Params};
use super::shape::TraceForms;
use super::show;
use super::table::grouped;
use crate::app::App;

/// Media type of OTLP in protobuf.
pub(crate) const PROTOBUF: &str = "application/x-protobuf";
/// Media type of JSON, ours and OTLP's.
pub(crate) const JSON: &str = "application/json";
/// Spans whose details may be asked for at once.
const SPANS_MAX: usize = 1000;

/// One whole trace, and where its time went.
#[utoipa::path(
    get,
    path = "/v1/traces/{id}",
    tag = "ask",
    params(
        ("id" = String, Path, description = "32 hexadecimal digits, or 16 of a 64-bit id"),
        ("shape" = Option<String>, Query, description = "`full` (default), or `skeleton`: columns to draw the trace from"),
        ("clock" = Option<String>, Query, description = "`sent` (default), or `corrected`: move spans whose clock is off"),
        ("span" = Option<Vec<String>>, Query, description = "Only the details of these spans; repeatable, at most 1000"),
        ("format" = Option<String>, Query, description = "`clew` (default), `otlp` (OTLP/JSON) or `protobuf`; over `Accept`"),
        ("tenant" = Option<String>, Query, description = "Whose trace; over the header `X-Scope-OrgID`"),
    ),
    responses(
        (status = 200, description = "The trace: explained, in columns (`shape=skeleton`), or as OTLP", content(
            (TraceForms = "application/json"),
            (Vec<u8> = "application/x-protobuf"),
        )),
        (status = 404, description = "There is no such trace here", body = ProblemDocument,
            content_type = "application/problem+json"),
        (status = 406, description = "No accepted media type is served", body = ProblemDocument,
            content_type = "application/problem+json"),
        Refusals,
    )
)]
pub(crate) async fn trace(
    State(app): State<Arc<App>>,
    Named(id): Named,
    headers: HeaderMap,
    uri: Uri,
) -> Result<Response, AskError> {
    let params = Params::of(&uri)?;
    params.only(&["shape", "clock", "span", "format", "tenant"], false)?;
    let wish = Wish::parse(&params, &headers)?;
    let id = gate::trace_id(&id)?;
    let tenant = gate::tenant(&app, &headers, &params)?;
    let begun = app.clock.monotonic_nanos();
    let answer = gate::run(&app, move |asked| wish.grant(asked, &tenant, id)).await;
    app.figures.fetch.observe_nanos(app.clock.monotonic_nanos().saturating_sub(begun));
    let (media_type, body) = answer?;
    Ok(([(CONTENT_TYPE, media_type), (VARY, "accept")], body).into_response())
}

/// How the trace is wanted.
#[derive(Debug, Clone, PartialEq)]
struct Wish {
    form: Form,
    correct_skew: bool,
    only: Option<HashSet<SpanId>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Full,
    Skeleton,
    OtlpJson,
    OtlpProtobuf,
}

impl Wish {
    fn parse(params: &Params, headers: &HeaderMap) -> Result<Self, AskError> {
        let formats = [("clew", Form::Full), ("otlp", Form::OtlpJson), ("protobuf", Form::OtlpProtobuf)];
        let format = match params.word("format", &formats)? {
            Some(format) => format,
            None => accepted(headers)?,
        };
        let is_skeleton = params.word("shape", &[("full", false), ("skeleton", true)])?.unwrap_or(false);
        let correct_skew = params.word("clock", &[("sent", false), ("corrected", true)])?.unwrap_or(false);
        let only = spans(params)?;
        let form = match format {
            Form::Full if is_skeleton && only.is_some() => {
                return Err(AskError::parameter("span", "a skeleton has all spans; leave out span or shape"));
            }
            Form::Full if is_skeleton => Form::Skeleton,
            Form::Full => Form::Full,
            // OTLP is what was sent; what clew makes of it is in its own shapes.
            _ if is_skeleton => return Err(AskError::parameter("shape", "OTLP has no skeleton; leave out shape")),
            _ if correct_skew => return Err(AskError::parameter("clock", "OTLP is as sent; leave out clock")),
            otlp => otlp,
        };
        Ok(Self { form, correct_skew, only })
    }

    /// The media type and the bytes.
    fn grant(&self, asked: &Asked<'_>, tenant: &Tenant, id: TraceId) -> Result<(&'static str, Vec<u8>), AskError> {
        let fetched = gate::fetch(asked, tenant, id)?;
        let incomplete = fetched.incomplete;
        if matches!(self.form, Form::OtlpJson | Form::OtlpProtobuf) {
            let mut spans = grouped(distinct(fetched.spans));
            spans.retain(|span| self.only.as_ref().is_none_or(|only| only.contains(&span.span_id)));
            return match self.form {
                Form::OtlpJson => Ok((JSON, json(&clew_wire::otlp_json::encode(&spans, JsonShape::Otlp))?)),
                _ => Ok((PROTOBUF, clew_wire::otlp::encode(&spans))),
            };
        }
        let options = Options { correct_skew: self.correct_skew };
        let explained = clew_analysis::explain(fetched.spans, &options);
        let body = match self.form {
            Form::Skeleton => json(&show::skeleton(&explained, incomplete.as_ref()))?,
            _ => json(&show::trace(&explained, incomplete.as_ref(), self.correct_skew, self.only.as_ref()))?,
        };
        Ok((JSON, body))
    }
}

/// The form that the client likes best.
fn accepted(headers: &HeaderMap) -> Result<Form, AskError> {
    let served = [
        (JSON, Form::Full),
        (PROTOBUF, Form::OtlpProtobuf),
        ("application/protobuf", Form::OtlpProtobuf),
        ("application/vnd.google.protobuf", Form::OtlpProtobuf),
        ("application/vnd.otlp+json", Form::OtlpJson),
        ("application/x-otlp+json", Form::OtlpJson),
        ("text/html", Form::Full),
    ];
    accept::choose(headers, &served).ok_or_else(|| {
        let served = [JSON, PROTOBUF, "application/vnd.otlp+json"].join(", ");
        AskError::NotAcceptable(format!("nothing that the Accept header names is served; served are {served}"))
    })
}

fn spans(params: &Params) -> Result<Option<HashSet<SpanId>>, AskError> {
    let mut only = HashSet::new();
    for text in params.all("span") {
        let wrong =
            |error| AskError::parameter("span", format!("`{text}` is not a span id of 16 hexadecimal digits: {error}"));
        only.insert(text.parse().map_err(wrong)?);
    }
    if only.len() > SPANS_MAX {
        return Err(AskError::parameter("span", format!("at most {SPANS_MAX} spans may be asked for at once")));
    }
    Ok((!only.is_empty()).then_some(only))
}

/// The bytes of a JSON answer.
pub(crate) fn json<T: Serialize>(answer: &T) -> Result<Vec<u8>, AskError> {
    serde_json::to_vec(answer).map_err(|error| AskError::Failed(format!("the answer cannot be written: {error}")))
}

#[cfg(test)]
#[path = "trace/tests.rs"]
mod tests;
