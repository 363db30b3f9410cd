//! Blocks and the catalog rot, are cut, or get lost: the check names it, the server never answers wrongly in silence, and
//! after a repair all is well but for what is lost.

use std::path::PathBuf;

use clew_model::Span;
use clew_model::scan::{Condition, Field, Op, ScanRequest, SpanFilter, TimeRange};

use super::blocks::{block_files, delete, expire, seal, trace};
use super::*;
use crate::check::{CheckReport, columns};
use crate::port::Entry;

/// Small files, so that each of their bytes can be tried.
fn small() -> StoreConfig {
    StoreConfig { catalog_bytes: 2048, live_shards: 1, workers: 1, ..config() }
}

/// Three traces in a block, one in the log.
fn sealed() -> (FaultyDisk, Vec<Span>) {
    let disk = disk();
    let store = open_on(&disk, small()).unwrap();
    for number in 1..=3 {
        put(&store, batch(number, 4));
    }
    seal(&store).unwrap();
    put(&store, batch(9, 2));
    let sent = all_spans(&*store.spans());
    store.close().unwrap();
    (disk, sent)
}

fn files(disk: &FaultyDisk, folder: &str) -> Vec<(PathBuf, usize)> {
    let path = Path::new("/data").join(folder);
    let entry = |Entry { name, length }| (path.join(name), length as usize);
    disk.list(&path).unwrap().into_iter().map(entry).collect()
}

fn fork(disk: &FaultyDisk) -> FaultyDisk {
    FaultyDisk::new(disk.memory().fork())
}

fn cut(disk: &FaultyDisk, path: &Path, length: usize) {
    disk.open(path).unwrap().set_length(length as u64).unwrap();
}

/// What a store answers: its spans, whether it says that something is wrong or missing, and whether a search and the
/// summaries are right for a store that has `sent`.
fn answers(disk: &FaultyDisk, sent: &[Span]) -> (Vec<Span>, bool, bool) {
    let store = open_on(disk, small()).unwrap();
    let (source, tenant) = (store.spans(), Tenant::default());
    let name = Condition { field: Field::Name, op: Op::Eq, value: "operation 1".into() };
    let service = Condition { field: Field::Service, op: Op::Eq, value: "service-1".into() };
    let request = ScanRequest {
        tenant: tenant.clone(),
        range: TimeRange::ALL,
        filters: vec![SpanFilter { conditions: vec![name, service] }],
        rows_per_trace: 0,
    };
    let mut ids: Vec<TraceId> = sent.iter().map(|span| span.trace_id).collect();
    ids.dedup();
    let (mut is_told, mut is_right) = (false, true);
    let expected = sent.iter().filter(|span| span.name == "operation 1" && span.service() == "service-1").count();
    match source.scan(&request, &|| false) {
        Ok(found) => {
            is_told |= found.incomplete.is_some();
            is_right &= found.matches.len() == expected;
        }
        Err(_) => is_told = true,
    }
    match source.summaries(&tenant, &ids, &|| false) {
        Ok(found) => {
            is_told |= found.incomplete.is_some();
            let of = |id: &TraceId| {
                let own: Vec<Span> = sent.iter().filter(|span| span.trace_id == *id).cloned().collect();
                clew_model::summarize(&own)
            };
            is_right &= found.summaries == ids.iter().map(of).collect::<Vec<_>>();
        }
        Err(_) => is_told = true,
    }
    is_told |= source.services(&tenant).is_err();
    let mut spans = Vec::new();
    match source.rows(&tenant, &ids, &|| false) {
        Ok(found) => {
            is_told |= found.incomplete.is_some();
            spans = found.spans;
        }
        Err(_) => is_told = true,
    }
    spans.sort_by_key(|span| (span.trace_id, span.span_id));
    is_told |= !store.health().is_empty();
    (spans, is_told, is_right)
}

/// Whether the damage is named; panics where an answer is wrong in silence, or the repair does not make it well.
fn judge(disk: &FaultyDisk, sent: &[Span], place: &str) -> CheckReport {
    let found = check_disk(disk, false).unwrap();
    let (spans, is_told, is_right) = answers(&fork(disk), sent);
    assert!(spans.iter().all(|span| sent.contains(span)), "{place}: a wrong span");
    assert!(is_told || (is_right && spans == sent), "{place}: wrong in silence; {found:?}");
    assert!(!(is_told && found.is_clean()), "{place}: the server finds what the check does not");

    let repaired = fork(disk);
    let report = check_disk(&repaired, true).unwrap();
    assert_eq!(report.is_clean(), found.is_clean(), "{place}: {report:?}");
    let again = check_disk(&repaired, false).unwrap();
    assert!(again.is_clean() && again.stray_files.is_empty(), "{place}: {report:?}, and then {again:?}");
    let (spans, is_told, is_right) = answers(&repaired, sent);
    assert!(!is_told, "{place}: {report:?}");
    assert!(spans.iter().all(|span| sent.contains(span)), "{place}: a wrong span after the repair");
    let log_lost: u64 = report.segments.iter().map(|segment| segment.damage.len() as u64).sum();
    if report.lost_spans + log_lost == 0 {
        assert!(is_right && spans == sent, "{place}: lost in silence; {report:?}");
    } else {
        assert!(spans.len() < sent.len(), "{place}: {report:?}");
    }
    report
}

#[test]
fn each_flipped_byte_of_a_block_is_named_and_mended() {
    let (disk, sent) = sealed();
    let files = files(&disk, "blocks");
    assert_eq!(files.len(), 2);
    for (path, length) in files {
        for at in 0..length {
            let found = fork(&disk);
            found.memory().flip_bit(&path, at, (at % 8) as u8);
            let place = format!("byte {at} of {}", path.display());
            // All of it is slow, and what a server does with a byte depends on where it stands, not on which it is.
            if at % 11 == 0 {
                assert!(!judge(&found, &sent, &place).is_clean(), "{place}");
            } else {
                assert!(!check_disk(&found, false).unwrap().is_clean(), "{place}");
            }
        }
    }
}

#[test]
fn each_flipped_byte_of_the_catalog_is_named_or_harmless() {
    let (disk, sent) = sealed();
    let files = files(&disk, "catalog");
    let [(path, length)] = files.as_slice() else { panic!("{files:?}") };
    let bytes = disk.read(path, 0, *length).unwrap();
    let used = bytes.iter().rposition(|byte| *byte != 0).unwrap();
    let mut named = 0;
    for at in 0..used + 10 {
        let found = fork(&disk);
        found.memory().flip_bit(path, at, (at % 8) as u8);
        // See above.
        let report =
            if at % 5 == 0 { judge(&found, &sent, &format!("byte {at}")) } else { check_disk(&found, false).unwrap() };
        named += usize::from(!report.is_clean());
    }
    // All but the marker at the end, which the frame before it does without.
    assert!(named >= used - 60, "{named} of {used}");
}

#[test]
fn each_truncation_is_named_and_mended() {
    let (disk, sent) = sealed();
    for folder in ["blocks", "catalog"] {
        for (path, length) in files(&disk, folder) {
            for to in (0..length).step_by(length / 40 + 1).chain([length - 1]) {
                let found = fork(&disk);
                cut(&found, &path, to);
                let place = format!("{} cut to {to} of {length}", path.display());
                assert!(!judge(&found, &sent, &place).is_clean(), "{place}");
            }
        }
    }
}

#[test]
fn a_lost_file_is_named_and_what_can_be_saved_is() {
    let (disk, sent) = sealed();
    let lost = |folder: &str, ending: &str| {
        let found = fork(&disk);
        for (path, _) in files(&disk, folder).iter().filter(|(path, _)| path.to_str().unwrap().ends_with(ending)) {
            found.memory().lose(path);
        }
        let report = judge(&found, &sent, &format!("{folder} {ending}"));
        assert!(!report.is_clean(), "{folder} {ending}");
        report
    };
    assert_eq!(lost("catalog", "").lost_spans, 0);
    assert_eq!(lost("blocks", ".side").lost_spans, 0);
    let report = lost("blocks", ".parquet");
    assert_eq!(report.lost_spans, 12);
    assert!(report.blocks[0].problems[0].contains("is missing"), "{report:?}");
    assert_eq!(lost("blocks", "").lost_spans, 12);
    // Without a catalog, only a sidecar says whose a Parquet file's spans are.
    let found = fork(&disk);
    for (path, _) in files(&disk, "catalog").iter().chain(&files(&disk, "blocks")) {
        if !path.to_str().unwrap().ends_with(".parquet") {
            found.memory().lose(path);
        }
    }
    let report = check_disk(&found, true).unwrap();
    assert!(report.repairs.iter().any(|what| what.contains("moved to aside/")), "{report:?}");
    assert!(check_disk(&found, false).unwrap().is_clean());
    assert!(found.list("/data/aside".as_ref()).unwrap()[0].name.ends_with(".parquet"));
}

/// A number that looks like none, as text.
fn xorshift(seed: u64) -> String {
    let mut number = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    for _ in 0..3 {
        number ^= number << 13;
        number ^= number >> 7;
        number ^= number << 17;
    }
    format!("{number:016x}")
}

#[test]
fn what_cannot_be_read_of_a_block_is_set_aside_and_the_rest_is_written_anew() {
    let disk = disk();
    let narrow = StoreConfig { block_group_rows: 256, ..small() };
    let store = open_on(&disk, narrow).unwrap();
    for number in 1..=16_u64 {
        // Texts that do not pack well, so that the block has several pieces.
        let text = |index: u64| (1..12).map(|part: u64| xorshift(number << 32 | index << 8 | part)).collect::<String>();
        let blob = |index| Attribute { key: "blob".to_owned(), value: Value::String(text(index)) };
        let spans = spans(number, 64).into_iter().zip(0..);
        let spans: Vec<Span> = spans.map(|(span, index)| Span { attributes: vec![blob(index)], ..span }).collect();
        put(&store, encoded(number, &spans, Encoding::Identity));
    }
    seal(&store).unwrap();
    let sent = all_spans(&*store.spans());
    store.close().unwrap();
    let (path, length) = files(&disk, "blocks").into_iter().next().unwrap();
    let sums_piece = 4 * 1024;
    assert!(length > 3 * sums_piece, "{length}");
    disk.set_unreadable(&path, 0..sums_piece as u64);
    let report = check_disk(&disk, true).unwrap();
    assert!(report.lost_spans > 0 && report.lost_spans < 1024, "{report:?}");
    assert_eq!(disk.list("/data/aside".as_ref()).unwrap().len(), 2);
    assert!(check_disk(&disk, false).unwrap().is_clean());
    let store = open_on(&disk, small()).unwrap();
    let left = all_spans(&*store.spans());
    assert_eq!(left.len() as u64, 1024 - report.lost_spans);
    assert!(left.iter().all(|span| sent.contains(span)) && store.health().is_empty());
}

#[test]
fn the_newest_edit_is_lost_without_a_trace_and_the_log_is_freed() {
    let disk = disk();
    let store = open_on(&disk, small()).unwrap();
    put(&store, batch(1, 3));
    seal(&store).unwrap();
    let (path, length) = files(&disk, "catalog").pop().unwrap();
    let before = disk.read(&path, 0, length).unwrap();
    put(&store, batch(2, 3));
    seal(&store).unwrap();
    put(&store, batch(3, 3));
    let sent = all_spans(&*store.spans());
    store.close().unwrap();
    disk.open(&path).unwrap().write_at(0, &before).unwrap();
    let report = judge(&disk, &sent, "a lost edit");
    assert!(report.catalog.damage[0].what.contains("the log begins at position"), "{report:?}");
    // The server has run over it before somebody repairs.
    let store = open_on(&disk, small()).unwrap();
    put(&store, batch(4, 3));
    seal(&store).unwrap();
    store.close().unwrap();
    assert!(!check_disk(&disk, true).unwrap().is_clean());
    let store = open_on(&disk, small()).unwrap();
    assert_eq!((all_spans(&*store.spans()).len(), names(&store)), (12, vec![]));
}

#[test]
fn a_repair_brings_nothing_back_that_was_deleted_and_sweeps_what_a_crash_left() {
    let (disk, _) = sealed();
    let store = open_on(&disk, small()).unwrap();
    delete(&store, &Tenant::default(), Some(trace(1))).unwrap();
    store.close().unwrap();
    drop(disk.create("/data/blocks/00000000000000ff.parquet.tmp".as_ref(), 7).unwrap());
    let report = check_disk(&disk, false).unwrap();
    assert!(report.is_clean() && report.stray_files.len() == 1 && report.catalog.deletions == 1, "{report:?}");
    let side = files(&disk, "blocks").into_iter().find(|(path, _)| path.extension().unwrap() == "side").unwrap().0;
    disk.memory().lose(&side);
    let report = check_disk(&disk, true).unwrap();
    assert_eq!((report.lost_spans, block_files(&disk).len()), (0, 4), "{report:?}");
    let store = open_on(&disk, small()).unwrap();
    assert_eq!((rows(&store, 1).spans.len(), rows(&store, 2).spans.len()), (0, 4));
    assert!(store.health().is_empty(), "{:?}", store.health());
}

#[test]
fn a_copy_that_missed_a_rewrite_has_the_new_block_in_place_of_the_old() {
    let disk = disk();
    let store = open_on(&disk, StoreConfig { purge_after: Duration::ZERO, ..config() }).unwrap();
    for number in 1..=3 {
        put(&store, batch(number, 4));
    }
    seal(&store).unwrap();
    let catalog = files(&disk, "catalog");
    let [(path, length)] = catalog.as_slice() else { panic!("{catalog:?}") };
    delete(&store, &Tenant::default(), Some(trace(1))).unwrap();
    seal(&store).unwrap();
    let before = disk.read(path, 0, *length).unwrap();
    expire(&store).unwrap();
    store.close().unwrap();
    // The catalog was copied before the rewrite, the blocks after it.
    disk.open(path).unwrap().write_at(0, &before).unwrap();
    let found = fork(&disk);
    let store = open_on(&found, small()).unwrap();
    assert!(!store.health().is_empty());
    store.close().unwrap();
    for disk in [disk, found] {
        let report = check_disk(&disk, true).unwrap();
        assert_eq!(report.lost_spans, 0, "{report:?}");
        assert!(check_disk(&disk, false).unwrap().is_clean());
        let store = open_on(&disk, small()).unwrap();
        assert_eq!((all_spans(&*store.spans()).len(), names(&store)), (8, vec![]));
    }
}

#[test]
fn a_log_that_begins_too_late_behind_blocks_is_named_and_acknowledged() {
    let (disk, _) = sealed();
    let store = open_on(&disk, small()).unwrap();
    for number in 20..28 {
        put(&store, batch(number, 30));
    }
    store.close().unwrap();
    let segments = files(&disk, "log");
    assert!(segments.len() > 2, "{segments:?}");
    disk.memory().lose(&segments[0].0);
    let report = check_disk(&disk, true).unwrap();
    assert!(!report.is_clean() && report.repaired_segments == 1, "{report:?}");
    assert_eq!(segments[0].0.file_name().unwrap().to_str(), Some(report.segments[0].name.as_str()));
    assert!(check_disk(&disk, false).unwrap().is_clean());
    let store = open_on(&disk, small()).unwrap();
    assert_eq!((rows(&store, 1).spans.len(), rows(&store, 27).spans.len(), names(&store)), (4, 30, vec![]));
}

#[test]
fn columns_add_up_to_what_the_files_take() {
    let (disk, _) = sealed();
    let report = columns("/data".as_ref(), &(Arc::new(disk.clone()) as Arc<dyn Disk>)).unwrap();
    let bytes: u64 = disk.list("/data/blocks".as_ref()).unwrap().iter().map(|entry| entry.length).sum();
    assert_eq!((report.blocks, report.spans, report.data_bytes + report.side_bytes), (1, 12, bytes));
    assert_eq!(report.columns.iter().map(|column| column.bytes).sum::<u64>(), bytes);
    for name in ["span_id", "sidecar:ids", "(parquet metadata)"] {
        assert!(report.columns.iter().any(|column| column.name == name && column.bytes > 0), "{name}: {report:?}");
    }
}
