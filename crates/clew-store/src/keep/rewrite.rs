//! A block without some of its spans: what is over for one tenant and not for another, and what was deleted.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::sync::Arc;

use clew_block::sidecar::Requests;
use clew_block::{Block, BlockFile, BlockName, Finished, Plan, SpanCodes, WriteOptions, Writer};
use clew_model::{Span, Tenant};

use super::files::BlockFiles;
use super::retention::Staying;
use super::{KeepError, Keeper};
use crate::catalog::{BlockEntry, Deletion, Edit};
use crate::live::order::Keep;

impl Keeper {
    /// Puts a block without the spans of these tenants, but for classes that stay, and without what was deleted, in the place of
    /// one.
    pub(super) fn rewrite(
        &mut self,
        block: &Arc<Block>,
        leaves_out: BTreeMap<Tenant, Staying>,
    ) -> Result<(), KeepError> {
        let job = self.plan_rewrite(Arc::clone(block), leaves_out);
        self.commit_merge(job.run(&|| false)).map(drop)
    }

    /// Writes blocks anew that hold deleted spans, once the deletion is old enough for others to have joined it, and forgets
    /// deletions that nothing is left of. Answers how many blocks were written.
    pub fn purge(&mut self) -> Result<usize, KeepError> {
        let view = self.view.view();
        let holding = self.purge_due()?;
        for block in view.blocks.iter().filter(|block| holding.contains(&block.meta().name)) {
            self.rewrite(block, BTreeMap::new())?;
        }
        if !holding.is_empty() {
            self.purge_due()?;
        }
        Ok(holding.len())
    }

    /// Forgets deletions that nothing is left of, among those that are old enough for others to have joined them; answers
    /// which blocks hold what others of them deleted.
    pub(super) fn purge_due(&mut self) -> Result<BTreeSet<BlockName>, KeepError> {
        let now = self.ports.clock.unix_nanos();
        let pause = self.config.purge_after.as_nanos() as u64;
        let is_due = |deletion: &&Deletion| deletion.at_unix_nanos.saturating_add(pause) <= now;
        let due: Vec<Deletion> = self.catalog.state().deletions.iter().filter(is_due).cloned().collect();
        let view = self.view.view();
        let (mut holding, mut over) = (BTreeSet::new(), Vec::new());
        for deletion in due.iter().cloned() {
            // A live part that it speaks of becomes a block without it.
            let mut is_over = view.generations.iter().all(|generation| generation.from >= deletion.through);
            for block in view.blocks.iter().filter(|block| deletion.covers_block(block.meta().name)) {
                if holds_deleted(block, &deletion)? {
                    holding.insert(block.meta().name);
                    is_over = false;
                }
            }
            over.extend(is_over.then_some(deletion));
        }
        let left = self.purge_figures(&due)?;
        over.retain(|deletion| !left.contains(deletion));
        if !over.is_empty() {
            self.commit(Edit { forgotten_deletions: over, ..Edit::default() })?;
            self.show(Vec::new(), &[]);
        }
        Ok(holding)
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

/// A block that a repair writes anew.
pub(crate) struct Anew<'b> {
    pub(crate) block: &'b Block,
    /// The traces that it keeps.
    pub(crate) keep: Keep<'b>,
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
        let mut writer = self.copy(&codes, writer)?;
        // As with all that a repair cannot read: the rest is kept.
        writer.dropped(self.block.dropped().ok().flatten().map(Arc::unwrap_or_clone));
        let Finished { meta, side, sink, .. } = writer.finish(requests)?;
        files.finish(name, sink, &side)?;
        Ok(Some(BlockEntry { meta, side_bytes: side.count() }))
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
            let verdict = spans.first().and_then(|span| self.block.verdict(tenant, span.trace_id));
            writer.verdict(verdict.as_ref());
            Ok(writer.spans(spans, own)?)
        })?;
        if codes.is_empty() { Ok(writer) } else { Err(changed(self.block)) }
    }

    /// Calls `each` with the traces that are kept.
    fn each_trace(&self, each: Each<'_>) -> Result<(), KeepError> {
        // What cannot be read is left out, as only a repair may: it would lose for ever what may be readable tomorrow.
        let _lost =
            self.block.for_each_trace(
                None,
                |tenant, id, spans| {
                    if (self.keep)(tenant, id) { each(tenant, &spans) } else { Ok(()) }
                },
            )?;
        Ok(())
    }
}

fn changed(block: &Block) -> KeepError {
    KeepError::Block(format!("block {} did not read the same twice", block.meta().name))
}
