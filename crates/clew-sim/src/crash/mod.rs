//! A store's life in one thread: the very machine, writer, recovery, keeper and view that ship, on a disk that can die.
//!
//! [`Life::boot`] finds what the disk has; a [`Script`] says what is done then; the disk may die in any of it. The [`Ledger`]
//! says what must be there afterwards, what may be, and what may not; [`judge`] compares that with what the view answers.
//!
//! | File | What |
//! |---|---|
//! | `script` | batches and steps from a seed |
//! | `life` | a store between two crashes |
//! | `ledger` | what was promised |
//! | `left_out` | what was promised of traces that merges left out |
//! | `judge` | whether it was kept: the naive oracle |
//! | `rot` | whether it was told what was not, on a disk that rots |

mod judge;
mod ledger;
mod left_out;
mod life;
mod rot;
mod script;

use std::time::Duration;

use clew_model::Tenant;
use clew_store::keep::{MergePolicy, Retention, TenantRetention};
use clew_store::{SettleConfig, StoreConfig};

pub use self::judge::{Found, judge};
pub use self::ledger::Ledger;
pub use self::life::Life;
pub use self::rot::judge_damaged;
pub use self::script::{Piece, Script, Step, batch};

/// Where the simulated store keeps its data.
pub const DATA_DIR: &str = "/sim";

/// When simulated time begins, in unix nanoseconds.
pub const EPOCH_UNIX_NANOS: u64 = 1_790_000_000_000_000_000;

/// The tenants of a script.
const TENANTS: [&str; 3] = [Tenant::DEFAULT, "acme", "globex"];

/// The settings of a seed's store. Some drop traces that are not to be kept, and half of these soon forget them; some have hardly any room for traces that are not
/// settled.
pub fn config_of(seed: u64) -> StoreConfig {
    let mut config = config();
    if drops(seed) {
        config.merge.full_for = Duration::from_mins(30);
        if seed % 8 == 3 {
            config.settle.dropped_for = Duration::from_hours(1);
        }
    }
    if seed % 3 == 1 {
        config.settle.pending_bytes = 320;
    }
    config
}

/// Whether a seed's store drops traces.
fn drops(seed: u64) -> bool {
    seed % 4 == 3
}

/// The settings of a simulated store: everything is small, so that there is much of it.
pub fn config() -> StoreConfig {
    let own = TenantRetention { age: Some(Duration::from_hours(1)), bytes: None };
    let acme = Tenant::new(TENANTS[1]).expect("a name of letters");
    StoreConfig {
        segment_bytes: 24 * 1024,
        group_bytes: 8 * 1024,
        live_shards: 1,
        workers: 1,
        block_group_rows: 24,
        cache_bytes: 1 << 20,
        catalog_bytes: 2 * 1024,
        retention: Retention { age: Duration::from_hours(2), tenants: [(acme, own)].into(), ..Retention::default() },
        merge: MergePolicy { fan_in: 3, block_bytes: 1 << 20, full_for: life::KEPT_FULL },
        merge_memory_bytes: 1 << 20,
        purge_after: Duration::from_mins(10),
        repeat_window: Duration::from_hours(1000),
        settle: SettleConfig { feed_age: Duration::from_hours(100_000), ..SettleConfig::default() },
        disk_full_pause: Duration::ZERO,
        ..StoreConfig::new(DATA_DIR)
    }
}
