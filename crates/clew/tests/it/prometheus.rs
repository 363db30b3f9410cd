//! A real Prometheus scrapes the server, or is written to by it, and its answers are those of the server itself.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::server::{Running, clew, get, stdout_of};

const PATIENCE: Duration = Duration::from_mins(1);

/// Prometheus; killed when dropped.
struct Prometheus {
    child: Child,
    address: String,
    folder: PathBuf,
}

/// A program of the part that `cargo xtask parts` installs.
fn program(name: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let parts = std::env::var_os("XTASK_PARTS").filter(|value| !value.is_empty());
    let part = parts.map_or_else(|| root.join(".parts"), PathBuf::from).join("prometheus");
    assert!(
        part.join(".stamp").exists(),
        "Prometheus is not there in {}: run `cargo xtask check`, or `cargo xtask parts` for that alone",
        part.display()
    );
    part.join("usr/bin").join(name)
}

impl Prometheus {
    /// One that scrapes a server.
    fn scraping(folder: &Path, target: &str) -> Self {
        let config = format!(
            "global: {{ scrape_interval: 200ms, scrape_timeout: 200ms }}\n\
             scrape_configs: [ {{ job_name: clew, static_configs: [ {{ targets: [ \"{target}\" ] }} ] }} ]\n"
        );
        Self::start(folder, &config, &[])
    }

    /// One that scrapes nothing and takes what is written to it.
    fn receiving(folder: &Path) -> Self {
        let mut prometheus = Self::start(folder, "", &["--web.enable-remote-write-receiver"]);
        prometheus.ask("/api/v1/status/runtimeinfo", |answer| (answer["status"] == "success").then_some(()));
        prometheus
    }

    fn start(folder: &Path, config: &str, flags: &[&str]) -> Self {
        std::fs::write(folder.join("prometheus.yml"), config).unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let address = format!("127.0.0.1:{port}");
        let log = File::create(folder.join("prometheus.log")).unwrap();
        let child = Command::new(program("prometheus"))
            .args(["--config.file=prometheus.yml", "--storage.tsdb.path=tsdb", "--enable-feature=exemplar-storage"])
            .arg(format!("--web.listen-address={address}"))
            .args(flags)
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        Self { child, address, folder: folder.to_owned() }
    }

    /// The answer about a path, once it is there and enough.
    fn ask<T>(&mut self, path: &str, enough: impl Fn(&Value) -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
        loop {
            let answer = agent.get(format!("http://{}{path}", self.address)).call();
            let text = answer.ok().and_then(|mut answer| answer.body_mut().read_to_string().ok());
            let answer: Value = text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
            if let Some(found) = enough(&answer) {
                return found;
            }
            let log = || std::fs::read_to_string(self.folder.join("prometheus.log")).unwrap_or_default();
            assert!(self.child.try_wait().unwrap().is_none(), "Prometheus ended: {}", log());
            assert!(Instant::now() < deadline, "{path} does not come to say enough: {answer}\n{}", log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// The number that a query comes to, once it meets the condition.
    fn query(&mut self, query: &str, enough: impl Fn(f64) -> bool) -> f64 {
        let query = query.bytes().fold(String::new(), |query, byte| query + &format!("%{byte:02x}"));
        self.ask(&format!("/api/v1/query?query={query}"), |answer| {
            let value = answer["data"]["result"][0]["value"][1].as_str()?.parse().ok()?;
            enough(value).then_some(value)
        })
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        // It has nothing to lose.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A server that settles traces soon, but whole: what is taken back of a part stays in counters until it is made up for.
fn server(folder: &Path) -> Running {
    Running::of(settling_soon(folder))
}

fn settling_soon(folder: &Path) -> Command {
    let mut command = clew();
    command.arg("--data-dir").arg(folder).args(["--listen", "127.0.0.1:0"]);
    command.env("CLEW_SETTLE_IDLE", "2s").env("CLEW_SETTLE_EVERY", "100ms");
    command
}

/// Sends the demo's traces and waits until all of their spans are counted; how many they are.
fn demo(server: &Running, count: &str) -> f64 {
    let text = stdout_of(&["demo", "--endpoint", &server.url(), "--count", count, "--rate", "1000"]);
    assert!(text.contains(" 0 rejected, 0 refused"), "{text}");
    let sent = server.figure("clew_spans_received_total{tenant=\"default\"}");
    let deadline = Instant::now() + PATIENCE;
    loop {
        let page = server.get("/metrics").1;
        let calls = page.as_str().unwrap().lines().filter(|line| line.starts_with("traces_span_metrics_calls_total{"));
        let counted: f64 = calls.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()).sum();
        if (counted - sent).abs() < 0.5 {
            return sent;
        }
        assert!(Instant::now() < deadline, "{counted} of {sent} spans are counted");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn prometheus_scrapes_span_metrics_and_its_quantiles_are_ours() {
    let folder = tempfile::tempdir().unwrap();
    let server = server(&folder.path().join("data"));
    let mut prometheus = Prometheus::scraping(folder.path(), &server.address);
    prometheus.query("up{job=\"clew\"}", |up| up > 0.0);
    let sent = demo(&server, "60");
    let calls = prometheus.query("sum(traces_span_metrics_calls_total)", |calls| (calls - sent).abs() < 0.5);
    assert!(calls > 100.0, "{calls}");

    let red = server.get("/v1/metrics/red?since=1d&groupBy=service").1;
    let bounds: Vec<f64> = clew_store::settle::totals::BOUNDS_NANOS.iter().map(|nanos| *nanos as f64 / 1e6).collect();
    let groups = red["groups"].as_array().unwrap();
    assert!(groups.len() > 5, "{red}");
    for group in groups {
        let (service, ours) =
            (group["service"].as_str().unwrap(), group["weighted"]["p99Nanos"].as_f64().unwrap() / 1e6);
        let query = format!(
            "histogram_quantile(0.99, sum by (le) \
             (traces_span_metrics_duration_milliseconds_bucket{{service_name=\"{service}\"}}))"
        );
        let theirs = prometheus.query(&query, f64::is_finite);
        let bucket = bounds.partition_point(|bound| *bound < ours);
        let lower = bucket.checked_sub(1).map_or(0.0, |below| bounds[below]);
        assert!((lower..=bounds[bucket]).contains(&theirs), "{service}: {theirs} ms, and we say {ours} ms");
        let count = group["received"]["count"].as_f64().unwrap();
        let query = format!("sum(traces_span_metrics_calls_total{{service_name=\"{service}\"}})");
        prometheus.query(&query, |theirs| (theirs - count).abs() < 0.5);
    }
    // The graph, both ways.
    let graph = server.get("/v1/dependencies?since=1d").1;
    let calls: f64 = graph["edges"].as_array().unwrap().iter().map(|edge| edge["weighted"].as_f64().unwrap()).sum();
    prometheus.query("sum(traces_service_graph_request_total)", |theirs| (theirs - calls).abs() < 0.5);

    // An exemplar leads to its trace.
    let path = "/api/v1/query_exemplars?query=traces_span_metrics_duration_milliseconds_bucket&start=0&end=9999999999";
    let id = prometheus.ask(path, |answer| {
        let exemplar = &answer["data"][0]["exemplars"][0];
        exemplar["labels"]["trace_id"].as_str().map(str::to_owned)
    });
    assert_eq!(server.get(&format!("/v1/traces/{id}")).0, 200, "{id}");
    let complaint = prometheus
        .ask("/api/v1/targets", |answer| answer["data"]["activeTargets"][0]["lastError"].as_str().map(str::to_owned));
    assert_eq!(complaint, "");
    server.stop();
}

#[test]
fn prometheus_takes_what_is_written_to_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut prometheus = Prometheus::receiving(folder.path());
    let mut command = settling_soon(&folder.path().join("data"));
    command.env("CLEW_METRICS_REMOTE_WRITE", format!("http://{}/api/v1/write", prometheus.address));
    command.env("CLEW_METRICS_REMOTE_WRITE_EVERY", "1s");
    let server = Running::of(command);
    let sent = demo(&server, "60");
    let calls =
        prometheus.query("sum(traces_span_metrics_calls_total{job=\"clew\"})", |calls| (calls - sent).abs() < 0.5);
    assert!(calls > 100.0, "{calls}");
    let count = "sum(traces_span_metrics_duration_milliseconds_bucket{le=\"+Inf\"})";
    prometheus.query(count, |count| (count - sent).abs() < 0.5);
    prometheus.query("sum(traces_span_metrics_duration_milliseconds_count)", |count| (count - sent).abs() < 0.5);
    let graph = server.get("/v1/dependencies?since=1d").1;
    let calls: f64 = graph["edges"].as_array().unwrap().iter().map(|edge| edge["weighted"].as_f64().unwrap()).sum();
    prometheus.query("sum(traces_service_graph_request_total)", |theirs| (theirs - calls).abs() < 0.5);
    // Ours, and whose they are.
    let port = server.address.rsplit(':').next().unwrap();
    let ours = format!("sum(clew_spans_received_total{{tenant=\"default\",instance=~\".+:{port}\"}})");
    prometheus.query(&ours, |received| (received - sent).abs() < 0.5);

    let path = "/api/v1/query_exemplars?query=traces_span_metrics_duration_milliseconds_bucket&start=0&end=9999999999";
    let id = prometheus.ask(path, |answer| {
        let exemplar = &answer["data"][0]["exemplars"][0];
        exemplar["labels"]["trace_id"].as_str().map(str::to_owned)
    });
    assert_eq!(server.get(&format!("/v1/traces/{id}")).0, 200, "{id}");
    assert!(server.figure("clew_remote_write_last_success_seconds") > 1e9);
    assert!(server.figure("clew_remote_write_requests_total{outcome=\"refused\"}") < 0.5);
    assert!(server.figure("clew_remote_write_failed_samples_total") < 0.5);
    let log = std::fs::read_to_string(folder.path().join("prometheus.log")).unwrap();
    assert!(!log.contains("remote_write") && !log.contains("level=error"), "{log}");
    let diagnostics = server.stop();
    assert!(!diagnostics.contains("remote write"), "{diagnostics}");
}

#[test]
fn promtool_reads_the_page_and_finds_nothing_but_milliseconds() {
    let folder = tempfile::tempdir().unwrap();
    let server = server(folder.path());
    demo(&server, "24");
    let page = get(&server.address, "/metrics").1;
    let text = folder.path().join("page");
    std::fs::write(&text, page.as_str().unwrap()).unwrap();
    let mut promtool = Command::new(program("promtool"));
    let output = promtool.args(["check", "metrics"]).stdin(File::open(&text).unwrap()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    // The connector's own name has the unit that the connector has.
    let other: Vec<&str> =
        said.lines().filter(|line| !line.starts_with("traces_span_metrics_duration_milliseconds ")).collect();
    assert!(output.status.code() != Some(1) && other.is_empty(), "{}: {said}", output.status);
    server.stop();
}
