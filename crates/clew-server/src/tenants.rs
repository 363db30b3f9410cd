//! Whose request this is, which tenants this server holds, and how fast each may send.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use clew_model::Tenant;
use http::HeaderMap;
use http::header::AUTHORIZATION;

/// The header that names the tenant where no token does.
pub const TENANT_HEADER: &str = "x-scope-orgid";

/// Why a request's tenant is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TenantProblem {
    /// The bearer token is not one of the configured ones, or there are several.
    #[error("the bearer token is not one of this server's tokens")]
    UnknownToken,
    /// The header's value is not a tenant name, or there are several.
    #[error("X-Scope-OrgID does not name one tenant: give it once, with 1 to 64 characters of A-Z a-z 0-9 _ . -")]
    BadName,
}

/// The tenant that a request names by token or else by header; `None` when it names none.
///
/// A header that is there twice is refused: whoever stands before this server and adds one must have the last word.
pub(crate) fn named(tokens: &HashMap<String, Tenant>, headers: &HeaderMap) -> Result<Option<Tenant>, TenantProblem> {
    if let Some(token) = bearer(headers).filter(|_| !tokens.is_empty()) {
        let tenant = tokens.get(token).filter(|_| is_single(headers, AUTHORIZATION.as_str()));
        return tenant.cloned().map(Some).ok_or(TenantProblem::UnknownToken);
    }
    let Some(name) = headers.get(TENANT_HEADER) else {
        return Ok(None);
    };
    if !is_single(headers, TENANT_HEADER) {
        return Err(TenantProblem::BadName);
    }
    let name = name.to_str().map_err(|_| TenantProblem::BadName)?;
    Tenant::new(name.trim()).map(Some).map_err(|_| TenantProblem::BadName)
}

/// The first bearer token of a request.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    headers.get_all(AUTHORIZATION).iter().find_map(|value| {
        let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
    })
}

fn is_single(headers: &HeaderMap, name: &str) -> bool {
    headers.get_all(name).iter().nth(1).is_none()
}

/// The tenants that this server holds, each with its quota. Their number is bounded; a tenant that was let in stays.
#[derive(Debug)]
pub struct Tenants {
    held: RwLock<HashMap<Tenant, Arc<Quota>>>,
    count_max: usize,
    spans_per_second: Option<u32>,
}

impl Tenants {
    /// The tenants that hold spans already, and room for more up to `count_max`.
    pub fn new(held: Vec<Tenant>, count_max: usize, spans_per_second: Option<u32>) -> Self {
        let quota = |tenant| (tenant, Arc::new(Quota::new(spans_per_second)));
        Self { held: RwLock::new(held.into_iter().map(quota).collect()), count_max, spans_per_second }
    }

    /// The quota of a tenant, let in if there is room; `None` if there is not.
    pub fn enter(&self, tenant: &Tenant) -> Option<Arc<Quota>> {
        if let Some(quota) = self.held.read().unwrap_or_else(PoisonError::into_inner).get(tenant) {
            return Some(Arc::clone(quota));
        }
        let mut held = self.held.write().unwrap_or_else(PoisonError::into_inner);
        if held.len() >= self.count_max && !held.contains_key(tenant) {
            return None;
        }
        let quota = held.entry(tenant.clone()).or_insert_with(|| Arc::new(Quota::new(self.spans_per_second)));
        Some(Arc::clone(quota))
    }
}

/// A bucket of one second's spans. A batch is let through while there is anything in it and may leave it in debt, so
/// that a batch of any size passes sometime and the average rate holds all the same.
#[derive(Debug)]
pub struct Quota {
    spans_per_second: Option<u32>,
    level: Mutex<Level>,
}

#[derive(Debug, Clone, Copy)]
struct Level {
    spans: f64,
    at_nanos: u64,
}

impl Quota {
    fn new(spans_per_second: Option<u32>) -> Self {
        let full = Level { spans: f64::from(spans_per_second.unwrap_or(0)), at_nanos: 0 };
        Self { spans_per_second, level: Mutex::new(full) }
    }

    /// Takes the spans, or says how long to wait until something can be taken. `now_nanos` is monotonic.
    pub fn take(&self, span_count: u32, now_nanos: u64) -> Result<(), Duration> {
        let Some(rate) = self.spans_per_second.map(f64::from) else {
            return Ok(());
        };
        let mut level = self.level.lock().unwrap_or_else(PoisonError::into_inner);
        let seconds = now_nanos.saturating_sub(level.at_nanos) as f64 / 1e9;
        level.spans = (level.spans + seconds * rate).min(rate);
        level.at_nanos = level.at_nanos.max(now_nanos);
        if level.spans <= 0.0 {
            // One span above the debt, rounded up to whole milliseconds, so that a retry at that time passes.
            let wait_millis = ((1.0 - level.spans) / rate * 1e3).ceil();
            return Err(Duration::from_millis(wait_millis as u64));
        }
        level.spans -= f64::from(span_count);
        Ok(())
    }

    /// Gives back what was taken for spans that were not stored.
    pub fn give_back(&self, span_count: u32) {
        let mut level = self.level.lock().unwrap_or_else(PoisonError::into_inner);
        level.spans += f64::from(span_count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn tenant(name: &str) -> Tenant {
        Tenant::new(name).unwrap()
    }

    #[test]
    fn a_token_goes_before_the_header() {
        let tokens = HashMap::from([("s3cret".to_owned(), tenant("paid"))]);
        let mut headers = HeaderMap::new();
        assert_eq!(named(&tokens, &headers), Ok(None));
        headers.insert(TENANT_HEADER, "shop".parse().unwrap());
        assert_eq!(named(&tokens, &headers), Ok(Some(tenant("shop"))));
        headers.insert(AUTHORIZATION, "bearer s3cret".parse().unwrap());
        assert_eq!(named(&tokens, &headers), Ok(Some(tenant("paid"))));
        headers.insert(AUTHORIZATION, "Bearer other".parse().unwrap());
        assert_eq!(named(&tokens, &headers), Err(TenantProblem::UnknownToken));
        assert_eq!(named(&HashMap::new(), &headers), Ok(Some(tenant("shop"))), "without tokens none is looked at");
        headers.insert(TENANT_HEADER, "../etc".parse().unwrap());
        assert_eq!(named(&HashMap::new(), &headers), Err(TenantProblem::BadName));
    }

    #[test]
    fn a_header_that_is_there_twice_names_nobody() {
        let tokens = HashMap::from([("s3cret".to_owned(), tenant("paid"))]);
        let mut headers = HeaderMap::new();
        headers.append(TENANT_HEADER, "a".parse().unwrap());
        headers.append(TENANT_HEADER, "b".parse().unwrap());
        assert_eq!(named(&tokens, &headers), Err(TenantProblem::BadName));
        headers.append(AUTHORIZATION, "Basic eDp5".parse().unwrap());
        assert_eq!(named(&tokens, &headers), Err(TenantProblem::BadName), "no token, so the header is looked at");
        headers.append(AUTHORIZATION, "Bearer s3cret".parse().unwrap());
        assert_eq!(named(&tokens, &headers), Err(TenantProblem::UnknownToken));
        headers.remove(AUTHORIZATION);
        headers.append(AUTHORIZATION, "Bearer s3cret".parse().unwrap());
        assert_eq!(named(&tokens, &headers), Ok(Some(tenant("paid"))));
    }

    #[test]
    fn no_more_tenants_than_configured() {
        let tenants = Tenants::new(vec![tenant("a")], 2, None);
        assert!(tenants.enter(&tenant("b")).is_some());
        assert!(tenants.enter(&tenant("c")).is_none());
        assert!(tenants.enter(&tenant("a")).is_some());
    }

    #[test]
    fn the_wait_it_names_is_the_wait_it_takes() {
        let quota = Quota::new(Some(100));
        assert_eq!(quota.take(350, 0), Ok(()), "a full bucket lets a large batch through, into debt");
        let wait = quota.take(1, 0).unwrap_err();
        assert_eq!(wait, Duration::from_millis(2510));
        assert!(quota.take(1, 2 * SECOND).is_err());
        assert_eq!(quota.take(1, wait.as_nanos() as u64), Ok(()));
    }

    #[test]
    fn what_is_given_back_can_be_taken_again() {
        let quota = Quota::new(Some(10));
        assert_eq!(quota.take(20, 0), Ok(()));
        quota.give_back(20);
        assert_eq!(quota.take(5, 0), Ok(()));
        assert_eq!(Quota::new(None).take(u32::MAX, 0), Ok(()));
    }

    #[test]
    fn the_average_rate_holds() {
        let quota = Quota::new(Some(1000));
        let passed = (0..100).filter(|tenth| quota.take(500, tenth * SECOND / 10).is_ok()).count();
        assert!((20..=23).contains(&passed), "{passed} batches of 500 in 10 s at 1000 a second");
    }
}
