//! What became of requests and rounds, for `/metrics`, for health and for the log.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use clew_store::HealthReason;
use http::Uri;

use crate::figures::Counter;

/// So many rounds in a row make the server degraded: two minutes and a half with the default, far more than a receiver takes to
/// start anew.
const PATIENCE_ROUNDS: u64 = 10;

/// What became of one attempt to send a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was taken.
    Taken,
    /// It is not wanted, now or later.
    Refused,
    /// It may be sent again later.
    Later,
    /// There was no answer, or nobody to ask.
    Unanswered,
}

impl Outcome {
    /// Every outcome.
    pub const ALL: [Self; 4] = [Self::Taken, Self::Refused, Self::Later, Self::Unanswered];

    /// The name in figures.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Taken => "taken",
            Self::Refused => "refused",
            Self::Later => "later",
            Self::Unanswered => "unanswered",
        }
    }
}

/// Counters of the remote write, and how it goes.
#[derive(Debug, Default)]
pub struct WriteFigures {
    /// In the order of [`Outcome::ALL`].
    requests: [Counter; Outcome::ALL.len()],
    failed_samples: Counter,
    /// In unix nanoseconds; 0 before the first.
    last_success: AtomicU64,
    failing: Mutex<Failing>,
}

/// The rounds since the last one of which all was taken.
#[derive(Debug, Default)]
struct Failing {
    rounds: u64,
    /// What the last of them failed with.
    what: String,
}

impl WriteFigures {
    /// Attempts that came to this.
    pub fn requests(&self, outcome: Outcome) -> u64 {
        self.requests[outcome as usize].get()
    }

    /// Samples that were not taken.
    pub fn failed_samples(&self) -> u64 {
        self.failed_samples.get()
    }

    /// When all of a round was taken for the last time, in unix nanoseconds; 0 before the first.
    pub fn last_success_unix_nanos(&self) -> u64 {
        self.last_success.load(Ordering::Relaxed)
    }

    /// Counts an attempt.
    pub(super) fn attempt(&self, outcome: Outcome) {
        self.requests[outcome as usize].add(1);
    }

    /// Counts samples that were not taken and will not be sent again.
    pub(super) fn lose(&self, sample_count: u64) {
        self.failed_samples.add(sample_count);
    }

    /// A round is over. The log hears of it when it goes otherwise than the one before.
    pub(super) fn conclude(&self, url: &Uri, failure: Option<String>, now_unix_nanos: u64) {
        let mut failing = self.failing.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(what) = failure else {
            if failing.rounds > 0 {
                tracing::info!(%url, failed_rounds = failing.rounds, "the remote write succeeds again");
            }
            *failing = Failing::default();
            self.last_success.store(now_unix_nanos, Ordering::Relaxed);
            return;
        };
        if failing.rounds == 0 {
            tracing::warn!(%url, what, "the remote write fails; it is tried again each round");
        }
        *failing = Failing { rounds: failing.rounds + 1, what };
    }

    /// Why the server is not well, once the remote write has failed for long.
    pub(crate) fn health(&self) -> Option<HealthReason> {
        let failing = self.failing.lock().unwrap_or_else(PoisonError::into_inner);
        (failing.rounds >= PATIENCE_ROUNDS).then(|| HealthReason {
            name: "remote_write_failed",
            detail: format!(
                "the remote write of figures has failed {} times in a row: {}; see whether metrics.remote_write names a \
                 receiver that runs and takes it",
                failing.rounds, failing.what
            ),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_that_fail_for_long_are_a_reason_until_one_succeeds() {
        let (figures, url) = (WriteFigures::default(), Uri::from_static("http://localhost/write"));
        for round in 0..PATIENCE_ROUNDS {
            assert_eq!(figures.health(), None, "after {round}");
            figures.conclude(&url, Some(format!("no {round}")), 5);
        }
        let reason = figures.health().unwrap();
        assert!(reason.detail.contains("10 times in a row: no 9; "), "{reason:?}");
        assert_eq!(figures.last_success_unix_nanos(), 0);
        figures.conclude(&url, None, 7);
        assert_eq!((figures.health(), figures.last_success_unix_nanos()), (None, 7));
    }

    #[test]
    fn outcomes_keep_their_places() {
        let figures = WriteFigures::default();
        for (count, outcome) in Outcome::ALL.into_iter().enumerate() {
            (0..count).for_each(|_| figures.attempt(outcome));
        }
        assert_eq!(Outcome::ALL.map(|outcome| figures.requests(outcome)), [0, 1, 2, 3]);
    }
}
