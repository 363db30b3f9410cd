use clew_store::port::ManualClock;

use super::*;

const SECOND: u64 = 1_000_000_000;

fn example(request: &str) -> Example {
    Example::new(request, Some(&HeaderValue::from_static("OTel-OTLP-Exporter-Python/1.30")), "/v1/traces")
}

#[test]
fn names_are_distinct_and_every_hint_has_words() {
    let places: Vec<_> = Hint::ALL.iter().map(|hint| *hint as usize).collect();
    assert_eq!(places, (0..Hint::ALL.len()).collect::<Vec<_>>());
    let mut names: Vec<_> = Hint::ALL.iter().map(|hint| hint.name()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), Hint::ALL.len());
    for hint in Hint::ALL {
        let (one, fix) = words::said(hint, 1, &example("POST /v1/trace"));
        let (many, _) = words::said(hint, 3, &example("POST /v1/trace"));
        assert!(one.starts_with("1 ") && many.starts_with("3 ") && one[2..] != many[2..], "{one} / {many}");
        assert!(!fix.is_empty() && !one.ends_with('.') && !fix.ends_with('.'), "{one}; {fix}");
        assert!(one.is_ascii() && fix.is_ascii());
    }
}

#[test]
fn what_is_noticed_is_counted_with_the_latest_first() {
    let (clock, hints) = (ManualClock::new(1_000), Hints::new());
    assert_eq!(hints.read(), []);
    hints.notice(&clock, Hint::WrongPath, 1, || example("POST /v1/trace"));
    clock.advance_nanos(5);
    hints.notice(&clock, Hint::MetricsSent, 40, || example("POST /v1/metrics"));
    hints.notice(&clock, Hint::LogsSent, 0, || unreachable!("nothing was noticed"));
    let read = hints.read();
    let told: Vec<_> = read.iter().map(|seen| (seen.hint, seen.count, seen.last_unix_nanos)).collect();
    assert_eq!(told, [(Hint::MetricsSent, 40, 1_005), (Hint::WrongPath, 1, 1_000)]);
    assert_eq!(read[1].example.agent, "OTel-OTLP-Exporter-Python/1.30");
    assert!(read[1].sentence.contains("POST /v1/trace") && read[1].fix.contains("did you mean /v1/traces?"));
}

#[test]
fn an_example_is_taken_at_most_once_a_second() {
    let (clock, hints) = (ManualClock::new(1), Hints::new());
    let mut asked = 0;
    for millis in [0, 400, 400, 400, 400] {
        clock.advance_nanos(millis * SECOND / 1000);
        hints.notice(&clock, Hint::WrongPath, 1, || {
            asked += 1;
            example(&format!("POST /{asked}"))
        });
    }
    let read = hints.read();
    assert_eq!((read[0].count, asked), (5, 2), "at 0 and at 1200 ms");
    assert_eq!(read[0].example.request, "POST /2");
}

#[test]
fn texts_of_strangers_are_short_and_printable() {
    let hostile = format!("POST /{}\u{1b}[31m\u{202e}\n", "\u{e9}".repeat(40));
    let shown = bounded(hostile.as_bytes());
    assert!(!shown.contains(['\u{1b}', '\n', '\u{202e}']), "{shown}");
    for bytes in [&b"x".repeat(100_000)[..], &b"\xff\xfe".repeat(1000), &"\u{1}".repeat(1000).into_bytes()] {
        assert!(bounded(bytes).chars().count() <= TEXT_CHARS_MAX + 3);
    }
    assert_eq!(bounded(b"it's \"here\""), "it's \"here\"");
    const { assert!(LOG_NANOS >= 60 * SECOND) };
}
