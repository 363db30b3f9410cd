//! OpenTelemetry's consistent probability sampling: what a span's trace state says about how many spans it stands for.
//!
//! A sampler rejects a trace when the trace's randomness, 56 bits that all its spans share, is below a threshold. The
//! threshold stays with the span (`ot=th:...` in its trace state), so that whoever counts spans later can undo the sampling.

use std::fmt;
use std::str::FromStr;

use crate::{Span, TraceId};

/// Thresholds and randomness have this many bits.
const BITS: u32 = 56;
/// Hexadecimal digits of a whole value.
const DIGITS: usize = 14;
/// Distinct values: 2^56.
const VALUES: u64 = 1 << BITS;
/// The bit of the W3C trace flags that says that the trace id's low 56 bits are random.
const RANDOM_FLAG: u32 = 0x02;

/// How many of 2^56 traces are rejected; always below 2^56, since "never" is no probability.
///
/// Its text is that of `th`: up to 14 hexadecimal digits without the zeros at the end, and `0` for "none is rejected".
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Threshold(u64);

/// The 56 bits of a trace that thresholds are compared with.
///
/// Its text is that of `rv`: exactly 14 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Randomness(u64);

/// What OpenTelemetry's member of a W3C trace state says about sampling.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sampling {
    /// The threshold (`th`), unless there is none or it is malformed.
    pub threshold: Option<Threshold>,
    /// The explicit randomness (`rv`), unless there is none or it is malformed.
    pub randomness: Option<Randomness>,
}

/// A text that is not a threshold, or not a randomness.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a sampling threshold has 1 to 14 hexadecimal digits, a randomness has 14")]
pub struct SamplingError;

impl Threshold {
    /// Rejects nothing: a probability of 1.
    pub const ALL: Self = Self(0);
    /// The digits of [`Self::of_probability`] that OpenTelemetry recommends.
    pub const PRECISION: u32 = 4;

    /// The threshold that rejects that many of 2^56 traces; `None` if that is all of them.
    pub fn new(rejected: u64) -> Option<Self> {
        (rejected < VALUES).then_some(Self(rejected))
    }

    /// The threshold of a probability, rounded to `precision` hexadecimal digits behind the leading `f`s.
    ///
    /// A probability of 1 or more is 1. One below 2^-56, zero and what is not a number are 2^-56, the smallest there is:
    /// who means "never" asks no threshold.
    pub fn of_probability(probability: f64, precision: u32) -> Self {
        if probability >= 1.0 {
            return Self::ALL;
        }
        let smallest = 1.0 / VALUES as f64;
        let probability = if probability > smallest { probability } else { smallest };
        // A probability is 1.x * 2^-(halvings + 1), and four halvings are a leading `f`. The exponent of an f64 below 1 is
        // kept as at most 1022.
        let halvings = 1022 - (probability.to_bits() >> 52) as u32;
        let digits = (precision.max(1) + halvings / 4).min(DIGITS as u32);
        let step = 1_u64 << (BITS - 4 * digits);
        let rejected = VALUES - (probability * VALUES as f64).round() as u64;
        let rounded = rejected.saturating_add(step / 2) / step * step;
        Self(rounded.min(VALUES - step))
    }

    /// How many of 2^56 traces are rejected.
    pub fn rejected(self) -> u64 {
        self.0
    }

    /// Whether a trace of that randomness is kept.
    pub fn keeps(self, randomness: Randomness) -> bool {
        randomness.0 >= self.0
    }

    /// The share of traces that is kept: above 0, at most 1.
    pub fn probability(self) -> f64 {
        (VALUES - self.0) as f64 / VALUES as f64
    }

    /// How many traces a kept one stands for: at least 1.
    pub fn adjusted_count(self) -> f64 {
        VALUES as f64 / (VALUES - self.0) as f64
    }
}

impl Randomness {
    /// The randomness of these low 56 bits.
    pub fn new(bits: u64) -> Self {
        Self(bits & (VALUES - 1))
    }

    /// The randomness of a trace that says none of its own: the low 56 bits of its id.
    pub fn of_trace(trace_id: TraceId) -> Self {
        Self::new(trace_id.low_u64())
    }

    /// The 56 bits.
    pub fn bits(self) -> u64 {
        self.0
    }
}

impl Sampling {
    /// What a W3C trace state says. Whatever is malformed counts as not said; of repeated keys the first counts.
    pub fn of_trace_state(trace_state: &str) -> Self {
        let mut members = trace_state.split(',').filter_map(|member| member.trim().split_once('='));
        let Some((_, fields)) = members.find(|(key, _)| *key == "ot") else { return Self::default() };
        let field = |wanted: &str| {
            let mut fields = fields.split(';').filter_map(|field| field.split_once(':'));
            fields.find(|(key, _)| *key == wanted).map(|(_, value)| value)
        };
        Self {
            threshold: field("th").and_then(|text| text.parse().ok()),
            randomness: field("rv").and_then(|text| text.parse().ok()),
        }
    }

    /// How many spans a span stands for that says this: 1 when it names no threshold, or one that would have rejected it.
    ///
    /// `randomness` is that of its trace, for the case that the trace state has none; `None` if it is not known to be random.
    pub fn adjusted_count(self, randomness: Option<Randomness>) -> f64 {
        let Some(threshold) = self.threshold else { return 1.0 };
        let is_possible = self.randomness.or(randomness).is_none_or(|randomness| threshold.keeps(randomness));
        if is_possible { threshold.adjusted_count() } else { 1.0 }
    }
}

impl Span {
    /// How many spans this one says it stands for: the adjusted count of its sampling, 1 when it says nothing.
    pub fn adjusted_count(&self) -> f64 {
        if self.trace_state.is_empty() {
            return 1.0;
        }
        let is_random = self.flags & RANDOM_FLAG != 0;
        let randomness = is_random.then(|| Randomness::of_trace(self.trace_id));
        Sampling::of_trace_state(&self.trace_state).adjusted_count(randomness)
    }
}

/// The number of hexadecimal digits alone; at most 14.
fn parse_digits(text: &str) -> Result<u64, SamplingError> {
    let is_hex = text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !is_hex || text.is_empty() || text.len() > DIGITS {
        return Err(SamplingError);
    }
    u64::from_str_radix(text, 16).map_err(|_| SamplingError)
}

impl FromStr for Threshold {
    type Err = SamplingError;

    fn from_str(text: &str) -> Result<Self, SamplingError> {
        let digits = parse_digits(text)?;
        Ok(Self(digits << (4 * (DIGITS - text.len()))))
    }
}

impl fmt::Display for Threshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = format!("{:0DIGITS$x}", self.0);
        let text = text.trim_end_matches('0');
        f.write_str(if text.is_empty() { "0" } else { text })
    }
}

impl FromStr for Randomness {
    type Err = SamplingError;

    fn from_str(text: &str) -> Result<Self, SamplingError> {
        if text.len() == DIGITS { parse_digits(text).map(Self) } else { Err(SamplingError) }
    }
}

impl fmt::Display for Randomness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:0DIGITS$x}", self.0)
    }
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "powers of two are exact")]
#[path = "sampling/tests.rs"]
mod tests;
