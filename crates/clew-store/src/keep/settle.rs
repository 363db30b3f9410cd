//! The edits of settlements.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use clew_model::{Tenant, TraceId, Verdict};

use super::{Decided, KeepError, Keeper};
use crate::catalog::{Reversed, SettleEdit, SettleEntry};
use crate::settle::files::{file_name, file_number};
use crate::settle::record::{Facts, Record, Records, Rollups, SettledRecords};
use crate::settle::settled::Special;
use crate::settle::thread::lock;
use crate::settle::{Book, Settlement, start};
use crate::view::ViewCell;

/// A file that was made, and what it says that is not what every trace has.
type MadeSettlement = (SettleEntry, Vec<Arc<Special>>);

/// A settlement that is to count.
pub struct SettleDone {
    /// `None` when it counts nothing.
    made: Option<MadeSettlement>,
    watermark_unix_nanos: u64,
}

impl Keeper {
    /// Commits what was settled: one file and one edit, after which it is what readers see. Nothing counts when it fails, and
    /// it may be tried again.
    pub fn settle(&mut self, settlement: &Settlement, book: &mut Book) -> Result<(), KeepError> {
        let watermark = book.watermark_after(&settlement.done, settlement.through_unix_nanos);
        let done = self.make_settlement(settlement, watermark)?;
        self.commit_settlement(done, settlement, book)
    }

    /// Makes the file of a settlement, with the watermark that the book has after it.
    pub fn make_settlement(
        &mut self,
        settlement: &Settlement,
        watermark_unix_nanos: u64,
    ) -> Result<SettleDone, KeepError> {
        Ok(SettleDone { made: self.make(settlement, watermark_unix_nanos)?, watermark_unix_nanos })
    }

    /// Has a settlement count.
    pub fn commit_settlement(
        &mut self,
        done: SettleDone,
        settlement: &Settlement,
        book: &mut Book,
    ) -> Result<(), KeepError> {
        let (through, watermark) = (settlement.through_unix_nanos, done.watermark_unix_nanos);
        if let Some((entry, special)) = done.made {
            let number = entry.number;
            let settled = SettleEdit {
                added: vec![entry],
                watermark_unix_nanos: Some(watermark),
                judge: Some(settlement.judge_state.clone()),
                reversed: settlement
                    .reversed
                    .iter()
                    .map(|(tenant, trace_id, rule)| reversed(tenant, *trace_id, rule, through))
                    .collect(),
                ..SettleEdit::default()
            };
            self.commit_settled(settled, Some(number))?;
            self.view.change(|view| view.settled.special.extend(special));
        }
        for (tenant, ids) in &settlement.done {
            book.counted(tenant, ids, through);
        }
        self.show_settled(book, watermark);
        Ok(())
    }

    /// Shows readers what is counted now.
    pub fn show_settled(&mut self, book: &Book, watermark_unix_nanos: u64) {
        let of = |known: &Reversed| ((known.tenant.clone(), known.trace_id), known.rule.clone());
        let reversed: BTreeMap<_, _> = self.catalog.state().settled.reversed.iter().map(of).collect();
        self.show_files_and(|view| {
            view.settled.reversals += u64::from(*view.settled.reversed != reversed);
            view.settled.reversed = Arc::new(reversed);
            view.show_book(book);
            view.settled.watermark_unix_nanos = watermark_unix_nanos.max(view.settled.watermark_unix_nanos);
            let oldest = oldest_unmerged(view);
            view.settled.special.retain(|special| special.through_unix_nanos > oldest);
        });
    }

    /// Finds out what is not counted of what there is at the start, and shows it. Answers the latest time at which anything
    /// was received or counted.
    pub(crate) fn find_uncounted(&mut self) -> (u64, Vec<String>) {
        let state = &self.catalog.state().settled;
        let (now, pending_bytes) = (self.ports.clock.unix_nanos(), self.config.settle.pending_bytes);
        let found = start::find(&self.view.view(), state, &self.settle_files, now, pending_bytes);
        self.view.change(|view| {
            view.settled.special = found.special;
            view.settled.files = Some(self.settle_files.clone());
        });
        let book = Arc::clone(&self.book);
        let mut book = lock(&book);
        *book = found.book;
        // What nobody waits for is counted, up to now.
        let watermark = book.watermark_after(&BTreeMap::new(), found.last_unix_nanos);
        self.show_settled(&book, watermark);
        (found.last_unix_nanos, found.lost)
    }

    /// Removes the files of settlements that the catalog does not name, unless some are missing that it does.
    pub(super) fn sweep_settled(&self) -> io::Result<()> {
        let listed = self.settle_files.list()?;
        let entries = &self.catalog.state().settled.files;
        let mut is_whole = self.catalog.state().lost.is_empty();
        for entry in entries {
            let name = file_name(entry.number);
            let what = match listed.iter().find(|file| file.name == name) {
                Some(file) if file.length == entry.bytes => continue,
                Some(file) => format!("settled/{name} has {} bytes, not {}", file.length, entry.bytes),
                None => {
                    format!("settled/{name} is missing; it held figures of {} traces", entry.record_count)
                }
            };
            is_whole = false;
            self.settle_files.note_damage(entry.number, what);
        }
        let is_named =
            |name: &str| file_number(name).is_some_and(|known| entries.iter().any(|entry| entry.number == known));
        let stray: Vec<_> = listed.iter().filter(|file| is_whole && !is_named(&file.name)).collect();
        for file in &stray {
            self.settle_files.remove_file(&file.name)?;
        }
        if stray.is_empty() { Ok(()) } else { self.settle_files.sync() }
    }

    /// Nothing was complete: all that was received before that instant is counted, or pending.
    pub fn pass(&self, book: &Book, now_unix_nanos: u64) {
        let watermark = book.watermark_after(&BTreeMap::new(), now_unix_nanos);
        self.view.change(|view| view.settled.pass_watermark(watermark));
    }

    /// Makes the file of a settlement; `None` when it counts nothing.
    fn make(
        &mut self,
        settlement: &Settlement,
        watermark_unix_nanos: u64,
    ) -> Result<Option<MadeSettlement>, KeepError> {
        let through_unix_nanos = settlement.through_unix_nanos;
        let deletions = &self.catalog.state().deletions;
        // All of a tenant that was deleted meanwhile is not counted anew.
        let is_deleted = |tenant: &Tenant| {
            deletions.iter().any(|deletion| deletion.covers_settled(tenant, None, through_unix_nanos))
        };
        let kept = || settlement.tenants.iter().filter(|settled| !is_deleted(&settled.tenant));
        let first_sequence = self.catalog.state().settled.next_sequence;
        let mut numbers = first_sequence..;
        let mut numbered = |records: &[Record]| numbers.by_ref().zip(records.iter().cloned()).collect();
        let tenants: Vec<_> = kept().map(|settled| (settled.tenant.clone(), numbered(&settled.records))).collect();
        if tenants.is_empty() {
            return Ok(None);
        }
        let rollups: Rollups = kept().map(|settled| (settled.tenant.clone(), settled.rollup.clone())).collect();
        let settlements = vec![SettledRecords { through_unix_nanos, tenants }];
        let records = Records { verdicts: settlement.verdicts.clone(), settlements };
        let record_count = records.count() as u64;
        let facts = Facts { first_sequence, record_count, through_unix_nanos, watermark_unix_nanos };
        let entry = self.make_settled(facts, &records, &rollups)?;
        Ok(Some((entry, Special::of(&records))))
    }
}

fn reversed(tenant: &Tenant, trace_id: TraceId, rule: &str, through_unix_nanos: u64) -> Reversed {
    Reversed { tenant: tenant.clone(), trace_id, rule: rule.to_owned(), through_unix_nanos }
}

/// Settlements say what was decided about traces whose blocks do not.
pub(super) struct BySettlement(pub(super) Arc<ViewCell>);

impl Decided for BySettlement {
    fn verdict(&self, tenant: &Tenant, id: TraceId) -> Option<Verdict> {
        self.0.view().settled_verdict(tenant, id)
    }

    fn is_pinned(&self, tenant: &Tenant, id: TraceId) -> bool {
        self.0.view().pins.contains(tenant, id)
    }

    /// A trace that is kept now against what was decided before is as good as one that was pinned.
    fn pins_version(&self) -> u64 {
        let view = self.0.view();
        view.settled.reversals + view.pins_version
    }
}

/// When the oldest span was received that lies in the live head or in a block that is not merged: verdicts from before are
/// in blocks.
pub(super) fn oldest_unmerged(view: &crate::view::View) -> u64 {
    let sealed = view.blocks.iter().filter(|block| block.meta().level == 0);
    let sealed = sealed.flat_map(|block| &block.meta().tenants).map(|part| part.received_unix_nanos.0);
    let live = view.generations.iter().map(|generation| generation.received_from());
    sealed.chain(live).min().unwrap_or(u64::MAX)
}
