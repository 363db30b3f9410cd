use super::*;

const MILLI: u64 = 1_000_000;

fn observed(millis: impl IntoIterator<Item = u64>) -> HistogramFigures {
    let histogram = Histogram::new();
    millis.into_iter().for_each(|millis| histogram.observe_nanos(millis * MILLI));
    histogram.read()
}

#[test]
fn a_quantile_lies_in_the_bucket_of_its_rank() {
    let figures = observed((0..99).map(|_| 4).chain([400]));
    let median = figures.quantile_seconds(0.5).unwrap();
    assert!((0.003..=0.005).contains(&median), "{median}");
    let last = figures.quantile_seconds(1.0).unwrap();
    assert!((last - 0.5).abs() < 1e-9, "the end of the bucket of 400 ms: {last}");
    let of_nearly_all = figures.quantile_seconds(0.99).unwrap();
    assert!(of_nearly_all <= 0.005, "99 of 100 are in that bucket: {of_nearly_all}");
}

#[test]
fn within_a_bucket_observations_count_as_spread_evenly() {
    let figures = observed([2, 3, 3, 3, 3]);
    // One lies in (1, 2] ms and four in (2, 3] ms: of ranks 1 to 5 the third is the half of the latter.
    let third = figures.quantile_seconds(0.6).unwrap();
    assert!((third - 0.0025).abs() < 1e-9, "{third}");
}

#[test]
fn quantiles_never_fall_and_nothing_has_none() {
    assert_eq!(HistogramFigures::default().quantile_seconds(0.5), None);
    assert_eq!(observed([]).quantile_seconds(0.5), None);
    let figures = observed([1, 7, 7, 90, 2_000, 60_000]);
    let all: Vec<f64> = (0..=100).map(|share| figures.quantile_seconds(f64::from(share) / 100.0).unwrap()).collect();
    assert!(all.is_sorted(), "{all:?}");
    assert!((all[100] - 10.0).abs() < 1e-9, "above all bounds, the last bound is told: {}", all[100]);
}
