//! Words that code must not hold: names that say nothing, and promises to do it later.

use super::{Finding, Tree};

const CODE_ENDINGS: &[&str] = &["go", "java", "js", "mjs", "py", "rs", "sh", "ts", "tsx"];

/// Modules and crates with these names collect what has no home.
const EMPTY_NAMES: &[&str] = &["common", "core", "helper", "helpers", "misc", "util", "utils"];

/// Split, so that this file passes its own rule.
const LATER: &[&str] = &[concat!("TO", "DO"), concat!("FIX", "ME")];
const UNDONE: &[(&str, &str)] = &[
    (concat!("#[ig", "nore"), "a test that is not run proves nothing: make it pass or delete it"),
    (concat!("to", "do!("), "code that is merged works"),
    (concat!("unimple", "mented!("), "code that is merged works"),
];

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.ending(CODE_ENDINGS) {
        findings.extend(empty_name(path));
        for (index, line) in text.lines().enumerate() {
            findings.extend(said(path, index + 1, line));
        }
    }
    findings
}

fn empty_name(path: &str) -> Option<Finding> {
    let stem = path.rsplit_once('.').map_or(path, |(stem, _)| stem);
    let name = stem.split('/').find(|part| {
        let part = part.strip_prefix("clew-").unwrap_or(part);
        EMPTY_NAMES.contains(&part)
    })?;
    Some(Finding::error(path, 0, format!("`{name}` says nothing: name it after what it holds")))
}

fn said(path: &str, line: usize, text: &str) -> Option<Finding> {
    if let Some((word, why)) = UNDONE.iter().find(|(word, _)| text.contains(word)) {
        return Some(Finding::error(path, line, format!("`{word}`: {why}")));
    }
    if let Some(name) = inline_module(text).filter(|name| EMPTY_NAMES.contains(name)) {
        return Some(Finding::error(path, line, format!("`{name}` says nothing: name it after what it holds")));
    }
    let word = LATER.iter().find(|word| has_word(text, word))?;
    (!has_issue(text))
        .then(|| Finding::error(path, line, format!("`{word}` needs the issue that will do it: `{word}(#12): ...`")))
}

fn inline_module(text: &str) -> Option<&str> {
    text.trim_end().strip_suffix(" {")?.trim_start().rsplit_once("mod ").map(|(_, name)| name)
}

fn has_word(text: &str, word: &str) -> bool {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').any(|part| part == word)
}

fn has_issue(text: &str) -> bool {
    let number = |(at, _): (usize, &str)| text[at + 1..].starts_with(|c: char| c.is_ascii_digit());
    text.match_indices('#').any(number) || text.contains("://")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn found(path: &str, text: &str) -> Vec<String> {
        check(&Tree::of(&[(path, text)])).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn names_that_say_nothing_are_refused_as_file_folder_crate_and_module() {
        for path in ["a/src/util.rs", "crates/clew-core/src/lib.rs", "ui/src/helpers/x.ts"] {
            assert!(found(path, "")[0].contains("says nothing"), "{path}");
        }
        assert!(found("a.rs", "pub(crate) mod common {\n")[0].contains("says nothing"));
        assert_eq!(found("crates/clew/src/scores.rs", "use core::fmt;\nmod scoring {\n").len(), 0);
    }

    #[test]
    fn promises_need_an_issue() {
        let promise = LATER[0];
        assert_eq!(found("a.rs", &format!("// {promise}: later\n")).len(), 1);
        assert_eq!(found("a.py", &format!("# {promise} later\n")).len(), 1);
        assert_eq!(found("a.rs", &format!("// {promise}(#12): later\n// the {promise}S list\n")).len(), 0);
    }

    #[test]
    fn undone_code_and_tests_are_refused() {
        for (word, _) in UNDONE {
            assert_eq!(found("a.rs", &format!("    {word}\n")).len(), 1, "{word}");
        }
        assert_eq!(found("a.md", &format!("we refuse `{}`\n", UNDONE[1].0)).len(), 0);
    }
}
