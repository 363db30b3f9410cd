//! Doors: which addresses are open, and the connections that come through them.
//!
//! Every door speaks everything: HTTP/1.1 and HTTP/2 with prior knowledge are told apart by a connection's first bytes,
//! gRPC and the rest request by request. A door that nobody asked for and whose port is taken is skipped with a
//! warning; since every door answers everything, one open door is a server.

use std::convert::Infallible;
use std::io::{self, Cursor, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::body::Body;
use clew_model::scan::ScanError;
use clew_store::Store;
use clew_store::port::Clock;
use http::Request;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore, watch};

use crate::app::{App, Listen, Purpose, ServerConfig};
use crate::remote_write;
use crate::router::Doorway;

/// What a client with prior knowledge of HTTP/2 says first (RFC 9113, section 3.4).
const HTTP2_PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Bytes of one HTTP/2 stream, and of all streams of a connection, that may be on their way.
const HTTP2_WINDOWS: (u32, u32) = (1 << 20, 4 << 20);

/// Requests at once on one HTTP/2 connection.
const HTTP2_STREAMS: u32 = 256;

/// Pause after an accept that failed for want of something, such as file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Why a server could not be bound.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BindError {
    /// An address that was asked for is taken.
    #[error(
        "{address} is taken by another program; see who holds it with `ss -ltnp 'sport = :{}'`, or listen elsewhere",
        .address.port()
    )]
    Taken {
        /// Which.
        address: SocketAddr,
    },
    /// An address that was asked for cannot be listened at.
    #[error("cannot listen at {address}: {error}")]
    Address {
        /// Which.
        address: SocketAddr,
        /// What the system said.
        error: io::Error,
    },
    /// None of the default doors could be opened.
    #[error("no door could be opened: {}; stop what holds them, or say where to listen with --listen", .0.join("; "))]
    NoDoor(Vec<String>),
    /// The store did not say which tenants it holds.
    #[error("cannot read the store: {0}")]
    Store(#[from] ScanError),
}

/// An open door.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Address {
    /// Where, with the port that was taken if any free one was asked for.
    pub address: SocketAddr,
    /// What it is announced for; it answers everything.
    pub purpose: Purpose,
}

/// A server whose doors are open; connections wait until it serves.
pub struct Server {
    app: Arc<App>,
    doors: Vec<(TcpListener, Address)>,
    warnings: Vec<String>,
}

/// Opens the doors.
pub async fn bind(config: ServerConfig, store: Store, clock: Arc<dyn Clock>) -> Result<Server, BindError> {
    let mut doors = Vec::new();
    let mut warnings = Vec::new();
    for listen in &config.listen {
        match open(*listen).await {
            Ok(door) => {
                let address = door.1.address;
                doors.push(door);
                if !listen.asked_for && address.ip() == IpAddr::V4(Ipv4Addr::LOCALHOST) {
                    doors.extend(open_beside(address, listen.purpose).await);
                }
            }
            Err(error) if listen.asked_for => return Err(error),
            Err(error) => warnings.push(format!("skipped a default port: {error}")),
        }
    }
    if doors.is_empty() {
        return Err(BindError::NoDoor(warnings));
    }
    warnings.extend(doors.iter().filter(|(_, door)| !door.address.ip().is_loopback()).map(|(_, door)| {
        format!(
            "{} is reachable from other machines and nothing guards it: whoever reaches it can read and send",
            door.address
        )
    }));
    let app = App::new(config, store, clock)?;
    app.doors.get_or_init(|| doors.iter().map(|(_, door)| *door).collect());
    Ok(Server { app, doors, warnings })
}

async fn open(listen: Listen) -> Result<(TcpListener, Address), BindError> {
    let address = listen.address;
    let failed = |error: io::Error| match error.kind() {
        ErrorKind::AddrInUse => BindError::Taken { address },
        _ => BindError::Address { address, error },
    };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok((listener, Address { address, purpose: listen.purpose }))
}

/// The same port on IPv6 loopback, because some clients (Node.js among them) take `localhost` for `::1` first. Not
/// there on machines without IPv6, and nobody misses it.
async fn open_beside(beside: SocketAddr, purpose: Purpose) -> Option<(TcpListener, Address)> {
    let address = SocketAddr::new(IpAddr::V6(Ipv6Addr::LOCALHOST), beside.port());
    open(Listen { address, purpose, asked_for: false }).await.ok()
}

impl Server {
    /// The open doors.
    pub fn addresses(&self) -> Vec<Address> {
        self.doors.iter().map(|(_, door)| *door).collect()
    }

    /// Where questions are announced to be answered: at the API's door, or at any other if that could not be opened.
    pub fn api_address(&self) -> SocketAddr {
        let api = self.doors.iter().find(|(_, door)| door.purpose == Purpose::Api);
        api.unwrap_or(&self.doors[0]).1.address
    }

    /// What whoever starts the server should know.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// What its handlers hold.
    pub fn app(&self) -> &Arc<App> {
        &self.app
    }

    /// Serves until `shutdown` completes; then accepts no more, lets requests in flight finish within the grace, and
    /// returns how many connections were cut off after it.
    pub async fn serve(self, shutdown: impl Future<Output = ()>) -> usize {
        let Self { app, doors, .. } = self;
        let graceful = Arc::new(GracefulShutdown::new());
        let (stop, stopped) = watch::channel(());
        let place_count = app.config.connections.min(Semaphore::MAX_PERMITS);
        let places = Arc::new(Semaphore::new(place_count));
        let doorway = Doorway::new(Arc::clone(&app));
        let builder = Arc::new(builder(app.config.header_timeout));
        let mut accepting = tokio::task::JoinSet::new();
        for (listener, door) in doors {
            let connections = Connections {
                doorway: doorway.clone(),
                builder: Arc::clone(&builder),
                places: Arc::clone(&places),
                header_timeout: app.config.header_timeout,
                loopback: door.address.ip().is_loopback(),
            };
            accepting.spawn(connections.accept(listener, stopped.clone(), Arc::clone(&graceful)));
        }
        let writing = tokio::spawn(remote_write::run(Arc::clone(&app), stopped));
        shutdown.await;
        app.stopping.store(true, Ordering::Relaxed);
        drop(stop);
        while accepting.join_next().await.is_some() {}
        let graceful = Arc::into_inner(graceful).expect("the tasks that accepted have ended");
        let cut_off = match tokio::time::timeout(app.config.stop_grace, graceful.shutdown()).await {
            Ok(()) => 0,
            Err(_) => place_count - places.available_permits(),
        };
        // Its last round has a bound of its own.
        if let Err(error) = writing.await {
            tracing::error!(%error, "the remote write failed");
        }
        cut_off
    }
}

fn builder(header_timeout: Duration) -> Builder<TokioExecutor> {
    let (stream_window, connection_window) = HTTP2_WINDOWS;
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(header_timeout).keep_alive(true);
    builder
        .http2()
        .timer(TokioTimer::new())
        .initial_stream_window_size(stream_window)
        .initial_connection_window_size(connection_window)
        .max_concurrent_streams(HTTP2_STREAMS)
        .keep_alive_interval(header_timeout)
        .keep_alive_timeout(Duration::from_secs(20));
    builder
}

/// What one door needs to take connections.
struct Connections {
    doorway: Doorway,
    builder: Arc<Builder<TokioExecutor>>,
    places: Arc<Semaphore>,
    header_timeout: Duration,
    loopback: bool,
}

impl Connections {
    /// Accepts until the server stops.
    async fn accept(self, listener: TcpListener, mut stopped: watch::Receiver<()>, graceful: Arc<GracefulShutdown>) {
        loop {
            let next = async {
                let accepted = listener.accept().await;
                // Only now, so that a door where nobody knocks takes no place from the others.
                (Arc::clone(&self.places).acquire_owned().await, accepted)
            };
            let (place, accepted) = tokio::select! {
                next = next => next,
                _ = stopped.changed() => return,
            };
            match accepted {
                Ok((stream, _)) => self.take(stream, place, stopped.clone(), graceful.watcher()),
                Err(error) => {
                    tracing::warn!(%error, "failed to accept a connection");
                    tokio::select! {
                        () = tokio::time::sleep(ACCEPT_PAUSE) => {}
                        _ = stopped.changed() => return,
                    }
                }
            }
        }
    }

    /// Serves one connection on a task of its own.
    fn take(
        &self,
        stream: TcpStream,
        place: Result<OwnedSemaphorePermit, AcquireError>,
        mut stopped: watch::Receiver<()>,
        watcher: Watcher,
    ) {
        let (builder, doorway) = (Arc::clone(&self.builder), self.doorway.clone());
        let (header_timeout, loopback) = (self.header_timeout, self.loopback);
        tokio::spawn(async move {
            let begun = tokio::select! {
                begun = tokio::time::timeout(header_timeout, begin(stream, &doorway)) => begun,
                _ = stopped.changed() => return,
            };
            if let Ok(Ok(stream)) = begun {
                serve(stream, &builder, doorway, loopback, watcher).await;
            }
            drop(place);
        });
    }
}

/// Reads until the protocol can be told, so that a connection that says nothing does not outlive the header timeout,
/// and gives the bytes back to be read again.
async fn begin(
    mut stream: TcpStream,
    doorway: &Doorway,
) -> io::Result<impl AsyncRead + AsyncWrite + Unpin + Send + 'static> {
    // Answers are small and complete; waiting to fill a packet only delays them.
    stream.set_nodelay(true)?;
    let mut start = [0; HTTP2_PREFACE.len()];
    let mut length = 0;
    while length < start.len() && HTTP2_PREFACE.starts_with(&start[..length]) {
        match stream.read(&mut start[length..]).await? {
            0 => return Err(ErrorKind::UnexpectedEof.into()),
            read => length += read,
        }
    }
    if is_tls_hello(&start[..length]) {
        doorway.knocked_with_tls();
    }
    let (rest, write) = stream.into_split();
    let start = Cursor::new(start).take(length as u64);
    Ok(tokio::io::join(start.chain(rest), write))
}

/// Whether a connection begins with TLS: a handshake record of any version since SSL 3 (RFC 8446, section 5.1).
fn is_tls_hello(start: &[u8]) -> bool {
    matches!(start, [0x16] | [0x16, 3, ..])
}

async fn serve(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    builder: &Builder<TokioExecutor>,
    doorway: Doorway,
    loopback: bool,
    watcher: Watcher,
) {
    let service = hyper::service::service_fn(move |request: Request<Incoming>| {
        let doorway = doorway.clone();
        async move { Ok::<_, Infallible>(doorway.answer(request.map(Body::new), loopback).await) }
    });
    if let Err(error) = watcher.watch(builder.serve_connection(TokioIo::new(stream), service)).await {
        tracing::debug!(error, "a connection ended early");
    }
}
