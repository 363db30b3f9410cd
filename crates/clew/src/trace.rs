//! `clew trace ID`: one trace, explained.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clew_model::TraceId;
use clew_server::ask::shape::TraceAnswer;

use crate::client::Server;
use crate::exit::{self, Failure};
use crate::render::{self, Screen, ScreenOptions};

pub(crate) const EXAMPLES: &str = "\
Examples:
  clew trace 4bf92f3577b34da6a3ce929d0e0e4736
  clew trace 4bf92f3577b34da6a3ce929d0e0e4736 --json | jq .thread.sentence
  clew trace 4bf92f3577b34da6a3ce929d0e0e4736 --html slow-checkout.html

How to read it: the first line says where the time went. Below, each row is
a span: its service where it differs from the parent's, its operation, its
time, the time in none of its children (self), and a bar. The thread leads
through all rows: `#` (amber in a terminal) is what the trace was waiting for
at that moment, `-` a span that it was not waiting for, `/` time that no span
explains. `x` (or a cross) marks an error; `<` and `>` lie outside the
picture, since the clock of their host is off.";

/// Which trace.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Question {
    /// The trace id: 32 hexadecimal characters, or 16
    #[arg(value_name = "ID")]
    id: String,
    /// Show every span, also those that are like their neighbours
    #[arg(long)]
    all: bool,
    /// Move the spans of hosts whose clocks are off
    #[arg(long)]
    correct_clocks: bool,
    /// Print the server's answer as it is
    #[arg(long)]
    json: bool,
    /// Write a page with the trace in it, which opens in a browser without a server
    #[arg(long, value_name = "FILE", conflicts_with_all = ["json", "all"])]
    html: Option<PathBuf>,
    #[command(flatten)]
    screen: ScreenOptions,
    #[command(flatten)]
    server: Server,
}

/// Asks and prints.
pub(crate) fn run(question: &Question) -> Result<(), Failure> {
    let id = TraceId::parse_lenient(question.id.trim());
    let id = id.map_err(|error| Failure::Usage(format!("`{}` is not a trace id: {error}", question.id)))?;
    let path = format!("/v1/traces/{id}");
    let clock = if question.correct_clocks { "corrected" } else { "sent" };
    let mut query = vec![("clock".to_owned(), clock.to_owned())];
    if let Some(file) = &question.html {
        query.push(("format".to_owned(), "html".to_owned()));
        let page = question.server.get(&path, &query)?;
        write(file, &page)?;
        exit::explain(format_args!("wrote {} to {}", render::bytes(page.len() as u64), file.display()));
        return Ok(());
    }
    if question.json {
        let body = question.server.get(&path, &query)?;
        return exit::print(format_args!("{body}\n"));
    }
    let answer: TraceAnswer = question.server.ask(&path, &query)?;
    exit::print(render::waterfall(&answer, &Screen::of(question.screen), question.all))
}

#[expect(clippy::disallowed_methods, reason = "the edge of the process: a file that the user named")]
fn write(file: &Path, text: &str) -> anyhow::Result<()> {
    std::fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
}
