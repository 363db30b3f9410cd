//! The description of the native API: OpenAPI 3.1, written from the handlers' own attributes.

use axum::Json;
use serde::{Deserialize, Serialize};
use utoipa::{IntoResponses, OpenApi, ToSchema};

use super::shape::{LiveGap, OperationsAnswer, SearchAnswer, ServicesAnswer, TraceForms};
use super::{attributes, dependencies, explain, export, find, heatmap, live, native, red, tenants, trace};
use crate::router::Health;
use crate::{delete, demo, figures, pins};

/// A problem document (RFC 9457), as [`crate::Problem`] writes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemDocument {
    /// HTTP status code.
    pub status: u16,
    /// What kind of problem, in a few words.
    pub title: String,
    /// What is wrong with this request and what to do about it.
    pub detail: String,
    /// The parameter or header at fault.
    pub parameter: Option<String>,
}

/// What every question may be refused with.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "read by the derive alone")]
pub(crate) enum Refusals {
    /// A parameter is unknown, malformed or out of range; the problem names it.
    #[response(status = 400, content_type = "application/problem+json")]
    Parameter(ProblemDocument),
    /// The bearer token is not one of this server's tokens.
    #[response(status = 401, content_type = "application/problem+json")]
    Token(ProblemDocument),
    /// Storage failed.
    #[response(status = 500, content_type = "application/problem+json")]
    Failed(ProblemDocument),
    /// As many questions as allowed are being answered; `Retry-After` says when to ask again.
    #[response(status = 503, content_type = "application/problem+json")]
    Busy(ProblemDocument),
    /// The query timeout has passed.
    #[response(status = 504, content_type = "application/problem+json")]
    Expired(ProblemDocument),
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "clew",
        description = "Send spans, find traces, and see where the time went. Times are RFC 3339 in UTC with nine digits; \
                       lengths carry their unit in their name. Errors are problem documents (RFC 9457).",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    paths(
        native::search,
        heatmap::heatmap,
        red::red,
        dependencies::dependencies,
        live::live,
        tenants::tenants,
        attributes::keys,
        attributes::values,
        trace::trace,
        find::find,
        explain::explain,
        export::export,
        delete::trace,
        delete::tenant,
        pins::pin,
        pins::unpin,
        pins::pins,
        native::services,
        native::operations,
        document,
        figures::json::figures,
        demo::demo,
        others::export,
        others::health,
        others::ready,
        others::metrics
    ),
    components(schemas(SearchAnswer, TraceForms, delete::DeleteAnswer, ServicesAnswer, OperationsAnswer, LiveGap, ProblemDocument)),
    tags(
        (name = "ask", description = "Questions and answers"),
        (name = "send", description = "Spans in"),
        (name = "operate", description = "The server itself"),
    )
)]
struct Api;

/// The description as a value.
pub fn api() -> utoipa::openapi::OpenApi {
    Api::openapi()
}

/// This document.
#[utoipa::path(
    get,
    path = "/v1/openapi.json",
    tag = "operate",
    responses((status = 200, description = "The description of this API", body = serde_json::Value))
)]
pub(crate) async fn document() -> Json<utoipa::openapi::OpenApi> {
    Json(api())
}

/// Doors that other modules serve.
#[expect(dead_code, reason = "these functions carry attributes for the description and are never called")]
mod others {
    use super::{Health, ProblemDocument};

    /// OTLP spans in: an `ExportTraceServiceRequest`. The answer comes after the spans are synced and can be found.
    #[utoipa::path(
        post,
        path = "/v1/traces",
        tag = "send",
        request_body(content(
            (Vec<u8> = "application/x-protobuf"),
            (serde_json::Value = "application/json"),
        ), description = "Plain, or with `Content-Encoding: gzip` or `zstd`"),
        responses(
            (status = 200, description = "An `ExportTraceServiceResponse`: stored, but for what `partialSuccess` counts"),
            (status = 400, description = "The body cannot be read; do not retry"),
            (status = 429, description = "The tenant's quota is spent; `Retry-After` says when to retry"),
            (status = 503, description = "Not now; `Retry-After` says when to retry"),
        )
    )]
    fn export() {}

    /// Whether all is well.
    #[utoipa::path(
        get,
        path = "/v1/health",
        tag = "operate",
        responses((status = 200, description = "`ok`, or `degraded` and why", body = Health))
    )]
    fn health() {}

    /// Whether spans are taken and questions answered.
    #[utoipa::path(
        get,
        path = "/v1/ready",
        tag = "operate",
        responses(
            (status = 200, description = "Ready"),
            (status = 503, description = "Not ready", body = ProblemDocument, content_type = "application/problem+json"),
        )
    )]
    fn ready() {}

    /// clew's own figures, and those of settled spans and calls, as Prometheus reads them.
    #[utoipa::path(
        get,
        path = "/metrics",
        tag = "operate",
        responses((status = 200, description = "By `Accept`; OpenMetrics has exemplars", content(
            (String = "text/plain"),
            (String = "application/openmetrics-text"),
        )))
    )]
    fn metrics() {}
}

#[cfg(test)]
#[path = "openapi/tests.rs"]
mod tests;
