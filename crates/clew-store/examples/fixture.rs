//! Makes the data folder that the tests of a format keep, from the steps in the file beside it:
//!
//! ```console
//! $ cargo run --release -p clew-store --example fixture -- crates/clew-store/tests/fixtures/format-v1
//! ```
//!
//! Refuses when the data folder is there: what was released is never made anew. A new format begins with a folder of its
//! own and a copy of `steps.jsonl`.
#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a development tool reads files and prints; it is not part of the core"
)]

#[path = "../tests/format/steps.rs"]
mod steps;

use std::error::Error;
use std::path::PathBuf;
use std::sync::{Arc, mpsc};

use clew_store::port::{ManualClock, RealDisk};
use clew_store::{Outcome, Ports, Store, StoreConfig};

use steps::Step;

/// Small, since a file of the catalog and an open segment have their whole length from the beginning.
const FILE_BYTES: u64 = 8 << 10;

fn main() -> Result<(), Box<dyn Error>> {
    let format = PathBuf::from(std::env::args_os().nth(1).ok_or("which folder?")?);
    let data_dir = format.join(steps::DATA_FOLDER);
    if data_dir.exists() {
        return Err(format!("{} is there; what a format wrote is never written anew", data_dir.display()).into());
    }
    let steps = steps::read(&std::fs::read_to_string(format.join(steps::STEPS_FILE))?);
    let received =
        steps.iter().find_map(|step| if let Step::Send(batch) = step { Some(batch.received_unix_nanos) } else { None });
    let clock = Arc::new(ManualClock::new(received.ok_or("there is no request")?));
    let config = StoreConfig { catalog_bytes: FILE_BYTES, segment_bytes: FILE_BYTES, ..StoreConfig::new(&data_dir) };
    let store = Store::open(config, Ports { disk: Arc::new(RealDisk::new()), clock })?;
    for step in steps {
        let (sender, done) = mpsc::channel();
        match step {
            Step::Send(batch) => {
                let (sender, answer) = mpsc::channel();
                store.offer(*batch, Box::new(move |outcome| sender.send(outcome).unwrap_or_default()));
                let outcome = answer.recv()?;
                if outcome != Outcome::Stored {
                    return Err(format!("a request was not stored: {outcome:?}").into());
                }
                continue;
            }
            Step::Seal => store.seal(move |result| sender.send(result).unwrap_or_default()),
            Step::Delete(tenant, id) => {
                store.delete(tenant, Some(id), move |result| sender.send(result).unwrap_or_default());
            }
        }
        done.recv()??;
    }
    store.close()?;
    // It names a process of today.
    std::fs::remove_file(data_dir.join("LOCK"))?;
    println!("{} is made", data_dir.display());
    Ok(())
}
