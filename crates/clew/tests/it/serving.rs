//! A server's life: start, greet, answer, stop, start again.

use std::net::TcpListener;
use std::time::Duration;

use rustix::process::Signal;

use crate::server::{Running, clew, stdout_of};

/// Runs the demo and gives the example ids that it printed.
fn demo(server: &Running, count: &str) -> Vec<String> {
    let text = stdout_of(&["demo", "--endpoint", &server.url(), "--count", count, "--rate", "1000"]);
    assert!(text.contains(" 0 rejected, 0 refused"), "{text}");
    let ids = text.lines().filter_map(|line| line.trim().strip_prefix("clew trace ")?.split_whitespace().next());
    ids.map(str::to_owned).collect()
}

#[test]
fn demo_search_and_trace_tell_the_planted_stories() {
    let folder = tempfile::tempdir().unwrap();
    let server = Running::start(folder.path());
    let ids = demo(&server, "24");
    assert_eq!(ids.len(), 4, "a slow query, a declined card, an N+1, a gap");
    let url = server.url();
    let trace = |id: &str| stdout_of(&["trace", id, "--server", &url]);
    let pictures: Vec<String> = ids.iter().map(|id| trace(id)).collect();
    let told = |words: &[&str]| pictures.iter().any(|picture| words.iter().all(|word| picture.contains(word)));
    assert!(told(&["SELECT products", "product-catalog"]), "{pictures:?}");
    assert!(told(&["x payment", "errors"]), "{pictures:?}");
    assert!(told(&["unaccounted"]), "{pictures:?}");
    let folded = |line: &str| line.contains("SELECT products") && line.contains("  x1");
    assert!(pictures.iter().any(|picture| picture.lines().any(folded)), "{pictures:?}");
    assert!(pictures.iter().all(|picture| picture.is_ascii()));

    let found = stdout_of(&["search", "--service", "payment", "--status", "error", "--server", &url]);
    assert!(ids.iter().any(|id| found.contains(id)), "{found}");
    let json = stdout_of(&["search", "--sort=-duration", "--limit", "1", "--json", "--server", &url]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["traces"].as_array().map(Vec::len), Some(1));
    let missing = clew().args(["trace", "00000000000000000000000000000001", "--server", &url]).output().unwrap();
    assert_eq!(missing.status.code(), Some(3));
    let wrong = clew().args(["search", "--sort", "color", "--server", &url]).output().unwrap();
    assert_eq!(wrong.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("sort"));
}

#[test]
fn a_server_tells_itself_the_demo_and_warns_of_senders_that_are_set_up_wrongly() {
    let folder = tempfile::tempdir().unwrap();
    let server = Running::start(folder.path());
    assert!(
        server.greeting.contains(&format!("\nOpen http://{}/ in a browser", server.address)),
        "{}",
        server.greeting
    );
    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let ask = agent.post(format!("{}/v1/demo", server.url())).header("Content-Type", "application/json");
    let mut answer = ask.send("{\"count\":24}").unwrap();
    let told: serde_json::Value = serde_json::from_str(&answer.body_mut().read_to_string().unwrap()).unwrap();
    assert_eq!(told["traces"], 24, "{told}");
    let examples = told["examples"].as_array().unwrap();
    assert_eq!(examples.len(), 4, "a slow query, a declined card, an N+1, a gap: {told}");
    for example in examples {
        let id = example["traceId"].as_str().unwrap();
        let trace = server.get(&format!("/v1/traces/{id}")).1;
        assert!(trace["thread"]["sentence"].as_str().is_some_and(|sentence| !sentence.is_empty()), "{example}");
    }
    let figures = server.get("/v1/figures").1;
    assert_eq!((&figures["spans"]["received"], &figures["live"]["spans"]), (&told["spans"], &told["spans"]));
    assert_eq!(figures["hints"], serde_json::json!([]), "a demo makes no mistakes");
    for _ in 0..3 {
        let sent = agent.post(format!("{}/v1/trace", server.url())).send("x").unwrap();
        assert_eq!(sent.status().as_u16(), 404);
    }
    assert_eq!(server.get("/v1/figures").1["hints"][0]["count"], 3);
    let stderr = server.stop();
    assert_eq!(stderr.matches("did you mean /v1/traces?").count(), 1, "at most once a minute: {stderr}");
}

#[test]
fn a_full_server_refuses_for_now_and_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let server = Running::start_with(folder.path(), &["--listen", "127.0.0.1:0", "--live-bytes", "4MiB"]);
    let ids = demo(&server, "12");
    // Where blocks belong nothing can be made, so live spans cannot be sealed and fill their bound.
    std::fs::write(folder.path().join("blocks"), "in the way").unwrap();
    for protocol in ["http", "grpc"] {
        let load = ["load", "--endpoint", &server.address, "--duration", "1s", "--protocol", protocol];
        let output = clew().args(load).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.contains("last error    refused: ") && text.contains("live"), "{protocol}: {text}");
        assert!(text.contains(" 0 never answered"), "{protocol}: {text}");
    }
    let late = clew().args(["demo", "--count", "1", "--endpoint", &server.url()]).output().unwrap();
    assert_eq!(late.status.code(), Some(4), "{late:?}");
    assert!(String::from_utf8_lossy(&late.stderr).contains("spans were refused: "), "{late:?}");
    // Readers go on.
    assert!(stdout_of(&["trace", &ids[0], "--server", &server.url()]).contains(&ids[0]));
    let health = server.get("/v1/health").1;
    assert_eq!(health["status"], "degraded", "{health}");
    server.stop();
}

#[test]
fn output_whose_reader_has_gone_ends_quietly() {
    let folder = tempfile::tempdir().unwrap();
    let server = Running::start(folder.path());
    let ids = demo(&server, "12");
    let url = server.url();
    for arguments in [vec!["search", "--server", &url], vec!["trace", &ids[0], "--server", &url], vec!["man", "serve"]]
    {
        let mut command = clew();
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = command.args(&arguments).stdout(writer).output().unwrap();
        assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b""[..]), "{arguments:?}");
    }
    server.stop();
}

#[test]
fn a_stopped_server_comes_back_with_everything() {
    let folder = tempfile::tempdir().unwrap();
    let server = Running::start(folder.path());
    let ids = demo(&server, "24");
    let before: Vec<_> = ids.iter().map(|id| server.get(&format!("/v1/traces/{id}")).1).collect();
    let stderr = server.stop();
    assert!(stderr.contains("told to stop") && stderr.contains("stopped"), "{stderr}");
    let server = Running::start(folder.path());
    assert!(server.greeting.contains("spans replayed in"), "{}", server.greeting);
    let after: Vec<_> = ids.iter().map(|id| server.get(&format!("/v1/traces/{id}")).1).collect();
    assert_eq!(before, after);
    server.stop();
    let report = clew().args(["check", "--data-dir"]).arg(folder.path()).output().unwrap();
    assert_eq!(report.status.code(), Some(0), "{report:?}");
    assert!(String::from_utf8_lossy(&report.stdout).contains("spans readable"));
}

#[test]
fn a_second_signal_ends_a_server_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Running::start(folder.path());
    // A request that never ends keeps the first stop waiting.
    let mut stuck = std::net::TcpStream::connect(&server.address).unwrap();
    let head = "POST /v1/traces HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-protobuf\r\nContent-Length: 100\r\n\r\nx";
    std::io::Write::write_all(&mut stuck, head.as_bytes()).unwrap();
    // Answered after the request above was accepted, so that the server knows of it.
    assert_eq!(server.get("/v1/ready").0, 200);
    server.signal(Signal::TERM);
    while std::net::TcpStream::connect(&server.address).is_ok() {
        std::thread::sleep(Duration::from_millis(5));
    }
    server.signal(Signal::INT);
    assert_eq!(server.wait(Duration::from_secs(3)).code(), Some(130));
}

#[test]
fn a_second_server_is_refused_the_data_folder() {
    let folder = tempfile::tempdir().unwrap();
    let server = Running::start(folder.path());
    let second = clew().args(["--listen", "127.0.0.1:0", "--data-dir"]).arg(folder.path()).output().unwrap();
    assert_eq!(second.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&second.stderr).contains("in use by another clew"), "{second:?}");
    let check = clew().args(["check", "--data-dir"]).arg(folder.path()).output().unwrap();
    assert_eq!(check.status.code(), Some(1), "{check:?}");
    server.stop();
}

#[test]
fn a_port_that_was_asked_for_must_be_free_and_a_default_one_is_skipped() {
    let folder = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let asked = clew().args(["--listen", &address, "--data-dir"]).arg(folder.path()).output().unwrap();
    assert_eq!(asked.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&asked.stderr).contains("is taken by another program"), "{asked:?}");

    // Somebody may hold these already, which serves as well.
    let held: Vec<_> = ["127.0.0.1:4318", "127.0.0.1:9090"].map(TcpListener::bind).into_iter().collect();
    let server = Running::start_with(folder.path(), &[]);
    assert!(!server.greeting.contains("127.0.0.1:4318 ") && !server.greeting.contains("127.0.0.1:9090 "));
    assert!(server.greeting.contains("clew demo"), "{}", server.greeting);
    let stderr = server.stop();
    for port in [4318, 9090] {
        assert!(stderr.contains("skipped a default port") && stderr.contains(&format!("127.0.0.1:{port}")), "{stderr}");
    }
    drop(held);
}
