use super::*;

fn first(count: usize) -> Wanted {
    Wanted { skip: 0, count }
}

fn numbers(encoding: Encoding, bytes: &[u8], wanted: Wanted) -> Option<Vec<u64>> {
    let bytes = Bytes::copy_from_slice(bytes);
    let values = Values::decode(&bytes, 0, Some(&bytes), encoding, Type::INT64, 8, wanted)?;
    Some((0..values.len()).map(|at| values.number(at)).collect())
}

/// The example of the format's description: 0 to 7, three bits wide; then a run of five fours.
const RUNS: [u8; 6] = [0b11, 0b1000_1000, 0b1100_0110, 0b1111_1010, 5 << 1, 4];

#[test]
fn runs_and_packed_numbers() {
    assert_eq!(hybrid(&RUNS, 3, first(13)).unwrap(), [0, 1, 2, 3, 4, 5, 6, 7, 4, 4, 4, 4, 4]);
    assert_eq!(hybrid(&RUNS, 3, first(14)), None);
    assert_eq!(hybrid(&RUNS[..2], 3, first(3)), None, "two bytes are too few for three groups of three bits");
    assert_eq!(hybrid(&[200, 1], 0, first(100)).unwrap(), [0; 100]);
    assert_eq!(hybrid(&[0, 0], 8, first(1)), None, "an empty run would never end");
}

#[test]
fn a_part_is_that_part_of_the_whole() {
    let list = |levels: &Bits| (0..levels.len()).map(|at| levels.get(at)).collect::<Vec<_>>();
    let whole = hybrid(&RUNS, 3, first(13)).unwrap();
    // Ones, zeros, and eight packed levels twice: 1, 0, 1, 1, 0, 0, 1, 0.
    let packed = [5 << 1, 1, 3 << 1, 0, 0b101, 0b0100_1101, 0b0100_1101];
    let levels_of = |wanted| {
        let page: Vec<u8> = (packed.len() as u32).to_le_bytes().into_iter().chain(packed).collect();
        levels(&page, wanted)
    };
    let all = list(&levels_of(first(24)).unwrap().is_set);
    for skip in 0..=13 {
        for count in 0..=13 - skip {
            let wanted = Wanted { skip, count };
            assert_eq!(hybrid(&RUNS, 3, wanted).unwrap(), whole[skip..skip + count]);
            let bytes = Bytes::from([&[3], &RUNS[..]].concat());
            let packed = Packed::new(&bytes, 0, wanted).unwrap();
            let entries = [false, true, false, true, true, false, false, true];
            let expected: Vec<bool> =
                whole[skip..skip + count].iter().map(|code| [1, 3, 4, 7].contains(code)).collect();
            for asked in [u64::MAX, 0b1001_0010_0001, 1 << 9, 0] {
                let met = list(&packed.met(&entries, |from| asked >> from).unwrap());
                let is_asked = |at: usize| asked >> at & 1 == 1;
                for at in (0..count).filter(|at| is_asked(*at)) {
                    assert_eq!(met[at], expected[at], "{at} of {count} after {skip}");
                }
                assert_eq!(met.len(), count);
            }
        }
        assert_eq!(hybrid(&RUNS, 3, Wanted { skip, count: 14 - skip }), None);
    }
    for skip in 0..=24 {
        for count in 0..=24 - skip {
            let part = levels_of(Wanted { skip, count }).unwrap();
            assert_eq!(list(&part.is_set), all[skip..skip + count]);
            let ones = |levels: &[bool]| levels.iter().filter(|level| **level).count();
            assert_eq!(part.values, Wanted { skip: ones(&all[..skip]), count: part.is_set.ones() });
        }
    }
    assert!(levels_of(Wanted { skip: 24, count: 1 }).is_none());
    let bytes = Bytes::from([&[3], &RUNS[..]].concat());
    assert_eq!(Packed::new(&bytes, 0, first(13)).unwrap().met(&[true; 7], |_| u64::MAX), None, "7 is beyond");
    assert_eq!(Packed::new(&bytes, 0, first(14)).unwrap().met(&[true; 8], |_| u64::MAX), None, "there are 13");
}

#[test]
fn texts_after_others() {
    let texts = ["", "one", "three", "seventeen"];
    let page: Vec<u8> =
        texts.iter().flat_map(|text| (text.len() as u32).to_le_bytes().into_iter().chain(text.bytes())).collect();
    let bytes = Bytes::from(page);
    for skip in 0..=4 {
        for count in 0..=4 - skip {
            let wanted = Wanted { skip, count };
            let values = Values::decode(&bytes, 0, Some(&bytes), Encoding::PLAIN, Type::BYTE_ARRAY, 0, wanted).unwrap();
            let read: Vec<_> = (0..values.len()).map(|at| values.bytes(at)).collect();
            assert_eq!(read, texts[skip..skip + count].iter().map(|text| text.as_bytes()).collect::<Vec<_>>());
        }
    }
}

#[test]
fn deltas_of_any_width() {
    // One block of 8 in one part: 7, then -2 + (0, 1, 2, 3).
    let bytes = [8, 1, 5, 14, 3, 2, 0b1110_0100, 0];
    assert_eq!(numbers(Encoding::DELTA_BINARY_PACKED, &bytes, first(5)).unwrap(), [7, 5, 4, 4, 5]);
    assert_eq!(numbers(Encoding::DELTA_BINARY_PACKED, &bytes, Wanted { skip: 2, count: 3 }).unwrap(), [4, 4, 5]);
    assert_eq!(numbers(Encoding::DELTA_BINARY_PACKED, &bytes, first(6)), None);
    assert_eq!(numbers(Encoding::DELTA_BINARY_PACKED, &bytes[..6], first(5)), None);
}

#[test]
fn streams_of_bytes() {
    let (one, two) = (0x0102_0304_0506_0708_u64.to_le_bytes(), u64::MAX.to_le_bytes());
    let split: Vec<u8> = (0..8).flat_map(|at| [one[at], two[at]]).collect();
    assert_eq!(numbers(Encoding::BYTE_STREAM_SPLIT, &split, first(2)).unwrap(), [0x0102_0304_0506_0708, u64::MAX]);
    assert_eq!(numbers(Encoding::BYTE_STREAM_SPLIT, &split, first(1)).unwrap(), [0x0102_0304_0506_0708]);
    assert_eq!(numbers(Encoding::BYTE_STREAM_SPLIT, &split, Wanted { skip: 1, count: 1 }).unwrap(), [u64::MAX]);
    assert_eq!(numbers(Encoding::BYTE_STREAM_SPLIT, &split, first(3)), None);
}

#[test]
fn codes_are_met_one_by_one_as_all_at_once() {
    let codes: Vec<usize> = (0..300).map(|at| at * 7 % 11).collect();
    for width in [4, 5, 9, 17] {
        let mut packed = vec![0_u8; (304 * width) / 8];
        for (at, code) in codes.iter().enumerate() {
            (0..width)
                .filter(|bit| code >> bit & 1 == 1)
                .for_each(|bit| packed[(at * width + bit) / 8] |= 1 << ((at * width + bit) % 8));
        }
        // Thirty-eight eights in one run.
        let bytes = Bytes::from([&[width as u8, 38 << 1 | 1], &packed[..]].concat());
        let entries: Vec<bool> = (0..16).map(|code| code % 3 == 0).collect();
        for wanted in [Wanted { skip: 0, count: 300 }, Wanted { skip: 5, count: 260 }, Wanted { skip: 64, count: 1 }] {
            for asked in [u64::MAX, 0x8000_0000_0100_0001, 0] {
                let met = Packed::new(&bytes, 0, wanted).unwrap().met(&entries, |_| asked).unwrap();
                let own = &codes[wanted.skip..wanted.skip + wanted.count];
                let all: Vec<bool> = own.iter().map(|code| entries[*code]).collect();
                let met: Vec<bool> = (0..met.len()).map(|at| met.get(at)).collect();
                match asked {
                    u64::MAX => assert_eq!(met, all, "{width} bits, {wanted:?}"),
                    0 => assert!(met.iter().all(|met| !met)),
                    _ => assert!(met.iter().zip(&all).all(|(met, all)| !met || *all), "{width} bits, {wanted:?}"),
                }
            }
        }
    }
}
