//! The files of settlements as they grow old: small ones are merged, and records and minutes that are over are forgotten, as is
//! what was deleted.
//!
//! A look makes one file, thousands a day. Files that lie in one stretch of five minutes, and then of an hour and of a day, become
//! one when the stretch is over. So there are some tens of files for a day that goes on, and one or few for each that is
//! over, and what is written is written four times.

mod plan;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;

use clew_model::Tenant;
use clew_rollup::Rollup;

use self::plan::Needs;
use super::settle::oldest_unmerged;
use super::{KeepError, Keeper};
use crate::catalog::{Deletion, Edit, SettleEdit, SettleEntry};
use crate::settle::files::{Made, SettleReadError, file_name};
use crate::settle::record::{Facts, Records, Rollups};
use crate::settle::settled::Special;
use crate::view::View;

/// One look merges files of about so many times the bytes that one may have; the rest has time until the next one.
const LOOK_FILES: u64 = 4;

impl From<SettleReadError> for KeepError {
    fn from(error: SettleReadError) -> Self {
        match error {
            SettleReadError::Disk(error) if error.kind() != io::ErrorKind::NotFound => error.into(),
            error => Self::Figures(error.to_string()),
        }
    }
}

impl Keeper {
    /// Forgets figures that are over, and merges small files. Answers how many files were touched.
    pub fn tend_figures(&mut self) -> Result<usize, KeepError> {
        let needs = self.needs();
        let files = &self.catalog.state().settled.files;
        let over: Vec<u64> = files.iter().filter(|entry| needs.is_over(entry)).map(|entry| entry.number).collect();
        if !over.is_empty() {
            self.replace_settled(None, &over)?;
        }
        Ok(over.len() + self.merge_figures(&needs)?)
    }

    fn merge_figures(&mut self, needs: &Needs) -> Result<usize, KeepError> {
        let (files, file_bytes) = (self.catalog.state().settled.files.clone(), self.config.settle.file_bytes);
        let is_damaged = |entry: &SettleEntry| self.settle_files.damage(entry.number).is_some();
        let plan = needs.plan(&files, file_bytes, is_damaged);
        let (mut touched, mut left) = (0, file_bytes.saturating_mul(LOOK_FILES));
        for range in plan {
            let old = &files[range];
            if self.condense(old, needs)? {
                touched += old.len();
            }
            let bytes: u64 = old.iter().map(|entry| needs.bytes_of(entry)).sum();
            left = left.saturating_sub(bytes);
            if left == 0 {
                break;
            }
        }
        Ok(touched)
    }

    /// Writes files anew that hold what these deletions speak of. Answers the deletions of which something is left, in a file
    /// that cannot be read.
    pub(super) fn purge_figures(&mut self, due: &[Deletion]) -> Result<Vec<Deletion>, KeepError> {
        let needs = self.needs();
        let mut left = Vec::new();
        for entry in self.catalog.state().settled.files.clone() {
            let concerned: Vec<&Deletion> =
                due.iter().filter(|deletion| entry.tenants.binary_search(&deletion.tenant).is_ok()).collect();
            if concerned.is_empty() {
                continue;
            }
            let is_clean = match self.holds_settled(&entry, &concerned) {
                Ok(false) => true,
                Ok(true) => self.condense(std::slice::from_ref(&entry), &needs)?,
                Err(error) if error.is_damage() => false,
                Err(error) => return Err(error.into()),
            };
            if !is_clean {
                left.extend(concerned.into_iter().cloned());
            }
        }
        Ok(left)
    }

    /// Whether a file holds anything that one of the deletions speaks of.
    fn holds_settled(&self, entry: &SettleEntry, deletions: &[&Deletion]) -> Result<bool, SettleReadError> {
        let through = entry.through_unix_nanos;
        if deletions.iter().any(|deletion| deletion.covers_settled(&deletion.tenant, None, through)) {
            return Ok(true);
        }
        if entry.kept_count == 0 {
            return Ok(false);
        }
        let records = self.settle_files.records(entry.number)?;
        Ok(records.iter().any(|(_, tenant, through, record)| {
            let id = Some(record.summary.trace_id);
            deletions.iter().any(|deletion| deletion.covers_settled(tenant, id, through))
        }))
    }

    /// What is needed of settlements now.
    fn needs(&self) -> Needs {
        let now = self.ports.clock.unix_nanos();
        let before = |age: std::time::Duration| now.saturating_sub(u64::try_from(age.as_nanos()).unwrap_or(u64::MAX));
        let settle = &self.config.settle;
        Needs {
            now,
            records_from: before(settle.feed_age).min(self.catalog.state().settled.watermark_unix_nanos),
            verdicts_from: oldest_unmerged(&self.view.view()),
            figures_from: before(settle.figures_age),
        }
    }

    /// Puts one file in the place of neighbours, without what nobody needs and what was deleted. Says whether that came about:
    /// not when one of them cannot be read.
    fn condense(&mut self, old: &[SettleEntry], needs: &Needs) -> Result<bool, KeepError> {
        let (Some(first), Some(last)) = (old.first(), old.last()) else { return Ok(false) };
        let (records, rollups) = match self.gathered(old, needs) {
            Ok(gathered) => gathered,
            Err(KeepError::Figures(error)) => {
                tracing::warn!(error, "files of settlements are left as they are");
                return Ok(false);
            }
            Err(error) => return Err(error),
        };
        let facts = Facts {
            first_sequence: first.first_sequence,
            record_count: (last.first_sequence + last.record_count).saturating_sub(first.first_sequence),
            through_unix_nanos: last.through_unix_nanos,
            watermark_unix_nanos: self.catalog.state().settled.watermark_unix_nanos,
        };
        let is_empty = records.settlements.is_empty() && rollups.is_empty();
        let new = if is_empty { None } else { Some(self.make_settled(facts, &records, &rollups)?) };
        let numbers: Vec<u64> = old.iter().map(|entry| entry.number).collect();
        self.replace_settled(new, &numbers)?;
        Ok(true)
    }

    /// What files hold together of that which is needed.
    fn gathered(&self, old: &[SettleEntry], needs: &Needs) -> Result<(Records, Rollups), KeepError> {
        let (mut records, mut rollups) = (Records::default(), BTreeMap::<Tenant, Rollup>::new());
        let deletions = &self.catalog.state().deletions;
        let covers = |tenant: &Tenant, id, through| {
            deletions.iter().any(|deletion| deletion.covers_settled(tenant, id, through))
        };
        for entry in old {
            if needs.records_of(entry) {
                records.append(self.settle_files.records(entry.number)?, |through, tenant, record| {
                    needs.records(through, entry.is_special) && !covers(tenant, Some(record.summary.trace_id), through)
                });
            }
            let own = self.settle_files.rollups(entry.number)?;
            for (tenant, rollup) in own.iter().filter(|(tenant, _)| !covers(tenant, None, entry.through_unix_nanos)) {
                rollups.entry(tenant.clone()).or_default().add(rollup);
            }
        }
        for rollup in rollups.values_mut() {
            rollup.cap(self.config.settle.series_per_minute);
            rollup.cap_edges(self.config.settle.series_per_minute);
        }
        rollups.retain(|_, rollup| !rollup.is_empty());
        Ok((records, rollups.into_iter().collect()))
    }

    /// Makes a file, and the entry that names it.
    pub(super) fn make_settled(
        &mut self,
        facts: Facts,
        records: &Records,
        rollups: &Rollups,
    ) -> Result<SettleEntry, KeepError> {
        // One that may count after a restart is not to be written over, so a number is used once.
        let number = self.catalog.next_settlement();
        let made = self.settle_files.make(number, facts, records, rollups).inspect_err(|_| {
            self.count(|totals| totals.write_errors += 1);
            // Should that fail too, the next start sweeps it.
            let _ = self.settle_files.remove(number);
        })?;
        Ok(entry_of(number, made, facts, records, rollups))
    }

    /// Commits a file in the place of others, and shows that. Those are removed once nobody reads them any more.
    pub(super) fn replace_settled(&mut self, new: Option<SettleEntry>, old: &[u64]) -> Result<(), KeepError> {
        let made = new.as_ref().map(|entry| entry.number);
        let settled = SettleEdit { added: new.into_iter().collect(), removed: old.to_vec(), ..SettleEdit::default() };
        self.commit_settled(settled, made)?;
        self.show_files();
        Ok(())
    }

    /// Commits an edit that names a file which was just made.
    pub(super) fn commit_settled(&mut self, settled: SettleEdit, made: Option<u64>) -> Result<(), KeepError> {
        self.commit(Edit { settled: Some(settled), ..Edit::default() }).inspect_err(|error| {
            // An edit whose sync failed may count after a restart, and then names the file.
            if let Some(number) = made.filter(|_| !matches!(error, KeepError::Poisoned(_))) {
                let _ = self.settle_files.remove(number);
            }
        })
    }

    /// Shows readers the files that count. Those that do not any more are buried later.
    pub(super) fn show_files(&mut self) {
        self.show_files_and(|_| {});
    }

    /// The same together with another change: a file counts spans that are not uncounted any more.
    pub(super) fn show_files_and(&mut self, change: impl FnOnce(&mut View)) {
        let state = &self.catalog.state().settled;
        let mut known: BTreeMap<u64, Arc<SettleEntry>> = BTreeMap::new();
        let next_sequence = state.next_sequence;
        let files = state.files.clone();
        self.view.change(|view| {
            known = view.settled.entries.iter().map(|entry| (entry.number, Arc::clone(entry))).collect();
            let entries = files.into_iter().map(|entry| known.remove(&entry.number).unwrap_or_else(|| Arc::new(entry)));
            view.settled.entries = entries.collect();
            view.settled.next_sequence = next_sequence;
            change(view);
        });
        self.settled_graveyard.extend(known.into_values());
    }

    /// Removes the files that do not count and that nobody reads any more.
    pub(super) fn bury_settled(&mut self) {
        let (dead, read): (Vec<_>, Vec<_>) =
            self.settled_graveyard.drain(..).partition(|entry| Arc::strong_count(entry) == 1);
        self.settled_graveyard = read;
        let mut removed = 0;
        for entry in dead {
            match self.settle_files.remove(entry.number) {
                Ok(()) => removed += 1,
                Err(error) => {
                    tracing::warn!(file = file_name(entry.number), %error, "a file of settlements could not be removed, to be tried again");
                    self.settled_graveyard.push(entry);
                }
            }
        }
        if removed > 0
            && let Err(error) = self.settle_files.sync()
        {
            tracing::warn!(%error, "removed files may come back after a power cut; the next start sweeps them");
        }
    }
}

/// What a catalog says of a file.
pub(crate) fn entry_of(number: u64, made: Made, facts: Facts, records: &Records, rollups: &Rollups) -> SettleEntry {
    let of_records = records.iter().map(|(_, tenant, ..)| tenant);
    let tenants: BTreeSet<&Tenant> = rollups.iter().map(|(tenant, _)| tenant).chain(of_records).collect();
    let all = rollups.iter().flat_map(|(_, rollup)| rollup.minutes(0..u64::MAX)).map(|(minute, _)| minute);
    SettleEntry {
        number,
        bytes: made.bytes,
        first_sequence: facts.first_sequence,
        record_count: facts.record_count,
        kept_count: records.count() as u64,
        record_bytes: made.record_bytes,
        through_unix_nanos: facts.through_unix_nanos,
        minutes: all.fold((u64::MAX, 0), |(first, last), minute| (first.min(minute), last.max(minute))),
        tenants: tenants.into_iter().cloned().collect(),
        is_special: !Special::of(records).is_empty(),
    }
}
