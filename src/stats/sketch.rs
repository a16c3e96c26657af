//! A small histogram for one interval of a run: only the values that occurred, two significant digits.

use super::Latency;
use crate::model::Quantiles;

/// Significant digits of an interval's histogram.
pub const DIGITS: u8 = 2;

/// Values and counts of one interval, compact and mergeable. A few hundred bytes where a histogram has many thousand:
/// a long run holds hundreds of them at a time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sketch {
    /// For each value, ascending: how much more than the one before it is in nanoseconds, and its count; both in
    /// LEB128 (seven bits in a byte, the lowest first).
    pairs: Box<[u8]>,
}

/// Room for one pair of what a run usually measures.
const PAIR_BYTES: usize = 4;

impl Sketch {
    /// A sketch of a histogram, coarsened to two digits.
    #[must_use]
    pub fn of(latency: &Latency) -> Self {
        Self::packed(latency.recorded_with(DIGITS))
    }

    /// A sketch of values and counts, ascending.
    fn packed(recorded: impl Iterator<Item = (u64, u64)>) -> Self {
        let mut pairs = Vec::with_capacity(recorded.size_hint().0 * PAIR_BYTES);
        let mut before = 0;
        for (nanos, count) in recorded {
            push(&mut pairs, nanos - before);
            push(&mut pairs, count);
            before = nanos;
        }
        Self { pairs: pairs.into_boxed_slice() }
    }

    /// Adds all values of another sketch.
    pub fn merge(&mut self, other: &Self) {
        *self = self.merged(other);
    }

    fn merged(&self, other: &Self) -> Self {
        let (mut left, mut right) = (self.recorded().peekable(), other.recorded().peekable());
        Self::packed(std::iter::from_fn(|| match (left.peek(), right.peek()) {
            (Some(a), Some(b)) if a.0 == b.0 => {
                let sum = (a.0, a.1 + b.1);
                left.next();
                right.next();
                Some(sum)
            }
            (Some(a), Some(b)) if a.0 < b.0 => left.next(),
            (_, Some(_)) => right.next(),
            (_, None) => left.next(),
        }))
    }

    /// Pairs of value in nanoseconds and count, ascending.
    pub fn recorded(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        let mut rest = &*self.pairs;
        let mut nanos = 0;
        std::iter::from_fn(move || {
            nanos += take(&mut rest)?;
            Some((nanos, take(&mut rest)?))
        })
    }

    /// Number of values.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.recorded().map(|(_, count)| count).sum()
    }

    /// The sketch as a histogram.
    #[must_use]
    pub fn to_latency(&self) -> Latency {
        let mut latency = Latency::with_digits(DIGITS);
        for (nanos, count) in self.recorded() {
            latency.record_n(nanos, count);
        }
        latency
    }

    /// The quantiles that every summary holds.
    #[must_use]
    pub fn quantiles(&self) -> Quantiles {
        self.to_latency().quantiles()
    }
}

fn push(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

fn take(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..u64::BITS).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            break;
        }
    }
    Some(number)
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

    #[test]
    fn numbers_of_every_size_are_kept() {
        let all: Vec<_> = (0..64).map(|bit| ((1 << bit) - 1, u64::MAX >> bit)).collect();
        assert_eq!(Sketch::packed(all.iter().copied()).recorded().collect::<Vec<_>>(), all);
    }
}
