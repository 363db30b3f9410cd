//! What a state takes, and what a catalog does on a disk that behaves.

use super::*;

#[test]
fn an_edit_is_taken_whole_or_not_at_all() {
    let mut state = State::default();
    state.apply(Edit { added: vec![entry(1), entry(2)], sealed_through: Some(300), ..Edit::default() }).unwrap();
    assert_eq!((state.next_block, state.sealed_through), (3, 300));
    let before = state.clone();
    let bad = [
        (Edit { added: vec![entry(4), entry(1)], ..Edit::default() }, EditError::KnownBlock(BlockName(1))),
        (Edit { added: vec![entry(4), entry(4)], ..Edit::default() }, EditError::KnownBlock(BlockName(4))),
        (Edit { removed: vec![BlockName(1), BlockName(9)], ..Edit::default() }, EditError::UnknownBlock(BlockName(9))),
        (Edit { removed: vec![BlockName(1), BlockName(1)], ..Edit::default() }, EditError::UnknownBlock(BlockName(1))),
        (
            Edit { removed: vec![BlockName(1)], sealed_through: Some(299), ..Edit::default() },
            EditError::Unsealed { now: 300, edit: 299 },
        ),
        (
            Edit { forgotten_deletions: vec![deletion(1)], ..Edit::default() },
            EditError::UnknownDeletion(Tenant::default()),
        ),
    ];
    for (edit, error) in bad {
        assert_eq!(state.apply(edit), Err(error));
        assert_eq!(state, before);
    }
    let mut huge = entry(1);
    huge.meta.name = BlockName(u64::MAX);
    let edit = Edit { added: vec![huge], ..Edit::default() };
    assert_eq!(state.apply(edit), Err(EditError::BlockNumber(BlockName(u64::MAX))));

    let merge = Edit { added: vec![entry(7)], removed: vec![BlockName(1), BlockName(2)], ..Edit::default() };
    state.apply(merge).unwrap();
    assert_eq!(state.blocks.keys().copied().collect::<Vec<_>>(), [BlockName(7)]);
    for _ in 0..2 {
        state.apply(Edit { deletion: Some(deletion(3)), ..Edit::default() }).unwrap();
        assert_eq!(state.deletions, [deletion(3)], "the same deletion twice is one");
    }
    state.apply(Edit { forgotten_deletions: vec![deletion(3)], ..Edit::default() }).unwrap();
    assert_eq!(state.deletions, []);
    let lost = |what: &str| CatalogDamage { file: String::new(), offset: 0, what: what.to_owned() };
    state.apply(Edit { lost: vec![lost("a")], ..Edit::default() }).unwrap();
    state.apply(Edit { lost: vec![lost("b")], acknowledges_lost: true, ..Edit::default() }).unwrap();
    assert_eq!(state.lost, [lost("b")], "what is acknowledged was known before");
}

#[test]
fn what_blocks_tell_makes_a_state_that_passes_over_nothing() {
    let block = |number: u64, log: std::ops::Range<u64>, replaces: &[u64]| {
        let mut entry = entry(number);
        entry.meta.log = log;
        entry.meta.replaces = replaces.iter().map(|name| BlockName(*name)).collect();
        entry
    };
    let names = |state: &State| state.blocks.keys().map(|name| name.0).collect::<Vec<_>>();
    // 5 replaces 1 and 2, and 9 replaces 5; 3 and 4 overlap. One cannot replace itself or a newer one.
    let blocks = vec![
        block(3, 200..300, &[]),
        block(1, 0..100, &[]),
        block(9, 0..200, &[5, 9, 11]),
        block(5, 0..200, &[1, 2]),
        block(4, 250..350, &[]),
        block(11, 500..600, &[]),
    ];
    let state = State::rebuild(blocks.clone(), Some(0));
    assert_eq!(names(&state), [3, 4, 9, 11]);
    assert_eq!((state.sealed_through, state.next_block), (350, 12), "350 to 500 is in no block");
    assert_eq!(State::rebuild(blocks.clone(), Some(400)).sealed_through, 400, "what the log has lost is given up");
    assert_eq!(State::rebuild(blocks.clone(), Some(450)).sealed_through, 450);
    assert_eq!(State::rebuild(blocks.clone(), Some(500)).sealed_through, 600);
    assert_eq!(State::rebuild(blocks, None).sealed_through, 600);
    assert_eq!(State::rebuild(Vec::new(), None), State::default());
    assert_eq!(State::rebuild(vec![entry(4)], Some(0)).sealed_through, 0);
}

#[test]
fn edits_come_back_and_files_follow_each_other() {
    let edits = edits(60);
    let states = states(&edits);
    let disk = FaultyDisk::new(MemoryDisk::new());
    assert!(recover(Path::new(DATA_DIR), &disk).unwrap().is_new);
    let mut catalog = open(&disk).unwrap();
    for (index, edit) in edits.iter().enumerate() {
        let name = catalog.next_block();
        assert!(catalog.state().blocks.keys().all(|known| *known < name));
        catalog.commit(edit.clone()).unwrap();
        assert_eq!(catalog.state(), &states[index + 1]);
        let found = recover(Path::new(DATA_DIR), &disk).unwrap();
        assert_eq!((&found.state, found.torn_bytes, &found.damage[..]), (&states[index + 1], 0, &[][..]));
        if index % 7 == 0 {
            catalog = open(&disk).unwrap();
        }
    }
    let (path, bytes) = only_file(&disk);
    let number = super::super::codec::file_number(path.file_name().unwrap().to_str().unwrap()).unwrap();
    assert!(number > 3, "only {number} files");
    assert!(bytes.len() as u64 <= 4 * FILE_BYTES * 5, "{} bytes", bytes.len());
    let invalid = Edit { added: vec![entry(58)], removed: vec![BlockName(58)], ..Edit::default() };
    let effects = disk.effects().len();
    assert_eq!(catalog.commit(invalid), Err(EditError::KnownBlock(BlockName(58)).into()));
    assert_eq!((catalog.failure(), disk.effects().len()), (None, effects), "a wrong edit touches nothing");
}

#[test]
fn a_start_that_finds_all_well_writes_nothing() {
    let disk = disk_with(&edits(4));
    let before = disk.effects().len();
    let catalog = open(&disk).unwrap();
    assert_eq!(disk.effects()[before..], [Effect::SyncFolder]);
    assert_eq!(catalog.state(), &states(&edits(4))[4]);
}

#[test]
fn an_edit_that_no_file_has_room_for_is_committed_by_a_new_file() {
    let disk = disk_with(&edits(3));
    let mut catalog = open(&disk).unwrap();
    let edit = Edit { added: (100..200).map(entry).collect(), ..Edit::default() };
    catalog.commit(edit).unwrap();
    assert_eq!(catalog.state().blocks.len(), 103);
    catalog.commit(Edit { removed: (100..200).map(BlockName).collect(), ..Edit::default() }).unwrap();
    assert_eq!(open(&disk).unwrap().state().blocks.len(), 3);
}

#[test]
fn names_of_blocks_are_given_once_and_a_repair_keeps_it_so() {
    let disk = FaultyDisk::new(MemoryDisk::new());
    let mut catalog = open(&disk).unwrap();
    assert_eq!([catalog.next_block(), catalog.next_block()], [BlockName(0), BlockName(1)]);
    catalog.commit(Edit { added: vec![entry(41)], ..Edit::default() }).unwrap();
    assert_eq!(catalog.next_block(), BlockName(42));
    catalog.replace(State::rebuild(vec![entry(5)], None)).unwrap();
    assert_eq!(catalog.next_block(), BlockName(43));
    let mut found = open(&disk).unwrap();
    assert_eq!(found.state(), catalog.state());
    assert_eq!(found.next_block(), BlockName(42), "43 was given to a block that no edit added");
    assert_eq!((found.state().blocks.len(), found.state().sealed_through), (1, 600));
}

#[test]
fn the_disk_of_a_machine_does_as_the_one_in_memory() {
    let folder = tempfile::tempdir().unwrap();
    let disk: Arc<dyn Disk> = Arc::new(crate::port::RealDisk::new());
    let edits = edits(60);
    for part in edits.chunks(9) {
        let recovered = recover(folder.path(), &*disk).unwrap();
        let mut catalog = Catalog::open(folder.path(), Arc::clone(&disk), FILE_BYTES, recovered).unwrap();
        assert_eq!(commit_all(&mut catalog, part), (part.len(), None));
    }
    assert_eq!(&recover(folder.path(), &*disk).unwrap().state, states(&edits).last().unwrap());
    assert_eq!(disk.list(&folder.path().join(CATALOG_FOLDER)).unwrap().len(), 1);
}
