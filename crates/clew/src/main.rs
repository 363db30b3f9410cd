#![doc = include_str!("../README.md")]
#![warn(clippy::print_stdout)]

mod check;
mod cli;
mod client;
mod config;
mod delete;
mod demo;
mod exit;
mod export;
mod import;
mod load;
mod manual;
mod otlp_answer;
mod pins;
mod progress;
mod render;
mod search;
mod serve;
mod tail;
mod trace;

use std::process::ExitCode;

use cli::{Cli, Command};
use exit::Failure;

fn main() -> ExitCode {
    let cli = match Cli::read(std::env::args_os()) {
        Ok(cli) => cli,
        Err(error) => return exit::explained(&error),
    };
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

/// Does what the command line says.
fn run(cli: Cli) -> Result<(), Failure> {
    match cli.command {
        None => serve::run(cli.settings),
        Some(Command::Serve(settings)) => serve::run(settings),
        Some(Command::Search(question)) => search::run(&question),
        Some(Command::Trace(question)) => trace::run(&question),
        Some(Command::Tail(options)) => tail::run(&options),
        Some(Command::Export(options)) => export::run(&options),
        Some(Command::Import(options)) => import::run(&options),
        Some(Command::Delete { what }) => delete::run(&what),
        Some(Command::Pin(options)) => pins::pin(options),
        Some(Command::Unpin(which)) => pins::unpin(&which),
        Some(Command::Pins(all)) => pins::pins(&all),
        Some(Command::Demo(options)) => demo::run(&options),
        Some(Command::Load(options)) => load::run(options),
        Some(Command::Check(options)) => check::run(options),
        Some(Command::Config { settings, show }) => manual::config(settings, show),
        Some(Command::Completions { shell }) => manual::completions(shell),
        Some(Command::Man { page }) => manual::man(page.as_deref()),
    }
}
