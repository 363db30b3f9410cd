//! A block without some of its spans: what is over for one tenant and not for another, and what was deleted.

use std::io::Write;
use std::sync::Arc;

use clew_block::sidecar::Requests;
use clew_block::{Block, BlockFile, Finished, Plan, SpanCodes, WriteOptions, Writer};
use clew_model::{Span, Tenant};

use super::files::BlockFiles;
use super::{KeepError, Keeper, is_deleted};
use crate::catalog::{BlockEntry, Deletion, Edit};
use crate::live::order::Keep;

impl Keeper {
    /// Puts a block with the traces that `keep` names, and that are not deleted, in the place of one.
    pub(super) fn rewrite(&mut self, block: &Arc<Block>, keep: Keep<'_>) -> Result<(), KeepError> {
        let old = block.meta();
        let name = self.catalog.next_block();
        let deletions: Vec<Deletion> = self.catalog.state().deletions.clone();
        let covering: Vec<&Deletion> = deletions.iter().filter(|deletion| deletion.covers_block(old.name)).collect();
        let keep = |tenant: &Tenant, id| keep(tenant, id) && !is_deleted(covering.iter().copied(), tenant, id);
        let (level, log, replaces) = (old.level, old.log.clone(), vec![old.name]);
        let options = WriteOptions { level, log, replaces, ..self.options(name) };
        let write = || -> Result<Option<BlockEntry>, KeepError> {
            let requests = block.requests().map_err(|error| KeepError::Block(error.to_string()))?;
            Anew { block, keep: &keep, leaves_out_lost: false }.write(&self.files, options, &requests)
        };
        let entry = write().inspect_err(|_| self.give_up(name))?;
        let edit = Edit { added: entry.iter().cloned().collect(), removed: vec![old.name], ..Edit::default() };
        self.commit(edit).inspect_err(|error| self.give_up_after(error, name))?;
        self.show(entry.iter().map(|entry| self.block(entry)).collect(), &[old.name]);
        self.count(|totals| {
            totals.rewritten_blocks += 1;
            totals.block_written_bytes += entry.as_ref().map_or(0, BlockEntry::bytes);
        });
        Ok(())
    }

    /// Writes blocks anew that hold deleted spans, once the deletion is old enough for others to have joined it, and forgets
    /// deletions that nothing is left of. Answers how many blocks were written.
    pub fn purge(&mut self) -> Result<usize, KeepError> {
        let now = self.ports.clock.unix_nanos();
        let pause = self.config.purge_after.as_nanos() as u64;
        let is_due = |deletion: &&Deletion| deletion.at_unix_nanos.saturating_add(pause) <= now;
        let due: Vec<Deletion> = self.catalog.state().deletions.iter().filter(is_due).cloned().collect();
        if due.is_empty() {
            return Ok(0);
        }
        let view = self.view.view();
        let mut count = 0;
        for block in &view.blocks {
            let mut holds = false;
            for deletion in due.iter().filter(|deletion| deletion.covers_block(block.meta().name)) {
                holds |= holds_deleted(block, deletion)?;
            }
            if holds {
                self.rewrite(block, &|_, _| true)?;
                count += 1;
            }
        }
        let left = self.purge_figures(&due)?;
        let is_over = |deletion: &&Deletion| {
            !left.contains(deletion) && view.generations.iter().all(|generation| generation.from >= deletion.through)
        };
        let over: Vec<Deletion> = due.iter().filter(is_over).cloned().collect();
        if !over.is_empty() {
            self.commit(Edit { forgotten_deletions: over, ..Edit::default() })?;
            self.show(Vec::new(), &[]);
        }
        Ok(count)
    }
}

fn holds_deleted(block: &Block, deletion: &Deletion) -> Result<bool, KeepError> {
    use clew_model::scan::SpanSource as _;
    let Some(_) = block.meta().tenant(&deletion.tenant) else { return Ok(false) };
    let Some(id) = deletion.trace_id else { return Ok(true) };
    let found = block.extents(&deletion.tenant, &[id], &|| false);
    found.map(|found| !found.extents.is_empty()).map_err(|error| KeepError::Block(error.to_string()))
}

/// What is done with the spans of a trace.
type Each<'e> = &'e mut dyn FnMut(&Tenant, &[Span]) -> Result<(), KeepError>;

/// A block that is to be written anew.
pub(crate) struct Anew<'b> {
    pub(crate) block: &'b Block,
    /// The traces that it keeps.
    pub(crate) keep: Keep<'b>,
    /// Whether it is written without what cannot be read, as only a repair does: that would lose for ever what may be
    /// readable tomorrow.
    pub(crate) leaves_out_lost: bool,
}

impl Anew<'_> {
    /// Makes the files of the block; `None` when there is nothing to be in it. After an error there may be files of it.
    pub(crate) fn write(
        &self,
        files: &BlockFiles,
        options: WriteOptions,
        requests: &Requests,
    ) -> Result<Option<BlockEntry>, KeepError> {
        let name = options.name;
        let (plan, codes) = self.plan()?;
        if codes.is_empty() {
            return Ok(None);
        }
        let writer = Writer::new(plan, files.begin(name, BlockFile::Data)?, options)?;
        let Finished { meta, side, sink } = self.copy(&codes, writer)?.finish(requests)?;
        files.finish(name, sink, &side)?;
        Ok(Some(BlockEntry { meta, side_bytes: side.len() as u64 }))
    }

    /// What it will hold: its plan, and the codes of its spans in their order.
    fn plan(&self) -> Result<(Plan, Vec<SpanCodes>), KeepError> {
        let (mut plan, mut codes) = (Plan::new(), Vec::new());
        self.each_trace(&mut |_, spans| {
            codes.extend(spans.iter().map(|span| plan.span(span)));
            Ok(())
        })?;
        Ok((plan, codes))
    }

    /// Writes what was planned.
    fn copy<W: Write + Send>(&self, codes: &[SpanCodes], mut writer: Writer<W>) -> Result<Writer<W>, KeepError> {
        let (mut codes, mut current) = (codes, None);
        self.each_trace(&mut |tenant, spans| {
            if current.as_ref() != Some(tenant) {
                writer.tenant(tenant)?;
                current = Some(tenant.clone());
            }
            let (own, rest) = codes.split_at_checked(spans.len()).ok_or_else(|| changed(self.block))?;
            codes = rest;
            Ok(writer.spans(spans, own)?)
        })?;
        if codes.is_empty() { Ok(writer) } else { Err(changed(self.block)) }
    }

    /// Calls `each` with the traces that are kept.
    fn each_trace(&self, each: Each<'_>) -> Result<(), KeepError> {
        let lost =
            self.block.for_each_trace(
                None,
                |tenant, id, spans| {
                    if (self.keep)(tenant, id) { each(tenant, &spans) } else { Ok(()) }
                },
            )?;
        let first = lost.first().filter(|_| !self.leaves_out_lost);
        first.map_or(Ok(()), |first| Err(KeepError::Block(first.to_string())))
    }
}

fn changed(block: &Block) -> KeepError {
    KeepError::Block(format!("block {} did not read the same twice", block.meta().name))
}
