//! The rows of one trace: which row is whose parent, and the trace in short.

use std::sync::Arc;

use clew_model::scan::Extent;
use clew_model::{Attribute, Notes, Span, SpanId, Status, Summary, TraceId, Value, ValueRef, summarize};
use hashbrown::HashMap;

use super::batch::Parent;
use super::layout::Layout;
use crate::row::Row;

/// Up to so many rows, ids are compared one by one.
const FEW: usize = 16;

/// The parents of a trace's rows.
#[derive(Debug, Default)]
pub(super) struct Family {
    /// First row of each id, for traces of more than [`FEW`] rows.
    rows: HashMap<SpanId, u32, foldhash::fast::RandomState>,
    has_repeats: bool,
    parents: Vec<Parent>,
}

/// What the rows alone say of a trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Short {
    /// All of it, with the root's row.
    Folded {
        /// The root's row.
        root: usize,
        /// Spans.
        span_count: u32,
        /// Failed ones.
        error_count: u32,
        /// Whether a span without a parent is there.
        root_seen: bool,
    },
    /// Spans repeat or follow each other up: only whole spans can say.
    Whole,
}

impl Family {
    /// Finds the parents of these rows, which replace the trace before.
    pub(super) fn find(&mut self, rows: &[Row<'_>]) {
        self.rows.clear();
        self.has_repeats = false;
        self.parents.clear();
        if rows.len() > FEW {
            for (at, row) in rows.iter().enumerate() {
                self.has_repeats |= *self.rows.entry(row.span_id).or_insert(at as u32) != at as u32;
            }
        } else {
            let repeats = |(at, row): (usize, &Row<'_>)| rows[..at].iter().any(|other| other.span_id == row.span_id);
            self.has_repeats = rows.iter().enumerate().any(repeats);
        }
        for (at, row) in rows.iter().enumerate() {
            let parent = match row.parent_span_id {
                None => Parent::None,
                Some(id) => match self.row_of(rows, id).map(|parent| i32::try_from(parent as i64 - at as i64)) {
                    Some(Ok(offset)) => Parent::Offset(offset),
                    _ => Parent::Id(id),
                },
            };
            self.parents.push(parent);
        }
    }

    /// The parent of a row.
    pub(super) fn parent(&self, row: usize) -> Parent {
        self.parents[row]
    }

    fn row_of(&self, rows: &[Row<'_>], id: SpanId) -> Option<usize> {
        if rows.len() > FEW {
            self.rows.get(&id).map(|row| *row as usize)
        } else {
            rows.iter().position(|row| row.span_id == id)
        }
    }

    /// The trace in short. The rows are the ones given last.
    pub(super) fn fold(&self, trace_id: TraceId, rows: &[Row<'_>]) -> Short {
        let follows_up = |row: &Row<'_>| row.links.iter().any(|link| link.trace_id == trace_id);
        if self.has_repeats || rows.iter().any(follows_up) {
            return Short::Whole;
        }
        // What `clew_model::summary` does, where each id is there once and no link points into the trace: then no span is
        // the far half of a shared one or a follow-up, and rows are in canonical order.
        let rank = |at: usize| {
            let rank = match self.parents[at] {
                Parent::None => 0,
                Parent::Id(_) => 2,
                Parent::Offset(_) => 3,
            };
            (rank, rows[at].notes.contains(Notes::ODD_TIME))
        };
        let root = (0..rows.len()).min_by_key(|at| rank(*at)).unwrap_or(0);
        Short::Folded {
            root,
            span_count: rows.len() as u32,
            error_count: rows.iter().filter(|row| row.is_error).count() as u32,
            root_seen: matches!(self.parents.get(root), Some(Parent::None)),
        }
    }
}

/// From first start to last end of these rows; there is at least one.
pub(super) fn extent(rows: &[Row<'_>]) -> Extent {
    let extents = rows.iter().map(|row| Extent {
        start_unix_nanos: row.start_unix_nanos,
        end_unix_nanos: row.start_unix_nanos.saturating_add(row.duration_nanos),
        is_odd: row.notes.contains(Notes::ODD_TIME),
    });
    extents.reduce(Extent::merge).unwrap_or(Extent { start_unix_nanos: 0, end_unix_nanos: 0, is_odd: true })
}

/// The trace in short, by way of whole spans.
pub(super) fn summary(layout: &Layout, trace_id: TraceId, rows: &[Row<'_>]) -> Summary {
    summarize(&spans(layout, trace_id, rows))
}

/// Rows as whole spans.
pub(super) fn spans(layout: &Layout, trace_id: TraceId, rows: &[Row<'_>]) -> Vec<Span> {
    rows.iter().map(|row| span(layout, trace_id, row)).collect()
}

fn span(layout: &Layout, trace_id: TraceId, row: &Row<'_>) -> Span {
    let keys = layout.shapes[row.shape.0 as usize].keys.iter();
    let attribute = |(key, value): (&u32, &ValueRef<'_>)| Attribute {
        key: layout.keys[*key as usize].key.as_ref().to_owned(),
        value: value_of(*value),
    };
    Span {
        trace_id,
        span_id: row.span_id,
        parent_span_id: row.parent_span_id,
        trace_state: text(row.trace_state),
        flags: row.flags,
        name: text(row.name),
        kind: row.kind,
        start_unix_nanos: row.start_unix_nanos,
        duration_nanos: row.duration_nanos,
        status: Status { code: row.status, message: text(row.status_message) },
        attributes: keys.zip(row.values).map(attribute).collect(),
        dropped_attributes_count: row.dropped_attributes_count,
        events: row.events.to_vec(),
        dropped_events_count: row.dropped_events_count,
        links: row.links.to_vec(),
        dropped_links_count: row.dropped_links_count,
        resource: Arc::clone(&layout.resources[row.resource.0 as usize].item),
        scope: Arc::clone(&layout.scopes[row.scope.0 as usize].item),
        received_unix_nanos: row.received_unix_nanos,
        notes: row.notes,
    }
}

fn value_of(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Empty => Value::Empty,
        ValueRef::String(bytes) => Value::String(text(bytes)),
        ValueRef::Bool(truth) => Value::Bool(truth),
        ValueRef::Int(number) => Value::Int(number),
        ValueRef::Double(number) => Value::Double(number),
        ValueRef::Bytes(bytes) => Value::Bytes(bytes.to_vec()),
        ValueRef::Nested(value) => value.clone(),
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
