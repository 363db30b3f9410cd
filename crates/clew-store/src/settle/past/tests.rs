//! What comes late of traces that were left out of blocks, judged by a rule that would keep a fragment.

use std::time::Duration;

use clew_model::scan::SpanSource as _;
use clew_model::{Span, StatusCode};

use super::*;
use crate::check::check;
use crate::port::{Clock as _, Disk, SystemClock};
use crate::settle::tests::{Bench, config, trace};
use crate::settle::{Judge, Recent, Whole};
use crate::{SettleConfig, StoreConfig};

/// Keeps small traces.
struct Small;

impl Judge for Small {
    fn judge(&mut self, trace: Whole<'_>, _: &Recent) -> Verdict {
        let keep = trace.summary.span_count < 3;
        Verdict { keep, rule: "small".to_owned(), weight: 1.0, class: String::new() }
    }
}

const HOUR: u64 = 3600;

/// A store that has left out the traces 1 to 4, and has 5.
fn thinned() -> Bench {
    let settle = SettleConfig { dropped_for: Duration::from_hours(6), ..config().settle };
    let mut bench = Bench::with(|| Box::new(Small), StoreConfig { settle, ..config() });
    (1..5).for_each(|number| bench.send(&trace(number, 4)));
    bench.send(&trace(5, 2));
    bench.pass(31);
    bench.settle();
    bench.seal();
    bench.pass(2 * HOUR);
    bench.settle();
    // The next time that a merge is looked for.
    bench.pass(60);
    let deadline = SystemClock::new();
    while (1..5).any(|number| span_count(&bench, number) > 0) {
        assert!(deadline.monotonic_nanos() < 20_000_000_000, "the merge does not come");
        std::thread::yield_now();
    }
    assert_eq!(span_count(&bench, 5), 2);
    bench
}

fn span_count(bench: &Bench, number: u64) -> usize {
    let ids = [trace(number, 1)[0].trace_id];
    bench.store.view().rows(&Tenant::default(), &ids, &|| false).unwrap().spans.len()
}

/// What is late of a trace: spans that were not there before.
fn late(number: u64, count: usize) -> Vec<Span> {
    trace(number, 4 + count as u64).split_off(4)
}

/// Sends spans and has them settled; answers what was decided, and how many were late.
fn settled(bench: &mut Bench, spans: &[Span]) -> (Verdict, u64) {
    let before = bench.records().last().map(|(number, ..)| *number);
    bench.send(spans);
    bench.pass(301);
    bench.settle();
    let (number, record, verdict) = bench.records().pop().unwrap();
    assert!(before.is_none_or(|before| before < number), "it was settled");
    assert_eq!(record.summary.trace_id, spans[0].trace_id);
    (verdict, record.late_span_count)
}

#[test]
fn t3_what_comes_late_of_a_trace_that_was_left_out_is_not_kept() {
    for restarts in [false, true] {
        let mut bench = thinned();
        let figures = bench.figures();
        if restarts {
            bench.restart();
        }
        let spans = late(1, 2);
        assert_eq!(settled(&mut bench, &spans[..1]), (Verdict::dropped_before(), 1));
        // What comes later still finds that.
        assert_eq!(settled(&mut bench, &spans[1..]), (Verdict::dropped_before(), 1));
        let state = bench.state(spans[0].trace_id);
        assert_eq!((state.verdict, state.late_span_count), (Some(Verdict::dropped_before()), 2));
        let mut with_late = figures.clone();
        with_late.add(&clew_rollup::Rollup::of_trace(&spans, false));
        assert_eq!(bench.figures(), with_late, "figures count it all the same");
        // A trace that nobody has seen is judged as ever.
        let (verdict, late) = settled(&mut bench, &trace(6, 1));
        assert_eq!((verdict.keep, &*verdict.rule, late), (true, "small", 0));
        assert!(bench.store.health().is_empty());
    }
}

#[test]
fn t3_a_late_error_has_a_trace_judged_again_that_was_left_out() {
    for restarts in [false, true] {
        let mut bench = thinned();
        if restarts {
            bench.restart();
        }
        let mut spans = late(2, 5);
        spans[0].status.code = StatusCode::Error;
        let (verdict, late) = settled(&mut bench, &spans[..1]);
        assert_eq!((verdict.keep, &*verdict.rule, late), (true, "small", 1));
        // From now on it is a trace that is kept.
        let (verdict, late) = settled(&mut bench, &spans[1..]);
        assert_eq!((verdict.keep, &*verdict.rule, late), (true, "small", 4));
    }
}

#[test]
fn what_was_left_out_is_forgotten_in_the_end() {
    let mut bench = thinned();
    // Not before the end of the hour in which it was.
    bench.pass(6 * HOUR - 400);
    assert_eq!(settled(&mut bench, &late(1, 1)), (Verdict::dropped_before(), 1));
    bench.pass(HOUR + 500);
    let (verdict, late) = settled(&mut bench, &late(3, 1));
    assert_eq!((verdict.keep, &*verdict.rule, late), (true, "small", 0));
}

#[test]
fn what_was_left_out_is_known_to_a_block_that_a_repair_writes_anew() {
    let mut bench = thinned();
    bench.store.close().unwrap();
    // The newest; the files of the one before may still be there.
    let side = bench.block_files().into_iter().filter(|name| name.contains(".side")).max().unwrap();
    let path = std::path::Path::new("/data/blocks").join(side);
    // The last byte is one of a filter, so that the rest of the sidecar can be read.
    let length = bench.disk.read(&path, 0, usize::MAX >> 1).unwrap().len() as u64;
    let last = bench.disk.read(&path, length - 1, 1).unwrap()[0];
    bench.disk.open(&path).unwrap().write_at(length - 1, &[last ^ 1]).unwrap();
    let disk = Arc::new(bench.disk.clone()) as Arc<dyn Disk>;
    let report = check("/data".as_ref(), &disk, true).unwrap();
    assert!(report.repairs.iter().any(|repair| repair.contains("was written anew")), "{:?}", report.repairs);
    bench.restart();
    assert_eq!(settled(&mut bench, &late(1, 1)), (Verdict::dropped_before(), 1));
}
