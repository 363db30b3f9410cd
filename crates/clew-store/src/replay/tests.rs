use super::*;
use crate::live::Live;
use crate::log::frame::{self, BatchHeader, Place, SHARED_BYTES};
use crate::testing;

fn replayed(number: u64) -> Replayed {
    let batch = testing::batch(number, 3);
    let mut bytes = Vec::new();
    frame::write_batch(&mut bytes, Place { position: 0, sequence: 1, synced: 0 }, &batch);
    let header_bytes = bytes.len() - batch.stored.len();
    assert!(header_bytes > SHARED_BYTES);
    let header = BatchHeader::read(&bytes[..header_bytes]).unwrap();
    Replayed { segment: format!("segment {number}"), offset: 32, position: 32, header, stored: batch.stored }
}

#[test]
fn l6_a_batch_that_makes_a_thread_panic_is_damage_and_takes_no_other_with_it() {
    for is_alone in [false, true] {
        takes_no_other_with_it(is_alone);
    }
}

fn takes_no_other_with_it(is_alone: bool) {
    let generation = Arc::new(Generation::new(Live::new(2), 0));
    let mut batches = Vec::new();
    for number in 1..=3 {
        let mut replayed = replayed(number);
        if number == 2 {
            // No frame reads like this, and the live head relies on that.
            replayed.header.tenants.names.clear();
        }
        batches.push(replayed);
    }
    let batches = Mutex::new(batches);
    let unreadable = Mutex::new(Vec::new());
    insert(&[Arc::clone(&generation)], is_alone, |taken| taken.append(&mut batches.lock().unwrap()), &unreadable);
    let unreadable = unreadable.into_inner().unwrap();
    assert_eq!((generation.live.span_count(), unreadable.len()), (6, 1));
    let Unreadable { damage, body_hash, span_count, .. } = &unreadable[0];
    assert_eq!((damage.segment.as_str(), *body_hash, *span_count), ("segment 2", 2, 3));
    assert!(damage.what.contains("failed"), "{damage}");
    generation.cut(100);
    assert!(generation.is_complete(), "what is damaged is told, and the rest can be sealed");
}
