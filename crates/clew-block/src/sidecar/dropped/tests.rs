use std::collections::BTreeSet;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use super::*;
use crate::sidecar::{Codec, Header, Packed, SectionId, SideBytes};

fn of(number: u64) -> Fingerprint {
    Fingerprint::of(&Tenant::default(), TraceId(u128::from(number).to_be_bytes()))
}

/// The section of these traces, by the hour.
fn section(traces: &[(u32, u64)]) -> Dropped {
    let mut builder = DroppedBuilder::default();
    for (hour, number) in traces {
        builder.push(*hour, of(*number));
    }
    builder.finish().unwrap_or_default()
}

/// Of several hours, with more than one fingerprint in some bucket.
fn some() -> Dropped {
    let mut builder = DroppedBuilder::default();
    for low in [3, 9, 0xff_ffff] {
        builder.push(7, Fingerprint::from_parts(5, low));
        builder.push(9, Fingerprint::from_parts(u16::MAX, low));
    }
    builder.push(9, Fingerprint::from_parts(0, 0));
    builder.finish().unwrap()
}

#[test]
fn fingerprints_are_what_they_were() {
    // Written in files: other numbers are another section. By a second implementation, in Python.
    let acme = Tenant::new("acme").unwrap();
    let long = Tenant::new("a-name-of-more-than-8-bytes").unwrap();
    let id = TraceId([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]);
    assert_eq!(Fingerprint::of(&acme, id).0, [26, 148, 236, 143, 113]);
    assert_eq!(Fingerprint::of(&long, id).0, [210, 11, 75, 69, 158]);
    assert_eq!(of(1).0, [161, 202, 70, 6, 254]);
}

#[test]
fn traces_have_fingerprints_of_their_own() {
    // Low and high halves that are alike, and the same ids under several tenants.
    let tenants = ["default", "acme", "acme-", "a"].map(|name| Tenant::new(name).unwrap());
    let mut seen = BTreeSet::new();
    for number in 0..25_000_u128 {
        for id in [number + 1, (number + 1) << 64] {
            seen.extend(tenants.iter().map(|tenant| Fingerprint::of(tenant, TraceId(id.to_be_bytes()))));
        }
    }
    // Of 200 thousand about 0.02 pairs are expected to be alike.
    assert!(seen.len() >= 200_000 - 2, "{}", seen.len());
    let buckets: BTreeSet<u16> = seen.iter().map(|one| one.bucket()).collect();
    assert!(buckets.len() > 60_000, "{} buckets", buckets.len());
}

#[test]
fn many_take_about_three_bytes_each_and_others_are_hardly_ever_found() {
    let mut builder = DroppedBuilder::default();
    (0..400_000).for_each(|number| builder.push(3, of(number)));
    let dropped = builder.finish().unwrap();
    assert!((0..400_000).all(|number| dropped.holds(of(number), 0)));
    // Some 0.15 of as many that are not there.
    let wrong = (400_000..800_000).filter(|number| dropped.holds(of(*number), 0)).count();
    assert!(wrong < 4, "{wrong}");
    let bytes = dropped.encode().len();
    assert!(bytes < 400_000 * 3 + 65_536 * 6 + 17, "{bytes}");
}

#[test]
fn beyond_the_limit_whole_hours_are_forgotten_the_oldest_first() {
    let mut builder = DroppedBuilder::with_limit(5);
    (0..3).for_each(|number| builder.push(7, of(number)));
    (3..6).for_each(|number| builder.push(8, of(number)));
    // Of an hour before there is no room, nor of the last one once it has all the room.
    builder.push(7, of(6));
    (7..11).for_each(|number| builder.push(8, of(number)));
    assert_eq!(builder.lost_count(), 3 + 1 + 2);
    let dropped = builder.finish().unwrap();
    let held = (0..11).filter(|number| dropped.holds(of(*number), 0)).collect::<Vec<_>>();
    assert_eq!((held, dropped.count()), (vec![3, 4, 5, 7, 8], 5));
}

#[test]
fn damage_is_found() {
    let plain = some().encode();
    let side = SideBytes::of(vec![Packed::new(SectionId::Dropped, Codec::Plain, plain.clone())]).into_vec();
    let section = *Header::decode(&side).unwrap().section(SectionId::Dropped).unwrap();
    let stored = &side[section.offset as usize..section.range().end as usize];
    for at in 0..plain.len() {
        assert!(Dropped::decode(plain[..at].to_vec()).is_err(), "{at} bytes");
        for bit in 0..8 {
            let mut damaged = stored.to_vec();
            damaged[at] ^= 1 << bit;
            assert!(section.unpack(&damaged).is_err(), "byte {at}, bit {bit}");
        }
    }
    // What a checksum does not tell: numbers that do not rise, and ends that lead elsewhere.
    let wrong = |from: usize, bytes: &[u8]| {
        let mut plain = plain.clone();
        plain[from..from + bytes.len()].copy_from_slice(bytes);
        Dropped::decode(plain).unwrap_err().problem
    };
    let first_low = 4 + 12 + 6;
    let second = first_low + 9 + 12;
    assert_eq!(plain[second..second + 4], [0, 0, 255, 255], "its two buckets");
    assert_eq!(wrong(4, &[9]), "its hours do not rise");
    assert_eq!(wrong(0, &[1]), "there are bytes after its end");
    let unsorted = "its fingerprints are not sorted";
    assert_eq!(wrong(first_low, &[9]), unsorted);
    assert_eq!(wrong(4 + 12 + 2, &[2]), unsorted);
    assert_eq!(wrong(second, &[255, 255]), unsorted);
    assert_eq!(wrong(second + 4, &[0]), unsorted);
}

proptest! {
    #[test]
    fn what_was_pushed_is_there(traces in vec((0_u32..5, 0_u64..200), 0..300), since in 0_u32..6) {
        let (dropped, naive): (_, BTreeSet<(u32, u64)>) = (section(&traces), traces.iter().copied().collect());
        let read = if naive.is_empty() { Dropped::default() } else { Dropped::decode(dropped.clone().encode()).unwrap() };
        prop_assert_eq!(&read, &dropped);
        prop_assert_eq!(read.count(), naive.len());
        for number in 0..200 {
            let is_there = naive.iter().any(|(hour, other)| *hour >= since && *other == number);
            prop_assert_eq!(read.holds(of(number), since), is_there);
        }
    }

    #[test]
    fn several_become_one_without_what_is_over(
        parts in vec(vec((0_u32..5, 0_u64..200), 1..100), 0..4),
        since in 0_u32..6,
    ) {
        let mut builder = DroppedBuilder::default();
        for part in &parts {
            builder.add(&section(part), since);
        }
        let young: Vec<(u32, u64)> = parts.concat().into_iter().filter(|(hour, _)| *hour >= since).collect();
        prop_assert_eq!(builder.finish(), (!young.is_empty()).then(|| section(&young)));
    }

    #[test]
    fn hostile_bytes_are_errors_or_something_else(
        hits in vec((any::<Index>(), any::<u8>()), 0..6),
        cut in any::<Index>(),
        noise in vec(any::<u8>(), 0..80),
    ) {
        let mut plain = some().encode();
        for (at, byte) in &hits {
            let at = at.index(plain.len());
            plain[at] = *byte;
        }
        let short = plain[..cut.index(plain.len())].to_vec();
        for plain in [plain, short, noise, vec![255; 40]] {
            if let Ok(read) = Dropped::decode(plain) {
                let all: Vec<_> = read.each().collect();
                prop_assert!(all.iter().all(|(hour, one)| read.holds(*one, *hour)));
                prop_assert!(all.is_sorted_by(|one, next| one < next) && all.len() == read.count());
            }
        }
    }
}
