//! A store between two crashes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use clew_model::scan::ScanError;
use clew_model::{Tenant, TraceId, Verdict};
use clew_store::catalog::Deletion;
use clew_store::keep::{KeepError, KeepTotals, Keeper, MergeDone};
use clew_store::log::{Effect, Event, Failure, Inserted, Machine, Recovered, Writer};
use clew_store::port::{Clock as _, Disk, FaultyDisk, ManualClock};
use clew_store::settle::{Intake, Judge, Recent, Settler, Whole, look};
use clew_store::start::{Started, start};
use clew_store::view::View;
use clew_store::{Batch, Damage, Generation, OpenError, Outcome, Ports, StoreConfig};

use super::judge::{Found, judge, none_is_over, still_read};
use super::ledger::Ledger;
use super::left_out;
use super::script::{Script, Step};

/// With traces that are kept whole for so long, none is dropped in a life.
pub(super) const KEPT_FULL: Duration = Duration::from_hours(100_000);

/// What each event takes.
const EVENT_NANOS: u64 = 1_000_000;

/// Judges by what it judged before, so that a trace that is judged again is judged otherwise.
#[derive(Debug, Default)]
struct Moody(u8);

impl Judge for Moody {
    fn judge(&mut self, trace: Whole<'_>, _: &Recent) -> Verdict {
        self.0 = self.0.wrapping_add(1);
        let keep = trace.summary.error_count > 0 || self.0.is_multiple_of(3);
        Verdict { keep, rule: format!("mood {}", self.0), weight: 3.0, class: String::new() }
    }

    fn state(&self) -> Vec<u8> {
        vec![self.0]
    }

    fn resume(&mut self, state: &[u8]) {
        self.0 = state.first().copied().unwrap_or_default();
    }
}

/// A store whose threads are one.
pub struct Life {
    /// What it found in the log.
    pub recovered: Recovered,
    /// What of the log was damaged.
    pub damage: Arc<[Damage]>,
    /// What of the blocks or the catalog was damaged.
    pub lost: Vec<String>,
    /// The answers, in order: the batch's number and what was said.
    pub answers: Vec<(usize, Outcome)>,
    /// What was wrong while it lived, each with the id of its invariant.
    pub wrong: Vec<String>,
    config: StoreConfig,
    script: Arc<Script>,
    disk: FaultyDisk,
    clock: Arc<ManualClock>,
    keeper: Keeper,
    machine: Machine,
    writer: Writer,
    growing: Arc<Generation>,
    intake: Arc<Intake>,
    settler: Settler,
    /// Each offer's number in the script, and what was offered.
    offered: Vec<(usize, Arc<Batch>)>,
    cut: Option<u64>,
    /// A merge that was run and not yet committed, and the unix hour in which it was planned.
    merged: Option<(MergeDone, u32)>,
    /// How many seals and looks there were.
    background_count: usize,
    reader: Option<(Arc<View>, Found)>,
    ledger: Ledger,
    /// The ledger as it was, by the number of effects on the disk.
    history: Vec<(usize, Ledger)>,
}

impl Life {
    /// Starts as a store does. `port` leads to the disk, by itself or through something that is wrong with it; `ledger` is what
    /// was promised before.
    pub fn boot(
        disk: &FaultyDisk,
        port: Arc<dyn Disk>,
        config: StoreConfig,
        script: &Arc<Script>,
        ledger: &Ledger,
        unix_nanos: u64,
    ) -> Result<Self, OpenError> {
        let clock = Arc::new(ManualClock::new(unix_nanos));
        let ports = Ports { disk: port, clock: Arc::clone(&clock) as _ };
        let Started { keeper, growing, machine, writer, recovered, damage, lost, intake, .. } = start(&config, &ports)?;
        let settler = Settler::new(Box::new(Moody::default()), config.clone(), keeper.judge_state());
        let mut ledger = ledger.clone();
        ledger.drops = config.merge.full_for < KEPT_FULL;
        let view = keeper.view().view();
        ledger.restarted(&view.deletions, &view.pins, script);
        ledger.left_out.restarted(&view);
        Ok(Self {
            recovered,
            damage,
            lost,
            answers: Vec::new(),
            wrong: Vec::new(),
            config,
            script: Arc::clone(script),
            disk: disk.clone(),
            clock,
            keeper,
            machine,
            writer,
            growing,
            intake,
            settler,
            offered: Vec::new(),
            cut: None,
            merged: None,
            background_count: 0,
            reader: None,
            history: vec![(0, ledger.clone())],
            ledger,
        })
    }

    /// All that it holds.
    pub fn view(&self) -> Arc<View> {
        self.keeper.view().view()
    }

    /// How often each batch that the log held, by its number, is in a generation.
    pub fn replayed(&self) -> BTreeMap<usize, u32> {
        let mut replayed = BTreeMap::new();
        for generation in &self.view().generations {
            for request in generation.requests().requests {
                *replayed.entry(request.hash as usize).or_default() += 1;
            }
        }
        replayed
    }

    /// What its keeper did.
    pub fn kept(&self) -> KeepTotals {
        self.keeper.counters().totals()
    }

    /// The time by its clock.
    pub fn unix_nanos(&self) -> u64 {
        self.clock.unix_nanos()
    }

    /// What was promised when so many effects on the disk were done.
    pub fn ledger_at(&self, effects: usize) -> Ledger {
        let before = self.history.iter().rev().find(|(at, _)| *at <= effects);
        before.map(|(_, ledger)| ledger.clone()).unwrap_or_default()
    }

    /// What is promised now.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Whether what it answers is what was promised; the error names the invariant.
    pub fn judge(&mut self) -> Result<(), String> {
        if let Some(damage) = self.damage.first() {
            return Err(format!("L6: damage where only a crash was: {damage}"));
        }
        if let Some(lost) = self.lost.first() {
            return Err(format!("L6: something is lost where only a crash was: {lost}"));
        }
        self.ask().map(drop)?;
        self.wrong.first().map_or(Ok(()), |wrong| Err(wrong.clone()))
    }

    /// Takes the steps until they end or the disk dies, and closes.
    pub fn run(&mut self) {
        let script = Arc::clone(&self.script);
        for step in &script.steps {
            if self.disk.is_dead() {
                return;
            }
            self.take(step);
        }
        self.close();
    }

    /// A graceful stop.
    pub fn close(&mut self) {
        for event in [Event::Stop, Event::Idle, Event::Close] {
            self.step(event);
        }
    }

    /// Takes one step.
    pub fn take(&mut self, step: &Step) {
        match step {
            Step::Offer(batch) => self.offer(*batch),
            Step::Flush => self.step(Event::Flush),
            Step::Idle => self.step(Event::Idle),
            Step::Cut => self.step(Event::Cut),
            Step::Seal => self.seal(),
            Step::Delete(tenant, trace_id) => self.delete(tenant, *trace_id),
            Step::Pin(tenant, trace_id) => self.pin(tenant, *trace_id, true),
            Step::Unpin(tenant, trace_id) => self.pin(tenant, *trace_id, false),
            Step::Expire => self.expire(),
            // What could not be written is tried again; what is read stays the same.
            Step::Purge => drop(self.losing_blocks(Keeper::purge)),
            Step::Merge => self.merge(),
            Step::Bury => self.keeper.bury(),
            Step::Settle => self.settle(),
            Step::Advance(nanos) => self.clock.advance_nanos(*nanos),
            Step::SetBack(nanos) => self.clock.set_back_nanos(*nanos),
            Step::Hold => {
                if let Some(found) = self.check() {
                    self.reader = Some((self.view(), found));
                }
            }
            Step::Release => self.release(),
            Step::Ask => drop(self.check()),
        }
    }

    /// Offers the batch of that number.
    pub fn offer(&mut self, batch: usize) {
        let ticket = self.offered.len() as u64;
        let script = Arc::clone(&self.script);
        let mut stamped = script.batches[batch].clone();
        stamped.received_unix_nanos = self.intake.begin(stamped.received_unix_nanos);
        self.note(|ledger| ledger.offered(ticket, batch, stamped.received_unix_nanos, &script));
        self.offered.push((batch, Arc::new(stamped)));
        let batch = Arc::clone(&self.offered[ticket as usize].1);
        self.step(Event::Offered { ticket, batch, live_full: false });
    }

    /// One event, and all that follows from it.
    pub fn step(&mut self, event: Event) {
        self.clock.advance_nanos(EVENT_NANOS);
        let mut events = vec![event];
        while let Some(event) = events.pop() {
            for effect in self.machine.apply(event, self.clock.monotonic_nanos()) {
                match effect {
                    Effect::Insert { ticket } => events.push(self.insert(ticket)),
                    Effect::Cut { position } => {
                        self.growing = self.keeper.view().cut(self.config.live_shards, position);
                        self.cut = Some(position);
                    }
                    Effect::Reply { ticket, outcome } => self.answer(ticket, outcome),
                    effect => {
                        let result: Result<(), Failure> = self.writer.run(&effect);
                        // The machine has one effect on the disk under way, so it comes after the inserts.
                        events.insert(0, result.map_or_else(Event::Failed, |()| Event::Done));
                    }
                }
            }
        }
    }

    /// The numbers of the batches that were acknowledged.
    pub fn acknowledged(&self) -> impl Iterator<Item = usize> {
        let acknowledged = |outcome: &Outcome| matches!(outcome, Outcome::Stored | Outcome::Repeated);
        self.answers.iter().filter(move |(_, outcome)| acknowledged(outcome)).map(|(batch, _)| *batch)
    }

    fn insert(&mut self, ticket: u64) -> Event {
        let batch = &self.offered[ticket as usize].1;
        self.growing.begin(batch, self.clock.monotonic_nanos());
        self.growing.live.insert(batch).expect("an admitted batch can be read");
        self.growing.end(false);
        self.answer(ticket, Outcome::Stored);
        Event::Inserted { ticket, result: Inserted::Visible }
    }

    fn answer(&mut self, ticket: u64, outcome: Outcome) {
        let (number, batch) = &self.offered[ticket as usize];
        self.intake.answered(batch.received_unix_nanos, outcome);
        self.answers.push((*number, outcome));
        let mut result = Ok(());
        self.note(|ledger| result = ledger.answered(ticket, outcome));
        self.wrong.extend(result.err());
    }

    fn seal(&mut self) {
        let view = self.view();
        if let Some(oldest) = view.generations.first().filter(|generation| generation.is_complete()) {
            // As on a machine that is too busy for what nobody waits for.
            if let Some(steps) = self.gives_up_after() {
                let left = AtomicUsize::new(steps);
                // Should it have been quicker than that, its files are strays.
                let _ = self.keeper.make_seal(oldest, &|| is_over(&left));
            }
            // Should it fail, it is tried again: nothing of what is read changes either way.
            let _ = self.keeper.seal(oldest);
        }
    }

    /// Of some seals and looks, after how many steps they are given up.
    fn gives_up_after(&mut self) -> Option<usize> {
        self.background_count += 1;
        (self.background_count % 4 == 3).then_some(self.background_count / 4 % 5)
    }

    /// Settles what is complete.
    fn settle(&mut self) {
        let now = self.intake.visible_before(self.clock.unix_nanos());
        let hours = self.config.settle.dropped_hours(now);
        self.note(|ledger| ledger.left_out.pass(hours));
        let (views, book) = (Arc::clone(self.keeper.view()), Arc::clone(self.keeper.book()));
        let left = AtomicUsize::new(self.gives_up_after().unwrap_or(usize::MAX));
        let settlement = match look(&mut self.settler, &book, &views, now, &|| is_over(&left)) {
            Ok(settlement) => settlement,
            // It is tried again.
            Err(ScanError::Expired) => return self.settler.give_up(self.keeper.judge_state()),
            Err(error) => return self.wrong.push(format!("L6: what is complete cannot be read: {error}")),
        };
        if settlement.is_empty() {
            return self.keeper.pass(&book.lock().expect("nobody else holds it"), now);
        }
        let result = self.keeper.settle(&settlement, &mut book.lock().expect("nobody else holds it"));
        match result {
            Ok(()) => {
                self.settler.commit(&settlement);
                let script = Arc::clone(&self.script);
                self.note(|ledger| ledger.settled(&settlement, &script));
            }
            // Whether it counts is known after the next start, or it is tried again.
            Err(_) => self.settler.give_up(self.keeper.judge_state()),
        }
    }

    /// Should any of it fail, its blocks stay as they are: nothing of what is read changes either way.
    fn merge(&mut self) {
        if let Some((done, hour)) = self.merged.take() {
            return self.commit_merge(done, hour);
        }
        let hours = self.config.settle.dropped_hours(self.unix_nanos());
        if let Ok(Some(job)) = self.keeper.plan_merge(self.view().settled.watermark_unix_nanos()) {
            self.merged = Some((job.run(&|| false), hours.as_ref().map_or(0, |hours| *hours.end())));
            self.note(|ledger| ledger.left_out.pass(hours));
        }
    }

    fn commit_merge(&mut self, done: MergeDone, hour: u32) {
        let not_kept = if self.ledger.drops { self.ledger.not_kept() } else { BTreeSet::new() };
        let before = left_out::visible(&self.view(), not_kept);
        // All that was left of its inputs was deleted.
        let committed = if done.is_empty() {
            self.losing_blocks(|keeper| keeper.commit_merge(done))
        } else {
            self.keeper.commit_merge(done)
        };
        if matches!(committed, Ok(true)) {
            let view = self.view();
            self.note(|ledger| ledger.left_out.merged(before, &view, hour));
        }
    }

    /// Does what may take blocks away and put none in their place.
    fn losing_blocks<T>(&mut self, lose: impl FnOnce(&mut Keeper) -> Result<T, KeepError>) -> Result<T, KeepError> {
        self.note(|ledger| ledger.left_out.blocks_go());
        let done = lose(&mut self.keeper)?;
        let view = self.view();
        self.note(|ledger| ledger.left_out.blocks_went(&view));
        Ok(done)
    }

    fn delete(&mut self, tenant: &Tenant, trace_id: Option<TraceId>) {
        self.cut = None;
        self.step(Event::Cut);
        // A log that has failed cannot be cut.
        let Some(through) = self.cut else { return };
        let script = Arc::clone(&self.script);
        let is_same = |deletion: &&Deletion| {
            (&deletion.tenant, deletion.trace_id, deletion.through) == (tenant, trace_id, through)
        };
        let known = self.view().deletions.iter().filter(is_same).count();
        self.note(|ledger| ledger.deleting(tenant, trace_id, (through, known), &script));
        match self.keeper.delete(tenant.clone(), trace_id, through) {
            Ok(()) => self.note(|ledger| ledger.deleted(true)),
            // Whether it counts is known after the next start.
            Err(KeepError::Poisoned(_)) => {}
            Err(_) => self.note(|ledger| ledger.deleted(false)),
        }
    }

    /// Pins a trace, or takes its pin off.
    fn pin(&mut self, tenant: &Tenant, trace_id: TraceId, is_pin: bool) {
        // What is gone by now does not come back; nobody pins while that is not known.
        if self.check().is_none() {
            return;
        }
        let was_pinned = self.ledger.pins.contains(&(tenant.clone(), trace_id));
        self.note(|ledger| ledger.pinning(tenant, trace_id));
        let result = if is_pin {
            self.keeper.pin(tenant.clone(), trace_id, None)
        } else {
            self.keeper.unpin(tenant.clone(), trace_id)
        };
        let script = Arc::clone(&self.script);
        match result {
            Ok(()) => self.note(|ledger| ledger.pinned(tenant, trace_id, is_pin, &script)),
            // Whether it counts is known after the next start.
            Err(KeepError::Poisoned(_)) => {}
            Err(_) => self.note(|ledger| ledger.pinned(tenant, trace_id, was_pinned, &script)),
        }
    }

    fn expire(&mut self) {
        let (now, script, retention) = (self.unix_nanos(), Arc::clone(&self.script), self.config.retention.clone());
        self.note(|ledger| ledger.expiring(&retention, now, &script));
        // What could not be merged of settlements is tried again; what is read stays the same.
        let _ = self.keeper.tend_figures();
        if self.losing_blocks(Keeper::expire).is_ok() {
            self.wrong.extend(none_is_over(&self.view(), &retention, now).err());
            self.check();
        }
    }

    fn release(&mut self) {
        if let Some((view, found)) = self.reader.take() {
            self.wrong.extend(still_read(&view, &found).err());
        }
    }

    /// Asks, and remembers what is wrong.
    fn check(&mut self) -> Option<Found> {
        let found = self.ask();
        if let Some((view, found)) = &self.reader {
            self.wrong.extend(still_read(view, found).err());
        }
        found.map_err(|wrong| self.wrong.push(wrong)).ok()
    }

    fn ask(&mut self) -> Result<Found, String> {
        let mut found = Err(String::new());
        // Whether a file has changed is not asked through what is wrong with reads.
        let (view, disk, script) = (self.view(), self.disk.memory().clone(), Arc::clone(&self.script));
        self.note(|ledger| found = judge(&view, &disk, &script, ledger));
        let found = found?;
        self.ledger.left_out.are_known(&view)?;
        Ok(found)
    }

    /// Changes the ledger, and remembers how far the disk was.
    fn note(&mut self, change: impl FnOnce(&mut Ledger)) {
        change(&mut self.ledger);
        self.history.push((self.disk.effects().len(), self.ledger.clone()));
    }
}

/// Whether so many steps were made.
fn is_over(left: &AtomicUsize) -> bool {
    left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_err()
}
