use clew_model::scan::Extent;

use super::*;

const SECOND: u64 = 1_000_000_000;

fn tenant(name: &str) -> Tenant {
    Tenant::new(name).unwrap()
}

/// A block of 100 bytes; per tenant, its rows and when its youngest was received, in seconds.
fn block(name: u64, tenants: &[(&str, u64, u64)]) -> BlockMeta {
    let part = |(name, row_count, seconds): &(&str, u64, u64)| TenantMeta {
        tenant: tenant(name),
        row_count: *row_count,
        trace_count: 1,
        received_unix_nanos: (0, seconds * SECOND),
        extent: Extent { start_unix_nanos: 0, end_unix_nanos: 1, is_odd: false },
        has_odd_traces: false,
    };
    BlockMeta {
        name: BlockName(name),
        level: 0,
        log: 0..0,
        created_unix_nanos: 0,
        row_count: tenants.iter().map(|(_, rows, _)| rows).sum(),
        data_bytes: 60,
        dropped_row_count: 0,
        tenants: tenants.iter().map(part).collect(),
        replaces: Vec::new(),
    }
}

fn over(retention: &Retention, blocks: &[BlockMeta], available: u64, seconds: u64) -> Vec<(u64, Vec<String>)> {
    over_unless(&PinnedParts::new(), retention, blocks, available, seconds)
}

fn over_unless(
    pinned: &PinnedParts,
    retention: &Retention,
    blocks: &[BlockMeta],
    available: u64,
    seconds: u64,
) -> Vec<(u64, Vec<String>)> {
    let held: Vec<Held<'_>> = blocks.iter().map(|meta| Held { meta, bytes: 100, classes: NO_CLASSES }).collect();
    let over = retention.over(&held, pinned, available, seconds * SECOND);
    let names = |gone: BTreeMap<Tenant, Staying>| gone.keys().map(ToString::to_string).collect();
    over.into_iter().map(|(name, gone)| (name.0, names(gone))).collect()
}

fn seconds(age: u64) -> Retention {
    Retention { age: Duration::from_secs(age), size: SizeLimit::Bytes(u64::MAX), ..Retention::default() }
}

#[test]
fn a_tenant_of_a_block_is_over_when_its_youngest_span_is() {
    let blocks = [block(1, &[("a", 1, 10), ("b", 1, 20)]), block(2, &[("a", 1, 30)])];
    assert_eq!(over(&seconds(10), &blocks, 0, 20), []);
    assert_eq!(over(&seconds(10), &blocks, 0, 21), [(1, vec!["a".to_owned()])]);
    assert_eq!(over(&seconds(10), &blocks, 0, 31), [(1, vec!["a".to_owned(), "b".to_owned()])]);
    let own = TenantRetention { age: Some(Duration::from_secs(1)), bytes: None };
    let retention = Retention { tenants: [(tenant("b"), own)].into(), ..seconds(1000) };
    assert_eq!(over(&retention, &blocks, 0, 22), [(1, vec!["b".to_owned()])]);
}

#[test]
fn the_oldest_go_first_until_the_rest_fits() {
    let blocks = [block(1, &[("a", 1, 30)]), block(2, &[("a", 1, 10)]), block(3, &[("a", 1, 20)])];
    let gone = |size, available| {
        let over = over(&Retention { size, ..seconds(1000) }, &blocks, available, 40);
        over.into_iter().map(|(name, _)| name).collect::<Vec<_>>()
    };
    assert_eq!(gone(SizeLimit::Bytes(300), 0), [0_u64; 0]);
    assert_eq!(gone(SizeLimit::Bytes(299), 0), [2]);
    assert_eq!(gone(SizeLimit::Bytes(100), 0), [2, 3]);
    // Of 300 bytes taken and 75 free, four fifths are 300.
    assert_eq!(gone(SizeLimit::Percent(80), 75), [0_u64; 0]);
    assert_eq!(gone(SizeLimit::Percent(80), 70), [2]);
}

#[test]
fn a_tenant_that_takes_too_much_loses_its_own_oldest() {
    let blocks = [block(1, &[("a", 3, 10), ("b", 1, 10)]), block(2, &[("a", 1, 20), ("b", 3, 20)])];
    let own = TenantRetention { age: None, bytes: Some(80) };
    let retention = Retention { tenants: [(tenant("a"), own)].into(), ..seconds(1000) };
    assert_eq!(over(&retention, &blocks, 0, 30), [(1, vec!["a".to_owned()])]);
}

#[test]
fn a_part_that_is_pinned_is_never_over_and_makes_no_room() {
    let blocks = [block(1, &[("a", 1, 10), ("b", 1, 10)]), block(2, &[("a", 1, 20)]), block(3, &[("a", 1, 30)])];
    let pinned = PinnedParts::from([
        (BlockName(1), BTreeSet::from([tenant("a")])),
        (BlockName(2), BTreeSet::from([tenant("a")])),
    ]);
    let gone = |retention: &Retention, now| over_unless(&pinned, retention, &blocks, 0, now);
    assert_eq!(gone(&seconds(1), 25), [(1, vec!["b".to_owned()])]);
    // Of 300 bytes 200 are to stay: of the first block a half may go, and the second one stays.
    let small = Retention { size: SizeLimit::Bytes(200), ..seconds(1000) };
    assert_eq!(gone(&small, 40), [(1, vec!["b".to_owned()])]);
    let smaller = Retention { size: SizeLimit::Bytes(150), ..seconds(1000) };
    assert_eq!(gone(&smaller, 40), [(1, vec!["b".to_owned()]), (3, vec!["a".to_owned()])]);
    let own = TenantRetention { age: None, bytes: Some(60) };
    let by_tenant = Retention { tenants: [(tenant("a"), own)].into(), ..seconds(1000) };
    assert_eq!(gone(&by_tenant, 40), [(3, vec!["a".to_owned()])]);
}

#[test]
fn classes_go_one_after_the_other_and_each_once() {
    let (short, long) = ("short".to_owned(), "long".to_owned());
    let classes = [(short.clone(), Duration::from_secs(5)), (long.clone(), Duration::from_secs(50))].into();
    let retention = Retention { classes, ..seconds(20) };
    let mut meta = block(1, &[("a", 1, 10)]);
    let staying = |meta: &BlockMeta, own: &[&String], size, now: u64| {
        let classes: BTreeSet<String> = own.iter().copied().cloned().collect();
        let held = [Held { meta, bytes: 100, classes: &classes }];
        let retention = Retention { size, ..retention.clone() };
        let over = retention.over(&held, &PinnedParts::new(), 0, now * SECOND);
        over.into_values().next().map(|gone| gone.into_values().flatten().collect::<Vec<_>>())
    };
    let room = SizeLimit::Bytes(1000);
    let all = [&short, &long];
    let (none, no_classes) = (String::new(), Vec::<String>::new());
    assert_eq!(staying(&meta, &all, room, 15), None);
    assert_eq!(staying(&meta, &all, room, 16), Some(vec![none, long.clone()]));
    assert_eq!(staying(&meta, &all, room, 31), Some(vec![long.clone()]));
    assert_eq!(staying(&meta, &all, room, 61), Some(no_classes.clone()));
    // Of a block without such traces nothing is to be written anew.
    assert_eq!(staying(&meta, &[&long], room, 16), None);
    assert_eq!(staying(&meta, &[], room, 31), Some(no_classes.clone()));
    // Written anew, it is left alone until the next of them is over.
    meta.created_unix_nanos = 16 * SECOND;
    assert_eq!(staying(&meta, &all, room, 30), None);
    assert_eq!(staying(&meta, &all, room, 31), Some(vec![long.clone()]));
    meta.created_unix_nanos = 31 * SECOND;
    assert_eq!(staying(&meta, &all, room, 60), None);
    assert_eq!(staying(&meta, &all, room, 61), Some(no_classes.clone()));
    // Want of room knows of no classes.
    assert_eq!(staying(&meta, &all, SizeLimit::Bytes(50), 12), Some(no_classes));
}
