//! Where the last page ended, in a form that the client only carries.
//!
//! A cursor names the last trace of a page by its sort key and id (keyset pagination): the next page begins behind it
//! whatever has arrived since. It also carries the time range as it was resolved for the first page, so that a relative
//! range does not slide from page to page, and a hash of the question, so that it cannot be used with another one.

use std::fmt::Write;

use clew_model::TraceId;
use clew_model::scan::TimeRange;

const VERSION: u8 = 1;
const LENGTH: usize = 1 + 4 * 8 + 16;

/// The end of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cursor {
    /// Hash of the question.
    pub question: u64,
    /// The range of trace starts, resolved for the first page.
    pub range: TimeRange,
    /// Sort key of the page's last trace.
    pub key: u64,
    /// Its id.
    pub trace_id: TraceId,
}

impl Cursor {
    /// The text for the client.
    pub(crate) fn encode(&self) -> String {
        let mut bytes = Vec::with_capacity(LENGTH);
        bytes.push(VERSION);
        for number in [self.question, self.range.from_unix_nanos, self.range.to_unix_nanos, self.key] {
            bytes.extend_from_slice(&number.to_be_bytes());
        }
        bytes.extend_from_slice(&self.trace_id.0);
        bytes.iter().fold(String::with_capacity(LENGTH * 2), |mut text, byte| {
            write!(text, "{byte:02x}").expect("writing to a string cannot fail");
            text
        })
    }

    /// The cursor of a text; `None` when no cursor of this version reads so.
    pub(crate) fn decode(text: &str) -> Option<Self> {
        if text.len() != LENGTH * 2 {
            return None;
        }
        let digits = text.as_bytes().chunks_exact(2).map(|pair| {
            let digit = |byte: u8| (byte as char).to_digit(16);
            Some((digit(pair[0])? * 16 + digit(pair[1])?) as u8)
        });
        let bytes: Vec<u8> = digits.collect::<Option<_>>()?;
        let (version, rest) = bytes.split_first()?;
        let (numbers, trace_id) = rest.split_at_checked(4 * 8)?;
        let mut numbers = numbers.chunks_exact(8).map(|chunk| chunk.iter().fold(0, |sum, b| sum << 8 | u64::from(*b)));
        let mut next = || numbers.next();
        let (question, from_unix_nanos, to_unix_nanos, key) = (next()?, next()?, next()?, next()?);
        let range = TimeRange { from_unix_nanos, to_unix_nanos };
        let trace_id = TraceId::from_slice(trace_id)?;
        (*version == VERSION).then_some(Self { question, range, key, trace_id })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_nothing_else() {
        let cursor = Cursor { question: u64::MAX, range: TimeRange::ALL, key: 7, trace_id: TraceId([9; 16]) };
        let text = cursor.encode();
        assert_eq!(Cursor::decode(&text), Some(cursor));
        assert_eq!(Cursor::decode(&text[1..]), None);
        assert_eq!(Cursor::decode(&text.replacen("01", "02", 1)), None);
        assert_eq!(Cursor::decode(&text.replace('9', "g")), None);
        assert_eq!(Cursor::decode(&"\u{e9}".repeat(LENGTH)), None);
        assert_eq!(Cursor::decode(""), None);
    }
}
