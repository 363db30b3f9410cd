//! Texts are ASCII, so that what a reviewer sees is what a compiler reads, and name no folder of one machine.

use super::{Finding, Tree};

const ASCII_ENDINGS: &[&str] =
    &["css", "go", "html", "java", "js", "md", "mjs", "py", "rs", "sh", "svg", "toml", "ts", "tsx"];

/// Absolute folders that exist on somebody's machine only.
const MACHINE_PATHS: &[&str] = &[concat!("/wo", "rk/"), concat!("/fa", "rm/"), concat!("/ro", "ot/")];

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let ascii = tree.ending(ASCII_ENDINGS).filter_map(|(path, text)| first_beyond_ascii(path, text));
    let machine = tree.files().flat_map(|(path, text)| machine_paths(path, text));
    ascii.chain(machine).collect()
}

fn first_beyond_ascii(path: &str, text: &str) -> Option<Finding> {
    let (index, line) = text.lines().enumerate().find(|(_, line)| !line.is_ascii())?;
    let (column, found) = line.chars().enumerate().find(|(_, found)| !found.is_ascii())?;
    let message = format!("is not ASCII: U+{:04X} in column {}; write an escape", u32::from(found), column + 1);
    Some(Finding::error(path, index + 1, message))
}

fn machine_paths(path: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (index, line) in text.lines().enumerate() {
        for prefix in MACHINE_PATHS.iter().filter(|prefix| starts_a_path(line, prefix)) {
            findings.push(Finding::error(path, index + 1, format!("names a folder of one machine (`{prefix}`)")));
        }
    }
    findings
}

/// Whether `prefix` stands at the start of a path, rather than inside a URL or a longer one.
fn starts_a_path(line: &str, prefix: &str) -> bool {
    line.match_indices(prefix).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        before.is_none_or(|before| !before.is_ascii_alphanumeric() && !"._-}".contains(before))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn found(path: &str, text: &str) -> Vec<String> {
        check(&Tree::of(&[(path, text)])).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_first_character_beyond_ascii_is_named() {
        let said = found("a.md", "plain\nna\u{ef}ve\n");
        assert_eq!(said, ["error: a.md:2: is not ASCII: U+00EF in column 3; write an escape"]);
        for name in ["ui/src/a.tsx", "ui/src/b.css", "ui/index.html", "ui/public/icon.svg"] {
            assert_eq!(found(name, "na\u{ef}ve\n").len(), 1, "{name}");
        }
        assert_eq!(found("a.json", "\"\u{ef}\"").len(), 0);
    }

    #[test]
    fn folders_of_one_machine_are_found_and_urls_are_not() {
        let folder = concat!("/wo", "rk/main");
        assert_eq!(found("a.rs", &format!("// see {folder}\n")).len(), 1);
        assert_eq!(found("a.json", &format!("\"{folder}\"\n")).len(), 1);
        assert_eq!(found("a.md", &format!("https://example.org{folder} and ./x{folder}\n")).len(), 0);
    }
}
