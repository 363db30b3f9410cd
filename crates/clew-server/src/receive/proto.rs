//! The few protobuf bytes that answers need: wire format per <https://protobuf.dev/programming-guides/encoding/>.

/// Appends messages to a buffer. Fields with the value protobuf takes by default are left out.
#[derive(Debug, Default)]
pub(crate) struct Writer(Vec<u8>);

impl Writer {
    /// A `bool`, `int32`, `int64` or enum field; negative numbers do not occur here.
    pub(crate) fn number(mut self, field: u32, value: u64) -> Self {
        if value != 0 {
            self.varint(u64::from(field << 3));
            self.varint(value);
        }
        self
    }

    /// A `string`, `bytes` or message field.
    pub(crate) fn bytes(mut self, field: u32, value: &[u8]) -> Self {
        if !value.is_empty() {
            self.varint(u64::from(field << 3 | 2));
            self.varint(value.len() as u64);
            self.0.extend_from_slice(value);
        }
        self
    }

    /// The message.
    pub(crate) fn finish(self) -> Vec<u8> {
        self.0
    }

    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }
}

/// One field of a message: its number, and its content if it is length-delimited.
pub(crate) type Field<'a> = (u32, Option<&'a [u8]>);

/// Reads the next field off the front of a message; `None` when the bytes are not a field.
pub(crate) fn next_field<'a>(message: &mut &'a [u8]) -> Option<Field<'a>> {
    let key = varint(message)?;
    let number = u32::try_from(key >> 3).ok().filter(|number| *number > 0)?;
    let skip = match key & 7 {
        0 => {
            varint(message)?;
            0
        }
        1 => 8,
        5 => 4,
        2 => {
            let length = usize::try_from(varint(message)?).ok()?;
            let (content, rest) = message.split_at_checked(length)?;
            *message = rest;
            return Some((number, Some(content)));
        }
        _ => return None,
    };
    *message = message.get(skip..)?;
    Some((number, None))
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if *byte < 0x80 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_back() {
        let text = [7; 300];
        let message = Writer::default().number(1, 0).number(2, u64::MAX).bytes(3, &text).bytes(4, b"").finish();
        let mut rest = message.as_slice();
        assert_eq!(next_field(&mut rest), Some((2, None)));
        assert_eq!(next_field(&mut rest), Some((3, Some(text.as_slice()))));
        assert!(rest.is_empty());
    }

    #[test]
    fn bytes_that_are_no_field_end_the_reading() {
        for bad in [&b"\x0a\x05abc"[..], b"\x80", b"\x00", b"\x0b", b"\x09\x01", &[0xff; 11]] {
            assert_eq!(next_field(&mut &bad[..]), None, "{bad:?}");
        }
    }
}
