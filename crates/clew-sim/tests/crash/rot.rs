//! Disks whose bytes rot, and reads that fail or end too soon: what is lost by that is told, and what is not lost comes back.

use std::path::PathBuf;
use std::sync::Arc;

use clew_sim::crash::{DATA_DIR, EPOCH_UNIX_NANOS, Ledger, Life, Script, config_of, judge_damaged};
use clew_sim::seed::Seed;
use clew_store::port::{Crash, Disk, FaultyDisk, Kept, MemoryDisk, ReadFault};

/// Lives of this test, and how often each is looked at.
const SEEDS: u64 = 150;
const ROUNDS: usize = 4;

/// A crash after everything was synced.
const CLEAN: Crash = Crash { bytes: Kept::All, names: true };

fn boot(disk: &FaultyDisk, seed: u64, script: &Arc<Script>, ledger: &Ledger, now: u64) -> Result<Life, String> {
    let started = Life::boot(disk, Arc::new(disk.clone()), config_of(seed), script, ledger, now);
    started.map_err(|error| error.to_string())
}

/// A life that ended well, on its disk.
fn lived(seed: u64, script: &Arc<Script>) -> (FaultyDisk, Life) {
    let disk = FaultyDisk::new(MemoryDisk::new());
    let mut life = boot(&disk, seed, script, &Ledger::default(), EPOCH_UNIX_NANOS).expect("an empty disk");
    life.run();
    life.judge().unwrap_or_else(|wrong| panic!("seed {seed}: {wrong}"));
    (disk, life)
}

/// A place in one of the files: its path, and a byte of it.
fn place(disk: &FaultyDisk, random: &mut Seed) -> (PathBuf, u64) {
    let mut files = Vec::new();
    for folder in ["log", "catalog", "blocks", "settled"] {
        let folder = PathBuf::from(DATA_DIR).join(folder);
        let listed = disk.list(&folder).expect("a folder");
        files.extend(
            listed.into_iter().filter(|file| file.length > 0).map(|file| (folder.join(file.name), file.length)),
        );
    }
    let (path, length) = random.pick(&files).clone();
    (path, random.below(length))
}

/// Starts on a disk of which one bit has flipped; answers whether that was told.
fn rotted(seed: u64, script: &Arc<Script>, disk: &FaultyDisk, life: &Life, random: &mut Seed) -> Result<bool, String> {
    let disk = disk.restart(CLEAN);
    let (path, offset) = place(&disk, random);
    disk.flip_bit(&path, offset as usize, random.below(8) as u8);
    let at = |wrong: String| format!("seed {seed}, byte {offset} of {}: {wrong}", path.display());
    let found = boot(&disk, seed, script, life.ledger(), life.unix_nanos()).map_err(at)?;
    let is_told = !found.damage.is_empty() || !found.lost.is_empty();
    judge_damaged(&found.view(), is_told, script, found.ledger()).map_err(at)
}

#[test]
fn l6_what_rots_is_told_wherever_it_lies() {
    let (mut told, mut wrong) = (0, Vec::new());
    for seed in 0..SEEDS {
        let script = Arc::new(Script::of_store(seed));
        let (disk, life) = lived(seed, &script);
        let mut random = Seed::new(seed ^ 0x7274);
        for _ in 0..ROUNDS {
            match rotted(seed, &script, &disk, &life, &mut random) {
                Ok(is_told) => told += u32::from(is_told),
                Err(error) => wrong.push(error),
            }
        }
    }
    println!("{told} of {} flipped bits were told", SEEDS * ROUNDS as u64);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(told > 100, "{told}");
}

/// A life in which one read goes wrong; answers whether a question missed it.
fn misread(seed: u64, script: &Arc<Script>, read: usize, fault: ReadFault) -> Result<bool, String> {
    let at = |wrong: String| format!("seed {seed}, read {read} {fault:?}: {wrong}");
    let disk = FaultyDisk::new(MemoryDisk::new());
    disk.fail_read_at(read, fault);
    let mut life = boot(&disk, seed, script, &Ledger::default(), EPOCH_UNIX_NANOS).map_err(at)?;
    life.run();
    if let Some(wrong) = life.wrong.iter().find(|wrong| !is_told(wrong)) {
        return Err(at(wrong.clone()));
    }
    let mut found = boot(&disk.restart(CLEAN), seed, script, life.ledger(), life.unix_nanos()).map_err(at)?;
    found.judge().map_err(|wrong| at(format!("started again: {wrong}")))?;
    Ok(!life.wrong.is_empty())
}

#[test]
fn l6_a_read_that_fails_once_is_told_and_loses_nothing() {
    let (mut missed, mut wrong) = (0, Vec::new());
    for seed in 0..SEEDS {
        let script = Arc::new(Script::of_store(seed));
        let (plain, _) = lived(seed, &script);
        let mut random = Seed::new(seed ^ 0x7264);
        for _ in 0..ROUNDS {
            let read = random.below(plain.reads() as u64) as usize;
            match misread(seed, &script, read, *random.pick(&[ReadFault::Broken, ReadFault::Short])) {
                Ok(is_missed) => missed += u32::from(is_missed),
                Err(error) => wrong.push(error),
            }
        }
    }
    println!("{missed} of {} reads that went wrong were missed by a question", SEEDS * ROUNDS as u64);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(missed > 20, "{missed}");
}

/// Whether it is what comes of something that could not be read, and is told: a question that says so; a block that could not be
/// written anew, whose spans stay; records of a file that the health names.
fn is_told(wrong: &str) -> bool {
    wrong.starts_with("L6") || wrong.contains("that are over") || (wrong.starts_with("T3") && wrong.contains("is None"))
}
