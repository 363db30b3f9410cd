//! How many tests passed, read from the closing lines of the programs that run them.

use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// What test programs counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) ignored: u64,
}

/// A program that runs tests, by the closing lines that it writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Runner {
    /// `test result: ok. 12 passed; 0 failed; 0 ignored; ...`, once for each test binary.
    Cargo,
    /// `      Tests  1 failed | 12 passed (13)`
    Vitest,
    /// `  12 passed (3.4s)`, and a line for each other outcome.
    Playwright,
}

impl Runner {
    /// Runs the tests, repeats what they say, and counts them. That one fails is told by the counts.
    pub(crate) fn run(self, command: &mut Command) -> Result<Counts> {
        let name = command.get_program().to_string_lossy().into_owned();
        let mut child = command.stdout(Stdio::piped()).spawn().with_context(|| format!("cannot start `{name}`"))?;
        let said = child.stdout.take().with_context(|| format!("`{name}` has no output"))?;
        let counts = self.count(said).with_context(|| format!("cannot read what `{name}` says"))?;
        let status = child.wait().with_context(|| format!("`{name}` did not end"))?;
        if !status.success() && counts.failed == 0 {
            bail!("`{name}` failed ({status}), though no test of it did");
        }
        Ok(counts)
    }

    fn count(self, said: impl Read) -> Result<Counts> {
        let mut counts = Counts::default();
        for line in BufReader::new(said).lines() {
            let line = line?;
            counts += self.read(&line);
            println!("{line}");
        }
        Ok(counts)
    }

    /// What one line counts; most count nothing.
    fn read(self, line: &str) -> Counts {
        match self {
            Self::Cargo => {
                let counts = line.strip_prefix("test result: ").and_then(|rest| rest.split_once(". "));
                counts.map_or_else(Counts::default, |(_, counts)| Counts::of(counts.split("; ")))
            }
            Self::Vitest => {
                let counts = line.trim_start().strip_prefix("Tests  ");
                counts.map_or_else(Counts::default, |counts| {
                    Counts::of(counts.split(" (").next().unwrap_or_default().split(" | "))
                })
            }
            Self::Playwright => {
                let counts = line.strip_prefix("  ").filter(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
                counts.map_or_else(Counts::default, |counts| {
                    Counts::of(std::iter::once(counts.split(" (").next().unwrap_or_default()))
                })
            }
        }
    }
}

impl Counts {
    /// Of parts such as `12 passed`.
    fn of<'p>(parts: impl Iterator<Item = &'p str>) -> Self {
        let mut counts = Self::default();
        for part in parts {
            let Some((number, word)) = part.trim().split_once(' ') else { continue };
            let Ok(number) = number.parse::<u64>() else { continue };
            match word {
                "passed" => counts.passed += number,
                // One that fails and then passes is as little to be trusted as one that fails.
                "failed" | "flaky" | "interrupted" => counts.failed += number,
                "ignored" | "skipped" | "todo" | "did not run" => counts.ignored += number,
                _ => {}
            }
        }
        counts
    }

    /// A test that is ignored would make the closing line say more than was shown.
    pub(crate) fn failure(self) -> Option<anyhow::Error> {
        match self {
            Self { failed: 0, ignored: 0, passed: 1.. } => None,
            Self { failed: 0, passed: 0, .. } => Some(anyhow::anyhow!("no test ran")),
            Self { failed: 0, ignored, .. } => Some(anyhow::anyhow!("{ignored} tests were ignored")),
            Self { failed, .. } => Some(anyhow::anyhow!("{failed} tests failed")),
        }
    }
}

impl std::ops::AddAssign for Counts {
    fn add_assign(&mut self, more: Self) {
        self.passed += more.passed;
        self.failed += more.failed;
        self.ignored += more.ignored;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cargo_is_summed_over_test_binaries() {
        let said = "\
running 3 tests
test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s
test result: FAILED. 4 passed; 2 failed; 1 ignored; 0 measured; 9 filtered out; finished in 1.50s
it said: test result: ok. 100 passed; 0 failed
";
        assert_eq!(Runner::Cargo.count(said.as_bytes()).unwrap(), Counts { passed: 7, failed: 2, ignored: 1 });
    }

    #[test]
    fn vitest_is_read_from_its_line_of_tests_and_not_of_files() {
        let said = "\
 Test Files  1 failed | 2 passed (3)
      Tests  1 failed | 11 passed | 2 skipped | 1 todo (15)
   Duration  412ms (transform 80ms)
";
        assert_eq!(Runner::Vitest.count(said.as_bytes()).unwrap(), Counts { passed: 11, failed: 1, ignored: 3 });
        let good = " Test Files  3 passed (3)\n      Tests  20 passed (20)\n";
        assert_eq!(Runner::Vitest.count(good.as_bytes()).unwrap(), Counts { passed: 20, failed: 0, ignored: 0 });
    }

    #[test]
    fn playwright_is_read_from_its_closing_lines() {
        let said = "\
Running 9 tests using 1 worker
  \u{2713}  1 tests/home.spec.ts:3:1 > 3 passed on (1.1s)
  1 failed
    tests/home.spec.ts:9:1 > the list 4 passed
  1 flaky
  2 skipped
  1 did not run
  4 passed (31.2s)
";
        assert_eq!(Runner::Playwright.count(said.as_bytes()).unwrap(), Counts { passed: 4, failed: 2, ignored: 3 });
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
