//! A disk that fills up under the real server, and is freed again.
#![cfg(target_os = "linux")]

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use clew_sim::workload::Workload;

use crate::server::{Running, clew, stdout_of};

#[test]
fn a_full_disk_refuses_for_now_and_service_resumes_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    let server = Running::of(on_small_disk(folder.path()));
    let url = server.url();
    stdout_of(&["demo", "--count", "12", "--rate", "1000", "--endpoint", &url]);
    let found = stdout_of(&["search", "--service", "load-generator", "--server", &url]);

    let mut workload = Workload::new(3);
    let mut send = || send(&server.address, &mut workload);
    let deadline = Instant::now() + Duration::from_secs(20);
    let mut acknowledged = 0;
    let (status, hint) = loop {
        let (status, hint) = send();
        if status != 200 {
            break (status, hint);
        }
        acknowledged += 1;
        assert!(Instant::now() < deadline, "the disk does not fill up");
    };
    assert_eq!(status, 503, "after {acknowledged} requests");
    assert!(hint.is_some_and(|seconds| seconds.parse::<u32>().is_ok_and(|seconds| seconds > 0)), "a retry hint");
    let health = server.get("/v1/health").1;
    assert_eq!((&health["status"], &health["reasons"][0]["name"]), (&"degraded".into(), &"disk_full".into()));
    assert_eq!(stdout_of(&["search", "--service", "load-generator", "--server", &url]), found, "readers go on");

    // The disk is visible only to the server and, through it, to its parent.
    let root = format!("/proc/{}/root{}", server.id(), folder.path().display());
    std::fs::remove_file(Path::new(&root).join("ballast")).unwrap();
    while send().0 != 200 {
        assert!(Instant::now() < deadline, "service does not resume");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(server.get("/v1/health").1["status"], "ok");
    server.stop();
}

/// A server whose data folder lies on a disk of 12 MiB, of which 6 are taken. A mount that others do not see needs no
/// more rights than a user namespace of one's own.
fn on_small_disk(folder: &Path) -> Command {
    let allowed = Command::new("unshare").args(["-rm", "true"]).output();
    assert!(
        allowed.as_ref().is_ok_and(|output| output.status.success()),
        "this test mounts a small disk in a user namespace, which this machine does not allow (`unshare -rm true`; \
         see kernel.unprivileged_userns_clone, kernel.apparmor_restrict_unprivileged_userns, or the container's \
         seccomp profile): {allowed:?}"
    );
    let script =
        "mount -t tmpfs -o size=12m tmpfs \"$1\" && head -c 6M /dev/zero >\"$1/ballast\" && shift && exec \"$@\"";
    let server = clew();
    let mut command = Command::new("unshare");
    command.args(["-rm", "sh", "-c", script, "sh"]).arg(folder).arg(server.get_program());
    command.args(["--listen", "127.0.0.1:0", "--log-segment-bytes", "1MiB", "--data-dir"]).arg(folder.join("data"));
    for (name, _) in server.get_envs() {
        command.env_remove(name);
    }
    command
}

/// Sends a request; its status and `Retry-After`.
fn send(address: &str, workload: &mut Workload) -> (u16, Option<String>) {
    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let body = clew_wire::otlp::encode(&workload.next_request(500, 1_763_600_000_000_000_000));
    let request = agent.post(format!("http://{address}/v1/traces")).header("Content-Type", "application/x-protobuf");
    let response = request.send(&body).unwrap();
    let hint = response.headers().get("retry-after").map(|value| value.to_str().unwrap().to_owned());
    (response.status().as_u16(), hint)
}
