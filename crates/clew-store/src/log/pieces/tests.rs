use super::super::frame::{Place, write_batch, write_gap, write_marker};
use super::super::segment::{Found, SEGMENT_HEADER_BYTES, segment_header, segment_name};
use super::*;
use crate::port::MemoryDisk;
use crate::testing;

/// A segment at position 0: batches, a gap, a marker, and zeros behind them; and where its frames end.
fn segment() -> (Vec<u8>, usize) {
    let mut bytes = segment_header(0, 5).to_vec();
    for sequence in 1..=5_u64 {
        let position = bytes.len() as u64;
        let synced = if sequence < 5 { position } else { 32 };
        let place = Place { position, sequence, synced };
        match sequence {
            3 => {
                write_gap(&mut bytes, place, 90);
                bytes.resize(bytes.len() + 90, 7);
            }
            4 => write_marker(&mut bytes, place),
            _ => write_batch(&mut bytes, place, &testing::batch(sequence, sequence)),
        }
    }
    let end = bytes.len();
    bytes.resize(end + 300, 0);
    (bytes, end)
}

/// What a scan finds, where it ends, and what it would write again.
type Read = (Vec<Found>, u64, u64, u64, Vec<u8>);

fn read(bytes: &[u8], next_first: Option<u64>, piece_bytes: u64) -> Read {
    let (disk, folder) = (MemoryDisk::default(), Path::new("data"));
    let name = segment_name(0);
    let path = segment_path(folder, &name);
    let mut open = disk.create(&path, bytes.len() as u64).unwrap();
    open.write_at(0, bytes).unwrap();
    let file = SegmentFile { name, first: 0, next_first, length: bytes.len() as u64 };
    let mut pieces = Pieces { piece_bytes, ..Pieces::new(file, 0) };
    let (mut memory, mut all) = (Memory::default(), Vec::new());
    loop {
        match pieces.scan.step().unwrap() {
            Some(found) => all.push(found),
            None if pieces.scan.is_starved() => pieces.read_on(folder, &disk, &mut memory),
            None => break,
        }
    }
    let (synced, end) = (pieces.scan.synced_offset(), pieces.scan.offset());
    let mut tail = Vec::new();
    let from = synced.max(SEGMENT_HEADER_BYTES as u64);
    for (offset, part) in pieces.tail(from..end) {
        assert_eq!(offset, from + tail.len() as u64, "without a hole, and nothing twice");
        tail.extend_from_slice(part);
    }
    (all, pieces.scan.sequence(), synced, end, tail)
}

#[test]
fn by_pieces_is_found_what_is_found_at_once() {
    let (bytes, end) = segment();
    let check = |bytes: &[u8], what: &str| {
        for next_first in [None, Some(end as u64)] {
            let whole = read(bytes, next_first, u64::MAX);
            for piece_bytes in [1, 33, 100, 250, 400] {
                assert_eq!(read(bytes, next_first, piece_bytes), whole, "{what}, pieces of {piece_bytes}");
            }
            if next_first.is_none() {
                let (_, _, synced, end, tail) = &whole;
                let range = (*synced as usize).max(SEGMENT_HEADER_BYTES)..bytes.len().min(*end as usize);
                assert_eq!(tail, bytes.get(range).unwrap_or(&[]), "{what}");
            }
        }
    };
    check(&bytes, "sound");
    assert_eq!(read(&bytes, None, 100).0.len(), 5);
    for at in 0..end {
        let mut flipped = bytes.clone();
        flipped[at] ^= 1 << (at % 8);
        check(&flipped, &format!("byte {at} flipped"));
        check(&bytes[..at], &format!("cut at {at}"));
    }
}

#[test]
fn memory_is_used_again_when_nobody_holds_it() {
    let mut memory = Memory::default();
    let mut bytes = memory.take();
    bytes.extend_from_slice(&[1; 1000]);
    let place = bytes.as_ptr();
    let held = memory.keep(bytes);
    assert!(memory.take().capacity() == 0, "somebody holds it");
    drop(held);
    let again = memory.take();
    assert!(again.is_empty() && again.as_ptr() == place);
}
