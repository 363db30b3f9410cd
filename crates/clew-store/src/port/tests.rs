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

    let mut stream = disk.create(&inside.join("c"), 0).unwrap();
    for part in 0..5 {
        stream.write_at(part * 1000, &[part as u8 + 1; 1000]).unwrap();
    }
    stream.sync_data().unwrap();
    let bytes = disk.read(&inside.join("c"), 0, 9999).unwrap();
    assert_eq!((bytes.len(), bytes[999], bytes[1000], bytes[4999]), (5000, 1, 2, 5));
    // Memory of an earlier read, less and more than now.
    let mut held = Vec::with_capacity(8000);
    for (offset, length, found) in [(4000, 2000, 1000), (0, 10, 10), (0, 1 << 20, 5000), (4999, 1 << 40, 1)] {
        disk.read_into(&inside.join("c"), offset, length, &mut held).unwrap();
        assert!(held == bytes[offset as usize..][..found], "{length} from {offset}: {}", held.len());
    }
    let names = || disk.list(&inside).unwrap().into_iter().map(|entry| entry.name).collect::<Vec<_>>();
    assert_eq!(names(), ["b", "c"]);
    disk.remove(&inside.join("c")).unwrap();
    disk.sync_folder(&inside).unwrap();
    disk.remove(&inside.join("c")).expect("a file that is not there is removed");
    disk.remove(&folder.join("nowhere/c")).expect("nor need its folder be there");
    assert_eq!(names(), ["b"]);
    assert_eq!(disk.open(&inside.join("c")).map(drop).unwrap_err().kind(), io::ErrorKind::NotFound);
    for of in [folder, &folder.join("not/yet")] {
        let space = disk.space(of).unwrap();
        assert!(space.available_bytes > 0 && space.available_bytes <= space.total_bytes, "{space:?}");
    }

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
fn a_removal_that_was_not_synced_may_come_back() {
    let disk = FaultyDisk::new(MemoryDisk::new());
    let (folder, path) = (Path::new("/d"), Path::new("/d/a"));
    disk.create(path, 0).unwrap().write_at(0, b"abc").unwrap();
    disk.open(path).unwrap().sync_data().unwrap();
    disk.sync_folder(folder).unwrap();
    disk.remove(path).unwrap();
    assert_eq!(disk.effects().last(), Some(&Effect::Remove));
    let restart = |names| disk.restart(Crash { bytes: Kept::Nothing, names });
    assert_eq!(restart(false).read(path, 0, 9).unwrap(), b"abc");
    assert_eq!(restart(true).list(folder).unwrap(), []);
    disk.sync_folder(folder).unwrap();
    assert_eq!(restart(false).list(folder).unwrap(), []);
    disk.create(path, 3).unwrap();
    disk.fail_next(Fault::Broken);
    assert!(disk.remove(path).is_err());
    assert_eq!(disk.list(folder).unwrap().len(), 1, "a removal that fails removes nothing");
}

#[test]
fn a_disk_with_a_capacity_fills_up_and_removing_frees_it() {
    let memory = MemoryDisk::new();
    memory.set_capacity(Some(1000));
    let disk = FaultyDisk::new(memory);
    let (a, b) = (Path::new("/d/a"), Path::new("/d/b"));
    let full = |result: io::Result<()>| assert_eq!(result.unwrap_err().kind(), io::ErrorKind::StorageFull);
    let available = || disk.space(Path::new("/d")).unwrap().available_bytes;
    let mut file = disk.create(a, 600).unwrap();
    assert_eq!(disk.space(Path::new("/d")).unwrap(), Space { total_bytes: 1000, available_bytes: 400 });
    full(disk.create(b, 500).map(drop));
    let mut stream = disk.create(b, 0).unwrap();
    stream.write_at(0, &[1; 300]).unwrap();
    full(stream.write_at(300, &[2; 300]));
    assert_eq!(disk.read(b, 0, 999).unwrap().len(), 400, "what fitted was written");
    assert_eq!(available(), 0);
    file.write_at(0, &[3; 600]).expect("what is reserved can be written");
    full(file.set_length(601));
    full(file.write_at(700, &[1]));
    file.set_length(500).unwrap();
    assert_eq!(available(), 100);
    disk.remove(a).unwrap();
    assert_eq!(available(), 600);
    stream.write_at(400, &[4; 600]).unwrap();
    disk.memory().set_capacity(None);
    assert!(available() > 1 << 40);
    disk.set_full(true);
    assert_eq!(available(), 0);
    full(disk.create(a, 0).map(drop));
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
    disk.flip_bit("/a".as_ref(), 1, 0);
    assert_eq!(disk.read("/a".as_ref(), 0, 3).unwrap(), b"ac\0");
    disk.fail_next(Fault::Crash);
    assert!(file.sync_data().is_err() && file.sync_data().is_err() && disk.is_dead());
    assert_eq!(disk.effects().len(), 4);
}

#[test]
fn a_copy_is_the_disk_before_its_effect() {
    let disk = FaultyDisk::new(MemoryDisk::new());
    disk.copy_at(2);
    let mut file = disk.create("/a".as_ref(), 3).unwrap();
    file.write_at(0, b"abc").unwrap();
    disk.sync_folder("/".as_ref()).unwrap();
    file.sync_data().unwrap();
    let [(2, copy)] = &disk.take_copies()[..] else { panic!("one copy was asked for") };
    let found = |names| copy.restart(Crash { bytes: Kept::All, names }).read("/a".as_ref(), 0, 9);
    assert_eq!(found(true).unwrap(), b"abc");
    assert!(found(false).is_err(), "the folder was synced by the effect itself");
    assert_eq!(disk.take_copies().len(), 0);
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
