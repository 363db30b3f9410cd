use clew_model::{Event, Link, SpanId, Status, StatusCode, TraceId};

use super::*;

fn span(change: impl FnOnce(&mut Span)) -> Span {
    let mut span = Span { trace_id: TraceId([9; 16]), span_id: SpanId::from_u64(1), ..Span::default() };
    change(&mut span);
    span
}

fn is_found(text: &str, span: Span) -> bool {
    let asked = Asked { source: &*crate::ask::naive::Naive::of(Vec::new()), expired: &|| false };
    !found(&[span], &Needle::of(text), &asked).unwrap().spans.is_empty()
}

fn with(key: &str, value: impl Into<Value>) -> Span {
    let attribute = Attribute { key: key.to_owned(), value: value.into() };
    span(|span| span.attributes.push(attribute))
}

#[test]
fn every_text_of_a_span_is_looked_at() {
    let attribute = || vec![Attribute::new("a", "needle")];
    let has = |change: fn(&mut Span)| is_found("NEEdle", span(change));
    assert!(has(|span| span.name = "a needle here".to_owned()));
    assert!(has(|span| span.trace_state = "needle=1".to_owned()));
    assert!(has(|span| span.status = Status { code: StatusCode::Error, message: "needle!".to_owned() }));
    assert!(has(|span| span.events.push(Event { name: "needle".to_owned(), ..Event::default() })));
    assert!(is_found("needle", with("my.needle", 1_i64)));
    let resource = |attributes| Arc::new(Resource { attributes, ..Resource::default() });
    assert!(is_found("needle", span(|span| span.resource = resource(attribute()))));
    let scope = |name: &str, version: &str, attributes| {
        Arc::new(Scope { name: name.to_owned(), version: version.to_owned(), attributes, ..Scope::default() })
    };
    assert!(is_found("needle", span(|span| span.scope = scope("x.needle", "", Vec::new()))));
    assert!(is_found("needle", span(|span| span.scope = scope("", "needle", Vec::new()))));
    assert!(is_found("needle", span(|span| span.scope = scope("", "", attribute()))));
    assert!(is_found("needle", span(|span| span.events.push(Event { attributes: attribute(), ..Event::default() }))));
    assert!(is_found("needle", span(|span| span.links.push(Link { attributes: attribute(), ..Link::default() }))));
    assert!(is_found("consu", span(|span| span.kind = Kind::Consumer)));
    assert!(is_found("unknown_service", span(|_| {})));
    assert!(!is_found("needle", span(|span| span.name = "needl e".to_owned())));
}

#[test]
fn values_are_found_by_their_text_form() {
    assert!(is_found("503", with("http.response.status_code", 503_i64)));
    assert!(is_found("-0.2", with("n", -0.25)));
    assert!(is_found("TRUE", with("error", true)));
    assert!(is_found("1,tr", with("list", Value::Array(vec![1_i64.into(), true.into()]))));
    assert!(is_found("00ff", with("bytes", Value::Bytes(vec![0, 255]))));
    assert!(!is_found("5033", with("http.response.status_code", 503_i64)));
}

#[test]
fn a_key_and_its_value_are_found_together() {
    assert!(is_found("status_code=50", with("http.response.status_code", 503_i64)));
    assert!(is_found("Route=/CART", with("http.route", "/cart/{id}")));
    assert!(is_found("route=", with("http.route", "/cart")), "whatever it is");
    assert!(!is_found("status=50", with("http.response.status_code", 503_i64)));
    assert!(!is_found("route=cart", with("http.route", "/cart")));
    assert!(is_found("a=b", with("q", "x?a=b")), "as it stands in a value, too");
    assert!(is_found("=b", with("q", "x?a=b")));
}

#[test]
fn ids_are_found_from_six_digits_on() {
    let one = || {
        span(|span| {
            span.span_id = SpanId::from_u64(0xabcd_ef12_3456_7890);
            span.parent_span_id = Some(SpanId::from_u64(0x1111_2222_3333_4444));
            span.links.push(Link { trace_id: TraceId([0x5a; 16]), span_id: SpanId::from_u64(0x77), ..Link::default() });
        })
    };
    for text in ["abcdef1234567890", "ABCDEF12", "ef1234", "22223333", "5a5a5a5a5a5a", "000000000077"] {
        assert!(is_found(text, one()), "{text}");
    }
    for text in ["abcde", "090909090909", "abcdef13"] {
        assert!(!is_found(text, one()), "{text}");
    }
}

#[test]
fn case_is_folded_in_every_script() {
    assert!(is_found("\u{e9}t\u{e9}", with("k", "L'\u{c9}T\u{c9}")));
    assert!(is_found("\u{c9}", with("k", "\u{e9}")));
    assert!(is_found("\u{41f}\u{440}", with("k", "\u{43f}\u{420}\u{438}")));
    assert!(is_found("abc", with("k", "\u{e9}\u{20ac}xABC")), "between letters of other scripts");
    assert!(!is_found("\u{e9}", with("k", "e")));
    assert!(is_found("a", with("k", "\u{e9}a")) && !is_found("b", with("\u{e9}", "\u{e9}a")));
}

#[test]
fn bytes_are_compared_as_a_plain_search_would() {
    let haystacks = ["", "a", "aa", "aab", "abab", "xAaB", "ab\u{e9}AB", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab"];
    for haystack in haystacks {
        for needle in ["a", "b", "ab", "aab", "ba", "\u{e9}a", "aaaab", "AB"] {
            let plain = haystack.to_lowercase().contains(&needle.to_lowercase());
            assert_eq!(Needle::of(needle).is_in(haystack), plain, "{needle} in {haystack}");
        }
    }
}

#[test]
fn positions_rise_and_time_is_kept() {
    let source = crate::ask::naive::Naive::of(Vec::new());
    let spans: Vec<Span> = (0..10_000)
        .map(|number| span(|span| span.name = if number % 3 == 0 { "Hit" } else { "miss" }.to_owned()))
        .collect();
    let asked = Asked { source: &*source, expired: &|| false };
    let answer = found(&spans, &Needle::of("hit"), &asked).unwrap();
    assert_eq!(answer.total, 3_334);
    assert!(answer.spans.iter().zip(0..).all(|(position, number)| *position == number * 3));
    let late = Asked { source: &*source, expired: &|| true };
    assert_eq!(found(&spans, &Needle::of("hit"), &late).unwrap_err(), AskError::Expired);
}
