//! The scan contract: what a question asks of whoever holds spans, as plain data that can cross a wire.
//!
//! A question (search now, TraceQL later) becomes conditions; a source (the live head now, blocks later) answers with
//! span rows grouped by trace. A second call fetches all rows of chosen traces. Sources know nothing of questions, and
//! questions nothing of storage. A trace may lie in several sources: each answers for the part that it holds, and the
//! caller merges by trace id before it decides anything about the whole trace; a third call gives the extents of the
//! parts that a scan left out.

use serde::{Deserialize, Serialize};

use crate::attributes::{self, AttributesRequest, KeysAnswer, ValuesAnswer};
use crate::identity::canonical;
use crate::value::Value;
use crate::{Notes, Span, SpanId, SpanTest, Summary, Tenant, TraceId, Verdict, summarize};

/// Which part of a span a condition looks at.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Field {
    /// The sending service ([`crate::Resource::service`]).
    Service,
    /// The operation.
    Name,
    /// The kind's word.
    Kind,
    /// The status code's word.
    Status,
    /// [`Span::is_error`], as a truth value.
    Error,
    /// The span's length in nanoseconds.
    Duration,
    /// The span's start in unix nanoseconds.
    Start,
    /// The value of a key; of a key that a list of attributes has more than once, the first.
    Attribute {
        /// Where to look.
        scope: AttributeScope,
        /// The key.
        key: String,
    },
}

/// Where an attribute lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttributeScope {
    /// On the span, its resource or its instrumentation scope; true if any of them meets the condition.
    Any,
    /// On the span.
    Span,
    /// On the resource.
    Resource,
    /// On the instrumentation scope.
    Instrumentation,
}

/// How a field is compared with the condition's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Op {
    /// Equal, type and value; `Int` and `Double` compare as numbers.
    Eq,
    /// Present and not equal.
    Ne,
    /// Less.
    Lt,
    /// Less or equal.
    Le,
    /// Greater.
    Gt,
    /// Greater or equal.
    Ge,
    /// The field's text form ([`Value`]'s `Display`) equals the condition's text, whatever its type.
    TextEq,
    /// Present; the condition's value is not looked at.
    Exists,
}

/// One comparison.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Condition {
    /// What is looked at.
    pub field: Field,
    /// How.
    pub op: Op,
    /// With what.
    pub value: Value,
}

/// Conditions that hold together in one span.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct SpanFilter {
    /// All must hold; none means any span.
    pub conditions: Vec<Condition>,
}

/// A half-open range of unix nanoseconds. An end of `u64::MAX` is none: that last instant then lies inside, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimeRange {
    /// First instant inside.
    pub from_unix_nanos: u64,
    /// First instant after.
    pub to_unix_nanos: u64,
}

impl TimeRange {
    /// Every instant.
    pub const ALL: Self = Self { from_unix_nanos: 0, to_unix_nanos: u64::MAX };

    /// Whether the instant lies inside.
    pub fn contains(self, unix_nanos: u64) -> bool {
        self.from_unix_nanos <= unix_nanos && !self.ends_before(unix_nanos)
    }

    /// Whether the instant is the end or lies behind it.
    fn ends_before(self, unix_nanos: u64) -> bool {
        self.to_unix_nanos <= unix_nanos && self.to_unix_nanos < u64::MAX
    }
}

/// From first start to last end of a trace, or of the part of it that a source holds.
///
/// Spans with odd times ([`Notes::ODD_TIME`]) count only as long as there are no others, in whatever source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extent {
    /// First start in unix nanoseconds.
    pub start_unix_nanos: u64,
    /// Last end in unix nanoseconds.
    pub end_unix_nanos: u64,
    /// Whether only spans with odd times gave it.
    pub is_odd: bool,
}

impl Extent {
    /// The extent of one span.
    pub fn of(span: &Span) -> Self {
        Self {
            start_unix_nanos: span.start_unix_nanos,
            end_unix_nanos: span.end_unix_nanos(),
            is_odd: span.notes.contains(Notes::ODD_TIME),
        }
    }

    /// The extent of two parts of a trace together.
    #[must_use]
    pub fn merge(self, other: Self) -> Self {
        match (self.is_odd, other.is_odd) {
            (false, true) => self,
            (true, false) => other,
            _ => Self {
                start_unix_nanos: self.start_unix_nanos.min(other.start_unix_nanos),
                end_unix_nanos: self.end_unix_nanos.max(other.end_unix_nanos),
                is_odd: self.is_odd,
            },
        }
    }

    /// Its length in nanoseconds.
    pub fn nanos(self) -> u64 {
        self.end_unix_nanos.saturating_sub(self.start_unix_nanos)
    }

    /// Whether an instant of it lies in the range; both ends belong to it.
    pub fn meets(self, range: TimeRange) -> bool {
        !range.ends_before(self.start_unix_nanos) && range.from_unix_nanos <= self.end_unix_nanos
    }
}

/// A question to a source: traces of `tenant` that have, for at least one filter, a span that meets it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScanRequest {
    /// Whose spans. A source never answers with another tenant's.
    pub tenant: Tenant,
    /// A hint: a source may leave out what it holds of a trace if that lies wholly outside ([`Extent::meets`]) and is not
    /// odd. The caller checks whole traces itself; of several sources it asks for an open end, since a trace that begins
    /// before the end of a range may go on after it in another source. None of its parts ends before it begins.
    pub range: TimeRange,
    /// At most 64. [`TraceMatch::filters_met`] says which of them the source's part of the trace meets; none means that
    /// every trace is a match.
    pub filters: Vec<SpanFilter>,
    /// How many matching spans to return per trace at most; their number is counted beyond that.
    pub rows_per_trace: u32,
}

/// A span that met a filter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpanRow {
    /// The span.
    pub span_id: SpanId,
    /// Start in unix nanoseconds.
    pub start_unix_nanos: u64,
    /// Length in nanoseconds.
    pub duration_nanos: u64,
}

/// A trace with at least one span, in this source, that met a filter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TraceMatch {
    /// The trace.
    pub trace_id: TraceId,
    /// Of all its spans in this source.
    pub extent: Extent,
    /// Bit `n` is set when a span met `filters[n]`.
    pub filters_met: u64,
    /// How many spans met a filter (before duplicates are removed).
    pub matched_count: u32,
    /// The first of them by start, at most [`ScanRequest::rows_per_trace`].
    pub rows: Vec<SpanRow>,
}

/// Why an answer may lack something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incomplete {
    /// A short name: `deadline`, `corruption`, `budget`.
    pub reason: String,
    /// What may be missing and what to do, in one sentence.
    pub detail: String,
}

/// A source's answer to a [`ScanRequest`].
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ScanAnswer {
    /// The matching traces, in no order, each once.
    pub matches: Vec<TraceMatch>,
    /// Set when something may be missing.
    pub incomplete: Option<Incomplete>,
    /// Spans looked at.
    pub scanned_count: u64,
}

/// When a scan has enough: of a list that shows the newest traces first and counts all of them up to a bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Enough {
    /// So many matches need to be counted.
    pub count: u64,
    /// So many of the newest ones are wanted. There may be more in the answer.
    pub newest: usize,
    /// Beyond the count, nothing is wanted that begins before that instant, since enough newer ones are known.
    pub floor_unix_nanos: u64,
}

/// A source's answer to a scan that may have enough.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct NewestAnswer {
    /// Matches. Their extents are those of the parts that matched, which [`SpanSource::extents`] completes; their counts
    /// and rows may lack what was not looked at.
    pub answer: ScanAnswer,
    /// Matches that are not in the answer begin before that instant, and have no odd times only; `None` when all are in it.
    pub left_out_before_unix_nanos: Option<u64>,
}

/// A source's answer to "the extents of these ids".
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ExtentsAnswer {
    /// Of what the source holds of these traces, in no order, unknown ids left out.
    pub extents: Vec<(TraceId, Extent)>,
    /// Set when something may be missing.
    pub incomplete: Option<Incomplete>,
}

/// A source's answer to "all rows of these ids".
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct RowsAnswer {
    /// The spans, grouped by trace in the order of the ids asked for, unknown ids left out. Identical spans are here once.
    pub spans: Vec<Span>,
    /// Set when something may be missing.
    pub incomplete: Option<Incomplete>,
}

/// A source's answer to "the summaries of these ids".
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct SummariesAnswer {
    /// Of what the source holds of these traces, in the order of the ids asked for, unknown ids left out. Parts of a trace
    /// in several sources cannot be added up, since a span may be in both: whoever finds more than one reads the rows.
    pub summaries: Vec<Summary>,
    /// Set when something may be missing.
    pub incomplete: Option<Incomplete>,
}

/// What a source holds of one trace, told apart from what it held before and will hold later: the parts that have rows of
/// it, each by its number and by what changes when rows come to that part. Equal versions mean equal rows.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct TraceVersion(pub Vec<(u64, u64)>);

/// How far a trace has come.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct TraceState {
    /// Whether all its spans are counted, so that its verdict stands.
    pub is_settled: bool,
    /// What was decided; `None` until it was settled once.
    pub verdict: Option<Verdict>,
    /// Spans that came after it was settled first, as far as that is still known.
    pub late_span_count: u64,
}

/// A question about traces that are known: which of their spans meet one of the filters.
#[derive(Debug, Clone, Copy)]
pub struct MatchedRequest<'r> {
    /// Whose spans.
    pub tenant: &'r Tenant,
    /// The traces.
    pub ids: &'r [TraceId],
    /// At most 64.
    pub filters: &'r [SpanFilter],
    /// How many spans of each trace to show at most; their number is counted beyond that.
    pub shown_per_trace: usize,
}

/// What a list shows of a span.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShownSpan {
    /// The span.
    pub span_id: SpanId,
    /// [`Span::service`].
    pub service: String,
    /// The operation.
    pub name: String,
    /// Start in unix nanoseconds.
    pub start_unix_nanos: u64,
    /// Length in nanoseconds.
    pub duration_nanos: u64,
    /// [`Span::is_error`].
    pub is_error: bool,
}

/// The spans of a trace that meet a filter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MatchedSpans {
    /// The trace.
    pub trace_id: TraceId,
    /// How many, at least one.
    pub count: u64,
    /// The first of them in canonical order ([`crate::identity::canonical`]).
    pub shown: Vec<ShownSpan>,
}

/// A source's answer to a [`MatchedRequest`].
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct MatchedAnswer {
    /// The traces that have such spans, in no order, each once.
    pub traces: Vec<MatchedSpans>,
    /// Set when something may be missing.
    pub incomplete: Option<Incomplete>,
}

impl MatchedRequest<'_> {
    /// The answer about a trace, of which these are all spans, identical ones once.
    pub fn of_trace(&self, spans: &[Span]) -> Option<MatchedSpans> {
        let tests: Vec<SpanTest<'_>> = self.filters.iter().map(SpanTest::new).collect();
        let mut met: Vec<&Span> = spans.iter().filter(|span| tests.iter().any(|test| test.is_met_by(span))).collect();
        let (trace_id, count) = (met.first()?.trace_id, met.len() as u64);
        met.sort_by(|one, two| canonical(one, two));
        let shown = met.into_iter().take(self.shown_per_trace).map(ShownSpan::of).collect();
        Some(MatchedSpans { trace_id, count, shown })
    }
}

impl ShownSpan {
    /// What is shown of that span.
    pub fn of(span: &Span) -> Self {
        Self {
            span_id: span.span_id,
            service: span.service().to_owned(),
            name: span.name.clone(),
            start_unix_nanos: span.start_unix_nanos,
            duration_nanos: span.duration_nanos,
            is_error: span.is_error(),
        }
    }
}

/// Whether a scan must stop: asked between chunks of work.
pub type Expired<'a> = &'a (dyn Fn() -> bool + Sync);

/// A source that could not answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ScanError {
    /// The time for the question ran out.
    #[error("the query timeout has passed")]
    Expired,
    /// The request breaks the contract (more than 64 filters).
    #[error("{0}")]
    Request(String),
    /// Storage failed.
    #[error("{0}")]
    Storage(String),
}

/// Whoever holds spans.
pub trait SpanSource: Send + Sync {
    /// Which traces have a span that meets a filter.
    fn scan(&self, request: &ScanRequest, expired: Expired<'_>) -> Result<ScanAnswer, ScanError>;

    /// As [`SpanSource::scan`], for at most one filter, and with matches left out beyond what is enough. A trace begins no
    /// later than any part of it, so what is left out comes after the newest ones that are in the answer.
    fn scan_newest(
        &self,
        request: &ScanRequest,
        _enough: &Enough,
        expired: Expired<'_>,
    ) -> Result<NewestAnswer, ScanError> {
        Ok(NewestAnswer { answer: self.scan(request, expired)?, left_out_before_unix_nanos: None })
    }

    /// The extents of these traces, whatever filters their spans meet.
    fn extents(&self, tenant: &Tenant, ids: &[TraceId], expired: Expired<'_>) -> Result<ExtentsAnswer, ScanError>;

    /// The summaries of these traces ([`crate::summarize`]), whatever filters their spans meet.
    fn summaries(&self, tenant: &Tenant, ids: &[TraceId], expired: Expired<'_>) -> Result<SummariesAnswer, ScanError> {
        let RowsAnswer { spans, incomplete } = self.rows(tenant, ids, expired)?;
        let traces = spans.chunk_by(|one, next| one.trace_id == next.trace_id);
        Ok(SummariesAnswer { summaries: traces.map(summarize).collect(), incomplete })
    }

    /// All rows of these traces, perhaps with no more than what they are drawn from: ids, times, who sent them, and whether
    /// they failed.
    fn outlines(&self, tenant: &Tenant, ids: &[TraceId], expired: Expired<'_>) -> Result<RowsAnswer, ScanError> {
        self.rows(tenant, ids, expired)
    }

    /// All rows of these traces, perhaps with no more than what figures are taken from: without events, scopes and messages, and
    /// of attributes what [`crate::relation::needs`] says.
    fn figured(&self, tenant: &Tenant, ids: &[TraceId], expired: Expired<'_>) -> Result<RowsAnswer, ScanError> {
        self.rows(tenant, ids, expired)
    }

    /// Which spans of these traces meet one of the filters, identical ones once.
    fn matched(&self, request: &MatchedRequest<'_>, expired: Expired<'_>) -> Result<MatchedAnswer, ScanError> {
        let RowsAnswer { spans, incomplete } = self.rows(request.tenant, request.ids, expired)?;
        let traces = spans.chunk_by(|one, next| one.trace_id == next.trace_id);
        Ok(MatchedAnswer { traces: traces.filter_map(|spans| request.of_trace(spans)).collect(), incomplete })
    }

    /// The version of the trace that [`Self::rows`] would answer with now, without reading it; `None` when the source
    /// cannot tell. Whoever keeps rows under a version asks for it first: rows that come in between make the version old.
    fn version(
        &self,
        _tenant: &Tenant,
        _id: TraceId,
        _expired: Expired<'_>,
    ) -> Result<Option<TraceVersion>, ScanError> {
        Ok(None)
    }

    /// All rows of these traces.
    fn rows(&self, tenant: &Tenant, ids: &[TraceId], expired: Expired<'_>) -> Result<RowsAnswer, ScanError>;

    /// How far a trace has come, of which these are all spans, identical ones once.
    fn trace_state(&self, _tenant: &Tenant, _spans: &[Span]) -> TraceState {
        TraceState::default()
    }

    /// The same for a list of traces in the order of their ids, without reading a span: of a trace that goes on after it was
    /// settled, only a verdict that is not what every trace has is known.
    fn trace_states(&self, _tenant: &Tenant, ids: &[TraceId]) -> Vec<TraceState> {
        vec![TraceState::default(); ids.len()]
    }

    /// The services that sent spans, sorted.
    fn services(&self, tenant: &Tenant) -> Result<Vec<String>, ScanError>;

    /// The operations of a service, sorted.
    fn operations(&self, tenant: &Tenant, service: &str) -> Result<Vec<String>, ScanError>;

    /// Which keys attributes have.
    fn attribute_keys(&self, request: &AttributesRequest, expired: Expired<'_>) -> Result<KeysAnswer, ScanError> {
        attributes::keys_by_reading(self, request, expired)
    }

    /// Which values a key has.
    fn attribute_values(
        &self,
        key: &str,
        request: &AttributesRequest,
        expired: Expired<'_>,
    ) -> Result<ValuesAnswer, ScanError> {
        attributes::values_by_reading(self, key, request, expired)
    }

    /// The tenants that hold spans, sorted.
    fn tenants(&self) -> Result<Vec<Tenant>, ScanError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_times_count_for_want_of_others_in_any_order() {
        let extent = |start_unix_nanos, end_unix_nanos, is_odd| Extent { start_unix_nanos, end_unix_nanos, is_odd };
        let parts = [extent(7, 9, false), extent(0, 1, true), extent(8, 12, false), extent(0, u64::MAX, true)];
        let merged = |order: &[usize]| order.iter().map(|at| parts[*at]).reduce(Extent::merge).unwrap();
        for order in [[0, 1, 2, 3], [1, 0, 3, 2], [3, 1, 2, 0], [1, 3, 0, 2]] {
            assert_eq!(merged(&order), extent(7, 12, false), "{order:?}");
        }
        assert_eq!(merged(&[1, 3]), extent(0, u64::MAX, true));
        assert_eq!(merged(&[0, 2]).nanos(), 5);
    }

    #[test]
    fn both_ends_of_an_extent_belong_to_it() {
        let extent = Extent { start_unix_nanos: 5, end_unix_nanos: 7, is_odd: false };
        let meets = |from_unix_nanos, to_unix_nanos| extent.meets(TimeRange { from_unix_nanos, to_unix_nanos });
        assert!(meets(7, 8) && meets(0, 6) && meets(6, 7));
        assert!(!meets(8, 9) && !meets(0, 5));
    }

    #[test]
    fn every_instant_is_every_instant() {
        let last = Extent { start_unix_nanos: u64::MAX, end_unix_nanos: u64::MAX, is_odd: true };
        assert!(TimeRange::ALL.contains(u64::MAX) && last.meets(TimeRange::ALL));
        let all_but_last = TimeRange { from_unix_nanos: 0, to_unix_nanos: u64::MAX - 1 };
        assert!(!all_but_last.contains(u64::MAX - 1) && !last.meets(all_but_last));
    }
}
