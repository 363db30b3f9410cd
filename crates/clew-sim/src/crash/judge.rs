//! Whether what a view answers is what the ledger says: the naive oracle.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hasher};
use std::path::Path;

use clew_block::{BlockFile, BlockName};
use clew_model::scan::{
    AttributeScope, Condition, Extent, ExtentsAnswer, Field, Incomplete, Op, ScanRequest, SpanFilter, SpanRow,
    SpanSource, SummariesAnswer, TimeRange, TraceMatch,
};
use clew_model::{Span, Tenant, TraceId, summarize};
use clew_rollup::Rollup;
use clew_store::keep::Retention;
use clew_store::port::Disk;
use clew_store::settle::FiguresAnswer;
use clew_store::view::View;

use super::ledger::{Fate, Ledger, oldest_kept};
use super::script::{Piece, Script};
use super::{DATA_DIR, TENANTS};

/// The spans of each trace of each tenant.
pub type Found = BTreeMap<Tenant, BTreeMap<TraceId, Vec<Span>>>;

/// Rows of a match that are asked for.
const ROWS_PER_TRACE: u32 = 3;

/// Compares all that a view answers with the ledger, and notes there what has gone for good; answers what was found, or which
/// invariant does not hold. The disk is that of the blocks.
pub fn judge(view: &View, disk: &dyn Disk, script: &Script, ledger: &mut Ledger) -> Result<Found, String> {
    let held = requests(view)?;
    if let Some((batch, times)) = held.iter().find(|(_, times)| **times > 1) {
        return Err(format!("L2: batch {batch} is there {times} times"));
    }
    ledger.settle(|batch| held.contains_key(&batch));
    unchanged(view, disk, ledger)?;
    let mut all = Found::new();
    for tenant in tenants() {
        let known: BTreeSet<TraceId> =
            script.pieces.iter().flatten().filter(|piece| piece.tenant == tenant).map(|piece| piece.trace_id).collect();
        let found = rows(view, &tenant, &known)?;
        for id in &known {
            let spans = found.get(id).map_or(&[][..], Vec::as_slice);
            promised(&tenant, *id, spans, script, ledger)?;
        }
        if let Some(id) = found.keys().find(|id| !known.contains(id)) {
            return Err(format!("T1: tenant {tenant} has trace {id}, which nobody sent for it"));
        }
        questions(view, &tenant, &found, script, ledger)?;
        figures(view, &tenant, &found, ledger)?;
        all.insert(tenant, found);
    }
    pins(view, ledger)?;
    names(view, &all, script, ledger)?;
    feed(view, script, ledger)?;
    Ok(all)
}

/// R1: whether nothing in blocks is over, right after an expiry.
pub(super) fn none_is_over(view: &View, retention: &Retention, now_unix_nanos: u64) -> Result<(), String> {
    for block in &view.blocks {
        for tenant in block.meta().tenants.iter().map(|part| &part.tenant) {
            let oldest = oldest_kept(retention, tenant, now_unix_nanos);
            let (mut youngest, mut is_pinned) = (0, true);
            let lost = block.for_each_trace(Some(tenant), |_, id, spans| {
                youngest = spans.iter().map(|span| span.received_unix_nanos).fold(youngest, u64::max);
                is_pinned &= view.pins.contains(tenant, id);
                Ok::<(), String>(())
            })?;
            if let Some(error) = lost.first() {
                return Err(format!("L6: block {} cannot be read: {error}", block.meta().name));
            }
            if youngest < oldest && !is_pinned {
                return Err(format!("R1: block {} holds spans of tenant {tenant} that are over", block.meta().name));
            }
        }
    }
    Ok(())
}

/// R1: whether a reader still finds all that it found.
pub(super) fn still_read(view: &View, found: &Found) -> Result<(), String> {
    for (tenant, traces) in found {
        let ids: BTreeSet<TraceId> = traces.keys().copied().collect();
        let now = rows(view, tenant, &ids)?;
        for (id, spans) in traces {
            let left = now.get(id).map_or(&[][..], Vec::as_slice);
            if let Some(span) = spans.iter().find(|span| !has(left, span)) {
                return Err(format!("R1: span {} was removed under a reader", span.span_id));
            }
        }
    }
    Ok(())
}

pub(super) fn tenants() -> impl Iterator<Item = Tenant> {
    TENANTS.iter().map(|name| Tenant::new(name).expect("a name of letters"))
}

/// How often each batch is there.
fn requests(view: &View) -> Result<BTreeMap<usize, u32>, String> {
    let mut requests = Vec::new();
    for generation in &view.generations {
        requests.extend(generation.requests().requests);
    }
    for block in &view.blocks {
        requests.extend(block.requests().map_err(|error| format!("L6: {error}"))?.requests);
    }
    let mut times = BTreeMap::new();
    for request in requests {
        *times.entry(request.hash as usize).or_default() += 1;
    }
    Ok(times)
}

/// B1: blocks are as they were, and a name is that of one block.
fn unchanged(view: &View, disk: &dyn Disk, ledger: &mut Ledger) -> Result<(), String> {
    for block in &view.blocks {
        let name = block.meta().name;
        let checksum = checksum(disk, name).map_err(|error| format!("B2: block {name} cannot be read: {error}"))?;
        if *ledger.blocks.entry(name).or_insert(checksum) != checksum {
            return Err(format!("B1: block {name} has changed, or there were two of that name"));
        }
        if let Some(damage) = block.damage().first() {
            return Err(format!("L6: block {name} is damaged: {damage}"));
        }
    }
    Ok(())
}

fn checksum(disk: &dyn Disk, name: BlockName) -> std::io::Result<u64> {
    let mut hasher = DefaultHasher::new();
    for file in [BlockFile::Data, BlockFile::Side] {
        let path = Path::new(DATA_DIR).join("blocks").join(name.file_name(file));
        hasher.write(&disk.read(&path, 0, usize::MAX >> 1)?);
    }
    Ok(hasher.finish())
}

/// The spans of these traces, and of all others that a scan finds.
fn rows(view: &View, tenant: &Tenant, known: &BTreeSet<TraceId>) -> Result<BTreeMap<TraceId, Vec<Span>>, String> {
    let told = |error| format!("L6: a question failed: {error}");
    let request = ScanRequest { tenant: tenant.clone(), range: TimeRange::ALL, filters: Vec::new(), rows_per_trace: 0 };
    let answer = view.scan(&request, &|| false).map_err(told)?;
    let listed: BTreeSet<TraceId> = answer.matches.iter().map(|found| found.trace_id).collect();
    let ids: Vec<TraceId> = known.union(&listed).copied().collect();
    let read = view.rows(tenant, &ids, &|| false).map_err(told)?;
    if let Some(incomplete) = answer.incomplete.or(read.incomplete) {
        return Err(format!("L6: an answer lacks something: {}", incomplete.detail));
    }
    let mut found: BTreeMap<TraceId, Vec<Span>> = BTreeMap::new();
    for span in read.spans {
        found.entry(span.trace_id).or_default().push(span);
    }
    if !found.keys().eq(listed.iter()) {
        return Err(format!("V1: tenant {tenant} lists {} traces and has {}", listed.len(), found.len()));
    }
    Ok(found)
}

pub(super) fn has(spans: &[Span], span: &Span) -> bool {
    spans.iter().any(|other| other.span_id == span.span_id && other.is_same_as(span))
}

/// L1, R1, T1: a trace's spans are those that must be there, and no other than those that may.
fn promised(tenant: &Tenant, id: TraceId, spans: &[Span], script: &Script, ledger: &mut Ledger) -> Result<(), String> {
    let is_own = |piece: &&Piece| piece.tenant == *tenant && piece.trace_id == id;
    let mut sure: Vec<&Span> = Vec::new();
    let mut over: Vec<(usize, usize, &Piece)> = Vec::new();
    for (at, record) in ledger.records.iter().enumerate() {
        for (number, piece) in script.pieces[record.batch].iter().enumerate().filter(|(_, piece)| is_own(piece)) {
            match record.fates[number] {
                Fate::Sure => sure.extend(&piece.spans),
                Fate::Over => over.push((at, number, piece)),
                Fate::Latent | Fate::Open | Fate::Gone => {}
            }
        }
    }
    let may = |span: &Span| {
        ledger.records.iter().any(|record| {
            let own = script.pieces[record.batch].iter().zip(&record.fates);
            let mut left = own.filter(|(piece, fate)| is_own(piece) && matches!(fate, Fate::Sure | Fate::Over));
            let came = ledger.received.get(&record.batch).is_some_and(|came| came.contains(&span.received_unix_nanos));
            came && left.any(|(piece, _)| has(&piece.spans, span))
        })
    };
    // A copy of a span that went with its trace goes the same way: nothing of it was new.
    let went = |span: &Span| {
        let own = ledger.records.iter().flat_map(|record| script.pieces[record.batch].iter().zip(&record.fates));
        let gone = own.filter(|(piece, fate)| is_own(piece) && matches!(fate, Fate::Over | Fate::Gone));
        ledger.drops && gone.map(|(piece, _)| piece).any(|piece| has(&piece.spans, span))
    };
    if let Some(span) = sure.iter().find(|span| !has(spans, span) && !went(span)) {
        return Err(format!("L1: span {} of trace {id} of tenant {tenant} is missing", span.span_id));
    }
    if let Some(span) = spans.iter().find(|span| !may(span)) {
        return Err(format!("R1: span {} of trace {id} of tenant {tenant} should not be there", span.span_id));
    }
    let mut gone = Vec::new();
    for (at, number, piece) in &over {
        let others = over.iter().filter(|other| (other.0, other.1) != (*at, *number));
        let mut others: Vec<&Span> = others.flat_map(|(_, _, piece)| &piece.spans).collect();
        others.extend(&sure);
        let own: Vec<&Span> = piece.spans.iter().filter(|span| !others.iter().any(|o| o.is_same_as(span))).collect();
        match own.iter().filter(|span| has(spans, span)).count() {
            0 if !own.is_empty() => gone.push((*at, *number)),
            left if left == own.len() => {}
            left => return Err(format!("R1: {left} of {} spans that were over are left of trace {id}", own.len())),
        }
    }
    for (at, number) in gone {
        ledger.records[at].fates[number] = Fate::Gone;
    }
    Ok(())
}

/// B3: what is asked about traces is what their spans say, wherever they lie.
fn questions(
    view: &View,
    tenant: &Tenant,
    found: &BTreeMap<TraceId, Vec<Span>>,
    script: &Script,
    ledger: &Ledger,
) -> Result<(), String> {
    let told = |error| format!("L6: a question failed: {error}");
    let ids: Vec<TraceId> = found.keys().copied().collect();
    let lacks = |incomplete: Option<Incomplete>| match incomplete {
        Some(incomplete) => Err(format!("L6: an answer lacks something: {}", incomplete.detail)),
        None => Ok(()),
    };
    let SummariesAnswer { summaries, incomplete } = view.summaries(tenant, &ids, &|| false).map_err(told)?;
    lacks(incomplete)?;
    let expected: Vec<_> = found.values().map(|spans| summarize(spans)).collect();
    if summaries != expected {
        return Err(format!("B3: the summaries of tenant {tenant} are {summaries:?}, not {expected:?}"));
    }
    let ExtentsAnswer { mut extents, incomplete } = view.extents(tenant, &ids, &|| false).map_err(told)?;
    lacks(incomplete)?;
    extents.sort_by_key(|(id, _)| *id);
    let expected: Vec<_> = found.iter().map(|(id, spans)| (*id, extent(spans))).collect();
    if extents != expected {
        return Err(format!("B3: the extents of tenant {tenant} are {extents:?}, not {expected:?}"));
    }
    let Some(spans) = found.values().nth(found.len() / 2) else { return Ok(()) };
    let repeated = repeated(tenant, script, ledger);
    // One of them each time: scans open columns, which takes most of a simulation's time.
    let which = (ledger.records.len() + tenant.as_str().len()) % 3;
    for request in requests_about(tenant, spans).into_iter().skip(which).take(1) {
        let answer = view.scan(&request, &|| false).map_err(told)?;
        lacks(answer.incomplete)?;
        let mut answers: BTreeMap<TraceId, TraceMatch> = answer.matches.into_iter().map(|m| (m.trace_id, m)).collect();
        for (id, spans) in found {
            let answered = answers.remove(id);
            // Whoever asks keeps the traces that begin in the range; what a source says of others is not the whole of them.
            if !request.range.contains(extent(spans).start_unix_nanos) {
                continue;
            }
            let mut expected = match_of(*id, spans, &request);
            if repeated.contains(id)
                && let (Some(expected), Some(answered)) = (&mut expected, &answered)
            {
                // Counted before repeats are left out.
                expected.matched_count = expected.matched_count.max(answered.matched_count);
                expected.rows.clone_from(&answered.rows);
            }
            if answered != expected {
                return Err(format!("B3: {request:?} finds {answered:?}, not {expected:?}"));
            }
        }
        if let Some(id) = answers.keys().next() {
            return Err(format!("B3: a scan of tenant {tenant} finds trace {id}, which it has not"));
        }
    }
    Ok(())
}

/// The traces that a span was sent to twice.
fn repeated(tenant: &Tenant, script: &Script, ledger: &Ledger) -> BTreeSet<TraceId> {
    let mut seen = BTreeSet::new();
    let batches = ledger.records.iter().flat_map(|record| &script.pieces[record.batch]);
    let spans = batches.filter(|piece| piece.tenant == *tenant).flat_map(|piece| &piece.spans);
    spans.filter(|span| !seen.insert((span.trace_id, span.span_id))).map(|span| span.trace_id).collect()
}

/// Questions that a trace has an answer to.
fn requests_about(tenant: &Tenant, spans: &[Span]) -> [ScanRequest; 3] {
    let span = &spans[spans.len() / 2];
    let filter = |field, op, value| SpanFilter { conditions: vec![Condition { field, op, value }] };
    let key = span.attributes.first().map_or(String::new(), |attribute| attribute.key.clone());
    let value = span.attributes.first().map_or("".into(), |attribute| attribute.value.to_string().as_str().into());
    let attribute = Field::Attribute { scope: AttributeScope::Span, key };
    let request =
        |range, filters| ScanRequest { tenant: tenant.clone(), range, filters, rows_per_trace: ROWS_PER_TRACE };
    let around = TimeRange {
        from_unix_nanos: extent(spans).start_unix_nanos,
        to_unix_nanos: extent(spans).start_unix_nanos + 1,
    };
    [
        request(TimeRange::ALL, vec![filter(Field::Name, Op::Eq, span.name.as_str().into())]),
        request(
            around,
            vec![filter(Field::Service, Op::Eq, span.service().into()), filter(Field::Error, Op::Eq, true.into())],
        ),
        request(around, vec![filter(attribute, Op::TextEq, value)]),
    ]
}

fn extent(spans: &[Span]) -> Extent {
    spans.iter().map(Extent::of).reduce(Extent::merge).expect("a trace has spans")
}

fn match_of(trace_id: TraceId, spans: &[Span], request: &ScanRequest) -> Option<TraceMatch> {
    let (mut filters_met, mut rows) = (0, Vec::new());
    for span in spans {
        let met = (0..request.filters.len()).filter(|at| meets(span, &request.filters[*at].conditions[0]));
        let met = met.fold(0_u64, |met, at| met | 1 << at);
        filters_met |= met;
        if met > 0 {
            let (start_unix_nanos, duration_nanos) = (span.start_unix_nanos, span.duration_nanos);
            rows.push(SpanRow { span_id: span.span_id, start_unix_nanos, duration_nanos });
        }
    }
    rows.sort_by_key(|row| (row.start_unix_nanos, row.span_id));
    let matched_count = rows.len() as u32;
    rows.truncate(ROWS_PER_TRACE as usize);
    (matched_count > 0).then(|| TraceMatch { trace_id, extent: extent(spans), filters_met, matched_count, rows })
}

/// The conditions of [`requests_about`], read naively.
fn meets(span: &Span, condition: &Condition) -> bool {
    let value = condition.value.to_string();
    match &condition.field {
        Field::Name => span.name == value,
        Field::Service => span.service() == value,
        Field::Error => span.is_error(),
        Field::Attribute { key, .. } => {
            span.attributes.iter().find(|attribute| attribute.key == *key).is_some_and(|a| a.value.to_string() == value)
        }
        Field::Kind | Field::Status | Field::Duration | Field::Start => false,
    }
}

/// T2: the figures are those of a naive recount of all that is there; more than that when something is not there any more.
fn figures(view: &View, tenant: &Tenant, found: &BTreeMap<TraceId, Vec<Span>>, ledger: &Ledger) -> Result<(), String> {
    let told = |error| format!("L6: a question failed: {error}");
    let FiguresAnswer { rollup, incomplete } = view.figures(tenant, TimeRange::ALL, &|| false).map_err(told)?;
    if let Some(incomplete) = incomplete {
        return Err(format!("L6: figures lack something: {}", incomplete.detail));
    }
    let mut naive = Rollup::default();
    for spans in found.values() {
        naive.add(&Rollup::of_trace(spans, true));
    }
    if !ledger.thinned.contains(tenant) && rollup != naive {
        return Err(format!("T2: the figures of tenant {tenant} are {}, not {}", counts(&rollup), counts(&naive)));
    }
    let few = naive.series(0..u64::MAX, None, None).find(|(minute, key, figures)| {
        let all = rollup.minutes(*minute..minute + 1).find_map(|(_, minute)| minute.series.get(key));
        all.is_none_or(|all| all.received < figures.received)
    });
    match few {
        Some((minute, key, _)) => {
            Err(format!("T2: figures of tenant {tenant} lack spans of {key:?} in minute {minute}"))
        }
        None => Ok(()),
    }
}

/// The numbers of spans, for messages.
fn counts(rollup: &Rollup) -> String {
    let series = rollup.series(0..u64::MAX, None, None);
    let series: Vec<String> = series
        .map(|(minute, key, figures)| format!("{minute} {} {}: {}", key.service, key.operation, figures.received))
        .collect();
    series.join(", ")
}

/// T3: what was settled is told once, in its order, and its verdict stays.
fn feed(view: &View, script: &Script, ledger: &mut Ledger) -> Result<(), String> {
    let failed = |error| format!("L6: a question failed: {error}");
    let answer = view.feed(0, usize::MAX, &|_, _, _| true).map_err(failed)?;
    let mut firsts = BTreeSet::new();
    let mut told = BTreeMap::new();
    for (number, tenant, record, verdict) in answer.records {
        let settled = (tenant, record.summary.trace_id, record.late_span_count, verdict);
        let (tenant, id, late, _) = &settled;
        if *late == 0 && !firsts.insert((tenant.clone(), *id)) && !ledger.thinned.contains(tenant) {
            return Err(format!("T3: trace {id} of tenant {tenant} was settled a first time twice"));
        }
        if told.insert(number, settled).is_some() {
            return Err(format!("T3: record {number} is told twice"));
        }
    }
    // What was under way at a crash counts or not, once and for all.
    if std::mem::take(&mut ledger.may_have_settled) {
        for (number, settled) in told.range(ledger.next_record..) {
            ledger.adopt(*number, settled.clone(), script);
        }
        ledger.next_record = answer.next.max(ledger.next_record);
    }
    if answer.next != ledger.next_record {
        return Err(format!("T3: there are {} records, not {}", answer.next, ledger.next_record));
    }
    for (number, known) in &ledger.settled {
        match told.get(number) {
            Some(settled) if settled == known => {}
            // The records of what is deleted go with it.
            None if ledger.thinned.contains(&known.0) => {}
            other => return Err(format!("T3: record {number} is {other:?}, not {known:?}")),
        }
    }
    Ok(())
}

/// R1: what was pinned is, and nothing else.
fn pins(view: &View, ledger: &Ledger) -> Result<(), String> {
    let is_sure = |key: &&(Tenant, TraceId)| !ledger.pin_doubts.contains(key);
    if let Some((tenant, id)) = ledger.pins.iter().filter(is_sure).find(|(tenant, id)| !view.pins.contains(tenant, *id))
    {
        return Err(format!("R1: trace {id} of tenant {tenant} is not pinned any more"));
    }
    for tenant in tenants() {
        let mut pins = view.pins.of_tenant(&tenant).map(|pin| (pin.tenant.clone(), pin.trace_id));
        let stray = pins.find(|key| !ledger.pins.contains(key) && !ledger.pin_doubts.contains(key));
        if let Some((_, id)) = stray {
            return Err(format!("R1: trace {id} of tenant {tenant} is pinned, and nobody did that"));
        }
    }
    Ok(())
}

/// T1: the names of each tenant are its own, and none that it has is missing.
fn names(view: &View, all: &Found, script: &Script, ledger: &Ledger) -> Result<(), String> {
    let told = |error| format!("L6: a question failed: {error}");
    let listed = view.tenants().map_err(told)?;
    for (tenant, found) in all {
        if !found.is_empty() && !listed.contains(tenant) {
            return Err(format!("T1: tenant {tenant} has traces and is not listed"));
        }
        let services: BTreeSet<String> = view.services(tenant).map_err(told)?.into_iter().collect();
        let own: BTreeSet<&str> = found.values().flatten().map(Span::service).collect();
        let batches = ledger.records.iter().flat_map(|record| &script.pieces[record.batch]);
        let sent = batches.filter(|piece| piece.tenant == *tenant).flat_map(|piece| &piece.spans);
        let sent: BTreeSet<&str> = sent.map(Span::service).collect();
        if let Some(service) = own.iter().find(|service| !services.contains(**service)) {
            return Err(format!("T1: service {service} of tenant {tenant} is not listed"));
        }
        if let Some(service) = services.iter().find(|service| !sent.contains(service.as_str())) {
            return Err(format!("T1: service {service} is listed for tenant {tenant}, which has none"));
        }
    }
    Ok(())
}
