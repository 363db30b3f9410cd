//! The bar of a row: when its spans ran, and when the thread lay on them.

use super::screen::{Ink, Screen};

/// A stretch of time in nanoseconds from the first instant of the picture.
pub(super) type Stretch = (u64, u64);

/// What a column of a bar shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cell {
    /// Nothing.
    Empty,
    /// A span.
    Span,
    /// Time that no span explains.
    Gap,
    /// A span that the trace was waiting for.
    Thread,
}

/// Columns over `total_nanos`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Bar {
    columns: Vec<Column>,
    total_nanos: u64,
}

/// How much of a column's time is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Column {
    touched: bool,
    span_nanos: u64,
    thread_nanos: u64,
    gap: bool,
}

impl Bar {
    pub(super) fn new(width: usize, total_nanos: u64) -> Self {
        Self { columns: vec![Column::default(); width], total_nanos: total_nanos.max(1) }
    }

    /// Draws a stretch, at least one column wide.
    pub(super) fn draw(&mut self, (from, to): Stretch, cell: Cell) {
        let (width, total) = (self.columns.len() as u128, u128::from(self.total_nanos));
        let begins = |column: usize| (column as u128 * total / width.max(1)) as u64;
        let column_of =
            |nanos: u64| ((u128::from(nanos) * width / total) as usize).min(self.columns.len().saturating_sub(1));
        let (first, last) = (column_of(from), column_of(to.saturating_sub(1).max(from)));
        for (index, column) in self.columns.iter_mut().enumerate().take(last + 1).skip(first) {
            let nanos = to.min(begins(index + 1)).saturating_sub(from.max(begins(index)));
            match cell {
                Cell::Empty => {}
                Cell::Span => (column.touched, column.span_nanos) = (true, column.span_nanos + nanos),
                Cell::Thread => column.thread_nanos += nanos,
                Cell::Gap => column.gap = true,
            }
        }
    }

    /// A column belongs to the thread when the thread lay on the span for half of the span's time in it.
    fn cells(&self) -> Vec<Cell> {
        let cell = |column: &Column| match column {
            Column { gap: true, .. } => Cell::Gap,
            Column { thread_nanos, span_nanos, .. } if *thread_nanos > 0 && thread_nanos * 2 >= *span_nanos => {
                Cell::Thread
            }
            Column { touched: true, .. } => Cell::Span,
            _ => Cell::Empty,
        };
        self.columns.iter().map(cell).collect()
    }

    /// The bar as text; spans that failed are drawn as errors.
    pub(super) fn show(&self, screen: &Screen, failed: bool) -> String {
        let cells = self.cells();
        let end = cells.iter().rposition(|cell| *cell != Cell::Empty).map_or(0, |last| last + 1);
        let runs = cells[..end].chunk_by(|left, right| left == right);
        runs.map(|run| {
            let (ink, glyph) = match run[0] {
                Cell::Empty => (Ink::Plain, ' '),
                Cell::Span if failed => (Ink::Error, screen.glyph('\u{2501}', '=')),
                Cell::Span => (Ink::Muted, screen.glyph('\u{2501}', '=')),
                Cell::Gap => (Ink::Thread, screen.glyph('\u{2591}', '/')),
                Cell::Thread => (Ink::Thread, screen.glyph('\u{2588}', '#')),
            };
            screen.paint(ink, &glyph.to_string().repeat(run.len()))
        })
        .collect()
    }
}
