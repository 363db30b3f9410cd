use proptest::prelude::*;

use super::*;
use crate::testing;

fn machine() -> Machine {
    Machine::new(&StoreConfig { segment_bytes: 2000, group_bytes: 1000, ..StoreConfig::new("") }, Resume::default())
}

fn offer(machine: &mut Machine, ticket: u64, hash: u64) -> Vec<Effect> {
    machine.apply(Event::Offered { ticket, batch: Arc::new(testing::batch(hash, 1)), live_full: false }, 0)
}

/// What effects are, in short.
fn names(effects: &[Effect]) -> Vec<String> {
    let name = |effect: &Effect| match effect {
        Effect::CreateSegment { first, .. } => format!("create {first}"),
        Effect::Write { offset, .. } => format!("write {offset}"),
        Effect::Sync => "sync".to_owned(),
        Effect::Trim { length } => format!("trim {length}"),
        Effect::Cut { position } => format!("cut {position}"),
        Effect::Insert { ticket } => format!("insert {ticket}"),
        Effect::Reply { ticket, outcome: Outcome::Refused(reason) } => format!("{ticket} {}", reason.as_str()),
        Effect::Reply { ticket, outcome } => format!("{ticket} {outcome:?}"),
    };
    effects.iter().map(name).collect()
}

fn after(machine: &mut Machine, event: Event) -> Vec<String> {
    names(&machine.apply(event, 0))
}

/// Brings one batch to its insert.
fn store(machine: &mut Machine, ticket: u64, hash: u64) {
    offer(machine, ticket, hash);
    let mut effects = machine.apply(Event::Flush, 0);
    while !matches!(effects[..], [Effect::Insert { .. }]) {
        effects = machine.apply(Event::Done, 0);
    }
}

#[test]
fn l3_a_group_is_written_and_synced_before_any_of_it_is_visible() {
    let mut machine = machine();
    assert!(offer(&mut machine, 1, 1).is_empty());
    assert!(offer(&mut machine, 2, 2).is_empty());
    assert_eq!(after(&mut machine, Event::Flush), ["create 0"]);
    assert_eq!(after(&mut machine, Event::Done), ["write 32"]);
    assert!(offer(&mut machine, 3, 3).is_empty());
    assert!(after(&mut machine, Event::Flush).is_empty(), "one effect on the disk at a time");
    assert_eq!(after(&mut machine, Event::Done), ["sync"]);
    let effects = after(&mut machine, Event::Done);
    assert_eq!(effects[..2], ["insert 1", "insert 2"]);
    assert!(effects[2].starts_with("write"));
}

#[test]
fn a_repeated_request_waits_for_the_first_and_is_stored_once() {
    let mut machine = machine();
    offer(&mut machine, 1, 7);
    assert!(offer(&mut machine, 2, 7).is_empty(), "parked");
    for event in [Event::Flush, Event::Done, Event::Done] {
        machine.apply(event, 0);
    }
    assert_eq!(after(&mut machine, Event::Done), ["insert 1"]);
    assert!(offer(&mut machine, 3, 7).is_empty(), "synced but not yet visible");
    assert_eq!(
        after(&mut machine, Event::Inserted { ticket: 1, result: Inserted::Visible }),
        ["2 Repeated", "3 Repeated"]
    );
    assert_eq!(names(&offer(&mut machine, 4, 7)), ["4 Repeated"]);
    let full = Event::Offered { ticket: 5, batch: Arc::new(testing::batch(7, 1)), live_full: true };
    assert_eq!(after(&mut machine, full), ["5 Repeated"], "it needs no room");
}

#[test]
fn a_repeated_request_shares_the_refusal_of_the_first() {
    let mut machine = machine();
    offer(&mut machine, 1, 7);
    offer(&mut machine, 2, 7);
    machine.apply(Event::Flush, 0);
    assert_eq!(after(&mut machine, Event::Failed(Failure::Full)), ["1 disk_full", "2 disk_full"]);
    let pause = StoreConfig::new("").disk_full_pause.as_nanos() as u64;
    assert_eq!(names(&offer(&mut machine, 3, 7)), ["3 disk_full"]);
    let later = Event::Offered { ticket: 4, batch: Arc::new(testing::batch(7, 1)), live_full: false };
    assert!(machine.apply(later, pause).is_empty(), "another try");
}

#[test]
fn the_window_ends_and_memory_is_bounded() {
    let config = StoreConfig { repeat_batches: 2, ..StoreConfig::new("") };
    let window = config.repeat_window.as_nanos() as u64;
    let stored = (1..=3).map(|hash| (hash, 1000)).collect();
    let mut machine = Machine::new(&config, Resume { end: 0, sequence: 0, stored });
    let mut offer = |ticket, hash, received_unix_nanos| {
        let batch = Batch { received_unix_nanos, ..testing::batch(hash, 1) };
        names(&machine.apply(Event::Offered { ticket, batch: Arc::new(batch), live_full: false }, 0))
    };
    assert_eq!(offer(1, 3, 1000 + window), ["1 Repeated"]);
    assert!(offer(2, 3, 1001 + window).is_empty(), "after the window it is a new request");
    assert!(offer(3, 1, 1000).is_empty(), "the oldest was forgotten");
    assert_eq!(offer(4, 2, 1000), ["4 Repeated"]);
}

#[test]
fn l4_a_failed_sync_refuses_all_for_ever() {
    let mut machine = machine();
    store(&mut machine, 1, 1);
    offer(&mut machine, 2, 2);
    machine.apply(Event::Flush, 0);
    offer(&mut machine, 3, 3);
    assert_eq!(after(&mut machine, Event::Done), ["sync"]);
    assert_eq!(after(&mut machine, Event::Failed(Failure::Broken("io".to_owned()))), ["2 log_failed", "3 log_failed"]);
    assert_eq!(names(&offer(&mut machine, 4, 4)), ["4 log_failed"]);
    assert_eq!(names(&offer(&mut machine, 5, 1)), ["5 log_failed"]);
    assert!(after(&mut machine, Event::Idle).is_empty(), "nothing more is written");
    assert_eq!(*machine.status(), Status::Failed("io".to_owned()));
    assert!(after(&mut machine, Event::Close).is_empty(), "nor cut");
    assert!(!machine.is_marker_due(), "nobody waits for a moment that never comes");
}

#[test]
fn closing_gives_back_the_room_behind_the_last_frame_and_ends_the_segment() {
    let mut machine = machine();
    store(&mut machine, 1, 1);
    assert_eq!(after(&mut machine, Event::Close), [format!("trim {}", machine.end())]);
    assert!(after(&mut machine, Event::Close).is_empty(), "one effect on the disk at a time");
    assert!(after(&mut machine, Event::Done).is_empty());
    assert!(after(&mut machine, Event::Idle).is_empty(), "nothing is written to what was cut");
}

#[test]
fn l4_a_sync_that_finds_the_disk_full_is_a_failed_sync() {
    let mut machine = machine();
    offer(&mut machine, 1, 1);
    for event in [Event::Flush, Event::Done, Event::Done] {
        machine.apply(event, 0);
    }
    assert_eq!(after(&mut machine, Event::Failed(Failure::Full)), ["1 log_failed"]);
}

#[test]
fn l4_a_live_head_that_fails_poisons_even_while_a_sync_is_under_way() {
    let mut machine = machine();
    store(&mut machine, 1, 1);
    offer(&mut machine, 2, 2);
    machine.apply(Event::Flush, 0);
    machine.apply(Event::Done, 0);
    assert_eq!(after(&mut machine, Event::Inserted { ticket: 1, result: Inserted::Failed }), ["2 log_failed"]);
    assert!(after(&mut machine, Event::Done).is_empty());
    assert!(matches!(machine.status(), Status::Failed(_)));
}

#[test]
fn a_quiet_log_is_marked_once() {
    let mut machine = machine();
    store(&mut machine, 1, 1);
    assert!(machine.is_marker_due());
    let end = machine.end();
    assert_eq!(after(&mut machine, Event::Idle), [format!("write {end}")]);
    assert_eq!(after(&mut machine, Event::Done), ["sync"]);
    assert!(after(&mut machine, Event::Done).is_empty());
    assert!(!machine.is_marker_due());
    assert!(after(&mut machine, Event::Idle).is_empty());
}

#[test]
fn stopping_refuses_and_finishes() {
    let mut machine = machine();
    offer(&mut machine, 1, 1);
    assert_eq!(after(&mut machine, Event::Stop), ["create 0"]);
    assert_eq!(names(&offer(&mut machine, 2, 2)), ["2 stopping"]);
    assert_eq!(after(&mut machine, Event::Done), ["write 32"]);
}

proptest! {
    /// Whatever happens in whatever order: every offer is answered or inserted at most once, nothing is inserted before
    /// a sync, and positions only rise.
    #[test]
    fn every_offer_has_one_end(choices in prop::collection::vec((0..11_u8, 0..12_u64), 1..200)) {
        let mut machine = machine();
        let mut ends = std::collections::BTreeMap::<u64, u32>::new();
        let (mut on_disk, mut synced, mut end, mut ticket) = (None::<&str>, false, 0, 0);
        let mut inserting = Vec::new();
        for (choice, number) in choices {
            let event = match (choice, on_disk) {
                (0..=3, _) => {
                    ticket += 1;
                    let batch = Arc::new(testing::batch(number, 1));
                    Event::Offered { ticket, batch, live_full: number == 11 }
                }
                (4, _) => Event::Flush,
                (5, _) => Event::Idle,
                (10, _) => Event::Close,
                (6, _) if !inserting.is_empty() => {
                    let ticket = inserting.remove(number as usize % inserting.len());
                    Event::Inserted { ticket, result: Inserted::Visible }
                }
                (7, Some("sync")) => continue,
                (7, Some(_)) if number < 3 => { on_disk = None; Event::Failed(Failure::Full) }
                (7..=9, Some(what)) => { synced = what == "sync"; on_disk = None; Event::Done }
                _ => continue,
            };
            for effect in machine.apply(event, u64::MAX / 2) {
                match effect {
                    Effect::Reply { ticket, .. } => *ends.entry(ticket).or_default() += 1,
                    Effect::Insert { ticket } => {
                        prop_assert!(synced, "inserted before its sync");
                        inserting.push(ticket);
                        *ends.entry(ticket).or_default() += 1;
                    }
                    Effect::CreateSegment { .. } => { prop_assert!(on_disk.is_none()); on_disk = Some("create"); }
                    Effect::Write { .. } => { prop_assert!(on_disk.is_none()); on_disk = Some("write"); }
                    Effect::Sync => { prop_assert!(on_disk.is_none()); on_disk = Some("sync"); }
                    Effect::Trim { .. } => { prop_assert!(on_disk.is_none()); on_disk = Some("trim"); }
                    Effect::Cut { position } => {
                        prop_assert!(on_disk.is_none(), "a cut in the middle of a group");
                        prop_assert_eq!(position, machine.end());
                    }
                }
            }
            synced = false;
            prop_assert!(machine.end() >= end);
            end = machine.end();
            prop_assert!(ends.values().all(|times| *times == 1));
        }
    }
}

#[test]
fn a_cut_waits_for_the_marker_and_begins_a_segment() {
    let mut machine = machine();
    let at = |machine: &Machine| machine.end();
    assert_eq!(after(&mut machine, Event::Cut), ["cut 0"], "nothing is under way, and nothing was taken");
    offer(&mut machine, 1, 1);
    assert_eq!(after(&mut machine, Event::Flush), ["create 0"]);
    after(&mut machine, Event::Done);
    assert_eq!(after(&mut machine, Event::Cut), Vec::<String>::new(), "a group is being written");
    assert_eq!(after(&mut machine, Event::Done), ["sync"]);
    let marker = format!("write {}", 32 + testing_frame_bytes());
    assert_eq!(after(&mut machine, Event::Done), ["insert 1".to_owned(), marker]);
    assert_eq!(after(&mut machine, Event::Done), ["sync"]);
    let end = at(&machine) + SHARED_BYTES as u64;
    assert_eq!(after(&mut machine, Event::Done), [format!("cut {end}")]);
    offer(&mut machine, 2, 2);
    assert_eq!(after(&mut machine, Event::Flush), [format!("create {end}")]);
}

fn testing_frame_bytes() -> u64 {
    frame::batch_bytes(&testing::batch(1, 1)).unwrap()
}
