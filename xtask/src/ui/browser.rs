//! The browser that tests drive: Debian's Chromium, or the one that `CHROMIUM` names.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::debian::apt_get;
use crate::succeed;

const INSTALL: &[&str] = &["install", "-y", "--no-install-recommends", "chromium"];

/// Where Chromium is; installs it when it is nowhere.
pub(super) fn chromium() -> Result<PathBuf> {
    if let Some(named) = std::env::var_os("CHROMIUM").filter(|value| !value.is_empty()) {
        let path = PathBuf::from(named);
        if !path.is_file() {
            bail!("CHROMIUM names {}, which is not there", path.display());
        }
        return Ok(path);
    }
    if let Some(path) = in_path("chromium") {
        return Ok(path);
    }
    println!("ui: installing chromium");
    install().context(
        "the tests of the web page need Chromium: install Debian's package `chromium`, or name a browser with CHROMIUM=PATH",
    )?;
    in_path("chromium").context("the package `chromium` was installed and put no `chromium` into the PATH")
}

fn install() -> Result<()> {
    if succeed(apt_get().args(INSTALL)).is_ok() {
        return Ok(());
    }
    // A fresh machine may have no list of packages yet.
    succeed(apt_get().arg("update"))?;
    succeed(apt_get().args(INSTALL))
}

fn in_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    find(name, std::env::split_paths(&path))
}

fn find(name: &str, mut folders: impl Iterator<Item = PathBuf>) -> Option<PathBuf> {
    folders.find_map(|folder| Some(folder.join(name)).filter(|path: &PathBuf| Path::is_file(path)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_found_where_it_is() {
        let xtask = crate::root().join("xtask");
        let folders = || [PathBuf::from("/no/such/folder"), xtask.clone()].into_iter();
        assert_eq!(find("Cargo.toml", folders()), Some(xtask.join("Cargo.toml")));
        assert_eq!(find("src", folders()), None, "a folder is no program");
    }
}
