//! A line on a terminal's standard error that says how far a long command has come.

use std::io::{IsTerminal as _, Write as _};

use clew_store::port::{Clock, SystemClock};

/// Time from one line to the next.
const INTERVAL_NANOS: u64 = 500_000_000;

/// The line; nothing where standard error is no terminal.
pub(crate) struct Progress {
    clock: SystemClock,
    is_shown: bool,
    due_nanos: u64,
}

impl Progress {
    pub(crate) fn new() -> Self {
        let clock = SystemClock::new();
        let due_nanos = clock.monotonic_nanos() + INTERVAL_NANOS;
        Self { clock, is_shown: std::io::stderr().is_terminal(), due_nanos }
    }

    /// Shows the text, if it is time.
    pub(crate) fn show(&mut self, text: impl FnOnce() -> String) {
        let now = self.clock.monotonic_nanos();
        if self.is_shown && now >= self.due_nanos {
            self.due_nanos = now + INTERVAL_NANOS;
            // A closed standard error leaves nobody to tell.
            let _ = write!(std::io::stderr(), "\r{}\x1b[K", text());
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.is_shown {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }
}
