//! Base64 (RFC 4648): the standard alphabet, with padding.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Appends the text of these bytes.
pub(super) fn encode(out: &mut Vec<u8>, bytes: &[u8]) {
    out.reserve(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let group =
            chunk.iter().enumerate().fold(0, |group, (place, byte)| group | u32::from(*byte) << (16 - 8 * place));
        out.extend((0..4).map(|place| {
            let digit = ALPHABET[(group >> (18 - 6 * place) & 63) as usize];
            if place <= chunk.len() { digit } else { b'=' }
        }));
    }
}

/// The bytes of this text; `None` unless it is such a text.
pub(super) fn decode(text: &[u8]) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(4) {
        return None;
    }
    let digits = match text {
        [head @ .., b'=', b'='] | [head @ .., b'='] => head,
        _ => text,
    };
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    for chunk in digits.chunks(4) {
        let mut group = 0;
        for (place, digit) in chunk.iter().enumerate() {
            group |= value(*digit)? << (18 - 6 * place);
        }
        let [_, group @ ..] = group.to_be_bytes();
        bytes.extend_from_slice(group.get(..chunk.len() - 1).filter(|bytes| !bytes.is_empty())?);
    }
    Some(bytes)
}

fn value(digit: u8) -> Option<u32> {
    Some(u32::from(match digit {
        b'A'..=b'Z' => digit - b'A',
        b'a'..=b'z' => digit - b'a' + 26,
        b'0'..=b'9' => digit - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vectors_of_rfc_4648() {
        let vectors =
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE=")];
        for (bytes, text) in vectors {
            let mut out = Vec::new();
            encode(&mut out, bytes.as_bytes());
            assert_eq!(out, text.as_bytes());
            assert_eq!(decode(&out).unwrap(), bytes.as_bytes());
        }
        for bad in ["A", "AAAAA", "A=AA", "====", "AA A", "AA-_"] {
            assert_eq!(decode(bad.as_bytes()), None, "{bad}");
        }
    }
}
