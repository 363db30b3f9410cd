//! The thread that a store runs merges on: one at a time.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;

use crossbeam_channel::Sender;

use super::{MergeDone, MergeJob};
use crate::driver::{self, Shared};
use crate::pace::Pace;

/// A thread that waits for a job, or has one.
pub(crate) struct MergeThread {
    jobs: Option<Sender<MergeJob>>,
    thread: Option<JoinHandle<()>>,
}

impl MergeThread {
    /// Starts it; `done` is told of each job that ran.
    pub(crate) fn start(
        shared: Arc<Shared>,
        lock: Arc<dyn Send + Sync>,
        done: impl Fn(MergeDone) + Send + 'static,
    ) -> std::io::Result<Self> {
        let (jobs, given) = crossbeam_channel::bounded::<MergeJob>(1);
        let thread = std::thread::Builder::new().name("clew-merge".to_owned()).spawn(move || {
            driver::enter_store_thread();
            Pace::Steady.enter();
            // Held until nothing is written any more.
            let _lock = lock;
            let stopped = || shared.stopping.load(Ordering::Acquire);
            for job in given {
                let result = catch_unwind(AssertUnwindSafe(|| job.run(&stopped)));
                done(result.unwrap_or_else(|_| job.failed()));
            }
        })?;
        Ok(Self { jobs: Some(jobs), thread: Some(thread) })
    }

    /// Runs a job; there must be none under way. Answers whether the thread is there to take it.
    pub(crate) fn run(&self, job: MergeJob) -> bool {
        self.jobs.as_ref().is_some_and(|jobs| jobs.send(job).is_ok())
    }

    /// Waits for its end. A job under way stops early when the store does.
    pub(crate) fn join(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            // A merge that panicked was caught and told.
            let _ = thread.join();
        }
    }
}
