//! Which traces have a span that meets a filter.
//!
//! Per chunk and filter, each condition is settled for whole classes first: a class's name, kind, service and resource
//! attributes decide, or say where in the row's values to look. Then the rows of the classes that are left are asked,
//! and a string of the dictionary is compared once, however many rows have it.
//!
//! Without filters every trace is a match: no rows, a count of 0.

use std::collections::BinaryHeap;
use std::sync::Arc;

use clew_model::scan::{
    AttributeScope, Condition, Expired, ExtentsAnswer, Field, ScanAnswer, ScanError, ScanRequest, SpanFilter, SpanRow,
    TraceMatch,
};
use clew_model::{SpanId, Tenant, Test, TraceId, ValueRef};
use clew_wire::otlp::decode_value;

use super::chunk::{Cell, CellKind, Chunk, Class, Column};
use super::shard::Trace;
use super::{Live, read};

/// As many as [`TraceMatch::filters_met`] has bits.
const FILTERS_MAX: usize = 64;

/// Traces looked up between two looks at the time.
const IDS_AT_ONCE: usize = 1024;

/// A filter, made ready.
struct Filter<'r> {
    conditions: Vec<(&'r Condition, Test<'r>)>,
}

/// What a class knows about a condition on its rows.
#[derive(Clone, Copy)]
enum Verdict {
    No,
    Yes,
    /// The span's own value decides.
    Look(Column),
    /// Its duration or start decides.
    Time,
}

/// Answers [`clew_model::scan::SpanSource::scan`].
pub(super) fn scan(live: &Live, request: &ScanRequest, expired: Expired<'_>) -> Result<ScanAnswer, ScanError> {
    if request.filters.len() > FILTERS_MAX {
        let found = request.filters.len();
        return Err(ScanError::Request(format!("a scan takes at most {FILTERS_MAX} filters, not {found}")));
    }
    let filters: Vec<Filter<'_>> = request.filters.iter().map(Filter::new).collect();
    let mut answer = ScanAnswer::default();
    let Some(head) = live.head(&request.tenant) else { return Ok(answer) };
    for shard in &head.shards {
        if expired() {
            return Err(ScanError::Expired);
        }
        if filters.is_empty() {
            let shard = read(shard);
            let inside = shard.traces().iter().filter(|trace| trace.meets(request.range));
            answer.matches.extend(inside.map(|trace| Found::default().into_match(trace)));
            continue;
        }
        let mut found = Matches::new(request.rows_per_trace);
        // What grows is looked at, and what is full is listed, under one lock: no row is missed and none is seen twice.
        let full: Vec<Arc<Chunk>> = {
            let shard = read(shard);
            if let Some(active) = shard.active(request.range) {
                found.look(active, &filters);
            }
            shard.frozen(request.range).cloned().collect()
        };
        for chunk in full {
            if expired() {
                return Err(ScanError::Expired);
            }
            found.look(&chunk, &filters);
        }
        answer.scanned_count += found.scanned_count;
        // Ids and extents, which only the shard knows, are copied under the lock and sorted out after it.
        let traces: Vec<Trace> = {
            let shard = read(shard);
            found.found.iter().map(|found| shard.traces()[found.ordinal as usize]).collect()
        };
        let pairs = found.found.into_iter().zip(&traces).filter(|(_, trace)| trace.meets(request.range));
        answer.matches.extend(pairs.map(|(found, trace)| found.into_match(trace)));
    }
    Ok(answer)
}

/// Answers [`clew_model::scan::SpanSource::extents`].
pub(super) fn extents(
    live: &Live,
    tenant: &Tenant,
    ids: &[TraceId],
    expired: Expired<'_>,
) -> Result<ExtentsAnswer, ScanError> {
    let mut answer = ExtentsAnswer::default();
    let Some(head) = live.head(tenant) else { return Ok(answer) };
    for ids in ids.chunks(IDS_AT_ONCE) {
        if expired() {
            return Err(ScanError::Expired);
        }
        for id in ids {
            let hash = live.growth.trace_hash(*id);
            let shard = read(&head.shards[head.shard_of(hash)]);
            answer.extents.extend(shard.find(hash, *id).map(|trace| (*id, trace.extent)));
        }
    }
    Ok(answer)
}

/// The matching traces of a shard.
struct Matches {
    rows_per_trace: usize,
    scanned_count: u64,
    /// Per trace ordinal, where it lies in `found`; [`u32::MAX`] when it does not.
    slots: Vec<u32>,
    found: Vec<Found>,
    /// Per row of the chunk at hand, which filters it meets.
    met: Vec<u64>,
}

#[derive(Default)]
struct Found {
    ordinal: u32,
    filters_met: u64,
    matched_count: u32,
    /// The first rows so far, the last of them on top: start, span id, duration.
    first: BinaryHeap<(u64, u64, u64)>,
}

impl Matches {
    fn new(rows_per_trace: u32) -> Self {
        let rows_per_trace = rows_per_trace as usize;
        Self { rows_per_trace, scanned_count: 0, slots: Vec::new(), found: Vec::new(), met: Vec::new() }
    }

    /// Asks every row of the chunk every filter.
    fn look(&mut self, chunk: &Chunk, filters: &[Filter<'_>]) {
        self.scanned_count += chunk.row_count() as u64;
        self.met.clear();
        self.met.resize(chunk.row_count(), 0);
        let mut any = false;
        for (number, filter) in filters.iter().enumerate() {
            filter.rows(chunk, |row| {
                self.met[row] |= 1 << number;
                any = true;
            });
        }
        if !any {
            return;
        }
        for row in 0..self.met.len() {
            if self.met[row] != 0 {
                self.add(chunk, row, self.met[row]);
            }
        }
    }

    fn add(&mut self, chunk: &Chunk, row: usize, met: u64) {
        let ordinal = chunk.rows.trace[row];
        if self.slots.len() <= ordinal as usize {
            self.slots.resize(ordinal as usize + 1, u32::MAX);
        }
        let slot = &mut self.slots[ordinal as usize];
        if *slot == u32::MAX {
            *slot = self.found.len() as u32;
            self.found.push(Found { ordinal, ..Found::default() });
        }
        let found = &mut self.found[*slot as usize];
        found.filters_met |= met;
        found.matched_count += 1;
        let key = (chunk.rows.start_unix_nanos[row], chunk.rows.span_id[row], chunk.rows.duration_nanos[row]);
        if found.first.len() < self.rows_per_trace {
            found.first.push(key);
        } else if let Some(mut last) = found.first.peek_mut().filter(|last| key < **last) {
            *last = key;
        }
    }
}

impl Found {
    fn into_match(self, trace: &Trace) -> TraceMatch {
        let row = |(start_unix_nanos, span_id, duration_nanos)| SpanRow {
            span_id: SpanId::from_u64(span_id),
            start_unix_nanos,
            duration_nanos,
        };
        TraceMatch {
            trace_id: trace.id,
            extent: trace.extent,
            filters_met: self.filters_met,
            matched_count: self.matched_count,
            rows: self.first.into_sorted_vec().into_iter().map(row).collect(),
        }
    }
}

impl<'r> Filter<'r> {
    fn new(filter: &'r SpanFilter) -> Self {
        Self { conditions: filter.conditions.iter().map(|condition| (condition, Test::new(condition))).collect() }
    }

    /// Calls `meets` with each row of the chunk that meets all conditions.
    fn rows(&self, chunk: &Chunk, mut meets: impl FnMut(usize)) {
        let count = self.conditions.len();
        let mut verdicts: Vec<Verdict> = Vec::with_capacity(chunk.classes.len() * count);
        let mut is_left: Vec<bool> = Vec::with_capacity(chunk.classes.len());
        let mut questions: Vec<Question<'_, '_>> =
            self.conditions.iter().map(|(condition, test)| Question::new(chunk, condition, test)).collect();
        for class in &chunk.classes {
            let from = verdicts.len();
            verdicts.extend(questions.iter_mut().map(|question| question.of_class(class)));
            is_left.push(!verdicts[from..].iter().any(|verdict| matches!(verdict, Verdict::No)));
        }
        if !is_left.contains(&true) {
            return;
        }
        for (row, class) in chunk.rows.class.iter().enumerate() {
            let class = *class as usize;
            if !is_left[class] {
                continue;
            }
            let verdicts = &verdicts[class * count..][..count];
            if questions.iter_mut().zip(verdicts).all(|(question, verdict)| question.of_row(row, *verdict)) {
                meets(row);
            }
        }
    }
}

/// A condition in a chunk, with what is already known of it there.
struct Question<'q, 'r> {
    chunk: &'q Chunk,
    condition: &'r Condition,
    test: &'q Test<'r>,
    /// Per resource or scope, the answer.
    origins: Memo,
    /// Per shape, its first column of the key.
    columns: Vec<Option<Column>>,
    /// Per string of the dictionary, the answer, as text. Other types that lie in the dictionary are asked each time.
    strings: Memo,
    /// Whether any string of the dictionary meets the condition, once that is known.
    has_string: Option<bool>,
}

impl<'q, 'r> Question<'q, 'r> {
    fn new(chunk: &'q Chunk, condition: &'r Condition, test: &'q Test<'r>) -> Self {
        let (origins, columns, strings) = (Memo::default(), Vec::new(), Memo::default());
        Self { chunk, condition, test, origins, columns, strings, has_string: None }
    }

    /// What the class knows.
    fn of_class(&mut self, class: &Class) -> Verdict {
        let text = |text: &str| meets(self.test, Cell::String(text.as_bytes()));
        let is_met = match &self.condition.field {
            Field::Duration | Field::Start => return Verdict::Time,
            Field::Service => {
                let (chunk, test) = (self.chunk, self.test);
                let ask = || meets(test, Cell::String(chunk.service(class.resource)));
                self.origins.get(class.resource, chunk.origins.len(), ask)
            }
            Field::Name => meets(self.test, Cell::String(self.chunk.dictionary.get(class.name))),
            Field::Kind => text(class.kind.as_str()),
            Field::Status => text(class.status.as_str()),
            Field::Error => meets(self.test, Cell::Bool(class.error)),
            Field::Attribute { scope, key } => return self.of_attribute(class, *scope, key.as_bytes()),
        };
        if is_met { Verdict::Yes } else { Verdict::No }
    }

    fn of_attribute(&mut self, class: &Class, scope: AttributeScope, key: &[u8]) -> Verdict {
        let is_any = scope == AttributeScope::Any;
        if (is_any || scope == AttributeScope::Resource) && self.origin_meets(class.resource, key)
            || (is_any || scope == AttributeScope::Instrumentation) && self.origin_meets(class.scope, key)
        {
            return Verdict::Yes;
        }
        let column = if is_any || scope == AttributeScope::Span { self.column(class.shape, key) } else { None };
        match column {
            Some(column) if column.kind != CellKind::String || self.has_string() => Verdict::Look(column),
            _ => Verdict::No,
        }
    }

    /// Whether a string of the dictionary may meet the condition. One that asks for a single string is settled here: to
    /// look for it in the whole dictionary takes less time than to ask rows, most of which have another.
    fn has_string(&mut self) -> bool {
        let Some(string) = self.test.string() else { return true };
        *self.has_string.get_or_insert_with(|| {
            let dictionary = &self.chunk.dictionary;
            self.strings.0 = vec![1; dictionary.len()];
            dictionary.codes(string).for_each(|code| self.strings.0[code as usize] = 2);
            self.strings.0.contains(&2)
        })
    }

    fn origin_meets(&mut self, origin: u32, key: &[u8]) -> bool {
        let (chunk, test) = (self.chunk, self.test);
        let ask = || chunk.find(chunk.origins[origin as usize].attributes, key).is_some_and(|cell| meets(test, cell));
        self.origins.get(origin, chunk.origins.len(), ask)
    }

    fn column(&mut self, shape: u32, key: &[u8]) -> Option<Column> {
        if self.columns.is_empty() {
            self.columns = (0..self.chunk.shapes.len() as u32).map(|shape| self.chunk.column(shape, key)).collect();
        }
        self.columns[shape as usize]
    }

    #[inline]
    fn of_row(&mut self, row: usize, verdict: Verdict) -> bool {
        let rows = &self.chunk.rows;
        match verdict {
            Verdict::No => false,
            Verdict::Yes => true,
            Verdict::Time if self.condition.field == Field::Start => self.test.nanos(rows.start_unix_nanos[row]),
            Verdict::Time => self.test.nanos(rows.duration_nanos[row]),
            Verdict::Look(column) if column.kind == CellKind::String => {
                let (chunk, test) = (self.chunk, self.test);
                let code = chunk.words[(rows.words_from[row] + column.offset) as usize];
                let ask = || meets(test, Cell::String(chunk.dictionary.get(code)));
                self.strings.get(code, chunk.dictionary.len(), ask)
            }
            Verdict::Look(column) => meets(self.test, self.chunk.cell(column, rows.words_from[row])),
        }
    }
}

/// Whether a stored value meets a condition.
#[inline]
fn meets(test: &Test<'_>, cell: Cell<'_>) -> bool {
    let value = match cell {
        Cell::Empty => ValueRef::Empty,
        Cell::String(bytes) => ValueRef::String(bytes),
        Cell::Bool(truth) => ValueRef::Bool(truth),
        Cell::Int(number) => ValueRef::Int(number),
        Cell::Double(number) => ValueRef::Double(number),
        Cell::Bytes(bytes) => ValueRef::Bytes(bytes),
        Cell::Nested(message) => return test.is_met_by(ValueRef::Nested(&decode_value(message))),
    };
    test.is_met_by(value)
}

/// Answers by code, asked once each: 0 not yet, 1 no, 2 yes.
#[derive(Default)]
struct Memo(Vec<u8>);

impl Memo {
    #[inline]
    fn get(&mut self, code: u32, len: usize, ask: impl FnOnce() -> bool) -> bool {
        if self.0.is_empty() {
            self.0 = vec![0; len];
        }
        let answer = &mut self.0[code as usize];
        if *answer == 0 {
            *answer = 1 + u8::from(ask());
        }
        *answer == 2
    }
}
