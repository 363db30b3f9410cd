//! Sentences, word by word.

use clew_analysis::{duration_text, explain};
use insta::assert_snapshot;

use crate::draw::{explained, spans};
use crate::thread::REGISTER;

fn sentence(drawing: &str) -> String {
    explained(drawing).thread.sentence
}

#[test]
fn durations_have_three_digits_and_a_unit() {
    let cases = [
        (0, "0 ns"),
        (999, "999 ns"),
        (1_000, "1.00 us"),
        (912_345, "912 us"),
        (999_499, "999 us"),
        (999_500, "1.00 ms"),
        (9_994_999, "9.99 ms"),
        (9_995_000, "10.0 ms"),
        (81_449_000, "81.4 ms"),
        (99_950_000, "100 ms"),
        (1_204_000_000, "1.20 s"),
        (59_940_000_000, "59.9 s"),
        (59_950_000_000, "1 min"),
        (125_000_000_000, "2 min 5 s"),
        (11_520_000_000_000, "3 h 12 min"),
        (86_400_000_000_000 * 2, "2 d"),
        (u64::MAX, "213503 d 23 h"),
    ];
    for (nanos, text) in cases {
        assert_eq!(duration_text(nanos), text);
    }
}

#[test]
fn the_hole_is_named_with_its_neighbours() {
    assert_snapshot!(sentence(REGISTER), @r#"90.0 ms: 83 % unaccounted in auth "POST /auth/register" between "findByEmail" and "save" (75.0 ms)"#);
}

#[test]
fn a_span_then_a_hole_then_an_error() {
    let drawing = "
POST /checkout | server @checkout error=failed 0-812
  charge | client @checkout error=failed 0-150
    charge | server @payment error=card_declined 10-140
  orders | client @checkout 402-782
    SELECT orders | server @payments 405-778";
    assert_snapshot!(sentence(drawing), @r#"812 ms: 46 % in payments "SELECT orders" (373 ms), then 31 % unaccounted in checkout "POST /checkout" between "charge" and "orders"; error in payment "charge": card declined"#);
}

#[test]
fn a_call_on_its_way_to_its_server_is_no_hole() {
    let slow_network = "
GET / | server @frontend 0-100
  PlaceOrder | client @frontend 5-95
    PlaceOrder | server @checkout 40-80";
    assert_snapshot!(sentence(slow_network), @r#"100 ms: 50 % on the way from frontend to checkout "PlaceOrder" (50.0 ms), then 40 % in checkout "PlaceOrder""#);
    let many = "
GET / | server @frontend 0-100
  Get | client @frontend 0-50
    Get | server @catalog 20-30
  Get | client @frontend 50-100
    Get | server @catalog 70-80";
    assert_snapshot!(sentence(many), @r#"100 ms: 80 % on the way of 2 calls from frontend to catalog "Get" (80.0 ms), then 20 % in 2x catalog "Get""#);
    let no_server = "
GET / | server @frontend 0-100
  PlaceOrder | client @frontend 0-100
    serialize | @frontend 60-100";
    assert_snapshot!(sentence(no_server), @r#"100 ms: 60 % unaccounted in frontend "PlaceOrder" before "serialize" (60.0 ms), then 40 % in frontend "serialize""#);
}

#[test]
fn equal_siblings_are_one() {
    let mut drawing = "GET /orders | server @shop 0-100\n  list | @shop 1-99\n".to_owned();
    for call in 0..20 {
        let (from, to) = (2 + call * 4, 6 + call * 4);
        drawing.push_str("    SELECT item | client @shop ");
        drawing.push_str(&[from.to_string(), to.to_string()].join("-"));
        drawing.push('\n');
    }
    assert_snapshot!(sentence(&drawing), @r#"100 ms: 80 % in 20x shop "SELECT item" (80.0 ms), then 17 % unaccounted in shop "list" after "SELECT item""#);
}

#[test]
fn one_span() {
    assert_snapshot!(sentence("tick | @cron 0-0.9121"), @r#"912 us: all of it in cron "tick""#);
    assert_snapshot!(sentence("tick | @cron 0-0"), @r#"0 ns"#);
}

#[test]
fn without_a_root() {
    assert_snapshot!(sentence("work | orphan @job 0-60\nrest | orphan @job 80-100"), @r#"100 ms, root not received: 60 % in job "work" (60.0 ms), then 20 % in job "rest""#);
}

#[test]
fn several_roots() {
    assert_snapshot!(sentence("work | @job 0-60\nrest | @job 80-100"), @r#"100 ms over 2 roots: 60 % in job "work" (60.0 ms), then 20 % in job "rest""#);
}

#[test]
fn work_after_the_root() {
    let drawing = "
order | server @shop 0-100
  publish | producer @shop 50-90
    check fraud | consumer @fraud 300-1300";
    assert_snapshot!(sentence(drawing), @r#"100 ms: 50 % unaccounted in shop "order" before "publish" (50.0 ms), then 40 % in shop "publish"; work went on for 1.20 s after the root, most in fraud "check fraud" (1.00 s)"#);
    let waiting = "
order | server @shop 0-100
  publish | producer @shop 1-99
    check fraud | consumer @fraud 1300-1400";
    assert_snapshot!(sentence(waiting), @r#"100 ms: 98 % in shop "publish" (98.0 ms); work went on for 1.30 s after the root, most unaccounted before "check fraud" (1.20 s)"#);
}

#[test]
fn waiting_while_a_call_ran() {
    assert_snapshot!(sentence("a | 0-100\n  b | 0-80\n  c | 75-100\n"), @r#"100 ms: 75 % in app "a" while "b" ran (75.0 ms), then 25 % in app "c""#);
}

#[test]
fn the_error_that_others_passed_on() {
    let drawing = "
a | error 0-100
  b | error 10-90
    c | error=disk_full 20-80
  d | error=unrelated 91-95";
    assert_eq!(explained(drawing).error_origin, Some(2));
    assert_snapshot!(sentence(drawing), @r#"100 ms: 60 % in app "c" (60.0 ms), then 10 % unaccounted in app "a" before "b"; error in app "c": disk full"#);
    let mut spans = spans("a | error 0-100");
    let attributes = vec![clew_model::Attribute::new("exception.type", "IoError")];
    spans[0].events.push(clew_model::Event { name: "exception".to_owned(), attributes, ..Default::default() });
    assert_snapshot!(explain(spans, &clew_analysis::Options::default()).thread.sentence, @r#"100 ms: all of it in app "a"; error in app "a": IoError"#);
}

#[test]
fn long_and_strange_names_are_cut() {
    let name = "n".repeat(5_000);
    let drawing = format!(
        "{name}1 | @{name} error={name} 0-100\n  {name}2 | 0-1\n  {name}3 | 50-51\n  {name}4 | 99-100\n{name}5 | orphan consumer 100-200"
    );
    let text = sentence(&drawing);
    assert!(text.chars().count() <= 300, "{text}");
    assert_snapshot!(text, @r#"100 ms: 49 % unaccounted in nnnnnnnnnnnnn... "nnnnnnnnnnnnn..." between "nnnnnnnnnnnnn..." and "nnnnnnnnnnnnn..." (49.0 ms); work went on for 100 ms after the root, most in app "nnnnnnnnnnnnn..." (100 ms); error in nnnnnnnnnnnnn... "nnnnnnnnnnnnn...": nnnnnnnnnnnnnnnnnnnnn..."#);
    let mut spans = spans("a | error 0-100");
    spans[0].name = "two\nlines\u{7}".to_owned();
    spans[0].status.message = "\u{1b}[31mfirst\nsecond".to_owned();
    assert_snapshot!(explain(spans, &clew_analysis::Options::default()).thread.sentence, @r#"100 ms: all of it in app "two"; error in app "two":  [31mfirst"#);
}
