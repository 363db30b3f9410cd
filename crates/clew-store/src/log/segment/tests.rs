use super::super::frame::{Place, write_batch, write_marker};
use super::*;
use crate::testing;

/// A segment with groups of these sizes, each synced before the next, and zeros behind it; and where batches begin and the
/// last one ends.
fn segment(first: u64, groups: &[usize], marker: bool) -> (Vec<u8>, Vec<usize>) {
    let mut bytes = segment_header(first, 5).to_vec();
    let (mut starts, mut sequence) = (Vec::new(), 0);
    for group in groups {
        let synced = first + bytes.len() as u64;
        for _ in 0..*group {
            sequence += 1;
            starts.push(bytes.len());
            let place = Place { position: first + bytes.len() as u64, sequence, synced };
            write_batch(&mut bytes, place, &testing::batch(sequence, 1 + sequence % 2));
        }
    }
    starts.push(bytes.len());
    if marker {
        let position = first + bytes.len() as u64;
        write_marker(&mut bytes, Place { position, sequence: sequence + 1, synced: position });
    }
    bytes.resize(bytes.len() + 300, 0);
    (bytes, starts)
}

fn scan(bytes: Vec<u8>, first: u64, next_first: Option<u64>) -> Vec<Found> {
    let mut scan = Scan::new(bytes.into(), first, next_first, 0);
    let mut all = Vec::new();
    while let Some(found) = scan.step().unwrap() {
        all.push(found);
    }
    all
}

/// The hashes of the batches, and how many ranges are damaged and torn.
fn tally(all: &[Found]) -> (Vec<u64>, usize, usize) {
    let mut hashes = Vec::new();
    let (mut damaged, mut torn) = (0, 0);
    for found in all {
        match found {
            Found::Batch { header, stored, .. } => {
                let sent = testing::batch(header.body_hash as u64, header.span_count.into());
                assert_eq!(*stored, sent.stored, "never a wrong byte");
                hashes.push(header.body_hash as u64);
            }
            Found::Damaged { .. } => damaged += 1,
            Found::Torn { .. } => torn += 1,
            Found::Filler { .. } => {}
        }
    }
    (hashes, damaged, torn)
}

#[test]
fn what_was_written_is_found() {
    let (bytes, starts) = segment(1000, &[2, 1, 3], true);
    assert_eq!(tally(&scan(bytes.clone(), 1000, None)), ((1..=6).collect(), 0, 0));
    let mut scan = Scan::new(bytes.into(), 1000, None, 0);
    while scan.step().unwrap().is_some() {}
    assert_eq!((scan.offset(), scan.sequence()), ((starts[6] + SHARED_BYTES) as u64, 7));
}

#[test]
fn every_flipped_bit_of_synced_bytes_is_damage_and_the_rest_is_read() {
    let (bytes, starts) = segment(0, &[2, 1, 1], true);
    let end = starts[4];
    for at in 0..end {
        let bit = at % 8;
        let mut flipped = bytes.clone();
        flipped[at] ^= 1 << bit;
        let (hashes, damaged, torn) = tally(&scan(flipped.clone(), 0, None));
        assert_eq!((damaged, torn), (1, 0), "byte {at}");
        let hit = starts.iter().rposition(|start| *start <= at).map(|index| index as u64 + 1);
        let expected: Vec<u64> = (1..=4).filter(|number| Some(*number) != hit).collect();
        assert_eq!(hashes, expected, "byte {at}");
        // With a segment after it, the same, and its own end is known.
        let (with_next, damaged, torn) = tally(&scan(flipped, 0, Some((end + SHARED_BYTES) as u64)));
        assert_eq!((with_next, damaged, torn), (expected, 1, 0), "byte {at}");
    }
}

#[test]
fn without_a_later_word_that_it_was_synced_a_bad_frame_is_a_torn_tail() {
    let (bytes, starts) = segment(0, &[1, 2], false);
    for at in starts[1]..starts[3] {
        let mut flipped = bytes.clone();
        flipped[at] ^= 1;
        let (hashes, damaged, torn) = tally(&scan(flipped, 0, None));
        let expected = if at < starts[2] { vec![1] } else { vec![1, 2] };
        assert_eq!((hashes, damaged, torn), (expected, 0, 1), "byte {at}");
    }
}

#[test]
fn every_truncation_leaves_whole_frames_only() {
    let (bytes, starts) = segment(0, &[1, 1, 2], true);
    let end = starts[4] + SHARED_BYTES;
    for length in 0..end {
        let (hashes, damaged, _) = tally(&scan(bytes[..length].to_vec(), 0, None));
        let whole = starts.iter().skip(1).filter(|start| **start <= length).count();
        assert_eq!(hashes.len(), whole, "cut at {length}");
        assert_eq!(damaged, usize::from(length < SEGMENT_HEADER_BYTES), "cut at {length}");
        // With a segment after it, whatever is missing is damage.
        let (hashes, damaged, torn) = tally(&scan(bytes[..length].to_vec(), 0, Some(end as u64)));
        assert_eq!((hashes.len(), torn), (whole, 0));
        assert!(damaged >= 1, "cut at {length}");
    }
}

#[test]
fn stale_frames_of_a_failed_write_are_never_taken() {
    let (mut bytes, starts) = segment(0, &[1], false);
    bytes.truncate(starts[1]);
    let position = bytes.len() as u64;
    // A group of two was refused on a full disk; the next, shorter one took its place and higher numbers.
    let mut stale = Vec::new();
    for sequence in [2, 3] {
        let place = Place { position: position + stale.len() as u64, sequence, synced: position };
        write_batch(&mut stale, place, &testing::batch(sequence, 1));
    }
    let mut fresh = Vec::new();
    write_batch(&mut fresh, Place { position, sequence: 4, synced: position }, &testing::batch(4, 1));
    assert_eq!(fresh.len() * 2, stale.len(), "the stale frame stands where the next one would");
    bytes.extend(&fresh);
    bytes.extend(&stale[fresh.len()..]);
    assert_eq!(tally(&scan(bytes, 0, None)), (vec![1, 4], 0, 1));
}

#[test]
fn a_body_that_holds_a_frame_is_not_taken_apart() {
    let (inner, _) = segment(0, &[1], true);
    let mut outer = testing::batch(1, 1);
    outer.stored = inner.into();
    let mut bytes = segment_header(0, 5).to_vec();
    write_batch(&mut bytes, Place { position: 32, sequence: 1, synced: 32 }, &outer);
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    let found = scan(bytes, 0, None);
    assert_eq!((found.len(), tally(&found).2), (1, 1), "{found:?}");
}

#[test]
fn damage_names_what_it_held() {
    let (mut bytes, starts) = segment(0, &[1, 1], true);
    bytes[starts[1] - 1] ^= 1;
    let found = scan(bytes, 0, None);
    let Found::Damaged { range, held, error } = &found[0] else { panic!("{found:?}") };
    assert_eq!(*range, starts[0] as u64..starts[1] as u64);
    assert_eq!(*error, FrameError::BodyDamaged);
    assert_eq!(held.as_ref().unwrap().span_count, 2);
}

#[test]
fn newer_segments_and_frames_are_refused() {
    let mut bytes = segment(0, &[1], false).0;
    bytes[8] = 2;
    let crc = crc32c::crc32c(&bytes[..28]);
    bytes[28..32].copy_from_slice(&crc.to_le_bytes());
    assert_eq!(Scan::new(bytes.into(), 0, None, 0).step(), Err(Newer(2)));
}

#[test]
fn before_what_the_disk_did_not_give_there_is_neither_an_end_nor_a_torn_tail() {
    let (bytes, starts) = segment(0, &[1, 1], false);
    let (end, length) = (starts[2], bytes.len());
    let scan_all = |from: usize, to: usize| {
        let mut bytes = bytes.clone();
        bytes[from..to].fill(0);
        let mut scan = Scan::new(bytes.into(), 0, None, 0).unreadable_until(to as u64);
        let all: Vec<Found> = std::iter::from_fn(|| scan.step().unwrap()).collect();
        (tally(&all), scan.offset() as usize)
    };
    assert_eq!(scan_all(end, length), ((vec![1, 2], 1, 0), length), "there may have been more");
    assert_eq!(scan_all(starts[1], end), ((vec![1], 1, 0), end), "the last frame");
    assert_eq!(scan_all(starts[0], starts[1]), ((vec![2], 1, 0), end), "the first frame");
    assert_eq!(scan_all(0, length), ((vec![], 2, 0), length), "everything");
}

#[test]
fn names_sort_as_positions_do() {
    assert_eq!(segment_name(42), "00000000000000000042.seg");
    assert_eq!(segment_first(&segment_name(u64::MAX >> 1)), Some(u64::MAX >> 1));
    for other in
        ["18446744073709551615.seg", "42.seg", "next.tmp", "0000000000000000004x.seg", "99999999999999999999.seg"]
    {
        assert_eq!(segment_first(other), None, "{other}");
    }
}
