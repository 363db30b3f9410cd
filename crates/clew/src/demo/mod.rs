//! `clew demo`: the traces of a simulated astronomy shop, sent as its services would send them.

mod shop;

use std::fmt::Write as _;
use std::time::Duration;

use anyhow::Context as _;
use clew_model::TraceId;
use clew_server::{Demo as _, Visit};
use clew_store::port::{Clock, SystemClock};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use prost::Message as _;
use tokio::time::Instant;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::{Channel, Endpoint};

use crate::exit::{self, Failure};
use crate::render::count;

pub(crate) use shop::ShopDemo;

pub(crate) const EXAMPLES: &str = "\
Examples:
  clew demo                             120 traces in a few seconds
  clew demo --rate 5 --duration 1h      a shop that stays open
  clew demo --seed 7 --count 12         the same twelve visits, under new ids

Seventeen services call each other over HTTP, gRPC and Kafka. Planted: a slow
query, a declined card, an N+1, time that no span explains, and a host whose
clock is ahead.";

/// Spans are dated so far back that even slow visits are over when they are sent.
const AGO_NANOS: u64 = 5_000_000_000;

/// What is sent, and how.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Options {
    /// Chance's seed
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,
    /// Traces a second
    #[arg(long, value_name = "TRACES/S", default_value_t = 20.0, value_parser = rate)]
    rate: f64,
    /// How many traces [default: 120, or no bound with --duration]
    #[arg(long, value_name = "COUNT")]
    count: Option<u64>,
    /// How long to send, such as 30s or 1h
    #[arg(long, value_name = "DURATION", value_parser = crate::config::read_duration)]
    duration: Option<Duration>,
    /// Where to: an OTLP/gRPC endpoint
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:4317", env = "OTEL_EXPORTER_OTLP_ENDPOINT")]
    endpoint: String,
    /// A bearer token
    #[arg(long, value_name = "TOKEN", env = "CLEW_TOKEN", hide_env_values = true)]
    token: Option<String>,
}

/// What was sent and what became of it.
#[derive(Debug, Default)]
struct Sent {
    traces: u64,
    spans: u64,
    rejected: u64,
    refused: u64,
    /// What the last refusal said.
    refusal: Option<String>,
    /// The first trace of each fault that was planted, and what it is.
    examples: Vec<(&'static str, TraceId)>,
}

/// Sends and reports.
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let sent = runtime.block_on(send_all(options))?;
    exit::print(sent.text(&trace_options(&options.endpoint)))?;
    match &sent.refusal {
        Some(why) => Err(Failure::Unreachable(format!("{} spans were refused: {why}", count(sent.refused)))),
        None => Ok(()),
    }
}

async fn send_all(options: &Options) -> Result<Sent, Failure> {
    let mut exporter = Exporter::open(options).await?;
    let mut next = ShopDemo.visits(options.seed);
    let clock = SystemClock::new();
    let interval = Duration::from_secs_f64(1.0 / options.rate);
    let bound = options.count.unwrap_or(if options.duration.is_some() { u64::MAX } else { 120 });
    let end = options.duration.map(|duration| Instant::now() + duration);
    let mut due = Instant::now();
    let mut sent = Sent::default();
    while sent.traces < bound && end.is_none_or(|end| Instant::now() < end) {
        let visit = next(clock.unix_nanos() - AGO_NANOS);
        sent.count(&visit);
        exporter.export(&visit, &mut sent).await?;
        due += interval;
        tokio::select! {
            () = tokio::time::sleep_until(due) => {}
            // Ctrl-C closes the shop; what was sent is reported all the same.
            _ = tokio::signal::ctrl_c() => break,
        }
    }
    Ok(sent)
}

/// The exporters of all services, over one channel.
struct Exporter {
    client: TraceServiceClient<Channel>,
    token: Option<MetadataValue<Ascii>>,
    endpoint: String,
}

impl Exporter {
    async fn open(options: &Options) -> Result<Self, Failure> {
        let url = match options.endpoint.split_once("://") {
            None => format!("http://{}", options.endpoint),
            Some(("http", _)) => options.endpoint.clone(),
            Some((scheme, _)) => {
                let text = format!("--endpoint {}: {scheme} is not spoken here, only http", options.endpoint);
                return Err(Failure::Usage(text));
            }
        };
        let endpoint = Endpoint::from_shared(url).map_err(|error| Failure::Usage(format!("--endpoint: {error}")))?;
        let channel = endpoint.connect().await.map_err(|_| {
            Failure::Unreachable(format!(
                "nothing receives OTLP at {}\n  start clew with `clew`, or name another place with --endpoint URL",
                options.endpoint
            ))
        })?;
        let token = options.token.as_ref().map(|token| format!("Bearer {token}").parse()).transpose();
        let token = token.map_err(|_| Failure::Usage("the token is not a header value".to_owned()))?;
        Ok(Self { client: TraceServiceClient::new(channel), token, endpoint: options.endpoint.clone() })
    }

    /// Sends a trace, each service its own spans.
    async fn export(&mut self, visit: &Visit, sent: &mut Sent) -> Result<(), Failure> {
        for export in &visit.exports {
            let message = ExportTraceServiceRequest::decode(export.body.clone());
            let mut request = tonic::Request::new(message.context("the shop's own spans")?);
            if let Some(token) = &self.token {
                request.metadata_mut().insert("authorization", token.clone());
            }
            match self.client.export(request).await {
                Ok(response) => {
                    let partial = response.into_inner().partial_success;
                    sent.rejected += partial.map_or(0, |partial| partial.rejected_spans.max(0) as u64);
                }
                Err(status) if is_refusal(&status) => {
                    sent.refused += export.span_count;
                    sent.refusal = Some(status.message().to_owned());
                }
                Err(status) => {
                    let said = if is_broken(&status) { "does not speak OTLP/gRPC, or has gone" } else { "answered" };
                    let text = format!("{} {said}: {}", self.endpoint, status.message());
                    return Err(Failure::Unreachable(text));
                }
            }
        }
        Ok(())
    }
}

fn is_refusal(status: &tonic::Status) -> bool {
    matches!(status.code(), tonic::Code::ResourceExhausted | tonic::Code::Unavailable) && !is_broken(status)
}

/// Whether the status tells of a connection that broke; a server's own words have no source.
fn is_broken(status: &tonic::Status) -> bool {
    std::error::Error::source(status).is_some()
}

/// What `clew trace` needs to find the server that the spans went to: every address of a server answers questions, and
/// without an option the one beside 4317 is asked.
fn trace_options(endpoint: &str) -> String {
    let (_, place) = endpoint.split_once("://").unwrap_or(("http", endpoint));
    let place = place.trim_end_matches('/');
    let default = ["127.0.0.1:4317", "localhost:4317", "127.0.0.1:4318", "localhost:4318"].contains(&place);
    if default { String::new() } else { format!(" --server http://{place}") }
}

impl Sent {
    fn count(&mut self, visit: &Visit) {
        self.traces += 1;
        self.spans += visit.exports.iter().map(|export| export.span_count).sum::<u64>();
        if let Some(about) = visit.about.filter(|about| self.examples.iter().all(|(told, _)| told != about)) {
            self.examples.push((about, visit.trace_id));
        }
    }

    fn text(&self, trace_options: &str) -> String {
        let accepted = self.spans - (self.rejected + self.refused).min(self.spans);
        let mut text = format!(
            "sent {} traces, {} spans: {} accepted, {} rejected, {} refused\n",
            count(self.traces),
            count(self.spans),
            count(accepted),
            count(self.rejected),
            count(self.refused)
        );
        let width = 11 + 32 + trace_options.len();
        for (about, trace_id) in &self.examples {
            let _ = writeln!(text, "  {:width$}  # {about}", format!("clew trace {trace_id}{trace_options}"));
        }
        text
    }
}

fn rate(text: &str) -> Result<f64, String> {
    let rate = text.parse::<f64>().ok().filter(|rate| (0.001..=100_000.0).contains(rate));
    rate.ok_or_else(|| "expected traces a second, such as 20 or 0.5".to_owned())
}
