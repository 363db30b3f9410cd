//! OTLP files: what one server exports, another imports.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::net::TcpListener;
use std::path::Path;
use std::process::Stdio;

use clew_model::{Span, TraceId};
use clew_sim::workload::Workload;
use clew_wire::otlp::Limits;

use crate::server::{Running, clew, post, run};

const NOW: u64 = 1_763_600_000_000_000_000;

/// Sends spans of a real system's kind, some of them twice; returns them by trace.
fn fill(server: &Running) -> BTreeMap<TraceId, Vec<Span>> {
    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let mut workload = Workload::new(5);
    let mut sent: BTreeMap<TraceId, Vec<Span>> = BTreeMap::new();
    for number in 0..40 {
        let spans = workload.next_request(100, NOW + number * 3_600_000_000_000);
        assert_eq!(post(&agent, &server.address, &clew_wire::otlp::encode(&spans)).unwrap(), 200);
        assert_eq!(post(&agent, &server.address, &clew_wire::otlp::encode(&spans[..10])).unwrap(), 200);
        for span in spans {
            sent.entry(span.trace_id).or_default().push(span);
        }
    }
    sent
}

/// The spans of a file of lines by trace, without what is the server's own: when each came, and its notes.
fn read(lines: &[u8]) -> BTreeMap<TraceId, Vec<Span>> {
    let mut read: BTreeMap<TraceId, Vec<Span>> = BTreeMap::new();
    for line in lines.split_inclusive(|byte| *byte == b'\n') {
        let message = clew_wire::otlp_json::to_protobuf(line).unwrap();
        for span in clew_wire::otlp::spans(&message, &Limits::default(), NOW, &[]).unwrap() {
            read.entry(span.trace_id).or_default().push(span);
        }
    }
    normal(read)
}

fn normal(mut traces: BTreeMap<TraceId, Vec<Span>>) -> BTreeMap<TraceId, Vec<Span>> {
    for spans in traces.values_mut() {
        for span in &mut *spans {
            (span.received_unix_nanos, span.notes) = (0, clew_model::Notes::default());
        }
        *spans = clew_model::identity::sorted(std::mem::take(spans));
    }
    traces
}

fn export(server: &Running, flags: &[&str]) -> Vec<u8> {
    let output = run(&[&["export", "--server", &server.url()], flags].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

#[test]
fn what_one_server_exports_another_imports_in_every_form() {
    let folder = tempfile::tempdir().unwrap();
    let first = Running::start(&folder.path().join("first"));
    let sent = normal(fill(&first));
    let lines = export(&first, &[]);
    assert_eq!(read(&lines), sent, "each span once, as it was sent");
    for (name, format) in
        [("a.jsonl", "json"), ("b.jsonl.gz", "json"), ("c.otlp", "protobuf"), ("d.otlp.zst", "protobuf")]
    {
        let file = folder.path().join(name);
        let path = file.to_str().unwrap();
        assert!(export(&first, &["--format", format, "--output", path]).is_empty());
        assert!(!folder.path().join(format!("{name}.partial")).exists());
        let second = Running::start(&folder.path().join(format!("second-{name}")));
        let output = run(&["import", path, "--server", &second.url()]);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{name} {output:?}");
        let span_count: usize = sent.values().map(Vec::len).sum();
        assert!(text.contains("4,000 spans accepted, 0 rejected") && span_count == 4_000, "{name} {text}");
        let again = export(&second, &[]);
        assert_eq!(read(&again), sent, "{name}");
        assert_eq!(again, lines, "{name}: byte for byte");
        second.stop();
    }
    first.stop();
}

#[test]
fn a_pipe_carries_a_tenant_s_traces_to_another() {
    let folder = tempfile::tempdir().unwrap();
    let server = Running::start(folder.path());
    let sent = normal(fill(&server));
    let lines = export(&server, &["--since", "100000d"]);
    let mut import = clew()
        .args(["import", "-", "--tenant", "copy", "--server", &server.url()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    import.stdin.take().unwrap().write_all(&lines).unwrap();
    assert!(import.wait_with_output().unwrap().status.success());
    assert_eq!(read(&export(&server, &["--tenant", "copy"])), sent);
    server.stop();
}

#[test]
fn bad_lines_are_named_and_the_rest_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let server = Running::start(&folder.path().join("data"));
    let spans = Workload::new(3).next_request(1, NOW);
    let good = clew_wire::otlp_json::encode(&spans, clew_wire::otlp_json::JsonShape::Otlp).to_string();
    let file = folder.path().join("mixed.json");
    let bad_id = r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"xyz"}]}]}]}"#;
    std::fs::write(&file, format!("{good}\nnonsense\n{{\"resourceLogs\":[]}}\n{bad_id}\n")).unwrap();
    let output = run(&["import", file.to_str().unwrap(), "--server", &server.url()]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let (said, text) = (String::from_utf8_lossy(&output.stderr), String::from_utf8_lossy(&output.stdout));
    assert!(said.contains("mixed.json: line 2: is not OTLP/JSON"), "{said}");
    assert!(said.contains("1 messages could not be read, 1 spans were rejected"), "{said}");
    assert!(text.contains("1 spans accepted, 1 rejected") && text.contains("trace id is not 16 bytes"), "{text}");
    assert!(text.contains("1 messages hold no spans"), "{text}");
    assert_eq!(read(&export(&server, &[])).len(), 1);
    server.stop();
}

#[test]
fn what_is_refused_for_now_is_sent_again() {
    let folder = tempfile::tempdir().unwrap();
    // A batch of the file takes more than half a second of what a tenant may send.
    let server = Running::start_with(
        &folder.path().join("data"),
        &["--listen", "127.0.0.1:0", "--limits-tenant-spans-per-second", "4000"],
    );
    let mut workload = Workload::new(9);
    let lines: String = (0..60)
        .map(|number| {
            let spans = workload.next_request(200, NOW + number);
            clew_wire::otlp_json::encode(&spans, clew_wire::otlp_json::JsonShape::Otlp).to_string() + "\n"
        })
        .collect();
    let file = folder.path().join("many.json");
    std::fs::write(&file, lines).unwrap();
    let output = run(&["import", file.to_str().unwrap(), "--server", &server.url()]);
    assert!(output.status.success(), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("12,000 spans accepted, 0 rejected"), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("refused for now"), "{output:?}");
    server.stop();
}

#[test]
fn an_export_that_breaks_off_fails_and_keeps_what_came() {
    let folder = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let served = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        read_head(&mut stream);
        let head = "HTTP/1.1 200 OK\r\ncontent-type: application/x-ndjson\r\ntransfer-encoding: chunked\r\n\r\n";
        stream.write_all(format!("{head}3\r\n{{}}\n\r\n").as_bytes()).unwrap();
    });
    let file = folder.path().join("part.json");
    let output = run(&["export", "--output", file.to_str().unwrap(), "--server", &format!("http://{address}")]);
    served.join().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("not complete"), "{output:?}");
    assert!(!file.exists());
    assert_eq!(std::fs::read(folder.path().join("part.json.partial")).unwrap(), b"{}\n");
}

fn read_head(stream: &mut std::net::TcpStream) {
    use std::io::Read as _;
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
}

#[test]
fn an_export_over_a_damaged_log_is_not_taken_for_a_whole_one() {
    let folder = tempfile::tempdir().unwrap();
    let server = Running::start(folder.path());
    fill(&server);
    server.stop();
    damage(&folder.path().join("log"));
    let server = Running::start(folder.path());
    let output = run(&["export", "--server", &server.url()]);
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("not complete") && said.contains("clew check --repair"), "{said}");
    assert!(read(&output.stdout).len() > 10, "what is there comes all the same");
    server.stop();
}

/// Flips a byte in the middle of the first segment.
fn damage(log: &Path) {
    let mut segments: Vec<_> = std::fs::read_dir(log).unwrap().map(|entry| entry.unwrap().path()).collect();
    segments.sort();
    let mut bytes = std::fs::read(&segments[0]).unwrap();
    bytes[100_000] ^= 0xff;
    std::fs::write(&segments[0], bytes).unwrap();
}
