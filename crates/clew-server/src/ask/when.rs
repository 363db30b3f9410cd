//! Instants and lengths of time as people write them, and as answers show them.

use jiff::Timestamp;

const NANOS_PER_SECOND: u64 = 1_000_000_000;

/// What an instant may look like, for messages and documents.
pub(crate) const INSTANT_FORMS: &str = "RFC 3339 (2026-11-20T09:00:00.5Z), a unix time in s, ms, us or ns (told apart by its size), `now`, \
     or an offset from now (-15m, -1h30m)";

/// What a length of time may look like, for messages and documents.
pub(crate) const SPAN_OF_TIME_FORMS: &str =
    "numbers with units, such as 15m, 1h30m or 500ms (ns, us, ms, s, m, h, d, w)";

/// RFC 3339 in UTC with all nine digits, whatever they are: texts of equal length sort by time.
pub fn to_rfc3339(unix_nanos: u64) -> String {
    let seconds = (unix_nanos / NANOS_PER_SECOND) as i64;
    let timestamp = Timestamp::new(seconds, (unix_nanos % NANOS_PER_SECOND) as i32);
    // A u64 of nanoseconds ends in 2554, far inside of what a timestamp holds.
    timestamp.map_or_else(|_| unix_nanos.to_string(), |timestamp| format!("{timestamp:.9}"))
}

/// The unix nanoseconds of an RFC 3339 text, as [`to_rfc3339`] wrote it or as people do.
pub fn from_rfc3339(text: &str) -> Option<u64> {
    // An unescaped `+` of a zone offset arrives as a space.
    let text = text.trim().replace(' ', "+");
    let timestamp: Timestamp = text.parse().ok()?;
    u64::try_from(timestamp.as_nanosecond()).ok()
}

/// The unix nanoseconds of an instant in any of [`INSTANT_FORMS`].
pub(crate) fn parse_instant(text: &str, now_unix_nanos: u64) -> Option<u64> {
    let text = text.trim();
    if let Some(offset) = text.strip_prefix("now") {
        return if offset.is_empty() { Some(now_unix_nanos) } else { parse_offset(offset, now_unix_nanos) };
    }
    if text.starts_with('-') || text.starts_with('+') {
        return parse_offset(text, now_unix_nanos);
    }
    if text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') { parse_unix(text) } else { from_rfc3339(text) }
}

/// The nanoseconds of a length of time in the form of [`SPAN_OF_TIME_FORMS`].
pub(crate) fn parse_span_of_time(text: &str) -> Option<u64> {
    let mut rest = text.trim();
    let mut total: u64 = 0;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|letter: char| !letter.is_ascii_digit() && letter != '.')?;
        let (number, tail) = rest.split_at(digits);
        let letters = tail.find(|letter: char| !letter.is_ascii_alphabetic()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(letters);
        total = total.checked_add(parse_decimal(number, unit_nanos(unit)?)?)?;
        rest = tail;
    }
    Some(total)
}

/// `text` times `unit`, exactly: digits finer than one nanosecond are cut.
pub(crate) fn parse_decimal(text: &str, unit: u64) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if (whole.is_empty() && fraction.is_empty()) || !all_digits(whole) || !all_digits(fraction) {
        return None;
    }
    let whole: u64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let mut part: u64 = 0;
    let mut place = unit;
    for digit in fraction.bytes() {
        place /= 10;
        part += u64::from(digit - b'0') * place;
    }
    whole.checked_mul(unit)?.checked_add(part)
}

fn parse_offset(text: &str, now_unix_nanos: u64) -> Option<u64> {
    match text.split_at_checked(1)? {
        ("-", length) => Some(now_unix_nanos.saturating_sub(parse_span_of_time(length)?)),
        ("+", length) => now_unix_nanos.checked_add(parse_span_of_time(length)?),
        _ => None,
    }
}

/// Seconds below 10^11 (the year 5138), then milli-, micro- and nanoseconds by further factors of a thousand.
fn parse_unix(text: &str) -> Option<u64> {
    let whole: u64 = text.split('.').next()?.parse().ok()?;
    let unit = match whole {
        0..100_000_000_000 => NANOS_PER_SECOND,
        100_000_000_000..100_000_000_000_000 => 1_000_000,
        100_000_000_000_000..100_000_000_000_000_000 => 1_000,
        _ => 1,
    };
    parse_decimal(text, unit)
}

fn unit_nanos(unit: &str) -> Option<u64> {
    Some(match unit {
        "ns" => 1,
        "us" => 1_000,
        "ms" => 1_000_000,
        "s" => NANOS_PER_SECOND,
        "m" | "min" => 60 * NANOS_PER_SECOND,
        "h" => 3_600 * NANOS_PER_SECOND,
        "d" => 86_400 * NANOS_PER_SECOND,
        "w" => 7 * 86_400 * NANOS_PER_SECOND,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_800_000_000_123_456_789;

    #[test]
    fn nine_digits_always() {
        assert_eq!(to_rfc3339(0), "1970-01-01T00:00:00.000000000Z");
        assert_eq!(to_rfc3339(NOW), "2027-01-15T08:00:00.123456789Z");
        assert_eq!(from_rfc3339(&to_rfc3339(NOW)), Some(NOW));
        assert_eq!(from_rfc3339(&to_rfc3339(u64::MAX)), Some(u64::MAX));
    }

    #[test]
    fn instants_in_every_form() {
        let second = 1_700_000_000;
        for (text, expected) in [
            ("1700000000", second * NANOS_PER_SECOND),
            ("1700000000.25", second * NANOS_PER_SECOND + 250_000_000),
            ("1700000000001", second * NANOS_PER_SECOND + 1_000_000),
            ("1700000000000001", second * NANOS_PER_SECOND + 1_000),
            ("1700000000000000001", second * NANOS_PER_SECOND + 1),
            ("2023-11-14T22:13:20Z", second * NANOS_PER_SECOND),
            ("2023-11-14T23:13:20.000000007+01:00", second * NANOS_PER_SECOND + 7),
            ("2023-11-14T23:13:20 01:00", second * NANOS_PER_SECOND),
            ("now", NOW),
            ("-1h", NOW - 3_600 * NANOS_PER_SECOND),
            ("now-1h30m", NOW - 5_400 * NANOS_PER_SECOND),
            ("+500ms", NOW + 500_000_000),
        ] {
            assert_eq!(parse_instant(text, NOW), Some(expected), "{text}");
        }
        for text in
            ["", "-", "-h", "yesterday", "1.2.3", "-1x", "1969-12-31T23:59:59Z", "99999999999999999999", "nowish"]
        {
            assert_eq!(parse_instant(text, NOW), None, "{text}");
        }
    }

    #[test]
    fn lengths_are_exact() {
        assert_eq!(parse_span_of_time("1.5s"), Some(1_500_000_000));
        assert_eq!(parse_span_of_time("1d12h"), Some(36 * 3_600 * NANOS_PER_SECOND));
        assert_eq!(parse_span_of_time("15"), None);
        assert_eq!(parse_decimal("0.000001", 1_000_000), Some(1));
        assert_eq!(parse_decimal("0.0000019", 1_000_000), Some(1));
        assert_eq!(parse_decimal(".5", 1_000_000), Some(500_000));
        assert_eq!(parse_decimal(".", 1_000_000), None);
        assert_eq!(parse_decimal("-1", 1_000_000), None);
        assert_eq!(parse_decimal("18446744073710", 1_000_000), None);
    }
}
