//! What the kernel says of this process; nothing where there is no `/proc`.

/// Memory and processor time of this process.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Process {
    /// Resident memory in bytes.
    pub(super) resident_bytes: u64,
    /// User and system time in seconds.
    pub(super) cpu_seconds: f64,
}

impl Process {
    /// As of now.
    pub(super) fn read() -> Option<Self> {
        let status = std::fs::read_to_string("/proc/self/status").ok()?;
        let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
        Some(Self { resident_bytes: resident_bytes(&status)?, cpu_seconds: cpu_seconds(&stat)? })
    }
}

fn resident_bytes(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kibibytes * 1024)
}

/// `utime` and `stime` are fields 14 and 15 of `/proc/self/stat`, in ticks of a hundredth of a second (`USER_HZ`, 100 on
/// every architecture that Rust's Linux targets name). Field 2 is the program's name in parentheses and may hold spaces.
fn cpu_seconds(stat: &str) -> Option<f64> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut times = after_name.split_whitespace().skip(11).map(str::parse::<u64>);
    let (user, system) = (times.next()?.ok()?, times.next()?.ok()?);
    Some((user + system) as f64 / 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_the_kernel_writes() {
        assert_eq!(resident_bytes("Name:\tclew\nVmRSS:\t   61440 kB\nThreads:\t9\n"), Some(61440 * 1024));
        let stat = "4711 (clew (a) b) S 1 4711 4711 0 -1 4194560 900 0 3 0 250 50 0 0 20 0 9 0 1000 0 0";
        assert_eq!(cpu_seconds(stat), Some(3.0));
        assert_eq!(cpu_seconds("4711 (clew) S"), None);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn this_process_has_memory() {
        assert!(Process::read().unwrap().resident_bytes > 100_000);
    }
}
