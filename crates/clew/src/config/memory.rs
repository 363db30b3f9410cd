//! How much memory this process may use: the machine's, or its control group's limit when that is lower.

/// In bytes. What cannot be read does not count.
pub(super) fn available_bytes() -> u64 {
    let machine = read("/proc/meminfo").and_then(|text| meminfo_total_bytes(&text));
    let limits = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"];
    let group = limits.iter().filter_map(|path| read(path)).filter_map(|text| text.trim().parse().ok()).min();
    // Elsewhere than on Linux, 2 GiB gives the full default share.
    machine.into_iter().chain(group).min().unwrap_or(2 << 30)
}

#[expect(clippy::disallowed_methods, reason = "the edge of the process: facts about the machine")]
fn read(path: &str) -> Option<String> {
    String::from_utf8(std::fs::read(path).ok()?).ok()
}

fn meminfo_total_bytes(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn meminfo_is_read() {
        assert_eq!(meminfo_total_bytes("MemTotal:       24645984 kB\nMemFree: 1 kB\n"), Some(24_645_984 * 1024));
        assert_eq!(meminfo_total_bytes("MemTotal: many\n"), None);
        assert!(available_bytes() > 0);
    }
}
