//! What every door shares: configuration, the store, the clock, figures, and who may take how much.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use clew_model::Tenant;
use clew_model::scan::ScanError;
use clew_store::port::Clock;
use clew_store::{HealthReason, Store};
use clew_wire::otlp::Limits;
use http::{HeaderMap, StatusCode};
use tokio::sync::Semaphore;

use crate::ask::live::LiveRoom;
use crate::ask::question::TOTAL_BOUND;
use crate::ask::{HealthLimits, TraceCache};
use crate::demo::{Demo, DemoRoom};
use crate::figures::Figures;
use crate::hints::{Example, Hint, Hints};
use crate::listen::Address;
use crate::problem::Problem;
use crate::receive::InFlight;
use crate::remote_write::{RemoteWrite, WriteFigures};
use crate::tenants::{self, TENANT_HEADER, TenantProblem, Tenants};

/// What the doors are told; the binary resolves it from file, environment and flags before anything opens.
#[derive(Debug, Clone, PartialEq)]
pub struct ServerConfig {
    /// Where to listen.
    pub listen: Vec<Listen>,
    /// Names besides `localhost` and loopback addresses that a request to a loopback door may be addressed to
    /// (`hosts`).
    pub hosts: Vec<String>,
    /// Origins whose pages may send and ask (`cors.origins`); `*` is any; none turns CORS off.
    pub cors_origins: Vec<String>,
    /// Connections open at once; more wait to be accepted (`limits.connections`).
    pub connections: usize,
    /// Time to send a request's headers, and how long an idle HTTP/1.1 connection stays open (`limits.idle_timeout`).
    pub header_timeout: Duration,
    /// Time to send a request's body (`limits.read_timeout`).
    pub body_timeout: Duration,
    /// Time that requests in flight get to finish when the server stops.
    pub stop_grace: Duration,
    /// Largest request, in bytes, before and after decompression (`limits.request_bytes`).
    pub request_bytes: usize,
    /// Bytes of requests being received or made durable at once (`limits.in_flight_bytes`).
    pub in_flight_bytes: usize,
    /// How long a request waits for its share of them before it is refused (`limits.in_flight_wait`).
    pub in_flight_wait: Duration,
    /// How much of odd spans is kept.
    pub limits: Limits,
    /// Tenants held at most (`limits.tenants`).
    pub tenants: usize,
    /// Tenants that have a label of their own in figures; the rest shares `(other)`.
    pub tenant_labels: usize,
    /// Spans per second that each tenant may send on average (`limits.tenant_spans_per_second`).
    pub tenant_spans_per_second: Option<u32>,
    /// The tenant of each bearer token (`tenant.tokens`). When there are any, an unknown token is refused; a request without
    /// one goes by header, attribute or default all the same, so tokens tell tenants apart but guard nothing.
    pub tokens: HashMap<String, Tenant>,
    /// The resource attribute that names the tenant where neither token nor header does (`tenant.attribute`).
    pub tenant_attribute: Option<String>,
    /// Time for a query.
    pub query_timeout: Duration,
    /// Queries running at once; more are refused with a retry hint.
    pub query_concurrency: usize,
    /// Memory for explained traces that were asked for lately (`query.trace_cache_bytes`).
    pub trace_cache_bytes: usize,
    /// Largest file that is explained and not kept, and how much all such files at once may take (`query.explain_bytes`).
    pub explain_bytes: usize,
    /// Streams of settled traces open at once; more are refused with a retry hint (`query.live_streams`).
    pub live_streams: usize,
    /// Matches that a bounded total counts at most. The API's documents name the default.
    pub total_bound: u64,
    /// From when on a node of the graph of services is not well (`health.*`).
    pub health: HealthLimits,
    /// Where figures are sent to, if anywhere (`metrics.remote_write*`).
    pub remote_write: Option<RemoteWrite>,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            listen: Listen::defaults(),
            hosts: Vec::new(),
            cors_origins: Vec::new(),
            connections: 4096,
            header_timeout: Duration::from_mins(1),
            body_timeout: Duration::from_secs(30),
            stop_grace: Duration::from_secs(5),
            request_bytes: 16 << 20,
            in_flight_bytes: 128 << 20,
            in_flight_wait: Duration::from_secs(2),
            limits: Limits::default(),
            tenants: 1000,
            tenant_labels: 64,
            tenant_spans_per_second: None,
            tokens: HashMap::new(),
            tenant_attribute: None,
            query_timeout: Duration::from_secs(30),
            query_concurrency: 16,
            trace_cache_bytes: 256 << 20,
            explain_bytes: 64 << 20,
            live_streams: 64,
            total_bound: TOTAL_BOUND,
            health: HealthLimits::default(),
            remote_write: None,
        }
    }
}

/// An address to listen at. Every door speaks everything; the purpose says what it is announced for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listen {
    /// Where; port 0 takes any free one.
    pub address: SocketAddr,
    /// What it is announced for.
    pub purpose: Purpose,
    /// Whether somebody asked for it. A door that nobody asked for is skipped when its port is taken.
    pub asked_for: bool,
}

/// What a door is announced for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// OTLP in.
    Otlp,
    /// Questions and answers.
    Api,
}

impl Listen {
    /// The doors of a server that was told nothing: OTLP on 4317, 4318 and 9090, the API on 8080, loopback only.
    pub fn defaults() -> Vec<Self> {
        let doors = [(4317, Purpose::Otlp), (4318, Purpose::Otlp), (9090, Purpose::Otlp), (8080, Purpose::Api)];
        let address = |port| SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port);
        doors.map(|(port, purpose)| Self { address: address(port), purpose, asked_for: false }).to_vec()
    }

    /// A door that was asked for.
    pub fn asked(address: SocketAddr, purpose: Purpose) -> Self {
        Self { address, purpose, asked_for: true }
    }
}

/// What every request handler holds.
pub struct App {
    /// What it was told.
    pub config: ServerConfig,
    /// Where spans go and come from.
    pub store: Store,
    /// The only source of time.
    pub clock: Arc<dyn Clock>,
    /// clew's own figures.
    pub figures: Figures,
    /// Usual mistakes of senders and readers, as they were noticed.
    pub(crate) hints: Hints,
    /// The open doors, once there are any.
    pub(crate) doors: OnceLock<Vec<Address>>,
    /// The traces that the server can send itself, if it was given any.
    pub(crate) demo: DemoRoom,
    /// One permit for each query that may run.
    pub queries: Arc<Semaphore>,
    /// What became of the figures that were sent.
    pub(crate) remote_write: WriteFigures,
    /// Streams of settled traces.
    pub(crate) live: LiveRoom,
    /// Explained traces that were asked for lately.
    pub traces: TraceCache,
    /// The bytes of files that are being explained.
    pub explaining: InFlight,
    /// The tenants that this server holds.
    pub tenants: Tenants,
    /// The bytes of requests in flight.
    pub in_flight: InFlight,
    /// Set once the server has begun to stop.
    pub stopping: AtomicBool,
    /// When this state was made, by `clock`.
    pub started_unix_nanos: u64,
}

impl App {
    /// The shared state of one server.
    pub fn new(config: ServerConfig, store: Store, clock: Arc<dyn Clock>) -> Result<Arc<Self>, ScanError> {
        let held = store.spans().tenants()?;
        Ok(Arc::new(Self {
            figures: Figures::new(config.tenant_labels),
            hints: Hints::new(),
            doors: OnceLock::new(),
            demo: DemoRoom::new(),
            queries: Arc::new(Semaphore::new(config.query_concurrency.min(Semaphore::MAX_PERMITS))),
            remote_write: WriteFigures::default(),
            live: LiveRoom::new(config.live_streams),
            traces: TraceCache::new(config.trace_cache_bytes),
            explaining: InFlight::new(config.explain_bytes, config.in_flight_wait),
            tenants: Tenants::new(held, config.tenants, config.tenant_spans_per_second),
            in_flight: InFlight::new(config.in_flight_bytes, config.in_flight_wait),
            stopping: AtomicBool::new(false),
            started_unix_nanos: clock.unix_nanos(),
            config,
            store,
            clock,
        }))
    }

    /// Gives the server traces that it can send itself when it is asked to (`POST /v1/demo`); the first ones stay.
    pub fn offer_demo(&self, demo: Arc<dyn Demo>) {
        self.demo.open(demo);
    }

    /// Why the server is not well, if it is not.
    pub(crate) fn health(&self) -> Vec<HealthReason> {
        let mut reasons = self.store.health();
        reasons.extend(self.remote_write.health());
        reasons
    }

    /// Counts a usual mistake; the example is asked for when one is due.
    pub(crate) fn notice(&self, hint: Hint, count: u64, example: impl FnOnce() -> Example) {
        self.hints.notice(&*self.clock, hint, count, example);
    }

    /// The tenant that a question is about, by token, header or default.
    #[expect(clippy::result_large_err, reason = "once a question, and on its way to becoming the answer")]
    pub fn tenant(&self, headers: &HeaderMap) -> Result<Tenant, Problem> {
        match tenants::named(&self.config.tokens, headers) {
            Ok(tenant) => Ok(tenant.unwrap_or_default()),
            Err(TenantProblem::BadName) => Err(Problem::parameter(TENANT_HEADER, TenantProblem::BadName.to_string())),
            Err(unknown) => Err(Problem::new(StatusCode::UNAUTHORIZED, unknown.to_string())),
        }
    }
}
