//! What documents show, run as they show it against the real binary: applications with OpenTelemetry's own SDKs, each as
//! a guide in `docs/integrations/` says, and the SQL of `docs/format.md`.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test at the edge: real files, real processes, real time with deadlines; what goes wrong fails it"
)]

mod guide;
mod open_data;
mod process;

use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::Value;

use guide::{Guide, Ports};
use process::{Running, Variable};

/// Long, because virtual machines start slowly while a whole workspace is being tested; a good run needs seconds.
const PATIENCE: Duration = Duration::from_mins(3);

/// A fresh virtual machine spends its first requests on loading classes, and the sentence says so. Every trace must be
/// whole, and one of this many must be slow where the application planted it.
const REQUESTS_MAX: usize = 15;

/// A span that a trace must hold: service, operation, kind.
type Expected = (&'static str, &'static str, &'static str);

/// An application of a guide, one way of sending, and the trace it must leave.
struct Case {
    guide: &'static str,
    settings: &'static str,
    expected: [Expected; 4],
    /// The slow step that the application planted.
    slow: &'static str,
}

/// What instrumentations leave that know the routes of the application: those of Python and Rust.
const ROUTES: [Expected; 4] = [
    ("checkout", "GET", "client"),
    ("checkout", "GET /checkout", "server"),
    ("stock", "GET /reserve", "server"),
    ("stock", "reserve-stock", "internal"),
];

const NODE: [Expected; 4] = [
    ("checkout", "GET", "client"),
    ("checkout", "GET", "server"),
    ("stock", "GET", "server"),
    ("stock", "reserve-stock", "internal"),
];

const GO: [Expected; 4] = [
    ("checkout", "GET /checkout", "server"),
    ("checkout", "HTTP GET", "client"),
    ("stock", "GET /reserve", "server"),
    ("stock", "reserve-stock", "internal"),
];

const JAVA: [Expected; 4] = [
    ("checkout", "GET", "client"),
    ("checkout", "GET /checkout", "server"),
    ("stock", "GET /reserve", "server"),
    ("stock", "Stock.reserveStock", "internal"),
];

#[test]
fn python_over_grpc() {
    Case { guide: "python", settings: "settings-grpc", expected: ROUTES, slow: "reserve-stock" }.run();
}

#[test]
fn python_over_http() {
    Case { guide: "python", settings: "settings-http", expected: ROUTES, slow: "reserve-stock" }.run();
}

#[test]
fn node_over_grpc() {
    Case { guide: "node", settings: "settings-grpc", expected: NODE, slow: "reserve-stock" }.run();
}

#[test]
fn node_as_json_over_http() {
    Case { guide: "node", settings: "settings-json", expected: NODE, slow: "reserve-stock" }.run();
}

#[test]
fn java_with_the_agent_on_an_unchanged_application() {
    Case { guide: "java", settings: "settings-agent", expected: JAVA, slow: "Stock.reserveStock" }.run();
}

#[test]
fn go_over_grpc() {
    Case { guide: "go", settings: "settings-grpc", expected: GO, slow: "reserve-stock" }.run();
}

#[test]
fn go_over_http() {
    Case { guide: "go", settings: "settings-http", expected: GO, slow: "reserve-stock" }.run();
}

#[test]
fn rust_over_grpc() {
    Case { guide: "rust", settings: "settings-grpc", expected: ROUTES, slow: "reserve-stock" }.run();
}

#[test]
fn rust_over_http() {
    Case { guide: "rust", settings: "settings-http", expected: ROUTES, slow: "reserve-stock" }.run();
}

#[test]
fn what_a_guide_installs_is_what_the_tests_pin() {
    let read = |path: &str| std::fs::read_to_string(pins().join(path)).unwrap().to_lowercase();
    let ports = Ports { clew: 1, checkout: 2, stock: 3 };

    let pins = read("python/requirements.txt");
    for package in Guide::read("python", ports).block("install").split_whitespace().skip(2).filter(|word| *word != "\\")
    {
        assert!(pins.contains(&format!("\n{package}==")), "python/requirements.txt does not pin {package}");
    }
    let pins = read("node/package.json");
    for package in Guide::read("node", ports).block("install").split_whitespace().skip(2) {
        assert!(pins.contains(&format!("\"{package}\": \"")), "node/package.json does not pin {package}");
    }
    let version = read("java/pom.xml").split("javaagent</artifactid>").nth(1).and_then(|rest| {
        let (version, _) = rest.trim_start().strip_prefix("<version>")?.split_once('<')?;
        Some(version.to_owned())
    });
    let version = version.expect("java/pom.xml names the agent's version");
    assert!(
        Guide::read("java", ports).block("install").contains(&format!("/v{version}/")),
        "the guide's agent is not {version}"
    );
    let pins = read("go/go.mod");
    let guide = Guide::read("go", ports);
    let modules: Vec<_> = guide.block("install").split_whitespace().filter(|word| word.contains('.')).collect();
    assert!(!modules.is_empty(), "the guide gets modules");
    for module in modules {
        let pinned = pins.lines().any(|line| line.starts_with(&format!("\t{module} v")) && !line.ends_with("indirect"));
        assert!(pinned, "go/go.mod does not pin {module}");
    }
}

#[test]
fn what_the_guide_for_rust_adds_is_what_its_manifest_pins() {
    let manifest = std::fs::read_to_string(pins().join("rust/Cargo.toml")).unwrap();
    let manifest: toml::Table = manifest.parse().unwrap();
    let pinned = manifest["dependencies"].as_table().unwrap();
    let guide = Guide::read("rust", Ports { clew: 1, checkout: 2, stock: 3 });
    let mut added = Vec::new();
    for line in guide.block("install").lines().filter_map(|line| line.strip_prefix("cargo add ")) {
        let (packages, flags) = line.split_once(" --").unwrap_or((line, ""));
        let features: Vec<_> = flags.strip_prefix("features ").map_or(vec![], |list| list.split(',').collect());
        for package in packages.split_whitespace() {
            let entry = &pinned[package];
            let version = entry.get("version").unwrap_or(entry).as_str().unwrap();
            assert!(version.starts_with('='), "{package} is not pinned: {version}");
            let wanted = entry.get("features").and_then(toml::Value::as_array).into_iter().flatten();
            assert_eq!(wanted.filter_map(toml::Value::as_str).collect::<Vec<_>>(), features, "features of {package}");
            let plain = entry.get("default-features").and_then(toml::Value::as_bool) == Some(false);
            assert_eq!(plain, flags == "no-default-features", "default features of {package}");
            added.push(package);
        }
    }
    added.sort_unstable();
    assert_eq!(added, pinned.keys().map(String::as_str).collect::<Vec<_>>());
}

impl Case {
    fn run(&self) {
        let folder = tempfile::tempdir().unwrap();
        let (clew, port) = start_clew(folder.path(), "--data-dir data");
        let ports = Ports { clew: port, checkout: free_port(), stock: free_port() };
        let guide = Guide::read(self.guide, ports);
        guide.write_files(folder.path());
        let variables = install(self.guide, folder.path());
        for command in guide.blocks("build") {
            Running::start("build", command, folder.path(), &variables).finish(PATIENCE);
        }

        let settings = guide.block(self.settings);
        let start = |block: &str| Running::start("service", &format!("{settings}{block}"), folder.path(), &variables);
        let mut services: Vec<Running> = guide.blocks("run").map(start).collect();
        assert_eq!(services.len(), 2, "the guide runs two services");
        for service in [ports.stock, ports.checkout] {
            until("the services listen", || {
                services.iter_mut().for_each(Running::assert_running);
                TcpStream::connect(("localhost", service)).ok()
            });
        }
        let url = guide.block("ask").trim().strip_prefix("curl ").expect("the guide asks by curl");
        let api = format!("http://127.0.0.1:{port}");
        let id = (1..=REQUESTS_MAX).find_map(|asked| self.ask(url, asked, &api));
        let id = id.unwrap_or_else(|| panic!("no sentence of {REQUESTS_MAX} names {}", self.slow));
        self.check_command_line(&guide, &id, &api, folder.path());
        drop((services, clew));
    }

    /// Makes one more request and checks its trace; its id, if its sentence names the slow step.
    fn ask(&self, url: &str, asked: usize, api: &str) -> Option<String> {
        assert_eq!(ureq::get(url).call().unwrap().body_mut().read_to_string().unwrap(), "reserved\n");
        let id = until("the trace is complete", || self.whole_trace(asked, api));
        let answer = get(&format!("{api}/v1/traces/{id}")).unwrap();
        self.check(&answer);
        let slow = answer["spans"].as_array()?.iter().find(|span| span["name"] == self.slow)?;
        assert!(slow["selfNanos"].as_u64()? >= 290_000_000, "it slept for 300 ms: {answer:#}");
        let thread = &answer["thread"];
        let sentence = thread["sentence"].as_str().expect("a thread has a sentence");
        if thread["bottleneck"]["spanId"] != slow["spanId"] {
            println!("request {asked} was slow elsewhere: {sentence}");
            return None;
        }
        assert!(sentence.contains(self.slow), "the sentence does not name {}: {sentence}", self.slow);
        Some(id)
    }

    /// The id of the newest trace, as soon as there is one for each request and it has all of its spans.
    fn whole_trace(&self, asked: usize, api: &str) -> Option<String> {
        let found = get(&format!("{api}/v1/traces/search?service=checkout&service=stock"))?;
        let traces = found["traces"].as_array().expect("search answers with traces");
        assert!(traces.len() <= asked, "{asked} requests made {} traces: {found:#}", traces.len());
        let newest = traces.first().filter(|_| traces.len() == asked)?;
        let whole = newest["spanCount"].as_u64()? >= self.expected.len() as u64;
        whole.then(|| newest["traceId"].as_str().unwrap().to_owned())
    }

    /// All spans are there, in one tree.
    fn check(&self, answer: &Value) {
        let spans = answer["spans"].as_array().expect("a trace has spans");
        let text = |span: &Value, key: &str| span[key].as_str().unwrap_or_default().to_owned();
        let mut seen: Vec<_> =
            spans.iter().map(|span| (text(span, "service"), text(span, "name"), text(span, "kind"))).collect();
        seen.sort();
        let expected =
            self.expected.map(|(service, name, kind)| (service.to_owned(), name.to_owned(), kind.to_owned()));
        assert_eq!(seen, expected, "{answer:#}");

        let ids: Vec<_> = spans.iter().map(|span| text(span, "spanId")).collect();
        let roots = spans.iter().filter(|span| !ids.contains(&text(span, "parentSpanId"))).count();
        assert_eq!(roots, 1, "the context travels, so every span but the root has its parent here: {answer:#}");
        assert_eq!(answer["state"]["rootSeen"], true, "{answer:#}");
    }

    /// What the guide says about looking: `clew search` prints the id, and `clew trace` the sentence.
    fn check_command_line(&self, guide: &Guide, id: &str, api: &str, folder: &Path) {
        let bin = Path::new(env!("CARGO_BIN_EXE_clew")).parent().unwrap();
        let path = [in_path(bin)];
        let run = |command: &str| {
            let command = format!("export CLEW_SERVER={api}\n{command}");
            Running::start("look", &command, folder, &path).finish(PATIENCE)
        };
        let found = run(guide.block("look"));
        assert!(found.contains(id), "`clew search` does not print {id}:\n{found}");
        let shown = run(&format!("clew trace {id}"));
        assert!(shown.contains(self.slow), "`clew trace` does not name {}:\n{shown}", self.slow);
    }
}

/// The server with these flags on a port of its own choice, and that port.
fn start_clew(folder: &Path, flags: &str) -> (Running, u16) {
    let command = format!("{} serve {flags} --listen 127.0.0.1:0", env!("CARGO_BIN_EXE_clew"));
    let mut clew = Running::start("clew", &command, folder, &[]);
    let port = until("clew names its port", || {
        clew.assert_running();
        let said = clew.output();
        let mut ports = said.split("127.0.0.1:").skip(1).map(|rest| {
            let digits = rest.find(|c: char| !c.is_ascii_digit()).map_or(rest, |end| &rest[..end]);
            digits.parse::<u16>().unwrap_or(0)
        });
        ports.find(|port| *port != 0).filter(|_| said.ends_with('\n'))
    });
    until("clew is ready", || get(&format!("http://127.0.0.1:{port}/v1/ready")));
    (clew, port)
}

/// Puts what the guide's install step would have brought where it would have put it; returns what must be set so that
/// it is found. Nothing is asked of the network.
fn install(guide: &str, folder: &Path) -> Vec<Variable> {
    let part = part(guide);
    let copy = |names: [&str; 2]| {
        for name in names {
            std::fs::copy(pins().join(guide).join(name), folder.join(name)).unwrap();
        }
    };
    match guide {
        "python" => return vec![in_path(&part.join("bin"))],
        "node" => link(&part.join("node_modules"), &folder.join("node_modules")),
        "java" => {
            let jar = "opentelemetry-javaagent.jar";
            link(&part.join(jar), &folder.join(jar));
        }
        "go" => {
            copy(["go.mod", "go.sum"]);
            let inside = |name: &str| part.join(name).display().to_string();
            return vec![
                ("GOMODCACHE", inside("modules")),
                ("GOCACHE", inside("cache")),
                ("GOPROXY", "off".to_owned()),
            ];
        }
        "rust" => {
            copy(["Cargo.toml", "Cargo.lock"]);
            // A copy, since applications of the same name in one `target` would take each other's binaries for theirs.
            let target = folder.join("target").display().to_string();
            let command = format!("cp -a '{}' '{target}'", part.join("target").display());
            Running::start("copy", &command, folder, &[]).finish(PATIENCE);
            return vec![("CARGO_TARGET_DIR", target), ("CARGO_NET_OFFLINE", "true".to_owned())];
        }
        other => panic!("no part is called {other}"),
    }
    Vec::new()
}

/// The `PATH` with this folder before all others.
fn in_path(folder: &Path) -> Variable {
    ("PATH", format!("{}:{}", folder.display(), std::env::var("PATH").unwrap()))
}

/// The folder of the files that pin what the guides install.
fn pins() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients")
}

/// The folder of an installed part: in `$XTASK_PARTS`, else in `.parts` of the repository.
fn part(name: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let parts = std::env::var_os("XTASK_PARTS").filter(|value| !value.is_empty());
    let part = parts.map_or_else(|| root.join(".parts"), PathBuf::from).join(name);
    assert!(
        part.join(".stamp").exists(),
        "the {name} client is not installed in {}: run `cargo xtask check`, or `cargo xtask parts` for that alone",
        part.display()
    );
    part.canonicalize().unwrap()
}

fn link(from: &Path, to: &Path) {
    std::os::unix::fs::symlink(from, to).unwrap();
}

/// A port that nothing uses at this moment.
fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn get(url: &str) -> Option<Value> {
    let body = ureq::get(url).call().ok()?.body_mut().read_to_string().ok()?;
    Some(serde_json::from_str(&body).unwrap_or(Value::String(body)))
}

/// Asks again and again until there is an answer.
#[track_caller]
fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < deadline, "waited {PATIENCE:?} in vain until {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}
