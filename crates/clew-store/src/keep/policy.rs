//! What is to be done next, decided from figures alone: no disk, no clock, no threads.

use std::time::Duration;

/// When spans are sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SealPolicy {
    /// Bound on the memory of live spans in bytes; beyond it offers are refused.
    pub live_bytes: usize,
    /// Seals are at least this far apart while memory allows it, so that a load makes few blocks.
    pub apart: Duration,
    /// Spans are sealed at the latest this long after they came.
    pub age: Duration,
}

/// The figures that a cut is decided from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Growth {
    /// Memory of the generation that grows, in bytes.
    pub growing_bytes: usize,
    /// When its first batch came, by monotonic time; `None` when it is empty.
    pub began_nanos: Option<u64>,
    /// When the last cut was, by monotonic time.
    pub cut_nanos: Option<u64>,
    /// Generations that are cut and not yet sealed.
    pub waiting: usize,
}

impl SealPolicy {
    /// Whether to cut now.
    ///
    /// A generation may grow to a half of the bound: while it is sealed, the next one has the other half. From a quarter on
    /// it is cut as soon as the last cut is long enough ago. At rates that fill the half sooner than that, memory decides.
    pub fn is_cut_due(&self, growth: &Growth, now_nanos: u64) -> bool {
        let Some(began) = growth.began_nanos.filter(|_| growth.waiting == 0) else { return false };
        let since = |then: u64| now_nanos.saturating_sub(then);
        let is_apart = growth.cut_nanos.is_none_or(|cut| since(cut) >= self.apart.as_nanos() as u64);
        growth.growing_bytes >= self.live_bytes / 2
            || (growth.growing_bytes >= self.live_bytes / 4 && is_apart)
            || since(began) >= self.age.as_nanos() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: SealPolicy =
        SealPolicy { live_bytes: 400, apart: Duration::from_nanos(15), age: Duration::from_nanos(120) };

    fn is_due(growing_bytes: usize, began: u64, cut: Option<u64>, waiting: usize, now: u64) -> bool {
        let growth = Growth { growing_bytes, began_nanos: Some(began), cut_nanos: cut, waiting };
        POLICY.is_cut_due(&growth, now)
    }

    #[test]
    fn a_quarter_waits_until_seals_are_apart_and_a_half_does_not() {
        assert!(!is_due(99, 10, None, 0, 20));
        assert!(is_due(100, 10, None, 0, 20));
        assert!(!is_due(150, 10, Some(10), 0, 24));
        assert!(is_due(150, 10, Some(10), 0, 25));
        assert!(is_due(200, 10, Some(10), 0, 11));
    }

    #[test]
    fn spans_grow_old_and_an_empty_generation_does_not() {
        assert!(!is_due(1, 10, Some(9), 0, 129));
        assert!(is_due(1, 10, Some(9), 0, 130));
        assert!(!POLICY.is_cut_due(&Growth::default(), u64::MAX));
    }

    #[test]
    fn one_generation_is_sealed_at_a_time() {
        assert!(!is_due(400, 0, None, 1, u64::MAX));
    }
}
