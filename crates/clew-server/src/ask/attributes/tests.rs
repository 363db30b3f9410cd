use super::*;

fn picked(prefix: &str, limit: usize, found: &[(&str, u64)]) -> Vec<String> {
    let wish = Wish { prefix: prefix.to_owned(), limit };
    let found = found.iter().map(|(key, span_count)| KeyCount {
        key: (*key).to_owned(),
        scopes: attributes::Scopes::SPAN,
        span_count: *span_count,
    });
    let picked = wish.pick(found.collect(), |key: &KeyCount| (&key.key, "", key.span_count));
    picked.into_iter().map(|key| key.key).collect()
}

#[test]
fn what_begins_with_the_prefix_is_first_and_then_what_is_common() {
    let found = [("url.route", 900), ("Route", 1), ("routes", 5), ("http.route", 1000), ("http.Route", 1000)];
    assert_eq!(picked("route", 9, &found), ["routes", "Route", "http.Route", "http.route", "url.route"]);
    assert_eq!(picked("route", 2, &found), ["routes", "Route"]);
    assert_eq!(picked("", 2, &found), ["http.Route", "http.route"]);
}
