//! `clew check` on a folder with blocks, and a backup of a folder in use.

use std::collections::HashMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Child, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::crash::{acknowledged, missing};
use crate::server::{Running, clew, run};

/// A server that seals all the time.
const FLAGS: [&str; 8] =
    ["--listen", "127.0.0.1:0", "--live-bytes", "4MiB", "--live-seal-apart", "0s", "--log-segment-bytes", "1MiB"];
const WAIT: Duration = Duration::from_secs(30);

fn check(data: &Path, flags: &[&str]) -> Output {
    run(&[&["check", "--data-dir", data.to_str().unwrap()], flags].concat())
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Load that writes down what was acknowledged; killed when dropped.
struct Load(Child);

impl Load {
    fn start(server: &Running, acked: &Path) -> Self {
        let mut load = clew();
        load.args(["load", "--duration", "60s", "--rate", "10000", "--batch", "100", "--endpoint", &server.address]);
        load.arg("--acked-file").arg(acked).stdout(Stdio::null()).stderr(Stdio::null());
        Self(load.spawn().unwrap())
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        // Already ended when it went wrong.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A figure of `/metrics`.
fn figure(server: &Running, name: &str) -> f64 {
    let Value::String(page) = server.get("/metrics").1 else { panic!("no page") };
    let line = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("{name} is not in {page}")).parse().unwrap()
}

fn wait_for_blocks(server: &Running, count: f64) {
    let deadline = Instant::now() + WAIT;
    while figure(server, "clew_blocks") < count {
        assert!(Instant::now() < deadline, "no {count} blocks within {WAIT:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn a_damaged_folder_is_named_and_mended() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let acked = folder.path().join("acked");
    let server = Running::start_with(&data, &FLAGS);
    let load = Load::start(&server, &acked);
    wait_for_blocks(&server, 2.0);
    drop(load);
    server.stop();
    let sent = acknowledged(&acked);

    let whole = check(&data, &[]);
    assert_eq!(whole.status.code(), Some(0), "{whole:?}");
    let said = text(&whole.stdout);
    assert!(said.contains("spans verified, 0 blocks damaged") && said.contains("1 tenant,"), "{said}");

    let columns = check(&data, &["--columns"]);
    assert_eq!(columns.status.code(), Some(0), "{columns:?}");
    let said = text(&columns.stdout);
    for name in ["BYTES/SPAN", "  span_id\n", "  sidecar:ids\n", "  all sidecars\n", "  all\n"] {
        assert!(said.contains(name), "{name} is not in {said}");
    }
    let json: Value = serde_json::from_slice(&check(&data, &["--columns", "--json"]).stdout).unwrap();
    let bytes: u64 = files(&data.join("blocks")).iter().map(|path| fs::metadata(path).unwrap().len()).sum();
    assert_eq!(json["dataBytes"].as_u64().unwrap() + json["sideBytes"].as_u64().unwrap(), bytes, "{json}");

    // A sidecar is lost, and so is the whole catalog.
    let side = files(&data.join("blocks")).into_iter().find(|path| path.extension().unwrap() == "side").unwrap();
    fs::remove_file(&side).unwrap();
    let damaged = check(&data, &[]);
    assert_eq!(damaged.status.code(), Some(1), "{damaged:?}");
    assert!(text(&damaged.stdout).contains("is missing: it can be made again"), "{damaged:?}");
    assert!(text(&damaged.stderr).contains("`clew check --repair` saves what can be saved"), "{damaged:?}");
    let repaired = check(&data, &["--repair"]);
    assert_eq!(repaired.status.code(), Some(1), "{repaired:?}");
    assert!(text(&repaired.stdout).contains("was written anew as"), "{repaired:?}");
    fs::remove_dir_all(data.join("catalog")).unwrap();
    assert!(text(&check(&data, &[]).stdout).contains("the catalog is gone"));
    assert!(text(&check(&data, &["--repair"]).stdout).contains("the catalog was made again"));
    let again = check(&data, &["--json"]);
    assert_eq!(again.status.code(), Some(0), "{again:?}");
    let json: Value = serde_json::from_slice(&again.stdout).unwrap();
    assert!(json["blocks"].as_array().unwrap().len() >= 2 && json["strayFiles"] == serde_json::json!([]), "{json}");

    let server = Running::start_with(&data, &FLAGS);
    assert_eq!(server.get("/v1/health").1["status"], "ok");
    assert_eq!(missing(&server, &sent), 0);
    server.stop();
}

/// Copies the files that a folder has at this moment, as `cp` does; ones that are gone by then are left out.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for file in files(from) {
        match fs::copy(&file, to.join(file.file_name().unwrap())) {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            copied => drop(copied.unwrap()),
        }
    }
}

/// The section "Backup" of `docs/operations.md`, step by step.
#[test]
fn a_backup_of_a_folder_in_use_has_all_that_was_acknowledged_before() {
    let folder = tempfile::tempdir().unwrap();
    let (data, backup) = (folder.path().join("data"), folder.path().join("copy"));
    let acked = folder.path().join("acked");
    let server = Running::start_with(&data, &FLAGS);
    let load = Load::start(&server, &acked);
    wait_for_blocks(&server, 3.0);
    let before: HashMap<String, u64> = acknowledged(&acked);
    assert!(before.values().sum::<u64>() > 1_000);
    fs::create_dir(&backup).unwrap();
    copy(&data.join("log"), &backup.join("log"));
    let sealed = figure(&server, "clew_blocks");
    // Whatever happens between two steps: here, the log that was copied is sealed and removed.
    wait_for_blocks(&server, sealed + 1.0);
    copy(&data.join("catalog"), &backup.join("catalog"));
    wait_for_blocks(&server, sealed + 2.0);
    copy(&data.join("blocks"), &backup.join("blocks"));
    fs::copy(data.join("FORMAT"), backup.join("FORMAT")).unwrap();
    drop(load);
    server.stop();

    let repaired = check(&backup, &["--repair"]);
    assert!(text(&repaired.stdout).contains("spans verified"), "{repaired:?}");
    let clean = check(&backup, &[]);
    assert_eq!(clean.status.code(), Some(0), "{clean:?}");
    let restored = Running::start_with(&backup, &FLAGS);
    assert_eq!(missing_of(&restored, &before), 0, "{}", text(&repaired.stdout));
    assert_eq!(restored.get("/v1/health").1["status"], "ok");
    restored.stop();
}

/// As `missing`, for traces that may have got more spans since.
fn missing_of(server: &Running, before: &HashMap<String, u64>) -> u64 {
    let found = crate::crash::span_counts(server);
    before.iter().map(|(id, spans)| spans.saturating_sub(found.get(id).copied().unwrap_or(0))).sum()
}

#[test]
fn the_operations_page_names_every_figure() {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/operations.md")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let server = Running::start(folder.path());
    let Value::String(figures) = server.get("/metrics").1 else { panic!("no page") };
    let families: Vec<&str> = figures.lines().filter_map(|line| line.strip_prefix("# TYPE ")).collect();
    assert!(families.len() > 30, "{figures}");
    for family in families {
        let name = family.split(' ').next().unwrap();
        assert!([format!("`{name}`"), format!("`{name}{{")].iter().any(|text| page.contains(text)), "{name}");
    }
    server.stop();
}
