//! Numbers in words.

/// Three significant digits and a unit: `912 us`, `81.4 ms`, `2.05 s`, `12.3 min`.
pub(crate) fn duration(nanos: u64) -> String {
    const UNITS: [(f64, &str); 5] = [(1e3, "us"), (1e6, "ms"), (1e9, "s"), (60e9, "min"), (3_600e9, "h")];
    let nanos = nanos as f64;
    // A unit is left at 999.5, which would round to 1000; seconds are kept to 10 minutes and minutes to 10 hours.
    let begin = |size: f64| match size {
        size if size >= 60e9 => size * 10.0,
        size => size * 0.999_5,
    };
    match UNITS.iter().rev().find(|(size, _)| nanos >= begin(*size)) {
        Some((size, unit)) => format!("{} {unit}", three_digits(nanos / size)),
        None => format!("{nanos:.0} ns"),
    }
}

/// `1234567` as `1,234,567`.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Three significant digits and a binary unit: `16.0 MiB`.
pub(crate) fn bytes(bytes: u64) -> String {
    const UNITS: [(u32, &str); 3] = [(30, "GiB"), (20, "MiB"), (10, "KiB")];
    match UNITS.iter().find(|(shift, _)| bytes >> shift > 0) {
        Some((shift, unit)) => format!("{} {unit}", three_digits(bytes as f64 / (1_u64 << shift) as f64)),
        None => format!("{bytes} B"),
    }
}

fn three_digits(number: f64) -> String {
    match number {
        number if number < 9.995 => format!("{number:.2}"),
        number if number < 99.95 => format!("{number:.1}"),
        number => format!("{number:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_three_digits_and_a_unit() {
        let cases = [
            (0, "0 ns"),
            (999, "999 ns"),
            (1_000, "1.00 us"),
            (912_345, "912 us"),
            (999_600, "1.00 ms"),
            (81_449_000, "81.4 ms"),
            (9_996_000, "10.0 ms"),
            (2_050_000_000, "2.05 s"),
            (119_000_000_000, "119 s"),
            (738_000_000_000, "12.3 min"),
            (86_400_000_000_000, "24.0 h"),
        ];
        for (nanos, text) in cases {
            assert_eq!(duration(nanos), text);
        }
    }

    #[test]
    fn counts_and_bytes() {
        assert_eq!((count(0), count(999), count(1_234_567)), ("0".into(), "999".into(), "1,234,567".into()));
        assert_eq!((bytes(12), bytes(16 << 20)), ("12 B".into(), "16.0 MiB".into()));
    }
}
