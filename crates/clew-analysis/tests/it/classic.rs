//! Shapes on which critical paths are commonly judged.

use crate::draw::thread;

#[test]
fn children_one_after_the_other() {
    let drawing = "
a | 0-100
  b | 20-40
  c | 50-60";
    assert_eq!(thread(drawing), "a 0-20 gap, b 20-40, a 40-50 gap, c 50-60, a 60-100 gap");
}

#[test]
fn back_to_back_children_are_all_on_the_thread() {
    let drawing = "
a | 0-60
  b | 0-20
  c | 20-40
  d | 40-60";
    assert_eq!(thread(drawing), "b 0-20, c 20-40, d 40-60");
}

#[test]
fn the_child_that_ends_last_wins_and_nothing_waited_for_the_other() {
    let drawing = "
a | 0-100
  b | 10-50
  c | 20-60";
    assert_eq!(thread(drawing), "a 0-10 gap, a 10-20 wait, c 20-60, a 60-100 gap");
}

#[test]
fn a_hair_of_overlap_is_still_one_after_the_other() {
    let drawing = "
a | 0-100
  b | 0-50.4
  c | 50-100";
    assert_eq!(thread(drawing), "b 0-50, c 50-100");
}

#[test]
fn several_critical_children_and_a_parallel_one() {
    let drawing = "
a | 0-100
  b | 10-40
    c | 15-35
  d | 12-30
  e | 40-90
    f | 45-60
    g | 45-85";
    assert_eq!(
        thread(drawing),
        "a 0-10 gap, b 10-15 gap, c 15-35, b 35-40 gap, e 40-45 gap, g 45-85, e 85-90 gap, a 90-100 gap"
    );
}

#[test]
fn of_children_that_end_together_the_longest_explains_most() {
    let drawing = "
a | 0-100
  b | 60-100
  c | 20-100";
    assert_eq!(thread(drawing), "a 0-20 gap, c 20-100");
}

#[test]
fn a_child_before_its_parent_is_off_the_thread() {
    let drawing = "
a | 10-30
  b | 1-5";
    assert_eq!(thread(drawing), "a 0-20");
}

#[test]
fn a_child_after_its_parent_is_in_the_second_horizon() {
    let drawing = "
a | 0-30
  b | 40-80
    c | 50-60";
    assert_eq!(thread(drawing), "a 0-30 | - 30-40 gap, b 40-50 gap, c 50-60, b 60-80 gap");
}

#[test]
fn a_child_over_both_ends_is_clipped() {
    let drawing = "
a | 10-30
  b | 5-35";
    assert_eq!(thread(drawing), "b 0-20 | b 20-25");
}

#[test]
fn a_child_over_the_end_with_its_own_child_over_the_start() {
    let drawing = "
a | 0-29
  b | 14-34
    c | 9-24";
    assert_eq!(thread(drawing), "a 0-14 gap, c 14-24, b 24-29 gap | b 29-34");
}

#[test]
fn a_chain_of_children_over_the_end() {
    let drawing = "
a | 0-29
  b | 14-34
    c | 19-39";
    assert_eq!(thread(drawing), "a 0-14 gap, b 14-19 gap, c 19-29 | c 29-39");
}

#[test]
fn work_left_running_is_not_waited_for() {
    let drawing = "
a | 0-100
  log | 10-500
  db | 20-95";
    assert_eq!(thread(drawing), "a 0-10 gap, a 10-20 wait, db 20-95, a 95-100 wait | log 100-500");
}

#[test]
fn a_call_that_seems_to_end_after_its_caller_is_clipped_not_dropped() {
    let drawing = "
get | client @web 0-50
  auth | server @api 1-10
  serve | server @api 10-51";
    assert_eq!(thread(drawing), "get 0-1 transit, auth 1-10, serve 10-50");
}

#[test]
fn a_message_is_not_waited_for() {
    let drawing = "
publish | producer @shop 0-30
  consume | consumer @mail 10-20";
    assert_eq!(thread(drawing), "publish 0-30");
}
