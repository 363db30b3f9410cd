//! A shell command with its children, ended when it goes out of scope.

use std::fs::File;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

/// A variable of the environment.
pub(crate) type Variable = (&'static str, String);

pub(crate) struct Running {
    child: Child,
    command: String,
    log: PathBuf,
}

impl Running {
    /// Runs `command` by a shell in `folder`, in a process group of its own, with `variables` set.
    pub(crate) fn start(name: &str, command: &str, folder: &Path, variables: &[Variable]) -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let log = folder.join(format!("{name}-{}.log", COUNT.fetch_add(1, Ordering::Relaxed)));
        let output = File::create(&log).unwrap();
        let mut shell = Command::new("sh");
        shell.args(["-e", "-c", command]).current_dir(folder).process_group(0);
        // Settings of the guide alone, whatever the machine has set; spans leave soon, so that tests are quick.
        for (key, _) in std::env::vars_os() {
            if ["OTEL_", "CLEW_"].iter().any(|prefix| key.to_string_lossy().starts_with(prefix)) {
                shell.env_remove(key);
            }
        }
        shell.envs(variables.iter().map(|(key, value)| (key, value)));
        shell.env("OTEL_BSP_SCHEDULE_DELAY", "200").env("OTEL_NODE_RESOURCE_DETECTORS", "env,host,process");
        shell.stdin(Stdio::null()).stdout(output.try_clone().unwrap()).stderr(output);
        Self { child: shell.spawn().unwrap(), command: command.to_owned(), log }
    }

    /// What it has said so far.
    pub(crate) fn output(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap()).into_owned()
    }

    /// Fails the test when the command has ended, so that nobody waits for what cannot come.
    #[track_caller]
    pub(crate) fn assert_running(&mut self) {
        let ended = self.child.try_wait().unwrap();
        assert!(ended.is_none(), "`{}` ended too early ({})", self.command, ended.unwrap());
    }

    /// Waits for it to succeed, and returns what it said.
    #[track_caller]
    pub(crate) fn finish(&mut self, patience: Duration) -> String {
        let deadline = Instant::now() + patience;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                assert!(status.success(), "`{}` failed ({status})", self.command);
                return self.output();
            }
            assert!(Instant::now() < deadline, "`{}` does not end", self.command);
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Its group can be trusted to be its own only while it has not been waited for.
        if let Ok(None) = self.child.try_wait() {
            let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
            let _ = self.child.wait();
        }
        if std::thread::panicking() {
            println!("--- {}\n{}", self.command, self.output());
        }
    }
}
