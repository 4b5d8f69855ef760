//! A small seeded generator whose numbers are the same on every platform and in every release.
//!
//! Games, samples and data orders are all drawn from it, so a recorded seed repeats a run.

/// `SplitMix64` (Steele, Lea and Flood, 2014).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rng(u64);

impl Rng {
    /// A generator for `seed`.
    pub fn new(seed: u64) -> Self {
        Self(seed ^ 0x5DEE_CE66_D1CE_4E5B)
    }

    /// A generator for one of several independent streams of a seed.
    pub fn stream(seed: u64, stream: &str) -> Self {
        Self::new(
            stream
                .bytes()
                .fold(seed, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3)),
        )
    }

    /// Seeds of as many independent things of one kind.
    pub fn seeds(seed: u64, kind: &str, count: usize) -> Vec<u64> {
        (0..count).map(|i| Self::stream(seed, &format!("{kind} {i}")).next_u64()).collect()
    }

    /// 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number in `0..n`; 0 when `n` is 0.
    pub fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.next_u64()) * n as u128) >> 64) as usize
    }

    /// A number in `low..=high`.
    pub fn between(&mut self, low: usize, high: usize) -> usize {
        low + self.below(high + 1 - low)
    }

    /// A number in `[0, 1)`.
    pub fn unit(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// A random item.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        items.get(self.below(items.len()))
    }

    /// Fisher–Yates.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.below(i + 1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_the_same_for_ever() {
        let mut rng = Rng::new(1);
        let first: Vec<usize> = (0..6).map(|_| rng.below(100)).collect();
        let mut again = Rng::new(1);
        assert_eq!(first, (0..6).map(|_| again.below(100)).collect::<Vec<_>>());
        assert_ne!(Rng::stream(1, "a").next_u64(), Rng::stream(1, "b").next_u64());
        let several: std::collections::HashSet<u64> =
            (0..64).flat_map(|seed| Rng::seeds(seed, "x", 64)).collect();
        assert_eq!(several.len(), 64 * 64, "neighbouring seeds share nothing");
        let mut order: Vec<u8> = (0..20).collect();
        rng.shuffle(&mut order);
        let mut sorted = order.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..20).collect::<Vec<u8>>());
    }
}
