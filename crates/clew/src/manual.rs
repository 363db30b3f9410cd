//! `clew config`, `clew completions`, `clew man`: clew about itself.

use anyhow::Context as _;
use clap_complete::Shell;
use clap_mangen::Man;

use crate::cli::{self, Settings, Show};
use crate::config;
use crate::exit::{self, Failure};

/// Prints the resolved configuration, or the reference page.
pub(crate) fn config(settings: Settings, show: Show) -> Result<(), Failure> {
    exit::print(match show {
        Show::Print => config::resolved(&config::load(settings.file.as_ref(), settings.flags)?),
        Show::Reference => config::reference(),
    })
}

/// Prints a completion script.
pub(crate) fn completions(shell: Shell) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut cli::command(), "clew", &mut script);
    exit::print(String::from_utf8_lossy(&script))
}

/// Prints a manual page.
pub(crate) fn man(page: Option<&str>) -> Result<(), Failure> {
    let mut whole = cli::command();
    whole.build();
    let command = match page {
        None => whole,
        Some(name) => {
            let found = whole.find_subcommand(name).cloned();
            found.ok_or_else(|| Failure::Usage(format!("there is no command `{name}`; see `clew --help`")))?
        }
    };
    let mut roff = Vec::new();
    Man::new(command).render(&mut roff).context("cannot write the manual page")?;
    exit::print(String::from_utf8_lossy(&roff))
}
