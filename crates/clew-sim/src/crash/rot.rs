//! Whether a store tells what it lacks, when bytes of its disk have rotted or could not be read.

use std::collections::{BTreeMap, BTreeSet};

use clew_model::scan::{SpanSource, TimeRange};
use clew_model::{Span, Tenant, TraceId};
use clew_rollup::Rollup;
use clew_store::view::View;

use super::judge::{has, tenants};
use super::ledger::{Fate, Ledger};
use super::script::Script;

/// L6, T1: nothing is answered that was never sent; and what lacks, or is wrong in figures, is told. `is_told` says whether
/// anything was told at the start; answers whether anything is by now.
pub fn judge_damaged(view: &View, is_told: bool, script: &Script, ledger: &Ledger) -> Result<bool, String> {
    let mut damaged = Damaged { is_told, wrong: Vec::new() };
    for tenant in tenants() {
        let pieces = script.pieces.iter().flatten().filter(|piece| piece.tenant == tenant);
        let known: BTreeSet<TraceId> = pieces.map(|piece| piece.trace_id).collect();
        let found = damaged.rows(view, &tenant, &known)?;
        for (id, spans) in &found {
            damaged.compare(&tenant, *id, spans, script, ledger)?;
        }
        for id in known.iter().filter(|id| !found.contains_key(id)) {
            damaged.compare(&tenant, *id, &[], script, ledger)?;
        }
        damaged.figures(view, &tenant, &found, ledger);
    }
    // Damage is noted when it is met: whatever was asked last may be what met it.
    damaged.is_told |= view.blocks.iter().any(|block| !block.damage().is_empty());
    match damaged.wrong.into_iter().next() {
        Some(wrong) if !damaged.is_told => Err(wrong),
        _ => Ok(damaged.is_told),
    }
}

/// What was told so far, and what must have been.
struct Damaged {
    is_told: bool,
    wrong: Vec<String>,
}

impl Damaged {
    /// The spans of these traces. A question that cannot be answered tells that.
    fn rows(
        &mut self,
        view: &View,
        tenant: &Tenant,
        known: &BTreeSet<TraceId>,
    ) -> Result<BTreeMap<TraceId, Vec<Span>>, String> {
        let ids: Vec<TraceId> = known.iter().copied().collect();
        let mut found: BTreeMap<TraceId, Vec<Span>> = BTreeMap::new();
        match view.rows(tenant, &ids, &|| false) {
            Ok(read) => {
                self.is_told |= read.incomplete.is_some();
                read.spans.into_iter().for_each(|span| found.entry(span.trace_id).or_default().push(span));
            }
            Err(_) => self.is_told = true,
        }
        match found.keys().find(|id| !known.contains(id)) {
            Some(id) => Err(format!("T1: tenant {tenant} has trace {id}, which nobody sent for it")),
            None => Ok(found),
        }
    }

    fn compare(
        &mut self,
        tenant: &Tenant,
        id: TraceId,
        spans: &[Span],
        script: &Script,
        ledger: &Ledger,
    ) -> Result<(), String> {
        let pieces = || {
            let records = ledger.records.iter();
            let all = records.flat_map(|record| script.pieces[record.batch].iter().zip(&record.fates));
            all.filter(|(piece, _)| piece.tenant == *tenant && piece.trace_id == id)
        };
        if let Some(span) = spans.iter().find(|span| !pieces().any(|(piece, _)| has(&piece.spans, span))) {
            return Err(format!("L6: span {} of trace {id} of tenant {tenant} was never sent so", span.span_id));
        }
        let is_gone = |span: &&Span| {
            let mut own = pieces().filter(|(piece, _)| has(&piece.spans, span));
            own.all(|(_, fate)| *fate == Fate::Gone)
        };
        if let Some(span) = spans.iter().find(is_gone) {
            self.wrong.push(format!("R1: span {} of trace {id} of tenant {tenant} came back in silence", span.span_id));
        }
        let sure = pieces().filter(|(_, fate)| **fate == Fate::Sure).flat_map(|(piece, _)| &piece.spans);
        // A copy of a span that went with its trace goes the same way.
        let went = |span: &Span| {
            let gone = |fate: Fate| matches!(fate, Fate::Over | Fate::Gone);
            ledger.drops && pieces().any(|(piece, fate)| gone(*fate) && has(&piece.spans, span))
        };
        if let Some(span) = sure.into_iter().find(|span| !has(spans, span) && !went(span)) {
            self.wrong.push(format!("L6: span {} of trace {id} of tenant {tenant} lacks in silence", span.span_id));
        }
        Ok(())
    }

    fn figures(&mut self, view: &View, tenant: &Tenant, found: &BTreeMap<TraceId, Vec<Span>>, ledger: &Ledger) {
        let Ok(answer) = view.figures(tenant, TimeRange::ALL, &|| false) else {
            self.is_told = true;
            return;
        };
        self.is_told |= answer.incomplete.is_some();
        let mut naive = Rollup::default();
        for spans in found.values() {
            naive.add(&Rollup::of_trace(spans, true));
        }
        if !ledger.thinned.contains(tenant) && answer.rollup != naive {
            self.wrong.push(format!("L6: the figures of tenant {tenant} are not those of its spans, in silence"));
        }
    }
}
