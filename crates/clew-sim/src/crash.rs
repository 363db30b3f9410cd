//! A store's life in one thread: the very machine, writer and recovery that ship, on a disk that can die.
//!
//! [`Life::boot`] finds the log as the disk has it; offers, flushes and quiet moments are steps; the disk may die in any
//! of them. The ledger says afterwards what had been acknowledged.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use clew_model::{Span, Tenant};
use clew_store::log::{Effect, Event, Failure, Inserted, Machine, Recovered, Writer, recover};
use clew_store::port::{Clock, FaultyDisk, ManualClock};
use clew_store::{Batch, Encoding, Live, LiveConfig, OpenError, Outcome, Protocol, Source, StoreConfig, Tenants};
use clew_wire::otlp::{self, Limits};

use crate::seed::Seed;
use crate::workload::Workload;

/// Where the simulated store keeps its data.
pub const DATA_DIR: &str = "/sim";

/// When simulated time begins, in unix nanoseconds.
pub const EPOCH_UNIX_NANOS: u64 = 1_790_000_000_000_000_000;

/// One step of a recorded run.
#[derive(Debug, Clone)]
pub enum Step {
    /// Offer the batch of that number; some are offered twice, as by a client whose answer was lost.
    Offer(usize),
    /// Commit what waits.
    Flush,
    /// A quiet second.
    Idle,
}

/// A run that can be repeated: its batches, and what is done with them.
#[derive(Debug)]
pub struct Script {
    /// The batches.
    pub batches: Vec<Batch>,
    /// The steps.
    pub steps: Vec<Step>,
}

impl Script {
    /// A run of that many group commits.
    pub fn new(seed: u64, flushes: usize) -> Self {
        let mut random = Seed::new(seed);
        let mut workload = Workload::new(random.next_u64());
        let mut script = Self { batches: Vec::new(), steps: Vec::new() };
        for _ in 0..flushes {
            for _ in 0..random.between(1, 4) {
                let number = script.batches.len();
                let spans = workload.next_request(random.between(1, 6) as usize, EPOCH_UNIX_NANOS);
                script.batches.push(batch(number, &spans));
                script.steps.push(Step::Offer(number));
                if random.percent(15) {
                    script.steps.push(Step::Offer(random.below(number as u64 + 1) as usize));
                }
            }
            script.steps.push(Step::Flush);
            if random.percent(10) {
                script.steps.push(Step::Idle);
            }
        }
        script
    }
}

/// A batch of spans, as admitted; its number is its hash.
pub fn batch(number: usize, spans: &[Span]) -> Batch {
    let body = Bytes::from(otlp::encode(spans));
    Batch {
        protocol: Protocol::Otlp,
        encoding: Encoding::Identity,
        stored: body.clone(),
        body,
        tenants: Tenants::one(Tenant::default()),
        rejected: Vec::new(),
        limits: Limits::default(),
        received_unix_nanos: EPOCH_UNIX_NANOS,
        body_hash: number as u128,
        span_count: spans.len() as u32,
        source: Source::default(),
    }
}

/// The settings of a simulated store: small segments, so that there are many.
pub fn config() -> StoreConfig {
    StoreConfig { segment_bytes: 24 * 1024, group_bytes: 8 * 1024, ..StoreConfig::new(DATA_DIR) }
}

/// A store between two crashes.
pub struct Life {
    /// What it found.
    pub recovered: Recovered,
    /// How often each batch, by its hash, was replayed.
    pub replayed: BTreeMap<u128, u32>,
    /// Its spans.
    pub live: Live,
    /// The answers, in order: the batch's hash and what was said.
    pub answers: Vec<(u128, Outcome)>,
    clock: Arc<ManualClock>,
    machine: Machine,
    writer: Writer,
    offered: Vec<Arc<Batch>>,
}

impl Life {
    /// Finds the log on the disk and goes on where it ends.
    pub fn boot(disk: &FaultyDisk, config: &StoreConfig) -> Result<Self, OpenError> {
        let clock = Arc::new(ManualClock::new(EPOCH_UNIX_NANOS));
        let live = Live::new(LiveConfig { shards: 2, bytes_max: usize::MAX });
        let mut replayed = BTreeMap::new();
        let mut recovered = recover(&config.data_dir, disk, 0, &mut |found| {
            *replayed.entry(found.header.body_hash).or_default() += 1;
            let batch = found.header.into_batch(found.stored).expect("a frame whose checksum matches decompresses");
            live.insert(&batch).expect("a frame whose checksum matches can be read");
        })?;
        let machine = Machine::new(config, std::mem::take(&mut recovered.resume));
        let folder: PathBuf = Path::new(&config.data_dir).join("log");
        let writer = Writer::new(Arc::new(disk.clone()), Arc::clone(&clock) as Arc<dyn Clock>, folder);
        let (answers, offered) = (Vec::new(), Vec::new());
        Ok(Self { recovered, replayed, live, answers, clock, machine, writer, offered })
    }

    /// Runs steps until they end, and closes; or until the disk dies.
    pub fn run(&mut self, script: &Script, disk: &FaultyDisk) {
        for step in &script.steps {
            if disk.is_dead() {
                return;
            }
            match step {
                Step::Offer(number) => self.offer(&script.batches[*number]),
                Step::Flush => self.step(Event::Flush),
                Step::Idle => self.step(Event::Idle),
            }
        }
        self.close();
    }

    /// A graceful stop.
    pub fn close(&mut self) {
        for event in [Event::Stop, Event::Idle, Event::Close] {
            self.step(event);
        }
    }

    /// Offers a batch.
    pub fn offer(&mut self, batch: &Batch) {
        let batch = Arc::new(batch.clone());
        let ticket = self.offered.len() as u64;
        self.offered.push(Arc::clone(&batch));
        self.step(Event::Offered { ticket, batch, live_full: self.live.is_full() });
    }

    /// One event, and all that follows from it.
    pub fn step(&mut self, event: Event) {
        self.clock.advance_nanos(1_000_000);
        let mut events = vec![event];
        while let Some(event) = events.pop() {
            for effect in self.machine.apply(event, self.clock.monotonic_nanos()) {
                match effect {
                    Effect::Insert { ticket } => {
                        let batch = Arc::clone(&self.offered[ticket as usize]);
                        self.live.insert(&batch).expect("an admitted batch can be read");
                        self.answers.push((batch.body_hash, Outcome::Stored));
                        events.push(Event::Inserted { ticket, result: Inserted::Visible });
                    }
                    Effect::Reply { ticket, outcome } => {
                        self.answers.push((self.offered[ticket as usize].body_hash, outcome));
                    }
                    effect => {
                        let result: Result<(), Failure> = self.writer.run(&effect);
                        // The machine has one effect on the disk under way, so it comes after the inserts.
                        events.insert(0, result.map_or_else(Event::Failed, |()| Event::Done));
                    }
                }
            }
        }
    }

    /// The hashes of the batches that were acknowledged.
    pub fn acknowledged(&self) -> impl Iterator<Item = u128> {
        let acknowledged = |outcome: &Outcome| matches!(outcome, Outcome::Stored | Outcome::Repeated);
        self.answers.iter().filter(move |(_, outcome)| acknowledged(outcome)).map(|(hash, _)| *hash)
    }
}
