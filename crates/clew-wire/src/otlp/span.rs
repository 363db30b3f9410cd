//! One span: its bytes to a view, over vectors that are used again for the next one.

use clew_model::{Kind, Notes, RejectReason, SpanId, StatusCode, TraceId};

use super::reader::{Fault, Reader};
use super::shapes::Shapes;
use super::text::text;
use super::value::{key_value, push_plain};
use super::view::{EventView, KeyValueView, Limits, LinkView, SpanView};

/// 2000-01-01T00:00:00Z; spans that start earlier have an odd time.
const YEAR_2000_UNIX_NANOS: u64 = 946_684_800_000_000_000;
/// Spans that start later than this after receipt have an odd time.
const AHEAD_NANOS_MAX: u64 = 24 * 3600 * 1_000_000_000;

/// What is the same for all spans of a body.
#[derive(Clone, Copy)]
pub(super) struct Rules {
    /// How much is kept.
    pub(super) limits: Limits,
    /// Later starts are odd.
    start_unix_nanos_max: u64,
}

impl Rules {
    pub(super) fn new(limits: Limits, received_unix_nanos: u64) -> Self {
        Self { limits, start_unix_nanos_max: received_unix_nanos.saturating_add(AHEAD_NANOS_MAX) }
    }
}

/// The lists of the span that is being read.
#[derive(Default)]
pub(super) struct Scratch<'a> {
    attributes: Vec<KeyValueView<'a>>,
    events: Vec<EventView<'a>>,
    links: Vec<LinkView<'a>>,
    nested: Vec<KeyValueView<'a>>,
    shapes: Shapes<'a>,
}

/// The fields of a span message that are no lists, not yet judged.
#[derive(Default)]
struct Head<'a> {
    trace_id: &'a [u8],
    span_id: &'a [u8],
    parent_span_id: &'a [u8],
    trace_state: &'a [u8],
    name: &'a [u8],
    kind: u32,
    flags: u32,
    start_unix_nanos: u64,
    end_unix_nanos: u64,
    status_code: u32,
    status_message: &'a [u8],
    dropped_attributes_count: u32,
    dropped_events_count: u32,
    dropped_links_count: u32,
    /// Counted here, on top of what the sender dropped.
    cut_attributes: u32,
    cut_events: u32,
    cut_links: u32,
}

impl<'a> Scratch<'a> {
    /// Reads and judges a span message; `notes` are those of its resource and scope.
    #[inline]
    pub(super) fn span(
        &mut self,
        message: Reader<'a>,
        rules: &Rules,
        mut notes: Notes,
    ) -> Result<SpanView<'a, '_>, RejectReason> {
        let head = self.read(message, &rules.limits, &mut notes).map_err(|_| RejectReason::Undecodable)?;
        let trace_id = TraceId::from_slice(head.trace_id).ok_or(RejectReason::BadTraceId)?;
        let span_id = SpanId::from_slice(head.span_id).ok_or(RejectReason::BadSpanId)?;
        if head.start_unix_nanos == 0 {
            return Err(RejectReason::MissingStart);
        }
        let duration_nanos = head.duration_nanos(&mut notes);
        if head.start_unix_nanos < YEAR_2000_UNIX_NANOS || head.start_unix_nanos > rules.start_unix_nanos_max {
            notes |= Notes::ODD_TIME;
        }
        if head.name.is_empty() {
            notes |= Notes::EMPTY_NAME;
        }
        let bytes_max = rules.limits.value_bytes;
        Ok(SpanView {
            trace_id,
            span_id,
            parent_span_id: head.parent(&mut notes),
            trace_state: text(head.trace_state, bytes_max, &mut notes),
            flags: head.flags,
            name: text(head.name, bytes_max, &mut notes),
            kind: known(Kind::from_number(u64::from(head.kind)), &mut notes),
            start_unix_nanos: head.start_unix_nanos,
            duration_nanos,
            status_code: known(StatusCode::from_number(u64::from(head.status_code)), &mut notes),
            status_message: text(head.status_message, bytes_max, &mut notes),
            attributes: &self.attributes,
            shape: self.shapes.number(),
            dropped_attributes_count: head.dropped_attributes_count.saturating_add(head.cut_attributes),
            events: &self.events,
            dropped_events_count: head.dropped_events_count.saturating_add(head.cut_events),
            links: &self.links,
            dropped_links_count: head.dropped_links_count.saturating_add(head.cut_links),
            nested_attributes: &self.nested,
            notes,
        })
    }

    #[inline]
    fn read(&mut self, mut message: Reader<'a>, limits: &Limits, notes: &mut Notes) -> Result<Head<'a>, Fault> {
        self.attributes.clear();
        self.events.clear();
        self.links.clear();
        self.nested.clear();
        self.shapes.begin();
        let mut head = Head::default();
        while let Some((number, wire)) = message.tag()? {
            match number {
                1 => head.trace_id = message.bytes(wire)?,
                2 => head.span_id = message.bytes(wire)?,
                3 => head.trace_state = message.bytes(wire)?,
                4 => head.parent_span_id = message.bytes(wire)?,
                5 => head.name = message.bytes(wire)?,
                6 => head.kind = message.varint(wire)? as u32,
                7 => head.start_unix_nanos = message.fixed64(wire)?,
                8 => head.end_unix_nanos = message.fixed64(wire)?,
                9 => {
                    let pair = message.message(wire)?;
                    if !self.shapes.push(pair, limits, &mut self.attributes) {
                        let before = self.attributes.len();
                        attribute(pair, &mut self.attributes, 0, &mut head.cut_attributes, limits, notes)?;
                        if self.attributes.len() > before {
                            self.shapes.learn(pair, limits, self.attributes.last());
                        }
                    }
                }
                10 => head.dropped_attributes_count = message.varint(wire)? as u32,
                11 => {
                    let event = message.message(wire)?;
                    self.event(event, &mut head.cut_events, limits, notes)?;
                }
                12 => head.dropped_events_count = message.varint(wire)? as u32,
                13 => {
                    let link = message.message(wire)?;
                    self.link(link, &mut head.cut_links, limits, notes)?;
                }
                14 => head.dropped_links_count = message.varint(wire)? as u32,
                15 => head.status(message.message(wire)?)?,
                16 => head.flags = message.fixed32(wire)?,
                _ => message.skip((number, wire))?,
            }
        }
        Ok(head)
    }

    fn event(
        &mut self,
        mut message: Reader<'a>,
        cut: &mut u32,
        limits: &Limits,
        notes: &mut Notes,
    ) -> Result<(), Fault> {
        if self.events.len() >= limits.events as usize {
            *cut += 1;
            *notes |= Notes::EVENTS_CUT;
            return Ok(());
        }
        let from = self.nested.len();
        let (mut time_unix_nanos, mut name, mut dropped, mut cut_attributes) = (0, &[][..], 0, 0);
        while let Some((number, wire)) = message.tag()? {
            match number {
                1 => time_unix_nanos = message.fixed64(wire)?,
                2 => name = message.bytes(wire)?,
                3 => attribute(message.message(wire)?, &mut self.nested, from, &mut cut_attributes, limits, notes)?,
                4 => dropped = message.varint(wire)? as u32,
                _ => message.skip((number, wire))?,
            }
        }
        self.events.push(EventView {
            time_unix_nanos,
            name: text(name, limits.value_bytes, notes),
            attributes: from..self.nested.len(),
            dropped_attributes_count: dropped.saturating_add(cut_attributes),
        });
        Ok(())
    }

    fn link(
        &mut self,
        mut message: Reader<'a>,
        cut: &mut u32,
        limits: &Limits,
        notes: &mut Notes,
    ) -> Result<(), Fault> {
        if self.links.len() >= limits.links as usize {
            *cut += 1;
            *notes |= Notes::LINKS_CUT;
            return Ok(());
        }
        let from = self.nested.len();
        // What is mended in a link that is not kept is nobody's.
        let mut mended = Notes::default();
        let (mut trace_id, mut span_id, mut trace_state) = (&[][..], &[][..], &[][..]);
        let (mut flags, mut dropped, mut cut_attributes) = (0, 0, 0);
        while let Some((number, wire)) = message.tag()? {
            match number {
                1 => trace_id = message.bytes(wire)?,
                2 => span_id = message.bytes(wire)?,
                3 => trace_state = message.bytes(wire)?,
                4 => {
                    attribute(
                        message.message(wire)?,
                        &mut self.nested,
                        from,
                        &mut cut_attributes,
                        limits,
                        &mut mended,
                    )?;
                }
                5 => dropped = message.varint(wire)? as u32,
                6 => flags = message.fixed32(wire)?,
                _ => message.skip((number, wire))?,
            }
        }
        let (Some(trace_id), Some(span_id)) = (TraceId::from_slice(trace_id), SpanId::from_slice(span_id)) else {
            self.nested.truncate(from);
            *cut += 1;
            *notes |= Notes::BAD_REFERENCE;
            return Ok(());
        };
        self.links.push(LinkView {
            trace_id,
            span_id,
            trace_state: text(trace_state, limits.value_bytes, &mut mended),
            flags,
            attributes: from..self.nested.len(),
            dropped_attributes_count: dropped.saturating_add(cut_attributes),
        });
        *notes |= mended;
        Ok(())
    }
}

impl<'a> Head<'a> {
    fn status(&mut self, mut message: Reader<'a>) -> Result<(), Fault> {
        while let Some((number, wire)) = message.tag()? {
            match number {
                2 => self.status_message = message.bytes(wire)?,
                3 => self.status_code = message.varint(wire)? as u32,
                _ => message.skip((number, wire))?,
            }
        }
        Ok(())
    }

    fn duration_nanos(&self, notes: &mut Notes) -> u64 {
        self.end_unix_nanos.checked_sub(self.start_unix_nanos).unwrap_or_else(|| {
            *notes |= Notes::END_BEFORE_START;
            0
        })
    }

    /// Some senders write the root's parent as eight zeros; any other id that is no id is a broken reference.
    fn parent(&self, notes: &mut Notes) -> Option<SpanId> {
        let parent = SpanId::from_slice(self.parent_span_id);
        if parent.is_none() && !matches!(self.parent_span_id, [] | [0, 0, 0, 0, 0, 0, 0, 0]) {
            *notes |= Notes::BAD_REFERENCE;
        }
        parent
    }
}

/// Reads a `KeyValue` into the list that begins at `from`, or counts it when the list is full.
#[inline(always)]
pub(super) fn attribute<'a>(
    message: Reader<'a>,
    list: &mut Vec<KeyValueView<'a>>,
    from: usize,
    cut: &mut u32,
    limits: &Limits,
    notes: &mut Notes,
) -> Result<(), Fault> {
    if list.len() - from < limits.attributes as usize {
        if !push_plain(message, limits.value_bytes, list) {
            list.push(key_value(message, limits, notes)?);
        }
    } else {
        *cut += 1;
        *notes |= Notes::ATTRIBUTES_CUT;
    }
    Ok(())
}

fn known<T: Default>(value: Option<T>, notes: &mut Notes) -> T {
    value.unwrap_or_else(|| {
        *notes |= Notes::UNKNOWN_ENUM;
        T::default()
    })
}
