//! A function is one screen: 70 lines from `fn` to its closing brace, tests aside.
//!
//! The ratchet: a function that really wants to be longer (a table, one long match) is listed in `LONG` with the
//! length that it has. It may shrink, and then its entry must follow; it may not grow, and no other may join unseen.

use super::rust::{block_end, is_test_file, test_lines};
use super::{Finding, Tree};

const LINES_MAX: usize = 70;

/// (file, function, lines): the functions that are longer on purpose.
const LONG: &[(&str, &str, usize)] = &[];

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    check_with(tree, LONG)
}

fn check_with(tree: &Tree, long: &[(&str, &str, usize)]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut met = Vec::new();
    for (path, text) in tree.ending(&["rs"]).filter(|(path, _)| !is_test_file(path)) {
        for function in functions(text).into_iter().filter(|function| function.lines > LINES_MAX) {
            let listed = long.iter().find(|(file, name, _)| *file == path && *name == function.name);
            met.extend(listed);
            match listed {
                Some((_, _, lines)) if *lines == function.lines => {}
                Some((_, name, lines)) => {
                    let message = format!(
                        "`{name}` has {} lines and its entry says {lines}: it may shrink (then lower the entry in \
                         xtask/src/tidy/functions.rs), not grow",
                        function.lines
                    );
                    findings.push(Finding::error(path, function.line, message));
                }
                None => {
                    let message = format!(
                        "`{}` has {} lines, more than {LINES_MAX}: name its steps and make them functions",
                        function.name, function.lines
                    );
                    findings.push(Finding::error(path, function.line, message));
                }
            }
        }
    }
    for (file, name, _) in long.iter().filter(|entry| !met.contains(entry)) {
        findings.push(Finding::error(file, 0, format!("has no long `{name}` any more: remove its entry")));
    }
    findings
}

struct Function {
    name: String,
    line: usize,
    lines: usize,
}

/// Functions with a body, outside of test modules.
fn functions(text: &str) -> Vec<Function> {
    let lines: Vec<&str> = text.lines().collect();
    let tests = test_lines(text);
    let mut functions = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        let Some(name) = function_name(line).filter(|_| !tests[index]) else { continue };
        if let Some(end) = block_end(&lines, index) {
            functions.push(Function { name: name.to_owned(), line: index + 1, lines: end - index + 1 });
        }
    }
    functions
}

/// The name after `fn` when nothing but qualifiers stands before it.
fn function_name(line: &str) -> Option<&str> {
    let mut rest = line.trim_start();
    loop {
        let (word, after) = rest.split_once(' ')?;
        match word {
            "fn" => return after.split(['(', '<']).next(),
            "pub" | "const" | "async" | "unsafe" | "extern" | "default" | "\"C\"" => rest = after,
            word if word.starts_with("pub(") => rest = after,
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn function(name: &str, lines: usize) -> String {
        format!("impl X {{\n    pub(crate) fn {name}<T>() {{\n{}    }}\n}}\n", "        x();\n".repeat(lines - 2))
    }

    #[track_caller]
    fn found(text: &str, long: &[(&str, &str, usize)]) -> Vec<String> {
        check_with(&Tree::of(&[("a.rs", text)]), long).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn seventy_lines_pass_and_seventy_one_fail() {
        assert_eq!(found(&function("f", 70), &[]).len(), 0);
        let said = found(&function("f", 71), &[]);
        assert_eq!(said.len(), 1);
        assert!(said[0].starts_with("error: a.rs:2: `f` has 71 lines"), "{said:?}");
    }

    #[test]
    fn a_listed_function_may_neither_grow_nor_shrink_unseen() {
        assert_eq!(found(&function("f", 90), &[("a.rs", "f", 90)]).len(), 0);
        assert!(found(&function("f", 91), &[("a.rs", "f", 90)])[0].contains("91 lines and its entry says 90"));
        assert!(found(&function("f", 80), &[("a.rs", "f", 90)])[0].contains("lower the entry"));
        assert!(found(&function("f", 60), &[("a.rs", "f", 90)])[0].contains("remove its entry"));
    }

    #[test]
    fn declarations_and_tests_have_no_length() {
        let body = "    x();\n".repeat(100);
        assert_eq!(found(&format!("trait T {{\n    fn f(&self);\n{body}}}\n"), &[]).len(), 0);
        assert_eq!(found(&format!("#[cfg(test)]\nmod tests {{\nfn f() {{\n{body}}}\n}}\n"), &[]).len(), 0);
        assert_eq!(check(&Tree::of(&[("crates/x/tests/a.rs", &format!("fn f() {{\n{body}}}\n"))])).len(), 0);
    }

    #[test]
    fn names_are_read_past_qualifiers() {
        assert_eq!(function_name("    pub(crate) const unsafe fn f<T>(x: T) {"), Some("f"));
        assert_eq!(function_name("async fn g() {"), Some("g"));
        assert_eq!(function_name("// a fn f() in words"), None);
        assert_eq!(function_name("let f: fn (u8) = g;"), None);
    }
}
