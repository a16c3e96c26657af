//! A rate over time, exactly: how many requests are expected by a moment, and when so many are.
//!
//! Rates are whole numbers of 10⁻⁹ requests a second, moments whole nanoseconds, and expected requests whole
//! numbers of 1/[`PER_REQUEST`], so that nothing is lost however long a run is. Only a sine needs floats.

use std::f64::consts::TAU;
use std::time::Duration;

use super::pacing::{Pacing, Profile, Shape, Stage};

/// One request, in the unit of expected requests: twice 10⁻⁹/s × 1 ns, since a ramp's area has a half in it.
pub const PER_REQUEST: u128 = 2_000_000_000_000_000_000;
/// Units of a rate in one request a second.
const RATE_UNITS: f64 = 1e9;
/// Parts of a request to which a sine is rounded.
const WAVE_UNITS: u128 = 10_000_000_000;
/// Nanoseconds in a second.
const SECOND: f64 = 1e9;

/// A rate over time.
#[derive(Clone, Debug, PartialEq)]
pub struct Curve {
    /// At least one; one after another without a gap.
    pieces: Vec<Piece>,
    /// Ascending.
    closed: Vec<ClosedLoop>,
    /// None when the last piece never ends.
    length: Option<u64>,
}

/// A stretch without a rate, in which requests are due as answers come; in nanoseconds from the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClosedLoop {
    /// Its beginning.
    pub from: u64,
    /// Its end, which is no part of it.
    pub until: u64,
    /// Between an answer and the next request of a connection.
    pub think: u64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Piece {
    start: u64,
    length: u64,
    /// Expected before it.
    before: u128,
    form: Form,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Form {
    /// The same rate all along.
    Flat(u64),
    /// From one rate to another, in a straight line.
    Line { from: u64, to: u64 },
    /// `mean + swing × sin(2π t / period)`, in requests a second and nanoseconds.
    Wave { mean: f64, swing: f64, period: f64 },
}

impl Curve {
    /// The curve of a pacing; none for a closed loop, and for a replay, whose times are in a file. A closed loop among
    /// stages is nothing on the curve: see [`Self::closed_loops`].
    #[must_use]
    pub fn of(pacing: &Pacing) -> Option<Self> {
        match pacing {
            Pacing::Max { .. } | Pacing::Replay { .. } => None,
            Pacing::Constant { rate_per_sec } | Pacing::Poisson { rate_per_sec } => {
                Some(Self::flat(*rate_per_sec))
            }
            Pacing::Profile(profile) => Some(Self::of_profile(profile)),
        }
    }

    /// The same rate for ever.
    #[must_use]
    pub fn flat(rate_per_sec: f64) -> Self {
        let form = Form::Flat(units(rate_per_sec));
        let piece = Piece { start: 0, length: u64::MAX, before: 0, form };
        Self { pieces: vec![piece], closed: Vec::new(), length: None }
    }

    fn of_profile(profile: &Profile) -> Self {
        let mut curve = Self { pieces: Vec::new(), closed: Vec::new(), length: Some(0) };
        for stage in &profile.stages {
            curve.push_stage(stage);
        }
        if curve.pieces.is_empty() {
            curve.push(Duration::ZERO, Form::Flat(0));
        }
        curve
    }

    fn push_stage(&mut self, stage: &Stage) {
        let length = stage.length;
        match stage.shape {
            Shape::Hold(rate) => self.push(length, Form::Flat(units(rate))),
            Shape::Ramp { from, to } => self.push(length, Form::Line { from: units(from), to: units(to) }),
            Shape::Steps { from, to, count } => {
                let count = count.max(1);
                let edge = |step: u32| length.as_nanos() * u128::from(step) / u128::from(count);
                for step in 0..count {
                    let rate = from + (to - from) * f64::from(step) / f64::from(count.max(2) - 1);
                    let nanos = u64::try_from(edge(step + 1) - edge(step)).unwrap_or(u64::MAX);
                    self.push(Duration::from_nanos(nanos), Form::Flat(units(rate)));
                }
            }
            Shape::Spike { base, peak, after, width } => {
                let after = after.min(length);
                let width = width.min(length - after);
                for (part, rate) in [(after, base), (width, peak), (length - after - width, base)] {
                    self.push(part, Form::Flat(units(rate)));
                }
            }
            Shape::Sine { mean, swing, period } => {
                let period = period.as_nanos() as f64;
                self.push(length, Form::Wave { mean, swing, period });
            }
            Shape::Max { think } => {
                let from = self.length.unwrap_or(0);
                self.push(length, Form::Flat(0));
                let until = self.length.unwrap_or(u64::MAX);
                let think = u64::try_from(think.as_nanos()).unwrap_or(u64::MAX);
                self.closed.push(ClosedLoop { from, until, think });
            }
        }
    }

    fn push(&mut self, length: Duration, form: Form) {
        let start = self.length.unwrap_or(0);
        let length = u64::try_from(length.as_nanos()).unwrap_or(u64::MAX / 2);
        let before = self.pieces.last().map_or(0, |last| last.before + last.area(last.length).0);
        self.pieces.push(Piece { start, length, before, form });
        self.length = Some(start.saturating_add(length));
    }

    /// How long it goes on; none for ever.
    #[must_use]
    pub fn length(&self) -> Option<Duration> {
        self.length.map(Duration::from_nanos)
    }

    /// The stretches in which requests are due as answers come, ascending.
    #[must_use]
    pub fn closed_loops(&self) -> &[ClosedLoop] {
        &self.closed
    }

    /// The rate at a moment, in requests a second; 0 after its end, and in a closed loop.
    #[must_use]
    pub fn rate_at(&self, since_start: Duration) -> f64 {
        let at = u64::try_from(since_start.as_nanos()).unwrap_or(u64::MAX);
        if self.length.is_some_and(|length| at >= length) {
            return 0.0;
        }
        let piece = self.pieces[self.pieces.partition_point(|piece| piece.start <= at) - 1];
        piece.rate(at - piece.start)
    }

    /// The highest rate of all, in requests a second.
    #[must_use]
    pub fn peak(&self) -> f64 {
        self.pieces.iter().map(|piece| piece.form.peak()).fold(0.0, f64::max)
    }

    /// How many requests are expected by so many nanoseconds, in 1/[`PER_REQUEST`], rounded down.
    #[must_use]
    pub fn expected_by(&self, at: u64) -> u128 {
        let at = self.length.map_or(at, |length| at.min(length));
        let piece = self.pieces[self.pieces.partition_point(|piece| piece.start <= at) - 1];
        piece.before + piece.area(at - piece.start).0
    }

    /// When so many requests (in 1/[`PER_REQUEST`]) are expected, in whole nanoseconds, rounded down; where the
    /// rate is 0 for a while, the end of that while. None when they never are.
    #[must_use]
    pub fn time_of(&self, expected: u128) -> Option<u64> {
        let piece = self.pieces[self.pieces.partition_point(|piece| piece.before <= expected) - 1];
        let within = expected - piece.before;
        let over = piece.area(piece.length).0 <= within;
        let at = if over { None } else { piece.time_of(within) };
        at.map(|at| piece.start.saturating_add(at))
    }
}

impl Piece {
    fn rate(&self, at: u64) -> f64 {
        match self.form {
            Form::Flat(rate) => rate as f64 / RATE_UNITS,
            Form::Line { from, to } => {
                let share = at as f64 / self.length as f64;
                (from as f64 + (to as f64 - from as f64) * share) / RATE_UNITS
            }
            Form::Wave { mean, swing, period } => mean + swing * (TAU * at as f64 / period).sin(),
        }
    }

    /// Expected from its start to `at`, rounded down, and whether nothing was lost by that.
    fn area(&self, at: u64) -> (u128, bool) {
        match self.form {
            Form::Flat(rate) => (2 * u128::from(rate) * u128::from(at), true),
            Form::Line { .. } if self.length == 0 => (0, true),
            // from × t + (to − from) × t² / 2L, doubled.
            Form::Line { from, to } => {
                let (at, length) = (u128::from(at), u128::from(self.length));
                let sum = u128::from(from) * (2 * length - at) + u128::from(to) * at;
                times_over(sum, at, length)
            }
            Form::Wave { mean, swing, period } => {
                let turned = (1.0 - (TAU * at as f64 / period).cos()) * period / TAU;
                let requests = (mean * at as f64 + swing * turned) / SECOND;
                // Rounded, so that whole periods are whole requests where they should be.
                let fine = (requests * WAVE_UNITS as f64).round();
                (fine as u128 * (PER_REQUEST / WAVE_UNITS), true)
            }
        }
    }

    /// The last whole nanosecond by which no more than `expected` are.
    fn time_of(&self, expected: u128) -> Option<u64> {
        if let Form::Flat(rate) = self.form {
            return u64::try_from(expected.checked_div(2 * u128::from(rate))?).ok();
        }
        let fits = |at: u64| {
            let (area, exact) = self.area(at);
            area < expected || (area == expected && exact)
        };
        // A guess by floats, then an interval about it that surely holds the moment, then halving.
        let guess = self.guess(expected).min(self.length);
        let (mut low, mut high, mut reach) = (guess, guess, 2);
        while !fits(low) {
            low = guess.saturating_sub(reach);
            reach *= 2;
        }
        while high < self.length && fits(high) {
            high = guess.saturating_add(reach).min(self.length);
            reach *= 2;
        }
        while low + 1 < high {
            let middle = low + (high - low) / 2;
            if fits(middle) { low = middle } else { high = middle }
        }
        Some(low)
    }

    fn guess(&self, expected: u128) -> u64 {
        let requests = expected as f64 / PER_REQUEST as f64;
        let seconds = match self.form {
            Form::Flat(rate) => requests * RATE_UNITS / rate as f64,
            Form::Line { from, to } => {
                let (from, to) = (from as f64 / RATE_UNITS, to as f64 / RATE_UNITS);
                let slope = (to - from) * SECOND / self.length as f64;
                // Written so that nothing cancels when the slope is near 0.
                let root = (from * from + 2.0 * slope * requests).max(0.0).sqrt();
                if from + root > 0.0 { 2.0 * requests / (from + root) } else { 0.0 }
            }
            Form::Wave { mean, .. } => requests / mean,
        };
        (seconds * SECOND) as u64
    }
}

impl Form {
    fn peak(self) -> f64 {
        match self {
            Self::Flat(rate) => rate as f64 / RATE_UNITS,
            Self::Line { from, to } => from.max(to) as f64 / RATE_UNITS,
            Self::Wave { mean, swing, .. } => mean + swing,
        }
    }
}

/// An amount of expected requests times `by` / `of` (both below 2⁶³), rounded down.
#[must_use]
pub fn scaled(expected: u128, by: u64, of: u64) -> u128 {
    times_over(expected, by.into(), of.into()).0
}

fn units(rate_per_sec: f64) -> u64 {
    (rate_per_sec * RATE_UNITS).round() as u64
}

/// `a × b / c`, rounded down, and whether nothing was lost; for `b` and `c` below 2⁶³ and a result below 2¹²⁸.
fn times_over(a: u128, b: u128, c: u128) -> (u128, bool) {
    let (high, low) = (a >> 64, a & u128::from(u64::MAX));
    let high = high * b;
    let low = ((high % c) << 64) + low * b;
    (((high / c) << 64) + low / c, low.is_multiple_of(c))
}

#[cfg(test)]
mod tests {
    use super::super::pacing::Arrivals;
    use super::*;

    fn of(stages: &[(u64, Shape)]) -> Curve {
        let stage = |(secs, shape): &(u64, Shape)| Stage {
            name: String::new(),
            length: Duration::from_secs(*secs),
            shape: *shape,
        };
        Curve::of_profile(&Profile { stages: stages.iter().map(stage).collect(), arrivals: Arrivals::Even })
    }

    fn due(curve: &Curve, n: u64) -> Option<u64> {
        curve.time_of(u128::from(n) * PER_REQUEST)
    }

    #[test]
    fn a_ramp_is_the_square_root_that_it_should_be() {
        // 0 to 200/s in 10 s: R(t) = 10 t², so request n is due at √(n/10).
        let curve = of(&[(10, Shape::Ramp { from: 0.0, to: 200.0 })]);
        for n in [0u64, 1, 7, 10, 90, 250, 999] {
            let exact = u128::from(n) * 100_000_000_000_000_000;
            assert_eq!(due(&curve, n).map(u128::from), Some(exact.isqrt()), "{n}");
        }
        assert_eq!(due(&curve, 1000), None, "1000 are expected at its very end");
        // And down again: R(t) = 200 t − 10 t².
        let down = of(&[(10, Shape::Ramp { from: 200.0, to: 0.0 })]);
        assert_eq!(due(&down, 360), Some(2_000_000_000));
        assert_eq!(due(&down, 999), Some(10_000_000_000 - 316_227_767));
        assert_eq!(down.expected_by(2_000_000_000), 360 * PER_REQUEST);
    }

    #[test]
    fn stages_follow_one_another_without_a_seam() {
        let curve = of(&[
            (2, Shape::Hold(10.0)),
            (3, Shape::Hold(0.0)),
            (2, Shape::Steps { from: 5.0, to: 10.0, count: 2 }),
            (
                4,
                Shape::Spike {
                    base: 1.0,
                    peak: 9.0,
                    after: Duration::from_secs(1),
                    width: Duration::from_secs(2),
                },
            ),
        ]);
        assert_eq!(due(&curve, 19), Some(1_900_000_000));
        assert_eq!(due(&curve, 20), Some(5_000_000_000), "the first after the silence");
        assert_eq!(due(&curve, 25), Some(6_000_000_000));
        assert_eq!(due(&curve, 35), Some(7_000_000_000));
        assert_eq!(due(&curve, 36), Some(8_000_000_000));
        assert_eq!(due(&curve, 54), Some(10_000_000_000));
        assert_eq!(due(&curve, 55), None);
        assert_eq!(curve.length(), Some(Duration::from_secs(11)));
        assert!((curve.peak() - 10.0).abs() < 1e-9);
        let rates = [0, 2, 5, 6, 7, 8, 10, 11].map(|secs| curve.rate_at(Duration::from_secs(secs)));
        assert_eq!(rates, [10.0, 0.0, 5.0, 10.0, 1.0, 9.0, 1.0, 0.0]);
    }

    #[test]
    fn a_closed_loop_takes_its_time_and_nothing_of_the_rates() {
        let think = Duration::from_millis(10);
        let curve = of(&[
            (2, Shape::Hold(10.0)),
            (3, Shape::Max { think }),
            (1, Shape::Max { think: Duration::ZERO }),
            (2, Shape::Ramp { from: 10.0, to: 0.0 }),
        ]);
        assert_eq!((due(&curve, 19), due(&curve, 20)), (Some(1_900_000_000), Some(6_000_000_000)));
        assert_eq!((due(&curve, 30), curve.length()), (None, Some(Duration::from_secs(8))));
        let closed = curve.closed_loops().iter().map(|closed| (closed.from, closed.until, closed.think));
        let expected = [(2_000_000_000, 5_000_000_000, 10_000_000), (5_000_000_000, 6_000_000_000, 0)];
        assert_eq!(closed.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_sine_comes_back_to_its_mean() {
        let period = Duration::from_secs(10);
        let curve = of(&[(60, Shape::Sine { mean: 100.0, swing: 80.0, period })]);
        for periods in 0..6u64 {
            let at = due(&curve, 1000 * periods).expect("within");
            assert!(at.abs_diff(periods * 10_000_000_000) <= 2, "{periods}: {at}");
        }
        let mut last = 0;
        for n in 0..6000 {
            let at = due(&curve, n).expect("within");
            assert!(at >= last);
            let back = curve.expected_by(at) as f64 / PER_REQUEST as f64;
            assert!((back - n as f64).abs() < 1e-5, "{n}: {back}");
            last = at;
        }
        assert!((curve.rate_at(Duration::from_millis(2500)) - 180.0).abs() < 1e-9);
    }

    #[test]
    fn ten_days_at_the_highest_rate_are_exact_to_the_nanosecond() {
        let day = 86_400;
        let curve = of(&[(day, Shape::Ramp { from: 0.0, to: 1_000_000.0 }); 10]);
        let per_day = 43_200_000_000;
        for days in 0..10u64 {
            assert_eq!(due(&curve, days * per_day), Some(days * day * 1_000_000_000));
        }
        let flat = Curve::flat(1_000_000.0);
        assert_eq!(due(&flat, 864_000_000_001), Some(864_000_000_001_000));
    }
}
