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
//! | `silhouette` | a trace in a few bars, for a list |
//! | `heatmap` | all matches of a question, counted over time and duration |
//! | `minutes`, `red`, `dependencies` | figures by the minute: rates, errors, durations, and who calls whom |
//! | `live` | traces as they are settled, as a stream of events |
//! | `accept`, `compress` | the media type that a client likes best; smaller answers for who accepts them |
//! | `gate` | tenant, concurrency, timeout; questions run off the serving threads |
//! | [`shape`], `show`, `table` | the JSON of the native API, and how it is made |
//! | `opened`, `version`, `trace_cache` | a trace that was read and explained, and those that were lately |
//! | `native`, `tenants`, `attributes`, `trace` | the native doors |
//! | `find` | a text in a trace |
//! | `page` | a trace as a page of its own |
//! | `explain`, `file` | the traces of a file that is not kept |
//! | `export` | whole traces as a stream of OTLP |
//! | `tempo`, [`jaeger`] | the drop-in doors |
//! | `error`, [`openapi`] | refusals; the description of it all |
//!
//! Invariants: a question never sees another tenant's spans; an answer does not depend on how spans lie in sources; what
//! cannot be answered in full is refused or says what it lacks.

pub(crate) mod accept;
mod attributes;
pub(crate) mod compress;
mod cursor;
mod dependencies;
pub(crate) mod error;
mod explain;
mod export;
mod file;
mod find;
pub(crate) mod gate;
mod heatmap;
pub mod jaeger;
pub(crate) mod live;
mod minutes;
#[cfg(test)]
mod naive;
mod native;
mod newest;
pub mod openapi;
mod opened;
mod page;
pub(crate) mod params;
pub(crate) mod question;
mod red;
mod search;
pub mod shape;
mod show;
mod silhouette;
mod table;
mod tempo;
mod tenants;
mod trace;
pub(crate) mod trace_cache;
mod version;
pub mod when;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};

pub use self::dependencies::HealthLimits;
pub use self::trace_cache::{TraceCache, TraceCacheFigures};
use crate::app::App;

/// All doors that answer questions.
pub fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/v1/traces/search", get(native::search))
        .route("/v1/traces/heatmap", get(heatmap::heatmap))
        .route("/v1/export", get(export::export))
        .route("/v1/explain", post(explain::explain))
        .route("/v1/traces/{id}", get(trace::trace))
        .route("/v1/tenants", get(tenants::tenants))
        .route("/v1/traces/{id}/find", get(find::find))
        .route("/v1/attributes", get(attributes::keys))
        .route("/v1/attributes/values", get(attributes::values))
        .route("/v1/metrics/red", get(red::red))
        .route("/v1/dependencies", get(dependencies::dependencies))
        .route("/v1/live", get(live::live))
        .route("/v1/services", get(native::services))
        .route("/v1/services/{service}/operations", get(native::operations))
        .route("/v1/openapi.json", get(openapi::document))
        .route("/tempo/api/echo", get(tempo::echo))
        .route("/tempo/api/traces/{id}", get(tempo::trace_v1))
        .route("/tempo/api/v2/traces/{id}", get(tempo::trace_v2))
        .route("/jaeger/api/traces/{id}", get(jaeger::trace))
        .route("/jaeger/api/services", get(jaeger::services))
        .route("/jaeger/api/services/{service}/operations", get(jaeger::operations))
        .layer(axum::middleware::from_fn(compress::compressed))
}
