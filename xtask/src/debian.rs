//! Debian's packages.

use std::process::{Command, Stdio};

/// `apt-get` as one who may change the machine: as root, or by `sudo` that asks nothing.
pub(crate) fn apt_get() -> Command {
    let mut command = if is_root() { Command::new("apt-get") } else { sudo() };
    command.env("DEBIAN_FRONTEND", "noninteractive").stdin(Stdio::null());
    command
}

fn sudo() -> Command {
    let mut command = Command::new("sudo");
    command.args(["--non-interactive", "apt-get"]);
    command
}

fn is_root() -> bool {
    let said = Command::new("id").arg("-u").output();
    said.is_ok_and(|said| said.stdout.trim_ascii() == b"0")
}
