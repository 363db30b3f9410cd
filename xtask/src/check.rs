//! `cargo xtask check`: what a change must pass, the same by hand and in CI.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::{cargo, parts, succeed, tidy};

/// The whole check on two cores, from a clean checkout.
const BUDGET: Duration = Duration::from_mins(20);

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
    Stage { name: "deny", depth: Depth::Deep, run: deny },
    Stage { name: "clippy", depth: Depth::Usual, run: clippy },
    Stage { name: "docs", depth: Depth::Usual, run: docs },
    Stage { name: "tests", depth: Depth::Usual, run: tests },
];

/// What cargo's test binaries counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    passed: u64,
    failed: u64,
    ignored: u64,
}

/// Runs the stages in order and stops at the first that fails.
pub(crate) fn run(root: &Path, depth: Depth) -> Result<()> {
    let start = Instant::now();
    let mut times = Vec::new();
    for stage in STAGES.iter().filter(|stage| stage.depth <= depth) {
        println!("== {}", stage.name);
        let began = Instant::now();
        let result = (stage.run)(root, depth);
        times.push((stage.name, began.elapsed()));
        let failure = match result {
            Ok(None) => continue,
            Ok(Some(counts)) => {
                report(&times, start.elapsed());
                println!("check: {} passed, {} failed", counts.passed, counts.failed);
                counts.failure()
            }
            Err(err) => {
                report(&times, start.elapsed());
                Some(err)
            }
        };
        if let Some(err) = failure {
            return Err(err.context(format!("check stopped at stage `{}`", stage.name)));
        }
    }
    Ok(())
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
    command.args(["test", "--release", "--locked", "--workspace", "--no-fail-fast"]).stdout(Stdio::piped());
    if depth == Depth::Deep {
        command.env("PROPTEST_CASES", DEEP_CASES);
    }
    let mut child = command.spawn().context("cannot start cargo test")?;
    let mut counts = Counts::default();
    for line in BufReader::new(child.stdout.take().context("cargo test has no output")?).lines() {
        let line = line.context("cannot read what cargo test says")?;
        counts.add(&line);
        println!("{line}");
    }
    let status = child.wait().context("cargo test did not end")?;
    if !status.success() && counts.failed == 0 {
        bail!("cargo test failed ({status})");
    }
    Ok(Some(counts))
}

impl Counts {
    /// Adds a line like `test result: ok. 12 passed; 0 failed; 0 ignored; ...`; other lines count nothing.
    fn add(&mut self, line: &str) {
        let Some((_, counts)) = line.strip_prefix("test result: ").and_then(|rest| rest.split_once(". ")) else {
            return;
        };
        for part in counts.split("; ") {
            let Some((number, word)) = part.split_once(' ') else { continue };
            let Ok(number) = number.parse::<u64>() else { continue };
            match word {
                "passed" => self.passed += number,
                "failed" => self.failed += number,
                "ignored" => self.ignored += number,
                _ => {}
            }
        }
    }

    /// A test that is ignored would make the closing line say more than was shown.
    fn failure(self) -> Option<anyhow::Error> {
        match self {
            Self { failed: 0, ignored: 0, passed: 1.. } => None,
            Self { failed: 0, passed: 0, .. } => Some(anyhow::anyhow!("no test ran")),
            Self { failed: 0, ignored, .. } => Some(anyhow::anyhow!("{ignored} tests were ignored")),
            Self { failed, .. } => Some(anyhow::anyhow!("{failed} tests failed")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_summed_over_test_binaries() {
        let mut counts = Counts::default();
        for line in [
            "running 3 tests",
            "test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s",
            "test result: FAILED. 4 passed; 2 failed; 1 ignored; 0 measured; 9 filtered out; finished in 1.50s",
            "it said: test result: ok. 100 passed; 0 failed",
        ] {
            counts.add(line);
        }
        assert_eq!(counts, Counts { passed: 7, failed: 2, ignored: 1 });
    }

    #[test]
    fn only_a_run_with_tests_and_without_gaps_is_good() {
        let said = |passed, failed, ignored| Counts { passed, failed, ignored }.failure().map(|err| err.to_string());
        assert_eq!(said(3, 0, 0), None);
        assert_eq!(said(3, 1, 0).as_deref(), Some("1 tests failed"));
        assert_eq!(said(3, 0, 2).as_deref(), Some("2 tests were ignored"));
        assert_eq!(said(0, 0, 0).as_deref(), Some("no test ran"));
    }
}
