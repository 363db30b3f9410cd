//! Each crate introduces itself: a description, a README that is its crate doc, and the lints of the workspace.

use super::{Finding, Tree};

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (folder, text) in tree.manifests() {
        let path = format!("{folder}/Cargo.toml");
        // A manifest that does not parse is reported by the rule on arrows.
        let Ok(manifest) = text.parse::<toml::Table>() else { continue };
        if manifest.get("lints").and_then(|lints| lints.get("workspace")) != Some(&toml::Value::Boolean(true)) {
            findings.push(Finding::error(&path, 0, "lacks `[lints] workspace = true`"));
        }
        let description = manifest.get("package").and_then(|package| package.get("description"));
        if description.and_then(toml::Value::as_str).is_none_or(|words| words.trim().is_empty()) {
            findings.push(Finding::error(&path, 0, "lacks a description: one line on what the crate is"));
        }
        findings.extend(readme(tree, folder));
    }
    findings
}

fn readme(tree: &Tree, folder: &str) -> Option<Finding> {
    let path = format!("{folder}/README.md");
    let Some(text) = tree.text(&path) else {
        return Some(Finding::error(&path, 0, "is missing: a crate says what it owns and what it does not do"));
    };
    if text.lines().filter(|line| !line.trim().is_empty()).count() < 2 {
        return Some(Finding::error(&path, 0, "has only a title: say what the crate owns and what it does not do"));
    }
    let library = format!("{folder}/src/lib.rs");
    let source = tree.text(&library)?;
    (!source.contains("#![doc = include_str!(\"../README.md\")]"))
        .then(|| Finding::error(&library, 0, "must take README.md as its crate doc, so that there is one text"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "[package]\ndescription = \"x\"\n[lints]\nworkspace = true\n";
    const DOC: &str = "#![doc = include_str!(\"../README.md\")]\n";

    #[track_caller]
    fn found(files: &[(&str, &str)]) -> Vec<String> {
        check(&Tree::of(files)).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_good_crate_passes() {
        let files = [
            ("crates/clew/Cargo.toml", GOOD),
            ("crates/clew/README.md", "# clew\n\nWords.\n"),
            ("crates/clew/src/lib.rs", DOC),
        ];
        assert_eq!(found(&files), [""; 0]);
    }

    #[test]
    fn each_lack_is_named() {
        let said = found(&[("xtask/Cargo.toml", "[package]\ndescription = \" \"\n[lints]\nworkspace = false\n")]);
        assert_eq!(said.len(), 3);
        assert!(said[0].contains("[lints]") && said[1].contains("description") && said[2].contains("missing"));
    }

    #[test]
    fn a_bare_title_or_a_second_crate_doc_is_not_enough() {
        let bare = found(&[("xtask/Cargo.toml", GOOD), ("xtask/README.md", "# xtask\n\n")]);
        assert!(bare[0].contains("only a title"), "{bare:?}");
        let twice = found(&[
            ("crates/clew/Cargo.toml", GOOD),
            ("crates/clew/README.md", "# clew\nWords.\n"),
            ("crates/clew/src/lib.rs", "//! Other words.\n"),
        ]);
        assert!(twice[0].contains("src/lib.rs"), "{twice:?}");
    }
}
