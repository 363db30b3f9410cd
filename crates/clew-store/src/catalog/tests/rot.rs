//! Damage: flipped bits, lost ends, lost files, sectors that cannot be read.

use super::super::codec::{
    CATALOG_VERSION, FILE_HEADER_BYTES, FRAME_HEADER_BYTES, FRAME_MAGIC, FileHeader, FrameKind, file_name, write_frame,
};
use super::*;

/// Where the frames of a file begin, markers too.
fn frames(bytes: &[u8]) -> Vec<usize> {
    let places = bytes.windows(FRAME_MAGIC.len()).enumerate();
    places.filter(|(_, window)| *window == FRAME_MAGIC).map(|(at, _)| at).collect()
}

/// Opens a damaged catalog, and expects that nothing is silent about it.
fn expect_told(disk: &FaultyDisk, states: &[State], place: &str) {
    let found = recover(Path::new(DATA_DIR), disk).unwrap();
    assert!(!found.damage.is_empty(), "{place}: silent");
    assert!(states.contains(&found.state), "{place}: {:?}", found.state);
    let damaged = found.damage.clone();
    let next_block = found.state.next_block;
    let (path, bytes) = only_file(disk);
    let catalog = open(disk).unwrap();
    assert_eq!(catalog.state().lost, damaged, "{place}");
    assert!(catalog.state().next_block > next_block + 1000, "{place}: lost blocks may have these names");
    let name = format!("catalog-{}", path.file_name().unwrap().to_str().unwrap());
    let aside = disk.read(&Path::new(DATA_DIR).join("aside").join(name), 0, usize::MAX).unwrap();
    assert_eq!(aside, bytes, "{place}");
    // The next start finds no new damage, and the loss is still told.
    let again = disk.restart(Crash { bytes: Kept::Nothing, names: false });
    let found = recover(Path::new(DATA_DIR), &again).unwrap();
    assert_eq!((&found.damage[..], &found.state), (&[][..], catalog.state()), "{place}");
}

#[test]
fn each_flipped_bit_is_told_or_hits_nothing() {
    let edits = edits(6);
    let states = states(&edits);
    let disk = disk_with(&edits);
    let (path, bytes) = only_file(&disk);
    let marker = *frames(&bytes).last().unwrap();
    let mut told = 0;
    for at in 0..bytes.len() {
        for bit in if at < marker + 100 { 0..8 } else { (at % 8) as u8..(at % 8) as u8 + 1 } {
            let disk = FaultyDisk::new(disk.memory().fork());
            disk.flip_bit(&path, at, bit);
            let found = recover(Path::new(DATA_DIR), &disk).unwrap();
            let place = format!("byte {at}, bit {bit}");
            if at >= marker {
                // The marker, or what stands behind it: no edit is hit.
                assert_eq!((&found.state, &found.damage[..]), (&states[6], &[][..]), "{place}");
                assert!(found.torn_bytes > 0, "{place}");
                assert_eq!(open(&disk).unwrap().state(), &states[6], "{place}");
                assert_eq!(only_file(&disk).1, bytes, "{place}: it is not mended");
            } else if bit == 0 {
                expect_told(&disk, &states, &place);
                told += 1;
            } else {
                assert!(!found.damage.is_empty() && states.contains(&found.state), "{place}");
            }
        }
    }
    assert!(told > 1000, "only {told}");
}

#[test]
fn each_lost_end_is_told() {
    let edits = edits(6);
    let states = states(&edits);
    let disk = disk_with(&edits);
    let (path, bytes) = only_file(&disk);
    for length in 0..bytes.len() {
        let disk = FaultyDisk::new(disk.memory().fork());
        disk.open(&path).unwrap().set_length(length as u64).unwrap();
        let found = recover(Path::new(DATA_DIR), &disk).unwrap();
        assert!(!found.damage.is_empty() && states.contains(&found.state), "{length} bytes are left");
        if length % 37 == 0 {
            disk.open(&path).unwrap().sync_data().unwrap();
            expect_told(&disk, &states, &format!("{length} bytes are left"));
        }
    }
}

/// What a disk does that forgets: zeros from some place on. Frames whose marker is gone too cannot be missed.
#[test]
fn zeros_in_place_of_any_stretch_are_told_unless_they_reach_the_end() {
    let edits = edits(6);
    let states = states(&edits);
    let disk = disk_with(&edits);
    let (path, bytes) = only_file(&disk);
    let marker = *frames(&bytes).last().unwrap();
    for at in (FILE_HEADER_BYTES..marker).step_by(17) {
        for length in [1, 64, 300] {
            let disk = FaultyDisk::new(disk.memory().fork());
            let end = (at + length).min(marker);
            if bytes[at..end].iter().all(|byte| *byte == 0) {
                continue;
            }
            disk.open(&path).unwrap().write_at(at as u64, &vec![0; end - at]).unwrap();
            let found = recover(Path::new(DATA_DIR), &disk).unwrap();
            assert!(!found.damage.is_empty() && states.contains(&found.state), "{length} zeros at {at}");
        }
    }
}

#[test]
fn a_rotten_last_edit_is_damage_with_its_marker_and_a_torn_tail_without() {
    let edits = edits(4);
    let states = states(&edits);
    let disk = disk_with(&edits);
    let (path, bytes) = only_file(&disk);
    let places = frames(&bytes);
    let [.., last, marker] = places[..] else { panic!("{places:?}") };
    for at in last..marker {
        let with = FaultyDisk::new(disk.memory().fork());
        with.flip_bit(&path, at, 3);
        let found = recover(Path::new(DATA_DIR), &with).unwrap();
        assert_eq!((&found.state, found.damage.len(), found.torn_bytes), (&states[3], 1, 0), "byte {at}");
        assert_eq!(found.damage[0].offset, last as u64);

        let without = FaultyDisk::new(with.memory().fork());
        without.open(&path).unwrap().write_at(marker as u64, &[0; FRAME_HEADER_BYTES]).unwrap();
        let mut found = recover(Path::new(DATA_DIR), &without).unwrap();
        assert_eq!((&found.state, &found.damage[..]), (&states[3], &[][..]), "byte {at}");
        assert_eq!(found.torn_bytes, (marker - last) as u64, "byte {at}");
        if at == last {
            // The log says that an edit is missing: nothing is cut.
            found.lose("the log begins later".to_owned());
            let catalog = Catalog::open(Path::new(DATA_DIR), Arc::new(without.clone()), FILE_BYTES, found).unwrap();
            assert_eq!((catalog.state().lost[0].offset, catalog.state().lost.len()), (last as u64, 1));
            let aside = without.list(&Path::new(DATA_DIR).join("aside")).unwrap();
            assert_eq!((aside.len(), aside[0].length), (1, bytes.len() as u64));
        }
    }
}

#[test]
fn bytes_behind_a_frame_that_can_be_trusted_are_more_than_a_torn_tail() {
    let disk = disk_with(&edits(4));
    let (path, bytes) = only_file(&disk);
    let [.., last, marker] = frames(&bytes)[..] else { panic!() };
    let mut file = disk.open(&path).unwrap();
    // The payload's last byte, and the marker's first one: a sector that rotted.
    file.write_at(marker as u64 - 1, b"xx").unwrap();
    let found = recover(Path::new(DATA_DIR), &disk).unwrap();
    assert_eq!((found.damage.len(), found.damage[0].offset), (1, last as u64));
}

#[test]
fn what_the_disk_cannot_read_is_damage_and_the_start_goes_on() {
    let edits = edits(6);
    let states = states(&edits);
    let disk = disk_with(&edits);
    let (path, bytes) = only_file(&disk);
    disk.set_unreadable(&path, 0..bytes.len() as u64);
    let found = recover(Path::new(DATA_DIR), &disk).unwrap();
    assert!(found.damage[0].what.contains("input/output error"), "{:?}", found.damage);
    assert_eq!(found.state, State::default());
    let mut catalog = open(&disk).unwrap();
    assert!(!catalog.state().lost.is_empty());
    assert_eq!(disk.list(&Path::new(DATA_DIR).join("aside")).unwrap().len(), 1);
    // A repair acknowledges it.
    let blocks = states[6].blocks.values().cloned().collect();
    catalog.replace(State::rebuild(blocks, None)).unwrap();
    let found = recover(Path::new(DATA_DIR), &disk).unwrap();
    assert_eq!((found.state.blocks, found.state.lost), (states[6].blocks.clone(), Vec::new()));
}

#[test]
fn an_older_file_stands_in_for_a_newest_that_tells_no_state() {
    let edits = edits(6);
    let states = states(&edits);
    let disk = disk_with(&edits);
    let mut newer = disk.create(&folder().join(file_name(2)), 4096).unwrap();
    newer.write_at(0, &FileHeader { number: 2, length: 4096 }.write()).unwrap();
    let found = recover(Path::new(DATA_DIR), &disk).unwrap();
    assert_eq!((&found.state, found.damage.len(), found.is_new), (&states[6], 1, false));
    let catalog = open(&disk).unwrap();
    assert_eq!(catalog.state().blocks, states[6].blocks);
    assert_eq!(disk.list(&folder()).unwrap()[0].name, file_name(3));
    assert_eq!(disk.list(&Path::new(DATA_DIR).join("aside")).unwrap()[0].name, format!("catalog-{}", file_name(2)));
}

#[test]
fn a_damaged_catalog_opens_on_a_full_disk_and_keeps_what_it_found() {
    let edits = edits(6);
    let disk = disk_with(&edits);
    let (path, bytes) = only_file(&disk);
    disk.flip_bit(&path, frames(&bytes)[4], 0);
    disk.set_full(true);
    let mut catalog = open(&disk).unwrap();
    assert_eq!(catalog.state().lost.len(), 1);
    let edit = Edit { sealed_through: Some(10_000), ..Edit::default() };
    assert_eq!(catalog.commit(edit.clone()), Err(CommitError::Full));
    assert_eq!(only_file(&disk).0, path, "what is damaged stays until the new file is there");
    disk.set_full(false);
    catalog.commit(edit).unwrap();
    assert_eq!(&recover(Path::new(DATA_DIR), &disk).unwrap().state, catalog.state());
}

#[test]
fn a_newer_version_is_refused_by_name() {
    let disk = disk_with(&edits(2));
    let (path, bytes) = only_file(&disk);
    let marker = *frames(&bytes).last().unwrap();
    let mut frame = Vec::new();
    write_frame(&mut frame, FrameKind::Edit, marker as u64, 900, b"{}");
    frame[4] = CATALOG_VERSION as u8 + 1;
    let crc = crc32c::crc32c_append(crc32c::crc32c(&frame[..8]), &frame[12..FRAME_HEADER_BYTES]);
    frame[8..12].copy_from_slice(&crc.to_le_bytes());
    disk.open(&path).unwrap().write_at(marker as u64, &frame).unwrap();
    let error = recover(Path::new(DATA_DIR), &disk).map(drop).unwrap_err();
    assert!(matches!(&error, OpenError::Newer { found, .. } if *found == CATALOG_VERSION + 1), "{error}");
    assert!(error.to_string().contains(&file_name(1)), "{error}");
}
