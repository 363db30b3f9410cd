//! How much threads that nobody waits for leave to those that somebody waits for.

use std::panic::resume_unwind;

use crate::driver;

/// How a thread shares the processors with others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    /// It runs when nobody else wants to: whoever wakes up goes first, at once. There may be no such time, and there is no way
    /// back from it without privileges.
    Idle,
    /// It gets on however busy the machine is, with about a tenth of the weight that others have; who wakes up may wait for it
    /// for some milliseconds.
    Steady,
}

impl Pace {
    /// The calling thread, and those that it starts, go at that pace. Where that cannot be had they work as any other.
    #[cfg(target_os = "linux")]
    pub(crate) fn enter(self) {
        use thread_priority::{
            NormalThreadSchedulePolicy, ThreadPriority, ThreadSchedulePolicy, set_thread_priority_and_policy,
            thread_native_id,
        };
        // Both concern the calling thread alone.
        match self {
            Self::Idle => {
                let policy = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Idle);
                let _ = set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Min, policy);
            }
            Self::Steady => {
                let _ = rustix::process::setpriority_process(None, STEADY_NICE);
            }
        }
    }

    /// Other systems know of no such thing for a thread.
    #[cfg(not(target_os = "linux"))]
    pub(crate) fn enter(self) {}
}

/// Has a thread of its own do the work at an idle pace, and waits for it; `None` when no thread is to be had.
pub(crate) fn when_idle<T: Send>(name: &str, work: impl FnOnce() -> T + Send) -> Option<T> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn_scoped(scope, || {
            driver::enter_store_thread();
            Pace::Idle.enter();
            work()
        });
        thread.ok().map(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic)))
    })
}

#[cfg(target_os = "linux")]
const STEADY_NICE: i32 = 10;

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;

    /// The scheduling policy and the nice value of the calling thread: see proc(5), `stat`.
    fn of_this_thread() -> (u32, i32) {
        let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
        let fields: Vec<&str> = stat[stat.rfind(')').unwrap() + 2..].split(' ').collect();
        (fields[38].parse().unwrap(), fields[16].parse().unwrap())
    }

    #[test]
    fn a_pace_is_that_of_one_thread() {
        const SCHED_IDLE: u32 = 5;
        let before = of_this_thread();
        assert_eq!(when_idle("idle", of_this_thread).unwrap().0, SCHED_IDLE);
        let steady = std::thread::spawn(|| {
            Pace::Steady.enter();
            of_this_thread()
        });
        assert_eq!(steady.join().unwrap(), (before.0, before.1.max(STEADY_NICE)));
        assert_eq!(of_this_thread(), before);
    }
}
