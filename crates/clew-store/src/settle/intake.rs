//! When batches are received: by one clock that never goes back, so that settling knows what it has seen.
//!
//! Between the moment a batch is stamped and the moment its spans are visible it is in flight. Whatever is offered after
//! [`Intake::visible_before`] was asked is received no earlier than what that said, and everything received before is visible
//! to a view that is taken afterwards. So one instant parts what was seen from what comes.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use clew_model::RefuseReason;

use crate::Outcome;

/// Gives batches their time of receipt, and knows which are in flight.
#[derive(Debug, Default)]
pub struct Intake(Mutex<Stamps>);

#[derive(Debug, Default)]
struct Stamps {
    /// The latest time that was given or told.
    last_unix_nanos: u64,
    /// Batches in flight, by their time.
    in_flight: BTreeMap<u64, u32>,
    /// Times of batches that were refused although their bytes may be in the log: the next start may find them.
    doubtful: Vec<u64>,
}

impl Intake {
    /// An intake that gives no time before this one: the latest at which anything was received before.
    pub fn new(last_unix_nanos: u64) -> Self {
        Self(Mutex::new(Stamps { last_unix_nanos, ..Stamps::default() }))
    }

    /// The time at which a batch counts as received, which a clock says was received now. It is in flight from now on.
    pub fn begin(&self, unix_nanos: u64) -> u64 {
        let mut stamps = self.lock();
        let stamped = stamps.last_unix_nanos.max(unix_nanos);
        stamps.last_unix_nanos = stamped;
        *stamps.in_flight.entry(stamped).or_default() += 1;
        stamped
    }

    /// A batch that was stamped so was answered.
    pub fn answered(&self, stamped: u64, outcome: Outcome) {
        match outcome {
            Outcome::Refused(RefuseReason::LogFailed | RefuseReason::DiskFull) => self.doubt(stamped),
            _ => self.end(stamped),
        }
    }

    /// A batch that was stamped so is visible, or never will be.
    fn end(&self, stamped: u64) {
        let mut stamps = self.lock();
        stamps.land(stamped);
        // The log goes on behind it, and with that over whatever a refused write had left there.
        stamps.doubtful.retain(|doubtful| *doubtful > stamped);
    }

    /// A batch that was stamped so was refused, but its bytes may be in the log: nothing received from then on counts as
    /// seen until a later batch is stored.
    fn doubt(&self, stamped: u64) {
        let mut stamps = self.lock();
        stamps.land(stamped);
        stamps.doubtful.push(stamped);
    }

    /// The instant before which everything that was received is visible. What comes later is received then or after it.
    pub fn visible_before(&self, now_unix_nanos: u64) -> u64 {
        let mut stamps = self.lock();
        stamps.last_unix_nanos = stamps.last_unix_nanos.max(now_unix_nanos);
        let in_flight = stamps.in_flight.first_key_value().map(|(stamped, _)| *stamped);
        let doubtful = stamps.doubtful.iter().copied().min();
        [in_flight, doubtful].into_iter().flatten().fold(stamps.last_unix_nanos, u64::min)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Stamps> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Stamps {
    fn land(&mut self, stamped: u64) {
        if let Some(count) = self.in_flight.get_mut(&stamped) {
            *count -= 1;
            if *count == 0 {
                self.in_flight.remove(&stamped);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_never_goes_back_and_what_is_in_flight_holds_it_up() {
        let intake = Intake::new(100);
        assert_eq!(intake.begin(50), 100, "a clock that was set back");
        assert_eq!(intake.visible_before(200), 100, "the batch is in flight");
        let second = intake.begin(150);
        assert_eq!(second, 200, "what was told to be seen is not added to");
        intake.end(100);
        assert_eq!(intake.visible_before(300), 200);
        intake.end(200);
        assert_eq!(intake.visible_before(300), 300);
        assert_eq!(intake.visible_before(10), 300);
    }

    #[test]
    fn two_batches_of_one_instant_are_two() {
        let intake = Intake::new(0);
        let stamped = intake.begin(7);
        assert_eq!(intake.begin(7), stamped);
        intake.end(stamped);
        assert_eq!(intake.visible_before(9), 7);
        intake.end(stamped);
        assert_eq!(intake.visible_before(9), 9);
    }

    #[test]
    fn a_doubtful_batch_is_passed_once_a_later_one_is_stored() {
        let intake = Intake::new(0);
        let first = intake.begin(5);
        intake.doubt(first);
        assert_eq!(intake.visible_before(9), 5);
        let second = intake.begin(9);
        intake.end(second);
        assert_eq!(intake.visible_before(20), 20);
    }
}
