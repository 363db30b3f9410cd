//! A tiny seeded generator, so that every run can be repeated from one number.

/// A stream of pseudo-random numbers: SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators").
///
/// The same seed gives the same stream on every machine and in every version. Not for secrets.
#[derive(Debug, Clone)]
pub struct Seed(u64);

impl Seed {
    /// The stream of that number.
    pub fn new(number: u64) -> Self {
        Self(number)
    }

    /// The next 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number in `0..bound`; 0 when `bound` is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.next_u64()) * u128::from(bound)) >> 64) as u64
    }

    /// A number in `low..=high`.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high.saturating_sub(low).saturating_add(1))
    }

    /// True `percent` times in a hundred.
    pub fn percent(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// One of `choices`.
    ///
    /// # Panics
    /// When there are none.
    pub fn pick<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.below(choices.len() as u64) as usize]
    }

    /// Bytes.
    pub fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        for chunk in bytes.chunks_mut(8) {
            chunk.copy_from_slice(&self.next_u64().to_le_bytes()[..chunk.len()]);
        }
        bytes
    }

    /// A number near `middle` with a tail to the right, as durations have: 60 % to 140 % of it, three times that in
    /// one of forty draws.
    pub fn around(&mut self, middle: u64) -> u64 {
        let near = middle * 6 / 10 + self.below(middle * 8 / 10 + 1);
        if self.below(40) == 0 { near * 3 } else { near }
    }

    /// A stream of its own, so that what one part draws does not move another part.
    #[must_use]
    pub fn fork(&mut self) -> Self {
        Self(self.next_u64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stream_is_that_of_the_paper() {
        let mut seed = Seed::new(1_234_567);
        let first = [seed.next_u64(), seed.next_u64(), seed.next_u64()];
        assert_eq!(first, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }

    #[test]
    fn draws_keep_their_bounds() {
        let mut seed = Seed::new(1);
        for _ in 0..10_000 {
            assert!((3..=5).contains(&seed.between(3, 5)));
            assert!((60..=420).contains(&seed.around(100)));
        }
        assert_eq!(seed.below(0), 0);
        let hits = (0..10_000).filter(|_| seed.percent(30)).count();
        assert!((2_800..3_200).contains(&hits), "{hits}");
    }
}
