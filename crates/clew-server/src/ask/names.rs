//! Which services and operations there are: the answers of all sources, merged and sorted.

use std::collections::BTreeSet;

use clew_model::Tenant;

use super::error::AskError;
use super::gate::Asked;

/// The services that sent spans, sorted.
pub(crate) fn services(asked: &Asked<'_>, tenant: &Tenant) -> Result<Vec<String>, AskError> {
    let mut names = BTreeSet::new();
    for source in asked.sources {
        names.extend(source.services(tenant)?);
    }
    Ok(names.into_iter().collect())
}

/// The operations of a service, sorted; none when the service is not known.
pub(crate) fn operations(asked: &Asked<'_>, tenant: &Tenant, service: &str) -> Result<Vec<String>, AskError> {
    let mut names = BTreeSet::new();
    for source in asked.sources {
        names.extend(source.operations(tenant, service)?);
    }
    Ok(names.into_iter().collect())
}
