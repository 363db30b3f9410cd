//! Signals.

use std::future::Future;

use tokio::signal::unix::{SignalKind, signal};

use crate::exit;

/// Listens for signals from now on, not from its first poll: who reads the greeting may send one at once. Completes with
/// the first SIGTERM or Ctrl-C; from then on, a second one ends the process at once.
pub(super) fn told() -> impl Future<Output = ()> + Send + 'static {
    let signals = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()));
    async move {
        let (Ok(mut terminate), Ok(mut interrupt)) = signals else {
            // Without handlers the signals end the process, which the log survives.
            tracing::error!("signals cannot be handled; stopping will not wait for requests in flight");
            return std::future::pending().await;
        };
        tokio::select! {
            _ = terminate.recv() => tracing::info!("told to stop (SIGTERM); finishing"),
            _ = interrupt.recv() => tracing::info!("told to stop (Ctrl-C); finishing, again to stop at once"),
        }
        tokio::spawn(async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            stop_at_once();
        });
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the user asked twice: what was acknowledged is on disk, the rest may go"
)]
fn stop_at_once() {
    std::process::exit(exit::TOLD_TWICE);
}
