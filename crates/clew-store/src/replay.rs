//! Replay: from the log into the live head, by frames alone. Workers take turns at reading and checking, so that who has read a
//! batch inserts it, while it is in that processor's caches.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

use crate::Generation;
use crate::log::recover::keep_aside;
use crate::log::{Damage, Recovered, Recovery, Replayed};
use crate::port::{Clock, Disk};
use crate::{OpenError, StoreConfig};

/// What a replay found, and how long it took.
pub(crate) struct Replay {
    pub(crate) recovered: Recovered,
    pub(crate) nanos: u64,
}

/// A turn at reading ends after so many batches, or after those that have so many bytes together.
const TURN_BATCHES: usize = 64;
const TURN_BYTES: usize = 128 * 1024;

/// The log, read in turns.
struct Turns<'d> {
    recovery: Recovery<'d>,
    failed: Option<OpenError>,
}

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
    let recovery = Recovery::begin(data_dir, disk, from, since_unix_nanos)?;
    let turns = Mutex::new(Turns { recovery, failed: None });
    std::thread::scope(|scope| {
        let mut threads = Vec::new();
        for number in 0..workers {
            let turns = &turns;
            let take = move |batches: &mut Vec<Replayed>| {
                // Poisoned by a panic, which joining that thread tells.
                if let Ok(mut turns) = turns.lock() {
                    turns.take(batches);
                }
            };
            let thread = std::thread::Builder::new()
                .name(format!("clew-replay-{number}"))
                .spawn_scoped(scope, move || insert(generations, workers == 1, take, unreadable))
                .map_err(|error| OpenError::Thread(format!("a thread could not be started: {error}")))?;
            threads.push(thread);
        }
        for thread in threads {
            thread.join().map_err(|_| OpenError::Thread("a thread failed while the log was replayed".to_owned()))?;
        }
        Ok(())
    })?;
    let Turns { recovery, failed } = turns.into_inner().unwrap_or_else(PoisonError::into_inner);
    failed.map_or_else(|| Ok(recovery.finish()), Err)
}

impl Turns<'_> {
    /// Reads some batches; none at the end of the log.
    fn take(&mut self, batches: &mut Vec<Replayed>) {
        let mut byte_count = 0;
        while self.failed.is_none() && batches.len() < TURN_BATCHES && byte_count < TURN_BYTES {
            match self.recovery.next_batch() {
                Ok(Some(batch)) => {
                    byte_count += batch.stored.len();
                    batches.push(batch);
                }
                Ok(None) => break,
                Err(error) => self.failed = Some(error),
            }
        }
    }
}

/// Makes visible what `take` gives, until it gives nothing; `is_alone` says that no other thread does.
fn insert(
    generations: &[Arc<Generation>],
    is_alone: bool,
    take: impl Fn(&mut Vec<Replayed>),
    unreadable: &Mutex<Vec<Unreadable>>,
) {
    let mut batches = Vec::new();
    loop {
        take(&mut batches);
        if batches.is_empty() {
            return;
        }
        batches.drain(..).for_each(|replayed| insert_batch(generations, is_alone, &replayed, unreadable));
    }
}

fn insert_batch(
    generations: &[Arc<Generation>],
    is_alone: bool,
    replayed: &Replayed,
    unreadable: &Mutex<Vec<Unreadable>>,
) {
    if let Err(what) = make_visible(generations, is_alone, replayed) {
        let (damage, header) = (replayed.unreadable(&what), &replayed.header);
        let (body_hash, span_count) = (header.body_hash, header.span_count);
        let mut unreadable = unreadable.lock().unwrap_or_else(PoisonError::into_inner);
        let stored = replayed.stored.clone();
        unreadable.push(Unreadable { damage, stored, body_hash, span_count });
    }
}

fn make_visible(generations: &[Arc<Generation>], is_alone: bool, replayed: &Replayed) -> Result<(), String> {
    let at = generations.partition_point(|generation| generation.from <= replayed.position);
    let generation = generations.get(at.saturating_sub(1)).ok_or("there is no generation for it")?;
    let batch = replayed.header.clone().into_batch(replayed.stored.clone()).map_err(|error| error.to_string())?;
    // A moment of the start counts as when it came: it may be sealed when it is as old as any other.
    generation.begin(&batch, 0);
    // A batch that makes a thread panic is damage too: it takes no other with it.
    let live = &generation.live;
    let insert = || if is_alone { live.insert_alone(&batch) } else { live.insert(&batch) };
    let inserted = catch_unwind(AssertUnwindSafe(insert));
    generation.end(false);
    match inserted {
        Ok(result) => result.map_err(|error| format!("its body cannot be read: {error}")),
        Err(_) => Err("clew itself failed while it was made visible".to_owned()),
    }
}

#[cfg(test)]
mod tests;
