//! Spans that this process sends itself, on the way of any sender's.

use std::sync::Arc;

use bytes::Bytes;
use clew_model::Tenant;
use clew_store::Encoding;

use super::refusal::Refusal;
use super::signal::{Signal, Syntax};
use super::{Envelope, take};
use crate::app::App;
use crate::problem::Problem;

/// Stores the spans of an `ExportTraceServiceRequest` in protobuf, and gives the number of those that were not kept.
pub(crate) async fn store_own(app: &Arc<App>, tenant: Tenant, body: Bytes) -> Result<u64, Problem> {
    let figures = app.figures.tenant(&tenant);
    app.figures.request(app.clock.unix_nanos());
    let stored = store(app, tenant, body).await;
    stored.map_err(|refusal| {
        figures.refuse(refusal.reason, refusal.span_count);
        refusal.into_problem()
    })
}

async fn store(app: &Arc<App>, tenant: Tenant, body: Bytes) -> Result<u64, Refusal> {
    let mut hold = app.in_flight.hold();
    hold.grow_to(body.len()).await?;
    let envelope = Envelope {
        signal: Signal::Traces,
        syntax: Syntax::Protobuf,
        tenant: Some(tenant),
        encoding: Encoding::Identity,
        body,
        hold,
        place: Signal::Traces.path(),
        agent: None,
        complete_nanos: app.clock.monotonic_nanos(),
    };
    Ok(take(app, envelope).await?.rejected)
}
