//! Protobuf's wire format: tags, varints, fixed numbers and length-delimited fields, read in place.
//!
//! Accepts and refuses exactly what prost does: ten-byte varints, tags from 1 to 2^29 - 1, skipped groups.
//! Format: <https://protobuf.dev/programming-guides/encoding/>.

/// The rest of one message.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
    /// Offset of the end of `rest` in the body.
    end: usize,
}

/// Bytes that are not the message that they should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fault {
    /// Where, from the start of the body.
    pub(super) offset: usize,
    /// What is wrong.
    pub(super) what: &'static str,
    /// Whether the message ended too early.
    pub(super) is_short: bool,
}

/// How a field's bytes are laid out: the low three bits of a tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wire(u8);

impl Wire {
    const VARINT: Self = Self(0);
    const FIXED64: Self = Self(1);
    const BYTES: Self = Self(2);
    const GROUP_START: Self = Self(3);
    const GROUP_END: Self = Self(4);
    const FIXED32: Self = Self(5);
}

/// A field's number and layout.
pub(super) type Tag = (u32, Wire);

/// Groups are no part of OTLP; unknown ones are skipped down to this depth, as prost does.
const GROUP_DEPTH_MAX: usize = 100;

impl<'a> Reader<'a> {
    /// A reader of `bytes`, which begin at `offset` of the body.
    #[inline]
    pub(super) fn new(bytes: &'a [u8], offset: usize) -> Self {
        Self { rest: bytes, end: offset + bytes.len() }
    }

    /// Where the next byte lies in the body.
    #[inline]
    pub(super) fn offset(&self) -> usize {
        self.end - self.rest.len()
    }

    /// The next field's tag; `None` at the end of the message. A tag that no message has is refused by [`Reader::skip`].
    #[inline(always)]
    pub(super) fn tag(&mut self) -> Result<Option<Tag>, Fault> {
        match self.rest {
            [] => Ok(None),
            [key, rest @ ..] if *key < 0x80 => {
                self.rest = rest;
                Ok(Some((u32::from(*key >> 3), Wire(*key & 7))))
            }
            _ => self.long_tag().map(Some),
        }
    }

    fn long_tag(&mut self) -> Result<Tag, Fault> {
        let key = self.long_varint()?;
        match u32::try_from(key) {
            Ok(key) => Ok((key >> 3, Wire(key as u8 & 7))),
            Err(_) => Err(self.fault("a tag with an impossible field number")),
        }
    }

    /// A varint, given the tag's layout.
    #[inline(always)]
    pub(super) fn varint(&mut self, wire: Wire) -> Result<u64, Fault> {
        self.expect(wire, Wire::VARINT)?;
        self.raw_varint()
    }

    /// Eight bytes, little-endian, given the tag's layout.
    #[inline(always)]
    pub(super) fn fixed64(&mut self, wire: Wire) -> Result<u64, Fault> {
        self.expect(wire, Wire::FIXED64)?;
        self.take().map(u64::from_le_bytes)
    }

    /// Four bytes, little-endian, given the tag's layout.
    #[inline(always)]
    pub(super) fn fixed32(&mut self, wire: Wire) -> Result<u32, Fault> {
        self.expect(wire, Wire::FIXED32)?;
        self.take().map(u32::from_le_bytes)
    }

    /// A length-delimited field's bytes, given the tag's layout.
    #[inline(always)]
    pub(super) fn bytes(&mut self, wire: Wire) -> Result<&'a [u8], Fault> {
        self.expect(wire, Wire::BYTES)?;
        self.raw_bytes()
    }

    /// A length-delimited field as a message of its own, given the tag's layout.
    #[inline(always)]
    pub(super) fn message(&mut self, wire: Wire) -> Result<Self, Fault> {
        let bytes = self.bytes(wire)?;
        Ok(Self { rest: bytes, end: self.offset() })
    }

    /// All that is left, as bytes.
    #[inline]
    pub(super) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Skips a field that nobody asks for.
    #[cold]
    pub(super) fn skip(&mut self, tag: Tag) -> Result<(), Fault> {
        let mut groups: Vec<u32> = Vec::new();
        let mut tag = tag;
        loop {
            if tag.0 == 0 {
                return Err(self.fault("a tag with an impossible field number"));
            }
            match tag.1 {
                Wire::VARINT => drop(self.raw_varint()?),
                Wire::FIXED64 => drop(self.take::<8>()?),
                Wire::FIXED32 => drop(self.take::<4>()?),
                Wire::BYTES => drop(self.raw_bytes()?),
                Wire::GROUP_START if groups.len() == GROUP_DEPTH_MAX => {
                    return Err(self.fault("groups nested too deep"));
                }
                Wire::GROUP_START => groups.push(tag.0),
                Wire::GROUP_END if groups.pop() == Some(tag.0) => {}
                Wire::GROUP_END => return Err(self.fault("the end of a group that did not begin")),
                _ => return Err(self.fault("a tag with an unknown wire type")),
            }
            if groups.is_empty() {
                return Ok(());
            }
            tag = self.tag()?.ok_or_else(|| self.short())?;
        }
    }

    #[inline(always)]
    fn expect(&self, found: Wire, expected: Wire) -> Result<(), Fault> {
        if found == expected { Ok(()) } else { Err(self.fault("a known field with the wrong wire type")) }
    }

    #[inline(always)]
    fn raw_bytes(&mut self) -> Result<&'a [u8], Fault> {
        let length = self.raw_varint()?;
        match usize::try_from(length).ok().and_then(|length| self.rest.split_at_checked(length)) {
            Some((bytes, rest)) => {
                self.rest = rest;
                Ok(bytes)
            }
            None => Err(self.short()),
        }
    }

    #[inline(always)]
    fn take<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        match self.rest.split_first_chunk::<N>() {
            Some((bytes, rest)) => {
                self.rest = rest;
                Ok(*bytes)
            }
            None => Err(self.short()),
        }
    }

    #[inline(always)]
    fn raw_varint(&mut self) -> Result<u64, Fault> {
        match self.rest {
            [byte, rest @ ..] if *byte < 0x80 => {
                self.rest = rest;
                Ok(u64::from(*byte))
            }
            _ => self.long_varint(),
        }
    }

    fn long_varint(&mut self) -> Result<u64, Fault> {
        let mut value = 0;
        for (position, byte) in self.rest.iter().take(10).enumerate() {
            value |= u64::from(byte & 0x7f) << (7 * position);
            if *byte < 0x80 {
                // The tenth byte holds the last of 64 bits.
                if position == 9 && *byte > 1 {
                    break;
                }
                self.rest = &self.rest[position + 1..];
                return Ok(value);
            }
        }
        if self.rest.len() < 10 { Err(self.short()) } else { Err(self.fault("a varint of more than 64 bits")) }
    }

    #[cold]
    fn fault(&self, what: &'static str) -> Fault {
        Fault { offset: self.offset(), what, is_short: false }
    }

    #[cold]
    fn short(&self) -> Fault {
        Fault { offset: self.end, what: "a field that reaches past the end of its message", is_short: true }
    }
}
