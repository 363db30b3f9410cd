use clew_model::{Attribute, Resource, Value};
use proptest::prelude::*;

use super::*;
use crate::draw;

/// Writes, reads, and compares by the debug form, in which NaN is NaN and -0.0 is not 0.0.
fn same<T: std::fmt::Debug>(
    item: &T,
    write: impl Fn(&mut Vec<u8>, &T),
    read: impl Fn(&[u8]) -> Result<T, JsonError>,
) -> Result<(), TestCaseError> {
    let mut text = Vec::new();
    write(&mut text, item);
    let parsed: serde_json::Value = serde_json::from_slice(&text).expect("what is written is JSON");
    prop_assert!(parsed.is_object() || parsed.is_array());
    prop_assert_eq!(format!("{:?}", read(&text).unwrap()), format!("{item:?}"));
    for cut in 0..text.len() {
        prop_assert!(read(&text[..cut]).is_err(), "a part was read");
    }
    Ok(())
}

proptest! {
    #[test]
    fn values_come_back(value in draw::value()) {
        same(&value, |out, value| write_value(out, value.into()), read_value)?;
    }

    #[test]
    fn parts_of_spans_come_back(
        attributes in draw::attributes(),
        resource in draw::resource(),
        scope in draw::scope(),
        events in draw::events(),
        links in draw::links(),
    ) {
        same(&attributes, |out, item| write_attributes(out, item), read_attributes)?;
        same(&resource, write_resource, read_resource)?;
        same(&scope, write_scope, read_scope)?;
        same(&events, |out, item| write_events(out, item), read_events)?;
        same(&links, |out, item| write_links(out, item), read_links)?;
    }

    #[test]
    fn damaged_text_is_a_value_or_an_error(
        resource in draw::resource(),
        links in draw::links(),
        hits in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut texts = [Vec::new(), Vec::new()];
        write_resource(&mut texts[0], &resource);
        write_links(&mut texts[1], &links);
        for mut text in texts {
            for (at, byte) in &hits {
                let at = at.index(text.len());
                text[at] = *byte;
            }
            let offsets = [
                read_resource(&text).err(), read_links(&text).err(), read_events(&text).err(), read_scope(&text).err(),
                read_value(&text).err(), read_attributes(&text).err(),
            ];
            prop_assert!(offsets.into_iter().flatten().all(|error| error.offset <= text.len()));
        }
    }

    #[test]
    fn any_bytes_are_a_value_or_an_error(bytes in "[\\[\\]{}\":,a-c0-9\\\\u\\-.e ]{0,60}") {
        let _ = (read_value(bytes.as_bytes()), read_attributes(bytes.as_bytes()));
    }
}

#[test]
fn the_form_is_otlp_json() {
    let attributes = vec![
        Attribute::new("service.name", "x\u{1}"),
        Attribute::new("n", 1_i64 << 60),
        Attribute {
            key: "m".into(),
            value: Value::Map(vec![Attribute { key: "b".into(), value: Value::Bytes(vec![255]) }]),
        },
        Attribute {
            key: "l".into(),
            value: Value::Array(vec![Value::Empty, f64::NAN.into(), (-0.0).into(), true.into()]),
        },
    ];
    let mut text = Vec::new();
    write_resource(&mut text, &Resource { attributes, dropped_attributes_count: 2, schema_url: String::new() });
    let expected = concat!(
        r#"{"attributes":[{"key":"service.name","value":{"stringValue":"x\u0001"}},"#,
        r#"{"key":"n","value":{"intValue":"1152921504606846976"}},"#,
        r#"{"key":"m","value":{"kvlistValue":{"values":[{"key":"b","value":{"bytesValue":"/w=="}}]}}},"#,
        r#"{"key":"l","value":{"arrayValue":{"values":[{},{"doubleValue":"NaN"},{"doubleValue":-0.0},{"boolValue":true}]}}}],"#,
        r#""droppedAttributesCount":2}"#,
    );
    assert_eq!(String::from_utf8(text).unwrap(), expected);
}

#[test]
fn members_that_are_not_known_are_passed_over() {
    let text = br#" { "x" : [ { "y" : null } , -1.5e3 , "\ud83d\ude00" ] , "stringValue" : "\u00e9\/" } "#;
    assert_eq!(read_value(text).unwrap(), Value::from("\u{e9}/"));
}

#[test]
fn nesting_is_bounded() {
    let nested = |levels: usize| (0..levels).fold(Value::Int(1), |value, _| Value::Array(vec![value]));
    let mut text = Vec::new();
    write_value(&mut text, (&nested(64)).into());
    assert_eq!(read_value(&text).unwrap(), nested(64));
    let deep = "[".repeat(1 << 20);
    assert_eq!(read_value(format!("{{\"x\":{deep}").as_bytes()).unwrap_err().expected, "less nesting");
    let error = read_attributes(deep.as_bytes()).unwrap_err();
    assert!(error.offset < 2000, "{error}");
}
