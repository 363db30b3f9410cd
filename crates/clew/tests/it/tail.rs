//! `clew tail` against the real server, which goes away and comes back.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use crate::server::{Running, clew, stdout_of};

const PATIENCE: Duration = Duration::from_secs(30);

/// A running `clew tail`; killed when dropped.
struct Tail {
    child: Child,
    lines: Receiver<String>,
}

impl Tail {
    fn start(url: &str, options: &[&str]) -> Self {
        let mut command: Command = clew();
        command.args(["tail", "--server", url]).args(options);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (sender, lines) = channel();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self { child, lines }
    }

    fn next(&self) -> String {
        self.lines.recv_timeout(PATIENCE).expect("a line comes")
    }

    /// The traces that are told until all of these were; one may be told more than once, since its spans come in parts.
    fn until(&self, wanted: &BTreeSet<String>) -> BTreeSet<String> {
        let mut told = BTreeSet::new();
        while !told.is_superset(wanted) {
            let line = self.next();
            let trace: serde_json::Value = serde_json::from_str(&line).expect("one object a line");
            told.insert(trace["traceId"].as_str().expect("an id").to_owned());
        }
        told
    }
}

impl Drop for Tail {
    fn drop(&mut self) {
        // Ended already in some tests.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A server that settles traces at once.
fn server(data_dir: &Path, address: &str) -> Running {
    let mut command = clew();
    command.arg("--data-dir").arg(data_dir).args(["--listen", address]);
    command.env("CLEW_SETTLE_IDLE", "0s").env("CLEW_SETTLE_EVERY", "100ms");
    Running::of(command)
}

fn demo(server: &Running, seed: &str) {
    let arguments = ["demo", "--endpoint", &server.url(), "--count", "6", "--rate", "1000", "--seed", seed];
    let text = stdout_of(&arguments);
    assert!(text.contains(" 0 rejected, 0 refused"), "{text}");
}

/// The traces that the server holds, once all of them are settled.
fn settled(server: &Running) -> BTreeSet<String> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let found = server.get("/v1/traces/search?limit=1000").1;
        let traces = found["traces"].as_array().unwrap();
        if traces.iter().all(|trace| trace["state"]["settled"] == true) {
            return traces.iter().map(|trace| trace["traceId"].as_str().unwrap().to_owned()).collect();
        }
        assert!(Instant::now() < deadline, "all traces are settled in time: {found}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn tail_goes_on_where_it_was_when_the_server_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let first = server(folder.path(), "127.0.0.1:0");
    let address = first.address.clone();
    let tail = Tail::start(&first.url(), &["--json"]);
    // It is there before anything is settled.
    wait_for_stream(&first);
    demo(&first, "1");
    let before = settled(&first);
    assert_eq!(tail.until(&before), before);
    while tail.lines.recv_timeout(Duration::from_millis(500)).is_ok() {}
    first.stop();
    let second = server(folder.path(), &address);
    demo(&second, "2");
    let new = settled(&second).difference(&before).cloned().collect();
    assert_eq!(tail.until(&new), new, "what was told before is not told again");
    second.stop();
}

fn wait_for_stream(server: &Running) {
    let deadline = Instant::now() + PATIENCE;
    while server.figure("clew_live_streams") < 1.0 {
        assert!(Instant::now() < deadline, "the stream is open in time");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn tail_prints_a_line_for_each_trace_that_is_wanted() {
    let folder = tempfile::tempdir().unwrap();
    let server = server(folder.path(), "127.0.0.1:0");
    demo(&server, "1");
    let tail = Tail::start(&server.url(), &["--from", "0", "--service", "checkout", "--width", "160"]);
    let (head, line) = (tail.next(), tail.next());
    assert!(head.starts_with("STARTED (UTC)") && head.ends_with("TRACE"), "{head}");
    let id = line.rsplit(' ').next().unwrap();
    let trace = server.get(&format!("/v1/traces/{id}")).1;
    assert!(trace["summary"]["services"].as_array().unwrap().contains(&"checkout".into()), "{trace}");
    server.stop();
}

#[test]
fn tail_says_what_is_wrong_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let server = server(folder.path(), "127.0.0.1:0");
    let mut wrong = Tail::start(&server.url(), &["--status", "blue"]);
    assert_eq!(wrong.child.wait().unwrap().code(), Some(2));
    let mut said = String::new();
    wrong.child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(said.contains("status"), "{said}");
    let url = server.url();
    server.stop();
    let mut nobody = Tail::start(&url, &[]);
    assert_eq!(nobody.child.wait().unwrap().code(), Some(4));
}
