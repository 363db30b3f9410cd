//! Numbers and texts from bytes that may be anything, and to bytes.

/// Bytes that are not the section that they should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("section {section} of the sidecar, byte {offset}: {problem}")]
pub struct SideError {
    /// The section's name.
    pub section: &'static str,
    /// Where in its plain bytes.
    pub offset: usize,
    /// What is wrong.
    pub problem: &'static str,
}

/// A reader that never passes the end.
#[derive(Debug)]
pub(super) struct Bytes<'b> {
    section: &'static str,
    all: &'b [u8],
    at: usize,
}

impl<'b> Bytes<'b> {
    pub(super) fn new(section: &'static str, bytes: &'b [u8]) -> Self {
        Self { section, all: bytes, at: 0 }
    }

    pub(super) fn problem(&self, problem: &'static str) -> SideError {
        SideError { section: self.section, offset: self.at, problem }
    }

    pub(super) fn take(&mut self, length: usize) -> Result<&'b [u8], SideError> {
        let end = self.at.checked_add(length);
        let taken = end.and_then(|end| self.all.get(self.at..end)).ok_or(self.problem("it ends too early"))?;
        self.at += length;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], SideError> {
        Ok(self.take(N)?.try_into().expect("as many bytes as were taken"))
    }

    pub(super) fn u8(&mut self) -> Result<u8, SideError> {
        Ok(self.array::<1>()?[0])
    }

    pub(super) fn u32(&mut self) -> Result<u32, SideError> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, SideError> {
        self.array().map(u64::from_le_bytes)
    }

    pub(super) fn u128(&mut self) -> Result<u128, SideError> {
        self.array().map(u128::from_le_bytes)
    }

    pub(super) fn varint(&mut self) -> Result<u64, SideError> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.u8()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                break;
            }
            number |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(self.problem("a number is too long"))
    }

    /// A number below 2^32.
    pub(super) fn varint_u32(&mut self) -> Result<u32, SideError> {
        u32::try_from(self.varint()?).map_err(|_| self.problem("a number is too large"))
    }

    /// A count of items that take at least `item_bytes` each: never more than the rest can hold, so that what is
    /// allocated for them stays in proportion to what was read.
    pub(super) fn count(&mut self, item_bytes: usize) -> Result<usize, SideError> {
        let count = self.varint()?;
        let room = (self.all.len() - self.at) / item_bytes.max(1);
        usize::try_from(count).ok().filter(|count| *count <= room).ok_or(self.problem("a count is beyond the end"))
    }

    pub(super) fn text(&mut self) -> Result<String, SideError> {
        let length = self.count(1)?;
        let text = std::str::from_utf8(self.take(length)?).map_err(|_| self.problem("a text is not UTF-8"))?;
        Ok(text.to_owned())
    }

    /// Rising numbers below `bound`, as [`rising`] wrote them.
    pub(super) fn rising(&mut self, bound: usize) -> Result<Vec<u32>, SideError> {
        let count = self.count(1)?;
        let mut numbers = Vec::with_capacity(count);
        let mut next = 0_u64;
        for _ in 0..count {
            let number = next.saturating_add(self.varint()?);
            if number >= bound as u64 {
                return Err(self.problem("a code that stands for nothing"));
            }
            numbers.push(number as u32);
            next = number + 1;
        }
        Ok(numbers)
    }

    /// Where it is.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    pub(super) fn end(&self) -> Result<(), SideError> {
        if self.at == self.all.len() { Ok(()) } else { Err(self.problem("there are bytes after its end")) }
    }
}

/// Makes room in a list that may grow large, without the half of it that doubling leaves unused.
pub(crate) fn make_room<T>(list: &mut Vec<T>, more: usize) {
    if list.capacity() - list.len() < more {
        list.reserve_exact(more.max(list.len() / 8));
    }
}

pub(super) fn varint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

pub(super) fn text(out: &mut Vec<u8>, text: &str) {
    varint(out, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

/// Numbers that rise, as their distances.
pub(super) fn rising(out: &mut Vec<u8>, numbers: &[u32]) {
    varint(out, numbers.len() as u64);
    let mut next = 0;
    for number in numbers {
        debug_assert!(*number >= next, "they rise");
        varint(out, u64::from(number - next));
        next = number + 1;
    }
}

/// All first bytes, then all second bytes, and so on: where the high bytes repeat, the codec sees it.
pub(super) fn planes<const N: usize>(out: &mut Vec<u8>, numbers: &(impl Iterator<Item = [u8; N]> + Clone)) {
    for plane in 0..N {
        out.extend(numbers.clone().map(|number| number[plane]));
    }
}

/// One of `count` numbers that [`planes`] wrote.
#[inline]
pub(super) fn from_planes<const N: usize>(planes: &[u8], count: usize, at: usize) -> [u8; N] {
    std::array::from_fn(|plane| planes[plane * count + at])
}
