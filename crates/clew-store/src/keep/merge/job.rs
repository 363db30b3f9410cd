//! One merge: planned and committed by the keeper, run by anybody.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::ops::RangeInclusive;
use std::sync::Arc;

use clew_block::sidecar::Requests;
use clew_block::{Block, BlockFile, BlockName, Cache, Finished, Merge, MergeError, Merged, WriteOptions};
use clew_model::{Tenant, TraceId};

use super::Decided;
use super::policy::Group;
use crate::catalog::{BlockEntry, Deletion, Edit};
use crate::keep::files::BlockFiles;
use crate::keep::retention::{Held, NO_CLASSES, Staying};
use crate::keep::{KeepError, Keeper, is_deleted};
use crate::view::position;

/// A part of a merge's memory is for what it needs of its inputs again and again.
const CACHE_SHARE: u64 = 4;

/// As many times the bytes of its inputs must be free for a merge, beside what the log and the next seals need.
const FREE_FACTOR: u64 = 2;

/// A merge, or a block that is to be written anew, as planned. It needs the keeper no more until it is done.
pub struct MergeJob {
    /// Oldest first. Their files stay as long as they are held here.
    inputs: Vec<Arc<Block>>,
    /// Of each input, whether traces that are not to be kept may go.
    is_full_over: Vec<bool>,
    /// Whether all of their spans are settled, so that verdicts speak of them.
    is_settled: bool,
    /// Those that speak of any of them.
    deletions: Vec<Deletion>,
    /// Whose spans are over, but for traces of classes that stay.
    leaves_out: BTreeMap<Tenant, Staying>,
    /// The retention classes that there are.
    classes: BTreeSet<String>,
    decided: Arc<dyn Decided>,
    pins_version: u64,
    options: WriteOptions,
    memory_bytes: u64,
    /// The unix hours of whose dropped traces the block is to know.
    remembers: Option<RangeInclusive<u32>>,
    /// Requests that were received before are forgotten.
    requests_since_unix_nanos: u64,
    files: BlockFiles,
}

/// A merge that ran.
pub struct MergeDone {
    name: BlockName,
    inputs: Vec<Arc<Block>>,
    is_rewrite: bool,
    /// Whether tenants' traces were left out that were not pinned.
    leaves_out: bool,
    pins_version: u64,
    result: Result<Written, MergeFailure>,
}

/// What a merge made.
struct Written {
    /// The block, whose files are durable; `None` when nothing is left of its inputs.
    entry: Option<BlockEntry>,
    read_rows: u64,
    dropped_rows: BTreeMap<String, u64>,
}

/// Why a merge failed.
struct MergeFailure {
    error: KeepError,
    /// Blocks that are not to be merged again.
    at_fault: Vec<BlockName>,
}

impl Keeper {
    /// Plans what is due next, if anything is: a block without what is over or deleted, a merge of blocks all of whose spans
    /// were received before a time, or a block without traces that are not to be kept. It reserves a name; whoever has the job
    /// runs it, and has it committed.
    pub fn plan_merge(&mut self, settled_through_unix_nanos: u64) -> Result<Option<MergeJob>, KeepError> {
        if let Some(job) = self.plan_stale()? {
            return Ok(Some(job));
        }
        if self.config.merge.block_bytes == 0 {
            return Ok(None);
        }
        let available = self.ports.disk.space(&self.config.data_dir)?.available_bytes;
        let view = self.view.view();
        let Some(group) = self.due(available, settled_through_unix_nanos) else { return Ok(None) };
        let room = group.bytes.saturating_mul(FREE_FACTOR).saturating_add(self.config.live_bytes as u64);
        let at = group.inputs.iter().filter_map(|name| position(&view.blocks, *name).ok());
        let inputs: Vec<Arc<Block>> = at.map(|at| Arc::clone(&view.blocks[at])).collect();
        if room > available || inputs.len() < group.inputs.len() {
            return Ok(None);
        }
        Ok(Some(self.plan(inputs, group.level, BTreeMap::new())))
    }

    /// The next block that was found to be written anew.
    fn plan_stale(&mut self) -> Result<Option<MergeJob>, KeepError> {
        let view = self.view.view();
        while let Some(name) = self.stale.pop_first() {
            if let Ok(at) = position(&view.blocks, name) {
                let over = self.over()?.remove(&name).unwrap_or_default();
                return Ok(Some(self.plan_rewrite(Arc::clone(&view.blocks[at]), over)));
            }
        }
        Ok(None)
    }

    /// A block without the spans of some tenants, but for classes that stay, and without what was deleted.
    pub(crate) fn plan_rewrite(&mut self, block: Arc<Block>, leaves_out: BTreeMap<Tenant, Staying>) -> MergeJob {
        let level = block.meta().level;
        self.plan(vec![block], level, leaves_out)
    }

    fn plan(&mut self, inputs: Vec<Arc<Block>>, level: u8, leaves_out: BTreeMap<Tenant, Staying>) -> MergeJob {
        let covers = |deletion: &&Deletion| inputs.iter().any(|block| deletion.covers_block(block.meta().name));
        let deletions = self.catalog.state().deletions.iter().filter(covers).cloned().collect();
        // Its name comes here, so that deletions from now on speak of it.
        let name = self.catalog.next_block();
        let logs = || inputs.iter().map(|block| &block.meta().log);
        let options = WriteOptions {
            level,
            // What lies between was sealed, too: the log is sealed in its order.
            log: logs().map(|log| log.start).min().unwrap_or(0)..logs().map(|log| log.end).max().unwrap_or(0),
            replaces: inputs.iter().map(|block| block.meta().name).collect(),
            ..self.options(name)
        };
        let now = self.ports.clock.unix_nanos();
        let policy = self.config.merge;
        // A block that is written anew before all of it is settled may hold late spans of a trace that was to be dropped.
        let watermark = self.view.view().settled.watermark_unix_nanos();
        let youngest = |block: &Arc<Block>| block.meta().tenants.iter().map(|part| part.received_unix_nanos.1).max();
        let is_settled = inputs.iter().all(|block| youngest(block).is_none_or(|youngest| youngest < watermark));
        let is_over = |block: &Arc<Block>| is_settled && policy.full_until_unix_nanos(block.meta()) <= now;
        MergeJob {
            is_full_over: inputs.iter().map(is_over).collect(),
            is_settled,
            inputs,
            deletions,
            leaves_out,
            classes: self.config.retention.classes.keys().cloned().collect(),
            decided: Arc::clone(&self.decided),
            pins_version: self.decided.pins_version(),
            options,
            memory_bytes: self.config.merge_memory_bytes as u64,
            remembers: self.config.settle.dropped_hours(now),
            requests_since_unix_nanos: now.saturating_sub(self.config.repeat_window.as_nanos() as u64),
            files: self.files.clone(),
        }
    }

    fn due(&self, available_bytes: u64, settled_through_unix_nanos: u64) -> Option<Group> {
        let entries = self.catalog.state().blocks.values();
        let held: Vec<Held<'_>> = entries
            .filter(|entry| !self.unmergeable.contains(&entry.meta.name))
            .map(|entry| Held { meta: &entry.meta, bytes: entry.bytes(), classes: NO_CLASSES })
            .collect();
        let used = held.iter().map(|held| held.bytes).sum();
        let retention = &self.config.retention;
        let policy = self.config.merge.within(retention.size.bytes(used, available_bytes));
        let next = policy.next(&held, retention, settled_through_unix_nanos);
        next.or_else(|| policy.thinned(&held, self.ports.clock.unix_nanos()))
    }

    /// Puts a merged block in the place of its inputs; answers whether that was done. If one of them is not there any more,
    /// the block is thrown away: what went is still in it. So it is if a trace was pinned and some were left out.
    pub fn commit_merge(&mut self, done: MergeDone) -> Result<bool, KeepError> {
        let MergeDone { name, inputs, is_rewrite, leaves_out, pins_version, result } = done;
        let Written { entry, read_rows, dropped_rows } = match result {
            Ok(written) => written,
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
        let are_there = removed.iter().all(|name| self.catalog.state().blocks.contains_key(name));
        let is_pinned = (!dropped_rows.is_empty() || leaves_out) && self.decided.pins_version() != pins_version;
        if !are_there || is_pinned {
            self.discard(name);
            self.count(|totals| totals.unused_merges += 1);
            return Ok(false);
        }
        let edit = Edit { added: entry.iter().cloned().collect(), removed: removed.clone(), ..Edit::default() };
        self.commit(edit).inspect_err(|error| self.give_up_after(error, name))?;
        self.show(entry.iter().map(|entry| self.block(entry)).collect(), &removed);
        let bytes = entry.as_ref().map_or(0, BlockEntry::bytes);
        self.count(|totals| {
            totals.block_written_bytes += bytes;
            totals.dropped_spans += dropped_rows.values().sum::<u64>();
            if is_rewrite {
                totals.rewritten_blocks += 1;
            } else {
                totals.merges += 1;
                totals.merged_blocks += removed.len() as u64;
                totals.merged_rows += read_rows;
                totals.merge_written_bytes += bytes;
            }
        });
        self.counters.add_dropped(dropped_rows);
        Ok(true)
    }
}

impl MergeDone {
    /// Whether nothing is left of its inputs.
    pub fn is_empty(&self) -> bool {
        self.result.as_ref().is_ok_and(|written| written.entry.is_none())
    }
}

impl MergeJob {
    /// How many blocks it reads.
    pub fn input_count(&self) -> usize {
        self.inputs.len()
    }

    /// Makes the files of the block durable, unless it is told to stop.
    pub fn run(&self, stopped: &(dyn Fn() -> bool + Sync)) -> MergeDone {
        let result = self.write(stopped);
        self.done(result)
    }

    /// What a merge that panicked is: none of its inputs is merged again.
    pub(super) fn failed(&self) -> MergeDone {
        let error = KeepError::Block(format!("the merge of {} blocks failed: a bug of clew", self.inputs.len()));
        self.done(Err(MergeFailure { error, at_fault: self.options.replaces.clone() }))
    }

    fn done(&self, result: Result<Written, MergeFailure>) -> MergeDone {
        MergeDone {
            name: self.options.name,
            inputs: self.inputs.clone(),
            is_rewrite: self.inputs.iter().all(|block| block.meta().level == self.options.level),
            leaves_out: !self.leaves_out.is_empty(),
            pins_version: self.pins_version,
            result,
        }
    }

    fn write(&self, stopped: &(dyn Fn() -> bool + Sync)) -> Result<Written, MergeFailure> {
        let name = self.options.name;
        let requests = self.requests()?;
        // What a merge reads is not what questions ask for again.
        let cache = Arc::new(Cache::new(self.memory_bytes / CACHE_SHARE));
        let inputs: Vec<Block> = self.inputs.iter().map(|block| block.apart(Arc::clone(&cache))).collect();
        let keep = |at: usize, tenant: &Tenant, id: TraceId| {
            let covering = self.deletions.iter().filter(|deletion| deletion.covers_block(self.options.replaces[at]));
            self.stays(at, tenant, id) && !is_deleted(covering, tenant, id)
        };
        let merge = Merge {
            inputs: &inputs,
            keep: &keep,
            verdict_of: &|tenant, id| self.decided.verdict(tenant, id).filter(|_| self.is_settled),
            drops: &|at, tenant, id| self.is_full_over[at] && !self.decided.is_pinned(tenant, id),
            remembers: self.remembers.clone(),
            memory_bytes: self.memory_bytes,
            stopped,
        };
        let sink = self.files.begin(name, BlockFile::Data)?;
        let merged = merge.write(sink, self.options.clone(), &requests);
        let Merged { finished, read_rows, dropped_rows, forgotten_count } =
            merged.map_err(|error| self.failure(error))?;
        if forgotten_count > 0 {
            tracing::warn!(block = %name, forgotten_count, "a block knows of no more dropped traces; late spans of others may be kept");
        }
        let entry = if let Some(Finished { meta, side, sink, .. }) = finished {
            self.files.finish(name, sink, &side)?;
            Some(BlockEntry { meta, side_bytes: side.count() })
        } else {
            // The file that was begun has no name.
            self.files.remove(name)?;
            None
        };
        Ok(Written { entry, read_rows, dropped_rows })
    }

    /// Whether a trace of an input is not over.
    fn stays(&self, at: usize, tenant: &Tenant, id: TraceId) -> bool {
        let Some(staying) = self.leaves_out.get(tenant) else { return true };
        let is_of_class = || {
            let verdict = self.decided.verdict(tenant, id).or_else(|| self.inputs[at].verdict(tenant, id));
            let class = verdict.map(|verdict| verdict.class).unwrap_or_default();
            // A name that stands for nothing is none.
            staying.contains(if self.classes.contains(&class) { class.as_str() } else { "" })
        };
        self.decided.is_pinned(tenant, id) || (!staying.is_empty() && is_of_class())
    }

    fn failure(&self, error: MergeError) -> MergeFailure {
        match error {
            MergeError::Read(error) => MergeFailure { at_fault: vec![error.name], error: block_error(&error) },
            MergeError::Write(error) => {
                let error = KeepError::from(error);
                let is_full_or_broken = !matches!(error, KeepError::Block(_));
                let at_fault = if is_full_or_broken { Vec::new() } else { self.options.replaces.clone() };
                MergeFailure { error, at_fault }
            }
            MergeError::Stopped => MergeFailure { error: KeepError::Stopping, at_fault: Vec::new() },
            error => {
                MergeFailure { error: KeepError::Block(error.to_string()), at_fault: self.options.replaces.clone() }
            }
        }
    }

    /// The requests of all inputs that are still to be known again.
    fn requests(&self) -> Result<Requests, MergeFailure> {
        let mut requests = Vec::new();
        for block in &self.inputs {
            let own = block
                .requests()
                .map_err(|error| MergeFailure { at_fault: vec![block.meta().name], error: block_error(&error) })?;
            let is_young =
                |request: &clew_block::sidecar::Request| request.received_unix_nanos >= self.requests_since_unix_nanos;
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
