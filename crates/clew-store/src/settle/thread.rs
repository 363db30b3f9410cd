//! The thread that a store settles on. It reads and judges; the keeper commits.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use clew_model::scan::{ScanError, SpanSource as _};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};

use super::{Book, Intake, Settlement, Settler, SpanTotals, sources};
use crate::driver::{self, Shared};
use crate::figures::Histogram;
use crate::keep::KeepError;
use crate::keep::thread::Message as KeepMessage;
use crate::pace::{Pace, when_idle};
use crate::view::ViewCell;
use crate::{HealthReason, SettleConfig, StoreConfig};

/// After a look at a steady pace, so many times as long is left to others.
const REST_FACTOR: u32 = 2;

/// How long a look may take at an idle pace: then the machine is too busy for that, and for the next one.
const IDLE_LOOK: Duration = Duration::from_secs(10);

/// An answer that somebody waits for.
pub(crate) type Answer = Box<dyn FnOnce(Result<(), KeepError>) + Send>;

/// What the thread is told.
pub(crate) enum Message {
    /// Look now.
    Look(Answer),
    /// End.
    Stop,
}

/// What was settled since the start.
#[derive(Debug)]
pub struct SettleCounters {
    /// How long traces waited to be settled after they were complete.
    pub delay_seconds: Histogram,
    /// How long looks took that settled something.
    pub look_seconds: Histogram,
    /// CPU time of looks, in nanoseconds.
    pub cpu_nanos: AtomicU64,
    /// Figures that only grow.
    totals: Mutex<SettleTotals>,
    /// The figures of what was settled, as counters.
    spans: Mutex<SpanTotals>,
}

/// Sums since the start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SettleTotals {
    /// Traces settled; one that was settled again counts again.
    pub traces: u64,
    /// Those of them of which late spans came.
    pub late_traces: u64,
    /// Spans that came after their trace had been settled.
    pub late_spans: u64,
    /// Identical spans left out.
    pub duplicate_spans: u64,
    /// Traces that were settled before they were complete, since memory for pending ones is bounded.
    pub early_traces: u64,
    /// Traces settled without a root.
    pub rootless_traces: u64,
    /// Traces by the rule of their verdict: kept, and to be dropped.
    pub by_rule: BTreeMap<String, (u64, u64)>,
}

impl SettleCounters {
    /// Nothing settled yet.
    pub(crate) fn new(config: &SettleConfig) -> Self {
        Self {
            delay_seconds: Histogram::new(),
            look_seconds: Histogram::new(),
            cpu_nanos: AtomicU64::new(0),
            totals: Mutex::default(),
            spans: Mutex::new(SpanTotals::new(config.metric_series)),
        }
    }

    /// Looks at the figures of what was settled. What is settled meanwhile waits.
    pub(crate) fn read_spans<T>(&self, read: impl FnOnce(&SpanTotals) -> T) -> T {
        read(&self.spans.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The sums now.
    pub fn totals(&self) -> SettleTotals {
        self.totals.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Adds what was committed.
    pub(crate) fn add(&self, settlement: &Settlement, config: &StoreConfig) {
        {
            let mut spans = self.spans.lock().unwrap_or_else(PoisonError::into_inner);
            settlement.tenants.iter().for_each(|settled| spans.add(&settled.tenant, &settled.rollup));
        }
        let mut totals = self.totals.lock().unwrap_or_else(PoisonError::into_inner);
        totals.early_traces += settlement.early_count;
        totals.duplicate_spans += settlement.duplicate_count;
        for settled in &settlement.tenants {
            let rule = config.settle.completion(&settled.tenant);
            for record in &settled.records {
                totals.traces += 1;
                totals.late_traces += u64::from(record.late_span_count > 0);
                totals.late_spans += record.late_span_count;
                totals.rootless_traces += u64::from(!record.summary.root_seen);
                if let Some(verdict) = settlement.verdicts.get(usize::from(record.verdict)) {
                    let (kept, dropped) = totals.by_rule.entry(verdict.rule.clone()).or_default();
                    *kept += u64::from(verdict.keep);
                    *dropped += u64::from(!verdict.keep);
                }
                let complete = record.last_received_unix_nanos.saturating_add(rule.idle.as_nanos() as u64);
                self.delay_seconds.observe_nanos(settlement.through_unix_nanos.saturating_sub(complete));
            }
        }
    }
}

/// How a look ended.
enum Looked {
    /// What was complete is settled.
    Done,
    /// There may be more.
    OutOfTime,
}

struct Runner {
    settler: Settler,
    judge_state: Vec<u8>,
    book: Arc<Mutex<Book>>,
    intake: Arc<Intake>,
    shared: Arc<Shared>,
    keeper: Sender<KeepMessage>,
    messages: Receiver<Message>,
    config: StoreConfig,
}

/// What the thread is given.
pub(crate) struct Parts {
    pub(crate) settler: Settler,
    pub(crate) judge_state: Vec<u8>,
    pub(crate) book: Arc<Mutex<Book>>,
    pub(crate) intake: Arc<Intake>,
    pub(crate) config: StoreConfig,
}

/// Starts the thread.
pub(crate) fn start(parts: Parts, shared: Arc<Shared>, messages: Receiver<Message>) -> std::io::Result<JoinHandle<()>> {
    let Parts { settler, judge_state, book, intake, config } = parts;
    let keeper = shared.keeper.clone();
    let mut runner = Runner { settler, judge_state, book, intake, shared, keeper, messages, config };
    std::thread::Builder::new().name("clew-settle".to_owned()).spawn(move || {
        driver::enter_store_thread();
        Pace::Steady.enter();
        runner.run();
    })
}

impl Runner {
    fn run(&mut self) {
        let (mut rest, mut is_busy) = (self.config.settle.every, false);
        loop {
            let answer = match self.messages.recv_timeout(rest) {
                Ok(Message::Stop) | Err(RecvTimeoutError::Disconnected) => return,
                Ok(Message::Look(answer)) => Some(answer),
                Err(RecvTimeoutError::Timeout) => None,
            };
            let started = self.shared.clock.monotonic_nanos();
            // Who waits for a look is not to wait for the rest of the machine.
            let mut result = if is_busy || answer.is_some() { Ok(Looked::OutOfTime) } else { self.look_when_idle() };
            let is_steady = matches!(result, Ok(Looked::OutOfTime));
            if is_steady {
                result = self.look_until_done(None);
            }
            let took = Duration::from_nanos(self.shared.clock.monotonic_nanos().saturating_sub(started));
            is_busy = is_steady && took > IDLE_LOOK / 2;
            rest = self.config.settle.every.max(if is_steady { took * REST_FACTOR } else { Duration::ZERO });
            let result = result.map(drop).inspect_err(|error| self.failed(error));
            if let Some(answer) = answer {
                answer(result);
            }
        }
    }

    /// Looks on a thread that leaves the processors to whoever wants one.
    fn look_when_idle(&mut self) -> Result<Looked, KeepError> {
        let until = self.shared.clock.monotonic_nanos().saturating_add(IDLE_LOOK.as_nanos() as u64);
        // Without a thread the look is done here.
        when_idle("clew-look", || self.look_until_done(Some(until))).unwrap_or(Ok(Looked::OutOfTime))
    }

    /// Settles until nothing is complete, or until that instant of monotonic time.
    fn look_until_done(&mut self, until: Option<u64>) -> Result<Looked, KeepError> {
        let cpu_before = thread_cpu_nanos();
        let looked = catch_unwind(AssertUnwindSafe(|| self.looks(until)));
        let looked = looked.unwrap_or_else(|_| Err(bug())).inspect_err(|_| self.settler.give_up(&self.judge_state));
        let cpu_nanos = thread_cpu_nanos().saturating_sub(cpu_before);
        self.shared.settled.cpu_nanos.fetch_add(cpu_nanos, Ordering::Relaxed);
        looked
    }

    fn looks(&mut self, until: Option<u64>) -> Result<Looked, KeepError> {
        let shared = Arc::clone(&self.shared);
        let is_late = || until.is_some_and(|until| shared.clock.monotonic_nanos() >= until);
        while !self.is_stopping() {
            let started = shared.clock.monotonic_nanos();
            let now = self.intake.visible_before(shared.clock.unix_nanos());
            let expired = || shared.is_stopping() || is_late();
            let settlement = match look(&mut self.settler, &self.book, &shared.view, now, &expired) {
                Ok(settlement) => settlement,
                Err(ScanError::Expired) if is_late() => {
                    self.settler.give_up(&self.judge_state);
                    return Ok(Looked::OutOfTime);
                }
                Err(error) => return Err(KeepError::Block(error.to_string())),
            };
            self.tell_behind(settlement.is_behind);
            if settlement.is_empty() {
                let watermark = lock(&self.book).watermark_after(&BTreeMap::new(), now);
                shared.view.change(|view| view.settled.pass_watermark(watermark));
                return Ok(Looked::Done);
            }
            // What there was no room for has it once this is counted.
            let has_more = settlement.has_more || settlement.is_behind;
            self.commit(settlement, until.is_none())?;
            let took = shared.clock.monotonic_nanos().saturating_sub(started);
            shared.settled.look_seconds.observe_nanos(took);
            if !has_more {
                return Ok(Looked::Done);
            }
        }
        Err(KeepError::Stopping)
    }

    fn commit(&mut self, settlement: Settlement, is_busy: bool) -> Result<(), KeepError> {
        let settlement = Arc::new(settlement);
        let (sender, answer) = crossbeam_channel::bounded(1);
        let message = KeepMessage::Settle {
            settlement: Arc::clone(&settlement),
            is_busy,
            answer: Box::new(move |result| drop(sender.send(result))),
        };
        let sent = self.keeper.send(message).map_err(|_| KeepError::Stopping);
        let result = sent.and_then(|()| answer.recv().unwrap_or(Err(KeepError::Stopping)));
        if result.is_ok() {
            self.settler.commit(&settlement);
            self.shared.settled.add(&settlement, &self.config);
            self.judge_state.clone_from(&settlement.judge_state);
        }
        result
    }

    fn is_stopping(&self) -> bool {
        self.shared.is_stopping()
    }

    /// Tells the health whether there was room for all that arrived.
    fn tell_behind(&self, is_behind: bool) {
        let reason = || {
            HealthReason {
            name: HealthReason::SETTLE_BEHIND,
            detail: "more traces wait to be settled than settle.pending_bytes has room for; spans are safe and found, verdicts and \
                     figures of whole traces come later"
                .to_owned(),
        }
        };
        self.shared.settle_health.set(is_behind.then(reason));
    }

    fn failed(&self, error: &KeepError) {
        if matches!(error, KeepError::Stopping) || self.is_stopping() {
            return;
        }
        tracing::error!(%error, "settling failed, to be tried again");
        let detail = format!("settle: {error}; spans are safe and found, figures of whole traces wait");
        self.shared.settle_health.set(Some(HealthReason { name: HealthReason::KEEP_FAILED, detail }));
    }
}

impl Shared {
    fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }
}

/// One look: takes in what arrived, as far as there is room, and settles what is complete. `now` is what
/// [`Intake::visible_before`] said: a view that is taken afterwards shows all that was received before.
pub fn look(
    settler: &mut Settler,
    book: &Mutex<Book>,
    views: &ViewCell,
    now: u64,
    expired: &(dyn Fn() -> bool + Sync),
) -> Result<Settlement, ScanError> {
    let allowance = settler.allowance(&lock(book));
    let is_behind = !sources::take_in(book, &views.view(), now, allowance, expired)?;
    let unprobed = settler.unprobed(&mut lock(book));
    for (tenant, ids) in unprobed {
        // What cannot be read now has no root: age settles it.
        let summaries = views.view().summaries(&tenant, &ids, expired)?.summaries;
        let rooted: Vec<_> = summaries.iter().filter(|summary| summary.root_seen).map(|known| known.trace_id).collect();
        lock(book).rooted(&tenant, &rooted);
    }
    let (due, early_count, through) = {
        let book = lock(book);
        let (due, early_count) = settler.due(&book);
        (due, early_count, book.seen_before())
    };
    let settlement = settler.look(views, due, through, expired)?;
    Ok(Settlement { early_count, is_behind, ..settlement })
}

/// A look that panicked.
fn bug() -> KeepError {
    KeepError::Block("a look at what is complete failed: a bug of clew".to_owned())
}

/// CPU time of the calling thread.
fn thread_cpu_nanos() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// The book, whoever holds it died: it is changed in steps that leave it whole.
pub(crate) fn lock(book: &Mutex<Book>) -> MutexGuard<'_, Book> {
    book.lock().unwrap_or_else(PoisonError::into_inner)
}
