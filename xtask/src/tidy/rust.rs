//! What tidy needs to know of Rust, read from the layout that rustfmt guarantees: a block ends where a line with the
//! indentation of its first line closes it.

/// Whether the whole file is test code.
pub(super) fn is_test_file(path: &str) -> bool {
    let parts = || path.split('/');
    parts().any(|part| part == "tests" || part == "benches") || path.ends_with("/tests.rs")
}

/// For each line, whether it belongs to a `#[cfg(test)]` module.
pub(super) fn test_lines(text: &str) -> Vec<bool> {
    let lines: Vec<&str> = text.lines().collect();
    let mut marks = vec![false; lines.len()];
    let mut index = 0;
    while index < lines.len() {
        if lines[index].trim() == "#[cfg(test)]" {
            let end = item_end(&lines, index + 1);
            marks[index..=end].fill(true);
            index = end;
        }
        index += 1;
    }
    marks
}

/// The last line of the item that begins at `first`, past its attributes.
fn item_end(lines: &[&str], first: usize) -> usize {
    let mut start = first;
    while start < lines.len() && lines[start].trim_start().starts_with("#[") {
        start += 1;
    }
    block_end(lines, start).unwrap_or_else(|| start.min(lines.len() - 1))
}

/// The line that closes the block opened by the item at `start`; none for an item without a body (`mod x;`).
pub(super) fn block_end(lines: &[&str], start: usize) -> Option<usize> {
    let first = lines.get(start)?;
    let indent = indentation(first);
    if first.ends_with('}') {
        return Some(start);
    }
    if first.ends_with(';') {
        return None;
    }
    let mut opened = first.ends_with('{');
    for (offset, line) in lines[start + 1..].iter().enumerate() {
        if indentation(line) != indent {
            continue;
        }
        if opened && line.trim_start().starts_with('}') {
            return Some(start + 1 + offset);
        }
        if !opened && line.ends_with(';') {
            return None;
        }
        opened = opened || line.ends_with('{');
    }
    None
}

fn indentation(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn test_files_are_known_by_place_and_name() {
        assert!(is_test_file("crates/clew/tests/sdk.rs") && is_test_file("crates/x/src/log/tests.rs"));
        assert!(is_test_file("crates/clew/benches/ingest.rs"));
        assert!(!is_test_file("crates/clew/src/contests.rs") && !is_test_file("crates/x/src/lib.rs"));
    }

    #[test]
    fn a_block_ends_at_its_own_indentation_and_a_declaration_has_none() {
        let end = |text: &str| block_end(&text.lines().collect::<Vec<_>>(), 0);
        assert_eq!(end("fn f(\n    a: A,\n) -> B\nwhere\n    A: C,\n{\n    if a {\n    }\n}\n"), Some(8));
        assert_eq!(end("fn f() {\n    g(\"\\\na;\n\");\n\n}\n"), Some(5));
        assert_eq!(end("fn f(\n    a: A,\n) -> B;\nfn g() {\n}\n"), None);
        assert_eq!(end("fn f() {}\n"), Some(0));
    }

    #[test]
    fn test_modules_are_marked_with_all_that_they_hold() {
        let text = "fn a() {}\n#[cfg(test)]\n#[path = \"x.rs\"]\nmod tests {\n    fn b() {\n    }\n}\nfn c() {}\n";
        let marks = test_lines(text);
        assert_eq!(marks, [false, true, true, true, true, true, true, false]);
        assert_eq!(test_lines("#[cfg(test)]\nmod tests;\nfn c() {}\n"), [true, true, false]);
        assert_eq!(test_lines("#[cfg(test)]"), [true]);
    }
}
