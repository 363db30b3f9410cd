//! `clew pin`, `clew unpin` and `clew pins`.

use std::fmt::Write as _;

use clew_model::TraceId;
use clew_server::pins::{PinAnswer, PinRequest, PinsAnswer, UnpinAnswer};

use crate::client::Server;
use crate::exit::{self, Failure};

pub(crate) const EXAMPLES: &str = "\
Examples:
  clew pin 4bf92f3577b34da6a3ce929d0e0e4736 --note 'the outage of Monday'
  clew pins
  clew unpin 4bf92f3577b34da6a3ce929d0e0e4736

A pinned trace is kept whatever its age, its verdict and the room that there is,
until its pin is taken off or it is deleted.";

/// What is pinned.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Options {
    /// The trace id: 32 hexadecimal characters, or 16
    #[arg(value_name = "ID")]
    id: String,
    /// Why, in a line of at most 200 characters
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
    #[command(flatten)]
    server: Server,
}

/// Whose pin is taken off.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Which {
    /// The trace id: 32 hexadecimal characters, or 16
    #[arg(value_name = "ID")]
    id: String,
    #[command(flatten)]
    server: Server,
}

/// Whose pins are listed.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct All {
    /// Print the answer as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: Server,
}

/// Pins and reports.
pub(crate) fn pin(options: Options) -> Result<(), Failure> {
    let id = trace_id(&options.id)?;
    let request = PinRequest { note: options.note };
    let answer: PinAnswer = options.server.post(&format!("/v1/traces/{id}/pin"), &request)?;
    exit::print(format_args!("pinned trace {id} of {}\n", answer.pinned.tenant))
}

/// Takes a pin off and reports.
pub(crate) fn unpin(which: &Which) -> Result<(), Failure> {
    let id = trace_id(&which.id)?;
    let answer: UnpinAnswer = which.server.delete(&format!("/v1/traces/{id}/pin"), &[])?;
    exit::print(format_args!("trace {id} of {} is not pinned any more\n", answer.unpinned.tenant))
}

/// Lists them.
pub(crate) fn pins(all: &All) -> Result<(), Failure> {
    let body = all.server.get("/v1/pins", &[])?;
    if all.json {
        return exit::print(body + "\n");
    }
    let answer: PinsAnswer = all.server.read(&body)?;
    let mut text = String::new();
    for pin in &answer.pins {
        // To the second, which is what people remember.
        let at = pin.at.get(..19).unwrap_or(&pin.at);
        let _ = writeln!(text, "{}  {at}Z  {}", pin.trace_id, pin.note.as_deref().unwrap_or_default());
    }
    if text.is_empty() {
        "nothing is pinned\n".clone_into(&mut text);
    }
    exit::print(text)
}

fn trace_id(text: &str) -> Result<TraceId, Failure> {
    let id = TraceId::parse_lenient(text.trim());
    id.map_err(|error| Failure::Usage(format!("`{text}` is not a trace id: {error}")))
}
