//! Figures of settled traces as counters, in the names that OpenTelemetry's span metrics connector and service graph connector
//! give them.

use clew_model::{Kind, StatusCode, Tenant};
use clew_store::settle::totals::{BOUNDS_NANOS, Durations, EdgeTotals, SpanTotals};

use super::page::{Distribution, Page};

/// What one line of a histogram counts up to, in milliseconds and in seconds.
const NANOS_PER_MILLI: f64 = 1e6;
const NANOS_PER_SECOND: f64 = 1e9;

/// Writes them.
pub(super) fn write(page: &mut Page, totals: &SpanTotals) {
    // Who has one tenant only need not name it in each query.
    let has_tenants = totals.tenants().len() > 1;
    spans(page, totals, has_tenants);
    edges(page, totals, has_tenants);
    let (series, edges) = totals.counts();
    let mut count = page.gauge("clew_metric_series", "Series of span metrics and of edges, without `(other)`.");
    count.sample(&[("kind", "spans")], series);
    count.sample(&[("kind", "edges")], edges);
}

fn spans(page: &mut Page, totals: &SpanTotals, has_tenants: bool) {
    let all = || {
        totals
            .tenants()
            .flat_map(|(tenant, own)| own.series.iter().map(move |(key, durations)| (tenant, key, durations)))
    };
    let labels = |tenant, key: &clew_rollup::SeriesKey| {
        let own = [
            ("service_name", key.service.to_string()),
            ("span_name", key.operation.to_string()),
            ("span_kind", kind(key.kind).to_owned()),
            ("status_code", status(key.status).to_owned()),
        ];
        with_tenant(has_tenants, tenant, own)
    };
    let help = "Spans of settled traces, with those that sampled ones stand for.";
    let mut calls = page.counter("traces_span_metrics_calls_total", help);
    for (tenant, key, durations) in all() {
        calls.sample(&borrowed(&labels(tenant, key)), durations.count());
    }
    let help = "How long spans of settled traces took.";
    let mut duration = page.histograms("traces_span_metrics_duration_milliseconds", help);
    for (tenant, key, durations) in all() {
        duration.distribution(&borrowed(&labels(tenant, key)), &distribution(durations, NANOS_PER_MILLI));
    }
}

fn edges(page: &mut Page, totals: &SpanTotals, has_tenants: bool) {
    let all =
        || totals.tenants().flat_map(|(tenant, own)| own.edges.iter().map(move |(name, edge)| (tenant, name, edge)));
    let labels = |tenant, name: &clew_store::settle::totals::EdgeName| {
        let own = [
            ("client", name.client.to_string()),
            ("server", name.server.to_string()),
            ("connection_type", name.connection.as_str().to_owned()),
        ];
        with_tenant(has_tenants, tenant, own)
    };
    let mut counter = |name, help, count: fn(&EdgeTotals) -> f64| {
        let mut family = page.counter(name, help);
        for (tenant, name, edge) in all() {
            family.sample(&borrowed(&labels(tenant, name)), count(edge).max(0.0));
        }
    };
    let help = "Calls of settled traces, with those that sampled ones stand for.";
    counter("traces_service_graph_request_total", help, |edge| edge.requests.get().to_f64());
    let help = "Those of them of which either side failed.";
    counter("traces_service_graph_request_failed_total", help, |edge| edge.failed.get().to_f64());
    let mut histogram = |name, help, side: fn(&EdgeTotals) -> &Durations| {
        let mut family = page.histograms(name, help);
        for (tenant, name, edge) in all().filter(|(_, _, edge)| side(edge).count() > 0) {
            family.distribution(&borrowed(&labels(tenant, name)), &distribution(side(edge), NANOS_PER_SECOND));
        }
    };
    let help = "How long callers saw calls take.";
    histogram("traces_service_graph_request_client_seconds", help, |edge| &edge.client);
    let help = "How long callees saw calls take.";
    histogram("traces_service_graph_request_server_seconds", help, |edge| &edge.server);
    let help = "How long messages were on their way, from the end of the sender's span to the start of the receiver's.";
    histogram("traces_service_graph_request_messaging_system_seconds", help, |edge| &edge.messaging);
}

type Labels = Vec<(&'static str, String)>;

fn with_tenant<const N: usize>(has_tenants: bool, tenant: &Tenant, own: [(&'static str, String); N]) -> Labels {
    let tenant = has_tenants.then(|| ("tenant", tenant.to_string()));
    tenant.into_iter().chain(own).collect()
}

fn borrowed(labels: &Labels) -> Vec<(&'static str, &str)> {
    labels.iter().map(|(name, value)| (*name, value.as_str())).collect()
}

/// The durations in a unit of so many nanoseconds.
fn distribution(durations: &Durations, unit_nanos: f64) -> Distribution {
    let up_to = durations.up_to();
    let bounds = BOUNDS_NANOS.iter().map(|nanos| Some(*nanos as f64 / unit_nanos)).chain([None]);
    let buckets = bounds.zip(up_to).enumerate().map(|(at, (bound, count))| {
        let exemplar = durations.exemplar(at).map(|exemplar| super::page::Exemplar {
            labels: [("trace_id", exemplar.trace_id.to_string()), ("span_id", exemplar.span_id.to_string())],
            value: exemplar.duration_nanos as f64 / unit_nanos,
            unix_nanos: exemplar.start_unix_nanos,
        });
        (bound, count, exemplar)
    });
    Distribution { buckets: buckets.collect(), sum: durations.sum_nanos() as f64 / unit_nanos }
}

/// The kind in the connector's words.
fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Unspecified => "SPAN_KIND_UNSPECIFIED",
        Kind::Internal => "SPAN_KIND_INTERNAL",
        Kind::Server => "SPAN_KIND_SERVER",
        Kind::Client => "SPAN_KIND_CLIENT",
        Kind::Producer => "SPAN_KIND_PRODUCER",
        Kind::Consumer => "SPAN_KIND_CONSUMER",
    }
}

/// The status in the connector's words.
fn status(status: StatusCode) -> &'static str {
    match status {
        StatusCode::Unset => "STATUS_CODE_UNSET",
        StatusCode::Ok => "STATUS_CODE_OK",
        StatusCode::Error => "STATUS_CODE_ERROR",
    }
}
