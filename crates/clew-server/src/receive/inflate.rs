//! Decompression that stops at a bound, so that a small body cannot become a large one.

use std::io::{ErrorKind, Read};

use bytes::Bytes;
use clew_model::RefuseReason;
use clew_store::Encoding;
use flate2::bufread::MultiGzDecoder;

use super::body::too_large;
use super::in_flight::Hold;
use super::refusal::Refusal;

/// Largest zstd window, as a power of two: what a 16 MiB body can make use of.
const ZSTD_WINDOW_LOG_MAX: u32 = 24;

/// How large the body will be, as far as it says: a reservation, not a promise. Never above `bytes_max`.
pub(super) fn expected_bytes(encoding: Encoding, body: &[u8], bytes_max: usize) -> usize {
    let said = match encoding {
        Encoding::Identity => return body.len(),
        // The last four bytes of a member are its length (RFC 1952, section 2.3.1).
        Encoding::Gzip => body.last_chunk().map(|length| u64::from(u32::from_le_bytes(*length))),
        Encoding::Zstd => zstd::zstd_safe::get_frame_content_size(body).ok().flatten(),
    };
    let said = said.map_or(body.len() * 8, |bytes| usize::try_from(bytes).unwrap_or(bytes_max));
    said.saturating_add(1).clamp(body.len().min(bytes_max), bytes_max)
}

/// The body decompressed. `hold` covers the body and what it becomes.
pub(super) fn inflate(encoding: Encoding, body: &Bytes, bytes_max: usize, hold: &mut Hold) -> Result<Bytes, Refusal> {
    let expected = expected_bytes(encoding, body, bytes_max);
    match encoding {
        Encoding::Identity => Ok(body.clone()),
        Encoding::Gzip => read_bounded(MultiGzDecoder::new(&body[..]), expected, body.len(), bytes_max, hold),
        Encoding::Zstd => {
            let malformed = |error| Refusal::new(RefuseReason::Malformed).because(error);
            let mut decoder = zstd::Decoder::with_buffer(&body[..]).map_err(malformed)?;
            decoder.window_log_max(ZSTD_WINDOW_LOG_MAX).map_err(malformed)?;
            read_bounded(decoder, expected, body.len(), bytes_max, hold)
        }
    }
}

fn read_bounded(
    mut reader: impl Read,
    expected: usize,
    body_len: usize,
    bytes_max: usize,
    hold: &mut Hold,
) -> Result<Bytes, Refusal> {
    let mut out = Vec::new();
    let mut room = expected.max(1);
    loop {
        hold.try_grow_to(body_len + room)?;
        out.reserve_exact(room - out.len());
        let left = (room - out.len()) as u64;
        reader.by_ref().take(left).read_to_end(&mut out).map_err(|error| match error.kind() {
            ErrorKind::UnexpectedEof => Refusal::new(RefuseReason::Truncated).because("its compressed data breaks off"),
            _ => Refusal::new(RefuseReason::Malformed).because(format!("cannot be decompressed ({error})")),
        })?;
        if out.len() < room {
            return Ok(out.into());
        }
        if room > bytes_max {
            return Err(too_large(bytes_max));
        }
        room = room.saturating_mul(2).min(bytes_max + 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::receive::in_flight::InFlight;
    use std::io::Write as _;
    use std::time::Duration;

    const LIMIT: usize = 1 << 20;

    fn gzip(bytes: &[u8]) -> Bytes {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap().into()
    }

    fn zstd(bytes: &[u8]) -> Bytes {
        zstd::encode_all(bytes, 1).unwrap().into()
    }

    fn inflated(encoding: Encoding, body: &Bytes) -> Result<Bytes, RefuseReason> {
        let in_flight = InFlight::new(8 * LIMIT, Duration::ZERO);
        inflate(encoding, body, LIMIT, &mut in_flight.hold()).map_err(|refusal| refusal.reason)
    }

    #[test]
    fn what_was_compressed_comes_back() {
        for length in [0, 1, 1000, LIMIT - 1, LIMIT] {
            let bytes = vec![7; length];
            assert_eq!(inflated(Encoding::Gzip, &gzip(&bytes)).unwrap(), bytes);
            assert_eq!(inflated(Encoding::Zstd, &zstd(&bytes)).unwrap(), bytes);
        }
        let two_members = [gzip(b"first "), gzip(b"second")].concat().into();
        assert_eq!(inflated(Encoding::Gzip, &two_members).unwrap(), "first second");
        let two_frames = [zstd(b"first "), zstd(b"second")].concat().into();
        assert_eq!(inflated(Encoding::Zstd, &two_frames).unwrap(), "first second");
    }

    #[test]
    fn a_bomb_stops_at_the_bound() {
        let zeros = vec![0; 64 * LIMIT];
        for (encoding, bomb) in [(Encoding::Gzip, gzip(&zeros)), (Encoding::Zstd, zstd(&zeros))] {
            let in_flight = InFlight::new(8 * LIMIT, Duration::ZERO);
            let mut hold = in_flight.hold();
            let refusal = inflate(encoding, &bomb, LIMIT, &mut hold).unwrap_err();
            assert_eq!(refusal.reason, RefuseReason::TooLarge);
            assert!(hold.bytes() <= bomb.len() + LIMIT + 1, "no more was held than the bound");
        }
        let just_over = vec![0; LIMIT + 1];
        assert_eq!(inflated(Encoding::Gzip, &gzip(&just_over)), Err(RefuseReason::TooLarge));
        assert_eq!(inflated(Encoding::Zstd, &zstd(&just_over)), Err(RefuseReason::TooLarge));
    }

    #[test]
    fn broken_bodies_are_typed() {
        let noise: Vec<u8> = (0..5000_u32).map(|number| ((number * number) >> 3) as u8).collect();
        for (encoding, whole) in [(Encoding::Gzip, gzip(&noise)), (Encoding::Zstd, zstd(&noise))] {
            let cut = whole.slice(..whole.len() / 2);
            assert_eq!(inflated(encoding, &cut), Err(RefuseReason::Truncated), "{encoding:?}");
            assert_eq!(inflated(encoding, &Bytes::from_static(b"not compressed at all")), Err(RefuseReason::Malformed));
        }
    }

    #[test]
    fn no_room_in_flight_is_not_the_senders_fault() {
        let in_flight = InFlight::new(1000, Duration::ZERO);
        let refusal = inflate(Encoding::Gzip, &gzip(&[0; 5000]), LIMIT, &mut in_flight.hold()).unwrap_err();
        assert_eq!(refusal.reason, RefuseReason::InFlightFull);
    }
}
