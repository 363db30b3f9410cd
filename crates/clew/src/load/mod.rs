//! `clew load`: a load generator.
//!
//! Requests are encoded once and stamped with fresh ids and times for each send, so that the generator costs little
//! beside the server that it measures. Each connection sends one request at a time and waits for its acknowledgement.

mod connection;
mod histogram;
mod report;

use std::fmt::Write as _;
use std::fs::File;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::Context as _;
use clap::ValueEnum;
use clew_model::TraceId;
use clew_sim::seed::Seed;
use clew_sim::workload::{Template, Workload};
use clew_store::port::{Clock, SystemClock};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::exit::{self, Failure};
use connection::{Connection, Reply};
use report::Tally;

pub(crate) const EXAMPLES: &str = "\
Examples:
  clew load                                  as fast as four connections can, for 10 s
  clew load --rate 50000 --duration 60s      50,000 spans a second for a minute
  clew load --protocol grpc --compression gzip --json

Spans are synthetic: 379 bytes and 8.35 attributes each, 17.6 to a trace, on
average. Ctrl-C ends a run early, and reports.";

/// Requests that are encoded before a connection starts.
const TEMPLATES: usize = 16;
/// The wait after a refusal or a broken connection.
const PAUSE: Duration = Duration::from_millis(100);
/// The longest wait for an answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// What is sent, and how.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Options {
    /// Spans a second over all connections, or `max`
    #[arg(long, value_name = "SPANS/S|max", default_value = "max", value_parser = rate)]
    rate: Rate,
    /// Connections, each with one request in flight
    #[arg(long, value_name = "COUNT", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=1024))]
    connections: u16,
    /// How long to send, such as 10s or 2m
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = length)]
    duration: Duration,
    /// Spans in a request
    #[arg(long, value_name = "COUNT", default_value_t = 512, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    batch: u32,
    /// How requests are sent
    #[arg(long, value_enum, default_value = "http")]
    protocol: Protocol,
    /// How requests are compressed
    #[arg(long, value_enum, default_value = "none")]
    compression: Compression,
    /// Where to, as host:port [default: 127.0.0.1:4318 for http, 127.0.0.1:4317 for grpc]
    #[arg(long, value_name = "HOST:PORT")]
    endpoint: Option<String>,
    /// A bearer token
    #[arg(long, value_name = "TOKEN", env = "CLEW_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// Chance's seed; the same one sends the same ids [default: drawn from the time]
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,
    /// Append each acknowledged trace id and its number of spans to this file
    #[arg(long, value_name = "FILE")]
    acked_file: Option<PathBuf>,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
}

/// Spans a second.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Rate {
    Max,
    PerSecond(f64),
}

/// How requests are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Protocol {
    /// OTLP/HTTP with protobuf
    Http,
    /// OTLP/gRPC
    Grpc,
}

/// How requests are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Compression {
    /// Not at all
    None,
    /// gzip
    Gzip,
    /// zstd
    Zstd,
}

/// Where requests go.
#[derive(Debug, Clone)]
struct Target {
    authority: String,
    protocol: Protocol,
    compression: Compression,
    token: Option<String>,
}

/// Where acknowledged traces are written.
type AckedFile = Option<Arc<Mutex<File>>>;

/// Sends and reports.
pub(crate) fn run(options: Options) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let json = options.json;
    let report = runtime.block_on(send_all(options))?;
    let text = if json { serde_json::to_string(&report).context("the report")? + "\n" } else { report.text() };
    exit::print(text)?;
    let why = match (report.is_empty(), report.was_answered()) {
        (false, _) => return Ok(()),
        (true, true) => "nothing was acknowledged: all was refused",
        (true, false) => "nothing was acknowledged; is clew running? Start it with `clew`",
    };
    Err(Failure::Unreachable(why.to_owned()))
}

async fn send_all(options: Options) -> anyhow::Result<report::Report> {
    let acked = options.acked_file.as_ref().map(open_acked).transpose()?;
    let begin = Instant::now();
    let end = begin + options.duration;
    let mut seed = Seed::new(options.seed.unwrap_or_else(|| SystemClock::new().unix_nanos()));
    let (stop, stopped) = watch::channel(false);
    // Ctrl-C ends the run early; what was sent is reported all the same.
    tokio::spawn(async move { tokio::signal::ctrl_c().await.is_ok() && stop.send(true).is_ok() });
    let mut lanes = tokio::task::JoinSet::new();
    for number in 0..options.connections {
        lanes.spawn(Lane::new(&options, number, seed.fork(), acked.clone()).drive(end, stopped.clone()));
    }
    let mut tally = Tally::new();
    while let Some(lane) = lanes.join_next().await {
        tally.add(lane.context("a connection's task failed")??);
    }
    Ok(tally.report(begin.elapsed().as_secs_f64()))
}

/// One connection's work.
struct Lane {
    target: Target,
    templates: Vec<Template>,
    seed: Seed,
    /// Time from one send to the next; `None` is at once.
    interval: Option<Duration>,
    /// The first send, so that lanes do not send all at once.
    offset: Duration,
    acked: AckedFile,
    clock: SystemClock,
}

impl Lane {
    fn new(options: &Options, number: u16, mut seed: Seed, acked: AckedFile) -> Self {
        let port = if options.protocol == Protocol::Http { 4318 } else { 4317 };
        let endpoint = options.endpoint.clone().unwrap_or_else(|| format!("127.0.0.1:{port}"));
        let target = Target {
            authority: endpoint.trim_start_matches("http://").trim_end_matches('/').to_owned(),
            protocol: options.protocol,
            compression: options.compression,
            token: options.token.clone(),
        };
        let clock = SystemClock::new();
        let mut workload = Workload::new(seed.next_u64());
        let now = clock.unix_nanos();
        let template = |_| Template::new(&workload.next_request(options.batch as usize, now), now);
        let templates = (0..TEMPLATES).map(template).collect();
        let interval = match options.rate {
            Rate::Max => None,
            Rate::PerSecond(rate) => {
                Some(Duration::from_secs_f64(f64::from(options.batch) * f64::from(options.connections) / rate))
            }
        };
        let offset =
            interval.map_or(Duration::ZERO, |interval| interval * u32::from(number) / u32::from(options.connections));
        Self { target, templates, seed, interval, offset, acked, clock }
    }

    /// Sends until `end`, or until it is stopped. A connection that breaks is opened again.
    async fn drive(mut self, end: Instant, mut stopped: watch::Receiver<bool>) -> anyhow::Result<Tally> {
        let mut tally = Tally::new();
        let mut connection = None;
        let mut due = Instant::now() + self.offset;
        while Instant::now() < end && !*stopped.borrow() {
            if self.interval.is_some() {
                tokio::select! {
                    () = tokio::time::sleep_until(due.min(end)) => {}
                    _ = stopped.changed() => break,
                }
                if due >= end {
                    break;
                }
            }
            let open = match connection.as_mut() {
                Some(open) => open,
                None => match Connection::open(&self.target).await {
                    Ok(opened) => connection.insert(opened),
                    Err(error) => {
                        tally.last_error = Some(format!("{error:#}"));
                        tokio::time::sleep(PAUSE).await;
                        continue;
                    }
                },
            };
            if !self.send_one(open, &mut tally).await? {
                connection = None;
            }
            // A lane that fell behind sends at once and catches up, but not by more than a second's worth.
            if let Some(interval) = self.interval {
                due = (due + interval).max(Instant::now().checked_sub(Duration::from_secs(1)).unwrap_or(due));
            }
        }
        Ok(tally)
    }

    /// Sends one request; false when the connection is of no more use.
    async fn send_one(&mut self, connection: &mut Connection, tally: &mut Tally) -> anyhow::Result<bool> {
        let template = self.seed.below(self.templates.len() as u64) as usize;
        let template = &self.templates[template];
        let spans = u64::from(template.span_count());
        let bytes = template.byte_count() as u64;
        let stamped = template.stamp(&mut self.seed, self.clock.unix_nanos());
        let sent = Instant::now();
        let reply = tokio::time::timeout(PATIENCE, connection.send(stamped.body)).await;
        match reply.unwrap_or_else(|_| Err(anyhow::anyhow!("no answer within {} s", PATIENCE.as_secs()))) {
            Ok(Reply::Acknowledged { rejected }) => {
                tally.latency.observe(sent.elapsed().as_nanos() as u64);
                tally.requests += 1;
                tally.acknowledged_spans += spans - rejected.min(spans);
                tally.rejected_spans += rejected;
                tally.acknowledged_bytes += bytes;
                self.write_acked(&stamped.traces)?;
                Ok(true)
            }
            Ok(Reply::Refused(why)) => {
                tally.last_error = Some(format!("refused: {why}"));
                tally.requests += 1;
                tally.refused_spans += spans;
                tokio::time::sleep(PAUSE).await;
                Ok(true)
            }
            Err(error) => {
                tally.unanswered_spans += spans;
                tally.last_error = Some(format!("{error:#}"));
                Ok(false)
            }
        }
    }

    fn write_acked(&self, traces: &[(TraceId, u32)]) -> anyhow::Result<()> {
        let Some(file) = &self.acked else { return Ok(()) };
        let mut lines = String::with_capacity(traces.len() * 36);
        for (id, spans) in traces {
            let _ = writeln!(lines, "{id} {spans}");
        }
        let mut file = file.lock().map_err(|_| anyhow::anyhow!("another connection failed while it wrote"))?;
        file.write_all(lines.as_bytes()).context("cannot write the file of acknowledged traces")
    }
}

#[expect(clippy::disallowed_methods, reason = "the edge of the process: a file that the user named")]
fn open_acked(path: &PathBuf) -> anyhow::Result<Arc<Mutex<File>>> {
    let file = File::options().create(true).append(true).open(path);
    Ok(Arc::new(Mutex::new(file.with_context(|| format!("cannot open {}", path.display()))?)))
}

fn length(text: &str) -> Result<Duration, String> {
    let length = crate::config::read_duration(text)?;
    if length.is_zero() { Err("expected more than nothing, such as 10s".to_owned()) } else { Ok(length) }
}

fn rate(text: &str) -> Result<Rate, String> {
    if text == "max" {
        return Ok(Rate::Max);
    }
    let rate = text.replace('_', "").parse::<f64>().ok().filter(|rate| rate.is_finite() && *rate > 0.0);
    rate.map(Rate::PerSecond).ok_or_else(|| "expected spans a second, such as 50000, or max".to_owned())
}
