//! One whole trace: explained, in columns, or as OTLP.

use std::collections::HashSet;
use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use clew_model::identity::distinct;
use clew_model::{SpanId, Tenant, TraceId};
use clew_wire::otlp_json::JsonShape;
use http::header::{
    CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH, VARY,
    X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderName, StatusCode, Uri};
use serde::Serialize;

use super::accept;
use super::error::AskError;
use super::gate::{self, Asked};
use super::openapi::{ProblemDocument, Refusals};
use super::params::{Named, Params};
use super::shape::{Skeleton, TraceAnswer, TraceForms};
use super::table::grouped;
use super::trace_cache::Key;
use super::trace_cache::TraceCache;
use super::{page, show};
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
        ("format" = Option<String>, Query, description = "`clew` (default), `otlp` (OTLP/JSON), `protobuf`, or `html`: a page \
            with the trace in it that opens without a server; over `Accept`"),
        ("tenant" = Option<String>, Query, description = "Whose trace; over the header `X-Scope-OrgID`"),
    ),
    responses(
        (status = 200, description = "The trace: explained, in columns (`shape=skeleton`), or as OTLP", content(
            (TraceForms = "application/json"),
            (Vec<u8> = "application/x-protobuf"),
            (String = "text/html"),
        )),
        (status = 304, description = "It is still what `If-None-Match` names, by the `ETag` of an earlier answer"),
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
    let (begun, holder) = (app.clock.monotonic_nanos(), Arc::clone(&app));
    let is_pinned = app.store.view().pins.contains(&tenant, id);
    let answer = gate::run(&app, move |asked| wish.grant(&holder.traces, asked, tenant, id, is_pinned)).await;
    app.figures.fetch.observe_nanos(app.clock.monotonic_nanos().saturating_sub(begun));
    Ok(answer?.into_response())
}

/// What a wish comes to.
#[derive(Debug, PartialEq)]
enum Granted {
    /// The client has it.
    Unchanged { version: String },
    /// An answer; a version only of what clew makes of the trace.
    Whole { media_type: &'static str, body: Vec<u8>, version: Option<String> },
    /// A page to be kept.
    Page { id: TraceId, body: Vec<u8> },
}

impl IntoResponse for Granted {
    fn into_response(self) -> Response {
        // Weak, since answers may be compressed; and to be asked for again, since traces grow.
        let tagged = |version: Option<String>| -> Vec<(HeaderName, String)> {
            let tag = version.map(|version| (ETAG, format!("W/\"{version}\"")));
            let always = [(VARY, "accept".to_owned()), (CACHE_CONTROL, "private, no-cache".to_owned())];
            tag.into_iter().chain(always).collect()
        };
        let (status, headers, body) = match self {
            Self::Unchanged { version } => (StatusCode::NOT_MODIFIED, tagged(Some(version)), Vec::new()),
            Self::Whole { media_type, body, version } => {
                let mut headers = tagged(version);
                headers.push((CONTENT_TYPE, media_type.to_owned()));
                (StatusCode::OK, headers, body)
            }
            Self::Page { id, body } => {
                let mut headers = tagged(None);
                headers.push((CONTENT_TYPE, "text/html; charset=utf-8".to_owned()));
                headers.push((CONTENT_DISPOSITION, format!("attachment; filename=\"clew-trace-{id}.html\"")));
                headers.push((CONTENT_SECURITY_POLICY, format!("{}; frame-ancestors 'none'; sandbox", page::POLICY)));
                headers.push((X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()));
                (StatusCode::OK, headers, body)
            }
        };
        let mut response = (status, body).into_response();
        response.headers_mut().remove(CONTENT_TYPE);
        for (name, value) in headers {
            if let Ok(value) = value.parse() {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }
}

/// How the trace is wanted.
#[derive(Debug, Clone, PartialEq)]
struct Wish {
    form: Form,
    correct_skew: bool,
    only: Option<HashSet<SpanId>>,
    /// Versions that the client has.
    known: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Full,
    Skeleton,
    OtlpJson,
    OtlpProtobuf,
    Page,
}

impl Wish {
    fn parse(params: &Params, headers: &HeaderMap) -> Result<Self, AskError> {
        let formats =
            [("clew", Form::Full), ("otlp", Form::OtlpJson), ("protobuf", Form::OtlpProtobuf), ("html", Form::Page)];
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
            Form::Page if is_skeleton => return Err(AskError::parameter("shape", "a page has all; leave out shape")),
            Form::Page if only.is_some() => return Err(AskError::parameter("span", "a page has all; leave out span")),
            Form::Page => Form::Page,
            // OTLP is what was sent; what clew makes of it is in its own shapes.
            _ if is_skeleton => return Err(AskError::parameter("shape", "OTLP has no skeleton; leave out shape")),
            _ if correct_skew => return Err(AskError::parameter("clock", "OTLP is as sent; leave out clock")),
            otlp => otlp,
        };
        Ok(Self { form, correct_skew, only, known: known(headers) })
    }

    fn grant(
        &self,
        cache: &TraceCache,
        asked: &Asked<'_>,
        tenant: Tenant,
        id: TraceId,
        is_pinned: bool,
    ) -> Result<Granted, AskError> {
        if matches!(self.form, Form::OtlpJson | Form::OtlpProtobuf) {
            let mut spans = grouped(distinct(gate::fetch(asked, &tenant, id)?.spans));
            spans.retain(|span| self.only.as_ref().is_none_or(|only| only.contains(&span.span_id)));
            let (media_type, body) = match self.form {
                Form::OtlpJson => (JSON, json(&clew_wire::otlp_json::encode(&spans, JsonShape::Otlp))?),
                _ => (PROTOBUF, clew_wire::otlp::encode(&spans)),
            };
            return Ok(Granted::Whole { media_type, body, version: None });
        }
        let opened = cache.open(asked, Key { tenant, id, is_corrected: self.correct_skew })?;
        let version = format!("{}{}", opened.version(&opened.state), if is_pinned { "-pinned" } else { "" });
        if self.known.iter().any(|known| *known == version || known == "*") {
            return Ok(Granted::Unchanged { version });
        }
        if self.form == Form::Page {
            let viewer = crate::ui::embedded("viewer.html").and_then(|bytes| std::str::from_utf8(bytes).ok());
            let missing = || AskError::NotFound("this clew was built without the viewer; build ui/ first".to_owned());
            return Ok(Granted::Page { id, body: page::page(viewer.ok_or_else(missing)?, &opened, &opened.state)? });
        }
        let body = match self.form {
            Form::Skeleton => json(&Skeleton {
                pinned: is_pinned,
                version: version.clone(),
                ..show::skeleton(&opened, &opened.state)
            })?,
            _ => json(&TraceAnswer { pinned: is_pinned, ..show::trace(&opened, &opened.state, self.only.as_ref()) })?,
        };
        Ok(Granted::Whole { media_type: JSON, body, version: Some(version) })
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

/// The versions that `If-None-Match` names, weak or not.
fn known(headers: &HeaderMap) -> Vec<String> {
    let values = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let tags = values.flat_map(|value| value.split(',')).map(str::trim);
    tags.map(|tag| tag.strip_prefix("W/").unwrap_or(tag).trim_matches('"').to_owned()).collect()
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
