//! Durations counted in a bounded number of buckets: each within 1.6 % of its value, whatever the range.

/// Buckets for each power of two.
const STEPS: usize = 64;
const STEP_BITS: u32 = STEPS.trailing_zeros();
const BUCKETS: usize = STEPS * (64 - STEP_BITS as usize + 1);

/// A histogram of nanoseconds.
#[derive(Debug, Clone)]
pub(super) struct Histogram {
    counts: Vec<u64>,
    total: u64,
    max: u64,
}

impl Histogram {
    pub(super) fn new() -> Self {
        Self { counts: vec![0; BUCKETS], total: 0, max: 0 }
    }

    pub(super) fn observe(&mut self, nanos: u64) {
        self.counts[bucket(nanos)] += 1;
        self.total += 1;
        self.max = self.max.max(nanos);
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.counts.iter_mut().zip(&other.counts).for_each(|(count, more)| *count += more);
        self.total += other.total;
        self.max = self.max.max(other.max);
    }

    pub(super) fn max(&self) -> u64 {
        self.max
    }

    /// The value that `percent` of all values do not exceed; 0 when there is none.
    pub(super) fn percentile(&self, percent: f64) -> u64 {
        let rank = ((percent / 100.0 * self.total as f64).ceil() as u64).max(1);
        let mut seen = 0;
        for (index, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= rank {
                return upper(index).min(self.max);
            }
        }
        self.max
    }
}

/// Values below [`STEPS`] have a bucket each; above, the highest bits below the leading one choose.
fn bucket(nanos: u64) -> usize {
    if nanos < STEPS as u64 {
        return nanos as usize;
    }
    let shift = nanos.ilog2() - STEP_BITS;
    (shift as usize + 1) * STEPS + (nanos >> shift) as usize - STEPS
}

/// The greatest value of a bucket.
fn upper(index: usize) -> u64 {
    if index < STEPS {
        return index as u64;
    }
    let shift = index / STEPS - 1;
    let low = ((index % STEPS + STEPS) as u64) << shift;
    low + ((1 << shift) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_has_a_bucket_close_to_it() {
        for nanos in (0..64).flat_map(|bit| [1_u64 << bit, (1 << bit) + (1 << bit) / 3, u64::MAX >> bit]) {
            let top = upper(bucket(nanos));
            assert!(top >= nanos && (top - nanos) as f64 <= nanos as f64 / 63.0, "{nanos} {top}");
        }
    }

    #[test]
    fn percentiles_of_known_values() {
        let mut histogram = Histogram::new();
        (1..=1000).for_each(|micros| histogram.observe(micros * 1000));
        for (percent, micros) in [(50.0, 500.0), (90.0, 900.0), (99.0, 990.0)] {
            let found = histogram.percentile(percent) as f64 / 1000.0;
            assert!((found / micros - 1.0).abs() < 0.02, "{percent}: {found}");
        }
        assert_eq!((histogram.percentile(100.0), histogram.max()), (1_000_000, 1_000_000));
        assert_eq!(Histogram::new().percentile(50.0), 0);
    }
}
