//! `GET /v1/figures`: what `/metrics` has, put together for people, and the hints.
//!
//! Cheap enough to be asked once a second: counters, one listing of the log's folder, and a look at the list of blocks.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use clew_model::{RefuseReason, RejectReason};
use clew_store::{Histogram, HistogramFigures, SettleFigures, StoreConfig, StoreFigures};
use http::{HeaderMap, Uri};

use super::process::Process;
use super::shape::{
    BlockFigures, BucketShape, DoorShape, FiguresAnswer, HintExample, HintShape, KindShape, LatencyFigures,
    LiveFigures, LogFigures, MemoryFigures, MemoryPart, RefusedShape, RejectedShape, RetentionFigures, RuleShape,
    SettleShape, SpanFigures, TenantShape, VariousKeyShape,
};
use super::{Counter, Figures, TenantFigures};
use crate::app::{App, Purpose};
use crate::ask::error::AskError;
use crate::ask::gate;
use crate::ask::openapi::Refusals;
use crate::ask::params::Params;
use crate::ask::when::to_rfc3339;
use crate::hints::{Hints, Noticed};
use crate::listen::Address;
use crate::router::Health;

/// The door for pages.
pub(crate) fn routes() -> Router<Arc<App>> {
    Router::new().route("/v1/figures", get(figures))
}

/// clew's own figures, for a page that shows them, and usual mistakes of senders with the way to mend them.
#[utoipa::path(
    get,
    path = "/v1/figures",
    tag = "operate",
    responses((status = 200, description = "The figures now", body = FiguresAnswer), Refusals)
)]
pub(crate) async fn figures(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    uri: Uri,
) -> Result<Json<FiguresAnswer>, AskError> {
    Params::of(&uri)?.only(&["tenant"], false)?;
    gate::named(&app, &headers)?;
    // It lists a folder and asks the file system for its room, which a serving thread does not wait for.
    let answer = tokio::task::spawn_blocking(move || of(&app)).await;
    answer
        .map(Json)
        .map_err(|_| AskError::Failed("the figures could not be read; the server's log says why".to_owned()))
}

fn of(app: &App) -> FiguresAnswer {
    let (figures, store, config) = (&app.figures, app.store.figures(), app.store.config());
    let now = app.clock.unix_nanos();
    let data_dir = std::path::absolute(&config.data_dir).unwrap_or_else(|_| config.data_dir.clone());
    FiguresAnswer {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        uptime_seconds: now.saturating_sub(app.started_unix_nanos) as f64 / 1e9,
        now: to_rfc3339(now),
        doors: app.doors.get().map_or_else(Vec::new, |doors| doors.iter().map(door).collect()),
        data_dir: data_dir.display().to_string(),
        spans: spans(figures),
        ack: latency(&figures.ack.read()),
        search: latency(&figures.search.read()),
        fetch: latency(&figures.fetch.read()),
        live: LiveFigures {
            spans: store.live_spans,
            traces: store.live_traces,
            bytes: store.live_bytes,
            limit_bytes: config.live_bytes as u64,
        },
        log: LogFigures {
            bytes: store.log_bytes,
            segments: store.segments,
            syncs: store.syncs,
            sync: latency(&store.sync_seconds),
        },
        settle: settle(app, &store.settle, now),
        blocks: blocks(&store),
        retention: retention(&store, config),
        memory: memory(app, &store, config),
        health: Health::of(app.health()),
        hints: hints(&app.hints),
    }
}

fn door(door: &Address) -> DoorShape {
    let purpose = match door.purpose {
        Purpose::Otlp => "otlp",
        Purpose::Api => "api",
    };
    DoorShape { address: door.address.to_string(), purpose: purpose.to_owned() }
}

fn spans(figures: &Figures) -> SpanFigures {
    let when = |nanos: &AtomicU64| Some(nanos.load(Ordering::Relaxed)).filter(|nanos| *nanos > 0).map(to_rfc3339);
    let tenants: Vec<_> =
        figures.labelled_tenants().into_iter().map(|(name, figures)| tenant(name, &figures)).collect();
    SpanFigures {
        received: tenants.iter().map(|tenant| tenant.received).sum(),
        last_received: when(&figures.last_received),
        requests: figures.requests.get(),
        last_request: when(&figures.last_request),
        tenants: tenants.into_iter().filter(has_sent).collect(),
    }
}

fn has_sent(tenant: &TenantShape) -> bool {
    tenant.received > 0 || !tenant.rejected.is_empty() || !tenant.refused.is_empty()
}

fn tenant(tenant: String, figures: &TenantFigures) -> TenantShape {
    let rejected = RejectReason::ALL.into_iter().zip(figures.rejected.iter().map(Counter::get));
    let rejected = rejected.filter(|(_, spans)| *spans > 0).map(|(reason, spans)| RejectedShape {
        reason: reason.as_str().to_owned(),
        sentence: reason.sentence().to_owned(),
        spans,
    });
    let refused = RefuseReason::ALL.into_iter().zip(figures.refused_requests.iter().zip(&figures.refused_spans));
    let refused = refused.filter(|(_, (requests, _))| requests.get() > 0).map(|(reason, (requests, spans))| {
        let (requests, spans) = (requests.get(), spans.get());
        RefusedShape { reason: reason.as_str().to_owned(), sentence: reason.sentence().to_owned(), requests, spans }
    });
    TenantShape { tenant, received: figures.received.get(), rejected: rejected.collect(), refused: refused.collect() }
}

fn latency(histogram: &HistogramFigures) -> LatencyFigures {
    let nanos = |seconds: f64| (seconds * 1e9).round() as u64;
    let count = histogram.count();
    let quantile = |share| histogram.quantile_seconds(share).map(nanos);
    let bounds = Histogram::BOUNDS_SECONDS.iter().map(|seconds| Some(nanos(*seconds))).chain([None]);
    let buckets = bounds.zip(&histogram.counts).map(|(to_nanos, count)| BucketShape { to_nanos, count: *count });
    LatencyFigures {
        count,
        mean_nanos: (count > 0).then(|| nanos(histogram.sum_seconds / count as f64)),
        p50_nanos: quantile(0.5),
        p99_nanos: quantile(0.99),
        buckets: buckets.collect(),
    }
}

fn settle(app: &App, settle: &SettleFigures, now_unix_nanos: u64) -> SettleShape {
    let totals = &settle.totals;
    let rules = totals.by_rule.iter();
    let lag = settle.unsealed_from_unix_nanos.map(|since| now_unix_nanos.saturating_sub(since) as f64 / 1e9);
    SettleShape {
        delay: latency(&settle.delay_seconds),
        look: latency(&settle.look_seconds),
        pending_traces: settle.pending_traces,
        watermark: to_rfc3339(settle.watermark_unix_nanos),
        seal_lag_seconds: lag,
        traces: totals.traces,
        late_traces: totals.late_traces,
        early_traces: totals.early_traces,
        rootless_traces: totals.rootless_traces,
        late_spans: totals.late_spans,
        duplicate_spans: totals.duplicate_spans,
        rules: rules
            .map(|(rule, (kept, dropped))| RuleShape { rule: rule.clone(), kept: *kept, dropped: *dropped })
            .collect(),
        live_streams: app.live.stream_count() as u64,
    }
}

fn blocks(store: &StoreFigures) -> BlockFigures {
    let kind = |kind: &str, bytes| KindShape { kind: kind.to_owned(), bytes };
    let received = store.block_received_unix_nanos;
    let various_keys = store.various_keys.iter();
    BlockFigures {
        count: store.blocks,
        spans: store.block_spans,
        bytes: store.block_data_bytes + store.block_side_bytes,
        kinds: vec![kind("data", store.block_data_bytes), kind("sidecar", store.block_side_bytes)],
        oldest: received.map(|(oldest, _)| to_rfc3339(oldest)),
        newest: received.map(|(_, newest)| to_rfc3339(newest)),
        various_keys: various_keys.map(|(key, values)| VariousKeyShape { key: key.clone(), values: *values }).collect(),
    }
}

fn retention(store: &StoreFigures, config: &StoreConfig) -> RetentionFigures {
    let used_bytes = store.block_data_bytes + store.block_side_bytes;
    RetentionFigures {
        age_seconds: config.retention.age.as_secs_f64(),
        limit_bytes: config.retention.size.bytes(used_bytes, store.available_bytes.unwrap_or(0)),
        used_bytes,
        available_bytes: store.available_bytes,
    }
}

fn memory(app: &App, store: &StoreFigures, config: &StoreConfig) -> MemoryFigures {
    let part = |name: &str, bytes, limit_bytes, setting: &str| MemoryPart {
        name: name.to_owned(),
        bytes,
        limit_bytes,
        setting: setting.to_owned(),
    };
    let (in_flight, in_flight_max) = (app.in_flight.bytes() as u64, app.config.in_flight_bytes as u64);
    let (traces, explaining_max) = (app.traces.figures(), app.config.explain_bytes as u64);
    MemoryFigures {
        resident_bytes: Process::read().map(|process| process.resident_bytes),
        parts: vec![
            part("live", store.live_bytes, config.live_bytes as u64, "live.bytes"),
            part("block_cache", store.cache.held_bytes, store.cache.limit_bytes, "blocks.cache_bytes"),
            part("traces", traces.bytes, traces.limit_bytes, "query.trace_cache_bytes"),
            part("explained_files", app.explaining.bytes() as u64, explaining_max, "query.explain_bytes"),
            part("in_flight", in_flight, in_flight_max, "limits.in_flight_bytes"),
            part("log_queue", store.queue_bytes, config.queue_bytes as u64, "log.queue_bytes"),
        ],
    }
}

fn hints(hints: &Hints) -> Vec<HintShape> {
    let shape = |noticed: Noticed| HintShape {
        name: noticed.hint.name().to_owned(),
        count: noticed.count,
        last: to_rfc3339(noticed.last_unix_nanos),
        sentence: noticed.sentence,
        fix: noticed.fix,
        example: Some(noticed.example).filter(|example| !example.request.is_empty()).map(|example| HintExample {
            request: example.request,
            user_agent: Some(example.agent).filter(|agent| !agent.is_empty()),
        }),
    };
    hints.read().into_iter().map(shape).collect()
}
