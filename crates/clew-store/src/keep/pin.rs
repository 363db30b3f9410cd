//! Pins: traces that somebody wants to be kept, whatever their verdict, their age and the room that there is.
//!
//! A block that is over and holds pinned traces is written anew with these alone. Such a remnant is over itself, by its age, and yet
//! nothing of it may go: which those are is remembered, so that retention neither turns in circles about them nor takes
//! their bytes for room that it could make. Once a pin is taken off, all of them are looked at again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use clew_block::BlockName;
use clew_model::scan::SpanSource as _;
use clew_model::{Tenant, TraceId};

use super::retention::Over;
use super::{KeepError, Keeper};
use crate::catalog::{Edit, Pin};
use crate::view::position;

/// Tenants of blocks of whom a block holds nothing but pinned traces, as far as retention came by them.
pub(crate) type PinnedParts = BTreeMap<BlockName, BTreeSet<Tenant>>;

/// The pins, by tenant and trace.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pins {
    tenants: BTreeMap<Tenant, BTreeMap<TraceId, Pin>>,
}

impl Pins {
    /// Those of a list.
    pub fn of(list: &[Pin]) -> Self {
        let mut pins = Self::default();
        for pin in list {
            if !pins.tenants.contains_key(&pin.tenant) {
                pins.tenants.insert(pin.tenant.clone(), BTreeMap::new());
            }
            let Some(own) = pins.tenants.get_mut(&pin.tenant) else { continue };
            own.insert(pin.trace_id, pin.clone());
        }
        pins
    }

    /// Whether a trace is pinned.
    pub fn contains(&self, tenant: &Tenant, id: TraceId) -> bool {
        self.get(tenant, id).is_some()
    }

    /// A trace's pin.
    pub fn get(&self, tenant: &Tenant, id: TraceId) -> Option<&Pin> {
        self.tenants.get(tenant)?.get(&id)
    }

    /// A tenant's pins, by trace id.
    pub fn of_tenant(&self, tenant: &Tenant) -> impl Iterator<Item = &Pin> {
        self.tenants.get(tenant).into_iter().flat_map(BTreeMap::values)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.tenants.values().map(BTreeMap::len).sum()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.tenants.is_empty()
    }
}

/// What is over, once it was asked which of it is pinned.
#[derive(Debug, Default)]
pub(super) struct Spared {
    /// Blocks of which nothing is to stay.
    pub(super) gone: Vec<BlockName>,
    /// Blocks of which these tenants' traces go, but for pinned ones and those of classes that stay.
    pub(super) parts: Over,
    /// Whether it was found out that a block's part is pinned as a whole: what is over is another then.
    pub(super) has_learned: bool,
}

impl Keeper {
    /// The traces that are to be kept whatever else is decided.
    pub fn pinned(&self) -> Arc<Pins> {
        Arc::clone(&self.view.view().pins)
    }

    /// Pins a trace; one that is pinned already has the new note.
    pub fn pin(&mut self, tenant: Tenant, trace_id: TraceId, note: Option<String>) -> Result<(), KeepError> {
        let pin = Pin { tenant, trace_id, at_unix_nanos: self.ports.clock.unix_nanos(), note };
        let (pins, most) = (self.pinned(), self.config.pins_max);
        if pins.len() >= most && !pins.contains(&pin.tenant, pin.trace_id) {
            return Err(KeepError::PinsFull(most));
        }
        self.commit(Edit { pinned: vec![pin], ..Edit::default() })?;
        self.show_pins();
        Ok(())
    }

    /// Takes a pin off, if there is one.
    pub fn unpin(&mut self, tenant: Tenant, id: TraceId) -> Result<(), KeepError> {
        // A pin whose sync failed may count after a restart: then it cannot be said that there is none.
        if self.pinned().contains(&tenant, id) || self.catalog.failure().is_some() {
            self.commit(Edit { unpinned: vec![(tenant, id)], ..Edit::default() })?;
            self.show_pins();
        }
        Ok(())
    }

    /// Shows readers the pins that there are now. Where only pinned traces were left there may be more now.
    pub(super) fn show_pins(&mut self) {
        let pins = Arc::new(Pins::of(&self.catalog.state().pinned));
        self.view.change(|view| {
            view.pins_version += u64::from(view.pins != pins);
            view.pins = pins;
        });
        self.pinned_parts.clear();
    }

    /// Parts what is over into whole blocks, and blocks of which something stays.
    pub(super) fn spare(&mut self, over: Over) -> Spared {
        let (view, mut spared) = (self.view.view(), Spared::default());
        for (name, mut tenants) in over {
            let Ok(at) = position(&view.blocks, name) else { continue };
            let block = &view.blocks[at];
            let mut is_kept_in_part = false;
            for (tenant, staying) in tenants.clone() {
                if !staying.is_empty() {
                    is_kept_in_part = true;
                    continue;
                }
                let ids: Vec<TraceId> = view.pins.of_tenant(&tenant).map(|pin| pin.trace_id).collect();
                if ids.is_empty() {
                    continue;
                }
                let trace_count = block.meta().tenant(&tenant).map_or(0, |part| part.trace_count);
                let found = block.extents(&tenant, &ids, &|| false);
                // What cannot be looked at may be pinned.
                let found = found.ok().filter(|found| found.incomplete.is_none());
                if found.is_none() {
                    tracing::warn!(block = %name, "a block that is over stays, since it cannot be asked for pinned traces");
                }
                let found = found.map_or(trace_count, |found| found.extents.len() as u64);
                is_kept_in_part |= found > 0;
                if found >= trace_count {
                    tenants.remove(&tenant);
                    self.pinned_parts.entry(name).or_default().insert(tenant);
                    spared.has_learned = true;
                }
            }
            if !is_kept_in_part && tenants.len() == block.meta().tenants.len() {
                spared.gone.push(name);
            } else if !tenants.is_empty() {
                spared.parts.insert(name, tenants);
            }
        }
        spared
    }
}

#[cfg(test)]
#[path = "pin/tests.rs"]
mod tests;
