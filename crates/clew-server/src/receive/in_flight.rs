//! Bytes in flight: how much of all requests together may be held at once, from the first byte to the acknowledgement.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The bytes that all requests share.
#[derive(Debug)]
pub struct InFlight {
    free: Arc<Semaphore>,
    bytes_max: usize,
    wait: Duration,
}

/// No room, even after the wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full;

impl InFlight {
    /// Room for `bytes_max`; a request waits for it no longer than `wait`.
    pub fn new(bytes_max: usize, wait: Duration) -> Self {
        let bytes_max = bytes_max.min(Semaphore::MAX_PERMITS);
        Self { free: Arc::new(Semaphore::new(bytes_max)), bytes_max, wait }
    }

    /// Bytes held now.
    pub fn bytes(&self) -> usize {
        self.bytes_max - self.free.available_permits()
    }

    /// A share of nothing yet.
    pub fn hold(&self) -> Hold {
        Hold { free: Arc::clone(&self.free), wait: self.wait, held: None }
    }
}

/// One request's share; given back when dropped.
#[derive(Debug)]
pub struct Hold {
    free: Arc<Semaphore>,
    wait: Duration,
    held: Option<OwnedSemaphorePermit>,
}

impl Hold {
    /// How many bytes it holds.
    pub fn bytes(&self) -> usize {
        self.held.as_ref().map_or(0, OwnedSemaphorePermit::num_permits)
    }

    /// Holds at least `bytes`, after a wait if there must be one.
    pub async fn grow_to(&mut self, bytes: usize) -> Result<(), Full> {
        if self.try_grow_to(bytes).is_ok() {
            return Ok(());
        }
        let more = u32::try_from(bytes - self.bytes()).map_err(|_| Full)?;
        let permit = tokio::time::timeout(self.wait, Arc::clone(&self.free).acquire_many_owned(more)).await;
        self.add(permit.map_err(|_| Full)?.map_err(|_| Full)?);
        Ok(())
    }

    /// Holds at least `bytes` if there is room at once.
    pub fn try_grow_to(&mut self, bytes: usize) -> Result<(), Full> {
        let Some(more) = bytes.checked_sub(self.bytes()).filter(|more| *more > 0) else {
            return Ok(());
        };
        let more = u32::try_from(more).map_err(|_| Full)?;
        let permit = Arc::clone(&self.free).try_acquire_many_owned(more);
        self.add(permit.map_err(|_| Full)?);
        Ok(())
    }

    fn add(&mut self, permit: OwnedSemaphorePermit) {
        match &mut self.held {
            Some(held) => held.merge(permit),
            None => self.held = Some(permit),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_share_is_waited_for_and_given_back() {
        let in_flight = Arc::new(InFlight::new(100, Duration::from_millis(10)));
        let mut first = in_flight.hold();
        first.grow_to(60).await.unwrap();
        first.grow_to(80).await.unwrap();
        assert_eq!((first.bytes(), in_flight.bytes()), (80, 80));
        let mut second = in_flight.hold();
        assert_eq!(second.grow_to(21).await, Err(Full));
        assert_eq!(second.try_grow_to(20), Ok(()));
        drop(second);
        let waiting = tokio::spawn({
            let in_flight = Arc::clone(&in_flight);
            async move { in_flight.hold().grow_to(100).await }
        });
        tokio::task::yield_now().await;
        drop(first);
        assert_eq!(waiting.await.unwrap(), Ok(()));
        assert_eq!(in_flight.bytes(), 0);
    }

    #[tokio::test]
    async fn more_than_all_is_refused() {
        let in_flight = InFlight::new(100, Duration::from_millis(10));
        assert_eq!(in_flight.hold().grow_to(101).await, Err(Full));
        assert_eq!(in_flight.hold().grow_to(usize::MAX).await, Err(Full));
        assert_eq!(in_flight.bytes(), 0);
    }
}
