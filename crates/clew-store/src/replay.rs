//! Replay: from the log into the live head, by frames alone. One thread reads and checks, the others decompress and insert.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use crossbeam_channel::Receiver;

use crate::Generation;
use crate::log::recover::keep_aside;
use crate::log::{Damage, Recovered, Replayed, recover};
use crate::port::{Clock, Disk};
use crate::{OpenError, StoreConfig};

/// What a replay found, and how long it took.
pub(crate) struct Replay {
    pub(crate) recovered: Recovered,
    pub(crate) nanos: u64,
}

/// Batches read ahead of the workers, at most.
const READ_AHEAD: usize = 64;

/// A batch whose frame is whole, but whose body could not be made visible.
struct Unreadable {
    damage: Damage,
    stored: Bytes,
    body_hash: u128,
    span_count: u32,
}

/// Replays the log into generations: each batch into the last one that begins before it. The first begins where the blocks end.
pub(crate) fn replay(
    config: &StoreConfig,
    disk: &dyn Disk,
    clock: &dyn Clock,
    generations: &[Arc<Generation>],
) -> Result<Replay, OpenError> {
    let started = clock.monotonic_nanos();
    let since = clock.unix_nanos().saturating_sub(config.repeat_window.as_nanos() as u64);
    let unreadable = Mutex::new(Vec::new());
    let mut recovered = insert_all(&config.data_dir, disk, since, config.workers.max(1), generations, &unreadable)?;
    let unreadable = unreadable.into_inner().unwrap_or_else(PoisonError::into_inner);
    for Unreadable { mut damage, stored, body_hash, span_count } in unreadable {
        // Its place in the log may be freed before anybody looks.
        if let Err(error) = keep_aside(&config.data_dir, disk, &damage, &stored) {
            damage.what = format!("{} (and its bytes could not be set aside: {error})", damage.what);
        }
        recovered.batches -= 1;
        recovered.spans -= u64::from(span_count);
        // Should it be sent again, it must not be answered as if its spans were there.
        recovered.resume.stored.retain(|(hash, _)| *hash != body_hash);
        recovered.damage.push(damage);
    }
    recovered.damage.sort_by(|one, other| (&one.segment, one.offset).cmp(&(&other.segment, other.offset)));
    Ok(Replay { recovered, nanos: clock.monotonic_nanos().saturating_sub(started) })
}

fn insert_all(
    data_dir: &Path,
    disk: &dyn Disk,
    since_unix_nanos: u64,
    workers: usize,
    generations: &[Arc<Generation>],
    unreadable: &Mutex<Vec<Unreadable>>,
) -> Result<Recovered, OpenError> {
    let from = generations.first().map_or(0, |first| first.from);
    let (sender, batches) = crossbeam_channel::bounded(READ_AHEAD);
    std::thread::scope(|scope| {
        let mut threads = Vec::new();
        for number in 0..workers {
            let batches = batches.clone();
            let thread = std::thread::Builder::new()
                .name(format!("clew-replay-{number}"))
                .spawn_scoped(scope, move || insert(generations, &batches, unreadable))
                .map_err(|error| OpenError::Thread(format!("a thread could not be started: {error}")))?;
            threads.push(thread);
        }
        drop(batches);
        // A send fails only when all workers have failed, which joining them tells.
        let recovered = recover(data_dir, disk, from, since_unix_nanos, &mut |batch| drop(sender.send(batch)));
        drop(sender);
        for thread in threads {
            thread.join().map_err(|_| OpenError::Thread("a thread failed while the log was replayed".to_owned()))?;
        }
        recovered
    })
}

fn insert(generations: &[Arc<Generation>], batches: &Receiver<Replayed>, unreadable: &Mutex<Vec<Unreadable>>) {
    for replayed in batches {
        if let Err(what) = make_visible(generations, &replayed) {
            let (damage, header) = (replayed.unreadable(&what), &replayed.header);
            let (body_hash, span_count) = (header.body_hash, header.span_count);
            let mut unreadable = unreadable.lock().unwrap_or_else(PoisonError::into_inner);
            let stored = replayed.stored.clone();
            unreadable.push(Unreadable { damage, stored, body_hash, span_count });
        }
    }
}

fn make_visible(generations: &[Arc<Generation>], replayed: &Replayed) -> Result<(), String> {
    let at = generations.partition_point(|generation| generation.from <= replayed.position);
    let generation = generations.get(at.saturating_sub(1)).ok_or("there is no generation for it")?;
    let batch = replayed.header.clone().into_batch(replayed.stored.clone()).map_err(|error| error.to_string())?;
    // A moment of the start counts as when it came: it may be sealed when it is as old as any other.
    generation.begin(&batch, 0);
    // A batch that makes a thread panic is damage too: it takes no other with it.
    let inserted = catch_unwind(AssertUnwindSafe(|| generation.live.insert(&batch)));
    generation.end(false);
    match inserted {
        Ok(result) => result.map_err(|error| format!("its body cannot be read: {error}")),
        Err(_) => Err("clew itself failed while it was made visible".to_owned()),
    }
}

#[cfg(test)]
mod tests;
