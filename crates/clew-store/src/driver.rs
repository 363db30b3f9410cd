//! The threads: one log thread that steps the machine and writes, and workers that make synced batches visible.
//!
//! Replies leave from the workers (stored) and from the log thread (everything else). A reply that is dropped answers
//! with a refusal, so that no panic loses one.

use std::collections::{HashMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use clew_model::RefuseReason;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};

use crate::figures::Histogram;
use crate::keep::thread::{KeepHealth, Message as KeepMessage};
use crate::log::{Effect, Event, Inserted, Machine, Status, Writer};
use crate::port::Clock;
use crate::settle::Intake;
use crate::settle::thread::SettleCounters;
use crate::view::ViewCell;
use crate::{Batch, Generation, Outcome};

/// What the store's threads and its handles share.
pub(crate) struct Shared {
    pub(crate) view: Arc<ViewCell>,
    /// Bound on the memory of live spans in bytes.
    pub(crate) live_bytes_max: usize,
    pub(crate) live_shards: usize,
    pub(crate) keeper: Sender<KeepMessage>,
    pub(crate) keep_health: KeepHealth,
    pub(crate) settle_health: KeepHealth,
    pub(crate) settled: SettleCounters,
    pub(crate) intake: Arc<Intake>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) stopping: AtomicBool,
    pub(crate) status: Mutex<Status>,
    /// Why a batch of the log is not visible, if any.
    pub(crate) unreadable: Mutex<Option<String>>,
    pub(crate) counters: Counters,
}

/// Figures that the threads count.
#[derive(Default)]
pub(crate) struct Counters {
    pub(crate) syncs: AtomicU64,
    pub(crate) sync_seconds: Histogram,
    pub(crate) ack_seconds: Histogram,
    pub(crate) written_bytes: AtomicU64,
    pub(crate) created_segments: AtomicU64,
    pub(crate) queue_batches: AtomicU64,
    pub(crate) queue_bytes: AtomicU64,
    pub(crate) stored_batches: AtomicU64,
    pub(crate) stored_spans: AtomicU64,
    pub(crate) repeated_batches: AtomicU64,
    pub(crate) refused_batches: AtomicU64,
}

impl Shared {
    pub(crate) fn set_status(&self, status: Status) {
        *self.status.lock().unwrap_or_else(PoisonError::into_inner) = status;
    }

    /// Whether live spans fill their bound.
    pub(crate) fn is_full(&self) -> bool {
        self.view.view().live_bytes() >= self.live_bytes_max
    }

    fn has_failed(&self) -> bool {
        matches!(*self.status.lock().unwrap_or_else(PoisonError::into_inner), Status::Failed(_))
    }

    fn note_unreadable(&self, what: &str) {
        self.unreadable.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(|| what.to_owned());
    }
}

/// Ends when everything that was taken is done; says whether all of it is durable. Holds the folder's lock until then.
pub(crate) type LogThread = JoinHandle<Result<(), String>>;

/// What the log thread is told.
pub(crate) enum Message {
    Offer(Arc<Batch>, Reply),
    Inserted {
        ticket: u64,
        result: Inserted,
    },
    /// Cut; the position is the answer, and none comes when the log has failed.
    Cut(Sender<u64>),
    Stop,
}

/// An answer that is owed.
pub(crate) struct Reply {
    call: Option<Box<dyn FnOnce(Outcome) + Send>>,
    shared: Arc<Shared>,
    bytes: u64,
    span_count: u32,
    offered_nanos: u64,
    received_unix_nanos: u64,
}

impl Reply {
    pub(crate) fn new(shared: Arc<Shared>, batch: &Batch, bytes: u64, call: Box<dyn FnOnce(Outcome) + Send>) -> Self {
        shared.counters.queue_batches.fetch_add(1, Ordering::Relaxed);
        let offered_nanos = shared.clock.monotonic_nanos();
        Self {
            call: Some(call),
            shared,
            bytes,
            span_count: batch.span_count,
            offered_nanos,
            received_unix_nanos: batch.received_unix_nanos,
        }
    }

    pub(crate) fn send(mut self, outcome: Outcome) {
        self.answer(outcome);
    }

    fn answer(&mut self, outcome: Outcome) {
        let Some(call) = self.call.take() else { return };
        let counters = &self.shared.counters;
        self.shared.intake.answered(self.received_unix_nanos, outcome);
        match outcome {
            Outcome::Stored => {
                counters.stored_batches.fetch_add(1, Ordering::Relaxed);
                counters.stored_spans.fetch_add(self.span_count.into(), Ordering::Relaxed);
                let nanos = self.shared.clock.monotonic_nanos().saturating_sub(self.offered_nanos);
                counters.ack_seconds.observe_nanos(nanos);
            }
            Outcome::Repeated => drop(counters.repeated_batches.fetch_add(1, Ordering::Relaxed)),
            Outcome::Refused(_) => drop(counters.refused_batches.fetch_add(1, Ordering::Relaxed)),
        }
        counters.queue_batches.fetch_sub(1, Ordering::Relaxed);
        counters.queue_bytes.fetch_sub(self.bytes, Ordering::AcqRel);
        if catch_unwind(AssertUnwindSafe(|| call(outcome))).is_err() {
            tracing::error!("a reply panicked; what it answered stands");
        }
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        let stopping = self.shared.stopping.load(Ordering::Acquire) && !self.shared.has_failed();
        self.answer(Outcome::Refused(if stopping { RefuseReason::Stopping } else { RefuseReason::LogFailed }));
    }
}

/// A batch that a worker is to make visible.
struct Job {
    ticket: u64,
    batch: Arc<Batch>,
    generation: Arc<Generation>,
    reply: Reply,
}

/// The log thread's state.
struct Driver {
    shared: Arc<Shared>,
    machine: Machine,
    writer: Writer,
    messages: Receiver<Message>,
    jobs: Option<Sender<Job>>,
    workers: Vec<JoinHandle<()>>,
    owed: HashMap<u64, (Arc<Batch>, Reply)>,
    /// Where synced batches go.
    generation: Arc<Generation>,
    cutters: Vec<Sender<u64>>,
    next_ticket: u64,
    idle_after: Duration,
    /// When to write a marker, should nothing be synced until then, by monotonic time.
    mark_at_nanos: u64,
    group_bytes: usize,
    /// Held until everything is done, whoever waits for it.
    _lock: Arc<dyn Send + Sync>,
}

/// How the log thread runs.
pub(crate) struct DriverConfig {
    pub(crate) workers: usize,
    pub(crate) idle_after: Duration,
    pub(crate) group_bytes: usize,
}

/// Starts the workers and the log thread; its result says whether all that was taken is durable.
pub(crate) fn start(
    config: &DriverConfig,
    shared: Arc<Shared>,
    machine: Machine,
    writer: Writer,
    generation: Arc<Generation>,
    lock: Arc<dyn Send + Sync>,
) -> std::io::Result<(Sender<Message>, LogThread)> {
    let (sender, messages) = crossbeam_channel::unbounded();
    let (jobs, queue) = crossbeam_channel::unbounded();
    let mut workers = Vec::new();
    for number in 0..config.workers.max(1) {
        let (shared, queue, sender) = (Arc::clone(&shared), queue.clone(), sender.clone());
        let name = format!("clew-live-{number}");
        workers.push(std::thread::Builder::new().name(name).spawn(move || work(&shared, &queue, &sender))?);
    }
    let mut driver = Driver {
        shared,
        machine,
        writer,
        messages,
        jobs: Some(jobs),
        workers,
        owed: HashMap::new(),
        generation,
        cutters: Vec::new(),
        next_ticket: 0,
        idle_after: config.idle_after,
        mark_at_nanos: 0,
        group_bytes: config.group_bytes,
        _lock: lock,
    };
    let thread = std::thread::Builder::new().name("clew-log".to_owned()).spawn(move || {
        enter_store_thread();
        catch_unwind(AssertUnwindSafe(|| driver.run())).unwrap_or_else(|_| {
            let what = "the log thread failed".to_owned();
            driver.shared.set_status(Status::Failed(what.clone()));
            Err(what)
        })
    })?;
    Ok((sender, thread))
}

thread_local! {
    /// Whether this is one of a store's threads, which must not wait for itself.
    static IN_STORE: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

/// Marks the caller as one of a store's threads.
pub(crate) fn enter_store_thread() {
    IN_STORE.set(true);
}

/// Whether the caller runs on one of a store's threads.
pub(crate) fn is_store_thread() -> bool {
    IN_STORE.get()
}

impl Driver {
    fn run(&mut self) -> Result<(), String> {
        loop {
            let mut stop = match self.receive() {
                Ok(message) => self.handle(message),
                Err(RecvTimeoutError::Timeout) => {
                    self.mark();
                    false
                }
                Err(RecvTimeoutError::Disconnected) => true,
            };
            let mut taken_bytes = 0;
            while let Some(message) =
                (!stop && taken_bytes < self.group_bytes).then(|| self.messages.try_recv().ok()).flatten()
            {
                if let Message::Offer(batch, _) = &message {
                    taken_bytes += batch.stored.len();
                }
                stop = self.handle(message);
            }
            if stop {
                return self.stop();
            }
            self.step(Event::Flush);
            // A log is quiet, too, when all that is offered is refused.
            if self.machine.is_marker_due() && self.shared.clock.monotonic_nanos() > self.mark_at_nanos {
                self.mark();
            }
        }
    }

    fn mark(&mut self) {
        self.delay_mark();
        self.step(Event::Idle);
    }

    fn delay_mark(&mut self) {
        let now_nanos = self.shared.clock.monotonic_nanos();
        self.mark_at_nanos = now_nanos.saturating_add(self.idle_after.as_nanos() as u64);
    }

    fn receive(&self) -> Result<Message, RecvTimeoutError> {
        if self.machine.is_marker_due() {
            self.messages.recv_timeout(self.idle_after)
        } else {
            self.messages.recv().map_err(|_| RecvTimeoutError::Disconnected)
        }
    }

    /// Tells the machine; returns whether to stop.
    fn handle(&mut self, message: Message) -> bool {
        match message {
            Message::Stop => return true,
            Message::Inserted { ticket, result } => self.step(Event::Inserted { ticket, result }),
            Message::Cut(cutter) => {
                self.cutters.push(cutter);
                self.step(Event::Cut);
                // Whom the machine did not answer by now, it will not.
                self.cutters.clear();
            }
            Message::Offer(batch, reply) => {
                let ticket = self.next_ticket;
                self.next_ticket += 1;
                self.owed.insert(ticket, (Arc::clone(&batch), reply));
                let live_full = self.shared.is_full();
                self.step(Event::Offered { ticket, batch, live_full });
            }
        }
        false
    }

    /// Finishes what was taken, and says that it is synced.
    fn stop(&mut self) -> Result<(), String> {
        self.step(Event::Stop);
        self.jobs = None;
        let mut clean = true;
        for worker in self.workers.drain(..) {
            clean &= worker.join().is_ok();
        }
        while let Ok(message) = self.messages.try_recv() {
            self.handle(message);
        }
        self.step(Event::Idle);
        self.step(Event::Close);
        match (self.machine.status(), clean) {
            (Status::Failed(what), _) => Err(what.clone()),
            (_, false) => Err("a thread of the store failed".to_owned()),
            _ => Ok(()),
        }
    }

    /// Steps the machine, carries its effects out, and steps it with what came of them.
    fn step(&mut self, event: Event) {
        let mut events = VecDeque::from([event]);
        while let Some(event) = events.pop_front() {
            let effects = self.machine.apply(event, self.shared.clock.monotonic_nanos());
            // Before anyone is answered: whoever was refused finds the reason in the health.
            self.publish_status();
            for effect in effects {
                match effect {
                    Effect::Insert { ticket } => self.insert(ticket),
                    Effect::Cut { position } => self.cut(position),
                    Effect::Reply { ticket, outcome } => {
                        if let Some((_, reply)) = self.owed.remove(&ticket) {
                            reply.send(outcome);
                        }
                    }
                    effect => events.push_back(self.write(&effect)),
                }
            }
        }
    }

    /// Ends the generation; the next batch goes to a new one.
    fn cut(&mut self, position: u64) {
        let shared = &self.shared;
        self.generation = shared.view.cut(shared.live_shards, position);
        // Nobody waits for it once the keeper is gone.
        let _ = shared.keeper.send(KeepMessage::Complete);
        for cutter in self.cutters.drain(..) {
            let _ = cutter.send(position);
        }
    }

    fn insert(&mut self, ticket: u64) {
        let Some((batch, reply)) = self.owed.remove(&ticket) else { return };
        let generation = Arc::clone(&self.generation);
        generation.begin(&batch, self.shared.clock.monotonic_nanos());
        // Workers live as long as the sender: should they all be gone, the job's reply refuses when it is dropped.
        if let Some(jobs) = &self.jobs {
            let _ = jobs.send(Job { ticket, batch, generation, reply });
        }
    }

    fn write(&mut self, effect: &Effect) -> Event {
        let started = self.shared.clock.monotonic_nanos();
        let result = self.writer.run(effect);
        let counters = &self.shared.counters;
        match (effect, &result) {
            (Effect::Sync, Ok(())) => {
                counters.syncs.fetch_add(1, Ordering::Relaxed);
                counters.sync_seconds.observe_nanos(self.shared.clock.monotonic_nanos().saturating_sub(started));
            }
            (Effect::Write { bytes, .. }, Ok(())) => {
                counters.written_bytes.fetch_add(bytes.len() as u64, Ordering::Relaxed);
            }
            (Effect::CreateSegment { .. }, Ok(())) => drop(counters.created_segments.fetch_add(1, Ordering::Relaxed)),
            _ => {}
        }
        if matches!(effect, Effect::Sync) {
            self.delay_mark();
        }
        result.map_or_else(Event::Failed, |()| Event::Done)
    }

    /// Tells the handles how the log is, and the operator when that has changed.
    fn publish_status(&self) {
        let mut status = self.shared.status.lock().unwrap_or_else(PoisonError::into_inner);
        if *status == *self.machine.status() {
            return;
        }
        status.clone_from(self.machine.status());
        match &*status {
            Status::Well => tracing::info!("the log can be written again"),
            Status::DiskFull => tracing::error!("{}", RefuseReason::DiskFull.sentence()),
            Status::Failed(what) => tracing::error!(what, "{}", RefuseReason::LogFailed.sentence()),
        }
    }
}

/// A worker: makes batches visible and answers, until there are no more.
fn work(shared: &Shared, jobs: &Receiver<Job>, messages: &Sender<Message>) {
    enter_store_thread();
    for Job { ticket, batch, generation, reply } in jobs {
        let result = match catch_unwind(AssertUnwindSafe(|| generation.live.insert(&batch))) {
            Ok(Ok(())) => {
                reply.send(Outcome::Stored);
                Inserted::Visible
            }
            Ok(Err(error)) => {
                tracing::error!(%error, "an admitted batch cannot be read");
                shared.note_unreadable(&error.to_string());
                reply.send(Outcome::Refused(RefuseReason::Malformed));
                Inserted::Unreadable
            }
            Err(_) => {
                reply.send(Outcome::Refused(RefuseReason::LogFailed));
                Inserted::Failed
            }
        };
        if generation.end(result == Inserted::Failed) {
            let _ = shared.keeper.send(KeepMessage::Complete);
        }
        let _ = messages.send(Message::Inserted { ticket, result });
    }
}

#[cfg(test)]
mod tests;
