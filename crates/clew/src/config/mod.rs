//! Configuration: one table of settings, resolved and checked before anything opens.
//!
//! Owns the keys, their defaults and the order defaults < file (TOML) < `CLEW_*` < flags. Resolving is pure: texts in, a
//! [`Config`] or every error at once out. A key's environment variable and flag follow from its name:
//! `limits.request_bytes` is `CLEW_LIMITS_REQUEST_BYTES` and `--limits-request-bytes`.
//!
//! | Module | What it holds |
//! |---|---|
//! | `table` | the settings: key, type, default, bounds, meaning |
//! | `value` | the types of values and how they read and show |
//! | `layers` | file, environment and flags as raw values with their origins; unknown keys |
//! | `show` | the resolved configuration as TOML, and the reference page |
//! | `memory` | how much memory this process may use |

mod layers;
mod memory;
mod show;
mod table;
mod value;

use std::path::PathBuf;

pub(crate) use layers::{Inputs, Origin};
pub(crate) use show::{reference, resolved};
pub(crate) use table::{Config, SETTINGS};
pub(crate) use value::{LogFormat, SpaceShare, show_bytes, show_millis};

/// Something wrong with one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KeyError {
    /// The key as it was written.
    pub(crate) key: String,
    /// Where it was written.
    pub(crate) origin: Origin,
    /// What is wrong and what is expected.
    pub(crate) what: String,
}

/// Everything wrong with a configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.text())]
pub(crate) struct ConfigErrors(pub(crate) Vec<KeyError>);

impl ConfigErrors {
    fn text(&self) -> String {
        let lines = self.0.iter().map(|error| format!("\n  {}: {} ({})", error.key, error.what, error.origin));
        format!("the configuration is not usable:{}", lines.collect::<String>())
    }
}

/// The configuration file that was named cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{0:#}")]
pub(crate) struct UnreadableFile(anyhow::Error);

/// Reads the file that was named, the environment and the flags, and resolves them. Opens nothing else.
pub(crate) fn load(file: Option<&PathBuf>, flags: Vec<(&'static str, Vec<String>)>) -> anyhow::Result<Config> {
    let environment: Vec<_> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.to_string_lossy().into_owned())))
        .collect();
    let named = environment.iter().find(|(name, _)| name == "CLEW_CONFIG").map(|(_, path)| PathBuf::from(path));
    let file = file.cloned().or(named).map(|path| read(&path).map(|text| (path, text))).transpose();
    let file = file.map_err(UnreadableFile)?;
    Ok(Config::resolve(&Inputs { file, environment, flags })?)
}

/// A duration on a command line, such as `10s`.
pub(crate) fn read_duration(text: &str) -> Result<std::time::Duration, String> {
    value::read_millis(text).map(std::time::Duration::from_millis)
}

#[expect(clippy::disallowed_methods, reason = "the edge of the process: its own configuration file")]
fn read(path: &PathBuf) -> anyhow::Result<String> {
    use anyhow::Context as _;
    let bytes =
        std::fs::read(path).with_context(|| format!("cannot read the configuration file {}", path.display()))?;
    String::from_utf8(bytes).with_context(|| format!("the configuration file {} is not UTF-8", path.display()))
}

#[cfg(test)]
mod tests;
