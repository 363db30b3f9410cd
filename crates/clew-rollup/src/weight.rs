//! How many spans were meant, exactly: sums of adjusted counts that can be added in any order and taken back.

use serde::{Deserialize, Serialize};

/// A sum of adjusted counts, in steps of 2^-32.
///
/// Floating point would make the sum depend on the order, and `a + b - b` another than `a`. An adjusted count is at most
/// 2^56, so that the sums of 2^39 of the largest still fit; beyond, they wrap, as subtraction needs them to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Weight(i128);

impl Weight {
    /// Steps of one span.
    const STEPS: f64 = (1_u64 << 32) as f64;
    /// The largest adjusted count that there is.
    const COUNT_MAX: f64 = (1_u64 << 56) as f64;
    /// Exactly one span.
    pub const ONE: Self = Self(1 << 32);

    /// The weight of one span with that adjusted count: at least 0, at most 2^56, 1 for what is not a number.
    pub fn of(adjusted_count: f64) -> Self {
        // That of nearly all spans comes first, and is told by its bits.
        if adjusted_count.to_bits() == 1.0_f64.to_bits() || adjusted_count.is_nan() {
            return Self::ONE;
        }
        Self((adjusted_count.clamp(0.0, Self::COUNT_MAX) * Self::STEPS).round() as i128)
    }

    /// The sum as a number of spans.
    pub fn to_f64(self) -> f64 {
        self.0 as f64 / Self::STEPS
    }

    /// Whole spans, rounded half up, at most what an `i64` holds.
    pub fn to_i64(self) -> i64 {
        let spans = self.0.wrapping_add(1 << 31) >> 32;
        i64::try_from(spans).unwrap_or(if spans < 0 { i64::MIN } else { i64::MAX })
    }

    /// Whether it is nothing.
    pub fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// Adds another.
    pub fn add(&mut self, other: Self) {
        self.0 = self.0.wrapping_add(other.0);
    }

    /// Takes another back.
    pub fn subtract(&mut self, other: Self) {
        self.0 = self.0.wrapping_sub(other.0);
    }
}
