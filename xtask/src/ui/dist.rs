//! What `ui/dist` holds: whether it is what the sources make, and how much of it a first visit loads.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

/// Compressed scripts and styles of a first visit.
const FIRST_LOAD_BYTES_MAX: u64 = 80 * 1024;

/// Decompressed by node, whose zlib made them, rather than by a crate of ours.
const UNPACK: &str = "const zlib = require('node:zlib'), fs = require('node:fs'); \
                      process.stdout.write(zlib.brotliDecompressSync(fs.readFileSync(process.argv[1])));";

/// How `committed` differs from `built`, file by file. Plain files are compared byte by byte, compressed ones by what they
/// unpack to, since versions of node compress differently.
pub(super) fn differences(committed: &Path, built: &Path) -> Result<Vec<String>> {
    let (ours, theirs) = (files(committed)?, files(built)?);
    let mut differences = Vec::new();
    for name in ours.keys().filter(|name| !theirs.contains_key(*name)) {
        differences.push(format!("{name} is committed and no longer made"));
    }
    for (name, made) in &theirs {
        let Some(kept) = ours.get(name) else {
            differences.push(format!("{name} is made and not committed"));
            continue;
        };
        if content(kept)? != content(made)? {
            differences.push(format!("{name} differs"));
        }
    }
    for (name, path) in &ours {
        if is_compressed(path) {
            continue;
        }
        match ours.get(&format!("{name}.br")) {
            None => differences.push(format!("{name} has no compressed twin")),
            Some(twin) if content(twin)? != content(path)? => {
                differences.push(format!("{name}.br does not unpack to {name}"));
            }
            Some(_) => {}
        }
    }
    Ok(differences)
}

/// What a first visit loads besides the page itself.
pub(super) fn first_load(dist: &Path) -> Result<FirstLoad> {
    let path = dist.join("index.html");
    let page = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut files = Vec::new();
    for name in assets(&page) {
        let path = dist.join(format!("{name}.br"));
        let length = fs::metadata(&path).with_context(|| format!("index.html loads {}", path.display()))?.len();
        files.push((name, length));
    }
    if files.is_empty() {
        bail!("{} loads no script; is it built?", path.display());
    }
    Ok(FirstLoad { files })
}

/// Files of a first visit and their compressed lengths.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct FirstLoad {
    files: Vec<(String, u64)>,
}

impl FirstLoad {
    fn bytes(&self) -> u64 {
        self.files.iter().map(|(_, length)| length).sum()
    }

    /// Itself, unless it is too much.
    pub(super) fn within_budget(self) -> Result<Self> {
        if self.bytes() > FIRST_LOAD_BYTES_MAX {
            let files: Vec<_> = self.files.iter().map(|(name, length)| format!("\n  {length:>7}  {name}")).collect();
            bail!("{self}: too much; let a screen that is not the first load lazily{}", files.concat());
        }
        Ok(self)
    }
}

impl fmt::Display for FirstLoad {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kibibytes = |bytes: u64| bytes as f64 / 1024.0;
        let (all, most) = (kibibytes(self.bytes()), kibibytes(FIRST_LOAD_BYTES_MAX));
        write!(f, "a first visit loads {all:.1} of {most:.0} KiB in {} files", self.files.len())
    }
}

/// Scripts and styles that a page loads, preloaded ones included, each once.
fn assets(page: &str) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for attribute in ["src=\"", "href=\""] {
        for (at, _) in page.match_indices(attribute) {
            let rest = &page[at + attribute.len()..];
            let name = rest.split('"').next().unwrap_or_default().trim_start_matches("./");
            let has = |ending| Path::new(name).extension().is_some_and(|found| found == ending);
            if (has("js") || has("css")) && !names.iter().any(|known| known == name) {
                names.push(name.to_owned());
            }
        }
    }
    names
}

/// Every file below a folder, by its path from there with `/`.
fn files(folder: &Path) -> Result<BTreeMap<String, PathBuf>> {
    let mut files = BTreeMap::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).with_context(|| format!("cannot list {}", next.display()))? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                folders.push(entry.path());
                continue;
            }
            let path = entry.path();
            files.insert(path.strip_prefix(folder)?.to_string_lossy().replace('\\', "/"), path);
        }
    }
    Ok(files)
}

fn is_compressed(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending == "br")
}

/// The bytes of a file; of a compressed one, those that it unpacks to.
fn content(path: &Path) -> Result<Vec<u8>> {
    if !is_compressed(path) {
        return fs::read(path).with_context(|| format!("cannot read {}", path.display()));
    }
    let unpacked = Command::new("node").args(["-e", UNPACK]).arg(path).output().context("cannot start `node`")?;
    if !unpacked.status.success() {
        bail!("{} cannot be unpacked: {}", path.display(), String::from_utf8_lossy(&unpacked.stderr).trim());
    }
    Ok(unpacked.stdout)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACK: &str = "const zlib = require('node:zlib'), fs = require('node:fs'), [from, level] = process.argv.slice(1); \
                        const params = { [zlib.constants.BROTLI_PARAM_QUALITY]: Number(level) }; \
                        fs.writeFileSync(from + '.br', zlib.brotliCompressSync(fs.readFileSync(from), { params }));";

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("clew-xtask-{}-{name}", std::process::id()));
            fs::create_dir_all(path.join("assets")).unwrap();
            Self(path)
        }

        /// Writes a file and its twin, compressed at a level.
        fn put(&self, name: &str, text: &str, level: &str) {
            let path = self.0.join(name);
            fs::write(&path, text).unwrap();
            let packed = Command::new("node").args(["-e", PACK]).arg(&path).arg(level).status().unwrap();
            assert!(packed.success());
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn compressed_files_are_compared_by_what_they_unpack_to() {
        let (ours, theirs) = (Folder::new("same-a"), Folder::new("same-b"));
        let text = "let thread = 'amber'; ".repeat(400);
        ours.put("assets/a.js", &text, "11");
        theirs.put("assets/a.js", &text, "0");
        assert_ne!(
            fs::read(ours.0.join("assets/a.js.br")).unwrap(),
            fs::read(theirs.0.join("assets/a.js.br")).unwrap()
        );
        assert_eq!(differences(&ours.0, &theirs.0).unwrap(), [""; 0]);
    }

    #[test]
    fn every_difference_is_named() {
        let (ours, theirs) = (Folder::new("other-a"), Folder::new("other-b"));
        ours.put("index.html", "<p>old", "5");
        theirs.put("index.html", "<p>new", "5");
        ours.put("assets/gone.js", "x", "5");
        theirs.put("assets/new.js", "x", "5");
        fs::write(ours.0.join("icon.svg"), "<svg/>").unwrap();
        fs::write(theirs.0.join("icon.svg"), "<svg/>").unwrap();
        let mut said = differences(&ours.0, &theirs.0).unwrap();
        said.sort();
        let expected = [
            "assets/gone.js is committed and no longer made",
            "assets/gone.js.br is committed and no longer made",
            "assets/new.js is made and not committed",
            "assets/new.js.br is made and not committed",
            "icon.svg has no compressed twin",
            "index.html differs",
            "index.html.br differs",
        ];
        assert_eq!(said, expected);
        fs::write(ours.0.join("index.html"), "<p>new").unwrap();
        assert!(
            differences(&ours.0, &theirs.0).unwrap().contains(&"index.html.br does not unpack to index.html".into())
        );
    }

    #[test]
    fn a_first_visit_loads_what_the_page_names() {
        let page = r#"<base href="./" /><link rel="icon" href="./icon.svg" />
            <script type="module" crossorigin src="./assets/index-x1.js"></script>
            <link rel="modulepreload" href="./assets/shared-y2.js"><link rel="stylesheet" href="assets/index-z3.css">
            <link rel="modulepreload" href="./assets/shared-y2.js">"#;
        assert_eq!(assets(page), ["assets/index-x1.js", "assets/shared-y2.js", "assets/index-z3.css"]);
    }

    #[test]
    fn a_first_load_over_its_budget_names_the_files() {
        let load = |bytes| FirstLoad { files: vec![("assets/a.js".to_owned(), bytes)] };
        let good = load(FIRST_LOAD_BYTES_MAX).within_budget().unwrap();
        assert_eq!(good.to_string(), "a first visit loads 80.0 of 80 KiB in 1 files");
        let said = load(FIRST_LOAD_BYTES_MAX + 1).within_budget().unwrap_err().to_string();
        assert!(said.contains("too much") && said.contains("81921  assets/a.js"), "{said}");
    }
}
