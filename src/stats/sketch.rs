//! A small histogram for one interval of a run: only the values that occurred, two significant digits.

use super::Latency;
use crate::model::Quantiles;

/// Significant digits of an interval's histogram.
pub const DIGITS: u8 = 2;

/// Values and counts of one interval, compact and mergeable. A few hundred bytes where a histogram has many thousand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sketch {
    /// Nanoseconds and count, ascending.
    values: Vec<(u64, u64)>,
}

impl Sketch {
    /// A sketch of a histogram, coarsened to two digits.
    #[must_use]
    pub fn of(latency: &Latency) -> Self {
        let mut coarse = Latency::with_digits(DIGITS);
        for (nanos, count) in latency.recorded() {
            coarse.record_n(nanos, count);
        }
        Self { values: coarse.recorded().collect() }
    }

    /// Adds all values of another sketch.
    pub fn merge(&mut self, other: &Self) {
        let mut merged = Vec::with_capacity(self.values.len() + other.values.len());
        let (mut left, mut right) = (self.values.iter().peekable(), other.values.iter().peekable());
        loop {
            match (left.peek(), right.peek()) {
                (Some(a), Some(b)) if a.0 == b.0 => {
                    merged.push((a.0, a.1 + b.1));
                    left.next();
                    right.next();
                }
                (Some(a), Some(b)) if a.0 < b.0 => merged.extend(left.next().copied()),
                (_, Some(_)) => merged.extend(right.next().copied()),
                (Some(_), None) => merged.extend(left.next().copied()),
                (None, None) => break,
            }
        }
        self.values = merged;
    }

    /// Pairs of value in nanoseconds and count, ascending.
    pub fn recorded(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.values.iter().copied()
    }

    /// Number of values.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.values.iter().map(|(_, count)| count).sum()
    }

    /// The sketch as a histogram.
    #[must_use]
    pub fn to_latency(&self) -> Latency {
        let mut latency = Latency::with_digits(DIGITS);
        for (nanos, count) in &self.values {
            latency.record_n(*nanos, *count);
        }
        latency
    }

    /// The quantiles that every summary holds.
    #[must_use]
    pub fn quantiles(&self) -> Quantiles {
        self.to_latency().quantiles()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn merged_sketches_are_the_sketch_of_the_merged() {
        let of = |values: &[u64]| {
            let mut latency = Latency::new();
            for value in values {
                latency.record(Duration::from_micros(*value));
            }
            latency
        };
        let (mut left, right) = (of(&[10, 20, 30_000]), of(&[20, 25, 900_000]));
        let mut merged = Sketch::of(&left);
        merged.merge(&Sketch::of(&right));
        left.merge(&right);
        assert_eq!(merged, Sketch::of(&left));
        assert_eq!(merged.count(), 6);
        assert!((merged.quantiles().max - 900.0).abs() < 10.0);
    }
}
