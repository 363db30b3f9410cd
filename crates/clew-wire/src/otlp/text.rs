//! Texts and bytes within the limits.

use std::borrow::Cow;

use clew_model::Notes;

/// The text of these bytes: bytes that are not UTF-8 are replaced, and what is longer than `bytes_max` is cut between
/// characters.
#[inline(always)]
pub(super) fn text<'a>(bytes: &'a [u8], bytes_max: u32, notes: &mut Notes) -> Cow<'a, str> {
    match utf8(bytes) {
        Some(text) if text.len() <= bytes_max as usize => Cow::Borrowed(text),
        Some(text) => {
            *notes |= Notes::VALUE_CUT;
            Cow::Borrowed(&text[..text.floor_char_boundary(bytes_max as usize)])
        }
        None => Cow::Owned(mended(bytes, bytes_max as usize, notes)),
    }
}

/// Text, borrowed from the body unless it was mended. Kept as the bytes that were found to be UTF-8, since whoever stores them
/// needs no `str`, and telling that short ASCII is text takes a fraction of what making one does.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Text<'a>(Cow<'a, [u8]>);

impl<'a> Text<'a> {
    /// These bytes, if they are UTF-8.
    #[inline(always)]
    pub(super) fn new(bytes: &'a [u8]) -> Option<Self> {
        (is_short_ascii(bytes) || utf8(bytes).is_some()).then_some(Self::known(bytes))
    }

    /// Bytes that are known to be UTF-8.
    #[inline(always)]
    pub(super) fn known(bytes: &'a [u8]) -> Self {
        Self(Cow::Borrowed(bytes))
    }

    /// Its bytes, which are UTF-8.
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The same as `str`.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl<'a> From<Cow<'a, str>> for Text<'a> {
    #[inline]
    fn from(text: Cow<'a, str>) -> Self {
        Self(match text {
            Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
            Cow::Owned(text) => Cow::Owned(text.into_bytes()),
        })
    }
}

/// Whether the bytes are at most 64, and ASCII: looks at words, which may overlap.
#[inline(always)]
fn is_short_ascii(bytes: &[u8]) -> bool {
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let first = |bytes: &[u8]| bytes.first_chunk().map_or(HIGH, |word| u64::from_le_bytes(*word));
    let last = |bytes: &[u8]| bytes.last_chunk().map_or(HIGH, |word| u64::from_le_bytes(*word));
    let bits = match bytes.len() {
        0..8 => bytes.iter().fold(0, |all, byte| all | u64::from(*byte)),
        8..=16 => first(bytes) | last(bytes),
        17..=64 => bytes.chunks_exact(8).fold(last(bytes), |all, word| all | first(word)),
        _ => HIGH,
    };
    bits & HIGH == 0
}

/// The bytes as text, if they are UTF-8.
#[inline]
pub(super) fn utf8(bytes: &[u8]) -> Option<&str> {
    match bytes.len() {
        0 => Some(""),
        // Below a full block of vectors, simdutf8 only calls this.
        1..64 => std::str::from_utf8(bytes).ok(),
        _ => simdutf8::basic::from_utf8(bytes).ok(),
    }
}

/// The bytes, cut.
#[inline]
pub(super) fn cut<'a>(bytes: &'a [u8], bytes_max: u32, notes: &mut Notes) -> &'a [u8] {
    match bytes.split_at_checked(bytes_max as usize) {
        Some((kept, rest)) if !rest.is_empty() => {
            *notes |= Notes::VALUE_CUT;
            kept
        }
        _ => bytes,
    }
}

#[cold]
fn mended(bytes: &[u8], bytes_max: usize, notes: &mut Notes) -> String {
    *notes |= Notes::TEXT_REPLACED;
    // Replacing never shortens, so a character that the slice splits lies past the cut.
    let head = &bytes[..bytes.len().min(bytes_max.saturating_add(4))];
    let mut text = String::from_utf8_lossy(head).into_owned();
    if text.len() > bytes_max {
        *notes |= Notes::VALUE_CUT;
        text.truncate(text.floor_char_boundary(bytes_max));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_ascii_is_told_at_every_length_and_place() {
        for length in 0..80 {
            let mut bytes = vec![b'a'; length];
            assert_eq!(is_short_ascii(&bytes), length <= 64, "{length}");
            for at in 0..length {
                bytes[at] = 0x80;
                assert!(!is_short_ascii(&bytes), "{length} {at}");
                assert_eq!(Text::new(&bytes), None);
                bytes[at] = 0x7f;
            }
        }
        assert_eq!(Text::new("\u{e9}t\u{e9}".as_bytes()).unwrap().as_str(), "\u{e9}t\u{e9}");
    }
}
