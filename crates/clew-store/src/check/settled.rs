//! The files of settlements: every byte of those that the catalog names, and the files that it does not name.

use serde::Serialize;

use super::{CheckReport, StrayFile};
use crate::OpenError;
use crate::catalog::{SettleEntry, SettleState};
use crate::keep::figures::entry_of;
use crate::port::Entry;
use crate::settle::files::{Made, SettleFiles, SettleReadError, Whole, file_name, file_number};

/// One file of settlements.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SettledReport {
    /// Its name.
    pub name: String,
    /// Its length.
    pub bytes: u64,
    /// Traces that were settled in it.
    pub traces: u64,
    /// Records of them that it still holds.
    pub records: u64,
    /// First and last unix minute that its figures speak of; none without figures.
    pub minutes: Option<(u64, u64)>,
    /// Tenants.
    pub tenants: u64,
    /// What is wrong with it, in sentences.
    pub problems: Vec<String>,
}

/// The files of the folder, by name.
pub(super) fn listed(files: &SettleFiles) -> Result<Vec<Entry>, OpenError> {
    files.list().map_err(OpenError::at(files.folder()))
}

/// Whether the state names a file.
pub(super) fn is_named(state: &SettleState, file: &str) -> bool {
    file_number(file).is_some_and(|number| state.files.iter().any(|entry| entry.number == number))
}

/// Reads every file of a state, and names those that it does not name.
pub(super) fn check(files: &SettleFiles, state: &SettleState, report: &mut CheckReport) -> Result<(), OpenError> {
    let listed = listed(files)?;
    report.settled = state.files.iter().map(|entry| check_file(files, entry, &listed)).collect();
    let stray = listed.into_iter().filter(|file| !is_named(state, &file.name));
    report.stray_settled_files = stray.map(|Entry { name, length }| StrayFile { name, bytes: length }).collect();
    Ok(())
}

fn check_file(files: &SettleFiles, entry: &SettleEntry, listed: &[Entry]) -> SettledReport {
    SettledReport {
        name: file_name(entry.number),
        bytes: entry.bytes,
        traces: entry.record_count,
        records: entry.kept_count,
        minutes: Some(entry.minutes).filter(|(first, last)| first <= last),
        tenants: entry.tenants.len() as u64,
        problems: problems(files, entry, listed).1,
    }
}

/// What can be read of a file, and what is wrong with it; every byte of it is read.
pub(super) fn problems(files: &SettleFiles, entry: &SettleEntry, listed: &[Entry]) -> (Option<Whole>, Vec<String>) {
    let name = file_name(entry.number);
    let mut problems = Vec::new();
    match listed.iter().find(|file| file.name == name) {
        Some(file) if file.length == entry.bytes => {}
        Some(file) => problems.push(format!("{name} has {} bytes, not {}", file.length, entry.bytes)),
        None => return (None, vec![format!("{name} is missing: its figures are lost")]),
    }
    let whole = match files.whole(entry.number) {
        Ok(whole) => whole,
        Err(error) => {
            problems.push(format!("{name}: {error}"));
            return (None, problems);
        }
    };
    for (what, error) in [("records", whole.records.as_ref().err()), ("figures", whole.rollups.as_ref().err())] {
        problems.extend(error.map(|error: &SettleReadError| format!("{name}: {what}: {error}")));
    }
    if problems.is_empty() && taken_in(entry.number, &whole).as_ref() != Some(entry) {
        problems.push(format!("{name} says something else than the catalog says of it"));
    }
    (Some(whole), problems)
}

/// What a catalog would say of a file that can be read.
pub(super) fn taken_in(number: u64, whole: &Whole) -> Option<SettleEntry> {
    let (records, rollups) = (whole.records.as_ref().ok()?, whole.rollups.as_ref().ok()?);
    let made = Made { bytes: whole.bytes, record_bytes: whole.record_bytes };
    Some(entry_of(number, made, whole.facts, records, rollups))
}

#[cfg(test)]
#[path = "settled/tests.rs"]
mod tests;
