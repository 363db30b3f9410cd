//! Merges by the threads of a store.

use super::blocks::{block_files, seal, trace};
use super::*;
use crate::keep::MergePolicy;

fn merging(disk: &FaultyDisk, clock: &Arc<ManualClock>) -> Store {
    let merge = MergePolicy { fan_in: 3, block_bytes: 1 << 20, full_for: Duration::from_hours(1) };
    let ports = Ports { disk: Arc::new(disk.clone()), clock: Arc::clone(clock) as Arc<dyn Clock> };
    Store::open(StoreConfig { merge, ..config() }, ports).unwrap()
}

/// Waits for something that threads do.
fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let deadline = SystemClock::new();
    while !is_so() {
        assert!(deadline.monotonic_nanos() < WAIT.as_nanos() as u64, "{what} does not come");
        std::thread::yield_now();
    }
}

#[test]
fn settled_blocks_are_merged_while_others_are_sealed() {
    let (disk, clock) = (disk(), Arc::new(ManualClock::new(testing::NOW_UNIX_NANOS)));
    let store = merging(&disk, &clock);
    for number in 1..4 {
        assert_eq!(put(&store, batch(number, 5)), Outcome::Stored);
        seal(&store).unwrap();
    }
    let before = all_spans(&*store.spans());
    // Not before all that is expected of their traces has come.
    assert_eq!((store.figures().blocks, store.figures().kept.merges), (3, 0));
    clock.advance_nanos(Duration::from_mins(6).as_nanos() as u64);
    let (sender, settled) = mpsc::channel();
    store.settle(move |result| sender.send(result).unwrap());
    settled.recv_timeout(WAIT).unwrap().unwrap();
    // The next time that a merge is looked for; requests are known for ten minutes.
    clock.advance_nanos(Duration::from_secs(30).as_nanos() as u64);
    wait_until("a merge", || store.figures().kept.merges == 1);
    assert_eq!(store.figures().blocks, 1);
    wait_until("the end of the inputs", || block_files(&disk).len() == 2);
    assert_eq!(all_spans(&*store.spans()), before);
    assert_eq!(put(&store, batch(1, 5)), Outcome::Repeated);
    assert_eq!(names(&store), Vec::<&str>::new());
    store.close().unwrap();

    let store = merging(&disk, &clock);
    assert_eq!(all_spans(&*store.spans()), before);
    assert_eq!(put(&store, batch(2, 5)), Outcome::Repeated, "a restart knows the requests of merged blocks");
    let rows = store.spans().rows(&Tenant::default(), &[trace(3)], &|| false).unwrap();
    assert_eq!((rows.spans.len(), rows.incomplete), (5, None));
}
