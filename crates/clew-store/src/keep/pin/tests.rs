use std::time::Duration;

use clew_model::scan::SpanSource as _;
use clew_model::{Span, Tenant, TraceId};

use crate::keep::{KeepError, SizeLimit, TenantRetention};
use crate::port::{Clock as _, SystemClock};
use crate::settle::tests::{Bench, config, keep_all, trace};

const DAY_SECONDS: u64 = 24 * 3600;

fn other() -> Tenant {
    Tenant::new("other").unwrap()
}

fn id(number: u64) -> TraceId {
    trace(number, 1)[0].trace_id
}

fn pin(bench: &Bench, tenant: &Tenant, number: u64) -> Result<(), KeepError> {
    Bench::wait(|answer| bench.store.pin(tenant.clone(), id(number), Some(format!("note {number}")), answer))
}

fn unpin(bench: &Bench, tenant: &Tenant, number: u64) {
    Bench::wait(|answer| bench.store.unpin(tenant.clone(), id(number), answer)).unwrap();
}

/// The traces of these numbers that are there.
fn left(bench: &Bench, tenant: &Tenant, numbers: std::ops::Range<u64>) -> Vec<u64> {
    let view = bench.store.view();
    let is_there = |number: &u64| !view.rows(tenant, &[id(*number)], &|| false).unwrap().spans.is_empty();
    numbers.filter(is_there).collect()
}

/// Ten traces in a block, of which some are pinned.
fn pinned(tenant: &Tenant, pins: &[u64]) -> Bench {
    // What is merged has another name.
    let mut config = config();
    config.merge.block_bytes = 0;
    let mut bench = Bench::with(keep_all, config);
    for number in 0..10 {
        bench.send_of(tenant, &trace(number, 4));
    }
    bench.seal();
    for number in pins {
        pin(&bench, tenant, *number).unwrap();
    }
    bench
}

/// Waits for whoever still reads blocks that were removed: a thread may be writing one anew at the same time.
fn until_files(bench: &Bench, count: usize) {
    let waited = SystemClock::new();
    while bench.block_files().len() != count {
        assert!(waited.monotonic_nanos() < 20_000_000_000, "{:?} stay", bench.block_files());
        bench.tend();
    }
}

#[test]
fn r1_pinned_traces_outlive_their_age_and_leave_with_their_pins() {
    let tenant = Tenant::default();
    let mut bench = pinned(&tenant, &[3, 7]);
    bench.pass(8 * DAY_SECONDS);
    bench.tend();
    assert_eq!(left(&bench, &tenant, 0..10), [3, 7]);
    assert_eq!(bench.store.figures().block_spans, 8);
    until_files(&bench, 2);
    // Nothing is left to be done, now or after a restart.
    let (rewritten, blocks) = (bench.store.figures().kept.rewritten_blocks, bench.block_files());
    bench.tend();
    bench.restart();
    bench.tend();
    bench.tend();
    assert_eq!((rewritten, bench.store.figures().kept.rewritten_blocks, bench.block_files()), (1, 0, blocks));
    assert_eq!(bench.store.view().pins.get(&tenant, id(3)).unwrap().note.as_deref(), Some("note 3"));
    unpin(&bench, &tenant, 3);
    bench.tend();
    assert_eq!(left(&bench, &tenant, 0..10), [7]);
    unpin(&bench, &tenant, 7);
    bench.tend();
    until_files(&bench, 0);
    assert_eq!(left(&bench, &tenant, 0..10), Vec::<u64>::new());
    assert!(bench.store.view().pins.is_empty());
}

#[test]
fn a_block_of_which_all_is_pinned_is_not_written_anew() {
    let tenant = Tenant::default();
    let bench = pinned(&tenant, &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    let blocks = bench.block_files();
    bench.pass(8 * DAY_SECONDS);
    bench.tend();
    assert_eq!((bench.block_files(), bench.store.figures().kept.rewritten_blocks), (blocks, 0));
}

#[test]
fn pinned_traces_make_no_room_and_others_go_in_their_place() {
    let tenant = Tenant::default();
    let mut bench = pinned(&tenant, &[0, 1]);
    for number in 10..20 {
        bench.send(&trace(number, 4));
        bench.pass(1);
        bench.seal();
    }
    let last = bench.store.figures().block_data_bytes + bench.store.figures().block_side_bytes;
    // Room for less than a half of it.
    bench.config.retention.size = SizeLimit::Bytes(last / 2);
    bench.restart();
    bench.tend();
    let figures = bench.store.figures();
    assert!(figures.block_data_bytes + figures.block_side_bytes <= last / 2);
    let kept = left(&bench, &tenant, 0..20);
    assert!(kept.starts_with(&[0, 1]) && kept.contains(&19) && !kept.contains(&2) && !kept.contains(&10), "{kept:?}");
    // Where all that is left is pinned, it stays.
    bench.config.retention.size = SizeLimit::Bytes(1);
    bench.restart();
    bench.tend();
    assert_eq!(left(&bench, &tenant, 0..20), [0, 1]);
}

#[test]
fn a_pin_speaks_of_its_tenant_alone() {
    let mut bench = pinned(&Tenant::default(), &[5]);
    bench.config.retention.tenants =
        [(other(), TenantRetention { age: Some(Duration::from_mins(1)), bytes: None })].into();
    bench.restart();
    for number in 4..7 {
        bench.send_of(&other(), &trace(number, 4));
        bench.send(&trace(number + 20, 4));
    }
    bench.seal();
    pin(&bench, &other(), 6).unwrap();
    bench.pass(100);
    bench.tend();
    assert_eq!(left(&bench, &other(), 0..10), [6], "the others of its tenant are over, and their block is shared");
    assert_eq!(left(&bench, &Tenant::default(), 20..30), [24, 25, 26]);
    bench.pass(8 * DAY_SECONDS);
    bench.tend();
    assert_eq!(left(&bench, &Tenant::default(), 0..30), [5]);
    assert_eq!(left(&bench, &other(), 0..10), [6]);
}

#[test]
fn what_is_deleted_is_not_pinned_any_more() {
    let bench = pinned(&Tenant::default(), &[1, 2]);
    pin(&bench, &other(), 3).unwrap();
    bench.delete(&Tenant::default(), Some(id(1)));
    let pins = |bench: &Bench| bench.store.view().pins.len();
    assert_eq!(pins(&bench), 2);
    bench.delete(&Tenant::default(), None);
    assert_eq!(pins(&bench), 1);
    assert!(bench.store.view().pins.contains(&other(), id(3)));
    assert!(left(&bench, &Tenant::default(), 0..10).is_empty());
}

#[test]
fn pins_have_a_bound_and_a_new_note_takes_no_room() {
    let mut bench = Bench::with(keep_all, crate::StoreConfig { pins_max: 2, ..config() });
    let tenant = Tenant::default();
    pin(&bench, &tenant, 1).unwrap();
    pin(&bench, &tenant, 2).unwrap();
    let refused = pin(&bench, &tenant, 3);
    assert!(matches!(refused, Err(KeepError::PinsFull(2))), "{refused:?}");
    Bench::wait(|answer| bench.store.pin(tenant.clone(), id(2), None, answer)).unwrap();
    bench.restart();
    let pins = bench.store.view();
    let notes: Vec<Option<&str>> = pins.pins.of_tenant(&tenant).map(|pin| pin.note.as_deref()).collect();
    assert_eq!(notes, [Some("note 1"), None]);
    unpin(&bench, &tenant, 9);
    unpin(&bench, &tenant, 1);
    pin(&bench, &tenant, 3).unwrap();
}

#[test]
fn a_block_that_cannot_be_asked_for_pinned_traces_stays() {
    let tenant = Tenant::default();
    let mut bench = pinned(&tenant, &[3]);
    let side = bench
        .block_files()
        .into_iter()
        .find(|name| name.split_once('.').is_some_and(|(_, ending)| ending == "side"))
        .unwrap();
    let path = format!("/data/blocks/{side}");
    bench.disk.set_unreadable(path.as_ref(), 0..1 << 20);
    let parquet = path.replace(".side", ".parquet");
    bench.disk.set_unreadable(parquet.as_ref(), 0..1 << 20);
    bench.restart();
    bench.pass(8 * DAY_SECONDS);
    let blocks = bench.block_files();
    bench.tend();
    assert_eq!(bench.block_files(), blocks);
    unpin(&bench, &tenant, 3);
    bench.tend();
    assert_eq!(bench.block_files().len(), 0, "without pins nothing has to be asked");
}

#[test]
fn late_spans_of_a_pinned_trace_are_kept_too() {
    let tenant = Tenant::default();
    let mut bench = pinned(&tenant, &[3]);
    bench.pass(8 * DAY_SECONDS);
    let late: Vec<Span> = trace(3, 6)[4..].to_vec();
    bench.send(&late);
    bench.seal();
    bench.pass(8 * DAY_SECONDS);
    bench.tend();
    assert_eq!(bench.store.view().rows(&tenant, &[id(3)], &|| false).unwrap().spans.len(), 6);
}
