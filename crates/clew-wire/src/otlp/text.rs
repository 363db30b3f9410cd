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
