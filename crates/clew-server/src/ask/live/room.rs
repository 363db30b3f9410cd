//! What all streams share: their places, and what was settled lately, read once.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use clew_model::{Tenant, Verdict};
use clew_store::settle::Record;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, broadcast};

use crate::app::App;
use crate::ask::error::AskError;

/// How often it is looked whether something was settled.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// Records that are read at once.
const READ_AT_ONCE: usize = 16 * 1024;
/// Records of a page.
const PAGE_RECORDS: usize = 512;
/// Pages that wait for the slowest stream; whoever is further behind reads for itself.
const PAGES_WAITING: usize = 64;

/// Records in a row, of all tenants.
#[derive(Debug)]
pub(super) struct Page {
    /// The number of the first record.
    pub(super) from: u64,
    /// The number after the last.
    pub(super) next: u64,
    /// What there is in between.
    pub(super) records: Vec<(u64, Tenant, Record, Verdict)>,
}

/// Places for streams, and the way of pages to them.
#[derive(Debug)]
pub(crate) struct LiveRoom {
    limit: usize,
    places: Arc<Semaphore>,
    /// There while somebody looks for what was settled.
    pages: Mutex<Option<broadcast::Sender<Arc<Page>>>>,
}

impl LiveRoom {
    /// Room for so many streams.
    pub(crate) fn new(limit: usize) -> Self {
        let limit = limit.min(Semaphore::MAX_PERMITS);
        Self { limit, places: Arc::new(Semaphore::new(limit)), pages: Mutex::new(None) }
    }

    /// Streams that are open.
    pub(crate) fn stream_count(&self) -> usize {
        self.limit - self.places.available_permits()
    }

    /// A place, and all pages from now on.
    pub(super) fn enter(
        &self,
        app: &Arc<App>,
    ) -> Result<(OwnedSemaphorePermit, broadcast::Receiver<Arc<Page>>), AskError> {
        let place = Arc::clone(&self.places).try_acquire_owned();
        let place = place.map_err(|_| AskError::Streams { limit: self.limit })?;
        let mut pages = self.pages.lock().unwrap_or_else(PoisonError::into_inner);
        let sender = pages.get_or_insert_with(|| {
            tokio::spawn(look(Arc::downgrade(app)));
            broadcast::channel(PAGES_WAITING).0
        });
        Ok((place, sender.subscribe()))
    }

    /// Where pages go; `None` when nobody looks for them any more.
    fn outlet(&self, is_stopping: bool) -> Option<broadcast::Sender<Arc<Page>>> {
        let mut pages = self.pages.lock().unwrap_or_else(PoisonError::into_inner);
        if is_stopping || pages.as_ref().is_none_or(|sender| sender.receiver_count() == 0) {
            *pages = None;
        }
        pages.clone()
    }
}

/// Reads what is settled, as long as somebody listens.
async fn look(app: Weak<App>) {
    let Some(mut next) = app.upgrade().map(|app| app.store.view().settled.next_sequence()) else { return };
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let Some(app) = app.upgrade() else { return };
        let Some(outlet) = app.live.outlet(app.stopping.load(Ordering::Relaxed)) else { return };
        let view = app.store.view();
        let target = view.settled.next_sequence();
        if target == next {
            continue;
        }
        let from = next;
        let read = tokio::task::spawn_blocking(move || view.feed(from, READ_AT_ONCE, &|_, _, _| true)).await;
        // What cannot be read is passed over: each stream then finds a page missing, reads for itself, and says why not.
        next = target;
        let Ok(Ok(found)) = read else { continue };
        if found.lost_count == 0 && found.next > from {
            next = found.next;
            send(&outlet, from, next, found.records);
        }
    }
}

fn send(outlet: &broadcast::Sender<Arc<Page>>, mut from: u64, end: u64, records: Vec<(u64, Tenant, Record, Verdict)>) {
    let mut records = records.into_iter().peekable();
    while records.peek().is_some() {
        let own: Vec<_> = records.by_ref().take(PAGE_RECORDS).collect();
        let next = records.peek().map_or(end, |(number, ..)| *number);
        // Nobody may listen by now.
        let _ = outlet.send(Arc::new(Page { from, next, records: own }));
        from = next;
    }
}
