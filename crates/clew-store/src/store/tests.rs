use std::sync::mpsc;
use std::time::Duration;

use clew_model::scan::RowsAnswer;
use clew_model::{Attribute, Tenant, TraceId, Value};
use clew_wire::otlp::{self, Limits};

use super::*;
use crate::port::{Clock, Disk, Fault, FaultyDisk, ManualClock, MemoryDisk, RealDisk, SystemClock};
use crate::testing::{self, all_spans, batch, encoded, reject_first, spans};
use crate::{Tenants, check};

const WAIT: Duration = Duration::from_secs(20);

fn config() -> StoreConfig {
    let mut config = StoreConfig { segment_bytes: 4000, disk_full_pause: Duration::ZERO, ..StoreConfig::new("/data") };
    // Clocks jump by hours here, and what is merged by then is not what these tests are about.
    config.merge.block_bytes = 0;
    config
}

fn open_on(disk: &FaultyDisk, config: StoreConfig) -> Result<Store, OpenError> {
    let clock = Arc::new(ManualClock::new(testing::NOW_UNIX_NANOS));
    Store::open(config, Ports { disk: Arc::new(disk.clone()), clock })
}

fn open(disk: &FaultyDisk) -> Store {
    open_on(disk, config()).unwrap()
}

fn check_disk(disk: &FaultyDisk, repair: bool) -> Result<check::CheckReport, check::CheckError> {
    check("/data".as_ref(), &(Arc::new(disk.clone()) as Arc<dyn Disk>), repair)
}

fn disk() -> FaultyDisk {
    FaultyDisk::new(MemoryDisk::new())
}

/// Offers, and returns where the answer comes.
fn ask(store: &Store, batch: Batch) -> mpsc::Receiver<Outcome> {
    let (sender, receiver) = mpsc::channel();
    store.offer(batch, Box::new(move |outcome| sender.send(outcome).unwrap()));
    receiver
}

fn put(store: &Store, batch: Batch) -> Outcome {
    ask(store, batch).recv_timeout(WAIT).unwrap()
}

fn names(store: &Store) -> Vec<&'static str> {
    store.health().iter().map(|reason| reason.name).collect()
}

fn rows(store: &Store, number: u64) -> RowsAnswer {
    let ids: Vec<TraceId> = spans(number, 1).iter().map(|span| span.trace_id).collect();
    store.spans().rows(&Tenant::default(), &ids, &|| false).unwrap()
}

#[test]
fn l5_spans_are_visible_at_the_ack_and_come_back_the_same_whatever_the_limits_are_by_then() {
    let disk = disk();
    let store = open(&disk);
    let mut long = spans(4, 2);
    long[0].attributes.push(Attribute { key: "long".to_owned(), value: Value::String("x".repeat(300)) });
    let limits = Limits { value_bytes: 100, attributes: 1, events: 2, links: 2, depth: 2 };
    let batches = [
        batch(1, 3),
        encoded(2, &spans(2, 20), Encoding::Gzip),
        encoded(3, &spans(3, 20), Encoding::Zstd),
        Batch { limits, ..encoded(4, &long, Encoding::Identity) },
        reject_first(batch(5, 4)),
        batch(6, 60),
    ];
    for batch in batches {
        let before = store.figures().live_spans;
        let count = u64::from(batch.span_count);
        assert_eq!(put(&store, batch), Outcome::Stored);
        assert_eq!(store.figures().live_spans, before + count);
    }
    let sent = all_spans(&*store.spans());
    assert_eq!(sent.len(), 3 + 20 + 20 + 2 + 3 + 60);
    let cut = sent.iter().flat_map(|span| &span.attributes).find(|attribute| attribute.key == "long").unwrap();
    assert_eq!(cut.value.as_str().map(str::len), Some(100));
    assert_eq!(store.close(), Ok(()));

    let narrow = StoreConfig {
        segment_bytes: 300,
        group_bytes: 1,
        queue_bytes: 1,
        live_bytes: 1,
        live_shards: 3,
        workers: 1,
        repeat_window: Duration::ZERO,
        repeat_batches: 1,
        idle_marker_after: Duration::from_millis(1),
        ..StoreConfig::new("/data")
    };
    let wide = StoreConfig { live_shards: 64, workers: 7, segment_bytes: 1 << 20, ..config() };
    for changed in [narrow, wide, config()] {
        let store = open_on(&disk, changed).unwrap();
        assert_eq!(all_spans(&*store.spans()), sent);
        let figures = store.figures();
        assert_eq!((figures.replay_spans, figures.replay_batches, figures.torn_bytes), (108, 6, 0));
        assert_eq!(store.close(), Ok(()));
    }
}

#[test]
fn closing_is_idempotent_and_refuses_what_comes_later() {
    let disk = disk();
    let store = open(&disk);
    let receivers: Vec<_> = (1..=50).map(|number| ask(&store, batch(number, 1))).collect();
    let twin = store.clone();
    let closers: Vec<_> = (0..3)
        .map(|_| {
            let store = store.clone();
            std::thread::spawn(move || store.close())
        })
        .collect();
    for closer in closers {
        assert_eq!(closer.join().unwrap(), Ok(()));
    }
    let stored = receivers
        .iter()
        .map(|receiver| receiver.recv_timeout(WAIT).unwrap())
        .filter(|outcome| *outcome == Outcome::Stored)
        .count();
    assert_eq!(twin.close(), Ok(()));
    assert_eq!(put(&twin, batch(99, 1)), Outcome::Refused(RefuseReason::Stopping));
    drop((store, twin));
    assert_eq!(open(&disk).figures().replay_batches, stored as u64);
}

#[test]
fn a_clean_close_leaves_no_reserved_room() {
    let disk = disk();
    let store = open_on(&disk, StoreConfig { segment_bytes: 1 << 20, ..config() }).unwrap();
    assert_eq!(put(&store, batch(1, 1)), Outcome::Stored);
    assert_eq!(disk.list("/data/log".as_ref()).unwrap()[0].length, 1 << 20);
    assert_eq!(store.close(), Ok(()));
    let length = disk.list("/data/log".as_ref()).unwrap()[0].length;
    assert!(length < 4000, "{length}");
    let store = open(&disk);
    assert_eq!((store.figures().replay_spans, store.figures().torn_bytes), (1, 0));
    assert!(store.health().is_empty());
}

#[test]
fn refusals_do_not_keep_the_log_from_a_quiet_moment() {
    let disk = disk();
    let clock = Arc::new(ManualClock::new(testing::NOW_UNIX_NANOS));
    let config = StoreConfig { live_bytes: 1, idle_marker_after: Duration::from_hours(1), ..config() };
    let store = Store::open(config, Ports { disk: Arc::new(disk.clone()), clock: Arc::clone(&clock) as _ }).unwrap();
    assert_eq!(put(&store, batch(1, 1)), Outcome::Stored);
    let before = disk.effects().len();
    let mut number = 1;
    let deadline = SystemClock::new();
    while disk.effects().len() == before && deadline.monotonic_nanos() < WAIT.as_nanos() as u64 {
        clock.advance_nanos(Duration::from_mins(30).as_nanos() as u64);
        number += 1;
        assert_eq!(put(&store, batch(number, 1)), Outcome::Refused(RefuseReason::LiveFull));
    }
    assert!(number > 2 && disk.effects().len() > before, "no marker after {number} refusals");
}

#[test]
fn dropping_the_last_handle_closes() {
    let disk = disk();
    let store = open(&disk);
    let receiver = ask(&store, batch(1, 1));
    drop(store);
    assert_eq!(receiver.recv_timeout(WAIT), Ok(Outcome::Stored));
    assert_eq!(open(&disk).figures().replay_spans, 1);
}

#[test]
fn a_reply_may_hold_the_last_handle_and_may_panic() {
    let disk = disk();
    let store = open(&disk);
    let (sender, receiver) = mpsc::channel();
    let last = store.clone();
    store.offer(batch(1, 1), Box::new(|_| panic!("a reply that panics, as this test wants")));
    store.offer(
        batch(2, 1),
        Box::new(move |outcome| {
            drop(last);
            sender.send(outcome).unwrap();
        }),
    );
    drop(store);
    assert_eq!(receiver.recv_timeout(WAIT), Ok(Outcome::Stored));
    // Its thread cannot be joined from there: the lock tells when it has ended.
    let clock = SystemClock::new();
    let store = loop {
        match open_on(&disk, config()) {
            Err(OpenError::Locked { .. }) if clock.monotonic_nanos() < WAIT.as_nanos() as u64 => {
                std::thread::yield_now();
            }
            opened => break opened.unwrap(),
        }
    };
    assert_eq!(store.figures().replay_spans, 2);
}

#[test]
fn repeated_requests_are_stored_once_also_in_flight_and_after_a_restart() {
    let disk = disk();
    let store = open(&disk);
    disk.set_held(true);
    let receivers: Vec<_> = (0..5).map(|_| ask(&store, batch(1, 3))).collect();
    disk.set_held(false);
    let outcomes: Vec<_> = receivers.iter().map(|receiver| receiver.recv_timeout(WAIT).unwrap()).collect();
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == Outcome::Stored).count(), 1);
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == Outcome::Repeated).count(), 4);
    assert_eq!(store.figures().repeated_batches, 4);
    drop(store);
    let store = open(&disk);
    assert_eq!(put(&store, batch(1, 3)), Outcome::Repeated);
    assert_eq!(store.figures().live_spans, 3);
}

#[test]
fn bytes_in_flight_are_bounded() {
    let disk = disk();
    let store = open_on(&disk, StoreConfig { queue_bytes: 2000, ..config() }).unwrap();
    disk.set_held(true);
    let held = ask(&store, batch(1, 1));
    let mut refused = 0;
    let waiting: Vec<_> = (2..10).map(|number| ask(&store, batch(number, 1))).collect();
    assert!(store.figures().queue_bytes > 1000);
    disk.set_held(false);
    for receiver in waiting {
        match receiver.recv_timeout(WAIT).unwrap() {
            Outcome::Refused(RefuseReason::InFlightFull) => refused += 1,
            outcome => assert_eq!(outcome, Outcome::Stored),
        }
    }
    assert_eq!(held.recv_timeout(WAIT), Ok(Outcome::Stored));
    assert!((5..8).contains(&refused), "{refused}");
    assert_eq!(put(&store, batch(50, 100)), Outcome::Stored, "one larger than the bound passes alone");
    assert_eq!((store.figures().queue_bytes, store.figures().queue_batches), (0, 0));
}

#[test]
fn a_full_live_head_refuses_and_health_says_so() {
    let disk = disk();
    let store = open_on(&disk, StoreConfig { live_bytes: 1, ..config() }).unwrap();
    assert_eq!(put(&store, batch(1, 1)), Outcome::Stored);
    assert_eq!(put(&store, batch(2, 1)), Outcome::Refused(RefuseReason::LiveFull));
    assert_eq!(put(&store, batch(1, 1)), Outcome::Repeated);
    assert_eq!(names(&store), [HealthReason::LIVE_FULL]);
}

#[test]
fn a_full_disk_refuses_readers_go_on_and_service_resumes_by_itself() {
    let disk = disk();
    let store = open(&disk);
    assert_eq!(put(&store, batch(1, 5)), Outcome::Stored);
    disk.set_full(true);
    let mut number = 1;
    let refused = loop {
        number += 1;
        match put(&store, batch(number, 5)) {
            Outcome::Stored => {}
            refused => break refused,
        }
    };
    assert_eq!(refused, Outcome::Refused(RefuseReason::DiskFull));
    assert_eq!(names(&store), [HealthReason::DISK_FULL]);
    assert_eq!(rows(&store, 1).spans.len(), 5);
    disk.set_full(false);
    assert_eq!(put(&store, batch(number, 5)), Outcome::Stored);
    assert!(names(&store).is_empty());
    drop(store);
    assert_eq!(open(&disk).figures().replay_batches, number);
}

#[test]
fn l4_a_failed_sync_refuses_everything_until_a_restart() {
    let disk = disk();
    let store = open(&disk);
    assert_eq!(put(&store, batch(1, 2)), Outcome::Stored);
    // The write succeeds, the sync after it does not.
    disk.fail_at(disk.effects().len() + 1, Fault::Broken);
    assert_eq!(put(&store, batch(2, 2)), Outcome::Refused(RefuseReason::LogFailed));
    assert_eq!(put(&store, batch(3, 2)), Outcome::Refused(RefuseReason::LogFailed));
    assert_eq!(names(&store), [HealthReason::LOG_FAILED]);
    assert_eq!(rows(&store, 1).spans.len(), 2);
    assert!(store.close().is_err());
    let store = open(&disk);
    assert!(names(&store).is_empty());
    assert_eq!(put(&store, batch(3, 2)), Outcome::Stored);
}

/// How many batches [`filled`] stores.
const FILL: u64 = 40;

/// A log of some segments, and the name of the first.
fn filled(disk: &FaultyDisk) -> String {
    let store = open(disk);
    for number in 1..=FILL {
        let tenants = Tenants::one(Tenant::new(if number == 2 { "other" } else { "default" }).unwrap());
        assert_eq!(put(&store, Batch { tenants, ..batch(number, 5) }), Outcome::Stored);
    }
    assert!(store.figures().segments > 3);
    disk.list("/data/log".as_ref()).unwrap()[0].name.clone()
}

#[test]
fn l6_damage_is_reported_once_each_start_set_aside_and_repaired() {
    let disk = disk();
    let segment = filled(&disk);
    // Inside the body of the first frame, and of the second, which is another tenant's.
    let first = Path::new("/data/log").join(&segment);
    let length = {
        let bytes = disk.read(&first, 32, 4000).unwrap();
        crate::log::frame::Header::read(&bytes).unwrap().frame_bytes() as usize
    };
    disk.memory().flip_bit(&first, 32 + length + 250, 3);
    for _ in 0..3 {
        let store = open(&disk);
        assert_eq!(names(&store), [HealthReason::CORRUPTION]);
        let detail = &store.health()[0].detail;
        assert!(detail.contains(&segment) && detail.contains("5 spans of tenant other"), "{detail}");
        assert_eq!((store.figures().corrupt_ranges, store.figures().replay_batches), (1, FILL - 1));
        assert!(rows(&store, 1).incomplete.is_none(), "another tenant's");
        let other = store.spans().rows(&Tenant::new("other").unwrap(), &[], &|| false).unwrap();
        assert_eq!(other.incomplete.unwrap().reason, "corruption");
        assert!(matches!(check_disk(&disk, true), Err(check::CheckError::Open(OpenError::Locked { .. }))));
    }
    let damage = check_disk(&disk, true).unwrap();
    assert_eq!((damage.is_clean(), damage.repaired_segments), (false, 1));
    let aside = disk.list("/data/aside".as_ref()).unwrap();
    assert_eq!((aside.len(), aside[0].length as usize), (1, length - 2), "{aside:?}");
    assert!(check_disk(&disk, false).unwrap().is_clean());
    let store = open(&disk);
    assert!(names(&store).is_empty());
    assert_eq!(store.figures().replay_batches, FILL - 1);
    assert_eq!(put(&store, batch(FILL + 1, 1)), Outcome::Stored);
}

#[test]
fn l6_missing_segments_are_damage_and_can_be_acknowledged() {
    let disk = disk();
    filled(&disk);
    let names_of = |disk: &FaultyDisk| disk.list("/data/log".as_ref()).unwrap();
    let files = names_of(&disk);
    for lost in [&files[0].name, &files[2].name] {
        disk.memory().lose(&Path::new("/data/log").join(lost));
    }
    let store = open(&disk);
    assert_eq!(store.figures().corrupt_ranges, 2, "{:?}", store.health());
    let (left, replayed) = (all_spans(&*store.spans()), store.figures().replay_batches);
    assert!(rows(&store, 1).incomplete.is_some(), "nobody knows whose they were");
    drop(store);
    assert_eq!(check_disk(&disk, true).unwrap().repaired_segments, 2);
    let store = open(&disk);
    assert!(store.health().is_empty(), "{:?}", store.health());
    assert_eq!((all_spans(&*store.spans()), store.figures().replay_batches), (left, replayed));
}

#[test]
fn l6_what_the_disk_cannot_read_is_damage_and_everything_else_is_read() {
    let disk = disk();
    filled(&disk);
    let files = disk.list("/data/log".as_ref()).unwrap();
    let path = |index: usize| Path::new("/data/log").join(&files[index].name);
    for (index, range) in [(0, 0..u64::MAX), (1, 600..601), (files.len() - 1, 0..10), (files.len() - 1, 0..u64::MAX)] {
        let sick = FaultyDisk::new(disk.memory().fork());
        sick.set_unreadable(&path(index), range);
        let clean = FaultyDisk::new(sick.memory().clone());
        for number in 100..103 {
            let report = check_disk(&sick, false).unwrap();
            assert!(!report.is_clean() && !report.segments[index].damage.is_empty(), "{report:?}");
            let store = open(&sick);
            let detail = &store.health()[0].detail;
            assert!(detail.contains(&files[index].name) && detail.contains("cannot read it"), "{detail}");
            assert!(rows(&store, 1).incomplete.is_some());
            // Small segments are one piece.
            assert!((FILL / 2..FILL).contains(&(store.figures().replay_batches - (number - 100))));
            assert_eq!(put(&store, batch(number, 1)), Outcome::Stored);
        }
        // A better cable: nothing that was stored before, or in the meantime, is lost or taken for stale.
        let store = open(&clean);
        assert!(store.health().is_empty(), "{:?}", store.health());
        assert_eq!(store.figures().replay_batches, FILL + 3);
        drop(store);
        assert!(check_disk(&sick, true).unwrap().repaired_segments > 0);
        assert!(open(&clean).health().is_empty());
    }
}

#[test]
fn l6_repairs_of_neighbours_and_of_an_empty_segment_harm_no_other() {
    // A start that crashed before its first group left a segment without a frame.
    let disk = disk();
    let store = open(&disk);
    assert_eq!(put(&store, batch(1, 5)), Outcome::Stored);
    drop(store);
    let store = open(&disk);
    disk.fail_at(disk.effects().len() + 5, Fault::Broken);
    assert_eq!(put(&store, batch(2, 5)), Outcome::Refused(RefuseReason::LogFailed));
    drop(store);
    let store = open(&disk);
    assert_eq!(put(&store, batch(3, 5)), Outcome::Stored);
    drop(store);
    let files = disk.list("/data/log".as_ref()).unwrap();
    let paths: Vec<_> = files.iter().map(|file| Path::new("/data/log").join(&file.name)).collect();
    assert_eq!((files.len(), files[1].length), (3, 32), "{files:?}");
    let repaired = |disk: &FaultyDisk, batches| {
        assert_eq!(names(&open(disk))[0], HealthReason::CORRUPTION);
        check_disk(disk, true).unwrap();
        let store = open(disk);
        assert_eq!((names(&store), store.figures().replay_batches), (vec![], batches));
    };
    let lost = FaultyDisk::new(disk.memory().fork());
    lost.memory().lose(&paths[1]);
    repaired(&lost, 2);
    // The last frame of the first segment, and the first of the last.
    for (index, offset) in [(0, files[0].length as usize - 1), (2, 100)] {
        disk.memory().flip_bit(&paths[index], offset, 3);
    }
    repaired(&disk, 1);
}

#[test]
fn every_flipped_byte_of_a_small_log_is_reported_or_torn_and_never_a_wrong_span() {
    let disk = disk();
    let store = open(&disk);
    for number in 1..=3 {
        assert_eq!(put(&store, batch(number, 2)), Outcome::Stored);
    }
    let sent = all_spans(&*store.spans());
    drop(store);
    let files = disk.list("/data/log".as_ref()).unwrap();
    assert_eq!(files.len(), 1);
    let path = Path::new("/data/log").join(&files[0].name);
    let length = disk.read(&path, 0, 1 << 20).unwrap().iter().rposition(|byte| *byte != 0).unwrap();
    for at in 0..=length {
        let memory = disk.memory().fork();
        memory.flip_bit(&path, at, (at % 8) as u8);
        let found = FaultyDisk::new(memory);
        let report = check_disk(&found, false).unwrap();
        let store = open(&found);
        let figures = store.figures();
        assert!(figures.corrupt_ranges + figures.torn_bytes > 0, "byte {at}");
        assert_eq!(report.is_clean(), figures.corrupt_ranges == 0, "byte {at}");
        let read = all_spans(&*store.spans());
        assert!(read.iter().all(|span| sent.contains(span)), "byte {at}");
        assert!(read.len() + 2 >= sent.len(), "byte {at}");
    }
}

#[test]
fn a_body_that_cannot_be_read_is_answered_and_does_not_stop_the_store() {
    let disk = disk();
    let store = open(&disk);
    let body = bytes::Bytes::from_static(b"\x0a\x7fno message");
    let bad = Batch { stored: body.clone(), body, ..batch(1, 1) };
    assert_eq!(put(&store, bad), Outcome::Refused(RefuseReason::Malformed));
    assert_eq!(put(&store, batch(2, 1)), Outcome::Stored);
    assert_eq!(names(&store), [HealthReason::WORKER_FAILED]);
    drop(store);
    let store = open(&disk);
    assert_eq!(names(&store), [HealthReason::CORRUPTION]);
    assert_eq!((store.figures().replay_batches, store.figures().replay_spans), (1, 1));
    let resent = Batch { span_count: 1, ..batch(1, 1) };
    assert_eq!(put(&store, resent), Outcome::Stored, "it was not known as stored");
    drop(store);
    check_disk(&disk, true).unwrap();
    assert!(open(&disk).health().is_empty());
}

#[test]
fn newer_and_foreign_folders_are_refused_by_name() {
    for (text, expected) in
        [("clew 2\n", "newer"), ("hello\n", "not a clew data folder"), ("", "not a clew data folder")]
    {
        let disk = disk();
        let mut file = disk.create("/data/FORMAT".as_ref(), 0).unwrap();
        file.write_at(0, text.as_bytes()).unwrap();
        let error = open_on(&disk, config()).err().unwrap().to_string();
        assert!(error.contains(expected) && error.contains("/data/FORMAT"), "{error}");
    }
    let disk = disk();
    let segment = Path::new("/data/log").join(filled(&disk));
    let mut header = crate::log::segment::segment_header(0, 0);
    header[8] = 9;
    let crc = crc32c::crc32c(&header[..28]);
    header[28..].copy_from_slice(&crc.to_le_bytes());
    disk.open(&segment).unwrap().write_at(0, &header).unwrap();
    let error = open_on(&disk, config()).err().unwrap().to_string();
    assert!(error.contains("format 9") && error.contains("seg"), "{error}");
}

#[test]
fn a_folder_with_other_files_is_left_alone() {
    let disk = disk();
    drop(disk.create("/data/thesis.tex".as_ref(), 7).unwrap());
    let error = open_on(&disk, config()).err().unwrap().to_string();
    assert!(error.contains("/data holds thesis.tex"), "{error}");
    let names: Vec<String> = disk.list("/data".as_ref()).unwrap().into_iter().map(|entry| entry.name).collect();
    assert_eq!(names, ["thesis.tex"], "nothing was written");
    // What a crash leaves right after the folder was made, and what file systems put there, is nobody's.
    let disk = self::disk();
    for name in ["/data/LOCK", "/data/next.tmp", "/data/.nfs01"] {
        drop(disk.create(name.as_ref(), 1).unwrap());
    }
    assert!(open(&disk).health().is_empty());
}

#[test]
fn a_real_folder_is_locked_filled_and_found_again() {
    let folder = tempfile::tempdir().unwrap();
    let data_dir = folder.path().join("deep/data");
    let config = StoreConfig { segment_bytes: 100_000, ..StoreConfig::new(&data_dir) };
    let store = Store::open(config.clone(), Ports::real()).unwrap();
    let locked = Store::open(config.clone(), Ports::real()).err().unwrap().to_string();
    assert!(locked.contains(&format!("pid {}", std::process::id())) && locked.contains("deep/data"), "{locked}");
    let asks: Vec<_> = (1..=300).map(|number| ask(&store, batch(number, 20))).collect();
    for answer in asks {
        assert_eq!(answer.recv_timeout(WAIT), Ok(Outcome::Stored));
    }
    let figures = store.figures();
    assert!(
        figures.segments > 2 && figures.sync_seconds.count() == figures.syncs && figures.syncs < 300,
        "{figures:?}"
    );
    assert_eq!(figures.ack_seconds.count(), 300);
    let sent = all_spans(&*store.spans());
    assert_eq!(sent.len(), 6000);
    assert_eq!(store.close(), Ok(()));
    let report = check(&data_dir, &(Arc::new(RealDisk::new()) as Arc<dyn Disk>), false).unwrap();
    assert_eq!(report.segments.iter().map(|segment| segment.spans).sum::<u64>(), 6000);
    let store = Store::open(config, Ports::real()).unwrap();
    assert_eq!(all_spans(&*store.spans()), sent);
}

#[test]
fn live_agrees_with_the_wire() {
    let batch = reject_first(batch(1, 4));
    let rejected: Vec<u32> = batch.rejected.iter().map(|(ordinal, _)| *ordinal).collect();
    let kept = otlp::spans(&batch.body, &batch.limits, batch.received_unix_nanos, &rejected).unwrap();
    let store = open(&disk());
    assert_eq!(put(&store, batch), Outcome::Stored);
    assert_eq!(all_spans(&*store.spans()), kept);
}

mod blocks;
mod merges;
mod rot;
