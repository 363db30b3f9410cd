//! Durations, counted: OpenTelemetry's exponential histogram, with counts that can be taken back.

use serde::{Deserialize, Serialize};

/// Buckets in which a duration doubles: 2^scale.
const PER_DOUBLING: i32 = 1 << Histogram::SCALE;
/// `floor(2^63 * 2^(j / 32))`: the bounds between 1 and 2, as the 64 leading bits of a duration. All but the first are
/// irrational, so that no duration equals one, and comparing with the integer below is exact.
const BOUNDS: [u64; 32 + STEPS_MAX] = [
    0x8000_0000_0000_0000,
    0x82cd_8698_ac2b_a1d7,
    0x85aa_c367_cc48_7b14,
    0x8898_0e80_92da_8527,
    0x8b95_c1e3_ea8b_d6e6,
    0x8ea4_398b_45cd_53c0,
    0x91c3_d373_ab11_c336,
    0x94f4_efa8_fef7_0961,
    0x9837_f051_8db8_a96f,
    0x9b8d_39b9_d54e_5538,
    0x9ef5_3260_91a1_11ad,
    0xa270_4303_0c49_6818,
    0xa5fe_d6a9_b151_38ea,
    0xa9a1_5ab4_ea7c_0ef8,
    0xad58_3eea_42a1_4ac6,
    0xb123_f581_d2ac_258f,
    0xb504_f333_f9de_6484,
    0xb8fb_af47_62fb_9ee9,
    0xbd08_a39f_580c_36be,
    0xc12c_4cca_6670_9456,
    0xc567_2a11_5506_dadd,
    0xc9b9_bd86_6e2f_27a2,
    0xce24_8c15_1f84_80e3,
    0xd2a8_1d91_f12a_e45a,
    0xd744_fcca_d69d_6af4,
    0xdbfb_b797_daf2_3755,
    0xe0cc_deec_2a94_e111,
    0xe5b9_06e7_7c83_48a8,
    0xeac0_c6e7_dd24_392e,
    0xefe4_b99b_dcda_f5cb,
    0xf525_7d15_2486_cc2c,
    0xfa83_b2db_722a_033a,
    // No duration is above these.
    u64::MAX,
    u64::MAX,
    u64::MAX,
    u64::MAX,
];
/// From the guess of a bucket to the bucket: log2(1 + x) is at least x and at most x + 0.087, which is under three bounds, and
/// the guess is under one bound below x.
const STEPS_MAX: usize = 4;
/// More buckets than this are merged side by side instead of being looked up one by one.
const LOOKED_UP_MAX: usize = 8;

/// An exponential histogram of durations in nanoseconds, of scale [`Self::SCALE`], exact in every sum.
///
/// Counts are signed: what was added can be taken back, and nothing remains of it. Only buckets whose count is not 0 are
/// kept, 16 bytes each, so that equal histograms are equal in memory. Sums wrap when they leave their type, which takes
/// 2^63 durations.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(try_from = "Parts")]
pub struct Histogram {
    zero_count: i64,
    sum_nanos: i128,
    /// By rising index; no count is 0.
    buckets: Vec<Bucket>,
}

/// The durations of one bucket: above the bound of the bucket before it, and up to its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Bucket {
    /// OpenTelemetry's index at [`Histogram::SCALE`]: the bucket is `(base^index, base^(index + 1)]` nanoseconds. Prometheus
    /// calls the same bucket `index + 1`.
    pub index: i16,
    /// Durations in it; below 0 when more were taken back than had been added.
    pub count: i64,
}

/// What is read, before it is checked.
#[derive(Deserialize)]
#[serde(rename = "Histogram")]
struct Parts {
    zero_count: i64,
    sum_nanos: i128,
    buckets: Vec<Bucket>,
}

/// Bytes that are no histogram.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("bucket {position} of a histogram has an index that does not rise or does not exist, or a count of 0")]
pub struct HistogramError {
    /// Zero-based place of the first bad bucket.
    pub position: usize,
}

impl Bucket {
    /// The index of the only bucket that begins below 1 ns.
    const FIRST: i16 = -1;
    /// The index of the bucket of `u64::MAX`.
    const LAST: i16 = 64 * PER_DOUBLING as i16 - 1;

    /// The index of the bucket of a duration that is not 0.
    fn index_of(nanos: u64) -> i16 {
        let shift = nanos.leading_zeros() as i32;
        let leading = nanos << shift;
        let guess = ((leading >> 58) & 31) as usize;
        // Bounds rise, so that those above the first that is not below count nothing; and no step is a branch to be guessed.
        let steps: usize = BOUNDS[guess..guess + STEPS_MAX].iter().map(|bound| usize::from(*bound < leading)).sum();
        let below = guess + steps;
        let doubling = 63 - shift;
        (doubling * PER_DOUBLING + below as i32 - 1) as i16
    }

    /// The longest duration of the bucket, in nanoseconds.
    pub fn upper_nanos(self) -> u64 {
        bound(i32::from(self.index) + 1)
    }

    /// The duration that stands for the bucket: no duration in it is further away than the bound of
    /// [`Histogram::RELATIVE_ERROR`].
    pub fn typical_nanos(self) -> u64 {
        let upper = self.upper_nanos();
        let lower = bound(i32::from(self.index)).saturating_add(1).min(upper);
        // The harmonic mean is as far, relatively, from the lower end as from the upper.
        let (lower_wide, upper_wide) = (u128::from(lower), u128::from(upper));
        let sum = lower_wide + upper_wide;
        let above = (lower_wide * (upper_wide - lower_wide) + sum / 2) / sum;
        lower + above as u64
    }
}

/// `floor(base^power)`, at most `u64::MAX`; 0 below the power 0.
fn bound(power: i32) -> u64 {
    let doubling = power.div_euclid(PER_DOUBLING);
    let leading = BOUNDS[power.rem_euclid(PER_DOUBLING) as usize];
    match doubling {
        ..0 => 0,
        0..64 => leading >> (63 - doubling),
        _ => u64::MAX,
    }
}

impl Histogram {
    /// OpenTelemetry's scale: each bucket ends at 2^(1/32), 2.2 % above the one before.
    pub const SCALE: i32 = 5;
    /// No quantile is further from a duration of that rank than this share of it.
    ///
    /// The middle of a bucket is `(base - 1) / (base + 1)`, 1.09 %, from its ends; durations are whole nanoseconds, which
    /// makes it 1.79 % for those of 55 and 56 ns and less for all others.
    pub const RELATIVE_ERROR: f64 = 0.018;

    /// Adds `count` durations of that length; a negative count takes them back.
    pub fn record(&mut self, nanos: u64, count: i64) {
        self.sum_nanos = self.sum_nanos.wrapping_add(i128::from(nanos) * i128::from(count));
        if nanos == 0 {
            self.zero_count = self.zero_count.wrapping_add(count);
        } else {
            self.count_in(Bucket { index: Bucket::index_of(nanos), count });
        }
    }

    /// Adds one duration but to its bucket, whose index is returned: [`Self::count_noted`] has yet to count it. One of 0 has
    /// none.
    pub(crate) fn note(&mut self, nanos: u64) -> Option<i16> {
        self.sum_nanos = self.sum_nanos.wrapping_add(i128::from(nanos));
        if nanos == 0 {
            self.zero_count = self.zero_count.wrapping_add(1);
            return None;
        }
        Some(Bucket::index_of(nanos))
    }

    /// Counts durations that were noted, by the indices of their buckets, which are sorted on the way.
    pub(crate) fn count_noted(&mut self, indices: &mut [i16]) {
        indices.sort_unstable();
        let alike = indices.chunk_by(|left, right| left == right);
        let bucket_count = alike.clone().count();
        self.merge_buckets(alike.map(|alike| Bucket { index: alike[0], count: alike.len() as i64 }), bucket_count);
    }

    /// Adds all durations of another.
    pub fn add(&mut self, other: &Self) {
        self.merge(other, 1);
    }

    /// Takes all durations of another back.
    pub fn subtract(&mut self, other: &Self) {
        self.merge(other, -1);
    }

    /// Durations.
    pub fn count(&self) -> i64 {
        self.buckets.iter().fold(self.zero_count, |sum, bucket| sum.wrapping_add(bucket.count))
    }

    /// Durations of 0.
    pub fn zero_count(&self) -> i64 {
        self.zero_count
    }

    /// The sum of all durations, exactly.
    pub fn sum_nanos(&self) -> i128 {
        self.sum_nanos
    }

    /// Whether nothing is in it.
    pub fn is_zero(&self) -> bool {
        self.zero_count == 0 && self.sum_nanos == 0 && self.buckets.is_empty()
    }

    /// The buckets that are not empty, by rising bounds; durations of 0 are in none of them.
    pub fn buckets(&self) -> impl ExactSizeIterator<Item = Bucket> + '_ {
        self.buckets.iter().copied()
    }

    /// The duration, in nanoseconds, that a share `q` of all is not above: of `n` the one of rank `ceil(q * n)`, within
    /// [`Self::RELATIVE_ERROR`]. `None` if there are none, or `q` is not within 0 and 1.
    pub fn quantile(&self, q: f64) -> Option<u64> {
        let zero_count = self.zero_count.max(0);
        let counted = self.buckets.iter().filter(|bucket| bucket.count > 0);
        let total = counted.clone().fold(zero_count, |sum, bucket| sum.saturating_add(bucket.count));
        if total == 0 || !(0.0..=1.0).contains(&q) {
            return None;
        }
        let rank = ((q * total as f64).ceil() as i64).clamp(1, total);
        let mut reached = zero_count;
        if rank <= reached {
            return Some(0);
        }
        let mut last = None;
        for bucket in counted {
            reached = reached.saturating_add(bucket.count);
            last = Some(bucket.typical_nanos());
            if rank <= reached {
                break;
            }
        }
        last
    }

    /// For each bound, in nanoseconds and in any order, the durations that are not above it, as a classic histogram has
    /// them. A bucket counts as a whole, so that durations within 2.2 % of a bound may be on its other side.
    pub fn classic(&self, bounds_nanos: &[u64]) -> Vec<i64> {
        let up_to = |bound: u64| {
            let counted = self.buckets.iter().take_while(|bucket| bucket.typical_nanos() <= bound);
            counted.fold(self.zero_count, |sum, bucket| sum.wrapping_add(bucket.count))
        };
        bounds_nanos.iter().map(|bound| up_to(*bound)).collect()
    }

    /// Memory beside the histogram itself, in bytes.
    pub fn heap_bytes(&self) -> usize {
        self.buckets.capacity() * size_of::<Bucket>()
    }

    fn count_in(&mut self, added: Bucket) {
        if added.count == 0 {
            return;
        }
        match self.buckets.binary_search_by_key(&added.index, |bucket| bucket.index) {
            // One bucket is the common case, and should take no more room than that.
            Err(_) if self.buckets.is_empty() => self.buckets = vec![added],
            Err(place) => self.buckets.insert(place, added),
            Ok(place) => {
                let count = self.buckets[place].count.wrapping_add(added.count);
                if count == 0 {
                    self.buckets.remove(place);
                } else {
                    self.buckets[place].count = count;
                }
            }
        }
    }

    fn merge(&mut self, other: &Self, sign: i64) {
        self.zero_count = self.zero_count.wrapping_add(other.zero_count.wrapping_mul(sign));
        self.sum_nanos = self.sum_nanos.wrapping_add(other.sum_nanos.wrapping_mul(i128::from(sign)));
        let added = other.buckets.iter().map(|bucket| Bucket { count: bucket.count.wrapping_mul(sign), ..*bucket });
        if other.buckets.len() <= LOOKED_UP_MAX {
            added.for_each(|bucket| self.count_in(bucket));
            return;
        }
        self.merge_buckets(added, other.buckets.len());
    }

    /// Adds so many buckets, which come by rising index.
    fn merge_buckets(&mut self, mut added: impl Iterator<Item = Bucket>, added_count: usize) {
        if added_count == 0 {
            return;
        }
        let mut merged = Vec::with_capacity(self.buckets.len().max(added_count));
        let mut own = self.buckets.iter().copied();
        let (mut left, mut right) = (own.next(), added.next());
        loop {
            let bucket = match (left, right) {
                (Some(mine), Some(theirs)) if mine.index == theirs.index => {
                    (left, right) = (own.next(), added.next());
                    Bucket { count: mine.count.wrapping_add(theirs.count), ..mine }
                }
                (Some(mine), theirs) if theirs.is_none_or(|theirs| mine.index < theirs.index) => {
                    left = own.next();
                    mine
                }
                (_, Some(theirs)) => {
                    right = added.next();
                    theirs
                }
                (_, None) => break,
            };
            if bucket.count != 0 {
                merged.push(bucket);
            }
        }
        self.buckets = merged;
    }
}

impl TryFrom<Parts> for Histogram {
    type Error = HistogramError;

    fn try_from(parts: Parts) -> Result<Self, HistogramError> {
        let mut after = Bucket::FIRST;
        for (position, bucket) in parts.buckets.iter().enumerate() {
            if bucket.count == 0 || !(after..=Bucket::LAST).contains(&bucket.index) {
                return Err(HistogramError { position });
            }
            after = bucket.index + 1;
        }
        let Parts { zero_count, sum_nanos, buckets } = parts;
        Ok(Self { zero_count, sum_nanos, buckets })
    }
}
