//! Metrics and logs: an application whose exporters are all on works unchanged, and is told.

use bytes::Bytes;
use http::StatusCode;
use opentelemetry_proto::tonic::collector::logs::v1::{ExportLogsServiceRequest, ExportLogsServiceResponse};
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsServiceRequest, metrics_service_client::MetricsServiceClient,
};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::{
    Gauge, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, metric::Data,
};
use prost::Message as _;

use crate::server::Server;
use crate::wire::{frame, grpc, gzip, post};

fn metrics(point_count: usize) -> ExportMetricsServiceRequest {
    let gauge = Gauge { data_points: vec![NumberDataPoint::default(); point_count] };
    let metric = Metric { data: Some(Data::Gauge(gauge)), ..Metric::default() };
    let scope = ScopeMetrics { metrics: vec![metric], ..ScopeMetrics::default() };
    let resource = ResourceMetrics { scope_metrics: vec![scope], ..ResourceMetrics::default() };
    ExportMetricsServiceRequest { resource_metrics: vec![resource] }
}

fn logs(record_count: usize) -> Bytes {
    let scope = ScopeLogs { log_records: vec![LogRecord::default(); record_count], ..ScopeLogs::default() };
    let resource = ResourceLogs { scope_logs: vec![scope], ..ResourceLogs::default() };
    ExportLogsServiceRequest { resource_logs: vec![resource] }.encode_to_vec().into()
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_over_grpc_are_turned_away_politely() {
    let server = Server::start().await;
    let mut client = MetricsServiceClient::connect(format!("http://{}", server.address)).await.unwrap();
    let partial = client.export(metrics(7)).await.unwrap().into_inner().partial_success.unwrap();
    assert_eq!(partial.rejected_data_points, 7);
    assert!(partial.error_message.contains("clew keeps traces"), "{}", partial.error_message);
    assert!(partial.error_message.contains("OTEL_METRICS_EXPORTER=none"), "{}", partial.error_message);
    assert_eq!(server.figure("clew_other_signal_items_rejected_total{signal=\"metrics\"}").await, 7.0);
    let none = client.export(metrics(0)).await.unwrap().into_inner().partial_success;
    assert_eq!(none, None, "nothing sent, nothing rejected");
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_over_http_and_grpc_are_turned_away_politely() {
    let server = Server::start().await;
    let headers = [("content-type", "application/x-protobuf"), ("content-encoding", "gzip")];
    let answer = post(server.address, "/v1/logs", &headers, gzip(&logs(3))).await;
    assert_eq!(answer.status, StatusCode::OK);
    let partial = ExportLogsServiceResponse::decode(answer.body).unwrap().partial_success.unwrap();
    assert_eq!(partial.rejected_log_records, 3);
    assert!(partial.error_message.contains("OTEL_LOGS_EXPORTER=none"), "{}", partial.error_message);
    let method = "/opentelemetry.proto.collector.logs.v1.LogsService/Export";
    let answer = grpc(server.address, method, &[], frame(0, &logs(2))).await;
    let partial = ExportLogsServiceResponse::decode(answer.body.slice(5..)).unwrap().partial_success.unwrap();
    assert_eq!(partial.rejected_log_records, 2);
    assert_eq!(server.figure("clew_other_signal_items_rejected_total{signal=\"logs\"}").await, 5.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn json_is_answered_in_json() {
    let server = Server::start().await;
    let headers = [("content-type", "application/json")];
    let body = br#"{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"sum":{"dataPoints":[{},{}]}}]}]}]}"#;
    let answer = post(server.address, "/v1/metrics", &headers, Bytes::from_static(body)).await;
    assert_eq!(answer.json()["partialSuccess"]["rejectedDataPoints"], "2");
    let body = br#"{"resourceProfiles":[{"scopeProfiles":[{"profiles":[{}]}]}]}"#;
    let answer = post(server.address, "/v1development/profiles", &headers, Bytes::from_static(body)).await;
    assert_eq!(answer.json()["partialSuccess"]["rejectedProfiles"], "1");
    let answer = post(server.address, "/v1/logs", &headers, Bytes::from_static(b"{\"resourceLogs\":3}")).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert_eq!(server.refused("malformed").await, 1.0);
}
