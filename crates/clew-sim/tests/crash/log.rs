//! The log against power cuts at every effect: L1 an acknowledged batch survives any crash, L2 replay is idempotent.

use std::collections::BTreeSet;
use std::sync::Arc;

use clew_model::scan::SpanSource;
use clew_model::{SpanId, Tenant, TraceId};
use clew_sim::crash::{EPOCH_UNIX_NANOS, Ledger, Life, Script, config};
use clew_sim::seed::Seed;
use clew_store::log::Event;
use clew_store::port::{Disk, Effect, Fault, FaultyDisk, MemoryDisk};
use clew_store::{OpenError, Outcome, check};
use clew_wire::otlp;

use super::CRASHES;

const SEED: u64 = 3;
const FLUSHES: usize = 70;

/// A start of a store that has a log and nothing else.
fn boot(disk: &FaultyDisk, script: &Arc<Script>) -> Result<Life, OpenError> {
    Life::boot(disk, Arc::new(disk.clone()), config(), script, &Ledger::default(), EPOCH_UNIX_NANOS)
}

fn script(seed: u64, flushes: usize) -> Arc<Script> {
    Arc::new(Script::of_log(seed, flushes))
}

/// The life of the script until the disk dies at an effect; none if that is one of the start.
fn live_until(script: &Arc<Script>, effect: usize) -> (FaultyDisk, Option<Life>) {
    live_with(script, effect, Fault::Crash)
}

fn live_with(script: &Arc<Script>, effect: usize, fault: Fault) -> (FaultyDisk, Option<Life>) {
    let disk = FaultyDisk::new(MemoryDisk::new());
    disk.fail_at(effect, fault);
    let mut life = boot(&disk, script).ok();
    if let Some(life) = &mut life {
        life.run();
    }
    (disk, life)
}

fn acknowledged(life: Option<&Life>) -> BTreeSet<usize> {
    life.iter().flat_map(|life| life.acknowledged()).collect()
}

/// Whether what was found is what was promised; the error says what is not.
fn judge(life: &Life, acknowledged: &BTreeSet<usize>, script: &Script) -> Result<(), String> {
    if !life.damage.is_empty() {
        return Err(format!("damage where only a crash was: {:?}", life.damage));
    }
    let replayed = life.replayed();
    for batch in acknowledged {
        if replayed.get(batch) != Some(&1) {
            return Err(format!("acknowledged batch {batch} is there {:?} times", replayed.get(batch)));
        }
    }
    if let Some((batch, times)) = replayed.iter().find(|(_, times)| **times != 1) {
        return Err(format!("batch {batch} is there {times} times"));
    }
    let batches = replayed.keys().map(|batch| &script.batches[*batch]);
    let spans: u64 = batches.clone().map(|batch| u64::from(batch.span_count)).sum();
    if life.view().live_spans() != spans {
        return Err(format!("{} spans are visible, not {spans}", life.view().live_spans()));
    }
    let found = visible(life);
    for batch in batches {
        let sent = otlp::spans(&batch.body, &batch.limits, batch.received_unix_nanos, &[]).expect("a readable body");
        if let Some(span) = sent.iter().find(|span| !found.contains(&(span.trace_id, span.span_id))) {
            return Err(format!("span {:?} of batch {} is not visible", span.span_id, batch.body_hash));
        }
    }
    Ok(())
}

/// The ids of all visible spans.
fn visible(life: &Life) -> BTreeSet<(TraceId, SpanId)> {
    use clew_model::scan::{ScanRequest, TimeRange};
    let tenant = Tenant::default();
    let request = ScanRequest { tenant: tenant.clone(), range: TimeRange::ALL, filters: Vec::new(), rows_per_trace: 0 };
    let answer = life.view().scan(&request, &|| false).expect("a scan");
    let ids: Vec<TraceId> = answer.matches.iter().map(|found| found.trace_id).collect();
    let rows = life.view().rows(&tenant, &ids, &|| false).expect("rows");
    rows.spans.iter().map(|span| (span.trace_id, span.span_id)).collect()
}

#[test]
fn l1_every_acknowledged_span_survives_a_crash_at_every_effect() {
    let script = script(SEED, FLUSHES);
    let (disk, whole) = live_until(&script, usize::MAX);
    let effects = disk.effects();
    let segments = effects.iter().filter(|effect| **effect == Effect::Rename).count();
    assert!(effects.len() >= 200, "{} effects", effects.len());
    assert!(segments >= 5, "{segments} segments");
    assert_eq!(acknowledged(whole.as_ref()).len(), script.batches.len());

    let mut cut = 0;
    for (effect, what) in effects.iter().enumerate() {
        let (disk, life) = live_until(&script, effect);
        assert!(disk.is_dead(), "seed {SEED}, effect {effect}: the run is not the recorded one");
        let acknowledged = acknowledged(life.as_ref());
        for crash in CRASHES {
            let found = boot(&disk.restart(crash), &script);
            let verdict = found.map_err(|error| error.to_string()).and_then(|found| {
                cut += u64::from(found.recovered.torn_bytes > 0);
                judge(&found, &acknowledged, &script)
            });
            assert!(verdict.is_ok(), "seed {SEED}, effect {effect} {what:?}, {crash:?}: {verdict:?}");
        }
    }
    assert!(cut > 100, "only {cut} torn tails: the crashes do not bite");
}

#[test]
fn l2_after_a_crash_a_resend_stores_each_batch_once() {
    let script = script(SEED + 1, 25);
    let (disk, _) = live_until(&script, usize::MAX);
    for effect in 0..disk.effects().len() {
        let (disk, _) = live_until(&script, effect);
        let crash = CRASHES[effect % CRASHES.len()];
        let place = format!("seed {}, effect {effect}, {crash:?}", SEED + 1);
        let disk = disk.restart(crash);
        let mut second = boot(&disk, &script).expect(&place);
        let replayed = second.replayed().len();
        (0..script.batches.len()).for_each(|batch| second.offer(batch));
        second.step(Event::Stop);
        second.step(Event::Idle);
        assert_eq!(second.acknowledged().count(), script.batches.len(), "{place}");
        assert!(second.answers.iter().filter(|(_, outcome)| *outcome == Outcome::Repeated).count() >= replayed);
        for _ in 0..2 {
            let third = boot(&disk.restart(CRASHES[0]), &script).expect(&place);
            let all = (0..script.batches.len()).collect();
            judge(&third, &all, &script).unwrap_or_else(|error| panic!("{place}: {error}"));
        }
    }
}

#[test]
fn l1_holds_when_the_recovery_crashes_too() {
    let script = script(SEED + 2, 20);
    let (disk, _) = live_until(&script, usize::MAX);
    let mut random = Seed::new(SEED + 2);
    let mut second_crashes = 0;
    for effect in 0..disk.effects().len() {
        let (disk, life) = live_until(&script, effect);
        let first = *random.pick(&CRASHES);
        // The recovery's own effects, and those of the first groups after it.
        for again in 0..12 {
            let second = *random.pick(&CRASHES);
            let place = format!("seed {}, effects {effect} and {again}, {first:?}, {second:?}", SEED + 2);
            let disk = disk.restart(first);
            disk.fail_at(again, Fault::Crash);
            let mut acknowledged = acknowledged(life.as_ref());
            if let Ok(mut life) = boot(&disk, &script) {
                judge(&life, &acknowledged, &script).unwrap_or_else(|error| panic!("{place}: {error}"));
                life.run();
                acknowledged.extend(life.acknowledged());
            }
            second_crashes += u32::from(disk.is_dead());
            let found = boot(&disk.restart(second), &script).expect(&place);
            judge(&found, &acknowledged, &script).unwrap_or_else(|error| panic!("{place}: {error}"));
        }
    }
    assert!(second_crashes > 500, "only {second_crashes} crashes of a recovery or of what followed it");
}

#[test]
fn the_disk_full_at_any_effect_refuses_and_resumes() {
    let script = script(SEED + 3, 25);
    let (disk, _) = live_until(&script, usize::MAX);
    for (effect, what) in disk.effects().iter().enumerate() {
        for written_bytes in [0, 700] {
            let place = format!("seed {}, effect {effect} {what:?}, {written_bytes} bytes written", SEED + 3);
            let (disk, life) = live_with(&script, effect, Fault::Full { written_bytes });
            // A write that finds no room is refused and the next one goes through; a sync or a name that fails poisons.
            let acknowledged = acknowledged(life.as_ref());
            if matches!(what, Effect::Write(_) | Effect::Create) {
                assert!(
                    acknowledged.len() + 12 > script.batches.len(),
                    "{place}: {} of {}",
                    acknowledged.len(),
                    script.batches.len()
                );
            }
            for crash in CRASHES {
                let found = boot(&disk.restart(crash), &script).expect(&place);
                judge(&found, &acknowledged, &script).unwrap_or_else(|error| panic!("{place}, {crash:?}: {error}"));
            }
        }
    }
}

#[test]
fn l4_a_failed_sync_or_write_poisons_and_nothing_acknowledged_is_lost() {
    let script = script(SEED + 4, 25);
    let (disk, _) = live_until(&script, usize::MAX);
    for effect in 0..disk.effects().len() {
        let (disk, life) = live_with(&script, effect, Fault::Broken);
        let answers = life.as_ref().map_or(&[][..], |life| &life.answers);
        let log_failed = Outcome::Refused(clew_model::RefuseReason::LogFailed);
        // The last effect may be a marker's: then nobody was refused.
        if let Some(poisoned) = answers.iter().position(|(_, outcome)| *outcome == log_failed) {
            let later = &answers[poisoned..];
            assert!(later.iter().all(|(_, outcome)| matches!(outcome, Outcome::Refused(_))), "effect {effect}");
        }
        let acknowledged = acknowledged(life.as_ref());
        for crash in CRASHES {
            let found = boot(&disk.restart(crash), &script).expect("a log");
            judge(&found, &acknowledged, &script).unwrap_or_else(|error| panic!("effect {effect}, {crash:?}: {error}"));
        }
    }
}

#[test]
fn check_finds_nothing_wrong_after_any_crash() {
    let script = script(SEED + 5, 15);
    let (disk, _) = live_until(&script, usize::MAX);
    for effect in 0..disk.effects().len() {
        let (disk, _) = live_until(&script, effect);
        for crash in CRASHES {
            let disk = disk.restart(crash);
            let found = boot(&disk, &script).expect("a log");
            put_format(&disk);
            let report = check(&config().data_dir, &(Arc::new(disk) as Arc<dyn Disk>), false).expect("a check");
            assert!(report.is_clean(), "effect {effect}, {crash:?}: {report:?}");
            let spans: u64 = report.segments.iter().map(|segment| segment.spans).sum();
            assert_eq!(spans, found.view().live_spans(), "effect {effect}, {crash:?}");
        }
    }
}

fn put_format(disk: &FaultyDisk) {
    let mut file = disk.create(&config().data_dir.join("FORMAT"), 0).expect("a file");
    file.write_at(0, b"clew 1\n").expect("a write");
}

/// The store's process dies, or is stopped after its log failed, and the machine goes on: what it wrote can be read,
/// synced or not. A second process answers for it, and only then the power fails.
#[test]
fn l1_what_a_dead_process_left_unsynced_is_synced_before_it_is_acknowledged() {
    let script = script(SEED + 6, 25);
    let (disk, _) = live_until(&script, usize::MAX);
    let mut repeated = 0;
    for effect in 0..disk.effects().len() {
        for fault in [Fault::Crash, Fault::Broken] {
            let place = format!("seed {}, effect {effect}, {fault:?}", SEED + 6);
            let (disk, first) = live_with(&script, effect, fault);
            let disk = FaultyDisk::new(disk.memory().clone());
            let mut second = boot(&disk, &script).expect(&place);
            second.replayed().into_keys().for_each(|batch| second.offer(batch));
            repeated += second.answers.iter().filter(|(_, outcome)| *outcome == Outcome::Repeated).count();
            let mut acknowledged = acknowledged(first.as_ref());
            acknowledged.extend(second.acknowledged());
            for crash in [CRASHES[0], CRASHES[1], CRASHES[7]] {
                let found = boot(&disk.restart(crash), &script).expect(&place);
                judge(&found, &acknowledged, &script).unwrap_or_else(|error| panic!("{place}, {crash:?}: {error}"));
            }
        }
    }
    assert!(repeated > 1000, "only {repeated} resends were known");
}
