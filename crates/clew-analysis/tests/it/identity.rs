//! Which spans are the same.

use clew_analysis::{Options, explain};
use clew_model::summarize;
use clew_model::{Attribute, Kind, Value};

use crate::draw::spans;

#[test]
fn a_resent_span_is_here_once_with_its_first_receipt() {
    let mut twice = spans("a | 0-100\n  b | 10-20");
    let mut resent = twice[1].clone();
    twice[1].received_unix_nanos = 9;
    resent.received_unix_nanos = 5;
    twice.push(resent);
    assert_eq!(summarize(&twice).span_count, 2);
    let told = explain(twice, &Options::default());
    assert_eq!((told.spans.len(), told.duplicate_count), (2, 1));
    assert_eq!(told.spans[1].received_unix_nanos, 5);
    assert!(told.tree.nodes[1].marks.names().next().is_none());
}

#[test]
fn a_difference_anywhere_makes_another_span() {
    let one = || spans("a | 0-100").remove(0);
    let changes: [fn(&mut clew_model::Span); 6] = [
        |span| span.kind = Kind::Server,
        |span| span.attributes.push(Attribute::new("k", 1_i64)),
        |span| span.status.message = "late".to_owned(),
        |span| span.events.push(clew_model::Event::default()),
        |span| span.resource = crate::draw::resource("other", None),
        |span| span.duration_nanos += 1,
    ];
    for change in changes {
        let mut other = one();
        change(&mut other);
        let told = explain(vec![one(), other], &Options::default());
        assert_eq!((told.spans.len(), told.duplicate_count), (2, 0));
    }
}

#[test]
fn not_a_number_is_the_same_as_itself() {
    let mut span = spans("a | 0-100").remove(0);
    span.attributes.push(Attribute::new("k", Value::Array(vec![f64::NAN.into(), Value::Map(Vec::new())])));
    let told = explain(vec![span.clone(), span], &Options::default());
    assert_eq!(told.duplicate_count, 1);
}
