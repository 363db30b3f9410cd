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
