//! Crashes, full disks and failed effects at every effect.

use super::*;

const CRASHES: [Crash; 9] = [
    Crash { bytes: Kept::Nothing, names: false },
    Crash { bytes: Kept::Nothing, names: true },
    Crash { bytes: Kept::All, names: false },
    Crash { bytes: Kept::All, names: true },
    Crash { bytes: Kept::Prefix(1), names: true },
    Crash { bytes: Kept::Prefix(100), names: true },
    Crash { bytes: Kept::Prefix(250), names: false },
    Crash { bytes: Kept::Sectors(0xaaaa_5555_f0f0_3333), names: true },
    Crash { bytes: Kept::Sectors(0xffff_ffff_ffff_fffe), names: true },
];

const EDITS: u64 = 60;

/// How many effects a life without faults has.
fn effect_count(edits: &[Edit]) -> usize {
    let disk = disk_with(edits);
    let effects = disk.effects();
    let count = |of: &Effect| effects.iter().filter(|effect| *effect == of).count();
    assert!(count(&Effect::Rename) >= 3 && count(&Effect::Remove) >= 2, "{effects:?}");
    effects.len()
}

/// A life in which one effect goes wrong: the disk, and how many edits were committed.
fn live(edits: &[Edit], effect: usize, fault: Fault) -> (FaultyDisk, usize, Option<CommitError>) {
    let disk = FaultyDisk::new(MemoryDisk::new());
    disk.fail_at(effect, fault);
    let Ok(mut catalog) = open(&disk) else { return (disk, 0, None) };
    let (committed, error) = commit_all(&mut catalog, edits);
    (disk, committed, error)
}

/// What is found must be the state after the committed edits, or after the one more that was under way. Says which.
fn judge(disk: &FaultyDisk, committed: usize, states: &[State], place: &str) -> usize {
    let found = recover(Path::new(DATA_DIR), disk).unwrap();
    assert_eq!(found.damage, [], "{place}: damage where only a crash was");
    let most = (committed + 1).min(states.len() - 1);
    let at = (committed..=most).find(|at| states[*at] == found.state);
    at.unwrap_or_else(|| panic!("{place}: neither state {committed} nor the next: {:?}", found.state))
}

#[test]
fn a_crash_at_any_effect_leaves_the_last_edit_or_the_one_under_way() {
    let edits = edits(EDITS);
    let states = states(&edits);
    let (mut torn, mut under_way) = (0, 0);
    for effect in 0..effect_count(&edits) {
        let (disk, committed, _) = live(&edits, effect, Fault::Crash);
        assert!(disk.is_dead(), "effect {effect}: the life is not the recorded one");
        for crash in CRASHES {
            let place = format!("effect {effect}, {crash:?}");
            let disk = disk.restart(crash);
            torn += u32::from(recover(Path::new(DATA_DIR), &disk).unwrap().torn_bytes > 0);
            let found = judge(&disk, committed, &states, &place);
            under_way += u32::from(found > committed);
            // It goes on from there, and another crash takes nothing away.
            let mut catalog = open(&disk).unwrap();
            assert_eq!(catalog.state(), &states[found], "{place}");
            let again = disk.restart(CRASHES[0]);
            assert_eq!(judge(&again, found, &states, &place), found, "{place}: what was found was not made durable");
            assert_eq!(commit_all(&mut catalog, &edits[found..]), (edits.len() - found, None), "{place}");
            assert_eq!(judge(&disk.restart(CRASHES[0]), edits.len(), &states, &place), edits.len());
        }
    }
    assert!(
        torn > 30 && under_way > 30,
        "only {torn} torn tails, {under_way} edits under way: the crashes do not bite"
    );
}

#[test]
fn a_crash_of_the_recovery_changes_nothing() {
    let edits = edits(EDITS);
    let states = states(&edits);
    let mut second_crashes = 0;
    for effect in 0..effect_count(&edits) {
        let (disk, committed, _) = live(&edits, effect, Fault::Crash);
        let first = CRASHES[effect % CRASHES.len()];
        for again in 0..12 {
            let disk = disk.restart(first);
            disk.fail_at(again, Fault::Crash);
            let found = recover(Path::new(DATA_DIR), &disk).unwrap();
            let found = states.iter().position(|state| *state == found.state).unwrap();
            let more = open(&disk).map_or(0, |mut catalog| commit_all(&mut catalog, &edits[found..]).0);
            second_crashes += u32::from(disk.is_dead());
            for second in CRASHES {
                let place = format!("effects {effect} and {again}, {first:?}, {second:?}");
                let disk = disk.restart(second);
                // Nobody was told of an edit under way that the first crash left, unless the catalog opened.
                let least = if more > 0 { found + more } else { committed };
                let at = recover(Path::new(DATA_DIR), &disk).unwrap();
                assert_eq!(at.damage, [], "{place}");
                let range = least..=(found + more + 1).min(edits.len());
                assert!(range.clone().any(|index| states[index] == at.state), "{place}: not one of {range:?}");
            }
        }
    }
    assert!(second_crashes > 500, "only {second_crashes} crashes of a recovery or of what followed it");
}

#[test]
fn a_full_disk_refuses_an_edit_for_good_and_takes_it_when_there_is_room() {
    let edits = edits(EDITS);
    let states = states(&edits);
    let mut refusals = 0;
    for effect in 0..effect_count(&edits) {
        for written_bytes in [0, 60, usize::MAX] {
            let place = format!("effect {effect}, {written_bytes} bytes written");
            let (disk, committed, error) = live(&edits, effect, Fault::Full { written_bytes });
            if error == Some(CommitError::Full) {
                refusals += 1;
                for crash in CRASHES {
                    let found = judge(&disk.restart(crash), committed, &states, &place);
                    assert_eq!(found, committed, "{place}, {crash:?}: a refused edit counts");
                }
            }
            // Another process goes on; in the same one, the edit is tried again.
            for same in [true, false] {
                let disk = FaultyDisk::new(disk.memory().fork());
                if same && error == Some(CommitError::Full) {
                    let other = FaultyDisk::new(MemoryDisk::new());
                    other.fail_at(effect, Fault::Full { written_bytes });
                    let mut catalog = open(&other).unwrap();
                    let (committed, _) = commit_all(&mut catalog, &edits);
                    assert_eq!(
                        commit_all(&mut catalog, &edits[committed..]),
                        (edits.len() - committed, None),
                        "{place}"
                    );
                    assert_eq!(judge(&other.restart(CRASHES[0]), edits.len(), &states, &place), edits.len());
                } else {
                    judge(&disk, committed, &states, &place);
                }
            }
        }
    }
    assert!(refusals > 60, "only {refusals} edits were refused");
}

#[test]
fn after_a_failed_effect_nothing_is_taken_until_a_restart() {
    let edits = edits(EDITS);
    let states = states(&edits);
    let (mut failures, effects) = (0, disk_with(&edits).effects());
    for (effect, what) in effects.iter().enumerate() {
        let disk = FaultyDisk::new(MemoryDisk::new());
        disk.fail_at(effect, Fault::Broken);
        let Ok(mut catalog) = open(&disk) else { continue };
        let (committed, error) = commit_all(&mut catalog, &edits);
        // An old file that stays is none, and after the last marker nobody is left to be told.
        let is_told = *what != Effect::Remove && effect + 1 < effects.len();
        assert_eq!(error.is_some(), is_told, "effect {effect} {what:?}");
        if let Some(error) = error {
            failures += 1;
            assert!(matches!(error, CommitError::Failed(_)), "effect {effect}: {error:?}");
            let before = disk.effects().len();
            assert_eq!(catalog.commit(edits[committed].clone()), Err(error.clone()), "effect {effect}");
            assert_eq!(catalog.replace(State::default()), Err(error));
            assert!(catalog.failure().is_some());
            assert_eq!(disk.effects().len(), before, "effect {effect}: it wrote all the same");
            assert_eq!(catalog.state(), &states[committed], "effect {effect}: what was not committed does not count");
        }
        for crash in CRASHES {
            judge(&disk.restart(crash), committed, &states, &format!("effect {effect}, {crash:?}"));
        }
        // The process was stopped and the machine goes on: what another one finds, it makes durable.
        let disk = FaultyDisk::new(disk.memory().clone());
        let found = judge(&disk, committed, &states, &format!("effect {effect}"));
        let mut catalog = open(&disk).unwrap();
        let place = format!("effect {effect}, and a crash after a start");
        assert_eq!(judge(&disk.restart(CRASHES[0]), found, &states, &place), found, "{place}");
        if let Some(edit) = edits.get(found) {
            catalog.commit(edit.clone()).unwrap();
            assert_eq!(judge(&disk.restart(CRASHES[0]), found + 1, &states, &place), found + 1, "{place}, and an edit");
        }
    }
    assert!(failures > 100, "only {failures} failures");
}

#[test]
fn a_disk_that_fills_up_still_takes_small_edits() {
    let disk = FaultyDisk::new(MemoryDisk::new());
    disk.memory().set_capacity(Some(20_000));
    let mut catalog = open(&disk).unwrap();
    catalog.commit(Edit { added: (0..10).map(entry).collect(), ..Edit::default() }).unwrap();
    let available = disk.space(&folder()).unwrap().available_bytes;
    disk.create(Path::new("/data/other"), available).unwrap();
    for number in 0..8 {
        catalog.commit(Edit { removed: vec![BlockName(number)], ..Edit::default() }).unwrap();
    }
    let large = Edit { added: (100..200).map(entry).collect(), ..Edit::default() };
    assert_eq!(catalog.commit(large.clone()), Err(CommitError::Full));
    assert_eq!(catalog.commit(Edit { removed: vec![BlockName(8)], ..Edit::default() }), Ok(()));
    assert_eq!(disk.list(&folder()).unwrap().len(), 1, "no half-made file takes the room");
    disk.memory().set_capacity(None);
    catalog.commit(large).unwrap();
    assert_eq!(open(&disk).unwrap().state(), catalog.state());
}

#[test]
fn a_new_catalog_opens_on_a_full_disk_and_begins_when_there_is_room() {
    let disk = FaultyDisk::new(MemoryDisk::new());
    disk.set_full(true);
    let mut catalog = open(&disk).unwrap();
    assert_eq!(catalog.commit(edits(1)[0].clone()), Err(CommitError::Full));
    disk.set_full(false);
    catalog.commit(edits(1)[0].clone()).unwrap();
    assert_eq!(open(&disk).unwrap().state(), &states(&edits(1))[1]);
}
