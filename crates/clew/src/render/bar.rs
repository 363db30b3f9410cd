//! The bar of a row: when its spans ran, and when the thread lay on them.

use super::screen::{Ink, Screen};

/// A stretch of time in nanoseconds from the first instant of the picture. It may begin before the picture and end
/// after it: a host's clock may be off by more than the trace is long.
pub(super) type Stretch = (i64, i64);

/// What a column of a bar shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Cell {
    /// Nothing.
    Empty,
    /// A span, while the trace was waiting for something else.
    Span,
    /// Time that no span explains.
    Gap,
    /// A span that the trace was waiting for.
    Thread,
    /// A span that lies to the left of the picture.
    Before,
    /// A span that lies to the right of it.
    After,
}

/// Columns over `total_nanos`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Bar {
    columns: Vec<Column>,
    total_nanos: u64,
    cut: (bool, bool),
}

/// How much of a column's time is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Column {
    touched: bool,
    span_nanos: u64,
    thread_nanos: u64,
    /// The thread lay here longer than on any other row.
    leads: bool,
    gap: bool,
}

impl Bar {
    pub(super) fn new(width: usize, total_nanos: u64) -> Self {
        Self { columns: vec![Column::default(); width], total_nanos: total_nanos.max(1), cut: (false, false) }
    }

    /// Draws a span, at least one column wide. What lies outside of the picture leaves an arrow at its edge.
    pub(super) fn span(&mut self, stretch: Stretch) {
        self.cut.0 |= stretch.0 < 0;
        self.cut.1 |= stretch.1.max(stretch.0.saturating_add(1)) > self.total_nanos as i64;
        self.each(stretch, |column, nanos| {
            (column.touched, column.span_nanos) = (true, column.span_nanos + nanos);
        });
    }

    /// Lays the thread on what is drawn.
    pub(super) fn thread(&mut self, stretch: Stretch) {
        self.each(stretch, |column, nanos| column.thread_nanos += nanos);
    }

    /// Draws time that no span explains.
    pub(super) fn gap(&mut self, stretch: Stretch) {
        self.each(stretch, |column, _| column.gap = true);
    }

    /// Says that no other row held the thread longer in this column.
    pub(super) fn lead(&mut self, column: usize) {
        if let Some(column) = self.columns.get_mut(column) {
            column.leads = true;
        }
    }

    /// The nanoseconds of a stretch in each column that it touches.
    pub(super) fn shares(&self, stretch: Stretch) -> Vec<(usize, u64)> {
        let (total, width) = (u128::from(self.total_nanos), self.columns.len() as u128);
        let (from, to) = (stretch.0.max(0) as u64, stretch.1.max(0) as u64);
        if width == 0 || from >= self.total_nanos || (stretch.0 < 0 && to == 0) {
            return Vec::new();
        }
        let begins = |column: usize| (column as u128 * total / width) as u64;
        let column_of = |nanos: u64| ((u128::from(nanos) * width / total) as usize).min(self.columns.len() - 1);
        let columns = column_of(from)..=column_of(to.saturating_sub(1).max(from));
        columns.map(|column| (column, to.min(begins(column + 1)).saturating_sub(from.max(begins(column))))).collect()
    }

    fn each(&mut self, stretch: Stretch, mut draw: impl FnMut(&mut Column, u64)) {
        for (column, nanos) in self.shares(stretch) {
            draw(&mut self.columns[column], nanos);
        }
    }

    /// A column belongs to the thread when no other row held it longer there, so that the thread is one unbroken line
    /// through the picture; and when it lay on the span for half of the span's time in the column.
    pub(super) fn cells(&self) -> Vec<Cell> {
        let cell = |column: &Column| match *column {
            Column { gap: true, .. } => Cell::Gap,
            Column { leads: true, .. } => Cell::Thread,
            Column { thread_nanos, span_nanos, .. } if thread_nanos > 0 && thread_nanos * 2 >= span_nanos => {
                Cell::Thread
            }
            Column { touched: true, .. } => Cell::Span,
            _ => Cell::Empty,
        };
        let mut cells: Vec<_> = self.columns.iter().map(cell).collect();
        if let (true, Some(first)) = (self.cut.0, cells.first_mut()) {
            *first = Cell::Before;
        }
        if let (true, Some(last)) = (self.cut.1, cells.last_mut()) {
            *last = Cell::After;
        }
        cells
    }
}

/// A bar's cells as text; spans that failed are drawn as errors.
pub(super) fn show(cells: &[Cell], screen: &Screen, failed: bool) -> String {
    let end = cells.iter().rposition(|cell| *cell != Cell::Empty).map_or(0, |last| last + 1);
    let runs = cells[..end].chunk_by(|left, right| left == right);
    runs.map(|run| {
        let (ink, glyph) = look(run[0], screen);
        let ink = if failed && run[0] == Cell::Span { Ink::Error } else { ink };
        screen.paint(ink, &glyph.to_string().repeat(run.len()))
    })
    .collect()
}

/// How a cell looks.
pub(super) fn look(cell: Cell, screen: &Screen) -> (Ink, char) {
    match cell {
        Cell::Empty => (Ink::Plain, ' '),
        Cell::Span => (Ink::Muted, screen.glyph('\u{2500}', '-')),
        Cell::Gap => (Ink::Thread, screen.glyph('\u{2591}', '/')),
        Cell::Thread => (Ink::Thread, screen.glyph('\u{2588}', '#')),
        Cell::Before => (Ink::Muted, '<'),
        Cell::After => (Ink::Muted, '>'),
    }
}
