use std::time::Duration;

use clew_model::scan::{SpanSource as _, TimeRange};
use clew_model::{Span, Tenant};
use clew_rollup::Rollup;

use crate::keep::KeepError;
use crate::port::{Crash, Fault, Kept};
use crate::settle::files::{SettleFiles, file_number};
use crate::settle::record::{Records, Rollups};
use crate::settle::tests::{Bench, Errors, config, keep_all, trace};
use crate::{HealthReason, check};

const DAY_SECONDS: u64 = 24 * 3600;

fn other() -> Tenant {
    Tenant::new("other").unwrap()
}

/// A trace that begins now.
fn fresh(bench: &Bench, number: u64) -> Vec<Span> {
    let mut spans = trace(number, 3);
    for span in &mut spans {
        span.start_unix_nanos = bench.now();
    }
    spans
}

/// Sends a trace that begins now, and settles it.
fn settled(bench: &mut Bench, number: u64) -> Vec<Span> {
    let spans = fresh(bench, number);
    bench.send(&spans);
    bench.pass(31);
    bench.settle();
    spans
}

fn sum(traces: &[Vec<Span>]) -> Rollup {
    let mut rollup = Rollup::default();
    for spans in traces {
        rollup.add(&Rollup::of_trace(spans, true));
    }
    rollup
}

/// What all files hold, by number.
fn contents(bench: &Bench) -> Vec<(u64, Records, Rollups)> {
    let files = SettleFiles::new(std::sync::Arc::new(bench.disk.clone()), "/data".as_ref(), 0);
    let numbers = bench.settled_files().into_iter().filter_map(|(name, _)| file_number(&name));
    let content = |number| {
        let whole = files.whole(number).unwrap();
        (number, whole.records.unwrap(), whole.rollups.unwrap())
    };
    numbers.map(content).collect()
}

fn is_clean(bench: &Bench) -> bool {
    bench.store.close().unwrap();
    let disk: std::sync::Arc<dyn crate::port::Disk> = std::sync::Arc::new(bench.disk.clone());
    let report = check("/data".as_ref(), &disk, false).unwrap();
    report.is_clean() && report.stray_settled_files.is_empty()
}

#[test]
fn files_are_merged_and_figures_stay_what_they_are() {
    let mut bench = Bench::new(keep_all);
    let mut sent = Vec::new();
    for number in 0..200 {
        sent.push(settled(&mut bench, number));
        bench.pass(29);
        if number % 7 == 0 {
            bench.tend();
            assert_eq!(bench.figures(), sum(&sent), "after {number}");
        }
        if number % 90 == 0 {
            bench.seal();
            bench.restart();
        }
    }
    bench.pass(300);
    bench.tend();
    let hours = bench.settled_files().len();
    assert!(hours < 20, "{:?}", bench.settled_files());
    assert_eq!(bench.store.figures().settled_files, hours as u64);
    assert_eq!(bench.store.figures().settled_bytes, bench.settled_files().iter().map(|(_, bytes)| bytes).sum::<u64>());
    bench.pass(DAY_SECONDS);
    bench.tend();
    assert!(bench.settled_files().len() <= 2, "{:?}", bench.settled_files());
    assert_eq!(bench.figures(), sum(&sent));
    bench.restart();
    assert_eq!((bench.figures(), bench.store.health()), (sum(&sent), vec![]));
    assert!(is_clean(&bench));
}

#[test]
fn files_have_a_bound() {
    let mut bench = Bench::new(keep_all);
    for number in 0..12_u64 {
        // Names that do not pack well, each of them of another series.
        let word =
            |at: u64| format!("{:016x}", (number * 64 + at + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29));
        let mut spans = fresh(&bench, number);
        spans.iter_mut().zip(0..).for_each(|(span, at)| span.name = (0..20).map(|part| word(at * 20 + part)).collect());
        bench.send(&spans);
        bench.pass(31);
        bench.settle();
    }
    let one = bench.settled_files()[0].1;
    bench.config.settle.file_bytes = 4 * one;
    bench.restart();
    bench.pass(2 * DAY_SECONDS);
    for _ in 0..10 {
        bench.tend();
    }
    let files = bench.settled_files();
    assert!((3..12).contains(&files.len()) && files.iter().all(|(_, bytes)| *bytes <= 4 * one), "{files:?}");
}

#[test]
fn records_are_dropped_once_nobody_needs_them_and_numbers_go_on() {
    let mut bench = Bench::new(keep_all);
    for number in 0..4 {
        settled(&mut bench, number);
    }
    bench.pass(2 * 3600);
    settled(&mut bench, 4);
    bench.tend();
    let feed = |bench: &Bench, from| bench.store.view().feed(from, 10, &|_, _, _| true).unwrap();
    let answer = feed(&bench, 1);
    assert_eq!((answer.lost_count, answer.next), (3, 5));
    assert_eq!(answer.records.iter().map(|found| found.0).collect::<Vec<_>>(), [4]);
    assert_eq!(feed(&bench, 5).lost_count, 0);
    bench.restart();
    assert_eq!(feed(&bench, 1), answer);
    bench.pass(2 * DAY_SECONDS);
    bench.tend();
    let answer = feed(&bench, 3);
    assert_eq!((answer.records.len(), answer.lost_count, answer.next), (0, 2, 5));
    settled(&mut bench, 6);
    assert_eq!(feed(&bench, 5).records[0].0, 5);
    assert!(contents(&bench).iter().filter(|(_, records, _)| records.count() > 0).count() == 1);
}

#[test]
fn a_verdict_outlives_merging_until_blocks_have_it() {
    let mut bench = Bench::new(|| Box::new(Errors));
    let traces: Vec<_> = (0..3).map(|number| settled(&mut bench, number)).collect();
    bench.seal();
    bench.pass(2 * DAY_SECONDS);
    bench.tend();
    assert_eq!(bench.settled_files().len(), 1);
    bench.restart();
    for spans in &traces {
        assert!(!bench.state(spans[0].trace_id).verdict.unwrap().keep);
    }
    assert_eq!(bench.records().len(), 3, "the block is not merged, so records are all there is of verdicts");
}

#[test]
fn what_is_counted_after_the_watermark_is_known_whatever_the_age_of_records() {
    let mut config = config();
    config.settle.feed_age = Duration::ZERO;
    config.settle.completion.age = Duration::from_hours(24);
    let mut bench = Bench::with(keep_all, config);
    // It waits for its root, and holds the watermark back.
    let rootless = fresh(&bench, 99)[1..].to_vec();
    bench.send(&rootless);
    bench.pass(1);
    let mut sent = vec![rootless];
    for number in 0..5 {
        sent.push(settled(&mut bench, number));
    }
    bench.seal();
    bench.pass(2 * 3600);
    bench.tend();
    assert_eq!(bench.settled_files().len(), 1);
    bench.restart();
    bench.settle();
    assert_eq!(bench.figures(), sum(&sent));
    assert_eq!(bench.records().len(), 5, "nothing was settled again");
}

#[test]
fn figures_are_forgotten_by_age() {
    let mut bench = Bench::new(keep_all);
    bench.config.retention.age = Duration::from_hours(24);
    bench.restart();
    settled(&mut bench, 1);
    bench.seal();
    bench.pass(10 * DAY_SECONDS);
    let young = settled(&mut bench, 2);
    bench.seal();
    bench.pass(21 * DAY_SECONDS);
    bench.tend();
    assert_eq!(bench.figures(), sum(&[young]));
    assert_eq!(bench.settled_files().len(), 1);
    bench.pass(10 * DAY_SECONDS);
    bench.tend();
    assert_eq!((bench.figures(), bench.settled_files()), (Rollup::default(), vec![]));
    bench.restart();
    settled(&mut bench, 3);
    assert_eq!(bench.records()[0].0, 2, "numbers are not given twice");
    assert!(is_clean(&bench));
}

#[test]
fn figures_of_an_odd_time_live_as_long_as_their_neighbours() {
    let mut bench = Bench::new(keep_all);
    let (mut early, late) = (fresh(&bench, 1), fresh(&bench, 2));
    // A clock that was never set.
    for span in &mut early {
        span.start_unix_nanos = 1_000_000_000;
    }
    bench.send(&early);
    bench.send(&late);
    bench.pass(31);
    bench.settle();
    bench.seal();
    bench.pass(27 * DAY_SECONDS);
    bench.tend();
    assert_eq!(bench.figures(), sum(&[early, late]));
    bench.pass(4 * DAY_SECONDS);
    bench.tend();
    assert_eq!((bench.figures(), bench.settled_files()), (Rollup::default(), vec![]));
}

#[test]
fn r1_a_file_stays_until_nobody_reads_it() {
    let mut bench = Bench::new(keep_all);
    let sent: Vec<_> = (0..3).map(|number| settled(&mut bench, number)).collect();
    // Nothing that was read is in memory any more.
    bench.config.settle.cache_bytes = 0;
    bench.restart();
    let view = bench.store.view();
    let older = bench.settled_files();
    bench.pass(DAY_SECONDS);
    bench.tend();
    assert_eq!(bench.settled_files().len(), older.len() + 1);
    let answer = view.figures(&Tenant::default(), TimeRange::ALL, &|| false).unwrap();
    assert_eq!((answer.rollup, answer.incomplete), (sum(&sent), None));
    assert_eq!(view.feed(0, 10, &|_, _, _| true).unwrap().records.len(), 3);
    drop(view);
    bench.tend();
    assert_eq!(bench.settled_files().len(), 1);
    assert_eq!(bench.store.health(), vec![]);
}

#[test]
fn r1_what_a_tenant_had_is_gone_from_figures_at_once_and_from_files_before_it_is_forgotten() {
    let mut bench = Bench::new(keep_all);
    let kept = settled(&mut bench, 1);
    bench.send_of(&other(), &fresh(&bench, 2));
    bench.pass(31);
    bench.settle();
    assert!(!bench.figures_of(&other()).is_empty());
    bench.delete(&other(), None);
    assert!(bench.figures_of(&other()).is_empty());
    assert_eq!(bench.records().len(), 1, "the feed shows nothing of it either");
    // What it sends from now on counts, and is merged with what it had.
    bench.pass(1);
    let newer = fresh(&bench, 3);
    bench.send_of(&other(), &newer);
    bench.pass(31);
    bench.settle();
    assert_eq!(bench.figures_of(&other()), sum(std::slice::from_ref(&newer)));
    bench.pass(400);
    bench.tend();
    assert_eq!((bench.figures_of(&other()), bench.settled_files().len()), (sum(std::slice::from_ref(&newer)), 1));
    bench.seal();
    bench.pass(700);
    bench.tend();
    bench.restart();
    assert!(bench.store.view().deletions.is_empty(), "nothing is left to be masked");
    assert_eq!((bench.figures_of(&other()), bench.figures()), (sum(&[newer]), sum(&[kept])));
    assert!(is_clean(&bench));
}

#[test]
fn a_purge_takes_records_and_figures_out_of_files_that_are_not_merged() {
    let mut bench = Bench::new(keep_all);
    bench.config.purge_after = Duration::ZERO;
    bench.restart();
    let (first, second) = (fresh(&bench, 1), fresh(&bench, 2));
    bench.send(&first);
    bench.send(&second);
    bench.send_of(&other(), &first);
    bench.pass(31);
    bench.settle();
    bench.delete(&Tenant::default(), Some(first[0].trace_id));
    bench.delete(&other(), None);
    assert_eq!(bench.records().iter().map(|found| found.1.summary.trace_id).collect::<Vec<_>>(), [second[0].trace_id]);
    bench.seal();
    bench.tend();
    bench.tend();
    let contents = contents(&bench);
    let [(_, records, rollups)] = contents.as_slice() else { panic!("{contents:?}") };
    assert_eq!(records.iter().map(|(number, ..)| number).collect::<Vec<_>>(), [1]);
    assert_eq!(rollups.iter().map(|(tenant, _)| tenant).collect::<Vec<_>>(), [&Tenant::default()]);
    assert!(bench.store.view().deletions.is_empty());
    // Figures are sums: what was counted of one trace stays in them.
    assert_eq!(bench.figures(), sum(&[first, second]));
    assert!(is_clean(&bench));
}

#[test]
fn damage_that_is_found_is_told_and_others_are_merged_without_it() {
    let mut bench = Bench::new(keep_all);
    let sent: Vec<_> = (0..6).map(|number| settled(&mut bench, number)).collect();
    let (name, length) = bench.settled_files()[2].clone();
    bench.disk.flip_bit(format!("/data/settled/{name}").as_ref(), length as usize - 3, 1);
    bench.restart();
    let answer = bench.store.view().figures(&Tenant::default(), TimeRange::ALL, &|| false).unwrap();
    let rest: Vec<_> = (0..6).filter(|at| *at != 2).map(|at| sent[at].clone()).collect();
    assert_eq!(answer.rollup, sum(&rest));
    assert_eq!(answer.incomplete.map(|what| what.reason), Some("corruption".to_owned()));
    let health = bench.store.health();
    assert!(health.iter().any(|reason| reason.name == HealthReason::CORRUPTION && reason.detail.contains(&name)));
    assert_eq!(bench.store.figures().corrupt_settled_files, 1);
    bench.pass(2 * DAY_SECONDS);
    bench.tend();
    assert_eq!(bench.settled_files().len(), 3, "what came before it, itself, and what came after");
    assert_eq!(
        bench.store.view().rows(&Tenant::default(), &[sent[0][0].trace_id], &|| false).unwrap().incomplete,
        None
    );
}

#[test]
fn a_deletion_is_remembered_as_long_as_a_file_cannot_be_written_without_it() {
    let mut bench = Bench::new(keep_all);
    bench.config.purge_after = Duration::ZERO;
    bench.restart();
    settled(&mut bench, 1);
    let (name, length) = bench.settled_files()[0].clone();
    bench.disk.flip_bit(format!("/data/settled/{name}").as_ref(), length as usize - 3, 1);
    bench.restart();
    bench.delete(&Tenant::default(), None);
    bench.seal();
    bench.tend();
    assert_eq!(bench.store.view().deletions.len(), 1);
    assert!(bench.figures().is_empty());
}

#[test]
fn a_merge_that_fails_changes_nothing_and_is_tried_again() {
    let mut bench = Bench::new(keep_all);
    let sent: Vec<_> = (0..3).map(|number| settled(&mut bench, number)).collect();
    let files = bench.settled_files();
    bench.pass(DAY_SECONDS);
    bench.disk.set_full(true);
    let failed = Bench::wait(|answer| bench.store.expire(answer));
    assert!(matches!(failed, Err(KeepError::Full(_))), "{failed:?}");
    assert_eq!((bench.settled_files(), bench.figures()), (files, sum(&sent)));
    bench.disk.set_full(false);
    bench.tend();
    bench.tend();
    assert_eq!((bench.settled_files().len(), bench.figures()), (1, sum(&sent)));
}

#[test]
fn t2_figures_survive_a_power_cut_at_each_effect_of_a_merge() {
    let prepared = || {
        let mut bench = Bench::new(keep_all);
        let sent: Vec<_> = (0..4).map(|number| settled(&mut bench, number)).collect();
        bench.seal();
        bench.pass(DAY_SECONDS);
        (bench, sum(&sent))
    };
    let (bench, _) = prepared();
    let before = bench.disk.effects().len();
    bench.tend();
    bench.tend();
    let effects = bench.disk.effects().len() - before;
    assert!(effects > 8, "{effects}");
    for effect in 0..effects {
        for names in [false, true] {
            let (bench, expected) = prepared();
            bench.disk.fail_at(bench.disk.effects().len() + effect, Fault::Crash);
            // Whether it fails depends on where it is cut.
            let _ = Bench::wait(|answer| bench.store.expire(answer));
            let _ = Bench::wait(|answer| bench.store.expire(answer));
            let again = bench.beside(bench.disk.restart(Crash { bytes: Kept::Nothing, names }));
            assert_eq!((again.figures(), again.store.health()), (expected.clone(), vec![]), "effect {effect}");
            again.tend();
            again.tend();
            assert_eq!((again.figures(), again.settled_files().len()), (expected, 1), "effect {effect}");
        }
    }
}

#[test]
fn a_cap_of_series_holds_for_what_is_merged() {
    let mut config = config();
    config.settle.series_per_minute = 2;
    let mut bench = Bench::with(keep_all, config);
    for number in 0..3 {
        // All in one minute, each with names of its own.
        let mut spans = trace(number, 3);
        for span in &mut spans {
            span.name = format!("{} {number}", span.name);
        }
        bench.send(&spans);
        bench.pass(31);
        bench.settle();
    }
    let named = |bench: &Bench| {
        bench.figures().series(0..u64::MAX, None, None).filter(|found| &*found.1.service != "(other)").count()
    };
    assert_eq!(named(&bench), 6);
    let received =
        |bench: &Bench| bench.figures().series(0..u64::MAX, None, None).map(|found| found.2.received).sum::<i64>();
    bench.pass(DAY_SECONDS);
    bench.tend();
    assert_eq!((named(&bench), received(&bench)), (2, 9));
}
