//! Replay: from the log into the live head, by frames alone. One thread reads and checks, the others decompress and insert.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use crossbeam_channel::Receiver;

use crate::live::Live;
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
    body_hash: u128,
    span_count: u32,
}

/// Replays the log into the live head.
pub(crate) fn replay(
    config: &StoreConfig,
    disk: &dyn Disk,
    clock: &dyn Clock,
    live: &Live,
) -> Result<Replay, OpenError> {
    let started = clock.monotonic_nanos();
    let since = clock.unix_nanos().saturating_sub(config.repeat_window.as_nanos() as u64);
    let unreadable = Mutex::new(Vec::new());
    let mut recovered = insert_all(&config.data_dir, disk, since, config.workers.max(1), live, &unreadable)?;
    let unreadable = unreadable.into_inner().unwrap_or_else(PoisonError::into_inner);
    for Unreadable { damage, body_hash, span_count } in unreadable {
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
    live: &Live,
    unreadable: &Mutex<Vec<Unreadable>>,
) -> Result<Recovered, OpenError> {
    let (sender, batches) = crossbeam_channel::bounded(READ_AHEAD);
    std::thread::scope(|scope| {
        let mut threads = Vec::new();
        for number in 0..workers {
            let batches = batches.clone();
            let thread = std::thread::Builder::new()
                .name(format!("clew-replay-{number}"))
                .spawn_scoped(scope, move || insert(live, &batches, unreadable))
                .map_err(|error| OpenError::Thread(format!("a thread could not be started: {error}")))?;
            threads.push(thread);
        }
        drop(batches);
        // A send fails only when all workers have failed, which joining them tells.
        let recovered = recover(data_dir, disk, since_unix_nanos, &mut |batch| drop(sender.send(batch)));
        drop(sender);
        for thread in threads {
            thread.join().map_err(|_| OpenError::Thread("a thread failed while the log was replayed".to_owned()))?;
        }
        recovered
    })
}

fn insert(live: &Live, batches: &Receiver<Replayed>, unreadable: &Mutex<Vec<Unreadable>>) {
    for replayed in batches {
        // A batch that makes a thread panic is damage too: it takes no other with it.
        let result = catch_unwind(AssertUnwindSafe(|| make_visible(live, &replayed)))
            .unwrap_or_else(|_| Err("clew itself failed while it was made visible".to_owned()));
        if let Err(what) = result {
            let (damage, header) = (replayed.unreadable(&what), &replayed.header);
            let (body_hash, span_count) = (header.body_hash, header.span_count);
            let mut unreadable = unreadable.lock().unwrap_or_else(PoisonError::into_inner);
            unreadable.push(Unreadable { damage, body_hash, span_count });
        }
    }
}

fn make_visible(live: &Live, replayed: &Replayed) -> Result<(), String> {
    let batch = replayed.header.clone().into_batch(replayed.stored.clone()).map_err(|error| error.to_string())?;
    live.insert(&batch).map_err(|error| format!("its body cannot be read: {error}"))
}

#[cfg(test)]
mod tests;
