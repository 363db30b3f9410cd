use clew_model::scan::{AttributeScope, Condition, Extent, Field, Op};
use clew_model::{Attribute, SpanId, Test, TraceId, Value};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::bloom::{self, Bloom, KeyHash};
use super::ids::IdsBuilder;
use super::*;
use crate::{AttributeType, draw};

fn names() -> Names {
    let operation = |service, name: &str| Operation { service, name: name.to_owned() };
    let key = |scope, key: &str, value_type| Key { scope, key: key.to_owned(), value_type };
    Names {
        services: vec!["api".to_owned(), "web".to_owned()],
        operations: vec![operation(0, "GET /"), operation(0, "PUT /"), operation(1, "")],
        keys: vec![
            key(AttributeScope::Span, "a", AttributeType::String),
            key(AttributeScope::Span, "a", AttributeType::Int),
            key(AttributeScope::Resource, "a", AttributeType::Json),
        ],
        tenants: vec![vec![0, 2], vec![1]],
    }
}

fn groups() -> Groups {
    let zone = Some(Zone { start_unix_nanos: 3, end_unix_nanos: 9 });
    let first = Group {
        row_count: 7,
        zone,
        has_odd: true,
        duration_nanos: (0, u64::MAX),
        durations_nanos: vec![(0, 0), (9, 70), (3, u64::MAX), (5, 5)],
        error_count: 2,
        services: vec![0, 1],
        keys: vec![0, 2],
        bloom: 0..64,
        bloom_checksum: 5,
    };
    Groups { zone_rows: 2, groups: vec![first.clone(), Group { zone: None, services: vec![], keys: vec![1], ..first }] }
}

fn traces() -> Traces {
    let trace = |number: u64| TraceSummary {
        extent: Extent { start_unix_nanos: number * 1000, end_unix_nanos: u64::MAX - number, is_odd: number % 2 == 1 },
        root_operation: number as u32 % 3,
        root_span_id: SpanId::from_u64(number),
        span_count: 1 << number,
        error_count: number as u32,
        root_seen: number.is_multiple_of(3),
        service_set: number as u32 % 2,
    };
    Traces { traces: (0..30).map(trace).collect(), service_sets: vec![vec![0, 1], vec![1]] }
}

#[test]
fn sections_come_back() {
    let names = names();
    assert_eq!(Names::decode(&names.encode()), Ok(names.clone()));
    assert_eq!(Groups::decode(&groups().encode(), &names), Ok(groups()));
    let (written, read) = (traces(), Summaries::decode(traces().encode()).unwrap());
    assert_eq!((0..).map_while(|number| read.trace(number)).collect::<Vec<_>>(), written.traces);
    assert!(written.traces.iter().map(|trace| &trace.extent).eq(read.extents()));
    let summary = read.summary(3, TraceId::default(), &names).unwrap();
    assert_eq!((summary.span_count, summary.error_count, summary.services), (8, 3, vec!["web".to_owned()]));
    let requests = Requests { requests: vec![Request { hash: u128::MAX - 3, received_unix_nanos: 7 }; 3] };
    assert_eq!(Requests::decode(&requests.encode()), Ok(requests));
    let sums = Sums { file_bytes: PIECE_BYTES as u64 + 1, sums: vec![7, 9] };
    assert_eq!(Sums::decode(&sums.encode()), Ok(sums));
    assert_eq!(names.services_of(0), ["api", "web"]);
    assert_eq!(names.services_of(1), ["api"]);
    assert_eq!(names.operations_of(0, "api"), ["GET /"]);
    assert_eq!(names.operations_of(1, "web"), [""; 0]);
    assert_eq!(names.services_of(2), [""; 0]);
}

#[test]
fn a_sidecar_is_its_sections() {
    let plain = b"as it is".to_vec();
    let packed = vec![7; 100_000];
    let side = SideBytes::of(vec![
        Packed::new(SectionId::Ids, Codec::Plain, plain.clone()),
        Packed::new(SectionId::Names, Codec::Zstd, packed.clone()),
    ])
    .into_vec();
    let header = Header::decode(&side[..side.len().min(Header::BYTES_MAX)]).unwrap();
    for (id, expected) in [(SectionId::Ids, &plain), (SectionId::Names, &packed)] {
        let section = header.section(id).unwrap();
        let stored = &side[section.offset as usize..section.range().end as usize];
        assert_eq!(section.unpack(stored).unwrap().as_ref(), expected);
        assert!(section.unpack(&stored[1..]).is_err());
        let mut damaged = stored.to_vec();
        damaged[3] ^= 1;
        assert_eq!(section.unpack(&damaged).unwrap_err().problem, "its checksum does not match");
        // A header whose checksum holds may still lie about the length: what is unpacked stays within it.
        for plain_bytes in [0, 10, u64::MAX] {
            assert!(
                plain_bytes == section.plain_bytes
                    || Section { plain_bytes, ..*section }.unpack(stored).is_err()
                    || id == SectionId::Ids
            );
        }
    }
    assert_eq!(header.section(SectionId::Blooms), None);
    for at in 0..Header::decode(&side).map(|_| 17 + 2 * 36 + 4).unwrap() {
        let mut damaged = side.clone();
        damaged[at] ^= 0x10;
        assert!(Header::decode(&damaged).is_err(), "byte {at}");
        assert!(Header::decode(&side[..at]).is_err(), "{at} bytes");
    }
    let mut newer = side.clone();
    newer[9] = 2;
    assert_eq!(Header::decode(&newer).unwrap_err().problem, "its version is newer than this clew knows");
}

proptest! {
    #[test]
    fn damaged_sections_are_errors_or_something_else(
        hits in vec((any::<Index>(), any::<u8>()), 1..4),
        cut in any::<Index>(),
    ) {
        let names = names();
        for mut plain in [names.encode(), groups().encode(), traces().encode(), vec![255; 40]] {
            for (at, byte) in &hits {
                let at = at.index(plain.len());
                plain[at] = *byte;
            }
            for plain in [&plain[..], &plain[..cut.index(plain.len())]] {
                if let Ok(read) = Names::decode(plain) {
                    prop_assert!(read.operations.iter().all(|one| (one.service as usize) < read.services.len()));
                }
                if let Ok(read) = Groups::decode(plain, &names) {
                    prop_assert!(read.groups.iter().flat_map(|one| &one.services).all(|code| *code < 2));
                }
                if let Ok(read) = Summaries::decode(plain.to_vec()) {
                    let count = read.extents().len();
                    prop_assert!((0..=count).filter_map(|at| read.summary(at, TraceId::default(), &names)).count() <= count);
                }
                let _ = (Fence::decode(plain), Sums::decode(plain), Requests::decode(plain));
            }
        }
    }

    #[test]
    fn ids_are_found_through_the_fence(tenants in vec(vec(any::<[u8; 3]>(), 0..200), 1..4), asked in any::<[u8; 3]>()) {
        let id = |bytes: [u8; 3]| TraceId::from_slice(&[bytes, bytes, bytes, bytes, bytes].concat().into_iter().chain([1]).collect::<Vec<_>>()).unwrap();
        let mut builder = IdsBuilder::default();
        let mut next = 0;
        let mut expected = Vec::new();
        for ids in &tenants {
            builder.tenant();
            let ids: std::collections::BTreeSet<_> = ids.iter().map(|bytes| id(*bytes)).collect();
            let rows: Vec<_> = ids.iter().map(|trace_id| {
                let rows = next..next + 1 + u32::from(trace_id.0[0]);
                next = rows.end;
                builder.push(*trace_id, rows.clone());
                TraceRows { trace_id: *trace_id, rows }
            }).collect();
            expected.push(rows);
        }
        let (ids, fence) = builder.finish();
        let fence = Fence::decode(&fence).unwrap();
        for (tenant, expected) in expected.iter().enumerate() {
            let read = |place: &ids::SlicePlace| Slice::decode(place, &ids[place.bytes.start as usize..place.bytes.end as usize]).unwrap();
            prop_assert_eq!(fence.trace_count(tenant), expected.len());
            let all: Vec<_> = fence.slices(tenant).flat_map(|place| read(&place).traces().collect::<Vec<_>>()).collect();
            prop_assert_eq!(&all, expected);
            for (at, trace) in expected.iter().enumerate() {
                let place = fence.slice_of(tenant, trace.trace_id).unwrap();
                let (in_slice, rows) = read(&place).find(trace.trace_id).unwrap();
                prop_assert_eq!((place.first_trace + in_slice, &rows), (at, &trace.rows));
            }
            let asked = id(asked);
            let found = fence.slice_of(tenant, asked).and_then(|place| read(&place).find(asked));
            prop_assert_eq!(found.is_some(), expected.iter().any(|trace| trace.trace_id == asked));
        }
        prop_assert_eq!(fence.slice_of(tenants.len(), id(asked)), None);
        if let Some(place) = fence.slices(0).next() {
            let mut damaged = ids[place.bytes.start as usize..place.bytes.end as usize].to_vec();
            damaged[5] ^= 1;
            prop_assert!(Slice::decode(&place, &damaged).is_err());
        }
    }

    #[test]
    fn a_filter_never_denies_what_a_condition_accepts(
        stored in vec(draw::value(), 1..6),
        asked in draw::value(),
        as_stored in any::<Option<Index>>(),
        as_text in any::<bool>(),
        op in select(vec![Op::Eq, Op::Ne, Op::Lt, Op::Le, Op::Gt, Op::Ge, Op::TextEq, Op::Exists]),
    ) {
        let mut value = as_stored.map_or(asked, |at| stored[at.index(stored.len())].clone());
        if as_text {
            value = Value::String(value.to_string());
        }
        let mut types: Vec<_> = stored.iter().map(|value| AttributeType::of(value.into())).collect();
        types.sort_unstable();
        types.dedup();
        let keys = types.iter().map(|value_type| Key { scope: AttributeScope::Span, key: "k".to_owned(), value_type: *value_type });
        let names = Names { keys: keys.collect(), ..Names::default() };
        let group = Group { keys: (0..types.len() as u32).collect(), ..Group::default() };
        let hashes: Vec<_> = stored.iter().filter_map(|value| KeyHash::new("k").with(value.into())).collect();
        let mut filter = Vec::new();
        Bloom::of(hashes.into_iter()).encode(&mut filter);
        let condition = |scope| Condition { field: Field::Attribute { scope, key: "k".to_owned() }, op, value: value.clone() };
        let condition = [condition(AttributeScope::Any), condition(AttributeScope::Span), condition(AttributeScope::Resource)];
        let test = Test::new(&condition[0]);
        let is_met = stored.iter().any(|value| test.is_met_by(value.into()));
        for condition in &condition[..2] {
            let probe = Probe::new(condition).unwrap();
            prop_assert!(!is_met || probe.may_meet_filtered(&group, &names, &filter));
            prop_assert!(!is_met || probe.may_meet(&group, &names));
        }
        prop_assert!(!Probe::new(&condition[2]).unwrap().may_meet(&group, &names), "no resource has the key");
    }
}

#[test]
fn filters_deny_most_of_what_is_absent() {
    let hash = |number: i64| KeyHash::new("k").with((&Value::Int(number)).into()).unwrap();
    let mut filter = Vec::new();
    Bloom::of((0..10_000).map(hash).collect::<Vec<_>>().into_iter()).encode(&mut filter);
    assert!((0..10_000).all(|number| bloom::may_hold(&filter, hash(number))));
    let wrong = (10_000..110_000).filter(|number| bloom::may_hold(&filter, hash(*number))).count();
    assert!(wrong < 1000, "{wrong} of 100000 absent ones seem to be there");
    assert!(filter.len() < 10_000 * 12 / 8 + 64);
    assert!(bloom::may_hold(&[], hash(1)), "no filter denies nothing");
}

#[test]
fn types_are_told_apart() {
    let attribute = Attribute::new("k", 1_i64);
    let hashes: Vec<_> = [Value::Int(1), Value::Bool(true), Value::Double(1.0), Value::from("1")]
        .iter()
        .filter_map(|value| KeyHash::new(&attribute.key).with(value.into()))
        .collect();
    assert_eq!(hashes.len(), 4);
    assert!((1..4).all(|at| !hashes[..at].contains(&hashes[at])));
    assert_ne!(KeyHash::new("a").with((&attribute.value).into()), KeyHash::new("b").with((&attribute.value).into()));
}
