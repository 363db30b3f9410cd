use clew_model::{Notes, Span, Tenant};
use clew_store::view::Together;

use super::super::search::tests::{scatter, stored};
use super::*;
use crate::ask::naive::{Chance, EPOCH, Naive, OPERATIONS, SERVICES, random_span, random_spans};
use crate::ask::question::TOTAL_BOUND;
use crate::ask::shape::SearchAnswer;
use crate::ask::when::from_rfc3339;

const NEVER: Expired<'static> = &|| false;
const MILLI: u64 = 1_000_000;
const NOW: u64 = EPOCH + 2_000 * MILLI;

fn question(query: &str) -> Question {
    let params = Params::of(&format!("/v1/traces/heatmap?{query}").parse().unwrap()).unwrap();
    Question::read(&params, Tenant::default(), NOW).unwrap()
}

fn ask(sources: &[Arc<dyn SpanSource>], query: &str, columns: u64, rows: u64) -> HeatmapAnswer {
    let grid = Grid { columns, rows, now_unix_nanos: NOW };
    run(&Together::of(sources.iter().map(AsRef::as_ref)), &question(query), grid, NEVER).unwrap()
}

/// The same question as a list, all of it.
fn listed(sources: &[Arc<dyn SpanSource>], query: &str) -> SearchAnswer {
    let mut question = question(query);
    question.limit = 100_000;
    search::run(&Together::of(sources.iter().map(AsRef::as_ref)), &question, TOTAL_BOUND, NEVER).unwrap()
}

fn random_query(chance: &mut Chance) -> String {
    let mut parts = Vec::new();
    for _ in 0..chance.below(3) {
        parts.push(format!("service={}", chance.pick(&SERVICES)));
    }
    if chance.below(3) == 0 {
        parts.push(format!("operation={}", chance.pick(&OPERATIONS).replace(' ', "%20")));
    }
    if chance.below(4) == 0 {
        parts.push(format!("status={}", chance.pick(&["error", "ok", "unset"])));
    }
    if chance.below(4) == 0 {
        parts.push("attr.code=500".to_owned());
    }
    if chance.below(3) == 0 {
        let low = chance.below(600);
        parts.push(format!("minDurationMs={low}&maxDurationMs={}", low + chance.below(600)));
    }
    if chance.below(2) == 0 {
        parts.push(format!("from={}", to_rfc3339(EPOCH + chance.below(500) * MILLI)));
    }
    if chance.below(2) == 0 {
        parts.push(format!("to={}", to_rfc3339(EPOCH + (500 + chance.below(600)) * MILLI)));
    }
    parts.join("&")
}

/// Each cell counted by going over the whole list for it.
fn counted(answer: &HeatmapAnswer, listed: &SearchAnswer) -> HeatmapCells {
    let (from, to) = (from_rfc3339(&answer.from).unwrap(), from_rfc3339(&answer.to).unwrap());
    let mut cells = HeatmapCells::default();
    for column in 0..answer.columns {
        let first = from + u64::from(column) * answer.column_nanos;
        let times = first..(first + answer.column_nanos).min(to);
        for row in 0..answer.rows {
            let durations = answer.bounds[row as usize]..answer.bounds[row as usize + 1];
            let is_in =
                |start: &str, nanos: u64| times.contains(&from_rfc3339(start).unwrap()) && durations.contains(&nanos);
            let own = listed.traces.iter().filter(|trace| is_in(&trace.start, trace.duration_nanos));
            let (count, errors) =
                own.fold((0, 0), |(count, errors), trace| (count + 1, errors + u64::from(trace.error_count > 0)));
            if count > 0 {
                cells.columns.push(column);
                cells.rows.push(row);
                cells.counts.push(count);
                cells.errors.push(errors);
            }
        }
    }
    cells
}

fn check(sources: &[Arc<dyn SpanSource>], query: &str, columns: u64, rows: u64) -> u64 {
    let answer = ask(sources, query, columns, rows);
    let listed = listed(sources, query);
    assert_eq!(answer.cells, counted(&answer, &listed), "{query}");
    let total = listed.traces.len() as u64;
    let failed = listed.traces.iter().filter(|trace| trace.error_count > 0).count() as u64;
    assert_eq!((answer.total, answer.errors), (total, failed), "{query}");
    assert_eq!(answer.cells.counts.iter().sum::<u64>() + answer.unplaced, total, "{query}");
    assert_eq!(answer.bounds.len() as u64, rows + 1);
    assert!(answer.bounds.is_sorted_by(|one, two| one < two), "{query}: {:?}", answer.bounds);
    total
}

#[test]
fn cells_are_those_of_a_count_of_the_list_however_traces_are_cut() {
    let mut counted = 0;
    for seed in 0..300 {
        let mut chance = Chance(seed);
        let spans = random_spans(&mut chance, 25);
        let sources = scatter(&mut chance, &spans);
        let (columns, rows) = (1 + chance.below(20), 1 + chance.below(12));
        counted += check(&sources, &random_query(&mut chance), columns, rows);
    }
    assert!(counted > 1_000, "the questions must be ones that some traces answer; these found {counted}");
}

#[test]
fn a_store_counts_as_a_plain_list_does() {
    for seed in 0..4 {
        let mut chance = Chance(seed);
        let spans = random_spans(&mut chance, 60);
        let store = stored(&spans);
        let real: [Arc<dyn SpanSource>; 1] = [store.spans()];
        let plain: [Arc<dyn SpanSource>; 1] = [Naive::of(spans)];
        for _ in 0..40 {
            let query = random_query(&mut chance);
            assert_eq!(ask(&real, &query, 30, 9), ask(&plain, &query, 30, 9), "seed {seed}: {query}");
            check(&real, &query, 30, 9);
        }
        store.close().unwrap();
    }
}

fn trace(number: u64, start: u64, nanos: u64) -> Span {
    Span { start_unix_nanos: start, duration_nanos: nanos, ..random_span(&mut Chance(1), number, 0) }
}

fn of(spans: Vec<Span>) -> [Arc<dyn SpanSource>; 1] {
    [Naive::of(spans)]
}

#[test]
fn a_trace_by_a_wrong_clock_does_not_stretch_the_axis() {
    let odd = Span { notes: Notes::ODD_TIME, ..trace(2, 5, MILLI) };
    let day = 86_400_000 * MILLI;
    let sources =
        of(vec![trace(1, EPOCH, MILLI), odd.clone(), trace(3, NOW + day / 2, MILLI), trace(4, NOW + 9, MILLI)]);
    let answer = ask(&sources, "", 10, 4);
    assert_eq!((from_rfc3339(&answer.from), from_rfc3339(&answer.to)), (Some(EPOCH), Some(NOW + 10)));
    assert_eq!((answer.total, answer.unplaced), (4, 2));
    let asked = ask(&sources, "from=1970-01-01T00:00:00Z&to=1970-01-01T00:00:10Z", 10, 4);
    assert_eq!((asked.total, asked.unplaced), (1, 0), "who asks for 1970 gets it");
    let only_odd = ask(&of(vec![odd]), "", 10, 4);
    assert_eq!((only_odd.total, only_odd.unplaced), (1, 0));
}

#[test]
fn bounds_are_round_and_even_on_a_logarithmic_scale() {
    let sources = of(vec![trace(1, EPOCH, 1_100_000), trace(2, EPOCH, 9_300_000)]);
    assert_eq!(ask(&sources, "", 1, 1).bounds, [1_000_000, 10_000_000]);
    assert_eq!(ask(&sources, "", 1, 2).bounds, [1_000_000, 3_162_278, 10_000_000]);
    let one = ask(&of(vec![trace(1, EPOCH, 2_000_000)]), "", 1, 2);
    assert_eq!((one.bounds[0], one.bounds[2], one.cells.rows), (2_000_000, 5_000_000, vec![0]));
    let instant = ask(&of(vec![trace(1, EPOCH, 0), trace(2, EPOCH, u64::MAX - EPOCH)]), "", 1, 3);
    assert_eq!((instant.bounds[0], instant.bounds[3]), (0, 2_000_000_000_000_000_000_u64.max(instant.bounds[3])));
    assert_eq!(instant.cells.rows, [0, 2]);
}

#[test]
fn no_match_is_an_empty_map_with_axes() {
    for query in
        ["", "since=15m", "from=2023-11-14T00:00:00Z&to=2023-11-14T00:00:00.000000001Z", "from=2100-01-01T00:00:00Z"]
    {
        let answer = ask(&of(Vec::new()), query, 500, 100);
        assert_eq!((answer.total, answer.cells), (0, HeatmapCells::default()), "{query}");
        assert!(answer.column_nanos > 0 && answer.from < answer.to, "{query}: {} {}", answer.from, answer.to);
        assert_eq!((answer.bounds[0], answer.bounds[100]), DURATIONS_DEFAULT);
    }
}

#[test]
fn a_map_that_takes_too_long_is_an_error_and_gaps_in_the_data_are_told() {
    let grid = Grid { columns: 3, rows: 3, now_unix_nanos: NOW };
    let source = Naive::of(random_spans(&mut Chance(2), 3));
    assert_eq!(run(&*source, &question(""), grid, &|| true), Err(AskError::Expired));
    let incomplete = Some(Incomplete { reason: "corruption".into(), detail: "a segment is damaged".into() });
    let damaged = Naive { incomplete, ..Naive::default() };
    for query in ["", "service=shop"] {
        let answer = run(&damaged, &question(query), grid, NEVER).unwrap();
        assert_eq!(answer.incomplete.unwrap().reason, "corruption");
    }
}
