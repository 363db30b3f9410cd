//! Sends clew's figures, those of `/metrics`, to where Prometheus' remote write is taken, round by round.
//!
//! What a round has is written down at its start. Requests go one after another; one that cannot be taken now is sent again
//! until the next round is due, and then it is dropped: the next round has newer values, and counters lose nothing by it.

mod client;
mod figures;
mod requests;

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderValue, Uri};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::app::{App, Purpose};
use client::Client;
pub use figures::{Outcome, WriteFigures};
use requests::{Request, Requests};

/// How long the last round may take, when the server stops. No longer than the first wait before a request is sent again, so
/// that each is tried once.
const LAST_ROUND: Duration = Duration::from_secs(1);

/// Where figures are sent to, and how often.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteWrite {
    /// Where (`metrics.remote_write`): `http` with a host.
    pub url: Uri,
    /// How far rounds are apart (`metrics.remote_write_every`).
    pub every: Duration,
    /// The value of `Authorization`, if it is asked for.
    pub authorization: Option<HeaderValue>,
    /// The name of this machine, for the label `instance`.
    pub host: String,
}

/// Sends until the server stops, and once more then.
pub(crate) async fn run(app: Arc<App>, mut stopped: watch::Receiver<()>) {
    let Some(settings) = app.config.remote_write.clone() else { return };
    let mut client = Client::new(&settings);
    let mut due = Instant::now();
    loop {
        tokio::select! {
            () = tokio::time::sleep_until(due.max(client.not_before())) => {}
            _ = stopped.changed() => break,
        }
        // From now on and not from when it was due: a round that was put off has all of its time.
        due = Instant::now() + settings.every;
        tokio::select! {
            () = round(&app, &settings, &mut client, due) => {}
            _ = stopped.changed() => break,
        }
    }
    let last = Instant::now() + LAST_ROUND.min(app.config.stop_grace);
    if client.not_before() < last {
        client.hang_up();
        // Also when the figures themselves take long to write down.
        let _ = tokio::time::timeout_at(last, round(&app, &settings, &mut client, last)).await;
    }
}

/// Sends all figures as they are now, as far as that can be done until the next round is due.
async fn round(app: &Arc<App>, settings: &RemoteWrite, client: &mut Client, due: Instant) {
    let mut requests = match written(app, settings).await {
        Ok(requests) => requests.into_iter(),
        Err(error) => {
            tracing::error!(%error, "the figures for the remote write could not be written down");
            return;
        }
    };
    let figures = &app.remote_write;
    let mut failure = None;
    for request in requests.by_ref() {
        let sample_count = request.sample_count;
        if let Err(failed) = client.deliver(request, due, figures).await {
            figures.lose(sample_count);
            let is_over = failed.is_over;
            failure = Some(failed.what);
            if is_over {
                break;
            }
        }
    }
    figures.lose(requests.map(|request| request.sample_count).sum());
    client.hang_up();
    figures.conclude(&settings.url, failure, app.clock.unix_nanos());
}

/// The requests of a round. Apart, since it lists a folder, and may have many series.
async fn written(app: &Arc<App>, settings: &RemoteWrite) -> Result<Vec<Request>, tokio::task::JoinError> {
    let (app, instance) = (Arc::clone(app), instance(app, &settings.host));
    let write = move || {
        let mut requests = Requests::new(instance, app.clock.unix_nanos() / 1_000_000);
        crate::figures::write(&app, &mut requests);
        requests.finish()
    };
    tokio::task::spawn_blocking(write).await
}

/// What tells this server's series from those of others, in the form that Prometheus gives to what it scrapes.
fn instance(app: &App, host: &str) -> String {
    let doors = app.doors.get().map_or(&[][..], Vec::as_slice);
    let api = doors.iter().find(|door| door.purpose == Purpose::Api).or(doors.first());
    api.map_or_else(|| host.to_owned(), |door| format!("{host}:{}", door.address.port()))
}

#[cfg(test)]
mod tests;
