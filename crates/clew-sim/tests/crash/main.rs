//! The store against power cuts at every effect on its disk. `log` is about the log alone, `store` about all of it, `plants`
//! about whether `store` would notice anything, `rot` about bytes that rot or cannot be read.

mod log;
mod plant;
mod plants;
mod rot;
mod store;

use clew_store::port::{Crash, Kept};

/// What a crash may leave of what was not synced.
const CRASHES: [Crash; 9] = [
    Crash { bytes: Kept::Nothing, names: false },
    Crash { bytes: Kept::Nothing, names: true },
    Crash { bytes: Kept::All, names: false },
    Crash { bytes: Kept::All, names: true },
    Crash { bytes: Kept::Prefix(1), names: true },
    Crash { bytes: Kept::Prefix(100), names: true },
    Crash { bytes: Kept::Prefix(250), names: false },
    Crash { bytes: Kept::Sectors(0xaaaa_5555_f0f0_3333), names: true },
    Crash { bytes: Kept::Sectors(0xffff_ffff_ffff_fffe), names: true },
];
