//! Metrics, logs and profiles: counted, turned away, and the sender told how to stop sending them.

use clew_model::RefuseReason;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::answer::PartialSuccess;
use super::proto;
use super::refusal::Refusal;
use super::signal::{Signal, Syntax};

/// The answer to a request of a signal that clew does not keep: a success in which everything is rejected, so that an
/// application whose exporters are all on works with its settings unchanged.
pub(super) fn turn_away(signal: Signal, syntax: Syntax, body: &[u8]) -> Result<PartialSuccess, Refusal> {
    let rejected = count(signal, syntax, body).map_err(|refusal| refusal.looking_at(syntax, body))?;
    if rejected == 0 {
        return Ok(PartialSuccess::default());
    }
    let (what, how) = match signal {
        Signal::Metrics => ("metrics", "set OTEL_METRICS_EXPORTER=none to stop sending them"),
        Signal::Logs => ("logs", "set OTEL_LOGS_EXPORTER=none to stop sending them"),
        Signal::Traces | Signal::Profiles => ("profiles", "switch the exporter of profiles off to stop sending them"),
    };
    Ok(PartialSuccess { rejected, message: format!("clew keeps traces, not {what}; {how}") })
}

fn count(signal: Signal, syntax: Syntax, body: &[u8]) -> Result<u64, Refusal> {
    match syntax {
        Syntax::Protobuf => count_protobuf(body, fields(signal))
            .ok_or_else(|| Refusal::new(RefuseReason::Malformed).because("it cannot be read as protobuf")),
        Syntax::Json => serde_json::from_slice::<Request>(body)
            .map(|request| request.count())
            .map_err(|error| Refusal::new(RefuseReason::Malformed).because(error)),
    }
}

/// The fields that lead from an export request to its items, level by level.
fn fields(signal: Signal) -> &'static [&'static [u32]] {
    match signal {
        // resource_metrics, scope_metrics, metrics, any kind of data, data_points
        Signal::Metrics => &[&[1], &[2], &[2], &[5, 7, 9, 10, 11], &[1]],
        // resource_logs, scope_logs, log_records; profiles likewise
        Signal::Traces | Signal::Logs | Signal::Profiles => &[&[1], &[2], &[2]],
    }
}

/// How many messages lie at the end of the path; `None` when a message on it cannot be read. Recurses once for each
/// level of the path, whatever the input.
fn count_protobuf(mut message: &[u8], path: &[&[u32]]) -> Option<u64> {
    let Some((fields, deeper)) = path.split_first() else {
        return Some(1);
    };
    let mut count = 0;
    while !message.is_empty() {
        let (number, content) = proto::next_field(&mut message)?;
        if let Some(content) = content.filter(|_| fields.contains(&number)) {
            count += count_protobuf(content, deeper)?;
        }
    }
    Some(count)
}

/// An export request of any signal, as far as counting needs it. Unknown fields are skipped.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
#[expect(clippy::struct_field_names, reason = "the names are OTLP's")]
struct Request {
    resource_metrics: Vec<Resource>,
    resource_logs: Vec<Resource>,
    resource_profiles: Vec<Resource>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
#[expect(clippy::struct_field_names, reason = "the names are OTLP's")]
struct Resource {
    scope_metrics: Vec<Scope>,
    scope_logs: Vec<Scope>,
    scope_profiles: Vec<Scope>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Scope {
    metrics: Vec<Metric>,
    log_records: Vec<IgnoredAny>,
    profiles: Vec<IgnoredAny>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Metric {
    gauge: Points,
    sum: Points,
    histogram: Points,
    exponential_histogram: Points,
    summary: Points,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Points {
    data_points: Vec<IgnoredAny>,
}

impl Request {
    fn count(&self) -> u64 {
        let resources = [&self.resource_metrics, &self.resource_logs, &self.resource_profiles];
        let resources = resources.into_iter().flatten();
        let scopes = resources.flat_map(|it| [&it.scope_metrics, &it.scope_logs, &it.scope_profiles]).flatten();
        scopes.map(|scope| scope.log_records.len() + scope.profiles.len() + scope.points()).sum::<usize>() as u64
    }
}

impl Scope {
    fn points(&self) -> usize {
        let kinds = |it: &Metric| {
            let kinds = [&it.gauge, &it.sum, &it.histogram, &it.exponential_histogram, &it.summary];
            kinds.map(|points| points.data_points.len()).iter().sum::<usize>()
        };
        self.metrics.iter().map(kinds).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
    use opentelemetry_proto::tonic::metrics::v1::{
        Gauge, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, Summary, SummaryDataPoint, metric::Data,
    };
    use prost::Message as _;

    fn metrics() -> Vec<u8> {
        let points = |count| vec![NumberDataPoint { time_unix_nano: 5, ..Default::default() }; count];
        let metric = |data| Metric { name: "m".to_owned(), data: Some(data), ..Default::default() };
        let metrics = vec![
            metric(Data::Gauge(Gauge { data_points: points(3) })),
            metric(Data::Sum(Sum { data_points: points(4), is_monotonic: true, ..Default::default() })),
            metric(Data::Summary(Summary { data_points: vec![SummaryDataPoint::default()] })),
            Metric::default(),
        ];
        let scope = ScopeMetrics { metrics, ..Default::default() };
        let resource = ResourceMetrics { scope_metrics: vec![scope.clone(), scope], ..Default::default() };
        ExportMetricsServiceRequest { resource_metrics: vec![resource] }.encode_to_vec()
    }

    #[test]
    fn data_points_are_counted() {
        let partial = turn_away(Signal::Metrics, Syntax::Protobuf, &metrics()).unwrap();
        assert_eq!(partial.rejected, 16);
        assert!(partial.message.contains("OTEL_METRICS_EXPORTER=none"), "{}", partial.message);
        let json = br#"{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"m","sum":{"dataPoints":[{},{}]}},{"gauge":{"dataPoints":[{}]}}],"x":1}]}]}"#;
        assert_eq!(turn_away(Signal::Metrics, Syntax::Json, json).unwrap().rejected, 3);
    }

    #[test]
    fn log_records_are_counted() {
        let json = br#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"stringValue":"a"}},{}]}]}]}"#;
        assert_eq!(turn_away(Signal::Logs, Syntax::Json, json).unwrap().rejected, 2);
    }

    #[test]
    fn an_empty_request_is_a_plain_success_and_noise_is_not() {
        assert_eq!(turn_away(Signal::Logs, Syntax::Protobuf, b""), Ok(PartialSuccess::default()));
        assert_eq!(turn_away(Signal::Logs, Syntax::Json, b"{}"), Ok(PartialSuccess::default()));
        let whole = metrics();
        for (syntax, body) in
            [(Syntax::Protobuf, &whole[..whole.len() - 1]), (Syntax::Json, &b"{\"resourceLogs\":"[..])]
        {
            assert_eq!(turn_away(Signal::Metrics, syntax, body).unwrap_err().reason, RefuseReason::Malformed);
        }
    }
}
