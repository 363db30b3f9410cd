//! The picture of a trace: the sentence, then a waterfall with the thread in amber.

use std::collections::HashMap;
use std::fmt::Write as _;

use clew_model::SpanId;
use clew_server::ask::shape::{GapShape, SpanShape, TraceAnswer};

use super::bar::{Bar, Cell, Stretch};
use super::figures::{count, duration};
use super::rows::{Row, RowKind, rows};
use super::screen::{Ink, Screen, clean, fit};
use super::table::moment;

/// Rows shown unless all are asked for.
const ROWS_MAX: usize = 400;
/// Columns of each of the two times.
const TIME_WIDTH: usize = 9;

/// The trace, explained. With `all`, nothing is folded or cut.
pub(crate) fn waterfall(answer: &TraceAnswer, screen: &Screen, all: bool) -> String {
    let picture = Picture::new(answer, screen);
    let mut text = head(answer, screen);
    let _ = writeln!(text, "{}", picture.scale());
    let rows = rows(answer, screen, !all);
    let shown = if all { rows.len() } else { rows.len().min(ROWS_MAX) };
    for row in &rows[..shown] {
        text += picture.line(row).trim_end();
        text.push('\n');
    }
    if shown < rows.len() {
        let _ = writeln!(text, "... {} more rows; `--all` shows them", count((rows.len() - shown) as u64));
    }
    text + &notes(answer, screen)
}

/// What all rows of a picture share.
struct Picture<'a> {
    answer: &'a TraceAnswer,
    screen: &'a Screen,
    /// Where the picture begins, before or at the thread's start.
    origin: i128,
    total_nanos: u64,
    /// The thread's stretches by span.
    thread: HashMap<usize, Vec<Stretch>>,
    by_id: HashMap<SpanId, &'a SpanShape>,
    label_width: usize,
    bar_width: usize,
}

impl<'a> Picture<'a> {
    fn new(answer: &'a TraceAnswer, screen: &'a Screen) -> Self {
        let starts = answer.spans.iter().map(|span| unix_nanos(&span.start));
        let thread_start = unix_nanos(&answer.thread.start);
        let origin = starts.clone().chain([thread_start]).min().unwrap_or_default();
        let ends = starts.zip(&answer.spans).map(|(start, span)| start + i128::from(span.duration_nanos));
        let end = ends.chain([thread_start + i128::from(answer.thread.total_nanos)]).max().unwrap_or_default();
        let tail = answer.thread.async_tail.as_ref().map(|tail| (&tail.start, &tail.segments));
        let mut thread: HashMap<usize, Vec<Stretch>> = HashMap::new();
        for (start, segments) in [(&answer.thread.start, &answer.thread.segments)].into_iter().chain(tail) {
            let ahead = (unix_nanos(start) - origin).max(0) as u64;
            for segment in segments.iter().filter(|segment| segment.kind != "gap") {
                if let Some(span) = segment.span {
                    let stretch = (segment.from_nanos.saturating_add(ahead), segment.to_nanos.saturating_add(ahead));
                    thread.entry(span as usize).or_default().push(stretch);
                }
            }
        }
        let columns = screen.width.saturating_sub(2 * TIME_WIDTH + 4);
        let label_width = (columns * 3 / 5).min(90);
        Self {
            answer,
            screen,
            origin,
            total_nanos: (end - origin) as u64,
            thread,
            by_id: answer.spans.iter().map(|span| (span.span_id, span)).collect(),
            label_width,
            bar_width: columns.saturating_sub(label_width),
        }
    }

    /// The column heads, and the time axis from 0 to the picture's end.
    fn scale(&self) -> String {
        let end = duration(self.total_nanos);
        let head = format!(
            "{} {:>TIME_WIDTH$} {:>TIME_WIDTH$}  0{:>width$}",
            fit("service operation", self.label_width),
            "time",
            "self",
            end,
            width = self.bar_width.saturating_sub(1)
        );
        self.screen.paint(Ink::Muted, &head)
    }

    fn line(&self, row: &Row<'_>) -> String {
        match &row.kind {
            RowKind::Spans { alike, hidden } => self.spans(&row.branches, alike, hidden),
            RowKind::Gap { gap, horizon_start } => self.gap(&row.branches, gap, horizon_start),
        }
    }

    fn spans(&self, branches: &str, alike: &[usize], hidden: &[usize]) -> String {
        let span = |index: &usize| &self.answer.spans[*index];
        let first = span(&alike[0]);
        let mut bar = Bar::new(self.bar_width, self.total_nanos);
        alike.iter().map(span).for_each(|span| bar.draw(self.stretch_of(span), Cell::Span));
        let on_thread = alike.iter().chain(hidden).filter_map(|index| self.thread.get(index)).flatten();
        let mut threaded = false;
        on_thread.for_each(|stretch| {
            threaded = true;
            bar.draw(*stretch, Cell::Thread);
        });
        let failed = alike.iter().chain(hidden).map(span).any(|span| span.error);
        let total = |nanos: fn(&SpanShape) -> u64| alike.iter().map(span).map(nanos).sum::<u64>();
        format!(
            "{} {:>TIME_WIDTH$} {:>TIME_WIDTH$}  {}",
            self.label(branches, first, alike.len(), failed, threaded),
            duration(total(|span| span.duration_nanos)),
            duration(total(|span| span.self_nanos)),
            bar.show(self.screen, first.error)
        )
    }

    /// Tree, mark, service and operation in the label's columns.
    fn label(&self, branches: &str, span: &SpanShape, alike: usize, failed: bool, threaded: bool) -> String {
        let mark = if span.error { self.screen.glyph("\u{2715} ", "x ") } else { "" };
        let service = clean(&span.service);
        let folded = match alike {
            1 => String::new(),
            _ if failed && !span.error => format!("  x{alike}, errors within"),
            _ => format!("  x{alike}"),
        };
        let room = self.label_width.saturating_sub(folded.len());
        let plain = fit(&format!("{branches}{mark}{service} {}", clean(&span.name)), room);
        let split = |at: usize, text: &str| -> (String, String) {
            (text.chars().take(at).collect(), text.chars().skip(at).collect())
        };
        let (tree, rest) = split(branches.chars().count(), &plain);
        let (lead, operation) = split(mark.chars().count() + service.chars().count(), &rest);
        let (lead_ink, operation_ink) = match (span.error, threaded) {
            (true, _) => (Ink::Error, Ink::Error),
            (_, true) => (Ink::Muted, Ink::Thread),
            _ => (Ink::Muted, Ink::Plain),
        };
        let paint = |ink, text: &str| self.screen.paint(ink, text);
        let (tree, lead) = (paint(Ink::Muted, &tree), paint(lead_ink, &lead));
        format!("{tree}{lead}{}{}", paint(operation_ink, &operation), paint(Ink::Bold, &folded))
    }

    fn gap(&self, branches: &str, gap: &GapShape, horizon_start: &str) -> String {
        let ahead = (unix_nanos(horizon_start) - self.origin).max(0) as u64;
        let name = |id: Option<SpanId>| id.and_then(|id| self.by_id.get(&id)).map(|span| clean(&span.name));
        let place = match (name(gap.before_span_id), name(gap.after_span_id)) {
            (Some(before), Some(after)) => format!(" between {before} and {after}"),
            (Some(before), None) => format!(" after {before}"),
            (None, Some(after)) => format!(" before {after}"),
            (None, None) => String::new(),
        };
        let length = duration(gap.to_nanos.saturating_sub(gap.from_nanos));
        let mut bar = Bar::new(self.bar_width, self.total_nanos);
        bar.draw((gap.from_nanos + ahead, gap.to_nanos + ahead), Cell::Gap);
        // The words may use the columns of both times: a gap has none of its own.
        let width = self.label_width + 2 * TIME_WIDTH + 2;
        let words = fit(&format!("{branches}...... {length} unaccounted{place}"), width);
        format!("{}  {}", self.screen.paint(Ink::Thread, &words), bar.show(self.screen, false))
    }

    fn stretch_of(&self, span: &SpanShape) -> Stretch {
        let from = (unix_nanos(&span.start) - self.origin).max(0) as u64;
        (from, from.saturating_add(span.duration_nanos))
    }
}

fn head(answer: &TraceAnswer, screen: &Screen) -> String {
    let summary = &answer.summary;
    let plural = |number: u64, word: &str| format!("{} {word}{}", count(number), if number == 1 { "" } else { "s" });
    let errors = plural(summary.error_count, "error");
    let sizes = (plural(summary.span_count, "span"), plural(summary.services.len() as u64, "service"));
    let moment = format!("{} UTC", moment(&summary.start).trim_end());
    let length = answer.trace_id.len() + moment.len() + sizes.0.len() + errors.len() + sizes.1.len() + 8;
    let between = if length > screen.width { "\n" } else { "  " };
    let errors = if summary.error_count > 0 { screen.paint(Ink::Error, &errors) } else { errors };
    let mut text = String::new();
    for line in wrap(&clean(&answer.thread.sentence), screen.width) {
        let _ = writeln!(text, "{}", screen.paint(Ink::Bold, &line));
    }
    let _ = writeln!(text, "{}{between}{moment}{between}{}, {errors}, {}\n", answer.trace_id, sizes.0, sizes.1);
    text
}

/// What a reader should know before trusting the picture.
fn notes(answer: &TraceAnswer, screen: &Screen) -> String {
    let mut lines = Vec::new();
    if !answer.state.root_seen {
        lines.push("the root has not been received: times count from the first span that is here".to_owned());
    }
    if let Some(incomplete) = &answer.state.incomplete {
        lines.push(format!("incomplete: {}", clean(&incomplete.detail)));
    }
    for skew in &answer.skews {
        let way = if skew.offset_nanos > 0 { "ahead of" } else { "behind" };
        let (instance, reference) = (clean(&skew.instance), clean(&skew.reference));
        let length = duration(skew.offset_nanos.unsigned_abs());
        let done = if skew.corrected { "its spans are moved" } else { "`--correct-clocks` moves its spans" };
        lines.push(format!("the clock of {instance} seems {length} {way} that of {reference}; {done}"));
    }
    let lines = lines.iter().flat_map(|line| wrap(&format!("note: {line}"), screen.width));
    let text: String = lines.map(|line| screen.paint(Ink::Muted, &line) + "\n").collect();
    if text.is_empty() { text } else { format!("\n{text}") }
}

/// The text in lines of at most `width` columns, broken at spaces.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let line = lines.last_mut().expect("there is a line from the start");
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > width {
            lines.push(word.to_owned());
        } else {
            let space = if line.is_empty() { "" } else { " " };
            *line = format!("{line}{space}{word}");
        }
    }
    lines
}

fn unix_nanos(rfc3339: &str) -> i128 {
    rfc3339.parse::<jiff::Timestamp>().map_or(0, jiff::Timestamp::as_nanosecond)
}
