//! Random lives of a whole store: crashes, crashes of starts, full disks and broken ones.

use std::collections::BTreeSet;
use std::sync::Arc;

use clew_sim::crash::{EPOCH_UNIX_NANOS, Ledger, Life, Script, config_of};
use clew_sim::seed::Seed;
use clew_store::port::{Disk, Effect, Fault, FaultyDisk, MemoryDisk};

use super::CRASHES;
use super::plant::Plant;

/// How thoroughly a seed is looked at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Care {
    /// A crash at one of so many effects.
    pub(crate) stride: usize,
    /// Crashes that differ in what the disk kept, at each of these effects.
    pub(crate) crashes: usize,
    /// Runs with a disk that is full once, or broken.
    pub(crate) faults: usize,
}

const USUAL: Care = Care { stride: 60, crashes: 2, faults: 1 };

/// What was seen, so that a simulation in which nothing happens is noticed.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    crashes: usize,
    second_crashes: usize,
    failed_starts: usize,
    torn: usize,
    blocks: usize,
    deletions: usize,
    rewritten: u64,
    expired: u64,
    merges: u64,
    unused_merges: u64,
    full: usize,
    resumed: usize,
    poisoned: usize,
    settled: u64,
    dropped: u64,
    after_drops: u64,
    late: u64,
    behind: u64,
    pinned: usize,
}

/// One seed: all that happens is decided by it.
struct Run<'s> {
    seed: u64,
    random: Seed,
    script: Arc<Script>,
    plant: Option<Plant>,
    seen: &'s mut Seen,
}

/// Lives through a seed; the error says where which invariant does not hold.
pub(crate) fn live(seed: u64, care: Care, plant: Option<Plant>, seen: &mut Seen) -> Result<(), String> {
    let random = Seed::new(seed ^ 0x5eed);
    let script = Arc::new(Script::of_store(seed));
    Run { seed, random, script, plant, seen }.run(care)
}

impl Run<'_> {
    fn boot(&self, disk: &FaultyDisk, ledger: &Ledger, unix_nanos: u64) -> Result<Life, String> {
        let port: Arc<dyn Disk> = match self.plant {
            None => Arc::new(disk.clone()),
            Some(plant) => plant.on(disk),
        };
        Life::boot(disk, port, config_of(self.seed), &self.script, ledger, unix_nanos)
            .map_err(|error| error.to_string())
    }

    fn run(mut self, care: Care) -> Result<(), String> {
        let disk = FaultyDisk::new(MemoryDisk::new());
        let offset = self.random.below(care.stride as u64) as usize;
        (0..5000).filter(|effect| effect % care.stride == offset).for_each(|effect| disk.copy_at(effect));
        let mut life = self.boot(&disk, &Ledger::default(), EPOCH_UNIX_NANOS)?;
        life.run();
        life.judge().map_err(|wrong| format!("seed {}, without a crash: {wrong}", self.seed))?;
        self.count(&life);
        let effects = disk.effects();
        for (effect, copy) in disk.take_copies() {
            let ledger = life.ledger_at(effect);
            let first = self.random.below(CRASHES.len() as u64) as usize;
            for crash in (0..care.crashes).map(|next| CRASHES[(first + next) % CRASHES.len()]) {
                let place = format!("seed {}, effect {effect} {:?}, {crash:?}", self.seed, effects[effect]);
                self.found(&copy.restart(crash), &ledger, life.unix_nanos()).map_err(at(&place))?;
                self.seen.crashes += 1;
            }
            if self.random.percent(30) {
                self.crash_twice(&copy, &ledger, life.unix_nanos()).map_err(at(&format!("effect {effect}")))?;
            }
        }
        let growing: Vec<usize> = (0..effects.len()).filter(|at| is_growth(&effects[*at])).collect();
        for _ in 0..care.faults {
            if self.random.percent(50) {
                let effect = *self.random.pick(&growing);
                let written_bytes = *self.random.pick(&[0, 100, 1 << 20]);
                self.with_fault(effect, Fault::Full { written_bytes })?;
            } else {
                let effect = self.random.below(effects.len() as u64) as usize;
                self.with_fault(effect, Fault::Broken)?;
            }
        }
        Ok(())
    }

    /// A start finds what was promised.
    fn found(&mut self, disk: &FaultyDisk, ledger: &Ledger, unix_nanos: u64) -> Result<Life, String> {
        let mut life = self.boot(disk, ledger, unix_nanos).map_err(|error| format!("it does not start: {error}"))?;
        life.judge()?;
        self.seen.torn += usize::from(life.recovered.torn_bytes > 0);
        Ok(life)
    }

    /// A crash of the start or of what follows it, in which the client sends everything again. The first time it may be the
    /// process alone that dies: what it wrote can be read, and is not durable for that.
    fn crash_twice(&mut self, copy: &FaultyDisk, ledger: &Ledger, unix_nanos: u64) -> Result<(), String> {
        let first = (!self.random.percent(40)).then(|| *self.random.pick(&CRASHES));
        let disk = first.map_or_else(|| FaultyDisk::new(copy.memory().fork()), |crash| copy.restart(crash));
        let most = *self.random.pick(&[8, 200]);
        let effect = self.random.below(most) as usize;
        disk.fail_at(effect, Fault::Crash);
        let place = format!("seed {}, {first:?}, then effect {effect}", self.seed);
        let life = self.live_again(&disk, ledger, unix_nanos).map_err(at(&place))?;
        self.seen.second_crashes += usize::from(disk.is_dead());
        let (ledger, now) = life.unwrap_or_else(|| (ledger.clone(), unix_nanos));
        let second = *self.random.pick(&CRASHES);
        let found = self.found(&disk.restart(second), &ledger, now);
        found.map_err(at(&format!("{place} and {second:?}"))).map(drop)
    }

    /// A start on a disk that may die, and the whole script again; answers what is promised then, and when. Nothing if the disk
    /// died of the start.
    fn live_again(
        &mut self,
        disk: &FaultyDisk,
        ledger: &Ledger,
        unix_nanos: u64,
    ) -> Result<Option<(Ledger, u64)>, String> {
        let mut life = match self.boot(disk, ledger, unix_nanos) {
            Ok(life) => life,
            Err(error) if !disk.is_dead() => return Err(format!("it does not start: {error}")),
            Err(_) => {
                self.seen.failed_starts += 1;
                return Ok(None);
            }
        };
        life.judge()?;
        life.run();
        if !disk.is_dead() {
            life.judge()?;
        }
        match life.wrong.first() {
            Some(wrong) => Err(wrong.clone()),
            None => Ok(Some((life.ledger().clone(), life.unix_nanos()))),
        }
    }

    /// A run in which one effect fails and nobody dies of it.
    fn with_fault(&mut self, effect: usize, fault: Fault) -> Result<(), String> {
        let place = format!("seed {}, {fault:?} at effect {effect}", self.seed);
        let disk = FaultyDisk::new(MemoryDisk::new());
        disk.fail_at(effect, fault);
        let is_full = matches!(fault, Fault::Full { .. });
        let mut life = match self.boot(&disk, &Ledger::default(), EPOCH_UNIX_NANOS) {
            Ok(life) => life,
            Err(error) if is_full => return Err(format!("{place}: it does not start: {error}")),
            Err(_) => return Ok(()),
        };
        life.run();
        life.judge().map_err(at(&place))?;
        let acknowledged: BTreeSet<usize> = life.acknowledged().collect();
        if is_full {
            self.seen.full += 1;
            // A group is refused at most, and what is offered again is taken.
            let script = Arc::clone(&self.script);
            let refused = (0..script.batches.len()).filter(|batch| !acknowledged.contains(batch)).count();
            if refused > 8 {
                return Err(format!("{place}: {refused} of {} batches were refused", script.batches.len()));
            }
            self.seen.resumed += usize::from(refused == 0);
        } else {
            self.seen.poisoned += usize::from(acknowledged.len() < self.script.batches.len());
        }
        let crash = *self.random.pick(&CRASHES);
        let found = self.found(&disk.restart(crash), life.ledger(), life.unix_nanos());
        found.map_err(at(&format!("{place}, {crash:?}")))?;
        // Or the process is started again, and only then the power fails.
        let (crash, disk) = (*self.random.pick(&CRASHES), FaultyDisk::new(disk.memory().fork()));
        let place = format!("{place}, started again, {crash:?}");
        let again = self.live_again(&disk, life.ledger(), life.unix_nanos()).map_err(at(&place))?;
        let (ledger, now) = again.unwrap_or_else(|| (life.ledger().clone(), life.unix_nanos()));
        self.found(&disk.restart(crash), &ledger, now).map_err(at(&place)).map(drop)
    }

    fn count(&mut self, life: &Life) {
        let (view, kept) = (life.view(), life.kept());
        self.seen.blocks += view.blocks.len();
        self.seen.pinned += view.pins.len();
        self.seen.deletions += view.deletions.len();
        self.seen.rewritten += kept.rewritten_blocks;
        self.seen.expired += kept.expired_blocks;
        let (settled, late) = life.ledger().settled_traces();
        self.seen.settled += settled;
        self.seen.late += late;
        self.seen.after_drops += life.ledger().settled_after_drops();
        self.seen.behind += life.ledger().settlements_behind();
        self.seen.merges += kept.merges;
        self.seen.unused_merges += kept.unused_merges;
        self.seen.dropped += kept.dropped_spans;
    }
}

/// Whether an effect needs room.
fn is_growth(effect: &Effect) -> bool {
    matches!(effect, Effect::Create | Effect::Write(_) | Effect::SetLength)
}

fn at(place: &str) -> impl FnOnce(String) -> String {
    move |wrong| format!("{place}: {wrong}")
}

/// A number from the environment.
fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |text| text.parse().unwrap_or_else(|_| panic!("{name} is not a number")))
}

/// `cargo xtask sim --seeds N --from S` says which seeds.
#[test]
fn every_invariant_holds_for_every_seed() {
    let from = number("CLEW_SIM_FROM", 0);
    let seeds = number("CLEW_SIM_SEEDS", 500);
    let mut seen = Seen::default();
    let mut failing = Vec::new();
    for seed in from..from + seeds {
        if let Err(wrong) = live(seed, USUAL, None, &mut seen) {
            println!("failing seed {seed}: {wrong}");
            failing.push(seed);
        }
    }
    println!("{seeds} seeds from {from}: {seen:?}");
    assert!(failing.is_empty(), "failing seeds: {failing:?}");
    if seeds >= 300 {
        let Seen { crashes, second_crashes, failed_starts, torn, blocks, deletions, .. } = seen;
        let Seen { rewritten, expired, merges, unused_merges, full, resumed, poisoned, settled, late, dropped, .. } =
            seen;
        let (behind, after_drops, pinned) = (seen.behind, seen.after_drops, seen.pinned as u64);
        let counts = [crashes, second_crashes, failed_starts, torn, blocks, deletions, full, resumed, poisoned];
        assert!(counts.iter().all(|count| *count > 20), "{seen:?}");
        assert!(
            [rewritten, expired, settled, late, dropped, behind, pinned].iter().all(|count| *count > 20)
                && merges > 100
                && unused_merges > 3
                && after_drops > 20,
            "{seen:?}"
        );
    }
}

/// Short lives with blocks, settlements, rewrites, expiries and deletions.
const THOROUGH: [u64; 2] = [54, 45];

#[test]
fn every_invariant_holds_after_a_crash_at_every_effect() {
    let every = Care { stride: 1, crashes: 5, faults: 0 };
    let mut seen = Seen::default();
    live(THOROUGH[0], every, None, &mut seen).unwrap_or_else(|wrong| panic!("{wrong}"));
    println!("{seen:?}");
    assert!(seen.crashes > 500 && seen.rewritten > 0 && seen.deletions > 0 && seen.settled > 2, "{seen:?}");
}

#[test]
fn every_invariant_holds_when_any_effect_fails() {
    let mut seen = Seen::default();
    let script = Arc::new(Script::of_store(THOROUGH[1]));
    let mut run = Run { seed: THOROUGH[1], random: Seed::new(0), script, plant: None, seen: &mut seen };
    let disk = FaultyDisk::new(MemoryDisk::new());
    let mut life = run.boot(&disk, &Ledger::default(), EPOCH_UNIX_NANOS).expect("an empty disk");
    life.run();
    for (effect, what) in disk.effects().iter().enumerate() {
        if is_growth(what) {
            let written_bytes = [0, 100, 1 << 20][effect % 3];
            run.with_fault(effect, Fault::Full { written_bytes }).unwrap_or_else(|wrong| panic!("{wrong}"));
        }
        run.with_fault(effect, Fault::Broken).unwrap_or_else(|wrong| panic!("{wrong}"));
    }
    println!("{seen:?}");
    assert!(seen.full > 20 && seen.poisoned > 20, "{seen:?}");
}

/// Seeds that failed once. 276: a block that was written anew without one tenant was over for another, whose youngest spans
/// had been deleted. 55: a block that was written anew before it was settled lost a late span of a trace that was to be
/// dropped. 307 and 472: a block for whose traces there was no room was written anew, and the new one was taken as counted.
/// 22: a pin whose sync had failed was taken off, with success, and counted after a restart. 2801: the clock
/// was set back after a tenant had been deleted, and what came then was taken for settled before. The others: the ledger took a span that another batch had brought too for a batch that was over.
#[test]
fn every_invariant_holds_for_seeds_that_failed_once() {
    for seed in [22, 55, 276, 307, 472, 2801, 10_141, 10_506, 40_124, 40_455] {
        live(seed, USUAL, None, &mut Seen::default()).unwrap_or_else(|wrong| panic!("{wrong}"));
    }
}
