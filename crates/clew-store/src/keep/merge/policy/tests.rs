//! What is merged when, and what that costs over a week.

use clew_block::{BlockMeta, TenantMeta};
use clew_model::scan::Extent;

use super::*;
use crate::keep::retention::TenantRetention;

const SECOND: u64 = 1_000_000_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
/// A midnight.
const DAY_0: u64 = 20_000 * 24 * HOUR;
const MIB: u64 = 1 << 20;

const POLICY: MergePolicy = MergePolicy { fan_in: 4, block_bytes: 100, full_for: Duration::from_hours(1) };

/// A block, and the bytes of its files.
type Known = (BlockMeta, u64);

fn part(tenant: &str, end: u64) -> TenantMeta {
    TenantMeta {
        tenant: Tenant::new(tenant).unwrap(),
        row_count: 1,
        trace_count: 1,
        received_unix_nanos: (end, end),
        extent: Extent { start_unix_nanos: 0, end_unix_nanos: 0, is_odd: false },
        has_odd_traces: false,
    }
}

fn block(name: u64, level: u8, bytes: u64, end: u64) -> Known {
    of(name, level, bytes, vec![part("default", end)])
}

fn of(name: u64, level: u8, bytes: u64, tenants: Vec<TenantMeta>) -> Known {
    let meta = BlockMeta {
        name: BlockName(name),
        level,
        log: 0..0,
        created_unix_nanos: 0,
        row_count: tenants.len() as u64,
        data_bytes: bytes,
        dropped_row_count: 0,
        tenants,
        replaces: Vec::new(),
    };
    (meta, bytes)
}

fn next(blocks: &[Known], settled_through: u64) -> Option<(Vec<u64>, u8)> {
    next_of(POLICY, blocks, &Retention::default(), settled_through)
}

fn next_of(
    policy: MergePolicy,
    blocks: &[Known],
    retention: &Retention,
    settled_through: u64,
) -> Option<(Vec<u64>, u8)> {
    let held: Vec<Held<'_>> =
        blocks.iter().map(|(meta, bytes)| Held { meta, bytes: *bytes, classes: NO_CLASSES }).collect();
    let group = policy.next(&held, retention, settled_through)?;
    let bytes = |name: &BlockName| blocks.iter().find(|(meta, _)| meta.name == *name).unwrap().1;
    assert_eq!(group.bytes, group.inputs.iter().map(bytes).sum::<u64>());
    Some((group.inputs.iter().map(|name| name.0).collect(), group.level))
}

#[test]
fn sealed_blocks_are_merged_when_their_hour_is_over_or_there_are_enough_of_them() {
    let young = DAY_0 + HOUR - MINUTE;
    let blocks = [block(1, 0, 5, young - MINUTE), block(2, 0, 5, young)];
    assert_eq!(next(&blocks, DAY_0 + HOUR - 1), None);
    assert_eq!(next(&blocks, DAY_0 + HOUR), Some((vec![1, 2], 1)));
    // A block alone is merged, too: what was decided about its traces comes with that.
    assert_eq!(next(&blocks[1..], DAY_0 + HOUR), Some((vec![2], 1)));
    let many: Vec<Known> = (1..6).map(|name| block(name, 0, 5, DAY_0 + name)).collect();
    assert_eq!(next(&many[..3], DAY_0 + 10), None);
    assert_eq!(next(&many, DAY_0 + 10), Some((vec![1, 2, 3, 4], 1)), "and no more than so many at once");
    // One of them is not settled.
    assert_eq!(next(&many[..4], DAY_0 + 4), None);
}

#[test]
fn what_fills_a_block_waits_for_nothing_and_what_half_fills_one_is_not_merged_again() {
    assert_eq!(next(&[block(1, 0, 40, DAY_0), block(2, 0, 34, DAY_0)], DAY_0 + 1), None);
    assert_eq!(next(&[block(1, 0, 40, DAY_0), block(2, 0, 35, DAY_0)], DAY_0 + 1), Some((vec![1, 2], 1)));
    // No block grows beyond its bytes.
    let large = [block(1, 0, 49, DAY_0), block(2, 0, 52, DAY_0)];
    assert_eq!(next(&large, DAY_0 + 1), Some((vec![1], 1)));
    let merged = [block(1, 1, 51, DAY_0), block(2, 1, 30, DAY_0 + 1)];
    assert_eq!(next(&merged, DAY_0 + 48 * HOUR), None, "one has too much, the other is alone");
}

#[test]
fn merged_blocks_become_one_of_their_day_and_then_stay() {
    let evening = DAY_0 + 23 * HOUR;
    let blocks = [block(1, 1, 10, evening), block(2, 1, 10, evening + 1), block(3, 1, 10, DAY_0 + 25 * HOUR)];
    assert_eq!(next(&blocks, DAY_0 + 24 * HOUR - 1), None);
    assert_eq!(next(&blocks, DAY_0 + 24 * HOUR), Some((vec![1, 2], 2)));
    assert_eq!(next(&blocks[1..], DAY_0 + 72 * HOUR), None, "a block alone gains nothing");
    let done = [block(1, 2, 10, DAY_0), block(2, 2, 10, DAY_0)];
    assert_eq!(next(&done, DAY_0 + 72 * HOUR), None);
    // Sealed blocks come first.
    let mixed = [block(1, 1, 10, evening), block(2, 1, 10, evening), block(3, 0, 1, evening)];
    assert_eq!(next(&mixed, DAY_0 + 48 * HOUR), Some((vec![3], 1)));
}

#[test]
fn no_tenant_keeps_spans_much_longer_for_being_merged() {
    let own = TenantRetention { age: Some(Duration::from_hours(6)), bytes: None };
    let retention = Retention { tenants: [(Tenant::new("short").unwrap(), own)].into(), ..Retention::default() };
    let at = |hours: u64| DAY_0 + hours * HOUR;
    let both = |name, hours| of(name, 1, 10, vec![part("long", at(hours)), part("short", at(hours))]);
    let blocks = [both(1, 1), both(2, 2), both(3, 3)];
    assert_eq!(next_of(POLICY, &blocks, &retention, at(24)), Some((vec![1, 2], 2)), "a sixth of its age is an hour");
    // What it has no part in any more is not held up by it.
    let rest = [of(1, 1, 10, vec![part("long", at(1))]), both(2, 2), of(3, 1, 10, vec![part("long", at(3))])];
    assert_eq!(next_of(POLICY, &rest, &retention, at(24)), Some((vec![1, 2, 3], 2)));
    // What may take little room goes in small parts.
    assert_eq!(POLICY.within(160).block_bytes, 10);
    assert_eq!(POLICY.within(u64::MAX).block_bytes, 100);
}

#[test]
fn a_merged_block_of_which_much_is_not_to_be_kept_is_written_anew_once() {
    let with = |(meta, bytes): Known, row_count, dropped_row_count, created_unix_nanos| {
        (BlockMeta { row_count, dropped_row_count, created_unix_nanos, ..meta }, bytes)
    };
    let thinned = |block: Known, now| {
        let held = [Held { meta: &block.0, bytes: block.1, classes: NO_CLASSES }];
        POLICY.thinned(&held, now).map(|group| (group.inputs[0].0, group.level))
    };
    let (due, large) = (DAY_0 + HOUR, || block(1, 1, 51, DAY_0));
    assert_eq!(thinned(with(large(), 100, 10, DAY_0), due), Some((1, 1)));
    assert_eq!(thinned(with(large(), 100, 10, DAY_0), due - 1), None, "its time has not come");
    assert_eq!(thinned(with(large(), 100, 10, due), due), None, "what is left was left on purpose");
    assert_eq!(thinned(with(large(), 100, 9, DAY_0), due), None, "that little stays");
    assert_eq!(thinned(with(block(1, 2, 10, DAY_0), 100, 10, DAY_0), due), Some((1, 2)));
    // One that will be merged is written once for both, unless much would lie around until then.
    assert_eq!(thinned(with(block(1, 1, 50, DAY_0), 100, 49, DAY_0), due), None);
    assert_eq!(thinned(with(block(1, 1, 50, DAY_0), 100, 50, DAY_0), due), Some((1, 1)));
    assert_eq!(thinned(with(block(1, 0, 51, DAY_0), 100, 50, DAY_0), due), None, "a sealed one is merged");
}

/// What a load of a week comes to.
#[derive(Debug, Default)]
struct Week {
    /// Bytes of blocks written for each byte of blocks at the end.
    amplification: f64,
    /// The most blocks that there were.
    most: usize,
    left: usize,
}

/// As the writer makes them: 34.7 bytes a span, and 25 kB whatever they hold.
fn bytes(spans: u64) -> u64 {
    spans * 347 / 10 + 25_000
}

/// A week of seals, each with the spans that came since the one before.
fn week(spans_per_second: u64, seal_seconds: u64) -> Week {
    let policy = MergePolicy { fan_in: 16, block_bytes: 256 * MIB, ..POLICY };
    let (mut blocks, mut week) = (Vec::<Known>::new(), Week::default());
    let (mut written, mut name) = (0, 0);
    for seal in 1..=7 * 24 * 3600 / seal_seconds {
        let now = DAY_0 + seal * seal_seconds * SECOND;
        let mut put = |blocks: &mut Vec<Known>, level, spans, end| {
            name += 1;
            written += bytes(spans);
            let (meta, bytes) = block(name, level, bytes(spans), end);
            blocks.push((BlockMeta { row_count: spans, ..meta }, bytes));
        };
        put(&mut blocks, 0, spans_per_second * seal_seconds, now);
        loop {
            let held: Vec<Held<'_>> =
                blocks.iter().map(|(meta, bytes)| Held { meta, bytes: *bytes, classes: NO_CLASSES }).collect();
            let settled_through = now - 330 * SECOND;
            let Some(group) = policy.next(&held, &Retention::default(), settled_through) else { break };
            let inputs = || held.iter().filter(|held| group.inputs.contains(&held.meta.name));
            let end = inputs().map(Held::received_unix_nanos).max().unwrap();
            let spans = inputs().map(|held| held.meta.row_count).sum();
            blocks.retain(|(meta, _)| !group.inputs.contains(&meta.name));
            assert!(bytes(spans) <= policy.block_bytes);
            put(&mut blocks, group.level, spans, end);
        }
        week.most = week.most.max(blocks.len());
    }
    week.left = blocks.len();
    week.amplification = written as f64 / blocks.iter().map(|(_, bytes)| *bytes as f64).sum::<f64>();
    week
}

#[test]
fn a_week_is_few_blocks_and_each_byte_is_written_about_three_times() {
    for (rate, seal_seconds) in [(100, 120), (1000, 120), (10_000, 30), (50_000, 20)] {
        let week = week(rate, seal_seconds);
        println!("{rate} spans a second, sealed every {seal_seconds} s: {week:?}");
        // As many as bytes ask for, with blocks that are half full, and those of today.
        let most_blocks = bytes(rate * 7 * 24 * 3600) / (128 * MIB) + 60;
        assert!(week.amplification <= 3.3 && week.most as u64 <= most_blocks, "{rate}: {week:?}");
    }
}
