//! Rates, errors and durations, from the figures that are kept by the minute: of all spans, settled or not, up to now.

#![allow(unused_qualifications, reason = "utoipa writes the path of a handler's parameter type a second time")]

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use clew_model::scan::Incomplete;
use clew_model::{Kind, StatusCode};
use clew_rollup::{Exemplars, Figures, Histogram, Rollup, SeriesKey};
use clew_store::settle::FiguresAnswer;
use http::{HeaderMap, Uri};

use super::error::AskError;
use super::gate;
use super::minutes::{self, Minutes};
use super::openapi::Refusals;
use super::params::Params;
use super::shape::{ExemplarShape, RedAnswer, RedFigures, RedGroup, RedSeries};
use super::when::{SPAN_OF_TIME_FORMS, parse_span_of_time, to_rfc3339};
use crate::app::App;

/// Every parameter.
pub(crate) const PARAMETERS: [&str; 11] =
    ["service", "operation", "kind", "status", "from", "to", "since", "step", "groupBy", "limit", "tenant"];

const GROUPS_DEFAULT: u64 = 100;
const GROUPS_MAX: u64 = 1000;
/// Points of a series unless a step is given.
const POINTS_USUAL: u64 = 120;
/// Points of a series at most.
const POINTS_MAX: u64 = 1500;
/// Steps that are taken unless one is given, in minutes; beyond, whole days.
const STEPS: [u64; 12] = [1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, DAY];
const DAY: u64 = 1440;

/// Rates, errors and durations of spans, as totals and over time.
///
/// Counted of all spans that were received, also of traces that sampling drops, by the minute in which a span starts. The
/// minutes that the range touches are whole. `received` counts spans; `weighted` counts the spans that they stand for, where
/// senders sample. Quantiles are within 1.8 % of a duration of that rank.
#[utoipa::path(
    get,
    path = "/v1/metrics/red",
    tag = "ask",
    params(
        ("service" = Option<String>, Query, description = "Spans of this service"),
        ("operation" = Option<String>, Query, description = "Spans of this operation, exactly"),
        ("kind" = Option<String>, Query, description = "`server`, `client`, `internal`, `producer`, `consumer` or `unspecified`"),
        ("status" = Option<String>, Query, description = "`error` (status ERROR, or an attribute `error` that is true), `ok` or `unset`"),
        ("from" = Option<String>, Query, description = "Spans start at this instant or later, as in a search; by default an hour before `to`"),
        ("to" = Option<String>, Query, description = "Spans start before this instant; by default now"),
        ("since" = Option<String>, Query, description = "In place of `from`: how far to look back, such as `6h`"),
        ("step" = Option<String>, Query, description = "How long a point of a series is: whole minutes, such as `5m`; by default so that there are at most 120"),
        ("groupBy" = Option<Vec<String>>, Query, description = "`service` (default), `operation`, `kind`, `status`; several with commas"),
        ("limit" = Option<u32>, Query, description = "Groups, those with most spans first: 1 to 1000, by default 100"),
        ("tenant" = Option<String>, Query, description = "Whose spans; over the header `X-Scope-OrgID`"),
    ),
    responses((status = 200, description = "The groups", body = RedAnswer), Refusals)
)]
pub(crate) async fn red(State(app): State<Arc<App>>, headers: HeaderMap, uri: Uri) -> Result<Response, AskError> {
    let params = Params::of(&uri)?;
    let tenant = gate::tenant(&app, &headers, &params)?;
    let question = Question::parse(&params, app.clock.unix_nanos())?;
    let minutes = question.minutes;
    let shape = move |found: FiguresAnswer| answer(&found.rollup, &question, found.incomplete);
    minutes.answer(&app, tenant, shape).await
}

/// What is asked.
#[derive(Debug, Clone, PartialEq)]
struct Question {
    service: Option<String>,
    operation: Option<String>,
    kind: Option<Kind>,
    status: Option<StatusCode>,
    minutes: Minutes,
    step: u64,
    group_by: GroupBy,
    limit: usize,
}

/// What tells groups apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct GroupBy {
    service: bool,
    operation: bool,
    kind: bool,
    status: bool,
}

/// A group: of what does not tell groups apart there is nothing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Key<'r> {
    service: Option<&'r str>,
    operation: Option<&'r str>,
    kind: Option<Kind>,
    status: Option<StatusCode>,
}

impl Question {
    fn parse(params: &Params, now_unix_nanos: u64) -> Result<Self, AskError> {
        params.only(&PARAMETERS, false)?;
        let minutes = Minutes::read(params, now_unix_nanos)?;
        let statuses = [StatusCode::Error, StatusCode::Ok, StatusCode::Unset].map(|code| (code.as_str(), code));
        Ok(Self {
            service: params.one("service")?.map(str::to_owned),
            operation: params.one("operation")?.map(str::to_owned),
            kind: params.word("kind", &Kind::ALL.map(|kind| (kind.as_str(), kind)))?,
            status: params.word("status", &statuses)?,
            minutes,
            step: step(params, minutes)?,
            group_by: GroupBy::parse(params)?,
            limit: params.number("limit", 1, GROUPS_MAX)?.unwrap_or(GROUPS_DEFAULT) as usize,
        })
    }

    fn wants(&self, key: &SeriesKey) -> bool {
        self.kind.is_none_or(|kind| kind == key.kind) && self.status.is_none_or(|status| status == key.status)
    }

    /// Where points begin, and at last where they end, in unix minutes: at multiples of the step, so that they stay where
    /// they are as time goes on.
    fn bounds(&self) -> Vec<u64> {
        let Minutes { from, to, .. } = self.minutes;
        let inner = (from / self.step + 1..).map(|number| number * self.step).take_while(|bound| *bound < to);
        [from].into_iter().chain(inner).chain([to]).collect()
    }
}

impl GroupBy {
    fn parse(params: &Params) -> Result<Self, AskError> {
        let mut by = Self::default();
        for word in params.all("groupBy").flat_map(|words| words.split(',')) {
            match word.trim() {
                "service" => by.service = true,
                "operation" => by.operation = true,
                "kind" => by.kind = true,
                "status" => by.status = true,
                other => {
                    let detail = format!("`{other}` is not one of service, operation, kind, status");
                    return Err(AskError::parameter("groupBy", detail));
                }
            }
        }
        Ok(if by == Self::default() { Self { service: true, ..by } } else { by })
    }

    fn key(self, key: &SeriesKey) -> Key<'_> {
        Key {
            service: self.service.then_some(&*key.service),
            operation: self.operation.then_some(&*key.operation),
            kind: self.kind.then_some(key.kind),
            status: self.status.then_some(key.status),
        }
    }

    fn words(self) -> Vec<String> {
        let all =
            [("service", self.service), ("operation", self.operation), ("kind", self.kind), ("status", self.status)];
        all.into_iter().filter(|(_, is_used)| *is_used).map(|(word, _)| word.to_owned()).collect()
    }
}

/// How long a point is, in minutes.
fn step(params: &Params, minutes: Minutes) -> Result<u64, AskError> {
    let Some(text) = params.one("step")? else {
        // One more than the whole steps that the range holds: it may begin and end within one.
        let fits = |step: u64| minutes.count().div_ceil(step) < POINTS_USUAL;
        let days = minutes.count().div_ceil(DAY).div_ceil(POINTS_USUAL - 1) * DAY;
        return Ok(STEPS.into_iter().find(|step| fits(*step)).unwrap_or(days));
    };
    let wrong = || {
        let detail =
            format!("`{text}` is not a whole number of minutes, such as 5m; accepted are {SPAN_OF_TIME_FORMS}");
        AskError::parameter("step", detail)
    };
    let nanos = parse_span_of_time(text).filter(|nanos| *nanos > 0 && nanos.is_multiple_of(Rollup::MINUTE_NANOS));
    let step = nanos.ok_or_else(wrong)? / Rollup::MINUTE_NANOS;
    if minutes.count().div_ceil(step) > POINTS_MAX {
        let detail = format!("a step of {text} makes more than {POINTS_MAX} points; take a longer one");
        return Err(AskError::parameter("step", detail));
    }
    Ok(step)
}

/// The groups with most spans.
fn answer(rollup: &Rollup, question: &Question, incomplete: Option<Incomplete>) -> RedAnswer {
    let mut groups: BTreeMap<Key<'_>, Vec<(u64, &Figures)>> = BTreeMap::new();
    let Minutes { from, to, .. } = question.minutes;
    let all = rollup.series(from..to, question.service.as_deref(), question.operation.as_deref());
    for (unix_minute, key, figures) in all.filter(|(_, key, _)| question.wants(key)) {
        groups.entry(question.group_by.key(key)).or_default().push((unix_minute, figures));
    }
    let received = |parts: &[(u64, &Figures)]| parts.iter().map(|(_, figures)| figures.received).sum::<i64>();
    let mut ranked: Vec<_> = groups.into_iter().map(|(key, parts)| (Reverse(received(&parts)), key, parts)).collect();
    ranked.retain(|(received, ..)| received.0 > 0);
    ranked.sort_by(|one, two| (one.0, &one.1).cmp(&(two.0, &two.1)));
    let group_count = ranked.len() as u64;
    ranked.truncate(question.limit);
    let bounds = question.bounds();
    RedAnswer {
        from: to_rfc3339(minutes::start(from)),
        to: to_rfc3339(minutes::start(to)),
        step_seconds: question.step * 60,
        starts: bounds[..bounds.len() - 1].iter().map(|bound| to_rfc3339(minutes::start(*bound))).collect(),
        group_by: question.group_by.words(),
        // One after the other: of each, the figures of its points are made and let go.
        groups: ranked.into_iter().map(|(_, key, parts)| group(&key, &parts, question.minutes, &bounds)).collect(),
        group_count,
        incomplete: incomplete.map(Into::into),
    }
}

/// A group; its parts come by minute.
fn group(key: &Key<'_>, parts: &[(u64, &Figures)], minutes: Minutes, bounds: &[u64]) -> RedGroup {
    let mut series = RedSeries::default();
    let mut total = Figures::default();
    let mut rest = parts;
    for pair in bounds.windows(2) {
        let (own, after) = rest.split_at(rest.partition_point(|(unix_minute, _)| *unix_minute < pair[1]));
        let mut point = Figures::default();
        for (_, figures) in own {
            point.add(figures);
        }
        total.add(&point);
        push(&mut series, &point, minutes.seconds(pair[0], pair[1]));
        rest = after;
    }
    let seconds = minutes.seconds(minutes.from, minutes.to);
    RedGroup {
        service: key.service.map(str::to_owned),
        operation: key.operation.map(str::to_owned),
        kind: key.kind.map(|kind| kind.as_str().to_owned()),
        status: key.status.map(|status| status.as_str().to_owned()),
        received: received(&total, seconds),
        weighted: weighted(&total, seconds),
        series,
        exemplars: exemplars(&total.exemplars),
    }
}

fn push(series: &mut RedSeries, point: &Figures, seconds: f64) {
    let figures = weighted(point, seconds);
    series.received.push(point.received.max(0) as u64);
    series.weighted.push(figures.count);
    series.errors.push(figures.errors);
    series.per_second.push(figures.per_second);
    series.error_rate.push(figures.error_rate);
    series.mean_nanos.push(figures.mean_nanos);
    series.p50_nanos.push(figures.p50_nanos);
    series.p90_nanos.push(figures.p90_nanos);
    series.p95_nanos.push(figures.p95_nanos);
    series.p99_nanos.push(figures.p99_nanos);
}

fn received(figures: &Figures, seconds: f64) -> RedFigures {
    of(figures.received as f64, figures.errors as f64, &figures.duration, seconds)
}

fn weighted(figures: &Figures, seconds: f64) -> RedFigures {
    let (count, errors) = (figures.weighted.to_f64(), figures.weighted_errors.to_f64());
    of(count, errors, &figures.weighted_duration(), seconds)
}

fn of(count: f64, errors: f64, duration: &Histogram, seconds: f64) -> RedFigures {
    let (count, errors) = (count.max(0.0), errors.max(0.0));
    RedFigures {
        count,
        errors,
        per_second: count / seconds,
        error_rate: share(errors, count),
        mean_nanos: mean_nanos(duration),
        p50_nanos: duration.quantile(0.5),
        p90_nanos: duration.quantile(0.9),
        p95_nanos: duration.quantile(0.95),
        p99_nanos: duration.quantile(0.99),
    }
}

/// The mean, exactly; `None` when there is nothing.
pub(super) fn mean_nanos(duration: &Histogram) -> Option<u64> {
    let count = u64::try_from(duration.count()).ok().filter(|count| *count > 0)?;
    u64::try_from(duration.sum_nanos() / i128::from(count)).ok()
}

/// A part of a whole; 0 when there is nothing.
pub(super) fn share(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { (part / whole).min(1.0) } else { 0.0 }
}

/// Each of them once, with what it stands for.
pub(super) fn exemplars(exemplars: &Exemplars) -> Vec<ExemplarShape> {
    let (slowest, failed, typical) = (exemplars.slowest(), exemplars.failed(), exemplars.typical());
    let named = [("slowest", slowest), ("failed", failed), ("typical", typical)];
    let of = |exemplar: &clew_rollup::Exemplar| {
        let own = named.iter().filter(|(_, other)| *other == Some(exemplar));
        ExemplarShape {
            of: own.map(|(word, _)| (*word).to_owned()).collect(),
            trace_id: exemplar.trace_id.to_string(),
            span_id: exemplar.span_id,
            start: to_rfc3339(exemplar.start_unix_nanos),
            duration_nanos: exemplar.duration_nanos,
            error: exemplar.is_error,
        }
    };
    exemplars.iter().map(of).collect()
}

#[cfg(test)]
mod tests;
