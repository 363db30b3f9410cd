use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use clew_model::identity::distinct;
use clew_model::scan::{SpanSource as _, TimeRange, TraceState};
use clew_model::{Attribute, Kind, Span, SpanId, StatusCode, Tenant, TraceId, Value, Verdict};
use clew_rollup::Rollup;
use proptest::prelude::*;

use super::*;
use crate::keep::KeepError;
use crate::port::{Clock as _, Disk as _, FaultyDisk, ManualClock, MemoryDisk};
use crate::testing::{NOW_UNIX_NANOS, encoded, spans};
use crate::{Batch, Encoding, Outcome, Ports, SettleConfig, Store, StoreConfig, Tenants};

const WAIT: Duration = Duration::from_secs(20);
const SECOND: u64 = 1_000_000_000;

/// A store whose clock moves when told, and that settles when told.
pub(crate) struct Bench {
    pub(crate) disk: FaultyDisk,
    clock: Arc<ManualClock>,
    judge: fn() -> Box<dyn Judge>,
    pub(crate) config: StoreConfig,
    pub(crate) store: Store,
    batches: u64,
}

pub(crate) fn config() -> StoreConfig {
    let every = Duration::from_hours(24);
    StoreConfig {
        segment_bytes: 64 << 10,
        block_group_rows: 64,
        workers: 1,
        look_over_every: every,
        settle: SettleConfig { every, ..SettleConfig::default() },
        ..StoreConfig::new("/data")
    }
}

impl Bench {
    pub(crate) fn new(judge: fn() -> Box<dyn Judge>) -> Self {
        Self::with(judge, config())
    }

    pub(crate) fn with(judge: fn() -> Box<dyn Judge>, config: StoreConfig) -> Self {
        let clock = Arc::new(ManualClock::new(NOW_UNIX_NANOS));
        Self::on(FaultyDisk::new(MemoryDisk::new()), clock, judge, config)
    }

    fn on(disk: FaultyDisk, clock: Arc<ManualClock>, judge: fn() -> Box<dyn Judge>, config: StoreConfig) -> Self {
        let ports = Ports { disk: Arc::new(disk.clone()), clock: Arc::clone(&clock) as _ };
        let store = Store::open_with(config.clone(), ports, judge()).unwrap();
        Self { disk, clock, judge, config, store, batches: 0 }
    }

    /// A store on another disk, at the same time.
    pub(crate) fn beside(&self, disk: FaultyDisk) -> Self {
        Self { batches: self.batches, ..Self::on(disk, Arc::clone(&self.clock), self.judge, self.config.clone()) }
    }

    pub(crate) fn send(&mut self, spans: &[Span]) {
        self.send_of(&Tenant::default(), spans);
    }

    pub(crate) fn send_of(&mut self, tenant: &Tenant, spans: &[Span]) {
        self.batches += 1;
        let (received_unix_nanos, tenants) = (self.clock.unix_nanos(), Tenants::one(tenant.clone()));
        let batch = Batch { tenants, received_unix_nanos, ..encoded(self.batches, spans, Encoding::Identity) };
        let (sender, answer) = mpsc::channel();
        self.store.offer(batch, Box::new(move |outcome| sender.send(outcome).unwrap()));
        assert_eq!(answer.recv_timeout(WAIT), Ok(Outcome::Stored));
    }

    pub(crate) fn now(&self) -> u64 {
        self.clock.unix_nanos()
    }

    pub(crate) fn pass(&self, seconds: u64) {
        self.clock.advance_nanos(seconds * SECOND);
    }

    pub(crate) fn wait(start: impl FnOnce(Box<dyn FnOnce(Result<(), KeepError>) + Send>)) -> Result<(), KeepError> {
        let (sender, answer) = mpsc::channel();
        start(Box::new(move |result| sender.send(result).unwrap()));
        answer.recv_timeout(WAIT).unwrap()
    }

    pub(crate) fn settle(&self) {
        Self::wait(|answer| self.store.settle(answer)).unwrap();
    }

    pub(crate) fn seal(&self) {
        Self::wait(|answer| self.store.seal(answer)).unwrap();
    }

    /// Looks for what is over, and merges.
    pub(crate) fn tend(&self) {
        Self::wait(|answer| self.store.expire(answer)).unwrap();
    }

    pub(crate) fn delete(&self, tenant: &Tenant, id: Option<TraceId>) {
        Self::wait(|answer| self.store.delete(tenant.clone(), id, answer)).unwrap();
    }

    pub(crate) fn restart(&mut self) {
        self.store.close().unwrap();
        let ports = Ports { disk: Arc::new(self.disk.clone()), clock: Arc::clone(&self.clock) as _ };
        self.store = Store::open_with(self.config.clone(), ports, (self.judge)()).unwrap();
    }

    pub(crate) fn figures(&self) -> Rollup {
        self.figures_of(&Tenant::default())
    }

    pub(crate) fn figures_of(&self, tenant: &Tenant) -> Rollup {
        let answer = self.store.view().figures(tenant, TimeRange::ALL, &|| false).unwrap();
        assert_eq!(answer.incomplete, None);
        answer.rollup
    }

    pub(crate) fn state(&self, id: TraceId) -> TraceState {
        let view = self.store.view();
        let spans = view.rows(&Tenant::default(), &[id], &|| false).unwrap().spans;
        let state = view.trace_state(&Tenant::default(), &spans);
        let [by_id] = &view.trace_states(&Tenant::default(), &[id])[..] else { panic!("one state") };
        if by_id.is_settled {
            assert_eq!(*by_id, state);
        } else {
            // Without spans it is not known that one came again, nor that a trace was settled as every trace is and goes on.
            let plain = Some(Verdict::keep_all());
            assert!(by_id.verdict == state.verdict || by_id.verdict.is_none() && state.verdict == plain, "{by_id:?}");
        }
        state
    }

    pub(crate) fn records(&self) -> Vec<(u64, Record, Verdict)> {
        let answer = self.store.view().feed(0, usize::MAX, &|_, _, _| true).unwrap();
        answer.records.into_iter().map(|(number, _, record, verdict)| (number, record, verdict)).collect()
    }

    /// The names of the files of blocks.
    pub(crate) fn block_files(&self) -> Vec<String> {
        let listed = self.disk.list("/data/blocks".as_ref()).unwrap();
        listed.into_iter().map(|entry| entry.name).collect()
    }

    /// The files of settlements on the disk: names and lengths.
    pub(crate) fn settled_files(&self) -> Vec<(String, u64)> {
        let listed = self.disk.list("/data/settled".as_ref()).unwrap();
        listed.into_iter().map(|entry| (entry.name, entry.length)).collect()
    }
}

pub(crate) fn keep_all() -> Box<dyn Judge> {
    Box::new(KeepAll)
}

/// A rule that keeps what failed.
pub(crate) struct Errors;

impl Judge for Errors {
    fn judge(&mut self, trace: Whole<'_>, _: &Recent) -> Verdict {
        let keep = trace.summary.error_count > 0;
        Verdict { keep, rule: "errors".to_owned(), weight: 1.0, class: String::new() }
    }
}

/// Counts the traces that it was asked about, and keeps the first of three.
#[derive(Default)]
struct Third(u8);

impl Judge for Third {
    fn judge(&mut self, _: Whole<'_>, _: &Recent) -> Verdict {
        self.0 += 1;
        Verdict { keep: self.0 % 3 == 1, rule: "third".to_owned(), weight: 3.0, class: String::new() }
    }

    fn state(&self) -> Vec<u8> {
        vec![self.0]
    }

    fn resume(&mut self, state: &[u8]) {
        self.0 = state.first().copied().unwrap_or(0);
    }
}

/// The spans of a trace; all but the first are children of it.
pub(crate) fn trace(number: u64, count: u64) -> Vec<Span> {
    let mut trace = spans(number, count);
    let root = trace[0].span_id;
    for span in &mut trace[1..] {
        span.parent_span_id = Some(root);
        span.kind = if span.span_id.to_u64() % 2 == 0 { Kind::Client } else { Kind::Server };
    }
    trace
}

#[test]
fn a_trace_is_settled_once_it_is_idle_and_its_figures_are_right_before_and_after() {
    let mut bench = Bench::new(keep_all);
    let whole = trace(1, 4);
    let id = whole[0].trace_id;
    bench.send(&whole[..2]);
    assert_eq!(bench.state(id), TraceState::default());
    assert_eq!(bench.figures(), Rollup::of_trace(&whole[..2], true));
    bench.pass(20);
    bench.send(&whole[2..]);
    bench.pass(20);
    bench.settle();
    assert_eq!(bench.records(), [], "the last span came 20 seconds ago");
    bench.pass(10);
    bench.settle();
    let records = bench.records();
    assert_eq!(records.len(), 1);
    assert_eq!((records[0].0, records[0].1.summary.span_count, records[0].1.late_span_count), (0, 4, 0));
    let verdict = Some(Verdict::keep_all());
    assert_eq!(bench.state(id), TraceState { is_settled: true, verdict, late_span_count: 0 });
    assert_eq!(bench.figures(), Rollup::of_trace(&whole, true));
    // Nothing is left to be settled.
    bench.pass(1000);
    bench.settle();
    assert_eq!(bench.records().len(), 1);
}

#[test]
fn a_trace_without_a_root_waits_for_its_age() {
    let mut bench = Bench::new(keep_all);
    bench.send(&trace(1, 3)[1..]);
    bench.pass(299);
    bench.settle();
    assert_eq!(bench.records(), []);
    bench.pass(1);
    bench.settle();
    let records = bench.records();
    assert_eq!((records.len(), records[0].1.summary.root_seen), (1, false));
}

#[test]
fn what_there_is_no_room_for_is_settled_later_and_figures_are_right_all_along() {
    let settle = SettleConfig { pending_bytes: 4 * pending::PENDING_BYTES, ..config().settle };
    let mut bench = Bench::with(keep_all, StoreConfig { settle, ..config() });
    let traces: Vec<Vec<Span>> = (0..40).map(|number| trace(number, 3)).collect();
    let mut naive = Rollup::default();
    for eight in traces.chunks(8) {
        for whole in eight {
            bench.send(whole);
            naive.add(&Rollup::of_trace(whole, true));
        }
        bench.seal();
        bench.pass(5);
        assert_eq!(bench.figures(), naive);
    }
    // What no room was found for is not known one by one, after a restart either.
    bench.restart();
    let view = bench.store.view();
    assert!(view.settled.uncounted[&Tenant::default()].len() < 40, "there is no room for all");
    assert!(traces.iter().all(|whole| !bench.state(whole[0].trace_id).is_settled));
    assert_eq!(bench.figures(), naive);
    bench.pass(31);
    bench.settle();
    assert_eq!(bench.records().len(), 40);
    assert!(traces.iter().all(|whole| bench.state(whole[0].trace_id).is_settled));
    assert_eq!(bench.figures(), naive);
    assert_eq!(bench.store.health(), []);
}

#[test]
fn late_spans_are_counted_once_and_found_to_be_late_wherever_the_others_lie() {
    for sealed in [false, true] {
        let mut bench = Bench::new(keep_all);
        let whole = trace(1, 6);
        bench.send(&whole[..3]);
        bench.pass(31);
        bench.settle();
        if sealed {
            bench.seal();
            bench.restart();
        }
        bench.send(&whole[2..5]);
        assert!(!bench.state(whole[0].trace_id).is_settled);
        assert_eq!(bench.figures(), Rollup::of_trace(&whole[..5], true));
        // Its root was counted before, so it need not wait for its age.
        bench.pass(31);
        bench.settle();
        let records = bench.records();
        assert_eq!(records.iter().map(|(_, record, _)| record.late_span_count).collect::<Vec<_>>(), [0, 2]);
        assert_eq!(bench.state(whole[0].trace_id).late_span_count, 2);
        assert_eq!(bench.figures(), Rollup::of_trace(&whole[..5], true));
        bench.restart();
        assert_eq!(bench.state(whole[0].trace_id).late_span_count, 2);
        assert_eq!(bench.figures(), Rollup::of_trace(&whole[..5], true));
    }
}

#[test]
fn t3_a_verdict_outlives_a_restart_and_only_a_late_error_changes_a_drop() {
    let mut bench = Bench::new(|| Box::new(Errors));
    let (good, mut bad) = (trace(1, 3), trace(2, 3));
    bad[2].status.code = StatusCode::Error;
    bench.send(&good[..2]);
    bench.send(&bad[..2]);
    bench.pass(31);
    bench.settle();
    bench.seal();
    bench.restart();
    let keeps = |bench: &Bench, spans: &[Span]| bench.state(spans[0].trace_id).verdict.unwrap().keep;
    assert!(!keeps(&bench, &good) && !keeps(&bench, &bad));
    bench.send(&good[2..]);
    bench.send(&bad[2..]);
    bench.pass(31);
    bench.settle();
    assert!(!keeps(&bench, &good), "a late span without an error changes nothing");
    assert!(keeps(&bench, &bad), "a late error does");
    bench.restart();
    assert!(!keeps(&bench, &good) && keeps(&bench, &bad));
    assert_eq!(bench.records().len(), 4);
}

#[test]
fn what_a_judge_remembers_is_committed_with_its_verdicts() {
    let mut bench = Bench::new(|| Box::new(Third::default()));
    let mut kept = Vec::new();
    for number in 1..=7 {
        bench.send(&trace(number, 2));
        bench.pass(31);
        bench.settle();
        if number % 2 == 0 {
            bench.restart();
        }
        kept.push(bench.state(trace(number, 1)[0].trace_id).verdict.unwrap().keep);
    }
    assert_eq!(kept, [true, false, false, true, false, false, true]);
}

#[test]
fn a_clock_that_is_set_back_loses_no_span() {
    let mut bench = Bench::new(keep_all);
    let whole = trace(1, 4);
    bench.send(&whole[..2]);
    bench.pass(100);
    bench.settle();
    // An hour back: what comes now is received after what was settled all the same.
    bench.store.close().unwrap();
    let clock = Arc::new(ManualClock::new(bench.clock.unix_nanos() - 3600 * SECOND));
    let mut bench = Bench { batches: 1, ..Bench::on(bench.disk.clone(), clock, keep_all, config()) };
    bench.send(&whole[2..]);
    assert_eq!(bench.figures(), Rollup::of_trace(&whole, true));
    bench.pass(3600 + 200);
    bench.settle();
    assert_eq!(bench.figures(), Rollup::of_trace(&whole, true));
    assert_eq!(bench.records().len(), 2);
}

#[test]
fn the_feed_goes_on_where_it_was_left() {
    let mut bench = Bench::new(keep_all);
    for number in 1..=5 {
        bench.send(&trace(number, 2));
        bench.pass(31);
        bench.settle();
    }
    let view = bench.store.view();
    let first = view.feed(0, 2, &|_, _, _| true).unwrap();
    assert_eq!((first.records.len(), first.next, first.lost_count), (2, 2, 0));
    let wants = |_: &Tenant, record: &Record, _: &Verdict| record.summary.trace_id == trace(4, 1)[0].trace_id;
    let rest = view.feed(first.next, 10, &wants).unwrap();
    assert_eq!((rest.records.len(), rest.records[0].0, rest.next), (1, 3, 5));
    assert_eq!(view.settled.next_sequence(), 5);
}

#[test]
fn the_feed_tells_nothing_of_what_was_deleted() {
    let mut bench = Bench::new(keep_all);
    for number in 1..=3 {
        bench.send(&trace(number, 2));
    }
    bench.pass(31);
    bench.settle();
    let (tenant, id) = (Tenant::default(), trace(2, 1)[0].trace_id);
    Bench::wait(|answer| bench.store.delete(tenant.clone(), Some(id), answer)).unwrap();
    let told = |bench: &Bench| bench.records().into_iter().map(|(number, ..)| number).collect::<Vec<_>>();
    assert_eq!((told(&bench).len(), bench.store.view().settled.next_sequence()), (2, 3));
    let gone = (0..3).find(|number| !told(&bench).contains(number)).unwrap();
    // What comes later is new.
    bench.pass(1);
    bench.send(&trace(2, 3));
    bench.pass(31);
    bench.settle();
    assert!(told(&bench).contains(&3) && !told(&bench).contains(&gone));
    Bench::wait(|answer| bench.store.delete(tenant, None, answer)).unwrap();
    assert_eq!(told(&bench), [] as [u64; 0]);
}

/// What happens to a store.
#[derive(Debug, Clone)]
enum Happening {
    /// Spans of a trace are sent: of which trace, from which on, how many.
    Send(u8, u8, u8),
    Pass(u16),
    Settle,
    Seal,
    /// Files are merged, and what nobody needs of them is forgotten.
    Tend,
    Restart,
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        6 => (0..5_u8, 0..8_u8, 1..5_u8).prop_map(|(trace, from, count)| Happening::Send(trace, from, count)),
        3 => prop_oneof![Just(1), Just(29), Just(31), Just(301), Just(4000)].prop_map(Happening::Pass),
        3 => Just(Happening::Settle),
        2 => Just(Happening::Seal),
        2 => Just(Happening::Tend),
        1 => Just(Happening::Restart),
    ]
}

/// A trace with errors, twins (one id, other content) and children of spans that may never come.
fn shape(number: u8) -> Vec<Span> {
    let mut trace = trace(u64::from(number) + 1, 12);
    for (index, span) in trace.iter_mut().enumerate() {
        span.start_unix_nanos += index as u64 * 25 * SECOND;
        if index % 5 == 4 {
            span.status.code = StatusCode::Error;
        }
    }
    // What figures of calls are taken from, in columns of a block and beside them, among what they are not.
    for (index, key) in
        ["db.system", "peer.service", "http.route", "rpc.service", "error", "junk"].into_iter().enumerate()
    {
        for span in trace.iter_mut().skip(index).step_by(4) {
            let value = if key == "error" { "TRUE" } else { "some" };
            span.attributes.push(Attribute { key: key.to_owned(), value: Value::String(value.to_owned()) });
        }
    }
    trace[7].span_id = trace[6].span_id;
    trace[9].parent_span_id = Some(SpanId::from_u64(1));
    trace[3].parent_span_id = Some(trace[2].span_id);
    trace
}

/// The figures of whole traces, identical spans once.
fn naive(sent: &BTreeMap<u8, Vec<Span>>) -> Rollup {
    let mut rollup = Rollup::default();
    for spans in sent.values() {
        rollup.add(&Rollup::of_trace(&distinct(spans.clone()), true));
    }
    rollup
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn t2_figures_are_those_of_whole_traces_whatever_happened(
        happenings in prop::collection::vec(happening(), 1..40),
    ) {
        let mut bench = Bench::new(keep_all);
        let mut sent: BTreeMap<u8, Vec<Span>> = BTreeMap::new();
        for happening in happenings {
            match happening {
                Happening::Send(number, from, count) => {
                    let shape = shape(number);
                    let part = &shape[usize::from(from)..usize::from(from + count)];
                    bench.send(part);
                    sent.entry(number).or_default().extend_from_slice(part);
                }
                Happening::Pass(seconds) => bench.pass(seconds.into()),
                Happening::Settle => bench.settle(),
                Happening::Seal => bench.seal(),
                Happening::Tend => bench.tend(),
                Happening::Restart => bench.restart(),
            }
            prop_assert_eq!(bench.figures(), naive(&sent));
            for spans in sent.values() {
                bench.state(spans[0].trace_id);
            }
        }
        // In the end all is settled, and each trace's last record is that of the whole trace.
        bench.pass(301);
        bench.settle();
        prop_assert_eq!(bench.figures(), naive(&sent));
        let view = bench.store.view();
        prop_assert!(view.settled.uncounted.is_empty());
        let last: BTreeMap<TraceId, Record> =
            bench.records().into_iter().map(|(_, record, _)| (record.summary.trace_id, record)).collect();
        for spans in sent.values() {
            let id = spans[0].trace_id;
            prop_assert_eq!(&view.trace_states(&Tenant::default(), &[id]), &[bench.state(id)]);
            // Records of long ago may be gone.
            if let Some(record) = last.get(&id) {
                prop_assert_eq!(&record.summary, &clew_model::summarize(spans));
            }
        }
    }
}
