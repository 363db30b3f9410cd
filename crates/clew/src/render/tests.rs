use clew_server::ask::shape::{SearchAnswer, TraceAnswer};
use serde_json::{Value, json};

use super::screen::Colors;
use super::*;

const PLAIN: Screen = Screen { width: 100, colors: Colors::None, glyphs: false };

/// A span from `from` to `to` milliseconds.
fn span(id: u64, parent: Option<u32>, depth: u32, service: &str, name: &str, from: u64, to: u64) -> Value {
    json!({
        "spanId": format!("{id:016x}"), "parentSpanId": null, "parent": parent, "depth": depth, "service": service,
        "name": name, "kind": "internal", "start": format!("2026-11-20T09:00:00.{from:03}000000Z"),
        "durationNanos": (to - from) * 1_000_000, "selfNanos": 1_000_000, "status": "unset", "error": false,
        "resource": 0, "scope": 0, "attributes": [], "events": [], "links": [],
    })
}

fn segment(span: u32, from: u64, to: u64, kind: &str) -> Value {
    let id = format!("{:016x}", span + 1);
    json!({"span": span, "spanId": id, "fromNanos": from * 1_000_000, "toNanos": to * 1_000_000, "kind": kind})
}

#[expect(clippy::needless_pass_by_value, reason = "lists are written where they are used")]
fn trace(spans: Vec<Value>, thread: Vec<Value>, gaps: Vec<Value>, total: u64) -> TraceAnswer {
    let errors = spans.iter().filter(|span| span["error"] == true).count();
    let state = json!({"rootSeen": true, "settled": false, "verdict": null, "lateSpans": 0, "incomplete": null});
    let answer = json!({
        "traceId": "4bf92f3577b34da6a3ce929d0e0e4736", "state": state, "clock": "raw", "resources": [], "scopes": [],
        "summary": {
            "traceId": "4bf92f3577b34da6a3ce929d0e0e4736", "root": null, "start": "2026-11-20T09:00:00.000000000Z",
            "durationNanos": total * 1_000_000, "spanCount": spans.len(), "errorCount": errors,
            "services": ["frontend", "checkout", "payment"], "state": state,
        },
        "thread": {
            "sentence": "400 ms: 50 % payment charge, 19 % unaccounted in checkout between findByEmail and save.",
            "start": "2026-11-20T09:00:00.000000000Z", "totalNanos": total * 1_000_000, "segments": thread,
            "bottleneck": null, "gaps": gaps, "asyncTail": null,
        },
        "spans": spans,
        "skews": [{
            "reference": "checkout", "instance": "payment", "offsetNanos": 180_000_000, "edgeCount": 1,
            "evidence": "containment", "corrected": false,
        }],
    });
    serde_json::from_value(answer).expect("the shape of an answer")
}

fn order() -> TraceAnswer {
    let mut spans = vec![
        span(1, None, 0, "frontend", "POST /checkout", 0, 400),
        span(2, Some(0), 1, "checkout", "findByEmail", 20, 95),
        span(3, Some(0), 1, "payment", "charge", 170, 370),
    ];
    spans[2]["error"] = true.into();
    for query in 0..6 {
        spans.push(span(10 + query, Some(2), 2, "payment", "SELECT cards", 180 + query * 20, 195 + query * 20));
    }
    let thread = vec![
        segment(0, 0, 20, "self"),
        segment(1, 20, 95, "self"),
        segment(0, 95, 170, "gap"),
        segment(2, 170, 370, "self"),
        segment(0, 370, 400, "self"),
    ];
    let gap = json!({
        "span": 0, "spanId": "0000000000000001", "beforeSpanId": "0000000000000002", "afterSpanId": "0000000000000003",
        "fromNanos": 95_000_000, "toNanos": 170_000_000,
    });
    trace(spans, thread, vec![gap], 400)
}

#[test]
fn a_trace_in_plain_text() {
    insta::assert_snapshot!(waterfall(&order(), &PLAIN, false), @r"
    400 ms: 50 % payment charge, 19 % unaccounted in checkout between findByEmail and save.
    4bf92f3577b34da6a3ce929d0e0e4736  2026-11-20 09:00:00.000 UTC  9 spans, 1 error, 3 services

    service operation                            time      self  0                                400 ms
    frontend POST /checkout                    400 ms   1.00 ms  ##----------------------------------###
    |-checkout findByEmail                    75.0 ms   1.00 ms   #########
    |-...... 75.0 ms unaccounted between findByEmail and charge           ////////
    `-x payment charge                         200 ms   1.00 ms                  #####################
      `-SELECT cards  x6                      90.0 ms   6.00 ms                   ------------

    # the thread: what the trace waited for   / no span explains it   - not waited for
    note: the clock of payment seems 180 ms ahead of that of checkout; `--correct-clocks` moves its
    spans
    ");
}

#[test]
fn an_n_plus_one_is_named() {
    let mut order = order();
    let group = |name: &str, nanos: u64, kind: &str| {
        json!({
            "parent": 2, "spans": [3, 4, 5, 6, 7, 8], "name": name, "service": "payment", "count": 6, "totalNanos": nanos,
            "kind": kind, "sentence": format!("6 x {name}: one query per item (N+1), 90.0 ms in all"),
        })
    };
    let groups = [group("a", 5, "n_plus_one"), group("b", 9, "repeated"), group("c", 7, "n_plus_one")];
    order.groups = groups[..2].iter().map(|group| serde_json::from_value(group.clone()).unwrap()).collect();
    let picture = waterfall(&order, &PLAIN, false);
    assert!(picture.contains("\nnote: in payment, 6 x a: one query per item (N+1), 90.0 ms in all\n"), "{picture}");
    order.groups.push(serde_json::from_value(groups[2].clone()).unwrap());
    let picture = waterfall(&order, &Screen { width: 200, ..PLAIN }, false);
    assert!(picture.contains("note: in payment, 6 x c: one"), "{picture}");
    assert!(picture.contains("; there is one more such place\n"), "{picture}");
}

#[test]
fn unfolded_every_span_has_a_row() {
    let picture = waterfall(&order(), &PLAIN, true);
    assert_eq!(picture.matches("SELECT cards").count(), 6);
    assert!(!picture.contains(" x6"));
}

#[test]
fn the_thread_is_amber_and_errors_are_red() {
    let screen = Screen { width: 100, colors: Colors::True, glyphs: true };
    let picture = waterfall(&order(), &screen, false);
    assert!(picture.contains("\u{1b}[38;2;248;189;64m\u{2588}"), "amber");
    assert!(picture.contains("\u{1b}[38;2;247;93;89m\u{2715} payment"), "red");
    assert!(picture.contains('\u{2591}'), "hatched");
    let bare: String = waterfall(&order(), &Screen { colors: Colors::None, ..screen }, false);
    assert!(!bare.contains('\u{1b}'));
}

/// The bars of a picture in plain text, as many columns each as the widest.
fn bars(picture: &str) -> Vec<Vec<char>> {
    let axis = picture.lines().find(|line| line.starts_with("service operation")).unwrap();
    let from = axis.find("  0").unwrap() + 2;
    let rows = picture.lines().skip_while(|line| *line != axis).skip(1).take_while(|line| !line.is_empty());
    rows.map(|row| format!("{:<width$}", row.get(from..).unwrap_or(""), width = axis.len() - from).chars().collect())
        .collect()
}

#[test]
fn the_thread_is_one_unbroken_line() {
    // Steps of 1 ms in turn, each far narrower than a column.
    let mut spans = vec![span(1, None, 0, "a", "root", 0, 400)];
    spans.extend((0..4).map(|step| span(step + 2, Some(0), 1, "b", &format!("step {step}"), 0, 400)));
    let thread = (0..400).map(|from| segment(from as u32 % 5, from, from + 1, "self")).collect();
    for picture in
        [waterfall(&order(), &PLAIN, false), waterfall(&trace(spans, thread, Vec::new(), 400), &PLAIN, false)]
    {
        let bars = bars(&picture);
        for column in 0..bars[0].len() {
            assert!(bars.iter().any(|bar| matches!(bar[column], '#' | '/')), "column {column}:\n{picture}");
        }
    }
}

#[test]
fn a_clock_that_is_off_leaves_an_arrow_and_does_not_stretch_the_picture() {
    let mut spans = vec![span(1, None, 0, "a", "root", 100, 200)];
    spans.extend([span(2, Some(0), 1, "b", "ahead", 800, 810), span(3, Some(0), 1, "c", "behind", 10, 20)]);
    let mut answer = trace(spans, vec![segment(0, 0, 100, "self")], Vec::new(), 100);
    answer.thread.start = "2026-11-20T09:00:00.100000000Z".to_owned();
    let picture = waterfall(&answer, &PLAIN, false);
    let bars = bars(&picture);
    assert_eq!(bars[0].iter().collect::<String>(), "#".repeat(bars[0].len()), "{picture}");
    assert_eq!(bars[1].iter().collect::<String>().trim_start(), ">", "{picture}");
    assert_eq!(bars[2].iter().collect::<String>().trim_end(), "<", "{picture}");
    assert!(picture.contains("< earlier   > later"), "{picture}");
    answer.skews.clear();
    assert!(!waterfall(&answer, &PLAIN, false).contains('>'), "without a clock to blame, the picture holds it all");
}

#[test]
fn a_long_name_is_cut_in_its_middle_and_a_service_is_named_once() {
    let names = ["GET /", "shop.ProductCatalogService/GetProductsOfTheWholeCatalogue", "SELECT products"];
    let spans = vec![
        span(1, None, 0, "frontend", names[0], 0, 400),
        span(2, Some(0), 1, "product-catalog", names[1], 0, 400),
        span(3, Some(1), 2, "product-catalog", names[2], 0, 400),
    ];
    let picture = waterfall(&trace(spans, vec![segment(2, 0, 400, "self")], Vec::new(), 400), &PLAIN, false);
    assert!(picture.contains("\n`-product-catalog shop.Prod..TheWholeCatalogue "), "{picture}");
    assert!(picture.contains("\n  `-SELECT products "), "{picture}");
}

#[test]
fn no_line_is_wider_than_the_screen() {
    for width in [40, 60, 80, 200] {
        for line in waterfall(&order(), &Screen { width, ..PLAIN }, false).lines() {
            assert!(line.chars().count() <= width, "{width}: {line}");
        }
    }
}

#[test]
fn deep_and_broad_traces_are_cut_and_say_so() {
    let mut spans = vec![span(1, None, 0, "a", "root", 0, 400)];
    spans.extend(
        (1..10_000)
            .map(|index| span(index + 1, Some(index as u32 - 1), index as u32, "a", &format!("n{index}"), 0, 300)),
    );
    let picture = waterfall(&trace(spans, vec![segment(0, 0, 400, "self")], Vec::new(), 400), &PLAIN, false);
    assert!(picture.contains("9,600 more rows; `--all` shows them"), "{}", &picture[picture.len() - 300..]);
}

#[test]
fn control_characters_do_not_reach_the_terminal() {
    let spans = vec![span(1, None, 0, "evil\u{1b}[2J", "name\r\n\u{7}", 0, 400)];
    let picture = waterfall(&trace(spans, vec![segment(0, 0, 400, "self")], Vec::new(), 400), &PLAIN, false);
    assert!(
        !picture.contains('\u{1b}') && !picture.contains('\r') && picture.contains("evil?[2J name???"),
        "{picture}"
    );
}

#[test]
fn a_page_of_results() {
    let answer = json!({
        "traces": [{
            "traceId": "4bf92f3577b34da6a3ce929d0e0e4736", "start": "2026-11-20T09:00:00.123456789Z",
            "root": {"service": "frontend", "operation": "POST /checkout", "spanId": "00f067aa0ba902b7"},
            "durationNanos": 812_000_000, "spanCount": 1042, "errorCount": 2,
            "services": ["frontend", "checkout", "payment", "shipping"],
            "state": {"rootSeen": true, "settled": false, "verdict": null, "lateSpans": 0, "incomplete": null},
        }],
        "total": {"value": 12431, "relation": "eq"}, "cursor": "x", "incomplete": null,
    });
    let answer: SearchAnswer = serde_json::from_value(answer).expect("the shape of an answer");
    insta::assert_snapshot!(table(&answer, &Screen { width: 140, ..PLAIN }), @r"
    STARTED (UTC)            DURATION  SPANS ERRORS  ROOT                               SERVICES                TRACE
    2026-11-20 09:00:00.123    812 ms  1,042      2  frontend POST /checkout            frontend, checkout +2   4bf92f3577b34da6a3ce929d0e0e4736
    1 of 12,431 traces; `--limit` shows more
    ");
    let narrow = table(&answer, &Screen { width: 120, ..PLAIN });
    assert!(narrow.contains("frontend POST /checkout") && narrow.contains("         4  4bf92f"), "{narrow}");
    let none = SearchAnswer { traces: Vec::new(), total: None, cursor: None, incomplete: None };
    assert!(table(&none, &PLAIN).starts_with("No trace matches."));
}
