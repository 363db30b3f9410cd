//! `clew tail`: traces as they are settled.

use std::io::{self, BufRead, BufReader, Read as _};
use std::time::Duration;

use anyhow::Context as _;
use clew_server::ask::shape::{LiveGap, SummaryShape};

use crate::client::Server;
use crate::exit::{self, Failure};
use crate::render::{Columns, Screen, ScreenOptions, count};
use crate::search;

pub(crate) const EXAMPLES: &str = "\
Examples:
  clew tail
  clew tail --service checkout --status error
  clew tail --min-duration 1s --json | jq -r .traceId

A trace is told when it is settled: by default 30 seconds after its last span,
once its root has come. If spans come later, it is told again. When the server
goes away, tail waits for it and goes on where it was.";

/// Longest line of a stream.
const LINE_BYTES_MAX: u64 = 16 << 20;
/// How long it waits for a server that has gone, at first and at last.
const WAITS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(10));

/// Which traces.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Options {
    /// A service; given twice, both take part in the trace
    #[arg(long, value_name = "NAME")]
    service: Vec<String>,
    /// The operation of the trace's root
    #[arg(long, value_name = "NAME")]
    operation: Option<String>,
    /// error: a span of the trace failed; ok: none did
    #[arg(long, value_name = "STATUS")]
    status: Option<String>,
    /// Shortest trace, such as 250ms or 1.5s
    #[arg(long, value_name = "DURATION", value_parser = search::millis)]
    min_duration: Option<String>,
    /// Longest trace
    #[arg(long, value_name = "DURATION", value_parser = search::millis)]
    max_duration: Option<String>,
    /// Begin with that trace, by its number; 0 is the first that the server knows
    #[arg(long, value_name = "NUMBER")]
    from: Option<u64>,
    /// Print one JSON object a line, as the server tells it
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    screen: ScreenOptions,
    #[command(flatten)]
    server: Server,
}

/// Something that a stream says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Event {
    /// What it is; empty when it only says how far the stream has come.
    name: String,
    /// How far that is.
    id: Option<u64>,
    data: String,
}

impl Options {
    fn query(&self) -> Vec<(String, String)> {
        let mut query: Vec<(String, String)> =
            self.service.iter().map(|name| ("service".to_owned(), name.clone())).collect();
        let single = [
            ("operation", &self.operation),
            ("status", &self.status),
            ("minDurationMs", &self.min_duration),
            ("maxDurationMs", &self.max_duration),
        ];
        query.extend(single.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value.clone()?))));
        query
    }
}

/// Asks and prints, until the reader has gone or the process is stopped.
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    let mut printer = Printer::new(options);
    let (mut seen, mut from) = (None, options.from);
    let mut is_known = false;
    let mut wait = WAITS.0;
    loop {
        let mut query = options.query();
        query.extend(from.map(|from| ("from".to_owned(), from.to_string())));
        match options.server.events("/v1/live", &query, seen) {
            Ok(body) => {
                // A stream that says nothing of how far it has come stands at the very beginning.
                (is_known, wait) = (true, WAITS.0);
                from = from.or(Some(0));
                let mut stream = BufReader::new(body);
                // A broken stream ends: what it would have said comes after the one that was seen last.
                while let Ok(Some(event)) = next(&mut stream) {
                    if !printer.print(&event)? {
                        return Ok(());
                    }
                    seen = event.id.or(seen);
                }
                exit::explain("the stream has ended; waiting for the server");
            }
            Err(Failure::Unreachable(_)) if is_known => {}
            Err(failure) => return Err(failure),
        }
        pause(wait);
        wait = (wait * 2).min(WAITS.1);
    }
}

#[expect(clippy::disallowed_methods, reason = "a server that has gone tells nobody when it is back")]
fn pause(length: Duration) {
    std::thread::sleep(length);
}

/// The next event of a stream; `None` at its end, where a piece of one is dropped.
fn next(stream: &mut impl BufRead) -> io::Result<Option<Event>> {
    let mut event = Event::default();
    loop {
        let mut line = Vec::new();
        stream.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut line)?;
        if line.pop() != Some(b'\n') {
            return Ok(None);
        }
        let line = String::from_utf8_lossy(&line);
        let line = line.trim_end_matches('\r');
        if line.is_empty() {
            return Ok(Some(event));
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut event.name),
            "id" => event.id = value.parse().ok(),
            "data" => event.data.push_str(value),
            _ => {}
        }
    }
}

/// Where events go.
struct Printer {
    is_json: bool,
    screen: Screen,
    columns: Columns,
    has_head: bool,
}

impl Printer {
    fn new(options: &Options) -> Self {
        let screen = Screen::of(options.screen);
        Self { is_json: options.json, columns: Columns::of(&screen), screen, has_head: options.json }
    }

    /// `false` when nobody reads any more.
    fn print(&mut self, event: &Event) -> Result<bool, Failure> {
        match event.name.as_str() {
            "trace" if self.is_json => exit::print_on(format_args!("{}\n", event.data)),
            "trace" => {
                let trace: SummaryShape = read(&event.data)?;
                let head = if self.has_head { String::new() } else { self.columns.head(&self.screen) };
                self.has_head = true;
                exit::print_on(head + &self.columns.line(&trace, &self.screen))
            }
            "gap" => {
                let gap: LiveGap = read(&event.data)?;
                exit::explain(format_args!(
                    "{} traces were settled that the server cannot tell any more",
                    count(gap.lost)
                ));
                Ok(true)
            }
            _ => Ok(true),
        }
    }
}

fn read<T: serde::de::DeserializeOwned>(data: &str) -> Result<T, Failure> {
    Ok(serde_json::from_str(data).context("the server does not tell traces as clew does")?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_read_as_they_come() {
        let text = "retry: 1000\n:\nid: 6\n\nevent: trace\nid: 7\ndata: {\"a\": 1}\n\n: still here\n\nevent: gap\r\nid: 9\r\n\
                    data: x\r\n\r\nevent: trace\nid: 10\nda";
        let mut stream = text.as_bytes();
        let mut events = Vec::new();
        while let Some(event) = next(&mut stream).unwrap() {
            events.push((event.name, event.id, event.data));
        }
        let event = |name: &str, id, data: &str| (name.to_owned(), id, data.to_owned());
        assert_eq!(
            events,
            [
                event("", Some(6), ""),
                event("trace", Some(7), "{\"a\": 1}"),
                event("", None, ""),
                event("gap", Some(9), "x"),
            ]
        );
    }
}
