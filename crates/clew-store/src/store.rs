//! The store: the log, the live head, and the threads that carry effects out.

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use clew_model::RefuseReason;
use clew_model::scan::SpanSource;
use crossbeam_channel::Sender;

use crate::driver::{Counters, DriverConfig, LogThread, Message, Reply, Shared};
use crate::live::{Live, LiveConfig};
use crate::log::recover::LOG_FOLDER;
use crate::log::{Damage, Machine, Status, Writer};
use crate::replay::Replay;
use crate::source::Source;
use crate::{Batch, Encoding, HealthReason, Outcome, Ports, StoreConfig, StoreFigures, driver, folder, replay};

/// Why a store could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Another process has it.
    #[error("{path} is in use by another clew ({holder}); stop it, or choose another data folder")]
    Locked {
        /// The lock file.
        path: String,
        /// What it says of its holder.
        holder: String,
    },
    /// Written by a newer clew.
    #[error("{path} has format {found}, newer than {known} that this clew knows; start the newer clew")]
    Newer {
        /// The file.
        path: String,
        /// Its format version.
        found: u32,
        /// The newest version known here.
        known: u32,
    },
    /// Not clew's.
    #[error("{path} is not a clew data folder's FORMAT file")]
    Foreign {
        /// The file.
        path: String,
    },
    /// Somebody else's folder.
    #[error("{path} holds {file} and is not a clew data folder; choose an empty folder")]
    NotEmpty {
        /// The folder.
        path: String,
        /// A file in it.
        file: String,
    },
    /// The disk failed.
    #[error("{path}: {error}")]
    Disk {
        /// Which file or folder.
        path: String,
        /// What it said.
        error: io::Error,
    },
    /// A thread could not be started, or failed while the log was replayed.
    #[error("{0}")]
    Thread(String),
}

impl OpenError {
    /// What the disk said of a path.
    pub(crate) fn at(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.display().to_string();
        move |error| Self::Disk { path, error }
    }
}

/// Why a store did not close cleanly. What was acknowledged is safe all the same.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the store did not close cleanly: {0}")]
pub struct CloseError(pub String);

/// A cheap handle to an open store. The last one closes it when it is dropped.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    shared: Arc<Shared>,
    messages: Sender<Message>,
    config: StoreConfig,
    replay: Replay,
    damage: Arc<[Damage]>,
    thread: Mutex<Option<LogThread>>,
    closed: OnceLock<Result<(), CloseError>>,
}

/// What memory a batch takes while it is in flight, beside its bytes.
const BATCH_OVERHEAD_BYTES: u64 = 512;

impl Store {
    /// Locks the data folder, replays the log and starts the store's threads.
    pub fn open(config: StoreConfig, ports: Ports) -> Result<Self, OpenError> {
        let Ports { disk, clock } = ports;
        folder::refuse_foreign(&config.data_dir, &*disk)?;
        let lock = folder::lock(&config.data_dir, &*disk)?;
        if folder::format(&config.data_dir, &*disk)?.is_none() {
            folder::put_format(&config.data_dir, &*disk)?;
        }
        let live = Live::new(LiveConfig { shards: config.live_shards, bytes_max: config.live_bytes });
        let mut replay = replay::replay(&config, &*disk, &*clock, &live)?;
        let damage: Arc<[Damage]> = std::mem::take(&mut replay.recovered.damage).into();
        for damage in &*damage {
            tracing::error!("the log is damaged: {damage}");
        }
        let machine = Machine::new(&config, std::mem::take(&mut replay.recovered.resume));
        let writer = Writer::new(disk, Arc::clone(&clock), config.data_dir.join(LOG_FOLDER));
        let shared = Arc::new(Shared {
            live,
            clock,
            stopping: AtomicBool::new(false),
            status: Mutex::new(Status::Well),
            unreadable: Mutex::new(None),
            counters: Counters::default(),
        });
        let driver = DriverConfig {
            workers: config.workers,
            idle_after: config.idle_marker_after,
            group_bytes: config.group_bytes,
        };
        let (messages, thread) = driver::start(&driver, Arc::clone(&shared), machine, writer, lock)
            .map_err(|error| OpenError::Thread(format!("a thread of the store could not be started: {error}")))?;
        let inner = Inner {
            shared,
            messages,
            config,
            replay,
            damage,
            thread: Mutex::new(Some(thread)),
            closed: OnceLock::new(),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Offers a batch; never blocks. `reply` is called exactly once: after the batch is synced and its spans are visible,
    /// or with the reason why it is not stored, in that case perhaps before this call returns.
    pub fn offer(&self, batch: Batch, reply: Box<dyn FnOnce(Outcome) + Send>) {
        let shared = &self.inner.shared;
        let plain = if batch.encoding == Encoding::Identity { 0 } else { batch.body.len() as u64 };
        let bytes = BATCH_OVERHEAD_BYTES + batch.stored.len() as u64 + plain;
        let queued = shared.counters.queue_bytes.fetch_add(bytes, Ordering::AcqRel);
        let reply = Reply::new(Arc::clone(shared), &batch, bytes, reply);
        if shared.stopping.load(Ordering::Acquire) {
            return reply.send(Outcome::Refused(RefuseReason::Stopping));
        }
        // A batch larger than the bound passes when it is alone.
        if queued > 0 && queued + bytes > self.inner.config.queue_bytes as u64 {
            return reply.send(Outcome::Refused(RefuseReason::InFlightFull));
        }
        // Should the log thread be gone, the message is dropped, and the reply with it refuses.
        let _ = self.inner.messages.send(Message::Offer(Arc::new(batch), reply));
    }

    /// All spans, to be asked. An answer says so when the log lost something that may belong to it.
    pub fn spans(&self) -> Arc<dyn SpanSource> {
        Arc::new(Source { shared: Arc::clone(&self.inner.shared), damage: Arc::clone(&self.inner.damage) })
    }

    /// Why the store is not well; empty when it is.
    pub fn health(&self) -> Vec<HealthReason> {
        let shared = &self.inner.shared;
        let mut reasons = Vec::new();
        let mut add = |name, detail| reasons.push(HealthReason { name, detail });
        match &*shared.status.lock().unwrap_or_else(PoisonError::into_inner) {
            Status::Well => {}
            Status::DiskFull => add(HealthReason::DISK_FULL, RefuseReason::DiskFull.sentence().to_owned()),
            Status::Failed(what) => {
                add(HealthReason::LOG_FAILED, format!("{}: {what}", RefuseReason::LogFailed.sentence()));
            }
        }
        if shared.live.is_full() {
            add(HealthReason::LIVE_FULL, RefuseReason::LiveFull.sentence().to_owned());
        }
        if let Some(what) = &*shared.unreadable.lock().unwrap_or_else(PoisonError::into_inner) {
            add(HealthReason::WORKER_FAILED, format!("a batch is in the log but could not be made visible: {what}"));
        }
        for damage in &*self.inner.damage {
            let detail = format!("{damage}; stop the server and run `clew check --repair` to acknowledge it");
            add(HealthReason::CORRUPTION, detail);
        }
        reasons
    }

    /// Damaged ranges of the log, as found at the start.
    pub fn damage(&self) -> &[Damage] {
        &self.inner.damage
    }

    /// Figures for `/metrics`.
    pub fn figures(&self) -> StoreFigures {
        let Inner { shared, replay, damage, .. } = &*self.inner;
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let counters = &shared.counters;
        StoreFigures {
            syncs: read(&counters.syncs),
            sync_seconds: counters.sync_seconds.read(),
            ack_seconds: counters.ack_seconds.read(),
            log_written_bytes: read(&counters.written_bytes),
            log_bytes: replay.recovered.log_bytes + read(&counters.written_bytes),
            segments: replay.recovered.segments + read(&counters.created_segments),
            queue_batches: read(&counters.queue_batches),
            queue_bytes: read(&counters.queue_bytes),
            stored_batches: read(&counters.stored_batches),
            stored_spans: read(&counters.stored_spans),
            repeated_batches: read(&counters.repeated_batches),
            refused_batches: read(&counters.refused_batches),
            live_bytes: shared.live.bytes() as u64,
            live_spans: shared.live.span_count(),
            live_traces: shared.live.trace_count(),
            replay_spans: replay.recovered.spans,
            replay_batches: replay.recovered.batches,
            replay_seconds: replay.nanos as f64 / 1e9,
            torn_bytes: replay.recovered.torn_bytes,
            corrupt_ranges: damage.len() as u64,
            corrupt_bytes: damage.iter().map(|damage| damage.length).sum(),
        }
    }

    /// Takes no more offers, finishes and syncs what it has, and releases the lock. Closing again returns the same.
    ///
    /// Called from a reply it only asks for that, since a store's thread cannot wait for itself.
    pub fn close(&self) -> Result<(), CloseError> {
        self.inner.close()
    }
}

impl Inner {
    fn close(&self) -> Result<(), CloseError> {
        if !self.shared.stopping.swap(true, Ordering::AcqRel) {
            // Should the log thread be gone, there is nothing to stop.
            let _ = self.messages.send(Message::Stop);
        }
        if driver::is_store_thread() {
            return Ok(());
        }
        let mut running = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(thread) = running.take() {
            let result = thread.join().unwrap_or_else(|_| Err("the log thread failed".to_owned()));
            let _ = self.closed.set(result.map_err(CloseError));
        }
        self.closed.get().cloned().unwrap_or(Ok(()))
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let Err(error) = self.close() {
            tracing::error!("{error}");
        }
    }
}

#[cfg(test)]
mod tests;
