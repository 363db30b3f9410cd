//! `cargo xtask check`: what a change must pass, the same by hand and in CI.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::counts::{Counts, Runner};
use crate::{cargo, parts, succeed, tidy, ui};

/// The whole check on two cores, from a clean checkout.
const BUDGET: Duration = Duration::from_mins(31);

/// Cases per property under `--deep`; proptest's own default is 256.
const DEEP_CASES: &str = "4096";

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Depth {
    Usual,
    Deep,
}

struct Stage {
    name: &'static str,
    depth: Depth,
    run: fn(&Path, Depth) -> Result<Option<Counts>>,
}

/// Cheap stages first, so that a slip is told in seconds.
const STAGES: &[Stage] = &[
    Stage { name: "fmt", depth: Depth::Usual, run: fmt },
    Stage { name: "tidy", depth: Depth::Usual, run: |root, _| tidy::run(root).map(|()| None) },
    Stage { name: "parts", depth: Depth::Usual, run: |root, _| parts::install(root).map(|_| None) },
    Stage { name: "ui", depth: Depth::Usual, run: |root, _| ui::check(root).map(Some) },
    Stage { name: "deny", depth: Depth::Deep, run: deny },
    Stage { name: "clippy", depth: Depth::Usual, run: clippy },
    Stage { name: "docs", depth: Depth::Usual, run: docs },
    Stage { name: "tests", depth: Depth::Usual, run: tests },
    // The binary that it drives is built by then.
    Stage { name: "browser", depth: Depth::Usual, run: |root, _| ui::browser(root, &[]).map(Some) },
];

/// Runs the stages in order and stops at the first that fails.
pub(crate) fn run(root: &Path, depth: Depth) -> Result<()> {
    let start = Instant::now();
    let mut times = Vec::new();
    let mut counts = Counts::default();
    let mut failure = None;
    for stage in STAGES.iter().filter(|stage| stage.depth <= depth) {
        println!("== {}", stage.name);
        let began = Instant::now();
        let result = (stage.run)(root, depth);
        times.push((stage.name, began.elapsed()));
        let err = match result {
            Ok(None) => None,
            Ok(Some(more)) => {
                counts += more;
                more.failure()
            }
            Err(err) => Some(err),
        };
        if let Some(err) = err {
            failure = Some(err.context(format!("check stopped at stage `{}`", stage.name)));
            break;
        }
    }
    report(&times, start.elapsed());
    println!("check: {} passed, {} failed", counts.passed, counts.failed);
    failure.map_or(Ok(()), Err)
}

fn report(times: &[(&str, Duration)], total: Duration) {
    let minutes = |time: Duration| time.as_secs_f64() / 60.0;
    println!("== minutes");
    for (name, time) in times {
        println!("{name:>8} {:6.2}", minutes(*time));
    }
    println!("{:>8} {:6.2} of {:.0}", "total", minutes(total), minutes(BUDGET));
    if total > BUDGET {
        println!("warning: the check is over its budget");
    }
}

fn fmt(root: &Path, _: Depth) -> Result<Option<Counts>> {
    succeed(cargo(root).args(["fmt", "--all", "--check"]))?;
    Ok(None)
}

fn deny(root: &Path, _: Depth) -> Result<Option<Counts>> {
    if Command::new("cargo-deny").arg("--version").stdout(Stdio::null()).status().is_ok() {
        succeed(cargo(root).args(["deny", "check"]))?;
    } else {
        println!("deny: cargo-deny is not installed, so licences and advisories are NOT checked");
    }
    Ok(None)
}

fn clippy(root: &Path, _: Depth) -> Result<Option<Counts>> {
    let what = ["clippy", "--release", "--locked", "--workspace", "--all-targets", "--", "-D", "warnings"];
    succeed(cargo(root).args(what))?;
    Ok(None)
}

fn docs(root: &Path, _: Depth) -> Result<Option<Counts>> {
    let what = ["doc", "--release", "--locked", "--workspace", "--no-deps"];
    succeed(cargo(root).args(what).env("RUSTDOCFLAGS", "-D warnings"))?;
    Ok(None)
}

fn tests(root: &Path, depth: Depth) -> Result<Option<Counts>> {
    let mut command = cargo(root);
    command.args(["test", "--release", "--locked", "--workspace", "--no-fail-fast"]);
    if depth == Depth::Deep {
        command.env("PROPTEST_CASES", DEEP_CASES);
    }
    Runner::Cargo.run(&mut command).map(Some)
}
