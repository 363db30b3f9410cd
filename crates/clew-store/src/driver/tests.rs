use std::sync::mpsc;

use super::*;
use crate::Live;
use crate::log::Resume;
use crate::port::{ManualClock, MemoryDisk};
use crate::{StoreConfig, testing};

const WAIT: Duration = Duration::from_secs(20);

/// A clock whose wall time cannot be told: whoever asks panics.
struct BrokenClock(ManualClock);

impl Clock for BrokenClock {
    fn unix_nanos(&self) -> u64 {
        panic!("a clock that panics, as this test wants")
    }

    fn monotonic_nanos(&self) -> u64 {
        self.0.monotonic_nanos()
    }
}

fn shared() -> Arc<Shared> {
    Arc::new(Shared {
        view: Arc::new(ViewCell::default()),
        live_bytes_max: usize::MAX,
        live_shards: 2,
        keeper: crossbeam_channel::unbounded().0,
        keep_health: KeepHealth::default(),
        settle_health: KeepHealth::default(),
        settled: SettleCounters::new(&crate::SettleConfig::default()),
        intake: Arc::default(),
        clock: Arc::new(ManualClock::default()),
        stopping: AtomicBool::new(false),
        status: Mutex::new(Status::Well),
        unreadable: Mutex::new(None),
        counters: Counters::default(),
    })
}

fn reply(shared: &Arc<Shared>, batch: &Batch, answers: &mpsc::Sender<Outcome>) -> Reply {
    let answers = answers.clone();
    shared.counters.queue_bytes.fetch_add(1, Ordering::Relaxed);
    Reply::new(Arc::clone(shared), batch, 1, Box::new(move |outcome| answers.send(outcome).unwrap()))
}

#[test]
fn l7_a_worker_outlives_a_batch_that_makes_it_panic_and_tells_the_log() {
    let shared = shared();
    let generation = Arc::new(Generation::new(Live::new(2), 0));
    let (jobs, queue) = crossbeam_channel::unbounded();
    let (messages, told) = crossbeam_channel::unbounded();
    let (answers, answered) = mpsc::channel();
    for ticket in 1..=3 {
        let mut batch = testing::batch(ticket, 2);
        if ticket == 2 {
            // The machine refuses such a batch, and the live head relies on that.
            batch.tenants.names.clear();
        }
        let reply = reply(&shared, &batch, &answers);
        generation.begin(&batch, 0);
        let generation = Arc::clone(&generation);
        jobs.send(Job { ticket, batch: Arc::new(batch), generation, reply }).unwrap();
    }
    drop(jobs);
    std::thread::scope(|scope| scope.spawn(|| work(&shared, &queue, &messages)).join()).unwrap();
    let outcomes: Vec<Outcome> = answered.try_iter().collect();
    assert_eq!(outcomes, [Outcome::Stored, Outcome::Refused(RefuseReason::LogFailed), Outcome::Stored]);
    let results: Vec<Inserted> = told
        .try_iter()
        .map(|message| if let Message::Inserted { result, .. } = message { result } else { panic!("no result") })
        .collect();
    assert_eq!(results, [Inserted::Visible, Inserted::Failed, Inserted::Visible]);
    assert_eq!(generation.live.span_count(), 4);
    generation.cut(1);
    assert!(!generation.is_complete(), "only a replay can tell what it holds");
    assert_eq!(shared.counters.queue_batches.load(Ordering::Relaxed), 0);
}

#[test]
fn l7_every_offer_is_answered_when_the_log_thread_panics() {
    let shared = shared();
    let machine = Machine::new(&StoreConfig::new("/data"), Resume::default());
    // It asks for the time when it makes the first segment.
    let clock = Arc::new(BrokenClock(ManualClock::default()));
    let writer = Writer::new(Arc::new(MemoryDisk::new()), clock, "/data/log".into());
    let config = DriverConfig { workers: 2, idle_after: Duration::from_secs(1), group_bytes: 1 << 20 };
    let growing = Arc::new(Generation::new(Live::new(2), 0));
    let (messages, thread) = start(&config, Arc::clone(&shared), machine, writer, growing, Arc::new(())).unwrap();
    let (answers, answered) = mpsc::channel();
    for number in 1..=20 {
        let batch = testing::batch(number, 1);
        let reply = reply(&shared, &batch, &answers);
        let _ = messages.send(Message::Offer(Arc::new(batch), reply));
    }
    for _ in 1..=20 {
        assert_eq!(answered.recv_timeout(WAIT), Ok(Outcome::Refused(RefuseReason::LogFailed)));
    }
    assert!(thread.join().unwrap().is_err());
    assert!(matches!(&*shared.status.lock().unwrap(), Status::Failed(what) if what.contains("log thread")));
    assert_eq!(shared.counters.queue_batches.load(Ordering::Relaxed), 0);
}
