//! The picture of a trace: the sentence, then a waterfall with the thread in amber.

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;

use clew_model::SpanId;
use clew_server::ask::shape::{GapShape, SpanShape, TraceAnswer};

use super::bar::{self, Bar, Cell, Stretch};
use super::figures::{count, duration};
use super::rows::{Row, RowKind, has_line, parent_of, rows};
use super::screen::{Ink, Screen, clean, fit, shorten};
use super::table::moment;

/// Rows shown unless all are asked for.
const ROWS_MAX: usize = 400;
/// Columns of each of the two times.
const TIME_WIDTH: usize = 9;
/// A gap with less room for its two neighbours does not name them.
const GAP_PLACE_MIN: usize = 26;
/// Narrower screens show one of them.
const NARROW: usize = 72;

/// The trace, explained. With `all`, nothing is folded or cut.
pub(crate) fn waterfall(answer: &TraceAnswer, screen: &Screen, all: bool) -> String {
    let rows = rows(answer, screen, !all);
    let shown = if all { rows.len() } else { rows.len().min(ROWS_MAX) };
    let picture = Picture::new(answer, screen, &rows[..shown]);
    let mut text = head(answer, screen);
    let _ = writeln!(text, "{}", picture.scale());
    let mut drawn = HashSet::new();
    for row in &rows[..shown] {
        text += picture.line(row, &mut drawn).trim_end();
        text.push('\n');
    }
    if shown < rows.len() {
        let _ = writeln!(text, "... {} more rows; `--all` shows them", count((rows.len() - shown) as u64));
    }
    text + &legend(&drawn, screen) + &notes(answer, screen)
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
    /// The columns in which a span held the thread longer than any other.
    leads: HashMap<usize, Vec<usize>>,
    by_id: HashMap<SpanId, &'a SpanShape>,
    label_width: usize,
    /// Columns of the times; a narrow screen has none for the time in no child.
    times_width: usize,
    bar_width: usize,
}

impl<'a> Picture<'a> {
    fn new(answer: &'a TraceAnswer, screen: &'a Screen, rows: &[Row<'_>]) -> Self {
        let (origin, end) = extent(answer);
        let times_width = if screen.width < NARROW { TIME_WIDTH + 1 } else { 2 * (TIME_WIDTH + 1) };
        let columns = screen.width.saturating_sub(times_width + 2);
        let mut picture = Self {
            answer,
            screen,
            origin,
            total_nanos: (end - origin) as u64,
            thread: HashMap::new(),
            leads: HashMap::new(),
            by_id: answer.spans.iter().map(|span| (span.span_id, span)).collect(),
            label_width: 0,
            times_width,
            bar_width: 0,
        };
        let longest = rows.iter().map(|row| picture.label_length(row)).max().unwrap_or_default();
        picture.label_width = longest.max("service operation".len()).min(columns * 3 / 5).min(screen.width / 2);
        picture.bar_width = columns.saturating_sub(picture.label_width);
        picture.lay_thread();
        picture
    }

    /// Finds where the thread lies, and who leads in each column.
    fn lay_thread(&mut self) {
        let thread = &self.answer.thread;
        let tail = thread.async_tail.as_ref().map(|tail| (&tail.start, &tail.segments));
        let bar = Bar::new(self.bar_width, self.total_nanos);
        let mut leaders: Vec<HashMap<Option<usize>, u64>> = vec![HashMap::new(); self.bar_width];
        for (start, segments) in [(&thread.start, &thread.segments)].into_iter().chain(tail) {
            let ahead = unix_nanos(start) - self.origin;
            for segment in segments {
                // A gap with a line of its own is drawn there; a shorter one counts as its span's.
                let lined = segment.kind == "gap" && has_line(self.answer, segment.from_nanos, segment.to_nanos);
                let span = segment.span.map(|span| span as usize).filter(|_| !lined);
                let stretch = shifted(segment.from_nanos, segment.to_nanos, ahead);
                for (column, nanos) in bar.shares(stretch) {
                    *leaders[column].entry(span).or_default() += nanos;
                }
                if let Some(span) = span {
                    self.thread.entry(span).or_default().push(stretch);
                }
            }
        }
        for (column, candidates) in leaders.iter().enumerate() {
            let leader = candidates.iter().max_by_key(|(span, nanos)| (**nanos, **span)).and_then(|(span, _)| *span);
            if let Some(span) = leader {
                self.leads.entry(span).or_default().push(column);
            }
        }
    }

    /// The column heads, and the time axis from 0 to the picture's end.
    fn scale(&self) -> String {
        let end = duration(self.total_nanos);
        let head = format!(
            "{}{}  0{:>width$}",
            fit("service operation", self.label_width),
            self.times("time", "self"),
            end,
            width = self.bar_width.saturating_sub(1)
        );
        self.screen.paint(Ink::Muted, &head)
    }

    fn line(&self, row: &Row<'_>, drawn: &mut HashSet<Cell>) -> String {
        let mut bar = Bar::new(self.bar_width, self.total_nanos);
        match &row.kind {
            RowKind::Spans { alike, hidden } => {
                let span = |index: &usize| &self.answer.spans[*index];
                for index in alike {
                    bar.span(self.stretch_of(span(index)));
                }
                for index in alike.iter().chain(hidden) {
                    self.thread.get(index).into_iter().flatten().for_each(|stretch| bar.thread(*stretch));
                    self.leads.get(index).into_iter().flatten().for_each(|column| bar.lead(*column));
                }
                let cells = bar.cells();
                drawn.extend(cells.iter().copied());
                let total = |nanos: fn(&SpanShape) -> u64| alike.iter().map(span).map(nanos).sum::<u64>();
                format!(
                    "{}{}  {}",
                    self.label(&row.branches, alike, hidden, cells.contains(&Cell::Thread)),
                    self.times(&duration(total(|span| span.duration_nanos)), &duration(total(|span| span.self_nanos))),
                    bar::show(&cells, self.screen, span(&alike[0]).error)
                )
            }
            RowKind::Gap { gap, horizon_start } => {
                bar.gap(shifted(gap.from_nanos, gap.to_nanos, unix_nanos(horizon_start) - self.origin));
                let cells = bar.cells();
                drawn.extend(cells.iter().copied());
                // It has no times of its own: the words may use their columns.
                let width = self.label_width + self.times_width;
                let words = self.screen.paint(Ink::Thread, &fit(&self.gap(&row.branches, gap, width), width));
                format!("{words}  {}", bar::show(&cells, self.screen, false))
            }
        }
    }

    fn times(&self, whole: &str, own: &str) -> String {
        let text = format!(" {whole:>TIME_WIDTH$} {own:>TIME_WIDTH$}");
        text.chars().take(self.times_width).collect()
    }

    /// Tree, mark, service, operation and number of spans in the label's columns.
    fn label(&self, branches: &str, alike: &[usize], hidden: &[usize], threaded: bool) -> String {
        let first = &self.answer.spans[alike[0]];
        let failed = alike.iter().chain(hidden).any(|index| self.answer.spans[*index].error);
        let mark = if first.error { self.screen.glyph("\u{2715} ", "x ") } else { "" };
        let folded = folded(alike.len(), failed && !first.error);
        let taken = branches.chars().count() + mark.chars().count() + folded.chars().count();
        let room = self.label_width.saturating_sub(taken);
        let service = self.service(alike[0]);
        let name = clean(&first.name);
        // The operation keeps half of what there is, if it needs it.
        let service = shorten(&service, room.saturating_sub((room / 2).min(name.chars().count() + 1)));
        let space = if service.is_empty() { "" } else { " " };
        let operation = shorten(&name, room.saturating_sub(service.chars().count() + space.len()));
        let length = taken + service.chars().count() + space.len() + operation.chars().count();
        let (service_ink, operation_ink) = match (first.error, threaded) {
            (true, _) => (Ink::Error, Ink::Error),
            (_, true) => (Ink::Muted, Ink::Thread),
            _ => (Ink::Muted, Ink::Plain),
        };
        let paint = |ink, text: &str| self.screen.paint(ink, text);
        let (tree, lead) = (paint(Ink::Muted, branches), paint(service_ink, &format!("{mark}{service}{space}")));
        let (operation, folded) = (paint(operation_ink, &operation), paint(Ink::Bold, &folded));
        format!("{tree}{lead}{operation}{folded}{}", " ".repeat(self.label_width.saturating_sub(length)))
    }

    /// The span's service, unless its parent's row has named it.
    fn service(&self, index: usize) -> String {
        let spans = &self.answer.spans;
        let named = parent_of(spans, index).is_some_and(|parent| spans[parent].service == spans[index].service);
        if named { String::new() } else { clean(&spans[index].service) }
    }

    /// Columns of a row's label when nothing is cut.
    fn label_length(&self, row: &Row<'_>) -> usize {
        let alike = match &row.kind {
            RowKind::Spans { alike, .. } => alike,
            RowKind::Gap { gap, .. } => {
                let words = self.gap(&row.branches, gap, self.screen.width);
                return words.chars().count().saturating_sub(self.times_width);
            }
        };
        let span = &self.answer.spans[alike[0]];
        let mark = if span.error { 2 } else { 0 };
        let service = self.service(alike[0]).chars().count();
        let name = span.name.chars().count() + usize::from(service > 0);
        row.branches.chars().count() + mark + service + name + folded(alike.len(), false).len()
    }

    /// A gap's length and place in at most so many columns.
    fn gap(&self, branches: &str, gap: &GapShape, width: usize) -> String {
        let name = |id: Option<SpanId>| id.and_then(|id| self.by_id.get(&id)).map(|span| clean(&span.name));
        let length = duration(gap.to_nanos.saturating_sub(gap.from_nanos));
        let lead = format!("{branches}...... {length} unaccounted");
        let room = width.saturating_sub(lead.chars().count());
        let place = match (name(gap.before_span_id), name(gap.after_span_id)) {
            (Some(_), Some(_)) if room < GAP_PLACE_MIN => String::new(),
            (Some(before), Some(after)) => {
                let room = room.saturating_sub(" between  and ".len());
                let after = shorten(&after, room.saturating_sub(before.chars().count()).max(room / 2));
                format!(" between {} and {after}", shorten(&before, room.saturating_sub(after.chars().count())))
            }
            (Some(before), None) => format!(" after {before}"),
            (None, Some(after)) => format!(" before {after}"),
            (None, None) => String::new(),
        };
        format!("{lead}{place}").chars().take(width).collect()
    }

    fn stretch_of(&self, span: &SpanShape) -> Stretch {
        shifted(0, span.duration_nanos, unix_nanos(&span.start) - self.origin)
    }
}

/// First and last instant of the picture. Hosts whose clocks are off do not stretch it: their spans leave arrows.
fn extent(answer: &TraceAnswer) -> (i128, i128) {
    let thread_start = unix_nanos(&answer.thread.start);
    let mut start = thread_start;
    let mut end = thread_start + i128::from(answer.thread.total_nanos);
    if let Some(tail) = &answer.thread.async_tail {
        end = end.max(unix_nanos(&tail.start) + i128::from(tail.total_nanos));
    }
    if answer.skews.iter().all(|skew| skew.corrected) {
        for span in &answer.spans {
            let from = unix_nanos(&span.start);
            start = start.min(from);
            end = end.max(from + i128::from(span.duration_nanos));
        }
    }
    (start, end)
}

fn shifted(from_nanos: u64, to_nanos: u64, ahead: i128) -> Stretch {
    let clamped = |nanos: u64| (i128::from(nanos) + ahead).clamp(i64::MIN.into(), i64::MAX.into()) as i64;
    (clamped(from_nanos), clamped(to_nanos))
}

fn folded(alike: usize, errors_within: bool) -> String {
    match alike {
        1 => String::new(),
        _ if errors_within => format!("  x{alike}, errors within"),
        _ => format!("  x{alike}"),
    }
}

/// What the bars that were drawn mean.
fn legend(drawn: &HashSet<Cell>, screen: &Screen) -> String {
    let meanings = [
        (Cell::Thread, "the thread: what the trace waited for"),
        (Cell::Gap, "no span explains it"),
        (Cell::Span, "not waited for"),
        (Cell::Before, "earlier"),
        (Cell::After, "later"),
    ];
    let mut text = String::new();
    let mut length = 0;
    for (cell, meaning) in meanings.iter().filter(|(cell, _)| drawn.contains(cell)) {
        let (ink, glyph) = bar::look(*cell, screen);
        let wide = meaning.len() + 2;
        if length > 0 {
            let fits = length + 3 + wide <= screen.width;
            text += if fits { "   " } else { "\n" };
            length = if fits { length + 3 } else { 0 };
        }
        let glyph = screen.paint(ink, &glyph.to_string());
        let _ = write!(text, "{glyph} {}", screen.paint(Ink::Muted, meaning));
        length += wide;
    }
    if text.is_empty() { text } else { format!("\n{text}\n") }
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
    lines.extend(n_plus_one(answer));
    for skew in &answer.skews {
        let way = if skew.offset_nanos > 0 { "ahead of" } else { "behind" };
        let (instance, reference) = (clean(&skew.instance), clean(&skew.reference));
        let length = duration(skew.offset_nanos.unsigned_abs());
        let done = if skew.corrected { "its spans are moved" } else { "`--correct-clocks` moves its spans" };
        lines.push(format!("the clock of {instance} seems {length} {way} that of {reference}; {done}"));
    }
    let lines = lines.iter().flat_map(|line| wrap(&format!("note: {line}"), screen.width));
    let text: String = lines.map(|line| screen.paint(Ink::Muted, &line) + "\n").collect();
    text
}

/// The costliest N+1, and how many others there are.
fn n_plus_one(answer: &TraceAnswer) -> Option<String> {
    let queries = answer.groups.iter().filter(|group| group.kind == "n_plus_one");
    let worst = queries.clone().max_by_key(|group| group.total_nanos)?;
    let others = match queries.count() - 1 {
        0 => String::new(),
        1 => "; there is one more such place".to_owned(),
        count => format!("; there are {count} more such places"),
    };
    Some(format!("in {}, {}{others}", clean(&worst.service), clean(&worst.sentence)))
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
