//! Which odd date a body has, and what its number may have been meant to count.

use clew_model::Notes;
use clew_wire::otlp::{self, Limits, ResourceView, ScopeView, SpanSink, SpanView};

use crate::ask::when::to_rfc3339;

/// As far from now as a number in another unit may be, to be told as that unit: a year.
const NEAR_NOW_NANOS: u128 = 366 * 24 * 3600 * 1_000_000_000;

/// Units that are taken for nanoseconds by mistake, with the nanoseconds of each.
const UNITS: [(&str, u128); 3] = [("seconds", 1_000_000_000), ("milliseconds", 1_000_000), ("microseconds", 1_000)];

/// The date of the first span with an odd one, in RFC 3339; after a `|` the unit that its number seems to count, if one
/// fits. Empty when there is none.
pub(crate) fn first_odd_time(body: &[u8], limits: &Limits, received_unix_nanos: u64) -> String {
    let mut first = FirstOdd(None);
    let read = otlp::walk(body, limits, received_unix_nanos, &[], &mut first);
    // A body that was admitted can be read.
    first.0.filter(|_| read.is_ok()).map_or_else(String::new, |start| shown(start, received_unix_nanos))
}

/// When the first span with an odd time began.
struct FirstOdd(Option<u64>);

impl<'a> SpanSink<'a> for FirstOdd {
    fn resource(&mut self, _: &ResourceView<'a, '_>) {}

    fn scope(&mut self, _: &ScopeView<'a, '_>) {}

    fn span(&mut self, _: u32, span: &SpanView<'a, '_>) {
        if self.0.is_none() && span.notes.contains(Notes::ODD_TIME) {
            self.0 = Some(span.start_unix_nanos);
        }
    }
}

fn shown(start_unix_nanos: u64, now_unix_nanos: u64) -> String {
    let date = to_rfc3339(start_unix_nanos);
    let is_near = |nanos: u128| {
        let meant = u128::from(start_unix_nanos) * nanos;
        meant.abs_diff(u128::from(now_unix_nanos)) < NEAR_NOW_NANOS
    };
    match UNITS.into_iter().find(|(_, nanos)| is_near(*nanos)) {
        Some((unit, _)) => format!("{date}|{unit}"),
        None => date,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_770_000_000_000_000_000;

    #[test]
    fn a_number_that_counts_something_else_is_told() {
        for (start, said) in [
            (NOW / 1_000_000_000, "1970-01-01T00:00:01.770000000Z|seconds"),
            (NOW / 1_000_000 - 5_000, "1970-01-01T00:29:29.999995000Z|milliseconds"),
            (NOW / 1_000, "1970-01-21T11:40:00.000000000Z|microseconds"),
            (5, "1970-01-01T00:00:00.000000005Z"),
            (NOW + 90 * 24 * 3600 * 1_000_000_000, "2026-05-03T02:40:00.000000000Z"),
        ] {
            assert_eq!(shown(start, NOW), said);
        }
    }
}
