//! Self time by interval union.

use crate::draw::{explained, self_millis};

fn self_of_parent(drawing: &str) -> u64 {
    self_millis(&explained(drawing))["parent"]
}

#[test]
fn overlapping_children_count_once() {
    let drawing = "
parent | 0-100
  b | 10-50
  c | 30-80";
    assert_eq!(self_of_parent(drawing), 30);
}

#[test]
fn every_way_to_lie_to_each_other() {
    let cases = [
        ("parent | 0-100", 100),
        ("parent | 0-100\n  b | 0-100", 0),
        ("parent | 0-100\n  b | 10-20\n  c | 20-30", 80),
        ("parent | 0-100\n  b | 10-90\n  c | 30-40", 20),
        ("parent | 0-100\n  b | 10-20\n  c | 10-20\n  d | 10-20", 90),
        ("parent | 0-100\n  b | 10-30\n  c | 20-40\n  d | 60-70", 60),
        ("parent | 10-110\n  b | 0-30", 80),
        ("parent | 10-110\n  b | 90-200", 80),
        ("parent | 10-110\n  b | 0-200", 0),
        ("parent | 10-110\n  b | 0-5\n  c | 120-130", 100),
        ("parent | 10-110\n  b | 0-10\n  c | 110-130", 100),
        ("parent | 0-100\n  b | 50-50", 100),
        ("parent | 0-0\n  b | 0-10", 0),
        ("parent | 0-100\n  b | 10-50\n    c | 50-90", 60),
        ("parent | producer 0-100\n  b | consumer @mail 10-50", 100),
        ("parent | 0-100\n  b | 10-50\n  c | consumer @mail 60-70", 60),
    ];
    for (drawing, expected) in cases {
        assert_eq!(self_of_parent(drawing), expected, "{drawing}");
    }
}
