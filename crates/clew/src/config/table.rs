//! The settings. This table is the only place that names a key.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use super::layers::{Inputs, Layers, Origin};
use super::value::{
    AutoCount, BearerToken, ByteCount, HttpUrl, LogFormat, MemoryShare, Percent, Raw, SettingType, SpaceShare,
    TenantBytes, TenantDurations, Tokens,
};
use super::{ConfigErrors, KeyError};

/// One setting.
#[derive(Debug)]
pub(crate) struct Setting {
    /// Its key in the file, with dots between tables.
    pub(crate) key: &'static str,
    /// What kind of value it takes.
    pub(crate) kind: &'static str,
    /// The default, as it would be written.
    pub(crate) default: &'static str,
    /// Least and greatest number; bytes for bytes, milliseconds for durations.
    pub(crate) bounds: Option<RangeInclusive<u64>>,
    /// What it means, as paragraphs of Markdown.
    pub(crate) about: &'static [&'static str],
}

impl Setting {
    /// The setting of a key.
    pub(crate) fn of(key: &str) -> Option<&'static Self> {
        SETTINGS.iter().find(|setting| setting.key == key)
    }

    /// Its environment variable.
    pub(crate) fn environment(&self) -> String {
        format!("CLEW_{}", self.key.replace('.', "_").to_uppercase())
    }

    /// Its flag, without dashes. Tokens have none: command lines are visible to other users.
    pub(crate) fn flag(&self) -> Option<String> {
        (!["tenant.tokens", "metrics.remote_write_token"].contains(&self.key))
            .then(|| self.key.replace(['.', '_'], "-"))
    }
}

/// A resolved value and where it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Resolved {
    /// Which setting.
    pub(crate) key: &'static str,
    /// As TOML; `None` when it is secret.
    pub(crate) shown: Option<String>,
    /// Where it came from.
    pub(crate) origin: Origin,
}

macro_rules! settings {
    ($($(#[doc = $about:literal])+ $key:literal $field:ident: $type:ty = $default:literal $(in $bounds:expr)?;)+) => {
        /// Every setting, in the order of the reference page.
        pub(crate) static SETTINGS: &[Setting] = &[$(Setting {
            key: $key,
            kind: <$type as SettingType>::NAME,
            default: $default,
            bounds: settings!(@bounds $($bounds)?),
            about: &[$($about),+],
        }),+];

        /// The resolved configuration.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub(crate) struct Config {
            $($(#[doc = $about])+ pub(crate) $field: $type,)+
            /// All values as they are shown, with their origins.
            pub(crate) resolved: Vec<Resolved>,
        }

        impl Config {
            /// Resolves what was written, or says all that is wrong with it.
            pub(crate) fn resolve(inputs: &Inputs) -> Result<Self, ConfigErrors> {
                let (layers, mut errors) = Layers::collect(inputs);
                let mut resolved = Vec::with_capacity(SETTINGS.len());
                $(let $field: Option<$type> = take($key, &layers, &mut resolved, &mut errors);)+
                match ($($field,)+) {
                    ($(Some($field),)+) if errors.is_empty() => Self { $($field,)+ resolved }.checked(),
                    _ => Err(ConfigErrors(errors)),
                }
            }
        }
    };
    (@bounds) => { None };
    (@bounds $bounds:expr) => { Some($bounds) };
}

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
const SECOND: u64 = 1_000;
const HOUR: u64 = 3_600 * SECOND;

settings! {
    /// Where clew keeps everything: the log, its lock and its format file. Made when it does not exist.
    "data_dir" data_dir: PathBuf = "./clew-data";

    /// Addresses to listen at. Every address speaks everything: OTLP over gRPC and HTTP, and the API.
    /// A default port that is taken is skipped with a warning; an address that was asked for must be free.
    /// Port 0 takes any free port, which the greeting names.
    "listen" listen: Vec<SocketAddr> = "127.0.0.1:8080,127.0.0.1:4317,127.0.0.1:4318,127.0.0.1:9090";

    /// Host names, besides `localhost` and loopback addresses, that requests to a loopback address may name.
    /// Others are refused, so that a web page cannot reach clew through a name of its own (DNS rebinding).
    "hosts" hosts: Vec<String> = "";

    /// Origins whose web pages may send spans and ask questions, such as `https://shop.example`; `*` is any.
    /// None turns CORS off.
    "cors.origins" cors_origins: Vec<String> = "";

    /// Largest request, before and after decompression.
    "limits.request_bytes" request_bytes: ByteCount = "16MiB" in KIB..=GIB;

    /// Bytes of requests being received or made durable at once. More wait, then are refused with a retry hint.
    "limits.in_flight_bytes" in_flight_bytes: ByteCount = "128MiB" in MIB..=64 * GIB;

    /// How long a request waits for its share of `limits.in_flight_bytes` before it is refused.
    "limits.in_flight_wait" in_flight_wait: Duration = "2s" in 0..=60 * SECOND;

    /// Connections open at once; more wait to be accepted.
    "limits.connections" connections: u64 = "4096" in 1..=1_000_000;

    /// Time for a sender to deliver a request's body.
    "limits.read_timeout" read_timeout: Duration = "30s" in 100..=HOUR;

    /// How long a connection may be silent between requests, and take to send a request's headers.
    "limits.idle_timeout" idle_timeout: Duration = "60s" in SECOND..=24 * HOUR;

    /// Tenants held at most.
    "limits.tenants" tenants: u64 = "1000" in 1..=1_000_000;

    /// Spans per second that each tenant may send, on average; 0 is no limit.
    "limits.tenant_spans_per_second" tenant_spans_per_second: u64 = "0" in 0..=1_000_000_000;

    /// Longest text or bytes value, name or key; the rest is cut and the span says so.
    "limits.value_bytes" value_bytes: ByteCount = "64KiB" in 64..=16 * MIB;

    /// Most attributes of a span, event, link, resource or scope; the rest is dropped and counted on the span.
    "limits.attributes" attributes: u64 = "1024" in 1..=65_536;

    /// Most events of a span; the rest is dropped and counted on the span.
    "limits.events" events: u64 = "1024" in 1..=65_536;

    /// Most links of a span; the rest is dropped and counted on the span.
    "limits.links" links: u64 = "1024" in 1..=65_536;

    /// Deepest nesting of arrays and maps in a value; what lies deeper reads as empty.
    "limits.depth" depth: u64 = "32" in 1..=64;

    /// A resource attribute that names the tenant of its spans where neither a token nor a header does; empty is none.
    "tenant.attribute" tenant_attribute: String = "";

    /// Bearer tokens and the tenant that each speaks for. A token that is not known is refused; a request without one
    /// goes by its header, its attribute or `default`: tokens name tenants, and guard nothing by themselves.
    /// Never printed, and without a flag, since other users see command lines.
    "tenant.tokens" tenant_tokens: Tokens = "";

    /// Length of one file of the log. A larger single request gets a larger file of its own.
    "log.segment_bytes" log_segment_bytes: ByteCount = "64MiB" in MIB..=16 * GIB;

    /// Most bytes that are written and synced together.
    "log.group_bytes" log_group_bytes: ByteCount = "4MiB" in 4 * KIB..=GIB;

    /// Most bytes that wait for the log. More are refused with a retry hint.
    "log.queue_bytes" log_queue_bytes: ByteCount = "64MiB" in MIB..=64 * GIB;

    /// How long a request is known again when it is sent once more, so that it is acknowledged and not stored twice.
    "log.repeat_window" log_repeat_window: Duration = "10m" in 0..=24 * HOUR;

    /// Memory for live spans. From a quarter of it on they are sealed into a block, and at the latest from a half on;
    /// should they fill it nevertheless, senders are refused with a retry hint. `auto` is the smaller of 224 MiB and an
    /// eighth of the machine's memory or of the control group's limit.
    "live.bytes" live_bytes: MemoryShare = "auto" in 4 * MIB..=1024 * GIB;

    /// Over how many locks live spans are spread.
    "live.shards" live_shards: u64 = "4" in 1..=1024;

    /// Threads that make synced spans visible; `auto` is one for each core, at most eight.
    "live.workers" live_workers: AutoCount = "auto" in 1..=256;

    /// Seals are at least this far apart as long as memory allows it (a half of `live.bytes` does not wait).
    "live.seal_apart" seal_apart: Duration = "15s" in 0..=HOUR;

    /// Spans are sealed at the latest this long after they came.
    "live.seal_age" seal_age: Duration = "2m" in SECOND..=24 * HOUR;

    /// Memory for what questions need of blocks again and again: parts of sidecars, and where columns lie.
    "blocks.cache_bytes" cache_bytes: ByteCount = "64MiB" in MIB..=64 * GIB;

    /// So many blocks become one before the hour, or the day, in which their spans were received is over; never more at once.
    "merge.fan_in" merge_fan_in: u64 = "16" in 2..=256;

    /// Largest block that others are merged into, in bytes of its files; one that has more than half of it is not merged
    /// again. 0 turns merging off.
    "merge.block_bytes" merge_block_bytes: ByteCount = "256MiB" in 0..=16 * GIB;

    /// Memory for what a merge reads; one runs at a time. What it writes takes 35 MiB more, and a quarter of a block's bytes.
    "merge.memory_bytes" merge_memory_bytes: ByteCount = "8MiB" in MIB..=16 * GIB;

    /// How long spans are kept after they were received.
    "retention.age" retention_age: Duration = "7d" in SECOND..=3650 * 24 * HOUR;

    /// How much blocks may take: bytes, or a share of what the file system has for them (what they take and what is
    /// free). The oldest go first. The rest is the room that the log, the next seals and others need.
    "retention.size" retention_size: SpaceShare = "80%";

    /// Tenants whose spans are kept for another time: `acme=3d,free=1d`.
    "retention.tenants" retention_tenants: TenantDurations = "" in SECOND..=3650 * 24 * HOUR;

    /// Tenants whose blocks may take so many bytes at most: `free=10GiB`. A tenant's own oldest spans go first.
    "retention.tenant_bytes" retention_tenant_bytes: TenantBytes = "";

    /// How long deleted traces may stay in files, so that a block is written anew once for many of them. They are out of
    /// every answer at once.
    "retention.purge_after" purge_after: Duration = "10m" in 0..=24 * HOUR;

    /// Most traces that may be pinned at a time, of all tenants.
    "retention.pins" retention_pins: u64 = "10000" in 0..=1_000_000;

    /// A trace is settled so long after its last span came, once its root was seen: from then on its verdict and its figures
    /// stand.
    "settle.idle" settle_idle: Duration = "30s" in 0..=24 * HOUR;

    /// A trace is settled at the latest so long after its first span came, with its root or without.
    "settle.age" settle_age: Duration = "5m" in SECOND..=24 * HOUR;

    /// Tenants whose traces are settled after another idle time: `acme=10s,batch=10m`.
    "settle.tenant_idle" settle_tenant_idle: TenantDurations = "" in 0..=24 * HOUR;

    /// Tenants whose traces are settled at another age.
    "settle.tenant_age" settle_tenant_age: TenantDurations = "" in SECOND..=24 * HOUR;

    /// How often it is looked for traces to settle.
    "settle.every" settle_every: Duration = "5s" in 100..=HOUR;

    /// Memory for traces that are not settled yet, about 80 bytes each. What there is no room for is settled later.
    /// If none of them is complete by then, the oldest are settled early.
    "settle.pending_bytes" settle_pending_bytes: ByteCount = "128MiB" in MIB..=64 * GIB;

    /// Whoever follows settled traces and was away for so long misses none of them.
    "settle.feed_age" settle_feed_age: Duration = "1h" in 0..=7 * 24 * HOUR;

    /// Every trace is kept for so long after it came, whatever is decided about it.
    "settle.full_for" settle_full_for: Duration = "1h" in 0..=3650 * 24 * HOUR;

    /// A trace that is not kept is known for so long after it was left out, about 3 bytes each: what comes late of it is not
    /// kept either, unless it brings an error.
    "settle.dropped_for" settle_dropped_for: Duration = "6h" in 0..=3650 * 24 * HOUR;

    /// Share of the traces that is kept, in percent, by trace id and consistent with OpenTelemetry's sampling thresholds.
    /// Figures are taken before, of all traces.
    "sampling.percent" sampling_percent: Percent = "100";

    /// How long figures of rates, errors and durations are kept.
    "figures.age" figures_age: Duration = "30d" in HOUR..=3650 * 24 * HOUR;

    /// Most series of a tenant and minute: of service, operation, kind and status. The smallest of the rest are counted
    /// together as `(other)`.
    "figures.series_per_minute" figures_series_per_minute: u64 = "5000" in 1..=1_000_000;

    /// Memory for figures that were read, for the next question about them.
    "figures.cache_bytes" figures_cache_bytes: ByteCount = "32MiB" in MIB..=64 * GIB;

    /// Most series of spans, and most edges, that `/metrics` has since the start; those that come later are counted together as
    /// `(other)`. Each takes about 1 KiB of memory, and of spans 3 KiB of the page.
    "metrics.series" metric_series: u64 = "10000" in 0..=1_000_000;

    /// Where the figures of `/metrics` are sent to, by Prometheus' remote write 1.0: `http://127.0.0.1:9090/api/v1/write`.
    /// Plain HTTP only; for https, name a proxy or an agent that speaks it.
    "metrics.remote_write" remote_write: HttpUrl = "";

    /// How often they are sent. What could not be delivered by then is dropped, since newer values follow.
    "metrics.remote_write_every" remote_write_every: Duration = "15s" in SECOND..=HOUR;

    /// A bearer token that the receiver asks for. Never printed, and without a flag, since other users see command lines.
    "metrics.remote_write_token" remote_write_token: BearerToken = "";

    /// Share of failed requests, in percent, above which a service is degraded in `/v1/dependencies`.
    "health.degraded_errors" health_degraded_errors: Percent = "1";

    /// Mean duration of requests above which it is degraded.
    "health.degraded_mean" health_degraded_mean: Duration = "500ms" in 0..=24 * HOUR;

    /// Share of failed requests, in percent, above which it is unhealthy.
    "health.unhealthy_errors" health_unhealthy_errors: Percent = "5";

    /// Mean duration of requests above which it is unhealthy.
    "health.unhealthy_mean" health_unhealthy_mean: Duration = "1s" in 0..=24 * HOUR;

    /// Time for a question, after which it fails.
    "query.timeout" query_timeout: Duration = "30s" in 10..=HOUR;

    /// Questions answered at once; more are refused with a retry hint.
    "query.concurrency" query_concurrency: u64 = "16" in 1..=4096;

    /// Streams of settled traces (`/v1/live`, `clew tail`) open at once; more are refused with a retry hint.
    "query.live_streams" live_streams: u64 = "64" in 0..=65_536;

    /// Memory for explained traces that were asked for lately, so that looking around in one does not read it each time. One
    /// span takes about 1 KiB to 2 KiB. `auto` is the smaller of 224 MiB and an eighth of the machine's memory or of the
    /// control group's limit.
    "query.trace_cache_bytes" trace_cache_bytes: MemoryShare = "auto" in 0..=1024 * GIB;

    /// Largest file of traces that is explained without being kept (`POST /v1/explain`), also when it is decompressed; all
    /// such files at once take no more.
    "query.explain_bytes" explain_bytes: ByteCount = "64MiB" in MIB..=4 * GIB;

    /// How long requests in flight may take to finish when the server is told to stop.
    "shutdown.grace" shutdown_grace: Duration = "5s" in 0..=HOUR;

    /// What is written to standard error: `error`, `warn`, `info`, `debug`, `trace`, or directives such as
    /// `warn,clew_store=debug`.
    "log_level" log_level: String = "info";

    /// How it is written: `text`, or `json` with one object a line.
    "log_format" log_format: LogFormat = "text";
}

/// Reads one setting from the strongest layer that has it.
fn take<T: SettingType>(
    key: &'static str,
    layers: &Layers,
    resolved: &mut Vec<Resolved>,
    errors: &mut Vec<KeyError>,
) -> Option<T> {
    let setting = Setting::of(key).expect("the table made this call");
    let default = (Raw::Text(setting.default.to_owned()), Origin::Default);
    let (raw, origin) = layers.strongest(key).cloned().unwrap_or(default);
    match T::read(&raw, setting.bounds.as_ref()) {
        Ok(value) => {
            resolved.push(Resolved { key, shown: value.show(), origin });
            Some(value)
        }
        Err(what) => {
            errors.push(KeyError { key: key.to_owned(), origin, what });
            None
        }
    }
}

impl Config {
    /// Where a key's value came from.
    pub(crate) fn origin(&self, key: &str) -> &Origin {
        let resolved = self.resolved.iter().find(|resolved| resolved.key == key);
        &resolved.expect("every key of the table is resolved").origin
    }

    /// What one key alone cannot tell.
    fn checked(self) -> Result<Self, ConfigErrors> {
        let mut errors = Vec::new();
        let mut require = |holds: bool, key: &str, what: &str| {
            if !holds {
                let (key, origin) = (key.to_owned(), self.origin(key).clone());
                errors.push(KeyError { key, origin, what: what.to_owned() });
            }
        };
        let request = self.request_bytes.0;
        require(self.in_flight_bytes.0 >= request, "limits.in_flight_bytes", "is below limits.request_bytes");
        require(self.log_queue_bytes.0 >= request, "log.queue_bytes", "is below limits.request_bytes");
        let mut fixed: Vec<_> = self.listen.iter().filter(|address| address.port() != 0).collect();
        fixed.sort_unstable();
        require(fixed.windows(2).all(|pair| pair[0] != pair[1]), "listen", "names an address twice");
        let directives = self.log_level.parse::<tracing_subscriber::filter::Targets>();
        require(directives.is_ok(), "log_level", "is not a level or a list of target=level");
        if errors.is_empty() { Ok(self) } else { Err(ConfigErrors(errors)) }
    }
}
