//! The server under test.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clew_model::{Span, Tenant, TraceId};
use clew_server::{App, Listen, Purpose, ServerConfig, bind};
use clew_store::port::{Clock, SystemClock};
use clew_store::{Ports, Store, StoreConfig};
use http::StatusCode;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::wire;

/// A server on a folder of its own, stopped when dropped.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) app: Arc<App>,
    store: Store,
    stop: Option<oneshot::Sender<()>>,
    served: Option<JoinHandle<usize>>,
    folder: tempfile::TempDir,
}

/// One OTLP door on loopback, any port.
pub(crate) fn config() -> ServerConfig {
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    ServerConfig { listen: vec![Listen::asked(any, Purpose::Otlp)], ..ServerConfig::default() }
}

impl Server {
    pub(crate) async fn start() -> Self {
        Self::with(config()).await
    }

    pub(crate) async fn with(config: ServerConfig) -> Self {
        Self::with_clock(config, Arc::new(SystemClock::new())).await
    }

    pub(crate) async fn with_clock(config: ServerConfig, clock: Arc<dyn Clock>) -> Self {
        Self::with_store(config, clock, Ports::real(), |_| {}).await
    }

    /// On ports and store settings of the test's choice.
    pub(crate) async fn with_store(
        config: ServerConfig,
        clock: Arc<dyn Clock>,
        ports: Ports,
        change: impl FnOnce(&mut StoreConfig),
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut store_config = StoreConfig::new(folder.path());
        store_config.segment_bytes = 8 << 20;
        change(&mut store_config);
        let store = Store::open(store_config, ports).unwrap();
        let server = bind(config, store.clone(), clock).await.unwrap();
        let address = server.addresses()[0].address;
        let app = Arc::clone(server.app());
        let (stop, stopped) = oneshot::channel();
        let served = tokio::spawn(server.serve(async {
            let _ = stopped.await;
        }));
        Self { address, app, store, stop: Some(stop), served: Some(served), folder }
    }

    /// Gives it traces to send itself.
    pub(crate) fn offer_demo(&self, demo: Arc<dyn clew_server::Demo>) {
        self.app.offer_demo(demo);
    }

    /// Begins to stop; the handle tells how many connections were cut off.
    pub(crate) fn stop(&mut self) -> JoinHandle<usize> {
        drop(self.stop.take());
        self.served.take().unwrap()
    }

    /// Stops, closes the store and opens another on the same folder.
    pub(crate) async fn reopened_store(&mut self) -> Store {
        self.stop().await.unwrap();
        self.store.close().unwrap();
        Store::open(StoreConfig::new(self.folder.path()), Ports::real()).unwrap()
    }

    /// The spans of these traces as readers see them.
    pub(crate) fn spans_of(&self, tenant: &str, ids: &[TraceId]) -> Vec<Span> {
        let answer = self.store.spans().rows(&Tenant::new(tenant).unwrap(), ids, &|| false).unwrap();
        assert!(answer.incomplete.is_none());
        answer.spans
    }

    /// Samples of `/metrics`, by name with labels.
    pub(crate) async fn figures(&self) -> HashMap<String, f64> {
        let answer = wire::get(self.address, "/metrics").await;
        assert_eq!(answer.status, StatusCode::OK);
        let text = answer.text();
        let samples = text.lines().filter(|line| !line.starts_with('#'));
        samples
            .map(|line| line.rsplit_once(' ').unwrap())
            .map(|(name, value)| (name.to_owned(), value.parse().unwrap()))
            .collect()
    }

    /// One sample of `/metrics`; 0 when it is not there.
    pub(crate) async fn figure(&self, name: &str) -> f64 {
        self.figures().await.get(name).copied().unwrap_or(0.0)
    }

    /// How often a request of the default tenant was refused for that reason.
    pub(crate) async fn refused(&self, reason: &str) -> f64 {
        self.figure(&format!("clew_requests_refused_total{{tenant=\"default\",reason=\"{reason}\"}}")).await
    }

    /// How many spans of the default tenant were rejected for that reason.
    pub(crate) async fn rejected(&self, reason: &str) -> f64 {
        self.figure(&format!("clew_spans_rejected_total{{tenant=\"default\",reason=\"{reason}\"}}")).await
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        let _ = self.store.close();
    }
}

/// Waits for a condition, no longer than ten seconds.
pub(crate) async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !holds().await {
        assert!(Instant::now() < deadline, "{what} did not come to hold");
        tokio::task::yield_now().await;
    }
}
