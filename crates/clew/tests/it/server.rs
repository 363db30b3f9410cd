//! A real server on free ports, and the means to talk to it.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// The binary, with no configuration of the surrounding environment.
pub(crate) fn clew() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_clew"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("CLEW_") || name.starts_with("OTEL_")) {
        command.env_remove(name);
    }
    command
}

/// Runs a command to its end.
pub(crate) fn run(arguments: &[&str]) -> Output {
    clew().args(arguments).output().expect("the binary runs")
}

/// What a command printed, when it did what it was asked for.
pub(crate) fn stdout_of(arguments: &[&str]) -> String {
    let output = run(arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

/// A running server; killed when dropped.
pub(crate) struct Running {
    child: Child,
    /// `host:port`; this one door speaks everything.
    pub(crate) address: String,
    /// The greeting up to the last line to paste.
    pub(crate) greeting: String,
    /// Held open so that the server can write.
    _stdout: BufReader<ChildStdout>,
}

impl Running {
    /// Starts on a free port and waits for the greeting.
    pub(crate) fn start(data_dir: &Path) -> Self {
        Self::start_with(data_dir, &["--listen", "127.0.0.1:0"])
    }

    /// Starts with these flags and waits for the greeting.
    pub(crate) fn start_with(data_dir: &Path, flags: &[&str]) -> Self {
        let mut command = clew();
        command.arg("--data-dir").arg(data_dir).args(flags);
        Self::of(command)
    }

    /// Runs this command, which becomes a server, and waits for the greeting.
    pub(crate) fn of(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary starts");
        let mut stdout = BufReader::new(child.stdout.take().expect("piped"));
        let mut greeting = String::new();
        while !greeting.contains("clew search") {
            let read = stdout.read_line(&mut greeting).expect("readable");
            if read == 0 {
                let mut stderr = String::new();
                child.stderr.take().expect("piped").read_to_string(&mut stderr).expect("readable");
                panic!("the server ended: {stderr}");
            }
        }
        let address = greeting.lines().find_map(|line| line.trim().strip_prefix("http://")).expect("an address");
        let address = address.split_whitespace().next().expect("an address").to_owned();
        Self { child, address, greeting, _stdout: stdout }
    }

    /// The process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// A GET's status and body.
    pub(crate) fn get(&self, path: &str) -> (u16, Value) {
        get(&self.address, path)
    }

    /// A figure without labels; 0 when the page does not have it.
    pub(crate) fn figure(&self, name: &str) -> f64 {
        let page = self.get("/metrics").1;
        let lines = page.as_str().expect("a page of text").lines();
        let mut values = lines.filter_map(|line| line.strip_prefix(name)?.trim().parse().ok());
        values.next().unwrap_or(0.0)
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        let id = i32::try_from(self.child.id()).ok().and_then(rustix::process::Pid::from_raw).expect("a process id");
        rustix::process::kill_process(id, signal).expect("the process is ours");
    }

    /// Waits for the end of a server that was told to stop.
    pub(crate) fn wait(&mut self, within: Duration) -> ExitStatus {
        let deadline = Instant::now() + within;
        loop {
            if let Some(status) = self.child.try_wait().expect("our child") {
                return status;
            }
            assert!(Instant::now() < deadline, "the server did not end within {within:?}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// SIGTERM, and the standard error of a server that ends with 0 within 10 s.
    pub(crate) fn stop(mut self) -> String {
        self.signal(rustix::process::Signal::TERM);
        assert_eq!(self.wait(Duration::from_secs(10)).code(), Some(0));
        let mut stderr = String::new();
        self.child.stderr.take().expect("piped").read_to_string(&mut stderr).expect("readable");
        stderr
    }

    /// `kill -9`.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("our child");
        self.child.wait().expect("our child");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Already ended in most tests.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A GET's status and body.
pub(crate) fn get(address: &str, path: &str) -> (u16, Value) {
    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let mut response = agent.get(format!("http://{address}{path}")).call().expect("an answer");
    let body = response.body_mut().with_config().limit(1 << 30).read_to_vec().expect("a body");
    let value = serde_json::from_slice(&body).unwrap_or_else(|_| String::from_utf8_lossy(&body).into_owned().into());
    (response.status().as_u16(), value)
}

/// A POST's status.
pub(crate) fn post(agent: &ureq::Agent, address: &str, body: &[u8]) -> Result<u16, ureq::Error> {
    let request = agent.post(format!("http://{address}/v1/traces")).header("Content-Type", "application/x-protobuf");
    let mut response = request.send(body)?;
    response.body_mut().read_to_vec()?;
    Ok(response.status().as_u16())
}
