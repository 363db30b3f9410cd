//! Large traces of every shape: they finish, tiled, and nothing overflows the stack.

use clew_analysis::{Options, explain};
use clew_model::{Attribute, Kind, Span};

use crate::draw::{EPOCH, TRACE, assert_tiled, id, resource};

const COUNT: u64 = 100_000;

fn built(count: u64, shape: impl Fn(u64, &mut Span)) {
    let services = ["web", "api", "db"].map(|name| resource(name, None));
    let spans: Vec<Span> = (0..count)
        .map(|number| {
            let mut span = Span {
                trace_id: TRACE,
                span_id: id(number + 1),
                parent_span_id: number.checked_sub(1).map(|_| id(1)),
                name: format!("op{}", number % 7),
                start_unix_nanos: EPOCH + number * 1_000,
                duration_nanos: 900,
                resource: services[(number % 3) as usize].clone(),
                ..Span::default()
            };
            if number == 0 {
                span.duration_nanos = count * 1_000;
            }
            shape(number, &mut span);
            span
        })
        .collect();
    assert_tiled(&explain(spans, &Options { correct_skew: true }));
}

#[test]
fn a_hundred_thousand_children() {
    built(COUNT, |_, _| {});
}

#[test]
fn a_hundred_thousand_children_that_overlap() {
    built(COUNT, |number, span| span.duration_nanos = 50_000_000 + number * 31 % 1_000_000);
}

#[test]
fn a_chain_ten_thousand_deep() {
    built(10_000, |number, span| {
        span.parent_span_id = number.checked_sub(1).map(|above| id(above + 1));
        span.duration_nanos = (10_000 - number) * 2_000;
    });
}

#[test]
fn a_chain_in_which_every_child_outlives_its_parent() {
    built(COUNT, |number, span| {
        span.parent_span_id = number.checked_sub(1).map(|above| id(above + 1));
        span.duration_nanos = 1_000_000 + number * 5_000;
    });
}

#[test]
fn a_broad_tree() {
    built(COUNT, |number, span| {
        span.parent_span_id = number.checked_sub(1).map(|above| id(above / 10 + 1));
        span.duration_nanos = 5_000_000;
        span.kind = Kind::ALL[(number % 6) as usize];
    });
}

#[test]
fn a_hundred_thousand_roots_orphans_and_one_cycle() {
    built(COUNT, |_, span| span.parent_span_id = None);
    built(COUNT, |number, span| span.parent_span_id = Some(id(COUNT + number + 10)));
    built(COUNT, |number, span| span.parent_span_id = Some(id((number + 1) % COUNT + 1)));
}

#[test]
fn a_hundred_thousand_spans_with_one_id() {
    built(COUNT, |number, span| {
        span.span_id = id(1);
        span.parent_span_id = Some(id(number % 2 + 1));
        span.kind = Kind::ALL[(number % 6) as usize];
    });
}

#[test]
fn a_hundred_thousand_hosts_whose_clocks_disagree() {
    built(COUNT, |number, span| {
        span.parent_span_id = number.checked_sub(1).map(|above| id(above / 2 * 2 + 1));
        span.kind = if number % 2 == 0 { Kind::Client } else { Kind::Server };
        span.start_unix_nanos = EPOCH + number * 7_919 % 1_000_000;
        span.duration_nanos = 2_000 - number % 2 * 1_000;
        span.resource = resource("app", Some(&number.to_string()));
    });
}

#[test]
fn a_hundred_thousand_spans_that_differ_in_one_attribute() {
    built(COUNT, |number, span| {
        (span.span_id, span.parent_span_id) = (id(1), None);
        (span.start_unix_nanos, span.duration_nanos) = (EPOCH, 1_000);
        (span.name, span.resource) = ("op".to_owned(), resource("app", None));
        span.attributes.push(Attribute::new("number", number as i64));
    });
}
