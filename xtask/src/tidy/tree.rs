//! The repository as paths and texts.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

/// Folders that hold results of tools, by name, wherever they lie. (`clew-data` is what a server leaves behind; `.git` of a
/// second work tree is a file.)
const SKIPPED: &[&str] = &[
    ".git",
    "generated",
    ".parts",
    "clew-data",
    "dist",
    "node_modules",
    "playwright-report",
    "target",
    "test-results",
    "__pycache__",
];

/// Endings of files that are read as text; of all others only the name is known.
const TEXT_ENDINGS: &[&str] = &[
    "css", "go", "html", "java", "js", "json", "md", "mjs", "py", "rs", "sh", "svg", "toml", "ts", "tsx", "txt", "xml",
    "yml",
];

/// Paths relative to the repository, with `/`, in order; a file that is not text has an empty one.
pub(crate) struct Tree {
    files: BTreeMap<String, String>,
}

impl Tree {
    pub(crate) fn load(root: &Path) -> Result<Self> {
        let mut files = BTreeMap::new();
        let mut folders = vec![root.to_path_buf()];
        while let Some(folder) = folders.pop() {
            let entries = fs::read_dir(&folder).with_context(|| format!("cannot list {}", folder.display()))?;
            for entry in entries {
                let entry = entry?;
                let name = entry.file_name().to_string_lossy().into_owned();
                if SKIPPED.contains(&name.as_str()) {
                    continue;
                }
                if entry.file_type()?.is_dir() {
                    folders.push(entry.path());
                    continue;
                }
                let path = entry.path();
                let relative = path.strip_prefix(root)?.to_string_lossy().replace('\\', "/");
                let text = if is_text(&relative) { read(&path)? } else { String::new() };
                files.insert(relative, text);
            }
        }
        Ok(Self { files })
    }

    #[cfg(test)]
    pub(crate) fn of(files: &[(&str, &str)]) -> Self {
        Self { files: files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect() }
    }

    pub(crate) fn len(&self) -> usize {
        self.files.len()
    }

    pub(crate) fn text(&self, path: &str) -> Option<&str> {
        self.files.get(path).map(String::as_str)
    }

    /// The text of a Markdown file.
    pub(crate) fn markdown(&self, path: &str) -> Option<&str> {
        self.text(path).filter(|_| has_ending(path, &["md"]))
    }

    /// Whether a file or a folder has this path.
    pub(crate) fn has(&self, path: &str) -> bool {
        if path.is_empty() || self.files.contains_key(path) {
            return true;
        }
        let folder = format!("{path}/");
        self.files.range(folder.clone()..).next().is_some_and(|(next, _)| next.starts_with(&folder))
    }

    pub(crate) fn files(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files.iter().map(|(path, text)| (path.as_str(), text.as_str()))
    }

    /// Files whose name ends with one of `endings` (without the dot).
    pub(crate) fn ending(&self, endings: &[&str]) -> impl Iterator<Item = (&str, &str)> {
        self.files().filter(move |(path, _)| has_ending(path, endings))
    }

    /// Manifests of the crates of the workspace, with the folder of each.
    pub(crate) fn manifests(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files().filter_map(|(path, text)| {
            let folder = path.strip_suffix("/Cargo.toml")?;
            (folder == "xtask" || folder.strip_prefix("crates/").is_some_and(|name| !name.contains('/')))
                .then_some((folder, text))
        })
    }
}

/// Text beyond the known endings: what CI runs.
fn is_text(path: &str) -> bool {
    has_ending(path, TEXT_ENDINGS) || path.starts_with(".ci/")
}

fn has_ending(path: &str, endings: &[&str]) -> bool {
    path.rsplit_once('.').is_some_and(|(_, ending)| endings.contains(&ending))
}

/// Bytes that are not UTF-8 become U+FFFD, which the rule on ASCII then reports.
fn read(path: &Path) -> Result<String> {
    let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_files_and_folders() {
        let tree = Tree::of(&[("docs/a.md", ""), ("docs-more/b.md", ""), ("crates/x/Cargo.toml", "")]);
        assert!(tree.has("docs/a.md") && tree.has("docs") && tree.has("docs-more"));
        assert!(!tree.has("doc") && !tree.has("docs/a") && !tree.has("docs/b.md"));
        assert_eq!(tree.manifests().map(|(folder, _)| folder).collect::<Vec<_>>(), ["crates/x"]);
    }

    #[test]
    fn the_repository_loads_and_holds_this_file() {
        let tree = Tree::load(&crate::root()).unwrap();
        assert!(tree.text("xtask/src/tidy/tree.rs").unwrap().contains("the_repository_loads"));
        assert!(!tree.has("target") && !tree.has(".git"));
        assert!(!tree.has("ui/node_modules") && !tree.has("ui/dist"));
    }
}
