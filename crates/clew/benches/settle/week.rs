//! Days of a light load in a few minutes: a real store on a real disk, whose clock is moved by hand.

use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use crate::measure::requests::{batch, scratch};
use bytes::Bytes;
use clew_sim::workload::Workload;
use clew_store::keep::{KeepError, Retention};
use clew_store::port::{Clock, ManualClock, RealDisk};
use clew_store::{Outcome, Ports, SettleConfig, Store, StoreConfig};

const SECOND: u64 = 1_000_000_000;
const EPOCH_UNIX_NANOS: u64 = 20_000 * 24 * 3600 * SECOND;

/// How many spans come in a second.
const RATE: u64 = 100;

/// How long spans are live before they are sealed.
const SEAL_SECONDS: u64 = 120;

/// Spans of one request.
const REQUEST_SPANS: usize = 500;

/// How long merges may take at the end.
const DEADLINE: Duration = Duration::from_mins(5);

/// Runs so many days, and prints what was written for what is there.
pub(crate) fn run(days: u64) -> anyhow::Result<()> {
    let folder = scratch()?;
    let clock = Arc::new(ManualClock::new(EPOCH_UNIX_NANOS));
    let config = StoreConfig {
        settle: SettleConfig { every: Duration::from_hours(24 * 365), ..SettleConfig::default() },
        look_over_every: Duration::from_hours(24 * 365),
        retention: Retention { age: Duration::from_hours(24 * 365), ..Retention::default() },
        ..StoreConfig::new(folder.path().join("data"))
    };
    let ports = Ports { disk: Arc::new(RealDisk::new()), clock: Arc::clone(&clock) as Arc<dyn Clock> };
    let store = Store::open(config, ports)?;
    let (mut workload, mut sent, mut most_blocks) = (Workload::new(1), 0, 0);
    let began = Instant::now();
    for _ in 0..days * 24 * 3600 / SEAL_SECONDS {
        for _ in 0..RATE * SEAL_SECONDS / REQUEST_SPANS as u64 {
            clock.advance_nanos(SECOND * REQUEST_SPANS as u64 / RATE);
            sent += 1;
            let now = clock.unix_nanos();
            send(&store, &clew_wire::otlp::encode(&workload.next_request(REQUEST_SPANS, now)), now, sent)?;
        }
        wait(|answer| store.seal(answer))?;
        wait(|answer| store.settle(answer))?;
        most_blocks = most_blocks.max(store.figures().blocks);
    }
    // The hour and the day are over, and everything is settled.
    clock.advance_nanos(25 * 3600 * SECOND);
    wait(|answer| store.settle(answer))?;
    let merged = settle_down(&store, &clock)?;
    let figures = store.figures();
    let spans = sent * REQUEST_SPANS as u64;
    let written = figures.kept.block_written_bytes as f64;
    let left = (figures.block_data_bytes + figures.block_side_bytes) as f64;
    println!(
        "{RATE} spans a second, sealed every {SEAL_SECONDS} s, for {days} days: {spans} spans in {:.0?}",
        began.elapsed()
    );
    println!("{:<44}{:>8.2}x{:>10}", "bytes of blocks written / left", written / left, "3.3x");
    println!("{:<44}{:>9.1}", "bytes a span at the end", left / spans as f64);
    println!("{:<44}{:>9}", "merges", merged);
    println!("{:<44}{:>9}", "blocks at the end", figures.blocks);
    println!("{:<44}{:>9}\n", "most blocks at once", most_blocks);
    Ok(store.close()?)
}

/// Waits until nothing is left to be merged, and answers how many merges there were.
fn settle_down(store: &Store, clock: &ManualClock) -> anyhow::Result<u64> {
    let deadline = Instant::now() + DEADLINE;
    let mut last = (store.figures().kept.merges, Instant::now());
    while last.1.elapsed() < Duration::from_secs(3) {
        anyhow::ensure!(Instant::now() < deadline, "merges go on for {DEADLINE:?}");
        // It is looked for a merge every few seconds, by this clock.
        clock.advance_nanos(10 * SECOND);
        std::thread::sleep(Duration::from_millis(100));
        let merges = store.figures().kept.merges;
        if merges != last.0 {
            last = (merges, Instant::now());
        }
    }
    Ok(last.0)
}

fn wait(start: impl FnOnce(Box<dyn FnOnce(Result<(), KeepError>) + Send>)) -> anyhow::Result<()> {
    let (sender, answer) = mpsc::channel();
    start(Box::new(move |result| drop(sender.send(result))));
    Ok(answer.recv()??)
}

fn send(store: &Store, body: &[u8], received_unix_nanos: u64, number: u64) -> anyhow::Result<()> {
    let batch = batch(Bytes::copy_from_slice(body), REQUEST_SPANS, received_unix_nanos, number);
    let (sender, answer) = mpsc::channel();
    store.offer(batch, Box::new(move |outcome| sender.send(outcome).unwrap_or_default()));
    let outcome = answer.recv()?;
    anyhow::ensure!(outcome == Outcome::Stored, "a batch is {outcome:?}");
    Ok(())
}
