//! Every family of clew's figures, with its help and unit: the `/metrics` page, and what a remote write sends.

use clew_model::{Notes, RefuseReason, RejectReason};
use clew_store::{SettleFigures, StoreFigures};

use super::page::{Page, Sink};
use super::process::Process;
use super::text::{Format, Text};
use super::{Counter, Figures, Misdirected, OTHER_SIGNALS, TenantFigures, span_metrics};
use crate::app::App;
use crate::remote_write::{Outcome, WriteFigures};

/// The page as of now.
pub fn render(app: &App, format: Format) -> String {
    let mut text = Text::new(format);
    write(app, &mut text);
    text.finish()
}

/// Every figure as of now.
pub(crate) fn write(app: &App, sink: &mut dyn Sink) {
    let mut page = Page::new(sink);
    tenants(&mut page, &app.figures);
    requests(&mut page, app);
    let figures = app.store.figures();
    store(&mut page, &figures);
    settled(&mut page, app, &figures.settle);
    blocks(&mut page, app, &figures);
    process(&mut page, app);
    if app.config.remote_write.is_some() {
        remote_write(&mut page, &app.remote_write);
    }
    app.store.read_span_totals(|totals| span_metrics::write(&mut page, totals));
}

fn tenants(page: &mut Page, figures: &Figures) {
    let tenants = figures.labelled_tenants();
    let mut received = page.counter("clew_spans_received_total", "Spans stored: synced to disk and visible.");
    for (tenant, figures) in &tenants {
        received.sample(&[("tenant", tenant)], figures.received.get());
    }
    let rejected = RejectReason::ALL.map(RejectReason::as_str);
    let refused = RefuseReason::ALL.map(RefuseReason::as_str);
    let help = "Spans of accepted requests that were not kept, as the sender was told.";
    by_reason(page, "clew_spans_rejected_total", help, &tenants, &rejected, |figures| &figures.rejected);
    let help = "Requests refused as a whole, as the sender was told.";
    by_reason(page, "clew_requests_refused_total", help, &tenants, &refused, |figures| &figures.refused_requests);
    let help = "Spans of refused requests, as far as they could be counted.";
    by_reason(page, "clew_spans_refused_total", help, &tenants, &refused, |figures| &figures.refused_spans);
}

fn by_reason<const N: usize>(
    page: &mut Page,
    name: &'static str,
    help: &str,
    tenants: &[(String, std::sync::Arc<TenantFigures>)],
    reasons: &[&str; N],
    counters: impl Fn(&TenantFigures) -> &[Counter; N],
) {
    let mut family = page.counter(name, help);
    for (tenant, figures) in tenants {
        for (reason, counter) in reasons.iter().zip(counters(figures)) {
            family.sample(&[("tenant", tenant), ("reason", reason)], counter.get());
        }
    }
}

fn requests(page: &mut Page, app: &App) {
    let figures = &app.figures;
    let mut notes = page.counter("clew_span_notes_total", "Stored spans that were mended, by how.");
    for ((_, note), counter) in Notes::NAMES.iter().zip(&figures.notes) {
        notes.sample(&[("note", note)], counter.get());
    }
    let help = "Requests that reached no operation: unknown path, wrong method, foreign host, unknown gRPC service.";
    let mut misdirected = page.counter("clew_requests_misdirected_total", help);
    for (reason, counter) in Misdirected::ALL.iter().zip(&figures.misdirected) {
        misdirected.sample(&[("reason", reason.as_str())], counter.get());
    }
    let help = "Metric points, log records and profiles turned away: clew keeps traces.";
    let mut turned_away = page.counter("clew_other_signal_items_rejected_total", help);
    for (signal, counter) in OTHER_SIGNALS.iter().zip(&figures.other_signals) {
        turned_away.sample(&[("signal", signal)], counter.get());
    }
    let help = "Bytes of requests being received or made durable.";
    page.gauge("clew_in_flight_bytes", help).value(app.in_flight.bytes());
    let help = "Bound of clew_in_flight_bytes.";
    page.gauge("clew_in_flight_limit_bytes", help).value(app.config.in_flight_bytes);
    let help = "From the last byte of a request to its acknowledgement.";
    page.histogram("clew_ack_seconds", help, &figures.ack.read());
    page.histogram("clew_search_seconds", "Time of a search.", &figures.search.read());
    page.histogram("clew_fetch_seconds", "Time of fetching and explaining one trace.", &figures.fetch.read());
    let traces = app.traces.figures();
    page.counter("clew_trace_cache_hits_total", "Traces that were in memory, explained.").value(traces.hits);
    page.counter("clew_trace_cache_misses_total", "Traces that were read and explained.").value(traces.misses);
    page.gauge("clew_trace_cache_bytes", "Memory of explained traces.").value(traces.bytes);
    page.gauge("clew_trace_cache_limit_bytes", "Bound of clew_trace_cache_bytes.").value(traces.limit_bytes);
    page.gauge("clew_live_streams", "Open streams of settled traces.").value(app.live.stream_count());
}

fn store(page: &mut Page, store: &StoreFigures) {
    page.histogram("clew_log_sync_seconds", "Time of one sync of the log to disk.", &store.sync_seconds);
    let help = "From a batch's offer to the store until it is durable and visible.";
    page.histogram("clew_log_commit_seconds", help, &store.ack_seconds);
    page.counter("clew_log_syncs_total", "Group commits: successful syncs of the log.").value(store.syncs);
    page.counter("clew_log_written_bytes_total", "Bytes written to the log.").value(store.log_written_bytes);
    page.gauge("clew_log_bytes", "Bytes of frames in the log.").value(store.log_bytes);
    page.gauge("clew_log_segments", "Segment files of the log.").value(store.segments);
    page.gauge("clew_queue_batches", "Batches offered to the store and not yet answered.").value(store.queue_batches);
    page.gauge("clew_queue_bytes", "Bytes of batches offered and not yet answered.").value(store.queue_bytes);
    page.counter("clew_batches_stored_total", "Batches stored.").value(store.stored_batches);
    let help = "Batches that had been stored before and were acknowledged again.";
    page.counter("clew_batches_repeated_total", help).value(store.repeated_batches);
    page.counter("clew_batches_refused_total", "Batches that the store refused.").value(store.refused_batches);
    page.gauge("clew_live_bytes", "Memory of live spans.").value(store.live_bytes);
    page.gauge("clew_live_spans", "Live spans.").value(store.live_spans);
    page.gauge("clew_live_traces", "Live traces.").value(store.live_traces);
    page.gauge("clew_replay_spans", "Spans that the replay at the start brought back.").value(store.replay_spans);
    page.gauge("clew_replay_seconds", "Time of the replay at the start.").value(store.replay_seconds);
    page.gauge("clew_log_torn_bytes", "Bytes of a torn tail cut off at the start.").value(store.torn_bytes);
    page.gauge("clew_log_corrupt_ranges", "Damaged ranges of the log.").value(store.corrupt_ranges);
    page.gauge("clew_log_corrupt_bytes", "Bytes in damaged ranges of the log.").value(store.corrupt_bytes);
}

fn settled(page: &mut Page, app: &App, settle: &SettleFigures) {
    let totals = &settle.totals;
    let help = "From when a trace was complete until it was settled: how late its verdict is.";
    page.histogram("clew_settle_delay_seconds", help, &settle.delay_seconds);
    page.histogram("clew_settle_look_seconds", "Time of one look that settled something.", &settle.look_seconds);
    let help = "CPU time of looks: what settling costs.";
    page.counter("clew_settle_cpu_seconds_total", help).value(settle.cpu_nanos as f64 / 1e9);
    let help = "Traces with spans that no settlement has counted: the backlog, most of which waits to be complete.";
    page.gauge("clew_settle_pending_traces", help).value(settle.pending_traces);
    let now = app.clock.unix_nanos();
    let seconds = |since: u64| now.saturating_sub(since) as f64 / 1e9;
    let help = "Age of the oldest span that no settlement may have counted.";
    page.gauge("clew_settle_watermark_age_seconds", help).value(seconds(settle.watermark_unix_nanos.min(now)));
    let help = "Age of the oldest span that no block holds; it is found all the same.";
    page.gauge("clew_seal_lag_seconds", help).value(settle.unsealed_from_unix_nanos.map_or(0.0, seconds));
    let help = "Traces settled; one that was settled again counts again.";
    page.counter("clew_traces_settled_total", help).value(totals.traces);
    let help = "Traces settled again, since spans of them came late.";
    page.counter("clew_traces_late_total", help).value(totals.late_traces);
    let help = "Traces settled before they were complete, for want of memory for pending ones.";
    page.counter("clew_traces_early_total", help).value(totals.early_traces);
    page.counter("clew_traces_rootless_total", "Traces settled without a root.").value(totals.rootless_traces);
    let help = "Spans that came after their trace had been settled.";
    page.counter("clew_spans_late_total", help).value(totals.late_spans);
    page.counter("clew_spans_duplicate_total", "Identical spans left out.").value(totals.duplicate_spans);
    let mut judged = page.counter("clew_traces_judged_total", "Traces settled, by rule and verdict.");
    for (rule, (kept, dropped)) in &totals.by_rule {
        judged.sample(&[("rule", rule), ("verdict", "keep")], *kept);
        judged.sample(&[("rule", rule), ("verdict", "drop")], *dropped);
    }
}

fn blocks(page: &mut Page, app: &App, store: &StoreFigures) {
    let help = "Time of one seal, from live spans to a block that answers.";
    page.histogram("clew_seal_seconds", help, &store.seal_seconds);
    page.counter("clew_sealed_spans_total", "Spans sealed into blocks.").value(store.kept.sealed_spans);
    page.gauge("clew_blocks", "Blocks.").value(store.blocks);
    page.gauge("clew_block_spans", "Spans in blocks.").value(store.block_spans);
    let help = "Distinct values of an attribute among 32 Ki spans, as of the last seal: the keys that have most.";
    let mut values = page.gauge("clew_attribute_values", help);
    for (key, count) in &store.various_keys {
        values.sample(&[("key", key)], *count);
    }
    let mut bytes = page.gauge("clew_storage_bytes", "Bytes on disk, by kind of file.");
    for (kind, value) in [
        ("data", store.block_data_bytes),
        ("sidecar", store.block_side_bytes),
        ("log", store.log_bytes),
        ("settled", store.settled_bytes),
    ] {
        bytes.sample(&[("kind", kind)], value);
    }
    let help = "Bytes of blocks, by tenant: its part of the rows.";
    let mut by_tenant = page.gauge("clew_tenant_block_bytes", help);
    for (tenant, value) in app.figures.folded(store.tenant_bytes.iter().map(|(tenant, bytes)| (tenant, *bytes))) {
        by_tenant.sample(&[("tenant", &tenant)], value);
    }
    let help = "Bytes of blocks and sidecars written, rewrites included.";
    page.counter("clew_block_written_bytes_total", help).value(store.kept.block_written_bytes);
    page.counter("clew_blocks_expired_total", "Blocks removed by retention.").value(store.kept.expired_blocks);
    let help = "Blocks written anew without spans that were deleted or over.";
    page.counter("clew_blocks_rewritten_total", help).value(store.kept.rewritten_blocks);
    let help = "Blocks that became part of larger ones.";
    page.counter("clew_blocks_merged_total", help).value(store.kept.merged_blocks);
    page.counter("clew_merged_spans_total", "Spans read by merges.").value(store.kept.merged_rows);
    let help = "Bytes of blocks and sidecars written by merges.";
    page.counter("clew_merge_written_bytes_total", help).value(store.kept.merge_written_bytes);
    let help = "Merges and rewrites that were thrown away, since something had come in between.";
    page.counter("clew_merges_unused_total", help).value(store.kept.unused_merges);
    let help = "Spans of traces that were not to be kept, left out of blocks, by the rule that decided so.";
    let mut by_rule = page.counter("clew_spans_dropped_total", help);
    for (rule, count) in &store.dropped_spans {
        by_rule.sample(&[("rule", rule)], *count);
    }
    page.counter("clew_log_freed_segments_total", "Segments of the log that were sealed and removed.")
        .value(store.kept.freed_segments);
    let help = "Writes of blocks, sidecars or the catalog that failed.";
    page.counter("clew_storage_write_errors_total", help).value(store.kept.write_errors);
    let help = "Damaged places of blocks that were found so far.";
    page.gauge("clew_block_corrupt_places", help).value(store.corrupt_block_places);
    page.gauge("clew_settled_files", "Files of settlements, which hold figures.").value(store.settled_files);
    let help = "Files of settlements that were found to be damaged so far.";
    page.gauge("clew_settled_corrupt_files", help).value(store.corrupt_settled_files);
    page.counter("clew_cache_hits_total", "Parts of sidecars that were in memory.").value(store.cache.hit_count);
    page.counter("clew_cache_misses_total", "Parts of sidecars that were read.").value(store.cache.miss_count);
    page.gauge("clew_cache_bytes", "Memory of parts of sidecars.").value(store.cache.held_bytes);
    page.gauge("clew_cache_limit_bytes", "Bound of clew_cache_bytes.").value(store.cache.limit_bytes);
    if let Some(available) = store.available_bytes {
        let help = "Bytes free on the file system of the data folder.";
        page.gauge("clew_disk_available_bytes", help).value(available);
    }
}

fn process(page: &mut Page, app: &App) {
    if let Some(process) = Process::read() {
        let help = "Resident memory of the process.";
        page.gauge("process_resident_memory_bytes", help).value(process.resident_bytes);
        let help = "User and system time of the process.";
        page.counter("process_cpu_seconds_total", help).value(process.cpu_seconds);
    }
    let started_seconds = app.started_unix_nanos as f64 / 1e9;
    page.gauge("process_start_time_seconds", "When the server started, in unix time.").value(started_seconds);
    let uptime_nanos = app.clock.unix_nanos().saturating_sub(app.started_unix_nanos);
    page.gauge("clew_uptime_seconds", "Time since the server started.").value(uptime_nanos as f64 / 1e9);
    let mut build = page.gauge("clew_build_info", "Always 1; the version is in the label.");
    build.sample(&[("version", env!("CARGO_PKG_VERSION"))], 1_u64);
}

fn remote_write(page: &mut Page, figures: &WriteFigures) {
    let help = "Requests of the remote write: taken, refused for good, to be sent again later, or without an answer.";
    let mut requests = page.counter("clew_remote_write_requests_total", help);
    for outcome in Outcome::ALL {
        requests.sample(&[("outcome", outcome.as_str())], figures.requests(outcome));
    }
    let help = "Samples that the receiver of the remote write did not take; the next round has newer ones.";
    page.counter("clew_remote_write_failed_samples_total", help).value(figures.failed_samples());
    let help = "When the receiver of the remote write last took all there was, in unix time; 0 is never.";
    page.gauge("clew_remote_write_last_success_seconds", help).value(figures.last_success_unix_nanos() as f64 / 1e9);
}
