//! A request: `admit` judges it, `walk` shows what was admitted. Both read it the same way.

use clew_model::{Notes, RejectReason, Tenant};

use super::reader::{Fault, Reader};
use super::span::{Rules, Scratch, attribute};
use super::text::text;
use super::value::key_value;
use super::view::{
    Admission, AdmitOptions, Group, KeyValueView, Limits, Rejected, ResourceView, ScopeView, SpanSink, SpanView,
    ValueView, WireError,
};

/// Reads a body once: what it holds, what of it is not kept and why, and how the rest was mended.
///
/// A span that cannot be kept never rejects its neighbours; a body whose framing cannot be read is refused whole.
pub fn admit(body: &[u8], options: &AdmitOptions<'_>) -> Result<Admission, WireError> {
    let rules = Rules::new(options.limits, options.received_unix_nanos);
    let mut judge = Judge { options, admission: Admission::default(), is_bad_tenant: false };
    read(body, &rules, &mut judge)?;
    Ok(judge.admission)
}

/// Shows the kept spans of an admitted body, read with the limits and the time of its admission.
///
/// Spans whose ordinal `rejected` holds (rising) are left out, and so is any other that cannot be kept.
pub fn walk<'a>(
    body: &'a [u8],
    limits: &Limits,
    received_unix_nanos: u64,
    rejected: &[u32],
    sink: &mut impl SpanSink<'a>,
) -> Result<(), WireError> {
    let rules = Rules::new(*limits, received_unix_nanos);
    read(body, &rules, &mut Show { sink, rejected })
}

/// Who looks at the parts of a body.
trait Visitor<'a> {
    /// A resource begins; `pieces` are its messages.
    fn resource(&mut self, resource: &ResourceView<'a, '_>, pieces: &[Reader<'a>]);
    /// A scope begins.
    fn scope(&mut self, scope: &ScopeView<'a, '_>);
    /// Whether the next span is worth reading.
    fn wants(&mut self, ordinal: u32) -> bool;
    /// A span that was wanted.
    fn span(&mut self, ordinal: u32, span: Result<SpanView<'a, '_>, RejectReason>);
}

struct Judge<'o> {
    options: &'o AdmitOptions<'o>,
    admission: Admission,
    is_bad_tenant: bool,
}

impl Judge<'_> {
    /// The tenant that a resource names; `Err` when the name is none.
    fn tenant(&self, pieces: &[Reader<'_>]) -> Result<Option<Tenant>, ()> {
        let Some(wanted) = self.options.tenant_attribute else { return Ok(None) };
        match find(pieces, wanted, &self.options.limits) {
            None | Some(ValueView::Empty) => Ok(None),
            Some(ValueView::String(name)) => Tenant::new(name.as_str()).map(Some).map_err(drop),
            Some(_) => Err(()),
        }
    }

    fn reject(&mut self, ordinal: u32, reason: RejectReason) {
        self.admission.rejected.push(Rejected { ordinal, reason });
    }
}

impl<'a> Visitor<'a> for Judge<'_> {
    fn resource(&mut self, _: &ResourceView<'a, '_>, pieces: &[Reader<'a>]) {
        let tenant = self.tenant(pieces);
        self.is_bad_tenant = tenant.is_err();
        let first_span = self.admission.span_count;
        self.admission.groups.push(Group { tenant: tenant.unwrap_or(None), first_span, span_count: 0 });
    }

    fn scope(&mut self, _: &ScopeView<'a, '_>) {}

    #[inline]
    fn wants(&mut self, ordinal: u32) -> bool {
        self.admission.span_count += 1;
        if let Some(group) = self.admission.groups.last_mut() {
            group.span_count += 1;
        }
        if self.is_bad_tenant {
            self.reject(ordinal, RejectReason::BadTenant);
        }
        !self.is_bad_tenant
    }

    #[inline]
    fn span(&mut self, ordinal: u32, span: Result<SpanView<'a, '_>, RejectReason>) {
        match span {
            Ok(span) => self.admission.notes.add(span.notes),
            Err(reason) => self.reject(ordinal, reason),
        }
    }
}

struct Show<'s, S> {
    sink: &'s mut S,
    rejected: &'s [u32],
}

impl<'a, S: SpanSink<'a>> Visitor<'a> for Show<'_, S> {
    fn resource(&mut self, resource: &ResourceView<'a, '_>, _: &[Reader<'a>]) {
        self.sink.resource(resource);
    }

    fn scope(&mut self, scope: &ScopeView<'a, '_>) {
        self.sink.scope(scope);
    }

    #[inline]
    fn wants(&mut self, ordinal: u32) -> bool {
        match self.rejected {
            [next, rest @ ..] if *next == ordinal => {
                self.rejected = rest;
                false
            }
            _ => true,
        }
    }

    #[inline]
    fn span(&mut self, ordinal: u32, span: Result<SpanView<'a, '_>, RejectReason>) {
        if let Ok(span) = span {
            self.sink.span(ordinal, &span);
        }
    }
}

/// What is used again from message to message.
struct State<'a, 'v, V> {
    rules: &'v Rules,
    visitor: &'v mut V,
    pieces: Vec<Reader<'a>>,
    attributes: Vec<KeyValueView<'a>>,
    scratch: Scratch<'a>,
    group: u32,
    ordinal: u32,
}

fn read<'a>(body: &'a [u8], rules: &Rules, visitor: &mut impl Visitor<'a>) -> Result<(), WireError> {
    let mut state = State {
        rules,
        visitor,
        pieces: Vec::new(),
        attributes: Vec::new(),
        scratch: Scratch::default(),
        group: 0,
        ordinal: 0,
    };
    let at = |fault: Fault| match fault {
        // Only here does the end of the message mean that the body itself is cut off.
        Fault { offset, is_short: true, .. } => WireError::Truncated { offset, what: "a field of the request" },
        fault => malformed(fault, "the request"),
    };
    let mut request = Reader::new(body, 0);
    while let Some((number, wire)) = request.tag().map_err(at)? {
        match number {
            1 => state.resource_spans(request.message(wire).map_err(at)?)?,
            _ => request.skip((number, wire)).map_err(at)?,
        }
    }
    Ok(())
}

impl<'a, V: Visitor<'a>> State<'a, '_, V> {
    /// Reads a `ResourceSpans` message: first the resource, which may lie anywhere in it, then the spans.
    fn resource_spans(&mut self, message: Reader<'a>) -> Result<(), WireError> {
        let at = |fault| malformed(fault, "a ResourceSpans message");
        bring_near(message.rest());
        let notes = self.resource(message)?;
        let mut fields = message;
        while let Some((number, wire)) = fields.tag().map_err(at)? {
            match number {
                2 => self.scope_spans(fields.message(wire).map_err(at)?, notes)?,
                _ => fields.skip((number, wire)).map_err(at)?,
            }
        }
        self.group += 1;
        Ok(())
    }

    fn resource(&mut self, message: Reader<'a>) -> Result<Notes, WireError> {
        let schema_url = self.collect(message, "a ResourceSpans message")?;
        let at = |fault| malformed(fault, "a resource");
        let limits = &self.rules.limits;
        let (mut notes, mut dropped, mut cut) = (Notes::default(), 0, 0);
        self.attributes.clear();
        for piece in &self.pieces {
            let mut fields = *piece;
            while let Some((number, wire)) = fields.tag().map_err(at)? {
                match number {
                    1 => fields
                        .message(wire)
                        .and_then(|pair| attribute(pair, &mut self.attributes, 0, &mut cut, limits, &mut notes))
                        .map_err(at)?,
                    2 => dropped = fields.varint(wire).map_err(at)? as u32,
                    _ => fields.skip((number, wire)).map_err(at)?,
                }
            }
        }
        if !names_service(&self.attributes) {
            notes |= Notes::NO_SERVICE;
        }
        let view = ResourceView {
            group: self.group,
            attributes: &self.attributes,
            dropped_attributes_count: u32::saturating_add(dropped, cut),
            schema_url: text(schema_url, limits.value_bytes, &mut notes),
            notes,
        };
        let notes = view.notes;
        self.visitor.resource(&view, &self.pieces);
        Ok(notes)
    }

    /// Reads a `ScopeSpans` message: first the scope, which may lie anywhere in it, then the spans.
    fn scope_spans(&mut self, message: Reader<'a>, notes: Notes) -> Result<(), WireError> {
        let at = |fault| malformed(fault, "a ScopeSpans message");
        let notes = notes | self.scope(message)?;
        let mut fields = message;
        while let Some((number, wire)) = fields.tag().map_err(at)? {
            if number != 2 {
                fields.skip((number, wire)).map_err(at)?;
                continue;
            }
            let span = fields.message(wire).map_err(at)?;
            if self.visitor.wants(self.ordinal) {
                self.visitor.span(self.ordinal, self.scratch.span(span, self.rules, notes));
            }
            self.ordinal += 1;
        }
        Ok(())
    }

    fn scope(&mut self, message: Reader<'a>) -> Result<Notes, WireError> {
        let schema_url = self.collect(message, "a ScopeSpans message")?;
        let at = |fault| malformed(fault, "a scope");
        let limits = &self.rules.limits;
        let (mut notes, mut dropped, mut cut) = (Notes::default(), 0, 0);
        let (mut name, mut version): (&[u8], &[u8]) = (&[], &[]);
        self.attributes.clear();
        for piece in &self.pieces {
            let mut fields = *piece;
            while let Some((number, wire)) = fields.tag().map_err(at)? {
                match number {
                    1 => name = fields.bytes(wire).map_err(at)?,
                    2 => version = fields.bytes(wire).map_err(at)?,
                    3 => fields
                        .message(wire)
                        .and_then(|pair| attribute(pair, &mut self.attributes, 0, &mut cut, limits, &mut notes))
                        .map_err(at)?,
                    4 => dropped = fields.varint(wire).map_err(at)? as u32,
                    _ => fields.skip((number, wire)).map_err(at)?,
                }
            }
        }
        let view = ScopeView {
            name: text(name, limits.value_bytes, &mut notes),
            version: text(version, limits.value_bytes, &mut notes),
            attributes: &self.attributes,
            dropped_attributes_count: u32::saturating_add(dropped, cut),
            schema_url: text(schema_url, limits.value_bytes, &mut notes),
            notes,
        };
        let notes = view.notes;
        self.visitor.scope(&view);
        Ok(notes)
    }

    /// Collects what `ResourceSpans` and `ScopeSpans` have in common: the messages of field 1, which protobuf merges,
    /// and the schema URL of field 3, which is returned. Field 2 is only stepped over.
    fn collect(&mut self, mut message: Reader<'a>, place: &'static str) -> Result<&'a [u8], WireError> {
        let at = |fault| malformed(fault, place);
        let mut schema_url: &[u8] = &[];
        self.pieces.clear();
        while let Some((number, wire)) = message.tag().map_err(at)? {
            match number {
                1 => self.pieces.push(message.message(wire).map_err(at)?),
                2 => drop(message.bytes(wire).map_err(at)?),
                3 => schema_url = message.bytes(wire).map_err(at)?,
                _ => message.skip((number, wire)).map_err(at)?,
            }
        }
        Ok(schema_url)
    }
}

/// Has the processor fetch those bytes. Stepping from tag to tag waits for memory at each, one after the other; this
/// waits for many at once. What would push itself out of the cache again is left.
#[inline]
fn bring_near(bytes: &[u8]) {
    const LINE_BYTES: usize = 64;
    const NEAR_BYTES_MAX: usize = 512 * 1024;
    let near = &bytes[..bytes.len().min(NEAR_BYTES_MAX)];
    std::hint::black_box(near.iter().step_by(LINE_BYTES).fold(0, |all, byte| all | byte));
}

fn names_service(attributes: &[KeyValueView<'_>]) -> bool {
    let service = attributes.iter().find(|attribute| attribute.key.as_bytes() == b"service.name");
    matches!(service, Some(KeyValueView { value: ValueView::String(name), .. }) if !name.as_bytes().is_empty())
}

/// The first attribute with that key, looked for beyond the limit on their number.
fn find<'a>(pieces: &[Reader<'a>], key: &str, limits: &Limits) -> Option<ValueView<'a>> {
    for piece in pieces {
        let mut fields = *piece;
        while let Ok(Some((number, wire))) = fields.tag() {
            if number != 1 {
                fields.skip((number, wire)).ok()?;
                continue;
            }
            // What was cut is no tenant's name, and its notes are the resource's.
            let pair = fields.message(wire).and_then(|pair| key_value(pair, limits, &mut Notes::default())).ok()?;
            if pair.key.as_bytes() == key.as_bytes() {
                return Some(pair.value);
            }
        }
    }
    None
}

#[cold]
fn malformed(fault: Fault, place: &'static str) -> WireError {
    WireError::Malformed { offset: fault.offset, what: format!("{} in {place}", fault.what) }
}
