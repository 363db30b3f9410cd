//! A file is a thing a reader can hold: 500 lines apart from tests are worth a warning, 800 in all are too many.

use super::rust::{is_test_file, test_lines};
use super::{Finding, Tree};

const SOURCE_LINES_WARN: usize = 500;
const LINES_MAX: usize = 800;

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    tree.ending(&["css", "mjs", "rs", "ts", "tsx"]).filter_map(|(path, text)| size(path, text)).collect()
}

fn size(path: &str, text: &str) -> Option<Finding> {
    let lines = text.lines().count();
    if lines > LINES_MAX {
        let message = format!("has {lines} lines, more than {LINES_MAX}: split it by reason to change");
        return Some(Finding::error(path, 0, message));
    }
    let source = source_lines(path, text);
    (source > SOURCE_LINES_WARN).then(|| {
        let message = format!("has {source} lines apart from tests, more than {SOURCE_LINES_WARN}");
        Finding::warning(path, 0, message)
    })
}

fn source_lines(path: &str, text: &str) -> usize {
    if is_test_file(path) || path.ends_with(".test.ts") || path.ends_with(".test.tsx") {
        return 0;
    }
    test_lines(text).iter().filter(|is_test| !**is_test).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::Weight;

    #[track_caller]
    fn weight(path: &str, text: &str) -> Option<Weight> {
        check(&Tree::of(&[(path, text)])).first().map(|finding| finding.weight)
    }

    #[test]
    fn source_is_warned_at_500_and_everything_fails_at_800() {
        let line = "//\n";
        assert_eq!(weight("a.rs", &line.repeat(500)), None);
        assert_eq!(weight("a.rs", &line.repeat(501)), Some(Weight::Warning));
        assert_eq!(weight("a.rs", &line.repeat(801)), Some(Weight::Error));
        for name in ["ui/src/a.ts", "ui/src/b.tsx", "ui/src/c.css", "ui/build/d.mjs"] {
            assert_eq!(weight(name, &line.repeat(501)), Some(Weight::Warning), "{name}");
            assert_eq!(weight(name, &line.repeat(801)), Some(Weight::Error), "{name}");
        }
        assert_eq!(weight("a.md", &line.repeat(801)), None);
    }

    #[test]
    fn tests_count_only_for_the_hard_limit() {
        let tests = format!("#[cfg(test)]\nmod tests {{\n{}}}\n", "    //\n".repeat(300));
        assert_eq!(weight("a.rs", &format!("{}{tests}", "//\n".repeat(400))), None);
        assert_eq!(weight("a.rs", &format!("{}{tests}", "//\n".repeat(501))), Some(Weight::Error));
        assert_eq!(weight("crates/clew/tests/a.rs", &"//\n".repeat(790)), None);
        assert_eq!(weight("crates/clew/tests/a.rs", &"//\n".repeat(801)), Some(Weight::Error));
    }
}
