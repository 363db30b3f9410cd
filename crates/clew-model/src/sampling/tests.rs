use proptest::prelude::*;

use super::*;

/// The table of OpenTelemetry's specification: 1 in N, and the thresholds of precision 3, 4 and 5.
const TABLE: [(f64, [&str; 3]); 13] = [
    (1.0, ["0", "0", "0"]),
    (2.0, ["8", "8", "8"]),
    (3.0, ["aab", "aaab", "aaaab"]),
    (4.0, ["c", "c", "c"]),
    (5.0, ["ccd", "cccd", "ccccd"]),
    (8.0, ["e", "e", "e"]),
    (10.0, ["e66", "e666", "e6666"]),
    (16.0, ["f", "f", "f"]),
    (100.0, ["fd71", "fd70a", "fd70a4"]),
    (1000.0, ["ffbe7", "ffbe77", "ffbe76d"]),
    (10_000.0, ["fff972", "fff9724", "fff97247"]),
    (100_000.0, ["ffff584", "ffff583a", "ffff583a5"]),
    (1_000_000.0, ["ffffef4", "ffffef39", "ffffef391"]),
];

#[test]
fn the_table_of_the_specification() {
    for (n, texts) in TABLE {
        for (precision, text) in (3..).zip(texts) {
            assert_eq!(Threshold::of_probability(1.0 / n, precision).to_string(), text, "1 in {n}, {precision} digits");
        }
    }
}

#[test]
fn a_threshold_is_written_as_it_is_read() {
    for (text, rejected) in [("0", 0), ("8", 1 << 55), ("c", 3 << 54), ("00000000000001", 1), ("0000000000001", 16)] {
        let threshold: Threshold = text.parse().unwrap();
        assert_eq!((threshold.rejected(), threshold.to_string().as_str()), (rejected, text));
    }
    assert_eq!("FD70A4".parse::<Threshold>().unwrap().to_string(), "fd70a4");
    assert_eq!("c00000".parse::<Threshold>().unwrap().to_string(), "c");
    assert_eq!("000".parse::<Threshold>().unwrap(), Threshold::ALL);
    for bad in ["", "g", "+1", "-1", " 1", "0x8", "123456789012345", "\u{e9}", "\u{661}"] {
        assert_eq!(bad.parse::<Threshold>(), Err(SamplingError), "{bad:?}");
    }
    assert_eq!((Threshold::new(VALUES), Threshold::new(VALUES - 1).is_some()), (None, true));
}

#[test]
fn randomness_has_exactly_14_digits() {
    let randomness: Randomness = "0000000000000a".parse().unwrap();
    assert_eq!((randomness.bits(), randomness.to_string().as_str()), (10, "0000000000000a"));
    for bad in ["", "0", "0000000000000", "000000000000000", "0000000000000g", "+0000000000000"] {
        assert_eq!(bad.parse::<Randomness>(), Err(SamplingError), "{bad:?}");
    }
    // The trace id of W3C's example.
    let trace_id: TraceId = "4bf92f3577b34da6a3ce929d0e0e4736".parse().unwrap();
    assert_eq!(Randomness::of_trace(trace_id).to_string(), "ce929d0e0e4736");
}

#[test]
fn a_trace_is_kept_when_its_randomness_is_not_below_the_threshold() {
    let threshold: Threshold = "c".parse().unwrap();
    assert!(threshold.keeps(Randomness::new(3 << 54)) && !threshold.keeps(Randomness::new((3 << 54) - 1)));
    assert!(Threshold::ALL.keeps(Randomness::new(0)));
    assert!(Threshold::new(VALUES - 1).unwrap().keeps(Randomness::new(u64::MAX)));
}

#[test]
fn adjusted_counts_of_the_specification() {
    for (text, count) in [("0", 1.0), ("8", 2.0), ("aab", 3.000_732_600_732_600_7), ("fd71", 100.054_961_832_061_07)] {
        let threshold: Threshold = text.parse().unwrap();
        assert!((threshold.adjusted_count() - count).abs() < 1e-9, "{text}");
        assert!((threshold.probability() * count - 1.0).abs() < 1e-12, "{text}");
    }
    assert_eq!(Threshold::new(VALUES - 1).unwrap().adjusted_count(), VALUES as f64);
}

#[test]
fn odd_probabilities_have_a_threshold() {
    for all in [1.0, 1.5, f64::INFINITY] {
        assert_eq!(Threshold::of_probability(all, 4), Threshold::ALL);
    }
    let smallest = Threshold::new(VALUES - 1).unwrap();
    for none in [0.0, -1.0, f64::NAN, f64::NEG_INFINITY, f64::MIN_POSITIVE, 2_f64.powi(-56)] {
        assert_eq!(Threshold::of_probability(none, 4), smallest, "{none}");
    }
    assert_eq!(Threshold::of_probability(1.0 - f64::EPSILON, 4), Threshold::ALL, "rounded");
    assert_eq!(Threshold::of_probability(0.5, 0), Threshold::of_probability(0.5, 1));
    assert_eq!(Threshold::of_probability(1.0 / 3.0, 99).to_string(), "aaaaaaaaaaaaac");
}

#[test]
fn only_the_member_of_opentelemetry_speaks() {
    let threshold = |state: &str| Sampling::of_trace_state(state).threshold.map(|threshold| threshold.to_string());
    assert_eq!(threshold("ot=th:c"), Some("c".to_owned()));
    assert_eq!(threshold("congo=t61rcWkgMzE, ot=p:8;th:c;rv:00000000000001 ,x=y"), Some("c".to_owned()));
    assert_eq!(threshold("ot=rv:00000000000001;th:8"), Some("8".to_owned()));
    let silent = ["", "ot", "ot=", "ot=th", "ot=th:", "ot=th:xyz", "ot=th:c ;", "not=th:c", "x@ot=th:c", "OT=th:c"];
    for state in silent.into_iter().chain(["ot=xth:c", "ot=th:123456789012345", ",,=;:,", "ot=;;;", "th:c"]) {
        assert_eq!(threshold(state), None, "{state}");
    }
    assert_eq!(threshold("ot=th:8;th:c,ot=th:e"), Some("8".to_owned()), "the first of repeated ones");
    assert_eq!(Sampling::of_trace_state("ot=rv:0000000000000a").randomness.unwrap().bits(), 10);
    assert_eq!(Sampling::of_trace_state("ot=rv:0a").randomness, None);
}

#[test]
fn a_span_stands_for_as_many_as_it_says() {
    let says = |state: &str| Span { trace_state: state.to_owned(), trace_id: TraceId([1; 16]), ..Span::default() };
    assert_eq!(says("").adjusted_count(), 1.0);
    assert_eq!(says("ot=th:c").adjusted_count(), 4.0);
    assert_eq!(says("ot=th:?").adjusted_count(), 1.0);
    assert_eq!(says("ot=th:c;rv:c0000000000000").adjusted_count(), 4.0);
    // A threshold that would have rejected the trace was never applied to it.
    assert_eq!(says("ot=th:c;rv:bfffffffffffff").adjusted_count(), 1.0);
    // Of an id that nobody calls random, nothing is known; one that is called so is below here.
    let random = Span { flags: RANDOM_FLAG, ..says("ot=th:c") };
    assert_eq!(random.adjusted_count(), 1.0);
    assert_eq!(Span { trace_id: TraceId([0xff; 16]), ..random }.adjusted_count(), 4.0);
}

proptest! {
    #[test]
    fn text_comes_back(rejected in 0..VALUES, bits in any::<u64>()) {
        let threshold = Threshold::new(rejected).unwrap();
        prop_assert_eq!(threshold.to_string().parse(), Ok(threshold));
        prop_assert!(threshold.adjusted_count() >= 1.0 && threshold.probability() > 0.0);
        let randomness = Randomness::new(bits);
        prop_assert_eq!(randomness.to_string().parse(), Ok(randomness));
    }

    #[test]
    fn no_text_panics(text in ".*", member in "ot=(th:|rv:|;|,|[0-9a-f]){0,8}") {
        for state in [&text, &member, &format!("{text},{member}"), &format!("ot=th:{text}")] {
            let span = Span { trace_state: state.clone(), ..Span::default() };
            prop_assert!(span.adjusted_count() >= 1.0);
        }
    }

    #[test]
    fn a_threshold_is_near_its_probability(exponent in 0.0..56.0_f64, precision in 1_u32..14) {
        let probability = (-exponent).exp2();
        let threshold = Threshold::of_probability(probability, precision);
        // The last digit is within the leading f's and those asked for, so that half of it is little of the probability.
        let allowed = 16_f64.powi(1 - precision as i32) / 2.0 + 2_f64.powi(-57) / probability;
        let off = (threshold.probability() - probability).abs() / probability;
        prop_assert!(off <= allowed * 1.001, "{} is {} off", probability, off);
    }
}
