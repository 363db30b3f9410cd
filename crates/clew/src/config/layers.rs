//! File, environment and flags as raw values with their origins.

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

use super::KeyError;
use super::table::{SETTINGS, Setting};
use super::value::Raw;

/// Where a value was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Nowhere.
    Default,
    /// In the file, at that line.
    File(PathBuf, usize),
    /// In that environment variable.
    Environment(String),
    /// In that flag.
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path, line) => write!(f, "{} line {line}", path.display()),
            Self::Environment(name) => write!(f, "environment {name}"),
            Self::Flag(flag) => write!(f, "flag --{flag}"),
        }
    }
}

/// All that was written.
#[derive(Debug, Clone, Default)]
pub(crate) struct Inputs {
    /// The file's path and text.
    pub(crate) file: Option<(PathBuf, String)>,
    /// All environment variables; those of others are passed over.
    pub(crate) environment: Vec<(String, String)>,
    /// Keys that were given as flags, with their values.
    pub(crate) flags: Vec<(&'static str, Vec<String>)>,
}

/// For each key, the strongest value that was written.
#[derive(Debug, Default)]
pub(super) struct Layers {
    values: HashMap<&'static str, (Raw, Origin)>,
}

impl Layers {
    /// Collects the layers, weakest first, and what is wrong with their keys.
    pub(super) fn collect(inputs: &Inputs) -> (Self, Vec<KeyError>) {
        let (mut layers, mut errors) = (Self::default(), Vec::new());
        if let Some((path, text)) = &inputs.file {
            layers.add_file(path, text, &mut errors);
        }
        layers.add_environment(&inputs.environment, &mut errors);
        for (key, values) in &inputs.flags {
            let flag = Setting::of(key).and_then(Setting::flag).unwrap_or_default();
            let raw = if values.len() == 1 { Raw::Text(values[0].clone()) } else { Raw::List(values.clone()) };
            layers.values.insert(key, (raw, Origin::Flag(flag)));
        }
        (layers, errors)
    }

    pub(super) fn strongest(&self, key: &str) -> Option<&(Raw, Origin)> {
        self.values.get(key)
    }

    fn add_file(&mut self, path: &Path, text: &str, errors: &mut Vec<KeyError>) {
        let origin_at = |offset: usize| {
            let before = text.as_bytes().get(..offset).unwrap_or_default();
            Origin::File(path.to_owned(), before.split(|byte| *byte == b'\n').count())
        };
        let table = match DeTable::parse(text) {
            Ok(table) => table.into_inner(),
            Err(error) => {
                let origin = origin_at(error.span().map_or(0, |span| span.start));
                let what = format!("not TOML: {}", error.message());
                errors.push(KeyError { key: "file".to_owned(), origin, what });
                return;
            }
        };
        // Tables within tables wait here instead of recursing: the file's depth is its author's choice.
        let mut waiting = vec![(String::new(), table)];
        while let Some((prefix, table)) = waiting.pop() {
            for (name, value) in table {
                let origin = origin_at(name.span().start);
                let key = format!("{prefix}{}", name.get_ref());
                let is_section = SETTINGS.iter().any(|setting| setting.key.starts_with(&format!("{key}.")));
                match (Setting::of(&key), value.into_inner()) {
                    (Some(setting), value) => match raw(&value) {
                        Some(raw) => drop(self.values.insert(setting.key, (raw, origin))),
                        None => errors.push(KeyError { key, origin, what: format!("expected a {}", setting.kind) }),
                    },
                    (None, DeValue::Table(table)) if is_section => waiting.push((format!("{key}."), table)),
                    (None, _) => errors.push(unknown(key, origin, |setting| setting.key.to_owned())),
                }
            }
        }
    }

    fn add_environment(&mut self, environment: &[(String, String)], errors: &mut Vec<KeyError>) {
        for (name, value) in environment.iter().filter(|(name, _)| name.starts_with("CLEW_")) {
            let origin = Origin::Environment(name.clone());
            match SETTINGS.iter().find(|setting| setting.environment() == *name) {
                Some(setting) => drop(self.values.insert(setting.key, (Raw::Text(value.clone()), origin))),
                None if is_for_others(name) => {}
                None => errors.push(unknown(name.clone(), origin, Setting::environment)),
            }
        }
    }
}

/// Variables that are not settings: clew's own for other commands, and those that Kubernetes and Docker set in every
/// container beside a service called `clew`.
fn is_for_others(name: &str) -> bool {
    let linked = name.strip_prefix("CLEW_PORT").is_some_and(|rest| rest.is_empty() || rest.starts_with('_'));
    ["CLEW_CONFIG", "CLEW_SERVER", "CLEW_TOKEN"].contains(&name) || name.starts_with("CLEW_SERVICE_") || linked
}

fn unknown(key: String, origin: Origin, spelled: impl Fn(&Setting) -> String) -> KeyError {
    let nearest = SETTINGS
        .iter()
        .map(spelled)
        .max_by(|left, right| strsim::jaro_winkler(left, &key).total_cmp(&strsim::jaro_winkler(right, &key)));
    let what = format!("unknown; did you mean `{}`?", nearest.unwrap_or_default());
    KeyError { key, origin, what }
}

fn raw(value: &DeValue<'_>) -> Option<Raw> {
    match value {
        DeValue::Array(parts) => parts.iter().map(|part| scalar(part.get_ref())).collect::<Option<_>>().map(Raw::List),
        DeValue::Table(table) => {
            let pair = |(name, value): (&toml::Spanned<toml::de::DeString<'_>>, &toml::Spanned<DeValue<'_>>)| {
                Some((name.get_ref().to_string(), scalar(value.get_ref())?))
            };
            table.iter().map(pair).collect::<Option<_>>().map(Raw::Map)
        }
        other => scalar(other).map(Raw::Text),
    }
}

fn scalar(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix()).ok().map(|n| n.to_string()),
        DeValue::Float(number) => Some(number.to_string()),
        DeValue::Boolean(truth) => Some(truth.to_string()),
        DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => None,
    }
}
