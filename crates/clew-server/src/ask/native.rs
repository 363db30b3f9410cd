//! The doors of the native API that answer with lists: search, services, operations.

#![allow(unused_qualifications, reason = "utoipa writes the path of a handler's parameter type a second time")]

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, Uri};
use utoipa::IntoParams;

use super::error::AskError;
use super::openapi::Refusals;
use super::params::{Named, Params};
use super::question::Question;
use super::shape::{OperationsAnswer, SearchAnswer, ServicesAnswer};
use super::trace::{JSON, json};
use super::{gate, search};
use crate::app::App;

/// The parameters of a search, as the OpenAPI document shows them. `service`, `operation`, `status`, `kind`, the bounds
/// of span durations and `attr.KEY` hold together in one span.
#[derive(IntoParams)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
#[expect(dead_code, reason = "read by the derive alone; `Question::parse` reads the parameters")]
pub(crate) struct SearchParameters {
    /// The service. Repeated: the trace touches all of them, and a span of one of them meets the other conditions.
    service: Option<Vec<String>>,
    /// The operation (span name), exactly.
    operation: Option<String>,
    /// `error` (status ERROR, or an attribute `error` that is true), `ok` or `unset`.
    status: Option<String>,
    /// `server`, `client`, `internal`, `producer`, `consumer` or `unspecified`.
    kind: Option<String>,
    /// The trace lasts at least this many milliseconds, decimals allowed.
    min_duration_ms: Option<f64>,
    /// The trace lasts at most this many milliseconds.
    max_duration_ms: Option<f64>,
    /// The span lasts at least this many milliseconds, no more than 292 years.
    min_span_duration_ms: Option<f64>,
    /// The span lasts at most this many milliseconds.
    max_span_duration_ms: Option<f64>,
    /// An attribute of the span, its resource or its scope, by its key in place of `KEY`: the value's text form equals
    /// this. Of a key that one of them has more than once the first counts. May be given for several keys.
    #[param(rename = "attr.KEY")]
    attribute: Option<String>,
    /// The trace starts at this instant or later: RFC 3339, a unix time in s, ms, us or ns, `now`, or an offset from now
    /// such as `-1h`.
    from: Option<String>,
    /// The trace starts before this instant; as `from`.
    to: Option<String>,
    /// In place of `from`: how far to look back, such as `15m`.
    since: Option<String>,
    /// `-start` (newest first, the default), `start`, `-duration` or `duration`; equal traces are ordered by id.
    sort: Option<String>,
    /// Traces on a page: 1 to 1000, by default 20.
    limit: Option<u32>,
    /// The page after the one that named this cursor. All other parameters but `limit`, `total` and
    /// `silhouette` stay as they were.
    cursor: Option<String>,
    /// How far matches are counted: `bounded` (to 10,000, the default), `exact` or `none`.
    total: Option<String>,
    /// `true`: each trace comes with a few bars to draw it small. Of a question without conditions on spans, the traces of a
    /// page that come after the first 200,000 spans have none. By default `false`.
    silhouette: Option<bool>,
    /// Whose traces; over the header `X-Scope-OrgID`.
    tenant: Option<String>,
    /// Reserved for TraceQL, which is refused.
    q: Option<String>,
}

/// Which traces meet the conditions.
#[utoipa::path(
    get,
    path = "/v1/traces/search",
    tag = "ask",
    params(SearchParameters),
    responses((status = 200, description = "A page of traces", body = SearchAnswer), Refusals)
)]
pub(crate) async fn search(State(app): State<Arc<App>>, headers: HeaderMap, uri: Uri) -> Result<Response, AskError> {
    let params = Params::of(&uri)?;
    let tenant = gate::tenant(&app, &headers, &params)?;
    let question = Question::parse(&params, tenant, app.clock.unix_nanos())?;
    let begun = app.clock.monotonic_nanos();
    let bound = app.config.total_bound;
    let work = move |asked: &gate::Asked<'_>| json(&search::run(asked.source, &question, bound, asked.expired)?);
    let answer = gate::run(&app, work).await;
    app.figures.search.observe_nanos(app.clock.monotonic_nanos().saturating_sub(begun));
    Ok(([(CONTENT_TYPE, JSON)], answer?).into_response())
}

/// The services that sent spans.
#[utoipa::path(
    get,
    path = "/v1/services",
    tag = "ask",
    params(("tenant" = Option<String>, Query, description = "Whose; over the header `X-Scope-OrgID`")),
    responses((status = 200, description = "Their names, sorted", body = ServicesAnswer), Refusals)
)]
pub(crate) async fn services(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    uri: Uri,
) -> Result<Json<ServicesAnswer>, AskError> {
    let params = Params::of(&uri)?;
    params.only(&["tenant"], false)?;
    let tenant = gate::tenant(&app, &headers, &params)?;
    let services = gate::run(&app, move |asked| Ok(asked.source.services(&tenant)?)).await?;
    Ok(Json(ServicesAnswer { services }))
}

/// The operations of a service; none when the service is not known.
#[utoipa::path(
    get,
    path = "/v1/services/{service}/operations",
    tag = "ask",
    params(
        ("service" = String, Path, description = "The service's name, percent-encoded"),
        ("tenant" = Option<String>, Query, description = "Whose; over the header `X-Scope-OrgID`"),
    ),
    responses((status = 200, description = "Their names, sorted", body = OperationsAnswer), Refusals)
)]
pub(crate) async fn operations(
    State(app): State<Arc<App>>,
    Named(service): Named,
    headers: HeaderMap,
    uri: Uri,
) -> Result<Json<OperationsAnswer>, AskError> {
    let params = Params::of(&uri)?;
    params.only(&["tenant"], false)?;
    let tenant = gate::tenant(&app, &headers, &params)?;
    let operations = gate::run(&app, move |asked| Ok(asked.source.operations(&tenant, &service)?)).await?;
    Ok(Json(OperationsAnswer { operations }))
}
