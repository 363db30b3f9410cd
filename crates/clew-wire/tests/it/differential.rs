//! Any body, sound or damaged, means to clew what it means to prost.

use clew_wire::otlp::{Limits, NoteCounts, decode_value};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use prost::Message;

use crate::generate::{damaged, damages, request};
use crate::oracle::verdict;
use crate::{kept, reasons};

/// Compares clew's reading of a body with the oracle's; says whether the body was readable.
fn compare(body: &[u8]) -> bool {
    let (found, expected) = (kept(body, Limits::default()), verdict(body));
    let (found, expected) = match (found, expected) {
        (Ok(found), Some(expected)) => (found, expected),
        (Err(_), None) => return false,
        (found, expected) => panic!("{body:x?}: clew says {found:?}, prost {expected:?}"),
    };
    let (admission, spans) = found;
    assert_eq!(admission.span_count, expected.span_count);
    assert_eq!(reasons(&admission), expected.rejected);
    // The text form, as numbers that are no numbers are not equal to themselves.
    assert_eq!(format!("{spans:#?}"), format!("{:#?}", expected.spans), "{body:x?}");
    let mut notes = NoteCounts::default();
    for span in &spans {
        notes.add(span.notes);
    }
    assert_eq!(admission.notes, notes, "admission counts the notes of exactly the spans that are shown");
    assert_eq!(admission.groups.iter().map(|group| group.span_count).sum::<u32>(), admission.span_count);
    true
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn sound_requests_mean_the_same(request in request()) {
        prop_assert!(compare(&request.encode_to_vec()));
    }

    #[test]
    fn damaged_requests_mean_the_same(request in request(), damages in prop::collection::vec(damages(), 6)) {
        let body = request.encode_to_vec();
        for damages in damages {
            let body = damaged(&body, &damages);
            compare(&body);
            // The real types refuse texts that are not UTF-8 besides, so what they take, clew takes.
            if ExportTraceServiceRequest::decode(&*body).is_ok() {
                prop_assert!(kept(&body, Limits::default()).is_ok());
            }
        }
    }

    /// What was read before helps to read what is like it, or nearly.
    #[test]
    fn spans_that_come_again_mean_the_same(mut request in request(), damages in prop::collection::vec(damages(), 6)) {
        for scope in request.resource_spans.iter_mut().flat_map(|resource| &mut resource.scope_spans) {
            scope.spans.extend_from_within(..);
        }
        let body = request.encode_to_vec();
        prop_assert!(compare(&body));
        for damages in damages {
            compare(&damaged(&body, &damages));
        }
    }

    #[test]
    fn noise_is_read_or_refused(body in prop::collection::vec(prop_oneof![0..32_u8, any::<u8>()], 0..64)) {
        compare(&body);
        // The same noise inside of a span, where it can only spoil that span.
        let mut inside = vec![0x0a, body.len() as u8 + 4, 0x12, body.len() as u8 + 2, 0x12, body.len() as u8];
        inside.extend_from_slice(&body);
        prop_assert!(compare(&inside));
        decode_value(&body);
    }

    #[test]
    fn messages_may_be_split_and_merge(a in request(), b in request()) {
        // The concatenation of two messages is their merge: of two requests, and of two groups.
        let concatenated = [a.encode_to_vec(), b.encode_to_vec()].concat();
        prop_assert!(compare(&concatenated));
        let groups: Vec<u8> = a.resource_spans.iter().chain(&b.resource_spans).flat_map(Message::encode_to_vec).collect();
        let mut body = vec![0x0a];
        prost::encode_length_delimiter(groups.len(), &mut body).unwrap();
        body.extend(groups);
        prop_assert!(compare(&body));
    }
}

#[test]
fn every_truncation_is_noticed() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    for _ in 0..40 {
        let request = request().new_tree(&mut runner).unwrap().current();
        let body = request.encode_to_vec();
        let ends: Vec<usize> = request
            .resource_spans
            .iter()
            .scan(0, |end, group| {
                let length = group.encoded_len();
                *end += 1 + prost::length_delimiter_len(length) + length;
                Some(*end)
            })
            .collect();
        for length in 0..body.len() {
            assert_eq!(compare(&body[..length]), length == 0 || ends.contains(&length), "{length}");
        }
    }
}

/// A field: its number, wire type 2, and its bytes.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    [&[number << 3 | 2, bytes.len() as u8], bytes].concat()
}

#[test]
fn what_a_later_field_replaces_leaves_no_note() {
    let bad_text = field(1, &field(1, b"\xff"));
    for replaced in [[field(5, &bad_text), field(6, b"")].concat(), [field(5, &bad_text), field(1, b"ok")].concat()] {
        for value in [replaced.clone(), field(5, &field(1, &replaced))] {
            let attribute = field(9, &[field(1, b"k"), field(2, &value)].concat());
            let start = [&[7 << 3 | 1][..], &1_759_999_999_000_000_000_u64.to_le_bytes()].concat();
            let span = [field(1, &[1; 16]), field(2, &[1; 8]), start, attribute].concat();
            assert!(compare(&field(1, &field(2, &field(2, &span)))));
        }
    }
}
