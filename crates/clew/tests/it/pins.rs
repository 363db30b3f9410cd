//! Traces are pinned, listed and let go from the command line.

use crate::server::{Running, run};

#[test]
fn a_trace_is_pinned_listed_and_let_go() {
    let folder = tempfile::tempdir().unwrap();
    let server = Running::start(folder.path());
    let url = server.url();
    let clew = |arguments: &[&str]| {
        let output = run(&[arguments, &["--server", &url]].concat());
        let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        (output.status.code(), text)
    };
    assert_eq!(clew(&["pins"]), (Some(0), "nothing is pinned\n".to_owned()));
    let (code, text) = clew(&["pin", "4bf92f3577b34da6a3ce929d0e0e4736"]);
    assert!(code == Some(3) && text.contains("there is no trace"), "{text}");
    assert_eq!(clew(&["pin", "xyz"]).0, Some(2));

    let demo = ureq::post(format!("{url}/v1/demo")).header("Content-Type", "application/json").send(r#"{"count":1}"#);
    let demo = demo.unwrap().body_mut().read_to_string().unwrap();
    let demo: serde_json::Value = serde_json::from_str(&demo).unwrap();
    let id = demo["firstTraceId"].as_str().unwrap();
    assert_eq!(clew(&["pin", id, "--note", "why"]), (Some(0), format!("pinned trace {id} of default\n")));
    let (_, text) = clew(&["pins"]);
    assert!(text.starts_with(id) && text.ends_with("Z  why\n"), "{text}");
    assert_eq!(clew(&["unpin", id]), (Some(0), format!("trace {id} of default is not pinned any more\n")));
    assert_eq!(clew(&["unpin", id]).0, Some(3));
    server.stop();
}
