//! The server under test: a store on a disk in memory, a clock that moves when told, and the router, without sockets.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use clew_model::{Span, SpanId, Tenant, TraceId};
use clew_server::{App, ServerConfig, router};
use clew_store::port::{Clock, ManualClock, MemoryDisk};
use clew_store::{Ports, Store, StoreConfig};
use clew_wire::otlp_json::JsonShape;
use http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use tower::ServiceExt as _;

use super::evaluate::Held;

/// The resource attribute that names the tenant where no header does.
pub(crate) const TENANT_ATTRIBUTE: &str = "tenant.id";

/// How long a request that is sent again is known, so that it is acknowledged and not stored.
const REPEAT_NANOS: u64 = 600_000_000_000;

/// A request of spans.
#[derive(Debug, Clone)]
pub(crate) struct Sent {
    /// Named by header; else resources may name one each.
    pub(crate) tenant: Option<Tenant>,
    pub(crate) form: Form,
    pub(crate) spans: Vec<Span>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Protobuf,
    Json,
    Gzip,
    Zstd,
}

/// A step that is not a question.
#[derive(Debug, Clone)]
pub(crate) enum Act {
    Send(Sent),
    Seal,
    Restart,
    /// The power goes: only what was synced is there when the server comes back.
    Crash,
    Advance {
        nanos: u64,
    },
}

impl Act {
    /// Whether it changes where spans lie and nothing else.
    pub(crate) fn is_unseen(&self) -> bool {
        matches!(self, Self::Seal | Self::Restart | Self::Crash)
    }
}

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) body: Bytes,
}

pub(crate) struct World {
    /// Matches that a bounded total counts.
    pub(crate) total_bound: u64,
    pub(crate) clock: Arc<ManualClock>,
    /// Every span that was acknowledged.
    pub(crate) held: Vec<Held>,
    /// When each request was stored last, by its tenant and body.
    stored: HashMap<(Option<Tenant>, Vec<u8>), u64>,
    disk: MemoryDisk,
    store: Store,
    router: Router,
}

impl World {
    pub(crate) fn new(now_unix_nanos: u64, total_bound: u64) -> Self {
        let (clock, disk) = (Arc::new(ManualClock::new(now_unix_nanos)), MemoryDisk::new());
        let (store, router) = open(&disk, &clock, total_bound);
        Self { total_bound, clock, held: Vec::new(), stored: HashMap::new(), disk, store, router }
    }

    /// The same server, seen by another sender, who knows of its own spans only.
    pub(crate) fn beside(&self) -> Self {
        let (clock, disk) = (Arc::clone(&self.clock), self.disk.clone());
        let (store, router) = (self.store.clone(), self.router.clone());
        Self { total_bound: self.total_bound, clock, held: Vec::new(), stored: HashMap::new(), disk, store, router }
    }

    pub(crate) fn now(&self) -> u64 {
        self.clock.unix_nanos()
    }

    pub(crate) async fn act(&mut self, act: &Act) -> Result<(), String> {
        match act {
            Act::Send(sent) => self.send(sent).await?,
            Act::Seal => seal(&self.store)?,
            Act::Restart => {
                self.store.close().map_err(|error| error.to_string())?;
                (self.store, self.router) = open(&self.disk, &self.clock, self.total_bound);
            }
            Act::Crash => {
                let left = self.disk.fork();
                left.crash();
                self.store.close().map_err(|error| error.to_string())?;
                self.disk = left;
                (self.store, self.router) = open(&self.disk, &self.clock, self.total_bound);
            }
            Act::Advance { nanos } => {
                self.settle_requests().await?;
                self.clock.advance_nanos(*nanos);
            }
        }
        match self.store.health().first() {
            Some(reason) => Err(format!("after {act:?} the store is not well: {reason:?}")),
            None => Ok(()),
        }
    }

    pub(crate) async fn get(&self, path: &str, tenant: Option<&Tenant>) -> Answer {
        let mut request = Request::get(path);
        if let Some(tenant) = tenant {
            request = request.header("x-scope-orgid", tenant.as_str());
        }
        self.call(request.body(Body::empty()).unwrap()).await
    }

    /// Waits until the log knows that all requests are stored. It hears so just after the sender, and until then takes a
    /// request that comes again for one on its way, however far a clock jumps. The one worker has told of all before this one.
    async fn settle_requests(&self) -> Result<(), String> {
        let span = Span {
            trace_id: TraceId([9; 16]),
            span_id: SpanId([9; 8]),
            start_unix_nanos: self.now(),
            name: self.clock.monotonic_nanos().to_string(),
            ..Span::default()
        };
        let tenant = Some(Tenant::new("nobody").unwrap());
        let (_, request) = Sent { tenant, form: Form::Protobuf, spans: vec![span] }.request();
        let answer = self.call(request).await;
        if answer.status == StatusCode::OK { Ok(()) } else { Err(format!("not stored: {}", answer.status)) }
    }

    async fn send(&mut self, sent: &Sent) -> Result<(), String> {
        let received_unix_nanos = self.now();
        let (body, request) = sent.request();
        let answer = self.call(request).await;
        if answer.status != StatusCode::OK {
            return Err(format!("not stored: {} {:?}", answer.status, answer.body));
        }
        let stored = self.stored.entry((sent.tenant.clone(), body)).or_default();
        if *stored + REPEAT_NANOS < received_unix_nanos {
            *stored = received_unix_nanos;
            self.held.extend(sent.kept(received_unix_nanos));
        }
        Ok(())
    }

    async fn call(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap_or_else(|never| match never {});
        let status = response.status();
        Answer { status, body: response.into_body().collect().await.unwrap().to_bytes() }
    }
}

impl Sent {
    /// The body, and the request that carries it.
    pub(crate) fn request(&self) -> (Vec<u8>, Request<Body>) {
        let plain = clew_wire::otlp::encode(&self.spans);
        let protobuf = "application/x-protobuf";
        let (media_type, encoding, body) = match self.form {
            Form::Protobuf => (protobuf, None, plain),
            Form::Json => {
                let json = clew_wire::otlp_json::encode(&self.spans, JsonShape::Otlp);
                ("application/json", None, json.to_string().into_bytes())
            }
            Form::Gzip => {
                let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
                std::io::Write::write_all(&mut encoder, &plain).unwrap();
                (protobuf, Some("gzip"), encoder.finish().unwrap())
            }
            Form::Zstd => (protobuf, Some("zstd"), zstd::encode_all(&plain[..], 1).unwrap()),
        };
        let mut request = Request::post("/v1/traces").header("content-type", media_type);
        if let Some(encoding) = encoding {
            request = request.header("content-encoding", encoding);
        }
        if let Some(tenant) = &self.tenant {
            request = request.header("x-scope-orgid", tenant.as_str());
        }
        (body.clone(), request.body(Body::from(body)).unwrap())
    }

    /// The spans that an acknowledgement speaks of, as they read, mended and noted, and whose they are.
    pub(crate) fn kept(&self, received_unix_nanos: u64) -> impl Iterator<Item = Held> {
        let body = clew_wire::otlp::encode(&self.spans);
        let limits = ServerConfig::default().limits;
        let spans = clew_wire::otlp::spans(&body, &limits, received_unix_nanos, &[]).unwrap();
        spans.into_iter().map(|span| Held::new(self.tenant.clone().unwrap_or_else(|| tenant_of(&span)), span))
    }
}

/// The tenant that a resource names, or the default.
fn tenant_of(span: &Span) -> Tenant {
    let named = span.resource.attributes.iter().find(|attribute| attribute.key == TENANT_ATTRIBUTE);
    named.map(|named| Tenant::new(&named.value.to_string()).unwrap()).unwrap_or_default()
}

/// Moves live spans into a block.
fn seal(store: &Store) -> Result<(), String> {
    let (sender, sealed) = std::sync::mpsc::channel();
    store.seal(move |result| drop(sender.send(result)));
    sealed.recv().map_err(|error| error.to_string())?.map_err(|error| error.to_string())
}

fn open(disk: &MemoryDisk, clock: &Arc<ManualClock>, total_bound: u64) -> (Store, Router) {
    let store_config = StoreConfig {
        segment_bytes: 32 << 10,
        live_shards: 2,
        workers: 1,
        block_group_rows: 16,
        ..StoreConfig::new("/data")
    };
    let ports = Ports { disk: Arc::new(disk.clone()), clock: Arc::clone(clock) as _ };
    let store = Store::open(store_config, ports).unwrap();
    let config =
        ServerConfig { tenant_attribute: Some(TENANT_ATTRIBUTE.to_owned()), total_bound, ..ServerConfig::default() };
    let app = App::new(config, store.clone(), Arc::clone(clock) as _).unwrap();
    (store, router(app))
}
