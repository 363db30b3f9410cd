//! From the parameters of a search to a question that sources understand.

use clew_model::scan::{AttributeScope, Condition, Field, Op, SpanFilter, TimeRange};
use clew_model::{Kind, StatusCode, Tenant, Value};
use xxhash_rust::xxh3::Xxh3;

use super::cursor::Cursor;
use super::error::AskError;
use super::params::Params;
use super::when::{INSTANT_FORMS, SPAN_OF_TIME_FORMS, parse_instant, parse_span_of_time};

/// The filters of a search but `attr.KEY`.
const FILTERS: [&str; 12] = [
    "service",
    "operation",
    "status",
    "kind",
    "minDurationMs",
    "maxDurationMs",
    "minSpanDurationMs",
    "maxSpanDurationMs",
    "tenant",
    "from",
    "to",
    "since",
];

/// Every parameter of a search but `attr.KEY`.
pub(crate) const PARAMETERS: [&str; 18] = with_filters(["sort", "limit", "cursor", "total", "silhouette", "q"]);

/// The filters, and what a question takes besides; of as many names as both together.
pub(crate) const fn with_filters<const MORE: usize, const ALL: usize>(
    more: [&'static str; MORE],
) -> [&'static str; ALL] {
    let mut all = [""; ALL];
    let mut at = 0;
    while at < ALL {
        all[at] = if at < FILTERS.len() { FILTERS[at] } else { more[at - FILTERS.len()] };
        at += 1;
    }
    all
}

/// Traces on a page when `limit` is absent.
pub(crate) const LIMIT_DEFAULT: u64 = 20;
/// Traces on a page at most.
pub(crate) const LIMIT_MAX: u64 = 1000;
/// Where a bounded total stops unless it is told otherwise.
pub(crate) const TOTAL_BOUND: u64 = 10_000;
/// Services that one question may name: with other conditions each takes two of the 64 filters of a scan.
const SERVICES_MAX: usize = 16;
/// The largest bound of a span's length, in milliseconds.
const SPAN_MILLIS_MAX: i64 = i64::MAX / 1_000_000;
/// Attributes that one question may name.
const ATTRIBUTES_MAX: usize = 32;

/// A search, checked.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Question {
    /// Whose traces.
    pub tenant: Tenant,
    /// What spans must meet.
    pub filters: Vec<SpanFilter>,
    /// Bit `n` is set when the trace must meet `filters[n]`.
    pub all_of: u64,
    /// Bit `n` is set when meeting `filters[n]` is one way to meet the rest; none set means there is no rest.
    pub any_of: u64,
    /// Bounds of the trace's start.
    pub range: TimeRange,
    /// Bounds of the trace's extent in nanoseconds, both inside.
    pub duration_nanos: (u64, u64),
    /// The order of the answer.
    pub sort: Sort,
    /// How many traces a page holds.
    pub limit: usize,
    /// How far matches are counted.
    pub total: TotalMode,
    /// Whether each trace is shown in a few bars, too.
    pub silhouette: bool,
    /// Where the page before ended.
    pub after: Option<Cursor>,
    /// Hash of what was asked, page and count aside.
    pub hash: u64,
}

/// The order of traces; traces that are equal in it are ordered by id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sort {
    /// Oldest start first.
    Start,
    /// Newest start first.
    StartDown,
    /// Shortest first.
    Duration,
    /// Longest first.
    DurationDown,
}

/// How far matches are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TotalMode {
    /// To the end.
    Exact,
    /// To a bound, [`TOTAL_BOUND`] as a rule.
    Bounded,
    /// Not at all.
    None,
}

impl Question {
    /// The question that these parameters ask for `tenant` at this moment.
    pub(crate) fn parse(params: &Params, tenant: Tenant, now_unix_nanos: u64) -> Result<Self, AskError> {
        params.only(&PARAMETERS, true)?;
        if params.one("q")?.is_some() {
            let detail = "TraceQL is not understood here; use service, operation, status, kind, attr.KEY, minDurationMs, \
                          maxDurationMs, minSpanDurationMs and maxSpanDurationMs";
            return Err(AskError::parameter("q", detail));
        }
        Self::read(params, tenant, now_unix_nanos)
    }

    /// The same for parameters whose names were checked.
    pub(crate) fn read(params: &Params, tenant: Tenant, now_unix_nanos: u64) -> Result<Self, AskError> {
        let mut services: Vec<&str> = params.all("service").collect();
        services.sort_unstable();
        services.dedup();
        let (filters, all_of, any_of) = filters(&services, span_conditions(params)?)?;
        let hash = hash(params, &tenant);
        let after = cursor(params, hash)?;
        let range = match &after {
            Some(cursor) => cursor.range,
            None => range(params, now_unix_nanos)?,
        };
        let sorts = [
            ("-start", Sort::StartDown),
            ("start", Sort::Start),
            ("-duration", Sort::DurationDown),
            ("duration", Sort::Duration),
        ];
        let totals = [("bounded", TotalMode::Bounded), ("exact", TotalMode::Exact), ("none", TotalMode::None)];
        Ok(Self {
            tenant,
            filters,
            all_of,
            any_of,
            range,
            duration_nanos: bounds(params, "minDurationMs", "maxDurationMs")?.unwrap_or((0, u64::MAX)),
            sort: params.word("sort", &sorts)?.unwrap_or(Sort::StartDown),
            limit: params.number("limit", 1, LIMIT_MAX)?.unwrap_or(LIMIT_DEFAULT) as usize,
            total: params.word("total", &totals)?.unwrap_or(TotalMode::Bounded),
            silhouette: params.word("silhouette", &[("true", true), ("false", false)])?.unwrap_or(false),
            after,
            hash,
        })
    }

    /// The filters that tell which spans are shown: those of all conditions together where services have some of their own.
    pub(crate) fn shown_filters(&self) -> impl Iterator<Item = &SpanFilter> {
        let shown = if self.any_of == 0 { self.all_of } else { self.any_of };
        (0..).zip(&self.filters).filter(move |(bit, _)| shown >> bit & 1 == 1).map(|(_, filter)| filter)
    }

    /// Whether a trace whose spans met these filters meets the question's conditions on spans.
    pub(crate) fn is_met_by(&self, filters_met: u64) -> bool {
        filters_met & self.all_of == self.all_of && (self.any_of == 0 || filters_met & self.any_of != 0)
    }
}

/// The conditions that hold together in one span, its service aside.
fn span_conditions(params: &Params) -> Result<Vec<Condition>, AskError> {
    let mut conditions = Vec::new();
    let mut add = |field, op, value: Value| conditions.push(Condition { field, op, value });
    if let Some(operation) = params.one("operation")? {
        add(Field::Name, Op::Eq, operation.into());
    }
    let statuses = [StatusCode::Error, StatusCode::Ok, StatusCode::Unset].map(|code| (code.as_str(), code));
    match params.word("status", &statuses)? {
        Some(StatusCode::Error) => add(Field::Error, Op::Eq, true.into()),
        Some(code) => add(Field::Status, Op::Eq, code.as_str().into()),
        None => {}
    }
    if let Some(kind) = params.word("kind", &Kind::ALL.map(|kind| (kind.as_str(), kind)))? {
        add(Field::Kind, Op::Eq, kind.as_str().into());
    }
    if let Some((min, max)) = bounds(params, "minSpanDurationMs", "maxSpanDurationMs")? {
        // Conditions carry signed numbers, and no span that makes sense lasts longer.
        let nanos = |name: &str, nanos: u64| {
            let too_long = || AskError::parameter(name, format!("{name} is at most {SPAN_MILLIS_MAX} (292 years)"));
            i64::try_from(nanos).map(Value::Int).map_err(|_| too_long())
        };
        if min > 0 {
            add(Field::Duration, Op::Ge, nanos("minSpanDurationMs", min)?);
        }
        if max < u64::MAX {
            add(Field::Duration, Op::Le, nanos("maxSpanDurationMs", max)?);
        }
    }
    let attributes = params.attributes()?;
    if let Some((key, _)) = attributes.get(ATTRIBUTES_MAX) {
        let detail = format!("at most {ATTRIBUTES_MAX} attributes may be given");
        return Err(AskError::parameter(format!("attr.{key}"), detail));
    }
    for (key, text) in attributes {
        let field = Field::Attribute { scope: AttributeScope::Any, key: key.to_owned() };
        add(field, Op::TextEq, text.into());
    }
    Ok(conditions)
}

/// The filters of a scan, those that must all be met, and those of which one must be.
///
/// One service belongs to the span that meets the other conditions. Several services must each be touched, and the
/// other conditions hold in a span of any one of them.
fn filters(services: &[&str], conditions: Vec<Condition>) -> Result<(Vec<SpanFilter>, u64, u64), AskError> {
    if services.len() > SERVICES_MAX {
        return Err(AskError::parameter("service", format!("at most {SERVICES_MAX} services may be given")));
    }
    let of = |service: &&str| Condition { field: Field::Service, op: Op::Eq, value: (*service).into() };
    let together = |service| SpanFilter { conditions: [of(service)].into_iter().chain(conditions.clone()).collect() };
    match services {
        [] if conditions.is_empty() => Ok((Vec::new(), 0, 0)),
        [] => Ok((vec![SpanFilter { conditions }], 1, 0)),
        [service] => Ok((vec![together(service)], 1, 0)),
        several => {
            let mut filters: Vec<_> =
                several.iter().map(|service| SpanFilter { conditions: vec![of(service)] }).collect();
            let all_of = (1 << several.len()) - 1;
            if conditions.is_empty() {
                return Ok((filters, all_of, 0));
            }
            filters.extend(several.iter().map(together));
            Ok((filters, all_of, all_of << several.len()))
        }
    }
}

/// The bounds of two parameters in milliseconds; `None` when neither is given.
pub(super) fn bounds(params: &Params, min_name: &str, max_name: &str) -> Result<Option<(u64, u64)>, AskError> {
    let (min, max) = (params.millis(min_name)?, params.millis(max_name)?);
    if min.is_none() && max.is_none() {
        return Ok(None);
    }
    let (min, max) = (min.unwrap_or(0), max.unwrap_or(u64::MAX));
    if min > max {
        return Err(AskError::parameter(max_name, format!("{max_name} is less than {min_name}")));
    }
    Ok(Some((min, max)))
}

/// The range of `from`, `to` and `since`; without them every instant.
pub(super) fn range(params: &Params, now_unix_nanos: u64) -> Result<TimeRange, AskError> {
    let instant = |name: &str| {
        let Some(text) = params.one(name)? else { return Ok(None) };
        let wrong = || AskError::parameter(name, format!("`{text}` is not an instant; accepted are {INSTANT_FORMS}"));
        parse_instant(text, now_unix_nanos).map(Some).ok_or_else(wrong)
    };
    let (mut from, to) = (instant("from")?, instant("to")?);
    if let Some(text) = params.one("since")? {
        if from.is_some() {
            return Err(AskError::parameter("since", "since and from exclude each other"));
        }
        let wrong = || {
            let detail = format!("`{text}` is not a length of time; accepted are {SPAN_OF_TIME_FORMS}");
            AskError::parameter("since", detail)
        };
        from = Some(now_unix_nanos.saturating_sub(parse_span_of_time(text).ok_or_else(wrong)?));
    }
    let from_unix_nanos = from.unwrap_or(TimeRange::ALL.from_unix_nanos);
    let to_unix_nanos = to.unwrap_or(TimeRange::ALL.to_unix_nanos);
    let range = TimeRange { from_unix_nanos, to_unix_nanos };
    if !range.contains(from_unix_nanos) {
        return Err(AskError::parameter("to", "the range is empty: to must be after from"));
    }
    Ok(range)
}

fn cursor(params: &Params, hash: u64) -> Result<Option<Cursor>, AskError> {
    let Some(text) = params.one("cursor")? else { return Ok(None) };
    let unreadable =
        || AskError::parameter("cursor", "this is not a cursor; pass the one of the page before unchanged");
    let cursor = Cursor::decode(text).ok_or_else(unreadable)?;
    if cursor.question != hash {
        let detail = "this cursor belongs to another question; repeat all parameters of the page before but limit, total and silhouette";
        return Err(AskError::parameter("cursor", detail));
    }
    Ok(Some(cursor))
}

/// A hash of what was asked, in whatever order the parameters came.
fn hash(params: &Params, tenant: &Tenant) -> u64 {
    let mut pairs = params.without(&["cursor", "limit", "total", "silhouette", "tenant"]);
    pairs.push(("tenant", tenant.as_str()));
    pairs.sort_unstable();
    let mut hasher = Xxh3::new();
    for text in pairs.iter().flat_map(|(name, value)| [name, value]) {
        hasher.update(&(text.len() as u64).to_le_bytes());
        hasher.update(text.as_bytes());
    }
    hasher.digest()
}

#[cfg(test)]
#[path = "question/tests.rs"]
mod tests;
