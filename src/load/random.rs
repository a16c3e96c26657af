//! Random numbers for arrivals and delays: seeded, small, and the same on every machine.

/// `SplitMix64` (Steele, Lea, Flood 2014): 64 bits of state, passes `BigCrush`, any seed is good.
#[derive(Clone, Debug)]
pub(super) struct Random(u64);

impl Random {
    pub(super) fn seeded(seed: u64) -> Self {
        Self(seed)
    }

    /// A seed that differs from call to call, from the standard library's hasher keys.
    pub(super) fn fresh_seed() -> u64 {
        use std::hash::{BuildHasher as _, Hasher as _};
        std::collections::hash_map::RandomState::new().build_hasher().finish()
    }

    pub(super) fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform in the half-open interval from 0 (excluded) to 1 (included), so that its logarithm is finite.
    pub(super) fn unit(&mut self) -> f64 {
        ((self.next_u64() >> 11) + 1) as f64 / (1u64 << 53) as f64
    }

    /// Exponential with mean 1.
    pub(super) fn exponential(&mut self) -> f64 {
        -self.unit().ln()
    }

    /// Normal with mean 0 and standard deviation 1 (Box and Muller 1958).
    pub(super) fn normal(&mut self) -> f64 {
        let radius = (-2.0 * self.unit().ln()).sqrt();
        radius * (std::f64::consts::TAU * self.unit()).cos()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exponential_and_normal_have_their_moments() {
        const N: u32 = 200_000;
        let mut random = Random::seeded(7);
        let mean = |values: &[f64]| values.iter().sum::<f64>() / f64::from(N);
        let exponential: Vec<f64> = (0..N).map(|_| random.exponential()).collect();
        assert!((mean(&exponential) - 1.0).abs() < 0.01);
        assert!(exponential.iter().all(|value| value.is_finite() && *value >= 0.0));
        let normal: Vec<f64> = (0..N).map(|_| random.normal()).collect();
        assert!(mean(&normal).abs() < 0.01);
        let squares: Vec<f64> = normal.iter().map(|value| value * value).collect();
        assert!((mean(&squares) - 1.0).abs() < 0.02);
    }

    #[test]
    fn the_same_seed_gives_the_same_numbers() {
        let draw = |seed| {
            let mut random = Random::seeded(seed);
            [random.next_u64(), random.next_u64()]
        };
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
    }
}
