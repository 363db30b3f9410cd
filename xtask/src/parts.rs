//! Clients and servers that tests need and that are not of the workspace: OpenTelemetry for Python, Node, Java, Go and
//! Rust, and Prometheus. Tests with them ask nothing of the network.
//!
//! Versions are pinned by the files in `crates/clew/tests/clients/`. A part is installed again only when those files,
//! the tool that installs it or its folder have changed: its stamp, written last, holds all of them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::debian::apt_get;
use crate::{cargo, succeed};

const SOURCE: &str = "crates/clew/tests/clients";

struct Part {
    name: &'static str,
    /// The command that tells the version of the tool; what it says belongs to the stamp.
    version: [&'static str; 2],
    /// Files that pin what is installed, in the folder of the part.
    inputs: &'static [&'static str],
    install: fn(source: &Path, folder: &Path) -> Result<()>,
}

const NODE_INPUTS: &[&str] = &["package.json", "package-lock.json", ".npmrc"];
const GO_INPUTS: &[&str] = &["go.mod", "go.sum", "deps.go"];
const DEBIAN_INPUTS: &[&str] = &["packages.txt"];
const RUST_INPUTS: &[&str] = &["Cargo.toml", "Cargo.lock"];

const PARTS: &[Part] = &[
    Part { name: "python", version: ["python3", "--version"], inputs: &["requirements.txt"], install: python },
    Part { name: "node", version: ["node", "--version"], inputs: NODE_INPUTS, install: node },
    Part { name: "java", version: ["mvn", "--version"], inputs: &["pom.xml"], install: java },
    Part { name: "go", version: ["go", "version"], inputs: GO_INPUTS, install: go },
    Part { name: "rust", version: ["rustc", "--version"], inputs: RUST_INPUTS, install: rust },
    Part { name: "prometheus", version: ["dpkg", "--version"], inputs: DEBIAN_INPUTS, install: debian },
];

/// Installs what is missing and returns the folder of the parts.
pub(crate) fn install(root: &Path) -> Result<PathBuf> {
    let parts = folder(root)?;
    for part in PARTS {
        let source = root.join(SOURCE).join(part.name);
        let folder = parts.join(part.name);
        let stamp = stamp(part, &source, &folder)?;
        let stamp_file = folder.join(".stamp");
        if fs::read_to_string(&stamp_file).is_ok_and(|present| present == stamp) {
            println!("parts: {} is there", part.name);
            continue;
        }
        println!("parts: installing {} into {}", part.name, folder.display());
        if folder.exists() {
            fs::remove_dir_all(&folder).with_context(|| format!("cannot replace {}", folder.display()))?;
        }
        fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
        (part.install)(&source, &folder).with_context(|| format!("cannot install the part `{}`", part.name))?;
        fs::write(&stamp_file, stamp).with_context(|| format!("cannot write {}", stamp_file.display()))?;
    }
    Ok(parts)
}

/// `$XTASK_PARTS`, else `.parts` in the repository; always absolute, since tests run elsewhere. (The variable is not
/// called `CLEW_...`, since the servers that tests start refuse such variables that are no setting of theirs.)
fn folder(root: &Path) -> Result<PathBuf> {
    let named = std::env::var_os("XTASK_PARTS").filter(|value| !value.is_empty());
    let folder = named.map_or_else(|| root.join(".parts"), PathBuf::from);
    std::path::absolute(&folder).with_context(|| format!("cannot use {} for parts", folder.display()))
}

fn stamp(part: &Part, source: &Path, folder: &Path) -> Result<String> {
    let mut stamp = format!("{}\n{}", folder.display(), version(part.version)?);
    for input in part.inputs {
        let path = source.join(input);
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        stamp.push_str(&text);
    }
    Ok(stamp)
}

fn version([tool, ask]: [&str; 2]) -> Result<String> {
    let said = Command::new(tool).arg(ask).output();
    let said = said.with_context(|| format!("`{tool}` is needed by the tests with real clients; is it installed?"))?;
    if !said.status.success() {
        bail!("`{tool} {ask}` failed ({})", said.status);
    }
    Ok(String::from_utf8_lossy(&said.stdout).into_owned())
}

fn python(source: &Path, folder: &Path) -> Result<()> {
    succeed(Command::new("python3").args(["-m", "venv"]).arg(folder))?;
    // Everything is pinned, also what the packages need, so nothing is left to resolve.
    let mut pip = Command::new(folder.join("bin/python"));
    pip.args(["-m", "pip", "install", "--quiet", "--no-deps", "--disable-pip-version-check", "--requirement"]);
    succeed(pip.arg(source.join("requirements.txt")))
}

fn node(source: &Path, folder: &Path) -> Result<()> {
    copy(NODE_INPUTS, source, folder)?;
    let quiet = ["--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"];
    succeed(Command::new("npm").arg("ci").args(quiet).current_dir(folder))
}

fn java(source: &Path, folder: &Path) -> Result<()> {
    let mut mvn = Command::new("mvn");
    mvn.args(["--quiet", "--batch-mode", "--file"]).arg(source.join("pom.xml")).arg("dependency:copy-dependencies");
    succeed(mvn.arg("-Dmdep.stripVersion=true").arg(format!("-DoutputDirectory={}", folder.display())))
}

/// The modules that go.sum knows, and what they compile to. The caches are the part's own, so that its stamp speaks of
/// what is there.
fn go(source: &Path, folder: &Path) -> Result<()> {
    copy(GO_INPUTS, source, folder)?;
    let mut go = Command::new("go");
    go.args(["build", "-mod=readonly", "-modcacherw", "./..."]).current_dir(folder);
    succeed(go.env("GOMODCACHE", folder.join("modules")).env("GOCACHE", folder.join("cache")))
}

/// All that the application of the guide depends on, compiled; the application is left to the tests.
fn rust(source: &Path, folder: &Path) -> Result<()> {
    copy(RUST_INPUTS, source, folder)?;
    fs::create_dir(folder.join("src")).context("cannot create src")?;
    fs::write(folder.join("src/lib.rs"), "").context("cannot write src/lib.rs")?;
    let mut cargo = cargo(folder);
    cargo.env("CARGO_TARGET_DIR", folder.join("target"));
    succeed(cargo.args(["build", "--quiet", "--locked"]))
}

/// Packages of Debian, unpacked into the folder: nothing is installed, and no service starts. Their versions are those of the
/// machine's Debian.
fn debian(source: &Path, folder: &Path) -> Result<()> {
    let listed = fs::read_to_string(source.join("packages.txt")).context("cannot read packages.txt")?;
    let names: Vec<&str> = listed.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    let download = || succeed(Command::new("apt-get").args(["--quiet", "download"]).args(&names).current_dir(folder));
    if download().is_err() {
        // A fresh machine may have no list of packages yet.
        succeed(apt_get().arg("update"))?;
        download()?;
    }
    for entry in fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let package = entry?.path();
        if package.extension().is_some_and(|ending| ending == "deb") {
            succeed(Command::new("dpkg").arg("-x").arg(&package).arg(folder))?;
            fs::remove_file(&package).with_context(|| format!("cannot remove {}", package.display()))?;
        }
    }
    Ok(())
}

fn copy(names: &[&str], source: &Path, folder: &Path) -> Result<()> {
    for name in names {
        fs::copy(source.join(name), folder.join(name)).with_context(|| format!("cannot copy {name}"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_has_its_pinned_inputs() {
        for part in PARTS {
            for input in part.inputs {
                let path = crate::root().join(SOURCE).join(part.name).join(input);
                assert!(path.is_file(), "{} is missing", path.display());
            }
        }
    }

    #[test]
    fn python_pins_are_exact() {
        let path = crate::root().join(SOURCE).join("python/requirements.txt");
        let text = fs::read_to_string(path).unwrap();
        for line in text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
            assert!(line.contains("=="), "`{line}` is not an exact version");
        }
    }

    #[test]
    fn the_node_lock_names_no_registry() {
        let path = crate::root().join(SOURCE).join("node/package-lock.json");
        assert!(!fs::read_to_string(path).unwrap().contains("\"resolved\""));
    }
}
