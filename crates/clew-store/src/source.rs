//! Spans to be asked: the live head, and what the log has lost.

use std::sync::Arc;

use clew_model::scan::{
    Expired, ExtentsAnswer, Incomplete, RowsAnswer, ScanAnswer, ScanError, ScanRequest, SpanSource,
};
use clew_model::{Tenant, TraceId};

use crate::driver::Shared;
use crate::log::Damage;

/// The store's spans. An answer says so when the log lost something that may belong to it.
pub(crate) struct Source {
    pub(crate) shared: Arc<Shared>,
    pub(crate) damage: Arc<[Damage]>,
}

impl Source {
    fn incomplete(&self, tenant: &Tenant) -> Option<Incomplete> {
        let concerns = |damage: &&Damage| {
            damage.tenants.as_ref().is_none_or(|tenants| tenants.iter().any(|name| name == tenant.as_str()))
        };
        let count = self.damage.iter().filter(concerns).count();
        (count > 0).then(|| Incomplete {
            reason: "corruption".to_owned(),
            detail: format!(
                "{count} damaged {} of the log could not be read, spans may be missing; see /v1/health, and run \
                 `clew check --repair` when the server is stopped",
                if count == 1 { "range" } else { "ranges" }
            ),
        })
    }
}

impl SpanSource for Source {
    fn scan(&self, request: &ScanRequest, expired: Expired<'_>) -> Result<ScanAnswer, ScanError> {
        let mut answer = self.shared.live.scan(request, expired)?;
        answer.incomplete = answer.incomplete.or_else(|| self.incomplete(&request.tenant));
        Ok(answer)
    }

    fn extents(&self, tenant: &Tenant, ids: &[TraceId], expired: Expired<'_>) -> Result<ExtentsAnswer, ScanError> {
        let mut answer = self.shared.live.extents(tenant, ids, expired)?;
        answer.incomplete = answer.incomplete.or_else(|| self.incomplete(tenant));
        Ok(answer)
    }

    fn rows(&self, tenant: &Tenant, ids: &[TraceId], expired: Expired<'_>) -> Result<RowsAnswer, ScanError> {
        let mut answer = self.shared.live.rows(tenant, ids, expired)?;
        answer.incomplete = answer.incomplete.or_else(|| self.incomplete(tenant));
        Ok(answer)
    }

    fn services(&self, tenant: &Tenant) -> Result<Vec<String>, ScanError> {
        self.shared.live.services(tenant)
    }

    fn operations(&self, tenant: &Tenant, service: &str) -> Result<Vec<String>, ScanError> {
        self.shared.live.operations(tenant, service)
    }

    fn tenants(&self) -> Result<Vec<Tenant>, ScanError> {
        self.shared.live.tenants()
    }
}
