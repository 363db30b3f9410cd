//! Links in Markdown lead somewhere: to a file or folder of the repository, and to a heading in it.

use std::collections::HashMap;

use super::{Finding, Tree};

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.ending(&["md"]) {
        for (line, target) in targets(text) {
            if let Some(message) = broken(tree, path, &target) {
                findings.push(Finding::error(path, line, message));
            }
        }
    }
    findings
}

/// Why this link leads nowhere. Links that leave the repository are taken on trust.
fn broken(tree: &Tree, from: &str, target: &str) -> Option<String> {
    if target.contains("://") || target.starts_with("mailto:") {
        return None;
    }
    let (file, anchor) = target.split_once('#').map_or((target, None), |(file, anchor)| (file, Some(anchor)));
    let path = if file.is_empty() { Some(from.to_owned()) } else { resolve(from, file) };
    let Some(path) = path.filter(|path| tree.has(path)) else {
        return Some(format!("link to `{target}`: there is no such file"));
    };
    let anchor = anchor?;
    let text = tree.markdown(&path)?;
    (!anchors(text).iter().any(|known| known == anchor))
        .then(|| format!("link to `{target}`: `{path}` has no such heading"))
}

/// `relative`, seen from the folder of `from`; none when it leaves the repository.
fn resolve(from: &str, relative: &str) -> Option<String> {
    let mut parts: Vec<&str> = if relative.starts_with('/') { Vec::new() } else { from.split('/').collect() };
    parts.pop();
    for part in relative.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// Targets of `[text](target)`, `![text](target)` and `[name]: target`, with their lines, outside of code.
fn targets(text: &str) -> Vec<(usize, String)> {
    let mut targets = Vec::new();
    for (number, line) in prose(text) {
        let line = without_code(line);
        if let Some((_, target)) = line.strip_prefix('[').and_then(|rest| rest.split_once("]: ")) {
            targets.push((number, first_word(target)));
        }
        for (at, _) in line.match_indices("](") {
            let rest = &line[at + 2..];
            if let Some(end) = rest.find(')') {
                targets.push((number, first_word(&rest[..end])));
            }
        }
    }
    targets
}

/// A target may be followed by a title, and may stand in angle brackets.
fn first_word(target: &str) -> String {
    let word = target.split_whitespace().next().unwrap_or("");
    word.trim_start_matches('<').trim_end_matches('>').to_owned()
}

/// Lines outside of fenced blocks, counted from 1.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fence: Option<&str> = None;
    text.lines().enumerate().filter_map(move |(index, line)| {
        let start = line.trim_start();
        let mark = ["```", "~~~"].into_iter().find(|mark| start.starts_with(mark));
        match (fence, mark) {
            (None, Some(mark)) => fence = Some(mark),
            (Some(open), Some(mark)) if open == mark => fence = None,
            (None, None) => return Some((index + 1, line)),
            _ => {}
        }
        None
    })
}

/// The line with what stands between backticks taken out.
fn without_code(line: &str) -> String {
    let parts: Vec<&str> = line.split('`').collect();
    if parts.len().is_multiple_of(2) {
        return line.to_owned();
    }
    parts.into_iter().step_by(2).collect()
}

/// The anchors that GitHub gives to headings: lower case, spaces become hyphens, punctuation goes, repeats are numbered.
fn anchors(text: &str) -> Vec<String> {
    let mut seen: HashMap<String, usize> = HashMap::new();
    let mut anchors = Vec::new();
    for (_, line) in prose(text) {
        let title = line.trim_start_matches('#');
        let level = line.len() - title.len();
        if !(1..=6).contains(&level) || !title.starts_with(' ') {
            continue;
        }
        let slug = slug(title);
        let count = seen.entry(slug.clone()).or_default();
        anchors.push(if *count == 0 { slug } else { format!("{slug}-{count}") });
        *count += 1;
    }
    anchors
}

fn slug(title: &str) -> String {
    let kept = title.trim().chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    kept.map(|c| if c == ' ' { '-' } else { c.to_ascii_lowercase() }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const OTHER: (&str, &str) = ("docs/b.md", "# One, two: `three`\n\n## Again\n## Again\n```\n# not a heading\n```\n");

    #[track_caller]
    fn found(text: &str) -> Vec<String> {
        let tree = Tree::of(&[("docs/a.md", text), OTHER, ("src/lib.rs", ""), ("README.md", "")]);
        check(&tree).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn good_links_pass() {
        let text = "# Here\n[b](b.md) [c](../src/lib.rs) [d](../src) ![e](/README.md \"title\") [f](#here)\n\
                    [g](b.md#one-two-three) [h](b.md#again-1) [i](https://example.org/x.md)\n[j]: <../README.md>\n";
        assert_eq!(found(text), [""; 0]);
    }

    #[test]
    fn dead_links_are_all_named_with_their_lines() {
        let said = found("[a](gone.md)\n[b](b.md#gone) and [c](#gone)\n[d]: ../../x.md\n");
        assert_eq!(said.len(), 4);
        assert_eq!(said[0], "error: docs/a.md:1: link to `gone.md`: there is no such file");
        assert_eq!(said[1], "error: docs/a.md:2: link to `b.md#gone`: `docs/b.md` has no such heading");
        assert!(said[2].contains("#gone") && said[3].contains("no such file"), "{said:?}");
    }

    #[test]
    fn code_holds_no_links() {
        assert_eq!(found("`[a](gone.md)`\n```rust\n[b](gone.md)\n```\n~~~\n[c](gone.md)\n```\n~~~\n"), [""; 0]);
        assert_eq!(found("```\n```\n[b](gone.md)\n").len(), 1);
    }
}
