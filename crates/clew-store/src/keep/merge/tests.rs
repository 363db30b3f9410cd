//! Merges step by step, without threads; the simulation lets them crash.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use clew_model::Span;
use clew_model::scan::SpanSource as _;

use super::*;
use crate::keep::Keeper;
use crate::port::{Clock as _, Disk, FaultyDisk, ManualClock, MemoryDisk};
use crate::start::{Started, start};
use crate::testing::{self, batch};
use crate::{Batch, Generation, Ports, SettleConfig, StoreConfig, Tenants};
use std::sync::Arc;
use std::time::Duration;

const HOUR: u64 = 3_600_000_000_000;
/// A full hour.
const NOON: u64 = testing::NOW_UNIX_NANOS / HOUR * HOUR;

/// What threads do in a store, in one.
struct Kept {
    keeper: Keeper,
    growing: Arc<Generation>,
    clock: Arc<ManualClock>,
    disk: FaultyDisk,
    settle: SettleConfig,
    position: u64,
}

impl Kept {
    fn new(config: impl FnOnce(&mut StoreConfig)) -> Self {
        let mut settings = StoreConfig::new("/data");
        settings.merge = MergePolicy { fan_in: 2, block_bytes: 1 << 20, full_for: Duration::from_hours(1) };
        (settings.live_shards, settings.workers) = (1, 1);
        config(&mut settings);
        let (disk, clock) = (FaultyDisk::new(MemoryDisk::new()), Arc::new(ManualClock::new(NOON)));
        let ports = Ports { disk: Arc::new(disk.clone()), clock: Arc::clone(&clock) as _ };
        let Started { keeper, growing, .. } = start(&settings, &ports).unwrap();
        // All is settled.
        keeper.view().change(|view| view.settled.pass_watermark(u64::MAX));
        Self { keeper, growing, clock, disk, settle: settings.settle, position: 0 }
    }

    /// A block of these batches, received now.
    fn seal(&mut self, batches: impl IntoIterator<Item = Batch>) {
        for batch in batches {
            let batch = Batch { received_unix_nanos: self.clock.unix_nanos(), ..batch };
            self.growing.begin(&batch, 0);
            self.growing.live.insert(&batch).unwrap();
            self.growing.end(false);
        }
        self.position += 100;
        let sealed = Arc::clone(&self.growing);
        self.growing = self.keeper.view().cut(1, self.position);
        self.keeper.seal(&sealed).unwrap();
    }

    fn plan(&mut self) -> Option<MergeJob> {
        self.keeper.plan_merge(u64::MAX).unwrap()
    }

    /// Plans, runs and commits until nothing is due.
    fn merge_all(&mut self) {
        while let Some(job) = self.plan() {
            assert!(self.keeper.commit_merge(job.run(&|| false)).unwrap());
        }
        self.keeper.bury();
    }

    fn delete(&mut self, number: u64) {
        self.position += 100;
        let sealed = Arc::clone(&self.growing);
        self.growing = self.keeper.view().cut(1, self.position);
        self.keeper.delete(Tenant::default(), Some(trace(number)), self.position).unwrap();
        self.keeper.seal(&sealed).unwrap();
    }

    /// Spans that are left of the traces of those numbers.
    fn counts(&self, numbers: impl IntoIterator<Item = u64>) -> Vec<usize> {
        let rows = |number| self.keeper.view().view().rows(&Tenant::default(), &[trace(number)], &|| false).unwrap();
        numbers.into_iter().map(|number| rows(number).spans.len()).collect()
    }

    /// The numbers of the traces that are known to have been dropped.
    fn dropped(&self) -> Vec<u64> {
        let Some(hours) = self.settle.dropped_hours(self.clock.unix_nanos()) else { return Vec::new() };
        let view = self.keeper.view().view();
        let is_dropped = |number: &u64| view.was_dropped(&Tenant::default(), trace(*number), hours.clone());
        (1..20).filter(is_dropped).collect()
    }

    /// Level and rows of each block.
    fn blocks(&self) -> Vec<(u8, u64)> {
        let view = self.keeper.view().view();
        view.blocks.iter().map(|block| (block.meta().level, block.meta().row_count)).collect()
    }

    fn files(&self) -> usize {
        self.disk.list(std::path::Path::new("/data/blocks")).unwrap().len()
    }
}

fn trace(number: u64) -> TraceId {
    testing::spans(number, 1)[0].trace_id
}

fn spans_of(number: u64, spans: &[Span]) -> Batch {
    testing::encoded(number, spans, crate::Encoding::Identity)
}

#[test]
fn blocks_become_one_of_which_all_questions_are_answered_as_before() {
    let mut kept = Kept::new(|_| {});
    let whole = testing::spans(1, 9);
    kept.seal([spans_of(1, &whole[..4]), batch(2, 3)]);
    // A part of the same trace, and a span of it again.
    kept.seal([spans_of(3, &whole[3..]), batch(4, 5)]);
    let before = kept.counts([1, 2, 4]);
    assert_eq!((kept.blocks(), before.clone()), (vec![(0, 7), (0, 11)], vec![9, 3, 5]));
    kept.merge_all();
    assert_eq!((kept.blocks(), kept.counts([1, 2, 4]), kept.files()), (vec![(1, 17)], before, 2));
    let block = Arc::clone(&kept.keeper.view().view().blocks[0]);
    assert_eq!((block.meta().log.clone(), block.meta().replaces.len()), (0..200, 2));
    let totals = kept.keeper.counters().totals();
    assert_eq!((totals.merges, totals.merged_blocks, totals.merged_rows), (1, 2, 18));
    assert_eq!(totals.merge_written_bytes, block.meta().data_bytes + block.side_bytes());
}

#[test]
fn requests_are_known_again_as_long_as_they_are_to_be() {
    let mut kept = Kept::new(|config| config.repeat_window = Duration::from_mins(10));
    kept.seal([batch(1, 2)]);
    kept.clock.advance_nanos(HOUR / 12);
    kept.seal([batch(2, 2)]);
    kept.clock.advance_nanos(HOUR / 12 + 1);
    kept.merge_all();
    let requests = kept.keeper.view().view().blocks[0].requests().unwrap().requests;
    assert_eq!(requests.iter().map(|request| request.hash).collect::<Vec<_>>(), [2], "the first is too old");
}

#[test]
fn b2_a_merge_is_thrown_away_when_what_it_read_is_gone() {
    let mut kept = Kept::new(|config| config.purge_after = Duration::ZERO);
    kept.seal([batch(1, 2), batch(2, 2)]);
    kept.seal([batch(3, 2)]);
    let done = kept.plan().unwrap().run(&|| false);
    kept.delete(1);
    assert_eq!(kept.keeper.purge().unwrap(), 1, "the block is written anew without it");
    let (blocks, files) = (kept.blocks(), kept.files());
    assert!(!kept.keeper.commit_merge(done).unwrap());
    kept.keeper.bury();
    assert_eq!((kept.blocks(), kept.counts(1..4)), (blocks, vec![0, 2, 2]));
    assert_eq!((kept.files(), kept.keeper.counters().totals().unused_merges), (files - 4, 1));
    kept.merge_all();
    assert_eq!((kept.blocks(), kept.counts(1..4), kept.files()), (vec![(1, 4)], vec![0, 2, 2], 2));
}

#[test]
fn r1_what_is_deleted_before_or_while_a_merge_runs_stays_deleted() {
    let mut kept = Kept::new(|config| config.purge_after = Duration::from_mins(1));
    kept.seal([batch(1, 2), batch(2, 2)]);
    kept.seal([batch(3, 2), batch(4, 2)]);
    kept.delete(1);
    let done = kept.plan().unwrap().run(&|| false);
    kept.delete(3);
    assert!(kept.keeper.commit_merge(done).unwrap());
    // The first was left out; the second is masked, since the name of the merged block is older than the deletion.
    assert_eq!((kept.blocks(), kept.counts(1..5)), (vec![(1, 6)], vec![0, 2, 0, 2]));
    kept.clock.advance_nanos(HOUR);
    kept.keeper.look_over().unwrap();
    assert_eq!(kept.keeper.view().view().deletions.len(), 1, "nothing is left of the first");
    kept.merge_all();
    kept.keeper.look_over().unwrap();
    assert_eq!((kept.blocks(), kept.counts(1..5)), (vec![(1, 4)], vec![0, 2, 0, 2]));
    assert_eq!((kept.keeper.view().view().deletions.len(), kept.files()), (0, 2));
}

#[test]
fn what_is_over_for_one_tenant_leaves_a_merged_block_without_holding_up_seals() {
    let acme = Tenant::new("acme").unwrap();
    let own = crate::keep::TenantRetention { age: Some(Duration::from_hours(30)), bytes: None };
    let mut kept = Kept::new(|config| config.retention.tenants = [(acme.clone(), own)].into());
    for number in 1..3 {
        kept.seal([batch(number, 2), Batch { tenants: Tenants::one(acme.clone()), ..batch(number + 10, 2) }]);
    }
    kept.merge_all();
    assert_eq!(kept.blocks(), [(1, 8)]);
    kept.clock.advance_nanos(31 * HOUR);
    kept.keeper.look_over().unwrap();
    assert_eq!(kept.blocks(), [(1, 8)], "written anew is what a job does");
    kept.merge_all();
    assert_eq!((kept.blocks(), kept.keeper.counters().totals().rewritten_blocks), (vec![(1, 4)], 1));
    assert_eq!(kept.keeper.view().view().tenants().unwrap(), [Tenant::default()]);
}

/// What was decided, and what is pinned.
#[derive(Default)]
struct Known {
    pinned: Mutex<BTreeSet<TraceId>>,
    version: AtomicU64,
}

impl Known {
    fn pin(&self, number: u64) {
        self.pinned.lock().unwrap().insert(trace(number));
        self.version.fetch_add(1, Ordering::Relaxed);
    }
}

impl Decided for Known {
    /// Odd ones are kept.
    fn verdict(&self, _: &Tenant, id: TraceId) -> Option<Verdict> {
        let keep = id.0[0] % 2 == 1;
        let rule = if keep { "odd" } else { "rest" };
        Some(Verdict { keep, rule: rule.to_owned(), weight: 2.0, class: String::new() })
    }

    fn is_pinned(&self, _: &Tenant, id: TraceId) -> bool {
        self.pinned.lock().unwrap().contains(&id)
    }

    fn pins_version(&self) -> u64 {
        self.version.load(Ordering::Relaxed)
    }
}

/// Knows no verdict.
struct Pins(Arc<Known>);
impl Decided for Pins {
    fn verdict(&self, _: &Tenant, _: TraceId) -> Option<Verdict> {
        None
    }
    fn is_pinned(&self, tenant: &Tenant, id: TraceId) -> bool {
        self.0.is_pinned(tenant, id)
    }
    fn pins_version(&self) -> u64 {
        self.0.pins_version()
    }
}

/// A merged block of the traces 1 to 6, of which the even ones are not to be kept.
fn decided() -> (Kept, Arc<Known>) {
    let mut kept = Kept::new(|_| {});
    let known = Arc::new(Known::default());
    kept.keeper.set_decided(Arc::clone(&known) as _);
    kept.seal((1..4).map(|number| batch(number, 2)));
    kept.seal((4..7).map(|number| batch(number, 2)));
    kept.merge_all();
    assert_eq!((kept.blocks(), kept.counts(1..7)), (vec![(1, 12)], vec![2; 6]));
    let view = kept.keeper.view().view();
    assert_eq!(view.blocks[0].meta().dropped_row_count, 6);
    assert_eq!(view.blocks[0].verdict(&Tenant::default(), trace(4)), known.verdict(&Tenant::default(), trace(4)));
    // From now on the block alone knows.
    kept.keeper.set_decided(Arc::new(Pins(Arc::clone(&known))));
    (kept, known)
}

#[test]
fn traces_that_are_not_to_be_kept_go_when_their_time_has_come_and_pinned_ones_stay() {
    let (mut kept, known) = decided();
    known.pin(2);
    kept.clock.advance_nanos(HOUR - 1);
    kept.merge_all();
    assert_eq!(kept.blocks(), [(1, 12)]);
    kept.clock.advance_nanos(1);
    kept.merge_all();
    assert_eq!((kept.blocks(), kept.counts(1..7)), (vec![(1, 8)], vec![2, 2, 2, 0, 2, 0]));
    let totals = kept.keeper.counters().totals();
    assert_eq!((totals.dropped_spans, totals.rewritten_blocks), (4, 1));
    assert_eq!(kept.keeper.counters().dropped_by_rule(), [("rest".to_owned(), 4)].into());
    assert_eq!(kept.dropped(), [4, 6], "a pinned trace was not dropped");
    kept.clock.advance_nanos(2 * HOUR);
    assert!(kept.plan().is_none(), "once is enough");
}

#[test]
fn dropped_traces_are_known_for_their_time_wherever_blocks_go() {
    let (mut kept, _) = decided();
    kept.clock.advance_nanos(HOUR);
    kept.merge_all();
    assert_eq!((kept.blocks(), kept.dropped()), (vec![(1, 6)], vec![2, 4, 6]));
    // Written anew, and merged once more with what knows of none.
    kept.delete(1);
    kept.clock.advance_nanos(HOUR / 2);
    assert_eq!(kept.keeper.purge().unwrap(), 1);
    assert_eq!((kept.blocks(), kept.dropped()), (vec![(1, 4)], vec![2, 4, 6]));
    kept.seal([batch(7, 2)]);
    kept.merge_all();
    assert_eq!((kept.blocks(), kept.dropped()), (vec![(2, 6)], vec![2, 4, 6]));
    // From the end of the hour in which they were left out.
    kept.clock.advance_nanos(HOUR / 2 + 6 * HOUR - 1);
    assert_eq!(kept.dropped(), [2, 4, 6]);
    kept.clock.advance_nanos(1);
    assert!(kept.dropped().is_empty());
}

#[test]
fn a_block_of_which_all_is_dropped_keeps_one_trace_to_know_the_others() {
    let mut kept = Kept::new(|_| {});
    kept.keeper.set_decided(Arc::new(Known::default()));
    kept.seal([batch(2, 3), batch(4, 2), batch(6, 4)]);
    kept.clock.advance_nanos(2 * HOUR);
    kept.merge_all();
    assert_eq!((kept.blocks(), kept.counts([2, 4, 6]), kept.dropped()), (vec![(1, 2)], vec![0, 2, 0], vec![2, 6]));
    assert!(kept.plan().is_none(), "it is not written again and again");
    // Unless nobody wants to know.
    let mut kept = Kept::new(|config| config.settle.dropped_for = Duration::ZERO);
    kept.keeper.set_decided(Arc::new(Known::default()));
    kept.seal([batch(2, 3), batch(4, 2)]);
    kept.clock.advance_nanos(2 * HOUR);
    kept.merge_all();
    assert_eq!((kept.blocks(), kept.files()), (vec![], 0));
}

#[test]
fn a_trace_that_is_pinned_meanwhile_stays() {
    let (mut kept, known) = decided();
    kept.clock.advance_nanos(HOUR);
    let done = kept.plan().unwrap().run(&|| false);
    known.pin(6);
    assert!(!kept.keeper.commit_merge(done).unwrap());
    assert_eq!(kept.counts(1..7), [2; 6]);
    kept.merge_all();
    assert_eq!(kept.counts(1..7), [2, 0, 2, 0, 2, 2]);
}

#[test]
fn what_was_decided_survives_a_block_that_is_written_anew() {
    let (mut kept, _) = decided();
    kept.delete(2);
    kept.clock.advance_nanos(HOUR / 2);
    assert_eq!(kept.keeper.purge().unwrap(), 1);
    let view = kept.keeper.view().view();
    assert_eq!(view.blocks[0].meta().dropped_row_count, 4);
    let rule = |number| view.blocks[0].verdict(&Tenant::default(), trace(number)).map(|verdict| verdict.rule);
    assert_eq!((rule(1), rule(2), rule(6)), (Some("odd".to_owned()), None, Some("rest".to_owned())));
}

#[test]
fn a_block_that_cannot_be_read_is_left_alone_and_others_are_merged() {
    let mut kept = Kept::new(|_| {});
    for number in 1..4 {
        kept.seal([batch(number, 40)]);
    }
    let path = std::path::Path::new("/data/blocks/0000000000000001.parquet");
    let bytes = kept.disk.read(path, 0, 1 << 20).unwrap();
    let mut file = kept.disk.open(path).unwrap();
    file.write_at(0, &vec![0; bytes.len() / 2]).unwrap();
    let job = kept.plan().unwrap();
    assert_eq!(job.input_count(), 2);
    let error = kept.keeper.commit_merge(job.run(&|| false)).unwrap_err();
    drop(job);
    assert!(error.to_string().contains("0000000000000001.parquet"), "{error}");
    assert!(!kept.keeper.view().view().blocks[1].damage().is_empty(), "the health tells it");
    kept.merge_all();
    assert_eq!(kept.blocks(), [(0, 40), (1, 80)]);
    // The names of merges that came to nothing are free of files.
    assert_eq!(kept.files(), 4);
}

#[test]
fn a_merge_that_is_stopped_leaves_nothing_behind() {
    let mut kept = Kept::new(|_| {});
    (1..3).for_each(|number| kept.seal([batch(number, 3)]));
    let done = kept.plan().unwrap().run(&|| true);
    assert!(matches!(kept.keeper.commit_merge(done), Err(crate::keep::KeepError::Stopping)));
    assert_eq!((kept.files(), kept.keeper.counters().totals().write_errors), (4, 0));
    kept.merge_all();
    assert_eq!(kept.blocks(), [(1, 6)]);
}

#[test]
fn no_merge_begins_without_room_for_it() {
    let mut kept = Kept::new(|config| config.live_bytes = 1 << 20);
    (1..3).for_each(|number| kept.seal([batch(number, 3)]));
    kept.disk.set_full(true);
    assert!(kept.plan().is_none());
    kept.disk.set_full(false);
    assert!(kept.plan().is_some());
}

/// Numbers up to 2 are of no class, 3 and 4 of one that goes early, 5 and 6 of one that stays long.
struct Classes;

impl Decided for Classes {
    fn verdict(&self, _: &Tenant, id: TraceId) -> Option<Verdict> {
        let class =
            (1..7).find(|number| trace(*number) == id).map(|number| ["", "short", "long"][(number as usize - 1) / 2]);
        Some(Verdict { class: class?.to_owned(), ..Verdict::keep_all() })
    }

    fn is_pinned(&self, _: &Tenant, _: TraceId) -> bool {
        false
    }

    fn pins_version(&self) -> u64 {
        0
    }
}

#[test]
fn r1_traces_of_a_class_are_kept_as_long_as_it_says() {
    let hours = |hours: u64| Duration::from_hours(hours);
    let mut kept = Kept::new(|config| {
        config.retention.age = hours(20);
        config.retention.classes = [("short".to_owned(), hours(5)), ("long".to_owned(), hours(100))].into();
    });
    kept.keeper.set_decided(Arc::new(Classes));
    kept.seal((1..4).map(|number| batch(number, 2)));
    kept.seal((4..7).map(|number| batch(number, 2)));
    kept.merge_all();
    // From now on the block alone knows.
    kept.keeper.set_decided(Arc::new(Pins(Arc::default())));
    let after = |kept: &mut Kept, passed: u64| {
        kept.clock.advance_nanos(passed * HOUR);
        kept.keeper.expire().unwrap();
        kept.keeper.bury();
        kept.counts(1..7)
    };
    assert_eq!(after(&mut kept, 5), [2; 6]);
    assert_eq!(after(&mut kept, 1), [2, 2, 0, 0, 2, 2]);
    let rewritten = kept.keeper.counters().totals().rewritten_blocks;
    assert_eq!(after(&mut kept, 14), [2, 2, 0, 0, 2, 2]);
    assert_eq!(kept.keeper.counters().totals().rewritten_blocks, rewritten, "nothing new is over");
    assert_eq!(after(&mut kept, 1), [0, 0, 0, 0, 2, 2]);
    assert_eq!(after(&mut kept, 79), [0, 0, 0, 0, 2, 2]);
    assert_eq!((after(&mut kept, 1), kept.files()), (vec![0; 6], 0));
}

#[test]
fn a_class_is_known_of_what_is_not_merged_too() {
    let mut kept = Kept::new(|config| {
        config.retention.age = Duration::from_mins(10);
        config.retention.classes = [("long".to_owned(), Duration::from_hours(2))].into();
    });
    kept.keeper.set_decided(Arc::new(Classes));
    kept.seal((1..7).map(|number| batch(number, 2)));
    kept.clock.advance_nanos(HOUR);
    kept.keeper.expire().unwrap();
    assert_eq!((kept.blocks(), kept.counts(1..7)), (vec![(0, 4)], vec![0, 0, 0, 0, 2, 2]));
    kept.clock.advance_nanos(HOUR + 1);
    kept.keeper.expire().unwrap();
    assert_eq!(kept.blocks(), []);
}
