//! The header before each page: Thrift's compact protocol, as far as page headers have it.

/// Structs in one another; a page header has at most three.
const DEPTH_MAX: usize = 4;

const DATA_PAGE: i64 = 0;
const DICTIONARY_PAGE: i64 = 2;
/// Field of the header with what a data page of the first version is.
const DATA_FIELD: i64 = 5;
/// Field of the header with what a dictionary is.
const DICTIONARY_FIELD: i64 = 7;

/// What a header says of its page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct PageHeader {
    /// Bytes of the header.
    pub(super) length: usize,
    /// Bytes of the page in the file.
    pub(super) stored_bytes: usize,
    /// Bytes of the page.
    pub(super) plain_bytes: usize,
    /// How many values, nulls among them.
    pub(super) value_count: usize,
    /// The number of their encoding.
    pub(super) encoding: i64,
}

impl PageHeader {
    /// The header at the start of a data page or of a dictionary; `None` for anything else.
    pub(super) fn read(bytes: &[u8], is_dictionary: bool) -> Option<Self> {
        let mut header = Self { encoding: -1, ..Self::default() };
        let (kind, values) = if is_dictionary { (DICTIONARY_PAGE, DICTIONARY_FIELD) } else { (DATA_PAGE, DATA_FIELD) };
        let mut found_kind = None;
        let mut input = bytes;
        // The fields of the structs that enclose the place at hand.
        let mut path = [0; DEPTH_MAX];
        let mut depth = 0;
        loop {
            let byte = take(&mut input)?;
            if byte == 0 {
                if depth == 0 {
                    break;
                }
                depth -= 1;
                continue;
            }
            path[depth] = match byte >> 4 {
                0 => zigzag(varint(&mut input)?),
                delta => path[depth] + i64::from(delta),
            };
            let field = &path[..=depth];
            match byte & 0x0f {
                // A truth value lies in its type.
                1 | 2 => {}
                3 => {
                    take(&mut input)?;
                }
                4..=6 => {
                    let number = zigzag(varint(&mut input)?);
                    let size = usize::try_from(number).ok();
                    match *field {
                        [1] => found_kind = Some(number),
                        [2] => header.plain_bytes = size?,
                        [3] => header.stored_bytes = size?,
                        [of, 1] if of == values => header.value_count = size?,
                        [of, 2] if of == values => header.encoding = number,
                        _ => {}
                    }
                }
                8 => {
                    let length = usize::try_from(varint(&mut input)?).ok()?;
                    input = input.get(length..)?;
                }
                12 if depth + 1 < DEPTH_MAX => {
                    depth += 1;
                    path[depth] = 0;
                }
                _ => return None,
            }
        }
        header.length = bytes.len() - input.len();
        (found_kind == Some(kind) && header.encoding >= 0).then_some(header)
    }
}

fn take(input: &mut &[u8]) -> Option<u8> {
    let (byte, rest) = input.split_first()?;
    *input = rest;
    Some(*byte)
}

/// A number of seven bits a byte, the lowest first.
pub(super) fn varint(input: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let byte = take(input)?;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

fn zigzag(number: u64) -> i64 {
    (number >> 1) as i64 ^ -((number & 1) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Kind 0, 100 bytes plain, 60 stored, then a data page of 40 values with encoding 8 and levels of encoding 3.
    const DATA: [u8; 18] = [0x15, 0, 0x15, 0xc8, 1, 0x15, 120, 0x2c, 0x15, 80, 0x15, 16, 0x15, 6, 0x15, 6, 0, 0];

    #[test]
    fn reads_what_matters() {
        let expected = PageHeader { length: 18, stored_bytes: 60, plain_bytes: 100, value_count: 40, encoding: 8 };
        assert_eq!(PageHeader::read(&DATA, false), Some(expected));
        assert_eq!(PageHeader::read(&DATA, true), None, "it is no dictionary");
    }

    #[test]
    fn is_none_for_every_part_of_a_header() {
        for length in 0..DATA.len() {
            assert_eq!(PageHeader::read(&DATA[..length], false), None);
        }
        assert_eq!(PageHeader::read(&[0x1c; 9], false), None, "structs without end");
    }
}
