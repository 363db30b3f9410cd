use super::*;

/// What every disk does.
fn behaves(disk: &dyn Disk, folder: &Path) {
    let inside = folder.join("deep/inside");
    assert_eq!(disk.list(&inside).unwrap(), []);
    assert_eq!(disk.read(&inside.join("a"), 0, 1).unwrap_err().kind(), io::ErrorKind::NotFound);
    let mut file = disk.create(&inside.join("a"), 10).unwrap();
    file.write_at(3, b"abc").unwrap();
    file.sync_data().unwrap();
    assert_eq!(disk.read(&inside.join("a"), 2, 5).unwrap(), b"\0abc\0");
    assert_eq!(disk.read(&inside.join("a"), 9, 5).unwrap(), b"\0");
    assert_eq!(disk.read(&inside.join("a"), 99, 5).unwrap(), b"");
    disk.create(&inside.join("b"), 0).unwrap();
    disk.rename(&inside.join("a"), &inside.join("b")).unwrap();
    disk.sync_folder(&inside).unwrap();
    assert_eq!(disk.list(&inside).unwrap(), [Entry { name: "b".to_owned(), length: 10 }]);
    let mut file = disk.open(&inside.join("b")).unwrap();
    file.set_length(5).unwrap();
    file.write_at(5, b"x").unwrap();
    assert_eq!(disk.read(&inside.join("b"), 0, 99).unwrap(), b"\0\0\0abx");
    assert_eq!(disk.create(&inside.join("b"), 2).map(drop).ok(), Some(()));
    assert_eq!(disk.read(&inside.join("b"), 0, 99).unwrap(), b"\0\0");

    let lock = disk.lock(&folder.join("LOCK"), "me").unwrap();
    assert_eq!(disk.lock(&folder.join("LOCK"), "you").map(drop).unwrap_err().kind(), io::ErrorKind::WouldBlock);
    assert_eq!(disk.read(&folder.join("LOCK"), 0, 9).unwrap(), b"me");
    drop(lock);
    disk.lock(&folder.join("LOCK"), "you").map(drop).unwrap();
}

#[test]
fn disks_behave_alike() {
    let folder = tempfile::tempdir().unwrap();
    behaves(&RealDisk::new(), folder.path());
    behaves(&MemoryDisk::new(), "/memory".as_ref());
    behaves(&FaultyDisk::new(MemoryDisk::new()), "/faulty".as_ref());
}

#[test]
fn a_crash_takes_what_was_not_synced_and_nothing_else() {
    let disk = FaultyDisk::new(MemoryDisk::new());
    let (folder, path) = (Path::new("/d"), Path::new("/d/a"));
    let mut file = disk.create(path, 2000).unwrap();
    file.write_at(0, &[1; 1000]).unwrap();
    file.sync_data().unwrap();
    disk.sync_folder(folder).unwrap();
    file.write_at(500, &[2; 1000]).unwrap();
    disk.rename(path, Path::new("/d/b")).unwrap();
    let found = |bytes, names| {
        let crashed = disk.restart(Crash { bytes, names });
        let name = crashed.list(folder).unwrap()[0].name.clone();
        let bytes = crashed.read(&folder.join(&name), 0, 9999).unwrap();
        assert_eq!(bytes.len(), 2000);
        let count = |of: u8| bytes.iter().copied().filter(|byte| *byte == of).count();
        (name, count(1), count(2))
    };
    assert_eq!(found(Kept::Nothing, false), ("a".to_owned(), 1000, 0));
    assert_eq!(found(Kept::All, true), ("b".to_owned(), 500, 1000));
    assert_eq!(found(Kept::Prefix(128), false), ("a".to_owned(), 500, 500));
    // The second sector only: bytes 512 to 1023.
    assert_eq!(found(Kept::Sectors(0b10), false), ("a".to_owned(), 512, 512));
    assert!(file.write_at(0, b"x").is_ok(), "the old disk goes on by itself");
}

#[test]
fn faults_are_what_was_asked_for() {
    let disk = FaultyDisk::new(MemoryDisk::new());
    disk.fail_next(Fault::Full { written_bytes: 0 });
    assert_eq!(disk.create("/a".as_ref(), 9).map(drop).unwrap_err().kind(), io::ErrorKind::StorageFull);
    let mut file = disk.create("/a".as_ref(), 9).unwrap();
    disk.fail_next(Fault::Full { written_bytes: 2 });
    assert_eq!(file.write_at(0, b"abc").unwrap_err().kind(), io::ErrorKind::StorageFull);
    assert_eq!(disk.read("/a".as_ref(), 0, 3).unwrap(), b"ab\0");
    disk.fail_next(Fault::Crash);
    assert!(file.sync_data().is_err() && file.sync_data().is_err() && disk.is_dead());
    assert_eq!(disk.effects().len(), 4);
}

#[test]
fn clocks_never_go_back() {
    let clock = ManualClock::new(5);
    clock.advance_nanos(3);
    assert_eq!((clock.unix_nanos(), clock.monotonic_nanos()), (8, 3));
    let clock = SystemClock::new();
    let first = clock.monotonic_nanos();
    assert!(clock.monotonic_nanos() >= first && clock.unix_nanos() > 1_700_000_000_000_000_000);
}
