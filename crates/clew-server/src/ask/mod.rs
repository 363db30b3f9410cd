//! Questions and answers: the native API's reading half, and the drop-in doors of Tempo and Jaeger.
//!
//! A question becomes conditions for span sources ([`clew_model::scan`]); whole traces are judged here, after every
//! source has answered. In reading order:
//!
//! | Module | What |
//! |---|---|
//! | `params`, `when` | query parameters and times as people write them |
//! | `question`, `cursor` | a search, checked; where a page ended |
//! | `search` | executing it over sources |
//! | `accept` | the media type that a client likes best |
//! | `gate` | tenant, concurrency, timeout; questions run off the serving threads |
//! | [`shape`], `show`, `table` | the JSON of the native API, and how it is made |
//! | `native`, `trace` | the native doors |
//! | `export` | whole traces as a stream of OTLP |
//! | `tempo`, [`jaeger`] | the drop-in doors |
//! | `error`, [`openapi`] | refusals; the description of it all |
//!
//! Invariants: a question never sees another tenant's spans; an answer does not depend on how spans lie in sources; what
//! cannot be answered in full is refused or says what it lacks.

mod accept;
mod cursor;
pub(crate) mod error;
mod export;
pub(crate) mod gate;
pub mod jaeger;
#[cfg(test)]
mod naive;
mod native;
pub mod openapi;
pub(crate) mod params;
mod question;
mod search;
pub mod shape;
mod show;
mod table;
mod tempo;
mod trace;
pub mod when;

use std::sync::Arc;

use axum::Router;
use axum::routing::get;

use crate::app::App;

/// All doors that answer questions.
pub fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/v1/traces/search", get(native::search))
        .route("/v1/export", get(export::export))
        .route("/v1/traces/{id}", get(trace::trace))
        .route("/v1/services", get(native::services))
        .route("/v1/services/{service}/operations", get(native::operations))
        .route("/v1/openapi.json", get(openapi::document))
        .route("/tempo/api/echo", get(tempo::echo))
        .route("/tempo/api/traces/{id}", get(tempo::trace_v1))
        .route("/tempo/api/v2/traces/{id}", get(tempo::trace_v2))
        .route("/jaeger/api/traces/{id}", get(jaeger::trace))
        .route("/jaeger/api/services", get(jaeger::services))
        .route("/jaeger/api/services/{service}/operations", get(jaeger::operations))
}
