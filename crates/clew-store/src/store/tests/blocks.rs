//! A store whose spans lie in blocks, in memory, or in both.

use clew_model::scan::{Condition, Field, Op, ScanRequest, SpanFilter, TimeRange};
use clew_model::{Notes, Span};

use super::*;
use crate::keep::{KeepError, MergePolicy, Retention, SizeLimit, TenantRetention};
use crate::port::{Crash, Effect, Kept};

/// Waits for what the keeper's thread answers.
fn done(ask: impl FnOnce(Box<dyn FnOnce(Result<(), KeepError>) + Send>)) -> Result<(), KeepError> {
    let (sender, receiver) = mpsc::channel();
    ask(Box::new(move |result| sender.send(result).unwrap()));
    receiver.recv_timeout(WAIT).unwrap()
}

pub(super) fn seal(store: &Store) -> Result<(), KeepError> {
    done(|answer| store.seal(answer))
}

pub(super) fn expire(store: &Store) -> Result<(), KeepError> {
    done(|answer| store.expire(answer))
}

pub(super) fn delete(store: &Store, tenant: &Tenant, trace_id: Option<TraceId>) -> Result<(), KeepError> {
    done(|answer| store.delete(tenant.clone(), trace_id, answer))
}

fn segments(disk: &FaultyDisk) -> usize {
    disk.list(Path::new("/data/log")).unwrap().len()
}

pub(super) fn block_files(disk: &FaultyDisk) -> Vec<String> {
    disk.list(Path::new("/data/blocks")).unwrap().into_iter().map(|entry| entry.name).collect()
}

/// The trace of the batch of that number.
pub(super) fn trace(number: u64) -> TraceId {
    spans(number, 1)[0].trace_id
}

fn of_tenant(name: &str, batch: Batch) -> Batch {
    Batch { tenants: Tenants::one(Tenant::new(name).unwrap()), ..batch }
}

#[test]
fn sealed_spans_are_found_as_before_and_the_log_is_freed() {
    let disk = disk();
    let store = open(&disk);
    for number in 1..20 {
        assert_eq!(put(&store, batch(number, 5)), Outcome::Stored);
    }
    let before = all_spans(&*store.spans());
    assert!(segments(&disk) > 2, "{} segments", segments(&disk));
    seal(&store).unwrap();
    assert_eq!(store.figures().live_spans, 0);
    assert_eq!((segments(&disk), block_files(&disk).len()), (0, 2));
    assert_eq!(all_spans(&*store.spans()), before);
    assert_eq!(put(&store, batch(20, 5)), Outcome::Stored);
    assert_eq!(all_spans(&*store.spans()).len(), before.len() + 5);
    assert_eq!(names(&store), Vec::<&str>::new());
    assert_eq!(store.close(), Ok(()));

    let store = open(&disk);
    assert_eq!(store.figures().replay_spans, 5, "only what is not sealed is replayed");
    let clock = SystemClock::new();
    // To know requests again takes a header; what first questions want are eight parts.
    while store.figures().cache.miss_count < 8 {
        assert!(
            clock.monotonic_nanos() < WAIT.as_nanos() as u64,
            "what first questions want is read without being asked"
        );
        std::thread::yield_now();
    }
    assert_eq!(all_spans(&*store.spans()).len(), before.len() + 5);
    assert_eq!(store.spans().services(&Tenant::default()).unwrap(), ["service-0", "service-1", "service-2"]);
    assert_eq!(store.spans().operations(&Tenant::default(), "service-1").unwrap().len(), 5);
}

#[test]
fn a_trace_that_lies_in_parts_is_answered_as_a_whole() {
    let disk = disk();
    let store = open(&disk);
    let whole = spans(1, 9);
    for (number, part) in (1..).zip(whole.chunks(3)) {
        assert_eq!(put(&store, encoded(number, part, Encoding::Identity)), Outcome::Stored);
        if number < 3 {
            seal(&store).unwrap();
        }
    }
    // The last span of a block again: another request, but the same span.
    assert_eq!(put(&store, encoded(4, &whole[2..3], Encoding::Identity)), Outcome::Stored);
    let condition = |name: &str| Condition { field: Field::Name, op: Op::Eq, value: name.into() };
    let request = ScanRequest {
        tenant: Tenant::default(),
        range: TimeRange { from_unix_nanos: testing::NOW_UNIX_NANOS, to_unix_nanos: testing::NOW_UNIX_NANOS + 1 },
        filters: ["operation 1", "operation 8"].map(|name| SpanFilter { conditions: vec![condition(name)] }).into(),
        rows_per_trace: 3,
    };
    let answer = store.spans().scan(&request, &|| false).unwrap();
    let [found] = answer.matches.as_slice() else { panic!("{answer:?}") };
    assert_eq!((found.filters_met, found.matched_count), (3, 2));
    assert_eq!(found.extent.start_unix_nanos, testing::NOW_UNIX_NANOS);
    assert_eq!(found.extent.end_unix_nanos, testing::NOW_UNIX_NANOS + 8 + 1000);
    let rows = rows(&store, 1);
    assert_eq!(rows.spans.len(), 9, "identical spans are there once");
    let summaries = store.spans().summaries(&Tenant::default(), &[trace(1)], &|| false).unwrap().summaries;
    assert_eq!(summaries, [clew_model::summarize(&whole)]);
}

#[test]
fn v1_the_version_of_a_trace_changes_with_what_there_is_of_it_and_with_nothing_else() {
    let disk = disk();
    let store = open(&disk);
    let version = || store.spans().version(&Tenant::default(), trace(1), &|| false).unwrap().unwrap();
    let (whole, none) = (spans(1, 9), version());
    let mut seen = vec![none.clone()];
    let mut sees = |what: &str, is_new: bool| {
        assert_eq!(!seen.contains(&version()), is_new, "{what}: {:?} after {seen:?}", version());
        assert!(is_new || seen.last() == Some(&version()), "{what}");
        seen.push(version());
    };
    put(&store, encoded(1, &whole[..2], Encoding::Identity));
    sees("the first spans", true);
    put(&store, batch(2, 4));
    sees("another trace", false);
    put(&store, of_tenant("acme", encoded(3, &whole[2..3], Encoding::Identity)));
    sees("another tenant", false);
    put(&store, encoded(4, &whole[2..3], Encoding::Identity));
    sees("one more", true);
    seal(&store).unwrap();
    sees("a seal", true);
    put(&store, encoded(5, &whole[3..5], Encoding::Identity));
    sees("a part in memory", true);
    put(&store, encoded(6, &whole[5..6], Encoding::Identity));
    sees("as many rows there as before the seal", true);
    delete(&store, &Tenant::default(), Some(trace(1))).unwrap();
    assert_eq!(version(), none, "nothing is left of it");
    put(&store, encoded(7, &whole[..2], Encoding::Identity));
    sees("what came later", true);
}

#[test]
fn a_request_is_known_again_after_it_was_sealed_and_after_a_restart() {
    let disk = disk();
    let store = open(&disk);
    assert_eq!(put(&store, batch(1, 3)), Outcome::Stored);
    seal(&store).unwrap();
    assert_eq!(put(&store, batch(1, 3)), Outcome::Repeated);
    store.close().unwrap();
    let store = open(&disk);
    assert_eq!(put(&store, batch(1, 3)), Outcome::Repeated);
    assert_eq!(put(&store, batch(2, 3)), Outcome::Stored);
}

#[test]
fn a_deleted_trace_is_gone_at_once_and_from_the_disk_with_the_rewrite() {
    let disk = disk();
    let config = StoreConfig { purge_after: Duration::ZERO, ..config() };
    let store = open_on(&disk, config.clone()).unwrap();
    let secret = |span: Span| Span { name: "the secret operation".to_owned(), ..span };
    let secrets: Vec<Span> = spans(1, 4).into_iter().map(secret).collect();
    put(&store, encoded(1, &secrets[..2], Encoding::Identity));
    put(&store, batch(2, 4));
    seal(&store).unwrap();
    put(&store, encoded(3, &secrets[2..3], Encoding::Identity));
    delete(&store, &Tenant::default(), Some(trace(1))).unwrap();
    assert_eq!(rows(&store, 1).spans, []);
    assert_eq!(rows(&store, 2).spans.len(), 4);
    // What comes after it is new.
    put(&store, encoded(5, &secrets[3..], Encoding::Identity));
    assert_eq!(rows(&store, 1).spans.len(), 1);
    store.close().unwrap();

    let store = open_on(&disk, config).unwrap();
    assert_eq!(rows(&store, 1).spans.len(), 1, "a restart forgets no deletion, and takes no more than it");
    delete(&store, &Tenant::default(), Some(trace(1))).unwrap();
    assert_eq!(rows(&store, 1).spans, []);
    seal(&store).unwrap();
    expire(&store).unwrap();
    assert_eq!(rows(&store, 2).spans.len(), 4);
    assert_eq!(all_spans(&*store.spans()).len(), 4);
    let holds_secret = |folder: &str| {
        let folder = Path::new(folder);
        let read = |name: &str, length: u64| disk.read(&folder.join(name), 0, length as usize).unwrap_or_default();
        let files = disk.list(folder).unwrap();
        files.iter().any(|file| read(&file.name, file.length).windows(10).any(|window| window == b"the secret"))
    };
    // A merge that began at the start may still read what was written anew meanwhile.
    let deadline = SystemClock::new();
    while holds_secret("/data/log") || holds_secret("/data/blocks") {
        assert!(deadline.monotonic_nanos() < WAIT.as_nanos() as u64, "a file still has it");
        expire(&store).unwrap();
    }
    assert!(store.view().deletions.is_empty(), "{:?}", store.view().deletions);
}

#[test]
fn a_deleted_tenant_takes_nobody_along() {
    let disk = disk();
    let store = open(&disk);
    let acme = Tenant::new("acme").unwrap();
    put(&store, of_tenant("acme", batch(1, 3)));
    put(&store, batch(2, 3));
    seal(&store).unwrap();
    put(&store, of_tenant("acme", batch(3, 3)));
    delete(&store, &acme, None).unwrap();
    assert_eq!(store.spans().tenants().unwrap(), [Tenant::default()]);
    assert_eq!(store.spans().services(&acme).unwrap(), Vec::<String>::new());
    assert_eq!(all_spans(&*store.spans()).len(), 3);
    put(&store, of_tenant("acme", batch(4, 3)));
    assert_eq!(store.spans().tenants().unwrap(), [acme, Tenant::default()]);
}

/// A store and the clock that it goes by.
fn aging(disk: &FaultyDisk, retention: Retention) -> (Store, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::new(testing::NOW_UNIX_NANOS));
    let ports = Ports { disk: Arc::new(disk.clone()), clock: Arc::clone(&clock) as Arc<dyn Clock> };
    // Never by itself: the clock moves in jumps.
    let look_over_every = Duration::from_secs(u64::MAX >> 32);
    // What is merged meanwhile has other files.
    let merge = MergePolicy { block_bytes: 0, ..config().merge };
    (Store::open(StoreConfig { merge, retention, look_over_every, ..config() }, ports).unwrap(), clock)
}

fn received(clock: &ManualClock, batch: Batch) -> Batch {
    Batch { received_unix_nanos: clock.unix_nanos(), ..batch }
}

const HOUR: Duration = Duration::from_hours(1);

#[test]
fn r1_spans_expire_by_when_they_were_received_and_never_under_a_reader() {
    let disk = disk();
    let (store, clock) = aging(&disk, Retention { age: 10 * HOUR, ..Retention::default() });
    let odd = |span: Span| Span { start_unix_nanos: 1, notes: Notes::ODD_TIME, ..span };
    let odd: Vec<Span> = spans(1, 2).into_iter().map(odd).collect();
    put(&store, received(&clock, encoded(1, &odd, Encoding::Identity)));
    seal(&store).unwrap();
    clock.advance_nanos((6 * HOUR).as_nanos() as u64);
    put(&store, received(&clock, batch(2, 2)));
    seal(&store).unwrap();
    expire(&store).unwrap();
    assert_eq!((rows(&store, 1).spans.len(), rows(&store, 2).spans.len()), (2, 2));

    let reader = store.spans();
    clock.advance_nanos((6 * HOUR).as_nanos() as u64);
    expire(&store).unwrap();
    assert_eq!((rows(&store, 1).spans.len(), rows(&store, 2).spans.len()), (0, 2));
    assert_eq!(reader.rows(&Tenant::default(), &[trace(1)], &|| false).unwrap().spans.len(), 2);
    assert_eq!(block_files(&disk).len(), 4, "a reader still has the block");
    drop(reader);
    expire(&store).unwrap();
    assert_eq!(block_files(&disk).len(), 2);
}

#[test]
fn tenants_with_limits_of_their_own_expire_alone() {
    let disk = disk();
    let acme = Tenant::new("acme").unwrap();
    let own = TenantRetention { age: Some(HOUR), bytes: None };
    let tenants = [(acme.clone(), own)].into();
    let (store, clock) = aging(&disk, Retention { tenants, ..Retention::default() });
    put(&store, received(&clock, of_tenant("acme", batch(1, 3))));
    put(&store, received(&clock, batch(2, 3)));
    seal(&store).unwrap();
    clock.advance_nanos((2 * HOUR).as_nanos() as u64);
    expire(&store).unwrap();
    assert_eq!(store.spans().tenants().unwrap(), [Tenant::default()]);
    assert_eq!(all_spans(&*store.spans()).len(), 3);
    // Files go once nobody reads them: a thread of the store may for a moment.
    let deadline = SystemClock::new();
    while block_files(&disk).len() > 2 {
        assert!(deadline.monotonic_nanos() < WAIT.as_nanos() as u64, "{:?}", block_files(&disk));
        expire(&store).unwrap();
    }
}

#[test]
fn the_oldest_blocks_go_when_there_are_too_many_bytes() {
    let disk = disk();
    let (store, clock) = aging(&disk, Retention::default());
    let mut bytes = 0;
    for number in 1..=4 {
        put(&store, received(&clock, batch(number, 40)));
        seal(&store).unwrap();
        clock.advance_nanos(1_000_000_000);
        bytes = disk.list(Path::new("/data/blocks")).unwrap().iter().map(|entry| entry.length).sum();
    }
    store.close().unwrap();
    let (store, _) = aging(&disk, Retention { size: SizeLimit::Bytes(bytes * 6 / 10), ..Retention::default() });
    expire(&store).unwrap();
    let left: Vec<usize> = (1..=4).map(|number| rows(&store, number).spans.len()).collect();
    assert_eq!(left, [0, 0, 40, 40]);
}

#[test]
fn b2_a_seal_that_fails_anywhere_loses_nothing_and_is_tried_again() {
    let count = {
        let disk = disk();
        let store = open(&disk);
        put(&store, batch(1, 5));
        let before = disk.effects().len();
        seal(&store).unwrap();
        disk.effects().len() - before
    };
    assert!(count >= 8, "{count} effects");
    for fault in [Fault::Full { written_bytes: 0 }, Fault::Full { written_bytes: 7 }, Fault::Broken] {
        for at in 0..count {
            let disk = disk();
            let store = open(&disk);
            put(&store, batch(1, 5));
            disk.fail_at(disk.effects().len() + at, fault);
            let first = seal(&store);
            assert_eq!(rows(&store, 1).spans.len(), 5, "{fault:?} at {at}: {first:?}");
            if first.is_err() && !names(&store).contains(&"catalog_failed") {
                let again = seal(&store);
                assert!(again.is_ok() || disk.effects().contains(&Effect::Sync), "{fault:?} at {at}: {again:?}");
            }
            assert_eq!(rows(&store, 1).spans.len(), 5, "{fault:?} at {at}");
            drop(store);
            let disk = disk.restart(Crash { bytes: Kept::Nothing, names: false });
            let store = open(&disk);
            assert_eq!(rows(&store, 1).spans.len(), 5, "{fault:?} at {at}, after a crash");
            assert_eq!(names(&store), Vec::<&str>::new(), "{fault:?} at {at}");
        }
    }
}
