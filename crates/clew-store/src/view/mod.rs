//! What one question sees: an immutable snapshot of the generations, the blocks, the settlements and the deletions.
//!
//! Whoever changes what there is makes a new view and puts it in the place of the old one, all at once: a seal takes the
//! generation out in the same step that puts its block in. A question holds its view to its end, and a removed block's
//! files stay until no view holds the block.
//!
//! | File | What |
//! |---|---|
//! | `together` | several sources as one |
//! | `attributes` | keys and values of several parts, with one effort for all |
//! | `merge` | the matches and extents of several parts |

mod attributes;
mod merge;
mod together;

pub use together::Together;

use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError, RwLock};

use clew_block::{Block, BlockName};
use clew_model::attributes::{AttributesRequest, KeysAnswer, ValuesAnswer};
use clew_model::scan::{
    Enough, Expired, ExtentsAnswer, Incomplete, MatchedAnswer, MatchedRequest, NewestAnswer, RowsAnswer, ScanAnswer,
    ScanError, ScanRequest, SpanSource, SummariesAnswer, TraceState, TraceVersion,
};
use clew_model::{Span, Tenant, TraceId};

use crate::catalog::Deletion;
use crate::keep::Pins;
use crate::log::Damage;
use crate::settle::Settled;
use crate::{Generation, Live};

/// All that there is, at one moment.
#[derive(Clone, Default)]
pub struct View {
    /// Oldest first; the last one grows.
    pub generations: Vec<Arc<Generation>>,
    /// By name.
    pub blocks: Vec<Arc<Block>>,
    /// What was deleted and may still lie in older parts.
    pub deletions: Arc<[Deletion]>,
    /// Damaged ranges of the log, as found at the start.
    pub damage: Arc<[Damage]>,
    /// What a damaged catalog lost, in sentences.
    pub lost: Arc<[String]>,
    /// What was settled.
    pub settled: Settled,
    /// What is pinned.
    pub pins: Arc<Pins>,
    /// Another number after each time that there were other pins.
    pub pins_version: u64,
}

/// Where the current view is found.
#[derive(Default)]
pub struct ViewCell {
    current: RwLock<Arc<View>>,
}

impl ViewCell {
    /// A cell that shows that view.
    pub fn new(view: View) -> Self {
        Self { current: RwLock::new(Arc::new(view)) }
    }

    /// What there is now.
    pub fn view(&self) -> Arc<View> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts a changed view in the place of the current one.
    pub fn change(&self, change: impl FnOnce(&mut View)) {
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        let mut next = View::clone(&current);
        change(&mut next);
        *current = Arc::new(next);
    }

    /// Ends the generation that grows at a position of the log at which it was cut; answers the next one, with that many
    /// shards per tenant.
    pub fn cut(&self, live_shards: usize, position: u64) -> Arc<Generation> {
        let next = Arc::new(Generation::new(Live::new(live_shards), position));
        let mut last = None;
        self.change(|view| {
            last = view.growing().cloned();
            view.generations.push(Arc::clone(&next));
        });
        if let Some(last) = last {
            last.cut(position);
        }
        next
    }
}

impl View {
    /// The generation that grows.
    pub fn growing(&self) -> Option<&Arc<Generation>> {
        self.generations.last()
    }

    /// Memory of live spans in bytes.
    pub fn live_bytes(&self) -> usize {
        self.generations.iter().map(|generation| generation.live.bytes()).sum()
    }

    /// Live spans.
    pub fn live_spans(&self) -> u64 {
        self.generations.iter().map(|generation| generation.live.span_count()).sum()
    }

    /// Live traces; one that lies in two generations counts twice.
    pub fn live_traces(&self) -> u64 {
        self.generations.iter().map(|generation| generation.live.trace_count()).sum()
    }

    /// The parts that a question about a tenant concerns, oldest first.
    fn together(&self, tenant: &Tenant) -> Together<'_> {
        let mut together = Together::default();
        for block in self.blocks.iter().filter(|block| block.meta().tenant(tenant).is_some()) {
            let covers = |deletion: &Deletion| deletion.covers_block(block.meta().name);
            if let Some(deleted) = self.deleted(tenant, covers) {
                together.add(&**block, true, deleted);
            }
        }
        for generation in &self.generations {
            let to = generation.to();
            if let Some(deleted) = self.deleted(tenant, |deletion| deletion.covers_log(to)) {
                together.add(&generation.live, false, deleted);
            }
        }
        together
    }

    /// The traces that deletions take out of a part; `None` when they take all of it.
    fn deleted(&self, tenant: &Tenant, covers: impl Fn(&Deletion) -> bool) -> Option<BTreeSet<TraceId>> {
        let own = self.deletions.iter().filter(|deletion| deletion.tenant == *tenant && covers(deletion));
        own.map(|deletion| deletion.trace_id).collect()
    }

    /// Why answers for that tenant may lack something that nobody finds by reading.
    fn incomplete(&self, tenant: &Tenant) -> Option<Incomplete> {
        let incomplete = |detail| Some(Incomplete { reason: "corruption".to_owned(), detail });
        if let Some(lost) = self.lost.first() {
            return incomplete(format!("{lost}; see /v1/health"));
        }
        let concerns = |damage: &&Damage| {
            damage.tenants.as_ref().is_none_or(|tenants| tenants.iter().any(|name| name == tenant.as_str()))
        };
        match self.damage.iter().filter(concerns).count() {
            0 => None,
            count => incomplete(format!(
                "{count} damaged {} of the log could not be read, spans may be missing; see /v1/health, and run \
                 `clew check --repair` when the server is stopped",
                if count == 1 { "range" } else { "ranges" }
            )),
        }
    }
}

impl SpanSource for View {
    fn scan(&self, request: &ScanRequest, expired: Expired<'_>) -> Result<ScanAnswer, ScanError> {
        let mut answer = self.together(&request.tenant).scan(request, expired)?;
        answer.incomplete = answer.incomplete.or_else(|| self.incomplete(&request.tenant));
        Ok(answer)
    }

    fn scan_newest(
        &self,
        request: &ScanRequest,
        enough: &Enough,
        expired: Expired<'_>,
    ) -> Result<NewestAnswer, ScanError> {
        let mut all = self.together(&request.tenant).scan_newest(request, enough, expired)?;
        all.answer.incomplete = all.answer.incomplete.or_else(|| self.incomplete(&request.tenant));
        Ok(all)
    }

    fn extents(&self, tenant: &Tenant, ids: &[TraceId], expired: Expired<'_>) -> Result<ExtentsAnswer, ScanError> {
        let mut answer = self.together(tenant).extents(tenant, ids, expired)?;
        answer.incomplete = answer.incomplete.or_else(|| self.incomplete(tenant));
        Ok(answer)
    }

    fn summaries(&self, tenant: &Tenant, ids: &[TraceId], expired: Expired<'_>) -> Result<SummariesAnswer, ScanError> {
        let mut answer = self.together(tenant).summaries(tenant, ids, expired)?;
        answer.incomplete = answer.incomplete.or_else(|| self.incomplete(tenant));
        Ok(answer)
    }

    fn outlines(&self, tenant: &Tenant, ids: &[TraceId], expired: Expired<'_>) -> Result<RowsAnswer, ScanError> {
        let mut answer = self.together(tenant).outlines(tenant, ids, expired)?;
        answer.incomplete = answer.incomplete.or_else(|| self.incomplete(tenant));
        Ok(answer)
    }

    fn figured(&self, tenant: &Tenant, ids: &[TraceId], expired: Expired<'_>) -> Result<RowsAnswer, ScanError> {
        let mut answer = self.together(tenant).figured(tenant, ids, expired)?;
        answer.incomplete = answer.incomplete.or_else(|| self.incomplete(tenant));
        Ok(answer)
    }

    fn matched(&self, request: &MatchedRequest<'_>, expired: Expired<'_>) -> Result<MatchedAnswer, ScanError> {
        let mut answer = self.together(request.tenant).matched(request, expired)?;
        answer.incomplete = answer.incomplete.or_else(|| self.incomplete(request.tenant));
        Ok(answer)
    }

    fn version(&self, tenant: &Tenant, id: TraceId, expired: Expired<'_>) -> Result<Option<TraceVersion>, ScanError> {
        self.together(tenant).version(tenant, id, expired)
    }

    fn rows(&self, tenant: &Tenant, ids: &[TraceId], expired: Expired<'_>) -> Result<RowsAnswer, ScanError> {
        let mut answer = self.together(tenant).rows(tenant, ids, expired)?;
        answer.incomplete = answer.incomplete.or_else(|| self.incomplete(tenant));
        Ok(answer)
    }

    fn trace_state(&self, tenant: &Tenant, spans: &[Span]) -> TraceState {
        self.state_by_spans(tenant, spans)
    }

    fn trace_states(&self, tenant: &Tenant, ids: &[TraceId]) -> Vec<TraceState> {
        ids.iter().map(|id| self.state_by_id(tenant, *id)).collect()
    }

    fn services(&self, tenant: &Tenant) -> Result<Vec<String>, ScanError> {
        self.together(tenant).services(tenant)
    }

    fn operations(&self, tenant: &Tenant, service: &str) -> Result<Vec<String>, ScanError> {
        self.together(tenant).operations(tenant, service)
    }

    fn attribute_keys(&self, request: &AttributesRequest, expired: Expired<'_>) -> Result<KeysAnswer, ScanError> {
        let mut answer = self.together(&request.tenant).attribute_keys(request, expired)?;
        answer.incomplete = answer.incomplete.or_else(|| self.incomplete(&request.tenant));
        Ok(answer)
    }

    fn attribute_values(
        &self,
        key: &str,
        request: &AttributesRequest,
        expired: Expired<'_>,
    ) -> Result<ValuesAnswer, ScanError> {
        let mut answer = self.together(&request.tenant).attribute_values(key, request, expired)?;
        answer.incomplete = answer.incomplete.or_else(|| self.incomplete(&request.tenant));
        Ok(answer)
    }

    fn tenants(&self) -> Result<Vec<Tenant>, ScanError> {
        let mut tenants: BTreeSet<Tenant> = BTreeSet::new();
        for block in &self.blocks {
            let own = block.meta().tenants.iter().map(|part| &part.tenant);
            let covers = |deletion: &Deletion| deletion.covers_block(block.meta().name);
            tenants.extend(own.filter(|tenant| self.deleted(tenant, covers).is_some()).cloned());
        }
        for generation in &self.generations {
            let (own, to) = (generation.live.tenants()?, generation.to());
            tenants.extend(
                own.into_iter().filter(|tenant| self.deleted(tenant, |deletion| deletion.covers_log(to)).is_some()),
            );
        }
        Ok(tenants.into_iter().collect())
    }
}

/// Finds a block of a view.
pub(crate) fn position(blocks: &[Arc<Block>], name: BlockName) -> Result<usize, usize> {
    blocks.binary_search_by_key(&name, |block| block.meta().name)
}
