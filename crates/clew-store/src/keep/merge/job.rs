//! One merge: planned and committed by the keeper, run by anybody.

use std::io;
use std::sync::Arc;

use clew_block::sidecar::Requests;
use clew_block::{Block, BlockFile, BlockName, Cache, Finished, Merge, MergeError, Merged, WriteOptions};
use clew_model::{Tenant, TraceId};

use super::policy::Group;
use crate::catalog::{BlockEntry, Deletion, Edit};
use crate::keep::files::BlockFiles;
use crate::keep::retention::Held;
use crate::keep::{KeepError, Keeper, is_deleted};
use crate::view::position;

/// A part of a merge's memory is for what it needs of its inputs again and again.
const CACHE_SHARE: u64 = 4;

/// As many times the bytes of its inputs must be free for a merge, beside what the log and the next seals need.
const FREE_FACTOR: u64 = 2;

/// A merge that was planned. It needs the keeper no more until it is done.
pub struct MergeJob {
    /// Oldest first. Their files stay as long as they are held here.
    inputs: Vec<Arc<Block>>,
    /// Those that speak of any of them.
    deletions: Vec<Deletion>,
    options: WriteOptions,
    memory_bytes: u64,
    /// Requests that were received before are forgotten.
    requests_since_unix_nanos: u64,
    files: BlockFiles,
}

/// A merge that ran.
pub struct MergeDone {
    name: BlockName,
    inputs: Vec<Arc<Block>>,
    /// The block, whose files are durable; `None` when nothing is left of its inputs.
    result: Result<Option<BlockEntry>, MergeFailure>,
    read_rows: u64,
}

/// Why a merge failed.
struct MergeFailure {
    error: KeepError,
    /// Blocks that are not to be tried again.
    at_fault: Vec<BlockName>,
}

impl Keeper {
    /// Plans the merge that is due next, if one is, of blocks all of whose spans were received before a time. It reserves a
    /// name; whoever has the job runs it, and has it committed.
    pub fn plan_merge(&mut self, settled_through_unix_nanos: u64) -> Result<Option<MergeJob>, KeepError> {
        if self.config.merge.block_bytes == 0 {
            return Ok(None);
        }
        let available = self.ports.disk.space(&self.config.data_dir)?.available_bytes;
        let view = self.view.view();
        let Some(group) = self.due(available, settled_through_unix_nanos) else { return Ok(None) };
        let room = group.bytes.saturating_mul(FREE_FACTOR).saturating_add(self.config.live_bytes as u64);
        let inputs: Vec<Arc<Block>> = group
            .inputs
            .iter()
            .filter_map(|name| position(&view.blocks, *name).ok())
            .map(|at| Arc::clone(&view.blocks[at]))
            .collect();
        if room > available || inputs.len() < group.inputs.len() {
            return Ok(None);
        }
        let covers = |deletion: &&Deletion| inputs.iter().any(|block| deletion.covers_block(block.meta().name));
        let deletions = self.catalog.state().deletions.iter().filter(covers).cloned().collect();
        let name = self.catalog.next_block();
        let logs = || inputs.iter().map(|block| &block.meta().log);
        let options = WriteOptions {
            level: group.level,
            // What lies between was sealed, too: the log is sealed in its order.
            log: logs().map(|log| log.start).min().unwrap_or(0)..logs().map(|log| log.end).max().unwrap_or(0),
            replaces: group.inputs,
            ..self.options(name)
        };
        let window = self.config.repeat_window.as_nanos() as u64;
        Ok(Some(MergeJob {
            inputs,
            deletions,
            options,
            memory_bytes: self.config.merge_memory_bytes as u64,
            requests_since_unix_nanos: self.ports.clock.unix_nanos().saturating_sub(window),
            files: self.files.clone(),
        }))
    }

    fn due(&self, available_bytes: u64, settled_through_unix_nanos: u64) -> Option<Group> {
        let entries = self.catalog.state().blocks.values();
        let held: Vec<Held<'_>> = entries
            .filter(|entry| !self.unmergeable.contains(&entry.meta.name))
            .map(|entry| Held { meta: &entry.meta, bytes: entry.bytes() })
            .collect();
        let used = held.iter().map(|held| held.bytes).sum();
        let retention = &self.config.retention;
        let policy = self.config.merge.within(retention.size.bytes(used, available_bytes));
        policy.next(&held, retention, settled_through_unix_nanos)
    }

    /// Puts a merged block in the place of its inputs; answers whether that was done. If one of them is not there any more,
    /// the block is thrown away: what went is still in it.
    pub fn commit_merge(&mut self, done: MergeDone) -> Result<bool, KeepError> {
        let MergeDone { name, inputs, result, read_rows } = done;
        let entry = match result {
            Ok(entry) => entry,
            Err(MergeFailure { error, at_fault }) => {
                match error {
                    KeepError::Stopping => self.discard(name),
                    _ => self.give_up(name),
                }
                self.unmergeable.extend(at_fault);
                return Err(error);
            }
        };
        let removed: Vec<BlockName> = inputs.iter().map(|block| block.meta().name).collect();
        if !removed.iter().all(|name| self.catalog.state().blocks.contains_key(name)) {
            self.discard(name);
            return Ok(false);
        }
        let edit = Edit { added: entry.iter().cloned().collect(), removed: removed.clone(), ..Edit::default() };
        self.commit(edit).inspect_err(|error| self.give_up_after(error, name))?;
        self.show(entry.iter().map(|entry| self.block(entry)).collect(), &removed);
        let bytes = entry.as_ref().map_or(0, BlockEntry::bytes);
        self.count(|totals| {
            totals.merges += 1;
            totals.merged_blocks += removed.len() as u64;
            totals.merged_rows += read_rows;
            totals.merge_written_bytes += bytes;
            totals.block_written_bytes += bytes;
        });
        Ok(true)
    }
}

impl MergeJob {
    /// How many blocks it reads.
    pub fn input_count(&self) -> usize {
        self.inputs.len()
    }

    /// Makes the files of the block durable, unless it is told to stop.
    pub fn run(self, stopped: &(dyn Fn() -> bool + Sync)) -> MergeDone {
        let name = self.options.name;
        let (result, read_rows) = match self.write(stopped) {
            Ok((entry, read_rows)) => (Ok(entry), read_rows),
            Err(failure) => (Err(failure), 0),
        };
        MergeDone { name, inputs: self.inputs, result, read_rows }
    }

    /// What a merge that panicked is: none of its inputs is tried again.
    pub(super) fn failed(name: BlockName, inputs: Vec<Arc<Block>>) -> MergeDone {
        let error = KeepError::Block(format!("the merge of {} blocks failed: a bug of clew", inputs.len()));
        let at_fault = inputs.iter().map(|block| block.meta().name).collect();
        MergeDone { name, inputs, result: Err(MergeFailure { error, at_fault }), read_rows: 0 }
    }

    pub(super) fn name(&self) -> BlockName {
        self.options.name
    }

    pub(super) fn inputs(&self) -> &[Arc<Block>] {
        &self.inputs
    }

    fn write(&self, stopped: &(dyn Fn() -> bool + Sync)) -> Result<(Option<BlockEntry>, u64), MergeFailure> {
        let name = self.options.name;
        let requests = self.requests()?;
        // What a merge reads is not what questions ask for again.
        let cache = Arc::new(Cache::new(self.memory_bytes / CACHE_SHARE));
        let inputs: Vec<Block> = self.inputs.iter().map(|block| block.apart(Arc::clone(&cache))).collect();
        let keep = |at: usize, tenant: &Tenant, id: TraceId| {
            let input = self.inputs[at].meta().name;
            !is_deleted(self.deletions.iter().filter(|deletion| deletion.covers_block(input)), tenant, id)
        };
        let sink = self.files.begin(name, BlockFile::Data)?;
        let merge = Merge { inputs: &inputs, keep: &keep, memory_bytes: self.memory_bytes, stopped };
        let Merged { finished, read_rows } = merge.write(sink, self.options.clone(), &requests).map_err(|error| {
            let all = || self.inputs.iter().map(|block| block.meta().name).collect();
            match error {
                MergeError::Read(error) => MergeFailure { at_fault: vec![error.name], error: block_error(&error) },
                MergeError::Write(error) => {
                    let error = KeepError::from(error);
                    let at_fault = if matches!(error, KeepError::Block(_)) { all() } else { Vec::new() };
                    MergeFailure { error, at_fault }
                }
                _ => MergeFailure { error: KeepError::Stopping, at_fault: Vec::new() },
            }
        })?;
        let Some(Finished { meta, side, sink }) = finished else {
            // The file that was begun has no name.
            self.files.remove(name)?;
            return Ok((None, read_rows));
        };
        self.files.finish(name, sink, &side)?;
        Ok((Some(BlockEntry { meta, side_bytes: side.len() as u64 }), read_rows))
    }

    /// The requests of all inputs that are still to be known again.
    fn requests(&self) -> Result<Requests, MergeFailure> {
        let mut requests = Vec::new();
        for block in &self.inputs {
            let own = block.requests().map_err(|error| MergeFailure {
                at_fault: vec![block.meta().name],
                error: block_error(&error),
            })?;
            let is_young = |request: &clew_block::sidecar::Request| {
                request.received_unix_nanos >= self.requests_since_unix_nanos
            };
            requests.extend(own.requests.into_iter().filter(is_young));
        }
        Ok(Requests { requests })
    }
}

fn block_error(error: &clew_block::ReadError) -> KeepError {
    KeepError::Block(error.to_string())
}

impl From<io::Error> for MergeFailure {
    fn from(error: io::Error) -> Self {
        Self { error: error.into(), at_fault: Vec::new() }
    }
}
