//! What of a block could not be read, and where.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use clew_model::scan::Incomplete;
use parquet::errors::ParquetError;

use crate::sidecar::SectionId;
use crate::{BlockFile, BlockName};

/// Places that a block remembers; what is found beyond them is counted only.
const PLACES_MAX: usize = 64;

/// Bytes of a block that could not be read, or are not what was written.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
#[error("{}: {length} bytes from {offset} on: {detail}", .name.file_name(*.file))]
pub struct ReadError {
    /// The block.
    pub name: BlockName,
    /// Which of its files.
    pub file: BlockFile,
    /// Where in the file, in bytes.
    pub offset: u64,
    /// How many bytes.
    pub length: u64,
    /// What is wrong with them.
    pub detail: String,
}

impl ReadError {
    /// The typed error inside of one that went through Parquet's reader, or that one with a place.
    pub(super) fn of_parquet(error: ParquetError, place: (BlockName, u64, u64), what: &str) -> Self {
        let (name, offset, length) = place;
        let detail = match error {
            ParquetError::External(inner) => match inner.downcast::<Self>() {
                Ok(ours) => return *ours,
                Err(other) => other.to_string(),
            },
            other => other.to_string(),
        };
        Self { name, file: BlockFile::Data, offset, length, detail: format!("{what}: {detail}") }
    }
}

/// What was found damaged in a block so far, each place once.
#[derive(Debug, Default)]
pub(super) struct Damage(Mutex<Found>);

#[derive(Debug, Default)]
struct Found {
    places: BTreeMap<(BlockFile, u64), ReadError>,
    /// Sections of the sidecar that are of no use, so that they are not read again and again.
    lost: BTreeMap<SectionId, ReadError>,
}

impl Damage {
    /// Remembers the place.
    pub(super) fn note(&self, error: &ReadError) {
        let places = &mut self.found().places;
        if places.len() < PLACES_MAX {
            places.entry((error.file, error.offset)).or_insert_with(|| error.clone());
        }
    }

    /// Remembers that a section is of no use.
    pub(super) fn lose(&self, id: SectionId, error: &ReadError) {
        self.found().lost.insert(id, error.clone());
    }

    /// Why a section is of no use, if it was found to be so.
    pub(super) fn lost(&self, id: SectionId) -> Option<ReadError> {
        self.found().lost.get(&id).cloned()
    }

    /// All places, by file and offset.
    pub(super) fn places(&self) -> Vec<ReadError> {
        self.found().places.values().cloned().collect()
    }

    fn found(&self) -> MutexGuard<'_, Found> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What one answer lacks: the first place, and how many more there are.
#[derive(Debug, Default)]
pub(super) struct Lack {
    first: Option<ReadError>,
    others: usize,
}

impl Lack {
    /// Adds a place because of which something is missing.
    pub(super) fn add(&mut self, error: ReadError) {
        match &self.first {
            Some(first) if *first != error => self.others += 1,
            Some(_) => {}
            None => self.first = Some(error),
        }
    }

    /// How an answer says it.
    pub(super) fn into_incomplete(self) -> Option<Incomplete> {
        let first = self.first?;
        let others = if self.others > 0 { format!(", and {} more places", self.others) } else { String::new() };
        let detail = format!(
            "spans may be missing, since a part of a block cannot be read ({first}{others}): run `clew check`, and restore \
             the file from a copy"
        );
        Some(Incomplete { reason: "corruption".to_owned(), detail })
    }
}
