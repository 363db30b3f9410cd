#![doc = include_str!("../README.md")]
#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a development tool reads files, takes times and prints; it is not part of the core"
)]

mod check;
mod counts;
mod debian;
mod parts;
mod sim;
mod tidy;
mod ui;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};

const HELP: &str = "\
Development commands of clew

  cargo xtask check [--deep]     everything a change must pass: fmt, tidy, parts, ui, clippy, docs, tests, browser
                                 --deep: many more property-test cases, and cargo-deny where it is installed
  cargo xtask tidy               house rules: arrows between crates, sizes, ASCII, links, words
  cargo xtask parts              install the clients and servers that tests need (into .parts, or $XTASK_PARTS)
  cargo xtask ui                 build the web page into ui/dist, and the types of the API
  cargo xtask ui --check         fail unless ui/dist is what the sources make; types, vitest, the first load's budget
  cargo xtask ui --browser       the tests in ui/tests, in Chromium, against the binary; more words go to Playwright
  cargo xtask ui --screenshots   pictures of every screen in both themes; a folder, and words for the script, may follow
  cargo xtask bench ui           the budgets of the web page, strictly, as a table; more words go to the script
  cargo xtask bench ingest       speed of the front half, per span and as a server; more words go to the bench
  cargo xtask bench blocks       size and speed of blocks: seals, a server that seals, questions; --json FILE, --folder DIR, --large
  cargo xtask bench settle       cost of settling, acknowledgements beside it, how far it is behind, how often bytes are written
  cargo xtask sim                random lives of a store with crashes; prints the seeds that break an invariant
                                 --seeds N: so many seeds; --from S: beginning with that one
  cargo xtask help               this text
";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match run(&words) {
        Ok(()) => ExitCode::SUCCESS,
        Err(err) => {
            eprintln!("xtask: {err:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(words: &[&str]) -> Result<()> {
    let root = root();
    match words {
        [] | ["help" | "--help" | "-h"] => {
            print!("{HELP}");
            Ok(())
        }
        ["check"] => check::run(&root, check::Depth::Usual),
        ["check", "--deep"] => check::run(&root, check::Depth::Deep),
        ["tidy"] => tidy::run(&root),
        ["parts"] => parts::install(&root).map(|_| ()),
        ["sim", rest @ ..] => sim::run(&root, rest),
        ["ui", rest @ ..] => ui::run(&root, rest),
        ["bench", "ui", rest @ ..] => ui::bench(&root, rest),
        ["bench", name @ ("ingest" | "blocks" | "settle"), rest @ ..] => bench(&root, name, rest),
        _ => bail!("unknown command `{}`; `cargo xtask help` lists the commands", words.join(" ")),
    }
}

fn bench(root: &Path, name: &str, rest: &[&str]) -> Result<()> {
    let mut command = cargo(root);
    command.args(["bench", "--package", "clew", "--bench", name]);
    if !rest.is_empty() {
        command.arg("--").args(rest);
    }
    succeed(&mut command)
}

/// The repository: the folder above this crate.
fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}

/// The cargo that started us, at the repository's root.
fn cargo(root: &Path) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root);
    command
}

fn succeed(command: &mut Command) -> Result<()> {
    let program = Path::new(command.get_program());
    let name = program.file_name().unwrap_or(program.as_os_str()).to_string_lossy().into_owned();
    let status = command.status().with_context(|| format!("cannot start `{name}`; is it installed?"))?;
    if !status.success() {
        let line: Vec<_> = command.get_args().map(|word| word.to_string_lossy()).collect();
        bail!("`{name} {}` failed ({status})", line.join(" "));
    }
    Ok(())
}
