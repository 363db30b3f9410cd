//! The book as it is found at the start.
//!
//! All that was received before the watermark is counted. Of what came later, a trace is counted as far as the last settlement
//! that names it reaches. A block says of a trace only that it has spans of it, so a trace may be pending of which nothing is left to
//! count: its next settlement finds that out.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use clew_model::scan::{ScanRequest, SpanSource as _, TimeRange};
use clew_model::{Tenant, TraceId};
use foldhash::fast::RandomState;

use super::book::{Arrival, Book};
use super::files::SettleFiles;
use super::settled::Special;
use crate::catalog::SettleState;
use crate::view::View;

/// Up to when each trace is counted that was settled since the watermark.
type Counted = BTreeMap<Tenant, HashMap<TraceId, u64, RandomState>>;

/// What is known of settlements at the start.
pub(crate) struct Found {
    /// What is not counted.
    pub(crate) book: Book,
    /// The latest time at which anything was received or counted, in unix nanoseconds.
    pub(crate) last_unix_nanos: u64,
    /// Verdicts of traces that lie in parts which are not merged.
    pub(crate) special: Vec<Arc<Special>>,
    /// What could not be read, in sentences.
    pub(crate) lost: Vec<String>,
}

/// Looks at what a view of the start holds.
pub(crate) fn find(view: &View, state: &SettleState, files: &SettleFiles, now_unix_nanos: u64) -> Found {
    let watermark = state.watermark_unix_nanos;
    let last_unix_nanos = watermark.max(now_unix_nanos);
    let mut found = Found { book: Book::new(watermark), last_unix_nanos, special: Vec::new(), lost: Vec::new() };
    let mut counted = Counted::new();
    for entry in &state.files {
        found.last_unix_nanos = found.last_unix_nanos.max(entry.through_unix_nanos);
        let is_late = entry.through_unix_nanos > watermark;
        if entry.kept_count == 0 || (!is_late && !entry.is_special) {
            continue;
        }
        match files.records(entry.number) {
            Ok(records) => {
                found.special.extend(Special::of(&records));
                for settled in records.settlements.into_iter().filter(|settled| settled.through_unix_nanos > watermark) {
                    for (tenant, records) in settled.tenants {
                        let own = counted.entry(tenant).or_default();
                        for (_, record) in records {
                            let through = own.entry(record.summary.trace_id).or_default();
                            *through = settled.through_unix_nanos.max(*through);
                        }
                    }
                }
            }
            Err(error) => found.lost.push(format!(
                "settled/{} cannot be read: {error}; some traces may be counted twice in figures, and lose their verdicts",
                super::files::file_name(entry.number)
            )),
        }
    }
    blocks(view, watermark, &counted, &mut found);
    for generation in &view.generations {
        for (tenant, arrivals) in generation.live.arrivals(0) {
            for arrival in arrivals {
                found.last_unix_nanos = found.last_unix_nanos.max(arrival.last_received);
                note(&mut found.book, &tenant, arrival, watermark, &counted);
            }
        }
    }
    found.book.seen(found.last_unix_nanos);
    found
}

fn blocks(view: &View, watermark: u64, counted: &Counted, found: &mut Found) {
    for block in &view.blocks {
        for part in &block.meta().tenants {
            let last_received = part.received_unix_nanos.1;
            found.last_unix_nanos = found.last_unix_nanos.max(last_received);
            // What was merged was counted before.
            if last_received < watermark || block.meta().level > 0 {
                continue;
            }
            let tenant = part.tenant.clone();
            let request =
                ScanRequest { tenant: tenant.clone(), range: TimeRange::ALL, filters: Vec::new(), rows_per_trace: 0 };
            let ids = block.scan(&request, &|| false).map(|answer| answer.matches);
            let ids: Vec<TraceId> = match ids {
                Ok(matches) => matches.into_iter().map(|found| found.trace_id).collect(),
                Err(error) => {
                    let name = block.meta().name;
                    found
                        .lost
                        .push(format!("block {name} cannot be looked at for traces that are not counted: {error}"));
                    continue;
                }
            };
            let roots: HashMap<TraceId, bool> = block
                .summaries(&tenant, &ids, &|| false)
                .map(|answer| answer.summaries.iter().map(|summary| (summary.trace_id, summary.root_seen)).collect())
                .unwrap_or_default();
            for trace_id in ids {
                let root_seen = roots.get(&trace_id).copied().unwrap_or_default();
                note(&mut found.book, &tenant, Arrival { trace_id, last_received, root_seen }, watermark, counted);
            }
        }
    }
}

/// Takes a trace in, as far as it is not counted.
fn note(book: &mut Book, tenant: &Tenant, arrival: Arrival, watermark: u64, counted: &Counted) {
    let through = counted.get(tenant).and_then(|own| own.get(&arrival.trace_id)).copied();
    let first_uncounted = through.unwrap_or(watermark).max(watermark);
    if arrival.last_received >= first_uncounted {
        // When its first span came nobody knows: it is given the time that any trace has.
        book.note(tenant, arrival, first_uncounted, arrival.last_received);
    }
}
