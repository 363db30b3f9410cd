//! `/metrics`: the names are a promise, and the page is one that Prometheus reads.

use std::collections::{HashMap, HashSet};

use crate::server::Server;
use crate::wire::{Way, export, get, span};

/// Every family and its type.
const FAMILIES: &str = "\
clew_ack_seconds histogram
clew_attribute_values gauge
clew_batches_refused_total counter
clew_batches_repeated_total counter
clew_batches_stored_total counter
clew_block_corrupt_places gauge
clew_block_spans gauge
clew_block_written_bytes_total counter
clew_blocks gauge
clew_blocks_expired_total counter
clew_blocks_merged_total counter
clew_blocks_rewritten_total counter
clew_build_info gauge
clew_cache_bytes gauge
clew_cache_hits_total counter
clew_cache_limit_bytes gauge
clew_cache_misses_total counter
clew_disk_available_bytes gauge
clew_fetch_seconds histogram
clew_in_flight_bytes gauge
clew_in_flight_limit_bytes gauge
clew_live_bytes gauge
clew_live_spans gauge
clew_live_streams gauge
clew_live_traces gauge
clew_log_bytes gauge
clew_log_commit_seconds histogram
clew_log_corrupt_bytes gauge
clew_log_corrupt_ranges gauge
clew_log_freed_segments_total counter
clew_log_segments gauge
clew_log_sync_seconds histogram
clew_log_syncs_total counter
clew_log_torn_bytes gauge
clew_log_written_bytes_total counter
clew_merge_written_bytes_total counter
clew_merged_spans_total counter
clew_merges_unused_total counter
clew_metric_series gauge
clew_other_signal_items_rejected_total counter
clew_queue_batches gauge
clew_queue_bytes gauge
clew_replay_seconds gauge
clew_replay_spans gauge
clew_requests_misdirected_total counter
clew_requests_refused_total counter
clew_seal_lag_seconds gauge
clew_seal_seconds histogram
clew_sealed_spans_total counter
clew_search_seconds histogram
clew_settle_cpu_seconds_total counter
clew_settle_delay_seconds histogram
clew_settle_look_seconds histogram
clew_settle_pending_traces gauge
clew_settle_watermark_age_seconds gauge
clew_settled_corrupt_files gauge
clew_settled_files gauge
clew_span_notes_total counter
clew_spans_dropped_total counter
clew_spans_duplicate_total counter
clew_spans_late_total counter
clew_spans_received_total counter
clew_spans_refused_total counter
clew_spans_rejected_total counter
clew_storage_bytes gauge
clew_storage_write_errors_total counter
clew_tenant_block_bytes gauge
clew_trace_cache_bytes gauge
clew_trace_cache_hits_total counter
clew_trace_cache_limit_bytes gauge
clew_trace_cache_misses_total counter
clew_traces_early_total counter
clew_traces_judged_total counter
clew_traces_late_total counter
clew_traces_rootless_total counter
clew_traces_settled_total counter
clew_uptime_seconds gauge
process_cpu_seconds_total counter
process_resident_memory_bytes gauge
process_start_time_seconds gauge
traces_service_graph_request_client_seconds histogram
traces_service_graph_request_failed_total counter
traces_service_graph_request_messaging_system_seconds histogram
traces_service_graph_request_server_seconds histogram
traces_service_graph_request_total counter
traces_span_metrics_calls_total counter
traces_span_metrics_duration_milliseconds histogram
";

async fn page(server: &Server) -> String {
    let answer = get(server.address, "/metrics").await;
    assert_eq!(answer.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    answer.text()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_names_are_a_promise() {
    let server = Server::start().await;
    let page = page(&server).await;
    let mut families: Vec<_> = page.lines().filter_map(|line| line.strip_prefix("# TYPE ")).collect();
    families.sort_unstable();
    assert_eq!(families.join("\n") + "\n", FAMILIES);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_is_well_formed() {
    let server = Server::start().await;
    Way::Protobuf.send(server.address, &export("shop", vec![span(1, "s")])).await.partial_success();
    let page = page(&server).await;
    let (mut helped, mut types, mut seen) = (HashSet::new(), HashMap::new(), HashSet::new());
    let mut open = "";
    for line in page.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, text) = help.split_once(' ').unwrap();
            assert!(text.ends_with('.') && helped.insert(name), "{line}");
        } else if let Some(kind) = line.strip_prefix("# TYPE ") {
            let (name, kind) = kind.split_once(' ').unwrap();
            assert!(helped.contains(name) && types.insert(name, kind).is_none(), "{line}");
            open = name;
        } else {
            let (sample, value) = line.rsplit_once(' ').unwrap();
            assert!(seen.insert(sample), "twice: {line}");
            assert!(value.parse::<f64>().is_ok_and(|value| value >= 0.0), "{line}");
            let name = sample.split('{').next().unwrap();
            let suffixes = if types[open] == "histogram" { &["_bucket", "_sum", "_count"][..] } else { &[""] };
            assert!(suffixes.iter().any(|suffix| name == format!("{open}{suffix}")), "{line} under {open}");
            assert_eq!(name.ends_with("_total"), types[open] == "counter", "{line}");
            check_labels(sample);
        }
    }
    for (name, kind) in types {
        // The names of OpenTelemetry's connectors are theirs.
        let has_unit = name.ends_with("_seconds") || name == "traces_span_metrics_duration_milliseconds";
        assert!(kind != "histogram" || has_unit, "{name} has no unit");
    }
}

fn check_labels(sample: &str) {
    let Some((_, labels)) = sample.split_once('{') else { return };
    let labels = labels.strip_suffix('}').unwrap();
    for label in labels.split("\",") {
        let (name, value) = label.split_once("=\"").unwrap();
        assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{sample}");
        let value = value.strip_suffix('"').unwrap_or(value);
        assert!(!value.contains(['"', '\n']), "{sample}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn figures_move_with_what_happens() {
    let server = Server::start().await;
    let spans = (0..25).map(|number| span(number, "s")).collect();
    Way::Grpc.send(server.address, &export("shop", spans)).await.partial_success();
    let figures = server.figures().await;
    assert_eq!(figures["clew_spans_received_total{tenant=\"default\"}"], 25.0);
    assert_eq!(figures["clew_ack_seconds_count"], 1.0);
    assert!(figures["clew_log_syncs_total"] >= 1.0 && figures["clew_log_sync_seconds_count"] >= 1.0);
    assert_eq!((figures["clew_live_spans"], figures["clew_live_traces"]), (25.0, 25.0));
    assert!(figures["clew_log_bytes"] > 0.0 && figures["clew_live_bytes"] > 0.0);
    assert_eq!((figures["clew_in_flight_bytes"], figures["clew_queue_bytes"]), (0.0, 0.0));
}

async fn told(server: &Server) -> serde_json::Value {
    let answer = get(server.address, "/v1/figures").await;
    assert_eq!(answer.status, http::StatusCode::OK, "{answer:?}");
    answer.json()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fresh_server_has_nothing_and_says_where_it_is() {
    let server = Server::start().await;
    let told = told(&server).await;
    assert_eq!(told["version"], env!("CARGO_PKG_VERSION"));
    let door = serde_json::json!([{ "address": server.address.to_string(), "purpose": "otlp" }]);
    assert_eq!(told["doors"], door);
    assert!(std::path::Path::new(told["dataDir"].as_str().unwrap()).is_absolute(), "{told}");
    let nothing =
        serde_json::json!({ "received": 0, "lastReceived": null, "requests": 0, "lastRequest": null, "tenants": [] });
    assert_eq!(told["spans"], nothing);
    assert_eq!((&told["live"]["spans"], &told["blocks"]["spans"]), (&0.into(), &0.into()));
    assert_eq!(told["ack"]["count"], 0);
    for missing in [&told["ack"]["p50Nanos"], &told["ack"]["meanNanos"], &told["blocks"]["oldest"]] {
        assert!(missing.is_null(), "{told}");
    }
    assert_eq!(told["health"], serde_json::json!({ "status": "ok", "reasons": [] }));
    assert_eq!(told["retention"]["ageSeconds"], 7.0 * 86_400.0);
    assert!(told["retention"]["limitBytes"].as_u64().unwrap() > 0, "a share of what is free: {told}");
    let parts: Vec<_> = told["memory"]["parts"].as_array().unwrap().iter().map(|part| &part["name"]).collect();
    assert_eq!(parts, ["live", "block_cache", "traces", "explained_files", "in_flight", "log_queue"]);
    for part in told["memory"]["parts"].as_array().unwrap() {
        assert!(part["limitBytes"].as_u64().unwrap() > part["bytes"].as_u64().unwrap(), "{part}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_pages_are_told_is_what_prometheus_reads() {
    let server = Server::start().await;
    let mut bad = span(90, "s");
    bad.start_time_unix_nano = 0;
    let spans: Vec<_> = (0..25).map(|number| span(number, "s")).chain([bad]).collect();
    Way::Grpc.send(server.address, &export("shop", spans)).await.partial_success();
    let junk = bytes::Bytes::from_static(b"\xff\xff\xff");
    Way::Protobuf.send_bytes(server.address, junk).await;
    get(server.address, "/v1/traces/search").await;
    let told = told(&server).await;
    let figures = server.figures().await;
    let figure = |name: &str| serde_json::json!(figures[name] as u64);
    assert_eq!(told["spans"]["received"], 25);
    assert_eq!(told["spans"]["requests"], 2);
    for time in [&told["spans"]["lastReceived"], &told["spans"]["lastRequest"], &told["now"]] {
        assert!(time.as_str().is_some_and(|time| time.len() == "2026-11-20T09:00:00.000000001Z".len()), "{told}");
    }
    let tenants = serde_json::json!([{
        "tenant": "default",
        "received": 25,
        "rejected": [{ "reason": "missing_start", "sentence": "start time is missing", "spans": 1 }],
        "refused": [{ "reason": "truncated", "sentence": clew_model::RefuseReason::Truncated.sentence(), "requests": 1, "spans": 0 }],
    }]);
    assert_eq!(told["spans"]["tenants"], tenants);
    assert_eq!(told["ack"]["count"], figure("clew_ack_seconds_count"));
    assert_eq!(told["search"]["count"], 1);
    assert_eq!(told["live"]["spans"], figure("clew_live_spans"));
    assert_eq!(told["live"]["bytes"], figure("clew_live_bytes"));
    assert_eq!(told["log"]["bytes"], figure("clew_log_bytes"));
    let (p50, p99) = (told["ack"]["p50Nanos"].as_u64().unwrap(), told["ack"]["p99Nanos"].as_u64().unwrap());
    assert!(0 < p50 && p50 <= p99, "{p50} {p99}");
    let buckets = told["ack"]["buckets"].as_array().unwrap();
    let within = buckets.iter().find(|bucket| bucket["count"] == 1).unwrap();
    assert!(within["toNanos"].is_null() || p99 <= within["toNanos"].as_u64().unwrap(), "{told}");
    assert!(told["memory"]["residentBytes"].as_u64().unwrap() > 1 << 20, "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn blocks_are_told_with_the_time_that_they_span() {
    let server = Server::start().await;
    Way::Protobuf.send(server.address, &export("shop", vec![span(1, "s")])).await.partial_success();
    let (sender, sealed) = tokio::sync::oneshot::channel();
    server.app.store.seal(move |result| drop(sender.send(result)));
    sealed.await.unwrap().unwrap();
    let told = told(&server).await;
    assert_eq!((&told["blocks"]["count"], &told["blocks"]["spans"]), (&1.into(), &1.into()), "{told}");
    assert_eq!(told["blocks"]["oldest"], told["blocks"]["newest"]);
    assert_eq!(told["blocks"]["oldest"], told["spans"]["lastReceived"], "by receive time");
    let kinds = told["blocks"]["kinds"].as_array().unwrap();
    let bytes: u64 = kinds.iter().map(|kind| kind["bytes"].as_u64().unwrap()).sum();
    assert_eq!((told["blocks"]["bytes"].as_u64(), told["retention"]["usedBytes"].as_u64()), (Some(bytes), Some(bytes)));
}
