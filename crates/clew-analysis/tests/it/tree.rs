//! The tree: orphans, cycles, shared ids.

use clew_analysis::{Marks, explain};

use crate::draw::{explained, spans, tree};

fn drawn(drawing: &str) -> String {
    tree(&explained(drawing))
}

#[test]
fn children_come_by_start_then_id_in_any_order_of_arrival() {
    let drawing = "
a | 0-100
  d | 50-60
  c | 10-60
    e | 20-30
  b | 10-20 id=2000";
    assert_eq!(drawn(drawing), "a(c(e) b d)");
    let mut reversed = spans(drawing);
    reversed.reverse();
    assert_eq!(tree(&explain(reversed, &clew_analysis::Options::default())), "a(c(e) b d)");
}

#[test]
fn ranges_and_counts_describe_the_same_tree() {
    let told = explained(
        "
a | 0-100
  b | 10-20
    c | 12-15
  d | 50-60",
    );
    let children = |index| told.tree.children(index).collect::<Vec<_>>();
    assert_eq!((children(0), children(1), children(3)), (vec![1, 3], vec![2], vec![]));
    assert_eq!(told.tree.nodes[0].subtree_count, 4);
    assert_eq!(told.tree.nodes[0].child_count, 2);
    assert_eq!(told.tree.roots, [0]);
}

#[test]
fn orphans_keep_their_subtrees() {
    let drawing = "
a | 0-100
b | orphan 10-20
  c | 12-15";
    assert_eq!(drawn(drawing), "a b*orphan(c)");
}

#[test]
fn cycles_are_cut_at_their_first_span() {
    let drawing = "
a | 20-90 parent=3
b | 10-90 parent=1
c | 30-90 parent=2
d | 40-50 parent=3";
    assert_eq!(drawn(drawing), "b*cycle_broken(c(a*early d))");
}

#[test]
fn a_span_is_not_its_own_parent() {
    assert_eq!(drawn("a | 0-10 id=1 parent=1\nb | 1-2 parent=1"), "a*cycle_broken(b)");
}

#[test]
fn a_server_that_shares_its_callers_id_is_its_child() {
    let drawing = "
root | server @web 0-100
  call | client @web 10-90 id=50
  serve | server @api 20-80 id=50
near | @web 85-88 parent=50
query | client @api 30-70 parent=50
far | @other 40-50 parent=50";
    assert_eq!(drawn(drawing), "root(call*shared_id(serve*shared_id(query far) near))");
}

#[test]
fn a_shared_root_is_one_root() {
    let drawing = "
call | client @web 10-90 id=5
serve | server @api 20-80 id=5";
    assert_eq!(drawn(drawing), "call*shared_id(serve*shared_id)");
    let told = explained(drawing);
    assert_eq!(told.summary.root.unwrap().operation, "call");
    assert_eq!(told.thread.segments.len(), 3);
}

#[test]
fn other_spans_that_share_an_id_are_kept_and_marked() {
    let drawing = "
a | 0-100
  b | 10-20 id=5
  c | 30-40 id=5
d | 12-15 parent=5";
    assert_eq!(drawn(drawing), "a(b*duplicate_id(d) c*duplicate_id)");
}

#[test]
fn a_shared_half_can_close_no_cycle() {
    let drawing = "
call | client @web 0-100 id=5 parent=6
serve | server @api 10-90 id=5 parent=6
x | 20-80 id=6 parent=5";
    assert_eq!(drawn(drawing), "call*shared_id*cycle_broken(serve*shared_id(x))");
}

#[test]
fn follows_from_is_not_waited_for() {
    let mut spans = spans(
        "
a | 0-100
  b | 10-90 link=1",
    );
    spans[1].links[0].attributes.push(clew_model::Attribute::new("opentracing.ref_type", "follows_from"));
    let told = explain(spans, &clew_analysis::Options::default());
    assert!(told.tree.has(1, Marks::ASYNC));
    assert_eq!(told.thread.segments.len(), 1);
}
