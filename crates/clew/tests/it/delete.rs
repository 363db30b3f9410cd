//! What is not there cannot be deleted, and is told so.

use crate::server::{Running, run};

#[test]
fn what_is_not_there_is_not_found() {
    let folder = tempfile::tempdir().unwrap();
    let server = Running::start(folder.path());
    let url = server.url();
    for what in [&["trace", "4bf92f3577b34da6a3ce929d0e0e4736"][..], &["tenant", "acme", "--yes"]] {
        let output = run(&[&["delete"], what, &["--server", &url]].concat());
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(3), "{what:?}: {text}");
        assert!(text.contains("there is no t"), "{text}");
    }
    server.stop();
}
