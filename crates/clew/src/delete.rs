//! `clew delete`: a trace, or all that a tenant has.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

use clew_model::{Tenant, TraceId};
use clew_server::delete::DeleteAnswer;

use crate::client::Server;
use crate::exit::{self, Failure};
use crate::render::count;

pub(crate) const EXAMPLES: &str = "\
Examples:
  clew delete trace 4bf92f3577b34da6a3ce929d0e0e4736
  clew delete tenant acme
  clew delete tenant acme --yes            where nobody can be asked

What is deleted is out of every answer at once and does not come back, but a
sender that sends spans of it again is not refused. There is no undo; `clew
export` keeps a copy.";

/// What is deleted.
#[derive(Debug, Clone, clap::Subcommand)]
pub(crate) enum What {
    /// Delete one trace
    Trace(OneTrace),
    /// Delete all traces of a tenant; asks before it does
    Tenant(AllOfTenant),
}

/// Which trace.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct OneTrace {
    /// The trace id: 32 hexadecimal characters, or 16
    #[arg(value_name = "ID")]
    id: String,
    #[command(flatten)]
    server: Server,
}

/// Which tenant.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct AllOfTenant {
    /// The tenant's name
    #[arg(value_name = "NAME", id = "name")]
    name: String,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    server: Server,
}

/// Deletes and reports.
pub(crate) fn run(what: &What) -> Result<(), Failure> {
    match what {
        What::Trace(trace) => {
            let id = TraceId::parse_lenient(trace.id.trim());
            let id = id.map_err(|error| Failure::Usage(format!("`{}` is not a trace id: {error}", trace.id)))?;
            // The server takes the tenant by header from a command line that names one.
            let answer: DeleteAnswer = trace.server.delete(&format!("/v1/traces/{id}"), &[])?;
            let spans = answer.deleted.span_count.map_or_else(String::new, |spans| format!(", {} spans", count(spans)));
            exit::print(format_args!("deleted trace {id} of {}{spans}\n", answer.deleted.tenant))
        }
        What::Tenant(tenant) => {
            let name = Tenant::new(tenant.name.trim());
            let name = name.map_err(|error| Failure::Usage(format!("`{}`: {error}", tenant.name)))?;
            if !tenant.yes {
                confirm(&name)?;
            }
            let confirmed = [("confirm".to_owned(), name.to_string())];
            let answer: DeleteAnswer = tenant.server.delete(&format!("/v1/tenants/{name}"), &confirmed)?;
            exit::print(format_args!("deleted everything of {}\n", answer.deleted.tenant))
        }
    }
}

/// Asks a person for the name once more.
fn confirm(name: &Tenant) -> Result<(), Failure> {
    if !io::stdin().is_terminal() {
        return Err(Failure::Usage(format!("nobody can be asked here; to delete everything of {name}, add --yes")));
    }
    write!(io::stderr(), "This deletes all traces of {name}, for good. Type the name to go on: ")?;
    io::stderr().flush()?;
    let mut typed = String::new();
    io::stdin().lock().read_line(&mut typed)?;
    if typed.trim() == name.as_str() { Ok(()) } else { Err(Failure::Usage("nothing was deleted".to_owned())) }
}
