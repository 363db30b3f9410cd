//! The rows of one block, trace after trace, pulled when they are wanted.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use clew_model::{SpanId, Tenant, TraceId, ValueRef, Verdict};

use crate::read::codes::Codes;
use crate::read::data::Data;
use crate::read::rows::{Parent, RowReader, Rows};
use crate::sidecar::Verdicts;
use crate::{Block, ReadError, Row};

/// Stands before the traces of one block.
pub(super) struct Cursor<'d> {
    pub(super) block: &'d Block,
    reader: RowReader<'d>,
    data: &'d Data,
    /// Number of the tenant under way.
    tenant: usize,
    /// Its rows that were not read yet.
    left: Range<u64>,
    /// Rows that were read, the trace under way first.
    held: VecDeque<Rows>,
    /// Rows of the first of them that are done.
    done: usize,
    /// Traces before the one under way.
    passed: usize,
    verdicts: Option<Arc<Verdicts>>,
    /// Rows of the trace under way: which of `held`, and which of its rows.
    trace: Vec<(u32, u32)>,
}

impl<'d> Cursor<'d> {
    /// Before the first trace; what is read ahead takes about so many bytes.
    pub(super) fn new(block: &'d Block, data: &'d Data, codes: &'d Codes, memory_bytes: u64) -> Self {
        Self {
            block,
            reader: RowReader::new(data, codes, memory_bytes),
            data,
            tenant: 0,
            left: if block.meta().tenants.is_empty() { 0..0 } else { block.tenant_rows(0) },
            held: VecDeque::new(),
            done: 0,
            passed: 0,
            verdicts: block.verdicts(),
            trace: Vec::new(),
        }
    }

    /// The next trace, and whose it is; none at the end.
    pub(super) fn next(&mut self) -> Result<Option<(&'d Tenant, TraceId)>, ReadError> {
        loop {
            let Some(part) = self.block.meta().tenants.get(self.tenant) else { return Ok(None) };
            if let Some(id) = self.held.front().and_then(|rows| rows.trace_id(self.done)) {
                return Ok(Some((&part.tenant, id)));
            }
            if self.left.is_empty() {
                self.tenant += 1;
                if self.tenant < self.block.meta().tenants.len() {
                    self.left = self.block.tenant_rows(self.tenant);
                }
            } else {
                self.read()?;
            }
        }
    }

    /// Reads the rest of the next trace. Until [`Cursor::pass`] its rows are here.
    pub(super) fn load(&mut self) -> Result<(), ReadError> {
        let Some((_, id)) = self.next()? else { return Ok(()) };
        self.trace.clear();
        let (mut part, mut row) = (0, self.done);
        loop {
            match self.held.get(part).map(|rows| rows.trace_id(row)) {
                Some(Some(of)) if of == id => {
                    self.trace.push((part as u32, row as u32));
                    row += 1;
                }
                Some(Some(_)) => return Ok(()),
                Some(None) => (part, row) = (part + 1, 0),
                None if self.left.is_empty() => return Ok(()),
                None => self.read()?,
            }
        }
    }

    /// What the block's sidecar says was decided about the next trace.
    pub(super) fn verdict(&self) -> Option<&Verdict> {
        self.verdicts.as_ref()?.get(self.passed)
    }

    /// How many rows the loaded trace has.
    pub(super) fn row_count(&self) -> usize {
        self.trace.len()
    }

    /// Appends the values of the loaded trace, and where those of each row begin and end.
    pub(super) fn values<'c>(&'c self, values: &mut Vec<ValueRef<'c>>, bounds: &mut Vec<Range<usize>>) {
        for (part, row) in &self.trace {
            let from = values.len();
            self.held[*part as usize].values(*row as usize, values);
            bounds.push(from..values.len());
        }
    }

    /// Appends the rows of the loaded trace, whose values are those.
    pub(super) fn rows<'c>(
        &'c self,
        values: &'c [ValueRef<'c>],
        bounds: &[Range<usize>],
        rows: &mut Vec<Row<'c>>,
    ) -> Result<(), ReadError> {
        for (at, ((part, row), bounds)) in self.trace.iter().zip(bounds).enumerate() {
            let held = &self.held[*part as usize];
            let parent = match held.parent(*row as usize) {
                Parent::None => None,
                Parent::Id(id) => Some(id),
                Parent::Offset(offset) => Some(self.span_id(at, offset)?),
            };
            rows.push(held.row(*row as usize, parent, &values[bounds.clone()]));
        }
        Ok(())
    }

    /// The id of a row that is so many rows from another one.
    fn span_id(&self, at: usize, offset: i32) -> Result<SpanId, ReadError> {
        let row = usize::try_from(at as i64 + i64::from(offset)).ok().and_then(|at| self.trace.get(at));
        let row = row.map(|(part, row)| self.held[*part as usize].span_id(*row as usize));
        row.ok_or_else(|| self.data.damaged("a parent's row is not one of its trace"))
    }

    /// Goes on behind the loaded trace.
    pub(super) fn pass(&mut self) {
        self.passed += 1;
        if let Some((part, row)) = self.trace.pop() {
            self.held.drain(..part as usize);
            self.done = row as usize + 1;
        }
        if self.held.front().is_some_and(|rows| self.done == rows.len()) {
            self.held.pop_front();
            self.done = 0;
        }
        self.trace.clear();
    }

    fn read(&mut self) -> Result<(), ReadError> {
        let end = self.reader.end(self.left.clone());
        let rows = self.reader.read(self.left.start..end)?;
        self.left.start = end;
        self.held.push_back(rows);
        Ok(())
    }
}
