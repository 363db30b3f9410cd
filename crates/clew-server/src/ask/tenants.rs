//! The door that tells which tenants there are.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use http::{HeaderMap, Uri};

use super::error::AskError;
use super::gate;
use super::openapi::Refusals;
use super::params::Params;
use super::shape::TenantsAnswer;
use crate::app::App;
use crate::tenants;

/// The tenants that hold spans. Whoever shows a token is told its own tenant only.
#[utoipa::path(
    get,
    path = "/v1/tenants",
    tag = "ask",
    params(("tenant" = Option<String>, Query, description = "Taken as everywhere; all tenants are told all the same")),
    responses((status = 200, description = "Their names, sorted", body = TenantsAnswer), Refusals)
)]
pub(crate) async fn tenants(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    uri: Uri,
) -> Result<Json<TenantsAnswer>, AskError> {
    let params = Params::of(&uri)?;
    params.only(&["tenant"], false)?;
    let asked = gate::tenant(&app, &headers, &params)?;
    let by_token = !app.config.tokens.is_empty() && tenants::bearer(&headers).is_some();
    let held = gate::run(&app, |asked| Ok(asked.source.tenants()?)).await?;
    let told = held.into_iter().filter(|tenant| !by_token || *tenant == asked);
    Ok(Json(TenantsAnswer { tenants: told.map(|tenant| tenant.as_str().to_owned()).collect() }))
}
