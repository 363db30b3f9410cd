//! The repair of settlements: files are taken in that a damaged catalog forgot, and those that are damaged are written anew
//! without what cannot be read.

use super::super::settled::{self, is_named, listed, taken_in};
use super::super::{CheckError, StrayFile};
use super::Repair;
use crate::catalog::{Edit, SettleEdit, SettleEntry};
use crate::keep::KeepError;
use crate::keep::figures::entry_of;
use crate::port::Entry;
use crate::settle::files::{SettleFiles, Whole, file_name, file_number};
use crate::settle::record::{Records, Rollups};

impl Repair<'_> {
    /// Repairs what was settled; `is_whole` says that the catalog had lost nothing.
    pub(super) fn settled(&mut self, files: &SettleFiles, is_whole: bool) -> Result<(), CheckError> {
        let listed = listed(files)?;
        let state = &self.catalog.state().settled;
        let stray = listed.iter().filter(|file| !is_named(state, &file.name));
        self.report.stray_settled_files =
            stray.map(|file| StrayFile { name: file.name.clone(), bytes: file.length }).collect();
        let is_missing = |entry: &SettleEntry| !listed.iter().any(|file| file.name == file_name(entry.number));
        if !is_whole || state.files.iter().any(is_missing) {
            self.take_in(files, &listed)?;
        }
        let entries = self.catalog.state().settled.files.clone();
        let strays = std::mem::take(&mut self.report.stray_settled_files);
        settled::check(files, &self.catalog.state().settled, self.report)?;
        self.report.stray_settled_files = strays;
        for entry in &entries {
            let (whole, problems) = settled::problems(files, entry, &listed);
            if !problems.is_empty() {
                self.mend_settled(files, entry, whole, &listed)?;
            }
        }
        self.clear_settled(files, &listed, is_whole)
    }

    /// Takes in files that the catalog does not name and that it would have named next. Of files that hold the same settlements the
    /// newest counts: others were merged into it.
    fn take_in(&mut self, files: &SettleFiles, listed: &[Entry]) -> Result<(), CheckError> {
        let state = self.catalog.state().settled.clone();
        let numbers =
            listed.iter().filter_map(|file| file_number(&file.name)).filter(|number| *number >= state.next_file);
        let mut found: Vec<(SettleEntry, u64)> = numbers
            .filter_map(|number| {
                let whole = files.whole(number).ok()?;
                Some((taken_in(number, &whole)?, whole.facts.watermark_unix_nanos))
            })
            .collect();
        found.sort_by_key(|(entry, _)| std::cmp::Reverse(entry.number));
        let mut added: Vec<(SettleEntry, u64)> = Vec::new();
        for (entry, watermark) in found {
            if !added.iter().any(|(newer, _)| overlap(newer, &entry)) {
                added.push((entry, watermark));
            }
        }
        added.reverse();
        let is_replaced = |old: &&SettleEntry| added.iter().any(|(new, _)| overlap(new, old));
        let removed: Vec<u64> = state.files.iter().filter(is_replaced).map(|entry| entry.number).collect();
        if added.is_empty() {
            return Ok(());
        }
        let watermark_unix_nanos = added.iter().map(|(_, watermark)| *watermark).max();
        self.report.repairs.push(format!(
            "{} files of settlements were taken in that the catalog had forgotten, in the place of {} that it named",
            added.len(),
            removed.len()
        ));
        let added = added.into_iter().map(|(entry, _)| entry).collect();
        self.commit_settled(SettleEdit { added, removed, watermark_unix_nanos, ..SettleEdit::default() })
    }

    /// Puts what can be read of a file in its place.
    fn mend_settled(
        &mut self,
        files: &SettleFiles,
        old: &SettleEntry,
        whole: Option<Whole>,
        listed: &[Entry],
    ) -> Result<(), CheckError> {
        let state = &self.catalog.state().settled;
        let (number, name) = (state.next_file, file_name(old.number));
        // What is not known to be counted is counted anew, as long as its spans are known by the watermark.
        let is_counted_anew = old.through_unix_nanos > state.watermark_unix_nanos;
        let saved = whole.filter(|whole| !is_counted_anew || (whole.records.is_ok() && whole.rollups.is_ok()));
        let saved = saved.filter(|whole| whole.records.is_ok() || whole.rollups.is_ok());
        let new = match saved {
            None => None,
            Some(Whole { facts, records, rollups, .. }) => {
                let (records, rollups): (Records, Rollups) = (records.unwrap_or_default(), rollups.unwrap_or_default());
                let made = files.make(number, facts, &records, &rollups).map_err(KeepError::from)?;
                Some(entry_of(number, made, facts, &records, &rollups))
            }
        };
        let lost = match &new {
            None if is_counted_anew => "left the catalog: its traces are settled anew".to_owned(),
            None => format!("left the catalog: the figures of {} traces are lost", old.record_count),
            Some(new) if new.minutes != old.minutes => {
                format!("was written anew as {}: its figures are lost", file_name(number))
            }
            Some(new) => format!(
                "was written anew as {}, with {} of its {} records",
                file_name(number),
                new.kept_count,
                old.kept_count
            ),
        };
        self.report.repairs.push(format!("settled/{name} {lost}"));
        let added = new.into_iter().collect();
        self.commit_settled(SettleEdit { added, removed: vec![old.number], ..SettleEdit::default() })?;
        if listed.iter().any(|file| file.name == name) {
            self.set_aside(files.folder(), &name)?;
        }
        Ok(files.sync().map_err(KeepError::from)?)
    }

    /// Clears away what the catalog does not name now.
    fn clear_settled(&mut self, files: &SettleFiles, listed: &[Entry], is_whole: bool) -> Result<(), CheckError> {
        let state = self.catalog.state().settled.clone();
        let present = settled::listed(files)?;
        let is_stray = |file: &&Entry| !is_named(&state, &file.name) && present.contains(file);
        let mut cleared = false;
        for file in listed.iter().filter(is_stray) {
            // Without a whole catalog nobody knows that what cannot be read was never needed.
            let is_unreadable = file_number(&file.name)
                .is_some_and(|number| files.whole(number).ok().is_none_or(|whole| taken_in(number, &whole).is_none()));
            let keeps = !is_whole && is_unreadable;
            if keeps {
                self.set_aside(files.folder(), &file.name)?;
            } else {
                files.remove_file(&file.name).map_err(KeepError::from)?;
            }
            let what = if keeps { "it cannot be read and was moved to aside/" } else { "it was removed" };
            self.report.repairs.push(format!("settled/{} is named by nothing: {what}", file.name));
            cleared = true;
        }
        if cleared {
            files.sync().map_err(KeepError::from)?;
        }
        Ok(())
    }

    fn commit_settled(&mut self, settled: SettleEdit) -> Result<(), CheckError> {
        let edit = Edit { settled: Some(settled), ..Edit::default() };
        Ok(self.catalog.commit(edit).map_err(KeepError::from)?)
    }
}

/// Whether two files hold a settlement in common.
fn overlap(a: &SettleEntry, b: &SettleEntry) -> bool {
    a.first_sequence < b.first_sequence + b.record_count && b.first_sequence < a.first_sequence + a.record_count
}
