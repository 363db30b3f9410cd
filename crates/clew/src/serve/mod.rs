//! `clew serve`: opens the store, opens the doors, greets, serves, and stops on one path.
//!
//! Stopping: the first SIGTERM or Ctrl-C closes the doors, lets requests in flight finish within `shutdown.grace`, then
//! syncs and closes the store, and the process ends with 0. A second signal ends it at once.

mod greeting;
mod stop;

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use clew_model::Tenant;
use clew_server::ask::HealthLimits;
use clew_server::{Listen, Purpose, RemoteWrite, Server, ServerConfig};
use clew_store::keep::{MergePolicy, Retention, SizeLimit, TenantRetention};
use clew_store::settle::{Completion, Judge, KeepAll, Percentage};
use clew_store::{Ports, SettleConfig, Store, StoreConfig};
use clew_wire::otlp::Limits;
use tracing_subscriber::EnvFilter;

use crate::cli::Settings;
use crate::config::{self, Config, LogFormat, Origin, SpaceShare, show_bytes, show_millis};
use crate::demo::ShopDemo;
use crate::exit::{self, Failure};
use greeting::Greeting;

/// How long tasks that outlived the grace may hold up the end of the process.
const LEFTOVERS: Duration = Duration::from_millis(500);

/// Serves until it is told to stop.
pub(crate) fn run(settings: Settings) -> Result<(), Failure> {
    let config = config::load(settings.file.as_ref(), settings.flags)?;
    write_diagnostics(&config);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let ports = Ports::real();
    let clock = Arc::clone(&ports.clock);
    let store = Store::open_with(store_config(&config), ports, judge(&config))
        .with_context(|| format!("cannot open the data folder {}", config.data_dir.display()))?;
    let served = runtime.block_on(async {
        let told = stop::told();
        let server = clew_server::bind(server_config(&config), store.clone(), clock).await?;
        server.app().offer_demo(Arc::new(ShopDemo));
        greet(&config, &store, &server)?;
        let cut_off = server.serve(told).await;
        if cut_off > 0 {
            tracing::warn!(connections = cut_off, "cut off what was still open after shutdown.grace");
        }
        Ok::<_, anyhow::Error>(())
    });
    runtime.shutdown_timeout(LEFTOVERS);
    // Closed on every path: what was acknowledged is synced already, but the lock and the log's end mark are not.
    let closed = store.close().context("the store did not close cleanly");
    served?;
    closed?;
    tracing::info!("stopped");
    Ok(())
}

fn greet(config: &Config, store: &Store, server: &Server) -> anyhow::Result<()> {
    for warning in server.warnings() {
        tracing::warn!("{warning}");
    }
    let figures = store.figures();
    let greeting = Greeting {
        version: env!("CARGO_PKG_VERSION"),
        addresses: server.addresses(),
        api: server.api_address(),
        data_dir: std::path::absolute(&config.data_dir).unwrap_or_else(|_| config.data_dir.clone()),
        keeps: keeps(config),
        blocks: (figures.blocks, figures.block_spans),
        replayed: (figures.replay_spans, figures.replay_seconds),
    };
    exit::print(greeting.text()).map_err(|failure| anyhow::anyhow!("{failure}"))
}

/// For how long spans are kept, and in how much room, in words.
fn keeps(config: &Config) -> (String, String) {
    let size = match config.retention_size {
        SpaceShare::Bytes(bytes) => show_bytes(bytes),
        SpaceShare::Percent(percent) => format!("{percent}% of the room on its disk"),
    };
    (show_millis(config.retention_age.as_millis() as u64), size)
}

/// Diagnostics go to standard error; standard output belongs to the greeting.
fn write_diagnostics(config: &Config) {
    let filter = EnvFilter::new(&config.log_level);
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let colored = std::io::IsTerminal::is_terminal(&std::io::stderr()) && std::env::var_os("NO_COLOR").is_none();
    match config.log_format {
        LogFormat::Text => lines.with_ansi(colored).with_target(false).init(),
        LogFormat::Json => lines.json().init(),
    }
}

fn store_config(config: &Config) -> StoreConfig {
    let defaults = StoreConfig::new(&config.data_dir);
    StoreConfig {
        segment_bytes: config.log_segment_bytes.0,
        group_bytes: config.log_group_bytes.0 as usize,
        queue_bytes: config.log_queue_bytes.0 as usize,
        live_bytes: config.live_bytes.0 as usize,
        live_shards: config.live_shards as usize,
        workers: config.live_workers.0.map_or(defaults.workers, |workers| workers as usize),
        repeat_window: config.log_repeat_window,
        seal_apart: config.seal_apart,
        seal_age: config.seal_age,
        cache_bytes: config.cache_bytes.0 as usize,
        merge: MergePolicy {
            fan_in: config.merge_fan_in as usize,
            block_bytes: config.merge_block_bytes.0,
            full_for: config.settle_full_for,
        },
        merge_memory_bytes: config.merge_memory_bytes.0 as usize,
        retention: retention(config),
        pins_max: config.retention_pins as usize,
        purge_after: config.purge_after,
        settle: settle(config),
        ..defaults
    }
}

fn settle(config: &Config) -> SettleConfig {
    let completion = Completion { idle: config.settle_idle, age: config.settle_age };
    let mut tenants: BTreeMap<Tenant, Completion> = BTreeMap::new();
    for (tenant, idle) in &config.settle_tenant_idle.0 {
        tenants.entry(tenant.clone()).or_insert(completion).idle = *idle;
    }
    for (tenant, age) in &config.settle_tenant_age.0 {
        tenants.entry(tenant.clone()).or_insert(completion).age = *age;
    }
    SettleConfig {
        completion,
        tenants,
        every: config.settle_every,
        pending_bytes: config.settle_pending_bytes.0 as usize,
        series_per_minute: config.figures_series_per_minute as usize,
        cache_bytes: config.figures_cache_bytes.0 as usize,
        feed_age: config.settle_feed_age,
        dropped_for: config.settle_dropped_for,
        figures_age: config.figures_age,
        metric_series: config.metric_series as usize,
        ..SettleConfig::default()
    }
}

/// Who decides which traces are kept.
fn judge(config: &Config) -> Box<dyn Judge> {
    let percent = config.sampling_percent.to_f64();
    if percent >= 100.0 { Box::new(KeepAll) } else { Box::new(Percentage::new(percent)) }
}

fn retention(config: &Config) -> Retention {
    let mut tenants: BTreeMap<Tenant, TenantRetention> = BTreeMap::new();
    for (tenant, age) in &config.retention_tenants.0 {
        tenants.entry(tenant.clone()).or_default().age = Some(*age);
    }
    for (tenant, bytes) in &config.retention_tenant_bytes.0 {
        tenants.entry(tenant.clone()).or_default().bytes = Some(*bytes);
    }
    let size = match config.retention_size {
        SpaceShare::Bytes(bytes) => SizeLimit::Bytes(bytes),
        SpaceShare::Percent(percent) => SizeLimit::Percent(percent),
    };
    // The rules that ship name no class.
    Retention { age: config.retention_age, size, tenants, ..Retention::default() }
}

fn server_config(config: &Config) -> ServerConfig {
    let asked_for = *config.origin("listen") != Origin::Default;
    let listen =
        config.listen.iter().map(|address| Listen { address: *address, purpose: purpose(*address), asked_for });
    let some = |number: u64| (number > 0).then_some(number as u32);
    ServerConfig {
        listen: listen.collect(),
        hosts: config.hosts.clone(),
        cors_origins: config.cors_origins.clone(),
        connections: config.connections as usize,
        header_timeout: config.idle_timeout,
        body_timeout: config.read_timeout,
        stop_grace: config.shutdown_grace,
        request_bytes: config.request_bytes.0 as usize,
        in_flight_bytes: config.in_flight_bytes.0 as usize,
        in_flight_wait: config.in_flight_wait,
        limits: Limits {
            value_bytes: config.value_bytes.0 as u32,
            attributes: config.attributes as u32,
            events: config.events as u32,
            links: config.links as u32,
            depth: config.depth as u32,
        },
        tenants: config.tenants as usize,
        tenant_spans_per_second: some(config.tenant_spans_per_second),
        tokens: config.tenant_tokens.clone().into_iter().collect::<HashMap<_, _>>(),
        tenant_attribute: Some(config.tenant_attribute.clone()).filter(|attribute| !attribute.is_empty()),
        query_timeout: config.query_timeout,
        query_concurrency: config.query_concurrency as usize,
        trace_cache_bytes: config.trace_cache_bytes.0 as usize,
        explain_bytes: config.explain_bytes.0 as usize,
        live_streams: config.live_streams as usize,
        health: HealthLimits {
            degraded_errors: config.health_degraded_errors.to_f64() / 100.0,
            degraded_mean: config.health_degraded_mean,
            unhealthy_errors: config.health_unhealthy_errors.to_f64() / 100.0,
            unhealthy_mean: config.health_unhealthy_mean,
        },
        remote_write: remote_write(config),
        ..ServerConfig::default()
    }
}

fn remote_write(config: &Config) -> Option<RemoteWrite> {
    let url = config.remote_write.0.clone()?;
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let authorization = config.remote_write_token.authorization();
    Some(RemoteWrite { url, every: config.remote_write_every, authorization, host })
}

/// Every door speaks everything; the ports that senders use by default are announced for sending.
fn purpose(address: SocketAddr) -> Purpose {
    if [4317, 4318, 9090].contains(&address.port()) { Purpose::Otlp } else { Purpose::Api }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Inputs;

    #[test]
    fn defaults_are_those_of_the_rooms() {
        let config = Config::resolve(&Inputs::default()).unwrap();
        let (server, plain) = (server_config(&config), ServerConfig::default());
        let sorted = |listen: &[Listen]| {
            let mut doors: Vec<_> =
                listen.iter().map(|door| (door.address, door.asked_for, door.purpose == Purpose::Api)).collect();
            doors.sort_unstable();
            doors
        };
        assert_eq!(sorted(&server.listen), sorted(&plain.listen));
        // Its share of memory is the machine's affair.
        let trace_cache_bytes = plain.trace_cache_bytes;
        assert_eq!(ServerConfig { listen: plain.listen.clone(), trace_cache_bytes, ..server }, plain);
        let (store, plain) = (store_config(&config), StoreConfig::new("./clew-data"));
        let bounds =
            |config: &StoreConfig| (config.segment_bytes, config.group_bytes, config.queue_bytes, config.repeat_window);
        assert_eq!(store.retention, plain.retention);
        assert_eq!(store.settle, plain.settle);
        assert_eq!((store.merge, store.merge_memory_bytes), (plain.merge, plain.merge_memory_bytes));
        let times = |config: &StoreConfig| (config.seal_apart, config.seal_age, config.purge_after, config.cache_bytes);
        assert_eq!(times(&store), times(&plain));
        assert_eq!(bounds(&store), bounds(&plain));
        assert_eq!((store.workers, store.live_shards), (plain.workers, plain.live_shards));
    }
}
