//! Writes protobuf messages whose lengths are known only after their content, in linear time however deep they nest.

/// A message being written. Lengths of inner messages are remembered as holes and filled in by [`Writer::finish`].
#[derive(Default)]
pub(crate) struct Writer {
    bytes: Vec<u8>,
    holes: Vec<Hole>,
    open: Vec<Open>,
}

/// A place where a length belongs.
struct Hole {
    at: usize,
    length: usize,
}

/// A message that has begun.
struct Open {
    hole: usize,
    /// Bytes that the holes inside will take.
    extra: usize,
}

impl Writer {
    pub(crate) fn varint(&mut self, field: u32, value: u64) {
        self.tag(field, 0);
        push_varint(&mut self.bytes, value);
    }

    pub(crate) fn fixed64(&mut self, field: u32, value: u64) {
        self.tag(field, 1);
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }

    pub(crate) fn fixed32(&mut self, field: u32, value: u32) {
        self.tag(field, 5);
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }

    pub(crate) fn bytes(&mut self, field: u32, value: &[u8]) {
        self.tag(field, 2);
        push_varint(&mut self.bytes, value.len() as u64);
        self.bytes.extend_from_slice(value);
    }

    /// Begins a message; everything up to [`Writer::close`] is its content.
    pub(crate) fn open(&mut self, field: u32) {
        self.tag(field, 2);
        self.open.push(Open { hole: self.holes.len(), extra: 0 });
        self.holes.push(Hole { at: self.bytes.len(), length: 0 });
    }

    /// Ends the message that was opened last.
    pub(crate) fn close(&mut self) {
        let Some(Open { hole, extra }) = self.open.pop() else { return };
        let hole = &mut self.holes[hole];
        hole.length = self.bytes.len() - hole.at + extra;
        let extra = extra + varint_len(hole.length as u64);
        if let Some(parent) = self.open.last_mut() {
            parent.extra += extra;
        }
    }

    /// Takes back what the message that was opened last holds so far.
    pub(crate) fn clear(&mut self) {
        if let Some(open) = self.open.last_mut() {
            open.extra = 0;
            self.bytes.truncate(self.holes[open.hole].at);
            self.holes.truncate(open.hole + 1);
        }
    }

    /// Appends bytes as they are.
    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Bytes so far, without the lengths of inner messages.
    pub(crate) fn byte_count(&self) -> usize {
        self.bytes.len()
    }

    /// The written message.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        while !self.open.is_empty() {
            self.close();
        }
        let mut out = Vec::with_capacity(self.bytes.len() + self.holes.len() * 2);
        let mut from = 0;
        for hole in &self.holes {
            out.extend_from_slice(&self.bytes[from..hole.at]);
            push_varint(&mut out, hole.length as u64);
            from = hole.at;
        }
        out.extend_from_slice(&self.bytes[from..]);
        out
    }

    fn tag(&mut self, field: u32, wire: u32) {
        push_varint(&mut self.bytes, u64::from(field << 3 | wire));
    }
}

fn push_varint(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

fn varint_len(value: u64) -> usize {
    (64 - (value | 1).leading_zeros() as usize).div_ceil(7)
}
