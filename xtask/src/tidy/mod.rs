//! House rules that a compiler does not know, checked over an in-memory tree of the repository.

mod arrows;
mod functions;
mod links;
mod manifests;
mod rust;
mod sizes;
mod text;
mod tree;
mod words;

use std::fmt;
use std::path::Path;

use anyhow::{Result, bail};

pub(crate) use tree::Tree;

/// One thing that a rule found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    path: String,
    /// Counted from 1; 0 speaks of the whole file.
    line: usize,
    weight: Weight,
    message: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Weight {
    /// Printed; `tidy` still passes.
    Warning,
    Error,
}

impl Finding {
    fn error(path: &str, line: usize, message: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, weight: Weight::Error, message: message.into() }
    }

    fn warning(path: &str, line: usize, message: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, weight: Weight::Warning, message: message.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let weight = match self.weight {
            Weight::Warning => "warning",
            Weight::Error => "error",
        };
        match self.line {
            0 => write!(f, "{weight}: {}: {}", self.path, self.message),
            line => write!(f, "{weight}: {}:{line}: {}", self.path, self.message),
        }
    }
}

/// A rule sees the whole tree and returns all that it finds.
type Rule = fn(&Tree) -> Vec<Finding>;

const RULES: &[Rule] =
    &[arrows::check, manifests::check, sizes::check, functions::check, text::check, words::check, links::check];

/// Runs every rule, prints every finding, fails when one of them is an error.
pub(crate) fn run(root: &Path) -> Result<()> {
    let tree = Tree::load(root)?;
    let findings = findings(&tree);
    for finding in &findings {
        println!("{finding}");
    }
    let errors = findings.iter().filter(|finding| finding.weight == Weight::Error).count();
    let warnings = findings.len() - errors;
    println!("tidy: {} files, {errors} errors, {warnings} warnings", tree.len());
    if errors > 0 {
        bail!("tidy found {errors} errors");
    }
    Ok(())
}

fn findings(tree: &Tree) -> Vec<Finding> {
    let mut all: Vec<Finding> = RULES.iter().flat_map(|rule| rule(tree)).collect();
    all.sort_by(|a, b| (&a.path, a.line).cmp(&(&b.path, b.line)));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_finding_of_every_rule_is_reported_in_the_order_of_files() {
        let long = "// x\n".repeat(900);
        let tree = Tree::of(&[
            ("crates/clew-model/src/util.rs", "fn f() {} // \u{e9}\n"),
            ("crates/clew-model/src/b.rs", &long),
            ("README.md", "[gone](gone.md)\n"),
        ]);
        let said: Vec<String> = findings(&tree).iter().map(ToString::to_string).collect();
        assert_eq!(said.len(), 4, "{said:#?}");
        assert!(said[0].starts_with("error: README.md:1: "), "{said:#?}");
        assert!(said[1].starts_with("error: crates/clew-model/src/b.rs: "), "{said:#?}");
        assert!(said[2].contains("`util`") && said[3].contains("ASCII"), "{said:#?}");
    }
}
