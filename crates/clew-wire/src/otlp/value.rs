//! `AnyValue` and `KeyValue`: borrowed views when nothing has to be mended, owned trees otherwise.

use std::borrow::Cow;

use clew_model::{Attribute, Notes, Value};

use super::encode::encode_value;
use super::reader::{Fault, Reader};
use super::text::{Text, cut, text};
use super::view::{KeyValueView, Limits, ValueView};

/// Values are never read deeper than this, whatever the limits say, so that reading one may recurse.
pub(crate) const DEPTH_MAX: u32 = 48;

/// The value that the last field of an `AnyValue` sets, not looked into.
#[derive(Clone, Copy)]
enum Raw<'a> {
    Empty,
    String(&'a [u8]),
    Bool(bool),
    Int(i64),
    Double(f64),
    Bytes(&'a [u8]),
    Nested,
}

/// Reads a `KeyValue` message as nearly all senders write it into the list: a short key, then one text, integer, double or
/// truth value, each field once, and nothing to mend or cut. Answers `false` when it is anything else.
#[inline(never)]
pub(super) fn push_plain<'a>(message: Reader<'a>, bytes_max: u32, list: &mut Vec<KeyValueView<'a>>) -> bool {
    let Some((key, value)) = split_plain(message.rest(), bytes_max) else { return false };
    Text::new(key).is_some() && push_plain_value(key, value, bytes_max, list)
}

/// Reads such an `AnyValue` message into the list, with its key, which is known to be UTF-8.
///
/// Each arm pushes by itself: a view that is assembled first and then moved costs more than reading it.
#[inline(always)]
pub(super) fn push_plain_value<'a>(
    key: &'a [u8],
    value: &'a [u8],
    bytes_max: u32,
    list: &mut Vec<KeyValueView<'a>>,
) -> bool {
    match value {
        [0x0a, rest @ ..] => {
            let Some(text) = only_bytes(rest).filter(|text| text.len() <= bytes_max as usize) else { return false };
            let Some(text) = Text::new(text) else { return false };
            list.push(KeyValueView { key: Text::known(key), value: ValueView::String(text) });
        }
        [0x18, number @ ..] => {
            let Some(number) = only_varint(number) else { return false };
            list.push(KeyValueView { key: Text::known(key), value: ValueView::Int(number as i64) });
        }
        [0x21, number @ ..] => {
            let Ok(number) = <[u8; 8]>::try_from(number) else { return false };
            let number = f64::from_bits(u64::from_le_bytes(number));
            list.push(KeyValueView { key: Text::known(key), value: ValueView::Double(number) });
        }
        [0x10, truth] if *truth < 0x80 => {
            list.push(KeyValueView { key: Text::known(key), value: ValueView::Bool(*truth != 0) });
        }
        _ => return false,
    }
    true
}

/// The key and the value of a `KeyValue` that has one of each, in this order.
#[inline]
pub(super) fn split_plain(bytes: &[u8], bytes_max: u32) -> Option<(&[u8], &[u8])> {
    let [0x0a, key_length @ 0..0x80, rest @ ..] = bytes else { return None };
    let (key, rest) = rest.split_at_checked(usize::from(*key_length))?;
    let [0x12, rest @ ..] = rest else { return None };
    let value = only_bytes(rest)?;
    (key.len() <= bytes_max as usize).then_some((key, value))
}

/// The bytes after their length, which has one byte or two, if that is all there is.
#[inline(always)]
pub(super) fn only_bytes(bytes: &[u8]) -> Option<&[u8]> {
    let (length, bytes) = match bytes {
        [length @ 0..0x80, rest @ ..] => (usize::from(*length), rest),
        [low, high @ 0..0x80, rest @ ..] => (usize::from(*low & 0x7f) | usize::from(*high) << 7, rest),
        _ => return None,
    };
    (length == bytes.len()).then_some(bytes)
}

/// The varint, if that is all there is.
#[inline]
fn only_varint(bytes: &[u8]) -> Option<u64> {
    let (last, head) = bytes.split_last()?;
    // Nine bytes have no bit too many; longer ones are negative numbers.
    if *last >= 0x80 || head.len() > 8 {
        return None;
    }
    let mut value = 0;
    for (position, byte) in head.iter().enumerate() {
        if *byte < 0x80 {
            return None;
        }
        value |= u64::from(byte & 0x7f) << (7 * position);
    }
    Some(value | u64::from(*last) << (7 * head.len()))
}

/// Reads a `KeyValue` message.
#[inline(never)]
pub(super) fn key_value<'a>(
    message: Reader<'a>,
    limits: &Limits,
    notes: &mut Notes,
) -> Result<KeyValueView<'a>, Fault> {
    let mut fields = message;
    let mut key: &[u8] = &[];
    let mut value = None;
    while let Some(tag) = fields.tag()? {
        match tag.0 {
            1 => key = fields.bytes(tag.1)?,
            2 if value.is_some() => return split_key_value(message, limits, notes),
            2 => value = Some(fields.message(tag.1)?),
            _ => fields.skip(tag)?,
        }
    }
    let value = match value {
        Some(value) => {
            let mut last = Last { raw: Raw::Empty, has_lists: false };
            last.read(value)?;
            if last.has_lists { nested(&last, &[value], limits, notes)? } else { flat(last.raw, limits, notes) }
        }
        None => ValueView::Empty,
    };
    Ok(KeyValueView { key: text(key, limits.value_bytes, notes).into(), value })
}

/// Reads a `KeyValue` whose value comes in several fields, which protobuf merges.
#[cold]
fn split_key_value<'a>(mut message: Reader<'a>, limits: &Limits, notes: &mut Notes) -> Result<KeyValueView<'a>, Fault> {
    let mut key: &[u8] = &[];
    let mut pieces = Vec::new();
    let mut last = Last { raw: Raw::Empty, has_lists: false };
    while let Some(tag) = message.tag()? {
        match tag.0 {
            1 => key = message.bytes(tag.1)?,
            2 => {
                let piece = message.message(tag.1)?;
                last.read(piece)?;
                pieces.push(piece);
            }
            _ => message.skip(tag)?,
        }
    }
    let value = nested(&last, &pieces, limits, notes)?;
    Ok(KeyValueView { key: text(key, limits.value_bytes, notes).into(), value })
}

/// What the fields of an `AnyValue` leave: the last one wins.
struct Last<'a> {
    raw: Raw<'a>,
    /// Whether one of them was an array or a map.
    has_lists: bool,
}

impl<'a> Last<'a> {
    #[inline(always)]
    fn read(&mut self, mut message: Reader<'a>) -> Result<(), Fault> {
        while let Some(tag) = message.tag()? {
            self.raw = match tag.0 {
                1 => Raw::String(message.bytes(tag.1)?),
                2 => Raw::Bool(message.varint(tag.1)? != 0),
                3 => Raw::Int(message.varint(tag.1)? as i64),
                4 => Raw::Double(f64::from_bits(message.fixed64(tag.1)?)),
                5 | 6 => {
                    message.bytes(tag.1)?;
                    self.has_lists = true;
                    Raw::Nested
                }
                7 => Raw::Bytes(message.bytes(tag.1)?),
                // An index into a table of texts that trace requests do not have.
                8 => {
                    message.varint(tag.1)?;
                    Raw::Empty
                }
                _ => {
                    message.skip(tag)?;
                    continue;
                }
            };
        }
        Ok(())
    }
}

#[inline(always)]
fn flat<'a>(raw: Raw<'a>, limits: &Limits, notes: &mut Notes) -> ValueView<'a> {
    match raw {
        Raw::Empty | Raw::Nested => ValueView::Empty,
        Raw::String(bytes) => ValueView::String(text(bytes, limits.value_bytes, notes).into()),
        Raw::Bool(truth) => ValueView::Bool(truth),
        Raw::Int(number) => ValueView::Int(number),
        Raw::Double(number) => ValueView::Double(number),
        Raw::Bytes(bytes) => ValueView::Bytes(cut(bytes, limits.value_bytes, notes)),
    }
}

/// The value of messages that hold lists, or that protobuf has to merge.
#[inline(never)]
fn nested<'a>(
    last: &Last<'a>,
    pieces: &[Reader<'a>],
    limits: &Limits,
    notes: &mut Notes,
) -> Result<ValueView<'a>, Fault> {
    let depth = limits.depth.min(DEPTH_MAX);
    let is_list = matches!(last.raw, Raw::Nested);
    if let [whole] = pieces
        && is_list
        && is_clean(*whole, limits.value_bytes, depth)?
    {
        return Ok(ValueView::Nested(Cow::Borrowed(whole.rest())));
    }
    // A list that a later field replaced is read too: if it cannot be, the message cannot.
    let mut unused = Notes::default();
    let mut value = Value::Empty;
    let mut mender = Mender { bytes_max: limits.value_bytes, notes: if is_list { &mut *notes } else { &mut unused } };
    for piece in pieces {
        mender.merge(&mut value, *piece, depth)?;
    }
    Ok(match value {
        Value::Array(_) | Value::Map(_) => ValueView::Nested(Cow::Owned(encode_value(&value))),
        _ => flat(last.raw, limits, notes),
    })
}

/// Whether an `AnyValue` message is within the limits and has no text to mend.
fn is_clean(mut message: Reader<'_>, bytes_max: u32, depth: u32) -> Result<bool, Fault> {
    let is_short = |bytes: &[u8]| bytes.len() <= bytes_max as usize;
    let is_text = |bytes: &[u8]| is_short(bytes) && simdutf8::basic::from_utf8(bytes).is_ok();
    while let Some(tag) = message.tag()? {
        let clean = match tag.0 {
            1 => is_text(message.bytes(tag.1)?),
            7 => is_short(message.bytes(tag.1)?),
            5 | 6 if depth == 0 => false,
            5 => each(message.message(tag.1)?, |value| is_clean(value, bytes_max, depth - 1))?,
            6 => each(message.message(tag.1)?, |mut entry| {
                while let Some(tag) = entry.tag()? {
                    let clean = match tag.0 {
                        1 => is_text(entry.bytes(tag.1)?),
                        2 => is_clean(entry.message(tag.1)?, bytes_max, depth - 1)?,
                        _ => entry.skip(tag).map(|()| true)?,
                    };
                    if !clean {
                        return Ok(false);
                    }
                }
                Ok(true)
            })?,
            2 | 3 | 8 => message.varint(tag.1).map(|_| true)?,
            4 => message.fixed64(tag.1).map(|_| true)?,
            _ => message.skip(tag).map(|()| true)?,
        };
        if !clean {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether all messages of a list (field 1 of `ArrayValue` and of `KeyValueList`) are clean.
fn each<'a>(mut list: Reader<'a>, mut is_clean: impl FnMut(Reader<'a>) -> Result<bool, Fault>) -> Result<bool, Fault> {
    while let Some(tag) = list.tag()? {
        match tag.0 {
            1 if !is_clean(list.message(tag.1)?)? => return Ok(false),
            1 => {}
            _ => list.skip(tag)?,
        }
    }
    Ok(true)
}

/// Reads values into owned trees, mending and cutting.
pub(super) struct Mender<'n> {
    /// Longest text or bytes.
    pub(super) bytes_max: u32,
    /// What was mended.
    pub(super) notes: &'n mut Notes,
}

impl Mender<'_> {
    /// Merges an `AnyValue` message into `value`; lists below `depth` levels are emptied. Recurses at most that deep.
    pub(super) fn merge(&mut self, value: &mut Value, mut message: Reader<'_>, depth: u32) -> Result<(), Fault> {
        // Of a value that a later field replaces, nothing is noted.
        let before = std::mem::take(self.notes);
        while let Some(tag) = message.tag()? {
            let goes_on = matches!((tag.0, &*value), (5, Value::Array(_)) | (6, Value::Map(_)));
            if (1..=8).contains(&tag.0) && !goes_on {
                *self.notes = Notes::default();
            }
            match tag.0 {
                1 => *value = Value::String(self.text(message.bytes(tag.1)?)),
                2 => *value = Value::Bool(message.varint(tag.1)? != 0),
                3 => *value = Value::Int(message.varint(tag.1)? as i64),
                4 => *value = Value::Double(f64::from_bits(message.fixed64(tag.1)?)),
                5 | 6 if depth == 0 => {
                    message.bytes(tag.1)?;
                    *self.notes |= Notes::NESTING_CUT;
                    *value = Value::Empty;
                }
                5 => {
                    let list = message.message(tag.1)?;
                    let mut values = if let Value::Array(values) = value { std::mem::take(values) } else { Vec::new() };
                    self.array(&mut values, list, depth - 1)?;
                    *value = Value::Array(values);
                }
                6 => {
                    let list = message.message(tag.1)?;
                    let mut entries =
                        if let Value::Map(entries) = value { std::mem::take(entries) } else { Vec::new() };
                    self.map(&mut entries, list, depth - 1)?;
                    *value = Value::Map(entries);
                }
                7 => *value = Value::Bytes(cut(message.bytes(tag.1)?, self.bytes_max, self.notes).to_vec()),
                8 => {
                    message.varint(tag.1)?;
                    *value = Value::Empty;
                }
                _ => message.skip(tag)?,
            }
        }
        *self.notes |= before;
        Ok(())
    }

    fn array(&mut self, values: &mut Vec<Value>, mut list: Reader<'_>, depth: u32) -> Result<(), Fault> {
        while let Some(tag) = list.tag()? {
            if tag.0 == 1 {
                let mut value = Value::Empty;
                self.merge(&mut value, list.message(tag.1)?, depth)?;
                values.push(value);
            } else {
                list.skip(tag)?;
            }
        }
        Ok(())
    }

    fn map(&mut self, entries: &mut Vec<Attribute>, mut list: Reader<'_>, depth: u32) -> Result<(), Fault> {
        while let Some(tag) = list.tag()? {
            if tag.0 != 1 {
                list.skip(tag)?;
                continue;
            }
            let mut fields = list.message(tag.1)?;
            let mut entry = Attribute::default();
            let mut key: &[u8] = &[];
            while let Some(tag) = fields.tag()? {
                match tag.0 {
                    1 => key = fields.bytes(tag.1)?,
                    2 => self.merge(&mut entry.value, fields.message(tag.1)?, depth)?,
                    _ => fields.skip(tag)?,
                }
            }
            entry.key = self.text(key);
            entries.push(entry);
        }
        Ok(())
    }

    fn text(&mut self, bytes: &[u8]) -> String {
        text(bytes, self.bytes_max, self.notes).into_owned()
    }
}
