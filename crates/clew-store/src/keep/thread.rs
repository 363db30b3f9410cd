//! The thread that a store runs its keeper on.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::thread::JoinHandle;
use std::time::Duration;

use clew_model::{Tenant, TraceId};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};

use super::merge::thread::MergeThread;
use super::{Growth, KeepError, Keeper, MergeDone, SealDone, SealPolicy};
use crate::driver::{self, Shared};
use crate::pace::when_idle;
use crate::settle::Settlement;
use crate::settle::thread::lock;
use crate::{Generation, HealthReason, driver::Message as LogMessage};

/// How often it looks whether a cut is due, when nobody tells it anything.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// How long nothing is tried after a failure, by monotonic time.
const PAUSE_NANOS: u64 = 2_000_000_000;

/// How often it looks whether a merge is due, when none was just done.
const MERGE_EVERY_NANOS: u64 = 5_000_000_000;

/// How long a seal may take at an idle pace, and a fraction of the bound on memory that live spans may come to meanwhile.
const IDLE_SEAL_NANOS: u64 = 5_000_000_000;
const IDLE_SEAL_SHARE: usize = 4;

/// How long the machine is taken to be busy after a seal that did not get on at an idle pace.
const BUSY_NANOS: u64 = 300_000_000_000;

/// How long no merge is tried after one that failed.
const MERGE_PAUSE_NANOS: u64 = 60_000_000_000;

/// An answer that somebody waits for.
pub(crate) type Answer = Box<dyn FnOnce(Result<(), KeepError>) + Send>;

/// What the thread is told.
pub(crate) enum Message {
    /// A generation may be complete.
    Complete,
    /// Cut and seal now.
    Seal(Answer),
    /// Delete a trace, or all that a tenant has.
    Delete { tenant: Tenant, trace_id: Option<TraceId>, answer: Answer },
    /// Pin a trace.
    Pin { tenant: Tenant, trace_id: TraceId, note: Option<String>, answer: Answer },
    /// Take a trace's pin off.
    Unpin { tenant: Tenant, trace_id: TraceId, answer: Answer },
    /// Look for what is over now.
    Expire(Answer),
    /// Commit what was settled, by a look that found the machine busy or idle.
    Settle { settlement: Arc<Settlement>, is_busy: bool, answer: Answer },
    /// A merge ran.
    Merged(Box<MergeDone>),
    /// End.
    Stop,
}

/// What went wrong last, for the health.
#[derive(Default)]
pub(crate) struct KeepHealth(Mutex<Option<HealthReason>>);

impl KeepHealth {
    pub(crate) fn reason(&self) -> Option<HealthReason> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn set(&self, reason: Option<HealthReason>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = reason;
    }
}

/// The thread's state.
struct Runner {
    keeper: Keeper,
    shared: Arc<Shared>,
    messages: Receiver<Message>,
    log: Sender<LogMessage>,
    policy: SealPolicy,
    cut_nanos: Option<u64>,
    /// How long the generation grew that was cut last.
    grew_nanos: u64,
    /// Seals do not wait for an idle machine before, by monotonic time.
    busy_until_nanos: u64,
    /// Nothing is tried before, by monotonic time.
    pause_until_nanos: u64,
    look_over_at_nanos: u64,
    look_over_every_nanos: u64,
    merges: MergeThread,
    is_merging: bool,
    /// No merge is planned before, by monotonic time.
    merge_at_nanos: u64,
    /// Who waits for a seal, and up to which position of the log.
    waiting: Vec<(u64, Answer)>,
    /// Held until everything is done, whoever waits for it.
    _lock: Arc<dyn Send + Sync>,
}

/// Starts the thread, and that of merges, which tells it what it has done through `own`.
pub(crate) fn start(
    keeper: Keeper,
    shared: Arc<Shared>,
    (own, messages): (Sender<Message>, Receiver<Message>),
    log: Sender<LogMessage>,
    lock: Arc<dyn Send + Sync>,
) -> std::io::Result<JoinHandle<()>> {
    let merges = MergeThread::start(Arc::clone(&shared), Arc::clone(&lock), move |done| {
        // Should the keeper be gone, the next start sweeps what was made.
        let _ = own.send(Message::Merged(Box::new(done)));
    })?;
    let config = &keeper.config;
    let policy = SealPolicy { live_bytes: config.live_bytes, apart: config.seal_apart, age: config.seal_age };
    let look_over_every_nanos = config.look_over_every.as_nanos() as u64;
    let mut runner = Runner {
        keeper,
        shared,
        messages,
        log,
        policy,
        cut_nanos: None,
        grew_nanos: 0,
        busy_until_nanos: 0,
        pause_until_nanos: 0,
        look_over_at_nanos: 0,
        look_over_every_nanos,
        merges,
        is_merging: false,
        merge_at_nanos: 0,
        waiting: Vec::new(),
        _lock: lock,
    };
    std::thread::Builder::new().name("clew-keep".to_owned()).spawn(move || {
        driver::enter_store_thread();
        runner.run();
    })
}

impl Runner {
    fn run(&mut self) {
        self.prepare();
        loop {
            match self.messages.recv_timeout(LOOK_EVERY) {
                Ok(Message::Stop) | Err(RecvTimeoutError::Disconnected) => break,
                Ok(message) => self.handle(message),
                Err(RecvTimeoutError::Timeout) => {}
            }
            self.work();
        }
        for (_, answer) in self.waiting.drain(..) {
            answer(Err(KeepError::Stopping));
        }
        while let Ok(message) = self.messages.try_recv() {
            if let Message::Seal(answer)
            | Message::Expire(answer)
            | Message::Delete { answer, .. }
            | Message::Pin { answer, .. }
            | Message::Unpin { answer, .. }
            | Message::Settle { answer, .. } = message
            {
                answer(Err(KeepError::Stopping));
            }
        }
        self.merges.join();
    }

    /// Reads what first questions want of the newest blocks into half of the cache, until there is something to do.
    fn prepare(&self) {
        let (view, cache) = (self.shared.view.view(), self.keeper.cache());
        for block in view.blocks.iter().rev() {
            let figures = cache.figures();
            if figures.held_bytes > figures.limit_bytes / 2 || !self.messages.is_empty() {
                break;
            }
            block.prepare();
        }
    }

    fn handle(&mut self, message: Message) {
        match message {
            Message::Complete | Message::Stop => {}
            Message::Seal(answer) => match self.cut() {
                Some(through) => self.waiting.push((through, answer)),
                None => answer(Err(KeepError::LogFailed)),
            },
            Message::Delete { tenant, trace_id, answer } => {
                let through = self.cut().ok_or(KeepError::LogFailed);
                answer(through.and_then(|through| self.keeper.delete(tenant, trace_id, through)));
            }
            Message::Pin { tenant, trace_id, note, answer } => answer(self.keeper.pin(tenant, trace_id, note)),
            Message::Unpin { tenant, trace_id, answer } => answer(self.keeper.unpin(tenant, trace_id)),
            Message::Expire(answer) => answer(self.expire()),
            Message::Settle { settlement, is_busy, answer } => answer(self.settle(&settlement, is_busy)),
            Message::Merged(done) => self.merged(*done),
        }
    }

    /// What is due, until nothing is.
    fn work(&mut self) {
        let now = self.shared.clock.monotonic_nanos();
        if self.waiting.is_empty() && now < self.pause_until_nanos {
            return;
        }
        if self.policy.is_cut_due(&self.growth(), now) {
            self.cut();
        }
        while let Some(generation) = self.complete() {
            match self.seal(&generation) {
                Ok(()) => self.well(),
                Err(error) => {
                    let through = generation.to().unwrap_or(u64::MAX);
                    let failed: Vec<_> = self.waiting.extract_if(.., |(at, _)| *at >= through).collect();
                    self.failed("seal", &error);
                    for (_, answer) in failed {
                        answer(Err(KeepError::Disk(error.to_string())));
                    }
                    break;
                }
            }
        }
        let sealed_through = self.keeper.sealed_through();
        let done: Vec<_> = self.waiting.extract_if(.., |(through, _)| *through <= sealed_through).collect();
        for (_, answer) in done {
            answer(Ok(()));
        }
        if now >= self.look_over_at_nanos {
            self.look_over_at_nanos = now.saturating_add(self.look_over_every_nanos);
            if let Err(error) = self.keeper.look_over() {
                self.failed("expire", &error);
            }
        }
        if !self.is_merging && now >= self.merge_at_nanos {
            self.merge_at_nanos = now.saturating_add(MERGE_EVERY_NANOS);
            self.merge();
        }
        self.keeper.bury();
    }

    /// Commits a settlement, whose file is as little of a hurry as the look was that it comes of.
    fn settle(&mut self, settlement: &Settlement, is_busy: bool) -> Result<(), KeepError> {
        let book = Arc::clone(self.keeper.book());
        // Nobody else changes it meanwhile: the look that waits for this, and seals, which are made here.
        let watermark = lock(&book).watermark_after(&settlement.done, settlement.through_unix_nanos);
        let make = |keeper: &mut Keeper| keeper.make_settlement(settlement, watermark);
        let made = if is_busy { None } else { when_idle("clew-look", || make(&mut self.keeper)) };
        let done = made.unwrap_or_else(|| make(&mut self.keeper))?;
        self.keeper.commit_settlement(done, settlement, &mut lock(&book))
    }

    fn seal(&mut self, generation: &Arc<Generation>) -> Result<(), KeepError> {
        match self.make_when_idle(generation)? {
            Some(done) => {
                self.keeper.commit_seal(done)?;
                // To remove large files takes the kernel a while.
                when_idle("clew-seal", || self.keeper.free_log()).unwrap_or_else(|| self.keeper.free_log());
                Ok(())
            }
            None => self.keeper.seal(generation),
        }
    }

    /// Makes a block on a thread that leaves the processors to whoever wants one, if nobody waits for it and spans come so
    /// slowly that it is of no moment when it is done. It is given up when that turns out to be wrong.
    fn make_when_idle(&mut self, generation: &Arc<Generation>) -> Result<Option<SealDone>, KeepError> {
        let now = self.shared.clock.monotonic_nanos();
        if !self.waiting.is_empty() || self.grew_nanos < 2 * IDLE_SEAL_NANOS || now < self.busy_until_nanos {
            return Ok(None);
        }
        let (shared, until, most) = (&self.shared, now + IDLE_SEAL_NANOS, self.policy.live_bytes / IDLE_SEAL_SHARE);
        let is_pressing = || {
            let growing_bytes = || shared.view.view().growing().map_or(0, |growing| growing.live.bytes());
            shared.clock.monotonic_nanos() >= until || growing_bytes() >= most
        };
        match when_idle("clew-seal", || self.keeper.make_seal(generation, &is_pressing)) {
            Some(Err(KeepError::Stopping)) | None => {
                self.busy_until_nanos = now.saturating_add(BUSY_NANOS);
                Ok(None)
            }
            Some(made) => made,
        }
    }

    /// Has what is due next run: a merge, or a block that is written anew.
    fn merge(&mut self) {
        // What is settled later is merged later.
        let settled_through = self.shared.view.view().settled.watermark_unix_nanos();
        match self.keeper.plan_merge(settled_through) {
            Ok(Some(job)) => self.is_merging = self.merges.run(job),
            Ok(None) => {}
            Err(error) => tracing::warn!(%error, "no merge could be planned, to be tried again"),
        }
    }

    /// Commits a merge that ran; the next one may be due at once.
    fn merged(&mut self, done: MergeDone) {
        self.is_merging = false;
        let now = self.shared.clock.monotonic_nanos();
        match self.keeper.commit_merge(done) {
            Ok(_) => self.merge_at_nanos = now,
            Err(KeepError::Stopping) => {}
            Err(error @ KeepError::Poisoned(_)) => self.failed("merge", &error),
            Err(error) => {
                tracing::warn!(%error, "a merge failed; its blocks stay as they are");
                self.merge_at_nanos = now.saturating_add(MERGE_PAUSE_NANOS);
            }
        }
    }

    /// All that is over or deleted, at once.
    fn expire(&mut self) -> Result<(), KeepError> {
        self.keeper.expire()?;
        self.keeper.tend_figures()?;
        self.keeper.purge()?;
        self.keeper.bury();
        Ok(())
    }

    /// Cuts the log; answers the position, or nothing when the log has failed.
    fn cut(&mut self) -> Option<u64> {
        let began = self.growth().began_nanos;
        let (sender, cut) = crossbeam_channel::bounded(1);
        self.log.send(LogMessage::Cut(sender)).ok()?;
        let position = cut.recv().ok()?;
        let now = self.shared.clock.monotonic_nanos();
        self.grew_nanos = began.map_or(0, |began| now.saturating_sub(began));
        self.cut_nanos = Some(now);
        Some(position)
    }

    fn growth(&self) -> Growth {
        let view = self.shared.view.view();
        let growing = view.growing();
        Growth {
            growing_bytes: growing.map_or(0, |growing| growing.live.bytes()),
            began_nanos: growing.and_then(|growing| growing.began_nanos()),
            cut_nanos: self.cut_nanos,
            waiting: view.generations.len().saturating_sub(1),
        }
    }

    /// The oldest generation, if it can be sealed: the log is freed in order.
    fn complete(&self) -> Option<Arc<Generation>> {
        let view = self.shared.view.view();
        view.generations.first().filter(|generation| generation.is_complete()).cloned()
    }

    fn well(&mut self) {
        self.shared.keep_health.set(None);
    }

    fn failed(&mut self, what: &str, error: &KeepError) {
        tracing::error!(%error, "{what} failed, to be tried again");
        self.pause_until_nanos = self.shared.clock.monotonic_nanos().saturating_add(PAUSE_NANOS);
        let name = match error {
            KeepError::Poisoned(_) => HealthReason::CATALOG_FAILED,
            _ => HealthReason::KEEP_FAILED,
        };
        self.shared.keep_health.set(Some(HealthReason { name, detail: format!("{what}: {error}") }));
    }
}
