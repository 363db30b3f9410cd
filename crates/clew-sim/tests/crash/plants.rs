//! The test of the test: each planted mistake breaks an invariant for some seed.

use super::plant::Plant;
use super::store::{Care, Seen, live};

/// Seeds that are tried; most mistakes show with the first.
const SEEDS: u64 = 30;

#[track_caller]
fn is_caught(plant: Plant, as_what: &[&str]) {
    let care = Care { stride: 7, crashes: 3, faults: 0 };
    let wrong: Vec<String> =
        (0..SEEDS).filter_map(|seed| live(seed, care, Some(plant), &mut Seen::default()).err()).take(3).collect();
    assert!(!wrong.is_empty(), "{plant:?} goes unnoticed");
    assert!(wrong.iter().all(|wrong| as_what.iter().any(|id| wrong.contains(id))), "{plant:?} breaks {wrong:?}");
}

#[test]
fn a_sync_that_is_skipped_is_noticed() {
    is_caught(Plant::SkipSync, &["L1:", "L6:", "B1:", "B2:"]);
}

#[test]
fn an_acknowledgement_before_its_sync_is_noticed() {
    is_caught(Plant::PublishBeforeSync, &["L1:", "L6:"]);
}

#[test]
fn a_log_that_is_freed_early_is_noticed() {
    is_caught(Plant::FreeLogEarly, &["L1:", "L6:"]);
}

#[test]
fn an_edit_that_is_dropped_is_noticed() {
    is_caught(Plant::DropEdit, &["L1:", "L6:", "R1:", "B1:"]);
}

#[test]
fn a_name_that_is_used_again_is_noticed() {
    is_caught(Plant::ReuseName, &["L2:", "L6:", "B1:", "B2:"]);
}

#[test]
fn inputs_of_a_merge_that_go_before_it_counts_are_noticed() {
    is_caught(Plant::RemoveInputsEarly, &["L1:", "L6:", "B2:", "R1:"]);
}

#[test]
fn a_settlement_that_is_not_synced_is_noticed() {
    is_caught(Plant::SkipSettleSync, &["L6:", "T2:", "T3:"]);
}

#[test]
fn a_settlement_that_is_written_over_is_noticed() {
    is_caught(Plant::ReuseSettlement, &["L6:", "T2:", "T3:"]);
}
