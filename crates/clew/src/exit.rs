//! How the process ends: one list of exit codes, and output that ends quietly when its reader does.

use std::fmt::Display;
use std::io::{ErrorKind, Write as _};
use std::process::ExitCode;

use crate::config::{ConfigErrors, UnreadableFile};

/// The exit codes, for `--help` and the manual.
pub(crate) const CODES: &str = "\
Exit codes:
  0    done
  1    failed; for `check`, damage was found
  2    wrong use, or a configuration that is not usable
  3    not found: no such trace
  4    the server could not be reached, or could not answer now
  130  stopped at once by a second signal";

/// The exit code of a process that was told twice to stop.
pub(crate) const TOLD_TWICE: i32 = 130;

/// Why a command did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// It went wrong.
    #[error("{0:#}")]
    Failed(anyhow::Error),
    /// It was asked for in a wrong way.
    #[error("{0}")]
    Usage(String),
    /// What was asked for is not there.
    #[error("{0}")]
    NotFound(String),
    /// The server cannot be reached, or cannot answer now.
    #[error("{0}")]
    Unreachable(String),
}

impl Failure {
    /// Writes it to standard error and gives its exit code.
    pub(crate) fn report(&self) -> ExitCode {
        explain(self);
        ExitCode::from(match self {
            Self::Failed(_) => 1,
            Self::Usage(_) => 2,
            Self::NotFound(_) => 3,
            Self::Unreachable(_) => 4,
        })
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        let unusable = error.is::<ConfigErrors>() || error.is::<UnreadableFile>();
        if unusable { Self::Usage(error.to_string()) } else { Self::Failed(error) }
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::Failed(error.into())
    }
}

/// Writes clap's message where it belongs: help to standard output, mistakes to standard error.
pub(crate) fn explained(error: &clap::Error) -> ExitCode {
    // Nothing is left to do when the terminal is gone.
    let _ = error.print();
    ExitCode::from(error.exit_code() as u8)
}

/// Writes to standard output. A reader that has gone, as `head` does, ends the output and is no failure.
pub(crate) fn print(text: impl Display) -> Result<(), Failure> {
    print_on(text).map(|_| ())
}

/// The same for output that has no end of its own: `false` when its reader has gone.
pub(crate) fn print_on(text: impl Display) -> Result<bool, Failure> {
    let mut out = std::io::stdout().lock();
    match write!(out, "{text}").and_then(|()| out.flush()) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Writes a line for people to standard error.
pub(crate) fn explain(text: impl Display) {
    // A closed standard error leaves nobody to tell.
    let _ = writeln!(std::io::stderr(), "clew: {text}");
}
