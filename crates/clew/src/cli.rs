//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::{StringValueParser, ValueParser};
use clap::{Arg, ArgAction, ArgMatches, Args, CommandFactory as _, FromArgMatches, Parser, Subcommand};
use clap_complete::Shell;

use crate::config::SETTINGS;
use crate::{check, delete, demo, exit, export, import, load, pins, search, tail, trace};

/// clew keeps the spans of your services and says where the time went.
///
/// Without a command it serves: OTLP over gRPC and HTTP on ports 4317, 4318 and 9090, the API on port 8080.
#[derive(Debug, Parser)]
#[command(name = "clew", version, max_term_width = 110, args_conflicts_with_subcommands = true)]
#[command(after_help = "Run `clew COMMAND --help` for more, or `clew serve --help` for all settings.")]
#[command(after_long_help = AFTER)]
pub(crate) struct Cli {
    /// What to do; serve when there is none.
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    /// Settings of the server.
    #[command(flatten)]
    pub(crate) settings: Settings,
}

const AFTER: &str = "\
Examples:
  clew                        serve, with data in ./clew-data
  clew demo                   send a simulated shop's traces to it
  clew search --status error  find traces
  clew trace 4bf92f3577b34da6a3ce929d0e0e4736
                              say where the time of one went

Exit codes: see `clew serve --help`.";

/// A command.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Receive, keep and answer (the default)
    #[command(after_long_help = exit::CODES)]
    Serve(Settings),
    /// Find traces
    #[command(after_long_help = search::EXAMPLES)]
    Search(search::Question),
    /// Show a trace: a sentence that says where the time went, and a waterfall
    #[command(after_long_help = trace::EXAMPLES)]
    Trace(trace::Question),
    /// Print traces as they are settled, until it is stopped
    #[command(after_long_help = tail::EXAMPLES)]
    Tail(tail::Options),
    /// Write whole traces to a file, as OTLP
    #[command(after_long_help = export::EXAMPLES)]
    Export(export::Options),
    /// Send the traces of OTLP files
    #[command(after_long_help = import::EXAMPLES)]
    Import(import::Options),
    /// Delete a trace, or all that a tenant has
    #[command(after_long_help = delete::EXAMPLES)]
    Delete {
        /// What.
        #[command(subcommand)]
        what: delete::What,
    },
    /// Keep a trace whatever its age, until it is unpinned
    #[command(after_long_help = pins::EXAMPLES)]
    Pin(pins::Options),
    /// Take the pin of a trace off
    Unpin(pins::Which),
    /// List the pinned traces
    Pins(pins::All),
    /// Send the traces of a simulated astronomy shop
    #[command(after_long_help = demo::EXAMPLES)]
    Demo(demo::Options),
    /// Send spans as fast as asked, and report throughput and acknowledgement latency
    #[command(after_long_help = load::EXAMPLES)]
    Load(load::Options),
    /// Check a data folder that no server uses
    #[command(after_long_help = exit::CODES)]
    Check(check::Options),
    /// Print the resolved configuration, or the reference page of all settings
    Config {
        /// Settings to resolve.
        #[command(flatten)]
        settings: Settings,
        /// What to print.
        #[arg(value_enum, default_value_t = Show::Print, value_name = "print|reference", hide_possible_values = true)]
        show: Show,
    },
    /// Print a completion script for a shell
    Completions {
        /// The shell.
        shell: Shell,
    },
    /// Print the manual page of clew, or of one of its commands
    Man {
        /// The command.
        #[arg(value_name = "COMMAND")]
        page: Option<String>,
    },
}

/// What `clew config` prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Show {
    /// The resolved configuration, as TOML with the origin of each value.
    Print,
    /// The reference page of all settings, as Markdown.
    Reference,
}

/// Settings as flags: one for each entry of the table, read as text and checked with all other layers.
#[derive(Debug, Clone, Default)]
pub(crate) struct Settings {
    /// The configuration file.
    pub(crate) file: Option<PathBuf>,
    /// Keys that were given, with their values.
    pub(crate) flags: Vec<(&'static str, Vec<String>)>,
}

impl Cli {
    /// Reads a command line.
    pub(crate) fn read(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, clap::Error> {
        Self::from_arg_matches(&command().try_get_matches_from(arguments)?)
    }
}

/// The whole command line; at the top, only the settings that a first start may want are shown.
pub(crate) fn command() -> clap::Command {
    let only = |shown: &'static [&'static str]| {
        move |arg: Arg| {
            let hidden = !shown.contains(&arg.get_id().as_str());
            arg.hide(hidden)
        }
    };
    // Checking takes the configuration of a server, of which only the folder matters.
    let check = |command: clap::Command| command.mut_args(only(&["repair", "json", "config", "data-dir", "help"]));
    Cli::command().mut_args(only(&["config", "data-dir", "listen", "help", "version"])).mut_subcommand("check", check)
}

impl Args for Settings {
    fn augment_args(command: clap::Command) -> clap::Command {
        let file = Arg::new("config")
            .long("config")
            .value_name("FILE")
            .value_parser(ValueParser::path_buf())
            .help("Configuration file (TOML); or CLEW_CONFIG. None is read unless it is named");
        let settings = SETTINGS.iter().filter_map(|setting| {
            let flag = setting.flag()?;
            let about: Vec<_> = setting.about.iter().map(|line| line.trim()).collect();
            let default = if setting.default.is_empty() { "none" } else { setting.default };
            let help = format!("{} [default: {default}]", about.join(" "));
            let value = setting.kind.split(' ').next().unwrap_or_default().trim_matches('`').to_uppercase();
            let arg = Arg::new(flag.clone()).long(flag).value_name(value).help(help).action(ArgAction::Append);
            Some(arg.value_parser(StringValueParser::new()).hide_short_help(setting.key.contains('.')))
        });
        command.arg(file).args(settings)
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Settings {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let given = SETTINGS.iter().filter_map(|setting| {
            let values = matches.get_many::<String>(&setting.flag()?)?;
            Some((setting.key, values.cloned().collect()))
        });
        Ok(Self { file: matches.get_one::<PathBuf>("config").cloned(), flags: given.collect() })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Cli, clap::Error> {
        Cli::read(line.split(' ').map(OsString::from))
    }

    #[test]
    fn the_command_line_is_well_formed() {
        command().debug_assert();
    }

    #[test]
    fn nothing_and_serve_take_the_same_settings() {
        let bare = read("clew --data-dir /x --listen 127.0.0.1:1 --listen 127.0.0.1:2").unwrap();
        assert!(bare.command.is_none());
        let Some(Command::Serve(served)) = read("clew serve --data-dir /x --limits-depth 8").unwrap().command else {
            panic!("serve");
        };
        assert_eq!(bare.settings.flags[1], ("listen", vec!["127.0.0.1:1".to_owned(), "127.0.0.1:2".to_owned()]));
        assert_eq!(served.flags[1], ("limits.depth", vec!["8".to_owned()]));
    }

    #[test]
    fn a_wrong_flag_names_the_right_one() {
        let error = read("clew serve --data-dri x").unwrap_err();
        assert!(error.to_string().contains("--data-dir"), "{error}");
        assert_eq!(error.exit_code(), 2);
    }
}
