//! `cargo xtask ui`: the web page of clew, from `ui/`.
//!
//! What a binary serves is `ui/dist`, which is committed, so that cargo alone gives a working page. `--check` builds it once
//! more and fails on any difference. Node packages come from `ui/package-lock.json`; a browser from Debian, never from a
//! package of node.

mod browser;
mod dist;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::counts::{Counts, Runner};
use crate::{cargo, succeed};

/// Files that pin what is installed.
const INPUTS: [&str; 3] = ["package.json", "package-lock.json", ".npmrc"];

/// Where `npm run build` puts the page; `dist` without it.
const OUT: &str = "CLEW_UI_OUT";

/// The binary that tests with a browser start; they take it out of the environment of what they start, since a server
/// refuses such variables that are no setting of its own.
const BINARY: &str = "CLEW_BINARY";

/// One of the commands.
pub(crate) fn run(root: &Path, words: &[&str]) -> Result<()> {
    match words {
        [] => build(root),
        ["--check"] => failed(check(root)?),
        ["--browser", rest @ ..] => failed(browser(root, rest)?),
        ["--screenshots", rest @ ..] => screenshots(root, rest),
        _ => bail!("`ui` takes --check, --browser, --screenshots or nothing, not `{}`", words.join(" ")),
    }
}

/// The check's stage that needs no server: types, tests of pure functions, and whether `dist` is what the sources make.
pub(crate) fn check(root: &Path) -> Result<Counts> {
    let ui = install(root)?;
    succeed(&mut npm_run(&ui, "typecheck"))?;
    let counts = Runner::Vitest.run(&mut npm_run(&ui, "test"))?;
    if counts.failure().is_some() {
        return Ok(counts);
    }
    let built = scratch(root, "dist")?;
    succeed(npm_run(&ui, "build").env(OUT, &built))?;
    let differences = dist::differences(&ui.join("dist"), &built)?;
    if !differences.is_empty() {
        bail!(
            "ui/dist is not what the sources make; run `cargo xtask ui` and commit it\n  {}",
            differences.join("\n  ")
        );
    }
    println!("ui: {}", dist::first_load(&built)?.within_budget()?);
    Ok(counts)
}

/// The check's stage that needs a server: `ui/tests` in a browser, against the binary.
pub(crate) fn browser(root: &Path, words: &[&str]) -> Result<Counts> {
    Runner::Playwright.run(&mut with_browser(root, "browser", words)?)
}

/// The budgets, strictly, as a table.
pub(crate) fn bench(root: &Path, words: &[&str]) -> Result<()> {
    succeed(&mut with_browser(root, "bench", words)?)
}

/// The page, written where it is committed, and the types that an editor wants.
fn build(root: &Path) -> Result<()> {
    let ui = install(root)?;
    succeed(&mut npm_run(&ui, "types"))?;
    succeed(&mut npm_run(&ui, "build"))?;
    println!("ui: {}", dist::first_load(&ui.join("dist"))?.within_budget()?);
    Ok(())
}

/// Pictures of every screen. The first word names the folder, seen from where the command was given.
fn screenshots(root: &Path, words: &[&str]) -> Result<()> {
    let (folder, rest) = match words {
        [folder, rest @ ..] if !folder.starts_with('-') => {
            (std::path::absolute(folder).with_context(|| format!("cannot use {folder}"))?, rest)
        }
        rest => (scratch(root, "pictures")?, rest),
    };
    let folder_text = folder.to_string_lossy();
    let words: Vec<&str> = std::iter::once(&*folder_text).chain(rest.iter().copied()).collect();
    succeed(&mut with_browser(root, "screenshots", &words)?)?;
    println!("ui: pictures are in {}", folder.display());
    Ok(())
}

fn failed(counts: Counts) -> Result<()> {
    println!("ui: {} passed, {} failed", counts.passed, counts.failed);
    counts.failure().map_or(Ok(()), Err)
}

/// Installs the node packages unless that was done already, and gives the folder.
fn install(root: &Path) -> Result<PathBuf> {
    let ui = root.join("ui");
    let lock = ui.join("package-lock.json");
    let text = fs::read_to_string(&lock).with_context(|| format!("cannot read {}", lock.display()))?;
    if text.contains("\"resolved\"") {
        bail!("ui/package-lock.json names a registry; `npm install` in ui/ writes it without (see ui/.npmrc)");
    }
    let stamp = stamp(&ui)?;
    let stamp_file = ui.join("node_modules/.stamp");
    if fs::read_to_string(&stamp_file).is_ok_and(|present| present == stamp) {
        return Ok(ui);
    }
    let quiet = ["--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"];
    succeed(Command::new("npm").arg("ci").args(quiet).current_dir(&ui))?;
    fs::write(&stamp_file, stamp).with_context(|| format!("cannot write {}", stamp_file.display()))?;
    Ok(ui)
}

/// What the packages depend on; written last, so that an install that broke off is begun again.
fn stamp(ui: &Path) -> Result<String> {
    let said = Command::new("node").arg("--version").output();
    let said = said.context("`node` is needed for the web page; install Node 20.19 or later, with npm")?;
    let mut stamp = format!("{}\n{}", ui.display(), String::from_utf8_lossy(&said.stdout));
    for input in INPUTS {
        let path = ui.join(input);
        stamp += &fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    }
    Ok(stamp)
}

/// One of the scripts of `ui/package.json`. Without colours, so that its closing lines can be read.
fn npm_run(ui: &Path, script: &str) -> Command {
    let mut command = Command::new("npm");
    command.args(["run", "--silent", script]).current_dir(ui).env("NO_COLOR", "1").env_remove("FORCE_COLOR");
    command
}

/// A script that drives a browser, with the binary built before.
fn with_browser(root: &Path, script: &str, words: &[&str]) -> Result<Command> {
    let ui = install(root)?;
    let chromium = browser::chromium()?;
    succeed(cargo(root).args(["build", "--release", "--locked", "--package", "clew"]))?;
    let mut command = npm_run(&ui, script);
    command.env("CHROMIUM", chromium).env(BINARY, binary(root));
    if !words.is_empty() {
        command.arg("--").args(words);
    }
    Ok(command)
}

fn binary(root: &Path) -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    std::path::absolute(target).unwrap_or_else(|_| root.join("target")).join("release/clew")
}

/// An empty folder for what is made and looked at, and not kept.
fn scratch(root: &Path, name: &str) -> Result<PathBuf> {
    let folder = root.join("target/ui").join(name);
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("cannot empty {}", folder.display()))?;
    }
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    Ok(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lock_names_no_registry_and_the_settings_keep_it_so() {
        let ui = crate::root().join("ui");
        assert!(!fs::read_to_string(ui.join("package-lock.json")).unwrap().contains("\"resolved\""));
        let settings = fs::read_to_string(ui.join(".npmrc")).unwrap();
        assert!(settings.lines().any(|line| line == "omit-lockfile-registry-resolved=true"), "{settings}");
        assert!(!settings.contains("registry=h"), "{settings}");
    }

    #[test]
    fn versions_of_packages_are_exact() {
        let text = fs::read_to_string(crate::root().join("ui/package.json")).unwrap();
        let (_, pinned) = text.split_once("\"dependencies\"").unwrap();
        for range in ["\": \"^", "\": \"~", "\": \"*", "\": \">", "\": \"latest"] {
            assert!(!pinned.contains(range), "ui/package.json has a dependency that is not exact ({range})");
        }
    }

    #[test]
    fn words_that_are_no_command_are_refused() {
        let said = run(Path::new("/nowhere"), &["--chek"]).unwrap_err().to_string();
        assert!(said.contains("--check") && said.contains("--chek"), "{said}");
    }
}
