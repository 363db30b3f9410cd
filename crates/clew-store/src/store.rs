//! The store: the log, the live head, and the threads that carry effects out.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::JoinHandle;

use clew_model::scan::SpanSource;
use clew_model::{RefuseReason, Tenant, TraceId};
use crossbeam_channel::Sender;

use crate::driver::{Counters, DriverConfig, LogThread, Message, Reply, Shared};
use crate::figures::SettleFigures;
use crate::keep::thread::{Answer, KeepHealth, Message as KeepMessage};
use crate::keep::{self, KeepCounters, KeepError};
use crate::log::recover::segment_files;
use crate::log::{Damage, Status};
use crate::port::Disk;
use crate::replay::Replay;
use crate::settle::thread::{Message as SettleMessage, Parts, SettleCounters, lock};
use crate::settle::{self, Book, Judge, KeepAll, Settler, SpanTotals};
use crate::start::{self, Started};
use crate::view::View;
use crate::{Batch, Encoding, HealthReason, Outcome, Ports, StoreConfig, StoreFigures, driver, folder};

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

/// The threads of the log, of the keeper and of settling.
type Threads = (LogThread, JoinHandle<()>, JoinHandle<()>);

struct Inner {
    shared: Arc<Shared>,
    messages: Sender<Message>,
    config: StoreConfig,
    replay: Replay,
    damage: Arc<[Damage]>,
    lost: Vec<String>,
    kept: Arc<KeepCounters>,
    cache: Arc<clew_block::Cache>,
    disk: Arc<dyn Disk>,
    settle_messages: Sender<SettleMessage>,
    /// What is not counted yet.
    book: Arc<Mutex<Book>>,
    threads: Mutex<Option<Threads>>,
    closed: OnceLock<Result<(), CloseError>>,
}

/// What memory a batch takes while it is in flight, beside its bytes.
const BATCH_OVERHEAD_BYTES: u64 = 512;

impl Store {
    /// Locks the data folder, replays the log and starts the store's threads.
    pub fn open(config: StoreConfig, ports: Ports) -> Result<Self, OpenError> {
        Self::open_with(config, ports, Box::new(KeepAll))
    }

    /// The same with somebody who judges traces.
    pub fn open_with(config: StoreConfig, ports: Ports, judge: Box<dyn Judge>) -> Result<Self, OpenError> {
        let Ports { disk, clock } = ports;
        folder::refuse_foreign(&config.data_dir, &*disk)?;
        let lock = folder::lock(&config.data_dir, &*disk)?;
        if folder::format(&config.data_dir, &*disk)?.is_none() {
            folder::put_format(&config.data_dir, &*disk)?;
        }
        let ports = Ports { disk, clock };
        let Started { keeper, growing, machine, writer, recovered, replay_nanos, damage, lost, intake } =
            start::start(&config, &ports)?;
        let view = Arc::clone(keeper.view());
        let (kept, cache, disk) = (Arc::clone(keeper.counters()), Arc::clone(keeper.cache()), Arc::clone(&ports.disk));
        let (keep_messages, told) = crossbeam_channel::unbounded();
        let shared = Arc::new(Shared {
            view,
            live_bytes_max: config.live_bytes,
            live_shards: config.live_shards,
            keeper: keep_messages,
            keep_health: KeepHealth::default(),
            settle_health: KeepHealth::default(),
            settled: SettleCounters::new(&config.settle),
            intake: Arc::clone(&intake),
            clock: ports.clock,
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
        let lock: Arc<dyn Send + Sync> = Arc::new(lock);
        let failed = |error| OpenError::Thread(format!("a thread of the store could not be started: {error}"));
        let (messages, log_thread) =
            driver::start(&driver, Arc::clone(&shared), machine, writer, growing, Arc::clone(&lock)).map_err(failed)?;
        let (book, judge_state) = (Arc::clone(keeper.book()), keeper.judge_state().to_vec());
        let settler = Settler::new(judge, config.clone(), &judge_state);
        let own = (shared.keeper.clone(), told);
        let keep_thread =
            keep::thread::start(keeper, Arc::clone(&shared), own, messages.clone(), lock).map_err(failed)?;
        let (settle_messages, told) = crossbeam_channel::unbounded();
        let parts = Parts { settler, judge_state, book: Arc::clone(&book), intake, config: config.clone() };
        let settle_thread = settle::thread::start(parts, Arc::clone(&shared), told).map_err(failed)?;
        let threads = Mutex::new(Some((log_thread, keep_thread, settle_thread)));
        let closed = OnceLock::new();
        let replay = Replay { recovered, nanos: replay_nanos };
        let inner = Inner {
            shared,
            messages,
            config,
            replay,
            damage,
            lost,
            kept,
            cache,
            disk,
            settle_messages,
            book,
            threads,
            closed,
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Offers a batch; never blocks. `reply` is called exactly once: after the batch is synced and its spans are visible,
    /// or with the reason why it is not stored, in that case perhaps before this call returns.
    pub fn offer(&self, mut batch: Batch, reply: Box<dyn FnOnce(Outcome) + Send>) {
        let shared = &self.inner.shared;
        let plain = if batch.encoding == Encoding::Identity { 0 } else { batch.body.len() as u64 };
        let bytes = BATCH_OVERHEAD_BYTES + batch.stored.len() as u64 + plain;
        let queued = shared.counters.queue_bytes.fetch_add(bytes, Ordering::AcqRel);
        batch.received_unix_nanos = shared.intake.begin(batch.received_unix_nanos);
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

    /// All spans as they are now, to be asked. An answer says so when something was lost that may belong to it.
    pub fn spans(&self) -> Arc<dyn SpanSource> {
        self.view()
    }

    /// All that there is now.
    pub fn view(&self) -> Arc<View> {
        self.inner.shared.view.view()
    }

    /// Seals all spans that were acknowledged before; `answer` is called when they are in a block.
    pub fn seal(&self, answer: impl FnOnce(Result<(), KeepError>) + Send + 'static) {
        self.keep(Box::new(answer), KeepMessage::Seal);
    }

    /// Deletes a trace, or without an id all that a tenant has. When `answer` is called, no question that begins afterwards
    /// finds it; its bytes leave the disk within [`StoreConfig::purge_after`] and two seals. What is received later is new.
    pub fn delete(
        &self,
        tenant: Tenant,
        trace_id: Option<TraceId>,
        answer: impl FnOnce(Result<(), KeepError>) + Send + 'static,
    ) {
        self.keep(Box::new(answer), |answer| KeepMessage::Delete { tenant, trace_id, answer });
    }

    /// Pins a trace, which is then kept whatever its age, its verdict and the room that there is; one that is pinned has the new
    /// note, of at most [`crate::catalog::Pin::NOTE_CHARS_MAX`] characters. When `answer` is called, a restart knows it, and
    /// [`View::pins`] too.
    pub fn pin(
        &self,
        tenant: Tenant,
        trace_id: TraceId,
        note: Option<String>,
        answer: impl FnOnce(Result<(), KeepError>) + Send + 'static,
    ) {
        self.keep(Box::new(answer), |answer| KeepMessage::Pin { tenant, trace_id, note, answer });
    }

    /// Takes a trace's pin off, if it has one.
    pub fn unpin(
        &self,
        tenant: Tenant,
        trace_id: TraceId,
        answer: impl FnOnce(Result<(), KeepError>) + Send + 'static,
    ) {
        self.keep(Box::new(answer), |answer| KeepMessage::Unpin { tenant, trace_id, answer });
    }

    /// Settles the traces that are complete, without waiting for the next look.
    pub fn settle(&self, answer: impl FnOnce(Result<(), KeepError>) + Send + 'static) {
        // Should the thread be gone, the answer is dropped with the message, which whoever waits for it sees.
        let _ = self.inner.settle_messages.send(SettleMessage::Look(Box::new(answer)));
    }

    /// Removes what is over, and writes blocks anew that hold what was deleted, without waiting for the next look.
    pub fn expire(&self, answer: impl FnOnce(Result<(), KeepError>) + Send + 'static) {
        self.keep(Box::new(answer), KeepMessage::Expire);
    }

    fn keep(&self, answer: Answer, message: impl FnOnce(Answer) -> KeepMessage) {
        let shared = &self.inner.shared;
        if shared.stopping.load(Ordering::Acquire) {
            return answer(Err(KeepError::Stopping));
        }
        // Should the thread be gone, the answer is dropped with the message, which whoever waits for it sees.
        let _ = shared.keeper.send(message(answer));
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
        if shared.is_full() {
            add(HealthReason::LIVE_FULL, RefuseReason::LiveFull.sentence().to_owned());
        }
        if let Some(what) = &*shared.unreadable.lock().unwrap_or_else(PoisonError::into_inner) {
            add(HealthReason::WORKER_FAILED, format!("a batch is in the log but could not be made visible: {what}"));
        }
        reasons.extend(shared.keep_health.reason());
        reasons.extend(shared.settle_health.reason());
        for what in &self.inner.lost {
            reasons.push(HealthReason { name: HealthReason::CORRUPTION, detail: what.clone() });
        }
        let view = shared.view.view();
        for block in &view.blocks {
            for damage in block.damage() {
                reasons.push(HealthReason { name: HealthReason::CORRUPTION, detail: damage.to_string() });
            }
        }
        for detail in view.settled.damage() {
            reasons.push(HealthReason { name: HealthReason::CORRUPTION, detail });
        }
        let mut add = |name, detail| reasons.push(HealthReason { name, detail });
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

    /// What it was told when it was opened.
    pub fn config(&self) -> &StoreConfig {
        &self.inner.config
    }

    /// Looks at the counters of settled spans and calls. Nothing is settled meanwhile.
    pub fn read_span_totals<T>(&self, read: impl FnOnce(&SpanTotals) -> T) -> T {
        self.inner.shared.settled.read_spans(read)
    }

    /// Figures for `/metrics`.
    pub fn figures(&self) -> StoreFigures {
        let Inner { shared, replay, damage, .. } = &*self.inner;
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let counters = &shared.counters;
        let view = shared.view.view();
        let segments = segment_files(&self.inner.config.data_dir, &*self.inner.disk).unwrap_or_default();
        StoreFigures {
            syncs: read(&counters.syncs),
            sync_seconds: counters.sync_seconds.read(),
            ack_seconds: counters.ack_seconds.read(),
            log_written_bytes: read(&counters.written_bytes),
            log_bytes: segments.iter().map(|segment| segment.length).sum(),
            segments: segments.len() as u64,
            queue_batches: read(&counters.queue_batches),
            queue_bytes: read(&counters.queue_bytes),
            stored_batches: read(&counters.stored_batches),
            stored_spans: read(&counters.stored_spans),
            repeated_batches: read(&counters.repeated_batches),
            refused_batches: read(&counters.refused_batches),
            live_bytes: view.live_bytes() as u64,
            live_spans: view.live_spans(),
            live_traces: view.live_traces(),
            replay_spans: replay.recovered.spans,
            replay_batches: replay.recovered.batches,
            replay_seconds: replay.nanos as f64 / 1e9,
            torn_bytes: replay.recovered.torn_bytes,
            corrupt_ranges: damage.len() as u64,
            corrupt_bytes: damage.iter().map(|damage| damage.length).sum(),
            corrupt_block_places: view.blocks.iter().map(|block| block.damage().len() as u64).sum(),
            seal_seconds: self.inner.kept.seal_seconds.read(),
            kept: self.inner.kept.totals(),
            various_keys: self.inner.kept.various_keys.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            dropped_spans: self.inner.kept.dropped_by_rule(),
            blocks: view.blocks.len() as u64,
            block_spans: view.blocks.iter().map(|block| block.meta().row_count).sum(),
            block_data_bytes: view.blocks.iter().map(|block| block.meta().data_bytes).sum(),
            block_side_bytes: view.blocks.iter().map(|block| block.side_bytes()).sum(),
            settled_files: view.settled.entries.len() as u64,
            settled_bytes: view.settled.entries.iter().map(|entry| entry.bytes).sum(),
            corrupt_settled_files: view.settled.damage().len() as u64,
            block_received_unix_nanos: received(&view),
            tenant_bytes: tenant_bytes(&view),
            cache: self.inner.cache.figures(),
            settle: self.inner.settle_figures(&view),
            available_bytes: self.inner.disk.space(&self.inner.config.data_dir).ok().map(|space| space.available_bytes),
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
    fn settle_figures(&self, view: &View) -> SettleFigures {
        let settled = &self.shared.settled;
        let unsealed = view.generations.iter().map(|generation| generation.received_from());
        SettleFigures {
            delay_seconds: settled.delay_seconds.read(),
            look_seconds: settled.look_seconds.read(),
            cpu_nanos: settled.cpu_nanos.load(Ordering::Relaxed),
            totals: settled.totals(),
            pending_traces: lock(&self.book).len() as u64,
            watermark_unix_nanos: view.settled.watermark_unix_nanos(),
            unsealed_from_unix_nanos: unsealed.min().filter(|received| *received < u64::MAX),
        }
    }

    fn close(&self) -> Result<(), CloseError> {
        if !self.shared.stopping.swap(true, Ordering::AcqRel) {
            // Should a thread be gone, there is nothing to stop.
            let _ = self.messages.send(Message::Stop);
            let _ = self.settle_messages.send(SettleMessage::Stop);
            let _ = self.shared.keeper.send(KeepMessage::Stop);
        }
        if driver::is_store_thread() {
            return Ok(());
        }
        let mut running = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((log, keeper, settler)) = running.take() {
            let result = log.join().unwrap_or_else(|_| Err("the log thread failed".to_owned()));
            let kept = keeper.join().map_err(|_| "the thread that seals failed".to_owned());
            let settled = settler.join().map_err(|_| "the thread that settles failed".to_owned());
            let _ = self.closed.set(result.and(kept).and(settled).map_err(CloseError));
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

/// When the first and the last span of all blocks were received.
fn received(view: &View) -> Option<(u64, u64)> {
    let parts = view.blocks.iter().flat_map(|block| &block.meta().tenants);
    parts.map(|part| part.received_unix_nanos).reduce(|all, part| (all.0.min(part.0), all.1.max(part.1)))
}

/// Bytes of blocks by tenant: each has the part of a block that it has of the rows.
fn tenant_bytes(view: &View) -> BTreeMap<Tenant, u64> {
    let mut bytes: BTreeMap<Tenant, u64> = BTreeMap::new();
    for block in &view.blocks {
        let whole = (block.meta().data_bytes + block.side_bytes()) as f64;
        for part in &block.meta().tenants {
            let share = part.row_count as f64 / block.meta().row_count.max(1) as f64;
            *bytes.entry(part.tenant.clone()).or_default() += (whole * share) as u64;
        }
    }
    bytes
}

#[cfg(test)]
mod tests;
