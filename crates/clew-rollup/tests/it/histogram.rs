//! Durations.

use clew_rollup::{Bucket, Histogram};
use proptest::prelude::*;

/// Durations of every size, bounds of buckets and their neighbours among them.
fn nanos() -> impl Strategy<Value = u64> {
    let power = (0_u32..64, -2_i64..3).prop_map(|(power, off)| (1_u64 << power).saturating_add_signed(off));
    let sized = (0_u32..64, any::<u64>()).prop_map(|(shift, bits)| bits >> shift);
    prop_oneof![4 => sized, 2 => power, 1 => 0_u64..200, 1 => Just(u64::MAX), 1 => Just(0)]
}

fn of(durations: &[u64]) -> Histogram {
    let mut histogram = Histogram::default();
    for nanos in durations {
        histogram.record(*nanos, 1);
    }
    histogram
}

fn bucket(nanos: u64) -> Bucket {
    of(&[nanos]).buckets().next().expect("it was counted")
}

fn error(nanos: u64) -> f64 {
    (of(&[nanos]).quantile(0.5).expect("it was counted") as f64 - nanos as f64).abs() / nanos as f64
}

/// OpenTelemetry's mapping by logarithm, which is exact away from the bounds: `ceil(log_base(value)) - 1`.
fn index_by_logarithm(nanos: u64) -> i32 {
    ((nanos as f64).log2() * f64::from(1 << Histogram::SCALE)).ceil() as i32 - 1
}

#[test]
fn powers_of_two_end_their_buckets() {
    // OpenTelemetry's data model: bounds are inclusive above, and 1 ends the bucket of index -1 at every scale.
    assert_eq!(bucket(1).index, -1);
    for power in 1..64_i16 {
        let nanos = 1_u64 << power;
        assert_eq!(bucket(nanos).index, power * 32 - 1, "2^{power}");
        assert_eq!(bucket(nanos).upper_nanos(), nanos);
        if power > 5 {
            assert_eq!(bucket(nanos + 1).index, power * 32, "2^{power} + 1");
        }
    }
    assert_eq!(bucket(u64::MAX).index, 2047);
    assert_eq!(bucket(u64::MAX).upper_nanos(), u64::MAX);
}

#[test]
fn the_bounds_of_opentelemetrys_example() {
    // The bounds that its data model lists for scale 3, from 1 to 2; two scales up, each of its buckets is four.
    #[expect(clippy::approx_constant, reason = "as it is published")]
    let bounds = [1.0, 1.09051, 1.18921, 1.29684, 1.41421, 1.54221, 1.68179, 1.83401];
    for (place, bound) in (0..).zip(bounds) {
        for power in [20, 30, 40] {
            let scaled = bound * f64::from(power).exp2();
            let below = (scaled * (1.0 - 1e-5)) as u64;
            let above = (scaled * (1.0 + 1e-5)) as u64;
            assert_eq!(i32::from(bucket(below).index) >> 2, power * 8 + place - 1, "below {bound} * 2^{power}");
            assert_eq!(i32::from(bucket(above).index) >> 2, power * 8 + place, "above {bound} * 2^{power}");
        }
    }
}

#[test]
fn zero_has_a_bucket_of_its_own() {
    let mut histogram = of(&[0, 0, 5]);
    assert_eq!((histogram.zero_count(), histogram.count(), histogram.buckets().len()), (2, 3, 1));
    assert_eq!((histogram.quantile(0.5), histogram.quantile(0.67)), (Some(0), Some(5)));
    histogram.record(0, -2);
    assert_eq!(histogram, of(&[5]));
}

#[test]
fn no_duration_is_further_from_what_stands_for_it_than_is_said() {
    let worst = (1..200_000).map(error).fold(0.0, f64::max);
    assert!(worst < Histogram::RELATIVE_ERROR && worst > 0.0178, "{worst}");
    // Beyond the smallest, it is half of a bucket.
    let worst = (200_000..400_000).map(error).fold(0.0, f64::max);
    assert!(worst < 0.01092 && worst > 0.0107, "{worst}");
    assert!((1..=45).all(|nanos| of(&[nanos]).quantile(0.0) == Some(nanos)), "small ones are exact");
}

#[test]
fn a_quantile_of_nothing_is_none() {
    assert_eq!(Histogram::default().quantile(0.5), None);
    let one = of(&[10]);
    assert_eq!([0.0, 0.3, 1.0].map(|q| one.quantile(q)), [Some(10); 3]);
    assert_eq!([-0.1, 1.1, f64::NAN, f64::INFINITY].map(|q| one.quantile(q)), [None; 4]);
    let mut taken = one.clone();
    taken.record(10, -3);
    assert_eq!((taken.count(), taken.quantile(0.5)), (-2, None));
}

#[test]
fn a_bucket_that_was_taken_back_too_often_hides_no_other() {
    let mut histogram = of(&[10, 20, 30]);
    histogram.record(1000, -5);
    assert_eq!(histogram.quantile(1.0), Some(30));
}

#[test]
fn classic_buckets_are_cumulative() {
    let histogram = of(&[0, 1_000, 1_000_000, 50_000_000, 7_000_000_000]);
    assert_eq!(histogram.classic(&[0, 10_000, 5_000_000, 100_000_000, u64::MAX]), [1, 2, 3, 4, 5]);
    assert_eq!(histogram.classic(&[u64::MAX, 0]), [5, 1]);
    assert_eq!(histogram.classic(&[]), [0; 0]);
}

#[test]
fn sums_are_exact_and_wide() {
    let mut histogram = Histogram::default();
    histogram.record(u64::MAX, i64::MAX);
    assert_eq!(histogram.sum_nanos(), i128::from(u64::MAX) * i128::from(i64::MAX));
    histogram.record(u64::MAX, -i64::MAX);
    assert!(histogram.is_zero());
    // Whatever is added to what is full wraps, and comes back.
    let mut full = Histogram::default();
    full.record(5, i64::MAX);
    let before = full.clone();
    full.record(5, i64::MAX);
    full.add(&before);
    full.subtract(&before);
    full.record(5, -i64::MAX);
    assert_eq!(full, before);
}

#[test]
fn bytes_that_are_no_histogram_are_refused() {
    let bytes = postcard::to_stdvec(&of(&[0, 1, 5, 5, u64::MAX])).unwrap();
    assert_eq!(postcard::from_bytes::<Histogram>(&bytes).unwrap(), of(&[0, 1, 5, 5, u64::MAX]));
    let text = |buckets: &str| format!(r#"{{"zero_count":0,"sum_nanos":0,"buckets":{buckets}}}"#);
    let read = |buckets: &str| serde_json::from_str::<Histogram>(&text(buckets)).map_err(|error| error.to_string());
    assert!(read(r#"[{"index":-1,"count":1},{"index":2047,"count":-1}]"#).is_ok());
    for (buckets, position) in [
        (r#"[{"index":3,"count":0}]"#, 0),
        (r#"[{"index":-2,"count":1}]"#, 0),
        (r#"[{"index":3,"count":1},{"index":2048,"count":1}]"#, 1),
        (r#"[{"index":3,"count":1},{"index":3,"count":1}]"#, 1),
        (r#"[{"index":3,"count":1},{"index":5,"count":1},{"index":4,"count":1}]"#, 2),
    ] {
        assert!(read(buckets).unwrap_err().starts_with(&format!("bucket {position} of a histogram")), "{buckets}");
    }
}

proptest! {
    #[test]
    fn a_duration_is_in_its_bucket(nanos in nanos()) {
        prop_assume!(nanos > 0);
        let found = bucket(nanos);
        let before = Bucket { index: found.index - 1, count: 1 };
        prop_assert!(before.upper_nanos() < nanos && nanos <= found.upper_nanos());
        prop_assert!(error(nanos) <= Histogram::RELATIVE_ERROR);
        let by_logarithm = index_by_logarithm(nanos);
        // A logarithm is off by one near bounds.
        prop_assert!((by_logarithm - i32::from(found.index)).abs() <= 1);
        let is_near = |bound: u64| nanos.abs_diff(bound) as f64 <= nanos as f64 * 1e-12;
        if !is_near(found.upper_nanos()) && !is_near(before.upper_nanos()) {
            prop_assert_eq!(by_logarithm, i32::from(found.index));
        }
    }

    #[test]
    fn quantiles_are_near_those_of_the_sorted(mut durations in prop::collection::vec(nanos(), 1..200), q in 0.0..=1.0_f64) {
        let found = of(&durations).quantile(q).unwrap();
        durations.sort_unstable();
        let rank = ((q * durations.len() as f64).ceil() as usize).max(1);
        let exact = durations[rank - 1];
        let bound = exact as f64 * Histogram::RELATIVE_ERROR;
        prop_assert!((found as f64 - exact as f64).abs() <= bound, "{} for {}", found, exact);
    }

    #[test]
    fn counts_below_a_bound_are_right_but_near_it(durations in prop::collection::vec(nanos(), 0..100), bound in nanos()) {
        let found = of(&durations).classic(&[bound])[0];
        let up_to = |bound: f64| durations.iter().filter(|nanos| **nanos as f64 <= bound).count() as i64;
        prop_assert!(up_to(bound as f64 / 1.022) <= found && found <= up_to(bound as f64 * 1.022));
    }

    #[test]
    fn adding_in_parts_is_adding_at_once(parts in prop::collection::vec(prop::collection::vec(nanos(), 0..40), 0..6)) {
        let mut forth = Histogram::default();
        for part in &parts {
            forth.add(&of(part));
        }
        let mut back = Histogram::default();
        for part in parts.iter().rev() {
            back.add(&of(part));
        }
        prop_assert_eq!(&forth, &of(&parts.concat()));
        prop_assert_eq!(&forth, &back);
        prop_assert_eq!(forth.count() as usize, parts.concat().len());
        prop_assert_eq!(forth.sum_nanos(), parts.concat().iter().map(|nanos| i128::from(*nanos)).sum::<i128>());
    }

    #[test]
    fn what_is_taken_back_leaves_nothing(left in prop::collection::vec(nanos(), 0..60), right in prop::collection::vec(nanos(), 0..60)) {
        let (left, right) = (of(&left), of(&right));
        let mut sum = left.clone();
        sum.add(&right);
        sum.subtract(&right);
        prop_assert_eq!(&sum, &left);
        sum.subtract(&left);
        prop_assert!(sum.is_zero() && sum == Histogram::default());
        // Also before it was there.
        let mut difference = Histogram::default();
        difference.subtract(&right);
        difference.add(&left);
        difference.add(&right);
        prop_assert_eq!(&difference, &left);
    }

    #[test]
    fn bytes_come_back(durations in prop::collection::vec(nanos(), 0..60)) {
        let bytes = postcard::to_stdvec(&of(&durations)).unwrap();
        prop_assert_eq!(postcard::from_bytes::<Histogram>(&bytes).unwrap(), of(&durations));
    }
}
