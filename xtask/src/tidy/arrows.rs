//! Which crate may use which: the architecture as a table. A new arrow is a decision, taken here and in ARCHITECTURE.md.

use super::{Finding, Tree};

/// A crate, and the crates of the workspace that it may depend on. Dev-dependencies are free.
const ARROWS: &[(&str, &[&str])] = &[
    ("clew-model", &[]),
    ("clew-wire", &["clew-model"]),
    ("clew-analysis", &["clew-model"]),
    ("clew-rollup", &["clew-model"]),
    ("clew-block", &["clew-model"]),
    ("clew-store", &["clew-model", "clew-wire", "clew-rollup", "clew-block"]),
    ("clew-server", &["clew-model", "clew-wire", "clew-store", "clew-analysis", "clew-rollup"]),
    ("clew-sim", &["clew-model", "clew-wire", "clew-rollup", "clew-block", "clew-store"]),
    (
        "clew",
        &[
            "clew-model",
            "clew-wire",
            "clew-analysis",
            "clew-rollup",
            "clew-block",
            "clew-store",
            "clew-server",
            "clew-sim",
        ],
    ),
    ("xtask", &[]),
];

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (folder, text) in tree.manifests() {
        let path = format!("{folder}/Cargo.toml");
        let manifest: toml::Table = match text.parse() {
            Ok(manifest) => manifest,
            Err(err) => {
                findings.push(Finding::error(&path, 0, format!("is not TOML: {}", err.message())));
                continue;
            }
        };
        let name = folder.rsplit('/').next().unwrap_or(folder);
        let Some((_, allowed)) = ARROWS.iter().find(|(from, _)| *from == name) else {
            let message = format!("crate `{name}` has no row in the table of arrows (xtask/src/tidy/arrows.rs)");
            findings.push(Finding::error(&path, 0, message));
            continue;
        };
        for used in ours(&manifest).into_iter().filter(|used| !allowed.contains(&used.as_str())) {
            let message = format!(
                "`{name}` must not depend on `{used}`: the arrow is not in the table (ARCHITECTURE.md, code map); \
                 move what is needed to the room that owns it, or decide on a new arrow"
            );
            findings.push(Finding::error(&path, line_of(text, &used), message));
        }
    }
    findings
}

/// Crates of this workspace among the normal and build dependencies, also those for one target only.
fn ours(manifest: &toml::Table) -> Vec<String> {
    let targets = manifest.get("target").and_then(toml::Value::as_table);
    let mut tables = vec![manifest];
    tables.extend(targets.into_iter().flat_map(|targets| targets.values().filter_map(toml::Value::as_table)));
    let mut names = Vec::new();
    for table in tables {
        for kind in ["dependencies", "build-dependencies"] {
            let Some(dependencies) = table.get(kind).and_then(toml::Value::as_table) else { continue };
            names.extend(dependencies.iter().map(|(key, value)| package(key, value)));
        }
    }
    names.retain(|name| ARROWS.iter().any(|(ours, _)| ours == name));
    names
}

/// A dependency may be renamed: `model = { package = "clew-model" }`.
fn package(key: &str, value: &toml::Value) -> String {
    value.get("package").and_then(toml::Value::as_str).unwrap_or(key).to_owned()
}

fn line_of(text: &str, word: &str) -> usize {
    text.lines().position(|line| line.contains(word)).map_or(0, |index| index + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn found(folder: &str, manifest: &str) -> Vec<String> {
        let path = format!("crates/{folder}/Cargo.toml");
        check(&Tree::of(&[(&path, manifest)])).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn an_arrow_outside_the_table_is_named_with_its_line() {
        let said = found("clew-wire", "[dependencies]\nclew-model.workspace = true\nclew-store.workspace = true\n");
        assert_eq!(said.len(), 1);
        assert!(
            said[0].starts_with("error: crates/clew-wire/Cargo.toml:3: `clew-wire` must not depend on `clew-store`")
        );
    }

    #[test]
    fn renamed_target_and_build_dependencies_count_and_dev_dependencies_do_not() {
        assert_eq!(found("clew-model", "[build-dependencies]\nw = { package = \"clew-wire\" }\n").len(), 1);
        assert_eq!(found("clew-model", "[target.'cfg(unix)'.dependencies]\nclew-store = \"1\"\n").len(), 1);
        assert_eq!(
            found("clew-model", "[dev-dependencies]\nclew-sim = \"1\"\n[dependencies]\nserde = \"1\"\n").len(),
            0
        );
    }

    #[test]
    fn a_crate_without_a_row_and_a_broken_manifest_are_findings() {
        assert!(found("clew-new", "[package]\n")[0].contains("has no row"));
        assert!(found("clew", "[package\n")[0].contains("is not TOML"));
    }

    #[test]
    fn the_table_points_upwards_only() {
        for (index, (name, allowed)) in ARROWS.iter().enumerate() {
            for used in *allowed {
                assert!(ARROWS[..index].iter().any(|(above, _)| above == used), "{name} -> {used}");
            }
        }
    }
}
