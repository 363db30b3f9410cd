use std::path::{Path, PathBuf};
use std::sync::Arc;

use clew_model::scan::TimeRange;
use clew_model::{Span, Tenant};
use clew_rollup::Rollup;

use crate::check::{CheckReport, check};
use crate::port::{Disk, FaultyDisk};
use crate::settle::tests::{Bench, keep_all, trace};

fn sum(traces: &[Vec<Span>]) -> Rollup {
    let mut rollup = Rollup::default();
    for spans in traces {
        rollup.add(&Rollup::of_trace(spans, true));
    }
    rollup
}

/// Two files of settlements, one of them merged, and a block; whether some trace is not settled, which holds the watermark
/// back before all of them.
fn settled(is_held: bool) -> (Bench, Vec<Vec<Span>>) {
    let mut bench = Bench::new(keep_all);
    bench.config.settle.completion.age = std::time::Duration::from_hours(48);
    bench.config.live_shards = 1;
    bench.restart();
    let mut sent = Vec::new();
    if is_held {
        sent.push(trace(99, 3)[1..].to_vec());
        bench.send(&sent[0]);
        bench.pass(1);
    }
    for number in 0..4 {
        if number == 3 {
            bench.pass(600);
            bench.tend();
        }
        sent.push(trace(number, 3));
        bench.send(&sent[sent.len() - 1]);
        bench.pass(31);
        bench.settle();
    }
    bench.tend();
    bench.seal();
    assert_eq!(bench.settled_files().len(), 2);
    bench.store.close().unwrap();
    (bench, sent)
}

fn fork(disk: &FaultyDisk) -> FaultyDisk {
    FaultyDisk::new(disk.memory().fork())
}

fn checked(disk: &FaultyDisk, repair: bool) -> CheckReport {
    check("/data".as_ref(), &(Arc::new(disk.clone()) as Arc<dyn Disk>), repair).unwrap()
}

fn files(disk: &FaultyDisk, folder: &str) -> Vec<(PathBuf, usize)> {
    let path = Path::new("/data").join(folder);
    let listed = disk.list(&path).unwrap();
    listed.into_iter().map(|entry| (path.join(entry.name), entry.length as usize)).collect()
}

/// What is found is told by who reads, and mended by a repair, after which nothing is wrong in silence. Without `may_lose`
/// all is as it was once it is settled again.
fn judge(bench: &Bench, sent: &[Vec<Span>], damaged: &FaultyDisk, may_lose: bool, place: &str) -> CheckReport {
    let found = checked(damaged, false);
    assert!(!found.is_clean(), "{place}");
    let served = bench.beside(fork(damaged));
    let answer = served.store.view().figures(&Tenant::default(), TimeRange::ALL, &|| false).unwrap();
    let feed = served.store.view().feed(0, 100, &|_, _, _| true).unwrap();
    let is_right = answer.rollup == sum(sent) && feed.records.len() == 4;
    assert!(is_right || !served.store.health().is_empty(), "{place}: wrong in silence");
    served.store.close().unwrap();

    let repaired = fork(damaged);
    let report = checked(&repaired, true);
    assert!(report.is_repaired(), "{place}: {report:?}");
    let again = checked(&repaired, false);
    assert!(again.is_clean() && again.stray_settled_files.is_empty(), "{place}: {report:?}, and then {again:?}");
    let served = bench.beside(repaired);
    served.pass(31);
    served.settle();
    assert_eq!(served.store.health(), vec![], "{place}");
    let figures = served.figures();
    let is_told = report.repairs.iter().any(|what| what.contains("lost"));
    assert!(figures == sum(sent) || (may_lose && is_told), "{place}: {report:?}");
    report
}

#[test]
fn each_flipped_byte_is_named_and_mended() {
    for is_held in [false, true] {
        let (bench, sent) = settled(is_held);
        for (path, length) in files(&bench.disk, "settled") {
            for at in 0..length {
                let damaged = fork(&bench.disk);
                damaged.memory().flip_bit(&path, at, (at % 8) as u8);
                let place = format!("byte {at} of {}", path.display());
                // All of it is slow, and what is done with a byte depends on where it stands.
                if at % 13 == 0 {
                    judge(&bench, &sent, &damaged, !is_held, &place);
                } else {
                    assert!(!checked(&damaged, false).is_clean(), "{place}");
                }
            }
        }
    }
}

#[test]
fn each_truncation_is_named_and_mended() {
    for is_held in [false, true] {
        let (bench, sent) = settled(is_held);
        for (path, length) in files(&bench.disk, "settled") {
            for to in (0..length).step_by(length / 20 + 1).chain([length - 1]) {
                let damaged = fork(&bench.disk);
                damaged.open(&path).unwrap().set_length(to as u64).unwrap();
                judge(&bench, &sent, &damaged, !is_held, &format!("{} cut to {to}", path.display()));
            }
            let damaged = fork(&bench.disk);
            damaged.open(&path).unwrap().set_length(length as u64 + 7).unwrap();
            let report = judge(&bench, &sent, &damaged, false, "bytes behind the end");
            assert!(
                report.settled.iter().any(|file| file.problems.iter().any(|what| what.contains("bytes, not"))),
                "{report:?}"
            );
            let damaged = fork(&bench.disk);
            damaged.memory().lose(&path);
            judge(&bench, &sent, &damaged, !is_held, &format!("{} is gone", path.display()));
        }
    }
}

#[test]
fn files_are_listed_with_what_they_hold_and_strays_are_cleared_away() {
    let (bench, _) = settled(false);
    let report = checked(&bench.disk, false);
    let held: Vec<(u64, u64)> = report.settled.iter().map(|file| (file.traces, file.records)).collect();
    assert_eq!(held, [(3, 3), (1, 1)]);
    assert!(report.settled.iter().all(|file| file.tenants == 1 && file.minutes.is_some()), "{report:?}");
    drop(bench.disk.create("/data/settled/00000000000000ff.settled.tmp".as_ref(), 7).unwrap());
    drop(bench.disk.create("/data/settled/00000000000000fe.settled".as_ref(), 7).unwrap());
    let report = checked(&bench.disk, true);
    assert!(report.is_clean() && report.stray_settled_files.len() == 2, "{report:?}");
    assert_eq!(files(&bench.disk, "settled").len(), 2);
}

#[test]
fn without_a_catalog_files_are_taken_in_and_nothing_counts_twice() {
    for is_held in [false, true] {
        let (bench, sent) = settled(is_held);
        // Files whose merged successor is there too.
        let merged = bench.beside(fork(&bench.disk));
        let view = merged.store.view();
        merged.pass(2 * 24 * 3600);
        merged.tend();
        assert_eq!(merged.settled_files().len(), 3);
        merged.store.close().unwrap();
        drop(view);
        for disk in [&bench.disk, &merged.disk] {
            let damaged = fork(disk);
            for (path, _) in &files(disk, "catalog") {
                damaged.memory().lose(path);
            }
            let report = judge(&bench, &sent, &damaged, false, "no catalog");
            assert!(report.repairs.iter().any(|what| what.contains("were taken in")), "{report:?}");
        }
    }
}

#[test]
fn a_lost_catalog_is_told_by_files_of_settlements_alone() {
    let (bench, _) = settled(false);
    let damaged = fork(&bench.disk);
    for folder in ["catalog", "blocks"] {
        for (path, _) in &files(&bench.disk, folder) {
            damaged.memory().lose(path);
        }
    }
    let served = bench.beside(damaged);
    assert!(served.store.health().iter().any(|reason| reason.detail.contains("files of settlements are there")));
    assert_eq!(served.settled_files().len(), 2, "they are not swept");
}

#[test]
fn what_cannot_be_taken_in_is_set_aside() {
    let (bench, _) = settled(false);
    let damaged = fork(&bench.disk);
    for (path, _) in &files(&bench.disk, "catalog") {
        damaged.memory().lose(path);
    }
    let (path, length) = files(&damaged, "settled").pop().unwrap();
    damaged.memory().flip_bit(&path, length - 2, 1);
    let report = checked(&damaged, true);
    assert!(report.repairs.iter().any(|what| what.contains("moved to aside/")), "{report:?}");
    assert!(checked(&damaged, false).is_clean());
    let name = path.file_name().unwrap().to_str().unwrap();
    assert!(files(&damaged, "aside").iter().any(|(path, _)| path.ends_with(name)));
}

#[test]
fn a_copy_that_missed_a_merge_has_the_new_file_in_place_of_the_old() {
    let (bench, sent) = settled(false);
    let (path, length) = files(&bench.disk, "catalog").pop().unwrap();
    let before = bench.disk.read(&path, 0, length).unwrap();
    let merged = bench.beside(fork(&bench.disk));
    merged.pass(2 * 24 * 3600);
    merged.tend();
    merged.tend();
    merged.store.close().unwrap();
    assert_eq!(merged.settled_files().len(), 1);
    // The catalog was copied before the merge, the files after it.
    merged.disk.open(&path).unwrap().write_at(0, &before).unwrap();
    let report = judge(&bench, &sent, &merged.disk, false, "a copy");
    assert!(report.repairs.iter().any(|what| what.contains("in the place of 2")), "{report:?}");
}
