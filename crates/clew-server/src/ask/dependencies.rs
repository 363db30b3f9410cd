//! Services, what they call, and how well that goes, from the figures that are kept by the minute.

#![allow(unused_qualifications, reason = "utoipa writes the path of a handler's parameter type a second time")]

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::Response;
use clew_model::scan::Incomplete;
use clew_rollup::{Connection, EdgeFigures, EdgeKey, Figures, Histogram, Rollup, Weight};
use clew_store::settle::FiguresAnswer;
use http::{HeaderMap, Uri};

use super::error::AskError;
use super::gate;
use super::minutes::{self, Minutes};
use super::openapi::Refusals;
use super::params::Params;
use super::red::{exemplars, mean_nanos, share};
use super::shape::{DependenciesAnswer, EdgeShape, NodeShape, RequestsShape, SideShape};
use super::when::to_rfc3339;
use crate::app::App;

/// Every parameter.
pub(crate) const PARAMETERS: [&str; 6] = ["service", "from", "to", "since", "limit", "tenant"];

const EDGES_DEFAULT: u64 = 1000;
const EDGES_MAX: u64 = 10_000;

/// From when on something is not well: above any of these.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HealthLimits {
    /// Share of failed requests above which it is degraded, 0 to 1 (`health.degraded_errors`).
    pub degraded_errors: f64,
    /// Mean duration above which it is degraded (`health.degraded_mean`).
    pub degraded_mean: Duration,
    /// Share of failed requests above which it is unhealthy (`health.unhealthy_errors`).
    pub unhealthy_errors: f64,
    /// Mean duration above which it is unhealthy (`health.unhealthy_mean`).
    pub unhealthy_mean: Duration,
}

impl Default for HealthLimits {
    fn default() -> Self {
        Self {
            degraded_errors: 0.01,
            degraded_mean: Duration::from_millis(500),
            unhealthy_errors: 0.05,
            unhealthy_mean: Duration::from_secs(1),
        }
    }
}

/// Services, what they call, and how well that goes.
///
/// Calls are counted by the minute in which the caller's span starts, of whole traces, also of those that sampling drops.
/// Databases, topics and queues, and hosts that send no spans are nodes too.
#[utoipa::path(
    get,
    path = "/v1/dependencies",
    tag = "ask",
    params(
        ("service" = Option<String>, Query, description = "Only edges from or to this one, and the nodes at their ends"),
        ("from" = Option<String>, Query, description = "Spans start at this instant or later, as in a search; by default an hour before `to`"),
        ("to" = Option<String>, Query, description = "Spans start before this instant; by default now"),
        ("since" = Option<String>, Query, description = "In place of `from`: how far to look back, such as `6h`"),
        ("limit" = Option<u32>, Query, description = "Edges, those that happen most first: 1 to 10000, by default 1000"),
        ("tenant" = Option<String>, Query, description = "Whose spans; over the header `X-Scope-OrgID`"),
    ),
    responses((status = 200, description = "The graph", body = DependenciesAnswer), Refusals)
)]
pub(crate) async fn dependencies(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    uri: Uri,
) -> Result<Response, AskError> {
    let params = Params::of(&uri)?;
    let tenant = gate::tenant(&app, &headers, &params)?;
    let question = Question::parse(&params, app.config.health, app.clock.unix_nanos())?;
    let minutes = question.minutes;
    let shape = move |found: FiguresAnswer| answer(&found.rollup, &question, found.incomplete);
    minutes.answer(&app, tenant, shape).await
}

/// What is asked.
#[derive(Debug, Clone, PartialEq)]
struct Question {
    service: Option<String>,
    minutes: Minutes,
    limit: usize,
    health: HealthLimits,
}

impl Question {
    fn parse(params: &Params, health: HealthLimits, now_unix_nanos: u64) -> Result<Self, AskError> {
        params.only(&PARAMETERS, false)?;
        Ok(Self {
            service: params.one("service")?.map(str::to_owned),
            minutes: Minutes::read(params, now_unix_nanos)?,
            limit: params.number("limit", 1, EDGES_MAX)?.unwrap_or(EDGES_DEFAULT) as usize,
            health,
        })
    }
}

/// What somebody was asked for.
#[derive(Debug, Default)]
struct Requests {
    received: i64,
    weighted: Weight,
    errors: Weight,
    duration: Histogram,
}

impl Requests {
    fn add(&mut self, received: i64, weighted: Weight, errors: Weight, duration: &Histogram) {
        self.received += received;
        self.weighted.add(weighted);
        self.errors.add(errors);
        self.duration.add(duration);
    }

    fn shape(&self, seconds: f64) -> RequestsShape {
        let (weighted, errors) = (self.weighted.to_f64().max(0.0), self.errors.to_f64().max(0.0));
        RequestsShape {
            received: self.received.max(0) as u64,
            weighted,
            errors,
            per_second: weighted / seconds,
            error_rate: share(errors, weighted),
            mean_nanos: mean_nanos(&self.duration),
            p99_nanos: self.duration.quantile(0.99),
        }
    }
}

/// The graph.
fn answer(rollup: &Rollup, question: &Question, incomplete: Option<Incomplete>) -> DependenciesAnswer {
    let Minutes { from, to, .. } = question.minutes;
    let seconds = question.minutes.seconds(from, to);
    let mut edges: BTreeMap<&EdgeKey, EdgeFigures> = BTreeMap::new();
    for (_, key, figures) in rollup.edges(from..to, None) {
        edges.entry(key).or_default().add(figures);
    }
    edges.retain(|_, figures| figures.received > 0);
    let services = services(rollup, question.minutes);
    let others = others(&edges, &services);
    let is_asked = |name: &str| question.service.as_deref().is_none_or(|service| service == name);
    let mut shown: Vec<(&EdgeKey, &EdgeFigures)> =
        edges.iter().filter(|(key, _)| is_asked(&key.caller) || is_asked(&key.callee)).map(|(k, v)| (*k, v)).collect();
    shown.sort_by_key(|(key, figures)| (Reverse(figures.received), *key));
    let edge_count = shown.len() as u64;
    shown.truncate(question.limit);
    let mut names: BTreeSet<&str> = shown.iter().flat_map(|(key, _)| [&*key.caller, &*key.callee]).collect();
    names.extend(services.keys().filter(|name| is_asked(name)));
    let node = |name: &str| {
        let (kind, requests) = match services.get(name) {
            Some(requests) => ("service", requests.shape(seconds)),
            None => others
                .get(name)
                .map_or(("external", RequestsShape::default()), |(kind, requests)| (*kind, requests.shape(seconds))),
        };
        let health = health(&requests, question.health).to_owned();
        NodeShape { name: name.to_owned(), kind: kind.to_owned(), health, requests }
    };
    DependenciesAnswer {
        from: to_rfc3339(minutes::start(from)),
        to: to_rfc3339(minutes::start(to)),
        nodes: names.into_iter().map(node).collect(),
        edges: shown.into_iter().map(|(key, figures)| edge(key, figures, seconds)).collect(),
        edge_count,
        incomplete: incomplete.map(Into::into),
    }
}

/// Who sent spans, and what they were asked for.
fn services(rollup: &Rollup, Minutes { from, to, .. }: Minutes) -> BTreeMap<&str, Requests> {
    let mut services: BTreeMap<&str, Requests> = BTreeMap::new();
    for (_, key, figures) in rollup.series(from..to, None, None) {
        let requests = services.entry(&key.service).or_default();
        if key.kind.is_callee() {
            let Figures { received, weighted, weighted_errors, .. } = figures;
            requests.add(*received, *weighted, *weighted_errors, &figures.weighted_duration());
        }
    }
    services
}

/// What was called that sent no spans: what it is, and what it was asked for.
fn others<'r>(
    edges: &BTreeMap<&'r EdgeKey, EdgeFigures>,
    services: &BTreeMap<&str, Requests>,
) -> BTreeMap<&'r str, (&'static str, Requests)> {
    let mut others: BTreeMap<&str, (&'static str, Requests)> = BTreeMap::new();
    for (key, figures) in edges {
        let is_broker = matches!(key.connection, Connection::Messaging | Connection::Link);
        if is_broker && !services.contains_key(&*key.caller) {
            others.entry(&key.caller).or_insert_with(|| ("queue", Requests::default()));
        }
        if services.contains_key(&*key.callee) {
            continue;
        }
        let kind = match key.connection {
            Connection::Database => "database",
            Connection::Messaging | Connection::Link => "queue",
            Connection::Http | Connection::Rpc | Connection::Other => "external",
        };
        let (_, requests) = others.entry(&key.callee).or_insert_with(|| (kind, Requests::default()));
        let EdgeFigures { received, weighted, weighted_errors, .. } = figures;
        requests.add(*received, *weighted, *weighted_errors, &figures.caller_duration);
    }
    others
}

fn edge(key: &EdgeKey, figures: &EdgeFigures, seconds: f64) -> EdgeShape {
    let (weighted, errors) = (figures.weighted.to_f64().max(0.0), figures.weighted_errors.to_f64().max(0.0));
    EdgeShape {
        caller: key.caller.to_string(),
        callee: key.callee.to_string(),
        connection: key.connection.as_str().to_owned(),
        received: figures.received.max(0) as u64,
        weighted,
        errors,
        per_second: weighted / seconds,
        error_rate: share(errors, weighted),
        caller_side: side(&figures.caller_duration),
        callee_side: side(&figures.callee_duration),
        latency: side(&figures.latency),
        exemplars: exemplars(&figures.exemplars),
    }
}

fn side(duration: &Histogram) -> SideShape {
    SideShape { mean_nanos: mean_nanos(duration), p99_nanos: duration.quantile(0.99) }
}

fn health(requests: &RequestsShape, limits: HealthLimits) -> &'static str {
    let is_above = |errors: f64, mean: Duration| {
        let mean_nanos = requests.mean_nanos.map_or(0, u128::from);
        requests.error_rate > errors || mean_nanos > mean.as_nanos()
    };
    match requests {
        RequestsShape { received: 0, .. } => "unknown",
        _ if is_above(limits.unhealthy_errors, limits.unhealthy_mean) => "unhealthy",
        _ if is_above(limits.degraded_errors, limits.degraded_mean) => "degraded",
        _ => "healthy",
    }
}

#[cfg(test)]
mod tests;
