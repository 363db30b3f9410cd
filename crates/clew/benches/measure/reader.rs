//! A client of the server's API on one kept connection.

use std::time::{Duration, Instant};

use anyhow::Context;
use serde_json::Value;

/// Asks one server.
pub(crate) struct Reader {
    agent: ureq::Agent,
    address: String,
}

/// What questions took.
pub(crate) struct Times {
    /// Of each, rising.
    millis: Vec<f64>,
    /// CPU of the server for one, in milliseconds.
    pub(crate) cpu_millis: f64,
}

impl Reader {
    pub(crate) fn new(address: &str) -> Self {
        Self { agent: ureq::Agent::new_with_defaults(), address: address.to_owned() }
    }

    /// Sends a request of spans; returns after it was acknowledged.
    pub(crate) fn send(&self, body: &[u8]) -> anyhow::Result<()> {
        let url = format!("{}/v1/traces", self.address);
        let mut answer = self.agent.post(&url).header("content-type", "application/x-protobuf").send(body)?;
        answer.body_mut().read_to_vec()?;
        Ok(())
    }

    /// The whole answer to a question, and how many milliseconds it took.
    pub(crate) fn ask(&self, path: &str) -> anyhow::Result<(Vec<u8>, f64)> {
        let began = Instant::now();
        let mut answer = self.agent.get(format!("{}{path}", self.address)).call().with_context(|| path.to_owned())?;
        let body = answer.body_mut().read_to_vec()?;
        Ok((body, began.elapsed().as_secs_f64() * 1e3))
    }

    /// The same as JSON.
    pub(crate) fn json(&self, path: &str) -> anyhow::Result<Value> {
        Ok(serde_json::from_slice(&self.ask(path)?.0)?)
    }

    /// A figure of `/metrics`.
    pub(crate) fn metric(&self, name: &str) -> anyhow::Result<f64> {
        let text = String::from_utf8(self.ask("/metrics")?.0)?;
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        Ok(value.with_context(|| format!("/metrics has {name}"))?.parse()?)
    }

    /// The sum of a figure of `/metrics` over all its labels.
    pub(crate) fn sum(&self, name: &str) -> anyhow::Result<f64> {
        let text = String::from_utf8(self.ask("/metrics")?.0)?;
        let values = text.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix('{')?.rsplit_once("} "));
        // What follows a value is its exemplar.
        values.map(|(_, value)| Ok(value.split(' ').next().unwrap_or_default().parse::<f64>()?)).sum()
    }

    /// Waits until no span is live.
    pub(crate) fn await_sealed(&self) -> anyhow::Result<()> {
        let deadline = Instant::now() + Duration::from_mins(1);
        while self.metric("clew_live_spans")? > 0.0 {
            anyhow::ensure!(Instant::now() < deadline, "spans are not sealed within a minute");
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }
}

impl Times {
    /// These, in milliseconds, and the CPU time of the server for all of them.
    pub(crate) fn of(mut millis: Vec<f64>, cpu_nanos: u64) -> Self {
        millis.sort_by(f64::total_cmp);
        let cpu_millis = cpu_nanos as f64 / 1e6 / millis.len().max(1) as f64;
        Self { millis, cpu_millis }
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.millis.len()
    }

    /// The time that so many percent of them do not exceed.
    pub(crate) fn percentile(&self, percent: usize) -> f64 {
        let at = (self.millis.len() * percent).div_ceil(100).max(1) - 1;
        self.millis.get(at).copied().unwrap_or(f64::NAN)
    }
}
