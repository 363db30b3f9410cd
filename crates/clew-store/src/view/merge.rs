//! The answers of several parts as those of one. A trace may lie in several parts; its matches and extents are put together
//! before anything is decided about the whole.

use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeSet, HashMap};

use clew_model::scan::{
    Enough, Expired, Extent, ExtentsAnswer, Incomplete, NewestAnswer, ScanAnswer, ScanError, ScanRequest, SpanSource,
    TimeRange, TraceMatch,
};
use clew_model::{Tenant, TraceId};
use foldhash::fast::RandomState;

use super::together::Part;

/// Where a trace lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Home {
    /// In no part.
    Nowhere,
    /// In the part of that number alone.
    In(usize),
    /// In several.
    Several,
}

/// Matches by trace id, with the extents of whole traces.
///
/// A part leaves out a trace that lies outside of the range in it, and one without a span there that meets a filter. So parts
/// are asked without an end of the range, since all parts of a trace that begins in it lie after its beginning, and then for
/// the extents of what they left out.
pub(super) fn scan(parts: &[Part<'_>], request: &ScanRequest, expired: Expired<'_>) -> Result<ScanAnswer, ScanError> {
    if let [part] = parts {
        let mut answer = part.source.scan(request, expired)?;
        answer.matches.retain(|found| !part.deleted.contains(&found.trace_id));
        return Ok(answer);
    }
    let open_end = TimeRange { to_unix_nanos: TimeRange::ALL.to_unix_nanos, ..request.range };
    let asked = ScanRequest { range: open_end, ..request.clone() };
    let mut answer = ScanAnswer::default();
    let mut found: Vec<Vec<TraceMatch>> = Vec::with_capacity(parts.len());
    for part in parts {
        let part_answer = part.source.scan(&asked, expired)?;
        answer.incomplete = answer.incomplete.or(part_answer.incomplete);
        answer.scanned_count += part_answer.scanned_count;
        let mut matches = part_answer.matches;
        if !part.deleted.is_empty() {
            matches.retain(|found| !part.deleted.contains(&found.trace_id));
        }
        if !matches.is_sorted_by_key(|found| found.trace_id) {
            matches.sort_unstable_by_key(|found| found.trace_id);
        }
        found.push(matches);
    }
    let known: Vec<Vec<TraceId>> =
        found.iter().map(|matches| matches.iter().map(|found| found.trace_id).collect()).collect();
    answer.matches = found.into_iter().reduce(|one, two| merged(one, two, request.rows_per_trace)).unwrap_or_default();
    let missing = left_out(parts, &known, request, &mut answer.matches, expired)?;
    answer.incomplete = answer.incomplete.or(missing);
    Ok(answer)
}

/// Matches by trace id, as far as they are enough. Parts are asked from the newest on, so that old ones have nothing to add.
pub(super) fn scan_newest(
    parts: &[Part<'_>],
    request: &ScanRequest,
    enough: &Enough,
    expired: Expired<'_>,
) -> Result<NewestAnswer, ScanError> {
    let open_end = TimeRange { to_unix_nanos: TimeRange::ALL.to_unix_nanos, ..request.range };
    let range = if parts.len() == 1 { request.range } else { open_end };
    let asked = ScanRequest { range, ..request.clone() };
    let mut all = NewestAnswer::default();
    for part in parts.iter().rev() {
        let found = &all.answer.matches;
        let wanted = Enough {
            // Those that were deleted are counted by the part, and not here.
            count: match enough.count.saturating_sub(found.len() as u64) {
                0 => 0,
                left => left.saturating_add(part.deleted.len() as u64),
            },
            newest: enough.newest.saturating_add(part.deleted.len()),
            floor_unix_nanos: enough.floor_unix_nanos.max(last_of_newest(found, enough.newest)),
        };
        let NewestAnswer { answer, left_out_before_unix_nanos } = part.source.scan_newest(&asked, &wanted, expired)?;
        all.answer.incomplete = all.answer.incomplete.or(answer.incomplete);
        all.answer.scanned_count += answer.scanned_count;
        all.left_out_before_unix_nanos = all.left_out_before_unix_nanos.max(left_out_before_unix_nanos);
        let mut matches = answer.matches;
        if !part.deleted.is_empty() {
            matches.retain(|found| !part.deleted.contains(&found.trace_id));
        }
        if !matches.is_sorted_by_key(|found| found.trace_id) {
            matches.sort_unstable_by_key(|found| found.trace_id);
        }
        all.answer.matches = merged(std::mem::take(&mut all.answer.matches), matches, request.rows_per_trace);
    }
    Ok(all)
}

/// The start of the last of so many newest matches; 0 when there are fewer.
fn last_of_newest(found: &[TraceMatch], newest: usize) -> u64 {
    let counted = found.iter().filter(|found| !found.extent.is_odd);
    let mut starts: Vec<u64> = counted.map(|found| found.extent.start_unix_nanos).collect();
    match newest.checked_sub(1) {
        Some(last) if last < starts.len() => *starts.select_nth_unstable_by_key(last, |start| Reverse(*start)).1,
        _ => 0,
    }
}

/// Widens the extents of matches by the parts that left them out.
fn left_out(
    parts: &[Part<'_>],
    known: &[Vec<TraceId>],
    request: &ScanRequest,
    matches: &mut [TraceMatch],
    expired: Expired<'_>,
) -> Result<Option<Incomplete>, ScanError> {
    let mut incomplete = None;
    // Without filters and bounds nothing is left out.
    if request.filters.is_empty() && request.range.from_unix_nanos == 0 {
        return Ok(incomplete);
    }
    for (part, known) in parts.iter().zip(known) {
        let mut known = known.iter().peekable();
        let unknown: Vec<TraceId> = matches
            .iter()
            .map(|found| found.trace_id)
            .filter(|id| {
                while known.next_if(|known| **known < *id).is_some() {}
                known.peek() != Some(&id) && !part.deleted.contains(id)
            })
            .collect();
        if unknown.is_empty() {
            continue;
        }
        let answer = part.source.extents(&request.tenant, &unknown, expired)?;
        incomplete = incomplete.or(answer.incomplete);
        let mut extents = answer.extents;
        extents.sort_unstable_by_key(|(id, _)| *id);
        let mut places = matches.iter_mut();
        for (id, extent) in extents {
            if let Some(found) = places.find(|found| found.trace_id == id) {
                found.extent = found.extent.merge(extent);
            }
        }
    }
    Ok(incomplete)
}

/// Two lists by trace id as one.
fn merged(one: Vec<TraceMatch>, two: Vec<TraceMatch>, rows_per_trace: u32) -> Vec<TraceMatch> {
    if one.is_empty() || two.is_empty() {
        return if one.is_empty() { two } else { one };
    }
    let mut all = Vec::with_capacity(one.len() + two.len());
    let (mut one, mut two) = (one.into_iter().peekable(), two.into_iter().peekable());
    while let (Some(left), Some(right)) = (one.peek(), two.peek()) {
        match left.trace_id.cmp(&right.trace_id) {
            Ordering::Less => all.extend(one.next()),
            Ordering::Greater => all.extend(two.next()),
            Ordering::Equal => {
                all.extend(one.next().zip(two.next()).map(|(left, right)| both(left, right, rows_per_trace)));
            }
        }
    }
    all.extend(one);
    all.extend(two);
    all
}

/// What two parts found of a trace.
fn both(mut one: TraceMatch, two: TraceMatch, rows_per_trace: u32) -> TraceMatch {
    one.extent = one.extent.merge(two.extent);
    one.filters_met |= two.filters_met;
    one.matched_count = one.matched_count.saturating_add(two.matched_count);
    one.rows.extend(two.rows);
    one.rows.sort_by_key(|row| (row.start_unix_nanos, row.span_id));
    one.rows.dedup();
    one.rows.truncate(rows_per_trace as usize);
    one
}

/// The extents of whole traces.
pub(super) fn extents(
    parts: &[Part<'_>],
    tenant: &Tenant,
    ids: &[TraceId],
    expired: Expired<'_>,
) -> Result<ExtentsAnswer, ScanError> {
    let mut answer = ExtentsAnswer::default();
    let mut wholes: HashMap<TraceId, Extent, RandomState> =
        HashMap::with_capacity_and_hasher(ids.len(), RandomState::default());
    for part in parts {
        let found = part.source.extents(tenant, ids, expired)?;
        answer.incomplete = answer.incomplete.or(found.incomplete);
        for (id, extent) in found.extents.into_iter().filter(|(id, _)| !part.deleted.contains(id)) {
            wholes.entry(id).and_modify(|whole| *whole = whole.merge(extent)).or_insert(extent);
        }
    }
    answer.extents = wholes.into_iter().collect();
    Ok(answer)
}

/// Where each of these traces lies.
pub(super) fn homes(
    parts: &[Part<'_>],
    tenant: &Tenant,
    ids: &[TraceId],
    expired: Expired<'_>,
) -> Result<Vec<Home>, ScanError> {
    let places: HashMap<TraceId, usize, RandomState> = ids.iter().enumerate().map(|(at, id)| (*id, at)).collect();
    let mut homes = vec![Home::Nowhere; ids.len()];
    for (number, part) in parts.iter().enumerate() {
        // Each trace once, since each is asked for once.
        let found = part.source.extents(tenant, ids, expired)?.extents;
        for (id, _) in found.iter().filter(|(id, _)| !part.deleted.contains(id)) {
            if let Some(at) = places.get(id) {
                homes[*at] = if homes[*at] == Home::Nowhere { Home::In(number) } else { Home::Several };
            }
        }
    }
    Ok(homes)
}

/// Names of all parts, sorted.
pub(super) fn names(
    parts: &[Part<'_>],
    ask: impl Fn(&dyn SpanSource) -> Result<Vec<String>, ScanError>,
) -> Result<Vec<String>, ScanError> {
    let mut names = BTreeSet::new();
    for part in parts {
        names.extend(ask(part.source)?);
    }
    Ok(names.into_iter().collect())
}
