//! What a store holds when it starts: the blocks, the rest of the log replayed into generations, and where both go on. It
//! starts no thread that outlives the call, so a simulator begins where a store does.

use std::sync::Arc;

use crate::keep::{self, Found, Keeper};
use crate::live::Live;
use crate::log::recover::LOG_FOLDER;
use crate::log::{Damage, Machine, Recovered, Resume, Writer};
use crate::replay::{Replay, replay};
use crate::settle::Intake;
use crate::{Generation, OpenError, Ports, StoreConfig};

/// A store's parts, before they are given threads.
pub struct Started {
    /// The owner of the blocks; its view shows all that there is.
    pub keeper: Keeper,
    /// Where synced batches go from now on.
    pub growing: Arc<Generation>,
    /// The log's machine, at the end of the log.
    pub machine: Machine,
    /// Carries the machine's effects out.
    pub writer: Writer,
    /// What the replay of the log found; what was damaged and where to go on is taken out of it.
    pub recovered: Recovered,
    /// How long the replay took, in nanoseconds.
    pub replay_nanos: u64,
    /// Damaged ranges of the log.
    pub damage: Arc<[Damage]>,
    /// What is wrong with the blocks or the catalog, in sentences.
    pub lost: Vec<String>,
    /// Gives batches their time of receipt.
    pub intake: Arc<Intake>,
}

/// Reads the catalog, sweeps what it does not name, frees the log that blocks stand in for and replays the rest. May be
/// interrupted and begun again at any point.
pub fn start(config: &StoreConfig, ports: &Ports) -> Result<Started, OpenError> {
    let Found { mut keeper, mut lost } = keep::open(config, ports)?;
    for what in &lost {
        tracing::error!("blocks or the catalog are damaged: {what}");
    }
    keeper.free_log();
    let generations = generations(&keeper, config);
    let Replay { mut recovered, nanos } = replay(config, &*ports.disk, &*ports.clock, &generations)?;
    for pair in generations.windows(2) {
        pair[0].cut(pair[1].from);
    }
    let damage: Arc<[Damage]> = std::mem::take(&mut recovered.damage).into();
    for damage in &*damage {
        tracing::error!("the log is damaged: {damage}");
    }
    let growing = generations.last().cloned();
    let growing = growing.ok_or_else(|| OpenError::Thread("there is no generation to grow".to_owned()))?;
    let resume = known_again(&keeper, config, ports, std::mem::take(&mut recovered.resume));
    keeper.view().change(|view| (view.generations, view.damage) = (generations, Arc::clone(&damage)));
    let (last_unix_nanos, unread) = keeper.find_uncounted();
    lost.extend(unread);
    let intake = Arc::new(Intake::new(last_unix_nanos));
    let machine = Machine::new(config, resume);
    let writer = Writer::new(Arc::clone(&ports.disk), Arc::clone(&ports.clock), config.data_dir.join(LOG_FOLDER));
    Ok(Started { keeper, growing, machine, writer, recovered, replay_nanos: nanos, damage, lost, intake })
}

/// The generations that the log is replayed into: one for what a deletion speaks of and one for what came after it, so that
/// a replay knows them apart; the last one goes on growing.
fn generations(keeper: &Keeper, config: &StoreConfig) -> Vec<Arc<Generation>> {
    let from = keeper.sealed_through();
    let mut bounds: Vec<u64> = keeper.view().view().deletions.iter().map(|deletion| deletion.through).collect();
    bounds.retain(|through| *through > from);
    bounds.push(from);
    bounds.sort_unstable();
    bounds.dedup();
    bounds.into_iter().map(|from| Arc::new(Generation::new(Live::new(config.live_shards), from))).collect()
}

/// Adds the requests that younger blocks hold: a client may send them again.
fn known_again(keeper: &Keeper, config: &StoreConfig, ports: &Ports, mut resume: Resume) -> Resume {
    let since = ports.clock.unix_nanos().saturating_sub(config.repeat_window.as_nanos() as u64);
    let view = keeper.view().view();
    let is_young =
        |block: &&Arc<clew_block::Block>| block.meta().tenants.iter().any(|part| part.received_unix_nanos.1 >= since);
    let mut stored: Vec<(u128, u64)> = Vec::new();
    for block in view.blocks.iter().filter(is_young) {
        match block.requests() {
            Ok(requests) => {
                let young = requests.requests.into_iter().filter(|request| request.received_unix_nanos >= since);
                stored.extend(young.map(|request| (request.hash, request.received_unix_nanos)));
            }
            Err(error) => {
                tracing::warn!(%error, "requests of a block are not known again; identical spans are, though");
            }
        }
    }
    stored.append(&mut resume.stored);
    stored.sort_by_key(|(_, received)| *received);
    Resume { stored, ..resume }
}
