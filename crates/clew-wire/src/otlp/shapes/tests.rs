use clew_model::Notes;

use super::super::span::attribute;
use super::*;

/// An attribute of these bytes of a value.
fn pair(key: &[u8], value: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x0a, key.len() as u8];
    bytes.extend_from_slice(key);
    bytes.push(0x12);
    if value.len() >= 0x80 {
        bytes.push(value.len() as u8 | 0x80);
        bytes.push((value.len() >> 7) as u8);
    } else {
        bytes.push(value.len() as u8);
    }
    bytes.extend_from_slice(value);
    bytes
}

fn text(value: &str) -> Vec<u8> {
    let mut bytes = pair(value.as_bytes(), &[]);
    if value.len() >= 0x80 {
        bytes = vec![0x0a, value.len() as u8 | 0x80, (value.len() >> 7) as u8];
        bytes.extend_from_slice(value.as_bytes());
    } else {
        bytes.truncate(2 + value.len());
    }
    bytes
}

/// Keys, and the types of their values.
type Shape<'v> = Vec<(String, std::mem::Discriminant<ValueView<'v>>)>;

/// Reads lists one after the other, each as a span's would be; answers their numbers and what was read, and checks that the
/// tree changes nothing but the way.
fn numbers(lists: &[Vec<Vec<u8>>], limits: &Limits) -> Vec<u32> {
    let mut shapes = Shapes::default();
    let mut known: Vec<(u32, Shape<'_>)> = Vec::new();
    let mut numbers = Vec::new();
    for list in lists {
        let (mut read, mut plain) = (Vec::new(), Vec::new());
        let (mut cut, mut notes, mut plain_notes) = (0, Notes::default(), Notes::default());
        shapes.begin();
        for pair in list {
            let message = Reader::new(pair, 0);
            if !shapes.push(message, limits, &mut read) {
                let before = read.len();
                attribute(message, &mut read, 0, &mut cut, limits, &mut notes).unwrap();
                if read.len() > before {
                    shapes.learn(message, limits, read.last());
                }
            }
            attribute(message, &mut plain, 0, &mut cut, limits, &mut plain_notes).unwrap();
        }
        assert_eq!(read, plain);
        assert_eq!(notes, plain_notes);
        let number = shapes.number();
        let keys: Vec<_> =
            read.iter().map(|read| (read.key.as_str().to_owned(), std::mem::discriminant(&read.value))).collect();
        if number != 0 {
            for (other, other_keys) in &known {
                assert_eq!(*other == number, *other_keys == keys, "{keys:?}");
            }
            known.push((number, keys));
        }
        numbers.push(number);
    }
    numbers
}

#[test]
fn lists_have_one_number_if_they_have_the_same_keys_and_types() {
    let lists = [
        vec![pair(b"http.method", &text("GET")), pair(b"port", &[0x18, 0x90, 0x3f])],
        vec![pair(b"http.method", &text("POST")), pair(b"port", &[0x18, 0x01])],
        vec![pair(b"http.method", &text("POST")), pair(b"port", &text("80"))],
        vec![pair(b"http.method", &text(&"x".repeat(300))), pair(b"port", &[0x18, 0x01])],
        vec![pair(b"http.method", &text("\u{e9}"))],
        vec![pair(b"http.nethod", &text("GET"))],
        vec![],
    ];
    let numbers = numbers(&lists, &Limits::default());
    assert!(numbers[0] != 0 && numbers[0] == numbers[1] && numbers[0] == numbers[3], "{numbers:?}");
    assert!(numbers[2] != 0 && numbers[2] != numbers[0], "{numbers:?}");
    assert_eq!(numbers[6], 0);
}

#[test]
fn a_value_that_is_odd_is_read_as_without_a_tree() {
    let odd: [&[u8]; 12] = [
        &[],
        &[0x0a, 0x02, 0xff, 0xfe],
        // Of two fields, the last counts.
        &[0x0a, 0x01, b'a', 0x18, 0x05],
        &[0x18, 0x05, 0x0a, 0x01, b'a'],
        &[0x18, 0x05, 0x18, 0x06],
        &[0x18, 0x85, 0x00],
        &[0x10, 0x81, 0x01],
        &[0x0a, 0x83, 0x00, b'a', b'b', b'c'],
        &[0x2a, 0x00],
        &[0x3a, 0x01, 0xff],
        &[0x21, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f],
        &[0x40, 0x05],
    ];
    let mut lists = vec![vec![pair(b"some.key", &text("a")), pair(b"b", &[0x10, 1])]];
    for value in odd {
        for _ in 0..2 {
            lists.push(vec![pair(b"some.key", value), pair(b"b", &[0x10, 0])]);
        }
        lists.push(vec![pair(b"some.key", &text("b")), pair(b"b", &[0x10, 1])]);
    }
    lists.push(vec![pair(b"\xff\xff\xff", &text("a"))]);
    lists.push(vec![pair(b"\xff\xff\xff", &text("a"))]);
    numbers(&lists, &Limits::default());
    numbers(&lists, &Limits { attributes: 1, ..Limits::default() });
    numbers(&lists, &Limits { value_bytes: 0, ..Limits::default() });
}

#[test]
fn the_tree_is_bounded() {
    let key = |number: usize| format!("key.number.{number}").into_bytes();
    let lists: Vec<_> = (0..40).chain(0..40).map(|number| vec![pair(&key(number), &[0x18, 1])]).collect();
    let known = numbers(&lists, &Limits::default()).iter().filter(|number| **number != 0).count();
    assert_eq!(known, 2 * BELOW_MAX);
    let long: Vec<_> = (0..3000).map(|number| pair(&key(number), &[0x18, 1])).collect();
    let limits = Limits { attributes: 4000, ..Limits::default() };
    assert_eq!(numbers(&[long.clone(), long], &limits), [0, 0]);
}
