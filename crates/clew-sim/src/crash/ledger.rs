//! What was promised: which pieces must be there, which may be, and which may not.

use std::collections::{BTreeMap, BTreeSet};

use clew_block::BlockName;
use clew_model::{Span, Tenant, TraceId, Verdict};
use clew_store::Outcome;
use clew_store::catalog::Deletion;
use clew_store::keep::{Pins, Retention};
use clew_store::settle::Settlement;

use super::left_out::{LeftOut, Whose};
use super::script::{Piece, Script};

/// What is to become of a piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It was offered and not acknowledged: not to be seen, but the next start may find it.
    Latent,
    /// It was under way at a crash: it is found or not, once and for all.
    Open,
    /// It must be there.
    Sure,
    /// It is over by its age: it may go, all at once.
    Over,
    /// It may not be there, ever again.
    Gone,
}

/// A batch that was offered.
#[derive(Debug, Clone)]
pub(super) struct Record {
    pub(super) batch: usize,
    /// Until the next start.
    ticket: Option<u64>,
    /// Whether it was acknowledged, or found by a start.
    pub(super) is_stored: bool,
    /// Of each of its pieces.
    pub(super) fates: Vec<Fate>,
    /// Whether any of it ever was over: then what is there of it may have come with another batch.
    was_over: bool,
}

/// A deletion that may count after the next start.
#[derive(Debug, Clone)]
struct Doubt {
    tenant: Tenant,
    trace_id: Option<TraceId>,
    through: u64,
    /// How many deletions of the same there were before.
    known: usize,
    /// Of which record, and which of its pieces.
    pieces: Vec<(usize, usize)>,
}

/// A record of a settlement.
pub(super) type Settled = (Tenant, TraceId, u64, Verdict);

/// The naive model of a store.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    pub(super) records: Vec<Record>,
    doubts: Vec<Doubt>,
    /// Each block that was ever shown, and the checksum of its files.
    pub(super) blocks: BTreeMap<BlockName, u64>,
    /// What was settled, by the number of the record: the trace, how many of its spans were late, and the verdict.
    pub(super) settled: BTreeMap<u64, Settled>,
    /// When each batch was received, each time that it was offered, in unix nanoseconds.
    pub(super) received: BTreeMap<usize, BTreeSet<u64>>,
    /// The number of the next record.
    pub(super) next_record: u64,
    /// Whether a settlement that was under way may count that nobody was told of.
    pub(super) may_have_settled: bool,
    /// Whether traces that are not to be kept go.
    pub(super) drops: bool,
    /// Traces that merges left out.
    pub(super) left_out: LeftOut,
    /// The traces that are pinned.
    pub(super) pins: BTreeSet<(Tenant, TraceId)>,
    /// Those of which a pin or its end was under way, and whose next start says which.
    pub(super) pin_doubts: BTreeSet<(Tenant, TraceId)>,
    /// Settlements that had no room for all that had arrived.
    pub(super) behind: u64,
    /// Tenants that something was deleted of, or is over: their figures speak of more than is there.
    pub(super) thinned: BTreeSet<Tenant>,
}

impl Ledger {
    /// The batches that were acknowledged, or found by a start.
    pub fn stored(&self) -> BTreeSet<usize> {
        self.records.iter().filter(|record| record.is_stored).map(|record| record.batch).collect()
    }

    /// How many traces were settled, and how many of them again, since late spans came.
    pub fn settled_traces(&self) -> (u64, u64) {
        let late = self.settled.values().filter(|(_, _, late, _)| *late > 0).count();
        (self.settled.len() as u64, late as u64)
    }

    /// How many were settled again that had been left out.
    pub fn settled_after_drops(&self) -> u64 {
        self.settled.values().filter(|(_, _, _, verdict)| verdict.rule == Verdict::DROPPED_BEFORE).count() as u64
    }

    /// The traces that are not to be kept, by what was decided last.
    pub(super) fn not_kept(&self) -> BTreeSet<Whose> {
        let mut last: BTreeMap<Whose, bool> = BTreeMap::new();
        for (tenant, id, _, verdict) in self.settled.values() {
            last.insert((tenant.clone(), *id), verdict.keep);
        }
        last.into_iter().filter(|(_, keep)| !keep).map(|(trace, _)| trace).collect()
    }

    /// How many settlements had no room for all that had arrived.
    pub fn settlements_behind(&self) -> u64 {
        self.behind
    }

    /// A batch was offered.
    pub(super) fn offered(&mut self, ticket: u64, batch: usize, received_unix_nanos: u64, script: &Script) {
        self.received.entry(batch).or_default().insert(received_unix_nanos);
        let fates = vec![Fate::Latent; script.pieces[batch].len()];
        self.records.push(Record { batch, ticket: Some(ticket), is_stored: false, fates, was_over: false });
    }

    /// It was answered; the error says what is wrong with the answer.
    pub(super) fn answered(&mut self, ticket: u64, outcome: Outcome) -> Result<(), String> {
        let Some(at) = self.records.iter().position(|record| record.ticket == Some(ticket)) else {
            return Err(format!("L7: {outcome:?} is the second answer to one offer"));
        };
        let mut record = self.records.remove(at);
        let batch = record.batch;
        let mut earlier = self.records.iter().filter(|other| other.batch == batch && other.is_stored);
        match outcome {
            Outcome::Refused(_) => {
                // Its bytes may be in the log all the same.
                record.ticket = None;
                self.records.insert(at, record);
                Ok(())
            }
            Outcome::Repeated => {
                let is_known = earlier.next().is_some();
                self.forget(at);
                if is_known { Ok(()) } else { Err(format!("L1: batch {batch} is said to be stored, and is not")) }
            }
            Outcome::Stored => {
                // Of what is over nobody knows whether it is there as long as the same spans came with another batch.
                let is_there = |other: &Record| other.fates.contains(&Fate::Sure) && !other.was_over;
                let twice = earlier.any(is_there);
                // Offers of it that were refused before are as good as this one.
                let refused = self.records.iter_mut().filter(|other| other.batch == batch && !other.is_stored);
                refused.for_each(|other| other.fates.fill(Fate::Gone));
                record.ticket = None;
                record.is_stored = true;
                record.fates.fill(Fate::Sure);
                self.records.insert(at, record);
                if twice { Err(format!("L2: batch {batch} is stored twice")) } else { Ok(()) }
            }
        }
    }

    /// The record at that place is none; those behind it move up.
    fn forget(&mut self, at: usize) {
        for (record, _) in self.doubts.iter_mut().flat_map(|doubt| &mut doubt.pieces) {
            *record -= usize::from(*record > at);
        }
    }

    /// A settlement was committed.
    pub(super) fn settled(&mut self, settlement: &Settlement, script: &Script) {
        self.behind += u64::from(settlement.is_behind);
        for settled in &settlement.tenants {
            for record in &settled.records {
                let verdict = settlement.verdicts[usize::from(record.verdict)].clone();
                let (id, late) = (record.summary.trace_id, record.late_span_count);
                self.adopt(self.next_record, (settled.tenant.clone(), id, late, verdict), script);
                self.next_record += 1;
            }
        }
    }

    /// A trace was settled. If it is not to be kept, what there is of it may go.
    pub(super) fn adopt(&mut self, number: u64, settled: Settled, script: &Script) {
        let (tenant, id, _, verdict) = &settled;
        let own = script.pieces.iter().flatten().filter(|piece| piece.tenant == *tenant && piece.trace_id == *id);
        let may_fail = own.flat_map(|piece| &piece.spans).any(Span::is_error);
        self.left_out.settled(&(tenant.clone(), *id), verdict, may_fail);
        if self.drops && !verdict.keep {
            self.thinned.insert(tenant.clone());
            if !self.pins.contains(&(tenant.clone(), *id)) {
                self.turn((tenant, *id), (Fate::Sure, Fate::Over), script);
            }
        }
        self.settled.insert(number, settled);
    }

    /// Pieces of a trace whose fate is the first have the second from now on.
    fn turn(&mut self, (tenant, id): (&Tenant, TraceId), (from, to): (Fate, Fate), script: &Script) {
        for record in &mut self.records {
            for (fate, piece) in record.fates.iter_mut().zip(&script.pieces[record.batch]) {
                if *fate == from && piece.tenant == *tenant && piece.trace_id == id {
                    *fate = to;
                    record.was_over |= to == Fate::Over;
                }
            }
        }
    }

    /// A trace is about to be pinned, or its pin to be taken off.
    pub(super) fn pinning(&mut self, tenant: &Tenant, id: TraceId) {
        self.pin_doubts.insert((tenant.clone(), id));
    }

    /// It is pinned now, or it is not: whatever there is of it stays, or may go as that of others.
    pub(super) fn pinned(&mut self, tenant: &Tenant, id: TraceId, is_pinned: bool, script: &Script) {
        let key = (tenant.clone(), id);
        self.pin_doubts.remove(&key);
        if is_pinned {
            self.pins.insert(key);
            self.turn((tenant, id), (Fate::Over, Fate::Sure), script);
        } else if self.pins.remove(&key) && self.drops {
            let last = self.settled.values().rev().find(|(owner, trace, ..)| (owner, *trace) == (tenant, id));
            if last.is_some_and(|(.., verdict)| !verdict.keep) {
                self.turn((tenant, id), (Fate::Sure, Fate::Over), script);
            }
        }
    }

    /// A deletion begins.
    pub(super) fn deleting(
        &mut self,
        tenant: &Tenant,
        trace_id: Option<TraceId>,
        (through, known): (u64, usize),
        script: &Script,
    ) {
        self.thinned.insert(tenant.clone());
        let covers = |piece: &Piece| piece.tenant == *tenant && trace_id.is_none_or(|id| id == piece.trace_id);
        let mut pieces = Vec::new();
        for (at, record) in self.records.iter().enumerate() {
            for (number, fate) in record.fates.iter().enumerate() {
                if matches!(fate, Fate::Sure | Fate::Over) && covers(&script.pieces[record.batch][number]) {
                    pieces.push((at, number));
                }
            }
        }
        self.doubts.push(Doubt { tenant: tenant.clone(), trace_id, through, known, pieces });
    }

    /// It has ended: it counts, or it never will.
    pub(super) fn deleted(&mut self, counts: bool) {
        let Some(doubt) = self.doubts.pop() else { return };
        if counts {
            self.lose(&doubt);
        }
    }

    /// What is over may go from now on.
    pub(super) fn expiring(&mut self, retention: &Retention, now_unix_nanos: u64, script: &Script) {
        for record in &mut self.records {
            for (fate, piece) in record.fates.iter_mut().zip(&script.pieces[record.batch]) {
                let oldest = oldest_kept(retention, &piece.tenant, now_unix_nanos);
                let is_over = piece.spans.iter().all(|span| span.received_unix_nanos < oldest);
                let is_pinned = self.pins.contains(&(piece.tenant.clone(), piece.trace_id));
                if *fate == Fate::Sure && is_over && !is_pinned {
                    self.thinned.insert(piece.tenant.clone());
                    *fate = Fate::Over;
                    record.was_over = true;
                }
            }
        }
    }

    /// A start: what was under way is there or not, and a deletion or a pin counts if the catalog has it.
    pub(super) fn restarted(&mut self, deletions: &[Deletion], pins: &Pins, script: &Script) {
        self.may_have_settled = true;
        for record in &mut self.records {
            record.ticket = None;
            record.fates.iter_mut().filter(|fate| **fate == Fate::Latent).for_each(|fate| *fate = Fate::Open);
        }
        for doubt in std::mem::take(&mut self.doubts) {
            let is_it = |deletion: &Deletion| {
                (&deletion.tenant, deletion.trace_id, deletion.through)
                    == (&doubt.tenant, doubt.trace_id, doubt.through)
            };
            if deletions.iter().filter(|deletion| is_it(deletion)).count() > doubt.known {
                self.lose(&doubt);
            }
        }
        for (tenant, id) in std::mem::take(&mut self.pin_doubts) {
            self.pinned(&tenant, id, pins.contains(&tenant, id), script);
        }
    }

    /// What was under way is there if its request is known.
    pub(super) fn settle(&mut self, is_held: impl Fn(usize) -> bool) {
        let mut stored = self.stored();
        // What was over, or was deleted.
        let went = self.records.iter().filter(|record| record.was_over || record.fates.contains(&Fate::Gone));
        let went: BTreeSet<usize> = went.map(|record| record.batch).collect();
        for record in self.records.iter_mut().filter(|record| record.fates.contains(&Fate::Open)) {
            let is_held = is_held(record.batch);
            let is_found = is_held && stored.insert(record.batch);
            record.is_stored |= is_found;
            let found = match (is_found, is_held) {
                (true, _) => Fate::Sure,
                // It is known by itself, or by an earlier one of which something went: it was stored anew, or not.
                (false, true) if went.contains(&record.batch) => Fate::Over,
                _ => Fate::Gone,
            };
            record.was_over |= found == Fate::Over;
            record.fates.iter_mut().filter(|fate| **fate == Fate::Open).for_each(|fate| *fate = found);
        }
    }

    fn lose(&mut self, doubt: &Doubt) {
        for (record, piece) in &doubt.pieces {
            self.records[*record].fates[*piece] = Fate::Gone;
        }
        let is_gone = |(tenant, id): &(Tenant, TraceId)| {
            *tenant == doubt.tenant && doubt.trace_id.is_none_or(|deleted| deleted == *id)
        };
        self.pins.retain(|key| !is_gone(key));
        self.pin_doubts.retain(|key| !is_gone(key));
    }
}

/// What a tenant received before is over.
pub(super) fn oldest_kept(retention: &Retention, tenant: &Tenant, now_unix_nanos: u64) -> u64 {
    let age = retention.tenants.get(tenant).and_then(|own| own.age).unwrap_or(retention.age);
    now_unix_nanos.saturating_sub(age.as_nanos() as u64)
}
