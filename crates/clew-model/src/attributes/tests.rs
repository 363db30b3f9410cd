use super::*;
use crate::Value;

#[test]
fn texts_are_found_whatever_their_case() {
    for (text, lower, found) in [
        ("http.Route", "", Some(0)),
        ("http.Route", "rou", Some(5)),
        ("HTTP.route", "http", Some(0)),
        ("http", "https", None),
        ("STRASSE \u{c4}", "\u{e4}", Some(8)),
        ("abc", "\u{e4}", None),
    ] {
        assert_eq!(position(text, lower), found, "{text} {lower}");
    }
}

#[test]
fn a_tally_holds_so_many_texts_and_says_that_there_were_more() {
    let mut tally = KeyTally::default();
    for number in 0..TEXTS_MAX as u64 + 5 {
        tally.add(&number.to_string(), Scopes::SPAN, 1);
    }
    assert!(tally.is_cut());
    tally.add("7", Scopes::SCOPE, 2);
    let keys = tally.into_keys();
    assert_eq!(keys.len(), TEXTS_MAX);
    let seven = keys.iter().find(|count| count.key == "7").unwrap();
    assert_eq!((seven.span_count, seven.scopes.names().collect::<Vec<_>>()), (3, vec!["span", "scope"]));
    let mut tally = ValueTally::default();
    for letter in ["a", "b", "c", "d", "e"] {
        tally.add(&letter.repeat(TEXTS_BYTES_MAX / 4), "string", 1);
    }
    assert!(tally.is_cut());
    assert_eq!(tally.into_values().len(), 4);
}

#[test]
fn a_text_of_two_types_is_two_values() {
    let mut tally = ValueTally::default();
    for type_name in ["int", "string", "int"] {
        tally.add("200", type_name, 1);
    }
    let mut values = tally.into_values();
    values.sort();
    let counts: Vec<_> = values.iter().map(|value| (value.type_name.as_str(), value.span_count)).collect();
    assert_eq!(counts, [("int", 2), ("string", 1)]);
    let all = [Value::Empty, "".into(), true.into(), 1.into(), 0.5.into(), Value::Bytes(vec![]), Value::Array(vec![])];
    assert!(all.iter().chain([&Value::Map(vec![])]).all(|value| TYPE_NAMES.contains(&value.type_name())));
}

#[test]
fn a_span_has_a_key_once_and_of_each_list_the_first_value() {
    let list = |pairs: &[(&str, i64)]| -> Vec<Attribute> {
        pairs.iter().map(|(key, value)| Attribute::new(*key, *value)).collect()
    };
    let mut resource = crate::Resource { attributes: list(&[("a", 1), ("r", 5)]), ..crate::Resource::default() };
    resource.attributes.push(Attribute::new("service.name", "shop"));
    let scope = crate::Scope { attributes: list(&[("a", 3)]), ..crate::Scope::default() };
    let span = Span {
        attributes: list(&[("a", 1), ("a", 2), ("b", 1)]),
        resource: resource.into(),
        scope: scope.into(),
        ..Span::default()
    };
    let request = AttributesRequest {
        tenant: Tenant::default(),
        service: Some("shop".to_owned()),
        contains: String::new(),
        without: Vec::new(),
        effort: u64::MAX,
    };
    let keys = |request: &AttributesRequest| {
        let mut tally = KeyTally::default();
        add_keys(&mut tally, request, &span);
        let mut keys = tally.into_keys();
        keys.sort();
        keys.into_iter().map(|key| (key.key, key.scopes.0, key.span_count)).collect::<Vec<_>>()
    };
    let owned =
        |keys: &[(&str, u8)]| keys.iter().map(|(key, scopes)| ((*key).to_owned(), *scopes, 1)).collect::<Vec<_>>();
    assert_eq!(keys(&request), owned(&[("a", 7), ("b", 1), ("r", 2), ("service.name", 2)]));
    assert_eq!(keys(&AttributesRequest { contains: "name".into(), ..request.clone() }), owned(&[("service.name", 2)]));
    assert_eq!(keys(&AttributesRequest { service: Some("mail".into()), ..request.clone() }), []);
    assert_eq!(keys(&AttributesRequest { without: vec![span.trace_id], ..request.clone() }), []);
    let mut tally = ValueTally::default();
    add_values(&mut tally, "a", &request, &span);
    let mut values: Vec<_> = tally.into_values().into_iter().map(|value| (value.text, value.span_count)).collect();
    values.sort();
    assert_eq!(values, [("1".to_owned(), 1), ("3".to_owned(), 1)], "and equal ones of two lists are one");
}
