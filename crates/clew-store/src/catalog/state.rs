//! What the catalog knows, and one step of it. Pure: an edit in, the next state out.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use clew_block::{BlockMeta, BlockName};
use clew_model::{Tenant, TraceId};
use serde::{Deserialize, Serialize};

/// A block that counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BlockEntry {
    /// What is known of it.
    pub meta: BlockMeta,
    /// Length of its sidecar.
    pub side_bytes: u64,
}

impl BlockEntry {
    /// Length of both files.
    pub fn bytes(&self) -> u64 {
        self.meta.data_bytes + self.side_bytes
    }
}

/// Spans that were deleted: whatever lies before a position of the log is not to be shown, and is left out when blocks
/// are made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Deletion {
    /// Whose.
    pub tenant: Tenant,
    /// Which trace; all of the tenant's when `None`.
    pub trace_id: Option<TraceId>,
    /// Spans received before this position of the log.
    pub through: u64,
    /// Spans in blocks with lower names. Later blocks are made without what is deleted.
    pub below: BlockName,
    /// How far the book had seen when it was asked for, which is a few seconds ago, in unix nanoseconds: what was settled up to then
    /// is deleted with it.
    pub at_unix_nanos: u64,
}

/// The file of a settlement, or of several that were merged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SettleEntry {
    /// The file's number, from which it has its name.
    pub number: u64,
    /// Its length.
    pub bytes: u64,
    /// Number of its first record; records are numbered as they were settled.
    pub first_sequence: u64,
    /// How many numbers are its records'.
    pub record_count: u64,
    /// How many records are left in it.
    pub kept_count: u64,
    /// What they take of its length.
    pub record_bytes: u64,
    /// What was received before is counted, of the traces in it; of several settlements, the latest.
    pub through_unix_nanos: u64,
    /// First and last minute that its figures speak of, in unix minutes.
    pub minutes: (u64, u64),
    /// Whose figures, by name.
    pub tenants: Vec<Tenant>,
    /// Whether any verdict is other than to keep the trace as every trace is, or a trace was settled before.
    pub is_special: bool,
}

/// A trace that was to be dropped, and is kept since a late span brought an error: older blocks say otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Reversed {
    /// Whose.
    pub tenant: Tenant,
    /// The trace.
    pub trace_id: TraceId,
    /// The rule that keeps it.
    pub rule: String,
    /// Spans received before are in blocks that may say otherwise, in unix nanoseconds.
    pub through_unix_nanos: u64,
}

/// More are not remembered: the oldest are forgotten first.
const REVERSED_MAX: usize = 100_000;

/// What was settled.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SettleState {
    /// The files, by their first record.
    pub files: Vec<SettleEntry>,
    /// All that was received before is counted, in unix nanoseconds.
    pub watermark_unix_nanos: u64,
    /// Above the numbers of all files that ever counted.
    pub next_file: u64,
    /// Above the numbers of all records.
    pub next_sequence: u64,
    /// What the judge remembers.
    pub judge: Vec<u8>,
    /// Traces that are kept against what older blocks say, oldest first.
    pub reversed: Vec<Reversed>,
}

/// A change of what was settled.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct SettleEdit {
    /// Files that count from now on.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub added: Vec<SettleEntry>,
    /// Files that count no more.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub removed: Vec<u64>,
    /// From now on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub watermark_unix_nanos: Option<u64>,
    /// What the judge remembers from now on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub judge: Option<Vec<u8>>,
    /// Traces that are kept from now on against what older blocks say.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reversed: Vec<Reversed>,
}

/// A trace that is kept whatever else is decided, until its pin is taken off or it is deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Pin {
    /// Whose.
    pub tenant: Tenant,
    /// Which trace.
    pub trace_id: TraceId,
    /// When it was pinned, in unix nanoseconds.
    pub at_unix_nanos: u64,
    /// Why, as somebody said; at most [`Pin::NOTE_CHARS_MAX`] characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

impl Pin {
    /// Characters of a note.
    pub const NOTE_CHARS_MAX: usize = 200;

    fn key(&self) -> (&Tenant, TraceId) {
        (&self.tenant, self.trace_id)
    }
}

/// Something of the catalog that was synced and cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CatalogDamage {
    /// File name.
    pub file: String,
    /// Offset in that file from which on it does not count.
    pub offset: u64,
    /// What is wrong, in words.
    pub what: String,
}

impl fmt::Display for CatalogDamage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Damage of the log that was sealed names its own place.
        if self.file.contains('/') {
            return f.write_str(&self.what);
        }
        write!(f, "{}/{} at offset {}: {}", super::CATALOG_FOLDER, self.file, self.offset, self.what)
    }
}

/// What the catalog knows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct State {
    /// The blocks, by name.
    #[serde(with = "listed")]
    pub blocks: BTreeMap<BlockName, BlockEntry>,
    /// Everything before this position of the log is in the blocks, or was given up.
    pub sealed_through: u64,
    /// Above the names of all blocks that ever counted.
    pub next_block: u64,
    /// What is masked, oldest first.
    pub deletions: Vec<Deletion>,
    /// What a damaged catalog lost, until a repair acknowledges it.
    pub lost: Vec<CatalogDamage>,
    /// What was settled.
    #[serde(default)]
    pub settled: SettleState,
    /// Traces that are kept whatever else is decided, by tenant and id.
    #[serde(default)]
    pub pinned: Vec<Pin>,
}

/// One atomic change of the state: all of it, or nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Edit {
    /// Blocks that count from now on.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub added: Vec<BlockEntry>,
    /// Blocks that count no more.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub removed: Vec<BlockName>,
    /// Up to where the log is in blocks, from now on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sealed_through: Option<u64>,
    /// A deletion that begins. One that is known already changes nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deletion: Option<Deletion>,
    /// Deletions that have nothing left to mask.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub forgotten_deletions: Vec<Deletion>,
    /// What was found to be lost.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub lost: Vec<CatalogDamage>,
    /// Whether all that was lost before is acknowledged, and told no more.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub acknowledges_lost: bool,
    /// What was settled, or merged of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settled: Option<SettleEdit>,
    /// Pins, in the place of those of the same traces.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub pinned: Vec<Pin>,
    /// Traces whose pins are taken off.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unpinned: Vec<(Tenant, TraceId)>,
}

/// An edit that the state cannot take: a bug where it is made, damage where it is read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EditError {
    /// It adds a block that is there, or adds one twice.
    #[error("block {0} is added and is there already")]
    KnownBlock(BlockName),
    /// It removes a block that is not there, or removes one twice.
    #[error("block {0} is removed and is not there")]
    UnknownBlock(BlockName),
    /// No block has such a high number.
    #[error("block {0} has a number that none is given")]
    BlockNumber(BlockName),
    /// It says that less of the log is sealed than was.
    #[error("the log is sealed through {now}, not only through {edit}")]
    Unsealed {
        /// What is sealed.
        now: u64,
        /// What the edit says.
        edit: u64,
    },
    /// It adds the file of a settlement that is there, or whose number was used.
    #[error("file {0} of a settlement is added and its number was used already")]
    KnownSettlement(u64),
    /// It removes the file of a settlement that is not there.
    #[error("file {0} of a settlement is removed and is not there")]
    UnknownSettlement(u64),
    /// It forgets a deletion that is not there.
    #[error("a deletion of tenant {0} is forgotten and is not there")]
    UnknownDeletion(Tenant),
}

/// Numbers of blocks stay below it, so that the next one always exists.
const BLOCKS_MAX: u64 = 1 << 62;

impl State {
    /// Whether [`State::apply`] would take the edit.
    pub fn check(&self, edit: &Edit) -> Result<(), EditError> {
        let mut added = BTreeSet::new();
        for BlockName(number) in edit.added.iter().map(|entry| entry.meta.name) {
            let name = BlockName(number);
            if number >= BLOCKS_MAX {
                return Err(EditError::BlockNumber(name));
            }
            if self.blocks.contains_key(&name) || !added.insert(name) {
                return Err(EditError::KnownBlock(name));
            }
        }
        let mut removed = BTreeSet::new();
        for name in &edit.removed {
            if !self.blocks.contains_key(name) || !removed.insert(name) {
                return Err(EditError::UnknownBlock(*name));
            }
        }
        if let Some(sealed) = edit.sealed_through.filter(|sealed| *sealed < self.sealed_through) {
            return Err(EditError::Unsealed { now: self.sealed_through, edit: sealed });
        }
        if let Some(settled) = &edit.settled {
            self.settled.check(settled)?;
        }
        match edit.forgotten_deletions.iter().find(|forgotten| !self.deletions.contains(forgotten)) {
            Some(unknown) => Err(EditError::UnknownDeletion(unknown.tenant.clone())),
            None => Ok(()),
        }
    }

    /// The next state; after an error it is the one it was.
    pub fn apply(&mut self, edit: Edit) -> Result<(), EditError> {
        self.check(&edit)?;
        for name in &edit.removed {
            self.blocks.remove(name);
        }
        for entry in edit.added {
            let name = entry.meta.name;
            self.next_block = self.next_block.max(name.0 + 1);
            self.blocks.insert(name, entry);
        }
        self.sealed_through = edit.sealed_through.unwrap_or(self.sealed_through);
        self.deletions.retain(|deletion| !edit.forgotten_deletions.contains(deletion));
        if let Some(deletion) = &edit.deletion {
            // A name below it must not be given to a block that holds what came later.
            self.next_block = self.next_block.max(deletion.below.0);
            self.pinned.retain(|pin| {
                pin.tenant != deletion.tenant || deletion.trace_id.is_some_and(|deleted| deleted != pin.trace_id)
            });
        }
        self.deletions.extend(edit.deletion.filter(|new| !self.deletions.contains(new)));
        if let Some(settled) = edit.settled {
            self.settled.apply(settled);
            self.settled.forget_reversed(&self.blocks);
        }
        for (tenant, id) in &edit.unpinned {
            self.pinned.retain(|pin| pin.key() != (tenant, *id));
        }
        for pin in edit.pinned {
            match self.pinned.binary_search_by(|other| other.key().cmp(&pin.key())) {
                Ok(at) => self.pinned[at] = pin,
                Err(at) => self.pinned.insert(at, pin),
            }
        }
        if edit.acknowledges_lost {
            self.lost.clear();
        }
        self.lost.extend(edit.lost);
        Ok(())
    }

    /// Leaves out this many numbers of blocks: some may be in use that the state does not know.
    pub(super) fn skip_blocks(&mut self, count: u64) {
        self.next_block = self.next_block.saturating_add(count).min(BLOCKS_MAX);
    }

    /// Whether a state that was read can be one.
    pub(super) fn is_sound(&self) -> bool {
        let last = self.blocks.last_key_value().map_or(0, |(name, _)| name.0);
        last < BLOCKS_MAX && self.next_block <= BLOCKS_MAX && (self.blocks.is_empty() || last < self.next_block)
    }

    /// The state that blocks found by listing make, for a repair: what was deleted is not in it.
    ///
    /// A block that another one of them replaces is left out; only older ones, with lower numbers, can be replaced. Blocks that
    /// cover the same part of the log all stay: that shows nothing twice, since identical spans are shown once, while a
    /// choice between them might lose some. `log_first` is the position of the log's first byte that is still there, if
    /// there is any log. What lies before it is in blocks or is given up. From there on the log is sealed as far as blocks
    /// cover it without a hole, so that none of it is passed over; without a log, as far as any block reaches.
    pub fn rebuild(blocks: Vec<BlockEntry>, log_first: Option<u64>) -> Self {
        let replaced: BTreeSet<BlockName> = blocks
            .iter()
            .flat_map(|entry| entry.meta.replaces.iter().filter(|older| **older < entry.meta.name))
            .copied()
            .collect();
        let known: BTreeMap<BlockName, BlockEntry> =
            blocks.into_iter().map(|entry| (entry.meta.name, entry)).filter(|(name, _)| name.0 < BLOCKS_MAX).collect();
        let mut ranges: Vec<_> = known.values().map(|entry| entry.meta.log.clone()).collect();
        ranges.sort_by_key(|range| range.start);
        let sealed_through = match log_first {
            None => ranges.iter().map(|range| range.end).max().unwrap_or(0),
            Some(first) => ranges
                .iter()
                .fold(first, |sealed, range| if range.start <= sealed { sealed.max(range.end) } else { sealed }),
        };
        let next_block = known.last_key_value().map_or(0, |(name, _)| name.0 + 1);
        let blocks = known.into_iter().filter(|(name, _)| !replaced.contains(name)).collect();
        Self { blocks, sealed_through, next_block, ..Self::default() }
    }
}

impl SettleState {
    fn check(&self, edit: &SettleEdit) -> Result<(), EditError> {
        let mut next = self.next_file;
        for entry in &edit.added {
            if entry.number < next || entry.number >= BLOCKS_MAX {
                return Err(EditError::KnownSettlement(entry.number));
            }
            next = entry.number + 1;
        }
        let is_unknown = |number: &&u64| !self.files.iter().any(|entry| entry.number == **number);
        edit.removed.iter().find(is_unknown).map_or(Ok(()), |unknown| Err(EditError::UnknownSettlement(*unknown)))
    }

    fn apply(&mut self, edit: SettleEdit) {
        self.files.retain(|entry| !edit.removed.contains(&entry.number));
        for entry in edit.added {
            self.next_file = self.next_file.max(entry.number + 1);
            self.next_sequence = self.next_sequence.max(entry.first_sequence + entry.record_count);
            self.files.push(entry);
        }
        self.files.sort_by_key(|entry| (entry.first_sequence, entry.number));
        self.watermark_unix_nanos = edit.watermark_unix_nanos.unwrap_or(0).max(self.watermark_unix_nanos);
        self.judge = edit.judge.unwrap_or_else(|| std::mem::take(&mut self.judge));
        self.reversed.extend(edit.reversed);
    }

    /// Forgets reversals that no block is older than.
    fn forget_reversed(&mut self, blocks: &BTreeMap<BlockName, BlockEntry>) {
        let parts = blocks.values().flat_map(|entry| &entry.meta.tenants);
        let oldest = parts.map(|part| part.received_unix_nanos.0).min().unwrap_or(u64::MAX);
        self.reversed.retain(|reversed| reversed.through_unix_nanos > oldest);
        let excess = self.reversed.len().saturating_sub(REVERSED_MAX);
        self.reversed.drain(..excess);
    }
}

/// The blocks as a list, so that a name is written once and a repeated one is no state.
mod listed {
    use std::collections::BTreeMap;

    use clew_block::BlockName;
    use serde::de::Error as _;
    use serde::{Deserialize as _, Deserializer, Serializer};

    use super::BlockEntry;

    pub(super) fn serialize<S: Serializer>(
        blocks: &BTreeMap<BlockName, BlockEntry>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(blocks.values())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<BTreeMap<BlockName, BlockEntry>, D::Error> {
        let mut blocks = BTreeMap::new();
        for entry in Vec::<BlockEntry>::deserialize(deserializer)? {
            let name = entry.meta.name;
            if blocks.insert(name, entry).is_some() {
                return Err(D::Error::custom(format!("block {name} is there twice")));
            }
        }
        Ok(blocks)
    }
}
